/* SPDX-License-Identifier: MIT */
/* Stores of format 1: read and written as they are, healed where one bit is wrong, carried over to format 2. */
#include "tests/storebox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FORMAT of format 1 before the first group: what follows is of format 1. */
static void
old_store(struct box *x, int groups)
{
	struct err e = {0};
	char text[300];
	int i;

	box_make(x, NULL);
	snprintf(text, sizeof(text), "everseal-store 1\norigin %s\nsegment_bytes %d\nlarge_bytes 67108864\nsegment_age_s 86400\n",
	    x->s->o.origin, 20000);
	OK(store_close(TAKE(x->s), &e));
	write_file(x->path, "FORMAT", text);
	OK(store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e));
	for (i = 0; i < groups; i++)
		fill(x->s, i, 1);
}

static struct store_status
status_of(struct store *s)
{
	struct store_status st;
	struct err e = {0};

	OK(store_status(s, &st, &e));
	return st;
}

static void
documents(struct box *x, int n)
{
	char text[40];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "document %d", i);
		has_text(x->s, text);
	}
	assert_int_equal(scrubbed(x->s) + log_damage(x->s), 0);
}

static void
dump_of(struct store *s, struct buf *out)
{
	const struct sink to = sink_buf(out);
	struct err e = {0};

	OK(store_dump(s, &to, &e));
}

static void
test_written_as_it_is(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf text = {0};
	struct err e = {0};
	char cmd[300];

	(void)state;
	old_store(&x, 3);
	assert_int_equal(status_of(x.s).format, 1);
	assert_int_equal(status_of(x.s).no_twin, 3);
	documents(&x, 3);
	OK(store_close(TAKE(x.s), &e));
	snprintf(cmd, sizeof(cmd), "cd %s && ! grep -q '\"at\":' segments/log-* && ! grep -q 'groups/0' segments/[ds]*", x.path);
	assert_int_equal(system(cmd), 0);
	OK(store_rebuild(x.path, &x.seams, &e));
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	documents(&x, 3);
	assert_int_equal(status_of(x.s).lost_all, 0);
}

/* Any one bit of the last group, header, frame, digest and text alike, is found by trying. */
static void
test_one_bit_is_healed(void **state)
{
	static const char *const losses[] = {"true", "rm -r index", "echo other > dirty"};
	AUTO(box) struct box x = {.s = NULL};
	struct err e = {0};
	struct member m;
	size_t at, turn = 0;
	uint64_t n;

	(void)state;
	old_store(&x, 3);
	for (n = 1; n <= 3; n++) {
		OK(index_group(&x.s->index, n, &m, &e));
		for (at = m.off + turn % 40; at < m.off + 512 + m.ref.size_bytes; at += turn % 3 == 0 ? 263 : 397, turn++) {
			char path[200], cmd[300];

			OK(store_close(TAKE(x.s), &e));
			snprintf(path, sizeof(path), "%s/segments/log-00000003.tar", x.path);
			flip(path, at, (uint8_t)(1u << turn % 8));
			snprintf(cmd, sizeof(cmd), "cd %s && %s", x.path, losses[turn % 3]);
			assert_int_equal(system(cmd), 0);
			if (turn % 3 == 0) /* nobody would look there */
				OK(store_rebuild(x.path, &x.seams, &e));
			OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			documents(&x, 3);
			assert_int_equal(status_of(x.s).lost_alarms, 0);
		}
	}
	assert_true(turn > 12 && status_of(x.s).lost_mended > 12);
}

/* More than one: a torn write and a rotten group look alike, so it is an alarm, and all octets are kept. */
static void
test_more_is_an_alarm(void **state)
{
	static const char *const losses[] = {"rm -r index newest", "rm newest && echo other > dirty"};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		AUTO(box) struct box x = {.s = NULL};
		struct err e = {0};
		struct member m;
		char path[200], cmd[400];

		old_store(&x, 3);
		OK(index_group(&x.s->index, 3, &m, &e));
		OK(store_close(TAKE(x.s), &e));
		snprintf(path, sizeof(path), "%s/segments/log-00000003.tar", x.path);
		flip(path, m.off + 600, 1);
		flip(path, m.off + 660, 1);
		snprintf(cmd, sizeof(cmd), "cd %s && %s", x.path, losses[i]);
		assert_int_equal(system(cmd), 0);
		OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
		assert_int_equal(status_of(x.s).groups, 2);
		assert_int_equal(status_of(x.s).lost_alarms, 1);
		has_not(x.s, "document 2");
		snprintf(cmd, sizeof(cmd), "cd %s/lost/*/ && grep -q 'document 2' data-* && grep -q '\"number\":3' log-*", x.path);
		assert_int_equal(system(cmd), 0);
		fill(x.s, 2, 1);
		box_again(&x, STORE_WRITE);
		documents(&x, 3);
		assert_int_equal(status_of(x.s).lost_alarms, 1);
	}
}

/* Killed in the middle of it: some groups have their second copy, the rest follow. */
static void
carry_a_part(struct box *x)
{
	AUTO(buf) struct buf text = {0};
	struct batch *b = NULL;
	struct err e = {0};
	struct member m;
	AUTO(fd) int fd = -1;
	struct seg_row row;
	uint64_t n = 0;

	OK(index_group(&x->s->index, 2, &m, &e));
	OK(index_segment(&x->s->index, m.seg, &row, &e));
	OK(store_segment_fd(x->s, &row.id, &fd, &e));
	OK(group_at(fd, m.off, &text, &n, &e));
	OK(store_batch_begin(x->s, &b, &e));
	OK(batch_put_twin(b, 2, buf_slice(&text), &e));
	OK(store_commit(&b, NULL, &e));
}

static void
test_carried_over(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf before = {0}, after = {0};
	struct err e = {0};
	uint64_t carried = 9;
	char cmd[400];

	(void)state;
	old_store(&x, 12); /* more than one log segment */
	carry_a_part(&x);
	OK(store_close(TAKE(x.s), &e));
	snprintf(cmd, sizeof(cmd), "cd %s && cp -r segments before", x.path);
	assert_int_equal(system(cmd), 0);
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	OK(store_upgrade(x.s, &carried, &e));
	assert_int_equal(carried, 12); /* 13 groups, one has it */
	OK(store_upgrade(x.s, &carried, &e));
	assert_int_equal(carried, 0);
	assert_int_equal(status_of(x.s).format, 2);
	assert_int_equal(status_of(x.s).no_twin, 0);
	documents(&x, 12);
	fill(x.s, 12, 1);
	documents(&x, 13);
	dump_of(x.s, &before);
	OK(store_close(TAKE(x.s), &e));
	/* nothing old was changed */
	snprintf(cmd, sizeof(cmd), "cd %s && for f in before/*; do cmp -n $(stat -c %%s $f) $f segments/${f#before/} || exit 1; done", x.path);
	assert_int_equal(system(cmd), 0);
	OK(store_rebuild(x.path, &x.seams, &e));
	OK(store_open(x.path, STORE_READ, &x.seams, &x.s, &e));
	dump_of(x.s, &after);
	SAME(buf_slice(&after), buf_slice(&before));
	OK(store_close(TAKE(x.s), &e));
	/* and now any file of the log can go */
	snprintf(cmd, sizeof(cmd), "cd %s && rm -r index && cp -r segments all && ls segments/log-* | wc -l | grep -qvx 1 && rm segments/log-*", x.path);
	assert_int_equal(system(cmd), 0);
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	documents(&x, 13);
	assert_int_equal(status_of(x.s).lost_alarms, 0);
	assert_true(status_of(x.s).lost_mended > 0);
	OK(store_close(TAKE(x.s), &e));
	snprintf(cmd, sizeof(cmd), "cd %s && diff -r all segments", x.path);
	assert_int_equal(system(cmd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_written_as_it_is),
	    cmocka_unit_test(test_one_bit_is_healed),
	    cmocka_unit_test(test_more_is_an_alarm),
	    cmocka_unit_test(test_carried_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
