/* SPDX-License-Identifier: MIT */
/* What a fetched answer is worth: OCSP responses, CRLs, issuer certificates (tsp-ocsp-crl 4.2, 5.2, 6). */
#include "archiver/caged_int.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

/* Clocks of responders and ours differ. */
#define SKEW_SECONDS 300
/* A caIssuers answer with more certificates is not what was asked for. */
#define ISSUERS_MAX 20

struct asked {
	struct pool pool;
	const json_t *want;
	const struct cert *cert, *issuer; /* issuer NULL: not known */
	int64_t time_utc, newer_than;
	bool ca;
	json_t *out, *objects; /* borrowed from the answer under construction */
};

static void
asked_auto(struct asked *a)
{
	pool_release(&a->pool);
}

static enum err_code
put_class(const struct asked *a, const char *class, const char *why, struct err *e)
{
	if (json_set(a->out, "class", json_text(class), e) != ERR_OK || json_set(a->out, "why", json_text(why), e) != ERR_OK)
		return err_wrap(e, "answer");
	return ERR_OK;
}

/* kept: the body as received is the object, so that its octets need not travel back. */
static enum err_code
put_object(const struct asked *a, const char *kind, struct slice der, bool kept, struct err *e)
{
	json_t *j = json_object();
	uint8_t sha[32];
	if (digest_sha256(der, sha, e) != ERR_OK || json_push(a->objects, j, e) != ERR_OK ||
	    json_set(j, "kind", json_text(kind), e) != ERR_OK ||
	    json_set(j, "sha256", json_hex(slice_of(sha, 32)), e) != ERR_OK ||
	    json_set(j, "der", kept ? json_null() : caged_base64(der), e) != ERR_OK)
		return err_wrap(e, "answer");
	return ERR_OK;
}

static enum err_code
cert_member(struct pki *pki, const json_t *want, const char *key, const struct cert **out, struct err *e)
{
	AUTO(buf) struct buf der = {0};
	const char *text;
	*out = NULL;
	if (json_want_str(want, key, NULL, &text, e) != ERR_OK)
		return err_wrap(e, "want");
	if (text == NULL)
		return ERR_OK;
	if (base64_to(slice_str(text), &der, e) != ERR_OK || pki_cert(pki, buf_slice(&der), out, e) != ERR_OK)
		return err_wrap(e, "want: %s", key);
	return ERR_OK;
}

/* Candidates for who signed the answer. Objects that can't be read are nobody's. */
static enum err_code
pool_material(struct pool *pool, const struct material *m, struct err *e)
{
	enum material_kind kind;
	struct slice der;
	for (size_t i = 0; material_get(m, i, &kind, &der); i++) {
		const struct cert *c = NULL;
		if (kind == MAT_CERT && pki_cert(pool->pki, der, &c, NULL) == ERR_OK &&
		    pool_add_cert(pool, c, e) != ERR_OK)
			return err_wrap(e, "material");
	}
	return ERR_OK;
}

static enum err_code
asked_open(struct caged_state *st, const json_t *head, const struct material *material, struct asked *a, struct err *e)
{
	struct pki *pki = verifier_pki(st->v);
	json_t *want;
	pool_init(&a->pool, pki);
	if (json_need_obj(head, "want", &want, e) != ERR_OK || json_need_int(head, "time", &a->time_utc, e) != ERR_OK ||
	    json_want_time(want, "newer_than", &a->newer_than, e) != ERR_OK ||
	    json_want_bool(want, "ca", false, &a->ca, e) != ERR_OK ||
	    cert_member(pki, want, "cert_der", &a->cert, e) != ERR_OK ||
	    cert_member(pki, want, "issuer_der", &a->issuer, e) != ERR_OK)
		return err_wrap(e, "want");
	a->want = want;
	if (a->cert == NULL)
		return err_set(e, ERR_FORMAT, "want without a certificate");
	if (pool_add_cert(&a->pool, a->cert, e) != ERR_OK ||
	    (a->issuer != NULL && pool_add_cert(&a->pool, a->issuer, e) != ERR_OK))
		return err_wrap(e, "want");
	return pool_material(&a->pool, material, e);
}

/* ---- revocation data ---- */

static bool
is_fresh(const struct asked *a, const struct rev_answer *r)
{
	if (a->newer_than == TIME_NONE || (r->this_update != TIME_NONE && r->this_update >= a->newer_than))
		return true;
	/* A CA's CRL is monthly or yearly: that it still counts is enough (validation.md 2.8). */
	return a->ca && r->next_update != TIME_NONE && r->next_update > a->newer_than;
}

static const struct rev_answer *
answer_of(const struct rev_answer *v, size_t n, const struct revocation *object)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].object == object)
			return &v[i];
	return NULL;
}

/* A responder that the operator trusts by itself (validation.md 2.6 (c)). */
static bool
locally_trusted(const struct anchors *anchors, const struct cert *signer)
{
	const struct anchor *an = anchors != NULL ? anchors_find(anchors, signer->sha256) : NULL;
	return an != NULL && (an->roles & ROLE_OCSP) != 0;
}

static const char *
signer_class(const struct anchors *anchors, const struct rev_answer *r, const char **why)
{
	if (r->unsupported) {
		*why = r->problem != NULL ? r->problem : "unsupported: delta, indirect or partial CRL";
		return "refused";
	}
	bool allowed = r->signer != NULL &&
	    (r->signer_is_issuer || r->delegate_ok || locally_trusted(anchors, r->signer));
	if (r->object->kind == REV_OCSP && r->signer != NULL && !allowed) {
		*why = "the responder is not authorised by the certificate's issuer";
		return "unauthorised";
	}
	if (r->object->kind == REV_OCSP && r->signer != NULL &&
	    (r->produced_at < r->signer->not_before || r->produced_at > r->signer->not_after)) {
		*why = "producedAt lies outside the responder certificate's validity";
		return "unauthorised";
	}
	if (r->problem != NULL || r->signer == NULL) {
		*why = r->problem != NULL ? r->problem : "nobody is known who signed it";
		return "refused";
	}
	return NULL;
}

static const char *
time_class(const struct asked *a, const struct rev_answer *r, const char **why)
{
	if (r->this_update == TIME_NONE || r->this_update > a->time_utc + SKEW_SECONDS) {
		*why = "thisUpdate lies in the future";
		return "refused";
	}
	if (r->object->kind == REV_CRL && r->next_update == TIME_NONE) {
		*why = "CRL without nextUpdate";
		return "refused";
	}
	if (r->next_update != TIME_NONE && r->next_update < a->time_utc - SKEW_SECONDS) {
		*why = "nextUpdate has passed";
		return "stale";
	}
	return NULL;
}

static const char *
status_class(const struct rev_answer *r, const char **why)
{
	switch (r->status) {
	case REV_GOOD:
		*why = "good";
		return "good";
	case REV_REVOKED:
		*why = "revoked";
		return "revoked";
	case REV_HOLD:
		*why = "on hold";
		return "hold";
	case REV_UNKNOWN:
		*why = "the responder does not know the certificate";
		return "unknown";
	default:
		*why = "it says nothing of this certificate";
		return "refused";
	}
}

static enum err_code
classify(const struct asked *a, const struct anchors *anchors, const struct rev_answer *r, struct err *e)
{
	const char *why = NULL;
	const char *class = signer_class(anchors, r, &why);
	if (class == NULL)
		class = time_class(a, r, &why);
	if (class == NULL)
		class = status_class(r, &why);
	if (json_set(a->out, "this_update", json_time(r->this_update), e) != ERR_OK ||
	    json_set(a->out, "next_update", json_time(r->next_update), e) != ERR_OK ||
	    json_set(a->out, "produced_at", json_time(r->produced_at), e) != ERR_OK ||
	    json_set(a->out, "revoked_at", json_time(r->revoked_at), e) != ERR_OK ||
	    json_set(a->out, "fresh", json_boolean(is_fresh(a, r)), e) != ERR_OK)
		return err_wrap(e, "answer");
	return put_class(a, class, why, e);
}

static enum err_code
revocation_answer(struct asked *a, const struct anchors *anchors, const struct revocation *object, struct err *e)
{
	AUTO(mem) struct rev_answer *v = NULL;
	size_t n = 0;
	if (a->issuer == NULL)
		return put_class(a, "refused", "the certificate's issuer is not known", e);
	if (pool_add_rev(&a->pool, object, e) != ERR_OK ||
	    pool_answers(&a->pool, a->cert, a->issuer, &v, &n, e) != ERR_OK)
		return err_wrap(e, "answer");
	const struct rev_answer *r = answer_of(v, n, object);
	if (r == NULL)
		return put_class(a, "refused", "it says nothing of this certificate", e);
	return classify(a, anchors, r, e);
}

/* ---- OCSP ---- */

static const char *
ocsp_failure(int status, const char **why)
{
	switch (status) {
	case 1:
		*why = "OCSP: malformedRequest"; /* the next request of the list has no nonce */
		return "alternate";
	case 2:
		*why = "OCSP: internalError";
		return "retry";
	case 3:
		*why = "OCSP: tryLater";
		return "retry";
	case 5:
		*why = "OCSP: sigRequired: the operator has to act";
		return "alternate";
	case 6:
		*why = "OCSP: unauthorized: it does not know the certificate or will not answer";
		return "alternate";
	}
	*why = "OCSP: status that is not defined";
	return "refused";
}

/* As INTEGER-like values: a returned nonce must be one that was sent. None returned: a pre-produced answer. */
static bool
nonce_fits(const json_t *want, struct slice nonce)
{
	AUTO(mem) char *hex = mem_new(2 * nonce.n + 1, 1);
	size_t i, sent = 0;
	json_t *q;
	if (nonce.n == 0)
		return true;
	if (hex == NULL)
		return false;
	hex_of(nonce, hex);
	json_array_foreach(json_object_get(want, "requests"), i, q) {
		const char *s = json_string_value(json_object_get(q, "nonce"));
		sent += s != NULL;
		if (s != NULL && strcmp(s, hex) == 0)
			return true;
	}
	return sent == 0;
}

static enum err_code
ocsp_answer(struct asked *a, const struct anchors *anchors, struct slice body, struct err *e)
{
	const struct revocation *r = NULL;
	const char *why = NULL;
	struct err bad = {0};
	if (pki_ocsp(a->pool.pki, body, &r, &bad) != ERR_OK)
		return bad.code == ERR_NOMEM ? err_nomem(e) : put_class(a, "refused", bad.text, e);
	if (r->ocsp_status != 0) {
		const char *class = ocsp_failure(r->ocsp_status, &why);
		return put_class(a, class, why, e);
	}
	if (!nonce_fits(a->want, ocsp_nonce(r)))
		return put_class(a, "refused", "another nonce than the one that was sent", e);
	if (put_object(a, "ocsp", r->der, slice_eq(r->der, body), e) != ERR_OK)
		return err_wrap(e, "OCSP");
	return revocation_answer(a, anchors, r, e);
}

/* ---- CRL ---- */

static enum err_code
crl_answer(struct asked *a, const struct anchors *anchors, struct slice body, struct err *e)
{
	AUTO(buf) struct buf der = {0};
	const struct revocation *r = NULL;
	struct err bad = {0};
	if (body.n > 0 && body.p[0] != 0x30 && pki_pem_to_der(body, "X509 CRL", &der, NULL) == ERR_OK)
		body = buf_slice(&der);
	if (pki_crl(a->pool.pki, body, &r, &bad) != ERR_OK)
		return bad.code == ERR_NOMEM ? err_nomem(e) : put_class(a, "refused", bad.text, e);
	if (put_object(a, "crl", r->der, der.n == 0, e) != ERR_OK)
		return err_wrap(e, "CRL");
	return revocation_answer(a, anchors, r, e);
}

/* ---- issuers ---- */

static enum err_code
issuer_add(struct asked *a, struct slice der, bool kept, bool *fits, struct err *e)
{
	const struct cert *c = NULL;
	if (pki_cert(a->pool.pki, der, &c, NULL) != ERR_OK)
		return ERR_OK;
	*fits |= pki_signed_by(a->pool.pki, a->cert, c);
	return put_object(a, "cert", der, kept, e);
}

/* A certs-only CMS message (.p7c). */
static enum err_code
issuers_cms(struct asked *a, struct slice body, bool *fits, struct err *e)
{
	const uint8_t *p = body.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)body.n);
	STACK_OF(X509) *certs = cms != NULL ? CMS_get1_certs(cms) : NULL;
	enum err_code rc = ERR_OK;
	for (int i = 0; rc == ERR_OK && i < sk_X509_num(certs) && i < ISSUERS_MAX; i++) {
		unsigned char *der = NULL;
		int n = i2d_X509(sk_X509_value(certs, i), &der);
		if (n > 0)
			rc = issuer_add(a, slice_of(der, (size_t)n), false, fits, e);
		OPENSSL_free(der);
	}
	sk_X509_pop_free(certs, X509_free);
	CMS_ContentInfo_free(cms);
	return rc;
}

static enum err_code
issuer_answer(struct asked *a, struct slice body, struct err *e)
{
	AUTO(buf) struct buf der = {0};
	const struct cert *c = NULL;
	bool fits = false, kept = true;
	if (body.n > 0 && body.p[0] != 0x30 && pki_pem_to_der(body, "CERTIFICATE", &der, NULL) == ERR_OK) {
		body = buf_slice(&der);
		kept = false;
	}
	enum err_code rc = pki_cert(a->pool.pki, body, &c, NULL) == ERR_OK ? issuer_add(a, body, kept, &fits, e)
									    : issuers_cms(a, body, &fits, e);
	if (rc != ERR_OK)
		return err_wrap(e, "issuers");
	ERR_clear_error();
	if (fits)
		return put_class(a, "good", "the issuer", e);
	return put_class(a, "alternate",
	    json_array_size(a->objects) > 0 ? "no certificate in it signed the one in question" : "no certificate", e);
}

enum err_code
caged_answer_run(struct caged_state *st, const json_t *head, struct slice body, const struct material *material,
    json_t **out, struct err *e)
{
	__attribute__((cleanup(asked_auto))) struct asked a = {0};
	AUTO(json) json_t *j = json_object();
	const char *type;
	a.out = j;
	a.objects = json_array();
	if (json_set(j, "objects", a.objects, e) != ERR_OK || json_set(j, "fresh", json_false(), e) != ERR_OK ||
	    json_need_str(head, "type", &type, e) != ERR_OK || asked_open(st, head, material, &a, e) != ERR_OK)
		return err_wrap(e, "answer");
	enum err_code rc;
	if (body.n == 0)
		rc = put_class(&a, "retry", "empty answer", e);
	else if (strcmp(type, "ocsp") == 0)
		rc = ocsp_answer(&a, st->setup.anchors, body, e);
	else if (strcmp(type, "crl") == 0)
		rc = crl_answer(&a, st->setup.anchors, body, e);
	else if (strcmp(type, "aia") == 0)
		rc = issuer_answer(&a, body, e);
	else
		rc = err_set(e, ERR_USAGE, "answer of type %s", type);
	if (rc == ERR_OK)
		*out = TAKE(j);
	return rc;
}
