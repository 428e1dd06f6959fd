/* SPDX-License-Identifier: MIT */
/*
 * The two built-in catalogues. Dates are the first day that is not good, UTC.
 * "default" is the content of TS 119 312 1.5.1 with the historical ends kept
 * (a catalogue that forgets dead algorithms would refuse what was right when
 * it was proved), its slips corrected, and Ed25519 and Ed448 added.
 * "dss" is the table that EU DSS 6.4 works by, for comparison of verdicts.
 */
#include "policy/catalogue_int.h"

/* Days from civil, as a constant expression: March-based year, then days before the month. */
#define YEAR(y, m) ((int64_t)(y) - ((m) <= 2))
#define DAYS(y, m, d)                                                                                                  \
	(365 * YEAR(y, m) + YEAR(y, m) / 4 - YEAR(y, m) / 100 + YEAR(y, m) / 400 +                                     \
	    (153 * ((m) + ((m) > 2 ? -3 : 9)) + 2) / 5 + (d)-1 - 719468)
#define DATE(y, m, d) (DAYS(y, m, d) * 86400)
#define OPEN TIME_MAX
#define ISSUED DATE(2024, 10, 13)

#define END_2010 DATE(2010, 8, 1)
#define END_2012 DATE(2012, 8, 1)
#define END_2014 DATE(2014, 8, 1)
#define END_2019 DATE(2019, 10, 1)
#define END_2021 DATE(2021, 10, 1)
#define END_2029 DATE(2029, 1, 1)

#define HASH(d, end, rl)                                                                                               \
	{                                                                                                              \
		.kind = CAT_DIGEST, .digest = (d), .start_utc = TIME_NONE, .end_utc = (end), .recommendation = (rl)    \
	}
#define SIZED(k, key_, d, which, bits, end, rl)                                                                        \
	{                                                                                                              \
		.kind = (k), .key = (key_), .digest = (d), .size = {[which] = {(bits), 0}}, .start_utc = TIME_NONE,    \
		.end_utc = (end), .recommendation = (rl)                                                               \
	}
#define RSA(d, bits, end) SIZED(CAT_SUITE, KEY_RSA, d, SIZE_MODULUS, bits, end, 'L')
#define RSA_NOW(d) RSA(d, 786, END_2010), RSA(d, 1024, END_2019), RSA(d, 1900, END_2029)
#define PSS(bits, end, rl) SIZED(CAT_KEY, KEY_RSA_PSS, DIGEST_NONE, SIZE_MODULUS, bits, end, rl)
#define EC(k, key_, d, bits, end, rl) SIZED(k, key_, d, SIZE_P, bits, end, rl)
#define EC_OLD(k, key_, d) EC(k, key_, d, 160, END_2012, 'L'), EC(k, key_, d, 224, END_2021, 'L')
#define EC_OPEN(k, key_, d) EC_OLD(k, key_, d), EC(k, key_, d, 256, OPEN, 'R')
#define DSA(p, q, end, rl)                                                                                             \
	{                                                                                                              \
		.kind = CAT_KEY, .key = KEY_DSA, .size = {[SIZE_P] = {(p), 0}, [SIZE_Q] = {(q), 0}},                   \
		.start_utc = TIME_NONE, .end_utc = (end), .recommendation = (rl)                                       \
	}
#define ED(key_)                                                                                                       \
	{                                                                                                              \
		.kind = CAT_KEY, .key = (key_), .start_utc = TIME_NONE, .end_utc = OPEN, .recommendation = 'R',        \
		.note = ED_REASON, .overlaid = true                                                                                    \
	}
#define ED_REASON                                                                                                      \
	"RFC 8032 schemes of at least 128-bit strength, standard in FIPS 186-5; TS 119 312 1.5.1 does "      \
	"not list them and names no weakness, so signatures made with them are accepted without a published end"
#define CURVE(oid)                                                                                                     \
	{                                                                                                              \
		.kind = CAT_OTHER, .start_utc = TIME_NONE, .end_utc = OPEN, .recommendation = 'R', .id = (oid)         \
	}

static const struct cat_row default_rows[] = {
    HASH(DIGEST_MD5, DATE(2004, 8, 1), 'L'),
    HASH(DIGEST_SHA1, END_2012, 'L'),
    HASH(DIGEST_RIPEMD160, END_2014, 'L'),
    HASH(DIGEST_WHIRLPOOL, DATE(2020, 12, 1), 'L'),
    HASH(DIGEST_SHA224, END_2029, 'L'),
    HASH(DIGEST_SHA256, OPEN, 'R'),
    HASH(DIGEST_SHA384, OPEN, 'R'),
    HASH(DIGEST_SHA512, OPEN, 'R'),
    HASH(DIGEST_SHA3_256, OPEN, 'R'),
    HASH(DIGEST_SHA3_384, OPEN, 'R'),
    HASH(DIGEST_SHA3_512, OPEN, 'R'),
    RSA(DIGEST_MD5, 786, DATE(2004, 8, 1)),
    RSA(DIGEST_SHA1, 786, END_2010),
    RSA(DIGEST_SHA1, 1024, END_2012),
    RSA(DIGEST_RIPEMD160, 786, END_2010),
    RSA(DIGEST_RIPEMD160, 1024, END_2014),
    RSA_NOW(DIGEST_SHA224),
    RSA_NOW(DIGEST_SHA256),
    RSA_NOW(DIGEST_SHA384),
    RSA_NOW(DIGEST_SHA512),
    RSA_NOW(DIGEST_SHA3_256),
    RSA_NOW(DIGEST_SHA3_384),
    RSA_NOW(DIGEST_SHA3_512),
    PSS(786, END_2010, 'L'),
    PSS(1024, END_2019, 'L'),
    PSS(1900, END_2029, 'L'),
    PSS(3000, OPEN, 'R'),
    DSA(1024, 160, DATE(2015, 12, 1), 'L'),
    DSA(1900, 200, END_2029, 'L'),
    DSA(3000, 250, OPEN, 'R'),
    EC_OLD(CAT_SUITE, KEY_ECDSA, DIGEST_SHA224),
    EC(CAT_SUITE, KEY_ECDSA, DIGEST_SHA224, 256, END_2029, 'L'),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA256),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA384),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA512),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA3_256),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA3_384),
    EC_OPEN(CAT_SUITE, KEY_ECDSA, DIGEST_SHA3_512),
    EC_OPEN(CAT_KEY, KEY_ECDSA, DIGEST_NONE),
    EC_OPEN(CAT_KEY, KEY_PLAIN_ECDSA, DIGEST_NONE),
    ED(KEY_ED25519),
    ED(KEY_ED448),
    CURVE("1.2.250.1.223.101.256.1"),
    CURVE("1.3.36.3.3.2.8.1.1.7"),
    CURVE("1.3.36.3.3.2.8.1.1.11"),
    CURVE("1.3.36.3.3.2.8.1.1.13"),
    CURVE("1.2.840.10045.3.1.7"),
    CURVE("1.3.132.0.34"),
    CURVE("1.3.132.0.35"),
    CURVE("1.0.14888.3.0.13"),
};

#define KEY(key_, which, bits, end) SIZED(CAT_KEY, key_, DIGEST_NONE, which, bits, end, 0)

/* The lowest line of a key is also its minimum: a smaller one meets no line. */
static const struct cat_row dss_rows[] = {
    HASH(DIGEST_MD5, DATE(2004, 8, 1), 0),
    HASH(DIGEST_SHA1, END_2012, 0),
    HASH(DIGEST_SHA224, END_2029, 0),
    HASH(DIGEST_SHA256, OPEN, 0),
    HASH(DIGEST_SHA384, OPEN, 0),
    HASH(DIGEST_SHA512, OPEN, 0),
    HASH(DIGEST_SHA3_256, OPEN, 0),
    HASH(DIGEST_SHA3_384, OPEN, 0),
    HASH(DIGEST_SHA3_512, OPEN, 0),
    HASH(DIGEST_RIPEMD160, END_2014, 0),
    HASH(DIGEST_WHIRLPOOL, DATE(2020, 12, 1), 0),
    KEY(KEY_RSA, SIZE_MODULUS, 786, END_2010),
    KEY(KEY_RSA, SIZE_MODULUS, 1024, END_2019),
    KEY(KEY_RSA, SIZE_MODULUS, 1536, END_2019),
    KEY(KEY_RSA, SIZE_MODULUS, 1900, END_2029),
    KEY(KEY_RSA, SIZE_MODULUS, 3000, END_2029),
    KEY(KEY_RSA_PSS, SIZE_MODULUS, 786, END_2010),
    KEY(KEY_RSA_PSS, SIZE_MODULUS, 1024, END_2019),
    KEY(KEY_RSA_PSS, SIZE_MODULUS, 1536, END_2019),
    KEY(KEY_RSA_PSS, SIZE_MODULUS, 1900, END_2029),
    KEY(KEY_RSA_PSS, SIZE_MODULUS, 3000, OPEN),
    KEY(KEY_DSA, SIZE_P, 1024, DATE(2015, 12, 1)),
    KEY(KEY_DSA, SIZE_P, 1900, END_2029),
    KEY(KEY_DSA, SIZE_P, 3000, OPEN),
    KEY(KEY_ECDSA, SIZE_P, 160, END_2012),
    KEY(KEY_ECDSA, SIZE_P, 163, END_2012),
    KEY(KEY_ECDSA, SIZE_P, 224, END_2021),
    KEY(KEY_ECDSA, SIZE_P, 256, OPEN),
    KEY(KEY_PLAIN_ECDSA, SIZE_P, 160, END_2012),
    KEY(KEY_PLAIN_ECDSA, SIZE_P, 163, END_2012),
    KEY(KEY_PLAIN_ECDSA, SIZE_P, 224, END_2021),
    KEY(KEY_PLAIN_ECDSA, SIZE_P, 256, OPEN),
};

/* The digests are those of catalogue_text; the tests compute them again. */
const struct catalogue cat_default = {
    .name = "Everseal default 1 (TS 119 312 1.5.1, Ed25519 and Ed448 added)",
    .issued_utc = ISSUED,
    .next_update_utc = TIME_NONE,
    .digest = {DIGEST_SHA256, 32, {
	0x4d, 0x50, 0xe8, 0xfa, 0x0c, 0xab, 0x20, 0x6f, 0xe8, 0x3f, 0xb4, 0x76, 0x51, 0x9a, 0xa2, 0xae,
	0xb5, 0x19, 0x46, 0x33, 0x92, 0x08, 0xc2, 0x75, 0x76, 0x68, 0x0d, 0xc2, 0x47, 0x8c, 0xd2, 0x54}},
    .rows = default_rows,
    .n = sizeof(default_rows) / sizeof(default_rows[0]),
};

const struct catalogue cat_dss = {
    .name = "EU DSS 6.4 (TS 119 312 1.5.1)",
    .issued_utc = ISSUED,
    .next_update_utc = TIME_NONE,
    .digest = {DIGEST_SHA256, 32, {
	0x39, 0xbf, 0x7b, 0x41, 0xbf, 0xe2, 0x3a, 0x59, 0xad, 0x98, 0xb1, 0xa3, 0x21, 0x75, 0x9d, 0xeb,
	0x3c, 0x23, 0x72, 0xd6, 0xa6, 0x11, 0x06, 0xc5, 0x9f, 0xf0, 0xa4, 0xb7, 0xcd, 0x57, 0x6f, 0xc5}},
    .rows = dss_rows,
    .n = sizeof(dss_rows) / sizeof(dss_rows[0]),
};
