/* SPDX-License-Identifier: MIT */
/*
 * Operational tables: back-off, budgets, claims. An environment of its own,
 * never in a group: losing it costs requests to others, never evidence.
 */
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static enum err_code
ready(struct store *s, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	AUTO(mem) char *path = NULL;
	bool full = false;
	enum err_code r;
	int x;

	if (s->ops_open)
		return ERR_OK;
	path = mem_printf("%s/ops", s->dir);
	if (path == NULL)
		return err_nomem(e);
	r = kv_open(path, !s->writer, 1, &s->ops, e);
	if (r != ERR_OK)
		return r;
	r = kv_begin(&s->ops, s->writer, &t, e);
	if (r == ERR_OK) {
		x = mdb_dbi_open(t, "ops", s->writer ? MDB_CREATE : 0, &s->ops_db);
		r = x == 0 ? kv_commit(&t, &full, e) : kv_err(e, x, "ops");
	}
	if (r != ERR_OK) {
		if (t != NULL)
			mdb_txn_abort(TAKE(t));
		kv_close(&s->ops);
	}
	s->ops_open = r == ERR_OK;
	return r;
}

/* A reader before the first writer that had something to note: the tables are empty, which is no fault. */
static bool
none_yet(const struct store *s)
{
	return !s->writer && !s->ops_open && faccessat(s->dir_fd, "ops/data.mdb", F_OK, 0) != 0 && errno == ENOENT;
}

static enum err_code
change(struct store *s, struct slice key, const struct slice *value, bool *full, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	enum err_code r = kv_begin(&s->ops, true, &t, e);

	if (r == ERR_OK)
		r = value != NULL ? kv_put(t, s->ops_db, key, *value, full, e) : kv_del(t, s->ops_db, key, full, e);
	return r == ERR_OK ? kv_commit(&t, full, e) : r;
}

static enum err_code
change_row(struct store *s, const char *table, struct slice key, const struct slice *value, struct err *e)
{
	AUTO(buf) struct buf k = {0};
	bool full = false;
	enum err_code r = s->writer ? kv_row_key(table, key, false, &k, e)
				    : err_set(e, ERR_USAGE, "the store is open for reading");

	if (r == ERR_OK)
		r = ready(s, e);
	if (r == ERR_OK)
		r = change(s, buf_slice(&k), value, &full, e);
	while (r != ERR_OK && full) {
		full = false;
		r = kv_grow(&s->ops, e);
		if (r == ERR_OK)
			r = change(s, buf_slice(&k), value, &full, e);
	}
	return r;
}

enum err_code
ops_put(struct store *s, const char *table, struct slice key, struct slice value, struct err *e)
{
	if (value.n > STORE_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "value of %zu octets, at most %u", value.n, STORE_VALUE_MAX);
	return change_row(s, table, key, &value, e);
}

enum err_code
ops_del(struct store *s, const char *table, struct slice key, struct err *e)
{
	return change_row(s, table, key, NULL, e);
}

enum err_code
ops_get(struct store *s, const char *table, struct slice key, struct buf *value, struct err *e)
{
	AUTO(buf) struct buf k = {0};
	AUTO(txn) MDB_txn *t = NULL;
	struct slice v = {0};
	enum err_code r = kv_row_key(table, key, false, &k, e);

	if (r == ERR_OK && none_yet(s))
		return err_set(e, ERR_NOTFOUND, "nothing is noted yet");
	if (r == ERR_OK)
		r = ready(s, e);
	if (r == ERR_OK)
		r = kv_begin(&s->ops, false, &t, e);
	if (r == ERR_OK)
		r = kv_get(t, s->ops_db, buf_slice(&k), &v, e);
	if (r != ERR_OK)
		return r;
	buf_addslice(value, v);
	return buf_ok(value, e);
}

enum err_code
ops_rows(struct store *s, const char *table, struct slice from, struct slice to, const struct store_each *each,
    struct err *e)
{
	enum err_code r;

	if (none_yet(s))
		return ERR_OK;
	r = ready(s, e);
	return r == ERR_OK ? kv_rows(&s->ops, s->ops_db, table, from, to, each, e) : r;
}
