/* SPDX-License-Identifier: MIT */
/* Certificates: of several chains and answers the first that the checker takes. */
#include "verify/derive_int.h"

/* From the anchor down; lines[i] is that of v[i]. */
static bool
prove_chain(struct prover *w, const struct chain *ch, long lines[CHAIN_MAX])
{
	struct proof_line l = line_new(PROOF_ANCHOR);
	struct rests r = {0};

	memcpy(l.object, ch->v[ch->n - 1]->sha256, 32);
	lines[ch->n - 1] = derive_line(w, &l, &r);
	for (size_t i = ch->n - 1; i-- > 0 && lines[i + 1] != NO_LINE;) {
		l = line_new(PROOF_ISSUED);
		r.n = 0;
		memcpy(l.object, ch->v[i]->sha256, 32);
		l.alg = cert_alg(ch->v[i], ch->v[i + 1]);
		derive_rest(&r, lines[i + 1]);
		derive_rest(&r, derive_exists(w, l.object, &l.time));
		lines[i] = derive_line(w, &l, &r);
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
	exists = derive_exists(w, l.object, &l.time);
	derive_rest(&r, issued);
	if (a->signer != issuer && !a->signer_is_issuer) {
		by = prove_responder(w, a->signer, l.time, side);
		if (by == NO_LINE) {
			derive_cut(w, mark);
			return NO_LINE;
		}
	}
	derive_rest(&r, by);
	derive_rest(&r, exists);
	at = derive_line(w, &l, &r);
	if (at == NO_LINE)
		derive_cut(w, mark);
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
			derive_cut(w, mark);
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
		derive_cut(w, mark);
		return NO_LINE;
	}
	memcpy(l.object, ch->v[0]->sha256, 32);
	l.ctx = ctx;
	l.role = side == LINE_TSA ? ROLE_TSA : ROLE_SIGNER;
	l.time = t;
	if (ch->anchor->sunset_utc < control)
		control = ch->anchor->sunset_utc;
	derive_rest(&r, lines[0]);
	for (size_t i = ch->n - 1; i-- > 0;) {
		struct gravest g;

		if (needs_revocation(ch->v[i], i == 0 && ctx == CTX_REVOCATION)) {
			w->why[0] = '\0';
			long answer = choose_answer(w, ch, i, lines[i], t, control, side);

			if (answer == NO_LINE)
				snprintf(missed, sizeof(missed), "%s", w->why);
			derive_rest(&r, answer);
		}
		gravest_of(w->k, ch->v, ch->n, i, TIME_NONE, &g);
		if (!w->j->peer && i > 0 && g.stolen_at < control)
			control = g.stolen_at;
	}
	at = derive_line(w, &l, &r);
	if (at == NO_LINE) {
		size_t n = strlen(w->why);

		snprintf(w->why + n, sizeof(w->why) - n, "%s%s", *missed != '\0' ? "; last answer tried: " : "", missed);
		derive_cut(w, mark);
	}
	return at;
}

/* The judge's own chain first, then the others that reach an anchor. */
long
derive_cert(struct prover *w, const struct xcv *x, int64_t t)
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
