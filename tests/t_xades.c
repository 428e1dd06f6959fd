/* SPDX-License-Identifier: MIT */
/* XAdES read, its imprints, its levels, and where a property would be inserted. */
#include "tests/kit.h"

#include "base/xml.h"
#include "verify/xades.h"
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

static struct slice
vector_slice(void)
{
	return slice_of(vector, sizeof(vector) - 1);
}

static void
vector_is_the_published_file(void **state)
{
	struct err e = {0};
	uint8_t got[32];
	char hex[65];

	(void)state;
	assert_int_equal(vector_slice().n, 1675);
	OK(digest_sha256(vector_slice(), got, &e));
	hex_of(slice_of(got, 32), hex);
	assert_string_equal(hex, "7f6d812793a09bd944855cb4366126a24cf528ae2fa99e9e96476a967f14ab0f");
}

static const struct {
	const char *name;
	enum stamp_type type;
	bool v2, old_archive;
	size_t position;
	size_t inclusive_n, exclusive_n;
	const char *inclusive, *exclusive;
} imprints[] = {
    {"SignatureTimeStamp", STAMP_SIGNATURE, false, false, 0, 129, 99,
	"0728a465b2aa42cf05dd2ce9de1640722d1f222e222160e2841741a67e2182d9",
	"4347672952c51e2516eb9a5a9db7c4937a89c73988aa5ebab67b78b8fce45810"},
    {"SigAndRefsTimeStampV2", STAMP_SIG_AND_REFS, true, false, 3, 859, 459,
	"29d62f91e0b3ee2e571258833ec858b4cae87c11540021ed1397956429f80984",
	"db29d528a5e2268db51a59adbdb145dff1babf8ab460fff693bdc259eef83827"},
    {"RefsOnlyTimeStampV2", STAMP_REFS_ONLY, true, false, 3, 499, 252,
	"dfc1d7d622cc28baf4cb935ece976b15d861c5cb7cbffd5cd20bb53c2e911c75",
	"9aa8ca387b8873a49489827a68f2644f9996324011b13c3c7d0f2273367dedb7"},
    {"AllDataObjectsTimeStamp", STAMP_ALL_DATA, false, false, SIZE_MAX, 109, 79,
	"1fca0565aaf68515eaf4abded19657ce14343fb9f8be70480b7688ad28de251b",
	"23a76c63c7fd5c00ce8149dd41de040a91713a3b507e23228c0f78ffad7baf0d"},
    {"x132 ArchiveTimeStamp", STAMP_ARCHIVE, false, true, 6, 2949, 1950,
	"afe979c7a5a93284f4036524fcaaef681a7bef3ff6d9e164450628cb35ed8c8a",
	"af8cf5ef9129487baadabd69f6560adddb006f9b5f4243ab358d20dea910669f"},
    {"x141 ArchiveTimeStamp", STAMP_ARCHIVE, false, false, 8, 3518, 2242,
	"55703a62d5a7dd29f9ef29dbe5ca1d216291d6b907162858c946dee0d816860d",
	"0db60370b4cbf87a6bf5aa87329faa76b657590305a118686bc8a932c7eb2aee"},
};

static void
check_imprint(struct sigdoc *d, const struct xstamp *t, const char *name, size_t n, const char *want)
{
	AUTO(buf) struct buf octets = {0};
	struct sink to = sink_buf(&octets);
	struct err e = {0};
	struct digest got;
	char hex[DIGEST_HEX];

	OK(stamp_octets(d, &d->sigs[0], t, &to, &e));
	OK(stamp_imprint(d, &d->sigs[0], t, DIGEST_SHA256, &got, &e));
	hex_of(digest_slice(&got), hex);
	if (octets.n != n || strcmp(hex, want) != 0)
		print_error("%s %s: %zu octets, %s\n%.*s\n", name, t->c14n, octets.n, hex, (int)octets.n, buf_str(&octets));
	assert_int_equal(octets.n, n);
	assert_string_equal(hex, want);
}

static void
imprints_of_the_vector(void **state)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	OK(sigdoc_open(vector_slice(), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->n_sigs, 1);
	for (i = 0; i < sizeof(imprints) / sizeof(imprints[0]); i++) {
		struct xstamp t = {.type = imprints[i].type,
		    .v2 = imprints[i].v2,
		    .old_archive = imprints[i].old_archive,
		    .position = imprints[i].position};

		t.c14n = (char *)(uintptr_t)INCLUSIVE;
		check_imprint(d, &t, imprints[i].name, imprints[i].inclusive_n, imprints[i].inclusive);
		t.c14n = NULL; /* absent: the same (xades.md 4) */
		check_imprint(d, &t, imprints[i].name, imprints[i].inclusive_n, imprints[i].inclusive);
		t.c14n = (char *)(uintptr_t)EXCLUSIVE;
		check_imprint(d, &t, imprints[i].name, imprints[i].exclusive_n, imprints[i].exclusive);
	}
}

/* The stamps that stand in the file have the imprint of the described ones: the element is no part of its own imprint. */
static void
stamps_in_the_vector(void **state)
{
	static const size_t expected[] = {0, 1, 4, 5}; /* rows of imprints */
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	OK(sigdoc_open(vector_slice(), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->sigs[0].n_stamps, 4);
	for (i = 0; i < 4; i++) {
		const struct xstamp *t = &d->sigs[0].stamps[i];

		assert_int_equal(t->type, imprints[expected[i]].type);
		assert_int_equal(t->position, imprints[expected[i]].position);
		assert_int_equal(t->n_tokens, 0);
		check_imprint(d, t, imprints[expected[i]].name, imprints[expected[i]].inclusive_n, imprints[expected[i]].inclusive);
	}
}

/* A copy of the vector with one text in place of another. */
static char *
edited(const char *find, const char *with)
{
	const char *at = strstr(vector, find);

	assert_non_null(at);
	return mem_printf("%.*s%s%s", (int)(at - vector), vector, with, at + strlen(find));
}

/* Which of the six imprints an edit changes: bits in the order of the table; positions are moved by moved. */
static const struct {
	const char *name, *find, *with;
	unsigned changes;
	size_t moved, from; /* stamps at this position or later stand so much later */
} edits[] = {
    {"what stands between properties", "\"T\"/> <x141", "\"T\"/>\n<!-- x --><?p i?><x141", 0, 0, 0},
    {"a token in the last stamp", "<x141:ArchiveTimeStamp Id=\"A1\"/>", "<x141:ArchiveTimeStamp Id=\"A1\">AA==</x141:ArchiveTimeStamp>", 0, 0, 0},
    {"a property after the last stamp", "</xades:UnsignedSignatureProperties>", "<x141:New/></xades:UnsignedSignatureProperties>", 0, 0, 0},
    {"a token in the first stamp", "<xades:SignatureTimeStamp Id=\"T\"/>", "<xades:SignatureTimeStamp Id=\"T\">A</xades:SignatureTimeStamp>", 0x32, 0, 0},
    {"white space in the value", "\nQUJD", "\n QUJD", 0x33, 0, 0},
    {"a value added", "<xades:CertificateValues/>", "<xades:CertificateValues>A</xades:CertificateValues>", 0x30, 0, 0},
    {"refs of the other version before X", "<xades:CompleteRevocationRefs/>",
	"<xades:CompleteCertificateRefs/><xades:CompleteRevocationRefs/>", 0x30, 1, 3},
    {"revocation refs", "<xades:CompleteRevocationRefs/>", "<xades:CompleteRevocationRefs>A</xades:CompleteRevocationRefs>", 0x36, 0, 0},
    {"no KeyInfo", "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>", "", 0x30, 0, 0},
    {"an Object more", "<ds:Object Id=\"O2\">", "<ds:Object Id=\"O3\"/><ds:Object Id=\"O2\">", 0x30, 0, 0},
    {"signed data", "x<!--c-->y", "z<!--c-->y", 0x38, 0, 0},
    {"a comment in signed data: only what covers the Object itself", "<!--c-->", "<!--d-->", 0, 0, 0},
    {"a signed property", "2020-01-01", "2021-01-01", 0x30, 0, 0},
    {"another envelope: exclusive stamps stay", "<r xmlns:p=\"urn:p\"", "<r xmlns:q=\"urn:q\" xmlns:p=\"urn:p\"", 0, 0, 0},
};

static void
edits_change_what_they_should(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		AUTO(mem) char *doc = edited(edits[i].find, edits[i].with);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		for (k = 0; k < sizeof(imprints) / sizeof(imprints[0]); k++) {
			struct xstamp t = {.type = imprints[k].type, .v2 = imprints[k].v2, .old_archive = imprints[k].old_archive};
			struct digest got;
			char hex[DIGEST_HEX];

			t.c14n = (char *)(uintptr_t)EXCLUSIVE;
			t.position = imprints[k].position;
			if (t.position != SIZE_MAX && t.position >= edits[i].from)
				t.position += edits[i].moved;
			OK(stamp_imprint(d, &d->sigs[0], &t, DIGEST_SHA256, &got, &e));
			hex_of(digest_slice(&got), hex);
			if ((strcmp(hex, imprints[k].exclusive) != 0) != (edits[i].changes >> k & 1))
				print_error("%s: %s\n", edits[i].name, imprints[k].name);
			assert_int_equal(strcmp(hex, imprints[k].exclusive) != 0, edits[i].changes >> k & 1);
		}
	}
}

/* The recipes that 1.2.2 and 1.1.1 write into the file: followed when they cover the value, refused when they don't. */
static const struct {
	const char *name, *ns, *stamp;
	enum err_code want;
} old_recipes[] = {
    {"1.2.2 Include of the value", NS_X122, "<o:Include URI=\"#SV\"/>", ERR_OK},
    {"1.2.2 without Include", NS_X122, "", ERR_OK},
    {"1.2.2 Include of something else", NS_X122, "<o:Include URI=\"#O2\"/>", ERR_FORMAT},
    {"1.2.2 Include of nothing", NS_X122, "<o:Include URI=\"#none\"/>", ERR_NOTFOUND},
    {"1.1.1 HashDataInfo of the value", NS_X111, "<o:HashDataInfo uri=\"#SV\"/>", ERR_OK},
    {"1.1.1 HashDataInfo with its own method", NS_X111,
	"<o:HashDataInfo uri=\"#SV\"><o:Transforms><ds:Transform Algorithm=\"" EXCLUSIVE "\"/></o:Transforms></o:HashDataInfo>", ERR_OK},
    {"1.1.1 HashDataInfo of something else", NS_X111, "<o:HashDataInfo uri=\"#O2\"/>", ERR_FORMAT},
};

static void
recipes_of_old_versions(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(old_recipes) / sizeof(old_recipes[0]); i++) {
		AUTO(mem) char *doc = mem_printf("<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"S\"><ds:SignedInfo/>"
						 "<ds:SignatureValue Id=\"SV\">AA==</ds:SignatureValue><ds:Object Id=\"O2\"/><ds:Object>"
						 "<o:QualifyingProperties xmlns:o=\"%s\" Target=\"#S\"><o:UnsignedProperties><o:UnsignedSignatureProperties>"
						 "<o:SignatureTimeStamp>%s<o:EncapsulatedTimeStamp>AA==</o:EncapsulatedTimeStamp></o:SignatureTimeStamp>"
						 "</o:UnsignedSignatureProperties></o:UnsignedProperties></o:QualifyingProperties></ds:Object></ds:Signature>",
		    old_recipes[i].ns, old_recipes[i].stamp);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(buf) struct buf got = {0};
		struct sink to = sink_buf(&got);
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		assert_int_equal(d->sigs[0].n_stamps, 1);
		kit_expect(old_recipes[i].want, stamp_octets(d, &d->sigs[0], &d->sigs[0].stamps[0], &to, &e), &e, old_recipes[i].name, __FILE__,
		    __LINE__);
		if (old_recipes[i].want == ERR_OK)
			assert_string_equal(buf_str(&got), "<ds:SignatureValue xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"SV\">AA==</ds:SignatureValue>");
	}
}

/* ---- small signed documents, made here ---- */

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

static char *
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
static char *
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

static char *
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

static size_t
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

static EVP_PKEY *
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

static size_t
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
static char *
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
	OK(node_write(d, d->sigs[0].signed_info, &how, &to, &e));
	return put(doc, '@', slice_of(value, make_value(*key, s, buf_slice(&octets), value)));
}

static void
values_of_every_scheme(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		EVP_PKEY *key = NULL;
		AUTO(mem) char *doc = signed_document(schemes[i].uri, schemes[i].scheme, "", &key);
		struct err e = {0};
		enum tri t;

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		assert_int_equal(d->sigs[0].refs[0].intact, TRI_TRUE);
		assert_int_equal(d->sigs[0].refs[1].intact, TRI_TRUE);
		assert_ptr_equal(d->sigs[0].props_ref, &d->sigs[0].refs[1]);
		assert_null(d->sigs[0].format_fault);
		OK(sig_check_value(d, &d->sigs[0], key, &t, &e));
		if (t != schemes[i].want)
			print_error("%s: %s\n", schemes[i].name, d->sigs[0].value_note);
		assert_int_equal(t, schemes[i].want);
		EVP_PKEY_free(key);
	}
}

static void
one_octet_changed(void **state)
{
	EVP_PKEY *key = NULL;
	AUTO(mem) char *doc = signed_document(schemes[3].uri, S_EC256, "", &key);
	static const struct {
		const char *at;
		bool data_intact, props_intact, value_intact;
	} cases[] = {
	    {"paid", false, true, true},
	    {"2026-01", true, false, true},
	    {"enveloped-signature", false, true, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(mem) char *changed = mem_dupstr(doc);
		struct err e = {0};
		enum tri t;

		*strstr(changed, cases[i].at) ^= 1;
		OK(sigdoc_open(slice_str(changed), NULL, 0, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		OK(sig_check_value(d, &d->sigs[0], key, &t, &e));
		assert_int_equal(d->sigs[0].refs[0].intact == TRI_TRUE, cases[i].data_intact);
		assert_int_equal(d->sigs[0].refs[1].intact == TRI_TRUE, cases[i].props_intact);
		assert_int_equal(t == TRI_TRUE, cases[i].value_intact);
	}
	EVP_PKEY_free(key);
}

/* ---- references ---- */

#define SHA256_ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define REFERENCE(uri, transforms) \
	"<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><s:SignatureMethod " \
	"Algorithm=\"urn:x\"/><s:Reference" uri ">" transforms "<s:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>" \
	"<s:DigestValue>" SHA256_ABC "</s:DigestValue></s:Reference></s:SignedInfo><s:SignatureValue>AA==</s:SignatureValue>"
#define TRANSFORM(uri) "<s:Transforms><s:Transform Algorithm=\"" uri "\"/></s:Transforms>"
#define END "</s:Signature>"

/* Each case differs from a good one by one fact. The digest is that of "abc". */
static const struct {
	const char *name, *doc, *files; /* name=content;... */
	enum tri found, intact;
	enum ref_fault fault;
	bool differs;
} references[] = {
    {"base64 of an Object", REFERENCE(" URI=\"#o\"", TRANSFORM(DS_NS "base64")) "<s:Object Id=\"o\">YW<!-- x -->Jj</s:Object>" END, "", TRI_TRUE,
	TRI_TRUE, REF_FINE, false},
    {"no such ID", REFERENCE(" URI=\"#p\"", "") "<s:Object Id=\"o\"/>" END, "", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"the ID twice, in other spellings", REFERENCE(" URI=\"#o\"", "") "<s:Object Id=\"o\"/><s:Object><a ID=\"o\"/></s:Object>" END, "",
	TRI_FALSE, TRI_UNKNOWN, REF_AMBIGUOUS, false},
    {"a file by name", REFERENCE(" URI=\"a%20b\"", "") END, "x=no;a b=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"a named file that is another", REFERENCE(" URI=\"a\"", "") END, "a=abd;b=abc", TRI_TRUE, TRI_FALSE, REF_FINE, false},
    {"the only file, of another name", REFERENCE(" URI=\"a\"", "") END, "b=abd", TRI_TRUE, TRI_FALSE, REF_FINE, true},
    {"a file by its digest", REFERENCE(" URI=\"a\"", "") END, "b=abd;c=abc", TRI_TRUE, TRI_TRUE, REF_FINE, true},
    {"no file", REFERENCE(" URI=\"a\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_NOT_FOUND, false},
    {"an http URI", REFERENCE(" URI=\"http://h/a\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"an http URI with a file of that name", REFERENCE(" URI=\"http://h/a\"", "") END, "http://h/a=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"a file URI", REFERENCE(" URI=\"file:///etc/passwd\"", "") END, "x=1;y=2", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"a path upwards, hidden by percent signs", REFERENCE(" URI=\"a/%2e%2e/b\"", "") END, "", TRI_FALSE, TRI_UNKNOWN, REF_FORBIDDEN, false},
    {"no URI, one file", REFERENCE("", "") END, "a=abc", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"XSLT", REFERENCE(" URI=\"a\"", TRANSFORM("http://www.w3.org/TR/1999/REC-xslt-19991116")) END, "a=abc", TRI_TRUE, TRI_UNKNOWN,
	REF_UNSUPPORTED_TRANSFORM, false},
    {"base64 of a file", REFERENCE(" URI=\"a\"", TRANSFORM(DS_NS "base64")) END, "a=YWJj", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"C14N of a file that is no XML", REFERENCE(" URI=\"a\"", TRANSFORM(EXCLUSIVE)) END, "a=abc", TRI_TRUE, TRI_UNKNOWN, REF_TRANSFORM_FAILED,
	false},
    {"six transforms",
	REFERENCE(" URI=\"a\"",
	    "<s:Transforms><s:Transform Algorithm=\"" DS_NS "base64\"/><s:Transform Algorithm=\"" DS_NS "base64\"/><s:Transform "
	    "Algorithm=\"" DS_NS "base64\"/><s:Transform Algorithm=\"" DS_NS "base64\"/><s:Transform Algorithm=\"" DS_NS
	    "base64\"/><s:Transform Algorithm=\"" DS_NS "base64\"/></s:Transforms>") END,
	"a=abc", TRI_TRUE, TRI_UNKNOWN, REF_LIMIT, false},
    {"a claimed Object outside the signature",
	"<r><b Id=\"o\">YWJj</b>" REFERENCE(" Type=\"" DS_NS "Object\" URI=\"#o\"", TRANSFORM(DS_NS "base64")) END "</r>", "", TRI_FALSE, TRI_UNKNOWN,
	REF_NOT_FOUND, false},
    {"XPath that keeps the text", REFERENCE(" URI=\"#o\"",
	"<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>self::text() and "
	"ancestor::s:Object[@Id='o'] and here()/self::s:XPath</s:XPath></s:Transform></s:Transforms>") "<s:Object Id=\"o\">a<i x=\"1\">b</i>c</s:Object>" END,
	"", TRI_TRUE, TRI_TRUE, REF_FINE, false},
    {"Filter 2.0 that keeps the text", REFERENCE(" URI=\"\"",
	"<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\"><f:XPath "
	"xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"intersect\">id('o')/text()</f:XPath></s:Transform></s:Transforms>")
	"<s:Object Id=\"o\">a<!--b-->bc<i>d</i></s:Object>" END, "", TRI_TRUE, TRI_TRUE, REF_FINE, false},
};

static size_t
split_files(char *text, struct side_file *v, struct slice *octets)
{
	char *item, *eq;
	size_t n = 0;

	while (text != NULL && *text != '\0' && (item = strsep(&text, ";")) != NULL) {
		eq = strrchr(item, '=');
		if (strncmp(item, "a=YWJj", 6) == 0)
			eq = item + 1;
		*eq = '\0';
		octets[n] = slice_str(eq + 1);
		v[n] = (struct side_file){.name = item, .has_source = true, .source = source_slice(&octets[n])};
		n++;
	}
	return n;
}

static void
references_found_and_intact(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
		AUTO(mem) char *text = mem_dupstr(references[i].files);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct side_file files[4];
		struct slice octets[4];
		struct err e = {0};
		const struct xref *x;
		size_t n = split_files(text, files, octets);

		OK(sigdoc_open(slice_str(references[i].doc), files, n, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		x = &d->sigs[0].refs[0];
		if (x->found != references[i].found || x->intact != references[i].intact || x->fault != references[i].fault ||
		    x->name_differs != references[i].differs)
			print_error("%s: found %d intact %d fault %d %s\n", references[i].name, x->found, x->intact, x->fault, x->note);
		assert_int_equal(x->found, references[i].found);
		assert_int_equal(x->intact, references[i].intact);
		assert_int_equal(x->fault, references[i].fault);
		assert_int_equal(x->name_differs, references[i].differs);
	}
}

static void
digest_only_data(void **state)
{
	struct digest known = {.alg = DIGEST_SHA256, .n = 32};
	struct side_file file = {.name = "a", .digests = &known, .n_digests = 1};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(buf) struct buf octets = {0};
	struct xstamp t = {.type = STAMP_ALL_DATA, .position = SIZE_MAX};
	struct sink to = sink_buf(&octets);
	struct err e = {0};

	(void)state;
	OK(digest_once(DIGEST_SHA256, slice_str("abc"), &known, &e));
	OK(sigdoc_open(slice_str(REFERENCE(" URI=\"a\"", "") END), &file, 1, NULL, &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_TRUE);
	assert_true(d->sigs[0].refs[0].by_digest_only);
	/* A time-stamp covers the octets, not their digest. */
	FAILS(ERR_NOTFOUND, stamp_octets(d, &d->sigs[0], &t, &to, &e));
}

static char *
many_references(size_t n)
{
	AUTO(buf) struct buf b = {0};

	buf_adds(&b, "<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo>");
	while (n-- > 0)
		buf_adds(&b, "<s:Reference/>");
	buf_adds(&b, "</s:SignedInfo></s:Signature>");
	return mem_dupstr(buf_str(&b));
}

static void
too_many_references(void **state)
{
	AUTO(mem) char *fits = many_references(10000);
	AUTO(mem) char *over = many_references(10001);
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(sigdoc) struct sigdoc *none = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(fits), NULL, 0, NULL, &d, &e));
	FAILS(ERR_LIMIT, sigdoc_open(slice_str(over), NULL, 0, NULL, &none, &e));
	SAYS("references");
}

/* One filter that walks the whole document for every node of it: stopped by the count of steps, not by the clock. */
static void
costly_xpath(void **state)
{
	AUTO(buf) struct buf b = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct xades_limits limits = {.xpath_steps = 100000};
	struct err e = {0};
	size_t i;

	(void)state;
	buf_adds(&b, REFERENCE(" URI=\"\"",
			 "<s:Transforms><s:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><s:XPath>count(//*) &gt; 0"
			 "</s:XPath></s:Transform></s:Transforms>") "<s:Object>");
	for (i = 0; i < 2000; i++)
		buf_adds(&b, "<i/>");
	buf_adds(&b, "</s:Object>" END);
	OK(sigdoc_open(buf_slice(&b), NULL, 0, &limits, &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].fault, REF_LIMIT);
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_UNKNOWN);
}

/* Many references to one large part: stopped by what is written, not by the clock. */
static void
much_canonical_form(void **state)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct xades_limits limits = {.canonical_bytes = 60};
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(REFERENCE(" URI=\"#o\"", "") "<s:Object Id=\"o\">123456789012345678901234567890</s:Object>" END), NULL, 0, &limits,
	    &d, &e));
	OK(sig_check_references(d, &d->sigs[0], &e));
	assert_int_equal(d->sigs[0].refs[0].fault, REF_LIMIT);
	assert_int_equal(d->sigs[0].refs[0].intact, TRI_UNKNOWN);
}

/* ---- structure ---- */

static void
counter_signatures_and_nested_ones(void **state)
{
	static const char doc[] =
	    "<r><s:Signature xmlns:s=\"" DS_NS "\" Id=\"A\"><s:Object><x:QualifyingProperties xmlns:x=\"" NS_X132 "\"><x:UnsignedProperties>"
	    "<x:UnsignedSignatureProperties><x:CounterSignature><s:Signature Id=\"C\"/></x:CounterSignature></x:UnsignedSignatureProperties>"
	    "</x:UnsignedProperties></x:QualifyingProperties></s:Object><s:Object><s:Signature Id=\"N\"/></s:Object></s:Signature>"
	    "<s:Signature xmlns:s=\"" DS_NS "\" Id=\"B\"/></r>";
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->n_sigs, 4);
	assert_string_equal(d->sigs[0].id, "A");
	assert_string_equal(d->sigs[1].id, "C");
	assert_int_equal(d->sigs[1].parent, 0);
	assert_false(d->sigs[1].nested);
	assert_string_equal(d->sigs[2].id, "N");
	assert_int_equal(d->sigs[2].parent, -1);
	assert_true(d->sigs[2].nested);
	assert_string_equal(d->sigs[3].id, "B");
	assert_non_null(d->sigs[3].format_fault);
}

static void
levels(void **state)
{
	static const struct {
		const char *unsigned_part, *incomplete, *complete;
	} cases[] = {
	    {"", "XAdES-BES", "XAdES-BES"},
	    {"<x:SignatureTimeStamp><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></x:SignatureTimeStamp>", "XAdES-T", "XAdES-LT"},
	    {"<x:SignatureTimeStamp/>", "XAdES-BES", "XAdES-BES"},
	    {"<x:SignatureTimeStamp><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></x:SignatureTimeStamp><x:CompleteCertificateRefs/>"
	     "<x:CompleteRevocationRefs/>",
		"XAdES-C", "XAdES-X-Long"},
	    {"<x:SignatureTimeStamp><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></x:SignatureTimeStamp><x:CompleteCertificateRefs/>"
	     "<x:CompleteRevocationRefs/><x:SigAndRefsTimeStamp/>",
		"XAdES-X", "XAdES-X-L"},
	    {"<x:SignatureTimeStamp><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp></x:SignatureTimeStamp><x:ArchiveTimeStamp/>", "XAdES-T",
		"XAdES-A"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(buf) struct buf b = {0};
		AUTO(mem) char *doc = NULL;
		struct err e = {0};

		buf_adds(&b, "<x:UnsignedProperties><x:UnsignedSignatureProperties>");
		buf_adds(&b, cases[i].unsigned_part);
		buf_adds(&b, "</x:UnsignedSignatureProperties></x:UnsignedProperties>");
		doc = template("urn:x", buf_str(&b));
		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		assert_string_equal(sig_level(d, &d->sigs[0], true, true), "XML-DSig"); /* nothing says who signed */
		d->sigs[0].count.signing_cert = 1;
		assert_string_equal(sig_level(d, &d->sigs[0], false, true), cases[i].incomplete);
		assert_string_equal(sig_level(d, &d->sigs[0], true, true), cases[i].complete);
		assert_string_equal(sig_level(d, &d->sigs[0], true, false), "XAdES-BES");
	}
}

static void
policy_hash(void **state)
{
	static const uint8_t asn1[] = {0x30, 0x07, 0x30, 0x00, 0x30, 0x03, 0x02, 0x01, 0x01};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	struct xsig *s;
	enum tri t;

	(void)state;
	OK(sigdoc_open(vector_slice(), NULL, 0, NULL, &d, &e));
	s = &d->sigs[0];
	OK(sig_policy_hash(d, s, slice_str("abc"), &t, &e));
	assert_int_equal(t, TRI_UNKNOWN); /* the signature names no policy */
	OK(digest_once(DIGEST_SHA256, slice_str("abc"), &s->policy_hash, &e));
	OK(sig_policy_hash(d, s, slice_str("abc"), &t, &e));
	assert_int_equal(t, TRI_TRUE);
	OK(sig_policy_hash(d, s, slice_str("abd"), &t, &e));
	assert_int_equal(t, TRI_FALSE);
	OK(digest_once(DIGEST_SHA256, slice_of(asn1 + 2, 7), &s->policy_hash, &e));
	OK(sig_policy_hash(d, s, slice_of(asn1, 9), &t, &e));
	assert_int_equal(t, TRI_TRUE);
	s->policy_doc_spec = true; /* then the octets as they are, whatever they look like */
	OK(sig_policy_hash(d, s, slice_of(asn1, 9), &t, &e));
	assert_int_equal(t, TRI_FALSE);
}

/* ---- e-akta ---- */

#define ES "https://www.microsec.hu/ds/e-szigno30#"
#define DOSSIER_REFERENCE(id) \
	"<ds:Reference URI=\"#" id "\"><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference>"
#define DOSSIER_PROPS \
	"<ds:Reference Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#sp\"><ds:DigestMethod " \
	"Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference>"

static const struct {
	const char *name, *objref, *references, *type;
	bool frame;
	const char *fault; /* NULL: none */
} dossiers[] = {
    {"a document signature", "o", DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature", false, NULL},
    {"its profile through the Object around it", "o",
	DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("so") DOSSIER_PROPS, "signature", false, NULL},
    {"no DocumentProfile", "o", DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature", false, "DocumentProfile"},
    {"no payload", "o", DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature", false, "Document's Object"},
    {"no own profile", "o", DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_PROPS, "signature", false, "SignatureProfile"},
    {"no SignedProperties", "o", DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("pr"), "signature", false, "SignedProperties"},
    {"the profile shows another Object", "so", DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature",
	false, "OBJREF"},
    {"a frame signature", "o", DOSSIER_REFERENCE("p") DOSSIER_REFERENCE("d") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature", true, NULL},
    {"a frame signature over one document", "o", DOSSIER_REFERENCE("p") DOSSIER_REFERENCE("o") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature",
	true, "Documents"},
    {"a counter-signature of nothing", "o", DOSSIER_REFERENCE("p") DOSSIER_REFERENCE("d") DOSSIER_REFERENCE("pr") DOSSIER_PROPS,
	"countersignature", true, "countersigns"},
};

static char *
dossier(size_t i)
{
	AUTO(mem) char *sig = mem_printf("<ds:Signature Id=\"S\"><ds:SignedInfo>%s</ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue>"
					 "<ds:Object Id=\"so\"><es:SignatureProfile Id=\"pr\"><es:Type>%s</es:Type></es:SignatureProfile></ds:Object>"
					 "<ds:Object><x:QualifyingProperties xmlns:x=\"" NS_X132 "\" Target=\"#S\"><x:SignedProperties Id=\"sp\"/>"
					 "</x:QualifyingProperties></ds:Object></ds:Signature>",
	    dossiers[i].references, dossiers[i].type);

	return mem_printf("<es:Dossier xmlns:es=\"" ES "\" xmlns:ds=\"" DS_NS "\"><es:DossierProfile Id=\"p\" OBJREF=\"d\"/><es:Documents Id=\"d\">"
			  "<es:Document><es:DocumentProfile Id=\"dp\" OBJREF=\"%s\"/><ds:Object Id=\"o\">QUJD</ds:Object>%s</es:Document>"
			  "</es:Documents>%s</es:Dossier>",
	    dossiers[i].objref, dossiers[i].frame ? "" : sig, dossiers[i].frame ? sig : "");
}

static void
coverage_in_a_dossier(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(dossiers) / sizeof(dossiers[0]); i++) {
		AUTO(mem) char *doc = dossier(i);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};
		const char *fault;

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		assert_true(d->dossier);
		OK(sig_check_references(d, &d->sigs[0], &e));
		assert_non_null(sig_dossier_fault(d, &d->sigs[0])); /* nothing is intact, so nothing is covered */
		for (k = 0; k < d->sigs[0].n_refs; k++)
			d->sigs[0].refs[k].intact = TRI_TRUE;
		fault = sig_dossier_fault(d, &d->sigs[0]);
		if ((fault == NULL) != (dossiers[i].fault == NULL) || (fault != NULL && strstr(fault, dossiers[i].fault) == NULL))
			print_error("%s: %s\n", dossiers[i].name, fault != NULL ? fault : "no fault");
		assert_int_equal(fault == NULL, dossiers[i].fault == NULL);
		if (fault != NULL)
			assert_non_null(strstr(fault, dossiers[i].fault));
	}
}

/* ---- insertion ---- */

static void
to_utf16(const char *ascii, bool big, struct buf *out)
{
	buf_add(out, big ? "\xfe\xff" : "\xff\xfe", 2);
	for (; *ascii != '\0'; ascii++) {
		const char pair[2] = {big ? '\0' : *ascii, big ? *ascii : '\0'};

		buf_add(out, pair, 2);
	}
}

static const struct {
	const char *name, *prolog, *unsigned_part;
	const char *before_offset; /* what stands right before the place */
	bool refused;
} places[] = {
    {"into the container", "", "<x:UnsignedProperties><x:UnsignedSignatureProperties><x:a/></x:UnsignedSignatureProperties></x:UnsignedProperties>",
	"<x:a/>", false},
    {"look-alikes in comments, CDATA, PIs and values", "<!-- </doc> > <x> --><?p <doc> ?>",
	"<x:UnsignedProperties><x:UnsignedSignatureProperties><x:a v='/>\">' w=\"/x:a>\"/><!--</x:UnsignedSignatureProperties>--><![CDATA["
	"</x:UnsignedSignatureProperties>]]></x:UnsignedSignatureProperties></x:UnsignedProperties>",
	"]]>", false},
    {"no container", "", "", "</x:SignedProperties>", false},
    {"the outer container only", "", "<x:UnsignedProperties><x:UnsignedDataObjectProperties/></x:UnsignedProperties>", "<x:UnsignedProperties>",
	false},
    {"an empty container that is open", "", "<x:UnsignedProperties><x:UnsignedSignatureProperties ></x:UnsignedSignatureProperties\n></x:UnsignedProperties>",
	"<x:UnsignedSignatureProperties >", false},
    {"a self-closed container", "", "<x:UnsignedProperties><x:UnsignedSignatureProperties/></x:UnsignedProperties>", NULL, true},
    {"a self-closed outer container", "", "<x:UnsignedProperties />", NULL, true},
};

static const struct {
	const char *name, *declaration;
	int width; /* 1, 2 little, 3 big */
} encodings[] = {
    {"UTF-8", "", 1},
    {"UTF-8 with a mark", "\xef\xbb\xbf", 1},
    {"ISO-8859-2", "<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><!-- \xf5 -->", 1},
    {"UTF-16LE", "", 2},
    {"UTF-16BE", "", 3},
};

static void
check_place(struct slice raw, size_t i, size_t k)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(sigdoc) struct sigdoc *later = NULL;
	AUTO(buf) struct buf piece = {0};
	AUTO(buf) struct buf next = {0};
	AUTO(buf) struct buf mark = {0};
	struct insertion at = {0};
	struct err e = {0};
	size_t n;

	OK(sigdoc_open(raw, NULL, 0, NULL, &d, &e));
	assert_int_equal(d->sigs[0].self_closed, places[i].refused);
	if (places[i].refused) {
		FAILS(ERR_UNSUPPORTED, sig_insertion(d, &d->sigs[0], &at, &e));
		SAYS("self-closed");
		return;
	}
	OK(sig_insertion(d, &d->sigs[0], &at, &e));
	OK(insertion_encode(&at, places[i].before_offset, &mark, &e));
	assert_true(at.offset >= mark.n);
	if (memcmp(raw.p + at.offset - mark.n, mark.p, mark.n) != 0)
		print_error("%s, %s: at %llu\n", places[i].name, encodings[k].name, (unsigned long long)at.offset);
	SAME(slice_of(raw.p + at.offset - mark.n, mark.n), buf_slice(&mark));
	OK(insertion_encode(&at, at.before, &piece, &e));
	OK(insertion_encode(&at, "<n:New xmlns:n=\"urn:new\"/>", &piece, &e));
	OK(insertion_encode(&at, at.after, &piece, &e));
	buf_add(&next, raw.p, at.offset);
	buf_addslice(&next, buf_slice(&piece));
	buf_add(&next, raw.p + at.offset, raw.n - at.offset);
	insertion_release(&at);
	OK(sigdoc_open(buf_slice(&next), NULL, 0, NULL, &later, &e));
	assert_non_null(later->sigs[0].unsigned_props);
	n = xml_count(later->sigs[0].unsigned_props, NULL, NULL);
	assert_int_equal(n, (d->sigs[0].unsigned_props != NULL ? xml_count(d->sigs[0].unsigned_props, NULL, NULL) : 0) + 1);
	assert_true(xml_is(xmlGetLastChild(later->sigs[0].unsigned_props), "urn:new", "New"));
}

static void
places_in_every_encoding(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		AUTO(mem) char *body = template("urn:x", places[i].unsigned_part);

		for (k = 0; k < sizeof(encodings) / sizeof(encodings[0]); k++) {
			AUTO(mem) char *text = mem_printf("%s%s%s", encodings[k].declaration, places[i].prolog, body);
			AUTO(buf) struct buf raw = {0};

			if (encodings[k].width == 1)
				buf_adds(&raw, text);
			else
				to_utf16(text, encodings[k].width == 3, &raw);
			check_place(buf_slice(&raw), i, k);
		}
	}
}

/* The container made by an insertion takes the next property; what was signed stays as it was. */
static void
insertion_leaves_the_signature_whole(void **state)
{
	EVP_PKEY *key = NULL;
	AUTO(mem) char *doc = signed_document(schemes[3].uri, S_EC256, "", &key);
	AUTO(buf) struct buf raw = {0};
	size_t round;

	(void)state;
	buf_adds(&raw, doc);
	for (round = 0; round < 3; round++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(buf) struct buf next = {0};
		struct insertion at = {0};
		struct err e = {0};
		enum tri t;

		OK(sigdoc_open(buf_slice(&raw), NULL, 0, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		OK(sig_check_value(d, &d->sigs[0], key, &t, &e));
		assert_int_equal(t, TRI_TRUE);
		assert_int_equal(d->sigs[0].refs[0].intact, TRI_TRUE);
		assert_int_equal(d->sigs[0].refs[1].intact, TRI_TRUE);
		OK(sig_insertion(d, &d->sigs[0], &at, &e));
		assert_int_equal(*at.before != '\0', round == 0);
		buf_add(&next, raw.p, at.offset);
		buf_addf(&next, "%s<x:SignatureTimeStamp xmlns:x=\"" NS_X132 "\"/>%s", at.before, at.after);
		buf_add(&next, raw.p + at.offset, raw.n - at.offset);
		insertion_release(&at);
		buf_clear(&raw);
		buf_addslice(&raw, buf_slice(&next));
		assert_int_equal(d->sigs[0].n_stamps, round);
	}
	EVP_PKEY_free(key);
}

/* ---- hostile octets ---- */

static void
survive(struct slice spoiled, const char *what, void *ctx)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	size_t i, k;

	(void)what;
	(void)ctx;
	if (sigdoc_open(spoiled, NULL, 0, NULL, &d, &e) != ERR_OK)
		return;
	for (i = 0; i < d->n_sigs; i++) {
		struct xsig *s = &d->sigs[i];
		struct insertion at;
		struct digest got;
		enum tri t;

		OK(sig_check_references(d, s, &e));
		OK(sig_check_value(d, s, ctx, &t, &e));
		for (k = 0; k < s->n_stamps; k++)
			(void)!stamp_imprint(d, s, &s->stamps[k], DIGEST_SHA256, &got, &e);
		assert_non_null(sig_level(d, s, true, true));
		if (sig_insertion(d, s, &at, &e) == ERR_OK) {
			assert_true(at.offset <= spoiled.n);
			insertion_release(&at);
		}
	}
}

static void
every_prefix_and_bit(void **state)
{
	EVP_PKEY *key = NULL;
	AUTO(mem) char *doc = signed_document(schemes[3].uri, S_EC256,
	    "<x:UnsignedProperties><x:UnsignedSignatureProperties><x:SignatureTimeStamp><x:EncapsulatedTimeStamp>AA==</x:EncapsulatedTimeStamp>"
	    "</x:SignatureTimeStamp></x:UnsignedSignatureProperties></x:UnsignedProperties>",
	    &key);

	(void)state;
	kit_each_prefix(slice_str(doc), survive, key);
	kit_each_bit_flip(slice_str(doc), survive, key);
	kit_each_prefix(vector_slice(), survive, key);
	kit_each_bit_flip(vector_slice(), survive, key);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vector_is_the_published_file),
	    cmocka_unit_test(imprints_of_the_vector),
	    cmocka_unit_test(stamps_in_the_vector),
	    cmocka_unit_test(edits_change_what_they_should),
	    cmocka_unit_test(recipes_of_old_versions),
	    cmocka_unit_test(values_of_every_scheme),
	    cmocka_unit_test(one_octet_changed),
	    cmocka_unit_test(references_found_and_intact),
	    cmocka_unit_test(digest_only_data),
	    cmocka_unit_test(too_many_references),
	    cmocka_unit_test(costly_xpath),
	    cmocka_unit_test(much_canonical_form),
	    cmocka_unit_test(counter_signatures_and_nested_ones),
	    cmocka_unit_test(levels),
	    cmocka_unit_test(policy_hash),
	    cmocka_unit_test(coverage_in_a_dossier),
	    cmocka_unit_test(places_in_every_encoding),
	    cmocka_unit_test(insertion_leaves_the_signature_whole),
	    cmocka_unit_test(every_prefix_and_bit),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
