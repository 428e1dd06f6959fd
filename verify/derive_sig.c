/* SPDX-License-Identifier: MIT */
/* Signatures: their references, their signer, and that they passed. */
#include "verify/derive_int.h"

long
derive_reference(struct prover *w, const struct jsig *g, size_t ref, size_t entry)
{
	struct proof_line l = line_new(PROOF_REFERENCE);
	const struct xref *x = entry == PROOF_NO_ENTRY ? &g->s->refs[ref] : &g->s->refs[ref].entries[entry];
	struct rests r = {0};

	l.sig = g->s->index;
	l.at = ref;
	l.entry = entry;
	l.alg = (struct alg_use){.digest = x->digest.alg, .usage = USE_DATA};
	if (entry != PROOF_NO_ENTRY)
		derive_rest(&r, derive_reference(w, g, ref, PROOF_NO_ENTRY));
	return derive_line(w, &l, &r);
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
		derive_rest(&r, derive_reference(w, g, i, PROOF_NO_ENTRY));
		at = derive_line(w, &l, &r);
	}
	return at;
}

long
derive_signer(struct prover *w, const struct jsig *g, const struct cert *c)
{
	struct proof_line l = line_new(PROOF_SIGNER);
	struct rests r = {0};
	long at = NO_LINE;
	size_t mark = w->p->n;

	if (c == NULL)
		return NO_LINE;
	l.sig = g->s->index;
	memcpy(l.object, c->sha256, 32);
	derive_rest(&r, prove_holds(w, g));
	/* of several entries first one whose digest is good now */
	for (size_t i = 0; r.n > 0 && i < 2 * g->s->n_cert_ids && at == NO_LINE; i++) {
		const struct digest *named = &g->s->cert_ids[i % g->s->n_cert_ids].digest;
		struct digest d;

		l.alg = (struct alg_use){.digest = named->alg, .usage = USE_DATA};
		if (alg_good(w->j, &l.alg, w->j->now) == (i < g->s->n_cert_ids) && digest_once(named->alg, c->der, &d, NULL) == ERR_OK &&
		    digest_eq(&d, named))
			at = derive_line(w, &l, &r);
	}
	if (at != NO_LINE)
		return at;
	derive_cut(w, mark); /* no property names it; the policy may let that be */
	l.alg = (struct alg_use){0};
	r.n = 0;
	return derive_line(w, &l, &r);
}

/* All references, and of each Manifest the entries whose data is at hand; the checker knows which may be missing. */
static bool
prove_references(struct prover *w, const struct jsig *g, struct rests *r)
{
	for (size_t i = 0; i < g->s->n_refs; i++) {
		if (!derive_need(r, derive_reference(w, g, i, PROOF_NO_ENTRY)))
			return false;
		for (size_t e = 0; e < g->s->refs[i].n_entries; e++)
			if (!derive_need(r, derive_reference(w, g, i, e)) && g->s->refs[i].entries_signed && g->s->refs[i].entries[e].found == TRI_TRUE)
				return false;
	}
	return true;
}

long
derive_signed(struct prover *w, const struct jsig *g)
{
	struct proof_line l = line_new(PROOF_SIGNED);
	struct rests none = {0};

	if (g->cert == NULL)
		return NO_LINE;
	l.sig = g->s->index;
	memcpy(l.object, g->cert->sha256, 32);
	l.alg = g->s->method;
	if (l.alg.key_bits == 0) {
		l.alg.key_bits = g->cert->own_key.key_bits;
		l.alg.q_bits = g->cert->own_key.q_bits;
	}
	return derive_line(w, &l, &none);
}

static bool
prove_premises(struct prover *w, const struct jsig *g, int64_t t, struct rests *r)
{
	int64_t existed;

	if (!derive_need(r, derive_signed(w, g)) || !prove_references(w, g, r))
		return false;
	long signer = derive_signer(w, g, g->cert);
	if (signer == NO_LINE)
		return false;
	if (w->p->v[signer].n > 0)
		derive_rest(r, (long)w->p->rests[w->p->v[signer].first]);
	derive_rest(r, signer);
	derive_rest(r, derive_exists_value(w, g->s->index, &existed));
	return derive_need(r, derive_cert(w, g->sub.x, t));
}

bool
derive_signature(struct prover *w, const struct jsig *g)
{
	struct proof_line l = line_new(PROOF_PASSED);
	struct rests r = {0};
	size_t mark = w->p->n;

	snprintf(w->why, sizeof(w->why), "%s", "no signing certificate");
	if (g->cert == NULL || g->sub.x == NULL)
		return false;
	l.sig = g->s->index;
	l.time = g->r->best_signature_time;
	bool ok = prove_premises(w, g, l.time, &r) && derive_line(w, &l, &r) != NO_LINE;
	if (!ok)
		derive_cut(w, mark);
	free(r.more);
	return ok;
}
