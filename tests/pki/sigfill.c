/* SPDX-License-Identifier: MIT */
/*
 * Digests, signature value and stamp of a signature that this program wrote.
 * Nothing is copied or unlinked for canonicalisation: what is left out is
 * hidden by the callback, so that namespaces stay those of the place.
 */
#include "tests/pki/sign.h"

#include <ctype.h>
#include <libxml/c14n.h>
#include <openssl/ec.h>
#include <string.h>

struct view {
	const xmlNode *apex;    /* NULL: the whole document */
	const xmlNode *without; /* subtree left out */
	bool no_signatures;     /* every ds:Signature left out */
};

bool
xml_is(const xmlNode *n, const char *ns, const char *name)
{
	return n != NULL && n->type == XML_ELEMENT_NODE && n->ns != NULL &&
	       strcmp((const char *)n->ns->href, ns) == 0 &&
	       strcmp((const char *)n->name, name) == 0;
}

xmlNode *
xml_by_id(xmlNode *from, const char *id)
{
	for (xmlNode *n = from; n != NULL; n = n->next) {
		xmlNode *found;

		if (n->type != XML_ELEMENT_NODE)
			continue;
		for (xmlAttr *a = n->properties; a != NULL; a = a->next)
			if (a->ns == NULL &&
			    strcmp((const char *)a->name, "Id") == 0 &&
			    a->children != NULL &&
			    strcmp((const char *)a->children->content, id) == 0)
				return n;
		if ((found = xml_by_id(n->children, id)) != NULL)
			return found;
	}
	return NULL;
}

static xmlNode *
child(const xmlNode *n, const char *ns, const char *name)
{
	xmlNode *c = n != NULL ? n->children : NULL;

	while (c != NULL && !xml_is(c, ns, name))
		c = c->next;
	return c;
}

static int
visible(void *ctx, xmlNodePtr node, xmlNodePtr parent)
{
	const struct view *v = ctx;
	/* a namespace or attribute is seen with the element it stands on */
	const xmlNode *n =
	    node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE
		? parent
		: node;
	bool inside = v->apex == NULL;

	for (; n != NULL && n->type != XML_DOCUMENT_NODE; n = n->parent) {
		if (n == v->without ||
		    (v->no_signatures && xml_is(n, NS_DS, "Signature")))
			return 0;
		if (n == v->apex)
			inside = true;
	}
	return inside;
}

static enum err_code
canonical(xmlDoc *doc, const struct view *v, const struct c14n_row *c14n,
    bool comments, struct buf *out, struct err *e)
{
	xmlOutputBuffer *b = xmlAllocOutputBuffer(NULL);
	int n;

	if (b == NULL)
		return err_nomem(e);
	n = xmlC14NExecute(
	    doc, visible, (void *)v, c14n->mode, NULL, comments, b);
	if (n >= 0)
		buf_add(out, xmlOutputBufferGetContent(b),
		    xmlOutputBufferGetSize(b));
	xmlOutputBufferClose(b);
	return n >= 0 ? buf_ok(out, e)
		      : err_set(e, ERR_FORMAT, "canonical form");
}

static bool
attribute_is(xmlNode *n, const char *name, const char *value)
{
	xmlChar *v = xmlGetNoNsProp(n, (const xmlChar *)name);
	bool same = v != NULL && strcmp((const char *)v, value) == 0;

	xmlFree(v);
	return same;
}

static const struct c14n_row *
algorithm_c14n(xmlNode *n)
{
	xmlChar *v = xmlGetNoNsProp(n, (const xmlChar *)"Algorithm");
	const struct c14n_row *row =
	    v != NULL ? c14n_by_uri((const char *)v) : NULL;

	xmlFree(v);
	return row;
}

/* "", "#id" (comments dropped), "#xpointer(/)", "#xpointer(id('x'))" (kept);
 * false: another file. */
static bool
same_document(const char *uri, xmlDoc *doc, struct view *v, bool *comments)
{
	char id[80];

	*comments = strncmp(uri, "#xpointer(", 10) == 0;
	if (uri[0] != '\0' && uri[0] != '#')
		return false;
	if (uri[0] == '\0' || strcmp(uri, "#xpointer(/)") == 0)
		return true;
	if (sscanf(uri, "#xpointer(id('%79[^']'))", id) != 1)
		snprintf(id, sizeof(id), "%s", uri + 1);
	v->apex = xml_by_id(xmlDocGetRootElement(doc), id);
	return true;
}

static enum err_code
base64_text(const struct view *v, struct buf *out, struct err *e)
{
	xmlChar *text = xmlNodeGetContent(v->apex);
	enum err_code code =
	    text != NULL ? base64_to(slice_str((const char *)text), out, e)
			 : err_nomem(e);

	xmlFree(text);
	return code;
}

/* The transforms that sigtext.c writes, in its order. */
static enum err_code
referenced(xmlDoc *doc, xmlNode *ref, xmlNode *signature, const char *uri,
    struct slice data, struct buf *out, struct err *e)
{
	struct view v = {0};
	const struct c14n_row *c14n = c14n_by_word("c14n10");
	bool comments;
	xmlNode *t = child(ref, NS_DS, "Transforms");

	if (!same_document(uri, doc, &v, &comments)) {
		buf_addslice(out, data);
		return buf_ok(out, e);
	}
	if (uri[0] != '\0' && strcmp(uri, "#xpointer(/)") != 0 &&
	    v.apex == NULL)
		return err_set(e, ERR_BUG, "nothing bears the Id of %s", uri);
	for (t = t != NULL ? t->children : NULL; t != NULL; t = t->next) {
		if (attribute_is(t, "Algorithm", NS_DS "base64"))
			return base64_text(&v, out, e);
		if (attribute_is(t, "Algorithm", NS_DS "enveloped-signature"))
			v.without = signature;
		else if (algorithm_c14n(t) != NULL)
			c14n = algorithm_c14n(t);
		else
			v.no_signatures = true;
	}
	return canonical(doc, &v, c14n, comments && c14n->comments, out, e);
}

static enum err_code
set_base64(xmlNode *n, struct slice octets, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	if (n == NULL)
		return err_set(e, ERR_BUG, "an element to fill is not there");
	buf_addbase64(&text, octets);
	if (buf_ok(&text, e) != ERR_OK)
		return e->code;
	xmlNodeSetContent(n, (const xmlChar *)buf_str(&text));
	return ERR_OK;
}

static enum err_code
fill_reference(xmlDoc *doc, xmlNode *ref, xmlNode *signature,
    const struct sig *s, struct slice data, struct err *e)
{
	AUTO(buf) struct buf octets = {0};
	struct digest d;
	xmlChar *uri = xmlGetNoNsProp(ref, (const xmlChar *)"URI");
	enum err_code code = uri != NULL
				 ? referenced(doc, ref, signature,
				       (const char *)uri, data, &octets, e)
				 : err_nomem(e);

	xmlFree(uri);
	if (code != ERR_OK ||
	    digest_once(s->digest, buf_slice(&octets), &d, e) != ERR_OK)
		return e->code;
	return set_base64(
	    child(ref, NS_DS, "DigestValue"), digest_slice(&d), e);
}

static enum err_code
fill_references(xmlDoc *doc, xmlNode *parent, xmlNode *signature,
    const struct sig *s, struct slice data, struct err *e)
{
	for (xmlNode *r = parent != NULL ? parent->children : NULL; r != NULL;
	     r = r->next)
		if (xml_is(r, NS_DS, "Reference") &&
		    fill_reference(doc, r, signature, s, data, e) != ERR_OK)
			return err_wrap(e, "reference");
	return ERR_OK;
}

/* ECDSA in XML is r and s side by side, each as wide as the order (RFC
 * 9231 2.3.6), not the SEQUENCE. */
static enum err_code
raw_ecdsa(const EVP_PKEY *key, struct slice der, struct buf *out, struct err *e)
{
	const uint8_t *at = der.p;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.n);
	int width = (EVP_PKEY_get_bits(key) + 7) / 8;
	uint8_t octets[160];
	bool ok =
	    sig != NULL && 2 * (size_t)width <= sizeof(octets) &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), octets, width) == width &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), octets + width, width) == width;

	ECDSA_SIG_free(sig);
	if (!ok)
		return err_openssl(e, ERR_BUG, "ECDSA value");
	buf_add(out, octets, 2 * (size_t)width);
	return buf_ok(out, e);
}

static bool
set_pss(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) ==
		   1;
}

static enum err_code
sign_octets(
    const struct sig *s, struct slice octets, struct buf *out, struct err *e)
{
	AUTO(pki_mdctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL;
	uint8_t value[1024];
	size_t n = sizeof(value);

	if (ctx == NULL ||
	    EVP_DigestSignInit(ctx, &inner, s->sig_digest, NULL, s->by->key) !=
		1 ||
	    (s->by->pss && !set_pss(inner)) ||
	    EVP_DigestSign(ctx, value, &n, octets.p, octets.n) != 1)
		return err_openssl(e, ERR_BUG, "signature value");
	if (EVP_PKEY_get_id(s->by->key) == EVP_PKEY_EC)
		return raw_ecdsa(s->by->key, slice_of(value, n), out, e);
	buf_add(out, value, n);
	return buf_ok(out, e);
}

static enum err_code
fill_value(xmlDoc *doc, xmlNode *signature, const struct sig *s, struct err *e)
{
	AUTO(buf) struct buf octets = {0}, value = {0};
	struct view v = {.apex = child(signature, NS_DS, "SignedInfo")};

	if (canonical(doc, &v, s->c14n, s->c14n->comments, &octets, e) !=
		ERR_OK ||
	    sign_octets(s, buf_slice(&octets), &value, e) != ERR_OK)
		return e->code;
	return set_base64(
	    child(signature, NS_DS, "SignatureValue"), buf_slice(&value), e);
}

/* The canonical form, exclusive as the stamps say, of one element at its place.
 */
static enum err_code
add_element(xmlDoc *doc, const xmlNode *n, struct buf *out, struct err *e)
{
	struct view v = {.apex = n};

	return canonical(doc, &v, c14n_by_word("exc"), false, out, e);
}

static enum err_code
add_references(xmlDoc *doc, xmlNode *signature, struct slice data,
    struct buf *out, struct err *e)
{
	for (xmlNode *r = child(signature, NS_DS, "SignedInfo")->children;
	     r != NULL; r = r->next) {
		xmlChar *uri;
		enum err_code code;

		if (!xml_is(r, NS_DS, "Reference"))
			continue;
		uri = xmlGetNoNsProp(r, (const xmlChar *)"URI");
		code = uri != NULL ? referenced(doc, r, signature,
					 (const char *)uri, data, out, e)
				   : err_nomem(e);
		xmlFree(uri);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

/* EN 319 132-1 5.5.2: what an ArchiveTimeStamp covers, in its order. */
static enum err_code
archive_octets(xmlDoc *doc, xmlNode *signature, const xmlNode *stamp,
    struct slice data, struct buf *out, struct err *e)
{
	static const char *const parts[] = {
	    "SignedInfo", "SignatureValue", "KeyInfo"};

	if (add_references(doc, signature, data, out, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < 3; i++)
		if (add_element(doc, child(signature, NS_DS, parts[i]), out,
			e) != ERR_OK)
			return e->code;
	for (const xmlNode *n = stamp->parent->children; n != stamp;
	     n = n->next)
		if (n->type == XML_ELEMENT_NODE &&
		    add_element(doc, n, out, e) != ERR_OK)
			return e->code;
	for (const xmlNode *o = signature->children; o != NULL; o = o->next)
		if (xml_is(o, NS_DS, "Object") &&
		    child(o, NS_XADES, "QualifyingProperties") == NULL &&
		    add_element(doc, o, out, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

static enum err_code
fill_stamp(struct pki *p, xmlNode *signature, const struct sig *s,
    const char *tail, const struct buf *octets, const struct line *tsa,
    struct err *e)
{
	AUTO(buf) struct buf token = {0};
	struct digest d;
	char id[64];

	snprintf(id, sizeof(id), "%s-%s", s->id, tail);
	if (digest_once(DIGEST_SHA256, buf_slice(octets), &d, e) != ERR_OK ||
	    tsa_token(p, tsa, &d, s->time_utc, &token, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	return set_base64(
	    child(xml_by_id(signature, id), NS_XADES, "EncapsulatedTimeStamp"),
	    buf_slice(&token), e);
}

static enum err_code
find_signature(xmlDoc *doc, const struct sig *s, xmlNode **out, struct err *e)
{
	*out = xml_by_id(xmlDocGetRootElement(doc), s->id);
	return *out != NULL ? ERR_OK
			    : err_set(e, ERR_BUG,
				  "signature %s is not in the document", s->id);
}

enum err_code
sig_stamp(struct pki *p, xmlDoc *doc, const struct sig *s, struct slice data,
    const struct line *tsa, struct err *e)
{
	AUTO(buf) struct buf value = {0}, all = {0};
	xmlNode *signature;
	char id[64];

	if (!s->stamped)
		return ERR_OK;
	if (find_signature(doc, s, &signature, e) != ERR_OK ||
	    add_element(doc, child(signature, NS_DS, "SignatureValue"), &value,
		e) != ERR_OK ||
	    fill_stamp(p, signature, s, "ts", &value, tsa, e) != ERR_OK)
		return e->code;
	if (!s->archived)
		return ERR_OK;
	snprintf(id, sizeof(id), "%s-ats", s->id);
	if (archive_octets(doc, signature, xml_by_id(signature, id), data, &all,
		e) != ERR_OK)
		return e->code;
	return fill_stamp(p, signature, s, "ats", &all, tsa, e);
}

enum err_code
sig_fill(xmlDoc *doc, const struct sig *s, struct slice data, struct err *e)
{
	xmlNode *signature;

	if (find_signature(doc, s, &signature, e) != ERR_OK)
		return e->code;
	for (xmlNode *o = signature->children; o != NULL; o = o->next)
		if (xml_is(o, NS_DS, "Object") &&
		    fill_references(doc, child(o, NS_DS, "Manifest"), signature,
			s, data, e) != ERR_OK)
			return err_wrap(e, "manifest");
	if (fill_references(doc, child(signature, NS_DS, "SignedInfo"),
		signature, s, data, e) != ERR_OK)
		return e->code;
	return fill_value(doc, signature, s, e);
}
