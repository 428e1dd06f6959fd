/* SPDX-License-Identifier: MIT */
/*
 * Signed checkpoints: C2SP signed-note with an Ed25519 signature, and in it the
 * C2SP tlog-checkpoint lines, so that other log tools read them.
 */
#include "store/tlog.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_MAX 4096
#define KEY_ED25519 32
#define SIG_ED25519 64
#define DASH "\xe2\x80\x94 " /* U+2014 and a space start a signature line */

static void
pkey_auto(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void
mdctx_auto(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static EVP_PKEY *
public_key(struct slice pem)
{
	BIO *b = pem.n <= NOTE_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *k = b != NULL ? PEM_read_bio_PUBKEY(b, NULL, NULL, (char[]){""} /* no question at a terminal */) : NULL;

	BIO_free(b);
	return k;
}

/* C2SP signed-note: first four octets of SHA-256(name || 0x0A || 0x01 || public key). */
static enum err_code
key_id(const EVP_PKEY *k, const char *name, uint8_t out[4], struct err *e)
{
	uint8_t in[160], h[32];
	size_t n = strlen(name), key_n = KEY_ED25519;

	if (n > 126)
		return err_set(e, ERR_USAGE, "log origin is longer than 126 octets");
	memcpy(in, name, n);
	in[n++] = '\n';
	in[n++] = 0x01;
	if (EVP_PKEY_get_raw_public_key(k, in + n, &key_n) != 1 || key_n != KEY_ED25519)
		return err_openssl(e, ERR_UNSUPPORTED, "log key is not Ed25519");
	if (digest_sha256(slice_of(in, n + key_n), h, e) != ERR_OK)
		return err_wrap(e, "log key");
	memcpy(out, h, 4);
	return ERR_OK;
}

static void
note_body(const struct tlog_checkpoint *c, struct buf *out)
{
	buf_addf(out, "%s\n%" PRIu64 "\n", c->origin, c->size);
	buf_addbase64(out, slice_of(c->root, TLOG_HASH));
	buf_adds(out, "\n");
	if (c->time_utc != TIME_NONE)
		buf_addf(out, "time %" PRId64 "\n", c->time_utc);
}

enum err_code
tlog_checkpoint_sign(const struct tlog_checkpoint *c, const uint8_t seed[TLOG_SEED], struct buf *out, struct err *e)
{
	AUTO(buf) struct buf body = {0};
	AUTO(pkey) EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, TLOG_SEED);
	AUTO(mdctx) EVP_MD_CTX *m = EVP_MD_CTX_new();
	uint8_t sig[4 + SIG_ED25519];
	size_t n = SIG_ED25519;

	if (k == NULL)
		return err_openssl(e, ERR_UNSUPPORTED, "log key");
	note_body(c, &body);
	if (buf_ok(&body, e) != ERR_OK || key_id(k, c->origin, sig, e) != ERR_OK)
		return err_wrap(e, "checkpoint");
	if (m == NULL || EVP_DigestSignInit(m, NULL, NULL, NULL, k) != 1 ||
	    EVP_DigestSign(m, sig + 4, &n, body.p, body.n) != 1 || n != SIG_ED25519)
		return err_openssl(e, ERR_UNSUPPORTED, "checkpoint signature");
	buf_addslice(out, buf_slice(&body));
	buf_addf(out, "\n%s%s ", DASH, c->origin);
	buf_addbase64(out, slice_of(sig, sizeof(sig)));
	buf_adds(out, "\n");
	return buf_ok(out, e);
}

/* One line without its end; false at the end of the text. */
static bool
line(struct slice *in, struct slice *out)
{
	const uint8_t *nl = in->n != 0 ? memchr(in->p, '\n', in->n) : NULL;

	if (nl == NULL)
		return false;
	*out = slice_of(in->p, (size_t)(nl - in->p));
	*in = slice_of(nl + 1, in->n - out->n - 1);
	return true;
}

static bool
number(struct slice s, uint64_t *out)
{
	size_t i;

	*out = 0;
	if (s.n == 0 || s.n > 18 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(s.p[i] - '0');
	}
	return true;
}

static bool
read_root(struct slice l, uint8_t out[TLOG_HASH])
{
	AUTO(buf) struct buf b = {0};

	if (base64_to(l, &b, NULL) != ERR_OK || b.n != TLOG_HASH)
		return false;
	memcpy(out, b.p, TLOG_HASH);
	return true;
}

/* Reads the body up to the empty line; lines after the root other than "time" are extensions and pass. */
static enum err_code
read_body(struct slice *text, struct tlog_checkpoint *c, struct err *e)
{
	struct slice l;
	uint64_t t;

	*c = (struct tlog_checkpoint){.time_utc = TIME_NONE};
	if (!line(text, &l) || l.n == 0 || l.n >= sizeof(c->origin) - 1 || memchr(l.p, 0, l.n) != NULL)
		return err_set(e, ERR_FORMAT, "checkpoint: origin");
	memcpy(c->origin, l.p, l.n);
	if (!line(text, &l) || !number(l, &c->size))
		return err_set(e, ERR_FORMAT, "checkpoint: size");
	if (!line(text, &l) || !read_root(l, c->root))
		return err_set(e, ERR_FORMAT, "checkpoint: root");
	while (line(text, &l) && l.n != 0)
		if (l.n > 5 && memcmp(l.p, "time ", 5) == 0 && number(slice_of(l.p + 5, l.n - 5), &t))
			c->time_utc = (int64_t)t;
	return l.n == 0 ? ERR_OK : err_set(e, ERR_FORMAT, "checkpoint: no signature");
}

/* ERR_REFUSED: a line of another key. */
static enum err_code
check_line(struct slice l, EVP_PKEY *k, const char *origin, struct slice body, struct err *e)
{
	AUTO(buf) struct buf sig = {0};
	AUTO(mdctx) EVP_MD_CTX *m = EVP_MD_CTX_new();
	size_t head = strlen(DASH), name = strlen(origin);
	uint8_t id[4];

	if (l.n <= head + name + 1 || memcmp(l.p, DASH, head) != 0)
		return err_set(e, ERR_FORMAT, "checkpoint: signature line");
	if (memcmp(l.p + head, origin, name) != 0 || l.p[head + name] != ' ')
		return ERR_REFUSED;
	if (base64_to(slice_of(l.p + head + name + 1, l.n - head - name - 1), &sig, e) != ERR_OK)
		return err_wrap(e, "checkpoint: signature line");
	if (key_id(k, origin, id, e) != ERR_OK)
		return err_wrap(e, "checkpoint");
	if (sig.n != 4 + SIG_ED25519 || memcmp(sig.p, id, 4) != 0)
		return ERR_REFUSED;
	if (m == NULL || EVP_DigestVerifyInit(m, NULL, NULL, NULL, k) != 1)
		return err_openssl(e, ERR_UNSUPPORTED, "checkpoint signature");
	if (EVP_DigestVerify(m, sig.p + 4, SIG_ED25519, body.p, body.n) != 1)
		return err_openssl(e, ERR_DAMAGED, "checkpoint: the signature is false");
	return ERR_OK;
}

enum err_code
tlog_checkpoint_verify(struct slice text, struct slice pub_pem, struct tlog_checkpoint *out, struct err *e)
{
	AUTO(pkey) EVP_PKEY *k = public_key(pub_pem);
	struct tlog_checkpoint c;
	struct slice rest = text, body, l;

	if (k == NULL)
		return err_openssl(e, ERR_USAGE, "log public key can't be read");
	if (text.n > NOTE_MAX)
		return err_set(e, ERR_LIMIT, "checkpoint of %zu octets, at most %d", text.n, NOTE_MAX);
	if (read_body(&rest, &c, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	body = slice_of(text.p, text.n - rest.n - 1);
	while (line(&rest, &l)) {
		enum err_code r = check_line(l, k, c.origin, body, e);

		if (r == ERR_OK)
			*out = c;
		if (r != ERR_REFUSED)
			return r;
	}
	if (rest.n != 0)
		return err_set(e, ERR_FORMAT, "checkpoint: octets behind the last line");
	return err_set(e, ERR_REFUSED, "checkpoint: no signature of this key");
}
