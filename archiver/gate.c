/* SPDX-License-Identifier: MIT */
/*
 * What has to be right before documents are taken in: room on the disk, our
 * clock, the anchors (design 5); and the clock before a stamp is asked for
 * (design 12). Renewal and steps go on whatever is said here, but for stamps
 * by a wrong clock. A simulated archive has no clock and no trust to be wrong.
 *
 * Our clock is wrong when the log's newest entry is of a later time, or when
 * two TSAs agree that it is: one alone may be wrong itself. What a TSA said
 * stands in ops (table "clock") and counts for a quarter of an hour, so that a
 * clock that was set is asked about again.
 */
#include "archiver/archiver_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define TOLD_S 900

static bool
simulated(const struct archive *a)
{
	return a->cfg->archive.clock_file != NULL;
}

/* ---- what TSAs say of our clock ---- */

void
clock_told(struct archive *a, const char *tsa, int64_t off_seconds)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *row = NULL;

	if (simulated(a))
		return;
	if (llabs(off_seconds) <= CLOCK_TOLERANCE_S) {
		if (ops_get(a->store, "clock", slice_str(tsa), &text, NULL) == ERR_OK)
			(void)!ops_del(a->store, "clock", slice_str(tsa), NULL);
		return;
	}
	row = json_pack("{s:I, s:o}", "off", (json_int_t)off_seconds, "time", json_time(archive_now(a)));
	if (json_canonical(row, &text, NULL) == ERR_OK)
		(void)!ops_put(a->store, "clock", slice_str(tsa), buf_slice(&text), NULL);
}

struct doubts {
	int64_t now, off;
	size_t agree;
	char tsas[140];
};

static enum err_code
doubt(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct doubts *d = ctx;
	AUTO(json) json_t *row = NULL;
	int64_t time = TIME_NONE, off = 0;

	(void)stop;
	(void)e;
	if (json_read(value, NULL, &row, NULL) != ERR_OK || json_want_time(row, "time", &time, NULL) != ERR_OK ||
	    json_need_int(row, "off", &off, NULL) != ERR_OK || time == TIME_NONE || llabs(d->now - time) > TOLD_S)
		return ERR_OK;
	if (d->agree != 0 && llabs(off - d->off) > 2 * CLOCK_TOLERANCE_S)
		return ERR_OK;
	d->off = off;
	snprintf(d->tsas + strlen(d->tsas), sizeof(d->tsas) - strlen(d->tsas), "%s%.*s", d->agree != 0 ? " and " : "", (int)key.n, (const char *)key.p);
	d->agree++;
	return ERR_OK;
}

/* ---- the clock ---- */

/* Entries of before the operator said that our clock is right and theirs was not are not looked at. */
static uint64_t
log_accepted(struct archive *a)
{
	AUTO(buf) struct buf text = {0};

	return store_get_row(a->store, "state", slice_str("clock"), &text, NULL) == ERR_OK ? strtoull(buf_str(&text), NULL, 10) : 0;
}

bool
clock_wrong(struct archive *a, char why[300])
{
	struct doubts d = {.now = archive_now(a)};
	struct store_each each = {doubt, &d};
	uint64_t size = store_log_size(a->store);
	struct tlog_leaf leaf;
	char now[TIME_TEXT], then[TIME_TEXT];

	if (simulated(a))
		return false;
	time_text(d.now, now);
	if (size > log_accepted(a) && store_log_leaf(a->store, size - 1, &leaf, NULL) == ERR_OK && leaf.time_utc > d.now + CLOCK_TOLERANCE_S) {
		time_text(leaf.time_utc, then);
		snprintf(why, 300, "our clock says %s, the log's newest entry is of %s: set the clock, or say \"everseal release clock\" if the entry is wrong",
		    now, then);
		return true;
	}
	if (ops_rows(a->store, "clock", (struct slice){0}, (struct slice){0}, &each, NULL) != ERR_OK || d.agree < 2)
		return false;
	snprintf(why, 300, "our clock says %s; by %s it is %" PRId64 " s %s: set it", now, d.tsas, d.off < 0 ? -d.off : d.off, d.off < 0 ? "ahead" : "behind");
	return true;
}

enum err_code
clock_accept(struct archive *a, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	char text[24];
	struct slice value;

	snprintf(text, sizeof(text), "%" PRIu64, store_log_size(a->store));
	value = slice_str(text);
	if (store_batch_begin(a->store, &b, e) != ERR_OK || batch_row(b, "state", slice_str("clock"), &value, e) != ERR_OK)
		return err_wrap(e, "release clock");
	return store_commit(&b, NULL, e);
}

static enum clock_sync
synchronised(const struct archive *a)
{
	return a->seams.sync != NULL && !simulated(a) ? a->seams.sync(a->seams.host_ctx) : CLOCK_UNKNOWN;
}

/* "auto" believes the kernel once it said yes: a machine that nobody synchronises is told of, and works. */
static bool
was_synchronised(struct archive *a, bool now)
{
	AUTO(buf) struct buf seen = {0};
	bool before = ops_get(a->store, "sync", slice_str("seen"), &seen, NULL) == ERR_OK;

	if (now && !before && a->mode == ARCHIVE_WRITE)
		(void)!ops_put(a->store, "sync", slice_str("seen"), slice_str("yes"), NULL);
	return before;
}

static bool
unsynchronised(struct archive *a, char why[300])
{
	enum sync_rule rule = a->cfg->service.clock_sync;
	enum clock_sync sync = synchronised(a);

	if (simulated(a) || rule == SYNC_NO || sync == CLOCK_SYNCHRONISED) {
		(void)was_synchronised(a, sync == CLOCK_SYNCHRONISED);
		return false;
	}
	if (rule == SYNC_AUTO && (sync == CLOCK_UNKNOWN || !was_synchronised(a, false)))
		return false;
	snprintf(why, 300, "the kernel %s that our clock is synchronised: start the time service, or set [service] clock_sync",
	    sync == CLOCK_UNKNOWN ? "does not say" : "denies");
	return true;
}

/* ---- trust ---- */

/* The last end of the anchors of a role; TIME_NONE: there are none. */
static int64_t
last_end(const struct archive *a, unsigned role)
{
	int64_t last = TIME_NONE;
	size_t i;

	for (i = 0; i < anchors_count(a->anchors); i++) {
		const struct anchor *x = anchors_at(a->anchors, i);
		AUTO(anchor_facts) struct anchor_facts f = {0};
		int64_t end;

		if ((x->roles & role) == 0 || anchor_describe(x, &f, NULL) != ERR_OK)
			continue;
		end = x->sunset_utc < f.not_after_utc ? x->sunset_utc : f.not_after_utc;
		if (last == TIME_NONE || end > last)
			last = end;
	}
	return last;
}

static const struct {
	unsigned role;
	const char *name;
} roles[ANCHOR_ENDS] = {{ROLE_SIGNER, "signers"}, {ROLE_TSA, "TSAs"}};

void
gate_anchors(struct archive *a)
{
	size_t i;

	for (i = 0; i < ANCHOR_ENDS; i++)
		a->anchor_ends[i] = last_end(a, roles[i].role);
}

static bool
trust_stale(struct archive *a, char why[300])
{
	int64_t now = archive_now(a), age = a->cfg->trust_max_age_seconds, at = TIME_NONE;
	char text[TIME_TEXT];
	size_t i;

	if (simulated(a))
		return false;
	if (age != 0 && a->seams.trust_utc != NULL)
		at = a->seams.trust_utc(a->seams.host_ctx);
	if (at != TIME_NONE && now - at > age) {
		time_text(at, text);
		snprintf(why, 300, "the trust folder was last looked after at %s, longer ago than [trust] max_age: look at it, then touch it", text);
		return true;
	}
	for (i = 0; i < ANCHOR_ENDS; i++) {
		int64_t end = a->anchor_ends[i];

		if (end == TIME_NONE || end > now)
			continue;
		time_text(end, text);
		snprintf(why, 300, "the last anchor for %s ended at %s: everseal trust add", roles[i].name, text);
		return true;
	}
	return false;
}

/* ---- all of it ---- */

static bool
disk_full(const struct archive *a, char why[300])
{
	struct statvfs v;

	if (statvfs(a->cfg->archive.dir, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize >= a->cfg->service.min_free_bytes)
		return false;
	snprintf(why, 300, "%s has less than %" PRIu64 " octets free ([service] min_free)", a->cfg->archive.dir, a->cfg->service.min_free_bytes);
	return true;
}

uint64_t
gate_room(const struct archive *a)
{
	uint64_t least = a->cfg->service.min_free_bytes, free_bytes;
	struct statvfs v;

	if (statvfs(a->cfg->archive.dir, &v) != 0)
		return UINT64_MAX; /* writing will tell */
	free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return free_bytes > least ? free_bytes - least : 0;
}

enum err_code
gate_open(struct archive *a, struct err *e)
{
	char why[300] = "";

	if (disk_full(a, why))
		return err_set(e, ERR_NOSPACE, "intake is stopped: %s", why);
	if (clock_wrong(a, why) || unsynchronised(a, why) || trust_stale(a, why))
		return err_set(e, ERR_BUSY, "intake is stopped: %s", why);
	return ERR_OK;
}

json_t *
gate_json(struct archive *a)
{
	static const char *const words[] = {"unknown", "yes", "no"};
	struct err why = {0};
	bool open = gate_open(a, &why) == ERR_OK;

	return json_pack("{s:b, s:o, s:s}", "open", (int)open, "why", open ? json_null() : json_text(why.text), "clock_synchronised", words[synchronised(a)]);
}
