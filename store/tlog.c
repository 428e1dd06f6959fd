/* SPDX-License-Identifier: MIT */
/* Leaves and Merkle tree of RFC 9162, without any store. */
#include "store/tlog.h"

#include <string.h>

#define LEAF_VERSION 1

void
tlog_leaf_encode(const struct tlog_leaf *leaf, uint8_t out[TLOG_LEAF_OCTETS])
{
	uint64_t t = (uint64_t)leaf->time_utc;
	unsigned i;

	out[0] = LEAF_VERSION;
	out[1] = (uint8_t)(leaf->epoch >> 8);
	out[2] = (uint8_t)leaf->epoch;
	out[3] = (uint8_t)(leaf->type >> 8);
	out[4] = (uint8_t)leaf->type;
	for (i = 0; i < 8; i++)
		out[5 + i] = (uint8_t)(t >> (56 - 8 * i));
	memcpy(out + 13, leaf->record, 16);
	memcpy(out + 29, leaf->event, TLOG_HASH);
}

enum err_code
tlog_leaf_decode(struct slice in, struct tlog_leaf *out, struct err *e)
{
	struct cur c = cur_from(in);
	struct tlog_leaf l = {0};
	uint8_t version = cur_u8(&c);
	struct slice part;

	l.epoch = cur_be16(&c);
	l.type = cur_be16(&c);
	l.time_utc = (int64_t)cur_be64(&c);
	part = cur_take(&c, sizeof(l.record));
	if (part.n != 0)
		memcpy(l.record, part.p, part.n);
	part = cur_take(&c, sizeof(l.event));
	if (part.n != 0)
		memcpy(l.event, part.p, part.n);
	if (cur_end(&c, "log leaf", e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	if (version != LEAF_VERSION || l.epoch != TLOG_EPOCH)
		return err_set(e, ERR_UNSUPPORTED, "log leaf of version %u, epoch %u", version, l.epoch);
	*out = l;
	return ERR_OK;
}

enum err_code
tlog_leaf_hash(struct slice leaf, uint8_t out[TLOG_HASH], struct err *e)
{
	uint8_t in[1 + TLOG_LEAF_OCTETS] = {0x00};

	if (leaf.n != TLOG_LEAF_OCTETS)
		return err_set(e, ERR_FORMAT, "log leaf of %zu octets", leaf.n);
	memcpy(in + 1, leaf.p, leaf.n);
	return digest_sha256(slice_of(in, sizeof(in)), out, e);
}

enum err_code
tlog_node_hash(const uint8_t l[TLOG_HASH], const uint8_t r[TLOG_HASH], uint8_t out[TLOG_HASH], struct err *e)
{
	uint8_t in[1 + 2 * TLOG_HASH] = {0x01};

	memcpy(in + 1, l, TLOG_HASH);
	memcpy(in + 1 + TLOG_HASH, r, TLOG_HASH);
	return digest_sha256(slice_of(in, sizeof(in)), out, e);
}

enum err_code
tlog_verify_inclusion(
    const uint8_t leaf_hash[TLOG_HASH], const struct tlog_proof *p, const uint8_t root[TLOG_HASH], struct err *e)
{
	uint8_t r[TLOG_HASH];
	uint64_t fn = p->index, sn = p->size - 1;
	size_t i;

	if (p->size == 0 || p->index >= p->size || p->n > TLOG_PATH_MAX)
		return err_set(e, ERR_FORMAT, "log proof: leaf outside the tree");
	memcpy(r, leaf_hash, TLOG_HASH);
	for (i = 0; i < p->n; i++) {
		bool left = (fn & 1) != 0 || fn == sn;
		enum err_code k;

		if (sn == 0)
			return err_set(e, ERR_FORMAT, "log proof: path is too long");
		k = left ? tlog_node_hash(p->path[i], r, r, e) : tlog_node_hash(r, p->path[i], r, e);
		if (k != ERR_OK)
			return k;
		while (left && (fn & 1) == 0 && fn != 0) {
			fn >>= 1;
			sn >>= 1;
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0)
		return err_set(e, ERR_FORMAT, "log proof: path is too short");
	if (memcmp(r, root, TLOG_HASH) != 0)
		return err_set(e, ERR_DAMAGED, "log proof: the path does not lead to the root (RFC 9162 2.1.3.2)");
	return ERR_OK;
}

/* No leaves, or the same tree: nothing is hashed. */
static enum err_code
check_trivial(const struct tlog_consistency *p, const uint8_t from_root[TLOG_HASH], const uint8_t to_root[TLOG_HASH], struct err *e)
{
	uint8_t none[TLOG_HASH];

	if (p->n != 0)
		return err_set(e, ERR_FORMAT, "log proof: path is too long");
	if (p->from != 0)
		return memcmp(from_root, to_root, TLOG_HASH) == 0
		    ? ERR_OK
		    : err_set(e, ERR_DAMAGED, "log proof: two roots of one size (RFC 9162 2.1.4.2)");
	if (digest_sha256(slice_of(NULL, 0), none, e) != ERR_OK)
		return err_wrap(e, "log proof");
	return memcmp(from_root, none, TLOG_HASH) == 0 ? ERR_OK : err_set(e, ERR_DAMAGED, "log proof: the root of no leaves");
}

struct both {
	uint8_t from[TLOG_HASH], to[TLOG_HASH];
	uint64_t fn, sn;
};

static enum err_code
consistency_step(struct both *b, const uint8_t c[TLOG_HASH], struct err *e)
{
	enum err_code r;

	if (b->sn == 0)
		return err_set(e, ERR_FORMAT, "log proof: path is too long");
	if ((b->fn & 1) == 0 && b->fn != b->sn) {
		r = tlog_node_hash(b->to, c, b->to, e);
	} else {
		r = tlog_node_hash(c, b->from, b->from, e);
		if (r == ERR_OK)
			r = tlog_node_hash(c, b->to, b->to, e);
		while ((b->fn & 1) == 0 && b->fn != 0) {
			b->fn >>= 1;
			b->sn >>= 1;
		}
	}
	b->fn >>= 1;
	b->sn >>= 1;
	return r;
}

enum err_code
tlog_verify_consistency(const struct tlog_consistency *p, const uint8_t from_root[TLOG_HASH], const uint8_t to_root[TLOG_HASH],
    struct err *e)
{
	bool whole = (p->from & (p->from - 1)) == 0; /* the first tree is a node of the second: its root is not said again */
	struct both b = {.fn = p->from - 1, .sn = p->to - 1};
	enum err_code r = ERR_OK;
	size_t i;

	if (p->from > p->to || p->n > TLOG_PATH_MAX + 1)
		return err_set(e, ERR_FORMAT, "log proof: sizes or path length");
	if (p->from == 0 || p->from == p->to)
		return check_trivial(p, from_root, to_root, e);
	if (p->n == 0)
		return err_set(e, ERR_FORMAT, "log proof: path is too short");
	for (; (b.fn & 1) != 0; b.fn >>= 1)
		b.sn >>= 1;
	memcpy(b.from, whole ? from_root : p->path[0], TLOG_HASH);
	memcpy(b.to, b.from, TLOG_HASH);
	for (i = whole ? 0 : 1; r == ERR_OK && i < p->n; i++)
		r = consistency_step(&b, p->path[i], e);
	if (r != ERR_OK)
		return r;
	if (b.sn != 0)
		return err_set(e, ERR_FORMAT, "log proof: path is too short");
	if (memcmp(b.from, from_root, TLOG_HASH) != 0 || memcmp(b.to, to_root, TLOG_HASH) != 0)
		return err_set(e, ERR_DAMAGED, "log proof: the larger tree does not begin with the smaller one (RFC 9162 2.1.4.2)");
	return ERR_OK;
}

/* The last peaks merge as long as the tree has a subtree of their size: as carrying in a binary counter. */
enum err_code
tlog_append(struct tlog_edge *t, const uint8_t leaf_hash[TLOG_HASH], const struct tlog_nodes *nodes, struct err *e)
{
	uint8_t h[TLOG_HASH];
	uint64_t at = t->size;
	size_t n = t->n;
	unsigned level = 0;

	memcpy(h, leaf_hash, TLOG_HASH);
	for (;;) {
		if (nodes != NULL && nodes->put(nodes->ctx, level, at, h, e) != ERR_OK)
			return e != NULL ? e->code : ERR_IO;
		if ((at & 1) == 0)
			break;
		if (tlog_node_hash(t->peak[n - 1], h, h, e) != ERR_OK)
			return err_wrap(e, "log");
		n--;
		at >>= 1;
		level++;
	}
	memcpy(t->peak[n], h, TLOG_HASH);
	t->n = n + 1;
	t->size++;
	return ERR_OK;
}

enum err_code
tlog_root(const struct tlog_edge *t, uint8_t out[TLOG_HASH], struct err *e)
{
	size_t i = t->n;

	if (i == 0)
		return digest_sha256(slice_of(NULL, 0), out, e);
	memcpy(out, t->peak[--i], TLOG_HASH);
	while (i-- > 0)
		if (tlog_node_hash(t->peak[i], out, out, e) != ERR_OK)
			return err_wrap(e, "log");
	return ERR_OK;
}
