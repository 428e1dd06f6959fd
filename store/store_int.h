/* SPDX-License-Identifier: MIT */
/* What the files of the store share. Bytes: docs/format.md. */
#ifndef EVERSEAL_STORE_STORE_INT_H
#define EVERSEAL_STORE_STORE_INT_H

#include "store/store.h"

#include <lmdb.h>

#define TAR_BLOCK 512
#define TAR_NAME 100	       /* field of a ustar header */
#define TAR_OCTAL_MAX (8ULL << 30) /* sizes from here on need a pax header */
#define TAR_END_OCTETS 1024
#define TAR_HEAD_MAX (3 * TAR_BLOCK)
#define SEG_NAME 48
#define MEMBER_NAME 112
#define SMALL_BYTES (1u << 20)	    /* an object up to this is read once, into memory */
#define PEND_BYTES (1u << 20)	    /* held back before they are written */
#define GROUP_MAX_BYTES (64u << 20) /* one group member */
#define GROUP_MAX_VALUES 1000000    /* in its JSON; a full batch has a third of that */

/* --- tar.c: one header form, so that it can be recomputed from name and size --- */

/* Octets before the content: 512, or 1536 with a pax header. */
size_t tar_head_bytes(uint64_t size);
uint64_t tar_padding(uint64_t size);
uint64_t tar_member_bytes(uint64_t size);
/* out: tar_head_bytes(size) octets. name: shorter than 100. */
void tar_head(const char *name, uint64_t size, uint8_t out[TAR_HEAD_MAX]);
/* Read a header that tar_head made, from a source at off. False: anything else, or it ends too early. */
bool tar_read_head(const struct source *from, uint64_t off, char name[TAR_NAME], uint64_t *size);

/* --- segments --- */

struct seg_id {
	uint32_t id;
	enum store_kind kind;
	uint16_t year;
	bool alone;
	int64_t born_utc;
};
void seg_name(const struct seg_id *s, char out[SEG_NAME]); /* with .tar */
bool seg_parse(const char *name, struct seg_id *out);	   /* id, kind, year */
/* Larger = kept longer. */
int seg_rank(enum store_kind kind, int year);

/* A segment as the index knows it. */
struct seg_row {
	struct seg_id id;
	bool sealed;
	uint64_t end; /* behind the last committed octet */
};

/* A segment that the writer has open. */
struct seg {
	struct seg_id id;
	bool fresh;  /* its header is in no group yet */
	bool sealed; /* by the group being made */
	bool dirty;  /* written to since the last sync */
	int fd;
	uint64_t end;	     /* committed */
	uint64_t file_bytes; /* how far the file reaches */
	struct buf pend;     /* octets from pend_off to the tail, not written yet */
	uint64_t pend_off;
	struct store_ref head_ref; /* of the header member while fresh */
};

enum member_kind { MEMBER_OBJECT = 0, MEMBER_HEAD, MEMBER_TABLE, MEMBER_GROUP };

struct member {
	uint32_t seg;
	uint64_t off; /* of the tar header */
	enum member_kind kind;
	uint64_t group; /* the group that lists it; for MEMBER_GROUP (in the log, or a twin) its own number */
	struct store_ref ref;
	uint32_t next; /* batch: chain of one hash bucket, 1-based */
};
void member_name(const struct member *m, const struct seg_id *s, char out[MEMBER_NAME]);

/* --- group.c --- */

/* at: of "table\0key" and then the value in the arena. */
struct row {
	size_t at;
	uint32_t key_n, value_n; /* key with table and zero */
	bool del;
};
struct group {
	int format;
	uint64_t n;
	uint8_t prev[32];
	int64_t time_utc;
	struct member *members;
	size_t n_members, cap_members;
	struct seg_id *born;
	size_t n_born, cap_born;
	uint32_t *sealed;
	size_t n_sealed, cap_sealed;
	uint8_t (*leaves)[TLOG_LEAF_OCTETS];
	size_t n_leaves, cap_leaves;
	struct row *rows;
	size_t n_rows, cap_rows;
	struct buf arena;
	uint64_t log_size;
	uint8_t root[TLOG_HASH];
	struct buf checkpoint;
	/* where it stands, in the log and (format 2) once more */
	uint32_t seg;
	uint64_t off;
	uint32_t twin_seg; /* 0 = no twin */
	uint64_t twin_off;
	struct store_ref ref;
};
void group_free(struct group *g);
void group_auto(struct group **g);
/* The name of each segment that a member lies in must be known: ids gives it. */
typedef bool (*seg_lookup)(void *ctx, uint32_t id, struct seg_id *out);
MUST_USE enum err_code group_write(const struct group *g, seg_lookup look, void *ctx, struct buf *out, struct err *e);
/* Checks the digest that closes the text, then the form. */
MUST_USE enum err_code group_read(struct slice text, struct group **out, struct err *e);
/* ERR_OK: frame and closing digest are right, octet for octet. ERR_NOTFOUND: they are not. Anything else: could not be asked. */
MUST_USE enum err_code group_whole(struct slice text, struct err *e);
/* Number and predecessor of a whole text, without reading the rest. ERR_NOTFOUND: it is not whole. */
MUST_USE enum err_code group_link(struct slice text, uint64_t *n, uint8_t prev[32], struct err *e);

/* --- rowsum.c, guard.c, kv.c: LMDB, and what it can't be believed --- */

#define KV_CHECK 8	 /* octets of the check behind each value */
#define KV_BROKEN (-1)	 /* besides LMDB's codes: the pages are not what they should be */

uint64_t siphash(const uint64_t key[2], struct slice in); /* SipHash-2-4 */
uint64_t row_check(struct slice key, struct slice value);
/* Rows of a table, whatever their order: their number and the sum of their checks. */
struct row_sum {
	uint64_t rows, total;
};
void row_sum_add(struct row_sum *s, uint64_t check);
void row_sum_sub(struct row_sum *s, uint64_t check);

void guard_install(void);
/* For mdb_env_set_assert. */
void guard_assert(MDB_env *env, const char *text);
/*
 * What call gives; KV_BROKEN when it touched what can't be read or LMDB gave up. What it had taken then is lost: it must
 * own nothing but LMDB's things. Not to be nested.
 */
int guarded(int (*call)(void *ctx), void *ctx);

struct kv {
	MDB_env *env;
	bool read_only;
	bool broken; /* KV_BROKEN was seen: only kv_close is left */
};
/* kv must not move while it is open. ERR_DAMAGED, here and below: the file is not what LMDB or the checks say. */
MUST_USE enum err_code kv_open(const char *path, bool read_only, unsigned dbs, struct kv *kv, struct err *e);
void kv_close(struct kv *kv);
MUST_USE enum err_code kv_begin(struct kv *kv, bool write, MDB_txn **t, struct err *e);
void txn_auto(MDB_txn **t);
MUST_USE enum err_code kv_table(MDB_txn *t, const char *name, bool make, MDB_dbi *d, struct err *e);
MUST_USE enum err_code kv_count(MDB_txn *t, MDB_dbi d, uint64_t *out, struct err *e);
/* *full is set when the map must grow: abort, kv_grow, do it all again. sum (may be NULL) is brought up to the change. */
MUST_USE enum err_code kv_put(MDB_txn *t, MDB_dbi d, struct slice key, struct slice value, struct row_sum *sum, bool *full,
    struct err *e);
MUST_USE enum err_code kv_del(MDB_txn *t, MDB_dbi d, struct slice key, struct row_sum *sum, bool *full, struct err *e);
/* Takes *t. */
MUST_USE enum err_code kv_commit(MDB_txn **t, bool *full, struct err *e);
MUST_USE enum err_code kv_grow(struct kv *kv, struct err *e);
/* ERR_NOTFOUND. value lives as long as t. */
MUST_USE enum err_code kv_get(MDB_txn *t, MDB_dbi d, struct slice key, struct slice *value, struct err *e);
/* Inside a guarded call: the value of a row and its check, or KV_BROKEN. */
int kv_open_row(const MDB_val *k, const MDB_val *v, struct slice *value, uint64_t *check);
/*
 * Walk from <= key < to in pieces; no transaction is open while the callback runs. strip: octets cut off the front of the
 * key. The rows walked are added to sum (may be NULL).
 */
MUST_USE enum err_code kv_walk(struct kv *kv, MDB_dbi d, struct slice from, struct slice to, size_t strip,
    const struct store_each *each, struct row_sum *sum, struct err *e);
enum err_code kv_err(struct err *e, int r, const char *what);
/* "table\0key"; ERR_USAGE for a bad name or length. key may be empty when empty_ok. */
MUST_USE enum err_code kv_row_key(const char *table, struct slice key, bool empty_ok, struct buf *out, struct err *e);
/* kv_walk of one table. */
MUST_USE enum err_code kv_rows(struct kv *kv, MDB_dbi d, const char *table, struct slice from, struct slice to,
    const struct store_each *each, struct row_sum *sum, struct err *e);

/* --- index.c --- */

enum index_db { DB_META, DB_SEGMENTS, DB_MEMBERS, DB_OBJECTS, DB_GROUPS, DB_LEAVES, DB_NODES, DB_ROWS, DB_TWINS, INDEX_DBS };

struct index_last {
	uint64_t group; /* 0 = none */
	uint32_t seg;
	uint64_t off, size;
	uint8_t sha256[32];
	uint64_t log_size;
	int64_t time_utc;
	uint8_t root[TLOG_HASH];
};
struct index {
	struct kv kv;
	MDB_dbi db[INDEX_DBS];
};
MUST_USE enum err_code index_open(const char *path, bool read_only, struct index *ix, struct err *e);
void index_close(struct index *ix);
/* Size of its file in octets; 0 when that can't be had. */
uint64_t index_bytes(const struct index *ix);
/*
 * Everything that can be said without the segments: every row has its check, keys ascend and are found where they stand,
 * each table has the number of rows and the sum that were kept of it, and no page is missing or kept twice. ERR_DAMAGED
 * with the first that does not hold. */
MUST_USE enum err_code index_check(struct index *ix, struct err *e);
/* kv_rows of a table of rows. ERR_DAMAGED at the end of a walk of a whole table that gave not all its rows. */
MUST_USE enum err_code index_rows(struct index *ix, const char *table, struct slice from, struct slice to,
    const struct store_each *each, struct err *e);
/* One group in one transaction. ERR_DAMAGED when its root is not that of the tree. */
MUST_USE enum err_code index_apply(struct index *ix, const struct group *g, struct err *e);
MUST_USE enum err_code index_last(struct index *ix, struct index_last *out, struct err *e);
MUST_USE enum err_code index_segment(struct index *ix, uint32_t id, struct seg_row *out, struct err *e);
MUST_USE enum err_code index_object(struct index *ix, const uint8_t sha256[32], struct member *m, struct seg_row *seg,
    struct err *e);
MUST_USE enum err_code index_checkpoint(struct index *ix, uint64_t group, struct buf *out, struct err *e);
MUST_USE enum err_code index_leaf(struct index *ix, uint64_t at, uint8_t out[TLOG_LEAF_OCTETS], struct err *e);
MUST_USE enum err_code index_edge(struct index *ix, uint64_t size, struct tlog_edge *out, struct err *e);
MUST_USE enum err_code index_proof(struct index *ix, uint64_t leaf, uint64_t size, struct tlog_proof *out, struct err *e);
MUST_USE enum err_code index_consistency(
    struct index *ix, uint64_t from, uint64_t to, struct tlog_consistency *out, struct err *e);
/* Every segment, in order of id. */
MUST_USE enum err_code index_segments(struct index *ix, struct seg_row **out, size_t *n, struct err *e);
struct member_each {
	enum err_code (*member)(void *ctx, const struct member *m, struct err *e);
	void *ctx;
};
/* Members of one segment in order of offset. */
MUST_USE enum err_code index_members(struct index *ix, uint32_t seg, const struct member_each *each, struct err *e);
MUST_USE enum err_code index_dump(struct index *ix, const struct sink *to, struct err *e);
MUST_USE enum err_code index_count(struct index *ix, enum index_db d, uint64_t *out, struct err *e);
MUST_USE enum err_code index_member(struct index *ix, uint32_t seg, uint64_t off, struct member *m, struct err *e);
/* The copy of a group outside the log. ERR_NOTFOUND: it has none. */
MUST_USE enum err_code index_twin(struct index *ix, uint64_t n, struct member *m, struct err *e);
/* Position of a group member. */
MUST_USE enum err_code index_group(struct index *ix, uint64_t n, struct member *m, struct err *e);

/* --- the handle --- */

struct store {
	char *dir;
	int dir_fd, seg_fd, lock_fd;
	bool writer, bad;
	bool mender; /* a writer that brings the store up for a reader and writes no group: it needs no key */
	char why_bad[200];
	struct store_options o; /* origin: owned */
	struct clock clock;
	uint8_t *log_seed; /* writer only; LOG_SEED octets that a forked child has not */
	struct index index;
	bool index_open;
	struct kv ops;
	MDB_dbi ops_db;
	bool ops_open;
	struct index_last last;
	struct tlog_edge edge;
	struct seg **segs; /* open for appending */
	size_t n_segs, cap_segs;
	uint32_t next_seg;
	struct batch *batch;
	bool folder_dirty; /* a segment was born, its name is not synced */
	int newest_fd;	   /* writer only, from the first group on */
	struct store_status found; /* what the open found */
};

struct batch {
	struct store *s;
	struct group g; /* members, leaves, rows; the rest is filled in by the commit */
	uint32_t bucket[4096];
	bool draft; /* in memory alone; its members name no segment */
	struct drafted *drafted; /* g.n_members */
	size_t cap_drafted;
};

/* draft.c */
bool draft_holds(const struct batch *b, const uint8_t sha256[32], enum store_kind kind, int year);
MUST_USE enum err_code draft_put(
    struct batch *b, enum store_kind kind, int year, const struct source *from, const struct store_ref *ref, struct err *e);
void draft_undo(struct batch *b, size_t objects);
void draft_free(struct batch *b);
/* batch.c */
/* ERR_BUG: its store is closed; ERR_NOMEM: memory ran out before, it can only be dropped; ERR_IO, ERR_USAGE: store_may_write. */
MUST_USE enum err_code batch_usable(struct batch *b, struct err *e);
/* As they stand in a group. */
MUST_USE enum err_code batch_add_row(struct batch *b, struct slice key, const struct slice *value, struct err *e);
MUST_USE enum err_code batch_add_leaf(struct batch *b, const uint8_t encoded[TLOG_LEAF_OCTETS], struct err *e);

enum err_code store_bad(struct store *s, enum err_code code, struct err *e);
MUST_USE enum err_code store_may_write(struct store *s, struct err *e);
/* The last writer ended cleanly and none has begun. */
bool store_quiet(struct store *s);
/* The files of "index" or "ops", which must be closed. */
void store_wipe(struct store *s, const char *env);
/* compare.c */
struct index_tell {
	void (*row)(void *ctx, const char *name, const char *what);
	void *ctx;
};
/*
 * Every row of the index against what the groups in the segments say; what differs is told, and the index marked to be made
 * anew. ERR_IO, ERR_NOSPACE, ERR_NOMEM, ERR_BUSY: could not be compared, which says nothing about the index.
 */
MUST_USE enum err_code index_compare(struct store *s, const struct index_tell *tell, struct err *e);

/* sound.c */
enum tables { TABLES_INDEX, TABLES_OPS };
/* A mark that they are not to be believed, for the next one to open; a mark that can't be made is nobody's trouble. */
void tables_mark(const struct store *s, enum tables which);
void tables_unmark(const struct store *s, enum tables which);
bool tables_marked(const struct store *s, enum tables which);
/* index_check, unless the index is large and was looked through lately. clean: the last end was, and nobody writes. */
MUST_USE enum err_code index_sound(struct store *s, bool clean, struct err *e);
/* A segment file for reading. */
MUST_USE enum err_code store_segment_fd(struct store *s, const struct seg_id *id, int *fd, struct err *e);

/* segment.c: the writer's side */
/* The open segment of a kind, born if there is none. */
MUST_USE enum err_code seg_for(struct store *s, enum store_kind kind, int year, struct seg **out, struct err *e);
MUST_USE enum err_code seg_birth(
    struct store *s, enum store_kind kind, int year, bool alone, struct seg **out, struct err *e);
/* A segment that the index knows, to be appended to. */
MUST_USE enum err_code seg_reopen(struct store *s, const struct seg_row *row, struct err *e);
/* Where the next member goes. */
uint64_t seg_tail(const struct seg *g);
/* Append one member whose octets are in memory. */
MUST_USE enum err_code seg_append(struct seg *g, const char *name, struct slice octets, struct err *e);
/* A member in pieces: seg_begin, seg_more (size octets in all), seg_end; seg_cut forgets it. */
MUST_USE enum err_code seg_begin(struct seg *g, const char *name, uint64_t size, struct err *e);
MUST_USE enum err_code seg_more(struct seg *g, struct slice piece, struct err *e);
MUST_USE enum err_code seg_end(struct seg *g, uint64_t size, struct err *e);
void seg_cut(struct seg *g, uint64_t tail);
/* Write out and cut the file to the tail. */
MUST_USE enum err_code seg_flush(struct seg *g, struct err *e);
/* Member table and end mark; the table's member is added to grp. */
MUST_USE enum err_code seg_seal(struct store *s, struct seg *g, struct group *grp, struct err *e);
/* Text of a member table: members below `below` that the index and (may be NULL) a group in the making know. */
MUST_USE enum err_code seg_table(struct index *ix, const struct seg_id *id, const struct group *grp, uint64_t below,
    const struct sink *to, struct err *e);
/* Forget a segment; unlink_file: it was born and is not wanted. */
void seg_drop(struct store *s, struct seg *g, bool unlink_file);
/* What the header member of a segment says; appended to out. */
MUST_USE enum err_code seg_head_text(const struct store *s, const struct seg_id *id, int format, struct buf *out, struct err *e);
struct seg *seg_find(const struct store *s, uint32_t id);
bool seg_id_of(void *store, uint32_t id, struct seg_id *out); /* seg_lookup */
MUST_USE enum err_code group_add_member(struct group *g, const struct member *m, struct err *e);

/* batch.c */
/* Back to what is committed: tails cut, segments born since are gone. */
void store_rollback(struct store *s);

/* newest.c: the memory of what was acknowledged, docs/format.md 5. */
struct newest {
	uint64_t group, log_size;
	uint8_t sha256[32], root[TLOG_HASH];
};
/* Never synced, and a failure is nobody's trouble: it is a memory, not a promise. */
void newest_write(struct store *s);
/* out->group = 0: there is none, or it is not whole. ERR_IO, ERR_NOMEM: can't be read, so it is not known what it says. */
MUST_USE enum err_code newest_read(struct store *s, struct newest *out, struct err *e);
/* Forget it: what it named was given up by an operator's word. */
void newest_forget(struct store *s);

/* format.c */
MUST_USE enum err_code format_text(
    const struct store_options *o, int version, const struct entropy *random, struct buf *out, struct err *e);
/* Options, origin and format of the store from its FORMAT. */
MUST_USE enum err_code format_read(struct store *s, struct err *e);
/* A group's text once more, as a member of the group being made. */
MUST_USE enum err_code batch_put_twin(struct batch *b, uint64_t n, struct slice text, struct err *e);

/* recover.c */
struct recover_how {
	bool clean;	      /* the last writer said so */
	bool same_boot;	      /* the index is the one that a writer of this boot had in use */
	bool anew;	      /* an empty index: look at everything that can be mended */
	struct newest newest; /* group 0 = none */
	uint64_t known;	      /* the latest group that newest or the old index knows */
	uint64_t accept_loss; /* 0, or the latest known group: the operator gives up what is not there */
};
/* Bring index and segments to the last group that counts (docs/format.md 4). Lock held. */
MUST_USE enum err_code recover(struct store *s, const struct recover_how *how, struct err *e);
/* The group member at off of a segment. ERR_NOTFOUND: there is no whole one. ERR_IO: its octets can't be read. */
MUST_USE enum err_code group_at(int fd, uint64_t off, struct buf *text, uint64_t *n, struct err *e);
/* check.c: reads members and compares everything. ERR_DAMAGED and a text, or ERR_OK. */
struct checker;
MUST_USE enum err_code checker_new(bool full, struct checker **out, struct err *e); /* full: SHA-512 too */
void checker_auto(struct checker **c);
/* The segment that the next calls are about. */
MUST_USE enum err_code checker_segment(struct checker *c, struct store *s, const struct seg_id *id, struct err *e);
uint64_t checker_bytes(const struct checker *c); /* size of its file */
MUST_USE enum err_code checker_member(struct checker *c, const struct member *m, struct err *e);
/* The content alone: what else is wrong can be computed. */
MUST_USE enum err_code checker_content(struct checker *c, const struct member *m, struct err *e);
/* The same, reading anew: a writer may have been at work in the octets behind what was committed. */
MUST_USE enum err_code checker_again(struct checker *c, const struct member *m, struct err *e);
MUST_USE enum err_code checker_octets(
    struct checker *c, uint64_t off, struct slice want, const char *what, struct err *e);

/* logkey.c */
#define LOG_SEED TLOG_SEED
MUST_USE enum err_code log_key_make(int dir, const struct entropy *random, struct err *e);
/*
 * The secret half, in a page that children do not inherit (a child that was taken over must not be able to sign) and no
 * core file holds. ERR_DAMAGED: it is not the key of log.pub.
 */
MUST_USE enum err_code log_key_load(int dir, uint8_t **seed, struct err *e);
void log_key_release(uint8_t *seed); /* NULL is fine */

/* hash.c */
MUST_USE enum err_code pair_new(struct digester **d, struct err *e);
MUST_USE enum err_code pair_finish(struct digester *d, uint64_t size, struct store_ref *out, struct err *e);
bool ref_eq(const struct store_ref *a, const struct store_ref *b);

#endif
