/* SPDX-License-Identifier: MIT */
/* Who signed a time-stamp token, and what its attributes say of that certificate (RFC 5652 5.4, RFC 5816, RFC 3161 2.4.2). */
#include "verify/pki_int.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define OID_SHAKE256 "2.16.840.1.101.3.4.2.12"

/* H(content) under the SignerInfo's digestAlgorithm; Ed448 comes with SHAKE256 of 64 octets (RFC 8419 3.2). */
static bool
message_digest_holds(const struct token_priv *t)
{
	struct cur c = cur_from(t->digest_alg.body);
	struct digest d = {0};
	struct ber oid;
	EVP_MD_CTX *md;
	bool ok;

	if (digest_once(ber_digest_alg(t->digest_alg.body), t->content, &d, NULL) == ERR_OK)
		return slice_eq(digest_slice(&d), t->message_digest);
	if (!ber_take(&c, BER_OID, &oid) || !ber_oid_is(oid.body, OID_SHAKE256))
		return false;
	md = EVP_MD_CTX_new();
	ok = md != NULL && EVP_DigestInit_ex(md, EVP_shake256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, t->content.p, t->content.n) == 1 && EVP_DigestFinalXOF(md, d.octets, 64) == 1;
	EVP_MD_CTX_free(md);
	return ok && slice_eq(slice_of(d.octets, 64), t->message_digest);
}

/* X.690 11.6: as octet strings, the shorter padded with zeros. */
static int
by_octets(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	int d = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return d != 0 ? d : x->n < y->n ? -1 : x->n > y->n;
}

/* The attributes as a SET OF, sorted; false if they were in order already. */
static bool
sorted_attributes(const struct token_priv *t, struct buf *out)
{
	AUTO(mem) struct slice *list = NULL;
	AUTO(buf) struct buf body = {0};
	struct cur c = cur_from(t->attributes);
	size_t n = 0, cap = 0, i;
	struct ber b;

	while (!cur_at_end(&c)) {
		if (!ber_next(&c, &b) || !mem_grow(&list, &cap, n, sizeof(*list)))
			return false;
		list[n++] = b.whole;
	}
	if (n > 1)
		qsort(list, n, sizeof(*list), by_octets);
	for (i = 0; i < n; i++)
		buf_addslice(&body, list[i]);
	ber_put_buf(out, BER_SET, &body);
	return buf_ok(out, NULL) == ERR_OK && !slice_eq(buf_slice(&body), t->attributes);
}

/*
 * RFC 5652 5.4: over the attributes under the tag of a SET OF. DER wants them sorted and most signers do so;
 * what was signed in another order is verified as received first.
 */
static enum tri
signature_holds(struct pki *p, struct token_priv *t, const struct cert *c)
{
	struct sig_scheme s = sig_scheme_read(t->sig_alg.body, ber_digest_alg(t->digest_alg.body));
	AUTO(buf) struct buf received = {0}, sorted = {0};
	enum tri known = pki_recall(p, t->id, cert_priv(c)->id);

	if (known != TRI_UNKNOWN)
		return known;
	ber_put(&received, BER_SET, t->attributes);
	if (buf_ok(&received, NULL) != ERR_OK)
		return TRI_UNKNOWN;
	known = pki_verify(p, &s, c, buf_slice(&received), t->signature);
	if (known == TRI_FALSE && s.key != KEY_UNKNOWN && sorted_attributes(t, &sorted)) {
		known = pki_verify(p, &s, c, buf_slice(&sorted), t->signature);
		t->t.signed_attributes_unsorted |= known == TRI_TRUE;
	}
	if (known != TRI_UNKNOWN)
		pki_remember(p, t->id, cert_priv(c)->id, (uint8_t)known);
	return known;
}

static bool
sid_matches(const struct token_priv *t, const struct cert *c)
{
	if (t->ski.p != NULL)
		return c->ski.n > 0 && slice_eq(t->ski, c->ski);
	return slice_eq(t->serial, ber_int_canonical(c->serial)) && pki_name_eq(t->issuer, c->issuer);
}

struct ess_facts {
	bool hash, serial;
	enum digest_alg alg;
};

/* IssuerSerial ::= SEQUENCE { GeneralNames, INTEGER } */
static bool
issuer_serial_matches(struct cur *c, const struct cert *cert)
{
	struct ber whole, names, serial;
	struct ber wanted = {.tag = BER_CTXC(4), .body = cert->issuer};
	struct cur in;

	if (!ber_opt(c, BER_SEQUENCE, &whole))
		return true;
	in = cur_from(whole.body);
	return ber_take(&in, BER_SEQUENCE, &names) && ber_take(&in, BER_INTEGER, &serial) &&
	    slice_eq(ber_int_canonical(serial.body), ber_int_canonical(cert->serial)) && general_name_in(&wanted, names.body);
}

/* The first entry of SigningCertificate (version 1: SHA-1) or SigningCertificateV2 (SHA-256 unless it says otherwise). */
static struct ess_facts
ess_compare(struct slice attribute_body, int version, const struct cert *c)
{
	struct cur top = cur_from(attribute_body), list, entry;
	struct ess_facts f = {.alg = version == 1 ? DIGEST_SHA1 : DIGEST_SHA256};
	struct ber alg, hash;
	struct digest d;

	ber_enter(&top, BER_SEQUENCE, &list);
	ber_enter(&list, BER_SEQUENCE, &entry);
	if (version == 2 && ber_opt(&entry, BER_SEQUENCE, &alg))
		f.alg = ber_digest_alg(alg.body);
	if (!ber_take(&entry, BER_OCTET_STRING, &hash))
		return (struct ess_facts){0};
	f.hash = digest_once(f.alg, c->der, &d, NULL) == ERR_OK && slice_eq(digest_slice(&d), hash.body);
	f.serial = issuer_serial_matches(&entry, c);
	return f;
}

static void
read_ess(const struct token_priv *t, const struct cert *c, struct token_signer *out)
{
	struct ess_facts f;

	out->ess_match = t->t.has_ess_v1 || t->t.has_ess_v2;
	out->ess_serial_match = true;
	out->ess_digest = DIGEST_NONE;
	if (t->t.has_ess_v1) {
		f = ess_compare(t->ess_v1, 1, c);
		out->ess_match &= f.hash;
		out->ess_serial_match &= f.serial;
		out->ess_digest = f.alg;
	}
	if (t->t.has_ess_v2) {
		f = ess_compare(t->ess_v2, 2, c);
		out->ess_match &= f.hash;
		out->ess_serial_match &= f.serial;
		out->ess_digest = f.alg;
	}
}

/* RFC 3161 2.4.2: the tsa field is one of the certificate's names. */
static bool
tsa_name_matches(const struct token_priv *t, const struct cert *c)
{
	struct cur field = cur_from(t->t.tsa_name), top = cur_from(cert_priv(c)->alt_names);
	struct ber name, names;

	if (t->t.tsa_name.n == 0)
		return true;
	if (!ber_next(&field, &name))
		return false;
	if (name.tag == BER_CTXC(4) && pki_name_eq(name.body, c->subject))
		return true;
	return ber_take(&top, BER_SEQUENCE, &names) && general_name_in(&name, names.body);
}

static void
describe(const struct token_priv *t, const struct cert *c, struct token_signer *out)
{
	struct sig_scheme s = sig_scheme_read(t->sig_alg.body, ber_digest_alg(t->digest_alg.body));

	out->cert = c;
	out->signed_with = sig_use(&s, USE_TIMESTAMPS);
	out->signed_with.key_bits = c->own_key.key_bits;
	out->signed_with.q_bits = c->own_key.q_bits;
	out->message_digest = ber_digest_alg(t->digest_alg.body);
	out->tsa_name_match = tsa_name_matches(t, c);
	read_ess(t, c, out);
}

bool
token_signed_by(struct pki *p, const struct token *token, const struct cert *c, struct token_signer *out)
{
	struct token_priv *t = token_priv(token);

	memset(out, 0, sizeof(*out));
	if (token->signer_infos != 1 || t->malformed || !sid_matches(t, c) || !message_digest_holds(t) || signature_holds(p, t, c) != TRI_TRUE)
		return false;
	describe(t, c, out);
	out->problem = TOKEN_OK;
	return true;
}

/* The token's own certificates, then the pool's. */
static const struct cert *
candidate(const struct pool *pool, const struct token *t, size_t i)
{
	return i < t->n_certs ? t->certs[i] : pool_candidate(pool, i - t->n_certs);
}

/* Certificates of one issuer and serial number that are tried; more is an attack on our time. */
enum { TRIES_MAX = 64 };

enum err_code
pool_token_signer(struct pool *pool, const struct token *token, struct token_signer *out, struct err *e)
{
	struct token_priv *t = token_priv(token);
	size_t n = token->n_certs + pool_candidates(pool), tries = 0, i;
	struct token_signer one;
	bool found = false;

	(void)e;
	memset(out, 0, sizeof(*out));
	out->tsa_name_match = token->tsa_name.n == 0;
	if (token->signer_infos != 1 || t->malformed) {
		out->problem = TOKEN_FORMAT;
		return ERR_OK;
	}
	out->problem = TOKEN_NO_SIGNER;
	for (i = 0; i < n && tries < TRIES_MAX; i++) {
		const struct cert *c = candidate(pool, token, i);

		if (!sid_matches(t, c))
			continue;
		if (++tries == TRIES_MAX)
			pki_cut(pool->pki);
		memset(&one, 0, sizeof(one));
		describe(t, c, &one);
		one.problem = signature_holds(pool->pki, t, c) == TRI_TRUE ? TOKEN_OK : TOKEN_SIGNATURE;
		/* better: verifies, then named by ESSCertID; the first of equals stays */
		if (!found || (one.problem == TOKEN_OK && (out->problem != TOKEN_OK || (one.ess_match && !out->ess_match))))
			*out = one;
		found = true;
		if (out->problem == TOKEN_OK && out->ess_match)
			break;
	}
	if (found && !message_digest_holds(t))
		out->problem = TOKEN_HASH;
	return ERR_OK;
}
