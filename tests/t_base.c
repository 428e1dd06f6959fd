/* SPDX-License-Identifier: MIT */
/* Errors, times, digests. */
#include "base/digest.h"
#include "tests/kit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

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
