/* SPDX-License-Identifier: MIT */
/*
 * What a signature signs, as the report says it (docs/report.md): of each reference the element or file that was hashed and
 * what its transforms left out, of the signature whether that is the whole document. All of it follows from covers
 * (cover.h), nothing from what the file lists or claims.
 */
#include "verify/judge.h"

#include "verify/extent.h"

#include <stdlib.h>
#include <string.h>

#define GAPS_LISTED 4
#define PATHS_LISTED 1000	     /* of what is left out, in one document */
#define GAP_NODES ((uint64_t)20000000) /* looked at for gaps, in one document */

/* One signature under description. */
struct describing {
	struct judge *j;
	struct sigdoc *d;
	struct xsig *s;
	const xmlNode *root;
	const xmlNode **but; /* signatures that are no part of the document's data: s itself first, then those beside it */
	size_t n_but;
};

/* ---- signatures beside it ---- */

/* Others beside it are passed over while nothing but the machinery of signing is in them. */
static bool
describing_begin(struct judge *j, struct jsig *g, struct describing *w)
{
	size_t i;

	*w = (struct describing){.j = j, .d = j->doc, .s = g->s, .root = xmlDocGetRootElement(j->doc->dom)};
	w->but = mem_new(j->doc->n_sigs + 1, sizeof(*w->but));
	if (w->but == NULL) {
		judge_nomem(j);
		return false;
	}
	w->but[w->n_but++] = g->s->node;
	for (i = 0; i < j->doc->n_sigs; i++) {
		const struct xsig *other = &j->doc->sigs[i];

		if (other != g->s && other->parent < 0 && !other->nested && other->node->parent == g->s->node->parent &&
		    !has_own_data(j->doc, other))
			w->but[w->n_but++] = other->node;
	}
	return true;
}

/* ---- one reference ---- */

/* Looking for gaps walks a subtree; a file can ask for that with each of its references. */
static bool
may_walk(struct describing *w, const xmlNode *within)
{
	uint64_t cost = (state_of(w->d)->numbers.last[number_of(within)] - number_of(within) + 1) * (uint64_t)w->n_but;

	if (w->j->gap_nodes + cost > GAP_NODES)
		return false;
	w->j->gap_nodes += cost;
	return true;
}

static char *
text_of(struct judge *j, char *made)
{
	if (made == NULL)
		judge_nomem(j);
	return made;
}

/* An element whole; of the document's also what stands beside it. */
static bool
holds_all(const struct describing *w, const struct cover *c, const xmlNode *at)
{
	return cover_holds(c, at) && (at != w->root || cover_holds_beside(c));
}

static void
note_gap(struct describing *w, struct report_ref *r, char *path, const char *more)
{
	if (r->gaps == NULL && (r->gaps = mem_new(GAPS_LISTED, sizeof(*r->gaps))) == NULL)
		judge_nomem(w->j);
	if (r->gaps == NULL || r->n_listed == GAPS_LISTED || w->j->gap_paths >= PATHS_LISTED)
		return;
	r->gaps[r->n_listed++] = text_of(w->j, path != NULL ? mem_printf("%s%s", path, more) : NULL);
	w->j->gap_paths++;
}

/* The gaps below within; true when there are none. */
static bool
list_gaps(struct describing *w, const struct cover *c, const xmlNode *within, struct report_ref *r)
{
	struct cover_gap gaps[GAPS_LISTED];
	size_t i;

	if (!may_walk(w, within))
		return false;
	r->n_gaps = cover_gaps(c, within != w->root ? within : NULL, w->but, w->n_but, gaps, GAPS_LISTED);
	for (i = 0; i < r->n_gaps && i < GAPS_LISTED; i++) {
		AUTO(mem) char *path = node_path(w->d, gaps[i].node);

		note_gap(w, r, path, gaps[i].node->type == XML_ELEMENT_NODE && !gaps[i].whole ? " (its tags alone)" : "");
	}
	return r->n_gaps == 0;
}

static enum stands
where_stands(const struct describing *w, const xmlNode *target)
{
	const xmlNode *n = target;

	if (target == w->root)
		return STANDS_ROOT;
	while (n != NULL && !is_ds(n, "Object"))
		n = n->parent;
	return n != NULL ? STANDS_OBJECT : STANDS_INSIDE;
}

static bool
has_element(const xmlNode *node)
{
	const xmlNode *n;

	for (n = node->children; n != NULL && n->type != XML_ELEMENT_NODE; n = n->next)
		;
	return n != NULL;
}

/* An element without others in it, all its text and not its tags: what a base64 transform takes. */
static bool
is_all_text(const struct cover *c, const xmlNode *target)
{
	return !has_element(target) && cover_holds_text(c, target) && cover_touches(c, target);
}

/* The one child that holds all that is in; NULL: there is more, or there are several. */
static const xmlNode *
only_child_in(const struct cover *c, const xmlNode *node)
{
	const xmlNode *n, *found = NULL;
	const xmlAttr *a;

	if (node->type != XML_ELEMENT_NODE || cover_holds_tags(c, node))
		return NULL;
	for (a = node->properties; a != NULL; a = a->next)
		if (cover_touches(c, (const xmlNode *)a))
			return NULL;
	for (n = node->children; n != NULL; n = n->next) {
		if (!cover_touches(c, n))
			continue;
		if (found != NULL)
			return NULL;
		found = n;
	}
	return found;
}

/* From where a reference leads to down to what holds all that was hashed: a filter may leave one element far below. */
static const xmlNode *
lowest_around(struct describing *w, const struct cover *c, const xmlNode *target)
{
	const xmlNode *at = target, *n;

	if (target == w->s->signed_props || target == w->s->key_info || cover_holds(c, target) || !may_walk(w, target))
		return target;
	while (!cover_holds(c, at) && !is_all_text(c, at) && (n = only_child_in(c, at)) != NULL)
		at = n;
	return at;
}

/* Declarations that count for what is signed and were not hashed. whole: they are all that is left out. */
static bool
list_unbound(struct describing *w, const struct xref *x, const struct cover *c, const xmlNode *at, bool whole, struct report_ref *r)
{
	struct unbound v[UNBOUND_MAX];
	size_t n = 0, i;

	if (r->kind == REF_SIGNED_PROPERTIES || r->kind == REF_KEY_INFO || r->kind == REF_COUNTERSIGNED || !is_exclusive(x))
		return true;
	if (!may_walk(w, at) || !unbound_find(x, c, at, &w->j->gap_nodes, GAP_NODES, v, &n)) {
		r->unbound = true;
		return false;
	}
	for (i = 0; i < n && (whole || r->n_gaps != 0); i++) {
		AUTO(mem) char *path = node_path(w->d, v[i].element);
		AUTO(mem) char *name = mem_printf("/@xmlns:%s", (const char *)v[i].ns->prefix);

		note_gap(w, r, path, name != NULL ? name : "");
		r->n_gaps++;
	}
	r->unbound = n != 0;
	return n == 0;
}

static enum extent
extent_at(struct describing *w, const struct xref *x, const struct cover *c, const xmlNode *at, struct report_ref *r)
{
	bool whole;

	if (!cover_holds(c, at) && is_all_text(c, at))
		return c->read == READ_NOT ? EXTENT_TEXT : EXTENT_TEXT_READ;
	whole = holds_all(w, c, at) || list_gaps(w, c, at, r);
	if (!list_unbound(w, x, c, at, whole, r) || !whole)
		return EXTENT_PART;
	return at == w->root ? EXTENT_DOCUMENT : EXTENT_ELEMENT;
}

/* A Type claims what a reference is; the report goes by what was hashed. */
static enum ref_kind
kind_at(const struct describing *w, const xmlNode *at, enum ref_kind claimed)
{
	const xmlNode *master = w->s->parent >= 0 ? w->d->sigs[w->s->parent].signature_value : NULL;

	if (at == w->s->signed_props)
		return REF_SIGNED_PROPERTIES;
	if (at == w->s->key_info)
		return REF_KEY_INFO;
	if (at == master)
		return REF_COUNTERSIGNED;
	return claimed == REF_SIGNED_PROPERTIES || claimed == REF_KEY_INFO || claimed == REF_COUNTERSIGNED ? REF_DATA : claimed;
}

static enum extent
local_extent(struct describing *w, const struct xref *x, const struct cover *c, struct report_ref *r)
{
	const xmlNode *target = x->target != NULL && x->target->type == XML_ELEMENT_NODE ? x->target : w->root, *at;

	r->stands = where_stands(w, target);
	if (c->octets == 0)
		return EXTENT_NOTHING;
	if (c->n == 0)
		return EXTENT_UNKNOWN;
	at = lowest_around(w, c, target);
	if (at != target) {
		free(r->covers);
		r->covers = text_of(w->j, node_path(w->d, at));
		r->stands = where_stands(w, at);
	}
	r->kind = kind_at(w, at, x->kind);
	return extent_at(w, x, c, at, r);
}

static enum extent
file_extent(const struct xref *x, const struct cover *c)
{
	if (c->octets == 0)
		return EXTENT_NOTHING;
	if (x->file != NULL && cover_holds_file(c, x->file))
		return EXTENT_FILE;
	if (!c->content)
		return EXTENT_FILE_PART;
	return c->read == READ_XML ? EXTENT_FILE_XML : EXTENT_FILE_DECODED;
}

static void
describe_cover(struct describing *w, struct xref *x, struct report_ref *r)
{
	struct covered c = {0};
	struct err e = {0};

	if (cover_reference(w->d, w->s, x, &c, &e) != ERR_OK) {
		judge_broke(w->j, &e);
		return;
	}
	if (c.intact == TRI_UNKNOWN)
		return;
	r->octets = c.cover.octets;
	if (!uri_is_local(x->uri)) {
		r->stands = STANDS_BESIDE;
		r->extent = file_extent(x, &c.cover);
		return;
	}
	r->extent = local_extent(w, x, &c.cover, r);
}

/* The peer looks where the claim of a Type points, and takes no other place. */
static void
outcome_of(const struct describing *w, const struct xref *x, struct report_ref *r)
{
	r->found = x->found;
	r->intact = x->intact;
	if (!w->j->peer || x->claim == NULL)
		return;
	if (x->kind != REF_COUNTERSIGNED)
		r->found = TRI_FALSE;
	r->intact = x->kind != REF_COUNTERSIGNED ? TRI_UNKNOWN : TRI_FALSE;
}

static struct report_ref *describe_list(struct describing *w, struct xref *v, size_t n);

static void
describe_one(struct describing *w, struct xref *x, struct report_ref *r)
{
	r->uri = x->uri == NULL ? NULL : text_of(w->j, mem_dupstr(x->uri));
	r->note = x->note == NULL ? NULL : text_of(w->j, mem_dupstr(x->note));
	r->covers = text_of(w->j, xref_covers(w->d, x));
	outcome_of(w, x, r);
	r->kind = x->kind;
	describe_cover(w, x, r);
	if (x->n_entries != 0) {
		r->entries = describe_list(w, x->entries, x->n_entries);
		r->n_entries = r->entries != NULL ? x->n_entries : 0;
	}
}

/* Room for one more, which the caller may fill. */
static struct report_ref *
describe_list(struct describing *w, struct xref *v, size_t n)
{
	struct report_ref *list = mem_new(n + 1, sizeof(*list));
	size_t i;

	if (list == NULL)
		judge_nomem(w->j);
	for (i = 0; list != NULL && i < n; i++)
		describe_one(w, &v[i], &list[i]);
	return list;
}

/* ---- the signature ---- */

/* Is there nothing but signatures in the document: no attribute, no text, no other element, no instruction that is not signed? */
static bool
only_signatures(const struct describing *w, const struct cover *c)
{
	const xmlNode *n;
	size_t i;

	if (!cover_holds_beside(c))
		return false;
	if (w->root == w->s->node)
		return true;
	if (w->root != w->s->node->parent || w->root->properties != NULL)
		return false;
	for (n = w->root->children; n != NULL; n = n->next) {
		for (i = 0; i < w->n_but && w->but[i] != n; i++)
			;
		if (i == w->n_but && is_content(n) && !(n->type == XML_PI_NODE && cover_holds(c, n)))
			return false;
	}
	return true;
}

static bool
all_are(const struct report_ref *v, size_t n, enum tri intact)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].intact != intact || !all_are(v[i].entries, v[i].n_entries, intact))
			return false;
	return true;
}

/* Are the files that it leads to whole, the data behind base64, and the declarations that count for it? */
static bool
nothing_beside(const struct report_ref *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].extent == EXTENT_TEXT_READ || v[i].unbound || (v[i].stands == STANDS_BESIDE && v[i].extent != EXTENT_FILE) ||
		    !nothing_beside(v[i].entries, v[i].n_entries))
			return false;
	return true;
}

static bool
holds_document(struct describing *w, const struct cover *c)
{
	return holds_all(w, c, w->root) || (c->n != 0 && may_walk(w, w->root) && cover_holds_document(c, w->but, w->n_but));
}

static enum scope
scope_of(struct describing *w, const struct cover *c, const struct report_signature *r)
{
	bool own = holds_own_data(c, w->s), octets = nothing_beside(r->refs, r->n_refs);

	if (w->s->parent >= 0)
		return w->s->master_ref != NULL ? SCOPE_SIGNATURE : SCOPE_PART;
	if (w->root != w->s->node && own && octets && holds_document(w, c))
		return SCOPE_DOCUMENT;
	if (own && octets && only_signatures(w, c))
		return touches_own_data(c, w->s) ? SCOPE_OBJECTS : c->n_files != 0 ? SCOPE_FILES : SCOPE_NOTHING;
	return c->n_files != 0 || touches_own_data(c, w->s) || cover_beyond(c, w->but, 1) ? SCOPE_PART : SCOPE_NOTHING;
}

static void
describe_scope(struct describing *w, struct report_signature *r)
{
	struct cover c = {0};
	struct err e = {0};

	if (!all_are(r->refs, r->n_refs, TRI_TRUE))
		return;
	switch (cover_signature(w->d, w->s, &c, &e)) {
	case ERR_OK:
		r->scope = scope_of(w, &c, r);
		break;
	case ERR_NOMEM:
		judge_broke(w->j, &e);
		break;
	default: /* not known */
		break;
	}
}

void
describe_signature(struct judge *j, struct jsig *g)
{
	struct describing w;

	if (!describing_begin(j, g, &w))
		return;
	g->r->refs = describe_list(&w, g->s->refs, g->s->n_refs);
	g->r->n_refs = g->r->refs != NULL ? g->s->n_refs : 0;
	describe_scope(&w, g->r);
	free(w.but);
}

void
report_refs_release(struct report_ref *v, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		free(v[i].uri);
		free(v[i].covers);
		free(v[i].note);
		for (k = 0; k < v[i].n_listed; k++)
			free(v[i].gaps[k]);
		free(v[i].gaps);
		report_refs_release(v[i].entries, v[i].n_entries);
	}
	free(v);
}
