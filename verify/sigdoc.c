/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <stdlib.h>
#include <string.h>

#define FILE_READS 4		    /* of each data file, by transforms of references */
#define FILE_MOST ((uint64_t)1 << 30) /* larger ones no transform reads */

const struct xades_limits xades_limits_default = {
    .references = 10000, /* EU DSS and others stay below 1000 a signature */
    .transforms = 5,
    .signatures = 1000,
    .stamps = 1000,
    .xpath_steps = 50 * 1000 * 1000, /* about two seconds */
};

static struct xades_limits
with_defaults(const struct xades_limits *in, size_t raw_bytes)
{
	struct xades_limits l = in != NULL ? *in : xades_limits_default;

	if (l.references == 0)
		l.references = xades_limits_default.references;
	if (l.transforms == 0)
		l.transforms = xades_limits_default.transforms;
	if (l.signatures == 0)
		l.signatures = xades_limits_default.signatures;
	if (l.stamps == 0)
		l.stamps = xades_limits_default.stamps;
	if (l.xpath_steps == 0)
		l.xpath_steps = xades_limits_default.xpath_steps;
	if (l.canonical_bytes == 0) /* 10,000 references to a large document would take hours */
		l.canonical_bytes = raw_bytes > (1u << 24) ? (uint64_t)raw_bytes * 64 : (uint64_t)1 << 30;
	return l;
}

bool
is_within(const xmlNode *a, const xmlNode *b)
{
	for (; a != NULL; a = a->parent)
		if (a == b)
			return true;
	return false;
}

void
format_fault(struct xsig *s, const char *text)
{
	if (s->format_fault == NULL)
		s->format_fault = text;
}

enum err_code
text_read(struct sigdoc *d, const xmlNode *node, char **out, struct err *e)
{
	AUTO(mem) char *text = NULL;

	*out = NULL;
	if (node == NULL)
		return ERR_OK;
	if (xml_text_dup(node, 65536, &text, e) != ERR_OK)
		return err_wrap(e, "%s", (const char *)node->name);
	*out = arena_dup(&state_of(d)->arena, text);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* Digit + 1; 0 = none. */
static const uint8_t digits64[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/*
 * Whole groups of four digits, white space between groups skipped: nearly all of what signatures hold. Returns octets
 * written; *used: how far it came. What is left begins at a group and is for base64_to.
 */
static size_t
base64_groups(const uint8_t *p, size_t n, uint8_t *out, size_t *used)
{
	size_t i = 0, o = 0;

	while (i + 4 <= n) {
		uint32_t a = digits64[p[i]], b = digits64[p[i + 1]], c = digits64[p[i + 2]], d = digits64[p[i + 3]];

		if (a != 0 && b != 0 && c != 0 && d != 0) {
			uint32_t v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

			out[o++] = (uint8_t)(v >> 16);
			out[o++] = (uint8_t)(v >> 8);
			out[o++] = (uint8_t)v;
			i += 4;
		} else if (p[i] == '\n' || p[i] == '\r' || p[i] == ' ' || p[i] == '\t') {
			i++;
		} else {
			break;
		}
	}
	*used = i;
	return o;
}

static enum err_code
base64_text(struct sigdoc *d, struct slice text, struct slice *out, struct err *e)
{
	uint8_t *to = arena_new(&state_of(d)->arena, text.n / 4 * 3 + 8);
	AUTO(buf) struct buf rest = {0};
	size_t used, n;

	if (to == NULL)
		return err_nomem(e);
	n = base64_groups(text.p, text.n, to, &used);
	if (base64_to(slice_of(text.p + used, text.n - used), &rest, e) != ERR_OK)
		return err_wrap(e, "base64");
	if (rest.n != 0)
		memcpy(to + n, rest.p, rest.n);
	*out = slice_of(to, n + rest.n);
	return ERR_OK;
}

enum err_code
base64_read(struct sigdoc *d, const xmlNode *node, struct slice *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};
	const xmlNode *c = node != NULL ? node->children : NULL;
	enum err_code rc;

	*out = slice_of(NULL, 0);
	if (c == NULL)
		return ERR_OK;
	if (c->next == NULL && c->type == XML_TEXT_NODE) {
		rc = base64_text(d, slice_str((const char *)c->content), out, e);
	} else {
		xml_text(node, &b);
		rc = buf_ok(&b, e);
		if (rc == ERR_OK)
			rc = base64_text(d, buf_slice(&b), out, e);
	}
	return rc == ERR_FORMAT ? ERR_OK : rc;
}

enum err_code
node_write(struct sigdoc *d, const xmlNode *node, const struct c14n *how, struct gather *g, const struct sink *to, struct err *e)
{
	struct nodes what = {.doc = d->dom, .apex = node, .comments = true, .trace = g != NULL ? &g->nodes : NULL};

	return canonical_write(d, how, &what, &state_of(d)->numbers, to, e);
}

struct metered {
	const struct sink *to;
	uint64_t *left;
};

static enum err_code
metered_write(void *ctx, struct slice s, struct err *e)
{
	struct metered *m = ctx;

	if (s.n > *m->left)
		return err_set(e, ERR_LIMIT, "more canonical form than the cap for one file");
	*m->left -= s.n;
	return sink_write(m->to, s, e);
}

enum err_code
canonical_write(struct sigdoc *d, const struct c14n *how, const struct nodes *what, struct numbering *numbers, const struct sink *to,
    struct err *e)
{
	struct metered m = {to, &state_of(d)->canonical_left};
	struct sink counted = {metered_write, &m};

	return c14n_write(how, what, numbers, &counted, e);
}

/* ---- the one walk: IDs and signatures ---- */

/* Of any namespace (xml:id, wsu:Id) and spelling (iD too): what one reader takes for an ID counts against uniqueness. */
static bool
id_attribute(const xmlAttr *a)
{
	const xmlChar *n = a->name;

	return (n[0] | 0x20) == 'i' && (n[1] | 0x20) == 'd' && n[2] == '\0';
}

/* Value of the ID attribute of a node, one without a namespace first; NULL if none. */
static const char *
id_of(const xmlNode *node)
{
	const xmlAttr *a, *found = NULL;

	for (a = node != NULL && node->type == XML_ELEMENT_NODE ? node->properties : NULL; a != NULL; a = a->next)
		if (id_attribute(a) && (found == NULL || (found->ns != NULL && a->ns == NULL)))
			found = a;
	if (found == NULL)
		return NULL;
	return found->children != NULL ? (const char *)found->children->content : "";
}

struct walk {
	struct sigdoc *d;
	size_t references;
	size_t cap;
};

/*
 * The signature that n stands in, and whether n is its counter-signature: child of a CounterSignature property.
 * False for one whose master is not here: a fragment of another file's properties signs nothing of this one.
 */
static bool
place_signature(struct sigdoc *d, struct xsig *s)
{
	const xmlNode *up;
	bool counter = is_xades(s->node->parent, "CounterSignature");
	size_t i;

	s->parent = -1;
	for (up = s->node->parent; up != NULL && !is_ds(up, "Signature"); up = up->parent)
		;
	s->nested = up != NULL;
	for (i = 0; up != NULL && i < d->n_sigs; i++) {
		if (d->sigs[i].node != up)
			continue;
		if (counter)
			s->parent = (long)i;
		s->nested = !counter || d->sigs[i].nested;
	}
	return !counter || s->parent >= 0;
}

static enum err_code
add_signature(struct walk *w, xmlNode *node, struct err *e)
{
	struct sigdoc *d = w->d;
	struct xsig *s;

	if (d->n_sigs >= state_of(d)->limits.signatures)
		return err_set(e, ERR_LIMIT, "more than %zu signatures", state_of(d)->limits.signatures);
	if (!mem_grow(&d->sigs, &w->cap, d->n_sigs, sizeof(*d->sigs)))
		return err_nomem(e);
	s = &d->sigs[d->n_sigs];
	memset(s, 0, sizeof(*s));
	s->node = node;
	s->index = d->n_sigs;
	s->pss_salt = -1;
	s->signing_time = TIME_NONE;
	if (place_signature(d, s))
		d->n_sigs++;
	return ERR_OK;
}

/* A time-stamp in XML form is a ds:Signature of its TSA (TS 101 903 7.1.4.3): no signature of the document. */
static bool
in_xml_stamp(const xmlNode *n)
{
	bool within = false;

	for (n = n->parent; n != NULL && !is_ds(n, "Signature"); n = n->parent)
		within = within || is_xades(n, "XMLTimeStamp");
	return within && n != NULL;
}

static enum err_code
see_element(struct walk *w, xmlNode *n, struct err *e)
{
	struct docstate *st = state_of(w->d);
	const xmlAttr *a;

	for (a = n->properties; a != NULL; a = a->next)
		if (id_attribute(a) && a->children != NULL && a->children->content != NULL && *a->children->content != '\0' &&
		    idmap_add(&st->ids, (const char *)a->children->content, n, e) != ERR_OK)
			return err_wrap(e, "IDs");
	if (is_ds(n, "Reference") && ++w->references > st->limits.references)
		return err_set(e, ERR_LIMIT, "more than %zu references", st->limits.references);
	if (is_ds(n, "Transforms") && xml_count(n, NS_DS, "Transform") > st->limits.transforms)
		return err_set(e, ERR_LIMIT, "a reference with more than %zu transforms", st->limits.transforms);
	return is_ds(n, "Signature") && !in_xml_stamp(n) ? add_signature(w, n, e) : ERR_OK;
}

static enum err_code
walk_document(struct sigdoc *d, struct err *e)
{
	struct walk w = {.d = d};
	xmlNode *root = xmlDocGetRootElement(d->dom), *n;
	enum err_code r;

	for (n = root; n != NULL; n = xml_walk(root, n)) {
		r = see_element(&w, n, e);
		if (r != ERR_OK)
			return r;
	}
	d->dossier = root != NULL && strcmp((const char *)root->name, "Dossier") == 0 && root->ns != NULL &&
	    (strcmp((const char *)root->ns->href, "https://www.microsec.hu/ds/e-szigno30#") == 0 ||
		strncmp((const char *)root->ns->href, "http://www.e-cegjegyzek.hu/", 27) == 0);
	return ERR_OK;
}

/* ---- the parts of one signature ---- */

/* SignedInfo, SignatureValue, KeyInfo if any, Objects, and nothing between them. */
static bool
parts_in_order(const struct xsig *s)
{
	const xmlNode *c = xml_first(s->node, NULL, NULL);

	if (!is_ds(c, "SignedInfo") || !is_ds(c = xml_next(c, NULL, NULL), "SignatureValue"))
		return false;
	c = xml_next(c, NULL, NULL);
	if (is_ds(c, "KeyInfo"))
		c = xml_next(c, NULL, NULL);
	while (is_ds(c, "Object"))
		c = xml_next(c, NULL, NULL);
	return c == NULL;
}

static void
read_parts(struct xsig *s)
{
	s->signed_info = xml_first(s->node, NS_DS, "SignedInfo");
	s->signature_value = xml_first(s->node, NS_DS, "SignatureValue");
	s->key_info = xml_first(s->node, NS_DS, "KeyInfo");
	s->count.key_infos = (unsigned)xml_count(s->node, NS_DS, "KeyInfo");
	if (xml_count(s->node, NS_DS, "SignedInfo") != 1)
		format_fault(s, "not exactly one SignedInfo (XMLDSig 4.2)");
	if (xml_count(s->node, NS_DS, "SignatureValue") != 1)
		format_fault(s, "not exactly one SignatureValue (XMLDSig 4.2)");
	if (s->count.key_infos > 1)
		format_fault(s, "more than one KeyInfo (XMLDSig 4.2)");
	if (!parts_in_order(s))
		format_fault(s, "the parts of the signature stand in another order, or something else among them (XMLDSig 4.2)");
	if (s->signed_info != NULL && xml_first(s->signed_info, NS_DS, "Reference") == NULL)
		format_fault(s, "no Reference (XMLDSig 4.4)");
}

static enum err_code
read_signature(struct sigdoc *d, struct xsig *s, struct err *e)
{
	const char *id = id_of(s->node);
	bool ambiguous;

	if (id != NULL) {
		s->id = arena_dup(&state_of(d)->arena, id);
		if (s->id == NULL)
			return err_nomem(e);
		(void)idmap_find(&state_of(d)->ids, id, &ambiguous);
		if (ambiguous)
			format_fault(s, "the signature's Id stands at another element too (EN 319 102-1 5.2.2, SignatureDuplicated)");
	}
	read_parts(s);
	if (s->parent >= 0 && xml_count(s->node->parent, NS_DS, "Signature") != 1)
		format_fault(s, "not exactly one Signature in the CounterSignature (EN 319 132-1 5.2.7.2)");
	container_read(s);
	if (method_read(d, s, e) != ERR_OK || base64_read(d, s->signature_value, &s->value, e) != ERR_OK ||
	    refs_read(d, s, e) != ERR_OK || xades_read(d, s, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	return ERR_OK;
}

static enum err_code
open_parts(struct sigdoc *d, struct err *e)
{
	struct docstate *st = state_of(d);
	size_t i;

	st->md = EVP_MD_CTX_new();
	st->files = mem_new(d->n_files + 1, sizeof(*st->files));
	if (st->md == NULL || st->files == NULL)
		return err_nomem(e);
	if (xml_load(d->raw, &st->limits.xml, &d->dom, e) != ERR_OK || numbering_make(d->dom, &st->numbers, e) != ERR_OK ||
	    walk_document(d, e) != ERR_OK)
		return err_wrap(e, "signature file");
	st->unions = arena_new(&st->arena, (d->n_sigs + 1) * sizeof(*st->unions));
	if (st->unions == NULL)
		return err_nomem(e);
	for (i = 0; i < d->n_sigs; i++)
		if (read_signature(d, &d->sigs[i], e) != ERR_OK)
			return err_wrap(e, "signature file");
	if (self_closed_read(d, e) != ERR_OK)
		return err_wrap(e, "signature file");
	return ERR_OK;
}

enum err_code
sigdoc_open(struct slice raw, const struct side_file *files, size_t n_files, const struct xades_limits *limits,
    struct sigdoc **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = mem_new(1, sizeof(*d));
	struct docstate *st = mem_new(1, sizeof(*st));
	enum err_code r;
	size_t i;

	if (d == NULL || st == NULL) {
		free(st);
		return err_nomem(e);
	}
	d->state = st;
	d->raw = raw;
	d->files = files;
	d->n_files = n_files;
	st->limits = with_defaults(limits, raw.n);
	st->xpath_left = st->limits.xpath_steps;
	st->canonical_left = st->limits.canonical_bytes;
	for (i = 0; i < n_files && (limits == NULL || limits->canonical_bytes == 0); i++)
		st->canonical_left += FILE_READS * (files[i].has_source && files[i].source.size_bytes < FILE_MOST ? files[i].source.size_bytes : 0);
	st->ranges_left = COVER_RANGES;
	r = open_parts(d, e);
	if (r != ERR_OK)
		return r;
	*out = TAKE(d);
	return ERR_OK;
}

void
sigdoc_close(struct sigdoc *d)
{
	struct docstate *st;

	if (d == NULL)
		return;
	st = state_of(d);
	arena_release(&st->arena);
	idmap_release(&st->ids);
	numbering_release(&st->numbers);
	free(st->files);
	free(st->imprints);
	free(st->proofs);
	EVP_MD_CTX_free(st->md);
	free(st);
	free(d->sigs);
	xmlFreeDoc(d->dom);
	free(d);
}

void
sigdoc_auto(struct sigdoc **d)
{
	sigdoc_close(*d);
}
