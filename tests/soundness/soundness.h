/* SPDX-License-Identifier: MIT */
/*
 * The campaigns against the judge (docs/soundness.md): documents with known
 * makers are mutated, and nothing may pass that they did not sign and stamp.
 *
 *	seeds_load -> mutate -> judge -> truth_broken (which rule a verdict breaks)
 */
#ifndef EVERSEAL_TESTS_SOUNDNESS_H
#define EVERSEAL_TESTS_SOUNDNESS_H

#include "base/bytes.h"
#include "verify/verify.h"

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

void die(const char *what, const char *why) __attribute__((noreturn));
void *must(void *p); /* not NULL */

/* ---- chance, from a seed: the same number gives the same mutant ---- */
struct rng {
	uint64_t state;
};
struct rng rng_of(uint64_t seed, uint64_t number);
uint64_t rng_next(struct rng *r);
size_t rng_below(struct rng *r, size_t n); /* 0 .. n-1; 0 of none */
bool rng_one_in(struct rng *r, size_t n);

/* ---- files beside a document ---- */
#define SIDES_MAX 8
struct sides {
	char *names[SIDES_MAX];
	struct buf octets[SIDES_MAX];
	size_t n;
};
void sides_copy(struct sides *to, const struct sides *from);
void sides_release(struct sides *s);

/* ---- what was really signed and stamped ---- */

/* SHA-256 of canonical pieces of a document. */
struct pieces {
	uint8_t (*v)[32];
	size_t n;
};
void pieces_claimed(struct sigdoc *d, const struct xsig *s, enum scope scope, struct pieces *out);
void pieces_signed(struct sigdoc *d, const struct xsig *s, struct pieces *out);
bool pieces_within(const struct pieces *some, const struct pieces *all);

/* One signature as its makers left it; two are the same one when octets, value and signer are. */
struct fact {
	uint8_t octets[32];    /* SHA-256 of what the value is over, by libxml2's own canonical form */
	uint8_t value[32];     /* of SignatureValue's octets */
	uint8_t signer[32];    /* certificate */
	uint8_t covered[32];   /* of the octets that its references and Manifests cover; of one that passed */
	int64_t claimed, best; /* signing time as signed; best signature time */
	size_t n_refs;
	bool known;  /* octets and value could be read */
	bool passed; /* TOTAL-PASSED */
	bool altered; /* fails because a reference has another digest */
	struct pieces claimed_whole, made_over; /* of one that passed: what the report calls signed whole; what it was made over */
	bool unproven; /* the checker refused what the judge passed */
	char gap[120]; /* its words */
	const char *level;
};
/* A stamp that passed: who stamped, when, over what. */
struct stamp_fact {
	uint8_t what[32];
	int64_t time;
};
struct truth {
	struct fact *facts;
	size_t n_facts;
	struct stamp_fact *stamps; /* passed ones */
	size_t n_stamps;
	bool validated;
};
void truth_release(struct truth *t);

/* ---- seeds ---- */
/* libxmlsec of the signatures that passed. */
struct second_opinion {
	size_t asked, agreed, could_not;
	char disagreed[256], why_not[256]; /* "" = never; its last words */
};
struct seed {
	char *name;
	struct buf octets;
	xmlDoc *dom;
	struct sides sides;
	char *trust, *policy_name; /* words of its row */
	struct anchors *anchors;
	struct vpolicy policy;
	int64_t at;
	struct slice *ders; /* of each certificate, CRL, answer and token that it embeds */
	size_t n_ders;
	struct material *own; /* every certificate and answer in it, tokens' too */
	struct truth alone, with_own;
	struct second_opinion opinion; /* of alone */
	bool passes; /* some signature, without or with its own material beside */
};
struct seeds {
	struct seed *v;
	size_t n;
	struct catalogue *catalogue;
};
/* Rows of tables ("," between): name, file, files beside it (";" between), folder of anchors, time, policy. Judges each. only: part of a name, or NULL. */
void seeds_load(struct seeds *s, const char *tables, const char *only);

/* ---- mutants ---- */
struct mutant {
	struct buf doc;
	struct sides sides;
	const char *kind;     /* of its first change */
	struct buf changes;   /* in words */
	const struct seed *donor; /* NULL: none was used */
	bool beside;	      /* judged with the original's material beside */
	bool altered;	      /* signed data was changed, and nothing else */
};
size_t mutation_kinds(void);
const char *mutation_kind(size_t i);
/* All from r: which changes, where. False: nothing could be changed. */
bool mutate(struct rng *r, const struct seed *of, const struct seed *donor, struct mutant *out);
void mutant_release(struct mutant *m);

/* The original's tree, looked through once: its ders. */
void seed_ders(struct seed *s);
/* DER: one node changed; others: the DER that nodes may be taken from. */
void der_mutate(struct rng *r, struct slice in, const struct slice *others, size_t n_others, struct buf *out, struct buf *told);

/* ---- judging ---- */
struct material *material_of(struct slice doc); /* everything embedded that reads as a certificate, a CRL or an OCSP response */
void material_join(struct material *to, const struct material *from);
/* v: of this process. The report is judged and turned into facts. xmlsec: how libxmlsec's word compares, or NULL. */
void judge(struct verifier *v, const struct seed *frame, struct slice doc, const struct sides *sides, const struct material *beside,
    struct truth *out, struct second_opinion *xmlsec);
/* Which rule of docs/soundness.md the mutant's verdict breaks, in words; "" for none. */
void truth_broken(struct verifier *v, const struct seed *of, const struct mutant *m, const struct truth *got, char *why, size_t n);

/* ---- xmlsec.c; without libxmlsec at build time: could_not ---- */
enum opinion { OPINION_NONE = 0, OPINION_RIGHT, OPINION_WRONG };
void xmlsec_start(void);
/* Value and references of the nth ds:Signature of doc (document order), with the key of that certificate. */
enum opinion xmlsec_opinion(struct slice doc, size_t nth, struct slice cert_der, const struct sides *sides, char *said, size_t n);
bool xmlsec_there(void);

#endif
