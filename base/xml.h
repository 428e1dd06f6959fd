/* SPDX-License-Identifier: MIT */
/*
 * The one way from octets to a libxml2 tree, with every door shut: no DTD, no
 * entities but the five predefined, no network, no recovery, and caps that are
 * counted while parsing. The tree is what canonicalisation needs: white space
 * kept, CDATA kept as its own node, attributes normalised by the parser.
 *
 *	xml_init();                              // once, in main
 *	AUTO(xml_doc) xmlDocPtr doc = NULL;
 *	if (xml_load(raw, NULL, &doc, e) != ERR_OK)
 *		return err_wrap(e, "signature file");
 *
 * Keep the raw octets: a tree written out again is another document.
 */
#ifndef EVERSEAL_BASE_XML_H
#define EVERSEAL_BASE_XML_H

#include "base/bytes.h"

#include <libxml/tree.h>

/* 0 = the default in brackets. A value over the hard cap is cut to it. */
struct xml_limits {
	size_t max_bytes;      /* of the raw document [256 MiB, hard 1 GiB] */
	size_t max_depth;      /* nested elements [256, hard 1024: canonicalisation recurses] */
	size_t max_nodes;      /* elements, attributes, namespace declarations, texts, comments, PIs [4,000,000] */
	size_t max_attrs;      /* attributes and namespace declarations of one element [512] */
	size_t max_namespaces; /* namespace declarations in scope at one place [1024: each lookup walks them] */
	size_t max_name_bytes; /* an element's, attribute's or PI's name, prefix, namespace URI [4096] */
	size_t max_text_bytes; /* one text, CDATA, comment, PI or attribute value [256 MiB] */
};

/* libxml2 made ready, its printing to stderr turned off, its allocations watched. In main, before any thread; again does no harm. */
void xml_init(void);

/*
 * Parse. Encodings: UTF-8, UTF-16 with a byte order mark, US-ASCII, ISO-8859-x,
 * windows-125x. raw: borrowed for the call only. *out: written on ERR_OK, owned
 * by the caller (xmlFreeDoc, or AUTO(xml_doc)). limits may be NULL.
 * ERR_FORMAT not well-formed (with the line); ERR_LIMIT names the cap;
 * ERR_REFUSED a DOCTYPE, a foreign entity, an encoding outside the list, an XML
 * declaration of more than 512 characters;
 * ERR_NOMEM.
 */
MUST_USE enum err_code xml_load(struct slice raw, const struct xml_limits *limits, xmlDocPtr *out, struct err *e);
void xml_doc_auto(xmlDocPtr *doc);

/* As err_set, then libxml2's last error text of this thread, which is cleared. For calls on a tree (C14N, XPath). */
enum err_code xml_err(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/*
 * Walking. node may be NULL everywhere (then false, NULL, or nothing). ns NULL or
 * "" = no namespace; local NULL = any name and any namespace.
 */
bool xml_is(const xmlNode *node, const char *ns, const char *local);
/* First child element / next sibling element that xml_is. */
xmlNodePtr xml_first(const xmlNode *parent, const char *ns, const char *local);
xmlNodePtr xml_next(const xmlNode *node, const char *ns, const char *local);
/* How many child elements are xml_is. */
size_t xml_count(const xmlNode *parent, const char *ns, const char *local);
/* The one child of that name. ERR_FORMAT when there is none or more than one. */
MUST_USE enum err_code xml_only(
    const xmlNode *parent, const char *ns, const char *local, xmlNodePtr *out, struct err *e);
/* Next element in document order below root, depth first; NULL at the end. Start with node = root. No recursion. */
xmlNodePtr xml_walk(const xmlNode *root, const xmlNode *node);

/* Value of the attribute without a namespace / in one; NULL when absent, "" when empty. Borrowed from the tree. Trees of xml_load only. */
const char *xml_attr(const xmlNode *node, const char *local);
const char *xml_attr_ns(const xmlNode *node, const char *ns, const char *local);

/* Append the string value: all descendant text and CDATA in document order, comments and PIs left out. Any depth. */
void xml_text(const xmlNode *node, struct buf *out);
/* xml_text without white space at both ends, as a new string of at most max_bytes. ERR_LIMIT, ERR_NOMEM. Free with free(). */
MUST_USE enum err_code xml_text_dup(const xmlNode *node, size_t max_bytes, char **out, struct err *e);
/* xs:base64Binary content, decoded, appended to out. ERR_FORMAT. */
MUST_USE enum err_code xml_base64(const xmlNode *node, struct buf *out, struct err *e);

#endif
