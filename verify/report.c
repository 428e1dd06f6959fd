/* SPDX-License-Identifier: MIT */
/* The report as a value: names, findings, its life. Written out by report_json.c and report_text.c. */
#include "verify/judge.h"

#include "base/form.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SUB_NAMES[SUB_COUNT] = {
    [SUB_NONE] = "",
    [SUB_FORMAT_FAILURE] = "FORMAT_FAILURE",
    [SUB_HASH_FAILURE] = "HASH_FAILURE",
    [SUB_SIG_CRYPTO_FAILURE] = "SIG_CRYPTO_FAILURE",
    [SUB_REVOKED] = "REVOKED",
    [SUB_EXPIRED] = "EXPIRED",
    [SUB_NOT_YET_VALID] = "NOT_YET_VALID",
    [SUB_SIG_CONSTRAINTS_FAILURE] = "SIG_CONSTRAINTS_FAILURE",
    [SUB_CHAIN_CONSTRAINTS_FAILURE] = "CHAIN_CONSTRAINTS_FAILURE",
    [SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE] = "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    [SUB_CRYPTO_CONSTRAINTS_FAILURE] = "CRYPTO_CONSTRAINTS_FAILURE",
    [SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE] = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE",
    [SUB_POLICY_PROCESSING_ERROR] = "POLICY_PROCESSING_ERROR",
    [SUB_SIGNATURE_POLICY_NOT_AVAILABLE] = "SIGNATURE_POLICY_NOT_AVAILABLE",
    [SUB_TIMESTAMP_ORDER_FAILURE] = "TIMESTAMP_ORDER_FAILURE",
    [SUB_NO_SIGNING_CERTIFICATE_FOUND] = "NO_SIGNING_CERTIFICATE_FOUND",
    [SUB_NO_CERTIFICATE_CHAIN_FOUND] = "NO_CERTIFICATE_CHAIN_FOUND",
    [SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE] = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
    [SUB_REVOKED_NO_POE] = "REVOKED_NO_POE",
    [SUB_REVOKED_CA_NO_POE] = "REVOKED_CA_NO_POE",
    [SUB_OUT_OF_BOUNDS_NOT_REVOKED] = "OUT_OF_BOUNDS_NOT_REVOKED",
    [SUB_OUT_OF_BOUNDS_NO_POE] = "OUT_OF_BOUNDS_NO_POE",
    [SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE] = "REVOCATION_OUT_OF_BOUNDS_NO_POE",
    [SUB_NO_POE] = "NO_POE",
    [SUB_TRY_LATER] = "TRY_LATER",
    [SUB_SIGNED_DATA_NOT_FOUND] = "SIGNED_DATA_NOT_FOUND",
};

const char *
indication_name(enum indication i)
{
	switch (i) {
	case IND_PASSED:
		return "TOTAL-PASSED";
	case IND_FAILED:
		return "TOTAL-FAILED";
	default:
		return "INDETERMINATE";
	}
}

const char *
indication_token_name(enum indication i)
{
	switch (i) {
	case IND_PASSED:
		return "PASSED";
	case IND_FAILED:
		return "FAILED";
	default:
		return "INDETERMINATE";
	}
}

const char *
subindication_name(enum subindication s)
{
	return (unsigned)s < SUB_COUNT ? SUB_NAMES[s] : "";
}

/* ---- findings ---- */

static struct finding *
finding_place(struct judge *j)
{
	struct findings *f = j->f;

	if (f == NULL)
		return NULL;
	if (!mem_grow(&f->v, &f->cap, f->n, sizeof(*f->v))) {
		judge_nomem(j);
		return NULL;
	}
	struct finding *it = &f->v[f->n++];
	memset(it, 0, sizeof(*it));
	return it;
}

static char *
vtext(const char *fmt, va_list ap) PRINTF(1, 0);
static char *
vtext(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	return mem_dupstr(text);
}

static void
find_v(struct judge *j, unsigned depth, enum finding_status st, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, va_list ap) PRINTF(8, 0);
static void
find_v(struct judge *j, unsigned depth, enum finding_status st, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, va_list ap)
{
	struct finding *it = finding_place(j);

	if (it == NULL)
		return;
	it->depth = depth;
	it->status = st;
	it->check = check;
	it->clause = clause;
	it->cure = cure;
	it->object = mem_dupstr(object == NULL ? "" : object);
	it->text = vtext(fmt, ap);
	if (it->object == NULL || it->text == NULL)
		judge_nomem(j);
}

void
find_add(struct judge *j, unsigned depth, enum finding_status st, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	find_v(j, depth, st, check, clause, object, cure, fmt, ap);
	va_end(ap);
}

bool
find_level(struct judge *j, unsigned depth, enum check_level level, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, ...)
{
	static const enum finding_status ST[] = {
	    [LEVEL_FAIL] = FIND_FAIL, [LEVEL_WARN] = FIND_WARN, [LEVEL_INFORM] = FIND_INFO};
	va_list ap;

	if (level == LEVEL_IGNORE)
		return false;
	va_start(ap, fmt);
	find_v(j, depth, ST[level], check, clause, object, cure, fmt, ap);
	va_end(ap);
	return level == LEVEL_FAIL;
}

void
find_verdict(struct judge *j, unsigned depth, const char *check, const char *clause, const char *object, struct verdict v)
{
	find_add(j, depth, v.ind == IND_PASSED ? FIND_OK : FIND_FAIL, check, clause, object, NULL, "%s%s%s",
	    indication_token_name(v.ind), v.sub == SUB_NONE ? "" : " ", subindication_name(v.sub));
}

void
find_alg(struct judge *j, unsigned depth, const struct alg_use *use, int64_t t, const char *object)
{
	struct alg_verdict v = {0};
	char name[64], end[TIME_TEXT], issued[TIME_TEXT];

	catalogue_check(j->pol->catalogue, use, t, j->pol->after_update_warns, &v);
	if (!v.good)
		return;
	alg_text(use, name, sizeof(name));
	if (v.overlay_reason != NULL)
		find_add(j, depth, FIND_INFO, "AlgorithmByOverlay", "EN 319 102-1 5.1.4.3", object, NULL, "%s: %s", name, v.overlay_reason);
	if (!v.ended_after_update)
		return;
	time_text(v.end_utc, end);
	time_text(catalogue_issued(j->pol->catalogue), issued);
	find_add(j, depth, FIND_WARN, "AlgorithmEnded", "EN 319 102-1 5.1.4.3", object, "a newer catalogue, or after_update = fail",
	    "%s ended %.10s by a catalogue of %.10s, which may yet be changed", name, end, issued);
}

void
findings_copy(struct judge *j, const struct findings *from, unsigned depth)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct finding *it = &from->v[i];

		find_add(j, it->depth + depth, it->status, it->check, it->clause, it->object, it->cure, "%s", it->text);
	}
}

void
findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].object);
		free(f->v[i].text);
	}
	free(f->v);
	memset(f, 0, sizeof(*f));
}

/* ---- what can't be judged ---- */

/* NULL: it is XML, or what it is decides nothing. */
static const char *
form_words(struct slice doc)
{
	switch (form_sniff(doc)) {
	case FORM_ASIC:
		return "this is an ASiC or OpenDocument container (a ZIP archive with signatures in it): Everseal does not judge containers "
		       "yet, and keeps a deposited one as data; unpack it, then verify the XML signature in META-INF with --with NAME=FILE "
		       "for each file that it signs";
	case FORM_PDF:
		return "this is a PDF document: Everseal does not judge signatures inside of one (PAdES), and keeps a deposited one as data; "
		       "ask a validator for PAdES, or verify a detached XML signature of it with --with FILE.pdf";
	case FORM_CMS:
		return "this is a CMS signature (CAdES, PKCS #7): Everseal judges XML signatures alone, and keeps a deposited one as data; "
		       "ask a validator for CAdES";
	default:
		break;
	}
	return !form_is_zip(doc) ? NULL
				 : "this is a ZIP archive without signatures in META-INF (no ASiC container): Everseal judges XML signatures "
				   "alone, and keeps a deposited archive as data; unpack it, then verify the signature in it";
}

char *
refusal_words(struct slice doc, const struct err *parser)
{
	const char *form = parser->code == ERR_FORMAT ? form_words(doc) : NULL;

	if (doc.n == 0)
		return mem_dupstr("the file is empty");
	if (form != NULL)
		return mem_dupstr(form);
	if (parser->code != ERR_FORMAT || form_sniff(doc) == FORM_XML)
		return mem_dupstr(parser->text);
	return mem_printf("this is not XML (%s): Everseal judges XML signatures alone, and keeps a deposited file of this kind as data", parser->text);
}

/* ---- life ---- */

enum err_code
report_new(const struct verify_input *in, struct report **out, struct err *e)
{
	AUTO(report) struct report *r = mem_new(1, sizeof(*r));

	if (r == NULL)
		return err_nomem(e);
	r->file = mem_dupstr(in->name == NULL ? "" : in->name);
	if (r->file == NULL)
		return err_nomem(e);
	r->time_utc = in->time_utc;
	r->policy = in->policy->digest;
	r->catalogue = *catalogue_digest(in->policy->catalogue);
	snprintf(r->policy_name, sizeof(r->policy_name), "%s", in->policy->name);
	r->sliding_strict = in->policy->sliding_strict;
	if (anchors_digest(in->anchors, &r->trust, e) != ERR_OK || material_digest(in->material, &r->material, e) != ERR_OK)
		return err_wrap(e, "report");
	*out = TAKE(r);
	return ERR_OK;
}

static void
stamp_release(struct report_stamp *t)
{
	free(t->id);
	free(t->tsa_subject);
	free(t->ca_subject);
	free(t->proof_gap);
	closure_release(&t->closure);
}

static void
signature_release(struct report_signature *s)
{
	free(s->proof_gap);
	struct findings f = {s->findings, s->n_findings, s->cap_findings};

	for (size_t i = 0; i < s->n_stamps; i++)
		stamp_release(&s->stamps[i]);
	findings_release(&f);
	closure_release(&s->closure);
	closure_release(&s->sliding);
	report_refs_release(s->refs, s->n_refs);
	free(s->stamps);
	free(s->id);
	free(s->signer_subject);
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_sigs; i++)
		signature_release(&r->sigs[i]);
	for (size_t i = 0; i < r->n_wants; i++)
		free(r->wants[i].name);
	free(r->sigs);
	proof_release(&r->proof);
	free(r->wants);
	free(r->poes);
	free(r->file);
	free(r->error);
	free(r);
}

void
report_auto(struct report **r)
{
	report_free(*r);
}

enum indication
report_overall(const struct report *r)
{
	bool all = r->status == DOC_VALIDATED && r->n_sigs > 0;

	for (size_t i = 0; i < r->n_sigs; i++) {
		if (r->sigs[i].verdict.ind == IND_FAILED)
			return IND_FAILED;
		all = all && r->sigs[i].verdict.ind == IND_PASSED;
	}
	return all ? IND_PASSED : IND_INDETERMINATE;
}
