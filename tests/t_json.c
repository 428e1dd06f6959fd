/* SPDX-License-Identifier: MIT */
/* JSON: caps, refusals, the canonical form, members. */
#include "base/json.h"
#include "tests/kit.h"

#include <string.h>

static const struct {
	const char *name, *text;
	enum err_code code;
	const char *canonical; /* NULL: not written */
} rows[] = {
    {"empty object", " { } ", ERR_OK, "{}"},
    {"sorted", "{\"b\":1,\"a\":[true,false,null],\"aa\":{\"z\":0,\"y\":-1}}", ERR_OK,
	"{\"a\":[true,false,null],\"aa\":{\"y\":-1,\"z\":0},\"b\":1}"},
    {"capitals first", "{\"a\":1,\"B\":2,\"_\":3}", ERR_OK, "{\"B\":2,\"_\":3,\"a\":1}"},
    {"RFC 8785 string", "{\"s\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"}", ERR_OK,
	"{\"s\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
    {"short escapes", "\"\\b\\f\\n\\r\\t\\u001f\\u007f\"", ERR_OK, "\"\\b\\f\\n\\r\\t\\u001f\x7f\""},
    {"beyond the first plane", "\"\\ud83d\\ude00\"", ERR_OK, "\"\xf0\x9f\x98\x80\""},
    {"number alone", "7", ERR_OK, "7"},
    {"minus zero", "-0", ERR_OK, "0"},
    {"largest", "9007199254740991", ERR_OK, "9007199254740991"},
    {"one more", "9007199254740992", ERR_OK, NULL},
    {"smallest", "-9007199254740991", ERR_OK, "-9007199254740991"},
    {"one less", "-9007199254740992", ERR_OK, NULL},
    {"key that is not ASCII", "{\"\xc3\xa9\":1}", ERR_OK, NULL},
    {"string that looks like a real", "\"1.5 \\\" 1e9\"", ERR_OK, "\"1.5 \\\" 1e9\""},

    {"nothing", "", ERR_FORMAT, NULL},
    {"key twice", "{\"a\":1,\"a\":1}", ERR_FORMAT, NULL},
    {"key twice by escape", "{\"a\":1,\"\\u0061\":1}", ERR_FORMAT, NULL},
    {"fraction", "{\"a\":1.0}", ERR_FORMAT, NULL},
    {"exponent", "[1e2]", ERR_FORMAT, NULL},
    {"capital exponent", "[1E2]", ERR_FORMAT, NULL},
    {"beyond 64 bits", "9223372036854775808", ERR_FORMAT, NULL},
    {"text behind", "{} x", ERR_FORMAT, NULL},
    {"comma at the end", "[1,]", ERR_FORMAT, NULL},
    {"single quotes", "{'a':1}", ERR_FORMAT, NULL},
    {"comment", "{} // x", ERR_FORMAT, NULL},
    {"NaN", "[NaN]", ERR_FORMAT, NULL},
    {"leading zero", "[01]", ERR_FORMAT, NULL},
    {"invalid UTF-8", "\"\xff\"", ERR_FORMAT, NULL},
    {"overlong UTF-8", "\"\xc0\xaf\"", ERR_FORMAT, NULL},
    {"surrogate in UTF-8", "\"\xed\xa0\x80\"", ERR_FORMAT, NULL},
    {"half a pair", "\"\\ud83d\"", ERR_FORMAT, NULL},
    {"escaped zero", "\"\\u0000\"", ERR_FORMAT, NULL},
    {"raw control character", "\"\n\"", ERR_FORMAT, NULL},
    {"string not closed", "\"a", ERR_FORMAT, NULL},
    {"byte order mark", "\xef\xbb\xbf{}", ERR_FORMAT, NULL},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) json_t *j = NULL;
		AUTO(buf) struct buf b = {0};
		struct err e = {0};

		kit_expect(
		    rows[i].code, json_read(slice_str(rows[i].text), NULL, &j, &e), &e, rows[i].name, __FILE__, __LINE__);
		assert_true((j != NULL) == (rows[i].code == ERR_OK));
		if (j == NULL)
			continue;
		kit_expect(rows[i].canonical != NULL ? ERR_OK : ERR_USAGE, json_canonical(j, &b, &e), &e, rows[i].name,
		    __FILE__, __LINE__);
		if (rows[i].canonical != NULL)
			assert_string_equal(buf_str(&b), rows[i].canonical);
	}
}

static const char sample[] = "{\"a\":{\"b\":[1,-2,\"x\\u00e9\\n\"]},\"c\":true,\"d\":null}";

static void
lines(void **state)
{
	AUTO(json) json_t *j = NULL, *again = NULL;
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	(void)state;
	OK(json_read(slice_str("{\"b\":[1,{\"y\":\"\\n\",\"x\":null}],\"a\":{},\"c\":[]}"), NULL, &j, &e));
	OK(json_lines(j, &b, &e));
	assert_string_equal(buf_str(&b), "{\n \"a\": {},\n \"b\": [\n  1,\n  {\n   \"x\": null,\n   \"y\": \"\\n\"\n  }\n ],\n \"c\": []\n}");
	OK(json_read(buf_slice(&b), NULL, &again, &e));
	assert_true(json_equal(j, again));
}

/* Written, read, written: the same octets. */
static void
canonical_is_a_fixed_point(void **state)
{
	AUTO(json) json_t *j = NULL;
	AUTO(json) json_t *again = NULL;
	AUTO(buf) struct buf a = {0};
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	(void)state;
	OK(json_read(slice_str(sample), NULL, &j, &e));
	OK(json_canonical(j, &a, &e));
	OK(json_read(buf_slice(&a), NULL, &again, &e));
	OK(json_canonical(again, &b, &e));
	SAME(buf_slice(&a), buf_slice(&b));
}

static void
prefix_is_format(struct slice cut, const char *what, void *ctx)
{
	json_t *j = NULL;
	struct err e = {0};
	enum err_code code = json_read(cut, NULL, &j, &e);

	(void)ctx;
	if (code != ERR_FORMAT)
		fail_msg("%s: %s", what, err_word(code));
}

static void
flip_is_answered(struct slice spoiled, const char *what, void *ctx)
{
	AUTO(json) json_t *j = NULL;
	struct err e = {0};
	enum err_code code = json_read(spoiled, NULL, &j, &e);

	(void)ctx;
	if (code != ERR_OK && code != ERR_FORMAT)
		fail_msg("%s: %s", what, err_word(code));
}

static void
spoiled(void **state)
{
	(void)state;
	kit_each_prefix(slice_str(sample), prefix_is_format, NULL);
	kit_each_bit_flip(slice_str(sample), flip_is_answered, NULL);
}

static void
depth_cap(void **state)
{
	struct err e = {0};

	(void)state;
	for (size_t n = 64; n <= 65; n++) {
		AUTO(json) json_t *j = NULL;
		AUTO(json) json_t *quoted = NULL;
		AUTO(buf) struct buf b = {0};
		AUTO(buf) struct buf q = {0};

		for (size_t i = 0; i < n; i++)
			buf_adds(&b, i % 2 == 0 ? "[" : "{\"a\":");
		buf_addf(&q, "\"[[\\\"%zu[[\"", n);
		for (size_t i = n; i-- > 0;) {
			if (i + 1 == n)
				buf_addslice(&b, buf_slice(&q));
			buf_adds(&b, i % 2 == 0 ? "]" : "}");
		}
		kit_expect(n == 64 ? ERR_OK : ERR_LIMIT, json_read(buf_slice(&b), NULL, &j, &e), &e, "depth", __FILE__,
		    __LINE__);
		/* Brackets in a string are none. */
		OK(json_read(buf_slice(&q), &(struct json_limits){.max_depth = 1}, &quoted, &e));
	}
}

static void
caps(void **state)
{
	const struct json_limits bytes = {.max_bytes = 4}, depth = {.max_depth = 1}, reals = {.reals = true};
	AUTO(json) json_t *a = NULL;
	AUTO(json) json_t *b = NULL;
	AUTO(json) json_t *c = NULL;
	static const struct {
		const char *text;
		size_t n; /* commas and opening brackets outside texts, and one */
	} counted[] = {{"[1,[],{\"a,[\":1}]", 6}, {"[1,\"x,\\\",[{\",2]", 4}, {"{\"a\":{},\"b\":{\"c\":0}}", 5}};
	AUTO(buf) struct buf out = {0};
	AUTO(buf) struct buf many = {0};
	struct err e = {0};

	(void)state;
	OK(json_read(slice_str("[12]"), &bytes, &a, &e));
	FAILS(ERR_LIMIT, json_read(slice_str("[123]"), &bytes, &b, &e));
	FAILS(ERR_LIMIT, json_read(slice_str("[[]]"), &depth, &b, &e));
	OK(json_read(slice_str("[1,2]"), &depth, &b, &e));
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		AUTO(json) json_t *d = NULL;
		struct json_limits most = {.max_values = counted[i].n};

		OK(json_read(slice_str(counted[i].text), &most, &d, &e));
		most.max_values--;
		FAILS(ERR_LIMIT, json_read(slice_str(counted[i].text), &most, &d, &e));
		SAYS("values");
	}
	for (size_t i = 0; i < 4000000; i++)
		buf_adds(&many, i == 0 ? "[{}" : ",{}");
	buf_adds(&many, "]");
	FAILS(ERR_LIMIT, json_read(buf_slice(&many), NULL, &a, &e));
	OK(json_read(slice_str("[1.5]"), &reals, &c, &e));
	FAILS(ERR_USAGE, json_canonical(c, &out, &e));
	SAYS("not an integer");
}

static void
members(void **state)
{
	static const char *const known[] = {"s", "i", "n", "b", "o", "a", "t", NULL}, *const few[] = {"s", NULL};
	AUTO(json) json_t *j = NULL;
	AUTO(json) json_t *large = NULL;
	const char *s = NULL;
	int64_t i = 0;
	uint64_t u = 0;
	bool b = false;
	json_t *v = NULL;
	struct err e = {0};

	(void)state;
	OK(json_read(slice_str("{\"s\":\"x\",\"i\":-5,\"n\":null,\"b\":true,\"o\":{},\"a\":[],\"t\":\"2026-01-01T00:00:00Z\"}"),
	    NULL, &j, &e));
	OK(json_need_str(j, "s", &s, &e));
	assert_string_equal(s, "x");
	OK(json_need_int(j, "i", &i, &e));
	assert_int_equal(i, -5);
	OK(json_need_bool(j, "b", &b, &e));
	assert_true(b);
	OK(json_need_obj(j, "o", &v, &e));
	OK(json_need_arr(j, "a", &v, &e));
	OK(json_read(slice_str("{\"most\":9007199254740991,\"more\":9007199254740992,\"less\":-9007199254740992}"), NULL, &large, &e));
	OK(json_need_size(large, "most", &u, &e));
	assert_true(u == 9007199254740991);
	FAILS(ERR_FORMAT, json_need_size(large, "more", &u, &e));
	FAILS(ERR_FORMAT, json_need_int(large, "less", &i, &e));
	FAILS(ERR_FORMAT, json_want_int(large, "more", 0, &i, &e));
	FAILS(ERR_FORMAT, json_need_size(j, "i", &u, &e));
	SAYS("\"i\" is negative");
	FAILS(ERR_FORMAT, json_need_str(j, "absent", &s, &e));
	SAYS("\"absent\" is missing");
	FAILS(ERR_FORMAT, json_need_str(j, "n", &s, &e));
	FAILS(ERR_FORMAT, json_need_str(j, "i", &s, &e));
	SAYS("\"i\" is not a text");
	FAILS(ERR_FORMAT, json_need_int(j, "s", &i, &e));
	FAILS(ERR_FORMAT, json_need_bool(j, "s", &b, &e));
	FAILS(ERR_FORMAT, json_need_obj(j, "a", &v, &e));
	FAILS(ERR_FORMAT, json_need_arr(j, "o", &v, &e));
	FAILS(ERR_FORMAT, json_need_str(json_object_get(j, "a"), "s", &s, &e));
	FAILS(ERR_FORMAT, json_need_str(NULL, "s", &s, &e));
	OK(json_want_str(j, "n", "default", &s, &e));
	assert_string_equal(s, "default");
	OK(json_want_int(j, "absent", 9, &i, &e));
	assert_int_equal(i, 9);
	OK(json_want_bool(j, "absent", false, &b, &e));
	assert_false(b);
	FAILS(ERR_FORMAT, json_want_int(j, "s", 9, &i, &e));
	OK(json_want_time(j, "t", &i, &e));
	assert_true(i == time_make(2026, 1, 1, 0, 0, 0));
	OK(json_want_time(j, "n", &i, &e));
	assert_true(i == TIME_NONE);
	FAILS(ERR_FORMAT, json_want_time(j, "s", &i, &e));
	OK(json_only_keys(j, known, &e));
	FAILS(ERR_FORMAT, json_only_keys(j, few, &e));
	SAYS("\"i\" is not known here");
}

static void
building(void **state)
{
	AUTO(json) json_t *j = json_object();
	AUTO(buf) struct buf b = {0};
	json_t *list = json_array();
	struct err e = {0};

	(void)state;
	OK(json_push(list, json_text("broken \xff\xc3 \xed\xa0\x80 end \xc5\x91"), &e));
	OK(json_push(list, json_text_n(slice_of("a\0b", 3)), &e));
	OK(json_push(list, json_text(NULL), &e));
	OK(json_push(list, json_hex(slice_of("\x01\xff", 2)), &e));
	OK(json_push(list, json_time(TIME_NONE), &e));
	OK(json_push(list, json_time(TIME_MAX), &e));
	OK(json_push(list, json_time(0), &e));
	OK(json_set(j, "list", list, &e));
	FAILS(ERR_NOMEM, json_set(j, "none", NULL, &e));
	OK(json_canonical(j, &b, &e));
	assert_string_equal(buf_str(&b),
	    "{\"list\":[\"broken \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end \xc5\x91\","
	    "\"a\xef\xbf\xbd" "b\",null,\"01ff\",null,\"open\",\"1970-01-01T00:00:00Z\"]}");
	FAILS(ERR_BUG, json_canonical(NULL, &b, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(lines),
	    cmocka_unit_test(canonical_is_a_fixed_point),
	    cmocka_unit_test(spoiled),
	    cmocka_unit_test(depth_cap),
	    cmocka_unit_test(caps),
	    cmocka_unit_test(members),
	    cmocka_unit_test(building),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
