/* SPDX-License-Identifier: MIT */
/* Drafts: nothing of one is anywhere before it joins a batch, others commit meanwhile, and what joined is as if it had been put there. */
#include "tests/storebox.h"

#include <stdio.h>
#include <string.h>

static void
put_row(struct batch *b, const char *key, const char *value)
{
	struct slice v = slice_str(value != NULL ? value : "");
	struct err e = {0};

	OK(batch_row(b, "t", slice_str(key), value != NULL ? &v : NULL, &e));
}

static void
row_is(struct batch *b, const char *key, const char *value)
{
	AUTO(buf) struct buf got = {0};
	struct err e = {0};

	if (value == NULL) {
		FAILS(ERR_NOTFOUND, batch_get_row(b, "t", slice_str(key), &got, &e));
		return;
	}
	OK(batch_get_row(b, "t", slice_str(key), &got, &e));
	assert_string_equal(buf_str(&got), value);
}

static void
put_leaf(struct batch *b, uint8_t n, uint64_t *index)
{
	uint8_t record[16] = {n}, event[32] = {n};
	struct err e = {0};

	OK(batch_leaf(b, 1, record, event, T0, index, &e));
}

static void
test_join(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(batch) struct batch *draft = NULL;
	AUTO(buf) struct buf v = {0};
	struct batch *b = NULL;
	struct tlog_leaf leaf;
	struct err e = {0};
	uint64_t before, index;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	OK(store_draft_begin(x.s, &draft, &e));
	put_text(draft, STORE_DATA, 2036, "drafted");
	put_text(draft, STORE_DATA, 2036, "document 1"); /* held already */
	put_text(draft, STORE_SHARED, 0, "drafted, shared");
	put_leaf(draft, 77, NULL);
	put_row(draft, "a", "1");
	has_not(x.s, "drafted");
	fill(x.s, 2, 2); /* others commit */
	has_not(x.s, "drafted");
	before = store_log_size(x.s);
	OK(store_batch_begin(x.s, &b, &e));
	put_text(b, STORE_DATA, 2036, "of the batch");
	put_leaf(b, 76, &index);
	assert_int_equal(index, before);
	put_row(b, "b", "2");
	row_is(draft, "a", "1");
	row_is(draft, "b", "2"); /* of the open batch */
	row_is(b, "a", NULL);
	OK(batch_join(b, &draft, &e));
	assert_null(draft);
	row_is(b, "a", "1");
	put_leaf(b, 78, &index);
	assert_int_equal(index, before + 2);
	OK(store_commit(&b, NULL, &e));
	has_text(x.s, "drafted");
	has_text(x.s, "drafted, shared");
	has_text(x.s, "of the batch");
	OK(store_log_leaf(x.s, before + 1, &leaf, &e));
	assert_int_equal(leaf.record[0], 77);
	assert_int_equal(scrubbed(x.s), 0);
	box_again(&x, STORE_READ);
	has_text(x.s, "drafted");
	OK(store_get_row(x.s, "t", slice_str("a"), &v, &e));
	assert_int_equal(log_damage(x.s), 0);
}

/* A draft that is dropped or undone leaves nothing; one that can't join leaves nothing in the batch. */
static void
test_undone(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(batch) struct batch *draft = NULL, *other = NULL;
	struct batch *b = NULL;
	struct batch_mark mark;
	struct store_done done;
	struct err e = {0};
	size_t i;

	(void)state;
	box_make(&x, NULL);
	OK(store_draft_begin(x.s, &draft, &e));
	put_text(draft, STORE_DATA, 2036, "kept");
	put_row(draft, "a", "1");
	mark = batch_mark(draft);
	put_text(draft, STORE_DATA, 2036, "undone");
	put_leaf(draft, 1, NULL);
	put_row(draft, "a", NULL);
	batch_undo(draft, mark);
	row_is(draft, "a", "1");
	put_text(draft, STORE_DATA, 2036, "undone after all");
	batch_undo(draft, mark);
	OK(store_draft_begin(x.s, &other, &e));
	put_text(other, STORE_DATA, 2036, "dropped");
	batch_drop(TAKE(other));
	OK(store_batch_begin(x.s, &b, &e));
	OK(batch_join(b, &draft, &e));
	OK(store_commit(&b, &done, &e));
	assert_int_equal(done.log_size, 0);
	has_text(x.s, "kept");
	has_not(x.s, "undone");
	has_not(x.s, "undone after all");
	has_not(x.s, "dropped");
	OK(store_draft_begin(x.s, &draft, &e));
	put_text(draft, STORE_DATA, 2036, "too much");
	OK(store_batch_begin(x.s, &b, &e));
	for (i = 0; i < STORE_BATCH_MEMBERS; i++)
		put_leaf(b, 3, NULL);
	put_leaf(draft, 4, NULL);
	FAILS(ERR_LIMIT, batch_join(b, &draft, &e));
	OK(store_commit(&b, &done, &e));
	assert_int_equal(done.log_size, STORE_BATCH_MEMBERS);
	has_not(x.s, "too much");
	assert_int_equal(scrubbed(x.s), 0);
}

static void
test_misuse(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(batch) struct batch *to = NULL;
	struct batch *draft = NULL;
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	OK(store_draft_begin(x.s, &draft, &e));
	FAILS(ERR_BUG, store_commit(&draft, NULL, &e));
	assert_null(draft);
	OK(store_draft_begin(x.s, &to, &e));
	OK(store_draft_begin(x.s, &draft, &e));
	FAILS(ERR_BUG, batch_join(to, &draft, &e));
	assert_null(draft);
	batch_drop(TAKE(to));
	box_again(&x, STORE_READ);
	FAILS(ERR_USAGE, store_draft_begin(x.s, &draft, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_join), cmocka_unit_test(test_undone), cmocka_unit_test(test_misuse)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
