/* SPDX-License-Identifier: MIT */
/* Octets: arrays, buffers, slices, text forms, cursors, sources. */
#include "tests/kit.h"

#include <stdlib.h>
#include <string.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
