/* SPDX-License-Identifier: MIT */
/*
 * ASN.1 as a tree: one node changed, the lengths around it made anew. What lies in an OCTET STRING or BIT STRING is part
 * of the tree where it reads as one.
 */
#include "tests/soundness/soundness.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX 20000
struct node {
	uint8_t tag[6];
	size_t n_tag;
	struct slice body; /* of a leaf */
	bool leaf, bits;   /* bits: an octet of unused bits stands before the children */
	unsigned form;	   /* of the length: 0 DER, 1 one octet longer, 2 indefinite */
	size_t *kids, n_kids, cap_kids;
};
struct tree {
	struct node *v;
	size_t n, cap;
	struct buf kept; /* octets of changed leaves */
};

static size_t
new_node(struct tree *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 256 : 2 * t->cap;
		t->v = must(realloc(t->v, t->cap * sizeof(*t->v)));
	}
	memset(&t->v[t->n], 0, sizeof(t->v[0]));
	return t->n++;
}

static void
add_kid(struct tree *t, size_t to, size_t at, size_t kid)
{
	struct node *p = &t->v[to];

	if (p->n_kids == p->cap_kids) {
		p->cap_kids = p->cap_kids == 0 ? 8 : 2 * p->cap_kids;
		p->kids = must(realloc(p->kids, p->cap_kids * sizeof(*p->kids)));
	}
	memmove(p->kids + at + 1, p->kids + at, (p->n_kids - at) * sizeof(*p->kids));
	p->kids[at] = kid;
	p->n_kids++;
}

static void
tree_release(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].kids);
	free(t->v);
	buf_release(&t->kept);
}

/* Tag and definite length at the start of in; 0: not one. */
static size_t
header(struct slice in, size_t *n_tag, size_t *length)
{
	size_t at = 1, n = 0;

	if (in.n < 2 || in.p[0] == 0)
		return 0;
	if ((in.p[0] & 0x1f) == 0x1f)
		while (at < 5 && at < in.n && (in.p[at++] & 0x80) != 0)
			;
	*n_tag = at;
	if (at >= in.n)
		return 0;
	if (in.p[at] < 0x80) {
		*length = in.p[at];
		return at + 1;
	}
	n = in.p[at++] & 0x7f;
	if (n == 0 || n > 4 || at + n > in.n)
		return 0;
	for (*length = 0; n > 0; n--)
		*length = *length << 8 | in.p[at++];
	return at;
}

static bool parse_all(struct tree *t, struct slice in, size_t parent, unsigned depth);

static void
parse_inside(struct tree *t, size_t at, struct slice body, unsigned depth)
{
	bool constructed = (t->v[at].tag[0] & 0x20) != 0, bits = t->v[at].tag[0] == 0x03;
	size_t had = t->n;

	t->v[at].body = body;
	t->v[at].leaf = true;
	if (!constructed && t->v[at].tag[0] != 0x04 && !(bits && body.n > 1 && body.p[0] == 0))
		return;
	if (bits)
		body = slice_of(body.p + 1, body.n - 1);
	if ((constructed || body.n > 1) && parse_all(t, body, at, depth + 1)) {
		t->v[at].leaf = false;
		t->v[at].bits = bits;
		return;
	}
	for (size_t i = had; i < t->n; i++)
		free(t->v[i].kids);
	t->n = had;
	t->v[at].n_kids = 0;
}

static bool
parse_all(struct tree *t, struct slice in, size_t parent, unsigned depth)
{
	while (in.n > 0) {
		size_t n_tag, length, head = header(in, &n_tag, &length), at;

		if (head == 0 || length > in.n - head || depth > 40 || t->n > NODES_MAX)
			return false;
		at = new_node(t);
		t->v[at].n_tag = n_tag;
		memcpy(t->v[at].tag, in.p, n_tag);
		add_kid(t, parent, t->v[parent].n_kids, at);
		parse_inside(t, at, slice_of(in.p + head, length), depth);
		in = slice_of(in.p + head + length, in.n - head - length);
	}
	return true;
}

/* ---- writing ---- */

static void
put_length(struct buf *out, size_t n, unsigned form)
{
	unsigned octets = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x1000000 ? 3 : 4;

	octets += form == 1 && octets < 4;
	if (octets == 0) {
		buf_add8(out, (unsigned)n);
		return;
	}
	buf_add8(out, 0x80 | octets);
	while (octets-- > 0)
		buf_add8(out, n >> (8 * octets) & 0xff);
}

static void
write_node(const struct tree *t, size_t at, struct buf *out)
{
	const struct node *x = &t->v[at];
	AUTO(buf) struct buf in = {0};

	if (x->leaf)
		buf_addslice(&in, x->body);
	if (x->bits)
		buf_add8(&in, 0);
	for (size_t i = 0; !x->leaf && i < x->n_kids; i++)
		write_node(t, x->kids[i], &in);
	buf_add(out, x->tag, x->n_tag);
	if (x->form == 2 && (x->tag[0] & 0x20) != 0) {
		buf_add8(out, 0x80);
		buf_addslice(out, buf_slice(&in));
		buf_add(out, "\0\0", 2);
		return;
	}
	put_length(out, in.n, x->form);
	buf_addslice(out, buf_slice(&in));
}

/* ---- changes ---- */

struct change {
	struct rng *r;
	struct tree *t;
	size_t root, at, parent, place; /* at is kid number place of parent */
	const struct slice *others;
	size_t n_others;
};

static bool
choose(struct change *c)
{
	size_t at = c->root;

	c->at = c->root + 1 + rng_below(c->r, c->t->n - 1);
	for (at = 0; at < c->t->n; at++)
		for (size_t i = 0; i < c->t->v[at].n_kids; i++)
			if (c->t->v[at].kids[i] == c->at) {
				c->parent = at;
				c->place = i;
				return true;
			}
	return false;
}

static bool
within(const struct tree *t, size_t x, size_t apex)
{
	if (x == apex)
		return true;
	for (size_t i = 0; i < t->v[apex].n_kids; i++)
		if (within(t, x, t->v[apex].kids[i]))
			return true;
	return false;
}

static void
take(struct change *c, size_t parent, size_t place)
{
	struct node *p = &c->t->v[parent];

	memmove(p->kids + place, p->kids + place + 1, (p->n_kids - place - 1) * sizeof(*p->kids));
	p->n_kids--;
}

static void
d_drop(struct change *c)
{
	take(c, c->parent, c->place);
}

static void
d_double(struct change *c)
{
	add_kid(c->t, c->parent, c->place, c->at);
}

static void
d_swap(struct change *c)
{
	struct node *p = &c->t->v[c->parent];
	size_t other = rng_below(c->r, p->n_kids), was = p->kids[other];

	p->kids[other] = c->at;
	p->kids[c->place] = was;
}

static void
d_move(struct change *c)
{
	size_t to = c->root + rng_below(c->r, c->t->n);

	if (c->t->v[to].leaf || within(c->t, to, c->at))
		return;
	take(c, c->parent, c->place);
	add_kid(c->t, to, rng_below(c->r, c->t->v[to].n_kids + 1), c->at);
}

/* The leaf's octets as a copy of its own, with room behind. */
static uint8_t *
own_body(struct change *c, size_t more)
{
	struct node *x = &c->t->v[c->at];

	if (!x->leaf)
		x->body = slice_of(NULL, 0);
	uint8_t *copy = must(malloc(x->body.n + more + 1));
	if (x->body.n > 0)
		memcpy(copy, x->body.p, x->body.n);
	memset(copy + x->body.n, 0, more);
	x->body = slice_of(copy, x->body.n + more);
	x->leaf = true;
	return copy; /* lives as long as the process's batch: small, and batches end */
}

static void
d_flip(struct change *c)
{
	struct node *x = &c->t->v[c->at];

	if (!x->leaf || x->body.n == 0)
		return;
	uint8_t *b = own_body(c, 0);
	b[rng_below(c->r, x->body.n)] ^= (uint8_t)(1u << rng_below(c->r, 8));
}

static void
d_cut(struct change *c)
{
	struct node *x = &c->t->v[c->at];

	if (x->leaf)
		x->body.n = rng_below(c->r, x->body.n);
	else if (x->n_kids > 0)
		x->n_kids = rng_below(c->r, x->n_kids);
}

static void
d_grow(struct change *c)
{
	if (c->t->v[c->at].leaf)
		own_body(c, 1 + rng_below(c->r, 4));
}

static void
d_retag(struct change *c)
{
	static const uint8_t tags[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0x81, 0x82,
	    0xa0, 0xa1, 0xa2, 0xa3, 0xa4};

	c->t->v[c->at].tag[0] = tags[rng_below(c->r, sizeof(tags))];
	c->t->v[c->at].n_tag = 1;
}

static void
d_number(struct change *c)
{
	static const char *const values[] = {"\x00", "\x01", "\x02", "\x03", "\x7f", "\xff", "\x80"};
	struct node *x = &c->t->v[c->at];

	if (x->tag[0] != 0x02 && x->tag[0] != 0x0a && x->tag[0] != 0x01)
		return;
	x->leaf = true;
	x->body = slice_of(values[rng_below(c->r, 7)], 1);
}

/* Another digit in a time, at any place but the last. */
static void
d_time(struct change *c)
{
	for (size_t tries = 0; tries < 200; tries++, choose(c)) {
		const struct node *x = &c->t->v[c->at];

		if ((x->tag[0] != 0x17 && x->tag[0] != 0x18) || !x->leaf || x->body.n < 8)
			continue;
		uint8_t *b = own_body(c, 0);
		b[rng_below(c->r, c->t->v[c->at].body.n - 1)] = (uint8_t)('0' + rng_below(c->r, 10));
		return;
	}
}

static void
d_form(struct change *c)
{
	c->t->v[c->at].form = 1 + (unsigned)rng_below(c->r, 2);
}

static size_t
foreign(struct change *c)
{
	struct slice o = c->others[rng_below(c->r, c->n_others)];
	size_t top = new_node(c->t), had = c->t->n;

	c->t->v[top].tag[0] = 0x30;
	c->t->v[top].n_tag = 1;
	if (c->n_others == 0 || !parse_all(c->t, o, top, 1) || c->t->n == had) {
		c->t->v[top].leaf = true;
		return top;
	}
	return had + rng_below(c->r, c->t->n - had);
}

/* A node of another object in the place of this one; of its own tag, if one is found soon. */
static void
d_splice(struct change *c)
{
	uint8_t want = c->t->v[c->at].tag[0];
	size_t x = 0;

	if (c->n_others == 0)
		return;
	for (size_t i = 0; i < 8 && c->t->n < NODES_MAX; i++)
		if (c->t->v[x = foreign(c)].tag[0] == want)
			break;
	c->t->v[c->parent].kids[c->place] = x;
}

static void
d_insert(struct change *c)
{
	if (c->n_others > 0 && c->t->n < NODES_MAX) {
		size_t x = foreign(c);

		add_kid(c->t, c->parent, rng_below(c->r, c->t->v[c->parent].n_kids + 1), x);
	}
}

static const struct {
	const char *name;
	void (*how)(struct change *c);
} CHANGES[] = {{"drop", d_drop}, {"double", d_double}, {"swap", d_swap}, {"move", d_move}, {"flip", d_flip}, {"cut", d_cut},
    {"grow", d_grow}, {"retag", d_retag}, {"number", d_number}, {"time", d_time}, {"form", d_form}, {"splice", d_splice}, {"insert", d_insert}};

void
der_mutate(struct rng *r, struct slice in, const struct slice *others, size_t n_others, struct buf *out, struct buf *told)
{
	struct tree t = {0};
	struct change c = {.r = r, .t = &t, .root = new_node(&t), .others = others, .n_others = n_others};
	size_t changes = rng_one_in(r, 4) ? 2 : 1;

	if (!parse_all(&t, in, c.root, 0) || t.n < 2) {
		buf_addslice(out, in);
		if (out->n > 0)
			out->p[rng_below(r, out->n)] ^= 1;
		buf_adds(told, "octet;");
		tree_release(&t);
		return;
	}
	while (changes-- > 0 && choose(&c)) {
		size_t which = rng_below(r, sizeof(CHANGES) / sizeof(CHANGES[0]));

		CHANGES[which].how(&c);
		buf_addf(told, "der %s at node %zu;", CHANGES[which].name, c.at);
	}
	for (size_t i = 0; i < t.v[c.root].n_kids; i++)
		write_node(&t, t.v[c.root].kids[i], out);
	if (rng_one_in(r, 40))
		buf_add(out, "\5\0", 2);
	tree_release(&t);
}
