/* SPDX-License-Identifier: MIT */
/*
 * The log as pure functions: leaves, RFC 9162 hashing, inclusion proofs and
 * signed checkpoints. Nothing here needs a store: a receipt is checked offline
 * with tlog_leaf_hash, tlog_verify_inclusion and tlog_checkpoint_verify.
 * Bytes: docs/log.md 6.
 */
#ifndef EVERSEAL_STORE_TLOG_H
#define EVERSEAL_STORE_TLOG_H

#include "base/digest.h"

#define TLOG_HASH 32	   /* epoch 1: SHA-256 */
#define TLOG_LEAF_OCTETS 61
#define TLOG_PATH_MAX 64
#define TLOG_EPOCH 1
#define TLOG_SEED 32 /* epoch 1: Ed25519 private key (RFC 8032 5.1.5) */

/* What a leaf says. Names, titles and subjects never stand here: event is a salted digest of the details. */
struct tlog_leaf {
	uint16_t epoch; /* 1 */
	uint16_t type;	/* the archiver's table of event types; 0 is not used */
	int64_t time_utc;
	uint8_t record[16];
	uint8_t event[TLOG_HASH];
};

/* The path of leaf `index` to the root of the first `size` leaves. */
struct tlog_proof {
	uint64_t index, size;
	size_t n;
	uint8_t path[TLOG_PATH_MAX][TLOG_HASH];
};

/* That the tree of `to` leaves begins with the tree of `from` leaves (RFC 9162 2.1.4). */
struct tlog_consistency {
	uint64_t from, to;
	size_t n;
	uint8_t path[TLOG_PATH_MAX + 1][TLOG_HASH];
};

struct tlog_checkpoint {
	char origin[128];
	uint64_t size;
	uint8_t root[TLOG_HASH];
	int64_t time_utc; /* TIME_NONE when the note carries none */
};

void tlog_leaf_encode(const struct tlog_leaf *leaf, uint8_t out[TLOG_LEAF_OCTETS]);
/* ERR_FORMAT for another length or version octet. */
MUST_USE enum err_code tlog_leaf_decode(struct slice in, struct tlog_leaf *out, struct err *e);
/* H(0x00 || leaf) and H(0x01 || left || right), RFC 9162 2.1.1. */
MUST_USE enum err_code tlog_leaf_hash(struct slice leaf, uint8_t out[TLOG_HASH], struct err *e);
MUST_USE enum err_code tlog_node_hash(const uint8_t l[TLOG_HASH], const uint8_t r[TLOG_HASH], uint8_t out[TLOG_HASH],
    struct err *e);

/*
 * RFC 9162 2.1.3.2: ERR_OK when the path leads from leaf_hash to root, ERR_DAMAGED when it leads elsewhere,
 * ERR_FORMAT when index, size and path length do not fit together.
 */
MUST_USE enum err_code tlog_verify_inclusion(const uint8_t leaf_hash[TLOG_HASH], const struct tlog_proof *p,
    const uint8_t root[TLOG_HASH], struct err *e);

/*
 * RFC 9162 2.1.4.2: ERR_OK when the path proves that the tree with to_root begins with the one with from_root. The tree of
 * no leaves is the beginning of every one, of itself each, both by an empty path. ERR_DAMAGED: it does not prove it.
 * ERR_FORMAT: sizes and path length do not fit together.
 */
MUST_USE enum err_code tlog_verify_consistency(const struct tlog_consistency *p, const uint8_t from_root[TLOG_HASH],
    const uint8_t to_root[TLOG_HASH], struct err *e);

/*
 * A signed note (C2SP tlog-checkpoint): origin, size, root in base64, "time <seconds>", empty line, signature line of
 * an Ed25519 key. The text is appended to out.
 */
MUST_USE enum err_code tlog_checkpoint_sign(const struct tlog_checkpoint *c, const uint8_t seed[TLOG_SEED], struct buf *out,
    struct err *e);
/*
 * pub_pem: SubjectPublicKeyInfo PEM. ERR_OK: one signature line is of this key and holds. ERR_REFUSED: none is of this
 * key (not the same as false). ERR_DAMAGED: it is of this key and false. ERR_FORMAT: not a checkpoint. out is written on
 * ERR_OK only.
 */
MUST_USE enum err_code tlog_checkpoint_verify(struct slice text, struct slice pub_pem, struct tlog_checkpoint *out,
    struct err *e);

/* The right edge of a growing tree: one hash for each set bit of size, largest subtree first. All-zero = empty tree. */
struct tlog_edge {
	uint64_t size;
	size_t n;
	uint8_t peak[TLOG_PATH_MAX][TLOG_HASH];
};
/* Called for each complete node that an append makes, leaves (level 0) included; index counts within the level. */
struct tlog_nodes {
	enum err_code (*put)(void *ctx, unsigned level, uint64_t index, const uint8_t hash[TLOG_HASH], struct err *e);
	void *ctx;
};
/* nodes may be NULL. After a failure the edge is unchanged. */
MUST_USE enum err_code tlog_append(struct tlog_edge *t, const uint8_t leaf_hash[TLOG_HASH], const struct tlog_nodes *nodes,
    struct err *e);
/* Root of the tree; of no leaves: SHA-256 of nothing. */
MUST_USE enum err_code tlog_root(const struct tlog_edge *t, uint8_t out[TLOG_HASH], struct err *e);

#endif
