/* SPDX-License-Identifier: MIT */
/* The report for people: a line a signature, a line a time-stamp, then the findings as a tree. */
#include "verify/judge.h"

static void
add_verdict(struct buf *b, const char *ind, struct verdict v)
{
	buf_adds(b, ind);
	if (v.sub != SUB_NONE)
		buf_addf(b, " (%s)", subindication_name(v.sub));
}

/* An ended certificate is normal in an archive: say when it was valid, not an alarm (design 10). */
static void
add_time(struct buf *b, const struct report *r, const struct report_signature *s)
{
	char best[TIME_TEXT], end[TIME_TEXT];

	time_text(s->best_signature_time, best);
	if (s->best_signature_time < r->time_utc)
		buf_addf(b, "    existed at %s", best);
	else
		buf_adds(b, "    no proof of an earlier existence");
	if (s->verdict.ind == IND_PASSED && s->signer_not_after < r->time_utc) {
		time_text(s->signer_not_after, end);
		buf_addf(b, "; the signer's certificate ended since, on %s", end);
	}
	buf_adds(b, "\n");
}

static void
add_stamp(struct buf *b, const struct report_stamp *t)
{
	char when[TIME_TEXT];

	time_text(t->time_utc, when);
	buf_addf(b, "    %s %s ", stamp_type_name(t->type), when);
	add_verdict(b, indication_token_name(t->verdict.ind), t->verdict);
	buf_addf(b, ", imprint %s", t->imprint_intact == TRI_TRUE ? "intact" : t->imprint_intact == TRI_FALSE ? "BROKEN" : "not checked");
	if (t->tsa_subject != NULL)
		buf_addf(b, ", %s", t->tsa_subject);
	buf_adds(b, "\n");
}

static void
add_finding(struct buf *b, const struct finding *f)
{
	static const char *const ST[] = {[FIND_OK] = "ok  ", [FIND_WARN] = "warn", [FIND_FAIL] = "FAIL", [FIND_INFO] = "    ",
	    [FIND_NOT_CHECKED] = "not checked:"};

	buf_addf(b, "    %*s%s %s: %s", (int)(2 * f->depth), "", ST[f->status], f->check, f->text);
	if (f->object[0] != '\0')
		buf_addf(b, " [%s]", f->object);
	if (f->cure != NULL)
		buf_addf(b, " -> %s", f->cure);
	buf_adds(b, "\n");
}

static void
add_signature(struct buf *b, const struct report *r, const struct report_signature *s)
{
	buf_addf(b, "  signature %zu %s: ", s->index, s->id == NULL ? "" : s->id);
	add_verdict(b, indication_name(s->verdict.ind), s->verdict);
	buf_addf(b, "\n    %s, signed by %s\n", s->level, s->signer_subject == NULL ? "an unknown certificate" : s->signer_subject);
	add_time(b, r, s);
	for (size_t i = 0; i < s->n_stamps; i++)
		add_stamp(b, &s->stamps[i]);
	for (size_t i = 0; i < s->n_findings; i++)
		add_finding(b, &s->findings[i]);
}

enum err_code
report_text(const struct report *r, struct buf *out, struct err *e)
{
	char when[TIME_TEXT];

	time_text(r->time_utc, when);
	buf_addf(out, "%s: ", r->file);
	switch (r->status) {
	case DOC_VALIDATED:
		buf_addf(out, "%s at %s by policy %s\n", indication_name(report_overall(r)), when, r->policy_name);
		break;
	case DOC_NO_SIGNATURE:
		buf_adds(out, "no signature\n");
		break;
	default:
		buf_addf(out, "refused: %s\n", r->error);
	}
	for (size_t i = 0; i < r->n_sigs; i++)
		add_signature(out, r, &r->sigs[i]);
	if (r->evidence_records > 0)
		buf_addf(out, "  %zu evidence record(s): not checked\n", r->evidence_records);
	return buf_ok(out, e);
}
