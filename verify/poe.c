/* SPDX-License-Identifier: MIT */
/*
 * Proofs of existence (EN 319 102-1 5.6.2.3): when did which object exist at
 * the latest. Objects are named by the SHA-256 of their octets; a signature by
 * that of its Signature value. What is not in the table exists at the validation time.
 * A time-stamp proves what was hashed for its imprint (cover.h), whatever its kind or its lists say.
 */
#include "verify/cover.h"
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

/* Keys are digests: their first octets spread well enough. */
static size_t
slot_of(const struct poe *p, const uint8_t key[32])
{
	size_t at;

	memcpy(&at, key, sizeof(at));
	for (at &= p->n_slots - 1; p->slots[at] != 0; at = (at + 1) & (p->n_slots - 1))
		if (memcmp(p->v[p->slots[at] - 1].key, key, 32) == 0)
			break;
	return at;
}

static bool
grow_slots(struct poe *p)
{
	struct poe wider = *p;

	if (2 * (p->n + 1) <= p->n_slots)
		return true;
	wider.n_slots = p->n_slots == 0 ? 64 : 2 * p->n_slots;
	wider.slots = mem_new(wider.n_slots, sizeof(*wider.slots));
	if (wider.slots == NULL)
		return false;
	for (size_t i = 0; i < p->n; i++)
		wider.slots[slot_of(&wider, p->v[i].key)] = i + 1;
	free(p->slots);
	*p = wider;
	return true;
}

/* A counter-signature rests on its master's proofs too: what a time-stamp proves is so for everybody (xades.md 4.4). */
int64_t
poe_lowest(const struct judge *j, const struct poe *p, const uint8_t key[32])
{
	int64_t lowest = j->now;

	for (; p != NULL; p = p->outer) {
		size_t row = p->n_slots == 0 ? 0 : p->slots[slot_of(p, key)];

		if (row != 0 && p->v[row - 1].time_utc < lowest)
			lowest = p->v[row - 1].time_utc;
	}
	return lowest;
}

void
poe_add(struct judge *j, struct poe *p, const uint8_t key[32], int64_t t)
{
	if (!grow_slots(p) || !mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v))) {
		judge_nomem(j);
		return;
	}
	size_t at = slot_of(p, key);
	if (p->slots[at] == 0) {
		memcpy(p->v[p->n].key, key, 32);
		p->v[p->n].time_utc = t;
		p->slots[at] = ++p->n;
	} else if (t < p->v[p->slots[at] - 1].time_utc) {
		p->v[p->slots[at] - 1].time_utc = t;
	}
}

void
poe_release(struct poe *p)
{
	free(p->v);
	free(p->slots);
	memset(p, 0, sizeof(*p));
}

/* Everything inside the file exists when the file does. */
static void
add_all(struct judge *j, struct jsig *g, int64_t t)
{
	for (size_t i = 0; i < j->n_doc_certs; i++)
		poe_add(j, &g->poe, j->pool.certs[i]->sha256, t);
	for (size_t i = 0; i < j->n_doc_revs; i++)
		poe_add(j, &g->poe, j->pool.revs[i]->sha256, t);
	for (size_t i = 0; i < j->n_sigs; i++)
		poe_add(j, &g->poe, j->sigs[i].sub.key, t);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (g->stamps[i].tok != NULL)
			poe_add(j, &g->poe, g->stamps[i].sub.key, t);
}

void
poe_known(struct judge *j, struct jsig *g)
{
	uint8_t whole[32];
	struct err e = {0};

	if (j->in->n_poes == 0)
		return;
	if (digest_sha256(j->in->doc, whole, &e) != ERR_OK) {
		judge_broke(j, &e);
		return;
	}
	for (size_t i = 0; i < j->in->n_poes; i++) {
		const struct known_poe *k = &j->in->poes[i];

		if (memcmp(k->sha256, whole, 32) == 0)
			add_all(j, g, k->time_utc);
		else
			poe_add(j, &g->poe, k->sha256, k->time_utc);
	}
}

/* ---- what a time-stamp proves: what was hashed for its imprint, and what a signature under it commits to ---- */

void
poe_end(struct judge *j)
{
	free(j->things);
	j->things = NULL;
}

enum thing_kind { THING_SIGNATURE, THING_TOKEN, THING_EMBEDDED, THING_REF };
/* Something in the file that may be proven, with the numbers of its nodes. */
struct thing {
	struct cover_range span;
	enum thing_kind kind;
	struct jsig *g;
	size_t i; /* stamp, embedded object or reference of g */
};

static int
thing_cmp(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;

	if (x->span.first != y->span.first)
		return x->span.first < y->span.first ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

static void
thing_add(struct judge *j, const xmlNode *node, enum thing_kind kind, struct jsig *g, size_t i)
{
	if (node != NULL)
		j->things[j->n_things++] = (struct thing){cover_span(j->doc, node), kind, g, i};
}

static void
things_of(struct judge *j, struct jsig *g)
{
	thing_add(j, g->s->signature_value, THING_SIGNATURE, g, 0);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (g->stamps[i].tok != NULL)
			thing_add(j, g->stamps[i].xs->token_node, THING_TOKEN, g, i);
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->embedded[i].found)
			thing_add(j, g->s->embedded[i].node, THING_EMBEDDED, g, i);
	for (size_t i = 0; i < g->s->n_ref_objects; i++)
		if (g->refs[i].found)
			thing_add(j, g->s->ref_objects[i].node, THING_REF, g, i);
}

/* All of the file in document order, once. False: no memory. */
static bool
things_make(struct judge *j)
{
	size_t room = 1;

	if (j->things != NULL)
		return true;
	for (size_t i = 0; i < j->n_sigs; i++)
		room += 1 + j->sigs[i].n_stamps + j->sigs[i].s->n_embedded + j->sigs[i].s->n_ref_objects;
	j->things = mem_new(room, sizeof(*j->things));
	if (j->things == NULL) {
		judge_nomem(j);
		return false;
	}
	for (size_t i = 0; i < j->n_sigs; i++)
		things_of(j, &j->sigs[i]);
	qsort(j->things, j->n_things, sizeof(*j->things), thing_cmp);
	return true;
}

static void
add_certs(struct judge *j, struct poe *to, const struct cert *const *v, size_t n, int64_t time)
{
	for (size_t i = 0; i < n; i++)
		poe_add(j, to, v[i]->sha256, time);
}

static void
add_revocation(struct judge *j, struct poe *to, const struct revocation *r, int64_t time)
{
	poe_add(j, to, r->sha256, time);
	add_certs(j, to, r->certs, r->n_certs, time);
}

static void
add_token(struct judge *j, struct poe *to, const struct jstamp *t, int64_t time)
{
	poe_add(j, to, t->tok->sha256, time);
	add_certs(j, to, t->tok->certs, t->tok->n_certs, time);
	for (size_t i = 0; i < t->tok->n_revs; i++)
		add_revocation(j, to, t->tok->revs[i], time);
}

/* A reference proves what it names, as long as its digest is one that can be relied on (5.6.2.3). */
static void
add_ref(struct judge *j, struct poe *to, const struct jsig *g, size_t i, int64_t time)
{
	struct alg_use use = {.digest = g->s->ref_objects[i].digest.alg};

	if (alg_good(j, &use, time))
		poe_add(j, to, g->refs[i].key, time);
}

static void
add_thing(struct judge *j, struct poe *to, const struct thing *t, int64_t time)
{
	switch (t->kind) {
	case THING_SIGNATURE:
		poe_add(j, to, t->g->sub.key, time);
		break;
	case THING_TOKEN:
		add_token(j, to, &t->g->stamps[t->i], time);
		break;
	case THING_EMBEDDED:
		poe_add(j, to, t->g->embedded[t->i].key, time);
		if (t->g->embedded[t->i].rev != NULL)
			add_revocation(j, to, t->g->embedded[t->i].rev, time);
		break;
	case THING_REF:
		add_ref(j, to, t->g, t->i, time);
		break;
	}
}

/* The first thing that begins at number or behind it. */
static size_t
thing_at(const struct judge *j, size_t number)
{
	size_t low = 0, high = j->n_things;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (j->things[mid].span.first < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Everything that lies whole in c existed at time. */
static void
add_held(struct judge *j, struct poe *to, const struct cover *c, int64_t time)
{
	for (size_t r = 0; r < c->n; r++)
		for (size_t i = thing_at(j, c->v[r].first); i < j->n_things && j->things[i].span.first <= c->v[r].last; i++)
			if (j->things[i].span.last <= c->v[r].last)
				add_thing(j, to, &j->things[i], time);
}

/* The certificate that the signed properties name by a digest that was good at time. */
static bool
names_signer(struct judge *j, const struct jsig *g, int64_t time)
{
	for (size_t i = 0; g->cert != NULL && i < g->s->n_cert_ids; i++) {
		struct alg_use use = {.digest = g->s->cert_ids[i].digest.alg};

		if (alg_good(j, &use, time) && cert_by_digest(j, &g->s->cert_ids[i].digest) == g->cert)
			return true;
	}
	return false;
}

static bool
digests_good(const struct judge *j, const struct xref *v, size_t n, int64_t time)
{
	for (size_t i = 0; i < n; i++) {
		struct alg_use use = {.digest = v[i].digest.alg, .usage = USE_DATA};

		if (v[i].intact != TRI_TRUE || !alg_good(j, &use, time) ||
		    (v[i].entries_signed && !digests_good(j, v[i].entries, v[i].n_entries, time)))
			return false;
	}
	return true;
}

/*
 * A signature value that is right over digests that were good commits to what they are digests of: its signed properties with
 * the certificate that they name, and all that its references cover. Without that name it commits to nothing: for another text
 * a key can be made under which an old value is right, but not one whose certificate the text itself names.
 */
static void
add_signed(struct judge *j, struct jsig *g, int64_t time)
{
	struct cover all;
	struct err e = {0};
	enum err_code rc;

	if (g->r->value_intact != TRI_TRUE || subject_weak(j, &g->sub, time) != NULL || !names_signer(j, g, time) ||
	    !digests_good(j, g->s->refs, g->s->n_refs, time))
		return;
	rc = cover_signature(j->doc, g->s, &all, &e);
	if (rc == ERR_LIMIT)
		return; /* not known: nothing is proven by it */
	if (rc != ERR_OK) {
		judge_broke(j, &e);
		return;
	}
	if (g->s->props_ref == NULL || !cover_holds(&all, g->s->signed_props))
		return;
	poe_add(j, &g->poe, g->cert->sha256, time);
	add_held(j, &g->poe, &all, time);
}

void
poe_extract(struct judge *j, struct jsig *g, struct jstamp *t, int64_t time)
{
	struct covered c;
	struct err e = {0};

	if (!things_make(j))
		return;
	if (cover_imprint(j->doc, g->s, t->xs, &t->tok->imprint, &c, &e) != ERR_OK) {
		judge_broke(j, &e);
		return;
	}
	if (c.intact != TRI_TRUE)
		return;
	add_held(j, &g->poe, &c.cover, time);
	if (cover_holds(&c.cover, g->s->signature_value))
		add_signed(j, g, time);
	t->r->gives_poe = true;
}
