/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define DSIG_MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define DSIG_MORE07 "http://www.w3.org/2007/05/xmldsig-more#"
#define XENC "http://www.w3.org/2001/04/xmlenc#"
#define NIST "2.16.840.1.101.3.4.2."

static const struct digest_row rows[] = {
    {DIGEST_MD5, "MD5", "1.2.840.113549.2.5", DSIG_MORE "md5", 16, "MD5"},
    {DIGEST_SHA1, "SHA1", "1.3.14.3.2.26", DSIG "sha1", 20, "SHA1"},
    {DIGEST_RIPEMD160, "RIPEMD160", "1.3.36.3.2.1", XENC "ripemd160", 20, "RIPEMD160"},
    {DIGEST_WHIRLPOOL, "WHIRLPOOL", "1.0.10118.3.0.55", DSIG_MORE07 "whirlpool", 64, "WHIRLPOOL"},
    {DIGEST_SHA224, "SHA224", NIST "4", DSIG_MORE "sha224", 28, "SHA224"},
    {DIGEST_SHA256, "SHA256", NIST "1", XENC "sha256", 32, "SHA256"},
    {DIGEST_SHA384, "SHA384", NIST "2", DSIG_MORE "sha384", 48, "SHA384"},
    {DIGEST_SHA512, "SHA512", NIST "3", XENC "sha512", 64, "SHA512"},
    {DIGEST_SHA3_224, "SHA3-224", NIST "7", DSIG_MORE07 "sha3-224", 28, "SHA3-224"},
    {DIGEST_SHA3_256, "SHA3-256", NIST "8", DSIG_MORE07 "sha3-256", 32, "SHA3-256"},
    {DIGEST_SHA3_384, "SHA3-384", NIST "9", DSIG_MORE07 "sha3-384", 48, "SHA3-384"},
    {DIGEST_SHA3_512, "SHA3-512", NIST "10", DSIG_MORE07 "sha3-512", 64, "SHA3-512"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct digest_row *
digest_row(enum digest_alg alg)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].alg == alg)
			return &rows[i];
	return NULL;
}

const struct digest_row *
digest_by_oid(const char *oid)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (strcmp(rows[i].oid, oid) == 0)
			return &rows[i];
	return NULL;
}

const struct digest_row *
digest_by_uri(const char *uri)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (strcmp(rows[i].uri, uri) == 0)
			return &rows[i];
	return NULL;
}

static bool
same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "-_");
		b += strspn(b, "-_");
		if (toupper((unsigned char)*a) != toupper((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
	}
}

const struct digest_row *
digest_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (same_name(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static EVP_MD *fetched[DIGEST_ALGS];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

/* One-time initialisation of the library: fetching costs as much as hashing a page, so each algorithm is fetched once. */
static void
fetch_all(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		fetched[rows[i].alg] = EVP_MD_fetch(NULL, rows[i].evp, NULL);
}

const struct evp_md_st *
digest_evp(enum digest_alg alg)
{
	pthread_once(&fetch_once, fetch_all);
	return (unsigned)alg < DIGEST_ALGS ? fetched[alg] : NULL;
}

static enum err_code
unsupported(enum digest_alg alg, struct err *e)
{
	const struct digest_row *row = digest_row(alg);

	return err_set(e, ERR_UNSUPPORTED, "digest %s is not in this OpenSSL", row != NULL ? row->name : "(unknown)");
}

enum err_code
digest_once(enum digest_alg alg, struct slice in, struct digest *out, struct err *e)
{
	const EVP_MD *md = digest_evp(alg);
	unsigned n = 0;

	*out = (struct digest){0};
	if (md == NULL)
		return unsupported(alg, e);
	if (EVP_Digest(in.p, in.n, out->octets, &n, md, NULL) != 1)
		return err_openssl(e, ERR_NOMEM, "digest");
	out->alg = alg;
	out->n = n;
	return ERR_OK;
}

enum err_code
digest_sha256(struct slice in, uint8_t out[32], struct err *e)
{
	struct digest d;

	if (digest_once(DIGEST_SHA256, in, &d, e) != ERR_OK)
		return err_wrap(e, "sha256");
	memcpy(out, d.octets, 32);
	return ERR_OK;
}

bool
digest_eq(const struct digest *a, const struct digest *b)
{
	return a->alg != DIGEST_NONE && a->alg == b->alg && slice_eq(digest_slice(a), digest_slice(b));
}

void
digest_text(const struct digest *d, char out[DIGEST_TEXT])
{
	const struct digest_row *row = digest_row(d->alg);
	size_t i, n = 0;

	if (row == NULL) {
		snprintf(out, DIGEST_TEXT, "-");
		return;
	}
	for (i = 0; row->name[i] != '\0'; i++)
		out[n++] = (char)tolower((unsigned char)row->name[i]);
	out[n++] = ':';
	hex_of(digest_slice(d), out + n);
}

bool
digest_parse(const char *text, struct digest *out)
{
	const char *colon = strchr(text, ':');
	const struct digest_row *row = NULL;
	char name[16];
	size_t n;

	*out = (struct digest){0};
	if (colon == NULL || (size_t)(colon - text) >= sizeof(name))
		return false;
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = '\0';
	row = digest_by_name(name);
	n = strlen(colon + 1);
	if (row == NULL || n != row->size * 2 || !hex_to(colon + 1, n, out->octets))
		return false;
	out->alg = row->alg;
	out->n = row->size;
	return true;
}

struct digester {
	size_t n;
	enum digest_alg algs[DIGEST_ALGS];
	EVP_MD_CTX *ctx[DIGEST_ALGS];
};

static enum err_code
restart(struct digester *d, struct err *e)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (EVP_DigestInit_ex2(d->ctx[i], digest_evp(d->algs[i]), NULL) != 1)
			return err_openssl(e, ERR_NOMEM, "digest");
	return ERR_OK;
}

enum err_code
digester_new(const enum digest_alg *algs, size_t n, struct digester **out, struct err *e)
{
	AUTO(digester) struct digester *d = mem_new(1, sizeof(*d));
	size_t i;

	if (d == NULL)
		return err_nomem(e);
	if (n > DIGEST_ALGS)
		return err_set(e, ERR_BUG, "%zu digest algorithms at once", n);
	for (i = 0; i < n; i++) {
		if (digest_evp(algs[i]) == NULL)
			return unsupported(algs[i], e);
		d->algs[i] = algs[i];
		d->ctx[i] = EVP_MD_CTX_new();
		d->n = i + 1;
		if (d->ctx[i] == NULL)
			return err_nomem(e);
	}
	if (restart(d, e) != ERR_OK)
		return err_wrap(e, "start");
	*out = TAKE(d);
	return ERR_OK;
}

enum err_code
digester_add(struct digester *d, struct slice in, struct err *e)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (EVP_DigestUpdate(d->ctx[i], in.p, in.n) != 1)
			return err_openssl(e, ERR_NOMEM, "digest");
	return ERR_OK;
}

static enum err_code
digester_write(void *ctx, struct slice s, struct err *e)
{
	return digester_add(ctx, s, e);
}

struct sink
digester_sink(struct digester *d)
{
	return (struct sink){digester_write, d};
}

enum err_code
digester_finish(struct digester *d, struct digest *out, struct err *e)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < d->n; i++) {
		out[i] = (struct digest){.alg = d->algs[i]};
		if (EVP_DigestFinal_ex(d->ctx[i], out[i].octets, &n) != 1)
			return err_openssl(e, ERR_NOMEM, "digest");
		out[i].n = n;
	}
	return restart(d, e);
}

void
digester_free(struct digester *d)
{
	size_t i;

	if (d == NULL)
		return;
	for (i = 0; i < d->n; i++)
		EVP_MD_CTX_free(d->ctx[i]);
	free(d);
}

void
digester_auto(struct digester **d)
{
	int saved = errno;

	digester_free(*d);
	errno = saved;
}
