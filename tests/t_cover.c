/* SPDX-License-Identifier: MIT */
/* Covers: for each transform and filter what of a document is hashed, whole, in part or not at all. */
#include "tests/signed.h"

#include "verify/cover.h"

#define C14N_10 "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define XPATH_NS "http://www.w3.org/TR/1999/REC-xpath-19991116"
#define FILTER2_NS "http://www.w3.org/2002/06/xmldsig-filter2"
#define T(uri) "<s:Transform Algorithm=\"" uri "\"/>"
#define ENVELOPED T(DS_NS "enveloped-signature")
#define BASE64 T(DS_NS "base64")
#define XPATH(x) "<s:Transform Algorithm=\"" XPATH_NS "\"><s:XPath xmlns:p=\"urn:p\">" x "</s:XPath></s:Transform>"
#define FILTER(kind, x) \
	"<s:Transform Algorithm=\"" FILTER2_NS "\"><f:XPath xmlns:f=\"" FILTER2_NS "\" Filter=\"" kind "\">" x "</f:XPath></s:Transform>"

/* Comments at every kind of place; h is base64 of <x><y Id="1"/></x>. */
#define DOC \
	"<!--0--><r xmlns=\"urn:r\" xmlns:p=\"urn:p\" Id=\"r\"><a Id=\"a\" x=\"1\"><!--1-->one<!--2-->more<b Id=\"b\" p:y=\"2\">two</b><?pi d?></a>" \
	"<c Id=\"c\">YW<!--3-->Jj</c><d Id=\"d\"><e Id=\"e\">five</e><!--4--></d><h Id=\"h\">PHg+PHkgSWQ9IjEiLz48L3g+</h>" \
	"<s:Signature xmlns:s=\"" DS_NS "\" Id=\"S\"><s:SignedInfo Id=\"I\"><s:Reference URI=\"%s\">%s%s%s<s:DigestMethod " \
	"Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue>AA==</s:DigestValue></s:Reference></s:SignedInfo>" \
	"<s:SignatureValue Id=\"V\">AA==</s:SignatureValue><s:Object Id=\"O\"><g Id=\"g\">seven</g></s:Object></s:Signature><k Id=\"k\"/></r>"

/* Letters are Ids: in the cover whole; in part; only all their text. All others are not touched. */
static const struct {
	const char *name, *uri, *transforms, *whole, *part, *text;
	bool rest;
} rows[] = {
    {"an element", "#a", "", "ab", "r", "", false},
    {"an element that ends in a comment", "#d", "", "de", "r", "", false},
    {"the document", "", "", "rabcdehSIVOgk", "", "", false},
    {"the document with comments", "#xpointer(/)", "", "rabcdehSIVOgk", "", "", false},
    {"enveloped", "", ENVELOPED, "abcdehk", "r", "", false},
    {"enveloped, canonicalised", "", ENVELOPED T(EXCLUSIVE), "abcdehk", "r", "", false},
    {"every signature left out", "", XPATH("not(ancestor-or-self::s:Signature)"), "abcdehk", "r", "", false},
    {"the same, evaluated", "", XPATH("not(ancestor-or-self::s:Signature) and true()"), "abcdehk", "r", "", false},
    {"true()", "#a", XPATH("true()"), "ab", "r", "", false},
    {"true(), then canonicalised", "#a", XPATH("true()") T(EXCLUSIVE), "ab", "r", "", false},
    {"false()", "#a", XPATH("false()"), "", "", "", false},
    {"an Object by its own signature's transform", "#O", ENVELOPED, "", "", "", false},
    {"one attribute dropped", "#a", XPATH("not(count(../@x | .) = count(../@x))"), "b", "ar", "", false},
    {"all attributes dropped", "#a", XPATH("not(count(../@* | .) = count(../@*))"), "", "abr", "b", false},
    {"text alone", "#a", XPATH("self::text()"), "", "abr", "ab", false},
    {"tags alone", "#d", XPATH("not(self::text())"), "", "der", "", false},
    {"namespaces dropped", "#d", XPATH("not(count(../namespace::* | .) = count(../namespace::*))"), "", "der", "de", false},
    {"a child taken out", "", XPATH("not(ancestor-or-self::*[@Id='b'])"), "cdehSIVOgk", "ra", "", false},
    {"a child taken out, evaluated", "#a", XPATH("not(ancestor-or-self::*[@Id='b']) and true()"), "", "ar", "", false},
    {"a processing instruction taken out", "#a", XPATH("not(self::processing-instruction())"), "b", "ar", "", false},
    {"intersect", "", FILTER("intersect", "id('b')"), "b", "ra", "", false},
    {"subtract", "#a", FILTER("subtract", "id('b')"), "", "ra", "", false},
    {"subtract, then union", "#a", FILTER("subtract", "id('b')") FILTER("union", "id('b')"), "", "ra", "", false},
    {"base64", "#c", BASE64, "", "cr", "c", false},
    {"base64 of an element and what is in it", "#h", BASE64, "", "hr", "h", false},
    {"base64, parsed, all of it", "#h", BASE64 T(EXCLUSIVE), "", "hr", "h", false},
    {"base64, parsed, a part", "#h", BASE64 XPATH("not(self::y)"), "", "", "", true},
    /* parsed again */
    {"canonicalised twice", "#a", T(C14N_10) T(EXCLUSIVE), "ab", "r", "", false},
    {"thrice", "", T(C14N_10) T(EXCLUSIVE) T(C14N_10), "rabcdehSIVOgk", "", "", false},
    {"canonicalised, then enveloped", "", T(C14N_10) ENVELOPED, "abcdehk", "r", "", false},
    {"canonicalised, then enveloped, then a filter", "", T(C14N_10) ENVELOPED XPATH("not(ancestor-or-self::s:Signature)"), "abcdehk", "r", "", false},
    {"canonicalised, a child taken out", "", T(C14N_10) XPATH("not(ancestor-or-self::*[@Id='b']) and true()"), "cdehSIVOgk", "ra", "", false},
    {"filtered, canonicalised, filtered", "", XPATH("not(ancestor-or-self::*[@Id='b'])") T(EXCLUSIVE) XPATH("not(ancestor-or-self::*[@Id='e'])"),
	"chSIVOgk", "rad", "", false},
    {"canonicalised twice, a child taken out", "", T(C14N_10) T(C14N_10) XPATH("not(ancestor-or-self::*[@Id='b']) and true()"), "cdehSIVOgk", "ra", "",
	false},
    {"canonicalised, an attribute dropped", "", T(C14N_10) XPATH("not(count(../@p:y | .) = count(../@p:y))"), "cdehSIVOgk", "rab", "b", false},
    {"canonicalised, text alone", "#a", T(C14N_10) XPATH("self::text()"), "", "abr", "ab", false},
    {"canonicalised, one text of two that became one", "#a", T(C14N_10) XPATH("not(self::text()[.='two'])"), "", "abr", "", false},
    {"canonicalised, base64", "#c", T(C14N_10) XPATH("true()") BASE64, "", "cr", "c", false},
    {"attributes without their elements, parsed again, all", "#a", XPATH("not(self::*[@p:y])") T(C14N_10) T(EXCLUSIVE), "", "rab", "b", false},
    {"attributes without their elements, parsed again, a part", "#a", XPATH("not(self::*[@p:y])") T(C14N_10) XPATH("not(self::processing-instruction())"),
	"", "", "", true},
};

static bool
letter_in(const char *set, const char *id)
{
	return strchr(set, *id) != NULL;
}

static const char all_ids[] = "rabcdehSIVOgk";

static void
ask(const struct sigdoc *d, const struct cover *c, size_t i)
{
	const char *p;

	for (p = all_ids; *p != '\0'; p++) {
		const char id[2] = {*p, '\0'};
		bool ambiguous;
		const xmlNode *n = idmap_find(&state_of(d)->ids, id, &ambiguous);

		assert_non_null(n);
		if (cover_holds(c, n) != letter_in(rows[i].whole, id) ||
		    cover_touches(c, n) != (letter_in(rows[i].whole, id) || letter_in(rows[i].part, id)))
			fail_msg("%s: %s is held %d, touched %d", rows[i].name, id, cover_holds(c, n), cover_touches(c, n));
		if ((cover_touches(c, n) && !cover_holds(c, n) && n->children != NULL && xml_first(n, NULL, NULL) == NULL &&
			cover_holds_text(c, n) != letter_in(rows[i].text, id)))
			fail_msg("%s: text of %s is held %d", rows[i].name, id, cover_holds_text(c, n));
	}
}

static void
what_transforms_leave(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool any = *rows[i].transforms != '\0';
		AUTO(mem) char *doc = mem_printf(DOC, rows[i].uri, any ? "<s:Transforms>" : "", rows[i].transforms, any ? "</s:Transforms>" : "");
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct covered c, again;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[0], &c, &e));
		if (c.intact == TRI_UNKNOWN)
			fail_msg("%s: not checked: %s", rows[i].name, c.note != NULL ? c.note : "");
		ask(d, &c.cover, i);
		if (c.cover.rest != rows[i].rest)
			fail_msg("%s: rest %d", rows[i].name, c.cover.rest);
		OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[0], &again, &e));
		assert_ptr_equal(c.cover.v, again.cover.v); /* hashed once */
	}
}

/* ---- the same by trial: what is altered changes the octets, if and only if it is in the cover ---- */

static void
octets_of(struct sigdoc *d, struct buf *out)
{
	struct sink to = sink_buf(out);
	struct err e = {0};

	buf_clear(out);
	(void)!cover_octets(d, &d->sigs[0], &d->sigs[0].refs[0], &to, &e); /* what can't be had any more is changed too */
}

static void
alter(struct sigdoc *d, const struct cover *c, const xmlNode *n, xmlChar *value, size_t i)
{
	AUTO(buf) struct buf was = {0}, is = {0};
	bool changes;

	octets_of(d, &was);
	value[0] ^= 3; /* another letter or digit */
	octets_of(d, &is);
	value[0] ^= 3;
	changes = !slice_eq(buf_slice(&was), buf_slice(&is));
	if (changes != cover_holds(c, n) && (cover_holds(c, n) || (strstr(rows[i].transforms, "[.=") == NULL && !rows[i].rest)))
		fail_msg("%s: %s %s: held %d, changes the octets: %d", rows[i].name, (const char *)n->parent->name, (const char *)n->name,
		    cover_holds(c, n), changes);
}

static void
alter_each(struct sigdoc *d, const struct cover *c, size_t i)
{
	const xmlNode *root = (const xmlNode *)d->dom, *n;
	const xmlAttr *a;

	for (n = root; n != NULL; n = node_after(root, n)) {
		if (is_within(n, d->sigs[0].signed_info))
			continue; /* the recipe itself */
		if ((n->type == XML_TEXT_NODE || n->type == XML_PI_NODE) && n->content != NULL)
			alter(d, c, n, n->content, i);
		for (a = n->type == XML_ELEMENT_NODE ? n->properties : NULL; a != NULL; a = a->next)
			if (xmlStrcmp(a->name, (const xmlChar *)"Id") != 0)
				alter(d, c, (const xmlNode *)a, a->children->content, i);
	}
}

static void
what_is_covered_changes_the_octets(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool any = *rows[i].transforms != '\0';
		AUTO(mem) char *doc = mem_printf(DOC, rows[i].uri, any ? "<s:Transforms>" : "", rows[i].transforms, any ? "</s:Transforms>" : "");
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct covered c;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[0], &c, &e));
		alter_each(d, &c.cover, i);
	}
}

/* ---- files beside the document ---- */

#define XML "<!--x--><a x=\"1\"><b>c</b></a>"

/* Whole is a file whose octets went in: what is read as XML or from base64 may be altered in what reading leaves out. */

static void
files_beside(void **state)
{
	static const struct {
		const char *name, *transforms;
		const char *octets;
		bool whole, content, rest;
		enum reading read;
	} files[] = {
	    {"as it is", "", XML, true, false, false, READ_NOT},
	    {"canonicalised", T(EXCLUSIVE), XML, false, true, false, READ_XML},
	    {"canonicalised twice", T(C14N_10) T(EXCLUSIVE), XML, false, true, false, READ_XML},
	    {"by XPath true()", XPATH("true()"), XML, false, true, false, READ_XML},
	    {"without an element", XPATH("not(self::b)"), XML, false, false, true, READ_XML},
	    {"without an element, canonicalised twice", XPATH("not(self::b)") T(C14N_10) T(EXCLUSIVE), XML, false, false, true, READ_XML},
	    {"base64", BASE64, "YSBk\nZWVk", false, true, false, READ_BASE64},
	    {"base64 twice", BASE64 BASE64, "WVE9\nPQ==", false, true, false, READ_BASE64},
	    {"base64, parsed", BASE64 T(EXCLUSIVE), "PHgv\nPg==", false, true, false, READ_XML},
	    {"parsed, base64 of its text", T(EXCLUSIVE) XPATH("true()") BASE64, "<a>YQ==</a>", false, false, true, READ_XML},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		bool any = *files[i].transforms != '\0';
		AUTO(mem) char *doc = mem_printf(DOC, "f", any ? "<s:Transforms>" : "", files[i].transforms, any ? "</s:Transforms>" : "");
		const struct slice octets = slice_str(files[i].octets);
		const struct side_file side = {.name = "f", .source = source_slice(&octets), .has_source = true};
		AUTO(sigdoc) struct sigdoc *d = NULL;
		const xmlNode *root;
		struct covered c;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), &side, 1, NULL, &d, &e));
		root = xmlDocGetRootElement(d->dom);
		OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[0], &c, &e));
		assert_int_equal(c.intact, TRI_FALSE);
		assert_int_equal(c.cover.n, 0);
		if (cover_holds_file(&c.cover, &side) != files[i].whole || !cover_beyond(&c.cover, &root, 1) ||
		    c.cover.rest != files[i].rest || c.cover.read != files[i].read || c.cover.content != files[i].content || cover_is_empty(&c.cover))
			fail_msg("%s: whole %d, rest %d, read %d, content %d", files[i].name, cover_holds_file(&c.cover, &side), c.cover.rest, c.cover.read,
			    c.cover.content);
	}
}

/* ---- imprints: what each kind hashes, and what a list names ---- */

/* Properties A to G, then one stamp. S: the value; K: KeyInfo; O: an Object; P: inside A. */
#define STAMP_DOC \
	"<s:Signature xmlns:s=\"" DS_NS "\" Id=\"N\"><s:SignedInfo/><s:SignatureValue Id=\"S\">AA==</s:SignatureValue><s:KeyInfo Id=\"K\"/>" \
	"<s:Object Id=\"O\"/><s:Object><o:QualifyingProperties xmlns:o=\"%s\" xmlns:y=\"" NS_X141 "\" Target=\"#N\"><o:UnsignedProperties>" \
	"<o:UnsignedSignatureProperties Id=\"U\"><o:CertificateValues Id=\"A\"><o:EncapsulatedX509Certificate Id=\"P\">AA==" \
	"</o:EncapsulatedX509Certificate></o:CertificateValues><o:SignatureTimeStamp Id=\"B\"/><o:CompleteCertificateRefs Id=\"C\"/>" \
	"<y:CompleteCertificateRefsV2 Id=\"D\"/><o:CompleteRevocationRefs Id=\"E\"/><o:RevocationValues Id=\"F\"/>" \
	"<%s>%s<o:EncapsulatedTimeStamp>AA==</o:EncapsulatedTimeStamp></%s></o:UnsignedSignatureProperties></o:UnsignedProperties>" \
	"</o:QualifyingProperties></s:Object></s:Signature>"
#define INCLUDE(id) "<o:Include URI=\"#" id "\"/>"
#define INFO(id) "<o:HashDataInfo uri=\"#" id "\"/>"
#define NOTHING_OF "<o:Transforms>" XPATH("false()") "</o:Transforms>"

static const struct {
	const char *name, *ns, *kind, *list, *held; /* held NULL: the list leaves out what it must cover */
} imprints[] = {
    {"signature", NS_X132, "o:SignatureTimeStamp", "", "S"},
    {"archive", NS_X132, "y:ArchiveTimeStamp", "", "SKOAPBCDEF"},
    {"signature and references", NS_X132, "o:SigAndRefsTimeStamp", "", "SBCE"},
    {"signature and references, V2", NS_X132, "y:SigAndRefsTimeStampV2", "", "SBDE"},
    {"references", NS_X132, "o:RefsOnlyTimeStamp", "", "CE"},
    {"references, V2", NS_X132, "y:RefsOnlyTimeStampV2", "", "DE"},
    {"1.3.2: a list says nothing", NS_X132, "o:SignatureTimeStamp", INCLUDE("A"), "S"},
    {"1.2.2: the value alone", NS_X122, "o:ArchiveTimeStamp", INCLUDE("S"), "S"},
    {"1.2.2: some", NS_X122, "o:ArchiveTimeStamp", INCLUDE("S") INCLUDE("F") INCLUDE("A"), "SAPF"},
    {"1.2.2: a part of one", NS_X122, "o:ArchiveTimeStamp", INCLUDE("S") INCLUDE("P"), "SP"},
    {"1.2.2: what is around them", NS_X122, "o:SignatureTimeStamp", INCLUDE("S") INCLUDE("U"), "SAPBCDEF"},
    {"1.2.2: the form of 1.1.1 is not hashed", NS_X122, "o:ArchiveTimeStamp", INFO("S") INFO("A"), "SKOAPBCDEF"},
    {"1.2.2: one of each", NS_X122, "o:ArchiveTimeStamp", INCLUDE("S") INFO("A"), "S"},
    {"1.1.1", NS_X111, "o:SignatureTimeStamp", INFO("S") INFO("A"), "SAP"},
    {"1.1.1: the form of 1.2.2 is not hashed", NS_X111, "o:SignatureTimeStamp", INFO("S") INCLUDE("A"), "S"},
    {"1.1.1: nothing is left of the value", NS_X111, "o:SignatureTimeStamp",
	"<o:HashDataInfo uri=\"#S\">" NOTHING_OF "</o:HashDataInfo>" INFO("A"), NULL},
    {"1.1.1: nothing is left of another", NS_X111, "o:SignatureTimeStamp", INFO("S") "<o:HashDataInfo uri=\"#A\">" NOTHING_OF "</o:HashDataInfo>",
	"S"},
};

static void
what_imprints_hash(void **state)
{
	static const struct digest any = {.alg = DIGEST_SHA256, .n = 32};

	(void)state;
	for (size_t i = 0; i < sizeof(imprints) / sizeof(imprints[0]); i++) {
		AUTO(mem) char *doc = mem_printf(STAMP_DOC, imprints[i].ns, imprints[i].kind, imprints[i].list, imprints[i].kind);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct covered c;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		OK(cover_imprint(d, &d->sigs[0], &d->sigs[0].stamps[d->sigs[0].n_stamps - 1], &any, &c, &e));
		if (imprints[i].held == NULL ? c.intact != TRI_UNKNOWN : c.intact != TRI_FALSE)
			fail_msg("%s: intact %d, %s", imprints[i].name, c.intact, c.note != NULL ? c.note : "no note");
		for (const char *p = "SKOAPBCDEF"; *p != '\0' && imprints[i].held != NULL; p++) {
			const char id[2] = {*p, '\0'};
			bool ambiguous;

			if (cover_holds(&c.cover, idmap_find(&state_of(d)->ids, id, &ambiguous)) != letter_in(imprints[i].held, id))
				fail_msg("%s: %s", imprints[i].name, id);
		}
	}
}

/* ---- several as one, and what is left out ---- */

static const xmlNode *
by_id(const struct sigdoc *d, const char *id)
{
	bool ambiguous;

	return idmap_find(&state_of(d)->ids, id, &ambiguous);
}

static void
unions_and_gaps(void **state)
{
	static const char doc[] =
	    "<r xmlns:s=\"" DS_NS "\"><t Id=\"t\" v=\"1\"><a Id=\"a\">1</a><!--c--><b Id=\"b\" w=\"2\">2<!--d--></b></t><s:Signature><s:SignedInfo>"
	    "<s:Reference URI=\"#a\"><s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue/></s:Reference>"
	    "<s:Reference URI=\"#b\"><s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue/></s:Reference>"
	    "<s:Reference URI=\"#t\"><s:Transforms>" XPATH("not(ancestor-or-self::*[@Id='a' or @Id='b']) and not(count(../@w | .) = count(../@w))")
	    "</s:Transforms><s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue/></s:Reference>"
	    "<s:Reference URI=\"#t\"><s:Transforms>" XPATH("not(ancestor-or-self::*[@Id='a']) and not(count(../@w | .) = count(../@w))")
	    "</s:Transforms><s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue/></s:Reference>"
	    "</s:SignedInfo></s:Signature></r>";
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(mem) char *path = NULL;
	struct cover all;
	struct covered c[4];
	struct cover_gap gaps[4];
	const xmlNode *own;
	struct err e = {0};
	size_t i;

	(void)state;
	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	own = d->sigs[0].node;
	for (i = 0; i < 4; i++)
		OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[i], &c[i], &e));
	assert_false(cover_holds(&c[2].cover, by_id(d, "t")));
	OK(cover_join(d, (const struct cover *const[]){&c[1].cover, &c[2].cover, &c[0].cover}, 3, &all, &e));
	assert_true(cover_holds(&all, by_id(d, "t")));
	assert_int_equal(cover_gaps(&all, by_id(d, "t"), NULL, 0, gaps, 4), 0);
	assert_false(cover_holds_document(&all, &own, 1)); /* the root's own tags */
	assert_int_equal(cover_gaps(&all, NULL, &own, 1, gaps, 4), 1);
	assert_ptr_equal(gaps[0].node, xmlDocGetRootElement(d->dom));
	assert_false(gaps[0].whole);

	assert_int_equal(cover_gaps(&c[3].cover, by_id(d, "t"), NULL, 0, gaps, 4), 2);
	assert_ptr_equal(gaps[0].node, by_id(d, "a"));
	assert_true(gaps[0].whole);
	assert_int_equal(gaps[0].nodes, 3); /* the element, its Id, its text */
	assert_int_equal(gaps[1].node->type, XML_ATTRIBUTE_NODE);
	path = node_path(d, gaps[1].node);
	assert_string_equal(path, "/r/t/b/@w");
	assert_int_equal(cover_gaps(&c[3].cover, by_id(d, "t"), NULL, 0, NULL, 0), 2);
}

/* More pieces than may be kept: not checked, never "nothing". */
static void
too_many_pieces(void **state)
{
	AUTO(buf) struct buf b = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct covered c;
	struct err e = {0};

	(void)state;
	buf_addf(&b, DOC, "#a", "<s:Transforms>", XPATH("not(self::b) and not(self::text())"), "</s:Transforms>");
	OK(sigdoc_open(buf_slice(&b), NULL, 0, NULL, &d, &e));
	state_of(d)->ranges_left = 1;
	OK(cover_reference(d, &d->sigs[0], &d->sigs[0].refs[0], &c, &e));
	assert_int_equal(c.intact, TRI_UNKNOWN);
	assert_non_null(strstr(c.note, "pieces"));
	assert_true(cover_is_empty(&c.cover));
	assert_int_equal(cover_gaps(&c.cover, NULL, NULL, 0, NULL, 0) != 0, true);
	assert_int_equal(cover_gaps(&(struct cover){0}, xmlDocGetRootElement(d->dom), NULL, 0, NULL, 0), 1);
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_UNKNOWN);
	assert_int_equal(d->sigs[0].refs[0].fault, REF_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_transforms_leave),
	    cmocka_unit_test(what_is_covered_changes_the_octets),
	    cmocka_unit_test(files_beside),
	    cmocka_unit_test(what_imprints_hash),
	    cmocka_unit_test(unions_and_gaps),
	    cmocka_unit_test(too_many_pieces),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
