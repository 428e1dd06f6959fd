/* SPDX-License-Identifier: MIT */
/* What a file is, by its octets: decides who judges it, which row of the upgrade table it falls under, and what a refusal calls it. */
#ifndef EVERSEAL_BASE_FORM_H
#define EVERSEAL_BASE_FORM_H

#include "base/bytes.h"

enum form { FORM_DATA = 0, FORM_XADES, FORM_XMLDSIG, FORM_ASIC, FORM_E_AKTA, FORM_XML, FORM_PDF, FORM_CMS };
/* "data", "xades", "xmldsig", "asic", "e-akta", "xml", "pdf", "cms" */
const char *form_name(enum form f);
bool form_by_name(const char *name, enum form *out);

/*
 * From the octets alone. FORM_XML: text that begins like XML, parsed by nobody yet; the opened document tells XAdES, XML-DSig and
 * e-akta apart. head may be the first octets of a larger file: then an archive without a mimetype member is FORM_DATA.
 */
enum form form_sniff(struct slice head);
/* The same from the first octets (1024 do) of a file that goes on unless whole. False: the rest of it would decide. */
bool form_of_head(struct slice head, bool whole, enum form *out);
/* A ZIP archive of whatever kind? */
bool form_is_zip(struct slice head);
/* Does the namespace of XML signatures stand in it? Of files of any size; nothing is parsed. */
MUST_USE enum err_code form_names_xmldsig(const struct source *s, bool *found, struct err *e);

#endif
