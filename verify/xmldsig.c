/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include "base/xml.h"

#include <string.h>

#define TYPE_MANIFEST NS_DS "Manifest"
#define TYPE_PROPERTIES NS_DS "SignatureProperties"
#define TYPE_OBJECT NS_DS "Object"
#define TYPE_COUNTERSIGNED "http://uri.etsi.org/01903#CountersignedSignature"

/* Each version has its own Type (xades.md 2); another's does not make a reference the one to SignedProperties. */
static bool
is_props_type(const struct xsig *s, const char *type)
{
	static const char *const types[] = {[XADES_111] = NS_X111 "SignedProperties",
	    [XADES_122] = NS_X122 "SignedProperties",
	    [XADES_132] = "http://uri.etsi.org/01903#SignedProperties"};
	enum xades_version v;

	for (v = XADES_111; v <= XADES_132; v++)
		if ((s->version == XADES_NONE || s->version == v) && strcmp(type, types[v]) == 0)
			return true;
	return false;
}

enum err_code
digest_read(struct sigdoc *d, const xmlNode *parent, struct digest *out, char **uri, struct err *e)
{
	/* 1.1.1 has the two in its own namespace, as its parent. */
	const char *own = parent != NULL && parent->ns != NULL ? (const char *)parent->ns->href : NS_DS;
	const char *ns = xml_first(parent, NS_DS, "DigestMethod") != NULL ? NS_DS : own;
	const xmlNode *method = xml_first(parent, ns, "DigestMethod"), *value = xml_first(parent, ns, "DigestValue");
	const char *name = xml_attr(method, "Algorithm");
	const struct digest_row *row = name != NULL ? digest_by_uri(name) : NULL;
	struct slice octets;

	*out = (struct digest){0};
	if (uri != NULL)
		*uri = name != NULL ? arena_dup(&state_of(d)->arena, name) : NULL;
	if (base64_read(d, value, &octets, e) != ERR_OK)
		return err_wrap(e, "digest");
	if (row != NULL)
		out->alg = row->alg;
	if (octets.n <= sizeof(out->octets)) {
		out->n = octets.n;
		if (octets.n != 0)
			memcpy(out->octets, octets.p, octets.n);
	}
	return ERR_OK;
}

static enum err_code
attr_read(struct sigdoc *d, const xmlNode *n, const char *name, char **out, struct err *e)
{
	const char *v = xml_attr(n, name);

	*out = NULL;
	if (v == NULL)
		return ERR_OK;
	*out = arena_dup(&state_of(d)->arena, v);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* The element that a same-document URI means; NULL for the document, for other URIs and when it is not one element. */
static enum err_code
target_of(struct sigdoc *d, struct xsig *s, const char *uri, xmlNode **out, struct err *e)
{
	struct run r = {.d = d, .s = s};
	struct data at = {0};
	enum err_code rc;

	*out = NULL;
	if (!uri_is_local(uri) || *uri == '\0')
		return ERR_OK;
	rc = deref_local(&r, uri, &at, e);
	if (rc == ERR_OK && r.fault == REF_FINE && at.nodes.apex->type == XML_ELEMENT_NODE)
		*out = (xmlNode *)(uintptr_t)at.nodes.apex;
	return rc;
}

/* Type is a claim: what it resolves to inside this signature decides (xades.md 1.4). */
static enum ref_kind
kind_of(const struct sigdoc *d, const struct xsig *s, const struct xref *x)
{
	const xmlNode *master = s->parent >= 0 ? d->sigs[s->parent].signature_value : NULL;
	const char *type = x->type != NULL ? x->type : "";

	if (is_props_type(s, type))
		return REF_SIGNED_PROPERTIES;
	if (strcmp(type, TYPE_COUNTERSIGNED) == 0 || (master != NULL && x->target == master))
		return REF_COUNTERSIGNED;
	if (is_ds(x->target, "Manifest"))
		return REF_MANIFEST;
	if (x->target == NULL || !is_within(x->target, s->node))
		return REF_DATA;
	if (x->target == s->key_info)
		return REF_KEY_INFO;
	if (strcmp(type, TYPE_PROPERTIES) == 0 && is_ds(x->target, "SignatureProperties"))
		return REF_SIGNATURE_PROPERTIES;
	return is_ds(x->target, "Object") && x->target->parent == s->node ? REF_OBJECT : REF_DATA;
}

static enum err_code
ref_read(struct sigdoc *d, struct xsig *s, xmlNode *node, struct xref *x, struct err *e)
{
	x->node = node;
	x->serial = state_of(d)->n_proofs++;
	if (attr_read(d, node, "Id", &x->id, e) != ERR_OK || attr_read(d, node, "URI", &x->uri, e) != ERR_OK ||
	    attr_read(d, node, "Type", &x->type, e) != ERR_OK || digest_read(d, node, &x->digest, &x->digest_uri, e) != ERR_OK ||
	    target_of(d, s, x->uri, &x->target, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (xml_count(node, NS_DS, "Transforms") > 1)
		s->ref_transforms_simple = false;
	state_of(d)->digest_set |= 1u << x->digest.alg;
	return ERR_OK;
}

static enum err_code
list_read(struct sigdoc *d, struct xsig *s, const xmlNode *parent, struct xref **out, size_t *n, struct err *e)
{
	size_t count = xml_count(parent, NS_DS, "Reference"), i = 0, externals = 0, k;
	struct xref *v = arena_new(&state_of(d)->arena, (count + 1) * sizeof(*v));
	xmlNode *c;

	if (v == NULL)
		return err_nomem(e);
	for (c = xml_first(parent, NS_DS, "Reference"); c != NULL; c = xml_next(c, NS_DS, "Reference"))
		if (ref_read(d, s, c, &v[i++], e) != ERR_OK)
			return err_wrap(e, "reference %zu", i);
	for (k = 0; k < i; k++)
		externals += !uri_is_local(v[k].uri);
	for (k = 0; k < i; k++)
		v[k].only_external = externals == 1;
	*out = v;
	*n = i;
	return ERR_OK;
}

/* Does an earlier reference lead to the same Manifest? Its entries are read and checked there, once. */
static bool
read_already(const struct xsig *s, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (s->refs[k].kind == REF_MANIFEST && s->refs[k].target == s->refs[i].target)
			return true;
	return false;
}

enum err_code
refs_read(struct sigdoc *d, struct xsig *s, struct err *e)
{
	size_t i;

	s->ref_transforms_simple = true;
	if (list_read(d, s, s->signed_info, &s->refs, &s->n_refs, e) != ERR_OK)
		return err_wrap(e, "SignedInfo");
	for (i = 0; i < s->n_refs; i++) {
		struct xref *x = &s->refs[i];

		x->kind = kind_of(d, s, x);
		if (x->kind == REF_MANIFEST && !read_already(s, i) && list_read(d, s, x->target, &x->entries, &x->n_entries, e) != ERR_OK)
			return err_wrap(e, "Manifest");
	}
	return ERR_OK;
}

/* Is n a child of one of this signature's own ds:Objects? */
static bool
in_own_object(const struct xsig *s, const xmlNode *n)
{
	return n != NULL && is_ds(n->parent, "Object") && n->parent->parent == s->node;
}

/*
 * A Type claims a place or a kind. It is advisory (XMLDSig 1.1 4.4.3.1): what was signed is what the reference leads to, whatever
 * it is called, and a false claim is told. NULL when the claim holds or claims nothing.
 */
const char *
ref_false_claim(const struct sigdoc *d, const struct xsig *s, const struct xref *x)
{
	const char *type = x->type != NULL ? x->type : "";

	if (x->uri == NULL || x->uri[0] != '#' || strncmp(x->uri, "#xpointer(/", 11) == 0)
		return NULL;
	if (is_props_type(s, type) && x->target != s->signed_props && x != s->props_ref)
		return "the reference claims SignedProperties, but does not lead to those of this signature";
	if (strcmp(type, TYPE_OBJECT) == 0 && x->target != s->key_info && !(is_ds(x->target, "Object") && x->target->parent == s->node))
		return "the reference claims an Object, but does not lead to one of this signature";
	if (strcmp(type, TYPE_MANIFEST) == 0 && !(is_ds(x->target, "Manifest") && in_own_object(s, x->target)))
		return "the reference claims a Manifest, but does not lead to one in an Object of this signature";
	if (strcmp(type, TYPE_PROPERTIES) == 0 && (x->target == NULL || !is_within(x->target, s->node)))
		return "the reference claims SignatureProperties, but does not lead into this signature";
	if (strcmp(type, TYPE_COUNTERSIGNED) == 0 && s->parent >= 0 && x->target != d->sigs[s->parent].signature_value)
		return "the reference claims the countersigned SignatureValue, but leads to something else";
	return NULL;
}
