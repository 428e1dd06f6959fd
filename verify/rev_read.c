/* SPDX-License-Identifier: MIT */
/* What one CRL or OCSP response says of one certificate: read, not judged (RFC 5280 5, RFC 6960 4.2). */
#include "verify/pki_int.h"

#include <string.h>

static const struct rev_said NOTHING = {.revoked_at = TIME_NONE, .reason = -1, .next_update = TIME_NONE, .expired_from = TIME_MAX};

static void
take_status(const struct rev_answer *a, struct rev_said *s)
{
	s->status = a->problem != NULL ? REV_NONE : a->status;
	s->revoked_at = a->revoked_at;
	s->reason = a->reason;
	if (a->problem != NULL)
		s->unfit = a->problem;
}

static void
list_says(const struct rev_priv *r, const struct cert *c, struct rev_said *s)
{
	struct rev_answer a = {.reason = -1, .revoked_at = TIME_NONE};

	s->about = (r->issuer_hash == cert_priv(c)->issuer_hash && pki_name_eq(r->r.issuer, c->issuer)) ||
	    (r->r.indirect && crl_issuer_named(c, r->r.issuer));
	if (!s->about)
		return;
	s->other_point = r->idp_point.n > 0 && !crl_point_named(c, r->idp_point);
	s->this_update = s->produced_at = r->r.this_update;
	s->next_update = r->r.next_update;
	s->expired_from = r->r.expired_certs_on_crl == TIME_NONE ? TIME_MAX : r->r.expired_certs_on_crl;
	s->status = REV_GOOD;
	if (crl_lists(r, c, &a) && !(r->r.delta && a.reason == 8)) /* removeFromCRL belongs into delta lists (RFC 5280 5.3.1) */
		take_status(&a, s);
}

/* ---- OCSP ---- */

static bool
hashes_to(enum digest_alg alg, struct slice of, struct slice want)
{
	struct digest d;

	return alg != DIGEST_NONE && digest_once(alg, of, &d, NULL) == ERR_OK && slice_eq(digest_slice(&d), want);
}

/* Revoked, then what can't be read, then held; all else is no bad word. */
static unsigned
weight(const struct rev_said *s)
{
	return s->status == REV_REVOKED ? 3 : s->status == REV_NONE && s->about ? 2 : s->status == REV_HOLD ? 1 : 0;
}

/* One SingleResponse about c (RFC 6960 4.1.1: serial number, the issuer's name and its key); of several the gravest. */
static void
single_says(const struct rev_priv *r, const struct single *i, const struct cert *c, const struct cert *issuer, struct rev_said *s)
{
	struct rev_answer a = {.reason = -1, .revoked_at = TIME_NONE, .archive_cutoff = TIME_NONE};
	struct rev_said one = NOTHING;

	if (!slice_eq(i->serial, ber_int_canonical(c->serial)) || !hashes_to(i->alg, c->issuer, i->name_hash) ||
	    !hashes_to(i->alg, cert_priv(issuer)->key_octets, i->key_hash))
		return;
	one.about = true;
	one.this_update = i->this_update;
	one.next_update = i->next_update;
	if (!single_extensions(i, c, &a))
		one.unfit = "a critical extension that is not known (RFC 6960 4.4)";
	if (a.cert_hash_present && !a.cert_hash_match)
		one.unfit = "CertHash names another certificate";
	one.expired_from = a.cert_hash_match ? TIME_NONE : a.archive_cutoff == TIME_NONE ? TIME_MAX : a.archive_cutoff;
	single_status(r, i, &a);
	take_status(&a, &one);
	int worse = (int)weight(&one) - (int)weight(s);
	if (!s->about || worse > 0 || (worse == 0 && (one.status >= REV_REVOKED ? one.revoked_at < s->revoked_at : one.this_update > s->this_update)))
		*s = one;
}

static void
response_says(const struct rev_priv *r, const struct cert *c, const struct cert *issuer, struct rev_said *s)
{
	struct cur all = cur_from(r->singles);
	struct single one;
	struct ber b;

	while (!cur_at_end(&all) && ber_take(&all, BER_SEQUENCE, &b))
		if (single_read(b.body, &one))
			single_says(r, &one, c, issuer, s);
	s->produced_at = r->r.produced_at;
	if (r->critical_unknown || r->r.ocsp_status != 0)
		s->unfit = "a response that can't be processed (RFC 6960 4.4)";
}

void
rev_read(const struct revocation *r, const struct cert *c, const struct cert *issuer, struct rev_said *out)
{
	*out = NOTHING;
	if (r->kind == REV_CRL)
		list_says(rev_priv(r), c, out);
	else
		response_says(rev_priv(r), c, issuer, out);
}
