/* SPDX-License-Identifier: MIT */
/*
 * Verdicts: each row is one signature in one situation, at one time, with the
 * exact indication and sub-indication (EN 319 102-1; the matrix of cases that a
 * verifier must get right). The last tests: wants, closures, the report's octets.
 */
#include "tests/mini_world.h"

static struct doc
inside_the_grace(struct world *w)
{
	return listed_at(w, T0 + 5 * DAY + 12 * 3600);
}

/* The list of the authority that is above the signer's is of another day; each stands for a week. */
static struct doc
ca_listed_at(struct world *w, int64_t at)
{
	struct doc d = stamped(w, &w->deep, &w->tsa, T0 + 20 * DAY);

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->troot, T0 + 38 * DAY, NULL, 0);
	doc_crl(&d, &w->sub, T0 + 38 * DAY, NULL, 0);
	doc_crl(&d, &w->root, at, NULL, 0);
	return d;
}

static struct doc
ca_list_stale_then(struct world *w)
{
	return ca_listed_at(w, T0 + 3 * DAY);
}

static struct doc
ca_list_fresh_then(struct world *w)
{
	return ca_listed_at(w, T0 + 15 * DAY);
}

/* Stamped when there was neither a weakness nor yet a certificate. */
static struct doc
sha1_before_certificate(struct world *w)
{
	struct doc d = doc_new((struct doc_spec){.signer = &w->signer, .signing_time = T0, .sha1 = true});

	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa_long, T0 - 15 * YEAR, false);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

/* The list tells of signer and responder a week long; the responder answers for the signer when that is over. */
static struct doc
answered_under_a_stale_list(struct world *w)
{
	struct who delegate = mini_cert(NULL, (struct spec){.name = "delegate", .key = "p256", .issuer = &w->ca, .to = T0 + 3 * YEAR,
						  .serial = 30, .ext = {"extendedKeyUsage=OCSPSigning"}});
	struct doc d = plain(w);

	answer(&d, w, &delegate, V_OCSP_CERTSTATUS_GOOD, T0 + 10 * DAY);
	who_free(&delegate);
	return d;
}

/* ---- rows ---- */

enum how { PLAIN = 0, STRICT = 1, SUNSET = 2, SWAPPED = 4 /* anchors in the other's role */, FRESHNESS = 8, ORDER = 16, PEER = 32, ITSELF = 64 /* the signer is the anchor */,
	ALONE = 128 /* the checker does not ask what refuses it */ };
struct row {
	const char *name;
	struct doc (*make)(struct world *w);
	int64_t at;
	enum indication ind;
	enum subindication sub;
	unsigned how;
};
static const struct row ROWS[] = {
    {"valid, inside the validity", plain, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"the certificate among the values", certificate_beside_key_info, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"the peer looks there too where KeyInfo has none", certificate_beside_key_info, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PEER},
    {"the last second of the validity", listed_last, T0 + YEAR, IND_PASSED, SUB_NONE, PLAIN},
    {"one second later", listed_last, T0 + YEAR + 1, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, PLAIN},
    {"data changed", data_changed, T0 + 2 * DAY, IND_FAILED, SUB_HASH_FAILURE, PLAIN},
    {"data changed, and a reference leads nowhere", data_changed_properties_gone, T0 + 2 * DAY, IND_FAILED, SUB_FORMAT_FAILURE, PLAIN},
    {"the same as the peer sees it: the first decides", data_changed_properties_gone, T0 + 2 * DAY, IND_FAILED, SUB_HASH_FAILURE, PEER},
    {"SignatureValue changed", value_changed, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, PLAIN},
    {"SignedProperties changed", properties_changed, T0 + 2 * DAY, IND_FAILED, SUB_HASH_FAILURE, PLAIN},
    {"no certificate property, changed", property_renamed, T0 + 2 * DAY, IND_INDETERMINATE, SUB_NO_SIGNING_CERTIFICATE_FOUND, PLAIN},
    {"the same as the peer sees it", property_renamed, T0 + 2 * DAY, IND_INDETERMINATE, SUB_NO_SIGNING_CERTIFICATE_FOUND, PEER},
    {"wrong value, unknown chain: still failed", value_changed_unknown_chain, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, PLAIN},
    {"no revocation data", bare, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"revoked yesterday, no stamp", revoked_bare, T0 + 10 * DAY, IND_INDETERMINATE, SUB_REVOKED_NO_POE, PLAIN},
    {"revoked after the stamp", revoked_later, T0 + 11 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"revoked before the stamp", revoked_earlier, T0 + 11 * DAY, IND_INDETERMINATE, SUB_REVOKED_NO_POE, PLAIN},
    {"content stamp after the revocation", content_after_revocation, T0 + 11 * DAY, IND_FAILED, SUB_REVOKED, PLAIN},
    {"content stamp after the end", content_after_end, T0 + YEAR + 3 * DAY, IND_FAILED, SUB_EXPIRED, PLAIN},
    {"ended, stamped, responder lives", ended_long_responder, T0 + YEAR + 9 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"ended, stamped, responder ended too", ended_short_responder, T0 + YEAR + 9 * DAY, IND_INDETERMINATE,
	SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, PLAIN},
    {"the same under an archive stamp in time", ended_short_responder_archived, T0 + YEAR + 9 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"the archive stamp's imprint broken", ended_archive_broken, T0 + YEAR + 9 * DAY, IND_INDETERMINATE,
	SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, PLAIN},
    {"newest good, older broken: no proof between", older_stamp_broken, T0 + 3 * YEAR, IND_INDETERMINATE, SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, PLAIN},
    {"newest good, older good", older_stamp_good, T0 + 3 * YEAR, IND_PASSED, SUB_NONE, PLAIN},
    {"ended, never stamped", listed_last, T0 + YEAR + 5 * DAY, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, PLAIN},
    {"every TSA ended, renewal missed", ended_short_responder_archived, T0 + 5 * YEAR, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NO_POE, PLAIN},
    {"CA revoked after the archive stamp", ca_revoked_after_archive, T0 + 60 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"CA revoked, the archive stamp broken", ca_revoked_archive_broken, T0 + 60 * DAY, IND_INDETERMINATE, SUB_REVOKED_CA_NO_POE, PLAIN},
    {"CA revoked, nothing stamped", ca_revoked_bare, T0 + 60 * DAY, IND_INDETERMINATE, SUB_REVOKED_CA_NO_POE, PLAIN},
    {"CA revoked before it signed the list", ca_revoked_before_stamp, T0 + 60 * DAY, IND_INDETERMINATE,
	SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"SHA-1, archived before its end", sha1_in_time, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"SHA-1, archived before its end, its list stale by then", sha1_listed_before, T0 + 2 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"SHA-1, archived after its end", sha1_too_late, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN},
    {"SHA-1, stamped before the certificate began", sha1_before_certificate, T0 + 2 * DAY, IND_FAILED, SUB_NOT_YET_VALID, PLAIN},
    {"stamped before the certificate began", stamp_before_certificate, T0 + 2 * DAY, IND_FAILED, SUB_NOT_YET_VALID, PLAIN},
    {"renewed, TSA data before each cover: ignore", renewed_before, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"renewed, TSA data before each cover: strict", renewed_before, T0 + 1400 * DAY, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, STRICT},
    {"renewed, once more after: ignore", renewed_and_after, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"renewed, once more after: strict", renewed_and_after, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, STRICT},
    {"a delta CRL alone", delta_only, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"a CRL that forgot ended certificates", crl_after_end, T0 + YEAR + 20 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"OCSP by one who was not delegated", answered_by_stranger, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"OCSP unknown is not good", answered_unknown, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"anchor past its sunset, archived before", archived_fully, T0 + 200 * DAY, IND_PASSED, SUB_NONE, SUNSET},
    {"anchor past its sunset, no stamp", plain, T0 + 200 * DAY, IND_INDETERMINATE, SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE, SUNSET},
    {"excluded by a CA's name constraints", narrow_chain_only, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"the same, and a second chain without them", narrow_and_wide_chain, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"stale list, freshness asked for", list_stale, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, FRESHNESS},
    {"stale list, not asked for", list_stale, T0 + 40 * DAY, IND_PASSED, SUB_NONE, PEER},
    {"stale list", list_stale, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"the last second before its next update", list_stale, T0 + 8 * DAY - 1, IND_PASSED, SUB_NONE, PLAIN},
    {"the second of its next update", list_stale, T0 + 8 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"stale at the stamp already", stale_at_the_stamp, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"stale at the stamp already, as the peer has it", stale_at_the_stamp, T0 + 40 * DAY, IND_PASSED, SUB_NONE, PEER},
    {"stale at the stamp already, and ended since", stale_at_the_stamp, T0 + YEAR + 9 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"stale at the stamp already, archived", stale_at_the_stamp_archived, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, PLAIN},
    {"stale at the stamp already, and newer data", stale_at_the_stamp_mended, T0 + 40 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"stale now, but newer than the stamp and grace", fresh_for_the_stamp, T0 + 40 * DAY, IND_PASSED, SUB_NONE, FRESHNESS},
    {"stale now, newer than the stamp, not than the grace", inside_the_grace, T0 + 40 * DAY, IND_PASSED, SUB_NONE, FRESHNESS},
    {"stale now, older than the stamp, not stale then", older_than_the_stamp, T0 + 40 * DAY, IND_PASSED, SUB_NONE, FRESHNESS},
    {"a CA's list stale now, not at the stamp", ca_list_fresh_then, T0 + 40 * DAY, IND_PASSED, SUB_NONE, FRESHNESS},
    {"a CA's list stale at the stamp already", ca_list_stale_then, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, FRESHNESS},
    {"a responder's own data stale, not asked for", answered_under_a_stale_list, T0 + 10 * DAY + 1, IND_PASSED, SUB_NONE, PLAIN},
    {"a responder's own data stale, asked for", answered_under_a_stale_list, T0 + 10 * DAY + 1, IND_INDETERMINATE, SUB_TRY_LATER, FRESHNESS},
    {"the signer is the anchor", plain, T0 + 2 * DAY, IND_PASSED, SUB_NONE, ITSELF},
    {"the same before its certificate began", plain, T0 - 2 * YEAR, IND_FAILED, SUB_NOT_YET_VALID, ITSELF},
    {"signer's anchor trusted for TSAs only", plain, T0 + 2 * DAY, IND_INDETERMINATE, SUB_NO_CERTIFICATE_CHAIN_FOUND, SWAPPED},
};

static struct report *
judge_by(struct world *w, const struct doc *d, const struct row *r, const struct catalogue *c, const struct material *m, bool wants)
{
	AUTO(buf) struct buf text = {0};
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};

	OK(vpolicy_builtin((r->how & PEER) != 0 ? "dss" : "default", c, &policy, &e));
	policy.sliding_strict = (r->how & STRICT) != 0;
	if ((r->how & ORDER) != 0)
		policy.level[CHECK_TIMESTAMP_COHERENCE][CTX_SIGNATURE][POS_SIGNING] = LEVEL_FAIL;
	for (int x = 0; (r->how & FRESHNESS) != 0 && x < CTX_COUNT; x++)
		for (int pos = POS_SIGNING; pos <= POS_CA; pos++)
			policy.level[CHECK_REVOCATION_FRESHNESS][x][pos] = LEVEL_FAIL;
	doc_text(d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = r->at, .material = m,
	    .anchors = (r->how & ITSELF) != 0 ? w->signer_itself : (r->how & SWAPPED) != 0 ? w->only_tsa : (r->how & SUNSET) != 0 ? w->sunset : w->anchors, .grace_seconds = DAY,
	    .want_material = wants, .prove_all = true};
	OK(verify_document(w->v, &in, &report, &e));
	assert_int_equal(report->status, DOC_VALIDATED);
	assert_int_equal(report->n_sigs, 1);
	return report;
}

static struct report *
judge_doc(struct world *w, const struct doc *d, const struct row *r, const struct material *m, bool wants)
{
	return judge_by(w, d, r, NULL, m, wants);
}

static void
matrix(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		AUTO(doc) struct doc d = ROWS[i].make(w);
		AUTO(report) struct report *r = judge_doc(w, &d, &ROWS[i], NULL, false);

		wrong += !verdict_is_so(ROWS[i].name, r, ROWS[i].ind, ROWS[i].sub, (ROWS[i].how & ALONE) != 0);
	}
	assert_int_equal(wrong, 0);
}

/* The finding says that the CRL was recognised and not used. */
static void
delta_is_named(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 2 * DAY};
	AUTO(doc) struct doc d = delta_only(w);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);
	bool said = false;

	for (size_t i = 0; i < r->sigs[0].n_findings; i++)
		said = said || strcasestr(r->sigs[0].findings[i].text, "unsupported") != NULL;
	assert_true(said);
}

static bool
order_warns(const struct report *r)
{
	bool said = false;

	for (size_t i = 0; i < r->sigs[0].n_findings; i++)
		said = said || (strstr(r->sigs[0].findings[i].text, "TIMESTAMP_ORDER") != NULL && r->sigs[0].findings[i].status == FIND_WARN);
	return said;
}

/* An archive stamp can't cover one that is younger than itself. */
static void
archive_stamps_in_order(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 20 * DAY};
	AUTO(doc) struct doc d = archived_fully(w);
	AUTO(report) struct report *good = judge_doc(w, &d, &row, NULL, false);

	assert_false(order_warns(good));
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 4 * DAY, false);
	AUTO(report) struct report *bad = judge_doc(w, &d, &row, NULL, false);
	assert_true(order_warns(bad));
}

static void
wrong_order_warns(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 20 * DAY};
	AUTO(doc) struct doc d = stamped(w, &w->signer, &w->tsa_long, T0 + 10 * DAY);

	doc_crl(&d, &w->ca, T0 + 12 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 12 * DAY, NULL, 0);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);
	assert_true(order_warns(r));
	assert_int_equal(r->sigs[0].verdict.ind, IND_PASSED);
	row.how = ORDER;
	AUTO(report) struct report *minded = judge_doc(w, &d, &row, NULL, false);
	assert_int_equal(minded->sigs[0].verdict.ind, IND_INDETERMINATE);
	assert_int_equal(minded->sigs[0].verdict.sub, SUB_TIMESTAMP_ORDER_FAILURE);
}

/* What is good by the operator's line, or only because the catalogue is older than the end, is said in the verdict. */
static void
leniency_is_named(void **state)
{
	static const char xml[] = "<SecuritySuitabilityPolicy xmlns=\"urn:ietf:params:xml:ns:dssc\"><PolicyName><Name>house</Name></PolicyName>"
				  "<PolicyIssueDate>2024-11-01T00:00:00Z</PolicyIssueDate><Algorithm><AlgorithmIdentifier><Name>x</Name>"
				  "<ObjectIdentifier>1.2.840.10045.4.3.2</ObjectIdentifier></AlgorithmIdentifier><Evaluation><Validity><End>2025-01-01</End>"
				  "</Validity></Evaluation><Information><Text>house rule 9</Text></Information></Algorithm></SecuritySuitabilityPolicy>";
	AUTO(catalogue) struct catalogue *over = NULL, *c = NULL;
	struct world *w = *state;
	struct err e = {0};
	size_t by_rule = 0, ended = 0, plainly = 0;

	OK(catalogue_read(slice_str(xml), &over, NULL, &e));
	OK(catalogue_overlay(catalogue_builtin("default"), over, &c, &e));
	struct row row = {.at = T0 + 2 * DAY};
	AUTO(doc) struct doc d = plain(w);
	AUTO(report) struct report *r = judge_by(w, &d, &row, c, NULL, false);
	AUTO(report) struct report *before = judge_doc(w, &d, &row, NULL, false);
	assert_int_equal(r->sigs[0].verdict.ind, before->sigs[0].verdict.ind);
	for (size_t i = 0; i < r->sigs[0].n_findings; i++) {
		const struct finding *f = &r->sigs[0].findings[i];

		by_rule += strcmp(f->check, "AlgorithmByOverlay") == 0 && strstr(f->text, "house rule 9") != NULL;
		ended += strcmp(f->check, "AlgorithmEnded") == 0 && f->status == FIND_WARN && strstr(f->text, "ended 2025-01-01") != NULL;
	}
	for (size_t i = 0; i < before->sigs[0].n_findings; i++)
		plainly += strncmp(before->sigs[0].findings[i].check, "Algorithm", 9) == 0;
	assert_true(by_rule > 0 && ended > 0);
	assert_int_equal(plainly, 0);
}

/* What the master's archive stamp proves, it proves for each counter-signature in it, one in another as well. */
static void
archive_stamp_covers_nested_counter_signatures(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + YEAR + 9 * DAY};
	AUTO(doc) struct doc d = ended_with_ocsp(w, &w->short_responder);
	struct doc outer = doc_counter((struct doc_spec){.signer = &w->signer, .signing_time = T0, .mark = "1"}, &d, "");
	struct doc inner = doc_counter((struct doc_spec){.signer = &w->signer, .signing_time = T0, .mark = "2"}, &outer, "1");
	AUTO(buf) struct buf text = {0};
	AUTO(report) struct report *r = NULL;
	struct vpolicy policy;
	struct err e = {0};

	doc_stamp(&outer, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	doc_stamp(&inner, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	doc_put_counter(&outer, &inner);
	doc_put_counter(&d, &outer);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	doc_text(&d, &text);
	OK(vpolicy_builtin("default", NULL, &policy, &e));
	struct verify_input in = {.name = "nested", .doc = buf_slice(&text), .policy = &policy, .time_utc = row.at, .anchors = w->anchors, .grace_seconds = DAY};
	OK(verify_document(w->v, &in, &r, &e));
	assert_int_equal(r->n_sigs, 3);
	assert_int_equal(r->sigs[2].parent, 1);
	for (size_t i = 0; i < 3; i++) {
		if (r->sigs[i].verdict.ind != IND_PASSED)
			print_error("signature %zu: %s %s\n", i, indication_name(r->sigs[i].verdict.ind), subindication_name(r->sigs[i].verdict.sub));
		assert_int_equal(r->sigs[i].verdict.ind, IND_PASSED);
	}
}

/* Octets that are no token are no time-stamp, and make no level. */
static void
level_needs_a_token(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 20 * DAY};
	AUTO(doc) struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);
	AUTO(report) struct report *good = judge_doc(w, &d, &row, NULL, false);
	char *token = strstr((char *)d.props.p, "<x:EncapsulatedTimeStamp>");

	assert_string_equal(good->sigs[0].level, "XAdES-B-T");
	assert_non_null(token);
	token[strlen("<x:EncapsulatedTimeStamp>")] ^= 1;
	AUTO(report) struct report *bad = judge_doc(w, &d, &row, NULL, false);
	assert_int_equal(bad->sigs[0].n_stamps, 1);
	assert_int_equal(bad->sigs[0].stamps[0].imprint_intact, TRI_UNKNOWN);
	assert_string_equal(bad->sigs[0].level, "XAdES-B-B");
}

/* EN 319 132-1 6.3: baseline asks for the signing certificate itself in KeyInfo. */
static void
baseline_needs_the_signer_in_key_info(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 2 * DAY};
	AUTO(doc) struct doc good = plain(w);
	AUTO(doc) struct doc spoilt = plain(w);
	AUTO(report) struct report *a = judge_doc(w, &good, &row, NULL, false);

	assert_string_equal(a->sigs[0].level, "XAdES-B-B");
	spoil(&spoilt.head, "X509Certificate>");
	AUTO(report) struct report *b = judge_doc(w, &spoilt, &row, NULL, false);
	assert_string_equal(b->sigs[0].level, "XAdES-BES");
}

static void
best_time_is_the_oldest_stamp(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 1400 * DAY};
	AUTO(doc) struct doc d = renewed_and_after(w);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);

	assert_true(r->sigs[0].best_signature_time == T0 + DAY);
	assert_int_equal(r->sigs[0].n_stamps, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(r->sigs[0].stamps[i].verdict.ind, IND_PASSED);
		assert_true(r->sigs[0].stamps[i].gives_poe);
	}
	assert_int_equal(r->sigs[0].stamps[0].basic.sub, SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	assert_true(r->sigs[0].stamps[0].tsa_not_after == T0 + 2 * YEAR);
}

/* ---- wants and closures ---- */

static const struct want *
want_for(const struct report *r, const struct who *w, bool stamp)
{
	AUTO(buf) struct buf der = {0};
	uint8_t key[32];
	struct err e = {0};

	OK(digest_sha256(who_der(w, &der), key, &e));
	for (size_t i = 0; i < r->n_wants; i++)
		if (r->wants[i].kind == WANT_REVOCATION && r->wants[i].for_stamp == stamp && memcmp(r->wants[i].cert_sha256, key, 32) == 0)
			return &r->wants[i];
	return NULL;
}

static void
add_crl(struct material *m, const struct who *issuer, int64_t at)
{
	AUTO(buf) struct buf der = {0};
	struct err e = {0};

	crl_der(&der, issuer, at, NULL, 0, NULL);
	OK(material_add(m, MAT_CRL, buf_slice(&der), &e));
}

static void
wants_until_complete(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 5 * DAY};
	AUTO(doc) struct doc d = stamped_only(w);
	AUTO(material) struct material *m = NULL;
	struct err e = {0};

	OK(material_new(&m, &e));
	AUTO(report) struct report *first = judge_doc(w, &d, &row, m, true);
	const struct want *signer = want_for(first, &w->signer, false), *tsa = want_for(first, &w->tsa, true);
	assert_non_null(signer);
	assert_non_null(tsa);
	assert_true(first->sigs[0].stamped_time == T0 + DAY);
	assert_true(signer->newer_than == T0 + 2 * DAY); /* the stamp and a day of grace */
	assert_true(tsa->newer_than == T0 + DAY);
	assert_true(signer->anchored && tsa->anchored);
	assert_false(first->sigs[0].closure.complete);
	assert_non_null(first->sigs[0].closure.gap);

	add_crl(m, &w->ca, T0 + 36 * 3600); /* inside the grace period: provisional */
	add_crl(m, &w->troot, T0 + 2 * DAY);
	AUTO(report) struct report *second = judge_doc(w, &d, &row, m, true);
	assert_true(second->sigs[0].closure.complete);
	assert_false(second->sigs[0].closure.fresh);
	assert_non_null(want_for(second, &w->signer, false));
	assert_true(second->sigs[0].stamps[0].closure.fresh);
	assert_int_equal(second->sigs[0].verdict.ind, IND_PASSED);

	add_crl(m, &w->ca, T0 + 3 * DAY);
	AUTO(report) struct report *third = judge_doc(w, &d, &row, m, true);
	assert_true(third->sigs[0].closure.fresh);
	assert_int_equal(third->n_wants, 0);
	assert_false(third->sigs[0].closure.v[0].embedded && third->sigs[0].closure.n < 3);
}

/* What ended before the stamp is asked for anew, of a CA as well as of the signer. */
static void
stale_data_is_wanted(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 40 * DAY};
	AUTO(doc) struct doc d = stale_at_the_stamp(w), deep = ca_list_stale_then(w);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, true);
	AUTO(report) struct report *of_ca = judge_doc(w, &deep, &row, NULL, true);
	const struct want *signer = want_for(r, &w->signer, false), *sub = want_for(of_ca, &w->sub, false);

	assert_int_equal(r->sigs[0].verdict.sub, SUB_TRY_LATER);
	assert_non_null(signer);
	assert_true(signer->newer_than == T0 + 6 * DAY); /* the stamp and a day of grace */
	assert_false(r->sigs[0].closure.enough);
	assert_int_equal(of_ca->sigs[0].verdict.sub, SUB_TRY_LATER);
	assert_non_null(sub);
	assert_true(sub->newer_than == T0 + 20 * DAY);
	assert_null(want_for(of_ca, &w->deep, false));
}

static void
issuer_is_wanted(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 2 * DAY};
	AUTO(doc) struct doc d = signed_by(&w->deep);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, true);

	assert_int_equal(r->sigs[0].verdict.sub, SUB_NO_CERTIFICATE_CHAIN_FOUND);
	assert_int_equal(r->n_wants, 1);
	assert_int_equal(r->wants[0].kind, WANT_ISSUER);
	assert_false(r->wants[0].anchored);
}

/* The archive vouches for the file at a time: as good as a stamp over all of it. */
static void
known_proof_counts(void **state)
{
	struct world *w = *state;
	AUTO(doc) struct doc d = ended_short_responder(w);
	AUTO(buf) struct buf text = {0};
	struct vpolicy policy;
	struct known_poe known = {.time_utc = T0 + 5 * DAY};
	struct err e = {0};

	doc_text(&d, &text);
	OK(vpolicy_builtin("default", NULL, &policy, &e));
	OK(digest_sha256(buf_slice(&text), known.sha256, &e));
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = T0 + YEAR + 9 * DAY,
	    .anchors = w->anchors, .poes = &known, .n_poes = 1};
	AUTO(report) struct report *r = NULL;
	OK(verify_document(w->v, &in, &r, &e));
	assert_int_equal(r->sigs[0].verdict.ind, IND_PASSED);
	in.n_poes = 0;
	AUTO(report) struct report *without = NULL;
	OK(verify_document(w->v, &in, &without, &e));
	assert_int_equal(without->sigs[0].verdict.sub, SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE);
}

/* ---- the report's octets ---- */

static void
json_octets(const struct report *r, struct buf *out)
{
	AUTO(json) json_t *j = NULL;
	struct err e = {0};

	OK(report_json(r, &j, &e));
	OK(json_canonical(j, out, &e));
}

static void
same_input_same_octets(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 1400 * DAY};
	AUTO(doc) struct doc d = renewed_and_after(w);
	AUTO(material) struct material *m = NULL, *n = NULL;
	AUTO(buf) struct buf a = {0}, b = {0}, packed = {0};
	struct err e = {0};

	OK(material_new(&m, &e));
	add_crl(m, &w->ca, T0 + 3 * DAY);
	add_crl(m, &w->troot, T0 + 4 * DAY);
	OK(material_pack(m, &packed, &e));
	OK(material_unpack(buf_slice(&packed), &n, &e));
	AUTO(report) struct report *first = judge_doc(w, &d, &row, m, true);
	json_octets(first, &a);
	AUTO(report) struct report *second = judge_doc(w, &d, &row, n, true);
	json_octets(second, &b);
	assert_true(a.n > 0 && slice_eq(buf_slice(&a), buf_slice(&b)));
	assert_true(digest_eq(&first->material, &second->material));
}

static void
refused_and_unsigned(void **state)
{
	struct world *w = *state;
	struct vpolicy policy;
	struct err e = {0};
	static const struct {
		const char *text;
		enum doc_status status;
	} DOCS[] = {{"<!DOCTYPE a><a/>", DOC_REFUSED}, {"<a><b></a>", DOC_REFUSED}, {"<a/>", DOC_NO_SIGNATURE}, {"", DOC_REFUSED}};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	for (size_t i = 0; i < sizeof(DOCS) / sizeof(DOCS[0]); i++) {
		struct verify_input in = {.name = "row", .doc = slice_str(DOCS[i].text), .policy = &policy, .time_utc = T0, .anchors = w->anchors};
		AUTO(report) struct report *r = NULL;

		OK(verify_document(w->v, &in, &r, &e));
		assert_int_equal(r->status, DOCS[i].status);
		assert_int_equal(report_overall(r), IND_INDETERMINATE);
		assert_true((r->error != NULL) == (DOCS[i].status == DOC_REFUSED));
	}
}

/* ---- a token by itself ---- */

static void
token_alone(void **state)
{
	struct world *w = *state;
	AUTO(material) struct material *m = NULL;
	AUTO(buf) struct buf token = {0};
	struct vpolicy policy;
	struct digest d;
	struct err e = {0};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	OK(digest_once(DIGEST_SHA256, slice_str("x"), &d, &e));
	token_der(&token, &w->tsa, &d, T0);
	OK(material_new(&m, &e));
	add_crl(m, &w->troot, T0 + 2 * DAY);
	struct verify_input in = {.policy = &policy, .time_utc = T0 + 9 * DAY, .anchors = w->anchors, .material = m, .want_material = true};
	AUTO(report) struct report *r = NULL;
	OK(verify_token(w->v, &in, buf_slice(&token), T0 + DAY, &r, &e));
	assert_int_equal(r->sigs[0].stamps[0].verdict.ind, IND_PASSED);
	assert_int_equal(r->sigs[0].stamps[0].imprint_intact, TRI_UNKNOWN);
	assert_true(r->sigs[0].stamps[0].closure.fresh);
	assert_int_equal(r->n_wants, 0);
	AUTO(report) struct report *later = NULL;
	OK(verify_token(w->v, &in, buf_slice(&token), T0 + 3 * DAY, &later, &e));
	assert_false(later->sigs[0].stamps[0].closure.fresh);
	assert_true(want_for(later, &w->tsa, true)->newer_than == T0 + 3 * DAY);
	AUTO(report) struct report *none = NULL;
	assert_int_equal(verify_token(w->v, &in, slice_str("no token"), T0, &none, &e), ERR_FORMAT);
}

/* What can be read as one instant is one, and told when it is not in the form that was agreed; no zone is no instant. */
static void
forms_of_gen_time(void **state)
{
	static const struct {
		const char *text;
		enum indication ind;
		bool told;
	} forms[] = {{"20260101000000Z", IND_PASSED, false}, {"20260101000000.5Z", IND_PASSED, false}, {"20260101000000.50Z", IND_PASSED, true},
	    {"202601010000Z", IND_PASSED, true}, {"20260101000000", IND_FAILED, true}, {"20260101000000+0100", IND_FAILED, true}};
	struct world *w = *state;
	AUTO(material) struct material *m = NULL;
	struct vpolicy policy;
	struct digest d;
	struct err e = {0};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	OK(digest_once(DIGEST_SHA256, slice_str("x"), &d, &e));
	OK(material_new(&m, &e));
	add_crl(m, &w->troot, T0 + 2 * DAY);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct verify_input in = {.policy = &policy, .time_utc = T0 + 9 * DAY, .anchors = w->anchors, .material = m};
		AUTO(buf) struct buf token = {0};
		AUTO(report) struct report *r = NULL;
		bool told = false;

		token_at(&token, &w->tsa, &d, forms[i].text);
		OK(verify_token(w->v, &in, buf_slice(&token), T0 + DAY, &r, &e));
		for (size_t k = 0; k < r->sigs[0].n_findings; k++)
			told = told || strcmp(r->sigs[0].findings[k].check, "TimestampFormat") == 0;
		if (r->sigs[0].stamps[0].verdict.ind != forms[i].ind || told != forms[i].told)
			fail_msg("%s: %s, told %d", forms[i].text, indication_name(r->sigs[0].stamps[0].verdict.ind), told);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matrix),
	    cmocka_unit_test(delta_is_named),
	    cmocka_unit_test(wrong_order_warns),
	    cmocka_unit_test(archive_stamps_in_order),
	    cmocka_unit_test(leniency_is_named),
	    cmocka_unit_test(archive_stamp_covers_nested_counter_signatures),
	    cmocka_unit_test(level_needs_a_token),
	    cmocka_unit_test(baseline_needs_the_signer_in_key_info),
	    cmocka_unit_test(best_time_is_the_oldest_stamp),
	    cmocka_unit_test(wants_until_complete),
	    cmocka_unit_test(stale_data_is_wanted),
	    cmocka_unit_test(issuer_is_wanted),
	    cmocka_unit_test(known_proof_counts),
	    cmocka_unit_test(same_input_same_octets),
	    cmocka_unit_test(refused_and_unsigned),
	    cmocka_unit_test(token_alone),
	    cmocka_unit_test(forms_of_gen_time),
	};

	return cmocka_run_group_tests(tests, world_up, world_down);
}
