/* SPDX-License-Identifier: MIT */
/* Where new properties go, and that nothing else changed by them. */
#include "archiver/augment.h"

#include <string.h>

enum augment_kind
augment_kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum augment_kind kind;
	} rows[] = {{"T", ADD_T}, {"X", ADD_X}, {"A", ADD_A}, {"refs", ADD_REFS}, {"values", ADD_VALUES},
	    {"tsvd", ADD_TSVD}, {"anyvd", ADD_ANYVD}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (name != NULL && strcmp(rows[i].name, name) == 0)
			return rows[i].kind;
	return 0;
}

void
augment_have(const struct xsig *s, struct augment_have *out)
{
	const xmlNode *u = s->unsigned_props;
	*out = (struct augment_have){
	    .refs_v1 = xml_first(u, NS_X132, "CompleteCertificateRefs") != NULL,
	    .refs_v2 = xml_first(u, NS_X141, "CompleteCertificateRefsV2") != NULL,
	    .rev_refs = xml_first(u, NS_X132, "CompleteRevocationRefs") != NULL,
	    .values = xml_first(u, NS_X132, "CertificateValues") != NULL ||
		xml_first(u, NS_X132, "RevocationValues") != NULL,
	    .inherits = sig_inherits_attributes(s),
	};
}

const char *
augment_c14n(enum augment_kind kind, const struct augment_have *have)
{
	return kind == ADD_A && have->inherits ? "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" :
						 "http://www.w3.org/2001/10/xml-exc-c14n#";
}

size_t
augment_children(const struct xsig *s)
{
	return s->unsigned_props != NULL ? xml_count(s->unsigned_props, NULL, NULL) : 0;
}

struct xstamp
augment_described(enum augment_kind kind, const struct augment_have *have, size_t n_children)
{
	struct xstamp s = {.c14n = (char *)(uintptr_t)augment_c14n(kind, have), .position = n_children};
	s.type = kind == ADD_T ? STAMP_SIGNATURE : kind == ADD_X ? STAMP_SIG_AND_REFS : STAMP_ARCHIVE;
	/* References of one version are covered by stamps of that version alone (xades.md 4). */
	s.v2 = kind == ADD_X && !have->refs_v1;
	return s;
}

void
spliced_release(struct spliced *s)
{
	buf_release(&s->text);
	buf_release(&s->file);
}

void
spliced_auto(struct spliced *s)
{
	spliced_release(s);
}

static enum err_code
compose(struct slice raw, struct spliced *sp, struct err *e)
{
	if (sp->offset > raw.n)
		return err_set(e, ERR_BUG, "insertion behind the end of the file");
	buf_addslice(&sp->file, slice_of(raw.p, sp->offset));
	buf_addslice(&sp->file, buf_slice(&sp->text));
	buf_addslice(&sp->file, slice_of(raw.p + sp->offset, raw.n - sp->offset));
	return buf_ok(&sp->file, e);
}

enum err_code
augment_splice(struct sigdoc *d, struct xsig *s, const char *text, struct spliced *out, struct err *e)
{
	struct insertion where = {0};
	AUTO(buf) struct buf whole = {0};
	if (sig_insertion(d, s, &where, e) != ERR_OK)
		return err_wrap(e, "insertion");
	out->offset = where.offset;
	if (text[0] != '\0') {
		buf_adds(&whole, where.before);
		buf_adds(&whole, text);
		buf_adds(&whole, where.after);
	}
	enum err_code rc = buf_ok(&whole, e);
	if (rc == ERR_OK)
		rc = insertion_encode(&where, buf_str(&whole), &out->text, e);
	insertion_release(&where);
	return rc == ERR_OK ? compose(d->raw, out, e) : err_wrap(e, "insertion");
}

/* ---- nothing else changed ---- */

static enum err_code
same_references(const struct report_signature *a, const struct report_signature *b, struct err *e)
{
	if (a->n_refs != b->n_refs)
		return err_set(e, ERR_REFUSED, "%zu references became %zu", a->n_refs, b->n_refs);
	for (size_t i = 0; i < a->n_refs; i++)
		if (a->refs[i].found != b->refs[i].found || a->refs[i].intact != b->refs[i].intact)
			return err_set(e, ERR_REFUSED, "reference %zu (%s) changed its outcome", i,
			    a->refs[i].uri != NULL ? a->refs[i].uri : "-");
	return ERR_OK;
}

/* New stamps come behind the old ones of their signature. */
static enum err_code
same_stamps(const struct report_signature *a, const struct report_signature *b, size_t n_new, struct err *e)
{
	if (b->n_stamps != a->n_stamps + n_new)
		return err_set(e, ERR_REFUSED, "%zu time-stamps became %zu, %zu expected", a->n_stamps, b->n_stamps,
		    a->n_stamps + n_new);
	for (size_t i = 0; i < a->n_stamps; i++)
		if (a->stamps[i].type != b->stamps[i].type ||
		    a->stamps[i].imprint_intact != b->stamps[i].imprint_intact)
			return err_set(e, ERR_REFUSED, "time-stamp %zu changed its outcome", i);
	for (size_t i = a->n_stamps; i < b->n_stamps; i++)
		if (b->stamps[i].imprint_intact != TRI_TRUE)
			return err_set(e, ERR_REFUSED, "new time-stamp %zu does not cover what it should", i);
	return ERR_OK;
}

static enum err_code
same_signature(
    const struct report_signature *a, const struct report_signature *b, size_t n_new, struct err *e)
{
	if (a->parent != b->parent || a->value_intact != b->value_intact)
		return err_set(e, ERR_REFUSED, "its value changed its outcome");
	if (same_references(a, b, e) != ERR_OK || same_stamps(a, b, n_new, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	if (a->verdict.ind != IND_FAILED && b->verdict.ind == IND_FAILED)
		return err_set(e, ERR_REFUSED, "its verdict became %s %s", indication_name(b->verdict.ind),
		    subindication_name(b->verdict.sub));
	return ERR_OK;
}

static bool
subsequence(struct slice before, const struct spliced *sp)
{
	const struct buf *f = &sp->file;
	size_t cut = (size_t)sp->offset, tail = before.n - cut;
	return cut <= before.n && f->n == before.n + sp->text.n && memcmp(f->p, before.p, cut) == 0 &&
	    (tail == 0 || memcmp(f->p + cut + sp->text.n, before.p + cut, tail) == 0);
}

enum err_code
augment_recheck(struct slice before, const struct report *was, const struct spliced *sp, const struct report *is,
    size_t at, size_t n_new, struct err *e)
{
	if (!subsequence(before, sp))
		return err_set(e, ERR_REFUSED, "the old file is no ordered subsequence of the new one");
	if (is->status != DOC_VALIDATED || was->n_sigs != is->n_sigs)
		return err_set(e, ERR_REFUSED, "%zu signatures became %zu", was->n_sigs, is->n_sigs);
	for (size_t i = 0; i < was->n_sigs; i++)
		if (same_signature(&was->sigs[i], &is->sigs[i], i == at ? n_new : 0, e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
	return ERR_OK;
}
