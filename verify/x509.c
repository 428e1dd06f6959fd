/* SPDX-License-Identifier: MIT */
#include "verify/pki_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static bool
read_validity(struct cert *c, struct cur *seq)
{
	struct ber from, to;

	if (!ber_next(seq, &from) || !ber_next(seq, &to) || !cur_at_end(seq))
		return false;
	c->not_before = ber_time(from.tag, from.body, NULL, NULL);
	c->not_after = ber_time(to.tag, to.body, NULL, NULL);
	return c->not_before != TIME_NONE && c->not_after != TIME_NONE;
}

static bool
read_key_info(struct cert_priv *p, struct slice spki, struct err *e)
{
	struct digest d;

	p->spki = spki;
	p->c.own_key = spki_use(spki, &p->key_octets);
	p->c.own_key.usage = USE_CERTIFICATES;
	if (digest_once(DIGEST_SHA1, p->key_octets, &d, e) == ERR_OK)
		memcpy(p->c.key_sha1, d.octets, sizeof(p->c.key_sha1));
	return p->key_octets.p != NULL;
}

/* Absent means version 1 (RFC 5280 4.1.2.1). */
static int
read_version(struct cur *c)
{
	struct ber outer, number;
	struct cur in;
	int64_t n;

	if (!ber_opt(c, BER_CTXC(0), &outer))
		return 0;
	in = cur_from(outer.body);
	return ber_take(&in, BER_INTEGER, &number) && ber_int64(number.body, &n) && n >= 0 && n <= 2 ? (int)n : -1;
}

/* The first part that can't be read, or NULL. */
static const char *
read_tbs(struct cert_priv *p, struct slice body, struct slice *inner_alg, struct err *e)
{
	struct cur c = cur_from(body), validity;
	struct ber serial, alg, issuer, subject, spki, unique, ext;

	p->version = read_version(&c);
	ber_take(&c, BER_INTEGER, &serial);
	ber_take(&c, BER_SEQUENCE, &alg);
	ber_take(&c, BER_SEQUENCE, &issuer);
	if (!ber_enter(&c, BER_SEQUENCE, &validity) || serial.body.n == 0)
		return "serial number, algorithm, issuer or validity";
	if (!read_validity(&p->c, &validity))
		return "validity";
	ber_take(&c, BER_SEQUENCE, &subject);
	if (!ber_take(&c, BER_SEQUENCE, &spki) || !read_key_info(p, spki.whole, e))
		return "subject or public key";
	ber_opt(&c, BER_CTX(1), &unique);
	ber_opt(&c, BER_CTX(2), &unique);
	if (ber_opt(&c, BER_CTXC(3), &ext) && !cert_read_extensions(p, ext.body))
		return "extensions";
	if (!cur_at_end(&c))
		return "what follows the extensions";
	p->c.serial = serial.body;
	p->c.issuer = issuer.whole;
	p->c.subject = subject.whole;
	*inner_alg = alg.whole;
	return NULL;
}

static const char *
read_certificate(struct cert_priv *p, struct err *e)
{
	struct cur top = cur_from(p->c.der), seq;
	struct ber tbs, alg, sig;
	struct slice inner_alg;
	const char *fault;

	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &tbs);
	ber_take(&seq, BER_SEQUENCE, &alg);
	ber_take(&seq, BER_BIT_STRING, &sig);
	if (!cur_at_end(&seq) || !cur_at_end(&top))
		return "outer structure";
	fault = read_tbs(p, tbs.body, &inner_alg, e);
	if (fault != NULL)
		return fault;
	if (!ber_bits(sig.body, &p->signature, NULL))
		return "signature";
	p->tbs = tbs.whole;
	/* RFC 5280 4.1.1.2: both must name the same algorithm; if not, nothing verifies. */
	if (slice_eq(inner_alg, alg.whole))
		p->scheme = sig_scheme_read(alg.body, DIGEST_NONE);
	p->c.signed_with = sig_use(&p->scheme, USE_CERTIFICATES);
	return NULL;
}

static void
urls_free(struct urls *u)
{
	size_t i;

	for (i = 0; i < u->n; i++)
		free(u->v[i]);
	free(u->v);
}

static void
cert_free(void *cert)
{
	struct cert_priv *p = cert;

	if (p == NULL)
		return;
	free((void *)p->c.der.p);
	free(p->c.subject_text);
	urls_free(&p->c.ocsp_urls);
	urls_free(&p->c.issuer_urls);
	urls_free(&p->c.crl_urls);
	urls_free(&p->c.delta_urls);
	EVP_PKEY_free(p->key);
	X509_free(p->x509);
	free(p);
}

static void
cert_priv_auto(struct cert_priv **p)
{
	cert_free(*p);
}

static enum err_code
read_names(struct cert_priv *p, struct err *e)
{
	p->subject_hash = name_hash(p->c.subject);
	p->issuer_hash = name_hash(p->c.issuer);
	p->c.subject_text = pki_name_text(p->c.subject);
	p->c.self_issued = pki_name_eq(p->c.subject, p->c.issuer);
	return p->c.subject_text != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
pki_cert(struct pki *p, struct slice der, const struct cert **out, struct err *e)
{
	AUTO(cert_priv) struct cert_priv *c = NULL;
	uint8_t sha256[32];
	const char *fault;

	*out = NULL;
	if (der.n > CERT_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "certificate of %zu octets, at most %d", der.n, CERT_MAX_BYTES);
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "certificate");
	*out = pki_find(p, OBJ_CERT, sha256);
	if (*out != NULL)
		return ERR_OK;
	c = mem_new(1, sizeof(*c));
	if (c == NULL || (c->c.der.p = (uint8_t *)mem_dup(der.p, der.n)) == NULL)
		return err_nomem(e);
	c->c.der.n = der.n;
	memcpy(c->c.sha256, sha256, 32);
	c->c.path_len = -1;
	c->c.private_key_end = TIME_MAX;
	fault = read_certificate(c, e);
	if (fault != NULL)
		return err_set(e, ERR_FORMAT, "not a certificate: %s", fault);
	if (read_names(c, e) != ERR_OK)
		return err_wrap(e, "certificate");
	c->id = p->next_id++;
	c->owner = p;
	if (pki_keep(p, OBJ_CERT, sha256, c, cert_free, e) != ERR_OK)
		return err_wrap(e, "certificate");
	*out = &TAKE(c)->c;
	return ERR_OK;
}

EVP_PKEY *
pki_key(const struct cert *c)
{
	struct cert_priv *p = cert_priv(c);

	if (!p->key_tried)
		p->key = spki_key(p->spki, &p->key_why);
	p->key_tried = true;
	return p->key;
}

const char *
pki_key_fault(const struct cert *c)
{
	return pki_key(c) != NULL ? NULL : cert_priv(c)->key_why;
}

X509 *
pki_x509(const struct cert *c)
{
	struct cert_priv *p = cert_priv(c);
	const uint8_t *at = c->der.p;

	if (!p->x509_tried)
		p->x509 = d2i_X509(NULL, &at, (long)c->der.n);
	if (!p->x509_tried && p->x509 != NULL)
		X509_check_purpose(p->x509, -1, 0); /* fills what name constraints look at */
	p->x509_tried = true;
	ERR_clear_error();
	return p->x509;
}

bool
pki_signed_by(struct pki *p, const struct cert *c, const struct cert *issuer)
{
	struct cert_priv *child = cert_priv(c), *parent = cert_priv(issuer);

	if (child->issuer_hash != parent->subject_hash || !pki_name_eq(c->issuer, issuer->subject))
		return false;
	return pki_object_signed_by(p, child->id, &child->scheme, child->tbs, child->signature, issuer);
}

bool
pki_self_signed(const struct cert *c)
{
	return c->self_issued && pki_signed_by(cert_priv(c)->owner, c, c);
}

struct alg_use
pki_cert_alg(const struct cert *c, const struct cert *issuer)
{
	struct alg_use use = c->signed_with;

	if (issuer != NULL) {
		use.key_bits = issuer->own_key.key_bits;
		use.q_bits = issuer->own_key.q_bits;
	}
	return use;
}

bool
cert_same_authority(const struct cert *a, const struct cert *b)
{
	if (a == b)
		return true;
	return slice_eq(cert_priv(a)->spki, cert_priv(b)->spki) && cert_priv(a)->subject_hash == cert_priv(b)->subject_hash &&
	    pki_name_eq(a->subject, b->subject);
}

int64_t
asn1_time_utc(const ASN1_TIME *t)
{
	if (t == NULL)
		return TIME_NONE;
	return ber_time(t->type == V_ASN1_UTCTIME ? BER_UTC_TIME : BER_GENERALIZED_TIME,
	    slice_of(t->data, t->length > 0 ? (size_t)t->length : 0), NULL, NULL);
}
