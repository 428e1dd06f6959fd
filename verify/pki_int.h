/* SPDX-License-Identifier: MIT */
/* What x509.c, crl.c, ocsp.c, revoke.c, path.c and token.c share: the private halves of pki.h's objects, and the tables. */
#ifndef EVERSEAL_VERIFY_PKI_INT_H
#define EVERSEAL_VERIFY_PKI_INT_H

#include "verify/ber.h"
#include "verify/pki.h"
#include "verify/sigalg.h"

/* Limits of one object; real ones stay far below. */
enum { CERT_MAX_BYTES = 1 << 20, EXTENSIONS_MAX = 256, URLS_MAX = 32, EMBEDDED_MAX = 4096, OCSP_SINGLES_MAX = 65536 };

enum obj_kind { OBJ_NONE = 0, OBJ_CERT, OBJ_CRL, OBJ_OCSP, OBJ_TOKEN };

/* Each object has a number, unique in its pki, for the memo. */
struct cert_priv {
	struct cert c; /* first: the public half */
	uint32_t id;
	int version; /* as encoded: 0 is version 1, 2 is version 3; -1 = unreadable */
	uint64_t subject_hash, issuer_hash; /* equal for names that are equal by RFC 5280 7.1 */
	struct slice tbs, signature, spki;
	struct slice key_octets; /* content of the key's BIT STRING: what KeyHash is made of */
	struct sig_scheme scheme;
	struct slice crl_dp, name_constraints, alt_names; /* extension values, empty if absent */
	struct pki *owner;
	EVP_PKEY *key;
	const char *key_why; /* there is none */
	X509 *x509;
	bool key_tried, x509_tried;
};

/* One revoked certificate of a CRL: where it stands. Sorted by serial (canonical octets), then by position. */
struct crl_entry {
	uint32_t serial_at; /* offset of the serial's canonical octets in the CRL */
	uint32_t rest_at;   /* offset of what follows the serial */
	uint32_t rest_n;
	uint32_t serial_n;
};

struct rev_priv {
	struct revocation r; /* first: the public half */
	uint32_t id;
	struct slice tbs, signature;
	struct sig_scheme scheme;
	/* CRL */
	uint64_t issuer_hash;
	struct slice aki, idp_point; /* key identifier; DistributionPointName of the IDP, empty if absent */
	struct crl_entry *entries;
	struct slice listed; /* revokedCertificates, body: in the order of the list */
	/* OCSP */
	struct slice responder_name, responder_key; /* one of them */
	uint64_t responder_hash;
	struct slice singles; /* SEQUENCE OF SingleResponse, body */
	struct slice nonce;
	bool critical_unknown; /* a critical response extension that nobody here processes */
	uint8_t *joined;       /* octets of a BasicOCSPResponse that came in pieces (BER) */
};

/* A token's private half. */
struct token_priv {
	struct token t; /* first: the public half */
	uint32_t id;
	size_t cap_certs, cap_revs;
	struct slice content;	    /* TSTInfo octets */
	uint8_t *joined;	    /* the content, when it came in pieces (BER) */
	struct slice issuer, serial, ski; /* SID: one of both kinds */
	struct ber digest_alg, sig_alg;
	struct slice attributes, signature; /* attributes: body of the SET */
	struct slice content_type, message_digest, ess_v1, ess_v2, protection;
	bool malformed; /* the SignerInfo is not what RFC 3161 2.4.2 and RFC 5652 5.3 ask for */
};

struct pki {
	struct slot {
		enum obj_kind kind;
		uint8_t key[32];
		void *obj;
	} *slots; /* open addressing by the first octets of the digest */
	size_t n_slots, cap_slots;
	struct memo {
		uint64_t key; /* (id of the signed object + 1) << 32 | id of the certificate; 0 = empty */
		uint8_t value;
	} *memos;
	size_t n_memos, cap_memos;
	struct owned {
		void (*drop)(void *obj);
		void *obj;
	} *owned;
	size_t n_owned, cap_owned;
	uint32_t next_id;
	size_t n_wrong, n_checks; /* public-key operations since pki_begin */
	bool bounded;
};

static inline struct cert_priv *
cert_priv(const struct cert *c)
{
	return (struct cert_priv *)c;
}
static inline struct rev_priv *
rev_priv(const struct revocation *r)
{
	return (struct rev_priv *)r;
}

static inline struct token_priv *
token_priv(const struct token *t)
{
	return (struct token_priv *)t;
}

void *pki_find(const struct pki *p, enum obj_kind kind, const uint8_t key[32]);
/* Owned by p from here on, found again by key. On failure the caller still owns obj. */
MUST_USE enum err_code pki_keep(
    struct pki *p, enum obj_kind kind, const uint8_t key[32], void *obj, void (*drop)(void *obj), struct err *e);
/* A second key for an object that is kept already. */
MUST_USE enum err_code pki_alias(struct pki *p, enum obj_kind kind, const uint8_t key[32], void *obj, struct err *e);
/* 0 = not asked yet, else what was remembered. */
uint8_t pki_recall(const struct pki *p, uint32_t object, uint32_t cert);
void pki_remember(struct pki *p, uint32_t object, uint32_t cert, uint8_t value); /* without memory: forgotten */

/* sig_verify within the document's bounds: TRI_UNKNOWN behind them. */
enum tri pki_verify(struct pki *p, const struct sig_scheme *s, const struct cert *c, struct slice tbs, struct slice sig);
/* A search was cut: what it did not find is "not checked". */
void pki_cut(struct pki *p);

void rev_free(void *rev);

uint64_t name_hash(struct slice name);
/* Does c's key make this signature over tbs? Remembered under the object's number. */
bool pki_object_signed_by(
    struct pki *p, uint32_t object, const struct sig_scheme *s, struct slice tbs, struct slice sig, const struct cert *c);
/* Same name and same key: the same authority, maybe under another certificate. */
bool cert_same_authority(const struct cert *a, const struct cert *b);

/* An extension list (body of the SEQUENCE OF): f is called for each; false from f or a malformed list ends it with false. */
struct extension {
	char oid[OID_TEXT];
	bool critical;
	struct slice value; /* content of the OCTET STRING */
};
bool extensions_walk(struct slice list, bool (*f)(void *ctx, const struct extension *x), void *ctx);
/* A certificate's extensions (content of its [3]) into p. False if the list itself is malformed; a single one only counts as unknown. */
bool cert_read_extensions(struct cert_priv *p, struct slice body);
/* KeyIdentifier of an AuthorityKeyIdentifier value. */
bool read_aki(struct slice value, struct slice *out);

/* Does a GeneralName stand in a list (body of GeneralNames)? directoryName by RFC 5280 7.1, others octet by octet. */
bool general_name_in(const struct ber *name, struct slice list);

/* The parts of a SingleResponse, as they stand. */
struct single {
	enum digest_alg alg;
	struct slice name_hash, key_hash, serial;
	struct ber status;
	int64_t this_update, next_update;
	struct slice extensions;
};
/* False: it can't be read, or has no thisUpdate. */
bool single_read(struct slice body, struct single *s);
/* status, revoked_at, reason, never_issued of a; a problem where it can't be read. r: the response around it. */
void single_status(const struct rev_priv *r, const struct single *s, struct rev_answer *a);
/* archive_cutoff and CertHash of a, about c. False: an extension that is critical and not known, or can't be read. */
bool single_extensions(const struct single *s, const struct cert *c, struct rev_answer *a);
/* RFC 5280 6.3.3 (b)(2)(i): is that distribution point of a CRL one of c's? */
bool crl_point_named(const struct cert *c, struct slice idp_point);

/* What one object says of one certificate, whoever signed it and whether or not it may speak. */
struct rev_said {
	bool about;	  /* it speaks of that certificate: CertID with the issuer's key, or the issuer's name */
	const char *unfit; /* NULL, or what can't be processed: it clears nobody then. Static text */
	enum rev_status status; /* of several in one object the gravest */
	int64_t this_update, next_update, produced_at;
	int64_t revoked_at;
	int reason;	      /* CRLReason, -1 absent */
	int64_t expired_from; /* it knows certificates that ended from then on; TIME_MAX: none, TIME_NONE: this one */
	bool other_point;     /* CRL: limited to a distribution point that the certificate does not name */
};
void rev_read(const struct revocation *r, const struct cert *c, const struct cert *issuer, struct rev_said *out);

/* The entry for a serial number (canonical octets); of several the gravest. NULL if it is not listed. */
const struct crl_entry *crl_find(const struct rev_priv *r, struct slice serial);
/* The same in an indirect CRL, by issuer and serial number: of several the gravest. False if it is not listed. */
bool crl_find_indirect(const struct rev_priv *r, const struct cert *c, struct crl_entry *out);
/* What the entry says. status: REV_REVOKED, REV_HOLD, or REV_NONE with a problem. */
void crl_entry_read(const struct rev_priv *r, const struct crl_entry *entry, struct rev_answer *out);

/* Does the certificate name this CRL issuer as the one of an indirect CRL (cRLIssuer of a distribution point)? */
bool crl_issuer_named(const struct cert *c, struct slice issuer);
/* Why the list says nothing of c when it does not list it: NULL, if its scope covers c. */
const char *crl_scope_problem(const struct rev_priv *r, const struct cert *c, bool peer);
/* What the list says of c, if it lists it. One for attribute certificates has serial numbers of its own. */
bool crl_lists(const struct rev_priv *r, const struct cert *c, struct rev_answer *a);

/* Every certificate that a search may consider: the pool's, then the anchors'. One may stand there twice. */
size_t pool_candidates(const struct pool *pool);
const struct cert *pool_candidate(const struct pool *pool, size_t i);

#endif
