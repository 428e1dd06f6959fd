/* SPDX-License-Identifier: MIT */
/*
 * What proves a signature and its stamp, as text for
 * UnsignedSignatureProperties: CertificateValues and RevocationValues (B-LT).
 * All of it is of the virtual now.
 */
#include "tests/pki/sign.h"

#include <string.h>

static void
add_value(struct buf *b, const char *name, struct slice der)
{
	buf_addf(b, "<xades:%s>", name);
	buf_addbase64(b, der);
	buf_addf(b, "</xades:%s>", name);
}

static enum err_code
add_chain(struct buf *b, const struct authority *a, struct err *e)
{
	for (; a != NULL; a = a->issuer) {
		AUTO(buf) struct buf der = {0};

		if (cert_der(a->cert, &der, e) != ERR_OK)
			return e->code;
		add_value(b, "EncapsulatedX509Certificate", buf_slice(&der));
	}
	return ERR_OK;
}

/* The list of each issuer from here up to the root. */
static enum err_code
add_crls(struct pki *p, struct buf *b, struct authority *issuer, int64_t now,
    struct err *e)
{
	for (; issuer != NULL; issuer = issuer->issuer) {
		AUTO(buf) struct buf der = {0};

		if (crl_make(p, issuer, now, BAD_NONE, &der, e) != ERR_OK)
			return e->code;
		add_value(b, "EncapsulatedCRLValue", buf_slice(&der));
	}
	return ERR_OK;
}

static enum err_code
add_ocsp(struct pki *p, struct buf *b, const struct signer *s, int64_t now,
    struct err *e)
{
	AUTO(pki_oreq) OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), s->cert, s->ca->cert);
	AUTO(buf) struct buf answer = {0};
	uint8_t *der = NULL;
	int n;
	enum err_code code;

	if (req == NULL || id == NULL ||
	    OCSP_request_add0_id(req, id) == NULL ||
	    (n = i2d_OCSP_REQUEST(req, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "OCSP request");
	code =
	    ocsp_answer(p, slice_of(der, (size_t)n), now, BAD_NONE, &answer, e);
	OPENSSL_free(der);
	if (code == ERR_OK)
		add_value(b, "EncapsulatedOCSPValue", buf_slice(&answer));
	return code;
}

static bool
answers(const struct signer *s)
{
	return strcmp(s->ca->line->ee_status, "ocsp") == 0;
}

static enum err_code
add_certificates(struct buf *b, const struct signer *s,
    const struct signer *second, const struct authority *stamper, struct err *e)
{
	buf_adds(b, "<xades:CertificateValues>");
	if (add_chain(b, s->ca, e) != ERR_OK ||
	    add_chain(b, stamper, e) != ERR_OK ||
	    (second != NULL && second->ca != s->ca &&
		add_chain(b, second->ca, e) != ERR_OK))
		return e->code;
	buf_adds(b, "</xades:CertificateValues>");
	return ERR_OK;
}

/* From where OCSP does not speak: the signer's CA or the root above it; and the
 * TSA's CAs. */
static enum err_code
add_lists(struct pki *p, struct buf *b, const struct signer *s,
    const struct signer *second, const struct authority *stamper, int64_t now,
    struct err *e)
{
	buf_adds(b, "<xades:CRLValues>");
	if (add_crls(p, b, answers(s) ? s->ca->issuer : s->ca, now, e) !=
		ERR_OK ||
	    add_crls(p, b, stamper->issuer, now, e) != ERR_OK ||
	    (second != NULL && second->ca != s->ca &&
		add_crls(p, b,
		    answers(second) ? second->ca->issuer : second->ca, now,
		    e) != ERR_OK))
		return e->code;
	buf_adds(b, "</xades:CRLValues>");
	return ERR_OK;
}

static enum err_code
add_answers(struct pki *p, struct buf *b, const struct signer *s,
    const struct signer *second, int64_t now, struct err *e)
{
	if (!answers(s) && (second == NULL || !answers(second)))
		return ERR_OK;
	buf_adds(b, "<xades:OCSPValues>");
	if ((answers(s) && add_ocsp(p, b, s, now, e) != ERR_OK) ||
	    (second != NULL && answers(second) &&
		add_ocsp(p, b, second, now, e) != ERR_OK))
		return e->code;
	buf_adds(b, "</xades:OCSPValues>");
	return ERR_OK;
}

enum err_code
values_text(struct pki *p, const struct signer *s, const struct signer *second,
    const struct line *tsa, int64_t now, struct buf *out, struct err *e)
{
	struct authority *stamper;

	if (authority_now(p, tsa, now, &stamper, e) != ERR_OK ||
	    add_certificates(out, s, second, stamper, e) != ERR_OK)
		return e->code;
	buf_adds(out, "<xades:RevocationValues>");
	if (add_lists(p, out, s, second, stamper, now, e) != ERR_OK ||
	    add_answers(p, out, s, second, now, e) != ERR_OK)
		return e->code;
	buf_adds(out, "</xades:RevocationValues>");
	return buf_ok(out, e);
}
