/* SPDX-License-Identifier: MIT */
/* Changes that know what a signature is made of: transforms, algorithms, wrapping, lists of stamps, DER, values, keys. */
#include "tests/soundness/mutate.h"

#include <string.h>

static const char *const ALGORITHMS[] = {"http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments", "http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2", "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512",
    "http://www.w3.org/2001/04/xmldsig-more#md5", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "urn:none", "",
    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"};
#define SOME(a) a[rng_below(m->r, sizeof(a) / sizeof(a[0]))]

static bool
has_algorithm(const xmlNode *n)
{
	return xml_attr(n, "Algorithm") != NULL;
}

static bool
s_algorithm(struct making *m)
{
	xmlNode *n = pick(m, m->doc, has_algorithm, true);
	const char *a = SOME(ALGORITHMS);

	if (n == NULL)
		return false;
	said(m, "algorithm of", n);
	buf_addf(&m->out->changes, "%s;", a);
	xmlSetProp(n, BAD_CAST "Algorithm", BAD_CAST a);
	return true;
}

/* ---- transforms ---- */

static bool
takes_transforms(const xmlNode *n)
{
	return strcmp((const char *)n->name, "Reference") == 0 || strcmp((const char *)n->name, "HashDataInfo") == 0 ||
	    strcmp((const char *)n->name, "Transforms") == 0;
}

static const char *const PATHS[] = {"true()", "false()", "not(self::text())", "not(ancestor-or-self::ds:Signature)", "self::node()", "/", "//ds:Object",
    "//*[local-name()='SignedProperties']", "here()/ancestor::ds:Signature[1]", "//text()", "/*", "not(self::comment())",
    "not(ancestor-or-self::*[local-name()='UnsignedProperties'])"};

static void
add_path(struct making *m, xmlNode *t, const char *algorithm)
{
	static const char *const filters[] = {"intersect", "subtract", "union"};
	bool two = strstr(algorithm, "filter2") != NULL;
	xmlNode *p = element(t, two ? "http://www.w3.org/2002/06/xmldsig-filter2" : NS_DS, "XPath");

	xmlNewNs(p, BAD_CAST NS_DS, BAD_CAST "ds");
	xmlNodeSetContent(p, BAD_CAST SOME(PATHS));
	if (two)
		xmlSetProp(p, BAD_CAST "Filter", BAD_CAST SOME(filters));
}

static bool
s_transform(struct making *m)
{
	xmlNode *n = pick(m, m->doc, takes_transforms, false), *list, *t;
	const char *a = ALGORITHMS[rng_below(m->r, 9)];

	if (n == NULL)
		return false;
	said(m, "transform in", n);
	buf_addf(&m->out->changes, "%s;", a);
	list = strcmp((const char *)n->name, "Transforms") == 0 ? n : xml_first(n, NS_DS, "Transforms");
	if (list == NULL) {
		list = element(n, NS_DS, "Transforms");
		if (n->children != list) {
			xmlUnlinkNode(list);
			xmlAddPrevSibling(n->children, list);
		}
	}
	t = element(list, NS_DS, "Transform");
	xmlSetProp(t, BAD_CAST "Algorithm", BAD_CAST a);
	if (strstr(a, "xpath") != NULL || strstr(a, "filter2") != NULL)
		add_path(m, t, a);
	if (rng_one_in(m->r, 2) && list->children != t) {
		xmlUnlinkNode(t);
		xmlAddPrevSibling(list->children, t);
	}
	return true;
}

/* ---- wrapping ---- */

static bool
has_uri(const xmlNode *n)
{
	return strcmp((const char *)n->name, "Reference") == 0 && xml_attr(n, "URI") != NULL && xml_attr(n, "URI")[0] == '#';
}

static bool
leaf_text(const xmlNode *n)
{
	return n->children != NULL && n->children->next == NULL && n->children->type == XML_TEXT_NODE && n->children->content[0] != '\0';
}

static void
spoil_text(struct making *m, xmlNode *apex)
{
	xmlNode *chosen = NULL;
	size_t k = 0;

	for (xmlNode *at = apex; at != NULL; at = xml_walk(apex, at))
		if (leaf_text(at) && rng_one_in(m->r, ++k))
			chosen = at;
	if (chosen != NULL)
		xmlNodeSetContent(chosen, BAD_CAST "1000000");
}

static bool
is_holder(const xmlNode *n)
{
	return strcmp((const char *)n->name, "Object") == 0 || strcmp((const char *)n->name, "Signature") == 0 ||
	    strcmp((const char *)n->name, "KeyInfo") == 0 || strcmp((const char *)n->name, "UnsignedSignatureProperties") == 0 || n->parent->type != XML_ELEMENT_NODE;
}

/* What a reference leads to stands elsewhere, and another text in its place. */
static bool
s_wrap(struct making *m)
{
	xmlNode *ref = pick(m, m->doc, has_uri, false), *target, *holder, *other;

	if (ref == NULL || (target = led_to(m->doc, BAD_CAST xml_attr(ref, "URI"))) == NULL || target->parent->type != XML_ELEMENT_NODE)
		return false;
	holder = pick(m, m->doc, is_holder, true);
	if (holder == NULL || is_below(holder, target))
		return false;
	said(m, "wrap", target);
	said(m, "into", holder);
	other = copy_of(m, target);
	spoil_text(m, other);
	if (rng_one_in(m->r, 2))
		xmlUnsetProp(other, BAD_CAST "Id");
	else if (rng_one_in(m->r, 2))
		xmlSetProp(other, BAD_CAST "Id", BAD_CAST "other");
	xmlReplaceNode(target, other);
	if (rng_one_in(m->r, 2))
		holder = element(holder, NS_DS, "Object");
	xmlAddChild(holder, target);
	xmlReconciliateNs(m->doc, target);
	return true;
}

/* Another text in what a plain reference leads to: must never pass where this is all that was changed. */
static bool
s_data(struct making *m)
{
	xmlNode *ref = pick(m, m->doc, has_uri, false), *target, *list;

	if (ref == NULL || (target = led_to(m->doc, BAD_CAST xml_attr(ref, "URI"))) == NULL || xml_first(target, NS_DS, "Signature") != NULL)
		return false;
	list = xml_first(ref, NS_DS, "Transforms");
	for (xmlNode *t = list != NULL ? list->children : NULL; t != NULL; t = t->next)
		if (t->type == XML_ELEMENT_NODE && strstr(xml_attr(t, "Algorithm") != NULL ? xml_attr(t, "Algorithm") : "xpath", "c14n") == NULL)
			return false;
	said(m, "data of", target);
	xmlNodeAddContent(target, BAD_CAST "1");
	m->out->altered = true;
	return true;
}

/* ---- stamps' lists ---- */

static bool
is_stamp(const xmlNode *n)
{
	return strstr((const char *)n->name, "TimeStamp") != NULL && strncmp((const char *)n->name, "Encapsulated", 12) != 0 &&
	    strstr((const char *)n->name, "ValidationData") == NULL;
}

static bool
s_include(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_stamp, false), *in;
	const char *ns;

	if (n == NULL || n->ns == NULL)
		return false;
	ns = strcmp((const char *)n->ns->href, NS_X141) == 0 ? NS_X132 : (const char *)n->ns->href;
	bool old = strcmp(ns, NS_X111) == 0 || rng_one_in(m->r, 6);
	said(m, "list of", n);
	in = element(n, ns, old ? "HashDataInfo" : "Include");
	xmlChar *v = some_value(m, "URI");
	xmlSetProp(in, BAD_CAST(old ? "uri" : "URI"), v);
	buf_addf(&m->out->changes, "%s;", (const char *)v);
	xmlFree(v);
	if (rng_one_in(m->r, 4))
		xmlSetProp(in, BAD_CAST "referencedData", BAD_CAST "true");
	xmlUnlinkNode(in);
	if (n->children != NULL && rng_one_in(m->r, 3) && n->children->next != NULL)
		xmlAddNextSibling(n->children, in);
	else if (n->children != NULL)
		xmlAddPrevSibling(n->children, in);
	else
		xmlAddChild(n, in);
	return true;
}

/* A stamp of the original's or the donor's, under any stamp's name, at the place of a property. */
static bool
s_stamp(struct making *m)
{
	static const char *const names[] = {"SignatureTimeStamp", "ArchiveTimeStamp", "SigAndRefsTimeStamp", "RefsOnlyTimeStamp", "SigAndRefsTimeStampV2"};
	xmlDoc *from = m->donor != NULL && rng_one_in(m->r, 2) ? m->donor->dom : m->doc;
	xmlNode *n = pick(m, from, is_stamp, false), *at = pick(m, m->doc, is_stamp, false), *copy;

	if (n == NULL || at == NULL)
		return false;
	said(m, "stamp", n);
	said(m, "before", at);
	copy = copy_of(m, n);
	if (rng_one_in(m->r, 2))
		xmlNodeSetName(copy, BAD_CAST SOME(names));
	xmlAddPrevSibling(at, copy);
	return true;
}

static bool
is_old_stamp(const xmlNode *n)
{
	return strcmp((const char *)n->name, "SignatureTimeStamp") == 0 && n->ns != NULL &&
	    (strcmp((const char *)n->ns->href, NS_X111) == 0 || strcmp((const char *)n->ns->href, NS_X122) == 0);
}

/* An element of this document that has the Id gets another, in the list of the stamp too: SignatureValue's is not signed. */
static void
make_way(struct making *m, xmlNode *stamp, const xmlChar *uri)
{
	xmlNode *there = led_to(m->doc, uri);
	xmlChar *id = there != NULL ? xmlStrcat(xmlStrdup(uri + 1), BAD_CAST "-own") : NULL, *to;

	if (there == NULL)
		return;
	to = xmlStrcat(xmlStrdup(BAD_CAST "#"), id);
	xmlSetProp(there, BAD_CAST "Id", id);
	for (xmlNode *e = xmlFirstElementChild(stamp); e != NULL; e = xmlNextElementSibling(e))
		for (xmlAttr *a = e->properties; a != NULL; a = a->next)
			if (strcasecmp((const char *)a->name, "uri") == 0 && xmlStrEqual(a->children->content, uri))
				xmlSetProp(e, a->name, to);
	xmlFree(id);
	xmlFree(to);
}

/* What the list of the donor's stamp leads to, under Ids of its own in an Object of this signature, and entries that name it. */
static void
bring_listed(struct making *m, const xmlNode *from, xmlNode *stamp, xmlNode *object)
{
	const char *ns = (const char *)stamp->ns->href, *entry = strcmp(ns, NS_X111) == 0 ? "HashDataInfo" : "Include";
	const char *attribute = strcmp(ns, NS_X111) == 0 ? "uri" : "URI";
	size_t n = 0;

	for (const xmlNode *e = from->children; e != NULL; e = e->next) {
		const char *uri = e->type == XML_ELEMENT_NODE && strcmp((const char *)e->name, entry) == 0 ? xml_attr(e, attribute) : NULL;
		xmlNode *target = uri != NULL ? led_to(m->donor->dom, BAD_CAST uri) : NULL, *copy;

		if (target == NULL)
			continue;
		make_way(m, stamp, BAD_CAST uri);
		xmlAddChild(object, copy_of(m, target));
		copy = copy_of(m, (xmlNode *)(uintptr_t)e);
		xmlAddChild(stamp, copy);
		n++;
	}
	buf_addf(&m->out->changes, "%zu listed;", n);
}

/*
 * A stamp of 1.1.1 or 1.2.2 that the donor got, with the octets that it is over, for this signature: its list keeps the entry
 * that must be there, through a transform that leaves nothing, and names what was brought along.
 */
static bool
s_transplant(struct making *m)
{
	xmlNode *at = pick(m, m->doc, is_old_stamp, false), *from = m->donor != NULL ? pick(m, m->donor->dom, is_old_stamp, false) : NULL;
	xmlNode *sig, *token, *theirs, *first, *t;

	if (at == NULL || from == NULL || (theirs = xml_first(from, (const char *)from->ns->href, "EncapsulatedTimeStamp")) == NULL)
		return false;
	for (sig = at; sig != NULL && !xml_is(sig, NS_DS, "Signature"); sig = sig->parent)
		;
	token = xml_first(at, (const char *)at->ns->href, "EncapsulatedTimeStamp");
	first = xmlFirstElementChild(at);
	if (sig == NULL || token == NULL || first == token || strcmp((const char *)at->ns->href, (const char *)from->ns->href) != 0)
		return false;
	said(m, "transplant", at);
	xmlUnlinkNode(token);
	if (rng_one_in(m->r, 4)) {
		xmlUnlinkNode(first);
		xmlFreeNode(first);
	} else if ((t = xml_first(first, (const char *)at->ns->href, "Transforms")) != NULL) {
		t = element(t, NS_DS, "Transform");
		xmlSetProp(t, BAD_CAST "Algorithm", BAD_CAST ALGORITHMS[7]);
		xmlNodeSetContent(element(t, NS_DS, "XPath"), BAD_CAST "false()");
		xmlUnlinkNode(t);
		if (first->children->children != NULL)
			xmlAddPrevSibling(first->children->children, t);
	}
	bring_listed(m, from, at, element(sig, NS_DS, "Object"));
	xmlNodeSetContent(token, NULL);
	xmlChar *text = xmlNodeGetContent(theirs);
	xmlNodeAddContent(token, text);
	xmlFree(text);
	xmlAddChild(at, token);
	return true;
}

/* ---- DER ---- */

static bool
s_der(struct making *m)
{
	xmlNode *n = pick(m, m->doc, holds_der, false);
	AUTO(buf) struct buf was = {0}, is = {0};
	struct err e = {0};

	if (n == NULL || xml_base64(n, &was, &e) != ERR_OK || was.n == 0)
		return false;
	said(m, "der in", n);
	if (rng_one_in(m->r, 5)) {
		xmlNode *copy = copy_of(m, n); /* beside the one that is changed */

		xmlAddNextSibling(n, copy);
	}
	der_mutate(m->r, buf_slice(&was), m->ders, m->n_ders, &is, &m->out->changes);
	set_base64(n, buf_slice(&is));
	return true;
}

/* Another object whole: in its place or beside it. */
static bool
s_object(struct making *m)
{
	xmlNode *n = pick(m, m->doc, holds_der, false);

	if (n == NULL || m->n_ders == 0)
		return false;
	said(m, "object in", n);
	if (rng_one_in(m->r, 2)) {
		xmlNode *copy = copy_of(m, n);

		put_before(n, copy);
		n = copy;
	}
	set_base64(n, m->ders[rng_below(m->r, m->n_ders)]);
	return true;
}

/* ---- values, keys ---- */

static bool
is_value(const xmlNode *n)
{
	return strcmp((const char *)n->name, "SignatureValue") == 0;
}

static bool
is_method(const xmlNode *n)
{
	return strcmp((const char *)n->name, "CanonicalizationMethod") == 0 || strcmp((const char *)n->name, "SignatureMethod") == 0;
}

/* A value that nobody made, and a method that cannot be followed. */
static bool
s_value(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_value, false), *method = pick(m, m->doc, is_method, false);
	AUTO(buf) struct buf v = {0};
	struct err e = {0};

	if (n == NULL || xml_base64(n, &v, &e) != ERR_OK || v.n == 0)
		return false;
	said(m, "value of", n);
	switch (rng_below(m->r, 5)) {
	case 0:
		memset(v.p, 0, v.n);
		break;
	case 1:
		v.p[rng_below(m->r, v.n)] ^= (uint8_t)(1u << rng_below(m->r, 8));
		break;
	case 2:
		v.n = rng_below(m->r, v.n);
		break;
	case 3:
		memset(v.p + v.n / 2, 0, v.n - v.n / 2);
		break;
	default:
		buf_add8(&v, 0);
	}
	set_base64(n, buf_slice(&v));
	if (method != NULL && rng_one_in(m->r, 2))
		xmlSetProp(method, BAD_CAST "Algorithm", BAD_CAST SOME(ALGORITHMS));
	return true;
}

static bool
is_key_info(const xmlNode *n)
{
	return strcmp((const char *)n->name, "KeyInfo") == 0;
}

/* A certificate more in KeyInfo, before or behind the others. */
static bool
s_key_info(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_key_info, false), *data, *cert;

	if (n == NULL || m->n_ders == 0)
		return false;
	said(m, "certificate into", n);
	data = element(n, NS_DS, "X509Data");
	cert = element(data, NS_DS, rng_one_in(m->r, 5) ? "X509CRL" : "X509Certificate");
	set_base64(cert, m->ders[rng_below(m->r, m->n_ders)]);
	if (n->children != data && rng_one_in(m->r, 2)) {
		xmlUnlinkNode(data);
		xmlAddPrevSibling(n->children, data);
	}
	return true;
}

/* ---- properties ---- */

static const struct {
	const char *ns, *name;
} PROPERTIES[] = {{NS_XEN, "SealingEvidenceRecords"}, {NS_X141, "TimeStampValidationData"}, {NS_X132, "CertificateValues"},
    {NS_X132, "RevocationValues"}, {NS_X141, "RenewedDigests"}, {NS_X141, "SignaturePolicyStore"}, {NS_X132, "ArchiveTimeStamp"},
    {NS_X132, "CounterSignature"}, {NS_X132, "CompleteCertificateRefs"}, {NS_X132, "CompleteRevocationRefs"}, {"urn:x", "Foreign"}};

static bool
is_unsigned(const xmlNode *n)
{
	return strcmp((const char *)n->name, "UnsignedSignatureProperties") == 0;
}

/* An unsigned property with any of the objects in it, or nothing. */
static bool
s_property(struct making *m)
{
	xmlNode *n = pick(m, m->doc, is_unsigned, false), *p, *in;
	size_t i = rng_below(m->r, sizeof(PROPERTIES) / sizeof(PROPERTIES[0]));

	if (n == NULL)
		return false;
	p = element(n, PROPERTIES[i].ns, PROPERTIES[i].name);
	said(m, "property", p);
	if (m->n_ders > 0 && rng_one_in(m->r, 2)) {
		bool certs = rng_one_in(m->r, 2);

		in = element(p, NS_X132, certs ? "CertificateValues" : "RevocationValues");
		in = certs ? in : element(in, NS_X132, rng_one_in(m->r, 2) ? "CRLValues" : "OCSPValues");
		in = element(in, NS_X132, certs ? "EncapsulatedX509Certificate" : strcmp((const char *)in->name, "CRLValues") == 0 ? "EncapsulatedCRLValue" : "EncapsulatedOCSPValue");
		set_base64(in, m->ders[rng_below(m->r, m->n_ders)]);
	}
	if (n->children != p && rng_one_in(m->r, 2)) {
		xmlUnlinkNode(p);
		xmlAddPrevSibling(n->children, p);
	}
	return true;
}

const struct change_row CHANGES_SIGNATURE[] = {
    {"algorithm", 8, s_algorithm},
    {"transform", 9, s_transform},
    {"wrap", 8, s_wrap},
    {"data", 4, s_data},
    {"list", 7, s_include},
    {"stamp", 7, s_stamp},
    {"transplant", 16, s_transplant},
    {"der", 26, s_der},
    {"object", 8, s_object},
    {"value", 5, s_value},
    {"key-info", 5, s_key_info},
    {"property", 6, s_property},
    {NULL, 0, NULL},
};
