/* SPDX-License-Identifier: MIT */
/*
 * LMDB. Nothing is synced per transaction: the segments are the truth and both
 * environments are thrown away after the machine went down (store.c, "dirty").
 */
#include "store/store_int.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_START ((size_t)64 << 20)
#define MAP_MAX ((size_t)1 << 40)
#define WALK_ROWS 256
#define WALK_BYTES ((size_t)1 << 20)

enum err_code
kv_err(struct err *e, int r, const char *what)
{
	if (r == MDB_NOTFOUND)
		return err_set(e, ERR_NOTFOUND, "%s: not there", what);
	if (r == ENOMEM)
		return err_nomem(e);
	if (r > 0)
		return err_errno(e, ERR_IO, r, "%s", what);
	return err_set(e, ERR_IO, "%s: %s", what, mdb_strerror(r));
}

enum err_code
kv_open(const char *path, bool read_only, unsigned dbs, struct kv *kv, struct err *e)
{
	unsigned flags = MDB_NOTLS | (read_only ? MDB_RDONLY : MDB_NOSYNC);
	int r, dead = 0;

	*kv = (struct kv){.read_only = read_only};
	if (!read_only && mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(e, ERR_IO, errno, "%s", path);
	r = mdb_env_create(&kv->env);
	if (r == 0)
		r = mdb_env_set_maxdbs(kv->env, dbs);
	if (r == 0)
		r = mdb_env_set_maxreaders(kv->env, 512);
	if (r == 0 && !read_only)
		r = mdb_env_set_mapsize(kv->env, MAP_START);
	if (r == 0)
		r = mdb_env_open(kv->env, path, flags, 0640);
	if (r == 0 && !read_only)
		r = mdb_reader_check(kv->env, &dead); /* a reader that was killed would keep old pages for ever */
	if (r != 0) {
		kv_close(kv);
		return kv_err(e, r, path);
	}
	return ERR_OK;
}

void
kv_close(struct kv *kv)
{
	if (kv->env != NULL)
		mdb_env_close(kv->env);
	kv->env = NULL;
}

void
txn_auto(MDB_txn **t)
{
	if (*t != NULL)
		mdb_txn_abort(*t);
}

enum err_code
kv_begin(struct kv *kv, bool write, MDB_txn **t, struct err *e)
{
	unsigned flags = write ? 0 : MDB_RDONLY;
	int r = mdb_txn_begin(kv->env, NULL, flags, t);

	if (r == MDB_MAP_RESIZED) { /* another process has grown it */
		r = mdb_env_set_mapsize(kv->env, 0);
		if (r == 0)
			r = mdb_txn_begin(kv->env, NULL, flags, t);
	}
	return r == 0 ? ERR_OK : kv_err(e, r, "index transaction");
}

static MDB_val
val(struct slice s)
{
	return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p};
}

static enum err_code
outcome(int r, bool *full, const char *what, struct err *e)
{
	if (r == 0)
		return ERR_OK;
	if (r == MDB_MAP_FULL)
		*full = true;
	return kv_err(e, r, what);
}

enum err_code
kv_put(MDB_txn *t, MDB_dbi d, struct slice key, struct slice value, bool *full, struct err *e)
{
	MDB_val k = val(key), v = val(value);

	return outcome(mdb_put(t, d, &k, &v, 0), full, "index put", e);
}

enum err_code
kv_del(MDB_txn *t, MDB_dbi d, struct slice key, bool *full, struct err *e)
{
	MDB_val k = val(key);
	int r = mdb_del(t, d, &k, NULL);

	return outcome(r == MDB_NOTFOUND ? 0 : r, full, "index delete", e);
}

enum err_code
kv_commit(MDB_txn **t, bool *full, struct err *e)
{
	return outcome(mdb_txn_commit(TAKE(*t)), full, "index commit", e);
}

enum err_code
kv_grow(struct kv *kv, struct err *e)
{
	MDB_envinfo info;
	int r = mdb_env_info(kv->env, &info);

	if (r == 0 && info.me_mapsize >= MAP_MAX)
		return err_set(e, ERR_LIMIT, "index is larger than %zu octets", MAP_MAX);
	if (r == 0)
		r = mdb_env_set_mapsize(kv->env, info.me_mapsize * 2);
	return r == 0 ? ERR_OK : kv_err(e, r, "index growth");
}

enum err_code
kv_get(MDB_txn *t, MDB_dbi d, struct slice key, struct slice *value, struct err *e)
{
	MDB_val k = val(key), v;
	int r = mdb_get(t, d, &k, &v);

	if (r != 0)
		return kv_err(e, r, "index");
	*value = slice_of(v.mv_data, v.mv_size);
	return ERR_OK;
}

enum err_code
kv_row_key(const char *table, struct slice key, bool empty_ok, struct buf *out, struct err *e)
{
	size_t i, n = strlen(table);

	for (i = 0; i < n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", table[i]) == NULL)
			return err_set(e, ERR_USAGE, "table name \"%.40s\"", table);
	if (n == 0 || n > STORE_TABLE_MAX || key.n > STORE_KEY_MAX || (key.n == 0 && !empty_ok))
		return err_set(e, ERR_USAGE, "table name of %zu or key of %zu octets", n, key.n);
	buf_add(out, table, n + 1);
	buf_addslice(out, key);
	return buf_ok(out, e);
}

/* --- walking --- */

/* Rows copied out of one short transaction: vectors of key and value. */
static enum err_code
fetch_some(struct kv *kv, MDB_dbi d, struct slice from, bool behind, struct slice to, struct buf *out, bool *more,
    struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	MDB_cursor *c = NULL;
	MDB_val k = val(from), v;
	size_t n = 0;
	int r;
	enum err_code x = kv_begin(kv, false, &t, e);

	*more = false;
	if (x != ERR_OK)
		return x;
	r = mdb_cursor_open(t, d, &c);
	if (r == 0)
		r = mdb_cursor_get(c, &k, &v, from.n != 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (r == 0 && behind && slice_eq(slice_of(k.mv_data, k.mv_size), from))
		r = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	while (r == 0) {
		struct slice key = slice_of(k.mv_data, k.mv_size);

		if (to.n != 0 && slice_cmp(key, to) >= 0)
			break;
		buf_addvec(out, key);
		buf_addvec(out, slice_of(v.mv_data, v.mv_size));
		*more = ++n >= WALK_ROWS || out->n >= WALK_BYTES;
		if (*more)
			break;
		r = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return r == 0 || r == MDB_NOTFOUND ? buf_ok(out, e) : kv_err(e, r, "index walk");
}

static enum err_code
give(struct slice rows, size_t strip, const struct store_each *each, struct buf *last, bool *stop, struct err *e)
{
	struct cur c = cur_from(rows);
	enum err_code r = ERR_OK;

	while (r == ERR_OK && !*stop && c.at < rows.n) {
		struct slice key = cur_vec(&c), value = cur_vec(&c);

		buf_clear(last);
		buf_addslice(last, key);
		r = buf_ok(last, e); /* without it the walk would begin again */
		if (r == ERR_OK)
			r = each->row(each->ctx, slice_of(key.p + strip, key.n - strip), value, stop, e);
	}
	return r;
}

enum err_code
kv_walk(struct kv *kv, MDB_dbi d, struct slice from, struct slice to, size_t strip, const struct store_each *each,
    struct err *e)
{
	AUTO(buf) struct buf at = {0};
	bool more = true, stop = false, behind = false;
	enum err_code r = ERR_OK;

	buf_addslice(&at, from);
	while (r == ERR_OK && more && !stop) {
		AUTO(buf) struct buf rows = {0};

		r = fetch_some(kv, d, buf_slice(&at), behind, to, &rows, &more, e);
		if (r == ERR_OK)
			r = give(buf_slice(&rows), strip, each, &at, &stop, e);
		behind = true;
	}
	return r;
}

enum err_code
kv_rows(struct kv *kv, MDB_dbi d, const char *table, struct slice from, struct slice to, const struct store_each *each,
    struct err *e)
{
	AUTO(buf) struct buf first = {0};
	AUTO(buf) struct buf end = {0};
	enum err_code r = kv_row_key(table, from, true, &first, e);

	if (r == ERR_OK)
		r = kv_row_key(table, to, true, &end, e);
	if (r != ERR_OK)
		return r;
	if (to.n == 0)
		end.p[end.n - 1] = 1; /* the zero behind the table's name: the first key of no longer this table */
	return kv_walk(kv, d, buf_slice(&first), buf_slice(&end), strlen(table) + 1, each, e);
}
