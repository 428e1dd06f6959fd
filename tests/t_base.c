/* SPDX-License-Identifier: MIT */
/* Errors, octets, times, digests. */
#include "base/digest.h"
#include "tests/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- errors ----------------------------------------------------------------- */

static enum err_code
inner(struct err *e)
{
	return err_set(e, ERR_FORMAT, "octet %d", 7);
}

static void
errors_carry_context(void **state)
{
	struct err e = {0};

	(void)state;
	FAILS(ERR_FORMAT, inner(&e));
	assert_int_equal(err_wrap(&e, "record %s", "r1"), ERR_FORMAT);
	assert_string_equal(e.text, "record r1: octet 7");
	assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
	assert_int_equal(err_wrap(NULL, "x"), ERR_BUG);
	e = (struct err){0};
	assert_int_equal(err_wrap(&e, "nothing happened"), ERR_BUG);
	assert_int_equal(err_errno(&e, ERR_IO, ENOSPC, "write"), ERR_NOSPACE);
	assert_int_equal(e.code, ERR_NOSPACE);
	assert_string_equal(e.text, "write: No space left on device");
	for (int i = 0; i < 200; i++)
		err_wrap(&e, "%s", "a long context that will not fit for ever");
	assert_in_range(strlen(e.text), sizeof(e.text) - 60, sizeof(e.text) - 1);
}

static void
error_words_are_distinct(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_CODES; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(err_word((enum err_code)i), err_word((enum err_code)j));
	assert_string_equal(err_word(ERR_NOMEM), "no_memory");
	assert_string_equal(err_word((enum err_code)ERR_CODES), "bug");
}

static void
arrays_grow(void **state)
{
	int *v = NULL;
	size_t cap = 0;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		assert_true(mem_grow(&v, &cap, n, sizeof(*v)));
		v[n] = (int)n;
	}
	assert_int_equal(v[999], 999);
	free(v);
	assert_null(mem_new(SIZE_MAX / 2, 3));
}

/* --- octets ------------------------------------------------------------------ */

static void
buffers_fail_once_and_for_all(void **state)
{
	AUTO(buf) struct buf b = {.max_bytes = 10};
	struct err e = {0};

	(void)state;
	buf_adds(&b, "1234567890");
	OK(buf_ok(&b, &e));
	assert_string_equal(buf_str(&b), "1234567890");
	buf_add8(&b, 'x');
	buf_adds(&b, "");
	FAILS(ERR_LIMIT, buf_ok(&b, &e));
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	buf_addf(&b, "%d-%s", 5, "x");
	buf_addbe32(&b, 0x61626364);
	OK(buf_ok(&b, &e));
	assert_string_equal(buf_str(&b), "5-xabcd");
	b.max_bytes = SIZE_MAX / 2; /* no machine has that: not the content's fault */
	assert_false(buf_room(&b, SIZE_MAX / 4));
	FAILS(ERR_NOMEM, buf_ok(&b, &e));
}

/* RFC 3629 3: all code points and no others; what begins well and ends badly is none. */
static void
utf8_is_strict(void **state)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
	    "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3(", "\xe2\x82(", ""};
	uint32_t point = 7;

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		uint8_t s[4] = {(uint8_t)c};
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		for (size_t i = 0; n > 1 && i < n; i++)
			s[i] = (uint8_t)((i == 0 ? 0xf00 >> n : 0x80) | (c >> 6 * (n - 1 - i) & (i == 0 ? 0x7fu >> n : 0x3f)));
		assert_int_equal(utf8_next(slice_of(s, n), &point), n);
		assert_int_equal(point, c);
		assert_int_equal(utf8_next(slice_of(s, n - 1), &point), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (utf8_next(slice_str(bad[i]), &point) != 0)
			fail_msg("row %zu", i);
}

static void
xml_text_is_escaped(void **state)
{
	AUTO(buf) struct buf b = {0};

	(void)state;
	buf_addxml(&b, "a<b>&\"\xc5\x91\n\xff");
	assert_string_equal(buf_str(&b), "a&lt;b&gt;&amp;&quot;&#x151;&#xA;&#xFFFD;");
}

/* Nothing foreign makes a line of its own in a report, or turns one around. */
static void
plain_text_stays_on_its_line(void **state)
{
	AUTO(buf) struct buf b = {0};

	(void)state;
	buf_addplain(&b, "a\nb\x1b[31m\x7f|\xc2\x85|\xe2\x80\xae|\xe2\x80\xa8|\xe2\x81\xa6|\xff|M\xc3\xbcller \xe2\x82\xac");
	assert_string_equal(buf_str(&b), "a?b?[31m?|?|?|?|?|?|M\xc3\xbcller \xe2\x82\xac");
}

static void
slices_compare(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_str("ab"), slice_of("ab", 2)));
	assert_false(slice_eq(slice_str("ab"), slice_str("abc")));
	assert_true(slice_eq(slice_str(NULL), slice_str("")));
	assert_true(slice_cmp(slice_str("ab"), slice_str("abc")) < 0);
	assert_true(slice_cmp(slice_str("b"), slice_str("abc")) > 0);
	assert_true(slice_is(slice_str("ab"), "ab"));
	assert_false(slice_is(slice_of("ab\0", 3), "ab"));
}

static const struct {
	const char *name, *text, *octets;
	enum err_code code;
} base64_rows[] = {
    {"empty", "", "", ERR_OK},
    {"RFC 4648 f", "Zg==", "f", ERR_OK},
    {"RFC 4648 fo", "Zm8=", "fo", ERR_OK},
    {"RFC 4648 foo", "Zm9v", "foo", ERR_OK},
    {"RFC 4648 foobar", "Zm9vYmFy", "foobar", ERR_OK},
    {"white space anywhere", " Z\tm\r\n9 v Zg = =\n", "foof", ERR_OK},
    {"no padding", "Zg", NULL, ERR_FORMAT},
    {"half padding", "Zg=", NULL, ERR_FORMAT},
    {"one digit", "Z", NULL, ERR_FORMAT},
    {"too much padding", "Zm8==", NULL, ERR_FORMAT},
    {"padding alone", "=", NULL, ERR_FORMAT},
    {"digits behind padding", "Zg==Zg==", NULL, ERR_FORMAT},
    {"padding in the middle", "Zg=Z", NULL, ERR_FORMAT},
    {"URL alphabet", "Zm-_", NULL, ERR_FORMAT},
    {"foreign octet", "Zm9v\xc2\xa0", NULL, ERR_FORMAT},
};

static void
base64_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64_rows) / sizeof(base64_rows[0]); i++) {
		AUTO(buf) struct buf b = {0};
		struct err e = {0};

		if (i % 2 == 1) {
			buf_adds(&b, "Man");
			buf_clear(&b);
		}
		kit_expect(base64_rows[i].code, base64_to(slice_str(base64_rows[i].text), &b, &e), &e,
		    base64_rows[i].name, __FILE__, __LINE__);
		if (base64_rows[i].code == ERR_OK)
			SAME(buf_slice(&b), slice_str(base64_rows[i].octets));
		assert_int_equal(strlen(buf_str(&b)), b.n); /* terminated, also after a failure */
	}
}

static void
base64_round_trip(void **state)
{
	uint8_t in[70];
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37 + 200);
	for (size_t n = 0; n <= sizeof(in); n++) {
		AUTO(buf) struct buf text = {0};
		AUTO(buf) struct buf back = {0};

		buf_addbase64(&text, slice_of(in, n));
		OK(base64_to(buf_slice(&text), &back, &e));
		SAME(buf_slice(&back), slice_of(in, n));
	}
}

static void
hex_both_ways(void **state)
{
	uint8_t out[4];
	char text[9];

	(void)state;
	hex_of(slice_of("\x00\x1f\xa0\xff", 4), text);
	assert_string_equal(text, "001fa0ff");
	assert_true(hex_to("001FA0ff", 8, out));
	assert_memory_equal(out, "\x00\x1f\xa0\xff", 4);
	assert_false(hex_to("001", 3, out));
	assert_false(hex_to("0g", 2, out));
	assert_false(hex_to("0 ", 2, out));
}

static bool
read_all_kinds(struct slice in, struct err *e)
{
	struct cur c = cur_from(in);

	(void)cur_u8(&c);
	(void)cur_be16(&c);
	(void)cur_be32(&c);
	(void)cur_be64(&c);
	(void)cur_vec(&c);
	return cur_end(&c, "test", e) == ERR_OK;
}

static void
cut_off_is_format(struct slice cut, const char *what, void *ctx)
{
	struct err e = {0};

	(void)ctx;
	if (read_all_kinds(cut, &e) || e.code != ERR_FORMAT)
		fail_msg("%s: %s", what, e.text);
}

static void
cursor_every_prefix(void **state)
{
	AUTO(buf) struct buf b = {0};
	struct err e = {0};
	struct cur c;

	(void)state;
	buf_add8(&b, 1);
	buf_add(&b, "\x02\x03", 2);
	buf_addbe32(&b, 0x04050607);
	buf_addbe64(&b, 0x08090a0b0c0d0e0fULL);
	buf_addvec(&b, slice_str("hello"));
	c = cur_from(buf_slice(&b));
	assert_int_equal(cur_u8(&c), 1);
	assert_int_equal(cur_be16(&c), 0x0203);
	assert_int_equal(cur_be32(&c), 0x04050607);
	assert_true(cur_be64(&c) == 0x08090a0b0c0d0e0fULL);
	assert_true(slice_is(cur_vec(&c), "hello"));
	OK(cur_end(&c, "test", &e));
	kit_each_prefix(buf_slice(&b), cut_off_is_format, NULL);
	buf_add8(&b, 0);
	assert_false(read_all_kinds(buf_slice(&b), &e));
	SAYS("1 octets left over at 24");
}

static void
cursor_stays_failed(void **state)
{
	struct cur c = cur_from(slice_of("\xff\xff\xff\xff" "abc", 7));

	(void)state;
	assert_int_equal(cur_vec(&c).n, 0);
	assert_int_equal(cur_u8(&c), 0);
	assert_int_equal(cur_rest(&c).n, 0);
	assert_true(c.failed);
}

static const struct {
	const char *name;
	const char *octets;
	size_t n;
	bool ok;
	size_t body;
} der_rows[] = {
    {"null", "\x05\x00", 2, true, 0},
    {"short", "\x04\x03" "abc", 5, true, 3},
    {"one length octet", "\x04\x81\x03" "abc", 6, true, 3},
    {"eight length octets", "\x04\x88\x00\x00\x00\x00\x00\x00\x00\x01" "a", 11, true, 1},
    {"indefinite", "\x30\x80\x00\x00", 4, false, 0},
    {"high tag number", "\x1f\x81\x01\x00", 4, false, 0},
    {"nine length octets", "\x04\x89\x00\x00\x00\x00\x00\x00\x00\x00\x01" "a", 12, false, 0},
    {"length beyond", "\x04\x04" "abc", 5, false, 0},
    {"length of all ones", "\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff" "a", 11, false, 0},
};

static void
der_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(der_rows) / sizeof(der_rows[0]); i++) {
		struct cur c = cur_from(slice_of(der_rows[i].octets, der_rows[i].n));
		struct der d = {0};

		if (der_next(&c, &d) != der_rows[i].ok || c.failed == der_rows[i].ok ||
		    d.body.n != der_rows[i].body)
			fail_msg("%s", der_rows[i].name);
		if (der_rows[i].ok)
			SAME(d.whole, slice_of(der_rows[i].octets, der_rows[i].n));
	}
}

static void
der_cut_off(struct slice cut, const char *what, void *ctx)
{
	struct cur c = cur_from(cut);
	struct der d;

	(void)ctx;
	if (der_next(&c, &d))
		fail_msg("%s", what);
}

static void
der_every_prefix(void **state)
{
	(void)state;
	kit_each_prefix(slice_of("\x30\x81\x05\x02\x01\x01\x05\x00", 8), der_cut_off, NULL);
}

static void
sources_stop_at_their_end(void **state)
{
	AUTO(kit_dir) struct kit_dir dir = kit_dir_new();
	AUTO(buf) struct buf b = {0};
	struct slice text = slice_str("0123456789");
	struct source s = source_slice(&text), f;
	struct err e = {0};
	char two[2];
	AUTO(fd) int fd = -1;

	(void)state;
	OK(sys_write_durably(dir.fd, "f", text, 0600, &e));
	OK(sys_open_read(dir.fd, "f", &fd, &e));
	OK(source_fd(&fd, &f, &e));
	OK(f.read_at(f.ctx, 8, two, 2, &e));
	assert_memory_equal(two, "89", 2);
	FAILS(ERR_BUG, s.read_at(s.ctx, 9, two, 2, &e));
	FAILS(ERR_LIMIT, source_read_all(&f, 9, &b, &e));
	OK(source_read_all(&f, 10, &b, &e));
	SAME(buf_slice(&b), text);
	buf_clear(&b);
	const struct sink to = sink_buf(&b);
	OK(source_copy(&s, 3, 4, &to, &e));
	SAME(buf_slice(&b), slice_str("3456"));
}

/* --- time ------------------------------------------------------------------- */

static void
times_agree_with_libc(void **state)
{
	int64_t from = time_make(1900, 1, 1, 0, 0, 0), to = time_make(2101, 1, 1, 0, 0, 0), back;
	char text[TIME_TEXT], want[TIME_TEXT];

	(void)state;
	for (int64_t t = from; t < to; t += 86400 - 3607) {
		time_t libc = (time_t)t;
		struct tm tm;

		assert_non_null(gmtime_r(&libc, &tm));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		time_text(t, text);
		assert_string_equal(text, want);
		assert_true(time_parse(text, &back) && back == t);
		assert_true(time_make(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec) == t);
	}
}

static const struct {
	const char *text;
	const char *utc; /* NULL: not a time */
} time_rows[] = {
    {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
    {"2026-01-01T00:00:00", "2026-01-01T00:00:00Z"},
    {"2026-01-01", "2026-01-01T00:00:00Z"},
    {"2026-01-01+01:00", "2025-12-31T23:00:00Z"},
    {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"},
    {"2026-12-31T23:30:00-14:00", "2027-01-01T13:30:00Z"},
    {"2024-02-29T12:00:00.999999999Z", "2024-02-29T12:00:00Z"},
    {"2026-12-31T24:00:00Z", "2027-01-01T00:00:00Z"},
    {" 2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00Z"},
    {"2000-02-29", "2000-02-29T00:00:00Z"},
    {"1900-02-29", NULL},
    {"2026-02-29", NULL},
    {"2026-04-31", NULL},
    {"2026-13-01", NULL},
    {"2026-00-01", NULL},
    {"2026-01-00", NULL},
    {"2026-01-32", NULL},
    {"2026-01-01T24:00:01Z", NULL},
    {"2026-01-01T24:01:00Z", NULL},
    {"2026-01-01T25:00:00Z", NULL},
    {"2026-01-01T12:60:00Z", NULL},
    {"2026-01-01T12:00:61Z", NULL},
    {"2026-01-01T12:00Z", NULL},
    {"2026-01-01T12:00:00.Z", NULL},
    {"2026-01-01T12:00:00+15:00", NULL},
    {"2026-01-01T12:00:00+0100", NULL},
    {"2026-01-01T12:00:00z", NULL},
    {"2026-01-01 12:00:00Z", NULL},
    {"2026-1-1", NULL},
    {"26-01-01", NULL},
    {"2026-01-01T00:00:00Z x", NULL},
    {"", NULL},
    {"now", NULL},
};

static void
time_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(time_rows) / sizeof(time_rows[0]); i++) {
		char text[TIME_TEXT] = "no time";
		int64_t t = 0;

		if (time_parse(time_rows[i].text, &t))
			time_text(t, text);
		if (strcmp(text, time_rows[i].utc != NULL ? time_rows[i].utc : "no time") != 0)
			fail_msg("\"%s\" gives %s", time_rows[i].text, text);
	}
}

static void
time_every_prefix(struct slice cut, const char *what, void *ctx)
{
	AUTO(mem) char *text = mem_dup(cut.p, cut.n);
	int64_t t;

	(void)ctx;
	/* The date alone, and the time without its offset, are times as well. */
	if (time_parse(text, &t) != (cut.n == 10 || cut.n == 19))
		fail_msg("%s", what);
}

static void
time_prefixes(void **state)
{
	(void)state;
	kit_each_prefix(slice_str("2026-11-21T10:20:30+01:00"), time_every_prefix, NULL);
}

static void
months_keep_their_end(void **state)
{
	static const struct {
		const char *from;
		int months;
		const char *to;
	} rows[] = {
	    {"2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"},
	    {"2024-01-31T10:00:00Z", 1, "2024-02-29T10:00:00Z"},
	    {"2026-12-31T10:00:00Z", 2, "2027-02-28T10:00:00Z"},
	    {"2026-03-31T10:00:00Z", -1, "2026-02-28T10:00:00Z"},
	    {"2026-01-15T10:00:00Z", -1, "2025-12-15T10:00:00Z"},
	    {"2026-01-15T10:00:00Z", -25, "2023-12-15T10:00:00Z"},
	    {"2026-01-15T10:00:00Z", 360, "2056-01-15T10:00:00Z"},
	    {"2024-02-29T10:00:00Z", 12, "2025-02-28T10:00:00Z"},
	    {"1960-05-31T23:59:59Z", 1, "1960-06-30T23:59:59Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[TIME_TEXT];
		int64_t t = 0;

		assert_true(time_parse(rows[i].from, &t));
		time_text(time_add_months(t, rows[i].months), text);
		assert_string_equal(text, rows[i].to);
	}
}

static void
times_that_are_none(void **state)
{
	char text[TIME_TEXT];

	(void)state;
	time_text(TIME_NONE, text);
	assert_string_equal(text, "-");
	time_text(TIME_MAX, text);
	assert_string_equal(text, "open");
	time_text(time_make(10000, 1, 1, 0, 0, 0), text);
	assert_string_equal(text, "-");
	time_text(INT64_C(135536076801417600), text); /* 2^32 years and 1970 */
	assert_string_equal(text, "-");
	for (int shift = 40; shift < 63; shift++) {
		time_text(INT64_C(1) << shift, text);
		assert_string_equal(text, "-");
		time_text(-(INT64_C(1) << shift), text);
		assert_string_equal(text, "-");
	}
	time_text(time_make(0, 1, 1, 0, 0, 0) - 1, text);
	assert_string_equal(text, "-");
	time_text(time_make(9999, 12, 31, 23, 59, 59), text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	time_text(time_make(0, 1, 1, 0, 0, 0), text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
}

/* --- digests ------------------------------------------------------------------ */

/* Of "abc": FIPS 180-4 and 202 examples, RFC 1321, the RIPEMD-160 and ISO Whirlpool papers. */
static const struct {
	enum digest_alg alg;
	const char *hex;
} digest_rows[] = {
    {DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72"},
    {DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {DIGEST_RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
    {DIGEST_WHIRLPOOL, "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
		       "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5"},
    {DIGEST_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {DIGEST_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		    "8086072ba1e7cc2358baeca134c825a7"},
    {DIGEST_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {DIGEST_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
    {DIGEST_SHA3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {DIGEST_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
		      "98d88cea927ac7f539f1edf228376d25"},
    {DIGEST_SHA3_512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		      "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
};
#define DIGEST_ROWS (sizeof(digest_rows) / sizeof(digest_rows[0]))

static void
digest_values(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(DIGEST_ROWS, DIGEST_ALGS - 1);
	for (size_t i = 0; i < DIGEST_ROWS; i++) {
		struct digest d;
		char hex[DIGEST_HEX];

		if (digest_rows[i].alg == DIGEST_WHIRLPOOL && digest_evp(DIGEST_WHIRLPOOL) == NULL) {
			/* Only in OpenSSL's legacy provider. */
			FAILS(ERR_UNSUPPORTED, digest_once(DIGEST_WHIRLPOOL, slice_str("abc"), &d, &e));
			continue;
		}
		OK(digest_once(digest_rows[i].alg, slice_str("abc"), &d, &e));
		hex_of(digest_slice(&d), hex);
		assert_string_equal(hex, digest_rows[i].hex);
	}
}

static void
digest_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIGEST_ROWS; i++) {
		const struct digest_row *r = digest_row(digest_rows[i].alg);
		char text[DIGEST_TEXT];
		struct digest d = {.alg = digest_rows[i].alg, .n = strlen(digest_rows[i].hex) / 2}, back;

		assert_non_null(r);
		assert_int_equal(strlen(digest_rows[i].hex), 2 * r->size);
		assert_ptr_equal(digest_by_oid(r->oid), r);
		assert_ptr_equal(digest_by_uri(r->uri), r);
		assert_ptr_equal(digest_by_name(r->name), r);
		assert_true(hex_to(digest_rows[i].hex, 2 * d.n, d.octets));
		digest_text(&d, text);
		assert_true(digest_parse(text, &back));
		assert_true(digest_eq(&d, &back));
		back.octets[0] ^= 1;
		assert_false(digest_eq(&d, &back));
		text[strlen(text) - 1] = '\0';
		assert_false(digest_parse(text, &back));
	}
	assert_ptr_equal(digest_by_name("sha-256"), digest_row(DIGEST_SHA256));
	assert_ptr_equal(digest_by_name("sha3_256"), digest_row(DIGEST_SHA3_256));
	assert_null(digest_row(DIGEST_NONE));
	assert_null(digest_by_name("crc32"));
	assert_null(digest_by_oid("1.2.3"));
	/* Neither is defined (XMLDSig 1.1 has SHA-384 in xmldsig-more). */
	assert_null(digest_by_uri("http://www.w3.org/2001/04/xmlenc#sha384"));
	assert_null(digest_by_uri("http://www.w3.org/2000/09/xmldsig#sha256"));
}

static void
no_digest_equals_nothing(void **state)
{
	struct digest none = {0}, d;
	struct err e = {0};

	(void)state;
	assert_false(digest_eq(&none, &none));
	FAILS(ERR_UNSUPPORTED, digest_once(DIGEST_NONE, slice_str("abc"), &d, &e));
	assert_false(digest_parse("", &d));
	assert_false(digest_parse("sha256:", &d));
	assert_false(digest_parse("abc:00", &d));
}

static void
many_in_one_pass(void **state)
{
	static const enum digest_alg algs[] = {DIGEST_SHA512, DIGEST_SHA256, DIGEST_SHA3_256};
	AUTO(digester) struct digester *g = NULL;
	struct digest have[3], want;
	struct err e = {0};

	(void)state;
	OK(digester_new(algs, 3, &g, &e));
	for (int round = 0; round < 2; round++) {
		OK(digester_add(g, slice_str("a"), &e));
		const struct sink s = digester_sink(g);
		OK(sink_write(&s, slice_str("bc"), &e));
		OK(digester_finish(g, have, &e));
		for (int i = 0; i < 3; i++) {
			OK(digest_once(algs[i], slice_str("abc"), &want, &e));
			assert_true(digest_eq(&have[i], &want));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_carry_context),
	    cmocka_unit_test(error_words_are_distinct),
	    cmocka_unit_test(arrays_grow),
	    cmocka_unit_test(buffers_fail_once_and_for_all),
	    cmocka_unit_test(utf8_is_strict),
	    cmocka_unit_test(xml_text_is_escaped),
	    cmocka_unit_test(plain_text_stays_on_its_line),
	    cmocka_unit_test(slices_compare),
	    cmocka_unit_test(base64_table),
	    cmocka_unit_test(base64_round_trip),
	    cmocka_unit_test(hex_both_ways),
	    cmocka_unit_test(cursor_every_prefix),
	    cmocka_unit_test(cursor_stays_failed),
	    cmocka_unit_test(der_table),
	    cmocka_unit_test(der_every_prefix),
	    cmocka_unit_test(sources_stop_at_their_end),
	    cmocka_unit_test(times_agree_with_libc),
	    cmocka_unit_test(time_table),
	    cmocka_unit_test(time_prefixes),
	    cmocka_unit_test(months_keep_their_end),
	    cmocka_unit_test(times_that_are_none),
	    cmocka_unit_test(digest_values),
	    cmocka_unit_test(digest_names),
	    cmocka_unit_test(no_digest_equals_nothing),
	    cmocka_unit_test(many_in_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
