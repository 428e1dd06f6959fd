/* SPDX-License-Identifier: MIT */
/* BER as it comes in signatures and tokens: lengths, nesting, times, numbers. */
#include "tests/kit.h"
#include "verify/ber.h"

#include <string.h>

#define NOW INT64_C(1767225600) /* 2026-01-01 */

static void
ber_reads_indefinite_lengths(void **state)
{
	/* SEQUENCE(indef) { OCTET STRING(indef, constructed) { 01 02 | 03 }, INTEGER 5 } */
	static const uint8_t in[] = {0x30, 0x80, 0x24, 0x80, 4, 2, 1, 2, 4, 1, 3, 0, 0, 2, 1, 5, 0, 0};
	struct cur top = cur_from(slice_of(in, sizeof(in))), seq;
	AUTO(buf) struct buf joined = {0};
	struct ber b;
	struct slice octets;
	size_t n;

	(void)state;
	assert_true(ber_enter(&top, BER_SEQUENCE, &seq));
	assert_true(cur_at_end(&top));
	assert_true(ber_next(&seq, &b));
	assert_true(ber_octets(&b, BER_OCTET_STRING, &joined, &octets));
	assert_true(slice_eq(octets, slice_of("\1\2\3", 3)));
	assert_true(ber_take(&seq, BER_INTEGER, &b));
	assert_true(cur_at_end(&seq));
	for (n = 0; n < sizeof(in); n++) {
		top = cur_from(slice_of(in, n));
		assert_false(ber_next(&top, &b));
	}
}

static void
ber_bounds_nesting(void **state)
{
	uint8_t in[400];
	struct cur c;
	struct ber b;
	size_t depth, i;

	(void)state;
	for (depth = 16; depth <= 17; depth++) {
		memset(in, 0, sizeof(in));
		for (i = 0; i < depth; i++)
			memcpy(in + 2 * i, "\x30\x80", 2);
		c = cur_from(slice_of(in, 4 * depth));
		assert_int_equal(ber_next(&c, &b), depth == 16);
	}
}

static void
ber_times(void **state)
{
	static const struct {
		uint8_t tag;
		const char *text;
		int64_t want;
		uint32_t micros;
		bool strict;
	} rows[] = {
	    {BER_UTC_TIME, "260101000000Z", NOW, 0, false},
	    {BER_UTC_TIME, "500101000000Z", -631152000, 0, false},
	    {BER_UTC_TIME, "491231235959Z", 2524607999, 0, false},
	    {BER_UTC_TIME, "2601010000Z", NOW, 0, false},
	    {BER_UTC_TIME, "260101020000+0200", NOW, 0, false},
	    {BER_GENERALIZED_TIME, "20260101000000Z", NOW, 0, true},
	    {BER_GENERALIZED_TIME, "20260101000000.25Z", NOW, 250000, true},
	    {BER_GENERALIZED_TIME, "20260101000000.250Z", NOW, 250000, false},
	    {BER_GENERALIZED_TIME, "20260101000000.0Z", NOW, 0, false},
	    {BER_GENERALIZED_TIME, "20260101000000.1234567Z", NOW, 123456, true},
	    {BER_GENERALIZED_TIME, "20260101000000", NOW, 0, false},
	    {BER_GENERALIZED_TIME, "99991231235959Z", INT64_C(253402300799), 0, true},
	    {BER_GENERALIZED_TIME, "20261301000000Z", TIME_NONE, 0, false},
	    {BER_GENERALIZED_TIME, "2026010100000Z", TIME_NONE, 0, false},
	    {BER_GENERALIZED_TIME, "20260101000000Zx", TIME_NONE, 0, false},
	    {BER_GENERALIZED_TIME, "", TIME_NONE, 0, false},
	    {BER_OCTET_STRING, "20260101000000Z", TIME_NONE, 0, false},
	};
	uint32_t micros;
	bool strict;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		micros = 0;
		strict = false;
		if (ber_time(rows[i].tag, slice_str(rows[i].text), &micros, &strict) != rows[i].want || micros != rows[i].micros ||
		    strict != rows[i].strict)
			fail_msg("%s", rows[i].text);
	}
}

static void
ber_numbers_and_oids(void **state)
{
	AUTO(buf) struct buf oid = {0};
	char text[OID_TEXT];
	int64_t n;

	(void)state;
	assert_true(ber_int64(slice_of("\xff\xfe", 2), &n) && n == -2);
	assert_true(ber_int64(slice_of("\0\x80", 2), &n) && n == 128);
	assert_false(ber_int64(slice_of("\x01\0\0\0\0\0\0\0\0", 9), &n));
	assert_true(slice_eq(ber_int_canonical(slice_of("\0\0\x7f", 3)), slice_of("\x7f", 1)));
	assert_true(slice_eq(ber_int_canonical(slice_of("\xff\xff\x80", 3)), slice_of("\x80", 1)));
	assert_int_equal(ber_int_bits(slice_of("\0\x80\0", 3)), 16);
	assert_true(ber_oid_make("2.16.840.1.101.3.4.2.1", &oid));
	ber_oid_text(buf_slice(&oid), text);
	assert_string_equal(text, "2.16.840.1.101.3.4.2.1");
	assert_false(ber_oid_make("1.", &oid));
	assert_false(ber_oid_make("3.1", &oid));
	assert_false(ber_oid_make("", &oid));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ber_reads_indefinite_lengths),
	    cmocka_unit_test(ber_bounds_nesting),
	    cmocka_unit_test(ber_times),
	    cmocka_unit_test(ber_numbers_and_oids),
	};

	return cmocka_run_group_tests_name("ber", tests, NULL, NULL);
}
