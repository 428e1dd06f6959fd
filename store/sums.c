/* SPDX-License-Identifier: MIT */
/* How many rows each table of the index has and what their checks add up to: the only way to see that one is missing. */
#include "store/index_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
ix_sums_auto(struct ix_sums *s)
{
	free(s->v);
}

/* row: a key of DB_ROWS, "table\0...". */
static void
sum_name(enum index_db d, const struct slice *row, char out[SUM_NAME])
{
	if (row != NULL)
		snprintf(out, SUM_NAME, "%s/%.*s", ix_name(d), STORE_TABLE_MAX, (const char *)row->p);
	else
		snprintf(out, SUM_NAME, "%s", ix_name(d));
}

static struct slice
sum_key(const char *name, char to[SUM_NAME + 8])
{
	snprintf(to, SUM_NAME + 8, SUM_KEY "%s", name);
	return slice_str(to);
}

static enum err_code
read_sum(struct index *ix, MDB_txn *t, const char *name, struct row_sum *out, struct err *e)
{
	char key[SUM_NAME + 8];
	struct slice v = {0};
	struct cur c;
	enum err_code r = kv_get(t, ix->db[DB_META], sum_key(name, key), &v, NULL);

	*out = (struct row_sum){0};
	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r != ERR_OK)
		return err_set(e, r, "index: the sum of %s", name);
	c = cur_from(v);
	out->rows = cur_be64(&c);
	out->total = cur_be64(&c);
	return cur_end(&c, "index: sum", e);
}

enum err_code
ix_sum_of(struct ix_sums *s, struct index *ix, MDB_txn *t, enum index_db d, const struct slice *row, struct row_sum **out,
    struct err *e)
{
	char name[SUM_NAME];
	enum err_code r;
	size_t i;

	sum_name(d, row, name);
	for (i = 0; i < s->n && strcmp(s->v[i].name, name) != 0; i++)
		;
	if (i == s->n) {
		if (!mem_grow(&s->v, &s->cap, s->n, sizeof(*s->v)))
			return err_nomem(e);
		r = read_sum(ix, t, name, &s->v[i].sum, e);
		if (r != ERR_OK)
			return r;
		snprintf(s->v[i].name, SUM_NAME, "%s", name);
		s->n++;
	}
	*out = &s->v[i].sum;
	return ERR_OK;
}

enum err_code
ix_sums_write(const struct ix_sums *s, struct index *ix, MDB_txn *t, bool *full, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < s->n; i++) {
		AUTO(buf) struct buf v = {0};
		char key[SUM_NAME + 8];

		buf_addbe64(&v, s->v[i].sum.rows);
		buf_addbe64(&v, s->v[i].sum.total);
		r = buf_ok(&v, e);
		if (r == ERR_OK)
			r = kv_put(t, ix->db[DB_META], sum_key(s->v[i].name, key), buf_slice(&v), NULL, full, e);
	}
	return r;
}

/* --- walks of a whole table --- */

static enum err_code
sum_now(struct index *ix, const char *table, struct row_sum *out, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	struct slice row = slice_str(table);
	char name[SUM_NAME];
	enum err_code r = kv_begin(&ix->kv, false, &t, e);

	sum_name(DB_ROWS, &row, name);
	return r == ERR_OK ? read_sum(ix, t, name, out, e) : r;
}

static bool
same(const struct row_sum *a, const struct row_sum *b)
{
	return a->rows == b->rows && a->total == b->total;
}

struct through {
	const struct store_each *each;
	bool stopped;
};

static enum err_code
pass(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct through *w = ctx;
	enum err_code r = w->each != NULL ? w->each->row(w->each->ctx, key, value, stop, e) : ERR_OK;

	w->stopped |= *stop;
	return r;
}

enum err_code
index_rows(struct index *ix, const char *table, struct slice from, struct slice to, const struct store_each *each,
    struct err *e)
{
	struct row_sum before, after, got = {0};
	struct through w = {each, false};
	const struct store_each rows = {pass, &w};
	bool whole = from.n == 0 && to.n == 0;
	enum err_code r = whole ? sum_now(ix, table, &before, e) : ERR_OK;

	if (r == ERR_OK)
		r = kv_rows(&ix->kv, ix->db[DB_ROWS], table, from, to, &rows, whole ? &got : NULL, e);
	if (r != ERR_OK || !whole || w.stopped)
		return r;
	r = sum_now(ix, table, &after, e);
	if (r != ERR_OK || same(&got, &after) || !same(&before, &after))
		return r; /* a table that was changed meanwhile is looked at the next time */
	if (each != NULL) /* changed to and fro, perhaps: once more, quietly */
		return index_rows(ix, table, from, to, NULL, e);
	ix->kv.broken = true; /* the other rows are no more to be believed */
	return err_set(e, ERR_DAMAGED, "index: the table %s has %" PRIu64 " rows, %" PRIu64 " were found", table, after.rows, got.rows);
}
