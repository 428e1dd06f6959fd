/* SPDX-License-Identifier: MIT */
#include "verify/c14n.h"

#include <stdlib.h>
#include <string.h>

/* Next node in document order of any kind, attributes apart; NULL at the end of root's subtree. up: told when a node's subtree ended. */
static const xmlNode *
next_node(const xmlNode *root, const xmlNode *n, struct numbering *out)
{
	if (n->children != NULL && n->type != XML_ENTITY_REF_NODE)
		return n->children;
	for (;;) {
		if (out->last != NULL)
			out->last[number_of(n)] = (uint32_t)(out->count - 1);
		if (n == root)
			return NULL;
		if (n->next != NULL)
			return n->next;
		n = n->parent;
	}
}

static size_t
count_nodes(const xmlNode *root)
{
	struct numbering dry = {0};
	size_t n = 0;
	const xmlNode *at;
	const xmlAttr *a;

	for (at = root; at != NULL; at = next_node(root, at, &dry)) {
		n++;
		if (at->type == XML_ELEMENT_NODE)
			for (a = at->properties; a != NULL; a = a->next)
				n++;
	}
	return n;
}

enum err_code
numbering_make(xmlDoc *doc, struct numbering *out, struct err *e)
{
	xmlNode *root = (xmlNode *)doc, *at;
	xmlAttr *a;
	size_t total;

	if (out->doc == doc)
		return ERR_OK;
	numbering_release(out);
	total = count_nodes(root);
	if (total >= UINT32_MAX)
		return err_set(e, ERR_LIMIT, "more than 2^32 nodes");
	out->last = mem_new(total, sizeof(*out->last));
	if (out->last == NULL)
		return err_nomem(e);
	out->doc = doc;
	for (at = root; at != NULL; at = (xmlNode *)next_node(root, at, out)) {
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

static void
hide_kind(struct marks *m, const struct nodes *what)
{
	const xmlNode *at;
	struct numbering dry = {0};

	for (at = what->apex; at != NULL; at = next_node(what->apex, at, &dry)) {
		size_t n = number_of(at);

		if (at->type == XML_COMMENT_NODE && !what->comments)
			marks_put(m, n, false);
		else if (at == what->hidden || (what->hide_signatures && is_ds(at, "Signature")))
			marks_put_range(m, n, m->numbering->last[n], false);
	}
}

enum err_code
nodes_marks(const struct nodes *what, struct numbering *numbers, struct marks **out, struct err *e)
{
	struct marks *m = NULL;
	const xmlNode *up;
	size_t first;

	if (numbering_make(what->doc, numbers, e) != ERR_OK || marks_new(numbers, &m, e) != ERR_OK)
		return err_wrap(e, "node-set");
	*out = m;
	for (up = what->apex; up != NULL; up = up->parent)
		if (up == what->hidden || (what->hide_signatures && is_ds(up, "Signature")))
			return ERR_OK; /* nothing of it is left */
	first = number_of(what->apex);
	marks_put_range(m, first, numbers->last[first], true);
	hide_kind(m, what);
	return ERR_OK;
}
