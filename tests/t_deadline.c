/* SPDX-License-Identifier: MIT */
#include "tests/catalogues.h"
#include "policy/catalogue_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct alg_use p256 = {.is_signature = true, .key = KEY_ECDSA, .key_bits = 256, .digest = DIGEST_SHA256};
static const struct alg_use rsa4096 = {.is_signature = true, .key = KEY_RSA, .key_bits = 4096, .digest = DIGEST_SHA256};
static const struct alg_use pss2048 = {
    .is_signature = true, .key = KEY_RSA_PSS, .key_bits = 2048, .digest = DIGEST_SHA256, .mgf = DIGEST_SHA256};

/* A TSA with ECDSA all the way up, which ends in 2031; its CA in 2036. */
static struct class_facts
facts(void)
{
	struct class_facts f = {.tsa_subject = "CN=TSA 1", .tsa_not_after_utc = at("2031-01-01T00:00:00Z"), .n_cas = 1,
	    .cas = {{"CN=CA 1", 0}}, .anchor_sunset_utc = TIME_MAX, .service_end_utc = TIME_MAX, .token = p256,
	    .cert_algs = {p256, p256}, .n_cert_algs = 2, .imprint = DIGEST_SHA512};

	f.cas[0].not_after_utc = at("2036-01-01T00:00:00Z");
	memset(f.tsa_sha256, 0x11, 32);
	memset(f.chain_sha256, 0x22, 32);
	return f;
}

/* ---- one class: each row changes one fact of the good one ---- */

static void
change(struct class_facts *f, const char *what, int64_t *compromised)
{
	if (strcmp(what, "TSA 2030, CA 2027, PSS 2048") == 0) {
		f->tsa_not_after_utc = at("2030-01-01");
		f->cas[0].not_after_utc = at("2027-01-01");
		f->token = pss2048;
	} else if (strcmp(what, "PSS 2048") == 0) {
		f->token = pss2048;
	} else if (strcmp(what, "RSA CA certificate") == 0) {
		f->cert_algs[1] = rsa4096;
	} else if (strcmp(what, "RSA token") == 0) {
		f->token = rsa4096;
	} else if (strcmp(what, "anchor's sunset") == 0) {
		f->anchor_sunset_utc = at("2028-05-01");
	} else if (strcmp(what, "service ends") == 0) {
		f->service_end_utc = at("2027-05-01");
	} else if (strcmp(what, "weak imprint") == 0) {
		f->imprint = DIGEST_SHA224;
	} else if (strcmp(what, "SHA-1 in ESSCertID") == 0) {
		f->ess = DIGEST_SHA1;
	} else if (strcmp(what, "unlisted imprint") == 0) {
		f->imprint = DIGEST_SHA3_224;
	} else if (strcmp(what, "compromise") == 0) {
		*compromised = at("2026-03-01");
	} else if (strcmp(what, "nothing ends") == 0) {
		f->tsa_not_after_utc = f->cas[0].not_after_utc = TIME_MAX;
	} else {
		assert_string_equal(what, "as it is");
	}
}

static const struct {
	const char *what, *utc, *why, *planned;
	enum deadline_side side;
} class_rows[] = {
    {"as it is", "2031-01-01T00:00:01Z", "TSA certificate CN=TSA 1 ends 2031-01-01", "2031-01-01T00:00:01Z", SIDE_TOKEN},
    {"TSA 2030, CA 2027, PSS 2048", "2027-01-01T00:00:01Z", "CA CN=CA 1 ends 2027-01-01", "2027-01-01T00:00:01Z", SIDE_TOKEN},
    {"PSS 2048", "2029-01-01", "time-stamp signature RSASSA-PSS 2048 with SHA256 ends 2029-01-01", "2029-01-01", SIDE_TOKEN},
    {"RSA CA certificate", "2029-01-01", "certificate signature RSA 4096 with SHA256 ends 2029-01-01", "2029-01-01", SIDE_TOKEN},
    {"RSA token", "2029-01-01", "time-stamp signature RSA 4096 with SHA256 ends 2029-01-01", "2029-01-01", SIDE_TOKEN},
    {"anchor's sunset", "2028-05-01", "trust anchor ends 2028-05-01", "2028-05-01", SIDE_TOKEN},
    {"service ends", "2027-05-01", "revocation service ends 2027-05-01", "2027-05-01", SIDE_TOKEN},
    {"weak imprint", "2029-01-01", "imprint digest SHA224 ends 2029-01-01", "2029-01-01", SIDE_HASH},
    {"SHA-1 in ESSCertID", "2012-08-01", "ESSCertID digest SHA1 ends 2012-08-01", "2012-08-01", SIDE_TOKEN},
    {"unlisted imprint", "1970-01-01", "imprint digest SHA3-224 is not in the catalogue", "1970-01-01", SIDE_HASH},
    {"compromise", "2026-03-01", "key of the TSA or of a CA compromised since 2026-03-01", "2026-03-01", SIDE_TOKEN},
    {"nothing ends", "open", "no end is published", "2036-01-01", SIDE_TOKEN},
};

static void
test_classes(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(class_rows) / sizeof(class_rows[0]); i++) {
		struct class_facts f = facts();
		int64_t compromised = TIME_MAX;
		struct deadline d;

		change(&f, class_rows[i].what, &compromised);
		deadline_compute(&f, &cat_default, compromised, NULL, &d);
		assert_time(d.utc, at(class_rows[i].utc), class_rows[i].what);
		assert_time(d.planned_utc, at(class_rows[i].planned), class_rows[i].what);
		assert_string_equal(d.why, class_rows[i].why);
		assert_int_equal(d.side, class_rows[i].side);
	}
}

static void
test_horizons(void **state)
{
	struct horizons own = {at("2040-01-01"), at("2030-06-01"), at("2060-01-01")};
	struct class_facts f = facts();
	struct deadline d;

	(void)state;
	f.tsa_not_after_utc = f.cas[0].not_after_utc = TIME_MAX;
	deadline_compute(&f, &cat_default, TIME_MAX, &own, &d);
	assert_time(d.utc, TIME_MAX, "a horizon is no deadline");
	assert_time(d.planned_utc, at("2030-06-01"), "the token's SHA-256");
	assert_string_equal(d.planned_why, "assumed: digests of this size end 2030-06-01");
}

static struct catalogue *
moved(const char *digest_oid, const char *end)
{
	AUTO(buf) struct buf xml = {0};
	AUTO(catalogue) struct catalogue *over = NULL;
	struct catalogue *c = NULL;
	struct err e = {0};

	buf_addf(&xml, HEAD ISSUE("2033-01-01") ALG(OID("%s"), EVAL("", END("%s"), "")) TAIL, digest_oid, end);
	OK(catalogue_read(buf_slice(&xml), &over, NULL, &e));
	OK(catalogue_overlay(&cat_default, over, &c, &e));
	return c;
}

/* A horizon is for what has no published end: one beyond it is planned with as it is. */
static void
test_published_beyond_horizon(void **state)
{
	AUTO(catalogue) struct catalogue *c = moved("2.16.840.1.101.3.4.2.1", "2055-01-01");
	struct horizons h = deadline_horizons;
	struct class_facts f = facts();
	struct deadline d;

	(void)state;
	h.classical_signature_utc = TIME_MAX;
	f.tsa_not_after_utc = f.cas[0].not_after_utc = TIME_MAX;
	f.imprint = DIGEST_SHA256;
	f.token.digest = DIGEST_SHA512;
	deadline_compute(&f, &cat_default, TIME_MAX, &h, &d);
	assert_time(d.planned_utc, at("2050-01-01"), "assumed");
	deadline_compute(&f, c, TIME_MAX, &h, &d);
	assert_time(d.planned_utc, at("2055-01-01"), "published");
	assert_string_equal(d.planned_why, "imprint digest SHA256 ends 2055-01-01");
}

/* A catalogue that ends SHA-256 moves the classes with that imprint; the suites of the tokens have lines of their own. */
static void
test_new_catalogue(void **state)
{
	AUTO(catalogue) struct catalogue *c = moved("2.16.840.1.101.3.4.2.1", "2030-07-01");
	struct class_facts f = facts(), g = facts();
	struct deadline before, after;
	uint8_t k[32], l[32];
	struct err e = {0};

	(void)state;
	g.imprint = DIGEST_SHA256;
	deadline_compute(&f, &cat_default, TIME_MAX, NULL, &before);
	deadline_compute(&f, c, TIME_MAX, NULL, &after);
	assert_time(after.utc, before.utc, "SHA-512");
	deadline_compute(&g, c, TIME_MAX, NULL, &after);
	assert_time(after.utc, at("2030-07-01"), "SHA-256");
	assert_int_equal(after.side, SIDE_HASH);
	OK(class_key(&f, k, &e));
	OK(class_key(&g, l, &e));
	assert_memory_not_equal(k, l, 32);
}

/* What defines a class changes its key; dates and names do not. */
static void
test_keys(void **state)
{
	struct class_facts a = facts(), b;
	uint8_t k[32], l[32];
	struct err e = {0};
	int i;

	(void)state;
	OK(class_key(&a, k, &e));
	for (i = 0; i < 8; i++) {
		b = a;
		if (i == 0)
			b.tsa_sha256[31] ^= 1;
		if (i == 1)
			b.chain_sha256[0] ^= 1;
		if (i == 2)
			b.imprint = DIGEST_SHA256;
		if (i == 3)
			b.token.key_bits = 384;
		if (i == 4)
			b.token.digest = DIGEST_SHA512;
		if (i == 5)
			b.tsa_not_after_utc++;
		if (i == 6)
			b.anchor_sunset_utc = at("2030-01-01");
		if (i == 7)
			b.cas[0].subject[0] = 'X';
		OK(class_key(&b, l, &e));
		if ((memcmp(k, l, 32) != 0) != (i < 5))
			fail_msg("change %d", i);
	}
}

/* ---- the JSON form ---- */

static void
test_json(void **state)
{
	struct class_facts f = facts(), g;
	AUTO(json) json_t *j = NULL, *k = NULL;
	AUTO(buf) struct buf text = {0}, again = {0};
	struct err e = {0};

	(void)state;
	f.token = pss2048;
	f.ess = DIGEST_SHA256;
	f.anchor_sunset_utc = at("2040-01-01");
	OK(class_json(&f, &j, &e));
	OK(json_canonical(j, &text, &e));
	OK(class_read(j, &g, &e));
	OK(class_json(&g, &k, &e));
	OK(json_canonical(k, &again, &e));
	SAME(buf_slice(&text), buf_slice(&again));
	assert_memory_equal(&f, &g, sizeof(f));
	assert_string_equal(buf_str(&text),
	    "{\"anchor_sunset\":\"2040-01-01T00:00:00Z\",\"cas\":[{\"not_after\":\"2036-01-01T00:00:00Z\",\"subject\":\"CN=CA 1\"}],"
	    "\"cert_algs\":[{\"bits\":256,\"digest\":\"SHA256\",\"key\":\"ECDSA\",\"mgf\":null,\"q\":0},"
	    "{\"bits\":256,\"digest\":\"SHA256\",\"key\":\"ECDSA\",\"mgf\":null,\"q\":0}],"
	    "\"chain\":\"2222222222222222222222222222222222222222222222222222222222222222\",\"ess\":\"SHA256\","
	    "\"imprint\":\"SHA512\",\"service_end\":\"open\","
	    "\"token\":{\"bits\":2048,\"digest\":\"SHA256\",\"key\":\"RSASSA-PSS\",\"mgf\":\"SHA256\",\"q\":0},"
	    "\"tsa\":{\"not_after\":\"2031-01-01T00:00:00Z\","
	    "\"sha256\":\"1111111111111111111111111111111111111111111111111111111111111111\",\"subject\":\"CN=TSA 1\"}}");
}

/* Each fault differs from the good form by one member: path to it, new value (NULL = gone), words of the error. */
static const struct {
	const char *where, *key, *value, *words;
} json_rows[] = {
    {NULL, "tsa", NULL, "tsa"},
    {"tsa", "sha256", "\"11\"", "no SHA-256"},
    {"tsa", "not_after", NULL, "'not_after' is missing"},
    {"tsa", "not_after", "\"soon\"", "not_after"},
    {"tsa", "subject", "7", "subject"},
    {NULL, "chain", "\"zz\"", "no SHA-256"},
    {NULL, "cas", "{}", "cas"},
    {NULL, "cas", "[1,2,3,4,5,6,7,8,9,10,11,12,13]", "more than 12"},
    {NULL, "cert_algs", "[{}]", "key"},
    {NULL, "token", NULL, "token"},
    {"token", "key", "\"ROT13\"", "no key named ROT13"},
    {"token", "bits", "-1", "no key size"},
    {"token", "digest", "\"SHA257\"", "no digest named SHA257"},
    {NULL, "imprint", "null", "'imprint' is missing"},
};

static void
test_json_faults(void **state)
{
	struct class_facts f = facts(), g;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++) {
		AUTO(json) json_t *j = NULL;
		json_t *in;
		struct err e = {0};
		enum err_code rc;

		OK(class_json(&f, &j, &e));
		in = json_rows[i].where != NULL ? json_object_get(j, json_rows[i].where) : j;
		if (json_rows[i].value != NULL)
			assert_int_equal(json_object_set_new(in, json_rows[i].key, json_loads(json_rows[i].value, JSON_DECODE_ANY, NULL)), 0);
		else
			assert_int_equal(json_object_del(in, json_rows[i].key), 0);
		rc = class_read(j, &g, &e);
		if (rc != ERR_FORMAT && rc != ERR_LIMIT)
			fail_msg("%s: %s", json_rows[i].key, err_word(rc));
		SAYS(json_rows[i].words);
	}
}

static void
test_long_name(void **state)
{
	struct class_facts f = facts(), g;
	AUTO(json) json_t *j = NULL;
	AUTO(buf) struct buf name = {0};
	struct err e = {0};

	(void)state;
	while (name.n < 400)
		buf_adds(&name, "\xc3\xa4"); /* a two-octet character */
	OK(class_json(&f, &j, &e));
	assert_int_equal(json_object_set_new(json_object_get(j, "tsa"), "subject", json_string(buf_str(&name))), 0);
	OK(class_read(j, &g, &e));
	assert_int_equal(strlen(g.tsa_subject), CLASS_NAME_MAX - 2); /* cut between characters */
}

/* ---- margins and alarms ---- */

static void
test_renew_by(void **state)
{
	struct margins m = {.token_seconds = 180 * 86400LL, .hash_seconds = 365 * 86400LL};
	struct class_facts f = facts();
	struct deadline d;

	(void)state;
	deadline_compute(&f, &cat_default, TIME_MAX, NULL, &d);
	assert_time(deadline_renew_by(&d, &m), at("2031-01-01T00:00:01Z") - m.token_seconds, "token side");
	assert_int_equal(deadline_renewal_side(&d, &m, at("2030-12-01")), SIDE_TOKEN);
	f.imprint = DIGEST_SHA224;
	deadline_compute(&f, &cat_default, TIME_MAX, NULL, &d);
	assert_time(deadline_renew_by(&d, &m), at("2028-01-02"), "hash side, with its longer margin");
	assert_int_equal(deadline_renewal_side(&d, &m, at("2028-01-01")), SIDE_TOKEN);
	assert_int_equal(deadline_renewal_side(&d, &m, at("2028-01-02")), SIDE_HASH);
	f.tsa_not_after_utc = at("2028-01-01");
	deadline_compute(&f, &cat_default, TIME_MAX, NULL, &d);
	assert_int_equal(d.side, SIDE_TOKEN);
	assert_time(deadline_renew_by(&d, &m), at("2028-01-01T00:00:01Z") - m.token_seconds, "token first");
	f.tsa_not_after_utc = f.cas[0].not_after_utc = TIME_MAX;
	f.imprint = DIGEST_SHA512;
	deadline_compute(&f, &cat_default, TIME_MAX, NULL, &d);
	assert_time(deadline_renew_by(&d, &m), TIME_MAX, "nothing ends");
}

/* Fifty years of TSAs (crypto-policy 9): what each class is due by, and why. Margins 180 and 365 days. */
static const struct {
	const char *name, *tsa, *ca;
	const struct alg_use *token, *cert;
	enum digest_alg imprint;
	const char *moved, *to; /* a later catalogue ends this digest */
	const char *due, *why;
} decades[] = {
    {"2010, RSA 2048", "2016-01-01", "2020-01-01", &rsa4096, &rsa4096, DIGEST_SHA256, NULL, NULL, "2015-07-05T00:00:01Z", "TSA"},
    {"2015, RSA, long CA", "2026-01-01", "2030-01-01", &rsa4096, &rsa4096, DIGEST_SHA256, NULL, NULL, "2025-07-05T00:00:01Z", "TSA"},
    {"2025, ECDSA under an RSA CA", "2036-01-01", "2040-01-01", &p256, &rsa4096, DIGEST_SHA512, NULL, NULL, "2028-07-05",
	"certificate signature RSA"},
    {"2028, ECDSA throughout", "2036-01-01", "2040-01-01", &p256, &p256, DIGEST_SHA512, NULL, NULL, "2035-07-05T00:00:01Z", "TSA"},
    {"2033, SHA-256 will end in 2034", "2036-01-01", "2040-01-01", &p256, &p256, DIGEST_SHA256, "2.16.840.1.101.3.4.2.1",
	"2034-01-01", "2033-01-01", "imprint digest SHA256"},
    {"the same, SHA-512", "2036-01-01", "2040-01-01", &p256, &p256, DIGEST_SHA512, "2.16.840.1.101.3.4.2.1", "2034-01-01",
	"2035-07-05T00:00:01Z", "TSA"},
};

static void
test_decades(void **state)
{
	struct margins m = {.token_seconds = 180 * 86400LL, .hash_seconds = 365 * 86400LL};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(decades) / sizeof(decades[0]); i++) {
		AUTO(catalogue) struct catalogue *later = decades[i].moved != NULL ? moved(decades[i].moved, decades[i].to) : NULL;
		struct class_facts f = facts();
		struct deadline d;

		f.tsa_not_after_utc = at(decades[i].tsa);
		f.cas[0].not_after_utc = at(decades[i].ca);
		f.token = *decades[i].token;
		f.cert_algs[0] = f.cert_algs[1] = *decades[i].cert;
		f.imprint = decades[i].imprint;
		deadline_compute(&f, later != NULL ? later : &cat_default, TIME_MAX, NULL, &d);
		assert_time(deadline_renew_by(&d, &m), at(decades[i].due), decades[i].name);
		if (strncmp(d.why, decades[i].why, strlen(decades[i].why)) != 0)
			fail_msg("%s: %s", decades[i].name, d.why);
	}
}

static const struct {
	const char *t;
	enum deadline_alarm alarm;
} alarm_rows[] = {
    {"2030-01-01", ALARM_NONE}, {"2030-07-04T23:59:59Z", ALARM_NONE}, {"2030-07-05", ALARM_DUE}, {"2030-10-02", ALARM_DUE},
    {"2030-10-03", ALARM_HALF}, {"2030-12-01", ALARM_HALF}, {"2030-12-02", ALARM_MONTH}, {"2030-12-24", ALARM_MONTH},
    {"2030-12-25", ALARM_WEEK}, {"2030-12-31T23:59:59Z", ALARM_WEEK}, {"2031-01-01", ALARM_LAPSED}, {"2099-01-01", ALARM_LAPSED},
};

static void
test_alarms(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(alarm_rows) / sizeof(alarm_rows[0]); i++)
		if (deadline_alarm_at(at("2031-01-01"), 180 * 86400LL, at(alarm_rows[i].t)) != alarm_rows[i].alarm)
			fail_msg("%s: not %s", alarm_rows[i].t, deadline_alarm_name(alarm_rows[i].alarm));
	assert_int_equal(deadline_alarm_at(TIME_MAX, 0, at("9999-01-01")), ALARM_NONE);
	/* Nobody is woken before a piece is due, however short its margin. */
	assert_int_equal(deadline_alarm_at(at("2031-01-01"), 86400, at("2030-12-28")), ALARM_NONE);
}

/* ---- things and records ---- */

#define ROW(t, k, c, s, ok, end)                                                                                       \
	{                                                                                                              \
		.thing = (t), .kind = (k), .chain = (c), .seq = (s), .intact = (ok), .deadline_utc = (end)             \
	}

static void
test_things(void **state)
{
	struct evidence_row rows[] = {
	    ROW("signature:0", EVIDENCE_STAMP, "", 1, true, at("2030-01-01")),
	    ROW("signature:1", EVIDENCE_STAMP, "", 1, true, at("2034-01-01")),
	    ROW("signature:0", EVIDENCE_TREE, "TSA 2", 1, true, at("2036-01-01")),
	};
	struct thing_deadline t[2];
	size_t i;

	(void)state;
	assert_int_equal(deadline_things(rows, 3, t, 2), 2);
	assert_time(t[0].utc, at("2036-01-01"), "the latest of independent pieces");
	assert_int_equal(t[0].row, 2);
	assert_time(t[1].utc, at("2034-01-01"), "its only piece");
	assert_time(deadline_record(rows, 3), at("2034-01-01"), "the earliest of its things");
	for (i = 0; i < 3; i++)
		assert_true(deadline_row_live(rows, 3, i)); /* each by its own class */
	assert_int_equal(deadline_things(rows, 3, t, 0), 2); /* counted, not written */
	assert_time(deadline_record(rows, 0), TIME_MAX, "nothing to protect");
}

static void
test_chains(void **state)
{
	struct evidence_row rows[] = {
	    ROW("signature:0", EVIDENCE_STAMP, "", 1, true, at("2040-01-01")),
	    ROW("signature:0", EVIDENCE_STAMP, "", 2, true, at("2032-01-01")),
	    ROW("signature:0", EVIDENCE_STAMP, "", 3, false, at("2050-01-01")),
	};
	struct thing_deadline t;

	(void)state;
	assert_false(deadline_row_live(rows, 3, 0));
	assert_true(deadline_row_live(rows, 3, 1));
	assert_false(deadline_row_live(rows, 3, 2));
	assert_false(deadline_row_live(rows, 3, 3)); /* there is none */
	assert_int_equal(deadline_things(rows, 3, &t, 1), 1);
	assert_time(t.utc, at("2032-01-01"), "the newest that verifies, though an older one lasts longer");
	rows[0].intact = rows[1].intact = false;
	assert_time(deadline_record(rows, 3), TIME_NONE, "no evidence is no deadline");
}

/* ---- pending ---- */

static const struct {
	const char *name;
	bool stamped, values, references;
	const char *signer, *grace, *stamp, *responder;
	enum digest_alg ref, manifest;
	const char *utc, *why, *next;
	bool shortened;
} pending_rows[] = {
    {"bare", false, false, false, "2027-01-01", "open", "open", "open", 0, 0, "2027-01-01T00:00:01Z",
	"signer's certificate ends 2027-01-01", "2026-06-01", false},
    {"stamped, waiting", true, false, false, "2027-01-01", "2026-06-02", "2031-01-01", "open", 0, 0, "2027-01-01T00:00:01Z",
	"signer's certificate (and often its CA's answers) ends 2027-01-01", "2026-06-02", false},
    {"stamp ends first", true, false, false, "2035-01-01", "2026-06-02", "2031-01-01", "open", 0, 0, "2031-01-01",
	"the time-stamp's protection ends 2031-01-01", "2026-06-02", false},
    {"signer ends during the wait", true, false, false, "2026-06-10", "2026-07-01", "2031-01-01", "open", 0, 0,
	"2026-06-10T00:00:01Z", "signer's certificate (and often its CA's answers) ends 2026-06-10", "2026-06-09T00:00:01Z", true},
    {"signer ends tomorrow", true, false, false, "2026-06-01T12:00:00Z", "2026-07-01", "2031-01-01", "open", 0, 0,
	"2026-06-01T12:00:01Z", "signer's certificate (and often its CA's answers) ends 2026-06-01", "2026-06-01", true},
    {"values without an archive stamp", true, true, false, "2027-01-01", "2026-06-02", "2031-01-01", "2026-08-01", 0, 0,
	"2026-08-01T00:00:01Z", "responder or CRL issuer CN=OCSP ends 2026-08-01", "2026-06-01", false},
    {"references of SHA-224", true, false, true, "2040-01-01", "2026-06-02", "2031-01-01", "open", DIGEST_SHA224, 0, "2029-01-01",
	"digest of complete references SHA224 ends 2029-01-01", "2026-06-02", false},
    {"manifest of SHA-1", true, true, false, "2027-01-01", "open", "2031-01-01", "2026-08-01", 0, DIGEST_SHA1, "2012-08-01",
	"digest of a manifest's entries SHA1 ends 2012-08-01", "2026-06-01", false},
};

static void
test_pending(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pending_rows) / sizeof(pending_rows[0]); i++) {
		struct pending_facts f = {.now_utc = at("2026-06-01"), .stamped = pending_rows[i].stamped, .values = pending_rows[i].values,
		    .references = pending_rows[i].references, .signer_not_after_utc = at(pending_rows[i].signer),
		    .grace_end_utc = at(pending_rows[i].grace), .stamp_deadline_utc = at(pending_rows[i].stamp),
		    .responder_not_after_utc = at(pending_rows[i].responder), .responder_subject = "CN=OCSP",
		    .reference_digest = pending_rows[i].ref, .manifest_digest = pending_rows[i].manifest, .signature = rsa4096};
		struct pending p;

		pending_compute(&f, &cat_default, &p);
		assert_time(p.utc, at(pending_rows[i].utc), pending_rows[i].name);
		assert_time(p.next_utc, at(pending_rows[i].next), pending_rows[i].name);
		assert_string_equal(p.why, pending_rows[i].why);
		assert_int_equal(p.grace_shortened, pending_rows[i].shortened);
	}
}

static void
test_pending_algorithm(void **state)
{
	struct pending_facts f = {.now_utc = at("2026-06-01"), .signer_not_after_utc = at("2040-01-01"), .grace_end_utc = TIME_MAX,
	    .stamp_deadline_utc = TIME_MAX, .responder_not_after_utc = TIME_MAX, .signature = rsa4096};
	struct pending p;

	(void)state;
	pending_compute(&f, &cat_default, &p);
	assert_time(p.utc, at("2029-01-01"), "a bare signature ends with its algorithm");
	f.signature = p256;
	f.signer_not_after_utc = TIME_MAX;
	pending_compute(&f, &cat_default, &p);
	assert_time(p.utc, TIME_MAX, "nothing ends");
	assert_string_equal(p.why, "no end is published");
}

/* ---- retention ---- */

static const struct {
	const char *from;
	unsigned years, holds;
	const char *end, *t;
	bool may_go;
	unsigned segment;
} retention_rows[] = {
    {"2026-03-05T10:00:00Z", 10, 0, "2036-03-05T10:00:00Z", "2036-03-05T10:00:00Z", true, 2036},
    {"2026-03-05T10:00:00Z", 10, 0, "2036-03-05T10:00:00Z", "2036-03-05T09:59:59Z", false, 2036},
    {"2026-03-05T10:00:00Z", 10, 1, "2036-03-05T10:00:00Z", "2050-01-01", false, 2036},
    {"2024-02-29T10:00:00Z", 1, 0, "2025-03-01T10:00:00Z", "2025-02-28T12:00:00Z", false, 2025},
    {"2024-02-29T10:00:00Z", 4, 0, "2028-02-29T10:00:00Z", "2028-02-29T10:00:00Z", true, 2028},
    {"2026-12-31T23:59:59Z", 30, 0, "2056-12-31T23:59:59Z", "2057-01-01", true, 2056},
    {"2026-03-05", 0, 0, "open", "9999-12-31", false, 9999},
    /* 9999 means for ever, so what would end then or later never ends: no year 0, whose segment might go at once. */
    {"2026-06-01T00:00:00Z", 7972, 0, "9998-06-01T00:00:00Z", "9998-05-31T00:00:00Z", false, 9998},
    {"2026-06-01T00:00:00Z", 7973, 0, "open", "9998-05-31T00:00:00Z", false, 9999},
    {"2026-06-01T00:00:00Z", 8000, 0, "open", "9998-05-31T00:00:00Z", false, 9999},
    {"2026-06-01T00:00:00Z", 4000000000u, 0, "open", "9998-05-31T00:00:00Z", false, 9999},
};

static void
test_retention(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(retention_rows) / sizeof(retention_rows[0]); i++) {
		struct retention r = {.from_utc = at(retention_rows[i].from), .years = retention_rows[i].years, .holds = retention_rows[i].holds};

		assert_time(retention_end(&r), at(retention_rows[i].end), retention_rows[i].from);
		assert_int_equal(retention_may_go(&r, at(retention_rows[i].t)), retention_rows[i].may_go);
		assert_int_equal(retention_segment_year(&r), retention_rows[i].segment);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_horizons),
	    cmocka_unit_test(test_published_beyond_horizon),
	    cmocka_unit_test(test_new_catalogue),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_faults),
	    cmocka_unit_test(test_long_name),
	    cmocka_unit_test(test_renew_by),
	    cmocka_unit_test(test_decades),
	    cmocka_unit_test(test_alarms),
	    cmocka_unit_test(test_things),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_pending),
	    cmocka_unit_test(test_pending_algorithm),
	    cmocka_unit_test(test_retention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
