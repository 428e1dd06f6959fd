/* SPDX-License-Identifier: MIT */
#include "verify/pki_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS_MAX = 16, STEPS_MAX = 2000 /* cross-certified meshes grow exponentially */ };

struct search {
	struct pool *pool;
	unsigned roles;
	struct chain way; /* being built */
	struct chain *found;
	size_t n_found;
	struct chain longest;
	unsigned steps;
	struct err *e;
};

/* Anchors are decoded once for each pool; one that can't be read here is no candidate. */
static enum err_code
load_anchors(struct pool *pool, const struct anchors *anchors, struct err *e)
{
	const struct anchor *a;
	const struct cert *c;
	size_t i;

	if (anchors == pool->anchors)
		return ERR_OK;
	pool->n_anchor_certs = 0;
	for (i = 0; anchors != NULL && i < anchors_count(anchors); i++) {
		a = anchors_at(anchors, i);
		if (!mem_grow(&pool->anchor_certs, &pool->cap_anchor_certs, pool->n_anchor_certs, sizeof(*pool->anchor_certs)))
			return err_nomem(e);
		c = pki_find(pool->pki, OBJ_CERT, a->sha256);
		if (c == NULL && pki_cert(pool->pki, a->der, &c, e) != ERR_OK) {
			if (e != NULL && e->code == ERR_NOMEM)
				return ERR_NOMEM;
			continue;
		}
		pool->anchor_certs[pool->n_anchor_certs++] = c;
	}
	pool->anchors = anchors;
	return ERR_OK;
}

static const struct anchor *
anchor_of(const struct search *s, const struct cert *c)
{
	const struct anchor *a = s->pool->anchors != NULL ? anchors_find(s->pool->anchors, c->sha256) : NULL;

	return a != NULL && (a->roles & s->roles) != 0 ? a : NULL;
}

static bool
aki_fits(const struct cert *c, const struct cert *issuer)
{
	return c->aki.n > 0 && slice_eq(c->aki, issuer->ski);
}

/* What is tried first decides what is left when the limits cut: key identifier, anchors, then digest. */
struct ranked {
	const struct cert *c;
	unsigned rank;
};

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return memcmp(x->c->sha256, y->c->sha256, 32);
}

/* RFC 4158 2.4.2: the same name and key twice is a loop, whichever certificate says so. */
static bool
in_way(const struct chain *way, const struct cert *c)
{
	size_t i;

	for (i = 0; i < way->n; i++)
		if (cert_same_authority(way->v[i], c))
			return true;
	return false;
}

static enum err_code
issuers_of(struct search *s, const struct cert *c, struct ranked **out, size_t *n)
{
	AUTO(mem) struct ranked *list = NULL;
	size_t cap = 0, i;

	*n = 0;
	for (i = 0; i < pool_candidates(s->pool); i++) {
		const struct cert *issuer = pool_candidate(s->pool, i);

		if (cert_priv(issuer)->subject_hash != cert_priv(c)->issuer_hash || in_way(&s->way, issuer))
			continue;
		if (!mem_grow(&list, &cap, *n, sizeof(*list)))
			return err_nomem(s->e);
		list[(*n)++] = (struct ranked){issuer, (aki_fits(c, issuer) ? 0u : 2u) + (anchor_of(s, issuer) != NULL ? 0u : 1u)};
	}
	if (*n > 1)
		qsort(list, *n, sizeof(*list), by_rank);
	*out = TAKE(list);
	return ERR_OK;
}

static void
record(struct search *s, const struct anchor *a)
{
	if (s->n_found < CHAINS_MAX) {
		s->found[s->n_found] = s->way;
		s->found[s->n_found++].anchor = a;
	}
}

static enum err_code
climb(struct search *s)
{
	const struct cert *top = s->way.v[s->way.n - 1];
	const struct anchor *a = anchor_of(s, top);
	AUTO(mem) struct ranked *list = NULL;
	size_t n, i;

	if (a != NULL) {
		record(s, a);
		/* An anchor that ends leaves the way to another one above it worth knowing (EN 319 102-1 5.2.6.4). */
		if (a->sunset_utc == TIME_MAX)
			return ERR_OK;
	} else if (s->way.n > s->longest.n) {
		s->longest = s->way;
	}
	if (pki_self_signed(top) || s->way.n == CHAIN_MAX)
		return ERR_OK;
	if (issuers_of(s, top, &list, &n) != ERR_OK)
		return ERR_NOMEM;
	for (i = 0; i < n && s->n_found < CHAINS_MAX && s->steps < STEPS_MAX; i++) {
		if (i > 0 && list[i].c == list[i - 1].c)
			continue;
		s->steps++;
		if (!pki_signed_by(s->pool->pki, top, list[i].c))
			continue;
		s->way.v[s->way.n++] = list[i].c;
		if (climb(s) != ERR_OK)
			return ERR_NOMEM;
		s->way.n--;
	}
	return ERR_OK;
}

static int
by_length(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;
	size_t i;
	int d;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (i = 0; i < x->n; i++) {
		d = memcmp(x->v[i]->sha256, y->v[i]->sha256, 32);
		if (d != 0)
			return d;
	}
	return 0;
}

enum err_code
pool_chains(struct pool *pool, const struct cert *target, const struct anchors *anchors, unsigned roles,
    struct chain **out, size_t *n, struct chain *partial, struct err *e)
{
	AUTO(mem) struct chain *found = NULL;
	struct search s = {.pool = pool, .roles = roles, .e = e};

	*out = NULL;
	*n = 0;
	if (load_anchors(pool, anchors, e) != ERR_OK)
		return err_wrap(e, "trust anchors");
	found = mem_new(CHAINS_MAX, sizeof(*found));
	if (found == NULL)
		return err_nomem(e);
	s.found = found;
	s.way.v[s.way.n++] = target;
	if (climb(&s) != ERR_OK)
		return err_wrap(e, "chain");
	qsort(found, s.n_found, sizeof(*found), by_length);
	if (partial != NULL)
		*partial = s.longest;
	*n = s.n_found;
	*out = TAKE(found);
	return ERR_OK;
}

/* ---- RFC 5280 6.1 ---- */

/* Before version 3 no certificate could say that it is a CA's: whoever made it an anchor says so (RFC 5280 6.1.4 (k)). */
static bool
is_old_root(const struct chain *c, size_t i)
{
	return c->anchor != NULL && i + 1 == c->n && cert_priv(c->v[i])->version == 0 && pki_self_signed(c->v[i]);
}

static unsigned
ca_faults(const struct chain *c, size_t i)
{
	const struct cert *ca = c->v[i];
	unsigned faults = ca->is_ca || is_old_root(c, i) ? 0 : PATH_NOT_CA;
	size_t below = 0, j;

	for (j = 1; j < i; j++)
		below += !c->v[j]->self_issued;
	if (ca->path_len >= 0 && below > (size_t)ca->path_len)
		faults |= PATH_LENGTH;
	if (ca->has_key_usage && (ca->key_usage & KU_KEY_CERT_SIGN) == 0)
		faults |= PATH_KEY_USAGE;
	return faults;
}

/* RFC 5280 6.1.3 (b), (c): all below, but for self-issued ones that are not the last. */
static bool
names_allowed(const struct chain *c, size_t i)
{
	struct slice value = cert_priv(c->v[i])->name_constraints;
	const uint8_t *p = value.p;
	NAME_CONSTRAINTS *nc = (NAME_CONSTRAINTS *)ASN1_item_d2i(NULL, &p, (long)value.n, ASN1_ITEM_rptr(NAME_CONSTRAINTS));
	bool ok = nc != NULL && p == value.p + value.n;
	size_t j;

	for (j = 0; ok && j < i; j++) {
		if (j > 0 && c->v[j]->self_issued)
			continue;
		ok = pki_x509(c->v[j]) != NULL && NAME_CONSTRAINTS_check(pki_x509(c->v[j]), nc) == X509_V_OK;
	}
	NAME_CONSTRAINTS_free(nc);
	ERR_clear_error();
	return ok;
}

unsigned
chain_faults(const struct chain *c, size_t i)
{
	unsigned faults = pki_key_fault(c->v[i]) != NULL ? PATH_KEY : 0;

	/* Trusted itself: nothing is issued, and what it may do somebody has said who need not say it in extensions. */
	if (c->anchor != NULL && c->n == 1)
		return faults;
	/* An anchor's certificate bounds what stands below it like any other's (RFC 5937 3.2). */
	faults |= c->v[i]->unknown_critical ? PATH_CRITICAL : 0;
	if (i > 0)
		faults |= ca_faults(c, i);
	if (i > 0 && c->v[i]->has_name_constraints && !names_allowed(c, i))
		faults |= PATH_NAME_CONSTRAINTS;
	return faults;
}

enum path_fault
chain_fault(const struct chain *c, size_t *where)
{
	unsigned faults;
	size_t i;

	for (i = c->n; i-- > 0;) {
		*where = i;
		faults = chain_faults(c, i);
		if (faults != 0)
			return (enum path_fault)(faults & (~faults + 1)); /* its lowest bit */
	}
	return PATH_OK;
}
