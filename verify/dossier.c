/* SPDX-License-Identifier: MIT */
/*
 * What a signature in an e-akta must cover (xades.md 9). A signature that
 * covers less is valid XML-DSig, but no e-akta signature.
 */
#include "verify/xades_int.h"

#include <string.h>

static bool
is_es(const xmlNode *n, const char *local)
{
	const char *ns;

	if (n == NULL || n->type != XML_ELEMENT_NODE || n->ns == NULL || n->ns->href == NULL)
		return false;
	ns = (const char *)n->ns->href;
	return strcmp((const char *)n->name, local) == 0 &&
	    (strcmp(ns, "https://www.microsec.hu/ds/e-szigno30#") == 0 || strncmp(ns, "http://www.e-cegjegyzek.hu/", 27) == 0);
}

static const xmlNode *
es_child(const xmlNode *parent, const char *local)
{
	const xmlNode *c;

	for (c = xml_first(parent, NULL, NULL); c != NULL && !is_es(c, local); c = xml_next(c, NULL, NULL))
		;
	return c;
}

/* All its text in c, where it has nothing else: a payload behind a base64 transform. */
static bool
text_covered(const struct cover *c, const xmlNode *element)
{
	return xml_first(element, NULL, NULL) == NULL && cover_touches(c, element) && cover_holds_text(c, element);
}

/* Does one of its intact references cover this element whole? */
static bool
is_covered(struct sigdoc *d, struct xsig *s, const xmlNode *element)
{
	struct covered c;
	struct err e;
	size_t i;

	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].intact == TRI_TRUE && cover_reference(d, s, &s->refs[i], &c, &e) == ERR_OK &&
		    (cover_holds(&c.cover, element) || text_covered(&c.cover, element)))
			return true;
	return false;
}

/* The element that a bare OBJREF names; NULL when it is none or two. */
static const xmlNode *
objref(const struct sigdoc *d, const xmlNode *profile)
{
	const char *id = xml_attr(profile, "OBJREF");
	bool ambiguous = false;
	const xmlNode *n = id != NULL ? idmap_find(&state_of(d)->ids, id, &ambiguous) : NULL;

	return ambiguous ? NULL : n;
}

static const xmlNode *
own_profile(const struct xsig *s)
{
	const xmlNode *o, *p = NULL;

	for (o = xml_first(s->node, NS_DS, "Object"); o != NULL && p == NULL; o = xml_next(o, NS_DS, "Object"))
		p = es_child(o, "SignatureProfile");
	return p;
}

static const char *
own_fault(struct sigdoc *d, struct xsig *s)
{
	const xmlNode *p = own_profile(s);

	if (p == NULL)
		return "the signature has no SignatureProfile (e-akta specification)";
	if (!is_covered(d, s, p))
		return "the signature does not cover its SignatureProfile (e-akta specification)";
	return s->props_ref != NULL ? NULL : "the signature does not cover its SignedProperties (e-akta specification)";
}

static const char *
document_fault(struct sigdoc *d, struct xsig *s, const xmlNode *document)
{
	const xmlNode *profile = es_child(document, "DocumentProfile"), *payload = xml_first(document, NS_DS, "Object");

	if (profile != NULL) {
		payload = objref(d, profile);
		/* One that leads elsewhere shows another document than the signed one. */
		if (payload == NULL || !is_ds(payload, "Object") || payload->parent != document)
			return "DocumentProfile/@OBJREF does not lead to the Object of its Document (e-akta specification)";
		if (!is_covered(d, s, profile))
			return "the signature does not cover the DocumentProfile (e-akta specification)";
	}
	if (payload != NULL && !is_covered(d, s, payload))
		return "the signature does not cover the Document's Object (e-akta specification)";
	return own_fault(d, s);
}

static const char *
frame_fault(struct sigdoc *d, struct xsig *s, const xmlNode *root)
{
	const xmlNode *profile = es_child(root, "DossierProfile"), *documents = es_child(root, "Documents");

	if (profile == NULL || documents == NULL || objref(d, profile) != documents)
		return "DossierProfile/@OBJREF does not lead to the Documents (e-akta specification)";
	if (!is_covered(d, s, profile))
		return "the signature does not cover the DossierProfile (e-akta specification)";
	if (!is_covered(d, s, documents))
		return "the signature does not cover the Documents (e-akta specification)";
	return own_fault(d, s);
}

/* A sibling that says so in its profile: it must cover some SignatureValue that is not its own. */
static bool
is_sibling_counter(const struct xsig *s)
{
	const xmlNode *type = es_child(own_profile(s), "Type");
	AUTO(mem) char *text = NULL;

	if (type == NULL || xml_text_dup(type, 100, &text, NULL) != ERR_OK)
		return false;
	return strcmp(text, "countersignature") == 0 || strncmp(text, "ellenjegyz", 10) == 0;
}

static const char *
sibling_fault(struct sigdoc *d, struct xsig *s)
{
	size_t i;

	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].intact == TRI_TRUE && is_ds(s->refs[i].target, "SignatureValue") && s->refs[i].target != s->signature_value &&
		    is_covered(d, s, s->refs[i].target))
			return own_fault(d, s);
	return "the counter-signature does not cover the value that it countersigns (e-akta specification)";
}

const char *
sig_dossier_fault(struct sigdoc *d, struct xsig *s)
{
	const xmlNode *root = d->dom != NULL ? xmlDocGetRootElement(d->dom) : NULL;

	if (!d->dossier || s->nested)
		return NULL;
	if (s->parent >= 0)
		return s->master_ref != NULL ? own_fault(d, s) : "the counter-signature does not cover its master's value (e-akta specification)";
	if (is_sibling_counter(s))
		return sibling_fault(d, s);
	if (is_es(s->node->parent, "Document"))
		return document_fault(d, s, s->node->parent);
	return s->node->parent == root ? frame_fault(d, s, root) : "the signature stands where an e-akta has none (e-akta specification)";
}
