/* SPDX-License-Identifier: MIT */
/* Where a property goes in the raw file, in every encoding, and the method of a new stamp. */
#include "archiver/augment.h"
#include "tests/signed.h"

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
    {"ISO8859-2", "<?xml version=\"1.0\" encoding=\"ISO8859-2\"?><!-- \xf5 -->", 1},
    {"UTF8", "<?xml version=\"1.0\" encoding=\"utf8\"?>", 1},
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

/* Each signature of a file is told its own containers. */
static void
self_closed_among_others(void **state)
{
	static const char *const parts[] = {"<x:UnsignedProperties/>", "<x:UnsignedProperties></x:UnsignedProperties>",
	    "<x:UnsignedProperties><x:UnsignedSignatureProperties/></x:UnsignedProperties>",
	    "<x:UnsignedProperties><x:UnsignedSignatureProperties></x:UnsignedSignatureProperties></x:UnsignedProperties>", ""};
	static const bool closed[] = {true, false, true, false, false};
	AUTO(buf) struct buf doc = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	size_t i;

	(void)state;
	buf_adds(&doc, "<r>");
	for (i = 0; i < 50; i++) {
		AUTO(mem) char *one = template("urn:none", parts[i % 5]);

		buf_adds(&doc, one);
	}
	buf_adds(&doc, "</r>");
	OK(sigdoc_open(buf_slice(&doc), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->n_sigs, 50);
	for (i = 0; i < 50; i++)
		assert_int_equal(d->sigs[i].self_closed, closed[i % 5]);
}

/* Exclusive, but for an archive stamp over data whose exclusive form readers do not agree on. */
static void
method_of_a_new_stamp(void **state)
{
	static const char *const roots[] = {"<r>", "<r xml:lang=\"hu\">"};
	static const char token[] = "token";
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		AUTO(mem) char *doc = mem_printf("%s<a Id=\"o\"/><s:Signature xmlns:s=\"" DS_NS "\"><s:SignedInfo><s:Reference URI=\"#o\"/></s:SignedInfo>"
						 "</s:Signature></r>", roots[i]);
		const struct augment_add add = {.kind = ADD_A, .token = slice_str(token)};
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(buf) struct buf text = {0};
		struct augment_have have;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		augment_have(&d->sigs[0], &have);
		assert_string_equal(augment_described(ADD_T, &have, 0).c14n, EXCLUSIVE);
		assert_string_equal(augment_described(ADD_X, &have, 0).c14n, EXCLUSIVE);
		assert_string_equal(augment_described(ADD_A, &have, 0).c14n, i == 0 ? EXCLUSIVE : INCLUSIVE);
		OK(augment_text(NULL, &add, DIGEST_SHA256, &have, &text, &e));
		assert_int_equal(strstr(buf_str(&text), INCLUSIVE) != NULL, i == 1);
		assert_int_equal(strstr(buf_str(&text), EXCLUSIVE) != NULL, i == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_in_every_encoding),
	    cmocka_unit_test(insertion_leaves_the_signature_whole),
	    cmocka_unit_test(method_of_a_new_stamp),
	    cmocka_unit_test(self_closed_among_others),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
