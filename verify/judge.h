/* SPDX-License-Identifier: MIT */
/*
 * Private to the judge: one document under judgement, and the building blocks
 * of EN 319 102-1 as the files judge_*.c share them.
 *
 * Trouble (no memory) is sticky in struct judge: blocks go on with what they
 * have and verify_document asks once, at the end. A verdict is never trouble.
 */
#ifndef EVERSEAL_VERIFY_JUDGE_H
#define EVERSEAL_VERIFY_JUDGE_H

#include "verify/verify.h"

/* Whose chain: decides which anchors count. A responder inherits the line of the certificate it speaks of. */
enum line { LINE_SIGNER = 0, LINE_TSA, LINES };

enum acc_state { ACC_NEW = 0, ACC_BUSY /* being judged: a circle, no data */, ACC_YES, ACC_NO };
struct acceptance {
	enum acc_state state;
	const char *why; /* ACC_NO: static text */
};

/* What is known of one certificate under one issuer; answers newest production first. */
struct answers {
	const struct cert *cert, *issuer;
	struct rev_answer *v;
	struct acceptance *acc[LINES];
	size_t n;
	struct answers *next;
};

struct findings {
	struct finding *v;
	size_t n, cap;
};

/* One certificate of a chain, below the anchor, at the validation time. Each verdict is its own: one may be mended, the others stay. */
struct chain_link {
	const struct rev_answer *rev; /* the selected one */
	int64_t revoked_at;	      /* or on hold since; TIME_NONE */
	struct verdict revocation, signature /* how it and its data are signed */, bounds;
	struct verdict freshness; /* judged behind all others of the whole chain: newer data mends nothing else */
};

/* X.509 certificate validation (5.2.6) at the validation time, of one certificate in one context. */
struct xcv {
	const struct cert *cert;
	enum check_context ctx;
	enum line line;
	struct chain *chains;
	size_t n_chains;
	struct chain partial;	   /* without an anchor: the longest way up */
	const struct chain *chain; /* the verdict is about this one; NULL = none to an anchor */
	struct verdict v;
	bool revocation_missing; /* a certificate of the chain lacks data where the policy demands it (for 5.5) */
	struct chain_link at[CHAIN_MAX];
	struct verdict form; /* of the chain, whatever the time: RFC 5280 6.1, and what its end may do */
	struct findings f;
	struct xcv *next;
};

/* May this revocation issuer be believed? One row for each certificate and line. */
struct issuer_trust {
	const struct cert *cert;
	enum line line;
	enum acc_state state;
	const char *why;
	int64_t revoked_at; /* it or one above it was revoked then; TIME_MAX = not. What it signed before still counts, unless */
	bool compromised;   /* its key was stolen */
	bool stale;	    /* what is known of its chain ended before the validation time, and the policy minds */
	struct chain chain; /* the one that it is believed by */
	struct issuer_trust *next;
};

struct poe_row {
	uint8_t key[32];
	int64_t time_utc;
};
/* Rows in the order first proven; slots finds them by key (open addressing, 0 = free, else row + 1). */
struct poe {
	struct poe_row *v;
	size_t n, cap;
	size_t *slots, n_slots;
	const struct poe *outer; /* of the signature that this one countersigns: its proofs count too; NULL = none */
};

/* One signature or time-stamp as the past-validation blocks see it. */
struct subject {
	struct xcv *x;
	uint8_t key[32]; /* in the table of proofs */
	struct alg_use *own;
	size_t n_own, cap_own;
};

struct jstamp {
	struct xstamp *xs;
	struct report_stamp *r;
	const struct token *tok;
	struct token_signer signer;
	struct subject sub;
	struct verdict cv; /* imprint and token signature */
	bool misnamed;	   /* the tsa field names another, and the policy minds */
};

struct jsig {
	struct xsig *s;
	struct report_signature *r;
	const struct cert *cert; /* NULL = not found */
	struct verdict isc;
	struct subject sub;
	struct verdict cv, sav; /* sav: without cryptography */
	bool order_fails;	/* its time-stamps contradict their kinds, and the policy minds */
	const char *lacks;	/* a reference that ought to be there: static text */
	struct jstamp *stamps;
	size_t n_stamps;
	struct poe poe;
	int64_t bst; /* of the long-term step */
	/* What its embedded objects and references are, found out once: a hostile file may hold thousands, and as many stamps. */
	struct known {
		uint8_t key[32];
		const struct revocation *rev; /* NULL: a certificate, or unreadable */
		bool found;
	} *embedded, *refs;
};

struct judge {
	struct verifier *v;
	struct pki *pki;
	const struct verify_input *in;
	const struct vpolicy *pol;
	bool peer; /* a policy that mirrors EU DSS: its quirks apply (validation.md 7) */
	int64_t now; /* the validation time */
	struct sigdoc *doc;
	bool own_doc;
	struct pool pool;
	struct digest *cert_digests[DIGEST_ALGS], *rev_digests[DIGEST_ALGS]; /* of the pool's objects, made when first asked for */
	size_t n_doc_certs, n_doc_revs; /* the pool's first ones come from the document itself */
	struct answers *answers;
	struct xcv *xcvs;
	struct issuer_trust *trusts;
	struct report *report;
	struct jsig *sigs;
	size_t n_sigs;
	struct thing *things; /* poe.c: what in the file may be proven, in document order */
	size_t n_things;
	size_t cap_wants;
	uint64_t gap_nodes; /* looked at, for what references leave out (extent.c) */
	size_t gap_paths;   /* listed of it */
	struct findings *f; /* where findings go just now */
	enum err_code broke;
	struct err err;
};

struct verifier {
	struct pki *pki;
};

/* ---- judge.c ---- */
void judge_broke(struct judge *j, const struct err *e); /* remember the first trouble */
void judge_nomem(struct judge *j);
struct verdict verdict_of(enum indication i, enum subindication s);
static inline struct verdict
passed(void)
{
	return verdict_of(IND_PASSED, SUB_NONE);
}
static inline struct verdict
open_verdict(enum subindication s)
{
	return verdict_of(IND_INDETERMINATE, s);
}
static inline struct verdict
failed(enum subindication s)
{
	return verdict_of(IND_FAILED, s);
}
bool verdict_is(struct verdict v, enum subindication s); /* INDETERMINATE with s */
bool alg_good(const struct judge *j, const struct alg_use *use, int64_t t);
/* First second that use is not good at under this policy, seen from t; TIME_MAX = good at t. */
int64_t alg_end(const struct judge *j, const struct alg_use *use, int64_t t);
void subject_uses(struct judge *j, struct subject *s, const struct alg_use *use);
/* NULL, or the first algorithm of its own that is not good at t. */
const struct alg_use *subject_weak(const struct judge *j, const struct subject *s, int64_t t);
enum check_level level_of(const struct judge *j, enum check c, enum check_context ctx, enum cert_position pos);

/* ---- findings (report.c) ---- */
void find_add(struct judge *j, unsigned depth, enum finding_status st, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, ...) PRINTF(8, 9);
/* FIND_FAIL, FIND_WARN, FIND_INFO by level; true when it fails. LEVEL_IGNORE says nothing. */
bool find_level(struct judge *j, unsigned depth, enum check_level level, const char *check, const char *clause,
    const char *object, const char *cure, const char *fmt, ...) PRINTF(8, 9);
/* What an algorithm is good by at t, where it is not simply listed: the operator's own line, or an end that may yet be moved. */
void find_alg(struct judge *j, unsigned depth, const struct alg_use *use, int64_t t, const char *object);
void findings_copy(struct judge *j, const struct findings *from, unsigned depth);
void findings_release(struct findings *f);
void find_verdict(struct judge *j, unsigned depth, const char *check, const char *clause, const char *object, struct verdict v);
enum err_code report_new(const struct verify_input *in, struct report **out, struct err *e);
/*
 * Why doc is refused: the parser's words where it is XML; what it is, what becomes of it and what to do where it is not. The
 * caller frees it; NULL: no memory.
 */
char *refusal_words(struct slice doc, const struct err *parser);

/* ---- extent.c: what a signature signs ---- */
void describe_signature(struct judge *j, struct jsig *g); /* g->r->refs, with room for one more, and its scope */
void report_refs_release(struct report_ref *v, size_t n);

/* ---- judge_cert.c ---- */
struct xcv *judge_cert(struct judge *j, const struct cert *c, enum check_context ctx, enum line line);
struct verdict chain_form(struct judge *j, const struct chain *ch, enum check_context ctx);
struct verdict link_verdict(const struct chain_link *l); /* the first that failed, freshness aside */
bool only_stale(const struct xcv *x); /* nothing but newer revocation data is lacking */
struct answers *judge_answers(struct judge *j, const struct cert *c, const struct cert *issuer);
bool needs_revocation(const struct cert *c, bool as_responder);
void judge_memo_release(struct judge *j);
struct alg_use cert_alg(const struct cert *c, const struct cert *issuer);
struct alg_use answer_alg(const struct rev_answer *a);

/* ---- judge_rev.c ---- */
bool answer_accepted(struct judge *j, struct answers *a, size_t i, enum line line, const char **why);
/*
 * Of the acceptable answers that may (NULL: all) the one that counts, in whatever order they came: what revokes for good, the
 * earliest date; then a hold, unless a later good word ends it; then the good word that knows most, of the CA's own
 * key, its delegate or a trusted responder before that of another key of the CA's name. NULL if there is none.
 */
const struct rev_answer *gravest_answer(
    struct judge *j, struct answers *a, enum line line, bool (*may)(void *ctx, const struct rev_answer *r), void *ctx);
/* A list by another key of the CA's name: new, or a stranger's. What the CA, its delegate or a trusted responder says comes before it. */
bool answer_namesake(const struct rev_answer *r);
/* gravest_answer of all. any: whether the pool had anything about it at all; why: what is wrong with the first, if none counts. */
const struct rev_answer *select_answer(struct judge *j, struct answers *a, enum line line, bool *any, const char **why);
/* Revoked, but for a reason that says nothing against its key: affiliationChanged, superseded, cessationOfOperation (RFC 5280 5.3.1). */
bool key_stays_trusted(const struct rev_answer *r);
/* NULL, or why this answer can't be used by itself; of its issuer only who it is and where its chain ends is asked. Static text. */
const char *answer_fault(struct judge *j, const struct answers *a, size_t i, enum line line);
/* The chain of an answer's signer, where it is not the certificate's own; NULL otherwise. */
const struct chain *signer_chain(struct judge *j, const struct rev_answer *a, enum line line);
/* 5.2.5: not older at t than the time to its next update. Without nextUpdate nothing is fresh. */
bool answer_fresh(const struct rev_answer *r, int64_t t);
/*
 * Is ch->v[i] told of at t: has some acceptable answer that may (NULL: all) its nextUpdate after t, or its thisUpdate not before
 * (5.2.5, 5.5.4 step 7)? True too where the policy does not ask, or there is none: that is another check's matter.
 */
bool told_at(struct judge *j, const struct xcv *x, const struct chain *ch, size_t i, int64_t t,
    bool (*may)(void *ctx, const struct rev_answer *r), void *ctx);
unsigned line_roles(enum line line, bool revocation);

/* ---- judge_signer.c ---- */
void judge_signer(struct judge *j, struct jsig *g); /* g->cert, g->isc */
enum tri value_with(struct judge *j, struct jsig *g, const struct cert *c);
enum tri value_with_bare_key(struct judge *j, struct jsig *g);

/* ---- judge_sig.c: basic (5.3); judge_ltv.c: long-term (5.5) ---- */
enum check_context sig_context(const struct jsig *g);
void judge_basic(struct judge *j, struct jsig *g);
void judge_ltv(struct judge *j, struct jsig *g);

/* ---- judge_stamp.c ---- */
void judge_stamps(struct judge *j, struct jsig *g);
bool is_content_stamp(const struct jstamp *t);
void stamp_basic(struct judge *j, struct jstamp *t);
void stamp_open(struct judge *j, struct jstamp *t);
void stamp_token_verdict(struct judge *j, struct jstamp *t); /* without an imprint */

/* ---- judge_past.c: past validation (5.6) ---- */
struct verdict judge_past(
    struct judge *j, const struct subject *s, struct verdict cur, const struct poe *poe, int64_t *control_time);
void judge_archival(struct judge *j, struct jsig *g);
/* Those with a readable token, newest first, into out (room for all); their number. */
size_t stamps_in_order(const struct jsig *g, const struct jstamp **out);

/* ---- poe.c ---- */
int64_t poe_lowest(const struct judge *j, const struct poe *p, const uint8_t key[32]);
void poe_add(struct judge *j, struct poe *p, const uint8_t key[32], int64_t t);
void poe_known(struct judge *j, struct jsig *g); /* what the caller brings */
void poe_extract(struct judge *j, struct jsig *g, struct jstamp *t, int64_t time);
void poe_release(struct poe *p);
void poe_end(struct judge *j);

/* ---- closure.c ---- */
void judge_closure(struct judge *j, struct jsig *g);
void stamp_closure(struct judge *j, struct jstamp *t, size_t signature, int64_t newer_than);
/* Does the signature's own KeyInfo hold it? */
bool in_key_info(const struct jsig *g, const struct cert *c);
bool values_complete(struct judge *j, struct jsig *g);
void closure_release(struct closure *c);

/* ---- known.c: which object is meant ---- */
void known_embedded(struct judge *j, struct jsig *g, size_t i, const struct revocation *rev);
void known_refs(struct judge *j, struct jsig *g); /* after the pool is filled */
const struct cert *cert_by_digest(struct judge *j, const struct digest *d);
void known_release(struct judge *j);

/* ---- keyvalue.c ---- */
EVP_PKEY *key_value(const xmlNode *key_info); /* NULL: none, or not readable. The caller frees it. */

/* ---- material.c ---- */
struct material_item {
	enum material_kind kind;
	struct slice octets;
};
size_t material_count(const struct material *m);
struct material_item material_at(const struct material *m, size_t i);

#endif
