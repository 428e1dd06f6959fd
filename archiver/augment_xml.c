/* SPDX-License-Identifier: MIT */
/*
 * The text of each property (xades.md 3.2): ASCII, no white space between
 * elements, every outermost element with its own prefix declarations.
 */
#include "archiver/augment.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ocsp.h>

#define DECLARE_DS " xmlns:ds=\"" NS_DS "\""
#define DECLARE_132 " xmlns:xades=\"" NS_X132 "\""
#define DECLARE_141 " xmlns:xades141=\"" NS_X141 "\""

static void
element_base64(struct buf *out, const char *name, struct slice der)
{
	buf_addf(out, "<%s>", name);
	buf_addbase64(out, der);
	buf_addf(out, "</%s>", name);
}

static void
element_text(struct buf *out, const char *name, const char *utf8)
{
	buf_addf(out, "<%s>", name);
	buf_addxml(out, utf8);
	buf_addf(out, "</%s>", name);
}

static enum err_code
digest_of(struct buf *out, const char *element, enum digest_alg alg, struct slice der, struct err *e)
{
	struct digest d;
	if (digest_once(alg, der, &d, e) != ERR_OK)
		return err_wrap(e, "%s", element);
	buf_addf(out, "<%s><ds:DigestMethod Algorithm=\"%s\"></ds:DigestMethod>", element, digest_row(alg)->uri);
	element_base64(out, "ds:DigestValue", digest_slice(&d));
	buf_addf(out, "</%s>", element);
	return ERR_OK;
}

/* ---- stamps ---- */

/* SignatureTimeStamp, SigAndRefsTimeStamp(V2), ArchiveTimeStamp: XAdESTimeStampType, its children always in 1.3.2. */
static enum err_code
stamp_text(const struct augment_add *add, const struct augment_have *have, struct buf *out, struct err *e)
{
	uint8_t id[32];
	const char *name = add->kind == ADD_T ? "xades:SignatureTimeStamp"
	    : add->kind == ADD_A	      ? "xades141:ArchiveTimeStamp"
	    : have->refs_v1		      ? "xades:SigAndRefsTimeStamp"
					      : "xades141:SigAndRefsTimeStampV2";
	if (add->token.n == 0)
		return err_set(e, ERR_USAGE, "a stamp without a token");
	if (add->kind == ADD_X && !have->refs_v1 && !have->refs_v2)
		return err_set(e, ERR_UNSUPPORTED, "a stamp over references, but there are none");
	if (digest_sha256(add->token, id, e) != ERR_OK)
		return err_wrap(e, "stamp");
	/* The token's digest makes an Id that no other element bears, unless the same token stands there already. */
	buf_addf(out, "<%s" DECLARE_DS DECLARE_132 DECLARE_141 " Id=\"ts-", name);
	buf_addhex(out, slice_of(id, 16));
	buf_addf(out, "\"><ds:CanonicalizationMethod Algorithm=\"%s\"></ds:CanonicalizationMethod>", augment_c14n(add->kind, have));
	element_base64(out, "xades:EncapsulatedTimeStamp", add->token);
	buf_addf(out, "</%s>", name);
	return ERR_OK;
}

/* ---- references ---- */

static void
der_put(struct buf *out, unsigned tag, struct slice body)
{
	buf_add8(out, tag);
	if (body.n < 0x80) {
		buf_add8(out, (unsigned)body.n);
	} else if (body.n < 0x100) {
		buf_add8(out, 0x81);
		buf_add8(out, (unsigned)body.n);
	} else {
		buf_add8(out, 0x82);
		buf_add8(out, (unsigned)(body.n >> 8));
		buf_add8(out, (unsigned)(body.n & 0xff));
	}
	buf_addslice(out, body);
}

/* IssuerSerial ::= SEQUENCE { issuer GeneralNames, serialNumber INTEGER } (RFC 5035), issuer as directoryName, explicit [4]. */
static enum err_code
issuer_serial(const struct cert *c, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf name = {0}, names = {0}, body = {0};
	if (c->issuer.n > 0xff00)
		return err_set(e, ERR_LIMIT, "issuer name of %zu octets", c->issuer.n);
	der_put(&name, 0xa4, c->issuer);
	der_put(&names, 0x30, buf_slice(&name));
	buf_addslice(&body, buf_slice(&names));
	der_put(&body, 0x02, c->serial);
	der_put(out, 0x30, buf_slice(&body));
	if (buf_ok(&name, e) != ERR_OK || buf_ok(&names, e) != ERR_OK || buf_ok(&body, e) != ERR_OK)
		return err_wrap(e, "issuer and serial");
	return buf_ok(out, e);
}

static enum err_code
cert_ref(struct pki *pki, struct slice der, enum digest_alg alg, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf serial = {0};
	const struct cert *c = NULL;
	if (pki_cert(pki, der, &c, e) != ERR_OK || issuer_serial(c, &serial, e) != ERR_OK)
		return err_wrap(e, "certificate reference");
	buf_adds(out, "<xades:Cert>");
	if (digest_of(out, "xades:CertDigest", alg, der, e) != ERR_OK)
		return err_wrap(e, "certificate reference");
	element_base64(out, "xades:IssuerSerialV2", buf_slice(&serial));
	buf_adds(out, "</xades:Cert>");
	return ERR_OK;
}

/* RFC 4514 text of a Name, UTF-8. */
static enum err_code
name_text(X509_NAME *name, struct buf *out, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	unsigned long flags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
	if (bio == NULL || name == NULL || X509_NAME_print_ex(bio, name, 0, flags) < 0) {
		BIO_free(bio);
		return err_openssl(e, ERR_FORMAT, "name of an issuer");
	}
	long n = BIO_get_mem_data(bio, &p);
	buf_add(out, p, n > 0 ? (size_t)n : 0);
	BIO_free(bio);
	return buf_ok(out, e);
}

static enum err_code
crl_identifier(const struct revocation *r, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	char when[TIME_TEXT];
	const uint8_t *p = r->issuer.p;
	X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)r->issuer.n);
	enum err_code rc = name_text(name, &text, e);
	X509_NAME_free(name);
	if (rc != ERR_OK)
		return err_wrap(e, "CRL");
	time_text(r->this_update, when);
	buf_adds(out, "<xades:CRLIdentifier>");
	element_text(out, "xades:Issuer", buf_str(&text));
	element_text(out, "xades:IssueTime", when);
	if (r->crl_number.n > 0 && r->crl_number.p[0] < 0x80) {
		BIGNUM *bn = BN_bin2bn(r->crl_number.p, (int)r->crl_number.n, NULL);
		char *dec = bn != NULL ? BN_bn2dec(bn) : NULL;
		if (dec != NULL)
			element_text(out, "xades:Number", dec);
		OPENSSL_free(dec);
		BN_free(bn);
	}
	buf_adds(out, "</xades:CRLIdentifier>");
	return ERR_OK;
}

static enum err_code
responder_id(const OCSP_BASICRESP *basic, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	const ASN1_OCTET_STRING *key = NULL;
	const X509_NAME *name = NULL;
	if (basic == NULL || OCSP_resp_get0_id(basic, &key, &name) != 1)
		return err_openssl(e, ERR_FORMAT, "OCSP response without a responder");
	buf_adds(out, "<xades:ResponderID>");
	if (key != NULL) {
		element_base64(out, "xades:ByKey",
		    slice_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)));
	} else {
		X509_NAME *copy = X509_NAME_dup(name);
		enum err_code rc = name_text(copy, &text, e);
		X509_NAME_free(copy);
		if (rc != ERR_OK)
			return err_wrap(e, "OCSP responder");
		element_text(out, "xades:ByName", buf_str(&text));
	}
	buf_adds(out, "</xades:ResponderID>");
	return ERR_OK;
}

static enum err_code
ocsp_identifier(const struct revocation *r, struct buf *out, struct err *e)
{
	char when[TIME_TEXT];
	const uint8_t *p = r->der.p;
	OCSP_RESPONSE *resp = d2i_OCSP_RESPONSE(NULL, &p, (long)r->der.n);
	OCSP_BASICRESP *basic = resp != NULL ? OCSP_response_get1_basic(resp) : NULL;
	time_text(r->produced_at, when);
	buf_adds(out, "<xades:OCSPIdentifier>");
	enum err_code rc = responder_id(basic, out, e);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(resp);
	element_text(out, "xades:ProducedAt", when);
	buf_adds(out, "</xades:OCSPIdentifier>");
	return rc;
}

static enum err_code
crl_ref(struct pki *pki, struct slice der, enum digest_alg alg, struct buf *out, struct err *e)
{
	const struct revocation *r = NULL;
	if (pki_crl(pki, der, &r, e) != ERR_OK)
		return err_wrap(e, "CRL reference");
	buf_adds(out, "<xades:CRLRef>");
	if (digest_of(out, "xades:DigestAlgAndValue", alg, der, e) != ERR_OK || crl_identifier(r, out, e) != ERR_OK)
		return err_wrap(e, "CRL reference");
	buf_adds(out, "</xades:CRLRef>");
	return ERR_OK;
}

static enum err_code
ocsp_ref(struct pki *pki, struct slice der, enum digest_alg alg, struct buf *out, struct err *e)
{
	const struct revocation *r = NULL;
	if (pki_ocsp(pki, der, &r, e) != ERR_OK)
		return err_wrap(e, "OCSP reference");
	buf_adds(out, "<xades:OCSPRef>");
	if (ocsp_identifier(r, out, e) != ERR_OK ||
	    digest_of(out, "xades:DigestAlgAndValue", alg, der, e) != ERR_OK)
		return err_wrap(e, "OCSP reference");
	buf_adds(out, "</xades:OCSPRef>");
	return ERR_OK;
}

static size_t
count(const struct augment_add *add, enum material_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < add->n_objects; i++)
		n += add->objects[i].kind == kind;
	return n;
}

/* One wrapper around every object of that kind; nothing when there is none. */
static enum err_code
each_ref(struct pki *pki, const struct augment_add *add, enum material_kind kind, const char *wrapper,
    enum err_code (*put)(struct pki *, struct slice, enum digest_alg, struct buf *, struct err *), enum digest_alg alg,
    struct buf *out, struct err *e)
{
	if (count(add, kind) == 0)
		return ERR_OK;
	buf_addf(out, "<%s>", wrapper);
	for (size_t i = 0; i < add->n_objects; i++)
		if (add->objects[i].kind == kind && put(pki, add->objects[i].der, alg, out, e) != ERR_OK)
			return err_wrap(e, "object %zu", i);
	buf_addf(out, "</%s>", wrapper);
	return ERR_OK;
}

static enum err_code
refs_text(struct pki *pki, const struct augment_add *add, enum digest_alg alg, struct augment_have *have,
    struct buf *out, struct err *e)
{
	if (have->refs_v1 || have->refs_v2)
		return err_set(e, ERR_UNSUPPORTED, "references stand already and must not be replaced");
	if (count(add, MAT_CERT) == 0)
		return err_set(e, ERR_USAGE, "references to no certificate");
	buf_adds(out, "<xades141:CompleteCertificateRefsV2" DECLARE_DS DECLARE_132 DECLARE_141 ">");
	if (each_ref(pki, add, MAT_CERT, "xades141:CertRefs", cert_ref, alg, out, e) != ERR_OK)
		return err_wrap(e, "references");
	buf_adds(out, "</xades141:CompleteCertificateRefsV2>");
	have->refs_v2 = true;
	if (have->rev_refs)
		return ERR_OK;
	buf_adds(out, "<xades:CompleteRevocationRefs" DECLARE_DS DECLARE_132 ">");
	if (each_ref(pki, add, MAT_CRL, "xades:CRLRefs", crl_ref, alg, out, e) != ERR_OK ||
	    each_ref(pki, add, MAT_OCSP, "xades:OCSPRefs", ocsp_ref, alg, out, e) != ERR_OK)
		return err_wrap(e, "references");
	buf_adds(out, "</xades:CompleteRevocationRefs>");
	have->rev_refs = true;
	return ERR_OK;
}

/* ---- values ---- */

static void
each_value(const struct augment_add *add, enum material_kind kind, const char *element, struct buf *out)
{
	for (size_t i = 0; i < add->n_objects; i++)
		if (add->objects[i].kind == kind)
			element_base64(out, element, add->objects[i].der);
}

/* CertificateValues and RevocationValues, each only if it has something. declare: "" inside another element of ours. */
static void
both_values(const struct augment_add *add, const char *declare, struct buf *out)
{
	if (count(add, MAT_CERT) > 0) {
		buf_addf(out, "<xades:CertificateValues%s>", declare);
		each_value(add, MAT_CERT, "xades:EncapsulatedX509Certificate", out);
		buf_adds(out, "</xades:CertificateValues>");
	}
	if (count(add, MAT_CRL) + count(add, MAT_OCSP) == 0)
		return;
	buf_addf(out, "<xades:RevocationValues%s>", declare);
	if (count(add, MAT_CRL) > 0) {
		buf_adds(out, "<xades:CRLValues>");
		each_value(add, MAT_CRL, "xades:EncapsulatedCRLValue", out);
		buf_adds(out, "</xades:CRLValues>");
	}
	if (count(add, MAT_OCSP) > 0) {
		buf_adds(out, "<xades:OCSPValues>");
		each_value(add, MAT_OCSP, "xades:EncapsulatedOCSPValue", out);
		buf_adds(out, "</xades:OCSPValues>");
	}
	buf_adds(out, "</xades:RevocationValues>");
}

static void
values_text(const struct augment_add *add, struct augment_have *have, struct buf *out)
{
	const char *name = add->kind == ADD_TSVD ? "xades141:TimeStampValidationData" : "xades141:AnyValidationData";
	if (add->n_objects == 0)
		return;
	/* A second CertificateValues would end the baseline (at most one each), so more goes into AnyValidationData. */
	if (add->kind == ADD_VALUES && !have->values) {
		both_values(add, DECLARE_132, out);
		have->values = true;
		return;
	}
	buf_addf(out, "<%s" DECLARE_132 DECLARE_141 ">", name);
	both_values(add, "", out);
	buf_addf(out, "</%s>", name);
}

enum err_code
augment_text(struct pki *pki, const struct augment_add *add, enum digest_alg alg, struct augment_have *have,
    struct buf *out, struct err *e)
{
	enum err_code rc;
	switch (add->kind) {
	case ADD_T:
	case ADD_X:
	case ADD_A:
		rc = stamp_text(add, have, out, e);
		break;
	case ADD_REFS:
		rc = refs_text(pki, add, alg, have, out, e);
		break;
	case ADD_VALUES:
	case ADD_TSVD:
	case ADD_ANYVD:
		values_text(add, have, out);
		rc = ERR_OK;
		break;
	default:
		return err_set(e, ERR_USAGE, "addition of an unknown kind");
	}
	return rc == ERR_OK ? buf_ok(out, e) : rc;
}
