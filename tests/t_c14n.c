/* SPDX-License-Identifier: MIT */
/*
 * The two ways to a canonical form must agree: our own writer and libxml2's,
 * on documents that hold what the wild does not, for every element, method and
 * way of hiding; and a few results are written out, so that both can't be wrong alike.
 */
#include "tests/kit.h"

#include "base/xml.h"
#include "verify/c14n.h"

#include <string.h>

static const char *const methods[] = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2006/12/xml-c14n11#WithComments",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
};
#define METHODS 6

#define DS "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\""
static const char *const documents[] = {
    "<a/>",
    "<?pi one?><!-- before --><a>x</a><!-- after --><?pi?>",
    "<a xmlns=\"urn:a\"><b xmlns=\"\"><c xmlns=\"urn:c\"/><d/></b></a>",
    "<p:a xmlns:p=\"urn:1\" xmlns=\"urn:d\"><b xmlns:p=\"urn:2\"><p:c/><d xmlns=\"\"><e p:x=\"1\"/></d></b></p:a>",
    "<a xmlns:z=\"urn:z\" xmlns:b=\"urn:b\" xmlns:a=\"urn:z\" z:k=\"1\" b:k=\"2\" k=\"3\" a:l=\"4\" j=\"5\"><c xmlns:b=\"urn:b\" b:q=\"1\"/></a>",
    "<a xml:lang=\"hu\" xml:space=\"preserve\" xml:id=\"i\"><b><c xml:lang=\"en\"><d/></c></b></a>",
    "<a xml:base=\"http://h/a/\"><b xml:base=\"b/\"><c xml:base=\"../c\"/><d/></b></a>",
    "<a t=\"&lt;&amp;&gt;&quot;'&#9;&#10;&#13; x\">&lt;&amp;&gt;\"'&#9;&#13;\r\n<![CDATA[<x>&]]>]]&gt;</a>",
    "<a><?x y&#13;?><!-- c&#13; --><b/>tail</a>",
    "<a " DS "><ds:Signature Id=\"s\"><ds:Object><ds:Signature/></ds:Object></ds:Signature><b/><ds:Signature>y</ds:Signature></a>",
    "<ds:Signature " DS " xmlns=\"urn:q\"><x><ds:SignedInfo><y xmlns=\"\"/></ds:SignedInfo></x></ds:Signature>",
    "<a xmlns:u1=\"urn:1\" xmlns:u2=\"urn:2\" xmlns:u3=\"urn:3\"><u1:b u2:x=\"1\"><u3:c xmlns:u2=\"urn:22\" u2:x=\"2\"/></u1:b></a>",
    "<\xc3\xa1 \xc3\xa9=\"\xf0\x9f\x94\x92\">\xe2\x82\xac\xc3\xb6<\xc5\x91/></\xc3\xa1>",
};

static enum err_code
written(bool slow, const struct c14n *how, const struct nodes *what, struct numbering *n, struct buf *out, struct err *e)
{
	struct sink to = sink_buf(out);

	return slow ? c14n_write_slow(how, what, n, &to, e) : c14n_write(how, what, n, &to, e);
}

static void
compare(const struct c14n *how, const struct nodes *what, struct numbering *n)
{
	AUTO(buf) struct buf own = {0};
	AUTO(buf) struct buf other = {0};
	struct err e = {0};

	OK(written(false, how, what, n, &own, &e));
	OK(written(true, how, what, n, &other, &e));
	SAME(buf_slice(&own), buf_slice(&other));
}

static void
compare_all(xmlDoc *doc, const xmlNode *apex, const xmlNode *signature, struct numbering *n)
{
	size_t m, hide;

	for (m = 0; m < METHODS + 2; m++) {
		struct c14n how;

		assert_true(c14n_by_uri(methods[m < METHODS ? m : 4], &how));
		if (m >= METHODS)
			how.prefixes = m == METHODS ? "#default u2 ds" : " p  z\tu3 nowhere ";
		for (hide = 0; hide < 4; hide++) {
			struct nodes what = {.doc = doc, .apex = apex, .comments = hide != 1};

			what.hidden = hide == 2 ? signature : NULL;
			what.hide_signatures = hide == 3;
			compare(&how, &what, n);
		}
	}
}

static void
both_ways_agree(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		struct numbering n = {0};
		struct err e = {0};
		const xmlNode *root, *at, *signature = NULL;

		OK(xml_load(slice_str(documents[i]), NULL, &doc, &e));
		root = xmlDocGetRootElement(doc);
		for (at = root; at != NULL && signature == NULL; at = xml_walk(root, at))
			signature = is_ds(at, "Signature") ? at : NULL;
		compare_all(doc, (const xmlNode *)doc, signature, &n);
		for (at = root; at != NULL; at = xml_walk(root, at))
			compare_all(doc, at, signature, &n);
		numbering_release(&n);
	}
}

static const struct {
	const char *name, *doc, *apex, *method, *prefixes, *want;
} results[] = {
    {"namespaces by prefix, attributes by namespace name", "<a xmlns:b=\"urn:2\" xmlns:a=\"urn:3\" xmlns=\"urn:1\" b:x=\"1\" a:x=\"2\" x=\"3\"/>", "a",
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", NULL,
	"<a xmlns=\"urn:1\" xmlns:a=\"urn:3\" xmlns:b=\"urn:2\" x=\"3\" b:x=\"1\" a:x=\"2\"></a>"},
    {"an apex inherits namespaces and xml: attributes", "<r xmlns:p=\"urn:p\" xml:lang=\"hu\" xml:id=\"r\"><a/></r>", "a",
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", NULL, "<a xmlns:p=\"urn:p\" xml:id=\"r\" xml:lang=\"hu\"></a>"},
    {"1.1 does not inherit xml:id", "<r xmlns:p=\"urn:p\" xml:lang=\"hu\" xml:id=\"r\"><a/></r>", "a",
	"http://www.w3.org/2006/12/xml-c14n11", NULL, "<a xmlns:p=\"urn:p\" xml:lang=\"hu\"></a>"},
    {"exclusive: only what is used", "<r xmlns:p=\"urn:p\" xmlns=\"urn:d\" xml:lang=\"hu\"><p:a/></r>", "a",
	"http://www.w3.org/2001/10/xml-exc-c14n#", NULL, "<p:a xmlns:p=\"urn:p\"></p:a>"},
    {"exclusive with a PrefixList", "<r xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" xmlns=\"urn:d\"><p:a/></r>", "a",
	"http://www.w3.org/2001/10/xml-exc-c14n#", "q #default", "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:p\" xmlns:q=\"urn:q\"></p:a>"},
    {"an undeclared default", "<a xmlns=\"urn:d\"><b xmlns=\"\"/></a>", "a", "http://www.w3.org/2001/10/xml-exc-c14n#", NULL,
	"<a xmlns=\"urn:d\"><b xmlns=\"\"></b></a>"},
    {"references in text and values", "<a t=\"&#13;&#9;&lt;&gt;&quot;\">&#13;&gt;\"</a>", "a",
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", NULL, "<a t=\"&#xD;&#x9;&lt;>&quot;\">&#xD;&gt;\"</a>"},
};

static void
results_written_out(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		AUTO(xml_doc) xmlDocPtr doc = NULL;
		AUTO(buf) struct buf out = {0};
		struct numbering n = {0};
		struct err e = {0};
		struct c14n how;
		const xmlNode *root, *at;
		struct nodes what;

		OK(xml_load(slice_str(results[i].doc), NULL, &doc, &e));
		root = xmlDocGetRootElement(doc);
		for (at = root; strcmp((const char *)at->name, results[i].apex) != 0; at = xml_walk(root, at))
			;
		assert_true(c14n_by_uri(results[i].method, &how));
		how.prefixes = results[i].prefixes;
		what = (struct nodes){.doc = doc, .apex = at, .comments = true};
		OK(written(false, &how, &what, &n, &out, &e));
		if (strcmp(buf_str(&out), results[i].want) != 0)
			print_error("%s\n", results[i].name);
		assert_string_equal(buf_str(&out), results[i].want);
		numbering_release(&n);
	}
}

/* A relative namespace name has no canonical form: refused by both, never an empty digest. */
static void
relative_namespace_is_refused(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf out = {0};
	struct numbering n = {0};
	struct err e = {0};
	struct c14n how;
	struct nodes what;
	size_t m;

	(void)state;
	OK(xml_load(slice_str("<a xmlns:p=\"rel/x\"><p:b/></a>"), NULL, &doc, &e));
	what = (struct nodes){.doc = doc, .apex = (const xmlNode *)doc};
	for (m = 0; m < METHODS; m++) {
		assert_true(c14n_by_uri(methods[m], &how));
		FAILS(ERR_FORMAT, written(false, &how, &what, &n, &out, &e));
		FAILS(ERR_FORMAT, written(true, &how, &what, &n, &out, &e));
	}
	numbering_release(&n);
}

static enum err_code
refuse(void *ctx, struct slice s, struct err *e)
{
	(void)ctx;
	(void)s;
	return err_set(e, ERR_IO, "the sink is full");
}

/* A sink's error comes back as it is. */
static void
sink_error_is_told(void **state)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct sink to = {refuse, NULL};
	struct numbering n = {0};
	struct err e = {0};
	struct c14n how = {0};
	struct nodes what;

	(void)state;
	OK(xml_load(slice_str("<a>x</a>"), NULL, &doc, &e));
	what = (struct nodes){.doc = doc, .apex = (const xmlNode *)doc};
	FAILS(ERR_IO, c14n_write(&how, &what, &n, &to, &e));
	FAILS(ERR_IO, c14n_write_slow(&how, &what, &n, &to, &e));
	numbering_release(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ways_agree),
	    cmocka_unit_test(results_written_out),
	    cmocka_unit_test(relative_namespace_is_refused),
	    cmocka_unit_test(sink_error_is_told),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
