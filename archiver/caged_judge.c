/* SPDX-License-Identifier: MIT */
/* A document judged: what it is, the report, and for each signature its row of the upgrade table and its closures. */
#include "archiver/caged_int.h"
#include "archiver/augment.h"
#include "base/form.h"

#include <openssl/crypto.h>
#include <string.h>

/* ---- one signature ---- */

static enum err_code
stamp_json(const struct sigdoc *d, size_t sig, const struct report_stamp *s, json_t *list, json_t *objects, struct err *e)
{
	json_t *j = json_object(), *closure = NULL, *facts = NULL;
	uint8_t sha[32];
	if (s->index >= d->sigs[sig].n_stamps)
		return err_set(e, ERR_BUG, "time-stamp %zu of the report is not in the document", s->index);
	struct slice token = d->sigs[sig].stamps[s->index].token;
	if (json_push(list, j, e) != ERR_OK || digest_sha256(token, sha, e) != ERR_OK ||
	    json_set(j, "type", json_text(stamp_type_name(s->type)), e) != ERR_OK ||
	    json_set(j, "id", json_text(s->id), e) != ERR_OK || json_set(j, "time", json_time(s->time_utc), e) != ERR_OK ||
	    json_set(j, "sha256", token.n > 0 ? json_hex(slice_of(sha, 32)) : json_null(), e) != ERR_OK ||
	    json_set(j, "token", token.n > 0 ? caged_base64(token) : json_null(), e) != ERR_OK ||
	    json_set(j, "tsa_sha256", s->tsa_subject != NULL ? json_hex(slice_of(s->tsa_sha256, 32)) : json_null(), e) !=
		ERR_OK ||
	    json_set(j, "tsa_not_after", json_time(s->tsa_not_after), e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	if (caged_closure_json(&s->closure, &closure, e) != ERR_OK || json_set(j, "closure", closure, e) != ERR_OK ||
	    caged_facts_json(s, &facts, e) != ERR_OK || json_set(j, "class", facts, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	return caged_objects_json(&s->closure, false, objects, e);
}

/* What stands in the file already, so that its own form can go on. */
static json_t *
has_json(const struct xsig *s)
{
	struct augment_have h;
	unsigned n[STAMP_ARCHIVE + 1] = {0};
	augment_have(s, &h);
	for (size_t i = 0; i < s->n_stamps; i++)
		n[s->stamps[i].type]++;
	return json_pack("{s:i, s:s?, s:i, s:b, s:i}", "T", (int)n[STAMP_SIGNATURE], "refs",
	    h.refs_v1	    ? "V1"
		: h.refs_v2 ? "V2"
			    : NULL,
	    "X", (int)(n[STAMP_SIG_AND_REFS] + n[STAMP_REFS_ONLY]), "values", (int)h.values, "A", (int)n[STAMP_ARCHIVE]);
}

/* Digests of what the signature's own properties and KeyInfo hold: a parallel one's values stand under other stamps. */
static enum err_code
embedded_json(const struct xsig *s, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	for (size_t i = 0; i < s->n_embedded; i++) {
		uint8_t sha[32];
		if (digest_sha256(s->embedded[i].der, sha, e) != ERR_OK ||
		    json_push(list, json_hex(slice_of(sha, 32)), e) != ERR_OK)
			return err_wrap(e, "embedded object %zu", i);
	}
	*out = TAKE(list);
	return ERR_OK;
}

static enum err_code
signature_json(struct sigdoc *d, const struct report *r, size_t i, const struct upgrade_facts *f, json_t *list,
    json_t *objects, struct err *e)
{
	const struct report_signature *s = &r->sigs[i];
	json_t *j = json_object(), *stamps = json_array(), *closure = NULL, *sliding = NULL, *embedded = NULL;
	struct upgrade up;
	upgradable(f, &up);
	if (json_push(list, j, e) != ERR_OK || json_set(j, "stamps", stamps, e) != ERR_OK ||
	    json_set(j, "path", json_text(upgrade_path_name(up.path)), e) != ERR_OK ||
	    json_set(j, "row", json_text(up.row), e) != ERR_OK ||
	    json_set(j, "reason", json_text(up.reason), e) != ERR_OK ||
	    json_set(j, "stamp_needed", json_boolean(up.stamp_needed), e) != ERR_OK ||
	    json_set(j, "has", has_json(&d->sigs[i]), e) != ERR_OK ||
	    embedded_json(&d->sigs[i], &embedded, e) != ERR_OK || json_set(j, "embedded", embedded, e) != ERR_OK ||
	    json_set(j, "covered_by", f->covered_by >= 0 ? json_integer(f->covered_by) : json_null(), e) != ERR_OK ||
	    json_set(j, "signer_not_after", json_time(s->signer_not_after), e) != ERR_OK ||
	    caged_closure_json(&s->closure, &closure, e) != ERR_OK || json_set(j, "closure", closure, e) != ERR_OK ||
	    caged_objects_json(&s->closure, false, objects, e) != ERR_OK ||
	    caged_closure_json(&s->sliding, &sliding, e) != ERR_OK || json_set(j, "sliding", sliding, e) != ERR_OK ||
	    caged_objects_json(&s->sliding, false, objects, e) != ERR_OK)
		return err_wrap(e, "signature %zu", i);
	for (size_t k = 0; k < s->n_stamps; k++)
		if (stamp_json(d, i, &s->stamps[k], stamps, objects, e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
	return ERR_OK;
}

static enum form
form_of(const struct sigdoc *d)
{
	if (d->dossier)
		return FORM_E_AKTA;
	for (size_t i = 0; i < d->n_sigs; i++)
		if (d->sigs[i].version != XADES_NONE)
			return FORM_XADES;
	return d->n_sigs > 0 ? FORM_XMLDSIG : FORM_XML;
}

static enum err_code
signatures_json(struct sigdoc *d, const struct report *r, json_t *list, json_t *objects, struct err *e)
{
	AUTO(mem) struct upgrade_facts *f = mem_new(d->n_sigs + 1, sizeof(*f));
	if (f == NULL)
		return err_nomem(e);
	if (upgrade_facts_of(d, r, f, e) != ERR_OK)
		return err_wrap(e, "upgrade");
	for (size_t i = 0; i < d->n_sigs; i++)
		if (signature_json(d, r, i, &f[i], list, objects, e) != ERR_OK)
			return e != NULL ? e->code : ERR_BUG;
	return ERR_OK;
}

/* ---- the whole answer ---- */

static enum err_code
answer_new(struct caged_state *st, const struct report *r, enum form form, struct slice entropy, json_t **out,
    struct err *e)
{
	json_t *header = NULL, *report = NULL, *wants = NULL;
	AUTO(json) json_t *j = json_object();
	if (json_set(j, "form", json_text(form_name(form)), e) != ERR_OK ||
	    report_header_json(r, &header, e) != ERR_OK || json_set(j, "header", header, e) != ERR_OK ||
	    report_json(r, &report, e) != ERR_OK || json_set(j, "report", report, e) != ERR_OK ||
	    caged_wants_json(verifier_pki(st->v), r, entropy, &wants, e) != ERR_OK ||
	    json_set(j, "wants", wants, e) != ERR_OK || json_set(j, "signatures", json_array(), e) != ERR_OK ||
	    json_set(j, "objects", json_object(), e) != ERR_OK)
		return err_wrap(e, "answer");
	*out = TAKE(j);
	return ERR_OK;
}

enum err_code
caged_judge_json(struct caged_state *st, struct sigdoc *d, const struct report *r, struct slice entropy, json_t **out,
    struct err *e)
{
	AUTO(json) json_t *j = NULL;
	if (answer_new(st, r, form_of(d), entropy, &j, e) != ERR_OK)
		return err_wrap(e, "judge");
	if (r->n_sigs > 0 && signatures_json(d, r, json_object_get(j, "signatures"), json_object_get(j, "objects"), e) !=
		ERR_OK)
		return err_wrap(e, "judge");
	*out = TAKE(j);
	return ERR_OK;
}

/* What can't be judged as XML gets a document without signatures; the header is that of any report of this policy. */
static enum err_code
data_json(struct caged_state *st, const struct caged_input *in, enum form form, const struct material *material,
    int64_t time_utc, json_t **out, struct err *e)
{
	struct caged_input empty = {.name = in->name};
	AUTO(report) struct report *r = NULL;
	AUTO(json) json_t *j = NULL;
	buf_adds(&empty.doc, "<data/>");
	enum err_code rc = caged_verify(st, &empty, NULL, material, time_utc, 0, false, &r, e);
	buf_release(&empty.doc);
	if (rc != ERR_OK || answer_new(st, r, form, slice_of(NULL, 0), &j, e) != ERR_OK)
		return err_wrap(e, "judge");
	json_t *report = json_object_get(j, "report");
	if (json_set(report, "status", json_text(in->too_large ? "too_large" : "no_signature"), e) != ERR_OK)
		return err_wrap(e, "judge");
	*out = TAKE(j);
	return ERR_OK;
}

/* Cut off or not well-formed is data, not an offence: *out is NULL then. A DTD or a passed limit is refused. */
static enum err_code
open_readable(struct caged_state *st, const struct caged_input *in, struct sigdoc **out, struct err *e)
{
	struct err why = {0};
	enum err_code rc = caged_sigdoc(st, in, &in->doc, out, &why);
	return rc == ERR_OK || rc == ERR_FORMAT ? ERR_OK : err_set(e, rc, "%s", why.text);
}

enum err_code
caged_judge_run(struct caged_state *st, const struct caged_input *in, const struct material *material, int64_t time_utc,
    int64_t grace_seconds, struct slice entropy, json_t **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(report) struct report *r = NULL;
	if (in->size_bytes == 0)
		return err_set(e, ERR_REFUSED, "the file is empty");
	enum form form = form_sniff(buf_slice(&in->doc));
	if (form == FORM_XML && !in->too_large && open_readable(st, in, &d, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	if (d == NULL)
		return data_json(st, in, form == FORM_XML ? (in->too_large ? FORM_XML : FORM_DATA) : form, material, time_utc,
		    out, e);
	if (caged_verify(st, in, d, material, time_utc, grace_seconds, true, &r, e) != ERR_OK)
		return err_wrap(e, "judge");
	return caged_judge_json(st, d, r, entropy, out, e);
}
