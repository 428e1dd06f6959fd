/* SPDX-License-Identifier: MIT */
/*
 * The test PKI: a hierarchy of certificates that lives in a folder and in
 * virtual time. Every certificate, CRL, OCSP answer and token is made for the
 * instant that the clock file holds; the system clock is never asked.
 *
 *	pki_init(dir, clock, port, 0, e);	once; again is harmless
 *	pki_open(dir, &p, e);
 *	authority_now(p, line_find("ca1"), now, &ca, e);	makes what is
 *missing ocsp_answer(p, request, now, bad, &out, e); pki_close(p);
 *
 * Lines and generations: a line ("tsa1") is a role with a schedule; its
 * generations ("tsa1-1", "tsa1-2", ...) are certificates with a key each that
 * begin at fixed instants, so that decades can pass. A generation is made when
 * it is first needed and kept in the folder.
 */
#ifndef EVERSEAL_TESTS_PKI_H
#define EVERSEAL_TESTS_PKI_H

#include "base/bytes.h"
#include "base/digest.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#define PKI_FREE(kind, type, release)                                          \
	static inline void kind##_auto(type **p)                               \
	{                                                                      \
		release(*p);                                                   \
	}
PKI_FREE(pki_x509, X509, X509_free)
PKI_FREE(pki_key, EVP_PKEY, EVP_PKEY_free)
PKI_FREE(pki_keyctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
PKI_FREE(pki_mdctx, EVP_MD_CTX, EVP_MD_CTX_free)
PKI_FREE(pki_crl, X509_CRL, X509_CRL_free)
PKI_FREE(pki_revoked, X509_REVOKED, X509_REVOKED_free)
PKI_FREE(pki_ext, X509_EXTENSION, X509_EXTENSION_free)
PKI_FREE(pki_bn, BIGNUM, BN_free)
PKI_FREE(pki_int, ASN1_INTEGER, ASN1_INTEGER_free)
PKI_FREE(pki_time, ASN1_TIME, ASN1_TIME_free)
PKI_FREE(pki_gtime, ASN1_GENERALIZEDTIME, ASN1_GENERALIZEDTIME_free)
PKI_FREE(pki_bio, BIO, BIO_free_all)
PKI_FREE(pki_cms, CMS_ContentInfo, CMS_ContentInfo_free)
PKI_FREE(pki_tst, TS_TST_INFO, TS_TST_INFO_free)
PKI_FREE(pki_tsreq, TS_REQ, TS_REQ_free)
PKI_FREE(pki_oreq, OCSP_REQUEST, OCSP_REQUEST_free)
PKI_FREE(pki_oresp, OCSP_RESPONSE, OCSP_RESPONSE_free)
PKI_FREE(pki_basic, OCSP_BASICRESP, OCSP_BASICRESP_free)
PKI_FREE(pki_certid, OCSP_CERTID, OCSP_CERTID_free)

/* ---- dir.c: the folder, its settings, files ---- */

#define PKI_NAME 96 /* longest id or name, with the zero */

struct pki {
	char *dir;
	char *clock;                   /* absolute path of the clock file */
	int port;                      /* of every URL in the certificates */
	int root_months;               /* between two CRLs of a root */
	struct authority *authorities; /* loaded ones, newest first; owned */
	struct issued *issued;         /* cache of the register; owned */
	struct crl_kept *crls;         /* CRLs made by this process; owned */
};

/*
 * Make the folder, or check that an existing one was made for the same port
 * (ERR_EXISTS if not). port 0: the one recorded, else a free one. A clock file
 * that is not there is written as 2026-01-01T00:00:00Z. root_months 0 means 6.
 * Makes every first generation and DIR/trust.
 */
MUST_USE enum err_code pki_init(const char *dir, const char *clock, int port,
    int root_months, struct err *e);
/* ERR_NOTFOUND without a hierarchy in dir. The caller closes. */
MUST_USE enum err_code pki_open(
    const char *dir, struct pki **out, struct err *e);
void pki_close(struct pki *p);
void pki_auto(struct pki **p);
/* The clock file's instant, read anew. */
MUST_USE enum err_code pki_now(
    const struct pki *p, int64_t *utc, struct err *e);
/* DIR/ + text; NULL on no memory. The caller frees. */
char *pki_path(const struct pki *p, const char *fmt, ...) PRINTF(2, 3);
MUST_USE enum err_code pki_read(
    const char *path, struct buf *out, struct err *e); /* ERR_NOTFOUND */
/* Written beside and renamed. */
MUST_USE enum err_code pki_write(
    const char *path, struct slice data, struct err *e);
MUST_USE enum err_code pki_append(
    const char *path, const char *line, struct err *e);
/* One process at a time makes generations or writes the register; close the
 * descriptor to let go. */
MUST_USE enum err_code pki_lock(const struct pki *p, int *fd, struct err *e);

/* The text of the signature policy that EPES signatures name; served under
 * /policy. */
#define PKI_POLICY_OID "1.3.6.1.4.1.55555.1.1"
MUST_USE enum err_code pki_policy(
    const struct pki *p, struct buf *out, struct err *e);

/* ---- key.c ---- */

/*
 * kind: rsa pss (3072), rsa4096, ecdsa (P-256), p384, p521, brainpool (P256r1),
 * ed25519. Where TESTPKI_POOL names a folder, RSA keys come from it and go into
 * it: the n-th of a kind in one hierarchy is the n-th in the pool.
 */
MUST_USE enum err_code key_make(
    const struct pki *p, const char *kind, EVP_PKEY **out, struct err *e);
bool key_kind_known(const char *kind);
MUST_USE enum err_code key_load(
    const char *path, EVP_PKEY **out, struct err *e);
MUST_USE enum err_code key_save(const char *path, EVP_PKEY *key, struct err *e);
/* The digest that fits the key: SHA-384 for P-384, SHA-512 for P-521, NULL for
 * EdDSA, else SHA-256. */
const EVP_MD *key_digest(const EVP_PKEY *key);

/* ---- cert.c ---- */

enum role {
	ROLE_ROOT,
	ROLE_CA,
	ROLE_TSA,
	ROLE_OCSP,        /* id-kp-OCSPSigning */
	ROLE_OCSP_NO_EKU, /* what an unauthorised responder shows */
	ROLE_EE           /* signs documents: nonRepudiation */
};

struct template
{
	const char *cn;
	enum role role;
	int64_t from_utc, until_utc; /* both inclusive */
	bool ocsp;                   /* AIA names the issuer's responder */
	bool crl;                    /* CRL distribution point */
	bool nocheck;                /* id-pkix-ocsp-nocheck */
};

struct authority;
/* issuer NULL: self-signed. The serial is random, 9 octets, positive. */
MUST_USE enum err_code cert_make(const struct pki *p, const struct template *t,
    EVP_PKEY *key, const struct authority *issuer, X509 **out, struct err *e);
MUST_USE enum err_code cert_load(const char *path, X509 **out, struct err *e);
MUST_USE enum err_code cert_save(
    const char *path, const X509 *cert, struct err *e); /* PEM */
MUST_USE enum err_code cert_der(
    const X509 *cert, struct buf *out, struct err *e);
/* One DER element around a body, for the few things that OpenSSL has no
 * function for. */
void der_put(struct buf *b, uint8_t tag, struct slice body);
/* Lower-case hex of the serial. */
void serial_text(const ASN1_INTEGER *serial, char out[PKI_NAME]);

/* ---- hier.c: lines and their generations ---- */

struct line {
	const char *name;
	const char *cn;
	const char *issuer; /* line; NULL: self */
	enum role role;
	const char *key;
	int first_month; /* begin of generation 1, months after 2025-07-01 */
	int period_months, life_months;
	bool ocsp, crl;              /* what its certificates point to */
	bool has_responder, nocheck; /* of a CA: its OCSP service, and whether
					the responder bears nocheck */
	const char *ee_status; /* of an issuing CA: what end entities point to,
				  "ocsp" or "crl" */
};

struct authority {
	char id[PKI_NAME];       /* "ca1-1", "ca1-1-ocsp-3" */
	const struct line *line; /* NULL for responders and variants */
	int64_t from_utc, until_utc;
	X509 *cert;
	EVP_PKEY *key;
	struct authority *issuer; /* NULL: self */
	struct authority *next;
};

const struct line *line_find(const char *name);
const struct line *line_at(size_t i); /* NULL past the end */
/* The newest generation that has begun; made when missing. Borrowed from p. */
MUST_USE enum err_code authority_now(struct pki *p, const struct line *l,
    int64_t now, struct authority **out, struct err *e);
/* By id; only generations that have begun by now. ERR_NOTFOUND otherwise. */
MUST_USE enum err_code authority_find(struct pki *p, const char *id,
    int64_t now, struct authority **out, struct err *e);
/* The delegated responder of a CA in use at now: eleven months, a new one each
 * half year. */
MUST_USE enum err_code authority_responder(struct pki *p, struct authority *ca,
    int64_t now, struct authority **out, struct err *e);
/* A certificate outside the schedule, kept under id; t counts only when it is
 * made. */
MUST_USE enum err_code authority_variant(struct pki *p, const char *id,
    struct authority *issuer, const struct template *t, const char *key_kind,
    struct authority **out, struct err *e);
void authorities_free(struct authority *list);

/* ---- issued.c: the register of what was issued, revoked and forgotten ---- */

struct issued {
	char serial[PKI_NAME], issuer[PKI_NAME], name[PKI_NAME];
	int64_t from_utc, until_utc;
	int64_t revoked_utc;  /* TIME_NONE: not revoked */
	int64_t recorded_utc; /* when the CA came to know */
	int reason;           /* CRLReason; -1: none given */
	bool forgotten;
	struct issued *next;
};

MUST_USE enum err_code issued_add(struct pki *p, const X509 *cert,
    const char *issuer, const char *name, struct err *e);
/* Reads the files again if they grew. Borrowed until the next call. */
MUST_USE enum err_code issued_all(
    struct pki *p, const struct issued **out, struct err *e);
/* NULL when the register knows no such serial of that issuer. */
MUST_USE enum err_code issued_find(struct pki *p, const char *issuer,
    const char *serial, const struct issued **out, struct err *e);
MUST_USE enum err_code issued_by_name(
    struct pki *p, const char *name, const struct issued **out, struct err *e);
MUST_USE enum err_code issued_revoke(struct pki *p, const struct issued *i,
    int64_t at, int64_t recorded, const char *reason, struct err *e);
MUST_USE enum err_code issued_forget(
    struct pki *p, const struct issued *i, struct err *e);
void issued_free(struct issued *list);

/* ---- bad.c: misbehaviour on request ---- */

enum bad {
	BAD_NONE,
	BAD_WRONG_NONCE,
	BAD_NO_NONCE,
	BAD_WRONG_IMPRINT,
	BAD_EXPIRED_TSA,
	BAD_REVOKED_TSA,
	BAD_LATE,  /* genTime an hour ahead */
	BAD_EARLY, /* an hour behind */
	BAD_NO_CERT,
	BAD_WRONG_ESS,
	BAD_TWO_SIGNERS,
	BAD_REJECTED_TOKEN,
	BAD_ALG,
	BAD_STALE_CRL,
	BAD_DELTA_CRL,
	BAD_INDIRECT_CRL,
	BAD_ONLY_CA_CRL,
	BAD_FOREIGN_CRL,
	BAD_STALE_OCSP,
	BAD_WRONG_CERT,
	BAD_UNAUTHORISED,
	BAD_NO_EKU,
	BAD_UNKNOWN,
	BAD_TRY_LATER,
	BAD_HTTP400,
	BAD_HTTP404,
	BAD_HTTP429,
	BAD_HTTP500,
	BAD_AWAY,
	BAD_SLOW,
	BAD_CUTOFF,
	BAD_ENDLESS,
	BAD_HTML,
	BAD_EMPTY,
	BAD_REDIRECT,
	BAD_GARBAGE,
	BAD_MODES
};
const char *bad_word(enum bad mode);
/* What the next request to service gets; counts it down. */
enum bad bad_take(const struct pki *p, const char *service);
/* count < 0: until cleared. ERR_USAGE for an unknown service, mode or a mode
 * that the service has not. */
MUST_USE enum err_code bad_set(const struct pki *p, const char *service,
    const char *mode, int count, struct err *e);
MUST_USE enum err_code bad_clear(
    const struct pki *p, const char *service, struct err *e); /* NULL: all */
void bad_list(void);

/* ---- crl.c ---- */

/*
 * The list of ca that is in force at now. CAs: thisUpdate is the start of the
 * virtual day, or the last revocation of that day; seven days. Roots: the
 * start of the period; period and a month. One process gives equal bytes for
 * equal content.
 */
MUST_USE enum err_code crl_make(struct pki *p, struct authority *ca,
    int64_t now, enum bad mode, struct buf *out, struct err *e);
struct crl_kept;
void crls_free(struct crl_kept *list);

/* ---- token.c ---- */

/* EN 319 421: best practices policy for time-stamps */
#define TSA_POLICY "0.4.0.2023.1.1"
/* The TSTInfo that answers req, with what mode makes wrong in it. */
MUST_USE enum err_code tst_make(TS_REQ *req, const struct authority *tsa,
    int64_t now, enum bad mode, struct buf *out, struct err *e);
/* The token around it. with_certs: as certReq asks. */
MUST_USE enum err_code token_make(struct slice tst, const struct authority *tsa,
    int64_t now, bool with_certs, enum bad mode, struct buf *out,
    struct err *e);

/* ---- ocsp.c, tsa.c ---- */

/* An OCSPResponse for any request; errors of the request are answers too. */
MUST_USE enum err_code ocsp_answer(struct pki *p, struct slice request,
    int64_t now, enum bad mode, struct buf *out, struct err *e);
/* A TimeStampResp for any request. line: "tsa1". */
MUST_USE enum err_code tsa_answer(struct pki *p, const struct line *l,
    struct slice request, int64_t now, enum bad mode, struct buf *out,
    struct err *e);
/* A token for an imprint, as the TSA would give it now with certReq and no
 * nonce. */
MUST_USE enum err_code tsa_token(struct pki *p, const struct line *l,
    const struct digest *imprint, int64_t now, struct buf *out, struct err *e);

/* ---- serve.c ---- */

/* Serves until SIGTERM or SIGINT. ready: file that appears when requests are
 * taken, with pid and port; may be NULL. */
MUST_USE enum err_code serve(
    struct pki *p, const char *ready, bool daemonise, struct err *e);

/* ---- issue.c ---- */

struct signer {
	char name[PKI_NAME];
	X509 *cert;
	EVP_PKEY *key;
	bool pss;
	struct authority *ca; /* borrowed */
};
/* A new certificate and key under DIR/ee; a name that is there already is
 * ERR_EXISTS. out may be NULL. */
MUST_USE enum err_code signer_issue(struct pki *p, const char *name,
    const char *kind, const char *ca, int days, struct signer *out,
    struct err *e);
MUST_USE enum err_code signer_load(
    struct pki *p, const char *name, struct signer *out, struct err *e);
void signer_auto(struct signer *s);

#endif
