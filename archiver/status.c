/* SPDX-License-Identifier: MIT */
/* What the operator sees, and the release of a quarantine or an issuer hold. */
#include "archiver/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define UNPROVEN_TOLD 100 /* records */

/* ---- counts ---- */

/* From the rows: a million manifests would take minutes. */
static enum err_code
count_record(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	json_t *all = ctx, *n = NULL;
	const char *state = NULL;

	(void)key;
	(void)stop;
	if (json_read(value, NULL, &row, e) != ERR_OK)
		return err_wrap(e, "status");
	json_object_foreach (json_object_get(row, "states"), state, n)
		if (json_set(all, state, json_integer(json_integer_value(json_object_get(all, state)) + json_integer_value(n)), e) != ERR_OK)
			return err_wrap(e, "status");
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

static enum err_code
list_unproven(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	*stop = json_array_size(ctx) + 1 >= UNPROVEN_TOLD;
	return json_push(ctx, json_pack("{s:o, s:o}", "record", json_text_n(key), "why", json_text_n(value)), e);
}

enum err_code
archive_unproven(struct archive *a, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	struct store_each each = {list_unproven, list};

	if (store_rows(a->store, "unproven", (struct slice){0}, (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "unproven verdicts");
	*out = TAKE(list);
	return ERR_OK;
}

static json_t *
anchors_of(const struct archive *a)
{
	json_int_t signer = 0, tsa = 0, ocsp = 0;
	size_t i;

	for (i = 0; i < anchors_count(a->anchors); i++) {
		unsigned roles = anchors_at(a->anchors, i)->roles;

		signer += (roles & ROLE_SIGNER) != 0;
		tsa += (roles & ROLE_TSA) != 0;
		ocsp += (roles & ROLE_OCSP) != 0;
	}
	return json_pack("{s:I, s:I, s:I}", "signer", signer, "tsa", tsa, "ocsp", ocsp);
}

void
archive_notes(const struct archive *a, struct buf *out)
{
	store_notes(a->store, out);
}

enum err_code
archive_status(struct archive *a, json_t **out, struct err *e)
{
	AUTO(json) json_t *states = json_object();
	AUTO(json) json_t *services = NULL;
	AUTO(json) json_t *jobs = json_array();
	AUTO(json) json_t *holds = json_array();
	AUTO(json) json_t *plan = NULL;
	AUTO(json) json_t *unproven = NULL;
	AUTO(buf) struct buf sweep = {0};
	struct store_each each_record = {count_record, states}, each_job = {list_rows, jobs}, each_hold = {list_rows, holds};
	struct store_status st;
	struct cage_status cage = cage_probe(CAGE_WORKER);
	char cage_line[CAGE_TEXT];
	int64_t next = TIME_MAX;
	json_t *last = NULL, *scrub = NULL;
	struct err why = {0};

	cage_text(&cage, cage_line);
	if (store_status(a->store, &st, e) != ERR_OK ||
	    store_rows(a->store, "record", (struct slice){0}, (struct slice){0}, &each_record, e) != ERR_OK ||
	    service_list(a, &services, e) != ERR_OK || archive_sweep_plan(a, &plan, e) != ERR_OK ||
	    archive_next_due(a, &next, e) != ERR_OK || archive_unproven(a, &unproven, e) != ERR_OK ||
	    store_rows(a->store, "tsacert", (struct slice){0}, (struct slice){0}, &each_job, e) != ERR_OK ||
	    store_rows(a->store, "hold", (struct slice){0}, (struct slice){0}, &each_hold, e) != ERR_OK)
		return err_wrap(e, "status");
	if (store_get_row(a->store, "state", slice_str("sweep"), &sweep, NULL) == ERR_OK)
		(void)!json_read(buf_slice(&sweep), NULL, &last, NULL);
	if (care_last(a->cfg->archive.dir, &scrub, &why) != ERR_OK)
		scrub = json_pack("{s:o}", "unreadable", json_text(why.text));
	*out = json_pack("{s:i, s:o, s:o, s:b, s:s, s:o, s:o, s:O, s:O, s:O, s:O, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:o, s:b}, s:i}",
	    "schema", 1, "last_scrub", scrub, "time", json_time(archive_now(a)), "simulated", a->cfg->archive.clock_file != NULL, "cage", cage_line, "intake", gate_json(a), "anchors", anchors_of(a), "signatures", states,
	    "services", services, "tsa_certificates", jobs, "holds", holds, "due", json_incref(plan), "last_sweep",
	    last != NULL ? last : json_null(), "next_step", next == TIME_MAX ? json_null() : json_time(next), "store", "groups",
	    (json_int_t)st.groups, "objects", (json_int_t)st.objects, "log_size", (json_int_t)st.log_size, "bytes", (json_int_t)st.bytes,
	    "recovered", (int)st.recovered, "lost_alarms", (json_int_t)st.lost_alarms, "lost_mended", (json_int_t)st.lost_mended,
	    "groups_standing_once", (json_int_t)st.no_twin,
	    "index_made", st.index_made[0] != 0 ? json_text(st.index_made) : json_null(), "ops_lost", (int)st.ops_lost, "format", st.format);
	return *out != NULL ? json_set(*out, "unproven", TAKE(unproven), e) : err_nomem(e);
}

/* ---- release ---- */

static enum err_code
release_issuer(struct archive *a, const char *sha256, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(buf) struct buf row = {0};

	if (store_get_row(a->store, "hold", slice_str(sha256), &row, e) != ERR_OK)
		return e->code == ERR_NOTFOUND ? err_set(e, ERR_NOTFOUND, "release: no issuer %s is on hold or watched", sha256) : err_wrap(e, "release");
	if (store_batch_begin(a->store, &b, e) != ERR_OK || batch_row(b, "hold", slice_str(sha256), NULL, e) != ERR_OK)
		return err_wrap(e, "release");
	return store_commit(&b, NULL, e);
}

enum err_code
archive_release(struct archive *a, const char *what, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	bool again = false, any = false;
	size_t i;

	if (strcmp(what, "clock") == 0)
		return clock_accept(a, e);
	if (strlen(what) == 64)
		return release_issuer(a, what, e);
	if (archive_manifest(a, what, &prev, e) != ERR_OK || manifest_next(a, prev, &m, e) != ERR_OK || store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "release");
	for (i = 0; i < manifest_signatures(m); i++) {
		json_t *s = manifest_signature(m, i);
		bool quarantined = sig_is(s, "state", "quarantined");

		if (json_is_string(json_object_get(s, "unproven"))) {
			any = true;
			if (sig_judge_again(a, b, m, i, e) != ERR_OK)
				return err_wrap(e, "release");
			continue;
		}
		if (!quarantined && !json_is_integer(json_object_get(s, "tries")))
			continue;
		any = true;
		json_object_del(s, "tries");
		json_object_del(s, "trying_since");
		json_object_del(s, "fell");
		if (sig_go(s, quarantined ? "waiting" : sig_str(s, "state"), archive_now(a), "released by the operator", e) != ERR_OK)
			return err_wrap(e, "release");
	}
	if (!any)
		return err_set(e, ERR_NOTFOUND, "release: no signature of record %s is in quarantine, waits for another try or is unproven", manifest_record(m));
	if (walk_put(a, b, m, prev, LEAF_STEP, "released", &again, e) != ERR_OK)
		return err_wrap(e, "release");
	if (store_commit(&b, NULL, e) != ERR_OK)
		return e->code;
	service_forgive(a);
	return ERR_OK;
}
