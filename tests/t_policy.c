/* SPDX-License-Identifier: MIT */
/* What the built-in catalogues say of an algorithm, and what several catalogues say together. */
#include "tests/catalogues.h"
#include "policy/catalogue_int.h"
#include "base/xml.h"

#include <string.h>

static const struct {
	const char *name, *catalogue;
	struct alg_use use;
	const char *when;
	bool warns;
	enum alg_reason reason;
	bool good;
	const char *end;
} check_rows[] = {
    {"SHA-1 last good second", "default", HASH(DIGEST_SHA1), "2012-07-31T23:59:59Z", false, ALG_GOOD, true, "2012-08-01"},
    {"SHA-1 first bad second", "default", HASH(DIGEST_SHA1), "2012-08-01", false, ALG_ENDED, false, "2012-08-01"},
    {"SHA-1 ended long before the update", "default", HASH(DIGEST_SHA1), "2012-08-01", true, ALG_ENDED, false, "2012-08-01"},
    {"SHA-1 RSA 2048", "default", SIG(KEY_RSA, 2048, DIGEST_SHA1), "2012-07-31T23:59:59Z", false, ALG_GOOD, true, "2012-08-01"},
    {"SHA-1 RSA 2048 later", "default", SIG(KEY_RSA, 2048, DIGEST_SHA1), "2012-08-01", true, ALG_ENDED, false, "2012-08-01"},
    {"SHA-1 RSA 800", "default", SIG(KEY_RSA, 800, DIGEST_SHA1), "2010-08-01", false, ALG_ENDED, false, "2010-08-01"},
    {"RSA 1024 in 2015", "default", SIG(KEY_RSA, 1024, DIGEST_SHA256), "2015-01-01", false, ALG_GOOD, true, "2019-10-01"},
    {"RSA 1024 in 2020", "default", SIG(KEY_RSA, 1024, DIGEST_SHA256), "2020-01-01", true, ALG_ENDED, false, "2019-10-01"},
    {"RSA 1536 in 2020", "default", SIG(KEY_RSA, 1536, DIGEST_SHA256), "2020-01-01", true, ALG_ENDED, false, "2019-10-01"},
    {"RSA of 2047 bits", "default", SIG(KEY_RSA, 2047, DIGEST_SHA256), "2020-01-01", false, ALG_GOOD, true, "2029-01-01"},
    {"RSA of 1899 bits", "default", SIG(KEY_RSA, 1899, DIGEST_SHA256), "2020-01-01", false, ALG_ENDED, false, "2019-10-01"},
    {"RSA of 785 bits", "default", SIG(KEY_RSA, 785, DIGEST_SHA256), "2005-01-01", true, ALG_TOO_SMALL, false, "-"},
    {"RSA 4096 PKCS#1 in 2029, strict", "default", SIG(KEY_RSA, 4096, DIGEST_SHA256), "2029-01-01", false, ALG_ENDED, false,
	"2029-01-01"},
    {"RSA 4096 PKCS#1 in 2029, lenient", "default", SIG(KEY_RSA, 4096, DIGEST_SHA256), "2029-01-01", true, ALG_ENDED, true,
	"2029-01-01"},
    {"RSA 4096 PKCS#1 the second before", "default", SIG(KEY_RSA, 4096, DIGEST_SHA256), "2028-12-31T23:59:59Z", false,
	ALG_GOOD, true, "2029-01-01"},
    {"PSS 4096", "default", PSS_MGF(4096, DIGEST_SHA256, DIGEST_SHA256), "2040-01-01", false, ALG_GOOD, true, "open"},
    {"PSS 2048", "default", PSS_MGF(2048, DIGEST_SHA256, DIGEST_SHA256), "2028-01-01", false, ALG_GOOD, true, "2029-01-01"},
    {"PSS 4096, MGF1 not named", "default", PSS_MGF(4096, DIGEST_SHA512, DIGEST_NONE), "2040-01-01", false, ALG_GOOD, true,
	"open"},
    {"PSS 4096, MGF1 SHA-1", "default", PSS_MGF(4096, DIGEST_SHA256, DIGEST_SHA1), "2013-01-01", true, ALG_ENDED, false,
	"2012-08-01"},
    {"PSS 4096, all SHA-1", "default", PSS_MGF(4096, DIGEST_SHA1, DIGEST_SHA1), "2012-01-01", false, ALG_GOOD, true,
	"2012-08-01"},
    {"ECDSA P-256 SHA-1, no suite", "default", SIG(KEY_ECDSA, 256, DIGEST_SHA1), "2012-01-01", false, ALG_GOOD, true,
	"2012-08-01"},
    {"ECDSA P-256", "default", SIG(KEY_ECDSA, 256, DIGEST_SHA256), "2050-01-01", false, ALG_GOOD, true, "open"},
    {"ECDSA P-256 SHA-224", "default", SIG(KEY_ECDSA, 256, DIGEST_SHA224), "2026-01-01", false, ALG_GOOD, true, "2029-01-01"},
    {"ECDSA 224", "default", SIG(KEY_ECDSA, 224, DIGEST_SHA256), "2021-10-01", false, ALG_ENDED, false, "2021-10-01"},
    {"ECDSA 159", "default", SIG(KEY_ECDSA, 159, DIGEST_SHA256), "2001-10-01", false, ALG_TOO_SMALL, false, "-"},
    {"PLAIN-ECDSA 384", "default", SIG(KEY_PLAIN_ECDSA, 384, DIGEST_SHA384), "2026-01-01", false, ALG_GOOD, true, "open"},
    {"DSA 2048/256", "default", DSA_PQ(2048, 256, DIGEST_SHA256), "2026-01-01", false, ALG_GOOD, true, "2029-01-01"},
    {"DSA 3072 with a q of 160: all parameters hold", "default", DSA_PQ(3072, 160, DIGEST_SHA256), "2015-01-01", false,
	ALG_GOOD, true, "2015-12-01"},
    {"DSA 3072/256", "default", DSA_PQ(3072, 256, DIGEST_SHA256), "2050-01-01", false, ALG_GOOD, true, "open"},
    {"Ed25519 by overlay", "default", SIG(KEY_ED25519, 253, DIGEST_NONE), "2050-01-01", false, ALG_GOOD, true, "open"},
    {"Ed448 by overlay", "default", SIG(KEY_ED448, 446, DIGEST_NONE), "2050-01-01", false, ALG_GOOD, true, "open"},
    {"SHA3-224", "default", HASH(DIGEST_SHA3_224), "2020-01-01", true, ALG_UNLISTED, false, "-"},
    {"RSA with SHA3-224", "default", SIG(KEY_RSA, 3072, DIGEST_SHA3_224), "2020-01-01", true, ALG_UNLISTED, false, "-"},
    {"a scheme unknown to this build", "default", SIG(KEY_UNKNOWN, 3072, DIGEST_SHA256), "2020-01-01", true, ALG_UNSUPPORTED,
	false, "-"},
    {"a digest unknown to this build", "default", HASH(DIGEST_NONE), "2020-01-01", true, ALG_UNSUPPORTED, false, "-"},
    {"Ed25519", "dss", SIG(KEY_ED25519, 253, DIGEST_NONE), "2020-01-01", true, ALG_UNLISTED, false, "-"},
    {"SHA3-224", "dss", HASH(DIGEST_SHA3_224), "2020-01-01", true, ALG_UNLISTED, false, "-"},
    {"RSA 786: smaller than that is refused", "dss", SIG(KEY_RSA, 785, DIGEST_SHA256), "2005-01-01", true, ALG_TOO_SMALL, false,
	"-"},
    {"RSA 2048, MD5", "dss", SIG(KEY_RSA, 2048, DIGEST_MD5), "2004-07-31", true, ALG_GOOD, true, "2004-08-01"},
    {"RSA 2048, SHA-256 in 2030 warns", "dss", SIG(KEY_RSA, 2048, DIGEST_SHA256), "2030-01-01", true, ALG_ENDED, true,
	"2029-01-01"},
    {"RSA 3072, SHA-1", "dss", SIG(KEY_RSA, 3072, DIGEST_SHA1), "2013-01-01", true, ALG_ENDED, false, "2012-08-01"},
    {"DSA 3072/160", "dss", DSA_PQ(3072, 160, DIGEST_SHA256), "2026-01-01", true, ALG_GOOD, true, "open"},
    {"ECDSA 521", "dss", SIG(KEY_ECDSA, 521, DIGEST_SHA512), "2026-01-01", true, ALG_GOOD, true, "open"},
};

static void
test_checks(void **state)
{
	struct alg_verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(check_rows) / sizeof(check_rows[0]); i++) {
		const struct catalogue *c = catalogue_builtin(check_rows[i].catalogue);

		catalogue_check(c, &check_rows[i].use, at(check_rows[i].when), check_rows[i].warns, &v);
		if (v.reason != check_rows[i].reason || v.good != check_rows[i].good)
			fail_msg("%s (%s): reason %d, good %d", check_rows[i].name, check_rows[i].catalogue, v.reason, v.good);
		assert_time(v.end_utc, at(check_rows[i].end), check_rows[i].name);
	}
}

static void
test_names(void **state)
{
	struct alg_use pss = PSS_MGF(3072, DIGEST_SHA256, DIGEST_SHA1), ed = SIG(KEY_ED25519, 253, DIGEST_NONE), u;
	const char *oid, *uri;
	char text[96];

	(void)state;
	alg_text(&pss, text, sizeof(text));
	assert_string_equal(text, "RSASSA-PSS 3072 with SHA256 (MGF1 SHA1)");
	alg_text(&ed, text, sizeof(text));
	assert_string_equal(text, "Ed25519");
	assert_true(alg_by_oid("1.2.840.113549.1.1.11", &u));
	assert_true(u.is_signature && u.key == KEY_RSA && u.digest == DIGEST_SHA256);
	assert_true(alg_by_oid("1.2.840.10045.2.1", &u));
	assert_true(u.key == KEY_ECDSA && u.digest == DIGEST_NONE);
	assert_true(alg_by_oid("2.16.840.1.101.3.4.2.1", &u));
	assert_true(!u.is_signature && u.digest == DIGEST_SHA256);
	assert_true(alg_by_uri("http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", &u));
	assert_true(u.key == KEY_RSA_PSS && u.digest == DIGEST_SHA384 && u.mgf == DIGEST_SHA384);
	assert_false(alg_by_oid("2.16.840.1.101.3.4.3.17", &u)); /* ML-DSA-44: this build can't */
	assert_false(alg_by_uri("http://www.w3.org/2001/04/xmlenc#sha384", &u)); /* never defined */
	u = (struct alg_use)SIG(KEY_ECDSA, 0, DIGEST_SHA256);
	alg_ids(&u, &oid, &uri);
	assert_string_equal(oid, "1.2.840.10045.4.3.2");
	assert_string_equal(uri, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256");
}

/* The digests of the built-in catalogues stand in the source; here they are computed from the text they promise. */
static void
test_builtin_digests(void **state)
{
	static const char *const names[] = {"default", "dss"};
	char got[DIGEST_TEXT], want[DIGEST_TEXT];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		const struct catalogue *c = catalogue_builtin(names[i]);
		AUTO(buf) struct buf text = {0};
		struct digest d;
		struct err e = {0};

		catalogue_text(c, &text);
		assert_ok(buf_ok(&text, &e), &e);
		assert_ok(digest_once(DIGEST_SHA256, buf_slice(&text), &d, &e), &e);
		digest_text(&d, got);
		digest_text(catalogue_digest(c), want);
		if (strcmp(got, want) != 0)
			fail_msg("%s: the text has %s, the source says %s\n%s", names[i], got, want, buf_str(&text));
	}
	assert_null(catalogue_builtin("none"));
}

static void
test_effective(void **state)
{
	static const char old_xml[] = HEAD ISSUE("2010-01-01") ALG(SHA1_OID, EVAL("", END("2012-08-01"), ""))
	    ALG(OID("1.2.840.113549.2.5"), EVAL("", "", "")) ALG(SHA256_OID, EVAL("", END("2020-01-01"), "")) TAIL;
	static const char middle_xml[] = HEAD ISSUE("2015-01-01") ALG(SHA256_OID, EVAL("", END("2022-01-01"), "")) TAIL;
	static const char new_xml[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", "", "")) TAIL;
	struct alg_use sha1 = HASH(DIGEST_SHA1), md5 = HASH(DIGEST_MD5), sha256 = HASH(DIGEST_SHA256);
	AUTO(catalogue) struct catalogue *a = read_catalogue(old_xml, NULL), *b = read_catalogue(middle_xml, NULL);
	AUTO(catalogue) struct catalogue *c = read_catalogue(new_xml, NULL), *all = NULL;
	const struct catalogue *list[] = {c, a, b};
	struct err e = {0};

	(void)state;
	assert_ok(catalogue_effective(list, 3, &all, &e), &e);
	assert_time(catalogue_issued(all), at("2025-01-01"), "issued");
	assert_time(catalogue_end(all, &sha1), at("2012-08-01"), "the old end, earlier than the first silence");
	assert_time(catalogue_end(all, &md5), at("2015-01-01"), "open, but the next catalogue lacks it");
	assert_time(catalogue_end(all, &sha256), TIME_MAX, "the newest speaks");
	assert_int_equal(catalogue_effective(list, 0, &all, &e), ERR_USAGE);
}

static void
test_diff(void **state)
{
	static const char later[] = HEAD ISSUE("2033-01-01") ALG(SHA256_OID, EVAL("", END("2035-01-01"), ""))
	    ALG(OID("2.16.840.1.101.3.4.2.10"), EVAL("", "", "")) TAIL;
	static const char now[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", "", "")) ALG(SHA1_OID, EVAL("", END("2012-08-01"), "")) TAIL;
	AUTO(catalogue) struct catalogue *a = read_catalogue(now, NULL), *b = read_catalogue(later, NULL);
	AUTO(buf) struct buf text = {0};

	(void)state;
	catalogue_diff(a, b, &text);
	assert_string_equal(buf_str(&text), "earlier SHA256: open -> 2035-01-01T00:00:00Z\n"
					    "new SHA3-512: - -> open\n"
					    "removed SHA1: 2012-08-01T00:00:00Z -> -\n");
}

static void
test_replaces(void **state)
{
	static const char a_xml[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", "", "")) TAIL;
	static const char b_xml[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", END("2030-01-01"), "")) TAIL;
	AUTO(catalogue) struct catalogue *a = read_catalogue(a_xml, NULL), *again = read_catalogue(a_xml, NULL);
	AUTO(catalogue) struct catalogue *b = read_catalogue(b_xml, NULL);
	int64_t now = at("2026-01-01");
	struct err e = {0};

	(void)state;
	assert_int_equal(catalogue_replaces(a, NULL, now, false, &e), ERR_OK);
	assert_int_equal(catalogue_replaces(a, &cat_default, now, false, &e), ERR_OK);
	assert_int_equal(catalogue_replaces(again, a, now, false, &e), ERR_OK);
	assert_int_equal(catalogue_replaces(b, a, now, false, &e), ERR_REFUSED);
	assert_int_equal(catalogue_replaces(&cat_default, a, now, false, &e), ERR_REFUSED);
	assert_non_null(strstr(e.text, "not newer"));
	assert_int_equal(catalogue_replaces(&cat_default, a, now, true, &e), ERR_OK);
	assert_int_equal(catalogue_replaces(a, &cat_default, at("2024-12-31"), true, &e), ERR_REFUSED);
	assert_non_null(strstr(e.text, "future"));
}

static const struct {
	const char *name, *xml;
	enum err_code code;
} overlay_rows[] = {
    {"an earlier end is free", ALG(SHA256_OID, EVAL("", END("2030-01-01"), "")), ERR_OK},
    {"a later end needs a reason", ALG(SHA1_OID, EVAL("", END("2020-01-01"), "")), ERR_REFUSED},
    {"a later end with its reason", ALG(SHA1_OID, EVAL("", END("2020-01-01"), "") WHY("house rule 7")), ERR_OK},
    {"a new algorithm needs a reason", ALG(OID("2.16.840.1.101.3.4.2.7"), EVAL("", END("2030-01-01"), "")), ERR_REFUSED},
    {"a smaller key needs a reason", ALG(OID("1.2.840.113549.1.1.10"), EVAL(MOD("1024"), END("2029-01-01"), "")), ERR_REFUSED},
    {"the same for large keys only", ALG(OID("1.2.840.113549.1.1.10"), EVAL(MOD("4096"), END("2029-01-01"), "")), ERR_OK},
    {"without a size at all", ALG(OID("1.2.840.113549.1.1.10"), EVAL("", END("2009-01-01"), "")), ERR_REFUSED},
};

static void
test_overlay(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(overlay_rows) / sizeof(overlay_rows[0]); i++) {
		AUTO(buf) struct buf xml = {0};
		AUTO(catalogue) struct catalogue *over = NULL, *c = NULL;
		struct err e = {0};

		buf_addf(&xml, "%s%s%s", HEAD ISSUE("2025-01-01"), overlay_rows[i].xml, TAIL);
		over = read_catalogue(buf_str(&xml), NULL);
		if (catalogue_overlay(&cat_default, over, &c, &e) != overlay_rows[i].code)
			fail_msg("%s: %s", overlay_rows[i].name, e.text);
		assert_true(e.code == ERR_OK || strstr(e.text, "reason") != NULL);
	}
}

static void
test_overlay_reason(void **state)
{
	static const char xml[] = HEAD ISSUE("2025-01-01") ALG(SHA1_OID, EVAL("", END("2020-01-01"), "") WHY("house rule 7")) TAIL;
	struct alg_use sha1 = HASH(DIGEST_SHA1), sha256 = HASH(DIGEST_SHA256), ed = SIG(KEY_ED25519, 253, DIGEST_NONE);
	AUTO(catalogue) struct catalogue *over = read_catalogue(xml, NULL), *c = NULL;
	struct alg_verdict v;
	struct err e = {0};

	(void)state;
	catalogue_check(over, &sha1, at("2019-01-01"), false, &v);
	assert_null(v.overlay_reason); /* an authority's remark is no overlay */
	assert_ok(catalogue_overlay(&cat_default, over, &c, &e), &e);
	catalogue_check(c, &sha1, at("2019-01-01"), false, &v);
	assert_true(v.good);
	assert_string_equal(v.overlay_reason, "house rule 7");
	catalogue_check(c, &sha256, at("2019-01-01"), false, &v);
	assert_null(v.overlay_reason);
	catalogue_check(&cat_default, &ed, at("2019-01-01"), false, &v);
	assert_non_null(strstr(v.overlay_reason, "RFC 8032"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checks),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_builtin_digests),
	    cmocka_unit_test(test_effective),
	    cmocka_unit_test(test_diff),
	    cmocka_unit_test(test_replaces),
	    cmocka_unit_test(test_overlay),
	    cmocka_unit_test(test_overlay_reason),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
