/* SPDX-License-Identifier: MIT */
#include "verify/cover.h"

#include "verify/xades_int.h"

#include <stdlib.h>
#include <string.h>

#define PATH_STEPS 50000000 /* siblings counted for the paths of one file */
#define PATH_OCTETS 1000    /* of the names in a path; what stands further out is left out */

static bool
is_text(const xmlNode *n)
{
	return n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;
}

/* ---- from a digest to its cover ---- */

void
gather_begin(const struct sigdoc *d, struct gather *g)
{
	*g = (struct gather){.nodes = {.max = state_of(d)->ranges_left}};
}

void
gather_release(struct gather *g)
{
	trace_release(&g->nodes);
	free(g->files);
	*g = (struct gather){0};
}

enum err_code
gather_file(struct gather *g, const struct side_file *f, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n_files; i++)
		if (g->files[i] == f)
			return ERR_OK;
	if (!mem_grow(&g->files, &g->cap_files, g->n_files, sizeof(*g->files)))
		return err_nomem(e);
	g->files[g->n_files++] = f;
	return ERR_OK;
}

static int
range_cmp(const void *a, const void *b)
{
	const struct cover_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending, joined where nothing but comments lies between, and none ends in a comment. */
static void
tidy(const struct numbering *numbers, struct trace *t)
{
	size_t i, n = 0;

	for (i = 1; i < t->n && t->v[i - 1].first <= t->v[i].first; i++)
		;
	if (i < t->n)
		qsort(t->v, t->n, sizeof(*t->v), range_cmp);
	for (i = 0; i < t->n; i++) {
		while (n != 0 && t->v[n - 1].last + 1 < t->v[i].first && number_is_comment(numbers, t->v[n - 1].last + 1))
			t->v[n - 1].last++;
		if (n == 0 || t->v[n - 1].last + 1 < t->v[i].first)
			t->v[n++] = t->v[i];
		else if (t->v[i].last > t->v[n - 1].last)
			t->v[n - 1].last = t->v[i].last;
	}
	t->n = n;
	for (i = 0; i < n; i++)
		while (t->v[i].last > t->v[i].first && number_is_comment(numbers, t->v[i].last))
			t->v[i].last--;
}

enum err_code
gather_seal(struct sigdoc *d, struct gather *g, uint64_t octets, struct cover *out, struct err *e)
{
	struct docstate *st = state_of(d);
	struct slice v, files;

	*out = (struct cover){0};
	if (trace_ok(&g->nodes, e) != ERR_OK)
		return err_wrap(e, "cover");
	tidy(&st->numbers, &g->nodes);
	if (g->nodes.n > st->ranges_left)
		return err_set(e, ERR_LIMIT, "what is covered lies in more than %zu pieces", COVER_RANGES);
	v = arena_slice(&st->arena, slice_of((const uint8_t *)g->nodes.v, g->nodes.n * sizeof(*g->nodes.v)));
	files = arena_slice(&st->arena, slice_of((const uint8_t *)g->files, g->n_files * sizeof(*g->files)));
	if ((g->nodes.n != 0 && v.n == 0) || (g->n_files != 0 && files.n == 0))
		return err_nomem(e);
	st->ranges_left -= g->nodes.n;
	*out = (struct cover){.doc = d, .v = (const void *)v.p, .n = g->nodes.n, .files = (const void *)files.p, .n_files = g->n_files,
	    .octets = octets, .outside = g->outside, .rest = g->rest, .read = g->read, .content = g->content};
	gather_release(g);
	return ERR_OK;
}

static void
gather_cover(struct gather *g, const struct cover *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		trace_put(&g->nodes, c->v[i].first, c->v[i].last);
	g->rest = g->rest || c->rest;
	g->outside = g->outside || c->outside;
	g->content = g->content || c->content;
	g->read = c->read > g->read ? c->read : g->read;
}

enum err_code
cover_join(struct sigdoc *d, const struct cover *const *v, size_t n, struct cover *out, struct err *e)
{
	struct gather g;
	uint64_t octets = 0;
	enum err_code rc = ERR_OK;
	size_t i, k;

	if (n == 1) {
		*out = *v[0];
		return ERR_OK;
	}
	gather_begin(d, &g);
	g.nodes.max = SIZE_MAX; /* each is counted already: only what is kept counts again */
	for (i = 0; i < n && rc == ERR_OK; i++) {
		gather_cover(&g, v[i]);
		octets += v[i]->octets;
		for (k = 0; k < v[i]->n_files && rc == ERR_OK; k++)
			rc = gather_file(&g, v[i]->files[k], e);
	}
	if (rc == ERR_OK)
		rc = gather_seal(d, &g, octets, out, e);
	gather_release(&g);
	return rc;
}

/* Covers of the intact ones of v into list, which has room. */
static enum err_code
intact_covers(struct sigdoc *d, struct xsig *s, const struct xref *v, size_t n, struct covered *list, size_t *count, struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (cover_reference(d, s, &v[i], &list[*count], e) != ERR_OK)
			return err_wrap(e, "reference %zu", i + 1);
		*count += list[*count].intact == TRI_TRUE;
	}
	return ERR_OK;
}

static enum err_code
join_covered(struct sigdoc *d, const struct covered *list, size_t n, const struct cover *more, struct cover *out, struct err *e)
{
	AUTO(mem) const struct cover **v = mem_new(n + 1, sizeof(*v));
	size_t i;

	if (v == NULL)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		v[i] = &list[i].cover;
	if (more != NULL)
		v[n] = more;
	return cover_join(d, v, n + (more != NULL), out, e);
}

enum err_code
refs_cover(struct sigdoc *d, struct xsig *s, struct cover *out, struct err *e)
{
	struct sig_covers *memo = &state_of(d)->unions[s->index];
	AUTO(mem) struct covered *list = memo->refs_known ? NULL : mem_new(s->n_refs + 1, sizeof(*list));
	size_t n = 0;

	if (!memo->refs_known) {
		if (list == NULL)
			return err_nomem(e);
		if (intact_covers(d, s, s->refs, s->n_refs, list, &n, e) != ERR_OK || join_covered(d, list, n, NULL, &memo->refs, e) != ERR_OK)
			return err_wrap(e, "what signature %zu covers", s->index);
		memo->refs_known = true;
	}
	*out = memo->refs;
	return ERR_OK;
}

static enum err_code
with_entries(struct sigdoc *d, struct xsig *s, const struct cover *refs, struct cover *out, struct err *e)
{
	AUTO(mem) struct covered *list = NULL;
	size_t i, n = 0, room = 1;

	for (i = 0; i < s->n_refs; i++)
		room += s->refs[i].n_entries;
	list = mem_new(room, sizeof(*list));
	if (list == NULL)
		return err_nomem(e);
	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].n_entries != 0 && cover_holds(refs, s->refs[i].target) &&
		    intact_covers(d, s, s->refs[i].entries, s->refs[i].n_entries, list, &n, e) != ERR_OK)
			return err_wrap(e, "Manifest");
	return join_covered(d, list, n, refs, out, e);
}

enum err_code
cover_signature(struct sigdoc *d, struct xsig *s, struct cover *out, struct err *e)
{
	struct sig_covers *memo = &state_of(d)->unions[s->index];
	struct cover refs;

	if (!memo->all_known) {
		if (refs_cover(d, s, &refs, e) != ERR_OK || with_entries(d, s, &refs, &memo->all, e) != ERR_OK)
			return err_wrap(e, "signature %zu", s->index);
		memo->all_known = true;
	}
	*out = memo->all;
	return ERR_OK;
}

/* ---- does a signature sign anything? ---- */

static bool
says_something(const xmlNode *c)
{
	const xmlChar *p = c->content;

	if (c->type == XML_ELEMENT_NODE)
		return !is_xades(c, "QualifyingProperties") && !is_ds(c, "SignatureProperties") && !is_ds(c, "Manifest");
	if (!is_text(c) || p == NULL)
		return c->type == XML_PI_NODE;
	while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
		p++;
	return *p != '\0';
}

static bool
is_data(const struct xsig *s, const struct cover *c)
{
	const xmlNode *own = s->node, *o, *n;

	if (cover_beyond(c, &own, 1))
		return true;
	for (o = xml_first(own, NS_DS, "Object"); o != NULL; o = xml_next(o, NS_DS, "Object"))
		for (n = cover_touches(c, o) ? o->children : NULL; n != NULL; n = n->next)
			if (says_something(n) && cover_touches(c, n))
				return true;
	return false;
}

static enum err_code
any_data(struct sigdoc *d, struct xsig *s, const struct xref *v, size_t n, enum tri *out, struct err *e)
{
	struct covered c;
	size_t i;

	for (i = 0; i < n && *out != TRI_TRUE; i++) {
		if (cover_reference(d, s, &v[i], &c, e) != ERR_OK)
			return err_wrap(e, "reference %zu", i + 1);
		if (c.intact == TRI_UNKNOWN)
			*out = TRI_UNKNOWN;
		else if (is_data(s, &c.cover))
			*out = TRI_TRUE;
	}
	return ERR_OK;
}

enum err_code
sig_signs_data(struct sigdoc *d, struct xsig *s, enum tri *out, struct err *e)
{
	size_t i;

	*out = TRI_FALSE;
	if (any_data(d, s, s->refs, s->n_refs, out, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].entries_signed && any_data(d, s, s->refs[i].entries, s->refs[i].n_entries, out, e) != ERR_OK)
			return err_wrap(e, "signature %zu, Manifest", s->index);
	return ERR_OK;
}

/* ---- questions ---- */

static const struct numbering *
numbers_of(const struct cover *c)
{
	return &state_of(c->doc)->numbers;
}

/* The first run that ends at number or behind it; n if none. */
static size_t
run_at(const struct cover *c, size_t number)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->v[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has_number(const struct cover *c, size_t number)
{
	size_t i = run_at(c, number);

	return i < c->n && c->v[i].first <= number;
}

static bool
askable(const struct cover *c, const xmlNode *n)
{
	return c->n != 0 && n != NULL && n->doc == c->doc->dom && n->type != XML_COMMENT_NODE;
}

struct cover_range
cover_span(const struct sigdoc *d, const xmlNode *node)
{
	const struct numbering *numbers = &state_of(d)->numbers;
	size_t first = number_of(node), last = numbers->last[first];

	while (last > first && number_is_comment(numbers, last))
		last--;
	return (struct cover_range){(uint32_t)first, (uint32_t)last};
}

bool
cover_holds(const struct cover *c, const xmlNode *node)
{
	struct cover_range s;
	size_t i;

	if (!askable(c, node))
		return false;
	s = cover_span(c->doc, node);
	i = run_at(c, s.first);
	return i < c->n && c->v[i].first <= s.first && s.last <= c->v[i].last;
}

bool
cover_touches(const struct cover *c, const xmlNode *node)
{
	struct cover_range s;
	size_t i;

	if (!askable(c, node))
		return false;
	s = cover_span(c->doc, node);
	i = run_at(c, s.first);
	return i < c->n && c->v[i].first <= s.last;
}

bool
cover_holds_tags(const struct cover *c, const xmlNode *element)
{
	return askable(c, element) && has_number(c, number_of(element));
}

bool
cover_holds_text(const struct cover *c, const xmlNode *node)
{
	const xmlNode *n;

	for (n = node; n != NULL; n = node_after(node, n))
		if (is_text(n) && n->content != NULL && *n->content != '\0' && !cover_holds(c, n))
			return false;
	return node != NULL;
}

bool
cover_holds_file(const struct cover *c, const struct side_file *f)
{
	size_t i;

	for (i = 0; i < c->n_files; i++)
		if (c->files[i] == f)
			return true;
	return false;
}

bool
cover_is_empty(const struct cover *c)
{
	return c->n == 0 && !c->outside;
}

/* Where the run of comments and of but[] that number lies in goes on to; number itself if it lies in none. */
static size_t
pass_over(const struct cover *c, size_t number, const xmlNode *const *but, size_t n_but)
{
	size_t i;

	for (i = 0; i < n_but; i++) {
		size_t first = but[i] != NULL ? number_of(but[i]) : 0;

		if (but[i] != NULL && number >= first && number <= numbers_of(c)->last[first])
			return numbers_of(c)->last[first] + 1;
	}
	return number_is_comment(numbers_of(c), number) ? number + 1 : number;
}

bool
cover_beyond(const struct cover *c, const xmlNode *const *but, size_t n_but)
{
	size_t i, at, next;

	for (i = 0; i < c->n; i++)
		for (at = c->v[i].first; at <= c->v[i].last; at = next) {
			next = pass_over(c, at, but, n_but);
			if (next == at)
				return true;
		}
	return c->outside;
}

/* ---- what is left out ---- */

struct gaps {
	const struct cover *c;
	struct cover_gap *out;
	size_t max, n;
};

static void
gap_add(struct gaps *g, const xmlNode *node, bool whole, size_t nodes)
{
	if (g->n < g->max)
		g->out[g->n] = (struct cover_gap){node, whole, nodes};
	g->n++;
}

static size_t
solid_nodes(const struct numbering *numbers, size_t first, size_t last)
{
	size_t n = last - first + 1;

	for (; first <= last && numbers->comments != NULL; first++)
		n -= number_is_comment(numbers, first);
	return n;
}

static bool
stands_in(const xmlNode *n, const xmlNode *const *v, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (v[i] == n)
			return true;
	return false;
}

/* An element of which something is in: its own tags and attributes. */
static void
gap_element(struct gaps *g, const xmlNode *n)
{
	const xmlAttr *a;

	if (n->type != XML_ELEMENT_NODE)
		return;
	if (!has_number(g->c, number_of(n)))
		gap_add(g, n, false, 1);
	for (a = n->properties; a != NULL; a = a->next)
		if (!has_number(g->c, number_of((const xmlNode *)a)))
			gap_add(g, (const xmlNode *)a, true, 1);
}

/* True: what is below n is to be looked at too. */
static bool
gap_node(struct gaps *g, const xmlNode *n)
{
	struct cover_range s;

	if (n->type == XML_COMMENT_NODE || cover_holds(g->c, n))
		return false;
	if (g->c->doc == NULL) { /* of no file: nothing is in */
		gap_add(g, n, true, 0);
		return false;
	}
	if (n->type != XML_DOCUMENT_NODE && !cover_touches(g->c, n)) {
		s = cover_span(g->c->doc, n);
		gap_add(g, n, true, solid_nodes(numbers_of(g->c), s.first, s.last));
		return false;
	}
	gap_element(g, n);
	return n->children != NULL;
}

size_t
cover_gaps(const struct cover *c, const xmlNode *within, const xmlNode *const *but, size_t n_but, struct cover_gap *out, size_t max)
{
	struct gaps g = {.c = c, .out = out, .max = max};
	const xmlNode *root = within != NULL ? within : c->doc != NULL ? (const xmlNode *)c->doc->dom : NULL, *n = root;

	while (n != NULL) {
		if (!stands_in(n, but, n_but) && gap_node(&g, n)) {
			n = n->children;
			continue;
		}
		while (n != root && n->next == NULL)
			n = n->parent;
		n = n != root ? n->next : NULL;
	}
	return g.n;
}

bool
cover_holds_beside(const struct cover *c)
{
	const xmlNode *n;

	for (n = c->doc != NULL && c->doc->dom != NULL ? c->doc->dom->children : NULL; n != NULL; n = n->next)
		if (n->type == XML_PI_NODE && !cover_holds(c, n))
			return false;
	return true;
}

bool
cover_holds_document(const struct cover *c, const xmlNode *const *but, size_t n_but)
{
	const xmlNode *root = c->doc != NULL && c->doc->dom != NULL ? xmlDocGetRootElement(c->doc->dom) : NULL;

	return root != NULL && c->n != 0 && cover_holds_beside(c) && cover_gaps(c, root, but, n_but, NULL, 0) == 0;
}

/* ---- words ---- */

/* Which of its name among its siblings; 0 when there was too much to count in this file. */
static size_t
sibling_number(struct docstate *st, const xmlNode *n)
{
	const xmlNode *prev;
	size_t same = 1;

	for (prev = n->prev; prev != NULL; prev = prev->prev) {
		if (++st->path_steps > PATH_STEPS)
			return 0;
		if (prev->type == XML_ELEMENT_NODE && strcmp((const char *)prev->name, (const char *)n->name) == 0)
			same++;
	}
	return same;
}

static void
path_end(struct buf *out, const xmlNode *node)
{
	if (node->type == XML_ATTRIBUTE_NODE)
		buf_addf(out, "/@%s", (const char *)node->name);
	else if (node->type == XML_PI_NODE)
		buf_addf(out, "/processing-instruction(%s)", (const char *)node->name);
	else if (is_text(node))
		buf_adds(out, "/text()");
}

char *
node_path(const struct sigdoc *d, const xmlNode *node)
{
	AUTO(buf) struct buf out = {0};
	const xmlNode *path[1100], *up = node;
	size_t n = 0, octets = 0;

	if (node->type != XML_ELEMENT_NODE)
		up = node->parent;
	for (; up != NULL && up->type == XML_ELEMENT_NODE && octets < PATH_OCTETS && n < sizeof(path) / sizeof(path[0]); up = up->parent) {
		path[n++] = up;
		octets += strlen((const char *)up->name);
	}
	if (up != NULL && up->type == XML_ELEMENT_NODE)
		buf_adds(&out, "...");
	while (n-- > 0) {
		size_t same = sibling_number(state_of(d), path[n]);

		if (same == 0)
			buf_addf(&out, "/%s[?]", (const char *)path[n]->name);
		else
			buf_addf(&out, same > 1 ? "/%s[%zu]" : "/%s", (const char *)path[n]->name, same);
	}
	path_end(&out, node);
	return mem_dupstr(buf_str(&out));
}

char *
xref_covers(const struct sigdoc *d, const struct xref *r)
{
	if (r->file != NULL)
		return mem_dupstr(r->file->name != NULL ? r->file->name : "(nameless file)");
	if (r->target == NULL)
		return mem_dupstr(uri_is_local(r->uri) && r->found != TRI_FALSE && d->dom != NULL ? "/" : "");
	return node_path(d, r->target);
}
