/* SPDX-License-Identifier: MIT */
/*
 * Which object is meant: embedded octets, and references by digest, resolved
 * once for each document, so that no stamp and no signature does it again.
 */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

void
known_embedded(struct judge *j, struct jsig *g, size_t i, const struct revocation *rev)
{
	struct err e = {0};

	g->embedded[i].rev = rev;
	if (rev != NULL)
		memcpy(g->embedded[i].key, rev->sha256, 32);
	else if (digest_sha256(g->s->embedded[i].der, g->embedded[i].key, &e) != ERR_OK)
		judge_broke(j, &e);
	g->embedded[i].found = true;
}

static const struct digest *
digests(struct judge *j, enum digest_alg alg, bool certs)
{
	struct digest **at = certs ? &j->cert_digests[alg] : &j->rev_digests[alg];
	size_t n = certs ? j->pool.n_certs : j->pool.n_revs;
	struct err e;

	if (*at != NULL)
		return *at;
	*at = mem_new(n + 1, sizeof(**at));
	if (*at == NULL) {
		judge_nomem(j);
		return NULL;
	}
	/* one that this OpenSSL has not stays DIGEST_NONE and equals nothing */
	for (size_t i = 0; i < n; i++)
		if (digest_once(alg, certs ? j->pool.certs[i]->der : j->pool.revs[i]->der, &(*at)[i], &e) != ERR_OK)
			break;
	return *at;
}

static size_t
find_digest(struct judge *j, const struct digest *d, bool certs)
{
	const struct digest *v = d->alg > DIGEST_NONE && d->alg < DIGEST_ALGS ? digests(j, d->alg, certs) : NULL;
	size_t n = certs ? j->pool.n_certs : j->pool.n_revs;

	for (size_t i = 0; v != NULL && i < n; i++)
		if (digest_eq(&v[i], d))
			return i;
	return SIZE_MAX;
}

const struct cert *
cert_by_digest(struct judge *j, const struct digest *d)
{
	size_t i = find_digest(j, d, true);

	return i == SIZE_MAX ? NULL : j->pool.certs[i];
}

void
known_refs(struct judge *j, struct jsig *g)
{
	for (size_t i = 0; i < g->s->n_ref_objects; i++) {
		const struct xref_object *o = &g->s->ref_objects[i];
		bool cert = o->kind == EMB_CERT;
		size_t k = find_digest(j, &o->digest, cert);

		g->refs[i].found = k != SIZE_MAX;
		if (k != SIZE_MAX)
			memcpy(g->refs[i].key, cert ? j->pool.certs[k]->sha256 : j->pool.revs[k]->sha256, 32);
	}
}

void
known_release(struct judge *j)
{
	for (size_t a = 0; a < DIGEST_ALGS; a++) {
		free(j->cert_digests[a]);
		free(j->rev_digests[a]);
	}
	for (size_t i = 0; i < j->n_sigs; i++) {
		free(j->sigs[i].embedded);
		free(j->sigs[i].refs);
	}
}
