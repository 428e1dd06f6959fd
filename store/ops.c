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
open_table(struct store *s, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	AUTO(mem) char *path = mem_printf("%s/ops", s->dir);
	bool full = false;
	enum err_code r;

	if (path == NULL)
		return err_nomem(e);
	r = kv_open(path, !s->writer, 1, &s->ops, e);
	if (r != ERR_OK)
		return r;
	r = kv_begin(&s->ops, s->writer, &t, e);
	if (r == ERR_OK)
		r = kv_table(t, "ops", s->writer, &s->ops_db, e);
	if (r == ERR_OK)
		r = kv_commit(&t, &full, e);
	if (r != ERR_OK) {
		txn_auto(&t);
		t = NULL;
		kv_close(&s->ops);
	}
	return r;
}

static enum err_code
pass(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)ctx, (void)key, (void)value, (void)stop, (void)e;
	return ERR_OK;
}

/* They are few: all are looked at before the first is believed. */
static enum err_code
open_sound(struct store *s, struct err *e)
{
	const struct store_each each = {pass, NULL};
	enum err_code r = open_table(s, e);

	if (r != ERR_OK)
		return r;
	r = kv_walk(&s->ops, s->ops_db, slice_of(NULL, 0), slice_of(NULL, 0), 0, &each, NULL, e);
	if (r != ERR_OK)
		kv_close(&s->ops);
	return r;
}

/* Damaged tables are begun anew: they are never evidence. A reader does as if nothing were noted, and it is told. */
static enum err_code
ready(struct store *s, struct err *e)
{
	struct err why = {0};
	enum err_code r;

	if (s->ops_open)
		return ERR_OK;
	r = s->found.ops_lost || tables_marked(s, TABLES_OPS) ? ERR_DAMAGED : open_sound(s, &why);
	if (r == ERR_DAMAGED) {
		s->found.ops_lost = true;
		if (!s->writer)
			return err_set(e, ERR_NOTFOUND, "the notes of work under way are damaged");
		store_wipe(s, "ops");
		tables_unmark(s, TABLES_OPS);
		r = open_sound(s, &why);
	}
	s->ops_open = r == ERR_OK;
	return r == ERR_OK ? r : err_set(e, r, "%s", why.text);
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
		r = value != NULL ? kv_put(t, s->ops_db, key, *value, NULL, full, e) : kv_del(t, s->ops_db, key, NULL, full, e);
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
	if (r != ERR_DAMAGED || !s->ops_open)
		return r;
	kv_close(&s->ops);
	s->ops_open = false;
	tables_mark(s, TABLES_OPS);
	r = ready(s, e);
	return r == ERR_OK ? change(s, buf_slice(&k), value, &full, e) : r;
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
	if (r == ERR_NOTFOUND && s->found.ops_lost)
		return ERR_OK;
	return r == ERR_OK ? kv_rows(&s->ops, s->ops_db, table, from, to, each, NULL, e) : r;
}
