/* SPDX-License-Identifier: MIT */
/*
 * A house of three certificates (root, CA, leaf), CRLs and OCSP responses about the leaf, and what the pool answers for it.
 * Each object differs from a good one by what its spec says.
 */
#ifndef EVERSEAL_TESTS_MINI_REV_H
#define EVERSEAL_TESTS_MINI_REV_H

#include "tests/mini_ca.h"

struct house {
	struct pki *p;
	struct pool pool;
	struct who root, ca, leaf;
	struct rev_answer *answers;
	size_t n;
};

static inline struct house
house_new(void)
{
	struct house h = {0};
	struct err e = {0};

	OK(pki_new(&h.p, &e));
	pool_init(&h.pool, h.p);
	h.root = mini_cert(h.p, (struct spec){.name = "Root", .key = "p256", .ca = true, .ext = {NULL}});
	return h;
}

/* The CA needs a lasting address for its child's spec, so this is a second step. */
static inline void
house_fill(struct house *h, const char *leaf_ext)
{
	h->ca = mini_cert(h->p, (struct spec){.name = "CA", .issuer = &h->root, .key = "p256", .ca = true, .ext = {NULL}});
	h->leaf = mini_cert(h->p, (struct spec){.name = "leaf", .issuer = &h->ca, .key = "p256", .serial = 77, .ext = {leaf_ext, NULL}});
}

static inline void
house_auto(struct house *h)
{
	free(h->answers);
	pool_release(&h->pool);
	who_free(&h->root);
	who_free(&h->ca);
	who_free(&h->leaf);
	pki_free(h->p);
}

static inline const struct rev_answer *
ask(struct house *h, const struct cert *c, const struct cert *issuer)
{
	struct err e = {0};

	free(h->answers);
	OK(pool_answers(&h->pool, c, issuer, &h->answers, &h->n, &e));
	return h->n > 0 ? &h->answers[0] : NULL;
}

/* The one answer for the leaf from this object alone. */
static inline const struct rev_answer *
ask_alone(struct house *h, const struct revocation *r)
{
	struct err e = {0};

	pool_release(&h->pool);
	OK(pool_add_rev(&h->pool, r, &e));
	return ask(h, h->leaf.cert, h->ca.cert);
}

struct entry {
	const char *serial; /* decimal or 0x */
	int64_t when;
	int reason; /* -1 none */
	bool critical;
	const char *issuer; /* CN of certificateIssuer */
};

/* certificateIssuer (RFC 5280 5.3.3) of one common name. */
static inline X509_EXTENSION *
issuer_ext(const char *cn)
{
	AUTO(buf) struct buf pair = {0}, seq = {0}, set = {0}, name = {0}, general = {0}, value = {0};
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *oid = OBJ_txt2obj("2.5.29.29", 1);
	X509_EXTENSION *ext;

	ber_put_oid(&pair, "2.5.4.3");
	ber_put(&pair, 0x0c, slice_str(cn));
	ber_put_buf(&seq, BER_SEQUENCE, &pair);
	ber_put_buf(&set, BER_SET, &seq);
	ber_put_buf(&name, BER_SEQUENCE, &set);
	ber_put_buf(&general, BER_CTXC(4), &name);
	ber_put_buf(&value, BER_SEQUENCE, &general);
	ASN1_OCTET_STRING_set(octets, value.p, (int)value.n);
	ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, octets);
	ASN1_OBJECT_free(oid);
	ASN1_OCTET_STRING_free(octets);
	return ext;
}

struct crl_spec {
	const struct who *issuer;
	EVP_PKEY *key; /* NULL: the issuer's */
	const char *digest;
	bool pss, v1;
	int64_t this_update, next_update; /* 0: NOW and NOW + 30 days; next TIME_NONE: absent */
	struct entry entries[4];	  /* ends with serial NULL */
	const char *ext[4];
};

static inline void
crl_entry(X509_CRL *crl, const struct entry *x)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *serial = s2i_ASN1_INTEGER(NULL, x->serial);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)x->when);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();

	X509_REVOKED_set_serialNumber(r, serial);
	X509_REVOKED_set_revocationDate(r, when);
	if (x->reason >= 0) {
		ASN1_ENUMERATED_set(reason, x->reason);
		X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0);
	}
	if (x->critical) {
		X509_EXTENSION *ext = X509V3_EXT_conf(NULL, NULL, "1.3.6.1.4.1.99999.2", "critical,DER:0500");

		X509_REVOKED_add_ext(r, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (x->issuer != NULL) {
		X509_EXTENSION *ext = issuer_ext(x->issuer);

		X509_REVOKED_add_ext(r, ext, -1);
		X509_EXTENSION_free(ext);
	}
	X509_CRL_add0_revoked(crl, r);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(when);
	ASN1_ENUMERATED_free(reason);
}

static inline void
crl_ext(X509_CRL *crl, const struct who *issuer, const char *text)
{
	char *copy = mem_dupstr(text), *value = strchr(copy, '=');
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	*value++ = '\0';
	X509V3_set_ctx(&ctx, issuer->x509, NULL, NULL, crl, 0);
	ext = X509V3_EXT_conf(NULL, &ctx, copy, value);
	if (ext == NULL)
		fail_msg("extension %s", text);
	X509_CRL_add_ext(crl, ext, -1);
	X509_EXTENSION_free(ext);
	free(copy);
}

static inline const struct revocation *
crl_make(struct pki *p, struct crl_spec s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	const struct revocation *out;
	unsigned char *der = NULL;
	struct err e = {0};
	EVP_MD_CTX *md;
	size_t i;

	if (!s.v1)
		X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(s.issuer->x509));
	mini_time(t, s.this_update != 0 ? s.this_update : NOW);
	X509_CRL_set1_lastUpdate(crl, t);
	mini_time(t, s.next_update != 0 && s.next_update != TIME_NONE ? s.next_update : NOW + 30 * DAY);
	if (s.next_update != TIME_NONE)
		X509_CRL_set1_nextUpdate(crl, t);
	for (i = 0; s.entries[i].serial != NULL; i++)
		crl_entry(crl, &s.entries[i]);
	for (i = 0; s.ext[i] != NULL; i++)
		crl_ext(crl, s.issuer, s.ext[i]);
	md = mini_signer(s.key != NULL ? s.key : s.issuer->key, s.digest, s.pss);
	assert_true(X509_CRL_sign_ctx(crl, md) > 0);
	EVP_MD_CTX_free(md);
	OK(pki_crl(p, mini_der(i2d_X509_CRL(crl, &der), &der), &out, &e));
	OPENSSL_free(der);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return out;
}

struct ocsp_spec {
	const struct who *signer;
	X509 *subject, *issuer; /* of the CertID */
	const char *certid;	/* digest */
	int status, reason;
	int64_t revoked_at, this_update, next_update, produced_at;
	int64_t older_good; /* a second SingleResponse, good, with this thisUpdate */
	bool by_key, no_cert;
	const char *ext, *single_ext;
	X509 *embed;
	const char *digest;
};

static inline X509_EXTENSION *
plain_ext(const char *text)
{
	char *copy = mem_dupstr(text), *value = strchr(copy, '=');
	X509_EXTENSION *ext;

	*value++ = '\0';
	ext = X509V3_EXT_conf(NULL, NULL, copy, value);
	assert_non_null(ext);
	free(copy);
	return ext;
}

static inline struct slice
ocsp_octets(struct ocsp_spec s, int outer, unsigned char **der)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_get_digestbyname(s.certid != NULL ? s.certid : "SHA1"), s.subject, s.issuer);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)s.revoked_at), *this = ASN1_TIME_set(NULL, (time_t)(s.this_update != 0 ? s.this_update : NOW));
	ASN1_TIME *next = s.next_update == TIME_NONE ? NULL : ASN1_TIME_set(NULL, (time_t)(NOW + DAY));
	ASN1_GENERALIZEDTIME *produced;
	X509_EXTENSION *ext;
	OCSP_SINGLERESP *single;
	OCSP_RESPONSE *r;
	int n;

	if (s.older_good != 0) {
		ASN1_TIME *old = ASN1_TIME_set(NULL, (time_t)s.older_good);

		OCSP_basic_add1_status(b, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, old, next);
		ASN1_TIME_free(old);
	}
	single = OCSP_basic_add1_status(b, id, s.status, s.reason, when, this, next);
	assert_non_null(single);
	if (s.single_ext != NULL) {
		ext = plain_ext(s.single_ext);
		OCSP_SINGLERESP_add_ext(single, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (s.ext != NULL) {
		ext = plain_ext(s.ext);
		OCSP_BASICRESP_add_ext(b, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (s.embed != NULL)
		OCSP_basic_add1_cert(b, s.embed);
	produced = (ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(b);
	ASN1_GENERALIZEDTIME_set(produced, (time_t)(s.produced_at != 0 ? s.produced_at : NOW + 60));
	assert_int_equal(OCSP_basic_sign(b, s.signer->x509, s.signer->key, EVP_get_digestbyname(s.digest != NULL ? s.digest : "SHA256"), NULL,
			     OCSP_NOTIME | (s.by_key ? OCSP_RESPID_KEY : 0u) | (s.no_cert ? OCSP_NOCERTS : 0u)), 1);
	if (outer < 0) {
		n = i2d_OCSP_BASICRESP(b, der);
	} else {
		r = OCSP_response_create(outer, b);
		n = i2d_OCSP_RESPONSE(r, der);
		OCSP_RESPONSE_free(r);
	}
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(when);
	ASN1_TIME_free(this);
	ASN1_TIME_free(next);
	assert_true(n > 0);
	return slice_of(*der, (size_t)n);
}

static inline const struct revocation *
ocsp_make(struct pki *p, struct ocsp_spec s)
{
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};

	OK(pki_ocsp(p, ocsp_octets(s, 0, &der), &r, &e));
	OPENSSL_free(der);
	return r;
}

static inline struct ocsp_spec
about_leaf(const struct house *h, const struct who *signer)
{
	return (struct ocsp_spec){.signer = signer, .subject = h->leaf.x509, .issuer = h->ca.x509, .reason = -1};
}

#endif
