/* SPDX-License-Identifier: MIT */
/*
 * A verdict turned into facts that can be compared: what was signed by whom, with which value, proven to exist when.
 * What the value is over is canonicalised by libxml2, not by the library that is tried.
 */
#include "tests/soundness/soundness.h"

#include "base/xml.h"
#include "verify/cover.h"
#include "verify/pki.h"

#include <libxml/c14n.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- canonical form by libxml2 ---- */

static const struct {
	const char *uri;
	int mode, comments;
} METHODS[] = {
    {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", XML_C14N_1_0, 0},
    {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments", XML_C14N_1_0, 1},
    {"http://www.w3.org/2006/12/xml-c14n11", XML_C14N_1_1, 0},
    {"http://www.w3.org/2006/12/xml-c14n11#WithComments", XML_C14N_1_1, 1},
    {"http://www.w3.org/2001/10/xml-exc-c14n#", XML_C14N_EXCLUSIVE_1_0, 0},
    {"http://www.w3.org/2001/10/xml-exc-c14n#WithComments", XML_C14N_EXCLUSIVE_1_0, 1},
};

static int
below(void *apex, xmlNodePtr n, xmlNodePtr parent)
{
	for (n = n->type == XML_NAMESPACE_DECL ? parent : n; n != NULL; n = n->parent)
		if (n == apex)
			return 1;
	return 0;
}

/* In-place canonical form of the element; false when the method is none of the six or there is no such form. */
static bool
canonical(xmlDoc *doc, xmlNode *apex, int mode, int comments, xmlChar **prefixes, uint8_t out[32])
{
	struct err e = {0};
	xmlOutputBuffer *to = must(xmlAllocOutputBuffer(NULL));
	bool good = xmlC14NExecute(doc, below, apex, mode, prefixes, comments, to) >= 0;

	if (good)
		good = digest_sha256(slice_of(xmlOutputBufferGetContent(to), xmlOutputBufferGetSize(to)), out, &e) == ERR_OK;
	xmlOutputBufferClose(to);
	return good;
}

/* The words of an InclusiveNamespaces below the method; ends with NULL. */
static size_t
prefix_list(const xmlNode *method, char *copy, size_t room, xmlChar *out[64])
{
	const xmlNode *inc = xml_first(method, "http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces");
	const char *list = inc != NULL ? xml_attr(inc, "PrefixList") : NULL;
	char *rest = copy, *word;
	size_t n = 0;

	snprintf(copy, room, "%s", list != NULL ? list : "");
	while ((word = strsep(&rest, " \t\r\n")) != NULL && n < 63)
		if (*word != '\0')
			out[n++] = (xmlChar *)word;
	out[n] = NULL;
	return n;
}

static bool
signed_octets(struct sigdoc *d, const struct xsig *s, uint8_t out[32])
{
	const xmlNode *method = s->signed_info != NULL ? xml_first(s->signed_info, NS_DS, "CanonicalizationMethod") : NULL;
	const char *uri = method != NULL ? xml_attr(method, "Algorithm") : NULL;
	xmlChar *prefixes[64];
	char copy[1024];

	for (size_t i = 0; uri != NULL && i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		if (strcmp(uri, METHODS[i].uri) == 0) {
			size_t n = prefix_list(method, copy, sizeof(copy), prefixes);
			bool exc = METHODS[i].mode == XML_C14N_EXCLUSIVE_1_0 && n > 0;

			return canonical(d->dom, s->signed_info, METHODS[i].mode, METHODS[i].comments, exc ? prefixes : NULL, out);
		}
	return false;
}

/* ---- facts ---- */

static const struct cert *
cert_of(struct verifier *v, const struct sigdoc *d, const struct material *beside, const uint8_t sha256[32])
{
	enum material_kind kind;
	const struct cert *c;
	struct slice der;
	struct err e = {0};

	for (size_t s = 0; s < d->n_sigs; s++)
		for (size_t i = 0; i < d->sigs[s].n_embedded; i++)
			if (d->sigs[s].embedded[i].kind == EMB_CERT && pki_cert(verifier_pki(v), d->sigs[s].embedded[i].der, &c, &e) == ERR_OK &&
			    memcmp(c->sha256, sha256, 32) == 0)
				return c;
	for (size_t i = 0; beside != NULL && material_get(beside, i, &kind, &der); i++)
		if (kind == MAT_CERT && pki_cert(verifier_pki(v), der, &c, &e) == ERR_OK && memcmp(c->sha256, sha256, 32) == 0)
			return c;
	return NULL;
}

/* Which of the document's ds:Signature elements this is, in document order. */
static size_t
ordinal(const struct sigdoc *d, const xmlNode *node)
{
	const xmlNode *root = xmlDocGetRootElement(d->dom);
	size_t n = 0;

	for (const xmlNode *at = root; at != NULL && at != node; at = xml_walk(root, at))
		n += xml_is(at, NS_DS, "Signature");
	return n;
}

static void
refused_by_checker(const struct report_signature *g, struct fact *f)
{
	for (size_t i = 0; i < g->n_findings; i++)
		if (g->findings[i].status == FIND_FAIL && strcmp(g->findings[i].check, "ProofChecked") == 0) {
			f->unproven = true;
			snprintf(f->gap, sizeof(f->gap), "%s", g->findings[i].text);
		}
}

static void
second(struct verifier *v, const struct sigdoc *d, const struct xsig *s, const struct report_signature *g, const struct material *beside,
    const struct sides *sides, struct second_opinion *to)
{
	const struct cert *c = cert_of(v, d, beside, g->signer_sha256);
	char said[200] = "no certificate";
	bool named = true; /* what a reference without URI leads to is the application's to say (XMLDSig 4.4.3.1) */

	for (size_t i = 0; i < s->n_refs; i++)
		named &= s->refs[i].uri != NULL;
	if (!named)
		snprintf(said, sizeof(said), "a reference without URI");
	enum opinion is = c != NULL && named ? xmlsec_opinion(d->raw, ordinal(d, s->node), c->der, sides, said, sizeof(said)) : OPINION_NONE;

	to->asked++;
	to->agreed += is == OPINION_RIGHT;
	to->could_not += is == OPINION_NONE;
	if (is == OPINION_NONE)
		snprintf(to->why_not, sizeof(to->why_not), "%s", said);
	if (is == OPINION_WRONG)
		snprintf(to->disagreed, sizeof(to->disagreed), "%s", said);
}

static void
add_covered(struct sigdoc *d, struct xsig *s, const struct xref *x, struct buf *all)
{
	AUTO(buf) struct buf octets = {0};
	struct sink to = sink_buf(&octets);
	uint8_t sha256[32];
	struct err e = {0};

	buf_add8(all, cover_octets(d, s, x, &to, &e) == ERR_OK);
	if (digest_sha256(buf_slice(&octets), sha256, &e) != ERR_OK)
		die("covered", e.text);
	buf_add(all, sha256, sizeof(sha256));
	for (size_t i = 0; i < x->n_entries; i++)
		add_covered(d, s, &x->entries[i], all);
}

/* The octets of each reference and each entry of a Manifest, in order. */
static void
covered_octets(struct sigdoc *d, struct xsig *s, uint8_t out[32])
{
	AUTO(buf) struct buf all = {0};
	struct err e = {0};

	for (size_t i = 0; i < s->n_refs; i++)
		add_covered(d, s, &s->refs[i], &all);
	if (digest_sha256(buf_slice(&all), out, &e) != ERR_OK)
		die("covered", e.text);
}

static void
fact_of(struct sigdoc *d, struct xsig *s, const struct report_signature *g, struct fact *f)
{
	struct err e = {0};

	f->known = signed_octets(d, s, f->octets) && digest_sha256(s->value, f->value, &e) == ERR_OK;
	memcpy(f->signer, g->signer_sha256, 32);
	f->claimed = g->claimed_time;
	f->best = g->best_signature_time;
	f->n_refs = g->n_refs;
	f->passed = g->verdict.ind == IND_PASSED;
	f->altered = g->verdict.sub == SUB_HASH_FAILURE;
	refused_by_checker(g, f);
	f->level = g->level;
	if (!f->passed)
		return;
	pieces_claimed(d, s, g->scope, &f->claimed_whole);
	pieces_signed(d, s, &f->made_over);
	covered_octets(d, s, f->covered);
}

static void
stamps_of(struct verifier *v, const struct xsig *s, const struct report_signature *g, struct truth *out)
{
	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct report_stamp *st = &g->stamps[i];
		AUTO(buf) struct buf id = {0};
		const struct token *t;
		struct err e = {0};

		if (st->verdict.ind != IND_PASSED)
			continue;
		out->stamps = must(realloc(out->stamps, (out->n_stamps + 1) * sizeof(*out->stamps)));
		struct stamp_fact *to = &out->stamps[out->n_stamps++];
		to->time = st->time_utc;
		memset(to->what, 0, 32);
		if (pki_token(verifier_pki(v), s->stamps[st->index].token, &t, &e) != ERR_OK)
			continue;
		buf_add(&id, st->tsa_sha256, 32);
		buf_add(&id, t->imprint.octets, t->imprint.n);
		buf_addslice(&id, t->serial);
		buf_add8(&id, t->imprint.alg);
		buf_addbe64(&id, (uint64_t)t->gen_time);
		buf_addbe32(&id, t->gen_micros);
		if (digest_sha256(buf_slice(&id), to->what, &e) != ERR_OK)
			die("stamp", e.text);
	}
}

void
judge(struct verifier *v, const struct seed *frame, struct slice doc, const struct sides *sides, const struct material *beside,
    struct truth *out, struct second_opinion *xmlsec)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(report) struct report *r = NULL;
	struct side_file files[SIDES_MAX];
	struct slice slices[SIDES_MAX];
	struct err e = {0};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sides->n; i++) {
		slices[i] = buf_slice(&sides->octets[i]);
		files[i] = (struct side_file){.name = sides->names[i], .has_source = true, .source = source_slice(&slices[i])};
	}
	if (sigdoc_open(doc, files, sides->n, NULL, &d, &e) != ERR_OK)
		d = NULL; /* refused; the judge is to say so itself */
	struct verify_input in = {.name = "mutant", .doc = doc, .parsed = d, .files = files, .n_files = sides->n, .material = beside,
	    .anchors = frame->anchors, .policy = &frame->policy, .time_utc = frame->at};
	if (verify_document(v, &in, &r, &e) != ERR_OK)
		die("verify_document", e.text);
	out->validated = r->status == DOC_VALIDATED;
	if (!out->validated || d == NULL)
		return;
	out->facts = must(calloc(r->n_sigs + 1, sizeof(*out->facts)));
	out->n_facts = r->n_sigs;
	for (size_t i = 0; i < r->n_sigs; i++) {
		struct xsig *s = &d->sigs[r->sigs[i].index];

		fact_of(d, s, &r->sigs[i], &out->facts[i]);
		stamps_of(v, s, &r->sigs[i], out);
		if (xmlsec != NULL && out->facts[i].passed)
			second(v, d, s, &r->sigs[i], beside, sides, xmlsec);
	}
}

void
truth_release(struct truth *t)
{
	for (size_t i = 0; i < t->n_facts; i++) {
		free(t->facts[i].claimed_whole.v);
		free(t->facts[i].made_over.v);
	}
	free(t->facts);
	free(t->stamps);
	memset(t, 0, sizeof(*t));
}

/* ---- material ---- */

static void
add(struct material *m, enum material_kind kind, struct slice der)
{
	struct err e = {0};

	if (material_add(m, kind, der, &e) == ERR_NOMEM)
		die("material", e.text);
}

static void
add_token(struct material *m, struct pki *p, struct slice der)
{
	const struct token *t;
	struct err e = {0};

	if (pki_token(p, der, &t, &e) != ERR_OK)
		return;
	for (size_t i = 0; i < t->n_certs; i++)
		add(m, MAT_CERT, t->certs[i]->der);
	for (size_t i = 0; i < t->n_revs; i++)
		add(m, t->revs[i]->kind == REV_CRL ? MAT_CRL : MAT_OCSP, t->revs[i]->der);
}

static void
add_embedded(struct material *m, struct pki *p, const struct embedded *x)
{
	const struct revocation *r;
	const struct cert *c;
	struct err e = {0};

	if (x->kind == EMB_CERT && pki_cert(p, x->der, &c, &e) == ERR_OK)
		add(m, MAT_CERT, x->der);
	else if (x->kind == EMB_CRL && pki_crl(p, x->der, &r, &e) == ERR_OK)
		add(m, MAT_CRL, x->der);
	else if (x->kind == EMB_OCSP && pki_ocsp(p, x->der, &r, &e) == ERR_OK)
		add(m, MAT_OCSP, r->der);
}

struct material *
material_of(struct slice doc)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct material *m = NULL;
	AUTO(pki) struct pki *p = NULL;
	struct err e = {0};

	if (material_new(&m, &e) != ERR_OK || pki_new(&p, &e) != ERR_OK)
		die("material", e.text);
	if (sigdoc_open(doc, NULL, 0, NULL, &d, &e) != ERR_OK)
		return m;
	for (size_t s = 0; s < d->n_sigs; s++) {
		for (size_t i = 0; i < d->sigs[s].n_embedded; i++)
			add_embedded(m, p, &d->sigs[s].embedded[i]);
		for (size_t i = 0; i < d->sigs[s].n_stamps; i++)
			add_token(m, p, d->sigs[s].stamps[i].token);
	}
	return m;
}

void
material_join(struct material *to, const struct material *from)
{
	enum material_kind kind;
	struct slice der;

	for (size_t i = 0; material_get(from, i, &kind, &der); i++)
		add(to, kind, der);
}
