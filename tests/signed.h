/* SPDX-License-Identifier: MIT */
/* Documents for the tests of signature files: the published vector, and small ones signed here by a new key. */
#ifndef EVERSEAL_TESTS_SIGNED_H
#define EVERSEAL_TESTS_SIGNED_H

#include "tests/kit.h"

#include "base/xml.h"
#include "verify/xades_int.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCLUSIVE "http://www.w3.org/2001/10/xml-exc-c14n#"
#define INCLUSIVE "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

/*
 * No valid signature, only the arithmetic: a default and a p namespace on the root, a comment in O1, an unreferenced O2,
 * a space between properties, V2 refs, both archive kinds.
 */
static const char vector[] =
    "<r xmlns:p=\"urn:p\" xmlns=\"urn:r\"><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"S\"><ds:SignedInfo>"
    "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/><ds:SignatureMethod "
    "Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference Id=\"R1\" URI=\"#O1\"><ds:DigestMethod "
    "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AA==</ds:DigestValue></ds:Reference><ds:Reference "
    "Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#SP\"><ds:DigestMethod "
    "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AA==</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    "<ds:SignatureValue Id=\"SV\">\nQUJD\n</ds:SignatureValue><ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo><ds:Object "
    "Id=\"O1\">x<!--c-->y</ds:Object><ds:Object Id=\"O2\"><q/></ds:Object><ds:Object><xades:QualifyingProperties "
    "xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" xmlns:x141=\"http://uri.etsi.org/01903/v1.4.1#\" Target=\"#S\">"
    "<xades:SignedProperties Id=\"SP\"><xades:SignedSignatureProperties><xades:SigningTime>2020-01-01T00:00:00Z"
    "</xades:SigningTime></xades:SignedSignatureProperties></xades:SignedProperties><xades:UnsignedProperties>"
    "<xades:UnsignedSignatureProperties><xades:SignatureTimeStamp Id=\"T\"/> <x141:CompleteCertificateRefsV2><x141:CertRefs/>"
    "</x141:CompleteCertificateRefsV2><xades:CompleteRevocationRefs/><x141:SigAndRefsTimeStampV2 Id=\"X\"/>"
    "<xades:CertificateValues/><xades:RevocationValues/><xades:ArchiveTimeStamp Id=\"A0\"/><x141:TimeStampValidationData/>"
    "<x141:ArchiveTimeStamp Id=\"A1\"/></xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>"
    "</ds:Object></ds:Signature></r>";

static inline struct slice
vector_slice(void)
{
	return slice_of(vector, sizeof(vector) - 1);
}

#define DS_NS "http://www.w3.org/2000/09/xmldsig#"
#define EMPTY_VALUE "<ds:SignatureValue Id=\"SV\">@</ds:SignatureValue>"

/* Parts of a XAdES document; "%" stands for a digest, "@" for the value. */
static const char signed_info[] =
    "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><ds:SignatureMethod Algorithm=\"$\"/>"
    "<ds:Reference Id=\"r\" URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"" DS_NS "enveloped-signature\"/><ds:Transform "
    "Algorithm=\"" EXCLUSIVE "\"/></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>"
    "<ds:DigestValue>%</ds:DigestValue></ds:Reference><ds:Reference Type=\"http://uri.etsi.org/01903#SignedProperties\" "
    "URI=\"#SP\"><ds:Transforms><ds:Transform Algorithm=\"" EXCLUSIVE "\"/></ds:Transforms><ds:DigestMethod "
    "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>%</ds:DigestValue></ds:Reference></ds:SignedInfo>";
static const char properties[] =
    "<ds:Object><x:QualifyingProperties xmlns:x=\"" NS_X132 "\" Target=\"#S\"><x:SignedProperties Id=\"SP\">"
    "<x:SignedSignatureProperties><x:SigningTime>2026-01-01T00:00:00Z</x:SigningTime></x:SignedSignatureProperties>"
    "<x:SignedDataObjectProperties><x:DataObjectFormat ObjectReference=\"#r\"><x:MimeType>text/xml</x:MimeType>"
    "</x:DataObjectFormat></x:SignedDataObjectProperties></x:SignedProperties>";

static inline char *
template(const char *method, const char *unsigned_part)
{
	AUTO(buf) struct buf b = {0};
	const char *p;

	buf_adds(&b, "<doc><t>paid &amp; done</t><ds:Signature xmlns:ds=\"" DS_NS "\" Id=\"S\">");
	for (p = signed_info; *p != '\0'; p++) {
		if (*p == '$')
			buf_adds(&b, method);
		else
			buf_add(&b, p, 1);
	}
	buf_adds(&b, EMPTY_VALUE);
	buf_adds(&b, properties);
	buf_adds(&b, unsigned_part);
	buf_adds(&b, "</x:QualifyingProperties></ds:Object></ds:Signature></doc>");
	return mem_dupstr(buf_str(&b));
}

/* Put text in the place of the first mark. Consumes doc. */
static inline char *
put(char *doc, char mark, struct slice value)
{
	AUTO(buf) struct buf b = {0};
	char *at = strchr(doc, mark);

	assert_non_null(at);
	buf_add(&b, doc, (size_t)(at - doc));
	buf_addbase64(&b, value);
	buf_adds(&b, at + 1);
	free(doc);
	return mem_dupstr(buf_str(&b));
}

static inline char *
with_digests(char *doc)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(buf) struct buf octets = {0};
		struct sink to = sink_buf(&octets);
		const struct c14n plain = {0};
		struct err e = {0};
		uint8_t sha[32];
		struct run r;

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		r = (struct run){.d = d, .s = &d->sigs[0]};
		OK(ref_write(&r, &d->sigs[0].refs[i], &plain, &to, &e));
		assert_int_equal(r.fault, REF_FINE);
		OK(digest_sha256(buf_slice(&octets), sha, &e));
		doc = put(doc, '%', slice_of(sha, 32));
	}
	return doc;
}

static inline size_t
raw_pair(const uint8_t *der, size_t n, size_t width, uint8_t *out)
{
	const unsigned char *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)width), (int)width);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + width, (int)width), (int)width);
	ECDSA_SIG_free(sig);
	return 2 * width;
}

enum scheme { S_RSA, S_PSS, S_EC256, S_EC521, S_EC_DER, S_ED25519 };
static const struct {
	const char *name, *uri;
	enum scheme scheme;
	enum tri want;
} schemes[] = {
    {"RSA PKCS#1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", S_RSA, TRI_TRUE},
    {"RSA-PSS", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", S_PSS, TRI_TRUE},
    {"RSA-PSS where the URI says PKCS#1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", S_PSS, TRI_FALSE},
    {"ECDSA P-256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", S_EC256, TRI_TRUE},
    {"ECDSA P-521", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", S_EC521, TRI_TRUE},
    {"ECDSA in DER", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", S_EC_DER, TRI_FALSE},
    {"Ed25519", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", S_ED25519, TRI_TRUE},
    {"an EC key where the URI says RSA", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", S_EC256, TRI_FALSE},
    {"an algorithm that nobody knows", "urn:none", S_RSA, TRI_UNKNOWN},
};

static inline EVP_PKEY *
make_key(enum scheme s)
{
	switch (s) {
	case S_RSA:
	case S_PSS:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	case S_EC521:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	case S_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	}
}

static inline size_t
make_value(EVP_PKEY *key, enum scheme s, struct slice octets, uint8_t out[1024])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	uint8_t sig[1024];
	size_t n = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, s == S_ED25519 ? NULL : "SHA256", NULL, NULL, key, NULL), 1);
	if (s == S_PSS) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32), 1);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, octets.p, octets.n), 1);
	EVP_MD_CTX_free(ctx);
	if (s == S_EC256 || s == S_EC521)
		return raw_pair(sig, n, s == S_EC256 ? 32 : 66, out);
	memcpy(out, sig, n);
	return n;
}

/* A whole document, signed by a new key. The key is handed out. */
static inline char *
signed_document(const char *uri, enum scheme s, const char *unsigned_part, EVP_PKEY **key)
{
	char *doc = with_digests(template(uri, unsigned_part));
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(buf) struct buf octets = {0};
	struct sink to = sink_buf(&octets);
	struct err e = {0};
	uint8_t value[1024];
	struct c14n how;

	*key = make_key(s);
	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	assert_true(c14n_by_uri(EXCLUSIVE, &how));
	OK(node_write(d, d->sigs[0].signed_info, &how, NULL, &to, &e));
	return put(doc, '@', slice_of(value, make_value(*key, s, buf_slice(&octets), value)));
}

#endif
