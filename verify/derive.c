/* SPDX-License-Identifier: MIT */
/*
 * Derivations (docs/proof.md). The judge has found its way; here it is written down line by line. Each line is shown to a
 * checker at once, so that of several chains, answers and proofs the first that holds is taken. Nothing here is believed:
 * a fresh checker takes the whole once more.
 */
#include "verify/derive_int.h"

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
		if (asked(w, order[i]->r->verdict) && !derive_stamp(w, g, order[i]))
			not_proven(w, g->r, &order[i]->r->verdict, order[i]->r->id, &order[i]->r->proof_gap);
	free(order);
	if (asked(w, g->r->verdict) && !derive_signature(w, g))
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
	else if (!proof_input(&w->c, &l) || derive_line(w, &l, &none) != 0)
		judge_nomem(j);
	return j->broke == ERR_OK;
}

static void
prover_end(struct prover *w)
{
	derive_forget(w);
	proof_checker_free(w->k);
}

void
judge_prove(struct judge *j)
{
	struct prover w = {0};

	if (prover_begin(&w, j, j->in->doc)) {
		derive_outside(&w);
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
		derive_outside(&w);
		if (!derive_stamp(&w, NULL, t))
			not_proven(&w, &j->report->sigs[0], &t->r->verdict, t->r->id, &t->r->proof_gap);
		check_whole(&w);
	}
	prover_end(&w);
}
