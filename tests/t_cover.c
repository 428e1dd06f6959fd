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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_transforms_leave),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
