/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(size_t) == 8 && sizeof(off_t) == 8, "64-bit systems only: an index of a terabyte is mapped, sizes are size_t");

/* One read or write call moves at most this much, so that a signal or a full disk shows early. */
#define IO_PIECE ((size_t)16 << 20)

static int64_t
real_now(void *ctx)
{
	(void)ctx;
	return (int64_t)time(NULL);
}

struct clock
clock_real(void)
{
	return (struct clock){.now_utc = real_now};
}

static int64_t
fixed_now(void *ctx)
{
	return *(const int64_t *)ctx;
}

enum clock_sync
sys_clock_sync(void)
{
	struct timex t = {.modes = 0};

	if (adjtimex(&t) < 0)
		return CLOCK_UNKNOWN;
	return (t.status & STA_UNSYNC) == 0 ? CLOCK_SYNCHRONISED : CLOCK_UNSYNCHRONISED;
}

struct clock
clock_fixed(const int64_t *utc)
{
	return (struct clock){.now_utc = fixed_now, .ctx = (void *)(uintptr_t)utc};
}

int64_t
sys_monotonic_ms(void)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static enum err_code
openssl_fill(void *ctx, void *to, size_t n, struct err *e)
{
	(void)ctx;
	if (n > INT32_MAX)
		return err_set(e, ERR_BUG, "%zu random octets", n);
	if (RAND_bytes(to, (int)n) != 1)
		return err_openssl(e, ERR_IO, "random octets");
	return ERR_OK;
}

struct entropy
entropy_openssl(void)
{
	return (struct entropy){.fill = openssl_fill};
}

enum err_code
entropy_fill(const struct entropy *r, void *to, size_t n, struct err *e)
{
	return r->fill(r->ctx, to, n, e);
}

enum err_code
uuid7(int64_t unix_ms, const struct entropy *r, char out[UUID_TEXT], struct err *e)
{
	uint8_t u[16];
	char hex[33];

	if (unix_ms < 0 || unix_ms >> 48 != 0)
		return err_set(e, ERR_BUG, "a UUID can't hold the time %lld ms", (long long)unix_ms);
	if (entropy_fill(r, u + 6, 10, e) != ERR_OK)
		return err_wrap(e, "UUID");
	for (int i = 0; i < 6; i++)
		u[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
	u[6] = (uint8_t)(0x70 | (u[6] & 0x0f));
	u[8] = (uint8_t)(0x80 | (u[8] & 0x3f));
	hex_of(slice_of(u, sizeof(u)), hex);
	snprintf(out, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return ERR_OK;
}

bool
uuid7_is(const char *text)
{
	static const char form[] = "hhhhhhhh-hhhh-7hhh-vhhh-hhhhhhhhhhhh";
	size_t i;

	for (i = 0; form[i] != '\0' && text[i] != '\0'; i++) {
		const char *set = form[i] == 'h' ? "0123456789abcdef" : "89ab";

		if (form[i] == 'h' || form[i] == 'v' ? strchr(set, text[i]) == NULL : text[i] != form[i])
			return false;
	}
	return form[i] == '\0' && text[i] == '\0';
}

/* What an errno of a call on names means to a caller. */
static enum err_code
name_err(struct err *e, int err, const char *what, const char *name)
{
	enum err_code code = ERR_IO;

	if (err == ENOENT || err == ENOTDIR)
		code = ERR_NOTFOUND;
	else if (err == EEXIST)
		code = ERR_EXISTS;
	else if (err == ELOOP)
		code = ERR_REFUSED;
	else if (err == EACCES || err == EPERM)
		code = ERR_REFUSED;
	else if (err == ENAMETOOLONG)
		code = ERR_LIMIT;
	return err_errno(e, code, err, "%s %s", what, name);
}

/*
 * O_NONBLOCK: opening a pipe or a device must not wait; for a regular file it
 * changes nothing.
 */
enum err_code
sys_open_read(int dir, const char *name, int *fd, struct err *e)
{
	AUTO(fd) int f = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (f < 0)
		return errno == ENXIO ? err_set(e, ERR_REFUSED, "open %s: not a regular file", name)
				      : name_err(e, errno, "open", name);
	if (fstat(f, &st) != 0)
		return err_errno(e, ERR_IO, errno, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED, "open %s: not a regular file", name);
	*fd = f;
	f = -1;
	return ERR_OK;
}

enum err_code
sys_open_dir(int dir, const char *name, int *fd, struct err *e)
{
	int f = openat(dir, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

	if (f < 0)
		return errno == ENOTDIR ? err_set(e, ERR_REFUSED, "open %s: not a folder", name)
					: name_err(e, errno, "open folder", name);
	*fd = f;
	return ERR_OK;
}

enum err_code
sys_size(int fd, uint64_t *bytes, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(e, ERR_IO, errno, "stat");
	*bytes = (uint64_t)st.st_size;
	return ERR_OK;
}

enum err_code
sys_read_file(int dir, const char *name, size_t max_bytes, struct buf *out, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct source s;
	enum err_code code = sys_open_read(dir, name, &fd, e);

	if (code != ERR_OK)
		return code;
	if (source_fd(&fd, &s, e) != ERR_OK || source_read_all(&s, max_bytes, out, e) != ERR_OK)
		return err_wrap(e, "read %s", name);
	return ERR_OK;
}

enum err_code
sys_create(int dir, const char *name, mode_t mode, int *fd, struct err *e)
{
	int f = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (f < 0)
		return name_err(e, errno, "create", name);
	*fd = f;
	return ERR_OK;
}

/* EINTR: Linux has closed the descriptor all the same; closing it again could hit another's. */
enum err_code
sys_close(int *fd, struct err *e)
{
	int f = *fd;

	*fd = -1;
	if (f >= 0 && close(f) != 0 && errno != EINTR)
		return err_errno(e, ERR_IO, errno, "close");
	return ERR_OK;
}

static size_t
piece(size_t n)
{
	return n < IO_PIECE ? n : IO_PIECE;
}

enum err_code
sys_pwrite(int fd, struct slice s, uint64_t off, struct err *e)
{
	for (size_t at = 0; at < s.n;) {
		ssize_t n = pwrite(fd, s.p + at, piece(s.n - at), (off_t)(off + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(e, ERR_IO, n < 0 ? errno : ENOSPC, "write %zu octets at %llu", s.n - at,
			    (unsigned long long)(off + at));
		at += (size_t)n;
	}
	return ERR_OK;
}

enum err_code
sys_append(int fd, struct slice s, struct err *e)
{
	for (size_t at = 0; at < s.n;) {
		ssize_t n = write(fd, s.p + at, piece(s.n - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(e, ERR_IO, n < 0 ? errno : ENOSPC, "write %zu octets", s.n - at);
		at += (size_t)n;
	}
	return ERR_OK;
}

enum err_code
sys_pread(int fd, void *to, size_t n, uint64_t off, struct err *e)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = pread(fd, (uint8_t *)to + at, piece(n - at), (off_t)(off + at));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(
			    e, ERR_IO, errno, "read %zu octets at %llu", n - at, (unsigned long long)(off + at));
		if (got == 0)
			return err_set(e, ERR_DAMAGED, "the file ends at %llu, %zu octets early",
			    (unsigned long long)(off + at), n - at);
		at += (size_t)got;
	}
	return ERR_OK;
}

enum err_code
sys_truncate(int fd, uint64_t bytes, struct err *e)
{
	while (ftruncate(fd, (off_t)bytes) != 0)
		if (errno != EINTR)
			return err_errno(e, ERR_IO, errno, "truncate to %llu", (unsigned long long)bytes);
	return ERR_OK;
}

enum err_code
sys_fdatasync(int fd, struct err *e)
{
	if (fdatasync(fd) != 0)
		return err_errno(e, ERR_IO, errno, "sync");
	return ERR_OK;
}

enum err_code
sys_rename(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
	if (renameat(from_dir, from, to_dir, to) != 0)
		return name_err(e, errno, "rename to", to);
	return ERR_OK;
}

enum err_code
sys_rename_new(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) != 0)
		return name_err(e, errno, "rename to", to);
	return ERR_OK;
}

enum err_code
sys_unlink(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) != 0)
		return name_err(e, errno, "unlink", name);
	return ERR_OK;
}

enum err_code
sys_fsync_dir(int fd, struct err *e)
{
	if (fsync(fd) != 0)
		return err_errno(e, ERR_IO, errno, "sync folder");
	return ERR_OK;
}

enum err_code
sys_sync_dir(int dir, const char *path, struct err *e)
{
	AUTO(fd) int fd = -1;

	if (sys_open_dir(dir, path, &fd, e) != ERR_OK || sys_fsync_dir(fd, e) != ERR_OK)
		return err_wrap(e, "sync %s", path);
	return ERR_OK;
}

/* One folder of the path; path is cut for the call at its slash. */
static enum err_code
make_one(int dir, char *path, mode_t mode, struct err *e)
{
	char *slash;
	struct stat st;
	enum err_code code;

	if (mkdirat(dir, path, mode) != 0) {
		int err = errno;

		if (fstatat(dir, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
			return ERR_OK;
		return name_err(e, err, "make folder", path);
	}
	slash = strrchr(path, '/');
	if (slash == NULL)
		return sys_sync_dir(dir, ".", e);
	if (slash == path)
		return sys_sync_dir(dir, "/", e);
	*slash = '\0';
	code = sys_sync_dir(dir, path, e);
	*slash = '/';
	return code;
}

bool
sys_stays_below(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n <= 2 && strncmp(path, "..", n) == 0))
			return false;
		if (path[n] == '\0')
			return true;
		path += n + 1;
	}
}

enum err_code
sys_mkdirs(int dir, const char *path, mode_t mode, struct err *e)
{
	AUTO(mem) char *p = mem_dupstr(path);
	size_t n = strlen(path);

	if (p == NULL)
		return err_nomem(e);
	while (n > 1 && p[n - 1] == '/')
		p[--n] = '\0';
	for (size_t i = 1; i < n; i++) {
		if (p[i] != '/' || p[i - 1] == '/')
			continue;
		p[i] = '\0';
		if (make_one(dir, p, mode, e) != ERR_OK)
			return err_wrap(e, "%s", path);
		p[i] = '/';
	}
	return make_one(dir, p, mode, e);
}

/* The order is the promise: content synced before the name points to it, the name synced before we say so. */
static enum err_code
write_and_swap(int dir, int *fd, const char *tmp, const char *name, struct slice data, struct err *e)
{
	if (sys_append(*fd, data, e) != ERR_OK || sys_fdatasync(*fd, e) != ERR_OK || sys_close(fd, e) != ERR_OK ||
	    sys_rename(dir, tmp, dir, name, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return ERR_OK;
}

enum err_code
sys_write_durably(int dir, const char *name, struct slice data, mode_t mode, struct err *e)
{
	AUTO(mem) char *tmp = mem_printf(".%s.tmp", name);
	AUTO(fd) int fd = -1;
	struct err ignored = {0};
	enum err_code code;

	if (tmp == NULL)
		return err_nomem(e);
	if (strchr(name, '/') != NULL)
		return err_set(e, ERR_BUG, "durable write: a slash in %s", name);
	/* What a crash left behind. Missing is the rule; if it can't be removed, creating fails and says why. */
	(void)!sys_unlink(dir, tmp, &ignored);
	if (sys_create(dir, tmp, mode, &fd, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	code = write_and_swap(dir, &fd, tmp, name, data, e);
	if (code != ERR_OK) {
		(void)!sys_unlink(dir, tmp, &ignored);
		return code;
	}
	if (sys_sync_dir(dir, ".", e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return ERR_OK;
}

enum err_code
sys_lock(int fd, struct err *e)
{
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_BUSY, "another process holds the lock");
		return err_errno(e, ERR_IO, errno, "lock");
	}
	return ERR_OK;
}

void
log_line(const struct log *l, enum log_level level, const char *fmt, ...)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};
	char line[2048];
	size_t n, used;
	va_list ap;

	if (l == NULL || level > l->level)
		return;
	snprintf(line, sizeof(line), "%s%s%s: ", l->name != NULL ? l->name : "", l->name != NULL ? ": " : "",
	    words[level]);
	n = strlen(line);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	used = n + strlen(line + n);
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[used++] = '\n'; /* takes the place of the zero */
	(void)!write(l->fd, line, used);
}
