/* SPDX-License-Identifier: MIT */
/* The key of the log: log.key and log.pub, and where its secret half lies while a writer is at work. */
#include "store/store_int.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEY_FILE_MAX 4096
#define BEGIN "-----BEGIN PRIVATE KEY-----\n"
#define END "-----END PRIVATE KEY-----\n"

/* RFC 8410 7: PKCS#8 of an Ed25519 key, up to its 32 octets. */
static const uint8_t PKCS8[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

static void
pkey_auto(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void
bio_auto(BIO **b)
{
	BIO_free(*b);
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_release(b);
}

static EVP_PKEY *
pkey_of(const uint8_t seed[LOG_SEED])
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, LOG_SEED);
}

/* One form, written and read here: a library's reader leaves copies behind that every child would inherit. */
static void
write_private(const uint8_t seed[LOG_SEED], struct buf *out)
{
	uint8_t der[sizeof(PKCS8) + LOG_SEED];

	memcpy(der, PKCS8, sizeof(PKCS8));
	memcpy(der + sizeof(PKCS8), seed, LOG_SEED);
	buf_room(out, KEY_FILE_MAX);
	buf_adds(out, BEGIN);
	buf_addbase64(out, slice_of(der, sizeof(der)));
	buf_adds(out, "\n" END);
	explicit_bzero(der, sizeof(der));
}

static bool
read_private(struct slice text, uint8_t seed[LOG_SEED])
{
	struct slice body = {0};
	struct buf der = {0};
	bool ok;

	if (text.n <= strlen(BEGIN END) || memcmp(text.p, BEGIN, strlen(BEGIN)) != 0 ||
	    memcmp(text.p + text.n - strlen(END), END, strlen(END)) != 0)
		return false;
	body = slice_of(text.p + strlen(BEGIN), text.n - strlen(BEGIN END));
	ok = base64_to(body, &der, NULL) == ERR_OK && der.n == sizeof(PKCS8) + LOG_SEED &&
	    memcmp(der.p, PKCS8, sizeof(PKCS8)) == 0;
	if (ok)
		memcpy(seed, der.p + sizeof(PKCS8), LOG_SEED);
	wipe(&der);
	return ok;
}

static enum err_code
public_text(const uint8_t seed[LOG_SEED], struct buf *out, struct err *e)
{
	AUTO(pkey) EVP_PKEY *k = pkey_of(seed);
	AUTO(bio) BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	if (k == NULL || b == NULL || PEM_write_bio_PUBKEY(b, k) != 1)
		return err_openssl(e, ERR_UNSUPPORTED, "log key");
	n = BIO_get_mem_data(b, &p);
	buf_add(out, p, n > 0 ? (size_t)n : 0);
	return buf_ok(out, e);
}

enum err_code
log_key_make(int dir, const struct entropy *random, struct err *e)
{
	uint8_t seed[LOG_SEED];
	AUTO(buf) struct buf pub = {0};
	struct buf priv = {0};
	enum err_code r = entropy_fill(random, seed, sizeof(seed), e);

	if (r != ERR_OK)
		return r;
	write_private(seed, &priv);
	r = public_text(seed, &pub, e);
	explicit_bzero(seed, sizeof(seed));
	if (r == ERR_OK)
		r = buf_ok(&priv, e);
	if (r == ERR_OK)
		r = sys_write_durably(dir, "log.key", buf_slice(&priv), 0600, e);
	if (r == ERR_OK)
		r = sys_write_durably(dir, "log.pub", buf_slice(&pub), 0644, e);
	wipe(&priv);
	return r;
}

static size_t
page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A receipt signed by another key than the one that was handed out would be worth nothing. */
static enum err_code
is_pair(int dir, const uint8_t seed[LOG_SEED], struct err *e)
{
	AUTO(buf) struct buf file = {0};
	AUTO(pkey) EVP_PKEY *a = pkey_of(seed);
	AUTO(pkey) EVP_PKEY *b = NULL;
	AUTO(bio) BIO *bio = NULL;
	enum err_code r = sys_read_file(dir, "log.pub", KEY_FILE_MAX, &file, e);

	if (r != ERR_OK)
		return r;
	bio = BIO_new_mem_buf(file.p, (int)file.n);
	b = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, (char[]){""} /* no question at a terminal */) : NULL;
	if (a == NULL || b == NULL || EVP_PKEY_eq(a, b) != 1)
		return err_openssl(e, ERR_DAMAGED, "log.key is not the key of log.pub");
	return ERR_OK;
}

static enum err_code
load(int dir, uint8_t *seed, struct err *e)
{
	struct buf text = {0};
	enum err_code r = sys_read_file(dir, "log.key", KEY_FILE_MAX, &text, e);

	if (r == ERR_OK && !read_private(buf_slice(&text), seed))
		r = err_set(e, ERR_FORMAT, "log.key is not an Ed25519 key in PKCS#8 PEM");
	wipe(&text);
	return r == ERR_OK ? is_pair(dir, seed, e) : r;
}

enum err_code
log_key_load(int dir, uint8_t **out, struct err *e)
{
	uint8_t *seed = mmap(NULL, page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enum err_code r;

	if (seed == MAP_FAILED)
		return err_nomem(e);
	if (madvise(seed, page(), MADV_DONTFORK) != 0 || madvise(seed, page(), MADV_DONTDUMP) != 0)
		r = err_errno(e, ERR_UNSUPPORTED, errno, "memory that no child inherits");
	else
		r = load(dir, seed, e);
	if (r == ERR_OK)
		*out = seed;
	else
		log_key_release(seed);
	return r;
}

void
log_key_release(uint8_t *seed)
{
	if (seed == NULL)
		return;
	explicit_bzero(seed, LOG_SEED);
	munmap(seed, page());
}
