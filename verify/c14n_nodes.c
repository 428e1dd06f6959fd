/* SPDX-License-Identifier: MIT */
/* Canonical form of an arbitrary node-set, by libxml2 with a visibility callback over marks. */
#include "verify/c14n.h"

#include "base/xml.h"

#include <libxml/c14n.h>
#include <stdlib.h>

static int
visible(void *ctx, xmlNode *node, xmlNode *parent)
{
	const struct marks *m = ctx;

	if (node->type == XML_NAMESPACE_DECL)
		return parent != NULL && marks_has_ns(m, parent, (const xmlNs *)node);
	return marks_has(m, number_of(node));
}

struct relay {
	const struct sink *to;
	struct err *e;
	enum err_code code;
};

static int
relay_write(void *ctx, const char *p, int n)
{
	struct relay *r = ctx;

	if (r->code == ERR_OK)
		r->code = sink_write(r->to, slice_of(p, (size_t)n), r->e);
	return r->code == ERR_OK ? n : -1;
}

static int
relay_close(void *ctx)
{
	(void)ctx;
	return 0;
}

static enum err_code
write_marks(const struct c14n *how, xmlDoc *doc, struct marks *m, const struct sink *to, struct err *e)
{
	static const int modes[] = {[C14N_10] = XML_C14N_1_0, [C14N_11] = XML_C14N_1_1, [C14N_EXC] = XML_C14N_EXCLUSIVE_1_0};
	struct relay r = {to, e, ERR_OK};
	struct prefixes cut = {0};
	xmlChar *list[PREFIXES_MAX + 1] = {NULL};
	xmlOutputBuffer *out;
	size_t i;
	int rc, closed;

	if (prefixes_cut(how, &cut, e) != ERR_OK) {
		free(cut.text);
		return err_wrap(e, "canonical form");
	}
	for (i = 0; i < cut.n; i++)
		list[i] = (xmlChar *)(uintptr_t)(*cut.v[i] == '\0' ? "#default" : cut.v[i]);
	out = xmlOutputBufferCreateIO(relay_write, relay_close, &r, NULL);
	if (out == NULL) {
		free(cut.text);
		return err_nomem(e);
	}
	rc = xmlC14NExecute(doc, visible, m, modes[how->mode], cut.n != 0 ? list : NULL, how->comments, out);
	closed = xmlOutputBufferClose(out);
	free(cut.text);
	if (r.code != ERR_OK)
		return r.code;
	if (rc < 0 || closed < 0)
		return xml_err(e, ERR_FORMAT, "no canonical form");
	return ERR_OK;
}

enum err_code
c14n_write_slow(const struct c14n *how, const struct nodes *what, struct numbering *numbers, const struct sink *to, struct err *e)
{
	struct marks *m = NULL;
	enum err_code r;

	if (what->marks == NULL && nodes_marks(what, numbers, &m, e) != ERR_OK)
		return err_wrap(e, "canonical form");
	r = write_marks(how, what->doc, what->marks != NULL ? what->marks : m, to, e);
	if (r == ERR_OK && what->trace != NULL) {
		marks_trace(what->marks != NULL ? what->marks : m, what->doc, what->trace);
		r = trace_ok(what->trace, e);
	}
	marks_free(m);
	return r;
}
