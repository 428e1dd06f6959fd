/* SPDX-License-Identifier: MIT */
/* XML: the loader and the scanner beside it, canonical forms, XPath filters. */
#include "tests/fuzz/fuzz.h"

#include "base/xml.h"
#include "verify/xades_int.h"
#include "verify/xmlpos.h"

#include <stdlib.h>
#include <string.h>

/* ---- the n-th element, and what two trees have in common ---- */

static size_t
count_elements(const xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc), *n;
	size_t k = 0;

	for (n = root; n != NULL; n = xml_walk(root, n))
		k++;
	return k;
}

static const xmlNode *
element_at(const xmlDoc *doc, size_t at)
{
	const xmlNode *root = xmlDocGetRootElement(doc), *n = root;

	while (at-- > 0 && n != NULL)
		n = xml_walk(root, n);
	return n;
}

static bool
canonical(xmlDoc *doc, struct buf *out)
{
	const struct c14n how = {.mode = C14N_10, .comments = true};
	const struct nodes what = {.doc = doc, .apex = (const xmlNode *)doc, .comments = true};
	struct numbering numbers = {0};
	struct sink to = sink_buf(out);
	bool ok = c14n_write(&how, &what, &numbers, &to, NULL) == ERR_OK;

	numbering_release(&numbers);
	return ok && !out->failed;
}

/* ---- xml ---- */

static void
add_units(struct buf *b, const char *text, unsigned width, bool big)
{
	for (; *text != '\0'; text++) {
		if (width == 2 && big)
			buf_add8(b, 0);
		buf_add8(b, (unsigned char)*text);
		if (width == 2 && !big)
			buf_add8(b, 0);
	}
}

/*
 * An instruction put behind a start tag must come out as the first child of that very element, and nothing else may
 * differ. This is what an insertion relies on.
 */
static void
check_position(struct slice in, xmlDoc *doc, const struct xmlpos *p, size_t at)
{
	const char *encoding = xmlpos_encoding(in, doc);
	bool wide = strncmp(encoding, "UTF-16", 6) == 0;
	AUTO(xml_doc) xmlDocPtr other = NULL;
	AUTO(buf) struct buf longer = {0}, was = {0}, is = {0};
	xmlNode *mark;
	struct err e = {0};

	buf_add(&longer, in.p, p->start_end);
	add_units(&longer, "<?everseal?>", wide ? 2 : 1, strcmp(encoding, "UTF-16BE") == 0);
	buf_add(&longer, in.p + p->start_end, in.n - p->start_end);
	if (xml_load(buf_slice(&longer), NULL, &other, &e) == ERR_LIMIT)
		return;
	fuzz_must(other != NULL);
	mark = element_at(other, at)->children;
	fuzz_must(mark != NULL && mark->type == XML_PI_NODE && strcmp((const char *)mark->name, "everseal") == 0);
	xmlUnlinkNode(mark);
	xmlFreeNode(mark);
	if (canonical(doc, &was) && canonical(other, &is))
		fuzz_must(slice_eq(buf_slice(&was), buf_slice(&is)));
}

static void
one_xml(struct slice in)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf text = {0};
	struct xmlpos p = {0};
	struct err e = {0};
	size_t at;

	if (xml_load(in, NULL, &doc, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_OK && e.code != ERR_BUG);
		return;
	}
	xml_text(xmlDocGetRootElement(doc), &text);
	at = fuzz_choice(in) % count_elements(doc);
	p.node = element_at(doc, at);
	if (xmlpos_find(in, doc, &p, 1, &e) != ERR_OK)
		return;
	fuzz_must(p.start < p.start_end && p.start_end <= p.end && p.end <= p.end_end && p.end_end <= in.n);
	fuzz_must(p.self_closed == (p.start_end == p.end_end));
	if (!p.self_closed)
		check_position(in, doc, &p, at);
}

/* ---- c14n ---- */

static const char *const methods[] = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2006/12/xml-c14n11#WithComments",
    C14N_EXC_URI,
    C14N_EXC_URI "WithComments",
};

/* Our own writer and libxml2's say the same, or both nothing. */
static void
check_ways(const struct c14n *how, const struct nodes *what, struct numbering *numbers)
{
	AUTO(buf) struct buf fast = {0}, slow = {0};
	struct sink to_fast = sink_buf(&fast), to_slow = sink_buf(&slow);
	struct trace seen = {.max = SIZE_MAX}, seen_slowly = {.max = SIZE_MAX};
	struct nodes traced = *what, traced_slowly = *what;
	struct err e = {0};
	enum err_code one, other;

	traced.trace = &seen;
	traced_slowly.trace = &seen_slowly;
	one = c14n_write(how, &traced, numbers, &to_fast, &e);
	other = c14n_write_slow(how, &traced_slowly, numbers, &to_slow, &e);
	if (one == ERR_OK && other == ERR_OK) {
		fuzz_must(slice_eq(buf_slice(&fast), buf_slice(&slow)));
		fuzz_must(seen.n == seen_slowly.n && (seen.n == 0 || memcmp(seen.v, seen_slowly.v, seen.n * sizeof(*seen.v)) == 0));
	}
	trace_release(&seen);
	trace_release(&seen_slowly);
	/* libxml2 refuses some relative namespace names late or not at all; nothing is digested that only one of them writes. */
	fuzz_must((one == ERR_OK) == (other == ERR_OK) || one == ERR_FORMAT || other == ERR_FORMAT);
}

/* The canonical form is a document again, and its own canonical form. */
static void
check_again(xmlDoc *doc)
{
	AUTO(xml_doc) xmlDocPtr other = NULL;
	AUTO(buf) struct buf first = {0}, second = {0};
	struct err e = {0};

	if (!canonical(doc, &first) || xml_load(buf_slice(&first), NULL, &other, &e) == ERR_LIMIT)
		return;
	fuzz_must(other != NULL && canonical(other, &second));
	fuzz_must(slice_eq(buf_slice(&first), buf_slice(&second)));
}

static void
one_c14n(struct slice in)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct numbering numbers = {0};
	uint32_t choice = fuzz_choice(in);
	struct nodes what = {.comments = (choice & 1) != 0, .hide_signatures = (choice & 2) != 0};
	struct c14n how;
	size_t n;

	if (xml_load(in, NULL, &doc, NULL) != ERR_OK)
		return;
	n = count_elements(doc);
	what.doc = doc;
	what.apex = (choice & 4) != 0 ? (const xmlNode *)doc : element_at(doc, (choice >> 8) % n);
	if ((choice & 8) != 0)
		what.hidden = element_at(doc, (choice >> 16) % n);
	fuzz_must(c14n_by_uri(methods[(choice >> 4) % 6], &how));
	if (how.mode == C14N_EXC && (choice & 2) != 0)
		how.prefixes = "#default a ds";
	check_ways(&how, &what, &numbers);
	check_again(doc);
	numbering_release(&numbers);
}

/* ---- xpath: an expression where a signer writes it; first octet: which filter ---- */

#define DS "http://www.w3.org/2000/09/xmldsig#"
#define XPATH_URI "http://www.w3.org/TR/1999/REC-xpath-19991116"
static const char before_transform[] =
    "<r xmlns='urn:r' xmlns:p='urn:p' a='1' p:b='two'><p:x Id='i1'>some <b/>text<?pi x?><!--c--><c xml:lang='hu'>7</c></p:x><y Id='i2' n='3'><z/><z>4</z></y>"
    "<ds:Signature xmlns:ds='" DS "' Id='S'><ds:SignedInfo><ds:CanonicalizationMethod Algorithm='" C14N_10_URI "'/><ds:SignatureMethod "
    "Algorithm='http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'/><ds:Reference URI=''><ds:Transforms>";
static const char after_transform[] =
    "</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm='http://www.w3.org/2001/04/xmlenc#sha256'/><ds:DigestValue>AA==</ds:DigestValue>"
    "</ds:Reference></ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue><ds:Object Id='O'>object</ds:Object></ds:Signature></r>";

static void
one_xpath(struct slice in)
{
	/* So few that an evaluation that is not counted shows as a time-out. */
	struct xades_limits limits = xades_limits_default;
	static const char *const filters[] = {"intersect", "subtract", "union"};
	unsigned kind = fuzz_first(&in) % 4;
	AUTO(mem) char *text = mem_dup(in.p, in.n);
	AUTO(buf) struct buf doc = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};

	limits.xpath_steps = 100000;
	buf_adds(&doc, before_transform);
	if (kind == 3)
		buf_adds(&doc, "<ds:Transform Algorithm='" XPATH_URI "'><ds:XPath>");
	else
		buf_addf(&doc, "<ds:Transform Algorithm='" FILTER2_URI "'><f:XPath xmlns:f='" FILTER2_URI "' Filter='%s'>", filters[kind]);
	buf_addxml(&doc, text);
	buf_adds(&doc, kind == 3 ? "</ds:XPath>" : "</f:XPath>");
	buf_adds(&doc, after_transform);
	if (doc.failed || sigdoc_open(buf_slice(&doc), NULL, 0, &limits, &d, &e) != ERR_OK)
		return;
	fuzz_must(sig_check_references(d, &d->sigs[0], &e) == ERR_OK || e.code != ERR_BUG);
}

const struct fuzz_entry fuzz_xml[] = {
    {.name = "xml", .seeds = "xml", .max_bytes = 65536, .one = one_xml},
    {.name = "c14n", .seeds = "xml", .max_bytes = 65536, .one = one_c14n},
    {.name = "xpath", .max_bytes = 1024, .one = one_xpath},
    {.name = NULL},
};
