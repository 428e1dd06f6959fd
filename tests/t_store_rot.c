/* SPDX-License-Identifier: MIT */
/*
 * Bits of the derived tables turned, one after the other, and their files cut:
 * what a handle says afterwards is what it said before, or the tables were made
 * anew and it says that. All in this process: a signal ends the test.
 */
#include "tests/storebox.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
dump(struct store *s, struct buf *out)
{
	const struct sink to = sink_buf(out);
	struct err e = {0};

	OK(store_dump(s, &to, &e));
}

/* Rows that come, change and go, and one that is longer than a page: pages are freed, used again, and run on. */
static void
live(struct store *s, int rounds)
{
	AUTO(buf) struct buf big = {0};
	struct err e = {0};
	int i, k;

	while (big.n < 9000)
		buf_adds(&big, "a value longer than a page ");
	for (i = 0; i < rounds; i++) {
		struct slice v = slice_str("due"), long_one = buf_slice(&big);
		struct batch *b = NULL;

		fill(s, i * 6, 6);
		OK(store_batch_begin(s, &b, &e));
		for (k = 0; k < 40; k++) {
			int key = (i * 13 + k) % 97;

			OK(batch_row(b, "due", slice_of(&key, sizeof(key)), k % 7 == 3 ? NULL : &v, &e));
		}
		OK(batch_row(b, "long", slice_of(&i, sizeof(i)), i % 3 == 2 ? NULL : &long_one, &e));
		OK(store_commit(&b, NULL, &e));
	}
}

struct rotten {
	struct box x;
	char data[120];
	struct buf good, want; /* the file as it was; what a dump said */
};

static void
rotten_auto(struct rotten *r)
{
	box_auto(&r->x);
	buf_release(&r->good);
	buf_release(&r->want);
}

static void
make_rotten(struct rotten *r, const char *env)
{
	struct err e = {0};

	box_make(&r->x, NULL);
	live(r->x.s, 12);
	OK(ops_put(r->x.s, "budget", slice_str("tsa"), slice_str("3"), &e));
	dump(r->x.s, &r->want);
	OK(store_close(TAKE(r->x.s), &e));
	snprintf(r->data, sizeof(r->data), "%s/%s/data.mdb", r->x.path, env);
	OK(sys_read_file(AT_FDCWD, r->data, (size_t)1 << 24, &r->good, &e));
}

static void
put_back(struct rotten *r)
{
	int fd = open(r->data, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, r->good.p, r->good.n), (ssize_t)r->good.n);
	close(fd);
}

/* What the next handle says; true when it made the index anew. */
static bool
opened(struct rotten *r, enum store_open_flags flags)
{
	AUTO(buf) struct buf got = {0};
	struct store_status st;
	struct err e = {0};

	OK(store_open(r->x.path, flags, &r->x.seams, &r->x.s, &e));
	OK(store_status(r->x.s, &st, &e));
	dump(r->x.s, &got);
	SAME(buf_slice(&r->want), buf_slice(&got));
	if (flags == STORE_READ)
		OK(store_close(TAKE(r->x.s), &e));
	return st.index_made[0] != 0;
}

/* Both meta pages densely, the rest in steps. */
static uint64_t
next_bit(const struct rotten *r, uint64_t at, unsigned samples)
{
	return at + (at < (uint64_t)2 * 4096 * 8 ? 211 : r->good.n * 8 / samples | 1);
}

static void
test_bits_of_the_index(void **state)
{
	AUTO(rotten) struct rotten r = {.want = {0}};
	int made = 0, all = 0;
	uint64_t at;

	(void)state;
	make_rotten(&r, "index");
	for (at = 0; at < r.good.n * 8; at = next_bit(&r, at, 300), all++) {
		flip(r.data, at / 8, (uint8_t)(1u << at % 8));
		made += opened(&r, STORE_READ);
		put_back(&r);
	}
	assert_in_range(made, all / 10, all); /* the rest are octets that mean nothing */
}

/* A writer goes on from it, and what it leaves is right. */
static void
test_bits_under_a_writer(void **state)
{
	AUTO(rotten) struct rotten r = {.want = {0}};
	AUTO(buf) struct buf got = {0};
	uint64_t at;
	int n = 200;

	(void)state;
	make_rotten(&r, "index");
	for (at = 5; at < r.good.n * 8; at = next_bit(&r, at + 611, 50), n++) {
		struct err e = {0};

		flip(r.data, at / 8, (uint8_t)(1u << at % 8));
		opened(&r, STORE_WRITE);
		fill(r.x.s, n, 1);
		buf_clear(&r.want);
		dump(r.x.s, &r.want);
		OK(store_close(TAKE(r.x.s), &e));
		assert_false(opened(&r, STORE_READ));
		OK(store_rebuild(r.x.path, &r.x.seams, &e));
		assert_false(opened(&r, STORE_READ));
		buf_clear(&r.good);
		OK(sys_read_file(AT_FDCWD, r.data, (size_t)1 << 24, &r.good, &e));
	}
}

static void
test_index_cut(void **state)
{
	AUTO(rotten) struct rotten r = {.want = {0}};
	size_t n;

	(void)state;
	make_rotten(&r, "index");
	for (n = 0; n < r.good.n; n += n < 12288 ? 1024 : r.good.n / 23) {
		assert_int_equal(truncate(r.data, (off_t)n), 0);
		assert_true(opened(&r, STORE_READ));
		put_back(&r);
	}
}

static enum err_code
any_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)key, (void)stop, (void)e;
	*(uint64_t *)ctx += value.n;
	return ERR_OK;
}

/* Under an open handle, as with an index too large to be looked through each time: right, or told and made anew. */
static void
test_rot_under_a_handle(void **state)
{
	static const char *const tables[] = {"due", "record", "ownid", "long"};
	AUTO(rotten) struct rotten r = {.want = {0}};
	uint64_t at, sum[4];
	int found = 0;
	size_t i;

	(void)state;
	make_rotten(&r, "index");
	for (at = (uint64_t)2 * 4096 * 8 + 3; at < r.good.n * 8 + 4096; at = next_bit(&r, at, 150)) {
		bool cut = at >= r.good.n * 8, told = false;
		struct err e = {0};

		OK(store_open(r.x.path, STORE_READ, &r.x.seams, &r.x.s, &e));
		if (cut)
			assert_int_equal(truncate(r.data, 4096 * 3), 0);
		else
			flip(r.data, at / 8, (uint8_t)(1u << at % 8));
		for (i = 0; i < 4; i++) {
			uint64_t got = 0;
			const struct store_each each = {any_row, &got};
			enum err_code c = store_rows(r.x.s, tables[i], slice_str(""), slice_str(""), &each, &e);

			if (at == (uint64_t)2 * 4096 * 8 + 3)
				sum[i] = got;
			assert_true(c == ERR_OK || c == ERR_DAMAGED);
			assert_true(c != ERR_OK || got == sum[i]);
			told |= c != ERR_OK;
		}
		assert_true(!cut || told);
		OK(store_close(TAKE(r.x.s), &e));
		assert_true(opened(&r, STORE_READ) || !told);
		found += told;
		put_back(&r);
	}
	assert_in_range(found, 5, 300);
}

/* Notes are no evidence: right, or none and said, and a writer begins them anew. */
static void
test_bits_of_ops(void **state)
{
	AUTO(rotten) struct rotten r = {.want = {0}};
	int lost = 0;
	uint64_t at;

	(void)state;
	make_rotten(&r, "ops");
	for (at = 0; at < r.good.n * 8; at = next_bit(&r, at, 200)) {
		enum store_open_flags how = at % 2 == 0 ? STORE_READ : STORE_WRITE;
		AUTO(buf) struct buf v = {0};
		struct store_status st;
		struct err e = {0};
		enum err_code c;

		flip(r.data, at / 8, (uint8_t)(1u << at % 8));
		OK(store_open(r.x.path, how, &r.x.seams, &r.x.s, &e));
		c = ops_get(r.x.s, "budget", slice_str("tsa"), &v, &e);
		OK(store_status(r.x.s, &st, &e));
		if (c == ERR_OK)
			SAME(buf_slice(&v), slice_str("3"));
		else
			assert_int_equal(c, ERR_NOTFOUND);
		/* of both meta pages the older one may be what is left: notes as of a crash, which may be lost */
		if (at >= (uint64_t)2 * 4096 * 8)
			assert_int_equal(c == ERR_NOTFOUND, st.ops_lost);
		if (how == STORE_WRITE)
			OK(ops_put(r.x.s, "budget", slice_str("tsb"), slice_str("4"), &e));
		OK(store_close(TAKE(r.x.s), &e));
		lost += c != ERR_OK;
		put_back(&r);
	}
	assert_in_range(lost, 2, 400);
}

/* SipHash-2-4 of the octets 0, 1, 2 ... under the key 0, 1 ... 15 (Aumasson and Bernstein, appendix A, and its vectors). */
static void
test_siphash(void **state)
{
	static const struct {
		size_t n;
		uint64_t want;
	} rows[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)}, {8, UINT64_C(0x93f5f5799a932462)},
	    {15, UINT64_C(0xa129ca6149be45e5)}};
	const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t in[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(siphash(key, slice_of(in, rows[i].n)), rows[i].want);
	/* key and value can't change places */
	assert_true(row_check(slice_str("a"), slice_str("bc")) != row_check(slice_str("ab"), slice_str("c")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_siphash),
	    cmocka_unit_test(test_bits_of_the_index),
	    cmocka_unit_test(test_bits_under_a_writer),
	    cmocka_unit_test(test_index_cut),
	    cmocka_unit_test(test_rot_under_a_handle),
	    cmocka_unit_test(test_bits_of_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
