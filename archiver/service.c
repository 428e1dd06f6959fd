/* SPDX-License-Identifier: MIT */
/*
 * Health of outside services: back-off, circuit, budget. Kept in ops: losing
 * it costs requests, never evidence (tsp-ocsp-crl 7.2). A lost budget row
 * counts as a fresh day.
 */
#include "archiver/archiver_int.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_BASE_S 5
#define BACKOFF_CAP_S 3600
#define CONFIG_PAUSE_S 86400
#define ALTERNATE_PAUSE_S 3600
#define PAUSE_MAX_S 86400 /* of the server's own (net.c) too */

static json_t *
load(struct archive *a, const char *name)
{
	AUTO(buf) struct buf text = {0};
	json_t *row = NULL;

	if (ops_get(a->store, "service", slice_str(name), &text, NULL) != ERR_OK ||
	    json_read(buf_slice(&text), NULL, &row, NULL) != ERR_OK)
		row = json_object();
	return row;
}

static void
keep(struct archive *a, const char *name, const json_t *row)
{
	AUTO(buf) struct buf text = {0};

	if (json_canonical(row, &text, NULL) == ERR_OK)
		(void)!ops_put(a->store, "service", slice_str(name), buf_slice(&text), NULL);
}

bool
service_open(struct archive *a, const char *name, int64_t *retry_utc)
{
	AUTO(json) json_t *row = load(a, name);
	int64_t next = json_integer_value(json_object_get(row, "next"));

	/* No pause is longer: it was made by a clock that was wrong. */
	if (next <= archive_now(a) || next - archive_now(a) > PAUSE_MAX_S)
		return true;
	if (*retry_utc == TIME_NONE || next < *retry_utc)
		*retry_utc = next;
	return false;
}

/* Full jitter would make a simulated archive differ from run to run; half of it is random enough for services. */
static int64_t
pause_for(struct archive *a, enum fetch_class class, int64_t failures, int64_t retry_after)
{
	int64_t wait = BACKOFF_BASE_S;
	uint8_t r = 0;
	int i;

	if (retry_after >= 0)
		return retry_after;
	if (class == FETCH_CONFIG)
		return CONFIG_PAUSE_S;
	if (class == FETCH_ALTERNATE)
		return ALTERNATE_PAUSE_S;
	for (i = 1; i < failures && wait < BACKOFF_CAP_S; i++)
		wait *= 2;
	if (wait > BACKOFF_CAP_S)
		wait = BACKOFF_CAP_S;
	if (entropy_fill(&a->seams.entropy, &r, 1, NULL) != ERR_OK)
		r = 128;
	return wait / 2 + wait * r / 510;
}

void
service_told(struct archive *a, const char *name, const char *kind, enum fetch_class class, const char *why, int64_t retry_after)
{
	AUTO(json) json_t *row = load(a, name);
	int64_t failures = json_integer_value(json_object_get(row, "failures"));
	int64_t now = archive_now(a);

	(void)!json_set(row, "kind", json_text(kind), NULL);
	if (class == FETCH_LOCAL)
		return;
	if (class == FETCH_OK) {
		(void)!json_set(row, "failures", json_integer(0), NULL);
		(void)!json_set(row, "next", json_integer(0), NULL);
		(void)!json_set(row, "last_good", json_time(now), NULL);
		keep(a, name, row);
		return;
	}
	failures++;
	(void)!json_set(row, "failures", json_integer(failures), NULL);
	(void)!json_set(row, "next", json_integer(now + pause_for(a, class, failures, retry_after)), NULL);
	(void)!json_set(row, "last_bad", json_time(now), NULL);
	(void)!json_set(row, "why", json_text(why), NULL);
	(void)!json_set(row, "class", json_text(fetch_class_name(class)), NULL);
	keep(a, name, row);
	if (failures == 3 || class == FETCH_CONFIG)
		archive_alarm(a, "%s %s: %s", kind, name, why);
}

void
service_forgive(struct archive *a)
{
	size_t i;

	for (i = 0; i < a->cfg->n_tsas; i++) {
		AUTO(json) json_t *row = load(a, a->cfg->tsas[i].name);

		if (!json_is_string(json_object_get(row, "class")) || json_set(row, "next", json_integer(0), NULL) != ERR_OK)
			continue;
		keep(a, a->cfg->tsas[i].name, row);
	}
}

bool
service_budget(struct archive *a, const char *name, int64_t budget, bool take)
{
	AUTO(json) json_t *row = load(a, name);
	int64_t day = archive_now(a) / 86400, used = 0;

	if (budget <= 0)
		return true;
	if (json_integer_value(json_object_get(row, "day")) == day)
		used = json_integer_value(json_object_get(row, "used"));
	if (used >= budget || !take)
		return used < budget;
	if (used + 1 == (budget * 4 + 4) / 5)
		archive_alarm(a, "TSA %s: 80 %% of today's budget of %lld requests are used", name, (long long)budget);
	(void)!json_set(row, "day", json_integer(day), NULL);
	(void)!json_set(row, "used", json_integer(used + 1), NULL);
	keep(a, name, row);
	return true;
}

static enum err_code
list_one(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	int64_t next;

	(void)stop;
	if (json_read(value, NULL, &row, NULL) != ERR_OK)
		return ERR_OK;
	next = json_integer_value(json_object_get(row, "next")); /* kept as seconds, told as a time */
	if (json_set(row, "name", json_text_n(key), e) != ERR_OK || json_set(row, "next", next != 0 ? json_time(next) : json_null(), e) != ERR_OK)
		return err_wrap(e, "services");
	return json_push(ctx, TAKE(row), e);
}

enum err_code
service_list(struct archive *a, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	struct store_each each = {list_one, list};

	if (ops_rows(a->store, "service", (struct slice){0}, (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "services");
	*out = TAKE(list);
	return ERR_OK;
}
