/* SPDX-License-Identifier: MIT */
/*
 * What a time-stamp covers (xades.md 4): one code to check, to extend and to
 * seal. Every element is canonicalised by itself, in its place in the file.
 */
#include "verify/xades_int.h"

#include <string.h>

struct imprint {
	struct sigdoc *d;
	struct xsig *s;
	const struct xstamp *t;
	struct c14n how;
	bool reread; /* nodes that a reference leaves: by C14N 1.0, parsed again, then by how */
	const struct sink *to;
	struct gather *into; /* what is covered */
	struct err *e;
};

static enum err_code
put_node(struct imprint *m, const xmlNode *n)
{
	return n != NULL ? node_write(m->d, n, &m->how, m->into, m->to, m->e) : ERR_OK;
}

/* A verdict on covered data is an error here: without the octets there is no imprint. */
static enum err_code
put_fault(struct imprint *m, const struct run *r)
{
	if (r->fault == REF_FINE)
		return ERR_OK;
	if (r->fault == REF_NOT_FOUND || r->fault == REF_FORBIDDEN)
		return err_set(m->e, ERR_NOTFOUND, "covered data: %s", r->note);
	return err_set(m->e, ERR_FORMAT, "covered data: %s", r->note);
}

static enum err_code
put_again(struct imprint *m, struct slice octets)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct numbering numbers = {0};
	enum err_code rc;

	if (xml_load(octets, &state_of(m->d)->limits.xml, &doc, m->e) != ERR_OK)
		return err_wrap(m->e, "canonical form");
	const struct nodes what = {.doc = doc, .apex = (const xmlNode *)doc, .comments = true};
	rc = canonical_write(m->d, &m->how, &what, &numbers, m->to, m->e);
	numbering_release(&numbers);
	return rc;
}

/* As EU DSS reads it: what canonical form 1.0 takes from the ancestors (xml:lang ...) stays, whatever the stamp's method. */
static enum err_code
put_ref_reread(struct imprint *m, const struct xref *x)
{
	struct run r = {.d = m->d, .s = m->s, .gather = m->into};
	AUTO(buf) struct buf octets = {0};
	struct sink to = sink_buf(&octets);
	const struct c14n plain = {0};

	if (ref_write(&r, x, &plain, &to, m->e) != ERR_OK || buf_ok(&octets, m->e) != ERR_OK || put_fault(m, &r) != ERR_OK)
		return err_wrap(m->e, "covered reference");
	return r.nodes ? put_again(m, buf_slice(&octets)) : sink_write(m->to, buf_slice(&octets), m->e);
}

static enum err_code
put_ref(struct imprint *m, const struct xref *x)
{
	struct run r = {.d = m->d, .s = m->s, .gather = m->into};

	if (m->reread)
		return put_ref_reread(m, x);
	if (ref_write(&r, x, &m->how, m->to, m->e) != ERR_OK)
		return err_wrap(m->e, "covered reference");
	return put_fault(m, &r);
}

static const char *
own_ns(const struct imprint *m)
{
	return xades_ns(m->s->version != XADES_NONE ? m->s->version : XADES_132);
}

/* ---- content time-stamps ---- */

static enum err_code
all_data(struct imprint *m)
{
	size_t i;

	for (i = 0; i < m->s->n_refs; i++)
		if (m->s->refs[i].kind != REF_SIGNED_PROPERTIES && put_ref(m, &m->s->refs[i]) != ERR_OK)
			return err_wrap(m->e, "AllDataObjectsTimeStamp");
	return ERR_OK;
}

static const struct xref *
ref_by_node(const struct xsig *s, const xmlNode *n)
{
	size_t i;

	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].node == n)
			return &s->refs[i];
	return NULL;
}

static bool
is_true(const char *s)
{
	return s != NULL && (strcmp(s, "true") == 0 || strcmp(s, "1") == 0);
}

static enum err_code
include_target(struct imprint *m, const char *uri, const xmlNode **out)
{
	struct run r = {.d = m->d, .s = m->s};
	AUTO(data) struct data at = {0};

	if (!uri_is_local(uri) || *uri == '\0')
		return err_set(m->e, ERR_FORMAT, "Include without a same-document URI (EN 319 132-1 5.1.4.4)");
	if (deref_local(&r, uri, &at, m->e) != ERR_OK)
		return err_wrap(m->e, "Include");
	*out = at.nodes.apex;
	return put_fault(m, &r);
}

/* Include elements in order; an entry that means a ds:Reference by referencedData stands for its data. */
static enum err_code
includes(struct imprint *m, bool only_data)
{
	const xmlNode *i, *target = NULL;

	for (i = xml_first(m->t->node, own_ns(m), "Include"); i != NULL; i = xml_next(i, own_ns(m), "Include")) {
		bool data = is_true(xml_attr(i, "referencedData"));
		const struct xref *x;
		enum err_code rc;

		if (include_target(m, xml_attr(i, "URI"), &target) != ERR_OK)
			return err_wrap(m->e, "time-stamp");
		x = data ? ref_by_node(m->s, target) : NULL;
		if ((only_data || data) && x == NULL)
			return err_set(m->e, ERR_FORMAT, "Include of what is not a reference with referencedData (EN 319 132-1 5.2.8.2)");
		rc = x != NULL ? put_ref(m, x) : put_node(m, target);
		if (rc != ERR_OK)
			return err_wrap(m->e, "Include");
	}
	return ERR_OK;
}

static bool
has_includes(const struct imprint *m)
{
	return m->t->node != NULL && xml_first(m->t->node, own_ns(m), "Include") != NULL;
}

/* 1.1.1: HashDataInfo/@uri in order, each with its own Transforms. */
static enum err_code
hash_data_infos(struct imprint *m)
{
	const xmlNode *h;

	for (h = xml_first(m->t->node, NS_X111, "HashDataInfo"); h != NULL; h = xml_next(h, NS_X111, "HashDataInfo")) {
		struct run r = {.d = m->d, .s = m->s, .gather = m->into};
		AUTO(data) struct data io = {0};
		const char *uri = xml_attr(h, "uri");
		const xmlNode *transforms = xml_first(h, NS_X111, "Transforms");

		if (transforms == NULL)
			transforms = xml_first(h, NS_DS, "Transforms");
		if (!uri_is_local(uri))
			return err_set(m->e, ERR_FORMAT, "HashDataInfo without a same-document uri (TS 101 903 1.1.1, 7.1.4)");
		if (deref_local(&r, uri, &io, m->e) != ERR_OK)
			return err_wrap(m->e, "HashDataInfo");
		if (r.fault == REF_FINE && transforms_write(&r, transforms, &io, &m->how, m->to, m->e) != ERR_OK)
			return err_wrap(m->e, "HashDataInfo");
		if (put_fault(m, &r) != ERR_OK)
			return err_wrap(m->e, "HashDataInfo");
	}
	return ERR_OK;
}

/* ---- over the signature, and over references to validation data ---- */

/* What a SigAndRefs or RefsOnly stamp covers of its preceding siblings; the listed order of TS 101 903 1.3.2 is the table's. */
static const struct sibling_kind {
	const char *name;
	bool v1, v2, v2_x141, stamp; /* stamp: not by RefsOnly */
} covered[] = {
    {"SignatureTimeStamp", true, true, false, true},
    {"CompleteCertificateRefs", true, false, false, false},
    {"CompleteCertificateRefsV2", false, true, true, false},
    {"CompleteRevocationRefs", true, true, false, false},
    {"AttributeCertificateRefs", true, false, false, false},
    {"AttributeCertificateRefsV2", false, true, true, false},
    {"AttributeRevocationRefs", true, true, false, false},
};
#define COVERED (sizeof(covered) / sizeof(covered[0]))

static bool
covers(const struct imprint *m, const struct sibling_kind *row, const xmlNode *n)
{
	if (m->t->v2 ? !row->v2 : !row->v1)
		return false;
	if (row->stamp && m->t->type == STAMP_REFS_ONLY)
		return false;
	return xml_is(n, row->v2_x141 ? NS_X141 : own_ns(m), row->name);
}

/* first, count: rows of the table that are looked for in this pass. */
static enum err_code
put_covered(struct imprint *m, size_t first, size_t count)
{
	const xmlNode *n = xml_first(m->s->unsigned_props, NULL, NULL);
	size_t at, i;

	for (at = 0; n != NULL && at < m->t->position; at++, n = xml_next(n, NULL, NULL))
		for (i = first; i < first + count; i++)
			if (covers(m, &covered[i], n) && put_node(m, n) != ERR_OK)
				return err_wrap(m->e, "%s", covered[i].name);
	return ERR_OK;
}

static enum err_code
refs_stamp(struct imprint *m, bool listed)
{
	size_t i;

	if (m->t->type == STAMP_SIG_AND_REFS && put_node(m, m->s->signature_value) != ERR_OK)
		return err_wrap(m->e, "SignatureValue");
	if (!listed)
		return put_covered(m, 0, COVERED);
	for (i = 0; i < COVERED; i++)
		if (put_covered(m, i, 1) != ERR_OK)
			return err_wrap(m->e, "listed order");
	return ERR_OK;
}

/* ---- archive ---- */

static bool
is_referenced(const struct xsig *s, const xmlNode *object)
{
	size_t i;

	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].target == object)
			return true;
	return false;
}

static bool
holds_properties(const xmlNode *object)
{
	const xmlNode *c;

	for (c = xml_first(object, NULL, NULL); c != NULL; c = xml_next(c, NULL, NULL))
		if (is_xades(c, "QualifyingProperties"))
			return true;
	return false;
}

static enum err_code
put_objects(struct imprint *m)
{
	const xmlNode *o;

	for (o = xml_first(m->s->node, NS_DS, "Object"); o != NULL; o = xml_next(o, NS_DS, "Object")) {
		if (holds_properties(o) || (m->t->old_archive && is_referenced(m->s, o)))
			continue;
		if (put_node(m, o) != ERR_OK)
			return err_wrap(m->e, "Object");
	}
	return ERR_OK;
}

static enum err_code
put_properties(struct imprint *m)
{
	const xmlNode *n = xml_first(m->s->unsigned_props, NULL, NULL);
	size_t at;

	for (at = 0; n != NULL && at < m->t->position; at++, n = xml_next(n, NULL, NULL))
		if (put_node(m, n) != ERR_OK)
			return err_wrap(m->e, "%s", (const char *)n->name);
	return ERR_OK;
}

static enum err_code
archive(struct imprint *m, bool with_includes)
{
	size_t i;

	for (i = 0; i < m->s->n_refs; i++)
		if (put_ref(m, &m->s->refs[i]) != ERR_OK)
			return err_wrap(m->e, "ArchiveTimeStamp");
	if (put_node(m, m->s->signed_info) != ERR_OK || put_node(m, m->s->signature_value) != ERR_OK ||
	    put_node(m, m->s->key_info) != ERR_OK || put_properties(m) != ERR_OK)
		return err_wrap(m->e, "ArchiveTimeStamp");
	if (with_includes && includes(m, false) != ERR_OK)
		return err_wrap(m->e, "ArchiveTimeStamp");
	return put_objects(m);
}

/* ---- one entry ---- */

/* The recipe that the file itself writes down, in the versions where it is mandatory. */
static bool
old_recipe(const struct imprint *m)
{
	if (m->t->node == NULL)
		return false;
	if (m->s->version == XADES_111)
		return xml_first(m->t->node, NS_X111, "HashDataInfo") != NULL;
	return m->s->version == XADES_122 && has_includes(m);
}

static enum err_code
write_kind(struct imprint *m, bool second)
{
	if (old_recipe(m))
		return m->s->version == XADES_111 ? hash_data_infos(m) : includes(m, false);
	switch (m->t->type) {
	case STAMP_ALL_DATA:
		return all_data(m);
	case STAMP_INDIVIDUAL_DATA:
		if (!has_includes(m))
			return err_set(m->e, ERR_FORMAT, "IndividualDataObjectsTimeStamp without Include (EN 319 132-1 5.2.8.2)");
		return includes(m, true);
	case STAMP_SIGNATURE:
		return put_node(m, m->s->signature_value);
	case STAMP_SIG_AND_REFS:
	case STAMP_REFS_ONLY:
		return refs_stamp(m, second);
	case STAMP_ARCHIVE:
		return archive(m, second);
	}
	return err_set(m->e, ERR_BUG, "kind of time-stamp %d", (int)m->t->type);
}

static enum err_code
begin(struct imprint *m)
{
	const struct xstamp *t = m->t;

	if (m->s->signed_info == NULL || m->s->signature_value == NULL)
		return err_set(m->e, ERR_FORMAT, "the signature is incomplete");
	if (t->node != NULL) {
		if (!c14n_of(xml_first(t->node, NS_DS, "CanonicalizationMethod"), &m->how))
			return err_set(m->e, ERR_FORMAT, "CanonicalizationMethod %.100s is not supported", t->c14n);
		return ERR_OK;
	}
	if (t->c14n != NULL && *t->c14n != '\0' && !c14n_by_uri(t->c14n, &m->how))
		return err_set(m->e, ERR_FORMAT, "CanonicalizationMethod %.100s is not supported", t->c14n);
	return ERR_OK;
}

static bool
covers_data(const struct xstamp *t)
{
	return t->type == STAMP_ARCHIVE || t->type == STAMP_ALL_DATA;
}

/* A list that the file writes down must lead to the value of the signature where the kind covers it, whatever else it names. */
static enum err_code
covers_value(const struct imprint *m, const struct cover *c)
{
	bool over_value = m->t->type == STAMP_SIGNATURE || m->t->type == STAMP_SIG_AND_REFS || m->t->type == STAMP_ARCHIVE;

	if (over_value && old_recipe(m) && !cover_holds(c, m->s->signature_value))
		return err_set(m->e, ERR_FORMAT, "the list of what it covers leaves out what this kind of time-stamp must cover");
	return ERR_OK;
}

/* The octets into to, and what of the file they are. */
static enum err_code
write_all(struct sigdoc *d, struct xsig *s, const struct xstamp *t, bool second, const struct sink *to, struct cover *out,
    struct err *e)
{
	struct gather into;
	struct imprint m = {.d = d, .s = s, .t = t, .to = to, .into = &into, .e = e};
	enum err_code rc = begin(&m);

	gather_begin(d, &into);
	m.reread = second && covers_data(t) && !has_includes(&m);
	if (rc == ERR_OK)
		rc = write_kind(&m, second);
	if (rc == ERR_OK)
		rc = gather_seal(d, &into, 0, out, e);
	gather_release(&into);
	return rc == ERR_OK ? covers_value(&m, out) : rc;
}

/* The method that canonicalises what the reference leaves is the stamp's: no transform at the end gives octets. */
static bool
leaves_nodes(const struct xref *x)
{
	const xmlNode *t = xml_first(xml_first(x->node, NS_DS, "Transforms"), NS_DS, "Transform"), *next;
	struct c14n how;
	const char *uri;

	while ((next = xml_next(t, NS_DS, "Transform")) != NULL)
		t = next;
	uri = xml_attr(t, "Algorithm");
	return t == NULL || (!c14n_of(t, &how) && uri != NULL && strcmp(uri, NS_DS "base64") != 0);
}

bool
sig_inherits_attributes(const struct xsig *s)
{
	const xmlNode *up;
	const xmlAttr *a;
	size_t i;

	for (i = 0; i < s->n_refs; i++) {
		if (s->refs[i].target == NULL || !leaves_nodes(&s->refs[i]))
			continue;
		for (up = s->refs[i].target->parent; up != NULL && up->type == XML_ELEMENT_NODE; up = up->parent)
			for (a = up->properties; a != NULL; a = a->next)
				if (a->ns != NULL && strcmp((const char *)a->ns->href, (const char *)XML_XML_NAMESPACE) == 0)
					return true;
	}
	return false;
}

enum err_code
stamp_octets(struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, const struct sink *sink, struct err *e)
{
	struct cover ignored;

	return write_all(d, s, stamp, false, sink, &ignored, e);
}

/* ---- imprints, computed once ---- */

static enum err_code
compute(struct sigdoc *d, struct xsig *s, const struct xstamp *t, struct imprint_proof *p, struct err *e)
{
	AUTO(digester) struct digester *dg = NULL;
	struct sink to;

	if (digester_new(&p->alg, 1, &dg, e) != ERR_OK)
		return err_wrap(e, "imprint");
	to = digester_sink(dg);
	if (write_all(d, s, t, p->second, &to, &p->cover, e) != ERR_OK)
		return err_wrap(e, "imprint");
	return digester_finish(dg, &p->digest, e);
}

static const struct imprint_proof *
known(const struct docstate *st, const struct imprint_proof *p)
{
	size_t i;

	for (i = st->n_imprints; i > 0; i--)
		if (st->imprints[i - 1].stamp == p->stamp && st->imprints[i - 1].alg == p->alg && st->imprints[i - 1].second == p->second)
			return &st->imprints[i - 1];
	return NULL;
}

/* Several tokens of one property promise the same. Trouble of our own is not remembered. */
static enum err_code
remember(struct sigdoc *d, struct imprint_proof *p, const struct err *why, struct err *e)
{
	struct docstate *st = state_of(d);

	if (p->code != ERR_OK && p->code != ERR_NOTFOUND && p->code != ERR_FORMAT && p->code != ERR_LIMIT)
		return ERR_OK;
	p->why = arena_dup(&st->arena, why->text);
	if (p->why == NULL || !mem_grow(&st->imprints, &st->cap_imprints, st->n_imprints, sizeof(*st->imprints)))
		return err_nomem(e);
	st->imprints[st->n_imprints++] = *p;
	return ERR_OK;
}

/* The imprint by one recipe, with its cover. */
static enum err_code
imprint_of(struct sigdoc *d, struct xsig *s, const struct xstamp *t, bool second, enum digest_alg alg, struct imprint_proof *out,
    struct err *e)
{
	struct err why = {0};
	const struct imprint_proof *have;

	*out = (struct imprint_proof){.stamp = t->node, .alg = alg, .second = second};
	have = t->node != NULL ? known(state_of(d), out) : NULL;
	if (have != NULL) {
		*out = *have;
		return have->code == ERR_OK ? ERR_OK : err_set(e, have->code, "%s", have->why);
	}
	out->code = compute(d, s, t, out, &why);
	if (out->code != ERR_OK)
		out->cover = (struct cover){0};
	if (t->node != NULL && remember(d, out, &why, e) != ERR_OK)
		return err_wrap(e, "imprint");
	return out->code == ERR_OK ? ERR_OK : err_set(e, out->code, "%s", why.text);
}

enum err_code
stamp_imprint(struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, enum digest_alg alg, struct digest *out, struct err *e)
{
	struct imprint_proof p;
	enum err_code rc = imprint_of(d, s, stamp, false, alg, &p, e);

	*out = p.digest;
	return rc;
}

static bool
has_second(struct sigdoc *d, struct xsig *s, const struct xstamp *stamp)
{
	const struct imprint m = {.d = d, .s = s, .t = stamp};
	bool refs = stamp->type == STAMP_SIG_AND_REFS || stamp->type == STAMP_REFS_ONLY;
	bool data = covers_data(stamp) && sig_inherits_attributes(s);

	return !old_recipe(&m) && (refs || data || (stamp->type == STAMP_ARCHIVE && has_includes(&m)));
}

enum err_code
stamp_imprint_listed(
    struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, enum digest_alg alg, struct digest *out, struct err *e)
{
	struct imprint_proof p;
	enum err_code rc;

	*out = (struct digest){0};
	if (!has_second(d, s, stamp))
		return err_set(e, ERR_NOTFOUND, "no second recipe for this time-stamp");
	rc = imprint_of(d, s, stamp, true, alg, &p, e);
	*out = p.digest;
	return rc;
}

/* Does this recipe give what the token promises? Only trouble of our own is an error. */
static enum err_code
try_recipe(struct sigdoc *d, struct xsig *s, const struct xstamp *t, bool second, const struct digest *promised, struct covered *out,
    struct err *e)
{
	struct imprint_proof p;
	struct err why = {0};

	switch (imprint_of(d, s, t, second, promised->alg, &p, &why)) {
	case ERR_OK:
		*out = (struct covered){.intact = digest_eq(&p.digest, promised) ? TRI_TRUE : TRI_FALSE, .cover = p.cover, .alg = promised->alg,
		    .second = second};
		return ERR_OK;
	case ERR_NOTFOUND:
	case ERR_FORMAT:
	case ERR_REFUSED:
	case ERR_UNSUPPORTED:
	case ERR_LIMIT:
		out->note = arena_dup(&state_of(d)->arena, why.text);
		return out->note != NULL ? ERR_OK : err_nomem(e);
	default:
		return err_set(e, why.code, "%s", why.text);
	}
}

enum err_code
cover_imprint(struct sigdoc *d, struct xsig *s, const struct xstamp *t, const struct digest *promised, struct covered *out,
    struct err *e)
{
	struct covered other = {.intact = TRI_UNKNOWN, .cover = {.doc = d}};

	*out = (struct covered){.intact = TRI_UNKNOWN, .cover = {.doc = d}, .alg = promised->alg};
	if (try_recipe(d, s, t, false, promised, out, e) != ERR_OK)
		return err_wrap(e, "imprint");
	if (out->intact != TRI_FALSE || !has_second(d, s, t))
		return ERR_OK;
	if (try_recipe(d, s, t, true, promised, &other, e) != ERR_OK)
		return err_wrap(e, "imprint");
	if (other.intact != TRI_FALSE)
		*out = other;
	return ERR_OK;
}
