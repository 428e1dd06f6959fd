/* SPDX-License-Identifier: MIT */
/* The log's tree against the definition in RFC 9162 2.1, its proofs, and the checkpoint with every octet spoiled. */
#include "tests/kit.h"

#include "store/tlog.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define LEAVES 70

static void
leaf_octets(unsigned i, uint8_t out[TLOG_LEAF_OCTETS])
{
	struct tlog_leaf l = {.epoch = TLOG_EPOCH, .type = (uint16_t)(i + 1), .time_utc = 1767225600 + (int64_t)i};

	l.record[15] = (uint8_t)i;
	l.event[0] = (uint8_t)(i * 3);
	tlog_leaf_encode(&l, out);
}

static void
leaf_hash(unsigned i, uint8_t out[TLOG_HASH])
{
	uint8_t octets[TLOG_LEAF_OCTETS];
	struct err e = {0};

	leaf_octets(i, octets);
	OK(tlog_leaf_hash(slice_of(octets, sizeof(octets)), out, &e));
}

/* MTH(D[from:from+n]) word for word, RFC 9162 2.1.1. */
static void
mth(unsigned from, unsigned n, uint8_t out[TLOG_HASH])
{
	uint8_t in[1 + 2 * TLOG_HASH] = {0x01};
	struct err e = {0};
	unsigned k = 1;

	if (n == 0) {
		OK(digest_sha256(slice_of(NULL, 0), out, &e));
		return;
	}
	if (n == 1) {
		leaf_hash(from, out);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	mth(from, k, in + 1);
	mth(from + k, n - k, in + 1 + TLOG_HASH);
	OK(digest_sha256(slice_of(in, sizeof(in)), out, &e));
}

/* PATH(m, D[from:from+n]), RFC 9162 2.1.3.1. */
static void
path(unsigned m, unsigned from, unsigned n, struct tlog_proof *p)
{
	unsigned k = 1;

	if (n == 1)
		return;
	while (k * 2 < n)
		k *= 2;
	if (m < k) {
		path(m, from, k, p);
		mth(from + k, n - k, p->path[p->n++]);
	} else {
		path(m - k, from + k, n - k, p);
		mth(from, k, p->path[p->n++]);
	}
}

static void
test_leaf_form(void **state)
{
	static const char want[] = "01" "0001" "0203" "0000000069a0b1c2" "000102030405060708090a0b0c0d0e0f"
				   "ff00000000000000000000000000000000000000000000000000000000000000";
	struct tlog_leaf l = {.epoch = 1, .type = 0x203, .time_utc = 0x69a0b1c2}, back;
	uint8_t octets[TLOG_LEAF_OCTETS];
	char hex[2 * TLOG_LEAF_OCTETS + 1];
	struct err e = {0};
	unsigned i;

	(void)state;
	for (i = 0; i < 16; i++)
		l.record[i] = (uint8_t)i;
	l.event[0] = 0xff;
	tlog_leaf_encode(&l, octets);
	hex_of(slice_of(octets, sizeof(octets)), hex);
	assert_string_equal(hex, want);
	OK(tlog_leaf_decode(slice_of(octets, sizeof(octets)), &back, &e));
	assert_memory_equal(&l, &back, sizeof(l));
	for (i = 0; i < TLOG_LEAF_OCTETS; i++)
		FAILS(ERR_FORMAT, tlog_leaf_decode(slice_of(octets, i), &back, &e));
	octets[2] = 2;
	FAILS(ERR_UNSUPPORTED, tlog_leaf_decode(slice_of(octets, sizeof(octets)), &back, &e));
}

static void
test_root_of_every_size(void **state)
{
	struct tlog_edge t = {0};
	uint8_t want[TLOG_HASH], got[TLOG_HASH], h[TLOG_HASH];
	struct err e = {0};
	unsigned n;

	(void)state;
	for (n = 0; n <= LEAVES; n++) {
		mth(0, n, want);
		OK(tlog_root(&t, got, &e));
		SAME(slice_of(want, TLOG_HASH), slice_of(got, TLOG_HASH));
		leaf_hash(n, h);
		OK(tlog_append(&t, h, NULL, &e));
	}
}

static void
test_proof_of_every_leaf(void **state)
{
	uint8_t root[TLOG_HASH], h[TLOG_HASH];
	struct err e = {0};
	unsigned n, m;

	(void)state;
	for (n = 1; n <= LEAVES; n++) {
		mth(0, n, root);
		for (m = 0; m < n; m += 1 + n / 9) {
			struct tlog_proof p = {.index = m, .size = n}, bad;

			path(m, 0, n, &p);
			leaf_hash(m, h);
			OK(tlog_verify_inclusion(h, &p, root, &e));
			bad = p;
			h[5] ^= 1;
			FAILS(ERR_DAMAGED, tlog_verify_inclusion(h, &p, root, &e));
			h[5] ^= 1;
			if (p.n != 0) {
				bad.path[p.n / 2][7] ^= 1;
				FAILS(ERR_DAMAGED, tlog_verify_inclusion(h, &bad, root, &e));
				bad = p;
				bad.n--;
				FAILS(ERR_FORMAT, tlog_verify_inclusion(h, &bad, root, &e));
				bad = p;
				bad.index ^= 1; /* the neighbour */
				if (bad.index < n)
					assert_int_not_equal(tlog_verify_inclusion(h, &bad, root, &e), ERR_OK);
			}
			bad = p;
			bad.n++;
			FAILS(ERR_FORMAT, tlog_verify_inclusion(h, &bad, root, &e));
			bad = p;
			bad.index = n;
			FAILS(ERR_FORMAT, tlog_verify_inclusion(h, &bad, root, &e));
			bad.size = 0;
			FAILS(ERR_FORMAT, tlog_verify_inclusion(h, &bad, root, &e));
		}
	}
}

struct keys {
	uint8_t seed[TLOG_SEED];
	struct buf pub;
};

static void
keys_make(struct keys *k, uint8_t seed)
{
	BIO *b = BIO_new(BIO_s_mem());
	EVP_PKEY *p;
	char *text = NULL;
	long n;

	memset(k->seed, seed, sizeof(k->seed));
	p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, sizeof(k->seed));
	assert_int_equal(PEM_write_bio_PUBKEY(b, p), 1);
	n = BIO_get_mem_data(b, &text);
	buf_add(&k->pub, text, (size_t)n);
	BIO_free(b);
	EVP_PKEY_free(p);
}

static void
keys_auto(struct keys *k)
{
	buf_release(&k->pub);
}

static void
spoiled(struct slice text, const char *what, void *ctx)
{
	struct keys *k = ctx;
	struct tlog_checkpoint c;
	struct err e = {0};

	if (tlog_checkpoint_verify(text, buf_slice(&k->pub), &c, &e) == ERR_OK)
		fail_msg("checkpoint with %s is taken", what);
}

static void
test_checkpoint(void **state)
{
	AUTO(keys) struct keys k = {0};
	AUTO(keys) struct keys other = {0};
	AUTO(buf) struct buf text = {0}, empty = {0};
	struct tlog_checkpoint c = {.origin = "everseal/test", .size = 7, .time_utc = 1767225600}, back;
	struct err e = {0};

	(void)state;
	keys_make(&k, 1);
	keys_make(&other, 2);
	mth(0, 7, c.root);
	OK(tlog_checkpoint_sign(&c, k.seed, &text, &e));
	assert_memory_equal(buf_str(&text), "everseal/test\n7\n", 16);
	OK(tlog_checkpoint_verify(buf_slice(&text), buf_slice(&k.pub), &back, &e));
	assert_string_equal(back.origin, c.origin);
	assert_int_equal(back.size, 7);
	assert_int_equal(back.time_utc, c.time_utc);
	assert_memory_equal(back.root, c.root, TLOG_HASH);
	FAILS(ERR_REFUSED, tlog_checkpoint_verify(buf_slice(&text), buf_slice(&other.pub), &back, &e));
	FAILS(ERR_USAGE, tlog_checkpoint_verify(buf_slice(&text), slice_str("no key"), &back, &e));
	FAILS(ERR_FORMAT, tlog_checkpoint_verify(buf_slice(&empty), buf_slice(&k.pub), &back, &e));
	text.p[14] = '8'; /* another size, same signature */
	FAILS(ERR_DAMAGED, tlog_checkpoint_verify(buf_slice(&text), buf_slice(&k.pub), &back, &e));
	text.p[14] = '7';
	kit_each_prefix(buf_slice(&text), spoiled, &k);
	kit_each_bit_flip(buf_slice(&text), spoiled, &k);
	c.time_utc = TIME_NONE;
	buf_clear(&text);
	OK(tlog_checkpoint_sign(&c, k.seed, &text, &e));
	OK(tlog_checkpoint_verify(buf_slice(&text), buf_slice(&k.pub), &back, &e));
	assert_true(back.time_utc == TIME_NONE);
}

/* SUBPROOF(m, D[from:from+n], b) word for word, RFC 9162 2.1.4.1. */
static void
subproof(unsigned m, unsigned from, unsigned n, bool b, struct tlog_consistency *p)
{
	unsigned k = 1;

	if (m == n) {
		if (!b)
			mth(from, n, p->path[p->n++]);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	if (m <= k) {
		subproof(m, from, k, b, p);
		mth(from + k, n - k, p->path[p->n++]);
	} else {
		subproof(m - k, from + k, n - k, false, p);
		mth(from, k, p->path[p->n++]);
	}
}

/* Every pair of sizes up to 64; then one thing changed at a time. */
static void
test_consistency_of_all_sizes(void **state)
{
	uint8_t from[TLOG_HASH], to[TLOG_HASH];
	struct err e = {0};
	unsigned m, n, i;

	(void)state;
	for (n = 1; n <= 64; n++) {
		mth(0, n, to);
		for (m = 1; m <= n; m++) {
			struct tlog_consistency p = {.from = m, .to = n}, bad;

			mth(0, m, from);
			subproof(m, 0, n, true, &p);
			OK(tlog_verify_consistency(&p, from, to, &e));
			from[7] ^= 4;
			FAILS(ERR_DAMAGED, tlog_verify_consistency(&p, from, to, &e));
			from[7] ^= 4;
			to[0] ^= 0x80;
			FAILS(ERR_DAMAGED, tlog_verify_consistency(&p, from, to, &e));
			to[0] ^= 0x80;
			for (i = 0; i < p.n; i++) {
				bad = p;
				bad.path[i][31] ^= 1;
				FAILS(ERR_DAMAGED, tlog_verify_consistency(&bad, from, to, &e));
			}
			bad = p;
			bad.n++;
			FAILS(ERR_FORMAT, tlog_verify_consistency(&bad, from, to, &e));
			if (p.n != 0) {
				bad = p;
				bad.n--;
				FAILS(ERR_FORMAT, tlog_verify_consistency(&bad, from, to, &e));
			}
			bad = p;
			bad.from = n + 1;
			FAILS(ERR_FORMAT, tlog_verify_consistency(&bad, from, to, &e));
			if (m < n) { /* the same path says nothing of the neighbours */
				bad = p;
				bad.from = m + 1;
				assert_int_not_equal(tlog_verify_consistency(&bad, from, to, &e), ERR_OK);
			}
		}
	}
}

/* The proofs that RFC 9162 2.1.5 spells out over its tree of seven leaves. */
static void
test_consistency_as_printed(void **state)
{
	static const struct {
		unsigned from, n;
		struct {
			unsigned at, leaves;
		} node[3 + 1];
	} rows[] = {
	    {3, 4, {{2, 1}, {3, 1}, {0, 2}, {4, 3}}}, /* c, d, g, l */
	    {4, 1, {{4, 3}}},			       /* l */
	    {6, 3, {{4, 2}, {6, 1}, {0, 4}}},	       /* i, j, k */
	};
	uint8_t from[TLOG_HASH], to[TLOG_HASH];
	struct err e = {0};
	size_t i, k;

	(void)state;
	mth(0, 7, to);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tlog_consistency p = {.from = rows[i].from, .to = 7, .n = rows[i].n};

		for (k = 0; k < rows[i].n; k++)
			mth(rows[i].node[k].at, rows[i].node[k].leaves, p.path[k]);
		mth(0, rows[i].from, from);
		OK(tlog_verify_consistency(&p, from, to, &e));
	}
}

/* Numbers that others got: the first and the eighth tree of Certificate Transparency's reference leaves. */
static void
test_consistency_of_others(void **state)
{
	static const char *const path[] = {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"};
	struct tlog_consistency p = {.from = 1, .to = 8, .n = 3};
	uint8_t from[TLOG_HASH], to[TLOG_HASH];
	struct err e = {0};
	size_t i;

	(void)state;
	assert_true(hex_to("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", 64, from));
	assert_true(hex_to("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328", 64, to));
	for (i = 0; i < 3; i++)
		assert_true(hex_to(path[i], 64, p.path[i]));
	OK(tlog_verify_consistency(&p, from, to, &e));
}

static void
test_consistency_with_nothing(void **state)
{
	struct tlog_consistency p = {.from = 0, .to = 5};
	uint8_t from[TLOG_HASH], to[TLOG_HASH];
	struct err e = {0};

	(void)state;
	mth(0, 0, from);
	mth(0, 5, to);
	OK(tlog_verify_consistency(&p, from, to, &e));
	from[0] ^= 1;
	FAILS(ERR_DAMAGED, tlog_verify_consistency(&p, from, to, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_leaf_form),
	    cmocka_unit_test(test_root_of_every_size),
	    cmocka_unit_test(test_proof_of_every_leaf),
	    cmocka_unit_test(test_consistency_of_all_sizes),
	    cmocka_unit_test(test_consistency_as_printed),
	    cmocka_unit_test(test_consistency_of_others),
	    cmocka_unit_test(test_consistency_with_nothing),
	    cmocka_unit_test(test_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
