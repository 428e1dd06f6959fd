/* SPDX-License-Identifier: MIT */
/* The XML loader's caps: at limit and limit + 1, and what floods it is refused quickly. */
#include "base/xml.h"
#include "tests/kit.h"

static void
times(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_adds(b, s);
}

static enum err_code
load_buf(const struct buf *b, const struct xml_limits *l, struct err *e)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	enum err_code code = buf_ok(b, e);

	return code == ERR_OK ? xml_load(buf_slice(b), l, &doc, e) : code;
}

static void
depth_cap(void **state)
{
	struct err e = {0};

	(void)state;
	for (size_t n = 255; n <= 257; n++) {
		AUTO(buf) struct buf b = {0};

		times(&b, "<a>", n);
		times(&b, "</a>", n);
		kit_expect(n <= 256 ? ERR_OK : ERR_LIMIT, load_buf(&b, NULL, &e), &e, "depth", __FILE__, __LINE__);
	}
	SAYS("deeper than 256");
}

/* Not even a caller can ask for more: canonicalisation recurses. */
static void
depth_has_a_hard_cap(void **state)
{
	const struct xml_limits l = {.max_depth = 1000000};
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	(void)state;
	times(&b, "<a>", 1000000);
	FAILS(ERR_LIMIT, load_buf(&b, &l, &e));
	SAYS("deeper than 1024");
}

/* Elements 1 + n, one attribute, one namespace declaration, one text, one comment, one instruction, one CDATA. */
static void
node_cap(void **state)
{
	const struct xml_limits l = {.max_nodes = 107};
	struct err e = {0};

	(void)state;
	for (size_t n = 100; n <= 101; n++) {
		AUTO(buf) struct buf b = {0};

		buf_adds(&b, "<a xmlns=\"u\" b=\"1\">a long &amp; text<!--c--><?p i?><![CDATA[x]]>");
		times(&b, "<b/>", n);
		buf_adds(&b, "</a>");
		kit_expect(n == 100 ? ERR_OK : ERR_LIMIT, load_buf(&b, &l, &e), &e, "nodes", __FILE__, __LINE__);
	}
	SAYS("more than 107 nodes");
}

static void
attribute_cap(void **state)
{
	struct err e = {0};

	(void)state;
	for (size_t n = 512; n <= 513; n++) {
		AUTO(buf) struct buf b = {0};

		buf_adds(&b, "<r><a");
		for (size_t i = 0; i < n; i++)
			buf_addf(&b, " a%zu='>'", i);
		buf_adds(&b, "/></r>");
		kit_expect(n == 512 ? ERR_OK : ERR_LIMIT, load_buf(&b, NULL, &e), &e, "attributes", __FILE__, __LINE__);
	}
	SAYS("more than 512 attributes");
}

/* libxml2 compares each with all: a million of them would take hours, were they not counted before. */
static void
attribute_flood_is_quick(void **state)
{
	int64_t start = sys_monotonic_ms();
	struct err e = {0};

	(void)state;
	for (int utf16 = 0; utf16 < 2; utf16++) {
		AUTO(buf) struct buf b = {0};
		AUTO(buf) struct buf wide = {0};

		buf_adds(&b, "<a");
		for (size_t i = 0; i < 1000000; i++)
			buf_addf(&b, " a%zu=''", i);
		buf_adds(&b, "/>");
		buf_adds(&wide, "\xff\xfe");
		for (size_t i = 0; utf16 && i < b.n; i++)
			buf_add(&wide, (uint8_t[]){b.p[i], 0}, 2);
		FAILS(ERR_LIMIT, load_buf(utf16 ? &wide : &b, NULL, &e));
		SAYS("attributes");
	}
	assert_true(sys_monotonic_ms() - start < 10000);
}

/* After an error libxml2 reads on without telling; no further octet is handed to it. */
static void
flood_behind_an_error_is_quick(void **state)
{
	AUTO(buf) struct buf b = {0};
	struct err e = {0};
	int64_t start;

	(void)state;
	buf_adds(&b, "<a><b></c>");
	for (size_t i = 0; i < 100000; i++)
		buf_addf(&b, "<x xmlns:p%zu='u'>", i);
	start = sys_monotonic_ms();
	FAILS(ERR_FORMAT, load_buf(&b, NULL, &e));
	assert_true(sys_monotonic_ms() - start < 2000);
}

static void
namespace_cap(void **state)
{
	const struct xml_limits l = {.max_namespaces = 100};
	struct err e = {0};

	(void)state;
	for (size_t n = 100; n <= 101; n++) {
		AUTO(buf) struct buf b = {0};

		for (size_t i = 0; i < n; i++)
			buf_addf(&b, "<a xmlns:p%zu='u'>", i);
		times(&b, "</a>", n);
		kit_expect(n == 100 ? ERR_OK : ERR_LIMIT, load_buf(&b, &l, &e), &e, "namespaces", __FILE__, __LINE__);
	}
	SAYS("namespace declarations in scope");
}

static void
text_cap(void **state)
{
	static const struct {
		const char *name, *before, *after;
	} kinds[] = {
	    {"text", "<a>", "</a>"},
	    {"CDATA", "<a><![CDATA[", "]]></a>"},
	    {"comment", "<a><!--", "--></a>"},
	    {"instruction", "<a><?p ", "?></a>"},
	    {"attribute", "<a b='", "'/>"},
	};
	const struct xml_limits l = {.max_text_bytes = 100000};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (size_t n = 100000; n <= 100001; n++) {
			AUTO(buf) struct buf b = {0};

			buf_adds(&b, kinds[i].before);
			times(&b, "x", n);
			buf_adds(&b, kinds[i].after);
			kit_expect(n == 100000 ? ERR_OK : ERR_LIMIT, load_buf(&b, &l, &e), &e, kinds[i].name, __FILE__,
			    __LINE__);
		}
	SAYS("a text is longer than 100000");
}

static void
name_cap(void **state)
{
	static const struct {
		const char *name, *before, *after;
	} kinds[] = {
	    {"element", "<", "/>"},
	    {"attribute", "<a ", "=''/>"},
	    {"prefix", "<a xmlns:", "='u'/>"},
	    {"namespace", "<a xmlns='", "'/>"},
	    {"instruction", "<a><?", "?></a>"},
	};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (size_t n = 4096; n <= 4097; n++) {
			AUTO(buf) struct buf b = {0};

			buf_adds(&b, kinds[i].before);
			times(&b, "x", n);
			buf_adds(&b, kinds[i].after);
			kit_expect(
			    n == 4096 ? ERR_OK : ERR_LIMIT, load_buf(&b, NULL, &e), &e, kinds[i].name, __FILE__, __LINE__);
		}
	SAYS("a name is longer than 4096");
}

static void
size_cap(void **state)
{
	struct xml_limits l = {.max_bytes = 7};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};

	(void)state;
	OK(xml_load(slice_str("<a></a>"), &l, &doc, &e));
	l.max_bytes = 6;
	FAILS(ERR_LIMIT, xml_load(slice_str("<a></a>"), &l, &doc, &e));
	SAYS("7 octets, at most 6");
	FAILS(ERR_FORMAT, xml_load(slice_str(""), &l, &doc, &e));
}

/* libxml2's own cap is 10 MB a text; base64 payloads and revocation lists pass it. */
static void
long_text_is_kept(void **state)
{
	AUTO(buf) struct buf b = {0};
	AUTO(buf) struct buf text = {0};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};

	(void)state;
	buf_adds(&b, "<a>");
	times(&b, "0123456789abcdef0123456789abcdef", 400000);
	buf_adds(&b, "</a>");
	OK(xml_load(buf_slice(&b), NULL, &doc, &e));
	xml_text(xmlDocGetRootElement(doc), &text);
	assert_int_equal(text.n, 12800000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(depth_cap),
	    cmocka_unit_test(depth_has_a_hard_cap),
	    cmocka_unit_test(node_cap),
	    cmocka_unit_test(attribute_cap),
	    cmocka_unit_test(attribute_flood_is_quick),
	    cmocka_unit_test(flood_behind_an_error_is_quick),
	    cmocka_unit_test(namespace_cap),
	    cmocka_unit_test(text_cap),
	    cmocka_unit_test(name_cap),
	    cmocka_unit_test(size_cap),
	    cmocka_unit_test(long_text_is_kept),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
