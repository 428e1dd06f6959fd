/* SPDX-License-Identifier: MIT */
/* What time-stamp tokens say and who signed them; each is off by what its row states. */
#include "tests/mini_token.h"

static struct token_signer
signer_of(struct house *h, const struct token *t)
{
	struct token_signer s;
	struct err e = {0};

	OK(pool_token_signer(&h->pool, t, &s, &e));
	return s;
}

static bool
openssl_verifies(struct slice der)
{
	const uint8_t *p = der.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
	bool ok = cms != NULL && CMS_verify(cms, NULL, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1;

	CMS_ContentInfo_free(cms);
	return ok;
}

static void
good_token_facts(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t, *again;
	struct token_signer s;
	struct digest imprint;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){0});
	token_make(&der, (struct token_spec){.tsa = &h.tsa, .nonce = slice_of("\1\2\3\4\5\6\7\x08", 8)});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_int_equal(t->gen_time, NOW);
	assert_int_equal(t->gen_micros, 0);
	assert_string_equal(t->policy_oid, "1.2.3.4");
	OK(digest_once(DIGEST_SHA256, slice_str("doc-1"), &imprint, &e));
	assert_true(digest_eq(&imprint, &t->imprint));
	assert_true(slice_eq(t->nonce, slice_of("\1\2\3\4\5\6\7\x08", 8)));
	assert_int_equal(t->serial.n, 20);
	assert_int_equal(t->n_certs, 1);
	assert_ptr_equal(t->certs[0], h.tsa.cert);
	assert_true(t->signer_infos == 1 && !t->has_ess_v1 && t->has_ess_v2 && !t->was_response && !t->bad_time_form && !t->unknown_critical);
	assert_int_equal(t->accuracy_micros, -1);
	s = signer_of(&h, t);
	assert_int_equal(s.problem, TOKEN_OK);
	assert_ptr_equal(s.cert, h.tsa.cert);
	assert_true(s.ess_match && s.ess_serial_match && s.tsa_name_match && s.ess_digest == DIGEST_SHA256);
	assert_true(s.signed_with.key == KEY_ECDSA && s.signed_with.digest == DIGEST_SHA256 && s.signed_with.key_bits == 256 &&
	    s.signed_with.usage == USE_TIMESTAMPS);
	assert_true(openssl_verifies(buf_slice(&der)));
	OK(pki_token(h.p, buf_slice(&der), &again, &e));
	assert_ptr_equal(t, again);
	OK(pool_add_token(&h.pool, t, &e));
	assert_ptr_equal(pool_find_cert(&h.pool, h.tsa.cert->sha256), h.tsa.cert);
	assert_null(pool_find_cert(&h.pool, h.ca.cert->sha256));
}

static void
signer_rows(void **state)
{
	static const struct {
		const char *name;
		enum flaw flaw;
		enum token_problem want;
		bool ess, serial, unsorted;
	} rows[] = {
	    {"no ESSCertID", NO_ESS, TOKEN_OK, false, true, false},
	    {"version 1", ESS_V1, TOKEN_OK, true, true, false},
	    {"both versions", ESS_BOTH, TOKEN_OK, true, true, false},
	    {"both, version 1 of another", ESS_BOTH_V1_WRONG, TOKEN_OK, false, true, false},
	    {"of another", ESS_WRONG, TOKEN_OK, false, true, false},
	    {"SHA-512", ESS_SHA512, TOKEN_OK, true, true, false},
	    {"issuerSerial", ESS_SERIAL, TOKEN_OK, true, true, false},
	    {"issuerSerial of another", ESS_SERIAL_WRONG, TOKEN_OK, true, false, false},
	    {"key identifier", BY_SKI, TOKEN_OK, true, true, false},
	    {"SID names nobody", BY_OTHER_SERIAL, TOKEN_NO_SIGNER, false, false, false},
	    {"unsorted, signed so", UNSORTED_AS_RECEIVED, TOKEN_OK, true, true, false},
	    {"unsorted, signed sorted", UNSORTED_SIGNED_SORTED, TOKEN_OK, true, true, true},
	    {"two SignerInfos", TWO_SIGNERS, TOKEN_FORMAT, false, false, false},
	    {"no SignerInfo", NO_SIGNERS, TOKEN_FORMAT, false, false, false},
	    {"no signed attributes", NO_ATTRIBUTES, TOKEN_FORMAT, false, false, false},
	    {"messageDigest differs", DIGEST_WRONG, TOKEN_HASH, true, true, false},
	    {"contentType differs", CONTENT_TYPE_WRONG, TOKEN_FORMAT, false, false, false},
	    {"no contentType", NO_CONTENT_TYPE, TOKEN_FORMAT, false, false, false},
	    {"messageDigest twice", DIGEST_TWICE, TOKEN_FORMAT, false, false, false},
	    {"signature differs", SIGNATURE_WRONG, TOKEN_SIGNATURE, true, true, false},
	    {"algorithms protected", PROTECTED, TOKEN_OK, true, true, false},
	    {"other algorithms protected", PROTECTED_WRONG, TOKEN_FORMAT, false, false, false},
	    {"BER, content in pieces", BER_PIECES, TOKEN_OK, true, true, false},
	    {"no certificate", NO_CERTS, TOKEN_NO_SIGNER, false, false, false},
	    {"id-ecPublicKey", RSA_OID, TOKEN_OK, true, true, false},
	    {"suite of another digest", SUITE_DISAGREES, TOKEN_SIGNATURE, true, true, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_signer s;
		struct err e = {0};

		house_fill(&h, (struct spec){0});
		token_make(&der, (struct token_spec){.tsa = &h.tsa, .flaw = rows[i].flaw});
		if (pki_token(h.p, buf_slice(&der), &t, &e) != ERR_OK)
			fail_msg("%s: %s", rows[i].name, e.text);
		s = signer_of(&h, t);
		if (s.problem != rows[i].want || s.ess_match != rows[i].ess || s.ess_serial_match != rows[i].serial ||
		    t->signed_attributes_unsorted != rows[i].unsorted)
			fail_msg("%s: problem %d, ess %d, serial %d, unsorted %d", rows[i].name, s.problem, s.ess_match, s.ess_serial_match, t->signed_attributes_unsorted);
		if (s.problem == TOKEN_OK && s.cert != h.tsa.cert)
			fail_msg("%s: signer", rows[i].name);
		s = signer_of(&h, t); /* remembered */
		if (s.problem != rows[i].want)
			fail_msg("%s: the second time %d", rows[i].name, s.problem);
		if (t->gen_time != NOW)
			fail_msg("%s: genTime", rows[i].name);
	}
}

static void
every_scheme_signs(void **state)
{
	static const struct {
		const char *name, *key, *suite;
		enum digest_alg digest;
		bool pss, shake, openssl;
		enum key_kind want;
	} rows[] = {
	    {"RSA, bare OID", "rsa", "1.2.840.113549.1.1.1", DIGEST_SHA256, false, false, true, KEY_RSA},
	    {"RSA suite", "rsa", "1.2.840.113549.1.1.13", DIGEST_SHA512, false, false, true, KEY_RSA},
	    {"RSA SHA-1", "rsa1024", "1.2.840.113549.1.1.5", DIGEST_SHA1, false, false, true, KEY_RSA},
	    {"PSS", "rsa", NULL, DIGEST_SHA512, true, false, true, KEY_RSA_PSS},
	    {"P-521", "p521", "1.2.840.10045.4.3.4", DIGEST_SHA512, false, false, true, KEY_ECDSA},
	    {"Brainpool", "brainpool", "1.2.840.10045.4.3.3", DIGEST_SHA384, false, false, true, KEY_ECDSA},
	    {"Ed25519", "ed25519", "1.3.101.112", DIGEST_SHA512, false, false, false, KEY_ED25519},
	    {"Ed448", "ed448", "1.3.101.113", DIGEST_SHA512, false, true, false, KEY_ED448},
	    {"PLAIN-ECDSA", "p256", "0.4.0.127.0.7.1.1.4.1.3", DIGEST_SHA256, false, false, false, KEY_PLAIN_ECDSA},
	    {"DSA", "dsa", "2.16.840.1.101.3.4.3.2", DIGEST_SHA256, false, false, true, KEY_DSA},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_signer s;
		struct err e = {0};

		house_fill(&h, (struct spec){.key = rows[i].key});
		token_make(&der, (struct token_spec){.tsa = &h.tsa, .suite = rows[i].suite, .digest = rows[i].digest, .pss = rows[i].pss, .shake = rows[i].shake});
		OK(pki_token(h.p, buf_slice(&der), &t, &e));
		s = signer_of(&h, t);
		if (s.problem != TOKEN_OK || s.signed_with.key != rows[i].want)
			fail_msg("%s: %d", rows[i].name, s.problem);
		if (rows[i].openssl && !openssl_verifies(buf_slice(&der)))
			fail_msg("%s: OpenSSL disagrees", rows[i].name);
	}
}

static void
tst_rows(void **state)
{
	static const struct {
		const char *name;
		struct token_spec s;
		enum err_code want;
		int64_t time;
		uint32_t micros;
		bool bad_form, critical, tsa_name;
		int64_t accuracy;
	} rows[] = {
	    {"fraction", {.time = "20260101000000.5Z"}, ERR_OK, NOW, 500000, false, false, true, -1},
	    {"fraction with zeros", {.time = "20260101000000.50Z"}, ERR_OK, NOW, 500000, true, false, true, -1},
	    {"offset", {.time = "20260101010000+0100"}, ERR_OK, NOW, 0, true, false, true, -1},
	    {"no time", {.time = "gestern"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"version 2", {.version = 2}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"negative nonce", {.extra = "0202ff01"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"accuracy", {.extra = "300a02010180020064810164"}, ERR_OK, NOW, 0, false, false, true, 1100100},
	    {"accuracy out of range", {.extra = "3004800203e8"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"ordering", {.extra = "0101ff"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"tsa = subject", {.extra = "a012a410300e310c300a06035504030c03545341"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"tsa = alternative name", {.extra = "a00b8209746361612e74657374"}, ERR_OK, NOW, 0, false, false, false, -1},
	    {"tsa = other", {.extra = "a012a410300e310c300a06035504030c03545342"}, ERR_OK, NOW, 0, false, false, false, -1},
	    {"critical extension", {.extra = "a10d300b06032a03040101ff04010a"}, ERR_OK, NOW, 0, false, true, true, -1},
	    {"octets follow", {.extra = "0500"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_spec s = rows[i].s;
		struct err e = {0};

		house_fill(&h, (struct spec){0});
		s.tsa = &h.tsa;
		token_make(&der, s);
		if (pki_token(h.p, buf_slice(&der), &t, &e) != rows[i].want)
			fail_msg("%s: %s", rows[i].name, e.text);
		if (rows[i].want != ERR_OK)
			continue;
		if (t->gen_time != rows[i].time || t->gen_micros != rows[i].micros || t->bad_time_form != rows[i].bad_form ||
		    t->unknown_critical != rows[i].critical || t->accuracy_micros != rows[i].accuracy || t->claims_qualified)
			fail_msg("%s: facts (accuracy %lld)", rows[i].name, (long long)t->accuracy_micros);
		if (signer_of(&h, t).problem != TOKEN_OK || signer_of(&h, t).tsa_name_match != rows[i].tsa_name)
			fail_msg("%s: signer", rows[i].name);
	}
}

static void
qualified_and_alternative_name(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0}, statement = {0}, id = {0}, list = {0}, ext = {0}, one = {0}, field = {0}, hex = {0};
	const struct token *t;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){.ext = {TSA_EXT, "subjectAltName=DNS:tsa.test", NULL}});
	ber_put(&field, BER_CTX(2), slice_str("tsa.test"));
	ber_put_buf(&hex, BER_CTXC(0), &field);
	ber_put_oid(&id, "0.4.0.19422.1.1");
	ber_put_buf(&statement, BER_SEQUENCE, &id);
	ber_put_buf(&list, BER_SEQUENCE, &statement);
	ber_put_oid(&ext, "1.3.6.1.5.5.7.1.3");
	ber_put_buf(&ext, BER_OCTET_STRING, &list);
	ber_put_buf(&one, BER_SEQUENCE, &ext);
	ber_put_buf(&hex, BER_CTXC(1), &one);
	buf_clear(&field);
	buf_addhex(&field, buf_slice(&hex));
	token_make(&der, (struct token_spec){.tsa = &h.tsa, .extra = buf_str(&field)});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_true(t->claims_qualified && !t->unknown_critical);
	assert_true(signer_of(&h, t).tsa_name_match);
}

/* Two certificates share issuer and serial number; ESSCertID says which is meant, and only one key verifies. */
static void
the_named_certificate_is_taken(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t;
	struct token_signer s;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){.serial = 5});
	AUTO(who) struct who other = mini_cert(h.p, (struct spec){.name = "Imposter", .issuer = &h.ca, .key = "p256", .serial = 5, .ext = {TSA_EXT, NULL}});
	AUTO(who) struct who same_key = mini_cert(h.p, (struct spec){.name = "Twin", .issuer = &h.ca, .reuse = h.tsa.key, .serial = 5, .ext = {TSA_EXT, NULL}});

	token_make(&der, (struct token_spec){.tsa = &h.tsa, .flaw = NO_CERTS});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	OK(pool_add_cert(&h.pool, other.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_SIGNATURE && s.cert == other.cert && !s.ess_match);
	OK(pool_add_cert(&h.pool, same_key.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_OK && s.cert == same_key.cert && !s.ess_match);
	OK(pool_add_cert(&h.pool, h.tsa.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_OK && s.cert == h.tsa.cert && s.ess_match);
}

static const struct revocation *
some_crl(struct house *h, long number)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)(NOW + number));
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};

	X509_CRL_set_issuer_name(crl, X509_get_subject_name(h->ca.x509));
	X509_CRL_set1_lastUpdate(crl, when);
	X509_CRL_sign(crl, h->ca.key, EVP_sha256());
	OK(pki_crl(h->p, mini_der(i2d_X509_CRL(crl, &der), &der), &r, &e));
	OPENSSL_free(der);
	ASN1_TIME_free(when);
	X509_CRL_free(crl);
	return r;
}

static const struct revocation *
some_ocsp(struct house *h)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), h->tsa.x509, h->ca.x509);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)NOW);
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};
	OCSP_RESPONSE *resp;

	OCSP_basic_add1_status(b, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, when, NULL);
	OCSP_basic_sign(b, h->ca.x509, h->ca.key, EVP_sha256(), NULL, 0);
	resp = OCSP_response_create(0, b);
	OK(pki_ocsp(h->p, mini_der(i2d_OCSP_RESPONSE(resp, &der), &der), &r, &e));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(resp);
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(when);
	return r;
}

static void
embedded_material(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	struct token_spec s = {0};
	const struct token *t;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){0});
	s.tsa = &h.tsa;
	s.crl = some_crl(&h, 0);
	s.ocsp = some_ocsp(&h);
	s.unsigned_cert = h.ca.cert;
	s.unsigned_crl = some_crl(&h, 1);
	token_make(&der, s);
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_int_equal(t->n_certs, 2);
	assert_ptr_equal(t->certs[1], h.ca.cert);
	assert_int_equal(t->n_revs, 3);
	assert_ptr_equal(t->revs[0], s.crl);
	assert_ptr_equal(t->revs[1], s.ocsp);
	assert_ptr_equal(t->revs[2], s.unsigned_crl);
	assert_int_equal(signer_of(&h, t).problem, TOKEN_OK);
	OK(pool_add_token(&h.pool, t, &e));
	OK(pool_add_token(&h.pool, t, &e));
	assert_int_equal(h.pool.n_certs, 2);
	assert_int_equal(h.pool.n_revs, 3);
}

static void
token_mutations(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t;
	struct token_signer s;
	struct token_spec spec = {0};
	struct err e = {0};
	size_t i;

	(void)state;
	house_fill(&h, (struct spec){0});
	spec.tsa = &h.tsa;
	spec.crl = some_crl(&h, 0);
	token_make(&der, spec);
	for (i = 0; i < der.n; i++) {
		AUTO(mem) uint8_t *prefix = malloc(i + 1);

		memcpy(prefix, der.p, i);
		if (pki_token(h.p, slice_of(prefix, i), &t, &e) == ERR_OK)
			fail_msg("prefix of %zu", i);
	}
	for (i = 0; i < der.n * 8; i++) {
		AUTO(mem) uint8_t *copy = malloc(der.n);

		memcpy(copy, der.p, der.n);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (pki_token(h.p, slice_of(copy, der.n), &t, &e) != ERR_OK)
			continue;
		s = signer_of(&h, t);
		if (s.problem == TOKEN_OK && t->gen_time != NOW)
			fail_msg("bit %zu flipped, another time", i);
	}
	buf_add8(&der, 0);
	assert_int_equal(pki_token(h.p, buf_slice(&der), &t, &e), ERR_FORMAT);
}

/* signingCertificateV2 and IssuerSerial as the specification page spells them. */
static void
ess_vector(void **state)
{
	static const char want[] = "30263024302204201d98562575a137e9016998340a69c452b8af73d8d0b4be1567ba24898504d355";
	AUTO(buf) struct buf attribute = {0}, hex = {0};
	struct cert toy = {.der = slice_str("toy-certificate")};

	(void)state;
	put_ess(&attribute, 2, DIGEST_SHA256, &toy, FLAW_NONE);
	buf_addhex(&hex, slice_of(attribute.p + attribute.n - 40, 40));
	assert_string_equal(buf_str(&hex), want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_token_facts),
	    cmocka_unit_test(signer_rows),
	    cmocka_unit_test(every_scheme_signs),
	    cmocka_unit_test(tst_rows),
	    cmocka_unit_test(qualified_and_alternative_name),
	    cmocka_unit_test(the_named_certificate_is_taken),
	    cmocka_unit_test(embedded_material),
	    cmocka_unit_test(token_mutations),
	    cmocka_unit_test(ess_vector),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
