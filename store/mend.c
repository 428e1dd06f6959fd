/* SPDX-License-Identifier: MIT */
/*
 * Everything in a segment but the content of objects can be computed from the
 * index and the other copies of the groups: it is compared, and what differs is
 * written anew after what stood there was set aside.
 */
#include "store/recover_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct mend {
	struct store *s;
	const struct seg_row *row;
	int fd; /* -1: the file is not there */
	uint64_t size;
	bool writing; /* the second time round */
	bool hole;    /* octets of an object are missing: nothing is put behind them */
	bool differs;
	uint64_t unknown; /* members that could not be computed */
	uint64_t missing, missing_off; /* what simply was not there, and should have been since before the last group */
	struct lost lost;
};

/* A block of the file as it is; false: it can't be read. */
static bool
block_there(const struct mend *k, uint64_t off, uint8_t to[TAR_BLOCK], size_t n)
{
	size_t have = off >= k->size ? 0 : k->size - off < n ? (size_t)(k->size - off) : n;

	memset(to, 0, TAR_BLOCK);
	return have == 0 || sys_pread(k->fd, to, have, off, NULL) == ERR_OK;
}

/* What stands at off must be want; n octets at most a block. *foreign: it was anything else than nothing. */
static bool
same_block(const struct mend *k, uint64_t off, const uint8_t *want, size_t n, bool *foreign)
{
	static const uint8_t zeros[TAR_BLOCK];
	uint8_t got[TAR_BLOCK];

	if (!block_there(k, off, got, n))
		return false;
	if (off + n <= k->size && memcmp(got, want, n) == 0)
		return true;
	*foreign |= memcmp(got, want, n) != 0 && memcmp(got, zeros, n) != 0;
	return false;
}

/* These octets must stand at off. */
static enum err_code
must_be(struct mend *k, uint64_t off, struct slice want, uint64_t group, struct err *e)
{
	bool differs = false, foreign = false;
	size_t at, n;

	if (k->hole)
		return ERR_OK;
	for (at = 0; at < want.n; at += n) {
		n = want.n - at < TAR_BLOCK ? want.n - at : TAR_BLOCK;
		differs |= !same_block(k, off + at, want.p + at, n, &foreign);
	}
	if (!differs)
		return ERR_OK;
	k->differs = true;
	if (k->writing)
		return sys_pwrite(k->fd, want, off, e);
	if (k->lost.group == 0)
		k->lost.group = group;
	if (!foreign && group < k->s->last.group && k->missing++ == 0)
		k->missing_off = off;
	if (!foreign)
		return ERR_OK;
	return lost_add_part(&k->lost, &k->row->id, off, off + want.n <= k->size ? want.n : k->size - off, e);
}

static enum err_code
head_text(struct mend *k, const struct member *m, struct buf *text, struct err *e)
{
	struct store_ref ref;
	int format;

	for (format = STORE_FORMAT_VERSION; format > 0; format--) {
		enum err_code r;

		buf_clear(text);
		r = seg_head_text(k->s, &k->row->id, format, text, e);
		if (r == ERR_OK)
			r = store_hash_octets(buf_slice(text), &ref, e);
		if (r != ERR_OK)
			return r;
		if (ref_eq(&ref, &m->ref))
			return ERR_OK;
	}
	return err_set(e, ERR_DAMAGED, "the header of segment %" PRIu32 " is not known", m->seg);
}

static enum err_code
table_text(struct mend *k, const struct member *m, struct buf *text, struct err *e)
{
	struct store_ref ref;
	const struct sink to = sink_buf(text);
	enum err_code r = seg_table(&k->s->index, &k->row->id, NULL, m->off, &to, e);

	if (r == ERR_OK)
		r = store_hash_octets(buf_slice(text), &ref, e);
	if (r == ERR_OK && !ref_eq(&ref, &m->ref))
		return err_set(e, ERR_DAMAGED, "the member table of segment %" PRIu32 " is not known", m->seg);
	return r;
}

static enum err_code
content(struct mend *k, const struct member *m, struct buf *text, struct err *e)
{
	switch (m->kind) {
	case MEMBER_HEAD:
		return head_text(k, m, text, e);
	case MEMBER_TABLE:
		return table_text(k, m, text, e);
	case MEMBER_GROUP:
		return group_text(k->s, m->group, text, NULL, NULL, e);
	default:
		return err_set(e, ERR_BUG, "content of an object");
	}
}

static enum err_code
mend_member(void *ctx, const struct member *m, struct err *e)
{
	static const uint8_t zeros[TAR_BLOCK];
	struct mend *k = ctx;
	AUTO(buf) struct buf raw = {0};
	AUTO(buf) struct buf text = {0};
	struct err why = {0};
	uint64_t size = m->ref.size_bytes;
	uint8_t head[TAR_HEAD_MAX];
	char name[MEMBER_NAME];
	enum err_code r;

	member_name(m, &k->row->id, name);
	tar_head(name, size, head);
	if (m->kind == MEMBER_OBJECT) {
		k->hole |= m->off + tar_head_bytes(size) + size > k->size;
		r = must_be(k, m->off, slice_of(head, tar_head_bytes(size)), m->group, e);
		return r == ERR_OK ? must_be(k, m->off + tar_head_bytes(size) + size, slice_of(zeros, tar_padding(size)), m->group, e) : r;
	}
	r = content(k, m, &text, &why);
	if (r == ERR_DAMAGED) { /* nothing to mend it from: scrub tells it */
		k->unknown++;
		return ERR_OK;
	}
	if (r != ERR_OK)
		return err_set(e, r, "%s", why.text);
	buf_add(&raw, head, tar_head_bytes(size));
	buf_addslice(&raw, buf_slice(&text));
	buf_add(&raw, zeros, tar_padding(size));
	r = buf_ok(&raw, e);
	return r == ERR_OK ? must_be(k, m->off, buf_slice(&raw), m->group, e) : r;
}

static enum err_code
go_through(struct mend *k, struct err *e)
{
	static const uint8_t zeros[TAR_END_OCTETS];
	const struct member_each each = {mend_member, k};
	enum err_code r;

	k->hole = false;
	r = index_members(&k->s->index, k->row->id.id, &each, e);
	if (r == ERR_OK && k->row->sealed)
		r = must_be(k, k->row->end - TAR_END_OCTETS, slice_of(zeros, sizeof(zeros)), k->s->last.group, e);
	return r;
}

static enum err_code
open_file(struct mend *k, struct err *e)
{
	char name[SEG_NAME];

	seg_name(&k->row->id, name);
	k->fd = openat(k->s->seg_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (k->fd >= 0)
		return sys_size(k->fd, &k->size, e);
	return errno == ENOENT ? ERR_OK : err_errno(e, ERR_IO, errno, "segment %s", name);
}

static enum err_code
write_anew(struct mend *k, struct err *e)
{
	char name[SEG_NAME];
	enum err_code r = ERR_OK;

	seg_name(&k->row->id, name);
	k->lost.kind = STORE_LOST_MENDED;
	k->lost.after = k->s->last.group;
	snprintf(k->lost.why, sizeof(k->lost.why), "segment %s: headers, groups, tables or padding that were not what they must be were "
	    "written anew%s", name, k->unknown != 0 ? "; others could not be computed, a scrub tells which" : "; nothing is lost");
	if (k->missing != 0)
		r = lost_add_damage(&k->lost, &k->row->id, k->missing_off, "", k->lost.group,
		    k->fd < 0 ? "the file was not there" : "octets were missing", e);
	if (r == ERR_OK && (k->lost.n_parts != 0 || k->missing != 0)) /* else power went before the log's sync: no fault of any disk */
		r = lost_put(k->s, &k->lost, e);
	if (r == ERR_OK && k->fd < 0)
		r = sys_create(k->s->seg_fd, name, 0640, &k->fd, e);
	if (r == ERR_OK)
		r = sys_fsync_dir(k->s->seg_fd, e);
	k->writing = true;
	if (r == ERR_OK)
		r = go_through(k, e);
	return r == ERR_OK ? sys_fdatasync(k->fd, e) : r;
}

static enum err_code
mend_segment(struct store *s, const struct seg_row *row, struct err *e)
{
	struct mend k = {.s = s, .row = row, .fd = -1};
	enum err_code r = open_file(&k, e);

	if (r == ERR_OK && (k.fd >= 0 || row->id.kind == STORE_LOG))
		r = go_through(&k, e);
	if (r == ERR_OK && k.differs)
		r = write_anew(&k, e);
	if (k.fd >= 0)
		close(k.fd);
	lost_auto(&k.lost);
	return r == ERR_OK ? r : err_wrap(e, "mending");
}

static bool
wanted(const uint32_t *ids, size_t n, uint32_t id)
{
	size_t i;

	for (i = 0; ids != NULL && i < n; i++)
		if (ids[i] == id)
			return true;
	return ids == NULL;
}

enum err_code
mend_segments(struct store *s, const uint32_t *ids, size_t n, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	size_t i, n_rows = 0;
	enum err_code r = index_segments(&s->index, &rows, &n_rows, e);

	for (i = 0; r == ERR_OK && i < n_rows; i++)
		if (wanted(ids, n, rows[i].id.id))
			r = mend_segment(s, &rows[i], e);
	return r;
}
