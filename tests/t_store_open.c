/* SPDX-License-Identifier: MIT */
/* Opening beside others, after a kill; replicas. */
#include "tests/storebox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
	write_file(x.path, "FORMAT", "everseal-store 2\norigin x\n");
	FAILS(ERR_UNSUPPORTED, store_open(x.path, STORE_READ, &x.seams, &other, &e));
	write_file(x.path, "FORMAT", "something else\n");
	FAILS(ERR_FORMAT, store_open(x.path, STORE_READ, &x.seams, &other, &e));
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
			assert_true(st.cut_bytes > 0);
			assert_int_equal(st.refused_groups, 0);
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
		if (ref_of(slice_str(text), &ref, &e) != ERR_OK ||
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
	size_t i;

	(void)state;
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
	    cmocka_unit_test(test_killed_writer),
	    cmocka_unit_test(test_reader_beside_writer),
	    cmocka_unit_test(test_push),
	    cmocka_unit_test(test_place_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
