/* SPDX-License-Identifier: MIT */
/* Revocation data: what it says of a certificate, who may say it, and that nothing says worse (docs/proof.md 4). */
#include "verify/pki_int.h"
#include "verify/proof/check_int.h"

#include <string.h>

/* ---- who says it ---- */

/* NULL, or why what a list says can't clear c; it can revoke it all the same (RFC 5280 6.3.3 (b)). */
static const char *
list_unfit(const struct proof_checker *k, const struct revocation *r, const struct cert *c, const struct rev_said *s)
{
	if (s->unfit != NULL || r->kind == REV_OCSP)
		return s->unfit;
	if (r->delta || r->indirect || r->partial)
		return "a delta, indirect or partial list (RFC 5280 5.2.4, 5.2.5)";
	if (r->bad_idp || r->unknown_critical)
		return "an extension of the list can't be processed (RFC 5280 5.2)";
	if ((r->only_user && c->is_ca) || (r->only_ca && !c->is_ca))
		return "a list for the other kind of certificates (RFC 5280 6.3.3 (b)(2))";
	if (s->other_point && !k->peer)
		return "a list of another distribution point (RFC 5280 6.3.3 (b)(2)(i))";
	return NULL;
}

static bool
verified(struct proof_checker *k, const struct revocation *r, const struct cert *signer)
{
	const struct rev_priv *p = rev_priv(r);

	return pki_key_fault(signer) == NULL && pki_object_signed_by(k->c->pki, p->id, &p->scheme, p->tbs, p->signature, signer);
}

static bool
is_responder(const struct revocation *r, const struct cert *c)
{
	const struct rev_priv *p = rev_priv(r);

	if (r->kind == REV_CRL)
		return p->issuer_hash == cert_priv(c)->subject_hash && pki_name_eq(r->issuer, c->subject);
	if (p->responder_key.n > 0)
		return slice_eq(p->responder_key, slice_of(c->key_sha1, sizeof(c->key_sha1)));
	return pki_name_eq(c->subject, p->responder_name);
}

static bool
is_delegate(struct proof_checker *k, const struct cert *d, const struct cert *issuer)
{
	return (d->eku & EKU_OCSP_SIGNING) != 0 && pki_signed_by(k->c->pki, d, issuer);
}

/* An anchor answers for other CAs only where somebody said so: that role and no other, or id-kp-OCSPSigning beside it. */
static bool
is_anchored_responder(const struct proof_checker *k, const struct cert *d)
{
	const struct anchor *own = anchors_find(k->c->anchors, d->sha256);

	return own != NULL && (own->roles == ROLE_OCSP || ((own->roles & ROLE_OCSP) != 0 && !d->is_ca && (d->eku & EKU_OCSP_SIGNING) != 0));
}

/* The same CA under another key: certified by whoever certified the one, or by the one itself. */
static bool
same_parent(struct proof_checker *k, const struct cert *other, const struct cert *ca)
{
	bool same = pki_signed_by(k->c->pki, other, ca);

	for (size_t m = 0; m < k->all.n_certs && !same; m++)
		same = pki_signed_by(k->c->pki, ca, k->all.certs[m]) && pki_signed_by(k->c->pki, other, k->all.certs[m]);
	return same;
}

/* The CAs above whoever signed revocation data lasted when it was made: an ended CA's old key makes nobody that signs. */
static bool
cas_lasted(struct proof_checker *k, const struct proof_line *good, int64_t made)
{
	const struct cert *v[CHAIN_MAX];
	size_t lines[CHAIN_MAX], n = chain_of(k, k->p->rests[good->first], v, lines);

	if (level_at(k, CHECK_CA_VALIDITY, CTX_REVOCATION, POS_CA) != LEVEL_FAIL)
		return n > 0;
	for (size_t i = 1; i + 1 < n; i++)
		if (made < v[i]->not_before || made > v[i]->not_after)
			return refuse(k, "%s had ended when the revocation data was made", v[i]->subject_text);
	return n > 0;
}

/* May signer, who is not the issuer itself, speak of c? by: the good line's chain; ca_anchor: where c's own chain ends. */
static bool
entitled(struct proof_checker *k, const struct revocation *r, const struct cert *signer, const struct cert *issuer,
    const struct anchor *of_signer, const struct anchor *of_cert)
{
	if (r->kind == REV_CRL) {
		if (signer->has_key_usage && (signer->key_usage & KU_CRL_SIGN) == 0)
			return refuse(k, "%s may not sign lists (RFC 5280 6.3.3 (f))", signer->subject_text);
		return (signer->is_ca && of_signer == of_cert && same_parent(k, signer, issuer)) || refuse(k, "a list by another CA of that name (RFC 5280 6.3.3 (f))");
	}
	if (is_delegate(k, signer, issuer) || is_anchored_responder(k, signer))
		return true;
	/* a policy may waive that the issuer made the responder, or that it is called one; not both */
	return (level_at(k, CHECK_OCSP_DELEGATE_EKU, CTX_REVOCATION, POS_SIGNING) != LEVEL_FAIL &&
		   ((signer->eku & EKU_OCSP_SIGNING) != 0 || pki_signed_by(k->c->pki, signer, issuer))) ||
	    refuse(k, "%s was not made a responder by the issuer (RFC 6960 4.2.2.2)", signer->subject_text);
}

/* Times and states that an answer must have to be relied on. */
static bool
answer_fits(struct proof_checker *k, const struct revocation *r, const struct rev_said *s, const struct cert *c, const struct cert *signer)
{
	const char *unfit = s->about ? list_unfit(k, r, c, s) : "revocation data about another certificate";

	if (unfit != NULL)
		return refuse(k, "%s", unfit);
	if (s->status != REV_GOOD && s->status != REV_REVOKED && s->status != REV_HOLD)
		return refuse(k, "status unknown (RFC 6960 2.2)");
	if (s->this_update == TIME_NONE || (!k->peer && s->this_update > k->c->now_utc))
		return refuse(k, "revocation data of after the validation time");
	if (s->this_update < c->not_before)
		return refuse(k, "revocation data of before the certificate began");
	if (c->not_after < s->this_update && s->expired_from > c->not_after)
		return refuse(k, "revocation data of after the certificate's end that does not know ended ones");
	if (s->produced_at < signer->not_before || s->produced_at > signer->not_after)
		return refuse(k, "revocation data made outside its signer's validity");
	return true;
}

bool
rule_answers(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct fact *of = premise(k, PROOF_ISSUED, NULL), *by = NULL;
	const struct proof_line *gl = NULL;
	const struct cert *issuer;
	struct rev_said s;

	if (of == NULL)
		return false;
	f->cert = of->cert;
	issuer = k->facts[of->above].cert;
	for (size_t i = 0; i < k->all.n_revs && f->rev == NULL; i++)
		if (memcmp(k->all.revs[i]->sha256, l->object, 32) == 0)
			f->rev = k->all.revs[i];
	if (f->rev == NULL || memcmp(f->cert->sha256, l->by, 32) != 0)
		return refuse(k, "revocation data that is not of the case, or of another certificate");
	if (premise_is(k, PROOF_GOOD) && (by = premise(k, PROOF_GOOD, &gl)) == NULL)
		return false;
	f->signer = by != NULL ? by->cert : issuer;
	rev_read(f->rev, f->cert, issuer, &s);
	if (!answer_fits(k, f->rev, &s, f->cert, f->signer))
		return false;
	if (!is_responder(f->rev, f->signer) || !verified(k, f->rev, f->signer))
		return refuse(k, "revocation data that %s did not sign", f->signer->subject_text);
	if (f->rev->kind == REV_CRL && issuer == f->signer && issuer->has_key_usage && (issuer->key_usage & KU_CRL_SIGN) == 0)
		return refuse(k, "%s may not sign lists (RFC 5280 6.3.3 (f))", issuer->subject_text);
	if (f->rev->kind == REV_OCSP && (f->signer == f->cert || (!k->peer && cert_same_authority(f->signer, f->cert))))
		return refuse(k, "the responder speaks of itself");
	if (by != NULL && (!entitled(k, f->rev, f->signer, issuer, by->anchor, of->anchor) || !cas_lasted(k, gl, s.produced_at)))
		return false;
	f->this_update = s.this_update;
	f->next_update = s.next_update;
	f->revoked_at = s.status == REV_GOOD ? TIME_MAX : s.revoked_at;
	f->own = by == NULL || (f->rev->kind == REV_OCSP && is_delegate(k, f->signer, issuer));
	struct alg_use use = sig_use(&rev_priv(f->rev)->scheme, USE_OCSP);
	use.key_bits = f->signer->own_key.key_bits;
	use.q_bits = f->signer->own_key.q_bits;
	if (!same_time(k, exists_octets(k, l->object)) || !same_alg(k, &use) || !alg_at(k, &use, l->time, "revocation data"))
		return false;
	if (by != NULL && (gl->ctx != CTX_REVOCATION || gl->role != l->role || gl->time != l->time))
		return refuse(k, "the signer of revocation data was not judged for it, or not at the time that it is proven");
	return true;
}

/* ---- nothing graver ---- */

/* May d, whose key made r, say that what issuer issued is revoked? Nobody may clear who may not revoke. */
static bool
may_revoke(struct proof_checker *k, const struct revocation *r, const struct cert *d, const struct cert *const *chain, size_t n, size_t i)
{
	const struct cert *issuer = chain[i + 1];
	bool may = d == issuer;

	if (!is_responder(r, d) || r->produced_at < d->not_before || r->produced_at > d->not_after)
		return false;
	if (r->kind == REV_OCSP)
		return may || is_delegate(k, d, issuer) || is_anchored_responder(k, d);
	for (size_t j = i + 1; !may && !k->peer && j < n; j++) /* the peer hears of namesakes nothing */
		may = d == chain[j] || pki_signed_by(k->c->pki, d, chain[j]);
	return may && (!d->has_key_usage || (d->key_usage & KU_CRL_SIGN) != 0);
}

/* Did anybody sign r who may revoke? Keys are tried last: they are dear, and counted. */
static bool
is_heard(struct proof_checker *k, const struct revocation *r, const struct cert *const *chain, size_t n, size_t i)
{
	if (may_revoke(k, r, chain[i + 1], chain, n, i) && verified(k, r, chain[i + 1]))
		return true;
	for (size_t m = 0; m < r->n_certs + k->all.n_certs; m++) {
		const struct cert *d = m < r->n_certs ? r->certs[m] : k->all.certs[m - r->n_certs];

		if (d != chain[i + 1] && may_revoke(k, r, d, chain, n, i) && verified(k, r, d))
			return true;
	}
	return false;
}

/* One object's word about chain[i] into out, if it is a bad one, heard, and of now or before. */
static void
weigh(struct proof_checker *k, const struct revocation *r, const struct cert *const *chain, size_t n, size_t i, int64_t knows, struct gravest *out)
{
	struct rev_said s;

	rev_read(r, chain[i], chain[i + 1], &s);
	out->about += s.about;
	if (!s.about || s.status == REV_GOOD || s.status == REV_UNKNOWN || (!k->peer && s.this_update > k->c->now_utc))
		return;
	if (s.status == REV_HOLD && knows != TIME_NONE && s.this_update < knows)
		return; /* released since */
	/* what can't be read may say anything */
	int64_t at = s.status == REV_NONE || s.revoked_at == TIME_NONE ? INT64_MIN : s.revoked_at;
	bool benign = s.reason == 3 || s.reason == 4 || s.reason == 5; /* affiliation, superseded, cessation (RFC 5280 5.3.1) */
	if (at > k->c->now_utc || (at >= out->revoked_at && (benign || at >= out->stolen_at)) || !is_heard(k, r, chain, n, i))
		return;
	out->revoked_at = at < out->revoked_at ? at : out->revoked_at;
	if (!benign && at < out->stolen_at)
		out->stolen_at = at;
}

/* A key that was stolen under one certificate is stolen under all: those of chain[i]'s name and key that its chain issued, too. */
static void
weigh_twins(struct proof_checker *k, const struct cert *const *chain, size_t n, size_t i, struct gravest *out)
{
	for (size_t m = 0; m < k->all.n_certs; m++) {
		const struct cert *twin = k->all.certs[m];
		struct gravest g = {.revoked_at = TIME_MAX, .stolen_at = TIME_MAX};

		if (twin == chain[i] || !cert_same_authority(twin, chain[i]))
			continue;
		for (size_t j = i + 1; j < n; j++) {
			const struct cert *own[] = {twin, chain[j]};

			if (!pki_signed_by(k->c->pki, twin, chain[j]))
				continue;
			for (size_t r = 0; r < k->all.n_revs; r++)
				weigh(k, k->all.revs[r], own, 2, 0, TIME_NONE, &g);
		}
		if (g.stolen_at < out->stolen_at)
			out->stolen_at = g.stolen_at;
	}
	if (out->stolen_at < out->revoked_at)
		out->revoked_at = out->stolen_at;
}

void
gravest_of(struct proof_checker *k, const struct cert *const *chain, size_t n, size_t i, int64_t knows, struct gravest *out)
{
	*out = (struct gravest){.revoked_at = TIME_MAX, .stolen_at = TIME_MAX};
	for (size_t m = 0; m < k->all.n_revs; m++)
		weigh(k, k->all.revs[m], chain, n, i, knows, out);
	if (!k->peer)
		weigh_twins(k, chain, n, i, out);
}
