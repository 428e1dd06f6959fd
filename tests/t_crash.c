/* SPDX-License-Identifier: MIT */
/*
 * Power loss. A killed process loses nothing that it wrote, so killing proves
 * nothing: instead one run's calls are recorded (recorder.c), and every disk
 * that a crash could have left is built from the record and opened.
 */
#include "tests/crashwork.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Disks per record and runs per error code; what is more is sampled. Sanitizers are slow. */
#if defined(__SANITIZE_ADDRESS__)
#define STATES_MAX 600
#define FAILS_MAX 60
#else
#define STATES_MAX 2500
#define FAILS_MAX 400
#endif

/* --- what must be true of it --- */

struct verdict {
	char why[300];
};

static bool
wrong(struct verdict *v, const char *what, int g, const struct err *e)
{
	snprintf(v->why, sizeof(v->why), "%s (group %d): %.200s", what, g, e->text);
	return false;
}

/* 1 all of it, 0 nothing, -1 something between. */
static int
group_there(struct store *s, int g, int n)
{
	int i, there = 0;

	for (i = 0; i < n; i++) {
		AUTO(buf) struct buf want = {0};
		AUTO(buf) struct buf got = {0};
		AUTO(buf) struct buf row = {0};
		uint8_t sha[32];
		char key[32];
		bool object, has_row;

		octets_of(g, i, &want);
		row_key(g, i, key);
		if (digest_sha256(buf_slice(&want), sha, NULL) != ERR_OK)
			return -1;
		object = store_get_bytes(s, sha, 100000, &got, NULL) == ERR_OK && slice_eq(buf_slice(&got), buf_slice(&want));
		has_row = store_get_row(s, "deposit", slice_str(key), &row, NULL) == ERR_OK &&
		    slice_eq(buf_slice(&row), slice_of(sha, 32));
		if (object != has_row)
			return -1;
		there += object;
	}
	return there == n ? 1 : there == 0 ? 0 : -1;
}

static bool
check_groups(struct store *s, const bool acked[GROUPS], struct verdict *v)
{
	const struct err none = {0};
	uint64_t leaves = 0;
	int g, there, missing = 0;

	for (g = 0; g < GROUPS; g++) {
		there = group_there(s, g, deposits_of(g));
		if (there < 0)
			return wrong(v, "half of a group is visible", g, &none);
		if (acked[g] && there == 0)
			return wrong(v, "an acknowledged group is gone", g, &none);
		if (there == 0)
			missing++;
		else
			leaves += (uint64_t)deposits_of(g);
		if (group_there(s, 100 + g, 1) == 1 || group_there(s, 200 + g, 1) == 1)
			return wrong(v, "what was given up is visible", g, &none);
	}
	if (leaves != store_log_size(s))
		return wrong(v, "the log has other leaves", missing, &none);
	return true;
}

static void
note_damage(void *ctx, const struct store_damage *d)
{
	struct err *e = ctx;

	err_set(e, ERR_DAMAGED, "%s at %llu %s: %s", d->segment, (unsigned long long)d->offset_bytes, d->name, d->what);
}

/* Every twin has lost its header: the log's copy of each group is all there is. */
static bool without_twins;

static bool
check_open(struct store *s, const bool acked[GROUPS], struct verdict *v)
{
	struct store_report rep;
	struct store_status st;
	struct err e = {0};
	const struct store_watch w = {.damage = note_damage, .ctx = &e};

	if (!check_groups(s, acked, v))
		return false;
	if (store_scrub(s, true, &w, &rep, &e) != ERR_OK || rep.damaged != 0)
		return wrong(v, "scrub", -1, &e);
	if (store_log_verify(s, &w, &rep, &e) != ERR_OK || rep.damaged != 0)
		return wrong(v, "log", -1, &e);
	if (store_status(s, &st, &e) != ERR_OK || (st.lost_alarms != 0 && !without_twins))
		return wrong(v, "an alarm over a disk that kept its word", -1, &e);
	return true;
}

/* Open it as any program would, look, and (deep) write on and look again. */
static bool
check_state(const char *dir, const bool acked[GROUPS], bool any_ack, bool deep, struct verdict *v)
{
	const struct store_seams sm = work_seams();
	struct store *s = NULL;
	struct err e = {0};
	bool good, at_commit;
	enum err_code r = store_open(dir, STORE_WRITE, &sm, &s, &e);

	if (r == ERR_NOTFOUND && !any_ack)
		return true; /* it was not there yet */
	if (r != ERR_OK)
		return wrong(v, "open", -1, &e);
	good = check_open(s, acked, v);
	if (good && deep) {
		if (one_group(s, 50, &at_commit, &e) != ERR_OK)
			good = wrong(v, "write on", -1, &e);
		store_close(s, NULL);
		s = NULL;
		if (good && store_open(dir, STORE_WRITE, &sm, &s, &e) != ERR_OK)
			return wrong(v, "open again", -1, &e);
		if (good && group_there(s, 50, deposits_of(50)) != 1)
			good = wrong(v, "what was written after is gone", -1, &e);
	}
	store_close(s, NULL);
	return good;
}

/* Every twin loses its header. */

static void
spoil_twins(const char *dir)
{
	char path[600];
	DIR *d;
	const struct dirent *de;

	snprintf(path, sizeof(path), "%s/segments", dir);
	d = opendir(path);
	while (d != NULL && (de = readdir(d)) != NULL) {
		AUTO(buf) struct buf all = {0};
		struct err e = {0};
		size_t at;

		if (de->d_name[0] == '.' || strncmp(de->d_name, "log-", 4) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/segments/%s", dir, de->d_name);
		OK(sys_read_file(AT_FDCWD, path, 64 << 20, &all, &e));
		for (at = 0; at + 512 <= all.n; at += 512)
			if (memcmp(all.p + at, "groups/", 7) == 0)
				memset(all.p + at, 0, 512);
		snprintf(path, sizeof(path), "%s/segments", dir);
		write_whole(path, de->d_name, buf_slice(&all));
	}
	if (d != NULL)
		closedir(d);
}

struct outcome {
	size_t states, bad;
	size_t lost; /* bad, and something had been acknowledged */
	char first[400];
};

/* Every disk after every call. Stops at the first bad one if it must be good. */
static void
all_states(const struct lab *l, const struct record *rec, const char *skip, bool lag, size_t every, struct outcome *out)
{
	struct disk *d = disk_new();
	bool acked[GROUPS] = {false}, any = false;
	size_t i, lag_from = SIZE_MAX, seen = 0;
	AUTO(buf) struct buf index = {0};
	char path[500], kv[400];
	int v;
	struct err e = {0};

	kv_path(l->ack, GROUPS / 2, kv);
	snprintf(path, sizeof(path), "%s/index/data.mdb", kv);
	if (lag)
		OK(sys_read_file(AT_FDCWD, path, 64 << 20, &index, &e));
	for (i = 0; i < rec->n; i++) {
		const struct op *o = &rec->v[i];

		disk_play(d, o, skip);
		if (o->op == 'A')
			work_hear(o->data, acked, &any, NULL);
		if (lag && o->op == 'U' && strcmp(o->path, "dirty") == 0)
			lag_from = i; /* closed here: the copy of the index is of this moment */
		if (lag && (lag_from == SIZE_MAX || i <= lag_from + 1))
			continue;
		for (v = 0; v < VARIANTS; v++) {
			struct verdict why = {""};
			char dir[300];

			if (seen++ % every != 0 && o->op != 'A')
				continue;
			lab_clear(l->state);
			mkdir(l->state, 0700);
			disk_build(d, (enum variant)v, (uint32_t)(i * 31 + (size_t)v), l->state);
			if (lag) {
				snprintf(dir, sizeof(dir), "%s/index", l->state);
				mkdir(dir, 0700);
				write_whole(dir, "data.mdb", buf_slice(&index));
			}
			if (without_twins)
				spoil_twins(l->state);
			out->states++;
			if (check_state(l->state, acked, any, out->states % 4 == 0, &why))
				continue;
			out->bad++;
			out->lost += any;
			if (out->bad == 1 || (any && out->lost == 1))
				snprintf(out->first, sizeof(out->first), "after call %zu (%c %s), disk %d: %.300s", i, o->op, o->path, v,
				    why.why);
		}
	}
	disk_free(d);
}

static size_t
stride(const struct record *rec)
{
	return 1 + rec->n * VARIANTS / STATES_MAX;
}

static void
test_every_state_opens_whole(void **state)
{
	AUTO(lab) struct lab l;
	AUTO(record) struct record rec = {.v = NULL};
	struct outcome plain = {0}, lagging = {0};
	bool acked[GROUPS] = {false}, any = false;
	size_t i, syncs = 0, acks = 0;

	(void)state;
	lab_make(&l);
	assert_int_equal(work_run(&l, 0, true, false, 0, 0), 0);
	record_read(&rec, l.record);
	for (i = 0; i < rec.n; i++) {
		syncs += rec.v[i].op == 'S';
		if (rec.v[i].op == 'A')
			work_hear(rec.v[i].data, acked, &any, NULL);
	}
	for (i = 0; i < GROUPS; i++)
		acks += acked[i];
	assert_int_equal(acks, GROUPS);
	all_states(&l, &rec, NULL, false, stride(&rec), &plain);
	all_states(&l, &rec, NULL, true, stride(&rec), &lagging);
	print_message("%zu calls, %zu syncs, %zu + %zu disks\n", rec.n, syncs, plain.states, lagging.states);
	if (plain.bad != 0 || lagging.bad != 0)
		fail_msg("%zu and %zu disks are bad: %s %s", plain.bad, lagging.bad, plain.first, lagging.first);
	assert_true(plain.states > 200 && lagging.states > 80);
}

/* The suite is worth nothing unless it sees what a missing sync does. */
static void
test_control_without_syncs(void **state)
{
	AUTO(lab) struct lab l;
	AUTO(record) struct record rec = {.v = NULL};
	struct outcome out = {0};
	size_t i;

	(void)state;
	lab_make(&l);
	assert_int_equal(work_run(&l, 0, true, true, 0, 0), 0);
	record_read(&rec, l.record);
	for (i = 0; i < rec.n; i++)
		assert_int_not_equal(rec.v[i].op, 'S');
	all_states(&l, &rec, NULL, false, 3, &out);
	print_message("%zu of %zu disks show a loss: %s\n", out.lost, out.states, out.first);
	assert_true(out.lost > 50);
}

static void
test_control_each_kind_of_sync(void **state)
{
	static const char *const kinds[] = {"segments/log", "segments/data", "segments/shared", "folder"};
	AUTO(lab) struct lab l;
	AUTO(record) struct record rec = {.v = NULL};
	struct outcome one_copy = {0};
	size_t i;

	(void)state;
	lab_make(&l);
	assert_int_equal(work_run(&l, 0, true, false, 0, 0), 0);
	record_read(&rec, l.record);
	/* The twins alone would bring all groups back: that the log was synced too shows where they are lost. */
	without_twins = true;
	all_states(&l, &rec, NULL, false, 11, &one_copy);
	print_message("with the log's copies alone: %zu of %zu disks show a loss\n", one_copy.lost, one_copy.states);
	if (one_copy.lost != 0)
		fail_msg("%s", one_copy.first);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct outcome out = {0};

		without_twins = strcmp(kinds[i], "segments/log") == 0;
		all_states(&l, &rec, kinds[i], false, 11, &out);
		print_message("without syncs of %s: %zu of %zu disks show a loss\n", kinds[i], out.lost, out.states);
		if (out.lost == 0)
			fail_msg("syncs of %s are not missed", kinds[i]);
	}
}

/* --- calls that fail --- */

/* How many calls a run makes that could fail. */
static int
count_calls(const struct lab *l)
{
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	assert_int_equal(work_run(l, 0, false, false, 1000000, EIO), 0);
	OK(sys_read_file(AT_FDCWD, l->count, 64, &text, &e));
	return atoi(buf_str(&text));
}

static int
fail_once(const struct lab *l, int at, int code)
{
	bool acked[GROUPS] = {false}, any = false;
	AUTO(buf) struct buf acks = {0};
	struct verdict why = {""};
	struct err e = {0};
	int ended = work_run(l, 0, false, false, at, code), g, n = 0;

	if (ended != 0)
		fail_msg("call %d fails with %s: the run ended with %d", at, strerror(code), ended);
	OK(sys_read_file(AT_FDCWD, l->ack, 1 << 20, &acks, &e));
	work_hear(buf_slice(&acks), acked, &any, NULL);
	for (g = 0; g < GROUPS; g++)
		n += acked[g];
	if (!check_state(l->work, acked, any, at % 5 == 0, &why))
		fail_msg("call %d failed with %s: %s", at, strerror(code), why.why);
	if (n < GROUPS - 1)
		fail_msg("call %d failed with %s: only %d of %d groups went in", at, strerror(code), n, GROUPS);
	return GROUPS - n;
}

static void
test_failing_calls(void **state)
{
	static const int codes[] = {ENOSPC, EIO};
	AUTO(lab) struct lab l;
	int calls, at, step, hurt = 0, runs = 0;
	size_t i;

	(void)state;
	lab_make(&l);
	calls = count_calls(&l);
	assert_true(calls > 100);
	step = 1 + calls / FAILS_MAX;
	for (i = 0; i < 2; i++)
		for (at = 1 + (int)i % step; at <= calls; at += step, runs++)
			hurt += fail_once(&l, at, codes[i]);
	print_message("%d calls, %d runs with one of them failing, %d cost a group, which was then not acknowledged\n", calls, runs, hurt);
	assert_true(hurt > 20);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_state_opens_whole),
	    cmocka_unit_test(test_control_without_syncs),
	    cmocka_unit_test(test_control_each_kind_of_sync),
	    cmocka_unit_test(test_failing_calls),
	};

	if (argc == 5 && strcmp(argv[1], "--work") == 0)
		return work(argv[2], argv[3], (unsigned)atoi(argv[4]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
