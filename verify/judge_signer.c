/* SPDX-License-Identifier: MIT */
/* Identification of the signing certificate (EN 319 102-1 5.2.3), and whose key a SignatureValue verifies with. */
#include "verify/judge.h"

#include <openssl/bn.h>
#include <stdlib.h>
#include <string.h>

enum tri
value_with(struct judge *j, struct jsig *g, const struct cert *c)
{
	struct err e = {0};
	enum tri t = TRI_UNKNOWN;
	EVP_PKEY *key = pki_key(c);

	if (key != NULL && sig_check_value(j->doc, g->s, key, &t, &e) == ERR_NOMEM)
		judge_broke(j, &e);
	return t;
}

/* Without a certificate: is the value that of the bare key in KeyInfo? Nobody is named by it. */
enum tri
value_with_bare_key(struct judge *j, struct jsig *g)
{
	struct err e = {0};
	enum tri t = TRI_UNKNOWN;
	EVP_PKEY *key = key_value(g->s->key_info);

	if (key == NULL)
		return TRI_UNKNOWN;
	if (sig_check_value(j->doc, g->s, key, &t, &e) == ERR_NOMEM)
		judge_broke(j, &e);
	EVP_PKEY_free(key);
	find_add(j, 1, FIND_WARN, "SignatureIntact", "XMLDSig 4.5.2", g->r->id, "give the certificate",
	    "checked with a bare key that names nobody");
	return t;
}

/* Does this very signature hold it: in KeyInfo, or (anywhere) in its values too? */
static bool
holds_cert(const struct jsig *g, const struct cert *c, bool anywhere)
{
	for (size_t i = 0; i < g->s->n_embedded; i++) {
		const struct embedded *m = &g->s->embedded[i];

		if (m->kind == EMB_CERT && (anywhere || m->place == IN_KEY_INFO) && slice_eq(m->der, c->der))
			return true;
	}
	return false;
}

bool
in_key_info(const struct jsig *g, const struct cert *c)
{
	return holds_cert(g, c, false);
}

/* The peer takes the signer's certificate from KeyInfo alone when that holds any, else from this signature's own values. */
static bool
out_of_its_sight(const struct jsig *g, const struct cert *c)
{
	bool any = false;

	for (size_t i = 0; i < g->s->n_embedded; i++)
		any = any || (g->s->embedded[i].place == IN_KEY_INFO && g->s->embedded[i].kind == EMB_CERT);
	return !holds_cert(g, c, !any);
}

/* One that is not the first of the property counts for the peer when its key verifies. */
static const struct cert *
by_property(struct judge *j, struct jsig *g, size_t *which)
{
	for (size_t k = 0; k < g->s->n_cert_ids; k++) {
		const struct cert *c = cert_by_digest(j, &g->s->cert_ids[k].digest);

		if (c == NULL || (j->peer && (out_of_its_sight(g, c) || (k > 0 && value_with(j, g, c) != TRI_TRUE))))
			continue;
		*which = k;
		return c;
	}
	return NULL;
}

#define KEY_INFO_TRIES 32 /* certificates whose key is tried: no honest KeyInfo holds more */

/* The certificate of KeyInfo whose key verifies; else the first there. */
static const struct cert *
by_key_info(struct judge *j, struct jsig *g)
{
	const struct cert *first = NULL;
	struct err e = {0};

	for (size_t i = 0, tried = 0; i < g->s->n_embedded && tried < KEY_INFO_TRIES; i++) {
		const struct embedded *m = &g->s->embedded[i];
		const struct cert *c = NULL;

		if (m->place != IN_KEY_INFO || m->kind != EMB_CERT || pki_cert(j->pki, m->der, &c, &e) != ERR_OK)
			continue;
		tried++;
		if (value_with(j, g, c) == TRI_TRUE)
			return c;
		if (first == NULL)
			first = c;
	}
	return first;
}

#define ISC "EN 319 102-1 5.2.3"

/* The peer passes over a property whose digest it can't read (unknown algorithm, no base64); for us it names nobody. */
static bool
property_counts(const struct judge *j, const struct xsig *s)
{
	bool readable = false;

	for (size_t i = 0; i < s->n_cert_ids; i++)
		readable = readable || (s->cert_ids[i].digest.alg != DIGEST_NONE && s->cert_ids[i].digest.n > 0);
	return (s->has_signing_cert_v1 || s->has_signing_cert_v2) && (readable || !j->peer);
}

/* What the property says of issuer and serial beside the digest; told, and by the policy more than told. */
static bool
serial_matches(const struct cert_id *id, const struct cert *c)
{
	BIGNUM *text = NULL, *own = BN_bin2bn(c->serial.p, (int)c->serial.n, NULL);
	bool same;

	if (id->issuer_serial.n > 0) {
		BN_free(own);
		return memmem(id->issuer_serial.p, id->issuer_serial.n, c->issuer.p, c->issuer.n) != NULL &&
		    memmem(id->issuer_serial.p, id->issuer_serial.n, c->serial.p, c->serial.n) != NULL;
	}
	if (id->serial_text == NULL) {
		BN_free(own);
		return true;
	}
	/* negative serials stand in some old certificates: the value of the content octets as they are written */
	if (own != NULL && c->serial.n > 0 && (c->serial.p[0] & 0x80) != 0) {
		BIGNUM *whole = BN_new();

		if (whole != NULL && BN_set_bit(whole, (int)(8 * c->serial.n)) == 1)
			(void)BN_sub(own, own, whole);
		BN_free(whole);
	}
	same = own != NULL && BN_dec2bn(&text, id->serial_text) > 0 && BN_cmp(text, own) == 0;
	BN_free(text);
	BN_free(own);
	return same;
}

static bool
serial_fails(struct judge *j, struct jsig *g, size_t which)
{
	if (serial_matches(&g->s->cert_ids[which], g->cert))
		return false;
	return find_level(j, 1, level_of(j, CHECK_ISSUER_SERIAL_MATCH, sig_context(g), POS_SIGNING), "IssuerSerialMatch", ISC,
	    g->cert->subject_text, NULL, "the property names another issuer or serial number");
}

/* The peer knows a signer that no property names by a good signature alone, its references included. */
static bool
proves_itself(struct judge *j, struct jsig *g)
{
	for (size_t i = 0; i < g->s->n_refs; i++)
		if (g->s->refs[i].intact != TRI_TRUE)
			return false;
	return value_with(j, g, g->cert) == TRI_TRUE;
}

/* The peer takes the certificate whose key verifies for the signer's, and then misses its digest in the property. */
static bool
another_signed(struct judge *j, struct jsig *g)
{
	const struct cert *other;

	if (value_with(j, g, g->cert) == TRI_TRUE)
		return false;
	other = by_key_info(j, g);
	if (other == NULL || other == g->cert || value_with(j, g, other) != TRI_TRUE)
		return false;
	g->cert = other;
	find_add(j, 1, FIND_FAIL, "CertDigestMatch", ISC, other->subject_text, NULL, "signed by another than the property names");
	return true;
}

/* By which digest the property names the signer's certificate: of several one that is good now. It is relied on like a reference's. */
static void
digest_relied_on(struct judge *j, struct jsig *g, size_t which)
{
	struct alg_use use = {.digest = g->s->cert_ids[which].digest.alg, .usage = USE_DATA};

	for (size_t k = which + 1; k < g->s->n_cert_ids && !alg_good(j, &use, j->now); k++) {
		struct alg_use other = {.digest = g->s->cert_ids[k].digest.alg, .usage = USE_DATA};

		if (alg_good(j, &other, j->now) && cert_by_digest(j, &g->s->cert_ids[k].digest) == g->cert)
			use = other;
	}
	enum check_level level = level_of(j, CHECK_CERT_DIGEST_ALGORITHM, sig_context(g), POS_SIGNING);
	char text[64];

	if (level == LEVEL_FAIL) {
		subject_uses(j, &g->sub, &use);
	} else if (!alg_good(j, &use, j->now)) {
		alg_text(&use, text, sizeof(text));
		find_level(j, 1, level, "SigningCertificateDigestAlgorithm", ISC, g->cert->subject_text, NULL, "%s is not reliable now", text);
	}
}

void
judge_signer(struct judge *j, struct jsig *g)
{
	size_t which = 0;

	g->isc = passed();
	g->cert = property_counts(j, g->s) ? by_property(j, g, &which) : NULL;
	if (g->cert != NULL) {
		find_add(j, 1, which == 0 ? FIND_OK : FIND_WARN, "CertDigestMatch", ISC, g->cert->subject_text, NULL, "%s",
		    which == 0 ? "named by the signing certificate property" : "not the first that the property names");
		digest_relied_on(j, g, which);
		if (serial_fails(j, g, which) || (j->peer && another_signed(j, g)))
			g->isc = open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
		return;
	}
	g->cert = by_key_info(j, g);
	if (g->cert == NULL) {
		find_add(j, 1, FIND_FAIL, "SigningCertificateRecognition", ISC, g->r->id, "give the certificate", "not found");
		g->isc = open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
		return;
	}
	if (j->peer && g->s->qualifying != NULL && g->s->signed_props == NULL) {
		/* the peer looks for nobody when the properties it was promised are not there */
		find_add(j, 1, FIND_FAIL, "SigningCertificateRecognition", ISC, g->r->id, NULL, "no signed properties");
		g->isc = open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
		return;
	}
	bool named = property_counts(j, g->s);
	if (j->peer && !named && !proves_itself(j, g)) {
		find_add(j, 1, FIND_FAIL, "SigningCertificateRecognition", ISC, g->r->id, NULL, "no property, and no key that verifies");
		g->isc = open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
		return;
	}
	enum check check = named ? CHECK_CERT_DIGEST_MATCH : CHECK_SIGNING_CERTIFICATE_PRESENT;
	if (find_level(j, 1, level_of(j, check, sig_context(g), POS_SIGNING),
		named ? "CertDigestMatch" : "SigningCertificatePresent", ISC, g->cert->subject_text, NULL, "%s",
		named ? "the property names another certificate" : "no signing certificate property that can be used"))
		g->isc = open_verdict(SUB_NO_SIGNING_CERTIFICATE_FOUND);
}
