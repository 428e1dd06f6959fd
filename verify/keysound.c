/* SPDX-License-Identifier: MIT */
/*
 * Is a public key one that only its owner can sign with? Numbers can be certified under which anybody's value verifies:
 * an RSA exponent of 1, a generator that somebody chose, a point of small order. Size and algorithm are the catalogue's.
 */
#include "verify/sigalg.h"

#include "verify/ber.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

static void
bn_auto(BIGNUM **n)
{
	BN_free(*n);
}

static void
bn_ctx_auto(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}

static BIGNUM *
number_of(const EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;

	return EVP_PKEY_get_bn_param(key, name, &n) == 1 ? n : NULL;
}

/* ---- RSA (SP 800-89 5.3.3) ---- */

enum { SMALL_FACTORS = 1000 };

/* An odd number below SMALL_FACTORS divides n. Several at a time: one long division, then short ones. */
static bool
has_small_factor(const BIGNUM *n)
{
	BN_ULONG product = 1, rest;
	unsigned from = 3, p, d;

	for (p = 3; p < SMALL_FACTORS; p += 2) {
		product *= p;
		if (product < (BN_ULONG)1 << (BN_BITS2 - 12) && p + 2 < SMALL_FACTORS)
			continue;
		rest = BN_mod_word(n, product);
		for (d = from; d <= p; d += 2)
			if (rest % d == 0)
				return true;
		product = 1;
		from = p + 2;
	}
	return false;
}

static const char *
rsa_fault(const EVP_PKEY *key)
{
	AUTO(bn) BIGNUM *n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
	AUTO(bn) BIGNUM *e = number_of(key, OSSL_PKEY_PARAM_RSA_E);

	if (n == NULL || e == NULL)
		return "RSA key without its numbers";
	if (!BN_is_odd(e) || BN_is_one(e) || BN_cmp(e, n) >= 0)
		return "RSA exponent is not odd, at least 3 and below the modulus (RFC 8017 3.1)";
	if (!BN_is_odd(n) || has_small_factor(n))
		return "RSA modulus is even or has a small factor (SP 800-89 5.3.3)";
	return NULL;
}

/* ---- DSA (FIPS 186-4 4.1, SP 800-89 5.3.1) ---- */

/* 1 < v < p - 1, and v is of order q. */
static bool
of_order(const BIGNUM *v, const BIGNUM *p, const BIGNUM *q, BN_CTX *ctx)
{
	AUTO(bn) BIGNUM *top = BN_dup(p);
	AUTO(bn) BIGNUM *power = BN_new();

	return top != NULL && power != NULL && BN_sub_word(top, 1) == 1 && BN_cmp(v, BN_value_one()) > 0 && BN_cmp(v, top) < 0 &&
	    BN_mod_exp(power, v, q, p, ctx) == 1 && BN_is_one(power);
}

static const char *
dsa_fault(const EVP_PKEY *key)
{
	AUTO(bn) BIGNUM *p = number_of(key, OSSL_PKEY_PARAM_FFC_P);
	AUTO(bn) BIGNUM *q = number_of(key, OSSL_PKEY_PARAM_FFC_Q);
	AUTO(bn) BIGNUM *g = number_of(key, OSSL_PKEY_PARAM_FFC_G);
	AUTO(bn) BIGNUM *y = number_of(key, OSSL_PKEY_PARAM_PUB_KEY);
	AUTO(bn_ctx) BN_CTX *ctx = BN_CTX_new();

	if (p == NULL || q == NULL || g == NULL || y == NULL || ctx == NULL)
		return "DSA key without its numbers";
	if (BN_cmp(q, p) >= 0 || BN_check_prime(q, ctx, NULL) != 1 || BN_check_prime(p, ctx, NULL) != 1)
		return "DSA p or q is no prime (FIPS 186-4 4.1)";
	if (!of_order(g, p, q, ctx) || !of_order(y, p, q, ctx))
		return "DSA generator or key is not of the order q (SP 800-89 5.3.1)";
	return NULL;
}

/* ---- curves ---- */

/*
 * Explicit parameters are taken only as another way to write a named curve, and become that before they get here; the
 * library has found the point to be on its curve when it read it.
 */
static const char *
ec_fault(EVP_PKEY *key)
{
	char curve[80], encoding[40];
	AUTO(bn) BIGNUM *cofactor = number_of(key, OSSL_PKEY_PARAM_EC_COFACTOR);
	uint8_t point[512];
	size_t n = 0;

	if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL) != 1 ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof(encoding), NULL) != 1 ||
	    strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
		return "curve parameters that are no named curve's (RFC 5480 2.1.1)";
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) != 1 || n < 2 || point[0] == 0)
		return "the point at infinity is no key (SEC 1 3.2.2.1)";
	if (cofactor == NULL)
		return "curve without a cofactor";
	if (!BN_is_one(cofactor)) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		bool ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

		EVP_PKEY_CTX_free(ctx);
		return ok ? NULL : "the point is not of the curve's order (SEC 1 3.2.2.1)";
	}
	return NULL;
}

/* Little-endian numbers of n octets: a < b? */
static bool
le_below(const uint8_t *a, const uint8_t *b, size_t n)
{
	while (n-- > 0)
		if (a[n] != b[n])
			return a[n] < b[n];
	return false;
}

/* RFC 8032 5.1: y below p = 2^255 - 19; the points of order 1, 2, 4 and 8 by their y. */
static const char *
ed25519_fault(const uint8_t *point)
{
	static const uint8_t ORDER8[2][32] = {
	    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3,
		0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c,
		0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	};
	uint8_t y[32], p[32], top[32], two[32] = {2};

	memset(p, 0xff, sizeof(p));
	p[0] = 0xed;
	p[31] = 0x7f;
	memcpy(top, p, sizeof(top));
	top[0] = 0xec;
	memcpy(y, point, sizeof(y));
	y[31] &= 0x7f;
	if (!le_below(y, p, sizeof(y)))
		return "Ed25519 key that is not encoded as RFC 8032 5.1.2 asks";
	if (le_below(y, two, sizeof(y)) || memcmp(y, top, sizeof(y)) == 0 || memcmp(y, ORDER8[0], sizeof(y)) == 0 ||
	    memcmp(y, ORDER8[1], sizeof(y)) == 0)
		return "Ed25519 key of small order";
	return NULL;
}

/* RFC 8032 5.2: y below p = 2^448 - 2^224 - 1, the last octet holds the sign alone; the points of order 1, 2 and 4. */
static const char *
ed448_fault(const uint8_t *point)
{
	uint8_t p[56], top[56], two[56] = {2};

	memset(p, 0xff, sizeof(p));
	p[28] = 0xfe;
	memcpy(top, p, sizeof(top));
	top[0] = 0xfe;
	if ((point[56] & 0x7f) != 0 || !le_below(point, p, sizeof(p)))
		return "Ed448 key that is not encoded as RFC 8032 5.2.2 asks";
	if (le_below(point, two, sizeof(two)) || memcmp(point, top, sizeof(top)) == 0)
		return "Ed448 key of small order";
	return NULL;
}

static const char *
edwards_fault(const EVP_PKEY *key, bool large)
{
	uint8_t point[57];
	size_t n = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(key, point, &n) != 1 || n != (large ? 57 : 32))
		return "Edwards key without its point";
	return large ? ed448_fault(point) : ed25519_fault(point);
}

const char *
key_fault(EVP_PKEY *key)
{
	const char *why = "a key of a kind that is not known here";

	if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		why = rsa_fault(key);
	else if (EVP_PKEY_is_a(key, "DSA"))
		why = dsa_fault(key);
	else if (EVP_PKEY_is_a(key, "EC"))
		why = ec_fault(key);
	else if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		why = edwards_fault(key, EVP_PKEY_is_a(key, "ED448"));
	ERR_clear_error();
	return why;
}
