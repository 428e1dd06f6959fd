/* SPDX-License-Identifier: MIT */
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

static const struct store_options OPTIONS = {.segment_bytes = 14000, .large_bytes = 6000, .segment_age_s = 1000000};
static int64_t now_utc = T0;
static struct kit_entropy random_state = {1};

struct store_seams
work_seams(void)
{
	return (struct store_seams){.clock = clock_fixed(&now_utc), .entropy = kit_entropy(&random_state)};
}

void
octets_of(int g, int i, struct buf *out)
{
	size_t n = g % 3 == 2 && i == 0 ? 9000 : 100 + (size_t)(g * 131 + i * 577) % 1500;

	buf_clear(out);
	while (out->n < n)
		buf_addf(out, "deposit %d of group %d, octet %zu; ", i, g, out->n);
}

int
deposits_of(int g)
{
	return 1 + g % 4;
}

void
row_key(int g, int i, char out[32])
{
	snprintf(out, 32, "%d.%d", g, i);
}

static enum err_code
add_deposit(struct batch *b, int g, int i, struct err *e)
{
	AUTO(buf) struct buf v = {0};
	struct store_ref ref = {.size_bytes = 0};
	struct slice value;
	uint8_t record[16] = {(uint8_t)g, (uint8_t)i};
	char key[32];
	enum err_code r;

	octets_of(g, i, &v);
	row_key(g, i, key);
	r = batch_put_bytes(b, i % 2 != 0 ? STORE_SHARED : STORE_DATA, 2030 + g % 2, buf_slice(&v), &ref, e);
	value = slice_of(ref.sha256, 32);
	if (r == ERR_OK)
		r = batch_leaf(b, 1, record, ref.sha256, T0, NULL, e);
	return r == ERR_OK ? batch_row(b, "deposit", slice_str(key), &value, e) : r;
}

enum err_code
one_group(struct store *s, int g, bool *at_commit, struct err *e)
{
	struct batch *b = NULL;
	struct batch_mark mark;
	enum err_code r = store_batch_begin(s, &b, e);
	int i;

	*at_commit = false;
	if (r == ERR_OK && g % 5 == 3) { /* one that is given up */
		r = add_deposit(b, 100 + g, 0, e);
		batch_drop(b);
		b = NULL;
		if (r == ERR_OK)
			r = store_batch_begin(s, &b, e);
	}
	for (i = 0; r == ERR_OK && i < deposits_of(g); i++)
		r = add_deposit(b, g, i, e);
	if (r == ERR_OK && g % 4 == 1) { /* a deposit that is taken back, large or not */
		mark = batch_mark(b);
		r = add_deposit(b, 200 + g, 0, e);
		batch_undo(b, mark);
	}
	*at_commit = r == ERR_OK;
	if (r == ERR_OK)
		return store_commit(&b, NULL, e);
	batch_drop(b);
	return r;
}

/* --- copies of what LMDB holds --- */

void
kv_path(const char *ack, int g, char out[400])
{
	snprintf(out, 400, "%.300s.kv.%d", ack, g);
}

/* Every file of one environment but its lock. */
static enum err_code
copy_env(const char *dir, const char *to, const char *env, struct err *e)
{
	char from[400], name[700];
	const struct dirent *de;
	enum err_code r = ERR_OK;
	DIR *d;

	snprintf(from, sizeof(from), "%s/%s", dir, env);
	snprintf(name, sizeof(name), "%s/%s", to, env);
	d = opendir(from);
	if (d == NULL)
		return errno == ENOENT ? ERR_OK : err_errno(e, ERR_IO, errno, "%s", from);
	if (mkdir(name, 0700) != 0)
		r = err_errno(e, ERR_IO, errno, "%s", name);
	while (r == ERR_OK && (de = readdir(d)) != NULL) {
		AUTO(buf) struct buf octets = {0};

		if (de->d_name[0] == '.' || strcmp(de->d_name, "lock.mdb") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%.200s", from, de->d_name);
		r = sys_read_file(AT_FDCWD, name, 64 << 20, &octets, e);
		snprintf(name, sizeof(name), "%s/%.200s", env, de->d_name);
		if (r == ERR_OK)
			write_whole(to, name, buf_slice(&octets));
	}
	closedir(d);
	return r;
}

static enum err_code
copy_kv(const char *dir, const char *ack, int g, struct err *e)
{
	char to[400];
	enum err_code r;

	kv_path(ack, g, to);
	lab_clear(to);
	if (mkdir(to, 0700) != 0)
		return err_errno(e, ERR_IO, errno, "%s", to);
	r = copy_env(dir, to, "index", e);
	return r == ERR_OK ? copy_env(dir, to, "ops", e) : r;
}

/* --- the recorded program --- */

static void
say(int ack, const char *line)
{
	size_t n = strlen(line);

	if (write(ack, line, n) != (ssize_t)n)
		_exit(8);
}

static void
say_group(int ack, int g)
{
	char line[16];

	snprintf(line, sizeof(line), "%d\n", g);
	say(ack, line);
}

/* Opened if it is not; group g, and what a caller does when it fails. */
static int
work_group(const char *dir, const char *ack_path, int ack, int g, unsigned flags, struct store **s)
{
	const struct store_seams sm = work_seams();
	bool at_commit = false, again = false;
	struct err e = {0};
	enum err_code r = ERR_OK;
	int tries;

	for (tries = 0; *s == NULL && tries < 2; tries++)
		if (store_open(dir, STORE_WRITE, &sm, s, &e) != ERR_OK)
			*s = NULL;
	if (*s == NULL)
		return 4;
	r = one_group(*s, g, &at_commit, &e);
	if (r == ERR_OK)
		say_group(ack, g);
	if (r == ERR_OK && (flags & WORK_KEEP_KV) != 0 && copy_kv(dir, ack_path, g, &e) != ERR_OK)
		return 7;
	if (r == ERR_IO && at_commit && one_group(*s, g, &again, &e) == ERR_OK)
		return 5; /* a handle whose commit failed went on */
	if (r == ERR_IO || g == GROUPS / 2) {
		store_close(*s, &e);
		*s = NULL;
		if (g == GROUPS / 2 && copy_kv(dir, ack_path, g, &e) != ERR_OK)
			return 6;
	}
	return 0;
}

int
work(const char *dir, const char *ack_path, unsigned flags)
{
	const struct store_seams sm = work_seams();
	struct store *s = NULL;
	struct err e = {0};
	int ack = open(ack_path, O_CREAT | O_WRONLY | O_APPEND, 0600), g, tries, r;

	for (tries = 0; tries < 2; tries++)
		if (store_create(dir, &OPTIONS, &sm, &e) == ERR_OK)
			break;
	for (g = 0; g < GROUPS; g++) {
		r = work_group(dir, ack_path, ack, g, flags, &s);
		if (r != 0)
			return r;
	}
	if ((flags & WORK_CLOSE) == 0)
		return 0;
	if (store_close(s, &e) != ERR_OK || copy_kv(dir, ack_path, GROUPS, &e) != ERR_OK)
		return 9;
	say(ack, WORK_END);
	return 0;
}

int
work_run(const struct lab *l, unsigned flags, bool record, bool nosync, int fail_at, int fail_errno)
{
	char at[16], code[16], how[16];
	int st = 0;
	pid_t p;

	lab_clear(l->work);
	unlink(l->ack);
	unlink(l->record);
	snprintf(at, sizeof(at), "%d", fail_at);
	snprintf(code, sizeof(code), "%d", fail_errno);
	snprintf(how, sizeof(how), "%u", flags);
	p = fork();
	assert_true(p >= 0);
	if (p == 0) {
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
		setenv("LD_PRELOAD", recorder_path(), 1);
		setenv("RECORD_DIR", l->work, 1);
		setenv("RECORD_ACK", l->ack, 1);
		if (record)
			setenv("RECORD_FILE", l->record, 1);
		if (nosync)
			setenv("RECORD_NOSYNC", "1", 1);
		if (fail_at != 0) {
			setenv("FAIL_COUNT", l->count, 1);
			setenv("FAIL_AT", at, 1);
			setenv("FAIL_ERRNO", code, 1);
		}
		execl("/proc/self/exe", "work", "--work", l->work, l->ack, how, (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(p, &st, 0), p);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 1000;
}

void
work_hear(struct slice acks, bool acked[GROUPS], bool *any, bool *closed)
{
	const char *p = (const char *)acks.p, *end = p + acks.n;

	while (p < end) {
		int g = atoi(p);

		assert_true(g >= 0 && g < GROUPS);
		if (*p != WORK_END[0])
			acked[g] = *any = true;
		else if (closed != NULL)
			*closed = true;
		p = memchr(p, '\n', (size_t)(end - p));
		assert_non_null(p);
		p++;
	}
}
