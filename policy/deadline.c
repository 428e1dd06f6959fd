/* SPDX-License-Identifier: MIT */
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400
/* 2036-01-01, 2050-01-01, 2075-01-01: the first days after the horizons of crypto-policy 6.4. */
const struct horizons deadline_horizons = {
    .classical_signature_utc = 24106LL * DAY,
    .digest_128_utc = 29220LL * DAY,
    .digest_192_utc = 38351LL * DAY,
};

const char *
deadline_side_name(enum deadline_side s)
{
	return s == SIDE_HASH ? "hash" : "token";
}

/* notAfter is still good; a deadline is the first second that is not. */
static int64_t
after(int64_t last_good_utc)
{
	return last_good_utc == TIME_MAX ? TIME_MAX : last_good_utc + 1;
}

/* ---- a class ---- */

struct end {
	int64_t utc;
	char why[256];
};

/* The earlier one stays. date: what is printed. */
static void
take_earlier(struct end *end, int64_t utc, const char *what, const char *name, int64_t date)
{
	char text[TIME_TEXT];

	if (utc >= end->utc)
		return;
	end->utc = utc;
	time_text(date, text);
	snprintf(end->why, sizeof(end->why), "%s%s%.180s ends %.10s", what, *name != '\0' ? " " : "", name, text);
}

static void
take_compromise(struct end *end, int64_t since_utc)
{
	char text[TIME_TEXT];

	if (since_utc >= end->utc)
		return;
	end->utc = since_utc;
	time_text(since_utc, text);
	snprintf(end->why, sizeof(end->why), "key of the TSA or of a CA compromised since %.10s", text);
}

static void
take_algorithm(struct end *end, const struct catalogue *c, const struct alg_use *use, const char *what)
{
	int64_t utc = catalogue_end(c, use);
	char name[96];

	if (utc == TIME_MAX)
		return;
	alg_text(use, name, sizeof(name));
	if (utc != TIME_NONE) {
		take_earlier(end, utc, what, name, utc);
	} else if (end->utc > 0) {
		end->utc = 0;
		snprintf(end->why, sizeof(end->why), "%s %s is not in the catalogue", what, name);
	}
}

static void
token_end(const struct class_facts *f, const struct catalogue *c, int64_t compromised_utc, struct end *end)
{
	struct alg_use use;
	size_t i;

	take_earlier(end, after(f->tsa_not_after_utc), "TSA certificate", f->tsa_subject, f->tsa_not_after_utc);
	for (i = 0; i < f->n_cas; i++)
		take_earlier(end, after(f->cas[i].not_after_utc), "CA", f->cas[i].subject, f->cas[i].not_after_utc);
	take_earlier(end, f->anchor_sunset_utc, "trust anchor", "", f->anchor_sunset_utc);
	take_earlier(end, f->service_end_utc, "revocation service", "", f->service_end_utc);
	use = f->token;
	use.is_signature = true;
	use.usage = USE_TIMESTAMPS;
	take_algorithm(end, c, &use, "time-stamp signature");
	for (i = 0; i < f->n_cert_algs; i++) {
		use = f->cert_algs[i];
		use.is_signature = true;
		use.usage = USE_CERTIFICATES;
		take_algorithm(end, c, &use, "certificate signature");
	}
	if (f->ess != DIGEST_NONE) {
		use = (struct alg_use){.digest = f->ess, .usage = USE_TIMESTAMPS};
		take_algorithm(end, c, &use, "ESSCertID digest");
	}
	take_compromise(end, compromised_utc);
}

/* ---- assumed horizons ---- */

static int64_t
digest_horizon(enum digest_alg alg, const struct horizons *h)
{
	const struct digest_row *d = digest_row(alg);

	return d == NULL ? TIME_MAX : d->size >= 48 ? h->digest_192_utc : h->digest_128_utc;
}

static void
plan_earlier(struct deadline *out, int64_t utc, const char *what)
{
	char text[TIME_TEXT];

	if (utc >= out->planned_utc)
		return;
	out->planned_utc = utc;
	time_text(utc, text);
	snprintf(out->planned_why, sizeof(out->planned_why), "assumed: %s end %.10s", what, text);
}

/* Horizons stand in for an end that is not published: one that is, counts, also where it lies later. */
static void
plan(const struct class_facts *f, const struct catalogue *c, const struct horizons *h, struct deadline *out)
{
	struct alg_use token = f->token;

	token.is_signature = true;
	token.usage = USE_TIMESTAMPS;
	out->planned_utc = out->utc;
	snprintf(out->planned_why, sizeof(out->planned_why), "%s", out->why);
	/* Every key kind that this build knows is classical. */
	if (catalogue_end(c, &token) == TIME_MAX) {
		plan_earlier(out, h->classical_signature_utc, "classical signatures");
		plan_earlier(out, digest_horizon(f->token.digest, h), "digests of this size");
	}
	if (out->hash_utc == TIME_MAX)
		plan_earlier(out, digest_horizon(f->imprint, h), "digests of this size");
}

void
deadline_compute(const struct class_facts *f, const struct catalogue *c, int64_t compromised_utc, const struct horizons *h,
    struct deadline *out)
{
	struct alg_use imprint = {.digest = f->imprint, .usage = USE_TIMESTAMPS};
	struct end token = {.utc = TIME_MAX}, hash = {.utc = TIME_MAX};

	token_end(f, c, compromised_utc, &token);
	take_algorithm(&hash, c, &imprint, "imprint digest");
	*out = (struct deadline){.token_utc = token.utc, .hash_utc = hash.utc};
	out->side = hash.utc < token.utc ? SIDE_HASH : SIDE_TOKEN;
	out->utc = out->side == SIDE_HASH ? hash.utc : token.utc;
	snprintf(out->why, sizeof(out->why), "%s", out->side == SIDE_HASH ? hash.why : token.why);
	if (out->utc == TIME_MAX)
		snprintf(out->why, sizeof(out->why), "no end is published");
	plan(f, c, h != NULL ? h : &deadline_horizons, out);
}

static int64_t
less(int64_t utc, int64_t seconds)
{
	return utc == TIME_MAX ? TIME_MAX : utc - seconds;
}

int64_t
deadline_renew_by(const struct deadline *d, const struct margins *m)
{
	int64_t token = less(d->token_utc, m->token_seconds), hash = less(d->hash_utc, m->hash_seconds);

	return token < hash ? token : hash;
}

enum deadline_side
deadline_renewal_side(const struct deadline *d, const struct margins *m, int64_t t_utc)
{
	return less(d->hash_utc, m->hash_seconds) <= t_utc ? SIDE_HASH : SIDE_TOKEN;
}

/* ---- things and records ---- */

static bool
same_chain(const struct evidence_row *a, const struct evidence_row *b)
{
	return a->kind == b->kind && strcmp(a->thing, b->thing) == 0 && strcmp(a->chain, b->chain) == 0;
}

bool
deadline_row_live(const struct evidence_row *rows, size_t n, size_t row)
{
	size_t i;

	if (row >= n || !rows[row].intact)
		return false;
	for (i = 0; i < n; i++)
		if (rows[i].intact && rows[i].seq > rows[row].seq && same_chain(&rows[i], &rows[row]))
			return false;
	return true;
}

/* The latest end among the live rows of a thing. */
static void
thing_end(const struct evidence_row *rows, size_t n, struct thing_deadline *t)
{
	size_t i;

	t->utc = TIME_NONE;
	t->row = SIZE_MAX;
	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].thing, t->thing) != 0 || !deadline_row_live(rows, n, i))
			continue;
		if (t->row == SIZE_MAX || rows[i].deadline_utc > t->utc) {
			t->utc = rows[i].deadline_utc;
			t->row = i;
		}
	}
}

static bool
first_of_thing(const struct evidence_row *rows, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (strcmp(rows[k].thing, rows[i].thing) == 0)
			return false;
	return true;
}

size_t
deadline_things(const struct evidence_row *rows, size_t n, struct thing_deadline *out, size_t max)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++) {
		if (!first_of_thing(rows, i))
			continue;
		if (count < max) {
			memcpy(out[count].thing, rows[i].thing, sizeof(out[count].thing));
			thing_end(rows, n, &out[count]);
		}
		count++;
	}
	return count;
}

int64_t
deadline_record(const struct evidence_row *rows, size_t n)
{
	struct thing_deadline t;
	int64_t earliest = TIME_MAX;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!first_of_thing(rows, i))
			continue;
		memcpy(t.thing, rows[i].thing, sizeof(t.thing));
		thing_end(rows, n, &t);
		if (t.utc < earliest)
			earliest = t.utc; /* TIME_NONE is less than every time */
	}
	return earliest;
}

/* ---- alarms ---- */

const char *
deadline_alarm_name(enum deadline_alarm a)
{
	static const char *const names[] = {"none", "due", "half", "month", "week", "lapsed"};

	return names[a];
}

enum deadline_alarm
deadline_alarm_at(int64_t deadline_utc, int64_t margin_seconds, int64_t t_utc)
{
	int64_t due = less(deadline_utc, margin_seconds);

	if (deadline_utc == TIME_MAX)
		return ALARM_NONE;
	if (t_utc >= deadline_utc)
		return ALARM_LAPSED;
	if (t_utc < due)
		return ALARM_NONE;
	if (t_utc >= deadline_utc - 7 * DAY)
		return ALARM_WEEK;
	if (t_utc >= deadline_utc - 30 * DAY)
		return ALARM_MONTH;
	return t_utc >= due + margin_seconds / 2 ? ALARM_HALF : ALARM_DUE;
}

/* ---- pending ---- */

static void
pending_alg(struct end *end, const struct catalogue *c, enum digest_alg alg, const char *what)
{
	struct alg_use use = {.digest = alg, .usage = USE_DATA};

	if (alg != DIGEST_NONE)
		take_algorithm(end, c, &use, what);
}

static void
pending_end(const struct pending_facts *f, const struct catalogue *c, struct end *end)
{
	if (!f->stamped) {
		take_earlier(end, after(f->signer_not_after_utc), "signer's certificate", "", f->signer_not_after_utc);
		take_algorithm(end, c, &f->signature, "signature");
	} else {
		take_earlier(end, f->stamp_deadline_utc, "the time-stamp's protection", "", f->stamp_deadline_utc);
	}
	if (f->stamped && !f->values)
		take_earlier(end, after(f->signer_not_after_utc), "signer's certificate (and often its CA's answers)", "",
		    f->signer_not_after_utc);
	if (f->values)
		take_earlier(end, after(f->responder_not_after_utc), "responder or CRL issuer", f->responder_subject,
		    f->responder_not_after_utc);
	if (f->references)
		pending_alg(end, c, f->reference_digest, "digest of complete references");
	pending_alg(end, c, f->manifest_digest, "digest of a manifest's entries");
}

void
pending_compute(const struct pending_facts *f, const struct catalogue *c, struct pending *out)
{
	struct end end = {.utc = TIME_MAX};
	bool waits = f->stamped && !f->values && f->grace_end_utc > f->now_utc;

	pending_end(f, c, &end);
	*out = (struct pending){.utc = end.utc, .next_utc = waits ? f->grace_end_utc : f->now_utc};
	snprintf(out->why, sizeof(out->why), "%s", end.utc == TIME_MAX ? "no end is published" : end.why);
	if (waits && end.utc <= f->grace_end_utc) {
		out->grace_shortened = true;
		out->next_utc = end.utc - DAY > f->now_utc ? end.utc - DAY : f->now_utc;
	}
}
