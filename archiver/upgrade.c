/* SPDX-License-Identifier: MIT */
/* The table of which signature is upgraded how. The first row that matches decides. */
#include "archiver/upgrade.h"

#include <stdio.h>
#include <string.h>

const char *
upgrade_path_name(enum upgrade_path p)
{
	static const char *const names[] = {"none", "stamp", "continue", "extended"};
	return p <= UPGRADE_EXTENDED ? names[p] : "none";
}

/* ---- one question a row ---- */

static bool
is_failed(const struct upgrade_facts *f)
{
	return f->verdict.ind == IND_FAILED;
}

static bool
is_plain(const struct upgrade_facts *f)
{
	return f->version == XADES_NONE;
}

static bool
is_old(const struct upgrade_facts *f)
{
	return f->version != XADES_132;
}

static bool
is_sealed(const struct upgrade_facts *f)
{
	return f->sealed;
}

static bool
is_late_counter(const struct upgrade_facts *f)
{
	return f->counter && f->master_archived;
}

static bool
is_covered(const struct upgrade_facts *f)
{
	return f->nested || f->covered_by >= 0;
}

static bool
is_dossier(const struct upgrade_facts *f)
{
	return f->dossier;
}

static bool
is_closed(const struct upgrade_facts *f)
{
	return f->insertion_fault[0] != '\0';
}

static bool
is_digest_only(const struct upgrade_facts *f)
{
	return f->digest_only;
}

static bool
is_unchecked(const struct upgrade_facts *f)
{
	return !f->intact;
}

static bool
is_incomplete(const struct upgrade_facts *f)
{
	return f->data_missing;
}

static bool
is_unanchored(const struct upgrade_facts *f)
{
	return !f->anchored && !f->issuer_sought;
}

static bool
is_sought(const struct upgrade_facts *f)
{
	return !f->anchored;
}

/* INDETERMINATE for want of revocation data is what collecting is there to end; anything else waits. */
static bool
is_indeterminate(const struct upgrade_facts *f)
{
	switch (f->verdict.sub) {
	case SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE:
	case SUB_TRY_LATER:
	case SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE:
	case SUB_NO_POE:
		return false;
	case SUB_NO_CERTIFICATE_CHAIN_FOUND:
		return !f->issuer_sought;
	default:
		return f->verdict.ind != IND_PASSED;
	}
}

static bool
is_begun(const struct upgrade_facts *f)
{
	return f->begun;
}

static bool
is_fresh(const struct upgrade_facts *f)
{
	(void)f;
	return true;
}

static const struct row {
	bool (*is)(const struct upgrade_facts *f);
	enum upgrade_path path;
	const char *name, *reason;
} rows[] = {
    {is_failed, UPGRADE_NONE, "failed", "TOTAL-FAILED: kept with its verdict, covered as data, no tokens inside"},
    {is_plain, UPGRADE_NONE, "xmldsig", "plain XML-DSig: never touched, evidence record over the file"},
    {is_old, UPGRADE_NONE, "old-container", "XAdES 1.1.1 or 1.2.2 container: never touched, evidence record over the file"},
    {is_sealed, UPGRADE_NONE, "sealed", "sealed by an evidence record: never touched, only the record is renewed"},
    {is_late_counter, UPGRADE_NONE, "counter-signature", "its master has an ArchiveTimeStamp, which covers it"},
    {is_covered, UPGRADE_NONE, "covered", "covered by another signature or stamp: only the outermost is upgraded"},
    {is_dossier, UPGRADE_NONE, "e-akta", "e-akta: recognised and kept; upgraded later"},
    {is_closed, UPGRADE_NONE, "closed", NULL},
    {is_digest_only, UPGRADE_NONE, "digest-only", "the signed data is known by its digest alone: no archive stamp can cover it"},
    {is_unchecked, UPGRADE_NONE, "unchecked", "the signature could not be checked: nothing is inserted"},
    {is_incomplete, UPGRADE_STAMP, "indeterminate", "signed data is missing: one time-stamp, judged again when it comes"},
    {is_unanchored, UPGRADE_STAMP, "indeterminate", "chain to no anchor: one time-stamp, judged again when an anchor comes"},
    {is_indeterminate, UPGRADE_STAMP, "indeterminate", "INDETERMINATE: one time-stamp, judged again when an anchor, list or CRL comes"},
    {is_begun, UPGRADE_CONTINUE, "continue", "references, values or archive stamps are there: its own form goes on"},
    {is_sought, UPGRADE_EXTENDED, "fresh", "an issuer can be fetched: the profile's form if the chain then reaches an anchor"},
    {is_fresh, UPGRADE_EXTENDED, "fresh", "BES, EPES or T with a chain to an anchor: the profile's form"},
};

void
upgradable(const struct upgrade_facts *f, struct upgrade *out)
{
	const struct row *r = rows;
	while (!r->is(f))
		r++;
	*out = (struct upgrade){.path = r->path, .row = r->name, .reason = r->reason};
	if (r->is == is_closed)
		out->reason = f->insertion_fault;
	out->stamp_needed = r->path != UPGRADE_NONE && !f->stamped;
}

/* ---- facts ---- */

/*
 * A valid signature time-stamp needs no second one, unless its TSA is not trusted. Missing revocation data of the TSA is not
 * distrust: it is collected.
 */
static bool
stamp_counts(const struct report_stamp *s)
{
	if (s->type != STAMP_SIGNATURE || s->imprint_intact != TRI_TRUE || s->verdict.ind == IND_FAILED)
		return false;
	switch (s->verdict.sub) {
	case SUB_NO_CERTIFICATE_CHAIN_FOUND:
	case SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE:
	case SUB_NO_SIGNING_CERTIFICATE_FOUND:
	case SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE:
	case SUB_SIG_CONSTRAINTS_FAILURE:
		return false;
	default:
		return true;
	}
}

static bool
master_archived(const struct sigdoc *d, const struct xsig *s)
{
	/* A master stands before its counter-signatures, so this ends. */
	for (long m = s->parent; m >= 0; m = d->sigs[m].parent)
		for (size_t i = 0; i < d->sigs[m].n_stamps; i++)
			if (d->sigs[m].stamps[i].type == STAMP_ARCHIVE)
				return true;
	return false;
}

/* A missing issuer with an address. Wants are shared between signatures of one certificate, so any of the document counts. */
static bool
issuer_sought(const struct report *r)
{
	for (size_t i = 0; i < r->n_wants; i++)
		if (r->wants[i].kind == WANT_ISSUER && !r->wants[i].for_stamp && r->wants[i].issuers != NULL &&
		    r->wants[i].issuers->n > 0)
			return true;
	return false;
}

static void
references(const struct xsig *s, const struct report_signature *r, struct upgrade_facts *f)
{
	f->intact = r->value_intact == TRI_TRUE;
	for (size_t i = 0; i < r->n_refs; i++) {
		if (r->refs[i].found != TRI_TRUE)
			f->data_missing = true;
		else if (r->refs[i].intact != TRI_TRUE)
			f->intact = false;
	}
	for (size_t i = 0; i < s->n_refs; i++)
		f->digest_only |= s->refs[i].by_digest_only;
}

static void
facts(struct sigdoc *d, struct xsig *s, const struct report_signature *r, struct upgrade_facts *f)
{
	struct insertion where = {0};
	struct err why = {0};
	f->version = s->version;
	f->verdict = r->verdict;
	f->anchored = r->anchored;
	f->counter = s->parent >= 0;
	f->master_archived = master_archived(d, s);
	f->nested = s->nested;
	f->dossier = d->dossier;
	f->sealed = s->count.evidence_records > 0;
	/* CertificateValues alone is no level: many producers put the chain there at once. */
	f->begun = s->count.cert_refs + s->count.rev_refs + s->count.rev_values + s->count.archive_old > 0;
	for (size_t i = 0; i < s->n_stamps; i++)
		f->begun |= s->stamps[i].type == STAMP_ARCHIVE || s->stamps[i].type == STAMP_SIG_AND_REFS ||
		    s->stamps[i].type == STAMP_REFS_ONLY;
	for (size_t i = 0; i < r->n_stamps; i++)
		f->stamped |= stamp_counts(&r->stamps[i]);
	references(s, r, f);
	if (f->insertion_fault[0] == '\0' && s->version == XADES_132 && sig_insertion(d, s, &where, &why) != ERR_OK)
		snprintf(f->insertion_fault, sizeof(f->insertion_fault), "%.159s", why.text);
	insertion_release(&where);
}

enum err_code
upgrade_facts_of(struct sigdoc *d, const struct report *r, struct upgrade_facts *out, struct err *e)
{
	AUTO(mem) long *covered = mem_new(d->n_sigs + 1, sizeof(*covered));
	struct err many = {0};
	if (covered == NULL)
		return err_nomem(e);
	if (d->n_sigs != r->n_sigs)
		return err_set(e, ERR_BUG, "%zu signatures in the document, %zu in the report", d->n_sigs, r->n_sigs);
	enum err_code rc = cover_find(d, covered, &many);
	if (rc != ERR_OK && rc != ERR_LIMIT)
		return err_set(e, many.code, "%s", many.text);
	for (size_t i = 0; i < d->n_sigs; i++) {
		out[i] = (struct upgrade_facts){.covered_by = rc == ERR_OK ? covered[i] : -1};
		if (rc == ERR_LIMIT)
			snprintf(out[i].insertion_fault, sizeof(out[i].insertion_fault), "%.159s", many.text);
		facts(d, &d->sigs[i], &r->sigs[i], &out[i]);
		out[i].issuer_sought = !out[i].anchored && issuer_sought(r);
	}
	return ERR_OK;
}
