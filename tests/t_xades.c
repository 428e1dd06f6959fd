/* SPDX-License-Identifier: MIT */
/* XAdES read, its imprints, its levels, and where a property would be inserted. */
#include "tests/kit.h"

#include "base/xml.h"
#include "verify/xades.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vector_is_the_published_file),
	    cmocka_unit_test(imprints_of_the_vector),
	    cmocka_unit_test(stamps_in_the_vector),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
