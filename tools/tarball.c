/* SPDX-License-Identifier: MIT */
#include "tools/tarball.h"

#include "base/sys.h"
#include "tools/archive_late.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
writer_auto(struct archive **a)
{
	if (*a != NULL)
		archive_write_free(*a);
}

static void
entry_auto(struct archive_entry **e)
{
	archive_entry_free(*e);
}

static enum err_code
fault(struct archive *a, const char *path, struct err *e)
{
	return err_set(e, archive_errno(a) == ENOSPC ? ERR_NOSPACE : ERR_IO, "%s: %s", path, archive_error_string(a));
}

static enum err_code
header(struct archive *a, const char *member, const struct stat *st, struct err *e)
{
	AUTO(entry) struct archive_entry *entry = archive_entry_new();

	if (entry == NULL)
		return err_nomem(e);
	archive_entry_set_pathname(entry, member);
	archive_entry_set_filetype(entry, S_ISDIR(st->st_mode) ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(entry, S_ISDIR(st->st_mode) ? 0755 : 0644);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, S_ISDIR(st->st_mode) ? 0 : st->st_size);
	return archive_write_header(a, entry) == ARCHIVE_OK ? ERR_OK : fault(a, member, e);
}

static enum err_code
write_piece(void *ctx, struct slice s, struct err *e)
{
	return archive_write_data(ctx, s.p, s.n) == (la_ssize_t)s.n ? ERR_OK : fault(ctx, "member", e);
}

static enum err_code
add_file(struct archive *a, const char *path, const char *member, const struct stat *st, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct sink to = {write_piece, a};
	struct source from;

	if (sys_open_read(AT_FDCWD, path, &fd, e) != ERR_OK || source_fd(&fd, &from, e) != ERR_OK || header(a, member, st, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	return source_copy(&from, 0, (uint64_t)st->st_size, &to, e);
}

static enum err_code
add(struct archive *a, const char *path, const char *member, struct err *e)
{
	struct dirent **names = NULL;
	struct stat st;
	enum err_code r;
	int n, i;

	if (lstat(path, &st) != 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	if (S_ISREG(st.st_mode))
		return add_file(a, path, member, &st, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_REFUSED, "%s is neither file nor folder", path);
	r = header(a, member, &st, e);
	n = r == ERR_OK ? scandir(path, &names, NULL, alphasort) : 0;
	if (n < 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	for (i = 0; i < n; i++) {
		AUTO(mem) char *inner = mem_printf("%s/%s", path, names[i]->d_name);
		AUTO(mem) char *shown = mem_printf("%s/%s", member, names[i]->d_name);

		if (r == ERR_OK && strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
			r = inner != NULL && shown != NULL ? add(a, inner, shown, e) : err_nomem(e);
		free(names[i]);
	}
	free(names);
	return r;
}

enum err_code
tarball_write(const char *dir, const char *name, const char *path, struct err *e)
{
	AUTO(writer) struct archive *a = NULL;
	AUTO(fd) int fd = -1;
	enum err_code r;

	if (late_load(&archive_late, e) != ERR_OK)
		return err_wrap(e, "libarchive");
	a = archive_write_new();
	if (a == NULL)
		return err_nomem(e);
	if (sys_create(AT_FDCWD, path, 0644, &fd, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	r = archive_write_set_format_pax_restricted(a) == ARCHIVE_OK && archive_write_open_fd(a, fd) == ARCHIVE_OK ? add(a, dir, name, e) : fault(a, path, e);
	if (r == ERR_OK && archive_write_close(a) != ARCHIVE_OK)
		r = fault(a, path, e);
	if (r == ERR_OK)
		r = sys_fdatasync(fd, e);
	if (r != ERR_OK)
		(void)unlink(path);
	return r;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
tarball_remove(const char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
