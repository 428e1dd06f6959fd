/* SPDX-License-Identifier: MIT */
/* Time-stamps: opened, their imprints recomputed, and the basic validation of EN 319 102-1 5.4 at the validation time. */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

#define CLAUSE "EN 319 102-1 5.4"

bool
is_content_stamp(const struct jstamp *t)
{
	return t->xs != NULL && (t->xs->type == STAMP_ALL_DATA || t->xs->type == STAMP_INDIVIDUAL_DATA);
}

/* Some producers followed another reading of TS 101 903 (xades.md 4). */
static bool
second_recipe(struct judge *j, struct jsig *g, struct jstamp *t)
{
	struct digest d = {0};
	struct err e = {0};

	return stamp_imprint_listed(j->doc, g->s, t->xs, t->tok->imprint.alg, &d, &e) == ERR_OK && digest_eq(&d, &t->tok->imprint);
}

/* Is what the token promises the digest of what the stamp covers? */
static struct verdict
imprint_verdict(struct judge *j, struct jsig *g, struct jstamp *t)
{
	struct digest d = {0};
	struct err e = {0};
	enum err_code rc = stamp_imprint(j->doc, g->s, t->xs, t->tok->imprint.alg, &d, &e);

	switch (rc) {
	case ERR_OK:
		break;
	case ERR_NOTFOUND:
		find_add(j, 1, FIND_FAIL, "TimestampImprintFound", CLAUSE, t->r->id, "give the detached data", "%s", e.text);
		return open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
	case ERR_FORMAT:
	case ERR_UNSUPPORTED:
	case ERR_LIMIT:
	case ERR_REFUSED:
		find_add(j, 1, FIND_FAIL, "TimestampImprintFound", CLAUSE, t->r->id, NULL, "%s", e.text);
		t->r->imprint_intact = rc == ERR_FORMAT ? TRI_FALSE : TRI_UNKNOWN;
		return rc == ERR_FORMAT ? failed(SUB_HASH_FAILURE) : open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
	default:
		judge_broke(j, &e);
		return open_verdict(SUB_NONE);
	}
	t->r->imprint_intact = digest_eq(&d, &t->tok->imprint) ? TRI_TRUE : TRI_FALSE;
	if (t->r->imprint_intact == TRI_FALSE && second_recipe(j, g, t)) {
		find_add(j, 1, FIND_WARN, "TimestampImprintIntact", CLAUSE, t->r->id, NULL, "only by the second recipe for its kind (docs/imprint.md)");
		t->r->imprint_intact = TRI_TRUE;
	}
	find_add(j, 1, t->r->imprint_intact == TRI_TRUE ? FIND_OK : FIND_FAIL, "TimestampImprintIntact", CLAUSE, t->r->id, NULL, "%s",
	    t->r->imprint_intact == TRI_TRUE ? "the octets it covers have its digest" : "the octets it covers have another digest");
	return t->r->imprint_intact == TRI_TRUE ? passed() : failed(SUB_HASH_FAILURE);
}

/* A certificate vouches for a time inside its validity only; later ones of a TSA say nothing of the years before them. */
static struct verdict
time_in_bounds(struct judge *j, const struct jstamp *t)
{
	const struct cert *c = t->signer.cert;
	const struct anchor *a = anchors_find(j->in->anchors, c->sha256);

	if (t->tok->gen_time > c->private_key_end)
		find_add(j, 1, FIND_WARN, "PrivateKeyUsagePeriod", "RFC 3280 4.2.1.4", t->r->id, NULL, "the TSA's key was not to be used any more");
	if (j->peer || (a != NULL && (a->roles & ROLE_TSA) != 0) || (t->tok->gen_time >= c->not_before && t->tok->gen_time <= c->not_after))
		return passed();
	find_add(j, 1, FIND_FAIL, "TimestampTimeInCertRange", "RFC 3161 2.4.2", t->r->id, NULL, "genTime is outside the validity of the TSA's certificate");
	return failed(t->tok->gen_time < c->not_before ? SUB_NOT_YET_VALID : SUB_EXPIRED);
}

/*
 * The token's signature is right. What RFC 3161 and 5816 ask beyond it: the ESSCertID names the signer's certificate (else any
 * certificate with that key would do), a time in UTC, no critical extension that nobody here knows, a time that the
 * certificate may vouch for. The peer reads no token that names no certificate at all.
 */
static struct verdict
own_rules(struct judge *j, const struct jstamp *t)
{
	if (j->peer && !t->tok->has_ess_v1 && !t->tok->has_ess_v2)
		return failed(SUB_FORMAT_FAILURE);
	if (!t->signer.ess_serial_match)
		find_add(j, 1, FIND_WARN, "IssuerSerialMatch", "RFC 5816 2.2.1", t->r->id, NULL, "ESSCertID names another issuer or serial number");
	if (t->tok->signed_attributes_unsorted)
		find_add(j, 1, FIND_WARN, "TimestampSignature", "RFC 5652 5.3", t->r->id, NULL, "right only over the attributes in DER's order");
	if (!t->signer.ess_match &&
	    find_level(j, 1, level_of(j, CHECK_CERT_DIGEST_MATCH, CTX_TIMESTAMP, POS_SIGNING), "SigningCertificateReference", "RFC 5816 2.2.1",
		t->r->id, "the TSA's certificate that the token names", "ESSCertID names no certificate that signed it"))
		return open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
	if (!j->peer && (t->tok->unknown_critical || t->tok->time_not_utc)) {
		find_add(j, 1, FIND_FAIL, "TimestampFormat", "RFC 3161 2.4.2", t->r->id, NULL, "%s",
		    t->tok->unknown_critical ? "a critical extension that is not known here" : "genTime is not in UTC");
		return failed(SUB_FORMAT_FAILURE);
	}
	if (t->tok->bad_time_form)
		find_add(j, 1, FIND_WARN, "TimestampFormat", "RFC 3161 2.4.2", t->r->id, NULL, "genTime is not in the form of RFC 3161");
	return time_in_bounds(j, t);
}

static struct verdict
token_verdict(struct judge *j, struct jstamp *t)
{
	switch (t->signer.problem) {
	case TOKEN_OK:
		return own_rules(j, t);
	case TOKEN_NO_SIGNER:
		find_add(j, 1, FIND_FAIL, "TimestampSigner", CLAUSE, t->r->id, "the TSA's certificate", "certificate not found");
		return open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
	case TOKEN_HASH:
		find_add(j, 1, FIND_FAIL, "TimestampSignature", CLAUSE, t->r->id, NULL, "the token's own content has another digest");
		return failed(SUB_HASH_FAILURE);
	case TOKEN_SIGNATURE:
		find_add(j, 1, FIND_FAIL, "TimestampSignature", CLAUSE, t->r->id, NULL, "the token's signature is wrong");
		return failed(SUB_SIG_CRYPTO_FAILURE);
	default:
		find_add(j, 1, FIND_FAIL, "TimestampFormat", CLAUSE, t->r->id, NULL, "not a time-stamp token of RFC 3161");
		return failed(SUB_FORMAT_FAILURE);
	}
}

void
stamp_token_verdict(struct judge *j, struct jstamp *t)
{
	t->cv = token_verdict(j, t);
}

/* What the token's word rests on: its signature, and the digests of imprint, content and certificate. */
static void
token_uses(struct judge *j, struct jstamp *t)
{
	bool ess = level_of(j, CHECK_CERT_DIGEST_ALGORITHM, CTX_TIMESTAMP, POS_SIGNING) == LEVEL_FAIL;
	const enum digest_alg digests[] = {t->tok->imprint.alg, t->signer.message_digest, ess ? t->signer.ess_digest : DIGEST_NONE};

	subject_uses(j, &t->sub, &t->r->signed_with);
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		struct alg_use use = {.digest = digests[i], .usage = USE_TIMESTAMPS};

		if (digests[i] != DIGEST_NONE)
			subject_uses(j, &t->sub, &use);
	}
}

/* Facts of the token into the report; t->tok is set. */
void
stamp_open(struct judge *j, struct jstamp *t)
{
	struct report_stamp *r = t->r;
	struct err e = {0};

	r->time_utc = t->tok->gen_time;
	r->imprint = (struct alg_use){.digest = t->tok->imprint.alg, .usage = USE_TIMESTAMPS};
	r->tsa_not_after = r->ca_not_after = TIME_MAX;
	memcpy(t->sub.key, t->tok->sha256, 32);
	if (pool_token_signer(&j->pool, t->tok, &t->signer, &e) != ERR_OK) {
		judge_broke(j, &e);
		return;
	}
	r->signed_with = t->signer.signed_with;
	r->signed_with.usage = USE_TIMESTAMPS;
	if (t->signer.problem == TOKEN_OK)
		token_uses(j, t);
	if (t->signer.cert == NULL)
		return;
	r->tsa_subject = mem_dupstr(t->signer.cert->subject_text);
	if (r->tsa_subject == NULL)
		judge_nomem(j);
	memcpy(r->tsa_sha256, t->signer.cert->sha256, 32);
	r->tsa_not_after = t->signer.cert->not_after;
}

/* cv is known: the chain, then the algorithms at the validation time. */
void
stamp_basic(struct judge *j, struct jstamp *t)
{
	struct report_stamp *r = t->r;
	const struct alg_use *weak;

	r->basic = t->cv;
	if (t->signer.cert != NULL && t->signer.problem != TOKEN_NO_SIGNER)
		t->sub.x = judge_cert(j, t->signer.cert, CTX_TIMESTAMP, LINE_TSA);
	if (t->sub.x != NULL) {
		find_verdict(j, 1, "X509CertificateValidation", "EN 319 102-1 5.2.6", r->tsa_subject, t->sub.x->v);
		findings_copy(j, &t->sub.x->f, 1);
	}
	if (r->basic.ind == IND_PASSED && t->sub.x != NULL)
		r->basic = t->sub.x->v;
	if (r->basic.ind == IND_PASSED && t->misnamed)
		r->basic = open_verdict(SUB_SIG_CONSTRAINTS_FAILURE);
	if (r->basic.ind == IND_PASSED && (weak = subject_weak(j, &t->sub, j->now)) != NULL) {
		char text[64];

		alg_text(weak, text, sizeof(text));
		find_add(j, 1, FIND_FAIL, "Cryptographic", CLAUSE, r->id, "a newer time-stamp over it", "%s is not reliable now", text);
		r->basic = open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
	}
	/* nobody has seen that time yet: it proves neither that a thing was there nor that it came later */
	if (r->basic.ind == IND_PASSED && t->tok->gen_time > j->now) {
		find_add(j, 1, FIND_FAIL, "TimestampInThePast", CLAUSE, r->id, "ask again after that time", "it claims a time after the validation time");
		r->basic = open_verdict(SUB_NO_POE);
	}
	for (size_t i = 0; r->basic.ind == IND_PASSED && i < t->sub.n_own; i++)
		find_alg(j, 1, &t->sub.own[i], j->now, r->id);
	r->verdict = r->basic;
}

static void
judge_stamp(struct judge *j, struct jsig *g, struct jstamp *t)
{
	struct report_stamp *r = t->r;
	char when[TIME_TEXT];

	if (t->tok == NULL) {
		find_add(j, 0, FIND_FAIL, "Timestamp", CLAUSE, r->id, NULL, "%s: no readable token%s%s", stamp_type_name(r->type),
		    t->xs->note == NULL ? "" : ": ", t->xs->note == NULL ? "" : t->xs->note);
		r->basic = r->verdict = failed(SUB_FORMAT_FAILURE);
		r->time_utc = TIME_NONE;
		r->tsa_not_after = r->ca_not_after = TIME_MAX;
		return;
	}
	stamp_open(j, t);
	time_text(r->time_utc, when);
	find_add(j, 0, FIND_INFO, "Timestamp", CLAUSE, r->id, NULL, "%s of %s by %s", stamp_type_name(r->type), when,
	    r->tsa_subject == NULL ? "?" : r->tsa_subject);
	struct verdict token = token_verdict(j, t);
	struct verdict imprint = imprint_verdict(j, g, t);
	t->cv = token.ind == IND_INDETERMINATE ? token : imprint.ind != IND_PASSED ? imprint : token;
	if (!t->signer.tsa_name_match)
		t->misnamed = find_level(j, 1, level_of(j, CHECK_TSA_NAME_MATCH, CTX_TIMESTAMP, POS_SIGNING), "TSAGeneralNameContentMatch",
		    "RFC 3161 2.4.2", r->id, NULL, "the tsa field names another");
	stamp_basic(j, t);
	find_verdict(j, 1, "BasicTimestampValidation", CLAUSE, stamp_type_name(r->type), r->basic);
}

/* 5.5.4: content, then signature, then references, then archive; an archive stamp covers those before it in the file. */
static bool
must_precede(const struct jstamp *x, const struct jstamp *y)
{
	static const int RANK[] = {[STAMP_ALL_DATA] = 0, [STAMP_INDIVIDUAL_DATA] = 0, [STAMP_SIGNATURE] = 1,
	    [STAMP_SIG_AND_REFS] = 2, [STAMP_REFS_ONLY] = 2, [STAMP_ARCHIVE] = 3};

	if (x->xs->type == STAMP_ARCHIVE && y->xs->type == STAMP_ARCHIVE)
		return x->xs->position < y->xs->position;
	return RANK[x->xs->type] < RANK[y->xs->type];
}

static void
judge_order(struct judge *j, struct jsig *g)
{
	for (size_t a = 0; a < g->n_stamps; a++)
		for (size_t b = 0; b < g->n_stamps; b++) {
			const struct jstamp *x = &g->stamps[a], *y = &g->stamps[b];

			if (x->tok == NULL || y->tok == NULL || !must_precede(x, y) || x->tok->gen_time <= y->tok->gen_time)
				continue;
			g->order_fails = find_level(j, 0, level_of(j, CHECK_TIMESTAMP_COHERENCE, CTX_SIGNATURE, POS_SIGNING), "TimestampCoherence",
			    "EN 319 102-1 5.5.4", y->r->id, NULL, "TIMESTAMP_ORDER: %s is older than the %s it follows",
			    stamp_type_name(y->xs->type), stamp_type_name(x->xs->type));
			return;
		}
}

void
judge_stamps(struct judge *j, struct jsig *g)
{
	for (size_t i = 0; i < g->n_stamps; i++)
		judge_stamp(j, g, &g->stamps[i]);
	judge_order(j, g);
}
