/* SPDX-License-Identifier: MIT */
/* The table of which signature is upgraded how, row by row, and what files are by their octets. */
#include "tests/kit.h"

#include "base/form.h"
#include "archiver/upgrade.h"

#include <string.h>

/* A fresh B-B signature with a chain to an anchor; each row differs from it by what it says. */
static struct upgrade_facts
good(void)
{
	return (struct upgrade_facts){.version = XADES_132,
	    .verdict = {IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE},
	    .intact = true,
	    .anchored = true,
	    .covered_by = -1};
}

static void
expect(const struct upgrade_facts *f, enum upgrade_path path, const char *row, bool stamp)
{
	struct upgrade u;
	upgradable(f, &u);
	assert_string_equal(u.row, row);
	assert_int_equal(u.path, path);
	assert_int_equal(u.stamp_needed, stamp);
	assert_true(u.reason != NULL && u.reason[0] != '\0');
}

static void
fresh_ones(void **state)
{
	(void)state;
	struct upgrade_facts f = good();
	expect(&f, UPGRADE_EXTENDED, "fresh", true);
	f.verdict = (struct verdict){IND_PASSED, SUB_NONE};
	expect(&f, UPGRADE_EXTENDED, "fresh", true);
	f.stamped = true;
	expect(&f, UPGRADE_EXTENDED, "fresh", false);
	f.begun = true;
	expect(&f, UPGRADE_CONTINUE, "continue", false);
	f = good();
	f.verdict.sub = SUB_TRY_LATER;
	expect(&f, UPGRADE_EXTENDED, "fresh", true);
	f = good();
	f.counter = true;
	expect(&f, UPGRADE_EXTENDED, "fresh", true);
}

static void
left_alone(void **state)
{
	(void)state;
	struct upgrade_facts f = good();
	f.verdict = (struct verdict){IND_FAILED, SUB_HASH_FAILURE};
	expect(&f, UPGRADE_NONE, "failed", false);
	f = good();
	f.version = XADES_111;
	expect(&f, UPGRADE_NONE, "old-container", false);
	f.version = XADES_122;
	expect(&f, UPGRADE_NONE, "old-container", false);
	f.version = XADES_NONE;
	expect(&f, UPGRADE_NONE, "xmldsig", false);
	f = good();
	f.sealed = true;
	expect(&f, UPGRADE_NONE, "sealed", false);
	f = good();
	f.covered_by = 1;
	expect(&f, UPGRADE_NONE, "covered", false);
	f = good();
	f.nested = true;
	expect(&f, UPGRADE_NONE, "covered", false);
	f = good();
	f.counter = f.master_archived = true;
	expect(&f, UPGRADE_NONE, "counter-signature", false);
	f = good();
	f.dossier = true;
	expect(&f, UPGRADE_NONE, "e-akta", false);
	f = good();
	f.digest_only = true;
	expect(&f, UPGRADE_NONE, "digest-only", false);
	f = good();
	strcpy(f.insertion_fault, "self-closed UnsignedProperties");
	expect(&f, UPGRADE_NONE, "closed", false);
	f = good();
	f.intact = false;
	expect(&f, UPGRADE_NONE, "unchecked", false);
	memset(&f, 0, sizeof(f));
	expect(&f, UPGRADE_NONE, "xmldsig", false);
}

static void
stamped_and_kept(void **state)
{
	static const enum subindication waits[] = {SUB_NO_CERTIFICATE_CHAIN_FOUND, SUB_REVOKED_NO_POE, SUB_OUT_OF_BOUNDS_NO_POE,
	    SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, SUB_SIG_CONSTRAINTS_FAILURE, SUB_NO_SIGNING_CERTIFICATE_FOUND};
	(void)state;
	struct upgrade_facts f = good();
	f.anchored = false;
	expect(&f, UPGRADE_STAMP, "indeterminate", true);
	f.stamped = true;
	expect(&f, UPGRADE_STAMP, "indeterminate", false);
	/* Unless the missing issuer has an address: then the chain may still reach an anchor. */
	f = good();
	f.anchored = false;
	f.issuer_sought = true;
	f.verdict.sub = SUB_NO_CERTIFICATE_CHAIN_FOUND;
	expect(&f, UPGRADE_EXTENDED, "fresh", true);
	f.begun = true;
	expect(&f, UPGRADE_CONTINUE, "continue", true);
	f = good();
	f.data_missing = true;
	expect(&f, UPGRADE_STAMP, "indeterminate", true);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		f = good();
		f.verdict.sub = waits[i];
		expect(&f, UPGRADE_STAMP, "indeterminate", true);
	}
}

/* Rows that forbid come before rows that allow: a forbidden signature with everything good stays forbidden. */
static void
forbidding_comes_first(void **state)
{
	(void)state;
	struct upgrade_facts f = good();
	f.verdict = (struct verdict){IND_PASSED, SUB_NONE};
	f.begun = f.stamped = f.sealed = true;
	expect(&f, UPGRADE_NONE, "sealed", false);
	f.sealed = false;
	f.version = XADES_122;
	expect(&f, UPGRADE_NONE, "old-container", false);
	f.verdict.ind = IND_FAILED;
	expect(&f, UPGRADE_NONE, "failed", false);
}

/* ---- forms ---- */

#define ASIC "application/vnd.etsi.asic-e+zip"

/* A local header of a stored member, and optionally the central directory with one name. */
static void
zip_with(struct buf *b, const char *first, const char *content, const char *listed)
{
	size_t n = strlen(first), m = strlen(content);
	uint8_t h[30] = "PK\3\4";
	h[18] = h[22] = (uint8_t)m;
	h[26] = (uint8_t)n;
	buf_add(b, h, sizeof(h));
	buf_adds(b, first);
	buf_adds(b, content);
	size_t at = b->n;
	uint8_t c[46] = "PK\1\2", end[22] = "PK\5\6";
	c[28] = (uint8_t)strlen(listed);
	buf_add(b, c, sizeof(c));
	buf_adds(b, listed);
	end[10] = 1;
	end[16] = (uint8_t)at;
	end[17] = (uint8_t)(at >> 8);
	buf_add(b, end, sizeof(end));
}

static void
forms_of_text(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		enum form form;
	} rows[] = {
#define T(s, f) {s, sizeof(s) - 1, f}
	    T("<a/>", FORM_XML), T("  \r\n\t<a/>", FORM_XML), T("\xef\xbb\xbf<?xml version='1.0'?><a/>", FORM_XML),
	    T("\xff\xfe<\0a\0", FORM_XML), T("\xfe\xff\0<\0a", FORM_XML), T("<\0a\0", FORM_XML), T("\0<\0a", FORM_XML),
	    T("", FORM_DATA), T(" ", FORM_DATA), T("text <a/>", FORM_DATA), T("\xff\xfe", FORM_DATA), T("{}", FORM_DATA),
	    T("%PDF-1.7\n", FORM_PDF), T("junk\n%PDF-1.4", FORM_PDF),
	    T("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", FORM_CMS),
	    T("\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", FORM_CMS),
	    T("\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", FORM_DATA), T("\x30", FORM_DATA),
	    T("-----BEGIN PKCS7-----\n", FORM_CMS), T("PK\3\4", FORM_DATA)
#undef T
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (form_sniff(slice_of(rows[i].octets, rows[i].n)) != rows[i].form)
			fail_msg("row %zu is %s", i, form_name(form_sniff(slice_of(rows[i].octets, rows[i].n))));
}

static void
sniff_any(struct slice s, const char *what, void *ctx)
{
	(void)what;
	(void)ctx;
	(void)form_sniff(s);
}

static void
forms_of_archives(void **state)
{
	AUTO(buf) struct buf declared = {0}, listed = {0}, other = {0};
	(void)state;
	zip_with(&declared, "mimetype", ASIC, "a.txt");
	zip_with(&listed, "a.txt", "hello", "META-INF/signatures0.xml");
	zip_with(&other, "a.txt", "hello", "b/signatures.xml");
	assert_int_equal(form_sniff(buf_slice(&declared)), FORM_ASIC);
	assert_int_equal(form_sniff(buf_slice(&listed)), FORM_ASIC);
	assert_int_equal(form_sniff(buf_slice(&other)), FORM_DATA);
	kit_each_prefix(buf_slice(&listed), sniff_any, NULL);
	kit_each_bit_flip(buf_slice(&listed), sniff_any, NULL);
	kit_each_bit_flip(buf_slice(&declared), sniff_any, NULL);
}

/* What a beginning says for sure, no continuation changes. */
static void
forms_of_heads(void **state)
{
	static const struct {
		const char *head;
		size_t n;
		bool sure;
		enum form form;
	} rows[] = {
#define T(s, sure, f) {s, sizeof(s) - 1, sure, f}
	    T("%PDF-1.7\n", true, FORM_PDF), T("text", true, FORM_DATA), T("<a", true, FORM_XML), T(" \n<a", true, FORM_XML),
	    T("-----BEGIN CMS-----", true, FORM_CMS), T("\0\1\2", true, FORM_DATA), T(" \t\r\n", false, FORM_DATA),
	    T("\xef\xbb\xbf ", false, FORM_DATA), T("\xff\xfe \0", false, FORM_DATA), T("PK\3\4 and so on", false, FORM_DATA),
#undef T
	};
	static const char *const rests[] = {"<a/>", "<\0a\0", " x", "META-INF/signatures.xml"};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t file[1200] = {0};
		enum form form, all;
		memset(file, 'x', 1024); /* the first 1024 octets are what a caller shows */
		memcpy(file, rows[i].head, rows[i].n);
		if (!rows[i].sure)
			memset(file + rows[i].n, ' ', 1024 - rows[i].n);
		if (form_of_head(slice_of(file, 1024), false, &form) != rows[i].sure || (rows[i].sure && form != rows[i].form))
			fail_msg("row %zu is %s", i, form_name(form));
		assert_true(form_of_head(slice_of(file, 1024), true, &all));
		assert_int_equal(all, form_sniff(slice_of(file, 1024)));
		for (size_t k = 0; rows[i].sure && k < sizeof(rests) / sizeof(rests[0]); k++) {
			memcpy(file + 1024, rests[k], strlen(rests[k]) + 1);
			assert_int_equal(form_sniff(slice_of(file, sizeof(file))), form);
		}
	}
	for (enum form f = FORM_DATA; f <= FORM_CMS; f++) {
		enum form again = FORM_DATA;
		assert_true(form_by_name(form_name(f), &again));
		assert_int_equal(again, f);
	}
	assert_false(form_by_name("else", &(enum form){FORM_DATA}));
	assert_false(form_by_name(NULL, &(enum form){FORM_DATA}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms_of_heads),
	    cmocka_unit_test(fresh_ones),
	    cmocka_unit_test(left_alone),
	    cmocka_unit_test(stamped_and_kept),
	    cmocka_unit_test(forbidding_comes_first),
	    cmocka_unit_test(forms_of_text),
	    cmocka_unit_test(forms_of_archives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
