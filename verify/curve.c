/* SPDX-License-Identifier: MIT */
/* Named curves (RFC 5480 2.1.1, RFC 5639), and explicit parameters that are one of them. */
#include "verify/sigalg.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

struct curve_row {
	const char *oid;
	unsigned order_bits;
};

#define BRAINPOOL "1.3.36.3.3.2.8.1.1."
static const struct curve_row curves[] = {
    {"1.2.840.10045.3.1.7", 256},
    {"1.3.132.0.34", 384},
    {"1.3.132.0.35", 521},
    {"1.2.840.10045.3.1.1", 192},
    {"1.3.132.0.33", 224},
    {"1.3.132.0.10", 256},
    {BRAINPOOL "7", 256},
    {BRAINPOOL "8", 256},
    {BRAINPOOL "9", 320},
    {BRAINPOOL "10", 320},
    {BRAINPOOL "11", 384},
    {BRAINPOOL "12", 384},
    {BRAINPOOL "13", 512},
    {BRAINPOOL "14", 512},
    {"1.2.250.1.223.101.256.1", 256},
};

unsigned
curve_bits(const char *oid)
{
	size_t i;

	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcmp(curves[i].oid, oid) == 0)
			return curves[i].order_bits;
	return 0;
}

/* The domain parameters of X9.62: SEQUENCE { version, fieldID, curve, base, order, cofactor OPTIONAL }, over a prime field. */
struct explicit {
	struct ber p, a, b, base, order, cofactor; /* cofactor: tag 0 if absent */
};

static bool
explicit_split(const struct ber *params, struct explicit *x)
{
	struct cur c = cur_from(params->body), field, curve;
	struct ber version, kind, seed;

	memset(x, 0, sizeof(*x));
	ber_take(&c, BER_INTEGER, &version);
	ber_enter(&c, BER_SEQUENCE, &field);
	ber_take(&field, BER_OID, &kind);
	if (!ber_oid_is(kind.body, "1.2.840.10045.1.1") || !ber_take(&field, BER_INTEGER, &x->p) || !cur_at_end(&field))
		return false;
	ber_enter(&c, BER_SEQUENCE, &curve);
	ber_take(&curve, BER_OCTET_STRING, &x->a);
	ber_take(&curve, BER_OCTET_STRING, &x->b);
	ber_opt(&curve, BER_BIT_STRING, &seed);
	ber_take(&c, BER_OCTET_STRING, &x->base);
	ber_take(&c, BER_INTEGER, &x->order);
	ber_opt(&c, BER_INTEGER, &x->cofactor);
	return cur_at_end(&curve) && cur_at_end(&c);
}

static bool
number_is(struct slice octets, const BIGNUM *n)
{
	BIGNUM *v = octets.n > 0 && octets.n <= 256 ? BN_bin2bn(octets.p, (int)octets.n, NULL) : NULL;
	bool same = v != NULL && n != NULL && BN_cmp(v, n) == 0;

	BN_free(v);
	return same;
}

static bool
is_generator(const EC_GROUP *group, struct slice octets)
{
	EC_POINT *point = EC_POINT_new(group);
	bool same = point != NULL && EC_POINT_oct2point(group, point, octets.p, octets.n, NULL) == 1 &&
	    EC_POINT_cmp(group, point, EC_GROUP_get0_generator(group), NULL) == 0;

	EC_POINT_free(point);
	return same;
}

static bool
is_curve(const struct explicit *x, const char *oid)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(oid));
	BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new();
	bool same = group != NULL && p != NULL && a != NULL && b != NULL && EC_GROUP_get_curve(group, p, a, b, NULL) == 1 &&
	    number_is(x->p.body, p) && number_is(x->a.body, a) && number_is(x->b.body, b) && is_generator(group, x->base.body) &&
	    number_is(x->order.body, EC_GROUP_get0_order(group)) &&
	    (x->cofactor.tag == 0 || number_is(x->cofactor.body, EC_GROUP_get0_cofactor(group)));

	BN_free(p);
	BN_free(a);
	BN_free(b);
	EC_GROUP_free(group);
	return same;
}

bool
curve_named(const struct ber *params, char oid[OID_TEXT])
{
	struct explicit x;
	bool found = false;
	size_t i;

	if (params->tag == BER_OID) {
		ber_oid_text(params->body, oid);
		return true;
	}
	if (params->tag != BER_SEQUENCE || !explicit_split(params, &x))
		return false;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]) && !found; i++) {
		snprintf(oid, OID_TEXT, "%s", curves[i].oid);
		found = is_curve(&x, oid);
	}
	ERR_clear_error();
	return found;
}

EVP_PKEY *
key_on_curve(const char *curve, struct slice point)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	int nid = OBJ_txt2nid(curve);
	EVP_PKEY *key = NULL;

	if (build != NULL && nid != NID_undef &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(nid), 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
		key = key_from("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}
