/* SPDX-License-Identifier: MIT */
/*
 * Octets: slice borrows, buf owns, cur reads, source is read at an offset,
 * sink takes a stream. All bytes from outside pass through one of them.
 */
#ifndef EVERSEAL_BASE_BYTES_H
#define EVERSEAL_BASE_BYTES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Borrowed octets. p may be NULL when n is 0. Whoever hands it out says how long it lives. */
struct slice {
	const uint8_t *p;
	size_t n;
};

static inline struct slice
slice_of(const void *p, size_t n)
{
	return (struct slice){p, n};
}
struct slice slice_str(const char *s); /* without the zero; NULL gives an empty one */
bool slice_eq(struct slice a, struct slice b);
int slice_cmp(struct slice a, struct slice b); /* as memcmp, shorter first */
bool slice_is(struct slice a, const char *s);

/*
 * Owned, growing octets. All-zero is an empty buf; max_bytes 0 means 1 GiB.
 * Failure is sticky: add what you like, ask buf_ok once at the end.
 * Once it failed the content is empty.
 */
struct buf {
	uint8_t *p; /* always followed by a zero octet when not NULL */
	size_t n, cap, max_bytes;
	bool failed, no_memory; /* the second says why */
};
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addslice(struct buf *b, struct slice s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_add8(struct buf *b, unsigned v);
void buf_addbe32(struct buf *b, uint32_t v);
void buf_addbe64(struct buf *b, uint64_t v);
void buf_addhex(struct buf *b, struct slice s);
void buf_addbase64(struct buf *b, struct slice s); /* standard alphabet, padded, no line ends */
/* Octets of the valid UTF-8 character (RFC 3629) that s begins with, and its code point; 0 = none. */
size_t utf8_next(struct slice s, uint32_t *point);
/* Text with & < > " and control characters as XML references; for ASCII output non-ASCII becomes &#x...; from UTF-8. */
void buf_addxml(struct buf *b, const char *utf8);
/*
 * Foreign text for a terminal: one "?" for each control character, line end, or mark that turns the direction of writing,
 * and for what is no UTF-8, so that it can neither make lines of its own nor hide any.
 */
void buf_addplain(struct buf *b, const char *utf8);
/* Room for so many octets more and the zero behind them; false, and failed, when there is none. */
bool buf_room(struct buf *b, size_t more);
void buf_clear(struct buf *b);	 /* empty, memory kept, failure forgotten */
void buf_release(struct buf *b); /* empty, memory freed */
void buf_auto(struct buf *b);	 /* AUTO(buf) struct buf b = {0}; */
/* ERR_OK, or ERR_NOMEM / ERR_LIMIT if anything added did not fit. */
MUST_USE enum err_code buf_ok(const struct buf *b, struct err *e);
static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){b->p, b->n};
}
/* The text, zero-terminated, for the life of b; "" when empty. */
const char *buf_str(const struct buf *b);

/*
 * A cursor with a sticky error: read straight down, ask once at the end.
 * After a failure all reads give 0 or an empty slice and do not move.
 */
struct cur {
	struct slice in;
	size_t at;
	bool failed;
};
struct cur cur_from(struct slice in);
uint8_t cur_u8(struct cur *c);
uint16_t cur_be16(struct cur *c);
uint32_t cur_be32(struct cur *c);
uint64_t cur_be64(struct cur *c);
struct slice cur_take(struct cur *c, size_t n);
struct slice cur_rest(struct cur *c);
/* A length as 32 bits, then that many octets. */
struct slice cur_vec(struct cur *c);
void buf_addvec(struct buf *b, struct slice s);
/* ERR_FORMAT if a read failed or octets are left over; the text names the position. */
MUST_USE enum err_code cur_end(const struct cur *c, const char *what, struct err *e);

/* One DER/BER element: tag octet (low tag numbers only), header and whole length. False if it does not fit or length is indefinite. */
struct der {
	uint8_t tag;
	struct slice body;  /* without header */
	struct slice whole; /* with header */
};
bool der_next(struct cur *c, struct der *out);

/* Lower-case hex. out holds 2n+1 octets. */
void hex_of(struct slice in, char *out);
/* False on odd length or a foreign character; out gets n/2 octets. */
bool hex_to(const char *hex, size_t n, uint8_t *out);
/* Strict apart from XML white space, which is skipped (xs:base64Binary). ERR_FORMAT otherwise. Appends to out, which stays as it was on failure. */
MUST_USE enum err_code base64_to(struct slice text, struct buf *out, struct err *e);

/*
 * Something that can be read at an offset. read_at fills n octets or fails;
 * reading past size_bytes is ERR_BUG. ctx is borrowed for the life of the source.
 */
struct source {
	enum err_code (*read_at)(void *ctx, uint64_t off, void *to, size_t n, struct err *e);
	void *ctx;
	uint64_t size_bytes;
};
/* s must stay where it is while the source is used. */
struct source source_slice(const struct slice *s);
/*
 * fd: address of a descriptor that stays open; size by fstat. pread is used, the offset does not move. ERR_DAMAGED while
 * reading: the file has been cut since.
 */
MUST_USE enum err_code source_fd(const int *fd, struct source *out, struct err *e);
/* Whole content; ERR_LIMIT above max_bytes before anything is read. */
MUST_USE enum err_code source_read_all(const struct source *s, size_t max_bytes, struct buf *out, struct err *e);

struct sink {
	enum err_code (*write)(void *ctx, struct slice s, struct err *e);
	void *ctx;
};
struct sink sink_buf(struct buf *b);
struct sink sink_fd(const int *fd); /* written at the descriptor's own position; fd borrowed */
MUST_USE enum err_code sink_write(const struct sink *s, struct slice data, struct err *e);
/* Copy [off, off+n) in pieces of at most 256 KiB. */
MUST_USE enum err_code source_copy(const struct source *from, uint64_t off, uint64_t n, const struct sink *to, struct err *e);

/* Times: int64 seconds since 1970, UTC. TIME_NONE = not known; TIME_MAX = no end. */
#define TIME_NONE INT64_MIN
#define TIME_MAX INT64_MAX
/* "2026-01-01T00:00:00Z"; out holds TIME_TEXT octets. TIME_NONE gives "-", TIME_MAX "open". Years 0..9999. */
#define TIME_TEXT 24
void time_text(int64_t utc, char out[TIME_TEXT]);
/*
 * xs:dateTime or xs:date with optional fraction (cut off) and offset (none = UTC); 24:00:00 allowed.
 * False when it is not one.
 */
bool time_parse(const char *text, int64_t *utc);
/* Calendar to seconds and back; month 1..12. Proleptic Gregorian. */
int64_t time_make(int year, int month, int day, int hour, int minute, int second);
int64_t time_add_months(int64_t utc, int months);

#endif
