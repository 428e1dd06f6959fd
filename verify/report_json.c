/* SPDX-License-Identifier: MIT */
/* The report as JSON, schema 1 (docs/report.md). Members are added in one fixed order: same report, same octets. */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

static json_t *
json_tri(enum tri t)
{
	return t == TRI_UNKNOWN ? json_null() : json_boolean(t == TRI_TRUE);
}

static json_t *
json_verdict_sub(struct verdict v)
{
	return v.sub == SUB_NONE ? json_null() : json_text(subindication_name(v.sub));
}

static json_t *
json_digest(const struct digest *d)
{
	char text[DIGEST_TEXT];

	if (d->alg == DIGEST_NONE)
		return json_null();
	digest_text(d, text);
	return json_text(text);
}

/* Sets members until one fails; the first trouble stays. */
struct maker {
	struct err *e;
	enum err_code rc;
};

static void
put(struct maker *m, json_t *obj, const char *key, json_t *value)
{
	if (m->rc != ERR_OK) {
		json_decref(value);
		return;
	}
	m->rc = json_set(obj, key, value, m->e);
}

static void
push(struct maker *m, json_t *arr, json_t *value)
{
	if (m->rc != ERR_OK) {
		json_decref(value);
		return;
	}
	m->rc = json_push(arr, value, m->e);
}

static json_t *
make_finding(struct maker *m, const struct finding *f)
{
	static const char *const ST[] = {[FIND_OK] = "ok", [FIND_WARN] = "warn", [FIND_FAIL] = "fail", [FIND_INFO] = "info",
	    [FIND_NOT_CHECKED] = "not_checked"};
	json_t *o = json_object();

	put(m, o, "check", json_text(f->check));
	put(m, o, "clause", json_text(f->clause));
	put(m, o, "status", json_text(ST[f->status]));
	put(m, o, "object", json_text(f->object));
	put(m, o, "text", json_text(f->text));
	if (f->cure != NULL)
		put(m, o, "cure", json_text(f->cure));
	return o;
}

/* Findings [*at, n) that are deeper than depth, as an array; children under "findings". */
static json_t *
make_findings(struct maker *m, const struct report_signature *s, size_t *at, unsigned depth)
{
	json_t *arr = json_array();

	while (*at < s->n_findings && s->findings[*at].depth >= depth && m->rc == ERR_OK) {
		json_t *o = make_finding(m, &s->findings[(*at)++]);

		if (*at < s->n_findings && s->findings[*at].depth > depth)
			put(m, o, "findings", make_findings(m, s, at, depth + 1));
		push(m, arr, o);
	}
	return arr;
}

/* In the order of their enums; NULL: null. */
static const char *const KINDS[] = {[REF_DATA] = "data", [REF_SIGNED_PROPERTIES] = "signed_properties", [REF_KEY_INFO] = "key_info",
    [REF_SIGNATURE_PROPERTIES] = "signature_properties", [REF_MANIFEST] = "manifest", [REF_OBJECT] = "object",
    [REF_COUNTERSIGNED] = "countersigned"};
static const char *const EXTENTS[] = {[EXTENT_UNKNOWN] = NULL, [EXTENT_NOTHING] = "nothing", [EXTENT_PART] = "part", [EXTENT_TEXT] = "text",
    [EXTENT_FILE_PART] = "file_part", [EXTENT_TEXT_READ] = "text_read", [EXTENT_FILE_DECODED] = "file_decoded", [EXTENT_FILE_XML] = "file_xml",
    [EXTENT_FILE] = "file", [EXTENT_ELEMENT] = "element", [EXTENT_DOCUMENT] = "document"};
static const char *const STANDS[] = {[STANDS_NOWHERE] = NULL, [STANDS_ROOT] = "root", [STANDS_OBJECT] = "object", [STANDS_INSIDE] = "inside",
    [STANDS_BESIDE] = "beside"};
static const char *const SCOPES[] = {[SCOPE_UNKNOWN] = NULL, [SCOPE_NOTHING] = "nothing", [SCOPE_PART] = "part", [SCOPE_SIGNATURE] = "signature",
    [SCOPE_FILES] = "files", [SCOPE_OBJECTS] = "objects", [SCOPE_DOCUMENT] = "document"};

static void
put_gaps(struct maker *m, json_t *o, const struct report_ref *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_listed; i++)
		push(m, list, json_text(r->gaps[i]));
	put(m, o, "left_out", list);
	put(m, o, "left_out_count", r->n_gaps == 0 ? json_null() : json_integer((json_int_t)r->n_gaps));
}

static json_t *
make_refs(struct maker *m, const struct report_ref *v, size_t n)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct report_ref *r = &v[i];
		json_t *o = json_object();

		put(m, o, "uri", json_text(r->uri));
		put(m, o, "found", json_tri(r->found));
		put(m, o, "intact", json_tri(r->intact));
		put(m, o, "covers", json_text(r->covers));
		if (r->note != NULL)
			put(m, o, "note", json_text(r->note));
		put(m, o, "kind", json_text(KINDS[r->kind]));
		put(m, o, "extent", json_text(EXTENTS[r->extent]));
		put(m, o, "stands", json_text(STANDS[r->stands]));
		put(m, o, "octets", r->extent == EXTENT_UNKNOWN ? json_null() : json_integer((json_int_t)r->octets));
		if (r->extent == EXTENT_PART)
			put_gaps(m, o, r);
		if (r->n_entries != 0)
			put(m, o, "entries", make_refs(m, r->entries, r->n_entries));
		push(m, arr, o);
	}
	return arr;
}

static json_t *
make_stamp(struct maker *m, const struct report_stamp *t)
{
	json_t *o = json_object();

	put(m, o, "type", json_text(stamp_type_name(t->type)));
	put(m, o, "time", json_time(t->time_utc));
	put(m, o, "indication", json_text(indication_token_name(t->verdict.ind)));
	put(m, o, "subindication", json_verdict_sub(t->verdict));
	put(m, o, "imprint_intact", json_tri(t->imprint_intact));
	put(m, o, "id", t->id == NULL || t->id[0] == '\0' ? json_null() : json_text(t->id));
	put(m, o, "issued_by", json_text(t->tsa_subject));
	put(m, o, "proves_existence", json_boolean(t->gives_poe));
	return o;
}

static json_t *
make_signer(struct maker *m, const struct report_signature *s)
{
	json_t *o;

	if (s->signer_subject == NULL)
		return json_null();
	o = json_object();
	put(m, o, "subject", json_text(s->signer_subject));
	put(m, o, "sha256", json_hex(slice_of(s->signer_sha256, 32)));
	put(m, o, "not_after", s->signer_not_after == TIME_MAX ? json_null() : json_time(s->signer_not_after));
	return o;
}

static json_t *
make_signature(struct maker *m, const struct report_signature *s)
{
	json_t *o = json_object(), *stamps = json_array();
	size_t at = 0;

	put(m, o, "id", s->id == NULL || s->id[0] == '\0' ? json_null() : json_text(s->id));
	put(m, o, "index", json_integer((json_int_t)s->index));
	put(m, o, "parent", s->parent < 0 ? json_null() : json_integer((json_int_t)s->parent));
	put(m, o, "format", json_text(s->format));
	put(m, o, "level", json_text(s->level));
	put(m, o, "signature_value_intact", json_tri(s->value_intact));
	put(m, o, "signs", json_text(SCOPES[s->scope]));
	put(m, o, "references", make_refs(m, s->refs, s->n_refs));
	put(m, o, "signed_by", make_signer(m, s));
	put(m, o, "claimed_signing_time", json_time(s->claimed_time));
	put(m, o, "best_signature_time", json_time(s->best_signature_time));
	put(m, o, "indication", json_text(indication_name(s->verdict.ind)));
	put(m, o, "subindication", json_verdict_sub(s->verdict));
	put(m, o, "findings", make_findings(m, s, &at, 0));
	for (size_t i = 0; i < s->n_stamps; i++)
		push(m, stamps, make_stamp(m, &s->stamps[i]));
	put(m, o, "timestamps", stamps);
	return o;
}

static const char *
status_name(enum doc_status s)
{
	static const char *const NAMES[] = {[DOC_REFUSED] = "refused", [DOC_NO_SIGNATURE] = "no_signature",
	    [DOC_TOO_LARGE] = "too_large", [DOC_VALIDATED] = "validated"};

	return NAMES[s];
}

enum err_code
report_json(const struct report *r, json_t **out, struct err *e)
{
	struct maker m = {.e = e, .rc = ERR_OK};
	AUTO(json) json_t *o = json_object();
	json_t *sigs = json_array(), *records = json_array(), *proof = NULL;

	put(&m, o, "file", json_text(r->file));
	put(&m, o, "status", json_text(status_name(r->status)));
	put(&m, o, "error", json_text(r->error));
	for (size_t i = 0; i < r->n_sigs; i++)
		push(&m, sigs, make_signature(&m, &r->sigs[i]));
	put(&m, o, "signatures", sigs);
	/* Evidence records are seen and counted; judging them is not built yet, and the report says so. */
	for (size_t i = 0; i < r->evidence_records; i++) {
		json_t *one = json_object();

		put(&m, one, "status", json_text("not_checked"));
		push(&m, records, one);
	}
	put(&m, o, "evidence_records", records);
	if (m.rc == ERR_OK && r->proof.n > 0 && (m.rc = derivation_json(&r->proof, &proof, e)) == ERR_OK)
		put(&m, o, "derivation", proof);
	put(&m, o, "unproven", json_integer((json_int_t)r->unproven));
	if (m.rc != ERR_OK)
		return err_wrap(e, "report");
	*out = TAKE(o);
	return ERR_OK;
}

enum err_code
report_header_json(const struct report *r, json_t **out, struct err *e)
{
	struct maker m = {.e = e, .rc = ERR_OK};
	AUTO(json) json_t *o = json_object();

	put(&m, o, "schema", json_integer(1));
	put(&m, o, "program", json_text("everseal " EVERSEAL_VERSION));
	put(&m, o, "validation_time", json_time(r->time_utc));
	put(&m, o, "policy", json_text(r->policy_name));
	put(&m, o, "policy_digest", json_digest(&r->policy));
	put(&m, o, "catalogue_digest", json_digest(&r->catalogue));
	put(&m, o, "trust_digest", json_digest(&r->trust));
	put(&m, o, "material_digest", json_digest(&r->material));
	put(&m, o, "sliding_freshness", json_text(r->sliding_strict ? "strict" : "ignore"));
	put(&m, o, "documents", json_array());
	if (m.rc != ERR_OK)
		return err_wrap(e, "report");
	*out = TAKE(o);
	return ERR_OK;
}
