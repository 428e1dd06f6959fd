/* SPDX-License-Identifier: MIT */
/* The store from outside: what goes in comes out, what is committed stays, what is spoiled is told. */
#include "tests/storebox.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- in and out --- */

static void
test_in_and_out(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf v = {0};
	struct store_info info;
	struct store_ref ref;
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 5);
	has_text(x.s, "document 3");
	box_again(&x, STORE_READ);
	has_text(x.s, "document 3");
	has_text(x.s, "certificate 4");
	has_not(x.s, "document 5");
	OK(store_get_row(x.s, "record", slice_str("document 2"), &v, &e));
	OK(store_hash_octets(slice_str("document 2"), &ref, &e));
	SAME(buf_slice(&v), slice_of(ref.sha256, 32));
	FAILS(ERR_NOTFOUND, store_get_row(x.s, "record", slice_str("document 9"), &v, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	assert_true(ref_eq(&ref, &info.ref));
	assert_string_equal(info.segment, "data-2036-00000002.tar");
	assert_int_equal(info.year, 2036);
	assert_int_equal(info.group, 1);
	assert_false(info.alone);
	assert_int_equal(scrubbed(x.s), 0);
	assert_int_equal(log_damage(x.s), 0);
	FAILS(ERR_USAGE, store_batch_begin(x.s, &(struct batch *){NULL}, &e));
}

/* Sizes around every border: empty, a block of tar, what is read in one piece, what is alone. */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, 2 * SMALL_BYTES,
	    2 * SMALL_BYTES + 1};
	const struct store_options o = {.large_bytes = 2 * SMALL_BYTES};
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf octets = {0};
	struct store_ref refs[10];
	struct batch *b = NULL;
	struct store_info info;
	struct err e = {0};
	size_t i;

	(void)state;
	box_make(&x, &o);
	while (octets.n < sizes[9])
		buf_addf(&octets, "%zu ", octets.n);
	OK(store_batch_begin(x.s, &b, &e));
	for (i = 0; i < 10; i++)
		OK(batch_put_bytes(b, STORE_DATA, 2036, slice_of(octets.p, sizes[i]), &refs[i], &e));
	OK(store_commit(&b, NULL, &e));
	box_again(&x, STORE_WRITE);
	for (i = 0; i < 10; i++) {
		AUTO(buf) struct buf got = {0};

		OK(store_get_bytes(x.s, refs[i].sha256, sizes[9], &got, &e));
		SAME(buf_slice(&got), slice_of(octets.p, sizes[i]));
		OK(store_stat(x.s, refs[i].sha256, &info, &e));
		assert_int_equal(info.alone, i == 9);
		assert_int_equal(info.ref.size_bytes, sizes[i]);
	}
	assert_int_equal(scrubbed(x.s), 0);
}

/* Octets whose digests are there already: in a shared segment, alone, twice, and never with others' size. */
static void
test_hashed_before(void **state)
{
	const struct store_options o = {.large_bytes = 2000};
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf big = {0};
	struct batch *b = NULL;
	struct store_ref refs[2];
	struct store_info info;
	struct slice octets[2];
	struct err e = {0};
	size_t i, k;

	(void)state;
	box_make(&x, &o);
	while (big.n < 2001)
		buf_addf(&big, "%zu;", big.n);
	octets[0] = slice_of(big.p, 2000);
	octets[1] = slice_of(big.p, 2001);
	OK(store_batch_begin(x.s, &b, &e));
	for (i = 0; i < 2; i++) {
		struct source from = source_slice(&octets[i]);

		OK(store_hash(&from, &refs[i], &e));
		for (k = 0; k < 2; k++)
			OK(batch_put_hashed(b, STORE_DATA, 2036, octets[i], &refs[i], &e));
	}
	FAILS(ERR_BUG, batch_put_hashed(b, STORE_DATA, 2036, octets[0], &refs[1], &e));
	FAILS(ERR_USAGE, batch_put_hashed(b, STORE_DATA, 0, octets[0], &refs[0], &e));
	OK(store_commit(&b, NULL, &e));
	for (i = 0; i < 2; i++) {
		AUTO(buf) struct buf got = {0};

		OK(store_get_bytes(x.s, refs[i].sha256, 4000, &got, &e));
		SAME(buf_slice(&got), octets[i]);
		OK(store_stat(x.s, refs[i].sha256, &info, &e));
		assert_int_equal(info.alone, i == 1);
	}
	assert_int_equal(scrubbed(x.s), 0);
}

static void
test_nothing_before_commit(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL, *second = NULL;
	struct err e = {0};
	uint64_t before;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	before = disk_bytes(&x);
	OK(store_batch_begin(x.s, &b, &e));
	FAILS(ERR_BUSY, store_batch_begin(x.s, &second, &e));
	put_text(b, STORE_DATA, 2036, "not yet");
	put_text(b, STORE_DATA, 2050, "not yet in a new segment");
	has_not(x.s, "not yet");
	batch_drop(b);
	has_not(x.s, "not yet");
	assert_int_equal(disk_bytes(&x), before);
	assert_int_equal(scrubbed(x.s), 0);
	fill(x.s, 2, 1);
	box_again(&x, STORE_WRITE);
	has_text(x.s, "document 2");
	assert_int_equal(scrubbed(x.s), 0);
}

/* A source that gives other octets from the second reading on. */
struct fickle {
	uint64_t size, reads;
};

static enum err_code
fickle_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	struct fickle *f = ctx;

	(void)e;
	memset(to, 'a', n);
	if (f->reads >= f->size && off == 0)
		memset(to, 'b', 1);
	f->reads += n;
	return ERR_OK;
}

static void
test_expected_digest(void **state)
{
	const struct store_options o = {.large_bytes = 3 << 20};
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL;
	struct store_ref ref, wrong;
	struct slice text = slice_str("what is there");
	struct source from = source_slice(&text);
	uint64_t size;
	struct err e = {0};

	(void)state;
	box_make(&x, &o);
	OK(store_hash(&from, &ref, &e));
	wrong = ref;
	wrong.sha512[63] ^= 1;
	OK(store_batch_begin(x.s, &b, &e));
	FAILS(ERR_DAMAGED, batch_put(b, STORE_DATA, 2036, &from, &wrong, NULL, &e));
	wrong = ref;
	wrong.size_bytes++;
	FAILS(ERR_DAMAGED, batch_put(b, STORE_DATA, 2036, &from, &wrong, NULL, &e));
	for (size = 2 << 20; size <= 4 << 20; size += 2 << 20) { /* in a shared segment, and alone */
		struct fickle f = {.size = size};
		struct source changing = {fickle_read, &f, size};

		FAILS(ERR_DAMAGED, batch_put(b, STORE_DATA, 2036, &changing, NULL, NULL, &e));
	}
	put_text(b, STORE_DATA, 2036, "the batch goes on");
	OK(store_commit(&b, NULL, &e));
	has_text(x.s, "the batch goes on");
	has_not(x.s, "what is there");
	assert_true(disk_bytes(&x) < 20000);
	assert_int_equal(scrubbed(x.s), 0);
	box_again(&x, STORE_WRITE);
	assert_int_equal(scrubbed(x.s), 0);
}

static void
test_same_octets_once(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL;
	struct store_info info;
	struct store_ref ref;
	struct err e = {0};
	size_t i;
	static const struct {
		enum store_kind kind;
		int year;
		size_t copies;
		const char *why;
	} rows[] = {
	    {STORE_DATA, 2036, 1, "new"},
	    {STORE_DATA, 2036, 1, "held for as long"},
	    {STORE_DATA, 2030, 1, "held for longer"},
	    {STORE_DATA, 2040, 2, "held for less"},
	    {STORE_SHARED, 0, 3, "held for less than ever"},
	    {STORE_DATA, 2099, 3, "held for ever"},
	};

	(void)state;
	box_make(&x, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_report rep;

		OK(store_batch_begin(x.s, &b, &e));
		ref = put_text(b, rows[i].kind, rows[i].year, "twice");
		put_text(b, rows[i].kind, rows[i].year, "twice");
		OK(batch_row(b, "n", slice_of(&i, 1), NULL, &e));
		OK(store_commit(&b, NULL, &e));
		OK(store_scrub(x.s, false, NULL, &rep, &e));
		/* each group, twice, and each segment's header is a member too */
		if (rep.members != rows[i].copies + 2 * (i + 1) + rep.segments)
			fail_msg("%s: %" PRIu64 " members", rows[i].why, rep.members);
	}
	OK(store_stat(x.s, ref.sha256, &info, &e));
	assert_int_equal(info.kind, STORE_SHARED);
}

static void
test_undo(void **state)
{
	const struct store_options o = {.large_bytes = 2000};
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf big = {0}, v = {0};
	struct batch *b = NULL;
	struct batch_mark m;
	struct slice value = slice_str("kept"), gone = slice_str("gone");
	struct store_done done;
	struct err e = {0};
	int i;

	(void)state;
	box_make(&x, &o);
	for (i = 0; i < 5000; i++)
		buf_add8(&big, 'x');
	OK(store_batch_begin(x.s, &b, &e));
	put_text(b, STORE_DATA, 2036, "first");
	OK(batch_row(b, "t", slice_str("k"), &value, &e));
	OK(batch_leaf(b, 1, big.p, big.p, T0, NULL, &e));
	m = batch_mark(b);
	put_text(b, STORE_DATA, 2036, "second");
	put_text(b, STORE_SHARED, 0, "third");
	OK(batch_put_bytes(b, STORE_DATA, 2036, buf_slice(&big), NULL, &e));
	OK(batch_leaf(b, 1, big.p, big.p, T0, NULL, &e));
	OK(batch_row(b, "t", slice_str("k"), &gone, &e));
	OK(batch_get_row(b, "t", slice_str("k"), &v, &e));
	SAME(buf_slice(&v), gone);
	batch_undo(b, m);
	buf_clear(&v);
	OK(batch_get_row(b, "t", slice_str("k"), &v, &e));
	SAME(buf_slice(&v), value);
	put_text(b, STORE_DATA, 2036, "fourth");
	OK(store_commit(&b, &done, &e));
	assert_int_equal(done.log_size, 1);
	has_text(x.s, "first");
	has_text(x.s, "fourth");
	has_not(x.s, "second");
	has_not(x.s, "third");
	assert_int_equal(scrubbed(x.s), 0);
	box_again(&x, STORE_WRITE);
	assert_int_equal(scrubbed(x.s), 0);
}

static void
test_alone(void **state)
{
	const struct store_options o = {.large_bytes = 2000};
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf big = {0}, out = {0};
	AUTO(fd) int fd = -1;
	AUTO(fd) int direct = -1;
	AUTO(store_object) struct store_object *obj = NULL;
	struct batch *b = NULL;
	struct store_info info;
	struct store_ref ref, small;
	uint64_t off = 0;
	uint8_t octet[5000];
	struct err e = {0};

	(void)state;
	box_make(&x, &o);
	while (big.n < sizeof(octet))
		buf_addf(&big, "%zu,", big.n);
	big.n = sizeof(octet);
	OK(store_batch_begin(x.s, &b, &e));
	OK(batch_put_bytes(b, STORE_DATA, 2036, buf_slice(&big), &ref, &e));
	small = put_text(b, STORE_DATA, 2036, "small");
	OK(store_commit(&b, NULL, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	assert_true(info.alone);
	OK(store_object_fd(x.s, ref.sha256, &direct, &off, &e));
	assert_int_equal(pread(direct, octet, sizeof(octet), (off_t)off), sizeof(octet));
	SAME(slice_of(octet, sizeof(octet)), buf_slice(&big));
	FAILS(ERR_REFUSED, store_object_fd(x.s, small.sha256, &fd, &off, &e));
	OK(store_open_object(x.s, ref.sha256, &obj, &e));
	OK(source_read_all(store_object_source(obj), 5000, &out, &e));
	SAME(buf_slice(&out), buf_slice(&big));
	FAILS(ERR_BUG, store_object_source(obj)->read_at(store_object_source(obj)->ctx, 4999, octet, 2, &e));
}

/* --- segments and other people's tools --- */

static void
test_seal_and_tar(void **state)
{
	const struct store_options o = {.segment_bytes = 8000, .large_bytes = 4000, .segment_age_s = 100};
	AUTO(box) struct box x = {.s = NULL};
	struct store_status st;
	struct err e = {0};
	char cmd[900];
	int i;

	(void)state;
	box_make(&x, &o);
	for (i = 0; i < 12; i++)
		fill(x.s, i, 1);
	OK(store_status(x.s, &st, &e));
	assert_true(st.sealed >= 2); /* by size */
	i = (int)st.sealed;
	x.now += 101;
	fill(x.s, 12, 1);
	OK(store_status(x.s, &st, &e));
	assert_true((int)st.sealed > i); /* by age */
	OK(store_seal(x.s, &e));
	assert_int_equal(scrubbed(x.s), 0);
	assert_int_equal(log_damage(x.s), 0);
	snprintf(cmd, sizeof(cmd),
	    "cd %s && mkdir out && for t in store/segments/*.tar; do tar -xf $t -C out || exit 1; done && "
	    "cd out && ls objects/sha256 | wc -l | grep -qx 26 && "
	    "for f in objects/sha256/*; do echo \"${f##*/}  $f\"; done | sha256sum -c --quiet && "
	    "for m in segments/*.members; do tail -n +2 $m | while read off size a b name; do "
	    "  [ $(stat -c %%s $name) = $size ] && echo \"$a  $name\" | sha256sum -c --quiet && "
	    "  echo \"$b  $name\" | sha512sum -c --quiet || exit 1; done || exit 1; done && "
	    "for g in groups/*.json; do python3 -c 'import json,sys; json.load(open(sys.argv[1]))' $g || exit 1; done",
	    x.dir.path);
	assert_int_equal(system(cmd), 0);
}

static void
test_large_tar_header(void **state)
{
	static const uint64_t sizes[] = {0, 1, 511, 512, (8ULL << 30) - 1, 8ULL << 30, 9ULL << 30};
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	uint8_t head[TAR_HEAD_MAX];
	char name[TAR_NAME], path[120], cmd[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct slice s = slice_of(head, sizeof(head));
		struct source from = source_slice(&s);
		uint64_t size = 1234;
		int fd;

		memset(head, 0, sizeof(head));
		tar_head("objects/sha256/x", sizes[i], head);
		assert_true(tar_read_head(&from, 0, name, &size));
		assert_string_equal(name, "objects/sha256/x");
		assert_int_equal(size, sizes[i]);
		snprintf(path, sizeof(path), "%s/t.tar", d.path);
		fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
		assert_int_equal(write(fd, head, tar_head_bytes(size)), tar_head_bytes(size));
		assert_int_equal(ftruncate(fd, (off_t)(tar_member_bytes(size) + TAR_END_OCTETS)), 0);
		close(fd);
		snprintf(cmd, sizeof(cmd), "tar tvf %s | grep -q ' %" PRIu64 " 1970-01-01 .* objects/sha256/x$'", path, size);
		if (system(cmd) != 0)
			fail_msg("tar does not list a member of %" PRIu64, size);
	}
}

/* --- size --- */

static enum err_code
pattern_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	uint64_t v = off;

	(void)ctx;
	(void)e;
	memset(to, (int)(off >> 18), n);
	memcpy(to, &v, n < sizeof(v) ? n : sizeof(v));
	return ERR_OK;
}

static enum err_code
swallow(void *ctx, struct slice s, struct err *e)
{
	(void)e;
	*(uint64_t *)ctx += s.n;
	return ERR_OK;
}

static void
large_in_child(struct box *x)
{
	const char *mib = getenv("EVERSEAL_TEST_LARGE_MIB");
	const struct source from = {pattern_read, NULL, (uint64_t)(mib != NULL ? atoi(mib) : 200) << 20};
	uint64_t got = 0;
	const struct sink to = {swallow, &got};
	struct batch *b = NULL;
	struct store_ref ref;
	struct rusage ru;
	struct err e = {0};

	if (store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e) != ERR_OK || store_hash(&from, &ref, &e) != ERR_OK ||
	    store_batch_begin(x->s, &b, &e) != ERR_OK ||
	    batch_put(b, STORE_DATA, 2036, &from, &ref, NULL, &e) != ERR_OK || store_commit(&b, NULL, &e) != ERR_OK ||
	    store_get(x->s, ref.sha256, &to, &e) != ERR_OK || got != from.size_bytes)
		_exit(3);
	getrusage(RUSAGE_SELF, &ru);
	if (ru.ru_maxrss > 64 * 1024)
		_exit(4);
	if (store_close(x->s, &e) != ERR_OK)
		_exit(5);
}

static void
test_large_in_little_memory(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct err e = {0};

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	return; /* shadow memory counts there */
#endif
	box_make(&x, NULL);
	OK(store_close(TAKE(x.s), &e));
	assert_int_equal(ended(child(large_in_child, &x)), 0);
}

/* What the bulk aim counts: syncs for a thousand deposits in one group. */
static void
test_syncs_per_group(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct batch *b = NULL;
	struct store_done done;
	struct err e = {0};
	char text[40];
	int i;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 1);
	OK(store_batch_begin(x.s, &b, &e));
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "bulk %d", i);
		put_text(b, STORE_DATA, 2036, text);
	}
	OK(store_commit(&b, &done, &e));
	assert_int_equal(done.syncs, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_and_out),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_hashed_before),
	    cmocka_unit_test(test_nothing_before_commit),
	    cmocka_unit_test(test_expected_digest),
	    cmocka_unit_test(test_same_octets_once),
	    cmocka_unit_test(test_undo),
	    cmocka_unit_test(test_alone),
	    cmocka_unit_test(test_seal_and_tar),
	    cmocka_unit_test(test_large_tar_header),
	    cmocka_unit_test(test_large_in_little_memory),
	    cmocka_unit_test(test_syncs_per_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
