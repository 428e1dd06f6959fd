/* SPDX-License-Identifier: MIT */
/*
 * Material per TSA certificate, not per token (design 8): after first use plus
 * grace, monthly, in the last 30 days, and once more after a covering stamp.
 * A renewal then only embeds. A job that fails is an alarm at once, since in
 * years the TSA's responders may be gone.
 *
 * Row "tsacert" <sha256>: { "subject", "not_after", "first_use", "last_use", "token": sha256 of a token of it,
 *   "objects": [{ "kind", "sha256" }], "newer_than": the data are all newer than this, "enough_than": the TSA's own data are, and
 *   the lists above it were current then, "fetched", "next",
 *   "complete", "failures", "why" }
 */
#include "archiver/archiver_int.h"

#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)
#define GRACE_S DAY
#define LAST_DAYS (30 * DAY)
#define RETRY_S DAY

static enum err_code
load(struct archive *a, struct batch *b, const char *tsa, json_t **row, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	enum err_code r = b != NULL ? batch_get_row(b, "tsacert", slice_str(tsa), &text, e)
				    : store_get_row(a->store, "tsacert", slice_str(tsa), &text, e);

	if (r != ERR_OK)
		return r;
	return json_read(buf_slice(&text), NULL, row, e);
}

static enum err_code
keep(struct batch *b, const char *tsa, const json_t *row, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	struct slice value;

	if (json_canonical(row, &text, e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	value = buf_slice(&text);
	return batch_row(b, "tsacert", slice_str(tsa), &value, e);
}

static int64_t
time_of(const json_t *row, const char *key)
{
	int64_t t = TIME_NONE;

	return json_want_time(row, key, &t, NULL) == ERR_OK ? t : TIME_NONE;
}

enum err_code
tsa_used(struct archive *a, struct batch *b, const json_t *token_answer, const uint8_t token_sha256[32], struct err *e)
{
	AUTO(json) json_t *row = NULL;
	const char *tsa = NULL;
	enum err_code r;

	if (json_need_str(token_answer, "tsa_sha256", &tsa, e) != ERR_OK)
		return err_wrap(e, "token");
	r = load(a, b, tsa, &row, e);
	if (r == ERR_NOTFOUND) {
		row = json_object();
		if (json_set(row, "subject", json_incref(json_object_get(token_answer, "tsa_subject")), e) != ERR_OK ||
		    json_set(row, "not_after", json_incref(json_object_get(token_answer, "tsa_not_after")), e) != ERR_OK ||
		    json_set(row, "first_use", json_time(archive_now(a)), e) != ERR_OK ||
		    json_set(row, "next", json_time(archive_now(a) + GRACE_S), e) != ERR_OK ||
		    json_set(row, "complete", json_false(), e) != ERR_OK || json_set(row, "objects", json_array(), e) != ERR_OK)
			return err_wrap(e, "TSA certificate");
	} else if (r != ERR_OK) {
		return err_wrap(e, "TSA certificate");
	}
	if (json_set(row, "last_use", json_incref(json_object_get(token_answer, "gen_time")), e) != ERR_OK ||
	    (json_object_get(row, "token") == NULL && json_set(row, "token", json_hex(slice_of(token_sha256, 32)), e) != ERR_OK))
		return err_wrap(e, "TSA certificate");
	return keep(b, tsa, row, e);
}

enum err_code
tsa_covered(struct archive *a, struct batch *b, const char *tsa_sha256, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	int64_t soon = archive_now(a) + GRACE_S, next;
	enum err_code r = load(a, b, tsa_sha256, &row, e);

	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r != ERR_OK)
		return err_wrap(e, "TSA certificate");
	next = time_of(row, "next");
	if (json_set(row, "covered", json_time(archive_now(a)), e) != ERR_OK ||
	    ((next == TIME_NONE || soon < next) && json_set(row, "next", json_time(soon), e) != ERR_OK))
		return err_wrap(e, "TSA certificate");
	return keep(b, tsa_sha256, row, e);
}

/* When to fetch again: at the configured interval (monthly); every 10 days in the last 30; not after its end. */
static int64_t
next_job(const struct archive *a, const json_t *row, int64_t now, bool good)
{
	int64_t end = time_of(row, "not_after"), next = now + (good ? a->cfg->renewal.material_interval_seconds : RETRY_S);

	if (end != TIME_NONE && good && end - next < LAST_DAYS)
		next = now < end - LAST_DAYS ? end - LAST_DAYS : now + 10 * DAY;
	return end != TIME_NONE && next > end ? TIME_MAX : next;
}

static enum err_code
closure_objects(const json_t *answer, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(answer, "closure"), "objects"), i, o) {
		AUTO(json) json_t *entry = json_object();

		if (json_set(entry, "kind", json_incref(json_object_get(o, "kind")), e) != ERR_OK ||
		    json_set(entry, "sha256", json_incref(json_object_get(o, "sha256")), e) != ERR_OK ||
		    json_push(list, TAKE(entry), e) != ERR_OK)
			return err_wrap(e, "closure");
	}
	*out = TAKE(list);
	return ERR_OK;
}

static enum err_code
row_token(struct archive *a, const json_t *row, struct buf *out, struct err *e)
{
	uint8_t sha256[32];

	if (!hex32_to(json_string_value(json_object_get(row, "token")), sha256))
		return err_set(e, ERR_DAMAGED, "TSA certificate without a token");
	return store_get_bytes(a->store, sha256, OBJECT_MAX, out, e);
}

/* Nothing came that would do: told at once, since in years the TSA's responders may be gone. */
static enum err_code
job_failed(struct archive *a, struct batch *b, const char *tsa, json_t *row, const char *why, struct err *e)
{
	const char *subject = json_string_value(json_object_get(row, "subject"));
	int64_t next = next_job(a, row, archive_now(a), false);

	why = why[0] != '\0' ? why : "its closure is not complete";
	archive_alarm(a, "material of TSA certificate %s: %s", subject != NULL ? subject : tsa, why);
	if (json_set(row, "next", next == TIME_MAX ? json_null() : json_time(next), e) != ERR_OK ||
	    json_set(row, "why", json_text(why), e) != ERR_OK ||
	    json_set(row, "failures", json_integer(json_integer_value(json_object_get(row, "failures")) + 1), e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	return keep(b, tsa, row, e);
}

/* newer_than only grows: what is newer than a later time is newer than an earlier one. */
static enum err_code
bound(json_t *row, const char *key, int64_t than, struct err *e)
{
	int64_t held = time_of(row, key);

	return json_set(row, key, json_time(held != TIME_NONE && held > than ? held : than), e);
}

/* Fetch everything anew; the row and what came go into the batch. Roots issue lists twice a year: an older one is no failure. */
static enum err_code
run_job(struct archive *a, struct batch *b, const char *tsa, json_t *row, int64_t newer_than, struct pile *pile,
    enum tsa_holds *holds, struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(buf) struct buf token = {0};
	json_t *objects = NULL, *kept = NULL;
	struct err why = {0};
	int64_t now = archive_now(a), next;

	*holds = TSA_LACKING;
	/* Another record's step of this very group brought the first token: after the commit it can be read. */
	if (row_token(a, row, &token, &why) == ERR_NOTFOUND)
		return json_set(row, "why", json_text("its first token is being kept"), e);
	if (why.code != ERR_OK)
		return err_set(e, why.code, "TSA certificate %.16s: %s", tsa, why.text);
	/* What only the token itself carries (its CA's certificate, as a rule) is kept as well: the row's list must be whole in the store. */
	if (gather_token(a, buf_slice(&token), newer_than, pile, &g, e) != ERR_OK ||
	    pile_add_named(pile, g.judge, json_object_get(json_object_get(g.judge, "closure"), "objects"), e) != ERR_OK ||
	    pile_put(pile, b, &kept, e) != ERR_OK)
		return err_wrap(e, "TSA certificate %.16s", tsa);
	json_decref(kept);
	if (!g.enough)
		return job_failed(a, b, tsa, row, g.why, e);
	*holds = g.complete ? TSA_NEWER : TSA_ENOUGH;
	next = next_job(a, row, now, true);
	if (closure_objects(g.judge, &objects, e) != ERR_OK || json_set(row, "objects", objects, e) != ERR_OK ||
	    bound(row, "enough_than", newer_than, e) != ERR_OK || (g.complete && bound(row, "newer_than", newer_than, e) != ERR_OK) ||
	    json_set(row, "next", next == TIME_MAX ? json_null() : json_time(next), e) != ERR_OK ||
	    json_set(row, "why", json_null(), e) != ERR_OK || json_set(row, "failures", json_integer(0), e) != ERR_OK ||
	    json_set(row, "fetched", json_time(now), e) != ERR_OK || json_set(row, "complete", json_true(), e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	return keep(b, tsa, row, e);
}

/* What the row holds is good for newer_than, or as good as anything fetched today. */
static enum tsa_holds
held(const json_t *row, int64_t newer_than, int64_t now)
{
	int64_t newer = time_of(row, "newer_than"), enough = time_of(row, "enough_than"), fetched = time_of(row, "fetched");

	if (!json_is_true(json_object_get(row, "complete")))
		return TSA_LACKING;
	if (newer != TIME_NONE && newer >= newer_than)
		return TSA_NEWER;
	if (enough != TIME_NONE && enough >= newer_than && fetched != TIME_NONE && fetched <= now && now - fetched < DAY)
		return TSA_ENOUGH;
	return TSA_LACKING;
}

enum err_code
tsa_material(struct archive *a, struct batch *b, const char *tsa_sha256, int64_t newer_than, struct pile *pile,
    json_t **objects, enum tsa_holds *holds, char why[300], struct err *e)
{
	AUTO(json) json_t *row = NULL;
	enum err_code r = load(a, b, tsa_sha256, &row, e);

	*objects = NULL;
	*holds = TSA_LACKING;
	if (r == ERR_NOTFOUND) {
		snprintf(why, 300, "TSA certificate %.16s has no material job", tsa_sha256);
		return ERR_OK;
	}
	if (r != ERR_OK)
		return err_wrap(e, "TSA certificate");
	*holds = held(row, newer_than, archive_now(a));
	if (*holds == TSA_LACKING || pile_load(a, pile, json_object_get(row, "objects"), NULL) != ERR_OK) {
		if (run_job(a, b, tsa_sha256, row, newer_than, pile, holds, e) != ERR_OK)
			return err_wrap(e, "material");
	}
	if (*holds == TSA_LACKING) {
		const char *text = json_string_value(json_object_get(row, "why"));

		snprintf(why, 300, "material of the TSA: %.250s", text != NULL ? text : "not complete");
		return ERR_OK;
	}
	*objects = json_deep_copy(json_object_get(row, "objects"));
	return *objects != NULL ? ERR_OK : err_nomem(e);
}

struct held_material {
	struct archive *a;
	const json_t *evidence; /* of one record: its "tsa" are subjects */
	struct pile *pile;
};

static enum err_code
held_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct held_material *h = ctx;
	AUTO(json) json_t *row = NULL;
	const json_t *piece = NULL;
	size_t i;

	(void)key;
	(void)stop;
	if (json_read(value, NULL, &row, e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	json_array_foreach (h->evidence, i, piece)
		if (json_equal(json_object_get(piece, "tsa"), json_object_get(row, "subject")))
			return pile_load(h->a, h->pile, json_object_get(row, "objects"), e);
	return ERR_OK;
}

enum err_code
tsa_held(struct archive *a, const json_t *m, struct pile *pile, struct err *e)
{
	struct held_material h = {a, json_object_get(m, "evidence"), pile};
	const struct store_each each = {held_row, &h};

	return store_rows(a->store, "tsacert", (struct slice){0}, (struct slice){0}, &each, e);
}

struct due_jobs {
	struct archive *a;
	json_t *list;
	int64_t next;
};

static enum err_code
due_job(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct due_jobs *d = ctx;
	AUTO(json) json_t *row = NULL;
	int64_t next;

	(void)stop;
	if (json_read(value, NULL, &row, e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	next = time_of(row, "next");
	if (next == TIME_NONE)
		return ERR_OK;
	/* Further than any job is put off: by a clock that was wrong. */
	if (next <= archive_now(d->a) || next - archive_now(d->a) > d->a->cfg->renewal.material_interval_seconds + LAST_DAYS)
		return json_push(d->list, json_text_n(key), e);
	if (next < d->next)
		d->next = next;
	return ERR_OK;
}

static enum err_code
job(struct archive *a, const char *tsa, enum tsa_holds *holds, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *row = NULL;
	int64_t last, covered, now = archive_now(a), newer;

	if (store_draft_begin(a->store, &b, e) != ERR_OK || pile_new(&pile, e) != ERR_OK || load(a, b, tsa, &row, e) != ERR_OK)
		return err_wrap(e, "TSA certificate");
	last = time_of(row, "last_use");
	covered = time_of(row, "covered");
	newer = covered != TIME_NONE && covered > last ? covered : last;
	/* Of a stamp younger than the grace period nothing newer can be asked. */
	if (newer > now - GRACE_S)
		newer = now - GRACE_S;
	if (run_job(a, b, tsa, row, newer, pile, holds, e) != ERR_OK)
		return err_wrap(e, "material job");
	if (group_join(a, &b, e) != ERR_OK || group_commit(a, e) != ERR_OK)
		return err_wrap(e, "material job");
	return ERR_OK;
}

enum err_code
tsa_jobs(struct archive *a, uint64_t *ran, uint64_t *failed, int64_t *next, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	struct due_jobs d = {a, list, TIME_MAX};
	struct store_each each = {due_job, &d};
	const json_t *tsa = NULL;
	enum tsa_holds holds = TSA_LACKING;
	size_t i;

	*ran = *failed = 0;
	if (store_rows(a->store, "tsacert", (struct slice){0}, (struct slice){0}, &each, e) != ERR_OK)
		return err_wrap(e, "material jobs");
	json_array_foreach (list, i, tsa) {
		struct err why = {0};
		enum err_code r;

		if (archive_stopping(a))
			break;
		r = job(a, json_string_value(tsa), &holds, &why);
		if (is_our_trouble(r))
			return err_set(e, r, "material jobs: %s", why.text);
		/* A row that can't be worked on is an alarm each time, and holds up nobody. */
		if (r != ERR_OK) {
			archive_alarm(a, "material of TSA certificate %.16s: %s", json_string_value(tsa), why.text);
			holds = TSA_LACKING;
		}
		++*ran;
		*failed += holds == TSA_LACKING;
	}
	*next = d.next;
	return ERR_OK;
}
