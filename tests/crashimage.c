/* SPDX-License-Identifier: MIT */
#include "tests/crashimage.h"

#include "tests/crashdisk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512
#define TAIL 3000 /* octets at a file's end that are struck as often as all before them */

uint64_t
dice(uint64_t seed, unsigned use)
{
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + use * UINT64_C(0xbf58476d1ce4e5b9) + 1;

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void
image_clear(struct image *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		buf_release(&m->v[i].octets);
	m->n = 0;
}

struct image_file *
image_find(struct image *m, const char *path)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->v[i].path, path) == 0)
			return &m->v[i];
	return NULL;
}

static void
load_below(struct image *m, const char *dir, const char *rel)
{
	struct dirent **names = NULL;
	struct err e = {0};
	char path[700];
	int n, k;

	snprintf(path, sizeof(path), "%s/%s", dir, rel);
	n = scandir(path, &names, NULL, alphasort);
	for (k = 0; k < n; k++) {
		char one[300];
		struct image_file *f;
		struct stat st;

		snprintf(one, sizeof(one), "%s%s%.180s", rel, rel[0] != 0 ? "/" : "", names[k]->d_name);
		snprintf(path, sizeof(path), "%s/%s", dir, one);
		if (strcmp(names[k]->d_name, ".") != 0 && strcmp(names[k]->d_name, "..") != 0 && lstat(path, &st) == 0 &&
		    image_find(m, one) == NULL) {
			assert_true(m->n < IMAGE_FILES && strlen(one) < sizeof(m->v[0].path));
			f = &m->v[m->n++];
			*f = (struct image_file){.folder = S_ISDIR(st.st_mode)};
			memcpy(f->path, one, strlen(one) + 1);
			if (S_ISREG(st.st_mode))
				OK(sys_read_file(AT_FDCWD, path, 64 << 20, &f->octets, &e));
			else if (f->folder)
				load_below(m, dir, one);
		}
		free(names[k]);
	}
	free(names);
}

void
image_load(struct image *m, const char *dir)
{
	load_below(m, dir, "");
}

static bool
is_in(const char *path, const char *folder)
{
	size_t n = folder != NULL ? strlen(folder) : 0;

	return n != 0 && strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/');
}

void
image_write(const struct image *m, const char *dir, const char *without)
{
	char path[700];
	size_t i;

	lab_clear(dir);
	mkdir(dir, 0700);
	for (i = 0; i < m->n; i++) {
		if (is_in(m->v[i].path, without))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, m->v[i].path);
		if (m->v[i].folder)
			mkdir(path, 0700);
		else
			write_whole(dir, m->v[i].path, buf_slice(&m->v[i].octets));
	}
}

size_t
image_lost(const struct image *m, const char *word)
{
	size_t i, n = 0;

	for (i = 0; i < m->n; i++) {
		const struct buf *o = &m->v[i].octets;

		n += strstr(m->v[i].path, "/manifest.json") != NULL && o->n != 0 && memmem(o->p, o->n, word, strlen(word)) != NULL;
	}
	return n;
}

int
image_search(const struct image *m, struct slice octets, size_t *at)
{
	const uint8_t *p;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (strstr(m->v[i].path, ".mdb") != NULL)
			continue;
		p = m->v[i].octets.n >= octets.n ? memmem(m->v[i].octets.p, m->v[i].octets.n, octets.p, octets.n) : NULL;
		if (p == NULL)
			continue;
		*at = (size_t)(p - m->v[i].octets.p);
		return (int)i;
	}
	return -1;
}

/* --- damage --- */

/* Anywhere, or near the end, or (much of LMDB's files is empty) where something stands. */
static size_t
choose_at(const struct buf *octets, uint64_t seed, unsigned use)
{
	size_t n = octets->n, at = dice(seed, use) % n, k;

	if (dice(seed, use + 1) % 2 == 0)
		return at;
	if (n > 2 * TAIL && octets->p[0] != 0)
		at = n - 1 - dice(seed, use + 2) % TAIL;
	for (k = 0; k < n && octets->p[at] == 0; k++)
		at = (at + 1) % n;
	return at;
}

static bool
is_head(const struct buf *o, size_t at)
{
	return at + SECTOR <= o->n && memcmp(o->p + at + 257, "ustar", 5) == 0;
}

/* The group members of all files, one after another: the turn-th one, or the first of that name in another file than not. */
static bool
find_group(const struct image *m, uint64_t turn, const char *name, int not, int *file, size_t *at)
{
	size_t off;
	int i;

	for (i = 0; i < (int)m->n; i++)
		for (off = 0; strstr(m->v[i].path, ".tar") != NULL && i != not && off + SECTOR <= m->v[i].octets.n; off += SECTOR) {
			const char *here = (const char *)m->v[i].octets.p + off;

			if (!is_head(&m->v[i].octets, off) || strncmp(here, "groups/", 7) != 0 ||
			    (name != NULL ? strcmp(here, name) != 0 : turn-- != 0))
				continue;
			*file = i;
			*at = off;
			return true;
		}
	return false;
}

/* One octet of both copies of a group; its last one is hit most often. */
static bool
choose_twins(const struct image *m, uint64_t seed, struct blow *out)
{
	const char *head;
	unsigned long size;
	uint64_t n = 0;

	while (find_group(m, n, NULL, -1, &out->file, &out->at))
		n++;
	if (n == 0 || !find_group(m, dice(seed, 21) % 2 != 0 ? n - 1 : dice(seed, 22) % n, NULL, -1, &out->file, &out->at))
		return false;
	head = (const char *)m->v[out->file].octets.p + out->at;
	size = strtoul(head + 124, NULL, 8);
	if (!find_group(m, 0, head, out->file, &out->file2, &out->at2))
		return false;
	out->at += SECTOR + dice(seed, 23) % size;
	out->at2 += SECTOR + dice(seed, 24) % size;
	out->bit2 = out->bit;
	return out->at < m->v[out->file].octets.n && out->at2 < m->v[out->file2].octets.n;
}

static int
nth_file(const struct image *m, uint64_t turn)
{
	size_t i, files = 0;

	for (i = 0; i < m->n; i++)
		files += m->v[i].octets.n != 0;
	if (files == 0)
		return -1;
	turn %= files;
	for (i = 0; i < m->n; i++)
		if (m->v[i].octets.n != 0 && turn-- == 0)
			return (int)i;
	return -1;
}

bool
blow_choose(const struct image *m, enum damage kind, uint64_t turn, uint64_t seed, struct blow *out)
{
	*out = (struct blow){.kind = kind, .file = nth_file(m, turn), .file2 = -1};
	if (out->file < 0)
		return false;
	out->at = choose_at(&m->v[out->file].octets, seed, 10);
	out->bit = (uint8_t)(1u << dice(seed, 14) % 8);
	if (kind == FLIP_TWINS && !choose_twins(m, seed, out)) {
		out->kind = kind = FLIP_TWICE;
		out->file = nth_file(m, turn);
		out->at = choose_at(&m->v[out->file].octets, seed, 10);
	}
	if (kind == FLIP_TWICE) {
		out->file2 = nth_file(m, dice(seed, 15));
		out->at2 = choose_at(&m->v[out->file2].octets, seed, 16);
		out->bit2 = (uint8_t)(1u << dice(seed, 20) % 8);
	}
	return true;
}

void
blow_strike(struct image *m, const struct blow *b)
{
	struct buf *o = &m->v[b->file].octets;
	size_t from = b->at / SECTOR * SECTOR;

	if (b->kind == SECTOR_ZERO)
		memset(o->p + from, 0, o->n - from < SECTOR ? o->n - from : SECTOR);
	else if (b->kind != FILE_GONE)
		o->p[b->at] ^= b->bit;
	if (b->kind == FLIP_TWICE || b->kind == FLIP_TWINS)
		m->v[b->file2].octets.p[b->at2] ^= b->bit2;
	if (b->kind != FILE_GONE)
		return;
	buf_release(o);
	memmove(&m->v[b->file], &m->v[b->file + 1], (--m->n - (size_t)b->file) * sizeof(m->v[0]));
}

/* --- in words --- */

/* The kind of member that octet at lies in. */
static void
tell_member(const struct buf *o, size_t at, char *out, size_t n)
{
	size_t head = at / SECTOR * SECTOR, next;
	const char *name, *kind = "other";
	unsigned long size;

	while (head > 0 && !is_head(o, head))
		head -= SECTOR;
	if (!is_head(o, head)) {
		snprintf(out, n, "front");
		return;
	}
	name = (const char *)o->p + head;
	size = strtoul(name + 124, NULL, 8);
	if (strncmp(name, "groups/", 7) == 0)
		kind = "group";
	else if (strncmp(name, "objects/", 8) == 0)
		kind = "object";
	else if (strstr(name, ".members") != NULL)
		kind = "table";
	else if (strncmp(name, "segments/", 9) == 0)
		kind = "birth";
	for (next = head + SECTOR; next < o->n && !is_head(o, next);)
		next += SECTOR;
	snprintf(out, n, "%s%s%s", next >= o->n ? "last " : "", kind,
	    at < head + SECTOR ? " head" : at < head + SECTOR + size ? "" : " padding");
}

void
blow_tell(const struct image *m, const struct blow *b, char out[120])
{
	static const char *const how[UNHURT] = {"flip", "sector", "gone", "two flips", "both copies"};
	const struct image_file *f = &m->v[b->file];
	char kind[60] = "", member[40] = "";
	size_t n;

	snprintf(kind, sizeof(kind), "%.50s", f->path);
	n = strcspn(kind, "0123456789");
	if (n > 0 && kind[n] != 0)
		kind[n - (kind[n - 1] == '-')] = 0;
	if (b->kind != FILE_GONE && strstr(f->path, ".tar") != NULL)
		tell_member(&f->octets, b->at, member, sizeof(member));
	snprintf(out, 120, "%s %s%s%s", how[b->kind], kind, member[0] != 0 ? ": " : "", member);
}
