/* SPDX-License-Identifier: MIT */
/*
 * A document on its way through the caged judge, as the pipeline would send it:
 * what is wanted is fetched from the test PKI, stamps are asked for, properties
 * are put in. Static functions; the test's own asserts judge the results.
 */
#ifndef EVERSEAL_TESTS_FLOW_H
#define EVERSEAL_TESTS_FLOW_H

#include "archiver/caged.h"
#include "base/worker.h"
#include "tests/pkiclient.h"

struct flow {
	struct pki_client *pki;
	struct caged *caged;
	struct buf file;
	struct caged_file side[24];
	size_t n_side;
	struct material *material;
	int64_t now_utc;
	json_t *judge; /* the newest answer */
};

static inline void
flow_release(struct flow *f)
{
	buf_release(&f->file);
	for (size_t i = 0; i < f->n_side; i++)
		close(f->side[i].fd);
	material_free(f->material);
	json_decref(f->judge);
	*f = (struct flow){0};
}

static inline void
flow_auto(struct flow *f)
{
	flow_release(f);
}

static inline enum err_code
flow_doc(struct flow *f, struct caged_doc *doc, struct err *e)
{
	*doc = (struct caged_doc){.main = {"document.xml", -1}, .side = f->side, .n_side = f->n_side};
	return worker_memfd(buf_slice(&f->file), &doc->main.fd, e);
}

static inline enum err_code
flow_judge(struct flow *f, int64_t grace_seconds, struct err *e)
{
	AUTO(buf) struct buf packed = {0};
	struct caged_doc doc;
	uint8_t noise[32] = {7};
	if (material_pack(f->material, &packed, e) != ERR_OK || flow_doc(f, &doc, e) != ERR_OK)
		return err_wrap(e, "judge");
	json_decref(f->judge);
	f->judge = NULL;
	enum err_code rc = caged_judge(f->caged, &doc, buf_slice(&packed), f->now_utc, grace_seconds,
	    slice_of(noise, sizeof(noise)), &f->judge, e);
	close(doc.main.fd);
	return rc;
}

static inline const char *
flow_str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));
	return s != NULL ? s : "";
}

static inline enum err_code
flow_keep(struct flow *f, const json_t *answer, struct slice body, bool *got, struct err *e)
{
	size_t i;
	json_t *o;
	json_array_foreach (json_object_get(answer, "objects"), i, o) {
		AUTO(buf) struct buf der = {0};
		const char *b64 = json_string_value(json_object_get(o, "der")), *kind = flow_str(o, "kind");
		if (b64 != NULL && base64_to(slice_str(b64), &der, e) != ERR_OK)
			return err_wrap(e, "answer");
		if (material_add(f->material, kind[0] == 'o' ? MAT_OCSP : kind[1] == 'r' ? MAT_CRL : MAT_CERT,
			b64 != NULL ? buf_slice(&der) : body, e) != ERR_OK)
			return err_wrap(e, "answer");
		*got = true;
	}
	return ERR_OK;
}

/* One want: its requests in order until an answer is good. class: of the last answer. */
static inline enum err_code
flow_fetch(struct flow *f, const json_t *want, bool *got, char class[32], struct err *e)
{
	size_t i;
	json_t *q;
	json_array_foreach (json_object_get(want, "requests"), i, q) {
		AUTO(buf) struct buf request = {0}, body = {0}, packed = {0};
		AUTO(json) json_t *answer = NULL;
		const char *b64 = json_string_value(json_object_get(q, "body"));
		if ((b64 != NULL && base64_to(slice_str(b64), &request, e) != ERR_OK) ||
		    material_pack(f->material, &packed, e) != ERR_OK)
			return err_wrap(e, "want");
		if (pki_fetch(f->pki, flow_str(q, "url"),
			b64 != NULL ? "Content-Type: application/ocsp-request" : "Accept: */*", buf_slice(&request), &body) != 200)
			continue;
		if (caged_answer(f->caged, want, flow_str(q, "type"), buf_slice(&body), buf_slice(&packed), f->now_utc, &answer,
			e) != ERR_OK)
			return err_wrap(e, "want");
		snprintf(class, 32, "%s", flow_str(answer, "class"));
		if (strcmp(class, "good") == 0 || strcmp(class, "revoked") == 0)
			return flow_keep(f, answer, buf_slice(&body), got, e);
	}
	return ERR_OK;
}

static inline enum err_code
flow_fetch_all(struct flow *f, const json_t *wants, bool *got, struct err *e)
{
	size_t i;
	json_t *want;
	char class[32] = "";
	json_array_foreach (wants, i, want)
		if (flow_fetch(f, want, got, class, e) != ERR_OK)
			return err_wrap(e, "want %zu", i);
	return ERR_OK;
}

/* Judge, fetch, judge again, until nothing new comes. */
static inline enum err_code
flow_gather(struct flow *f, int64_t grace_seconds, struct err *e)
{
	for (int round = 0; round < 8; round++) {
		bool got = false;
		if (flow_judge(f, grace_seconds, e) != ERR_OK ||
		    flow_fetch_all(f, json_object_get(f->judge, "wants"), &got, e) != ERR_OK)
			return err_wrap(e, "gather");
		if (!got)
			return ERR_OK;
	}
	return ERR_OK;
}

static inline enum err_code
flow_extend(struct flow *f, size_t sig, const json_t *add, const char *imprint, json_t **out, struct err *e)
{
	AUTO(buf) struct buf packed = {0};
	AUTO(json) json_t *request = json_pack("{s:i, s:s, s:O, s:s?}", "signature", (int)sig, "digest", "SHA512", "add", add,
	    "imprint", imprint);
	struct caged_doc doc;
	if (material_pack(f->material, &packed, e) != ERR_OK || flow_doc(f, &doc, e) != ERR_OK)
		return err_wrap(e, "extend");
	enum err_code rc = caged_extend(f->caged, &doc, request, buf_slice(&packed), f->now_utc, out, e);
	close(doc.main.fd);
	return rc;
}

/* Ask a TSA for an imprint; the answer of caged_token, its issuer fetched where it lacks one. */
static inline enum err_code
flow_token(struct flow *f, const char *tsa, const struct digest *imprint, json_t **out, struct err *e)
{
	AUTO(buf) struct buf request = {0}, body = {0};
	uint8_t nonce[16] = {5, 1, 2, 3};
	char url[200];
	struct token_expect want = {.imprint = *imprint, .nonce = slice_of(nonce, sizeof(nonce)), .sent_utc = f->now_utc,
	    .received_utc = f->now_utc, .tolerance_seconds = 300, .not_before_utc = TIME_NONE};
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", f->pki->port, tsa);
	if (caged_tsp_request(imprint, want.nonce, NULL, &request, e) != ERR_OK)
		return err_wrap(e, "token");
	long status = pki_fetch(f->pki, url, "Content-Type: application/timestamp-query", buf_slice(&request), &body);
	if (status != 200)
		return err_set(e, ERR_REMOTE, "%s answers %ld", url, status);
	for (int round = 0; round < 4; round++) {
		AUTO(buf) struct buf packed = {0};
		bool got = false;
		json_decref(*out);
		*out = NULL;
		if (material_pack(f->material, &packed, e) != ERR_OK ||
		    caged_token(f->caged, buf_slice(&body), &want, buf_slice(&packed), f->now_utc, out, e) != ERR_OK)
			return err_wrap(e, "token");
		if (strcmp(flow_str(*out, "class"), "config") != 0 ||
		    flow_fetch_all(f, json_object_get(*out, "wants"), &got, e) != ERR_OK || !got)
			break;
	}
	return ERR_OK;
}

/* A stamp of that kind standing after add; it joins add. ERR_REMOTE when the token is not good. */
static inline enum err_code
flow_stamp(struct flow *f, size_t sig, json_t *add, const char *kind, const char *tsa, struct err *e)
{
	AUTO(json) json_t *answer = NULL, *token = NULL;
	struct digest imprint;
	if (flow_extend(f, sig, add, kind, &answer, e) != ERR_OK)
		return err_wrap(e, "stamp %s", kind);
	if (!digest_parse(flow_str(answer, "imprint"), &imprint))
		return err_set(e, ERR_BUG, "imprint %s", flow_str(answer, "imprint"));
	if (flow_token(f, tsa, &imprint, &token, e) != ERR_OK)
		return err_wrap(e, "stamp %s", kind);
	if (strcmp(flow_str(token, "class"), "good") != 0)
		return err_set(e, ERR_REMOTE, "%s: %s", flow_str(token, "class"), flow_str(token, "why"));
	json_array_append_new(add, json_pack("{s:s, s:O}", "do", kind, "token", json_object_get(token, "token")));
	return ERR_OK;
}

/* Put add into the file for good. level: of the signature afterwards; may be NULL. */
static inline enum err_code
flow_apply(struct flow *f, size_t sig, const json_t *add, char level[40], struct err *e)
{
	AUTO(json) json_t *answer = NULL;
	AUTO(buf) struct buf text = {0}, file = {0};
	struct digest d;
	char hex[DIGEST_HEX];
	if (flow_extend(f, sig, add, NULL, &answer, e) != ERR_OK ||
	    base64_to(slice_str(flow_str(answer, "text")), &text, e) != ERR_OK)
		return err_wrap(e, "apply");
	size_t offset = (size_t)json_integer_value(json_object_get(answer, "offset"));
	if (offset > f->file.n)
		return err_set(e, ERR_BUG, "offset %zu", offset);
	buf_add(&file, f->file.p, offset);
	buf_addslice(&file, buf_slice(&text));
	buf_add(&file, f->file.p + offset, f->file.n - offset);
	if (buf_ok(&file, e) != ERR_OK || digest_once(DIGEST_SHA256, buf_slice(&file), &d, e) != ERR_OK)
		return err_wrap(e, "apply");
	hex_of(digest_slice(&d), hex);
	if (strcmp(hex, flow_str(answer, "sha256")) != 0)
		return err_set(e, ERR_BUG, "the new file is not the one that was checked");
	buf_release(&f->file);
	f->file = file;
	file = (struct buf){0};
	if (level != NULL)
		snprintf(level, 40, "%s", flow_str(answer, "level"));
	return ERR_OK;
}

/* Digests of a closure's objects into names, each once; missing: only what the file has not. */
static inline void
flow_names(const json_t *closure, bool missing, json_t *names)
{
	size_t i, k;
	json_t *o, *n;
	json_array_foreach (json_object_get(closure, "objects"), i, o) {
		bool there = missing && json_is_true(json_object_get(o, "embedded"));
		json_array_foreach (names, k, n)
			there |= strcmp(json_string_value(n), flow_str(o, "sha256")) == 0;
		if (!there)
			json_array_append(names, json_object_get(o, "sha256"));
	}
}

/* Of a signature (own) and of its stamps (stamps), from the newest judge. New reference. */
static inline json_t *
flow_objects(const struct flow *f, size_t sig, bool own, bool stamps, bool missing)
{
	const json_t *s = json_array_get(json_object_get(f->judge, "signatures"), sig);
	json_t *names = json_array(), *st;
	size_t i;
	if (own)
		flow_names(json_object_get(s, "closure"), missing, names);
	json_array_foreach (json_object_get(s, "stamps"), i, st)
		if (stamps)
			flow_names(json_object_get(st, "closure"), missing, names);
	return names;
}

static inline void
flow_add(json_t *add, const char *what, json_t *objects)
{
	json_array_append_new(add, json_pack("{s:s, s:o}", "do", what, "objects", objects));
}

#endif
