/* SPDX-License-Identifier: MIT */
#include "tests/pki/pki.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kind {
	const char *name;
	const char *type; /* of OpenSSL */
	int bits;
	const char *curve;
};

static const struct kind kinds[] = {
    {"rsa", "RSA", 3072, NULL},
    {"pss", "RSA", 3072, NULL},
    {"rsa4096", "RSA", 4096, NULL},
    {"rsa2048", "RSA", 2048, NULL},
    {"ecdsa", "EC", 0, "P-256"},
    {"p256", "EC", 0, "P-256"},
    {"p384", "EC", 0, "P-384"},
    {"p521", "EC", 0, "P-521"},
    {"brainpool", "EC", 0, "brainpoolP256r1"},
    {"brainpool384", "EC", 0, "brainpoolP384r1"},
    {"ed25519", "ED25519", 0, NULL},
};

static const struct kind *
kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool
key_kind_known(const char *kind)
{
	return kind_find(kind) != NULL;
}

static EVP_PKEY *
generate(const struct kind *k)
{
	if (k->curve != NULL)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", k->curve);
	if (k->bits != 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)k->bits);
	return EVP_PKEY_Q_keygen(NULL, NULL, k->type);
}

enum err_code
key_load(const char *path, EVP_PKEY **out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(pki_bio) BIO *bio = NULL;

	if (pki_read(path, &text, e) != ERR_OK)
		return e->code;
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	if (bio == NULL ||
	    (*out = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)) == NULL)
		return err_openssl(e, ERR_FORMAT, "%s: not a key", path);
	return ERR_OK;
}

enum err_code
key_save(const char *path, EVP_PKEY *key, struct err *e)
{
	AUTO(pki_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (bio == NULL ||
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return err_openssl(e, ERR_BUG, "%s: key", path);
	n = BIO_get_mem_data(bio, &p);
	return pki_write(path, slice_of(p, (size_t)n), e);
}

/* The number of keys of this kind that the hierarchy has had from the pool,
 * counted up. */
static enum err_code
next_number(const struct pki *p, const char *kind, int *n, struct err *e)
{
	AUTO(mem) char *path = pki_path(p, "pool-%s", kind);
	AUTO(buf) struct buf was = {0}, now = {0};

	if (path == NULL)
		return err_nomem(e);
	if (access(path, F_OK) == 0 && pki_read(path, &was, e) != ERR_OK)
		return e->code;
	*n = atoi(buf_str(&was)) + 1;
	buf_addf(&now, "%d\n", *n);
	return pki_write(path, buf_slice(&now), e);
}

static enum err_code
from_pool(const struct pki *p, const struct kind *k, const char *pool,
    EVP_PKEY **out, struct err *e)
{
	char name[PKI_NAME];
	AUTO(mem) char *path = NULL;
	int n = 0;

	snprintf(name, sizeof(name), "rsa%d", k->bits);
	if (next_number(p, name, &n, e) != ERR_OK)
		return e->code;
	if ((path = mem_printf("%s/%s-%d.pem", pool, name, n)) == NULL)
		return err_nomem(e);
	if (access(path, F_OK) == 0)
		return key_load(path, out, e);
	if ((*out = generate(k)) == NULL)
		return err_openssl(e, ERR_BUG, "key %s", k->name);
	return key_save(path, *out, e);
}

enum err_code
key_make(const struct pki *p, const char *kind, EVP_PKEY **out, struct err *e)
{
	const struct kind *k = kind_find(kind);
	const char *pool = getenv("TESTPKI_POOL");

	if (k == NULL)
		return err_set(e, ERR_USAGE, "no such kind of key: %s", kind);
	if (k->bits != 0 && pool != NULL && access(pool, W_OK) == 0)
		return from_pool(p, k, pool, out, e);
	if ((*out = generate(k)) == NULL)
		return err_openssl(e, ERR_BUG, "key %s", kind);
	return ERR_OK;
}

const EVP_MD *
key_digest(const EVP_PKEY *key)
{
	if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
		return NULL;
	if (EVP_PKEY_get_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 384)
		return EVP_sha512();
	if (EVP_PKEY_get_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 256)
		return EVP_sha384();
	return EVP_sha256();
}
