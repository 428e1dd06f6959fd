/* SPDX-License-Identifier: MIT */
/* What in a ds:Signature is data, and what is only the machinery of signing: that which the reader itself reads. */
#include "verify/extent.h"

#include <string.h>

static bool
is_blank(const xmlNode *n)
{
	return n->content == NULL || strspn((const char *)n->content, " \t\r\n") == strlen((const char *)n->content);
}

static bool
is_text(const xmlNode *n)
{
	return n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;
}

/* What says something to a reader, or to the program that shows it. */
bool
is_content(const xmlNode *n)
{
	return n->type == XML_ELEMENT_NODE || n->type == XML_PI_NODE || (is_text(n) && !is_blank(n));
}

/* The next node in document order that is not below n. */
static const xmlNode *
behind(const xmlNode *top, const xmlNode *n)
{
	while (n != top && n->next == NULL)
		n = n->parent;
	return n != top ? n->next : NULL;
}

static bool
is_mixed(const xmlNode *element)
{
	bool text = false, elements = false;
	const xmlNode *n;

	for (n = element->children; n != NULL; n = n->next) {
		text = text || (is_text(n) && !is_blank(n));
		elements = elements || n->type == XML_ELEMENT_NODE;
	}
	return text && elements;
}

/* Nothing in it but what says something only to a machine: known elements, text in the innermost alone, no instruction. */
static bool
is_plain(const xmlNode *top, bool (*known)(const xmlNode *n))
{
	const xmlNode *n = top;

	while (n != NULL) {
		if (n->type == XML_PI_NODE || (n->type == XML_ELEMENT_NODE && (!known(n) || is_mixed(n))))
			return false;
		/* a counter-signature is described by itself */
		n = n != top && is_ds(n, "Signature") ? behind(top, n) : node_after(top, n);
	}
	return true;
}

static bool
stands_in_ns(const xmlNode *n, const char *begin)
{
	return n->ns != NULL && n->ns->href != NULL && strncmp((const char *)n->ns->href, begin, strlen(begin)) == 0;
}

/* Of KeyInfo: what ds (XMLDSig 4.5, 1.1 too) has for keys; what may hold anything is not among it. */
static bool
is_of_keys(const xmlNode *n)
{
	return (stands_in_ns(n, NS_DS) || stands_in_ns(n, "http://www.w3.org/2009/xmldsig11#")) && !is_ds(n, "Object") && !is_ds(n, "Signature") &&
	    !is_ds(n, "SignatureProperties") && !is_ds(n, "Manifest");
}

/* Of unsigned properties: those of XAdES and RFC 6283, with what of ds they hold. */
static bool
is_of_properties(const xmlNode *n)
{
	return stands_in_ns(n, "http://uri.etsi.org/01903/") || stands_in_ns(n, "urn:ietf:params:xml:ns:ers") || is_ds(n, "Signature") || is_of_keys(n);
}

/* The qualifying properties that the reader took; the signed ones among them are covered, or the signature does not pass. */
static bool
is_own_properties(const struct xsig *s, const xmlNode *n)
{
	const xmlNode *c;

	if (n != s->qualifying)
		return false;
	for (c = n->children; c != NULL; c = c->next)
		if (is_content(c) && c != s->signed_props && (!is_xades(c, "UnsignedProperties") || !is_plain(c, is_of_properties)))
			return false;
	return true;
}

/* An Object that holds those, or nothing at all: no data in it. */
static bool
holds_no_data(const struct xsig *s, const xmlNode *object)
{
	const xmlNode *n;

	for (n = object->children; n != NULL; n = n->next)
		if (is_content(n) && !is_own_properties(s, n))
			return false;
	return true;
}

static bool
holds_keys_alone(const xmlNode *key_info)
{
	const xmlNode *n;

	for (n = key_info->children; n != NULL; n = n->next)
		if (is_text(n) && !is_blank(n))
			return false;
	return is_plain(key_info, is_of_keys);
}

/* A child of ds:Signature that only says how it was signed: what the reader itself reads. */
static bool
is_machinery(const struct xsig *s, const xmlNode *n)
{
	if (n == s->signed_info)
		return true;
	if (n == s->signature_value)
		return is_plain(n, is_of_keys);
	return n == s->key_info ? holds_keys_alone(n) : is_ds(n, "Object") && holds_no_data(s, n);
}

/* The next part of a signature that is data: an Object with something in it, or what has no place there. NULL: none. */
static const xmlNode *
next_data(const struct xsig *s, const xmlNode *n)
{
	while (n != NULL && (!is_content(n) || is_machinery(s, n)))
		n = n->next;
	return n;
}

/* Asked of each signature beside each other. */
bool
has_own_data(const struct sigdoc *d, const struct xsig *s)
{
	struct sig_covers *memo = &state_of(d)->unions[s->index];

	if (memo->has_data == TRI_UNKNOWN)
		memo->has_data = next_data(s, s->node->children) != NULL ? TRI_TRUE : TRI_FALSE;
	return memo->has_data == TRI_TRUE;
}

/* All that is in the Object, whatever its own tags and attributes: they name, they are no data. */
static bool
holds_content(const struct cover *c, const xmlNode *object)
{
	const xmlNode *n;
	bool elements = false;

	if (cover_holds(c, object))
		return true;
	if (!is_ds(object, "Object"))
		return false;
	for (n = object->children; n != NULL; n = n->next) {
		elements = elements || n->type == XML_ELEMENT_NODE;
		if (is_content(n) && !cover_holds(c, n))
			return false;
	}
	return elements || cover_holds_text(c, object);
}

bool
holds_own_data(const struct cover *c, const struct xsig *s)
{
	const xmlNode *n;

	for (n = next_data(s, s->node->children); n != NULL; n = next_data(s, n->next))
		if (!holds_content(c, n))
			return false;
	return true;
}

bool
touches_own_data(const struct cover *c, const struct xsig *s)
{
	const xmlNode *n;

	for (n = next_data(s, s->node->children); n != NULL; n = next_data(s, n->next))
		if (cover_touches(c, n))
			return true;
	return false;
}
