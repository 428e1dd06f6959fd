/* SPDX-License-Identifier: MIT */
/* A folder's files in memory: damaged in one place, written out as often as a verb is to be tried on it, searched. */
#ifndef EVERSEAL_TESTS_CRASHIMAGE_H
#define EVERSEAL_TESTS_CRASHIMAGE_H

#include "tests/kit.h"

#define IMAGE_FILES 120

struct image_file {
	char path[200]; /* relative */
	bool folder;
	struct buf octets;
};
struct image {
	struct image_file v[IMAGE_FILES];
	size_t n;
};
void image_clear(struct image *m);
/* Adds all that is below dir, in order of name; again: names that are there already keep their octets. */
void image_load(struct image *m, const char *dir);
/* Into the folder dir, which is emptied. without: a folder that is left out (NULL: none). */
void image_write(const struct image *m, const char *dir, const char *without);
struct image_file *image_find(struct image *m, const char *path);

/* How many manifests of what was set aside (docs/format.md 6) hold the word. */
size_t image_lost(const struct image *m, const char *word);

/* Where octets stand, LMDB's files apart: the index of the file, or -1. */
int image_search(const struct image *m, struct slice octets, size_t *at);

enum damage { FLIP, SECTOR_ZERO, FILE_GONE, FLIP_TWICE, FLIP_TWINS, UNHURT };
struct blow {
	enum damage kind;
	int file, file2; /* file2: of the second octet; twins: the two copies of one group */
	size_t at, at2;
	uint8_t bit, bit2;
};
/* The turn-th file that is not empty; where in it follows from seed. False: there is no such file. */
bool blow_choose(const struct image *m, enum damage kind, uint64_t turn, uint64_t seed, struct blow *out);
void blow_strike(struct image *m, const struct blow *b);
/*
 * What was struck, in words of few kinds: "segments/log group", "segments/data object head", "index" ... last: behind it stands no
 * other group of the file.
 */
void blow_tell(const struct image *m, const struct blow *b, char out[120]);

/* A number that follows from seed and from which of its uses this is. */
uint64_t dice(uint64_t seed, unsigned use);

#endif
