/* SPDX-License-Identifier: MIT */
/*
 * A bare key in KeyInfo (XMLDSig 4.5.2). It names nobody and no verdict rests
 * on it: it only tells whether a SignatureValue without a certificate is intact.
 */
#include "verify/judge.h"
#include "verify/sigalg.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

static void
bld_auto(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void
bn_auto(BIGNUM **n)
{
	BN_free(*n);
}

static BIGNUM *
number(const xmlNode *parent, const char *name)
{
	AUTO(buf) struct buf b = {.max_bytes = 4096};
	const xmlNode *n = xml_first(parent, NS_DS, name);

	if (n == NULL || xml_base64(n, &b, NULL) != ERR_OK || b.n == 0)
		return NULL;
	return BN_bin2bn(b.p, (int)b.n, NULL);
}

static EVP_PKEY *
rsa(const xmlNode *v)
{
	AUTO(bn) BIGNUM *n = number(v, "Modulus");
	AUTO(bn) BIGNUM *e = number(v, "Exponent");
	AUTO(bld) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();

	if (n == NULL || e == NULL || b == NULL || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return NULL;
	return key_from("RSA", b);
}

static EVP_PKEY *
dsa(const xmlNode *v)
{
	AUTO(bn) BIGNUM *p = number(v, "P");
	AUTO(bn) BIGNUM *q = number(v, "Q");
	AUTO(bn) BIGNUM *g = number(v, "G");
	AUTO(bn) BIGNUM *y = number(v, "Y");
	AUTO(bld) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();

	if (p == NULL || q == NULL || g == NULL || y == NULL || b == NULL ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_P, p) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_Q, q) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_FFC_G, g) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PUB_KEY, y) != 1)
		return NULL;
	return key_from("DSA", b);
}

#define NS_DS11 "http://www.w3.org/2009/xmldsig11#"

static EVP_PKEY *
ec(const xmlNode *v)
{
	const char *curve = xml_attr(xml_first(v, NS_DS11, "NamedCurve"), "URI");
	AUTO(buf) struct buf point = {.max_bytes = 1024};

	if (curve == NULL || strncmp(curve, "urn:oid:", 8) != 0 || xml_base64(xml_first(v, NS_DS11, "PublicKey"), &point, NULL) != ERR_OK)
		return NULL;
	if (point.n == 0)
		return NULL;
	return key_on_curve(curve + 8, buf_slice(&point));
}

/* A SubjectPublicKeyInfo (XMLDSig 1.1, 4.5.10). */
static EVP_PKEY *
der(const xmlNode *v)
{
	AUTO(buf) struct buf spki = {.max_bytes = 16384};

	return xml_base64(v, &spki, NULL) == ERR_OK && spki.n != 0 ? spki_key(buf_slice(&spki), NULL) : NULL;
}

static EVP_PKEY *
any_value(const xmlNode *key_info)
{
	const xmlNode *box = xml_first(key_info, NS_DS, "KeyValue"), *v;

	if ((v = xml_first(key_info, NS_DS11, "DEREncodedKeyValue")) != NULL)
		return der(v);
	if ((v = xml_first(box, NS_DS, "RSAKeyValue")) != NULL)
		return rsa(v);
	if ((v = xml_first(box, NS_DS, "DSAKeyValue")) != NULL)
		return dsa(v);
	if ((v = xml_first(box, NS_DS11, "ECKeyValue")) != NULL)
		return ec(v);
	return NULL;
}

EVP_PKEY *
key_value(const xmlNode *key_info)
{
	EVP_PKEY *key = any_value(key_info);

	if (key == NULL || key_fault(key) == NULL)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}
