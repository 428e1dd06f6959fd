/* SPDX-License-Identifier: MIT */
/*
 * One renewal by ArchiveTimeStamp: the last stamp's validation data (as a rule
 * it stands there already; what the material jobs fetched since joins it), then
 * a new stamp over all of it. A stamp made after the deadline is told as late:
 * it proves nothing about the time before, and nothing is hidden by it.
 */
#include "archiver/steps.h"

#include <stdio.h>
#include <string.h>

static bool
named(const json_t *names, const char *sha256)
{
	const json_t *n = NULL;
	size_t i;

	json_array_foreach (names, i, n)
		if (json_is_string(n) && strcmp(json_string_value(n), sha256) == 0)
			return true;
	return false;
}

/* What the jobs hold for every TSA certificate under this signature's stamps and its own properties lack. */
static enum err_code
fresh_material(struct walk *w, const json_t *judge, struct pile *pile, json_t *names, struct err *e)
{
	const json_t *flow = json_array_get(json_object_get(judge, "signatures"), w->index), *st = NULL, *o = NULL;
	size_t i, k;

	json_array_foreach (json_object_get(flow, "stamps"), i, st) {
		AUTO(json) json_t *objects = NULL;
		enum tsa_holds holds = TSA_LACKING;
		char why[300] = "";

		if (tsa_material(w->a, w->b, sig_str(st, "tsa_sha256"), INT64_C(0), pile, &objects, &holds, why, e) != ERR_OK)
			return err_wrap(e, "renewal");
		json_array_foreach (objects, k, o) {
			const char *sha = sig_str(o, "sha256");

			if (!named(names, sha) && !named(json_object_get(flow, "embedded"), sha) && json_push(names, json_text(sha), e) != ERR_OK)
				return err_wrap(e, "renewal");
		}
	}
	return ERR_OK;
}

static bool
still_proves(const struct walk *w)
{
	return sig_is(w->s, "indication", "TOTAL-PASSED");
}

static enum err_code
renew(struct walk *w, bool late, bool *renewed, char why[300], struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(stamp_got) struct stamp_got got = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *add = json_array();
	AUTO(json) json_t *names = json_array();
	json_t *evidence = json_object_get(w->m, "evidence");

	if (!stamp_possible(w->a, w->profile, why))
		return ERR_OK;
	if (pile_new(&pile, e) != ERR_OK || tsa_held(w->a, w->m, pile, e) != ERR_OK || gather(w->a, &w->doc.doc, pile, 0, false, &g, e) != ERR_OK ||
	    sig_verdict(w->s, g.judge, w->index, e) != ERR_OK || fresh_material(w, g.judge, pile, names, e) != ERR_OK)
		return err_wrap(e, "renewal");
	late = late || !still_proves(w);
	if (json_array_size(names) != 0 && add_do(add, "tsvd", "objects", TAKE(names), e) != ERR_OK)
		return err_wrap(e, "renewal");
	if (walk_stamp(w, add, "A", pile, sig_time(w->s, "newest"), &got, e) != ERR_OK)
		return err_wrap(e, "renewal");
	if (!got.got) {
		snprintf(why, 300, "%s", got.why);
		return ERR_OK;
	}
	if (add_do(add, "A", "token", json_incref(json_object_get(got.token, "token")), e) != ERR_OK ||
	    walk_insert(w, add, pile, e) != ERR_OK || tsa_covered(w->a, w->b, sig_str(w->s, "newest_tsa"), e) != ERR_OK ||
	    walk_token(w, "A", got.token, e) != ERR_OK)
		return err_wrap(e, "renewal");
	if (late && json_set(json_array_get(evidence, json_array_size(evidence) - 1), "late", json_true(), e) != ERR_OK)
		return err_wrap(e, "renewal");
	*renewed = true;
	return walk_archived(w, got.token, true, e);
}

enum err_code
record_renew(struct archive *a, const char *record, size_t signature, bool late, bool *renewed,
    char why[300], struct err *e)
{
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	AUTO(walk) struct walk w = {0};
	AUTO(batch) struct batch *b = NULL;
	struct err fault = {0};
	bool again = false;
	enum err_code r;

	*renewed = false;
	why[0] = '\0';
	if (store_draft_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "renewal");
	/* One record that can't be read must not keep the sweep from all the others. */
	if (manifest_load(a, record, &prev, &fault) != ERR_OK || manifest_next(a, prev, &m, &fault) != ERR_OK ||
	    walk_open(a, b, m, signature, &w, &fault) != ERR_OK) {
		snprintf(why, 300, "%.299s", fault.text);
		return fault.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
	}
	r = renew(&w, late, renewed, why, &fault);
	if (is_our_trouble(r))
		return err_set(e, r, "record %s: %s", record, fault.text);
	if (r != ERR_OK) {
		snprintf(why, 300, "%.299s", fault.text);
		*renewed = false;
	}
	if (!*renewed)
		return ERR_OK;
	if (walk_put(a, b, m, prev, LEAF_RENEWED, late ? "renewed late" : "renewed", &again, e) != ERR_OK)
		return err_wrap(e, "renewal");
	return record_join(a, m, &b, e);
}
