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
static bool
heal_frame(struct buf *text)
{
	size_t n = text->n, at;
	unsigned bit;

	for (at = 0; at < n; at++) {
		if (at == strlen(FRONT))
			at = n - BACK_OCTETS;
		for (bit = 0; bit < 8; bit++) {
			text->p[at] ^= (uint8_t)(1u << bit);
			if (group_whole(buf_slice(text)))
				return true;
			text->p[at] ^= (uint8_t)(1u << bit);
		}
	}
	return false;
}

static bool
heal_body(struct slice body, uint8_t *p, const uint8_t want[32])
{
	AUTO(mdctx) EVP_MD_CTX *before = EVP_MD_CTX_new();
	AUTO(mdctx) EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t sum[32];
	size_t at;
	unsigned bit;

	if (before == NULL || c == NULL || EVP_DigestInit_ex(before, EVP_sha256(), NULL) != 1)
		return false;
	for (at = 0; at < body.n; at++) {
		for (bit = 0; bit < 8; bit++) {
			p[at] ^= (uint8_t)(1u << bit);
			if (EVP_MD_CTX_copy_ex(c, before) == 1 && EVP_DigestUpdate(c, p + at, body.n - at) == 1 &&
			    EVP_DigestFinal_ex(c, sum, NULL) == 1 && memcmp(sum, want, 32) == 0)
				return true;
			p[at] ^= (uint8_t)(1u << bit);
		}
		if (EVP_DigestUpdate(before, p + at, 1) != 1)
			return false;
	}
	return false;
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

bool
group_heal(struct buf *text)
{
	size_t front = strlen(FRONT);
	uint8_t want[32];

	if (!may_heal(text))
		return false;
	if (heal_frame(text))
		return true;
	if (!hex_to((const char *)text->p + text->n - BACK_OCTETS + 11, 64, want))
		return false;
	return heal_body(slice_of(text->p + front, text->n - front - BACK_OCTETS), text->p + front, want) &&
	    group_whole(buf_slice(text));
}
