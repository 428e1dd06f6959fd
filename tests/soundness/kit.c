/* SPDX-License-Identifier: MIT */
/* Chance, memory, and the files beside a document. */
#include "tests/soundness/soundness.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
die(const char *what, const char *why)
{
	fprintf(stderr, "soundness: %s: %s\n", what, why);
	exit(2);
}

void *
must(void *p)
{
	if (p == NULL)
		die("memory", "none left");
	return p;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct rng
rng_of(uint64_t seed, uint64_t number)
{
	struct rng a = {seed}, b;

	b.state = rng_next(&a) ^ (number * UINT64_C(0xd1342543de82ef95));
	rng_next(&b);
	return b;
}

size_t
rng_below(struct rng *r, size_t n)
{
	return n == 0 ? 0 : (size_t)(rng_next(r) % n);
}

bool
rng_one_in(struct rng *r, size_t n)
{
	return rng_below(r, n) == 0;
}

void
sides_copy(struct sides *to, const struct sides *from)
{
	memset(to, 0, sizeof(*to));
	for (; to->n < from->n; to->n++) {
		to->names[to->n] = must(strdup(from->names[to->n]));
		buf_addslice(&to->octets[to->n], buf_slice(&from->octets[to->n]));
	}
}

void
sides_release(struct sides *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->names[i]);
		buf_release(&s->octets[i]);
	}
	memset(s, 0, sizeof(*s));
}
