/* SPDX-License-Identifier: MIT */
/*
 * One wrong bit. A group of format 1 has no twin, but its closing digest says
 * when it is right: every bit is tried. The state of the digest up to the octet
 * is kept, so that trying costs half the text for each bit.
 */
#include "store/recover_int.h"

#include <openssl/evp.h>
#include <string.h>

#define HEAL_MAX ((size_t)32 << 10)
#define FRONT "{\"body\":"
#define BACK_OCTETS (11 + 64 + 3) /* ,"sha256":" HEX "}\n */

static void
mdctx_auto(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

/* The frame or the closing digest itself: few places, each tried with the whole text. */
static enum err_code
heal_frame(struct buf *text, struct err *e)
{
	size_t n = text->n, at;
	unsigned bit;

	for (at = 0; at < n; at++) {
		if (at == strlen(FRONT))
			at = n - BACK_OCTETS;
		for (bit = 0; bit < 8; bit++) {
			enum err_code r;

			text->p[at] ^= (uint8_t)(1u << bit);
			r = group_whole(buf_slice(text), e);
			if (r != ERR_NOTFOUND)
				return r;
			text->p[at] ^= (uint8_t)(1u << bit);
		}
	}
	return ERR_NOTFOUND;
}

/* 1: the digest is the wanted one; 0: another; -1: no memory for it. */
static int
sum_is(EVP_MD_CTX *c, const EVP_MD_CTX *before, struct slice rest, const uint8_t want[32])
{
	uint8_t sum[32];

	if (EVP_MD_CTX_copy_ex(c, before) != 1 || EVP_DigestUpdate(c, rest.p, rest.n) != 1 || EVP_DigestFinal_ex(c, sum, NULL) != 1)
		return -1;
	return memcmp(sum, want, 32) == 0;
}

static enum err_code
heal_body(uint8_t *p, size_t n, const uint8_t want[32], struct err *e)
{
	AUTO(mdctx) EVP_MD_CTX *before = EVP_MD_CTX_new();
	AUTO(mdctx) EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t at;
	unsigned bit;

	if (before == NULL || c == NULL || EVP_DigestInit_ex(before, EVP_sha256(), NULL) != 1)
		return err_nomem(e);
	for (at = 0; at < n; at++) {
		for (bit = 0; bit < 8; bit++) {
			int is;

			p[at] ^= (uint8_t)(1u << bit);
			is = sum_is(c, before, slice_of(p + at, n - at), want);
			if (is != 0)
				return is > 0 ? ERR_OK : err_nomem(e);
			p[at] ^= (uint8_t)(1u << bit);
		}
		if (EVP_DigestUpdate(before, p + at, 1) != 1)
			return err_nomem(e);
	}
	return ERR_NOTFOUND;
}

/* A torn text has holes; one that lost a bit has at most one octet that is no character. */
static bool
may_heal(const struct buf *text)
{
	size_t i, odd = 0;

	if (text->n > HEAL_MAX || text->n <= strlen(FRONT) + BACK_OCTETS)
		return false;
	for (i = 0; i + 1 < text->n && odd < 2; i++)
		odd += text->p[i] < 0x20;
	return odd < 2;
}

enum err_code
group_heal(struct buf *text, struct err *e)
{
	size_t front = strlen(FRONT);
	uint8_t want[32];
	enum err_code r = may_heal(text) ? heal_frame(text, e) : ERR_NOTFOUND;

	if (r == ERR_NOTFOUND && may_heal(text) && hex_to((const char *)text->p + text->n - BACK_OCTETS + 11, 64, want)) {
		r = heal_body(text->p + front, text->n - front - BACK_OCTETS, want, e);
		if (r == ERR_OK)
			r = group_whole(buf_slice(text), e);
	}
	return r == ERR_NOTFOUND ? err_set(e, r, "no single bit makes the group whole") : r;
}
