/* SPDX-License-Identifier: MIT */
/*
 * The commit: data segments written and synced, the group's twin among them,
 * then the group in the log segment written and synced, then the index. The
 * order is the whole point: a group in the log says that all it names is on
 * disk, its twin and the header of its own segment included
 * (docs/format.md 3, 4).
 */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct commit {
	struct store *s;
	struct group *g;
	struct seg *log, *twin; /* twin: NULL in format 1 */
	struct buf text;	/* of the group */
	int64_t now_utc;
	bool seal_all;
	unsigned syncs;
};

static bool
has_member(const struct group *g, uint32_t seg)
{
	size_t i;

	for (i = 0; i < g->n_members; i++)
		if (g->members[i].seg == seg)
			return true;
	return false;
}

/* Segments that were born for an object which was then given up. */
static void
drop_unused(struct commit *c)
{
	size_t i = 0;

	while (i < c->s->n_segs) {
		struct seg *g = c->s->segs[i];

		if (g->fresh && !has_member(c->g, g->id.id))
			seg_drop(c->s, g, true);
		else
			i++;
	}
}

static bool
due(const struct commit *c, const struct seg *g)
{
	if (c->seal_all || g->id.alone || seg_tail(g) >= c->s->o.segment_bytes)
		return true;
	return c->now_utc - g->id.born_utc >= c->s->o.segment_age_s;
}

/* Header members stand before all others of their segment. */
static enum err_code
list_heads(struct commit *c, struct err *e)
{
	struct group *g = c->g;
	size_t i, fresh = 0;

	for (i = 0; i < c->s->n_segs; i++) {
		const struct seg *s = c->s->segs[i];
		const struct member m = {.seg = s->id.id, .kind = MEMBER_HEAD, .group = g->n, .ref = s->head_ref};

		if (!s->fresh)
			continue;
		if (!mem_grow(&g->born, &g->cap_born, g->n_born, sizeof(*g->born)))
			return err_nomem(e);
		g->born[g->n_born++] = s->id;
		if (group_add_member(g, &m, e) != ERR_OK)
			return err_nomem(e);
		memmove(g->members + fresh + 1, g->members + fresh, (g->n_members - 1 - fresh) * sizeof(m));
		g->members[fresh++] = m;
	}
	return ERR_OK;
}

static enum err_code
seal_due(struct commit *c, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < c->s->n_segs; i++) {
		struct seg *g = c->s->segs[i];

		/* the segments that take this very group are not sealed by it */
		if (g != c->log && g != c->twin && due(c, g))
			r = seg_seal(c->s, g, c->g, e);
	}
	return r;
}

/* The segment that takes this group; a full or old one is left to be sealed. */
static enum err_code
choose_log(struct commit *c, struct err *e)
{
	size_t i;

	for (i = 0; i < c->s->n_segs; i++) {
		struct seg *g = c->s->segs[i];

		if (g->id.kind == STORE_LOG && !due(c, g)) {
			c->log = g;
			return ERR_OK;
		}
	}
	return seg_birth(c->s, STORE_LOG, 0, false, &c->log, e);
}

/* May it take the twin, and how gladly? Shared before data, and best one that this group is synced into anyway. */
static int
twin_rank(const struct commit *c, const struct seg *g)
{
	if (g->id.kind == STORE_LOG || g->id.alone || due(c, g))
		return 0;
	return (g->id.kind == STORE_SHARED ? 2 : 1) + (g->fresh || has_member(c->g, g->id.id) ? 2 : 0);
}

static enum err_code
choose_twin(struct commit *c, struct err *e)
{
	int best = 0;
	size_t i;

	if (c->g->format == 1)
		return ERR_OK;
	for (i = 0; i < c->s->n_segs; i++) {
		int rank = twin_rank(c, c->s->segs[i]);

		if (rank > best)
			c->twin = c->s->segs[i];
		best = rank > best ? rank : best;
	}
	return c->twin != NULL ? ERR_OK : seg_birth(c->s, STORE_SHARED, 0, false, &c->twin, e);
}

/* What must be on disk first: all but the log segment, and of that one the header if it is new. */
static bool
before_group(const struct commit *c, const struct seg *g)
{
	return g != c->log || g->fresh;
}

static enum err_code
flush_data(struct commit *c, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < c->s->n_segs; i++)
		if (before_group(c, c->s->segs[i]))
			r = seg_flush(c->s->segs[i], e);
	return r;
}

static enum err_code
sync_one(struct commit *c, struct seg *g, struct err *e)
{
	enum err_code r;

	if (!g->dirty)
		return ERR_OK;
	r = sys_fdatasync(g->fd, e);
	if (r != ERR_OK)
		return store_bad(c->s, ERR_IO, e);
	g->dirty = false;
	c->syncs++;
	return ERR_OK;
}

static enum err_code
sync_data(struct commit *c, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < c->s->n_segs; i++)
		if (before_group(c, c->s->segs[i]))
			r = sync_one(c, c->s->segs[i], e);
	if (r == ERR_OK && c->s->folder_dirty) {
		if (sys_fsync_dir(c->s->seg_fd, e) != ERR_OK)
			return store_bad(c->s, ERR_IO, e);
		c->s->folder_dirty = false;
		c->syncs++;
	}
	return r;
}

static enum err_code
close_log(struct commit *c, struct err *e)
{
	struct tlog_edge edge = c->s->edge;
	struct tlog_checkpoint cp = {.time_utc = c->now_utc};
	uint8_t h[TLOG_HASH];
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < c->g->n_leaves; i++) {
		r = tlog_leaf_hash(slice_of(c->g->leaves[i], TLOG_LEAF_OCTETS), h, e);
		if (r == ERR_OK)
			r = tlog_append(&edge, h, NULL, e);
	}
	if (r == ERR_OK)
		r = tlog_root(&edge, cp.root, e);
	if (r != ERR_OK)
		return r;
	cp.size = c->g->log_size = edge.size;
	memcpy(c->g->root, cp.root, TLOG_HASH);
	snprintf(cp.origin, sizeof(cp.origin), "%s", c->s->o.origin);
	c->g->time_utc = c->now_utc;
	memcpy(c->g->prev, c->s->last.sha256, 32);
	return tlog_checkpoint_sign(&cp, c->s->log_seed, &c->g->checkpoint, e);
}

/* The text says where both its copies stand, so it is made when all else has its place. */
static enum err_code
make_text(struct commit *c, struct err *e)
{
	enum err_code r;

	c->g->seg = c->log->id.id;
	c->g->off = seg_tail(c->log);
	if (c->twin != NULL) {
		c->g->twin_seg = c->twin->id.id;
		c->g->twin_off = seg_tail(c->twin);
	}
	r = group_write(c->g, seg_id_of, c->s, &c->text, e);
	return r == ERR_OK ? store_hash_octets(buf_slice(&c->text), &c->g->ref, e) : r;
}

static enum err_code
append_text(struct commit *c, struct seg *to, struct err *e)
{
	const struct member self = {.kind = MEMBER_GROUP, .group = c->g->n};
	char name[MEMBER_NAME];

	member_name(&self, &to->id, name);
	return seg_append(to, name, buf_slice(&c->text), e);
}

/* All that comes before the log's sync. A failure here, unless it was a sync, leaves nothing behind. */
static enum err_code
prepare(struct commit *c, struct err *e)
{
	enum err_code r;

	drop_unused(c);
	r = choose_log(c, e);
	if (r == ERR_OK)
		r = choose_twin(c, e);
	if (r == ERR_OK)
		r = list_heads(c, e);
	if (r == ERR_OK)
		r = seal_due(c, e);
	if (r == ERR_OK)
		r = close_log(c, e);
	if (r == ERR_OK)
		r = make_text(c, e);
	if (r == ERR_OK && c->twin != NULL)
		r = append_text(c, c->twin, e);
	if (r == ERR_OK)
		r = flush_data(c, e);
	if (r == ERR_OK)
		r = sync_data(c, e);
	if (r == ERR_OK)
		r = append_text(c, c->log, e);
	return r == ERR_OK ? seg_flush(c->log, e) : r;
}

static void
settle_segments(struct store *s)
{
	size_t i = 0;

	while (i < s->n_segs) {
		struct seg *g = s->segs[i];

		g->end = seg_tail(g);
		g->fresh = false;
		if (g->sealed)
			seg_drop(s, g, false);
		else
			i++;
	}
}

static enum err_code
settle(struct commit *c, struct err *e)
{
	enum err_code r = index_apply(&c->s->index, c->g, e);

	if (r == ERR_OK)
		r = index_last(&c->s->index, &c->s->last, e);
	if (r == ERR_OK)
		r = index_edge(&c->s->index, c->g->log_size, &c->s->edge, e);
	if (r != ERR_OK) {
		err_wrap(e, "group %" PRIu64 " is kept, but not in the index", c->g->n);
		return store_bad(c->s, ERR_IO, e);
	}
	settle_segments(c->s);
	newest_write(c->s);
	return ERR_OK;
}

static enum err_code
run(struct commit *c, struct err *e)
{
	enum err_code r = prepare(c, e);

	if (r == ERR_IO && !c->s->bad)
		r = store_bad(c->s, ERR_IO, e);
	if (r == ERR_OK)
		r = sync_one(c, c->log, e);
	return r == ERR_OK ? settle(c, e) : r;
}

static enum err_code
commit(struct batch *b, bool seal_all, struct store_done *done, struct err *e)
{
	struct err mine = {0};
	struct commit c = {.s = b->s, .g = &b->g, .seal_all = seal_all};
	enum err_code r = batch_usable(b, e);

	if (r == ERR_NOMEM)
		store_rollback(b->s);
	if (r != ERR_OK)
		return r;
	c.now_utc = clock_now(&b->s->clock);
	if (c.g->n_members + c.g->n_leaves + c.g->n_rows == 0 && !seal_all) {
		store_rollback(b->s);
		return ERR_OK;
	}
	r = run(&c, &mine);
	buf_release(&c.text);
	if (r == ERR_OK && done != NULL) {
		*done = (struct store_done){.group = c.g->n, .log_size = c.g->log_size, .syncs = c.syncs};
		memcpy(done->root, c.g->root, TLOG_HASH);
	}
	if (r != ERR_OK && !b->s->bad)
		store_rollback(b->s);
	if (r != ERR_OK && e != NULL)
		*e = mine;
	return r;
}

enum err_code
store_commit(struct batch **bp, struct store_done *done, struct err *e)
{
	struct batch *b = TAKE(*bp);
	enum err_code r;

	if (done != NULL)
		*done = (struct store_done){.group = 0};
	if (b->draft) {
		batch_drop(b);
		return err_set(e, ERR_BUG, "a draft is joined, not committed");
	}
	r = b->s != NULL ? commit(b, false, done, e) : batch_usable(b, e);
	if (b->s != NULL)
		b->s->batch = NULL;
	b->s = NULL;
	batch_drop(b);
	return r;
}

enum err_code
store_seal(struct store *s, struct err *e)
{
	struct batch *b = NULL;
	enum err_code r = store_batch_begin(s, &b, e);

	if (r != ERR_OK)
		return r;
	r = commit(b, s->n_segs != 0, NULL, e);
	s->batch = NULL;
	b->s = NULL;
	batch_drop(b);
	return r;
}
