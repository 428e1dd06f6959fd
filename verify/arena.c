/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4000

void *
arena_new(struct arena *a, size_t n)
{
	struct arena_block *b;
	size_t head = (sizeof(*b) + 15) & ~(size_t)15;

	n = (n + 15) & ~(size_t)15;
	if (n > a->left) {
		size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		uint8_t *p;

		b = mem_new(1, head + size);
		if (b == NULL)
			return NULL;
		b->next = a->blocks;
		a->blocks = b;
		p = (uint8_t *)b + head;
		if (size > BLOCK_BYTES)
			return p; /* a block of its own; the open one goes on */
		a->at = p;
		a->left = size;
	}
	a->left -= n;
	a->at += n;
	return a->at - n;
}

char *
arena_dup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = arena_new(a, n);

	if (p != NULL)
		memcpy(p, s, n);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_dup(a, text);
}

struct slice
arena_slice(struct arena *a, struct slice s)
{
	uint8_t *p = arena_new(a, s.n + 1);

	if (p == NULL)
		return slice_of(NULL, 0);
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return slice_of(p, s.n);
}

void
arena_release(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){0};
}
