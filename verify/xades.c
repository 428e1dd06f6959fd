/* SPDX-License-Identifier: MIT */
/*
 * Qualifying properties (xades.md 2 and 3): what they say, where they stand.
 * All versions share names; only the namespace differs.
 */
#include "verify/xades_int.h"

#include <string.h>

const char *
xades_ns(enum xades_version v)
{
	static const char *const names[] = {[XADES_NONE] = "", [XADES_111] = NS_X111, [XADES_122] = NS_X122, [XADES_132] = NS_X132};

	return names[v];
}

static enum xades_version
version_of(const xmlNode *n)
{
	enum xades_version v;

	for (v = XADES_111; v <= XADES_132; v++)
		if (n->ns != NULL && strcmp((const char *)n->ns->href, xades_ns(v)) == 0)
			return v;
	return XADES_NONE;
}

bool
is_xades(const xmlNode *node, const char *local)
{
	return node != NULL && node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, local) == 0 && version_of(node) != XADES_NONE;
}

static bool
is_named(const xmlNode *n, const char *local)
{
	return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, local) == 0;
}

/* ---- the container ---- */

static void
see_qualifying(struct xsig *s, xmlNode *q, size_t *with_signed)
{
	enum xades_version v = version_of(q);
	xmlNode *sp;

	if (v == XADES_NONE)
		return;
	if (is_named(q, "QualifyingPropertiesReference")) {
		s->qualifying_reference = true;
		format_fault(s, "QualifyingPropertiesReference is not supported (EN 319 132-1 4.4.3)");
		return;
	}
	if (!is_named(q, "QualifyingProperties"))
		return;
	sp = xml_first(q, xades_ns(v), "SignedProperties");
	if (sp != NULL && ++*with_signed > 1)
		format_fault(s, "SignedProperties in more than one QualifyingProperties (EN 319 132-1 4.4.2)");
	if (s->qualifying != NULL && (sp == NULL || *with_signed > 1))
		return;
	s->qualifying = q;
	s->version = v;
	s->signed_props = sp;
}

void
container_read(struct xsig *s)
{
	xmlNode *o, *q, *container;
	size_t with_signed = 0;
	const char *ns, *target;

	for (o = xml_first(s->node, NS_DS, "Object"); o != NULL; o = xml_next(o, NS_DS, "Object"))
		for (q = xml_first(o, NULL, NULL); q != NULL; q = xml_next(q, NULL, NULL))
			see_qualifying(s, q, &with_signed);
	if (s->qualifying == NULL)
		return;
	ns = xades_ns(s->version);
	if (s->signed_props != NULL && xml_count(s->qualifying, ns, "SignedProperties") != 1)
		format_fault(s, "more than one SignedProperties (EN 319 132-1 4.4.2)");
	container = xml_first(s->qualifying, ns, "UnsignedProperties");
	s->unsigned_props = xml_first(container, ns, "UnsignedSignatureProperties");
	if (xml_next(container, ns, "UnsignedProperties") != NULL || xml_next(s->unsigned_props, ns, "UnsignedSignatureProperties") != NULL)
		format_fault(s, "more than one container of unsigned properties (EN 319 132-1 4.3)");
	target = xml_attr(s->qualifying, "Target");
	if (target == NULL || target[0] != '#' || s->id == NULL || strcmp(target + 1, s->id) != 0)
		s->target_differs = true;
}

/* A counter-signature's reference to the whole SignatureValue of its master (EN 319 132-1 5.2.7.2). */
static enum err_code
find_master_ref(struct sigdoc *d, struct xsig *s, struct err *e)
{
	const xmlNode *master = s->parent >= 0 ? d->sigs[s->parent].signature_value : NULL;
	struct covered c;
	size_t i;

	for (i = 0; master != NULL && i < s->n_refs && s->master_ref == NULL; i++) {
		if (s->refs[i].target != master)
			continue;
		if (cover_reference(d, s, &s->refs[i], &c, e) != ERR_OK)
			return err_wrap(e, "reference %zu", i + 1);
		if (cover_holds(&c.cover, master))
			s->master_ref = &s->refs[i];
	}
	return ERR_OK;
}

enum leads { ASTRAY = 0, TO_A_PART, TO_ALL, NOT_KNOWN };

/*
 * To the SignedProperties of this very signature? To all of them is what covers all of them, and nothing else: they are led to by
 * their Id, or by the Object around them or the document, and a filter that leaves just them (as some wrote 1.1.1).
 */
static enum err_code
leads_to_props(struct sigdoc *d, struct xsig *s, const struct xref *x, enum leads *out, struct err *e)
{
	const xmlNode *props = s->signed_props;
	struct covered c;

	*out = ASTRAY;
	if (props == NULL || !uri_is_local(x->uri) || (*x->uri != '\0' && (x->target == NULL || !is_within(props, x->target))))
		return ERR_OK;
	if (cover_reference(d, s, x, &c, e) != ERR_OK)
		return err_wrap(e, "SignedProperties");
	if (c.intact == TRI_UNKNOWN)
		*out = NOT_KNOWN;
	else if (cover_holds(&c.cover, props) && !cover_beyond(&c.cover, &props, 1))
		*out = TO_ALL;
	else if (x->target == props)
		*out = TO_A_PART;
	return ERR_OK;
}

/* The one reference that counts: Type right, and it covers the SignedProperties. */
static enum err_code
find_props_ref(struct sigdoc *d, struct xsig *s, struct err *e)
{
	size_t i, claims = 0, n[NOT_KNOWN + 1] = {0};
	enum leads leads;

	for (i = 0; i < s->n_refs; i++) {
		struct xref *x = &s->refs[i];

		if (x->kind != REF_SIGNED_PROPERTIES)
			continue;
		claims++;
		if (leads_to_props(d, s, x, &leads, e) != ERR_OK)
			return err_wrap(e, "reference %zu", i + 1);
		n[leads]++;
		if (leads == TO_ALL && s->props_ref == NULL)
			s->props_ref = x;
	}
	s->props_ref_stray = s->format_fault == NULL && s->qualifying != NULL && n[TO_A_PART] == 0 &&
	    ((claims > 1 && n[ASTRAY] > 0) || (claims == 1 && n[ASTRAY] == 1));
	if (claims > 1 && n[ASTRAY] > 0)
		format_fault(s, "more than one reference to SignedProperties (EN 319 132-1 4.4.2)");
	if (n[TO_A_PART] != 0 && s->props_ref == NULL)
		format_fault(s, "the reference to SignedProperties leaves a part of them out (EN 319 132-1 4.4.2)");
	if (n[ASTRAY] != 0 && s->props_ref == NULL && s->qualifying != NULL)
		format_fault(s, "the SignedProperties reference does not lead to those of this signature (EN 319 132-1 4.4.2)");
	return ERR_OK;
}

/* ---- signed properties ---- */

static enum err_code
cert_ids_read(struct sigdoc *d, struct xsig *s, const xmlNode *prop, const char *ns, struct err *e)
{
	size_t n = xml_count(prop, ns, "Cert");
	struct cert_id *v = arena_new(&state_of(d)->arena, (n + 1) * sizeof(*v));
	const xmlNode *c;

	if (v == NULL)
		return err_nomem(e);
	s->cert_ids = v;
	for (c = xml_first(prop, ns, "Cert"); c != NULL; c = xml_next(c, ns, "Cert"), v++) {
		const xmlNode *serial = xml_first(c, ns, "IssuerSerial");

		v->has_uri = xml_attr(c, "URI") != NULL;
		s->cert_uri_present = s->cert_uri_present || v->has_uri;
		if (digest_read(d, xml_first(c, ns, "CertDigest"), &v->digest, &v->digest_uri, e) != ERR_OK ||
		    text_read(d, xml_first(serial, NS_DS, "X509IssuerName"), &v->issuer_text, e) != ERR_OK ||
		    text_read(d, xml_first(serial, NS_DS, "X509SerialNumber"), &v->serial_text, e) != ERR_OK ||
		    base64_read(d, xml_first(c, ns, "IssuerSerialV2"), &v->issuer_serial, e) != ERR_OK)
			return err_wrap(e, "SigningCertificate");
		s->n_cert_ids++;
	}
	return ERR_OK;
}

static enum err_code
signing_cert_read(struct sigdoc *d, struct xsig *s, const xmlNode *ssp, const char *ns, struct err *e)
{
	const xmlNode *v1 = xml_first(ssp, ns, "SigningCertificate"), *v2 = xml_first(ssp, ns, "SigningCertificateV2");

	s->has_signing_cert_v1 = v1 != NULL;
	s->has_signing_cert_v2 = v2 != NULL;
	s->count.signing_cert = (unsigned)(xml_count(ssp, ns, "SigningCertificate") + xml_count(ssp, ns, "SigningCertificateV2"));
	if (v1 == NULL && v2 == NULL)
		return ERR_OK;
	return cert_ids_read(d, s, v2 != NULL ? v2 : v1, ns, e); /* both there: V2 counts (xades.md 3.3) */
}

static enum err_code
policy_read(struct sigdoc *d, struct xsig *s, const xmlNode *ssp, const char *ns, struct err *e)
{
	const xmlNode *p = xml_first(ssp, ns, "SignaturePolicyIdentifier"), *id = xml_first(p, ns, "SignaturePolicyId"), *q, *t;
	const char *uri;

	s->count.policy = (unsigned)xml_count(ssp, ns, "SignaturePolicyIdentifier");
	s->has_policy = p != NULL;
	s->policy_implied = xml_first(p, ns, "SignaturePolicyImplied") != NULL;
	if (id == NULL)
		return ERR_OK;
	if (text_read(d, xml_first(xml_first(id, ns, "SigPolicyId"), ns, "Identifier"), &s->policy_id, e) != ERR_OK ||
	    digest_read(d, xml_first(id, ns, "SigPolicyHash"), &s->policy_hash, NULL, e) != ERR_OK)
		return err_wrap(e, "SignaturePolicyId");
	t = xml_first(xml_first(id, NS_DS, "Transforms"), NS_DS, "Transform");
	uri = xml_attr(t, "Algorithm");
	if (t != NULL) {
		s->policy_transforms = arena_dup(&state_of(d)->arena, uri != NULL ? uri : "");
		if (s->policy_transforms == NULL)
			return err_nomem(e);
	}
	q = xml_first(id, ns, "SigPolicyQualifiers");
	for (q = xml_first(q, ns, "SigPolicyQualifier"); q != NULL; q = xml_next(q, ns, "SigPolicyQualifier"))
		if (xml_first(q, NS_X141, "SPDocSpecification") != NULL)
			s->policy_doc_spec = true;
	return ERR_OK;
}

/* Index of the reference with that Id; n_refs + 1 when it is an entry of a signed manifest, n_refs when there is none. */
static size_t
ref_named(const struct xsig *s, const char *uri)
{
	size_t i, k;

	if (uri == NULL || uri[0] != '#')
		return s->n_refs;
	for (i = 0; i < s->n_refs; i++) {
		if (s->refs[i].id != NULL && strcmp(s->refs[i].id, uri + 1) == 0)
			return i;
		for (k = 0; k < s->refs[i].n_entries; k++)
			if (s->refs[i].entries[k].id != NULL && strcmp(s->refs[i].entries[k].id, uri + 1) == 0)
				return s->n_refs + 1;
	}
	return s->n_refs;
}

/* Must it have a DataObjectFormat? One without an Id can't be named by any; EU DSS asks for none then. */
static bool
wants_format(const struct xref *x)
{
	bool local_props = x->kind == REF_SIGNED_PROPERTIES && x->uri != NULL && x->uri[0] == '#';

	if (x->kind == REF_OBJECT && x->type != NULL)
		return true;
	return x->id != NULL && (x->kind == REF_DATA || x->kind == REF_OBJECT || (x->kind == REF_SIGNED_PROPERTIES && !local_props));
}

/* DataObjectFormat against the references (xades.md 6: baseline B, and "valid" for BES). */
static enum err_code
formats_read(struct sigdoc *d, struct xsig *s, const xmlNode *sdp, const char *ns, struct err *e)
{
	unsigned *seen = arena_new(&state_of(d)->arena, (s->n_refs + 2) * sizeof(*seen));
	const xmlNode *f;
	size_t i;

	if (seen == NULL)
		return err_nomem(e);
	if (xml_count(sdp, ns, "DataObjectFormat") > state_of(d)->limits.references) /* each is looked for among the references */
		return err_set(e, ERR_LIMIT, "more than %zu data object formats", state_of(d)->limits.references);
	s->data_object_formats_valid = s->data_object_formats_complete = true;
	for (f = xml_first(sdp, ns, "DataObjectFormat"); f != NULL; f = xml_next(f, ns, "DataObjectFormat")) {
		size_t at = ref_named(s, xml_attr(f, "ObjectReference")), mime = xml_count(f, ns, "MimeType");

		s->count.data_object_format++;
		if (at == s->n_refs || (mime == 0 && xml_first(f, ns, "Description") == NULL && xml_first(f, ns, "ObjectIdentifier") == NULL))
			s->data_object_formats_valid = false;
		seen[at] += mime == 1 ? 1 : 2;
	}
	for (i = 0; i < s->n_refs; i++)
		if (wants_format(&s->refs[i]) && seen[i] != 1)
			s->data_object_formats_complete = false;
	return ERR_OK;
}

static enum err_code
signed_read(struct sigdoc *d, struct xsig *s, const char *ns, struct err *e)
{
	const xmlNode *ssp = xml_first(s->signed_props, ns, "SignedSignatureProperties");
	const xmlNode *sdp = xml_first(s->signed_props, ns, "SignedDataObjectProperties");

	s->count.signing_time = (unsigned)xml_count(ssp, ns, "SigningTime");
	s->count.production_place =
	    (unsigned)(xml_count(ssp, ns, "SignatureProductionPlace") + xml_count(ssp, ns, "SignatureProductionPlaceV2"));
	s->count.signer_role = (unsigned)(xml_count(ssp, ns, "SignerRole") + xml_count(ssp, ns, "SignerRoleV2"));
	if (text_read(d, xml_first(ssp, ns, "SigningTime"), &s->signing_time_text, e) != ERR_OK ||
	    signing_cert_read(d, s, ssp, ns, e) != ERR_OK || policy_read(d, s, ssp, ns, e) != ERR_OK ||
	    formats_read(d, s, sdp, ns, e) != ERR_OK)
		return err_wrap(e, "SignedProperties");
	if (s->signing_time_text != NULL && !time_parse(s->signing_time_text, &s->signing_time))
		s->signing_time = TIME_NONE;
	return ERR_OK;
}

/* ---- embedded objects and references to them ---- */

struct collect {
	struct sigdoc *d;
	struct xsig *s;
	size_t cap_embedded, cap_refs; /* arrays grow in the arena: the old copy stays until the end */
};

static void *
arena_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	void *next;

	if (n < *cap)
		return v;
	next = arena_new(a, (*cap == 0 ? 16 : *cap * 2) * size);
	if (next == NULL)
		return NULL;
	if (n != 0)
		memcpy(next, v, n * size);
	*cap = *cap == 0 ? 16 : *cap * 2;
	return next;
}

static enum err_code
embed(struct collect *g, const xmlNode *n, enum embedded_kind kind, enum embedded_place place, size_t position, struct err *e)
{
	struct embedded *v = arena_grow(&state_of(g->d)->arena, g->s->embedded, g->s->n_embedded, &g->cap_embedded, sizeof(*v));

	if (v == NULL)
		return err_nomem(e);
	g->s->embedded = v;
	v += g->s->n_embedded;
	*v = (struct embedded){.kind = kind, .place = place, .position = position, .node = n};
	if (base64_read(g->d, n, &v->der, e) != ERR_OK)
		return err_wrap(e, "embedded object");
	if (v->der.n != 0)
		g->s->n_embedded++; /* one that is no base64 proves nothing */
	return ERR_OK;
}

/* Every element of that name two or fewer levels below parent's container child: container/name. container NULL: parent/name. */
static enum err_code
embed_all(struct collect *g, const xmlNode *parent, const char *ns, const char *name, enum embedded_kind kind,
    enum embedded_place place, size_t position, struct err *e)
{
	const xmlNode *n;

	for (n = xml_first(parent, ns, name); n != NULL; n = xml_next(n, ns, name))
		if (embed(g, n, kind, place, position, e) != ERR_OK)
			return err_wrap(e, "%s", name);
	return ERR_OK;
}

static enum err_code
cert_values(struct collect *g, const xmlNode *v, const char *ns, enum embedded_place place, size_t position, struct err *e)
{
	return embed_all(g, v, ns, "EncapsulatedX509Certificate", EMB_CERT, place, position, e);
}

static enum err_code
rev_values(struct collect *g, const xmlNode *v, const char *ns, enum embedded_place place, size_t position, struct err *e)
{
	if (embed_all(g, xml_first(v, ns, "CRLValues"), ns, "EncapsulatedCRLValue", EMB_CRL, place, position, e) != ERR_OK)
		return err_wrap(e, "RevocationValues");
	return embed_all(g, xml_first(v, ns, "OCSPValues"), ns, "EncapsulatedOCSPValue", EMB_OCSP, place, position, e);
}

static enum err_code
key_info_read(struct collect *g, struct err *e)
{
	const xmlNode *x;

	for (x = xml_first(g->s->key_info, NS_DS, "X509Data"); x != NULL; x = xml_next(x, NS_DS, "X509Data"))
		if (embed_all(g, x, NS_DS, "X509Certificate", EMB_CERT, IN_KEY_INFO, SIZE_MAX, e) != ERR_OK ||
		    embed_all(g, x, NS_DS, "X509CRL", EMB_CRL, IN_KEY_INFO, SIZE_MAX, e) != ERR_OK)
			return err_wrap(e, "KeyInfo");
	return ERR_OK;
}

static enum err_code
add_ref(struct collect *g, const xmlNode *digest_parent, enum embedded_kind kind, size_t position, struct err *e)
{
	struct xref_object *v;

	if (digest_parent == NULL)
		return ERR_OK;
	v = arena_grow(&state_of(g->d)->arena, g->s->ref_objects, g->s->n_ref_objects, &g->cap_refs, sizeof(*v));
	if (v == NULL)
		return err_nomem(e);
	g->s->ref_objects = v;
	v += g->s->n_ref_objects++;
	v->kind = kind;
	v->position = position;
	v->node = digest_parent;
	return digest_read(g->d, digest_parent, &v->digest, NULL, e);
}

/* CertRefs stands in the namespace of the property, Cert in that of the container (xades.md 3.2). */
static enum err_code
cert_refs(struct collect *g, const xmlNode *p, const char *ns, size_t position, struct err *e)
{
	const xmlNode *refs = xml_first(p, (const char *)p->ns->href, "CertRefs"), *c;

	for (c = xml_first(refs, ns, "Cert"); c != NULL; c = xml_next(c, ns, "Cert"))
		if (add_ref(g, xml_first(c, ns, "CertDigest"), EMB_CERT, position, e) != ERR_OK)
			return err_wrap(e, "CertRefs");
	return ERR_OK;
}

static enum err_code
rev_refs(struct collect *g, const xmlNode *p, const char *ns, size_t position, struct err *e)
{
	const xmlNode *list = xml_first(p, ns, "CRLRefs"), *r;

	for (r = xml_first(list, ns, "CRLRef"); r != NULL; r = xml_next(r, ns, "CRLRef"))
		if (add_ref(g, xml_first(r, ns, "DigestAlgAndValue"), EMB_CRL, position, e) != ERR_OK)
			return err_wrap(e, "CRLRefs");
	list = xml_first(p, ns, "OCSPRefs");
	for (r = xml_first(list, ns, "OCSPRef"); r != NULL; r = xml_next(r, ns, "OCSPRef"))
		if (add_ref(g, xml_first(r, ns, "DigestAlgAndValue"), EMB_OCSP, position, e) != ERR_OK)
			return err_wrap(e, "OCSPRefs");
	return ERR_OK;
}

/* ---- unsigned properties ---- */

static enum err_code
validation_data(struct collect *g, const xmlNode *p, const char *ns, size_t at, struct err *e)
{
	const xmlNode *v;

	g->s->count.validation_data++;
	for (v = xml_first(p, ns, "CertificateValues"); v != NULL; v = xml_next(v, ns, "CertificateValues"))
		if (cert_values(g, v, ns, IN_VALIDATION_DATA, at, e) != ERR_OK)
			return err_wrap(e, "validation data");
	for (v = xml_first(p, ns, "RevocationValues"); v != NULL; v = xml_next(v, ns, "RevocationValues"))
		if (rev_values(g, v, ns, IN_VALIDATION_DATA, at, e) != ERR_OK)
			return err_wrap(e, "validation data");
	return ERR_OK;
}

static enum err_code
property_141(struct collect *g, const xmlNode *p, const char *ns, size_t at, struct err *e)
{
	struct xsig *s = g->s;

	if (is_named(p, "TimeStampValidationData") || is_named(p, "AnyValidationData"))
		return validation_data(g, p, NS_X132, at, e);
	if (is_named(p, "SignaturePolicyStore")) {
		s->count.policy_store++;
		return base64_read(g->d, xml_first(p, NS_X141, "SignaturePolicyDocument"), &s->policy_document, e);
	}
	if (is_named(p, "CompleteCertificateRefsV2"))
		s->count.cert_refs++;
	else if (is_named(p, "AttributeCertificateRefsV2"))
		s->count.attr_refs++;
	else
		return ERR_OK;
	return cert_refs(g, p, ns, at, e);
}

static enum err_code
property(struct collect *g, const xmlNode *p, const char *ns, size_t at, struct err *e)
{
	struct xsig *s = g->s;

	if (is_named(p, "CertificateValues")) {
		s->count.cert_values++;
		return cert_values(g, p, ns, IN_CERTIFICATE_VALUES, at, e);
	}
	if (is_named(p, "RevocationValues")) {
		s->count.rev_values++;
		return rev_values(g, p, ns, IN_REVOCATION_VALUES, at, e);
	}
	if (is_named(p, "AttrAuthoritiesCertValues"))
		return cert_values(g, p, ns, IN_ATTRIBUTE_VALUES, at, e);
	if (is_named(p, "AttributeRevocationValues"))
		return rev_values(g, p, ns, IN_ATTRIBUTE_VALUES, at, e);
	if (is_named(p, "CompleteCertificateRefs") || is_named(p, "AttributeCertificateRefs")) {
		if (is_named(p, "CompleteCertificateRefs"))
			s->count.cert_refs++;
		else
			s->count.attr_refs++;
		return cert_refs(g, p, ns, at, e);
	}
	if (is_named(p, "CompleteRevocationRefs") || is_named(p, "AttributeRevocationRefs")) {
		if (is_named(p, "CompleteRevocationRefs"))
			s->count.rev_refs++;
		else
			s->count.attr_refs++;
		return rev_refs(g, p, ns, at, e);
	}
	if (is_named(p, "CounterSignature"))
		s->count.counter_signatures++;
	return ERR_OK;
}

static enum err_code
unsigned_read(struct collect *g, const char *ns, struct err *e)
{
	struct xsig *s = g->s;
	size_t at = 0;
	const xmlNode *p;
	unsigned authorities = (unsigned)xml_count(s->unsigned_props, ns, "AttrAuthoritiesCertValues");
	unsigned revocations = (unsigned)xml_count(s->unsigned_props, ns, "AttributeRevocationValues");

	s->count.attr_values = authorities > revocations ? authorities : revocations;
	for (p = xml_first(s->unsigned_props, NULL, NULL); p != NULL; p = xml_next(p, NULL, NULL), at++) {
		const char *own = p->ns != NULL ? (const char *)p->ns->href : "";
		enum err_code rc = ERR_OK;

		if (strcmp(own, ns) == 0)
			rc = property(g, p, ns, at, e);
		else if (strcmp(own, NS_X141) == 0)
			rc = property_141(g, p, ns, at, e);
		else if (strcmp(own, NS_XEN) == 0 && is_named(p, "SealingEvidenceRecords"))
			s->count.evidence_records++;
		if (rc != ERR_OK)
			return err_wrap(e, "%s", (const char *)p->name);
	}
	s->sealed = s->count.evidence_records != 0;
	return ERR_OK;
}

enum err_code
xades_read(struct sigdoc *d, struct xsig *s, struct err *e)
{
	struct collect g = {.d = d, .s = s};
	const char *ns;

	if (find_master_ref(d, s, e) != ERR_OK || find_props_ref(d, s, e) != ERR_OK)
		return err_wrap(e, "SignedInfo");
	if (key_info_read(&g, e) != ERR_OK)
		return err_wrap(e, "KeyInfo");
	if (s->qualifying == NULL)
		return ERR_OK;
	ns = xades_ns(s->version);
	if (signed_read(d, s, ns, e) != ERR_OK || unsigned_read(&g, ns, e) != ERR_OK)
		return err_wrap(e, "QualifyingProperties");
	return stamps_read(d, s, xml_first(s->signed_props, ns, "SignedDataObjectProperties"), e);
}
