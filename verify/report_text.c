/* SPDX-License-Identifier: MIT */
/*
 * The report for people, made of its JSON (docs/report.md), so that whoever has that has this: what it says in words, who
 * signed what and when, a line a time-stamp, then the findings as a tree.
 */
#include "verify/words.h"

#include <string.h>

#define REFS_SHOWN 8

static const char *
str(const json_t *j, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : otherwise;
}

static void
add_verdict(struct buf *b, const json_t *of)
{
	const char *sub = str(of, "subindication", "");

	buf_adds(b, str(of, "indication", "?"));
	if (*sub != '\0')
		buf_addf(b, " (%s)", sub);
}

static const char *
tri_text(const json_t *t, const char *yes, const char *no)
{
	return json_is_true(t) ? yes : json_is_false(t) ? no : "not checked";
}

static void
add_ref(struct buf *b, const json_t *s, const json_t *r, int depth)
{
	const char *uri = str(r, "uri", "");

	buf_addf(b, "    %*ssigns ", 2 * depth, "");
	report_reference_words(s, r, b);
	if (*uri != '\0' && str(r, "extent", NULL) != NULL)
		words_quoted(b, " (", uri, ")");
	buf_addf(b, ": %s\n",
	    json_is_false(json_object_get(r, "found")) ? "not at hand" : tri_text(json_object_get(r, "intact"), "intact", "ALTERED"));
}

static void
add_refs(struct buf *b, const json_t *s, const json_t *refs, int depth)
{
	const json_t *r = NULL;
	size_t i;

	json_array_foreach (refs, i, r) {
		if (i == REFS_SHOWN) {
			buf_addf(b, "    %*ssigns %zu more\n", 2 * depth, "", json_array_size(refs) - i);
			return;
		}
		add_ref(b, s, r, depth);
		add_refs(b, s, json_object_get(r, "entries"), depth + 1);
	}
}

/* An ended certificate is normal in an archive: say when it was valid, not an alarm (design 10). */
static void
add_time(struct buf *b, const char *now, const json_t *s)
{
	const char *best = str(s, "best_signature_time", now), *claimed = str(s, "claimed_signing_time", NULL);
	const char *end = str(json_object_get(s, "signed_by"), "not_after", NULL);

	if (claimed != NULL)
		buf_addf(b, "    says that it was made at %s\n", claimed);
	/* Instants of one form and UTC: the order of their texts is theirs. */
	if (strcmp(best, now) < 0)
		buf_addf(b, "    existed at %s", best);
	else
		buf_adds(b, "    no proof of an earlier existence");
	if (strcmp(str(s, "indication", ""), indication_name(IND_PASSED)) == 0 && end != NULL && strcmp(end, now) < 0)
		buf_addf(b, "; the signer's certificate ended since, on %s", end);
	buf_adds(b, "\n");
}

static void
add_stamp(struct buf *b, const json_t *t)
{
	buf_addf(b, "    %s %s ", str(t, "type", "?"), str(t, "time", "-"));
	add_verdict(b, t);
	buf_addf(b, ", imprint %s", tri_text(json_object_get(t, "imprint_intact"), "intact", "BROKEN"));
	if (str(t, "issued_by", NULL) != NULL)
		words_add(b, ", ", str(t, "issued_by", ""), "");
	buf_adds(b, "\n");
}

static void
add_findings(struct buf *b, const json_t *list, int depth)
{
	static const char *const ST[][2] = {{"ok", "ok  "}, {"warn", "warn"}, {"fail", "FAIL"}, {"info", "    "}, {"not_checked", "not checked:"}};
	const json_t *f = NULL;
	size_t i, k;

	json_array_foreach (list, i, f) {
		const char *status = str(f, "status", ""), *object = str(f, "object", ""), *cure = str(f, "cure", NULL);

		for (k = 0; k + 1 < sizeof(ST) / sizeof(ST[0]) && strcmp(ST[k][0], status) != 0; k++)
			;
		buf_addf(b, "    %*s%s %s: ", 2 * depth, "", ST[k][1], str(f, "check", "?"));
		buf_addplain(b, str(f, "text", ""));
		if (*object != '\0')
			words_add(b, " [", object, "]");
		if (cure != NULL)
			buf_addf(b, " -> %s", cure);
		buf_adds(b, "\n");
		add_findings(b, json_object_get(f, "findings"), depth + 1);
	}
}

static void
add_signature(struct buf *b, const char *now, const json_t *s)
{
	AUTO(buf) struct buf words = {0};
	const json_t *t = NULL;
	size_t i;

	report_signature_words(s, &words);
	buf_addf(b, "  signature %lld%s", (long long)json_integer_value(json_object_get(s, "index")), str(s, "id", "")[0] != '\0' ? " " : "");
	words_id(b, str(s, "id", ""));
	buf_adds(b, ": ");
	add_verdict(b, s);
	if (words.n != 0)
		buf_addf(b, ": %s", buf_str(&words));
	buf_addf(b, "\n    %s", str(s, "level", "?"));
	words_add(b, ", signed by ", str(json_object_get(s, "signed_by"), "subject", "an unknown certificate"), "\n");
	if (json_is_integer(json_object_get(s, "parent")))
		buf_addf(b, "    a counter-signature on signature %lld\n", (long long)json_integer_value(json_object_get(s, "parent")));
	add_refs(b, s, json_object_get(s, "references"), 0);
	add_time(b, now, s);
	json_array_foreach (json_object_get(s, "timestamps"), i, t)
		add_stamp(b, t);
	add_findings(b, json_object_get(s, "findings"), 0);
}

/* The worst over all signatures, as report_overall. */
static const char *
overall(const json_t *sigs)
{
	bool all = json_array_size(sigs) != 0;
	const json_t *s = NULL;
	size_t i;

	json_array_foreach (sigs, i, s) {
		const char *ind = str(s, "indication", "");

		if (strcmp(ind, indication_name(IND_FAILED)) == 0)
			return ind;
		all = all && strcmp(ind, indication_name(IND_PASSED)) == 0;
	}
	return indication_name(all ? IND_PASSED : IND_INDETERMINATE);
}

/* That what passed is proved, or that it is not: then we are to blame, never the document. */
static void
add_proof(struct buf *b, const json_t *document)
{
	json_int_t unproven = json_integer_value(json_object_get(document, "unproven"));
	const json_t *s = NULL;
	bool passed = false;
	size_t i, n = json_array_size(json_object_get(document, "derivation"));

	json_array_foreach (json_object_get(document, "signatures"), i, s)
		passed = passed || strcmp(str(s, "indication", ""), indication_name(IND_PASSED)) == 0;
	if (unproven > 0)
		buf_addf(b, "  DEFECT OF EVERSEAL: %lld verdict(s) that passed could not be proved, and do not count (ProofChecked below says why). "
			    "The document is not to blame; please report it\n", (long long)unproven);
	if (passed && n > 0)
		buf_addf(b, "  proved in %zu lines (--json shows them)\n", n);
}

enum err_code
report_text(const json_t *header, const json_t *document, const char *shown, struct buf *out, struct err *e)
{
	const json_t *sigs = json_object_get(document, "signatures"), *s = NULL;
	const char *now = str(header, "validation_time", "-"), *status = str(document, "status", "");
	size_t i, records = json_array_size(json_object_get(document, "evidence_records"));

	words_name(out, shown != NULL ? shown : str(document, "file", "-"));
	buf_adds(out, ": ");
	if (strcmp(status, "validated") == 0)
		buf_addf(out, "%s at %s by policy %s\n", overall(sigs), now, str(header, "policy", "-"));
	else if (strcmp(status, "no_signature") == 0)
		buf_adds(out, "no signature\n");
	else
		words_add(out, "refused: ", str(document, "error", "-"), "\n");
	add_proof(out, document);
	json_array_foreach (sigs, i, s)
		add_signature(out, now, s);
	if (records > 0)
		buf_addf(out, "  %zu evidence record(s): not checked\n", records);
	return buf_ok(out, e);
}
