/* SPDX-License-Identifier: MIT */
/* XAdES read: imprints of time-stamps, levels, signature policies, e-akta, and what spoiled octets do. */
#include "tests/signed.h"
#include "verify/judge.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>

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

/* Where xml: attributes come from around the data, readers differ on the exclusive form, but not on the inclusive one. */
static void
inherited_attributes(void **state)
{
	static const char with_method[] = "<s:Transforms><s:Transform Algorithm=\"" EXCLUSIVE "\"/></s:Transforms>";
	static const struct {
		const char *attribute, *transforms, *method, *first, *second;
	} cases[] = {
	    {"xml:lang=\"hu\"", "", EXCLUSIVE, "<a Id=\"o\">x</a>", "<a Id=\"o\" xml:lang=\"hu\">x</a>"},
	    {"xml:lang=\"hu\"", "", INCLUSIVE, "<a Id=\"o\" xml:lang=\"hu\">x</a>", "<a Id=\"o\" xml:lang=\"hu\">x</a>"},
	    {"xml:lang=\"hu\"", with_method, EXCLUSIVE, "<a Id=\"o\">x</a>", NULL},
	    {"lang=\"hu\"", "", EXCLUSIVE, "<a Id=\"o\">x</a>", NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(mem) char *doc = mem_printf("<r %s><a Id=\"o\">x</a><s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:Reference URI=\"#o\">%s"
						 "</s:Reference></s:SignedInfo><s:SignatureValue>AA==</s:SignatureValue></s:Signature></r>",
		    cases[i].attribute, cases[i].transforms);
		struct xstamp t = {.type = STAMP_ALL_DATA, .position = SIZE_MAX, .c14n = (char *)(uintptr_t)cases[i].method};
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct digest got, want;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		assert_int_equal(sig_inherits_attributes(&d->sigs[0]), cases[i].second != NULL);
		OK(stamp_imprint(d, &d->sigs[0], &t, DIGEST_SHA256, &got, &e));
		OK(digest_once(DIGEST_SHA256, slice_str(cases[i].first), &want, &e));
		assert_true(digest_eq(&got, &want));
		if (cases[i].second == NULL) {
			FAILS(ERR_NOTFOUND, stamp_imprint_listed(d, &d->sigs[0], &t, DIGEST_SHA256, &got, &e));
			continue;
		}
		OK(stamp_imprint_listed(d, &d->sigs[0], &t, DIGEST_SHA256, &got, &e));
		OK(digest_once(DIGEST_SHA256, slice_str(cases[i].second), &want, &e));
		assert_true(digest_eq(&got, &want));
	}
}

static void
one_container_of_unsigned_properties(void **state)
{
	static const struct {
		const char *unsigned_part;
		bool good;
	} cases[] = {
	    {"<x:UnsignedProperties><x:UnsignedSignatureProperties/><x:UnsignedDataObjectProperties/></x:UnsignedProperties>", true},
	    {"<x:UnsignedProperties><x:UnsignedSignatureProperties/><x:UnsignedSignatureProperties/></x:UnsignedProperties>", false},
	    {"<x:UnsignedProperties><x:UnsignedSignatureProperties/></x:UnsignedProperties><x:UnsignedProperties/>", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		AUTO(mem) char *doc = template("urn:x", cases[i].unsigned_part);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		assert_int_equal(d->sigs[0].format_fault == NULL, cases[i].good);
	}
}

static void
levels(void **state)
{
	static const struct level_facts COMPLETE = {.values_complete = true, .t_in_time = true}, INCOMPLETE = {.t_in_time = true},
					LATE = {.values_complete = true};
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
		assert_string_equal(sig_level(&d->sigs[0], &COMPLETE), "XML-DSig"); /* nothing says who signed */
		d->sigs[0].count.signing_cert = 1;
		assert_string_equal(sig_level(&d->sigs[0], &INCOMPLETE), cases[i].incomplete);
		assert_string_equal(sig_level(&d->sigs[0], &COMPLETE), cases[i].complete);
		assert_string_equal(sig_level(&d->sigs[0], &LATE), "XAdES-BES");
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

/* ---- bare keys ---- */

static void
put_number(struct buf *b, const char *element, EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;
	uint8_t octets[512];

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
	buf_addf(b, "<s:%s>", element);
	buf_addbase64(b, slice_of(octets, (size_t)BN_bn2bin(n, octets)));
	buf_addf(b, "</s:%s>", element);
	BN_free(n);
}

/* The same key comes out of each spelling of it. */
static void
bare_keys(void **state)
{
	EVP_PKEY *keys[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	size_t i, spelling;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (spelling = 0; spelling < 2; spelling++) {
			AUTO(buf) struct buf b = {0};
			AUTO(xml_doc) xmlDocPtr doc = NULL;
			struct err e = {0};
			uint8_t *der = NULL, point[100];
			size_t n;
			EVP_PKEY *got;

			buf_adds(&b, "<s:KeyInfo xmlns:s=\"" DS_NS "\" xmlns:t=\"http://www.w3.org/2009/xmldsig11#\">");
			if (spelling == 1) {
				n = (size_t)i2d_PUBKEY(keys[i], &der);
				buf_adds(&b, "<t:DEREncodedKeyValue>");
				buf_addbase64(&b, slice_of(der, n));
				buf_adds(&b, "</t:DEREncodedKeyValue>");
				OPENSSL_free(der);
			} else if (i == 0) {
				buf_adds(&b, "<s:KeyValue><s:RSAKeyValue>");
				put_number(&b, "Modulus", keys[i], OSSL_PKEY_PARAM_RSA_N);
				put_number(&b, "Exponent", keys[i], OSSL_PKEY_PARAM_RSA_E);
				buf_adds(&b, "</s:RSAKeyValue></s:KeyValue>");
			} else if (i == 1) {
				assert_int_equal(EVP_PKEY_get_octet_string_param(keys[i], OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n), 1);
				buf_adds(&b, "<s:KeyValue><t:ECKeyValue><t:NamedCurve URI=\"urn:oid:1.2.840.10045.3.1.7\"/><t:PublicKey>");
				buf_addbase64(&b, slice_of(point, n));
				buf_adds(&b, "</t:PublicKey></t:ECKeyValue></s:KeyValue>");
			}
			buf_adds(&b, "</s:KeyInfo>");
			OK(xml_load(buf_slice(&b), NULL, &doc, &e));
			got = key_value(xmlDocGetRootElement(doc));
			assert_int_equal(got != NULL, spelling == 1 || i < 2);
			assert_true(got == NULL || EVP_PKEY_eq(got, keys[i]) == 1);
			EVP_PKEY_free(got);
		}
		EVP_PKEY_free(keys[i]);
	}
}

/* ---- e-akta ---- */

#define ES "https://www.microsec.hu/ds/e-szigno30#"
#define DOSSIER_REFERENCE(id) \
	"<ds:Reference URI=\"#" id "\"><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference>"
#define DOSSIER_TRANSFORMED(id, transform) \
	"<ds:Reference URI=\"#" id "\"><ds:Transforms><ds:Transform Algorithm=\"" DS_NS transform "\"/></ds:Transforms><ds:DigestMethod " \
	"Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference>"
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
    {"its own profile by a transform that takes the signature out", "o",
	DOSSIER_REFERENCE("dp") DOSSIER_REFERENCE("o") DOSSIER_TRANSFORMED("pr", "enveloped-signature") DOSSIER_PROPS, "signature", false,
	"SignatureProfile"},
    {"the payload's text alone", "o", DOSSIER_REFERENCE("dp") DOSSIER_TRANSFORMED("o", "base64") DOSSIER_REFERENCE("pr") DOSSIER_PROPS, "signature",
	false, NULL},
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
		assert_non_null(sig_level(s, &(struct level_facts){.t_in_time = true}));
		if (sig_insertion(d, s, &at, &e) == ERR_OK) {
			assert_true(at.offset <= spoiled.n);
			insertion_release(&at);
		}
	}
}

static void
more_formats_than_references_may_be(void **state)
{
	AUTO(mem) char *doc = template("urn:x", "");
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(buf) struct buf b = {0};
	struct xades_limits limits = {.references = 2};
	struct err e = {0};
	const char *at = strstr(doc, "<x:DataObjectFormat");
	size_t i;

	(void)state;
	assert_non_null(at);
	OK(sigdoc_open(slice_str(doc), NULL, 0, &limits, &d, &e));
	buf_add(&b, doc, (size_t)(at - doc));
	for (i = 0; i < 2; i++)
		buf_adds(&b, "<x:DataObjectFormat ObjectReference=\"#r\"/>");
	buf_adds(&b, at);
	sigdoc_close(TAKE(d));
	FAILS(ERR_LIMIT, sigdoc_open(buf_slice(&b), NULL, 0, &limits, &d, &e));
	SAYS("data object formats");
}

/* A thousand references to one manifest are not a thousand manifests. */
static void
entries_of_a_manifest_once(void **state)
{
	static const char doc[] =
	    "<s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:Reference URI=\"#M\" Type=\"" DS_NS "Manifest\"/><s:Reference URI=\"#M\" Type=\"" DS_NS
	    "Manifest\"/></s:SignedInfo><s:Object><s:Manifest Id=\"M\"><s:Reference/><s:Reference/></s:Manifest></s:Object></s:Signature>";
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->sigs[0].n_refs, 2);
	assert_int_equal(d->sigs[0].refs[0].n_entries, 2);
	assert_int_equal(d->sigs[0].refs[1].kind, REF_MANIFEST);
	assert_int_equal(d->sigs[0].refs[1].n_entries, 0);
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
	    cmocka_unit_test(inherited_attributes),
	    cmocka_unit_test(one_container_of_unsigned_properties),
	    cmocka_unit_test(levels),
	    cmocka_unit_test(policy_hash),
	    cmocka_unit_test(bare_keys),
	    cmocka_unit_test(coverage_in_a_dossier),
	    cmocka_unit_test(more_formats_than_references_may_be),
	    cmocka_unit_test(entries_of_a_manifest_once),
	    cmocka_unit_test(every_prefix_and_bit),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
