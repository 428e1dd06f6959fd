/* SPDX-License-Identifier: MIT */
/* The signatures of a file: values of every scheme, of which parts, which one stands in which. */
#include "tests/signed.h"

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

/* An element of that name in another namespace is the depositor's, and what stands in it a signature like any other. */
static void
counter_signature_of_another_namespace(void **state)
{
	static const char doc[] = "<r><CounterSignature><s:Signature xmlns:s=\"" DS_NS "\" Id=\"A\"><s:Object><CounterSignature xmlns=\"urn:f\">"
				  "<s:Signature Id=\"B\"/></CounterSignature></s:Object></s:Signature></CounterSignature>"
				  "<x:CounterSignature xmlns:x=\"" NS_X132 "\"><s:Signature xmlns:s=\"" DS_NS "\"/></x:CounterSignature></r>";
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};

	(void)state;
	OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
	assert_int_equal(d->n_sigs, 2);
	assert_string_equal(d->sigs[0].id, "A");
	assert_int_equal(d->sigs[0].parent, -1);
	assert_string_equal(d->sigs[1].id, "B");
	assert_int_equal(d->sigs[1].parent, -1);
	assert_true(d->sigs[1].nested);
}

#define WHOLE(id) \
	"<s:Signature Id=\"" id "\"><s:SignedInfo><s:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><s:SignatureMethod Algorithm=\"urn:x\"/>" \
	"<s:Reference/></s:SignedInfo><s:SignatureValue>AA==</s:SignatureValue></s:Signature>"

static void
two_in_one_counter_signature(void **state)
{
	static const char *const docs[] = {
	    "<s:Signature xmlns:s=\"" DS_NS "\"><x:CounterSignature xmlns:x=\"" NS_X132 "\">" WHOLE("A") "</x:CounterSignature></s:Signature>",
	    "<s:Signature xmlns:s=\"" DS_NS "\"><x:CounterSignature xmlns:x=\"" NS_X132 "\">" WHOLE("A") WHOLE("B") "</x:CounterSignature></s:Signature>",
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};

		OK(sigdoc_open(slice_str(docs[i]), NULL, 0, NULL, &d, &e));
		assert_int_equal(d->n_sigs, 2 + i);
		for (k = 1; k < d->n_sigs; k++)
			assert_int_equal(d->sigs[k].format_fault != NULL, i == 1);
	}
}

static void
parts_of_a_signature(void **state)
{
#define INFO "<s:SignedInfo><s:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><s:SignatureMethod Algorithm=\"urn:x\"/><s:Reference/></s:SignedInfo>"
#define VALUE "<s:SignatureValue>AA==</s:SignatureValue>"
	static const struct {
		const char *parts;
		bool good;
	} cases[] = {
	    {INFO VALUE, true},
	    {"<!-- x -->" INFO "<?p?>\n" VALUE "<s:KeyInfo/><s:Object/><s:Object/>", true},
	    {INFO VALUE "<s:Object/>", true},
	    {VALUE INFO, false},
	    {INFO VALUE "<s:Object/><s:KeyInfo/>", false},
	    {"<s:KeyInfo/>" INFO VALUE, false},
	    {INFO "<f xmlns=\"urn:f\"/>" VALUE, false},
	    {INFO VALUE "<s:KeyInfo/><Object/>", false},
	    {INFO VALUE VALUE, false},
	    {INFO INFO VALUE, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(mem) char *doc = mem_printf("<s:Signature xmlns:s=\"" DS_NS "\">%s</s:Signature>", cases[i].parts);
		AUTO(sigdoc) struct sigdoc *d = NULL;
		struct err e = {0};

		OK(sigdoc_open(slice_str(doc), NULL, 0, NULL, &d, &e));
		if ((d->sigs[0].format_fault == NULL) != cases[i].good)
			print_error("%s: %s\n", cases[i].parts, d->sigs[0].format_fault != NULL ? d->sigs[0].format_fault : "no fault");
		assert_int_equal(d->sigs[0].format_fault == NULL, cases[i].good);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_of_every_scheme),
	    cmocka_unit_test(one_octet_changed),
	    cmocka_unit_test(counter_signatures_and_nested_ones),
	    cmocka_unit_test(counter_signature_of_another_namespace),
	    cmocka_unit_test(two_in_one_counter_signature),
	    cmocka_unit_test(parts_of_a_signature),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
