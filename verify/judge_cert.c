/* SPDX-License-Identifier: MIT */
/*
 * X.509 certificate validation at the validation time (EN 319 102-1 5.2.6).
 * Each prospective chain is judged certificate by certificate, the signing one
 * first; the first that passes decides, else the one nearest to it.
 */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

#define CLAUSE "EN 319 102-1 5.2.6.4"

struct alg_use
cert_alg(const struct cert *c, const struct cert *issuer)
{
	struct alg_use use = pki_cert_alg(c, issuer);

	use.usage = USE_CERTIFICATES;
	return use;
}

struct alg_use
answer_alg(const struct rev_answer *a)
{
	struct alg_use use = a->signed_with;

	use.usage = USE_OCSP;
	return use;
}

/*
 * What the peer finds beside or against RFC 5280: every issuer needs a key usage, all between count for a path length, which
 * the anchor may set too, and a CA must not bear what is a responder's or an end entity's.
 */
static unsigned
peer_faults(const struct chain *ch, size_t i)
{
	const struct cert *c = ch->v[i];
	unsigned faults = 0;

	if (i > 0 && c->path_len >= 0 && i - 1 > (size_t)c->path_len)
		faults |= PATH_LENGTH;
	if (i > 0 && i + 1 < ch->n && !c->has_key_usage)
		faults |= PATH_KEY_USAGE;
	if (i > 0 && i + 1 < ch->n && (c->ocsp_nocheck || c->no_rev_avail))
		faults |= PATH_NOT_CA;
	return faults;
}

/* One certificate's place in the chain: the first fault that the policy minds; all are told. */
static struct verdict
place_verdict(struct judge *j, const struct chain *ch, size_t i, enum check_context ctx)
{
	static const struct {
		enum path_fault fault;
		const char *check, *text;
		bool by_level;
		enum check level;
	} ROWS[] = {
	    {PATH_KEY, "PublicKey", NULL, false, 0},
	    {PATH_NOT_CA, "CA", "an issuer is no CA", false, 0},
	    {PATH_LENGTH, "MaxPathLength", "longer than an issuer allows", false, 0},
	    {PATH_KEY_USAGE, "KeyUsage", "an issuer may not sign certificates", false, 0},
	    {PATH_NAME_CONSTRAINTS, "NameConstraints", "outside an issuer's name constraints", true, CHECK_NAME_CONSTRAINTS},
	    {PATH_CRITICAL, "SupportedCriticalExtensions", "a critical extension that is not known", true,
		CHECK_UNKNOWN_CRITICAL_EXTENSION},
	};
	unsigned faults = chain_faults(ch, i);
	struct verdict v = passed();

	/* that an anchor is a CA with a sound key we ask in any case; the rest of its certificate the peer leaves aside */
	if (j->peer)
		faults = (i > 0 && i + 1 == ch->n ? faults & (PATH_NOT_CA | PATH_KEY) : faults) | peer_faults(ch, i);

	for (size_t k = 0; faults != 0 && k < sizeof(ROWS) / sizeof(ROWS[0]); k++) {
		enum check_level level = LEVEL_FAIL;

		if ((faults & ROWS[k].fault) == 0)
			continue;
		if (ROWS[k].by_level)
			level = level_of(j, ROWS[k].level, ctx, i == 0 ? POS_SIGNING : POS_CA);
		if (find_level(j, 1, level, ROWS[k].check, "RFC 5280 6.1", ch->v[i]->subject_text, NULL, "%s",
			ROWS[k].text != NULL ? ROWS[k].text : pki_key_fault(ch->v[i])))
			v = open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
	}
	return v;
}

/* Key usage of the end of the chain: what a signer, or a time-stamping authority, must be allowed to do. */
static struct verdict
usage_verdict(struct judge *j, const struct cert *c, enum check_context ctx)
{
	if (ctx == CTX_TIMESTAMP) {
		bool sole = (c->eku & EKU_TIMESTAMPING) != 0 && c->eku_critical && c->eku_count == 1;
		bool has = (c->eku & EKU_TIMESTAMPING) != 0;

		if (!has && find_level(j, 1, level_of(j, CHECK_TSA_EKU, ctx, POS_SIGNING), "ExtendedKeyUsage",
				"RFC 3161 2.3", c->subject_text, NULL, "no id-kp-timeStamping"))
			return open_verdict(SUB_CHAIN_CONSTRAINTS_FAILURE);
		if (has && !sole)
			find_add(j, 1, FIND_WARN, "ExtendedKeyUsage", "RFC 3161 2.3", c->subject_text, NULL,
			    "id-kp-timeStamping is not critical or not alone");
		if (c->has_key_usage && (c->key_usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0 &&
		    find_level(j, 1, level_of(j, CHECK_KEY_USAGE, ctx, POS_SIGNING), "KeyUsage", "RFC 5280 4.2.1.12", c->subject_text, NULL,
			"neither digitalSignature nor nonRepudiation"))
			return open_verdict(SUB_CHAIN_CONSTRAINTS_FAILURE);
	} else if (c->has_key_usage && (c->key_usage & KU_NON_REPUDIATION) == 0) {
		bool signs = (c->key_usage & KU_DIGITAL_SIGNATURE) != 0;
		/* a key that must not sign at all is no matter of policy (RFC 5280 4.2.1.3); the peer warns of it */
		enum check_level level = signs || j->peer ? level_of(j, CHECK_KEY_USAGE, ctx, POS_SIGNING) : LEVEL_FAIL;

		if (find_level(j, 1, level, "KeyUsage", CLAUSE, c->subject_text, NULL,
			signs ? "digitalSignature without nonRepudiation" : "neither digitalSignature nor nonRepudiation"))
			return open_verdict(SUB_CHAIN_CONSTRAINTS_FAILURE);
	}
	if (c->ocsp_nocheck) {
		find_add(j, 1, FIND_FAIL, "ForbiddenExtensions", CLAUSE, c->subject_text, NULL, "id-pkix-ocsp-nocheck in a signing certificate");
		return open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
	}
	return passed();
}

/*
 * What a chain must be at any time, so also where past validation walks it again: RFC 5280 6.1 without times, and for a
 * signer's or a time-stamping authority's what its end may do.
 */
struct verdict
chain_form(struct judge *j, const struct chain *ch, enum check_context ctx)
{
	struct verdict v = passed();

	for (size_t i = ch->n; i-- > 0;) {
		struct verdict one = place_verdict(j, ch, i, ctx);

		if (v.ind == IND_PASSED)
			v = one;
	}
	struct verdict usage = ctx == CTX_REVOCATION || ch->n == 1 ? passed() : usage_verdict(j, ch->v[0], ctx);
	return v.ind == IND_PASSED ? usage : v;
}

/* Delta, indirect and partial CRLs are recognised and never taken for whole ones (RFC 5280 5.2). */
static void
tell_unsupported(struct judge *j, const struct answers *a)
{
	for (size_t i = 0; a != NULL && i < a->n; i++)
		if (a->v[i].unsupported)
			find_add(j, 2, FIND_NOT_CHECKED, "RevocationDataSupported", "RFC 5280 5.2", a->cert->subject_text, NULL, "unsupported: %s",
			    a->v[i].problem == NULL ? "this kind of CRL" : a->v[i].problem);
}

static struct verdict
missing_verdict(struct judge *j, struct xcv *x, const struct answers *a, enum cert_position pos, bool any, const char *why)
{
	const struct cert *c = a->cert;
	enum check check = any ? CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND : CHECK_REVOCATION_DATA_AVAILABLE;

	if (!find_level(j, 1, level_of(j, check, x->ctx, pos), any ? "AcceptableRevocationDataFound" : "RevocationDataAvailable",
		CLAUSE, c->subject_text, "add revocation data for this certificate", "%s",
		any ? (why == NULL ? "none is acceptable" : why) : "no revocation data"))
		return passed();
	tell_unsupported(j, a);
	x->revocation_missing = true;
	return open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
}

static struct verdict
revoked_verdict(struct judge *j, struct chain_link *l, const struct cert *c, enum cert_position pos)
{
	const struct rev_answer *r = l->rev;
	char when[TIME_TEXT];

	if ((r->status != REV_REVOKED && r->status != REV_HOLD) || r->revoked_at > j->now)
		return passed();
	time_text(r->revoked_at, when);
	find_add(j, 1, FIND_FAIL, r->status == REV_HOLD ? "NotOnHold" : "NotRevoked", CLAUSE, c->subject_text,
	    "a proof of existence before that time", "%s since %s", r->status == REV_HOLD ? "on hold" : "revoked", when);
	l->revoked_at = r->revoked_at;
	if (r->status == REV_HOLD)
		return open_verdict(SUB_TRY_LATER);
	return open_verdict(pos == POS_SIGNING ? SUB_REVOKED_NO_POE : SUB_REVOKED_CA_NO_POE);
}

static struct verdict
revocation_verdict(struct judge *j, struct xcv *x, const struct chain *ch, size_t i)
{
	enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;
	const struct cert *c = ch->v[i];
	bool any;
	const char *why;

	if (!needs_revocation(c, false)) {
		find_add(j, 1, FIND_OK, "RevocationDataAvailable", CLAUSE, c->subject_text, NULL, "none is needed");
		return passed();
	}
	struct answers *a = judge_answers(j, c, ch->v[i + 1]);
	if (a == NULL)
		return open_verdict(SUB_NONE);
	const struct rev_answer *r = select_answer(j, a, x->line, &any, &why);
	if (r == NULL)
		return missing_verdict(j, x, a, pos, any, why);
	x->at[i].rev = r;
	struct verdict v = revoked_verdict(j, &x->at[i], c, pos);
	if (v.ind != IND_PASSED)
		return v;
	char at[TIME_TEXT];
	time_text(r->this_update, at);
	if (r->object->kind == REV_CRL && r->next_update == TIME_NONE &&
	    find_level(j, 1, level_of(j, CHECK_CRL_NEXT_UPDATE, x->ctx, pos), "CRLNextUpdatePresent", "RFC 5280 5.1.2.5", c->subject_text,
		NULL, "CRL of %s without nextUpdate", at))
		return open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
	find_add(j, 1, FIND_OK, "NotRevoked", CLAUSE, c->subject_text, NULL, "%s of %s", r->object->kind == REV_CRL ? "CRL" : "OCSP", at);
	return passed();
}

/* Does what is known of it reach to the validation time? (5.2.5) Of what is revoked the time of that counts. */
static struct verdict
freshness_verdict(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i)
{
	const struct rev_answer *r = x->at[i].rev;
	char at[TIME_TEXT];

	if (r == NULL || x->at[i].revocation.ind != IND_PASSED || told_at(j, x, ch, i, j->now, NULL, NULL))
		return passed();
	time_text(r->this_update, at);
	if (find_level(j, 1, level_of(j, CHECK_REVOCATION_FRESHNESS, x->ctx, i == 0 ? POS_SIGNING : POS_CA), "RevocationFreshness",
		"EN 319 102-1 5.2.5.4", ch->v[i]->subject_text, "newer revocation data", "of %s, past its next update", at))
		return open_verdict(SUB_TRY_LATER);
	return passed();
}

/* Is what signed it good at now? what: "certificate", "revocation data". */
static bool
crypto_good(struct judge *j, const struct alg_use *use, const char *what, const char *object)
{
	char text[64];

	find_alg(j, 1, use, j->now, object);
	if (alg_good(j, use, j->now))
		return true;
	alg_text(use, text, sizeof(text));
	find_add(j, 1, FIND_FAIL, "Cryptographic", CLAUSE, object, "a proof of existence before its end", "%s signed with %s", what, text);
	return false;
}

/* The certificate, its revocation data, and the certificates that stand behind those who signed the data. */
static struct verdict
crypto_verdict(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i)
{
	const struct rev_answer *r = x->at[i].rev;
	struct alg_use use = cert_alg(ch->v[i], ch->v[i + 1]);
	const char *subject = ch->v[i]->subject_text;
	bool good = crypto_good(j, &use, "certificate", subject);

	if (good && r != NULL) {
		const struct chain *of = signer_chain(j, r, x->line);

		use = answer_alg(r);
		good = crypto_good(j, &use, "revocation data", subject);
		for (size_t k = 0; good && of != NULL && k + 1 < of->n; k++) {
			use = cert_alg(of->v[k], of->v[k + 1]);
			good = crypto_good(j, &use, "certificate", of->v[k]->subject_text);
		}
	}
	return good ? passed() : open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
}

/* 5.2.6.4 step 7: outside its validity, and what is known of its revocation. */
static struct verdict
validity_verdict(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i)
{
	const struct cert *c = ch->v[i];
	const struct rev_answer *r = x->at[i].rev;
	char from[TIME_TEXT], to[TIME_TEXT];

	if (j->now >= c->not_before && j->now <= c->not_after) {
		if (i == 0 && r != NULL && !(j->now >= r->signer->not_before && j->now <= r->signer->not_after) &&
		    anchors_find(j->in->anchors, r->signer->sha256) == NULL &&
		    find_level(j, 1, level_of(j, CHECK_REVOCATION_ISSUER_NOT_EXPIRED, x->ctx, POS_SIGNING),
			"RevocationIssuerNotExpired", CLAUSE, r->signer->subject_text, "newer revocation data, or a proof of existence",
			"the issuer of the revocation data is outside its validity"))
			return open_verdict(SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE);
		return passed();
	}
	time_text(c->not_before, from);
	time_text(c->not_after, to);
	if (i > 0 && level_of(j, CHECK_CA_VALIDITY, x->ctx, POS_CA) != LEVEL_FAIL) {
		find_level(j, 1, level_of(j, CHECK_CA_VALIDITY, x->ctx, POS_CA), "NotExpired", CLAUSE, c->subject_text, NULL,
		    "CA valid from %s to %s", from, to);
		return passed();
	}
	find_add(j, 1, FIND_FAIL, "NotExpired", CLAUSE, c->subject_text, "a proof of existence inside its validity",
	    "valid from %s to %s", from, to);
	if (i > 0)
		return open_verdict(SUB_OUT_OF_BOUNDS_NO_POE);
	if (!needs_revocation(c, false))
		return open_verdict(SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	if (r != NULL && level_of(j, CHECK_REVOCATION_ISSUER_NOT_EXPIRED, x->ctx, POS_SIGNING) != LEVEL_FAIL)
		return open_verdict(SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	if (r != NULL && ((j->now >= r->signer->not_before && j->now <= r->signer->not_after) ||
			     anchors_find(j->in->anchors, r->signer->sha256) != NULL))
		return open_verdict(SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	return open_verdict(SUB_OUT_OF_BOUNDS_NO_POE);
}

/* How the certificate and its data are signed. */
static struct verdict
signature_verdict(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i)
{
	/* the peer compares names as they are encoded; RFC 5280 7.1 says otherwise */
	if (j->peer && !slice_eq(ch->v[i]->issuer, ch->v[i + 1]->subject)) {
		find_add(j, 1, FIND_FAIL, "IssuerName", CLAUSE, ch->v[i]->subject_text, NULL, "the issuer's name is written otherwise in its certificate");
		return open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
	}
	return crypto_verdict(j, x, ch, i);
}

struct verdict
link_verdict(const struct chain_link *l)
{
	if (l->revocation.ind != IND_PASSED)
		return l->revocation;
	return l->signature.ind != IND_PASSED ? l->signature : l->bounds;
}

bool
only_stale(const struct xcv *x)
{
	if (!verdict_is(x->v, SUB_TRY_LATER) || x->form.ind != IND_PASSED)
		return false;
	for (size_t i = 0; x->chain != NULL && i + 1 < x->chain->n; i++)
		if (link_verdict(&x->at[i]).ind != IND_PASSED)
			return false;
	return true;
}

static struct verdict
chain_verdict(struct judge *j, struct xcv *x, const struct chain *ch)
{
	struct verdict v = passed();

	for (size_t i = 0; i < CHAIN_MAX; i++)
		x->at[i] = (struct chain_link){NULL, TIME_NONE, passed(), passed(), passed(), passed()};
	x->form = chain_form(j, ch, x->ctx);
	x->revocation_missing = false;
	if (ch->anchor->sunset_utc <= j->now) {
		find_add(j, 1, FIND_FAIL, "TrustAnchorSunset", CLAUSE, ch->anchor->name, "a proof of existence before it",
		    "the anchor is past its sunset date");
		v = open_verdict(SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE);
	} else if (ch->n == 1) {
		find_add(j, 1, FIND_OK, "TrustAnchor", CLAUSE, x->cert->subject_text, NULL, "trusted itself");
	}
	if (v.ind == IND_PASSED)
		v = x->form;
	/* Every certificate is looked at: the report tells all, the verdict the first. */
	for (size_t i = 0; i + 1 < ch->n; i++) {
		x->at[i].revocation = revocation_verdict(j, x, ch, i);
		x->at[i].signature = signature_verdict(j, x, ch, i);
		x->at[i].bounds = validity_verdict(j, x, ch, i);
		x->at[i].freshness = freshness_verdict(j, x, ch, i);
		if (v.ind == IND_PASSED)
			v = link_verdict(&x->at[i]);
	}
	for (size_t i = 0; v.ind == IND_PASSED && i + 1 < ch->n; i++)
		v = x->at[i].freshness;
	return v;
}

/* How much it would take to mend it: a later proof, the best first; last what no proof mends. */
static size_t
distance(struct verdict v)
{
	static const enum subindication ORDER[] = {SUB_OUT_OF_BOUNDS_NOT_REVOKED, SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, SUB_OUT_OF_BOUNDS_NO_POE,
	    SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, SUB_TRY_LATER, SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE, SUB_REVOKED_CA_NO_POE, SUB_REVOKED_NO_POE};
	size_t i = 0;

	if (v.ind == IND_PASSED)
		return 0;
	while (i < sizeof(ORDER) / sizeof(ORDER[0]) && !verdict_is(v, ORDER[i]))
		i++;
	return i + 1;
}

static size_t
chain_distance(const struct xcv *x)
{
	size_t worst = distance(x->v), one = distance(x->form);

	for (size_t i = 0; x->chain != NULL && i < x->chain->n; i++) {
		worst = one > worst ? one : worst;
		one = distance(link_verdict(&x->at[i]));
		worst = distance(x->at[i].freshness) > worst ? distance(x->at[i].freshness) : worst;
	}
	return one > worst ? one : worst;
}

/* Of several chains the first that passes; else the one that is nearest to it, so that past validation has something to mend. */
static void
settle(struct judge *j, struct xcv *x)
{
	struct xcv best = {0};
	size_t nearest = 0;

	if (x->n_chains == 0) {
		x->v = open_verdict(SUB_NO_CERTIFICATE_CHAIN_FOUND);
		find_add(j, 1, FIND_FAIL, "ProspectiveCertificateChain", CLAUSE, x->cert->subject_text,
		    "trust its root or an issuer", "no chain to a trust anchor");
		return;
	}
	for (size_t i = 0; i < x->n_chains; i++) {
		x->v = chain_verdict(j, x, &x->chains[i]);
		x->chain = &x->chains[i];
		if (x->v.ind == IND_PASSED)
			return;
		size_t d = chain_distance(x);
		if (i == 0 || d < nearest) {
			best = *x;
			nearest = d;
		}
	}
	struct findings all = x->f;
	*x = best;
	x->f = all;
}

struct xcv *
judge_cert(struct judge *j, const struct cert *c, enum check_context ctx, enum line line)
{
	struct findings *before = j->f;
	struct err e = {0};

	for (struct xcv *x = j->xcvs; x != NULL; x = x->next)
		if (x->cert == c && x->ctx == ctx && x->line == line)
			return x;
	struct xcv *x = mem_new(1, sizeof(*x));
	if (x == NULL) {
		judge_nomem(j);
		return NULL;
	}
	x->cert = c;
	x->ctx = ctx;
	x->line = line;
	x->next = j->xcvs;
	j->xcvs = x;
	if (pool_chains(&j->pool, c, j->in->anchors, line_roles(line, ctx == CTX_REVOCATION), &x->chains, &x->n_chains, &x->partial, &e) != ERR_OK)
		judge_broke(j, &e);
	j->f = &x->f;
	settle(j, x);
	j->f = before;
	return x;
}

void
judge_memo_release(struct judge *j)
{
	while (j->answers != NULL) {
		struct answers *a = j->answers;

		j->answers = a->next;
		for (size_t l = 0; l < LINES; l++)
			free(a->acc[l]);
		free(a->v);
		free(a);
	}
	while (j->xcvs != NULL) {
		struct xcv *x = j->xcvs;

		j->xcvs = x->next;
		findings_release(&x->f);
		free(x->chains);
		free(x);
	}
	while (j->trusts != NULL) {
		struct issuer_trust *t = j->trusts;

		j->trusts = t->next;
		free(t);
	}
}
