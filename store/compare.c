/* SPDX-License-Identifier: MIT */
/*
 * The index against the segments: a second one is made of the groups, beside the
 * first, and both must say the same. Their sums are compared first; only tables
 * that differ are walked, row by row.
 */
#include "store/index_int.h"
#include "store/recover_int.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH "scrub"

struct compare {
	struct store *s;
	struct index again;
	const struct index_tell *tell;
	uint64_t n; /* groups that `again` has */
	enum index_db d;
	bool ours; /* rows of the index are looked up in `again`, else the other way round */
	uint64_t differ;
};

static enum err_code
one_group(struct compare *c, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(group) struct group *g = NULL;
	struct member at;
	enum err_code r = group_text(c->s, c->n + 1, &text, NULL, NULL, e);

	if (r == ERR_OK)
		r = index_group(&c->s->index, c->n + 1, &at, e);
	if (r == ERR_OK)
		r = group_read(buf_slice(&text), &g, e);
	if (r != ERR_OK)
		return r;
	g->seg = at.seg;
	g->off = at.off;
	r = index_apply(&c->again, g, e);
	c->n += r == ERR_OK;
	return r;
}

static enum err_code
add_meta(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct buf *b = ctx;

	(void)stop;
	buf_addvec(b, key);
	buf_addvec(b, value);
	return buf_ok(b, e);
}

/* Sums and last group as one text: tables of equal sums are equal. */
static enum err_code
meta_of(struct index *ix, struct buf *out, struct err *e)
{
	const struct store_each each = {add_meta, out};

	buf_clear(out);
	return kv_walk(&ix->kv, ix->db[DB_META], slice_of(NULL, 0), slice_of(NULL, 0), 0, &each, NULL, e);
}

static void
row_name(enum index_db d, struct slice key, char out[MEMBER_NAME])
{
	size_t i, n = (size_t)snprintf(out, MEMBER_NAME, "index/%s/", ix_name(d));
	bool text = d == DB_ROWS;

	for (i = 0; i < key.n && n + 3 < MEMBER_NAME; i++) {
		if (text && key.p[i] >= 0x20 && key.p[i] < 0x7f)
			out[n++] = (char)key.p[i];
		else if (text && key.p[i] == 0)
			out[n++] = '/';
		else
			n += (size_t)snprintf(out + n, MEMBER_NAME - n, "%02x", key.p[i]);
	}
	out[n] = 0;
}

static enum err_code
look_up(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct compare *c = ctx;
	struct index *other = c->ours ? &c->again : &c->s->index;
	AUTO(txn) MDB_txn *t = NULL;
	struct slice v = {0};
	char name[MEMBER_NAME];
	enum err_code r = kv_begin(&other->kv, false, &t, e);

	(void)stop;
	if (r == ERR_OK)
		r = kv_get(t, other->db[c->d], key, &v, e);
	if (r != ERR_OK && r != ERR_NOTFOUND)
		return r;
	if (r == ERR_OK && (!c->ours || slice_eq(v, value)))
		return ERR_OK;
	row_name(c->d, key, name);
	c->differ++;
	c->tell->row(c->tell->ctx, name, r == ERR_OK ? "the row is not what the groups say"
		: c->ours ? "a row that no group has" : "a row of the groups that the index has not");
	return ERR_OK;
}

static enum err_code
walk_both(struct compare *c, struct err *e)
{
	const struct store_each each = {look_up, c};
	enum err_code r = ERR_OK;
	int d, side;

	for (d = DB_META + 1; d < INDEX_DBS; d++)
		for (side = 0; r == ERR_OK && side < 2; side++) {
			struct index *ix = side == 0 ? &c->s->index : &c->again;

			c->d = (enum index_db)d;
			c->ours = side == 0;
			r = kv_walk(&ix->kv, ix->db[d], slice_of(NULL, 0), slice_of(NULL, 0), 0, &each, NULL, e);
		}
	return r;
}

static enum err_code
compare(struct compare *c, struct err *e)
{
	AUTO(buf) struct buf ours = {0}, theirs = {0};
	struct index_last last, now;
	enum err_code r = index_last(&c->s->index, &last, e);

	while (r == ERR_OK) { /* a writer may go on meanwhile */
		while (r == ERR_OK && c->n < last.group)
			r = one_group(c, e);
		if (r == ERR_OK)
			r = meta_of(&c->s->index, &ours, e);
		if (r == ERR_OK)
			r = index_last(&c->s->index, &now, e);
		if (r != ERR_OK || now.group == last.group)
			break;
		last = now;
	}
	if (r == ERR_OK)
		r = meta_of(&c->again, &theirs, e);
	if (r != ERR_OK || slice_eq(buf_slice(&ours), buf_slice(&theirs)))
		return r;
	r = walk_both(c, e);
	if (r == ERR_OK && c->differ == 0)
		c->tell->row(c->tell->ctx, "index/meta", "its sums are not those of the groups");
	tables_mark(c->s, TABLES_INDEX);
	return r;
}

enum err_code
index_compare(struct store *s, const struct index_tell *tell, struct err *e)
{
	AUTO(mem) char *path = mem_printf("%s/" SCRATCH, s->dir);
	struct compare c = {.s = s, .tell = tell};
	bool scratch;
	AUTO(fd) int fd = -1;
	enum err_code r = path == NULL ? err_nomem(e) : sys_mkdirs(s->dir_fd, SCRATCH, 0700, e);

	if (r == ERR_OK)
		r = sys_open_dir(s->dir_fd, SCRATCH, &fd, e);
	if (r == ERR_OK)
		r = sys_lock(fd, e);
	if (r == ERR_BUSY)
		return err_wrap(e, "another scrub");
	if (r != ERR_OK)
		return r;
	store_wipe(s, SCRATCH);
	r = index_open(path, false, &c.again, e);
	scratch = r == ERR_DAMAGED;
	if (r == ERR_OK) {
		r = compare(&c, e);
		scratch = r == ERR_DAMAGED && c.again.kv.broken; /* a page that the disk had no room for is SIGBUS */
		index_close(&c.again);
	}
	if (scratch) /* new, so nothing that was kept */
		r = err_set(e, ERR_IO, "the index could not be held against the segments: the one that was made of them in " SCRATCH
		    " could not be read again (is the disk full?)");
	store_wipe(s, SCRATCH);
	unlinkat(s->dir_fd, SCRATCH, AT_REMOVEDIR);
	return r;
}
