/* SPDX-License-Identifier: MIT */
/*
 * A derivation as data: lines and what they rest on (docs/proof.md 1). Whoever makes one is not believed; verify/proof/
 * checks it.
 *
 *	proof_add a line, proof_rest for each of its premises, in the order of docs/proof.md
 */
#ifndef EVERSEAL_VERIFY_DERIVATION_H
#define EVERSEAL_VERIFY_DERIVATION_H

#include "base/json.h"
#include "policy/policy.h"

enum proof_kind {
	PROOF_NOTHING = 0, /* refused wherever it stands */
	PROOF_INPUT,
	PROOF_ANCHOR,
	PROOF_ISSUED,
	PROOF_ANSWERS,
	PROOF_GOOD,
	PROOF_REFERENCE,
	PROOF_HOLDS,
	PROOF_SIGNED,
	PROOF_SIGNER,
	PROOF_IMPRINT,
	PROOF_STAMP,
	PROOF_EXISTS,
	PROOF_PASSED,
	PROOF_KINDS
};
const char *proof_kind_name(enum proof_kind k); /* the word of docs/proof.md 1 */

/* How an exists line finds its object (docs/proof.md 8). */
enum proof_place {
	PLACE_NOWHERE = 0,
	PLACE_VALUE,	   /* the SignatureValue of sig */
	PLACE_TOKEN,	   /* the token of stamp `at` of sig */
	PLACE_EMBEDDED,	   /* embedded object `at` of sig */
	PLACE_IN_RESPONSE, /* a certificate in the OCSP response that is embedded object `at` of sig */
	PLACE_IN_TOKEN,	   /* a certificate or revocation object in the token of stamp `at` of sig, or in an OCSP response there */
	PLACE_REF,	   /* what ref_objects[at] of sig names by its digest */
	PLACE_SIGNER,	   /* the certificate that the SignedProperties of sig name */
	PLACE_OUTSIDE,	   /* known proof: this object, or the whole file with all in it */
	PLACES
};
const char *proof_place_name(enum proof_place p);

#define PROOF_NO_ENTRY SIZE_MAX

/* Fields that a kind does not use are zero; entry is PROOF_NO_ENTRY then. */
struct proof_line {
	enum proof_kind kind;
	enum proof_place place; /* EXISTS */
	enum check_context ctx; /* GOOD: what the certificate is relied on for */
	unsigned role;		/* ANCHOR, GOOD: ROLE_SIGNER or ROLE_TSA, the side of the case it serves */
	size_t sig, at, entry;	/* signature; reference, stamp or embedded object of it; entry of a Manifest */
	uint8_t object[32];	/* SHA-256 of the certificate, answer, token or document */
	uint8_t by[32];		/* ANSWERS: the certificate it is about */
	int64_t time;		/* E(object) in ISSUED and ANSWERS; t in GOOD, STAMP, EXISTS, PASSED; now in INPUT */
	struct alg_use alg;	/* what signed the object, or digested it; zero elsewhere */
	size_t first, n;	/* premises: rests[first] .. of the proof */
};

struct proof {
	struct proof_line *v;
	size_t n, cap;
	size_t *rests;
	size_t n_rests, cap_rests;
};
enum { PROOF_LINES_MAX = 20000, PROOF_RESTS_MAX = 200000 };
/* False: no memory, or a limit is reached. rests are those of the last line. */
bool proof_add(struct proof *p, const struct proof_line *line);
bool proof_rest(struct proof *p, size_t line);
void proof_cut(struct proof *p, size_t n); /* back to the first n lines */
void proof_release(struct proof *p);
/*
 * The form of line i, whatever it claims: a known kind, input first and nowhere else, premises that are earlier lines, no field
 * that its kind has not, no conclusion drawn twice. NULL, or static text.
 */
const char *proof_line_fault(const struct proof *p, size_t i);
/* The first line on which nothing rests and that is no conclusion (passed, stamp, input); p->n: there is none. */
size_t proof_idle(const struct proof *p);
bool alg_same(const struct alg_use *a, const struct alg_use *b);
/* Array of lines as docs/report.md has them. New reference. */
MUST_USE enum err_code derivation_json(const struct proof *p, json_t **out, struct err *e);

#endif
