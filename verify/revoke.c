/* SPDX-License-Identifier: MIT */
/* What CRLs and OCSP responses say of one certificate, and who signed them (RFC 5280 6.3, RFC 6960 3.2 and 4.2.2.2). */
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

struct question {
	struct pool *pool;
	const struct cert *c, *issuer; /* issuer may be NULL: nobody can have signed then */
	struct digest name[DIGEST_ALGS], key[DIGEST_ALGS]; /* of the issuer, for CertIDs; made when asked */
	struct rev_answer *answers;
	size_t n, cap;
	unsigned tries; /* signatures tried for the object at hand */
	struct err *e;
};

/* ---- who signed ---- */

/* Certificates of one name or key that are tried on an object; more is an attack on our time. */
enum { TRIES_MAX = 256 };

static bool
verifies(struct question *q, const struct rev_priv *r, const struct cert *c)
{
	if (pki_recall(q->pool->pki, r->id, cert_priv(c)->id) == 0 && q->tries++ >= TRIES_MAX) {
		pki_cut(q->pool->pki);
		return false;
	}
	return pki_object_signed_by(q->pool->pki, r->id, &r->scheme, r->tbs, r->signature, c);
}

static bool
covers(const struct cert *c, int64_t t)
{
	return t >= c->not_before && t <= c->not_after;
}

/* Of several certificates for the key that verifies: the better one. Facts decide, then the digest. */
static bool
better(const struct cert *a, unsigned rank_a, const struct cert *b, unsigned rank_b)
{
	if (b == NULL || rank_a != rank_b)
		return b == NULL || rank_a < rank_b;
	return memcmp(a->sha256, b->sha256, 32) < 0;
}

static void
set_signer(struct rev_answer *a, const struct rev_priv *r, const struct cert *signer, const struct question *q)
{
	a->signer = signer;
	a->signed_with = sig_use(&r->scheme, r->r.kind == REV_OCSP ? USE_OCSP : USE_CERTIFICATES);
	if (signer == NULL)
		return;
	a->signed_with.key_bits = signer->own_key.key_bits;
	a->signed_with.q_bits = signer->own_key.q_bits;
	a->signer_is_issuer = q->issuer != NULL && cert_same_authority(signer, q->issuer);
}

static bool
may_sign_crls(const struct cert *c)
{
	return !c->has_key_usage || (c->key_usage & KU_CRL_SIGN) != 0;
}

/* Rank of a CRL issuer's certificate; the CA's own comes first, then what the key identifier names. */
static unsigned
crl_rank(const struct question *q, const struct rev_priv *r, const struct cert *c)
{
	unsigned rank = 0;

	if (c == q->issuer)
		return 0;
	rank += may_sign_crls(c) ? 0 : 16;
	rank += q->issuer != NULL && cert_same_authority(c, q->issuer) ? 0 : 8;
	rank += r->aki.n > 0 && slice_eq(r->aki, c->ski) ? 0 : 4;
	rank += covers(c, r->r.this_update) ? 0 : 2;
	return rank + 1;
}

static void
try_crl_signer(struct question *q, const struct rev_priv *r, const struct cert *c, const struct cert **best, unsigned *rank)
{
	unsigned one;

	if (c == NULL || cert_priv(c)->subject_hash != r->issuer_hash || !pki_name_eq(c->subject, r->r.issuer))
		return;
	one = crl_rank(q, r, c);
	if (better(c, one, *best, *rank) && verifies(q, r, c)) {
		*best = c;
		*rank = one;
	}
}

static void
find_crl_signer(struct question *q, const struct rev_priv *r, struct rev_answer *a)
{
	const struct cert *best = NULL;
	unsigned rank = 0;
	size_t i;

	try_crl_signer(q, r, q->issuer, &best, &rank);
	for (i = 0; (best == NULL || best != q->issuer) && i < pool_candidates(q->pool); i++)
		try_crl_signer(q, r, pool_candidate(q->pool, i), &best, &rank);
	set_signer(a, r, best, q);
	if (best == NULL)
		a->problem = "no known certificate of the CRL issuer verifies its signature (RFC 5280 6.3.3 (g))";
	else if (!may_sign_crls(best))
		a->problem = "the CRL issuer's certificate does not allow cRLSign (RFC 5280 6.3.3 (f))";
}

/* ---- CRLs ---- */

static bool
ask_crl(struct question *q, const struct rev_priv *r, struct rev_answer *a)
{
	bool direct = r->issuer_hash == cert_priv(q->c)->issuer_hash && pki_name_eq(r->r.issuer, q->c->issuer);
	const char *scope;

	if (!direct && !(r->r.indirect && crl_issuer_named(q->c, r->r.issuer)))
		return false;
	a->this_update = a->produced_at = r->r.this_update;
	a->next_update = r->r.next_update;
	scope = crl_scope_problem(r, q->c, q->pool->peer);
	find_crl_signer(q, r, a);
	/* who is listed is revoked, whatever the list leaves out */
	if (a->problem == NULL && crl_lists(r, q->c, a))
		return true;
	if (scope != NULL)
		a->problem = scope;
	else if (a->problem == NULL)
		a->status = REV_GOOD;
	a->unsupported = scope != NULL && (r->r.indirect || r->r.delta || r->r.partial);
	return true;
}

/* ---- OCSP ---- */

static const struct digest *
issuer_digest(struct digest *cache, enum digest_alg alg, struct slice of)
{
	if (cache[alg].alg == DIGEST_NONE && digest_once(alg, of, &cache[alg], NULL) != ERR_OK)
		return NULL;
	return &cache[alg];
}

/* 0 another certificate; 1 this one by serial and issuer name, of another key; 2 this one. */
static int
certid_matches(struct question *q, const struct single *s)
{
	const struct digest *name, *key;

	if (!slice_eq(s->serial, ber_int_canonical(q->c->serial)) || s->alg == DIGEST_NONE)
		return 0;
	name = issuer_digest(q->name, s->alg, q->c->issuer);
	if (name == NULL || !slice_eq(digest_slice(name), s->name_hash))
		return 0;
	if (q->issuer == NULL)
		return 2;
	key = issuer_digest(q->key, s->alg, cert_priv(q->issuer)->key_octets);
	return key != NULL && slice_eq(digest_slice(key), s->key_hash) ? 2 : 1;
}

static bool
is_responder(const struct rev_priv *r, const struct cert *c)
{
	if (r->responder_key.n > 0)
		return slice_eq(r->responder_key, slice_of(c->key_sha1, sizeof(c->key_sha1)));
	return cert_priv(c)->subject_hash == r->responder_hash && pki_name_eq(c->subject, r->responder_name);
}

/* RFC 6960 4.2.2.2 on one responder certificate. */
static void
read_authority(const struct question *q, const struct cert *signer, struct rev_answer *a)
{
	a->signer_is_subject = cert_same_authority(signer, q->c);
	a->delegate_by_ca = q->issuer != NULL && !a->signer_is_issuer && pki_signed_by(q->pool->pki, signer, q->issuer);
	a->delegate_ok = a->delegate_by_ca && (signer->eku & EKU_OCSP_SIGNING) != 0 &&
	    (!signer->has_key_usage || (signer->key_usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0);
}

static unsigned
ocsp_rank(const struct question *q, const struct rev_priv *r, const struct cert *c)
{
	struct rev_answer probe = {0};
	unsigned rank;

	probe.signer_is_issuer = q->issuer != NULL && cert_same_authority(c, q->issuer);
	read_authority(q, c, &probe);
	rank = c == q->issuer ? 0 : probe.signer_is_issuer ? 1 : probe.delegate_ok ? 2 : probe.delegate_by_ca ? 3 : 4;
	return 2 * rank + (covers(c, r->r.produced_at) ? 0 : 1);
}

static void
try_responder(
    struct question *q, const struct rev_priv *r, const struct cert *c, const struct cert **best, unsigned *rank)
{
	unsigned one;

	if (c == NULL || !is_responder(r, c) || !verifies(q, r, c))
		return;
	one = ocsp_rank(q, r, c);
	if (better(c, one, *best, *rank)) {
		*best = c;
		*rank = one;
	}
}

/* The CA's name and another key that signed the delegate: a CA that was re-keyed. */
static bool
signed_by_other_key_of(const struct question *q, const struct cert *c)
{
	size_t i;

	if (q->issuer == NULL || !pki_name_eq(c->issuer, q->issuer->subject))
		return false;
	for (i = 0; i < pool_candidates(q->pool); i++)
		if (pki_signed_by(q->pool->pki, c, pool_candidate(q->pool, i)))
			return true;
	return false;
}

static void
find_responder(struct question *q, const struct rev_priv *r, struct rev_answer *a)
{
	const struct cert *best = NULL;
	unsigned rank = 0;
	size_t i;

	try_responder(q, r, q->issuer, &best, &rank);
	for (i = 0; i < r->r.n_certs; i++)
		try_responder(q, r, r->r.certs[i], &best, &rank);
	for (i = 0; i < pool_candidates(q->pool); i++)
		try_responder(q, r, pool_candidate(q->pool, i), &best, &rank);
	a->responder_id_match = best != NULL;
	/* A key that fits, under a certificate that the ResponderID does not name, is worth saying. */
	for (i = 0; best == NULL && i < r->r.n_certs; i++)
		if (verifies(q, r, r->r.certs[i]))
			best = r->r.certs[i];
	set_signer(a, r, best, q);
	if (best == NULL) {
		a->problem = "no known certificate of the responder verifies the signature (RFC 6960 3.2)";
		return;
	}
	read_authority(q, best, a);
	if (!a->delegate_by_ca && !a->signer_is_issuer)
		a->delegate_rekeyed = (best->eku & EKU_OCSP_SIGNING) != 0 && signed_by_other_key_of(q, best);
	if (!a->responder_id_match)
		a->problem = "the signer is not whom ResponderID names (RFC 6960 4.2.1)";
}

static void
read_answer(struct question *q, const struct rev_priv *r, const struct single *s, struct rev_answer *a)
{
	bool known;

	a->this_update = s->this_update;
	a->next_update = s->next_update;
	a->produced_at = r->r.produced_at;
	known = single_extensions(s, q->c, a);
	find_responder(q, r, a);
	if (a->problem != NULL)
		return;
	single_status(r, s, a);
	/* what nobody here understands may take back a good word, not a bad one */
	if ((!known || r->critical_unknown) && a->status != REV_REVOKED && a->status != REV_HOLD)
		a->problem = "OCSP response with an unknown critical extension (RFC 6960 4.4)";
	else if (a->cert_hash_present && !a->cert_hash_match)
		a->problem = "CertHash names another certificate (Common PKI part 4, 3.1.2)";
	if (a->problem != NULL)
		a->status = REV_NONE;
}

/* Of several for one certificate: what revokes it for good, the earliest date; else the latest thisUpdate. */
static bool
outweighs(const struct rev_priv *r, const struct single *x, const struct single *y)
{
	struct rev_answer a = {.reason = -1}, b = {.reason = -1};

	single_status(r, x, &a);
	single_status(r, y, &b);
	if ((a.status == REV_REVOKED) != (b.status == REV_REVOKED))
		return a.status == REV_REVOKED;
	if (a.status == REV_REVOKED && a.revoked_at != b.revoked_at)
		return a.revoked_at < b.revoked_at;
	if (x->this_update != y->this_update)
		return x->this_update > y->this_update;
	return a.status > b.status;
}

static bool
ask_ocsp(struct question *q, const struct rev_priv *r, struct rev_answer *a)
{
	struct cur c = cur_from(r->singles);
	struct single s, best = {.this_update = TIME_NONE};
	struct ber b;
	int match, best_match = 0;

	while (!cur_at_end(&c) && ber_take(&c, BER_SEQUENCE, &b)) {
		if (!single_read(b.body, &s))
			continue;
		match = certid_matches(q, &s);
		if (match > best_match || (match > 0 && match == best_match && outweighs(r, &s, &best))) {
			best = s;
			best_match = match;
		}
	}
	if (best_match == 0)
		return false;
	a->this_update = best.this_update;
	a->next_update = best.next_update;
	a->produced_at = r->r.produced_at;
	if (best_match == 1)
		a->problem = "CertID names another key of the issuer (RFC 6960 4.1.1)";
	else
		read_answer(q, r, &best, a);
	return true;
}

/* ---- all together ---- */

/* What knows most first; of one second the gravest: revoked, then held, the earlier date. Then the digest. */
static int
by_time(const void *x, const void *y, void *peer)
{
	const struct rev_answer *a = x, *b = y;
	bool bad_a = a->status >= REV_REVOKED, bad_b = b->status >= REV_REVOKED;
	int64_t t = *(bool *)peer ? a->produced_at : a->this_update, u = *(bool *)peer ? b->produced_at : b->this_update;

	if (t != u)
		return t > u ? -1 : 1;
	if (bad_a != bad_b)
		return bad_a ? -1 : 1;
	if (bad_a && a->status != b->status)
		return a->status == REV_REVOKED ? -1 : 1;
	if (bad_a && a->revoked_at != b->revoked_at)
		return a->revoked_at < b->revoked_at ? -1 : 1;
	return memcmp(a->object->sha256, b->object->sha256, 32);
}

static enum err_code
ask(struct question *q, const struct revocation *r)
{
	struct rev_answer a = {
	    .object = r,
	    .revoked_at = TIME_NONE,
	    .reason = -1,
	    .archive_cutoff = TIME_NONE,
	    .next_update = TIME_NONE,
	};

	q->tries = 0;
	if (r->kind == REV_CRL ? !ask_crl(q, rev_priv(r), &a) : !ask_ocsp(q, rev_priv(r), &a))
		return ERR_OK;
	if (!mem_grow(&q->answers, &q->cap, q->n, sizeof(*q->answers)))
		return err_nomem(q->e);
	q->answers[q->n++] = a;
	return ERR_OK;
}

enum err_code
pool_answers(struct pool *pool, const struct cert *c, const struct cert *issuer, struct rev_answer **out, size_t *n,
    struct err *e)
{
	struct question q = {.pool = pool, .c = c, .issuer = issuer, .e = e};
	size_t i;

	*out = NULL;
	*n = 0;
	for (i = 0; i < pool->n_revs; i++) {
		if (ask(&q, pool->revs[i]) != ERR_OK) {
			free(q.answers);
			return ERR_NOMEM;
		}
	}
	if (q.n > 1)
		qsort_r(q.answers, q.n, sizeof(*q.answers), by_time, &pool->peer);
	*out = q.answers;
	*n = q.n;
	return ERR_OK;
}
