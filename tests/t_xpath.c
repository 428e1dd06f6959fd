/* SPDX-License-Identifier: MIT */
/* The counted form of an XPath means what the expression means, and what is no expression has none. */
#include "base/xml.h"
#include "tests/kit.h"
#include "verify/xpath_meter.h"

#include <libxml/xpathInternals.h>
#include <string.h>

static const char document[] = "<r a='1' b='x y' xml:lang='de'><i n='1'>one</i><i n='2'>2</i><j><i>3.5</i><!--c--><k/></j> tail<div mod='and'>or</div></r>";

static const char *const expressions[] = {
    "1", "'a'", "\"it's\"", "1 = 1", "1 != 1", "1 < 2 and 2 <= 2", "2 > 1 or 1 > 2", "3 >= 4", "1 + 2 * 3 - 4 div 2", "7 mod 4", "-5 + 3", "--5",
    "- - 5 - -2", "1 = 1 = true()", "1 < 2 < 3", "3 > 2 > 1", "//i = 2", "//i != 2", "//i[. = 'one']/@n", "//i[@n = 2]", "//i[@n > 1]", "//i[2]",
    "//i[position() = last()]", "//i[last()]", "//i | //k", "(//i | //k)[2]", "count(//i | //k | //i)", "//i = //j", "//i != //i", "//i < //i",
    "/r/*", "/*", "//*", "/", "/ = 'x'", "//@*", "count(//@*) * 2", "* * *", "r/* = 2", "//div", "//div[@mod = 'and']", "//div/@mod = 'and'",
    "div div div", "//j//i", "//i/..", ".//i", "./r", "self::node()", "child::r/child::i[attribute::n = '1']", "//comment()", "//text()[contains(., 'tail')]",
    "string(//i)", "string()", "string-length(//i[1])", "string-length()", "normalize-space(' a  b ')", "normalize-space(/r)", "concat('a', //i, 3)",
    "contains('abc', 'bc')", "starts-with(//i, 'o')", "substring('12345', 2, 3)", "substring-before('a-b', '-')", "substring-after('a-b', '-')",
    "translate('bar', 'abc', 'AB')", "number(//i[2]) + 1", "number('x')", "sum(//i[@n = 2])", "floor(2.6)", "ceiling(2.1)", "round(.5)", "floor(//i[2])",
    "boolean(//nothing)", "not(//i)", "lang('de')", "//*[lang('de')]", "name(//i)", "local-name(/*)", "count(//i[. = ../i[2]])", "//i[not(. = 'one') and @n]",
    "true() = //i", "//nothing = false()", "//i + 1", "-//i[2]", "//i[@n=1]|//j/i[.>3]", "/r/i[1]/following-sibling::*[2]", "preceding::i", "ancestor-or-self::*[@a]",
    "(1)", "((//i))[1]", "'a' = \"a\"", "1.5 = 1.50", "1. + .5", "@a", "//*[@*[. = '2']]", "processing-instruction('x')", "//i[position() mod 2 = 1]",
    "1 div 0", "0 div 0 = 0 div 0", "//i[1] = //i[1] and //i[1] != //i[2]",
};

static void
value_of(xmlDoc *doc, const char *text, bool metered, struct buf *out)
{
	xmlXPathContext *c = xmlXPathNewContext(doc);
	AUTO(buf) struct buf m = {0};
	xmlXPathObject *o;
	xmlChar *s;
	int i;

	assert_non_null(c);
	c->opLimit = 1000000;
	if (metered) {
		assert_true(xpath_meter(c));
		if (!xpath_metered(text, &m))
			fail_msg("%s: no expression", text);
	}
	c->node = xmlDocGetRootElement(doc);
	o = xmlXPathEvalExpression((const xmlChar *)(metered ? buf_str(&m) : text), c);
	if (o == NULL)
		fail_msg("%s: can't be evaluated", metered ? buf_str(&m) : text);
	buf_addf(out, "%d:", (int)o->type);
	if (o->type == XPATH_NODESET) {
		xmlXPathNodeSetSort(o->nodesetval);
		for (i = 0; o->nodesetval != NULL && i < o->nodesetval->nodeNr; i++)
			buf_addf(out, "%p ", (void *)o->nodesetval->nodeTab[i]);
	} else {
		s = xmlXPathCastToString(o);
		buf_adds(out, (const char *)s);
		xmlFree(s);
	}
	xmlXPathFreeObject(o);
	xmlXPathFreeContext(c);
}

static void
same_value(void **state)
{
	xmlDoc *doc = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	assert_int_equal(xml_load(slice_str(document), NULL, &doc, &e), ERR_OK);
	for (i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
		AUTO(buf) struct buf plain = {0}, metered = {0};

		value_of(doc, expressions[i], false, &plain);
		value_of(doc, expressions[i], true, &metered);
		if (strcmp(buf_str(&plain), buf_str(&metered)) != 0)
			fail_msg("%s: %s, counted %s", expressions[i], buf_str(&plain), buf_str(&metered));
	}
	xmlFreeDoc(doc);
}

static void
no_expression(void **state)
{
	static const char *const texts[] = {"", " ", "1 +", "= 1", "//i[", "//i]", "f(", "f(1,", "f(1,)", "(1", "1 2", "'a", "a b", "$v", "a[1", "es_eq(1, 1)", "a | ",
	    "a !b", "#", "[1]", "1[", "a = = b", ",", "f(1))"};
	AUTO(buf) struct buf deep = {0}, out = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (xpath_metered(texts[i], &out))
			fail_msg("\"%s\" was taken", texts[i]);
	for (i = 0; i < 4000; i++)
		buf_adds(&deep, "(");
	assert_false(xpath_metered(buf_str(&deep), &out));
	buf_clear(&deep);
	for (i = 0; i < 4000; i++)
		buf_adds(&deep, "1+");
	buf_adds(&deep, "1");
	assert_false(xpath_metered(buf_str(&deep), &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_value), cmocka_unit_test(no_expression)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
