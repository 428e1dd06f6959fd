/* SPDX-License-Identifier: MIT */
/*
 * Which revocation data counts (EN 319 102-1 5.2.5, 5.2.6; RFC 5280 6.3, RFC
 * 6960 3.2 and 4.2.2.2), and whether those who signed it may be believed.
 */
#include "verify/judge.h"
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

unsigned
line_roles(enum line line, bool revocation)
{
	unsigned roles = line == LINE_TSA ? ROLE_TSA : ROLE_SIGNER;

	return revocation ? roles | ROLE_OCSP : roles;
}

bool
answer_fresh(const struct rev_answer *r, int64_t t)
{
	return r->next_update != TIME_NONE && r->this_update > t - (r->next_update - r->this_update);
}

bool
told_at(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i, int64_t t,
    bool (*may)(void *ctx, const struct rev_answer *r), void *ctx)
{
	enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;
	struct answers *a;
	const char *why;
	bool any = false;

	if (level_of(j, CHECK_REVOCATION_FRESHNESS, x->ctx, pos) == LEVEL_IGNORE || !needs_revocation(ch->v[i], false))
		return true;
	a = judge_answers(j, ch->v[i], ch->v[i + 1]);
	for (size_t k = 0; a != NULL && k < a->n; k++) {
		const struct rev_answer *r = &a->v[k];

		if (!answer_accepted(j, a, k, x->line, &why))
			continue;
		any = true;
		if ((r->this_update >= t || answer_fresh(r, t)) && (may == NULL || may(ctx, r)))
			return true;
	}
	return !any;
}

bool
needs_revocation(const struct cert *c, bool as_responder)
{
	/* both promises are of end entities only (RFC 9608 4, EN 319 412-1 5.2) */
	if (pki_self_signed(c) || (!c->is_ca && (c->no_rev_avail || c->val_assured)))
		return false;
	return !(as_responder && c->ocsp_nocheck);
}

struct answers *
judge_answers(struct judge *j, const struct cert *c, const struct cert *issuer)
{
	struct err e = {0};

	for (struct answers *a = j->answers; a != NULL; a = a->next)
		if (a->cert == c && a->issuer == issuer)
			return a;
	struct answers *a = mem_new(1, sizeof(*a));
	if (a == NULL) {
		judge_nomem(j);
		return NULL;
	}
	a->cert = c;
	a->issuer = issuer;
	a->next = j->answers;
	j->answers = a;
	if (pool_answers(&j->pool, c, issuer, &a->v, &a->n, &e) != ERR_OK) {
		judge_broke(j, &e);
		a->n = 0;
	}
	for (size_t l = 0; l < LINES; l++) {
		a->acc[l] = mem_new(a->n + 1, sizeof(*a->acc[l]));
		if (a->acc[l] == NULL) {
			judge_nomem(j);
			a->n = 0;
		}
	}
	return a;
}

/* Issued after the certificate's end it says nothing, unless it still knows ended certificates (RFC 5280 5.2.x, RFC 6960 4.4.4). */
static bool
knows_expired(const struct rev_answer *a, const struct cert *c)
{
	if (c->not_after >= a->this_update)
		return true;
	if (a->cert_hash_present && a->cert_hash_match)
		return true;
	if (a->object->kind == REV_CRL)
		return a->object->expired_certs_on_crl != TIME_NONE && a->object->expired_certs_on_crl <= c->not_after;
	return a->archive_cutoff != TIME_NONE && a->archive_cutoff <= c->not_after;
}

static bool
is_bad(const struct rev_answer *a)
{
	return a->status == REV_REVOKED || a->status == REV_HOLD;
}

static bool
authorised(const struct judge *j, const struct rev_answer *a)
{
	const struct anchor *anchor;

	if (a->object->kind != REV_OCSP || a->signer_is_issuer || a->delegate_ok)
		return true;
	/* who is trusted for all there is has not been made a responder for other CAs by that */
	anchor = anchors_find(j->in->anchors, a->signer->sha256);
	if (anchor != NULL && !j->peer &&
	    (anchor->roles == ROLE_OCSP || ((anchor->roles & ROLE_OCSP) != 0 && !a->signer->is_ca && (a->signer->eku & EKU_OCSP_SIGNING) != 0)))
		return true;
	/* a policy may waive that the issuer made the responder, or that it is called one; not both */
	return (a->delegate_by_ca || (a->signer->eku & EKU_OCSP_SIGNING) != 0) && level_of(j, CHECK_OCSP_DELEGATE_EKU, CTX_REVOCATION, POS_SIGNING) != LEVEL_FAIL;
}

/* Does each certificate above the end issue what stands below it? Asked under every policy. */
static bool
issued_by_cas(const struct chain *ch)
{
	for (size_t i = 0; i < ch->n; i++)
		if ((chain_faults(ch, i) & (PATH_NOT_CA | PATH_KEY)) != 0)
			return false;
	return true;
}

static bool
share_an_anchor(struct judge *j, const struct cert *a, const struct cert *b, enum line line)
{
	struct chain *of_a = NULL, *of_b = NULL;
	size_t n = 0, m = 0;
	struct err e = {0};
	bool shared = false;

	if (pool_chains(&j->pool, a, j->in->anchors, line_roles(line, true), &of_a, &n, NULL, &e) != ERR_OK ||
	    pool_chains(&j->pool, b, j->in->anchors, line_roles(line, false), &of_b, &m, NULL, &e) != ERR_OK)
		judge_broke(j, &e);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			shared = shared || (of_a[i].anchor == of_b[k].anchor && issued_by_cas(&of_a[i]) && issued_by_cas(&of_b[k]));
	free(of_a);
	free(of_b);
	return shared;
}

/* The same CA under another key: certified by whoever certified the one, or by the one itself. */
static bool
same_parent(struct judge *j, const struct cert *other, const struct cert *ca)
{
	bool same = pki_signed_by(j->pki, other, ca);

	for (size_t i = 0; i < pool_candidates(&j->pool) && !same; i++)
		same = pki_signed_by(j->pki, ca, pool_candidate(&j->pool, i)) && pki_signed_by(j->pki, other, pool_candidate(&j->pool, i));
	return same;
}

/*
 * RFC 5280 6.3.3 (f): the CRL issuer's chain ends at the certificate's own anchor. A CA may have a new key; a stranger may
 * have its name. The peer takes the issuer's own key only.
 */
static bool
listed_by_its_ca(struct judge *j, const struct rev_answer *a, const struct cert *issuer, enum line line)
{
	if (a->object->kind != REV_CRL || a->signer_is_issuer)
		return true;
	return !j->peer && a->signer->is_ca && same_parent(j, a->signer, issuer) && share_an_anchor(j, a->signer, issuer, line);
}

const char *
answer_fault(struct judge *j, const struct answers *of, size_t i, enum line line)
{
	const struct rev_answer *a = &of->v[i];
	const struct cert *c = of->cert;

	if (a->problem != NULL)
		return a->problem;
	if (a->status == REV_NONE || a->status == REV_UNKNOWN)
		return "status unknown (RFC 6960 2.2)";
	if (a->signer == NULL)
		return "issuer of the revocation data not found";
	if (a->this_update == TIME_NONE)
		return "thisUpdate missing";
	if ((a->this_update > j->now || a->produced_at > j->now) && !j->peer)
		return "issued after the validation time";
	/* the scope of a good word; that it is revoked nobody takes back */
	if (a->this_update < c->not_before && !is_bad(a))
		return "issued before the certificate";
	if (!knows_expired(a, c) && !is_bad(a))
		return "issued after the certificate's end, and does not cover expired certificates";
	if (a->cert_hash_present && !a->cert_hash_match)
		return "certHash is that of another certificate";
	if (a->object->kind == REV_OCSP && !a->responder_id_match)
		return "responder is not the one it names";
	if (a->produced_at < a->signer->not_before || a->produced_at > a->signer->not_after)
		return "produced outside the validity of its issuer's certificate";
	if (a->object->kind == REV_OCSP && (a->signer == c || (a->signer_is_subject && !j->peer)))
		return "the responder speaks of itself";
	if (j->peer && a->object->kind == REV_CRL && !a->signer->has_key_usage)
		return "the CRL issuer's certificate has no key usage"; /* RFC 5280 asks only where there is one */
	if (!authorised(j, a))
		return "responder not authorised (RFC 6960 4.2.2.2)";
	if (!listed_by_its_ca(j, a, of->issuer, line))
		return "signed by another CA of this name (RFC 5280 6.3.3 (f))";
	return NULL;
}

static struct issuer_trust *trust_of(struct judge *j, const struct cert *c, enum line line);

static const char *
trust_fault(struct judge *j, const struct rev_answer *a, enum line line)
{
	const struct issuer_trust *t = trust_of(j, a->signer, line);
	/* that something is lacking to believe the CA or its delegate makes nothing better: what it calls revoked is */
	bool warns = !j->peer && is_bad(a) && (a->signer_is_issuer || a->delegate_ok);

	if (t == NULL || t->state == ACC_BUSY)
		return warns ? NULL : "its issuer's trust rests on itself";
	if (t->state != ACC_YES && !warns)
		return t->why;
	if (j->peer)
		return NULL; /* it does not ask whether the issuer is revoked */
	if (t->stale && !a->signer_is_issuer && !warns)
		return "the revocation data for its issuer's chain is stale";
	/* a stolen key signs with any date; of the certificate's own CA the chain says so itself */
	if (t->compromised && !a->signer_is_issuer)
		return "its issuer's key was compromised";
	if (t->revoked_at <= a->produced_at)
		return "its issuer is revoked, or its anchor past its sunset";
	for (size_t i = 1; !a->signer_is_issuer && t->state == ACC_YES && i + 1 < t->chain.n; i++)
		if ((a->produced_at < t->chain.v[i]->not_before || a->produced_at > t->chain.v[i]->not_after) &&
		    level_of(j, CHECK_CA_VALIDITY, CTX_REVOCATION, POS_CA) == LEVEL_FAIL && !warns)
			return "made when a CA above its issuer had ended";
	return NULL;
}

bool
answer_accepted(struct judge *j, struct answers *a, size_t i, enum line line, const char **why)
{
	struct acceptance *acc = &a->acc[line][i];

	if (acc->state == ACC_NEW) {
		acc->state = ACC_BUSY;
		acc->why = answer_fault(j, a, i, line);
		if (acc->why == NULL)
			acc->why = trust_fault(j, &a->v[i], line);
		acc->state = acc->why == NULL ? ACC_YES : ACC_NO;
	}
	if (acc->state == ACC_BUSY)
		*why = "rests on itself";
	else if (acc->state == ACC_NO)
		*why = acc->why;
	return acc->state == ACC_YES;
}

bool
answer_namesake(const struct rev_answer *a)
{
	return a->object->kind == REV_CRL && !a->signer_is_issuer;
}

/* Revoked for good, by anybody who may say so: the earliest date. */
static void
weigh_revoked(const struct rev_answer *r, const struct rev_answer **worst)
{
	if (r->status == REV_REVOKED && (*worst == NULL || r->revoked_at < (*worst)->revoked_at))
		*worst = r;
}

/* Held: the one that knows most, of equals the earlier date. */
static void
weigh_held(const struct rev_answer *r, const struct rev_answer **held)
{
	if (r->status != REV_HOLD)
		return;
	if (*held == NULL || r->this_update > (*held)->this_update ||
	    (r->this_update == (*held)->this_update && r->revoked_at < (*held)->revoked_at))
		*held = r;
}

/* Good: the first that stands in the list, which the one that knows most does; but no namesake's before the CA's own. */
static void
weigh_good(const struct rev_answer *r, const struct rev_answer **good)
{
	if (r->status == REV_GOOD && (*good == NULL || (answer_namesake(*good) && !answer_namesake(r))))
		*good = r;
}

const struct rev_answer *
gravest_answer(struct judge *j, struct answers *a, enum line line, bool (*may)(void *ctx, const struct rev_answer *r), void *ctx)
{
	const struct rev_answer *revoked = NULL, *held = NULL, *good = NULL;
	const char *why;

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct rev_answer *r = &a->v[i];

		if ((may != NULL && !may(ctx, r)) || !answer_accepted(j, a, i, line, &why))
			continue;
		weigh_revoked(r, &revoked);
		weigh_held(r, &held);
		weigh_good(r, &good);
	}
	if (revoked != NULL)
		return revoked;
	/* a hold ends when who may say so says later that it is good */
	if (held != NULL && good != NULL && good->this_update > held->this_update && (!answer_namesake(good) || answer_namesake(held)))
		return good;
	return held != NULL ? held : good;
}

const struct rev_answer *
select_answer(struct judge *j, struct answers *a, enum line line, bool *any, const char **why)
{
	const struct rev_answer *r = gravest_answer(j, a, line, NULL, NULL);

	*any = a != NULL && a->n > 0;
	*why = NULL;
	for (size_t i = 0; r == NULL && *any && *why == NULL && i < a->n; i++)
		(void)answer_accepted(j, a, i, line, why);
	return r;
}

bool
key_stays_trusted(const struct rev_answer *r)
{
	return r->reason == 3 || r->reason == 4 || r->reason == 5;
}

#define CRL_KEY_COMPROMISE 1
#define CRL_CA_COMPROMISE 2

/* One certificate of an issuer's chain: has it the revocation data that the policy asks for, and is it not revoked? */
static const char *
issuer_link_fault(struct judge *j, struct issuer_trust *t, const struct chain *ch, size_t i)
{
	enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;
	struct answers *a = judge_answers(j, ch->v[i], ch->v[i + 1]);
	const struct xcv as = {.ctx = CTX_REVOCATION, .line = t->line};
	bool any;
	const char *why;
	const struct rev_answer *r = select_answer(j, a, t->line, &any, &why);

	t->stale = t->stale ||
	    (level_of(j, CHECK_REVOCATION_FRESHNESS, CTX_REVOCATION, pos) == LEVEL_FAIL && !told_at(j, &as, ch, i, j->now, NULL, NULL));
	if (r == NULL && !any)
		return level_of(j, CHECK_REVOCATION_DATA_AVAILABLE, CTX_REVOCATION, pos) == LEVEL_FAIL ?
		    "no revocation data for its issuer's chain" : NULL;
	if (r == NULL)
		return level_of(j, CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND, CTX_REVOCATION, pos) == LEVEL_FAIL ?
		    "no acceptable revocation data for its issuer's chain" : NULL;
	if ((r->status != REV_REVOKED && r->status != REV_HOLD) || r->revoked_at > j->now)
		return NULL;
	t->compromised = t->compromised || (i == 0 && (r->reason == CRL_KEY_COMPROMISE || r->reason == CRL_CA_COMPROMISE));
	if (r->revoked_at < t->revoked_at)
		t->revoked_at = r->revoked_at;
	return NULL;
}

static const char *
issuer_chain_fault(struct judge *j, struct issuer_trust *t, const struct chain *ch)
{
	t->compromised = t->stale = false;
	/* what was produced before the sunset is past validation's to judge */
	t->revoked_at = ch->anchor->sunset_utc <= j->now ? ch->anchor->sunset_utc : TIME_MAX;
	if (!issued_by_cas(ch) || (!j->peer && chain_form(j, ch, CTX_REVOCATION).ind != IND_PASSED))
		return "its issuer's chain is not valid (RFC 5280 6.1)";
	for (size_t i = 0; i + 1 < ch->n; i++) {
		if (!needs_revocation(ch->v[i], i == 0))
			continue;
		const char *w = issuer_link_fault(j, t, ch, i);
		if (w != NULL)
			return w;
	}
	return NULL;
}

static void
settle_trust(struct judge *j, struct issuer_trust *t)
{
	struct chain *chains = NULL;
	size_t n = 0;
	struct err e = {0};

	if (pool_chains(&j->pool, t->cert, j->in->anchors, line_roles(t->line, true), &chains, &n, NULL, &e) != ERR_OK)
		judge_broke(j, &e);
	t->why = "no chain from its issuer to an anchor";
	for (size_t i = 0; i < n; i++) {
		const char *w = issuer_chain_fault(j, t, &chains[i]);

		if (w == NULL) {
			t->state = ACC_YES;
			t->chain = chains[i];
			break;
		}
		if (i == 0)
			t->why = w;
	}
	if (t->state != ACC_YES)
		t->state = ACC_NO;
	free(chains);
}

static struct issuer_trust *
trust_of(struct judge *j, const struct cert *c, enum line line)
{
	struct issuer_trust *t = j->trusts;

	while (t != NULL && (t->cert != c || t->line != line))
		t = t->next;
	if (t != NULL)
		return t;
	t = mem_new(1, sizeof(*t));
	if (t == NULL) {
		judge_nomem(j);
		return NULL;
	}
	t->cert = c;
	t->line = line;
	t->state = ACC_BUSY;
	t->next = j->trusts;
	j->trusts = t;
	settle_trust(j, t);
	return t;
}

const struct chain *
signer_chain(struct judge *j, const struct rev_answer *a, enum line line)
{
	const struct issuer_trust *t = a->signer_is_issuer ? NULL : trust_of(j, a->signer, line);

	return t != NULL && t->state == ACC_YES ? &t->chain : NULL;
}
