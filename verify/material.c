/* SPDX-License-Identifier: MIT */
/* Certificates, revocation data and policy documents that are known beside a document. */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

struct item {
	enum material_kind kind;
	uint8_t sha256[32];
	uint8_t *p;
	size_t n;
};
struct material {
	struct item *v;
	size_t n, cap;
};

enum err_code
material_new(struct material **out, struct err *e)
{
	*out = mem_new(1, sizeof(**out));
	return *out == NULL ? err_nomem(e) : ERR_OK;
}

void
material_free(struct material *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].p);
	free(m->v);
	free(m);
}

void
material_auto(struct material **m)
{
	material_free(*m);
}

static int
item_cmp(enum material_kind kind, const uint8_t sha256[32], const struct item *it)
{
	if (kind != it->kind)
		return kind < it->kind ? -1 : 1;
	return memcmp(sha256, it->sha256, 32);
}

/* Kept sorted by kind and digest: the order in which things were fetched must not show in a report. */
static size_t
find_place(const struct material *m, enum material_kind kind, const uint8_t sha256[32], bool *there)
{
	size_t lo = 0, hi = m->n;

	*there = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = item_cmp(kind, sha256, &m->v[mid]);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

enum err_code
material_add(struct material *m, enum material_kind kind, struct slice octets, struct err *e)
{
	uint8_t sha256[32];
	bool there;

	if (kind < MAT_CERT || kind > MAT_POLICY)
		return err_set(e, ERR_USAGE, "material of kind %d", (int)kind);
	if (digest_sha256(octets, sha256, e) != ERR_OK)
		return err_wrap(e, "material");
	size_t at = find_place(m, kind, sha256, &there);
	if (there)
		return ERR_OK;
	if (!mem_grow(&m->v, &m->cap, m->n, sizeof(*m->v)))
		return err_nomem(e);
	uint8_t *p = (uint8_t *)mem_dup(octets.p, octets.n);
	if (p == NULL)
		return err_nomem(e);
	memmove(&m->v[at + 1], &m->v[at], (m->n - at) * sizeof(*m->v));
	m->v[at] = (struct item){.kind = kind, .p = p, .n = octets.n};
	memcpy(m->v[at].sha256, sha256, 32);
	m->n++;
	return ERR_OK;
}

size_t
material_count(const struct material *m)
{
	return m == NULL ? 0 : m->n;
}

struct material_item
material_at(const struct material *m, size_t i)
{
	return (struct material_item){m->v[i].kind, slice_of(m->v[i].p, m->v[i].n)};
}

bool
material_get(const struct material *m, size_t i, enum material_kind *kind, struct slice *octets)
{
	if (i >= material_count(m))
		return false;
	*kind = m->v[i].kind;
	*octets = slice_of(m->v[i].p, m->v[i].n);
	return true;
}

/* Over kinds and digests, in their order: names the set, whatever order it was gathered in. */
enum err_code
material_digest(const struct material *m, struct digest *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};

	buf_adds(&b, "material\n");
	for (size_t i = 0; i < material_count(m); i++) {
		buf_addf(&b, "%d ", (int)m->v[i].kind);
		buf_addhex(&b, slice_of(m->v[i].sha256, 32));
		buf_adds(&b, "\n");
	}
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "material");
	return digest_once(DIGEST_SHA256, buf_slice(&b), out, e);
}

enum err_code
material_pack(const struct material *m, struct buf *out, struct err *e)
{
	buf_addbe32(out, (uint32_t)material_count(m));
	for (size_t i = 0; i < material_count(m); i++) {
		buf_add8(out, (unsigned)m->v[i].kind);
		buf_addvec(out, slice_of(m->v[i].p, m->v[i].n));
	}
	return buf_ok(out, e);
}

enum err_code
material_unpack(struct slice packed, struct material **out, struct err *e)
{
	AUTO(material) struct material *m = NULL;
	struct cur c = cur_from(packed);

	if (material_new(&m, e) != ERR_OK)
		return ERR_NOMEM;
	uint32_t n = cur_be32(&c);
	for (uint32_t i = 0; i < n && !c.failed; i++) {
		enum material_kind kind = (enum material_kind)cur_u8(&c);
		struct slice s = cur_vec(&c);

		if (!c.failed && material_add(m, kind, s, e) != ERR_OK)
			return err_wrap(e, "packed material, item %u", i);
	}
	if (cur_end(&c, "packed material", e) != ERR_OK)
		return ERR_FORMAT;
	*out = TAKE(m);
	return ERR_OK;
}
