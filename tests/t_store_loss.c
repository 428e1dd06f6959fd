/* SPDX-License-Identifier: MIT */
/* What was lost: refused until somebody gave it up, told once, and never taken for less because it could not be read or held. */
#include "tests/storebox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- a disk and a memory that fail where a test says --- */

static enum { SOUND, UNREADABLE, STARVED, FULL } trouble;
static ino_t where; /* the file, and from which of its octets on */
static uint64_t from;
static bool starved;

#ifndef __SANITIZE_ADDRESS__ /* it has one of its own */
void *__libc_realloc(void *p, size_t n);
/* Texts grow by this one. */
void *
realloc(void *p, size_t n)
{
	if (!starved || n < 65536)
		return __libc_realloc(p, n);
	errno = ENOMEM;
	return NULL;
}
#endif

/* In place of the system's: the store reads by this one. */
ssize_t
pread(int fd, void *to, size_t n, off_t off)
{
	struct stat st;

	if ((trouble == UNREADABLE || trouble == STARVED) && fstat(fd, &st) == 0 && st.st_ino == where && (uint64_t)off >= from) {
		if (trouble == UNREADABLE) {
			errno = EIO;
			return -1;
		}
		starved = true;
	}
	return (ssize_t)syscall(SYS_pread64, fd, to, n, off);
}

/* Is fd a file of the index that scrub makes, on a disk that has no room for it? */
static bool
no_room(int fd)
{
	char link[40], path[200];
	ssize_t k;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	k = trouble == FULL ? readlink(link, path, sizeof(path) - 1) : 0;
	path[k > 0 ? k : 0] = 0;
	return strstr(path, "/scrub/") != NULL;
}

/* LMDB writes by these. The octets are taken, and gone when the map of the file is looked at. */
ssize_t lmdb_pwrite(int fd, const void *p, size_t n, off_t off) __asm__("pwrite");
ssize_t
lmdb_pwrite(int fd, const void *p, size_t n, off_t off)
{
	return no_room(fd) && off >= 8192 ? (ssize_t)n : (ssize_t)syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	ssize_t all = 0;
	int i;

	for (i = 0; i < n; i++)
		all += (ssize_t)v[i].iov_len;
	return no_room(fd) ? all : (ssize_t)syscall(SYS_writev, fd, v, n);
}

/* --- a store of some groups, and where their copies stand --- */

struct copies {
	struct member log, twin;
	char log_path[200], twin_path[200];
};

static void
segment_path(struct box *x, uint32_t seg, char path[200])
{
	struct seg_row row;
	struct err e = {0};
	char name[SEG_NAME];

	OK(index_segment(&x->s->index, seg, &row, &e));
	seg_name(&row.id, name);
	snprintf(path, 200, "%s/segments/%s", x->path, name);
}

static void
copies_of(struct box *x, uint64_t n, struct copies *c)
{
	struct err e = {0};

	OK(index_group(&x->s->index, n, &c->log, &e));
	OK(index_twin(&x->s->index, n, &c->twin, &e));
	segment_path(x, c->log.seg, c->log_path);
	segment_path(x, c->twin.seg, c->twin_path);
}

static void
three_groups(struct box *x)
{
	int i;

	box_make(x, NULL);
	for (i = 0; i < 3; i++)
		fill(x->s, i, 1);
}

/* More wrong bits than can be healed. */
static void
spoil(const char *path, uint64_t off)
{
	flip(path, off + 600, 4);
	flip(path, off + 650, 4);
}

static void
sh(const struct box *x, const char *what)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "cd %s && %s", x->path, what);
	assert_int_equal(system(cmd), 0);
}

static struct store_status
status_of(struct store *s)
{
	struct store_status st;
	struct err e = {0};

	OK(store_status(s, &st, &e));
	return st;
}

static enum err_code
keep_manifest(void *ctx, const struct store_lost *l, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	buf_addf(b, "%s ", store_lost_word(l->kind));
	buf_addslice(b, l->manifest);
	return ERR_OK;
}

/* --- given up --- */

/* A group in the middle is lost in both copies: refused; only the very number that the refusal names goes on. */
static void
test_broken_in_the_middle(void **state)
{
	static const uint64_t wrong[] = {1, 2, 4, UINT64_MAX};
	uint64_t n;
	size_t i;

	(void)state;
	for (n = 1; n <= 2; n++) {
		AUTO(box) struct box x = {.s = NULL};
		AUTO(buf) struct buf told = {0};
		const struct store_lost_each each = {keep_manifest, &told};
		struct copies c;
		struct err e = {0};

		three_groups(&x);
		copies_of(&x, n, &c);
		OK(store_close(TAKE(x.s), &e));
		spoil(c.log_path, c.log.off);
		spoil(c.twin_path, c.twin.off);
		sh(&x, n == 1 ? "cp -r segments before" : "rm -r index newest && cp -r segments before");
		FAILS(ERR_DAMAGED, store_rebuild(x.path, &x.seams, &e));
		SAYS("rebuild --accept-loss 3");
		for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			FAILS(ERR_DAMAGED, store_rebuild_accept(x.path, wrong[i], &x.seams, &e));
			SAYS("the latest known group is 3");
		}
		sh(&x, "diff -r segments before && test ! -e lost");
		OK(store_rebuild_accept(x.path, 3, &x.seams, &e));
		OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
		assert_int_equal(status_of(x.s).groups, n - 1);
		assert_int_equal(status_of(x.s).lost_alarms, 0);
		has_not(x.s, "document 2");
		OK(store_lost(x.s, &each, &e));
		assert_non_null(strstr(buf_str(&told), "accepted {"));
		sh(&x, "cd lost/*/ && grep -q 'document 2' data-* && grep -q '\"number\":3' log-* && grep -q '\"number\":3' shared-*");
		fill(x.s, 7, 1);
		box_again(&x, STORE_WRITE);
		has_text(x.s, "document 7");
		assert_int_equal(scrubbed(x.s) + log_damage(x.s), 0);
	}
}

/* The segments are another history than the one that was acknowledged here: given up, it leaves a trace. */
static void
test_accepted_fork(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf told = {0};
	const struct store_lost_each each = {keep_manifest, &told};
	struct err e = {0};

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 1);
	OK(store_close(TAKE(x.s), &e));
	sh(&x, "cp -r segments before");
	box_again(&x, STORE_WRITE);
	fill(x.s, 1, 1);
	OK(store_close(TAKE(x.s), &e));
	sh(&x, "mv newest aside && rm -r segments index && mv before segments");
	box_again(&x, STORE_WRITE);
	fill(x.s, 5, 1);
	OK(store_close(TAKE(x.s), &e));
	sh(&x, "mv aside newest && rm -r index");
	FAILS(ERR_DAMAGED, store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	SAYS("group 2 in the segments is not the one that was acknowledged here");
	SAYS("rebuild --accept-loss 2");
	OK(store_rebuild_accept(x.path, 2, &x.seams, &e));
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	has_text(x.s, "document 5");
	OK(store_lost(x.s, &each, &e));
	assert_non_null(strstr(buf_str(&told), "accepted {"));
	assert_non_null(strstr(buf_str(&told), "when it was acknowledged here and is"));
	assert_int_equal(status_of(x.s).lost_all, 1);
	assert_int_equal(scrubbed(x.s) + log_damage(x.s), 0);
}

/* --- one form --- */

/* A letter of the closing digest that became a capital: the same digest, another text. Its other copy mends it. */
static void
test_digest_in_capitals(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	uint64_t n, mended = 0;
	size_t i;

	(void)state;
	three_groups(&x);
	for (n = 1; n <= 3; n++)
		for (i = 0; i < 64; i += 9) {
			struct copies c;
			struct err e = {0};
			AUTO(fd) int fd = -1;
			char letter = 0;
			uint64_t at;

			copies_of(&x, n, &c);
			at = c.log.off + 512 + c.log.ref.size_bytes - 67 + i;
			OK(sys_open_read(AT_FDCWD, c.log_path, &fd, &e));
			OK(sys_pread(fd, &letter, 1, at, &e));
			if (letter < 'a')
				continue;
			OK(store_close(TAKE(x.s), &e));
			flip(c.log_path, at, 0x20);
			sh(&x, "rm -r index");
			OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			assert_int_equal(status_of(x.s).groups, 3);
			assert_int_equal(status_of(x.s).lost_alarms, 0);
			OK(sys_pread(fd, &letter, 1, at, &e));
			assert_true(letter >= 'a');
			mended++;
		}
	assert_true(mended > 3);
	assert_int_equal(scrubbed(x.s) + log_damage(x.s), 0);
}

/* --- told once --- */

static enum err_code
acknowledge(void *ctx, const struct store_lost *l, struct err *e)
{
	return store_lost_acknowledge(ctx, l->id, "me", e);
}

/* A segment that is missing stays the one find that it is, however far the log goes on meanwhile. */
static void
test_missing_segment_is_one_find(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store_info info;
	struct store_ref ref;
	struct err e = {0};
	char cmd[200];
	int i;

	(void)state;
	three_groups(&x);
	OK(store_hash_octets(slice_str("document 0"), &ref, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	OK(store_close(TAKE(x.s), &e));
	snprintf(cmd, sizeof(cmd), "mv segments/%s aside", info.segment);
	sh(&x, cmd);
	for (i = 0; i < 4; i++) {
		const struct store_lost_each each = {acknowledge, NULL};
		struct store_lost_each mine = each;

		if (i == 3) /* and when all else is found anew */
			sh(&x, "rm -r index && echo other > dirty");
		OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
		assert_int_equal(status_of(x.s).lost_all, 1);
		assert_int_equal(status_of(x.s).lost_alarms, i == 0);
		mine.ctx = x.s;
		OK(store_lost(x.s, &mine, &e));
		fill(x.s, 10 + i, 1);
		OK(store_close(TAKE(x.s), &e));
	}
}

/* --- could not be looked at --- */

static void
aim(const char *path, uint64_t off)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	where = st.st_ino;
	from = off;
}

/* Group 2 is spoiled in both copies; group 3 has a text that needs memory of its own. No index, nothing remembered. */
static void
large_third(struct box *x, struct copies *two, struct copies *three)
{
	static uint8_t octets[1000000];
	const struct slice value = slice_of(octets, sizeof(octets));
	struct batch *b = NULL;
	struct err e = {0};
	int i;

	box_make(x, NULL);
	fill(x->s, 0, 1);
	fill(x->s, 1, 1);
	OK(store_batch_begin(x->s, &b, &e));
	put_text(b, STORE_SHARED, 0, "large");
	for (i = 0; i < 4; i++)
		OK(batch_row(b, "large", slice_of(&i, sizeof(i)), &value, &e));
	OK(store_commit(&b, NULL, &e));
	copies_of(x, 2, two);
	copies_of(x, 3, three);
	OK(store_close(TAKE(x->s), &e));
	spoil(two->log_path, two->log.off);
	spoil(two->twin_path, two->twin.off);
	sh(x, "rm -r index newest");
}

static void
open_in_trouble(struct box *x)
{
	struct err e = {0};

	_exit((int)store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e));
}

/* Whether a later group stands behind a broken one can't be asked: refused, nothing is cut or set aside. */
static void
test_end_of_the_log_not_known(void **state)
{
	int how;

	(void)state;
	for (how = 0; how < 3; how++) {
		AUTO(box) struct box x = {.s = NULL};
		struct copies two, three;
		int r;

#ifdef __SANITIZE_ADDRESS__
		if (how != 1)
			continue; /* no such realloc */
#endif
		large_third(&x, &two, &three);
		if (how == 2) /* the log was not begun, but for a later twin */
			assert_int_equal(truncate(two.log_path, (off_t)two.log.off), 0);
		aim(how == 2 ? three.twin_path : three.log_path, (how == 2 ? three.twin.off : three.log.off) + 512);
		sh(&x, "cp -r segments before");
		trouble = how == 1 ? UNREADABLE : STARVED;
		r = ended(child(open_in_trouble, &x));
		trouble = SOUND;
		assert_int_equal(r, how == 1 ? ERR_IO : ERR_NOMEM);
		sh(&x, "diff -r segments before && test ! -e lost");
	}
}

/* What scrub makes for itself has no room: that says nothing about the index. */
static void
test_scrub_on_a_full_disk(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store_report rep;
	struct err e = {0};

	(void)state;
	three_groups(&x);
	trouble = FULL;
	FAILS(ERR_IO, store_scrub(x.s, true, NULL, &rep, &e));
	trouble = SOUND;
	SAYS("could not be held against the segments");
	assert_int_equal(rep.damaged, 0);
	assert_int_equal(scrubbed(x.s), 0);
	box_again(&x, STORE_WRITE);
	assert_string_equal(x.s->found.index_made, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_broken_in_the_middle),
	    cmocka_unit_test(test_accepted_fork),
	    cmocka_unit_test(test_digest_in_capitals),
	    cmocka_unit_test(test_missing_segment_is_one_find),
	    cmocka_unit_test(test_end_of_the_log_not_known),
	    cmocka_unit_test(test_scrub_on_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
