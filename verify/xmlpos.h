/* SPDX-License-Identifier: MIT */
/*
 * Positions of elements in the raw octets of a file (design 7). Private to this
 * folder.
 *
 * A scanner of our own: without DTDs, tags, quotes, comments, CDATA and PIs are
 * all there is. libxml2 can't tell: its octet counts were wrong in a third of
 * the files that are not UTF-8, and quadratic.
 */
#ifndef EVERSEAL_VERIFY_XMLPOS_H
#define EVERSEAL_VERIFY_XMLPOS_H

#include "base/bytes.h"

#include <libxml/tree.h>

struct xmlpos {
	const xmlNode *node;	      /* wanted: set by the caller */
	uint64_t start, start_end;    /* octets of its start tag: [start, start_end) */
	uint64_t end, end_end;	      /* of its end tag; both start_end when self-closed */
	bool self_closed;
};

/*
 * Fill the positions of want[0..n), elements of dom, which was parsed from raw; sorts want. The whole file is scanned: its i-th start
 * tag must bear the name of the i-th element of dom and stand in the same parent, or ERR_UNSUPPORTED and nothing may be
 * inserted.
 */
MUST_USE enum err_code xmlpos_find(struct slice raw, const xmlDoc *dom, struct xmlpos *want, size_t n, struct err *e);
/* The one of this node, after xmlpos_find; NULL if it was not asked for. */
struct xmlpos *xmlpos_of(struct xmlpos *want, size_t n, const xmlNode *node);
/* "UTF-8", "UTF-16LE", "UTF-16BE", or the declared single-octet encoding. dom: of xml_load, which knows no others. */
const char *xmlpos_encoding(struct slice raw, const xmlDoc *dom);

#endif
