/* SPDX-License-Identifier: MIT */
/* Time-stamps, and all that their covers prove. */
#include "verify/derive_int.h"

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
	derive_learn(w, l, stamp, via);
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
learn_tokens(struct prover *w, struct proof_line *l, const struct jsig *g, const struct cover *c, long stamp, long via)
{
	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct token *t = g->stamps[i].tok;

		if (t == NULL || !lies_in(c, g->s->stamps[i].token_node))
			continue;
		learn_octets(w, l, PLACE_TOKEN, i, t->sha256, stamp, via);
		for (size_t m = 0; m < t->n_certs; m++)
			learn_octets(w, l, PLACE_IN_TOKEN, i, t->certs[m]->sha256, stamp, via);
		for (size_t m = 0; m < t->n_revs; m++) {
			learn_octets(w, l, PLACE_IN_TOKEN, i, t->revs[m]->sha256, stamp, via);
			for (size_t q = 0; q < t->revs[m]->n_certs; q++)
				learn_octets(w, l, PLACE_IN_TOKEN, i, t->revs[m]->certs[q]->sha256, stamp, via);
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
	derive_learn(w, l, stamp, NO_LINE);
	if (g->cert != NULL && g->s->n_cert_ids > 0)
		learn_octets(w, l, PLACE_SIGNER, 0, g->cert->sha256, stamp, NO_LINE);
	for (size_t i = 0; i < g->s->n_refs; i++) {
		struct covered got = {0};
		struct err e = {0};

		if (cover_reference(w->j->doc, g->s, &g->s->refs[i], &got, &e) == ERR_OK && got.intact == TRI_TRUE) {
			learn_embedded(w, l, g, &got.cover, stamp, (long)i);
			learn_tokens(w, l, g, &got.cover, stamp, (long)i);
		}
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
		learn_tokens(w, &l, g, c, stamp, NO_LINE);
		learn_refs(w, &l, g, c, stamp);
	}
}

/* Known proofs from outside: an object, or the whole file. */
void
derive_outside(struct prover *w)
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

bool
derive_stamp(struct prover *w, const struct jsig *g, const struct jstamp *t)
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
		if (!derive_need(&r, derive_line(w, &l, &none)))
			return false;
	}
	l.kind = PROOF_STAMP;
	l.alg = t->r->signed_with;
	l.time = t->tok->gen_time;
	size_t before = w->p->n;
	long exists = derive_exists(w, t->tok->sha256, &existed);
	if (existed < t->tok->gen_time) { /* an older stamp over it tells nothing of its time */
		exists = NO_LINE;
		existed = w->j->now;
		derive_cut(w, before);
	}
	derive_rest(&r, exists);
	long good = derive_cert(w, t->sub.x, existed);
	derive_rest(&r, good);
	at = good == NO_LINE ? NO_LINE : derive_line(w, &l, &r);
	if (at == NO_LINE)
		derive_cut(w, mark);
	else if (g != NULL)
		learn_cover(w, &w->k->facts[at].cover, l.time, at);
	return at != NO_LINE;
}
