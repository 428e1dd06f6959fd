/* SPDX-License-Identifier: MIT */
/* Several catalogues over decades, an operator's own on top, and what a new one changes (crypto-policy 2.5). */
#include "policy/catalogue_int.h"

#include <stdlib.h>
#include <string.h>

/* The key and the digest of a suite are both listed: a newer catalogue that combines them has an answer of its own. */
static bool
combines(const struct catalogue *c, const struct cat_row *suite)
{
	const struct cat_row key = {.kind = CAT_KEY, .key = suite->key};
	const struct cat_row digest = {.kind = CAT_DIGEST, .digest = suite->digest};

	return suite->kind == CAT_SUITE && cat_find(c, &key) != NULL && cat_find(c, &digest) != NULL;
}

static bool
answers(const struct catalogue *c, const struct cat_row *row)
{
	return cat_find(c, row) != NULL || combines(c, row);
}

static void
add_missing(struct cat_maker *m, const struct catalogue *const *sorted, size_t n, size_t from)
{
	const struct catalogue *c = sorted[from];
	size_t i, later;

	for (i = 0; i < c->n; i++) {
		struct cat_row r = c->rows[i];

		for (later = from + 1; later < n && !answers(sorted[later], &r); later++)
			;
		if (later < n)
			continue; /* a newer one speaks of it */
		if (r.end_utc > sorted[from + 1]->issued_utc)
			r.end_utc = sorted[from + 1]->issued_utc;
		cat_add(m, &r);
	}
}

static int
by_issue(const void *a, const void *b)
{
	const struct catalogue *x = *(const struct catalogue *const *)a, *y = *(const struct catalogue *const *)b;

	if (x->issued_utc != y->issued_utc)
		return x->issued_utc < y->issued_utc ? -1 : 1;
	return memcmp(x->digest.octets, y->digest.octets, sizeof(x->digest.octets));
}

enum err_code
catalogue_effective(const struct catalogue *const *list, size_t n, struct catalogue **out, struct err *e)
{
	AUTO(cat_maker) struct cat_maker m = {0};
	AUTO(mem) const struct catalogue **sorted = NULL;
	size_t i, k;

	if (n == 0)
		return err_set(e, ERR_USAGE, "no catalogue");
	sorted = mem_new(n, sizeof(*sorted));
	if (sorted == NULL)
		return err_nomem(e);
	memcpy(sorted, list, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_issue);
	for (i = 0; i < sorted[n - 1]->n; i++)
		cat_add(&m, &sorted[n - 1]->rows[i]);
	for (k = n - 1; k-- > 0;)
		add_missing(&m, sorted, n, k);
	return cat_finish(&m, sorted[n - 1]->name, sorted[n - 1]->issued_utc, sorted[n - 1]->next_update_utc, NULL, out, e);
}

enum err_code
catalogue_replaces(
    const struct catalogue *c, const struct catalogue *current, int64_t now_utc, bool force, struct err *e)
{
	char new[TIME_TEXT], old[TIME_TEXT];

	time_text(c->issued_utc, new);
	if (c->issued_utc > now_utc)
		return err_set(e, ERR_REFUSED, "catalogue %.60s is issued in the future, %s", c->name, new);
	if (force || current == NULL || c->issued_utc > current->issued_utc || digest_eq(&c->digest, &current->digest))
		return ERR_OK;
	time_text(current->issued_utc, old);
	return err_set(e, ERR_REFUSED, "catalogue %.60s of %s is not newer than the one in force, of %s", c->name, new, old);
}

/* ---- comparing two catalogues on every size and use that either of them knows ---- */

static void
use_of_row(const struct cat_row *r, struct alg_use *use)
{
	*use = (struct alg_use){.is_signature = r->kind != CAT_DIGEST, .key = r->key, .digest = r->digest};
	/* A key alone is asked about with a digest that never ends first. */
	if (r->kind == CAT_KEY && r->key != KEY_ED25519 && r->key != KEY_ED448)
		use->digest = DIGEST_SHA512;
	if (use->key == KEY_RSA_PSS)
		use->mgf = use->digest;
}

static unsigned
row_bits(const struct cat_row *r)
{
	unsigned a = r->size[SIZE_MODULUS].min, b = r->size[SIZE_P].min;

	if (r->key == KEY_ECDSA || r->key == KEY_PLAIN_ECDSA)
		b = b > r->size[SIZE_Q].min ? b : r->size[SIZE_Q].min;
	return a > b ? a : b;
}

/* Calls f for each use, at each threshold of size, that c lists. */
typedef void each_fn(const struct alg_use *use, void *ctx);
static void
each_use(const struct catalogue *c, each_fn *f, void *ctx)
{
	struct alg_use use;
	size_t i;
	int usage;

	for (i = 0; i < c->n; i++) {
		const struct cat_row *r = &c->rows[i];

		if (r->kind == CAT_OTHER || r->never)
			continue;
		use_of_row(r, &use);
		use.key_bits = row_bits(r);
		use.q_bits = r->size[SIZE_Q].min;
		for (usage = USE_DATA; usage <= USE_TIMESTAMPS; usage++) {
			use.usage = (enum alg_usage)usage;
			f(&use, ctx);
		}
	}
}

struct diff {
	const struct catalogue *older, *newer;
	struct buf *out;
};

static void
diff_use(const struct alg_use *use, void *ctx)
{
	struct diff *d = ctx;
	int64_t a = catalogue_end(d->older, use), b = catalogue_end(d->newer, use);
	char name[96], from[TIME_TEXT], to[TIME_TEXT];
	AUTO(buf) struct buf line = {0};

	if (a == b)
		return;
	alg_text(use, name, sizeof(name));
	time_text(a, from);
	time_text(b, to);
	buf_addf(&line, "%s %s: %s -> %s\n", a == TIME_NONE ? "new" : b == TIME_NONE ? "removed" : b < a ? "earlier" : "later",
	    name, from, to);
	/* Several rows and usages may say the same thing. */
	if (strstr(buf_str(d->out), buf_str(&line)) == NULL)
		buf_addslice(d->out, buf_slice(&line));
}

void
catalogue_diff(const struct catalogue *older, const struct catalogue *newer, struct buf *out)
{
	struct diff d = {.older = older, .newer = newer, .out = out};

	each_use(newer, diff_use, &d);
	each_use(older, diff_use, &d);
}

/* ---- overlay ---- */

struct looser {
	const struct catalogue *base, *over;
	bool any;
	char what[96];
};

static void
looser_use(const struct alg_use *use, void *ctx)
{
	struct looser *l = ctx;
	struct alg_verdict v;
	int64_t a = catalogue_end(l->base, use), b = catalogue_end(l->over, use);

	catalogue_check(l->over, use, l->base->issued_utc, false, &v);
	if (l->any || b == TIME_NONE || b <= a || v.overlay_reason != NULL)
		return;
	l->any = true;
	alg_text(use, l->what, sizeof(l->what));
}

enum err_code
catalogue_overlay(const struct catalogue *base, const struct catalogue *over, struct catalogue **out, struct err *e)
{
	AUTO(cat_maker) struct cat_maker m = {0};
	AUTO(catalogue) struct catalogue *c = NULL;
	AUTO(mem) char *name = NULL;
	struct looser l = {.base = base};
	size_t i;

	for (i = 0; i < over->n; i++) {
		struct cat_row r = over->rows[i];

		r.overlaid = true;
		cat_add(&m, &r);
	}
	for (i = 0; i < base->n; i++)
		if (cat_find(over, &base->rows[i]) == NULL)
			cat_add(&m, &base->rows[i]);
	name = mem_printf("%s + %s", base->name, over->name);
	if (name == NULL)
		return err_nomem(e);
	if (cat_finish(&m, name, base->issued_utc, base->next_update_utc, NULL, &c, e) != ERR_OK)
		return err_wrap(e, "overlay");
	l.over = c;
	each_use(over, looser_use, &l);
	each_use(base, looser_use, &l);
	if (l.any)
		return err_set(e, ERR_REFUSED, "overlay %s: %s is added or lasts longer than in %s, which needs a reason (Information/Text)",
		    over->name, l.what, base->name);
	*out = TAKE(c);
	return ERR_OK;
}
