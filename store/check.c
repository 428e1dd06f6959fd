/* SPDX-License-Identifier: MIT */
/*
 * Reading members again and comparing all of it: header, content, padding. One
 * window moves forward over the segment, so that small members cost no calls
 * of their own.
 */
#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW ((size_t)1 << 20)

struct checker {
	struct seg_id id;
	int fd;
	uint64_t size; /* of the file */
	uint8_t *window;
	uint64_t at; /* of the window's first octet */
	size_t n;    /* octets in it */
	struct digester *d;
	bool full;
};

enum err_code
checker_new(bool full, struct checker **out, struct err *e)
{
	static const enum digest_alg algs[2] = {DIGEST_SHA256, DIGEST_SHA512};
	AUTO(checker) struct checker *c = mem_new(1, sizeof(*c));
	enum err_code r;

	if (c == NULL)
		return err_nomem(e);
	c->fd = -1;
	c->full = full;
	c->window = mem_new(1, WINDOW);
	if (c->window == NULL)
		return err_nomem(e);
	r = digester_new(algs, full ? 2 : 1, &c->d, e);
	if (r == ERR_OK)
		*out = TAKE(c);
	return r;
}

void
checker_auto(struct checker **c)
{
	int saved = errno;

	if (*c == NULL)
		return;
	if ((*c)->fd >= 0)
		close((*c)->fd);
	digester_free((*c)->d);
	free((*c)->window);
	free(*c);
	errno = saved;
}

enum err_code
checker_segment(struct checker *c, struct store *s, const struct seg_id *id, struct err *e)
{
	enum err_code r;

	if (c->fd >= 0 && c->id.id == id->id)
		return ERR_OK;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->id = *id;
	c->n = 0;
	r = store_segment_fd(s, id, &c->fd, e);
	return r == ERR_OK ? sys_size(c->fd, &c->size, e) : r;
}

uint64_t
checker_bytes(const struct checker *c)
{
	return c->size;
}

enum err_code
checker_again(struct checker *c, const struct member *m, struct err *e)
{
	enum err_code r = sys_size(c->fd, &c->size, e);

	c->n = 0;
	return r == ERR_OK ? checker_member(c, m, e) : r;
}

/* At least one octet at off, at most n; good until the next call. */
static enum err_code
look(struct checker *c, uint64_t off, uint64_t n, struct slice *out, struct err *e)
{
	size_t k;

	if (off >= c->size)
		return err_set(e, ERR_DAMAGED, "cut off");
	if (off < c->at || off - c->at >= c->n) {
		k = c->size - off < WINDOW ? (size_t)(c->size - off) : WINDOW;
		c->n = 0;
		if (sys_pread(c->fd, c->window, k, off, NULL) != ERR_OK) {
			/* a bad sector ahead must not spoil what stands before it */
			k = n < k ? (size_t)n : k;
			if (sys_pread(c->fd, c->window, k, off, e) != ERR_OK)
				return err_wrap(e, "offset %" PRIu64, off);
		}
		c->at = off;
		c->n = k;
	}
	k = (size_t)(off - c->at);
	*out = slice_of(c->window + k, c->n - k < n ? c->n - k : (size_t)n);
	return ERR_OK;
}

enum err_code
checker_octets(struct checker *c, uint64_t off, struct slice want, const char *what, struct err *e)
{
	while (want.n != 0) {
		struct slice got = {0};
		enum err_code r = look(c, off, want.n, &got, e);

		if (r != ERR_OK)
			return r;
		if (memcmp(got.p, want.p, got.n) != 0)
			return err_set(e, ERR_DAMAGED, "%s", what);
		off += got.n;
		want = slice_of(want.p + got.n, want.n - got.n);
	}
	return ERR_OK;
}

static enum err_code
check_content(struct checker *c, uint64_t off, const struct store_ref *ref, struct err *e)
{
	struct digest got[2];
	uint64_t left = ref->size_bytes;
	enum err_code r = ERR_OK, end;

	while (r == ERR_OK && left != 0) {
		struct slice piece = {0};

		r = look(c, off, left, &piece, e);
		if (r == ERR_OK)
			r = digester_add(c->d, piece, e);
		off += piece.n;
		left -= piece.n;
	}
	end = digester_finish(c->d, got, r == ERR_OK ? e : NULL); /* also when it failed: the digester starts anew */
	if (r != ERR_OK || end != ERR_OK)
		return r != ERR_OK ? r : end;
	if (memcmp(got[0].octets, ref->sha256, 32) != 0)
		return err_set(e, ERR_DAMAGED, "SHA-256 differs");
	if (c->full && memcmp(got[1].octets, ref->sha512, 64) != 0)
		return err_set(e, ERR_DAMAGED, "SHA-512 differs");
	return ERR_OK;
}

enum err_code
checker_content(struct checker *c, const struct member *m, struct err *e)
{
	return check_content(c, m->off + tar_head_bytes(m->ref.size_bytes), &m->ref, e);
}

enum err_code
checker_member(struct checker *c, const struct member *m, struct err *e)
{
	static const uint8_t zeros[TAR_BLOCK];
	uint8_t head[TAR_HEAD_MAX];
	char name[MEMBER_NAME];
	uint64_t size = m->ref.size_bytes, at = m->off + tar_head_bytes(size);
	enum err_code r;

	member_name(m, &c->id, name);
	tar_head(name, size, head);
	r = checker_octets(c, m->off, slice_of(head, tar_head_bytes(size)), "tar header differs", e);
	if (r == ERR_OK)
		r = check_content(c, at, &m->ref, e);
	if (r == ERR_OK)
		r = checker_octets(c, at + size, slice_of(zeros, tar_padding(size)), "padding is not zero", e);
	return r;
}
