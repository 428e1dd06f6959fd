/* SPDX-License-Identifier: MIT */
/*
 * When evidence must be renewed, and why (crypto-policy 6, docs/deadlines.md).
 *
 *	facts (one protection class) + catalogue + compromise -> struct deadline
 *	rows (record, thing, kind, class, seq) + each class's deadline -> deadline of a thing, of a record
 *	pending facts (what no class knows) -> date + why
 *
 * Pure: catalogue, times and margins are arguments. Included by policy.h.
 */
#ifndef EVERSEAL_POLICY_DEADLINE_H
#define EVERSEAL_POLICY_DEADLINE_H

#include "base/json.h"
#include "policy/algs.h"

struct catalogue;

/* ---- one protection class ---- */

#define CLASS_CAS_MAX 12
#define CLASS_NAME_MAX 160

struct class_ca {
	char subject[CLASS_NAME_MAX]; /* RFC 4514, cut when longer */
	int64_t not_after_utc;
};

/*
 * What ends a time-stamp token's worth. Copies; no pointers. TIME_MAX = none or not known to end. A table of CAs may
 * hold only the earliest, and cert_algs only the weakest, but a later catalogue judges better with all of them.
 */
struct class_facts {
	uint8_t tsa_sha256[32], chain_sha256[32]; /* of the TSA certificate; of the certificates above it, anchor included */
	char tsa_subject[CLASS_NAME_MAX];
	int64_t tsa_not_after_utc;
	struct class_ca cas[CLASS_CAS_MAX]; /* between TSA and anchor */
	size_t n_cas;
	int64_t anchor_sunset_utc, service_end_utc;
	struct alg_use token; /* the token's own signature, key size included; usage is set by deadline_compute */
	struct alg_use cert_algs[CLASS_CAS_MAX]; /* signatures on TSA certificate and CAs, issuer's key size; not the anchor's */
	size_t n_cert_algs;
	enum digest_alg imprint;
	enum digest_alg ess; /* DIGEST_NONE: the policy leaves it out (only a second preimage would help a forger) */
};

/* SHA-256 of what defines a class (6.5): TSA certificate, chain, imprint digest, token suite and size. Dates are no part of it. */
MUST_USE enum err_code class_key(const struct class_facts *f, uint8_t out[32], struct err *e);
/* As docs/deadlines.md; read gives ERR_FORMAT naming the member. */
MUST_USE enum err_code class_json(const struct class_facts *f, json_t **out, struct err *e);
MUST_USE enum err_code class_read(const json_t *j, struct class_facts *out, struct err *e);

enum deadline_side { SIDE_TOKEN = 0, SIDE_HASH };
const char *deadline_side_name(enum deadline_side s); /* "token", "hash" */

struct deadline {
	int64_t utc; /* first second at which the evidence is no longer good; TIME_MAX = no end published */
	enum deadline_side side;
	char why[256]; /* "CA CN=... ends 2031-05-01" */
	int64_t token_utc, hash_utc; /* each side by itself: utc is the earlier */
	int64_t planned_utc;	     /* with the horizons for what has no published end: for forecasts and order, never for alarms */
	char planned_why[256];
};

/* Assumed ends for open algorithms (crypto-policy 6.4): data, replaceable by an overlay. NULL anywhere = deadline_horizons. */
struct horizons {
	int64_t classical_signature_utc; /* RSA, DSA, ECDSA, EdDSA */
	int64_t digest_128_utc;		 /* SHA-256, SHA3-256 */
	int64_t digest_192_utc;		 /* SHA-384, SHA-512, SHA3-384, SHA3-512 */
};
extern const struct horizons deadline_horizons; /* 2036-01-01, 2050-01-01, 2075-01-01 */

/* compromised_utc: since when the TSA's or a CA's key is known bad; TIME_MAX = never. An algorithm that was never good ends in 1970. */
void deadline_compute(const struct class_facts *f, const struct catalogue *c, int64_t compromised_utc,
    const struct horizons *h, struct deadline *out);

struct margins {
	int64_t token_seconds, hash_seconds;
};
/* The earlier of both sides less its margin; TIME_MAX when nothing ends. */
int64_t deadline_renew_by(const struct deadline *d, const struct margins *m);
/* Which renewal (6.3): SIDE_HASH when the hash side is due at t as well, or alone: a stronger digest is needed. */
enum deadline_side deadline_renewal_side(const struct deadline *d, const struct margins *m, int64_t t_utc);

/* ---- things and records ---- */

enum evidence_kind { EVIDENCE_STAMP = 1 /* in-document chain */, EVIDENCE_TREE /* evidence record */ };

/* One piece of evidence. Rows of one (thing, kind, chain) follow each other by seq; only the newest counts. */
struct evidence_row {
	char thing[96];		 /* "signature:0", "object:sha256:..." */
	enum evidence_kind kind;
	char chain[80];		 /* "" = the document's; a tree's or TSA's name for independent pieces */
	uint8_t class_key[32];
	unsigned seq;
	int64_t made_utc;	 /* genTime */
	bool intact;		 /* verifies; false rows promise nothing */
	int64_t deadline_utc;	 /* its class's, by deadline_compute */
};
struct thing_deadline {
	char thing[96];
	int64_t utc; /* the latest of its independent intact pieces; TIME_NONE: no evidence at all */
	size_t row;  /* which row that is; SIZE_MAX none */
};
/* Things in order of first appearance. out: room for max; returns how many there are. */
size_t deadline_things(const struct evidence_row *rows, size_t n, struct thing_deadline *out, size_t max);
/* The earliest of the things; TIME_NONE when one has no evidence; TIME_MAX when there are none. */
int64_t deadline_record(const struct evidence_row *rows, size_t n);
/* Is this row the newest intact one of its chain: one whose own class's end is work? */
bool deadline_row_live(const struct evidence_row *rows, size_t n, size_t row);

/* Alarm steps (6.4). Later steps include the earlier. */
enum deadline_alarm { ALARM_NONE = 0, ALARM_DUE, ALARM_HALF, ALARM_MONTH, ALARM_WEEK, ALARM_LAPSED };
const char *deadline_alarm_name(enum deadline_alarm a); /* "none", "due", "half", "month", "week", "lapsed" */
/* margin_seconds: the one of the side that ends first. */
enum deadline_alarm deadline_alarm_at(int64_t deadline_utc, int64_t margin_seconds, int64_t t_utc);

/* ---- what no class knows: the pending index (6.2) ---- */

/* State of a signature that no archive stamp or evidence record covers yet. TIME_MAX = none or not known. */
struct pending_facts {
	int64_t now_utc;
	bool stamped;		       /* a valid signature time-stamp is there */
	bool values;		       /* revocation values are embedded (X-L, LT) */
	bool references;	       /* C or X: complete references */
	int64_t signer_not_after_utc;
	int64_t grace_end_utc;	       /* when the final revocation data may be collected */
	int64_t stamp_deadline_utc;    /* the newest stamp's class */
	int64_t responder_not_after_utc; /* earliest end of an OCSP responder or CRL issuer under the values */
	char responder_subject[CLASS_NAME_MAX];
	enum digest_alg reference_digest; /* of complete references; DIGEST_NONE none */
	enum digest_alg manifest_digest;  /* weakest under data that only a ds:Manifest covers; DIGEST_NONE none */
	struct alg_use signature;	  /* its own; digest and key */
};
struct pending {
	int64_t utc; /* must be covered before; TIME_MAX = nothing ends */
	char why[256];
	int64_t next_utc; /* when the next step is to be taken: now, or the end of grace */
	bool grace_shortened; /* utc comes first: next_utc is a day before it */
};
void pending_compute(const struct pending_facts *f, const struct catalogue *c, struct pending *out);

/* ---- retention ---- */

struct retention {
	int64_t from_utc; /* deposit */
	unsigned years;	  /* 0 = for ever */
	unsigned holds;	  /* legal holds in force */
};
/* First second at which the rule ends; TIME_MAX = never, or not before 9999. A deposit of 29 February ends on 1 March. Holds do not move it. */
int64_t retention_end(const struct retention *r);
/* May it be disposed of at t? Never under a hold. */
bool retention_may_go(const struct retention *r, int64_t t_utc);
/* Year that names the data segment: the one in which the rule ends, rounded up so that the whole segment is free; 9999 = for ever. */
unsigned retention_segment_year(const struct retention *r);

#endif
