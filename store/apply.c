/* SPDX-License-Identifier: MIT */
/*
 * The index changes by whole groups only, always through index_apply, whether
 * the group was committed just now or read from a segment: so an index made
 * again from the segments alone is equal key by key.
 */
#include "store/index_int.h"

#include <inttypes.h>
#include <string.h>

struct apply {
	struct index *ix;
	MDB_txn *t;
	const struct group *g;
	struct ix_sums sums;
	bool full;
};

static void
apply_auto(struct apply *a)
{
	ix_sums_auto(&a->sums);
}

static enum err_code
put_slice(struct apply *a, enum index_db d, struct slice key, struct slice v, struct err *e)
{
	struct row_sum *sum = NULL;
	enum err_code r = ix_sum_of(&a->sums, a->ix, a->t, d, d == DB_ROWS ? &key : NULL, &sum, e);

	return r == ERR_OK ? kv_put(a->t, a->ix->db[d], key, v, sum, &a->full, e) : r;
}

static enum err_code
put(struct apply *a, enum index_db d, const struct key *k, struct slice v, struct err *e)
{
	return put_slice(a, d, key_slice(k), v, e);
}

static enum err_code
del_row(struct apply *a, struct slice key, struct err *e)
{
	struct row_sum *sum = NULL;
	enum err_code r = ix_sum_of(&a->sums, a->ix, a->t, DB_ROWS, &key, &sum, e);

	return r == ERR_OK ? kv_del(a->t, a->ix->db[DB_ROWS], key, sum, &a->full, e) : r;
}

static enum err_code
write_seg(struct apply *a, const struct seg_row *s, struct err *e)
{
	AUTO(buf) struct buf v = {0};
	struct key k = key32(s->id.id);

	buf_add8(&v, s->id.kind);
	buf_add8(&v, s->id.year >> 8);
	buf_add8(&v, s->id.year & 0xff);
	buf_add8(&v, s->id.alone);
	buf_add8(&v, s->sealed);
	buf_addbe64(&v, (uint64_t)s->id.born_utc);
	buf_addbe64(&v, s->end);
	return put(a, DB_SEGMENTS, &k, buf_slice(&v), e);
}

static enum err_code
write_member(struct apply *a, const struct member *m, struct err *e)
{
	AUTO(buf) struct buf v = {0};
	struct key k = key_member(m->seg, m->off);

	buf_add8(&v, m->kind);
	buf_addbe64(&v, m->group);
	buf_addbe64(&v, m->ref.size_bytes);
	buf_add(&v, m->ref.sha256, 32);
	buf_add(&v, m->ref.sha512, 64);
	return put(a, DB_MEMBERS, &k, buf_slice(&v), e);
}

/* An object, and a group's twin, has one address: the copy that is kept longest. */
static enum err_code
write_address(struct apply *a, enum index_db d, struct slice what, const struct member *m, const struct seg_row *seg,
    struct err *e)
{
	struct slice old = {0};
	struct seg_row other;
	struct key at = key_member(m->seg, m->off);
	enum err_code r = kv_get(a->t, a->ix->db[d], what, &old, NULL);

	if (r == ERR_OK) {
		struct cur c = cur_from(old);

		r = ix_read_seg(a->ix, a->t, cur_be32(&c), &other, e);
		if (r != ERR_OK)
			return r;
		if (seg_rank(other.id.kind, other.id.year) >= seg_rank(seg->id.kind, seg->id.year))
			return ERR_OK;
	}
	return put_slice(a, d, what, key_slice(&at), e);
}

static enum err_code
apply_member(struct apply *a, const struct member *m, struct err *e)
{
	struct seg_row seg;
	struct key number = key64(m->group);
	uint64_t end = m->off + tar_member_bytes(m->ref.size_bytes);
	enum err_code r = ix_read_seg(a->ix, a->t, m->seg, &seg, e);

	if (r != ERR_OK)
		return r;
	if (seg.sealed)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 ": a member in segment %" PRIu32 ", which is sealed", a->g->n, m->seg);
	if (m->off != seg.end)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 ": member at %" PRIu64 " of segment %" PRIu32
		    ", which ends at %" PRIu64, a->g->n, m->off, m->seg, seg.end);
	seg.end = end;
	r = write_seg(a, &seg, e);
	if (r == ERR_OK)
		r = write_member(a, m, e);
	if (r == ERR_OK && m->kind == MEMBER_OBJECT)
		r = write_address(a, DB_OBJECTS, slice_of(m->ref.sha256, 32), m, &seg, e);
	if (r == ERR_OK && m->kind == MEMBER_GROUP && seg.id.kind != STORE_LOG)
		r = write_address(a, DB_TWINS, key_slice(&number), m, &seg, e);
	return r;
}

static enum err_code
apply_segments(struct apply *a, struct err *e)
{
	const struct member twin = {.seg = a->g->twin_seg, .off = a->g->twin_off, .kind = MEMBER_GROUP, .group = a->g->n, .ref = a->g->ref};
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < a->g->n_born; i++) {
		struct seg_row s;

		if (ix_read_seg(a->ix, a->t, a->g->born[i].id, &s, NULL) != ERR_NOTFOUND)
			return err_set(e, ERR_DAMAGED, "group %" PRIu64 ": segment %" PRIu32 " is born again", a->g->n, a->g->born[i].id);
		s = (struct seg_row){.id = a->g->born[i]};
		r = write_seg(a, &s, e);
	}
	for (i = 0; r == ERR_OK && i < a->g->n_members; i++)
		r = apply_member(a, &a->g->members[i], e);
	if (r == ERR_OK && a->g->twin_seg != 0)
		r = apply_member(a, &twin, e);
	for (i = 0; r == ERR_OK && i < a->g->n_sealed; i++) {
		struct seg_row s;

		r = ix_read_seg(a->ix, a->t, a->g->sealed[i], &s, e);
		if (r != ERR_OK)
			return r;
		if (s.sealed)
			return err_set(e, ERR_DAMAGED, "group %" PRIu64 ": segment %" PRIu32 " is sealed already", a->g->n, s.id.id);
		s.sealed = true;
		s.end += TAR_END_OCTETS;
		r = write_seg(a, &s, e);
	}
	return r;
}

static enum err_code
put_node(void *ctx, unsigned level, uint64_t at, const uint8_t hash[TLOG_HASH], struct err *e)
{
	struct key k = key_node(level, at);

	return put(ctx, DB_NODES, &k, slice_of(hash, TLOG_HASH), e);
}

static enum err_code
apply_leaves(struct apply *a, uint64_t size, struct err *e)
{
	const struct tlog_nodes nodes = {put_node, a};
	struct tlog_edge edge;
	uint8_t h[TLOG_HASH];
	enum err_code r = ix_edge_in(a->ix, a->t, size, &edge, e);
	size_t i;

	for (i = 0; r == ERR_OK && i < a->g->n_leaves; i++) {
		struct slice leaf = slice_of(a->g->leaves[i], TLOG_LEAF_OCTETS);
		struct key k = key64(edge.size);

		r = put(a, DB_LEAVES, &k, leaf, e);
		if (r == ERR_OK)
			r = tlog_leaf_hash(leaf, h, e);
		if (r == ERR_OK)
			r = tlog_append(&edge, h, &nodes, e);
	}
	if (r == ERR_OK)
		r = tlog_root(&edge, h, e);
	if (r != ERR_OK)
		return r;
	if (edge.size != a->g->log_size || memcmp(h, a->g->root, TLOG_HASH) != 0)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 ": the log's root is not that of its leaves", a->g->n);
	return ERR_OK;
}

static enum err_code
apply_rows(struct apply *a, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < a->g->n_rows; i++) {
		const struct row *w = &a->g->rows[i];
		struct slice key = slice_of(a->g->arena.p + w->at, w->key_n);
		struct slice v = slice_of(a->g->arena.p + w->at + w->key_n, w->value_n);

		r = w->del ? del_row(a, key, e) : put_slice(a, DB_ROWS, key, v, e);
	}
	return r;
}

static enum err_code
apply_self(struct apply *a, struct err *e)
{
	AUTO(buf) struct buf v = {0};
	const struct group *g = a->g;
	const struct member m = {.seg = g->seg, .off = g->off, .kind = MEMBER_GROUP, .group = g->n, .ref = g->ref};
	struct key k = key64(g->n), last = {.p = "last", .n = 4};
	enum err_code r = apply_member(a, &m, e);

	buf_addbe32(&v, g->seg);
	buf_addbe64(&v, g->off);
	buf_addbe64(&v, g->ref.size_bytes);
	buf_addbe64(&v, g->log_size);
	buf_addbe64(&v, (uint64_t)g->time_utc);
	buf_add(&v, g->ref.sha256, 32);
	buf_add(&v, g->root, TLOG_HASH);
	buf_addslice(&v, buf_slice(&g->checkpoint));
	if (r == ERR_OK)
		r = put(a, DB_GROUPS, &k, buf_slice(&v), e);
	if (r == ERR_OK)
		r = kv_put(a->t, a->ix->db[DB_META], key_slice(&last), key_slice(&k), NULL, &a->full, e);
	return r == ERR_OK ? ix_sums_write(&a->sums, a->ix, a->t, &a->full, e) : r;
}

static enum err_code
apply_once(struct index *ix, const struct group *g, bool *full, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	AUTO(apply) struct apply a = {.ix = ix, .g = g};
	struct index_last last;
	enum err_code r = kv_begin(&ix->kv, true, &t, e);

	a.t = t;
	if (r == ERR_OK)
		r = ix_last_in(ix, t, &last, NULL, e);
	if (r == ERR_OK && last.group + 1 != g->n)
		return err_set(e, ERR_BUG, "group %" PRIu64 " after group %" PRIu64, g->n, last.group);
	if (r == ERR_OK)
		r = apply_segments(&a, e);
	if (r == ERR_OK)
		r = apply_leaves(&a, last.log_size, e);
	if (r == ERR_OK)
		r = apply_rows(&a, e);
	if (r == ERR_OK)
		r = apply_self(&a, e);
	if (r == ERR_OK)
		r = kv_commit(&t, &a.full, e);
	*full = a.full;
	return r;
}

enum err_code
index_apply(struct index *ix, const struct group *g, struct err *e)
{
	bool full = false;
	enum err_code r = apply_once(ix, g, &full, e);

	while (r != ERR_OK && full) {
		full = false;
		r = kv_grow(&ix->kv, e);
		if (r == ERR_OK)
			r = apply_once(ix, g, &full, e);
	}
	return r;
}
