/* SPDX-License-Identifier: MIT */
/* Private to the derive_*.c: a derivation being made, line by line, each shown to a checker at once. */
#ifndef EVERSEAL_VERIFY_DERIVE_INT_H
#define EVERSEAL_VERIFY_DERIVE_INT_H

#include "verify/derive.h"
#include "verify/proof/check_int.h"

#include <stdlib.h>
#include <string.h>

enum { NO_LINE = -1, NESTED_MAX = 4 /* who vouches for whom, in a row */ };

/* Since when an object is proven, and by which stamp in which place. */
struct proven {
	struct proof_line line; /* the exists line to come */
	long stamp, via;	/* its premises; via: the index of a reference of line.sig, NO_LINE without */
	struct proven *next;
};
enum { BUCKETS = 1024 };

struct prover {
	struct judge *j;
	struct proof_case c;
	struct proof *p;
	struct proof_checker *k;
	struct proven *learned[BUCKETS];
	unsigned depth;
	char why[240]; /* of the last refusal */
};

/* Premises while a line is put together; only a signature of many references has more than a few, and frees them. */
struct rests {
	size_t v[64], n;
	size_t *more, cap;
	bool lost;
};
enum { FEW = 64 };

static inline struct proof_line
line_new(enum proof_kind kind)
{
	return (struct proof_line){.kind = kind, .entry = PROOF_NO_ENTRY};
}

/* ---- derive_line.c: lines, and since when things exist ---- */
void derive_rest(struct rests *r, long line); /* one more premise; NO_LINE adds none */
bool derive_need(struct rests *r, long line); /* the same, and false for NO_LINE: why says what is missing then */
/* The number of a line that holds, as it stands already or new; NO_LINE: refused, why says by which rule. */
long derive_line(struct prover *w, const struct proof_line *l, const struct rests *r);
void derive_cut(struct prover *w, size_t n); /* back to the first n lines */
/* The exists line about octets, or about a signature, and E; NO_LINE and now without one. */
long derive_exists(struct prover *w, const uint8_t sha256[32], int64_t *t);
long derive_exists_value(struct prover *w, size_t sig, int64_t *t);
/* From here on l is what proves its object, if nothing proves it earlier. */
void derive_learn(struct prover *w, const struct proof_line *l, long stamp, long via);
void derive_forget(struct prover *w);

/* ---- derive_cert.c ---- */
long derive_cert(struct prover *w, const struct xcv *x, int64_t t); /* good at t, by the first chain that holds */

/* ---- derive_sig.c, derive_stamp.c ---- */
long derive_reference(struct prover *w, const struct jsig *g, size_t ref, size_t entry);
long derive_signer(struct prover *w, const struct jsig *g, const struct cert *c);
long derive_signed(struct prover *w, const struct jsig *g);
bool derive_signature(struct prover *w, const struct jsig *g);
/* g NULL: a token by itself. What the stamp proves is learned. */
bool derive_stamp(struct prover *w, const struct jsig *g, const struct jstamp *t);
void derive_outside(struct prover *w); /* learn what the caller vouches for */

#endif
