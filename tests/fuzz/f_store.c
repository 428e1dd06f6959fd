/* SPDX-License-Identifier: MIT */
/* The store's own formats: groups, tar headers, notes of the log; they are read again after decades. */
#include "tests/fuzz/fuzz.h"

#include "store/store_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
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
	if (group_whole(buf_slice(&text), &e) != ERR_OK)
		return;
	(void)!group_link(buf_slice(&text), &n, prev, NULL);
	if (group_read(buf_slice(&text), &g, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(group_write(g, no_segment, NULL, &again, &e) == ERR_OK || e.code == ERR_LIMIT);
	/* One that was written by us is linked to its number by what recovery looks at. */
	if (again.n != 0 && group_link(buf_slice(&again), &n, prev, NULL) == ERR_OK)
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
	struct slice ours = fuzz_kit("checkpoint");
	const uint8_t *end = memmem(ours.p, ours.n, "\n\n", 2);
	struct tlog_checkpoint c;
	struct err e = {0};
	enum err_code code = tlog_checkpoint_verify(in, fuzz_kit("log.pub"), &c, &e);

	/* No second text is signed by this key. */
	if (code == ERR_OK)
		fuzz_must(end != NULL && in.n >= (size_t)(end - ours.p) && memcmp(in.p, ours.p, (size_t)(end - ours.p)) == 0);
	fuzz_must(code != ERR_BUG);
	(void)!tlog_checkpoint_verify(ours, in, &c, &e);
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

/* ---- a whole store that others had in hand: its last group is another one ---- */

static struct buf log_segment;
static size_t group_at_octet;
static char group_name[TAR_NAME], log_name[SEG_NAME];

static void
shell(const char *fmt, ...) PRINTF(1, 2);

static void
shell(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	fuzz_must(system(command) == 0);
}

/* The newest log segment of kit/store and where its last group stands. */
static bool
open_store(void)
{
	struct dirent **names = NULL;
	char path[256], name[TAR_NAME];
	struct slice all;
	struct source from;
	struct err e = {0};
	uint64_t size, off;
	int n;

	if (fuzz_scratch() == NULL || (n = scandir(fuzz_path("store/segments"), &names, NULL, alphasort)) < 0)
		return false;
	while (n-- > 0) {
		if (log_name[0] == '\0' && strncmp(names[n]->d_name, "log-", 4) == 0)
			snprintf(log_name, sizeof(log_name), "%.40s", names[n]->d_name);
		free(names[n]);
	}
	free(names);
	snprintf(path, sizeof(path), "store/segments/%s", log_name);
	if (sys_read_file(AT_FDCWD, fuzz_path(path), 16 << 20, &log_segment, &e) != ERR_OK)
		return false;
	all = buf_slice(&log_segment);
	from = source_slice(&all);
	for (off = 0; tar_read_head(&from, off, name, &size); off += tar_member_bytes(size)) {
		if (strncmp(name, "groups/", 7) != 0)
			continue;
		group_at_octet = off;
		memcpy(group_name, name, sizeof(name));
	}
	return group_name[0] != '\0';
}

static void
put_group(struct slice body)
{
	AUTO(buf) struct buf text = {0}, file = {0};
	uint8_t head[TAR_HEAD_MAX];
	char path[256];
	FILE *f;

	close_group(body, &text);
	buf_add(&file, log_segment.p, group_at_octet);
	tar_head(group_name, text.n, head);
	buf_add(&file, head, tar_head_bytes(text.n));
	buf_addslice(&file, buf_slice(&text));
	buf_room(&file, tar_padding(text.n));
	memset(file.p + file.n, 0, tar_padding(text.n));
	file.n += tar_padding(text.n);
	snprintf(path, sizeof(path), "%s/store/segments/%s", fuzz_scratch(), log_name);
	f = fopen(path, "we");
	fuzz_must(f != NULL && fwrite(file.p, 1, file.n, f) == file.n && fclose(f) == 0);
}

/* It is opened or it is not; what was opened can be looked through. */
static void
one_store(struct slice in)
{
	static const int64_t now = FUZZ_TIME;
	const struct store_seams seams = {.clock = clock_fixed(&now)};
	AUTO(store) struct store *s = NULL;
	AUTO(mem) char *dir = mem_printf("%s/store", fuzz_scratch());
	AUTO(buf) struct buf checkpoint = {0};
	struct store_report r;
	struct err e = {0};

	shell("rm -rf '%s' && cp -r '%s' '%s' && chmod -R u+w '%s'", dir, fuzz_path("store"), dir, dir);
	put_group(in);
	if (store_open(dir, STORE_WRITE, &seams, &s, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG && e.code != ERR_NOMEM);
		return;
	}
	(void)!store_scrub(s, true, NULL, &r, &e);
	(void)!store_log_verify(s, NULL, &r, &e);
	(void)!store_log_checkpoint(s, &checkpoint, &e);
}

const struct fuzz_entry fuzz_store[] = {
    {.name = "group", .max_bytes = 65536, .one = one_group},
    {.name = "tar", .max_bytes = 8192, .one = one_tar},
    {.name = "checkpoint", .max_bytes = 4096, .one = one_checkpoint},
    {.name = "store", .max_bytes = 65536, .open = open_store, .one = one_store},
    {.name = "proof", .max_bytes = 4096, .one = one_proof},
    {.name = NULL},
};
