/* SPDX-License-Identifier: MIT */
/*
 * Stands in front of libc (LD_PRELOAD) and writes down what one run does to the
 * files below a folder, or makes one of those calls fail. The test builds disk
 * states from the record; nothing here knows what the files mean.
 *
 *	RECORD_DIR	the folder; files in any index/ and ops/ of it are not written down
 *	RECORD_FILE	where the record goes (not set: nothing is written down)
 *	RECORD_ACK	a file; what is written to it is an acknowledgement
 *	RECORD_NOSYNC	syncs are neither made nor written down
 *	FAIL_AT, FAIL_ERRNO	the n-th call below the folder (index and ops too) fails, once
 *	FAIL_COUNT	a file that gets the number of such calls when the program ends
 *
 * Threads take turns, so that the record is an order in which it can have happened: what stands behind a sync began after
 * it had ended.
 *
 * One entry: op, number of octets of path, second path and data (32 bit each),
 * offset (64 bit), all of this machine's order, then the octets.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#undef open
#undef openat
#undef pwrite
#undef ftruncate

static int calls;
static int record_fd = -1;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static const char *
setting(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != 0 ? s : NULL;
}

/* Path relative to the folder, or NULL when it is elsewhere. */
static const char *
below(const char *path)
{
	const char *dir = setting("RECORD_DIR");
	size_t n = dir != NULL ? strlen(dir) : 0;

	if (n == 0 || strncmp(path, dir, n) != 0 || (path[n] != '/' && path[n] != 0))
		return NULL;
	return path[n] == '/' ? path + n + 1 : path + n;
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* For a call on the folder or an acknowledgement; let go of at the end of the block. */
static pthread_mutex_t *
take_turn(const char *path)
{
	const char *ack = setting("RECORD_ACK");

	if (below(path) == NULL && (ack == NULL || strcmp(path, ack) != 0))
		return NULL;
	pthread_mutex_lock(&turn);
	return &turn;
}

static void
end_turn(pthread_mutex_t **t)
{
	int saved = errno;

	if (*t != NULL)
		pthread_mutex_unlock(*t);
	errno = saved;
}
#define TURN(path) __attribute__((cleanup(end_turn))) pthread_mutex_t *my_turn = take_turn(path)

static int
is_kv(const char *rel)
{
	static const char *const name[] = {"index", "ops"};
	size_t i, n;

	for (; rel != NULL && rel[0] != 0; rel = strchr(rel, '/') != NULL ? strchr(rel, '/') + 1 : NULL)
		for (i = 0; i < 2; i++) {
			n = strlen(name[i]);
			if (strncmp(rel, name[i], n) == 0 && (rel[n] == 0 || rel[n] == '/'))
				return 1;
		}
	return 0;
}

static void
path_of_fd(int fd, char out[PATH_MAX])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = 0;
}

static void
path_at(int dir, const char *name, char out[PATH_MAX])
{
	char base[PATH_MAX] = "";

	if (name[0] == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		return;
	}
	if (dir == AT_FDCWD) {
		if (getcwd(base, sizeof(base)) == NULL)
			base[0] = 0;
	} else {
		path_of_fd(dir, base);
	}
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	if (snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX)
		out[0] = 0;
}

static void
note(char op, const char *path, const char *path2, uint64_t off, const void *data, size_t n)
{
	uint32_t head[4] = {(uint32_t)op, (uint32_t)strlen(path), (uint32_t)strlen(path2), (uint32_t)n};
	int saved = errno;

	if (setting("RECORD_FILE") == NULL)
		return;
	if (record_fd < 0)
		record_fd = REAL(open)(setting("RECORD_FILE"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	const struct iovec v[] = {
	    {head, sizeof(head)}, {&off, sizeof(off)}, {(void *)(uintptr_t)path, head[1]}, {(void *)(uintptr_t)path2, head[2]},
	    {(void *)(uintptr_t)data, n}};
	if (REAL(writev)(record_fd, v, 5) != (ssize_t)(sizeof(head) + sizeof(off) + head[1] + head[2] + n))
		abort();
	errno = saved;
}

/* True when this call is the one that fails; errno is set. */
static int
fails(const char *rel)
{
	const char *at = setting("FAIL_AT");

	if (rel == NULL || at == NULL || ++calls != atoi(at))
		return 0;
	errno = setting("FAIL_ERRNO") != NULL ? atoi(setting("FAIL_ERRNO")) : EIO;
	return 1;
}

static void
note_write(int fd, const char *path, const char *rel, uint64_t off, const void *p, ssize_t n)
{
	const char *ack = setting("RECORD_ACK");

	(void)fd;
	if (n > 0 && ack != NULL && strcmp(path, ack) == 0)
		note('A', "", "", 0, p, (size_t)n);
	else if (n > 0 && rel != NULL && !is_kv(rel))
		note('W', rel, "", off, p, (size_t)n);
}

static int
opened(int (*go)(int, const char *, int, mode_t), int dir, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	const char *rel;
	struct stat st;
	int was, fd;

	path_at(dir, name, path);
	rel = below(path);
	if (rel == NULL || (flags & (O_CREAT | O_TRUNC)) == 0)
		return go(dir, name, flags, mode);
	TURN(path);
	if (fails(rel))
		return -1;
	was = fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	fd = go(dir, name, flags, mode);
	if (fd >= 0 && !is_kv(rel)) {
		if (!was)
			note('C', rel, "", 0, NULL, 0);
		else if ((flags & O_TRUNC) != 0)
			note('T', rel, "", 0, NULL, 0);
	}
	return fd;
}

static int
go_openat(int dir, const char *name, int flags, mode_t mode)
{
	return REAL(openat)(dir, name, flags, mode);
}

#define MODE_ARG(flags)                                                                                                \
	mode_t mode = 0;                                                                                               \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                                  \
		va_list ap;                                                                                            \
		va_start(ap, flags);                                                                                   \
		mode = va_arg(ap, mode_t);                                                                             \
		va_end(ap);                                                                                            \
	}

int
open(const char *name, int flags, ...)
{
	MODE_ARG(flags)
	return opened(go_openat, AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	MODE_ARG(flags)
	return opened(go_openat, AT_FDCWD, name, flags, mode);
}

int
openat(int dir, const char *name, int flags, ...)
{
	MODE_ARG(flags)
	return opened(go_openat, dir, name, flags, mode);
}

int
openat64(int dir, const char *name, int flags, ...)
{
	MODE_ARG(flags)
	return opened(go_openat, dir, name, flags, mode);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	char path[PATH_MAX];
	const char *rel;
	off_t off;
	ssize_t r;

	path_of_fd(fd, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	off = rel != NULL ? lseek(fd, 0, SEEK_CUR) : 0;
	r = REAL(write)(fd, p, n);
	note_write(fd, path, rel, (uint64_t)off, p, r);
	return r;
}

static ssize_t
pwrite_any(int fd, const void *p, size_t n, off_t off)
{
	char path[PATH_MAX];
	const char *rel;
	ssize_t r;

	path_of_fd(fd, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	r = REAL(pwrite64)(fd, p, n, off);
	note_write(fd, path, rel, (uint64_t)off, p, r);
	return r;
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return pwrite_any(fd, p, n, off);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t off)
{
	return pwrite_any(fd, p, n, off);
}

/* LMDB alone writes so; its files are not written down. */
ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t off)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	TURN(path);
	return fails(below(path)) ? -1 : REAL(pwritev64)(fd, v, n, off);
}

ssize_t
pwritev64(int fd, const struct iovec *v, int n, off_t off)
{
	return pwritev(fd, v, n, off);
}

static int
synced(int fd, int (*go)(int))
{
	char path[PATH_MAX];
	const char *rel;
	int r;

	path_of_fd(fd, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	if (rel != NULL && setting("RECORD_NOSYNC") != NULL)
		return 0;
	r = go(fd);
	if (r == 0 && rel != NULL && !is_kv(rel))
		note('S', rel, "", 0, NULL, 0);
	return r;
}

int
fsync(int fd)
{
	return synced(fd, REAL(fsync));
}

int
fdatasync(int fd)
{
	return synced(fd, REAL(fdatasync));
}

/* The whole file system: everything below the folder is certain after it. */
int
syncfs(int fd)
{
	char path[PATH_MAX];
	const char *rel;
	int r;

	path_of_fd(fd, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	if (rel != NULL && setting("RECORD_NOSYNC") != NULL)
		return 0;
	r = REAL(syncfs)(fd);
	if (r == 0 && rel != NULL)
		note('F', "", "", 0, NULL, 0);
	return r;
}

static int
cut(int fd, off_t size)
{
	char path[PATH_MAX];
	const char *rel;
	int r;

	path_of_fd(fd, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	r = REAL(ftruncate64)(fd, size);
	if (r == 0 && rel != NULL && !is_kv(rel))
		note('T', rel, "", (uint64_t)size, NULL, 0);
	return r;
}

int
ftruncate(int fd, off_t size)
{
	return cut(fd, size);
}

int
ftruncate64(int fd, off_t size)
{
	return cut(fd, size);
}

static int
moved(char op, int dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	char a[PATH_MAX], b[PATH_MAX];
	const char *rel_a, *rel_b;
	int r;

	path_at(dir, from, a);
	path_at(to_dir, to, b);
	TURN(b);
	rel_a = below(a);
	rel_b = below(b);
	if (fails(rel_b))
		return -1;
	r = op == 'L' ? REAL(linkat)(dir, from, to_dir, to, (int)flags) : REAL(renameat2)(dir, from, to_dir, to, flags);
	if (r == 0 && rel_a != NULL && rel_b != NULL && !is_kv(rel_b))
		note(op, rel_a, rel_b, 0, NULL, 0);
	return r;
}

int
rename(const char *from, const char *to)
{
	return moved('R', AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
renameat(int dir, const char *from, int to_dir, const char *to)
{
	return moved('R', dir, from, to_dir, to, 0);
}

int
renameat2(int dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return moved('R', dir, from, to_dir, to, flags);
}

int
linkat(int dir, const char *from, int to_dir, const char *to, int flags)
{
	return moved('L', dir, from, to_dir, to, (unsigned)flags);
}

int
unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_MAX];
	const char *rel;
	int r;

	path_at(dir, name, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	r = REAL(unlinkat)(dir, name, flags);
	if (r == 0 && rel != NULL && !is_kv(rel))
		note('U', rel, "", 0, NULL, 0);
	return r;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	const char *rel;
	int r;

	path_at(dir, name, path);
	TURN(path);
	rel = below(path);
	if (fails(rel))
		return -1;
	r = REAL(mkdirat)(dir, name, mode);
	if (r == 0 && rel != NULL && !is_kv(rel))
		note('M', rel, "", 0, NULL, 0);
	return r;
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

__attribute__((destructor)) static void
tell_count(void)
{
	const char *path = setting("FAIL_COUNT");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%d\n", calls);
	fclose(f);
}
