/* SPDX-License-Identifier: MIT */
/*
 * What loads lazily, loaded: glibc's time zone, OpenSSL's
 * configuration, providers and algorithms, libxml2's tables. Nothing foreign is
 * read; what it makes is thrown away.
 */
#include "base/digest.h"
#include "base/worker.h"
#include "base/xml.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* One-time state of a library, like OpenSSL's own. */
static bool done;

/* Absent algorithms stay absent; whoever needs one is told so then. */
static enum err_code
warm_digests(struct err *e)
{
	struct digest d;

	for (int alg = DIGEST_NONE + 1; alg < DIGEST_ALGS; alg++) {
		struct err why = {0};
		enum err_code code = digest_once((enum digest_alg)alg, slice_str("x"), &d, &why);

		if (code != ERR_OK && code != ERR_UNSUPPORTED)
			return err_set(e, code, "digests: %s", why.text);
	}
	return ERR_OK;
}

/* A verification that fails loads as much as one that succeeds. */
static void
try_verify(EVP_PKEY *key, const char *digest, bool pss)
{
	static const unsigned char sig[64] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *c = NULL;
	EVP_MD *md = digest != NULL ? EVP_MD_fetch(NULL, digest, NULL) : NULL;

	if (m != NULL && key != NULL && EVP_DigestVerifyInit(m, &c, md, NULL, key) == 1) {
		if (pss)
			(void)EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING);
		(void)EVP_DigestVerify(m, sig, sizeof(sig), (const unsigned char *)"x", 1);
	}
	EVP_MD_free(md);
	EVP_MD_CTX_free(m);
}

/* A modulus without factors known: good for verifying, and made at once. */
static EVP_PKEY *
rsa_public(void)
{
	unsigned char modulus[256];
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *p = NULL;
	EVP_PKEY *key = NULL;
	BIGNUM *n, *ex = BN_new();

	memset(modulus, 0xc3, sizeof(modulus));
	n = BN_bin2bn(modulus, sizeof(modulus), NULL);
	if (c != NULL && b != NULL && n != NULL && ex != NULL && BN_set_word(ex, 65537) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, ex) == 1 && (p = OSSL_PARAM_BLD_to_param(b)) != NULL &&
	    EVP_PKEY_fromdata_init(c) == 1)
		(void)EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, p);
	OSSL_PARAM_free(p);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_free(n);
	BN_free(ex);
	return key;
}

/* Any valid point will do, so no key is made: the group's own generator. */
static EVP_PKEY *
ec_public(const char *name)
{
	unsigned char point[160];
	EC_GROUP *g = EC_GROUP_new_by_curve_name(OBJ_txt2nid(name));
	size_t n = g != NULL ? EC_POINT_point2oct(g, EC_GROUP_get0_generator(g), POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point), NULL) : 0;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)name, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, n), OSSL_PARAM_construct_end()};
	EVP_PKEY *key = NULL;

	if (c != NULL && n != 0 && EVP_PKEY_fromdata_init(c) == 1)
		(void)EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, p);
	EVP_PKEY_CTX_free(c);
	EC_GROUP_free(g);
	return key;
}

static EVP_PKEY *
raw_public(const char *name, size_t n)
{
	static const unsigned char one[57] = {1};

	return EVP_PKEY_new_raw_public_key_ex(NULL, name, NULL, one, n);
}

/* Self-signed with Ed25519, CN "warm \u00e9", basicConstraints; its key is gone. Making one here would cost every start a millisecond. */
static const unsigned char warm_cert[] = {
    0x30, 0x82, 0x01, 0x17, 0x30, 0x81, 0xca, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x14, 0x69, 0xb1,
    0xcc, 0xf1, 0x94, 0x6d, 0x05, 0x27, 0x70, 0x41, 0x52, 0xbc, 0x85, 0x8f, 0x40, 0xf5, 0x62, 0x53,
    0x5e, 0x44, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06,
    0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x77, 0x61, 0x72, 0x6d, 0x20, 0xc3, 0xa9, 0x30, 0x1e, 0x17,
    0x0d, 0x32, 0x36, 0x31, 0x31, 0x32, 0x31, 0x31, 0x31, 0x30, 0x37, 0x35, 0x36, 0x5a, 0x17, 0x0d,
    0x32, 0x36, 0x31, 0x31, 0x32, 0x32, 0x31, 0x31, 0x30, 0x37, 0x35, 0x36, 0x5a, 0x30, 0x12, 0x31,
    0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x77, 0x61, 0x72, 0x6d, 0x20, 0xc3,
    0xa9, 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x8c, 0xb9, 0x20,
    0x26, 0xa9, 0x0d, 0x3b, 0x68, 0x53, 0x42, 0x05, 0xd7, 0xb3, 0x12, 0x83, 0xa9, 0xb0, 0x6e, 0xd1,
    0xd5, 0x10, 0xcd, 0xb1, 0x10, 0x24, 0x81, 0x85, 0x08, 0x43, 0x70, 0x1e, 0x7d, 0xa3, 0x32, 0x30,
    0x30, 0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01,
    0x01, 0xff, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14, 0x60, 0x1f, 0xe7,
    0x5c, 0x57, 0x6e, 0x8b, 0x67, 0x51, 0x02, 0x43, 0x08, 0xb2, 0x16, 0x95, 0x60, 0x9f, 0xa0, 0xb4,
    0x14, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00, 0xbb, 0x74, 0x11, 0xec, 0xf1,
    0xf7, 0x09, 0x83, 0x26, 0x82, 0x4f, 0xf2, 0xda, 0xda, 0xc0, 0xe2, 0x9f, 0xe6, 0x40, 0x16, 0x3d,
    0x99, 0xa4, 0xb5, 0xe4, 0xff, 0x4b, 0xa2, 0x33, 0xc6, 0xfb, 0xf1, 0x82, 0x02, 0xa6, 0xd5, 0xc6,
    0x16, 0xcf, 0xba, 0x04, 0x4e, 0xad, 0x1c, 0xbf, 0x50, 0xb3, 0xd0, 0xc0, 0x92, 0x12, 0x7d, 0x7c,
    0x8e, 0x52, 0xc1, 0x1a, 0xda, 0xac, 0xad, 0x84, 0x76, 0x8e, 0x0e,
};

/* Decoded, shown, verified: tables of names, extensions, key decoders. */
static bool
use_cert(void)
{
	const unsigned char *p = warm_cert;
	X509 *cert = d2i_X509(NULL, &p, (long)sizeof(warm_cert));
	char *text = NULL;
	bool ok = false;

	if (cert != NULL) {
		text = X509_NAME_oneline(X509_get_subject_name(cert), NULL, 0);
		ok = text != NULL && X509_check_ca(cert) == 1 && X509_verify(cert, X509_get0_pubkey(cert)) == 1;
	}
	OPENSSL_free(text);
	X509_free(cert);
	return ok;
}

static enum err_code
warm_keys(struct err *e)
{
	EVP_PKEY *ec = ec_public("prime256v1"), *brainpool = ec_public("brainpoolP256r1");
	EVP_PKEY *ed25519 = raw_public("ED25519", 32), *ed448 = raw_public("ED448", 57);
	EVP_PKEY *rsa = rsa_public();
	bool ok = ec != NULL && ed25519 != NULL && rsa != NULL && use_cert();

	try_verify(ec, "SHA256", false);
	try_verify(brainpool, "SHA256", false);
	try_verify(ed25519, NULL, false);
	try_verify(ed448, NULL, false);
	try_verify(rsa, "SHA256", false);
	try_verify(rsa, "SHA256", true);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(brainpool);
	EVP_PKEY_free(ed448);
	EVP_PKEY_free(ed25519);
	EVP_PKEY_free(ec);
	if (!ok)
		return err_openssl(e, ERR_UNSUPPORTED, "keys and certificates");
	ERR_clear_error();
	return ERR_OK;
}

static void
warm_libc(void)
{
	time_t now = 0;
	struct tm tm;
	char text[128];
	unsigned char r[8];
	struct err why;

	tzset();
	(void)localtime_r(&now, &tm);
	err_errno(&why, ERR_IO, ENOENT, "text");
	(void)strftime(text, sizeof(text), "%Y %B", &tm);
	ERR_error_string_n(ERR_PACK(ERR_LIB_X509, 0, X509_R_CERT_ALREADY_IN_HASH_TABLE), text, sizeof(text));
	(void)RAND_bytes(r, sizeof(r));
	(void)RAND_priv_bytes(r, sizeof(r));
	(void)OBJ_txt2nid("1.2.840.113549.1.7.2");
}

enum err_code
worker_warm_up_base(struct err *e)
{
	enum err_code code;

	if (done)
		return ERR_OK;
	xml_init();
	warm_libc();
	code = warm_digests(e);
	if (code == ERR_OK)
		code = warm_keys(e);
	done = code == ERR_OK;
	return code;
}
