/* SPDX-License-Identifier: MIT */
/* What CRLs say; each differs from a good one by what its row states. And CRLs of others. */
#include "tests/mini_rev.h"

#include <stdio.h>

#define IDP "2.5.29.28=critical,DER:"

static void
crl_rows(void **state)
{
	static const struct {
		const char *name;
		struct crl_spec s;
		const char *leaf_ext;
		enum rev_status status;
		int64_t at;
		int reason;
		bool unsupported;
		const char *problem;
	} rows[] = {
	    {"empty", {0}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"others", {.entries = {{"76", NOW, -1, false}, {"7700", NOW, 1, false}}}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"revoked", {.entries = {{"99", NOW, -1, false}, {"77", NOW - DAY, -1, false}}}, NULL, REV_REVOKED, NOW - DAY, -1, false, NULL},
	    {"reason", {.entries = {{"77", NOW - DAY, 1, false}}}, NULL, REV_REVOKED, NOW - DAY, 1, false, NULL},
	    {"hold", {.entries = {{"77", NOW - DAY, 6, false}}}, NULL, REV_HOLD, NOW - DAY, 6, false, NULL},
	    {"hold, then revoked", {.entries = {{"77", NOW - DAY, 6, false}, {"77", NOW, 1, false}}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"removeFromCRL in a complete one", {.entries = {{"77", NOW, 8, false}}}, NULL, REV_NONE, NOW, 8, false, "removeFromCRL"},
	    {"entry with a critical unknown", {.entries = {{"77", NOW, 6, true}}}, NULL, REV_REVOKED, NOW, 6, false, NULL},
	    {"other entry with a critical unknown", {.entries = {{"78", NOW, 6, true}}}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"negative serial is another", {.entries = {{"-77", NOW, -1, false}}}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"v1", {.v1 = true, .entries = {{"77", NOW, -1, false}}}, NULL, REV_REVOKED, NOW, -1, false, NULL},
	    {"no nextUpdate", {.next_update = TIME_NONE}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"SHA-1", {.digest = "SHA1"}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"delta", {.ext = {"2.5.29.27=critical,DER:020101"}}, NULL, REV_NONE, TIME_NONE, -1, true, "delta"},
	    {"indirect", {.ext = {IDP "30038401ff"}}, NULL, REV_NONE, TIME_NONE, -1, true, "indirect"},
	    {"some reasons", {.ext = {IDP "300483020640"}}, NULL, REV_NONE, TIME_NONE, -1, true, "some reasons"},
	    {"only attributes", {.ext = {IDP "30038501ff"}}, NULL, REV_NONE, TIME_NONE, -1, true, "attribute"},
	    {"only users", {.ext = {IDP "30038101ff"}}, "crlDistributionPoints=URI:http://c.test/1", REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"only CAs", {.ext = {IDP "30038201ff"}}, NULL, REV_NONE, TIME_NONE, -1, false, "for CAs only"},
	    {"bad IDP", {.ext = {IDP "0500"}}, NULL, REV_NONE, TIME_NONE, -1, false, "can't be read"},
	    /* 30 13 a0 11 a0 0f 86 0d "http://c.test" */
	    {"point named", {.ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, "crlDistributionPoints=URI:http://x.test,URI:http://c.test", REV_GOOD, TIME_NONE, -1, false, NULL},
	    {"other point", {.ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, "crlDistributionPoints=URI:http://d.test", REV_NONE, TIME_NONE, -1, false, "another distribution point"},
	    {"point, none named", {.ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, NULL, REV_NONE, TIME_NONE, -1, false, "names none"},
	    /* who is listed is revoked, whatever the list leaves out */
	    {"listed: point, none named", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: other point", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, "crlDistributionPoints=URI:http://d.test", REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: delta", {.entries = {{"77", NOW, 1, false}}, .ext = {"2.5.29.27=critical,DER:020101"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: delta, held", {.entries = {{"77", NOW, 6, false}}, .ext = {"2.5.29.27=critical,DER:020101"}}, NULL, REV_HOLD, NOW, 6, false, NULL},
	    {"listed: some reasons", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "300483020640"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: only attributes", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "30038501ff"}}, NULL, REV_NONE, TIME_NONE, -1, true, "attribute"},
	    {"listed: only CAs", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "30038201ff"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: bad IDP", {.entries = {{"77", NOW, 1, false}}, .ext = {IDP "0500"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"listed: critical unknown", {.entries = {{"77", NOW, 1, false}}, .ext = {"1.3.6.1.4.1.99999.1=critical,DER:0500"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"indirect, the CA's own first", {.entries = {{"77", NOW, 1, false}, {"78", NOW, 1, false, "Other"}}, .ext = {IDP "30038401ff"}}, NULL, REV_REVOKED, NOW, 1, false, NULL},
	    {"indirect, the serial of another issuer", {.entries = {{"78", NOW, 1, false, "Other"}, {"77", NOW, 1, false}}, .ext = {IDP "30038401ff"}}, NULL, REV_NONE, TIME_NONE, -1, true, "indirect"},
	    {"indirect, the CA named again", {.entries = {{"78", NOW, 1, false, "Other"}, {"77", NOW, 6, false, "CA"}}, .ext = {IDP "30038401ff"}}, NULL, REV_HOLD, NOW, 6, false, NULL},
	    {"indirect unsaid", {.entries = {{"78", NOW, 1, false, "Other"}, {"77", NOW, 1, false}}}, NULL, REV_NONE, TIME_NONE, -1, true, "indirect"},
	    {"critical unknown", {.ext = {"1.3.6.1.4.1.99999.1=critical,DER:0500"}}, NULL, REV_NONE, TIME_NONE, -1, false, "unknown critical"},
	    {"unknown", {.ext = {"1.3.6.1.4.1.99999.1=DER:0500"}}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = house_new();
		struct crl_spec s = rows[i].s;
		const struct rev_answer *a;

		house_fill(&h, rows[i].leaf_ext);
		s.issuer = &h.ca;
		a = ask_alone(&h, crl_make(h.p, s));
		if (a == NULL || h.n != 1)
			fail_msg("%s: %zu answers", rows[i].name, h.n);
		if (a->status != rows[i].status || a->revoked_at != rows[i].at || a->reason != rows[i].reason ||
		    a->unsupported != rows[i].unsupported)
			fail_msg("%s: status %d reason %d unsupported %d (%s)", rows[i].name, a->status, a->reason, a->unsupported, a->problem);
		if ((a->problem == NULL) != (rows[i].problem == NULL) || (a->problem != NULL && strstr(a->problem, rows[i].problem) == NULL))
			fail_msg("%s: %s", rows[i].name, a->problem);
		if (a->problem == NULL && (a->signer != h.ca.cert || !a->signer_is_issuer || a->signed_with.key_bits != 256 ||
		    a->this_update != NOW || a->produced_at != NOW ||
		    a->next_update != (s.next_update == TIME_NONE ? TIME_NONE : NOW + 30 * DAY)))
			fail_msg("%s: signer or times", rows[i].name);
	}
}

static void
crl_issuers(void **state)
{
	AUTO(house) struct house h = house_new();
	struct err e = {0};
	const struct rev_answer *a;
	const struct revocation *r;

	(void)state;
	house_fill(&h, NULL);
	AUTO(who) struct who rekeyed = mini_cert(h.p, (struct spec){.name = "CA", .issuer = &h.root, .key = "p256", .ca = true, .serial = 9, .ext = {NULL}});
	AUTO(who) struct who no_sign = mini_cert(h.p, (struct spec){.name = "CA", .issuer = &h.root, .key = "p256", .serial = 10, .ext = {"keyUsage=keyCertSign", NULL}});
	AUTO(who) struct who other = mini_cert(h.p, (struct spec){.name = "Other", .issuer = &h.root, .key = "p256", .ca = true, .ext = {NULL}});

	/* another CA's list does not concern the leaf */
	assert_null(ask_alone(&h, crl_make(h.p, (struct crl_spec){.issuer = &other})));
	/* the CA's new key: only once its certificate is known */
	r = crl_make(h.p, (struct crl_spec){.issuer = &rekeyed, .ext = {"authorityKeyIdentifier=keyid"}});
	a = ask_alone(&h, r);
	assert_non_null(a);
	assert_null(a->signer);
	assert_non_null(strstr(a->problem, "verifies its signature"));
	OK(pool_add_cert(&h.pool, rekeyed.cert, &e));
	a = ask(&h, h.leaf.cert, h.ca.cert);
	assert_null(a->problem);
	assert_ptr_equal(a->signer, rekeyed.cert);
	assert_false(a->signer_is_issuer);
	assert_int_equal(a->status, REV_GOOD);
	/* keyUsage without cRLSign */
	r = crl_make(h.p, (struct crl_spec){.issuer = &no_sign});
	pool_release(&h.pool);
	OK(pool_add_rev(&h.pool, r, &e));
	OK(pool_add_cert(&h.pool, no_sign.cert, &e));
	a = ask(&h, h.leaf.cert, h.ca.cert);
	assert_non_null(strstr(a->problem, "cRLSign"));
	assert_int_equal(a->status, REV_NONE);
	/* right name, wrong key */
	a = ask_alone(&h, crl_make(h.p, (struct crl_spec){.issuer = &h.ca, .key = other.key}));
	assert_non_null(a->problem);
}

static void
crl_many_entries(void **state)
{
	enum { N = 20000 };
	AUTO(house) struct house h = house_new();
	AUTO(buf) struct buf list = {0}, tbs = {0}, whole = {0}, alg = {0};
	const struct revocation *r;
	struct err e = {0};
	size_t i, at;
	uint8_t serial[20];

	(void)state;
	house_fill(&h, NULL);
	/* descending serials of 1, 2 and 20 octets, so that the index has to sort */
	for (i = N; i-- > 0;) {
		AUTO(buf) struct buf one = {0};

		memset(serial, 0x11, sizeof(serial));
		serial[18] = (uint8_t)(i >> 8);
		serial[19] = (uint8_t)i;
		ber_put(&one, BER_INTEGER, i < 100 ? slice_of(serial + 19, 1) : slice_of(serial, 20));
		ber_put(&one, BER_UTC_TIME, slice_str("260101000000Z"));
		ber_put_buf(&list, BER_SEQUENCE, &one);
	}
	ber_put_oid(&alg, "1.2.840.10045.4.3.2");
	ber_put(&tbs, BER_INTEGER, slice_of("\1", 1));
	ber_put_buf(&tbs, BER_SEQUENCE, &alg);
	buf_addslice(&tbs, h.ca.cert->subject);
	ber_put(&tbs, BER_UTC_TIME, slice_str("260101000000Z"));
	ber_put_buf(&tbs, BER_SEQUENCE, &list);
	ber_put_buf(&whole, BER_SEQUENCE, &tbs);
	ber_put_buf(&whole, BER_SEQUENCE, &alg);
	ber_put(&whole, BER_BIT_STRING, slice_of("\0\1\2", 3));
	buf_clear(&tbs);
	ber_put_buf(&tbs, BER_SEQUENCE, &whole);
	OK(pki_crl(h.p, buf_slice(&tbs), &r, &e));
	assert_int_equal(r->n_entries, N);
	for (i = 0; i < N; i++) {
		serial[18] = (uint8_t)(i >> 8);
		serial[19] = (uint8_t)i;
		assert_non_null(crl_find(rev_priv(r), i < 100 ? slice_of(serial + 19, 1) : slice_of(serial, 20)));
	}
	for (at = 0; at < 100; at++) {
		serial[18] = 0;
		serial[19] = (uint8_t)at;
		assert_null(crl_find(rev_priv(r), slice_of(serial, 20)));
	}
}

static void
crl_mutations(void **state)
{
	AUTO(house) struct house h = house_new();
	const struct revocation *r, *m;
	const struct rev_answer *a;
	struct err e = {0};
	size_t i;

	(void)state;
	house_fill(&h, NULL);
	r = crl_make(h.p, (struct crl_spec){.issuer = &h.ca, .entries = {{"77", NOW, 1, false}}, .ext = {"2.5.29.20=DER:020105"}});
	for (i = 0; i < r->der.n; i++) {
		AUTO(mem) uint8_t *prefix = malloc(i + 1);

		memcpy(prefix, r->der.p, i);
		assert_int_equal(pki_crl(h.p, slice_of(prefix, i), &m, &e), ERR_FORMAT);
	}
	for (i = 0; i < r->der.n * 8; i++) {
		AUTO(mem) uint8_t *copy = malloc(r->der.n);

		memcpy(copy, r->der.p, r->der.n);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (pki_crl(h.p, slice_of(copy, r->der.n), &m, &e) != ERR_OK)
			continue;
		a = ask_alone(&h, m);
		if (a != NULL && a->problem == NULL)
			fail_msg("bit %zu flipped, still used", i);
	}
}

/* ---- CRLs of others ---- */

static bool
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char block[4096];
	size_t n;

	if (f == NULL)
		return false;
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, block, n);
	fclose(f);
	return true;
}

/*
 * The whole check of one CRL against its issuer's certificate: a leaf is made under the issuer's name, and the CRL is
 * asked about it.
 */
static bool
crl_holds(struct pki *p, const struct revocation *r, const struct cert *issuer)
{
	struct pool pool;
	AUTO(mem) struct rev_answer *answers = NULL;
	EVP_PKEY *key = mini_key("p256");
	struct who as = {.key = key, .x509 = pki_x509(issuer)};
	AUTO(who) struct who leaf = mini_cert(p, (struct spec){.name = "probe", .issuer = &as, .key = "p256", .ext = {NULL}});
	struct err e = {0};
	size_t n;
	bool holds;

	EVP_PKEY_free(key);
	pool_init(&pool, p);
	OK(pool_add_rev(&pool, r, &e));
	OK(pool_answers(&pool, leaf.cert, issuer, &answers, &n, &e));
	holds = n == 1 && answers[0].signer == issuer && (answers[0].problem == NULL || strstr(answers[0].problem, "(RFC 5280 6.3.3 (b)") != NULL);
	pool_release(&pool);
	return holds;
}

static void
corpus_row(struct pki *p, const char *dir, const char *path, const char *anchor, const char *valid)
{
	AUTO(buf) struct buf file = {0}, der = {0}, cert = {0}, cert_der = {0};
	AUTO(mem) char *name = mem_printf("%s/%s", dir, path), *issuer_name = mem_printf("%s/%s", dir, anchor);
	const struct revocation *r;
	const struct cert *issuer;
	struct err e = {0};

	assert_true(read_file(name, &file));
	if (pki_pem_to_der(buf_slice(&file), "X509 CRL", &der, &e) != ERR_OK || pki_crl(p, buf_slice(&der), &r, &e) != ERR_OK) {
		if (strcmp(valid, "false") != 0) /* octets follow the one that "loops": refused is not valid */
			fail_msg("%s: %s", path, e.text);
		return;
	}
	if (strcmp(anchor, "-") == 0)
		return;
	assert_true(read_file(issuer_name, &cert));
	OK(pki_pem_to_der(buf_slice(&cert), "CERTIFICATE", &cert_der, &e));
	OK(pki_cert(p, buf_slice(&cert_der), &issuer, &e));
	if (strcmp(valid, "?") != 0 && crl_holds(p, r, issuer) != (strcmp(valid, "true") == 0))
		fail_msg("%s under %s: not %s", path, anchor, valid);
}

static const struct revocation *
corpus_crl(struct pki *p, const char *dir, const char *file)
{
	AUTO(mem) char *name = mem_printf("%s/crl/dss/dss-crl-parser/%s", dir, file);
	AUTO(buf) struct buf raw = {0}, der = {0};
	const struct revocation *r;
	struct err e = {0};

	assert_true(read_file(name, &raw));
	OK(pki_pem_to_der(buf_slice(&raw), "X509 CRL", &der, &e));
	OK(pki_crl(p, buf_slice(&der), &r, &e));
	return r;
}

static void
corpus_facts(struct pki *p, const char *dir)
{
	/* 288350169419475868349393253038503091234 */
	static const uint8_t serial[] = {0x00, 0xd8, 0xee, 0x38, 0xfa, 0xb3, 0xbb, 0x5b, 0x74, 0x4c, 0x35, 0xfd, 0x49, 0xcf, 0xa5, 0xdc, 0x22};
	const struct revocation *r = corpus_crl(p, dir, "http___crl.globalsign.com_gs_gspersonalsign2sha2g2.crl");

	assert_non_null(crl_find(rev_priv(r), slice_of(serial, sizeof(serial))));
	assert_int_not_equal(corpus_crl(p, dir, "crl_with_expiredCertsOnCRL_extension.crl")->expired_certs_on_crl, TIME_NONE);
	assert_int_equal(corpus_crl(p, dir, "crl-expiredCertsOnCRL-UTCTime.crl")->expired_certs_on_crl, TIME_NONE);
	r = corpus_crl(p, dir, "root_issued_CRL.crl");
	assert_true(slice_eq(r->crl_number, slice_of("\5", 1)));
	assert_int_equal(rev_priv(r)->scheme.key, KEY_RSA_PSS);
}

static void
crl_corpus(void **state)
{
	const char *shared = getenv("EVERSEAL_SHARED");
	char line[8192], *field[9], *at, dir[300], manifest[320]; /* on the stack: a skip jumps out */
	struct pki *p = NULL;
	struct err e = {0};
	size_t rows = 0, n;
	FILE *f;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/corpus", shared != NULL ? shared : "../shared");
	snprintf(manifest, sizeof(manifest), "%s/manifest.tsv", dir);
	f = fopen(manifest, "r");
	if (f == NULL) {
		print_message("no corpus at %s\n", dir);
		skip();
	}
	OK(pki_new(&p, &e));
	while (fgets(line, sizeof(line), f) != NULL) {
		for (n = 0, at = line; n < 9; n++)
			field[n] = strsep(&at, "\t");
		if (field[1] == NULL || strcmp(field[1], "crl") != 0)
			continue;
		corpus_row(p, dir, field[0], field[4], field[7]);
		rows++;
	}
	fclose(f);
	corpus_facts(p, dir);
	pki_free(p);
	print_message("%zu rows\n", rows);
	assert_true(rows >= 22);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(crl_rows),
	    cmocka_unit_test(crl_issuers),
	    cmocka_unit_test(crl_many_entries),
	    cmocka_unit_test(crl_mutations),
	    cmocka_unit_test(crl_corpus),
	};

	return cmocka_run_group_tests_name("crl", tests, NULL, NULL);
}
