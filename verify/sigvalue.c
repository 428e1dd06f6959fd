/* SPDX-License-Identifier: MIT */
/*
 * SignatureMethod and SignatureValue (xades.md 1.7): the algorithm table, and
 * the one check of a value over the canonical SignedInfo.
 */
#include "verify/sigalg.h"
#include "verify/xades_int.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define MORE01 "http://www.w3.org/2001/04/xmldsig-more#"
#define MORE07 "http://www.w3.org/2007/05/xmldsig-more#"
#define MORE21 "http://www.w3.org/2021/04/xmldsig-more#"
#define PAIR_MAX 72 /* octets of r and of s: P-521 has 66, ASN.1 lengths stay below 256 */
#define DSIG11 "http://www.w3.org/2009/xmldsig11#"

struct method_row {
	const char *uri;
	enum key_kind key;
	enum digest_alg digest;
	bool hmac;
};

static const struct method_row methods[] = {
    {MORE01 "rsa-sha256", KEY_RSA, DIGEST_SHA256, false},
    {MORE01 "ecdsa-sha256", KEY_ECDSA, DIGEST_SHA256, false},
    {MORE01 "rsa-sha512", KEY_RSA, DIGEST_SHA512, false},
    {NS_DS "rsa-sha1", KEY_RSA, DIGEST_SHA1, false},
    {MORE01 "rsa-md5", KEY_RSA, DIGEST_MD5, false},
    {MORE01 "rsa-sha224", KEY_RSA, DIGEST_SHA224, false},
    {MORE01 "rsa-sha384", KEY_RSA, DIGEST_SHA384, false},
    {MORE01 "rsa-ripemd160", KEY_RSA, DIGEST_RIPEMD160, false},
    {"http://www.w3.org/2001/04/xmldsig-more/rsa-ripemd160", KEY_RSA, DIGEST_RIPEMD160, false}, /* seen, though never defined */
    {MORE07 "rsa-whirlpool", KEY_RSA, DIGEST_WHIRLPOOL, false},
    {MORE07 "sha1-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA1, false},
    {MORE07 "sha224-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA224, false},
    {MORE07 "sha256-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA256, false},
    {MORE07 "sha384-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA384, false},
    {MORE07 "sha512-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA512, false},
    {MORE07 "sha3-224-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA3_224, false},
    {MORE07 "sha3-256-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA3_256, false},
    {MORE07 "sha3-384-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA3_384, false},
    {MORE07 "sha3-512-rsa-MGF1", KEY_RSA_PSS, DIGEST_SHA3_512, false},
    {MORE07 "rsa-pss", KEY_RSA_PSS, DIGEST_NONE, false}, /* RSAPSSParams say which */
    {MORE01 "ecdsa-sha1", KEY_ECDSA, DIGEST_SHA1, false},
    {MORE01 "ecdsa-sha224", KEY_ECDSA, DIGEST_SHA224, false},
    {MORE01 "ecdsa-sha384", KEY_ECDSA, DIGEST_SHA384, false},
    {MORE01 "ecdsa-sha512", KEY_ECDSA, DIGEST_SHA512, false},
    {MORE07 "ecdsa-ripemd160", KEY_ECDSA, DIGEST_RIPEMD160, false},
    {MORE07 "ecdsa-whirlpool", KEY_ECDSA, DIGEST_WHIRLPOOL, false},
    {MORE21 "ecdsa-sha3-224", KEY_ECDSA, DIGEST_SHA3_224, false},
    {MORE21 "ecdsa-sha3-256", KEY_ECDSA, DIGEST_SHA3_256, false},
    {MORE21 "ecdsa-sha3-384", KEY_ECDSA, DIGEST_SHA3_384, false},
    {MORE21 "ecdsa-sha3-512", KEY_ECDSA, DIGEST_SHA3_512, false},
    {MORE21 "eddsa-ed25519", KEY_ED25519, DIGEST_NONE, false},
    {MORE21 "eddsa-ed448", KEY_ED448, DIGEST_NONE, false},
    {NS_DS "dsa-sha1", KEY_DSA, DIGEST_SHA1, false},
    {DSIG11 "dsa-sha256", KEY_DSA, DIGEST_SHA256, false},
    {NS_DS "hmac-sha1", KEY_UNKNOWN, DIGEST_SHA1, true},
    {MORE01 "hmac-md5", KEY_UNKNOWN, DIGEST_MD5, true},
    {MORE01 "hmac-sha224", KEY_UNKNOWN, DIGEST_SHA224, true},
    {MORE01 "hmac-sha256", KEY_UNKNOWN, DIGEST_SHA256, true},
    {MORE01 "hmac-sha384", KEY_UNKNOWN, DIGEST_SHA384, true},
    {MORE01 "hmac-sha512", KEY_UNKNOWN, DIGEST_SHA512, true},
    {MORE01 "hmac-ripemd160", KEY_UNKNOWN, DIGEST_RIPEMD160, true},
};

static const struct method_row *
method_by_uri(const char *uri)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].uri, uri) == 0)
			return &methods[i];
	return NULL;
}

static enum digest_alg
digest_named(const xmlNode *method)
{
	const char *uri = xml_attr(method, "Algorithm");
	const struct digest_row *row = uri != NULL ? digest_by_uri(uri) : NULL;

	return row != NULL ? row->alg : DIGEST_NONE;
}

/* RFC 9231 2.3.9: defaults SHA-256, MGF1 with the same digest, salt as long as the digest, trailer 1. False: something unknown. */
static bool
read_pss(struct sigdoc *d, const xmlNode *method, struct xsig *s)
{
	const xmlNode *p = xml_first(method, MORE07, "RSAPSSParams"), *n;
	AUTO(mem) char *text = NULL;
	long value;

	(void)d;
	s->method.digest = DIGEST_SHA256;
	n = xml_first(p, NS_DS, "DigestMethod");
	if (n != NULL)
		s->method.digest = digest_named(n);
	s->method.mgf = s->method.digest;
	n = xml_first(p, MORE07, "MaskGenerationFunction");
	if (n != NULL && (xml_attr(n, "Algorithm") == NULL || strcmp(xml_attr(n, "Algorithm"), MORE07 "MGF1") != 0))
		return false;
	if (xml_first(n, NS_DS, "DigestMethod") != NULL)
		s->method.mgf = digest_named(xml_first(n, NS_DS, "DigestMethod"));
	if (s->method.digest == DIGEST_NONE || s->method.mgf == DIGEST_NONE)
		return false;
	s->pss_salt = (int)digest_row(s->method.digest)->size;
	n = xml_first(p, MORE07, "SaltLength");
	if (n != NULL) {
		char *end;

		if (xml_text_dup(n, 16, &text, NULL) != ERR_OK)
			return false;
		value = strtol(text, &end, 10);
		if (end == text || *end != '\0' || value < 0 || value > 4096)
			return false;
		s->pss_salt = (int)value;
	}
	n = xml_first(p, MORE07, "TrailerField");
	if (n != NULL) {
		AUTO(mem) char *trailer = NULL;

		if (xml_text_dup(n, 16, &trailer, NULL) != ERR_OK || strcmp(trailer, "1") != 0)
			return false;
	}
	return true;
}

static void
set_method(struct sigdoc *d, struct xsig *s, const xmlNode *method)
{
	const struct method_row *row = s->method_uri != NULL ? method_by_uri(s->method_uri) : NULL;

	s->method.is_signature = true;
	s->method.usage = USE_DATA;
	if (row == NULL)
		return;
	s->is_hmac = row->hmac;
	s->method.key = row->key;
	s->method.digest = row->digest;
	if (row->key != KEY_RSA_PSS)
		return;
	if (row->digest != DIGEST_NONE) {
		s->method.mgf = row->digest;
		s->pss_salt = (int)digest_row(row->digest)->size;
	} else if (!read_pss(d, method, s)) {
		s->method.key = KEY_UNKNOWN;
		s->method.digest = s->method.mgf = DIGEST_NONE;
	}
}

enum err_code
method_read(struct sigdoc *d, struct xsig *s, struct err *e)
{
	const xmlNode *method = xml_first(s->signed_info, NS_DS, "SignatureMethod");
	const xmlNode *c14n = xml_first(s->signed_info, NS_DS, "CanonicalizationMethod");
	const char *m = xml_attr(method, "Algorithm"), *c = xml_attr(c14n, "Algorithm");

	if (s->signed_info != NULL && (m == NULL || c == NULL))
		format_fault(s, "SignedInfo without its methods (XMLDSig 4.4)");
	if (m != NULL)
		s->method_uri = arena_dup(&state_of(d)->arena, m);
	if (c != NULL)
		s->c14n_uri = arena_dup(&state_of(d)->arena, c);
	if ((m != NULL && s->method_uri == NULL) || (c != NULL && s->c14n_uri == NULL))
		return err_nomem(e);
	set_method(d, s, method);
	return ERR_OK;
}

/* ---- the check ---- */

static enum err_code
note(struct sigdoc *d, struct xsig *s, const char *text)
{
	s->value_note = arena_dup(&state_of(d)->arena, text);
	return ERR_OK;
}

/* Octets of r and of s: by the group's order, or DSA's q. 0 = can't say. */
static size_t
half_width(EVP_PKEY *key, enum key_kind kind)
{
	BIGNUM *q = NULL;
	size_t bits = 0;

	if (kind == KEY_DSA) {
		if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_Q, &q) == 1)
			bits = (size_t)BN_num_bits(q);
		BN_free(q);
	} else if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_ORDER, &q) == 1) {
		bits = (size_t)BN_num_bits(q);
		BN_free(q);
	}
	return (bits + 7) / 8;
}

/* r and s, each in a DER INTEGER, in a SEQUENCE. out: at least 2 * width + 16 octets. */
static size_t
der_pair(struct slice raw, uint8_t *out)
{
	size_t w = raw.n / 2, n = 0, i, half;
	uint8_t body[2 * PAIR_MAX + 16];

	for (half = 0; half < 2; half++) {
		const uint8_t *p = raw.p + half * w;
		bool pad;

		for (i = 0; i + 1 < w && p[i] == 0; i++)
			;
		pad = (p[i] & 0x80) != 0;
		body[n++] = 0x02;
		body[n++] = (uint8_t)(w - i + pad);
		if (pad)
			body[n++] = 0;
		memcpy(body + n, p + i, w - i);
		n += w - i;
	}
	i = 0;
	out[i++] = 0x30;
	if (n >= 0x80)
		out[i++] = 0x81;
	out[i++] = (uint8_t)n;
	memcpy(out + i, body, n);
	return i + n;
}

static enum err_code
verify_digest(struct sigdoc *d, struct xsig *s, EVP_PKEY *key, const struct digest *h, struct slice sig, enum tri *out, struct err *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	int ok, rc = -1;

	if (ctx == NULL)
		return err_openssl(e, ERR_NOMEM, "key");
	ok = EVP_PKEY_verify_init(ctx) == 1;
	if (ok && s->method.key == KEY_RSA)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	if (ok && s->method.key == KEY_RSA_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1;
	if (ok)
		ok = EVP_PKEY_CTX_set_signature_md(ctx, digest_evp(s->method.digest)) == 1;
	if (ok && s->method.key == KEY_RSA_PSS)
		ok = EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, digest_evp(s->method.mgf)) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, s->pss_salt) == 1;
	if (ok)
		rc = EVP_PKEY_verify(ctx, sig.p, sig.n, h->octets, h->n);
	EVP_PKEY_CTX_free(ctx);
	*out = rc == 1 ? TRI_TRUE : TRI_FALSE;
	if (!ok) {
		/* A key whose own parameters forbid this use (RSASSA-PSS keys), or a digest that the scheme can't name. */
		*out = TRI_UNKNOWN;
		(void)note(d, s, "the key and the algorithm can't be used together in this OpenSSL");
	}
	ERR_clear_error(); /* a wrong signature leaves entries behind */
	return ERR_OK;
}

/* r and s each with octets of zero in front: the same numbers, wider than the order. w: the width that they ought to have. */
static bool
padded_pair(const struct xsig *s, size_t w)
{
	size_t half = s->value.n / 2, i;

	if (s->value.n % 2 != 0 || half <= w || half > PAIR_MAX)
		return false;
	for (i = 0; i < half - w; i++)
		if (s->value.p[i] != 0 || s->value.p[half + i] != 0)
			return false;
	return true;
}

static enum err_code
verify_pair(struct sigdoc *d, struct xsig *s, EVP_PKEY *key, const struct digest *h, enum tri *out, struct err *e)
{
	uint8_t der[2 * PAIR_MAX + 32];
	size_t w = half_width(key, s->method.key);

	*out = TRI_FALSE;
	if (w == 0 || w > PAIR_MAX) {
		*out = TRI_UNKNOWN;
		return note(d, s, "the key's group is not supported");
	}
	if (state_of(d)->limits.loose_pairs && s->value.n > 8 && s->value.p[0] == 0x30 && s->value.n != 2 * w)
		return verify_digest(d, s, key, h, s->value, out, e);
	if (padded_pair(s, w)) {
		(void)note(d, s, "r and s are wider than the group's order, by leading zeros (XMLDSig 6.4.3)");
		return verify_digest(d, s, key, h, slice_of(der, der_pair(s->value, der)), out, e);
	}
	if (s->value.n != 2 * w && (!state_of(d)->limits.loose_pairs || s->value.n % 2 != 0 || s->value.n > 2 * PAIR_MAX))
		return note(d, s, s->value.n > 8 && s->value.p[0] == 0x30 ? "r and s stand in DER, not side by side (XMLDSig 6.4.3)" :
									    "r and s have not the width of the group's order (XMLDSig 6.4.3)");
	return verify_digest(d, s, key, h, slice_of(der, der_pair(s->value, der)), out, e);
}

static enum err_code
verify_pure(struct sigdoc *d, struct xsig *s, EVP_PKEY *key, struct slice text, enum tri *out, struct err *e)
{
	EVP_MD_CTX *ctx = state_of(d)->md;
	int rc;

	if (EVP_MD_CTX_reset(ctx) != 1 || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1)
		return err_openssl(e, ERR_UNSUPPORTED, "EdDSA key");
	rc = EVP_DigestVerify(ctx, s->value.p, s->value.n, text.p, text.n);
	(void)EVP_MD_CTX_reset(ctx);
	ERR_clear_error();
	*out = rc == 1 ? TRI_TRUE : TRI_FALSE;
	return ERR_OK;
}

/* Canonical SignedInfo, in place. *fault: static text when it has no canonical form that we know. */
static enum err_code
signed_octets(struct sigdoc *d, struct xsig *s, struct buf *out, const char **fault, struct err *e)
{
	struct sink to = sink_buf(out);
	struct err why = {0};
	struct c14n how;
	enum err_code rc;

	*fault = NULL;
	if (s->signed_info == NULL || s->signature_value == NULL || s->method_uri == NULL || s->c14n_uri == NULL) {
		*fault = "the signature is incomplete";
		return ERR_OK;
	}
	if (!c14n_of(xml_first(s->signed_info, NS_DS, "CanonicalizationMethod"), &how)) {
		*fault = "CanonicalizationMethod is not supported";
		return ERR_OK;
	}
	rc = node_write(d, s->signed_info, &how, NULL, &to, &why);
	if (rc == ERR_FORMAT || rc == ERR_LIMIT) {
		*fault = "SignedInfo has no canonical form";
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return err_set(e, rc, "SignedInfo: %s", why.text);
	return buf_ok(out, e);
}

enum err_code
sig_check_value(struct sigdoc *d, struct xsig *s, EVP_PKEY *key, enum tri *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	const char *fault;
	struct digest h;

	*out = TRI_UNKNOWN;
	s->value_note = NULL;
	if (key == NULL)
		return note(d, s, "no key");
	if (signed_octets(d, s, &text, &fault, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	if (fault != NULL)
		return note(d, s, fault);
	if (s->method.key == KEY_UNKNOWN)
		return note(d, s, s->is_hmac ? "a message authentication code is not a signature" : "SignatureMethod is not supported");
	if (!key_fits(s->method.key, key)) {
		*out = TRI_FALSE;
		return note(d, s, "the key is of another kind than SignatureMethod says");
	}
	if (s->value.n == 0) {
		*out = TRI_FALSE;
		return note(d, s, "SignatureValue is not base64");
	}
	if (s->method.key == KEY_ED25519 || s->method.key == KEY_ED448)
		return verify_pure(d, s, key, buf_slice(&text), out, e);
	if (digest_evp(s->method.digest) == NULL || (s->method.key == KEY_RSA_PSS && digest_evp(s->method.mgf) == NULL))
		return note(d, s, "the digest is not in this OpenSSL");
	if (digest_once(s->method.digest, buf_slice(&text), &h, e) != ERR_OK)
		return err_wrap(e, "SignedInfo");
	if (s->method.key == KEY_ECDSA || s->method.key == KEY_DSA)
		return verify_pair(d, s, key, &h, out, e);
	if (s->value.n != (size_t)EVP_PKEY_get_size(key)) {
		*out = TRI_FALSE;
		return note(d, s, "SignatureValue has not the length of the key's modulus (RFC 8017 8.2.2)");
	}
	return verify_digest(d, s, key, &h, s->value, out, e);
}

/* HMACOutputLength in bits; 0 = absent; -1 = not allowed (CVE-2009-0217: at least 80 and half of the digest, whole octets). */
static long
hmac_bits(const struct xsig *s, size_t digest_octets, unsigned least)
{
	const xmlNode *n = xml_first(xml_first(s->signed_info, NS_DS, "SignatureMethod"), NS_DS, "HMACOutputLength");
	AUTO(mem) char *text = NULL;
	long bits;
	char *end;

	if (n == NULL)
		return 0;
	if (xml_text_dup(n, 16, &text, NULL) != ERR_OK)
		return -1;
	bits = strtol(text, &end, 10);
	if (end == text || *end != '\0' || bits % 8 != 0 || bits < (long)least || bits > (long)digest_octets * 8)
		return -1;
	return bits;
}

enum err_code
sig_check_hmac(struct sigdoc *d, struct xsig *s, struct slice key, enum tri *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	uint8_t mac[EVP_MAX_MD_SIZE];
	const char *fault;
	unsigned n = 0, least;
	size_t size;
	long bits;

	*out = TRI_UNKNOWN;
	s->value_note = NULL;
	if (signed_octets(d, s, &text, &fault, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	if (fault != NULL)
		return note(d, s, fault);
	if (!s->is_hmac || digest_evp(s->method.digest) == NULL)
		return note(d, s, "SignatureMethod is not a supported HMAC");
	size = digest_row(s->method.digest)->size;
	least = state_of(d)->limits.hmac_min_bits;
	if (least == 0)
		least = size * 4 > 80 ? (unsigned)size * 4 : 80;
	bits = hmac_bits(s, size, least);
	if (bits < 0) {
		*out = TRI_FALSE;
		return note(d, s, "HMACOutputLength is not allowed (XMLDSig 6.3.1)");
	}
	if (HMAC(digest_evp(s->method.digest), key.p, (int)key.n, text.p, text.n, mac, &n) == NULL)
		return err_openssl(e, ERR_NOMEM, "HMAC");
	if (bits != 0)
		n = (unsigned)bits / 8;
	*out = s->value.n == n && CRYPTO_memcmp(mac, s->value.p, n) == 0 ? TRI_TRUE : TRI_FALSE;
	return ERR_OK;
}
