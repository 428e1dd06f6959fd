/* SPDX-License-Identifier: MIT */
#include "tests/crashbench.h"

#include "base/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void
bench_auto(struct bench *b)
{
	lab_auto(&b->lab);
}

void
doc_name(int i, char out[40])
{
	snprintf(out, 40, "document-%d.pdf", i);
}

void
doc_octets(int i, struct buf *out)
{
	buf_clear(out);
	while (out->n < 700 + (size_t)i % DOCS * 900)
		buf_addf(out, "%%PDF-1.4 document %d octet %zu\n", i, out->n);
}

int
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

void
bench_kv(const struct bench *b, int n, char out[400])
{
	snprintf(out, 400, "%s/kv.%d", b->lab.dir, n);
}

static void
copy_kv(const struct bench *b, int n)
{
	char to[400], cmd[2000], mark[24];

	bench_kv(b, n, to);
	snprintf(cmd, sizeof(cmd), "mkdir -p '%s/archive' && cp -a '%s/archive/index' '%s/archive/ops' '%s/archive' && "
	    "rm -f '%s'/archive/*/lock.mdb", to, b->lab.work, b->lab.work, to, to);
	assert_int_equal(system(cmd), 0);
	snprintf(mark, sizeof(mark), "kv %d", n);
	append_op(b, 'A', "", slice_str(mark));
}

static void
record_run(const struct bench *b, bool kv)
{
	char mark[32];
	int i = 0, from, runs = 0, more = b->docs > DOCS ? b->docs : 1;

	for (; i < b->docs; more = 2) {
		for (from = i; i < from + more && i < b->docs; i++)
			deposit(b, i);
		assert_int_equal(PROGRAM(b, true, "run", "--once"), 0);
		for (; from < i; from++) {
			snprintf(mark, sizeof(mark), "done %d", from);
			append_op(b, 'A', "", slice_str(mark));
		}
		if (kv)
			copy_kv(b, runs++);
	}
}

void
bench_hear(const struct op *o, struct expect *x)
{
	char text[17] = "";
	int i;

	memcpy(text, o->data.p, o->data.n < 16 ? o->data.n : 16);
	if (sscanf(text, "given %d", &i) == 1)
		x->given[i] = true;
	else if (sscanf(text, "done %d", &i) == 1)
		x->done[i] = true;
	else if (sscanf(text, "kv %d", &i) == 1)
		x->kv = i;
}

bool
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

bool
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

int
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

void
bench_record(struct bench *b, int docs, int each, bool kv, struct record *rec)
{
	char given[300], cmd[700];

	bench_make(b);
	b->docs = docs;
	b->each = each;
	snprintf(given, sizeof(given), "%s/given", b->lab.dir);
	snprintf(cmd, sizeof(cmd), "cp -a '%s' '%s'", b->lab.work, given);
	assert_int_equal(system(cmd), 0);
	record_run(b, kv);
	record_read(rec, b->lab.record);
}

