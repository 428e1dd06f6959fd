/* SPDX-License-Identifier: MIT */
/*
 * Time-stamp tokens (RFC 3161, CMS RFC 5652), read where they stand: OpenSSL
 * 3.0's own code for them goes by way of PKCS#7 and can't read key identifiers,
 * PSS, EdDSA or embedded OCSP responses.
 */
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX_BYTES (64u << 20) /* those completed for a renewal embed CRLs */
#define CMS "1.2.840.113549.1.9.16."
#define OID_TST_INFO CMS "1.4"

static void
token_free(void *token)
{
	struct token_priv *t = token;

	if (t == NULL)
		return;
	free((void *)t->t.der.p);
	free(t->t.certs);
	free(t->t.revs);
	free(t->joined);
	free(t);
}

static void
token_priv_auto(struct token_priv **t)
{
	token_free(*t);
}

/* ---- what is embedded: unreadable objects are left out, they are not the token's proof ---- */

static enum err_code
embed_cert(struct pki *p, struct token_priv *t, struct slice der, struct err *e)
{
	const struct cert *c;
	struct err ignored = {0};

	if (t->t.n_certs >= EMBEDDED_MAX)
		return ERR_OK;
	if (!mem_grow(&t->t.certs, &t->cap_certs, t->t.n_certs, sizeof(*t->t.certs)))
		return err_nomem(e);
	if (pki_cert(p, der, &c, &ignored) == ERR_OK)
		t->t.certs[t->t.n_certs++] = c;
	return ignored.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
}

static enum err_code
embed_rev(struct pki *p, struct token_priv *t, struct slice der, enum rev_kind kind, struct err *e)
{
	const struct revocation *r;
	struct err ignored = {0};

	if (t->t.n_revs >= EMBEDDED_MAX)
		return ERR_OK;
	if (!mem_grow(&t->t.revs, &t->cap_revs, t->t.n_revs, sizeof(*t->t.revs)))
		return err_nomem(e);
	if ((kind == REV_CRL ? pki_crl(p, der, &r, &ignored) : pki_ocsp(p, der, &r, &ignored)) == ERR_OK)
		t->t.revs[t->t.n_revs++] = r;
	return ignored.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
}

static enum err_code
embed_certs(struct pki *p, struct token_priv *t, struct slice list, struct err *e)
{
	struct cur c = cur_from(list);
	struct ber b;

	while (!cur_at_end(&c) && ber_next(&c, &b))
		if (b.tag == BER_SEQUENCE && embed_cert(p, t, b.whole, e) != ERR_OK)
			return ERR_NOMEM;
	return c.failed ? err_set(e, ERR_FORMAT, "not a time-stamp token: certificates") : ERR_OK;
}

static enum err_code
embed_revs(struct pki *p, struct token_priv *t, struct slice list, enum rev_kind kind, struct err *e)
{
	struct cur c = cur_from(list);
	struct ber b;

	while (!cur_at_end(&c) && ber_next(&c, &b))
		if (b.tag == BER_SEQUENCE && embed_rev(p, t, b.whole, kind, e) != ERR_OK)
			return ERR_NOMEM;
	return ERR_OK;
}

/* RevocationInfoChoices: CRLs, and OCSP responses as [1] { format, value } (RFC 5940). */
static enum err_code
embed_choices(struct pki *p, struct token_priv *t, struct slice list, struct err *e)
{
	struct cur c = cur_from(list), other;
	struct ber b, oid, value;

	while (!cur_at_end(&c) && ber_next(&c, &b)) {
		if (b.tag == BER_SEQUENCE && embed_rev(p, t, b.whole, REV_CRL, e) != ERR_OK)
			return ERR_NOMEM;
		if (b.tag != BER_CTXC(1))
			continue;
		other = cur_from(b.body);
		if (!ber_take(&other, BER_OID, &oid) || !ber_next(&other, &value))
			continue;
		if ((ber_oid_is(oid.body, "1.3.6.1.5.5.7.16.2") || ber_oid_is(oid.body, "1.3.6.1.5.5.7.48.1.1")) &&
		    embed_rev(p, t, value.whole, REV_OCSP, e) != ERR_OK)
			return ERR_NOMEM;
	}
	return c.failed ? err_set(e, ERR_FORMAT, "not a time-stamp token: revocation data") : ERR_OK;
}

/* RevocationValues (RFC 5126 6.3.4): [0] CRLs, [1] basic OCSP responses. */
static enum err_code
embed_values(struct pki *p, struct token_priv *t, struct slice values, struct err *e)
{
	struct cur c = cur_from(values), in;
	struct ber part, list;

	while (!cur_at_end(&c) && ber_next(&c, &part)) {
		in = cur_from(part.body);
		if (!ber_take(&in, BER_SEQUENCE, &list))
			continue;
		if (part.tag == BER_CTXC(0) && embed_revs(p, t, list.body, REV_CRL, e) != ERR_OK)
			return ERR_NOMEM;
		if (part.tag == BER_CTXC(1) && embed_revs(p, t, list.body, REV_OCSP, e) != ERR_OK)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* One attribute: its OID and its single value; false if there are none or several. */
static bool
attribute(struct cur *set, struct ber *oid, struct ber *value)
{
	struct cur seq, values;
	bool one;

	*value = (struct ber){0};
	ber_enter(set, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_OID, oid);
	ber_enter(&seq, BER_SET, &values);
	one = ber_next(&values, value) && cur_at_end(&values);
	if (!cur_at_end(&seq))
		set->failed = true;
	return one && !set->failed;
}

static enum err_code
read_unsigned(struct pki *p, struct token_priv *t, struct slice set, struct err *e)
{
	struct cur c = cur_from(set);
	struct ber oid, value;

	while (!cur_at_end(&c) && !c.failed) {
		if (!attribute(&c, &oid, &value) || value.tag != BER_SEQUENCE)
			continue;
		if (ber_oid_is(oid.body, CMS "2.23") && embed_certs(p, t, value.body, e) == ERR_NOMEM)
			return ERR_NOMEM;
		if (ber_oid_is(oid.body, CMS "2.24") && embed_values(p, t, value.body, e) == ERR_NOMEM)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* ---- TSTInfo ---- */

static bool
read_accuracy(struct token_priv *t, struct slice body)
{
	struct cur c = cur_from(body);
	int64_t seconds = 0, millis = 0, micros = 0;
	struct ber f;

	if (ber_opt(&c, BER_INTEGER, &f) && (!ber_int64(f.body, &seconds) || seconds < 0 || seconds > INT32_MAX))
		return false;
	if (ber_opt(&c, BER_CTX(0), &f) && (!ber_int64(f.body, &millis) || millis < 0 || millis > 999))
		return false;
	if (ber_opt(&c, BER_CTX(1), &f) && (!ber_int64(f.body, &micros) || micros < 0 || micros > 999))
		return false;
	t->t.accuracy_micros = seconds * 1000000 + millis * 1000 + micros;
	return cur_at_end(&c);
}

static bool
read_imprint(struct token_priv *t, struct cur *c)
{
	struct cur seq;
	struct ber alg, hash;

	ber_enter(c, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &alg);
	if (!ber_take(&seq, BER_OCTET_STRING, &hash) || !cur_at_end(&seq) || hash.body.n == 0 || hash.body.n > DIGEST_MAX)
		return false;
	t->t.imprint.alg = ber_digest_alg(alg.body);
	t->t.imprint.n = hash.body.n;
	memcpy(t->t.imprint.octets, hash.body.p, hash.body.n);
	return true;
}

static bool
tst_extension(void *ctx, const struct extension *x)
{
	struct token_priv *t = ctx;
	struct cur c = cur_from(x->value), list, one;
	struct ber oid;

	if (strcmp(x->oid, "1.3.6.1.5.5.7.1.3") != 0) {
		t->t.unknown_critical |= x->critical;
		return true;
	}
	for (ber_enter(&c, BER_SEQUENCE, &list); !list.failed && !cur_at_end(&list);)
		if (ber_enter(&list, BER_SEQUENCE, &one) && ber_take(&one, BER_OID, &oid))
			t->t.claims_qualified |= ber_oid_is(oid.body, "0.4.0.19422.1.1");
	return true;
}

/* The first part that can't be read, or NULL. */
static const char *
read_tst_info(struct token_priv *t)
{
	struct cur top = cur_from(t->content), c;
	struct ber version, policy, serial, when, f;
	int64_t n;
	bool strict;

	ber_enter(&top, BER_SEQUENCE, &c);
	if (!cur_at_end(&top) || !ber_take(&c, BER_INTEGER, &version) || !ber_int64(version.body, &n) || n != 1)
		return "TSTInfo version";
	ber_take(&c, BER_OID, &policy);
	ber_oid_text(policy.body, t->t.policy_oid);
	if (!read_imprint(t, &c))
		return "messageImprint";
	ber_take(&c, BER_INTEGER, &serial);
	if (!ber_take(&c, BER_GENERALIZED_TIME, &when))
		return "serial number or genTime";
	t->t.serial = serial.body;
	t->t.gen_time = ber_time(when.tag, when.body, &t->t.gen_micros, &strict);
	if (t->t.gen_time == TIME_NONE)
		return "genTime";
	t->t.bad_time_form = !strict;
	t->t.time_not_utc = when.body.p[when.body.n - 1] != 'Z';
	if (ber_opt(&c, BER_SEQUENCE, &f) && !read_accuracy(t, f.body))
		return "accuracy";
	ber_opt(&c, BER_BOOLEAN, &f);
	if (ber_opt(&c, BER_INTEGER, &f))
		t->t.nonce = f.body;
	if (ber_opt(&c, BER_CTXC(0), &f))
		t->t.tsa_name = f.body;
	if (ber_opt(&c, BER_CTXC(1), &f) && !extensions_walk(f.body, tst_extension, t))
		return "TSTInfo extensions";
	return cur_at_end(&c) ? NULL : "what follows in TSTInfo";
}

/* ---- CMS ---- */

static void
take_once(struct slice *into, struct token_priv *t, bool single, struct slice value)
{
	if (into->p != NULL || !single)
		t->malformed = true; /* RFC 5652 5.3: each type once; 11: single value */
	*into = value;
}

static void
read_signed(struct token_priv *t, struct slice set)
{
	struct cur c = cur_from(set);
	struct ber oid, value;
	char text[OID_TEXT];
	bool single;

	t->attributes = set;
	while (!cur_at_end(&c) && !c.failed) {
		single = attribute(&c, &oid, &value);
		ber_oid_text(oid.body, text);
		if (strcmp(text, "1.2.840.113549.1.9.3") == 0)
			take_once(&t->content_type, t, single && value.tag == BER_OID, value.body);
		else if (strcmp(text, "1.2.840.113549.1.9.4") == 0)
			take_once(&t->message_digest, t, single && value.tag == BER_OCTET_STRING, value.body);
		else if (strcmp(text, CMS "2.12") == 0)
			take_once(&t->ess_v1, t, single && value.tag == BER_SEQUENCE, value.body);
		else if (strcmp(text, CMS "2.47") == 0)
			take_once(&t->ess_v2, t, single && value.tag == BER_SEQUENCE, value.body);
		else if (strcmp(text, "1.2.840.113549.1.9.52") == 0)
			take_once(&t->protection, t, single && value.tag == BER_SEQUENCE, value.body);
	}
	t->t.has_ess_v1 = t->ess_v1.p != NULL;
	t->t.has_ess_v2 = t->ess_v2.p != NULL;
	if (c.failed || !ber_oid_is(t->content_type, OID_TST_INFO) || t->message_digest.p == NULL)
		t->malformed = true;
}

static bool
same_oid(struct slice algorithm_a, struct slice algorithm_b)
{
	struct cur a = cur_from(algorithm_a), b = cur_from(algorithm_b);
	struct ber x, y;

	return ber_take(&a, BER_OID, &x) && ber_take(&b, BER_OID, &y) && slice_eq(x.body, y.body);
}

/* CMSAlgorithmProtection (RFC 6211) must name the algorithms of the SignerInfo. */
static bool
protection_holds(const struct token_priv *t)
{
	struct cur c = cur_from(t->protection);
	struct ber digest, sig;

	if (t->protection.p == NULL)
		return true;
	return ber_take(&c, BER_SEQUENCE, &digest) && ber_take(&c, BER_CTXC(1), &sig) &&
	    same_oid(digest.body, t->digest_alg.body) && same_oid(sig.body, t->sig_alg.body);
}

static bool
read_sid(struct token_priv *t, struct cur *si)
{
	struct ber sid, issuer, serial;
	struct cur in;

	if (ber_opt(si, BER_CTX(0), &sid)) {
		t->ski = sid.body;
		return true;
	}
	ber_enter(si, BER_SEQUENCE, &in);
	ber_take(&in, BER_SEQUENCE, &issuer);
	if (!ber_take(&in, BER_INTEGER, &serial))
		return false;
	t->issuer = issuer.whole;
	t->serial = ber_int_canonical(serial.body);
	return cur_at_end(&in);
}

static enum err_code
read_signer_info(struct pki *p, struct token_priv *t, struct slice body, struct err *e)
{
	struct cur si = cur_from(body);
	struct ber version, attributes, sig, unsigned_set;

	ber_take(&si, BER_INTEGER, &version);
	if (!read_sid(t, &si))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: signer identifier");
	ber_take(&si, BER_SEQUENCE, &t->digest_alg);
	if (ber_opt(&si, BER_CTXC(0), &attributes))
		read_signed(t, attributes.body);
	else
		t->malformed = true; /* RFC 5652 5.3: must be there for this content type */
	ber_take(&si, BER_SEQUENCE, &t->sig_alg);
	ber_take(&si, BER_OCTET_STRING, &sig);
	t->signature = sig.body;
	ber_opt(&si, BER_CTXC(1), &unsigned_set);
	if (!cur_at_end(&si))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: SignerInfo");
	if (!protection_holds(t))
		t->malformed = true;
	return read_unsigned(p, t, unsigned_set.body, e);
}

static enum err_code
read_signer_infos(struct pki *p, struct token_priv *t, struct slice set, struct err *e)
{
	struct cur c = cur_from(set);
	struct ber first, b;

	while (!cur_at_end(&c)) {
		if (!ber_take(&c, BER_SEQUENCE, &b))
			return err_set(e, ERR_FORMAT, "not a time-stamp token: SignerInfos");
		if (t->t.signer_infos++ == 0)
			first = b;
	}
	if (t->t.signer_infos == 0)
		return ERR_OK; /* TOKEN_FORMAT when asked who signed */
	return read_signer_info(p, t, first.body, e);
}

static enum err_code
read_content(struct token_priv *t, struct cur *sd, struct err *e)
{
	struct cur seq, in;
	struct ber oid, outer, octets;
	AUTO(buf) struct buf scratch = {0};
	const char *fault;

	ber_enter(sd, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_OID, &oid);
	if (!ber_oid_is(oid.body, OID_TST_INFO) || !ber_take(&seq, BER_CTXC(0), &outer))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: the content is no TSTInfo");
	in = cur_from(outer.body);
	if (!ber_next(&in, &octets) || !cur_at_end(&in) || !cur_at_end(&seq) ||
	    !ber_octets(&octets, BER_OCTET_STRING, &scratch, &t->content))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: content octets");
	if (scratch.p != NULL && t->content.p == scratch.p)
		t->joined = TAKE(scratch.p);
	fault = read_tst_info(t);
	return fault == NULL ? ERR_OK : err_set(e, ERR_FORMAT, "not a time-stamp token: %s", fault);
}

static enum err_code
read_signed_data(struct pki *p, struct token_priv *t, struct slice body, struct err *e)
{
	struct cur sd = cur_from(body);
	struct ber version, digests, certs, crls, infos;

	ber_take(&sd, BER_INTEGER, &version);
	if (!ber_take(&sd, BER_SET, &digests))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: SignedData");
	if (read_content(t, &sd, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	ber_opt(&sd, BER_CTXC(0), &certs);
	ber_opt(&sd, BER_CTXC(1), &crls);
	if (!ber_take(&sd, BER_SET, &infos) || !cur_at_end(&sd))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: SignedData");
	if (embed_certs(p, t, certs.body, e) != ERR_OK || embed_choices(p, t, crls.body, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	return read_signer_infos(p, t, infos.body, e);
}

static enum err_code
read_token(struct pki *p, struct token_priv *t, struct err *e)
{
	struct cur top = cur_from(t->t.der), ci, outer, sd;
	struct ber oid;

	ber_enter(&top, BER_SEQUENCE, &ci);
	ber_take(&ci, BER_OID, &oid);
	ber_enter(&ci, BER_CTXC(0), &outer);
	ber_enter(&outer, BER_SEQUENCE, &sd);
	if (!ber_oid_is(oid.body, "1.2.840.113549.1.7.2") || !cur_at_end(&outer) || !cur_at_end(&ci) || !cur_at_end(&top))
		return err_set(e, ERR_FORMAT, "not a time-stamp token: no CMS SignedData, or octets follow");
	return read_signed_data(p, t, sd.in, e);
}

/* A TimeStampResp where a token should stand (met in signatures): the token inside, else empty. */
static struct slice
inside_response(struct slice der)
{
	struct cur top = cur_from(der), seq;
	struct ber status, token;

	if (!ber_enter(&top, BER_SEQUENCE, &seq) || !cur_at_end(&top) || !ber_opt(&seq, BER_SEQUENCE, &status) ||
	    !ber_take(&seq, BER_SEQUENCE, &token) || !cur_at_end(&seq))
		return (struct slice){0};
	return token.whole;
}

static enum err_code
keep_token(struct pki *p, struct slice der, bool was_response, const struct token **out, struct err *e)
{
	AUTO(token_priv) struct token_priv *t = mem_new(1, sizeof(*t));

	if (t == NULL || (t->t.der.p = (uint8_t *)mem_dup(der.p, der.n)) == NULL)
		return err_nomem(e);
	t->t.der.n = der.n;
	t->t.was_response = was_response;
	t->t.accuracy_micros = -1;
	if (digest_sha256(der, t->t.sha256, e) != ERR_OK || read_token(p, t, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	t->id = p->next_id++;
	if (pki_keep(p, OBJ_TOKEN, t->t.sha256, t, token_free, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	*out = &TAKE(t)->t;
	return ERR_OK;
}

enum err_code
pki_token(struct pki *p, struct slice der, const struct token **out, struct err *e)
{
	struct slice inner;
	uint8_t sha256[32];

	*out = NULL;
	if (der.n > TOKEN_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "time-stamp token of %zu octets, at most %u", der.n, TOKEN_MAX_BYTES);
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	*out = pki_find(p, OBJ_TOKEN, sha256);
	if (*out != NULL)
		return ERR_OK;
	inner = inside_response(der);
	if (inner.n == 0)
		return keep_token(p, der, false, out, e);
	if (keep_token(p, inner, true, out, e) != ERR_OK)
		return err_wrap(e, "TimeStampResp");
	return pki_alias(p, OBJ_TOKEN, sha256, (void *)*out, e);
}
