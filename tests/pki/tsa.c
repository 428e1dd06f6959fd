/* SPDX-License-Identifier: MIT */
/*
 * Time-stamp tokens (RFC 3161, 5816) by CMS functions over an own TSTInfo:
 * OpenSSL's TS_RESP builds PKCS7 and takes the system clock.
 */
#include "tests/pki/pki.h"

#include <openssl/rand.h>
#include <string.h>

/* EN 319 421: best practices policy for time-stamps */
#define TSA_POLICY "0.4.0.2023.1.1"

enum fail {
	FAIL_ALG = 0,
	FAIL_REQUEST = 2,
	FAIL_FORMAT = 5,
	FAIL_TIME = 14,
	FAIL_POLICY = 15,
	FAIL_EXTENSION = 16
};

static enum err_code
reject(enum fail bit, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf info = {0}, status = {0};
	uint8_t bits[4] = {0};
	unsigned n = (unsigned)bit / 8 + 1;

	bits[0] = (uint8_t)(7 - bit % 8); /* unused bits of the last octet */
	bits[n] = (uint8_t)(0x80 >> (bit % 8));
	buf_add(&info, "\x02\x01\x02", 3);
	der_put(&info, 0x03, slice_of(bits, n + 1));
	der_put(&status, 0x30, buf_slice(&info));
	der_put(out, 0x30, buf_slice(&status));
	return buf_ok(out, e);
}

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

static enum err_code
make_tst(TS_REQ *req, const struct authority *tsa, int64_t now, enum bad mode,
    struct buf *out, struct err *e)
{
	AUTO(pki_tst) TS_TST_INFO *tst = TS_TST_INFO_new();
	ASN1_OBJECT *policy = OBJ_txt2obj(TSA_POLICY, 1);
	uint8_t *der = NULL;
	int n = 0;
	bool ok =
	    tst != NULL && policy != NULL &&
	    TS_TST_INFO_set_version(tst, 1) == 1 &&
	    TS_TST_INFO_set_policy_id(tst, policy) == 1 &&
	    set_imprint(tst, TS_REQ_get_msg_imprint(req), mode) &&
	    set_serial_and_time(tst, mode == BAD_LATE ? now + 3600 : now) &&
	    set_accuracy(tst) && set_nonce(tst, TS_REQ_get_nonce(req), mode) &&
	    set_name(tst, tsa);

	ASN1_OBJECT_free(policy);
	if (!ok || (n = i2d_TS_TST_INFO(tst, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "TSTInfo");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

/* CMS adds a signing time by the system clock unless one is there: ours is the
 * virtual one. */
static bool
add_signer(CMS_ContentInfo *cms, const struct authority *tsa, int64_t now,
    bool with_certs)
{
	unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_CADES |
			 (with_certs ? 0 : CMS_NOCERTS);
	CMS_SignerInfo *si = CMS_add1_signer(
	    cms, tsa->cert, tsa->key, key_digest(tsa->key), flags);
	AUTO(pki_time) ASN1_TIME *at = ASN1_TIME_adj(NULL, (time_t)now, 0, 0);

	return si != NULL && at != NULL &&
	       CMS_signed_add1_attr_by_NID(
		   si, NID_pkcs9_signingTime, at->type, at, -1) == 1;
}

/* tsa2 gives the CA's certificate too, the others leave it to AIA. */
static bool
add_chain(CMS_ContentInfo *cms, const struct authority *tsa)
{
	return tsa->line == NULL || strcmp(tsa->line->name, "tsa2") != 0 ||
	       CMS_add1_cert(cms, tsa->issuer->cert) == 1;
}

static enum err_code
make_token(struct slice tst, const struct authority *tsa, int64_t now,
    bool with_certs, struct buf *out, struct err *e)
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
	    !add_signer(cms, tsa, now, with_certs) ||
	    (with_certs && !add_chain(cms, tsa)) ||
	    CMS_final(cms, in, NULL, CMS_BINARY) != 1 ||
	    (n = i2d_CMS_ContentInfo(cms, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "token");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

static enum err_code
revoke_once(struct pki *p, const struct authority *a, int64_t at, struct err *e)
{
	const struct issued *i;

	if (issued_by_name(p, a->id, &i, e) != ERR_OK)
		return e->code;
	if (i->revoked_utc != TIME_NONE)
		return ERR_OK;
	return issued_revoke(p, i, at, at, "keyCompromise", e);
}

/* The certificate that signs: the generation of now, or beside it one that has
 * ended or is revoked since yesterday. */
static enum err_code
signing_tsa(struct pki *p, const struct line *l, int64_t now, enum bad mode,
    struct authority **out, struct err *e)
{
	char id[PKI_NAME + 16], cn[2 * PKI_NAME];
	struct authority *a;
	struct template t = {cn, ROLE_TSA, 0, 0, l->ocsp, l->crl, false};

	if (authority_now(p, l, now, &a, e) != ERR_OK)
		return e->code;
	*out = a;
	if (mode != BAD_EXPIRED_TSA && mode != BAD_REVOKED_TSA)
		return ERR_OK;
	snprintf(id, sizeof(id), "%s-%s", a->id,
	    mode == BAD_EXPIRED_TSA ? "expired" : "revoked");
	snprintf(cn, sizeof(cn), "%s (%s)", l->cn, id);
	t.from_utc = a->from_utc;
	t.until_utc =
	    mode == BAD_EXPIRED_TSA ? a->from_utc + 3600 : a->until_utc;
	if (authority_variant(p, id, a->issuer, &t,
		strcmp(l->key, "rsa4096") == 0 ? "rsa" : l->key, out,
		e) != ERR_OK)
		return e->code;
	return mode == BAD_REVOKED_TSA ? revoke_once(p, *out, now - 86400, e)
				       : ERR_OK;
}

/* badAlg for digests that no policy takes any more, badDataFormat for a length
 * that is not the digest's. */
static bool
imprint_fits(TS_MSG_IMPRINT *m, enum fail *why)
{
	char oid[80];
	const struct digest_row *row;
	const ASN1_OBJECT *alg;

	X509_ALGOR_get0(&alg, NULL, NULL, TS_MSG_IMPRINT_get_algo(m));
	OBJ_obj2txt(oid, sizeof(oid), alg, 1);
	row = digest_by_oid(oid);
	*why = FAIL_ALG;
	if (row == NULL || row->size < 32 || row->alg == DIGEST_WHIRLPOOL)
		return false;
	*why = FAIL_FORMAT;
	return (size_t)ASN1_STRING_length(TS_MSG_IMPRINT_get_msg(m)) ==
	       row->size;
}

static bool
acceptable(TS_REQ *req, enum bad mode, enum fail *why)
{
	AUTO(buf) struct buf none = {0};
	char oid[80] = TSA_POLICY;

	if (TS_REQ_get_policy_id(req) != NULL)
		OBJ_obj2txt(oid, sizeof(oid), TS_REQ_get_policy_id(req), 1);
	*why = FAIL_POLICY;
	if (strcmp(oid, TSA_POLICY) != 0)
		return false;
	*why = FAIL_EXTENSION;
	if (TS_REQ_get_ext_count(req) > 0)
		return false;
	*why = mode == BAD_ALG ? FAIL_ALG : FAIL_TIME;
	if (mode == BAD_ALG || mode == BAD_TRY_LATER)
		return false;
	return imprint_fits(TS_REQ_get_msg_imprint(req), why);
}

static enum err_code
grant(struct slice token, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf body = {0};

	buf_add(&body, "\x30\x03\x02\x01\x00", 5);
	buf_addslice(&body, token);
	der_put(out, 0x30, buf_slice(&body));
	return buf_ok(out, e);
}

enum err_code
tsa_answer(struct pki *p, const struct line *l, struct slice request,
    int64_t now, enum bad mode, struct buf *out, struct err *e)
{
	const uint8_t *at = request.p;
	AUTO(pki_tsreq)
	TS_REQ *req =
	    request.n > 0 ? d2i_TS_REQ(NULL, &at, (long)request.n) : NULL;
	AUTO(buf) struct buf tst = {0}, token = {0};
	struct authority *tsa = NULL;
	enum fail why;

	if (req == NULL || at != request.p + request.n ||
	    TS_REQ_get_version(req) != 1)
		return reject(FAIL_FORMAT, out, e);
	if (!acceptable(req, mode, &why))
		return reject(why, out, e);
	if (signing_tsa(p, l, now, mode, &tsa, e) != ERR_OK ||
	    make_tst(req, tsa, now, mode, &tst, e) != ERR_OK ||
	    make_token(buf_slice(&tst), tsa, now, TS_REQ_get_cert_req(req) != 0,
		&token, e) != ERR_OK)
		return e->code;
	return grant(buf_slice(&token), out, e);
}

static bool
fill_request(TS_REQ *req, const struct digest *imprint)
{
	TS_MSG_IMPRINT *m = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();
	ASN1_OBJECT *oid = OBJ_txt2obj(digest_row(imprint->alg)->oid, 1);
	bool ok = m != NULL && alg != NULL && oid != NULL &&
		  X509_ALGOR_set0(alg, oid, V_ASN1_NULL, NULL) == 1;

	if (ok)
		oid = NULL;
	ok = ok && TS_MSG_IMPRINT_set_algo(m, alg) == 1 &&
	     TS_MSG_IMPRINT_set_msg(
		 m, (uint8_t *)imprint->octets, (int)imprint->n) == 1 &&
	     TS_REQ_set_version(req, 1) == 1 &&
	     TS_REQ_set_msg_imprint(req, m) == 1 &&
	     TS_REQ_set_cert_req(req, 1) == 1;
	ASN1_OBJECT_free(oid);
	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(m);
	return ok;
}

enum err_code
tsa_token(struct pki *p, const struct line *l, const struct digest *imprint,
    int64_t now, struct buf *out, struct err *e)
{
	AUTO(pki_tsreq) TS_REQ *req = TS_REQ_new();
	AUTO(buf) struct buf tst = {0};
	struct authority *tsa = NULL;

	if (req == NULL || !fill_request(req, imprint))
		return err_openssl(e, ERR_BUG, "time-stamp request");
	if (signing_tsa(p, l, now, BAD_NONE, &tsa, e) != ERR_OK ||
	    make_tst(req, tsa, now, BAD_NONE, &tst, e) != ERR_OK)
		return e->code;
	return make_token(buf_slice(&tst), tsa, now, true, out, e);
}
