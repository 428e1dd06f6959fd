/* SPDX-License-Identifier: MIT */
/* What the report says of what is signed: it follows from what was hashed, and no name in the file can make it say more. */
#include "tests/kit.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>

#define EXC "http://www.w3.org/2001/10/xml-exc-c14n#"
#define ENVELOPED "<ds:Transform Algorithm=\"" NS_DS "enveloped-signature\"/>"
#define XPATH(x) \
	"<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>" x "</ds:XPath></ds:Transform>"
#define CANON "<ds:Transform Algorithm=\"" EXC "\"/>"
#define LISTED "<ds:Transform Algorithm=\"" EXC "\"><i:InclusiveNamespaces xmlns:i=\"" EXC "\" PrefixList=\"q p\"/></ds:Transform>"
#define BASE64 "<ds:Transform Algorithm=\"" NS_DS "base64\"/>"
#define OBJECT(id, content) "<ds:Object xmlns:ds=\"" NS_DS "\" Id=\"" id "\">" content "</ds:Object>" /* is its own canonical form */
#define STYLE "<?xml-stylesheet href=\"e\"?>"
#define KEY_INFO(content) "<ds:KeyInfo>" content "</ds:KeyInfo>"
#define UNSIGNED(content) \
	"<ds:Object><q:QualifyingProperties xmlns:q=\"http://uri.etsi.org/01903/v1.3.2#\"><q:UnsignedProperties><q:UnsignedSignatureProperties>" content \
	"</q:UnsignedSignatureProperties></q:UnsignedProperties></q:QualifyingProperties></ds:Object>"
#define OTHER(objects) \
	"<ds:Signature xmlns:ds=\"" NS_DS "\"><ds:SignedInfo/><ds:SignatureValue>AA==</ds:SignatureValue>" objects "</ds:Signature>"

/* @ is where the signature stands in doc. The digest is that of octets. */
static const struct row {
	const char *name, *doc, *objects, *uri, *transforms, *octets;
	const char *scope, *extent, *words; /* NULL: null */
	const char *file; /* beside it: content of "f" */
} rows[] = {
    {"all of it", "<d><a>1</a>@</d>", "", "", ENVELOPED CANON, "<d><a>1</a></d>", "document", "document", "this document", NULL},
    {"all, and comments", "<d><!--x--><a>1</a>@</d>", "", "", ENVELOPED CANON, "<d><a>1</a></d>", "document", "document", "this document", NULL},
    {"a stylesheet before the root", STYLE "<d Id=\"d\"><a>1</a>@</d>", "", "#d", ENVELOPED CANON, "<d Id=\"d\"><a>1</a></d>", "part", "part",
	"all of this document but /processing-instruction(xml-stylesheet)", NULL},
    {"a stylesheet behind the root", "<d Id=\"d\"><a>1</a>@</d>" STYLE, "", "#d", ENVELOPED CANON, "<d Id=\"d\"><a>1</a></d>", "part", "part",
	"all of this document but /processing-instruction(xml-stylesheet)", NULL},
    {"a stylesheet that is signed", STYLE "<d><a>1</a>@</d>", "", "", ENVELOPED CANON, STYLE "\n<d><a>1</a></d>", "document", "document",
	"this document", NULL},
    {"a comment before the root", "<!--x--><d Id=\"d\"><a>1</a>@</d>", "", "#d", ENVELOPED CANON, "<d Id=\"d\"><a>1</a></d>", "document", "document",
	"this document", NULL},
    {"an Object, and a stylesheet before the root", STYLE "@", OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"an Object, and an instruction beside the signature", "<d>@" STYLE "</d>", OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part",
	"element", "/d/Signature/Object", NULL},
    {"an instruction in the signature", "@", OBJECT("o", "a deed") STYLE, "#o", CANON, OBJECT("o", "a deed"), "part", "element", "/Signature/Object",
	NULL},
    {"what an Object encodes, and an instruction in it", "@", OBJECT("o", "YSBkZWVk" STYLE), "#o", BASE64, "a deed", "part", "text",
	"the text of /Signature/Object", NULL},
    {"properties that nobody reads", "@", OBJECT("o", "a deed") "<ds:Object><q:QualifyingProperties xmlns:q=\"http://uri.etsi.org/01903/v1.1.1#\"><h1>9</h1>"
	"</q:QualifyingProperties></ds:Object>", "#o", CANON, OBJECT("o", "a deed"), "part", "element", "/Signature/Object", NULL},
    {"data in unsigned properties", "@", OBJECT("o", "a deed") UNSIGNED("<h1>9</h1>"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"text among unsigned properties", "@", OBJECT("o", "a deed") UNSIGNED("9<q:CertificateValues/>"), "#o", CANON, OBJECT("o", "a deed"), "part",
	"element", "/Signature/Object", NULL},
    {"unsigned properties", "@", OBJECT("o", "a deed") UNSIGNED("<q:CertificateValues/>"), "#o", CANON, OBJECT("o", "a deed"), "objects", "element",
	"/Signature/Object", NULL},
    {"a second value", "@", OBJECT("o", "a deed") "<ds:SignatureValue>9</ds:SignatureValue>", "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"a key", "@", KEY_INFO("<ds:KeyName>k</ds:KeyName>") OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "objects", "element",
	"/Signature/Object", NULL},
    {"data beside a key", "@", KEY_INFO("<ds:KeyName>k</ds:KeyName><h1>9</h1>") OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"data in a key", "@", KEY_INFO("<ds:X509Data><h1>9</h1></ds:X509Data>") OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part",
	"element", "/Signature/Object", NULL},
    {"text beside a key", "@", KEY_INFO("9") OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element", "/Signature/Object", NULL},
    {"an instruction beside a key", "@", KEY_INFO(STYLE) OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"an Object in a key", "@", KEY_INFO("<ds:Object>9</ds:Object>") OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"a file, and a stylesheet", STYLE "@", "", "f", "", "a deed", "part", "file", "the file \"f\"", "a deed"},
    {"a prefix in a value alone", "<d xmlns:p=\"urn:p\" t=\"p:Euro\"><a>1</a>@</d>", "", "", ENVELOPED CANON, "<d t=\"p:Euro\"><a>1</a></d>", "part", "part",
	"all of this document but /d/@xmlns:p", NULL},
    {"a prefix in text alone", "<d xmlns:p=\"urn:p\"><a>1 p:Euro</a>@</d>", "", "", ENVELOPED CANON, "<d><a>1 p:Euro</a></d>", "part", "part",
	"all of this document but /d/@xmlns:p", NULL},
    {"a prefix of a value, declared around what is signed", "<d xmlns:p=\"urn:p\">@</d>", "<ds:Object Id=\"o\">p:Euro</ds:Object>", "#o", CANON,
	"<ds:Object xmlns:ds=\"" NS_DS "\" Id=\"o\">p:Euro</ds:Object>", "part", "part", "all of /d/Signature/Object but /d/@xmlns:p", NULL},
    {"a prefix of a value and of a name", "<d xmlns:p=\"urn:p\" t=\"p:Euro\"><p:a>1</p:a>@</d>", "", "", ENVELOPED CANON,
	"<d t=\"p:Euro\"><p:a xmlns:p=\"urn:p\">1</p:a></d>", "document", "document", "this document", NULL},
    {"another declaration of it nearer to the value", "<d xmlns:p=\"urn:p\"><p:a>1</p:a><b xmlns:p=\"urn:q\">p:Euro</b>@</d>", "", "", ENVELOPED CANON,
	"<d><p:a xmlns:p=\"urn:p\">1</p:a><b>p:Euro</b></d>", "part", "part", "all of this document but /d/b/@xmlns:p", NULL},
    {"a prefix of a value that is listed", "<d xmlns:p=\"urn:p\" t=\"p:Euro\"><a>1</a>@</d>", "", "", ENVELOPED LISTED,
	"<d xmlns:p=\"urn:p\" t=\"p:Euro\"><a>1</a></d>", "document", "document", "this document", NULL},
    {"a prefix of a value, all that is in scope written", "<d xmlns:p=\"urn:p\" t=\"p:Euro\"><a>1</a>@</d>", "", "", ENVELOPED,
	"<d xmlns:p=\"urn:p\" t=\"p:Euro\"><a>1</a></d>", "document", "document", "this document", NULL},
    {"a prefix that is none", "<d xmlns:p=\"urn:p\" t=\"xp:Euro urn:p\"><a>12:30</a>@</d>", "", "", ENVELOPED CANON,
	"<d t=\"xp:Euro urn:p\"><a>12:30</a></d>", "document", "document", "this document", NULL},
    {"one of two elements", "<d><a Id=\"a\">1</a><b/>@</d>", "", "#a", CANON, "<a Id=\"a\">1</a>", "part", "element", "/d/a", NULL},
    {"the only element, not the root", "<d><a Id=\"a\">1</a>@</d>", "", "#a", CANON, "<a Id=\"a\">1</a>", "part", "element", "/d/a", NULL},
    {"wrapped", "<d><a Id=\"b\">9</a>@</d>", "<ds:Object><a Id=\"a\">1</a></ds:Object>", "#a", CANON, "<a Id=\"a\">1</a>", "part", "element",
	"/d/Signature/Object/a", NULL},
    {"a filter", "<d><a>1</a><b>2</b>@</d>", "", "", XPATH("not(ancestor-or-self::a)") ENVELOPED CANON, "<d><b>2</b></d>", "part", "part",
	"all of this document but /d/a", NULL},
    {"a filter on an attribute", "<d n=\"1\"><b>2</b>@</d>", "", "", XPATH("not(self::node() = ../@n and count(../@n | self::node()) = 1)") ENVELOPED CANON,
	"<d><b>2</b></d>", "part", "part", "all of this document but /d/@n", NULL},
    {"a filter on many", "<d><a/><a/><a/><a/><a/><b>2</b>@</d>", "", "", XPATH("not(self::a)") ENVELOPED CANON, "<d><b>2</b></d>", "part", "part",
	"all of this document but /d/a, /d/a[2] and 3 more", NULL},
    {"a filter that leaves one element", "<d><a><b>2</b></a>@</d>", "", "", XPATH("ancestor-or-self::b") CANON, "<b>2</b>", "part", "element", "/d/a/b",
	NULL},
    {"a filter that leaves nothing", "<d><a>1</a>@</d>", "", "", XPATH("false()") CANON, "", "nothing", "nothing", "nothing of this document", NULL},
    {"another signature beside it", "<d><a>1</a>@" OTHER("") "</d>", "", "", XPATH("not(ancestor-or-self::ds:Signature)") CANON, "<d><a>1</a></d>",
	"document", "document", "this document", NULL},
    {"data in a signature beside it", "<d><a>1</a>@" OTHER("<ds:Object>9</ds:Object>") "</d>", "", "", XPATH("not(ancestor-or-self::ds:Signature)") CANON,
	"<d><a>1</a></d>", "part", "part", "all of this document but /d/Signature[2]", NULL},
    {"data in the signature itself", "<d><a>1</a>@</d>", "<ds:Object>9</ds:Object>", "", ENVELOPED CANON, "<d><a>1</a></d>", "part", "document",
	"this document", NULL},
    {"an Object", "@", OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "objects", "element", "/Signature/Object", NULL},
    {"one of two Objects", "@", OBJECT("o", "a deed") "<ds:Object>9</ds:Object>", "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/Signature/Object", NULL},
    {"text in the signature", "@", OBJECT("o", "a deed") "9", "#o", CANON, OBJECT("o", "a deed"), "part", "element", "/Signature/Object", NULL},
    {"what an Object encodes", "@", OBJECT("o", "YSBkZWVk"), "#o", BASE64, "a deed", "objects", "text", "the text of /Signature/Object", NULL},
    {"an Object in a document with more", "<d n=\"1\">@</d>", OBJECT("o", "a deed"), "#o", CANON, OBJECT("o", "a deed"), "part", "element",
	"/d/Signature/Object", NULL},
    {"a file", "@", "", "f", "", "a deed", "files", "file", "the file \"f\"", "a deed"},
    {"a file read as XML", "@", "", "f", CANON, "<a>1</a>", "part", "file_xml", "the XML content of the file \"f\", not its octets, comments and encoding",
	"<!--%PDF-1.4 another deed--><a>1</a>"},
    {"a file read from base64", "@", "", "f", BASE64, "a deed", "part", "file_decoded", "what the file \"f\" encodes, not its octets", "YSBk\nZWVk"},
    {"a part of a file", "@", "", "f", XPATH("not(self::b)") CANON, "<a></a>", "part", "file_part", "a part of the file \"f\"", "<a><b/></a>"},
    {"what an Object encodes, read as XML", "@", OBJECT("o", "PGEvPg=="), "#o", BASE64 CANON, "<a></a>", "part", "text_read",
	"the content of what is encoded in /Signature/Object, not its octets and comments", NULL},
    {"a file, from a document with more", "<d>9@</d>", "", "f", "", "a deed", "part", "file", "the file \"f\"", "a deed"},
    {"altered", "<d><a>1</a>@</d>", "", "", ENVELOPED CANON, "<d><a>2</a></d>", NULL, "document", "this document", NULL},
    {"nowhere", "<d><a>1</a>@</d>", "", "#x", CANON, "", NULL, NULL, "what is called \"#x\"", NULL},
};

static void
row_text(const struct row *r, struct buf *out)
{
	AUTO(buf) struct buf value = {0};
	const char *at = strchr(r->doc, '@');
	struct digest d;

	assert_int_equal(digest_once(DIGEST_SHA256, slice_str(r->octets), &d, NULL), ERR_OK);
	buf_addbase64(&value, digest_slice(&d));
	buf_add(out, r->doc, (size_t)(at - r->doc));
	buf_addf(out, "<ds:Signature xmlns:ds=\"" NS_DS "\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" EXC "\"/>"
		      "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/><ds:Reference URI=\"%s\">%s%s%s"
		      "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference>"
		      "</ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue>%s</ds:Signature>", r->uri,
	    r->transforms[0] != '\0' ? "<ds:Transforms>" : "", r->transforms, r->transforms[0] != '\0' ? "</ds:Transforms>" : "", buf_str(&value), r->objects);
	buf_adds(out, at + 1);
}

struct judged {
	struct verifier *v;
	struct anchors *anchors;
	struct vpolicy policy;
	struct report *report;
	struct sigdoc *doc;
	struct slice content;
	struct side_file file;
	struct buf text;
	json_t *header, *document;
};

static void
judged_auto(struct judged *j)
{
	json_decref(j->header);
	json_decref(j->document);
	report_free(j->report);
	sigdoc_close(j->doc);
	buf_release(&j->text);
	anchors_free(j->anchors);
	verifier_free(j->v);
}

static void
judge(const struct row *r, struct judged *j)
{
	struct err e = {0};

	row_text(r, &j->text);
	j->content = slice_str(r->file);
	j->file = (struct side_file){.name = "f", .has_source = true, .source = source_slice(&j->content)};
	OK(verifier_new(&j->v, &e));
	OK(anchors_new(&j->anchors, &e));
	OK(vpolicy_builtin("default", NULL, &j->policy, &e));
	OK(sigdoc_open(buf_slice(&j->text), &j->file, r->file != NULL, NULL, &j->doc, &e));
	struct verify_input in = {.name = "row", .doc = buf_slice(&j->text), .parsed = j->doc, .files = &j->file, .n_files = r->file != NULL,
	    .policy = &j->policy, .anchors = j->anchors, .time_utc = 1767225600};
	OK(verify_document(j->v, &in, &j->report, &e));
	OK(report_header_json(j->report, &j->header, &e));
	OK(report_json(j->report, &j->document, &e));
}

static const json_t *
first_reference(const struct judged *j, const json_t **signature)
{
	*signature = json_array_get(json_object_get(j->document, "signatures"), 0);
	return json_array_get(json_object_get(*signature, "references"), 0);
}

static void
is_text(const char *row, const json_t *o, const char *key, const char *want)
{
	const char *have = json_string_value(json_object_get(o, key));

	if ((have == NULL) != (want == NULL) || (want != NULL && strcmp(have, want) != 0))
		fail_msg("%s: %s is %s, not %s", row, key, have != NULL ? have : "null", want != NULL ? want : "null");
}

/* "Nothing of it was altered" is for the whole document alone; a part, moved or filtered, is told in the first line. */
static void
first_line(const struct row *r, const struct judged *j, const json_t *signature)
{
	json_t *passed = json_deep_copy(signature);
	AUTO(buf) struct buf text = {0}, words = {0};
	bool all = r->scope != NULL && strcmp(r->scope, "document") == 0, part = r->scope != NULL && strcmp(r->scope, "part") == 0;
	struct err e = {0};

	OK(report_text(j->header, j->document, NULL, &text, &e));
	if (strstr(buf_str(&text), r->words) == NULL)
		fail_msg("%s: '%s' is not in: %s", r->name, r->words, buf_str(&text));
	assert_int_equal(json_object_set_new(passed, "indication", json_string("TOTAL-PASSED")), 0);
	report_signature_words(passed, &words);
	if ((strstr(buf_str(&words), "nothing of it was altered") != NULL) != all)
		fail_msg("%s: %s", r->name, buf_str(&words));
	if (part && (strstr(buf_str(&words), "only a part") == NULL || strstr(buf_str(&words), r->words) == NULL))
		fail_msg("%s: %s", r->name, buf_str(&words));
	json_decref(passed);
}

static void
what_is_signed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		__attribute__((cleanup(judged_auto))) struct judged j = {0};
		AUTO(buf) struct buf words = {0};
		const json_t *s = NULL, *x;

		judge(&rows[i], &j);
		x = first_reference(&j, &s);
		is_text(rows[i].name, s, "signs", rows[i].scope);
		is_text(rows[i].name, x, "extent", rows[i].extent);
		report_reference_words(s, x, &words);
		if (strcmp(buf_str(&words), rows[i].words) != 0)
			fail_msg("%s: %s", rows[i].name, buf_str(&words));
		first_line(&rows[i], &j, s);
	}
}

static void
what_is_extracted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		__attribute__((cleanup(judged_auto))) struct judged j = {0};
		AUTO(buf) struct buf out = {0};
		struct sink to = sink_buf(&out);
		const json_t *s = NULL, *x, *got;
		struct err e = {0};

		judge(&rows[i], &j);
		OK(report_extract(j.doc, j.document, 1 << 20, &to, &e));
		x = first_reference(&j, &s);
		got = json_object_get(x, "extracted");
		if (rows[i].extent == NULL) {
			assert_non_null(json_object_get(got, "why"));
			continue;
		}
		assert_int_equal(json_integer_value(json_object_get(got, "octets")), out.n);
		assert_int_equal(json_integer_value(json_object_get(got, "octets")), json_integer_value(json_object_get(x, "octets")));
		if (rows[i].scope != NULL)
			SAME(buf_slice(&out), slice_str(rows[i].octets));
	}
}

/* At the bound all is written; an octet below it, nothing is, and it is told. */
static void
extract_is_bounded(void **state)
{
	const size_t n = strlen(rows[0].octets);

	(void)state;
	for (size_t less = 0; less < 2; less++) {
		__attribute__((cleanup(judged_auto))) struct judged j = {0};
		AUTO(buf) struct buf out = {0};
		struct sink to = sink_buf(&out);
		const json_t *s = NULL, *x;
		struct err e = {0};

		judge(&rows[0], &j);
		OK(report_extract(j.doc, j.document, n - less, &to, &e));
		x = first_reference(&j, &s);
		assert_int_equal(json_is_integer(json_object_get(json_object_get(x, "extracted"), "octets")), less == 0);
		assert_true(out.n <= n - less);
	}
}

static const char hostile[] =
    "{\"file\": \"x: TOTAL-PASSED at 2026\\n  signature 9\", \"status\": \"validated\", \"signatures\": [{\"index\": 0, \"id\": "
    "\"a: TOTAL-PASSED: the signature is valid\\u000a  signature 8 b: TOTAL-PASSED\", \"indication\": \"INDETERMINATE\", "
    "\"subindication\": \"NO_POE\", \"signs\": \"part\", \"level\": \"XML-DSig\", \"references\": ["
    "{\"uri\": \"#a\\r\\n  signature 7: TOTAL-PASSED\\u202e\\u2028\", \"found\": true, \"intact\": false, \"covers\": \"/a\\n/b\\u202e\", "
    "\"kind\": \"data\", \"extent\": \"part\", \"stands\": \"inside\", \"left_out\": [\"/c\\n  signature 6\"], \"left_out_count\": 1},"
    "{\"uri\": \"f\\\": intact (\\\"\", \"found\": true, \"intact\": null, \"covers\": \"f\\\": intact\\u0007\", \"kind\": \"data\", "
    "\"extent\": \"file\", \"stands\": \"beside\"}], \"findings\": [], \"timestamps\": []}]}";

static size_t
lines_with(const char *text, const char *start)
{
	size_t n = 0;

	for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL)
		n += strncmp(at, start, strlen(start)) == 0;
	return n;
}

static void
names_make_no_lines(void **state)
{
	AUTO(json) json_t *header = json_object();
	AUTO(json) json_t *document = NULL;
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	(void)state;
	OK(json_read(slice_str(hostile), NULL, &document, &e));
	OK(report_text(header, document, NULL, &text, &e));
	assert_int_equal(lines_with(buf_str(&text), ""), 6); /* file, signature, level, two references, time */
	assert_int_equal(lines_with(buf_str(&text), "  signature "), 1);
	assert_null(strstr(buf_str(&text), "TOTAL-PASSED: the signature is valid"));
	assert_null(strstr(buf_str(&text), "\xe2\x80\xae"));
	assert_null(strstr(buf_str(&text), "f\": intact"));
	assert_int_equal(strncmp(buf_str(&text), "\"x: TOTAL-PASSED", 16), 0);
}

/* Whatever its length, a name takes a bounded place, and is cut between characters. */
static void
names_are_bounded(void **state)
{
	static const char *const keys[] = {"uri", "covers"};
	AUTO(buf) struct buf name = {0};
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_adds(&name, "\xc3\xa9");
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		for (size_t r = 0; r < 2; r++) {
			AUTO(json) json_t *header = json_object();
			AUTO(json) json_t *document = NULL;
			AUTO(buf) struct buf text = {0};
			json_t *s;

			OK(json_read(slice_str(hostile), NULL, &document, &e));
			s = json_array_get(json_object_get(document, "signatures"), 0);
			assert_int_equal(json_object_set_new(json_array_get(json_object_get(s, "references"), r), keys[k], json_string(buf_str(&name))), 0);
			assert_int_equal(json_object_set_new(s, "id", json_string(buf_str(&name))), 0);
			OK(report_text(header, document, NULL, &text, &e));
			assert_true(text.n < 3000);
			assert_true(json_string_value(json_object_get(s, "id")) != NULL);
			for (struct slice left = buf_slice(&text); left.n != 0;) {
				uint32_t point;
				size_t n = utf8_next(left, &point);

				assert_true(n != 0);
				left = slice_of(left.p + n, left.n - n);
			}
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_signed), cmocka_unit_test(what_is_extracted),
	    cmocka_unit_test(extract_is_bounded), cmocka_unit_test(names_make_no_lines), cmocka_unit_test(names_are_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
