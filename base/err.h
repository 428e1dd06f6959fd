/* SPDX-License-Identifier: MIT */
/*
 * Errors, and the two idioms every file uses.
 *
 * A function that can fail returns enum err_code and takes a struct err * last.
 * The struct belongs to the caller, has a fixed size and is never allocated, so
 * running out of memory can be reported like anything else. e may be NULL.
 *
 *	if (n > max)
 *		return err_set(e, ERR_LIMIT, "name of %zu octets, at most %zu", n, max);
 *	if (inner(x, e) != ERR_OK)
 *		return err_wrap(e, "record %s", id);
 *
 * A verdict is never an error: "the signature is wrong" is ERR_OK and a report.
 */
#ifndef EVERSEAL_BASE_ERR_H
#define EVERSEAL_BASE_ERR_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * AUTO(kind) frees a local when its scope ends by calling kind_auto(&local).
 * That function stands beside the free function, accepts NULL, keeps errno.
 * The local is initialised on its declaration line, always.
 * TAKE(p) hands the value out and leaves NULL behind.
 */
#define AUTO(kind) __attribute__((cleanup(kind##_auto)))
#define TAKE(p)                                                                                                        \
	({                                                                                                             \
		__typeof__(p) taken_ = (p);                                                                            \
		(p) = NULL;                                                                                            \
		taken_;                                                                                                \
	})

/* One code for each thing that a caller can do about it; the text says the rest. */
enum err_code {
	ERR_OK = 0,
	ERR_NOMEM,	 /* give up this item, the process may go on */
	ERR_IO,		 /* the disk or a descriptor failed: stop, reopen, recover */
	ERR_NOSPACE,	 /* disk full: stop taking work, nothing is lost */
	ERR_NOTFOUND,	 /* what was asked for is not there */
	ERR_EXISTS,	 /* it is there already */
	ERR_FORMAT,	 /* bytes that are not what they claim to be */
	ERR_LIMIT,	 /* a cap was passed; the text names it */
	ERR_REFUSED,	 /* hostile or forbidden input, or a rule says no */
	ERR_UNSUPPORTED, /* well-formed, but this build can't */
	ERR_REMOTE,	 /* another party failed or lied; try later or elsewhere */
	ERR_BUSY,	 /* somebody else holds it; try later */
	ERR_USAGE,	 /* the caller's arguments or configuration */
	ERR_DAMAGED,	 /* stored bytes no longer have their digest */
	ERR_BUG,	 /* our own contract is broken */
	ERR_CODES
};

struct err {
	enum err_code code;
	char text[480]; /* outermost context first, cut when full, always terminated */
};

/* Set code and text. Returns code, so that it can be the argument of return. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
/* As err_set, then ": " and the text of errno_value. ENOSPC and EDQUOT become ERR_NOSPACE whatever code says. */
enum err_code err_errno(struct err *e, enum err_code code, int errno_value, const char *fmt, ...) PRINTF(4, 5);
/* As err_set, then the newest entry of OpenSSL's error queue, which is emptied. Call beside the call that failed. */
enum err_code err_openssl(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
/* Put context in front of the text that is there. Returns e->code; ERR_BUG if e is NULL or holds no error. */
enum err_code err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);
enum err_code err_nomem(struct err *e);
/* Short lower-case word for a code ("io", "refused"), stable: it stands in JSON. */
const char *err_word(enum err_code code);

/* calloc with checked multiply; NULL on overflow or no memory. */
void *mem_new(size_t count, size_t size);
/* Copy of n octets plus a terminating zero; NULL on no memory. */
char *mem_dup(const void *p, size_t n);
char *mem_dupstr(const char *s);
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);
/*
 * Grow an array so that at least one more element fits. items: address of the array pointer.
 * False on no memory, array unchanged.   if (!mem_grow(&a->v, &a->cap, a->n, sizeof(*a->v))) ...
 */
int mem_grow(void *items, size_t *cap, size_t n, size_t size);
void mem_auto(void *p); /* AUTO(mem) char *s = NULL; */
void fd_auto(int *fd);	/* AUTO(fd) int fd = -1; close errors are lost: for reading only */

#endif
