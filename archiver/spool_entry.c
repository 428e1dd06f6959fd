/* SPDX-License-Identifier: MIT */
/* Reading what was claimed: names, files, the meta file. The depositor may still be at work on all of it. */
#include "archiver/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define META_BYTES ((size_t)64 << 10)
#define DEPTH_MAX 8

void
entry_close(struct entry *en)
{
	size_t i;

	for (i = 0; i < en->n_files; i++) {
		fd_auto(&en->fds[i]);
		en->fds[i] = -1;
	}
}

void
entry_release(struct entry *en)
{
	size_t i;

	entry_close(en);
	for (i = 0; i < en->n_files; i++)
		free(en->names[i]);
	free(en->fds);
	free(en->names);
	free(en->files);
	free(en->name);
	json_decref(en->meta);
	*en = (struct entry){0};
}

bool
ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && strcmp(s + n - k, suffix) == 0;
}

bool
entry_of(const char *in_cur, struct entry *en)
{
	*en = (struct entry){0};
	if (strlen(in_cur) <= UUID_TEXT || in_cur[UUID_TEXT - 1] != '.')
		return false;
	memcpy(en->record, in_cur, UUID_TEXT - 1);
	if (!uuid7_is(en->record))
		return false;
	en->name = mem_dupstr(in_cur + UUID_TEXT);
	return en->name != NULL;
}

/* ---- names ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
free_names(char **v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

/* A list that misses a name would lose a file: no memory and a read error are errors, the end alone is the end. */
static enum err_code
read_names(DIR *d, bool hidden, char ***v, size_t *n, bool *more, struct err *e)
{
	struct dirent *de = NULL;
	size_t cap = 0;

	for (errno = 0; (de = readdir(d)) != NULL; errno = 0) {
		const char *name = de->d_name;

		if (name[0] == '.' && (!hidden || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
			continue;
		if (*n == LIST_MAX) {
			*more = true;
			return ERR_OK;
		}
		if (!mem_grow(v, &cap, *n, sizeof(**v)) || ((*v)[*n] = mem_dupstr(name)) == NULL)
			return err_nomem(e);
		++*n;
	}
	return errno == 0 ? ERR_OK : err_errno(e, ERR_IO, errno, "list");
}

enum err_code
list_names(int dir, bool hidden, char ***out, size_t *n, bool *more, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	enum err_code r;

	*out = NULL;
	*n = 0;
	*more = false;
	if (d == NULL)
		return err_errno(e, ERR_IO, errno, "list");
	r = read_names(d, hidden, out, n, more, e);
	closedir(d);
	if (r != ERR_OK) {
		free_names(*out, *n);
		*out = NULL;
		*n = 0;
		return r;
	}
	if (*n > 1)
		qsort(*out, *n, sizeof(**out), by_name);
	return ERR_OK;
}

/*
 * A read lease is refused while somebody writes. It needs the file's owner or a privilege; where it can't be asked for,
 * the habit (write in tmp/, then rename) and the digest taken twice have to do.
 */
bool
still_written(int dir, const char *name)
{
	AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	/* Who opens the file while the lease stands makes the kernel send this signal: one that is ignored by default. */
	if (fcntl(fd, F_SETSIG, SIGURG) != 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
		return errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

/* ---- files ---- */

struct reading {
	struct entry *en;
	const struct conf_limits *limits;
};

static enum err_code
add_file(const struct reading *r, int dir, const char *name, const char *shown, struct err *e)
{
	struct entry *en = r->en;
	size_t k = en->n_files;
	AUTO(fd) int fd = -1;
	uint64_t size = 0;

	if (k >= r->limits->record_files)
		return err_set(e, ERR_REFUSED, "more than %u files in one deposit", r->limits->record_files);
	if (sys_open_read(dir, name, &fd, e) != ERR_OK || sys_size(fd, &size, e) != ERR_OK) {
		if (fd < 0 && faccessat(dir, name, R_OK, AT_EACCESS) != 0 && errno == EACCES)
			return err_set(e, ERR_REFUSED, "%s: the service may not read it: chmod -R g+rwX first", shown);
		return err_wrap(e, "%s", shown);
	}
	if (!mem_grow(&en->fds, &en->cap_fds, k, sizeof(*en->fds)) || !mem_grow(&en->names, &en->cap_names, k, sizeof(*en->names)) ||
	    (en->names[k] = mem_dupstr(shown)) == NULL)
		return err_nomem(e);
	en->fds[k] = fd;
	fd = -1;
	en->n_files = k + 1;
	en->bytes += size;
	return ERR_OK;
}

static enum err_code
kind_refused(const char *shown, mode_t mode, struct err *e)
{
	return err_set(e, ERR_REFUSED, "%s is a %s; only files and folders are accepted", shown,
	    S_ISLNK(mode) ? "symbolic link" : "device, socket or pipe");
}

/* What was a folder a moment ago may be a link by now. */
static enum err_code
open_folder(int dir, const char *name, const char *shown, int *fd, struct err *e)
{
	*fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0)
		return ERR_OK;
	return err_errno(e, is_depositors(errno) ? ERR_REFUSED : ERR_IO, errno, "open %s", shown);
}

static enum err_code add_folder(const struct reading *r, int dir, const char *prefix, unsigned depth, struct err *e);

static enum err_code
add_name(const struct reading *r, int dir, const char *name, const char *prefix, unsigned depth, struct err *e)
{
	AUTO(mem) char *shown = prefix[0] != '\0' ? mem_printf("%s/%s", prefix, name) : mem_dupstr(name);
	AUTO(fd) int sub = -1;
	struct stat st;

	if (shown == NULL)
		return err_nomem(e);
	/* Empty folders count, too: a tree of them would take for ever. */
	if (++r->en->n_seen > (size_t)r->limits->record_files + LIST_MAX)
		return err_set(e, ERR_REFUSED, "too many names in one deposit");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(e, is_depositors(errno) ? ERR_REFUSED : ERR_IO, errno, "%s", shown);
	if (S_ISREG(st.st_mode))
		return add_file(r, dir, name, shown, e);
	if (!S_ISDIR(st.st_mode))
		return kind_refused(shown, st.st_mode, e);
	if (depth >= DEPTH_MAX)
		return err_set(e, ERR_REFUSED, "%s: folders deeper than %d", shown, DEPTH_MAX);
	if (open_folder(dir, name, shown, &sub, e) != ERR_OK)
		return e->code;
	return add_folder(r, sub, shown, depth + 1, e);
}

/* Hidden files are part of what was deposited: the receipt permits to delete the folder. */
static enum err_code
add_folder(const struct reading *r, int dir, const char *prefix, unsigned depth, struct err *e)
{
	char **names = NULL;
	bool more = false;
	enum err_code code;
	size_t n = 0, i;

	code = list_names(dir, true, &names, &n, &more, e);
	if (code == ERR_OK && more)
		code = err_set(e, ERR_REFUSED, "%s: more than %zu names in one folder", prefix[0] != '\0' ? prefix : "deposit", LIST_MAX);
	for (i = 0; code == ERR_OK && i < n; i++)
		code = add_name(r, dir, names[i], prefix, depth, e);
	free_names(names, n);
	return code;
}

static enum err_code
read_meta(const struct spool *s, const char *in_cur, struct entry *en, struct err *e)
{
	AUTO(mem) char *name = mem_printf("%s%s", in_cur, META_SUFFIX);
	AUTO(buf) struct buf text = {0};
	enum err_code r;

	if (name == NULL)
		return err_nomem(e);
	r = sys_read_file(s->cur, name, META_BYTES, &text, e);
	if (r == ERR_NOTFOUND) {
		*e = (struct err){0};
		return ERR_OK;
	}
	if (r != ERR_OK)
		return err_wrap(e, "meta file");
	if (json_read(buf_slice(&text), NULL, &en->meta, e) != ERR_OK)
		return err_wrap(e, "meta file");
	return ERR_OK;
}

static enum err_code
read_all(const struct spool *s, const struct reading *r, const char *in_cur, struct err *e)
{
	struct entry *en = r->en;
	AUTO(fd) int sub = -1;
	enum err_code code;
	struct stat st;
	size_t i;

	if (read_meta(s, in_cur, en, e) != ERR_OK)
		return e->code;
	if (fstatat(s->cur, in_cur, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(e, ERR_IO, errno, "%s", en->name);
	if (S_ISREG(st.st_mode)) {
		code = add_file(r, s->cur, in_cur, en->name, e);
	} else if (S_ISDIR(st.st_mode)) {
		code = open_folder(s->cur, in_cur, en->name, &sub, e);
		if (code == ERR_OK)
			code = add_folder(r, sub, "", 0, e);
	} else {
		code = kind_refused(en->name, st.st_mode, e);
	}
	if (code != ERR_OK)
		return code;
	en->files = mem_new(en->n_files, sizeof(*en->files));
	if (en->files == NULL)
		return err_nomem(e);
	for (i = 0; i < en->n_files; i++)
		en->files[i] = (struct deposit_file){en->names[i], en->fds[i]};
	return ERR_OK;
}

void
entry_read(const struct spool *s, const struct conf_limits *limits, const char *in_cur, struct entry *en)
{
	struct reading r = {en, limits};
	struct err e = {0};

	if (read_all(s, &r, in_cur, &e) != ERR_OK)
		en->why = e;
}
