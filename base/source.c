/* SPDX-License-Identifier: MIT */
/* Sources and sinks: octets read at an offset, octets taken as a stream. */
#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

#define COPY_BYTES ((size_t)256 << 10)

static enum err_code
slice_read_at(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	const struct slice *s = ctx;

	if (off > s->n || n > s->n - off)
		return err_set(e, ERR_BUG, "read of %zu at %llu past %zu", n, (unsigned long long)off, s->n);
	if (n != 0)
		memcpy(to, s->p + off, n);
	return ERR_OK;
}

struct source
source_slice(const struct slice *s)
{
	return (struct source){slice_read_at, (void *)(uintptr_t)s, s->n};
}

static enum err_code
fd_read_at(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	return sys_pread(*(const int *)ctx, to, n, off, e);
}

enum err_code
source_fd(const int *fd, struct source *out, struct err *e)
{
	uint64_t size = 0;

	if (sys_size(*fd, &size, e) != ERR_OK)
		return err_wrap(e, "source");
	*out = (struct source){fd_read_at, (void *)(uintptr_t)fd, size};
	return ERR_OK;
}

enum err_code
source_read_all(const struct source *s, size_t max_bytes, struct buf *out, struct err *e)
{
	if (s->size_bytes > max_bytes)
		return err_set(
		    e, ERR_LIMIT, "%llu octets, at most %zu", (unsigned long long)s->size_bytes, max_bytes);
	if (!buf_room(out, (size_t)s->size_bytes))
		return buf_ok(out, e);
	if (s->read_at(s->ctx, 0, out->p + out->n, (size_t)s->size_bytes, e) != ERR_OK)
		return e != NULL ? e->code : ERR_IO;
	out->n += (size_t)s->size_bytes;
	out->p[out->n] = 0;
	return ERR_OK;
}

static enum err_code
buf_write(void *ctx, struct slice s, struct err *e)
{
	buf_addslice(ctx, s);
	return buf_ok(ctx, e);
}

struct sink
sink_buf(struct buf *b)
{
	return (struct sink){buf_write, b};
}

static enum err_code
fd_write(void *ctx, struct slice s, struct err *e)
{
	return sys_append(*(const int *)ctx, s, e);
}

struct sink
sink_fd(const int *fd)
{
	return (struct sink){fd_write, (void *)(uintptr_t)fd};
}

enum err_code
sink_write(const struct sink *s, struct slice data, struct err *e)
{
	return data.n == 0 ? ERR_OK : s->write(s->ctx, data, e);
}

enum err_code
source_copy(const struct source *from, uint64_t off, uint64_t n, const struct sink *to, struct err *e)
{
	AUTO(mem) uint8_t *piece = malloc(n < COPY_BYTES ? (size_t)n + 1 : COPY_BYTES); /* filled before it is read */
	enum err_code r = ERR_OK;

	if (piece == NULL)
		return err_nomem(e);
	while (n != 0 && r == ERR_OK) {
		size_t k = n < COPY_BYTES ? (size_t)n : COPY_BYTES;

		r = from->read_at(from->ctx, off, piece, k, e);
		if (r == ERR_OK)
			r = sink_write(to, slice_of(piece, k), e);
		off += k;
		n -= k;
	}
	return r;
}
