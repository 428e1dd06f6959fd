/* SPDX-License-Identifier: MIT */
/*
 * What an XPath costs beside the nodes that libxml2 counts: octets of string
 * values ("string(/)" for each of a hundred thousand nodes), pairs that are
 * compared, node-sets that are joined. Operators that may cost that are
 * rewritten as calls of functions of ours, the core functions that may are
 * replaced; each counts its operands as steps, then lets libxml2 do the work.
 */
#include "verify/xades_int.h"
#include "verify/xpath_meter.h"

#include <libxml/xpathInternals.h>
#include <string.h>

#define OCTETS_A_STEP 16
#define PAIRS_A_STEP 8
#define DEPTH_MAX 100
#define OWN "es_" /* no function of XPath 1.0 begins so */

/* ---- rewriting ---- */

enum sign { T_END, T_NAME, T_VALUE, T_DOT, T_SLASH, T_AXIS, T_STAR, T_OPEN, T_CLOSE, T_LEFT, T_RIGHT, T_COMMA, T_OPERATOR, T_BAD };

struct rewriter {
	const char *p;
	enum sign kind; /* of the token at hand */
	const char *at;
	size_t n;
	unsigned depth, rewritten;
	bool bad;
};

static bool
name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
ncname(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && (name_start(s[n]) || (n != 0 && (digit(s[n]) || s[n] == '-' || s[n] == '.'))))
		n++;
	return n;
}

/* prefix:name, prefix:*, name; "child::" is a name and an axis. */
static size_t
qname(const char *s)
{
	size_t n = ncname(s), k;

	if (s[n] != ':' || s[n + 1] == ':')
		return n;
	k = s[n + 1] == '*' ? 1 : ncname(s + n + 1);
	return k != 0 ? n + 1 + k : n;
}

static size_t
number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return s[n] == '.' ? n + 1 + strspn(s + n + 1, "0123456789") : n;
}

static const struct {
	const char *text; /* the longer ones first */
	enum sign kind;
} signs[] = {{"::", T_AXIS}, {"//", T_SLASH}, {"..", T_DOT}, {"!=", T_OPERATOR}, {"<=", T_OPERATOR}, {">=", T_OPERATOR}, {"/", T_SLASH},
    {".", T_DOT}, {"@", T_AXIS}, {"*", T_STAR}, {"(", T_OPEN}, {")", T_CLOSE}, {"[", T_LEFT}, {"]", T_RIGHT}, {",", T_COMMA},
    {"=", T_OPERATOR}, {"<", T_OPERATOR}, {">", T_OPERATOR}, {"+", T_OPERATOR}, {"-", T_OPERATOR}, {"|", T_OPERATOR}};

static void
next(struct rewriter *r)
{
	const char *close;
	size_t i;

	r->p += strspn(r->p, " \t\r\n");
	r->at = r->p;
	r->kind = T_BAD;
	r->n = 0;
	if (*r->p == '\0') {
		r->kind = T_END;
	} else if (name_start(*r->p)) {
		r->kind = T_NAME;
		r->n = qname(r->p);
	} else if (digit(*r->p) || (*r->p == '.' && digit(r->p[1]))) {
		r->kind = T_VALUE;
		r->n = number(r->p);
	} else if ((*r->p == '"' || *r->p == '\'') && (close = strchr(r->p + 1, *r->p)) != NULL) {
		r->kind = T_VALUE;
		r->n = (size_t)(close - r->p) + 1;
	}
	for (i = 0; r->kind == T_BAD && i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strncmp(r->p, signs[i].text, strlen(signs[i].text)) == 0) {
			r->kind = signs[i].kind;
			r->n = strlen(signs[i].text);
		}
	r->bad |= r->kind == T_BAD;
	r->p += r->n;
}

static bool
is_text(const struct rewriter *r, const char *text)
{
	return r->n == strlen(text) && memcmp(r->at, text, r->n) == 0;
}

/* The token at hand goes out as it is. */
static void
emit(struct rewriter *r, struct buf *out)
{
	buf_add8(out, ' ');
	buf_add(out, r->at, r->n);
	next(r);
}

static void rewrite(struct rewriter *r, size_t level, struct buf *out);

static void
expect(struct rewriter *r, enum sign kind, struct buf *out)
{
	if (r->kind == kind)
		emit(r, out);
	else
		r->bad = true;
}

static void
arguments(struct rewriter *r, struct buf *out)
{
	emit(r, out);
	if (r->kind != T_CLOSE)
		rewrite(r, 0, out);
	while (r->kind == T_COMMA && !r->bad) {
		emit(r, out);
		rewrite(r, 0, out);
	}
	expect(r, T_CLOSE, out);
}

/* A location path, or a primary expression with what follows it. Names and '*' behind an operand are operators (XPath 1.0, 3.7). */
static void
path(struct rewriter *r, struct buf *out)
{
	const char *from = r->at;
	bool operand = false;

	while (!r->bad) {
		if (r->kind == T_SLASH || r->kind == T_AXIS) {
			operand = false;
			emit(r, out);
		} else if ((r->kind == T_NAME || r->kind == T_STAR) && !operand) {
			bool own = r->kind == T_NAME && strncmp(r->at, OWN, strlen(OWN)) == 0;

			operand = true;
			emit(r, out);
			r->bad |= own && r->kind == T_OPEN;
			if (r->kind == T_OPEN && !r->bad)
				arguments(r, out);
		} else if ((r->kind == T_DOT || r->kind == T_VALUE) && !operand) {
			operand = true;
			emit(r, out);
		} else if (r->kind == T_OPEN && !operand) {
			operand = true;
			emit(r, out);
			rewrite(r, 0, out);
			expect(r, T_CLOSE, out);
		} else if (r->kind == T_LEFT && operand) {
			emit(r, out);
			rewrite(r, 0, out);
			expect(r, T_RIGHT, out);
		} else {
			break;
		}
	}
	r->bad |= r->at == from;
}

/* Loosest first. NULL: stays an operator, what it joins are truth values. */
static const struct {
	size_t level;
	const char *text, *function;
} operators[] = {{0, "or", NULL}, {1, "and", NULL}, {2, "=", "eq"}, {2, "!=", "ne"}, {3, "<", "lt"}, {3, "<=", "le"}, {3, ">", "gt"}, {3, ">=", "ge"},
    {4, "+", "add"}, {4, "-", "sub"}, {5, "*", "mul"}, {5, "div", "div"}, {5, "mod", "mod"}, {7, "|", "union"}};
#define LEVEL_UNARY 6
#define LEVEL_PATH 8

static const char *
operator_at(const struct rewriter *r, size_t level, bool *found)
{
	size_t i;

	*found = true;
	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (operators[i].level == level && is_text(r, operators[i].text))
			return operators[i].function;
	*found = false;
	return NULL;
}

static void
negated(struct rewriter *r, struct buf *out)
{
	if (!is_text(r, "-")) {
		rewrite(r, LEVEL_UNARY + 1, out);
		return;
	}
	next(r);
	r->rewritten++;
	buf_adds(out, " " OWN "neg(");
	rewrite(r, LEVEL_UNARY, out);
	buf_adds(out, ")");
}

/* An operand of this level, then operators of it, from the left. */
static void
chain(struct rewriter *r, size_t level, struct buf *out)
{
	AUTO(buf) struct buf left = {0};
	bool found;
	const char *function;
	unsigned links = 0;

	rewrite(r, level + 1, &left);
	for (function = operator_at(r, level, &found); found && !r->bad; function = operator_at(r, level, &found)) {
		AUTO(buf) struct buf both = {0};

		r->bad |= ++links > DEPTH_MAX * 4;
		if (function == NULL) {
			emit(r, &left);
			rewrite(r, level + 1, &left);
			continue;
		}
		next(r);
		r->rewritten++;
		buf_addf(&both, " " OWN "%s(", function);
		buf_addslice(&both, buf_slice(&left));
		buf_adds(&both, ",");
		rewrite(r, level + 1, &both);
		buf_adds(&both, ")");
		buf_release(&left);
		left = both;
		both = (struct buf){0};
	}
	buf_addslice(out, buf_slice(&left));
}

static void
rewrite(struct rewriter *r, size_t level, struct buf *out)
{
	if (r->bad || ++r->depth > DEPTH_MAX * (LEVEL_PATH + 1)) {
		r->bad = true;
		return;
	}
	if (level == LEVEL_PATH)
		path(r, out);
	else if (level == LEVEL_UNARY)
		negated(r, out);
	else
		chain(r, level, out);
	r->depth--;
}

bool
xpath_metered(const char *text, struct buf *out)
{
	struct rewriter r = {.p = text};

	buf_clear(out);
	next(&r);
	rewrite(&r, 0, out);
	if (r.bad || r.kind != T_END)
		return false;
	if (r.rewritten == 0) {
		buf_clear(out);
		buf_adds(out, text);
	}
	return !out->failed;
}

/* ---- counting ---- */

/* False: the limit is reached, the evaluation ends. */
static bool
spend(xmlXPathParserContextPtr ctxt, uint64_t steps)
{
	xmlXPathContext *c = ctxt->context;
	uint64_t left = c->opLimit > c->opCount ? c->opLimit - c->opCount : 0;

	c->opCount += (unsigned long)(steps < left ? steps : left + 1);
	if (steps <= left)
		return true;
	xmlXPathErr(ctxt, XPATH_OP_LIMIT_EXCEEDED);
	return false;
}

static uint64_t
octets_cost(const xmlChar *s)
{
	return 1 + (s != NULL ? strlen((const char *)s) / OCTETS_A_STEP : 0);
}

/* Nodes and octets that make up the string value; not much more than most. */
static uint64_t
value_cost(const xmlNode *top, uint64_t most)
{
	const xmlNode *n = top;
	uint64_t cost = 1;

	if (top == NULL || top->type == XML_NAMESPACE_DECL)
		return 1 + (top != NULL ? octets_cost(((const xmlNs *)(const void *)top)->href) : 0);
	if (top->type != XML_ELEMENT_NODE && top->type != XML_DOCUMENT_NODE && top->type != XML_ATTRIBUTE_NODE)
		return octets_cost(top->content);
	while (cost <= most) {
		cost += n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE ? octets_cost(n->content) : 1;
		if (n->children != NULL && n->type != XML_ENTITY_REF_NODE) {
			n = n->children;
			continue;
		}
		while (n != top && n->next == NULL)
			n = n->parent;
		if (n == top)
			break;
		n = n->next;
	}
	return cost;
}

static size_t
size_of(const xmlXPathObject *o)
{
	return o->type == XPATH_NODESET && o->nodesetval != NULL ? (size_t)o->nodesetval->nodeNr : 0;
}

/* All the values of a node-set; the value itself of anything else. */
static uint64_t
all_cost(const xmlXPathObject *o, uint64_t most)
{
	uint64_t cost = 1;
	size_t i;

	if (o->type == XPATH_STRING)
		return octets_cost(o->stringval);
	for (i = 0; i < size_of(o) && cost <= most; i++)
		cost += value_cost(o->nodesetval->nodeTab[i], most - cost);
	return cost;
}

/* As a string or number: of a node-set the first node's in document order, so it is sorted. */
static uint64_t
one_cost(const xmlXPathObject *o, uint64_t most)
{
	if (size_of(o) == 0)
		return all_cost(o, most);
	xmlXPathNodeSetSort(o->nodesetval);
	return size_of(o) + value_cost(o->nodesetval->nodeTab[0], most);
}

static uint64_t
left_of(xmlXPathParserContextPtr ctxt)
{
	return ctxt->context->opLimit > ctxt->context->opCount ? ctxt->context->opLimit - ctxt->context->opCount : 0;
}

/* The two topmost values, as operands. */
static bool
operands(xmlXPathParserContextPtr ctxt, int nargs, xmlXPathObject **a, xmlXPathObject **b)
{
	if (nargs != 2 || ctxt->valueNr < 2) {
		xmlXPathErr(ctxt, XPATH_INVALID_ARITY);
		return false;
	}
	*a = ctxt->valueTab[ctxt->valueNr - 2];
	*b = ctxt->valueTab[ctxt->valueNr - 1];
	return *a != NULL && *b != NULL;
}

/* Octets of the values, and each with each where both are sets. Against a truth value only emptiness counts. */
static bool
comparison_paid(xmlXPathParserContextPtr ctxt, int nargs)
{
	xmlXPathObject *a, *b;
	uint64_t cost, most = left_of(ctxt);

	if (!operands(ctxt, nargs, &a, &b))
		return false;
	if (a->type == XPATH_BOOLEAN || b->type == XPATH_BOOLEAN)
		return spend(ctxt, 1);
	cost = all_cost(a, most);
	if (cost <= most)
		cost += all_cost(b, most - cost);
	return spend(ctxt, cost + (uint64_t)size_of(a) * size_of(b) / PAIRS_A_STEP);
}

#define COMPARISON(name, call)                                                                                                             \
	static void fn_##name(xmlXPathParserContextPtr ctxt, int nargs)                                                                     \
	{                                                                                                                                   \
		if (comparison_paid(ctxt, nargs))                                                                                           \
			valuePush(ctxt, xmlXPathNewBoolean(call));                                                                          \
	}
COMPARISON(eq, xmlXPathEqualValues(ctxt))
COMPARISON(ne, xmlXPathNotEqualValues(ctxt))
COMPARISON(lt, xmlXPathCompareValues(ctxt, 1, 1))
COMPARISON(le, xmlXPathCompareValues(ctxt, 1, 0))
COMPARISON(gt, xmlXPathCompareValues(ctxt, 0, 1))
COMPARISON(ge, xmlXPathCompareValues(ctxt, 0, 0))

static bool
arithmetic_paid(xmlXPathParserContextPtr ctxt, int nargs)
{
	xmlXPathObject *a, *b;
	uint64_t most = left_of(ctxt);

	return operands(ctxt, nargs, &a, &b) && spend(ctxt, one_cost(a, most)) && spend(ctxt, one_cost(b, most));
}

#define ARITHMETIC(name, call)                                                                                                             \
	static void fn_##name(xmlXPathParserContextPtr ctxt, int nargs)                                                                     \
	{                                                                                                                                   \
		if (arithmetic_paid(ctxt, nargs))                                                                                           \
			call(ctxt);                                                                                                         \
	}
ARITHMETIC(add, xmlXPathAddValues)
ARITHMETIC(sub, xmlXPathSubValues)
ARITHMETIC(mul, xmlXPathMultValues)
ARITHMETIC(div, xmlXPathDivValues)
ARITHMETIC(mod, xmlXPathModValues)

static void
fn_neg(xmlXPathParserContextPtr ctxt, int nargs)
{
	CHECK_ARITY(1);
	if (spend(ctxt, one_cost(ctxt->value, left_of(ctxt))))
		xmlXPathValueFlipSign(ctxt);
}

/* libxml2 compares each node of the one set with each of the other. */
static void
fn_union(xmlXPathParserContextPtr ctxt, int nargs)
{
	xmlXPathObject *a, *b;

	if (!operands(ctxt, nargs, &a, &b))
		return;
	if (a->type != XPATH_NODESET || b->type != XPATH_NODESET) {
		xmlXPathErr(ctxt, XPATH_INVALID_TYPE);
		return;
	}
	if (!spend(ctxt, 1 + ((uint64_t)size_of(a) + size_of(b)) * size_of(b) / PAIRS_A_STEP))
		return;
	b = valuePop(ctxt);
	a->nodesetval = xmlXPathNodeSetMerge(a->nodesetval, b->nodesetval);
	xmlXPathFreeObject(b);
	if (a->nodesetval == NULL)
		xmlXPathErr(ctxt, XPATH_MEMORY_ERROR);
}

/* ---- the core functions that take string values ---- */

/* Every argument as a string or number; without one the context node. product: one is searched for in the other. */
static bool
arguments_paid(xmlXPathParserContextPtr ctxt, int nargs, bool whole_set, bool product)
{
	uint64_t cost = 0, times = 1;
	int i;

	if (nargs == 0)
		return spend(ctxt, value_cost(ctxt->context->node, left_of(ctxt)));
	for (i = 0; i < nargs && i < ctxt->valueNr; i++) {
		xmlXPathObject *o = ctxt->valueTab[ctxt->valueNr - 1 - i];
		uint64_t most = left_of(ctxt), one = o == NULL ? 1 : whole_set ? all_cost(o, most) : one_cost(o, most);

		if (!spend(ctxt, one))
			return false;
		cost += one;
		times = times < UINT32_MAX && one < UINT32_MAX ? times * one : UINT64_MAX;
	}
	return !product || spend(ctxt, times > cost ? times - cost : 0);
}

#define CORE(name, function, whole_set, product)                                                                                           \
	static void core_##name(xmlXPathParserContextPtr ctxt, int nargs)                                                                   \
	{                                                                                                                                   \
		if (arguments_paid(ctxt, nargs, whole_set, product))                                                                        \
			function(ctxt, nargs);                                                                                              \
	}
CORE(string, xmlXPathStringFunction, false, false)
CORE(string_length, xmlXPathStringLengthFunction, false, false)
CORE(normalize, xmlXPathNormalizeFunction, false, false)
CORE(number, xmlXPathNumberFunction, false, false)
CORE(concat, xmlXPathConcatFunction, false, false)
CORE(contains, xmlXPathContainsFunction, false, true)
CORE(starts_with, xmlXPathStartsWithFunction, false, false)
CORE(substring, xmlXPathSubstringFunction, false, false)
CORE(before, xmlXPathSubstringBeforeFunction, false, true)
CORE(after, xmlXPathSubstringAfterFunction, false, true)
CORE(translate, xmlXPathTranslateFunction, false, true)
CORE(sum, xmlXPathSumFunction, true, false)
CORE(floor, xmlXPathFloorFunction, false, false)
CORE(ceiling, xmlXPathCeilingFunction, false, false)
CORE(round, xmlXPathRoundFunction, false, false)

static const struct {
	const char *name;
	xmlXPathFunction function;
} functions[] = {{OWN "eq", fn_eq}, {OWN "ne", fn_ne}, {OWN "lt", fn_lt}, {OWN "le", fn_le}, {OWN "gt", fn_gt}, {OWN "ge", fn_ge}, {OWN "add", fn_add},
    {OWN "sub", fn_sub}, {OWN "mul", fn_mul}, {OWN "div", fn_div}, {OWN "mod", fn_mod}, {OWN "neg", fn_neg}, {OWN "union", fn_union},
    {"string", core_string}, {"string-length", core_string_length}, {"normalize-space", core_normalize}, {"number", core_number},
    {"concat", core_concat}, {"contains", core_contains}, {"starts-with", core_starts_with}, {"substring", core_substring},
    {"substring-before", core_before}, {"substring-after", core_after}, {"translate", core_translate}, {"sum", core_sum},
    {"floor", core_floor}, {"ceiling", core_ceiling}, {"round", core_round}};

bool
xpath_replace(xmlXPathContext *ctx, const char *name, xmlXPathFunction function)
{
	(void)xmlXPathRegisterFunc(ctx, (const xmlChar *)name, NULL); /* a name can't be given twice */
	return xmlXPathRegisterFunc(ctx, (const xmlChar *)name, function) == 0;
}

bool
xpath_meter(xmlXPathContext *ctx)
{
	size_t i;

	for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!xpath_replace(ctx, functions[i].name, functions[i].function))
			return false;
	return true;
}

bool
xpath_pay_values(xmlXPathParserContextPtr ctxt)
{
	return ctxt->value == NULL || spend(ctxt, all_cost(ctxt->value, left_of(ctxt)));
}
