/* SPDX-License-Identifier: MIT */
/*
 * Small XAdES files for the judge's tests: one enveloping signature whose text is
 * its own canonical form, and any row of stamps, CRLs and OCSP responses behind
 * it. Imprints are computed by the library (proven elsewhere against vectors).
 */
#ifndef EVERSEAL_TESTS_MINI_DOC_H
#define EVERSEAL_TESTS_MINI_DOC_H

#include "tests/mini_ca.h"
#include "verify/ber.h"
#include "verify/xades.h"

#include <openssl/ecdsa.h>

#define DS "xmlns:ds=\"" NS_DS "\""
#define X132 "xmlns:x=\"" NS_X132 "\""
#define X141 "xmlns:y=\"" NS_X141 "\""
#define EXC "http://www.w3.org/2001/10/xml-exc-c14n#"
#define DOC_OBJECT "<ds:Object " DS " Id=\"o\">a deed</ds:Object>"

/* What to sign and how; all-zero is SHA-256 with the signer's EC key. */
struct doc_spec {
	const struct who *signer;
	int64_t signing_time;
	bool sha1;
	enum digest_alg cert_digest, cert_digest_too; /* by which the property names the signer; too: in a second entry */
	const struct who *content_tsa; /* with a stamp over the data before it is signed */
	int64_t content_time;
	char mark[8]; /* behind each of its Ids */
	const char *transforms; /* of what is signed beside the properties, before its canonical form; NULL = none */
};

struct doc {
	struct buf head, tail; /* around the unsigned properties */
	struct buf props;
	size_t n_props;
};

/* ---- ASN.1 made on the spot ---- */

static inline struct slice
who_der(const struct who *w, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509(w->x509, &der);

	assert_true(n > 0);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_slice(out);
}

static inline void
sign_octets(const struct who *w, const char *digest, struct slice in, struct buf *out)
{
	uint8_t sig[1024];
	size_t n = sizeof(sig);
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_PKEY_is_a(w->key, "ED25519") ? NULL : EVP_get_digestbyname(digest), NULL, w->key), 1);
	assert_int_equal(EVP_DigestSign(md, sig, &n, in.p, in.n), 1);
	EVP_MD_CTX_free(md);
	buf_add(out, sig, n);
}

static inline void
put_tst(struct buf *out, const struct digest *imprint, const char *gen_time)
{
	AUTO(buf) struct buf body = {0}, mi = {0};

	ber_put(&body, BER_INTEGER, slice_of("\1", 1));
	ber_put_oid(&body, "1.2.3.4");
	ber_put_digest_alg(&mi, imprint->alg);
	ber_put(&mi, BER_OCTET_STRING, digest_slice(imprint));
	ber_put_buf(&body, BER_SEQUENCE, &mi);
	ber_put(&body, BER_INTEGER, slice_of("\1\2\3", 3));
	ber_put(&body, BER_GENERALIZED_TIME, slice_str(gen_time));
	ber_put_buf(out, BER_SEQUENCE, &body);
}

static inline void
put_attr(struct buf *out, const char *oid, const struct buf *value)
{
	AUTO(buf) struct buf seq = {0}, set = {0};

	ber_put_oid(&seq, oid);
	buf_addslice(&set, buf_slice(value));
	ber_put_buf(&seq, BER_SET, &set);
	ber_put_buf(out, BER_SEQUENCE, &seq);
}

/* How the next tokens are made; all-zero: SHA-256 everywhere, ESSCertIDv2. */
static struct token_how {
	enum digest_alg imprint, message /* for an Edwards key, which allows any */, ess;
	bool ess_v1, ess_both;
} token_how;

static inline enum digest_alg
or_sha256(enum digest_alg alg)
{
	return alg != DIGEST_NONE ? alg : DIGEST_SHA256;
}

static inline void
put_octets_digest(struct buf *out, enum digest_alg alg, struct slice in)
{
	struct digest d;
	struct err e = {0};

	OK(digest_once(alg, in, &d, &e));
	ber_put(out, BER_OCTET_STRING, digest_slice(&d));
}

/* SigningCertificate or SigningCertificateV2 with the digest of one certificate. */
static inline void
put_ess(struct buf *out, const struct who *tsa, bool v1)
{
	AUTO(buf) struct buf cert = {0}, entry = {0}, one = {0}, list = {0}, value = {0};
	enum digest_alg alg = v1 ? DIGEST_SHA1 : or_sha256(token_how.ess);

	if (alg != DIGEST_SHA256 && !v1)
		ber_put_digest_alg(&entry, alg);
	put_octets_digest(&entry, alg, who_der(tsa, &cert));
	ber_put_buf(&one, BER_SEQUENCE, &entry);
	ber_put_buf(&list, BER_SEQUENCE, &one);
	ber_put_buf(&value, BER_SEQUENCE, &list);
	put_attr(out, v1 ? "1.2.840.113549.1.9.16.2.12" : "1.2.840.113549.1.9.16.2.47", &value);
}

static inline void
put_attrs(struct buf *out, const struct who *tsa, struct slice tst)
{
	AUTO(buf) struct buf type = {0}, md = {0};

	ber_put_oid(&type, "1.2.840.113549.1.9.16.1.4");
	put_attr(out, "1.2.840.113549.1.9.3", &type);
	put_octets_digest(&md, or_sha256(token_how.message), tst);
	put_attr(out, "1.2.840.113549.1.9.4", &md);
	if (token_how.ess_v1 || token_how.ess_both)
		put_ess(out, tsa, true);
	if (!token_how.ess_v1)
		put_ess(out, tsa, false);
}

static inline void
put_signer_info(struct buf *out, const struct who *tsa, struct slice tst)
{
	AUTO(buf) struct buf body = {0}, sid = {0}, attrs = {0}, set = {0}, sig = {0}, alg = {0};
	unsigned char *name = NULL, *serial = NULL;
	int n = i2d_X509_NAME(X509_get_issuer_name(tsa->x509), &name),
	    m = i2d_ASN1_INTEGER(X509_get_serialNumber(tsa->x509), &serial);

	buf_add(&sid, name, (size_t)n);
	buf_add(&sid, serial, (size_t)m);
	OPENSSL_free(name);
	OPENSSL_free(serial);
	ber_put(&body, BER_INTEGER, slice_of("\1", 1));
	ber_put_buf(&body, BER_SEQUENCE, &sid);
	ber_put_digest_alg(&body, or_sha256(token_how.message));
	put_attrs(&attrs, tsa, tst);
	ber_put_buf(&body, 0xa0, &attrs);
	ber_put_buf(&set, BER_SET, &attrs);
	ber_put_oid(&alg, EVP_PKEY_is_a(tsa->key, "ED25519") ? "1.3.101.112" : "1.2.840.10045.4.3.2");
	ber_put_buf(&body, BER_SEQUENCE, &alg);
	sign_octets(tsa, "SHA256", buf_slice(&set), &sig);
	ber_put_buf(&body, BER_OCTET_STRING, &sig);
	ber_put_buf(out, BER_SEQUENCE, &body);
}

/* A token over imprint; the TSA's own certificate is in it. */
static inline void
token_at(struct buf *out, const struct who *tsa, const struct digest *imprint, const char *gen_time)
{
	AUTO(buf) struct buf sd = {0}, algs = {0}, eci = {0}, octets = {0}, tst = {0}, cert = {0}, infos = {0}, top = {0}, in = {0};

	put_tst(&tst, imprint, gen_time);
	ber_put(&sd, BER_INTEGER, slice_of("\3", 1));
	ber_put_digest_alg(&algs, DIGEST_SHA256);
	ber_put_buf(&sd, BER_SET, &algs);
	ber_put_oid(&eci, "1.2.840.113549.1.9.16.1.4");
	ber_put_buf(&octets, BER_OCTET_STRING, &tst);
	ber_put_buf(&eci, 0xa0, &octets);
	ber_put_buf(&sd, BER_SEQUENCE, &eci);
	who_der(tsa, &cert);
	ber_put_buf(&sd, 0xa0, &cert);
	put_signer_info(&infos, tsa, buf_slice(&tst));
	ber_put_buf(&sd, BER_SET, &infos);
	ber_put_oid(&top, "1.2.840.113549.1.7.2");
	ber_put_buf(&in, BER_SEQUENCE, &sd);
	ber_put_buf(&top, 0xa0, &in);
	ber_put_buf(out, BER_SEQUENCE, &top);
}

static inline void
token_der(struct buf *out, const struct who *tsa, const struct digest *imprint, int64_t at)
{
	char text[TIME_TEXT], flat[32];

	time_text(at, text);
	snprintf(flat, sizeof(flat), "%.4s%.2s%.2s%.2s%.2s%.2sZ", text, text + 5, text + 8, text + 11, text + 14, text + 17);
	token_at(out, tsa, imprint, flat);
}

/* A CRL by issuer: one entry if revoked is not NULL, one extension if ext is not NULL ("name=value"). */
static inline void
crl_der(struct buf *out, const struct who *issuer, int64_t this_update, const struct who *revoked, int64_t when, const char *ext)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	unsigned char *der = NULL;
	EVP_MD_CTX *md;
	int n;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509));
	mini_time(t, this_update);
	X509_CRL_set1_lastUpdate(crl, t);
	mini_time(t, this_update + 7 * DAY);
	X509_CRL_set1_nextUpdate(crl, t);
	if (revoked != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();

		mini_time(t, when);
		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->x509));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	if (ext != NULL) {
		char *copy = mem_dupstr(ext), *value = strchr(copy, '=');
		X509_EXTENSION *x;

		*value++ = '\0';
		x = X509V3_EXT_conf(NULL, NULL, copy, value);
		assert_non_null(x);
		X509_CRL_add_ext(crl, x, -1);
		X509_EXTENSION_free(x);
		free(copy);
	}
	md = mini_signer(issuer->key, NULL, false);
	assert_true(X509_CRL_sign_ctx(crl, md) > 0);
	EVP_MD_CTX_free(md);
	n = i2d_X509_CRL(crl, &der);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
}

/* An OCSP response about subject under issuer, signed by responder, produced at its thisUpdate. */
static inline void
ocsp_der(struct buf *out, const struct who *responder, const struct who *subject, const struct who *issuer, int status, int64_t at)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), subject->x509, issuer->x509);
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)at), *next = ASN1_TIME_set(NULL, (time_t)(at + DAY));
	unsigned char *der = NULL;
	OCSP_RESPONSE *r;
	int n;

	assert_non_null(OCSP_basic_add1_status(b, id, status, -1, t, t, next));
	ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(b), (time_t)at);
	assert_int_equal(OCSP_basic_sign(b, responder->x509, responder->key, EVP_sha256(), NULL, OCSP_NOTIME), 1);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
	n = i2d_OCSP_RESPONSE(r, &der);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(t);
	ASN1_TIME_free(next);
}

/* ---- the signature ---- */

static inline void
add_digest_value(struct buf *b, enum digest_alg alg, struct slice in, const char *ns)
{
	struct digest d;
	struct err e = {0};

	OK(digest_once(alg, in, &d, &e));
	buf_addf(b, "<ds:DigestMethod%s Algorithm=\"%s\"></ds:DigestMethod><ds:DigestValue%s>", ns, digest_row(alg)->uri, ns);
	buf_addbase64(b, digest_slice(&d));
	buf_adds(b, "</ds:DigestValue>");
}

static inline void
add_reference(struct buf *b, const char *attributes, const char *transforms, enum digest_alg alg, struct slice canonical)
{
	buf_addf(b, "<ds:Reference %s><ds:Transforms>%s<ds:Transform Algorithm=\"" EXC "\"></ds:Transform></ds:Transforms>", attributes,
	    transforms != NULL ? transforms : "");
	add_digest_value(b, alg, canonical, "");
	buf_adds(b, "</ds:Reference>");
}

static inline void
add_stamp(struct buf *b, const char *open, const char *close, const struct buf *token)
{
	buf_addf(b, "%s<ds:CanonicalizationMethod " DS " Algorithm=\"" EXC "\"></ds:CanonicalizationMethod><x:EncapsulatedTimeStamp>", open);
	buf_addbase64(b, buf_slice(token));
	buf_addf(b, "</x:EncapsulatedTimeStamp>%s", close);
}

static inline void
add_signed_props(struct buf *b, const struct doc_spec *s)
{
	AUTO(buf) struct buf cert = {0}, token = {0};
	char when[TIME_TEXT];
	struct digest d;
	struct err e = {0};

	time_text(s->signing_time, when);
	buf_addf(b, "<x:SignedProperties " X132 " Id=\"sp%s\"><x:SignedSignatureProperties><x:SigningTime>%s</x:SigningTime>"
		    "<x:SigningCertificateV2><x:Cert><x:CertDigest>", s->mark, when);
	add_digest_value(b, or_sha256(s->cert_digest), who_der(s->signer, &cert), " " DS);
	if (s->cert_digest_too != DIGEST_NONE) {
		buf_adds(b, "</x:CertDigest></x:Cert><x:Cert><x:CertDigest>");
		add_digest_value(b, s->cert_digest_too, buf_slice(&cert), " " DS);
	}
	buf_adds(b, "</x:CertDigest></x:Cert></x:SigningCertificateV2></x:SignedSignatureProperties>");
	if (s->content_tsa != NULL) {
		OK(digest_once(DIGEST_SHA256, slice_str(DOC_OBJECT), &d, &e));
		token_der(&token, s->content_tsa, &d, s->content_time);
		buf_adds(b, "<x:SignedDataObjectProperties>");
		add_stamp(b, "<x:AllDataObjectsTimeStamp>", "</x:AllDataObjectsTimeStamp>", &token);
		buf_adds(b, "</x:SignedDataObjectProperties>");
	}
	buf_adds(b, "</x:SignedProperties>");
}

/* XML-DSig wants r and s side by side, 32 octets each. */
static inline void
ecdsa_plain(struct buf *sig)
{
	const unsigned char *p = sig->p;
	ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &p, (long)sig->n);
	uint8_t out[64];

	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(rs), out, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(rs), out + 32, 32), 32);
	ECDSA_SIG_free(rs);
	buf_clear(sig);
	buf_add(sig, out, 64);
}

/* reference, octets: what is signed beside the properties, and its canonical form; object: where it stands, "" = elsewhere. */
static inline struct doc
doc_over(struct doc_spec s, const char *reference, struct slice octets, const char *object)
{
	struct doc d = {0};
	AUTO(buf) struct buf sp = {0}, si = {0}, sig = {0}, cert = {0};
	AUTO(mem) char *props = mem_printf("Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#sp%s\"", s.mark);
	enum digest_alg alg = s.sha1 ? DIGEST_SHA1 : DIGEST_SHA256;

	add_signed_props(&sp, &s);
	buf_addf(&si, "<ds:SignedInfo " DS "><ds:CanonicalizationMethod Algorithm=\"" EXC "\"></ds:CanonicalizationMethod>"
		      "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-%s\"></ds:SignatureMethod>",
	    s.sha1 ? "sha1" : "sha256");
	add_reference(&si, reference, s.transforms, alg, octets);
	add_reference(&si, props, NULL, alg, buf_slice(&sp));
	buf_adds(&si, "</ds:SignedInfo>");
	sign_octets(s.signer, s.sha1 ? "SHA1" : "SHA256", buf_slice(&si), &sig);
	ecdsa_plain(&sig);
	buf_addf(&d.head, "<ds:Signature " DS " Id=\"s%s\">%s<ds:SignatureValue Id=\"v%s\">", s.mark, buf_str(&si), s.mark);
	buf_addbase64(&d.head, buf_slice(&sig));
	buf_adds(&d.head, "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
	buf_addbase64(&d.head, who_der(s.signer, &cert));
	buf_addf(&d.head, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>%s"
			  "<ds:Object><x:QualifyingProperties " X132 " Target=\"#s%s\">%s", object, s.mark, buf_str(&sp));
	buf_adds(&d.tail, "</x:QualifyingProperties></ds:Object></ds:Signature>");
	return d;
}

static inline struct doc
doc_new(struct doc_spec s)
{
	return doc_over(s, "URI=\"#o\"", slice_str(DOC_OBJECT), DOC_OBJECT);
}

/* A counter-signature over the value of master, whose Ids end in of. */
static inline struct doc
doc_counter(struct doc_spec s, const struct doc *master, const char *of)
{
	const char *from = strstr((const char *)master->head.p, "<ds:SignatureValue") + strlen("<ds:SignatureValue");
	const char *end = strstr(from, "</ds:SignatureValue>");
	AUTO(mem) char *value = mem_printf("<ds:SignatureValue " DS "%.*s</ds:SignatureValue>", (int)(end - from), from);
	AUTO(mem) char *reference = mem_printf("Type=\"http://uri.etsi.org/01903#CountersignedSignature\" URI=\"#v%s\"", of);

	return doc_over(s, reference, slice_str(value), "");
}

static inline void
doc_free(struct doc *d)
{
	buf_release(&d->head);
	buf_release(&d->tail);
	buf_release(&d->props);
}

static inline void
doc_auto(struct doc *d)
{
	doc_free(d);
}

static inline void
doc_text(const struct doc *d, struct buf *out)
{
	buf_addslice(out, buf_slice(&d->head));
	if (d->n_props > 0) {
		buf_adds(out, "<x:UnsignedProperties><x:UnsignedSignatureProperties>");
		buf_addslice(out, buf_slice(&d->props));
		buf_adds(out, "</x:UnsignedSignatureProperties></x:UnsignedProperties>");
	}
	buf_addslice(out, buf_slice(&d->tail));
}

/* The stamp goes behind what is there. broken: over other octets. */
static inline void
doc_stamp(struct doc *d, enum stamp_type type, const struct who *tsa, int64_t at, bool broken)
{
	AUTO(buf) struct buf text = {0}, token = {0};
	AUTO(sigdoc) struct sigdoc *open = NULL;
	char c14n[] = EXC;
	struct xstamp want = {.type = type, .c14n = c14n, .position = d->n_props};
	struct digest imprint;
	struct err e = {0};

	doc_text(d, &text);
	OK(sigdoc_open(buf_slice(&text), NULL, 0, &xades_limits_default, &open, &e));
	OK(sig_check_references(open, &open->sigs[0], &e));
	OK(stamp_imprint(open, &open->sigs[0], &want, or_sha256(token_how.imprint), &imprint, &e));
	imprint.octets[0] ^= broken;
	token_der(&token, tsa, &imprint, at);
	add_stamp(&d->props, type == STAMP_ARCHIVE ? "<y:ArchiveTimeStamp " X141 " " X132 ">" : "<x:SignatureTimeStamp>",
	    type == STAMP_ARCHIVE ? "</y:ArchiveTimeStamp>" : "</x:SignatureTimeStamp>", &token);
	d->n_props++;
}

/* One object in a TimeStampValidationData of its own: kind "crl", "ocsp" or "cert". */
static inline void
doc_value(struct doc *d, const char *kind, const struct buf *der)
{
	const char *open = strcmp(kind, "crl") == 0 ? "<x:RevocationValues><x:CRLValues><x:EncapsulatedCRLValue>" :
	    strcmp(kind, "ocsp") == 0 ? "<x:RevocationValues><x:OCSPValues><x:EncapsulatedOCSPValue>" :
	    "<x:CertificateValues><x:EncapsulatedX509Certificate>";
	const char *close = strcmp(kind, "crl") == 0 ? "</x:EncapsulatedCRLValue></x:CRLValues></x:RevocationValues>" :
	    strcmp(kind, "ocsp") == 0 ? "</x:EncapsulatedOCSPValue></x:OCSPValues></x:RevocationValues>" :
	    "</x:EncapsulatedX509Certificate></x:CertificateValues>";

	buf_addf(&d->props, "<y:TimeStampValidationData " X141 " " X132 ">%s", open);
	buf_addbase64(&d->props, buf_slice(der));
	buf_addf(&d->props, "%s</y:TimeStampValidationData>", close);
	d->n_props++;
}

static inline void
doc_crl(struct doc *d, const struct who *issuer, int64_t this_update, const struct who *revoked, int64_t when)
{
	AUTO(buf) struct buf der = {0};

	crl_der(&der, issuer, this_update, revoked, when, NULL);
	doc_value(d, "crl", &der);
}

static inline void
doc_cert(struct doc *d, const struct who *w)
{
	AUTO(buf) struct buf der = {0};

	who_der(w, &der);
	doc_value(d, "cert", &der);
}

/* c goes into d as its counter-signature; used up. */
static inline void
doc_put_counter(struct doc *d, struct doc *c)
{
	AUTO(buf) struct buf text = {0};

	doc_text(c, &text);
	buf_addf(&d->props, "<x:CounterSignature " X132 ">%s</x:CounterSignature>", buf_str(&text));
	d->n_props++;
	doc_free(c);
}

#endif
