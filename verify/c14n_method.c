/* SPDX-License-Identifier: MIT */
/* The six canonicalisation methods by URI, and their one parameter. */
#include "verify/c14n.h"

#include "base/xml.h"

#include <string.h>

#define NS_DSIG "http://www.w3.org/2000/09/xmldsig#"

static const struct {
	const char *uri;
	enum c14n_mode mode;
	bool comments;
} methods[] = {
    {C14N_10_URI, C14N_10, false},
    {C14N_10_URI "#WithComments", C14N_10, true},
    {"http://www.w3.org/2006/12/xml-c14n11", C14N_11, false},
    {"http://www.w3.org/2006/12/xml-c14n11#WithComments", C14N_11, true},
    {C14N_EXC_URI, C14N_EXC, false},
    {C14N_EXC_URI "WithComments", C14N_EXC, true},
};

bool
is_ds(const xmlNode *n, const char *local)
{
	return n != NULL && n->type == XML_ELEMENT_NODE && n->name[0] == (xmlChar)local[0] && n->ns != NULL &&
	    strcmp((const char *)n->name, local) == 0 && n->ns->href != NULL && strcmp((const char *)n->ns->href, NS_DSIG) == 0;
}

bool
c14n_by_uri(const char *uri, struct c14n *out)
{
	size_t i;

	*out = (struct c14n){0};
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].uri, uri) != 0)
			continue;
		out->mode = methods[i].mode;
		out->comments = methods[i].comments;
		return true;
	}
	return false;
}

bool
c14n_of(const xmlNode *node, struct c14n *out)
{
	const char *uri = node != NULL ? xml_attr(node, "Algorithm") : NULL;
	const xmlNode *list;

	*out = (struct c14n){0};
	if (uri == NULL || *uri == '\0')
		return true;
	if (!c14n_by_uri(uri, out))
		return false;
	list = out->mode == C14N_EXC ? xml_first(node, C14N_EXC_URI, "InclusiveNamespaces") : NULL;
	out->prefixes = xml_attr(list, "PrefixList");
	return true;
}

enum err_code
prefixes_cut(const struct c14n *how, struct prefixes *out, struct err *e)
{
	char *p, *save = NULL;

	if (how->mode != C14N_EXC || how->prefixes == NULL)
		return ERR_OK;
	out->text = mem_dupstr(how->prefixes);
	if (out->text == NULL)
		return err_nomem(e);
	for (p = strtok_r(out->text, " \t\r\n", &save); p != NULL; p = strtok_r(NULL, " \t\r\n", &save)) {
		if (out->n == PREFIXES_MAX)
			return err_set(e, ERR_LIMIT, "PrefixList of more than %d prefixes", PREFIXES_MAX);
		out->v[out->n++] = strcmp(p, "#default") == 0 ? "" : p;
	}
	return ERR_OK;
}
