/* SPDX-License-Identifier: MIT */
/* Spoiled octets: told by open, get or scrub, and never made worse. */
#include "tests/storebox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t
size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void
test_every_octet_matters(void **state)
{
	static const char *const files[] = {"shared-00000001.tar", "data-2036-00000002.tar", "log-00000003.tar", "log-00000004.tar"};
	AUTO(box) struct box x = {.s = NULL};
	size_t i, at, n = 0;

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 1);
	assert_int_equal(store_seal(x.s, NULL), ERR_OK);
	for (i = 0; i < 4; i++) {
		char path[200];
		size_t size;

		snprintf(path, sizeof(path), "%s/segments/%s", x.path, files[i]);
		size = size_of(path);
		for (at = 0; at < size; at++, n++) {
			uint8_t bit = (uint8_t)(1u << (at % 8));

			flip(path, at, bit);
			if (scrubbed(x.s) == 0)
				fail_msg("%s: octet %zu turned, and scrub saw nothing", files[i], at);
			flip(path, at, bit);
		}
	}
	assert_int_equal(scrubbed(x.s), 0);
	assert_true(n > 10000);
}

static void
test_get_rehashes(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf got = {0};
	struct store_info info;
	struct store_ref ref;
	struct err e = {0};
	char path[200];

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	OK(store_hash_octets(slice_str("document 1"), &ref, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	snprintf(path, sizeof(path), "%s/segments/%s", x.path, info.segment);
	flip(path, info.offset_bytes + 512 + 3, 1);
	FAILS(ERR_DAMAGED, store_get_bytes(x.s, ref.sha256, 100, &got, &e));
	SAYS("segment 2 offset");
	assert_int_equal(got.n, 0);
	has_text(x.s, "document 0");
}

static bool bad_sector;

/* In place of the system's: the store reads by this one. */
ssize_t
pread(int fd, void *to, size_t n, off_t off)
{
	if (!bad_sector)
		return (ssize_t)syscall(SYS_pread64, fd, to, n, off);
	errno = EIO;
	return -1;
}

/* Octets that can't be read are damage of theirs, not "not there" (it would be kept anew) and not trouble of the whole store. */
static void
test_what_cannot_be_read(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf got = {0};
	struct store_info info;
	struct store_ref ref;
	struct err e = {0};
	char path[200], aside[200];

	(void)state;
	box_make(&x, NULL);
	fill(x.s, 0, 2);
	OK(store_hash_octets(slice_str("document 1"), &ref, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	bad_sector = true;
	FAILS(ERR_DAMAGED, store_get_bytes(x.s, ref.sha256, 100, &got, &e));
	bad_sector = false;
	SAYS("Input/output error");
	snprintf(path, sizeof(path), "%s/segments/%s", x.path, info.segment);
	snprintf(aside, sizeof(aside), "%s/aside", x.path);
	assert_int_equal(rename(path, aside), 0);
	FAILS(ERR_DAMAGED, store_get_bytes(x.s, ref.sha256, 100, &got, &e));
	SAYS(info.segment);
	assert_int_equal(rename(aside, path), 0);
	has_text(x.s, "document 1");
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
segment_path(const struct box *x, uint32_t seg, char path[200])
{
	struct seg_row row;
	struct err e = {0};
	char name[SEG_NAME];

	OK(index_segment((struct index *)(uintptr_t)&x->s->index, seg, &row, &e));
	seg_name(&row.id, name);
	snprintf(path, 200, "%s/segments/%s", x->path, name);
}

/* Three groups of one deposit; where the copies of group n stand. */
struct copies {
	struct member log, twin;
	char log_path[200], twin_path[200];
};
static void
three_groups(struct box *x, uint64_t n, struct copies *c)
{
	struct err e = {0};
	int i;

	if (x->s == NULL) {
		box_make(x, NULL);
		for (i = 0; i < 3; i++)
			fill(x->s, i, 1);
	}
	OK(index_group(&x->s->index, n, &c->log, &e));
	OK(index_twin(&x->s->index, n, &c->twin, &e));
	segment_path(x, c->log.seg, c->log_path);
	segment_path(x, c->twin.seg, c->twin_path);
}

/* In both copies more wrong bits than can be healed. */
static void
spoil_both(const struct copies *c)
{
	int i;

	for (i = 0; i < 2; i++) {
		flip(c->log_path, c->log.off + 600 + (size_t)i * 50, 4);
		flip(c->twin_path, c->twin.off + 600 + (size_t)i * 50, 4);
	}
}

static void
all_there(struct box *x)
{
	has_text(x->s, "document 0");
	has_text(x->s, "document 1");
	has_text(x->s, "document 2");
	assert_int_equal(scrubbed(x->s) + log_damage(x->s), 0);
}

/* Wrong octets in either copy of a group are mended from the other, and said, whether the index is there or not. */
static void
test_one_copy_mends_the_other(void **state)
{
	static const char *const losses[] = {"true", "rm -r index", "echo other > dirty"};
	AUTO(box) struct box x = {.s = NULL};
	uint64_t n, mended = 0;
	size_t at, copy, how, turns = 0;

	(void)state;
	for (n = 1; n <= 3; n++)
		for (copy = 0; copy < 2; copy++)
			for (how = 0; how < 3; how++) {
				struct copies c;
				struct err e = {0};
				char cmd[300];
				uint64_t before;

				three_groups(&x, n, &c);
				before = status_of(x.s).lost_mended;
				OK(store_close(TAKE(x.s), &e));
				at = copy == 0 ? c.log.off : c.twin.off;
				at += (turns++ * 131) % (512 + c.log.ref.size_bytes);
				flip(copy == 0 ? c.log_path : c.twin_path, at, 4);
				snprintf(cmd, sizeof(cmd), "cd %s && %s", x.path, losses[how]);
				assert_int_equal(system(cmd), 0);
				OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
				if (how == 0 && scrubbed(x.s) != 0) { /* nobody looked there yet */
					OK(store_close(TAKE(x.s), &e));
					OK(store_rebuild(x.path, &x.seams, &e));
					OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
				}
				all_there(&x);
				assert_int_equal(status_of(x.s).lost_mended, before + 1);
				assert_int_equal(status_of(x.s).lost_alarms, 0);
				mended++;
			}
	assert_int_equal(mended, 18);
}

/* More wrong octets in both copies than can be healed: refused, and nothing is changed. */
static void
test_broken_log_is_not_cut(void **state)
{
	uint64_t n;
	int how;

	(void)state;
	for (n = 1; n <= 3; n++)
		for (how = 0; how < 3; how++) {
			AUTO(box) struct box x = {.s = NULL};
			struct copies c;
			struct err e = {0};
			char cmd[300];
			size_t log_size, twin_size;

			three_groups(&x, n, &c);
			OK(store_close(TAKE(x.s), &e));
			log_size = size_of(c.log_path);
			twin_size = size_of(c.twin_path);
			spoil_both(&c);
			if (how == 0 && n < 3)
				continue; /* with the index nobody looks there */
			snprintf(cmd, sizeof(cmd), "cd %s && %s && cp -r segments before", x.path,
			    how == 0 ? "true" : how == 1 ? "rm -r index" : "echo other > dirty");
			assert_int_equal(system(cmd), 0);
			FAILS(ERR_DAMAGED, store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			SAYS("nothing was changed");
			FAILS(ERR_DAMAGED, store_rebuild(x.path, &x.seams, &e));
			assert_int_equal(size_of(c.log_path), log_size);
			assert_int_equal(size_of(c.twin_path), twin_size);
			snprintf(cmd, sizeof(cmd), "cd %s && diff -r segments before && test ! -e lost", x.path);
			assert_int_equal(system(cmd), 0);
		}
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

/* The last group is lost in both copies: only an operator's word goes on, and what is given up is listed and kept. */
static void
test_accepted_loss(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	AUTO(buf) struct buf told = {0};
	const struct store_lost_each each = {keep_manifest, &told};
	struct copies c;
	struct err e = {0};
	char cmd[400];

	(void)state;
	three_groups(&x, 3, &c);
	OK(store_close(TAKE(x.s), &e));
	spoil_both(&c);
	snprintf(cmd, sizeof(cmd), "cd %s && mv newest aside", x.path); /* the old index knows it by itself */
	assert_int_equal(system(cmd), 0);
	FAILS(ERR_DAMAGED, store_rebuild(x.path, &x.seams, &e));
	SAYS("rebuild --accept-loss 3");
	snprintf(cmd, sizeof(cmd), "cd %s && mv aside newest", x.path);
	assert_int_equal(system(cmd), 0);
	FAILS(ERR_DAMAGED, store_rebuild_accept(x.path, 2, &x.seams, &e));
	SAYS("the latest known group is 3, not 2");
	OK(store_rebuild_accept(x.path, 3, &x.seams, &e));
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	has_text(x.s, "document 1");
	has_not(x.s, "document 2");
	assert_int_equal(status_of(x.s).groups, 2);
	assert_int_equal(status_of(x.s).lost_alarms, 0);
	OK(store_lost(x.s, &each, &e));
	assert_non_null(strstr(buf_str(&told), "accepted {"));
	assert_non_null(strstr(buf_str(&told), "\"leaves\":[{\"index\":2,\"record\":\"02000000-0000-0000-0000-000000000000\""));
	snprintf(cmd, sizeof(cmd), "cd %s/lost/*/ && grep -q 'document 2' data-* && grep -q '\"number\":' log-* shared-*", x.path);
	assert_int_equal(system(cmd), 0);
	fill(x.s, 7, 1);
	box_again(&x, STORE_WRITE);
	has_text(x.s, "document 7");
	assert_int_equal(scrubbed(x.s) + log_damage(x.s), 0);
}

/* An object that is bad, of a group whose copies are whole: it was acknowledged, so the group counts and the rest comes out. */
static void
test_bad_object_of_a_committed_group(void **state)
{
	static const bool cleanly[] = {true, false};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		AUTO(box) struct box x = {.s = NULL};
		AUTO(buf) struct buf told = {0};
		const struct store_lost_each each = {keep_manifest, &told};
		struct store_info info;
		struct store_ref ref;
		struct err e = {0};
		char path[200], cmd[200];

		box_make(&x, NULL);
		fill(x.s, 0, 2);
		fill(x.s, 2, 2);
		OK(store_hash_octets(slice_str("document 3"), &ref, &e));
		OK(store_stat(x.s, ref.sha256, &info, &e));
		OK(store_close(TAKE(x.s), &e));
		snprintf(path, sizeof(path), "%s/segments/%s", x.path, info.segment);
		flip(path, info.offset_bytes + 512, 1);
		snprintf(cmd, sizeof(cmd), "rm -r %s/index", x.path);
		assert_int_equal(system(cmd), 0);
		if (!cleanly[i])
			write_file(x.path, "dirty", "another boot");
		OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
		assert_int_equal(status_of(x.s).groups, 2);
		assert_int_equal(status_of(x.s).lost_alarms, 1);
		assert_int_equal(scrubbed(x.s), 1);
		has_text(x.s, "document 2");
		FAILS(ERR_DAMAGED, store_get_bytes(x.s, ref.sha256, 100, &told, &e));
		OK(store_lost(x.s, &each, &e));
		assert_non_null(strstr(buf_str(&told), "damaged {"));
		assert_non_null(strstr(buf_str(&told), "SHA-256 differs"));
		/* told once, and until somebody has said that he knows */
		box_again(&x, STORE_WRITE);
		assert_int_equal(status_of(x.s).lost_alarms, 1);
		FAILS(ERR_NOTFOUND, store_lost_acknowledge(x.s, "0000000009-000000000000", "me", &e));
		FAILS(ERR_NOTFOUND, store_lost_acknowledge(x.s, "../../etc", "me", &e));
		snprintf(path, sizeof(path), "%.23s", strstr(buf_str(&told), "\"id\":\"") + 6);
		OK(store_lost_acknowledge(x.s, path, "me", &e));
		assert_int_equal(status_of(x.s).lost_alarms, 0);
		assert_int_equal(status_of(x.s).lost_all, 1);
	}
}

/* A source that leaves no address space to the rest of the call. */
static enum err_code
read_and_starve(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	struct rlimit r = {0, RLIM_INFINITY};

	(void)ctx;
	(void)off;
	(void)e;
	memset(to, 'x', n);
	return setrlimit(RLIMIT_AS, &r) == 0 ? ERR_OK : ERR_IO;
}

static void
starve_and_commit(struct box *x)
{
	const struct source large = {read_and_starve, NULL, 900000};
	const struct rlimit again = {RLIM_INFINITY, RLIM_INFINITY};
	struct batch *b = NULL;
	struct err e = {0};

	if (store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e) != ERR_OK || store_batch_begin(x->s, &b, &e) != ERR_OK)
		_exit(3);
	put_text(b, STORE_DATA, 2036, "before");
	(void)!batch_put(b, STORE_DATA, 2036, &large, NULL, NULL, &e);
	if (setrlimit(RLIMIT_AS, &again) != 0)
		_exit(4);
	put_text(b, STORE_DATA, 2036, "behind");
	_exit(store_commit(&b, NULL, &e) == ERR_OK ? (int)scrubbed(x->s) : 5);
}

static void
starve_rows_and_commit(struct box *x)
{
	static const uint8_t octets[900000];
	const struct rlimit none = {0, RLIM_INFINITY}, again = {RLIM_INFINITY, RLIM_INFINITY};
	const struct slice value = slice_of(octets, sizeof(octets));
	struct batch *b = NULL;
	struct batch_mark mark;
	struct err e = {0};
	int i = 0;

	if (store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e) != ERR_OK || store_batch_begin(x->s, &b, &e) != ERR_OK)
		_exit(3);
	put_text(b, STORE_DATA, 2036, "with a row");
	if (batch_row(b, "table", slice_str("key"), NULL, &e) != ERR_OK)
		_exit(4);
	mark = batch_mark(b);
	if (setrlimit(RLIMIT_AS, &none) != 0)
		_exit(5);
	while (batch_row(b, "table", slice_str("other"), &value, &e) == ERR_OK && i++ < 20) /* what is free already comes first */
		;
	batch_undo(b, mark);
	if (setrlimit(RLIMIT_AS, &again) != 0)
		_exit(6);
	_exit(store_commit(&b, NULL, &e) == ERR_NOMEM ? (int)scrubbed(x->s) : 7);
}

/* When memory ran out in the middle of a batch, what the batch held before is still whole, or all of it is given up. */
static void
test_no_memory_in_a_batch(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct err e = {0};

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	return; /* it wants address space of its own */
#endif
	box_make(&x, NULL);
	OK(store_close(TAKE(x.s), &e));
	assert_int_equal(ended(child(starve_and_commit, &x)), 0);
	assert_int_equal(ended(child(starve_rows_and_commit, &x)), 0);
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	has_text(x.s, "before");
	has_text(x.s, "behind");
	has_not(x.s, "with a row");
	assert_int_equal(scrubbed(x.s), 0);
}

/* Over a broken log the old index is all there is: a rebuild that fails leaves it. */
static void
test_failed_rebuild_keeps_the_index(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct copies c;
	struct err e = {0};
	int i;

	(void)state;
	three_groups(&x, 2, &c);
	OK(store_close(TAKE(x.s), &e));
	spoil_both(&c);
	FAILS(ERR_DAMAGED, store_rebuild(x.path, &x.seams, &e));
	OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
	for (i = 0; i < 3; i++) {
		char text[40];

		snprintf(text, sizeof(text), "document %d", i);
		has_text(x.s, text);
	}
	assert_int_equal(scrubbed(x.s), 3); /* both copies, and that the index can't be held against them */
	assert_true(log_damage(x.s) > 0);
	FAILS(ERR_BUSY, store_rebuild(x.path, &x.seams, &e));
}

/* Killed while the index was made: the old one is still there, and the end before that counts as clean as it was. */
static void
test_killed_rebuild(void **state)
{
	AUTO(box) struct box x = {.s = NULL};
	struct store_info info;
	struct store_ref ref;
	struct copies c;
	struct err e = {0};
	char path[200], cmd[300];
	int i;

	(void)state;
	three_groups(&x, 2, &c);
	OK(store_hash_octets(slice_str("document 2"), &ref, &e));
	OK(store_stat(x.s, ref.sha256, &info, &e));
	OK(store_close(TAKE(x.s), &e));
	for (i = 0; i < 2; i++) {
		snprintf(cmd, sizeof(cmd), "cd %s && mv index/data.mdb index/data.mdb.old && printf x > index/data.mdb && echo 'making the index' > dirty",
		    x.path);
		assert_int_equal(system(cmd), 0);
		if (i == 0) { /* the log is broken, so none can be made: the old one is kept */
			spoil_both(&c);
			FAILS(ERR_DAMAGED, store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			has_text(x.s, "document 2");
			OK(store_close(TAKE(x.s), &e));
			spoil_both(&c);
		} else { /* an octet of the last group has rotted: no reason to take the group back */
			snprintf(path, sizeof(path), "%s/segments/%s", x.path, info.segment);
			flip(path, info.offset_bytes + 512, 1);
			OK(store_open(x.path, STORE_WRITE, &x.seams, &x.s, &e));
			assert_int_equal(scrubbed(x.s), 1);
			assert_int_equal(x.s->last.group, 3);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_octet_matters),
	    cmocka_unit_test(test_get_rehashes),
	    cmocka_unit_test(test_what_cannot_be_read),
	    cmocka_unit_test(test_one_copy_mends_the_other),
	    cmocka_unit_test(test_broken_log_is_not_cut),
	    cmocka_unit_test(test_accepted_loss),
	    cmocka_unit_test(test_bad_object_of_a_committed_group),
	    cmocka_unit_test(test_no_memory_in_a_batch),
	    cmocka_unit_test(test_failed_rebuild_keeps_the_index),
	    cmocka_unit_test(test_killed_rebuild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
