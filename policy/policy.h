/* SPDX-License-Identifier: MIT */
/*
 * Rules as data: which algorithms are good until when, which checks fail or
 * warn, whom we trust in which role, what the operator configured, and when
 * evidence must be renewed. Pure: no file, no clock; bytes and times come in.
 *
 * Everything loaded is immutable afterwards and may be shared by readers.
 */
#ifndef EVERSEAL_POLICY_H
#define EVERSEAL_POLICY_H

#include "policy/algs.h"
#include "policy/config.h"
#include "policy/deadline.h"

/* ---- algorithms (crypto-suitability, RFC 5698, TS 119 312 content) ---- */

enum alg_reason {
	ALG_UNLISTED = 0, /* no line in the catalogue: not good at any time */
	ALG_UNSUPPORTED,  /* this build can't name it */
	ALG_TOO_SMALL,
	ALG_ENDED,
	ALG_NOT_YET,
	ALG_GOOD
};

struct alg_verdict {
	enum alg_reason reason;
	bool good;	 /* reason == ALG_GOOD, or ended_after_update under a policy that only warns */
	bool ended_after_update; /* the end lies after the catalogue's own date (crypto-policy 2.4) */
	int64_t end_utc; /* first second that is not good; TIME_MAX = open; TIME_NONE = never good: unlisted, unsupported, too small */
	const char *overlay_reason; /* why a line that the authority does not have says so; NULL for its own lines. Lives with the catalogue */
};

struct catalogue;
/*
 * Read an RFC 5698 / TS 119 322 file of at most 4 MiB. Its signature is not judged here. Tolerated faults
 * (crypto-policy 4) are appended to remarks, one line a kind; remarks may be NULL.
 * ERR_FORMAT when it is no catalogue.
 */
MUST_USE enum err_code catalogue_read(struct slice xml, struct catalogue **out, struct buf *remarks, struct err *e);
/* Built in: "default" (TS 119 312 content, Ed25519 and Ed448 added without an end) and "dss" (for comparison). NULL if unknown. */
const struct catalogue *catalogue_builtin(const char *name);
void catalogue_free(struct catalogue *c);
void catalogue_auto(struct catalogue **c);
const char *catalogue_name(const struct catalogue *c);
int64_t catalogue_issued(const struct catalogue *c);
int64_t catalogue_next_update(const struct catalogue *c); /* TIME_NONE = not stated; passed = warn and keep using it */
const struct digest *catalogue_digest(const struct catalogue *c); /* SHA-256 of what was read; of catalogue_text for any other */
/* Canonical text, one line per evaluation. Ask buf_ok. */
void catalogue_text(const struct catalogue *c, struct buf *out);
/* The same as schema-valid RFC 5698 XML, for other programs. Ask buf_ok. */
void catalogue_write(const struct catalogue *c, struct buf *out);
/*
 * Several catalogues over decades (crypto-policy 2.5): the newest by issue date; what it no longer lists comes from the
 * last one that does and ends, at the latest, on the issue date of the first that lacks it.
 */
MUST_USE enum err_code catalogue_effective(
    const struct catalogue *const *list, size_t n, struct catalogue **out, struct err *e);
/*
 * The operator's own lines over a catalogue: an algorithm of the overlay replaces the same one of the base. Earlier ends
 * are free; ERR_REFUSED for a later end or a new algorithm without a reason (Information/Text), which each verdict then names.
 */
MUST_USE enum err_code catalogue_overlay(
    const struct catalogue *base, const struct catalogue *over, struct catalogue **out, struct err *e);
/*
 * May c replace current (NULL = none yet) at now? ERR_REFUSED with the reason: issued in the future; not newer than
 * current, unless it is the same; with force only the first counts (crypto-policy 7 no 4).
 */
MUST_USE enum err_code catalogue_replaces(
    const struct catalogue *c, const struct catalogue *current, int64_t now_utc, bool force, struct err *e);
/* What changes from one to the other: "earlier|later|new|removed USE: END -> END", one line each. */
void catalogue_diff(const struct catalogue *older, const struct catalogue *newer, struct buf *out);
/* Is this use good at t? after_update_warns: an end later than the catalogue's date only warns. */
void catalogue_check(
    const struct catalogue *c, const struct alg_use *use, int64_t t_utc, bool after_update_warns, struct alg_verdict *out);
/* First second that is not good: TIME_MAX = open, TIME_NONE = never good. For planning: never lenient. */
int64_t catalogue_end(const struct catalogue *c, const struct alg_use *use);

/*
 * Do the digests that the configuration makes new evidence with stay good for min_token_life from now? Each that does
 * not is a fault (crypto-policy 7 no 5). False if any was added. ERR_NOMEM shows as a false with no fault.
 */
bool config_check_catalogue(const struct config *cfg, const struct catalogue *c, int64_t now_utc, struct faults *f);

/* ---- verification policy (EN 319 102-1 constraints) ---- */

/* Zero is the strictest, so that a forgotten line refuses. */
enum check_level { LEVEL_FAIL = 0, LEVEL_WARN, LEVEL_INFORM, LEVEL_IGNORE };
enum check_context { CTX_SIGNATURE = 0, CTX_COUNTER, CTX_TIMESTAMP, CTX_REVOCATION, CTX_COUNT };
enum cert_position { POS_SIGNING = 0, POS_CA, POS_COUNT };

/* One row for each rule whose level differs between policies; the meaning of each is in validation.md 7's words. */
enum check {
	CHECK_REVOCATION_DATA_AVAILABLE = 0, /* by context and position */
	CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND,
	CHECK_KEY_USAGE,
	CHECK_SIGNING_TIME_IN_CERT_RANGE,
	CHECK_SIGNING_TIME_PRESENT,
	CHECK_SIGNING_CERTIFICATE_PRESENT,
	CHECK_CERT_DIGEST_MATCH,
	CHECK_CERT_DIGEST_ALGORITHM, /* by which digest SigningCertificate or ESSCertID names the signer: by the catalogue, as a reference's */
	CHECK_ISSUER_SERIAL_MATCH,
	CHECK_POLICY_AVAILABLE,
	CHECK_POLICY_HASH_MATCH,
	CHECK_REFERENCE_NAME_MATCH,
	CHECK_MANIFEST_ENTRY_INTACT,
	CHECK_MANIFEST_ENTRY_FOUND,
	CHECK_TIMESTAMP_COHERENCE,
	CHECK_TSA_NAME_MATCH,
	CHECK_TSA_EKU,
	CHECK_STRUCTURE,
	CHECK_REVOCATION_ISSUER_NOT_EXPIRED,
	CHECK_UNKNOWN_CRITICAL_EXTENSION,
	CHECK_NAME_CONSTRAINTS,
	CHECK_CRL_NEXT_UPDATE,
	CHECK_OCSP_DELEGATE_EKU,
	CHECK_CA_VALIDITY, /* a CA certificate outside its validity at the model's time */
	CHECK_REVOCATION_FRESHNESS, /* past its nextUpdate at the best signature time: TRY_LATER (EN 319 102-1 5.2.5) */
	CHECK_COUNT
};

struct vpolicy {
	char name[48];
	const struct catalogue *catalogue; /* borrowed */
	bool after_update_warns;
	bool sliding_strict; /* freshness counts in validation-time sliding (5.6.2.2) */
	enum check_level level[CHECK_COUNT][CTX_COUNT][POS_COUNT];
	struct digest digest; /* of its canonical text, catalogue's digest included */
};
/*
 * "default" = ours, "dss", "dss-lenient". The catalogue of "dss*" is the built-in one of that name.
 * catalogue NULL: the built-in one that belongs to the policy.
 */
MUST_USE enum err_code vpolicy_builtin(const char *name, const struct catalogue *catalogue, struct vpolicy *out, struct err *e);
/* "revocation-data-available", "signature", "signing", "fail": the words of policy files and reports. */
const char *check_name(enum check c);
const char *check_context_name(enum check_context c);
const char *cert_position_name(enum cert_position p);
const char *check_level_name(enum check_level l);
/* Canonical text; its SHA-256 is the policy's digest. Ask buf_ok. */
void vpolicy_text(const struct vpolicy *p, struct buf *out);
/* A policy file (docs/config.md): "base = NAME" first, then "CHECK [context] [position] = fail|warn|inform|ignore". Faults carry the line. */
MUST_USE enum err_code vpolicy_read(struct slice text, const char *file, struct vpolicy *out, struct err *e);
/* Another catalogue (NULL: it stays; borrowed), and strict sliding on top of what the policy says (false: it stays). The digest follows. */
MUST_USE enum err_code vpolicy_with(struct vpolicy *p, const struct catalogue *c, bool sliding_strict, struct err *e);

/* ---- trust anchors ---- */

enum anchor_role { ROLE_SIGNER = 1, ROLE_TSA = 2, ROLE_OCSP = 4, ROLE_ALL = 7 };

struct anchor {
	struct slice der; /* owned by the set */
	uint8_t sha256[32];
	unsigned roles;
	int64_t sunset_utc; /* TIME_MAX = none; at and after it the anchor gives NO_CERTIFICATE_CHAIN_FOUND_NO_POE */
	char *name;	    /* file or label, for messages */
};
struct anchors;
MUST_USE enum err_code anchors_new(struct anchors **out, struct err *e);
/*
 * Add certificates: DER, or PEM with one or more. The same certificate again merges roles and takes the earlier sunset.
 * ERR_FORMAT if it is no certificate, or if a PEM block is damaged; the text names it; those before it are in by then.
 */
MUST_USE enum err_code anchors_add(
    struct anchors *a, struct slice der_or_pem, unsigned roles, int64_t sunset_utc, const char *name, struct err *e);
size_t anchors_count(const struct anchors *a);
const struct anchor *anchors_at(const struct anchors *a, size_t i); /* sorted by sha256 */
const struct anchor *anchors_find(const struct anchors *a, const uint8_t sha256[32]);
/* For people: no verdict asks this. pem: the certificate alone, whatever else stood in its file. */
struct anchor_facts {
	struct buf subject, pem; /* RFC 4514 */
	int64_t not_after_utc;
	bool is_ca;
};
MUST_USE enum err_code anchor_describe(const struct anchor *a, struct anchor_facts *out, struct err *e);
void anchor_facts_auto(struct anchor_facts *f);
MUST_USE enum err_code anchors_digest(const struct anchors *a, struct digest *out, struct err *e);
void anchors_free(struct anchors *a);
void anchors_auto(struct anchors **a);

#endif
