/* SPDX-License-Identifier: MIT */
/* What the changes to a document share. */
#ifndef EVERSEAL_TESTS_SOUNDNESS_MUTATE_H
#define EVERSEAL_TESTS_SOUNDNESS_MUTATE_H

#include "base/xml.h"
#include "tests/soundness/soundness.h"

/* One mutant in the making. */
struct making {
	struct rng *r;
	xmlDoc *doc;
	const struct seed *of, *donor; /* donor may be NULL */
	struct mutant *out;
	struct slice *ders; /* of the original's and the donor's */
	size_t n_ders;
};

/* A change says in out->changes what it did; false: it found nothing to do it to. */
struct change_row {
	const char *kind;
	unsigned weight;
	bool (*how)(struct making *m);
};
extern const struct change_row CHANGES_TREE[], CHANGES_SIGNATURE[], CHANGES_OCTETS[]; /* each ends with a NULL kind */

typedef bool picker(const xmlNode *n);
bool is_any(const xmlNode *n);
/* One of doc's elements that is so, each as likely; NULL for none. Not the root unless root is set. */
xmlNode *pick(struct making *m, xmlDoc *doc, picker *is, bool root);
void said(struct making *m, const char *what, const xmlNode *n);
/* A copy for m->doc. */
xmlNode *copy_of(struct making *m, xmlNode *n);
/* New element in ns, given a prefix of its own where none is in scope. */
xmlNode *element(xmlNode *parent, const char *ns, const char *name);
void put_before(xmlNode *at, xmlNode *n);
bool is_below(const xmlNode *n, const xmlNode *apex);
const char *name_of(const xmlNode *n);
/* A value that an attribute of this name has somewhere in the two documents, or a constant. Free with xmlFree. */
xmlChar *some_value(struct making *m, const char *attribute);
bool holds_der(const xmlNode *n);
void set_base64(xmlNode *n, struct slice octets);
/* The element that "#x" or an XPointer of it leads to, by the first Id of that value; NULL. */
xmlNode *led_to(xmlDoc *doc, const xmlChar *uri);

#endif
