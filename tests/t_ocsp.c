/* SPDX-License-Identifier: MIT */
/* What OCSP responses say, each different from a good one by what its row states; requests; answers of both kinds in order. */
#include "tests/mini_rev.h"

#define OCSP_EKU "extendedKeyUsage=OCSPSigning"

static void
ocsp_rows(void **state)
{
	static const struct {
		const char *name;
		struct ocsp_spec s;
		enum rev_status status;
		int64_t at;
		int reason;
		const char *problem;
	} rows[] = {
	    {"good", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"by key", {.status = V_OCSP_CERTSTATUS_GOOD, .by_key = true, .reason = -1}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"CertID SHA-256", {.status = V_OCSP_CERTSTATUS_GOOD, .certid = "SHA256", .reason = -1}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"no nextUpdate", {.status = V_OCSP_CERTSTATUS_GOOD, .next_update = TIME_NONE, .reason = -1}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"unknown", {.status = V_OCSP_CERTSTATUS_UNKNOWN, .reason = -1}, REV_UNKNOWN, TIME_NONE, -1, NULL},
	    {"revoked", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = -1, .revoked_at = NOW - DAY}, REV_REVOKED, NOW - DAY, -1, NULL},
	    {"compromised", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 1, .revoked_at = NOW - DAY}, REV_REVOKED, NOW - DAY, 1, NULL},
	    {"hold", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 6, .revoked_at = NOW - DAY}, REV_HOLD, NOW - DAY, 6, NULL},
	    {"never issued", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 6, .ext = "1.3.6.1.5.5.7.48.1.9=DER:0500"}, REV_REVOKED, 0, 6, NULL},
	    {"1970 without the extension", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 6}, REV_HOLD, 0, 6, NULL},
	    {"older good, newer revoked", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = -1, .revoked_at = NOW - DAY, .older_good = NOW - DAY}, REV_REVOKED, NOW - DAY, -1, NULL},
	    {"newer good, older revoked", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = -1, .revoked_at = NOW - DAY, .older_good = NOW + 30}, REV_REVOKED, NOW - DAY, -1, NULL},
	    {"newer good, older hold", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 6, .revoked_at = NOW - DAY, .older_good = NOW + 30}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"revoked, critical unknown", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = 1, .revoked_at = NOW - DAY, .ext = "1.3.6.1.4.1.99999.1=critical,DER:0500"}, REV_REVOKED, NOW - DAY, 1, NULL},
	    {"critical unknown", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1, .ext = "1.3.6.1.4.1.99999.1=critical,DER:0500"}, REV_NONE, TIME_NONE, -1, "critical"},
	    {"critical unknown in the single", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1, .single_ext = "1.3.6.1.4.1.99999.1=critical,DER:0500"}, REV_NONE, TIME_NONE, -1, "critical"},
	    {"critical nonce in the single", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1, .single_ext = "1.3.6.1.5.5.7.48.1.2=critical,DER:0102"}, REV_GOOD, TIME_NONE, -1, NULL},
	    {"CertHash of another", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1, .single_ext = "1.3.36.8.3.13=DER:300d300906052b0e03021a0500040000"}, REV_NONE, TIME_NONE, -1, "CertHash"},
	    {"SHA-1", {.status = V_OCSP_CERTSTATUS_GOOD, .reason = -1, .digest = "SHA1"}, REV_GOOD, TIME_NONE, -1, NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = house_new();
		struct ocsp_spec s = rows[i].s;
		const struct rev_answer *a;

		house_fill(&h, NULL);
		AUTO(who) struct who responder = mini_cert(h.p, (struct spec){.name = "OCSP", .issuer = &h.ca, .key = "p256", .ext = {OCSP_EKU, "noCheck=ignored", NULL}});
		s.signer = &responder;
		s.subject = h.leaf.x509;
		s.issuer = h.ca.x509;
		a = ask_alone(&h, ocsp_make(h.p, s));
		if (a == NULL || h.n != 1)
			fail_msg("%s: %zu answers", rows[i].name, h.n);
		if (a->status != rows[i].status || a->revoked_at != rows[i].at || a->reason != rows[i].reason ||
		    a->never_issued != (strcmp(rows[i].name, "never issued") == 0))
			fail_msg("%s: status %d at %lld reason %d (%s)", rows[i].name, a->status, (long long)a->revoked_at, a->reason, a->problem);
		if ((a->problem == NULL) != (rows[i].problem == NULL) || (a->problem != NULL && strstr(a->problem, rows[i].problem) == NULL))
			fail_msg("%s: %s", rows[i].name, a->problem);
		if (a->signer != responder.cert || !a->delegate_ok || !a->delegate_by_ca || a->signer_is_issuer || !a->responder_id_match ||
		    a->produced_at != NOW + 60 || a->signed_with.usage != USE_OCSP)
			fail_msg("%s: signer", rows[i].name);
	}
}

static void
ocsp_responders(void **state)
{
	AUTO(house) struct house h = house_new();
	const struct rev_answer *a;
	const struct revocation *r;
	struct ocsp_spec s;
	struct err e = {0};

	(void)state;
	house_fill(&h, NULL);
	AUTO(who) struct who no_eku = mini_cert(h.p, (struct spec){.name = "NoEku", .issuer = &h.ca, .key = "p256", .ext = {NULL}});
	AUTO(who) struct who by_root = mini_cert(h.p, (struct spec){.name = "ByRoot", .issuer = &h.root, .key = "p256", .ext = {OCSP_EKU, NULL}});
	AUTO(who) struct who no_ku = mini_cert(h.p, (struct spec){.name = "NoKu", .issuer = &h.ca, .key = "p256", .ext = {OCSP_EKU, "keyUsage=keyEncipherment", NULL}});
	AUTO(who) struct who new_ca = mini_cert(h.p, (struct spec){.name = "CA", .issuer = &h.root, .key = "p256", .ca = true, .serial = 9, .ext = {NULL}});
	AUTO(who) struct who by_new = mini_cert(h.p, (struct spec){.name = "ByNew", .issuer = &new_ca, .key = "p256", .ext = {OCSP_EKU, NULL}});

	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &h.ca)));
	assert_true(a->signer_is_issuer && a->problem == NULL && a->status == REV_GOOD && !a->delegate_ok);
	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &no_eku)));
	assert_true(a->delegate_by_ca && !a->delegate_ok && !a->signer_is_issuer && a->problem == NULL);
	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &by_root)));
	assert_true(!a->delegate_by_ca && !a->delegate_ok && !a->delegate_rekeyed && a->signer == by_root.cert);
	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &no_ku)));
	assert_true(a->delegate_by_ca && !a->delegate_ok);
	/* the CA's newer key issued the responder: told apart */
	r = ocsp_make(h.p, about_leaf(&h, &by_new));
	a = ask_alone(&h, r);
	assert_true(!a->delegate_ok && !a->delegate_rekeyed);
	OK(pool_add_cert(&h.pool, new_ca.cert, &e));
	a = ask(&h, h.leaf.cert, h.ca.cert);
	assert_true(!a->delegate_ok && a->delegate_rekeyed);
	/* the leaf vouches for itself */
	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &h.leaf)));
	assert_true(a->signer_is_subject && !a->delegate_ok);
	/* responder not embedded: found once it is in the pool */
	s = about_leaf(&h, &no_eku);
	s.no_cert = true;
	a = ask_alone(&h, ocsp_make(h.p, s));
	assert_true(a->signer == NULL && a->problem != NULL && a->status == REV_NONE);
	OK(pool_add_cert(&h.pool, no_eku.cert, &e));
	a = ask(&h, h.leaf.cert, h.ca.cert);
	assert_true(a->signer == no_eku.cert && a->problem == NULL);
	/* another certificate of the same key, which ResponderID does not name */
	{
		AUTO(who) struct who twin = mini_cert(h.p, (struct spec){.name = "Twin", .issuer = &h.ca, .reuse = no_eku.key, .ext = {OCSP_EKU, NULL}});

		s.embed = twin.x509;
		a = ask_alone(&h, ocsp_make(h.p, s));
		assert_true(a->signer == twin.cert && !a->responder_id_match && a->problem != NULL);
	}
}

static void
ocsp_whose_answer(void **state)
{
	AUTO(house) struct house h = house_new();
	const struct rev_answer *a;
	struct ocsp_spec s;

	(void)state;
	house_fill(&h, NULL);
	AUTO(who) struct who other = mini_cert(h.p, (struct spec){.name = "other", .issuer = &h.ca, .key = "p256", .serial = 78, .ext = {NULL}});
	AUTO(who) struct who twin_ca = mini_cert(h.p, (struct spec){.name = "CA", .issuer = &h.root, .key = "p256", .ca = true, .serial = 9, .ext = {NULL}});

	s = about_leaf(&h, &h.ca);
	s.subject = other.x509;
	assert_null(ask_alone(&h, ocsp_make(h.p, s)));
	/* the same name, another key */
	s = about_leaf(&h, &h.ca);
	s.issuer = twin_ca.x509;
	a = ask_alone(&h, ocsp_make(h.p, s));
	assert_non_null(a);
	assert_non_null(strstr(a->problem, "another key"));
	/* an issuer that is not known: nobody can have signed */
	a = ask_alone(&h, ocsp_make(h.p, about_leaf(&h, &h.ca)));
	assert_null(a->problem);
	a = ask(&h, h.leaf.cert, NULL);
	assert_non_null(a);
	assert_false(a->signer_is_issuer || a->delegate_ok);
}

static void
ocsp_certhash_and_cutoff(void **state)
{
	AUTO(house) struct house h = house_new();
	AUTO(buf) struct buf seq = {0}, der = {0}, text = {0};
	struct digest d;
	struct err e = {0};
	struct ocsp_spec s;
	const struct rev_answer *a;

	(void)state;
	house_fill(&h, NULL);
	OK(digest_once(DIGEST_SHA256, h.leaf.cert->der, &d, &e));
	ber_put_digest_alg(&seq, DIGEST_SHA256);
	ber_put(&seq, BER_OCTET_STRING, digest_slice(&d));
	ber_put_buf(&der, BER_SEQUENCE, &seq);
	buf_adds(&text, "1.3.36.8.3.13=DER:");
	buf_addhex(&text, buf_slice(&der));
	s = about_leaf(&h, &h.ca);
	s.single_ext = buf_str(&text);
	a = ask_alone(&h, ocsp_make(h.p, s));
	assert_true(a->cert_hash_present && a->cert_hash_match && a->problem == NULL && a->status == REV_GOOD);
	/* 180f "20200101000000Z" */
	s.single_ext = "1.3.6.1.5.5.7.48.1.6=DER:180f32303230303130313030303030305a";
	a = ask_alone(&h, ocsp_make(h.p, s));
	assert_int_equal(a->archive_cutoff, INT64_C(1577836800));
	assert_false(a->cert_hash_present);
}

static void
ocsp_outer_forms(void **state)
{
	AUTO(house) struct house h = house_new();
	unsigned char *der = NULL;
	AUTO(buf) struct buf longer = {0};
	const struct revocation *r, *again;
	struct err e = {0};
	struct slice basic;
	int status;

	(void)state;
	house_fill(&h, NULL);
	basic = ocsp_octets(about_leaf(&h, &h.ca), -1, &der);
	OK(pki_ocsp(h.p, basic, &r, &e));
	assert_true(r->was_basic && r->ocsp_status == 0 && r->n_entries == 1);
	OK(pki_ocsp(h.p, basic, &again, &e));
	assert_ptr_equal(r, again);
	OK(pki_ocsp(h.p, r->der, &again, &e)); /* the wrapping is an OCSPResponse of its own right */
	assert_ptr_equal(r, again);
	assert_int_equal(ask_alone(&h, r)->status, REV_GOOD);
	buf_addslice(&longer, r->der);
	buf_add8(&longer, 0);
	assert_int_equal(pki_ocsp(h.p, buf_slice(&longer), &again, &e), ERR_FORMAT);
	OPENSSL_free(der);
	for (status = 1; status <= 6; status++) {
		uint8_t refusal[] = {0x30, 3, 0x0a, 1, (uint8_t)status};

		OK(pki_ocsp(h.p, slice_of(refusal, sizeof(refusal)), &r, &e));
		assert_int_equal(r->ocsp_status, status);
		assert_null(ask_alone(&h, r));
	}
	assert_int_equal(pki_ocsp(h.p, slice_of("\x30\x03\x0a\x01\x00", 5), &r, &e), ERR_FORMAT);
}

static void
ocsp_mutations(void **state)
{
	AUTO(house) struct house h = house_new();
	const struct revocation *r, *m;
	const struct rev_answer *a;
	struct err e = {0};
	size_t i;

	(void)state;
	house_fill(&h, NULL);
	AUTO(who) struct who responder = mini_cert(h.p, (struct spec){.name = "OCSP", .issuer = &h.ca, .key = "p256", .ext = {OCSP_EKU, NULL}});
	r = ocsp_make(h.p, about_leaf(&h, &responder));
	for (i = 0; i < r->der.n; i++) {
		AUTO(mem) uint8_t *prefix = malloc(i + 1);

		memcpy(prefix, r->der.p, i);
		if (pki_ocsp(h.p, slice_of(prefix, i), &m, &e) == ERR_OK)
			fail_msg("prefix of %zu", i);
	}
	for (i = 0; i < r->der.n * 8; i++) {
		AUTO(mem) uint8_t *copy = malloc(r->der.n);

		memcpy(copy, r->der.p, r->der.n);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (pki_ocsp(h.p, slice_of(copy, r->der.n), &m, &e) != ERR_OK)
			continue;
		a = ask_alone(&h, m);
		/* the embedded certificate is not under the response's signature, but then its own fails */
		if (a != NULL && a->problem == NULL && (a->signer == responder.cert || a->delegate_by_ca))
			fail_msg("bit %zu flipped, still used", i);
	}
}

static void
ocsp_request_vector(void **state)
{
	static const char want[] =
	    "30773075303e303c303a300906052b0e03021a05000414711d397671c9facf2242095925979a0698e46b1104147037807198c22a7d2b08"
	    "07371d763779a84fdfcf02012aa2333031302f06092b060105050730010204220420000102030405060708090a0b0c0d0e0f1011121314"
	    "15161718191a1b1c1d1e1f";
	static const char name[] = "300d310b300906035504030c024341";
	uint8_t issuer_name[15], nonce[32];
	AUTO(buf) struct buf out = {0}, text = {0};
	struct cert_priv c = {0}, issuer = {0};
	struct err e = {0};
	size_t i;

	(void)state;
	assert_true(hex_to(name, strlen(name), issuer_name));
	for (i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)i;
	c.c.issuer = slice_of(issuer_name, sizeof(issuer_name));
	c.c.serial = slice_of("\x2a", 1);
	issuer.key_octets = slice_of("\1\2\3", 3);
	OK(ocsp_request(&c.c, &issuer.c, DIGEST_SHA1, slice_of(nonce, sizeof(nonce)), &out, &e));
	buf_addhex(&text, buf_slice(&out));
	assert_string_equal(buf_str(&text), want);
	assert_int_equal(out.n, 121);
	assert_int_equal(ocsp_request(&c.c, &issuer.c, DIGEST_SHA1, slice_of(want, 129), &out, &e), ERR_USAGE);
}

static void
ocsp_nonces(void **state)
{
	AUTO(house) struct house h = house_new();
	struct ocsp_spec s;

	(void)state;
	house_fill(&h, NULL);
	s = about_leaf(&h, &h.ca);
	assert_int_equal(ocsp_nonce(ocsp_make(h.p, s)).n, 0);
	s.ext = "1.3.6.1.5.5.7.48.1.2=DER:0404deadbeef";
	assert_true(slice_eq(ocsp_nonce(ocsp_make(h.p, s)), slice_of("\xde\xad\xbe\xef", 4)));
	s.ext = "1.3.6.1.5.5.7.48.1.2=DER:deadbeef"; /* without the inner OCTET STRING */
	assert_true(slice_eq(ocsp_nonce(ocsp_make(h.p, s)), slice_of("\xde\xad\xbe\xef", 4)));
}

static void
answers_are_ordered(void **state)
{
	AUTO(house) struct house h = house_new();
	struct err e = {0};
	struct ocsp_spec s;
	size_t i;

	(void)state;
	house_fill(&h, NULL);
	s = about_leaf(&h, &h.ca);
	s.produced_at = NOW + DAY;
	OK(pool_add_rev(&h.pool, crl_make(h.p, (struct crl_spec){.issuer = &h.ca, .this_update = NOW - DAY}), &e));
	OK(pool_add_rev(&h.pool, ocsp_make(h.p, s), &e));
	OK(pool_add_rev(&h.pool, crl_make(h.p, (struct crl_spec){.issuer = &h.ca}), &e));
	OK(pool_add_rev(&h.pool, crl_make(h.p, (struct crl_spec){.issuer = &h.ca, .next_update = TIME_NONE}), &e));
	/* by what they know: that the answer was produced a day later makes it no newer */
	ask(&h, h.leaf.cert, h.ca.cert);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.answers[3].this_update, NOW - DAY);
	for (i = 0; i < 2; i++)
		assert_true(memcmp(h.answers[i].object->sha256, h.answers[i + 1].object->sha256, 32) < 0);
	/* a peer's order */
	h.pool.peer = true;
	ask(&h, h.leaf.cert, h.ca.cert);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.answers[0].object->kind, REV_OCSP);
	assert_int_equal(h.answers[3].this_update, NOW - DAY);
	assert_true(memcmp(h.answers[1].object->sha256, h.answers[2].object->sha256, 32) < 0);
	for (i = 0; i < h.n; i++)
		assert_int_equal(h.answers[i].status, REV_GOOD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ocsp_rows),
	    cmocka_unit_test(ocsp_responders),
	    cmocka_unit_test(ocsp_whose_answer),
	    cmocka_unit_test(ocsp_certhash_and_cutoff),
	    cmocka_unit_test(ocsp_outer_forms),
	    cmocka_unit_test(ocsp_mutations),
	    cmocka_unit_test(ocsp_request_vector),
	    cmocka_unit_test(ocsp_nonces),
	    cmocka_unit_test(answers_are_ordered),
	};

	return cmocka_run_group_tests_name("ocsp", tests, NULL, NULL);
}
