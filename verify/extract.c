/* SPDX-License-Identifier: MIT */
/* The octets that each reference covers, one after the other, and in the report where each begins. */
#include "verify/verify.h"

#include "verify/cover.h"
#include "verify/xades_int.h"

enum err_code
cover_octets(struct sigdoc *d, struct xsig *s, const struct xref *x, const struct sink *to, struct err *e)
{
	const struct c14n plain = {0}; /* XMLDSig 4.4.3.2: nodes at the end are canonicalised by C14N 1.0 */
	struct run r = {.d = d, .s = s};

	if (ref_write(&r, x, &plain, to, e) != ERR_OK)
		return err_wrap(e, "octets");
	if (r.fault == REF_FINE)
		return ERR_OK;
	return err_set(e, r.fault == REF_NOT_FOUND || r.fault == REF_FORBIDDEN ? ERR_NOTFOUND : ERR_FORMAT, "%s", r.note);
}

/* A stream with an end: what goes beyond is not written. */
struct bounded {
	const struct sink *to;
	uint64_t written, max;
};

static enum err_code
bounded_write(void *ctx, struct slice s, struct err *e)
{
	struct bounded *b = ctx;

	if (s.n > b->max - b->written)
		return err_set(e, ERR_LIMIT, "the octets of all references together are more than %llu", (unsigned long long)b->max);
	if (sink_write(b->to, s, e) != ERR_OK)
		return err_wrap(e, "octets");
	b->written += s.n;
	return ERR_OK;
}

/* One that has to be told in the report, and does not end the work. */
static bool
is_told(enum err_code code)
{
	return code == ERR_NOTFOUND || code == ERR_FORMAT || code == ERR_LIMIT || code == ERR_UNSUPPORTED || code == ERR_REFUSED;
}

static enum err_code
extract_list(struct sigdoc *d, struct xsig *s, const struct xref *v, size_t n, const json_t *list, struct bounded *b, struct err *e)
{
	struct sink to = {bounded_write, b};
	size_t i;

	for (i = 0; i < n && i < json_array_size(list); i++) {
		json_t *row = json_array_get(list, i);
		uint64_t at = b->written;
		struct err why = {0};
		enum err_code rc = cover_octets(d, s, &v[i], &to, &why);

		if (rc != ERR_OK && !is_told(rc)) {
			*e = why;
			return err_wrap(e, "reference %zu", i);
		}
		if (json_set(row, "extracted", rc == ERR_OK ? json_pack("{s:I, s:I}", "at", (json_int_t)at, "octets", (json_int_t)(b->written - at))
							    : json_pack("{s:o}", "why", json_text(why.text)), e) != ERR_OK ||
		    extract_list(d, s, v[i].entries, v[i].n_entries, json_object_get(row, "entries"), b, e) != ERR_OK)
			return err_wrap(e, "reference %zu", i);
	}
	return ERR_OK;
}

enum err_code
report_extract(struct sigdoc *d, json_t *document, uint64_t max_octets, const struct sink *to, struct err *e)
{
	const json_t *sigs = json_object_get(document, "signatures");
	struct bounded b = {.to = to, .max = max_octets};
	size_t i;

	for (i = 0; i < d->n_sigs && i < json_array_size(sigs); i++)
		if (extract_list(d, &d->sigs[i], d->sigs[i].refs, d->sigs[i].n_refs, json_object_get(json_array_get(sigs, i), "references"), &b, e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
	return ERR_OK;
}
