/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUF_MAX_DEFAULT ((size_t)1 << 30)
#define COPY_BYTES ((size_t)256 << 10)

struct slice
slice_str(const char *s)
{
	return slice_of(s, s != NULL ? strlen(s) : 0);
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int
slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n != 0 ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

bool
slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

static void
buf_fail(struct buf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
	b->failed = true;
}

static bool
buf_reserve(struct buf *b, size_t more)
{
	size_t max = b->max_bytes != 0 ? b->max_bytes : BUF_MAX_DEFAULT;
	size_t want = b->cap < 64 ? 64 : b->cap;
	uint8_t *grown = NULL;

	if (b->failed)
		return false;
	if (more > max || b->n > max - more) {
		buf_fail(b);
		return false;
	}
	if (b->p != NULL && b->n + more < b->cap)
		return true;
	while (want <= b->n + more)
		want *= 2;
	grown = realloc(b->p, want);
	if (grown == NULL) {
		buf_fail(b);
		return false;
	}
	b->p = grown;
	b->p[b->n] = 0; /* also for a caller who then adds nothing */
	b->cap = want;
	return true;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return;
	if (n != 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addslice(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		buf_fail(b);
		return;
	}
	buf_add(b, text, (size_t)n);
	free(text);
}

void
buf_add8(struct buf *b, unsigned v)
{
	uint8_t octet = (uint8_t)v;

	buf_add(b, &octet, 1);
}

void
buf_addbe32(struct buf *b, uint32_t v)
{
	uint8_t out[4] = {v >> 24, v >> 16, v >> 8, v};

	buf_add(b, out, sizeof(out));
}

void
buf_addbe64(struct buf *b, uint64_t v)
{
	buf_addbe32(b, (uint32_t)(v >> 32));
	buf_addbe32(b, (uint32_t)v);
}

void
buf_addvec(struct buf *b, struct slice s)
{
	if (s.n > UINT32_MAX) {
		buf_fail(b);
		return;
	}
	buf_addbe32(b, (uint32_t)s.n);
	buf_addslice(b, s);
}

void
buf_addhex(struct buf *b, struct slice s)
{
	if (!buf_reserve(b, s.n * 2))
		return;
	hex_of(s, (char *)b->p + b->n);
	b->n += s.n * 2;
}

void
buf_addbase64(struct buf *b, struct slice s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *to = NULL;
	uint32_t v;
	size_t i;

	if (s.n > SIZE_MAX / 2 || !buf_reserve(b, (s.n + 2) / 3 * 4))
		return;
	to = b->p + b->n;
	for (i = 0; i < s.n; i += 3) {
		v = (uint32_t)s.p[i] << 16;
		v |= i + 1 < s.n ? (uint32_t)s.p[i + 1] << 8 : 0;
		v |= i + 2 < s.n ? s.p[i + 2] : 0;
		*to++ = set[v >> 18];
		*to++ = set[v >> 12 & 63];
		*to++ = i + 1 < s.n ? set[v >> 6 & 63] : '=';
		*to++ = i + 2 < s.n ? set[v & 63] : '=';
	}
	b->n += (s.n + 2) / 3 * 4;
	b->p[b->n] = 0;
}

/* Length of the UTF-8 sequence at s, and its code point; 1 and U+FFFD for a broken one. */
static size_t
utf8_next(const char *s, uint32_t *point)
{
	const uint8_t *u = (const uint8_t *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] >> 5 == 6 ? 2 : u[0] >> 4 == 14 ? 3 : u[0] >> 3 == 30 ? 4 : 0;
	size_t i;

	*point = n == 1 ? u[0] : n == 2 ? u[0] & 31 : n == 3 ? u[0] & 15 : u[0] & 7;
	for (i = 1; i < n; i++) {
		if (u[i] >> 6 != 2)
			n = 0;
		else
			*point = *point << 6 | (u[i] & 63);
	}
	if (n != 0)
		return n;
	*point = 0xfffd;
	return 1;
}

void
buf_addxml(struct buf *b, const char *utf8)
{
	uint32_t point = 0;

	while (*utf8 != '\0') {
		utf8 += utf8_next(utf8, &point);
		if (point == '&')
			buf_adds(b, "&amp;");
		else if (point == '<')
			buf_adds(b, "&lt;");
		else if (point == '>')
			buf_adds(b, "&gt;");
		else if (point == '"')
			buf_adds(b, "&quot;");
		else if (point < 0x20 || point >= 0x7f)
			buf_addf(b, "&#x%X;", point);
		else
			buf_add8(b, point);
	}
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p != NULL)
		b->p[0] = 0;
}

void
buf_release(struct buf *b)
{
	size_t max = b->max_bytes;

	free(b->p);
	*b = (struct buf){.max_bytes = max};
}

void
buf_auto(struct buf *b)
{
	int saved = errno;

	buf_release(b);
	errno = saved;
}

enum err_code
buf_ok(const struct buf *b, struct err *e)
{
	if (b->failed)
		return err_set(e, ERR_LIMIT, "a buffer passed its limit or memory ran out");
	return ERR_OK;
}

const char *
buf_str(const struct buf *b)
{
	return b->p != NULL ? (const char *)b->p : "";
}

struct cur
cur_from(struct slice in)
{
	return (struct cur){.in = in};
}

struct slice
cur_take(struct cur *c, size_t n)
{
	struct slice out = {0};

	if (c->failed || n > c->in.n - c->at) {
		c->failed = true;
		return out;
	}
	out = slice_of(c->in.p + c->at, n);
	c->at += n;
	return out;
}

struct slice
cur_rest(struct cur *c)
{
	return cur_take(c, c->failed ? 0 : c->in.n - c->at);
}

static uint64_t
cur_be(struct cur *c, size_t octets)
{
	struct slice s = cur_take(c, octets);
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t
cur_u8(struct cur *c)
{
	return (uint8_t)cur_be(c, 1);
}

uint16_t
cur_be16(struct cur *c)
{
	return (uint16_t)cur_be(c, 2);
}

uint32_t
cur_be32(struct cur *c)
{
	return (uint32_t)cur_be(c, 4);
}

uint64_t
cur_be64(struct cur *c)
{
	return cur_be(c, 8);
}

struct slice
cur_vec(struct cur *c)
{
	return cur_take(c, cur_be32(c));
}

enum err_code
cur_end(const struct cur *c, const char *what, struct err *e)
{
	if (c->failed)
		return err_set(e, ERR_FORMAT, "%s: cut off at octet %zu of %zu", what, c->at, c->in.n);
	if (c->at != c->in.n)
		return err_set(e, ERR_FORMAT, "%s: %zu octets left over at %zu", what, c->in.n - c->at, c->at);
	return ERR_OK;
}

bool
der_next(struct cur *c, struct der *out)
{
	size_t start = c->at, n = 0;
	uint8_t first, tag;
	unsigned octets;

	tag = cur_u8(c);
	first = cur_u8(c);
	if (c->failed || (tag & 31) == 31 || first == 0x80)
		goto bad;
	n = first;
	if (first & 0x80) {
		octets = first & 0x7f;
		if (octets > sizeof(size_t))
			goto bad;
		n = (size_t)cur_be(c, octets);
	}
	*out = (struct der){.tag = tag, .body = cur_take(c, n)};
	if (c->failed)
		return false;
	out->whole = slice_of(c->in.p + start, c->at - start);
	return true;
bad:
	c->failed = true;
	return false;
}

void
hex_of(struct slice in, char *out)
{
	static const char set[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < in.n; i++) {
		*out++ = set[in.p[i] >> 4];
		*out++ = set[in.p[i] & 15];
	}
	*out = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_to(const char *hex, size_t n, uint8_t *out)
{
	size_t i;

	if (n % 2 != 0)
		return false;
	for (i = 0; i < n; i += 2) {
		int hi = hex_digit(hex[i]), lo = hex_digit(hex[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static int
base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static enum err_code
decode_base64(struct slice text, struct buf *out, struct err *e)
{
	unsigned digits = 0, pads = 0;
	uint32_t v = 0;
	size_t i;
	int d;

	for (i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		d = base64_digit(c);
		if (c == '=' && digits >= 2 && digits + pads < 4) {
			pads++;
			continue;
		}
		if (d < 0 || pads != 0)
			return err_set(e, ERR_FORMAT, "base64: octet 0x%02x at %zu", c, i);
		v = v << 6 | (uint32_t)d;
		if (++digits < 4)
			continue;
		out->p[out->n++] = (uint8_t)(v >> 16);
		out->p[out->n++] = (uint8_t)(v >> 8);
		out->p[out->n++] = (uint8_t)v;
		digits = 0;
		v = 0;
	}
	if (digits == 1 || (digits != 0 && digits + pads != 4))
		return err_set(e, ERR_FORMAT, "base64: cut off after %zu octets", text.n);
	if (digits >= 2)
		out->p[out->n++] = (uint8_t)(digits == 2 ? v >> 4 : v >> 10);
	if (digits == 3)
		out->p[out->n++] = (uint8_t)(v >> 2);
	out->p[out->n] = 0;
	return ERR_OK;
}

enum err_code
base64_to(struct slice text, struct buf *out, struct err *e)
{
	size_t before = out->n;
	enum err_code code;

	if (!buf_reserve(out, text.n / 4 * 3 + 3))
		return buf_ok(out, e);
	code = decode_base64(text, out, e);
	if (code != ERR_OK) {
		out->n = before;
		out->p[before] = 0;
	}
	return code;
}

static enum err_code
slice_read_at(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	const struct slice *s = ctx;

	if (off > s->n || n > s->n - off)
		return err_set(e, ERR_BUG, "read of %zu at %llu past %zu", n, (unsigned long long)off, s->n);
	if (n != 0)
		memcpy(to, s->p + off, n);
	return ERR_OK;
}

struct source
source_slice(const struct slice *s)
{
	return (struct source){slice_read_at, (void *)(uintptr_t)s, s->n};
}

static enum err_code
fd_read_at(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	const int *fd = ctx;
	uint8_t *at = to;
	ssize_t r;

	while (n != 0) {
		r = pread(*fd, at, n, (off_t)off);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, ERR_IO, errno, "read");
		if (r == 0)
			return err_set(e, ERR_IO, "file ends at octet %llu, shorter than before", (unsigned long long)off);
		at += r;
		off += (uint64_t)r;
		n -= (size_t)r;
	}
	return ERR_OK;
}

enum err_code
source_fd(const int *fd, struct source *out, struct err *e)
{
	struct stat st;

	if (fstat(*fd, &st) != 0)
		return err_errno(e, ERR_IO, errno, "stat");
	*out = (struct source){fd_read_at, (void *)(uintptr_t)fd, (uint64_t)st.st_size};
	return ERR_OK;
}

enum err_code
source_read_all(const struct source *s, size_t max_bytes, struct buf *out, struct err *e)
{
	if (s->size_bytes > max_bytes)
		return err_set(
		    e, ERR_LIMIT, "%llu octets, at most %zu", (unsigned long long)s->size_bytes, max_bytes);
	if (!buf_reserve(out, (size_t)s->size_bytes))
		return buf_ok(out, e);
	if (s->read_at(s->ctx, 0, out->p + out->n, (size_t)s->size_bytes, e) != ERR_OK)
		return e != NULL ? e->code : ERR_IO;
	out->n += (size_t)s->size_bytes;
	out->p[out->n] = 0;
	return ERR_OK;
}

static enum err_code
buf_write(void *ctx, struct slice s, struct err *e)
{
	buf_addslice(ctx, s);
	return buf_ok(ctx, e);
}

struct sink
sink_buf(struct buf *b)
{
	return (struct sink){buf_write, b};
}

enum err_code
sink_write(const struct sink *s, struct slice data, struct err *e)
{
	return data.n == 0 ? ERR_OK : s->write(s->ctx, data, e);
}

enum err_code
source_copy(const struct source *from, uint64_t off, uint64_t n, const struct sink *to, struct err *e)
{
	AUTO(mem) uint8_t *piece = mem_new(1, COPY_BYTES);
	enum err_code r = ERR_OK;

	if (piece == NULL)
		return err_nomem(e);
	while (n != 0 && r == ERR_OK) {
		size_t k = n < COPY_BYTES ? (size_t)n : COPY_BYTES;

		r = from->read_at(from->ctx, off, piece, k, e);
		if (r == ERR_OK)
			r = sink_write(to, slice_of(piece, k), e);
		off += k;
		n -= k;
	}
	return r;
}

/* Days since 1970-01-01 of a proleptic Gregorian date; month may run outside 1..12. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, yoe, doy;

	year += (month > 0 ? month - 1 : month - 12) / 12;
	month = ((month - 1) % 12 + 12) % 12 + 1;
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	yoe = year - era * 400;
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era, doe, yoe, doy, mp;

	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

int64_t
time_make(int year, int month, int day, int hour, int minute, int second)
{
	return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int
days_in_month(int year, int month)
{
	return (int)(days_of(year, month + 1, 1) - days_of(year, month, 1));
}

int64_t
time_add_months(int64_t utc, int months)
{
	int64_t days = floor_div(utc, 86400), rest = utc - days * 86400;
	int year, month, day, last;

	date_of(days, &year, &month, &day);
	month += months;
	year += (int)floor_div(month - 1, 12);
	month = (int)(month - 1 - floor_div(month - 1, 12) * 12) + 1;
	last = days_in_month(year, month);
	return days_of(year, month, day < last ? day : last) * 86400 + rest;
}

void
time_text(int64_t utc, char out[TIME_TEXT])
{
	int64_t days, s;
	int year, month, day;

	if (utc == TIME_NONE || utc == TIME_MAX) {
		snprintf(out, TIME_TEXT, "%s", utc == TIME_NONE ? "-" : "open");
		return;
	}
	days = floor_div(utc, 86400);
	s = utc - days * 86400;
	date_of(days, &year, &month, &day);
	if (year < 0 || year > 9999) {
		snprintf(out, TIME_TEXT, "-");
		return;
	}
	snprintf(out, TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000u, (unsigned)month % 100u,
	    (unsigned)day % 100u, (unsigned)(s / 3600) % 100u, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

/* n digits at *p, within [lo, hi]; -1 if not. Moves *p on success. */
static int
digits(const char **p, int n, int lo, int hi)
{
	int i, v = 0;

	for (i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return -1;
		v = v * 10 + (*p)[i] - '0';
	}
	if (v < lo || v > hi)
		return -1;
	*p += n;
	return v;
}

static bool
parse_clock(const char **p, int64_t *s)
{
	int h = digits(p, 2, 0, 24), m, sec;

	if (h < 0 || *(*p)++ != ':' || (m = digits(p, 2, 0, 59)) < 0 || *(*p)++ != ':' ||
	    (sec = digits(p, 2, 0, 60)) < 0 || (h == 24 && (m != 0 || sec != 0)))
		return false;
	*s += h * 3600 + m * 60 + sec;
	if (**p == '.') {
		++*p;
		if (digits(p, 1, 0, 9) < 0)
			return false;
		while (digits(p, 1, 0, 9) >= 0)
			continue;
	}
	return true;
}

static bool
parse_offset(const char **p, int64_t *s)
{
	int sign, h, m;

	if (**p == 'Z') {
		++*p;
		return true;
	}
	if (**p != '+' && **p != '-')
		return true;
	sign = *(*p)++ == '+' ? 1 : -1;
	if ((h = digits(p, 2, 0, 14)) < 0 || *(*p)++ != ':' || (m = digits(p, 2, 0, 59)) < 0)
		return false;
	*s -= sign * (h * 3600 + m * 60);
	return true;
}

bool
time_parse(const char *text, int64_t *utc)
{
	const char *p = text + strspn(text, " \t\r\n");
	int year, month, day;
	int64_t s;

	if ((year = digits(&p, 4, 0, 9999)) < 0 || *p++ != '-' || (month = digits(&p, 2, 1, 12)) < 0 || *p++ != '-' ||
	    (day = digits(&p, 2, 1, 31)) < 0 || day > days_in_month(year, month))
		return false;
	s = days_of(year, month, day) * 86400;
	if (*p == 'T') {
		p++;
		if (!parse_clock(&p, &s))
			return false;
	}
	if (!parse_offset(&p, &s))
		return false;
	if (p[strspn(p, " \t\r\n")] != '\0')
		return false;
	*utc = s;
	return true;
}
