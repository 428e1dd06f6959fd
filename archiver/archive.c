/* SPDX-License-Identifier: MIT */
/* The handle: open, close, alarms, one run, records. */
#include "archiver/slow.h"
#include "archiver/spool.h"
#include "archiver/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BATCH 64
#define TOLD_AGAIN_S 3600
#define BATCH_MS 5000 /* a token that was got is durable that soon, and others have their turn */

static struct store_seams
store_seams_of(const struct archive *a)
{
	return (struct store_seams){.clock = a->seams.clock, .entropy = a->seams.entropy};
}

static bool
told_lately(struct archive *a, const char *text)
{
	int64_t now = archive_now(a);
	size_t i;

	for (i = 0; i < ALARMS_TOLD; i++)
		if (a->told[i].text != NULL && strcmp(a->told[i].text, text) == 0 && now - a->told[i].utc < TOLD_AGAIN_S)
			return true;
	i = a->n_told++ % ALARMS_TOLD;
	free(a->told[i].text);
	a->told[i].text = mem_dupstr(text);
	a->told[i].utc = now;
	return false;
}

void
archive_alarm(struct archive *a, const char *fmt, ...)
{
	AUTO(mem) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text == NULL)
		return;
	if (!told_lately(a, text))
		log_line(a->seams.log, LOG_LEVEL_WARN, "%s", text);
	if (a->alarms != NULL && json_array_size(a->alarms) < 1000)
		json_array_append_new(a->alarms, json_text(text));
}

bool
archive_stopping(const struct archive *a)
{
	return a->seams.stop != NULL && a->seams.stop(a->seams.stop_ctx);
}

struct store *
archive_store(struct archive *a)
{
	return a->store;
}

/* ---- create, open, close ---- */

enum err_code
archive_create(const struct config *cfg, const struct archive_seams *seams, struct err *e)
{
	struct archive a = {.cfg = cfg, .seams = *seams};
	struct store_seams ss = store_seams_of(&a);
	size_t i;

	if (store_create(cfg->archive.dir, NULL, &ss, e) != ERR_OK)
		return err_wrap(e, "archive");
	for (i = 0; i < cfg->n_spools; i++) {
		AUTO(spool) struct spool s = SPOOL_NONE;

		if (spool_open(&cfg->spools[i], &s, e) != ERR_OK)
			return err_wrap(e, "archive");
	}
	return ERR_OK;
}

static struct caged_setup
cage_setup(const struct archive *a)
{
	struct caged_setup s = {.anchors = a->anchors, .policy = a->policy, .limits = xades_limits_default,
	    .max_document_bytes = a->cfg->limits.xml_bytes, .uncaged = a->seams.uncaged};

	if (a->cfg->limits.references != 0)
		s.limits.references = a->cfg->limits.references;
	if (a->cfg->limits.transforms != 0)
		s.limits.transforms = a->cfg->limits.transforms;
	if (a->cfg->limits.signatures != 0)
		s.limits.signatures = a->cfg->limits.signatures;
	if (a->cfg->limits.stamps != 0)
		s.limits.stamps = a->cfg->limits.stamps;
	s.limits.xml.max_bytes = a->cfg->limits.xml_bytes;
	s.limits.xml.max_depth = a->cfg->limits.xml_depth;
	s.limits.xml.max_nodes = a->cfg->limits.xml_nodes;
	s.timeout_ms = (int)(a->cfg->limits.worker_seconds * 1000);
	s.memory_bytes = a->cfg->limits.worker_bytes;
	return s;
}

/* The worker has its anchors from the time when it was forked. fresh: taken over. */
enum err_code
archive_anchors(struct archive *a, struct anchors *fresh, struct err *e)
{
	struct anchors *before = a->own_anchors;
	struct caged_setup setup;
	enum err_code r;

	a->anchors = a->own_anchors = fresh;
	gate_anchors(a);
	setup = cage_setup(a);
	slow_interrupt(a); /* a verdict by the old ones would not be judged again */
	r = caged_restart(a->caged, &setup, e);
	anchors_free(before);
	return r;
}

enum err_code
archive_open(const struct config *cfg, const struct anchors *anchors, const struct vpolicy *policy,
    enum archive_mode mode, const struct archive_seams *seams, struct archive **out, struct err *e)
{
	AUTO(archive) struct archive *a = mem_new(1, sizeof(*a));
	struct caged_setup setup;
	struct store_seams ss;

	if (a == NULL)
		return err_nomem(e);
	a->cfg = cfg;
	a->anchors = anchors;
	a->policy = policy;
	a->seams = *seams;
	a->mode = mode;
	a->listener = a->spool_events = -1;
	a->alarms = json_array();
	a->skipped = json_object();
	if (a->alarms == NULL || a->skipped == NULL)
		return err_nomem(e);
	if (pile_new(&a->tsa_issuers, e) != ERR_OK)
		return err_wrap(e, "archive");
	gate_anchors(a);
	setup = cage_setup(a);
	ss = store_seams_of(a);
	/* The children are forked before the store is open: they must not hold its descriptors. */
	if (worker_warm_up_base(e) != ERR_OK || caged_start(&setup, &a->caged, e) != ERR_OK ||
	    (mode == ARCHIVE_WRITE && fetcher_start(cfg, seams->uncaged, &a->fetcher, e) != ERR_OK) ||
	    store_open(cfg->archive.dir, mode == ARCHIVE_WRITE ? STORE_WRITE : STORE_READ, &ss, &a->store, e) != ERR_OK)
		return err_wrap(e, "archive %s", cfg->archive.dir);
	caged_on_wait(a->caged, archive_await_verdict, a);
	if (mode == ARCHIVE_WRITE)
		fetcher_on_wait(a->fetcher, archive_await, a);
	if (mode == ARCHIVE_WRITE && (trust_note(a, e) != ERR_OK || rules_note(a, e) != ERR_OK || lost_note(a, e) != ERR_OK))
		return err_wrap(e, "archive %s", cfg->archive.dir);
	*out = TAKE(a);
	return ERR_OK;
}

void
archive_close(struct archive *a)
{
	size_t i;

	if (a == NULL)
		return;
	group_drop(a);
	slow_free(a);
	free(a->slow_last);
	caged_free(a->caged);
	fetcher_free(a->fetcher);
	store_close(a->store, NULL);
	fetch_cache_free(a->cache);
	pile_auto(&a->tsa_issuers);
	anchors_free(a->own_anchors);
	json_decref(a->alarms);
	json_decref(a->skipped);
	for (i = 0; i < ALARMS_TOLD; i++)
		free(a->told[i].text);
	free(a);
}

void
archive_auto(struct archive **a)
{
	archive_close(*a);
}

/* ---- steps ---- */

struct due_list {
	const json_t *skipped;
	json_t *records;
	int64_t now, next;
	uint64_t max;
};

static enum err_code
due_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct due_list *d = ctx;
	struct cur c = cur_from(key);
	int64_t due = (int64_t)cur_be64(&c);

	AUTO(json) json_t *record = json_text_n(cur_rest(&c));

	(void)value;
	if (record == NULL)
		return err_nomem(e);
	if (c.failed || json_object_get(d->skipped, json_string_value(record)) != NULL)
		return ERR_OK;
	if (due > d->now) {
		d->next = due;
		*stop = true;
		return ERR_OK;
	}
	*stop = json_array_size(d->records) + 1 >= d->max;
	return json_push(d->records, TAKE(record), e);
}

static enum err_code
due_records(struct archive *a, uint64_t max, struct due_list *d, struct err *e)
{
	struct store_each each = {due_row, d};

	*d = (struct due_list){.skipped = a->skipped, .records = json_array(), .now = archive_now(a), .next = TIME_MAX, .max = max};
	return store_rows(a->store, "due", (struct slice){0}, (struct slice){0}, &each, e);
}

enum err_code
archive_next_due(struct archive *a, int64_t *utc, struct err *e)
{
	struct due_list d = {0};
	enum err_code r = due_records(a, 1, &d, e);

	*utc = json_array_size(d.records) != 0 ? d.now : d.next;
	json_decref(d.records);
	return r;
}

/* One batch of arrows, one for each record that is due; one group, or more where others had their turn meanwhile. */
static enum err_code
step_batch(struct archive *a, uint64_t max, uint64_t *steps, bool *more, int64_t *next, struct err *e)
{
	struct due_list d = {0};
	enum err_code r = due_records(a, max, &d, e);
	const json_t *record = NULL;
	int64_t until_ms = sys_monotonic_ms() + BATCH_MS;
	bool again = false;
	size_t i;

	*more = false;
	*next = d.next;
	json_array_foreach (d.records, i, record) {
		if (r != ERR_OK || archive_stopping(a) || (*more && sys_monotonic_ms() > until_ms))
			break;
		r = record_step(a, json_string_value(record), &again, e);
		++*steps;
		*more = true;
	}
	json_decref(d.records);
	if (r == ERR_OK)
		return group_commit(a, e);
	group_drop(a);
	return r;
}

enum err_code
archive_steps(struct archive *a, uint64_t max_steps, json_t **summary, struct err *e)
{
	uint64_t steps = 0, ran = 0, failed = 0;
	int64_t next = TIME_MAX, next_job = TIME_MAX;
	bool more = true;

	json_object_clear(a->skipped);
	if (tsa_jobs(a, &ran, &failed, &next_job, e) != ERR_OK)
		return err_wrap(e, "steps");
	while (more && !archive_stopping(a))
		if (trust_judge(a, &more, e) != ERR_OK || archive_between(a, e) != ERR_OK)
			return err_wrap(e, "steps");
	more = true;
	while (more && !archive_stopping(a) && (max_steps == 0 || steps < max_steps)) {
		uint64_t left = max_steps == 0 ? STEP_BATCH : max_steps - steps;

		if (step_batch(a, left < STEP_BATCH ? left : STEP_BATCH, &steps, &more, &next, e) != ERR_OK ||
		    archive_between(a, e) != ERR_OK)
			return err_wrap(e, "steps");
		if (a->seams.progress != NULL && more)
			a->seams.progress(a->seams.progress_ctx, "steps", steps, 0);
	}
	if (next_job < next)
		next = next_job;
	*summary = json_pack("{s:I, s:I, s:I, s:o, s:O}", "steps", (json_int_t)steps, "material_jobs", (json_int_t)ran,
	    "material_jobs_failed", (json_int_t)failed, "next", next == TIME_MAX ? json_null() : json_time(next), "alarms", a->alarms);
	return *summary != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
archive_run_once(struct archive *a, json_t **summary, struct err *e)
{
	uint64_t taken = 0, refused = 0;
	json_t *unproven = NULL;

	json_array_clear(a->alarms);
	if (archive_spool(a, &taken, &refused, e) != ERR_OK)
		return err_wrap(e, "run");
	if (archive_steps(a, 0, summary, e) != ERR_OK || archive_news(a, e) != ERR_OK || archive_unproven(a, &unproven, e) != ERR_OK)
		return err_wrap(e, "run");
	if (json_set(*summary, "unproven", unproven, e) != ERR_OK ||
	    json_set(*summary, "taken", json_integer((json_int_t)taken), e) != ERR_OK ||
	    json_set(*summary, "refused", json_integer((json_int_t)refused), e) != ERR_OK ||
	    json_set(*summary, "intake_waits", json_boolean(a->intake_waits), e) != ERR_OK || lost_alarms(a, *summary, e) != ERR_OK)
		return err_wrap(e, "run");
	return ERR_OK;
}

/* ---- records ---- */

struct walk_records {
	struct archive *a;
	enum err_code (*each)(void *ctx, const json_t *manifest, struct err *e);
	void *ctx;
};

static enum err_code
record_row_each(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct walk_records *w = ctx;
	AUTO(mem) char *id = mem_dup(key.p, key.n);
	AUTO(json) json_t *m = NULL;

	(void)value;
	(void)stop;
	if (id == NULL)
		return err_nomem(e);
	if (manifest_load(w->a, id, &m, e) != ERR_OK)
		return err_wrap(e, "records");
	return w->each(w->ctx, m, e);
}

enum err_code
archive_records(struct archive *a, enum err_code (*each)(void *ctx, const json_t *manifest, struct err *e), void *ctx, struct err *e)
{
	struct walk_records w = {a, each, ctx};
	struct store_each rows = {record_row_each, &w};

	return store_rows(a->store, "record", (struct slice){0}, (struct slice){0}, &rows, e);
}

struct finding_id {
	char id[UUID_TEXT];
	size_t n;
};

static enum err_code
found_id(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct finding_id *f = ctx;

	(void)value;
	(void)e;
	if (key.n == UUID_TEXT - 1 && f->n++ == 0)
		memcpy(f->id, key.p, key.n);
	*stop = f->n > 1;
	return ERR_OK;
}

enum err_code
archive_find(struct archive *a, const char *record, char id[UUID_TEXT], struct err *e)
{
	struct finding_id f = {0};
	struct store_each each = {found_id, &f};

	if (strlen(record) < 8)
		return err_set(e, ERR_USAGE, "record \"%.40s\": give its id, or the first 8 characters of it at least", record);
	if (store_rows_prefix(a->store, "record", slice_str(record), &each, e) != ERR_OK)
		return err_wrap(e, "record %.40s", record);
	if (f.n == 0)
		return err_set(e, ERR_NOTFOUND, "record %.40s: there is none of that id", record);
	if (f.n > 1)
		return err_set(e, ERR_USAGE, "record %.40s: more than one begins like that; give more characters", record);
	memcpy(id, f.id, UUID_TEXT);
	return ERR_OK;
}

enum err_code
archive_manifest(struct archive *a, const char *record, json_t **out, struct err *e)
{
	char id[UUID_TEXT] = "";

	if (archive_find(a, record, id, e) != ERR_OK)
		return e != NULL ? e->code : ERR_NOTFOUND;
	return manifest_load(a, id, out, e);
}

enum err_code
archive_history(struct archive *a, const char *record, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	AUTO(json) json_t *m = NULL;
	uint8_t sha256[32];

	if (archive_manifest(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "history");
	while (m != NULL) {
		const char *before = json_string_value(json_object_get(json_object_get(m, "previous"), "sha256"));
		json_t *older = NULL;

		if (json_array_insert(list, 0, m) != 0)
			return err_nomem(e);
		if (before != NULL) {
			if (!hex32_to(before, sha256))
				return err_set(e, ERR_DAMAGED, "record %s: a manifest names no predecessor", manifest_record(m));
			if (manifest_load_object(a, sha256, &older, e) != ERR_OK)
				return err_wrap(e, "history");
		}
		json_decref(m);
		m = older;
	}
	*out = TAKE(list);
	return ERR_OK;
}
