/* SPDX-License-Identifier: MIT */
#include "tests/pki/sign.h"

#include <libxml/c14n.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define MORE2001 "http://www.w3.org/2001/04/xmldsig-more#"
#define MORE2007 "http://www.w3.org/2007/05/xmldsig-more#"
#define MORE2021 "http://www.w3.org/2021/04/xmldsig-more#"

static const struct c14n_row c14n_rows[] = {
    {"exc", "http://www.w3.org/2001/10/xml-exc-c14n#", XML_C14N_EXCLUSIVE_1_0,
	false},
    {"exc-comments", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
	XML_C14N_EXCLUSIVE_1_0, true},
    {"c14n10", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", XML_C14N_1_0,
	false},
    {"c14n10-comments",
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
	XML_C14N_1_0, true},
    {"c14n11", "http://www.w3.org/2006/12/xml-c14n11", XML_C14N_1_1, false},
    {"c14n11-comments", "http://www.w3.org/2006/12/xml-c14n11#WithComments",
	XML_C14N_1_1, true},
};
#define C14N_ROWS (sizeof(c14n_rows) / sizeof(c14n_rows[0]))

const struct c14n_row *
c14n_by_word(const char *word)
{
	for (size_t i = 0; i < C14N_ROWS; i++)
		if (strcmp(c14n_rows[i].word, word) == 0)
			return &c14n_rows[i];
	return NULL;
}

const struct c14n_row *
c14n_by_uri(const char *uri)
{
	for (size_t i = 0; i < C14N_ROWS; i++)
		if (strcmp(c14n_rows[i].uri, uri) == 0)
			return &c14n_rows[i];
	return NULL;
}

static const struct {
	int key; /* EVP_PKEY_PSS here: RSA with PSS padding */
	const char *md, *uri;
} methods[] = {
    {EVP_PKEY_RSA, "SHA256", MORE2001 "rsa-sha256"},
    {EVP_PKEY_RSA, "SHA384", MORE2001 "rsa-sha384"},
    {EVP_PKEY_RSA, "SHA512", MORE2001 "rsa-sha512"},
    {EVP_PKEY_RSA, "SHA1", NS_DS "rsa-sha1"},
    {EVP_PKEY_RSA_PSS, "SHA256", MORE2007 "sha256-rsa-MGF1"},
    {EVP_PKEY_RSA_PSS, "SHA384", MORE2007 "sha384-rsa-MGF1"},
    {EVP_PKEY_RSA_PSS, "SHA512", MORE2007 "sha512-rsa-MGF1"},
    {EVP_PKEY_RSA_PSS, "SHA3-256", MORE2007 "sha3-256-rsa-MGF1"},
    {EVP_PKEY_RSA_PSS, "SHA3-512", MORE2007 "sha3-512-rsa-MGF1"},
    {EVP_PKEY_EC, "SHA256", MORE2001 "ecdsa-sha256"},
    {EVP_PKEY_EC, "SHA384", MORE2001 "ecdsa-sha384"},
    {EVP_PKEY_EC, "SHA512", MORE2001 "ecdsa-sha512"},
    {EVP_PKEY_EC, "SHA3-256", MORE2021 "ecdsa-sha3-256"},
    {EVP_PKEY_EC, "SHA3-384", MORE2021 "ecdsa-sha3-384"},
    {EVP_PKEY_EC, "SHA3-512", MORE2021 "ecdsa-sha3-512"},
};

const char *
sig_method(const struct signer *by, const EVP_MD *md)
{
	int key = EVP_PKEY_get_id(by->key);

	if (key == EVP_PKEY_ED25519)
		return md == NULL ? MORE2021 "eddsa-ed25519" : NULL;
	if (key == EVP_PKEY_RSA && by->pss)
		key = EVP_PKEY_RSA_PSS;
	for (size_t i = 0;
	     md != NULL && i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].key == key && EVP_MD_is_a(md, methods[i].md))
			return methods[i].uri;
	return NULL;
}

void
sig_auto(struct sig *s)
{
	for (size_t i = 0; i < s->nrefs; i++)
		free(s->refs[i].uri);
	free(s->objects);
	free(s->counter);
	free(s->values);
}

void
transforms_text(struct buf *b, enum transform t, const struct c14n_row *c14n)
{
	static const char *const first[] = {
	    [TRANSFORM_C14N] = "",
	    [TRANSFORM_ENVELOPED] =
		"<ds:Transform Algorithm=\"" NS_DS "enveloped-signature\"/>",
	    [TRANSFORM_XPATH] =
		"<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">"
		"<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>",
	    [TRANSFORM_FILTER2] =
		"<ds:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\">"
		"<f2:XPath xmlns:f2=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"subtract\">"
		"/descendant::ds:Signature</f2:XPath></ds:Transform>",
	    [TRANSFORM_BASE64] =
		"<ds:Transform Algorithm=\"" NS_DS "base64\"/>",
	};

	if (t == TRANSFORM_NONE)
		return;
	buf_addf(b, "<ds:Transforms>%s", first[t]);
	if (t != TRANSFORM_BASE64)
		buf_addf(b, "<ds:Transform Algorithm=\"%s\"/>", c14n->uri);
	buf_adds(b, "</ds:Transforms>");
}

static void
reference(
    struct buf *b, const struct sig *s, const char *id, const struct sig_ref *r)
{
	buf_addf(b, "<ds:Reference Id=\"%s\" URI=\"", id);
	buf_addxml(b, r->uri);
	buf_adds(b, "\"");
	if (r->type != NULL)
		buf_addf(b, " Type=\"%s\"", r->type);
	buf_adds(b, ">");
	transforms_text(b, r->transform, s->c14n);
	buf_addf(b,
	    "<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue/></ds:Reference>",
	    digest_row(s->digest)->uri);
}

static void
signed_info(struct buf *b, const struct sig *s)
{
	char id[64], uri[64];
	struct sig_ref props = {uri,
	    "http://uri.etsi.org/01903#SignedProperties", TRANSFORM_C14N, NULL};

	buf_addf(b,
	    "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"%s\"/><ds:SignatureMethod Algorithm=\"%s\"/>",
	    s->c14n->uri, s->sig_uri);
	for (size_t i = 0; i < s->nrefs; i++) {
		snprintf(id, sizeof(id), "%s-r%zu", s->id, i + 1);
		reference(b, s, id, &s->refs[i]);
	}
	snprintf(id, sizeof(id), "%s-rp", s->id);
	snprintf(uri, sizeof(uri), "#%s-sp", s->id);
	reference(b, s, id, &props);
	buf_adds(b, "</ds:SignedInfo>");
}

static enum err_code
add_cert(struct buf *b, const X509 *cert, struct err *e)
{
	AUTO(buf) struct buf der = {0};

	if (cert_der(cert, &der, e) != ERR_OK)
		return e->code;
	buf_adds(b, "<ds:X509Certificate>");
	buf_addbase64(b, buf_slice(&der));
	buf_adds(b, "</ds:X509Certificate>");
	return ERR_OK;
}

static enum err_code
key_info(struct buf *b, const struct sig *s, struct err *e)
{
	buf_adds(b, "<ds:KeyInfo><ds:X509Data>");
	if (add_cert(b, s->by->cert, e) != ERR_OK ||
	    (!s->no_chain && add_cert(b, s->by->ca->cert, e) != ERR_OK))
		return e->code;
	buf_adds(b, "</ds:X509Data></ds:KeyInfo>");
	return ERR_OK;
}

static void
digest_pair(struct buf *b, const struct digest *d)
{
	buf_addf(b, "<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue>",
	    digest_row(d->alg)->uri);
	buf_addbase64(b, digest_slice(d));
	buf_adds(b, "</ds:DigestValue>");
}

/* IssuerSerial ::= SEQUENCE { SEQUENCE { [4] Name }, INTEGER } */
static bool
issuer_serial_v2(struct buf *b, const X509 *cert)
{
	AUTO(buf) struct buf name = {0}, names = {0}, both = {0}, all = {0};
	uint8_t *der = NULL;
	int n = i2d_X509_NAME(X509_get_issuer_name(cert), &der);

	if (n <= 0)
		return false;
	der_put(&name, 0xa4, slice_of(der, (size_t)n));
	OPENSSL_free(der);
	der_put(&names, 0x30, buf_slice(&name));
	buf_addslice(&both, buf_slice(&names));
	der = NULL;
	if ((n = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &der)) <= 0)
		return false;
	buf_add(&both, der, (size_t)n);
	OPENSSL_free(der);
	der_put(&all, 0x30, buf_slice(&both));
	buf_adds(b, "<xades:IssuerSerialV2>");
	buf_addbase64(b, buf_slice(&all));
	buf_adds(b, "</xades:IssuerSerialV2>");
	return true;
}

static bool
issuer_serial_v1(struct buf *b, const X509 *cert)
{
	AUTO(pki_bio) BIO *bio = BIO_new(BIO_s_mem());
	AUTO(pki_bn)
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *decimal = n != NULL ? BN_bn2dec(n) : NULL, *text;
	bool ok = bio != NULL && decimal != NULL &&
		  X509_NAME_print_ex(bio, X509_get_issuer_name(cert), 0,
		      XN_FLAG_RFC2253) >= 0 &&
		  BIO_write(bio, "", 1) == 1 &&
		  BIO_get_mem_data(bio, &text) > 0;

	if (ok) {
		buf_adds(b, "<xades:IssuerSerial><ds:X509IssuerName>");
		buf_addxml(b, text);
		buf_addf(b,
		    "</ds:X509IssuerName><ds:X509SerialNumber>%s</ds:X509SerialNumber></xades:IssuerSerial>",
		    decimal);
	}
	OPENSSL_free(decimal);
	return ok;
}

static enum err_code
signing_certificate(struct buf *b, const struct sig *s, struct err *e)
{
	AUTO(buf) struct buf der = {0};
	struct digest d;
	const char *name =
	    s->v1 ? "SigningCertificate" : "SigningCertificateV2";

	if (cert_der(s->by->cert, &der, e) != ERR_OK ||
	    digest_once(s->digest, buf_slice(&der), &d, e) != ERR_OK)
		return e->code;
	buf_addf(b, "<xades:%s><xades:Cert><xades:CertDigest>", name);
	digest_pair(b, &d);
	buf_adds(b, "</xades:CertDigest>");
	if (!(s->v1 ? issuer_serial_v1(b, s->by->cert)
		    : issuer_serial_v2(b, s->by->cert)))
		return err_openssl(e, ERR_BUG, "issuer and serial");
	buf_addf(b, "</xades:Cert></xades:%s>", name);
	return ERR_OK;
}

static enum err_code
policy_identifier(struct buf *b, const struct sig *s, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	struct digest d;

	if (pki_policy(s->pki, &text, e) != ERR_OK ||
	    digest_once(s->digest, buf_slice(&text), &d, e) != ERR_OK)
		return e->code;
	buf_adds(b,
	    "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>"
	    "<xades:Identifier Qualifier=\"OIDAsURN\">urn:oid:" PKI_POLICY_OID
	    "</xades:Identifier>"
	    "</xades:SigPolicyId><xades:SigPolicyHash>");
	digest_pair(b, &d);
	buf_addf(b,
	    "</xades:SigPolicyHash><xades:SigPolicyQualifiers><xades:SigPolicyQualifier><xades:SPURI>"
	    "http://127.0.0.1:%d/policy</xades:SPURI></xades:SigPolicyQualifier></xades:SigPolicyQualifiers>"
	    "</xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>",
	    s->pki->port);
	return ERR_OK;
}

static void
formats(struct buf *b, const struct sig *s)
{
	bool any = false;

	for (size_t i = 0; i < s->nrefs; i++)
		any = any || s->refs[i].mime != NULL;
	if (!any)
		return;
	buf_adds(b, "<xades:SignedDataObjectProperties>");
	for (size_t i = 0; i < s->nrefs; i++) {
		if (s->refs[i].mime == NULL)
			continue;
		buf_addf(b,
		    "<xades:DataObjectFormat ObjectReference=\"#%s-r%zu\"><xades:MimeType>",
		    s->id, i + 1);
		buf_addxml(b, s->refs[i].mime);
		buf_adds(b, "</xades:MimeType></xades:DataObjectFormat>");
	}
	buf_adds(b, "</xades:SignedDataObjectProperties>");
}

static void
stamp(struct buf *b, const char *name, const char *id, const char *tail)
{
	buf_addf(b,
	    "<%s Id=\"%s-%s\"><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>"
	    "<xades:EncapsulatedTimeStamp/></%.*s>",
	    name, id, tail, (int)strcspn(name, " "), name);
}

/*
 * Left out when there is none: an empty container could not be extended by
 * insertion. A stamp covers what stands before it.
 */
static void
unsigned_properties(struct buf *b, const struct sig *s)
{
	if (s->counter == NULL && !s->stamped)
		return;
	buf_adds(
	    b, "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>");
	if (s->counter != NULL)
		buf_addf(b,
		    "<xades:CounterSignature>%s</xades:CounterSignature>",
		    s->counter);
	if (s->stamped)
		stamp(b, "xades:SignatureTimeStamp", s->id, "ts");
	if (s->values != NULL)
		buf_adds(b, s->values);
	if (s->archived)
		stamp(b, "x141:ArchiveTimeStamp xmlns:x141=\"" NS_X141 "\"",
		    s->id, "ats");
	buf_adds(b,
	    "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>");
}

static enum err_code
properties(struct buf *b, const struct sig *s, struct err *e)
{
	char at[TIME_TEXT];

	time_text(s->time_utc, at);
	buf_addf(b,
	    "<ds:Object><xades:QualifyingProperties xmlns:xades=\"" NS_XADES
	    "\" Target=\"#%s\">"
	    "<xades:SignedProperties Id=\"%s-sp\"><xades:SignedSignatureProperties><xades:SigningTime>%s</xades:SigningTime>",
	    s->id, s->id, at);
	if (signing_certificate(b, s, e) != ERR_OK ||
	    (s->epes && policy_identifier(b, s, e) != ERR_OK))
		return e->code;
	buf_adds(b, "</xades:SignedSignatureProperties>");
	formats(b, s);
	buf_adds(b, "</xades:SignedProperties>");
	unsigned_properties(b, s);
	buf_adds(b, "</xades:QualifyingProperties></ds:Object>");
	return ERR_OK;
}

enum err_code
sig_text(const struct sig *s, struct buf *out, struct err *e)
{
	buf_addf(out, "<ds:Signature xmlns:ds=\"" NS_DS "\" Id=\"%s\">", s->id);
	signed_info(out, s);
	buf_addf(out, "<ds:SignatureValue Id=\"%s-sv\"/>", s->id);
	if (key_info(out, s, e) != ERR_OK)
		return e->code;
	if (s->objects != NULL)
		buf_adds(out, s->objects);
	if (properties(out, s, e) != ERR_OK)
		return e->code;
	buf_adds(out, "</ds:Signature>");
	return buf_ok(out, e);
}
