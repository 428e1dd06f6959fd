/* SPDX-License-Identifier: MIT */
/*
 * Proofs of existence (EN 319 102-1 5.6.2.3): when did which object exist at
 * the latest. Objects are named by the SHA-256 of their octets; a signature by
 * that of its Signature value. What is not in the table exists at the validation time.
 */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

int64_t
poe_lowest(const struct judge *j, const struct poe *p, const uint8_t key[32])
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(p->v[i].key, key, 32) == 0)
			return p->v[i].time_utc < j->now ? p->v[i].time_utc : j->now;
	return j->now;
}

void
poe_add(struct judge *j, struct poe *p, const uint8_t key[32], int64_t t)
{
	for (size_t i = 0; i < p->n; i++) {
		if (memcmp(p->v[i].key, key, 32) != 0)
			continue;
		if (t < p->v[i].time_utc)
			p->v[i].time_utc = t;
		return;
	}
	if (!mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v))) {
		judge_nomem(j);
		return;
	}
	memcpy(p->v[p->n].key, key, 32);
	p->v[p->n++].time_utc = t;
}

void
poe_release(struct poe *p)
{
	free(p->v);
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
add_embedded(struct judge *j, struct jsig *g, const struct embedded *m, int64_t time)
{
	uint8_t key[32];
	struct err e = {0};

	if (digest_sha256(m->der, key, &e) != ERR_OK) {
		judge_broke(j, &e);
		return;
	}
	poe_add(j, &g->poe, key, time);
	if (m->kind == EMB_CERT)
		return;
	for (size_t i = 0; i < j->n_doc_revs; i++) {
		const struct revocation *r = j->pool.revs[i];

		if (!slice_eq(r->der, m->der))
			continue;
		poe_add(j, &g->poe, r->sha256, time);
		for (size_t k = 0; k < r->n_certs; k++)
			poe_add(j, &g->poe, r->certs[k]->sha256, time);
	}
}

static bool
ref_matches(const struct digest *want, struct slice der)
{
	struct digest d;
	struct err e;

	return want->alg != DIGEST_NONE && digest_once(want->alg, der, &d, &e) == ERR_OK && digest_eq(&d, want);
}

/* A reference proves what it names, as long as its digest is one that can be relied on (5.6.2.3). */
static void
add_refs(struct judge *j, struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < g->s->n_ref_objects; i++) {
		const struct xref_object *o = &g->s->ref_objects[i];
		struct alg_use use = {.digest = o->digest.alg};

		if (o->position >= before || !alg_good(j, &use, time))
			continue;
		if (o->kind == EMB_CERT) {
			for (size_t k = 0; k < j->pool.n_certs; k++)
				if (ref_matches(&o->digest, j->pool.certs[k]->der))
					poe_add(j, &g->poe, j->pool.certs[k]->sha256, time);
			continue;
		}
		for (size_t k = 0; k < j->pool.n_revs; k++)
			if (ref_matches(&o->digest, j->pool.revs[k]->der))
				poe_add(j, &g->poe, j->pool.revs[k]->sha256, time);
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
			add_embedded(j, g, &g->s->embedded[i], time);
}

/* What the stamp covers of its own signature is proven for a counter-signature in it too: one may hold the other's material. */
static void
add_masters(struct judge *j, struct jsig *c, const struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->s->embedded[i].place == IN_KEY_INFO || g->s->embedded[i].position < before)
			add_embedded(j, c, &g->s->embedded[i], time);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (is_content_stamp(&g->stamps[i]) || g->stamps[i].xs->position < before)
			add_token(j, c, &g->stamps[i], time);
}

static void
add_counter_signatures(struct judge *j, struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < j->n_sigs; i++) {
		struct jsig *c = &j->sigs[i];

		if (c->s->parent != (long)g->s->index || c->position >= before)
			continue;
		add_masters(j, c, g, before, time);
		poe_add(j, &g->poe, c->sub.key, time);
		poe_add(j, &c->poe, c->sub.key, time);
		for (size_t k = 0; k < c->s->n_embedded; k++) {
			add_embedded(j, g, &c->s->embedded[k], time);
			add_embedded(j, c, &c->s->embedded[k], time);
		}
		for (size_t k = 0; k < c->n_stamps; k++) {
			add_token(j, g, &c->stamps[k], time);
			add_token(j, c, &c->stamps[k], time);
		}
	}
}

/* What an archive stamp of g proves, entered into the table of `into`: g's own, or a counter-signature's. */
static void
prove_covered(struct judge *j, struct jsig *into, const struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < g->n_stamps; i++)
		if (is_content_stamp(&g->stamps[i]) || g->stamps[i].xs->position < before)
			add_token(j, into, &g->stamps[i], time);
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->s->embedded[i].place != IN_KEY_INFO && g->s->embedded[i].position < before)
			add_embedded(j, into, &g->s->embedded[i], time);
}

/*
 * A counter-signature stands under its master's archive stamps, and so does the material among the master's properties
 * that its own proof may rest on (xades.md 4.4). EU DSS takes no proofs across signatures.
 */
static void
prove_counter_signatures(struct judge *j, const struct jsig *g, size_t before, int64_t time)
{
	for (size_t i = 0; i < j->n_sigs && !j->peer; i++)
		if (j->sigs[i].s->parent == (long)g->s->index && j->sigs[i].position < before) {
			add_signature(j, &j->sigs[i], time);
			prove_covered(j, &j->sigs[i], g, before, time);
		}
}

static void
extract_archive(struct judge *j, struct jsig *g, const struct jstamp *t, int64_t time)
{
	size_t before = t->xs->position;

	add_signature(j, g, time);
	prove_covered(j, g, g, before, time);
	add_refs(j, g, before, time);
	add_counter_signatures(j, g, before, time);
	prove_counter_signatures(j, g, before, time);
}

void
poe_extract(struct judge *j, struct jsig *g, struct jstamp *t, int64_t time)
{
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
			if (g->stamps[i].xs->type == STAMP_SIGNATURE && g->stamps[i].xs->position < t->xs->position)
				add_token(j, g, &g->stamps[i], time);
		add_refs(j, g, t->xs->position, time);
		break;
	case STAMP_REFS_ONLY:
		add_refs(j, g, t->xs->position, time);
		break;
	case STAMP_ARCHIVE:
		extract_archive(j, g, t, time);
		break;
	}
	t->r->gives_poe = true;
}
