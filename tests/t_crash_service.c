/* SPDX-License-Identifier: MIT */
/*
 * Power loss under the real program: `run --once` over a spool is recorded, the
 * disks that a crash could leave are built, and the real program opens each,
 * scrubs it and goes on. No deposit may be lost, half there, or there twice.
 */
#include "tests/crashbench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISKS 90 /* about; each costs some runs of the program */

/* --- what must be true --- */

/* NULL, or what is wrong. Counts deposits that are there twice. */
static const char *
judge(const struct bench *b, const struct expect *x, size_t *twice)
{
	char before[MANY][64] = {""}, after[64], name[40];
	int i, n;

	for (i = 0; i < b->docs; i++)
		if (!receipt(b, i, before[i]) && x->done[i])
			return "a receipt that was given is gone";
	if (PROGRAM(b, false, "scrub", "--full") != 0)
		return "scrub";
	if (PROGRAM(b, false, "run", "--once") != 0)
		return "run";
	for (i = 0; i < b->docs; i++) {
		if (!x->given[i] && before[i][0] == 0)
			continue;
		if (!receipt(b, i, after))
			return "a deposit is lost: no receipt comes";
		if (before[i][0] != 0 && strcmp(before[i], after) != 0)
			return "a receipt has changed";
		if (i % b->each != 0)
			continue;
		if (!comes_out(b, i, after))
			return "a deposit with a receipt does not come out";
		doc_name(i, name);
		n = records_named(b, name);
		if (n < 1)
			return "list";
		*twice += n > 1;
	}
	return PROGRAM(b, false, "log", "verify") == 0 ? NULL : "log";
}

struct tally {
	size_t disks, bad, twice;
	char first[300];
};

static void
all_disks(const struct bench *b, const struct record *rec, const char *skip, size_t every, struct tally *t)
{
	static const enum variant kinds[] = {ALL_LOST, SECTORS, FILES, HOLES, ALL_KEPT, LAST_TORN, ZEROED, DATA_LOST};
	struct disk *d = disk_new();
	struct expect x = {.given = {false}};
	size_t i;
	char given[300];

	snprintf(given, sizeof(given), "%s/given", b->lab.dir);
	disk_load(d, given);
	for (i = 0; i < rec->n; i++) {
		enum variant v = kinds[t->disks % (sizeof(kinds) / sizeof(kinds[0]))];
		const char *why;

		disk_play(d, &rec->v[i], skip);
		if (rec->v[i].op == 'A')
			bench_hear(&rec->v[i], &x);
		if (i % every != 0 && i + 1 < rec->n)
			continue;
		lab_clear(b->lab.work);
		assert_int_equal(mkdir(b->lab.work, 0700), 0);
		disk_build(d, v, (uint32_t)i, b->lab.work);
		t->disks++;
		why = judge(b, &x, &t->twice);
		if (why == NULL)
			continue;
		if (t->bad++ == 0)
			snprintf(t->first, sizeof(t->first), "after call %zu (%c %.80s), disk %d: %.150s", i, rec->v[i].op,
			    rec->v[i].path, (int)v, why);
	}
	disk_free(d);
}

static void
test_service_after_power_loss(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct tally t = {0};

	(void)state;
	bench_record(&b, DOCS, 1, false, &rec);
	all_disks(&b, &rec, NULL, 1 + rec.n / DISKS, &t);
	print_message("%zu calls, %zu disks, %zu deposits were there twice\n", rec.n, t.disks, t.twice);
	if (t.bad != 0)
		fail_msg("%zu of %zu disks are bad: %s", t.bad, t.disks, t.first);
	assert_int_equal(t.twice, 0);
	assert_true(t.disks > 40);
}

/* Two groups in one run: the first's receipts are written while the second is kept. */
static void
test_groups_side_by_side(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct tally t = {0};
	size_t i, groups = 0;

	(void)state;
	bench_record(&b, MANY, 30, false, &rec);
	for (i = 0; i < rec.n; i++)
		groups += rec.v[i].op == 'S' && strstr(rec.v[i].path, "segments/data-") != NULL;
	assert_true(groups >= 2);
	all_disks(&b, &rec, NULL, 1 + rec.n / 48, &t);
	print_message("%zu calls, %zu disks, %zu deposits were there twice\n", rec.n, t.disks, t.twice);
	if (t.bad != 0)
		fail_msg("%zu of %zu disks are bad: %s", t.bad, t.disks, t.first);
	assert_int_equal(t.twice, 0);
}

static void
test_service_control(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct tally t = {0};

	(void)state;
	bench_record(&b, DOCS, 1, false, &rec);
	all_disks(&b, &rec, "", 1 + rec.n / 25, &t); /* every path holds "": no sync counts */
	print_message("without syncs %zu of %zu disks are bad: %s\n", t.bad, t.disks, t.first);
	assert_true(t.bad >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_service_after_power_loss),
	    cmocka_unit_test(test_groups_side_by_side),
	    cmocka_unit_test(test_service_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
