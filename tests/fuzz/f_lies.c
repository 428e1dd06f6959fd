/* SPDX-License-Identifier: MIT */
/*
 * Children that were taken over: main asks them on a record's way, and they answer with whatever they like. Main may believe
 * what only they can know, but it must not break by it.
 */
#include "tests/fuzz/fuzz.h"

#include "archiver/archiver_int.h"
#include "archiver/steps.h"
#include "base/sys.h"
#include "tests/fuzz/lies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the answers ---- */

static struct slice lies;
static size_t read_to[256]; /* by kind */

/* The next answer of that kind. False behind the last. */
static bool
next_lie(uint8_t kind, struct slice *out)
{
	struct cur c = cur_from(lies);

	while (!c.failed && c.at < lies.n) {
		uint8_t k = cur_u8(&c);

		*out = cur_vec(&c);
		if (c.failed || k != kind || c.at <= read_to[kind])
			continue;
		read_to[kind] = c.at;
		return true;
	}
	return false;
}

enum err_code
__wrap_worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms, struct buf *reply,
    struct err *e)
{
	struct slice lie;

	if (lies.p == NULL)
		return __real_worker_call(w, type, body, fds, nfds, timeout_ms, reply, e);
	if (!next_lie(lie_kind(type, body), &lie))
		return err_set(e, ERR_LIMIT, "the child says no more");
	buf_clear(reply);
	buf_addslice(reply, lie);
	return buf_ok(reply, e);
}

/* ---- records in several states ---- */

#define STATES 4
static struct archive *archive;
static int64_t now;
static char records[STATES][UUID_TEXT];

static void
tell(struct slice answers)
{
	lies = answers;
	memset(read_to, 0, sizeof(read_to));
}

static enum err_code
drop_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)ctx, (void)value, (void)stop;
	return ops_del(archive->store, "service", key, e);
}

/* What is remembered between steps would make one input depend on those before it. */
static void
forget(void)
{
	struct store_each each = {drop_row, NULL};
	struct err e = {0};

	json_array_clear(archive->alarms);
	json_object_clear(archive->skipped);
	fetch_cache_free(archive->cache);
	archive->cache = NULL;
	pile_auto(&archive->tsa_issuers);
	fuzz_must(pile_new(&archive->tsa_issuers, &e) == ERR_OK);
	fuzz_must(ops_rows(archive->store, "service", (struct slice){0}, (struct slice){0}, &each, &e) == ERR_OK);
}

/* One step of a record that is due; committed or forgotten. */
static bool
step(const char *record, bool commit)
{
	struct err e = {0};
	bool again = false;
	enum err_code r = record_step(archive, record, &again, &e);

	if (r == ERR_OK && commit)
		fuzz_must(group_commit(archive, &e) == ERR_OK);
	group_drop(archive);
	return r == ERR_OK && again;
}

static void
keep_record(size_t n)
{
	AUTO(fd) int fd = -1;
	struct deposit_file file = {"signed.xml", -1};
	struct deposit d = {.depositor = "fuzz", .files = &file, .n_files = 1};
	struct err e = {0};

	fuzz_must(worker_memfd(fuzz_kit("signed.xml"), &fd, &e) == ERR_OK);
	file.fd = fd;
	fuzz_must(archive_deposit(archive, &d, 1, &e) == ERR_OK);
	snprintf(records[n], sizeof(records[n]), "%s", sig_str(d.receipt, "record"));
	json_decref(d.receipt);
}

/* Record n goes the first n steps, by what was said in seeds.sh's own archive, whose clock stood at these times. */
static void
make_states(void)
{
	static const int64_t at[STATES] = {1767225600, 1767229200, 1767319200, 1767585600};
	char name[32];
	size_t i, n;

	now = at[0];
	for (n = 0; n < STATES; n++)
		keep_record(n);
	for (i = 1; i < STATES; i++)
		for (n = i; n < STATES; n++) {
			now = at[i];
			snprintf(name, sizeof(name), "answers-%zu", i);
			tell(fuzz_kit(name));
			while (step(records[n], true))
				;
			tell((struct slice){0});
			forget();
		}
}

static bool
open_lies(void)
{
	struct archive_seams seams = {.clock = clock_fixed(&now), .entropy = entropy_openssl(), .uncaged = true};
	AUTO(mem) char *file = NULL;
	AUTO(buf) struct buf text = {0};
	AUTO(faults) struct faults f = {0};
	struct config *cfg = NULL;
	struct err e = {0};

	if (fuzz_scratch() == NULL || (file = mem_printf("%s/lies.conf", fuzz_scratch())) == NULL)
		return false;
	buf_adds(&text, "[archive]\ndir = lies\n[trust]\ndir = t\n[spool s]\ndir = s2\n[tsa t]\nurl = http://127.0.0.1:9/\n[tsa u]\nurl = http://127.0.0.1:9/u\n"
	    "[net]\nallow_net = 127.0.0.1:*\n[profile default]\nversion = 1\ntsa = t u\n[service]\nmin_free = 1MiB\n");
	now = 1767225600;
	if (config_parse(buf_slice(&text), file, &cfg, &f, &e) != ERR_OK || archive_create(cfg, &seams, &e) != ERR_OK ||
	    archive_open(cfg, fuzz_anchors(), fuzz_policy(), ARCHIVE_WRITE, &seams, &archive, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	make_states();
	return true;
}

/* First octet: which record, and whether its steps or its renewal; the rest what the children say. */
static void
one_lies(struct slice in)
{
	unsigned first = fuzz_first(&in);
	const char *record = records[first % STATES];
	char why[300] = "";
	bool renewed = false;
	struct err e = {0};

	now = FUZZ_TIME;
	tell(slice_of(in.n != 0 ? in.p : (const uint8_t *)"", in.n));
	if ((first & 0x80) != 0)
		(void)!record_renew(archive, record, 0, false, &renewed, why, &e);
	else
		(void)step(record, false);
	group_drop(archive);
	tell((struct slice){0});
	forget();
}

const struct fuzz_entry fuzz_lies[] = {
    {.name = "lies", .max_bytes = 262144, .open = open_lies, .one = one_lies},
    {.name = NULL},
};
