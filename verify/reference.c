/* SPDX-License-Identifier: MIT */
/*
 * One reference: dereferenced, transformed, digested, and what of the file went
 * into the digest. Done once for each; everybody who asks gets the same answer.
 */
#include "verify/xades_int.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TRANSFORMED_TRIES 16 /* files that are parsed in search of one whose transformed digest fits */

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

/* A place for each reference that was read so far: those to SignedProperties are asked of while the file is opened. */
static bool
proofs_room(struct docstate *st)
{
	size_t cap = st->n_proofs < 16 ? 16 : 2 * st->n_proofs;
	struct ref_proof **v;

	if (st->n_proofs <= st->cap_proofs)
		return true;
	v = mem_new(cap, sizeof(*v));
	if (v == NULL)
		return false;
	if (st->cap_proofs != 0)
		memcpy(v, st->proofs, st->cap_proofs * sizeof(*v));
	free(st->proofs);
	st->proofs = v;
	st->cap_proofs = cap;
	return true;
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

	if (!proofs_room(st))
		return err_nomem(e);
	*out = st->proofs[x->serial];
	if (*out != NULL)
		return ERR_OK;
	p = arena_new(&st->arena, sizeof(*p));
	if (p == NULL)
		return err_nomem(e);
	gather_begin(d, &g);
	rc = prove(&r, &scratch, p, e);
	gather_release(&g);
	if (rc == ERR_OK)
		*out = st->proofs[x->serial] = p;
	return rc;
}

enum err_code
cover_reference(struct sigdoc *d, struct xsig *s, const struct xref *x, struct covered *out, struct err *e)
{
	const struct ref_proof *p;

	*out = (struct covered){.intact = TRI_UNKNOWN};
	if (proof_of(d, s, x, &p, e) != ERR_OK)
		return err_wrap(e, "reference");
	*out = (struct covered){.intact = TRI_UNKNOWN, .cover = {.doc = d}, .alg = x->digest.alg, .note = p->note};
	if (p->found != TRI_TRUE || p->intact == TRI_UNKNOWN)
		return ERR_OK;
	*out = (struct covered){.intact = p->intact, .cover = p->cover, .alg = x->digest.alg, .note = p->note};
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
		x->claim = ref_false_claim(d, s, x);
		s->key_info_signed = s->key_info_signed || cover_holds(&p->cover, s->key_info);
	}
	return ERR_OK;
}

/* Entries count as long as the Manifest is signed whole. Where that can't be said it is not known what m signs. */
static enum err_code
check_entries(struct sigdoc *d, struct xsig *s, struct xref *m, struct err *e)
{
	struct cover all;
	struct err why = {0};
	enum err_code rc;

	if (check_list(d, s, m->entries, m->n_entries, e) != ERR_OK)
		return err_wrap(e, "Manifest");
	rc = refs_cover(d, s, &all, &why);
	if (rc == ERR_LIMIT) {
		m->intact = TRI_UNKNOWN;
		m->fault = REF_LIMIT;
		m->note = arena_dup(&state_of(d)->arena, why.text);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return err_set(e, rc, "Manifest: %s", why.text);
	m->entries_signed = cover_holds(&all, m->target);
	return ERR_OK;
}

enum err_code
sig_check_references(struct sigdoc *d, struct xsig *s, struct err *e)
{
	size_t i;

	if (check_list(d, s, s->refs, s->n_refs, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	for (i = 0; i < s->n_refs; i++)
		if (s->refs[i].n_entries != 0 && check_entries(d, s, &s->refs[i], e) != ERR_OK)
			return err_wrap(e, "signature %zu", s->index);
	return ERR_OK;
}

enum err_code
ref_write(struct run *r, const struct xref *x, const struct c14n *final, const struct sink *to, struct err *e)
{
	AUTO(data) struct data io = {0};
	const struct ref_proof *p;

	if (uri_is_local(x->uri)) {
		if (deref_local(r, x->uri, &io, e) != ERR_OK)
			return err_wrap(e, "reference");
	} else {
		if (proof_of(r->d, r->s, x, &p, e) != ERR_OK)
			return err_wrap(e, "reference");
		if (p->file == NULL || !p->file->has_source)
			return run_fault(r, REF_NOT_FOUND, "the octets of \"%.150s\" are not at hand", x->uri != NULL ? x->uri : "(no URI)");
		io.kind = DATA_FILE;
		io.file = p->file;
		io.outside = true;
	}
	if (r->fault != REF_FINE)
		return ERR_OK;
	return transforms_write(r, xml_first(x->node, NS_DS, "Transforms"), &io, final, to, e);
}
