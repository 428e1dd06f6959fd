/* SPDX-License-Identifier: MIT */
/*
 * News of a record for the depositor who gave it by the spool: done/X.status.json.
 * A step's own group owes them (row "news"), and the row goes when they are
 * durable: a crash in between repeats the writing, and nothing is forgotten.
 */
#include "archiver/spool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NEWS_AT_ONCE 256

static enum err_code
status_of(struct archive *a, const json_t *m, json_t **out, struct err *e)
{
	static const char *const keys[] = {"record", "time", "own_id", "title", "event", "due"};
	static const char *const sig_keys[] = {"file", "index", "level", "state", "reason", "indication", "subindication", "due"};
	AUTO(json) json_t *status = json_object();
	AUTO(json) json_t *sigs = json_array();
	AUTO(json) json_t *deadline = NULL;
	size_t i, k;

	for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (json_set(status, keys[k], json_deep_copy(json_object_get(m, keys[k])), e) != ERR_OK)
			return err_wrap(e, "status");
	for (i = 0; i < manifest_signatures(m); i++) {
		AUTO(json) json_t *s = json_object();

		for (k = 0; k < sizeof(sig_keys) / sizeof(sig_keys[0]); k++)
			(void)json_object_set(s, sig_keys[k], json_object_get(manifest_signature(m, i), sig_keys[k]));
		if (json_push(sigs, TAKE(s), e) != ERR_OK)
			return err_wrap(e, "status");
	}
	if (archive_deadline(a, m, &deadline, e) != ERR_OK || json_object_update(status, deadline) != 0 ||
	    json_set(status, "schema", json_integer(1), e) != ERR_OK || json_set(status, "signatures", TAKE(sigs), e) != ERR_OK)
		return err_wrap(e, "status");
	*out = TAKE(status);
	return ERR_OK;
}

/* ---- what is owed ---- */

static const struct conf_spool *
spool_of(const struct config *cfg, const char *depositor)
{
	size_t i;

	for (i = 0; i < cfg->n_spools; i++)
		if (strcmp(cfg->spools[i].depositor, depositor) == 0)
			return &cfg->spools[i];
	return NULL;
}

enum err_code
news_owe(struct batch *b, const json_t *m, struct err *e)
{
	const char *depositor = json_string_value(json_object_get(m, "depositor"));
	struct slice value = slice_str(depositor);

	if (depositor == NULL || !json_is_string(json_object_get(m, "spool_name")))
		return ERR_OK;
	return batch_row(b, "news", slice_str(manifest_record(m)), &value, e);
}

struct telling {
	struct archive *a;
	json_t *told;	 /* record: its depositor; their news stand in done/, not yet synced */
	json_t *spools;	 /* depositor: its spool has been written to since the last sync */
	json_t *failing; /* depositor: its spool can't be written to or synced; said once a call */
};

static enum err_code
write_news(struct archive *a, const struct conf_spool *to, const char *record, struct err *e)
{
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *status = NULL;
	AUTO(spool) struct spool s = SPOOL_NONE;

	if (manifest_load(a, record, &m, e) != ERR_OK || status_of(a, m, &status, e) != ERR_OK || spool_open(to, &s, e) != ERR_OK)
		return err_wrap(e, "news");
	return spool_answer(s.done, json_string_value(json_object_get(m, "spool_name")), record, ".status.json", status, e);
}

/* One sync for all that was written to a spool. One that fails is its depositor's trouble. */
static enum err_code
sync_news(const struct telling *t, struct err *e)
{
	const char *depositor = NULL;
	json_t *value = NULL;

	json_object_foreach (t->spools, depositor, value) {
		AUTO(spool) struct spool s = SPOOL_NONE;
		struct err why = {0};

		if (spool_open(spool_of(t->a->cfg, depositor), &s, &why) == ERR_OK && syncfs(s.root) == 0)
			continue;
		if (why.code == ERR_OK)
			err_errno(&why, ERR_IO, errno, "spool %s: sync", s.cfg->dir);
		archive_alarm(t->a, "news: %s", why.text);
		if (json_set(t->failing, depositor, json_true(), e) != ERR_OK)
			return err_wrap(e, "news");
	}
	return ERR_OK;
}

/* What is durable now is owed no more. What can't be synced is written again at the next call. */
static enum err_code
news_told(struct telling *t, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	const char *record = NULL;
	json_t *depositor = NULL;
	enum err_code r = sync_news(t, e);

	json_object_foreach (t->told, record, depositor) {
		if (r != ERR_OK || json_object_get(t->failing, json_string_value(depositor)) != NULL)
			continue;
		if (b == NULL)
			r = store_batch_begin(t->a->store, &b, e);
		if (r == ERR_OK)
			r = batch_row(b, "news", slice_str(record), NULL, e);
	}
	if (r == ERR_OK && b != NULL)
		r = store_commit(&b, NULL, e);
	json_object_clear(t->told);
	json_object_clear(t->spools);
	return r;
}

/* A spool that can't be written to is its depositor's trouble: told, and everybody else's news go on. */
static enum err_code
tell(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct telling *t = ctx;
	AUTO(mem) char *record = mem_dup(key.p, key.n);
	AUTO(mem) char *depositor = mem_dup(value.p, value.n);
	const struct conf_spool *to = NULL;
	struct err why = {0};

	if (record == NULL || depositor == NULL)
		return err_nomem(e);
	*stop = archive_stopping(t->a);
	to = spool_of(t->a->cfg, depositor);
	if (json_object_get(t->failing, depositor) != NULL)
		return ERR_OK;
	if (to != NULL && write_news(t->a, to, record, &why) != ERR_OK) {
		archive_alarm(t->a, "news of record %s: %s", record, why.text);
		return why.code == ERR_DAMAGED ? ERR_OK : json_set(t->failing, depositor, json_true(), e);
	}
	if ((to != NULL && json_set(t->spools, depositor, json_true(), e) != ERR_OK) || json_set(t->told, record, json_text(depositor), e) != ERR_OK)
		return err_wrap(e, "news");
	return json_object_size(t->told) < NEWS_AT_ONCE ? ERR_OK : news_told(t, e);
}

enum err_code
archive_news(struct archive *a, struct err *e)
{
	AUTO(json) json_t *told = json_object();
	AUTO(json) json_t *spools = json_object();
	AUTO(json) json_t *failing = json_object();
	struct telling t = {a, told, spools, failing};
	const struct store_each each = {tell, &t};

	if (store_rows(a->store, "news", (struct slice){0}, (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "news");
	return news_told(&t, e);
}
