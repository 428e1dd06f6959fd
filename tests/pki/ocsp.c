/* SPDX-License-Identifier: MIT */
/* OCSP answers (RFC 6960): one delegated responder for each CA that has one. */
#include "tests/pki/pki.h"

#include <string.h>

#define FRESH_SECONDS 86400
#define STALE_SECONDS (8 * 86400)

static enum err_code
encode(int status, OCSP_BASICRESP *basic, struct buf *out, struct err *e)
{
	AUTO(pki_oresp) OCSP_RESPONSE *r = OCSP_response_create(status, basic);
	uint8_t *der = NULL;
	int n = r != NULL ? i2d_OCSP_RESPONSE(r, &der) : 0;

	if (n <= 0)
		return err_openssl(e, ERR_BUG, "OCSP response");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

static bool
names_issuer(OCSP_CERTID *asked, const struct authority *ca)
{
	ASN1_OBJECT *alg = NULL;
	ASN1_INTEGER *serial = NULL;
	AUTO(pki_certid) OCSP_CERTID *mine = NULL;
	const EVP_MD *md;

	OCSP_id_get0_info(NULL, &alg, NULL, &serial, asked);
	if ((md = EVP_get_digestbyobj(alg)) == NULL)
		return false;
	mine = OCSP_cert_id_new(md, X509_get_subject_name(ca->cert),
	    X509_get0_pubkey_bitstr(ca->cert), serial);
	/* parameters NULL and absent mean the same, so the algorithm is
	 * compared by its hashes alone */
	if (mine == NULL)
		return false;
	ASN1_OCTET_STRING *a[2], *b[2];
	OCSP_id_get0_info(&a[0], NULL, &a[1], NULL, asked);
	OCSP_id_get0_info(&b[0], NULL, &b[1], NULL, mine);
	return ASN1_OCTET_STRING_cmp(a[0], b[0]) == 0 &&
	       ASN1_OCTET_STRING_cmp(a[1], b[1]) == 0;
}

/* The CA with a responder that the CertID names, among all generations so far;
 * NULL if none. */
static enum err_code
find_ca(struct pki *p, OCSP_CERTID *id, int64_t now, struct authority **out,
    struct err *e)
{
	const struct line *l;

	*out = NULL;
	for (size_t i = 0; (l = line_at(i)) != NULL; i++) {
		struct authority *newest;
		char name[PKI_NAME];

		if (!l->has_responder)
			continue;
		if (authority_now(p, l, now, &newest, e) != ERR_OK)
			return e->code;
		for (int gen = atoi(strrchr(newest->id, '-') + 1); gen > 0;
		     gen--) {
			struct authority *ca;

			snprintf(name, sizeof(name), "%s-%d", l->name, gen);
			if (authority_find(p, name, now, &ca, e) != ERR_OK)
				return e->code;
			if (names_issuer(id, ca)) {
				*out = ca;
				return ERR_OK;
			}
		}
	}
	return ERR_OK;
}

static enum err_code
responder(struct pki *p, struct authority *ca, int64_t now, enum bad mode,
    struct authority **out, struct err *e)
{
	char id[2 * PKI_NAME];
	struct template t = {
	    "Somebody Else's Responder", ROLE_OCSP, 0, 0, false, false, true};
	struct authority *issuer = ca;

	if (mode != BAD_UNAUTHORISED && mode != BAD_NO_EKU)
		return authority_responder(p, ca, now, out, e);
	if (mode == BAD_UNAUTHORISED &&
	    authority_now(p, line_find("ca2"), now, &issuer, e) != ERR_OK)
		return e->code;
	if (mode == BAD_NO_EKU)
		t.role = ROLE_OCSP_NO_EKU;
	t.from_utc = issuer->from_utc;
	t.until_utc = issuer->until_utc;
	snprintf(id, sizeof(id), "%s-ocsp%s", issuer->id,
	    mode == BAD_NO_EKU ? "noeku" : "foreign");
	id[PKI_NAME - 1] = '\0';
	return authority_variant(p, id, issuer, &t, "ecdsa", out, e);
}

static enum err_code
add_status(struct pki *p, OCSP_BASICRESP *basic, OCSP_CERTID *id,
    const struct authority *ca, int64_t now, enum bad mode, struct err *e)
{
	AUTO(pki_gtime)
	ASN1_GENERALIZEDTIME *this_update =
	    ASN1_GENERALIZEDTIME_set(NULL, (time_t)now);
	AUTO(pki_gtime)
	ASN1_GENERALIZEDTIME *next =
	    ASN1_GENERALIZEDTIME_set(NULL, (time_t)(now + FRESH_SECONDS));
	AUTO(pki_gtime) ASN1_GENERALIZEDTIME *revoked = NULL;
	const struct issued *i;
	ASN1_INTEGER *serial = NULL;
	char text[PKI_NAME];
	int status = V_OCSP_CERTSTATUS_GOOD;

	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	serial_text(serial, text);
	if (issued_find(p, ca->id, text, &i, e) != ERR_OK)
		return e->code;
	if (mode == BAD_WRONG_CERT && ASN1_INTEGER_set(serial, 4711) != 1)
		return err_openssl(e, ERR_BUG, "OCSP serial");
	if (i == NULL || i->forgotten || mode == BAD_UNKNOWN) {
		status = V_OCSP_CERTSTATUS_UNKNOWN;
	} else if (i->revoked_utc != TIME_NONE && i->recorded_utc <= now) {
		status = V_OCSP_CERTSTATUS_REVOKED;
		revoked =
		    ASN1_GENERALIZEDTIME_set(NULL, (time_t)i->revoked_utc);
	}
	if (OCSP_basic_add1_status(basic, id, status,
		i != NULL ? i->reason : -1, revoked, this_update, next) == NULL)
		return err_openssl(e, ERR_BUG, "OCSP status");
	return ERR_OK;
}

static bool
add_nonce(OCSP_BASICRESP *basic, OCSP_REQUEST *req, enum bad mode)
{
	uint8_t other[32] = {'o', 't', 'h', 'e', 'r'};

	/* what lies ready since days knows no nonce */
	if (mode == BAD_NO_NONCE || mode == BAD_STALE_OCSP)
		return true;
	if (mode == BAD_WRONG_NONCE)
		return OCSP_basic_add1_nonce(basic, other, sizeof(other)) == 1;
	return OCSP_copy_nonce(basic, req) > 0;
}

/* A certificate that has ended is not answered for any more (RFC 5019). */
static bool
may_answer(
    struct pki *p, OCSP_CERTID *id, const struct authority *ca, int64_t now)
{
	const struct issued *i;
	ASN1_INTEGER *serial = NULL;
	char text[PKI_NAME];

	if (ca == NULL || ca->until_utc < now)
		return false;
	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	serial_text(serial, text);
	return issued_find(p, ca->id, text, &i, NULL) != ERR_OK || i == NULL ||
	       i->until_utc >= now;
}

static enum err_code
sign(OCSP_BASICRESP *basic, const struct authority *by,
    const struct authority *ca, int64_t now, struct err *e)
{
	/* there is no setter for producedAt, and without OCSP_NOTIME it is the
	 * system clock's */
	ASN1_GENERALIZEDTIME *produced =
	    (ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(basic);
	unsigned long flags = OCSP_NOTIME;

	/* one CA's responder is named by key, the other's by name: both occur
	 */
	if (ca->line != NULL && ca->line->nocheck)
		flags |= OCSP_RESPID_KEY;
	if (produced == NULL ||
	    ASN1_GENERALIZEDTIME_set(produced, (time_t)now) == NULL ||
	    OCSP_basic_sign(basic, by->cert, by->key, key_digest(by->key), NULL,
		flags) != 1)
		return err_openssl(e, ERR_BUG, "OCSP signing");
	return ERR_OK;
}

static enum err_code
answer(struct pki *p, OCSP_REQUEST *req, int64_t now, enum bad mode,
    struct buf *out, struct err *e)
{
	AUTO(pki_basic) OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	struct authority *ca = NULL, *by = NULL;
	int64_t at = mode == BAD_STALE_OCSP ? now - STALE_SECONDS : now;

	if (basic == NULL)
		return err_nomem(e);
	for (int i = 0; i < OCSP_request_onereq_count(req); i++) {
		OCSP_CERTID *id =
		    OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, i));

		if (find_ca(p, id, now, &ca, e) != ERR_OK)
			return e->code;
		if (!may_answer(p, id, ca, now))
			return encode(
			    OCSP_RESPONSE_STATUS_UNAUTHORIZED, NULL, out, e);
		if (add_status(p, basic, id, ca, at, mode, e) != ERR_OK)
			return e->code;
	}
	if (responder(p, ca, at, mode, &by, e) != ERR_OK)
		return e->code;
	if (!add_nonce(basic, req, mode))
		return err_openssl(e, ERR_BUG, "OCSP nonce");
	if (sign(basic, by, ca, at, e) != ERR_OK)
		return e->code;
	return encode(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic, out, e);
}

enum err_code
ocsp_answer(struct pki *p, struct slice request, int64_t now, enum bad mode,
    struct buf *out, struct err *e)
{
	const uint8_t *at = request.p;
	AUTO(pki_oreq)
	OCSP_REQUEST *req =
	    request.n > 0 ? d2i_OCSP_REQUEST(NULL, &at, (long)request.n) : NULL;

	if (req == NULL || at != request.p + request.n ||
	    OCSP_request_onereq_count(req) < 1)
		return encode(
		    OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, NULL, out, e);
	if (mode == BAD_TRY_LATER)
		return encode(OCSP_RESPONSE_STATUS_TRYLATER, NULL, out, e);
	return answer(p, req, now, mode, out, e);
}
