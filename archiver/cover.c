/* SPDX-License-Identifier: MIT */
/*
 * Which signature covers which: found by trial, not by reading transforms. An
 * element is put where the next unsigned property would go, and whatever
 * another signature says differently afterwards was covering that place.
 */
#include "archiver/augment.h"
#include "archiver/upgrade.h"

#include <string.h>

/* Stands for any property: an element, since comments are dropped by most canonical forms. */
static const char probe[] =
    "<p:TimeStampValidationData xmlns:p=\"" NS_X141 "\"></p:TimeStampValidationData>";

/* Each trial parses the file once more. */
#define TRIAL_BYTES ((size_t)512 << 20)

/* Digests of what the stamps of s cover; DIGEST_NONE where it can't be computed without side files. */
static void
imprints(struct sigdoc *d, struct xsig *s, struct digest *out)
{
	for (size_t i = 0; i < s->n_stamps; i++)
		if (stamp_imprint(d, s, &s->stamps[i], DIGEST_SHA256, &out[i], NULL) != ERR_OK)
			out[i] = (struct digest){0};
}

static enum err_code
same_stamps(struct sigdoc *old, struct sigdoc *new, size_t at, bool *same, struct err *e)
{
	struct xsig *a = &old->sigs[at], *b = &new->sigs[at];
	AUTO(mem) struct digest *x = mem_new(2 * a->n_stamps + 1, sizeof(*x));
	if (x == NULL)
		return err_nomem(e);
	*same = a->n_stamps == b->n_stamps;
	if (!*same)
		return ERR_OK;
	imprints(old, a, x);
	imprints(new, b, x + a->n_stamps);
	for (size_t i = 0; i < a->n_stamps; i++)
		if (x[i].alg != x[a->n_stamps + i].alg ||
		    (x[i].alg != DIGEST_NONE && !digest_eq(&x[i], &x[a->n_stamps + i])))
			*same = false;
	return ERR_OK;
}

static bool
same_references(const struct xsig *a, const struct xsig *b)
{
	if (a->n_refs != b->n_refs)
		return false;
	for (size_t i = 0; i < a->n_refs; i++)
		if (a->refs[i].found != b->refs[i].found || a->refs[i].intact != b->refs[i].intact)
			return false;
	return true;
}

/* The first signature that notices something inserted into signature i; -1 none. */
static enum err_code
trial(struct sigdoc *base, size_t i, long *out, struct err *e)
{
	AUTO(spliced) struct spliced sp = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	*out = -1;
	/* Where nothing can be inserted, nothing can break: another row of the table says why. */
	if (base->sigs[i].version != XADES_132 || augment_splice(base, &base->sigs[i], probe, &sp, NULL) != ERR_OK)
		return ERR_OK;
	if (sigdoc_open(buf_slice(&sp.file), NULL, 0, NULL, &d, e) != ERR_OK)
		return err_wrap(e, "trial");
	if (d->n_sigs != base->n_sigs)
		return err_set(e, ERR_BUG, "trial changed the number of signatures");
	for (size_t j = 0; j < d->n_sigs && *out < 0; j++) {
		bool same = true;
		if (j == i)
			continue;
		if (sig_check_references(d, &d->sigs[j], e) != ERR_OK || same_stamps(base, d, j, &same, e) != ERR_OK)
			return err_wrap(e, "trial");
		if (!same || !same_references(&base->sigs[j], &d->sigs[j]))
			*out = (long)j;
	}
	return ERR_OK;
}

enum err_code
cover_find(struct sigdoc *d, long *out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *base = NULL;
	for (size_t i = 0; i < d->n_sigs; i++)
		out[i] = -1;
	if (d->n_sigs < 2)
		return ERR_OK;
	if (d->n_sigs > COVER_MAX)
		return err_set(e, ERR_LIMIT, "%zu signatures in one file, at most %d are upgraded", d->n_sigs, COVER_MAX);
	if (d->raw.n > TRIAL_BYTES / d->n_sigs)
		return err_set(e, ERR_LIMIT, "%zu signatures in %zu octets: too much to try each", d->n_sigs, d->raw.n);
	/* Without side files: they can't be changed by an insertion, and may be huge. */
	if (sigdoc_open(d->raw, NULL, 0, NULL, &base, e) != ERR_OK)
		return err_wrap(e, "trial");
	for (size_t i = 0; i < base->n_sigs; i++)
		if (sig_check_references(base, &base->sigs[i], e) != ERR_OK)
			return err_wrap(e, "trial");
	for (size_t i = 0; i < base->n_sigs; i++)
		if (trial(base, i, &out[i], e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
	return ERR_OK;
}
