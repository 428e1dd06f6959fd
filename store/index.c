/* SPDX-License-Identifier: MIT */
/*
 * The derived index: where things are, what the rows say, the nodes of the log's
 * tree. This half opens it and answers; apply.c changes it.
 */
#include "store/index_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAME[INDEX_DBS] = {
    [DB_META] = "meta",
    [DB_SEGMENTS] = "segments",
    [DB_MEMBERS] = "members",
    [DB_OBJECTS] = "objects",
    [DB_GROUPS] = "groups",
    [DB_LEAVES] = "leaves",
    [DB_NODES] = "nodes",
    [DB_ROWS] = "rows",
    [DB_TWINS] = "twins",
};

const char *
ix_name(enum index_db d)
{
	return NAME[d];
}

enum err_code
index_open(const char *path, bool read_only, struct index *ix, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	bool full = false;
	int i;
	enum err_code r = kv_open(path, read_only, INDEX_DBS, &ix->kv, e);

	if (r != ERR_OK)
		return r;
	r = kv_begin(&ix->kv, !read_only, &t, e);
	for (i = 0; r == ERR_OK && i < INDEX_DBS; i++)
		r = kv_table(t, NAME[i], !read_only, &ix->db[i], e);
	if (r == ERR_OK) /* a handle opened in a transaction that is aborted is closed again */
		r = kv_commit(&t, &full, e);
	if (r != ERR_OK) {
		if (t != NULL)
			txn_auto(&t);
		t = NULL;
		kv_close(&ix->kv);
	}
	return r;
}

void
index_close(struct index *ix)
{
	kv_close(&ix->kv);
}

uint64_t
index_bytes(const struct index *ix)
{
	mdb_filehandle_t fd = -1;
	uint64_t n = 0;

	return mdb_env_get_fd(ix->kv.env, &fd) == 0 && sys_size(fd, &n, NULL) == ERR_OK ? n : 0;
}

/* --- what both halves read --- */

enum err_code
ix_read_seg(struct index *ix, MDB_txn *t, uint32_t id, struct seg_row *out, struct err *e)
{
	struct key k = key32(id);
	struct slice v = {0};
	struct cur c;
	enum err_code r = kv_get(t, ix->db[DB_SEGMENTS], key_slice(&k), &v, e);

	if (r != ERR_OK)
		return r;
	c = cur_from(v);
	*out = (struct seg_row){.id = {.id = id}};
	out->id.kind = cur_u8(&c);
	out->id.year = cur_be16(&c);
	out->id.alone = cur_u8(&c) != 0;
	out->sealed = cur_u8(&c) != 0;
	out->id.born_utc = (int64_t)cur_be64(&c);
	out->end = cur_be64(&c);
	if (!c.failed && (out->id.kind < STORE_DATA || out->id.kind > STORE_LOG))
		return err_set(e, ERR_DAMAGED, "index: segment of kind %d", (int)out->id.kind);
	return cur_end(&c, "index: segment", e);
}

static enum err_code
parse_member(uint32_t seg, uint64_t off, struct slice v, struct member *m, struct err *e)
{
	struct cur c = cur_from(v);
	struct slice h;

	*m = (struct member){.seg = seg, .off = off};
	m->kind = cur_u8(&c);
	m->group = cur_be64(&c);
	m->ref.size_bytes = cur_be64(&c);
	h = cur_take(&c, 32);
	if (h.n != 0)
		memcpy(m->ref.sha256, h.p, 32);
	h = cur_take(&c, 64);
	if (h.n != 0)
		memcpy(m->ref.sha512, h.p, 64);
	return cur_end(&c, "index: member", e);
}

static enum err_code
get_node(struct index *ix, MDB_txn *t, unsigned level, uint64_t at, uint8_t out[TLOG_HASH], struct err *e)
{
	struct key k = key_node(level, at);
	struct slice v = {0};
	enum err_code r = kv_get(t, ix->db[DB_NODES], key_slice(&k), &v, e);

	if (r != ERR_OK)
		return r;
	if (v.n != TLOG_HASH)
		return err_set(e, ERR_DAMAGED, "index: node of %zu octets", v.n);
	memcpy(out, v.p, TLOG_HASH);
	return ERR_OK;
}

enum err_code
ix_edge_in(struct index *ix, MDB_txn *t, uint64_t size, struct tlog_edge *out, struct err *e)
{
	uint64_t start = 0;
	int level;

	*out = (struct tlog_edge){.size = size};
	for (level = 63; level >= 0; level--) {
		enum err_code r;

		if ((size >> level & 1) == 0)
			continue;
		r = get_node(ix, t, (unsigned)level, start >> level, out->peak[out->n], e);
		if (r != ERR_OK)
			return r;
		out->n++;
		start += 1ULL << level;
	}
	return ERR_OK;
}

static enum err_code
parse_last(uint64_t n, struct slice v, struct index_last *out, struct buf *checkpoint, struct err *e)
{
	struct cur c = cur_from(v);
	struct slice h, rest;

	*out = (struct index_last){.group = n};
	out->seg = cur_be32(&c);
	out->off = cur_be64(&c);
	out->size = cur_be64(&c);
	out->log_size = cur_be64(&c);
	out->time_utc = (int64_t)cur_be64(&c);
	h = cur_take(&c, 32);
	if (h.n != 0)
		memcpy(out->sha256, h.p, 32);
	h = cur_take(&c, TLOG_HASH);
	if (h.n != 0)
		memcpy(out->root, h.p, TLOG_HASH);
	rest = cur_rest(&c);
	if (checkpoint != NULL)
		buf_addslice(checkpoint, rest);
	return cur_end(&c, "index: group", e);
}

enum err_code
ix_last_in(struct index *ix, MDB_txn *t, struct index_last *out, struct buf *checkpoint, struct err *e)
{
	struct key last = {.p = "last", .n = 4};
	struct slice v = {0};
	struct cur c;
	uint64_t n;
	enum err_code r = kv_get(t, ix->db[DB_META], key_slice(&last), &v, NULL);

	*out = (struct index_last){.time_utc = TIME_NONE};
	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r != ERR_OK)
		return err_set(e, r, "index: last group");
	c = cur_from(v);
	n = cur_be64(&c);
	r = kv_get(t, ix->db[DB_GROUPS], v, &v, e);
	return r == ERR_OK ? parse_last(n, v, out, checkpoint, e) : r;
}

/* --- asking --- */

enum err_code
index_last(struct index *ix, struct index_last *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	return r == ERR_OK ? ix_last_in(ix, t, out, NULL, e) : r;
}

enum err_code
index_checkpoint(struct index *ix, uint64_t group, struct buf *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct index_last last;
	struct key k = key64(group);
	struct slice v = {0};
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK && group == 0)
		r = ix_last_in(ix, t, &last, out, e);
	else if (r == ERR_OK && (r = kv_get(t, ix->db[DB_GROUPS], key_slice(&k), &v, e)) == ERR_OK)
		r = parse_last(group, v, &last, out, e);
	if (r == ERR_OK && out->n == 0)
		return err_set(e, ERR_NOTFOUND, "the log has no checkpoint yet");
	return r == ERR_OK ? buf_ok(out, e) : r;
}

enum err_code
index_group(struct index *ix, uint64_t n, struct member *m, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct index_last g;
	struct key k = key64(n), at;
	struct slice v = {0};
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK)
		r = kv_get(t, ix->db[DB_GROUPS], key_slice(&k), &v, e);
	if (r == ERR_OK)
		r = parse_last(n, v, &g, NULL, e);
	if (r != ERR_OK)
		return r;
	at = key_member(g.seg, g.off);
	r = kv_get(t, ix->db[DB_MEMBERS], key_slice(&at), &v, e);
	return r == ERR_OK ? parse_member(g.seg, g.off, v, m, e) : r;
}

enum err_code
index_twin(struct index *ix, uint64_t n, struct member *m, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct key k = key64(n);
	struct slice v = {0};
	struct cur c;
	uint32_t seg;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK)
		r = kv_get(t, ix->db[DB_TWINS], key_slice(&k), &v, e);
	if (r != ERR_OK)
		return r;
	c = cur_from(v);
	seg = cur_be32(&c);
	return index_member(ix, seg, cur_be64(&c), m, e);
}

enum err_code
index_member(struct index *ix, uint32_t seg, uint64_t off, struct member *m, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct key k = key_member(seg, off);
	struct slice v = {0};
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK)
		r = kv_get(t, ix->db[DB_MEMBERS], key_slice(&k), &v, e);
	return r == ERR_OK ? parse_member(seg, off, v, m, e) : r;
}

enum err_code
index_segment(struct index *ix, uint32_t id, struct seg_row *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	return r == ERR_OK ? ix_read_seg(ix, t, id, out, e) : r;
}

enum err_code
index_object(struct index *ix, const uint8_t sha256[32], struct member *m, struct seg_row *seg, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct slice v = {0};
	struct cur c;
	uint32_t id;
	uint64_t off;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK)
		r = kv_get(t, ix->db[DB_OBJECTS], slice_of(sha256, 32), &v, e);
	if (r != ERR_OK)
		return r;
	c = cur_from(v);
	id = cur_be32(&c);
	off = cur_be64(&c);
	r = kv_get(t, ix->db[DB_MEMBERS], v, &v, e);
	if (r == ERR_OK)
		r = parse_member(id, off, v, m, e);
	return r == ERR_OK ? ix_read_seg(ix, t, id, seg, e) : r;
}

enum err_code
index_leaf(struct index *ix, uint64_t at, uint8_t out[TLOG_LEAF_OCTETS], struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct key k = key64(at);
	struct slice v = {0};
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (r == ERR_OK)
		r = kv_get(t, ix->db[DB_LEAVES], key_slice(&k), &v, e);
	if (r != ERR_OK)
		return r;
	if (v.n != TLOG_LEAF_OCTETS)
		return err_set(e, ERR_DAMAGED, "index: leaf of %zu octets", v.n);
	memcpy(out, v.p, v.n);
	return ERR_OK;
}

enum err_code
index_edge(struct index *ix, uint64_t size, struct tlog_edge *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	return r == ERR_OK ? ix_edge_in(ix, t, size, out, e) : r;
}

/* RFC 9162 2.1.1: where the tree of n leaves is split, the largest power of two below n. */
static uint64_t
split(uint64_t n)
{
	uint64_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH of leaves [from, from + n): a stored node if it is a complete one, else of both halves. */
static enum err_code
range_hash(struct index *ix, MDB_txn *t, uint64_t from, uint64_t n, uint8_t out[TLOG_HASH], struct err *e)
{
	uint8_t l[TLOG_HASH], r[TLOG_HASH];
	uint64_t k = split(n);
	unsigned level = 0;
	enum err_code x;

	if ((n & (n - 1)) == 0) {
		while ((1ULL << level) < n)
			level++;
		return get_node(ix, t, level, from >> level, out, e);
	}
	x = range_hash(ix, t, from, k, l, e);
	if (x == ERR_OK)
		x = range_hash(ix, t, from + k, n - k, r, e);
	return x == ERR_OK ? tlog_node_hash(l, r, out, e) : x;
}

enum err_code
index_proof(struct index *ix, uint64_t leaf, uint64_t size, struct tlog_proof *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	uint8_t down[TLOG_PATH_MAX][TLOG_HASH];
	uint64_t from = 0, n = size;
	size_t depth = 0, i;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	if (leaf >= size)
		return err_set(e, ERR_NOTFOUND, "leaf %" PRIu64 " in a log of %" PRIu64, leaf, size);
	while (r == ERR_OK && n > 1) { /* from the root down; the path is told from the leaf up */
		uint64_t k = split(n);

		if (leaf - from < k) {
			r = range_hash(ix, t, from + k, n - k, down[depth++], e);
			n = k;
		} else {
			r = range_hash(ix, t, from, k, down[depth++], e);
			from += k;
			n -= k;
		}
	}
	if (r != ERR_OK)
		return r;
	*out = (struct tlog_proof){.index = leaf, .size = size, .n = depth};
	for (i = 0; i < depth; i++)
		memcpy(out->path[i], down[depth - 1 - i], TLOG_HASH);
	return ERR_OK;
}

struct sub {
	struct index *ix;
	MDB_txn *t;
	struct tlog_consistency *out;
	uint64_t from, n; /* the subtree looked at */
};

/* RFC 9162 2.1.4.1, SUBPROOF(m, D[from:from+n], whole), told from the leaf side upward. */
static enum err_code
subproof(struct sub s, uint64_t m, bool whole, struct err *e)
{
	uint64_t k = split(s.n);
	struct sub left = s, right = s;
	uint8_t h[TLOG_HASH];
	enum err_code r;

	if (m == s.n)
		return whole ? ERR_OK : range_hash(s.ix, s.t, s.from, s.n, s.out->path[s.out->n++], e);
	left.n = right.from = k;
	right.from += s.from;
	right.n -= k;
	r = m <= k ? subproof(left, m, whole, e) : subproof(right, m - k, false, e);
	if (r == ERR_OK)
		r = m <= k ? range_hash(s.ix, s.t, right.from, right.n, h, e) : range_hash(s.ix, s.t, left.from, left.n, h, e);
	if (r == ERR_OK)
		memcpy(s.out->path[s.out->n++], h, TLOG_HASH);
	return r;
}

enum err_code
index_consistency(struct index *ix, uint64_t from, uint64_t to, struct tlog_consistency *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct sub s = {.ix = ix, .out = out, .n = to};
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	*out = (struct tlog_consistency){.from = from, .to = to};
	s.t = t;
	if (from > to)
		return err_set(e, ERR_NOTFOUND, "a tree of %" PRIu64 " leaves in a log of %" PRIu64, from, to);
	return r != ERR_OK || from == 0 ? r : subproof(s, from, true, e);
}

/* --- walking --- */

struct seg_list {
	struct index *ix;
	struct seg_row *v;
	size_t n, cap;
};

static enum err_code
add_seg(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct seg_list *l = ctx;
	struct cur c = cur_from(key);

	(void)stop;
	(void)value;
	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		return err_nomem(e);
	l->n++;
	return index_segment(l->ix, cur_be32(&c), &l->v[l->n - 1], e);
}

enum err_code
index_segments(struct index *ix, struct seg_row **out, size_t *n, struct err *e)
{
	struct seg_list l = {.ix = ix};
	const struct store_each each = {add_seg, &l};
	enum err_code r = kv_walk(&ix->kv, ix->db[DB_SEGMENTS], slice_of(NULL, 0), slice_of(NULL, 0), 0, &each, NULL, e);

	if (r != ERR_OK) {
		free(l.v);
		return r;
	}
	*out = l.v;
	*n = l.n;
	return ERR_OK;
}

static enum err_code
one_member(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	const struct member_each *each = ctx;
	struct cur c = cur_from(key);
	uint32_t seg = cur_be32(&c);
	struct member m;
	enum err_code r = parse_member(seg, cur_be64(&c), value, &m, e);

	(void)stop;
	return r == ERR_OK ? each->member(each->ctx, &m, e) : r;
}

enum err_code
index_members(struct index *ix, uint32_t seg, const struct member_each *each, struct err *e)
{
	const struct store_each rows = {one_member, (void *)(uintptr_t)each};
	struct key from = key32(seg), to = key32(seg + 1);

	return kv_walk(&ix->kv, ix->db[DB_MEMBERS], key_slice(&from), key_slice(&to), 0, &rows, NULL, e);
}

struct dump {
	const struct sink *to;
	const char *name;
};

static enum err_code
dump_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	const struct dump *d = ctx;
	AUTO(buf) struct buf b = {0};
	enum err_code r;

	(void)stop;
	buf_addf(&b, "%s ", d->name);
	buf_addhex(&b, key);
	buf_adds(&b, " ");
	buf_addhex(&b, value);
	buf_adds(&b, "\n");
	r = buf_ok(&b, e);
	return r == ERR_OK ? sink_write(d->to, buf_slice(&b), e) : r;
}

enum err_code
index_dump(struct index *ix, const struct sink *to, struct err *e)
{
	enum err_code r = ERR_OK;
	int i;

	for (i = 0; r == ERR_OK && i < INDEX_DBS; i++) {
		struct dump d = {to, NAME[i]};
		const struct store_each each = {dump_row, &d};

		r = kv_walk(&ix->kv, ix->db[i], slice_of(NULL, 0), slice_of(NULL, 0), 0, &each, NULL, e);
	}
	return r;
}

enum err_code
index_count(struct index *ix, enum index_db d, uint64_t *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	return r == ERR_OK ? kv_count(t, ix->db[d], out, e) : r;
}
