/* SPDX-License-Identifier: MIT */
/*
 * Time-stamp tokens (RFC 3161, 5816) by CMS functions over an own TSTInfo:
 * OpenSSL's TS_RESP builds PKCS7 and takes the system clock.
 */
#include "tests/pki/pki.h"

#include <openssl/ess.h>
#include <openssl/rand.h>
#include <string.h>

static bool
set_serial_and_time(TS_TST_INFO *tst, int64_t now)
{
	AUTO(pki_gtime)
	ASN1_GENERALIZEDTIME *at = ASN1_GENERALIZEDTIME_set(NULL, (time_t)now);
	AUTO(pki_int) ASN1_INTEGER *serial = NULL;
	AUTO(pki_bn) BIGNUM *n = NULL;
	uint8_t octets[10];

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] |= 0x40;
	octets[0] &= 0x7f;
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	serial = n != NULL ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	return at != NULL && serial != NULL &&
	       TS_TST_INFO_set_serial(tst, serial) == 1 &&
	       TS_TST_INFO_set_time(tst, at) == 1;
}

static bool
set_accuracy(TS_TST_INFO *tst)
{
	TS_ACCURACY *a = TS_ACCURACY_new();
	AUTO(pki_int) ASN1_INTEGER *one = ASN1_INTEGER_new();
	bool ok = a != NULL && one != NULL && ASN1_INTEGER_set(one, 1) == 1 &&
		  TS_ACCURACY_set_seconds(a, one) == 1 &&
		  TS_TST_INFO_set_accuracy(tst, a) == 1;

	TS_ACCURACY_free(a);
	return ok;
}

static bool
set_imprint(TS_TST_INFO *tst, TS_MSG_IMPRINT *asked, enum bad mode)
{
	TS_MSG_IMPRINT *other;
	ASN1_OCTET_STRING *value;
	bool ok;

	if (mode != BAD_WRONG_IMPRINT)
		return TS_TST_INFO_set_msg_imprint(tst, asked) == 1;
	if ((other = TS_MSG_IMPRINT_dup(asked)) == NULL)
		return false;
	value = TS_MSG_IMPRINT_get_msg(other);
	value->data[0] ^= 1;
	ok = TS_TST_INFO_set_msg_imprint(tst, other) == 1;
	TS_MSG_IMPRINT_free(other);
	return ok;
}

static bool
set_nonce(TS_TST_INFO *tst, const ASN1_INTEGER *asked, enum bad mode)
{
	AUTO(pki_int) ASN1_INTEGER *other = ASN1_INTEGER_new();

	if (asked == NULL || mode == BAD_NO_NONCE)
		return true;
	if (mode != BAD_WRONG_NONCE)
		return TS_TST_INFO_set_nonce(tst, asked) == 1;
	return other != NULL && ASN1_INTEGER_set(other, 4711) == 1 &&
	       TS_TST_INFO_set_nonce(tst, other) == 1;
}

static bool
set_name(TS_TST_INFO *tst, const struct authority *tsa)
{
	GENERAL_NAME *n = GENERAL_NAME_new();
	X509_NAME *dn = X509_NAME_dup(X509_get_subject_name(tsa->cert));
	bool ok = n != NULL && dn != NULL;

	if (ok) {
		GENERAL_NAME_set0_value(n, GEN_DIRNAME, dn);
		dn = NULL;
		ok = TS_TST_INFO_set_tsa(tst, n) == 1;
	}
	X509_NAME_free(dn);
	GENERAL_NAME_free(n);
	return ok;
}

enum err_code
tst_make(TS_REQ *req, const struct authority *tsa, int64_t now, enum bad mode,
    struct buf *out, struct err *e)
{
	AUTO(pki_tst) TS_TST_INFO *tst = TS_TST_INFO_new();
	ASN1_OBJECT *policy = OBJ_txt2obj(TSA_POLICY, 1);
	int64_t shift = mode == BAD_LATE ? 3600 : mode == BAD_EARLY ? -3600 : 0;
	uint8_t *der = NULL;
	int n = 0;
	bool ok = tst != NULL && policy != NULL &&
		  TS_TST_INFO_set_version(tst, 1) == 1 &&
		  TS_TST_INFO_set_policy_id(tst, policy) == 1 &&
		  set_imprint(tst, TS_REQ_get_msg_imprint(req), mode) &&
		  set_serial_and_time(tst, now + shift) && set_accuracy(tst) &&
		  set_nonce(tst, TS_REQ_get_nonce(req), mode) &&
		  set_name(tst, tsa);

	ASN1_OBJECT_free(policy);
	if (!ok || (n = i2d_TS_TST_INFO(tst, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "TSTInfo");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

/* signingCertificateV2 about another certificate than the signer's. */
static bool
add_wrong_ess(CMS_SignerInfo *si, X509 *other)
{
	ESS_SIGNING_CERT_V2 *ess =
	    OSSL_ESS_signing_cert_v2_new_init(EVP_sha256(), other, NULL, 1);
	uint8_t *der = NULL;
	int n = ess != NULL ? i2d_ESS_SIGNING_CERT_V2(ess, &der) : 0;
	bool ok = n > 0 && CMS_signed_add1_attr_by_NID(si,
			       NID_id_smime_aa_signingCertificateV2,
			       V_ASN1_SEQUENCE, der, n) == 1;

	OPENSSL_free(der);
	ESS_SIGNING_CERT_V2_free(ess);
	return ok;
}

/* CMS adds a signing time by the system clock unless one is there: ours is the
 * virtual one. */
static bool
add_signer(CMS_ContentInfo *cms, const struct authority *tsa, int64_t now,
    bool with_certs, enum bad mode)
{
	unsigned flags = CMS_BINARY | CMS_NOSMIMECAP |
			 (mode == BAD_WRONG_ESS ? 0 : CMS_CADES) |
			 (with_certs ? 0 : CMS_NOCERTS);
	CMS_SignerInfo *si = CMS_add1_signer(
	    cms, tsa->cert, tsa->key, key_digest(tsa->key), flags);
	AUTO(pki_time) ASN1_TIME *at = ASN1_TIME_adj(NULL, (time_t)now, 0, 0);

	if (si == NULL || at == NULL ||
	    (mode == BAD_WRONG_ESS && !add_wrong_ess(si, tsa->issuer->cert)))
		return false;
	return CMS_signed_add1_attr_by_NID(
		   si, NID_pkcs9_signingTime, at->type, at, -1) == 1;
}

/* tsa2 gives the CA's certificate too, the others leave it to AIA. */
static bool
add_chain(CMS_ContentInfo *cms, const struct authority *tsa)
{
	return tsa->line == NULL || strcmp(tsa->line->name, "tsa2") != 0 ||
	       CMS_add1_cert(cms, tsa->issuer->cert) == 1;
}

enum err_code
token_make(struct slice tst, const struct authority *tsa, int64_t now,
    bool with_certs, enum bad mode, struct buf *out, struct err *e)
{
	unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
	AUTO(pki_cms)
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	AUTO(pki_bio) BIO *in = BIO_new_mem_buf(tst.p, (int)tst.n);
	uint8_t *der = NULL;
	int n;

	if (cms == NULL || in == NULL ||
	    CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_smime_ct_TSTInfo)) !=
		1 ||
	    !add_signer(cms, tsa, now, with_certs, mode) ||
	    (mode == BAD_TWO_SIGNERS &&
		!add_signer(cms, tsa, now, false, mode)) ||
	    (with_certs && !add_chain(cms, tsa)) ||
	    CMS_final(cms, in, NULL, CMS_BINARY) != 1 ||
	    (n = i2d_CMS_ContentInfo(cms, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "token");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}
