/* SPDX-License-Identifier: MIT */
/* What follows from covers: proofs of existence, entries of Manifests, and whether anything is signed. */
#include "tests/mini_world.h"

#include "verify/cover.h"

/* ---- which objects a time-stamp proves ---- */

static struct report *
verified(struct world *w, const struct doc *d, const char *policy, int64_t at)
{
	AUTO(buf) struct buf text = {0};
	struct vpolicy p;
	struct report *report = NULL;
	struct err e = {0};

	doc_text(d, &text);
	OK(vpolicy_builtin(policy, NULL, &p, &e));
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &p, .time_utc = at, .anchors = w->anchors, .prove_all = true};
	OK(verify_document(w->v, &in, &report, &e));
	assert_int_equal(report->status, DOC_VALIDATED);
	return report;
}

static int64_t
proven(const struct report *r, struct slice octets)
{
	uint8_t sha256[32];
	struct err e = {0};

	OK(digest_sha256(octets, sha256, &e));
	for (size_t i = 0; i < r->n_poes; i++)
		if (memcmp(r->poes[i].sha256, sha256, 32) == 0)
			return r->poes[i].time_utc;
	return TIME_NONE;
}

/* A certificate of a stranger is put into one place of a signature that has one stamp. */
enum place { IN_KEYINFO, IN_VALUES_BEFORE, IN_VALUES_BEHIND, IN_OBJECT, OF_SIGNER };
static const struct {
	const char *name;
	enum stamp_type stamp;
	enum place place;
	bool after; /* put there after the stamp was made */
	bool is;
} proofs[] = {
    {"the signer's own, under the value that commits to it", STAMP_SIGNATURE, OF_SIGNER, false, true},
    {"KeyInfo, which a SignatureTimeStamp does not hash", STAMP_SIGNATURE, IN_KEYINFO, false, false},
    {"KeyInfo, put there later", STAMP_SIGNATURE, IN_KEYINFO, true, false},
    {"values before a SignatureTimeStamp", STAMP_SIGNATURE, IN_VALUES_BEFORE, false, false},
    {"KeyInfo under an archive stamp", STAMP_ARCHIVE, IN_KEYINFO, false, true},
    {"values before an archive stamp", STAMP_ARCHIVE, IN_VALUES_BEFORE, false, true},
    {"values behind an archive stamp", STAMP_ARCHIVE, IN_VALUES_BEHIND, false, false},
};

static void
into_key_info(struct doc *d, const struct who *w)
{
	static const char END[] = "</ds:X509Data></ds:KeyInfo>";
	AUTO(buf) struct buf next = {0}, der = {0};
	const char *all = buf_str(&d->head), *at = strstr(all, END);

	assert_non_null(at);
	buf_add(&next, all, (size_t)(at - all));
	buf_adds(&next, "<ds:X509Certificate>");
	buf_addbase64(&next, who_der(w, &der));
	buf_addf(&next, "</ds:X509Certificate>%s", at);
	buf_clear(&d->head);
	buf_addslice(&d->head, buf_slice(&next));
}

static void
what_stamps_prove(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		AUTO(doc) struct doc d = signed_by(&w->signer);
		AUTO(buf) struct buf der = {0};

		doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
		if (proofs[i].place == IN_KEYINFO && !proofs[i].after)
			into_key_info(&d, &w->stranger);
		if (proofs[i].place == IN_VALUES_BEFORE)
			doc_cert(&d, &w->stranger);
		doc_stamp(&d, proofs[i].stamp, &w->tsa, T0 + 2 * DAY, false);
		if (proofs[i].place == IN_KEYINFO && proofs[i].after)
			into_key_info(&d, &w->stranger);
		if (proofs[i].place == IN_VALUES_BEHIND)
			doc_cert(&d, &w->stranger);
		doc_crl(&d, &w->troot, T0 + 3 * DAY, NULL, 0);
		AUTO(report) struct report *r = verified(w, &d, "default", T0 + 9 * DAY);
		int64_t got = proven(r, who_der(proofs[i].place == OF_SIGNER ? &w->signer : &w->stranger, &der));

		assert_int_equal(r->sigs[0].stamps[0].verdict.ind, IND_PASSED);
		assert_int_equal(r->sigs[0].best_signature_time, T0 + 2 * DAY);
		if ((got == T0 + 2 * DAY) != proofs[i].is || (got != TIME_NONE) != proofs[i].is)
			fail_msg("%s: %lld", proofs[i].name, (long long)got);
	}
}

/* A counter-signature and what it holds stand under its master's archive stamp, for the master and for itself. */
static void
counter_signature_under_its_master(void **state)
{
	struct world *w = *state;
	AUTO(doc) struct doc d = signed_by(&w->signer);
	struct doc c = doc_counter((struct doc_spec){.signer = &w->early, .signing_time = T0 + DAY, .mark = "c"}, &d, "");

	doc_crl(&d, &w->ca, T0 + 2 * DAY, NULL, 0);
	doc_cert(&c, &w->stranger);
	doc_put_counter(&d, &c);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 3 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 4 * DAY, NULL, 0);
	AUTO(report) struct report *r = verified(w, &d, "default", T0 + 9 * DAY);
	AUTO(buf) struct buf der = {0};

	assert_int_equal(r->n_sigs, 2);
	assert_int_equal(r->sigs[1].verdict.ind, IND_PASSED);
	assert_int_equal(r->sigs[1].best_signature_time, T0 + 3 * DAY);
	assert_int_equal(proven(r, who_der(&w->stranger, &der)), T0 + 3 * DAY);
}

/* ---- Manifests ---- */

#define MANIFEST_TYPE "Type=\"" NS_DS "Manifest\" "
#define TAGS_ALONE \
	"<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>not(self::text())</ds:XPath></ds:Transform>"
#define DEED "<d xmlns=\"urn:d\" Id=\"deed\">100</d>"
#define SPOILT "<d xmlns=\"urn:d\" Id=\"deed\">900</d>"

static const struct {
	const char *name;
	const char *type;	/* of the reference to the Manifest */
	const char *entry_type; /* of its entry */
	const char *beside;	/* what stands beside the signature at the end */
	const char *transforms; /* of the reference to the Manifest; NULL = none */
	enum digest_alg alg;	/* of the entry */
	enum indication ind;
	enum subindication sub;
} manifests[] = {
    {"good", MANIFEST_TYPE, "", DEED, NULL, DIGEST_SHA256, IND_PASSED, SUB_NONE},
    {"altered", MANIFEST_TYPE, "", SPOILT, NULL, DIGEST_SHA256, IND_FAILED, SUB_HASH_FAILURE},
    {"good, by a false Type", MANIFEST_TYPE, " Type=\"" NS_DS "Object\"", DEED, NULL, DIGEST_SHA256, IND_PASSED, SUB_NONE},
    {"altered, by a false Type", MANIFEST_TYPE, " Type=\"" NS_DS "Object\"", SPOILT, NULL, DIGEST_SHA256, IND_FAILED, SUB_HASH_FAILURE},
    {"altered, the Manifest without its Type", "", "", SPOILT, NULL, DIGEST_SHA256, IND_FAILED, SUB_HASH_FAILURE},
    {"gone", MANIFEST_TYPE, "", "", NULL, DIGEST_SHA256, IND_INDETERMINATE, SUB_SIGNED_DATA_NOT_FOUND},
    {"twice", MANIFEST_TYPE, "", DEED SPOILT, NULL, DIGEST_SHA256, IND_FAILED, SUB_FORMAT_FAILURE},
    {"by MD5", MANIFEST_TYPE, "", DEED, NULL, DIGEST_MD5, IND_INDETERMINATE, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE},
    {"filtered down to its tags: nothing is signed", MANIFEST_TYPE, "", DEED, TAGS_ALONE, DIGEST_SHA256, IND_INDETERMINATE,
	SUB_SIGNED_DATA_NOT_FOUND},
};

/* Its canonical form, as it stands in an Object of the signature. */
static char *
manifest_text(size_t i)
{
	AUTO(buf) struct buf b = {0};

	buf_addf(&b, "<ds:Manifest " DS " Id=\"man\"><ds:Reference%s URI=\"#deed\">", manifests[i].entry_type);
	add_digest_value(&b, manifests[i].alg, slice_str(DEED), "");
	buf_adds(&b, "</ds:Reference></ds:Manifest>");
	return mem_dupstr(buf_str(&b));
}

/* Its tags without text: what the XPath of that row leaves. */
static char *
without_text(const char *xml)
{
	AUTO(buf) struct buf b = {0};
	bool tag = false;

	for (; *xml != '\0'; xml++) {
		tag = tag || *xml == '<';
		if (tag)
			buf_add(&b, xml, 1);
		tag = tag && *xml != '>';
	}
	return mem_dupstr(buf_str(&b));
}

static void
entries_are_references(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		AUTO(mem) char *manifest = manifest_text(i), *tags = without_text(manifest);
		AUTO(mem) char *object = mem_printf("<ds:Object>%s</ds:Object>", manifest);
		AUTO(mem) char *reference = mem_printf("%sURI=\"#man\"", manifests[i].type);
		AUTO(doc) struct doc d = doc_over((struct doc_spec){.signer = &w->signer, .signing_time = T0, .transforms = manifests[i].transforms},
		    reference, slice_str(manifests[i].transforms != NULL ? tags : manifest), object);
		AUTO(buf) struct buf head = {0};

		doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
		buf_addf(&head, "<r>%s%s", manifests[i].beside, buf_str(&d.head));
		buf_clear(&d.head);
		buf_addslice(&d.head, buf_slice(&head));
		buf_adds(&d.tail, "</r>");
		AUTO(report) struct report *r = verified(w, &d, "default", T0 + 2 * DAY);
		wrong += !verdict_is_so(manifests[i].name, r, manifests[i].ind, manifests[i].sub, false);
	}
	assert_int_equal(wrong, 0);
}

/* ---- does it sign anything? ---- */

static const struct {
	const char *name, *reference, *hashed, *object;
	enum subindication sub; /* SUB_NONE: passed */
} things[] = {
    {"an Object", "URI=\"#o\"", "<ds:Object " DS " Id=\"o\">a deed</ds:Object>", "<ds:Object " DS " Id=\"o\">a deed</ds:Object>", SUB_NONE},
    {"an Object, called SignatureProperties", "Type=\"" NS_DS "SignatureProperties\" URI=\"#o\"", "<ds:Object " DS " Id=\"o\">a deed</ds:Object>",
	"<ds:Object " DS " Id=\"o\">a deed</ds:Object>", SUB_NONE},
    {"an Object with nothing in it", "URI=\"#o\"", "<ds:Object " DS " Id=\"o\"></ds:Object>", "<ds:Object Id=\"o\"/>", SUB_SIGNED_DATA_NOT_FOUND},
    {"properties of its own", "URI=\"#o\"",
	"<ds:Object " DS " Id=\"o\"><ds:SignatureProperties><ds:SignatureProperty Target=\"#s\">1</ds:SignatureProperty></ds:SignatureProperties></ds:Object>",
	"<ds:Object Id=\"o\"><ds:SignatureProperties><ds:SignatureProperty Target=\"#s\">1</ds:SignatureProperty></ds:SignatureProperties></ds:Object>",
	SUB_SIGNED_DATA_NOT_FOUND},
    {"a Manifest that lists nothing", "URI=\"#o\"", "<ds:Manifest " DS " Id=\"o\"></ds:Manifest>", "<ds:Object><ds:Manifest Id=\"o\"/></ds:Object>",
	SUB_SIGNED_DATA_NOT_FOUND},
};

static void
signs_something(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		AUTO(doc) struct doc d = doc_over((struct doc_spec){.signer = &w->signer, .signing_time = T0}, things[i].reference,
		    slice_str(things[i].hashed), things[i].object);

		doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
		AUTO(report) struct report *r = verified(w, &d, "default", T0 + 2 * DAY);
		wrong += !verdict_is_so(things[i].name, r, things[i].sub == SUB_NONE ? IND_PASSED : IND_INDETERMINATE, things[i].sub, false);
	}
	assert_int_equal(wrong, 0);
}

/* The signature of a TSA in an XMLTimeStamp is none of the document; one that merely stands beside such an element is. */
static void
xml_time_stamps(void **state)
{
#define SIGNATURE(in) "<s:Signature xmlns:s=\"" NS_DS "\"><s:SignedInfo/><s:SignatureValue/>" in "</s:Signature>"
#define PROPERTIES(in) \
	"<s:Object><x:QualifyingProperties xmlns:x=\"" NS_X132 "\"><x:UnsignedProperties><x:UnsignedSignatureProperties><x:SignatureTimeStamp>" in \
	"</x:SignatureTimeStamp></x:UnsignedSignatureProperties></x:UnsignedProperties></x:QualifyingProperties></s:Object>"
	static const struct {
		const char *doc;
		size_t n;
	} cases[] = {
	    {SIGNATURE(PROPERTIES("<x:XMLTimeStamp>" SIGNATURE("") "</x:XMLTimeStamp>")), 1},
	    {SIGNATURE(PROPERTIES("<x:XMLTimeStamp><t>" SIGNATURE("") "</t></x:XMLTimeStamp>")), 1},
	    {SIGNATURE(PROPERTIES("<x:Other>" SIGNATURE("") "</x:Other>")), 2},
	    {"<x:XMLTimeStamp xmlns:x=\"" NS_X132 "\">" SIGNATURE("") "</x:XMLTimeStamp>", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};

		OK(sigdoc_open(slice_str(cases[i].doc), NULL, 0, NULL, &d, &e));
		assert_int_equal(d->n_sigs, cases[i].n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_stamps_prove),
	    cmocka_unit_test(counter_signature_under_its_master),
	    cmocka_unit_test(entries_are_references),
	    cmocka_unit_test(signs_something),
	    cmocka_unit_test(xml_time_stamps),
	};

	return cmocka_run_group_tests_name("proofs", tests, world_up, world_down);
}
