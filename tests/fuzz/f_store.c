/* SPDX-License-Identifier: MIT */
/* The store's own formats: groups, tar headers, notes of the log; they are read again after decades. */
#include "tests/fuzz/fuzz.h"

#include "store/store_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRONT "{\"body\":"


/* ---- groups: the octets are a body, the closing digest is put behind it ---- */

static bool
no_segment(void *ctx, uint32_t id, struct seg_id *out)
{
	(void)ctx;
	*out = (struct seg_id){.id = id, .kind = STORE_SHARED};
	return true;
}

static void
close_group(struct slice body, struct buf *out)
{
	uint8_t sum[32];

	fuzz_must(digest_sha256(body, sum, NULL) == ERR_OK);
	buf_adds(out, FRONT);
	buf_addslice(out, body);
	buf_adds(out, ",\"sha256\":\"");
	buf_addhex(out, slice_of(sum, sizeof(sum)));
	buf_adds(out, "\"}\n");
}

static void
one_group(struct slice in)
{
	AUTO(buf) struct buf text = {0}, again = {0};
	AUTO(group) struct group *g = NULL;
	uint8_t prev[32];
	struct err e = {0};
	uint64_t n;

	if (in.n != 0 && in.p[in.n - 1] == '\n') /* as it stands */
		buf_addslice(&text, in);
	else
		close_group(in, &text);
	if (!group_whole(buf_slice(&text)))
		return;
	(void)group_link(buf_slice(&text), &n, prev);
	if (group_read(buf_slice(&text), &g, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(group_write(g, no_segment, NULL, &again, &e) == ERR_OK || e.code == ERR_LIMIT);
	/* One that was written by us is linked to its number by what recovery looks at. */
	if (again.n != 0 && group_link(buf_slice(&again), &n, prev))
		fuzz_must(n == g->n && memcmp(prev, g->prev, 32) == 0);
}

/* ---- tar: whatever is read as a header is the header that we make ---- */

static void
one_tar(struct slice in)
{
	struct source from = source_slice(&in);
	char name[TAR_NAME];
	uint8_t made[TAR_HEAD_MAX];
	struct seg_id id;
	uint64_t size, off = 0;

	while (tar_read_head(&from, off, name, &size)) {
		tar_head(name, size, made);
		fuzz_must(memcmp(made, in.p + off, tar_head_bytes(size)) == 0);
		(void)seg_parse(name, &id);
		if (size > in.n)
			break;
		off += tar_member_bytes(size);
	}
}

/* ---- the log ---- */

static void
one_checkpoint(struct slice in)
{
	struct tlog_checkpoint c;
	struct err e = {0};
	enum err_code code = tlog_checkpoint_verify(in, fuzz_kit("log.pub"), &c, &e);

	/* No second text is signed by this key. */
	if (code == ERR_OK)
		fuzz_must(memmem(in.p, in.n, c.origin, strlen(c.origin)) == in.p && memmem(fuzz_kit("checkpoint").p, fuzz_kit("checkpoint").n, c.origin, strlen(c.origin)) != NULL);
	fuzz_must(code != ERR_BUG);
	(void)!tlog_checkpoint_verify(fuzz_kit("checkpoint"), in, &c, &e);
}

/* A leaf, then a proof: index, size, hashes. */
static void
one_proof(struct slice in)
{
	struct cur c = cur_from(in);
	struct slice leaf = cur_take(&c, TLOG_LEAF_OCTETS), h;
	struct tlog_leaf l;
	struct tlog_proof p = {.index = cur_be64(&c), .size = cur_be64(&c)};
	uint8_t hash[TLOG_HASH], octets[TLOG_LEAF_OCTETS], root[TLOG_HASH] = {0};

	for (h = cur_take(&c, TLOG_HASH); h.n != 0 && p.n < TLOG_PATH_MAX; h = cur_take(&c, TLOG_HASH))
		memcpy(p.path[p.n++], h.p, TLOG_HASH);
	if (tlog_leaf_decode(leaf, &l, NULL) == ERR_OK) {
		tlog_leaf_encode(&l, octets);
		fuzz_must(memcmp(octets, leaf.p, sizeof(octets)) == 0);
	}
	if (leaf.n == TLOG_LEAF_OCTETS) {
		fuzz_must(tlog_leaf_hash(leaf, hash, NULL) == ERR_OK);
		fuzz_must(tlog_verify_inclusion(hash, &p, root, NULL) != ERR_OK);
	}
}

const struct fuzz_entry fuzz_store[] = {
    {.name = "group", .max_bytes = 65536, .one = one_group},
    {.name = "tar", .max_bytes = 8192, .one = one_tar},
    {.name = "checkpoint", .max_bytes = 4096, .one = one_checkpoint},
    {.name = "proof", .max_bytes = 4096, .one = one_proof},
    {.name = NULL},
};
