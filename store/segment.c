/* SPDX-License-Identifier: MIT */
/*
 * Segments as the writer sees them: appended to through a buffer, cut back when
 * a batch is given up, sealed by their member table.
 */
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seg *
seg_find(const struct store *s, uint32_t id)
{
	size_t i;

	for (i = 0; i < s->n_segs; i++)
		if (s->segs[i]->id.id == id)
			return s->segs[i];
	return NULL;
}

bool
seg_id_of(void *store, uint32_t id, struct seg_id *out)
{
	struct store *s = store;
	const struct seg *g = seg_find(s, id);
	struct seg_row row;

	if (g != NULL) {
		*out = g->id;
		return true;
	}
	if (index_segment(&s->index, id, &row, NULL) != ERR_OK)
		return false;
	*out = row.id;
	return true;
}

uint64_t
seg_tail(const struct seg *g)
{
	return g->pend_off + g->pend.n;
}

static void
seg_free(struct seg *g)
{
	if (g->fd >= 0)
		close(g->fd);
	buf_release(&g->pend);
	free(g);
}

void
seg_drop(struct store *s, struct seg *g, bool unlink_file)
{
	char name[SEG_NAME];
	size_t i;

	seg_name(&g->id, name);
	for (i = 0; i < s->n_segs && s->segs[i] != g; i++)
		;
	if (i < s->n_segs)
		s->segs[i] = s->segs[--s->n_segs];
	seg_free(g);
	if (unlink_file && sys_unlink(s->seg_fd, name, NULL) != ERR_OK)
		return; /* a file that is in no group is removed by the next open */
}

static enum err_code
seg_add(struct store *s, const struct seg_id *id, int fd, struct seg **out, struct err *e)
{
	struct seg *g = mem_new(1, sizeof(*g));

	if (g == NULL || !buf_room(&g->pend, PEND_BYTES) ||
	    !mem_grow(&s->segs, &s->cap_segs, s->n_segs, sizeof(struct seg *))) {
		if (g != NULL)
			buf_release(&g->pend);
		free(g);
		close(fd);
		return err_nomem(e);
	}
	g->id = *id;
	g->fd = fd;
	s->segs[s->n_segs++] = g;
	*out = g;
	return ERR_OK;
}

enum err_code
seg_reopen(struct store *s, const struct seg_row *row, struct err *e)
{
	char name[SEG_NAME];
	struct seg *g = NULL;
	int fd;
	enum err_code r;

	seg_name(&row->id, name);
	fd = openat(s->seg_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "segment %s", name);
	r = seg_add(s, &row->id, fd, &g, e);
	if (r == ERR_OK)
		g->end = g->file_bytes = g->pend_off = row->end;
	return r;
}

enum err_code
seg_head_text(const struct store *s, const struct seg_id *id, int format, struct buf *out, struct err *e)
{
	static const char *const word[] = {[STORE_DATA] = "data", [STORE_SHARED] = "shared", [STORE_LOG] = "log"};
	char seg[SEG_NAME];

	seg_name(id, seg);
	buf_addf(out, "{\"alone\":%s,\"born\":%" PRId64 ",\"encryption\":null,\"format\":%d,\"kind\":\"%s\","
	    "\"origin\":\"%s\",\"segment\":\"%s\",\"year\":%u}\n", id->alone ? "true" : "false", id->born_utc,
	    format, word[id->kind], s->o.origin, seg, id->year);
	return buf_ok(out, e);
}

/* The first member says what the segment is, for whoever finds the file alone. */
static enum err_code
write_head(struct store *s, struct seg *g, struct err *e)
{
	const struct member m = {.kind = MEMBER_HEAD};
	AUTO(buf) struct buf text = {0};
	char name[MEMBER_NAME];
	enum err_code r = seg_head_text(s, &g->id, s->found.format, &text, e);

	member_name(&m, &g->id, name);
	if (r == ERR_OK)
		r = store_hash_octets(buf_slice(&text), &g->head_ref, e);
	return r == ERR_OK ? seg_append(g, name, buf_slice(&text), e) : r;
}

enum err_code
seg_birth(struct store *s, enum store_kind kind, int year, bool alone, struct seg **out, struct err *e)
{
	struct seg_id id = {.id = s->next_seg, .kind = kind, .alone = alone, .born_utc = clock_now(&s->clock)};
	char name[SEG_NAME];
	struct seg *g = NULL;
	int fd = -1;
	enum err_code r;

	id.year = kind == STORE_DATA ? (uint16_t)year : 0;
	seg_name(&id, name);
	r = sys_create(s->seg_fd, name, 0640, &fd, e);
	if (r != ERR_OK)
		return err_wrap(e, "segment %s", name);
	s->next_seg++;
	s->folder_dirty = true;
	r = seg_add(s, &id, fd, &g, e);
	if (r != ERR_OK)
		return r;
	g->fresh = true;
	r = write_head(s, g, e);
	if (r != ERR_OK) {
		seg_drop(s, g, true);
		return r;
	}
	*out = g;
	return ERR_OK;
}

enum err_code
seg_for(struct store *s, enum store_kind kind, int year, struct seg **out, struct err *e)
{
	size_t i;

	for (i = 0; i < s->n_segs; i++) {
		struct seg *g = s->segs[i];

		if (g->id.kind == kind && !g->id.alone && !g->sealed && seg_tail(g) < s->o.segment_bytes &&
		    (kind != STORE_DATA || g->id.year == year)) {
			*out = g;
			return ERR_OK;
		}
	}
	return seg_birth(s, kind, year, false, out, e);
}

/* --- appending --- */

/* Behind what is in the file; pend must be empty, or be it. */
static enum err_code
write_octets(struct seg *g, struct slice s, struct err *e)
{
	if (s.n == 0)
		return ERR_OK;
	g->dirty = true;
	if (g->file_bytes < g->pend_off + s.n)
		g->file_bytes = g->pend_off + s.n;
	if (sys_pwrite(g->fd, s, g->pend_off, e) != ERR_OK)
		return err_wrap(e, "segment %" PRIu32, g->id.id);
	g->pend_off += s.n;
	return ERR_OK;
}

static enum err_code
write_out(struct seg *g, struct err *e)
{
	enum err_code r = write_octets(g, buf_slice(&g->pend), e);

	if (r == ERR_OK)
		buf_clear(&g->pend);
	return r;
}

enum err_code
seg_flush(struct seg *g, struct err *e)
{
	enum err_code r = write_out(g, e);

	if (r == ERR_OK && g->file_bytes > g->pend_off) {
		g->dirty = true;
		r = sys_truncate(g->fd, g->pend_off, e);
		if (r == ERR_OK)
			g->file_bytes = g->pend_off;
	}
	return r;
}

/* pend got its room when the segment was opened and never grows: if it failed, members of other deposits would be lost. */
enum err_code
seg_more(struct seg *g, struct slice piece, struct err *e)
{
	enum err_code r = piece.n > PEND_BYTES - g->pend.n ? write_out(g, e) : ERR_OK;

	if (r == ERR_OK && piece.n > PEND_BYTES)
		return write_octets(g, piece, e);
	if (r == ERR_OK)
		buf_addslice(&g->pend, piece);
	return r;
}

enum err_code
seg_begin(struct seg *g, const char *name, uint64_t size, struct err *e)
{
	uint8_t head[TAR_HEAD_MAX];

	tar_head(name, size, head);
	return seg_more(g, slice_of(head, tar_head_bytes(size)), e);
}

enum err_code
seg_end(struct seg *g, uint64_t size, struct err *e)
{
	static const uint8_t zeros[TAR_BLOCK];

	return seg_more(g, slice_of(zeros, tar_padding(size)), e);
}

enum err_code
seg_append(struct seg *g, const char *name, struct slice octets, struct err *e)
{
	uint64_t tail = seg_tail(g);
	enum err_code r = seg_begin(g, name, octets.n, e);

	if (r == ERR_OK)
		r = seg_more(g, octets, e);
	if (r == ERR_OK)
		r = seg_end(g, octets.n, e);
	if (r != ERR_OK)
		seg_cut(g, tail);
	return r;
}

void
seg_cut(struct seg *g, uint64_t tail)
{
	if (tail >= g->pend_off) {
		g->pend.n = (size_t)(tail - g->pend_off);
		return;
	}
	buf_clear(&g->pend);
	g->pend_off = tail;
}

/* --- sealing --- */

struct table {
	const struct sink *to;
	const struct seg_id *id;
	uint64_t below;
};

static enum err_code
table_line(void *ctx, const struct member *m, struct err *e)
{
	const struct table *t = ctx;
	AUTO(buf) struct buf b = {0};
	char name[MEMBER_NAME];
	enum err_code r;

	if (m->off >= t->below)
		return ERR_OK;
	member_name(m, t->id, name);
	buf_addf(&b, "%" PRIu64 " %" PRIu64 " ", m->off, m->ref.size_bytes);
	buf_addhex(&b, slice_of(m->ref.sha256, 32));
	buf_adds(&b, " ");
	buf_addhex(&b, slice_of(m->ref.sha512, 64));
	buf_addf(&b, " %s\n", name);
	r = buf_ok(&b, e);
	return r == ERR_OK ? sink_write(t->to, buf_slice(&b), e) : r;
}

enum err_code
seg_table(struct index *ix, const struct seg_id *id, const struct group *grp, uint64_t below, const struct sink *to,
    struct err *e)
{
	struct table t = {to, id, below};
	const struct member_each each = {table_line, &t};
	AUTO(buf) struct buf b = {0};
	char seg[SEG_NAME];
	enum err_code r;
	size_t i;

	seg_name(id, seg);
	buf_addf(&b, "everseal members 1 %s\n", seg);
	r = buf_ok(&b, e);
	if (r == ERR_OK)
		r = sink_write(to, buf_slice(&b), e);
	if (r == ERR_OK)
		r = index_members(ix, id->id, &each, e);
	for (i = 0; r == ERR_OK && grp != NULL && i < grp->n_members; i++)
		if (grp->members[i].seg == id->id)
			r = table_line(&t, &grp->members[i], e);
	return r;
}

static enum err_code
count_write(void *ctx, struct slice s, struct err *e)
{
	(void)e;
	*(uint64_t *)ctx += s.n;
	return ERR_OK;
}

struct to_seg {
	struct seg *g;
	struct digester *d;
};

static enum err_code
seg_write(void *ctx, struct slice s, struct err *e)
{
	struct to_seg *t = ctx;
	enum err_code r = digester_add(t->d, s, e);

	return r == ERR_OK ? seg_more(t->g, s, e) : r;
}

enum err_code
group_add_member(struct group *g, const struct member *m, struct err *e)
{
	if (!mem_grow(&g->members, &g->cap_members, g->n_members, sizeof(*g->members)))
		return err_nomem(e);
	g->members[g->n_members++] = *m;
	return ERR_OK;
}

enum err_code
seg_seal(struct store *s, struct seg *g, struct group *grp, struct err *e)
{
	static const uint8_t zeros[TAR_END_OCTETS];
	AUTO(digester) struct digester *d = NULL;
	struct member m = {.seg = g->id.id, .off = seg_tail(g), .kind = MEMBER_TABLE, .group = grp->n};
	uint64_t size = 0;
	const struct sink count = {count_write, &size};
	struct to_seg ts = {.g = g};
	const struct sink to = {seg_write, &ts};
	char name[MEMBER_NAME];
	enum err_code r = pair_new(&d, e);

	ts.d = d;
	member_name(&m, &g->id, name);
	if (r == ERR_OK)
		r = seg_table(&s->index, &g->id, grp, UINT64_MAX, &count, e);
	if (r == ERR_OK)
		r = seg_begin(g, name, size, e);
	if (r == ERR_OK)
		r = seg_table(&s->index, &g->id, grp, UINT64_MAX, &to, e);
	if (r == ERR_OK)
		r = seg_end(g, size, e);
	if (r == ERR_OK)
		r = seg_more(g, slice_of(zeros, sizeof(zeros)), e);
	if (r == ERR_OK)
		r = pair_finish(d, size, &m.ref, e);
	if (r == ERR_OK)
		r = group_add_member(grp, &m, e);
	if (r == ERR_OK && !mem_grow(&grp->sealed, &grp->cap_sealed, grp->n_sealed, sizeof(*grp->sealed)))
		return err_nomem(e);
	if (r != ERR_OK)
		return err_wrap(e, "seal of segment %" PRIu32, g->id.id);
	grp->sealed[grp->n_sealed++] = g->id.id;
	g->sealed = true;
	return ERR_OK;
}
