/* SPDX-License-Identifier: MIT */
/* Catalogues as RFC 5698 files: what is read, remarked, refused and written; the published ones against the built-in. */
#include "tests/catalogues.h"
#include "policy/catalogue_int.h"
#include "base/xml.h"

#include <libxml/parserInternals.h>
#include <libxml/xmlschemas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the outside data folder, or a skipped test. */
static void
load(const char *path, struct buf *out)
{
	const char *root = kit_shared();
	char name[512];
	FILE *f;
	int c;

	snprintf(name, sizeof(name), "%s/%s", root != NULL ? root : "nowhere", path);
	f = fopen(name, "rb");
	if (f == NULL) {
		print_message("%s is not here\n", name);
		skip();
	}
	while ((c = getc(f)) != EOF)
		buf_add8(out, (unsigned)c);
	fclose(f);
}

static void
test_read(void **state)
{
	static const char xml[] = HEAD ISSUE("2025-01-01") ALG(OID("1.2.840.113549.1.1.10")
		URI("http://www.w3.org/2007/05/xmldsig-more#rsa-pss"),
	    EVAL(MOD("1900"), END("2029-01-01Z"), "<e:MoreDetails><e:Recommendation>L</e:Recommendation></e:MoreDetails>")
		EVAL(MOD("3000"), "", "")) ALG(SHA256_OID, EVAL("", "", "")) TAIL;
	struct alg_use small = PSS_MGF(2048, DIGEST_SHA256, DIGEST_SHA256), large = PSS_MGF(4096, DIGEST_SHA256, DIGEST_SHA256);
	AUTO(buf) struct buf remarks = {0};
	AUTO(catalogue) struct catalogue *c = read_catalogue(xml, &remarks);

	(void)state;
	assert_int_equal(remarks.n, 0);
	assert_string_equal(catalogue_name(c), "House");
	assert_time(catalogue_issued(c), at("2025-01-01"), "issued");
	assert_time(catalogue_end(c, &small), at("2029-01-01"), "PSS 2048");
	assert_time(catalogue_end(c, &large), TIME_MAX, "a key that fits both evaluations: open wins");
}

/* Two algorithms under test: SHA-256 with the given evaluations, and RSA PKCS#1 with SHA-256. */
static const struct {
	const char *name, *xml, *when;
	enum alg_usage usage;
	bool rsa;
	enum alg_reason reason;
	const char *end, *planned;
} eval_rows[] = {
    {"the start is outside", ALG(SHA256_OID, EVAL("", "<Start>2020-01-01</Start>", "")), "2020-01-01", USE_DATA, false,
	ALG_NOT_YET, "open", "open"},
    {"after the start", ALG(SHA256_OID, EVAL("", "<Start>2020-01-01</Start>", "")), "2020-01-01T00:00:01Z", USE_DATA, false,
	ALG_GOOD, "open", "open"},
    {"the offset of a date counts", ALG(SHA256_OID, EVAL("", END("2028-12-31+01:00"), "")), "2028-12-30T23:00:00Z", USE_DATA,
	false, ALG_ENDED, "2028-12-30T23:00:00Z", "2028-12-30T23:00:00Z"},
    {"a gap ends reliability", ALG(SHA256_OID, EVAL("", END("2026-01-01"), "")
	    EVAL("", "<Start>2030-01-01</Start>" END("2040-01-01"), "")),
	"2028-01-01", USE_DATA, false, ALG_ENDED, "2026-01-01", "2026-01-01"},
    {"evaluations that touch are one", ALG(SHA256_OID, EVAL("", END("2026-01-01"), "")
	    EVAL("", "<Start>2026-01-01</Start>" END("2040-01-01"), "")),
	"2028-01-01", USE_DATA, false, ALG_GOOD, "2040-01-01", "2040-01-01"},
    {"two elements of one algorithm", ALG(SHA256_OID, EVAL("", END("2026-01-01"), ""))
	    ALG(URI("http://www.w3.org/2001/04/xmlenc#sha256"), EVAL("", END("2031-01-01"), "")),
	"2028-01-01", USE_DATA, false, ALG_GOOD, "2031-01-01", "2031-01-01"},
    {"the usage itself wins", ALG(SHA256_OID, EVAL("", END("2026-01-01"), USAGE("sign_data/validate_data/validate_timestamps"))
	    EVAL("", END("2030-01-01"), "")),
	"2028-01-01", USE_TIMESTAMPS, false, ALG_ENDED, "2026-01-01", "2026-01-01"},
    {"another usage is not ours", ALG(SHA256_OID, EVAL("", END("2026-01-01"), USAGE("sign_data/validate_data/validate_timestamps"))
	    EVAL("", END("2030-01-01"), "")),
	"2028-01-01", USE_OCSP, false, ALG_GOOD, "2030-01-01", "2030-01-01"},
    {"signing may end before validating", ALG(SHA256_OID, EVAL("", END("2024-01-01"), USAGE("sign_data"))
	    EVAL("", END("2034-01-01"), USAGE("sign_data/validate_data"))),
	"2028-01-01", USE_CERTIFICATES, false, ALG_GOOD, "2034-01-01", "2034-01-01"},
    {"the more general usage serves", ALG(SHA256_OID, EVAL("", END("2030-01-01"), USAGE("sign_data"))), "2028-01-01",
	USE_TIMESTAMPS, false, ALG_GOOD, "2030-01-01", "2030-01-01"},
    {"only for creating certificates", ALG(SHA256_OID, EVAL("", "", USAGE("sign_data/sign_certificates"))), "2028-01-01",
	USE_CERTIFICATES, false, ALG_TOO_SMALL, "-", "-"},
    {"all parameters hold", ALG(SHA256RSA_OID, EVAL(MOD("1000") "<Parameter name=\"qlength\"><Min>1</Min></Parameter>", "", "")),
	"2028-01-01", USE_DATA, true, ALG_TOO_SMALL, "-", "-"},
    {"a parameter that can't be measured", ALG(SHA256RSA_OID, EVAL("<Parameter name=\"exponent\"><Min>3</Min></Parameter>", "", "")),
	"2028-01-01", USE_DATA, true, ALG_TOO_SMALL, "-", "-"},
    {"a maximum is inclusive", ALG(SHA256RSA_OID, EVAL("<Parameter name=\"moduluslength\"><Min>2048</Min><Max>2048</Max></Parameter>",
	    "", "")), "2028-01-01", USE_DATA, true, ALG_GOOD, "open", "open"},
    {"over the maximum", ALG(SHA256RSA_OID, EVAL("<Parameter name=\"moduluslength\"><Max>2047</Max></Parameter>", "", "")),
	"2028-01-01", USE_DATA, true, ALG_TOO_SMALL, "-", "-"},
    {"a suite beats the combination", ALG(SHA256RSA_OID, EVAL("", END("2027-01-01"), ""))
	    ALG(OID("1.2.840.113549.1.1.1"), EVAL("", "", "")) ALG(SHA256_OID, EVAL("", "", "")),
	"2028-01-01", USE_DATA, true, ALG_ENDED, "2027-01-01", "2027-01-01"},
    {"combination: the later start, the earlier end", ALG(OID("1.2.840.113549.1.1.1"), EVAL("", "<Start>2023-01-01</Start>"
	    END("2030-01-01"), "")) ALG(SHA256_OID, EVAL("", END("2029-06-01"), "")),
	"2028-01-01", USE_DATA, true, ALG_GOOD, "2029-06-01", "2029-06-01"},
    {"combination: the digest is not listed", ALG(OID("1.2.840.113549.1.1.1"), EVAL("", "", "")), "2028-01-01", USE_DATA, true,
	ALG_UNLISTED, "-", "-"},
};

static void
test_evaluations(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(eval_rows) / sizeof(eval_rows[0]); i++) {
		AUTO(buf) struct buf xml = {0};
		AUTO(catalogue) struct catalogue *c = NULL;
		struct alg_use use = {.is_signature = eval_rows[i].rsa, .key = eval_rows[i].rsa ? KEY_RSA : KEY_UNKNOWN,
		    .key_bits = eval_rows[i].rsa ? 2048 : 0, .digest = DIGEST_SHA256, .usage = eval_rows[i].usage};
		struct alg_verdict v;

		buf_addf(&xml, "%s%s%s", HEAD ISSUE("2025-01-01"), eval_rows[i].xml, TAIL);
		c = read_catalogue(buf_str(&xml), NULL);
		catalogue_check(c, &use, at(eval_rows[i].when), false, &v);
		if (v.reason != eval_rows[i].reason)
			fail_msg("%s: reason %d", eval_rows[i].name, v.reason);
		assert_time(v.end_utc, at(eval_rows[i].end), eval_rows[i].name);
		assert_time(catalogue_end(c, &use), at(eval_rows[i].planned), eval_rows[i].name);
	}
}

static const struct {
	const char *name, *xml, *remark;
} remark_rows[] = {
    {"End with a time", ALG(SHA256_OID, EVAL("", END("2028-12-31T23:59:59.999+01:00"), "")), "time of day"},
    {"no Validity", ALG(SHA256_OID, "<Evaluation/>"), "without Validity"},
    {"unknown OID, known URI", ALG(OID("2.16.840.1.101.3.4.2") URI("http://www.w3.org/2001/04/xmldsig-more#sha384"),
	EVAL("", "", "")), "unknown ObjectIdentifier"},
    {"OID and URI differ", ALG(OID("1.2.840.10045.4.3.1") URI("http://www.w3.org/2001/04/xmldsig-more#sha224"), EVAL("", "", "")),
	"different algorithms"},
    {"MoreDetails of the wrong namespace", ALG(SHA256_OID, EVAL("", "", "<MoreDetails><Recommendation>R</Recommendation></MoreDetails>")),
	"MoreDetails"},
    {"empty URI", ALG(SHA256_OID "<URI/>", EVAL("", "", "")), "empty URI"},
    {"unknown parameter", ALG(SHA256_OID, EVAL("<Parameter name=\"rounds\"/>", "", "")), "can't be measured"},
    {"unknown usage", ALG(SHA256_OID, EVAL("", "", USAGE("encrypt"))), "unknown usage"},
};

static void
test_remarks(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(remark_rows) / sizeof(remark_rows[0]); i++) {
		AUTO(buf) struct buf xml = {0}, remarks = {0};
		AUTO(catalogue) struct catalogue *c = NULL;

		buf_addf(&xml, "%s%s%s", HEAD ISSUE("2025-01-01"), remark_rows[i].xml, TAIL);
		c = read_catalogue(buf_str(&xml), &remarks);
		if (strstr(buf_str(&remarks), remark_rows[i].remark) == NULL)
			fail_msg("%s: remarks are '%s'", remark_rows[i].name, buf_str(&remarks));
		assert_ptr_equal(strchr(buf_str(&remarks), '\n'), buf_str(&remarks) + remarks.n - 1);
	}
}

static const struct {
	const char *name, *xml, *words;
	enum err_code code;
} refused_rows[] = {
    {"not XML", "hello", "", ERR_FORMAT},
    {"another document", "<a/>", "SecuritySuitabilityPolicy", ERR_FORMAT},
    {"no algorithm", HEAD ISSUE("2025-01-01") TAIL, "no algorithm", ERR_FORMAT},
    {"no issue date", HEAD ALG(SHA256_OID, EVAL("", "", "")) TAIL, "PolicyIssueDate", ERR_FORMAT},
    {"a date that is none", HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", END("soon"), "")) TAIL, "no date", ERR_FORMAT},
    {"a size that is none", HEAD ISSUE("2025-01-01") ALG(SHA256RSA_OID, EVAL(MOD("-1"), "", "")) TAIL, "no size", ERR_FORMAT},
    {"no evaluation", HEAD ISSUE("2025-01-01") ALG(SHA256_OID, "") TAIL, "without an evaluation", ERR_FORMAT},
    {"no identifier", HEAD ISSUE("2025-01-01") ALG("", EVAL("", "", "")) TAIL, "without an identifier", ERR_FORMAT},
    {"DOCTYPE", "<!DOCTYPE a><a/>", "", ERR_REFUSED},
};

static void
test_refused(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused_rows) / sizeof(refused_rows[0]); i++) {
		struct catalogue *c = NULL;
		struct err e = {0};

		if (catalogue_read(slice_str(refused_rows[i].xml), &c, NULL, &e) != refused_rows[i].code)
			fail_msg("%s: %s, '%s'", refused_rows[i].name, err_word(e.code), e.text);
		if (strstr(e.text, refused_rows[i].words) == NULL)
			fail_msg("%s: says '%s'", refused_rows[i].name, e.text);
		assert_null(c);
	}
}

static void
cut(struct slice in, const char *what, void *ctx)
{
	struct catalogue *c = NULL;
	struct err e = {0};

	(void)ctx;
	if (catalogue_read(in, &c, NULL, &e) == ERR_OK)
		fail_msg("%s is taken for a catalogue", what);
}

/* A turned bit may leave a catalogue (of another date, say), but never one without an error's code and text. */
static void
flipped(struct slice in, const char *what, void *ctx)
{
	AUTO(catalogue) struct catalogue *c = NULL;
	AUTO(buf) struct buf remarks = {0};
	struct err e = {0};
	enum err_code rc = catalogue_read(in, &c, &remarks, &e);

	(void)ctx;
	if (rc != ERR_OK && rc != ERR_FORMAT && rc != ERR_REFUSED && rc != ERR_LIMIT)
		fail_msg("%s: %s", what, err_word(rc));
	assert_true((rc == ERR_OK) == (c != NULL) && (rc == ERR_OK) == (e.text[0] == '\0'));
}

static void
test_spoiled(void **state)
{
	static const char xml[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL(MOD("1900"), END("2030-01-01"), USAGE("sign_data"))) TAIL;

	(void)state;
	kit_each_prefix(slice_of(xml, sizeof(xml) - 1), cut, NULL);
	kit_each_bit_flip(slice_of(xml, sizeof(xml) - 1), flipped, NULL);
}

/* The file that ETSI published, with its faults: all read, six kinds of remarks. */
static void
test_etsi_file(void **state)
{
	struct alg_use sha384 = HASH(DIGEST_SHA384), sha224 = HASH(DIGEST_SHA224), sha1 = HASH(DIGEST_SHA1);
	struct alg_use ecdsa = SIG(KEY_ECDSA, 256, DIGEST_SHA224), rsa = SIG(KEY_RSA, 4096, DIGEST_SHA256);
	AUTO(buf) struct buf xml = {0}, remarks = {0};
	AUTO(catalogue) struct catalogue *c = NULL;
	const char *p;
	unsigned lines = 0;

	(void)state;
	load("corpus/crypto-catalogue/dss/dss-policy-crypto-xml/19312MachineReadable.xml", &xml);
	c = read_catalogue(buf_str(&xml), &remarks);
	for (p = buf_str(&remarks); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	if (lines != 6)
		fail_msg("%u remarks:\n%s", lines, buf_str(&remarks));
	assert_time(catalogue_end(c, &sha384), TIME_MAX, "SHA-384 by its URI");
	assert_time(catalogue_end(c, &sha224), at("2028-12-31T22:59:59Z"), "SHA-224 is the digest");
	assert_time(catalogue_end(c, &ecdsa), at("2028-12-31T22:59:59Z"), "ECDSA with SHA-224 has its own line");
	assert_time(catalogue_end(c, &rsa), at("2028-12-31T22:59:59Z"), "RSA PKCS#1");
	assert_time(catalogue_end(c, &sha1), TIME_NONE, "SHA-1 is not in it");
}

/* The suite file of EU DSS gives the same ends as our tables, for every use that they share. */
static void
test_dss_file(void **state)
{
	static const enum digest_alg digests[] = {DIGEST_MD5, DIGEST_SHA1, DIGEST_RIPEMD160, DIGEST_WHIRLPOOL, DIGEST_SHA224,
	    DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA3_224, DIGEST_SHA3_256, DIGEST_SHA3_384, DIGEST_SHA3_512};
	static const unsigned rsa[] = {700, 786, 1024, 1536, 1900, 2048, 3000, 4096}, ec[] = {150, 160, 163, 224, 256, 521};
	AUTO(buf) struct buf xml = {0}, remarks = {0};
	AUTO(catalogue) struct catalogue *c = NULL;
	unsigned compared = 0;
	size_t i, k;

	(void)state;
	load("corpus/crypto-catalogue/dss/dss-policy-crypto-xml/dss-crypto-suite.xml", &xml);
	c = read_catalogue(buf_str(&xml), &remarks);
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		struct alg_use use = HASH(digests[i]);

		assert_time(catalogue_end(&cat_default, &use), catalogue_end(c, &use), digest_row(digests[i])->name);
		assert_time(catalogue_end(&cat_dss, &use), catalogue_end(c, &use), digest_row(digests[i])->name);
		for (k = 0; k < 8; k++, compared++) {
			struct alg_use pkcs1 = SIG(KEY_RSA, rsa[k], digests[i]), pss = PSS_MGF(rsa[k], digests[i], digests[i]);

			if (digests[i] != DIGEST_WHIRLPOOL) /* no suite there; nobody signs so */
				assert_time(catalogue_end(&cat_default, &pkcs1), catalogue_end(c, &pkcs1), digest_row(digests[i])->name);
			assert_time(catalogue_end(&cat_default, &pss), catalogue_end(c, &pss), digest_row(digests[i])->name);
			assert_time(catalogue_end(&cat_dss, &pss), catalogue_end(c, &pss), digest_row(digests[i])->name);
		}
		for (k = 0; k < 6; k++, compared++) {
			struct alg_use ecdsa = SIG(KEY_ECDSA, ec[k], digests[i]);

			assert_time(catalogue_end(&cat_default, &ecdsa), catalogue_end(c, &ecdsa), digest_row(digests[i])->name);
		}
	}
	assert_int_equal(compared, 12 * 14);
}

/* Every line of the published table, as its README says to read it, against the built-in. */
static void
test_dss_table(void **state)
{
	AUTO(buf) struct buf tsv = {0};
	char *line, *save = NULL;
	unsigned lines = 0;

	(void)state;
	load("corpus/dss-catalogue.tsv", &tsv);
	for (line = strtok_r((char *)tsv.p, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char kind[16], name[32], size[16], end[16], level[8];
		struct alg_use use = {0};
		struct alg_verdict v;
		int64_t want;

		assert_int_equal(sscanf(line, "%15s %31s %15s %15s %7s", kind, name, size, end, level), 5);
		if (strcmp(kind, "digest") == 0) {
			use.digest = digest_by_name(name)->alg;
		} else if (strcmp(kind, "key") == 0 || strcmp(kind, "minimum") == 0) {
			use = (struct alg_use)SIG(KEY_UNKNOWN, (unsigned)atoi(size), DIGEST_SHA512);
			while (strcmp(key_kind_name(use.key), name) != 0)
				assert_true(++use.key < KEY_KINDS);
		} else {
			continue;
		}
		lines++;
		if (strcmp(kind, "minimum") == 0) {
			catalogue_check(&cat_dss, &use, at("2000-01-01"), true, &v);
			assert_int_equal(v.reason, ALG_GOOD);
			use.key_bits--;
			catalogue_check(&cat_dss, &use, at("2000-01-01"), true, &v);
			assert_int_equal(v.reason, ALG_TOO_SMALL);
			continue;
		}
		want = strcmp(end, "-") == 0 ? TIME_MAX : at(end);
		assert_time(catalogue_end(&cat_dss, &use), want, line);
		catalogue_check(&cat_dss, &use, want == TIME_MAX ? at("2100-01-01") : want, true, &v);
		assert_int_equal(v.good, strcmp(level, "FAIL") != 0);
	}
	assert_int_equal(lines, 37);
}

/* What we print is read back as the same rules, without a remark. */
static void
test_write(void **state)
{
	AUTO(buf) struct buf xml = {0}, again = {0}, remarks = {0};
	AUTO(catalogue) struct catalogue *c = NULL;

	(void)state;
	catalogue_write(&cat_default, &xml);
	c = read_catalogue(buf_str(&xml), &remarks);
	assert_int_equal(remarks.n, 0);
	assert_int_equal(c->n, cat_default.n);
	catalogue_diff(&cat_default, c, &again);
	assert_string_equal(buf_str(&again), "");
	catalogue_write(c, &again);
	assert_string_equal(buf_str(&again), buf_str(&xml));
}

/* The schema has dates only: an instant inside a day becomes the stricter of its neighbours. */
static void
test_write_instants(void **state)
{
	static const char xml[] = HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", "<Start>2020-01-01T12:00:00Z</Start>"
	    END("2028-12-31T23:59:59+01:00"), "")) ALG(SHA1_OID, EVAL("", "<Start>2000-01-01</Start>" END("2012-08-01"), "")) TAIL;
	AUTO(catalogue) struct catalogue *c = read_catalogue(xml, NULL);
	AUTO(buf) struct buf out = {0};

	(void)state;
	catalogue_write(c, &out);
	assert_non_null(strstr(buf_str(&out), "<Start>2020-01-02Z</Start><End>2028-12-31Z</End>"));
	assert_non_null(strstr(buf_str(&out), "<Start>2000-01-01Z</Start><End>2012-08-01Z</End>"));
}

static xmlParserInputPtr
local_schema(const char *url, const char *id, xmlParserCtxtPtr ctx)
{
	const char *root = kit_shared(), *base = strrchr(url, '/');
	char name[512];

	(void)id;
	snprintf(name, sizeof(name), "%s/schemas/%s", root,
	    strstr(url, "DTD") != NULL || strstr(url, "dtd") != NULL ? "empty.dtd" : base != NULL ? base + 1 : url);
	return xmlNewInputFromFile(ctx, name);
}

static void
test_write_schema(void **state)
{
	AUTO(buf) struct buf schema = {0}, xml = {0};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	xmlExternalEntityLoader before = xmlGetExternalEntityLoader();
	xmlSchemaParserCtxtPtr parser;
	xmlSchemaValidCtxtPtr valid;
	xmlSchemaPtr rules;
	struct err e = {0};

	(void)state;
	load("schemas/rfc5698.xsd", &schema);
	catalogue_write(&cat_default, &xml);
	assert_ok(xml_load(buf_slice(&xml), NULL, &doc, &e), &e);
	/* The extension's own schema is in the same document under another namespace: one set for both. */
	buf_clear(&schema);
	buf_adds(&schema, "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">"
			  "<xs:import namespace=\"urn:ietf:params:xml:ns:dssc\" schemaLocation=\"rfc5698.xsd\"/>"
			  "<xs:import namespace=\"http://uri.etsi.org/19322/v1.1.1#\" schemaLocation=\"19322algocatxmlschema.xsd\"/>"
			  "</xs:schema>");
	xmlSetExternalEntityLoader(local_schema);
	parser = xmlSchemaNewMemParserCtxt((const char *)schema.p, (int)schema.n);
	rules = xmlSchemaParse(parser);
	xmlSetExternalEntityLoader(before);
	assert_non_null(rules);
	valid = xmlSchemaNewValidCtxt(rules);
	assert_int_equal(xmlSchemaValidateDoc(valid, doc), 0);
	xmlSchemaFreeValidCtxt(valid);
	xmlSchemaFree(rules);
	xmlSchemaFreeParserCtxt(parser);
}

/* What is carried by its URI is written as one: no ObjectIdentifier that is none. */
static void
test_write_uri(void **state)
{
	static const char xml[] = HEAD ISSUE("2025-01-01") ALG(URI("http://example.org/new-curve"), EVAL("", "", "")) ALG(SHA256_OID, EVAL("", "", "")) TAIL;
	AUTO(catalogue) struct catalogue *c = read_catalogue(xml, NULL);
	AUTO(buf) struct buf out = {0};

	(void)state;
	catalogue_write(c, &out);
	assert_non_null(strstr(buf_str(&out), "<URI>http://example.org/new-curve</URI>"));
	assert_null(strstr(buf_str(&out), "<ObjectIdentifier>http"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_evaluations),
	    cmocka_unit_test(test_remarks),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_spoiled),
	    cmocka_unit_test(test_etsi_file),
	    cmocka_unit_test(test_dss_file),
	    cmocka_unit_test(test_dss_table),
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_write_instants),
	    cmocka_unit_test(test_write_schema),
	    cmocka_unit_test(test_write_uri),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
