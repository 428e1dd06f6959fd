/* SPDX-License-Identifier: MIT */
/* Pieces of the cage's answers: closures, protection classes, wants with their requests. */
#include "archiver/caged_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

json_t *
caged_base64(struct slice s)
{
	AUTO(buf) struct buf b = {0};
	buf_addbase64(&b, s);
	return b.failed ? NULL : json_stringn(buf_str(&b), b.n);
}

json_t *
caged_digest_json(const struct digest *d)
{
	char text[DIGEST_TEXT];
	if (d->alg == DIGEST_NONE)
		return json_null();
	digest_text(d, text);
	return json_string(text);
}

static json_t *
hex32(const uint8_t sha256[32])
{
	return json_hex(slice_of(sha256, 32));
}

/* ---- closure ---- */

static const char *
kind_name(enum material_kind k)
{
	return k == MAT_CERT ? "cert" : k == MAT_CRL ? "crl" : k == MAT_OCSP ? "ocsp" : "policy";
}

static const char *
role_name(enum object_role r)
{
	static const char *const names[] = {
	    "", "signer", "ca", "anchor", "tsa", "responder", "crl_issuer", "revocation"};
	return r <= OBJ_REVOCATION ? names[r] : "";
}

static enum err_code
object_json(const struct closure_object *o, json_t *list, struct err *e)
{
	json_t *j = json_object();
	if (json_push(list, j, e) != ERR_OK || json_set(j, "kind", json_text(kind_name(o->kind)), e) != ERR_OK ||
	    json_set(j, "role", json_text(role_name(o->role)), e) != ERR_OK ||
	    json_set(j, "sha256", hex32(o->sha256), e) != ERR_OK ||
	    json_set(j, "embedded", json_boolean(o->embedded), e) != ERR_OK)
		return err_wrap(e, "closure");
	if (o->kind == MAT_CERT) {
		if (json_set(j, "not_after", json_time(o->not_after), e) != ERR_OK ||
		    json_set(j, "subject", json_text(o->subject), e) != ERR_OK)
			return err_wrap(e, "closure");
		return ERR_OK;
	}
	if (json_set(j, "this_update", json_time(o->this_update), e) != ERR_OK ||
	    json_set(j, "next_update", json_time(o->next_update), e) != ERR_OK ||
	    json_set(j, "produced_at", json_time(o->produced_at), e) != ERR_OK)
		return err_wrap(e, "closure");
	return ERR_OK;
}

/* The first responder or CRL issuer to end: until then a stamp must cover what it signed (crypto-policy 6.2). */
static int64_t
earliest_end(const struct closure *c)
{
	int64_t end = TIME_NONE;
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == MAT_CERT && (c->v[i].role == OBJ_RESPONDER || c->v[i].role == OBJ_CRL_ISSUER) &&
		    (end == TIME_NONE || c->v[i].not_after < end))
			end = c->v[i].not_after;
	return end;
}

enum err_code
caged_closure_json(const struct closure *c, json_t **out, struct err *e)
{
	AUTO(json) json_t *j = json_object();
	json_t *list = json_array();
	if (json_set(j, "objects", list, e) != ERR_OK ||
	    json_set(j, "complete", json_boolean(c->complete), e) != ERR_OK ||
	    json_set(j, "fresh", json_boolean(c->fresh), e) != ERR_OK ||
	    json_set(j, "enough", json_boolean(c->enough), e) != ERR_OK ||
	    json_set(j, "gap", json_text(c->gap), e) != ERR_OK ||
	    json_set(j, "earliest_end", json_time(earliest_end(c)), e) != ERR_OK)
		return err_wrap(e, "closure");
	for (size_t i = 0; i < c->n; i++)
		if (object_json(&c->v[i], list, e) != ERR_OK)
			return err_wrap(e, "object %zu", i);
	*out = TAKE(j);
	return ERR_OK;
}

enum err_code
caged_objects_json(const struct closure *c, bool all, json_t *into, struct err *e)
{
	char name[65];
	for (size_t i = 0; i < c->n; i++) {
		const struct closure_object *o = &c->v[i];
		hex_of(slice_of(o->sha256, 32), name);
		/* A responder's certificate comes inside its answer, an anchor from the configuration: nobody else holds them. */
		if ((!o->embedded && !all && o->kind != MAT_CERT) || json_object_get(into, name) != NULL)
			continue;
		if (json_set(into, name, caged_base64(o->der), e) != ERR_OK)
			return err_wrap(e, "object %s", name);
	}
	return ERR_OK;
}

/* ---- protection class ---- */

/* As the judge sees it: the earliest CA and the weakest certificate signature stand for all. */
void
caged_facts(const struct report_stamp *s, struct class_facts *out)
{
	*out = (struct class_facts){.tsa_not_after_utc = s->tsa_not_after,
	    .anchor_sunset_utc = TIME_MAX,
	    .service_end_utc = TIME_MAX,
	    .token = s->signed_with,
	    .imprint = s->imprint.digest};
	memcpy(out->tsa_sha256, s->tsa_sha256, 32);
	memcpy(out->chain_sha256, s->chain_digest, 32);
	snprintf(out->tsa_subject, sizeof(out->tsa_subject), "%s", s->tsa_subject != NULL ? s->tsa_subject : "");
	if (s->ca_not_after != TIME_MAX && s->ca_not_after != TIME_NONE) {
		out->n_cas = 1;
		out->cas[0].not_after_utc = s->ca_not_after;
		snprintf(out->cas[0].subject, sizeof(out->cas[0].subject), "%s",
		    s->ca_subject != NULL ? s->ca_subject : "");
	}
	if (s->weakest_ca_alg.is_signature) {
		out->n_cert_algs = 1;
		out->cert_algs[0] = s->weakest_ca_alg;
	}
}

enum err_code
caged_facts_json(const struct report_stamp *s, json_t **out, struct err *e)
{
	struct class_facts f;
	if (s->tsa_subject == NULL) {
		*out = json_null();
		return ERR_OK;
	}
	caged_facts(s, &f);
	return class_json(&f, out, e) == ERR_OK ? ERR_OK : err_wrap(e, "protection class");
}

/* ---- wants ---- */

static enum err_code
request_json(json_t *list, const char *type, const char *method, const char *url, struct slice body, const char *nonce,
    struct err *e)
{
	json_t *j = json_object();
	if (json_push(list, j, e) != ERR_OK || json_set(j, "type", json_text(type), e) != ERR_OK ||
	    json_set(j, "method", json_text(method), e) != ERR_OK || json_set(j, "url", json_text(url), e) != ERR_OK ||
	    json_set(j, "body", body.n > 0 ? caged_base64(body) : json_null(), e) != ERR_OK ||
	    json_set(j, "nonce", json_text(nonce), e) != ERR_OK)
		return err_wrap(e, "request");
	return ERR_OK;
}

/* Only what the net process may be asked at all; a foreign scheme or a control character in a URL is left out. */
static bool
url_usable(const char *url)
{
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return false;
	for (const char *p = url; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return strlen(url) <= 2048;
}

/* RFC 6960 A.1: {url}/{percent-encoded base64 of the request}. */
static enum err_code
ocsp_get_url(const char *url, struct slice request, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	buf_addbase64(&text, request);
	buf_adds(out, url);
	if (out->n > 0 && out->p[out->n - 1] != '/')
		buf_add8(out, '/');
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (c == '+' || c == '/' || c == '=')
			buf_addf(out, "%%%02X", c);
		else
			buf_add8(out, c);
	}
	if (buf_ok(&text, e) != ERR_OK)
		return err_wrap(e, "OCSP request");
	return buf_ok(out, e);
}

struct requests {
	struct slice with, without; /* OCSP requests with and without a nonce */
	const char *nonce;	    /* hex */
};

/* POST with a nonce first; then GET without, for responders that know no nonce or no POST. */
static enum err_code
ocsp_requests(const struct want *w, const struct requests *q, json_t *list, struct err *e)
{
	for (size_t i = 0; w->ocsp != NULL && i < w->ocsp->n; i++) {
		AUTO(buf) struct buf get = {0};
		const char *url = w->ocsp->v[i];
		if (!url_usable(url))
			continue;
		if (request_json(list, "ocsp", "POST", url, q->with, q->nonce, e) != ERR_OK ||
		    ocsp_get_url(url, q->without, &get, e) != ERR_OK ||
		    request_json(list, "ocsp", "GET", buf_str(&get), slice_of(NULL, 0), NULL, e) != ERR_OK)
			return err_wrap(e, "OCSP");
	}
	return ERR_OK;
}

static enum err_code
get_requests(const struct urls *urls, const char *type, json_t *list, struct err *e)
{
	for (size_t i = 0; urls != NULL && i < urls->n; i++)
		if (url_usable(urls->v[i]) &&
		    request_json(list, type, "GET", urls->v[i], slice_of(NULL, 0), NULL, e) != ERR_OK)
			return err_wrap(e, "%s", type);
	return ERR_OK;
}

/* A nonce of its own for each want: digest of the caller's entropy and the want's number. Without entropy there is none. */
static enum err_code
nonce_of(struct slice entropy, size_t i, struct digest *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};
	*out = (struct digest){0};
	if (entropy.n == 0)
		return ERR_OK;
	buf_addvec(&b, entropy);
	buf_addbe64(&b, i);
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "nonce");
	return digest_once(DIGEST_SHA256, buf_slice(&b), out, e);
}

static enum err_code
revocation_requests(struct pki *pki, const struct want *w, size_t i, struct slice entropy, json_t *list, struct err *e)
{
	AUTO(buf) struct buf with = {0}, without = {0};
	const struct cert *c = NULL, *issuer = NULL;
	struct digest nonce;
	char hex[65];
	if (w->issuer_der.n > 0 && w->ocsp != NULL && w->ocsp->n > 0) {
		if (pki_cert(pki, w->cert_der, &c, e) != ERR_OK || pki_cert(pki, w->issuer_der, &issuer, e) != ERR_OK ||
		    nonce_of(entropy, i, &nonce, e) != ERR_OK ||
		    ocsp_request(c, issuer, DIGEST_SHA1, digest_slice(&nonce), &with, e) != ERR_OK ||
		    ocsp_request(c, issuer, DIGEST_SHA1, slice_of(NULL, 0), &without, e) != ERR_OK)
			return err_wrap(e, "OCSP request");
		hex_of(digest_slice(&nonce), hex);
		struct requests q = {.with = buf_slice(&with), .without = buf_slice(&without), .nonce = nonce.n > 0 ? hex : NULL};
		if (ocsp_requests(w, &q, list, e) != ERR_OK)
			return err_wrap(e, "want %zu", i);
	}
	return get_requests(w->crl, "crl", list, e);
}

static const char *
want_name(enum want_kind k)
{
	return k == WANT_ISSUER ? "issuer" : k == WANT_FILE ? "file" : "revocation";
}

static json_t *
subject_json(struct pki *pki, struct slice der)
{
	const struct cert *c = NULL;
	return der.n == 0 || pki_cert(pki, der, &c, NULL) != ERR_OK ? json_null() : json_text(c->subject_text);
}

static json_t *
issuer_json(struct pki *pki, struct slice der)
{
	const struct cert *c = NULL;
	if (der.n == 0 || pki_cert(pki, der, &c, NULL) != ERR_OK)
		return json_null();
	AUTO(mem) char *text = pki_name_text(c->issuer);
	return text != NULL ? json_text(text) : NULL;
}

/* The certificates themselves stand in the want, too: an answer is judged by a worker that may be a new one. */
static enum err_code
want_json(struct pki *pki, const struct want *w, json_t *j, struct err *e)
{
	if (json_set(j, "kind", json_text(want_name(w->kind)), e) != ERR_OK ||
	    json_set(j, "signature", json_integer((json_int_t)w->signature), e) != ERR_OK ||
	    json_set(j, "stamp", w->for_stamp ? json_integer((json_int_t)w->stamp) : json_null(), e) != ERR_OK ||
	    json_set(j, "ca", json_boolean(w->is_ca), e) != ERR_OK ||
	    json_set(j, "anchored", json_boolean(w->anchored), e) != ERR_OK ||
	    json_set(j, "newer_than", json_time(w->newer_than), e) != ERR_OK ||
	    json_set(j, "name", json_text(w->name), e) != ERR_OK)
		return err_wrap(e, "want");
	if (w->kind == WANT_FILE)
		return ERR_OK;
	bool known = w->issuer_der.n > 0;
	if (json_set(j, "cert", hex32(w->cert_sha256), e) != ERR_OK ||
	    json_set(j, "cert_der", caged_base64(w->cert_der), e) != ERR_OK ||
	    json_set(j, "subject", subject_json(pki, w->cert_der), e) != ERR_OK ||
	    json_set(j, "issuer", issuer_json(pki, w->cert_der), e) != ERR_OK ||
	    json_set(j, "issuer_sha256", known ? hex32(w->issuer_sha256) : json_null(), e) != ERR_OK ||
	    json_set(j, "issuer_der", known ? caged_base64(w->issuer_der) : json_null(), e) != ERR_OK)
		return err_wrap(e, "want");
	return ERR_OK;
}

static enum err_code
want_whole(struct pki *pki, const struct want *w, size_t i, struct slice entropy, json_t *list, struct err *e)
{
	json_t *j = json_object(), *requests = json_array();
	if (json_push(list, j, e) != ERR_OK || json_set(j, "requests", requests, e) != ERR_OK ||
	    want_json(pki, w, j, e) != ERR_OK)
		return err_wrap(e, "want %zu", i);
	if (w->kind == WANT_ISSUER)
		return get_requests(w->issuers, "aia", requests, e);
	return w->kind == WANT_REVOCATION ? revocation_requests(pki, w, i, entropy, requests, e) : ERR_OK;
}

enum err_code
caged_wants_json(struct pki *pki, const struct report *r, struct slice entropy, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	for (size_t i = 0; i < r->n_wants; i++)
		if (want_whole(pki, &r->wants[i], i, entropy, list, e) != ERR_OK)
			return err_wrap(e, "wants");
	*out = TAKE(list);
	return ERR_OK;
}
