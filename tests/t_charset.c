/* SPDX-License-Identifier: MIT */
/* Single-octet encodings: every octet of every set as iconv has it, and which of them a document is read in. */
#include "base/xml_int.h"
#include "tests/kit.h"

#include <iconv.h>
#include <stdio.h>
#include <string.h>

/* What iconv makes of one octet by itself; 0 octets where it has no character. */
static size_t
by_iconv(iconv_t c, uint8_t octet, char *out, size_t room)
{
	char in[1] = {(char)octet}, *from = in, *to = out;
	size_t n = 1, left = room;

	(void)iconv(c, NULL, NULL, NULL, NULL);
	/* The second call hands out a letter that is kept back to be composed with the next one. */
	if (iconv(c, &from, &n, &to, &left) == (size_t)-1 || iconv(c, NULL, NULL, &to, &left) == (size_t)-1)
		return 0;
	return room - left;
}

static void
set_is_iconvs(const char *name)
{
	const struct charset *set = charset_find(name);
	iconv_t c = iconv_open("UTF-8", name);

	if (set == NULL || c == (iconv_t)-1)
		fail_msg("%s: %s", name, set == NULL ? "not found" : "iconv does not know it");
	for (unsigned i = 0; i < 256; i++) {
		uint8_t octet = (uint8_t)i, have[8];
		char want[8];
		struct slice in = slice_of(&octet, 1);
		size_t n_want = by_iconv(c, octet, want, sizeof(want)), n = charset_to_utf8(set, &in, have, sizeof(have));

		if (!slice_eq(slice_of(have, n), slice_of(want, n_want)) || in.n != (n == 0))
			fail_msg("%s: octet %#x differs", name, i);
	}
	iconv_close(c);
}

static void
every_octet(void **state)
{
	char name[24];

	(void)state;
	for (int i = 1; i <= 16; i++) {
		snprintf(name, sizeof(name), "ISO-8859-%d", i);
		if (i != 12)
			set_is_iconvs(name);
	}
	for (int i = 1250; i <= 1258; i++) {
		snprintf(name, sizeof(name), "windows-%d", i);
		set_is_iconvs(name);
	}
	set_is_iconvs("US-ASCII");
}

static void
names(void **state)
{
	static const char *const same[] = {"iso-8859-2", "ISO_8859-2", "iso8859-2"};
	static const char *const none[] = {"ISO-8859-12", "ISO-8859-17", "ISO-8859-0", "ISO-8859-02", "ISO-8859-2x", "ISO-8859-", "ISO-8859",
	    "windows-1259", "windows-125", "windows-12500", "cp12", "UTF-8", "UTF-7", "latin1", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_ptr_equal(charset_find(same[i]), charset_find("ISO-8859-2"));
	assert_ptr_equal(charset_find("CP1250"), charset_find("windows-1250"));
	assert_ptr_equal(charset_find("ascii"), charset_find("US-ASCII"));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (charset_find(none[i]) != NULL)
			fail_msg("\"%s\" was found", none[i]);
}

/* Room for whole characters only. */
static void
piece_by_piece(void **state)
{
	uint8_t out[7];
	struct slice in = slice_str("\x80\x80x");
	const struct charset *set = charset_find("windows-1252");

	(void)state;
	assert_int_equal(charset_to_utf8(set, &in, out, 2), 0);
	assert_int_equal(in.n, 3);
	assert_int_equal(charset_to_utf8(set, &in, out, 5), 3);
	assert_int_equal(in.n, 2);
	assert_int_equal(charset_to_utf8(set, &in, out, 7), 4);
	assert_int_equal(in.n, 0);
}

struct row {
	const char *name, *declaration, *octets;
	enum err_code code;
	const char *text; /* or what the error says */
};

static const struct row rows[] = {
    {"UTF-8", "<?xml version='1.0'?>", "\xc5\x91", ERR_OK, "\xc5\x91"},
    {"windows-1250", "<?xml version='1.0' encoding='windows-1250'?>", "\xf5", ERR_OK, "\xc5\x91"},
    {"a base letter and its tone stay two", "<?xml version='1.0' encoding='windows-1258'?>", "a\xcc", ERR_OK, "a\xcc\x80"},
    {"three octets for one", "<?xml version='1.0' encoding='ISO-8859-11'?>", "\xa1", ERR_OK, "\xe0\xb8\x81"},
    {"ASCII", "<?xml version='1.0' encoding='US-ASCII'?>", "x", ERR_OK, "x"},
    {"beyond ASCII", "<?xml version='1.0' encoding='US-ASCII'?>", "\xe9", ERR_FORMAT, "octet 0xe9 can't be converted from US-ASCII"},
    {"no character there", "<?xml version='1.0' encoding='cp1252'?>", "\x81", ERR_FORMAT, "octet 0x81 can't be converted from cp1252"},
    {"never issued", "<?xml version='1.0' encoding='ISO-8859-12'?>", "x", ERR_REFUSED, "ISO-8859-12"},
    /* A processing instruction is no declaration. */
    {"stylesheet", "<?xml-stylesheet href='x' encoding='ISO-8859-2'?>", "\xc5\x91", ERR_OK, "\xc5\x91"},
    {"behind the declaration", "<?xml version='1.0'?><?p encoding='UTF-7'?>", "x", ERR_OK, "x"},
    {"standalone", "<?xml version='1.0' encoding = \"ISO-8859-2\" standalone='yes'?>", "\xf5", ERR_OK, "\xc5\x91"},
    {"an encoding for the version", "<?xml version='encoding' encoding='ISO-8859-2'?>", "x", ERR_REFUSED, "not in the list"},
    {"two encodings", "<?xml version='1.0' encoding='UTF-8' encoding='ISO-8859-2'?>", "x", ERR_FORMAT, "not well-formed"},
};

static void
documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		AUTO(buf) struct buf raw = {0}, text = {0};
		struct err e = {0};

		buf_addf(&raw, "%s<a b='%s'>%s</a>", rows[i].declaration, rows[i].octets, rows[i].octets);
		kit_expect(rows[i].code, xml_load(buf_slice(&raw), NULL, &doc, &e), &e, rows[i].name, __FILE__, __LINE__);
		if (rows[i].code != ERR_OK) {
			SAYS(rows[i].text);
			continue;
		}
		xml_text(xmlDocGetRootElement(doc), &text);
		assert_string_equal(buf_str(&text), rows[i].text);
		assert_string_equal(xml_attr(xmlDocGetRootElement(doc), "b"), rows[i].text);
	}
}

/* What the positions in the raw file go by. */
static void
tree_names_its_encoding(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};

	(void)state;
	OK(xml_load(slice_str("<?xml version=\"1.0\" encoding=\"iso-8859-2\"?><a/>"), NULL, &doc, &e));
	assert_string_equal((const char *)doc->encoding, "iso-8859-2");
}

/* A parser that looks further than our reading would find what is not in the list. */
static void
long_declarations(void **state)
{
	struct err e = {0};

	(void)state;
	for (int pad = 470; pad < 490; pad++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		AUTO(buf) struct buf raw = {0};
		size_t end;

		buf_addf(&raw, "<?xml version='1.0'%*s", pad, "");
		buf_adds(&raw, "encoding='ASCII'");
		end = raw.n;
		buf_adds(&raw, "?><a/>");
		kit_expect(end <= 512 ? ERR_OK : ERR_REFUSED, xml_load(buf_slice(&raw), NULL, &doc, &e), &e, "long", __FILE__, __LINE__);
	}
}

/* Many pieces, each letter three octets. */
static void
long_thai(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf raw = {0}, want = {0}, text = {0};
	struct err e = {0};

	(void)state;
	buf_adds(&raw, "<?xml version='1.0' encoding='ISO-8859-11'?><a>");
	for (unsigned i = 0; i < 100000; i++) {
		buf_adds(&raw, i % 7 == 0 ? "x" : i % 2 == 0 ? "\xa1" : "\xda");
		buf_adds(&want, i % 7 == 0 ? "x" : i % 2 == 0 ? "\xe0\xb8\x81" : "\xe0\xb8\xba");
	}
	buf_adds(&raw, "</a>");
	OK(xml_load(buf_slice(&raw), NULL, &doc, &e));
	xml_text(xmlDocGetRootElement(doc), &text);
	assert_true(slice_eq(buf_slice(&text), buf_slice(&want)));
}

static int
setup(void **state)
{
	(void)state;
	xml_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_octet),
	    cmocka_unit_test(names),
	    cmocka_unit_test(piece_by_piece),
	    cmocka_unit_test(documents),
	    cmocka_unit_test(tree_names_its_encoding),
	    cmocka_unit_test(long_declarations),
	    cmocka_unit_test(long_thai),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
