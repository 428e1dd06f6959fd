/* SPDX-License-Identifier: MIT */
/* Certificates: anchors, who issued whom, and whether one is good at a time (docs/proof.md 3 and 5). */
#include "verify/pki_int.h"
#include "verify/proof/check_int.h"

#include <string.h>

bool
rule_anchor(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct err e = {0};

	f->anchor = anchors_find(k->c->anchors, l->object);
	if (f->anchor == NULL)
		return refuse(k, "no anchor has this certificate");
	if (pki_cert(k->c->pki, f->anchor->der, &f->cert, &e) != ERR_OK)
		return refuse(k, "the anchor can't be read");
	return pki_key_fault(f->cert) == NULL || refuse(k, "%s: %s", f->cert->subject_text, pki_key_fault(f->cert));
}

size_t
chain_of(struct proof_checker *k, size_t line, const struct cert *v[CHAIN_MAX], size_t lines[CHAIN_MAX])
{
	for (size_t n = 0; n < CHAIN_MAX; line = k->facts[line].above) {
		v[n] = k->facts[line].cert;
		lines[n++] = line;
		if (k->p->v[line].kind == PROOF_ANCHOR)
			return n;
	}
	refuse(k, "a chain of more than %d certificates", CHAIN_MAX);
	return 0;
}

/* RFC 5280 6.1.4 (k) to (n) for the issuer at i of a chain whose end is at 0. Of version 1 only an anchor can be one. */
static bool
may_issue(struct proof_checker *k, const struct cert *const *v, size_t i, bool anchor)
{
	size_t below = 0;

	if (!v[i]->is_ca && !(anchor && cert_priv(v[i])->version == 0 && pki_self_signed(v[i])))
		return refuse(k, "%s is no CA and issues nothing (RFC 5280 6.1.4 (k))", v[i]->subject_text);
	if (anchor && k->peer)
		return true;
	if (v[i]->has_key_usage && (v[i]->key_usage & KU_KEY_CERT_SIGN) == 0)
		return refuse(k, "%s may not sign certificates (RFC 5280 6.1.4 (n))", v[i]->subject_text);
	for (size_t j = 1; j < i; j++)
		below += !v[j]->self_issued;
	if (v[i]->path_len >= 0 && below > (size_t)v[i]->path_len)
		return refuse(k, "longer than %s allows (RFC 5280 6.1.4 (m))", v[i]->subject_text);
	return true;
}

bool
rule_issued(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	enum proof_kind kind = premise_is(k, PROOF_ANCHOR) ? PROOF_ANCHOR : PROOF_ISSUED;
	struct fact *by = premise(k, kind, NULL);
	const struct cert *v[CHAIN_MAX + 1];
	size_t lines[CHAIN_MAX], n;

	if (by == NULL)
		return false;
	f->above = (size_t)(by - k->facts);
	f->anchor = by->anchor;
	if (!pki_signed_by(k->c->pki, f->cert, by->cert))
		return refuse(k, "%s is not signed by %s", f->cert->subject_text, by->cert->subject_text);
	n = chain_of(k, f->above, v + 1, lines);
	if (n == 0 || n == CHAIN_MAX)
		return refuse(k, "a chain of more than %d certificates", CHAIN_MAX);
	v[0] = f->cert;
	for (size_t i = 1; i <= n; i++)
		if (!may_issue(k, v, i, i == n))
			return false;
	struct alg_use use = pki_cert_alg(f->cert, by->cert);
	use.usage = USE_CERTIFICATES;
	return same_time(k, exists_octets(k, l->object)) && same_alg(k, &use) && alg_at(k, &use, l->time, f->cert->subject_text);
}

/* ---- good at a time ---- */

/* The certificate being walked to, and what the walk has come to. */
struct walk {
	const struct proof_line *l; /* the good line */
	const struct cert *v[CHAIN_MAX];
	size_t lines[CHAIN_MAX], n;
	int64_t control; /* the control time */
};

static bool
needs_data(const struct walk *w, size_t i)
{
	const struct cert *d = w->v[i];

	if (!d->is_ca && (d->no_rev_avail || d->val_assured))
		return false; /* RFC 9608 4, EN 319 412-1 5.2 */
	return !(i == 0 && w->l->ctx == CTX_REVOCATION && d->ocsp_nocheck); /* RFC 6960 4.2.2.2.1 */
}

static bool
may_lack_data(const struct proof_checker *k, const struct walk *w, size_t i, const struct gravest *g)
{
	enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;
	enum check c = g->about > 0 ? CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND : CHECK_REVOCATION_DATA_AVAILABLE;

	return level_at(k, c, w->l->ctx, pos) != LEVEL_FAIL;
}

/* EN 319 102-1 5.2.5 and 5.5.4 step 7: what an answer knows reaches to its next update, or it is younger than t. */
static bool
fresh_enough(struct proof_checker *k, const struct walk *w, size_t i, const struct fact *a)
{
	enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;

	if (level_at(k, CHECK_REVOCATION_FRESHNESS, w->l->ctx, pos) != LEVEL_FAIL)
		return true;
	if (a->this_update >= w->l->time || (a->next_update != TIME_NONE && a->next_update > w->l->time))
		return true;
	return refuse(k, "%s: its revocation data was stale at that time", w->v[i]->subject_text);
}

/* The premise about v[i], if one is needed; *knows is its thisUpdate. */
static bool
take_data(struct proof_checker *k, const struct walk *w, size_t i, int64_t *knows)
{
	const struct proof_line *al;
	struct fact *a = premise(k, PROOF_ANSWERS, &al);

	if (k->facts[k->p->rests[al->first]].anchor != k->facts[w->lines[i]].anchor ||
	    k->facts[w->lines[i]].above != k->facts[k->p->rests[al->first]].above)
		return refuse(k, "revocation data of another certificate or chain than %s", w->v[i]->subject_text);
	if (al->role != w->l->role)
		return refuse(k, "revocation data that was judged for the other side");
	if (al->time > w->control)
		return refuse(k, "%s: no proof that its revocation data existed by the control time", w->v[i]->subject_text);
	if (i == 0 && al->time > a->signer->not_after && anchors_find(k->c->anchors, a->signer->sha256) == NULL &&
	    level_at(k, CHECK_REVOCATION_ISSUER_NOT_EXPIRED, w->l->ctx, POS_SIGNING) == LEVEL_FAIL)
		return refuse(k, "%s: no proof of its revocation data while their signer's certificate lasted", w->v[i]->subject_text);
	if (a->revoked_at <= w->l->time)
		return refuse(k, "%s was revoked or on hold by that time", w->v[i]->subject_text);
	*knows = a->own ? a->this_update : TIME_NONE;
	return fresh_enough(k, w, i, a);
}

static bool
step(struct proof_checker *k, struct walk *w, size_t i)
{
	const struct cert *d = w->v[i];
	int64_t t = w->l->time, knows = TIME_NONE;
	struct gravest g;

	if (k->p->v[w->lines[i]].time > w->control)
		return refuse(k, "%s: no proof that it existed by the control time", d->subject_text);
	if (needs_data(w, i)) {
		const struct proof_line *a = next_premise(k);
		bool next = a != NULL && a->kind == PROOF_ANSWERS && memcmp(a->by, d->sha256, 32) == 0;

		if (next && !take_data(k, w, i, &knows))
			return false;
		gravest_of(k, w->v, w->n, i, knows, &g);
		if (!next && !may_lack_data(k, w, i, &g))
			return refuse(k, "%s: no revocation data", d->subject_text);
		if (t >= g.revoked_at)
			return refuse(k, "%s was revoked or on hold by that time", d->subject_text);
		if (i > 0 && !k->peer && g.stolen_at < w->control)
			w->control = g.stolen_at;
	}
	if (w->l->ctx == CTX_REVOCATION || (i > 0 && level_at(k, CHECK_CA_VALIDITY, w->l->ctx, POS_CA) != LEVEL_FAIL))
		return true;
	return (t >= d->not_before && t <= d->not_after) || refuse(k, "%s was outside its validity at that time", d->subject_text);
}

/* What its end may do: id-kp-timeStamping, a key that may sign (RFC 3161 2.3, RFC 5280 4.2.1.3). */
static bool
may_serve(struct proof_checker *k, const struct proof_line *l, const struct cert *c)
{
	unsigned any = KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION;
	bool strict = level_at(k, CHECK_KEY_USAGE, l->ctx, POS_SIGNING) == LEVEL_FAIL || !k->peer;

	if (l->ctx == CTX_REVOCATION)
		return true;
	if (l->ctx == CTX_TIMESTAMP && (c->eku & EKU_TIMESTAMPING) == 0 && level_at(k, CHECK_TSA_EKU, l->ctx, POS_SIGNING) == LEVEL_FAIL)
		return refuse(k, "%s has no id-kp-timeStamping", c->subject_text);
	if (l->ctx != CTX_TIMESTAMP && strict && c->has_key_usage && (c->key_usage & any) == 0)
		return refuse(k, "%s: its key may not sign", c->subject_text);
	return true;
}

/* Name constraints of all above, the anchor's too (RFC 5937), and critical extensions; by the levels of the policy. */
static bool
path_holds(struct proof_checker *k, const struct walk *w)
{
	struct chain ch = {.n = w->n}; /* no anchor: its constraints count */

	memcpy(ch.v, w->v, w->n * sizeof(*ch.v));
	for (size_t i = 0; w->n > 1 && i < w->n; i++) {
		enum cert_position pos = i == 0 ? POS_SIGNING : POS_CA;
		unsigned faults = chain_faults(&ch, i);

		if ((faults & PATH_NAME_CONSTRAINTS) != 0 && level_at(k, CHECK_NAME_CONSTRAINTS, w->l->ctx, pos) == LEVEL_FAIL)
			return refuse(k, "outside the name constraints of %s", w->v[i]->subject_text);
		if ((faults & PATH_CRITICAL) != 0 && level_at(k, CHECK_UNKNOWN_CRITICAL_EXTENSION, w->l->ctx, pos) == LEVEL_FAIL)
			return refuse(k, "%s has a critical extension that is not known", w->v[i]->subject_text);
	}
	return true;
}

bool
rule_good(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct fact *of = premise(k, premise_is(k, PROOF_ANCHOR) ? PROOF_ANCHOR : PROOF_ISSUED, NULL);
	unsigned roles = l->role | (l->ctx == CTX_REVOCATION ? ROLE_OCSP : 0);
	struct walk w = {.l = l, .control = k->c->now_utc};

	if (of == NULL)
		return false;
	if (memcmp(of->cert->sha256, l->object, 32) != 0)
		return refuse(k, "the chain of another certificate");
	if ((l->role != ROLE_SIGNER && l->role != ROLE_TSA) || (of->anchor->roles & roles) == 0)
		return refuse(k, "the anchor has not this role");
	if ((l->ctx == CTX_TIMESTAMP && l->role != ROLE_TSA) || ((l->ctx == CTX_SIGNATURE || l->ctx == CTX_COUNTER) && l->role != ROLE_SIGNER))
		return refuse(k, "a role that is not that of its use");
	if ((w.n = chain_of(k, (size_t)(of - k->facts), w.v, w.lines)) == 0 || !path_holds(k, &w) || !may_serve(k, l, of->cert))
		return false;
	if (of->anchor->sunset_utc <= w.control)
		w.control = of->anchor->sunset_utc;
	if (w.n == 1 && l->time < of->cert->not_before)
		return refuse(k, "%s had not begun at that time", of->cert->subject_text);
	for (size_t i = w.n - 1; i-- > 0;)
		if (!step(k, &w, i))
			return false;
	if (l->time > w.control)
		return refuse(k, "later than the control time");
	f->cert = of->cert;
	f->anchor = of->anchor;
	return true;
}
