/* SPDX-License-Identifier: MIT */
/* News of a record for the depositor who gave it by the spool: done/X.status.json. */
#include "archiver/spool.h"

#include <string.h>

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

static enum err_code
tell(struct archive *a, const char *record, struct err *e)
{
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *status = NULL;
	const char *name = NULL, *depositor = NULL;
	size_t i;

	if (manifest_load(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "news");
	name = json_string_value(json_object_get(m, "spool_name"));
	depositor = json_string_value(json_object_get(m, "depositor"));
	if (name == NULL || depositor == NULL)
		return ERR_OK;
	if (status_of(a, m, &status, e) != ERR_OK)
		return err_wrap(e, "news");
	for (i = 0; i < a->cfg->n_spools; i++) {
		AUTO(spool) struct spool s = SPOOL_NONE;

		if (strcmp(a->cfg->spools[i].depositor, depositor) != 0)
			continue;
		if (spool_open(&a->cfg->spools[i], &s, e) != ERR_OK || spool_answer(s.done, name, record, ".status.json", status, e) != ERR_OK)
			return err_wrap(e, "news");
		break;
	}
	return ERR_OK;
}

/* A spool that can't be written to is its depositor's trouble: told, and everybody else's news go on. */
enum err_code
archive_news(struct archive *a, struct err *e)
{
	const char *record = NULL;
	json_t *value = NULL;

	(void)e;
	json_object_foreach (a->news, record, value) {
		struct err why = {0};

		if (tell(a, record, &why) != ERR_OK)
			archive_alarm(a, "news of record %s: %s", record, why.text);
	}
	json_object_clear(a->news);
	return ERR_OK;
}
