/* SPDX-License-Identifier: MIT */
/*
 * Is the index what was written? Asked when it is opened and by scrub, in one
 * transaction, all of it inside guarded calls: what LMDB would stumble over later
 * it stumbles over here. That the rows are what the segments say is another
 * question (scrub.c).
 */
#include "store/index_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREE_DBI 0 /* lmdb.h: the tables that every environment has */
#define MAIN_DBI 1
#define FIRST_PAGE 2 /* behind both meta pages */

struct look {
	struct index *ix;
	MDB_txn *t;
	enum index_db d;
	size_t page_bytes;
	struct ix_sums found; /* what was walked */
	struct ix_sum *at;    /* that of the table being walked */
	struct ix_sums kept;  /* what meta says */
	uint64_t pages;	      /* that trees and the list of free pages account for */
	uint64_t last_page;
	uintptr_t map;	      /* where the file begins in memory; 0 = not known yet */
	uint8_t *used;	      /* a bit for each page that rows stand in */
	const char *what;
};

static int
bad(struct look *k, const char *what)
{
	k->what = what;
	return KV_BROKEN;
}

static int
count_pages(struct look *k, MDB_dbi d, uint64_t *entries)
{
	MDB_stat st;
	int r = mdb_stat(k->t, d, &st);

	if (r != 0)
		return r;
	k->pages += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
	k->page_bytes = st.ms_psize;
	*entries = st.ms_entries;
	return 0;
}

static struct ix_sum *
add_sum(struct ix_sums *to, const char *name)
{
	struct ix_sum *s;

	if (!mem_grow(&to->v, &to->cap, to->n, sizeof(*to->v)))
		return NULL;
	s = &to->v[to->n++];
	*s = (struct ix_sum){.sum = {0}};
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

/* The table's own sum; rows: the name in front of the key. */
static struct ix_sum *
sum_for(struct look *k, struct slice key)
{
	char name[SUM_NAME];
	const uint8_t *end = k->d == DB_ROWS ? memchr(key.p, 0, key.n) : NULL;

	if (k->d == DB_ROWS && (end == NULL || end - key.p > STORE_TABLE_MAX))
		return NULL;
	if (end != NULL)
		snprintf(name, sizeof(name), "%s/%s", ix_name(k->d), (const char *)key.p);
	else
		snprintf(name, sizeof(name), "%s", ix_name(k->d));
	if (k->at == NULL || strcmp(k->at->name, name) != 0)
		k->at = add_sum(&k->found, name);
	return k->at;
}

/* meta: the sums are what all others are held against. */
static int
note_meta(struct look *k, struct slice key, struct slice value)
{
	char name[SUM_NAME];
	struct cur c = cur_from(value);
	struct ix_sum *s;

	if (key.n <= strlen(SUM_KEY) || memcmp(key.p, SUM_KEY, strlen(SUM_KEY)) != 0)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(key.n - strlen(SUM_KEY)), (const char *)key.p + strlen(SUM_KEY));
	s = add_sum(&k->kept, name);
	if (s == NULL)
		return ENOMEM;
	s->sum.rows = cur_be64(&c);
	s->sum.total = cur_be64(&c);
	return cur_end(&c, "sum", NULL) == ERR_OK ? 0 : bad(k, "a sum");
}

static int
note_row(struct look *k, const MDB_val *mk, const MDB_val *mv)
{
	struct slice key = slice_of(mk->mv_data, mk->mv_size), value = {0};
	struct ix_sum *s;
	uint64_t check = 0;

	if (kv_open_row(mk, mv, &value, &check) != 0)
		return bad(k, "a row has not its check");
	if (k->d == DB_META)
		return note_meta(k, key, value);
	s = sum_for(k, key);
	if (s == NULL)
		return bad(k, "a row of no table");
	row_sum_add(&s->sum, check);
	return 0;
}

/* A look-up of the key leads to where the walk found it. */
static int
found_there(struct look *k, MDB_val key, const MDB_val *v)
{
	MDB_val got;
	int r = mdb_get(k->t, k->ix->db[k->d], &key, &got);

	if (r != 0 && r != MDB_NOTFOUND)
		return r;
	return r == 0 && got.mv_data == v->mv_data && got.mv_size == v->mv_size ? 0
									       : bad(k, "a key is not found where it stands");
}

static uintptr_t
page_of(const struct look *k, const MDB_val *v)
{
	return (uintptr_t)v->mv_data / k->page_bytes * k->page_bytes;
}

/* LMDB writes a page's number at its beginning, and frees by that number what it replaces. */
static int
note_page(struct look *k, uintptr_t page)
{
	size_t number;

	memcpy(&number, (const void *)page, sizeof(number));
	if (k->map == 0)
		k->map = page - number * k->page_bytes;
	if (number > k->last_page || page - k->map != number * k->page_bytes)
		return bad(k, "a page has another's number");
	if ((k->used[number / 8] >> number % 8 & 1) != 0)
		return bad(k, "a page is in two places");
	k->used[number / 8] |= (uint8_t)(1u << number % 8);
	return 0;
}

struct stand {
	MDB_val key, v;
};

/* The first row of a page. */
static int
new_page(struct look *k, const struct stand *last, const struct stand *now)
{
	int r = note_page(k, page_of(k, &now->key));

	/* Between the first and the last key of a page all others are found too: both are enough. */
	if (r == 0 && last->key.mv_data != NULL)
		r = found_there(k, last->key, &last->v);
	return r == 0 ? found_there(k, now->key, &now->v) : r;
}

static int
walk_rows(struct look *k, MDB_cursor *c, uint64_t *n)
{
	struct stand now, last = {{0, NULL}, {0, NULL}};
	int r = mdb_cursor_get(c, &now.key, &now.v, MDB_FIRST), x = 0;

	for (; r == 0; r = mdb_cursor_get(c, &now.key, &now.v, MDB_NEXT)) {
		if (last.key.mv_data != NULL && slice_cmp(slice_of(last.key.mv_data, last.key.mv_size),
						    slice_of(now.key.mv_data, now.key.mv_size)) >= 0)
			return bad(k, "keys do not ascend");
		x = note_row(k, &now.key, &now.v);
		if (x == 0 && (last.key.mv_data == NULL || page_of(k, &last.key) != page_of(k, &now.key)))
			x = new_page(k, &last, &now);
		if (x == 0 && page_of(k, &now.v) != page_of(k, &now.key))
			x = note_page(k, page_of(k, &now.v)); /* a long value has pages of its own */
		if (x != 0)
			return x;
		last = now;
		(*n)++;
	}
	if (r == MDB_NOTFOUND && last.key.mv_data != NULL)
		return found_there(k, last.key, &last.v);
	return r == MDB_NOTFOUND ? 0 : r;
}

static int
check_table(void *ctx)
{
	struct look *k = ctx;
	MDB_cursor *c = NULL;
	MDB_dbi d = k->ix->db[k->d];
	unsigned flags = 0;
	uint64_t entries = 0, n = 0;
	int r = mdb_dbi_flags(k->t, d, &flags);

	if (r == 0 && flags != 0)
		return bad(k, "a table's flags");
	if (r == 0)
		r = count_pages(k, d, &entries);
	if (r == 0)
		r = mdb_cursor_open(k->t, d, &c);
	if (r == 0)
		r = walk_rows(k, c, &n);
	if (c != NULL && r != KV_BROKEN)
		mdb_cursor_close(c);
	return r == 0 && n != entries ? bad(k, "a table has not the number of rows that it says") : r;
}

/* One entry of the list of free pages: their number, then each, descending. */
static int
free_entry(struct look *k, const MDB_val *v)
{
	size_t n = 0, i, page, above = (size_t)k->last_page + 1;
	const uint8_t *p = v->mv_data;

	if (v->mv_size < sizeof(n))
		return bad(k, "the list of free pages");
	memcpy(&n, p, sizeof(n));
	if (n > k->last_page || v->mv_size < (n + 1) * sizeof(n))
		return bad(k, "the list of free pages");
	for (i = 1; i <= n; i++, above = page) {
		memcpy(&page, p + i * sizeof(page), sizeof(page));
		if (page >= above || page < FIRST_PAGE || (k->used[page / 8] >> page % 8 & 1) != 0)
			return bad(k, "the list of free pages");
	}
	k->pages += n;
	return 0;
}

/* No page is in a tree and free; all of them together are no more than there are. */
static int
check_pages(void *ctx)
{
	struct look *k = ctx;
	MDB_cursor *c = NULL;
	MDB_envinfo info;
	MDB_val key, v;
	uint64_t entries = 0, tables = 0;
	int r = count_pages(k, MAIN_DBI, &tables);

	if (r == 0 && tables != INDEX_DBS)
		return bad(k, "tables");
	if (r == 0)
		r = count_pages(k, FREE_DBI, &entries);
	if (r == 0)
		r = mdb_cursor_open(k->t, FREE_DBI, &c);
	if (r == 0)
		r = mdb_cursor_get(c, &key, &v, MDB_FIRST);
	for (; r == 0; r = mdb_cursor_get(c, &key, &v, MDB_NEXT))
		if (free_entry(k, &v) != 0)
			return KV_BROKEN;
	if (c != NULL)
		mdb_cursor_close(c);
	if (r == MDB_NOTFOUND)
		r = mdb_env_info(k->ix->kv.env, &info);
	if (r != 0 || info.me_last_txnid != mdb_txn_id(k->t))
		return r; /* a writer has been there: its count is of another state */
	return k->pages + FIRST_PAGE <= k->last_page + 1 ? 0 : bad(k, "more pages than there are");
}

static const struct row_sum *
find_sum(const struct ix_sums *in, const char *name)
{
	static const struct row_sum none;
	size_t i;

	for (i = 0; i < in->n; i++)
		if (strcmp(in->v[i].name, name) == 0)
			return &in->v[i].sum;
	return &none;
}

static enum err_code
compare_sums(const struct ix_sums *a, const struct look *k, struct err *e)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		const struct row_sum *f = find_sum(&k->found, a->v[i].name), *w = find_sum(&k->kept, a->v[i].name);

		if (f->rows != w->rows || f->total != w->total)
			return err_set(e, ERR_DAMAGED, "index: %s: %" PRIu64 " rows, not the %" PRIu64 " that were written",
			    a->v[i].name, f->rows, w->rows);
	}
	return ERR_OK;
}

/* Groups are counted from 1 and none goes: the last one's number is how many there are. */
static enum err_code
check_last_group(struct look *k, struct err *e)
{
	struct index_last last;
	enum err_code r = ix_last_in(k->ix, k->t, &last, NULL, e);

	if (r == ERR_OK && last.group != find_sum(&k->kept, ix_name(DB_GROUPS))->rows)
		return err_set(e, ERR_DAMAGED, "index: the last group is not the last");
	return r;
}

static enum err_code
step(struct look *k, int (*call)(void *ctx), struct err *e)
{
	int r = k->ix->kv.broken ? KV_BROKEN : guarded(call, k);

	if (r != KV_BROKEN)
		return r == 0 ? ERR_OK : kv_err(e, r, "index");
	k->ix->kv.broken = true;
	return err_set(e, ERR_DAMAGED, "index: %s: %s", ix_name(k->d), k->what != NULL ? k->what : "a page that can't be read");
}

static enum err_code
check_all(struct look *k, struct err *e)
{
	enum err_code r = ERR_OK;
	int d;

	for (d = 0; r == ERR_OK && d < INDEX_DBS; d++) {
		k->d = (enum index_db)d;
		k->at = NULL;
		r = step(k, check_table, e);
	}
	if (r == ERR_OK)
		r = step(k, check_pages, e);
	if (r == ERR_OK)
		r = compare_sums(&k->found, k, e);
	if (r == ERR_OK)
		r = compare_sums(&k->kept, k, e);
	return r == ERR_OK ? check_last_group(k, e) : r;
}

static void
look_auto(struct look *k)
{
	ix_sums_auto(&k->found);
	ix_sums_auto(&k->kept);
	free(k->used);
}

enum err_code
index_check(struct index *ix, struct err *e)
{
	AUTO(txn) MDB_txn *t = NULL;
	AUTO(look) struct look k = {.ix = ix};
	struct err why = {0};
	MDB_envinfo info;
	enum err_code r = kv_begin(&ix->kv, false, &t, &why);

	if (r != ERR_OK || mdb_env_info(ix->kv.env, &info) != 0)
		return err_set(e, r != ERR_OK ? r : ERR_DAMAGED, "%s", why.text);
	k.t = t;
	k.last_page = info.me_last_pgno;
	if (k.last_page > index_bytes(ix) / FIRST_PAGE)
		return err_set(e, ERR_DAMAGED, "index: more pages than its file holds");
	k.used = mem_new(1, (size_t)k.last_page / 8 + 1);
	if (k.used == NULL)
		return err_nomem(e);
	r = check_all(&k, &why);
	ix->kv.broken |= r == ERR_DAMAGED || r == ERR_FORMAT;
	return r == ERR_OK || r == ERR_NOMEM ? r : err_set(e, ERR_DAMAGED, "%s", why.text);
}
