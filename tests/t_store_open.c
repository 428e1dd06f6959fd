/* SPDX-License-Identifier: MIT */
/* Opening beside others, after a kill; replicas. */
#include "tests/storebox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_open_refusals(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store *other = NULL;
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	FAILS(ERR_BUSY, store_open(x.path, STORE_WRITE, &x.seams, &other, &e));
	FAILS(ERR_EXISTS, store_create(x.path, NULL, &x.seams, &e));
	OK(store_close(TAKE(x.s), &e));
	FAILS(ERR_NOTFOUND, store_open(x.dir.path, STORE_READ, &x.seams, &other, &e));
	write_file(x.path, "FORMAT", "everseal-store 3\norigin x\n");
	FAILS(ERR_UNSUPPORTED, store_open(x.path, STORE_READ, &x.seams, &other, &e));
	write_file(x.path, "FORMAT", "everseal-store 1\norigin a\"b\nsegment_bytes 1\nlarge_bytes 1\nsegment_age_s 1\n");
	FAILS(ERR_FORMAT, store_open(x.path, STORE_READ, &x.seams, &other, &e));
	write_file(x.path, "FORMAT", "something else\n");
	FAILS(ERR_FORMAT, store_open(x.path, STORE_READ, &x.seams, &other, &e));
}

/* The sum of FORMAT has one form, too: any bit of it counts. A memory with a wrong bit in it is none. */
static void
test_small_files_bit_by_bit(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf format = {0};
	AUTO(buf) struct buf newest = {0};
	struct err e = {0};
	char path[120];
	size_t bit;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 1, 1);
	fill(x.s, 2, 1);
	OK(store_close(TAKE(x.s), &e));
	snprintf(path, sizeof(path), "%s/FORMAT", x.path);
	OK(sys_read_file(AT_FDCWD, path, 4096, &format, &e));
	for (bit = 0; bit < format.n * 8; bit++) {
		flip(path, bit / 8, (uint8_t)(1u << bit % 8));
		assert_int_not_equal(store_open(x.path, STORE_READ, &x.seams, &x.s, &e), ERR_OK);
		flip(path, bit / 8, (uint8_t)(1u << bit % 8));
	}
	snprintf(path, sizeof(path), "%s/newest", x.path);
	OK(sys_read_file(AT_FDCWD, path, 4096, &newest, &e));
	for (bit = 0; bit < newest.n * 8; bit += 5) {
		flip(path, bit / 8, (uint8_t)(1u << bit % 8));
		box_again(&x, STORE_WRITE);
		has_text(x.s, "document 2");
		OK(store_close(TAKE(x.s), &e));
		flip(path, bit / 8, (uint8_t)(1u << bit % 8));
	}
}

/* Who only reads needs no key, after a crash neither. */
static void
test_reader_without_the_key(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store *w = NULL;
	struct err e = {0};
	char path[120];

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 1, 3);
	OK(store_close(TAKE(x.s), &e));
	snprintf(path, sizeof(path), "%s/log.key", x.path);
	flip(path, 40, 1);
	write_file(x.path, "dirty", "00000000-0000-4000-8000-000000000000\n");
	assert_int_not_equal(store_open(x.path, STORE_WRITE, &x.seams, &w, &e), ERR_OK);
	box_again(&x, STORE_READ);
	has_text(x.s, "document 3");
	assert_int_equal(scrubbed(x.s), 1); /* the key */
}

/* The secret half of the log's key with all bits turned, so that it does not stand in memory for being looked for. */
static uint8_t turned[LOG_SEED];

static void
learn_key(const struct box *x)
{
	static char text[200];
	static uint8_t der[64];
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/log.key", x->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text)) == 119);
	close(fd);
	assert_int_equal(EVP_DecodeBlock(der, (const uint8_t *)text + 28, 64), 48);
	for (size_t i = 0; i < LOG_SEED; i++)
		turned[i] = (uint8_t)~der[16 + i];
	explicit_bzero(text, sizeof(text));
	explicit_bzero(der, sizeof(der));
}

static bool __attribute__((no_sanitize_address))
key_at(const uint8_t *p)
{
	for (size_t i = 0; i < LOG_SEED; i++)
		if ((p[i] ^ turned[i]) != 0xff)
			return false;
	return true;
}

/* How often the key stands in memory that this process can write, the shadows of sanitizers left out. */
static int __attribute__((no_sanitize_address))
keys_in_memory(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[400], w;
	int n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%lx-%lx r%c", &from, &to, &w) == 3 && w == 'w' && to - from < 1UL << 30)
			for (const uint8_t *p = (const uint8_t *)from; p + LOG_SEED <= (const uint8_t *)to; p++)
				n += key_at(p);
	fclose(f);
	return n;
}

static void
look_for_key(struct box *x)
{
	(void)x;
	_exit(keys_in_memory());
}

/* Children parse what is foreign: one that was taken over must not find the key that signs receipts. */
static void
test_children_have_no_key(void **state)
{
	AUTO(box) struct box x = {.s = NULL};

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	learn_key(&x);
	assert_true(keys_in_memory() > 0);
	assert_int_equal(ended(child(look_for_key, &x)), 0);
}

static void
test_key_pair(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(box) struct box y = {.s = NULL};
	struct err e = {0};
	char cmd[300];

	(void)state;
	box_make(&x, NULL);
	box_make(&y, NULL);
	OK(store_close(TAKE(x.s), &e));
	snprintf(cmd, sizeof(cmd), "cp %s/log.key %s/log.key", y.path, x.path);
	assert_int_equal(system(cmd), 0);
	FAILS(ERR_DAMAGED, store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	SAYS("log.key is not the key of log.pub");
	write_file(x.path, "log.key", "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n");
	FAILS(ERR_FORMAT, store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
}

static void
write_and_die(struct box *x)
{
	struct err e = {0};
	struct batch *b = NULL;

	if (store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e) != ERR_OK)
		_exit(3);
	fill(x->s, 10, 4);
	if (store_batch_begin(x->s, &b, &e) != ERR_OK ||
	    batch_put_bytes(b, STORE_DATA, 2036, slice_str("half"), NULL, &e) != ERR_OK ||
	    batch_put_bytes(b, STORE_DATA, 2060, slice_str("half too"), NULL, &e) != ERR_OK)
		_exit(4);
	while (x->s->n_segs != 0) { /* on the disk, but in no group */
		if (seg_flush(x->s->segs[0], &e) != ERR_OK)
			_exit(5);
		seg_drop(x->s, x->s->segs[0], false);
	}
	_exit(7);
}

static void
test_killed_writer(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store_status st;
	struct err e = {0};
	int i;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 3);
	OK(store_close(TAKE(x.s), &e));
	for (i = 0; i < 2; i++) {
		assert_int_equal(ended(child(write_and_die, &x)), 7);
		if (i == 1) { /* the index is lost with it */
			char cmd[200];

			snprintf(cmd, sizeof(cmd), "rm -r %s/index", x.path);
			assert_int_equal(system(cmd), 0);
		}
		/* a reader brings it up first, then sees all of it */
		OK(store_open(x.path, i == 0 ? STORE_WRITE : STORE_READ, &x.seams, &x.s, &e));
		OK(store_status(x.s, &st, &e));
		if (i == 0) {
			assert_true(st.recovered);
			assert_true(st.aside_bytes > 0);
			assert_int_equal(st.lost_alarms, 0);
			assert_int_equal(st.lost_all, 1);
		}
		has_text(x.s, "document 2");
		has_text(x.s, "document 13");
		has_not(x.s, "half");
		has_not(x.s, "half too");
		assert_int_equal(scrubbed(x.s), 0);
		assert_int_equal(log_damage(x.s), 0);
		OK(store_close(TAKE(x.s), &e));
	}
}

static void
read_on(struct box *x)
{
	struct err e = {0};
	uint64_t seen = 0;
	int turns;

	if (store_open(x->path, STORE_READ, &x->seams, &x->s, &e) != ERR_OK)
		_exit(3);
	for (turns = 0; turns < 2000 && seen < 40; turns++) {
		AUTO(buf) struct buf got = {0};
		struct tlog_proof p;
		struct store_ref ref;
		uint64_t n = store_log_size(x->s);
		char text[40];

		if (n < seen)
			_exit(4);
		seen = n;
		if (n == 0) {
			usleep(1000);
			continue;
		}
		snprintf(text, sizeof(text), "document %d", (int)n - 1);
		if (store_hash_octets(slice_str(text), &ref, &e) != ERR_OK ||
		    store_get_bytes(x->s, ref.sha256, 100, &got, &e) != ERR_OK || store_log_proof(x->s, n - 1, n, &p, &e) != ERR_OK)
			_exit(5);
		usleep(500);
	}
	_exit(seen == 40 ? 0 : 6);
}

static void
test_reader_beside_writer(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct err e = {0};
	pid_t p;
	int i;

	(void)state;
	box_make(&x, NULL);
	OK(store_close(TAKE(x.s), &e));
	p = child(read_on, &x);
	usleep(100000); /* it opens for a moment to write if it is first */
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	for (i = 0; i < 40; i++) {
		fill(x.s, i, 1);
		usleep(1000);
	}
	assert_int_equal(ended(p), 0);
}

/* --- place --- */

static enum err_code
count_item(void *ctx, const char *name, uint64_t size_bytes, bool *stop, struct err *e)
{
	struct buf *b = ctx;

	(void)size_bytes;
	(void)stop;
	(void)e;
	buf_addf(b, "%s ", name);
	return ERR_OK;
}

/*
 * By docs/format.md 1, while the writer goes on: log segments first, then the others; no index, ops, lock or dirty. What the
 * log does not have yet comes from the twins, the log segment that was not there at all is made again.
 */
static void
test_backup(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store_status st;
	struct store *s = NULL;
	struct err e = {0};
	char cmd[900], copy[120];

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	snprintf(copy, sizeof(copy), "%s/copy", x.dir.path);
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/segments && cp %s/FORMAT %s/log.* %s && cp %s/segments/log-* %s/segments", copy, x.path,
	    x.path, copy, x.path, copy);
	assert_int_equal(system(cmd), 0);
	fill(x.s, 2, 2);
	x.now += 2 * 86400; /* all are sealed, others born */
	fill(x.s, 4, 2);
	snprintf(cmd, sizeof(cmd), "cp %s/segments/data-* %s/segments/shared-* %s/segments", x.path, x.path, copy);
	assert_int_equal(system(cmd), 0);
	OK(store_open(copy, STORE_READ, &x.seams, &s, &e));
	has_text(s, "document 1");
	has_text(s, "document 2");
	has_text(s, "document 5");
	assert_int_equal(scrubbed(s) + log_damage(s), 0);
	OK(store_close(TAKE(s), &e));
	OK(store_open(copy, STORE_WRITE, &x.seams, &s, &e));
	fill(s, 10, 2);
	OK(store_status(s, &st, &e));
	assert_int_equal(st.groups, 4);
	assert_int_equal(st.lost_alarms, 0);
	assert_int_equal(scrubbed(s) + log_damage(s), 0);
	OK(store_close(TAKE(s), &e));
}

/* Segments without FORMAT are a store that lost it: a new key would leave all its checkpoints without one. */
static void
test_no_birth_over_segments(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf before = {0};
	AUTO(buf) struct buf after = {0};
	AUTO(fd) int dir = -1;
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 1);
	OK(store_close(TAKE(x.s), &e));
	OK(sys_open_dir(AT_FDCWD, x.path, &dir, &e));
	OK(sys_read_file(dir, "log.key", 4096, &before, &e));
	OK(sys_unlink(dir, "FORMAT", &e));
	FAILS(ERR_EXISTS, store_create(x.path, NULL, &x.seams, &e));
	OK(sys_read_file(dir, "log.key", 4096, &after, &e));
	SAME(buf_slice(&after), buf_slice(&before));
}

#define MANY 20000

static void
rebuild_and_leave(struct box *x)
{
	struct err e = {0};

	_exit(store_rebuild(x->path, &x->seams, &e) == ERR_OK ? 0 : 9);
}

/* A reader that comes while the index is being made waits for it: half of it would call the other half missing. */
static void
test_reader_during_rebuild(void **state)
{
	static const uint8_t record[16], event[32];
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL;
	struct err e = {0};
	int i, busy = 0;
	pid_t p;

	(void)state;
	box_make(&x, NULL);
	for (i = 0; i < 4 * MANY; i++) {
		if (i % MANY == 0)
			OK(store_batch_begin(x.s, &b, &e));
		OK(batch_leaf(b, 1, record, event, T0, NULL, &e));
		if (i % MANY == MANY - 1)
			OK(store_commit(&b, NULL, &e));
	}
	OK(store_close(TAKE(x.s), &e));
	p = child(rebuild_and_leave, &x);
	while (waitpid(p, &i, WNOHANG) == 0) {
		enum err_code r = store_open(x.path, STORE_READ, &x.seams, &x.s, &e);

		if (r == ERR_OK)
			assert_int_equal(store_log_size(x.s), 4 * MANY);
		else
			assert_int_equal(r, ERR_BUSY);
		busy += r == ERR_BUSY;
		store_close(TAKE(x.s), NULL);
	}
	assert_int_equal(i, 0);
	assert_true(busy > 0);
	box_again(&x, STORE_READ);
	assert_int_equal(store_log_size(x.s), 4 * MANY);
}

static void
names_are(const struct place *p, const char *prefix, const char *want)
{
	AUTO(buf) struct buf names = {0};
	const struct place_each each = {count_item, &names};
	struct err e = {0};

	OK(p->ops->list(p->ctx, prefix, &each, &e));
	assert_string_equal(buf_str(&names), want);
}

static void
test_push(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(place) struct place p = {.ops = NULL};
	uint64_t sent = 0;
	struct err e = {0};
	char cmd[400];

	(void)state;
	box_make(&x, NULL);
	OK(place_dir_open(d.path, &p, &e));
	OK(store_push(x.s, &p, &sent, &e));
	assert_int_equal(sent, 0);
	fill(x.s, 0, 2);
	fill(x.s, 2, 2);
	OK(store_push(x.s, &p, &sent, &e));
	assert_int_equal(sent, 2);
	names_are(&p, "groups/", "groups/0000000001.tar groups/0000000002.tar ");
	OK(store_push(x.s, &p, &sent, &e));
	assert_int_equal(sent, 0);
	snprintf(cmd, sizeof(cmd),
	    "cd %s && mkdir /tmp/x.$$ && tar -xf groups/0000000002.tar -C /tmp/x.$$ && cd /tmp/x.$$ && "
	    "for f in objects/sha256/*; do echo \"${f##*/}  $f\"; done | sha256sum -c --quiet && "
	    "ls objects/sha256 | wc -l | grep -qx 4 && test -s groups/0000000002.json; r=$?; rm -rf /tmp/x.$$; exit $r", d.path);
	assert_int_equal(system(cmd), 0);
	OK(store_seal(x.s, &e));
	OK(store_push(x.s, &p, &sent, &e));
	assert_int_equal(sent, 4); /* three sealed segments, and the group that sealed them */
	names_are(&p, "groups/", "groups/0000000003.tar ");
	names_are(&p, "segments/", "segments/data-2036-00000002.tar segments/log-00000003.tar segments/shared-00000001.tar ");
	snprintf(cmd, sizeof(cmd), "cmp %s/segments/data-2036-00000002.tar %s/segments/data-2036-00000002.tar", d.path, x.path);
	assert_int_equal(system(cmd), 0);
}

/* A clock that went back does not hide a group whose data segment is still open from the place. */
static void
test_push_after_the_clock_went_back(void **state)
{
	static const struct store_options small = {.segment_bytes = 16384};
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(place) struct place p = {.ops = NULL};
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL;
	struct err e = {0};
	uint64_t sent = 0;
	int i, n;

	(void)state;
	box_make(&x, &small);
	OK(place_dir_open(d.path, &p, &e));
	fill(x.s, 0, 1);
	for (n = 0; n < 2; n++) { /* leaves enough to fill a log segment */
		x.now = T0 - 20 + 10 * n;
		OK(store_batch_begin(x.s, &b, &e));
		for (i = 0; i < 200; i++)
			OK(batch_leaf(b, 1, (const uint8_t[16]){0}, (const uint8_t[32]){0}, x.now, NULL, &e));
		OK(store_commit(&b, NULL, &e));
	}
	OK(store_push(x.s, &p, &sent, &e));
	names_are(&p, "groups/", "groups/0000000001.tar groups/0000000003.tar ");
}

static void
test_place_dir(void **state)
{
	static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "../a", "a/..", "a/.put-1", "a b", "a\n"};
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(place) struct place p = {.ops = NULL};
	AUTO(buf) struct buf got = {0};
	struct slice text = slice_str("0123456789");
	const struct source from = source_slice(&text);
	const struct sink to = sink_buf(&got);
	struct err e = {0};
	char left[40];
	size_t i;

	(void)state;
	snprintf(left, sizeof(left), ".put-%ld-3", (long)getpid());
	OK(place_dir_open(d.path, &p, &e));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		FAILS(ERR_USAGE, p.ops->put(p.ctx, bad[i], &from, &e));
	OK(p.ops->put(p.ctx, "a/b/c", &from, &e));
	OK(p.ops->put(p.ctx, "a/b-c", &from, &e));
	FAILS(ERR_EXISTS, p.ops->put(p.ctx, "a/b/c", &from, &e));
	OK(p.ops->get_range(p.ctx, "a/b/c", 3, 4, &to, &e));
	SAME(buf_slice(&got), slice_str("3456"));
	FAILS(ERR_USAGE, p.ops->get_range(p.ctx, "a/b/c", 3, 8, &to, &e));
	FAILS(ERR_NOTFOUND, p.ops->get_range(p.ctx, "a/x", 0, 1, &to, &e));
	/* what a process of the same number left behind is in nobody's way */
	write_file(d.path, left, "torn");
	OK(p.ops->put(p.ctx, "whole", &from, &e));
	OK(p.ops->remove(p.ctx, "whole", &e));
	names_are(&p, "", "a/b-c a/b/c ");
	names_are(&p, "a/b/", "a/b/c ");
	OK(p.ops->remove(p.ctx, "a/b/c", &e));
	FAILS(ERR_NOTFOUND, p.ops->remove(p.ctx, "a/b/c", &e));
	names_are(&p, "", "a/b-c ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_open_refusals),
	    cmocka_unit_test(test_small_files_bit_by_bit),
	    cmocka_unit_test(test_reader_without_the_key),
	    cmocka_unit_test(test_children_have_no_key),
	    cmocka_unit_test(test_key_pair),
	    cmocka_unit_test(test_killed_writer),
	    cmocka_unit_test(test_reader_beside_writer),
	    cmocka_unit_test(test_backup),
	    cmocka_unit_test(test_no_birth_over_segments),
	    cmocka_unit_test(test_reader_during_rebuild),
	    cmocka_unit_test(test_push),
	    cmocka_unit_test(test_push_after_the_clock_went_back),
	    cmocka_unit_test(test_place_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
