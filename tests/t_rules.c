/* SPDX-License-Identifier: MIT */
/* Verification policies, policy files, trust anchors. */
#include "tests/kit.h"
#include "policy/policy.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- policies ---- */

/* Every level of every policy, as text: a change of a rule must be seen in a diff. REGOLD=1 writes it anew. */
static void
test_golden(void **state)
{
	static const char *const names[] = {"default", "dss", "dss-lenient"};
	AUTO(buf) struct buf text = {0}, golden = {0};
	struct vpolicy p;
	struct err e = {0};
	char d[DIGEST_TEXT];
	FILE *f;
	int i, c;

	(void)state;
	for (i = 0; i < 3; i++) {
		OK(vpolicy_builtin(names[i], NULL, &p, &e));
		vpolicy_text(&p, &text);
		digest_text(&p.digest, d);
		buf_addf(&text, "digest %s\n\n", d);
	}
	if (getenv("REGOLD") != NULL) {
		f = fopen("tests/golden/policies.txt", "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
		fclose(f);
	}
	f = fopen("tests/golden/policies.txt", "rb");
	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_add8(&golden, (unsigned)c);
	fclose(f);
	assert_string_equal(buf_str(&text), buf_str(&golden));
}

static const struct {
	const char *policy;
	enum check check;
	enum check_context context;
	enum cert_position position;
	enum check_level level;
} level_rows[] = {
    {"dss", CHECK_REVOCATION_DATA_AVAILABLE, CTX_TIMESTAMP, POS_SIGNING, LEVEL_FAIL},
    {"dss", CHECK_REVOCATION_DATA_AVAILABLE, CTX_TIMESTAMP, POS_CA, LEVEL_WARN},
    {"dss", CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND, CTX_TIMESTAMP, POS_SIGNING, LEVEL_FAIL},
    {"dss", CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND, CTX_TIMESTAMP, POS_CA, LEVEL_WARN},
    {"dss", CHECK_REVOCATION_DATA_AVAILABLE, CTX_REVOCATION, POS_SIGNING, LEVEL_FAIL},
    {"dss", CHECK_REVOCATION_DATA_AVAILABLE, CTX_REVOCATION, POS_CA, LEVEL_WARN},
    {"dss", CHECK_REVOCATION_DATA_AVAILABLE, CTX_SIGNATURE, POS_CA, LEVEL_FAIL},
    {"dss", CHECK_KEY_USAGE, CTX_SIGNATURE, POS_SIGNING, LEVEL_WARN},
    {"dss", CHECK_OCSP_DELEGATE_EKU, CTX_REVOCATION, POS_SIGNING, LEVEL_WARN},
    {"dss", CHECK_CA_VALIDITY, CTX_SIGNATURE, POS_CA, LEVEL_IGNORE},
    {"dss-lenient", CHECK_REVOCATION_DATA_AVAILABLE, CTX_SIGNATURE, POS_SIGNING, LEVEL_WARN},
    {"dss-lenient", CHECK_REVOCATION_DATA_AVAILABLE, CTX_REVOCATION, POS_SIGNING, LEVEL_WARN},
    {"dss-lenient", CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND, CTX_COUNTER, POS_CA, LEVEL_WARN},
    {"dss-lenient", CHECK_SIGNING_TIME_IN_CERT_RANGE, CTX_SIGNATURE, POS_SIGNING, LEVEL_FAIL},
    {"default", CHECK_OCSP_DELEGATE_EKU, CTX_REVOCATION, POS_SIGNING, LEVEL_FAIL},
    {"default", CHECK_UNKNOWN_CRITICAL_EXTENSION, CTX_SIGNATURE, POS_CA, LEVEL_FAIL},
    {"default", CHECK_NAME_CONSTRAINTS, CTX_SIGNATURE, POS_SIGNING, LEVEL_FAIL},
    {"default", CHECK_CA_VALIDITY, CTX_TIMESTAMP, POS_CA, LEVEL_FAIL},
};

static void
test_levels(void **state)
{
	struct vpolicy p;
	struct err e = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(level_rows) / sizeof(level_rows[0]); i++) {
		OK(vpolicy_builtin(level_rows[i].policy, NULL, &p, &e));
		if (p.level[level_rows[i].check][level_rows[i].context][level_rows[i].position] != level_rows[i].level)
			fail_msg("%s %s %s %s", level_rows[i].policy, check_name(level_rows[i].check),
			    check_context_name(level_rows[i].context), cert_position_name(level_rows[i].position));
	}
}

static void
test_builtin(void **state)
{
	const struct catalogue *dss = catalogue_builtin("dss");
	struct vpolicy p, q;
	struct err e = {0};

	(void)state;
	OK(vpolicy_builtin("default", NULL, &p, &e));
	assert_ptr_equal(p.catalogue, catalogue_builtin("default"));
	assert_true(p.after_update_warns);
	assert_false(p.sliding_strict);
	OK(vpolicy_builtin("default", dss, &q, &e));
	assert_ptr_equal(q.catalogue, dss);
	assert_false(digest_eq(&p.digest, &q.digest)); /* another catalogue is another policy */
	OK(vpolicy_builtin("dss-lenient", NULL, &p, &e));
	assert_ptr_equal(p.catalogue, dss);
	FAILS(ERR_NOTFOUND, vpolicy_builtin("strict", NULL, &p, &e));
	SAYS("dss-lenient");
}

static void
test_with(void **state)
{
	struct vpolicy p, strict, plain;
	struct err e = {0};

	(void)state;
	OK(vpolicy_builtin("dss", NULL, &p, &e));
	plain = strict = p;
	OK(vpolicy_with(&plain, NULL, false, &e));
	assert_true(digest_eq(&p.digest, &plain.digest));
	OK(vpolicy_with(&strict, NULL, true, &e));
	assert_true(strict.sliding_strict);
	assert_false(digest_eq(&p.digest, &strict.digest));
	OK(vpolicy_with(&plain, catalogue_builtin("default"), false, &e));
	assert_ptr_equal(plain.catalogue, catalogue_builtin("default"));
	assert_false(digest_eq(&p.digest, &plain.digest));
}

static void
test_read(void **state)
{
	static const char text[] = "# house rules\n\nbase = dss\nname = house\nafter_update = fail\nsliding_freshness = strict\n"
				   "key-usage = fail\nname-constraints signature = fail\nca-validity timestamp ca = inform # why not\n"
				   "crl-next-update ca = ignore\n";
	struct vpolicy p, base;
	struct err e = {0};
	int x;

	(void)state;
	OK(vpolicy_builtin("dss", NULL, &base, &e));
	OK(vpolicy_read(slice_str(text), "house.policy", &p, &e));
	assert_string_equal(p.name, "house");
	assert_false(p.after_update_warns);
	assert_true(p.sliding_strict);
	for (x = 0; x < CTX_COUNT; x++) {
		assert_int_equal(p.level[CHECK_KEY_USAGE][x][POS_SIGNING], LEVEL_FAIL);
		assert_int_equal(p.level[CHECK_NAME_CONSTRAINTS][x][POS_CA], x == CTX_SIGNATURE ? LEVEL_FAIL : LEVEL_WARN);
		assert_int_equal(p.level[CHECK_CA_VALIDITY][x][POS_CA], x == CTX_TIMESTAMP ? LEVEL_INFORM : LEVEL_IGNORE);
		assert_int_equal(p.level[CHECK_CRL_NEXT_UPDATE][x][POS_CA], LEVEL_IGNORE);
		assert_int_equal(p.level[CHECK_CRL_NEXT_UPDATE][x][POS_SIGNING], LEVEL_WARN);
	}
	assert_int_equal(p.level[CHECK_TSA_EKU][CTX_TIMESTAMP][POS_SIGNING], base.level[CHECK_TSA_EKU][CTX_TIMESTAMP][POS_SIGNING]);
	assert_false(digest_eq(&p.digest, &base.digest));
}

static const struct {
	const char *name, *text, *words;
} policy_faults[] = {
    {"empty", "", "x.policy:1: the first line is base"},
    {"no base", "\nkey-usage = fail\n", "x.policy:2: the first line is base"},
    {"base unknown", "\nbase = eidas\n", "x.policy:2: no policy named eidas"},
    {"base twice", "base = dss\nbase = dss\n", "x.policy:2: base: base stands once, first"},
    {"unknown check", "base = dss\nkeyusage = fail\n", "x.policy:2: keyusage: unknown check or key"},
    {"unknown level", "base = dss\nkey-usage = error\n", "the level is fail, warn, inform or ignore"},
    {"unknown context", "base = dss\nkey-usage stamps = fail\n", "a context, then a position"},
    {"position before context", "base = dss\nkey-usage ca timestamp = fail\n", "a context, then a position"},
    {"two contexts", "base = dss\nkey-usage timestamp revocation = fail\n", "a context, then a position"},
    {"section", "base = dss\n[net]\n", "x.policy:2: net: no sections here"},
    {"no key", "base = dss\nhello\n", "x.policy:2: : neither"},
    {"after_update", "base = dss\nafter_update = no\n", "warn or fail"},
    {"sliding", "base = dss\nsliding_freshness = no\n", "strict or ignore"},
    {"name of a built-in one", "base = dss\nkey-usage = ignore\nname = default\n", "x.policy:3: name: the name of a built-in policy"},
    {"long name", "base = dss\nname = 012345678901234567890123456789012345678901234567\n", "1 to 47 octets"},
};

static void
test_policy_faults(void **state)
{
	struct vpolicy p;
	struct err e = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(policy_faults) / sizeof(policy_faults[0]); i++) {
		if (vpolicy_read(slice_str(policy_faults[i].text), "x.policy", &p, &e) != ERR_USAGE)
			fail_msg("%s: taken", policy_faults[i].name);
		SAYS(policy_faults[i].words);
	}
	assert_int_equal(vpolicy_read(slice_str("x"), "x.policy", &p, NULL), ERR_USAGE);
}

/* ---- anchors ---- */

static void
pkey_auto(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void
x509_auto(X509 **x)
{
	X509_free(*x);
}

/* A self-signed certificate; its name tells the serial. */
static void
make_cert(long serial, struct buf *der, struct buf *pem)
{
	AUTO(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	AUTO(x509) X509 *x = X509_new();
	unsigned char *raw = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int len;

	assert_true(key != NULL && x != NULL && bio != NULL);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	ASN1_TIME_set(X509_getm_notBefore(x), 0);
	ASN1_TIME_set(X509_getm_notAfter(x), 2000000000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"anchor", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	len = i2d_X509(x, &raw);
	assert_true(len > 0);
	buf_add(der, raw, (size_t)len);
	OPENSSL_free(raw);
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &text);
	buf_add(pem, text, (size_t)n);
	BIO_free(bio);
}

static void
test_anchors(void **state)
{
	struct buf der[3] = {{0}}, pem[3] = {{0}};
	AUTO(buf) struct buf all = {0};
	AUTO(anchors) struct anchors *a = NULL, *b = NULL;
	const struct anchor *one;
	uint8_t sha[32];
	struct digest d, same;
	struct err e = {0};
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		make_cert(i + 1, &der[i], &pem[i]);
	OK(anchors_new(&a, &e));
	OK(anchors_new(&b, &e));
	buf_adds(&all, "three anchors\n");
	for (i = 0; i < 3; i++)
		buf_addslice(&all, buf_slice(&pem[i]));
	OK(anchors_add(a, buf_slice(&all), ROLE_TSA, TIME_MAX, "all.pem", &e));
	assert_int_equal(anchors_count(a), 3);
	for (i = 0; i < 2; i++)
		assert_true(memcmp(anchors_at(a, (size_t)i)->sha256, anchors_at(a, (size_t)i + 1)->sha256, 32) < 0);
	assert_null(anchors_at(a, 3));
	/* The same in another order, as DER, is the same set. */
	for (i = 2; i >= 0; i--)
		OK(anchors_add(b, buf_slice(&der[i]), ROLE_TSA, TIME_MAX, "x.der", &e));
	OK(anchors_digest(a, &d, &e));
	OK(anchors_digest(b, &same, &e));
	assert_true(digest_eq(&d, &same));
	/* Again: roles add up, the earlier sunset stays. */
	OK(anchors_add(a, buf_slice(&der[1]), ROLE_SIGNER, 1000, "again", &e));
	OK(anchors_add(a, buf_slice(&der[1]), ROLE_SIGNER, 2000, "again", &e));
	assert_int_equal(anchors_count(a), 3);
	OK(digest_sha256(buf_slice(&der[1]), sha, &e));
	one = anchors_find(a, sha);
	assert_non_null(one);
	assert_int_equal(one->roles, ROLE_TSA | ROLE_SIGNER);
	assert_int_equal(one->sunset_utc, 1000);
	assert_string_equal(one->name, "all.pem");
	SAME(one->der, buf_slice(&der[1]));
	OK(anchors_digest(a, &same, &e));
	assert_false(digest_eq(&d, &same));
	sha[0] ^= 1;
	assert_null(anchors_find(a, sha));
	for (i = 0; i < 3; i++) {
		buf_release(&der[i]);
		buf_release(&pem[i]);
	}
}

static void
no_anchor(struct slice in, const char *what, void *ctx)
{
	struct anchors *a = ctx;
	struct err e = {0};

	(void)what;
	FAILS(ERR_FORMAT, anchors_add(a, in, ROLE_ALL, TIME_MAX, "spoiled", &e));
	assert_int_equal(anchors_count(a), 0);
}

static void
test_no_anchors(void **state)
{
	AUTO(buf) struct buf der = {0}, pem = {0};
	AUTO(anchors) struct anchors *a = NULL;
	struct err e = {0};

	(void)state;
	make_cert(1, &der, &pem);
	OK(anchors_new(&a, &e));
	kit_each_prefix(buf_slice(&der), no_anchor, a);
	buf_add8(&der, 0);
	no_anchor(buf_slice(&der), "one octet more", a);
	no_anchor(slice_str("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "a key", a);
	no_anchor(slice_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "no certificate", a);
	FAILS(ERR_USAGE, anchors_add(a, buf_slice(&pem), 0, TIME_MAX, "x.pem", &e));
	SAYS("x.pem");
}

/* OpenSSL's own reading is the measure of what a certificate is. */
static void
as_openssl(struct slice in, const char *what, void *ctx)
{
	AUTO(anchors) struct anchors *a = NULL;
	const unsigned char *p = in.p;
	X509 *x = d2i_X509(NULL, &p, (long)in.n);
	struct err e = {0};
	bool is = x != NULL && p == in.p + in.n;

	(void)ctx;
	X509_free(x);
	OK(anchors_new(&a, &e));
	kit_expect(is ? ERR_OK : ERR_FORMAT, anchors_add(a, in, ROLE_ALL, TIME_MAX, "spoiled", &e), &e, what, __FILE__, __LINE__);
}

static void
test_certificates(void **state)
{
	AUTO(buf) struct buf der = {0}, pem = {0};

	(void)state;
	make_cert(1, &der, &pem);
	as_openssl(buf_slice(&der), "whole", NULL);
	kit_each_bit_flip(buf_slice(&der), as_openssl, NULL);
}

/* A bundle of which one block is damaged is refused: the anchors behind it would be missing unsaid. */
static void
test_damaged_bundle(void **state)
{
	struct buf der[2] = {{0}}, pem[2] = {{0}};
	AUTO(buf) struct buf both = {0};
	AUTO(anchors) struct anchors *a = NULL;
	struct err e = {0};
	size_t cut, i;

	(void)state;
	for (i = 0; i < 2; i++)
		make_cert((long)i + 1, &der[i], &pem[i]);
	OK(anchors_new(&a, &e));
	for (cut = 30; cut < pem[1].n - 2; cut += 37) {
		both.n = 0;
		buf_addslice(&both, buf_slice(&pem[0]));
		buf_add(&both, pem[1].p, cut);
		FAILS(ERR_FORMAT, anchors_add(a, buf_slice(&both), ROLE_ALL, TIME_MAX, "two.pem", &e));
		SAYS("PEM block 2");
	}
	both.n = 0;
	buf_addslice(&both, buf_slice(&pem[0]));
	buf_addslice(&both, buf_slice(&pem[1]));
	both.p[pem[0].n + 100] = '!';
	FAILS(ERR_FORMAT, anchors_add(a, buf_slice(&both), ROLE_ALL, TIME_MAX, "two.pem", &e));
	for (i = 0; i < 2; i++) {
		buf_release(&der[i]);
		buf_release(&pem[i]);
	}
}

static void
test_describe(void **state)
{
	AUTO(buf) struct buf der = {0}, pem = {0}, file = {0};
	AUTO(anchors) struct anchors *a = NULL;
	AUTO(anchor_facts) struct anchor_facts f = {0};
	struct err e = {0};

	(void)state;
	make_cert(1, &der, &pem);
	buf_adds(&file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	buf_addslice(&file, buf_slice(&pem));
	OK(anchors_new(&a, &e));
	OK(anchors_add(a, buf_slice(&file), ROLE_ALL, TIME_MAX, "with its key.pem", &e));
	OK(anchor_describe(anchors_at(a, 0), &f, &e));
	assert_string_equal(buf_str(&f.subject), "CN=anchor");
	SAME(buf_slice(&f.pem), buf_slice(&pem)); /* and nothing of the key */
	assert_true(f.is_ca); /* version 1, signed by itself */
	assert_int_equal(f.not_after_utc, 2000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_builtin),
	    cmocka_unit_test(test_with),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_policy_faults),
	    cmocka_unit_test(test_anchors),
	    cmocka_unit_test(test_no_anchors),
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_damaged_bundle),
	    cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
