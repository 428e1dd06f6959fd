/* SPDX-License-Identifier: MIT */
/*
 * What the main process asks of a caged worker. Everything foreign (documents,
 * certificates, CRLs, OCSP responses, tokens) is parsed there and only there;
 * main sees JSON, digests and octets that it stores or inserts.
 *
 *	caged_start -> caged_judge / caged_extend / caged_token / ... -> caged_free
 *
 * The worker inherits trust anchors, policy and limits when it is forked; after
 * a change of any of them call caged_restart. Calls block until the answer is
 * there or the time limit passed (ERR_LIMIT: the document is to blame; the next
 * call has a fresh worker). Documents travel as descriptors. What is asked while
 * another question is under way (caged_on_wait, caged_patience) gets a worker of
 * its own; ERR_BUSY when there are too many.
 */
#ifndef EVERSEAL_ARCHIVER_CAGED_H
#define EVERSEAL_ARCHIVER_CAGED_H

#include "base/json.h"
#include "policy/policy.h"
#include "verify/verify.h"

struct caged;

struct caged_setup {
	const struct anchors *anchors;
	const struct vpolicy *policy;
	struct xades_limits limits;
	uint64_t max_document_bytes; /* a larger one is kept as data, "too_large" */
	int timeout_ms;		     /* processor time of a call, default 60000; by the clock it may take four times that */
	uint64_t memory_bytes;	     /* a worker, default 2 GiB */
	bool uncaged;		     /* only by explicit flag of the operator */
};

/* A document with what lies beside it. Descriptors are borrowed for the call and read with pread. */
struct caged_file {
	const char *name;
	int fd;
	uint64_t base_bytes, size_bytes; /* of a side file that lies inside another; size 0: the whole of fd */
	const uint8_t *sha256;		 /* that of the octets to be judged: others are ERR_DAMAGED, at every reading; NULL = not known */
};
struct caged_doc {
	struct caged_file main;
	const struct caged_file *side;
	size_t n_side;
};

MUST_USE enum err_code caged_start(const struct caged_setup *setup, struct caged **out, struct err *e);
MUST_USE enum err_code caged_restart(struct caged *c, const struct caged_setup *setup, struct err *e);
/* While a call blocks, wait may serve others (worker_on_wait). */
struct worker;
void caged_on_wait(struct caged *c, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx);
/* Did the last call, about a document, end its worker: time, memory, a crash? Then the document is to blame, or the machine. */
bool caged_fell(const struct caged *c);
/*
 * Calls from now on last ms at most, 0 as long as they take. After that they are ERR_BUSY, the question stays under way, and
 * caged_left gives it: once, until the next call. It is ended or dropped before the caged is freed.
 */
void caged_patience(struct caged *c, int ms);
struct caged_call;
struct caged_call *caged_left(struct caged *c);
int caged_call_fd(const struct caged_call *call);
/* There is an answer, or its time is over: caged_call_end does not block. */
bool caged_call_ready(const struct caged_call *call);
/* Blocks until there is. *call is gone whatever it returns. */
MUST_USE enum err_code caged_call_end(struct caged_call **call, json_t **out, struct err *e);
void caged_call_drop(struct caged_call **call);
void caged_free(struct caged *c);
void caged_auto(struct caged **c);

/*
 * Judge a document at time_utc with material (packed form, may be empty; certificates, CRLs, OCSP responses).
 * grace_seconds and entropy (32 octets, for nonces) serve the wants. Answer, a new reference:
 * { "form": "xades"|"xmldsig"|"asic"|"e-akta"|"xml"|"pdf"|"cms"|"data",      what it was recognised as
 *   "report": element of "documents" (docs/report.md), "header": its header,
 *   "signatures": [ one for each of the report's, same order:
 *     { "path": "extended"|"continue"|"stamp"|"none", "row": "...", "reason": "...",   upgrade.h; "extended" = the profile's form
 *       "stamp_needed": bool  (no SignatureTimeStamp that can be relied on),
 *       "has": { "T": n, "refs": "V1"|"V2"|null, "X": n, "values": bool, "A": n },   what stands in the file
 *       "embedded": [hex]  (what its own properties and KeyInfo hold), "covered_by": index|null, "closure": CLOSURE,
 *       "sliding": CLOSURE  (what the strict reading of freshness takes beyond the closures),
 *       "signer_not_after": ISO, "stamps": [ { "type", "id", "time", "token": base64, "sha256" of the token, "tsa_sha256",
 *           "tsa_not_after", "class": FACTS|null, "closure": CLOSURE } ] } ],
 *   "wants": [ WANT ] }
 * CLOSURE: { "complete": bool, "fresh": bool, "enough": bool  (a CA's list may be older than newer_than while its nextUpdate is not), "gap": text|null, "earliest_end": ISO|null  (notAfter of responders, CRL issuers),
 *            "objects": [ { "kind": "cert"|"crl"|"ocsp", "role", "sha256", "embedded": bool, "not_after", "this_update", "subject" } ] }
 * FACTS: class_json of policy/deadline.h; null when the TSA's certificate is not known.
 * WANT: { "kind": "issuer"|"revocation"|"file", "cert": hex, "cert_der", "issuer_der": base64|null, "subject": text, "issuer": text, "issuer_sha256": hex, "signature": i, "stamp": j|null, "ca": bool,
 *         "newer_than": ISO, "anchored": bool  (its chain reaches an anchor: only then are its URLs fetched),
 *         "requests": [ { "type": "ocsp"|"crl"|"aia", "method": "GET"|"POST", "url", "body": base64|null, "nonce": hex|null } ], "name": text }
 *   OCSP requests come first, for each responder POST with a nonce (from entropy; none without), then GET without.
 * Raw octets of closure objects that are embedded in the document, and of certificates wherever they come from, stand in "objects": { sha256: base64 }.
 * A refused document is ERR_REFUSED/ERR_LIMIT/ERR_FORMAT with the reason; "no signature" is an answer.
 */
MUST_USE enum err_code caged_judge(struct caged *c, const struct caged_doc *doc, struct slice material, int64_t time_utc,
    int64_t grace_seconds, struct slice entropy, json_t **out, struct err *e);

/*
 * What n files are by their first octets (1024 do), without judging any: [ "pdf"|"cms"|"data"|"asic"|null ]. null: it has to
 * be judged. whole[i]: the file has no more than heads[i]. Many cost one call.
 */
MUST_USE enum err_code caged_sniff(
    struct caged *c, const struct slice *heads, const bool *whole, size_t n, json_t **out, struct err *e);

/*
 * What a fetched answer is. want: as given by a judge; type "ocsp"|"crl"|"aia". Answer:
 * { "class": "good"|"revoked"|"hold"|"unknown"|"unauthorised"|"stale"|"refused"|"retry"|"alternate",  (tsp-ocsp-crl 4.2, 7.1)
 *   "why": text, "this_update", "next_update", "produced_at",
 *   "fresh": bool  (thisUpdate >= newer_than; for a CA nextUpdate > newer_than),
 *   "objects": [ { "kind": "cert"|"crl"|"ocsp", "sha256", "der": base64|null  (null: the body as received) } ] }
 */
MUST_USE enum err_code caged_answer(struct caged *c, const json_t *want, const char *type, struct slice body,
    struct slice material, int64_t time_utc, json_t **out, struct err *e);

/* A time-stamp request (DER) for an imprint; nonce 8..20 octets. */
MUST_USE enum err_code caged_tsp_request(
    const struct digest *imprint, struct slice nonce, const char *policy_oid, struct buf *out, struct err *e);

struct token_expect {
	struct digest imprint;
	struct slice nonce;
	const char *policy_oid;	 /* NULL = any */
	int64_t sent_utc, received_utc; /* genTime lies between, +- tolerance */
	int64_t tolerance_seconds;
	int64_t not_before_utc;	 /* genTime of what it follows */
	int64_t min_life_seconds; /* of its protection class; 0 = any */
};
/*
 * A TimeStampResp, checked as tsp-ocsp-crl 11 "what a created stamp must satisfy". Answer:
 * { "class": "good"|"early"  (older than its predecessor: wait and ask again)|"short"  (ends too soon)|"refused"|"retry"|"config"|"alarm",
 *   "why", "token": base64, "sha256", "gen_time", "tsa_sha256", "tsa_subject", "tsa_not_after", "deadline", "class_facts": FACTS, "certs": [base64],
 *   "wants": [ WANT ] }. "config" with an issuer among the wants: fetch it, then ask again with the same response.
 */
MUST_USE enum err_code caged_token(struct caged *c, struct slice response, const struct token_expect *want,
    struct slice material, int64_t time_utc, json_t **out, struct err *e);

/*
 * Closure and wants of a token by itself (the material job): revocation data newer than newer_than for each
 * certificate below the anchor, responders and CRL issuers included. { "closure", "wants", "gen_time", "tsa_sha256", "tsa_subject", "tsa_not_after",
 * "class": FACTS, "objects": { sha256: base64 of every object of the closure } }
 */
MUST_USE enum err_code caged_tsa_material(struct caged *c, struct slice token, struct slice material, int64_t time_utc,
    int64_t newer_than, struct slice entropy, json_t **out, struct err *e);

/*
 * Build what is to be inserted. request:
 * { "signature": index, "digest": "SHA512",
 *   "add": [ { "do": "T"|"X"|"A", "token": base64 } | { "do": "refs"|"values"|"tsvd"|"anyvd", "objects": [sha256 ...] } ... ],
 *   "imprint": "T"|"X"|"A"|null }
 * Objects named by sha256 come from material, from the document, or are anchors. Each is put in once; refs
 * leave out the signing certificate, values too where KeyInfo has it; an empty list adds nothing. "imprint" set: answer { "imprint": "sha512:hex", "gen_after": ISO } of a new stamp
 * of that kind standing after "add". Else the final text, checked by parsing the new file: every signature's and
 * old stamp's outcome as before, the new stamps' imprints right, the old file an ordered subsequence:
 * { "offset": n, "text": base64 octets to insert there, "sha256", "sha512", "size", "level": text, "judge": as caged_judge of the new file }.
 * ERR_UNSUPPORTED: nothing may be inserted (reason in the text). ERR_REFUSED: a check of the result failed; nothing changes.
 */
MUST_USE enum err_code caged_extend(struct caged *c, const struct caged_doc *doc, const json_t *request, struct slice material,
    int64_t time_utc, json_t **out, struct err *e);

/*
 * What other people's tools need to know of a document's signatures, those of the report in its order. Answer:
 * { "signatures": [ { "number": its place among all ds:Signature of the document, from 1; "id", "method": URI, "level",
 *     "signer_subject", "signer": base64|null, "beyond_xmlsec": why xmlsec1 can't check it|null,
 *     "ids": [ { "attribute", "name", "ns": text|null } ]  elements that references name,
 *     "stamps": [ { "index", "type", "element": place among all stamp properties of XAdES 1.3.2 and 1.4.1 from 1, 0 = none of these,
 *         "part": which of the property's tokens from 0, "id", "time", "digest": name, "imprint": hex, "policy", "serial": hex,
 *         "imprint_intact": bool|null, "indication", "tsa_subject", "tsa_sha256", "token": base64|null,
 *         "chain": [base64]  from the TSA's certificate to below the anchor; without a known chain whatever lies beside } ] } ] }
 */
MUST_USE enum err_code caged_inventory(
    struct caged *c, const struct caged_doc *doc, struct slice material, int64_t time_utc, json_t **out, struct err *e);
/*
 * The octets that a time-stamp covers, appended to out_fd (a file open for writing, or a memfd). stamp: "index" of the
 * inventory. Answer: { "size", "intact": bool  (the token's imprint is theirs) }. ERR_NOTFOUND: covered data is not at hand.
 * ERR_FORMAT: the recipe can't be followed. What is in out_fd after an error is useless.
 */
MUST_USE enum err_code caged_octets(struct caged *c, const struct caged_doc *doc, size_t signature, size_t stamp, int out_fd,
    json_t **out, struct err *e);

#endif
