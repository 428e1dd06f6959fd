/* SPDX-License-Identifier: MIT */
/* What stands behind the end of what counts: nothing, what is written before a group, or something. */
#include "store/recover_int.h"

#include <string.h>

#define PIECE ((size_t)256 << 10)

enum err_code
anything(int fd, uint64_t off, uint64_t end, bool *out, struct err *e)
{
	AUTO(mem) uint8_t *piece = mem_new(1, PIECE);
	size_t i, n;

	*out = false;
	if (piece == NULL)
		return err_nomem(e);
	for (; !*out && off < end; off += n) {
		n = end - off < PIECE ? (size_t)(end - off) : PIECE;
		if (sys_pread(fd, piece, n, off, NULL) != ERR_OK)
			*out = true;
		for (i = 0; !*out && i < n; i++)
			*out = piece[i] != 0;
	}
	return ERR_OK;
}

enum err_code
only_seal(struct store *s, const struct seg_id *id, int fd, uint64_t from, uint64_t size, bool *out, struct err *e)
{
	const struct member m = {.kind = MEMBER_TABLE};
	AUTO(buf) struct buf text = {0};
	AUTO(buf) struct buf raw = {0};
	const struct sink to = sink_buf(&text);
	uint8_t head[TAR_HEAD_MAX], got[TAR_BLOCK], zeros[TAR_BLOCK] = {0};
	char name[MEMBER_NAME];
	size_t at, n;
	enum err_code r = seg_table(&s->index, id, NULL, UINT64_MAX, &to, e);

	member_name(&m, id, name);
	tar_head(name, text.n, head);
	buf_add(&raw, head, tar_head_bytes(text.n));
	buf_addslice(&raw, buf_slice(&text));
	buf_add(&raw, zeros, tar_padding(text.n));
	if (r == ERR_OK)
		r = buf_ok(&raw, e);
	if (r != ERR_OK)
		return r;
	*out = true;
	for (at = 0; *out && from + at < size; at += n) {
		n = size - from - at < TAR_BLOCK ? (size_t)(size - from - at) : TAR_BLOCK;
		*out = sys_pread(fd, got, n, from + at, NULL) == ERR_OK &&
		    (memcmp(got, zeros, n) == 0 || (at + n <= raw.n && memcmp(got, raw.p + at, n) == 0));
	}
	return ERR_OK;
}
