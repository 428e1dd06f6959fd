/* SPDX-License-Identifier: MIT */
/*
 * Verdicts that hang on the chain: who may certify, list, answer and stamp, which of two chains counts, and what a
 * revocation of signer or CA leaves standing. Each row differs from a good one by what its name says.
 */
#include "tests/mini_world.h"

#define RESPONDER {"extendedKeyUsage=OCSPSigning", "noCheck=ignored"}
#define SIGNER {"keyUsage=critical,nonRepudiation"}
#define CRITICAL "1.3.6.1.4.1.99999.5=critical,DER:0500"
#define OLD (T0 - 15 * YEAR) /* 2011: SHA-1 could still be relied on */

/* root > sub > leaf, root2 > cross (sub's key), root2 > twin (sub's name). */
struct tree {
	struct verifier *v;
	struct who root, root2, sub, cross, twin, rekeyed, no_ca, leaf, under_no_ca, responder, odd_responder;
	struct who troot, tsa, tsa_late, tsa_ended, tsa_short, no_tsa;
	struct who oroot, osub, osub_sha1, oleaf, oleaf_sha1;
};

#define CERT(...) mini_cert(NULL, (struct spec){.key = "p256", __VA_ARGS__})

static void
tree_old(struct tree *w)
{
	int64_t from = OLD - 10 * YEAR;

	w->oroot = CERT(.name = "oroot", .ca = true, .from = from, .to = NEVER, .serial = 40);
	w->osub = CERT(.name = "osub", .ca = true, .issuer = &w->oroot, .from = from, .to = NEVER, .serial = 41);
	w->osub_sha1 = CERT(.name = "osub sha1", .ca = true, .issuer = &w->oroot, .digest = "SHA1", .from = from, .to = NEVER, .serial = 42);
	w->oleaf = CERT(.name = "oleaf", .issuer = &w->osub_sha1, .from = OLD - DAY, .to = NEVER, .serial = 43, .ext = SIGNER);
	w->oleaf_sha1 = CERT(.name = "oleaf sha1", .issuer = &w->osub, .digest = "SHA1", .from = OLD - DAY, .to = NEVER, .serial = 44, .ext = SIGNER);
}

static int
tree_up(void **state)
{
	struct tree *w = mem_new(1, sizeof(*w));
	struct err e = {0};

	xmlInitParser();
	OK(verifier_new(&w->v, &e));
	w->root = CERT(.name = "root", .ca = true, .to = NEVER, .serial = 1);
	w->root2 = CERT(.name = "root2", .ca = true, .to = NEVER, .serial = 2);
	w->sub = CERT(.name = "sub", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 3);
	w->cross = CERT(.name = "sub", .reuse = w->sub.key, .ca = true, .issuer = &w->root2, .to = NEVER, .serial = 4);
	w->twin = CERT(.name = "sub", .ca = true, .issuer = &w->root2, .to = NEVER, .serial = 5);
	w->rekeyed = CERT(.name = "sub", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 6);
	w->no_ca = CERT(.name = "no ca", .issuer = &w->root, .to = NEVER, .serial = 7, .ext = {CRITICAL});
	w->leaf = CERT(.name = "leaf", .issuer = &w->sub, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 8, .ext = SIGNER);
	w->under_no_ca = CERT(.name = "under", .issuer = &w->no_ca, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 9, .ext = SIGNER);
	w->responder = CERT(.name = "responder", .issuer = &w->root2, .to = NEVER, .serial = 10, .ext = RESPONDER);
	w->odd_responder = CERT(.name = "odd", .issuer = &w->sub, .to = NEVER, .serial = 11,
	    .ext = {"extendedKeyUsage=OCSPSigning", "noCheck=ignored", CRITICAL});
	w->troot = CERT(.name = "troot", .ca = true, .from = OLD - 10 * YEAR, .to = NEVER, .serial = 20);
	w->tsa = CERT(.name = "tsa", .issuer = &w->troot, .from = OLD - YEAR, .to = T0 + 20 * YEAR, .serial = 21, .ext = TSA_EXT);
	w->tsa_late = CERT(.name = "tsa late", .issuer = &w->troot, .from = T0 + 2 * DAY, .to = T0 + 20 * YEAR, .serial = 22, .ext = TSA_EXT);
	w->tsa_ended = CERT(.name = "tsa ended", .issuer = &w->troot, .to = T0, .serial = 23, .ext = TSA_EXT);
	w->tsa_short = CERT(.name = "tsa short", .issuer = &w->troot, .to = T0 + YEAR, .serial = 25, .ext = TSA_EXT);
	w->no_tsa = CERT(.name = "no tsa", .issuer = &w->troot, .to = T0 + 20 * YEAR, .serial = 24);
	tree_old(w);
	*state = w;
	return 0;
}

static int
tree_down(void **state)
{
	struct tree *w = *state;
	struct who *all[] = {&w->root, &w->root2, &w->sub, &w->cross, &w->twin, &w->rekeyed, &w->no_ca, &w->leaf, &w->under_no_ca, &w->responder,
	    &w->odd_responder, &w->troot, &w->tsa, &w->tsa_late, &w->tsa_ended, &w->tsa_short, &w->no_tsa, &w->oroot, &w->osub, &w->osub_sha1, &w->oleaf,
	    &w->oleaf_sha1};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
	verifier_free(w->v);
	free(w);
	return 0;
}

/* ---- what is made ---- */

/* A list with one entry and its reason. */
static void
list(struct doc *d, const struct who *issuer, int64_t at, const struct who *revoked, int64_t when, int reason)
{
	AUTO(buf) struct buf der = {0}, made = {0};
	const unsigned char *p;
	ASN1_ENUMERATED *en = ASN1_ENUMERATED_new();
	unsigned char *out = NULL;

	crl_der(&der, issuer, at, revoked, when, NULL);
	p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	assert_int_equal(ASN1_ENUMERATED_set(en, reason), 1);
	assert_int_equal(X509_REVOKED_add1_ext_i2d(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0), NID_crl_reason, en, 0, 0), 1);
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	int n = i2d_X509_CRL(crl, &out);
	buf_add(&made, out, (size_t)n);
	doc_value(d, "crl", &made);
	OPENSSL_free(out);
	X509_CRL_free(crl);
	ASN1_ENUMERATED_free(en);
}

static void
lists(struct doc *d, const struct who *a, const struct who *b, int64_t at)
{
	doc_crl(d, a, at, NULL, 0);
	doc_crl(d, b, at, NULL, 0);
}

static struct doc
under(const struct who *leaf, const struct who *ca)
{
	struct doc d = signed_by(leaf);

	doc_cert(&d, ca);
	return d;
}

static struct doc
no_ca_with_critical(struct tree *w)
{
	struct doc d = under(&w->under_no_ca, &w->no_ca);

	lists(&d, &w->no_ca, &w->root, T0 + DAY);
	return d;
}

static struct doc
no_ca_archived(struct tree *w)
{
	struct doc d = no_ca_with_critical(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 2 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 3 * DAY, NULL, 0);
	return d;
}

static struct doc
stamped_by(struct tree *w, const struct who *tsa, int64_t at)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, tsa, at, false);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->troot, T0 + 5 * DAY, NULL, 0);
	return d;
}

static struct doc
stamped_by_no_tsa(struct tree *w)
{
	struct doc d = stamped_by(w, &w->no_tsa, T0 + DAY);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 6 * DAY, false);
	return d;
}

static struct doc
stamped_well(struct tree *w)
{
	return stamped_by(w, &w->tsa, T0 + DAY);
}

static struct doc
stamped_by_a_later_tsa(struct tree *w)
{
	return stamped_by(w, &w->tsa_late, T0 + DAY);
}

/* The stamp claims a time after its certificate's end; an archive stamp claims to be older than that. */
static struct doc
stamped_by_an_ended_tsa(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa_ended, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->troot, T0 - DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 - DAY / 2, false);
	doc_crl(&d, &w->troot, T0 + 5 * DAY, NULL, 0);
	return d;
}

/* Data for one chain of the two, whichever is tried first; and the signer's certificate has ended. */
static struct doc
two_chains(struct tree *w, const struct who *with_data)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_cert(&d, &w->cross);
	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	lists(&d, &w->sub, with_data, T0 + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + 2 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	return d;
}

static struct doc
two_chains_first(struct tree *w)
{
	return two_chains(w, &w->root);
}

static struct doc
two_chains_second(struct tree *w)
{
	return two_chains(w, &w->root2);
}

static struct doc
listed_by(struct tree *w, const struct who *ca)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_cert(&d, ca);
	doc_crl(&d, ca, T0 + DAY, NULL, 0);
	lists(&d, &w->root, &w->root2, T0 + DAY);
	return d;
}

static struct doc
listed_by_twin(struct tree *w)
{
	return listed_by(w, &w->twin);
}

static struct doc
listed_by_new_key(struct tree *w)
{
	return listed_by(w, &w->rekeyed);
}

static struct doc
answered_by(struct tree *w, const struct who *responder)
{
	struct doc d = under(&w->leaf, &w->sub);
	AUTO(buf) struct buf der = {0};

	ocsp_der(&der, responder, &w->leaf, &w->sub, V_OCSP_CERTSTATUS_GOOD, T0 + DAY);
	doc_value(&d, "ocsp", &der);
	doc_crl(&d, &w->root, T0 + DAY, NULL, 0);
	return d;
}

static struct doc
answered_by_root2(struct tree *w)
{
	return answered_by(w, &w->root2);
}

static struct doc
answered_by_responder(struct tree *w)
{
	return answered_by(w, &w->responder);
}

static struct doc
answered_by_odd(struct tree *w)
{
	return answered_by(w, &w->odd_responder);
}

static struct doc
ca_compromised(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + 2 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, T0 + 50 * DAY, 2);
	return d;
}

/* The same without the archive stamp: what the CA's key listed may have been written yesterday. */
static struct doc
ca_compromised_bare(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_crl(&d, &w->sub, T0 + 2 * DAY, NULL, 0);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, T0 + 50 * DAY, 2);
	return d;
}

static struct doc
both_revoked(struct tree *w, int64_t signer, int64_t ca, int64_t content)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->leaf, .signing_time = T0, .content_tsa = content != 0 ? &w->tsa : NULL, .content_time = content});

	doc_cert(&d, &w->sub);
	if (content == 0)
		doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + 5 * DAY, false);
	list(&d, &w->sub, T0 + 40 * DAY, &w->leaf, signer, 4);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, ca, 4);
	doc_crl(&d, &w->troot, T0 + 60 * DAY, NULL, 0);
	return d;
}

static struct doc
both_revoked_later(struct tree *w)
{
	return both_revoked(w, T0 + 20 * DAY, T0 + 50 * DAY, 0);
}

static struct doc
both_revoked_signer_before(struct tree *w)
{
	return both_revoked(w, T0 + 2 * DAY, T0 + 50 * DAY, 0);
}

static struct doc
both_revoked_content_between(struct tree *w)
{
	return both_revoked(w, T0 + 20 * DAY, T0 + 50 * DAY, T0 + 25 * DAY);
}

/* That it was revoked later makes no certificate better that nobody should have relied on any more. */
static struct doc
sha1_certificate_revoked_later(struct tree *w)
{
	struct doc d = under(&w->oleaf_sha1, &w->osub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	doc_crl(&d, &w->osub, T0 + 40 * DAY, &w->oleaf_sha1, T0 + 30 * DAY);
	doc_crl(&d, &w->oroot, T0 + 2 * DAY, NULL, 0);
	return d;
}

/* Revoked before the archive stamp, which covers a list from before that; only a later list tells. Its CA is certified with SHA-1. */
static struct doc
revocation_told_late(struct tree *w)
{
	struct doc d = doc_new((struct doc_spec){.signer = &w->oleaf, .signing_time = OLD});

	doc_cert(&d, &w->osub_sha1);
	lists(&d, &w->osub_sha1, &w->oroot, OLD + DAY);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, OLD + 5 * DAY, false);
	doc_crl(&d, &w->osub_sha1, OLD + 40 * DAY, &w->oleaf, OLD + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

/* Two certificates below the anchor, stamped and archived; again: the CA's list once more, newer than the archive stamp. */
static struct doc
archived(struct tree *w, bool again)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa_short, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + 3 * DAY);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 6 * DAY, NULL, 0);
	if (again)
		doc_crl(&d, &w->root, T0 + 6 * DAY, NULL, 0);
	return d;
}

static struct doc
archived_once(struct tree *w)
{
	return archived(w, false);
}

static struct doc
archived_and_again(struct tree *w)
{
	return archived(w, true);
}

/* ---- rows ---- */

enum how { PLAIN = 0, DSS = 1, SUNSET = 2 /* of root */, TSA_SUNSET = 4, ROOT2_OCSP = 8 /* a responder and nothing else */, STRICT = 16 };
struct row {
	const char *name;
	struct doc (*make)(struct tree *w);
	int64_t at;
	enum indication ind;
	enum subindication sub;
	unsigned how;
};
#define NO IND_INDETERMINATE
static const struct row ROWS[] = {
    {"an issuer is no CA", no_ca_with_critical, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"no CA, and a critical extension that only warns", no_ca_with_critical, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, DSS},
    {"no CA under an anchor past its sunset", no_ca_archived, T0 + 200 * DAY, NO, SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE, SUNSET},
    {"stamped, ended", stamped_well, T0 + YEAR + DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"stamped by one whose certificate began later", stamped_by_a_later_tsa, T0 + YEAR + DAY, NO, SUB_OUT_OF_BOUNDS_NOT_REVOKED, PLAIN},
    {"two chains, data for the first", two_chains_first, T0 + YEAR + DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"two chains, data for the second", two_chains_second, T0 + YEAR + DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"a list by another CA of this name", listed_by_twin, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"a list by the CA's new key", listed_by_new_key, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"a list by the CA's new key, which the peer passes over", listed_by_new_key, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, DSS},
    {"an answer by another CA", answered_by_root2, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by a CA that is trusted as responder", answered_by_root2, T0 + 2 * DAY, IND_PASSED, SUB_NONE, ROOT2_OCSP},
    {"an answer by another CA's responder", answered_by_responder, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by a responder with a critical extension", answered_by_odd, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"the CA's key stolen after the archive stamp", ca_compromised, T0 + 70 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"the same as the peer has it", ca_compromised, T0 + 70 * DAY, IND_PASSED, SUB_NONE, DSS},
    {"the CA's key stolen, nothing stamped", ca_compromised_bare, T0 + 70 * DAY, NO, SUB_REVOKED_CA_NO_POE, PLAIN},
    {"signer and CA revoked after the stamp", both_revoked_later, T0 + 70 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"signer revoked before the stamp, CA after", both_revoked_signer_before, T0 + 70 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN},
    {"content stamp between both revocations", both_revoked_content_between, T0 + 70 * DAY, IND_FAILED, SUB_REVOKED, PLAIN},
    {"revoked after the stamp, certified with SHA-1", sha1_certificate_revoked_later, T0 + 60 * DAY, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN},
    {"revoked before the stamp, as a later list tells", revocation_told_late, T0 + 2 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN},
    {"two certificates deep, all data at once: ignore", archived_once, T0 + 3 * YEAR, IND_PASSED, SUB_NONE, PLAIN},
    {"two certificates deep, all data at once: strict", archived_once, T0 + 3 * YEAR, NO, SUB_OUT_OF_BOUNDS_NOT_REVOKED, STRICT},
    {"two certificates deep, the CA's once more: strict", archived_and_again, T0 + 3 * YEAR, IND_PASSED, SUB_NONE, STRICT},
};

static struct report *
judge_with(struct tree *w, const struct row *row, const struct material *m)
{
	AUTO(doc) struct doc d = row->make(w);
	AUTO(buf) struct buf text = {0};
	AUTO(anchors) struct anchors *anchors = NULL;
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};

	OK(anchors_new(&anchors, &e));
	trust(anchors, &w->root, ROLE_ALL, (row->how & SUNSET) != 0 ? T0 + 100 * DAY : TIME_MAX);
	trust(anchors, &w->root2, (row->how & ROOT2_OCSP) != 0 ? ROLE_OCSP : ROLE_ALL, TIME_MAX);
	trust(anchors, &w->oroot, ROLE_ALL, TIME_MAX);
	trust(anchors, &w->troot, ROLE_TSA, (row->how & TSA_SUNSET) != 0 ? T0 + 100 * DAY : TIME_MAX);
	trust(anchors, &w->tsa, ROLE_TSA, TIME_MAX);
	OK(vpolicy_builtin((row->how & DSS) != 0 ? "dss" : "default", NULL, &policy, &e));
	doc_text(&d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = row->at, .anchors = anchors,
	    .material = m, .want_material = m != NULL};
	policy.sliding_strict = (row->how & STRICT) != 0;
	OK(verify_document(w->v, &in, &report, &e));
	assert_int_equal(report->status, DOC_VALIDATED);
	return report;
}

static struct report *
judge(struct tree *w, const struct row *row)
{
	return judge_with(w, row, NULL);
}

static void
matrix(void **state)
{
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		AUTO(report) struct report *r = judge(*state, &ROWS[i]);
		struct verdict v = r->sigs[0].verdict;
		AUTO(buf) struct buf text = {0};
		struct err e = {0};

		if (v.ind == ROWS[i].ind && v.sub == ROWS[i].sub)
			continue;
		OK(report_text(r, &text, &e));
		print_error("%s: %s %s, wanted %s %s\n%s\n", ROWS[i].name, indication_name(v.ind), subindication_name(v.sub),
		    indication_name(ROWS[i].ind), subindication_name(ROWS[i].sub), buf_str(&text));
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* What may not stamp does not by the sunset of its anchor, though a newer stamp proves that the token was there before. */
static void
no_tsa_under_a_sunset(void **state)
{
	struct row row = {.make = stamped_by_no_tsa, .at = T0 + 200 * DAY, .how = TSA_SUNSET};
	AUTO(report) struct report *r = judge(*state, &row);

	assert_int_equal(r->sigs[0].stamps[1].verdict.ind, IND_PASSED);
	assert_int_equal(r->sigs[0].stamps[0].verdict.ind, IND_INDETERMINATE);
	assert_int_equal(r->sigs[0].stamps[0].verdict.sub, SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE);
	assert_false(r->sigs[0].stamps[0].gives_poe);
}

/* A certificate vouches for times inside its validity; a stamp that claims another is wrong for good. */
static void
times_outside_the_tsa(void **state)
{
	struct row early = {.make = stamped_by_a_later_tsa, .at = T0 + 9 * DAY}, late = {.make = stamped_by_an_ended_tsa, .at = T0 + 9 * DAY};
	AUTO(report) struct report *a = judge(*state, &early);
	AUTO(report) struct report *b = judge(*state, &late);

	assert_int_equal(a->sigs[0].stamps[0].verdict.ind, IND_FAILED);
	assert_int_equal(a->sigs[0].stamps[0].verdict.sub, SUB_NOT_YET_VALID);
	assert_int_equal(b->sigs[0].stamps[0].verdict.ind, IND_FAILED);
	assert_int_equal(b->sigs[0].stamps[0].verdict.sub, SUB_EXPIRED);
}

/* After the archive stamp the CA's list is wanted that is newer; that it is there and where it goes is told; then nothing is lacking. */
static void
strict_reading_asks_upwards(void **state)
{
	struct tree *w = *state;
	struct row row = {.make = archived_once, .at = T0 + 7 * DAY, .how = STRICT};
	AUTO(material) struct material *m = NULL;
	AUTO(buf) struct buf der = {0};
	struct err e = {0};

	OK(material_new(&m, &e));
	AUTO(report) struct report *lacks = judge_with(w, &row, m);
	assert_int_equal(lacks->n_wants, 1);
	assert_int_equal(lacks->wants[0].kind, WANT_REVOCATION);
	assert_true(lacks->wants[0].newer_than == T0 + 5 * DAY && lacks->wants[0].is_ca);
	assert_true(lacks->sigs[0].closure.complete);
	assert_false(lacks->sigs[0].sliding.complete);

	crl_der(&der, &w->root, T0 + 6 * DAY, NULL, 0, NULL);
	OK(material_add(m, MAT_CRL, buf_slice(&der), &e));
	AUTO(report) struct report *has = judge_with(w, &row, m);
	assert_int_equal(has->n_wants, 0);
	assert_true(has->sigs[0].sliding.complete);
	assert_int_equal(has->sigs[0].sliding.n, 1);
	assert_false(has->sigs[0].sliding.v[0].embedded);

	row.make = archived_and_again;
	AUTO(report) struct report *embedded = judge_with(w, &row, m);
	assert_int_equal(embedded->n_wants, 0);
	assert_int_equal(embedded->sigs[0].sliding.n, 0);
	row.make = archived_once;
	row.how = PLAIN;
	AUTO(report) struct report *ignore = judge_with(w, &row, m);
	assert_int_equal(ignore->n_wants, 0);
	assert_int_equal(ignore->sigs[0].sliding.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matrix),
	    cmocka_unit_test(no_tsa_under_a_sunset),
	    cmocka_unit_test(times_outside_the_tsa),
	    cmocka_unit_test(strict_reading_asks_upwards),
	};

	return cmocka_run_group_tests_name("judge", tests, tree_up, tree_down);
}
