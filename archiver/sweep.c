/* SPDX-License-Identifier: MIT */
/*
 * The sweep: which classes are due by the catalogue of today, which records
 * stand on them, renewed one after the other. What was renewed stands under a
 * new class at once, so a sweep that was stopped goes on where it was.
 */
#include "archiver/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_BATCH 32
#define FAILED_MAX 1000

struct due_class {
	char hex[65];
	struct deadline deadline;
	int64_t renew_by;
	size_t n;	 /* signatures that stand on it */
	struct buf rows; /* "record/signature" and a zero for each, for who renews: there may be millions */
};

struct plan {
	struct archive *a;
	struct due_class *v;
	size_t n, cap;
	int64_t next; /* renew_by of the first class that is not due yet */
	bool all;     /* every class, for the forecast */
	bool rows;    /* which signatures, not just how many */
};

static void
plan_auto(struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		buf_release(&p->v[i].rows);
	free(p->v);
}

static enum err_code
class_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct plan *p = ctx;
	AUTO(json) json_t *facts_json = NULL;
	struct class_facts facts;
	struct due_class c = {0};
	const struct margins margins = {p->a->cfg->renewal.margin_seconds, p->a->cfg->renewal.hash_margin_seconds};

	(void)stop;
	if (key.n != 64 || json_read(value, NULL, &facts_json, e) != ERR_OK || class_read(facts_json, &facts, e) != ERR_OK)
		return err_wrap(e, "class");
	memcpy(c.hex, key.p, 64);
	deadline_compute(&facts, p->a->policy->catalogue, TIME_MAX, NULL, &c.deadline);
	c.renew_by = deadline_renew_by(&c.deadline, &margins);
	if (c.renew_by > archive_now(p->a) && !p->all) {
		if (c.renew_by < p->next)
			p->next = c.renew_by;
		return ERR_OK;
	}
	if (!mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v)))
		return err_nomem(e);
	p->v[p->n++] = c;
	return ERR_OK;
}

struct counting {
	struct due_class *c;
	bool rows;
};

static enum err_code
evidence_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct counting *n = ctx;

	(void)value;
	(void)stop;
	if (key.n <= sizeof(n->c->hex))
		return ERR_OK;
	n->c->n++;
	if (!n->rows)
		return ERR_OK;
	buf_addslice(&n->c->rows, slice_of(key.p + sizeof(n->c->hex), key.n - sizeof(n->c->hex)));
	buf_add8(&n->c->rows, 0);
	return buf_ok(&n->c->rows, e);
}

static int
by_deadline(const void *x, const void *y)
{
	const struct due_class *a = x, *b = y;

	if (a->deadline.utc != b->deadline.utc)
		return a->deadline.utc < b->deadline.utc ? -1 : 1;
	return strcmp(a->hex, b->hex);
}

static enum err_code
make_plan(struct archive *a, bool all, bool which, struct plan *p, struct err *e)
{
	struct store_each classes = {class_row, p};
	size_t i, k = 0;

	*p = (struct plan){.a = a, .next = TIME_MAX, .all = all, .rows = which};
	if (store_rows(a->store, "class", (struct slice){0}, (struct slice){0}, &classes, e) != ERR_OK)
		return err_wrap(e, "plan");
	for (i = 0; i < p->n; i++) {
		struct counting n = {&p->v[i], p->rows};
		struct store_each rows = {evidence_row, &n};
		char prefix[66];

		snprintf(prefix, sizeof(prefix), "%s/", p->v[i].hex);
		if (store_rows_prefix(a->store, "evidence", slice_str(prefix), &rows, e) != ERR_OK)
			return err_wrap(e, "plan");
	}
	/* A class that no newest stamp stands on any more is no work. */
	for (i = 0; i < p->n; i++)
		if (p->v[i].n != 0)
			p->v[k++] = p->v[i];
	p->n = k;
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_deadline);
	return ERR_OK;
}

static enum err_code
plan_json(struct archive *a, const struct plan *p, json_t **out, struct err *e)
{
	AUTO(json) json_t *classes = json_array();
	uint64_t records = 0, lapsed = 0;
	size_t i;

	for (i = 0; i < p->n; i++) {
		const struct due_class *c = &p->v[i];
		size_t n = c->n;
		const struct conf_renewal *r = &a->cfg->renewal;
		bool gone = c->deadline.utc <= archive_now(a);
		enum deadline_alarm alarm = deadline_alarm_at(c->deadline.utc,
		    c->deadline.side == SIDE_HASH ? r->hash_margin_seconds : r->margin_seconds, archive_now(a));

		records += n;
		lapsed += gone ? n : 0;
		if (json_push(classes, json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:b, s:s}", "class", c->hex, "side",
			deadline_side_name(c->deadline.side), "why", json_text(c->deadline.why), "deadline", json_time(c->deadline.utc),
			"renew_by", json_time(c->renew_by), "records", (json_int_t)n, "requests", (json_int_t)n, "lapsed", (int)gone, "alarm", deadline_alarm_name(alarm)), e) != ERR_OK)
			return err_wrap(e, "plan");
	}
	*out = json_pack("{s:o, s:o, s:o, s:O, s:I, s:I, s:I, s:o}", "time", json_time(archive_now(a)), "catalogue",
	    json_hex(digest_slice(catalogue_digest(a->policy->catalogue))), "catalogue_name", json_text(catalogue_name(a->policy->catalogue)),
	    "classes", classes, "records", (json_int_t)records, "requests", (json_int_t)records, "lapsed", (json_int_t)lapsed, "next",
	    p->next == TIME_MAX ? json_null() : json_time(p->next));
	return *out != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
archive_sweep_plan(struct archive *a, json_t **out, struct err *e)
{
	AUTO(plan) struct plan p = {0};

	if (make_plan(a, false, false, &p, e) != ERR_OK)
		return err_wrap(e, "sweep");
	return plan_json(a, &p, out, e);
}

struct sweeping {
	struct archive *a;
	size_t in_batch;
	uint64_t done, total, renewed, late, n_failed;
	json_t *failed; /* the first FAILED_MAX: the report stands in one row of the index */
};

static enum err_code
commit(struct sweeping *s, struct err *e)
{
	s->in_batch = 0;
	if (group_commit(s->a, e) != ERR_OK || archive_between(s->a, e) != ERR_OK)
		return err_wrap(e, "sweep");
	return ERR_OK;
}

/* A record's signatures may be due by the same class: a record gets one renewal a group. */
static enum err_code
renew_one(struct sweeping *s, const struct due_class *c, const char *record, size_t signature, struct err *e)
{
	bool renewed = false, late = c->deadline.utc <= archive_now(s->a);
	char why[300] = "";

	if (record_renew(s->a, record, signature, late, &renewed, why, e) != ERR_OK)
		return err_wrap(e, "sweep");
	s->done++;
	s->n_failed += !renewed;
	if (!renewed && s->n_failed <= FAILED_MAX && json_push(s->failed, json_pack("{s:s, s:I, s:o}", "record", record, "signature", (json_int_t)signature, "why", json_text(why)), e) != ERR_OK)
		return err_wrap(e, "sweep");
	s->renewed += renewed;
	s->late += renewed && late;
	if (s->a->seams.progress != NULL)
		s->a->seams.progress(s->a->seams.progress_ctx, "sweep", s->done, s->total);
	return ++s->in_batch >= RENEW_BATCH ? commit(s, e) : ERR_OK;
}

static enum err_code
renew_class(struct sweeping *s, const struct due_class *c, struct err *e)
{
	const char *row = NULL, *end = buf_str(&c->rows) + c->rows.n;
	char last[UUID_TEXT] = "", record[UUID_TEXT];

	for (row = buf_str(&c->rows); row < end; row += strlen(row) + 1) {
		const char *slash = strchr(row, '/');

		if (archive_stopping(s->a))
			return ERR_OK;
		if (slash == NULL || slash - row != UUID_TEXT - 1)
			continue;
		snprintf(record, sizeof(record), "%s", row);
		if (strcmp(record, last) == 0 && commit(s, e) != ERR_OK)
			return err_wrap(e, "sweep");
		memcpy(last, record, sizeof(last));
		if (renew_one(s, c, record, (size_t)strtoul(slash + 1, NULL, 10), e) != ERR_OK)
			return err_wrap(e, "sweep");
	}
	return commit(s, e);
}

static enum err_code
remember_sweep(struct archive *a, const json_t *report, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(buf) struct buf text = {0};
	struct slice value;

	if (json_canonical(report, &text, e) != ERR_OK || store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "sweep report");
	value = buf_slice(&text);
	if (batch_put_bytes(b, STORE_SHARED, 0, value, NULL, e) != ERR_OK || batch_row(b, "state", slice_str("sweep"), &value, e) != ERR_OK)
		return err_wrap(e, "sweep report");
	return store_commit(&b, NULL, e);
}

/* What is due next is another class now. */
static enum err_code
next_class(struct archive *a, json_t *report, struct err *e)
{
	AUTO(plan) struct plan p = {0};

	if (make_plan(a, false, false, &p, e) != ERR_OK)
		return err_wrap(e, "plan");
	return json_set(report, "next", p.next == TIME_MAX ? json_null() : json_time(p.next), e);
}

enum err_code
archive_sweep(struct archive *a, json_t **report, struct err *e)
{
	AUTO(plan) struct plan p = {0};
	AUTO(json) json_t *failed = json_array();
	AUTO(json) json_t *out = NULL;
	struct sweeping s = {.a = a, .failed = failed};
	enum err_code r;
	size_t i;

	json_array_clear(a->alarms);
	if (make_plan(a, false, true, &p, e) != ERR_OK || plan_json(a, &p, &out, e) != ERR_OK)
		return err_wrap(e, "sweep");
	s.total = (uint64_t)json_integer_value(json_object_get(out, "records"));
	for (i = 0, r = ERR_OK; i < p.n && r == ERR_OK && !archive_stopping(a); i++)
		r = renew_class(&s, &p.v[i], e);
	group_drop(a);
	if (r != ERR_OK)
		return r;
	if (next_class(a, out, e) != ERR_OK)
		return err_wrap(e, "sweep");
	if (s.n_failed != 0)
		archive_alarm(a, "sweep: %llu of %llu renewals failed", (unsigned long long)s.n_failed, (unsigned long long)s.total);
	if (lost_alarms(a, out, e) != ERR_OK || json_set(out, "renewed", json_integer((json_int_t)s.renewed), e) != ERR_OK ||
	    json_set(out, "late", json_integer((json_int_t)s.late), e) != ERR_OK ||
	    json_set(out, "failed", json_incref(failed), e) != ERR_OK ||
	    json_set(out, "failed_count", json_integer((json_int_t)s.n_failed), e) != ERR_OK ||
	    json_set(out, "alarms", json_deep_copy(a->alarms), e) != ERR_OK ||
	    json_set(out, "stopped", json_boolean(archive_stopping(a)), e) != ERR_OK || remember_sweep(a, out, e) != ERR_OK)
		return err_wrap(e, "sweep");
	*report = TAKE(out);
	return ERR_OK;
}

/* ---- forecast: classes by the year of their planned renewal ---- */

static void
year_month(int64_t utc, int *year, int *month)
{
	char text[TIME_TEXT];

	time_text(utc, text);
	*year = atoi(text);
	*month = atoi(text + 5);
}

static enum err_code
count(json_t *in, const char *key, size_t more, struct err *e)
{
	return json_set(in, key, json_integer(json_integer_value(json_object_get(in, key)) + (json_int_t)more), e);
}

/* The object of that key, made when it is new. */
static json_t *
slot(json_t *in, const char *key, json_t *fresh)
{
	if (json_object_get(in, key) == NULL)
		(void)json_object_set(in, key, fresh);
	json_decref(fresh);
	return json_object_get(in, key);
}

static enum err_code
forecast_month(json_t *years, int year, int month, const struct due_class *c, bool assumed, struct err *e)
{
	size_t n = c->n, guessed = assumed ? n : 0;
	char year_key[16], month_key[16];
	json_t *y = NULL, *m = NULL;

	snprintf(year_key, sizeof(year_key), "%d", year);
	snprintf(month_key, sizeof(month_key), "%02d", month);
	y = slot(years, year_key, json_pack("{s:i, s:i, s:[], s:{}}", "renewals", 0, "assumed", 0, "why", "months"));
	m = slot(json_object_get(y, "months"), month_key, json_pack("{s:i, s:i}", "renewals", 0, "assumed", 0));
	if (y == NULL || m == NULL)
		return err_nomem(e);
	if (count(y, "renewals", n, e) != ERR_OK || count(y, "assumed", guessed, e) != ERR_OK || count(m, "renewals", n, e) != ERR_OK ||
	    count(m, "assumed", guessed, e) != ERR_OK)
		return err_wrap(e, "forecast");
	return json_push(json_object_get(y, "why"), json_text(assumed ? c->deadline.planned_why : c->deadline.why), e);
}

enum err_code
archive_forecast(struct archive *a, int years, const json_t *what_if, json_t **out, struct err *e)
{
	AUTO(plan) struct plan p = {0};
	AUTO(json) json_t *calendar = json_object();
	int64_t now = archive_now(a);
	int first, this_month;
	size_t i;

	if (json_object_size(what_if) != 0)
		return err_set(e, ERR_UNSUPPORTED, "forecast: what-if is not built yet");
	year_month(now, &first, &this_month);
	if (make_plan(a, true, false, &p, e) != ERR_OK)
		return err_wrap(e, "forecast");
	for (i = 0; i < p.n; i++) {
		const struct due_class *c = &p.v[i];
		/* An assumed end that has passed did not come true: what is published counts again. */
		bool assumed = c->deadline.planned_utc < c->deadline.utc && c->deadline.planned_utc > now;
		int64_t by = (assumed ? c->deadline.planned_utc : c->deadline.utc);
		int year = first, month = this_month;

		if (by == TIME_MAX)
			continue;
		by -= a->cfg->renewal.margin_seconds;
		if (by > now)
			year_month(by, &year, &month);
		if (year < first + years && forecast_month(calendar, year, month, c, assumed, e) != ERR_OK)
			return err_wrap(e, "forecast");
	}
	*out = json_pack("{s:o, s:i, s:O, s:[s, s, s]}", "time", json_time(now), "years", years, "calendar", calendar, "assumptions",
	    "one renewal for each signature whose newest stamp's class ends, at its deadline less the margin",
	    "algorithms without a published end: the horizons of docs/deadlines.md, counted under \"assumed\"",
	    "the renewals that follow those are not counted: their classes do not exist yet");
	return *out != NULL ? ERR_OK : err_nomem(e);
}
