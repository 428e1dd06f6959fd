/* SPDX-License-Identifier: MIT */
/*
 * Replicas: groups at once, sealed segments when they are there, and then the
 * group objects that they replace go. Names: docs/place.md.
 */
#include "store/recover_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct push {
	struct store *s;
	const struct place *to;
	struct seg_row *segs;
	size_t n_segs;
	uint64_t *groups; /* numbers that the place has, ascending */
	size_t n_groups, cap_groups;
	uint64_t sent;
};

static void
push_auto(struct push *p)
{
	free(p->segs);
	free(p->groups);
}

static const struct seg_row *
row_of(const struct push *p, uint32_t id)
{
	size_t i;

	for (i = 0; i < p->n_segs; i++)
		if (p->segs[i].id.id == id)
			return &p->segs[i];
	return NULL;
}

static enum err_code
note_group(void *ctx, const char *name, uint64_t size_bytes, bool *stop, struct err *e)
{
	struct push *p = ctx;
	uint64_t n = 0;

	(void)size_bytes;
	(void)stop;
	if (sscanf(name, "groups/%20" SCNu64 ".tar", &n) != 1)
		return ERR_OK;
	if (!mem_grow(&p->groups, &p->cap_groups, p->n_groups, sizeof(*p->groups)))
		return err_nomem(e);
	p->groups[p->n_groups++] = n;
	return ERR_OK;
}

static bool
place_has_group(const struct push *p, uint64_t n)
{
	size_t i;

	for (i = 0; i < p->n_groups; i++)
		if (p->groups[i] == n)
			return true;
	return false;
}

/* --- segments --- */

static enum err_code
put_segment(struct push *p, const struct seg_row *row, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct source from;
	char seg[SEG_NAME], name[64];
	enum err_code r = store_segment_fd(p->s, &row->id, &fd, e);

	if (r == ERR_OK)
		r = source_fd(&fd, &from, e);
	if (r != ERR_OK)
		return r;
	if (from.size_bytes != row->end)
		return err_set(e, ERR_DAMAGED, "segment %" PRIu32 " has not the length it was sealed with", row->id.id);
	seg_name(&row->id, seg);
	snprintf(name, sizeof(name), "segments/%s", seg);
	r = p->to->ops->put(p->to->ctx, name, &from, e);
	if (r == ERR_OK)
		p->sent++;
	return r == ERR_EXISTS ? ERR_OK : r;
}

struct have {
	const struct push *p;
	uint32_t *ids;
	size_t n, cap;
};

static enum err_code
note_segment(void *ctx, const char *name, uint64_t size_bytes, bool *stop, struct err *e)
{
	struct have *h = ctx;
	struct seg_id id;
	const struct seg_row *row;

	(void)stop;
	if (!seg_parse(name + strlen("segments/"), &id) || (row = row_of(h->p, id.id)) == NULL)
		return ERR_OK;
	if (row->end != size_bytes)
		return err_set(e, ERR_DAMAGED, "place: %s has %" PRIu64 " octets, want %" PRIu64, name, size_bytes, row->end);
	if (!mem_grow(&h->ids, &h->cap, h->n, sizeof(*h->ids)))
		return err_nomem(e);
	h->ids[h->n++] = id.id;
	return ERR_OK;
}

static enum err_code
put_segments(struct push *p, struct err *e)
{
	struct have h = {.p = p};
	const struct place_each each = {note_segment, &h};
	enum err_code r = p->to->ops->list(p->to->ctx, "segments/", &each, e);
	size_t i, k;

	for (i = 0; r == ERR_OK && i < p->n_segs; i++) {
		for (k = 0; k < h.n && h.ids[k] != p->segs[i].id.id; k++)
			;
		if (p->segs[i].sealed && k == h.n)
			r = put_segment(p, &p->segs[i], e);
	}
	free(h.ids);
	return r;
}

/* --- groups --- */

/* Whole tar members of one or more segments, one after the other, and the end mark: a tar file again. */
struct extent {
	uint32_t seg;
	int fd;
	uint64_t at; /* in the object */
	uint64_t off, n;
};
struct parts {
	struct extent *v;
	size_t n, cap;
	uint64_t size;
};

static void
parts_auto(struct parts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->v[i].fd >= 0)
			close(p->v[i].fd);
	free(p->v);
}

static enum err_code
parts_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	const struct parts *p = ctx;
	uint8_t *out = to;
	size_t i;

	for (i = 0; i < p->n && n != 0; i++) {
		const struct extent *x = &p->v[i];
		size_t k;
		enum err_code r;

		if (off < x->at || off - x->at >= x->n)
			continue;
		k = x->n - (off - x->at) < n ? (size_t)(x->n - (off - x->at)) : n;
		r = sys_pread(x->fd, out, k, x->off + (off - x->at), e);
		if (r != ERR_OK)
			return r;
		off += k;
		out += k;
		n -= k;
	}
	memset(out, 0, n); /* the end mark */
	return ERR_OK;
}

static enum err_code
add_part(struct push *p, struct parts *to, uint32_t seg, uint64_t off, uint64_t n, struct err *e)
{
	struct extent *last = to->n != 0 ? &to->v[to->n - 1] : NULL;
	const struct seg_row *row = row_of(p, seg);
	enum err_code r;

	if (row == NULL)
		return err_set(e, ERR_BUG, "segment %" PRIu32 " is not known", seg);
	if (last == NULL || last->seg != seg || last->off + last->n != off) {
		if (!mem_grow(&to->v, &to->cap, to->n, sizeof(*to->v)))
			return err_nomem(e);
		last = &to->v[to->n++];
		*last = (struct extent){.seg = seg, .fd = -1, .at = to->size, .off = off};
		r = store_segment_fd(p->s, &row->id, &last->fd, e);
		if (r != ERR_OK)
			return r;
	}
	last->n += n;
	to->size += n;
	return ERR_OK;
}

static int
by_place(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->seg != y->seg)
		return x->seg < y->seg ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static enum err_code
put_group(struct push *p, struct group *g, struct err *e)
{
	AUTO(parts) struct parts parts = {0};
	struct source from;
	char name[40];
	size_t i;
	enum err_code r = ERR_OK;

	if (g->n_members != 0)
		qsort(g->members, g->n_members, sizeof(*g->members), by_place);
	for (i = 0; r == ERR_OK && i < g->n_members; i++)
		r = add_part(p, &parts, g->members[i].seg, g->members[i].off,
		    tar_member_bytes(g->members[i].ref.size_bytes), e);
	if (r == ERR_OK && g->twin_seg != 0)
		r = add_part(p, &parts, g->twin_seg, g->twin_off, tar_member_bytes(g->ref.size_bytes), e);
	if (r == ERR_OK)
		r = add_part(p, &parts, g->seg, g->off, tar_member_bytes(g->ref.size_bytes), e);
	if (r != ERR_OK)
		return r;
	from = (struct source){parts_read, &parts, parts.size + TAR_END_OCTETS};
	snprintf(name, sizeof(name), "groups/%010" PRIu64 ".tar", g->n);
	r = p->to->ops->put(p->to->ctx, name, &from, e);
	if (r == ERR_OK)
		p->sent++;
	return r == ERR_EXISTS ? ERR_OK : r;
}

static bool
replaced(const struct push *p, const struct group *g)
{
	const struct seg_row *row = row_of(p, g->seg);
	size_t i;

	if (row == NULL || !row->sealed)
		return false;
	row = g->twin_seg != 0 ? row_of(p, g->twin_seg) : row;
	if (row == NULL || !row->sealed)
		return false;
	for (i = 0; i < g->n_members; i++) {
		row = row_of(p, g->members[i].seg);
		if (row == NULL || !row->sealed)
			return false;
	}
	return true;
}

static enum err_code
load_group(struct push *p, uint64_t number, struct group **out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	struct member m;
	enum err_code r = index_group(&p->s->index, number, &m, e);

	if (r == ERR_OK)
		r = group_text(p->s, number, &text, NULL, NULL, e);
	if (r == ERR_OK)
		r = group_read(buf_slice(&text), out, e);
	if (r != ERR_OK)
		return err_wrap(e, "group %" PRIu64, number);
	(*out)->seg = m.seg;
	(*out)->off = m.off;
	return ERR_OK;
}

static enum err_code
remove_group(struct push *p, uint64_t n, struct err *e)
{
	char name[40];
	enum err_code r;

	snprintf(name, sizeof(name), "groups/%010" PRIu64 ".tar", n);
	r = p->to->ops->remove(p->to->ctx, name, e);
	return r == ERR_NOTFOUND || r == ERR_REFUSED ? ERR_OK : r; /* a lock keeps it a while longer: no harm */
}

/* The group that bore the oldest segment still open: all before it touched sealed ones only. */
static enum err_code
oldest_open(struct push *p, uint64_t *group, struct err *e)
{
	enum err_code r = ERR_OK;
	struct member head;
	size_t i;

	for (i = 0; r == ERR_OK && i < p->n_segs; i++) {
		if (p->segs[i].sealed)
			continue;
		r = index_member(&p->s->index, p->segs[i].id.id, 0, &head, e);
		if (r == ERR_OK && head.group < *group)
			*group = head.group;
	}
	return r;
}

static enum err_code
put_groups(struct push *p, uint64_t from, uint64_t last, struct err *e)
{
	enum err_code r = ERR_OK;
	uint64_t n;

	for (n = from; r == ERR_OK && n <= last; n++) {
		AUTO(group) struct group *g = NULL;

		r = load_group(p, n, &g, e);
		if (r == ERR_OK && replaced(p, g) && place_has_group(p, n))
			r = remove_group(p, n, e);
		else if (r == ERR_OK && !replaced(p, g) && !place_has_group(p, n))
			r = put_group(p, g, e);
	}
	return r;
}

enum err_code
store_push(struct store *s, const struct place *to, uint64_t *sent, struct err *e)
{
	AUTO(push) struct push p = {.s = s, .to = to};
	const struct place_each each = {note_group, &p};
	struct index_last last;
	uint64_t from;
	size_t i;
	enum err_code r = index_last(&s->index, &last, e);

	if (r == ERR_OK)
		r = index_segments(&s->index, &p.segs, &p.n_segs, e);
	if (r == ERR_OK)
		r = put_segments(&p, e);
	if (r == ERR_OK)
		r = to->ops->list(to->ctx, "groups/", &each, e);
	from = last.group + 1;
	if (r == ERR_OK)
		r = oldest_open(&p, &from, e);
	if (r == ERR_OK)
		r = put_groups(&p, from, last.group, e);
	for (i = 0; r == ERR_OK && i < p.n_groups; i++)
		if (p.groups[i] < from)
			r = remove_group(&p, p.groups[i], e);
	if (sent != NULL)
		*sent = p.sent;
	return r;
}
