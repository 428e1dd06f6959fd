/* SPDX-License-Identifier: MIT */
/*
 * Power loss under the real program: `run --once` over a spool is recorded, the
 * disks that a crash could leave are built, and the real program opens each,
 * scrubs it and goes on. No deposit may be lost, half there, or there twice.
 */
#include "tests/crashdisk.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCS 5
#define MANY 110 /* more than the least of a group: a second one is kept while the first is answered */
#define DISKS 90 /* about; each costs some runs of the program */
#define SPOOL "spool/desk"

struct bench {
	struct lab lab;
	int docs, each; /* given in all; every each-th is taken out again and looked for in the list */
	char program[400], conf[300], out[300];
};

static void
bench_auto(struct bench *b)
{
	lab_auto(&b->lab);
}

static void
doc_name(int i, char out[40])
{
	snprintf(out, 40, "document-%d.pdf", i);
}

static void
doc_octets(int i, struct buf *out)
{
	buf_clear(out);
	while (out->n < 700 + (size_t)i % DOCS * 900)
		buf_addf(out, "%%PDF-1.4 document %d octet %zu\n", i, out->n);
}

/* The program's exit code; its standard output goes to b->out. */
static int
program(const struct bench *b, bool recorded, const char *const *verb)
{
	const char *argv[12] = {b->program, "--uncaged", "-c", b->conf};
	int n = 4, st = 0, fd;
	pid_t p;

	while (*verb != NULL && n < 11)
		argv[n++] = *verb++;
	p = fork();
	assert_true(p >= 0);
	if (p == 0) {
		fd = open(b->out, O_CREAT | O_WRONLY | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, 1) < 0)
			_exit(98);
		fd = open("/dev/null", O_WRONLY);
		if (fd >= 0)
			dup2(fd, 2);
		/* what a sanitizer says of the program's end is another test's matter */
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
		if (recorded) {
			setenv("LD_PRELOAD", recorder_path(), 1);
			setenv("RECORD_DIR", b->lab.work, 1);
			setenv("RECORD_FILE", b->lab.record, 1);
		}
		execv(b->program, (char *const *)(uintptr_t)argv);
		_exit(99);
	}
	assert_int_equal(waitpid(p, &st, 0), p);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + st;
}
#define PROGRAM(b, recorded, ...) program((b), (recorded), (const char *const[]){__VA_ARGS__, NULL})

static void
bench_make(struct bench *b)
{
	char clock[300];
	char *slash;

	lab_make(&b->lab);
	snprintf(b->program, sizeof(b->program), "%s", recorder_path());
	slash = strrchr(b->program, '/');
	snprintf(slash, sizeof(b->program) - (size_t)(slash - b->program), "/../everseal");
	snprintf(b->conf, sizeof(b->conf), "%s/everseal.conf", b->lab.work);
	snprintf(b->out, sizeof(b->out), "%s/out", b->lab.dir);
	snprintf(clock, sizeof(clock), "%s/clock", b->lab.dir);
	write_whole(b->lab.dir, "clock", slice_str("2026-01-01T00:00:00Z\n"));
	assert_int_equal(PROGRAM(b, false, "init", "--simulated", b->lab.work, "--clock", clock, "--tsa", "http://127.0.0.1:1/tsa"), 0);
}

/* --- the run that is recorded --- */

static void
append_op(const struct bench *b, char op, const char *path, struct slice data)
{
	uint32_t head[4] = {(uint32_t)op, (uint32_t)strlen(path), 0, (uint32_t)data.n};
	uint64_t off = 0;
	FILE *f = fopen(b->lab.record, "a");

	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	fwrite(&off, sizeof(off), 1, f);
	fwrite(path, 1, head[1], f);
	if (data.n != 0)
		fwrite(data.p, 1, data.n, f);
	assert_int_equal(fclose(f), 0);
}

/* What a careful depositor does: octets synced, then the name, then its folder synced. */
static void
deposit(const struct bench *b, int i)
{
	AUTO(buf) struct buf octets = {0};
	char name[40], path[100], mark[24];

	doc_name(i, name);
	doc_octets(i, &octets);
	snprintf(path, sizeof(path), SPOOL "/new/%s", name);
	write_whole(b->lab.work, path, buf_slice(&octets));
	append_op(b, 'C', path, slice_of(NULL, 0));
	append_op(b, 'W', path, buf_slice(&octets));
	append_op(b, 'S', path, slice_of(NULL, 0));
	append_op(b, 'S', SPOOL "/new", slice_of(NULL, 0));
	snprintf(mark, sizeof(mark), "given %d", i);
	append_op(b, 'A', "", slice_str(mark));
}

static void
record_run(const struct bench *b)
{
	char mark[32];
	int i = 0, from, more = b->docs > DOCS ? b->docs : 1;

	for (; i < b->docs; more = 2) {
		for (from = i; i < from + more && i < b->docs; i++)
			deposit(b, i);
		assert_int_equal(PROGRAM(b, true, "run", "--once"), 0);
		for (; from < i; from++) {
			snprintf(mark, sizeof(mark), "done %d", from);
			append_op(b, 'A', "", slice_str(mark));
		}
	}
}

/* --- what must be true --- */

struct expect {
	bool given[MANY]; /* certainly in the spool */
	bool done[MANY];  /* the program said so */
};

static void
hear(const struct op *o, struct expect *x)
{
	char text[17] = "";
	int i;

	memcpy(text, o->data.p, o->data.n < 16 ? o->data.n : 16);
	if (sscanf(text, "given %d", &i) == 1)
		x->given[i] = true;
	else if (sscanf(text, "done %d", &i) == 1)
		x->done[i] = true;
}

static bool
receipt(const struct bench *b, int i, char record[64])
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *j = NULL;
	const char *id;
	char name[40], path[400];

	doc_name(i, name);
	snprintf(path, sizeof(path), "%s/" SPOOL "/done/%s.receipt.json", b->lab.work, name);
	if (sys_read_file(AT_FDCWD, path, 1 << 20, &text, NULL) != ERR_OK ||
	    json_read(buf_slice(&text), NULL, &j, NULL) != ERR_OK || json_need_str(j, "record", &id, NULL) != ERR_OK)
		return false;
	snprintf(record, 64, "%s", id);
	return true;
}

/* The record comes out as it was given. */
static bool
comes_out(const struct bench *b, int i, const char *record)
{
	AUTO(buf) struct buf got = {0};
	AUTO(buf) struct buf want = {0};
	char name[40], to[300], path[400];

	snprintf(to, sizeof(to), "%s/got", b->lab.dir);
	lab_clear(to);
	if (PROGRAM(b, false, "get", record, "-o", to, "--version", "0") != 0)
		return false;
	doc_name(i, name);
	doc_octets(i, &want);
	snprintf(path, sizeof(path), "%s/%s", to, name);
	return sys_read_file(AT_FDCWD, path, 1 << 20, &got, NULL) == ERR_OK && slice_eq(buf_slice(&got), buf_slice(&want));
}

static int
records_named(const struct bench *b, const char *name)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *list = NULL;
	const json_t *v;
	const char *s;
	size_t i;
	int n = 0;

	if (PROGRAM(b, false, "--json", "list") != 0 || sys_read_file(AT_FDCWD, b->out, 1 << 20, &text, NULL) != ERR_OK ||
	    json_read(buf_slice(&text), NULL, &list, NULL) != ERR_OK)
		return -1;
	json_array_foreach(list, i, v)
		n += json_need_str(v, "name", &s, NULL) == ERR_OK && strcmp(s, name) == 0;
	return n;
}

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
			hear(&rec->v[i], &x);
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
prepare(struct bench *b, int docs, int each, struct record *rec)
{
	char given[300], cmd[700];

	bench_make(b);
	b->docs = docs;
	b->each = each;
	snprintf(given, sizeof(given), "%s/given", b->lab.dir);
	snprintf(cmd, sizeof(cmd), "cp -a '%s' '%s'", b->lab.work, given);
	assert_int_equal(system(cmd), 0);
	record_run(b);
	record_read(rec, b->lab.record);
}

static void
test_service_after_power_loss(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct tally t = {0};

	(void)state;
	prepare(&b, DOCS, 1, &rec);
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
	prepare(&b, MANY, 30, &rec);
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
	prepare(&b, DOCS, 1, &rec);
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
