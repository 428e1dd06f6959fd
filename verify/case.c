/* SPDX-License-Identifier: MIT */
/* A case: what is judged, named by digests, and the objects that stand in it. */
#include "verify/case.h"

#include <string.h>

bool
proof_input(const struct proof_case *c, struct proof_line *out)
{
	struct digest parts[4];
	uint8_t all[4 * 64];
	struct err e = {0};
	size_t n = 0;

	*out = (struct proof_line){.kind = PROOF_INPUT, .entry = PROOF_NO_ENTRY, .time = c->now_utc};
	parts[0] = c->policy->digest;
	parts[1] = *catalogue_digest(c->policy->catalogue);
	if (anchors_digest(c->anchors, &parts[2], &e) != ERR_OK || material_digest(c->material, &parts[3], &e) != ERR_OK)
		return false;
	for (size_t i = 0; i < 4; n += parts[i++].n)
		memcpy(all + n, parts[i].octets, parts[i].n);
	return digest_sha256(c->octets, out->object, &e) == ERR_OK && digest_sha256(slice_of(all, n), out->by, &e) == ERR_OK;
}

/* Octets that can't be read say nothing; no memory is told. */
static bool
has(struct pool *all, enum material_kind kind, struct slice der)
{
	const struct cert *c = NULL;
	const struct revocation *r = NULL;
	struct err e = {0};
	enum err_code rc = kind == MAT_CERT ? pki_cert(all->pki, der, &c, &e) : kind == MAT_CRL ? pki_crl(all->pki, der, &r, &e) :
	    kind == MAT_OCSP ? pki_ocsp(all->pki, der, &r, &e) : ERR_OK;

	return rc != ERR_NOMEM && (c == NULL || pool_add_cert(all, c, &e) == ERR_OK) && (r == NULL || pool_add_rev(all, r, &e) == ERR_OK);
}

static bool
has_token(struct pool *all, struct slice der)
{
	const struct token *t = NULL;
	struct err e = {0};

	if (der.n == 0 || pki_token(all->pki, der, &t, &e) != ERR_OK)
		return e.code != ERR_NOMEM;
	return pool_add_token(all, t, &e) == ERR_OK;
}

bool
case_objects(const struct proof_case *c, struct pool *all)
{
	static const enum material_kind KIND[] = {[EMB_CERT] = MAT_CERT, [EMB_CRL] = MAT_CRL, [EMB_OCSP] = MAT_OCSP};
	enum material_kind kind;
	struct slice der;
	bool ok;

	pool_init(all, c->pki);
	ok = c->doc != NULL || has_token(all, c->octets);
	for (size_t i = 0; c->doc != NULL && i < c->doc->n_sigs; i++) {
		const struct xsig *s = &c->doc->sigs[i];

		for (size_t m = 0; m < s->n_embedded; m++)
			ok = ok && has(all, KIND[s->embedded[m].kind], s->embedded[m].der);
		for (size_t m = 0; m < s->n_stamps; m++)
			ok = ok && has_token(all, s->stamps[m].token);
	}
	for (size_t i = 0; ok && i < anchors_count(c->anchors); i++)
		ok = has(all, MAT_CERT, anchors_at(c->anchors, i)->der);
	for (size_t i = 0; ok && material_get(c->material, i, &kind, &der); i++)
		ok = has(all, kind, der);
	return ok;
}
