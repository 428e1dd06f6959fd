/* SPDX-License-Identifier: MIT */
/* Small catalogues as RFC 5698 text, uses of algorithms, and times as texts: for the tests of what is good until when. */
#ifndef EVERSEAL_TESTS_CATALOGUES_H
#define EVERSEAL_TESTS_CATALOGUES_H

#include "tests/kit.h"
#include "policy/policy.h"

#include <string.h>

/* An ISO date or instant, "open", or "-" for none. */
static inline int64_t
at(const char *text)
{
	int64_t t;

	if (strcmp(text, "open") == 0)
		return TIME_MAX;
	if (strcmp(text, "-") == 0)
		return TIME_NONE;
	assert_true(time_parse(text, &t));
	return t;
}

static inline void
assert_time(int64_t got, int64_t want, const char *what)
{
	char a[TIME_TEXT], b[TIME_TEXT];

	time_text(got, a);
	time_text(want, b);
	if (got != want)
		fail_msg("%s: %s, want %s", what, a, b);
}

/* HEAD ISSUE("2025-01-01") ALG(OID("1.2.3"), EVAL("", END("2030-01-01"), "") WHY("reason")) TAIL */
#define HEAD                                                                                                           \
	"<SecuritySuitabilityPolicy xmlns=\"urn:ietf:params:xml:ns:dssc\" xmlns:e=\"http://uri.etsi.org/19322/v1.1.1#\">"  \
	"<PolicyName><Name>House</Name></PolicyName><Publisher><Name>Archive</Name></Publisher>"
#define ISSUE(d) "<PolicyIssueDate>" d "T00:00:00Z</PolicyIssueDate>"
#define TAIL "</SecuritySuitabilityPolicy>"
#define ALG(id, rest) "<Algorithm><AlgorithmIdentifier><Name>n</Name>" id "</AlgorithmIdentifier>" rest "</Algorithm>"
#define OID(o) "<ObjectIdentifier>" o "</ObjectIdentifier>"
#define URI(u) "<URI>" u "</URI>"
#define EVAL(p, v, more) "<Evaluation>" p "<Validity>" v "</Validity>" more "</Evaluation>"
#define END(d) "<End>" d "</End>"
#define MOD(min) "<Parameter name=\"moduluslength\"><Min>" min "</Min></Parameter>"
#define USAGE(u) "<e:MoreDetails><e:AlgorithmUsage>http://uri.etsi.org/19322/" u "</e:AlgorithmUsage></e:MoreDetails>"
#define WHY(t) "<Information><Text>" t "</Text></Information>"
#define SHA1_OID OID("1.3.14.3.2.26")
#define SHA256_OID OID("2.16.840.1.101.3.4.2.1")
#define SHA256RSA_OID OID("1.2.840.113549.1.1.11")

/* A use of an algorithm, as an initializer. */
#define SIG(k, bits, d)                                                                                                \
	{                                                                                                              \
		.is_signature = true, .key = (k), .key_bits = (bits), .digest = (d)                                    \
	}
#define PSS_MGF(bits, d, m)                                                                                            \
	{                                                                                                              \
		.is_signature = true, .key = KEY_RSA_PSS, .key_bits = (bits), .digest = (d), .mgf = (m)                \
	}
#define DSA_PQ(p, q, d)                                                                                                \
	{                                                                                                              \
		.is_signature = true, .key = KEY_DSA, .key_bits = (p), .q_bits = (q), .digest = (d)                    \
	}
#define HASH(d)                                                                                                        \
	{                                                                                                              \
		.digest = (d)                                                                                          \
	}

static inline void
assert_ok(enum err_code rc, const struct err *e)
{
	if (rc != ERR_OK)
		fail_msg("%s", e->text);
}

static inline struct catalogue *
read_catalogue(const char *xml, struct buf *remarks)
{
	struct catalogue *c = NULL;
	struct err e = {0};

	assert_ok(catalogue_read(slice_str(xml), &c, remarks, &e), &e);
	return c;
}

#endif
