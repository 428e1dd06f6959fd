/* SPDX-License-Identifier: MIT */
/* Keys of the index, and what index.c and apply.c both read. */
#ifndef EVERSEAL_STORE_INDEX_INT_H
#define EVERSEAL_STORE_INDEX_INT_H

#include "store/store_int.h"

/* Keys are big-endian numbers, so that octet order is their order. */
struct key {
	uint8_t p[16];
	size_t n;
};

static inline void
key_num(struct key *k, uint64_t v, unsigned octets)
{
	while (octets-- > 0)
		k->p[k->n++] = (uint8_t)(v >> (8 * octets));
}

static inline struct key
key32(uint32_t v)
{
	struct key k = {.n = 0};

	key_num(&k, v, 4);
	return k;
}

static inline struct key
key64(uint64_t v)
{
	struct key k = {.n = 0};

	key_num(&k, v, 8);
	return k;
}

static inline struct key
key_member(uint32_t seg, uint64_t off)
{
	struct key k = key32(seg);

	key_num(&k, off, 8);
	return k;
}

static inline struct key
key_node(unsigned level, uint64_t at)
{
	struct key k = {.n = 0};

	key_num(&k, level, 1);
	key_num(&k, at, 8);
	return k;
}

static inline struct slice
key_slice(const struct key *k)
{
	return slice_of(k->p, k->n);
}

MUST_USE enum err_code ix_read_seg(struct index *ix, MDB_txn *t, uint32_t id, struct seg_row *out, struct err *e);
/* The right edge of the tree of the first `size` leaves. */
MUST_USE enum err_code ix_edge_in(struct index *ix, MDB_txn *t, uint64_t size, struct tlog_edge *out, struct err *e);
/* The last group; group 0 when there is none. checkpoint may be NULL. */
MUST_USE enum err_code ix_last_in(
    struct index *ix, MDB_txn *t, struct index_last *out, struct buf *checkpoint, struct err *e);

/*
 * Each table's rows and sum stand in meta under "sum <database>", or "sum rows/<table>": what is missing can't be seen on
 * the rows that are there. meta itself has none.
 */
#define SUM_KEY "sum "
#define SUM_NAME (STORE_TABLE_MAX + 8)
struct ix_sum {
	char name[SUM_NAME];
	struct row_sum sum;
};
struct ix_sums {
	struct ix_sum *v;
	size_t n, cap;
};
void ix_sums_auto(struct ix_sums *s);
/* *out is good until the next call. row: a key of DB_ROWS, else NULL. */
MUST_USE enum err_code ix_sum_of(struct ix_sums *s, struct index *ix, MDB_txn *t, enum index_db d, const struct slice *row,
    struct row_sum **out, struct err *e);
MUST_USE enum err_code ix_sums_write(const struct ix_sums *s, struct index *ix, MDB_txn *t, bool *full, struct err *e);
const char *ix_name(enum index_db d);

#endif
