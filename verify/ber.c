/* SPDX-License-Identifier: MIT */
#include "verify/ber.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Real objects nest indefinite lengths four or five deep; each level is scanned once for each level above. */
#define MAX_INDEFINITE 16

static bool next_at_depth(struct cur *c, struct ber *out, unsigned depth);

static bool
fail(struct cur *c)
{
	c->failed = true;
	return false;
}

static bool
skip_to_end_mark(struct cur *c, unsigned depth)
{
	struct ber inner;

	if (depth >= MAX_INDEFINITE)
		return fail(c);
	for (;;) {
		if (c->in.n - c->at >= 2 && c->in.p[c->at] == 0 && c->in.p[c->at + 1] == 0)
			return true;
		if (!next_at_depth(c, &inner, depth + 1))
			return false;
	}
}

static bool
read_length(struct cur *c, size_t *n, bool *indefinite)
{
	uint8_t first = cur_u8(c);
	unsigned octets = first & 0x7f, i;

	*indefinite = first == 0x80;
	*n = first;
	if ((first & 0x80) == 0 || *indefinite)
		return !c->failed;
	if (octets > 8)
		return fail(c);
	for (*n = 0, i = 0; i < octets; i++) {
		if (*n >> 48)
			return fail(c);
		*n = *n << 8 | cur_u8(c);
	}
	return !c->failed;
}

static bool
next_at_depth(struct cur *c, struct ber *out, unsigned depth)
{
	size_t start = c->at, body, n;
	bool indefinite;
	uint8_t tag = cur_u8(c);

	*out = (struct ber){0};
	if (c->failed || (tag & 31) == 31 || tag == 0 || !read_length(c, &n, &indefinite))
		return fail(c);
	body = c->at;
	if (indefinite) {
		if ((tag & 0x20) == 0 || !skip_to_end_mark(c, depth))
			return fail(c);
		n = c->at - body;
		c->at += 2;
	} else {
		cur_take(c, n);
		if (c->failed)
			return false;
	}
	out->tag = tag;
	out->body = slice_of(c->in.p + body, n);
	out->whole = slice_of(c->in.p + start, c->at - start);
	return true;
}

bool
ber_next(struct cur *c, struct ber *out)
{
	return next_at_depth(c, out, 0);
}

bool
ber_at(const struct cur *c, uint8_t tag)
{
	return !c->failed && c->at < c->in.n && c->in.p[c->at] == tag;
}

bool
ber_take(struct cur *c, uint8_t tag, struct ber *out)
{
	*out = (struct ber){0};
	if (!ber_at(c, tag))
		return fail(c);
	return ber_next(c, out);
}

bool
ber_enter(struct cur *c, uint8_t tag, struct cur *in)
{
	struct ber b;
	bool ok = ber_take(c, tag, &b);

	*in = cur_from(b.body);
	in->failed = !ok;
	return ok;
}

bool
ber_opt(struct cur *c, uint8_t tag, struct ber *out)
{
	*out = (struct ber){0};
	return ber_at(c, tag) && ber_next(c, out);
}

bool
cur_at_end(const struct cur *c)
{
	return !c->failed && c->at == c->in.n;
}

static bool
oid_arc(struct cur *c, uint64_t *arc)
{
	uint8_t octet;

	*arc = 0;
	do {
		octet = cur_u8(c);
		if (c->failed || *arc >> 56)
			return false;
		*arc = *arc << 7 | (octet & 0x7f);
	} while (octet & 0x80);
	return true;
}

void
ber_oid_text(struct slice body, char out[OID_TEXT])
{
	struct cur c = cur_from(body);
	uint64_t arc;
	int used = 0, n;

	out[0] = '\0';
	while (!cur_at_end(&c)) {
		if (!oid_arc(&c, &arc)) {
			out[0] = '\0';
			return;
		}
		if (used == 0) {
			unsigned first = arc < 40 ? 0 : arc < 80 ? 1 : 2;

			n = snprintf(out, OID_TEXT, "%u.%llu", first, (unsigned long long)(arc - 40 * first));
		} else {
			n = snprintf(out + used, OID_TEXT - (size_t)used, ".%llu", (unsigned long long)arc);
		}
		used += n;
		if (used >= OID_TEXT) {
			out[0] = '\0';
			return;
		}
	}
}

bool
ber_oid_is(struct slice body, const char *dotted)
{
	char text[OID_TEXT];

	ber_oid_text(body, text);
	return strcmp(text, dotted) == 0;
}

static void
put_arc(struct buf *out, uint64_t arc)
{
	int shift = 63;

	while (shift > 0 && arc >> shift == 0)
		shift -= 7;
	for (; shift >= 0; shift -= 7)
		buf_add8(out, (unsigned)(arc >> shift & 0x7f) | (shift > 0 ? 0x80u : 0));
}

bool
ber_oid_make(const char *dotted, struct buf *out)
{
	uint64_t arc, first = 0;
	size_t i;
	char *end;

	for (i = 0;; i++, dotted = end + 1) {
		if (*dotted < '0' || *dotted > '9')
			return false;
		arc = strtoull(dotted, &end, 10);
		if (i == 0)
			first = arc;
		else
			put_arc(out, i == 1 ? 40 * first + arc : arc);
		if (first > 2 || (i == 1 && first < 2 && arc > 39))
			return false;
		if (*end == '\0')
			return i >= 1;
		if (*end != '.')
			return false;
	}
}

struct slice
ber_int_canonical(struct slice b)
{
	while (b.n > 1 && ((b.p[0] == 0 && (b.p[1] & 0x80) == 0) || (b.p[0] == 0xff && (b.p[1] & 0x80) != 0)))
		b = slice_of(b.p + 1, b.n - 1);
	return b;
}

bool
ber_int64(struct slice body, int64_t *out)
{
	struct slice b = ber_int_canonical(body);
	uint64_t v;
	size_t i;

	*out = 0;
	if (b.n == 0 || b.n > 8)
		return false;
	v = b.p[0] & 0x80 ? UINT64_MAX : 0;
	for (i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	*out = (int64_t)v;
	return true;
}

unsigned
ber_int_bits(struct slice body)
{
	unsigned bits, top;

	while (body.n > 0 && body.p[0] == 0)
		body = slice_of(body.p + 1, body.n - 1);
	if (body.n == 0 || body.n > UINT16_MAX)
		return 0;
	bits = (unsigned)(body.n - 1) * 8;
	for (top = body.p[0]; top != 0; top >>= 1)
		bits++;
	return bits;
}

bool
ber_bits(struct slice body, struct slice *out, unsigned *unused)
{
	*out = (struct slice){0};
	if (body.n == 0 || body.p[0] > 7 || (body.n == 1 && body.p[0] != 0))
		return false;
	if (unused != NULL)
		*unused = body.p[0];
	else if (body.p[0] != 0)
		return false;
	*out = slice_of(body.p + 1, body.n - 1);
	return true;
}

/* n decimal digits; -1 if one of them is none. */
static int
digits(struct cur *c, size_t n)
{
	struct slice s = cur_take(c, n);
	int v = 0;
	size_t i;

	if (c->failed)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') {
			c->failed = true;
			return -1;
		}
		v = v * 10 + s.p[i] - '0';
	}
	return v;
}

static bool
at_digit(const struct cur *c)
{
	return c->at < c->in.n && c->in.p[c->at] >= '0' && c->in.p[c->at] <= '9';
}

static bool
fraction(struct cur *c, uint32_t *micros)
{
	uint32_t scale = 100000;
	uint8_t last = '0';

	if (!at_digit(c))
		return false;
	while (at_digit(c)) {
		last = cur_u8(c);
		*micros += (uint32_t)(last - '0') * scale;
		scale /= 10;
	}
	return last != '0';
}

static bool
in_range(int month, int day, int hour, int minute, int second)
{
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 &&
	    second >= 0 && second <= 60;
}

/* What follows the digits: Z, an offset, or (local time, taken as UTC) nothing. */
static int64_t
zone(struct cur *c, bool *strict)
{
	int hour, minute, sign;

	if (cur_at_end(c)) {
		*strict = false;
		return 0;
	}
	switch (cur_u8(c)) {
	case 'Z':
		return 0;
	case '+':
		sign = 1;
		break;
	case '-':
		sign = -1;
		break;
	default:
		c->failed = true;
		return 0;
	}
	*strict = false;
	hour = digits(c, 2);
	minute = cur_at_end(c) ? 0 : digits(c, 2);
	if (hour > 23 || minute > 59)
		c->failed = true;
	return sign * (hour * 3600 + minute * 60);
}

int64_t
ber_time(uint8_t tag, struct slice body, uint32_t *micros, bool *strict)
{
	struct cur c = cur_from(body);
	uint32_t parts = 0;
	bool good = tag == BER_GENERALIZED_TIME;
	int year, month, day, hour, minute, second = 0;
	int64_t offset;

	if (tag != BER_UTC_TIME && tag != BER_GENERALIZED_TIME)
		return TIME_NONE;
	year = digits(&c, tag == BER_UTC_TIME ? 2 : 4);
	if (tag == BER_UTC_TIME)
		year += year >= 50 ? 1900 : 2000; /* RFC 5280 4.1.2.5.1 */
	month = digits(&c, 2);
	day = digits(&c, 2);
	hour = digits(&c, 2);
	minute = digits(&c, 2);
	if (at_digit(&c))
		second = digits(&c, 2);
	else
		good = false;
	if (c.at < c.in.n && (c.in.p[c.at] == '.' || c.in.p[c.at] == ',')) {
		if (cur_u8(&c) == ',' || tag == BER_UTC_TIME)
			good = false;
		if (!fraction(&c, &parts))
			good = false;
	}
	offset = zone(&c, &good);
	if (!cur_at_end(&c) || !in_range(month, day, hour, minute, second))
		return TIME_NONE;
	if (micros != NULL)
		*micros = parts;
	if (strict != NULL)
		*strict = good;
	return time_make(year, month, day, hour, minute, second) - offset;
}

static bool
join(struct slice body, struct buf *scratch, unsigned depth)
{
	struct cur c = cur_from(body);
	struct ber part;

	while (!cur_at_end(&c)) {
		if (!ber_next(&c, &part))
			return false;
		if (part.tag == BER_OCTET_STRING)
			buf_addslice(scratch, part.body);
		else if (part.tag != (BER_OCTET_STRING | 0x20) || depth == 0 || !join(part.body, scratch, depth - 1))
			return false;
	}
	return true;
}

bool
ber_octets(const struct ber *b, uint8_t implicit_tag, struct buf *scratch, struct slice *out)
{
	*out = b->body;
	if (b->tag == implicit_tag)
		return true;
	if (b->tag != (implicit_tag | 0x20) || !join(b->body, scratch, 4))
		return false;
	*out = buf_slice(scratch);
	return buf_ok(scratch, NULL) == ERR_OK;
}

enum digest_alg
ber_digest_alg(struct slice body)
{
	struct cur c = cur_from(body);
	const struct digest_row *row;
	struct ber oid, none;
	char text[OID_TEXT];

	if (!ber_take(&c, BER_OID, &oid))
		return DIGEST_NONE;
	ber_opt(&c, BER_NULL, &none);
	if (!cur_at_end(&c))
		return DIGEST_NONE;
	ber_oid_text(oid.body, text);
	row = digest_by_oid(text);
	return row != NULL ? row->alg : DIGEST_NONE;
}

void
ber_put_header(struct buf *b, uint8_t tag, size_t n)
{
	int octets = 0, i;

	buf_add8(b, tag);
	if (n < 0x80) {
		buf_add8(b, (unsigned)n);
		return;
	}
	while (octets < 8 && n >> (8 * octets) != 0)
		octets++;
	buf_add8(b, 0x80u | (unsigned)octets);
	for (i = octets - 1; i >= 0; i--)
		buf_add8(b, (unsigned)(n >> (8 * i)) & 0xff);
}

void
ber_put(struct buf *b, uint8_t tag, struct slice body)
{
	ber_put_header(b, tag, body.n);
	buf_addslice(b, body);
}

void
ber_put_buf(struct buf *out, uint8_t tag, const struct buf *in)
{
	if (in->failed)
		out->failed = true;
	ber_put(out, tag, buf_slice(in));
}

void
ber_put_oid(struct buf *b, const char *dotted)
{
	AUTO(buf) struct buf oid = {0};

	if (!ber_oid_make(dotted, &oid))
		oid.failed = true;
	ber_put_buf(b, BER_OID, &oid);
}

void
ber_put_digest_alg(struct buf *b, enum digest_alg alg)
{
	const struct digest_row *row = digest_row(alg);
	AUTO(buf) struct buf seq = {0};

	ber_put_oid(&seq, row != NULL ? row->oid : "");
	ber_put_header(&seq, BER_NULL, 0);
	ber_put_buf(b, BER_SEQUENCE, &seq);
}
