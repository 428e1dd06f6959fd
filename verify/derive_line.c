/* SPDX-License-Identifier: MIT */
/* Lines of a derivation, and since when the things exist that they rest on. */
#include "verify/derive_int.h"

static bool
line_same(const struct proof_line *a, const struct proof_line *b)
{
	return a->kind == b->kind && a->place == b->place && a->ctx == b->ctx && a->role == b->role && a->sig == b->sig && a->at == b->at &&
	    a->entry == b->entry && memcmp(a->object, b->object, 32) == 0 && memcmp(a->by, b->by, 32) == 0 && a->time == b->time &&
	    alg_same(&a->alg, &b->alg);
}

void
derive_rest(struct rests *r, long line)
{
	if (line == NO_LINE)
		return;
	if (r->n < FEW)
		r->v[r->n++] = (size_t)line;
	else if (mem_grow(&r->more, &r->cap, r->n - FEW, sizeof(*r->more)))
		r->more[r->n++ - FEW] = (size_t)line;
	else
		r->lost = true;
}

static size_t
nth(const struct rests *r, size_t i)
{
	return i < FEW ? r->v[i] : r->more[i - FEW];
}

static bool
same_rests(const struct proof *p, const struct proof_line *l, const struct rests *r)
{
	size_t i = 0;

	while (l->n == r->n && i < r->n && p->rests[l->first + i] == nth(r, i))
		i++;
	return l->n == r->n && i == r->n;
}

void
derive_cut(struct prover *w, size_t n)
{
	proof_cut(w->p, n);
	proof_untake(w->k, n);
}

static long
known_line(const struct prover *w, const struct proof_line *l, const struct rests *r)
{
	for (size_t i = 0; i < w->p->n; i++) {
		const struct proof_line *o = &w->p->v[i];

		if (line_same(l, o) && same_rests(w->p, o, r))
			return (long)i;
	}
	return NO_LINE;
}

long
derive_line(struct prover *w, const struct proof_line *l, const struct rests *r)
{
	long at = known_line(w, l, r);
	size_t n = w->p->n;
	bool ok;

	if (at != NO_LINE)
		return at;
	ok = !r->lost && proof_add(w->p, l);
	for (size_t i = 0; ok && i < r->n; i++)
		ok = proof_rest(w->p, nth(r, i));
	if (ok && proof_take(w->k, w->p))
		return (long)n;
	snprintf(w->why, sizeof(w->why), "%s", ok ? proof_why(w->k) : "too long a derivation");
	derive_cut(w, n);
	return NO_LINE;
}

bool
derive_need(struct rests *r, long line)
{
	derive_rest(r, line);
	return line != NO_LINE;
}

/* ---- proofs of existence ---- */

static struct proven **
bucket(struct prover *w, const struct proof_line *l)
{
	size_t at;

	memcpy(&at, l->object, sizeof(at));
	if (l->place == PLACE_VALUE)
		at = l->sig;
	return &w->learned[at % BUCKETS];
}

static bool
about_same(const struct proof_line *a, const struct proof_line *b)
{
	if (a->place == PLACE_VALUE || b->place == PLACE_VALUE)
		return a->place == b->place && a->sig == b->sig;
	return memcmp(a->object, b->object, 32) == 0;
}

static struct proven *
find_proven(struct prover *w, const struct proof_line *l)
{
	struct proven *q = *bucket(w, l);

	while (q != NULL && !about_same(&q->line, l))
		q = q->next;
	return q;
}

void
derive_learn(struct prover *w, const struct proof_line *l, long stamp, long via)
{
	struct proven *q = find_proven(w, l);

	if (q != NULL && q->line.time <= l->time)
		return;
	if (q == NULL) {
		struct proven **head = bucket(w, l);

		if ((q = mem_new(1, sizeof(*q))) == NULL) {
			judge_nomem(w->j);
			return;
		}
		q->next = *head;
		*head = q;
	}
	q->line = *l;
	q->stamp = stamp;
	q->via = via;
}

void
derive_forget(struct prover *w)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (w->learned[i] != NULL) {
			struct proven *q = w->learned[i];

			w->learned[i] = q->next;
			free(q);
		}
}

/* The exists line about what l names, and E; NO_LINE and now without one. */
static long
prove_exists(struct prover *w, const struct proof_line *about, int64_t *t)
{
	struct proven *q = find_proven(w, about);
	size_t mark = w->p->n;
	struct rests r = {0};
	long at;

	*t = w->j->now;
	if (q == NULL || q->line.time >= w->j->now)
		return NO_LINE;
	derive_rest(&r, q->stamp);
	if (q->line.place == PLACE_SIGNER || q->via != NO_LINE) {
		const struct jsig *g = &w->j->sigs[q->line.sig];

		derive_rest(&r, derive_signed(w, g));
		derive_rest(&r, derive_signer(w, g, g->cert));
		if (q->via != NO_LINE)
			derive_rest(&r, derive_reference(w, g, (size_t)q->via, PROOF_NO_ENTRY));
	}
	at = derive_line(w, &q->line, &r);
	if (at != NO_LINE)
		*t = q->line.time;
	else
		derive_cut(w, mark); /* what it would have rested on serves nothing */
	return at;
}

long
derive_exists(struct prover *w, const uint8_t sha256[32], int64_t *t)
{
	struct proof_line l = line_new(PROOF_EXISTS);

	memcpy(l.object, sha256, 32);
	return prove_exists(w, &l, t);
}

long
derive_exists_value(struct prover *w, size_t sig, int64_t *t)
{
	struct proof_line l = line_new(PROOF_EXISTS);

	l.place = PLACE_VALUE;
	l.sig = sig;
	return prove_exists(w, &l, t);
}
