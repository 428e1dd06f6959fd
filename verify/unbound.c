/* SPDX-License-Identifier: MIT */
/*
 * Prefixes in values. The exclusive canonical form writes a namespace declaration only where the name of an element or attribute
 * uses it (Exclusive XML Canonicalization 1.0, 1.3): of xsi:type="a:Euro" it says nothing about what a stands for.
 */
#include "verify/extent.h"

#include <string.h>

#define PREFIX_OCTETS 100

struct search {
	const struct xref *x;
	const struct cover *c;
	uint64_t *steps, max;
	struct unbound *v;
	size_t n;
	bool lost;
};

/* The next exclusive method behind t among its transforms (NULL: the first). */
static const xmlNode *
next_exclusive(const struct xref *x, const xmlNode *t, struct c14n *how)
{
	t = t != NULL ? xml_next(t, NS_DS, "Transform") : xml_first(xml_first(x->node, NS_DS, "Transforms"), NS_DS, "Transform");
	while (t != NULL && (!c14n_of(t, how) || how->mode != C14N_EXC))
		t = xml_next(t, NS_DS, "Transform");
	return t;
}

bool
is_exclusive(const struct xref *x)
{
	struct c14n how;

	return next_exclusive(x, NULL, &how) != NULL;
}

static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (; list != NULL && *list != '\0'; list += len) {
		list += strspn(list, " \t\r\n");
		len = strcspn(list, " \t\r\n");
		if (len == n && memcmp(list, word, n) == 0)
			return true;
	}
	return false;
}

/* In the PrefixList of each: then it is written as by an inclusive method. */
static bool
is_listed(const struct xref *x, const char *prefix)
{
	const xmlNode *t = NULL;
	struct c14n how;

	while ((t = next_exclusive(x, t, &how)) != NULL)
		if (!has_word(how.prefixes, prefix))
			return false;
	return true;
}

static bool
is_name_octet(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c >= 0x80;
}

static bool
step(struct search *s)
{
	if (*s->steps >= s->max)
		s->lost = true;
	else
		++*s->steps;
	return !s->lost;
}

static void
add_declaration(struct search *s, const xmlNode *element, const xmlNs *ns)
{
	size_t i;

	for (i = 0; i < s->n && s->v[i].ns != ns; i++)
		;
	if (i < s->n || is_listed(s->x, (const char *)ns->prefix))
		return;
	if (s->n == UNBOUND_MAX)
		s->lost = true;
	else
		s->v[s->n++] = (struct unbound){element, ns};
}

/* What prefix stands for at element, if anything. */
static void
look_up(struct search *s, const xmlNode *element, const char *prefix)
{
	const xmlNs *ns;

	for (; element != NULL && element->type == XML_ELEMENT_NODE && step(s); element = element->parent)
		for (ns = element->nsDef; ns != NULL && step(s); ns = ns->next)
			if (ns->prefix != NULL && strcmp((const char *)ns->prefix, prefix) == 0) {
				add_declaration(s, element, ns);
				return;
			}
}

static void
read_value(struct search *s, const xmlNode *element, const xmlChar *text)
{
	const char *begin = (const char *)text, *colon, *from;
	char prefix[PREFIX_OCTETS + 1];

	for (colon = begin != NULL ? strchr(begin, ':') : NULL; colon != NULL; colon = strchr(colon + 1, ':')) {
		for (from = colon; from > begin && colon - from <= PREFIX_OCTETS && is_name_octet((unsigned char)from[-1]); from--)
			;
		if (from == colon || colon - from > PREFIX_OCTETS)
			continue;
		memcpy(prefix, from, (size_t)(colon - from));
		prefix[colon - from] = '\0';
		look_up(s, element, prefix);
	}
}

static void
read_values(struct search *s, const xmlNode *n)
{
	const xmlNode *part;
	const xmlAttr *a;

	if ((n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) && cover_holds(s->c, n))
		read_value(s, n->parent, n->content);
	for (a = n->type == XML_ELEMENT_NODE ? n->properties : NULL; a != NULL; a = a->next)
		for (part = cover_holds(s->c, (const xmlNode *)a) ? a->children : NULL; part != NULL; part = part->next)
			read_value(s, n, part->content);
}

/* A name that was hashed uses it: then it was written. */
static void
strike(struct search *s, const xmlNs *used)
{
	size_t i;

	for (i = 0; used != NULL && i < s->n; i++)
		if (s->v[i].ns == used) {
			s->v[i] = s->v[--s->n];
			return;
		}
}

static void
strike_names(struct search *s, const xmlNode *n)
{
	const xmlAttr *a;

	if (n->type != XML_ELEMENT_NODE)
		return;
	if (cover_holds_tags(s->c, n))
		strike(s, n->ns);
	for (a = n->properties; a != NULL; a = a->next)
		if (a->ns != NULL && cover_holds(s->c, (const xmlNode *)a))
			strike(s, a->ns);
}

bool
unbound_find(const struct xref *x, const struct cover *c, const xmlNode *at, uint64_t *steps, uint64_t max,
    struct unbound v[UNBOUND_MAX], size_t *n)
{
	struct search s = {.x = x, .c = c, .steps = steps, .max = max, .v = v};
	const xmlNode *i;

	for (i = at; i != NULL && !s.lost; i = node_after(at, i))
		read_values(&s, i);
	for (i = at; i != NULL && !s.lost && s.n != 0; i = node_after(at, i))
		strike_names(&s, i);
	*n = s.n;
	return !s.lost;
}
