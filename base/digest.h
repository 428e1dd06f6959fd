/* SPDX-License-Identifier: MIT */
/*
 * The one table of digest algorithms, and hashing: one value, a stream, or
 * several algorithms in one pass over the octets.
 */
#ifndef EVERSEAL_BASE_DIGEST_H
#define EVERSEAL_BASE_DIGEST_H

#include "base/bytes.h"

enum digest_alg {
	DIGEST_NONE = 0, /* unknown or not supported */
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_RIPEMD160,
	DIGEST_WHIRLPOOL,
	DIGEST_SHA224,
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
	DIGEST_SHA3_224,
	DIGEST_SHA3_256,
	DIGEST_SHA3_384,
	DIGEST_SHA3_512,
	DIGEST_ALGS
};

#define DIGEST_MAX 64
#define DIGEST_HEX (2 * DIGEST_MAX + 1)

struct digest_row {
	enum digest_alg alg;
	const char *name; /* as the catalogue spells it: "SHA256", "SHA3-256" */
	const char *oid;  /* dotted */
	const char *uri;  /* xades.md 1.7 */
	size_t size;	  /* octets */
	const char *evp;  /* name for EVP_get_digestbyname */
};

struct digest {
	enum digest_alg alg;
	size_t n;
	uint8_t octets[DIGEST_MAX];
};

/* Never NULL for a known algorithm; NULL for DIGEST_NONE or foreign names. Names are compared without case and without '-' or '_'. */
const struct digest_row *digest_row(enum digest_alg alg);
const struct digest_row *digest_by_oid(const char *oid);
const struct digest_row *digest_by_uri(const char *uri);
const struct digest_row *digest_by_name(const char *name);
/* The EVP_MD, fetched once and kept for the process; NULL when this OpenSSL has it not. */
const struct evp_md_st *digest_evp(enum digest_alg alg);

/* Hash octets. ERR_UNSUPPORTED for an algorithm that this OpenSSL has not. */
MUST_USE enum err_code digest_once(enum digest_alg alg, struct slice in, struct digest *out, struct err *e);
/* SHA-256 of octets; for object names. out: 32 octets. */
MUST_USE enum err_code digest_sha256(struct slice in, uint8_t out[32], struct err *e);
bool digest_eq(const struct digest *a, const struct digest *b); /* algorithm and value; DIGEST_NONE equals nothing */
static inline struct slice
digest_slice(const struct digest *d)
{
	return slice_of(d->octets, d->n);
}
/* "sha256:<hex>" with the table's name in lower case; out: DIGEST_TEXT octets. */
#define DIGEST_TEXT (DIGEST_HEX + 16)
void digest_text(const struct digest *d, char out[DIGEST_TEXT]);
bool digest_parse(const char *text, struct digest *out);

/* A stream under one or more algorithms. start; its sink; finish once (or free). */
struct digester;
MUST_USE enum err_code digester_new(const enum digest_alg *algs, size_t n, struct digester **out, struct err *e);
MUST_USE enum err_code digester_add(struct digester *d, struct slice in, struct err *e);
struct sink digester_sink(struct digester *d);
/* out: as many as algs given, in their order. The digester starts anew afterwards. */
MUST_USE enum err_code digester_finish(struct digester *d, struct digest *out, struct err *e);
void digester_free(struct digester *d);
void digester_auto(struct digester **d);

#endif
