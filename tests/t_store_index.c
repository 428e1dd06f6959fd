/* SPDX-License-Identifier: MIT */
/* The store's rows, its notes for work under way and the proofs of its log; an index built again is the same. */
#include "tests/storebox.h"

#include "store/index_int.h"

#include <string.h>

static void
dump(struct store *s, struct buf *out)
{
	const struct sink to = sink_buf(out);
	struct err e = {0};

	OK(store_dump(s, &to, &e));
}

static void
test_rebuild_is_equal(void **state)
{
	const struct store_options o = {.segment_bytes = 6000, .large_bytes = 2000};
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf before = {0}, after = {0}, big = {0};
	struct batch *b = NULL;
	struct slice v = slice_str("");
	struct store_status st;
	struct err e = {0};
	int i;

	(void)state;
	box_make(&x, &o);
	for (i = 0; i < 9; i++)
		fill(x.s, i * 3, 3);
	for (i = 0; i < 3000; i++)
		buf_add8(&big, (unsigned)i * 7);
	OK(store_batch_begin(x.s, &b, &e));
	OK(batch_put_bytes(b, STORE_DATA, 2040, buf_slice(&big), NULL, &e));
	put_text(b, STORE_DATA, 2050, "certificate 3");
	put_text(b, STORE_DATA, 2050, "document 3");
	OK(batch_row(b, "record", slice_str("document 1"), NULL, &e));
	OK(batch_row(b, "binary", slice_of("\0\xff\n", 3), &v, &e));
	v = slice_of(big.p, 2900);
	OK(batch_row(b, "binary", slice_str("value"), &v, &e));
	OK(store_commit(&b, NULL, &e));
	dump(x.s, &before);
	OK(store_close(TAKE(x.s), &e));
	OK(store_rebuild(x.path, &x.seams, &e));
	box_again(&x, STORE_READ);
	dump(x.s, &after);
	assert_true(before.n > 5000);
	SAME(buf_slice(&before), buf_slice(&after));
	OK(store_status(x.s, &st, &e));
	assert_int_equal(st.groups, 10);
}

struct walked {
	struct store *s;
	struct buf keys;
	int rows, commit_at, stop_at;
};

static enum err_code
note_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct walked *w = ctx;

	(void)value;
	buf_addslice(&w->keys, key);
	buf_adds(&w->keys, " ");
	w->rows++;
	if (w->commit_at == w->rows) {
		struct batch *b = NULL;
		struct slice v = slice_str("v");
		enum err_code r = store_batch_begin(w->s, &b, e);

		if (r == ERR_OK)
			r = batch_row(b, "walk", key, NULL, e);
		if (r == ERR_OK)
			r = batch_row(b, "walk", slice_str("zz"), &v, e);
		return r == ERR_OK ? store_commit(&b, NULL, e) : r;
	}
	*stop = w->stop_at == w->rows;
	return ERR_OK;
}

static void
test_rows(void **state)
{
	static const char *const keys[] = {"a", "ab", "abc", "b", "\xff", "\xff\xff"};
	static const struct {
		const char *from, *to, *want;
	} ranges[] = {
	    {"", "", "a ab abc b \xff \xff\xff "},
	    {"ab", "b", "ab abc "},
	    {"ab", "", "ab abc b \xff \xff\xff "},
	    {"", "ab", "a "},
	    {"c", "d", ""},
	};
	AUTO(box) struct box x = {.s = NULL};
	struct walked w = {.s = NULL};
	const struct store_each each = {note_row, &w};
	struct batch *b = NULL;
	struct slice v = slice_str("v");
	struct err e = {0};
	size_t i;

	(void)state;
	box_make(&x, NULL);
	w.s = x.s;
	OK(store_batch_begin(x.s, &b, &e));
	for (i = 0; i < 6; i++) {
		OK(batch_row(b, "walk", slice_str(keys[i]), &v, &e));
		OK(batch_row(b, "wal", slice_str(keys[i]), &v, &e)); /* neighbours of the name */
		OK(batch_row(b, "walks", slice_str(keys[i]), &v, &e));
	}
	FAILS(ERR_USAGE, batch_row(b, "Walk", v, &v, &e));
	FAILS(ERR_USAGE, batch_row(b, "walk", slice_str(""), &v, &e));
	OK(store_commit(&b, NULL, &e));
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		buf_clear(&w.keys);
		OK(store_rows(x.s, "walk", slice_str(ranges[i].from), slice_str(ranges[i].to), &each, &e));
		SAME(buf_slice(&w.keys), slice_str(ranges[i].want));
	}
	buf_clear(&w.keys);
	OK(store_rows_prefix(x.s, "walk", slice_str("ab"), &each, &e));
	OK(store_rows_prefix(x.s, "walk", slice_str("\xff"), &each, &e));
	SAME(buf_slice(&w.keys), slice_str("ab abc \xff \xff\xff "));
	buf_clear(&w.keys);
	w.rows = 0;
	w.stop_at = 2;
	OK(store_rows(x.s, "walk", slice_str(""), slice_str(""), &each, &e));
	assert_int_equal(w.rows, 2);
	w.rows = w.stop_at = 0;
	w.commit_at = 3;
	OK(store_rows(x.s, "walk", slice_str(""), slice_str(""), &each, &e));
	FAILS(ERR_NOTFOUND, store_get_row(x.s, "walk", slice_str("abc"), &w.keys, &e));
	buf_release(&w.keys);
}

/* More rows than the map holds at first. */
static void
test_index_grows(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf big = {0}, got = {0};
	struct slice v;
	struct err e = {0};
	uint32_t i, k;

	(void)state;
	box_make(&x, NULL);
	while (big.n < 1 << 20)
		buf_adds(&big, "0123456789abcdef");
	v = buf_slice(&big);
	for (i = 0; i < 80; i += 20) {
		struct batch *b = NULL;

		OK(store_batch_begin(x.s, &b, &e));
		for (k = i; k < i + 20; k++)
			OK(batch_row(b, "big", slice_of(&k, sizeof(k)), &v, &e));
		OK(store_commit(&b, NULL, &e));
	}
	k = 77;
	OK(store_get_row(x.s, "big", slice_of(&k, sizeof(k)), &got, &e));
	SAME(buf_slice(&got), v);
	box_again(&x, STORE_READ);
	OK(store_get_row(x.s, "big", slice_of(&k, sizeof(k)), &got, &e));
}

static void
test_ops(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf v = {0};
	struct walked w = {.s = NULL};
	const struct store_each each = {note_row, &w};
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	FAILS(ERR_NOTFOUND, ops_get(x.s, "budget", slice_str("tsa"), &v, &e));
	OK(ops_put(x.s, "budget", slice_str("tsa"), slice_str("3"), &e));
	OK(ops_put(x.s, "budget", slice_str("tsb"), slice_str("4"), &e));
	OK(ops_put(x.s, "claim", slice_str("x"), slice_str("5"), &e));
	OK(ops_get(x.s, "budget", slice_str("tsa"), &v, &e));
	SAME(buf_slice(&v), slice_str("3"));
	OK(ops_rows(x.s, "budget", slice_str(""), slice_str(""), &each, &e));
	SAME(buf_slice(&w.keys), slice_str("tsa tsb "));
	OK(ops_del(x.s, "budget", slice_str("tsa"), &e));
	OK(ops_del(x.s, "budget", slice_str("tsa"), &e));
	FAILS(ERR_NOTFOUND, ops_get(x.s, "budget", slice_str("tsa"), &v, &e));
	buf_release(&w.keys);
	box_again(&x, STORE_WRITE);
	OK(ops_get(x.s, "claim", slice_str("x"), &v, &e));
}

/* Every leaf has a path to every later root, and the last root is in the signed checkpoint. */
static void
test_log_proofs(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf note = {0}, pub = {0};
	struct tlog_checkpoint cp;
	struct err e = {0};
	uint64_t n, m;
	int i;

	(void)state;
	box_make(&x, NULL);
	FAILS(ERR_NOTFOUND, store_log_checkpoint(x.s, &note, &e));
	for (i = 0; i < 7; i++)
		fill(x.s, i * 5, 5);
	box_again(&x, STORE_READ);
	OK(store_log_checkpoint(x.s, &note, &e));
	OK(store_log_pub(x.s, &pub, &e));
	OK(tlog_checkpoint_verify(buf_slice(&note), buf_slice(&pub), &cp, &e));
	assert_int_equal(cp.size, 35);
	for (n = 1; n <= 35; n++) {
		struct tlog_edge edge;
		uint8_t root[TLOG_HASH];

		OK(index_edge(&x.s->index, n, &edge, &e));
		OK(tlog_root(&edge, root, &e));
		for (m = 0; m < n; m++) {
			struct tlog_leaf leaf;
			struct tlog_proof p;
			uint8_t octets[TLOG_LEAF_OCTETS], h[TLOG_HASH];

			OK(store_log_leaf(x.s, m, &leaf, &e));
			assert_int_equal(leaf.record[0], m);
			tlog_leaf_encode(&leaf, octets);
			OK(tlog_leaf_hash(slice_of(octets, sizeof(octets)), h, &e));
			OK(store_log_proof(x.s, m, n, &p, &e));
			OK(tlog_verify_inclusion(h, &p, n == 35 ? cp.root : root, &e));
		}
	}
	for (n = 1; n <= 35; n++)
		for (m = 0; m <= n; m++) {
			struct tlog_consistency c;
			uint8_t from[TLOG_HASH], to[TLOG_HASH];

			OK(store_log_root(x.s, m, from, &e));
			OK(store_log_root(x.s, n, to, &e));
			OK(store_log_consistency(x.s, m, n, &c, &e));
			OK(tlog_verify_consistency(&c, from, to, &e));
		}
	FAILS(ERR_NOTFOUND, store_log_consistency(x.s, 36, 0, &(struct tlog_consistency){0}, &e));
	FAILS(ERR_NOTFOUND, store_log_root(x.s, 36, (uint8_t[TLOG_HASH]){0}, &e));
	FAILS(ERR_NOTFOUND, store_log_proof(x.s, 35, 0, &(struct tlog_proof){0}, &e));
	FAILS(ERR_USAGE, store_log_proof(x.s, 0, 36, &(struct tlog_proof){0}, &e));
}

struct told {
	int n;
	char name[112], what[200];
};

static void
note_damage(void *ctx, const struct store_damage *d)
{
	struct told *t = ctx;

	t->n++;
	memcpy(t->name, d->name, sizeof(t->name));
	memcpy(t->what, d->what, sizeof(t->what));
}

/* Wrong rows that are whole in themselves: checks and sums hold, only the groups say otherwise. */
static void
test_rows_against_the_groups(void **state)
{
	static const struct {
		const char *key, *value, *name, *what; /* value NULL: it goes */
	} rows[] = {
	    {"document 1", "another", "index/rows/record/document 1", "not what the groups say"},
	    {"document 2", NULL, "index/rows/record/document 2", "the index has not"},
	    {"document x", "new", "index/rows/record/document x", "no group has"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(box) struct box x = {.s = NULL};
		AUTO(buf) struct buf key = {0};
		AUTO(ix_sums) struct ix_sums sums = {0};
		struct told told = {0};
		const struct store_watch w = {note_damage, NULL, &told};
		struct store_report rep;
		struct store_status st;
		struct row_sum *sum = NULL;
		struct slice k;
		MDB_txn *t = NULL;
		bool full = false;
		struct err e = {0};

		box_make(&x, NULL);
		fill(x.s, 0, 3);
		assert_int_equal(scrubbed(x.s), 0);
		OK(kv_row_key("record", slice_str(rows[i].key), false, &key, &e));
		k = buf_slice(&key);
		OK(kv_begin(&x.s->index.kv, true, &t, &e));
		OK(ix_sum_of(&sums, &x.s->index, t, DB_ROWS, &k, &sum, &e));
		if (rows[i].value != NULL)
			OK(kv_put(t, x.s->index.db[DB_ROWS], k, slice_str(rows[i].value), sum, &full, &e));
		else
			OK(kv_del(t, x.s->index.db[DB_ROWS], k, sum, &full, &e));
		OK(ix_sums_write(&sums, &x.s->index, t, &full, &e));
		OK(kv_commit(&t, &full, &e));
		OK(store_scrub(x.s, false, &w, &rep, &e));
		assert_int_equal(rep.damaged, 1);
		assert_int_equal(told.n, 1);
		assert_string_equal(told.name, rows[i].name);
		assert_non_null(strstr(told.what, rows[i].what));
		box_again(&x, STORE_READ);
		OK(store_status(x.s, &st, &e));
		assert_true(st.index_made[0] != 0);
		assert_int_equal(scrubbed(x.s), 0);
	}
}

/* What is no segment: the key pair. */
static void
test_scrub_looks_at_the_key(void **state)
{
	AUTO(box) struct box x = {.s = NULL};

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 3);
	box_again(&x, STORE_READ);
	assert_int_equal(scrubbed(x.s), 0);
	write_file(x.path, "log.pub", "not a key");
	assert_int_equal(scrubbed(x.s), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rebuild_is_equal),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_index_grows),
	    cmocka_unit_test(test_ops),
	    cmocka_unit_test(test_log_proofs),
	    cmocka_unit_test(test_rows_against_the_groups),
	    cmocka_unit_test(test_scrub_looks_at_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
