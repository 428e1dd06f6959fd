/* SPDX-License-Identifier: MIT */
/*
 * The checker of derivations (docs/proof.md): what the judge passes is accepted, and every line that is dropped, doubled,
 * moved, altered or taken from another document is refused.
 */
#include "tests/mini_world.h"
#include "verify/proof/proof.h"

struct passed_row {
	const char *name;
	struct doc (*make)(struct world *w);
	int64_t at;
	bool sunset;
};
static const struct passed_row ROWS[] = {
    {"valid, inside the validity", plain, T0 + 2 * DAY, false},
    {"revoked after the stamp", revoked_later, T0 + 11 * DAY, false},
    {"ended, stamped, responder lives", ended_long_responder, T0 + YEAR + 9 * DAY, false},
    {"responder ended, under an archive stamp in time", ended_short_responder_archived, T0 + YEAR + 9 * DAY, false},
    {"newest good, older good", older_stamp_good, T0 + 3 * YEAR, false},
    {"CA revoked after the archive stamp", ca_revoked_after_archive, T0 + 60 * DAY, false},
    {"SHA-1, archived before its end", sha1_in_time, T0 + 2 * DAY, false},
    {"renewed", renewed_and_after, T0 + 1400 * DAY, false},
    {"a second chain without name constraints", narrow_and_wide_chain, T0 + 2 * DAY, false},
    {"anchor past its sunset, archived before", archived_fully, T0 + 200 * DAY, true},
};
#define N_ROWS (sizeof(ROWS) / sizeof(ROWS[0]))

/* One judged document, its case and the derivation that came with it. */
struct judged {
	struct buf text;
	struct vpolicy policy;
	struct report *report;
	struct sigdoc *doc;
	struct proof_case c;
};

static void
judged_make(struct world *w, const struct passed_row *row, struct judged *out)
{
	AUTO(doc) struct doc d = row->make(w);
	const struct anchors *anchors = row->sunset ? w->sunset : w->anchors;
	struct err e = {0};

	memset(out, 0, sizeof(*out));
	OK(vpolicy_builtin("default", NULL, &out->policy, &e));
	doc_text(&d, &out->text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&out->text), .policy = &out->policy, .time_utc = row->at,
	    .anchors = anchors, .grace_seconds = DAY};
	OK(verify_document(w->v, &in, &out->report, &e));
	OK(sigdoc_open(in.doc, NULL, 0, NULL, &out->doc, &e));
	out->c = (struct proof_case){.doc = out->doc, .octets = in.doc, .pki = verifier_pki(w->v), .anchors = anchors,
	    .policy = &out->policy, .now_utc = row->at};
}

static void
judged_free(struct judged *j)
{
	report_free(j->report);
	sigdoc_close(j->doc);
	buf_auto(&j->text);
}

static bool
holds(const struct judged *j, const struct proof *p)
{
	char why[240];
	size_t bad;

	return proof_check(&j->c, p, &bad, why, sizeof(why));
}

static void
accepted(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		struct judged j;
		char why[240];
		size_t bad;

		judged_make(w, &ROWS[i], &j);
		if (report_overall(j.report) != IND_PASSED || j.report->unproven != 0 || j.report->proof.n < 5 ||
		    !proof_check(&j.c, &j.report->proof, &bad, why, sizeof(why))) {
			print_error("%s: not accepted: line %zu, %s\n", ROWS[i].name, bad, why);
			for (size_t f = 0; f < j.report->sigs[0].n_findings; f++)
				if (strcmp(j.report->sigs[0].findings[f].check, "ProofChecked") == 0)
					print_error("    %s\n", j.report->sigs[0].findings[f].text);
			wrong++;
		}
		judged_free(&j);
	}
	assert_int_equal(wrong, 0);
}

/* ---- alterations ---- */

static void
copy(const struct proof *p, struct proof *out, size_t without, size_t twice)
{
	for (size_t i = 0; i < p->n; i++)
		for (int k = 0; k < (i == twice ? 2 : 1) && i != without; k++) {
			assert_true(proof_add(out, &p->v[i]));
			for (size_t r = 0; r < p->v[i].n; r++)
				assert_true(proof_rest(out, p->rests[p->v[i].first + r]));
		}
}

typedef bool alteration(struct proof_line *l); /* false: it says the same */

static bool alter_kind(struct proof_line *l) { l->kind = l->kind == PROOF_PASSED ? PROOF_HOLDS : l->kind + 1; return true; }
static bool alter_object(struct proof_line *l) { l->object[7] ^= 1; return true; }
static bool alter_by(struct proof_line *l) { l->by[7] ^= 1; return true; }
static bool alter_sooner(struct proof_line *l) { l->time -= 1; return true; }
static bool alter_later(struct proof_line *l) { l->time += 1; return true; }
static bool alter_sig(struct proof_line *l) { l->sig++; return true; }
static bool alter_at(struct proof_line *l) { l->at++; return true; }
static bool alter_entry(struct proof_line *l) { l->entry = l->entry == PROOF_NO_ENTRY ? 0 : PROOF_NO_ENTRY; return true; }
static bool alter_role(struct proof_line *l) { l->role = l->role == ROLE_TSA ? ROLE_SIGNER : ROLE_TSA; return true; }
static bool alter_ctx(struct proof_line *l) { l->ctx = (l->ctx + 1) % CTX_COUNT; return true; }
static bool alter_place(struct proof_line *l) { l->place = (l->place + 1) % PLACES; return true; }
static bool alter_digest(struct proof_line *l) { l->alg.digest = l->alg.digest == DIGEST_SHA512 ? DIGEST_SHA256 : DIGEST_SHA512; return true; }
static bool alter_bits(struct proof_line *l) { l->alg.key_bits++; return true; }
static bool alter_usage(struct proof_line *l) { l->alg.usage = l->alg.usage == USE_DATA ? USE_OCSP : USE_DATA; return l->alg.key != KEY_UNKNOWN || l->alg.digest != DIGEST_NONE; }

static const struct {
	const char *name;
	alteration *alter;
} ALTERATIONS[] = {{"kind", alter_kind}, {"object", alter_object}, {"by", alter_by}, {"sooner", alter_sooner}, {"later", alter_later},
    {"sig", alter_sig}, {"at", alter_at}, {"entry", alter_entry}, {"role", alter_role}, {"ctx", alter_ctx}, {"place", alter_place},
    {"digest", alter_digest}, {"bits", alter_bits}, {"usage", alter_usage}};

static size_t
refused_or_told(const struct judged *j, struct proof *p, const char *row, const char *what, size_t line)
{
	bool ok = holds(j, p);

	if (ok)
		print_error("%s: line %zu (%s): %s is accepted\n", row, line, line < p->n ? proof_kind_name(p->v[line].kind) : "-", what);
	proof_release(p);
	return ok;
}

static void
altered_lines_are_refused(void **state)
{
	struct world *w = *state;
	size_t wrong = 0, tried = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		struct judged j;

		judged_make(w, &ROWS[i], &j);
		const struct proof *p = &j.report->proof;
		for (size_t n = 0; n < p->n; n++) {
			struct proof q = {0};

			copy(p, &q, n, SIZE_MAX);
			wrong += refused_or_told(&j, &q, ROWS[i].name, "dropped", n);
			copy(p, &q, SIZE_MAX, n);
			wrong += refused_or_told(&j, &q, ROWS[i].name, "doubled", n);
			for (size_t a = 0; a < sizeof(ALTERATIONS) / sizeof(ALTERATIONS[0]); a++, tried++) {
				copy(p, &q, SIZE_MAX, SIZE_MAX);
				if (ALTERATIONS[a].alter(&q.v[n]))
					wrong += refused_or_told(&j, &q, ROWS[i].name, ALTERATIONS[a].name, n);
				else
					proof_release(&q);
			}
		}
		judged_free(&j);
	}
	assert_int_equal(wrong, 0);
	assert_true(tried > 1000);
}

static void
altered_premises_are_refused(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		struct judged j;

		judged_make(w, &ROWS[i], &j);
		const struct proof *p = &j.report->proof;
		for (size_t n = 0; n < p->n_rests; n++) {
			struct proof q = {0};

			copy(p, &q, SIZE_MAX, SIZE_MAX);
			q.rests[n] = q.rests[n] + 1;
			wrong += refused_or_told(&j, &q, ROWS[i].name, "next premise", n);
			copy(p, &q, SIZE_MAX, SIZE_MAX);
			q.rests[n] = q.rests[n] - 1;
			wrong += refused_or_told(&j, &q, ROWS[i].name, "premise before", n);
		}
		judged_free(&j);
	}
	assert_int_equal(wrong, 0);
}

/* No derivation serves another document, nor the same at another time. */
static void
exchanged_derivations_are_refused(void **state)
{
	struct world *w = *state;
	struct judged j[N_ROWS];

	for (size_t i = 0; i < N_ROWS; i++)
		judged_make(w, &ROWS[i], &j[i]);
	for (size_t i = 0; i < N_ROWS; i++)
		for (size_t k = 0; k < N_ROWS; k++)
			assert_int_equal(holds(&j[i], &j[k].report->proof), i == k);
	for (size_t i = 0; i < N_ROWS; i++) {
		j[i].c.now_utc++;
		assert_false(holds(&j[i], &j[i].report->proof));
		judged_free(&j[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accepted),
	    cmocka_unit_test(altered_lines_are_refused),
	    cmocka_unit_test(altered_premises_are_refused),
	    cmocka_unit_test(exchanged_derivations_are_refused),
	};

	return cmocka_run_group_tests(tests, world_up, world_down);
}
