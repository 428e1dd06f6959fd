/* SPDX-License-Identifier: MIT */
/*
 * What the strict reading of freshness takes (EN 319 102-1 5.6.2.2, design 8): past validation slides back to the
 * thisUpdate of stale data, and what stands below must have been proven by then. So after each archive stamp the
 * issuers' data are fetched that are newer than the proof of those below them, one level of the chain a stamp.
 */
#include "archiver/steps.h"

#define DAY INT64_C(86400)

/* Of the signature and of its counter-signatures: what is not in the file. *whole: nothing more is to be had now. */
static enum err_code
lacking(const struct walk *w, const json_t *judge, json_t *list, bool *whole, struct err *e)
{
	const json_t *reported = json_object_get(json_object_get(judge, "report"), "signatures"), *f = NULL, *o = NULL;
	size_t i, k;

	*whole = true;
	json_array_foreach (json_object_get(judge, "signatures"), i, f) {
		const json_t *parent = json_object_get(json_array_get(reported, i), "parent"), *sliding = json_object_get(f, "sliding");

		if (i != w->index && !(json_is_integer(parent) && (size_t)json_integer_value(parent) == w->index))
			continue;
		*whole = *whole && json_is_true(json_object_get(sliding, "complete"));
		json_array_foreach (json_object_get(sliding, "objects"), k, o)
			if (!json_is_true(json_object_get(o, "embedded")) && json_push(list, json_incref((json_t *)o), e) != ERR_OK)
				return err_wrap(e, "sliding");
	}
	return ERR_OK;
}

static enum err_code
digests_of(const json_t *list, json_t *names, struct err *e)
{
	const json_t *o = NULL, *n = NULL;
	size_t i, k;

	json_array_foreach (list, i, o) {
		bool twice = false;

		json_array_foreach (names, k, n)
			twice |= json_equal(n, json_object_get(o, "sha256"));
		if (!twice && json_push(names, json_incref(json_object_get(o, "sha256")), e) != ERR_OK)
			return err_wrap(e, "sliding");
	}
	return ERR_OK;
}

/* Lists, since they outlive responders. */
static enum err_code
gather_lists(struct walk *w, struct pile *pile, struct gathered *g, struct err *e)
{
	bool before = w->a->crl_first;
	enum err_code r;

	w->a->crl_first = true;
	r = gather(w->a, &w->doc.doc, pile, 0, true, g, e);
	w->a->crl_first = before;
	return r;
}

enum err_code
arrow_slide(struct walk *w, struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *list = json_array();
	AUTO(json) json_t *add = json_array();
	json_t *names = json_array(), *kept = NULL;
	bool whole = false;

	if (add_do(add, "tsvd", "objects", names, e) != ERR_OK || pile_new(&pile, e) != ERR_OK ||
	    pile_load(w->a, pile, json_object_get(w->m, "material"), e) != ERR_OK || gather_lists(w, pile, &g, e) != ERR_OK ||
	    lacking(w, g.judge, list, &whole, e) != ERR_OK || digests_of(list, names, e) != ERR_OK ||
	    pile_add_named(pile, g.judge, list, e) != ERR_OK || pile_put(pile, w->b, &kept, e) != ERR_OK ||
	    json_set(w->m, "material", kept, e) != ERR_OK)
		return err_wrap(e, "strict freshness");
	if (json_array_size(names) != 0 && walk_insert(w, add, pile, e) != ERR_OK)
		return err_wrap(e, "strict freshness");
	if (whole)
		return sig_go(w->s, "closed", TIME_MAX, "renewal comes by its deadline", e);
	return sig_go(w->s, "closed", archive_now(w->a) + 30 * DAY, "newer lists of its CAs come next, for the strict reading of freshness", e);
}
