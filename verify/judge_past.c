/* SPDX-License-Identifier: MIT */
/*
 * Past validation (EN 319 102-1 5.6.2): validation-time sliding, past
 * certificate and past signature validation, and the process for archival data
 * (5.6.3.4), which walks the time-stamps from the newest to the oldest.
 */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

#define CLAUSE "EN 319 102-1 5.6.2.4"

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct by_then {
	const struct judge *j;
	const struct poe *poe;
	int64_t ct;
};

static bool
was_there(void *ctx, const struct rev_answer *r)
{
	const struct by_then *b = ctx;

	return r->this_update <= b->ct && poe_lowest(b->j, b->poe, r->object->sha256) <= b->ct;
}

/* Of the answers that were there when ct was the one that counts: both it and the certificate are proven by then (5.6.2.2.4 step 2a). */
static const struct rev_answer *
answer_before(struct judge *j, const struct poe *poe, struct answers *a, enum line line, int64_t ct)
{
	struct by_then b = {j, poe, ct};

	return gravest_answer(j, a, line, was_there, &b);
}

/* One certificate's pull on the control time. False: a proof is missing. */
static bool
slide_one(struct judge *j, const struct poe *poe, const struct xcv *x, const struct chain *ch, size_t i, int64_t *ct)
{
	struct alg_use use = cert_alg(ch->v[i], ch->v[i + 1]);

	if (needs_revocation(ch->v[i], false)) {
		const struct rev_answer *r = NULL;

		if (poe_lowest(j, poe, ch->v[i]->sha256) <= *ct)
			r = answer_before(j, poe, judge_answers(j, ch->v[i], ch->v[i + 1]), x->line, *ct);
		if (r == NULL) {
			find_add(j, 2, FIND_WARN, "RevocationBeforeControlTime", "EN 319 102-1 5.6.2.2.4", ch->v[i]->subject_text,
			    "revocation data under an earlier proof of existence", "none is proven early enough");
			return false;
		}
		if (r->status == REV_REVOKED || r->status == REV_HOLD)
			*ct = earlier(*ct, r->revoked_at);
		else if (j->pol->sliding_strict && !answer_fresh(r, *ct))
			*ct = earlier(*ct, r->this_update);
		struct alg_use ru = answer_alg(r);
		*ct = earlier(*ct, alg_end(j, &ru, *ct));
	}
	*ct = earlier(*ct, alg_end(j, &use, *ct));
	return true;
}

static bool
slide(struct judge *j, const struct poe *poe, const struct xcv *x, const struct chain *ch, int64_t *out)
{
	int64_t ct = j->now;

	if (ch->anchor != NULL)
		ct = earlier(ct, ch->anchor->sunset_utc);
	for (size_t i = ch->n - 1; i-- > 0;)
		if (!slide_one(j, poe, x, ch, i, &ct))
			return false;
	*out = ct;
	return true;
}

static bool
has_form(struct judge *j, const struct xcv *x, const struct chain *ch)
{
	struct findings *f = j->f;
	struct verdict v = x->form;

	j->f = NULL; /* said already, or of a chain that nobody asks about */
	if (ch != x->chain)
		v = chain_form(j, ch, x->ctx);
	j->f = f;
	return v.ind == IND_PASSED;
}

/* Past certificate validation (5.6.2.1): of the chains that hold, the one whose control time reaches furthest. */
static const struct chain *
past_chain(struct judge *j, const struct poe *poe, const struct xcv *x, int64_t *out)
{
	const struct chain *best = NULL;

	for (size_t i = 0; i < x->n_chains; i++) {
		const struct chain *ch = &x->chains[i];
		int64_t ct;

		if (!has_form(j, x, ch))
			continue;
		if (!slide(j, poe, x, ch, &ct) || (best != NULL && ct <= *out))
			continue;
		best = ch;
		*out = ct;
	}
	return best;
}

/*
 * 5.6.2.4.4 step 1: some revocation data of the certificate was there while its issuer's certificate was valid, so that nobody
 * made it with an old key since. The peer is content with a proof of the issuer's certificate.
 */
static bool
revocation_issuer_proven(struct judge *j, const struct poe *poe, const struct xcv *x, const struct chain *ch)
{
	struct answers *a;
	const char *why;
	bool any = false;

	if (ch->n == 1 || !needs_revocation(ch->v[0], false))
		return true;
	a = judge_answers(j, ch->v[0], ch->v[1]);
	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct cert *signer = a->v[i].signer;

		if (!answer_accepted(j, a, i, x->line, &why))
			continue;
		any = true;
		if (anchors_find(j->in->anchors, signer->sha256) != NULL ||
		    poe_lowest(j, poe, j->peer ? signer->sha256 : a->v[i].object->sha256) <= signer->not_after)
			return true;
	}
	return !any;
}

/* When it was proven; the peer takes the signature's own proof for the data of its certificate too. */
static int64_t
proven_at(const struct judge *j, const struct subject *s, const struct poe *poe, size_t i, const uint8_t key[32])
{
	int64_t t = poe_lowest(j, poe, key);

	return j->peer && i == 0 ? earlier(t, poe_lowest(j, poe, s->key)) : t;
}

/* One answer, and the certificates behind those who signed it. */
static bool
answer_proven(struct judge *j, const struct subject *s, const struct poe *poe, size_t i, const struct rev_answer *r)
{
	struct alg_use use = answer_alg(r);

	if (!alg_good(j, &use, proven_at(j, s, poe, i, r->object->sha256)))
		return false;
	const struct chain *of = signer_chain(j, r, s->x->line);
	for (size_t k = 0; of != NULL && k + 1 < of->n; k++) {
		use = cert_alg(of->v[k], of->v[k + 1]);
		if (!alg_good(j, &use, proven_at(j, s, poe, i, of->v[k]->sha256)))
			return false;
	}
	return true;
}

/*
 * The revocation data of one certificate of any chain: what counts now, and, if that can't be relied on, some other that can:
 * of several lists one by a good algorithm is enough. That the gravest counts is revoked_before's matter.
 */
static bool
data_proven(struct judge *j, const struct subject *s, const struct poe *poe, const struct chain *ch, size_t i)
{
	struct answers *a;
	const char *why;

	if (!needs_revocation(ch->v[i], false))
		return true;
	if (j->peer && ch == s->x->chain && s->x->at[i].rev != NULL)
		return answer_proven(j, s, poe, i, s->x->at[i].rev);
	a = judge_answers(j, ch->v[i], ch->v[i + 1]);
	for (size_t k = 0; a != NULL && k < a->n; k++)
		if (answer_accepted(j, a, k, s->x->line, &why) && answer_proven(j, s, poe, i, &a->v[k]))
			return true;
	/* without any it is no matter of algorithms whether the policy minds */
	return a != NULL && gravest_answer(j, a, s->x->line, NULL, NULL) == NULL;
}

/* 5.6.2.4.4: every object concerned must have been proven while its algorithm was good, in whichever chain. */
static bool
crypto_proven(struct judge *j, const struct subject *s, const struct poe *poe, const struct chain *ch)
{
	if (subject_weak(j, s, poe_lowest(j, poe, s->key)) != NULL)
		return false;
	for (size_t i = 0; i + 1 < ch->n; i++) {
		struct alg_use use = cert_alg(ch->v[i], ch->v[i + 1]);

		if (!alg_good(j, &use, poe_lowest(j, poe, ch->v[i]->sha256)) || !data_proven(j, s, poe, ch, i))
			return false;
	}
	return true;
}

static struct verdict
within(const struct cert *c, int64_t t, enum subindication after)
{
	if (t < c->not_before)
		return failed(SUB_NOT_YET_VALID);
	return t > c->not_after ? open_verdict(after) : passed();
}

/* Shell model: the CAs too were inside their validity when the object is proven. */
static bool
cas_within(const struct judge *j, const struct xcv *x, const struct chain *ch, int64_t t)
{
	for (size_t i = 1; i + 1 < ch->n; i++)
		if (level_of(j, CHECK_CA_VALIDITY, x->ctx, POS_CA) == LEVEL_FAIL && (t < ch->v[i]->not_before || t > ch->v[i]->not_after))
			return false;
	return true;
}

/* What is known now of a revocation before t is not unknown because an earlier list, within the control time, lacks it. */
static bool
revoked_before(struct judge *j, const struct xcv *x, const struct chain *ch, int64_t t)
{
	for (size_t i = 0; i + 1 < ch->n; i++) {
		const struct rev_answer *r = NULL;
		const char *why;
		bool any;

		if (needs_revocation(ch->v[i], false))
			r = select_answer(j, judge_answers(j, ch->v[i], ch->v[i + 1]), x->line, &any, &why);
		if (r != NULL && (r->status == REV_REVOKED || r->status == REV_HOLD) && r->revoked_at <= t)
			return true;
	}
	return false;
}

/* A certificate authority was revoked: what says that the signing certificate was not must be older (5.6.2.4.4 step 3). */
static bool
older_than_ca_end(struct judge *j, const struct poe *poe, const struct xcv *x)
{
	const struct rev_answer *r = x->at[0].rev;

	for (size_t i = 1; r != NULL && i < x->chain->n; i++)
		if (x->at[i].revoked_at != TIME_NONE && poe_lowest(j, poe, r->object->sha256) > x->at[i].revoked_at)
			return false;
	return true;
}

/* What may tell of a time in the past: proven before its issuer's key might be another's, and while its algorithm was good. */
struct by_control {
	const struct judge *j;
	const struct poe *poe;
	int64_t control;
	bool signer_lasts; /* while its signer's certificate lasted, too (5.6.2.4.4 step 1) */
};

static bool
was_proven(void *ctx, const struct rev_answer *r)
{
	const struct by_control *b = ctx;
	int64_t at = poe_lowest(b->j, b->poe, r->object->sha256);
	struct alg_use use = answer_alg(r);

	if (b->signer_lasts && at > r->signer->not_after && anchors_find(b->j->in->anchors, r->signer->sha256) == NULL)
		return false;
	return at <= b->control && alg_good(b->j, &use, at);
}

/* Stale data tells nothing of t: what is known of each certificate reaches there, or was issued since (as 5.5.4 step 7). */
static bool
told_then(struct judge *j, const struct poe *poe, const struct xcv *x, const struct chain *ch, int64_t t)
{
	struct by_control b = {.j = j, .poe = poe, .control = earlier(j->now, ch->anchor->sunset_utc)};

	for (size_t i = ch->n - 1; i-- > 0;) {
		const struct rev_answer *r = NULL;
		const char *why;
		bool any;

		b.signer_lasts = i == 0 && level_of(j, CHECK_REVOCATION_ISSUER_NOT_EXPIRED, x->ctx, POS_SIGNING) == LEVEL_FAIL;
		if (level_of(j, CHECK_REVOCATION_FRESHNESS, x->ctx, i == 0 ? POS_SIGNING : POS_CA) == LEVEL_FAIL &&
		    !told_at(j, x, ch, i, t, was_proven, &b)) {
			find_add(j, 2, FIND_FAIL, "RevocationFreshness", "EN 319 102-1 5.2.5.4", ch->v[i]->subject_text,
			    "revocation data that tells of that time", "stale at the time that is proven");
			return false;
		}
		if (needs_revocation(ch->v[i], false))
			r = select_answer(j, judge_answers(j, ch->v[i], ch->v[i + 1]), x->line, &any, &why);
		if (r != NULL && (r->status == REV_REVOKED || r->status == REV_HOLD))
			b.control = earlier(b.control, r->revoked_at);
	}
	return true;
}

static struct verdict
past_verdict(struct judge *j, const struct subject *s, struct verdict cur, const struct poe *poe, const struct chain *ch, int64_t ct)
{
	int64_t t = poe_lowest(j, poe, s->key);
	const struct cert *c = s->x->cert;

	if (!cas_within(j, s->x, ch, t) || revoked_before(j, s->x, ch, t))
		return cur;
	if (cur.sub == SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE)
		return crypto_proven(j, s, poe, ch) ? (ch->n == 1 ? passed() : within(c, t, SUB_OUT_OF_BOUNDS_NO_POE)) : cur;
	if (t > ct)
		return cur;
	switch (cur.sub) {
	case SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE:
		return within(c, t, SUB_OUT_OF_BOUNDS_NO_POE);
	case SUB_TRY_LATER:
	case SUB_REVOKED_NO_POE:
	case SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE:
		return within(c, t, SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	case SUB_REVOKED_CA_NO_POE:
		return older_than_ca_end(j, poe, s->x) ? within(c, t, SUB_OUT_OF_BOUNDS_NOT_REVOKED) : cur;
	case SUB_OUT_OF_BOUNDS_NO_POE:
	case SUB_OUT_OF_BOUNDS_NOT_REVOKED:
		return within(c, t, cur.sub);
	default:
		return cur;
	}
}

struct verdict
judge_past(struct judge *j, const struct subject *s, struct verdict cur, const struct poe *poe, int64_t *control_time)
{
	const struct chain *ch;
	struct verdict v;
	int64_t ct = TIME_NONE;

	if (s->x == NULL || cur.ind != IND_INDETERMINATE)
		return cur;
	ch = past_chain(j, poe, s->x, &ct);
	if (ch == NULL)
		return cur;
	*control_time = ct;
	v = past_verdict(j, s, cur, poe, ch, ct);
	if (v.ind != IND_PASSED)
		return v;
	if (!revocation_issuer_proven(j, poe, s->x, ch)) {
		find_add(j, 2, FIND_FAIL, "RevocationIssuerValidAtPOE", CLAUSE, s->x->cert->subject_text,
		    "a proof of the revocation data while its issuer was valid", "none of its revocation data is proven in time");
		return open_verdict(SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE);
	}
	return told_then(j, poe, s->x, ch, poe_lowest(j, poe, s->key)) ? v : open_verdict(SUB_TRY_LATER);
}

/* ---- the process with archival data ---- */

static bool
may_continue(struct verdict v, bool stamp)
{
	static const enum subindication OK[] = {SUB_REVOKED_NO_POE, SUB_REVOKED_CA_NO_POE, SUB_OUT_OF_BOUNDS_NO_POE,
	    SUB_OUT_OF_BOUNDS_NOT_REVOKED, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE,
	    SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE};

	if (v.ind != IND_INDETERMINATE)
		return v.ind == IND_PASSED;
	for (size_t i = 0; i < sizeof(OK) / sizeof(OK[0]); i++)
		if (v.sub == OK[i])
			return true;
	return !stamp && (v.sub == SUB_SIG_CONSTRAINTS_FAILURE || v.sub == SUB_TRY_LATER);
}

/* Newest first; what stands later in the file counts as newer within one second. */
static int
newer(const void *a, const void *b)
{
	const struct jstamp *x = *(const struct jstamp *const *)a, *y = *(const struct jstamp *const *)b;

	if (x->tok->gen_time != y->tok->gen_time)
		return x->tok->gen_time > y->tok->gen_time ? -1 : 1;
	if (x->tok->gen_micros != y->tok->gen_micros)
		return x->tok->gen_micros > y->tok->gen_micros ? -1 : 1;
	return x < y ? 1 : x > y ? -1 : 0;
}

static void
stamp_past(struct judge *j, struct jsig *g, struct jstamp *t)
{
	struct report_stamp *r = t->r;
	int64_t poe = poe_lowest(j, &g->poe, t->sub.key), ct = TIME_NONE;

	if (r->basic.ind != IND_PASSED && may_continue(r->basic, true) && t->tok->gen_time <= j->now) {
		r->verdict = judge_past(j, &t->sub, r->basic, &g->poe, &ct);
		find_verdict(j, 1, "PastTimestampValidation", CLAUSE, stamp_type_name(r->type), r->verdict);
		if (r->verdict.ind == IND_PASSED && subject_weak(j, &t->sub, poe) != NULL)
			r->verdict = open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
	}
	if (r->verdict.ind == IND_PASSED)
		poe_extract(j, g, t, t->tok->gen_time);
}

size_t
stamps_in_order(const struct jsig *g, const struct jstamp **out)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_stamps; i++)
		if (g->stamps[i].tok != NULL)
			out[n++] = &g->stamps[i];
	qsort(out, n, sizeof(*out), newer);
	return n;
}

static void
stamps_past(struct judge *j, struct jsig *g)
{
	const struct jstamp **order = mem_new(g->n_stamps + 1, sizeof(*order));
	size_t n;

	if (order == NULL) {
		judge_nomem(j);
		return;
	}
	n = stamps_in_order(g, order);
	for (size_t i = 0; i < n; i++)
		stamp_past(j, g, &g->stamps[order[i] - g->stamps]);
	free(order);
}

/* Is there a stamp over another stamp of this signature, or an evidence record? */
static bool
has_archival_material(const struct jsig *g)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct xstamp *s = g->stamps[i].xs;

		if (s->type == STAMP_ARCHIVE || (s->type == STAMP_SIG_AND_REFS && first < s->position))
			return true;
		if (s->type == STAMP_SIGNATURE && s->position < first)
			first = s->position;
	}
	return g->s->count.evidence_records + g->s->count.archive_old > 0;
}

void
judge_archival(struct judge *j, struct jsig *g)
{
	struct report_signature *r = g->r;
	/* a value or a reference that could not be checked is mended by no proof of existence */
	bool may = may_continue(r->ltv, false) && g->cv.ind == IND_PASSED && r->value_intact == TRI_TRUE;

	/* The peer ends with the long-term verdict where nothing archival stands in the signature itself. */
	if (j->peer && r->ltv.sub != SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE && !has_archival_material(g))
		may = false;

	poe_known(j, g);
	if (may)
		poe_add(j, &g->poe, g->sub.key, g->bst);
	find_add(j, 0, FIND_INFO, "ArchivalValidation", "EN 319 102-1 5.6.3.4", r->id, NULL, "time-stamps, newest first");
	stamps_past(j, g);
	r->best_signature_time = poe_lowest(j, &g->poe, g->sub.key);
	r->verdict = r->ltv;
	if (!may || r->ltv.ind == IND_PASSED)
		return;
	r->verdict = judge_past(j, &g->sub, r->ltv, &g->poe, &r->control_time);
	if (r->verdict.ind != IND_PASSED)
		return;
	if (g->order_fails)
		r->verdict = open_verdict(SUB_TIMESTAMP_ORDER_FAILURE);
	else if (g->sav.ind != IND_PASSED)
		r->verdict = g->sav;
	else if (subject_weak(j, &g->sub, r->best_signature_time) != NULL)
		r->verdict = open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
}
