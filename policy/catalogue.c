/* SPDX-License-Identifier: MIT */
#include "policy/catalogue_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

bool
cat_same(const struct cat_row *a, const struct cat_row *b)
{
	if (a->kind != b->kind || a->key != b->key || a->digest != b->digest)
		return false;
	return a->kind != CAT_OTHER || strcmp(a->id, b->id) == 0;
}

const struct cat_row *
cat_find(const struct catalogue *c, const struct cat_row *like)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (cat_same(&c->rows[i], like))
			return &c->rows[i];
	return NULL;
}

static const unsigned validate_bit[] = {
    [USE_DATA] = CU_VALIDATE,
    [USE_CERTIFICATES] = CU_VALIDATE_CERTIFICATES,
    [USE_OCSP] = CU_VALIDATE_OCSP,
    [USE_TIMESTAMPS] = CU_VALIDATE_TIMESTAMPS,
};

/* How closely a row's usages name this use: 3 the use itself, 2 and 1 what its path lies under, 0 a row for all uses, -1 another use's. */
static int
usage_match(const struct cat_row *r, enum alg_usage usage)
{
	if (r->usages == 0)
		return 0;
	if (r->usages & validate_bit[usage])
		return 3;
	if (r->usages & CU_VALIDATE)
		return 2;
	return r->usages & CU_SIGN ? 1 : -1;
}

static bool
size_in(const struct cat_row *r, enum cat_size which, unsigned bits)
{
	unsigned min = r->size[which].min, max = r->size[which].max;

	if (min == 0 && max == 0)
		return true;
	return bits != 0 && bits >= min && (max == 0 || bits <= max);
}

/* RFC 5698 4.5: all parameters of one evaluation hold. The sizes of a use that has no such parameter are 0 and meet no bound. */
static bool
applies(const struct cat_row *r, const struct alg_use *use)
{
	bool rsa = use->key == KEY_RSA || use->key == KEY_RSA_PSS, dsa = use->key == KEY_DSA;
	bool ec = use->key == KEY_ECDSA || use->key == KEY_PLAIN_ECDSA;

	if (r->never)
		return false;
	if (r->kind == CAT_DIGEST)
		rsa = dsa = ec = false;
	return size_in(r, SIZE_MODULUS, rsa ? use->key_bits : 0) && size_in(r, SIZE_P, dsa || ec ? use->key_bits : 0) &&
	    size_in(r, SIZE_Q, dsa ? use->q_bits : ec ? use->key_bits : 0);
}

/* ---- when one algorithm is good: a sorted set of open intervals ---- */

struct span {
	int64_t start, end;
};
struct spans {
	bool listed, applies;
	size_t n;
	struct span v[CAT_SPANS_MAX];
	const char *reason;
};

/* Sort by start (nearly always sorted already), then join what overlaps or touches. */
static void
spans_join(struct spans *s)
{
	size_t i, k, to = 0;

	for (i = 1; i < s->n; i++) {
		struct span v = s->v[i];

		for (k = i; k > 0 && s->v[k - 1].start > v.start; k--)
			s->v[k] = s->v[k - 1];
		s->v[k] = v;
	}
	for (i = 1; i < s->n; i++) {
		if (s->v[i].start > s->v[to].end)
			s->v[++to] = s->v[i];
		else if (s->v[i].end > s->v[to].end)
			s->v[to].end = s->v[i].end;
	}
	s->n = s->n == 0 ? 0 : to + 1;
}

/* An empty set. The array behind n is left as it is: a verdict asks hundreds of times. */
static void
spans_empty(struct spans *s)
{
	s->listed = s->applies = false;
	s->n = 0;
	s->reason = NULL;
}

static void
spans_add(struct spans *s, const struct cat_row *r)
{
	s->applies = true;
	if (s->reason == NULL && r->overlaid)
		s->reason = r->note;
	if (r->start_utc < r->end_utc && s->n < CAT_SPANS_MAX)
		s->v[s->n++] = (struct span){r->start_utc, r->end_utc};
}

/* Of the rows of one algorithm those whose usage is named most closely; of these the ones that apply. */
static void
spans_of(const struct catalogue *c, enum cat_kind kind, enum key_kind key, enum digest_alg digest,
    const struct alg_use *use, struct spans *out)
{
	const struct cat_row like = {.kind = kind, .key = key, .digest = digest};
	int best = 0;
	size_t i;

	spans_empty(out);
	for (i = 0; i < c->n; i++) {
		const struct cat_row *r = &c->rows[i];
		int match;

		if (!cat_same(r, &like))
			continue;
		match = usage_match(r, use->usage);
		if (match > best) {
			spans_empty(out);
			best = match;
		}
		out->listed = true;
		if (match == best && applies(r, use))
			spans_add(out, r);
	}
	spans_join(out);
}

/* Good iff both are good. What does not fit is left out, which refuses. */
static void
spans_cut(const struct spans *a, const struct spans *b, struct spans *out)
{
	size_t i = 0, j = 0;

	out->listed = a->listed && b->listed;
	out->applies = a->applies && b->applies;
	out->reason = a->reason != NULL ? a->reason : b->reason;
	out->n = 0;
	while (i < a->n && j < b->n) {
		int64_t start = a->v[i].start > b->v[j].start ? a->v[i].start : b->v[j].start;
		int64_t end = a->v[i].end < b->v[j].end ? a->v[i].end : b->v[j].end;

		if (start < end && out->n < CAT_SPANS_MAX)
			out->v[out->n++] = (struct span){start, end};
		if (a->v[i].end < b->v[j].end)
			i++;
		else
			j++;
	}
}

static bool
supported(const struct alg_use *use)
{
	if (!use->is_signature)
		return digest_row(use->digest) != NULL;
	if (use->key == KEY_UNKNOWN || use->key >= KEY_KINDS)
		return false;
	return use->key == KEY_ED25519 || use->key == KEY_ED448 || digest_row(use->digest) != NULL;
}

/* The suite's own rows; without them, the key's rows and the digest's (crypto-policy 2.1 no 3). */
static void
spans_of_signature(const struct catalogue *c, const struct alg_use *use, struct spans *out)
{
	bool whole = use->key == KEY_ED25519 || use->key == KEY_ED448; /* no digest of its own */
	struct spans key, digest;

	spans_of(c, CAT_SUITE, use->key, use->digest, use, out);
	if (out->listed)
		return;
	spans_of(c, CAT_KEY, use->key, DIGEST_NONE, use, whole ? out : &key);
	if (whole)
		return;
	spans_of(c, CAT_DIGEST, KEY_UNKNOWN, use->digest, use, &digest);
	spans_cut(&key, &digest, out);
}

static void
spans_of_use(const struct catalogue *c, const struct alg_use *use, struct spans *out)
{
	struct spans all, mgf;

	if (!use->is_signature) {
		spans_of(c, CAT_DIGEST, KEY_UNKNOWN, use->digest, use, out);
		return;
	}
	if (use->key != KEY_RSA_PSS || use->mgf == DIGEST_NONE || use->mgf == use->digest) {
		spans_of_signature(c, use, out);
		return;
	}
	spans_of_signature(c, use, &all);
	spans_of(c, CAT_DIGEST, KEY_UNKNOWN, use->mgf, use, &mgf);
	spans_cut(&all, &mgf, out);
}

/* ---- questions ---- */

void
catalogue_check(
    const struct catalogue *c, const struct alg_use *use, int64_t t_utc, bool after_update_warns, struct alg_verdict *out)
{
	struct spans s;
	size_t i;

	*out = (struct alg_verdict){.reason = ALG_UNSUPPORTED, .end_utc = TIME_NONE};
	if (!supported(use))
		return;
	spans_of_use(c, use, &s);
	out->overlay_reason = s.reason;
	out->reason = !s.listed ? ALG_UNLISTED : !s.applies ? ALG_TOO_SMALL : ALG_ENDED;
	if (s.n == 0)
		return;
	out->reason = ALG_NOT_YET;
	out->end_utc = s.v[0].end;
	for (i = 0; i < s.n && s.v[i].start < t_utc; i++) {
		out->reason = t_utc < s.v[i].end ? ALG_GOOD : ALG_ENDED;
		out->end_utc = s.v[i].end;
	}
	out->ended_after_update = out->reason == ALG_ENDED && out->end_utc > c->issued_utc;
	out->good = out->reason == ALG_GOOD || (out->ended_after_update && after_update_warns);
}

int64_t
catalogue_end(const struct catalogue *c, const struct alg_use *use)
{
	struct spans s;
	size_t i;

	if (!supported(use))
		return TIME_NONE;
	spans_of_use(c, use, &s);
	/* A gap ends reliability: the interval that holds the catalogue's own date, else the last one (crypto-policy 8). */
	for (i = 0; i < s.n; i++)
		if (s.v[i].start < c->issued_utc && c->issued_utc < s.v[i].end)
			return s.v[i].end;
	return s.n == 0 ? TIME_NONE : s.v[s.n - 1].end;
}

const struct catalogue *
catalogue_builtin(const char *name)
{
	if (strcmp(name, "default") == 0)
		return &cat_default;
	return strcmp(name, "dss") == 0 ? &cat_dss : NULL;
}

const char *
catalogue_name(const struct catalogue *c)
{
	return c->name;
}

int64_t
catalogue_issued(const struct catalogue *c)
{
	return c->issued_utc;
}

int64_t
catalogue_next_update(const struct catalogue *c)
{
	return c->next_update_utc;
}

const struct digest *
catalogue_digest(const struct catalogue *c)
{
	return &c->digest;
}

/* ---- canonical text ---- */

static void
text_row(const struct cat_row *r, struct buf *out)
{
	static const char *const kinds[] = {"digest", "suite", "key", "other"};
	static const char *const sizes[] = {"modulus", "p", "q"};
	const struct digest_row *d = digest_row(r->digest);
	char t[TIME_TEXT];
	unsigned i;

	buf_addf(out, "%s %s%s%s", kinds[r->kind], r->kind == CAT_OTHER ? r->id : "",
	    r->kind == CAT_SUITE || r->kind == CAT_KEY ? key_kind_name(r->key) : "", r->kind == CAT_SUITE ? " with " : "");
	if (d != NULL)
		buf_adds(out, d->name);
	for (i = 0; i < SIZE_COUNT; i++) {
		if (r->size[i].min != 0)
			buf_addf(out, " %s>=%u", sizes[i], r->size[i].min);
		if (r->size[i].max != 0)
			buf_addf(out, " %s<=%u", sizes[i], r->size[i].max);
	}
	if (r->never)
		buf_adds(out, " unmeasured");
	if (r->usages != 0)
		buf_addf(out, " usages=%x", r->usages);
	if (r->start_utc != TIME_NONE) {
		time_text(r->start_utc, t);
		buf_addf(out, " from %s", t);
	}
	time_text(r->end_utc, t);
	buf_addf(out, " until %s", t);
	if (r->recommendation != 0)
		buf_addf(out, " %c", r->recommendation);
	if (r->overlaid)
		buf_addf(out, " because %s", r->note != NULL ? r->note : "-");
	buf_adds(out, "\n");
}

void
catalogue_text(const struct catalogue *c, struct buf *out)
{
	char t[TIME_TEXT];
	size_t i;

	time_text(c->issued_utc, t);
	buf_addf(out, "catalogue %s\nissued %s\n", c->name, t);
	for (i = 0; i < c->n; i++)
		text_row(&c->rows[i], out);
}

/* ---- making and freeing ---- */

static void
rows_free(struct cat_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free((char *)rows[i].id);
		free((char *)rows[i].note);
	}
	free(rows);
}

void
cat_maker_auto(struct cat_maker *m)
{
	rows_free(m->rows, m->n);
	*m = (struct cat_maker){0};
}

void
cat_add(struct cat_maker *m, const struct cat_row *row)
{
	struct cat_row r = *row;

	if (m->failed || m->n >= CAT_ROWS_MAX || !mem_grow(&m->rows, &m->cap, m->n, sizeof(*m->rows))) {
		m->failed = true;
		return;
	}
	r.id = row->id != NULL ? mem_dupstr(row->id) : NULL;
	r.note = row->note != NULL ? mem_dupstr(row->note) : NULL;
	m->failed = (row->id != NULL && r.id == NULL) || (row->note != NULL && r.note == NULL);
	m->rows[m->n++] = r;
}

static enum err_code
set_digest(struct catalogue *c, const struct digest *digest, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	if (digest != NULL) {
		c->digest = *digest;
		return ERR_OK;
	}
	catalogue_text(c, &text);
	if (buf_ok(&text, e) != ERR_OK)
		return err_wrap(e, "catalogue text");
	return digest_once(DIGEST_SHA256, buf_slice(&text), &c->digest, e);
}

enum err_code
cat_finish(struct cat_maker *m, const char *name, int64_t issued_utc, int64_t next_update_utc, const struct digest *digest,
    struct catalogue **out, struct err *e)
{
	AUTO(catalogue) struct catalogue *c = NULL;

	if (m->failed)
		return m->n >= CAT_ROWS_MAX ? err_set(e, ERR_LIMIT, "catalogue of more than %d evaluations", CAT_ROWS_MAX)
					    : err_nomem(e);
	c = mem_new(1, sizeof(*c));
	if (c == NULL)
		return err_nomem(e);
	*c = (struct catalogue){.issued_utc = issued_utc, .next_update_utc = next_update_utc, .owned = true};
	c->rows = TAKE(m->rows);
	c->n = m->n;
	*m = (struct cat_maker){0};
	c->name = mem_dupstr(name);
	if (c->name == NULL)
		return err_nomem(e);
	if (set_digest(c, digest, e) != ERR_OK)
		return err_wrap(e, "catalogue %s", name);
	*out = TAKE(c);
	return ERR_OK;
}

void
catalogue_free(struct catalogue *c)
{
	if (c == NULL || !c->owned)
		return;
	rows_free((struct cat_row *)c->rows, c->n);
	free((char *)c->name);
	free(c);
}

void
catalogue_auto(struct catalogue **c)
{
	catalogue_free(*c);
	*c = NULL;
}
