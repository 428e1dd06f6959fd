/* SPDX-License-Identifier: MIT */
/* A file made longer: properties built and put in, the imprint of the next stamp told, the result judged against the original. */
#include "archiver/augment.h"
#include "archiver/caged_int.h"

#include <stdlib.h>
#include <string.h>

#define ADDITIONS_MAX 32
#define OBJECTS_MAX 4096

/* One request, with everything that its texts borrow from. */
struct extension {
	const struct material *material;
	struct report *was; /* NULL until it is needed */
	struct sigdoc *d;
	struct xsig *s;
	size_t at;
	enum digest_alg alg;
	struct augment_have have;
	struct buf text; /* ASCII, all additions */
	size_t n_stamps; /* among them */
	int64_t time_utc;
};

static void
extension_auto(struct extension *x)
{
	report_free(x->was);
	sigdoc_close(x->d);
	buf_release(&x->text);
}

/* What forbids every insertion, whatever the trust; the rest of the table was asked before. */
static enum err_code
allowed(const struct extension *x, struct err *e)
{
	const struct xsig *s = x->s;
	if (s->version != XADES_132)
		return err_set(e, ERR_UNSUPPORTED, "signature %zu has no XAdES 1.3.2 container", x->at);
	if (s->count.evidence_records > 0)
		return err_set(e, ERR_UNSUPPORTED, "signature %zu is sealed by an evidence record", x->at);
	if (s->nested)
		return err_set(e, ERR_UNSUPPORTED, "signature %zu lies inside signed data", x->at);
	if (x->d->dossier)
		return err_set(e, ERR_UNSUPPORTED, "signature %zu stands in an e-akta", x->at);
	for (long m = s->parent; m >= 0; m = x->d->sigs[m].parent)
		for (size_t i = 0; i < x->d->sigs[m].n_stamps; i++)
			if (x->d->sigs[m].stamps[i].type == STAMP_ARCHIVE)
				return err_set(e, ERR_UNSUPPORTED, "the master of counter-signature %zu has an archive stamp", x->at);
	return ERR_OK;
}

static enum err_code
extension_open(struct caged_state *st, const struct caged_input *in, const json_t *head, struct extension *x,
    json_t **request, struct err *e)
{
	const char *digest;
	uint64_t at;
	if (json_need_obj(head, "request", request, e) != ERR_OK || json_need_int(head, "time", &x->time_utc, e) != ERR_OK ||
	    json_need_size(*request, "signature", &at, e) != ERR_OK ||
	    json_want_str(*request, "digest", "SHA512", &digest, e) != ERR_OK ||
	    caged_sigdoc(st, in, &in->doc, &x->d, e) != ERR_OK)
		return err_wrap(e, "extend");
	if (at >= x->d->n_sigs)
		return err_set(e, ERR_USAGE, "signature %llu of %zu", (unsigned long long)at, x->d->n_sigs);
	const struct digest_row *row = digest_by_name(digest);
	if (row == NULL)
		return err_set(e, ERR_USAGE, "digest %s", digest);
	x->at = (size_t)at;
	x->s = &x->d->sigs[at];
	x->alg = row->alg;
	augment_have(x->s, &x->have);
	return allowed(x, e);
}

/* ---- objects by name ---- */

static bool
in_closure(const struct closure *c, const uint8_t sha256[32], struct augment_object *out)
{
	for (size_t i = 0; i < c->n; i++)
		if (memcmp(c->v[i].sha256, sha256, 32) == 0) {
			*out = (struct augment_object){c->v[i].kind, c->v[i].der};
			return true;
		}
	return false;
}

/* Objects that stand in the document, and anchors, are in the closures of its report. */
static bool
in_report(const struct report *r, const uint8_t sha256[32], struct augment_object *out)
{
	for (size_t i = 0; i < r->n_sigs; i++) {
		const struct report_signature *s = &r->sigs[i];
		if (in_closure(&s->closure, sha256, out))
			return true;
		for (size_t k = 0; k < s->n_stamps; k++)
			if (in_closure(&s->stamps[k].closure, sha256, out))
				return true;
	}
	return false;
}

static bool
in_material(const struct material *m, const uint8_t sha256[32], struct augment_object *out)
{
	uint8_t sha[32];
	for (size_t i = 0; material_get(m, i, &out->kind, &out->der); i++)
		if (out->kind != MAT_POLICY && digest_sha256(out->der, sha, NULL) == ERR_OK &&
		    memcmp(sha, sha256, 32) == 0)
			return true;
	return false;
}

static enum err_code
object_find(const struct extension *x, const char *name, struct augment_object *out, struct err *e)
{
	uint8_t sha256[32];
	if (name == NULL || strlen(name) != 64 || !hex_to(name, 64, sha256))
		return err_set(e, ERR_USAGE, "object %s", name != NULL ? name : "-");
	if (in_material(x->material, sha256, out) || in_report(x->was, sha256, out))
		return ERR_OK;
	return err_set(e, ERR_NOTFOUND, "object %s is not in the material", name);
}

static bool
listed(const struct augment_object *v, size_t n, const struct augment_object *o)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == o->kind && slice_eq(v[i].der, o->der))
			return true;
	return false;
}

static bool
in_key_info(const struct xsig *s, struct slice der)
{
	for (size_t i = 0; i < s->n_embedded; i++)
		if (s->embedded[i].place == IN_KEY_INFO && slice_eq(s->embedded[i].der, der))
			return true;
	return false;
}

/* References leave out the signing certificate, values leave it out where KeyInfo has it (xades.md 5.1). */
static bool
left_out(const struct extension *x, enum augment_kind kind, const struct augment_object *o)
{
	uint8_t sha[32];
	const struct report_signature *r = &x->was->sigs[x->at];
	if (o->kind != MAT_CERT || r->signer_subject == NULL || (kind != ADD_REFS && kind != ADD_VALUES) ||
	    digest_sha256(o->der, sha, NULL) != ERR_OK || memcmp(sha, r->signer_sha256, 32) != 0)
		return false;
	return kind == ADD_REFS || in_key_info(x->s, o->der);
}

/* Each once, in the order given. */
static enum err_code
objects_find(const struct extension *x, enum augment_kind kind, const json_t *names, struct augment_object **out, size_t *n,
    struct err *e)
{
	AUTO(mem) struct augment_object *v = NULL;
	size_t named = json_array_size(names);
	*n = 0;
	if (named > OBJECTS_MAX)
		return err_set(e, ERR_LIMIT, "%zu objects, at most %d", named, OBJECTS_MAX);
	v = mem_new(named + 1, sizeof(*v));
	if (v == NULL)
		return err_nomem(e);
	for (size_t i = 0; i < named; i++) {
		if (object_find(x, json_string_value(json_array_get(names, i)), &v[*n], e) != ERR_OK)
			return err_wrap(e, "object %zu", i);
		if (!left_out(x, kind, &v[*n]) && !listed(v, *n, &v[*n]))
			(*n)++;
	}
	*out = TAKE(v);
	return ERR_OK;
}

/* ---- additions ---- */

static enum err_code
addition(struct extension *x, struct pki *pki, const json_t *row, struct err *e)
{
	AUTO(buf) struct buf token = {0};
	AUTO(mem) struct augment_object *objects = NULL;
	struct augment_add add = {0};
	const char *what, *text;
	if (json_need_str(row, "do", &what, e) != ERR_OK || json_want_str(row, "token", NULL, &text, e) != ERR_OK)
		return err_wrap(e, "addition");
	add.kind = augment_kind_of(what);
	if (text != NULL && base64_to(slice_str(text), &token, e) != ERR_OK)
		return err_wrap(e, "addition %s", what);
	add.token = buf_slice(&token);
	if (objects_find(x, add.kind, json_object_get(row, "objects"), &objects, &add.n_objects, e) != ERR_OK)
		return err_wrap(e, "addition %s", what);
	add.objects = objects;
	x->n_stamps += add.kind == ADD_T || add.kind == ADD_X || add.kind == ADD_A;
	if (augment_text(pki, &add, x->alg, &x->have, &x->text, e) != ERR_OK)
		return err_wrap(e, "addition %s", what);
	return ERR_OK;
}

static enum err_code
additions(struct extension *x, struct pki *pki, const json_t *request, struct err *e)
{
	json_t *list;
	if (json_need_arr(request, "add", &list, e) != ERR_OK)
		return err_wrap(e, "request");
	if (json_array_size(list) > ADDITIONS_MAX)
		return err_set(e, ERR_LIMIT, "%zu additions, at most %d", json_array_size(list), ADDITIONS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (addition(x, pki, json_array_get(list, i), e) != ERR_OK)
			return e != NULL ? e->code : ERR_BUG;
	return ERR_OK;
}

/* ---- the imprint of the next stamp ---- */

/* The newest stamp that stands there: the next one must not be older. */
static int64_t
newest_stamp(struct pki *pki, const struct xsig *s)
{
	int64_t newest = TIME_NONE;
	for (size_t i = 0; i < s->n_stamps; i++) {
		const struct token *t = NULL;
		if (s->stamps[i].token.n > 0 && pki_token(pki, s->stamps[i].token, &t, NULL) == ERR_OK &&
		    (newest == TIME_NONE || t->gen_time > newest))
			newest = t->gen_time;
	}
	return newest;
}

static enum err_code
imprint(struct caged_state *st, const struct caged_input *in, const struct extension *x, const struct spliced *sp,
    const char *kind_text, json_t **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(json) json_t *j = json_object();
	struct digest value;
	enum augment_kind kind = augment_kind_of(kind_text);
	if (kind != ADD_T && kind != ADD_X && kind != ADD_A)
		return err_set(e, ERR_USAGE, "imprint of %s", kind_text);
	if (kind == ADD_X && !x->have.refs_v1 && !x->have.refs_v2)
		return err_set(e, ERR_UNSUPPORTED, "a stamp over references, but there are none");
	if (caged_sigdoc(st, in, &sp->file, &d, e) != ERR_OK)
		return err_wrap(e, "new file");
	if (d->n_sigs != x->d->n_sigs)
		return err_set(e, ERR_REFUSED, "%zu signatures became %zu", x->d->n_sigs, d->n_sigs);
	struct xsig *s = &d->sigs[x->at];
	struct xstamp next = augment_described(kind, &x->have, augment_children(s));
	if (stamp_imprint(d, s, &next, x->alg, &value, e) != ERR_OK)
		return err_wrap(e, "imprint");
	if (json_set(j, "imprint", caged_digest_json(&value), e) != ERR_OK ||
	    json_set(j, "gen_after", json_time(newest_stamp(verifier_pki(st->v), s)), e) != ERR_OK)
		return err_wrap(e, "imprint");
	*out = TAKE(j);
	return ERR_OK;
}

/* ---- the new file ---- */

static enum err_code
spliced_json(const struct spliced *sp, json_t *j, struct err *e)
{
	struct digest a, b;
	char sha256[DIGEST_HEX], sha512[DIGEST_HEX];
	if (digest_once(DIGEST_SHA256, buf_slice(&sp->file), &a, e) != ERR_OK ||
	    digest_once(DIGEST_SHA512, buf_slice(&sp->file), &b, e) != ERR_OK)
		return err_wrap(e, "new file");
	hex_of(digest_slice(&a), sha256);
	hex_of(digest_slice(&b), sha512);
	if (json_set(j, "offset", json_integer((json_int_t)sp->offset), e) != ERR_OK ||
	    json_set(j, "text", caged_base64(buf_slice(&sp->text)), e) != ERR_OK ||
	    json_set(j, "sha256", json_text(sha256), e) != ERR_OK ||
	    json_set(j, "sha512", json_text(sha512), e) != ERR_OK ||
	    json_set(j, "size", json_integer((json_int_t)sp->file.n), e) != ERR_OK)
		return err_wrap(e, "new file");
	return ERR_OK;
}

static enum err_code
finish(struct caged_state *st, const struct caged_input *in, const struct extension *x, const struct spliced *sp,
    json_t **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(report) struct report *is = NULL;
	AUTO(json) json_t *j = json_object();
	json_t *judge = NULL;
	struct caged_input new = *in;
	new.doc = sp->file;
	if (caged_sigdoc(st, &new, &new.doc, &d, e) != ERR_OK ||
	    caged_verify(st, &new, d, x->material, x->time_utc, 0, true, &is, e) != ERR_OK)
		return err_wrap(e, "new file");
	if (augment_recheck(x->d->raw, x->was, sp, is, x->at, x->n_stamps, e) != ERR_OK)
		return err_wrap(e, "new file");
	if (spliced_json(sp, j, e) != ERR_OK || json_set(j, "level", json_text(is->sigs[x->at].level), e) != ERR_OK ||
	    caged_judge_json(st, d, is, slice_of(NULL, 0), &judge, e) != ERR_OK ||
	    json_set(j, "judge", judge, e) != ERR_OK)
		return err_wrap(e, "new file");
	*out = TAKE(j);
	return ERR_OK;
}

/* A signature that is not whole gets nothing inserted: tokens would only say since when it is broken. */
static enum err_code
intact(const struct extension *x, struct err *e)
{
	if (x->was->status != DOC_VALIDATED || x->was->n_sigs != x->d->n_sigs)
		return err_set(e, ERR_REFUSED, "%s", x->was->error != NULL ? x->was->error : "the document was not validated");
	if (x->was->sigs[x->at].value_intact != TRI_TRUE)
		return err_set(e, ERR_UNSUPPORTED, "the value of signature %zu is not intact", x->at);
	for (size_t i = 0; i < x->was->sigs[x->at].n_refs; i++)
		if (x->was->sigs[x->at].refs[i].intact == TRI_FALSE)
			return err_set(e, ERR_UNSUPPORTED, "reference %zu of signature %zu is not intact", i, x->at);
	return ERR_OK;
}

enum err_code
caged_extend_run(struct caged_state *st, const struct caged_input *in, const json_t *head,
    const struct material *material, json_t **out, struct err *e)
{
	__attribute__((cleanup(extension_auto))) struct extension x = {.material = material};
	AUTO(spliced) struct spliced sp = {0};
	json_t *request;
	const char *kind;
	if (extension_open(st, in, head, &x, &request, e) != ERR_OK ||
	    json_want_str(request, "imprint", NULL, &kind, e) != ERR_OK ||
	    caged_verify(st, in, NULL, material, x.time_utc, 0, true, &x.was, e) != ERR_OK || intact(&x, e) != ERR_OK ||
	    additions(&x, verifier_pki(st->v), request, e) != ERR_OK ||
	    augment_splice(x.d, x.s, buf_str(&x.text), &sp, e) != ERR_OK)
		return err_wrap(e, "extend");
	if (kind != NULL)
		return imprint(st, in, &x, &sp, kind, out, e);
	if (x.text.n == 0)
		return err_set(e, ERR_USAGE, "nothing to add");
	return finish(st, in, &x, &sp, out, e);
}
