/* SPDX-License-Identifier: MIT */
#include "verify/sigalg.h"

#include "verify/ber.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define PKCS1 "1.2.840.113549.1.1."
#define NIST_SIGS "2.16.840.1.101.3.4.3."
#define PLAIN "0.4.0.127.0.7.1.1.4.1."

struct suite_row {
	const char *oid;
	enum key_kind key;
	enum digest_alg digest; /* DIGEST_NONE: named beside it (CMS), or the scheme has none */
};

static const struct suite_row suites[] = {
    {PKCS1 "1", KEY_RSA, DIGEST_NONE},
    {PKCS1 "4", KEY_RSA, DIGEST_MD5},
    {PKCS1 "5", KEY_RSA, DIGEST_SHA1},
    {"1.3.14.3.2.29", KEY_RSA, DIGEST_SHA1},
    {PKCS1 "14", KEY_RSA, DIGEST_SHA224},
    {PKCS1 "11", KEY_RSA, DIGEST_SHA256},
    {PKCS1 "12", KEY_RSA, DIGEST_SHA384},
    {PKCS1 "13", KEY_RSA, DIGEST_SHA512},
    {"1.3.36.3.3.1.2", KEY_RSA, DIGEST_RIPEMD160},
    {NIST_SIGS "13", KEY_RSA, DIGEST_SHA3_224},
    {NIST_SIGS "14", KEY_RSA, DIGEST_SHA3_256},
    {NIST_SIGS "15", KEY_RSA, DIGEST_SHA3_384},
    {NIST_SIGS "16", KEY_RSA, DIGEST_SHA3_512},
    {PKCS1 "10", KEY_RSA_PSS, DIGEST_NONE},
    {"1.2.840.10045.2.1", KEY_ECDSA, DIGEST_NONE},
    {"1.2.840.10045.4.1", KEY_ECDSA, DIGEST_SHA1},
    {"1.2.840.10045.4.3.1", KEY_ECDSA, DIGEST_SHA224},
    {"1.2.840.10045.4.3.2", KEY_ECDSA, DIGEST_SHA256},
    {"1.2.840.10045.4.3.3", KEY_ECDSA, DIGEST_SHA384},
    {"1.2.840.10045.4.3.4", KEY_ECDSA, DIGEST_SHA512},
    {NIST_SIGS "9", KEY_ECDSA, DIGEST_SHA3_224},
    {NIST_SIGS "10", KEY_ECDSA, DIGEST_SHA3_256},
    {NIST_SIGS "11", KEY_ECDSA, DIGEST_SHA3_384},
    {NIST_SIGS "12", KEY_ECDSA, DIGEST_SHA3_512},
    {PLAIN "1", KEY_PLAIN_ECDSA, DIGEST_SHA1},
    {PLAIN "2", KEY_PLAIN_ECDSA, DIGEST_SHA224},
    {PLAIN "3", KEY_PLAIN_ECDSA, DIGEST_SHA256},
    {PLAIN "4", KEY_PLAIN_ECDSA, DIGEST_SHA384},
    {PLAIN "5", KEY_PLAIN_ECDSA, DIGEST_SHA512},
    {PLAIN "6", KEY_PLAIN_ECDSA, DIGEST_RIPEMD160},
    {"1.2.840.10040.4.1", KEY_DSA, DIGEST_NONE},
    {"1.2.840.10040.4.3", KEY_DSA, DIGEST_SHA1},
    {NIST_SIGS "1", KEY_DSA, DIGEST_SHA224},
    {NIST_SIGS "2", KEY_DSA, DIGEST_SHA256},
    {NIST_SIGS "3", KEY_DSA, DIGEST_SHA384},
    {NIST_SIGS "4", KEY_DSA, DIGEST_SHA512},
    {"1.3.101.112", KEY_ED25519, DIGEST_NONE},
    {"1.3.101.113", KEY_ED448, DIGEST_NONE},
};

static const struct suite_row *
suite_find(const char *oid)
{
	size_t i;

	for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (strcmp(suites[i].oid, oid) == 0)
			return &suites[i];
	return NULL;
}

/* RSASSA-PSS-params (RFC 4055 3.1): everything may be left out and then means SHA-1, MGF1 with SHA-1, 20, 1. */
static bool
pss_params(struct cur *c, struct sig_scheme *s)
{
	struct cur seq, mgf;
	struct ber field, inner, oid;
	int64_t v = 20, trailer = 1;

	s->digest = s->mgf = DIGEST_SHA1;
	if (cur_at_end(c))
		return (s->salt = 20);
	ber_enter(c, BER_SEQUENCE, &seq);
	if (ber_opt(&seq, BER_CTXC(0), &field)) {
		mgf = cur_from(field.body);
		ber_take(&mgf, BER_SEQUENCE, &inner);
		s->digest = ber_digest_alg(inner.body);
	}
	if (ber_opt(&seq, BER_CTXC(1), &field)) {
		struct cur alg = cur_from(field.body);

		ber_enter(&alg, BER_SEQUENCE, &mgf);
		ber_take(&mgf, BER_OID, &oid);
		ber_take(&mgf, BER_SEQUENCE, &inner);
		if (!ber_oid_is(oid.body, PKCS1 "8"))
			return false;
		s->mgf = ber_digest_alg(inner.body);
	}
	if (ber_opt(&seq, BER_CTXC(2), &field)) {
		mgf = cur_from(field.body);
		if (!ber_take(&mgf, BER_INTEGER, &inner) || !ber_int64(inner.body, &v))
			return false;
	}
	if (ber_opt(&seq, BER_CTXC(3), &field)) {
		mgf = cur_from(field.body);
		if (!ber_take(&mgf, BER_INTEGER, &inner) || !ber_int64(inner.body, &trailer))
			return false;
	}
	if (v < 0 || v > 4096 || trailer != 1)
		return false;
	s->salt = (int)v;
	return cur_at_end(&seq) && s->digest != DIGEST_NONE && s->mgf != DIGEST_NONE;
}

struct sig_scheme
sig_scheme_read(struct slice algorithm, enum digest_alg digest)
{
	struct sig_scheme s = {.key = KEY_UNKNOWN};
	struct cur c = cur_from(algorithm);
	const struct suite_row *row;
	struct ber oid;
	char text[OID_TEXT];

	if (!ber_take(&c, BER_OID, &oid))
		return s;
	ber_oid_text(oid.body, text);
	row = suite_find(text);
	if (row == NULL)
		return s;
	s.digest = row->digest;
	if (row->key == KEY_RSA_PSS) {
		if (!pss_params(&c, &s))
			return s;
	} else if (s.digest == DIGEST_NONE && row->key != KEY_ED25519 && row->key != KEY_ED448) {
		s.digest = digest;
		if (digest == DIGEST_NONE)
			return s;
	}
	/* RFC 5652 5.3: a CMS digest that differs from the suite's own is a contradiction. */
	if (digest != DIGEST_NONE && s.digest != DIGEST_NONE && s.digest != digest)
		return s;
	s.key = row->key;
	return s;
}

struct alg_use
sig_use(const struct sig_scheme *s, enum alg_usage usage)
{
	return (struct alg_use){
	    .is_signature = true, .key = s->key, .digest = s->digest, .mgf = s->mgf, .usage = usage};
}

static void
ecdsa_sig_auto(ECDSA_SIG **p)
{
	ECDSA_SIG_free(*p);
}

static void
md_ctx_auto(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

/* r || s of equal length to the DER form that the library takes. */
static bool
plain_to_der(struct slice sig, struct buf *out)
{
	AUTO(ecdsa_sig) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r, *s;
	int n;

	if (pair == NULL || sig.n == 0 || sig.n % 2 != 0 || sig.n > 1024)
		return false;
	r = BN_bin2bn(sig.p, (int)(sig.n / 2), NULL);
	s = BN_bin2bn(sig.p + sig.n / 2, (int)(sig.n / 2), NULL);
	if (r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return false;
	}
	n = i2d_ECDSA_SIG(pair, NULL);
	if (n <= 0)
		return false;
	{
		uint8_t room[1100], *p = room;

		if ((size_t)n > sizeof(room))
			return false;
		i2d_ECDSA_SIG(pair, &p);
		buf_add(out, room, (size_t)n);
	}
	return buf_ok(out, NULL) == ERR_OK;
}

bool
key_fits(enum key_kind kind, const EVP_PKEY *key)
{
	switch (kind) {
	case KEY_RSA:
		return EVP_PKEY_is_a(key, "RSA");
	case KEY_RSA_PSS:
		return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
	case KEY_DSA:
		return EVP_PKEY_is_a(key, "DSA");
	case KEY_ECDSA:
	case KEY_PLAIN_ECDSA:
		return EVP_PKEY_is_a(key, "EC");
	case KEY_ED25519:
		return EVP_PKEY_is_a(key, "ED25519");
	case KEY_ED448:
		return EVP_PKEY_is_a(key, "ED448");
	default:
		return false;
	}
}

static bool
verify_init(const struct sig_scheme *s, EVP_MD_CTX *md, EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = NULL; /* the digest context's own */
	const EVP_MD *digest = digest_evp(s->digest);

	if (s->key == KEY_ED25519 || s->key == KEY_ED448)
		return EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1;
	if (digest == NULL || EVP_DigestVerifyInit(md, &ctx, digest, NULL, key) != 1)
		return false;
	if (s->key != KEY_RSA_PSS)
		return true;
	return digest_evp(s->mgf) != NULL && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, digest_evp(s->mgf)) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, s->salt) == 1;
}

bool
sig_verify(const struct sig_scheme *s, EVP_PKEY *key, struct slice data, struct slice sig)
{
	AUTO(md_ctx) EVP_MD_CTX *md = NULL;
	AUTO(buf) struct buf der = {0};
	bool ok;

	if (key == NULL || !key_fits(s->key, key))
		return false;
	if (s->key == KEY_PLAIN_ECDSA) {
		if (!plain_to_der(sig, &der))
			return false;
		sig = buf_slice(&der);
	}
	md = EVP_MD_CTX_new();
	ok = md != NULL && verify_init(s, md, key) && EVP_DigestVerify(md, sig.p, sig.n, data.p, data.n) == 1;
	ERR_clear_error(); /* a wrong signature is a fact, not an error */
	return ok;
}

/* The parts of a SubjectPublicKeyInfo. */
struct spki_parts {
	char oid[OID_TEXT];
	struct slice bits;
	struct ber params; /* tag 0 if absent */
};

static bool
spki_split(struct slice spki, struct spki_parts *out)
{
	struct cur top = cur_from(spki), seq, alg;
	struct ber oid, bits;

	memset(out, 0, sizeof(*out));
	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_enter(&seq, BER_SEQUENCE, &alg);
	ber_take(&alg, BER_OID, &oid);
	if (!alg.failed && !cur_at_end(&alg))
		ber_next(&alg, &out->params);
	ber_take(&seq, BER_BIT_STRING, &bits);
	ber_oid_text(oid.body, out->oid);
	return cur_at_end(&alg) && cur_at_end(&seq) && cur_at_end(&top) && ber_bits(bits.body, &out->bits, NULL);
}

static bool
rsa_numbers(struct slice bits, struct slice *n, struct slice *e)
{
	struct cur top = cur_from(bits), seq;
	struct ber a, b;

	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_INTEGER, &a);
	ber_take(&seq, BER_INTEGER, &b);
	*n = a.body;
	*e = b.body;
	return cur_at_end(&seq) && cur_at_end(&top);
}

static void
ec_use(const struct spki_parts *parts, struct slice spki, struct alg_use *use)
{
	char curve[OID_TEXT];
	EVP_PKEY *key;

	use->key = KEY_ECDSA;
	if (curve_named(&parts->params, curve))
		use->key_bits = curve_bits(curve);
	if (use->key_bits == 0) {
		key = spki_key(spki, NULL); /* a rare curve: ask the library */
		if (key != NULL)
			use->key_bits = (unsigned)EVP_PKEY_get_bits(key);
		EVP_PKEY_free(key);
	}
}

static void
dsa_use(const struct spki_parts *parts, struct alg_use *use)
{
	struct cur c = cur_from(parts->params.body);
	struct ber p, q;

	use->key = KEY_DSA;
	if (parts->params.tag != BER_SEQUENCE || !ber_take(&c, BER_INTEGER, &p) || !ber_take(&c, BER_INTEGER, &q))
		return;
	use->key_bits = ber_int_bits(p.body);
	use->q_bits = ber_int_bits(q.body);
}

struct alg_use
spki_use(struct slice spki, struct slice *bits)
{
	struct alg_use use = {.is_signature = true};
	struct spki_parts parts;
	struct slice n, e;

	*bits = (struct slice){0};
	if (!spki_split(spki, &parts))
		return use;
	*bits = parts.bits;
	if (strcmp(parts.oid, PKCS1 "1") == 0 || strcmp(parts.oid, PKCS1 "10") == 0) {
		if (!rsa_numbers(parts.bits, &n, &e))
			return use;
		use.key = parts.oid[strlen(PKCS1 "1")] == '0' ? KEY_RSA_PSS : KEY_RSA;
		use.key_bits = ber_int_bits(n);
	} else if (strcmp(parts.oid, "1.2.840.10045.2.1") == 0) {
		ec_use(&parts, spki, &use);
	} else if (strcmp(parts.oid, "1.2.840.10040.4.1") == 0) {
		dsa_use(&parts, &use);
	} else if (strcmp(parts.oid, "1.3.101.112") == 0) {
		use.key = KEY_ED25519;
		use.key_bits = 256;
	} else if (strcmp(parts.oid, "1.3.101.113") == 0) {
		use.key = KEY_ED448;
		use.key_bits = 456;
	}
	return use;
}

EVP_PKEY *
key_from(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error(); /* numbers that make no key leave entries behind */
	return key;
}

static EVP_PKEY *
rsa_key(struct slice bits)
{
	struct slice n, e;
	OSSL_PARAM_BLD *build;
	BIGNUM *bn, *be;
	EVP_PKEY *key = NULL;

	if (!rsa_numbers(bits, &n, &e) || ber_int_bits(n) == 0 || ber_int_bits(e) == 0)
		return NULL;
	build = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn(n.p, (int)n.n, NULL);
	be = BN_bin2bn(e.p, (int)e.n, NULL);
	if (build != NULL && bn != NULL && be != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = key_from("RSA", build);
	BN_free(bn);
	BN_free(be);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/*
 * The common kinds are put together from their numbers: OpenSSL 3.0 spends 100 us on finding a decoder
 * for a SubjectPublicKeyInfo, five RSA-2048 verifications' worth.
 */
static EVP_PKEY *
any_key(struct slice spki)
{
	struct spki_parts parts;
	char curve[OID_TEXT];
	EVP_PKEY *key = NULL;
	const uint8_t *p = spki.p;

	if (!spki_split(spki, &parts))
		return NULL;
	if (strcmp(parts.oid, PKCS1 "1") == 0) {
		key = rsa_key(parts.bits);
	} else if (strcmp(parts.oid, "1.2.840.10045.2.1") == 0 && curve_named(&parts.params, curve)) {
		if (curve_bits(curve) != 0)
			key = key_on_curve(curve, parts.bits);
	} else if (strcmp(parts.oid, "1.3.101.112") == 0) {
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, parts.bits.p, parts.bits.n);
	} else if (strcmp(parts.oid, "1.3.101.113") == 0) {
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED448, NULL, parts.bits.p, parts.bits.n);
	}
	if (key == NULL)
		key = d2i_PUBKEY(NULL, &p, (long)spki.n);
	ERR_clear_error();
	return key;
}

EVP_PKEY *
spki_key(struct slice spki, const char **why)
{
	EVP_PKEY *key = any_key(spki);
	const char *fault = key != NULL ? key_fault(key) : "a key that can't be read here";

	if (fault != NULL) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (why != NULL)
		*why = fault;
	return key;
}
