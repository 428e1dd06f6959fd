/* SPDX-License-Identifier: MIT */
/* verify_document: gather what the document holds, judge each signature in order, answer with a report. */
#include "verify/derive.h"

#include <stdlib.h>
#include <string.h>

void
judge_broke(struct judge *j, const struct err *e)
{
	if (j->broke != ERR_OK)
		return;
	j->broke = e->code == ERR_OK ? ERR_BUG : e->code;
	j->err = *e;
}

void
judge_nomem(struct judge *j)
{
	struct err e = {0};

	if (err_nomem(&e) != ERR_OK)
		judge_broke(j, &e);
}

struct verdict
verdict_of(enum indication i, enum subindication s)
{
	return (struct verdict){i, s};
}

bool
verdict_is(struct verdict v, enum subindication s)
{
	return v.ind == IND_INDETERMINATE && v.sub == s;
}

enum check_level
level_of(const struct judge *j, enum check c, enum check_context ctx, enum cert_position pos)
{
	return j->pol->level[c][ctx][pos];
}

bool
alg_good(const struct judge *j, const struct alg_use *use, int64_t t)
{
	struct alg_verdict v = {0};

	catalogue_check(j->pol->catalogue, use, t, j->pol->after_update_warns, &v);
	return v.good;
}

int64_t
alg_end(const struct judge *j, const struct alg_use *use, int64_t t)
{
	struct alg_verdict v = {0};

	catalogue_check(j->pol->catalogue, use, t, j->pol->after_update_warns, &v);
	if (v.good)
		return TIME_MAX;
	return v.reason == ALG_ENDED ? v.end_utc : TIME_NONE;
}

void
subject_uses(struct judge *j, struct subject *s, const struct alg_use *use)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (memcmp(&s->own[i], use, sizeof(*use)) == 0)
			return;
	if (!mem_grow(&s->own, &s->cap_own, s->n_own, sizeof(*s->own))) {
		judge_nomem(j);
		return;
	}
	s->own[s->n_own++] = *use;
}

const struct alg_use *
subject_weak(const struct judge *j, const struct subject *s, int64_t t)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (!alg_good(j, &s->own[i], t))
			return &s->own[i];
	return NULL;
}

/* ---- the pool: everything that may be used, the document's own first ---- */

static void
pool_rev(struct judge *j, const struct revocation *r)
{
	struct err e = {0};

	if (pool_add_rev(&j->pool, r, &e) != ERR_OK)
		judge_broke(j, &e);
}

/* The revocation object it is, NULL for anything else. */
static const struct revocation *
pool_octets(struct judge *j, enum material_kind kind, struct slice der)
{
	const struct cert *c = NULL;
	const struct revocation *r = NULL;
	struct err e = {0};
	enum err_code rc = ERR_OK;

	if (kind == MAT_CERT)
		rc = pki_cert(j->pki, der, &c, &e);
	else if (kind == MAT_CRL)
		rc = pki_crl(j->pki, der, &r, &e);
	else if (kind == MAT_OCSP)
		rc = pki_ocsp(j->pki, der, &r, &e);
	if (rc == ERR_NOMEM)
		judge_broke(j, &e);
	if (rc != ERR_OK)
		return NULL; /* unreadable material proves nothing; what it should have proved is found missing */
	if (c != NULL && pool_add_cert(&j->pool, c, &e) != ERR_OK)
		judge_broke(j, &e);
	if (r != NULL)
		pool_rev(j, r);
	return r;
}

static void
pool_signature(struct judge *j, struct jsig *g)
{
	static const enum material_kind KIND[] = {[EMB_CERT] = MAT_CERT, [EMB_CRL] = MAT_CRL, [EMB_OCSP] = MAT_OCSP};

	for (size_t i = 0; i < g->s->n_embedded; i++)
		known_embedded(j, g, i, pool_octets(j, KIND[g->s->embedded[i].kind], g->s->embedded[i].der));
	for (size_t i = 0; i < g->n_stamps; i++) {
		struct jstamp *t = &g->stamps[i];
		struct err e = {0};

		if (t->xs->token.n == 0)
			continue;
		enum err_code rc = pki_token(j->pki, t->xs->token, &t->tok, &e);
		if (rc == ERR_NOMEM)
			judge_broke(j, &e);
		if (rc != ERR_OK)
			continue;
		if (pool_add_token(&j->pool, t->tok, &e) != ERR_OK)
			judge_broke(j, &e);
		for (size_t k = 0; k < t->tok->n_revs; k++)
			pool_rev(j, t->tok->revs[k]);
	}
}

static void
pool_material(struct judge *j)
{
	j->n_doc_certs = j->pool.n_certs;
	j->n_doc_revs = j->pool.n_revs;
	for (size_t i = 0; i < material_count(j->in->material); i++) {
		struct material_item it = material_at(j->in->material, i);

		if (it.kind != MAT_POLICY)
			(void)pool_octets(j, it.kind, it.octets);
	}
}

/* ---- one signature ---- */

static const char *
format_name(enum xades_version v)
{
	static const char *const NAMES[] = {[XADES_NONE] = "XML-DSig", [XADES_111] = "XAdES 1.1.1", [XADES_122] = "XAdES 1.2.2",
	    [XADES_132] = "XAdES 1.3.2"};

	return NAMES[v];
}

static void
sig_key(struct judge *j, struct jsig *g)
{
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	buf_addf(&b, "signature %zu ", g->s->index);
	buf_addslice(&b, g->s->value);
	if (buf_ok(&b, &e) != ERR_OK || digest_sha256(buf_slice(&b), g->sub.key, &e) != ERR_OK)
		judge_broke(j, &e);
}

static char *
text_or(struct judge *j, const char *s, const char *dflt)
{
	char *t = mem_dupstr(s == NULL ? dflt : s);

	if (t == NULL)
		judge_nomem(j);
	return t;
}

static bool
begin_stamps(struct judge *j, struct jsig *g)
{
	g->n_stamps = g->s->n_stamps;
	g->stamps = mem_new(g->n_stamps + 1, sizeof(*g->stamps));
	g->r->stamps = mem_new(g->n_stamps + 1, sizeof(*g->r->stamps));
	if (g->stamps == NULL || g->r->stamps == NULL) {
		judge_nomem(j);
		return false;
	}
	g->r->n_stamps = g->n_stamps;
	for (size_t i = 0; i < g->n_stamps; i++) {
		g->stamps[i].xs = &g->s->stamps[i];
		g->stamps[i].r = &g->r->stamps[i];
		g->stamps[i].r->type = g->s->stamps[i].type;
		g->stamps[i].r->index = i;
		g->stamps[i].r->id = text_or(j, g->s->stamps[i].id, "");
	}
	return true;
}

static bool
begin_signature(struct judge *j, struct jsig *g, struct xsig *s, struct report_signature *r)
{
	g->s = s;
	g->r = r;
	g->poe.outer = s->parent >= 0 ? &j->sigs[s->parent].poe : NULL;
	r->id = text_or(j, s->id, "");
	r->index = s->index;
	r->parent = s->parent;
	r->format = format_name(s->version);
	r->claimed_time = s->signing_time;
	r->best_signature_time = j->now;
	r->control_time = TIME_NONE;
	r->signer_not_after = TIME_MAX;
	r->sealed = s->sealed;
	r->nested = s->nested;
	sig_key(j, g);
	g->embedded = mem_new(s->n_embedded + 1, sizeof(*g->embedded));
	g->refs = mem_new(s->n_ref_objects + 1, sizeof(*g->refs));
	if (g->embedded == NULL || g->refs == NULL) {
		judge_nomem(j);
		return false;
	}
	return begin_stamps(j, g);
}

static void
report_refs(struct judge *j, struct jsig *g)
{
	struct report_signature *r = g->r;
	bool data = false, manifest = false;

	describe_signature(j, g);
	for (size_t i = 0; i < r->n_refs; i++) {
		data = data || g->s->refs[i].kind == REF_DATA || g->s->refs[i].kind == REF_OBJECT;
		manifest = manifest || g->s->refs[i].kind == REF_MANIFEST;
	}
	r->manifest_only_data = manifest && !data;
	if (g->lacks == NULL || r->refs == NULL)
		return;
	/* what ought to be signed and is not named: a reference that leads nowhere */
	r->refs[r->n_refs].found = r->refs[r->n_refs].intact = TRI_FALSE;
	r->refs[r->n_refs++].note = text_or(j, g->lacks, "");
}

static void
report_signer(struct judge *j, struct jsig *g)
{
	if (g->cert == NULL)
		return;
	g->r->signer_subject = text_or(j, g->cert->subject_text, "");
	memcpy(g->r->signer_sha256, g->cert->sha256, 32);
	g->r->signer_not_after = g->cert->not_after;
	g->r->anchored = g->sub.x != NULL && g->sub.x->n_chains > 0;
}

static bool
stamps_in_time(const struct jsig *g)
{
	bool any = false;

	for (size_t i = 0; i < g->n_stamps; i++) {
		if (g->stamps[i].xs->type != STAMP_SIGNATURE || g->stamps[i].tok == NULL)
			continue;
		if (g->cert != NULL && g->stamps[i].tok->gen_time >= g->cert->not_after)
			return false;
		any = true;
	}
	return any;
}

static void
judge_signature(struct judge *j, struct jsig *g)
{
	struct findings f = {0};
	struct err e = {0};

	j->f = &f;
	if (sig_check_references(j->doc, g->s, &e) != ERR_OK)
		judge_broke(j, &e);
	judge_stamps(j, g);
	judge_basic(j, g);
	judge_ltv(j, g);
	judge_archival(j, g);
	report_refs(j, g);
	report_signer(j, g);
	g->r->level = sig_level(g->s, &(struct level_facts){.values_complete = values_complete(j, g), .t_in_time = stamps_in_time(g),
	    .signer_in_key_info = (g->isc.ind == IND_PASSED || g->cv.ind == IND_PASSED) && g->cert != NULL && in_key_info(g, g->cert)});
	if (j->in->want_material)
		judge_closure(j, g);
	for (size_t i = 0; i < g->sub.n_own; i++)
		find_alg(j, 0, &g->sub.own[i], g->r->best_signature_time, g->r->id);
	find_verdict(j, 0, "Verdict", "EN 319 102-1 5.1.3", g->r->id, g->r->verdict);
	j->f = NULL;
	g->r->findings = f.v;
	g->r->n_findings = f.n;
	g->r->cap_findings = f.cap;
}

/* ---- the document ---- */

static void
judge_release(struct judge *j)
{
	judge_memo_release(j);
	known_release(j);
	poe_end(j);
	for (size_t i = 0; i < j->n_sigs; i++) {
		for (size_t k = 0; k < j->sigs[i].n_stamps; k++)
			free(j->sigs[i].stamps[k].sub.own);
		free(j->sigs[i].stamps);
		free(j->sigs[i].sub.own);
		poe_release(&j->sigs[i].poe);
	}
	free(j->sigs);
	pool_release(&j->pool);
	if (j->own_doc)
		sigdoc_close(j->doc);
}

static void
judge_auto(struct judge *j)
{
	judge_release(j);
}

static void
judge_all(struct judge *j)
{
	size_t n = j->doc->n_sigs;

	j->report->sigs = mem_new(n, sizeof(*j->report->sigs));
	j->sigs = mem_new(n, sizeof(*j->sigs));
	if (j->report->sigs == NULL || j->sigs == NULL) {
		judge_nomem(j);
		return;
	}
	j->report->n_sigs = j->n_sigs = n;
	for (size_t i = 0; i < n; i++)
		if (!begin_signature(j, &j->sigs[i], &j->doc->sigs[i], &j->report->sigs[i]))
			return;
	for (size_t i = 0; i < n; i++) {
		pool_signature(j, &j->sigs[i]);
		j->report->evidence_records += j->doc->sigs[i].count.evidence_records;
	}
	pool_material(j);
	for (size_t i = 0; i < n && j->broke == ERR_OK; i++)
		known_refs(j, &j->sigs[i]);
	for (size_t i = 0; i < n && j->broke == ERR_OK; i++)
		judge_signature(j, &j->sigs[i]);
}

/* A proof gained on an object, for the record; the earliest over all signatures. */
static void
report_poes(struct judge *j)
{
	struct poe all = {0};

	for (size_t i = 0; i < j->n_sigs; i++)
		for (size_t k = 0; k < j->sigs[i].poe.n; k++)
			poe_add(j, &all, j->sigs[i].poe.v[k].key, j->sigs[i].poe.v[k].time_utc);
	j->report->poes = mem_new(all.n + 1, sizeof(*j->report->poes));
	if (j->report->poes == NULL)
		judge_nomem(j);
	for (size_t i = 0; i < all.n && j->report->poes != NULL; i++) {
		memcpy(j->report->poes[i].sha256, all.v[i].key, 32);
		j->report->poes[i].time_utc = all.v[i].time_utc;
		j->report->n_poes = i + 1;
	}
	poe_release(&all);
}

static enum err_code
refuse(struct report *r, enum doc_status st, char *why, struct err *e)
{
	r->status = st;
	r->error = why;
	return r->error == NULL ? err_nomem(e) : ERR_OK;
}

static enum err_code
open_doc(struct judge *j, struct report *r, struct err *e)
{
	struct err why = {0};
	enum err_code rc = ERR_OK;

	j->own_doc = j->in->parsed == NULL;
	j->doc = j->in->parsed;
	if (j->own_doc)
		rc = sigdoc_open(j->in->doc, j->in->files, j->in->n_files, j->in->limits, &j->doc, &why);
	switch (rc) {
	case ERR_OK:
		break;
	case ERR_LIMIT:
		return refuse(r, DOC_TOO_LARGE, mem_dupstr(why.text), e);
	case ERR_FORMAT:
	case ERR_REFUSED:
	case ERR_UNSUPPORTED:
		return refuse(r, DOC_REFUSED, refusal_words(j->in->doc, &why), e);
	default:
		*e = why;
		return err_wrap(e, "verify");
	}
	r->status = j->doc->n_sigs == 0 ? DOC_NO_SIGNATURE : DOC_VALIDATED;
	return ERR_OK;
}

/* Behind the bound of public-key operations something may have been passed over that revokes: nothing is proven then. */
static void
nothing_proven(struct verdict *v, bool stamp)
{
	if (v->ind == IND_PASSED || (stamp && v->ind == IND_FAILED && v->sub == SUB_SIG_CRYPTO_FAILURE))
		*v = open_verdict(SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE);
}

static void
bound_reached(struct judge *j)
{
	for (size_t i = 0; pki_bounded(j->pki) && i < j->report->n_sigs; i++) {
		struct report_signature *r = &j->report->sigs[i];
		struct findings f = {r->findings, r->n_findings, r->cap_findings};

		j->f = &f;
		find_add(j, 0, FIND_NOT_CHECKED, "PublicKeyOperations", "docs/verify.md", r->id, NULL,
		    "too many keys that may have signed: %u checks that failed, or %u in all, is the limit", (unsigned)PKI_WRONG_MAX,
		    (unsigned)PKI_CHECKS_MAX);
		j->f = NULL;
		r->findings = f.v;
		r->n_findings = f.n;
		r->cap_findings = f.cap;
		for (size_t k = 0; k < r->n_stamps; k++) {
			nothing_proven(&r->stamps[k].basic, true);
			nothing_proven(&r->stamps[k].verdict, true);
			r->stamps[k].gives_poe = false;
		}
		nothing_proven(&r->verdict, false);
		r->best_signature_time = j->now;
		r->control_time = TIME_NONE;
		if (i < j->n_sigs)
			poe_release(&j->sigs[i].poe);
	}
}

static void
judge_begin(struct judge *j, struct verifier *v, const struct verify_input *in, struct report *r)
{
	j->v = v;
	j->pki = v->pki;
	j->in = in;
	j->pol = in->policy;
	j->peer = strncmp(in->policy->name, "dss", 3) == 0;
	j->now = in->time_utc;
	j->report = r;
	pki_begin(v->pki);
	pool_init(&j->pool, v->pki);
	j->pool.peer = j->peer;
}

enum err_code
verify_document(struct verifier *v, const struct verify_input *in, struct report **out, struct err *e)
{
	AUTO(report) struct report *r = NULL;
	AUTO(judge) struct judge j = {0};

	if (report_new(in, &r, e) != ERR_OK)
		return err_wrap(e, "verify");
	judge_begin(&j, v, in, r);
	if (open_doc(&j, r, e) != ERR_OK)
		return err_wrap(e, "verify");
	if (r->status == DOC_VALIDATED) {
		judge_all(&j);
		bound_reached(&j);
		pki_begin(j.pki); /* the checker has a count of its own */
		if (j.broke == ERR_OK)
			judge_prove(&j);
		report_poes(&j);
	}
	if (j.broke != ERR_OK) {
		if (e != NULL)
			*e = j.err;
		return err_wrap(e, "verify");
	}
	*out = TAKE(r);
	return ERR_OK;
}

/* ---- a token by itself ---- */

static bool
begin_token(struct judge *j, struct slice token, struct jstamp *t, struct err *e)
{
	struct report *r = j->report;

	if (pki_token(j->pki, token, &t->tok, e) != ERR_OK)
		return false;
	r->sigs = mem_new(1, sizeof(*r->sigs));
	if (r->sigs == NULL)
		return err_nomem(e) == ERR_OK;
	r->n_sigs = 1;
	r->sigs[0].parent = -1;
	r->sigs[0].id = text_or(j, NULL, "");
	r->sigs[0].format = r->sigs[0].level = "";
	r->sigs[0].best_signature_time = j->now;
	r->sigs[0].claimed_time = r->sigs[0].control_time = TIME_NONE;
	r->sigs[0].signer_not_after = TIME_MAX;
	r->sigs[0].stamps = mem_new(1, sizeof(*r->sigs[0].stamps));
	if (r->sigs[0].stamps == NULL)
		return err_nomem(e) == ERR_OK;
	r->sigs[0].n_stamps = 1;
	t->r = &r->sigs[0].stamps[0];
	t->r->type = STAMP_SIGNATURE;
	t->r->id = text_or(j, NULL, "");
	return true;
}

enum err_code
verify_token(struct verifier *v, const struct verify_input *in, struct slice token, int64_t newer_than, struct report **out,
    struct err *e)
{
	AUTO(report) struct report *r = NULL;
	AUTO(judge) struct judge j = {0};
	struct jstamp t = {0};
	struct findings f = {0};

	if (report_new(in, &r, e) != ERR_OK)
		return err_wrap(e, "token");
	judge_begin(&j, v, in, r);
	if (!begin_token(&j, token, &t, e))
		return err_wrap(e, "token");
	if (pool_add_token(&j.pool, t.tok, &j.err) != ERR_OK)
		judge_broke(&j, &j.err);
	for (size_t k = 0; k < t.tok->n_revs; k++)
		pool_rev(&j, t.tok->revs[k]);
	pool_material(&j);
	j.f = &f;
	stamp_open(&j, &t);
	stamp_token_verdict(&j, &t);
	stamp_basic(&j, &t);
	if (in->want_material)
		stamp_closure(&j, &t, 0, newer_than);
	j.f = NULL;
	r->status = DOC_VALIDATED;
	r->sigs[0].findings = f.v;
	r->sigs[0].n_findings = f.n;
	r->sigs[0].cap_findings = f.cap;
	bound_reached(&j);
	pki_begin(j.pki);
	if (j.broke == ERR_OK)
		judge_prove_token(&j, &t, token);
	free(t.sub.own);
	if (j.broke != ERR_OK) {
		if (e != NULL)
			*e = j.err;
		return err_wrap(e, "token");
	}
	*out = TAKE(r);
	return ERR_OK;
}
