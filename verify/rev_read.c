/* SPDX-License-Identifier: MIT */
/* What one CRL or OCSP response says of one certificate: read, not judged (RFC 5280 5, RFC 6960 4.2). */
#include "verify/pki_int.h"

#include <string.h>


/* ---- CRL ---- */

static bool
names_meet(struct slice a, struct slice b)
{
	struct cur c = cur_from(a);
	struct ber one;

	while (!cur_at_end(&c) && ber_next(&c, &one))
		if (general_name_in(&one, b))
			return true;
	return false;
}

/* RFC 5280 6.3.3 (b)(2)(i): a list for one distribution point speaks of the certificates that name it. */
static bool
point_of(const struct cert *c, struct slice idp)
{
	struct cur top = cur_from(cert_priv(c)->crl_dp), points, point, own = cur_from(idp), in;
	struct ber field, theirs, mine;

	if (!ber_next(&own, &mine) || !ber_enter(&top, BER_SEQUENCE, &points))
		return false;
	while (!cur_at_end(&points) && ber_enter(&points, BER_SEQUENCE, &point)) {
		if (!ber_opt(&point, BER_CTXC(0), &field))
			continue;
		in = cur_from(field.body);
		if (!ber_next(&in, &theirs) || theirs.tag != mine.tag)
			continue;
		if (mine.tag == BER_CTXC(0) ? names_meet(mine.body, theirs.body) : slice_eq(mine.body, theirs.body))
			return true;
	}
	return false;
}

static void
list_says(const struct rev_priv *r, const struct cert *c, struct rev_said *s)
{
	const struct crl_entry *entry;
	struct rev_answer a = {.reason = -1, .revoked_at = TIME_NONE};

	s->about = r->issuer_hash == cert_priv(c)->issuer_hash && pki_name_eq(r->r.issuer, c->issuer);
	if (!s->about)
		return;
	s->other_point = r->idp_point.n > 0 && !point_of(c, r->idp_point);
	s->this_update = s->produced_at = r->r.this_update;
	s->next_update = r->r.next_update;
	s->expired_from = r->r.expired_certs_on_crl == TIME_NONE ? TIME_MAX : r->r.expired_certs_on_crl;
	s->status = REV_GOOD;
	if ((entry = crl_find(r, ber_int_canonical(c->serial))) == NULL)
		return;
	crl_entry_read(r, entry, &a);
	s->status = a.problem != NULL ? REV_NONE : a.status;
	s->revoked_at = a.revoked_at;
	s->reason = a.reason;
	if (a.problem != NULL)
		s->unfit = a.problem;
}

/* ---- OCSP ---- */

static bool
digest_is(enum digest_alg alg, struct slice of, struct slice want)
{
	struct digest d;

	return alg != DIGEST_NONE && digest_once(alg, of, &d, NULL) == ERR_OK && slice_eq(digest_slice(&d), want);
}

/* RFC 6960 4.1.1: serial number, the issuer's name and its key. */
static bool
names_cert(struct cur *id, const struct cert *c, const struct cert *issuer)
{
	struct ber alg, name, key, serial;
	enum digest_alg d;

	ber_take(id, BER_SEQUENCE, &alg);
	ber_take(id, BER_OCTET_STRING, &name);
	ber_take(id, BER_OCTET_STRING, &key);
	if (!ber_take(id, BER_INTEGER, &serial) || !slice_eq(ber_int_canonical(serial.body), ber_int_canonical(c->serial)))
		return false;
	d = ber_digest_alg(alg.body);
	return digest_is(d, c->issuer, name.body) && digest_is(d, cert_priv(issuer)->key_octets, key.body);
}

struct single_said {
	struct rev_said *s;
	const struct cert *c;
};

static bool
single_extension(void *ctx, const struct extension *x)
{
	struct single_said *f = ctx;
	struct cur c = cur_from(x->value), seq;
	struct ber v, hash;

	if (strcmp(x->oid, "1.3.6.1.5.5.7.48.1.6") == 0) { /* archiveCutoff */
		if (ber_take(&c, BER_GENERALIZED_TIME, &v))
			f->s->expired_from = ber_time(v.tag, v.body, NULL, NULL);
		if (f->s->expired_from == TIME_NONE)
			f->s->expired_from = TIME_MAX;
	} else if (strcmp(x->oid, "1.3.36.8.3.13") == 0) { /* CertHash: it knows this very certificate */
		ber_enter(&c, BER_SEQUENCE, &seq);
		ber_take(&seq, BER_SEQUENCE, &v);
		if (ber_take(&seq, BER_OCTET_STRING, &hash) && digest_is(ber_digest_alg(v.body), f->c->der, hash.body))
			f->s->expired_from = TIME_NONE; /* earlier than any */
		else
			f->s->unfit = "CertHash names another certificate";
	} else if (x->critical && strcmp(x->oid, "1.3.6.1.5.5.7.48.1.3") != 0 && strcmp(x->oid, "1.3.6.1.5.5.7.48.1.2") != 0) {
		f->s->unfit = "a critical extension that is not known (RFC 6960 4.4)";
	}
	return true;
}

static void
status_says(const struct ber *status, struct rev_said *s)
{
	struct cur c = cur_from(status->body), in;
	struct ber v;
	int64_t n;

	s->status = status->tag == BER_CTX(0) ? REV_GOOD : status->tag == BER_CTXC(1) ? REV_REVOKED : REV_UNKNOWN;
	if (s->status != REV_REVOKED)
		return;
	ber_take(&c, BER_GENERALIZED_TIME, &v);
	s->revoked_at = c.failed ? TIME_NONE : ber_time(v.tag, v.body, NULL, NULL);
	if (ber_opt(&c, BER_CTXC(0), &v)) {
		in = cur_from(v.body);
		if (ber_take(&in, BER_ENUMERATED, &v) && ber_int64(v.body, &n) && n >= 0 && n <= 10)
			s->reason = (int)n;
	}
	if (s->reason == 6 && s->revoked_at != 0)
		s->status = REV_HOLD;
}

/* One SingleResponse into what the response says: of several about one certificate the gravest. */
static void
single_says(struct slice body, const struct cert *c, const struct cert *issuer, struct rev_said *s)
{
	struct rev_said one = {.about = true, .revoked_at = TIME_NONE, .reason = -1, .next_update = TIME_NONE, .expired_from = TIME_MAX};
	struct single_said f = {.s = &one, .c = c};
	struct cur top = cur_from(body), id, in;
	struct ber status, when, v;

	ber_enter(&top, BER_SEQUENCE, &id);
	if (!names_cert(&id, c, issuer))
		return;
	if (!ber_next(&top, &status) || !ber_take(&top, BER_GENERALIZED_TIME, &when))
		one.unfit = "a SingleResponse that can't be read";
	else
		status_says(&status, &one);
	one.this_update = top.failed ? TIME_NONE : ber_time(when.tag, when.body, NULL, NULL);
	if (ber_opt(&top, BER_CTXC(0), &v)) {
		in = cur_from(v.body);
		one.next_update = ber_take(&in, BER_GENERALIZED_TIME, &when) ? ber_time(when.tag, when.body, NULL, NULL) : TIME_NONE;
	}
	if (ber_opt(&top, BER_CTXC(1), &v)) {
		in = cur_from(v.body);
		if (!ber_take(&in, BER_SEQUENCE, &v) || !extensions_walk(v.body, single_extension, &f))
			one.unfit = "extensions that can't be read";
	}
	if (one.this_update == TIME_NONE)
		one.unfit = "thisUpdate can't be read";
	bool grave = one.status >= REV_REVOKED, before = s->about && s->status >= REV_REVOKED;
	if (!s->about || (grave && (!before || one.revoked_at < s->revoked_at)) || (!grave && !before && one.this_update > s->this_update))
		*s = one;
}

static void
response_says(const struct rev_priv *r, const struct cert *c, const struct cert *issuer, struct rev_said *s)
{
	struct cur all = cur_from(r->singles);
	struct ber b;

	while (!cur_at_end(&all) && ber_take(&all, BER_SEQUENCE, &b))
		single_says(b.body, c, issuer, s);
	s->produced_at = r->r.produced_at;
	if (r->critical_unknown || r->r.ocsp_status != 0)
		s->unfit = "a response that can't be processed (RFC 6960 4.4)";
}

void
rev_read(const struct revocation *r, const struct cert *c, const struct cert *issuer, struct rev_said *out)
{
	*out = (struct rev_said){.revoked_at = TIME_NONE, .reason = -1, .next_update = TIME_NONE, .expired_from = TIME_MAX};
	if (r->kind == REV_CRL)
		list_says(rev_priv(r), c, out);
	else
		response_says(rev_priv(r), c, issuer, out);
}
