/* SPDX-License-Identifier: MIT */
/* The process with time and long-term validation data (EN 319 102-1 5.5): what the best signature time mends. */
#include "verify/judge.h"

#include <string.h>

#define LTV "EN 319 102-1 5.5.4"

static int64_t
best_time(struct judge *j, struct jsig *g)
{
	int64_t best = j->now;

	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct jstamp *t = &g->stamps[i];

		if (t->tok == NULL || t->xs->type != STAMP_SIGNATURE)
			continue;
		if (t->r->basic.ind == IND_PASSED && t->tok->gen_time < best)
			best = t->tok->gen_time;
	}
	return best;
}

static struct verdict
in_bounds(const struct jsig *g)
{
	if (g->bst < g->cert->not_before)
		return failed(SUB_NOT_YET_VALID);
	if (g->bst > g->cert->not_after)
		return open_verdict(SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	return passed();
}

/* Revoked or held after the best signature time: mended (step 4 a). */
static bool
revocation_mended(const struct judge *j, const struct jsig *g, const struct chain_link *l)
{
	switch (l->revocation.sub) {
	case SUB_REVOKED_NO_POE:
	case SUB_TRY_LATER: /* on hold */
		return l->revoked_at > g->bst;
	case SUB_REVOKED_CA_NO_POE:
		/* a stolen key makes certificates and lists of any date: what it signed needs a proof of its own (past validation) */
		return l->revoked_at > g->bst && (j->peer || key_stays_trusted(l->rev));
	default:
		return false;
	}
}

/* Does what is known of each certificate reach to the best signature time, or was it issued since? (step 7) */
static struct verdict
chain_told(struct judge *j, const struct jsig *g)
{
	const struct xcv *x = g->sub.x;

	for (size_t i = 0; x->chain != NULL && i + 1 < x->chain->n; i++)
		if (x->at[i].rev != NULL && !told_at(j, x, x->chain, i, g->bst, NULL, NULL) &&
		    level_of(j, CHECK_REVOCATION_FRESHNESS, x->ctx, i == 0 ? POS_SIGNING : POS_CA) == LEVEL_FAIL)
			return open_verdict(SUB_TRY_LATER);
	return passed();
}

/* Each certificate of the chain, and the signing one's bounds, at the best signature time. */
static struct verdict
chain_mended(struct judge *j, const struct jsig *g)
{
	const struct xcv *x = g->sub.x;

	if (x->form.ind != IND_PASSED)
		return x->form;
	for (size_t i = 0; x->chain != NULL && i + 1 < x->chain->n; i++) {
		struct chain_link l = x->at[i];
		bool mended = revocation_mended(j, g, &l);

		if (mended)
			l.revocation = passed();
		if (i == 0 && (mended || l.bounds.ind == IND_PASSED || l.bounds.sub == SUB_OUT_OF_BOUNDS_NOT_REVOKED))
			l.bounds = in_bounds(g);
		struct verdict v = link_verdict(&l);
		if (v.ind != IND_PASSED)
			return v;
	}
	return chain_told(j, g);
}

/* 5.5.4 step 4 and 7: is the basic status mended by the best signature time? */
static struct verdict
mend(struct judge *j, struct jsig *g, struct verdict v)
{
	const struct xcv *x = g->sub.x;
	struct verdict fixed;

	switch (v.sub) {
	case SUB_NONE:
	case SUB_OUT_OF_BOUNDS_NO_POE:
		return x->chain != NULL && g->bst < g->cert->not_before ? failed(SUB_NOT_YET_VALID) : v;
	case SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE:
		/* acceptance first; then of the signature itself only: certificates are the archival process's matter */
		if (g->sav.ind != IND_PASSED)
			return g->sav;
		if ((x->v.ind != IND_PASSED && !only_stale(x)) || subject_weak(j, &g->sub, g->bst) != NULL)
			return v;
		fixed = chain_told(j, g);
		if (fixed.ind != IND_PASSED)
			return fixed;
		return g->bst < g->cert->not_before ? failed(SUB_NOT_YET_VALID) : passed();
	case SUB_REVOKED_NO_POE:
	case SUB_REVOKED_CA_NO_POE:
	case SUB_OUT_OF_BOUNDS_NOT_REVOKED:
	case SUB_TRY_LATER:
		fixed = chain_mended(j, g);
		break;
	default:
		return v;
	}
	if (fixed.ind == IND_PASSED)
		fixed = g->sav;
	if (fixed.ind == IND_PASSED && subject_weak(j, &g->sub, g->bst) != NULL)
		fixed = open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
	return fixed;
}

static bool
may_mend(struct verdict v)
{
	switch (v.sub) {
	case SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE:
	case SUB_REVOKED_NO_POE:
	case SUB_REVOKED_CA_NO_POE:
	case SUB_TRY_LATER:
	case SUB_OUT_OF_BOUNDS_NO_POE:
	case SUB_OUT_OF_BOUNDS_NOT_REVOKED:
		return v.ind == IND_INDETERMINATE;
	default:
		return v.ind == IND_PASSED;
	}
}

void
judge_ltv(struct judge *j, struct jsig *g)
{
	struct verdict v = g->r->basic;
	char when[TIME_TEXT];

	g->bst = j->now;
	if (may_mend(v) && g->sub.x != NULL && g->cv.ind == IND_PASSED) {
		g->bst = best_time(j, g);
		/* 5.5.4 step 2: the data of every certificate of the chain, the signing one's own status aside */
		v = g->sub.x->revocation_missing ? open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE) : mend(j, g, v);
	}
	if (v.ind == IND_PASSED && g->order_fails)
		v = open_verdict(SUB_TIMESTAMP_ORDER_FAILURE);
	g->r->ltv = v;
	time_text(g->bst, when);
	find_verdict(j, 0, "LongTermValidation", LTV, g->r->id, v);
	find_add(j, 1, FIND_INFO, "BestSignatureTime", LTV, g->r->id, NULL, "%s", when);
}
