/* SPDX-License-Identifier: MIT */
/* Public keys under which others than their owner can sign are no keys, by whatever identifier they come. */
#include "tests/mini_ca.h"

#include <openssl/core_names.h>

#define RSA_OID "1.2.840.113549.1.1.1"
#define PSS_OID "1.2.840.113549.1.1.10"
#define X500_OID "2.5.8.1.1"
#define EC_OID "1.2.840.10045.2.1"
#define P256_OID "1.2.840.10045.3.1.7"

/* SubjectPublicKeyInfo of these parts; params NULL: absent. */
static void
put_spki(struct buf *out, const char *oid, const struct buf *params, const struct buf *bits)
{
	AUTO(buf) struct buf alg = {0}, body = {0}, bit_string = {0};

	ber_put_oid(&alg, oid);
	if (params != NULL)
		buf_addslice(&alg, buf_slice(params));
	ber_put_buf(&body, BER_SEQUENCE, &alg);
	buf_add8(&bit_string, 0);
	buf_addslice(&bit_string, buf_slice(bits));
	ber_put_buf(&body, BER_BIT_STRING, &bit_string);
	ber_put_buf(out, BER_SEQUENCE, &body);
}

static void
put_number(struct buf *out, const BIGNUM *n)
{
	uint8_t octets[600] = {0};
	int len = BN_num_bytes(n);

	assert_int_equal(BN_bn2binpad(n, octets + 1, len), len);
	ber_put(out, BER_INTEGER, len == 0 ? slice_of(octets, 1) : (octets[1] & 0x80) != 0 ? slice_of(octets, (size_t)len + 1) : slice_of(octets + 1, (size_t)len));
}

/* Does it make a key? If not, the reason holds these words. */
static bool
judged(struct slice spki, const char *words)
{
	const char *why = NULL;
	EVP_PKEY *key = spki_key(spki, &why);
	bool sound = key != NULL;

	EVP_PKEY_free(key);
	if (sound != (words == NULL) || (words != NULL && strstr(why, words) == NULL)) {
		print_error("%s, wanted %s\n", sound ? "sound" : why, words != NULL ? words : "sound");
		return false;
	}
	return true;
}

/* ---- RSA ---- */

static const struct {
	const char *name;
	long e, factor; /* of n beside primes; 0: none */
	const char *words;
} RSA_ROWS[] = {
    {"good", 65537, 0, NULL},
    {"three", 3, 0, NULL},
    {"one", 1, 0, "exponent"},
    {"two", 2, 0, "exponent"},
    {"even", 65538, 0, "exponent"},
    {"zero", 0, 0, "exponent"},
    {"n even", 65537, 2, "modulus"},
    {"n divisible by 3", 65537, 3, "modulus"},
    {"n divisible by 751", 65537, 751, "modulus"},
    {"n divisible by 997", 65537, 997, "modulus"},
    {"n divisible by 1009: not looked for", 65537, 1009, NULL},
};

static void
rsa_keys(void **state)
{
	static const char *const OIDS[] = {RSA_OID, PSS_OID, X500_OID};
	EVP_PKEY *made = mini_key("rsa");
	BIGNUM *n = NULL;
	size_t wrong = 0;

	(void)state;
	assert_int_equal(EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	for (size_t i = 0; i < sizeof(RSA_ROWS) / sizeof(RSA_ROWS[0]); i++) {
		for (size_t k = 0; k < sizeof(OIDS) / sizeof(OIDS[0]); k++) {
			AUTO(buf) struct buf seq = {0}, bits = {0}, null = {0}, spki = {0};
			BIGNUM *modulus = BN_dup(n), *e = BN_new();

			if (RSA_ROWS[i].factor != 0)
				assert_int_equal(BN_mul_word(modulus, (BN_ULONG)RSA_ROWS[i].factor), 1);
			assert_int_equal(BN_set_word(e, (BN_ULONG)RSA_ROWS[i].e), 1);
			put_number(&seq, modulus);
			put_number(&seq, e);
			ber_put_buf(&bits, BER_SEQUENCE, &seq);
			ber_put(&null, 0x05, slice_of("", 0));
			/* RSASSA-PSS leaves its parameters out, the others say NULL, X.500's the size */
			if (k == 2) {
				buf_clear(&null);
				ber_put(&null, BER_INTEGER, slice_of("\x08\x00", 2));
			}
			put_spki(&spki, OIDS[k], k == 1 ? NULL : &null, &bits);
			if (!judged(buf_slice(&spki), RSA_ROWS[i].words)) {
				print_error("%s under %s\n", RSA_ROWS[i].name, OIDS[k]);
				wrong++;
			}
			BN_free(modulus);
			BN_free(e);
		}
	}
	BN_free(n);
	EVP_PKEY_free(made);
	assert_int_equal(wrong, 0);
}

/* ---- curves ---- */

enum change { NOTHING, GENERATOR, COEFFICIENT, PRIME, ORDER, COFACTOR, NO_COFACTOR };

static void
put_field(struct buf *out, const BIGNUM *p, const BIGNUM *a, const BIGNUM *b)
{
	AUTO(buf) struct buf field = {0}, curve = {0};
	uint8_t octets[2][32];

	ber_put_oid(&field, "1.2.840.10045.1.1");
	put_number(&field, p);
	ber_put_buf(out, BER_SEQUENCE, &field);
	assert_int_equal(BN_bn2binpad(a, octets[0], 32), 32);
	assert_int_equal(BN_bn2binpad(b, octets[1], 32), 32);
	ber_put(&curve, BER_OCTET_STRING, slice_of(octets[0], 32));
	ber_put(&curve, BER_OCTET_STRING, slice_of(octets[1], 32));
	ber_put_buf(out, BER_SEQUENCE, &curve);
}

/* P-256 in numbers, one of them another. */
static void
explicit_p256(struct buf *out, enum change what)
{
	EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new(), *n = BN_dup(EC_GROUP_get0_order(g)), *h = BN_new();
	EC_POINT *base = EC_POINT_dup(EC_GROUP_get0_generator(g), g);
	AUTO(buf) struct buf seq = {0};
	uint8_t octets[65];

	assert_int_equal(EC_GROUP_get_curve(g, p, a, b, NULL), 1);
	assert_int_equal(BN_set_word(h, what == COFACTOR ? 2 : 1), 1);
	if (what == GENERATOR)
		assert_int_equal(EC_POINT_dbl(g, base, base, NULL), 1);
	if (what == COEFFICIENT)
		assert_int_equal(BN_add_word(b, 2), 1);
	if (what == PRIME)
		assert_int_equal(BN_add_word(p, 2), 1);
	if (what == ORDER)
		assert_int_equal(BN_sub_word(n, 2), 1);
	ber_put(&seq, BER_INTEGER, slice_of("\1", 1));
	put_field(&seq, p, a, b);
	assert_int_equal(EC_POINT_point2oct(g, base, POINT_CONVERSION_UNCOMPRESSED, octets, 65, NULL), 65);
	ber_put(&seq, BER_OCTET_STRING, slice_of(octets, 65));
	put_number(&seq, n);
	if (what != NO_COFACTOR)
		put_number(&seq, h);
	ber_put_buf(out, BER_SEQUENCE, &seq);
	EC_POINT_free(base);
	EC_GROUP_free(g);
	BN_free(p);
	BN_free(a);
	BN_free(b);
	BN_free(n);
	BN_free(h);
}

static const struct {
	const char *name;
	enum change what;
	bool sound;
} EXPLICIT_ROWS[] = {
    {"the curve in numbers", NOTHING, true},
    {"without its cofactor", NO_COFACTOR, true},
    {"another generator", GENERATOR, false},
    {"another coefficient", COEFFICIENT, false},
    {"another prime", PRIME, false},
    {"another order", ORDER, false},
    {"another cofactor", COFACTOR, false},
};

static void
point_of(EVP_PKEY *key, struct buf *out)
{
	uint8_t octets[200];
	size_t n = 0;

	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof(octets), &n), 1);
	buf_add(out, octets, n);
}

static void
explicit_curves(void **state)
{
	EVP_PKEY *made = mini_key("p256");
	AUTO(buf) struct buf point = {0};
	size_t wrong = 0;

	(void)state;
	point_of(made, &point);
	for (size_t i = 0; i < sizeof(EXPLICIT_ROWS) / sizeof(EXPLICIT_ROWS[0]); i++) {
		AUTO(buf) struct buf params = {0}, spki = {0};
		EVP_PKEY *key;
		struct slice bits;

		explicit_p256(&params, EXPLICIT_ROWS[i].what);
		put_spki(&spki, EC_OID, &params, &point);
		key = spki_key(buf_slice(&spki), NULL);
		if ((key != NULL) != EXPLICIT_ROWS[i].sound || (key != NULL && EVP_PKEY_eq(key, made) != 1) ||
		    (spki_use(buf_slice(&spki), &bits).key_bits != 0) != EXPLICIT_ROWS[i].sound) {
			print_error("%s\n", EXPLICIT_ROWS[i].name);
			wrong++;
		}
		EVP_PKEY_free(key);
	}
	EVP_PKEY_free(made);
	assert_int_equal(wrong, 0);
}

static void
points(void **state)
{
	static const char *const GOOD[] = {"p256", "p521", "brainpool"};
	AUTO(buf) struct buf params = {0}, infinity = {0}, off = {0}, spki = {0}, off_spki = {0};
	EVP_PKEY *p256 = mini_key("p256");

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
		EVP_PKEY *key = mini_key(GOOD[i]);

		assert_null(key_fault(key));
		EVP_PKEY_free(key);
	}
	ber_put_oid(&params, P256_OID);
	buf_add8(&infinity, 0);
	put_spki(&spki, EC_OID, &params, &infinity);
	assert_null(spki_key(buf_slice(&spki), NULL));
	point_of(p256, &off);
	off.p[off.n - 1] ^= 1;
	put_spki(&off_spki, EC_OID, &params, &off);
	assert_null(spki_key(buf_slice(&off_spki), NULL));
	EVP_PKEY_free(p256);
}

/* ---- Edwards ---- */

static const struct {
	const char *hex, *words;
	bool large;
} EDWARDS_ROWS[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "small order", false},
    {"0000000000000000000000000000000000000000000000000000000000000080", "small order", false},
    {"0100000000000000000000000000000000000000000000000000000000000000", "small order", false},
    {"0100000000000000000000000000000000000000000000000000000000000080", "small order", false},
    {"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "small order", false},
    {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "small order", false},
    {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "small order", false},
    {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "small order", false},
    {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "small order", false},
    {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "encoded", false},
    {"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "encoded", false},
    {"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "encoded", false},
    /* RFC 8032 7.1, 7.4 */
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", NULL, false},
    {"5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180", NULL, true},
    {"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "small order", true},
    {"010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080", "small order", true},
    {"fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff00", "small order", true},
    {"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff00", "encoded", true},
    {"5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256101", "encoded", true},
};

static void
edwards_keys(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(EDWARDS_ROWS) / sizeof(EDWARDS_ROWS[0]); i++) {
		AUTO(buf) struct buf bits = {0}, spki = {0};
		long n = 0;
		unsigned char *octets = OPENSSL_hexstr2buf(EDWARDS_ROWS[i].hex, &n);

		assert_non_null(octets);
		assert_int_equal(n, EDWARDS_ROWS[i].large ? 57 : 32);
		buf_add(&bits, octets, (size_t)n);
		OPENSSL_free(octets);
		put_spki(&spki, EDWARDS_ROWS[i].large ? "1.3.101.113" : "1.3.101.112", NULL, &bits);
		if (!judged(buf_slice(&spki), EDWARDS_ROWS[i].words)) {
			print_error("%s\n", EDWARDS_ROWS[i].hex);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* ---- DSA ---- */

static EVP_PKEY *
dsa_of(EVP_PKEY *from, const char *instead, const BIGNUM *value)
{
	static const char *const NAMES[] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q, OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY};
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n[4] = {NULL};
	EVP_PKEY *key;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(EVP_PKEY_get_bn_param(from, NAMES[i], &n[i]), 1);
		if (strcmp(NAMES[i], instead) == 0)
			assert_non_null(BN_copy(n[i], value));
		assert_int_equal(OSSL_PARAM_BLD_push_BN(b, NAMES[i], n[i]), 1);
	}
	key = key_from("DSA", b);
	OSSL_PARAM_BLD_free(b);
	for (size_t i = 0; i < 4; i++)
		BN_free(n[i]);
	return key;
}

static void
dsa_keys(void **state)
{
	static const struct {
		const char *what;
		int value; /* -1: p - 1 */
	} ROWS[] = {{OSSL_PKEY_PARAM_FFC_G, 1}, {OSSL_PKEY_PARAM_FFC_G, -1}, {OSSL_PKEY_PARAM_FFC_G, 2}, {OSSL_PKEY_PARAM_PUB_KEY, 1},
	    {OSSL_PKEY_PARAM_PUB_KEY, -1}, {OSSL_PKEY_PARAM_PUB_KEY, 3}, {OSSL_PKEY_PARAM_FFC_Q, 15}};
	EVP_PKEY *good = mini_key("dsa");

	(void)state;
	assert_null(key_fault(good));
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		BIGNUM *v = NULL;
		EVP_PKEY *key;

		assert_int_equal(EVP_PKEY_get_bn_param(good, OSSL_PKEY_PARAM_FFC_P, &v), 1);
		if (ROWS[i].value > 0)
			assert_int_equal(BN_set_word(v, (BN_ULONG)ROWS[i].value), 1);
		else
			assert_int_equal(BN_sub_word(v, 1), 1);
		key = dsa_of(good, ROWS[i].what, v);
		if (key != NULL && key_fault(key) == NULL)
			fail_msg("%s %d", ROWS[i].what, ROWS[i].value);
		EVP_PKEY_free(key);
		BN_free(v);
	}
	EVP_PKEY_free(good);
}

/* ---- where it is asked ---- */

/* A CA whose key anybody can sign with has issued nothing, itself included. */
static void
nothing_verifies_with_it(void **state)
{
	struct pki *p = NULL;
	struct err e = {0};
	EVP_PKEY *made = mini_key("rsa"), *weak;
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n = NULL, *one = BN_new();

	(void)state;
	OK(pki_new(&p, &e));
	assert_int_equal(EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_one(one), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, one), 1);
	weak = key_from("RSA", b);
	assert_non_null(weak);
	{
		AUTO(who) struct who ca = mini_cert(p, (struct spec){.name = "ca", .key = "rsa", .ca = true});
		AUTO(who) struct who leaf = mini_cert(p, (struct spec){.name = "leaf", .key = "p256", .issuer = &ca});
		AUTO(buf) struct buf der = {0};
		const struct cert *bad;
		unsigned char *out = NULL;
		EVP_MD_CTX *md;
		int len;

		assert_null(pki_key_fault(leaf.cert));
		assert_true(pki_signed_by(p, leaf.cert, ca.cert));
		/* the leaf once more, with the other key */
		assert_int_equal(X509_set_pubkey(leaf.x509, weak), 1);
		md = mini_signer(ca.key, NULL, false);
		assert_true(X509_sign_ctx(leaf.x509, md) > 0);
		EVP_MD_CTX_free(md);
		len = i2d_X509(leaf.x509, &out);
		OK(pki_cert(p, slice_of(out, (size_t)len), &bad, &e));
		OPENSSL_free(out);
		assert_null(pki_key(bad));
		assert_non_null(strstr(pki_key_fault(bad), "exponent"));
	}
	BN_free(n);
	BN_free(one);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(made);
	pki_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rsa_keys),
	    cmocka_unit_test(explicit_curves),
	    cmocka_unit_test(points),
	    cmocka_unit_test(edwards_keys),
	    cmocka_unit_test(dsa_keys),
	    cmocka_unit_test(nothing_verifies_with_it),
	};

	return cmocka_run_group_tests_name("keysound", tests, NULL, NULL);
}
