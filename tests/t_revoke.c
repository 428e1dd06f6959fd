/* SPDX-License-Identifier: MIT */
/* What CRLs and OCSP responses say; each object differs from a good one by what its row states. */
#include "tests/mini_ca.h"

#include <stdio.h>

#define IDP "2.5.29.28=critical,DER:"

struct entry {
	const char *serial; /* decimal or 0x */
	int64_t when;
	int reason; /* -1 none */
	bool critical;
};

struct crl_spec {
	const struct who *issuer;
	EVP_PKEY *key; /* NULL: the issuer's */
	const char *digest;
	bool pss, v1;
	int64_t this_update, next_update; /* 0: NOW and NOW + 30 days; next TIME_NONE: absent */
	struct entry entries[4];	  /* ends with serial NULL */
	const char *ext[4];
};

static void
crl_entry(X509_CRL *crl, const struct entry *x)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *serial = s2i_ASN1_INTEGER(NULL, x->serial);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)x->when);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();

	X509_REVOKED_set_serialNumber(r, serial);
	X509_REVOKED_set_revocationDate(r, when);
	if (x->reason >= 0) {
		ASN1_ENUMERATED_set(reason, x->reason);
		X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0);
	}
	if (x->critical) {
		X509_EXTENSION *ext = X509V3_EXT_conf(NULL, NULL, "1.3.6.1.4.1.99999.2", "critical,DER:0500");

		X509_REVOKED_add_ext(r, ext, -1);
		X509_EXTENSION_free(ext);
	}
	X509_CRL_add0_revoked(crl, r);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(when);
	ASN1_ENUMERATED_free(reason);
}

static void
crl_ext(X509_CRL *crl, const struct who *issuer, const char *text)
{
	char *copy = mem_dupstr(text), *value = strchr(copy, '=');
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	*value++ = '\0';
	X509V3_set_ctx(&ctx, issuer->x509, NULL, NULL, crl, 0);
	ext = X509V3_EXT_conf(NULL, &ctx, copy, value);
	if (ext == NULL)
		fail_msg("extension %s", text);
	X509_CRL_add_ext(crl, ext, -1);
	X509_EXTENSION_free(ext);
	free(copy);
}

static const struct revocation *
crl_make(struct pki *p, struct crl_spec s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	const struct revocation *out;
	unsigned char *der = NULL;
	struct err e = {0};
	EVP_MD_CTX *md;
	size_t i;

	if (!s.v1)
		X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(s.issuer->x509));
	mini_time(t, s.this_update != 0 ? s.this_update : NOW);
	X509_CRL_set1_lastUpdate(crl, t);
	mini_time(t, s.next_update != 0 && s.next_update != TIME_NONE ? s.next_update : NOW + 30 * DAY);
	if (s.next_update != TIME_NONE)
		X509_CRL_set1_nextUpdate(crl, t);
	for (i = 0; s.entries[i].serial != NULL; i++)
		crl_entry(crl, &s.entries[i]);
	for (i = 0; s.ext[i] != NULL; i++)
		crl_ext(crl, s.issuer, s.ext[i]);
	md = mini_signer(s.key != NULL ? s.key : s.issuer->key, s.digest, s.pss);
	assert_true(X509_CRL_sign_ctx(crl, md) > 0);
	EVP_MD_CTX_free(md);
	OK(pki_crl(p, mini_der(i2d_X509_CRL(crl, &der), &der), &out, &e));
	OPENSSL_free(der);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return out;
}

struct house {
	struct pki *p;
	struct pool pool;
	struct who root, ca, leaf;
	struct rev_answer *answers;
	size_t n;
};

static struct house
house_new(void)
{
	struct house h = {0};
	struct err e = {0};

	OK(pki_new(&h.p, &e));
	pool_init(&h.pool, h.p);
	h.root = mini_cert(h.p, (struct spec){.name = "Root", .key = "p256", .ca = true, .ext = {NULL}});
	return h;
}

/* The CA needs a lasting address for its child's spec, so this is a second step. */
static void
house_fill(struct house *h, const char *leaf_ext)
{
	h->ca = mini_cert(h->p, (struct spec){.name = "CA", .issuer = &h->root, .key = "p256", .ca = true, .ext = {NULL}});
	h->leaf = mini_cert(h->p, (struct spec){.name = "leaf", .issuer = &h->ca, .key = "p256", .serial = 77, .ext = {leaf_ext, NULL}});
}

static void
house_auto(struct house *h)
{
	free(h->answers);
	pool_release(&h->pool);
	who_free(&h->root);
	who_free(&h->ca);
	who_free(&h->leaf);
	pki_free(h->p);
}

static const struct rev_answer *
ask(struct house *h, const struct cert *c, const struct cert *issuer)
{
	struct err e = {0};

	free(h->answers);
	OK(pool_answers(&h->pool, c, issuer, &h->answers, &h->n, &e));
	return h->n > 0 ? &h->answers[0] : NULL;
}

/* The one answer for the leaf from this object alone. */
static const struct rev_answer *
ask_alone(struct house *h, const struct revocation *r)
{
	struct err e = {0};

	pool_release(&h->pool);
	OK(pool_add_rev(&h->pool, r, &e));
	return ask(h, h->leaf.cert, h->ca.cert);
}

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
	    {"point, none named", {.ext = {IDP "3013a011a00f860d687474703a2f2f632e74657374"}}, NULL, REV_GOOD, TIME_NONE, -1, false, NULL},
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

/* ---- OCSP ---- */

struct ocsp_spec {
	const struct who *signer;
	X509 *subject, *issuer; /* of the CertID */
	const char *certid;	/* digest */
	int status, reason;
	int64_t revoked_at, this_update, next_update, produced_at;
	int64_t older_good; /* a second SingleResponse, good, with this thisUpdate */
	bool by_key, no_cert;
	const char *ext, *single_ext;
	X509 *embed;
	const char *digest;
};

static X509_EXTENSION *
plain_ext(const char *text)
{
	char *copy = mem_dupstr(text), *value = strchr(copy, '=');
	X509_EXTENSION *ext;

	*value++ = '\0';
	ext = X509V3_EXT_conf(NULL, NULL, copy, value);
	assert_non_null(ext);
	free(copy);
	return ext;
}

static struct slice
ocsp_der(struct ocsp_spec s, int outer, unsigned char **der)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_get_digestbyname(s.certid != NULL ? s.certid : "SHA1"), s.subject, s.issuer);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)s.revoked_at), *this = ASN1_TIME_set(NULL, (time_t)(s.this_update != 0 ? s.this_update : NOW));
	ASN1_TIME *next = s.next_update == TIME_NONE ? NULL : ASN1_TIME_set(NULL, (time_t)(NOW + DAY));
	ASN1_GENERALIZEDTIME *produced;
	X509_EXTENSION *ext;
	OCSP_SINGLERESP *single;
	OCSP_RESPONSE *r;
	int n;

	if (s.older_good != 0) {
		ASN1_TIME *old = ASN1_TIME_set(NULL, (time_t)s.older_good);

		OCSP_basic_add1_status(b, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, old, next);
		ASN1_TIME_free(old);
	}
	single = OCSP_basic_add1_status(b, id, s.status, s.reason, when, this, next);
	assert_non_null(single);
	if (s.single_ext != NULL) {
		ext = plain_ext(s.single_ext);
		OCSP_SINGLERESP_add_ext(single, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (s.ext != NULL) {
		ext = plain_ext(s.ext);
		OCSP_BASICRESP_add_ext(b, ext, -1);
		X509_EXTENSION_free(ext);
	}
	if (s.embed != NULL)
		OCSP_basic_add1_cert(b, s.embed);
	produced = (ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(b);
	ASN1_GENERALIZEDTIME_set(produced, (time_t)(s.produced_at != 0 ? s.produced_at : NOW + 60));
	assert_int_equal(OCSP_basic_sign(b, s.signer->x509, s.signer->key, EVP_get_digestbyname(s.digest != NULL ? s.digest : "SHA256"), NULL,
			     OCSP_NOTIME | (s.by_key ? OCSP_RESPID_KEY : 0u) | (s.no_cert ? OCSP_NOCERTS : 0u)), 1);
	if (outer < 0) {
		n = i2d_OCSP_BASICRESP(b, der);
	} else {
		r = OCSP_response_create(outer, b);
		n = i2d_OCSP_RESPONSE(r, der);
		OCSP_RESPONSE_free(r);
	}
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(when);
	ASN1_TIME_free(this);
	ASN1_TIME_free(next);
	assert_true(n > 0);
	return slice_of(*der, (size_t)n);
}

static const struct revocation *
ocsp_make(struct pki *p, struct ocsp_spec s)
{
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};

	OK(pki_ocsp(p, ocsp_der(s, 0, &der), &r, &e));
	OPENSSL_free(der);
	return r;
}

#define OCSP_EKU "extendedKeyUsage=OCSPSigning"

static struct ocsp_spec
about_leaf(const struct house *h, const struct who *signer)
{
	return (struct ocsp_spec){.signer = signer, .subject = h->leaf.x509, .issuer = h->ca.x509, .reason = -1};
}

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
	    {"newer good, older revoked", {.status = V_OCSP_CERTSTATUS_REVOKED, .reason = -1, .revoked_at = NOW - DAY, .older_good = NOW + 30}, REV_GOOD, TIME_NONE, -1, NULL},
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
	basic = ocsp_der(about_leaf(&h, &h.ca), -1, &der);
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
	ask(&h, h.leaf.cert, h.ca.cert);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.answers[0].object->kind, REV_OCSP);
	assert_int_equal(h.answers[3].this_update, NOW - DAY);
	assert_true(memcmp(h.answers[1].object->sha256, h.answers[2].object->sha256, 32) < 0);
	for (i = 0; i < h.n; i++)
		assert_int_equal(h.answers[i].status, REV_GOOD);
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
	    cmocka_unit_test(ocsp_rows),
	    cmocka_unit_test(ocsp_responders),
	    cmocka_unit_test(ocsp_whose_answer),
	    cmocka_unit_test(ocsp_certhash_and_cutoff),
	    cmocka_unit_test(ocsp_outer_forms),
	    cmocka_unit_test(ocsp_mutations),
	    cmocka_unit_test(ocsp_request_vector),
	    cmocka_unit_test(ocsp_nonces),
	    cmocka_unit_test(answers_are_ordered),
	    cmocka_unit_test(crl_corpus),
	};

	return cmocka_run_group_tests_name("revoke", tests, NULL, NULL);
}
