/* SPDX-License-Identifier: MIT */
/* What is to become one group: objects already in the segments' tails, leaves and rows in memory. */
#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (sizeof(((struct batch *)0)->bucket) / sizeof(uint32_t))

enum err_code
store_batch_begin(struct store *s, struct batch **out, struct err *e)
{
	struct batch *b;
	enum err_code r = store_may_write(s, e);

	if (r != ERR_OK)
		return r;
	if (s->batch != NULL)
		return err_set(e, ERR_BUSY, "a batch is open already");
	b = mem_new(1, sizeof(*b));
	if (b == NULL)
		return err_nomem(e);
	b->s = s;
	b->g.n = s->last.group + 1;
	b->g.format = s->found.format;
	b->g.arena.max_bytes = STORE_BATCH_BYTES + (1u << 20);
	s->batch = b;
	*out = b;
	return ERR_OK;
}

void
store_rollback(struct store *s)
{
	struct err e;
	size_t i = 0;

	while (i < s->n_segs) {
		struct seg *g = s->segs[i];

		if (g->fresh) {
			seg_drop(s, g, true);
			continue;
		}
		g->sealed = false;
		seg_cut(g, g->end);
		if (seg_flush(g, &e) != ERR_OK)
			store_bad(s, ERR_IO, &e);
		i++;
	}
}

void
batch_drop(struct batch *b)
{
	if (b == NULL)
		return;
	if (b->draft) {
		draft_free(b);
	} else if (b->s != NULL) {
		if (!b->s->bad)
			store_rollback(b->s);
		b->s->batch = NULL;
	}
	group_free(&b->g);
	free(b);
}

void
batch_auto(struct batch **b)
{
	int saved = errno;

	batch_drop(*b);
	errno = saved;
}

enum err_code
batch_usable(struct batch *b, struct err *e)
{
	if (b->s == NULL)
		return err_set(e, ERR_BUG, "the store of this batch is closed");
	if (b->g.arena.failed) /* the rows of other deposits went with it: nothing of this batch can be kept */
		return err_nomem(e);
	return store_may_write(b->s, e);
}

/* --- objects --- */

static uint32_t *
bucket_of(struct batch *b, const uint8_t sha256[32])
{
	return &b->bucket[(sha256[0] << 8 | sha256[1]) % BUCKETS];
}

static bool
in_batch(struct batch *b, const uint8_t sha256[32], int rank)
{
	uint32_t at = *bucket_of(b, sha256);

	for (; at != 0; at = b->g.members[at - 1].next) {
		const struct member *m = &b->g.members[at - 1];
		const struct seg *g = seg_find(b->s, m->seg);

		if (memcmp(m->ref.sha256, sha256, 32) == 0 && seg_rank(g->id.kind, g->id.year) >= rank)
			return true;
	}
	return false;
}

static bool
held(struct batch *b, const uint8_t sha256[32], enum store_kind kind, int year)
{
	if (b->draft)
		return draft_holds(b, sha256, kind, year);
	return in_batch(b, sha256, seg_rank(kind, year)) || store_has(b->s, sha256, kind, year);
}

static enum err_code
add_member(struct batch *b, struct seg *g, uint64_t off, const struct store_ref *ref, struct err *e)
{
	uint32_t *bucket = bucket_of(b, ref->sha256);
	const struct member m = {.seg = g->id.id, .off = off, .group = b->g.n, .ref = *ref, .next = *bucket};
	enum err_code r = group_add_member(&b->g, &m, e);

	if (r == ERR_OK)
		*bucket = (uint32_t)b->g.n_members;
	else
		seg_cut(g, off);
	return r;
}

static enum err_code
put_octets(struct batch *b, enum store_kind kind, int year, struct slice octets, const struct store_ref *ref,
    struct err *e)
{
	const struct member named = {.kind = MEMBER_OBJECT, .ref = *ref};
	const struct source from = source_slice(&octets);
	char name[MEMBER_NAME];
	struct seg *g = NULL;
	uint64_t off = 0;
	enum err_code r = b->draft ? draft_put(b, kind, year, &from, ref, e) : seg_for(b->s, kind, year, &g, e);

	if (r != ERR_OK || b->draft)
		return r;
	member_name(&named, &g->id, name);
	off = seg_tail(g);
	r = seg_append(g, name, octets, e);
	return r == ERR_OK ? add_member(b, g, off, ref, e) : r;
}

enum err_code
batch_put_twin(struct batch *b, uint64_t n, struct slice text, struct err *e)
{
	struct member m = {.kind = MEMBER_GROUP, .group = n};
	char name[MEMBER_NAME];
	struct seg *g = NULL;
	enum err_code r = batch_usable(b, e);

	if (r == ERR_OK)
		r = store_hash_octets(text, &m.ref, e);
	if (r == ERR_OK)
		r = seg_for(b->s, STORE_SHARED, 0, &g, e);
	if (r != ERR_OK)
		return r;
	member_name(&m, &g->id, name);
	m.seg = g->id.id;
	m.off = seg_tail(g);
	r = seg_append(g, name, text, e);
	if (r != ERR_OK)
		return r;
	r = group_add_member(&b->g, &m, e);
	if (r != ERR_OK)
		seg_cut(g, m.off);
	return r;
}

struct copy {
	struct seg *g;
	struct digester *d;
};

static enum err_code
copy_write(void *ctx, struct slice s, struct err *e)
{
	struct copy *c = ctx;
	enum err_code r = digester_add(c->d, s, e);

	return r == ERR_OK ? seg_more(c->g, s, e) : r;
}

/* The name of the member is its hash, so the first pass is over; this one copies and hashes again (design: no one pass). */
static enum err_code
copy_in(struct seg *g, const struct source *from, const struct store_ref *ref, struct err *e)
{
	const struct member named = {.kind = MEMBER_OBJECT, .ref = *ref};
	AUTO(digester) struct digester *d = NULL;
	struct copy c = {.g = g};
	const struct sink to = {copy_write, &c};
	struct store_ref got;
	char name[MEMBER_NAME];
	enum err_code r = pair_new(&d, e);

	c.d = d;
	member_name(&named, &g->id, name);
	if (r == ERR_OK)
		r = seg_begin(g, name, ref->size_bytes, e);
	if (r == ERR_OK)
		r = source_copy(from, 0, ref->size_bytes, &to, e);
	if (r == ERR_OK)
		r = seg_end(g, ref->size_bytes, e);
	if (r == ERR_OK)
		r = pair_finish(d, ref->size_bytes, &got, e);
	if (r == ERR_OK && !ref_eq(&got, ref))
		return err_set(e, ERR_DAMAGED, "the source changed while it was copied, or is not what was expected");
	return r;
}

static enum err_code
put_large(struct batch *b, enum store_kind kind, int year, const struct source *from, const struct store_ref *ref,
    struct err *e)
{
	bool alone = ref->size_bytes > b->s->o.large_bytes;
	struct seg *g = NULL;
	uint64_t off;
	enum err_code r = b->draft ? draft_put(b, kind, year, from, ref, e) : alone ? seg_birth(b->s, kind, year, true, &g, e) : seg_for(b->s, kind, year, &g, e);

	if (r != ERR_OK || b->draft)
		return r;
	off = seg_tail(g);
	r = copy_in(g, from, ref, e);
	if (r == ERR_OK)
		return add_member(b, g, off, ref, e);
	if (alone)
		seg_drop(b->s, g, true);
	else
		seg_cut(g, off);
	return r;
}

static enum err_code
put_checked(struct batch *b, enum store_kind kind, int year, struct err *e)
{
	enum err_code r = batch_usable(b, e);

	if (r != ERR_OK)
		return r;
	if (kind != STORE_SHARED && (kind != STORE_DATA || year < 1 || year > 9999))
		return err_set(e, ERR_USAGE, "object of kind %d, retention year %d", (int)kind, year);
	if (b->g.n_members >= STORE_BATCH_MEMBERS)
		return err_set(e, ERR_LIMIT, "batch of more than %d objects", STORE_BATCH_MEMBERS);
	return ERR_OK;
}

static enum err_code
put_small(struct batch *b, enum store_kind kind, int year, struct slice octets, const struct store_ref *expected,
    struct store_ref *ref, struct err *e)
{
	enum err_code r = store_hash_octets(octets, ref, e);

	if (r == ERR_OK && expected != NULL && !ref_eq(ref, expected))
		return err_set(e, ERR_DAMAGED, "the source is not what was expected");
	if (r != ERR_OK || held(b, ref->sha256, kind, year))
		return r;
	return put_octets(b, kind, year, octets, ref, e);
}

enum err_code
batch_put_bytes(struct batch *b, enum store_kind kind, int year, struct slice octets, struct store_ref *out,
    struct err *e)
{
	const struct source from = source_slice(&octets);

	return batch_put(b, kind, year, &from, NULL, out, e);
}

static enum err_code
put_source(struct batch *b, enum store_kind kind, int year, const struct source *from,
    const struct store_ref *expected, struct store_ref *ref, struct err *e)
{
	AUTO(buf) struct buf octets = {0};
	enum err_code r = ERR_OK;

	if (from->size_bytes <= SMALL_BYTES && from->size_bytes <= b->s->o.large_bytes) {
		r = source_read_all(from, SMALL_BYTES, &octets, e);
		return r == ERR_OK ? put_small(b, kind, year, buf_slice(&octets), expected, ref, e) : r;
	}
	if (expected != NULL)
		*ref = *expected;
	else
		r = store_hash(from, ref, e);
	if (r != ERR_OK || held(b, ref->sha256, kind, year))
		return r;
	return put_large(b, kind, year, from, ref, e);
}

enum err_code
batch_put(struct batch *b, enum store_kind kind, int year, const struct source *from, const struct store_ref *expected,
    struct store_ref *out, struct err *e)
{
	struct store_ref ref = {.size_bytes = 0};
	enum err_code r = put_checked(b, kind, year, e);

	if (r == ERR_OK && expected != NULL && expected->size_bytes != from->size_bytes)
		return err_set(e, ERR_DAMAGED, "the source has %" PRIu64 " octets, expected %" PRIu64, from->size_bytes,
		    expected->size_bytes);
	if (r == ERR_OK)
		r = put_source(b, kind, year, from, expected, &ref, e);
	if (r == ERR_OK && out != NULL)
		*out = ref;
	return r;
}

enum err_code
batch_put_hashed(struct batch *b, enum store_kind kind, int year, struct slice octets, const struct store_ref *ref,
    struct err *e)
{
	const struct source from = source_slice(&octets);
	enum err_code r = put_checked(b, kind, year, e);

	if (r == ERR_OK && octets.n != ref->size_bytes)
		return err_set(e, ERR_BUG, "%zu octets, hashed were %" PRIu64, octets.n, ref->size_bytes);
	if (r != ERR_OK || held(b, ref->sha256, kind, year))
		return r;
	if (octets.n > b->s->o.large_bytes)
		return put_large(b, kind, year, &from, ref, e);
	return put_octets(b, kind, year, octets, ref, e);
}

/* --- leaves and rows --- */

enum err_code
batch_leaf(struct batch *b, uint16_t type, const uint8_t record[16], const uint8_t event[32], int64_t time_utc,
    uint64_t *index, struct err *e)
{
	struct tlog_leaf leaf = {.epoch = TLOG_EPOCH, .type = type, .time_utc = time_utc};
	struct group *g = &b->g;
	enum err_code r = batch_usable(b, e);

	if (r != ERR_OK)
		return r;
	if (type == 0)
		return err_set(e, ERR_USAGE, "log leaf of type 0");
	if (g->n_leaves >= STORE_BATCH_MEMBERS)
		return err_set(e, ERR_LIMIT, "batch of more than %d leaves", STORE_BATCH_MEMBERS);
	if (!mem_grow(&g->leaves, &g->cap_leaves, g->n_leaves, sizeof(*g->leaves)))
		return err_nomem(e);
	memcpy(leaf.record, record, sizeof(leaf.record));
	memcpy(leaf.event, event, sizeof(leaf.event));
	tlog_leaf_encode(&leaf, g->leaves[g->n_leaves]);
	if (index != NULL)
		*index = b->draft ? UINT64_MAX : b->s->last.log_size + g->n_leaves;
	g->n_leaves++;
	return ERR_OK;
}

enum err_code
batch_add_leaf(struct batch *b, const uint8_t encoded[TLOG_LEAF_OCTETS], struct err *e)
{
	struct group *g = &b->g;

	if (g->n_leaves >= STORE_BATCH_MEMBERS)
		return err_set(e, ERR_LIMIT, "batch of more than %d leaves", STORE_BATCH_MEMBERS);
	if (!mem_grow(&g->leaves, &g->cap_leaves, g->n_leaves, sizeof(*g->leaves)))
		return err_nomem(e);
	memcpy(g->leaves[g->n_leaves++], encoded, TLOG_LEAF_OCTETS);
	return ERR_OK;
}

enum err_code
batch_add_row(struct batch *b, struct slice key, const struct slice *value, struct err *e)
{
	struct group *g = &b->g;
	size_t value_n = value != NULL ? value->n : 0;
	struct row row = {.at = g->arena.n, .key_n = (uint32_t)key.n, .value_n = (uint32_t)value_n, .del = value == NULL};
	enum err_code r;

	if (value_n > STORE_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "row value of %zu octets, at most %u", value_n, STORE_VALUE_MAX);
	if (g->n_rows >= STORE_BATCH_MEMBERS || g->arena.n + key.n + value_n > STORE_BATCH_BYTES)
		return err_set(e, ERR_LIMIT, "batch of too many rows");
	if (!mem_grow(&g->rows, &g->cap_rows, g->n_rows, sizeof(*g->rows)))
		return err_nomem(e);
	buf_addslice(&g->arena, key);
	if (value != NULL)
		buf_addslice(&g->arena, *value);
	r = buf_ok(&g->arena, e);
	if (r == ERR_OK)
		g->rows[g->n_rows++] = row;
	return r;
}

enum err_code
batch_row(struct batch *b, const char *table, struct slice key, const struct slice *value, struct err *e)
{
	AUTO(buf) struct buf k = {0};
	enum err_code r = batch_usable(b, e);

	if (r == ERR_OK)
		r = kv_row_key(table, key, false, &k, e);
	return r == ERR_OK ? batch_add_row(b, buf_slice(&k), value, e) : r;
}

enum err_code
batch_get_row(struct batch *b, const char *table, struct slice key, struct buf *value, struct err *e)
{
	AUTO(buf) struct buf k = {0};
	enum err_code r = batch_usable(b, e);
	size_t i;

	if (r == ERR_OK)
		r = kv_row_key(table, key, false, &k, e);
	if (r != ERR_OK)
		return r;
	for (i = b->g.n_rows; i-- > 0;) {
		const struct row *w = &b->g.rows[i];

		if (!slice_eq(slice_of(b->g.arena.p + w->at, w->key_n), buf_slice(&k)))
			continue;
		if (w->del)
			return err_set(e, ERR_NOTFOUND, "row of %s: deleted in this batch", table);
		buf_add(value, b->g.arena.p + w->at + w->key_n, w->value_n);
		return buf_ok(value, e);
	}
	/* What a draft will join may be under way. */
	if (b->draft && b->s->batch != NULL)
		return batch_get_row(b->s->batch, table, key, value, e);
	return store_get_row(b->s, table, key, value, e);
}

/* --- marks --- */

struct batch_mark
batch_mark(const struct batch *b)
{
	return (struct batch_mark){b->g.n_members, b->g.n_leaves, b->g.n_rows};
}

static void
chain_again(struct batch *b)
{
	size_t i;

	memset(b->bucket, 0, sizeof(b->bucket));
	for (i = 0; i < b->g.n_members; i++) {
		uint32_t *bucket = bucket_of(b, b->g.members[i].ref.sha256);

		b->g.members[i].next = *bucket;
		*bucket = (uint32_t)i + 1;
	}
}

void
batch_undo(struct batch *b, struct batch_mark m)
{
	struct group *g = &b->g;

	if (b->draft)
		draft_undo(b, m.objects);
	while (b->s != NULL && g->n_members > m.objects) {
		const struct member *last = &g->members[--g->n_members];
		struct seg *seg = seg_find(b->s, last->seg);

		if (seg->id.alone)
			seg_drop(b->s, seg, true);
		else
			seg_cut(seg, last->off);
	}
	if (!b->draft)
		chain_again(b);
	if (m.leaves < g->n_leaves)
		g->n_leaves = m.leaves;
	if (m.rows < g->n_rows) {
		if (!g->arena.failed)
			g->arena.n = g->rows[m.rows].at;
		g->n_rows = m.rows;
	}
}
