/* SPDX-License-Identifier: MIT */
/*
 * A small CA for tests: certificates, CRLs and OCSP responses made on the spot,
 * each differing from a good one by what the test says. Times are given.
 */
#ifndef EVERSEAL_TESTS_MINI_CA_H
#define EVERSEAL_TESTS_MINI_CA_H

#include "verify/pki_int.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1767225600) /* 2026-01-01 */
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		enum err_code code_ = (call);                                                                          \
		if (code_ != ERR_OK)                                                                                   \
			fail_msg("%s: %s", err_word(code_), e.text);                                                   \
	} while (0)

struct who {
	EVP_PKEY *key;
	X509 *x509;
	const struct cert *cert; /* as the pki sees it */
};

/* What to make; all-zero is an end entity under issuer, valid from NOW - 1 year to NOW + 1 year, RSA-2048 with SHA-256. */
struct spec {
	const char *name;
	const struct who *issuer; /* NULL: self-signed */
	const char *key;	  /* "rsa", "rsa1024", "p256", "p521", "brainpool", "ed25519", "ed448", "dsa" */
	EVP_PKEY *reuse;
	const char *digest; /* of the signature; "none" for EdDSA */
	bool pss;
	bool ca, v1 /* version 1: no extensions */;
	long serial;
	const char *ext[12]; /* "keyUsage=critical,cRLSign" ... ends with NULL */
	int64_t from, to;
};

static inline EVP_PKEY *
mini_key(const char *kind)
{
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL, *params = NULL;

	if (kind != NULL && strcmp(kind, "rsapss") == 0) {
		ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
		assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
		assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
		EVP_PKEY_CTX_free(ctx);
		return key;
	}

	if (kind == NULL || strcmp(kind, "rsa") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(kind, "rsa1024") == 0)
		return EVP_RSA_gen(1024);
	if (strcmp(kind, "p256") == 0)
		return EVP_EC_gen("P-256");
	if (strcmp(kind, "p521") == 0)
		return EVP_EC_gen("P-521");
	if (strcmp(kind, "brainpool") == 0)
		return EVP_EC_gen("brainpoolP384r1");
	if (strcmp(kind, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (strcmp(kind, "ed448") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	assert_string_equal(kind, "dsa");
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024), 1);
	assert_int_equal(EVP_PKEY_paramgen(ctx, &params), 1);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

static inline void
mini_time(ASN1_TIME *t, int64_t utc)
{
	assert_non_null(ASN1_TIME_set(t, (time_t)utc));
}

/* A context ready for X509_sign_ctx and its kin. */
static inline EVP_MD_CTX *
mini_signer(EVP_PKEY *key, const char *digest, bool pss)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	bool none = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");

	if (digest == NULL)
		digest = "SHA256";
	assert_int_equal(EVP_DigestSignInit(md, &ctx, none ? NULL : EVP_get_digestbyname(digest), NULL, key), 1);
	if (pss) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST), 1);
	}
	return md;
}

static inline void
mini_ext(X509 *x, X509 *issuer, const char *text)
{
	char *copy = mem_dupstr(text), *value = strchr(copy, '=');
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	assert_non_null(value);
	*value++ = '\0';
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf(NULL, &ctx, copy, value);
	if (ext == NULL)
		fail_msg("extension %s", text);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	free(copy);
}

static inline struct slice
mini_der(int n, unsigned char **p)
{
	assert_true(n > 0);
	return slice_of(*p, (size_t)n);
}

static inline struct who
mini_cert(struct pki *pki, struct spec s)
{
	struct who w = {.key = s.reuse != NULL ? s.reuse : mini_key(s.key), .x509 = X509_new()};
	X509 *issuer = s.issuer != NULL ? s.issuer->x509 : w.x509;
	struct err e = {0};
	unsigned char *der = NULL;
	EVP_MD_CTX *md;
	size_t i;

	if (s.reuse != NULL)
		EVP_PKEY_up_ref(s.reuse);
	assert_non_null(w.key);
	X509_set_version(w.x509, s.v1 ? X509_VERSION_1 : X509_VERSION_3);
	ASN1_INTEGER_set_int64(X509_get_serialNumber(w.x509), s.serial != 0 ? s.serial : 1000 + (long)strlen(s.name));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(w.x509), "CN", MBSTRING_UTF8,
			     (const unsigned char *)s.name, -1, -1, 0), 1);
	X509_set_issuer_name(w.x509, X509_get_subject_name(issuer));
	mini_time(X509_getm_notBefore(w.x509), s.from != 0 ? s.from : NOW - YEAR);
	mini_time(X509_getm_notAfter(w.x509), s.to != 0 ? s.to : NOW + YEAR);
	assert_int_equal(X509_set_pubkey(w.x509, w.key), 1);
	if (s.ca) {
		mini_ext(w.x509, issuer, "basicConstraints=critical,CA:TRUE");
		mini_ext(w.x509, issuer, "keyUsage=critical,keyCertSign,cRLSign");
	}
	if (!s.v1)
		mini_ext(w.x509, issuer, "subjectKeyIdentifier=hash");
	if (s.issuer != NULL && !s.v1 && X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0)
		mini_ext(w.x509, issuer, "authorityKeyIdentifier=keyid");
	for (i = 0; s.ext[i] != NULL; i++)
		mini_ext(w.x509, issuer, s.ext[i]);
	md = mini_signer(s.issuer != NULL ? s.issuer->key : w.key, s.digest, s.pss);
	assert_true(X509_sign_ctx(w.x509, md) > 0);
	EVP_MD_CTX_free(md);
	if (pki != NULL) {
		OK(pki_cert(pki, mini_der(i2d_X509(w.x509, &der), &der), &w.cert, &e));
		OPENSSL_free(der);
	}
	return w;
}

static inline void
who_free(struct who *w)
{
	EVP_PKEY_free(w->key);
	X509_free(w->x509);
	*w = (struct who){0};
}

static inline void
who_auto(struct who *w)
{
	who_free(w);
}

/* Position of octets in der that occur once there; the test then changes them in place. */
static inline uint8_t *
find_once(uint8_t *der, size_t n, const void *what, size_t len)
{
	uint8_t *at = memmem(der, n, what, len);

	assert_non_null(at);
	assert_null(memmem(at + 1, n - (size_t)(at + 1 - der), what, len));
	return at;
}

#endif
