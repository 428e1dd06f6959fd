/* SPDX-License-Identifier: MIT */
/*
 * What a verdict may rest on: digests that the catalogue allows at the time they are relied on, and stamps of the past.
 * Each row differs from a good one by what its name says.
 */
#include "tests/mini_rev.h"
#include "tests/mini_tree.h"

enum how { PLAIN = 0, DSS, TWO_ROOTS /* root2 is trusted too */ };
struct row {
	const char *name;
	struct doc (*make)(struct tree *w);
	int64_t at;
	enum indication ind;
	enum subindication sub;
	enum how how;
	struct token_how token; /* how its stamp is made */
};
#define NO IND_INDETERMINATE

static struct report *
judge(struct tree *w, const struct row *row)
{
	AUTO(buf) struct buf text = {0};
	AUTO(anchors) struct anchors *anchors = NULL;
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};

	token_how = row->token;
	AUTO(doc) struct doc d = row->make(w);
	token_how = (struct token_how){0};
	OK(anchors_new(&anchors, &e));
	trust(anchors, &w->root, ROLE_ALL, TIME_MAX);
	trust(anchors, &w->oroot, ROLE_ALL, TIME_MAX);
	if (row->how == TWO_ROOTS)
		trust(anchors, &w->root2, ROLE_ALL, TIME_MAX);
	trust(anchors, &w->troot, ROLE_TSA, TIME_MAX);
	OK(vpolicy_builtin(row->how == DSS ? "dss" : "default", NULL, &policy, &e));
	doc_text(&d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = row->at, .anchors = anchors, .prove_all = true};
	OK(verify_document(w->v, &in, &report, &e));
	assert_int_equal(report->status, DOC_VALIDATED);
	return report;
}

static void
rows_hold(struct tree *w, const struct row *rows, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(report) struct report *r = judge(w, &rows[i]);

		wrong += !verdict_is_so(rows[i].name, r, rows[i].ind, rows[i].sub, false);
	}
	assert_int_equal(wrong, 0);
}
#define ROWS_HOLD(w, rows) rows_hold(w, rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- digests of a token ---- */

/* The signer was revoked after the stamp, if the stamp says anything. */
static struct doc
mended_by(struct tree *w, const struct who *tsa)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, tsa, T0 + DAY, false);
	doc_crl(&d, &w->sub, T0 + 10 * DAY, &w->leaf, T0 + 9 * DAY);
	doc_crl(&d, &w->root, T0 + 10 * DAY, NULL, 0);
	doc_crl(&d, &w->troot, T0 + 10 * DAY, NULL, 0);
	return d;
}

static struct doc
mended(struct tree *w)
{
	return mended_by(w, &w->tsa);
}

/* An Edwards signature names no digest: that of the content is the SignerInfo's alone. */
static struct doc
mended_by_edwards(struct tree *w)
{
	AUTO(who) struct who tsa = mini_cert(NULL, (struct spec){.name = "tsa ed", .key = "ed25519", .issuer = &w->troot, .to = NEVER,
						       .serial = 80, .ext = TSA_EXT});

	return mended_by(w, &tsa);
}

static void
digests_of_tokens(void **state)
{
	static const int64_t AT = T0 + 11 * DAY;
	static const struct row ROWS[] = {
	    {"good", mended, AT, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"imprint by SHA-1", mended, AT, NO, SUB_REVOKED_NO_POE, PLAIN, {.imprint = DIGEST_SHA1}},
	    {"imprint by MD5", mended, AT, NO, SUB_REVOKED_NO_POE, PLAIN, {.imprint = DIGEST_MD5}},
	    {"imprint by MD5, as the peer has it", mended, AT, NO, SUB_REVOKED_NO_POE, DSS, {.imprint = DIGEST_MD5}},
	    {"ESSCertID alone", mended, AT, NO, SUB_REVOKED_NO_POE, PLAIN, {.ess_v1 = true}},
	    {"ESSCertID alone, as the peer has it", mended, AT, IND_PASSED, SUB_NONE, DSS, {.ess_v1 = true}},
	    {"ESSCertID and ESSCertIDv2", mended, AT, IND_PASSED, SUB_NONE, PLAIN, {.ess_both = true}},
	    {"ESSCertIDv2 by SHA-512", mended, AT, IND_PASSED, SUB_NONE, PLAIN, {.ess = DIGEST_SHA512}},
	    {"ESSCertIDv2 by MD5", mended, AT, NO, SUB_REVOKED_NO_POE, PLAIN, {.ess = DIGEST_MD5}},
	    {"Edwards, content by SHA-512", mended_by_edwards, AT, IND_PASSED, SUB_NONE, PLAIN, {.message = DIGEST_SHA512}},
	    {"Edwards, content by SHA-1", mended_by_edwards, AT, NO, SUB_REVOKED_NO_POE, PLAIN, {.message = DIGEST_SHA1}},
	};

	ROWS_HOLD(*state, ROWS);
}

/* ---- by which digest the signer is named ---- */

static struct doc
named_by(struct tree *w, enum digest_alg alg, enum digest_alg too)
{
	struct doc d = doc_new((struct doc_spec){.signer = &w->leaf, .signing_time = T0, .cert_digest = alg, .cert_digest_too = too});

	doc_cert(&d, &w->sub);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	return d;
}

static struct doc
named_by_sha512(struct tree *w)
{
	return named_by(w, DIGEST_SHA512, DIGEST_NONE);
}

static struct doc
named_by_md5(struct tree *w)
{
	return named_by(w, DIGEST_MD5, DIGEST_NONE);
}

static struct doc
named_by_md5_then_sha256(struct tree *w)
{
	return named_by(w, DIGEST_MD5, DIGEST_SHA256);
}

/* SHA-1 is relied on in 2011, and a stamp of 2011 says so. */
static struct doc
named_by_sha1(struct tree *w, bool in_time)
{
	struct doc d = doc_new((struct doc_spec){.signer = &w->oleaf_good, .signing_time = OLD, .cert_digest = DIGEST_SHA1});

	doc_cert(&d, &w->osub);
	lists(&d, &w->osub, &w->oroot, T0 + DAY);
	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, in_time ? OLD + DAY : T0, false);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

static struct doc
named_by_sha1_in_time(struct tree *w)
{
	return named_by_sha1(w, true);
}

static struct doc
named_by_sha1_late(struct tree *w)
{
	return named_by_sha1(w, false);
}

static void
digests_of_signers(void **state)
{
	static const int64_t AT = T0 + 2 * DAY;
	static const struct row ROWS[] = {
	    {"SHA-512", named_by_sha512, AT, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"MD5", named_by_md5, AT, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN, {0}},
	    {"MD5, of which the peer warns", named_by_md5, AT, IND_PASSED, SUB_NONE, DSS, {0}},
	    {"MD5, and SHA-256 in a second entry", named_by_md5_then_sha256, AT, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"SHA-1 in 2011", named_by_sha1_in_time, AT, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"SHA-1 today", named_by_sha1_late, AT, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN, {0}},
	};

	ROWS_HOLD(*state, ROWS);
}

/* ---- r and s in XML ---- */

/* The same numbers with so many octets of zero in front of each; first: the one before r. */
static struct doc
padded(struct tree *w, size_t zeros, uint8_t first)
{
	static const char OPEN[] = "Id=\"v\">", CLOSE[] = "</ds:SignatureValue>";
	struct doc d = under(&w->leaf, &w->sub);
	const char *from = strstr(buf_str(&d.head), OPEN) + strlen(OPEN), *to = strstr(from, CLOSE);
	AUTO(buf) struct buf value = {0}, wide = {0}, text = {0};
	struct err e = {0};

	OK(base64_to(slice_of((const uint8_t *)from, (size_t)(to - from)), &value, &e));
	for (size_t half = 0; half < 2; half++) {
		for (size_t i = 0; i < zeros; i++)
			buf_add8(&wide, half == 0 && i == 0 ? first : 0);
		buf_add(&wide, value.p + half * value.n / 2, value.n / 2);
	}
	buf_add(&text, d.head.p, (size_t)(from - (const char *)d.head.p));
	buf_addbase64(&text, buf_slice(&wide));
	buf_adds(&text, to);
	buf_release(&d.head);
	d.head = text;
	text = (struct buf){0};
	lists(&d, &w->sub, &w->root, T0 + DAY);
	return d;
}

static struct doc
padded_by_one(struct tree *w)
{
	return padded(w, 1, 0);
}

static struct doc
padded_by_eight(struct tree *w)
{
	return padded(w, 8, 0);
}

static struct doc
padded_by_another(struct tree *w)
{
	return padded(w, 1, 1);
}

static struct doc
padded_too_far(struct tree *w)
{
	return padded(w, 41, 0);
}

static bool
says(const struct report *r, const char *check, enum finding_status st)
{
	for (size_t i = 0; i < r->sigs[0].n_findings; i++)
		if (strcmp(r->sigs[0].findings[i].check, check) == 0 && r->sigs[0].findings[i].status == st)
			return true;
	return false;
}

static void
wide_pairs(void **state)
{
	static const struct row ROWS[] = {
	    {"r and s of 33 octets", padded_by_one, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"r and s of 40 octets", padded_by_eight, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN, {0}},
	    {"another r", padded_by_another, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, PLAIN, {0}},
	    {"wider than any curve's", padded_too_far, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, PLAIN, {0}},
	};
	AUTO(report) struct report *odd = judge(*state, &ROWS[0]);
	AUTO(report) struct report *plain_form = judge(*state, &(struct row){.make = named_by_sha512, .at = T0 + 2 * DAY});

	ROWS_HOLD(*state, ROWS);
	assert_true(says(odd, "SignatureValueForm", FIND_WARN));
	assert_false(says(plain_form, "SignatureValueForm", FIND_WARN));
}

/* ---- stamps ---- */

/* Nobody has seen the stamp's time yet. */
static struct doc
stamped_tomorrow(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + 5 * DAY, false);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

static struct doc
content_of_tomorrow(struct tree *w)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->leaf, .signing_time = T0, .content_tsa = &w->tsa, .content_time = T0 + 5 * DAY});

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + DAY, &w->leaf, T0);
	doc_crl(&d, &w->root, T0 + DAY, NULL, 0);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

static void
stamps_of_the_future(void **state)
{
	static const struct {
		const char *name;
		int64_t at;
		enum how how;
		struct verdict want;
		bool gives;
	} ROWS[] = {
	    {"before its time", T0 + 5 * DAY - 1, PLAIN, {NO, SUB_NO_POE}, false},
	    {"before its time, as the peer", T0 + 5 * DAY - 1, DSS, {NO, SUB_NO_POE}, false},
	    {"at its time", T0 + 5 * DAY, PLAIN, {IND_PASSED, SUB_NONE}, true},
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct row row = {.make = stamped_tomorrow, .at = ROWS[i].at, .how = ROWS[i].how};
		AUTO(report) struct report *r = judge(*state, &row);
		const struct report_stamp *s = &r->sigs[0].stamps[0];

		if (s->verdict.ind != ROWS[i].want.ind || s->verdict.sub != ROWS[i].want.sub || s->gives_poe != ROWS[i].gives)
			fail_msg("%s: %s %s", ROWS[i].name, indication_name(s->verdict.ind), subindication_name(s->verdict.sub));
		assert_int_equal(r->sigs[0].verdict.ind, IND_PASSED);
		assert_true(r->sigs[0].best_signature_time <= row.at);
	}
	/* that the data is younger than the revocation can't be said before the stamp's time has come */
	static const struct row CONTENT[] = {
	    {"content, before its time", content_of_tomorrow, T0 + 2 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN, {0}},
	    {"content, after its time", content_of_tomorrow, T0 + 6 * DAY, IND_FAILED, SUB_REVOKED, PLAIN, {0}},
	};
	ROWS_HOLD(*state, CONTENT);
}

/* ---- algorithms and keys of CAs ---- */

/* The signer's list is signed with SHA-1 today; there are two chains, the one as good as the other. */
static struct doc
listed_by_sha1(struct tree *w, bool cross)
{
	struct doc d = under(&w->leaf, &w->sub);
	AUTO(buf) struct buf der = {0};
	struct pki *p = NULL;
	struct err e = {0};

	if (cross)
		doc_cert(&d, &w->cross);
	OK(pki_new(&p, &e));
	buf_addslice(&der, crl_make(p, (struct crl_spec){.issuer = &w->sub, .digest = "SHA1", .this_update = T0 + DAY})->der);
	pki_free(p);
	doc_value(&d, "crl", &der);
	lists(&d, &w->root, &w->root2, T0 + DAY);
	return d;
}

static struct doc
listed_by_sha1_one_chain(struct tree *w)
{
	return listed_by_sha1(w, false);
}

static struct doc
listed_by_sha1_two_chains(struct tree *w)
{
	return listed_by_sha1(w, true);
}

/* The CA was revoked after the signature was stamped; nothing proves that its list was there before. */
static struct doc
ca_revoked_later(struct tree *w, int reason)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	lists(&d, &w->sub, &w->troot, T0 + 2 * DAY);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, T0 + 50 * DAY, reason);
	return d;
}

static struct doc
ca_key_stolen(struct tree *w)
{
	return ca_revoked_later(w, 1);
}

static struct doc
ca_revoked_unspecified(struct tree *w)
{
	return ca_revoked_later(w, 0);
}

static struct doc
ca_superseded(struct tree *w)
{
	return ca_revoked_later(w, 4);
}

static void
algorithms_and_keys_of_cas(void **state)
{
	static const struct row ROWS[] = {
	    {"a list signed with SHA-1", listed_by_sha1_one_chain, T0 + 2 * DAY, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN, {0}},
	    {"the same under two chains", listed_by_sha1_two_chains, T0 + 2 * DAY, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, TWO_ROOTS, {0}},
	    {"the CA's key stolen", ca_key_stolen, T0 + 70 * DAY, NO, SUB_REVOKED_CA_NO_POE, PLAIN, {0}},
	    {"the CA's key stolen, as the peer has it", ca_key_stolen, T0 + 70 * DAY, IND_PASSED, SUB_NONE, DSS, {0}},
	    {"the CA revoked for no reason told", ca_revoked_unspecified, T0 + 70 * DAY, NO, SUB_REVOKED_CA_NO_POE, PLAIN, {0}},
	    {"the CA superseded", ca_superseded, T0 + 70 * DAY, IND_PASSED, SUB_NONE, PLAIN, {0}},
	};

	ROWS_HOLD(*state, ROWS);
}

/* ---- revocation data ---- */

/* The CA's own answers, those of another key of its name under the same root, those of its delegates; each says one thing. */
enum said {
	NOTHING = 0,
	GOOD_1,	     /* the CA's list of day 1, the leaf not on it */
	GOOD_9,
	REVOKED_5,   /* its list of day 5: since day 3 */
	HELD_5,	     /* on hold since day 3 */
	NAMESAKE_9,  /* the other key's list of day 9, the leaf not on it */
	NAMESAKE_REVOKED_7, /* since day 2 */
	OLD_FACTS_9, /* a delegate's answer: good as of day 1, produced on day 9 */
	DELEGATE_REVOKED_5, /* one without nocheck, of whose own status nothing is known */
	DELTA_5,     /* the leaf on a delta list: since day 3 */
	DELTA_EMPTY_9,
	SHARD_9,     /* a list of one distribution point, which the leaf does not name */
	SHARD_REVOKED_9, /* since day 3 */
	FUTURE_GOOD,
	FUTURE_REVOKED
};

static void
say_list(struct doc *d, struct tree *w, enum said what)
{
	static const char POINT[] = "2.5.29.28=critical,DER:3014a012a010860e687474703a2f2f782f612e63726c";
	static const char DELTA[] = "2.5.29.27=critical,DER:020101";
	AUTO(buf) struct buf der = {0};

	switch (what) {
	case GOOD_1:
		crl_der(&der, &w->sub, T0 + DAY, NULL, 0, NULL);
		break;
	case GOOD_9:
		crl_der(&der, &w->sub, T0 + 9 * DAY, NULL, 0, NULL);
		break;
	case REVOKED_5:
		crl_der(&der, &w->sub, T0 + 5 * DAY, &w->leaf, T0 + 3 * DAY, NULL);
		break;
	case NAMESAKE_9:
		crl_der(&der, &w->rekeyed, T0 + 9 * DAY, NULL, 0, NULL);
		break;
	case NAMESAKE_REVOKED_7:
		crl_der(&der, &w->rekeyed, T0 + 7 * DAY, &w->leaf, T0 + 2 * DAY, NULL);
		break;
	case DELTA_5:
		crl_der(&der, &w->sub, T0 + 5 * DAY, &w->leaf, T0 + 3 * DAY, DELTA);
		break;
	case DELTA_EMPTY_9:
		crl_der(&der, &w->sub, T0 + 9 * DAY, NULL, 0, DELTA);
		break;
	case SHARD_9:
		crl_der(&der, &w->sub, T0 + 9 * DAY, NULL, 0, POINT);
		break;
	case SHARD_REVOKED_9:
		crl_der(&der, &w->sub, T0 + 9 * DAY, &w->leaf, T0 + 3 * DAY, POINT);
		break;
	case FUTURE_GOOD:
		crl_der(&der, &w->sub, T0 + 30 * DAY, NULL, 0, NULL);
		break;
	default:
		crl_der(&der, &w->sub, T0 + 30 * DAY, &w->leaf, T0 + 3 * DAY, NULL);
		break;
	}
	doc_value(d, "crl", &der);
}

static void
say_answer(struct doc *d, struct tree *w, bool revoked)
{
	AUTO(who) struct who delegate = mini_cert(NULL, (struct spec){.name = "delegate", .key = "p256", .issuer = &w->sub, .to = NEVER, .serial = 81,
							    .ext = {"extendedKeyUsage=OCSPSigning", revoked ? "keyUsage=digitalSignature" : "noCheck=ignored"}});
	unsigned char *der = NULL;
	struct slice s = ocsp_octets((struct ocsp_spec){.signer = &delegate, .subject = w->leaf.x509, .issuer = w->sub.x509,
					   .status = revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD, .reason = -1, .revoked_at = T0 + 3 * DAY,
					   .this_update = revoked ? T0 + 5 * DAY : T0 + DAY, .produced_at = revoked ? T0 + 5 * DAY : T0 + 9 * DAY}, 0, &der);
	AUTO(buf) struct buf value = {0};

	buf_addslice(&value, s);
	doc_value(d, "ocsp", &value);
	OPENSSL_free(der);
}

static void
say(struct doc *d, struct tree *w, enum said what)
{
	if (what == OLD_FACTS_9 || what == DELEGATE_REVOKED_5)
		say_answer(d, w, what == DELEGATE_REVOKED_5);
	else if (what == HELD_5)
		list(d, &w->sub, T0 + 5 * DAY, &w->leaf, T0 + 3 * DAY, 6);
	else
		say_list(d, w, what);
}

enum { SAID_MAX = 4 };
static const struct {
	const char *name;
	enum said said[SAID_MAX];
	struct verdict want;
} SAID_ROWS[] = {
    {"good", {GOOD_9}, {IND_PASSED, SUB_NONE}},
    {"two good ones", {GOOD_9, GOOD_1}, {IND_PASSED, SUB_NONE}},
    {"revoked", {REVOKED_5}, {NO, SUB_REVOKED_NO_POE}},
    {"revoked, older good", {REVOKED_5, GOOD_1}, {NO, SUB_REVOKED_NO_POE}},
    {"revoked, newer good: nobody takes it back", {REVOKED_5, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"a namesake's newer list", {REVOKED_5, NAMESAKE_9, GOOD_1}, {NO, SUB_REVOKED_NO_POE}},
    {"the CA's new key alone", {NAMESAKE_9}, {IND_PASSED, SUB_NONE}},
    {"the CA's new key revokes", {NAMESAKE_REVOKED_7, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"held", {HELD_5, GOOD_1}, {NO, SUB_TRY_LATER}},
    {"held, and good again", {HELD_5, GOOD_9, GOOD_1}, {IND_PASSED, SUB_NONE}},
    {"held, and a namesake calls it good", {HELD_5, NAMESAKE_9}, {NO, SUB_TRY_LATER}},
    {"held, and old facts produced later", {HELD_5, OLD_FACTS_9}, {NO, SUB_TRY_LATER}},
    {"held and revoked", {HELD_5, REVOKED_5, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"old facts produced later", {OLD_FACTS_9, REVOKED_5}, {NO, SUB_REVOKED_NO_POE}},
    {"old facts alone", {OLD_FACTS_9}, {NO, SUB_TRY_LATER}},
    {"revoked by a delegate that nothing is known of", {DELEGATE_REVOKED_5, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"a delta list revokes", {DELTA_5, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"a delta list says no more", {DELTA_EMPTY_9, GOOD_9}, {IND_PASSED, SUB_NONE}},
    {"a delta list makes no stale one younger", {DELTA_EMPTY_9, GOOD_1}, {NO, SUB_TRY_LATER}},
    {"a delta list alone", {DELTA_EMPTY_9}, {NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE}},
    {"a part of a list alone", {SHARD_9}, {NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE}},
    {"a part of a list revokes", {SHARD_REVOKED_9, GOOD_9}, {NO, SUB_REVOKED_NO_POE}},
    {"nothing from the future", {FUTURE_GOOD}, {NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE}},
    {"nothing from the future, beside one of today", {FUTURE_REVOKED, GOOD_9}, {IND_PASSED, SUB_NONE}},
};

static struct report *
judge_said(struct tree *w, const enum said order[SAID_MAX])
{
	AUTO(buf) struct buf text = {0};
	AUTO(anchors) struct anchors *anchors = NULL;
	AUTO(doc) struct doc d = under(&w->leaf, &w->sub);
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};

	doc_cert(&d, &w->rekeyed);
	doc_crl(&d, &w->root, T0 + 9 * DAY, NULL, 0);
	for (size_t i = 0; i < SAID_MAX; i++)
		if (order[i] != NOTHING)
			say(&d, w, order[i]);
	OK(anchors_new(&anchors, &e));
	trust(anchors, &w->root, ROLE_ALL, TIME_MAX);
	OK(vpolicy_builtin("default", NULL, &policy, &e));
	doc_text(&d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = T0 + 10 * DAY, .anchors = anchors, .prove_all = true};
	OK(verify_document(w->v, &in, &report, &e));
	return report;
}

/* All orders of said[from..]: each gives the verdict. */
static size_t
wrong_orders(struct tree *w, size_t row, enum said said[SAID_MAX], size_t from)
{
	size_t wrong = 0;

	if (from == SAID_MAX) {
		AUTO(report) struct report *r = judge_said(w, said);

		return !verdict_is_so(SAID_ROWS[row].name, r, SAID_ROWS[row].want.ind, SAID_ROWS[row].want.sub, false);
	}
	for (size_t i = from; i < SAID_MAX; i++) {
		enum said first = said[from];

		/* nothing stands last, in one order */
		if (said[i] == NOTHING && first != NOTHING)
			continue;
		said[from] = said[i];
		said[i] = first;
		wrong += wrong_orders(w, row, said, from + 1);
		said[i] = said[from];
		said[from] = first;
		if (first == NOTHING)
			break;
	}
	return wrong;
}

static void
contradictory_answers(void **state)
{
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(SAID_ROWS) / sizeof(SAID_ROWS[0]); i++) {
		enum said said[SAID_MAX];

		memcpy(said, SAID_ROWS[i].said, sizeof(said));
		wrong += wrong_orders(*state, i, said, 0);
	}
	assert_int_equal(wrong, 0);
}

/* ---- bounds ---- */

/* Lists by one CA's name, and keys of that name that made none of them. */
static struct report *
judge_namesakes(struct tree *w, size_t n_lists, size_t n_keys, bool last_revokes)
{
	AUTO(buf) struct buf text = {0};
	AUTO(anchors) struct anchors *anchors = NULL;
	AUTO(doc) struct doc d = under(&w->leaf, &w->sub);
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};
	struct who stranger = CERT(.name = "sub", .ca = true, .serial = 90);

	lists(&d, &w->sub, &w->root, T0 + DAY);
	for (size_t i = 0; i < n_lists; i++)
		doc_crl(&d, &stranger, T0 + DAY + (int64_t)i, NULL, 0);
	if (last_revokes)
		doc_crl(&d, &w->rekeyed, T0 + DAY, &w->leaf, T0);
	for (size_t i = 0; i < n_keys; i++) {
		AUTO(who) struct who namesake = CERT(.name = "sub", .ca = true, .issuer = &w->root, .serial = (long)(100 + i));

		doc_cert(&d, &namesake);
	}
	doc_cert(&d, &w->rekeyed);
	who_free(&stranger);
	OK(anchors_new(&anchors, &e));
	trust(anchors, &w->root, ROLE_ALL, TIME_MAX);
	OK(vpolicy_builtin("default", NULL, &policy, &e));
	doc_text(&d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = T0 + 2 * DAY, .anchors = anchors, .prove_all = true};
	OK(verify_document(w->v, &in, &report, &e));
	return report;
}

/* Behind the bound nothing is valid, since a list that was not tried might revoke; nor is anything invalid. */
static void
public_key_operations(void **state)
{
	static const struct {
		size_t lists, keys;
		bool revokes, bounded;
		struct verdict want;
	} ROWS[] = {
	    {2, 8, false, false, {IND_PASSED, SUB_NONE}},
	    {2, 8, true, false, {NO, SUB_REVOKED_NO_POE}},
	    {PKI_WRONG_MAX / 16 + 2, 16, false, true, {NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE}},
	    {2, 8, false, false, {IND_PASSED, SUB_NONE}}, /* each document has its own count */
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		AUTO(report) struct report *r = judge_namesakes(*state, ROWS[i].lists, ROWS[i].keys, ROWS[i].revokes);

		char name[32];

		snprintf(name, sizeof(name), "namesakes, row %zu", i);
		assert_true(verdict_is_so(name, r, ROWS[i].want.ind, ROWS[i].want.sub, false));
		assert_int_equal(says(r, "PublicKeyOperations", FIND_NOT_CHECKED), ROWS[i].bounded);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digests_of_tokens),
	    cmocka_unit_test(digests_of_signers),
	    cmocka_unit_test(wide_pairs),
	    cmocka_unit_test(stamps_of_the_future),
	    cmocka_unit_test(algorithms_and_keys_of_cas),
	    cmocka_unit_test(contradictory_answers),
	    cmocka_unit_test(public_key_operations),
	};

	return cmocka_run_group_tests_name("relied", tests, tree_up, tree_down);
}
