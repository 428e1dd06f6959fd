/* SPDX-License-Identifier: MIT */
/* Whom a CRL speaks of (RFC 5280 5.2 and 6.3.3 (b)): what it leaves out is good only in its scope, what it lists is revoked. */
#include "verify/pki_int.h"

static bool
general_names_meet(struct slice a, struct slice b)
{
	struct cur c = cur_from(a);
	struct ber one;

	while (!cur_at_end(&c) && ber_next(&c, &one))
		if (general_name_in(&one, b))
			return true;
	return false;
}

bool
crl_point_named(const struct cert *c, struct slice idp_point)
{
	struct cur top = cur_from(cert_priv(c)->crl_dp), points, point, in;
	struct cur mine = cur_from(idp_point);
	struct ber dp, theirs, name;

	if (!ber_next(&mine, &name))
		return false;
	for (ber_enter(&top, BER_SEQUENCE, &points); !points.failed && !cur_at_end(&points);) {
		if (!ber_enter(&points, BER_SEQUENCE, &point))
			return false;
		if (!ber_opt(&point, BER_CTXC(0), &dp))
			continue;
		in = cur_from(dp.body);
		if (!ber_next(&in, &theirs) || theirs.tag != name.tag)
			continue;
		if (name.tag == BER_CTXC(0) ? general_names_meet(name.body, theirs.body) : slice_eq(name.body, theirs.body))
			return true;
	}
	return false;
}

bool
crl_issuer_named(const struct cert *c, struct slice issuer)
{
	struct cur top = cur_from(cert_priv(c)->crl_dp), points, point;
	struct ber field;
	struct ber wanted = {.tag = BER_CTXC(4), .body = issuer};

	for (ber_enter(&top, BER_SEQUENCE, &points); !points.failed && !cur_at_end(&points);) {
		ber_enter(&points, BER_SEQUENCE, &point);
		ber_opt(&point, BER_CTXC(0), &field);
		ber_opt(&point, BER_CTX(1), &field);
		if (ber_opt(&point, BER_CTXC(2), &field) && general_name_in(&wanted, field.body))
			return true;
	}
	return false;
}

const char *
crl_scope_problem(const struct rev_priv *r, const struct cert *c, bool peer)
{
	if (r->r.indirect)
		return "indirect CRL: not supported (RFC 5280 5.2.5)";
	if (r->r.delta)
		return "delta CRL: not supported, it never stands for its base (RFC 5280 5.2.4)";
	if (r->r.partial)
		return "CRL for some reasons or for attribute certificates only: not supported (RFC 5280 5.2.5)";
	if (r->r.bad_idp)
		return "issuingDistributionPoint can't be read (RFC 5280 5.2.5)";
	if (r->r.unknown_critical)
		return "CRL with an unknown critical extension (RFC 5280 5.2)";
	if (r->r.only_user && c->is_ca)
		return "CRL for end entities only, asked about a CA (RFC 5280 6.3.3 (b)(2)(ii))";
	if (r->r.only_ca && !c->is_ca)
		return "CRL for CAs only, asked about an end entity (RFC 5280 6.3.3 (b)(2)(iii))";
	if (peer)
		return r->r.idp_critical && !r->r.idp_uri ? "issuingDistributionPoint without a URI" : NULL;
	if (r->idp_point.n > 0 && cert_priv(c)->crl_dp.n == 0)
		return "CRL of one distribution point, and the certificate names none (RFC 5280 6.3.3 (b)(2)(i))";
	if (r->idp_point.n > 0 && !crl_point_named(c, r->idp_point))
		return "CRL of another distribution point (RFC 5280 6.3.3 (b)(2)(i))";
	return NULL;
}

bool
crl_lists(const struct rev_priv *r, const struct cert *c, struct rev_answer *a)
{
	const struct crl_entry *entry = NULL;
	struct crl_entry room;

	if (r->r.only_attribute)
		return false;
	if (!r->r.indirect)
		entry = crl_find(r, ber_int_canonical(c->serial));
	else if (crl_find_indirect(r, c, &room))
		entry = &room;
	if (entry != NULL)
		crl_entry_read(r, entry, a);
	return entry != NULL;
}
