/* SPDX-License-Identifier: MIT */
/* Getting objects out. */
#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct store_object {
	struct store_ref ref;
	struct source source;
	int fd;
	uint64_t start;
	uint32_t seg;
};

bool
store_has(struct store *s, const uint8_t sha256[32], enum store_kind kind, int year)
{
	struct member m;
	struct seg_row seg;

	return index_object(&s->index, sha256, &m, &seg, NULL) == ERR_OK &&
	    seg_rank(seg.id.kind, seg.id.year) >= seg_rank(kind, year);
}

static enum err_code
locate(struct store *s, const uint8_t sha256[32], struct member *m, struct seg_row *seg, struct err *e)
{
	char hex[65];
	enum err_code r = index_object(&s->index, sha256, m, seg, e);

	if (r != ERR_NOTFOUND)
		return r;
	hex_of(slice_of(sha256, 32), hex);
	return err_set(e, ERR_NOTFOUND, "no object sha256:%s", hex);
}

enum err_code
store_stat(struct store *s, const uint8_t sha256[32], struct store_info *out, struct err *e)
{
	struct member m;
	struct seg_row seg;
	enum err_code r = locate(s, sha256, &m, &seg, e);

	if (r != ERR_OK)
		return r;
	*out = (struct store_info){.ref = m.ref, .kind = seg.id.kind, .year = seg.id.year, .offset_bytes = m.off};
	out->group = m.group;
	out->alone = seg.id.alone;
	seg_name(&seg.id, out->segment);
	return ERR_OK;
}

/* A sector that can't be read any more is damage of what lies there: it must not stop the work on all else, as ERR_IO would. */
static enum err_code
object_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	const struct store_object *o = ctx;
	struct err why = {0};
	enum err_code r;

	if (off > o->ref.size_bytes || o->ref.size_bytes - off < n)
		return err_set(e, ERR_BUG, "read past the end of an object");
	r = sys_pread(o->fd, to, n, o->start + off, &why);
	return r == ERR_OK ? r : err_set(e, r == ERR_IO ? ERR_DAMAGED : r, "%s", why.text);
}

/* ERR_NOTFOUND would say that no group holds the object, and who asks would keep it anew. */
static enum err_code
open_segment(struct store *s, const struct seg_id *id, int *fd, struct err *e)
{
	struct err why = {0};
	enum err_code r = store_segment_fd(s, id, fd, &why);

	return r == ERR_OK ? r : err_set(e, r == ERR_NOTFOUND ? ERR_DAMAGED : r, "%s", why.text);
}

enum err_code
store_open_object(struct store *s, const uint8_t sha256[32], struct store_object **out, struct err *e)
{
	AUTO(store_object) struct store_object *o = NULL;
	struct member m;
	struct seg_row seg;
	enum err_code r = locate(s, sha256, &m, &seg, e);

	if (r != ERR_OK)
		return r;
	o = mem_new(1, sizeof(*o));
	if (o == NULL)
		return err_nomem(e);
	o->fd = -1;
	o->ref = m.ref;
	o->seg = m.seg;
	o->start = m.off + tar_head_bytes(m.ref.size_bytes);
	o->source = (struct source){object_read, o, m.ref.size_bytes};
	r = open_segment(s, &seg.id, &o->fd, e);
	if (r == ERR_OK)
		*out = TAKE(o);
	return r;
}

const struct source *
store_object_source(const struct store_object *o)
{
	return &o->source;
}

void
store_object_free(struct store_object *o)
{
	if (o == NULL)
		return;
	if (o->fd >= 0)
		close(o->fd);
	free(o);
}

void
store_object_auto(struct store_object **o)
{
	int saved = errno;

	store_object_free(*o);
	errno = saved;
}

struct tee {
	struct digester *d;
	const struct sink *to;
};

static enum err_code
tee_write(void *ctx, struct slice s, struct err *e)
{
	const struct tee *t = ctx;
	enum err_code r = digester_add(t->d, s, e);

	return r == ERR_OK ? sink_write(t->to, s, e) : r;
}

static enum err_code
copy_checked(const struct store_object *o, const struct sink *to, struct err *e)
{
	static const enum digest_alg alg = DIGEST_SHA256;
	AUTO(digester) struct digester *d = NULL;
	struct tee t = {.to = to};
	const struct sink both = {tee_write, &t};
	struct digest got;
	enum err_code r = digester_new(&alg, 1, &d, e);

	t.d = d;
	if (r == ERR_OK)
		r = source_copy(&o->source, 0, o->ref.size_bytes, &both, e);
	if (r == ERR_OK)
		r = digester_finish(d, &got, e);
	if (r == ERR_OK && memcmp(got.octets, o->ref.sha256, 32) != 0)
		r = err_set(e, ERR_DAMAGED, "stored octets no longer have their SHA-256");
	if (r != ERR_OK)
		err_wrap(e, "segment %" PRIu32 " offset %" PRIu64, o->seg, o->start - tar_head_bytes(o->ref.size_bytes));
	return r;
}

enum err_code
store_get(struct store *s, const uint8_t sha256[32], const struct sink *to, struct err *e)
{
	AUTO(store_object) struct store_object *o = NULL;
	enum err_code r = store_open_object(s, sha256, &o, e);

	return r == ERR_OK ? copy_checked(o, to, e) : r;
}

static enum err_code
over(const struct store_object *o, uint64_t max_bytes, struct err *e)
{
	if (o->ref.size_bytes <= max_bytes)
		return ERR_OK;
	return err_set(e, ERR_LIMIT, "object of %" PRIu64 " octets, at most %" PRIu64, o->ref.size_bytes, max_bytes);
}

enum err_code
store_get_bytes(struct store *s, const uint8_t sha256[32], size_t max_bytes, struct buf *out, struct err *e)
{
	AUTO(store_object) struct store_object *o = NULL;
	AUTO(buf) struct buf got = {.max_bytes = max_bytes != 0 ? max_bytes : 1};
	const struct sink to = sink_buf(&got);
	enum err_code r = store_open_object(s, sha256, &o, e);

	if (r == ERR_OK)
		r = over(o, max_bytes, e);
	if (r == ERR_OK)
		r = copy_checked(o, &to, e);
	if (r != ERR_OK)
		return r;
	buf_addslice(out, buf_slice(&got));
	return buf_ok(out, e);
}

enum err_code
store_object_fd(struct store *s, const uint8_t sha256[32], int *fd, uint64_t *offset_bytes, struct err *e)
{
	struct member m;
	struct seg_row seg;
	enum err_code r = locate(s, sha256, &m, &seg, e);

	if (r != ERR_OK)
		return r;
	if (!seg.id.alone)
		return err_set(e, ERR_REFUSED, "the object shares segment %" PRIu32 " with others", m.seg);
	*offset_bytes = m.off + tar_head_bytes(m.ref.size_bytes);
	return open_segment(s, &seg.id, fd, e);
}

/* --- rows --- */

enum err_code
store_get_row(struct store *s, const char *table, struct slice key, struct buf *value, struct err *e)
{
	AUTO(buf) struct buf k = {0};
	AUTO(txn) MDB_txn *t = NULL;
	struct slice v = {0};
	enum err_code r = kv_row_key(table, key, false, &k, e);

	if (r == ERR_OK)
		r = kv_begin(&s->index.kv, false, &t, e);
	if (r == ERR_OK)
		r = kv_get(t, s->index.db[DB_ROWS], buf_slice(&k), &v, e);
	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_NOTFOUND, "no such row of %s", table);
	if (r != ERR_OK)
		return r;
	buf_addslice(value, v);
	return buf_ok(value, e);
}

enum err_code
store_rows(struct store *s, const char *table, struct slice from, struct slice to, const struct store_each *each,
    struct err *e)
{
	return index_rows(&s->index, table, from, to, each, e);
}

enum err_code
store_rows_prefix(struct store *s, const char *table, struct slice prefix, const struct store_each *each, struct err *e)
{
	uint8_t end[STORE_KEY_MAX];
	size_t n = prefix.n;

	if (n > sizeof(end))
		return err_set(e, ERR_USAGE, "prefix of %zu octets", n);
	if (n != 0)
		memcpy(end, prefix.p, n);
	while (n != 0 && end[n - 1] == 0xff)
		n--;
	if (n != 0)
		end[n - 1]++;
	return store_rows(s, table, prefix, slice_of(end, n), each, e);
}

/* --- log --- */

uint64_t
store_log_size(struct store *s)
{
	struct index_last last;

	return index_last(&s->index, &last, NULL) == ERR_OK ? last.log_size : 0;
}

enum err_code
store_log_checkpoint(struct store *s, struct buf *out, struct err *e)
{
	return index_checkpoint(&s->index, 0, out, e);
}

enum err_code
store_log_leaf(struct store *s, uint64_t index, struct tlog_leaf *out, struct err *e)
{
	uint8_t octets[TLOG_LEAF_OCTETS];
	enum err_code r = index_leaf(&s->index, index, octets, e);

	return r == ERR_OK ? tlog_leaf_decode(slice_of(octets, sizeof(octets)), out, e) : r;
}

enum err_code
store_log_proof(struct store *s, uint64_t index, uint64_t size, struct tlog_proof *out, struct err *e)
{
	uint64_t all = store_log_size(s);

	if (size > all)
		return err_set(e, ERR_USAGE, "proof in a log of %" PRIu64 " leaves, there are %" PRIu64, size, all);
	return index_proof(&s->index, index, size != 0 ? size : all, out, e);
}

enum err_code
store_log_consistency(struct store *s, uint64_t from, uint64_t to, struct tlog_consistency *out, struct err *e)
{
	uint64_t all = store_log_size(s);

	if (from > all || to > all)
		return err_set(e, ERR_NOTFOUND, "a log of %" PRIu64 " leaves, there are %" PRIu64, from > to ? from : to, all);
	return index_consistency(&s->index, from, to != 0 ? to : all, out, e);
}

enum err_code
store_log_root(struct store *s, uint64_t size, uint8_t out[TLOG_HASH], struct err *e)
{
	struct tlog_edge edge;
	uint64_t all = store_log_size(s);
	enum err_code r;

	if (size > all)
		return err_set(e, ERR_NOTFOUND, "a log of %" PRIu64 " leaves, there are %" PRIu64, size, all);
	r = index_edge(&s->index, size, &edge, e);
	return r == ERR_OK ? tlog_root(&edge, out, e) : r;
}

enum err_code
store_log_pub(struct store *s, struct buf *out, struct err *e)
{
	return sys_read_file(s->dir_fd, "log.pub", 4096, out, e);
}
