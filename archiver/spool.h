/* SPDX-License-Identifier: MIT */
/*
 * Inside the spool: spool.c looks and claims, spool_entry.c reads what was
 * claimed, spool_batch.c keeps and answers it by batches, spool_answer.c writes
 * what the depositor gets to see, news.c says how a record goes on.
 *
 * The folders belong to a depositor who may change them while we look, so:
 * nothing here follows a symbolic link, and whatever goes wrong in a spool
 * holds up that depositor alone.
 */
#ifndef EVERSEAL_ARCHIVER_SPOOL_H
#define EVERSEAL_ARCHIVER_SPOOL_H

#include "archiver/archiver_int.h"

#include <pthread.h>
#include <sys/types.h>

#define META_SUFFIX ".meta.json"

struct spool {
	const struct conf_spool *cfg;
	int root, new, cur, done, failed;
};
#define SPOOL_NONE {.root = -1, .new = -1, .cur = -1, .done = -1, .failed = -1}
/* The folders are made where they are missing: a spool may have been configured after init. */
MUST_USE enum err_code spool_open(const struct conf_spool *cfg, struct spool *s, struct err *e);
void spool_auto(struct spool *s);

/* ---- spool_entry.c: a claimed file or folder ---- */

struct entry {
	char record[UUID_TEXT];
	char *name; /* as the depositor called it */
	struct deposit_file *files;
	int *fds;
	char **names;
	size_t n_files, n_seen, cap_fds, cap_names;
	uint64_t bytes;
	json_t *meta;
	struct err why; /* refused before it came to the archive; ERR_IO and ERR_NOMEM: our own trouble, later. Then: why not answered */
	bool answered, gone; /* the answer is there; the claim is not any more */
};
/* cur/RECORD.NAME; false for anything else, nothing to release then. */
bool entry_of(const char *in_cur, struct entry *en);
/* Open every file of it; en->why says why not. */
void entry_read(const struct spool *s, const struct conf_limits *limits, const char *in_cur, struct entry *en);
void entry_close(struct entry *en); /* the files alone */
void entry_release(struct entry *en);

#define LIST_MAX ((size_t)4096)
/* Names in a folder, sorted. hidden: those that begin with a dot, too. *more: there are above LIST_MAX. */
MUST_USE enum err_code list_names(int dir, bool hidden, char ***out, size_t *n, bool *more, struct err *e);
void free_names(char **v, size_t n);
bool ends_with(const char *s, const char *suffix);
/* Is this errno of a name or file the depositor's doing, and not our disk's? */
bool is_depositors(int err);
/* A file that a process still has open for writing, as far as the kernel tells us. */
bool still_written(int dir, const char *name);

/* ---- spool_batch.c ---- */

/* One look at one spool. */
struct look {
	struct archive *a;
	struct spool *s;
	dev_t device;
	bool at_fault;	 /* told already; not looked at again this time */
	bool cur_listed; /* from now on only what is claimed is new there */
	char **claimed;	 /* names in cur/ of this round */
	size_t n_claimed;
	bool synced; /* they can't get lost any more */
	int64_t left_ms; /* for verdicts on what this depositor gave */
	uint64_t taken, refused;
	uint64_t moved; /* names that left new/ or cur/: nothing moved, nothing more to do now */
};

#define SPOOL_BATCH ((size_t)512) /* deposits in one group, at most */

struct spool_batch {
	struct entry *entries;
	struct look **looks; /* entry -> where it comes from */
	size_t n, files;
	uint64_t bytes;
	json_t **answers;
	struct deposit *deposits;
	size_t *of; /* deposit -> entry */
	size_t n_deposits;
};
/* Two batches: one is filled and kept, the one before is answered by a thread. Another thread syncs the claims. */
struct spool_work {
	struct archive *a;
	struct look *looks;
	size_t n_looks;
	struct spool_batch two[2], *in, *out;
	size_t most; /* deposits in one group, of this round */
	bool answering, syncing;
	bool claims_wait; /* a spool of this round could not be synced: nothing of the round is kept, the next is without it */
	pthread_t answerer, syncer;
	uint64_t done;
};
/* The looks outlive it. */
MUST_USE enum err_code spool_work_new(
    struct archive *a, struct look *looks, size_t n_looks, struct spool_work *w, struct err *e);
void spool_work_auto(struct spool_work *w);
/* All claims of a round are made: before a group of theirs is written they are durable. Until the end of the round the lists stay. */
void spool_work_claimed(struct spool_work *w, size_t claims);
void spool_work_round_ends(struct spool_work *w);
/* A claim, by its name in cur/; a full batch is kept. Errors are the archive's own. */
MUST_USE enum err_code spool_work_add(struct spool_work *w, struct look *l, const char *in_cur, struct err *e);
/* What was added is kept, in one group; its answers follow. */
MUST_USE enum err_code spool_work_keep(struct spool_work *w, struct err *e);
/* Until all that is kept is answered; only then the looks' counts are right. */
void spool_work_wait(struct spool_work *w);
/* The same for a moment. False: it is not answered yet. */
bool spool_work_wait_a_moment(struct spool_work *w);
/* ERR_OK: a claim of before a crash is kept, here is its receipt. ERR_NOTFOUND: it is not. ERR_REFUSED: not this spool's. */
MUST_USE enum err_code spool_kept(
    struct archive *a, const struct spool *s, const char *record, json_t **receipt, struct err *e);

/* ---- spool_answer.c ---- */

/*
 * NAME + suffix in the folder; NAME.RECORD + suffix when that name is taken by the answer to another record, so that no
 * receipt replaces another one's. answer: its "record" says whose it is. Not synced.
 */
MUST_USE enum err_code spool_answer(
    int dir, const char *name, const char *record, const char *suffix, const json_t *answer, struct err *e);
/* Refused: file and meta file go to failed/ beside the reason, which gets the claim's id. */
MUST_USE enum err_code spool_give_back(const struct spool *s, const struct entry *en, json_t *reason, struct err *e);
/* A name in new/ that can't be claimed. *moved: it is in failed/ now; else it stays, and is not told twice. */
MUST_USE enum err_code spool_refuse(
    const struct spool *s, const char *name, const char *record, int64_t now, const struct err *why, bool *moved, struct err *e);
/*
 * A meta file in cur/ whose main file is not there: a crash came between two renames. It goes with its record when that
 * is kept, to failed/ when that was refused, else back to new/, where the main file waits for it.
 */
void spool_orphan(const struct spool *s, const struct entry *en, bool kept);
/* A hidden name in cur/: what is left of a claim that was answered. Nobody else writes there. */
void spool_clear(const struct spool *s, const char *name);
/* Answered: the claimed files go. False when they can't be removed. */
bool spool_forget(const struct spool *s, const struct entry *en);

#endif
