/* SPDX-License-Identifier: MIT */
/* Parts of describe_signature (extent.c). Private to this folder. */
#ifndef EVERSEAL_VERIFY_EXTENT_H
#define EVERSEAL_VERIFY_EXTENT_H

#include "verify/cover.h"
#include "verify/xades_int.h"

/* What says something to a reader, or to the program that shows it: an element, an instruction, text that is not blank. */
bool is_content(const xmlNode *n);
/* Is anything in s itself data, not what the reader reads to check it? Remembered. */
bool has_own_data(const struct sigdoc *d, const struct xsig *s);
/* Does the cover have all of those data, or anything of them? An Object's own tags and attributes only name. */
bool holds_own_data(const struct cover *c, const struct xsig *s);
bool touches_own_data(const struct cover *c, const struct xsig *s);

/* A namespace declaration in scope that a value goes by, and that the exclusive method left out as no name uses it. */
struct unbound {
	const xmlNode *element; /* that bears it */
	const xmlNs *ns;
};
#define UNBOUND_MAX 32
/* Is an exclusive canonical form (Exclusive XML Canonicalization 1.0) made on the way of x? Others write all that is in scope. */
bool is_exclusive(const struct xref *x);
/*
 * Those that values below at go by: attributes and text in c with "prefix:" in them. Each lookup adds to *steps; false: beyond
 * max, or more than UNBOUND_MAX prefixes, and it is not known.
 */
bool unbound_find(const struct xref *x, const struct cover *c, const xmlNode *at, uint64_t *steps, uint64_t max,
    struct unbound v[UNBOUND_MAX], size_t *n);

#endif
