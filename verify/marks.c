/* SPDX-License-Identifier: MIT */
#include "verify/c14n.h"

#include <stdlib.h>
#include <string.h>

const xmlNode *
node_after(const xmlNode *root, const xmlNode *n)
{
	if (n->children != NULL && n->type != XML_ENTITY_REF_NODE)
		return n->children;
	for (; n != root; n = n->parent)
		if (n->next != NULL)
			return n->next;
	return NULL;
}

/* The same, and each subtree that ends on the way learns its last number. */
static const xmlNode *
next_numbered(const xmlNode *root, const xmlNode *n, struct numbering *out)
{
	if (n->children != NULL && n->type != XML_ENTITY_REF_NODE)
		return n->children;
	for (;;) {
		out->last[number_of(n)] = (uint32_t)(out->count - 1);
		if (n == root)
			return NULL;
		if (n->next != NULL)
			return n->next;
		n = n->parent;
	}
}

static size_t
count_nodes(const xmlNode *root, bool *comments)
{
	size_t n = 0;
	const xmlNode *at;
	const xmlAttr *a;

	for (at = root; at != NULL; at = node_after(root, at)) {
		n++;
		if (at->type == XML_ELEMENT_NODE)
			for (a = at->properties; a != NULL; a = a->next)
				n++;
		else if (at->type == XML_COMMENT_NODE)
			*comments = true;
	}
	return n;
}

enum err_code
numbering_make(xmlDoc *doc, struct numbering *out, struct err *e)
{
	xmlNode *root = (xmlNode *)doc, *at;
	xmlAttr *a;
	size_t total;
	bool comments = false;

	if (out->doc == doc)
		return ERR_OK;
	numbering_release(out);
	total = count_nodes(root, &comments);
	if (total >= UINT32_MAX - 1)
		return err_set(e, ERR_LIMIT, "more than 2^32 nodes");
	out->last = mem_new(total, sizeof(*out->last));
	out->comments = comments ? mem_new(total / 8 + 1, 1) : NULL;
	if (out->last == NULL || (comments && out->comments == NULL)) {
		numbering_release(out);
		return err_nomem(e);
	}
	out->doc = doc;
	for (at = root; at != NULL; at = (xmlNode *)next_numbered(root, at, out)) {
		if (at->type == XML_COMMENT_NODE)
			out->comments[out->count >> 3] |= (uint8_t)(1u << (out->count & 7));
		at->_private = (void *)(uintptr_t)out->count++;
		if (at->type != XML_ELEMENT_NODE)
			continue;
		for (a = at->properties; a != NULL; a = a->next) {
			a->_private = (void *)(uintptr_t)out->count;
			out->last[out->count] = (uint32_t)out->count;
			out->count++;
		}
	}
	return ERR_OK;
}

void
numbering_release(struct numbering *n)
{
	free(n->last);
	free(n->comments);
	*n = (struct numbering){0};
}

enum err_code
marks_new(const struct numbering *n, struct marks **out, struct err *e)
{
	struct marks *m = mem_new(1, sizeof(*m));

	if (m == NULL)
		return err_nomem(e);
	m->numbering = n;
	m->bits = mem_new(n->count / 8 + 1, 1);
	if (m->bits == NULL) {
		free(m);
		return err_nomem(e);
	}
	*out = m;
	return ERR_OK;
}

void
marks_free(struct marks *m)
{
	if (m == NULL)
		return;
	free(m->bits);
	free(m->bare);
	free(m->ns);
	free(m);
}

void
marks_put_range(struct marks *m, size_t first, size_t last, bool in)
{
	size_t i = first;

	for (; i <= last && (i & 7) != 0; i++)
		marks_put(m, i, in);
	if (i + 7 <= last) {
		size_t whole = (last + 1 - i) / 8;

		memset(m->bits + i / 8, in ? 0xff : 0, whole);
		i += whole * 8;
	}
	for (; i <= last; i++)
		marks_put(m, i, in);
}

static size_t
pair_slot(const struct marks *m, const xmlNode *element, const xmlNs *ns)
{
	uint64_t h = ((uintptr_t)element >> 4) * 0x9e3779b97f4a7c15u ^ ((uintptr_t)ns >> 4) * 0xc2b2ae3d27d4eb4fu;
	size_t i = (size_t)(h >> 20) & (m->cap_ns - 1);

	while (m->ns[i].element != NULL && (m->ns[i].element != element || m->ns[i].ns != ns))
		i = (i + 1) & (m->cap_ns - 1);
	return i;
}

static enum err_code
pairs_grow(struct marks *m, struct err *e)
{
	struct ns_pair *old = m->ns;
	size_t i, cap = m->cap_ns;

	m->ns = mem_new(cap == 0 ? 256 : cap * 2, sizeof(*m->ns));
	if (m->ns == NULL) {
		m->ns = old;
		return err_nomem(e);
	}
	m->cap_ns = cap == 0 ? 256 : cap * 2;
	for (i = 0; i < cap; i++)
		if (old[i].element != NULL)
			m->ns[pair_slot(m, old[i].element, old[i].ns)] = old[i];
	free(old);
	return ERR_OK;
}

enum err_code
marks_put_ns(struct marks *m, const xmlNode *element, const xmlNs *ns, struct err *e)
{
	size_t i;

	if (m->n_ns * 2 >= m->cap_ns && pairs_grow(m, e) != ERR_OK)
		return err_wrap(e, "namespace nodes");
	i = pair_slot(m, element, ns);
	if (m->ns[i].element == NULL)
		m->n_ns++;
	m->ns[i] = (struct ns_pair){element, ns};
	return ERR_OK;
}

bool
marks_has_ns(const struct marks *m, const xmlNode *element, const xmlNs *ns)
{
	/* xmlns="" is no namespace node, but the lack of one: it goes with its element (Canonical XML 1.0, 2.3). */
	if (!m->ns_explicit || ns->href == NULL || *ns->href == '\0')
		return marks_has(m, number_of(element));
	return m->cap_ns != 0 && m->ns[pair_slot(m, element, ns)].element != NULL;
}

/* Namespace nodes of elements that stay: all but [first, last], or those in keep. */
static enum err_code
filter_ns(struct marks *m, const struct marks *keep, size_t first, size_t last, struct err *e)
{
	struct marks next = {.cap_ns = m->cap_ns};
	size_t i;

	if (!m->ns_explicit || m->cap_ns == 0)
		return ERR_OK;
	next.ns = mem_new(next.cap_ns, sizeof(*next.ns));
	if (next.ns == NULL)
		return err_nomem(e);
	for (i = 0; i < m->cap_ns; i++) {
		const xmlNode *element = m->ns[i].element;
		size_t n = element != NULL ? number_of(element) : 0;

		if (element == NULL || (keep != NULL ? !marks_has(keep, n) : n >= first && n <= last))
			continue;
		next.ns[pair_slot(&next, element, m->ns[i].ns)] = m->ns[i];
		next.n_ns++;
	}
	free(m->ns);
	m->ns = next.ns;
	m->n_ns = next.n_ns;
	return ERR_OK;
}

enum err_code
marks_drop_range(struct marks *m, size_t first, size_t last, struct err *e)
{
	marks_put_range(m, first, last, false);
	return filter_ns(m, NULL, first, last, e);
}

enum err_code
marks_intersect(struct marks *m, const struct marks *keep, struct err *e)
{
	size_t i;

	for (i = 0; i < m->numbering->count / 8 + 1; i++)
		m->bits[i] &= keep->bits[i];
	return filter_ns(m, keep, 0, 0, e);
}

enum err_code
marks_put_bare(struct marks *m, const xmlNode *element, struct err *e)
{
	size_t n = number_of(element);

	if (m->bare == NULL)
		m->bare = mem_new(m->numbering->count / 8 + 1, 1);
	if (m->bare == NULL)
		return err_nomem(e);
	m->bare[n >> 3] |= (uint8_t)(1u << (n & 7));
	return ERR_OK;
}

static bool
is_bare(const struct marks *m, size_t n)
{
	return m->bare != NULL && ((m->bare[n >> 3] >> (n & 7)) & 1) != 0;
}

static void
trace_element(const struct marks *m, const xmlNode *n, struct trace *to)
{
	size_t number = number_of(n);
	const xmlAttr *a;

	if (is_bare(m, number))
		return;
	if (marks_has(m, number))
		trace_put(to, number, number);
	for (a = n->properties; a != NULL; a = a->next) {
		number++;
		if (marks_has(m, number))
			trace_put(to, number, number);
	}
}

void
marks_trace(const struct marks *m, const xmlDoc *doc, struct trace *to)
{
	const xmlNode *root = (const xmlNode *)doc, *at;

	for (at = root; at != NULL; at = node_after(root, at)) {
		if (at->type == XML_ELEMENT_NODE)
			trace_element(m, at, to);
		else if (at->type == XML_COMMENT_NODE && (at->parent->type != XML_ELEMENT_NODE || marks_has(m, number_of(at->parent))))
			trace_pass(to, number_of(at)); /* one inside of the set; behind it stands none of its own */
		else if (at != root && at->type != XML_COMMENT_NODE && marks_has(m, number_of(at)))
			trace_put(to, number_of(at), number_of(at));
	}
}

void
trace_run(struct trace *t, size_t first, size_t last)
{
	if (t->code != ERR_OK)
		return;
	if (t->n >= t->max)
		t->code = ERR_LIMIT;
	else if (!mem_grow(&t->v, &t->cap, t->n, sizeof(*t->v)))
		t->code = ERR_NOMEM;
	else
		t->v[t->n++] = (struct cover_range){(uint32_t)first, (uint32_t)last};
}

enum err_code
trace_ok(const struct trace *t, struct err *e)
{
	if (t->code == ERR_LIMIT)
		return err_set(e, ERR_LIMIT, "what is covered lies in more than %zu pieces", t->max);
	return t->code == ERR_OK ? ERR_OK : err_nomem(e);
}

void
trace_release(struct trace *t)
{
	free(t->v);
	*t = (struct trace){0};
}

static void
hide_kind(struct marks *m, const struct nodes *what)
{
	const xmlNode *at;

	for (at = what->apex; at != NULL; at = node_after(what->apex, at)) {
		size_t n = number_of(at);

		if (at->type == XML_COMMENT_NODE && !what->comments)
			marks_put(m, n, false);
		else if (nodes_hide(what, at))
			marks_put_range(m, n, m->numbering->last[n], false);
	}
}

bool
nodes_hide(const struct nodes *what, const xmlNode *n)
{
	return n == what->hidden || (what->hide_signatures && is_ds(n, "Signature"));
}

bool
nodes_none(const struct nodes *what)
{
	for (const xmlNode *up = what->apex; up != NULL; up = up->parent)
		if (nodes_hide(what, up))
			return true;
	return false;
}

enum err_code
nodes_marks(const struct nodes *what, struct numbering *numbers, struct marks **out, struct err *e)
{
	struct marks *m = NULL;
	size_t first;

	if (numbering_make(what->doc, numbers, e) != ERR_OK || marks_new(numbers, &m, e) != ERR_OK)
		return err_wrap(e, "node-set");
	*out = m;
	if (nodes_none(what))
		return ERR_OK;
	first = number_of(what->apex);
	marks_put_range(m, first, numbers->last[first], true);
	hide_kind(m, what);
	return ERR_OK;
}
