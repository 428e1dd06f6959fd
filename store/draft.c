/* SPDX-License-Identifier: MIT */
/*
 * Drafts: batches in memory alone. What waits for others while it is written (a step of a record asks the network between
 * two objects) must not keep the store's one batch open, nor leave octets in the segments' tails meanwhile.
 */
#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

struct drafted {
	enum store_kind kind;
	int year;
	struct buf octets;
};

enum err_code
store_draft_begin(struct store *s, struct batch **out, struct err *e)
{
	struct batch *b;
	enum err_code r = store_may_write(s, e);

	if (r != ERR_OK)
		return r;
	b = mem_new(1, sizeof(*b));
	if (b == NULL)
		return err_nomem(e);
	b->s = s;
	b->draft = true;
	b->g.arena.max_bytes = STORE_BATCH_BYTES + (1u << 20);
	*out = b;
	return ERR_OK;
}

bool
draft_holds(const struct batch *b, const uint8_t sha256[32], enum store_kind kind, int year)
{
	size_t i;

	for (i = 0; i < b->g.n_members; i++)
		if (memcmp(b->g.members[i].ref.sha256, sha256, 32) == 0 &&
		    seg_rank(b->drafted[i].kind, b->drafted[i].year) >= seg_rank(kind, year))
			return true;
	return false;
}

enum err_code
draft_put(struct batch *b, enum store_kind kind, int year, const struct source *from, const struct store_ref *ref, struct err *e)
{
	const struct member m = {.ref = *ref};
	struct drafted d = {.kind = kind, .year = year};
	struct store_ref got;
	enum err_code r;

	if (!mem_grow(&b->drafted, &b->cap_drafted, b->g.n_members, sizeof(*b->drafted)))
		return err_nomem(e);
	r = source_read_all(from, STORE_DRAFT_OBJECT, &d.octets, e);
	if (r == ERR_OK)
		r = store_hash_octets(buf_slice(&d.octets), &got, e);
	if (r == ERR_OK && !ref_eq(&got, ref))
		r = err_set(e, ERR_DAMAGED, "the source changed while it was copied, or is not what was expected");
	if (r == ERR_OK)
		r = group_add_member(&b->g, &m, e);
	if (r == ERR_OK)
		b->drafted[b->g.n_members - 1] = d;
	else
		buf_release(&d.octets);
	return r;
}

void
draft_undo(struct batch *b, size_t objects)
{
	while (b->g.n_members > objects)
		buf_release(&b->drafted[--b->g.n_members].octets);
}

void
draft_free(struct batch *b)
{
	draft_undo(b, 0);
	free(b->drafted);
}

static enum err_code
join_rows(struct batch *to, const struct batch *from, struct err *e)
{
	size_t i;

	for (i = 0; i < from->g.n_rows; i++) {
		const struct row *row = &from->g.rows[i];
		struct slice key = slice_of(from->g.arena.p + row->at, row->key_n);
		struct slice value = slice_of(from->g.arena.p + row->at + row->key_n, row->value_n);
		enum err_code r = batch_add_row(to, key, row->del ? NULL : &value, e);

		if (r != ERR_OK)
			return r;
	}
	return ERR_OK;
}

static enum err_code
join_all(struct batch *to, const struct batch *from, struct err *e)
{
	enum err_code r = batch_usable(to, e);
	size_t i;

	for (i = 0; r == ERR_OK && i < from->g.n_members; i++) {
		const struct drafted *d = &from->drafted[i];

		r = batch_put_hashed(to, d->kind, d->year, buf_slice(&d->octets), &from->g.members[i].ref, e);
	}
	for (i = 0; r == ERR_OK && i < from->g.n_leaves; i++)
		r = batch_add_leaf(to, from->g.leaves[i], e);
	return r == ERR_OK ? join_rows(to, from, e) : r;
}

enum err_code
batch_join(struct batch *to, struct batch **from, struct err *e)
{
	AUTO(batch) struct batch *draft = TAKE(*from);
	struct batch_mark mark = batch_mark(to);
	enum err_code r;

	if (!draft->draft || to->draft || draft->s != to->s)
		return err_set(e, ERR_BUG, "a batch is joined that is no draft");
	r = batch_usable(draft, e);
	if (r == ERR_OK)
		r = join_all(to, draft, e);
	if (r != ERR_OK)
		batch_undo(to, mark);
	return r;
}
