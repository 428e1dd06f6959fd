/* SPDX-License-Identifier: MIT */
/* A directory as a place. */
#include "store/place.h"

#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP ".put-" /* half-written objects start so; no name that a place takes does */

struct dir_place {
	int fd;
	unsigned serial;
};

bool
place_name_ok(const char *name)
{
	size_t n = strlen(name), part = 0, i;

	if (n == 0 || n > PLACE_NAME_MAX)
		return false;
	for (i = 0; i <= n; i++) {
		char c = name[i];

		if (c == '/' || c == 0) {
			if (i == part || name[part] == '.')
				return false;
			part = i + 1;
		} else if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", c) == NULL) {
			return false;
		}
	}
	return true;
}

static enum err_code
checked(const char *name, struct err *e)
{
	return place_name_ok(name) ? ERR_OK : err_set(e, ERR_USAGE, "place: name \"%.200s\"", name);
}

/* A name of a left-over, by another process of this number or on another machine, is not ours to touch: the next one. */
static enum err_code
create_tmp(struct dir_place *p, const char *folder, char *tmp, size_t size, int *fd, struct err *e)
{
	enum err_code r;

	do {
		snprintf(tmp, size, "%s/" TMP "%ld-%u", folder, (long)getpid(), p->serial++);
		r = sys_create(p->fd, tmp, 0440, fd, e);
	} while (r == ERR_EXISTS);
	return r;
}

/* The folder that a name lies in ("." or the part before the last slash). */
static void
folder_of(const char *name, char out[PLACE_NAME_MAX + 1])
{
	const char *slash = strrchr(name, '/');

	if (slash == NULL)
		snprintf(out, PLACE_NAME_MAX + 1, ".");
	else
		snprintf(out, PLACE_NAME_MAX + 1, "%.*s", (int)(slash - name), name);
}

static enum err_code
write_file(int *fd, const struct source *from, struct err *e)
{
	const struct sink to = sink_fd(fd);
	enum err_code r = source_copy(from, 0, from->size_bytes, &to, e);

	if (r == ERR_OK)
		r = sys_fdatasync(*fd, e);
	return r == ERR_OK ? sys_close(fd, e) : r;
}

static enum err_code
dir_put(void *ctx, const char *name, const struct source *from, struct err *e)
{
	struct dir_place *p = ctx;
	char folder[PLACE_NAME_MAX + 1], tmp[PLACE_NAME_MAX + 64];
	AUTO(fd) int fd = -1;
	enum err_code r = checked(name, e);

	if (r != ERR_OK)
		return r;
	folder_of(name, folder);
	if (strcmp(folder, ".") != 0)
		r = sys_mkdirs(p->fd, folder, 0750, e);
	if (r == ERR_OK)
		r = create_tmp(p, folder, tmp, sizeof(tmp), &fd, e);
	if (r != ERR_OK)
		return r;
	r = write_file(&fd, from, e);
	if (r == ERR_OK)
		r = sys_rename_new(p->fd, tmp, p->fd, name, e);
	if (r != ERR_OK) {
		unlinkat(p->fd, tmp, 0);
		return r;
	}
	return sys_sync_dir(p->fd, folder, e);
}

static enum err_code
dir_get_range(void *ctx, const char *name, uint64_t off, uint64_t n, const struct sink *to, struct err *e)
{
	struct dir_place *p = ctx;
	AUTO(fd) int fd = -1;
	struct source from;
	enum err_code r = checked(name, e);

	if (r == ERR_OK)
		r = sys_open_read(p->fd, name, &fd, e);
	if (r == ERR_OK)
		r = source_fd(&fd, &from, e);
	if (r != ERR_OK)
		return r;
	if (off > from.size_bytes || from.size_bytes - off < n)
		return err_set(e, ERR_USAGE, "place: range behind the end of %s", name);
	return source_copy(&from, off, n, to, e);
}

struct names {
	struct found {
		char name[PLACE_NAME_MAX + 1];
		uint64_t size;
	} *v;
	size_t n, cap;
};

static void
names_auto(struct names *l)
{
	free(l->v);
}

static void
dirp_auto(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static enum err_code collect(int dir, const char *front, const char *prefix, struct names *l, struct err *e);

static enum err_code
one_entry(int dir, const char *path, const char *prefix, const char *base, struct names *l, struct err *e)
{
	struct stat st;
	size_t n = strlen(path), k = strlen(prefix);

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_OK : err_errno(e, ERR_IO, errno, "place: %s", path);
	if (S_ISDIR(st.st_mode)) {
		AUTO(fd) int sub = -1;

		if (strncmp(path, prefix, n < k ? n : k) != 0)
			return ERR_OK;
		sub = openat(dir, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		return sub >= 0 ? collect(sub, path, prefix, l, e) : err_errno(e, ERR_IO, errno, "place: %s", path);
	}
	if (!S_ISREG(st.st_mode) || strncmp(path, prefix, k) != 0)
		return ERR_OK;
	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		return err_nomem(e);
	snprintf(l->v[l->n].name, sizeof(l->v->name), "%s", path);
	l->v[l->n++].size = (uint64_t)st.st_size;
	return ERR_OK;
}

static enum err_code
collect(int dir, const char *front, const char *prefix, struct names *l, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dirp) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;
	enum err_code r = ERR_OK;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_errno(e, ERR_IO, errno, "place: %s", front);
	}
	while (r == ERR_OK && (errno = 0, de = readdir(d)) != NULL) {
		AUTO(mem) char *path = mem_printf("%s%s%s", front, front[0] != 0 ? "/" : "", de->d_name);

		if (path == NULL)
			return err_nomem(e);
		if (place_name_ok(path))
			r = one_entry(dir, path, prefix, de->d_name, l, e);
	}
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static enum err_code
dir_list(void *ctx, const char *prefix, const struct place_each *each, struct err *e)
{
	struct dir_place *p = ctx;
	AUTO(names) struct names l = {0};
	bool stop = false;
	size_t i;
	enum err_code r = collect(p->fd, "", prefix, &l, e);

	if (r == ERR_OK && l.n != 0)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	for (i = 0; r == ERR_OK && !stop && i < l.n; i++)
		r = each->item(each->ctx, l.v[i].name, l.v[i].size, &stop, e);
	return r;
}

static enum err_code
dir_remove(void *ctx, const char *name, struct err *e)
{
	struct dir_place *p = ctx;
	char folder[PLACE_NAME_MAX + 1];
	enum err_code r = checked(name, e);

	if (r == ERR_OK)
		r = sys_unlink(p->fd, name, e);
	if (r != ERR_OK)
		return r;
	folder_of(name, folder);
	return sys_sync_dir(p->fd, folder, e);
}

static void
dir_close(void *ctx)
{
	struct dir_place *p = ctx;

	close(p->fd);
	free(p);
}

static const struct place_ops DIR_OPS = {
    .kind = "dir",
    .put = dir_put,
    .get_range = dir_get_range,
    .list = dir_list,
    .remove = dir_remove,
    .close = dir_close,
};

enum err_code
place_dir_open(const char *path, struct place *out, struct err *e)
{
	struct dir_place *p = mem_new(1, sizeof(*p));
	enum err_code r;

	if (p == NULL)
		return err_nomem(e);
	r = sys_open_dir(AT_FDCWD, path, &p->fd, e);
	if (r != ERR_OK) {
		free(p);
		return r;
	}
	*out = (struct place){&DIR_OPS, p};
	return ERR_OK;
}

void
place_close(struct place *p)
{
	if (p->ops != NULL)
		p->ops->close(p->ctx);
	*p = (struct place){.ops = NULL};
}

void
place_auto(struct place *p)
{
	int saved = errno;

	place_close(p);
	errno = saved;
}
