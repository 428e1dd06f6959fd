/* SPDX-License-Identifier: MIT */
/*
 * Verdicts that hang on the chain: who may certify, list, answer and stamp, which of two chains counts, and what a
 * revocation of signer or CA leaves standing. Each row differs from a good one by what its name says.
 */
#include "tests/mini_tree.h"

/* ---- rows ---- */

enum how { PLAIN = 0, DSS = 1, SUNSET = 2 /* of root */, TSA_SUNSET = 4, ROOT2_OCSP = 8 /* a responder and nothing else */, STRICT = 16, ALONE = 32 /* the checker does not ask what refuses it */ };
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
    {"a list by the CA's new key, which the peer passes over", listed_by_new_key, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, DSS | ALONE},
    {"an answer by another CA", answered_by_root2, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by a CA that is trusted as responder", answered_by_root2, T0 + 2 * DAY - 1, IND_PASSED, SUB_NONE, ROOT2_OCSP},
    {"an answer by another CA's responder", answered_by_responder, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by a responder with a critical extension", answered_by_odd, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by the signer's own key", answered_by_itself, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"an answer by a responder certified with SHA-1", answered_under_sha1, T0 + 2 * DAY, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN},
    {"of the lists of one second one revokes", listed_in_one_second, T0 + 2 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN},
    {"signed by a key that must not sign", by_a_key_for_ciphers, T0 + 2 * DAY, NO, SUB_CHAIN_CONSTRAINTS_FAILURE, PLAIN},
    {"signed by a key that must not sign, as the peer has it", by_a_key_for_ciphers, T0 + 2 * DAY, IND_PASSED, SUB_NONE, DSS},
    {"a CA that promises never to revoke", under_a_silent_ca, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"a root without key usage", under_a_bare_root, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"a root without key usage, as the peer has it", under_a_bare_root, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, DSS | ALONE},
    {"a list of its distribution point", list_of_its_point, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"a list of another point", list_of_another_point, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, PLAIN},
    {"a list of another point, as the peer has it", list_of_another_point, T0 + 2 * DAY, IND_PASSED, SUB_NONE, DSS},
    {"a list for users, without a point", list_for_users, T0 + 2 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"a list for users, without a point, as the peer has it", list_for_users, T0 + 2 * DAY, NO, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, DSS},
    {"the CA's key stolen after the archive stamp", ca_compromised, T0 + 70 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"the same as the peer has it", ca_compromised, T0 + 70 * DAY, IND_PASSED, SUB_NONE, DSS},
    {"the CA's key stolen, nothing stamped", ca_compromised_bare, T0 + 65 * DAY, NO, SUB_REVOKED_CA_NO_POE, PLAIN},
    {"signer and CA revoked after the stamp", both_revoked_later, T0 + 70 * DAY, IND_PASSED, SUB_NONE, PLAIN},
    {"signer revoked before the stamp, CA after", both_revoked_signer_before, T0 + 70 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN},
    {"content stamp between both revocations", both_revoked_content_between, T0 + 65 * DAY, IND_FAILED, SUB_REVOKED, PLAIN},
    {"revoked after the stamp, certified with SHA-1", sha1_certificate_revoked_later, T0 + 60 * DAY, NO, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, PLAIN},
    {"revoked before the stamp, as a later list tells", revocation_told_late, T0 + 2 * DAY, NO, SUB_REVOKED_NO_POE, PLAIN},
    {"two certificates deep, all data at once: ignore", archived_once, T0 + 3 * YEAR, IND_PASSED, SUB_NONE, PLAIN},
    {"two certificates deep, all data at once: strict", archived_once, T0 + 3 * YEAR, NO, SUB_OUT_OF_BOUNDS_NOT_REVOKED, STRICT | ALONE},
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
	trust(anchors, &w->bare_root, ROLE_ALL, TIME_MAX);
	trust(anchors, &w->troot, ROLE_TSA, (row->how & TSA_SUNSET) != 0 ? T0 + 100 * DAY : TIME_MAX);
	trust(anchors, &w->tsa, ROLE_TSA, TIME_MAX);
	OK(vpolicy_builtin((row->how & DSS) != 0 ? "dss" : "default", NULL, &policy, &e));
	doc_text(&d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = row->at, .anchors = anchors,
	    .material = m, .want_material = m != NULL, .prove_all = true};
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

		wrong += !verdict_is_so(ROWS[i].name, r, ROWS[i].ind, ROWS[i].sub, (ROWS[i].how & ALONE) != 0);
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

static bool
in_closure(const struct closure *c, struct slice der)
{
	for (size_t i = 0; i < c->n; i++)
		if (slice_eq(c->v[i].der, der))
			return true;
	return false;
}

/* What is collected is the CA's own list, though a stranger of its name issued a newer one. */
static void
closure_passes_over_twins(void **state)
{
	struct tree *w = *state;
	struct row row = {.make = twin_beside, .at = T0 + 7 * DAY};
	AUTO(material) struct material *m = NULL;
	AUTO(buf) struct buf own = {0}, twin = {0}, root = {0}, root2 = {0};
	struct err e = {0};

	crl_der(&own, &w->sub, T0 + 3 * DAY, NULL, 0, NULL);
	crl_der(&twin, &w->twin, T0 + 4 * DAY, NULL, 0, NULL);
	crl_der(&root, &w->root, T0 + 3 * DAY, NULL, 0, NULL);
	crl_der(&root2, &w->root2, T0 + 4 * DAY, NULL, 0, NULL);
	OK(material_new(&m, &e));
	OK(material_add(m, MAT_CRL, buf_slice(&twin), &e));
	AUTO(report) struct report *lacks = judge_with(w, &row, m);
	assert_false(lacks->sigs[0].closure.complete);
	OK(material_add(m, MAT_CRL, buf_slice(&own), &e));
	OK(material_add(m, MAT_CRL, buf_slice(&root), &e));
	OK(material_add(m, MAT_CRL, buf_slice(&root2), &e));
	AUTO(report) struct report *has = judge_with(w, &row, m);
	assert_int_equal(has->sigs[0].verdict.ind, IND_PASSED);
	assert_true(has->sigs[0].closure.complete);
	assert_true(in_closure(&has->sigs[0].closure, buf_slice(&own)));
	assert_false(in_closure(&has->sigs[0].closure, buf_slice(&twin)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matrix),
	    cmocka_unit_test(no_tsa_under_a_sunset),
	    cmocka_unit_test(times_outside_the_tsa),
	    cmocka_unit_test(strict_reading_asks_upwards),
	    cmocka_unit_test(closure_passes_over_twins),
	};

	return cmocka_run_group_tests_name("judge", tests, tree_up, tree_down);
}
