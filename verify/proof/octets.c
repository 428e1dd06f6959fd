/* SPDX-License-Identifier: MIT */
/* Octets and time: what is signed, what a stamp covers, and since when it exists (docs/proof.md 2 and 7 to 9). */
#include "verify/pki_int.h"
#include "verify/proof/check_int.h"

#include <string.h>

static struct xsig *
sig_of(const struct proof_checker *k, const struct proof_line *l)
{
	return &k->c->doc->sigs[l->sig]; /* places_exist has looked */
}

static enum check_context
ctx_of(const struct xsig *s)
{
	return s->parent >= 0 ? CTX_COUNTER : CTX_SIGNATURE;
}

static struct alg_use
digest_use(enum digest_alg alg, enum alg_usage usage)
{
	return (struct alg_use){.digest = alg, .usage = usage};
}

/* A digest is relied on: good at t, like a signature. */
static bool
digest_at(struct proof_checker *k, enum digest_alg alg, enum alg_usage usage, int64_t t, const char *what)
{
	struct alg_use use = digest_use(alg, usage);

	return alg_at(k, &use, t, what);
}

/* ---- what is signed ---- */

/* Only a computed and equal digest counts; its cover is what the line shows. */
static bool
take_cover(struct proof_checker *k, enum err_code rc, const struct covered *got, const char *what, enum alg_usage usage, struct fact *f)
{
	struct alg_use use = digest_use(got->alg, usage);

	if (rc != ERR_OK || got->intact != TRI_TRUE)
		return refuse(k, "%s: %s", what, rc == ERR_OK && got->intact == TRI_FALSE ? "its digest differs" : got->note != NULL ? got->note : "not checked");
	f->cover = got->cover;
	f->digest = got->alg;
	return same_alg(k, &use);
}

bool
rule_reference(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct xsig *s = sig_of(k, l);
	struct cover all;
	const struct xref *x = l->entry == PROOF_NO_ENTRY ? &s->refs[l->at] : &s->refs[l->at].entries[l->entry];
	const struct proof_line *ml;
	struct covered got = {0};
	struct err e = {0};

	if (!take_cover(k, cover_reference(k->c->doc, s, x, &got, &e), &got, "reference", USE_DATA, f))
		return false;
	if (l->entry == PROOF_NO_ENTRY)
		return true;
	if (premise(k, PROOF_REFERENCE, &ml) == NULL)
		return false;
	/* whole in what the signature's references cover together */
	return (ml->sig == l->sig && ml->at == l->at && ml->entry == PROOF_NO_ENTRY && cover_signature(k->c->doc, s, &all, &e) == ERR_OK &&
		   cover_holds(&all, x->node)) ||
	    refuse(k, "an entry of a Manifest that no reference covers");
}

bool
rule_holds(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct proof_line *rl;
	struct fact *r = premise(k, PROOF_REFERENCE, &rl);
	const struct xsig *s = sig_of(k, l);

	if (r == NULL)
		return false;
	f->digest = r->digest;
	return (rl->sig == l->sig && rl->entry == PROOF_NO_ENTRY && s->signed_props != NULL && cover_holds(&r->cover, s->signed_props)) ||
	    refuse(k, "no reference covers the SignedProperties whole");
}

/* The use of the signature method, with the size of the key that verifies it. */
static struct alg_use
method_of(const struct xsig *s, const struct cert *c)
{
	struct alg_use use = s->method;

	if (use.key_bits == 0) {
		use.key_bits = c->own_key.key_bits;
		use.q_bits = c->own_key.q_bits;
	}
	return use;
}

bool
rule_signed(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct xsig *s = sig_of(k, l);
	struct alg_use use = method_of(s, f->cert);
	EVP_PKEY *key = pki_key(f->cert);
	enum tri ok = TRI_UNKNOWN;
	struct err e = {0};

	if (key == NULL || sig_check_value(k->c->doc, s, key, &ok, &e) != ERR_OK || ok != TRI_TRUE)
		return refuse(k, "SignatureValue is not verified with the key of %s", f->cert->subject_text);
	return same_alg(k, &use);
}

/* A digest that was computed is the one that is wanted. */
static bool
digest_is(const struct digest *want, struct slice octets)
{
	struct digest d;

	return want->alg != DIGEST_NONE && want->n > 0 && digest_once(want->alg, octets, &d, NULL) == ERR_OK && digest_eq(&d, want);
}

bool
rule_signer(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct xsig *s = sig_of(k, l);
	bool named = !k->peer && s->n_cert_ids > 0; /* the peer passes over a digest that it can't read */
	const struct proof_line *hl;

	for (size_t i = 0; i < s->n_cert_ids; i++)
		named = named || (s->cert_ids[i].digest.alg != DIGEST_NONE && s->cert_ids[i].digest.n > 0);
	if (!premise_is(k, PROOF_HOLDS))
		return level_at(k, named ? CHECK_CERT_DIGEST_MATCH : CHECK_SIGNING_CERTIFICATE_PRESENT, ctx_of(s), POS_SIGNING) != LEVEL_FAIL ||
		    refuse(k, "no signed property names the signing certificate");
	struct fact *holds = premise(k, PROOF_HOLDS, &hl);
	if (holds == NULL || hl->sig != l->sig)
		return refuse(k, "the SignedProperties of another signature");
	f->held = holds->digest;
	f->digest = l->alg.digest;
	struct alg_use use = digest_use(f->digest, USE_DATA);
	for (size_t i = 0; i < s->n_cert_ids; i++)
		if (s->cert_ids[i].digest.alg == f->digest && digest_is(&s->cert_ids[i].digest, f->cert->der))
			return same_alg(k, &use);
	return refuse(k, "no CertDigest of that algorithm names %s", f->cert->subject_text);
}

/* ---- time-stamps ---- */

bool
rule_imprint(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct xsig *s = sig_of(k, l);
	struct covered got = {0};
	struct err e = {0};

	return take_cover(k, cover_imprint(k->c->doc, s, &s->stamps[l->at], &f->token->imprint, &got, &e), &got, "imprint", USE_TIMESTAMPS, f);
}

/* RFC 3161 2.4.2, RFC 5816 2.2.1, RFC 5652 5.4: everything of the token but whom to trust. existed: E(T). */
static bool
token_holds(struct proof_checker *k, const struct token *t, const struct cert *c, int64_t existed, struct token_signer *got)
{
	bool named = level_at(k, CHECK_CERT_DIGEST_MATCH, CTX_TIMESTAMP, POS_SIGNING) == LEVEL_FAIL;
	bool ess = level_at(k, CHECK_CERT_DIGEST_ALGORITHM, CTX_TIMESTAMP, POS_SIGNING) == LEVEL_FAIL;
	const struct anchor *a = anchors_find(k->c->anchors, c->sha256);
	struct alg_use use;

	if (!token_signed_by(k->c->pki, t, c, got))
		return refuse(k, "the token is not signed by %s, or its content was altered", c->subject_text);
	if (named && !got->ess_match)
		return refuse(k, "ESSCertID does not name %s (RFC 5816 2.2.1)", c->subject_text);
	if (!k->peer && (t->unknown_critical || t->time_not_utc))
		return refuse(k, "not in the form of RFC 3161 2.4.2");
	if (t->gen_time > k->c->now_utc || t->gen_time > existed)
		return refuse(k, "genTime is after the time that the token is proven for");
	if (!k->peer && !(a != NULL && (a->roles & ROLE_TSA) != 0) && (t->gen_time < c->not_before || t->gen_time > c->not_after))
		return refuse(k, "genTime is outside the validity of %s", c->subject_text);
	use = got->signed_with;
	use.usage = USE_TIMESTAMPS;
	return same_alg(k, &use) && alg_at(k, &use, existed, "token") &&
	    (got->message_digest == DIGEST_NONE || digest_at(k, got->message_digest, USE_TIMESTAMPS, existed, "token")) &&
	    (!ess || !got->ess_match || digest_at(k, got->ess_digest, USE_TIMESTAMPS, existed, "ESSCertID"));
}

bool
rule_stamp(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct proof_line *il, *gl;
	struct token_signer got = {0};
	struct fact *im = NULL, *good;

	if (k->c->doc != NULL && (im = premise(k, PROOF_IMPRINT, &il)) == NULL)
		return false;
	if (im != NULL && (il->sig != l->sig || il->at != l->at))
		return refuse(k, "the imprint of another time-stamp");
	int64_t existed = exists_octets(k, f->token->sha256);
	if ((good = premise(k, PROOF_GOOD, &gl)) == NULL)
		return false;
	if (gl->ctx != CTX_TIMESTAMP || gl->time != existed)
		return refuse(k, "its TSA was not judged as one, or not at the time that the token is proven");
	if (!same_time(k, f->token->gen_time) || !token_holds(k, f->token, good->cert, existed, &got))
		return false;
	if (im == NULL)
		return true;
	f->cover = im->cover;
	return digest_at(k, im->digest, USE_TIMESTAMPS, existed, "imprint");
}

/* ---- existence ---- */

static bool
in_list(const struct cert *const *v, size_t n, const uint8_t sha256[32])
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(v[i]->sha256, sha256, 32) == 0)
			return true;
	return false;
}

static bool
in_token(const struct token *t, const uint8_t sha256[32])
{
	bool in = in_list(t->certs, t->n_certs, sha256);

	for (size_t i = 0; i < t->n_revs && !in; i++)
		in = memcmp(t->revs[i]->sha256, sha256, 32) == 0 || in_list(t->revs[i]->certs, t->revs[i]->n_certs, sha256);
	return in;
}

/* The octets of a certificate or an answer of the case; empty: none has that digest. */
static struct slice
octets_of(const struct proof_checker *k, const uint8_t sha256[32])
{
	const struct cert *c = pki_find(k->c->pki, OBJ_CERT, sha256);
	struct slice none = {0};

	for (size_t i = 0; c == NULL && i < k->all.n_revs; i++)
		if (memcmp(k->all.revs[i]->sha256, sha256, 32) == 0)
			return k->all.revs[i]->der;
	return c != NULL ? c->der : none;
}

/* The node in which the object stands as the line says; NULL: it does not stand there. */
static const xmlNode *
place_node(struct proof_checker *k, const struct proof_line *l)
{
	const struct xsig *s = sig_of(k, l);
	const struct embedded *m = NULL;
	const struct revocation *r = NULL;
	const struct token *t = NULL;
	struct err e = {0};
	uint8_t own[32];

	switch (l->place) {
	case PLACE_VALUE:
		return s->signature_value;
	case PLACE_TOKEN:
	case PLACE_IN_TOKEN:
		if (pki_token(k->c->pki, s->stamps[l->at].token, &t, &e) != ERR_OK)
			return NULL;
		return (l->place == PLACE_TOKEN ? memcmp(t->sha256, l->object, 32) == 0 : in_token(t, l->object)) ? s->stamps[l->at].token_node : NULL;
	case PLACE_EMBEDDED: /* a bare BasicOCSPResponse is named by its wrapped form */
	case PLACE_IN_RESPONSE:
		m = &s->embedded[l->at];
		if (m->kind == EMB_OCSP && pki_ocsp(k->c->pki, m->der, &r, &e) != ERR_OK)
			return NULL;
		if (l->place == PLACE_IN_RESPONSE)
			return r != NULL && in_list(r->certs, r->n_certs, l->object) ? m->node : NULL;
		if (r != NULL)
			memcpy(own, r->sha256, 32);
		return (r != NULL || digest_sha256(m->der, own, &e) == ERR_OK) && memcmp(own, l->object, 32) == 0 ? m->node : NULL;
	case PLACE_REF: /* it names octets by a digest; whether that is good then rule_exists asks */
		return digest_is(&s->ref_objects[l->at].digest, octets_of(k, l->object)) ? s->ref_objects[l->at].node : NULL;
	default:
		return NULL;
	}
}

/* A proof from outside: of this object, or of the whole file, in which it stands. */
static bool
from_outside(struct proof_checker *k, const struct proof_line *l)
{
	uint8_t wanted[32];
	struct err e = {0};

	memcpy(wanted, l->object, 32);
	if (l->place != PLACE_OUTSIDE && (place_node(k, l) == NULL || digest_sha256(k->c->octets, wanted, &e) != ERR_OK))
		return refuse(k, "the object does not stand there");
	for (size_t i = 0; i < k->c->n_poes; i++)
		if (k->c->poes[i].time_utc == l->time && memcmp(k->c->poes[i].sha256, wanted, 32) == 0)
			return true;
	return refuse(k, "nothing proves that it existed");
}

/*
 * Through a signature: its value stands in the stamp's cover, is verified with the key of a certificate that its own properties
 * name (else a key could be made that fits an old value to a new text), by algorithms good at t. *cover becomes the reference's.
 */
static bool
through_signature(struct proof_checker *k, const struct proof_line *l, const struct cover **cover)
{
	const struct proof_line *sl, *nl, *rl;
	struct fact *sg = premise(k, PROOF_SIGNED, &sl), *name, *via;
	bool relied = level_at(k, CHECK_CERT_DIGEST_ALGORITHM, CTX_SIGNATURE, POS_SIGNING) == LEVEL_FAIL;

	if (sg == NULL || (name = premise(k, PROOF_SIGNER, &nl)) == NULL)
		return false;
	if (sl->sig != l->sig || nl->sig != l->sig || !cover_holds(*cover, sig_of(k, l)->signature_value))
		return refuse(k, "the stamp does not cover the signature");
	if (nl->n == 0 || name->cert != sg->cert)
		return refuse(k, "the signature does not name the certificate whose key verifies it");
	if (!alg_at(k, &sl->alg, l->time, "SignatureValue") || !digest_at(k, name->held, USE_DATA, l->time, "reference") ||
	    (relied && !digest_at(k, name->digest, USE_DATA, l->time, "CertDigest")))
		return false;
	if (l->place == PLACE_SIGNER)
		return name->cert == pki_find(k->c->pki, OBJ_CERT, l->object) || refuse(k, "the signature names another certificate");
	if ((via = premise(k, PROOF_REFERENCE, &rl)) == NULL || rl->sig != l->sig || rl->entry != PROOF_NO_ENTRY)
		return refuse(k, "a reference of another signature");
	*cover = &via->cover;
	return digest_at(k, via->digest, USE_DATA, l->time, "reference");
}

bool
rule_exists(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct proof_line *tl = NULL;
	struct fact *stamp = premise_is(k, PROOF_STAMP) ? premise(k, PROOF_STAMP, &tl) : NULL;

	(void)f;
	if (l->place == PLACE_REF && !digest_at(k, sig_of(k, l)->ref_objects[l->at].digest.alg, USE_DATA, l->time, "reference"))
		return false;
	if (stamp == NULL)
		return from_outside(k, l);
	const struct cover *cover = &stamp->cover;
	if (!same_time(k, tl->time) || (premise_is(k, PROOF_SIGNED) && !through_signature(k, l, &cover)))
		return false;
	const xmlNode *node = l->place == PLACE_SIGNER ? NULL : place_node(k, l);
	return (l->place == PLACE_SIGNER && l->n > 1) || (node != NULL && cover_holds(cover, node)) || refuse(k, "the stamp does not cover it");
}

/* ---- passed ---- */

/* One reference of l's signature; *master: one covers the SignatureValue that it countersigns. */
static bool
take_reference(struct proof_checker *k, const struct proof_line *l, size_t i, size_t entry, bool *master)
{
	const struct xsig *s = sig_of(k, l);
	const xmlNode *value = s->parent >= 0 ? k->c->doc->sigs[s->parent].signature_value : NULL;
	const struct proof_line *rl;
	struct fact *r = premise(k, PROOF_REFERENCE, &rl);

	if (r == NULL)
		return false;
	if (rl->sig != l->sig || rl->at != i || rl->entry != entry)
		return refuse(k, "the references are not taken one by one");
	/* the peer does not mind what stands between a reference and the value that it leads to */
	*master = *master || (value != NULL && (cover_holds(&r->cover, value) || (k->peer && s->refs[i].target == value)));
	return digest_at(k, r->digest, USE_DATA, l->time, "reference");
}

/* The data of an entry may be missing where the policy lets it; altered is never. */
static bool
may_miss(const struct proof_checker *k, const struct xsig *s, size_t i, size_t entry)
{
	const struct proof_line *next = next_premise(k);

	return k->peer && s->refs[i].entries[entry].found == TRI_FALSE && level_at(k, CHECK_MANIFEST_ENTRY_FOUND, ctx_of(s), POS_SIGNING) != LEVEL_FAIL &&
	    (next == NULL || next->kind != PROOF_REFERENCE || next->at != i || next->entry != entry);
}

/* References in their order, each followed by its entries. */
static bool
take_references(struct proof_checker *k, const struct proof_line *l)
{
	struct xsig *s = sig_of(k, l);
	enum tri data = TRI_UNKNOWN;
	struct cover all = {0};
	struct err e = {0};
	bool master = false, entries = false;

	for (size_t i = 0; i < s->n_refs; i++)
		entries = entries || s->refs[i].n_entries > 0;
	if (entries && cover_signature(k->c->doc, s, &all, &e) != ERR_OK)
		return refuse(k, "what the signature covers is not known: %s", e.text);

	for (size_t i = 0; i < s->n_refs; i++) {
		if (!take_reference(k, l, i, PROOF_NO_ENTRY, &master))
			return false;
		for (size_t m = 0; m < s->refs[i].n_entries; m++) /* an entry that is not signed says nothing */
			if (cover_holds(&all, s->refs[i].entries[m].node) && !may_miss(k, s, i, m) && !take_reference(k, l, i, m, &master))
				return false;
	}
	/* under dss the data of all entries may be missing: nothing is known of them then */
	if (sig_signs_data(k->c->doc, s, &data, &e) != ERR_OK || (data != TRI_TRUE && !(k->peer && data == TRI_UNKNOWN)))
		return refuse(k, "no reference covers anything but the signature's own properties");
	return s->parent < 0 || master || refuse(k, "no reference covers the SignatureValue that it countersigns");
}

bool
rule_passed(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct xsig *s = sig_of(k, l);
	const struct proof_line *sl, *hl = NULL, *nl, *gl;
	struct fact *sg = premise(k, PROOF_SIGNED, &sl), *signer, *good;

	if (sg == NULL || !take_references(k, l))
		return false;
	if (s->format_fault != NULL && !(k->peer && s->props_ref_stray))
		return refuse(k, "%s", s->format_fault);
	if (premise_is(k, PROOF_HOLDS))
		(void)premise(k, PROOF_HOLDS, &hl);
	if ((signer = premise(k, PROOF_SIGNER, &nl)) == NULL)
		return false;
	bool ess = nl->n > 0 && level_at(k, CHECK_CERT_DIGEST_ALGORITHM, ctx_of(s), POS_SIGNING) == LEVEL_FAIL;
	if (ess && !digest_at(k, signer->digest, USE_DATA, l->time, "CertDigest"))
		return false;
	int64_t existed = exists_value(k, l->sig);
	if (!k->peer && nl->n == 0 && l->time < k->c->now_utc)
		return refuse(k, "a value whose key is not bound to what it signs is dated by no stamp");
	if ((good = premise(k, PROOF_GOOD, &gl)) == NULL)
		return false;
	if (sl->sig != l->sig || nl->sig != l->sig || (hl != NULL && hl->sig != l->sig))
		return refuse(k, "lines of another signature");
	if (signer->cert != sg->cert || good->cert != sg->cert)
		return refuse(k, "another signer than the one whose key verifies it");
	if (existed > l->time || gl->time != l->time || l->time > k->c->now_utc || gl->ctx != ctx_of(s))
		return refuse(k, "not proven at that time, or its signer was judged at another, or for another use");
	struct alg_use use = method_of(s, sg->cert);
	f->cert = sg->cert;
	return alg_at(k, &use, l->time, "SignatureValue");
}
