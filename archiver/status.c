/* SPDX-License-Identifier: MIT */
/* What the operator sees, news to depositors, quarantine release, trust changes. */
#include "archiver/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- counts ---- */

static enum err_code
count_record(void *ctx, const json_t *m, struct err *e)
{
	json_t *states = ctx;
	size_t i, n = manifest_signatures(m);

	for (i = 0; i < n || (n == 0 && i == 0); i++) {
		const char *state = n != 0 ? sig_str(manifest_signature(m, i), "state") : "data";
		json_int_t have = json_integer_value(json_object_get(states, state));

		if (json_set(states, state, json_integer(have + 1), e) != ERR_OK)
			return err_wrap(e, "status");
	}
	return ERR_OK;
}

static enum err_code
list_rows(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	AUTO(json) json_t *row = NULL;

	(void)stop;
	if (json_read(value, NULL, &row, e) != ERR_OK || json_set(row, "key", json_text_n(key), e) != ERR_OK)
		return err_wrap(e, "status");
	json_object_del(row, "objects");
	return json_push(ctx, TAKE(row), e);
}

enum err_code
archive_status(struct archive *a, json_t **out, struct err *e)
{
	AUTO(json) json_t *states = json_object();
	AUTO(json) json_t *services = NULL;
	AUTO(json) json_t *jobs = json_array();
	AUTO(json) json_t *holds = json_array();
	AUTO(json) json_t *plan = NULL;
	AUTO(buf) struct buf sweep = {0};
	struct store_each each_job = {list_rows, jobs}, each_hold = {list_rows, holds};
	struct store_status st;
	struct cage_status cage = cage_probe(CAGE_WORKER);
	char cage_line[CAGE_TEXT];
	int64_t next = TIME_MAX;
	json_t *last = NULL;

	cage_text(&cage, cage_line);
	if (store_status(a->store, &st, e) != ERR_OK || archive_records(a, count_record, states, e) != ERR_OK ||
	    service_list(a, &services, e) != ERR_OK || archive_sweep_plan(a, &plan, e) != ERR_OK ||
	    archive_next_due(a, &next, e) != ERR_OK ||
	    store_rows(a->store, "tsacert", (struct slice){0}, (struct slice){0}, &each_job, e) != ERR_OK ||
	    store_rows(a->store, "hold", (struct slice){0}, (struct slice){0}, &each_hold, e) != ERR_OK)
		return err_wrap(e, "status");
	if (store_get_row(a->store, "state", slice_str("sweep"), &sweep, NULL) == ERR_OK)
		(void)!json_read(buf_slice(&sweep), NULL, &last, NULL);
	*out = json_pack("{s:i, s:o, s:b, s:s, s:O, s:O, s:O, s:O, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:b, s:I}, s:i}", "schema", 1,
	    "time", json_time(archive_now(a)), "simulated", a->cfg->archive.clock_file != NULL, "cage", cage_line, "signatures", states,
	    "services", services, "tsa_certificates", jobs, "holds", holds, "due", json_incref(plan), "last_sweep",
	    last != NULL ? last : json_null(), "next_step", next == TIME_MAX ? json_null() : json_time(next), "store", "groups",
	    (json_int_t)st.groups, "objects", (json_int_t)st.objects, "log_size", (json_int_t)st.log_size, "bytes", (json_int_t)st.bytes,
	    "recovered", (int)st.recovered, "refused_groups", (json_int_t)st.refused_groups, "format", st.format);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* ---- release ---- */

enum err_code
archive_release(struct archive *a, const char *what, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	bool again = false;
	size_t i;

	if (strlen(what) == 64) {
		if (store_batch_begin(a->store, &b, e) != ERR_OK || batch_row(b, "hold", slice_str(what), NULL, e) != ERR_OK)
			return err_wrap(e, "release");
		return store_commit(&b, NULL, e);
	}
	if (archive_manifest(a, what, &prev, e) != ERR_OK || manifest_next(a, prev, &m, e) != ERR_OK || store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "release");
	for (i = 0; i < manifest_signatures(m); i++) {
		json_t *s = manifest_signature(m, i);

		if (sig_is(s, "state", "quarantined") && sig_go(s, "waiting", archive_now(a), "released by the operator", e) != ERR_OK)
			return err_wrap(e, "release");
	}
	if (walk_put(a, b, m, prev, LEAF_STEP, "released", &again, e) != ERR_OK)
		return err_wrap(e, "release");
	return store_commit(&b, NULL, e);
}

/* ---- trust ---- */

/* A signature that was kept because its chain met no anchor is judged again when the anchors change. */
static bool
waits_for_anchor(const json_t *s)
{
	return sig_is(s, "state", "kept") && sig_is(s, "subindication", "NO_CERTIFICATE_CHAIN_FOUND");
}

static enum err_code
judge_again(struct archive *a, const json_t *prev, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(json) json_t *m = NULL;
	bool again = false, any = false;
	size_t i;

	for (i = 0; i < manifest_signatures(prev); i++)
		any |= waits_for_anchor(manifest_signature(prev, i));
	if (!any)
		return ERR_OK;
	if (manifest_next(a, prev, &m, e) != ERR_OK || store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "trust");
	for (i = 0; i < manifest_signatures(m); i++) {
		AUTO(walk) struct walk w = {0};
		AUTO(gathered) struct gathered g = {0};
		AUTO(pile) struct pile *pile = NULL;
		AUTO(json) json_t *fresh = json_array();
		json_t *s = manifest_signature(m, i), *n = NULL;

		if (!waits_for_anchor(s))
			continue;
		if (walk_open(a, b, m, i, &w, e) != ERR_OK || pile_new(&pile, e) != ERR_OK ||
		    gather(a, &w.doc.doc, pile, 0, false, &g, e) != ERR_OK ||
		    signatures_of(a, w.profile, w.file, g.judge, archive_now(a), fresh, e) != ERR_OK)
			return err_wrap(e, "trust");
		n = json_array_get(fresh, w.index);
		if (n != NULL && json_object_update(s, n) != 0)
			return err_nomem(e);
	}
	if (walk_put(a, b, m, prev, LEAF_STEP, "judged again: anchors changed", &again, e) != ERR_OK)
		return err_wrap(e, "trust");
	return store_commit(&b, NULL, e);
}

/* Ids first, records after: the index is not walked while it is written to. */
static enum err_code
id_of_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)value;
	(void)stop;
	return json_push(ctx, json_text_n(key), e);
}

/* One record that can't be judged (damaged, its profile gone) must not keep the archive from opening. */
static enum err_code
judge_all_again(struct archive *a, struct err *e)
{
	AUTO(json) json_t *ids = json_array();
	struct store_each each = {id_of_row, ids};
	const json_t *id = NULL;
	size_t i;

	if (store_rows(a->store, "record", (struct slice){0}, (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "trust");
	json_array_foreach (ids, i, id) {
		AUTO(json) json_t *m = NULL;
		struct err why = {0};
		enum err_code r = manifest_load(a, json_string_value(id), &m, &why);

		if (r == ERR_OK)
			r = judge_again(a, m, &why);
		if (r == ERR_NOMEM || r == ERR_IO || r == ERR_NOSPACE)
			return err_set(e, r, "%s", why.text);
		if (r != ERR_OK)
			archive_alarm(a, "record %s is not judged by the new anchors: %s", json_string_value(id), why.text);
	}
	return ERR_OK;
}

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
keep_anchors(struct archive *a, struct slice text, const uint8_t event[32], const char *hex, struct err *e)
{
	static const uint8_t none[16];
	AUTO(batch) struct batch *b = NULL;
	struct slice value = slice_str(hex);
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

/* Kept first, then judged, then said to be judged: a crash in between begins the judging again. */
enum err_code
trust_note(struct archive *a, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	AUTO(buf) struct buf text = {0};
	uint8_t event[32];
	char hex[65];
	size_t i;

	for (i = 0; i < anchors_count(a->anchors); i++) {
		const struct anchor *x = anchors_at(a->anchors, i);

		if (json_push(list, json_pack("{s:o, s:i, s:o, s:o}", "sha256", json_hex(slice_of(x->sha256, 32)), "roles", (int)x->roles,
			"sunset", x->sunset_utc == TIME_MAX ? json_null() : json_time(x->sunset_utc), "name", json_text(x->name)), e) != ERR_OK)
			return err_wrap(e, "trust");
	}
	if (json_canonical(list, &text, e) != ERR_OK || digest_sha256(buf_slice(&text), event, e) != ERR_OK)
		return err_wrap(e, "trust");
	hex32(event, hex);
	if (!state_is(a, "trust", hex) && keep_anchors(a, buf_slice(&text), event, hex, e) != ERR_OK)
		return err_wrap(e, "trust");
	if (state_is(a, "judged", hex))
		return ERR_OK;
	return judge_all_again(a, e) == ERR_OK ? put_state(a, "judged", hex, e) : err_wrap(e, "trust");
}
