/* SPDX-License-Identifier: MIT */
/* OCSP responses as objects, and requests (RFC 6960, RFC 8954). What a response says of a certificate: revoke.c. */
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

#define OCSP_MAX_BYTES (4u << 20)
#define OID_OCSP_BASIC "1.3.6.1.5.5.7.48.1.1"
#define OID_OCSP_NONCE "1.3.6.1.5.5.7.48.1.2"

/* Extensions of a whole response that change nothing about its meaning. */
static bool
known_response_extension(const char *oid)
{
	static const char *const known[] = {OID_OCSP_NONCE, "1.3.6.1.5.5.7.48.1.9", "1.3.6.1.5.5.7.48.1.4"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(oid, known[i]) == 0)
			return true;
	return false;
}

static bool
response_extension(void *ctx, const struct extension *x)
{
	struct rev_priv *r = ctx;
	struct cur c = cur_from(x->value);
	struct ber inner;

	if (strcmp(x->oid, OID_OCSP_NONCE) == 0) {
		/* RFC 8954: an OCTET STRING inside; older responders put the bare octets */
		r->nonce = ber_take(&c, BER_OCTET_STRING, &inner) && cur_at_end(&c) ? inner.body : x->value;
	} else if (x->critical && !known_response_extension(x->oid)) {
		r->critical_unknown = true;
	}
	return true;
}

static bool
read_responder(struct rev_priv *r, struct cur *c)
{
	struct ber outer, inner;
	struct cur in;

	if (ber_opt(c, BER_CTXC(1), &outer)) {
		in = cur_from(outer.body);
		if (!ber_take(&in, BER_SEQUENCE, &inner))
			return false;
		r->responder_name = inner.whole;
		r->responder_hash = name_hash(inner.whole);
	} else if (ber_opt(c, BER_CTXC(2), &outer)) {
		in = cur_from(outer.body);
		if (!ber_take(&in, BER_OCTET_STRING, &inner))
			return false;
		r->responder_key = inner.body;
	} else {
		return false;
	}
	return cur_at_end(&in);
}

static bool
count_singles(struct rev_priv *r)
{
	struct cur c = cur_from(r->singles);
	struct ber one;

	while (!cur_at_end(&c)) {
		if (!ber_take(&c, BER_SEQUENCE, &one) || ++r->r.n_entries > OCSP_SINGLES_MAX)
			return false;
	}
	return true;
}

static bool
read_response_data(struct rev_priv *r, struct slice body)
{
	struct cur c = cur_from(body), ext;
	struct ber version, produced, list, outer;

	ber_opt(&c, BER_CTXC(0), &version);
	if (!read_responder(r, &c) || !ber_take(&c, BER_GENERALIZED_TIME, &produced) || !ber_take(&c, BER_SEQUENCE, &list))
		return false;
	r->r.produced_at = ber_time(produced.tag, produced.body, NULL, NULL);
	r->singles = list.body;
	if (r->r.produced_at == TIME_NONE || !count_singles(r))
		return false;
	if (ber_opt(&c, BER_CTXC(1), &outer)) {
		ext = cur_from(outer.body);
		if (!ber_take(&ext, BER_SEQUENCE, &list) || !cur_at_end(&ext) || !extensions_walk(list.body, response_extension, r))
			return false;
	}
	return cur_at_end(&c);
}

/* Embedded certificates; one that can't be read is no reason to lose the answer. */
static enum err_code
read_certs(struct pki *p, struct rev_priv *r, struct slice list, struct err *e)
{
	struct cur c = cur_from(list);
	const struct cert *one;
	struct ber b;
	size_t cap = 0;

	while (!cur_at_end(&c) && r->r.n_certs < EMBEDDED_MAX) {
		if (!ber_next(&c, &b))
			return err_set(e, ERR_FORMAT, "not an OCSP response: certificates");
		if (pki_cert(p, b.whole, &one, e) != ERR_OK) {
			if (e != NULL && e->code == ERR_NOMEM)
				return ERR_NOMEM;
			continue;
		}
		if (!mem_grow(&r->r.certs, &cap, r->r.n_certs, sizeof(*r->r.certs)))
			return err_nomem(e);
		r->r.certs[r->r.n_certs++] = one;
	}
	return ERR_OK;
}

static enum err_code
read_basic(struct pki *p, struct rev_priv *r, struct slice basic, struct err *e)
{
	struct cur top = cur_from(basic), seq, list;
	struct ber tbs, alg, sig, certs, all;

	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &tbs);
	ber_take(&seq, BER_SEQUENCE, &alg);
	ber_take(&seq, BER_BIT_STRING, &sig);
	ber_opt(&seq, BER_CTXC(0), &certs);
	if (!cur_at_end(&seq) || !cur_at_end(&top) || !ber_bits(sig.body, &r->signature, NULL))
		return err_set(e, ERR_FORMAT, "not an OCSP response: basic response");
	if (!read_response_data(r, tbs.body))
		return err_set(e, ERR_FORMAT, "not an OCSP response: response data");
	r->tbs = tbs.whole;
	r->scheme = sig_scheme_read(alg.body, DIGEST_NONE);
	if (certs.tag == 0)
		return ERR_OK;
	list = cur_from(certs.body);
	if (!ber_take(&list, BER_SEQUENCE, &all) || !cur_at_end(&list))
		return err_set(e, ERR_FORMAT, "not an OCSP response: certificates");
	return read_certs(p, r, all.body, e);
}

/* The octets of the BasicOCSPResponse inside, or none if the status says that there is none. */
static enum err_code
unwrap(struct rev_priv *r, struct slice *basic, struct err *e)
{
	struct cur top = cur_from(r->r.der), seq, explicit, bytes;
	struct ber status, outer, oid, octets;
	AUTO(buf) struct buf scratch = {0};
	int64_t n;

	*basic = (struct slice){0};
	ber_enter(&top, BER_SEQUENCE, &seq);
	if (!ber_take(&seq, BER_ENUMERATED, &status) || !cur_at_end(&top) || !ber_int64(status.body, &n) || n < 0 || n > 255)
		return err_set(e, ERR_FORMAT, "not an OCSP response");
	r->r.ocsp_status = (int)n;
	ber_opt(&seq, BER_CTXC(0), &outer);
	if (!cur_at_end(&seq))
		return err_set(e, ERR_FORMAT, "not an OCSP response: octets follow");
	if (n != 0)
		return ERR_OK;
	explicit = cur_from(outer.body);
	ber_enter(&explicit, BER_SEQUENCE, &bytes);
	ber_take(&bytes, BER_OID, &oid);
	if (!ber_next(&bytes, &octets) || !cur_at_end(&bytes) || !cur_at_end(&explicit))
		return err_set(e, ERR_FORMAT, "not an OCSP response: response bytes");
	if (!ber_oid_is(oid.body, OID_OCSP_BASIC))
		return err_set(e, ERR_UNSUPPORTED, "OCSP response of another type than basic");
	if (!ber_octets(&octets, BER_OCTET_STRING, &scratch, basic))
		return err_set(e, ERR_FORMAT, "not an OCSP response: response bytes");
	if (basic->p == scratch.p && scratch.p != NULL)
		r->joined = TAKE(scratch.p); /* der's octets are in pieces; these are whole */
	return ERR_OK;
}

static bool
is_basic(struct slice der)
{
	struct cur top = cur_from(der), seq;

	return ber_enter(&top, BER_SEQUENCE, &seq) && ber_at(&seq, BER_SEQUENCE);
}

static void
wrap_basic(struct slice basic, struct buf *out)
{
	AUTO(buf) struct buf bytes = {0}, seq = {0}, body = {0};

	ber_put_oid(&bytes, OID_OCSP_BASIC);
	ber_put(&bytes, BER_OCTET_STRING, basic);
	ber_put_buf(&seq, BER_SEQUENCE, &bytes);
	ber_put(&body, BER_ENUMERATED, slice_of("", 1));
	ber_put_buf(&body, BER_CTXC(0), &seq);
	ber_put_buf(out, BER_SEQUENCE, &body);
}

static void
rev_priv_auto(struct rev_priv **r)
{
	rev_free(*r);
}

static enum err_code
ocsp_read(struct pki *p, struct slice der, bool was_basic, const struct revocation **out, struct err *e)
{
	AUTO(rev_priv) struct rev_priv *r = NULL;
	struct slice basic;

	r = mem_new(1, sizeof(*r));
	if (r == NULL || (r->r.der.p = (uint8_t *)mem_dup(der.p, der.n)) == NULL)
		return err_nomem(e);
	r->r.kind = REV_OCSP;
	r->r.der.n = der.n;
	r->r.was_basic = was_basic;
	r->r.this_update = r->r.next_update = r->r.produced_at = r->r.expired_certs_on_crl = TIME_NONE;
	if (digest_sha256(der, r->r.sha256, e) != ERR_OK)
		return err_wrap(e, "OCSP");
	*out = pki_find(p, OBJ_OCSP, r->r.sha256); /* a bare one may be known in its wrapping */
	if (*out != NULL)
		return ERR_OK;
	if (unwrap(r, &basic, e) != ERR_OK)
		return err_wrap(e, "OCSP");
	if (r->r.ocsp_status == 0 && read_basic(p, r, basic, e) != ERR_OK)
		return err_wrap(e, "OCSP");
	r->id = p->next_id++;
	if (pki_keep(p, OBJ_OCSP, r->r.sha256, r, rev_free, e) != ERR_OK)
		return err_wrap(e, "OCSP");
	*out = &TAKE(r)->r;
	return ERR_OK;
}

enum err_code
pki_ocsp(struct pki *p, struct slice der, const struct revocation **out, struct err *e)
{
	AUTO(buf) struct buf wrapped = {0};
	uint8_t sha256[32];

	*out = NULL;
	if (der.n > OCSP_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "OCSP response of %zu octets, at most %u", der.n, OCSP_MAX_BYTES);
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "OCSP");
	*out = pki_find(p, OBJ_OCSP, sha256);
	if (*out != NULL)
		return ERR_OK;
	if (!is_basic(der))
		return ocsp_read(p, der, false, out, e);
	wrap_basic(der, &wrapped);
	if (buf_ok(&wrapped, e) != ERR_OK || ocsp_read(p, buf_slice(&wrapped), true, out, e) != ERR_OK)
		return err_wrap(e, "bare basic response");
	return pki_alias(p, OBJ_OCSP, sha256, (void *)*out, e);
}

struct slice
ocsp_nonce(const struct revocation *r)
{
	return r->kind == REV_OCSP ? rev_priv(r)->nonce : (struct slice){0};
}

/* ---- request ---- */

static void
put_digest(struct buf *out, enum digest_alg alg, struct slice of)
{
	struct digest d;

	if (digest_once(alg, of, &d, NULL) == ERR_OK)
		ber_put(out, BER_OCTET_STRING, digest_slice(&d));
	else
		out->failed = true;
}

/* requestExtensions [2] with the nonce, an OCTET STRING in an OCTET STRING (RFC 8954 2.1). */
static void
put_nonce(struct buf *out, struct slice nonce)
{
	AUTO(buf) struct buf inner = {0}, ext = {0}, one = {0}, list = {0};

	ber_put(&inner, BER_OCTET_STRING, nonce);
	ber_put_oid(&ext, OID_OCSP_NONCE);
	ber_put_buf(&ext, BER_OCTET_STRING, &inner);
	ber_put_buf(&one, BER_SEQUENCE, &ext);
	ber_put_buf(&list, BER_SEQUENCE, &one);
	ber_put_buf(out, BER_CTXC(2), &list);
}

enum err_code
ocsp_request(const struct cert *c, const struct cert *issuer, enum digest_alg certid, struct slice nonce, struct buf *out,
    struct err *e)
{
	AUTO(buf) struct buf id = {0}, seq = {0}, request = {0}, tbs = {0}, whole = {0};

	if (nonce.n > 128)
		return err_set(e, ERR_USAGE, "OCSP nonce of %zu octets, at most 128 (RFC 9654)", nonce.n);
	if (digest_row(certid) == NULL)
		certid = DIGEST_SHA1;
	ber_put_digest_alg(&id, certid);
	put_digest(&id, certid, c->issuer);
	put_digest(&id, certid, cert_priv(issuer)->key_octets);
	ber_put(&id, BER_INTEGER, c->serial);
	ber_put_buf(&seq, BER_SEQUENCE, &id);
	ber_put_buf(&request, BER_SEQUENCE, &seq);
	ber_put_buf(&tbs, BER_SEQUENCE, &request);
	if (nonce.n > 0)
		put_nonce(&tbs, nonce);
	ber_put_buf(&whole, BER_SEQUENCE, &tbs);
	ber_put_buf(out, BER_SEQUENCE, &whole);
	return buf_ok(out, e);
}
