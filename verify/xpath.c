/* SPDX-License-Identifier: MIT */
/*
 * XPath 1.0 as a filter (XMLDSig 6.6.3) and XPath Filter 2.0. The forms that
 * signers write every day are answered without evaluating anything; the rest
 * goes through libxml2 under a count of steps that the whole file shares.
 */
#include "verify/xades_int.h"
#include "verify/xpath_meter.h"

#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdlib.h>
#include <string.h>

#define EVALUATION_STEPS 8 /* what starting the evaluator costs */
#define EXPRESSION_MAX 16384

struct evaluator {
	struct run *r;
	const xmlNode *here;
	xmlDoc *doc;
	xmlXPathContext *ctx;
	xmlXPathCompExpr *expr;
};

static void
quiet(void *ctx, xmlErrorPtr why)
{
	(void)ctx;
	(void)why;
}

static void
fn_here(xmlXPathParserContextPtr ctxt, int nargs)
{
	const struct evaluator *v = ctxt->context->userData;

	CHECK_ARITY(0);
	/* Only meaningful in the document that holds the expression (XMLDSig 6.6.3). */
	valuePush(ctxt, xmlXPathNewNodeSet(v->here->doc == v->doc ? (xmlNode *)(uintptr_t)v->here : NULL));
}

static void
add_ids(const struct evaluator *v, const xmlChar *names, xmlNodeSet *to)
{
	AUTO(mem) char *copy = names != NULL ? mem_dupstr((const char *)names) : NULL;
	char *p, *save = NULL;
	bool ambiguous;

	if (copy == NULL || v->doc != v->r->d->dom)
		return;
	for (p = strtok_r(copy, " \t\r\n", &save); p != NULL; p = strtok_r(NULL, " \t\r\n", &save)) {
		xmlNode *n = idmap_find(&state_of(v->r->d)->ids, p, &ambiguous);

		if (n != NULL && !ambiguous)
			(void)xmlXPathNodeSetAdd(to, n);
	}
}

/* id() by our own map: nothing is of type ID without a DTD, and an ambiguous one names nothing. */
static void
fn_id(xmlXPathParserContextPtr ctxt, int nargs)
{
	const struct evaluator *v = ctxt->context->userData;
	xmlXPathObject *arg, *out;
	xmlChar *s;
	int i;

	CHECK_ARITY(1);
	if (!xpath_pay_values(ctxt))
		return;
	arg = valuePop(ctxt);
	out = xmlXPathNewNodeSet(NULL);
	if (arg != NULL && out != NULL && out->nodesetval != NULL && arg->type == XPATH_NODESET) {
		for (i = 0; arg->nodesetval != NULL && i < arg->nodesetval->nodeNr; i++) {
			s = xmlXPathCastNodeToString(arg->nodesetval->nodeTab[i]);
			add_ids(v, s, out->nodesetval);
			xmlFree(s);
		}
	} else if (arg != NULL && out != NULL && out->nodesetval != NULL) {
		s = xmlXPathCastToString(arg);
		add_ids(v, s, out->nodesetval);
		xmlFree(s);
	}
	xmlXPathFreeObject(arg);
	valuePush(ctxt, out);
}

static void
evaluator_close(struct evaluator *v)
{
	xmlXPathFreeCompExpr(v->expr);
	xmlXPathFreeContext(v->ctx);
}

/* Namespaces in scope at the element that bears the expression. */
static bool
register_namespaces(struct evaluator *v)
{
	xmlNs **list = xmlGetNsList(v->here->doc, v->here);
	size_t i;
	bool ok = true;

	for (i = 0; list != NULL && list[i] != NULL && ok; i++)
		if (list[i]->prefix != NULL && list[i]->href != NULL)
			ok = xmlXPathRegisterNs(v->ctx, list[i]->prefix, list[i]->href) == 0;
	xmlFree(list);
	return ok;
}

static enum err_code
evaluator_open(struct evaluator *v, const char *text, struct err *e)
{
	AUTO(buf) struct buf metered = {0};

	if (strlen(text) > EXPRESSION_MAX)
		return run_fault(v->r, REF_LIMIT, "XPath of more than %d octets", EXPRESSION_MAX);
	v->ctx = xmlXPathNewContext(v->doc);
	if (v->ctx == NULL)
		return err_nomem(e);
	v->ctx->userData = v;
	v->ctx->error = quiet;
	if (!register_namespaces(v) || !xpath_replace(v->ctx, "here", fn_here) || !xpath_meter(v->ctx) || !xpath_replace(v->ctx, "id", fn_id))
		return err_nomem(e);
	if (xpath_metered(text, &metered))
		v->expr = xmlXPathCtxtCompile(v->ctx, (const xmlChar *)buf_str(&metered));
	if (v->expr == NULL)
		return run_fault(v->r, REF_TRANSFORM_FAILED, "XPath \"%.120s\" can't be read", text);
	return ERR_OK;
}

/* Steps are counted over the whole file, so that many small filters cost as much as one large. */
static void
before(struct evaluator *v)
{
	uint64_t left = state_of(v->r->d)->xpath_left;

	v->ctx->opCount = 0;
	v->ctx->opLimit = left != 0 ? (unsigned long)left : 1; /* 0 would be no limit */
}

static bool
after(struct evaluator *v, bool evaluated)
{
	struct docstate *st = state_of(v->r->d);
	uint64_t used = v->ctx->opCount + EVALUATION_STEPS;

	st->xpath_left = used < st->xpath_left ? st->xpath_left - used : 0;
	if (st->xpath_left == 0)
		(void)run_fault(v->r, REF_LIMIT, "XPath needs more than %llu steps", (unsigned long long)st->limits.xpath_steps);
	else if (!evaluated)
		(void)run_fault(v->r, REF_TRANSFORM_FAILED, "XPath can't be evaluated");
	return v->r->fault == REF_FINE;
}

static bool
holds(struct evaluator *v, xmlNode *node)
{
	int rc;

	before(v);
	v->ctx->node = node;
	v->ctx->proximityPosition = 1;
	v->ctx->contextSize = 1;
	rc = xmlXPathCompiledEvalToBoolean(v->expr, v->ctx);
	return after(v, rc >= 0) && rc == 1;
}

/* ---- the filter of XPath 1.0 ---- */

static bool
shadowed(const xmlNode *element, const xmlNode *owner, const xmlNs *ns)
{
	const xmlNode *n;
	const xmlNs *o;

	for (n = element; n != NULL && n != owner; n = n->parent)
		for (o = n->nsDef; n->type == XML_ELEMENT_NODE && o != NULL; o = o->next)
			if (xmlStrEqual(o->prefix, ns->prefix))
				return true;
	return false;
}

static enum err_code
filter_namespaces(struct evaluator *v, const struct marks *in, struct marks *out, xmlNode *element, struct err *e)
{
	const xmlNode *up;
	const xmlNs *ns;
	bool stays;

	for (up = element; up != NULL && up->type == XML_ELEMENT_NODE; up = up->parent) {
		for (ns = up->nsDef; ns != NULL; ns = ns->next) {
			xmlNs node = *ns;

			if (ns->href == NULL || *ns->href == '\0' || shadowed(element, up, ns))
				continue;
			node.next = (xmlNs *)element; /* how libxml2 tells a namespace node its element */
			node.type = XML_NAMESPACE_DECL;
			stays = marks_has_ns(in, element, ns) && holds(v, (xmlNode *)&node);
			if ((stays ? marks_put_ns(out, element, ns, e) : marks_put_bare(out, element, e)) != ERR_OK)
				return err_wrap(e, "XPath");
			if (v->r->fault != REF_FINE)
				return ERR_OK;
		}
	}
	return ERR_OK;
}

static enum err_code
filter_node(struct evaluator *v, const struct marks *in, struct marks *out, xmlNode *n, struct err *e)
{
	xmlAttr *a;

	if (marks_has(in, number_of(n)) && holds(v, n))
		marks_put(out, number_of(n), true);
	if (n->type != XML_ELEMENT_NODE || v->r->fault != REF_FINE)
		return ERR_OK;
	for (a = n->properties; a != NULL && v->r->fault == REF_FINE; a = a->next)
		if (marks_has(in, number_of((xmlNode *)a)) && holds(v, (xmlNode *)a))
			marks_put(out, number_of((xmlNode *)a), true);
	return v->r->fault == REF_FINE ? filter_namespaces(v, in, out, n, e) : ERR_OK;
}

static enum err_code
filter_all(struct evaluator *v, const struct marks *in, struct marks *out, struct err *e)
{
	xmlNode *n = (xmlNode *)v->doc;

	out->ns_explicit = true;
	while (n != NULL && v->r->fault == REF_FINE) {
		if (filter_node(v, in, out, n, e) != ERR_OK)
			return err_wrap(e, "XPath");
		if (n->children != NULL && n->type != XML_ENTITY_REF_NODE) {
			n = n->children;
			continue;
		}
		while (n != NULL && n->next == NULL)
			n = n->parent;
		n = n != NULL ? n->next : NULL;
	}
	return ERR_OK;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '-' || c == '_' || c == '.' ||
	    (c & 0x80) != 0;
}

/* The expression without white space that means nothing: outside literals, and not between two name characters. */
static void
squeeze(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	char quote = '\0';
	bool space = false;

	for (; *text != '\0' && n + 2 < cap; text++) {
		if (quote == '\0' && strchr(" \t\r\n", *text) != NULL) {
			space = true;
			continue;
		}
		if (space && n != 0 && is_name_char(out[n - 1]) && is_name_char(*text))
			out[n++] = ' ';
		space = false;
		if (quote == '\0' && (*text == '\'' || *text == '"'))
			quote = *text;
		else if (*text == quote)
			quote = '\0';
		out[n++] = *text;
	}
	out[*text == '\0' ? n : 0] = '\0';
}

/* Is text head + "prefix:Signature" + tail, with the prefix bound to XML-DSig at node? */
static bool
names_signature(const xmlNode *node, const char *text, const char *head, const char *tail)
{
	char prefix[64];
	size_t h = strlen(head), n;
	const xmlNs *ns;

	if (strncmp(text, head, h) != 0)
		return false;
	text += h;
	n = strcspn(text, ":");
	if (n == 0 || n >= sizeof(prefix) || strncmp(text + n, ":Signature", 10) != 0 || strcmp(text + n + 10, tail) != 0)
		return false;
	memcpy(prefix, text, n);
	prefix[n] = '\0';
	ns = xmlSearchNs(node->doc, (xmlNode *)(uintptr_t)node, (const xmlChar *)prefix);
	return ns != NULL && ns->href != NULL && strcmp((const char *)ns->href, NS_DS) == 0;
}

/* Leave every ds:Signature out: no evaluation needed while the set is a subtree. */
static bool
hide_all(struct data *io)
{
	if (io->nodes.marks != NULL)
		return false;
	io->nodes.hide_signatures = true;
	return true;
}

/* head + "[@Id='value']" + tail, with any spelling of Id: the element that it means; NULL when it is not that or not one. */
static const xmlNode *
names_element(const struct run *r, const struct data *io, const char *text, const char *head, const char *tail)
{
	char name[3] = {0}, value[200];
	size_t h = strlen(head), n;
	bool ambiguous;
	const xmlNode *found;
	char quote;

	if (io->nodes.doc != r->d->dom || strncmp(text, head, h) != 0 || strncmp(text + h, "[@", 2) != 0)
		return NULL;
	text += h + 2;
	if ((text[0] | 0x20) != 'i' || (text[1] | 0x20) != 'd' || text[2] != '=' || (text[3] != '\'' && text[3] != '"'))
		return NULL;
	memcpy(name, text, 2);
	quote = text[3];
	text += 4;
	n = strcspn(text, "'\"");
	if (n == 0 || n >= sizeof(value) || text[n] != quote || text[n + 1] != ']' || strcmp(text + n + 2, tail) != 0)
		return NULL;
	memcpy(value, text, n);
	value[n] = '\0';
	found = idmap_find(&state_of(r->d)->ids, value, &ambiguous);
	if (found == NULL || ambiguous || xml_attr(found, name) == NULL || strcmp(xml_attr(found, name), value) != 0)
		return NULL;
	return found;
}

/* Forms that signers write every day, answered on the subtree itself. False: to be evaluated. */
static bool
filter_short(const struct run *r, const char *squeezed, struct data *io)
{
	const xmlNode *n;

	if (io->nodes.marks != NULL)
		return false;
	n = names_element(r, io, squeezed, "ancestor-or-self::*", "");
	if (n != NULL && is_within(io->nodes.apex, n))
		return true; /* all of the set lies in it */
	if (n != NULL && is_within(n, io->nodes.apex)) {
		io->nodes.apex = n;
		return true;
	}
	n = names_element(r, io, squeezed, "not(ancestor-or-self::*", ")");
	if (n == NULL || io->nodes.hidden != NULL)
		return false;
	io->nodes.hidden = n;
	return true;
}

enum err_code
xpath_filter(struct run *r, const xmlNode *transform, struct data *io, struct err *e)
{
	struct evaluator v = {.r = r, .doc = io->nodes.doc, .here = xml_first(transform, NS_DS, "XPath")};
	AUTO(buf) struct buf text = {0};
	struct marks *out = NULL;
	char squeezed[256];
	enum err_code rc;

	if (v.here == NULL)
		return run_fault(r, REF_TRANSFORM_FAILED, "XPath transform without an XPath element");
	xml_text(v.here, &text);
	if (buf_ok(&text, e) != ERR_OK)
		return err_wrap(e, "XPath");
	squeeze(buf_str(&text), squeezed, sizeof(squeezed));
	if (names_signature(v.here, squeezed, "not(ancestor-or-self::", ")") && hide_all(io))
		return ERR_OK;
	r->filtered = true;
	if (filter_short(r, squeezed, io))
		return ERR_OK;
	rc = data_marks(r, io, e);
	if (rc != ERR_OK || r->fault != REF_FINE)
		return rc;
	rc = marks_new(io->numbers, &out, e);
	if (rc == ERR_OK)
		rc = evaluator_open(&v, buf_str(&text), e);
	if (rc == ERR_OK && r->fault == REF_FINE)
		rc = filter_all(&v, io->nodes.marks, out, e);
	evaluator_close(&v);
	if (rc == ERR_OK && r->fault == REF_FINE) {
		marks_free(io->nodes.marks);
		io->nodes.marks = TAKE(out);
	}
	marks_free(out);
	return rc;
}

/* ---- XPath Filter 2.0 ---- */

enum filter_kind { F_INTERSECT, F_SUBTRACT, F_UNION };

static bool
filter_kind(const xmlNode *x, enum filter_kind *out)
{
	const char *s = xml_attr(x, "Filter");

	if (s == NULL)
		return false;
	*out = strcmp(s, "intersect") == 0 ? F_INTERSECT : strcmp(s, "subtract") == 0 ? F_SUBTRACT : F_UNION;
	return *out != F_UNION || strcmp(s, "union") == 0;
}

/* The selected nodes with their whole subtrees. A selected namespace node has none and is passed over. */
static void
mark_subtrees(const xmlNodeSet *found, const struct numbering *numbers, struct marks *out)
{
	int i;

	for (i = 0; found != NULL && i < found->nodeNr; i++) {
		const xmlNode *n = found->nodeTab[i];
		size_t first;

		if (n->type == XML_NAMESPACE_DECL)
			continue;
		first = number_of(n);
		marks_put_range(out, first, numbers->last[first], true);
	}
}

static enum err_code
evaluate_set(struct evaluator *v, const char *text, const struct numbering *numbers, struct marks *out, struct err *e)
{
	xmlXPathObject *found;

	if (evaluator_open(v, text, e) != ERR_OK)
		return err_wrap(e, "XPath");
	if (v->r->fault != REF_FINE)
		return ERR_OK;
	before(v);
	v->ctx->node = (xmlNode *)v->doc;
	found = xmlXPathCompiledEval(v->expr, v->ctx);
	if (after(v, found != NULL && found->type == XPATH_NODESET))
		mark_subtrees(found->nodesetval, numbers, out);
	xmlXPathFreeObject(found);
	return ERR_OK;
}

static void
combine(struct marks *z, const struct marks *s, size_t count, enum filter_kind kind)
{
	size_t i, octets = count / 8 + 1;

	for (i = 0; i < octets; i++) {
		if (kind == F_INTERSECT)
			z->bits[i] &= s->bits[i];
		else if (kind == F_SUBTRACT)
			z->bits[i] &= (uint8_t)~s->bits[i];
		else
			z->bits[i] |= s->bits[i];
	}
}

/* One dsig-xpath:XPath on the running set z. */
static enum err_code
filter2_step(struct run *r, const xmlNode *x, const struct data *io, struct marks *z, struct err *e)
{
	struct evaluator v = {.r = r, .doc = io->nodes.doc, .here = x};
	AUTO(buf) struct buf text = {0};
	struct marks *s = NULL;
	enum filter_kind kind;
	enum err_code rc;

	if (!filter_kind(x, &kind))
		return run_fault(r, REF_TRANSFORM_FAILED, "XPath Filter 2.0 without a known Filter");
	xml_text(x, &text);
	rc = buf_ok(&text, e);
	if (rc == ERR_OK)
		rc = marks_new(io->numbers, &s, e);
	if (rc == ERR_OK)
		rc = evaluate_set(&v, buf_str(&text), io->numbers, s, e);
	evaluator_close(&v);
	if (rc == ERR_OK && r->fault == REF_FINE)
		combine(z, s, io->numbers->count, kind);
	marks_free(s);
	return rc;
}

/* A single "subtract every signature", as the usual signing libraries write it. */
static bool
filter2_short(const xmlNode *transform, struct data *io)
{
	const xmlNode *x = xml_first(transform, FILTER2_URI, "XPath");
	AUTO(buf) struct buf text = {0};
	enum filter_kind kind;
	char squeezed[256];

	if (x == NULL || xml_next(x, FILTER2_URI, "XPath") != NULL || !filter_kind(x, &kind) || kind != F_SUBTRACT)
		return false;
	xml_text(x, &text);
	squeeze(buf_str(&text), squeezed, sizeof(squeezed));
	if (!names_signature(x, squeezed, "/descendant::", "") && !names_signature(x, squeezed, "//", ""))
		return false;
	return io->nodes.doc == x->doc && hide_all(io);
}

enum err_code
xpath_filter2(struct run *r, const xmlNode *transform, struct data *io, struct err *e)
{
	const xmlNode *x = xml_first(transform, FILTER2_URI, "XPath");
	struct marks *z = NULL;
	enum err_code rc;

	if (x == NULL)
		return run_fault(r, REF_TRANSFORM_FAILED, "XPath Filter 2.0 transform without an XPath element");
	if (filter2_short(transform, io))
		return ERR_OK;
	r->filtered = true;
	rc = data_marks(r, io, e);
	if (rc != ERR_OK || r->fault != REF_FINE)
		return rc;
	if (marks_new(io->numbers, &z, e) != ERR_OK)
		return err_wrap(e, "XPath Filter 2.0");
	marks_put_range(z, 0, io->numbers->count - 1, true);
	rc = ERR_OK;
	for (; x != NULL && rc == ERR_OK && r->fault == REF_FINE; x = xml_next(x, FILTER2_URI, "XPath"))
		rc = filter2_step(r, x, io, z, e);
	if (rc == ERR_OK && r->fault == REF_FINE)
		rc = marks_intersect(io->nodes.marks, z, e);
	marks_free(z);
	return rc;
}
