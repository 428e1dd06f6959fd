/* SPDX-License-Identifier: MIT */
#include "verify/pki_int.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

enum err_code
pki_new(struct pki **out, struct err *e)
{
	*out = mem_new(1, sizeof(**out));
	return *out != NULL ? ERR_OK : err_nomem(e);
}

void
pki_free(struct pki *p)
{
	size_t i;

	if (p == NULL)
		return;
	for (i = 0; i < p->n_owned; i++)
		p->owned[i].drop(p->owned[i].obj);
	free(p->owned);
	free(p->slots);
	free(p->memos);
	free(p);
}

void
pki_auto(struct pki **p)
{
	pki_free(*p);
	*p = NULL;
}

/* SHA-256 values are spread evenly; nobody gains by making them collide in their first octets, a run of slots is all. */
static size_t
slot_of(const struct pki *p, enum obj_kind kind, const uint8_t key[32])
{
	size_t i;

	memcpy(&i, key, sizeof(i));
	for (i &= p->cap_slots - 1; p->slots[i].kind != OBJ_NONE; i = (i + 1) & (p->cap_slots - 1))
		if (p->slots[i].kind == kind && memcmp(p->slots[i].key, key, 32) == 0)
			break;
	return i;
}

void *
pki_find(const struct pki *p, enum obj_kind kind, const uint8_t key[32])
{
	return p->cap_slots > 0 ? p->slots[slot_of(p, kind, key)].obj : NULL;
}

static enum err_code
slots_grow(struct pki *p, struct err *e)
{
	struct pki bigger = *p;
	size_t i;

	if (p->n_slots * 2 < p->cap_slots)
		return ERR_OK;
	bigger.cap_slots = p->cap_slots > 0 ? 2 * p->cap_slots : 64;
	bigger.slots = mem_new(bigger.cap_slots, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return err_nomem(e);
	for (i = 0; i < p->cap_slots; i++)
		if (p->slots[i].kind != OBJ_NONE)
			bigger.slots[slot_of(&bigger, p->slots[i].kind, p->slots[i].key)] = p->slots[i];
	free(p->slots);
	*p = bigger;
	return ERR_OK;
}

enum err_code
pki_alias(struct pki *p, enum obj_kind kind, const uint8_t key[32], void *obj, struct err *e)
{
	struct slot *s;

	if (slots_grow(p, e) != ERR_OK)
		return e != NULL ? e->code : ERR_NOMEM;
	s = &p->slots[slot_of(p, kind, key)];
	if (s->kind == OBJ_NONE)
		p->n_slots++;
	s->kind = kind;
	s->obj = obj;
	memcpy(s->key, key, 32);
	return ERR_OK;
}

enum err_code
pki_keep(
    struct pki *p, enum obj_kind kind, const uint8_t key[32], void *obj, void (*drop)(void *obj), struct err *e)
{
	if (!mem_grow(&p->owned, &p->cap_owned, p->n_owned, sizeof(*p->owned)))
		return err_nomem(e);
	if (pki_alias(p, kind, key, obj, e) != ERR_OK)
		return ERR_NOMEM;
	p->owned[p->n_owned++] = (struct owned){drop, obj};
	return ERR_OK;
}

static struct memo *
memo_of(const struct pki *p, uint64_t key)
{
	size_t i = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (p->cap_memos - 1);

	while (p->memos[i].key != 0 && p->memos[i].key != key)
		i = (i + 1) & (p->cap_memos - 1);
	return &p->memos[i];
}

static uint64_t
memo_key(uint32_t object, uint32_t cert)
{
	return (uint64_t)(object + 1) << 32 | cert;
}

uint8_t
pki_recall(const struct pki *p, uint32_t object, uint32_t cert)
{
	return p->cap_memos > 0 ? memo_of(p, memo_key(object, cert))->value : 0;
}

static bool
memos_grow(struct pki *p)
{
	struct pki bigger = *p;
	size_t i;

	if (p->n_memos * 2 < p->cap_memos)
		return true;
	bigger.cap_memos = p->cap_memos > 0 ? 2 * p->cap_memos : 64;
	bigger.memos = mem_new(bigger.cap_memos, sizeof(*bigger.memos));
	if (bigger.memos == NULL)
		return false;
	for (i = 0; i < p->cap_memos; i++)
		if (p->memos[i].key != 0)
			*memo_of(&bigger, p->memos[i].key) = p->memos[i];
	free(p->memos);
	*p = bigger;
	return true;
}

void
pki_remember(struct pki *p, uint32_t object, uint32_t cert, uint8_t value)
{
	struct memo *m;

	if (!memos_grow(p))
		return;
	m = memo_of(p, memo_key(object, cert));
	if (m->key == 0)
		p->n_memos++;
	*m = (struct memo){memo_key(object, cert), value};
}

void
pki_begin(struct pki *p)
{
	p->n_wrong = p->n_checks = 0;
	p->bounded = false;
}

bool
pki_bounded(const struct pki *p)
{
	return p->bounded;
}

void
pki_cut(struct pki *p)
{
	p->bounded = true;
}

enum tri
pki_verify(struct pki *p, const struct sig_scheme *s, const struct cert *c, struct slice tbs, struct slice sig)
{
	if (s->key == KEY_UNKNOWN || pki_key(c) == NULL)
		return TRI_FALSE;
	if (p->n_wrong >= PKI_WRONG_MAX || p->n_checks >= PKI_CHECKS_MAX) {
		p->bounded = true;
		return TRI_UNKNOWN;
	}
	p->n_checks++;
	if (sig_verify(s, pki_key(c), tbs, sig))
		return TRI_TRUE;
	p->n_wrong++;
	return TRI_FALSE;
}

bool
pki_object_signed_by(
    struct pki *p, uint32_t object, const struct sig_scheme *s, struct slice tbs, struct slice sig, const struct cert *c)
{
	enum tri known = pki_recall(p, object, cert_priv(c)->id);

	if (known == TRI_UNKNOWN) {
		known = pki_verify(p, s, c, tbs, sig);
		if (known != TRI_UNKNOWN)
			pki_remember(p, object, cert_priv(c)->id, (uint8_t)known);
	}
	return known == TRI_TRUE;
}

void
pool_init(struct pool *pool, struct pki *pki)
{
	memset(pool, 0, sizeof(*pool));
	pool->pki = pki;
}

void
pool_release(struct pool *pool)
{
	free(pool->certs);
	free(pool->revs);
	free(pool->seen);
	free(pool->anchor_certs);
	pool_init(pool, pool->pki);
}

void
pool_auto(struct pool *pool)
{
	pool_release(pool);
}

/* Mark object id as added. *was: it had been. */
static enum err_code
pool_mark(struct pool *pool, uint32_t id, bool *was, struct err *e)
{
	size_t need = id / 8 + 1, cap = pool->seen_cap;
	uint8_t *more;

	if (need > cap) {
		for (cap = cap > 0 ? cap : 64; cap < need;)
			cap *= 2;
		more = realloc(pool->seen, cap);
		if (more == NULL)
			return err_nomem(e);
		memset(more + pool->seen_cap, 0, cap - pool->seen_cap);
		pool->seen = more;
		pool->seen_cap = cap;
	}
	*was = pool->seen[id / 8] >> (id % 8) & 1;
	pool->seen[id / 8] |= (uint8_t)(1u << (id % 8));
	return ERR_OK;
}

enum err_code
pool_add_cert(struct pool *pool, const struct cert *c, struct err *e)
{
	bool was;

	if (!mem_grow(&pool->certs, &pool->cap_certs, pool->n_certs, sizeof(*pool->certs)))
		return err_nomem(e);
	if (pool_mark(pool, cert_priv(c)->id, &was, e) != ERR_OK)
		return ERR_NOMEM;
	if (!was)
		pool->certs[pool->n_certs++] = c;
	return ERR_OK;
}

enum err_code
pool_add_rev(struct pool *pool, const struct revocation *r, struct err *e)
{
	size_t i;
	bool was;

	if (!mem_grow(&pool->revs, &pool->cap_revs, pool->n_revs, sizeof(*pool->revs)))
		return err_nomem(e);
	if (pool_mark(pool, rev_priv(r)->id, &was, e) != ERR_OK)
		return ERR_NOMEM;
	if (was)
		return ERR_OK;
	pool->revs[pool->n_revs++] = r;
	for (i = 0; i < r->n_certs && !pool->peer; i++)
		if (pool_add_cert(pool, r->certs[i], e) != ERR_OK)
			return ERR_NOMEM;
	return ERR_OK;
}

enum err_code
pool_add_token(struct pool *pool, const struct token *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n_certs; i++)
		if (pool_add_cert(pool, t->certs[i], e) != ERR_OK)
			return ERR_NOMEM;
	for (i = 0; i < t->n_revs; i++)
		if (pool_add_rev(pool, t->revs[i], e) != ERR_OK)
			return ERR_NOMEM;
	return ERR_OK;
}

const struct cert *
pool_find_cert(const struct pool *pool, const uint8_t sha256[32])
{
	const struct cert *c = pki_find(pool->pki, OBJ_CERT, sha256);
	uint32_t id;

	if (c == NULL)
		return NULL;
	id = cert_priv(c)->id;
	return id / 8 < pool->seen_cap && (pool->seen[id / 8] >> (id % 8) & 1) ? c : NULL;
}

size_t
pool_candidates(const struct pool *pool)
{
	return pool->n_certs + pool->n_anchor_certs;
}

const struct cert *
pool_candidate(const struct pool *pool, size_t i)
{
	return i < pool->n_certs ? pool->certs[i] : pool->anchor_certs[i - pool->n_certs];
}

/* The text between the BEGIN and END lines of that label, headers (RFC 1421 "Name: value") left out. */
static bool
pem_body(struct slice in, const char *label, struct slice *out)
{
	AUTO(mem) char *begin = mem_printf("-----BEGIN %s-----", label);
	AUTO(mem) char *end = mem_printf("-----END %s-----", label);
	const uint8_t *from, *to;

	if (begin == NULL || end == NULL || in.p == NULL)
		return false;
	from = memmem(in.p, in.n, begin, strlen(begin));
	if (from == NULL)
		return false;
	from += strlen(begin);
	to = memmem(from, in.n - (size_t)(from - in.p), end, strlen(end));
	if (to == NULL)
		return false;
	*out = slice_of(from, (size_t)(to - from));
	return true;
}

enum err_code
pki_pem_to_der(struct slice in, const char *label, struct buf *out, struct err *e)
{
	struct slice body = in;

	if (in.n == 0)
		return err_set(e, ERR_FORMAT, "empty instead of a %s", label);
	if (in.p[0] == BER_SEQUENCE) {
		buf_addslice(out, in);
		return buf_ok(out, e);
	}
	pem_body(in, label, &body);
	if (base64_to(body, out, e) != ERR_OK)
		return err_wrap(e, "%s is neither DER nor PEM nor base64", label);
	if (out->n == 0 || out->p[0] != BER_SEQUENCE)
		return err_set(e, ERR_FORMAT, "base64 of something else than a %s", label);
	return buf_ok(out, e);
}
