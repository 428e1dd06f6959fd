/* SPDX-License-Identifier: MIT */
/*
 * The seams to the world: clock, randomness, files, log.
 *
 * Everything that has to survive power loss is written through the thin calls
 * below. Each is one libc call (pwrite, write, fdatasync, fsync, rename,
 * ftruncate, unlink) with short writes and EINTR taken care of, so that a
 * recorder or a fault injector in front of libc sees all of it.
 *
 * Files are named relative to a folder's descriptor (AT_FDCWD for the current
 * one). Nothing here follows a decision of its own: no retries after a failed
 * sync, since what such a sync left behind is unknown (reopen and recover).
 */
#ifndef EVERSEAL_BASE_SYS_H
#define EVERSEAL_BASE_SYS_H

#include "base/bytes.h"

#include <sys/types.h>

/* Seconds since 1970, UTC. Passed in wherever "now" matters; only the tools make a real one. */
struct clock {
	int64_t (*now_utc)(void *ctx);
	void *ctx;
};
static inline int64_t
clock_now(const struct clock *c)
{
	return c->now_utc(c->ctx);
}
struct clock clock_real(void);		       /* the machine's; for tools only */
struct clock clock_fixed(const int64_t *utc); /* *utc, read at each call; borrowed */

/* Does a time service keep the machine's clock in step? As the kernel says (adjtimex); for tools only. */
enum clock_sync { CLOCK_UNKNOWN = 0, CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED };
enum clock_sync sys_clock_sync(void);

/* Milliseconds that only go forward; for time-outs, never for a date. */
int64_t sys_monotonic_ms(void);

struct entropy {
	enum err_code (*fill)(void *ctx, void *to, size_t n, struct err *e);
	void *ctx;
};
struct entropy entropy_openssl(void);
MUST_USE enum err_code entropy_fill(const struct entropy *r, void *to, size_t n, struct err *e);

/* UUID version 7 (RFC 9562 5.7): unix time in ms, 74 random bits. Lower case, 36 characters and a zero. */
#define UUID_TEXT 37
MUST_USE enum err_code uuid7(int64_t unix_ms, const struct entropy *r, char out[UUID_TEXT], struct err *e);
/* True for the exact form that uuid7 writes (version 7, variant 10). */
bool uuid7_is(const char *text);

/* --- files ------------------------------------------------------------- */

/*
 * Open for reading: a regular file, not a symbolic link. ERR_NOTFOUND when it is
 * not there, ERR_REFUSED for a link, device, folder, socket or pipe. *fd is
 * written on ERR_OK only, is close-on-exec and belongs to the caller.
 */
MUST_USE enum err_code sys_open_read(int dir, const char *name, int *fd, struct err *e);
/* Open a folder. ERR_NOTFOUND, ERR_REFUSED as above. */
MUST_USE enum err_code sys_open_dir(int dir, const char *name, int *fd, struct err *e);
/* Whole file behind sys_open_read; ERR_LIMIT above max_bytes. Appends to out. */
MUST_USE enum err_code sys_read_file(int dir, const char *name, size_t max_bytes, struct buf *out, struct err *e);
/* New empty file for writing and reading; ERR_EXISTS when the name is taken. */
MUST_USE enum err_code sys_create(int dir, const char *name, mode_t mode, int *fd, struct err *e);
MUST_USE enum err_code sys_size(int fd, uint64_t *bytes, struct err *e);
/* Close and look at the result. *fd becomes -1 in any case. */
MUST_USE enum err_code sys_close(int *fd, struct err *e);

/* All of s, at the offset / at the descriptor's own position. On failure a part may have been written. */
MUST_USE enum err_code sys_pwrite(int fd, struct slice s, uint64_t off, struct err *e);
MUST_USE enum err_code sys_append(int fd, struct slice s, struct err *e);
/* Exactly n octets; ERR_DAMAGED when the file ends before. */
MUST_USE enum err_code sys_pread(int fd, void *to, size_t n, uint64_t off, struct err *e);
MUST_USE enum err_code sys_truncate(int fd, uint64_t bytes, struct err *e);
MUST_USE enum err_code sys_fdatasync(int fd, struct err *e);

/* Names. ERR_NOTFOUND when from or name is missing, ERR_EXISTS where it says so. None of these syncs. */
MUST_USE enum err_code sys_rename(int from_dir, const char *from, int to_dir, const char *to, struct err *e);
/* As sys_rename, but ERR_EXISTS when to is taken. */
MUST_USE enum err_code sys_rename_new(int from_dir, const char *from, int to_dir, const char *to, struct err *e);
MUST_USE enum err_code sys_unlink(int dir, const char *name, struct err *e);
/* mkdir -p. ERR_OK when it is there; every folder made is synced into its parent. */
MUST_USE enum err_code sys_mkdirs(int dir, const char *path, mode_t mode, struct err *e);

/* A relative path that stays below the folder it is taken from: no empty component, no "." and no "..". */
bool sys_stays_below(const char *path);

/* Make a folder's names durable: by descriptor, by path. */
MUST_USE enum err_code sys_fsync_dir(int fd, struct err *e);
MUST_USE enum err_code sys_sync_dir(int dir, const char *path, struct err *e);

/*
 * Put a whole file in place: after ERR_OK the name holds data and survives power
 * loss; after anything else it holds what it held before, or data. Written under
 * ".<name>.tmp", synced, renamed over the name, folder synced. An older file of
 * that name is replaced. name: no slash.
 */
MUST_USE enum err_code sys_write_durably(int dir, const char *name, struct slice data, mode_t mode, struct err *e);

/* An exclusive lock of the open file (flock), held until fd is closed. ERR_BUSY when another has it. */
MUST_USE enum err_code sys_lock(int fd, struct err *e);

/* --- log --------------------------------------------------------------- */

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* All-zero with fd = 2 logs errors only. name: borrowed, stands in every line; may be NULL. */
struct log {
	int fd;
	enum log_level level; /* the most talkative level that is written */
	const char *name;
};
/*
 * One line "name: level: text", written by one write call; control characters
 * become '?'; cut at 2 KiB; a failed write is ignored. log may be NULL (silent).
 */
void log_line(const struct log *l, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

#endif
