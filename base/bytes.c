/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MAX_DEFAULT ((size_t)1 << 30)

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
buf_fail(struct buf *b, bool no_memory)
{
	free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
	b->failed = true;
	b->no_memory = no_memory;
}

bool
buf_room(struct buf *b, size_t more)
{
	size_t max = b->max_bytes != 0 ? b->max_bytes : BUF_MAX_DEFAULT;
	size_t want = b->cap < 64 ? 64 : b->cap;
	uint8_t *grown = NULL;

	if (b->failed)
		return false;
	if (more > max || b->n > max - more) {
		buf_fail(b, false);
		return false;
	}
	if (b->p != NULL && b->n + more < b->cap)
		return true;
	while (want <= b->n + more)
		want *= 2;
	grown = realloc(b->p, want);
	if (grown == NULL) {
		buf_fail(b, true);
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
	if (!buf_room(b, n))
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

/* Most texts are short: these need no memory of their own. */
void
buf_addf(struct buf *b, const char *fmt, ...)
{
	AUTO(mem) char *large = NULL;
	char small[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(small)) {
		va_start(ap, fmt);
		n = vasprintf(&large, fmt, ap);
		va_end(ap);
	}
	if (n < 0)
		buf_fail(b, true);
	else
		buf_add(b, large != NULL ? large : small, (size_t)n);
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
		buf_fail(b, false);
		return;
	}
	buf_addbe32(b, (uint32_t)s.n);
	buf_addslice(b, s);
}

void
buf_addhex(struct buf *b, struct slice s)
{
	if (!buf_room(b, s.n * 2))
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

	if (s.n > SIZE_MAX / 2 || !buf_room(b, (s.n + 2) / 3 * 4))
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

/* Length by the first octet; 0 = can't be one. */
static size_t
utf8_lead(uint8_t c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* No surrogates, no overlong forms, nothing beyond U+10FFFF. */
size_t
utf8_next(struct slice s, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s.n != 0 ? utf8_lead(s.p[0]) : 0;
	uint32_t c;

	if (n == 0 || n > s.n)
		return 0;
	c = n == 1 ? s.p[0] : s.p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (s.p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s.p[i] & 63);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*point = c;
	return n;
}

void
buf_addxml(struct buf *b, const char *utf8)
{
	struct slice left = slice_str(utf8);

	while (left.n != 0) {
		uint32_t point = 0xfffd;
		size_t n = utf8_next(left, &point);

		n = n != 0 ? n : 1;
		left = slice_of(left.p + n, left.n - n);
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

static bool
misleads(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e || point == 0x200f ||
	    (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfffd;
}

void
buf_addplain(struct buf *b, const char *utf8)
{
	struct slice left = slice_str(utf8);

	while (left.n != 0) {
		uint32_t point = 0xfffd;
		size_t n = utf8_next(left, &point);

		n = n != 0 ? n : 1;
		if (misleads(point))
			buf_add8(b, '?');
		else
			buf_add(b, left.p, n);
		left = slice_of(left.p + n, left.n - n);
	}
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = b->no_memory = false;
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
	if (!b->failed)
		return ERR_OK;
	return b->no_memory ? err_nomem(e) : err_set(e, ERR_LIMIT, "a buffer passed its limit");
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

	if (!buf_room(out, text.n / 4 * 3 + 3))
		return buf_ok(out, e);
	code = decode_base64(text, out, e);
	if (code != ERR_OK) {
		out->n = before;
		out->p[before] = 0;
	}
	return code;
}
