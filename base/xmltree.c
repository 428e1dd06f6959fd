/* SPDX-License-Identifier: MIT */
/* Walking a tree that xml_load made. Nothing here recurses. */
#include "base/xml.h"

#include <string.h>

static bool
same(const xmlChar *have, const char *want)
{
	return want == NULL || *want == '\0' ? have == NULL || *have == '\0'
					     : have != NULL && strcmp((const char *)have, want) == 0;
}

bool
xml_is(const xmlNode *node, const char *ns, const char *local)
{
	if (node == NULL || node->type != XML_ELEMENT_NODE)
		return false;
	return local == NULL ||
	       (strcmp((const char *)node->name, local) == 0 && same(node->ns != NULL ? node->ns->href : NULL, ns));
}

static xmlNodePtr
at_or_after(xmlNodePtr node, const char *ns, const char *local)
{
	while (node != NULL && !xml_is(node, ns, local))
		node = node->next;
	return node;
}

xmlNodePtr
xml_first(const xmlNode *parent, const char *ns, const char *local)
{
	return parent == NULL || parent->type != XML_ELEMENT_NODE ? NULL : at_or_after(parent->children, ns, local);
}

xmlNodePtr
xml_next(const xmlNode *node, const char *ns, const char *local)
{
	return node == NULL ? NULL : at_or_after(node->next, ns, local);
}

size_t
xml_count(const xmlNode *parent, const char *ns, const char *local)
{
	size_t n = 0;

	for (const xmlNode *c = xml_first(parent, ns, local); c != NULL; c = xml_next(c, ns, local))
		n++;
	return n;
}

enum err_code
xml_only(const xmlNode *parent, const char *ns, const char *local, xmlNodePtr *out, struct err *e)
{
	xmlNodePtr c = xml_first(parent, ns, local);

	if (c == NULL)
		return err_set(e, ERR_FORMAT, "no element %s", local);
	if (xml_next(c, ns, local) != NULL)
		return err_set(e, ERR_FORMAT, "line %ld: more than one element %s", xmlGetLineNo(c), local);
	*out = c;
	return ERR_OK;
}

/* The node after this one in document order, below root; its children first if down says so. */
static xmlNodePtr
step(const xmlNode *root, const xmlNode *node, bool down)
{
	if (down && node->type == XML_ELEMENT_NODE && node->children != NULL)
		return node->children;
	while (node != root && node->next == NULL)
		node = node->parent;
	return node == root ? NULL : node->next;
}

xmlNodePtr
xml_walk(const xmlNode *root, const xmlNode *node)
{
	xmlNodePtr n;

	if (root == NULL || node == NULL)
		return NULL;
	for (n = step(root, node, true); n != NULL && n->type != XML_ELEMENT_NODE; n = step(root, n, true))
		;
	return n;
}

/* xml_load's trees hold one text node in an attribute, or none: there are no entity references. */
const char *
xml_attr_ns(const xmlNode *node, const char *ns, const char *local)
{
	if (node == NULL || node->type != XML_ELEMENT_NODE)
		return NULL;
	for (const xmlAttr *a = node->properties; a != NULL; a = a->next)
		if (strcmp((const char *)a->name, local) == 0 && same(a->ns != NULL ? a->ns->href : NULL, ns))
			return a->children != NULL ? (const char *)a->children->content : "";
	return NULL;
}

const char *
xml_attr(const xmlNode *node, const char *local)
{
	return xml_attr_ns(node, NULL, local);
}

void
xml_text(const xmlNode *node, struct buf *out)
{
	for (const xmlNode *n = node; n != NULL; n = step(node, n, true))
		if ((n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) && n->content != NULL)
			buf_adds(out, (const char *)n->content);
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum err_code
xml_text_dup(const xmlNode *node, size_t max_bytes, char **out, struct err *e)
{
	AUTO(buf) struct buf b = {0};
	size_t from = 0;

	xml_text(node, &b);
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "text");
	while (b.n > 0 && blank(b.p[b.n - 1]))
		b.n--;
	while (from < b.n && blank(b.p[from]))
		from++;
	if (b.n - from > max_bytes)
		return err_set(e, ERR_LIMIT, "a text of %zu octets, at most %zu", b.n - from, max_bytes);
	*out = mem_dup(b.p != NULL ? b.p + from : (const uint8_t *)"", b.n - from);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
xml_base64(const xmlNode *node, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};

	xml_text(node, &b);
	if (buf_ok(&b, e) != ERR_OK || base64_to(buf_slice(&b), out, e) != ERR_OK)
		return err_wrap(e, "base64 in %s", node != NULL ? (const char *)node->name : "nothing");
	return ERR_OK;
}
