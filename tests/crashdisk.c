/* SPDX-License-Identifier: MIT */
#include "tests/crashdisk.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

/* --- the record --- */

void
record_auto(struct record *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free((void *)(uintptr_t)r->v[i].path);
		free((void *)(uintptr_t)r->v[i].path2);
	}
	buf_release(&r->raw);
	free(r->v);
}

static uint32_t
host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void
record_read(struct record *r, const char *path)
{
	struct err e = {0};
	size_t at = 0;

	OK(sys_read_file(AT_FDCWD, path, 256 << 20, &r->raw, &e));
	while (at < r->raw.n) {
		const uint8_t *h = r->raw.p + at;
		uint32_t a = host32(h + 4), b = host32(h + 8), n = host32(h + 12);
		struct op o = {.op = (char)host32(h)};

		memcpy(&o.off, h + 16, 8);
		o.path = mem_dup(h + 24, a);
		o.path2 = mem_dup(h + 24 + a, b);
		o.data = slice_of(h + 24 + a + b, n);
		assert_true(mem_grow(&r->v, &r->cap, r->n, sizeof(*r->v)));
		r->v[r->n++] = o;
		at += 24 + a + b + n;
	}
}

/* --- the disk --- */

enum { FILES_MAX = 800, PEND_MAX = 4000 };
struct inode {
	struct buf sure;
	const struct op **pend;
	size_t n_pend, cap_pend;
};
struct name {
	char path[200];
	int inode; /* -1: a folder */
};
struct names {
	struct name v[FILES_MAX];
	size_t n;
};
struct disk {
	struct inode inodes[FILES_MAX];
	size_t n_inodes;
	struct names now, sure;
	struct {
		const struct op *op;
		int inode;
	} pend[PEND_MAX]; /* changes of names */
	size_t n_pend;
};

struct disk *
disk_new(void)
{
	struct disk *d = mem_new(1, sizeof(*d));

	assert_non_null(d);
	return d;
}

static int
find_name(const struct names *l, const char *path)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i].path, path) == 0)
			return (int)i;
	return -1;
}

static void
set_name(struct names *l, const char *path, int inode)
{
	int at = find_name(l, path);

	if (at < 0) {
		assert_true(l->n < FILES_MAX);
		at = (int)l->n++;
		snprintf(l->v[at].path, sizeof(l->v[at].path), "%s", path);
	}
	l->v[at].inode = inode;
}

static void
drop_name(struct names *l, const char *path)
{
	int at = find_name(l, path);

	if (at >= 0)
		l->v[at] = l->v[--l->n];
}

static void
change_names(struct names *l, const struct op *o, int inode)
{
	if (o->op == 'R')
		drop_name(l, o->path);
	if (o->op == 'U')
		drop_name(l, o->path);
	else
		set_name(l, o->op == 'R' || o->op == 'L' ? o->path2 : o->path, inode);
}

static bool
in_folder(const char *path, const char *folder)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	return n == strlen(folder) && strncmp(path, folder, n) == 0;
}

static void
apply(struct buf *content, const struct op *o, struct slice data)
{
	size_t end = (size_t)o->off + data.n;

	if (o->op == 'T')
		end = (size_t)o->off;
	while (content->n < end)
		buf_add(content, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", end - content->n < 15 ? end - content->n : 15);
	if (o->op == 'T')
		content->n = end;
	else if (data.n != 0)
		memcpy(content->p + o->off, data.p, data.n);
}

/* skip: a word; syncs of paths that hold it do not count (the controls). */
static void
sync_path(struct disk *d, const char *path, const char *skip)
{
	int at = find_name(&d->now, path);
	struct inode *x = at >= 0 && d->now.v[at].inode >= 0 ? &d->inodes[d->now.v[at].inode] : NULL;
	size_t i, kept = 0;

	if (skip != NULL && (strcmp(skip, "folder") == 0 ? x == NULL : strstr(path, skip) != NULL))
		return;
	if (x != NULL) {
		for (i = 0; i < x->n_pend; i++)
			apply(&x->sure, x->pend[i], x->pend[i]->data);
		x->n_pend = 0;
		return;
	}
	for (i = 0; i < d->n_pend; i++) {
		const struct op *o = d->pend[i].op;

		if (in_folder(o->op == 'R' || o->op == 'L' ? o->path2 : o->path, path))
			change_names(&d->sure, o, d->pend[i].inode);
		else
			d->pend[kept++] = d->pend[i];
	}
	d->n_pend = kept;
}

static void
sync_all(struct disk *d)
{
	size_t i, k;

	for (i = 0; i < d->n_inodes; i++) {
		struct inode *x = &d->inodes[i];

		for (k = 0; k < x->n_pend; k++)
			apply(&x->sure, x->pend[k], x->pend[k]->data);
		x->n_pend = 0;
	}
	d->sure = d->now;
	d->n_pend = 0;
}

void
disk_play(struct disk *d, const struct op *o, const char *skip)
{
	int at = find_name(&d->now, o->path), inode = at >= 0 ? d->now.v[at].inode : -1;

	if (o->op == 'S') {
		sync_path(d, o->path, skip);
	} else if (o->op == 'F') {
		if (skip == NULL || skip[0] != 0)
			sync_all(d);
	} else if (o->op == 'W' || o->op == 'T') {
		struct inode *x;

		if (inode < 0)
			return;
		x = &d->inodes[inode];
		assert_true(mem_grow(&x->pend, &x->cap_pend, x->n_pend, sizeof(struct op *)));
		x->pend[x->n_pend++] = o;
	} else if (o->op != 'A') {
		if (o->op == 'C') {
			assert_true(d->n_inodes < FILES_MAX);
			inode = (int)d->n_inodes++;
		}
		assert_true(d->n_pend < PEND_MAX);
		d->pend[d->n_pend].op = o;
		d->pend[d->n_pend++].inode = inode;
		change_names(&d->now, o, inode);
	}
}

/* LMDB's files are not part of a disk: the index is made again, or an older copy put there. */
static bool
is_lmdb(const char *name)
{
	return strcmp(name, "index") == 0 || strcmp(name, "ops") == 0;
}

static void
load_below(struct disk *d, const char *dir, const char *front)
{
	DIR *l = opendir(dir);
	const struct dirent *de;
	struct err e = {0};

	assert_non_null(l);
	while ((de = readdir(l)) != NULL) {
		char path[500], rel[300];
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		snprintf(rel, sizeof(rel), "%s%s%s", front, front[0] != 0 ? "/" : "", de->d_name);
		if (lstat(path, &st) != 0 || (S_ISDIR(st.st_mode) && is_lmdb(de->d_name)))
			continue;
		if (S_ISDIR(st.st_mode)) {
			set_name(&d->sure, rel, -1);
			load_below(d, path, rel);
		} else if (S_ISREG(st.st_mode)) {
			assert_true(d->n_inodes < FILES_MAX);
			OK(sys_read_file(AT_FDCWD, path, 64 << 20, &d->inodes[d->n_inodes].sure, &e));
			set_name(&d->sure, rel, (int)d->n_inodes++);
		}
	}
	closedir(l);
}

void
disk_load(struct disk *d, const char *dir)
{
	load_below(d, dir, "");
	d->now = d->sure;
}

void
disk_free(struct disk *d)
{
	size_t i;

	for (i = 0; i < d->n_inodes; i++) {
		buf_release(&d->inodes[i].sure);
		free(d->inodes[i].pend);
	}
	free(d);
}

static uint32_t
coin(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void
apply_sectors(struct buf *c, const struct op *o, uint32_t *seed)
{
	size_t i;

	for (i = 0; i < o->data.n; i += SECTOR) {
		struct op part = {.op = 'W', .off = o->off + i};
		size_t n = o->data.n - i < SECTOR ? o->data.n - i : SECTOR;

		if (coin(seed) % 2 != 0)
			apply(c, &part, slice_of(o->data.p + i, n));
	}
}

/* What looks whole from behind: the first sector or any one is missing. */
static void
apply_holed(struct buf *c, const struct op *o, uint32_t *seed)
{
	AUTO(buf) struct buf was = {0};
	size_t sectors = (o->data.n + SECTOR - 1) / SECTOR;
	size_t hole = coin(seed) % 2 != 0 || sectors == 0 ? 0 : coin(seed) % sectors * SECTOR;
	struct op part = {.op = 'W', .off = o->off + hole};
	size_t n = o->data.n - hole < SECTOR ? o->data.n - hole : SECTOR;

	buf_addslice(&was, buf_slice(c));
	while (was.n < part.off + n)
		buf_add8(&was, 0);
	apply(c, o, o->data);
	apply(c, &part, slice_of(was.p + part.off, n));
}

static void
content_of(const struct inode *x, enum variant v, uint32_t *seed, struct buf *out)
{
	bool whole = v == ALL_KEPT || (v == FILES && coin(seed) % 2 != 0);
	size_t i;

	buf_addslice(out, buf_slice(&x->sure));
	for (i = 0; i < x->n_pend; i++) {
		const struct op *o = x->pend[i];
		AUTO(buf) struct buf zeros = {0};

		if (whole || (v == LAST_TORN && i + 1 < x->n_pend) || (o->op == 'T' && (v == ZEROED || v == SECTORS || v == HOLES))) {
			apply(out, o, o->data);
		} else if (v == LAST_TORN && o->op == 'W') {
			apply(out, o, slice_of(o->data.p, o->data.n / 2 / SECTOR * SECTOR));
		} else if (v == ZEROED && o->op == 'W') {
			while (zeros.n < o->data.n)
				buf_add8(&zeros, 0);
			apply(out, o, buf_slice(&zeros));
		} else if (v == SECTORS && o->op == 'W') {
			apply_sectors(out, o, seed);
		} else if (v == HOLES && o->op == 'W') {
			apply_holed(out, o, seed);
		}
	}
}

void
write_whole(const char *dir, const char *name, struct slice content)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	if (fd < 0)
		return; /* its folder is not on this disk */
	if (content.n != 0)
		assert_int_equal(write(fd, content.p, content.n), content.n);
	close(fd);
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

void
disk_build(const struct disk *d, enum variant v, uint32_t seed, const char *dir)
{
	struct names names = v == ALL_LOST ? d->sure : d->now;
	size_t i;

	if (v == SECTORS || v == FILES) { /* names are journaled in order: some of them */
		size_t n = d->n_pend != 0 ? coin(&seed) % (d->n_pend + 1) : 0;

		names = d->sure;
		for (i = 0; i < n; i++)
			change_names(&names, d->pend[i].op, d->pend[i].inode);
	}
	qsort(names.v, names.n, sizeof(names.v[0]), by_path);
	for (i = 0; i < names.n; i++) {
		AUTO(buf) struct buf content = {0};
		char path[400];

		snprintf(path, sizeof(path), "%s/%s", dir, names.v[i].path);
		if (names.v[i].inode < 0) {
			mkdir(path, 0700);
			continue;
		}
		content_of(&d->inodes[names.v[i].inode], v, &seed, &content);
		write_whole(dir, names.v[i].path, buf_slice(&content));
	}
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void
lab_clear(const char *path)
{
	if (access(path, F_OK) == 0)
		assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void
lab_auto(struct lab *l)
{
	lab_clear(l->dir);
}

void
lab_make(struct lab *l)
{
	snprintf(l->dir, sizeof(l->dir), "%s/everseal-crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->work, sizeof(l->work), "%s/work", l->dir);
	snprintf(l->ack, sizeof(l->ack), "%s/ack", l->dir);
	snprintf(l->record, sizeof(l->record), "%s/record", l->dir);
	snprintf(l->state, sizeof(l->state), "%s/state", l->dir);
	snprintf(l->count, sizeof(l->count), "%s/count", l->dir);
}

const char *
recorder_path(void)
{
	static char path[400];
	char self[300] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	assert_non_null(slash);
	snprintf(path, sizeof(path), "%.*s/recorder.so", (int)(slash - self), self);
	return path;
}

