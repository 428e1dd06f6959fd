/* SPDX-License-Identifier: MIT */
/*
 * Which signature is upgraded how (ARCHITECTURE.md): one table, one function.
 *
 *	upgrade_facts -> upgradable
 *
 * Facts come from the opened document and its report; the decision knows
 * nothing else, so that the table is its own test.
 */
#ifndef EVERSEAL_ARCHIVER_UPGRADE_H
#define EVERSEAL_ARCHIVER_UPGRADE_H

#include "verify/verify.h"

enum upgrade_path {
	UPGRADE_NONE = 0, /* nothing is inserted: evidence record over the file */
	UPGRADE_STAMP,	  /* at most one SignatureTimeStamp, then it waits to be judged again */
	UPGRADE_CONTINUE, /* its own form goes on */
	UPGRADE_EXTENDED, /* the profile's form, extended or baseline */
};
const char *upgrade_path_name(enum upgrade_path p);

/* All-zero is a signature that nothing is known of: it is left alone. */
struct upgrade_facts {
	enum xades_version version;
	struct verdict verdict;
	bool intact;		  /* signature value and every reference that was found */
	bool anchored;		  /* a chain to an anchor */
	bool issuer_sought;	  /* none yet, but its issuer can be fetched and may lead to one */
	bool counter;		  /* a counter-signature */
	bool master_archived;	  /* one of its masters has an ArchiveTimeStamp */
	long covered_by;	  /* signature that insertion here would break, -1 none */
	bool nested;		  /* inside a signed payload */
	bool dossier;		  /* in an e-akta */
	bool sealed;		  /* evidence record inside */
	bool digest_only;	  /* data known by digest alone */
	bool data_missing;	  /* a reference without its data */
	bool begun;		  /* refs, values or archive stamps stand already */
	bool stamped;		  /* a SignatureTimeStamp that may be relied on */
	char insertion_fault[160]; /* "", or why nothing can be inserted (self-closed container, encoding) */
};

struct upgrade {
	enum upgrade_path path;
	const char *row; /* stable name of the table's row */
	const char *reason;
	bool stamp_needed; /* a SignatureTimeStamp comes first */
};

/* The table. Always gives a row. reason may point into f. */
void upgradable(const struct upgrade_facts *f, struct upgrade *out);

/*
 * Gather the facts of every signature. d: opened from the octets that r judged, with the same side files; its signatures and the
 * report's are the same in number and order (ERR_BUG). out: array of d->n_sigs.
 */
MUST_USE enum err_code upgrade_facts_of(
    struct sigdoc *d, const struct report *r, struct upgrade_facts *out, struct err *e);

/*
 * cover.c: covered_by for every signature, by trial: an element is inserted into each one's unsigned properties and all others are
 * checked. out: array of d->n_sigs, -1 where nothing else breaks. ERR_LIMIT: more than COVER_MAX signatures.
 */
#define COVER_MAX 64
MUST_USE enum err_code cover_find(struct sigdoc *d, long *out, struct err *e);

#endif
