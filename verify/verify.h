/* SPDX-License-Identifier: MIT */
/*
 * Verification, pure: a source of bytes, material, policy, a time and known
 * proofs of existence go in; a report and a list of wants come out. No file,
 * no socket, no clock.
 *
 *	verifier_new -> verify_document (gather what it wants, call again) -> report_json / report_text
 *
 * A verifier keeps decoded certificates and made signature checks across calls.
 */
#ifndef EVERSEAL_VERIFY_H
#define EVERSEAL_VERIFY_H

#include "base/bytes.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/xml.h"
#include "policy/policy.h"
#include "verify/derivation.h"
#include "verify/xades.h"

enum indication { IND_INDETERMINATE = 0, IND_FAILED, IND_PASSED };

/* Sub-indications as EN 319 102-1 spells them. */
enum subindication {
	SUB_NONE = 0,
	SUB_FORMAT_FAILURE,
	SUB_HASH_FAILURE,
	SUB_SIG_CRYPTO_FAILURE,
	SUB_REVOKED,
	SUB_EXPIRED,
	SUB_NOT_YET_VALID,
	SUB_SIG_CONSTRAINTS_FAILURE,
	SUB_CHAIN_CONSTRAINTS_FAILURE,
	SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE,
	SUB_CRYPTO_CONSTRAINTS_FAILURE,
	SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
	SUB_POLICY_PROCESSING_ERROR,
	SUB_SIGNATURE_POLICY_NOT_AVAILABLE,
	SUB_TIMESTAMP_ORDER_FAILURE,
	SUB_NO_SIGNING_CERTIFICATE_FOUND,
	SUB_NO_CERTIFICATE_CHAIN_FOUND,
	SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
	SUB_REVOKED_NO_POE,
	SUB_REVOKED_CA_NO_POE,
	SUB_OUT_OF_BOUNDS_NOT_REVOKED,
	SUB_OUT_OF_BOUNDS_NO_POE,
	SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE,
	SUB_NO_POE,
	SUB_TRY_LATER,
	SUB_SIGNED_DATA_NOT_FOUND,
	SUB_COUNT
};
const char *indication_name(enum indication i);	      /* TOTAL-PASSED, TOTAL-FAILED, INDETERMINATE */
const char *indication_token_name(enum indication i); /* PASSED, FAILED, INDETERMINATE: for time-stamps */
const char *subindication_name(enum subindication s); /* "" for none */

struct verdict {
	enum indication ind;
	enum subindication sub;
};

/* Certificates and revocation data known beside the document, and signature policy documents. Copies what it is given. */
enum material_kind { MAT_CERT = 1, MAT_CRL, MAT_OCSP, MAT_POLICY };
struct material;
MUST_USE enum err_code material_new(struct material **out, struct err *e);
MUST_USE enum err_code material_add(struct material *m, enum material_kind kind, struct slice octets, struct err *e);
/* Walking: sorted by kind and digest. octets are borrowed from m. False behind the last. m may be NULL. */
bool material_get(const struct material *m, size_t i, enum material_kind *kind, struct slice *octets);
/* One flat form, for the way to a worker; reading it back gives the same material. */
MUST_USE enum err_code material_pack(const struct material *m, struct buf *out, struct err *e);
MUST_USE enum err_code material_unpack(struct slice packed, struct material **out, struct err *e);
MUST_USE enum err_code material_digest(const struct material *m, struct digest *out, struct err *e); /* whatever the order it was added in */
void material_free(struct material *m);
void material_auto(struct material **m);

/* A proof from outside the document: this object existed at that time (design 10). sha256 of the object's octets. */
struct known_poe {
	uint8_t sha256[32];
	int64_t time_utc;
};

struct verify_input {
	const char *name;  /* of the file, for the report */
	struct slice doc;  /* the whole signature file */
	struct sigdoc *parsed; /* doc, opened with these files and limits; the caller's to close. NULL: it is parsed here */
	const struct side_file *files; /* detached data */
	size_t n_files;
	const struct material *material; /* may be NULL */
	const struct anchors *anchors;
	const struct vpolicy *policy;
	int64_t time_utc;
	const struct known_poe *poes;
	size_t n_poes;
	const struct xades_limits *limits; /* NULL = default */
	int64_t grace_seconds; /* wants: final revocation data has thisUpdate >= best signature time + this */
	bool want_material;    /* compute wants and closure */
	bool prove_all;	       /* for tests: look for a derivation of what did not pass, too; no verdict changes by it (proof_gap) */
};

enum finding_status { FIND_OK = 0, FIND_WARN, FIND_FAIL, FIND_INFO, FIND_NOT_CHECKED };
/* One check of the tree: what was checked, which clause, on what, what would cure it. depth gives the tree. */
struct finding {
	unsigned depth;
	enum finding_status status;
	const char *check;  /* stable name, e.g. "RevocationDataAvailable" */
	const char *clause; /* "EN 319 102-1 5.2.6.4" */
	char *object;	    /* what it was about */
	char *text;	    /* what was found */
	const char *cure;   /* NULL, or what to do */
};

enum object_role { OBJ_SIGNER = 1, OBJ_CA, OBJ_ANCHOR, OBJ_TSA, OBJ_RESPONDER, OBJ_CRL_ISSUER, OBJ_REVOCATION };
/* A certificate or revocation object that a verdict rests on (the closure), for embedding and for deadlines. */
struct closure_object {
	enum material_kind kind;
	enum object_role role;
	uint8_t sha256[32];
	struct slice der;      /* borrowed from the verifier */
	bool embedded;	       /* stands in the signature file already */
	size_t embedded_before; /* embedded at this position (SIZE_MAX: not in the unsigned properties) */
	int64_t not_after;     /* certificates */
	int64_t this_update, next_update, produced_at; /* revocation data */
	char *subject;	       /* certificates: RFC 4514 */
};
struct closure {
	struct closure_object *v;
	size_t n;
	bool complete; /* every certificate below an anchor has revocation data or needs none */
	bool enough;   /* of a token: ... the TSA's own data newer, of those above it nextUpdate after the reference; else = fresh */
	bool fresh;    /* ... with thisUpdate after the reference time (+ grace for the target certificate) */
	char *gap;     /* what is missing, NULL if complete */
};

enum want_kind { WANT_ISSUER = 1, WANT_REVOCATION, WANT_FILE };
/* What would take the verdict further. Answer by adding to material (or files) and verifying again. */
struct want {
	enum want_kind kind;
	uint8_t cert_sha256[32];   /* the certificate in question */
	uint8_t issuer_sha256[32]; /* WANT_REVOCATION: its issuer */
	size_t signature;	   /* index of the signature it is for */
	bool for_stamp;		   /* of a time-stamp's closure */
	size_t stamp;		   /* index of the stamp */
	bool anchored;		   /* the certificate's chain reaches an anchor: its URLs may be fetched */
	bool is_ca;		   /* the certificate is a CA's: nextUpdate > time is enough */
	int64_t newer_than;	   /* thisUpdate wanted at or after */
	const struct urls *ocsp, *crl, *issuers; /* borrowed from the verifier */
	struct slice cert_der, issuer_der;	 /* borrowed */
	char *name; /* WANT_FILE */
};

struct report_stamp {
	enum stamp_type type;
	size_t index; /* in xsig.stamps */
	char *id;
	int64_t time_utc;
	struct verdict verdict;	      /* final, past validation included */
	struct verdict basic;	      /* at the validation time alone */
	enum tri imprint_intact;
	char *tsa_subject;
	uint8_t tsa_sha256[32];
	bool gives_poe;
	struct closure closure;
	char *proof_gap; /* what was asked for a derivation: NULL: there is one, else the rule that refused it. Allocated */
	/* For the protection class (crypto-policy 6.5). */
	struct alg_use signed_with, imprint;
	int64_t tsa_not_after, ca_not_after; /* earliest CA below the anchor; TIME_MAX none */
	char *ca_subject;		     /* that CA */
	struct alg_use weakest_ca_alg;	     /* of the certificates TSA..below anchor, by catalogue end */
	uint8_t chain_digest[32];
};

/* What went into a reference's digest, as a reader would call it. */
enum extent {
	EXTENT_UNKNOWN = 0, /* not digested, or it can't be followed back */
	EXTENT_NOTHING,	    /* its transforms leave no octet */
	EXTENT_PART,	    /* of the element that it leads to: gaps */
	EXTENT_TEXT,	    /* the element's text, or the data encoded in it; not its tags */
	EXTENT_FILE_PART,
	EXTENT_TEXT_READ,    /* all that the data encoded in an element's text say as XML (or as base64 again), not their octets */
	EXTENT_FILE_DECODED, /* what the file encodes in base64, not its octets */
	EXTENT_FILE_XML,     /* all that the file says as XML, not its octets: no comments, declaration, encoding */
	EXTENT_FILE,	     /* whole, as all below */
	EXTENT_ELEMENT, /* signatures in it apart, as below */
	EXTENT_DOCUMENT
};
/* Where the element stands that a reference leads to. */
enum stands { STANDS_NOWHERE = 0, STANDS_ROOT, STANDS_OBJECT /* of a signature */, STANDS_INSIDE /* elsewhere below the root */, STANDS_BESIDE };
/* A reference, or an entry of a Manifest. */
struct report_ref {
	char *uri, *covers, *note;
	enum tri found, intact;
	enum ref_kind kind;
	enum extent extent;
	enum stands stands;
	uint64_t octets; /* that were hashed */
	char **gaps;	 /* paths of what is left out: the first n_listed of n_gaps. n_gaps 0 for a part: not counted */
	size_t n_listed, n_gaps;
	bool unbound; /* a namespace declaration that its values go by was not hashed, or that could not be told */
	struct report_ref *entries;
	size_t n_entries;
};
/* What a signature signs, all its intact references together. */
enum scope {
	SCOPE_UNKNOWN = 0, /* a reference is not intact or could not be followed */
	SCOPE_NOTHING,	   /* no data: its own properties at most */
	SCOPE_PART,	   /* of the document */
	SCOPE_SIGNATURE,   /* a counter-signature: the value of its master */
	SCOPE_FILES,	   /* files beside it, whole, and the document holds nothing but signatures */
	SCOPE_OBJECTS,	   /* all data in its Objects (and files beside it), and the document holds nothing else */
	SCOPE_DOCUMENT	   /* the whole document, signatures apart */
};

struct report_signature {
	char *id;
	size_t index;
	long parent; /* -1 none */
	const char *format; /* "XAdES 1.3.2", "XAdES 1.1.1", "XML-DSig" ... */
	const char *level;
	enum tri value_intact;
	struct report_ref *refs;
	size_t n_refs;
	enum scope scope;
	char *signer_subject; /* NULL = none found */
	uint8_t signer_sha256[32];
	int64_t signer_not_after;
	int64_t claimed_time;
	int64_t best_signature_time; /* earliest accepted proof; the validation time where nothing proves an earlier one */
	/*
	 * What collecting goes by: the earliest intact signature time-stamp whose TSA has an anchor, revocation data or
	 * not (it can't be there yet); TIME_NONE without one.
	 */
	int64_t stamped_time;
	struct verdict basic, ltv, verdict; /* 5.3, 5.5, 5.6 (final) */
	struct finding *findings;
	size_t n_findings, cap_findings;
	struct report_stamp *stamps;
	size_t n_stamps;
	struct closure closure;	 /* of the signing certificate */
	/*
	 * Under the strict reading of freshness, what sliding takes beyond the closures: data of each issuer that are newer
	 * than the proof of those below it, for the signature and its older stamps. Only what does not stand in the file;
	 * complete = what can be had now is there.
	 */
	struct closure sliding;
	int64_t control_time;	 /* of past validation, TIME_NONE */
	char *proof_gap;	 /* as report_stamp's */
	bool anchored;		 /* a chain to an anchor exists */
	bool sealed, nested, manifest_only_data;
};

enum doc_status { DOC_REFUSED = 0, DOC_NO_SIGNATURE, DOC_TOO_LARGE, DOC_VALIDATED };
struct report {
	char *file;
	enum doc_status status;
	char *error; /* NULL, or what was refused and by which rule */
	int64_t time_utc;
	struct digest policy, catalogue, trust, material;
	char policy_name[48];
	bool sliding_strict;
	struct report_signature *sigs;
	size_t n_sigs;
	size_t evidence_records; /* seen, not judged here */
	struct want *wants;
	size_t n_wants;
	struct proof proof; /* the derivation of every PASSED (docs/proof.md) */
	size_t unproven;    /* that the judge found passed and the checker did not accept: a defect of ours, INDETERMINATE above */
	struct known_poe *poes; /* proofs gained: signature files' objects (for the record) */
	size_t n_poes;
};

struct verifier;
MUST_USE enum err_code verifier_new(struct verifier **out, struct err *e);
void verifier_free(struct verifier *v);
void verifier_auto(struct verifier **v);
struct pki *verifier_pki(struct verifier *v);
/*
 * One document. A file that is refused or holds no signature is a report with that status, not an error.
 * The report borrows from v (closures, wants): free it first. Same input, same report, byte for byte.
 */
MUST_USE enum err_code verify_document(
    struct verifier *v, const struct verify_input *in, struct report **out, struct err *e);
/*
 * A time-stamp token (ContentInfo) by itself: what a material job asks, and whoever just received it. in: material, anchors, policy,
 * time_utc, grace_seconds count. The report has status DOC_VALIDATED, no name and one signature that is empty but for
 * one stamp; imprint_intact is TRI_UNKNOWN, verdicts stand without it. Closure and wants as for a stamp in a document, but
 * with newer_than in place of the stamp's time for every certificate. ERR_FORMAT: not a token.
 */
MUST_USE enum err_code verify_token(struct verifier *v, const struct verify_input *in, struct slice token, int64_t newer_than,
    struct report **out, struct err *e);
void report_free(struct report *r);
void report_auto(struct report **r);
/* The worst over all signatures: PASSED only if every one passed; FAILED if any failed. Without signatures INDETERMINATE. */
enum indication report_overall(const struct report *r);
/* The object of docs/report.md for one document (element of "documents"). New reference. */
MUST_USE enum err_code report_json(const struct report *r, json_t **out, struct err *e);
/* Header of docs/report.md with an empty "documents" array: validation time, digests, program version. */
MUST_USE enum err_code report_header_json(const struct report *r, json_t **out, struct err *e);
/*
 * The octets that went into the digest of each reference of d, intact or not, one after the other into to. document is the
 * report_json of a report on d (verify_input.parsed): each of its references gets "extracted", an object with "at" and "octets",
 * or with "why": they can't be had, or max_octets are written.
 */
MUST_USE enum err_code report_extract(
    struct sigdoc *d, json_t *document, uint64_t max_octets, const struct sink *to, struct err *e);
/* The report for people, made of header and document. shown: the name to print, NULL = the document's own. */
MUST_USE enum err_code report_text(
    const json_t *header, const json_t *document, const char *shown, struct buf *out, struct err *e);
/*
 * Of an element of "signatures", in one line without its end: what the verdict means and what is signed. Of one of its
 * "references" (or of their "entries"): what it signs. Foreign text in it is bounded and stays in the line.
 */
void report_signature_words(const json_t *signature, struct buf *out);
void report_reference_words(const json_t *signature, const json_t *reference, struct buf *out);

#endif
