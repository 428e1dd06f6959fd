/* SPDX-License-Identifier: MIT */
/*
 * The check that stands behind each value of the environments: SipHash-2-4
 * (Aumasson, Bernstein 2012) under a key that everybody knows. It is for flipped
 * bits, not for forgers: who may write the index may write any check.
 */
#include "store/store_int.h"

#define K0 UINT64_C(0x6c61657372657665) /* "everseal" and "index  2", little-endian */
#define K1 UINT64_C(0x3220207865646e69)

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t
rot(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(struct sip *v)
{
	v->a += v->b;
	v->c += v->d;
	v->b = rot(v->b, 13) ^ v->a;
	v->d = rot(v->d, 16) ^ v->c;
	v->a = rot(v->a, 32);
	v->c += v->b;
	v->a += v->d;
	v->b = rot(v->b, 17) ^ v->c;
	v->d = rot(v->d, 21) ^ v->a;
	v->c = rot(v->c, 32);
}

static void
sip_word(struct sip *v, uint64_t m)
{
	v->d ^= m;
	sip_round(v);
	sip_round(v);
	v->a ^= m;
}

static uint64_t
word(const uint8_t *p, size_t n)
{
	uint64_t w = 0;

	while (n-- > 0)
		w = w << 8 | p[n];
	return w;
}

uint64_t
siphash(const uint64_t key[2], struct slice in)
{
	struct sip v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
	    key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	size_t i;

	for (i = 0; i + 8 <= in.n; i += 8)
		sip_word(&v, word(in.p + i, 8));
	sip_word(&v, (in.n != i ? word(in.p + i, in.n - i) : 0) | (uint64_t)in.n << 56);
	v.c ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(&v);
	return v.a ^ v.b ^ v.c ^ v.d;
}

/* The value under a key that the row's key makes: neither can stand beside another's. */
uint64_t
row_check(struct slice key, struct slice value)
{
	const uint64_t outer[2] = {K0, K1};
	const uint64_t inner[2] = {siphash(outer, key), K1};

	return siphash(inner, value);
}

void
row_sum_add(struct row_sum *s, uint64_t check)
{
	s->rows++;
	s->total += check;
}

void
row_sum_sub(struct row_sum *s, uint64_t check)
{
	s->rows--;
	s->total -= check;
}
