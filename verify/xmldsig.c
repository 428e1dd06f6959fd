/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include "base/xml.h"

#include <openssl/evp.h>
#include <string.h>

#define TYPE_MANIFEST NS_DS "Manifest"
#define TYPE_PROPERTIES NS_DS "SignatureProperties"
#define TRANSFORMED_TRIES 16 /* files that are parsed in search of one whose transformed digest fits */
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

/* ---- checking ---- */

struct md_sink {
	EVP_MD_CTX *ctx;
	uint64_t octets;
};

static enum err_code
md_write(void *ctx, struct slice in, struct err *e)
{
	struct md_sink *m = ctx;

	m->octets += in.n;
	if (in.n != 0 && EVP_DigestUpdate(m->ctx, in.p, in.n) != 1)
		return err_openssl(e, ERR_BUG, "digest");
	return ERR_OK;
}

/* Octets of the reference from io under its algorithm, and how many (r->octets). got->alg stays NONE when r->fault was set. */
static enum err_code
digest_data(struct run *r, const struct xref *x, struct data *io, struct digest *got, struct err *e)
{
	struct md_sink m = {.ctx = state_of(r->d)->md};
	struct sink to = {md_write, &m};
	const struct c14n plain = {0}; /* XMLDSig 4.4.3.2: nodes at the end are canonicalised by C14N 1.0 */
	unsigned n = 0;

	*got = (struct digest){0};
	if (digest_evp(x->digest.alg) == NULL)
		return run_fault(r, REF_UNSUPPORTED_DIGEST, "digest %.100s is not supported", x->digest_uri != NULL ? x->digest_uri : "(none)");
	if (EVP_DigestInit_ex(m.ctx, digest_evp(x->digest.alg), NULL) != 1)
		return err_openssl(e, ERR_BUG, "digest");
	if (transforms_write(r, xml_first(x->node, NS_DS, "Transforms"), io, &plain, &to, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (r->fault != REF_FINE)
		return ERR_OK;
	if (EVP_DigestFinal_ex(m.ctx, got->octets, &n) != 1)
		return err_openssl(e, ERR_BUG, "digest");
	got->alg = x->digest.alg;
	got->n = n;
	r->octets = m.octets;
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
static const char *
false_claim(const struct sigdoc *d, const struct xsig *s, const struct xref *x)
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

/* Is all in that the reference leads to, but for the signature that it stands in? */
static bool
covers_all(const struct run *r, const struct xref *x, const struct cover *c)
{
	const xmlNode *own = r->s->node;

	return x->target != NULL ? cover_gaps(c, x->target, &own, 1, NULL, 0) == 0 : cover_holds_document(c, &own, 1);
}

/* An intact reference covers what its transforms leave, and where it leads to names only what they began with. */
static const char *
coverage_note(const struct run *r, const struct xref *x, const struct cover *c)
{
	if (x->nothing)
		return "its transforms leave nothing of it";
	return r->filtered && !covers_all(r, x, c) ? "signed is what an XPath expression leaves of it" : NULL;
}

static enum err_code
check_local(struct run *r, struct xref *x, struct err *e)
{
	AUTO(data) struct data io = {0};
	struct digest got;

	if (deref_local(r, x->uri, &io, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (r->fault != REF_FINE) {
		x->found = TRI_FALSE;
		return ERR_OK;
	}
	x->found = TRI_TRUE;
	if (digest_data(r, x, &io, &got, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (r->fault != REF_FINE)
		return ERR_OK;
	x->intact = digest_eq(&got, &x->digest) ? TRI_TRUE : TRI_FALSE;
	x->nothing = x->intact == TRI_TRUE && r->octets == 0;
	return ERR_OK;
}

static bool
has_transforms(const struct xref *x)
{
	return xml_first(xml_first(x->node, NS_DS, "Transforms"), NS_DS, "Transform") != NULL;
}

/* The reference over file i. *match UNKNOWN: not enough is known of the file, or r->fault. */
static enum err_code
check_file(struct run *r, const struct xref *x, size_t i, enum tri *match, struct err *e)
{
	const struct side_file *f = &r->d->files[i];
	AUTO(data) struct data io = {.kind = DATA_FILE, .file = f, .outside = true};
	struct digest got;

	*match = TRI_UNKNOWN;
	gather_release(r->gather); /* of the file that was tried before */
	gather_begin(r->d, r->gather);
	r->octets = 0;
	/* Of digest-only data the digest is that of the octets as referenced, transforms done (as EU DSS reads it). */
	if (!has_transforms(x) || !f->has_source) {
		if (digest_evp(x->digest.alg) == NULL)
			return run_fault(r, REF_UNSUPPORTED_DIGEST, "digest %.100s is not supported",
			    x->digest_uri != NULL ? x->digest_uri : "(none)");
		if (side_digest(r->d, i, x->digest.alg, &got, e) != ERR_OK)
			return err_wrap(e, "reference");
		r->octets = f->has_source ? f->source.size_bytes : 0;
		r->gather->rest = has_transforms(x);
		r->gather->outside = true;
		if (!has_transforms(x) && gather_file(r->gather, f, e) != ERR_OK)
			return err_wrap(e, "reference");
	} else if (digest_data(r, x, &io, &got, e) != ERR_OK) {
		return err_wrap(e, "reference");
	}
	if (r->fault == REF_FINE && got.alg != DIGEST_NONE)
		*match = digest_eq(&got, &x->digest) ? TRI_TRUE : TRI_FALSE;
	return ERR_OK;
}

static enum err_code
take_file(struct run *r, struct xref *x, size_t i, bool differs, struct err *e)
{
	const struct side_file *f = &r->d->files[i];
	enum tri match;

	if (check_file(r, x, i, &match, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (match == TRI_UNKNOWN && r->fault == REF_FINE) {
		x->found = TRI_FALSE;
		return run_fault(r, REF_NOT_FOUND, "of the data only a digest is known, and not the one that is needed");
	}
	x->file = f;
	x->found = TRI_TRUE;
	x->intact = match;
	x->name_differs = differs;
	x->by_digest_only = !f->has_source;
	return ERR_OK;
}

/*
 * Name, then the only file for the only such reference, then equality of digests (xades.md 1.3). A URI is never followed:
 * all that it can do is to name one of the files given.
 */
static enum err_code
check_external(struct run *r, struct xref *x, struct err *e)
{
	const struct side_file *named = x->uri != NULL ? side_by_name(r->d, x->uri) : NULL;
	size_t i;

	if (named != NULL)
		return take_file(r, x, (size_t)(named - r->d->files), false, e);
	if (r->d->n_files == 1 && x->only_external)
		return take_file(r, x, 0, x->uri != NULL && r->d->files[0].name != NULL, e);
	for (i = 0; i < r->d->n_files && (i < TRANSFORMED_TRIES || !has_transforms(x)); i++) {
		enum tri match;

		r->fault = REF_FINE;
		if (check_file(r, x, i, &match, e) != ERR_OK)
			return err_wrap(e, "reference");
		if (r->fault == REF_FINE && match == TRI_TRUE)
			return take_file(r, x, i, x->uri != NULL, e);
	}
	x->found = TRI_FALSE;
	if (x->uri != NULL && uri_forbidden(x->uri))
		return run_fault(r, REF_FORBIDDEN, "\"%.150s\" is never followed, and no file of that name was given", x->uri);
	return run_fault(r, REF_NOT_FOUND, "no data given for \"%.150s\"", x->uri != NULL ? x->uri : "(no URI)");
}

/* Transforms with one at least, or none at all; then DigestMethod and DigestValue. */
static bool
well_built(const xmlNode *reference)
{
	const xmlNode *c = xml_first(reference, NULL, NULL);

	if (is_ds(c, "Transforms")) {
		if (xml_first(c, NS_DS, "Transform") == NULL)
			return false;
		c = xml_next(c, NULL, NULL);
	}
	return is_ds(c, "DigestMethod") && is_ds(c = xml_next(c, NULL, NULL), "DigestValue") && xml_next(c, NULL, NULL) == NULL;
}

static enum err_code
check_one(struct run *r, struct xref *x, struct err *e)
{
	if (!well_built(x->node)) {
		x->found = TRI_FALSE;
		return run_fault(r, REF_NOT_FOUND, "the Reference is not built as XMLDSig 4.4.3 says");
	}
	return uri_is_local(x->uri) ? check_local(r, x, e) : check_external(r, x, e);
}

static enum err_code
seal(struct run *r, struct xref *x, struct cover *out, struct err *e)
{
	struct err why = {0};
	enum err_code rc = gather_seal(r->d, r->gather, r->octets, out, &why);

	if (rc == ERR_LIMIT) {
		x->intact = TRI_UNKNOWN;
		return run_fault(r, REF_LIMIT, "%.200s", why.text);
	}
	if (rc != ERR_OK)
		return err_set(e, rc, "%s", why.text);
	return ERR_OK;
}

static const char *
words(struct run *r, const struct xref *x, const struct cover *c)
{
	struct arena *a = &state_of(r->d)->arena;
	const char *note;

	if (x->name_differs)
		return arena_printf(a, "the file is named \"%.100s\", the reference \"%.100s\"", x->file->name != NULL ? x->file->name : "",
		    x->uri != NULL ? x->uri : "");
	if (r->fault != REF_FINE)
		return arena_dup(a, r->note);
	note = x->intact == TRI_TRUE && x->file == NULL ? coverage_note(r, x, c) : NULL;
	return note != NULL ? arena_dup(a, note) : NULL;
}

static enum err_code
prove(struct run *r, struct xref *x, struct ref_proof *p, struct err *e)
{
	x->found = x->intact = TRI_UNKNOWN;
	x->file = NULL;
	x->name_differs = x->by_digest_only = x->nothing = false;
	if (check_one(r, x, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (r->fault == REF_FINE && x->intact != TRI_UNKNOWN && seal(r, x, &p->cover, e) != ERR_OK)
		return err_wrap(e, "reference");
	p->found = x->found;
	p->intact = x->intact;
	p->fault = r->fault;
	p->name_differs = x->name_differs;
	p->by_digest_only = x->by_digest_only;
	p->nothing = x->nothing;
	p->file = x->file;
	p->note = words(r, x, &p->cover);
	return ERR_OK;
}

/* Hashed at the first question, remembered for all others. x is read, never believed: what it says of found and intact is not looked at. */
static enum err_code
proof_of(struct sigdoc *d, struct xsig *s, const struct xref *x, const struct ref_proof **out, struct err *e)
{
	struct docstate *st = state_of(d);
	struct gather g;
	struct run r = {.d = d, .s = s, .gather = &g};
	struct xref scratch = *x;
	struct ref_proof *p;
	enum err_code rc;

	if (st->proofs == NULL) {
		st->proofs = arena_new(&st->arena, (st->n_proofs + 1) * sizeof(struct ref_proof *));
		st->cap_proofs = st->proofs != NULL ? st->n_proofs : 0;
	}
	if (x->serial < st->cap_proofs && st->proofs[x->serial] != NULL) {
		*out = st->proofs[x->serial];
		return ERR_OK;
	}
	p = arena_new(&st->arena, sizeof(*p));
	if (p == NULL || st->proofs == NULL)
		return err_nomem(e);
	gather_begin(d, &g);
	rc = prove(&r, &scratch, p, e);
	gather_release(&g);
	*out = p;
	if (rc == ERR_OK && x->serial < st->cap_proofs)
		st->proofs[x->serial] = p;
	return rc;
}

enum err_code
cover_reference(struct sigdoc *d, struct xsig *s, const struct xref *x, struct covered *out, struct err *e)
{
	const struct ref_proof *p;

	*out = (struct covered){.intact = TRI_UNKNOWN};
	if (proof_of(d, s, x, &p, e) != ERR_OK)
		return err_wrap(e, "reference");
	*out = (struct covered){.intact = p->found == TRI_TRUE ? p->intact : TRI_UNKNOWN, .cover = p->cover, .alg = x->digest.alg, .note = p->note};
	return ERR_OK;
}

static enum err_code
check_list(struct sigdoc *d, struct xsig *s, struct xref *v, size_t n, struct err *e)
{
	const struct ref_proof *p;
	size_t i;

	for (i = 0; i < n; i++) {
		struct xref *x = &v[i];

		if (proof_of(d, s, x, &p, e) != ERR_OK)
			return err_wrap(e, "reference %zu", i + 1);
		x->found = p->found;
		x->intact = p->intact;
		x->fault = p->fault;
		x->name_differs = p->name_differs;
		x->by_digest_only = p->by_digest_only;
		x->nothing = p->nothing;
		x->file = p->file;
		x->note = (char *)(uintptr_t)p->note;
		x->claim = false_claim(d, s, x);
		s->key_info_signed = s->key_info_signed || cover_holds(&p->cover, s->key_info);
	}
	return ERR_OK;
}

enum err_code
sig_check_references(struct sigdoc *d, struct xsig *s, struct err *e)
{
	struct cover all;
	size_t i;

	if (check_list(d, s, s->refs, s->n_refs, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	for (i = 0; i < s->n_refs; i++) {
		struct xref *x = &s->refs[i];

		if (x->n_entries == 0)
			continue;
		if (check_list(d, s, x->entries, x->n_entries, e) != ERR_OK || refs_cover(d, s, &all, e) != ERR_OK)
			return err_wrap(e, "signature %zu, manifest", s->index);
		x->entries_signed = cover_holds(&all, x->target);
	}
	return ERR_OK;
}

enum err_code
ref_write(struct run *r, const struct xref *x, const struct c14n *final, const struct sink *to, struct err *e)
{
	AUTO(data) struct data io = {0};

	if (uri_is_local(x->uri)) {
		if (deref_local(r, x->uri, &io, e) != ERR_OK)
			return err_wrap(e, "reference");
	} else {
		if (x->found == TRI_UNKNOWN && x->fault == REF_FINE && sig_check_references(r->d, r->s, e) != ERR_OK)
			return err_wrap(e, "reference");
		if (x->file == NULL || !x->file->has_source)
			return run_fault(r, REF_NOT_FOUND, "the octets of \"%.150s\" are not at hand", x->uri != NULL ? x->uri : "(no URI)");
		io.kind = DATA_FILE;
		io.file = x->file;
		io.outside = true;
	}
	if (r->fault != REF_FINE)
		return ERR_OK;
	return transforms_write(r, xml_first(x->node, NS_DS, "Transforms"), &io, final, to, e);
}
