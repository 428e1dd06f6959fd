/* SPDX-License-Identifier: MIT */
/* What the files of recovery share: recover.c (what counts), hunt.c (where groups stand), mend.c, lost.c. docs/format.md 4, 6. */
#ifndef EVERSEAL_STORE_RECOVER_INT_H
#define EVERSEAL_STORE_RECOVER_INT_H

#include "store/store_int.h"

#include "base/json.h"

/* --- behind.c --- */

/* Is anything but zeros in [off, end)? What can't be read is something. */
MUST_USE enum err_code anything(int fd, uint64_t off, uint64_t end, bool *out, struct err *e);
/*
 * Is what stands behind the end of a log segment nothing but its sealing, as far as that came? It is written before the log's turn. What
 * can't be read is not.
 */
MUST_USE enum err_code only_seal(struct store *s, const struct seg_id *id, int fd, uint64_t from, uint64_t size, bool *out, struct err *e);

/* --- lost.c: setting aside --- */

struct lost_part {
	struct seg_id id;
	uint64_t off, size;
};
struct lost {
	enum store_lost_kind kind;
	uint64_t after, group; /* the last good group; the first that is concerned */
	char why[300];
	struct lost_part *parts;
	size_t n_parts, cap_parts;
	json_t *damage, *leaves; /* arrays; NULL = none */
};
void lost_auto(struct lost *l);
MUST_USE enum err_code lost_add_part(struct lost *l, const struct seg_id *id, uint64_t off, uint64_t size, struct err *e);
MUST_USE enum err_code lost_add_damage(
    struct lost *l, const struct seg_id *id, uint64_t off, const char *name, uint64_t group, const char *what, struct err *e);
MUST_USE enum err_code lost_add_leaf(struct lost *l, uint64_t index, struct slice leaf, struct err *e);
/* Durable in lost/ on ERR_OK; the segments are as they were. What stands there already is not written again. */
MUST_USE enum err_code lost_put(struct store *s, struct lost *l, struct err *e);
/* Of the damage what no manifest tells yet; nothing when there is no such. l->group becomes the first group of it. */
MUST_USE enum err_code lost_put_new(struct store *s, struct lost *l, struct err *e);

/* --- hunt.c: where groups stand --- */

/* All segment files of a store, by id. */
struct seg_files {
	struct seg_id *v;
	size_t n, cap;
};
MUST_USE enum err_code seg_files_list(struct store *s, struct seg_files *out, struct err *e);
void seg_files_auto(struct seg_files *f);
const struct seg_id *seg_files_find(const struct seg_files *f, uint32_t id);

/* Where the chain is. */
struct chain {
	struct store *s;
	const struct seg_files *files;
	uint64_t n; /* the last group that counts so far */
	uint8_t prev[32];
	uint32_t seg; /* where the next one is looked for in the log */
	uint64_t off;
	bool looked; /* for twins */
	bool unread; /* where they stand some octets can't be read */
	struct twin_place {
		uint64_t n, off;
		uint32_t seg;
	} *twins; /* behind the ends, by number */
	size_t n_twins, cap_twins;
};
void chain_auto(struct chain *c);
/* The next group of the chain, in the log. ERR_NOTFOUND. The group knows its place. */
MUST_USE enum err_code hunt_log(struct chain *c, struct group **out, struct err *e);
/* The next group of the chain, behind the committed ends of all other segments. ERR_NOTFOUND. */
MUST_USE enum err_code hunt_twin(struct chain *c, struct group **out, struct err *e);
/* Does a whole twin stand there whose number is higher than the next one's? True also when that can't be read. */
MUST_USE enum err_code hunt_later(struct chain *c, bool *out, struct err *e);
/* The next group of the chain, one of whose octets in the log has a wrong bit. ERR_NOTFOUND. */
MUST_USE enum err_code hunt_healed(struct chain *c, struct group **out, struct err *e);
/* g is the last one now. */
void chain_step(struct chain *c, const struct group *g);
/* The whole group of the highest number in the log behind the chain's end. n = 0: there is none. */
struct behind {
	uint64_t n, off;
	uint32_t seg;
};
/* ERR_IO: octets of the log behind the chain's end can't be read. ERR_DAMAGED: groups overlap there. */
MUST_USE enum err_code chain_ends(struct chain *c, struct behind *out, struct err *e);
/*
 * The text of a group that the index knows, from whichever copy has its digest; one wrong bit is put right. bad_log,
 * bad_twin (may be NULL): that copy is there, or should be, and has not. ERR_DAMAGED: neither; ERR_NOMEM: could not be asked.
 */
MUST_USE enum err_code group_text(
    struct store *s, uint64_t n, struct buf *text, bool *bad_log, bool *bad_twin, struct err *e);
/* heal.c: text with one bit turned, so that it is whole. ERR_NOTFOUND: no single bit does it, or the text is longer than 32 KiB. */
MUST_USE enum err_code group_heal(struct buf *text, struct err *e);

/* --- known.c: the old index, aside while another one is made --- */

/* The last group that it knows and has a row of; 0 when there is none, or it can't be read. */
MUST_USE enum err_code old_last(struct store *s, uint64_t *group, struct err *e);
/* Its leaves from `from` on; none when it can't be read. */
MUST_USE enum err_code old_leaves(struct store *s, uint64_t from,
    enum err_code (*leaf)(void *ctx, uint64_t index, struct slice leaf, struct err *e), void *ctx, struct err *e);

/* --- mend.c --- */

/*
 * Write anew what can be computed in these segments (all when ids is NULL): headers, groups, tables, padding, end marks.
 * What stood there is set aside first when it was anything. What can't be mended is left for scrub to tell.
 */
MUST_USE enum err_code mend_segments(struct store *s, const uint32_t *ids, size_t n, struct err *e);

#endif
