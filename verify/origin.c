/* SPDX-License-Identifier: MIT */
/*
 * From what is hashed back to the nodes of the signature file. Nodes of the
 * file itself are what they are. Canonical form that is parsed again on the way
 * is matched with the nodes that it was written from: the n-th element is the
 * n-th element of the set, text lies at the same place in the text of the whole.
 * Where that fails, what is hashed stands for no node.
 */
#include "verify/xades_int.h"

#include <stdlib.h>
#include <string.h>

#define PASSED UINT32_MAX /* a comment: neither in nor out */

void
origin_release(struct origin *o)
{
	trace_release(&o->from);
	free(o->to);
	*o = (struct origin){0};
}

void
origin_move(struct origin *from, struct origin *to)
{
	*to = *from;
	*from = (struct origin){0};
}

/* The run that number lies in, NULL if none. */
static const struct cover_range *
run_of(const struct trace *t, size_t number)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->n && t->v[low].first <= number ? &t->v[low] : NULL;
}

/* ---- two trees, one canonical form ---- */

/* Elements, PIs and text of a set in document order; comments are stopped at too. */
struct walk {
	const xmlNode *root, *at;
	const struct trace *in; /* NULL: all */
	bool begun;
};

static bool
walk_has(const struct walk *w, const xmlNode *n)
{
	return w->in == NULL || run_of(w->in, number_of(n)) != NULL;
}

static const xmlNode *
walk_next(struct walk *w)
{
	do {
		w->at = w->begun ? node_after(w->root, w->at) : w->root;
		w->begun = true;
	} while (w->at != NULL && !walk_has(w, w->at));
	return w->at;
}

static bool
is_text(const xmlNode *n)
{
	return n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;
}

static bool
same_text(const xmlChar *a, const xmlChar *b)
{
	return strcmp(a != NULL ? (const char *)a : "", b != NULL ? (const char *)b : "") == 0;
}

static bool
same_name(const xmlNode *a, const xmlNode *b)
{
	return a->type == b->type && same_text(a->name, b->name) &&
	    (a->type != XML_ELEMENT_NODE || same_text(a->ns != NULL ? a->ns->href : NULL, b->ns != NULL ? b->ns->href : NULL));
}

static const xmlAttr *
same_attribute(const xmlNode *n, const xmlAttr *a)
{
	const xmlAttr *b;

	for (b = n->properties; b != NULL; b = b->next)
		if (same_text(a->name, b->name) && same_text(a->ns != NULL ? a->ns->href : NULL, b->ns != NULL ? b->ns->href : NULL))
			return b;
	return NULL;
}

struct match {
	struct origin *o;
	struct walk set, markup, text; /* the set; what was parsed again, once for elements and PIs, once for text */
	const xmlNode *outermost;      /* of the set: text outside of it is nothing to a parser */
	size_t outer_last;
	const xmlNode *in_text;
	size_t left; /* octets of in_text that are not matched yet */
};

static void
match_put(struct match *m, const xmlNode *n, uint32_t number)
{
	m->o->to[number_of(n) - m->o->first] = number;
}

static bool
match_markup(struct match *m, const xmlNode *n)
{
	const xmlNode *b;
	const xmlAttr *a;

	do
		b = walk_next(&m->markup);
	while (b != NULL && b->type != XML_ELEMENT_NODE && b->type != XML_PI_NODE);
	if (b == NULL || !same_name(n, b))
		return false;
	match_put(m, n, (uint32_t)number_of(b));
	for (a = n->type == XML_ELEMENT_NODE ? n->properties : NULL; a != NULL; a = a->next) {
		const xmlAttr *is = same_attribute(b, a);

		if (is != NULL)
			match_put(m, (const xmlNode *)a, (uint32_t)number_of((const xmlNode *)is));
	}
	return true;
}

/* Neighbours in the set are one text when they are parsed again, never the other way round. */
static bool
match_text(struct match *m, const xmlNode *n)
{
	size_t octets = n->content != NULL ? strlen((const char *)n->content) : 0;

	if (octets == 0)
		return true;
	while (m->left == 0) {
		do
			m->in_text = walk_next(&m->text);
		while (m->in_text != NULL && !is_text(m->in_text));
		if (m->in_text == NULL)
			return false;
		m->left = m->in_text->content != NULL ? strlen((const char *)m->in_text->content) : 0;
	}
	if (octets > m->left)
		return false;
	m->left -= octets;
	match_put(m, n, (uint32_t)number_of(m->in_text));
	return true;
}

static bool
match_node(struct match *m, const struct numbering *numbers, const xmlNode *n)
{
	size_t number = number_of(n);

	if (n->type == XML_COMMENT_NODE)
		match_put(m, n, PASSED);
	if (n->type == XML_ELEMENT_NODE && m->outermost == NULL) {
		m->outermost = n;
		m->outer_last = numbers->last[number];
	}
	if (n->type == XML_ELEMENT_NODE || n->type == XML_PI_NODE)
		return match_markup(m, n);
	if (is_text(n) && m->outermost != NULL && number <= m->outer_last)
		return match_text(m, n);
	return true;
}

/* Nothing may be left over: then it is not what was written. */
static bool
match_ended(struct match *m)
{
	const xmlNode *b;

	while ((b = walk_next(&m->markup)) != NULL)
		if (b->type == XML_ELEMENT_NODE || b->type == XML_PI_NODE)
			return false;
	while (m->left == 0 && (b = walk_next(&m->text)) != NULL)
		if (is_text(b) && b->content != NULL && *b->content != '\0')
			return false;
	return m->left == 0;
}

/* io->origin.to, if it can be had: afterwards it is NULL or tells all. */
static enum err_code
match_make(struct run *r, struct data *io, struct err *e)
{
	struct origin *o = &io->origin;
	const struct numbering *numbers = &state_of(r->d)->numbers;
	const xmlNode *again = (const xmlNode *)io->nodes.doc, *n;
	struct match m = {.o = o, .set = {.root = o->top, .in = &o->from}, .markup = {.root = again}, .text = {.root = again}};
	bool same = true;

	if (o->tried || o->made != OF_NODES)
		return ERR_OK;
	if (numbering_make(io->nodes.doc, io->numbers, e) != ERR_OK)
		return err_wrap(e, "parsed again");
	o->tried = true;
	o->first = number_of(o->top);
	o->n_to = numbers->last[o->first] - o->first + 1;
	o->to = mem_new(o->n_to, sizeof(*o->to));
	if (o->to == NULL)
		return err_nomem(e);
	while (same && (n = walk_next(&m.set)) != NULL)
		same = match_node(&m, numbers, n);
	if (!same || !match_ended(&m)) {
		free(o->to);
		o->to = NULL;
	}
	return ERR_OK;
}

/* ---- back ---- */

/* Does seen have all nodes of the document, comments apart? */
static bool
is_all(const struct data *io, const struct trace *seen)
{
	const xmlNode *n;

	for (n = io->nodes.doc->children; n != NULL; n = n->next) {
		const struct cover_range *run;

		if (n->type == XML_COMMENT_NODE)
			continue;
		run = run_of(seen, number_of(n));
		if (run == NULL || run->last < io->numbers->last[number_of(n)])
			return false;
	}
	return true;
}

static void
trace_add(struct trace *to, const struct trace *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		trace_put(to, from->v[i].first, from->v[i].last);
}

/* Of what the document was parsed from, the nodes that became one that was seen. */
static void
trace_back(const struct origin *o, const struct trace *seen, struct trace *out)
{
	size_t i, k;

	for (i = 0; i < o->from.n; i++)
		for (k = o->from.v[i].first; k <= o->from.v[i].last; k++) {
			uint32_t to = o->to[k - o->first];

			if (to == PASSED)
				trace_pass(out, k);
			else if (to != 0 && run_of(seen, to) != NULL)
				trace_put(out, k, k);
		}
}

/* What of the signature file seen stands for, into out. *known false: it can't be said; *whole: all that io's origin says. */
static enum err_code
back(struct run *r, struct data *io, const struct trace *seen, struct trace *out, bool *known, bool *whole, struct err *e)
{
	*whole = false;
	*known = io->nodes.doc == r->d->dom;
	if (*known) {
		trace_add(out, seen);
		return trace_ok(out, e);
	}
	if (numbering_make(io->nodes.doc, io->numbers, e) != ERR_OK)
		return err_wrap(e, "cover");
	*whole = is_all(io, seen);
	if (*whole) {
		*known = io->origin.made != OF_UNKNOWN;
		trace_add(out, &io->origin.from);
		return trace_ok(out, e);
	}
	if (match_make(r, io, e) != ERR_OK)
		return err_wrap(e, "cover");
	*known = io->origin.to != NULL;
	if (*known)
		trace_back(&io->origin, seen, out);
	return trace_ok(out, e);
}

/* More pieces than may be kept is a fault of the reference, no memory is ours. */
static enum err_code
as_limit(struct run *r, enum err_code rc, struct err *e)
{
	return rc == ERR_LIMIT ? run_fault(r, REF_LIMIT, "%.200s", e->text) : rc;
}

/* A file whose data are all in: whole only if nobody read it on the way. */
static enum err_code
all_of_file(struct gather *g, const struct data *io, struct err *e)
{
	if (io->read == READ_NOT)
		return gather_file(g, io->file, e);
	g->content = true;
	return ERR_OK;
}

static void
came_from(struct gather *g, const struct data *io)
{
	g->outside = g->outside || io->outside;
	g->read = io->read > g->read ? io->read : g->read;
}

enum err_code
origin_nodes(struct run *r, struct data *io, const struct trace *seen, struct err *e)
{
	struct err own = {0};
	bool known, whole;
	enum err_code rc = back(r, io, seen, &r->gather->nodes, &known, &whole, &own);

	came_from(r->gather, io);
	if (rc == ERR_OK && whole && io->file != NULL)
		return all_of_file(r->gather, io, e);
	if (rc == ERR_OK && !known)
		r->gather->rest = true;
	if (rc != ERR_OK && e != NULL)
		*e = own;
	return as_limit(r, rc, &own);
}

enum err_code
origin_octets(struct run *r, const struct data *io, struct err *e)
{
	came_from(r->gather, io);
	if (io->file != NULL)
		return all_of_file(r->gather, io, e);
	if (io->origin.made == OF_UNKNOWN)
		r->gather->rest = true;
	trace_add(&r->gather->nodes, &io->origin.from);
	return as_limit(r, trace_ok(&r->gather->nodes, e), e);
}

enum err_code
origin_of(struct run *r, struct data *io, const struct trace *seen, enum made_of made, struct data *next, struct err *e)
{
	struct origin *o = &next->origin;
	bool known, whole;

	o->from.max = state_of(r->d)->ranges_left;
	if (back(r, io, seen, &o->from, &known, &whole, e) != ERR_OK)
		return err_wrap(e, "cover");
	if (whole)
		next->file = io->file;
	o->top = io->nodes.doc == r->d->dom ? io->nodes.apex : io->origin.top;
	o->made = !known ? OF_UNKNOWN : io->origin.made == OF_TEXT ? OF_TEXT : made;
	return ERR_OK;
}

static const xmlNode *
node_at(const xmlNode *root, const struct numbering *numbers, size_t number)
{
	const xmlNode *n = root;

	while (n != NULL && number_of(n) != number) {
		if (number > numbers->last[number_of(n)])
			n = n->next;
		else
			n = n->children;
	}
	return n;
}

enum err_code
origin_find(struct run *r, struct data *io, const xmlNode *node, const xmlNode **out, struct err *e)
{
	const struct origin *o = &io->origin;
	uint32_t to = 0;

	*out = NULL;
	if (io->nodes.doc == r->d->dom) {
		*out = node;
		return ERR_OK;
	}
	if (match_make(r, io, e) != ERR_OK)
		return err_wrap(e, "parsed again");
	if (o->to != NULL && number_of(node) >= o->first && number_of(node) - o->first < o->n_to)
		to = o->to[number_of(node) - o->first];
	if (to != 0)
		*out = node_at((const xmlNode *)io->nodes.doc, io->numbers, to);
	return ERR_OK;
}
