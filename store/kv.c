/* SPDX-License-Identifier: MIT */
/*
 * LMDB. Nothing is synced per transaction: the segments are the truth and both
 * environments are thrown away after the machine went down (store.c, "dirty").
 * Every value is followed by a check of its row (rowsum.c), and every call that
 * looks at pages is guarded: what comes out is right, or ERR_DAMAGED.
 */
#include "store/store_int.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_START ((size_t)64 << 20)
#define MAP_MAX ((size_t)1 << 40)
#define WALK_ROWS 256
#define WALK_BYTES ((size_t)1 << 20)
#define VALUE_MAX ((size_t)2 << 20) /* no row is longer; what says so is no row */

enum err_code
kv_err(struct err *e, int r, const char *what)
{
	switch (r) {
	case MDB_NOTFOUND:
		return err_set(e, ERR_NOTFOUND, "%s: not there", what);
	case ENOMEM:
		return err_nomem(e);
	case KV_BROKEN:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_PANIC:
	case MDB_BAD_TXN:
	case MDB_BAD_VALSIZE:
		return err_set(e, ERR_DAMAGED, "%s: the file of the tables is damaged", what);
	default:
		return r > 0 ? err_errno(e, ERR_IO, r, "%s", what) : err_set(e, ERR_IO, "%s: %s", what, mdb_strerror(r));
	}
}

/* One call of LMDB and what goes in and out of it. */
struct op {
	struct kv *kv;
	MDB_txn *t;
	MDB_dbi d;
	MDB_val k, v;
	struct slice key, value;
	struct row_sum *sum;
	unsigned flags;
	const char *path;
	uint64_t n;
};

static int
run(struct op *o, int (*call)(void *ctx))
{
	int r = o->kv->broken ? KV_BROKEN : guarded(call, o);

	o->kv->broken |= r == KV_BROKEN;
	return r;
}

static struct kv *
kv_of(MDB_txn *t)
{
	return mdb_env_get_userctx(mdb_txn_env(t));
}

static int
do_open(void *ctx)
{
	struct op *o = ctx;

	return mdb_env_open(o->kv->env, o->path, o->flags, 0640);
}

/* What the system says when the file's own numbers are wrong: a map of any size, a file of none, a sector that is gone. */
static int
by_content(int r)
{
	return r == ENOMEM || r == EBADF || r == EINVAL || r == EIO || r == EFBIG || r == EOVERFLOW ? KV_BROKEN : r;
}

enum err_code
kv_open(const char *path, bool read_only, unsigned dbs, struct kv *kv, struct err *e)
{
	struct op o = {.kv = kv, .path = path, .flags = MDB_NOTLS | (read_only ? MDB_RDONLY : MDB_NOSYNC)};
	int r, dead = 0;

	*kv = (struct kv){.read_only = read_only};
	guard_install();
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
		r = mdb_env_set_assert(kv->env, guard_assert);
	if (r == 0)
		r = mdb_env_set_userctx(kv->env, kv);
	if (r == 0)
		r = by_content(run(&o, do_open));
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

static int
do_abort(void *ctx)
{
	struct op *o = ctx;

	mdb_txn_abort(o->t);
	return 0;
}

/*
 * Of a broken environment as well: a writer that is only forgotten holds a robust lock of this thread in a map that goes
 * away, and the next such lock of any other environment would stumble over it.
 */
void
txn_auto(MDB_txn **t)
{
	struct op o = {.t = *t};

	if (*t != NULL)
		(void)guarded(do_abort, &o);
}

static int
do_begin(void *ctx)
{
	struct op *o = ctx;

	return mdb_txn_begin(o->kv->env, NULL, o->flags, &o->t);
}

enum err_code
kv_begin(struct kv *kv, bool write, MDB_txn **t, struct err *e)
{
	struct op o = {.kv = kv, .flags = write ? 0 : MDB_RDONLY};
	int r = run(&o, do_begin);

	if (r == MDB_MAP_RESIZED) { /* another process has grown it */
		r = mdb_env_set_mapsize(kv->env, 0);
		if (r == 0)
			r = run(&o, do_begin);
	}
	if (r == 0)
		*t = o.t;
	return r == 0 ? ERR_OK : kv_err(e, r, "index transaction");
}

static MDB_val
val(struct slice s)
{
	return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p};
}

static int
do_dbi(void *ctx)
{
	struct op *o = ctx;

	return mdb_dbi_open(o->t, o->path, o->flags, &o->d);
}

enum err_code
kv_table(MDB_txn *t, const char *name, bool make, MDB_dbi *d, struct err *e)
{
	struct op o = {.kv = kv_of(t), .t = t, .path = name, .flags = make ? MDB_CREATE : 0};
	int r = run(&o, do_dbi);

	*d = o.d;
	return r == 0 ? ERR_OK : kv_err(e, r, name);
}

static int
do_count(void *ctx)
{
	struct op *o = ctx;
	MDB_stat st;
	int r = mdb_stat(o->t, o->d, &st);

	o->n = r == 0 ? st.ms_entries : 0;
	return r;
}

enum err_code
kv_count(MDB_txn *t, MDB_dbi d, uint64_t *out, struct err *e)
{
	struct op o = {.kv = kv_of(t), .t = t, .d = d};
	int r = run(&o, do_count);

	*out = o.n;
	return r == 0 ? ERR_OK : kv_err(e, r, "index");
}

/* --- one row --- */

static uint64_t
stored_check(const uint8_t *p)
{
	struct cur c = cur_from(slice_of(p, KV_CHECK));

	return cur_be64(&c);
}

int
kv_open_row(const MDB_val *k, const MDB_val *v, struct slice *value, uint64_t *check)
{
	if (v->mv_size < KV_CHECK || v->mv_size > VALUE_MAX)
		return KV_BROKEN;
	*value = slice_of(v->mv_data, v->mv_size - KV_CHECK);
	*check = row_check(slice_of(k->mv_data, k->mv_size), *value);
	return *check == stored_check(value->p + value->n) ? 0 : KV_BROKEN;
}

static int
do_put(void *ctx)
{
	struct op *o = ctx;
	uint64_t check = row_check(o->key, o->value), old = 0;
	struct slice was = {0};
	uint8_t *p;
	int r;
	size_t i;

	o->v.mv_size = o->value.n + KV_CHECK;
	r = mdb_put(o->t, o->d, &o->k, &o->v, MDB_RESERVE | MDB_NOOVERWRITE);
	if (r == MDB_KEYEXIST) {
		r = kv_open_row(&o->k, &o->v, &was, &old);
		if (r != 0)
			return r;
		if (o->sum != NULL)
			row_sum_sub(o->sum, old);
		o->v.mv_size = o->value.n + KV_CHECK;
		r = mdb_put(o->t, o->d, &o->k, &o->v, MDB_RESERVE);
	}
	if (r != 0)
		return r;
	p = o->v.mv_data;
	if (o->value.n != 0)
		memcpy(p, o->value.p, o->value.n);
	for (i = 0; i < KV_CHECK; i++)
		p[o->value.n + i] = (uint8_t)(check >> (56 - 8 * i));
	if (o->sum != NULL)
		row_sum_add(o->sum, check);
	return 0;
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
kv_put(MDB_txn *t, MDB_dbi d, struct slice key, struct slice value, struct row_sum *sum, bool *full, struct err *e)
{
	struct op o = {.kv = kv_of(t), .t = t, .d = d, .k = val(key), .key = key, .value = value, .sum = sum};

	return outcome(run(&o, do_put), full, "index put", e);
}

static int
do_get(void *ctx)
{
	struct op *o = ctx;
	uint64_t check;
	int r = mdb_get(o->t, o->d, &o->k, &o->v);

	return r == 0 ? kv_open_row(&o->k, &o->v, &o->value, &check) : r;
}

static int
do_del(void *ctx)
{
	struct op *o = ctx;
	struct slice was = {0};
	uint64_t old = 0;
	int r = mdb_get(o->t, o->d, &o->k, &o->v);

	if (r == 0)
		r = kv_open_row(&o->k, &o->v, &was, &old);
	if (r == 0)
		r = mdb_del(o->t, o->d, &o->k, NULL);
	if (r == 0 && o->sum != NULL)
		row_sum_sub(o->sum, old);
	return r;
}

enum err_code
kv_del(MDB_txn *t, MDB_dbi d, struct slice key, struct row_sum *sum, bool *full, struct err *e)
{
	struct op o = {.kv = kv_of(t), .t = t, .d = d, .k = val(key), .sum = sum};
	int r = run(&o, do_del);

	return outcome(r == MDB_NOTFOUND ? 0 : r, full, "index delete", e);
}

static int
do_commit(void *ctx)
{
	return mdb_txn_commit(((struct op *)ctx)->t);
}

enum err_code
kv_commit(MDB_txn **t, bool *full, struct err *e)
{
	struct op o = {.kv = kv_of(*t), .t = *t};
	int r = run(&o, do_commit);

	*t = NULL;
	if (r == KV_BROKEN) /* it came to no end of its own */
		txn_auto(&o.t);
	return outcome(r, full, "index commit", e);
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
	struct op o = {.kv = kv_of(t), .t = t, .d = d, .k = val(key)};
	int r = run(&o, do_get);

	if (r != 0)
		return kv_err(e, r, "index");
	*value = o.value;
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

struct fetch {
	struct op o;
	struct slice from, to;
	bool behind, more;
	struct buf *out;
};

static int
fetch_rows(MDB_cursor *c, struct fetch *f)
{
	struct op *o = &f->o;
	struct slice value = {0};
	uint64_t check = 0;
	size_t n = 0;
	int r;

	o->k = val(f->from);
	r = mdb_cursor_get(c, &o->k, &o->v, f->from.n != 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (r == 0 && f->behind && slice_eq(slice_of(o->k.mv_data, o->k.mv_size), f->from))
		r = mdb_cursor_get(c, &o->k, &o->v, MDB_NEXT);
	while (r == 0) {
		struct slice key = slice_of(o->k.mv_data, o->k.mv_size);

		if (f->to.n != 0 && slice_cmp(key, f->to) >= 0)
			break;
		r = kv_open_row(&o->k, &o->v, &value, &check);
		if (r != 0)
			return r;
		buf_addvec(f->out, key);
		buf_addvec(f->out, value);
		if (o->sum != NULL)
			row_sum_add(o->sum, check);
		f->more = ++n >= WALK_ROWS || f->out->n >= WALK_BYTES;
		if (f->more)
			break;
		r = mdb_cursor_get(c, &o->k, &o->v, MDB_NEXT);
	}
	return r == MDB_NOTFOUND ? 0 : r;
}

static int
do_fetch(void *ctx)
{
	struct fetch *f = ctx;
	MDB_cursor *c = NULL;
	int r = mdb_cursor_open(f->o.t, f->o.d, &c);

	if (r == 0)
		r = fetch_rows(c, f);
	if (c != NULL)
		mdb_cursor_close(c);
	return r;
}

/* Rows copied out of one short transaction: vectors of key and value. */
static enum err_code
fetch_some(struct kv *kv, struct fetch *f, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code x = kv_begin(kv, false, &t, e);
	int r;

	f->more = false;
	if (x != ERR_OK)
		return x;
	f->o.kv = kv;
	f->o.t = t;
	r = run(&f->o, do_fetch);
	return r == 0 ? buf_ok(f->out, e) : kv_err(e, r, "index walk");
}

/* behind: the last key was given; each is larger than the one before, else the pages lead in a circle. */
static enum err_code
give(struct slice rows, size_t strip, const struct store_each *each, bool behind, struct buf *last, bool *stop, struct err *e)
{
	struct cur c = cur_from(rows);
	enum err_code r = ERR_OK;

	for (; r == ERR_OK && !*stop && c.at < rows.n; behind = true) {
		struct slice key = cur_vec(&c), value = cur_vec(&c);

		if (behind ? slice_cmp(key, buf_slice(last)) <= 0 : slice_cmp(key, buf_slice(last)) < 0)
			return kv_err(e, KV_BROKEN, "index walk");
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
    struct row_sum *sum, struct err *e)
{
	AUTO(buf) struct buf at = {0};
	bool more = true, stop = false, behind = false;
	enum err_code r = ERR_OK;

	buf_addslice(&at, from);
	while (r == ERR_OK && more && !stop) {
		AUTO(buf) struct buf rows = {0};
		struct fetch f = {.o = {.d = d, .sum = sum}, .from = buf_slice(&at), .to = to, .behind = behind, .out = &rows};

		r = fetch_some(kv, &f, e);
		more = f.more;
		if (r == ERR_OK)
			r = give(buf_slice(&rows), strip, each, behind, &at, &stop, e);
		behind = true;
	}
	return r;
}

enum err_code
kv_rows(struct kv *kv, MDB_dbi d, const char *table, struct slice from, struct slice to, const struct store_each *each,
    struct row_sum *sum, struct err *e)
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
	return kv_walk(kv, d, buf_slice(&first), buf_slice(&end), strlen(table) + 1, each, sum, e);
}
