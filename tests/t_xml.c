/* SPDX-License-Identifier: MIT */
/* The XML loader against hostile and spoiled documents, encodings, and memory that ends; the tree helpers. */
#include "base/sys.h"
#include "base/xml.h"
#include "tests/kit.h"

#include <libxml/c14n.h>
#include <string.h>
#include <unistd.h>

struct row {
	const char *name;
	const char *text;
	enum err_code code;
	const char *says;
};

#define BOMB_ENTITY(n, m) "<!ENTITY " n " \"" m m m m m m m m m m "\">"

static const struct row rows[] = {
    {"plain", "<a/>", ERR_OK, NULL},
    {"declaration", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>", ERR_OK, NULL},
    {"UTF-8 as Java calls it", "<?xml version=\"1.0\" encoding=\"UTF8\"?><a>\xc3\xa1</a>", ERR_OK, NULL},
    {"the same with a mark", "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf8\"?><a>\xc3\xa1</a>", ERR_OK, NULL},
    {"byte order mark", "\xef\xbb\xbf<a/>", ERR_OK, NULL},
    {"predefined entities", "<a b=\"&lt;&amp;&quot;\">&gt;&apos;</a>", ERR_OK, NULL},
    {"character references", "<a>&#65;&#x151;</a>", ERR_OK, NULL},
    {"a name that is no valid URI", "<a xmlns=\"not a URI\"/>", ERR_OK, NULL},
    {"relative namespace name", "<a xmlns=\"relative\"/>", ERR_OK, NULL},
    {"comments and instructions", "<!-- x --><?pi data?><a><!-- < & --></a><!-- end -->", ERR_OK, NULL},
    {"markup in CDATA", "<a><![CDATA[<!DOCTYPE b><b \"&x;]]></a>", ERR_OK, NULL},
    {"markup in a comment", "<!-- <!DOCTYPE b> --><a/>", ERR_OK, NULL},
    {"'>' in an attribute", "<a b=\">\" c='>'/>", ERR_OK, NULL},

    {"internal DTD", "<!DOCTYPE a [<!ELEMENT a ANY>]><a/>", ERR_REFUSED, "DOCTYPE a"},
    {"empty DTD", "<!DOCTYPE a><a/>", ERR_REFUSED, "DOCTYPE a"},
    {"external DTD", "<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/a.dtd\"><a/>", ERR_REFUSED, "DOCTYPE a"},
    {"public DTD", "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"x.dtd\"><html/>", ERR_REFUSED, "DOCTYPE html"},
    {"DTD behind a comment", "<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE a><a/>", ERR_REFUSED, "line 3"},
    {"entity of a file", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", ERR_REFUSED, "DOCTYPE"},
    {"entity in an attribute", "<!DOCTYPE a [<!ENTITY x \"y\">]><a b=\"&x;\"/>", ERR_REFUSED, "DOCTYPE"},
    {"parameter entity", "<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://127.0.0.1:1/\"> %x;]><a/>", ERR_REFUSED, "DOCTYPE"},
    {"a billion laughs",
	"<!DOCTYPE a [<!ENTITY l0 \"lol\">" BOMB_ENTITY("l1", "&l0;") BOMB_ENTITY("l2", "&l1;") BOMB_ENTITY("l3", "&l2;")
	    BOMB_ENTITY("l4", "&l3;") BOMB_ENTITY("l5", "&l4;") BOMB_ENTITY("l6", "&l5;") BOMB_ENTITY("l7", "&l6;")
		BOMB_ENTITY("l8", "&l7;") BOMB_ENTITY("l9", "&l8;") "]><a>&l9;</a>",
	ERR_REFUSED, "DOCTYPE"},
    {"default attribute", "<!DOCTYPE a [<!ATTLIST a Id ID \"x\">]><a/>", ERR_REFUSED, "DOCTYPE"},
    {"undeclared entity", "<a>&nbsp;</a>", ERR_REFUSED, "&nbsp;"},
    {"undeclared entity in an attribute", "<a b=\"&x;\"/>", ERR_REFUSED, "&x;"},

    {"UTF-7", "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>", ERR_REFUSED, "UTF-7"},
    {"EBCDIC by name", "<?xml version='1.0' encoding='IBM037'?><a/>", ERR_REFUSED, "IBM037"},
    {"stateful set", "<?xml version=\"1.0\" encoding=\"ISO-2022-JP\"?><a/>", ERR_REFUSED, "ISO-2022-JP"},
    {"ISO-8859-17", "<?xml version=\"1.0\" encoding=\"ISO-8859-17\"?><a/>", ERR_REFUSED, "ISO-8859-17"},
    {"windows-1259", "<?xml version=\"1.0\" encoding=\"windows-1259\"?><a/>", ERR_REFUSED, "windows-1259"},
    {"UTF-16 claimed", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", ERR_REFUSED, "UTF-16"},
    {"mark against name", "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a/>", ERR_REFUSED, "contradicts"},

    {"blank", "  \n", ERR_FORMAT, "not well-formed"},
    {"no markup", "hello", ERR_FORMAT, "not well-formed"},
    {"cut off", "<a><b></b>", ERR_FORMAT, "line 1"},
    {"wrong end tag", "<a>\n<b></a>", ERR_FORMAT, "line 2"},
    {"two roots", "<a/><b/>", ERR_FORMAT, "not well-formed"},
    {"text behind the root", "<a/>x", ERR_FORMAT, "not well-formed"},
    {"attribute twice", "<a b=\"1\" b=\"2\"/>", ERR_FORMAT, "not well-formed"},
    {"attribute twice by namespace", "<a xmlns:p=\"u\" xmlns:q=\"u\" p:b=\"1\" q:b=\"2\"/>", ERR_FORMAT, "not well-formed"},
    {"prefix without a namespace", "<p:a/>", ERR_FORMAT, "Namespace prefix p"},
    {"attribute prefix without one", "<a p:b=\"1\"/>", ERR_FORMAT, "Namespace prefix p"},
    {"two colons", "<a xmlns:p=\"u\"><p:b:c/></a>", ERR_FORMAT, "not well-formed"},
    {"'<' in an attribute", "<a b=\"<\"/>", ERR_FORMAT, "'<' inside a tag"},
    {"tag within a tag", "<a <b/>", ERR_FORMAT, "'<' inside a tag"},
    {"invalid UTF-8", "<a>\xff</a>", ERR_FORMAT, "not well-formed"},
    {"control character", "<a>\x01</a>", ERR_FORMAT, "not well-formed"},
    {"reference to zero", "<a>&#0;</a>", ERR_FORMAT, "not well-formed"},
    {"CDATA not closed", "<a><![CDATA[x</a>", ERR_FORMAT, "not well-formed"},
    {"comment not closed", "<a/><!-- x", ERR_FORMAT, "not well-formed"},
    {"no character of its encoding", "<?xml version=\"1.0\" encoding=\"ISO-8859-6\"?><a>\xb1</a>", ERR_FORMAT, "conver"},
    {"unquoted attribute", "<a b=1/>", ERR_FORMAT, "not well-formed"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		struct err e = {0};

		kit_expect(rows[i].code, xml_load(slice_str(rows[i].text), NULL, &doc, &e), &e, rows[i].name,
		    __FILE__, __LINE__);
		assert_true((doc != NULL) == (rows[i].code == ERR_OK));
		if (rows[i].says != NULL)
			SAYS(rows[i].says);
	}
}

/* libxml2 would print to stderr; the service's log is no place for a stranger's text. */
static void
nothing_is_printed(void **state)
{
	AUTO(kit_dir) struct kit_dir dir = kit_dir_new();
	AUTO(fd) int file = -1;
	struct err e = {0};
	uint64_t size = 1;
	int saved = dup(2);

	(void)state;
	OK(sys_create(dir.fd, "stderr", 0600, &file, &e));
	assert_int_equal(dup2(file, 2), 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;

		xmlChar *out = NULL;

		/* Canonical forms as well: the one of a relative namespace name fails. */
		if (xml_load(slice_str(rows[i].text), NULL, &doc, &e) == ERR_OK &&
		    xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 0, &out) >= 0)
			xmlFree(out);
	}
	dup2(saved, 2);
	close(saved);
	OK(sys_size(file, &size, &e));
	assert_int_equal(size, 0);
}

/* --- encodings --------------------------------------------------------------- */

static void
expect_text(struct slice raw, const char *want, const char *name)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	kit_expect(ERR_OK, xml_load(raw, NULL, &doc, &e), &e, name, __FILE__, __LINE__);
	xml_text(xmlDocGetRootElement(doc), &text);
	assert_string_equal(buf_str(&text), want);
	assert_string_equal(xml_attr(xmlDocGetRootElement(doc), "b"), want);
}

static void
eight_bit_encodings(void **state)
{
	static const struct {
		const char *name;
		char octet;
		const char *utf8;
	} sets[] = {
	    {"ISO-8859-1", '\xf5', "\xc3\xb5"},
	    {"ISO-8859-2", '\xf5', "\xc5\x91"},
	    {"iso-8859-2", '\xfb', "\xc5\xb1"},
	    {"ISO-8859-5", '\xb6', "\xd0\x96"},
	    {"ISO-8859-15", '\xa4', "\xe2\x82\xac"},
	    {"ISO-8859-16", '\xf5', "\xc5\x91"},
	    {"windows-1250", '\xf5', "\xc5\x91"},
	    {"Windows-1251", '\xc6', "\xd0\x96"},
	    {"windows-1252", '\x80', "\xe2\x82\xac"},
	    {"windows-1258", '\x80', "\xe2\x82\xac"},
	    {"US-ASCII", 'x', "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		AUTO(buf) struct buf b = {0};

		buf_addf(&b, "<?xml version=\"1.0\" encoding=\"%s\"?><a b=\"%c\">%c</a>", sets[i].name, sets[i].octet,
		    sets[i].octet);
		expect_text(buf_slice(&b), sets[i].utf8, sets[i].name);
	}
}

/* Characters of the basic plane from UTF-8 of one or two octets. */
static void
widen(const char *utf8, bool big, struct buf *out)
{
	buf_adds(out, big ? "\xfe\xff" : "\xff\xfe");
	for (const unsigned char *p = (const unsigned char *)utf8; *p != '\0'; p++) {
		unsigned c = *p < 0x80 ? *p : (*p & 31U) << 6 | (p[1] & 63U);

		p += *p >= 0x80;
		buf_add8(out, big ? c >> 8 : c & 255);
		buf_add8(out, big ? c & 255 : c >> 8);
	}
}

/* What stands behind a zero octet is in the file, so it must not be out of the document. */
static void
zero_characters(void **state)
{
	static const char *const docs[] = {"<a/>%", "<a/>%<b/>", "<a/>\n%\n", "<a>%</a>", "<a b=\"%\"/>", "<!-- % --><a/>", "%<a/>"};

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(docs) / sizeof(docs[0]); i++) {
		AUTO(buf) struct buf b = {0};
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		struct err e = {0};
		const char *text = docs[i / 3];

		if (i % 3 == 0)
			buf_adds(&b, text);
		else
			widen(text, i % 3 == 2, &b);
		OK(buf_ok(&b, &e));
		*(uint8_t *)memchr(b.p, '%', b.n) = 0;
		if (xml_load(buf_slice(&b), NULL, &doc, &e) == ERR_OK)
			print_error("%s, %zu\n", text, i % 3);
		assert_null(doc);
	}
}

static void
half_a_character(void **state)
{
	AUTO(buf) struct buf b = {0};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};

	(void)state;
	widen("<a/>", false, &b);
	buf_add8(&b, '\n');
	FAILS(ERR_FORMAT, xml_load(buf_slice(&b), NULL, &doc, &e));
}

static void
utf16_both_ways(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++)
		for (int named = 0; named < 2; named++) {
			AUTO(buf) struct buf b = {0};

			widen(named ? "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a b=\"\xc5\x91>\">\xc5\x91&gt;</a>"
				    : "<a b=\"\xc5\x91>\">\xc5\x91&gt;</a>",
			    big, &b);
			expect_text(buf_slice(&b), "\xc5\x91>", big ? "UTF-16BE" : "UTF-16LE");
		}
}

static void
utf16_refusals(void **state)
{
	AUTO(buf) struct buf b = {0};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};

	(void)state;
	widen("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", false, &b);
	FAILS(ERR_REFUSED, xml_load(buf_slice(&b), NULL, &doc, &e));
	SAYS("DOCTYPE");
	/* The same without its mark, and UTF-32. */
	FAILS(ERR_REFUSED, xml_load(slice_of(b.p + 2, b.n - 2), NULL, &doc, &e));
	SAYS("byte order mark");
	FAILS(ERR_REFUSED, xml_load(slice_of("\xff\xfe\0\0<\0\0\0", 8), NULL, &doc, &e));
	buf_clear(&b);
	widen("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>", true, &b);
	FAILS(ERR_REFUSED, xml_load(buf_slice(&b), NULL, &doc, &e));
	SAYS("contradicts");
	/* Half a character at the end. */
	buf_clear(&b);
	widen("<a/>", true, &b);
	buf_add8(&b, 0);
	(void)!xml_load(buf_slice(&b), NULL, &doc, &e);
}

/* --- tree --------------------------------------------------------------------- */

static const char sample[] = "<r xmlns=\"u\" xmlns:q=\"v\" a=\"\" q:a=\"2\" c=\" x&amp;y\n\">"
			     "<b>one</b><!-- c --><q:b>t<i>w</i><![CDATA[o<]]><?p i?></q:b><b xmlns=\"\">three</b> </r>";

static void
walking(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf names = {0};
	struct err e = {0};
	xmlNodePtr root, n = NULL;

	(void)state;
	OK(xml_load(slice_str(sample), NULL, &doc, &e));
	root = xmlDocGetRootElement(doc);
	assert_true(xml_is(root, "u", "r"));
	assert_false(xml_is(root, NULL, "r"));
	assert_true(xml_is(root, "whatever", NULL));
	assert_false(xml_is(NULL, "u", "r"));
	assert_int_equal(xml_count(root, "u", "b"), 1);
	assert_int_equal(xml_count(root, NULL, NULL), 3);
	assert_true(xml_is(xml_first(root, "", "b"), NULL, "b"));
	assert_null(xml_next(xml_first(root, "v", "b"), "u", "b"));
	assert_null(xml_first(NULL, "u", "b"));
	OK(xml_only(root, "v", "b", &n, &e));
	FAILS(ERR_FORMAT, xml_only(root, "w", "b", &n, &e));
	SAYS("no element b");
	for (n = root; n != NULL; n = xml_walk(root, n))
		buf_addf(&names, "%s ", (const char *)n->name);
	assert_string_equal(buf_str(&names), "r b b i b ");
	assert_null(xml_walk(xml_first(root, "u", "b"), xml_first(root, "u", "b")));
}

static void
attributes(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	xmlNodePtr root;

	(void)state;
	OK(xml_load(slice_str(sample), NULL, &doc, &e));
	root = xmlDocGetRootElement(doc);
	assert_string_equal(xml_attr(root, "a"), "");
	assert_string_equal(xml_attr_ns(root, "v", "a"), "2");
	assert_string_equal(xml_attr(root, "c"), " x&y ");
	assert_null(xml_attr(root, "b"));
	assert_null(xml_attr_ns(root, "u", "a"));
	assert_null(xml_attr(NULL, "a"));
}

static void
texts(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf b = {0};
	AUTO(mem) char *s = NULL;
	struct err e = {0};
	xmlNodePtr root;

	(void)state;
	OK(xml_load(slice_str(sample), NULL, &doc, &e));
	root = xmlDocGetRootElement(doc);
	xml_text(xml_first(root, "v", "b"), &b);
	assert_string_equal(buf_str(&b), "two<");
	OK(xml_text_dup(root, 12, &s, &e));
	assert_string_equal(s, "onetwo<three");
	FAILS(ERR_LIMIT, xml_text_dup(root, 11, &(char *){NULL}, &e));
	buf_clear(&b);
	FAILS(ERR_FORMAT, xml_base64(xml_first(root, "v", "b"), &b, &e));
	OK(xml_base64(NULL, &b, &e));
}

static void
more_than_one(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	xmlNodePtr n = NULL;

	(void)state;
	OK(xml_load(slice_str("<a><b/>\n<b/></a>"), NULL, &doc, &e));
	FAILS(ERR_FORMAT, xml_only(xmlDocGetRootElement(doc), NULL, "b", &n, &e));
	SAYS("more than one element b");
}

/* White space, CDATA, comments, references: what the signer's canonical form was made of is all there. */
static void
canonical_form_is_the_signers(void **state)
{
	static const char in[] = "<?xml version=\"1.0\"?>\r\n<a  b='1'\n c=\"x\ty&#13;\">\r\n <![CDATA[<&]]>&#13;<!--x--><d/></a>";
	static const char want[] = "<a b=\"1\" c=\"x y&#xD;\">\n &lt;&amp;&#xD;<d></d></a>";
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	xmlChar *out = NULL;
	int n;

	(void)state;
	OK(xml_load(slice_str(in), NULL, &doc, &e));
	n = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 0, &out);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, sizeof(want) - 1);
	xmlFree(out);
}

static void
tree_errors_are_told(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	xmlChar *out = NULL;

	(void)state;
	OK(xml_load(slice_str("<a xmlns:p=\"relative\"><p:b/></a>"), NULL, &doc, &e));
	assert_true(xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 0, &out) < 0);
	assert_int_equal(xml_err(&e, ERR_FORMAT, "canonical form"), ERR_FORMAT);
	SAYS("canonical form: ");
	assert_int_equal(xml_err(&e, ERR_FORMAT, "again"), ERR_FORMAT);
	assert_string_equal(e.text, "again");
}

/* --- spoiled documents ----------------------------------------------------------- */

static void
no_prefix_is_a_document(struct slice cut, const char *what, void *ctx)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	enum err_code code = xml_load(cut, NULL, &doc, &e);

	(void)ctx;
	/* A cut surrogate or a lost last line end may stand; here the last octet is the closing '>'. */
	if (code != ERR_FORMAT)
		fail_msg("%s: %s %s", what, err_word(code), e.text);
}

/* Whatever comes out, it is one of four answers, and no octet outside is read. */
static void
any_flip_is_answered(struct slice spoiled, const char *what, void *ctx)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	enum err_code code = xml_load(spoiled, NULL, &doc, &e);

	(void)ctx;
	if (code != ERR_OK && code != ERR_FORMAT && code != ERR_REFUSED)
		fail_msg("%s: %s %s", what, err_word(code), e.text);
}

static void
spoiled(void **state)
{
	AUTO(buf) struct buf wide = {0};

	(void)state;
	widen("<r a='1'><b>\xc5\x91</b></r>", false, &wide);
	kit_each_prefix(slice_str(sample), no_prefix_is_a_document, NULL);
	kit_each_bit_flip(slice_str(sample), any_flip_is_answered, NULL);
	kit_each_bit_flip(buf_slice(&wide), any_flip_is_answered, NULL);
}

/* --- no memory ------------------------------------------------------------------- */

/* Countdown to the one allocation that fails; 0 = none. libxml2's hooks take no context. */
static size_t fails_in;
static xmlMallocFunc real_malloc;
static xmlReallocFunc real_realloc;
static xmlStrdupFunc real_strdup;
static xmlFreeFunc real_free;

/* A size that no allocator has, at the chosen call. */
static size_t
or_too_much(size_t n)
{
	return fails_in > 0 && --fails_in == 0 ? SIZE_MAX / 4 : n;
}

static void *
short_malloc(size_t n)
{
	return real_malloc(or_too_much(n));
}

static void *
short_realloc(void *p, size_t n)
{
	return real_realloc(p, or_too_much(n));
}

static char *
short_strdup(const char *s)
{
	return or_too_much(1) == 1 ? real_strdup(s) : real_malloc(SIZE_MAX / 4);
}

/* libxml2 2.9 loses a few blocks of its own when memory ends; the worker's end takes them along. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static enum err_code
load_short_of_memory(struct slice raw, size_t n, xmlDocPtr *doc, struct err *e)
{
	enum err_code code;

	if (__lsan_disable != NULL)
		__lsan_disable();
	fails_in = n;
	code = xml_load(raw, NULL, doc, e);
	if (__lsan_enable != NULL)
		__lsan_enable();
	return code;
}

static void
same_canonical_form(xmlDocPtr doc, const char *want)
{
	xmlChar *out = NULL;

	assert_true(xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &out) > 0);
	assert_string_equal((const char *)out, want);
	xmlFree(out);
}

/* Whichever allocation fails: told as such, or the tree is whole. A hole in it would be a forged document. */
static void
memory_ends_anywhere(void **state)
{
	static const char in[] = "<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><r xmlns=\"urn:u\" xmlns:q=\"urn:v\" "
				 "a=\"long enough not to be interned &amp; more\" q:a=\"\xf5\"><b>a text long enough to be "
				 "kept by itself</b><!-- c --><q:b>t<![CDATA[o<]]><?p i?></q:b></r>";
	static const char want[] = "<r xmlns=\"urn:u\" xmlns:q=\"urn:v\" a=\"long enough not to be interned &amp; more\" "
				   "q:a=\"\xc5\x91\"><b>a text long enough to be kept by itself</b><!-- c --><q:b>"
				   "to&lt;<?p i?></q:b></r>";
	size_t told = 0, whole = 0;

	(void)state;
	for (size_t n = 1; whole < 20 && n < 5000; n++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		struct err e = {0};
		enum err_code code;

		code = load_short_of_memory(slice_str(in), n, &doc, &e);
		whole += fails_in > 0; /* never came so far */
		fails_in = 0;
		told += code == ERR_NOMEM;
		if (code == ERR_OK)
			same_canonical_form(doc, want);
		else if (code != ERR_NOMEM)
			fail_msg("allocation %zu: %s %s", n, err_word(code), e.text);
	}
	assert_int_equal(whole, 20);
	assert_true(told > 20);
}

static int
setup(void **state)
{
	(void)state;
	xml_init();
	if (xmlMemGet(&real_free, &real_malloc, &real_realloc, &real_strdup) != 0 ||
	    xmlMemSetup(real_free, short_malloc, short_realloc, short_strdup) != 0)
		return -1;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(nothing_is_printed),
	    cmocka_unit_test(eight_bit_encodings),
	    cmocka_unit_test(zero_characters),
	    cmocka_unit_test(half_a_character),
	    cmocka_unit_test(utf16_both_ways),
	    cmocka_unit_test(utf16_refusals),
	    cmocka_unit_test(walking),
	    cmocka_unit_test(attributes),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(more_than_one),
	    cmocka_unit_test(canonical_form_is_the_signers),
	    cmocka_unit_test(tree_errors_are_told),
	    cmocka_unit_test(spoiled),
	    cmocka_unit_test(memory_ends_anywhere),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
