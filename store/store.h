/* SPDX-License-Identifier: MIT */
/*
 * The store keeps octets by their digest and commits them in groups. It never
 * knows what a signature is. Bytes on disk: docs/format.md, docs/log.md.
 *
 *	store_create(dir, ...)				once
 *	store_open(dir, STORE_WRITE, ...)
 *	  store_hash(source, &ref)			first pass: digests, is it here already?
 *	  store_batch_begin(s, &b)			one batch at a time
 *	    batch_put, batch_leaf, batch_row ...	as many deposits as you like
 *	  store_commit(&b, &done)			one group: all of it or nothing
 *	  only now acknowledge
 *	store_close(s)
 *
 * What survives what. After store_commit gave ERR_OK, everything in the batch
 * survives power loss. Before, nothing of it is visible to anybody. When it
 * gave ERR_IO the handle is bad: all later writes give ERR_IO, and only the
 * next store_open knows whether the group counts (a failed sync can't be taken
 * back). Any other failure leaves the store as it was before the batch. The index and ops environments are derived or
 * harmless: delete them and the next store_open makes them again.
 *
 * Syncs per group: one for each data segment written (usually one), one for
 * the log segment; the folder too when a segment is born. The number of
 * deposits in the group does not matter: put many in one batch.
 *
 * One writer at a time (flock on DIR/lock); readers open beside it and see
 * whole groups. One handle of a directory per process (LMDB's rule), used by
 * one thread. A child forked while a handle is open must not use it and must
 * close its descriptors, else it keeps the lock. DIR/index and DIR/ops are not
 * part of a backup; copy the rest with the log segments first.
 */
#ifndef EVERSEAL_STORE_STORE_H
#define EVERSEAL_STORE_STORE_H

#include "base/digest.h"
#include "base/sys.h"
#include "store/place.h"
#include "store/tlog.h"

struct store;
struct batch;
struct store_object;

#define STORE_FORMAT_VERSION 2 /* 1 is read and written as it is */
#define STORE_TABLE_MAX 32	      /* name of a row table: [a-z0-9_-] */
#define STORE_KEY_MAX 400	      /* octets of a row key, at least 1 */
#define STORE_VALUE_MAX (1u << 20)    /* octets of a row value */
#define STORE_BATCH_MEMBERS 20000     /* objects, leaves and rows in one batch, each */
#define STORE_BATCH_BYTES (24u << 20) /* rows in one batch, octets of keys and values */

/* Both digests and the size of an object. SHA-256 is its address. */
struct store_ref {
	uint8_t sha256[32];
	uint8_t sha512[64];
	uint64_t size_bytes;
};

/* Which segments an object goes to. The longer it is kept, the larger. */
enum store_kind {
	STORE_KIND_NONE = 0, /* refused */
	STORE_DATA,	     /* originals, versions, manifests: erasable after `year` */
	STORE_SHARED,	     /* certificates, CRLs, OCSP, tokens, catalogues, lists, configuration: never erased */
	STORE_LOG,	     /* groups; the store's own */
};

enum store_open_flags {
	STORE_READ = 1,	 /* beside a writer changes nothing; after a crash it recovers first, as a writer does: mends, sets aside, cuts */
	STORE_WRITE = 2, /* takes the lock, recovers */
};

/* All-zero is the documented default. Kept in the FORMAT file. */
struct store_options {
	uint64_t segment_bytes; /* a segment is sealed from this size on; 0 = 1 GiB */
	uint64_t large_bytes;	/* an object above this is a segment of its own; 0 = 64 MiB */
	int64_t segment_age_s;	/* a segment is sealed from this age on; 0 = 24 h */
	const char *origin;	/* name of the log in its checkpoints, no white space or '+'; NULL = everseal/<random id> */
};

/* The clock dates groups, checkpoints and segments. entropy is used by store_create only; its fill NULL = entropy_openssl(). */
struct store_seams {
	struct clock clock;
	struct entropy entropy;
};

/*
 * Make an empty store in dir, which is made (parent must be there) or is empty. Writes FORMAT, lock, segments/, log.key
 * (0600) and log.pub. Durable on ERR_OK. ERR_EXISTS: there is a store already, or segments of one that lost its FORMAT.
 */
MUST_USE enum err_code store_create(const char *dir, const struct store_options *o, const struct store_seams *seams,
    struct err *e);
/*
 * ERR_BUSY: another writer; for a reader, one that is still making the index, or a crashed store that can't be recovered
 * now. ERR_UNSUPPORTED: newer format. ERR_DAMAGED: the log itself is broken (not just torn at its end), or log.key is not
 * the key of log.pub: nothing was changed; the text says where.
 */
MUST_USE enum err_code store_open(const char *dir, enum store_open_flags flags, const struct store_seams *seams,
    struct store **out, struct err *e);
/* Marks a clean end. An open batch must be dropped before. s is gone whatever it returns; NULL is fine. */
enum err_code store_close(struct store *s, struct err *e);
void store_auto(struct store **s);

/* --- Writing --- */

/* Both digests of a source, read once. */
MUST_USE enum err_code store_hash(const struct source *from, struct store_ref *out, struct err *e);
MUST_USE enum err_code store_hash_octets(struct slice octets, struct store_ref *out, struct err *e);
/* Is it there, committed, for at least as long as kind and year say? */
bool store_has(struct store *s, const uint8_t sha256[32], enum store_kind kind, int year);

/* ERR_BUSY if a batch is open, ERR_IO if the handle is bad, ERR_USAGE for a reader. */
MUST_USE enum err_code store_batch_begin(struct store *s, struct batch **out, struct err *e);
/*
 * A batch in memory alone: nothing of it is in the store until it joins one that is open, so others may commit meanwhile. It is
 * filled as any other, objects up to STORE_DRAFT_OBJECT octets; the index of its leaves is not known. Any number at once.
 */
#define STORE_DRAFT_OBJECT ((size_t)1 << 30)
MUST_USE enum err_code store_draft_begin(struct store *s, struct batch **out, struct err *e);
/* All of the draft becomes a part of to, or nothing of it does. Takes *from whatever it returns. */
MUST_USE enum err_code batch_join(struct batch *to, struct batch **from, struct err *e);
/*
 * Take an object in. kind: STORE_DATA (year 1..9999 = the retention year, after whose end it may be erased) or
 * STORE_SHARED (year is ignored). The source is hashed while it is copied; expected: what a first pass found, NULL = it
 * is made here. ERR_DAMAGED: the copy differs from expected; nothing is kept and the batch goes on. The same octets held
 * already for at least as long (committed or in this batch) are not written again: ERR_OK all the same.
 * out may be NULL.
 */
MUST_USE enum err_code batch_put(struct batch *b, enum store_kind kind, int year, const struct source *from,
    const struct store_ref *expected, struct store_ref *out, struct err *e);
/* The same for octets in memory (certificates, manifests). */
MUST_USE enum err_code batch_put_bytes(struct batch *b, enum store_kind kind, int year, struct slice octets,
    struct store_ref *out, struct err *e);
/* The same when the caller has ref from store_hash_octets of these very octets and nobody can have changed them: not hashed again. */
MUST_USE enum err_code batch_put_hashed(struct batch *b, enum store_kind kind, int year, struct slice octets,
    const struct store_ref *ref, struct err *e);
/*
 * A log leaf. event: salted digest of what happened (SHA-256). *index: its place in the log if this batch is committed.
 * index may be NULL.
 */
MUST_USE enum err_code batch_leaf(struct batch *b, uint16_t type, const uint8_t record[16], const uint8_t event[32],
    int64_t time_utc, uint64_t *index, struct err *e);
/*
 * Set (or with value NULL delete) a row of the derived index. Rows travel in the group, so a rebuild from the segments
 * alone restores them. Visible to others after the commit. The last one for a key wins.
 */
MUST_USE enum err_code batch_row(struct batch *b, const char *table, struct slice key, const struct slice *value,
    struct err *e);
/* As store_get_row, but sees the rows of this batch first; a draft those of the open batch, too. */
MUST_USE enum err_code batch_get_row(struct batch *b, const char *table, struct slice key, struct buf *value, struct err *e);

/* A place in a batch to come back to, when one of many deposits fails. Good until the batch ends or an earlier mark is undone to. */
struct batch_mark {
	size_t objects, leaves, rows;
};
struct batch_mark batch_mark(const struct batch *b);
/* Forget all that was added after the mark. */
void batch_undo(struct batch *b, struct batch_mark m);

struct store_done {
	uint64_t group;	   /* 0 when the batch was empty: nothing written */
	uint64_t log_size; /* leaves in the log with this group */
	uint8_t root[TLOG_HASH];
	unsigned syncs; /* fdatasync and folder syncs that it took */
};
/* Commit the batch as one group. Takes *b whatever it returns. done may be NULL. ERR_IO: see above; ERR_NOSPACE: nothing was kept, stop taking work. */
MUST_USE enum err_code store_commit(struct batch **b, struct store_done *done, struct err *e);
void batch_drop(struct batch *b); /* nothing of it is kept; NULL is fine */
void batch_auto(struct batch **b);
/* Seal every open segment now (a group of its own); for tests, and before a replica is taken away. */
MUST_USE enum err_code store_seal(struct store *s, struct err *e);

/* --- Objects --- */

struct store_info {
	struct store_ref ref;
	enum store_kind kind;
	int year; /* 0 unless STORE_DATA */
	char segment[48];
	uint64_t offset_bytes; /* of its tar header */
	uint64_t group;
	bool alone; /* in a segment of its own */
};
/* ERR_NOTFOUND when no committed group holds it. */
MUST_USE enum err_code store_stat(struct store *s, const uint8_t sha256[32], struct store_info *out, struct err *e);
/*
 * The octets as a source, for as long as the object is open (also past store_close of a reader). They are not rehashed
 * here: what is read through it must be hashed by the reader, or use store_get.
 */
MUST_USE enum err_code store_open_object(struct store *s, const uint8_t sha256[32], struct store_object **out, struct err *e);
const struct source *store_object_source(const struct store_object *o);
void store_object_free(struct store_object *o);
void store_object_auto(struct store_object **o);
/*
 * Copy out and rehash (SHA-256). ERR_DAMAGED names segment and offset; the sink has then got wrong octets already and the
 * caller throws them away. Octets that can't be read, or whose segment is gone, are ERR_DAMAGED too.
 */
MUST_USE enum err_code store_get(struct store *s, const uint8_t sha256[32], const struct sink *to, struct err *e);
/* store_get into a buffer; ERR_LIMIT above max_bytes. Nothing is appended unless it is right. */
MUST_USE enum err_code store_get_bytes(struct store *s, const uint8_t sha256[32], size_t max_bytes, struct buf *out, struct err *e);
/*
 * For a worker that must not open files: a read-only descriptor of the segment that holds this object alone, and where in
 * it the object starts. ERR_REFUSED for an object in a shared segment. Not rehashed. The caller closes it.
 */
MUST_USE enum err_code store_object_fd(struct store *s, const uint8_t sha256[32], int *fd, uint64_t *offset_bytes, struct err *e);

/* --- Rows --- */

/* Appends to value. ERR_NOTFOUND when there is none. */
MUST_USE enum err_code store_get_row(struct store *s, const char *table, struct slice key, struct buf *value, struct err *e);
/* key and value are good for the call only. *stop = true ends the walk with ERR_OK; an error ends it with that. */
struct store_each {
	enum err_code (*row)(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e);
	void *ctx;
};
/*
 * Rows with from <= key < to in octet order; an empty from is the start, an empty to the end of the table. The callback
 * may commit: the walk goes on behind the last key it gave (it is not a snapshot).
 */
MUST_USE enum err_code store_rows(struct store *s, const char *table, struct slice from, struct slice to,
    const struct store_each *each, struct err *e);
MUST_USE enum err_code store_rows_prefix(struct store *s, const char *table, struct slice prefix,
    const struct store_each *each, struct err *e);

/* --- Operational tables: back-off, budgets, claims. May be lost at any crash; never evidence. --- */

MUST_USE enum err_code ops_put(struct store *s, const char *table, struct slice key, struct slice value, struct err *e);
MUST_USE enum err_code ops_get(struct store *s, const char *table, struct slice key, struct buf *value, struct err *e);
/* ERR_OK when there was none. */
MUST_USE enum err_code ops_del(struct store *s, const char *table, struct slice key, struct err *e);
MUST_USE enum err_code ops_rows(struct store *s, const char *table, struct slice from, struct slice to,
    const struct store_each *each, struct err *e);

/* --- Log --- */

uint64_t store_log_size(struct store *s);
/* The signed checkpoint of the last group; appended to out. ERR_NOTFOUND before the first group. */
MUST_USE enum err_code store_log_checkpoint(struct store *s, struct buf *out, struct err *e);
MUST_USE enum err_code store_log_leaf(struct store *s, uint64_t index, struct tlog_leaf *out, struct err *e);
/* Path of a leaf in the tree of the first `size` leaves (0 = those of the last checkpoint). */
MUST_USE enum err_code store_log_proof(struct store *s, uint64_t index, uint64_t size, struct tlog_proof *out, struct err *e);
/* That the first `to` leaves (0 = all) begin with the first `from`. ERR_NOTFOUND: the log has fewer. */
MUST_USE enum err_code store_log_consistency(struct store *s, uint64_t from, uint64_t to, struct tlog_consistency *out, struct err *e);
/* Root of the first `size` leaves, as the index has it. ERR_NOTFOUND: the log has fewer. */
MUST_USE enum err_code store_log_root(struct store *s, uint64_t size, uint8_t out[TLOG_HASH], struct err *e);
/* The public key as PEM; what `log.pub` holds. */
MUST_USE enum err_code store_log_pub(struct store *s, struct buf *out, struct err *e);

/* --- Care --- */

struct store_damage {
	char segment[48];
	uint64_t offset_bytes; /* of the member's tar header */
	char name[112];	       /* member name; empty = between members */
	char what[200];
};
/* Either function may be NULL. */
struct store_watch {
	void (*damage)(void *ctx, const struct store_damage *d);
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
	void *ctx;
};
struct store_report {
	uint64_t groups, leaves, segments, members, bytes; /* looked at */
	uint64_t damaged;
	uint64_t alarms; /* finds in DIR/lost that nobody has acknowledged; told to the watch as well; scrub only */
};
/*
 * Recompute the whole tree from the groups in the segments and hold it against every group's root and signed checkpoint,
 * the groups' links, and the index. Damage is ERR_OK with report->damaged > 0.
 */
MUST_USE enum err_code store_log_verify(struct store *s, const struct store_watch *w, struct store_report *out, struct err *e);
/*
 * Read every committed octet: headers, padding, members (SHA-256; full: SHA-512 too), member tables of sealed segments,
 * and octets that belong to nothing. Then the operational tables, the key pair, alarms of DIR/lost, and the index, row by
 * row, against one made of the groups in DIR/scrub meanwhile; one that differs is made anew by the next open. Damage is ERR_OK
 * with report->damaged > 0; each is told to w. ERR_NOSPACE, ERR_IO: the index could not be compared; what was told before counts.
 */
MUST_USE enum err_code store_scrub(struct store *s, bool full, const struct store_watch *w, struct store_report *out, struct err *e);
/*
 * Make the index again from the segments alone, in place of the one there is, which stays if that fails (ERR_DAMAGED: the
 * log is broken). The store must be closed; takes the lock.
 */
MUST_USE enum err_code store_rebuild(const char *dir, const struct store_seams *seams, struct err *e);
/*
 * The same when the segments end before a group that is known to have been acknowledged: what is behind is given up, set
 * aside, and listed in DIR/lost as STORE_LOST_ACCEPTED. group: the latest one known, as the refusal names it (another one is
 * ERR_DAMAGED, nothing was changed); 0: store_rebuild.
 */
MUST_USE enum err_code store_rebuild_accept(const char *dir, uint64_t group, const struct store_seams *seams, struct err *e);
/*
 * Carry a store of format 1 over to format 2: nothing old is changed, killed at any point it goes on when called again.
 * *carried: groups that got their second copy just now.
 */
MUST_USE enum err_code store_upgrade(struct store *s, uint64_t *carried, struct err *e);
/* The whole index as text, one line an entry, in key order: equal indexes give equal text. */
MUST_USE enum err_code store_dump(struct store *s, const struct sink *to, struct err *e);

/* --- What recovery set aside: docs/format.md 6 --- */

enum store_lost_kind {
	STORE_LOST_TORN = 0, /* behind the last group, and nothing in it was acknowledged */
	STORE_LOST_LOST,     /* behind the last group: it may have been acknowledged */
	STORE_LOST_DAMAGED,  /* octets of groups that count are bad */
	STORE_LOST_MENDED,   /* written anew from the other copy: nothing is lost, but a disk gave wrong octets */
	STORE_LOST_ACCEPTED, /* given up by rebuild with an operator's word */
};
struct store_lost {
	char id[40];
	enum store_lost_kind kind;
	bool alarm, acknowledged; /* alarm: a loss that nobody has acknowledged yet */
	uint64_t after, group;	  /* the last good group; the first concerned */
	uint64_t parts, bytes;	  /* set aside */
	int64_t time_utc;
	char why[300];
	struct slice manifest; /* text of its manifest.json; for the call only; empty when it can't be read, which is an alarm too */
};
struct store_lost_each {
	enum err_code (*lost)(void *ctx, const struct store_lost *l, struct err *e);
	void *ctx;
};
/* Every find in DIR/lost, by id; a reader sees what a writer sets aside meanwhile. */
MUST_USE enum err_code store_lost(struct store *s, const struct store_lost_each *each, struct err *e);
/* Ends the alarm, durably; the octets stay. by: who says so. ERR_NOTFOUND: no such id. Again: ERR_OK. A reader may. */
MUST_USE enum err_code store_lost_acknowledge(struct store *s, const char *id, const char *by, struct err *e);
/* The kind as docs/format.md writes it. */
const char *store_lost_word(enum store_lost_kind k);

struct store_status {
	int format;
	char origin[128];
	uint64_t groups, log_size, objects, segments, sealed, bytes;
	int64_t last_group_utc; /* TIME_NONE before the first */
	uint64_t disk_free_bytes;
	/* What the open found: */
	char index_made[200];	 /* why the index was made anew from the segments; empty = it was not, or rebuild was asked for */
	bool ops_lost;		 /* the operational tables were damaged or can't be read, and are empty now */
	bool recovered;		 /* the last end was not clean */
	uint64_t replayed;	 /* groups that the index did not have yet */
	uint64_t aside_bytes;	 /* octets behind the last committed ones that were set aside */
	uint64_t no_twin;	 /* groups that stand once only (format 1, not carried over) */
	bool aside_failed;	 /* they could not be set aside: nothing was cut, those segments take no more */
	char aside_why[200];
	/* What DIR/lost holds now: */
	uint64_t lost_alarms; /* not acknowledged; to be told loudly, each time */
	uint64_t lost_mended; /* mended, not acknowledged */
	uint64_t lost_all;
};
MUST_USE enum err_code store_status(struct store *s, struct store_status *out, struct err *e);
/* What an operator must be told of what the open found and mended by itself: a line each, appended; nothing as a rule. */
void store_notes(const struct store *s, struct buf *out);

/*
 * Bring a place up to the last group: each group at once as an immutable object, each sealed segment once; group objects
 * that sealed segments have replaced are removed. What is there already is not sent again. *sent may be NULL.
 */
MUST_USE enum err_code store_push(struct store *s, const struct place *to, uint64_t *sent, struct err *e);

#endif
