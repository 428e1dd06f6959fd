/* SPDX-License-Identifier: MIT */
/*
 * What every test program needs: asserts that print the error, a folder to
 * work in, time that stands still, randomness that repeats, and ways to spoil octets.
 */
#ifndef EVERSEAL_TESTS_KIT_H
#define EVERSEAL_TESTS_KIT_H

#include "base/bytes.h"
#include "base/sys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/*
 * OK(call), FAILS(code, call): call is an expression with the local struct err e
 * as its last argument. A test that expects a failure names the exact code.
 *
 *	struct err e = {0};
 *	OK(xml_load(raw, NULL, &doc, &e));
 *	FAILS(ERR_REFUSED, xml_load(bomb, NULL, &doc, &e));
 */
#define OK(call) kit_expect(ERR_OK, (call), &e, #call, __FILE__, __LINE__)
#define FAILS(code, call) kit_expect((code), (call), &e, #call, __FILE__, __LINE__)
void kit_expect(
    enum err_code want, enum err_code have, struct err *e, const char *call, const char *file, int line);
/* The error's text holds part. */
#define SAYS(part) kit_says(&e, (part), __FILE__, __LINE__)
void kit_says(const struct err *e, const char *part, const char *file, int line);
/* Same octets; prints both (hex, shortened) when not. */
#define SAME(a, b) kit_same((a), (b), __FILE__, __LINE__)
void kit_same(struct slice a, struct slice b, const char *file, int line);

/* A new empty folder, removed with all it holds by kit_dir_free. Aborts the program when it can't. */
struct kit_dir {
	char path[64];
	int fd;
};
struct kit_dir kit_dir_new(void);
void kit_dir_free(struct kit_dir *d);
void kit_dir_auto(struct kit_dir *d); /* AUTO(kit_dir) struct kit_dir d = kit_dir_new(); */

/* Repeats from its seed: a counter hashed with SHA-256. Not random at all. */
struct kit_entropy {
	uint64_t next;
};
struct entropy kit_entropy(struct kit_entropy *state);

/*
 * fn sees every prefix of in (0 .. n-1 octets), or in with one bit turned, for
 * each bit; the octets are a copy of exact size, so that a sanitizer sees any
 * reach beyond. what: "prefix 12" or "bit 3 of octet 12", for messages.
 */
typedef void kit_spoiled_fn(struct slice spoiled, const char *what, void *ctx);
void kit_each_prefix(struct slice in, kit_spoiled_fn *fn, void *ctx);
void kit_each_bit_flip(struct slice in, kit_spoiled_fn *fn, void *ctx);

/* Folder of data from outside the repository: EVERSEAL_SHARED, else ../shared. NULL when there is none. */
const char *kit_shared(void);

#endif
