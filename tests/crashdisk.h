/* SPDX-License-Identifier: MIT */
/*
 * Disks that a crash can leave, built from what recorder.c wrote down.
 *
 * The model: octets written to a file are certain after a sync of that file; a
 * name is certain after a sync of its folder. All else may be there, not there,
 * there in part (in pieces of 512), or there as zeros.
 */
#ifndef EVERSEAL_TESTS_CRASHDISK_H
#define EVERSEAL_TESTS_CRASHDISK_H

#include "tests/kit.h"

struct op {
	char op; /* Create Write Truncate Sync Rename Link Unlink Mkdir, F = all is synced, A = acknowledged */
	const char *path, *path2;
	uint64_t off;
	struct slice data;
};
struct record {
	struct buf raw;
	struct op *v;
	size_t n, cap;
};
void record_read(struct record *r, const char *path);
void record_auto(struct record *r);

struct disk;
struct disk *disk_new(void);
void disk_free(struct disk *d);
/* What is there and certain before the record begins: everything below dir but LMDB's files. */
void disk_load(struct disk *d, const char *dir);
/* skip: a word; syncs of paths that hold it do not count, "folder": those of folders, "": none at all (the controls). NULL: all count. */
void disk_play(struct disk *d, const struct op *o, const char *skip);

enum variant {
	ALL_KEPT,  /* as after a kill */
	ALL_LOST,  /* only what was synced */
	DATA_LOST, /* names are there, octets are not */
	LAST_TORN, /* the last write of each file only in part */
	ZEROED,	   /* sizes are there, octets are zeros */
	SECTORS,   /* any of the sectors not synced, some of the names */
	FILES,	   /* some files whole, others as at their last sync, some of the names */
	HOLES,	   /* all but the first sector, or any one, of each write not synced */
	VARIANTS
};
/* One such disk, written to the empty folder dir. */
void disk_build(const struct disk *d, enum variant v, uint32_t seed, const char *dir);

/* A folder for all of it, in memory if there is such a file system. */
struct lab {
	char dir[200];
	char work[260], ack[260], record[260], state[260], count[260];
};
void lab_make(struct lab *l);
void lab_auto(struct lab *l);
/* rm -rf */
void lab_clear(const char *path);
/* recorder.so beside the running program. */
const char *recorder_path(void);
void write_whole(const char *dir, const char *name, struct slice content);

#endif
