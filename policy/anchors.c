/* SPDX-License-Identifier: MIT */
#include "policy/policy.h"

#include <openssl/asn1t.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CERT_MAX_BYTES (256 * 1024) /* the largest seen in the wild is under 20 KiB */
#define ANCHORS_MAX 65536

struct anchors {
	struct anchor *v; /* sorted by sha256 */
	size_t n, cap;
};

enum err_code
anchors_new(struct anchors **out, struct err *e)
{
	*out = mem_new(1, sizeof(**out));
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* Where sha256 stands, or would stand. */
static size_t
place_of(const struct anchors *a, const uint8_t sha256[32])
{
	size_t lo = 0, hi = a->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(a->v[mid].sha256, sha256, 32) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct anchor *
anchors_find(const struct anchors *a, const uint8_t sha256[32])
{
	size_t i = place_of(a, sha256);

	return i < a->n && memcmp(a->v[i].sha256, sha256, 32) == 0 ? &a->v[i] : NULL;
}

/*
 * OpenSSL's own template of a certificate (RFC 5280 4.1), but for the key, which stays octets: X509 decodes it at once,
 * and that takes nine times as long as all the rest. Few of a folder's anchors are ever used. The macros want plain names.
 */
typedef struct {
	X509_ALGOR *alg;
	ASN1_BIT_STRING *octets;
} KEY;
ASN1_SEQUENCE(KEY) = {ASN1_SIMPLE(KEY, alg, X509_ALGOR), ASN1_SIMPLE(KEY, octets, ASN1_BIT_STRING)} static_ASN1_SEQUENCE_END(KEY)

typedef struct {
	ASN1_INTEGER *version, *serial;
	X509_ALGOR *alg;
	X509_NAME *issuer, *subject;
	X509_VAL *validity;
	KEY *key;
	ASN1_BIT_STRING *issuer_uid, *subject_uid;
	STACK_OF(X509_EXTENSION) *extensions;
} TBS;
ASN1_SEQUENCE(TBS) = {
    ASN1_EXP_OPT(TBS, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(TBS, serial, ASN1_INTEGER),
    ASN1_SIMPLE(TBS, alg, X509_ALGOR),
    ASN1_SIMPLE(TBS, issuer, X509_NAME),
    ASN1_SIMPLE(TBS, validity, X509_VAL),
    ASN1_SIMPLE(TBS, subject, X509_NAME),
    ASN1_SIMPLE(TBS, key, KEY),
    ASN1_IMP_OPT(TBS, issuer_uid, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(TBS, subject_uid, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(TBS)

typedef struct {
	TBS *tbs;
	X509_ALGOR *alg;
	ASN1_BIT_STRING *signature;
} CERTIFICATE;
ASN1_SEQUENCE(CERTIFICATE) = {
    ASN1_SIMPLE(CERTIFICATE, tbs, TBS),
    ASN1_SIMPLE(CERTIFICATE, alg, X509_ALGOR),
    ASN1_SIMPLE(CERTIFICATE, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CERTIFICATE)

static bool
is_certificate(struct slice der)
{
	const unsigned char *p = der.p;
	ASN1_VALUE *c;
	bool ok;

	if (der.n == 0 || der.n > CERT_MAX_BYTES)
		return false;
	c = ASN1_item_d2i(NULL, &p, (long)der.n, ASN1_ITEM_rptr(CERTIFICATE));
	ok = c != NULL && p == der.p + der.n;
	ASN1_item_free(c, ASN1_ITEM_rptr(CERTIFICATE));
	ERR_clear_error();
	return ok;
}

static enum err_code
insert(struct anchors *a, size_t at, struct anchor *new, struct err *e)
{
	if (a->n >= ANCHORS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d trust anchors", ANCHORS_MAX);
	if (!mem_grow(&a->v, &a->cap, a->n, sizeof(*a->v)))
		return err_nomem(e);
	memmove(a->v + at + 1, a->v + at, (a->n - at) * sizeof(*a->v));
	a->v[at] = *new;
	a->n++;
	return ERR_OK;
}

static enum err_code
add_der(struct anchors *a, struct slice der, unsigned roles, int64_t sunset_utc, const char *name, struct err *e)
{
	AUTO(mem) char *copy = NULL, *label = NULL;
	struct anchor new = {.roles = roles, .sunset_utc = sunset_utc};
	size_t at;

	if (!is_certificate(der))
		return err_set(e, ERR_FORMAT, "%s is no X.509 certificate", name);
	if (digest_sha256(der, new.sha256, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	at = place_of(a, new.sha256);
	if (at < a->n && memcmp(a->v[at].sha256, new.sha256, 32) == 0) {
		a->v[at].roles |= roles;
		if (sunset_utc < a->v[at].sunset_utc)
			a->v[at].sunset_utc = sunset_utc;
		return ERR_OK;
	}
	copy = mem_dup(der.p, der.n);
	label = mem_dupstr(name);
	if (copy == NULL || label == NULL)
		return err_nomem(e);
	new.der = slice_of(copy, der.n);
	new.name = label;
	if (insert(a, at, &new, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	copy = label = NULL; /* the set's now */
	return ERR_OK;
}

static void
bio_auto(BIO **b)
{
	BIO_free(*b);
}

static enum err_code
add_pem(struct anchors *a, struct slice pem, unsigned roles, int64_t sunset_utc, const char *name, struct err *e)
{
	AUTO(bio) BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned char *der = NULL;
	enum err_code rc = ERR_OK;
	size_t found = 0;
	bool whole;
	long n = 0;

	if (in == NULL)
		return err_openssl(e, ERR_NOMEM, "%s", name);
	while (rc == ERR_OK && PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, in, NULL, NULL) == 1) {
		rc = add_der(a, slice_of(der, (size_t)n), roles, sunset_utc, name, e);
		OPENSSL_free(der);
		found++;
	}
	/* The end of the text, or a block that can't be read: what stands behind it would be dropped unsaid. */
	whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (rc != ERR_OK)
		return rc;
	if (!whole)
		return err_set(e, ERR_FORMAT, "%s: PEM block %zu of it is damaged", name, found + 1);
	return found > 0 ? ERR_OK : err_set(e, ERR_FORMAT, "%s is no X.509 certificate, neither DER nor PEM", name);
}

enum err_code
anchors_add(
    struct anchors *a, struct slice der_or_pem, unsigned roles, int64_t sunset_utc, const char *name, struct err *e)
{
	if (roles == 0 || (roles & ~(unsigned)ROLE_ALL) != 0)
		return err_set(e, ERR_USAGE, "%s: an anchor needs a role", name);
	if (der_or_pem.n == 0)
		return err_set(e, ERR_FORMAT, "%s is empty", name);
	if (der_or_pem.n > INT_MAX)
		return err_set(e, ERR_LIMIT, "%s: %zu octets", name, der_or_pem.n);
	if (der_or_pem.p[0] == 0x30)
		return add_der(a, der_or_pem, roles, sunset_utc, name, e);
	return add_pem(a, der_or_pem, roles, sunset_utc, name, e);
}

static int64_t
end_of(const X509 *x)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : TIME_MAX;
}

enum err_code
anchor_describe(const struct anchor *a, struct anchor_facts *out, struct err *e)
{
	const unsigned char *p = a->der.p;
	AUTO(bio) BIO *name = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
	X509 *x = d2i_X509(NULL, &p, (long)a->der.n);
	char *text;
	long n;

	*out = (struct anchor_facts){0};
	if (x == NULL || name == NULL || pem == NULL ||
	    X509_NAME_print_ex(name, X509_get_subject_name(x), 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0 ||
	    PEM_write_bio_X509(pem, x) != 1) {
		X509_free(x);
		return err_openssl(e, ERR_NOMEM, "%s", a->name);
	}
	n = BIO_get_mem_data(name, &text);
	buf_add(&out->subject, text, (size_t)n);
	n = BIO_get_mem_data(pem, &text);
	buf_add(&out->pem, text, (size_t)n);
	out->not_after_utc = end_of(x);
	out->is_ca = X509_check_ca(x) != 0;
	X509_free(x);
	ERR_clear_error();
	return buf_ok(&out->subject, e) == ERR_OK ? buf_ok(&out->pem, e) : e->code;
}

void
anchor_facts_auto(struct anchor_facts *f)
{
	buf_release(&f->subject);
	buf_release(&f->pem);
}

size_t
anchors_count(const struct anchors *a)
{
	return a->n;
}

const struct anchor *
anchors_at(const struct anchors *a, size_t i)
{
	return i < a->n ? &a->v[i] : NULL;
}

/* What a verdict can depend on: certificate, roles, sunset. Names are for messages. */
enum err_code
anchors_digest(const struct anchors *a, struct digest *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};
	size_t i;

	buf_adds(&b, "trust anchors\n");
	for (i = 0; i < a->n; i++) {
		buf_add(&b, a->v[i].sha256, 32);
		buf_addbe32(&b, a->v[i].roles);
		buf_addbe64(&b, (uint64_t)a->v[i].sunset_utc);
	}
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "trust anchors");
	return digest_once(DIGEST_SHA256, buf_slice(&b), out, e);
}

void
anchors_free(struct anchors *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->n; i++) {
		free((void *)a->v[i].der.p);
		free(a->v[i].name);
	}
	free(a->v);
	free(a);
}

void
anchors_auto(struct anchors **a)
{
	anchors_free(*a);
	*a = NULL;
}
