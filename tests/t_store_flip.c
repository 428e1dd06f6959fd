/* SPDX-License-Identifier: MIT */
/*
 * One damage in one file, then what an operator might do first. What was
 * receipted comes out whole, or its loss is told; and no octet that was in the
 * folder before is gone from it.
 */
#include "tests/storebox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENTS 6
#define SECTOR 512
#define PAGE 4096

enum damage { BIT, SECTOR_ZERO, SECTOR_NOISE, PAGE_ZERO, CUT, GONE, DAMAGES };
enum verb { OPEN, READER, REBUILD, OTHER_BOOT, NO_INDEX, VERBS };
static const char *const damage_words[] = {"a bit turned", "a sector of zeros", "a sector of noise", "a page of zeros", "cut off", "gone"};
static const char *const verb_words[] = {"open", "read", "rebuild", "open after another boot", "open without index"};

struct flips {
	struct box x;
	char pristine[200], work[200];
	unsigned states, whole, told, mended;
};

static void
sh(const char *fmt, const char *a, const char *b)
{
	char cmd[700];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(cmd, sizeof(cmd), fmt, a, b);
#pragma GCC diagnostic pop
	assert_int_equal(system(cmd), 0);
}

/* --- what the folder holds --- */

static void
add_file(const char *path, struct buf *all)
{
	struct err e = {0};
	AUTO(buf) struct buf one = {0};

	OK(sys_read_file(AT_FDCWD, path, 16 << 20, &one, &e));
	buf_addslice(all, buf_slice(&one));
}

static void
add_folder(const char *path, int depth, struct buf *all)
{
	DIR *d = opendir(path);
	const struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		char sub[600];
		struct stat st;

		if (de->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name);
		assert_int_equal(lstat(sub, &st), 0);
		if (S_ISDIR(st.st_mode) && depth > 0)
			add_folder(sub, depth - 1, all);
		else if (S_ISREG(st.st_mode))
			add_file(sub, all);
	}
	if (d != NULL)
		closedir(d);
}

static void
folder(const char *dir, struct buf *all)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/segments", dir);
	add_folder(path, 0, all);
	snprintf(path, sizeof(path), "%s/lost", dir);
	add_folder(path, 1, all);
}

static bool
holds(const struct buf *all, int i)
{
	char text[40];

	snprintf(text, sizeof(text), "document %d", i);
	return memmem(all->p, all->n, text, strlen(text) + 1) != NULL; /* with the padding's first zero */
}

/* --- damage --- */

static bool
spoil(const char *path, enum damage d, uint64_t at)
{
	uint8_t octets[PAGE] = {0};
	struct stat st;
	size_t n = d == PAGE_ZERO ? PAGE : SECTOR, i;
	int fd;

	if (d == GONE)
		return at == 0 && unlink(path) == 0;
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	if (d == CUT) {
		assert_int_equal(ftruncate(fd, (off_t)at), 0);
	} else if (d == BIT) {
		close(fd);
		flip(path, at + (size_t)(at / 7 % SECTOR) < (size_t)st.st_size ? at + at / 7 % SECTOR : at, (uint8_t)(1u << at / SECTOR % 8));
		return true;
	} else {
		for (i = 0; d == SECTOR_NOISE && i < n; i++)
			octets[i] = (uint8_t)(i * 37 + at);
		if (at + n > (uint64_t)st.st_size)
			n = (size_t)st.st_size - (size_t)at;
		assert_int_equal(pwrite(fd, octets, n, (off_t)at), (ssize_t)n);
	}
	close(fd);
	return true;
}

/* --- the property --- */

static enum err_code
act(struct flips *f, enum verb v, struct store **s, struct err *e)
{
	enum err_code r = ERR_OK;

	if (v == OTHER_BOOT)
		write_file(f->work, "dirty", "another boot");
	if (v == NO_INDEX)
		sh("rm -rf %s/index%s", f->work, "");
	if (v == REBUILD)
		r = store_rebuild(f->work, &f->x.seams, e);
	return r == ERR_OK ? store_open(f->work, v == READER ? STORE_READ : STORE_WRITE, &f->x.seams, s, e) : r;
}

/* Empty: it holds. */
static const char *
property(struct flips *f, enum verb v)
{
	AUTO(buf) struct buf before = {0};
	AUTO(buf) struct buf after = {0};
	struct store *s = NULL;
	struct store_status st = {.lost_alarms = 0};
	struct err e = {0};
	enum err_code r;
	bool all = true;
	int i;

	folder(f->work, &before);
	r = act(f, v, &s, &e);
	if (r == ERR_OK)
		OK(store_status(s, &st, &e));
	for (i = 0; r == ERR_OK && i < DOCUMENTS; i++) {
		AUTO(buf) struct buf got = {0};
		struct store_ref ref;
		char text[40];
		enum err_code g;

		snprintf(text, sizeof(text), "document %d", i);
		OK(store_hash_octets(slice_str(text), &ref, &e));
		g = store_get_bytes(s, ref.sha256, 1000, &got, &e);
		all &= g == ERR_OK;
		if (g == ERR_NOTFOUND && st.lost_alarms == 0)
			return "a record is missing without a word";
		if (g == ERR_OK && !slice_eq(buf_slice(&got), slice_str(text)))
			return "other octets came out";
	}
	if (s != NULL)
		store_close(s, NULL);
	f->whole += all && r == ERR_OK;
	f->told += !all || r != ERR_OK;
	f->mended += st.lost_mended != 0;
	folder(f->work, &after);
	for (i = 0; i < DOCUMENTS; i++)
		if (holds(&before, i) && !holds(&after, i))
			return "octets that were in the folder are gone from it";
	return "";
}

static void
one_state(struct flips *f, const char *file, enum damage d, uint64_t at, enum verb v)
{
	char path[300];
	const char *why;

	sh("rm -rf %s%s", f->work, "");
	sh("cp -r %s %s", f->pristine, f->work);
	snprintf(path, sizeof(path), "%s/%s", f->work, file);
	if (!spoil(path, d, at))
		return;
	f->states++;
	why = property(f, v);
	if (why[0] != 0)
		fail_msg("%s: %s at %" PRIu64 ", then %s: %s", file, damage_words[d], at, verb_words[v], why);
}

static void
each_place(struct flips *f, const char *file, uint64_t every)
{
	char path[300];
	struct stat st;
	uint64_t at, turn = 0;

	snprintf(path, sizeof(path), "%s/%s", f->pristine, file);
	assert_int_equal(stat(path, &st), 0);
	for (at = 0; at < (uint64_t)st.st_size; at += every, turn++) {
		/* every place with every damage and every verb would take minutes: both turn round at different paces */
		one_state(f, file, (enum damage)(turn % DAMAGES), at, (enum verb)(turn % VERBS));
		one_state(f, file, (enum damage)((turn + 3) % DAMAGES), at, (enum verb)((turn + 1 + turn / DAMAGES) % VERBS));
	}
	for (turn = 0; turn < VERBS; turn++)
		one_state(f, file, GONE, 0, (enum verb)turn);
}

static void
test_one_damage(void **state)
{
	static const char *const files[] = {"segments/shared-00000001.tar", "segments/data-2036-00000002.tar", "segments/log-00000003.tar"};
	struct flips f = {.x = {.s = NULL}};
	struct err e = {0};
	size_t i;

	(void)state;
	box_make(&f.x, NULL);
	for (i = 0; i < DOCUMENTS / 2; i++)
		fill(f.x.s, (int)i * 2, 2);
	OK(store_close(TAKE(f.x.s), &e));
	snprintf(f.pristine, sizeof(f.pristine), "%s/store", f.x.dir.path);
	snprintf(f.work, sizeof(f.work), "%s/work", f.x.dir.path);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		each_place(&f, files[i], SECTOR);
	each_place(&f, "newest", 40);
	each_place(&f, "FORMAT", 25);
	print_message("%u states: in %u all came out, in %u the loss was told, in %u something was mended\n", f.states, f.whole, f.told,
	    f.mended);
	assert_true(f.states > 100 && f.whole > f.told && f.mended > 10);
	box_auto(&f.x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_damage)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
