/* SPDX-License-Identifier: MIT */
/*
 * Proofs of existence (EN 319 102-1 5.6.2.3): when did which object exist at
 * the latest. Objects are named by the SHA-256 of their octets; a signature by
 * that of its Signature value. What is not in the table exists at the validation time.
 */
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

int64_t
poe_lowest(const struct judge *j, const struct poe *p, const uint8_t key[32])
{
	size_t row = p->n_slots == 0 ? 0 : p->slots[slot_of(p, key)];

	return row != 0 && p->v[row - 1].time_utc < j->now ? p->v[row - 1].time_utc : j->now;
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

static void
add_token(struct judge *j, struct jsig *g, const struct jstamp *t, int64_t time)
{
	if (t->tok == NULL)
		return;
	poe_add(j, &g->poe, t->sub.key, time);
	for (size_t i = 0; i < t->tok->n_certs; i++)
		poe_add(j, &g->poe, t->tok->certs[i]->sha256, time);
	for (size_t i = 0; i < t->tok->n_revs; i++) {
		const struct revocation *r = t->tok->revs[i];

		poe_add(j, &g->poe, r->sha256, time);
		for (size_t k = 0; k < r->n_certs; k++)
			poe_add(j, &g->poe, r->certs[k]->sha256, time);
	}
}

/* An embedded object, and the certificates inside an OCSP response. */
static void
add_embedded(struct judge *j, struct jsig *to, const struct jsig *of, size_t i, int64_t time)
{
	const struct known *k = &of->embedded[i];

	if (!k->found)
		return;
	poe_add(j, &to->poe, k->key, time);
	for (size_t c = 0; k->rev != NULL && c < k->rev->n_certs; c++)
		poe_add(j, &to->poe, k->rev->certs[c]->sha256, time);
}

/* A reference proves what it names, as long as its digest is one that can be relied on (5.6.2.3). */
static void
add_refs(struct judge *j, struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < g->s->n_ref_objects; i++) {
		const struct xref_object *o = &g->s->ref_objects[i];
		struct alg_use use = {.digest = o->digest.alg};

		if (g->refs[i].found && o->position < before && alg_good(j, &use, time))
			poe_add(j, &g->poe, g->refs[i].key, time);
	}
}

/* The signature, its certificate and those in KeyInfo: under SignedInfo or the stamp's own octets. */
static void
add_signature(struct judge *j, struct jsig *g, int64_t time)
{
	poe_add(j, &g->poe, g->sub.key, time);
	if (g->cert != NULL)
		poe_add(j, &g->poe, g->cert->sha256, time);
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->s->embedded[i].place == IN_KEY_INFO)
			add_embedded(j, g, g, i, time);
}

/* What stands in g before a place, entered into a table: g's own, or that of a counter-signature under the same stamp. */
static void
add_covered(struct judge *j, struct jsig *into, const struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->s->embedded[i].place == IN_KEY_INFO || g->s->embedded[i].position < before)
			add_embedded(j, into, g, i, time);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (is_content_stamp(&g->stamps[i]) || g->stamps[i].xs->position < before)
			add_token(j, into, &g->stamps[i], time);
}

/* Of the signatures around c, itself included, the one whose master is g: NULL when c does not stand in g. */
static const struct jsig *
counter_of(const struct judge *j, const struct jsig *c, const struct jsig *g)
{
	while (c->s->parent >= 0 && c->s->parent != (long)g->s->index)
		c = &j->sigs[c->s->parent];
	return c->s->parent >= 0 ? c : NULL;
}

/*
 * A counter-signature stands under its master's archive stamps with all that it holds, counter-signatures of its own
 * included, and so does the material among the master's properties that its own proof may rest on (xades.md 4.4): one may
 * hold the other's.
 */
static void
add_counter_signatures(struct judge *j, struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < j->n_sigs; i++) {
		struct jsig *c = &j->sigs[i];
		const struct jsig *outer = counter_of(j, c, g);

		if (outer == NULL || outer->position >= before)
			continue;
		poe_add(j, &g->poe, c->sub.key, time);
		add_covered(j, g, c, SIZE_MAX, time);
		add_signature(j, c, time);
		for (const struct jsig *around = c; around != g; around = &j->sigs[around->s->parent])
			add_covered(j, c, around, SIZE_MAX, time);
		add_covered(j, c, g, before, time);
	}
}

static void
extract_archive(struct judge *j, struct jsig *g, size_t before, int64_t time)
{
	add_signature(j, g, time);
	add_covered(j, g, g, before, time);
	add_refs(j, g, before, time);
	add_counter_signatures(j, g, before, time);
}

void
poe_extract(struct judge *j, struct jsig *g, struct jstamp *t, int64_t time)
{
	size_t before = stamp_reach(j->doc, g->s, t->xs);

	switch (t->xs->type) {
	case STAMP_ALL_DATA:
	case STAMP_INDIVIDUAL_DATA:
		break; /* signed data only: the table holds none */
	case STAMP_SIGNATURE:
		add_signature(j, g, time);
		break;
	case STAMP_SIG_AND_REFS:
		add_signature(j, g, time);
		for (size_t i = 0; i < g->n_stamps; i++)
			if (g->stamps[i].xs->type == STAMP_SIGNATURE && g->stamps[i].xs->position < before)
				add_token(j, g, &g->stamps[i], time);
		add_refs(j, g, before, time);
		break;
	case STAMP_REFS_ONLY:
		add_refs(j, g, before, time);
		break;
	case STAMP_ARCHIVE:
		extract_archive(j, g, before, time);
		break;
	}
	t->r->gives_poe = true;
}
