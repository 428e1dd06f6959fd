/* SPDX-License-Identifier: MIT */
/*
 * What a report claims to be signed whole, and what a signature was made over, as digests of canonical pieces: the document
 * element without its signatures, what a reference leads to, what stands in an Object. By libxml2 alone.
 */
#include "tests/soundness/soundness.h"

#include "base/xml.h"

#include <libxml/c14n.h>
#include <stdlib.h>
#include <string.h>

static bool
holds_properties(const xmlNode *object)
{
	for (const xmlNode *n = object->children; n != NULL; n = n->next)
		if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, "QualifyingProperties") == 0)
			return true;
	return false;
}

/* In the piece under apex: not in a signature inside it, but for data in its Objects. */
static int
in_piece(void *apex, xmlNodePtr node, xmlNodePtr parent)
{
	const xmlNode *n = node->type == XML_NAMESPACE_DECL ? parent : node, *below = NULL;

	for (; n != NULL; below = n, n = n->parent) {
		if (n == apex)
			return 1;
		if (n->type == XML_ELEMENT_NODE && xml_is(n, NS_DS, "Signature") &&
		    (below == NULL || below->type != XML_ELEMENT_NODE || !xml_is(below, NS_DS, "Object") || holds_properties(below)))
			return 0;
	}
	return 0;
}

static void
add_digest(struct pieces *p, struct slice octets)
{
	struct err e = {0};

	p->v = must(realloc(p->v, (p->n + 1) * sizeof(*p->v)));
	if (digest_sha256(octets, p->v[p->n++], &e) != ERR_OK)
		die("digest", e.text);
}

static void
add_piece(struct pieces *p, xmlDoc *doc, xmlNode *apex)
{
	xmlOutputBuffer *to = must(xmlAllocOutputBuffer(NULL));

	if (xmlC14NExecute(doc, in_piece, apex, XML_C14N_EXCLUSIVE_1_0, NULL, 0, to) >= 0)
		add_digest(p, slice_of(xmlOutputBufferGetContent(to), xmlOutputBufferGetSize(to)));
	else
		add_digest(p, slice_str("no canonical form"));
	xmlOutputBufferClose(to);
}

/* Each child of an Object is a piece; white space between elements is none. */
static void
add_content(struct pieces *p, xmlDoc *doc, const xmlNode *object)
{
	for (xmlNode *n = object->children; n != NULL; n = n->next) {
		if (n->type == XML_ELEMENT_NODE) {
			add_piece(p, doc, n);
		} else if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) {
			AUTO(buf) struct buf text = {0};

			/* neighbours are one text, comments between them or not */
			while (n != NULL && n->type != XML_ELEMENT_NODE) {
				if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE)
					buf_adds(&text, (const char *)n->content);
				if (n->next == NULL || n->next->type == XML_ELEMENT_NODE)
					break;
				n = n->next;
			}
			if (strspn(buf_str(&text), " \t\r\n") != text.n)
				add_digest(p, buf_slice(&text));
		}
	}
}

static void
add_objects(struct pieces *p, xmlDoc *doc, const xmlNode *signature)
{
	for (const xmlNode *n = signature->children; n != NULL; n = n->next)
		if (n->type == XML_ELEMENT_NODE && xml_is(n, NS_DS, "Object") && !holds_properties(n))
			add_content(p, doc, n);
}

void
pieces_claimed(struct sigdoc *d, const struct xsig *s, enum scope scope, struct pieces *out)
{
	if (scope == SCOPE_DOCUMENT)
		add_piece(out, d->dom, xmlDocGetRootElement(d->dom));
	else if (scope == SCOPE_OBJECTS)
		add_objects(out, d->dom, s->node);
}

static void
add_target(struct pieces *p, struct sigdoc *d, const struct xref *x)
{
	if (x->target != NULL && x->target->type == XML_ELEMENT_NODE) {
		add_piece(p, d->dom, x->target);
		if (xml_is(x->target, NS_DS, "Object"))
			add_content(p, d->dom, x->target);
	}
	for (size_t i = 0; i < x->n_entries; i++)
		add_target(p, d, &x->entries[i]);
}

void
pieces_signed(struct sigdoc *d, const struct xsig *s, struct pieces *out)
{
	add_piece(out, d->dom, xmlDocGetRootElement(d->dom));
	add_objects(out, d->dom, s->node);
	for (size_t i = 0; i < s->n_refs; i++)
		add_target(out, d, &s->refs[i]);
}

bool
pieces_within(const struct pieces *some, const struct pieces *all)
{
	for (size_t i = 0; i < some->n; i++) {
		size_t k = 0;

		while (k < all->n && memcmp(some->v[i], all->v[k], 32) != 0)
			k++;
		if (k == all->n)
			return false;
	}
	return true;
}
