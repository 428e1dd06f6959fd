/* SPDX-License-Identifier: MIT */
#include "verify/c14n.h"

#include "base/xml.h"

#include <stdlib.h>
#include <string.h>

struct bind {
	const char *prefix, *href; /* prefix "" = the default namespace, href "" = none */
};

struct writer {
	const struct c14n *how;
	const struct nodes *what;
	const struct sink *to;
	struct err *e;
	enum err_code code;
	struct bind *scope; /* what output ancestors have rendered */
	size_t n_scope, cap_scope;
	const xmlAttr **attrs; /* scratch for sorting */
	size_t cap_attrs;
	struct prefixes listed;
	struct trace *trace; /* NULL: not asked for */
	size_t n;
	uint8_t out[8192];
};

static void
flush(struct writer *w)
{
	if (w->code == ERR_OK && w->n != 0)
		w->code = sink_write(w->to, slice_of(w->out, w->n), w->e);
	w->n = 0;
}

static void
put(struct writer *w, const void *p, size_t n)
{
	if (n > sizeof(w->out) - w->n) {
		flush(w);
		if (n > sizeof(w->out) / 2) {
			if (w->code == ERR_OK)
				w->code = sink_write(w->to, slice_of(p, n), w->e);
			return;
		}
	}
	memcpy(w->out + w->n, p, n);
	w->n += n;
}

static void
put_char(struct writer *w, char c)
{
	if (w->n == sizeof(w->out))
		flush(w);
	w->out[w->n++] = (uint8_t)c;
}

static void
put_str(struct writer *w, const char *s)
{
	put(w, s, strlen(s));
}

enum { TEXT = 1, VALUE = 2, RAW = 4 };
/* In which contexts an octet needs a reference: text, attribute value, comment and PI. */
static const uint8_t special[256] = {
    ['&'] = TEXT | VALUE,
    ['<'] = TEXT | VALUE,
    ['>'] = TEXT,
    ['"'] = VALUE,
    ['\t'] = VALUE,
    ['\n'] = VALUE,
    ['\r'] = TEXT | VALUE | RAW,
};

static const char *
reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#x9;";
	case '\n':
		return "&#xA;";
	default:
		return "&#xD;";
	}
}

#ifdef __SSE2__
#include <emmintrin.h>
/* Sixteen octets at a time: how far none of the text characters & < > CR occurs. */
static size_t
plain_text(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('&')), _mm_cmpeq_epi8(v, _mm_set1_epi8('<'))),
		    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('>')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r'))));

		if (_mm_movemask_epi8(hit) != 0)
			break;
	}
	return i;
}
#else
static size_t
plain_text(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	return 0;
}
#endif

static void
put_escaped(struct writer *w, const xmlChar *s, unsigned context)
{
	const uint8_t *p = s, *from = s, *end;

	if (s == NULL)
		return;
	end = p + strlen((const char *)s);
	while (p < end) {
		if (context == TEXT)
			p += plain_text(p, (size_t)(end - p));
		while (p < end && (special[*p] & context) == 0)
			p++;
		put(w, from, (size_t)(p - from));
		if (p < end)
			put_str(w, reference((char)*p++));
		from = p;
	}
}

static void
fail(struct writer *w, const char *why, const char *what)
{
	if (w->code == ERR_OK)
		w->code = err_set(w->e, ERR_FORMAT, "no canonical form: %s \"%.100s\"", why, what);
}

/* A namespace name without a scheme has no canonical form (Canonical XML 1.0, 1.3). */
static void
check_name(struct writer *w, const xmlChar *href)
{
	const xmlChar *p = href;

	if (href == NULL || *href == '\0')
		return;
	while ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
		p++;
	if (p != href)
		while (((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || (*p >= '0' && *p <= '9') || *p == '+' || *p == '-' || *p == '.')
			p++;
	if (p == href || *p != ':')
		fail(w, "relative namespace name", (const char *)href);
}

static const char *
rendered(const struct writer *w, const char *prefix)
{
	size_t i;

	for (i = w->n_scope; i > 0; i--)
		if (strcmp(w->scope[i - 1].prefix, prefix) == 0)
			return w->scope[i - 1].href;
	return NULL;
}

static const char *
text_or_empty(const xmlChar *s)
{
	return s != NULL ? (const char *)s : "";
}

static bool
is_listed(const struct writer *w, const char *prefix)
{
	size_t i;

	for (i = 0; i < w->listed.n; i++)
		if (strcmp(w->listed.v[i], prefix) == 0)
			return true;
	return false;
}

static void
add_binding(struct writer *w, const char *prefix, const char *href)
{
	if (!mem_grow(&w->scope, &w->cap_scope, w->n_scope, sizeof(*w->scope))) {
		w->code = err_nomem(w->e);
		return;
	}
	w->scope[w->n_scope++] = (struct bind){prefix, href};
}

/* Render prefix = href on this element unless the output has it so already. */
static void
want_binding(struct writer *w, const char *prefix, const char *href)
{
	const char *now = rendered(w, prefix);

	if (strcmp(now != NULL ? now : "", href) != 0 && strcmp(prefix, "xml") != 0)
		add_binding(w, prefix, href);
}

/* On the apex the nearest declaration of a prefix counts, up to the root; xmlns="" there only hides one further up. */
static void
want_in_scope(struct writer *w, const char *prefix, const char *href, size_t first)
{
	size_t i;

	for (i = first; i < w->n_scope; i++)
		if (strcmp(w->scope[i].prefix, prefix) == 0)
			return;
	if (strcmp(prefix, "xml") != 0)
		add_binding(w, prefix, href);
}

/* Declarations of n itself; on the apex those of its ancestors too. */
static void
declared_bindings(struct writer *w, const xmlNode *n, bool apex, bool only_listed)
{
	size_t first = w->n_scope;
	const xmlNs *ns;

	for (; n != NULL && n->type == XML_ELEMENT_NODE; n = apex ? n->parent : NULL) {
		for (ns = n->nsDef; ns != NULL; ns = ns->next) {
			const char *prefix = text_or_empty(ns->prefix);

			check_name(w, ns->href);
			if (only_listed && !is_listed(w, prefix))
				continue;
			if (apex)
				want_in_scope(w, prefix, text_or_empty(ns->href), first);
			else
				want_binding(w, prefix, text_or_empty(ns->href));
		}
	}
}

/* What only hid an ancestor's declaration on the apex is not written. */
static void
drop_empty(struct writer *w, size_t first)
{
	size_t i, to = first;

	for (i = first; i < w->n_scope; i++)
		if (*w->scope[i].href != '\0')
			w->scope[to++] = w->scope[i];
	w->n_scope = to;
}

static void
used_bindings(struct writer *w, const xmlNode *n)
{
	const xmlAttr *a;

	if (n->ns != NULL)
		want_binding(w, text_or_empty(n->ns->prefix), text_or_empty(n->ns->href));
	else
		want_binding(w, "", "");
	for (a = n->properties; a != NULL; a = a->next)
		if (a->ns != NULL && a->ns->prefix != NULL)
			want_binding(w, (const char *)a->ns->prefix, text_or_empty(a->ns->href));
}

static int
bind_cmp(const void *a, const void *b)
{
	return strcmp(((const struct bind *)a)->prefix, ((const struct bind *)b)->prefix);
}

static void
put_bindings(struct writer *w, size_t first)
{
	size_t i;

	if (w->n_scope - first > 1)
		qsort(w->scope + first, w->n_scope - first, sizeof(*w->scope), bind_cmp);
	for (i = first; i < w->n_scope; i++) {
		const struct bind *b = &w->scope[i];

		put_str(w, " xmlns");
		if (*b->prefix != '\0') {
			put_char(w, ':');
			put_str(w, b->prefix);
		}
		put(w, "=\"", 2);
		put_escaped(w, (const xmlChar *)b->href, VALUE);
		put_char(w, '"');
	}
}

static void
put_namespaces(struct writer *w, const xmlNode *n, bool apex)
{
	bool exclusive = w->how->mode == C14N_EXC;
	size_t first = w->n_scope;
	const xmlNs *ns;

	if (!exclusive || w->listed.n != 0)
		declared_bindings(w, n, apex, exclusive);
	else
		for (ns = n->nsDef; ns != NULL; ns = ns->next)
			check_name(w, ns->href);
	if (apex)
		drop_empty(w, first);
	if (exclusive)
		used_bindings(w, n);
	if (w->n_scope != first)
		put_bindings(w, first);
}

static int
attr_cmp(const void *x, const void *y)
{
	const xmlAttr *a = *(const xmlAttr *const *)x, *b = *(const xmlAttr *const *)y;
	int r;

	if ((a->ns == NULL) != (b->ns == NULL))
		return a->ns == NULL ? -1 : 1;
	r = a->ns == NULL || a->ns == b->ns ? 0 : strcmp(text_or_empty(a->ns->href), text_or_empty(b->ns->href));
	return r != 0 ? r : strcmp((const char *)a->name, (const char *)b->name);
}

static bool
add_attr(struct writer *w, size_t *n, const xmlAttr *a)
{
	if (!mem_grow(&w->attrs, &w->cap_attrs, *n, sizeof(*w->attrs))) {
		w->code = err_nomem(w->e);
		return false;
	}
	w->attrs[(*n)++] = a;
	return true;
}

static bool
is_xml_attr(const xmlAttr *a)
{
	return a->ns != NULL && a->ns->href != NULL && strcmp((const char *)a->ns->href, (const char *)XML_XML_NAMESPACE) == 0;
}

/* xml: attributes of the apex's ancestors, the nearest first: all in 1.0, lang and space in 1.1 (its 2.4). */
static void
inherit_attrs(struct writer *w, const xmlNode *apex, size_t *n)
{
	const xmlAttr *a;
	size_t i;

	for (const xmlNode *up = apex->parent; up != NULL && up->type == XML_ELEMENT_NODE; up = up->parent) {
		for (a = up->properties; a != NULL; a = a->next) {
			if (!is_xml_attr(a))
				continue;
			if (w->how->mode == C14N_11 && strcmp((const char *)a->name, "lang") != 0 &&
			    strcmp((const char *)a->name, "space") != 0)
				continue;
			for (i = 0; i < *n; i++)
				if (is_xml_attr(w->attrs[i]) && strcmp((const char *)w->attrs[i]->name, (const char *)a->name) == 0)
					break;
			if (i == *n && !add_attr(w, n, a))
				return;
		}
	}
}

static void
put_name(struct writer *w, const xmlNs *ns, const xmlChar *name)
{
	if (ns != NULL && ns->prefix != NULL && *ns->prefix != '\0') {
		put_str(w, (const char *)ns->prefix);
		put_char(w, ':');
	}
	put_str(w, (const char *)name);
}

static void
put_attrs(struct writer *w, const xmlNode *n, bool apex)
{
	size_t i, k, count = 0;
	const xmlAttr *a;
	const xmlNode *t;

	for (a = n->properties; a != NULL; a = a->next)
		if (!add_attr(w, &count, a))
			return;
	if (apex && w->how->mode != C14N_EXC)
		inherit_attrs(w, n, &count);
	if (count > 12)
		qsort(w->attrs, count, sizeof(*w->attrs), attr_cmp);
	for (i = 1; count <= 12 && i < count; i++)
		for (k = i; k > 0 && attr_cmp(&w->attrs[k - 1], &w->attrs[k]) > 0; k--) {
			a = w->attrs[k];
			w->attrs[k] = w->attrs[k - 1];
			w->attrs[k - 1] = a;
		}
	for (i = 0; i < count; i++) {
		put_char(w, ' ');
		put_name(w, w->attrs[i]->ns, w->attrs[i]->name);
		put(w, "=\"", 2);
		for (t = w->attrs[i]->children; t != NULL; t = t->next) {
			if (t->type != XML_TEXT_NODE)
				fail(w, "entity in an attribute", (const char *)w->attrs[i]->name);
			else
				put_escaped(w, t->content, VALUE);
		}
		put_char(w, '"');
	}
}

static bool
left_out(const struct writer *w, const xmlNode *n)
{
	return nodes_hide(w->what, n);
}

static void put_node(struct writer *w, const xmlNode *n, bool apex);

/* An element and its attributes, all of which are written. */
static void
note_element(struct trace *t, const xmlNode *n)
{
	const xmlAttr *a;
	size_t last = number_of(n);

	for (a = n->properties; a != NULL; a = a->next)
		last++;
	trace_put(t, number_of(n), last);
}

static void
put_element(struct writer *w, const xmlNode *n, bool apex)
{
	size_t scope = w->n_scope;
	const xmlNode *c;

	if (w->trace != NULL)
		note_element(w->trace, n);
	put_char(w, '<');
	put_name(w, n->ns, n->name);
	put_namespaces(w, n, apex);
	if (n->properties != NULL || apex)
		put_attrs(w, n, apex);
	put_char(w, '>');
	for (c = n->children; c != NULL && w->code == ERR_OK; c = c->next)
		put_node(w, c, false);
	put(w, "</", 2);
	put_name(w, n->ns, n->name);
	put_char(w, '>');
	w->n_scope = scope;
}

static void
put_pi(struct writer *w, const xmlNode *n)
{
	put(w, "<?", 2);
	put_str(w, (const char *)n->name);
	if (n->content != NULL && *n->content != '\0') {
		put_char(w, ' ');
		put_escaped(w, n->content, RAW);
	}
	put(w, "?>", 2);
}

static void
put_node(struct writer *w, const xmlNode *n, bool apex)
{
	switch (n->type) {
	case XML_ELEMENT_NODE:
		if (!left_out(w, n))
			put_element(w, n, apex);
		break;
	case XML_TEXT_NODE:
	case XML_CDATA_SECTION_NODE:
		if (w->trace != NULL)
			trace_put(w->trace, number_of(n), number_of(n));
		put_escaped(w, n->content, TEXT);
		break;
	case XML_PI_NODE:
		if (w->trace != NULL)
			trace_put(w->trace, number_of(n), number_of(n));
		put_pi(w, n);
		break;
	case XML_COMMENT_NODE:
		if (w->trace != NULL)
			trace_pass(w->trace, number_of(n));
		if (!w->how->comments || !w->what->comments)
			break;
		put(w, "<!--", 4);
		put_escaped(w, n->content, RAW);
		put(w, "-->", 3);
		break;
	case XML_ENTITY_REF_NODE:
		fail(w, "entity", text_or_empty(n->name));
		break;
	default:
		break;
	}
}

/* Comments and PIs beside the document element stand on lines of their own (Canonical XML 1.0, 2.3). */
static void
put_document(struct writer *w)
{
	const xmlNode *n;
	bool after = false;

	for (n = w->what->doc->children; n != NULL; n = n->next) {
		bool seen = n->type == XML_PI_NODE || (n->type == XML_COMMENT_NODE && w->how->comments && w->what->comments);

		if (seen && after)
			put_char(w, '\n');
		put_node(w, n, n->type == XML_ELEMENT_NODE);
		if (seen && !after)
			put_char(w, '\n');
		after = after || n->type == XML_ELEMENT_NODE;
	}
}

static enum err_code
write_fast(const struct c14n *how, const struct nodes *what, const struct sink *to, struct err *e)
{
	struct writer w;

	memset(&w, 0, offsetof(struct writer, out));
	w.how = how;
	w.what = what;
	w.to = to;
	w.e = e;
	w.trace = what->trace;
	if (nodes_none(what))
		return ERR_OK;
	w.code = prefixes_cut(how, &w.listed, e);
	if (w.code == ERR_OK && what->apex == (const xmlNode *)what->doc)
		put_document(&w);
	else if (w.code == ERR_OK)
		put_node(&w, what->apex, true);
	flush(&w);
	free(w.scope);
	free(w.attrs);
	free(w.listed.text);
	if (w.code == ERR_OK && w.trace != NULL)
		w.code = trace_ok(w.trace, e);
	return w.code;
}

/* C14N 1.1 joins xml:base of left-out ancestors into the apex: rare, and left to libxml2. */
static bool
base_above(const struct nodes *what)
{
	const xmlAttr *a;

	if (what->apex->type != XML_ELEMENT_NODE)
		return false;
	for (const xmlNode *up = what->apex->parent; up != NULL && up->type == XML_ELEMENT_NODE; up = up->parent)
		for (a = up->properties; a != NULL; a = a->next)
			if (is_xml_attr(a) && strcmp((const char *)a->name, "base") == 0)
				return true;
	return false;
}

enum err_code
c14n_write(const struct c14n *how, const struct nodes *what, struct numbering *numbers, const struct sink *to, struct err *e)
{
	if (what->trace != NULL && numbering_make(what->doc, numbers, e) != ERR_OK)
		return err_wrap(e, "canonical form");
	if (what->marks != NULL || (how->mode == C14N_11 && base_above(what)))
		return c14n_write_slow(how, what, numbers, to, e);
	return write_fast(how, what, to, e);
}
