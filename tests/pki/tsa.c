/* SPDX-License-Identifier: MIT */
/* The TSA's side of RFC 3161: what is asked, refused, granted, and by whom. */
#include "tests/pki/pki.h"

#include <string.h>

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
grant(struct slice token, enum bad mode, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf body = {0};

	buf_add(&body, "\x30\x03\x02\x01", 4);
	buf_add8(&body, mode == BAD_REJECTED_TOKEN ? 2 : 0);
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
	    tst_make(req, tsa, now, mode, &tst, e) != ERR_OK ||
	    token_make(buf_slice(&tst), tsa, now,
		TS_REQ_get_cert_req(req) != 0 && mode != BAD_NO_CERT, mode,
		&token, e) != ERR_OK)
		return e->code;
	return grant(buf_slice(&token), mode, out, e);
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
	    tst_make(req, tsa, now, BAD_NONE, &tst, e) != ERR_OK)
		return e->code;
	return token_make(buf_slice(&tst), tsa, now, true, BAD_NONE, out, e);
}
