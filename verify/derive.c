/* SPDX-License-Identifier: MIT */
/*
 * Derivations (docs/proof.md). The judge has found its way; here it is written down line by line. Each line is shown to a
 * checker at once, so that of several chains, answers and proofs the first that holds is taken. Nothing here is believed:
 * a fresh checker takes the whole once more.
 */
#include "verify/derive.h"
#include "verify/proof/check_int.h"

#include <stdlib.h>
#include <string.h>

enum { NO_LINE = -1, NESTED_MAX = 4 /* who vouches for whom, in a row */ };

/* Since when an object is proven, and by which stamp in which place. */
struct proven {
	struct proof_line line; /* the exists line to come */
	long stamp, via;	/* its premises; via: the index of a reference of line.sig, NO_LINE without */
	struct proven *next;
};
enum { BUCKETS = 1024 };

struct prover {
	struct judge *j;
	struct proof_case c;
	struct proof *p;
	struct proof_checker *k;
	struct proven *learned[BUCKETS];
	unsigned depth;
	char why[240]; /* of the last refusal */
};

static struct proof_line
line_new(enum proof_kind kind)
{
	return (struct proof_line){.kind = kind, .entry = PROOF_NO_ENTRY};
}

static bool
line_same(const struct proof_line *a, const struct proof_line *b)
{
	return a->kind == b->kind && a->place == b->place && a->ctx == b->ctx && a->role == b->role && a->sig == b->sig && a->at == b->at &&
	    a->entry == b->entry && memcmp(a->object, b->object, 32) == 0 && memcmp(a->by, b->by, 32) == 0 && a->time == b->time &&
	    alg_same(&a->alg, &b->alg);
}

/* Premises while a line is put together; only a signature of many references has more than a few, and frees them. */
struct rests {
	size_t v[64], n;
	size_t *more, cap;
	bool lost;
};
enum { FEW = 64 };

static void
rest(struct rests *r, long line)
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

static void
cut(struct prover *w, size_t n)
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

/* The number of a line that holds, as it stands already or new; NO_LINE: refused, why says by which rule. */
static long
propose(struct prover *w, const struct proof_line *l, const struct rests *r)
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
	cut(w, n);
	return NO_LINE;
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

static void
learn(struct prover *w, const struct proof_line *l, long stamp, long via)
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

static void
forget(struct prover *w)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (w->learned[i] != NULL) {
			struct proven *q = w->learned[i];

			w->learned[i] = q->next;
			free(q);
		}
}

static long prove_reference(struct prover *w, const struct jsig *g, size_t ref, size_t entry);
static long prove_signer(struct prover *w, const struct jsig *g, const struct cert *c);

/* The exists line about what l names, and E; NO_LINE and now without one. */
static long
prove_exists(struct prover *w, const struct proof_line *about, int64_t *t)
{
	struct proven *q = find_proven(w, about);
	struct rests r = {0};
	long at;

	*t = w->j->now;
	if (q == NULL || q->line.time >= w->j->now)
		return NO_LINE;
	rest(&r, q->stamp);
	if (q->line.place == PLACE_SIGNER)
		rest(&r, prove_signer(w, &w->j->sigs[q->line.sig], w->j->sigs[q->line.sig].cert));
	else if (q->via != NO_LINE)
		rest(&r, prove_reference(w, &w->j->sigs[q->line.sig], (size_t)q->via, PROOF_NO_ENTRY));
	at = propose(w, &q->line, &r);
	if (at != NO_LINE)
		*t = q->line.time;
	return at;
}

static long
exists_octets_line(struct prover *w, const uint8_t sha256[32], int64_t *t)
{
	struct proof_line l = line_new(PROOF_EXISTS);

	memcpy(l.object, sha256, 32);
	return prove_exists(w, &l, t);
}

static long
exists_value_line(struct prover *w, size_t sig, int64_t *t)
{
	struct proof_line l = line_new(PROOF_EXISTS);

	l.place = PLACE_VALUE;
	l.sig = sig;
	return prove_exists(w, &l, t);
}

/* ---- certificates ---- */

/* From the anchor down; lines[i] is that of v[i]. */
static bool
prove_chain(struct prover *w, const struct chain *ch, long lines[CHAIN_MAX])
{
	struct proof_line l = line_new(PROOF_ANCHOR);
	struct rests r = {0};

	memcpy(l.object, ch->v[ch->n - 1]->sha256, 32);
	lines[ch->n - 1] = propose(w, &l, &r);
	for (size_t i = ch->n - 1; i-- > 0 && lines[i + 1] != NO_LINE;) {
		l = line_new(PROOF_ISSUED);
		r.n = 0;
		memcpy(l.object, ch->v[i]->sha256, 32);
		l.alg = cert_alg(ch->v[i], ch->v[i + 1]);
		rest(&r, lines[i + 1]);
		rest(&r, exists_octets_line(w, l.object, &l.time));
		lines[i] = propose(w, &l, &r);
		if (i == 0)
			break;
		if (lines[i] == NO_LINE)
			return false;
	}
	return lines[ch->n - 1] != NO_LINE && lines[0] != NO_LINE;
}

static long prove_good(struct prover *w, const struct chain *ch, int64_t t, enum check_context ctx, enum line side);

/* Whoever signed revocation data and is not the issuer itself: good when it is proven. */
static long
prove_responder(struct prover *w, const struct cert *c, int64_t t, enum line side)
{
	struct chain *chains = NULL;
	size_t n = 0;
	struct err e = {0};
	long at = NO_LINE;

	if (w->depth >= NESTED_MAX)
		return NO_LINE;
	w->depth++;
	if (pool_chains(&w->j->pool, c, w->j->in->anchors, line_roles(side, true), &chains, &n, NULL, &e) != ERR_OK)
		judge_broke(w->j, &e);
	for (size_t i = 0; i < n && at == NO_LINE; i++)
		at = prove_good(w, &chains[i], t, CTX_REVOCATION, side);
	free(chains);
	w->depth--;
	return at;
}

static long
prove_answer(struct prover *w, const struct rev_answer *a, const struct cert *c, const struct cert *issuer, long issued, enum line side)
{
	struct proof_line l = line_new(PROOF_ANSWERS);
	struct rests r = {0};
	size_t mark = w->p->n;
	long exists, by = NO_LINE, at;

	memcpy(l.object, a->object->sha256, 32);
	memcpy(l.by, c->sha256, 32);
	l.role = side == LINE_TSA ? ROLE_TSA : ROLE_SIGNER;
	l.alg = answer_alg(a);
	exists = exists_octets_line(w, l.object, &l.time);
	rest(&r, issued);
	if (a->signer != issuer && !a->signer_is_issuer) {
		by = prove_responder(w, a->signer, l.time, side);
		if (by == NO_LINE) {
			cut(w, mark);
			return NO_LINE;
		}
	}
	rest(&r, by);
	rest(&r, exists);
	at = propose(w, &l, &r);
	if (at == NO_LINE)
		cut(w, mark);
	return at;
}

static bool
is_fresh(const struct rev_answer *a, int64_t t)
{
	return a->this_update >= t || (a->next_update != TIME_NONE && a->next_update > t);
}

/* Of the answers about v[i] one that is proven by the control time; those fresh for t first. */
static long
choose_answer(struct prover *w, const struct chain *ch, size_t i, long issued, int64_t t, int64_t control, enum line side)
{
	struct answers *all = judge_answers(w->j, ch->v[i], ch->v[i + 1]);

	for (int pass = 0; all != NULL && pass < 2; pass++)
		for (size_t m = 0; m < all->n; m++) {
			const struct rev_answer *a = &all->v[m];
			size_t mark = w->p->n;
			long at;

			if (a->signer == NULL || a->status < REV_GOOD || is_fresh(a, t) != (pass == 0))
				continue;
			at = prove_answer(w, a, ch->v[i], ch->v[i + 1], issued, side);
			if (at == NO_LINE || w->p->v[at].time <= control)
				if (at != NO_LINE)
					return at;
			cut(w, mark);
		}
	return NO_LINE;
}

static long
prove_good(struct prover *w, const struct chain *ch, int64_t t, enum check_context ctx, enum line side)
{
	struct proof_line l = line_new(PROOF_GOOD);
	int64_t control = w->j->now;
	long lines[CHAIN_MAX], at;
	size_t mark = w->p->n;
	struct rests r = {0};
	char missed[sizeof(w->why)] = "";

	if (ch->anchor == NULL || !prove_chain(w, ch, lines)) {
		cut(w, mark);
		return NO_LINE;
	}
	memcpy(l.object, ch->v[0]->sha256, 32);
	l.ctx = ctx;
	l.role = side == LINE_TSA ? ROLE_TSA : ROLE_SIGNER;
	l.time = t;
	if (ch->anchor->sunset_utc < control)
		control = ch->anchor->sunset_utc;
	rest(&r, lines[0]);
	for (size_t i = ch->n - 1; i-- > 0;) {
		struct gravest g;

		if (needs_revocation(ch->v[i], i == 0 && ctx == CTX_REVOCATION)) {
			w->why[0] = '\0';
			long answer = choose_answer(w, ch, i, lines[i], t, control, side);

			if (answer == NO_LINE)
				snprintf(missed, sizeof(missed), "%s", w->why);
			rest(&r, answer);
		}
		gravest_of(w->k, ch->v, ch->n, i, TIME_NONE, &g);
		if (!w->j->peer && i > 0 && g.stolen_at < control)
			control = g.stolen_at;
	}
	at = propose(w, &l, &r);
	if (at == NO_LINE) {
		size_t n = strlen(w->why);

		snprintf(w->why + n, sizeof(w->why) - n, "%s%s", *missed != '\0' ? "; last answer tried: " : "", missed);
		cut(w, mark);
	}
	return at;
}

/* The judge's own chain first, then the others that reach an anchor. */
static long
prove_cert(struct prover *w, const struct xcv *x, int64_t t)
{
	long at = NO_LINE;

	if (x->n_chains == 0)
		snprintf(w->why, sizeof(w->why), "%s: no chain to an anchor", x->cert->subject_text);
	if (x->chain != NULL)
		at = prove_good(w, x->chain, t, x->ctx, x->line);
	for (size_t i = 0; i < x->n_chains && at == NO_LINE; i++)
		if (&x->chains[i] != x->chain)
			at = prove_good(w, &x->chains[i], t, x->ctx, x->line);
	return at;
}

/* ---- signatures ---- */

static long
prove_reference(struct prover *w, const struct jsig *g, size_t ref, size_t entry)
{
	struct proof_line l = line_new(PROOF_REFERENCE);
	const struct xref *x = entry == PROOF_NO_ENTRY ? &g->s->refs[ref] : &g->s->refs[ref].entries[entry];
	struct rests r = {0};

	l.sig = g->s->index;
	l.at = ref;
	l.entry = entry;
	l.alg = (struct alg_use){.digest = x->digest.alg, .usage = USE_DATA};
	if (entry != PROOF_NO_ENTRY)
		rest(&r, prove_reference(w, g, ref, PROOF_NO_ENTRY));
	return propose(w, &l, &r);
}

static long
prove_holds(struct prover *w, const struct jsig *g)
{
	struct proof_line l = line_new(PROOF_HOLDS);
	long at = NO_LINE;

	l.sig = g->s->index;
	for (size_t i = 0; i < g->s->n_refs && at == NO_LINE; i++) {
		struct covered got = {0};
		struct rests r = {0};
		struct err e = {0};

		if (g->s->signed_props == NULL || cover_reference(w->j->doc, g->s, &g->s->refs[i], &got, &e) != ERR_OK ||
		    !cover_holds(&got.cover, g->s->signed_props))
			continue;
		rest(&r, prove_reference(w, g, i, PROOF_NO_ENTRY));
		at = propose(w, &l, &r);
	}
	return at;
}

static long
prove_signer(struct prover *w, const struct jsig *g, const struct cert *c)
{
	struct proof_line l = line_new(PROOF_SIGNER);
	struct rests r = {0};
	long at = NO_LINE;
	size_t mark = w->p->n;

	if (c == NULL)
		return NO_LINE;
	l.sig = g->s->index;
	memcpy(l.object, c->sha256, 32);
	rest(&r, prove_holds(w, g));
	/* of several entries first one whose digest is good now */
	for (size_t i = 0; r.n > 0 && i < 2 * g->s->n_cert_ids && at == NO_LINE; i++) {
		const struct digest *named = &g->s->cert_ids[i % g->s->n_cert_ids].digest;
		struct digest d;

		l.alg = (struct alg_use){.digest = named->alg, .usage = USE_DATA};
		if (alg_good(w->j, &l.alg, w->j->now) == (i < g->s->n_cert_ids) && digest_once(named->alg, c->der, &d, NULL) == ERR_OK &&
		    digest_eq(&d, named))
			at = propose(w, &l, &r);
	}
	if (at != NO_LINE)
		return at;
	cut(w, mark); /* no property names it; the policy may let that be */
	l.alg = (struct alg_use){0};
	r.n = 0;
	return propose(w, &l, &r);
}

/* A premise that must be there; without it why says what is missing. */
static bool
need(struct rests *r, long line)
{
	rest(r, line);
	return line != NO_LINE;
}

/* All references, and of each Manifest the entries whose data is at hand; the checker knows which may be missing. */
static bool
prove_references(struct prover *w, const struct jsig *g, struct rests *r)
{
	for (size_t i = 0; i < g->s->n_refs; i++) {
		if (!need(r, prove_reference(w, g, i, PROOF_NO_ENTRY)))
			return false;
		for (size_t e = 0; e < g->s->refs[i].n_entries; e++)
			if (!need(r, prove_reference(w, g, i, e)) && g->s->refs[i].entries[e].found == TRI_TRUE)
				return false;
	}
	return true;
}

static bool
prove_premises(struct prover *w, const struct jsig *g, const struct proof_line *signed_line, int64_t t, struct rests *r)
{
	struct rests none = {0};
	int64_t existed;

	if (!need(r, propose(w, signed_line, &none)) || !prove_references(w, g, r))
		return false;
	long signer = prove_signer(w, g, g->cert);
	if (signer == NO_LINE)
		return false;
	if (w->p->v[signer].n > 0)
		rest(r, (long)w->p->rests[w->p->v[signer].first]);
	rest(r, signer);
	rest(r, exists_value_line(w, g->s->index, &existed));
	return need(r, prove_cert(w, g->sub.x, t));
}

static bool
prove_signature(struct prover *w, const struct jsig *g)
{
	struct proof_line l = line_new(PROOF_PASSED), sl = line_new(PROOF_SIGNED);
	struct rests r = {0};
	size_t mark = w->p->n;

	snprintf(w->why, sizeof(w->why), "%s", "no signing certificate");
	if (g->cert == NULL || g->sub.x == NULL)
		return false;
	l.sig = sl.sig = g->s->index;
	l.time = g->r->best_signature_time;
	memcpy(sl.object, g->cert->sha256, 32);
	sl.alg = g->s->method;
	if (sl.alg.key_bits == 0) {
		sl.alg.key_bits = g->cert->own_key.key_bits;
		sl.alg.q_bits = g->cert->own_key.q_bits;
	}
	bool ok = prove_premises(w, g, &sl, l.time, &r) && propose(w, &l, &r) != NO_LINE;
	if (!ok)
		cut(w, mark);
	free(r.more);
	return ok;
}

/* ---- time-stamps ---- */

/* c NULL: the whole file is known, and with it all that stands in it. */
static bool
lies_in(const struct cover *c, const xmlNode *node)
{
	return node != NULL && (c == NULL || cover_holds(c, node));
}

static void
learn_octets(struct prover *w, struct proof_line *l, enum proof_place place, size_t at, const uint8_t sha256[32], long stamp, long via)
{
	l->place = place;
	l->at = at;
	memcpy(l->object, sha256, 32);
	learn(w, l, stamp, via);
}

static void
learn_embedded(struct prover *w, struct proof_line *l, const struct jsig *g, const struct cover *c, long stamp, long via)
{
	for (size_t i = 0; i < g->s->n_embedded; i++) {
		const struct known *k = &g->embedded[i];

		if (!k->found || !lies_in(c, g->s->embedded[i].node))
			continue;
		learn_octets(w, l, PLACE_EMBEDDED, i, k->key, stamp, via);
		for (size_t m = 0; k->rev != NULL && m < k->rev->n_certs; m++)
			learn_octets(w, l, PLACE_IN_RESPONSE, i, k->rev->certs[m]->sha256, stamp, via);
	}
}

static void
learn_tokens(struct prover *w, struct proof_line *l, const struct jsig *g, const struct cover *c, long stamp)
{
	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct token *t = g->stamps[i].tok;

		if (t == NULL || !lies_in(c, g->s->stamps[i].token_node))
			continue;
		learn_octets(w, l, PLACE_TOKEN, i, t->sha256, stamp, NO_LINE);
		for (size_t m = 0; m < t->n_certs; m++)
			learn_octets(w, l, PLACE_IN_TOKEN, i, t->certs[m]->sha256, stamp, NO_LINE);
		for (size_t m = 0; m < t->n_revs; m++) {
			learn_octets(w, l, PLACE_IN_TOKEN, i, t->revs[m]->sha256, stamp, NO_LINE);
			for (size_t q = 0; q < t->revs[m]->n_certs; q++)
				learn_octets(w, l, PLACE_IN_TOKEN, i, t->revs[m]->certs[q]->sha256, stamp, NO_LINE);
		}
	}
}

static void
learn_refs(struct prover *w, struct proof_line *l, const struct jsig *g, const struct cover *c, long stamp)
{
	for (size_t i = 0; i < g->s->n_ref_objects; i++) {
		struct alg_use use = {.digest = g->s->ref_objects[i].digest.alg, .usage = USE_DATA};

		if (g->refs[i].found && alg_good(w->j, &use, l->time) && lies_in(c, g->s->ref_objects[i].node))
			learn_octets(w, l, PLACE_REF, i, g->refs[i].key, stamp, NO_LINE);
	}
}

/* What stands under a signature whose value is proven: its certificate, and what its references cover. */
static void
learn_signed(struct prover *w, struct proof_line *l, const struct jsig *g, long stamp)
{
	l->place = PLACE_VALUE;
	l->at = 0;
	memset(l->object, 0, 32);
	learn(w, l, stamp, NO_LINE);
	if (g->cert != NULL && g->s->n_cert_ids > 0)
		learn_octets(w, l, PLACE_SIGNER, 0, g->cert->sha256, stamp, NO_LINE);
	for (size_t i = 0; i < g->s->n_refs; i++) {
		struct covered got = {0};
		struct err e = {0};

		if (cover_reference(w->j->doc, g->s, &g->s->refs[i], &got, &e) == ERR_OK && got.intact == TRI_TRUE)
			learn_embedded(w, l, g, &got.cover, stamp, (long)i);
	}
}

/* A stamp holds, or the whole file is known: all that its cover proves, where nothing before it proved it earlier. */
static void
learn_cover(struct prover *w, const struct cover *c, int64_t t, long stamp)
{
	struct proof_line l = line_new(PROOF_EXISTS);

	l.time = t;
	for (size_t i = 0; i < w->j->n_sigs; i++) {
		const struct jsig *g = &w->j->sigs[i];

		l.sig = i;
		if (lies_in(c, g->s->signature_value))
			learn_signed(w, &l, g, stamp);
		learn_embedded(w, &l, g, c, stamp, NO_LINE);
		learn_tokens(w, &l, g, c, stamp);
		learn_refs(w, &l, g, c, stamp);
	}
}

/* Known proofs from outside: an object, or the whole file. */
static void
learn_outside(struct prover *w)
{
	uint8_t whole[32];
	struct err e = {0};

	if (w->c.n_poes > 0 && digest_sha256(w->c.octets, whole, &e) != ERR_OK) {
		judge_broke(w->j, &e);
		return;
	}
	for (size_t i = 0; i < w->c.n_poes; i++) {
		const struct known_poe *k = &w->c.poes[i];
		struct proof_line l = line_new(PROOF_EXISTS);

		l.time = k->time_utc;
		learn_octets(w, &l, PLACE_OUTSIDE, 0, k->sha256, NO_LINE, NO_LINE);
		if (w->c.doc != NULL && memcmp(k->sha256, whole, 32) == 0)
			learn_cover(w, NULL, k->time_utc, NO_LINE);
	}
}

static bool
prove_stamp(struct prover *w, const struct jsig *g, const struct jstamp *t)
{
	struct proof_line l = line_new(PROOF_IMPRINT);
	struct rests r = {0}, none = {0};
	size_t mark = w->p->n;
	int64_t existed;
	long at;

	snprintf(w->why, sizeof(w->why), "%s", "no certificate of the TSA");
	if (t->tok == NULL || t->sub.x == NULL)
		return false;
	memcpy(l.object, t->tok->sha256, 32);
	if (g != NULL) {
		l.sig = g->s->index;
		l.at = t->r->index;
		l.alg = (struct alg_use){.digest = t->tok->imprint.alg, .usage = USE_TIMESTAMPS};
		if (!need(&r, propose(w, &l, &none)))
			return false;
	}
	l.kind = PROOF_STAMP;
	l.alg = t->r->signed_with;
	l.time = t->tok->gen_time;
	size_t before = w->p->n;
	long exists = exists_octets_line(w, t->tok->sha256, &existed);
	if (existed < t->tok->gen_time) { /* an older stamp over it tells nothing of its time */
		exists = NO_LINE;
		existed = w->j->now;
		cut(w, before);
	}
	rest(&r, exists);
	long good = prove_cert(w, t->sub.x, existed);
	rest(&r, good);
	at = good == NO_LINE ? NO_LINE : propose(w, &l, &r);
	if (at == NO_LINE)
		cut(w, mark);
	else if (g != NULL)
		learn_cover(w, &w->k->facts[at].cover, l.time, at);
	return at != NO_LINE;
}

/* ---- the whole ---- */

static bool
asked(const struct prover *w, struct verdict v)
{
	return v.ind == IND_PASSED || w->j->in->prove_all;
}

static void
not_proven(struct prover *w, struct report_signature *r, struct verdict *v, const char *object, char **gap)
{
	struct findings f = {r->findings, r->n_findings, r->cap_findings};

	free(*gap);
	if ((*gap = mem_dupstr(w->why)) == NULL)
		judge_nomem(w->j);
	if (v->ind != IND_PASSED)
		return;
	w->j->f = &f;
	*v = open_verdict(SUB_NONE);
	w->j->report->unproven++;
	find_add(w->j, 0, FIND_FAIL, "ProofChecked", "docs/proof.md", object, "report it: Everseal has a defect",
	    "the checker does not accept the derivation of a PASSED: %s", w->why);
	w->j->f = NULL;
	r->findings = f.v;
	r->n_findings = f.n;
	r->cap_findings = f.cap;
}

/* Newest first, as the judge takes them, so that what proves a stamp is there before it. */
static void
prove_one(struct prover *w, struct jsig *g)
{
	const struct jstamp **order = mem_new(g->n_stamps + 1, sizeof(struct jstamp *));
	size_t n = order == NULL ? 0 : stamps_in_order(g, order);

	if (order == NULL)
		judge_nomem(w->j);
	for (size_t i = 0; i < n; i++)
		if (asked(w, order[i]->r->verdict) && !prove_stamp(w, g, order[i]))
			not_proven(w, g->r, &order[i]->r->verdict, order[i]->r->id, &order[i]->r->proof_gap);
	free(order);
	if (asked(w, g->r->verdict) && !prove_signature(w, g))
		not_proven(w, g->r, &g->r->verdict, g->r->id, &g->r->proof_gap);
}

/* What was made line by line must hold as a whole for a checker that saw nothing of its making. */
static void
check_whole(struct prover *w)
{
	struct report *r = w->j->report;
	size_t bad;

	if (w->p->n == 0 || proof_check(&w->c, w->p, &bad, w->why, sizeof(w->why)))
		return;
	for (size_t i = 0; i < r->n_sigs; i++) {
		for (size_t m = 0; m < r->sigs[i].n_stamps; m++)
			if (r->sigs[i].stamps[m].verdict.ind == IND_PASSED)
				not_proven(w, &r->sigs[i], &r->sigs[i].stamps[m].verdict, r->sigs[i].stamps[m].id, &r->sigs[i].stamps[m].proof_gap);
		if (r->sigs[i].verdict.ind == IND_PASSED)
			not_proven(w, &r->sigs[i], &r->sigs[i].verdict, r->sigs[i].id, &r->sigs[i].proof_gap);
	}
}

static bool
prover_begin(struct prover *w, struct judge *j, struct slice octets)
{
	struct proof_line l;
	struct rests none = {0};
	struct err e = {0};

	w->j = j;
	w->p = &j->report->proof;
	w->c = (struct proof_case){.doc = j->doc, .octets = octets, .pki = j->pki, .material = j->in->material, .anchors = j->in->anchors,
	    .policy = j->pol, .now_utc = j->now, .poes = j->in->poes, .n_poes = j->in->n_poes};
	if (proof_checker_new(&w->c, &w->k, &e) != ERR_OK)
		judge_broke(j, &e);
	else if (!proof_input(&w->c, &l) || propose(w, &l, &none) != 0)
		judge_nomem(j);
	return j->broke == ERR_OK;
}

static void
prover_end(struct prover *w)
{
	forget(w);
	proof_checker_free(w->k);
}

void
judge_prove(struct judge *j)
{
	struct prover w = {0};

	if (prover_begin(&w, j, j->in->doc)) {
		learn_outside(&w);
		for (size_t i = 0; i < j->n_sigs; i++)
			prove_one(&w, &j->sigs[i]);
		check_whole(&w);
	}
	prover_end(&w);
}

void
judge_prove_token(struct judge *j, struct jstamp *t, struct slice token)
{
	struct prover w = {0};

	w.j = j;
	if (asked(&w, t->r->verdict) && prover_begin(&w, j, token)) {
		learn_outside(&w);
		if (!prove_stamp(&w, NULL, t))
			not_proven(&w, &j->report->sigs[0], &t->r->verdict, t->r->id, &t->r->proof_gap);
		check_whole(&w);
	}
	prover_end(&w);
}
