/* SPDX-License-Identifier: MIT */
#include "base/xml_int.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HARD_BYTES ((size_t)1 << 30)
#define HARD_DEPTH 1024

/*
 * One parse: the octets still to be handed out, the caps, what was counted, and the
 * first thing that went wrong. Once something did, no further octet is handed
 * out: libxml2 goes on after an error, without our counting.
 */
struct guard {
	struct slice left;
	struct encoding encoding;
	struct xml_limits max;
	size_t depth, nodes, text_bytes;
	bool in_text; /* the last event was text too: libxml2 hands a long one over in pieces */
	struct err err;
};

/* --- events -------------------------------------------------------------- */

static struct guard *
guard_of(void *ctx)
{
	return ((xmlParserCtxtPtr)ctx)->_private;
}

static void
stop(void *ctx, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
static void
stop(void *ctx, enum err_code code, const char *fmt, ...)
{
	struct guard *g = guard_of(ctx);
	char text[256];
	va_list ap;

	if (g->err.code == ERR_OK) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		err_set(&g->err, code, "line %d: %s", xmlSAX2GetLineNumber(ctx), text);
	}
	xmlStopParser(ctx);
}

static bool
count_nodes(void *ctx, size_t n)
{
	struct guard *g = guard_of(ctx);

	g->nodes += n;
	if (g->nodes <= g->max.max_nodes)
		return true;
	stop(ctx, ERR_LIMIT, "more than %zu nodes", g->max.max_nodes);
	return false;
}

static bool
name_fits(void *ctx, const xmlChar *name)
{
	struct guard *g = guard_of(ctx);

	if (name == NULL || strnlen((const char *)name, g->max.max_name_bytes + 1) <= g->max.max_name_bytes)
		return true;
	stop(ctx, ERR_LIMIT, "a name is longer than %zu octets", g->max.max_name_bytes);
	return false;
}

static bool
text_fits(void *ctx, size_t n)
{
	struct guard *g = guard_of(ctx);

	if (n <= g->max.max_text_bytes)
		return true;
	stop(ctx, ERR_LIMIT, "a text is longer than %zu octets", g->max.max_text_bytes);
	return false;
}

static void
on_doctype(void *ctx, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	(void)public_id;
	(void)system_id;
	stop(ctx, ERR_REFUSED, "a document type declaration (DOCTYPE %.40s)", name != NULL ? (const char *)name : "");
}

/* The five predefined ones never come here. */
static xmlEntityPtr
on_entity(void *ctx, const xmlChar *name)
{
	stop(ctx, ERR_REFUSED, "the entity &%.40s;", (const char *)name);
	return NULL;
}

static bool
attributes_fit(void *ctx, int n, const xmlChar **v)
{
	for (int i = 0; i < n; i++, v += 5) /* name, prefix, URI, value, value's end */
		if (!name_fits(ctx, v[0]) || !name_fits(ctx, v[1]) || !text_fits(ctx, (size_t)(v[4] - v[3])))
			return false;
	return true;
}

static void
on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int ns_n, const xmlChar **ns,
    int attr_n, int defaulted, const xmlChar **attrs)
{
	struct guard *g = guard_of(ctx);
	size_t scope = (size_t)((xmlParserCtxtPtr)ctx)->nsNr / 2;

	g->in_text = false;
	if (++g->depth > g->max.max_depth) {
		stop(ctx, ERR_LIMIT, "elements nested deeper than %zu", g->max.max_depth);
		return;
	}
	if (scope > g->max.max_namespaces) {
		stop(ctx, ERR_LIMIT, "more than %zu namespace declarations in scope", g->max.max_namespaces);
		return;
	}
	if (!count_nodes(ctx, 1 + (size_t)ns_n + (size_t)attr_n) || !name_fits(ctx, name) || !name_fits(ctx, prefix) ||
	    !attributes_fit(ctx, attr_n, attrs))
		return;
	for (int i = 0; i < 2 * ns_n; i++)
		if (!name_fits(ctx, ns[i]))
			return;
	xmlSAX2StartElementNs(ctx, name, prefix, uri, ns_n, ns, attr_n, defaulted, attrs);
}

static void
on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct guard *g = guard_of(ctx);

	g->in_text = false;
	g->depth--;
	xmlSAX2EndElementNs(ctx, name, prefix, uri);
}

static void
on_text(void *ctx, const xmlChar *s, int n)
{
	struct guard *g = guard_of(ctx);

	if (!g->in_text) {
		g->in_text = true;
		g->text_bytes = 0;
		if (!count_nodes(ctx, 1))
			return;
	}
	g->text_bytes += (size_t)n;
	if (text_fits(ctx, g->text_bytes))
		xmlSAX2Characters(ctx, s, n);
}

static void
on_cdata(void *ctx, const xmlChar *s, int n)
{
	guard_of(ctx)->in_text = false;
	if (count_nodes(ctx, 1) && text_fits(ctx, (size_t)n))
		xmlSAX2CDataBlock(ctx, s, n);
}

static void
on_comment(void *ctx, const xmlChar *s)
{
	guard_of(ctx)->in_text = false;
	if (count_nodes(ctx, 1) && text_fits(ctx, strlen((const char *)s)))
		xmlSAX2Comment(ctx, s);
}

static void
on_pi(void *ctx, const xmlChar *target, const xmlChar *data)
{
	guard_of(ctx)->in_text = false;
	if (count_nodes(ctx, 1) && name_fits(ctx, target) &&
	    text_fits(ctx, data != NULL ? strlen((const char *)data) : 0))
		xmlSAX2ProcessingInstruction(ctx, target, data);
}

static void
copy_message(const char *from, char *to, size_t size)
{
	size_t n;

	snprintf(to, size, "%s", from != NULL ? from : "no reason given");
	for (n = strlen(to); n > 0 && to[n - 1] == '\n'; n--)
		to[n - 1] = '\0';
	for (char *p = to; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

/*
 * A document that breaks the namespace rules is well-formed XML, but has no canonical form.
 * "Not a valid URI" is none of these: declared names are compared, not resolved.
 */
static bool
breaks_namespaces(const xmlError *error)
{
	return error->domain == XML_FROM_NAMESPACE && error->code >= XML_NS_ERR_XML_NAMESPACE &&
	       error->code <= XML_NS_ERR_COLON;
}

/* Octets that are no character of the document's encoding; told without a parser context. */
static bool
breaks_encoding(const xmlError *error)
{
	return error->code == XML_I18N_CONV_FAILED || error->code == XML_IO_ENCODER;
}

/* The first error counts. Stopping the parser is not allowed from here; the reader sees err and dries up. */
static void
note_error(struct guard *g, const xmlError *error)
{
	char text[240];

	if (error->code == XML_ERR_NO_MEMORY) {
		err_nomem(&g->err);
		return;
	}
	if (g->err.code != ERR_OK ||
	    (error->level != XML_ERR_FATAL && !breaks_namespaces(error) && !breaks_encoding(error)))
		return;
	copy_message(error->message, text, sizeof(text));
	if (error->line > 0)
		err_set(&g->err, ERR_FORMAT, "not well-formed: line %d: %s", error->line, text);
	else
		err_set(&g->err, ERR_FORMAT, "not well-formed: %s", text);
}

/* libxml2 2.9 gives the parser's context, but not when memory ran out. */
static void
on_error(void *ctx, xmlErrorPtr error)
{
	if (ctx == NULL)
		ctx = error->ctxt;
	if (ctx != NULL)
		note_error(guard_of(ctx), error);
}

/* Errors of tree building and conversion, which know no parser. */
static void
on_loose_error(void *ctx, xmlErrorPtr error)
{
	note_error(ctx, error);
}

static void
on_any_error(void *ctx, xmlErrorPtr error)
{
	(void)ctx;
	(void)error;
}

static int
hand_out(void *ctx, char *to, int n)
{
	struct guard *g = ctx;
	size_t take;

	if (g->err.code != ERR_OK || n <= 0 || g->left.n == 0)
		return 0;
	if (g->encoding.set != NULL) {
		take = charset_to_utf8(g->encoding.set, &g->left, (uint8_t *)to, (size_t)n);
		if (take == 0)
			err_set(&g->err, ERR_FORMAT, "not well-formed: octet %#x can't be converted from %s", g->left.p[0],
			    g->encoding.name);
		return (int)take;
	}
	take = (size_t)n < g->left.n ? (size_t)n : g->left.n;
	memcpy(to, g->left.p, take);
	g->left = slice_of(g->left.p + take, g->left.n - take);
	return (int)take;
}

/* --- memory -------------------------------------------------------------- */

/*
 * libxml2 2.9 does not tell every failed allocation: some look like a malformed
 * document, some leave a tree without the attribute or namespace that did not
 * fit. Its hooks take no context, hence the one variable of a thread here.
 */
static _Thread_local bool memory_failed;

static void *
noting_malloc(size_t n)
{
	void *p = malloc(n);

	memory_failed |= p == NULL;
	return p;
}

static void *
noting_realloc(void *p, size_t n)
{
	p = realloc(p, n);
	memory_failed |= p == NULL;
	return p;
}

static char *
noting_strdup(const char *s)
{
	char *p = strdup(s);

	memory_failed |= p == NULL;
	return p;
}

/* --- load ---------------------------------------------------------------- */

static PRINTF(2, 3) void
on_generic_error(void *ctx, const char *fmt, ...)
{
	(void)ctx;
	(void)fmt;
}

void
xml_init(void)
{
	xmlMemSetup(free, noting_malloc, noting_realloc, noting_strdup);
	xmlInitParser();
	/* Errors without a parser context (conversion, memory, C14N) would go to stderr otherwise. */
	xmlSetStructuredErrorFunc(NULL, on_any_error);
	xmlSetGenericErrorFunc(NULL, on_generic_error); /* XPath names unknown functions this way */
}

static size_t
cap(size_t asked, size_t dflt, size_t hard)
{
	size_t v = asked == 0 ? dflt : asked;

	return v < hard ? v : hard;
}

static struct xml_limits
caps_of(const struct xml_limits *l)
{
	static const struct xml_limits none;

	if (l == NULL)
		l = &none;
	return (struct xml_limits){
	    .max_bytes = cap(l->max_bytes, (size_t)256 << 20, HARD_BYTES),
	    .max_depth = cap(l->max_depth, 256, HARD_DEPTH),
	    .max_nodes = cap(l->max_nodes, 4000000, SIZE_MAX),
	    .max_attrs = cap(l->max_attrs, 512, 65536),
	    .max_namespaces = cap(l->max_namespaces, 1024, 65536),
	    .max_name_bytes = cap(l->max_name_bytes, 4096, 65536),
	    .max_text_bytes = cap(l->max_text_bytes, (size_t)256 << 20, HARD_BYTES),
	};
}

static void
set_events(xmlSAXHandler *sax)
{
	sax->internalSubset = on_doctype;
	sax->externalSubset = NULL;
	sax->getEntity = on_entity;
	sax->getParameterEntity = on_entity;
	sax->startElementNs = on_start;
	sax->endElementNs = on_end;
	sax->characters = on_text;
	sax->ignorableWhitespace = on_text;
	sax->cdataBlock = on_cdata;
	sax->comment = on_comment;
	sax->processingInstruction = on_pi;
	sax->serror = on_error;
}

static xmlDocPtr
read_all(xmlParserCtxtPtr ctx, struct guard *g, int options)
{
	xmlStructuredErrorFunc saved = xmlStructuredError;
	void *saved_ctx = xmlStructuredErrorContext;
	xmlDocPtr doc;

	ctx->_private = g;
	set_events(ctx->sax);
	xmlSetStructuredErrorFunc(g, on_loose_error);
	doc = xmlCtxtReadIO(ctx, hand_out, NULL, g, NULL, NULL, options);
	xmlSetStructuredErrorFunc(saved_ctx, saved);
	return doc;
}

/* What was converted on the way in had its declaration ignored; the tree says what the octets are. */
static void
name_encoding(const struct guard *g, xmlDocPtr doc)
{
	xmlFree((xmlChar *)(uintptr_t)doc->encoding);
	doc->encoding = xmlStrdup((const xmlChar *)g->encoding.name);
}

static enum err_code
parse(struct guard *g, xmlDocPtr *out, struct err *e)
{
	/* HUGE lifts libxml2's own caps (10 MB a text), which our documents exceed; the guard counts instead. */
	const int options = XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOXINCNODE | (g->encoding.set != NULL ? XML_PARSE_IGNORE_ENC : 0);
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	xmlParserCtxtPtr ctx;

	memory_failed = false;
	ctx = xmlNewParserCtxt();
	if (ctx == NULL)
		return err_nomem(e);
	doc = read_all(ctx, g, options);
	xmlFreeParserCtxt(ctx);
	if (doc != NULL && g->encoding.set != NULL)
		name_encoding(g, doc);
	if (memory_failed)
		err_nomem(&g->err);
	xmlResetLastError();
	if (doc == NULL && g->err.code == ERR_OK)
		err_set(&g->err, ERR_FORMAT, "not well-formed");
	if (g->err.code != ERR_OK)
		return err_set(e, g->err.code, "XML: %s", g->err.text);
	*out = TAKE(doc);
	return ERR_OK;
}

enum err_code
xml_load(struct slice raw, const struct xml_limits *limits, xmlDocPtr *out, struct err *e)
{
	struct guard g = {.left = raw, .max = caps_of(limits)};

	if (raw.n > g.max.max_bytes)
		return err_set(
		    e, ERR_LIMIT, "XML: a document of %zu octets, at most %zu", raw.n, g.max.max_bytes);
	if (raw.n == 0)
		return err_set(e, ERR_FORMAT, "XML: not well-formed: empty");
	if (xml_check_raw(raw, &g.max, &g.encoding, &g.err) != ERR_OK)
		return err_set(e, g.err.code, "XML: %s", g.err.text);
	return parse(&g, out, e);
}

void
xml_doc_auto(xmlDocPtr *doc)
{
	if (*doc != NULL)
		xmlFreeDoc(*doc);
}

enum err_code
xml_err(struct err *e, enum err_code code, const char *fmt, ...)
{
	const xmlError *last = xmlGetLastError();
	char text[240], why[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (last != NULL && last->code == XML_ERR_NO_MEMORY)
		code = ERR_NOMEM;
	if (last != NULL && last->message != NULL) {
		copy_message(last->message, why, sizeof(why));
		err_set(e, code, "%s: %s", text, why);
	} else {
		err_set(e, code, "%s", text);
	}
	xmlResetLastError();
	return code;
}
