/* SPDX-License-Identifier: MIT */
/* References: what they lead to and what of it they cover, and what they may cost. */
#include "tests/signed.h"

#define SHA256_ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define REFERENCE(uri, transforms) \
	"<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><s:SignatureMethod " \
	"Algorithm=\"urn:x\"/><s:Reference" uri ">" transforms "<s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>" \
	"<s:DigestValue>" SHA256_ABC "</s:DigestValue></s:Reference></s:SignedInfo><s:SignatureValue>AA==</s:SignatureValue>"
#define TRANSFORM(uri) "<s:Transforms><s:Transform Algorithm=\"" uri "\"/></s:Transforms>"
#define END "</s:Signature>"

/* Each case differs from a good one by one fact. The digest is that of "abc". */
static const struct {
	const char *name, *doc, *files; /* name=content;... */
	enum tri found, intact;
	enum ref_fault fault;
	bool differs;
} references[] = {
    {"base64 of an Object", REFERENCE(" URI=\"#o\"", TRANSFORM(DS_NS "base64")) "<s:Object Id=\"o\">YW<!-- x -->Jj</s:Object>" END, "", TRI_TRUE,
	TRI_TRUE, REF_FINE, false},
    {"Transforms without a Transform", REFERENCE(" URI=\"a\"", "<s:Transforms/>") END, "a=abc", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"two DigestMethods", REFERENCE(" URI=\"a\"", "<s:DigestMethod Algorithm=\"urn:x\"/>") END, "a=abc", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"something before them", REFERENCE(" URI=\"a\"", "<f xmlns=\"urn:f\"/>") END, "a=abc", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"no such ID", REFERENCE(" URI=\"#p\"", "") "<s:Object Id=\"o\"/>" END, "", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"the ID twice, in other spellings", REFERENCE(" URI=\"#o\"", "") "<s:Object Id=\"o\"/><s:Object><a ID=\"o\"/></s:Object>" END, "",
	TRI_FALSE, TRI_UNKNOWN, REF_AMBIGUOUS, false},
    {"the ID twice, once in a namespace", REFERENCE(" URI=\"#o\"", "") "<s:Object Id=\"o\"/><s:Object><a xmlns:u=\"urn:u\" u:Id=\"o\"/></s:Object>" END,
	"", TRI_FALSE, TRI_UNKNOWN, REF_AMBIGUOUS, false},
    {"two ID attributes of one element", REFERENCE(" URI=\"#o\"", TRANSFORM(DS_NS "base64"))
	"<s:Object xmlns:u=\"urn:u\" Id=\"o\" u:Id=\"o\">YWJj</s:Object>" END, "", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"wsu:Id, as WS-Security has it", "<r xmlns:wsu=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\">"
	"<b wsu:Id=\"o\">YWJj</b>" REFERENCE(" URI=\"#o\"", TRANSFORM(DS_NS "base64")) END "</r>", "", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"a file by name", REFERENCE(" URI=\"a%20b\"", "") END, "x=no;a b=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"a named file that is another", REFERENCE(" URI=\"a\"", "") END, "a=abd;b=abc", TRI_TRUE, TRI_FALSE, REF_FINE, false},
    {"the only file, of another name", REFERENCE(" URI=\"a\"", "") END, "b=abd", TRI_TRUE, TRI_FALSE, REF_FINE, true},
    {"a file by its digest", REFERENCE(" URI=\"a\"", "") END, "b=abd;c=abc", TRI_TRUE, TRI_TRUE, REF_FINE, true},
    {"no file", REFERENCE(" URI=\"a\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"an http URI", REFERENCE(" URI=\"http://h/a\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"an http URI with a file of that name", REFERENCE(" URI=\"http://h/a\"", "") END, "http://h/a=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"a file URI", REFERENCE(" URI=\"file:///etc/passwd\"", "") END, "x=1;y=2", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"a path upwards, hidden by percent signs", REFERENCE(" URI=\"a/%2e%2e/b\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"no URI, one file", REFERENCE("", "") END, "a=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"XSLT", REFERENCE(" URI=\"a\"", TRANSFORM("http://www.w3.org/TR/1999/REC-xslt-19991116")) END, "a=abc", TRI_TRUE, TRI_UNKNOWN,
	REF_UNSUPPORTED_TRANSFORM, false},
    {"a transform that nobody defined", REFERENCE(" URI=\"a\"", TRANSFORM("urn:x")) END, "a=abc", TRI_TRUE, TRI_UNKNOWN, REF_TRANSFORM_FAILED, false},
    {"base64 of a file", REFERENCE(" URI=\"a\"", TRANSFORM(DS_NS "base64")) END, "a=YWJj", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"C14N of a file that is no XML", REFERENCE(" URI=\"a\"", TRANSFORM(EXCLUSIVE)) END, "a=abc", TRI_TRUE, TRI_UNKNOWN, REF_TRANSFORM_FAILED,
	false},
    {"a claimed Object outside the signature",
	"<r><b Id=\"o\">YWJj</b>" REFERENCE(" Type=\"" DS_NS "Object\" URI=\"#o\"", TRANSFORM(DS_NS "base64")) END "</r>", "", TRI_TRUE, TRI_TRUE,
	REF_FINE, false},
    {"XPath that keeps the text", REFERENCE(" URI=\"#o\"",
	"<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>self::text() and "
	"ancestor::s:Object[@Id='o'] and here()/self::s:XPath</s:XPath></s:Transform></s:Transforms>") "<s:Object Id=\"o\">a<i x=\"1\">b</i>c</s:Object>" END,
	"", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"Filter 2.0 that keeps the text", REFERENCE(" URI=\"\"",
	"<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\"><f:XPath "
	"xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"intersect\">id('o')/text()</f:XPath></s:Transform></s:Transforms>")
	"<s:Object Id=\"o\">a<!--b-->bc<i>d</i></s:Object>" END, "", TRI_TRUE, TRI_TRUE, REF_FINE, false},
};

static size_t
split_files(char *text, struct side_file *v, struct slice *octets)
{
	char *item, *eq;
	size_t n = 0;

	while (text != NULL && *text != '\0' && (item = strsep(&text, ";")) != NULL) {
		eq = strrchr(item, '=');
		if (strncmp(item, "a=YWJj", 6) == 0)
			eq = item + 1;
		*eq = '\0';
		octets[n] = slice_str(eq + 1);
		v[n] = (struct side_file){.name = item, .has_source = true, .source = source_slice(&octets[n])};
		n++;
	}
	return n;
}

static void
references_found_and_intact(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
		AUTO(mem) char *text = mem_dupstr(references[i].files);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct side_file files[4];
		struct slice octets[4];
		struct err e = {0};
		const struct xref *x;
		size_t n = split_files(text, files, octets);

		OK(sigdoc_open(slice_str(references[i].doc), files, n, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		x = &d->sigs[0].refs[0];
		if (x->found != references[i].found || x->intact != references[i].intact || x->fault != references[i].fault ||
		    x->name_differs != references[i].differs)
			print_error("%s: found %d intact %d fault %d %s\n", references[i].name, x->found, x->intact, x->fault, x->note);
		assert_int_equal(x->found, references[i].found);
		assert_int_equal(x->intact, references[i].intact);
		assert_int_equal(x->fault, references[i].fault);
		assert_int_equal(x->name_differs, references[i].differs);
	}
}

static void
digest_only_data(void **state)
{
	struct digest known = {.alg = DIGEST_SHA256, .n = 32};
	struct side_file file = {.name = "a", .digests = &known, .n_digests = 1};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(buf) struct buf octets = {0};
	struct xstamp t = {.type = STAMP_ALL_DATA, .position = SIZE_MAX};
	struct sink to = sink_buf(&octets);
	struct err e = {0};

	(void)state;
	OK(digest_once(DIGEST_SHA256, slice_str("abc"), &known, &e));
	OK(sigdoc_open(slice_str(REFERENCE(" URI=\"a\"", "") END), &file, 1, NULL, &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_TRUE);
	assert_true(d->sigs[0].refs[0].by_digest_only);
	/* A time-stamp covers the octets, not their digest. */
	FAILS(ERR_NOTFOUND, stamp_octets(d, &d->sigs[0], &t, &to, &e));
}

/* The short forms give what evaluating them gives: the second of each pair says the same in a form that is not short. */
static const struct {
	const char *shorter, *longer;
} filters[] = {
    {"not(ancestor-or-self::s:Signature)", "not(ancestor-or-self::s:Signature) and true()"},
    {" not( ancestor-or-self::s:Signature )", "true() and not(ancestor-or-self::s:Signature)"},
    {"ancestor-or-self::*[@Id='a']", "true() and ancestor-or-self::*[@Id='a']"},
    {"ancestor-or-self::*[ @ID = \"b\" ]", "true() and ancestor-or-self::*[@ID='b']"},
    {"ancestor-or-self::*[@Id='b']", "true() and ancestor-or-self::*[@Id='b']"},	      /* spelled otherwise: nothing */
    {"ancestor-or-self::*[@Id='a a']", "true() and ancestor-or-self::*[@Id='a a']"},	      /* no such element */
    {"ancestor-or-self::*[@Id='t']", "true() and ancestor-or-self::*[@Id='t']"},	      /* at two elements */
    {"ancestor-or-self::*[@Id='top']", "true() and ancestor-or-self::*[@Id='top']"},
    {"not(ancestor-or-self::*[@Id='a'])", "true() and not(ancestor-or-self::*[@Id='a'])"},
    {"not(ancestor-or-self::*[@Id='S'])", "true() and not(ancestor-or-self::*[@Id='S'])"},
};

static void
filtered(const char *expression, const char *more, struct buf *out)
{
	AUTO(mem) char *doc = mem_printf("<r Id='top' xmlns:p='urn:p'><a xmlns='urn:a' Id='a'>1<i/><!--c--></a><p:b ID='b' p:x='1'>2</p:b><c Id='t'/><c Id='t'><n xmlns='urn:n'><m xmlns=''><k/></m></n></c>"
					 "<s:Signature xmlns:s='" DS_NS "' Id='S'><s:SignedInfo><s:Reference URI=''><s:Transforms>%s<s:Transform "
					 "Algorithm='http://www.w3.org/TR/1999/REC-xpath-19991116'><s:XPath>%s</s:XPath></s:Transform>%s</s:Transforms>"
					 "</s:Reference></s:SignedInfo></s:Signature><z>3</z></r>",
	    *more == '-' ? more + 1 : "", expression, *more == '-' ? "" : more);
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct sink to = sink_buf(out);
	const struct c14n plain = {0};
	struct err e = {0};
	struct run r;

	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	r = (struct run){.d = d, .s = &d->sigs[0]};
	OK(ref_write(&r, &d->sigs[0].refs[0], &plain, &to, &e));
	if (r.fault != REF_FINE)
		print_error("%s %s: %s\n", expression, more, r.note);
	assert_int_equal(r.fault, REF_FINE);
}

static void
short_filters(void **state)
{
	static const char enveloped[] = "<s:Transform Algorithm='" DS_NS "enveloped-signature'/>";
	static const char filter2[] = "<s:Transform Algorithm='http://www.w3.org/2002/06/xmldsig-filter2'><f:XPath Filter='subtract' "
				      "xmlns:f='http://www.w3.org/2002/06/xmldsig-filter2'>//s:Signature | //*[@x]</f:XPath></s:Transform>";
	static const char before[] = "-<s:Transform Algorithm='" DS_NS "enveloped-signature'/>";
	const char *const more[] = {"", enveloped, before, filter2};
	size_t i, k, compared = 0;

	(void)state;
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		for (k = 0; k < 4; k++) {
			AUTO(buf) struct buf a = {0};
			AUTO(buf) struct buf b = {0};

			filtered(filters[i].shorter, more[k], &a);
			if (strstr(buf_str(&a), "s:XPath") != NULL)
				continue; /* the expression itself is in the result */
			filtered(filters[i].longer, more[k], &b);
			compared++;
			if (!slice_eq(buf_slice(&a), buf_slice(&b)))
				print_error("%s (%zu):\n%s\n%s\n", filters[i].shorter, k, buf_str(&a), buf_str(&b));
			SAME(buf_slice(&a), buf_slice(&b));
		}
	}
	assert_int_equal(compared, 38);
}

static char *
many_references(size_t n)
{
	AUTO(buf) struct buf b = {0};

	buf_adds(&b, "<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo>");
	while (n-- > 0)
		buf_adds(&b, "<s:Reference/>");
	buf_adds(&b, "</s:SignedInfo></s:Signature>");
	return mem_dupstr(buf_str(&b));
}

static void
too_many_references(void **state)
{
	AUTO(mem) char *fits = many_references(10000);
	AUTO(mem) char *over = many_references(10001);
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(sigdoc) struct sigdoc *none = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(fits), NULL, 0, NULL, &d, &e));
	FAILS(ERR_LIMIT, sigdoc_open(slice_str(over), NULL, 0, NULL, &none, &e));
	SAYS("references");
}

static void
too_many_transforms(void **state)
{
#define ONE "<s:Transform Algorithm=\"" DS_NS "base64\"/>"
	static const char five[] = REFERENCE(" URI=\"a\"", "<s:Transforms>" ONE ONE ONE ONE ONE "</s:Transforms>") END;
	static const char six[] = REFERENCE(" URI=\"a\"", "<s:Transforms>" ONE ONE ONE ONE ONE ONE "</s:Transforms>") END;
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(sigdoc) struct sigdoc *none = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(five), NULL, 0, NULL, &d, &e));
	FAILS(ERR_LIMIT, sigdoc_open(slice_str(six), NULL, 0, NULL, &none, &e));
	SAYS("transforms");
}

/* What an expression costs is counted, nodes, string values and pairs alike: it is stopped by the count, not by the clock. */
static const char *const costly[] = {
    "count(//*) &gt; 0",		      /* walks the whole document for every node of it */
    "string-length(string(/)) &gt; 0",	      /* builds the text of the whole document each time */
    "string-length(/) &gt; 0",
    "contains(/, 'x')",
    "contains(concat(/, /), 'x')",
    "starts-with(translate(/, 'y', 'z'), 'x')",
    "normalize-space(/*) = 'x'",
    "/ = 'x'",
    "not(/ != 1)",
    "/ &lt; 5",
    "/ + 1 = 2",
    "-/ = 2",
    "sum(/*/*/*) = 2",
    "//s:Object = 'x'",
    "/*/*/*[1][/*/*/* = /*/*/*[3]]",	      /* each with each */
    "count(id(/)) = 1",
};

static void
costly_xpath(void **state)
{
	size_t i, k;

	(void)state;
	for (k = 0; k < sizeof(costly) / sizeof(costly[0]); k++) {
		AUTO(buf) struct buf b = {0};
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct xades_limits limits = {.xpath_steps = 400000};
		struct err e = {0};

		buf_addf(&b, REFERENCE(" URI=\"\"",
			     "<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>%s"
			     "</s:XPath></s:Transform></s:Transforms>") "<s:Object>", costly[k]);
		for (i = 0; i < 2000; i++)
			buf_adds(&b, "<i>abcdefghijklmnopqrstuvwxyz0123456789</i>");
		buf_adds(&b, "</s:Object>" END);
		OK(sigdoc_open(buf_slice(&b), NULL, 0, &limits, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		if (d->sigs[0].refs[0].fault != REF_LIMIT)
			print_error("%s: %s\n", costly[k], d->sigs[0].refs[0].note != NULL ? d->sigs[0].refs[0].note : "no fault");
		assert_int_equal(d->sigs[0].refs[0].fault, REF_LIMIT);
		assert_int_equal(d->sigs[0].refs[0].intact, TRI_UNKNOWN);
	}
}

/* Many references to one large part: stopped by what is written, not by the clock. */
static void
much_canonical_form(void **state)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct xades_limits limits = {.canonical_bytes = 60};
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(REFERENCE(" URI=\"#o\"", "") "<s:Object Id=\"o\">123456789012345678901234567890</s:Object>" END), NULL, 0, &limits,
	    &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].fault, REF_LIMIT);
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_UNKNOWN);
}

/* The same for data that is no canonical form: decoded, parsed and read again by each reference. */
static void
much_data(void **state)
{
	static const char *const transforms[] = {
	    "<s:Transform Algorithm=\"" DS_NS "base64\"/>",
	    "<s:Transform Algorithm=\"" DS_NS "base64\"/><s:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
	};
	AUTO(buf) struct buf xml = {0}, b64 = {0};
	size_t i, k, file;

	(void)state;
	buf_adds(&xml, "<a>");
	for (i = 0; i < 100; i++)
		buf_adds(&xml, "abcdefghij");
	buf_adds(&xml, "</a>");
	buf_addbase64(&b64, buf_slice(&xml));
	for (file = 0; file < 2; file++)
		for (k = 0; k < 2; k++) {
			const struct slice octets = buf_slice(&b64);
			const struct side_file side = {.name = "f", .source = source_slice(&octets), .has_source = true};
			AUTO(buf) struct buf b = {0};
			AUTO(sigdoc) struct sigdoc *d = NULL;
			struct xades_limits limits = {.canonical_bytes = 10000};
			struct err e = {0};

			buf_adds(&b, "<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo>");
			for (i = 0; i < 40; i++)
				buf_addf(&b, "<s:Reference URI=\"%s\"><s:Transforms>%s</s:Transforms><s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>"
					     "<s:DigestValue>AAAA</s:DigestValue></s:Reference>", file != 0 ? "f" : "#o", transforms[k]);
			buf_addf(&b, "</s:SignedInfo><s:Object Id=\"o\">%s</s:Object></s:Signature>", buf_str(&b64));
			OK(sigdoc_open(buf_slice(&b), &side, 1, &limits, &d, &e));
			OK(sig_check_references(d, &d->sigs[0], &e));
			assert_int_equal(d->sigs[0].refs[0].fault, REF_FINE);
			assert_int_equal(d->sigs[0].refs[0].intact, TRI_FALSE);
			assert_int_equal(d->sigs[0].refs[39].fault, REF_LIMIT);
			assert_int_equal(d->sigs[0].refs[39].intact, TRI_UNKNOWN);
		}
}

/* ---- what a reference covers ---- */

#define XPATH(expression) \
	"<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>" expression \
	"</s:XPath></s:Transform></s:Transforms>"
#define PROPS_TYPE "http://uri.etsi.org/01903#SignedProperties"
#define ANY_DIGEST "<s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue>AA==</s:DigestValue>"
#define PROPS_REF(type, transforms) "<s:Reference URI=\"#P\" Type=\"" type "\">" transforms ANY_DIGEST "</s:Reference>"
/* as Austrian card software wrote 1.1.1 */
#define AROUND(path) \
	"<s:Reference URI=\"#O\" Type=\"" NS_X111 "SignedProperties\"><s:Transforms><s:Transform Algorithm=\"" FILTER2 "\"><f:XPath " \
	"xmlns:f=\"" FILTER2 "\" xmlns:x=\"" NS_X111 "\" Filter=\"intersect\">" path "</f:XPath></s:Transform></s:Transforms>" ANY_DIGEST "</s:Reference>"
#define FILTER2 "http://www.w3.org/2002/06/xmldsig-filter2"

static const struct {
	const char *name, *ns, *references;
	bool counts;
	const char *fault; /* NULL: none */
} props_refs[] = {
    {"the whole", NS_X132, PROPS_REF(PROPS_TYPE, ""), true, NULL},
    {"the whole, canonicalised", NS_X132, PROPS_REF(PROPS_TYPE, TRANSFORM(EXCLUSIVE)), true, NULL},
    {"the whole by XPath", NS_X132, PROPS_REF(PROPS_TYPE, XPATH("true()")), true, NULL},
    {"the whole by XPath, then canonicalised", NS_X132,
	PROPS_REF(PROPS_TYPE, "<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>true()</s:XPath>"
			      "</s:Transform><s:Transform Algorithm=\"" EXCLUSIVE "\"/></s:Transforms>"), true, NULL},
    {"their tags", NS_X132, PROPS_REF(PROPS_TYPE, XPATH("not(self::text())")), false, "a part"},
    {"by a transform that nobody does", NS_X132, PROPS_REF(PROPS_TYPE, TRANSFORM("urn:x")), false, NULL},
    {"without a digest", NS_X132, "<s:Reference URI=\"#P\" Type=\"" PROPS_TYPE "\"/>", false, NULL},
    {"all but the time", NS_X132, PROPS_REF(PROPS_TYPE, XPATH("not(ancestor-or-self::*[local-name()='SigningTime'])")), false, "a part"},
    {"nothing: they stand in the signature itself", NS_X132, PROPS_REF(PROPS_TYPE, TRANSFORM(DS_NS "enveloped-signature")), false, "a part"},
    {"their text", NS_X132, PROPS_REF(PROPS_TYPE, TRANSFORM(DS_NS "base64")), false, "a part"},
    {"twice", NS_X132, PROPS_REF(PROPS_TYPE, "") PROPS_REF(PROPS_TYPE, TRANSFORM(EXCLUSIVE)), true, NULL},
    {"and something else", NS_X132, PROPS_REF(PROPS_TYPE, "") "<s:Reference URI=\"#S\" Type=\"" PROPS_TYPE "\">" ANY_DIGEST "</s:Reference>", true, "more than one"},
    {"something else", NS_X132, "<s:Reference URI=\"#S\" Type=\"" PROPS_TYPE "\">" ANY_DIGEST "</s:Reference>", false, "does not lead"},
    {"the Type of 1.2.2", NS_X132, PROPS_REF(NS_X122 "SignedProperties", ""), false, NULL},
    {"a Type that never was", NS_X132, PROPS_REF(NS_X132 "SignedProperties", ""), false, NULL},
    {"1.2.2", NS_X122, PROPS_REF(NS_X122 "SignedProperties", ""), true, NULL},
    {"1.1.1", NS_X111, PROPS_REF(NS_X111 "SignedProperties", ""), true, NULL},
    {"the Object around, filtered", NS_X111, AROUND("id('O')/x:QualifyingProperties/x:SignedProperties"), true, NULL},
    {"filtered to a part", NS_X111, AROUND("id('O')//x:SigningTime"), false, "does not lead"},
    {"filtered to more", NS_X111, AROUND("id('O')"), false, "does not lead"},
    {"the Object around", NS_X111, "<s:Reference URI=\"#O\" Type=\"" NS_X111 "SignedProperties\">" ANY_DIGEST "</s:Reference>", false, "does not lead"},
    {"1.1.1 by the Type of 1.3.2", NS_X111, PROPS_REF(PROPS_TYPE, ""), false, NULL},
};

static void
signed_properties_that_are_covered(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(props_refs) / sizeof(props_refs[0]); i++) {
		AUTO(mem) char *doc = mem_printf("<s:Signature xmlns:s=\"" DS_NS "\" Id=\"S\"><s:SignedInfo><s:CanonicalizationMethod Algorithm=\"" EXCLUSIVE
						 "\"/><s:SignatureMethod Algorithm=\"urn:x\"/>%s</s:SignedInfo><s:SignatureValue>AA==</s:SignatureValue>"
						 "<s:Object Id=\"O\"><x:QualifyingProperties xmlns:x=\"%s\" Target=\"#S\"><x:SignedProperties Id=\"P\">"
						 "<x:SignedSignatureProperties><x:SigningTime>2026</x:SigningTime></x:SignedSignatureProperties>"
						 "</x:SignedProperties></x:QualifyingProperties></s:Object></s:Signature>",
		    props_refs[i].references, props_refs[i].ns);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};
		const struct xsig *s;

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		s = &d->sigs[0];
		if ((s->props_ref != NULL) != props_refs[i].counts || (s->format_fault != NULL) != (props_refs[i].fault != NULL))
			print_error("%s: %s\n", props_refs[i].name, s->format_fault != NULL ? s->format_fault : "no fault");
		assert_int_equal(s->props_ref != NULL, props_refs[i].counts);
		assert_int_equal(s->format_fault != NULL, props_refs[i].fault != NULL);
		if (s->format_fault != NULL)
			assert_non_null(strstr(s->format_fault, props_refs[i].fault));
	}
}

/* What a reference leads to is not what it covers, when an expression stands between: told beside it. */
static void
references_that_cover_a_part(void **state)
{
#define EMPTY_SHA256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	static const struct {
		const char *transforms, *digest, *note;
		bool nothing;
	} cases[] = {
	    {TRANSFORM(DS_NS "base64"), SHA256_ABC, NULL, false},
	    {XPATH("not(ancestor-or-self::s:Signature)"), EMPTY_SHA256, "nothing", true},
	    {XPATH("self::text()[.='abc']"), SHA256_ABC, "XPath", false},
	    {XPATH("ancestor-or-self::*[@Id='none']"), EMPTY_SHA256, "nothing", true},
	    {TRANSFORM(DS_NS "enveloped-signature"), EMPTY_SHA256, "nothing", true},
	    {XPATH("self::text()"), SHA256_ABC, NULL, false}, /* not intact: nothing to say of what it covers */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(mem) char *doc = mem_printf("<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:Reference URI=\"#o\">%s<s:DigestMethod "
						 "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><s:DigestValue>%s</s:DigestValue></s:Reference>"
						 "</s:SignedInfo><s:Object Id=\"o\">%s</s:Object></s:Signature>",
		    cases[i].transforms, cases[i].digest, i == 0 ? "YWJj" : "abc<b>d</b>");
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};
		const struct xref *x;

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		x = &d->sigs[0].refs[0];
		if (x->nothing != cases[i].nothing || (x->note != NULL) != (cases[i].note != NULL))
			print_error("case %zu: intact %d, %s\n", i, x->intact, x->note != NULL ? x->note : "no note");
		assert_int_equal(x->intact, i + 1 < sizeof(cases) / sizeof(cases[0]) ? TRI_TRUE : TRI_FALSE);
		assert_int_equal(x->nothing, cases[i].nothing);
		assert_int_equal(x->note != NULL, cases[i].note != NULL);
		if (x->note != NULL)
			assert_non_null(strstr(x->note, cases[i].note));
	}
}

/* Naming which of many siblings it is, for each of many references, has an end. */
static void
paths_among_many_siblings(void **state)
{
	AUTO(buf) struct buf doc = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(mem) char *first = NULL, *last = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	buf_adds(&doc, "<r>");
	for (i = 0; i < 20000; i++)
		buf_adds(&doc, "<a/>");
	buf_adds(&doc, "<a Id=\"a\"/><s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo>");
	for (i = 0; i < 6000; i++)
		buf_adds(&doc, "<s:Reference URI=\"#a\"/>");
	buf_adds(&doc, "</s:SignedInfo></s:Signature></r>");
	OK(sigdoc_open(buf_slice(&doc), NULL, 0, NULL, &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	first = xref_covers(d, &d->sigs[0].refs[0]);
	assert_string_equal(first, "/r/a[20001]");
	for (i = 0; i < d->sigs[0].n_refs; i++) {
		free(last);
		last = xref_covers(d, &d->sigs[0].refs[i]);
	}
	assert_string_equal(last, "/r/a[?]");
}

/* Thousands of references may lead below the same long names: each path is short. */
static void
path_below_long_names(void **state)
{
	AUTO(buf) struct buf doc = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(mem) char *path = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		buf_addf(&doc, "<n%0300zu>", i);
	buf_adds(&doc, "<a Id=\"a\"/><s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:Reference URI=\"#a\"/></s:SignedInfo></s:Signature>");
	while (i-- > 0)
		buf_addf(&doc, "</n%0300zu>", i);
	OK(sigdoc_open(buf_slice(&doc), NULL, 0, NULL, &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	path = xref_covers(d, &d->sigs[0].refs[0]);
	assert_true(strlen(path) < 1500);
	assert_int_equal(strncmp(path, ".../n", 5), 0);
	assert_non_null(strstr(path, "99/a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(references_found_and_intact),
	    cmocka_unit_test(digest_only_data),
	    cmocka_unit_test(short_filters),
	    cmocka_unit_test(too_many_references),
	    cmocka_unit_test(too_many_transforms),
	    cmocka_unit_test(costly_xpath),
	    cmocka_unit_test(much_canonical_form),
	    cmocka_unit_test(much_data),
	    cmocka_unit_test(signed_properties_that_are_covered),
	    cmocka_unit_test(references_that_cover_a_part),
	    cmocka_unit_test(paths_among_many_siblings),
	    cmocka_unit_test(path_below_long_names),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
