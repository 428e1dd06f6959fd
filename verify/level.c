/* SPDX-License-Identifier: MIT */
/* Level found, by xades.md 6. It says nothing about validity. */
#include "verify/xades_int.h"

#include <string.h>

static size_t
stamps_of(const struct xsig *s, enum stamp_type type)
{
	size_t i, n = 0;

	for (i = 0; i < s->n_stamps; i++)
		n += s->stamps[i].type == type;
	return n;
}

static bool
is_bes(const struct xsig *s, const struct level_facts *f)
{
	if (s->signed_props == NULL)
		return false;
	if (s->count.signing_time > 1 || s->count.signing_cert > 1 || s->count.production_place > 1 || s->count.signer_role > 1)
		return false;
	if (!s->data_object_formats_valid)
		return false;
	return s->count.signing_cert == 1 || (s->key_info_signed && f->signer_in_key_info);
}

static bool
policy_store_fits(const struct xsig *s)
{
	return s->count.policy_store == 0 || (s->count.policy_store == 1 && s->policy_hash.n != 0);
}

static bool
is_baseline_b(const struct xsig *s, const struct level_facts *f)
{
	struct c14n how;

	return s->count.key_infos == 1 && f->signer_in_key_info && s->c14n_uri != NULL && c14n_by_uri(s->c14n_uri, &how) &&
	    s->n_refs >= 2 && s->ref_transforms_simple && s->count.signing_time == 1 && s->count.signing_cert == 1 &&
	    !s->cert_uri_present && s->data_object_formats_complete && s->count.policy <= 1 && policy_store_fits(s);
}

static bool
is_t(const struct xsig *s, bool t_in_time)
{
	size_t i;

	for (i = 0; i < s->n_stamps; i++)
		if (s->stamps[i].type == STAMP_SIGNATURE && s->stamps[i].token.n == 0)
			return false;
	return t_in_time && stamps_of(s, STAMP_SIGNATURE) > 0;
}

/* Baseline asks for one token in a SignatureTimeStamp. */
static bool
single_tokens(const struct xsig *s)
{
	size_t i;

	for (i = 0; i < s->n_stamps; i++)
		if (s->stamps[i].type == STAMP_SIGNATURE && s->stamps[i].n_tokens != 1)
			return false;
	return true;
}

/* What baseline LT forbids beside its values. */
static bool
fits_baseline_lt(const struct xsig *s)
{
	return s->count.cert_values <= 1 && s->count.rev_values <= 1 && s->count.attr_values <= 1 && s->count.cert_refs == 0 &&
	    s->count.rev_refs == 0 && s->count.attr_refs == 0 && stamps_of(s, STAMP_SIG_AND_REFS) == 0 &&
	    stamps_of(s, STAMP_REFS_ONLY) == 0;
}

static const char *
extended(const struct xsig *s, bool values_complete)
{
	bool refs = s->count.cert_refs == 1 && s->count.rev_refs == 1;
	bool x = stamps_of(s, STAMP_SIG_AND_REFS) + stamps_of(s, STAMP_REFS_ONLY) > 0;

	if (values_complete && s->count.evidence_records > 0)
		return "XAdES-ERS";
	if (values_complete && stamps_of(s, STAMP_ARCHIVE) > 0)
		return "XAdES-A";
	if (refs && values_complete)
		return x ? "XAdES-X-L" : "XAdES-X-Long";
	if (refs)
		return x ? "XAdES-X" : "XAdES-C";
	return values_complete ? "XAdES-LT" : NULL;
}

const char *
sig_level(const struct xsig *s, const struct level_facts *f)
{
	bool baseline = is_baseline_b(s, f);
	const char *other;

	if (!is_bes(s, f))
		return "XML-DSig";
	if (!is_t(s, f->t_in_time)) {
		if (baseline)
			return "XAdES-B-B";
		return s->count.policy == 1 && policy_store_fits(s) ? "XAdES-EPES" : "XAdES-BES";
	}
	baseline = baseline && single_tokens(s);
	if (baseline && f->values_complete && fits_baseline_lt(s)) {
		if (s->count.evidence_records > 0 && s->count.signing_time > 0)
			return "XAdES-ERS";
		return stamps_of(s, STAMP_ARCHIVE) > 0 ? "XAdES-B-LTA" : "XAdES-B-LT";
	}
	other = extended(s, f->values_complete);
	if (other != NULL)
		return other;
	return baseline ? "XAdES-B-T" : "XAdES-T";
}
