/* SPDX-License-Identifier: MIT */
/* What the catalogue files of this folder share: one row = one evaluation of one algorithm. */
#ifndef EVERSEAL_POLICY_CATALOGUE_INT_H
#define EVERSEAL_POLICY_CATALOGUE_INT_H

#include "policy/policy.h"

enum cat_kind {
	CAT_DIGEST = 0,
	CAT_SUITE, /* key and digest in one identifier */
	CAT_KEY,   /* encryption only: combined with a digest row (crypto-policy 2.1) */
	CAT_OTHER  /* curves and what this build does not use: carried by its OID or URI, never matched */
};

enum cat_size { SIZE_MODULUS = 0, SIZE_P, SIZE_Q, SIZE_COUNT };

/* Usage identifiers of TS 119 322, as bits. A row with none serves every use. */
enum cat_usage {
	CU_SIGN = 1,
	CU_SIGN_CERTIFICATES = 2,
	CU_SIGN_OCSP = 4,
	CU_SIGN_TIMESTAMPS = 8,
	CU_VALIDATE = 16,
	CU_VALIDATE_CERTIFICATES = 32,
	CU_VALIDATE_OCSP = 64,
	CU_VALIDATE_TIMESTAMPS = 128,
	CU_FOREIGN = 256 /* an identifier outside that list: matches no use of ours */
};

struct cat_row {
	enum cat_kind kind;
	enum key_kind key;
	enum digest_alg digest;
	struct {
		unsigned min, max; /* inclusive, 0 = no bound */
	} size[SIZE_COUNT];
	bool never; /* a parameter that we can't measure: never applies (RFC 5698: all parameters must hold) */
	int64_t start_utc, end_utc; /* TIME_NONE, TIME_MAX = absent; both ends are outside (crypto-policy 2.3) */
	unsigned usages;
	char recommendation; /* 'R', 'L' or 0 */
	const char *id;	     /* CAT_OTHER: OID or URI */
	const char *note;    /* Information/Text, may be NULL */
	bool overlaid;	     /* the operator's line: its note is the reason that verdicts name */
};

struct catalogue {
	const char *name;
	int64_t issued_utc, next_update_utc; /* TIME_NONE = not stated */
	struct digest digest;
	const struct cat_row *rows; /* grouped: the rows of one algorithm stand together */
	size_t n;
	bool owned; /* allocated: rows, their texts and name are freed */
};

bool cat_same(const struct cat_row *a, const struct cat_row *b); /* same algorithm */
/* First row of c for the same algorithm, NULL if it is not listed. */
const struct cat_row *cat_find(const struct catalogue *c, const struct cat_row *like);

/* Makes a catalogue row by row; all texts are copied. */
struct cat_maker {
	struct cat_row *rows;
	size_t n, cap;
	bool failed;
};
void cat_add(struct cat_maker *m, const struct cat_row *row);
void cat_maker_auto(struct cat_maker *m);
/* digest NULL: SHA-256 of the canonical text. The maker is empty afterwards. */
MUST_USE enum err_code cat_finish(struct cat_maker *m, const char *name, int64_t issued_utc, int64_t next_update_utc,
    const struct digest *digest, struct catalogue **out, struct err *e);

#define CAT_ROWS_MAX 4096 /* a published catalogue has under 200 */
#define CAT_SPANS_MAX 64  /* evaluations of one algorithm */

extern const struct catalogue cat_default, cat_dss;

#endif
