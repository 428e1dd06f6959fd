/* SPDX-License-Identifier: MIT */
/* Private to the checker: what a line that holds has shown, and the walk over its premises. */
#ifndef EVERSEAL_VERIFY_PROOF_CHECK_INT_H
#define EVERSEAL_VERIFY_PROOF_CHECK_INT_H

#include "verify/cover.h"
#include "verify/proof/proof.h"

/* Facts of one line that holds. What a kind does not show is zero. */
struct fact {
	const struct cert *cert;      /* anchor, issued, good, signed, signer; of answers: whom it is about */
	const struct cert *signer;    /* answers */
	const struct anchor *anchor;  /* where the chain of an issued or good line ends */
	const struct revocation *rev; /* answers */
	const struct token *token;    /* imprint, stamp */
	size_t above;		      /* issued: the line of its issuer */
	int64_t this_update, next_update; /* answers */
	int64_t revoked_at;	      /* answers: TIME_MAX: it says good */
	bool own;		      /* answers: by the issuer itself or its delegate, who may release from a hold */
	struct cover cover;	      /* reference, imprint, stamp */
	enum digest_alg digest;	      /* reference, imprint, holds, signer */
	enum digest_alg held;	      /* signer: of the reference that holds the SignedProperties */
};

struct proof_checker {
	const struct proof_case *c;
	bool peer; /* a policy that mirrors EU DSS (docs/proof.md 10) */
	struct pool all; /* certificates and revocation data of the case */
	struct fact *facts;
	size_t n, cap;
	const struct proof *p; /* the line at hand is p->v[n] */
	size_t next;	       /* the premise that comes next */
	char why[240];
};

/* Says why, and is false. */
bool refuse(struct proof_checker *k, const char *fmt, ...) PRINTF(2, 3);
static inline const struct proof_line *
line_of(const struct proof_checker *k)
{
	return &k->p->v[k->n];
}
/* The next premise, which must be of that kind; *line is its line. NULL after refuse(). */
struct fact *premise(struct proof_checker *k, enum proof_kind kind, const struct proof_line **line);
/* The line that the next premise names; NULL: there is none. It stays the next. */
const struct proof_line *next_premise(const struct proof_checker *k);
bool premise_is(const struct proof_checker *k, enum proof_kind kind);
/* E(o) of a certificate, answer or token: takes the next premise if it is an exists line about it, else now. */
int64_t exists_octets(struct proof_checker *k, const uint8_t sha256[32]);
/* E(S): the same for a signature. */
int64_t exists_value(struct proof_checker *k, size_t sig);
bool alg_at(struct proof_checker *k, const struct alg_use *use, int64_t t, const char *what);
/* The line's own field says the same as what was computed. */
bool same_alg(struct proof_checker *k, const struct alg_use *use);
bool same_time(struct proof_checker *k, int64_t t);
enum check_level level_at(const struct proof_checker *k, enum check c, enum check_context ctx, enum cert_position pos);
/* The certificates from that line's up to the anchor. Their number, 0 after refuse(). */
size_t chain_of(struct proof_checker *k, size_t line, const struct cert *v[CHAIN_MAX], size_t lines[CHAIN_MAX]);

/* One rule each: the line at hand, its premises, the facts it shows (docs/proof.md 3 to 9). */
typedef bool line_rule(struct proof_checker *k, const struct proof_line *l, struct fact *f);
line_rule rule_anchor, rule_issued, rule_answers, rule_good;
line_rule rule_reference, rule_holds, rule_signed, rule_signer, rule_imprint, rule_stamp, rule_exists, rule_passed;

/* Nothing graver: the earliest revocation of c by anybody entitled. */
struct gravest {
	int64_t revoked_at; /* or on hold; TIME_MAX: never */
	int64_t stolen_at;  /* the same, but for superseded, cessation and affiliation, which tell of no stolen key */
	size_t about;	    /* objects that speak of c at all */
};
void gravest_of(struct proof_checker *k, const struct cert *const *chain, size_t n, size_t i, int64_t knows, struct gravest *out);

#endif
