/* SPDX-License-Identifier: MIT */
/*
 * Anchors and their changes. A set that is new becomes an object with a leaf at
 * once; the records whose signatures met no anchor (table "unanchored") are
 * judged by it among the other steps, a batch at a time. Row "judged" of table
 * "state" names the set when all are through: a stop in between begins anew.
 */
#include "archiver/steps.h"

#include <stdio.h>
#include <string.h>

#define JUDGE_BATCH 64

/* A signature that was kept because its chain met no anchor is judged again when the anchors change. */
static bool
waits_for_anchor(const json_t *s)
{
	return sig_is(s, "state", "kept") && sig_is(s, "subindication", "NO_CERTIFICATE_CHAIN_FOUND");
}

bool
trust_may_change(const json_t *m)
{
	size_t i;

	for (i = 0; i < manifest_signatures(m); i++)
		if (waits_for_anchor(manifest_signature(m, i)))
			return true;
	return false;
}

/* ---- judging again ---- */

enum err_code
sig_judge_again(struct archive *a, struct batch *b, json_t *m, size_t i, struct err *e)
{
	AUTO(walk) struct walk w = {0};
	AUTO(gathered) struct gathered g = {0};
	AUTO(pile) struct pile *pile = NULL;

	if (walk_open(a, b, m, i, &w, e) != ERR_OK || pile_new(&pile, e) != ERR_OK ||
	    gather(a, &w.doc.doc, pile, 0, false, &g, e) != ERR_OK)
		return err_wrap(e, "signature %zu", i);
	return sig_anew(&w, g.judge, e);
}

static enum err_code
judge_record(struct archive *a, const char *record, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	bool again = false;
	size_t i;

	if (manifest_load(a, record, &prev, e) != ERR_OK || manifest_next(a, prev, &m, e) != ERR_OK || store_draft_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "trust");
	for (i = 0; i < manifest_signatures(m); i++)
		if (waits_for_anchor(manifest_signature(m, i)) && sig_judge_again(a, b, m, i, e) != ERR_OK)
			return err_wrap(e, "record %s", record);
	if (walk_put(a, b, m, prev, LEAF_STEP, "judged again: anchors changed", &again, e) != ERR_OK)
		return err_wrap(e, "trust");
	return record_join(a, m, &b, e);
}

/* Ids first, records after: the index is not walked while it is written to. */
static enum err_code
next_id(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	json_t *ids = ctx;

	(void)value;
	*stop = json_array_size(ids) + 1 >= JUDGE_BATCH;
	return json_push(ids, json_text_n(key), e);
}

/* One record that can't be judged (damaged, its profile gone) is told, and holds up nobody. */
static enum err_code
judge_batch(struct archive *a, const json_t *ids, struct err *e)
{
	const json_t *id = NULL;
	size_t i;

	json_array_foreach (ids, i, id) {
		struct err why = {0};
		enum err_code r = judge_record(a, json_string_value(id), &why);

		if (is_our_trouble(r)) {
			group_drop(a);
			return err_set(e, r, "%s", why.text);
		}
		if (r == ERR_OK)
			continue;
		archive_alarm(a, "record %s is not judged by the new anchors: %s", json_string_value(id), why.text);
	}
	return group_commit(a, e);
}

/* ---- the set ---- */

static bool
state_is(struct archive *a, const char *name, const char *value)
{
	AUTO(buf) struct buf have = {0};

	return store_get_row(a->store, "state", slice_str(name), &have, NULL) == ERR_OK && strcmp(buf_str(&have), value) == 0;
}

static enum err_code
put_state(struct archive *a, const char *name, const char *text, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	struct slice value = slice_str(text);

	if (store_batch_begin(a->store, &b, e) != ERR_OK || batch_row(b, "state", slice_str(name), &value, e) != ERR_OK)
		return err_wrap(e, "trust");
	return store_commit(&b, NULL, e);
}

/* The set as an object with a leaf, its certificates beside it; the state row names it. */
static enum err_code
keep_anchors(struct archive *a, struct slice text, const uint8_t event[32], struct err *e)
{
	static const uint8_t none[16];
	AUTO(batch) struct batch *b = NULL;
	struct slice value = slice_str(a->trust_set);
	size_t i;

	if (store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "trust");
	for (i = 0; i < anchors_count(a->anchors); i++)
		if (batch_put_bytes(b, STORE_SHARED, 0, anchors_at(a->anchors, i)->der, NULL, e) != ERR_OK)
			return err_wrap(e, "trust");
	if (batch_put_bytes(b, STORE_SHARED, 0, text, NULL, e) != ERR_OK ||
	    batch_leaf(b, LEAF_TRUST, none, event, archive_now(a), NULL, e) != ERR_OK ||
	    batch_row(b, "state", slice_str("trust"), &value, e) != ERR_OK)
		return err_wrap(e, "trust");
	return store_commit(&b, NULL, e);
}

enum err_code
trust_note(struct archive *a, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	AUTO(buf) struct buf text = {0};
	uint8_t event[32];
	size_t i;

	for (i = 0; i < anchors_count(a->anchors); i++) {
		const struct anchor *x = anchors_at(a->anchors, i);

		if (json_push(list, json_pack("{s:o, s:i, s:o, s:o}", "sha256", json_hex(slice_of(x->sha256, 32)), "roles", (int)x->roles,
			"sunset", x->sunset_utc == TIME_MAX ? json_null() : json_time(x->sunset_utc), "name", json_text(x->name)), e) != ERR_OK)
			return err_wrap(e, "trust");
	}
	if (json_canonical(list, &text, e) != ERR_OK || digest_sha256(buf_slice(&text), event, e) != ERR_OK)
		return err_wrap(e, "trust");
	hex32(event, a->trust_set);
	a->judged_to[0] = '\0';
	if (state_is(a, "trust", a->trust_set))
		return ERR_OK;
	service_forgive(a);
	return keep_anchors(a, buf_slice(&text), event, e);
}

enum err_code
trust_judge(struct archive *a, bool *more, struct err *e)
{
	AUTO(json) json_t *ids = json_array();
	AUTO(buf) struct buf from = {0};
	struct store_each each = {next_id, ids};

	*more = false;
	if (state_is(a, "judged", a->trust_set))
		return ERR_OK;
	if (a->judged_to[0] != '\0')
		buf_addf(&from, "%s!", a->judged_to); /* behind it, before any other id */
	if (buf_ok(&from, e) != ERR_OK || store_rows(a->store, "unanchored", buf_slice(&from), (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "trust");
	if (json_array_size(ids) == 0)
		return put_state(a, "judged", a->trust_set, e);
	if (judge_batch(a, ids, e) != ERR_OK)
		return err_wrap(e, "trust");
	snprintf(a->judged_to, sizeof(a->judged_to), "%s", json_string_value(json_array_get(ids, json_array_size(ids) - 1)));
	*more = true;
	return ERR_OK;
}

enum err_code
archive_trust(struct archive *a, json_t **out, struct err *e)
{
	AUTO(anchors) struct anchors *fresh = NULL;

	if (a->seams.anchors == NULL)
		return err_set(e, ERR_UNSUPPORTED, "anchors can't be read anew here: start the service again");
	if (a->seams.anchors(a->seams.host_ctx, &fresh, e) != ERR_OK)
		return err_wrap(e, "the anchors stay as they were");
	if (archive_anchors(a, TAKE(fresh), e) != ERR_OK || trust_note(a, e) != ERR_OK)
		return err_wrap(e, "trust");
	*out = json_pack("{s:I, s:s}", "anchors", (json_int_t)anchors_count(a->anchors), "set", a->trust_set);
	return *out != NULL ? ERR_OK : err_nomem(e);
}
