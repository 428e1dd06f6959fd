/* SPDX-License-Identifier: MIT */
/* Changes to the tree that know nothing of signatures: drop, double, move, swap, splice, other names, other attributes, other text. */
#include "tests/soundness/mutate.h"

#include <string.h>

static bool
t_drop(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, false);

	if (n == NULL)
		return false;
	said(m, "drop", n);
	xmlUnlinkNode(n);
	xmlFreeNode(n);
	return true;
}

/* Somewhere around at: before, after, first or last in it. */
static void
put_somewhere(struct making *m, xmlNode *at, xmlNode *n)
{
	bool top = at->parent == NULL || at->parent->type != XML_ELEMENT_NODE;

	switch (rng_below(m->r, 4)) {
	case 0:
		if (!top) {
			xmlAddPrevSibling(at, n);
			break;
		}
		/* fallthrough */
	case 1:
		if (!top) {
			xmlAddNextSibling(at, n);
			break;
		}
		/* fallthrough */
	case 2:
		if (at->children != NULL) {
			xmlAddPrevSibling(at->children, n);
			break;
		}
		/* fallthrough */
	default:
		xmlAddChild(at, n);
	}
}

static bool
t_double(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, false), *at;

	if (n == NULL)
		return false;
	at = rng_one_in(m->r, 2) ? n : pick(m, m->doc, is_any, true);
	said(m, "double", n);
	said(m, "at", at);
	put_somewhere(m, at, copy_of(m, n));
	return true;
}

static bool
t_move(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, false), *at = pick(m, m->doc, is_any, true);

	if (n == NULL || is_below(at, n))
		return false;
	said(m, "move", n);
	said(m, "to", at);
	xmlUnlinkNode(n);
	put_somewhere(m, at, n);
	xmlReconciliateNs(m->doc, n);
	return true;
}

static bool
t_swap(struct making *m)
{
	xmlNode *a = pick(m, m->doc, is_any, false), *b;

	if (a == NULL)
		return false;
	b = rng_one_in(m->r, 2) ? xmlNextElementSibling(a) : pick(m, m->doc, is_any, false);
	if (b == NULL || is_below(a, b) || is_below(b, a))
		return false;
	said(m, "swap", a);
	said(m, "with", b);
	xmlNode *copy = copy_of(m, a);
	xmlReplaceNode(b, copy);
	xmlReplaceNode(a, b);
	xmlFreeNode(a);
	xmlReconciliateNs(m->doc, b);
	return true;
}

static const char *wanted;

static bool
is_wanted(const xmlNode *n)
{
	return strcmp((const char *)n->name, wanted) == 0;
}

/* An element of the donor: in the place of one of its name, beside one, or anywhere. */
static bool
t_splice(struct making *m)
{
	xmlNode *n = m->donor != NULL ? pick(m, m->donor->dom, is_any, true) : NULL, *at;

	if (n == NULL)
		return false;
	wanted = (const char *)n->name;
	at = pick(m, m->doc, is_wanted, false);
	said(m, "splice", n);
	if (at != NULL && rng_one_in(m->r, 2)) {
		xmlNode *copy = copy_of(m, n);

		xmlReplaceNode(at, copy);
		xmlFreeNode(at);
		return true;
	}
	if (at == NULL || rng_one_in(m->r, 4))
		at = pick(m, m->doc, is_any, true);
	said(m, "at", at);
	put_somewhere(m, at, copy_of(m, n));
	return true;
}

static const char *const SPACES[] = {NS_DS, NS_X111, NS_X122, NS_X132, NS_X141, NS_XEN, "urn:x", "http://www.w3.org/2002/06/xmldsig-filter2"};

static void
rename_space(xmlNode *n, const xmlChar *from, xmlNs *to, const xmlNode *apex)
{
	for (; n != NULL; n = n == apex ? NULL : n->next) {
		if (n->type != XML_ELEMENT_NODE)
			continue;
		if (n->ns != NULL && xmlStrEqual(n->ns->href, from))
			xmlSetNs(n, to);
		rename_space(n->children, from, to, NULL);
	}
}

/* The element, and what is below it in its namespace, in another one. */
static bool
t_namespace(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, true);
	const char *ns = SPACES[rng_below(m->r, sizeof(SPACES) / sizeof(SPACES[0]))];

	if (n == NULL || n->ns == NULL)
		return false;
	said(m, "namespace of", n);
	buf_addf(&m->out->changes, "%s;", ns);
	xmlChar *was = xmlStrdup(n->ns->href);
	xmlNs *to = xmlNewNs(n, BAD_CAST ns, BAD_CAST "mn");
	if (to != NULL && rng_one_in(m->r, 2))
		rename_space(n, was, to, n);
	else if (to != NULL)
		xmlSetNs(n, to);
	xmlFree(was);
	return to != NULL;
}

static const char *const NAMES[] = {"SignatureTimeStamp", "ArchiveTimeStamp", "SigAndRefsTimeStamp", "RefsOnlyTimeStamp", "SigAndRefsTimeStampV2",
    "RefsOnlyTimeStampV2", "AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp", "CompleteCertificateRefs", "CompleteCertificateRefsV2",
    "CompleteRevocationRefs", "CertificateValues", "RevocationValues", "TimeStampValidationData", "AttrAuthoritiesCertValues", "CounterSignature",
    "SigningCertificate", "SigningCertificateV2", "Object", "Manifest", "Reference", "KeyInfo", "SignedProperties", "UnsignedProperties",
    "SignedSignatureProperties", "UnsignedSignatureProperties", "SignatureProperties", "Signature", "SignedInfo", "SealingEvidenceRecords",
    "RenewedDigests", "SignaturePolicyStore", "Include", "HashDataInfo", "XMLTimeStamp", "EncapsulatedTimeStamp"};

static bool
t_rename(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, true);

	said(m, "rename", n);
	xmlNodeSetName(n, BAD_CAST NAMES[rng_below(m->r, sizeof(NAMES) / sizeof(NAMES[0]))]);
	said(m, "to", n);
	return true;
}

static bool
has_attribute(const xmlNode *n)
{
	return n->properties != NULL;
}

static xmlAttr *
some_attribute(struct making *m, xmlNode *n)
{
	xmlAttr *chosen = NULL;
	size_t k = 0;

	for (xmlAttr *a = n->properties; a != NULL; a = a->next)
		if (rng_one_in(m->r, ++k))
			chosen = a;
	return chosen;
}

static bool
t_attribute(struct making *m)
{
	static const char *const add[] = {"Id", "URI", "Type", "Target", "Encoding", "uri", "referencedData", "ObjectReference", "Algorithm", "ID", "id", "xml:id"};
	xmlNode *n = pick(m, m->doc, has_attribute, true);
	xmlAttr *a = n != NULL ? some_attribute(m, n) : NULL;

	if (a == NULL)
		return false;
	said(m, "attribute of", n);
	buf_addf(&m->out->changes, "%s ", (const char *)a->name);
	if (rng_one_in(m->r, 6)) {
		buf_adds(&m->out->changes, "dropped;");
		xmlRemoveProp(a);
		return true;
	}
	const char *name = rng_one_in(m->r, 6) ? add[rng_below(m->r, sizeof(add) / sizeof(add[0]))] : (const char *)a->name;
	xmlChar *v = some_value(m, name);
	buf_addf(&m->out->changes, "%s=%s;", name, (const char *)v);
	xmlSetProp(n, BAD_CAST name, v);
	xmlFree(v);
	return true;
}

static bool
has_id(const xmlNode *n)
{
	return xml_attr(n, "Id") != NULL;
}

/* Two elements change their Ids, or share one. */
static bool
t_ids(struct making *m)
{
	xmlNode *a = pick(m, m->doc, has_id, true), *b = pick(m, m->doc, rng_one_in(m->r, 3) ? is_any : has_id, true);

	if (a == NULL || b == NULL || a == b)
		return false;
	said(m, "ids of", a);
	said(m, "and", b);
	xmlChar *of_a = xmlGetNoNsProp(a, BAD_CAST "Id"), *of_b = xmlGetNoNsProp(b, BAD_CAST "Id");
	xmlSetProp(b, BAD_CAST "Id", of_a);
	if (of_b != NULL && rng_one_in(m->r, 2))
		xmlSetProp(a, BAD_CAST "Id", of_b);
	xmlFree(of_a);
	xmlFree(of_b);
	return true;
}

static bool
has_text(const xmlNode *n)
{
	return n->children != NULL && n->children->type == XML_TEXT_NODE && n->children->next == NULL && n->children->content[0] != '\0';
}

static void
text_char(struct making *m, xmlChar *at)
{
	static const char digits[] = "0123456789", letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=";

	if (*at >= '0' && *at <= '9')
		*at = (xmlChar)digits[rng_below(m->r, 10)];
	else if (*at > ' ' && *at < 0x7f)
		*at = (xmlChar)letters[rng_below(m->r, sizeof(letters) - 1)];
	else if (*at == '\n')
		*at = ' ';
}

static bool
t_text(struct making *m)
{
	xmlNode *n = pick(m, m->doc, has_text, true);

	if (n == NULL)
		return false;
	said(m, "text of", n);
	xmlChar *v = xmlNodeGetContent(n);
	size_t len = (size_t)xmlStrlen(v), k = rng_below(m->r, 4);
	if (k == 0)
		v[rng_below(m->r, len)] = '\0';
	else
		for (; k > 0; k--)
			text_char(m, v + rng_below(m->r, len));
	xmlNodeSetContent(n, NULL);
	xmlNodeAddContent(n, v);
	xmlFree(v);
	return true;
}

/* A comment, an instruction or white space inside a text, or between elements. */
static bool
t_between(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, true), *put, *text;
	size_t what = rng_below(m->r, 4);

	if (n == NULL)
		return false;
	said(m, what == 0 ? "comment in" : what == 1 ? "instruction in" : what == 2 ? "space in" : "cdata in", n);
	put = what == 0 ? xmlNewDocComment(m->doc, BAD_CAST "x") : what == 1 ? xmlNewDocPI(m->doc, BAD_CAST "x", BAD_CAST "y") :
	    what == 2 ? xmlNewDocText(m->doc, BAD_CAST " \n") : xmlNewCDataBlock(m->doc, BAD_CAST "1", 1);
	text = n->children;
	if (text == NULL) {
		xmlAddChild(n, put);
	} else if (text->type == XML_TEXT_NODE && xmlStrlen(text->content) > 2) {
		xmlChar *whole = xmlNodeGetContent(text);
		size_t cut = 1 + rng_below(m->r, (size_t)xmlStrlen(whole) - 1);

		while (cut > 0 && (whole[cut] & 0xc0) == 0x80)
			cut--;
		xmlNode *rest = xmlNewDocText(m->doc, whole + cut);
		whole[cut] = '\0';
		xmlNodeSetContent(text, NULL);
		xmlNodeAddContent(text, whole);
		xmlFree(whole);
		put->next = NULL;
		/* xmlAddNextSibling would melt two texts into one, which is what is meant for white space */
		put = xmlAddNextSibling(text, put);
		xmlAddNextSibling(put, rest);
	} else {
		xmlAddPrevSibling(text, put);
	}
	return true;
}

/* xml: attributes and namespace declarations on an ancestor: some canonical forms take them in. */
static bool
t_context(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_any, true);

	said(m, "context of", n);
	switch (rng_below(m->r, 4)) {
	case 0:
		xmlNodeSetLang(n, BAD_CAST "hu");
		break;
	case 1:
		xmlNodeSetBase(n, BAD_CAST "http://x/y");
		break;
	case 2:
		xmlNodeSetSpacePreserve(n, 1);
		break;
	default:
		xmlNewNs(n, BAD_CAST "urn:more", BAD_CAST "more");
	}
	return true;
}

/* The document inside another root, or inside the donor's. */
static bool
t_enclose(struct making *m)
{
	xmlNode *root = xmlDocGetRootElement(m->doc), *around;

	said(m, "enclose", root);
	if (m->donor != NULL && rng_one_in(m->r, 2)) {
		around = copy_of(m, xmlDocGetRootElement(m->donor->dom));
		xmlDocSetRootElement(m->doc, around);
		xmlAddChild(around, root);
	} else {
		around = xmlNewDocNode(m->doc, NULL, BAD_CAST(rng_one_in(m->r, 2) ? "around" : "Signature"), NULL);
		xmlDocSetRootElement(m->doc, around);
		xmlAddChild(around, root);
	}
	return true;
}

const struct change_row CHANGES_TREE[] = {
    {"drop", 8, t_drop},
    {"double", 8, t_double},
    {"move", 10, t_move},
    {"swap", 7, t_swap},
    {"splice", 16, t_splice},
    {"namespace", 6, t_namespace},
    {"rename", 6, t_rename},
    {"attribute", 12, t_attribute},
    {"ids", 5, t_ids},
    {"text", 6, t_text},
    {"between", 4, t_between},
    {"context", 3, t_context},
    {"enclose", 2, t_enclose},
    {NULL, 0, NULL},
};
