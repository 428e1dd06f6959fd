/* SPDX-License-Identifier: MIT */
/*
 * Facts about certificates, CRLs, OCSP responses and time-stamp tokens, with no
 * judgement by time or policy: what they say, who signed them, whether that
 * signature is right. judge.c decides what follows.
 *
 * struct pki keeps each object decoded once, by its digest, and remembers which
 * signature checks were made; it lives as long as its owner likes (a worker
 * keeps one for its whole life). Objects are immutable and live as long as it.
 * Not thread-safe.
 */
#ifndef EVERSEAL_VERIFY_PKI_H
#define EVERSEAL_VERIFY_PKI_H

#include "base/bytes.h"
#include "base/digest.h"
#include "policy/policy.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* Three-valued answers. Zero = not checked, so that a forgotten assignment never says yes. */
enum tri { TRI_UNKNOWN = 0, TRI_FALSE, TRI_TRUE };

enum eku { EKU_TIMESTAMPING = 1, EKU_OCSP_SIGNING = 2, EKU_ANY = 4, EKU_OTHER = 8 };
enum key_usage {
	KU_DIGITAL_SIGNATURE = 0x80,
	KU_NON_REPUDIATION = 0x40,
	KU_KEY_CERT_SIGN = 0x04,
	KU_CRL_SIGN = 0x02
};

struct urls {
	char **v;
	size_t n;
};

struct cert {
	uint8_t sha256[32];
	struct slice der; /* as received; the key is made on first use: pki_key(), an OpenSSL object: pki_x509() */
	struct slice subject, issuer; /* DER of the Names */
	char *subject_text; /* RFC 4514 (2253 order), UTF-8 */
	struct slice serial; /* content octets of the INTEGER */
	int64_t not_before, not_after; /* both inclusive */
	struct alg_use signed_with; /* of this certificate by its issuer: key_bits 0 until the issuer is known */
	struct alg_use own_key;	    /* key kind and bits of its own key; digest NONE */
	uint8_t key_sha1[20];	    /* RFC 6960 KeyHash */
	struct slice ski, aki;	    /* key identifiers, may be empty */
	bool has_key_usage, has_eku, eku_critical, is_ca, self_issued; /* pki_self_signed() says whether its own key verifies it */
	unsigned key_usage, eku; /* bits above */
	size_t eku_count;
	int path_len; /* -1 = none */
	bool ocsp_nocheck, no_rev_avail, val_assured;
	/* A critical extension that nobody here processes, one that stands twice, or an unreadable basicConstraints or key usage. */
	bool unknown_critical;
	bool has_name_constraints;
	int64_t private_key_end; /* privateKeyUsagePeriod notAfter, TIME_MAX if none */
	struct urls ocsp_urls, issuer_urls, crl_urls, delta_urls; /* as they stand, any scheme */
};

enum rev_kind { REV_CRL = 1, REV_OCSP };

/* A CRL or an OCSP response, decoded once. */
struct revocation {
	enum rev_kind kind;
	uint8_t sha256[32];
	struct slice der; /* CertificateList, or the whole OCSPResponse; a bare BasicOCSPResponse is wrapped and remarked */
	int64_t this_update, next_update; /* CRL; next TIME_NONE if absent. OCSP: see rev_answer */
	int64_t produced_at;		  /* OCSP producedAt; CRL thisUpdate */
	int64_t expired_certs_on_crl;	  /* TIME_NONE if absent */
	bool delta, indirect, partial /* onlySomeReasons or onlyAttributeCerts */, only_attribute, bad_idp, unknown_critical;
	bool only_user, only_ca, idp_critical, idp_uri;
	bool was_basic;	 /* came as a BasicOCSPResponse */
	int ocsp_status; /* OCSPResponseStatus, 0 = successful */
	struct slice issuer;	/* CRL: DER of the Name */
	struct slice crl_number; /* INTEGER content octets, empty if absent */
	size_t n_entries;	/* CRL: revoked certificates; OCSP: SingleResponses */
	const struct cert **certs; /* OCSP: embedded certificates that could be read */
	size_t n_certs;
};

/* REV_REVOKED also for a CRL entry with a critical extension that nobody here processes (RFC 5280 5.3). */
enum rev_status { REV_NONE = 0, REV_UNKNOWN, REV_GOOD, REV_REVOKED, REV_HOLD };

/* What one revocation object says of one certificate, and who signed it. */
struct rev_answer {
	const struct revocation *object;
	enum rev_status status;	   /* REV_NONE: it says nothing of this certificate (scope, CertID, unsupported kind) */
	const char *problem;	   /* NULL, or why it can't be used: static text with the clause */
	bool unsupported;	   /* delta, indirect or partial CRL that does not list it: what such a one leaves out says nothing */
	int64_t this_update, next_update, produced_at;
	int64_t revoked_at;	   /* TIME_NONE if not revoked */
	int reason;		   /* CRLReason, -1 = absent */
	int64_t archive_cutoff;	   /* TIME_NONE if absent */
	bool cert_hash_present, cert_hash_match; /* OCSP CertHash extension */
	const struct cert *signer; /* whose key verifies it; NULL = not found or wrong, then problem is set */
	bool signer_is_issuer;	   /* the certificate's own CA key */
	bool delegate_ok;	   /* RFC 6960 4.2.2.2: issued directly by that CA, with id-kp-OCSPSigning */
	bool delegate_by_ca;	   /* issued directly by that CA's key, whatever its key usages */
	bool delegate_rekeyed;	   /* issued by another key of the same CA name; delegate_ok is false then */
	bool signer_is_subject;	   /* the responder answers for itself: never good */
	bool never_issued;	   /* RFC 6960 2.2 "extended revoked": the CA never issued this serial number; status REV_REVOKED */
	bool responder_id_match;
	struct alg_use signed_with;
};

/* A time-stamp token: structure and signature, no trust (tsp-ocsp-crl 11, steps 1 to 6). */
enum token_problem { TOKEN_OK = 0, TOKEN_NO_SIGNER, TOKEN_HASH, TOKEN_SIGNATURE, TOKEN_FORMAT };
struct token {
	uint8_t sha256[32];
	struct slice der; /* the ContentInfo */
	int64_t gen_time;
	uint32_t gen_micros; /* fraction of the second */
	struct digest imprint;
	char policy_oid[80];
	struct slice serial, nonce;	 /* INTEGER content octets; nonce may be empty */
	const struct cert **certs;	 /* embedded, decoded */
	size_t n_certs;
	const struct revocation **revs; /* CMS crls, and unsigned revocation values */
	size_t n_revs;
	size_t signer_infos;
	bool has_ess_v1, has_ess_v2, unknown_critical, bad_time_form, time_not_utc /* no Z at its end */, was_response /* a TimeStampResp stood there */;
	bool signed_attributes_unsorted; /* verified only after sorting: a remark */
	struct slice tsa_name;		 /* GeneralName DER or empty */
	int64_t accuracy_micros;	 /* -1 if absent */
	bool claims_qualified;		 /* qcStatements with esi4-qtstStatement-1 */
};
/*
 * TOKEN_OK says that the key of cert made the signature over the token's content; a token whose ESSCertID names
 * another certificate of that key is TOKEN_OK with ess_match false, for the caller to judge.
 */
struct token_signer {
	enum token_problem problem;
	const struct cert *cert; /* NULL unless TOKEN_OK or TOKEN_SIGNATURE/TOKEN_HASH with a candidate */
	bool ess_match;		 /* the first ESSCertID(v2) has its digest; in both attributes if both are there */
	bool ess_serial_match;	 /* and its issuer and serial number; true if they are left out there */
	bool tsa_name_match;	 /* true if there is no tsa field */
	enum digest_alg ess_digest;	/* of its first entry, version 2's where both are there; NONE: neither is */
	enum digest_alg message_digest; /* of the token's content; NONE: SHAKE256, which belongs to Ed448 */
	struct alg_use signed_with;
};

struct pki;
MUST_USE enum err_code pki_new(struct pki **out, struct err *e);
void pki_free(struct pki *p);
void pki_auto(struct pki **p);

/* Decode, or find again by digest. der is copied. ERR_FORMAT if it is not one; every octet must be consumed. */
MUST_USE enum err_code pki_cert(struct pki *p, struct slice der, const struct cert **out, struct err *e);
MUST_USE enum err_code pki_crl(struct pki *p, struct slice der, const struct revocation **out, struct err *e);
MUST_USE enum err_code pki_ocsp(struct pki *p, struct slice der, const struct revocation **out, struct err *e);
MUST_USE enum err_code pki_token(struct pki *p, struct slice der, const struct token **out, struct err *e);

/* The certificate's public key, made on first use, owned by the pki. NULL: pki_key_fault says why. */
EVP_PKEY *pki_key(const struct cert *c);
/* NULL, or why nothing is verified with its key: not readable here, or one that others can sign with. Static text. */
const char *pki_key_fault(const struct cert *c);
/* The same certificate as OpenSSL sees it, made on first use (dear: 100 us), owned by the pki. NULL if it can't. */
X509 *pki_x509(const struct cert *c);
/* Its names are equal and its own key verifies it: asked on first use, so that a folder of anchors costs no signatures. */
bool pki_self_signed(const struct cert *c);
/* Names equal by RFC 5280 7.1 (case and white space folded); arguments are DER of Names. */
bool pki_name_eq(struct slice a, struct slice b);
/* RFC 4514 text of a Name (dear: 10 us); the octets in hex if it can't be read. NULL on no memory; free with free(). */
char *pki_name_text(struct slice name);
/* One PEM block of that label ("CERTIFICATE", "X509 CRL"), or bare base64 of a SEQUENCE, to DER; DER is copied as it is. */
MUST_USE enum err_code pki_pem_to_der(struct slice in, const char *label, struct buf *out, struct err *e);

/*
 * Public-key operations are counted from pki_begin on, which whoever judges a document calls first. An honest one needs one for
 * each object and next to none that fails; a hostile one names a hundred keys that may have signed. Behind
 * PKI_WRONG_MAX that failed or PKI_CHECKS_MAX in all nothing more is verified, and pki_bounded says so from then on: then
 * whatever was found is "not checked", since something that was passed over might have revoked. What is remembered costs nothing.
 */
enum { PKI_WRONG_MAX = 250, PKI_CHECKS_MAX = 10000 };
void pki_begin(struct pki *p);
bool pki_bounded(const struct pki *p);
/* Does issuer's key verify c's signature (names are compared first)? Remembered. */
bool pki_signed_by(struct pki *p, const struct cert *c, const struct cert *issuer);
/* signed_with of c, with the size of the issuer's key filled in. */
struct alg_use pki_cert_alg(const struct cert *c, const struct cert *issuer);

/*
 * The objects that one verification may use: borrowed from a pki, each once, in the order added. The anchors given to
 * pool_chains must outlive the pool; their certificates are candidates (for CRL issuers and responders too) from then on.
 */
struct pool {
	struct pki *pki;
	const struct cert **certs;
	size_t n_certs, cap_certs;
	const struct revocation **revs;
	size_t n_revs, cap_revs;
	/*
	 * Read as EU DSS does: a distribution point of a CRL must hold a URI, which one does not matter; certificates that
	 * stand in OCSP responses alone lead nowhere up.
	 */
	bool peer;
	/* The rest is pki.c's own: what was added, and the anchors decoded by the last pool_chains. */
	uint8_t *seen;
	size_t seen_cap;
	const struct anchors *anchors;
	const struct cert **anchor_certs;
	size_t n_anchor_certs, cap_anchor_certs;
};
void pool_init(struct pool *pool, struct pki *pki);
void pool_release(struct pool *pool);
void pool_auto(struct pool *pool);
MUST_USE enum err_code pool_add_cert(struct pool *pool, const struct cert *c, struct err *e);
MUST_USE enum err_code pool_add_rev(struct pool *pool, const struct revocation *r, struct err *e);
/* The token's embedded certificates and revocation data. */
MUST_USE enum err_code pool_add_token(struct pool *pool, const struct token *t, struct err *e);
const struct cert *pool_find_cert(const struct pool *pool, const uint8_t sha256[32]);

/*
 * A prospective chain, from the target (index 0) upwards; the last is an anchor if anchored.
 * Issuers: name equal, AKI match ranked first, signature verified; loops guarded; at most 10 deep, 16 chains.
 */
#define CHAIN_MAX 10
struct chain {
	const struct cert *v[CHAIN_MAX];
	size_t n;
	const struct anchor *anchor; /* NULL: it ends without one */
};
/*
 * All chains of target to an anchor of one of the roles, deterministic order (shortest first, then by digest);
 * none found: *n = 0 and partial (if not NULL) is the longest way up, its top without an issuer.
 * out: array for the caller to free with mem_auto.
 */
MUST_USE enum err_code pool_chains(struct pool *pool, const struct cert *target, const struct anchors *anchors,
    unsigned roles, struct chain **out, size_t *n, struct chain *partial, struct err *e);
/*
 * RFC 5280 6.1 without times, revocation and algorithms: a sound key, CA flag, path length, keyCertSign, name constraints,
 * unknown critical extensions. The set of rules that the certificate at index i breaks; each is there, whatever
 * stands beside it, since a policy may mind one and not the other.
 */
enum path_fault { PATH_OK = 0, PATH_NOT_CA = 1, PATH_LENGTH = 2, PATH_KEY_USAGE = 4, PATH_NAME_CONSTRAINTS = 8, PATH_CRITICAL = 16, PATH_KEY = 32 };
unsigned chain_faults(const struct chain *c, size_t i);
/* The first of them from the anchor down, *where it stands; PATH_OK: none at all. */
enum path_fault chain_fault(const struct chain *c, size_t *where);

/*
 * What every CRL and OCSP response of the pool says of c, issued by issuer. Sorted by this_update descending (for a peer by
 * produced_at), of one second revoked and held first, then by digest: the order in the pool never matters. Objects that do not
 * concern c at all are left out; those that should but can't be used carry problem. A list whose scope does not cover c says
 * nothing by leaving it out; what it lists is revoked all the same.
 */
MUST_USE enum err_code pool_answers(struct pool *pool, const struct cert *c, const struct cert *issuer,
    struct rev_answer **out, size_t *n, struct err *e);

/* Who signed the token: certificates of the token, then of the pool; ESSCertID match first. Remembered by (token, candidate). */
MUST_USE enum err_code pool_token_signer(struct pool *pool, const struct token *t, struct token_signer *out, struct err *e);

/* Did the key of c sign the token, over the digest of its content, as its only signer? out: what it says of c then. Remembered. */
bool token_signed_by(struct pki *p, const struct token *t, const struct cert *c, struct token_signer *out);

/* ---- requests and answers for those who fetch (RFC 3161, RFC 6960) ---- */

/* DER of a TimeStampReq: digest parameters NULL, certReq TRUE. nonce: 8..20 octets, first 0x01..0x7f. policy_oid may be NULL. */
MUST_USE enum err_code tsp_request(
    const struct digest *imprint, struct slice nonce, const char *policy_oid, struct buf *out, struct err *e);
/*
 * A TimeStampResp: the raw TimeStampToken octets (borrowed from der) when granted.
 * ERR_REMOTE when it is a rejection; *status and *fail_info (bit number, -1 none) are set then.
 */
MUST_USE enum err_code tsp_response(struct slice der, struct slice *token, int *status, int *fail_info, struct err *e);
/* DER of an OCSPRequest for c (SHA-1 CertID by default). nonce may be empty. */
MUST_USE enum err_code ocsp_request(const struct cert *c, const struct cert *issuer, enum digest_alg certid,
    struct slice nonce, struct buf *out, struct err *e);
/* Nonce of a response, empty if none; borrowed from the object. */
struct slice ocsp_nonce(const struct revocation *r);
/* Time of a GeneralizedTime or UTCTime; TIME_NONE when unreadable. */
int64_t asn1_time_utc(const ASN1_TIME *t);

#endif
