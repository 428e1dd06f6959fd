/* SPDX-License-Identifier: MIT */
/* A case: everything that a derivation is checked against. */
#ifndef EVERSEAL_VERIFY_CASE_H
#define EVERSEAL_VERIFY_CASE_H

#include "verify/verify.h"

/* What is judged. Everything is borrowed. */
struct proof_case {
	struct sigdoc *doc; /* NULL: a token by itself */
	struct slice octets; /* of the document, or of the token */
	struct pki *pki;
	const struct material *material;
	const struct anchors *anchors;
	const struct vpolicy *policy;
	int64_t now_utc;
	const struct known_poe *poes;
	size_t n_poes;
};
/* The fields of line 0 for a case. False: something could not be digested. */
bool proof_input(const struct proof_case *c, struct proof_line *out);
/*
 * All certificates and revocation data of the case: the document's, its tokens', the material's. Octets that can't be read are
 * left out. all: the caller releases it, whatever the answer. False: no memory.
 */
MUST_USE bool case_objects(const struct proof_case *c, struct pool *all);

#endif
