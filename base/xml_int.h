/* SPDX-License-Identifier: MIT */
/* Between xmlraw.c and charset.c (octets) and xml.c (parser). */
#ifndef EVERSEAL_BASE_XML_INT_H
#define EVERSEAL_BASE_XML_INT_H

#include "base/xml.h"

/* A single-octet encoding: the characters of octets 0x80 to 0xff, 0 where there is none. Below is ASCII in all of them. */
struct charset {
	uint16_t upper[128];
};
/* US-ASCII, ISO-8859-x, windows-125x in their usual spellings; NULL for any other name. */
const struct charset *charset_find(const char *name);
/*
 * As many octets as fit, at least one for each 3 of room; in moves behind them. Stops before an octet without a
 * character. Returns how many octets of UTF-8 were written.
 */
size_t charset_to_utf8(const struct charset *set, struct slice *in, uint8_t *to, size_t room);

/* How a document is to be read. */
struct encoding {
	char name[64];		   /* as declared; "" without a declaration */
	const struct charset *set; /* NULL: UTF-8 or UTF-16, which libxml2 reads itself */
};

/* max: all fields filled in. ERR_REFUSED the encoding, ERR_LIMIT attributes of an element, ERR_FORMAT a zero character, '<' inside a tag. */
MUST_USE enum err_code xml_check_raw(
    struct slice raw, const struct xml_limits *max, struct encoding *out, struct err *e);

#endif
