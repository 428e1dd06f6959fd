/* SPDX-License-Identifier: MIT */
/* Both digests of octets. */
#include "store/store_int.h"

#include <string.h>

static const enum digest_alg PAIR[2] = {DIGEST_SHA256, DIGEST_SHA512};

enum err_code
pair_new(struct digester **d, struct err *e)
{
	return digester_new(PAIR, 2, d, e);
}

enum err_code
pair_finish(struct digester *d, uint64_t size, struct store_ref *out, struct err *e)
{
	struct digest v[2];
	enum err_code r = digester_finish(d, v, e);

	if (r != ERR_OK)
		return r;
	memcpy(out->sha256, v[0].octets, sizeof(out->sha256));
	memcpy(out->sha512, v[1].octets, sizeof(out->sha512));
	out->size_bytes = size;
	return ERR_OK;
}

enum err_code
store_hash_octets(struct slice octets, struct store_ref *out, struct err *e)
{
	AUTO(digester) struct digester *d = NULL;
	enum err_code r = pair_new(&d, e);

	if (r == ERR_OK)
		r = digester_add(d, octets, e);
	return r == ERR_OK ? pair_finish(d, octets.n, out, e) : r;
}

enum err_code
store_hash(const struct source *from, struct store_ref *out, struct err *e)
{
	AUTO(digester) struct digester *d = NULL;
	struct sink to;
	enum err_code r = pair_new(&d, e);

	if (r != ERR_OK)
		return r;
	to = digester_sink(d);
	r = source_copy(from, 0, from->size_bytes, &to, e);
	return r == ERR_OK ? pair_finish(d, from->size_bytes, out, e) : r;
}

bool
ref_eq(const struct store_ref *a, const struct store_ref *b)
{
	return a->size_bytes == b->size_bytes && memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 &&
	    memcmp(a->sha512, b->sha512, sizeof(a->sha512)) == 0;
}
