/* SPDX-License-Identifier: MIT */
/* A store in a folder of its own, and short words for what the tests of the store do all the time. */
#ifndef EVERSEAL_TESTS_STOREBOX_H
#define EVERSEAL_TESTS_STOREBOX_H

#include "tests/kit.h"

#include "store/store_int.h"

#define T0 INT64_C(1767225600) /* 2026-01-01 */

struct box {
	struct kit_dir dir;
	char path[96];
	int64_t now;
	struct store_seams seams;
	struct store *s;
};
void box_auto(struct box *x);
/* A new store, open for writing at 2026-01-01. o may be NULL. */
void box_make(struct box *x, const struct store_options *o);
/* Closed and opened again. */
void box_again(struct box *x, enum store_open_flags flags);
struct store_ref put_text(struct batch *b, enum store_kind kind, int year, const char *text);
/* n deposits in one group, numbered from first: "document N" in data-2036, "certificate N" shared, a leaf, two rows each. */
void fill(struct store *s, int first, int n);
/* Held, and comes out right / not held. */
void has_text(struct store *s, const char *text);
void has_not(struct store *s, const char *text);
/* Damages that a full scrub, the check of the log tells. */
uint64_t scrubbed(struct store *s);
uint64_t log_damage(struct store *s);
uint64_t disk_bytes(struct box *x);
void write_file(const char *dir, const char *name, const char *text);
/* Turns bits of one octet in a file. */
void flip(const char *path, size_t at, uint8_t bit);
/* Runs fn in a child process, which ends with 0 unless fn ends it. */
pid_t child(void (*fn)(struct box *), struct box *x);
/* Its exit code. */
int ended(pid_t p);

#endif
