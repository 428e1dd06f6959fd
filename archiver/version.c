/* SPDX-License-Identifier: MIT */
/*
 * A version is the deposited file with ranges inserted: the manifest lists, for
 * each version, the offset in the one before and the object that holds the
 * inserted octets, and the digests of the whole. So a version costs what was
 * added, and the deposit is an ordered subsequence of it by construction.
 */
#include "archiver/archiver_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A piece of a version: a range of an object. */
struct piece {
	uint8_t sha256[32];
	uint64_t off, n;
};

struct pieces {
	struct piece *v;
	size_t n, cap;
};

static void
pieces_auto(struct pieces *p)
{
	free(p->v);
}

static enum err_code
pieces_put(struct pieces *p, size_t at, struct piece piece, struct err *e)
{
	if (!mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v)))
		return err_nomem(e);
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(*p->v));
	p->v[at] = piece;
	p->n++;
	return ERR_OK;
}

/* Insert a whole object at an offset: splits the piece that the offset lies in. */
static enum err_code
pieces_insert(struct pieces *p, uint64_t at, struct piece add, struct err *e)
{
	struct piece tail;
	size_t i;

	for (i = 0; i < p->n && at >= p->v[i].n; i++)
		at -= p->v[i].n;
	if (i == p->n && at != 0)
		return err_set(e, ERR_DAMAGED, "a version inserts past the end of the file");
	if (at == 0)
		return pieces_put(p, i, add, e);
	tail = p->v[i];
	tail.off += at;
	tail.n -= at;
	p->v[i].n = at;
	if (pieces_put(p, i + 1, tail, e) != ERR_OK)
		return err_wrap(e, "version");
	return pieces_put(p, i + 1, add, e);
}

static enum err_code
need_digest(const json_t *j, const char *key, uint8_t out[32], struct err *e)
{
	const char *hex = NULL;

	if (json_need_str(j, key, &hex, e) != ERR_OK)
		return err_wrap(e, "manifest");
	return hex32_to(hex, out) ? ERR_OK : err_set(e, ERR_FORMAT, "manifest: \"%s\" is no SHA-256", key);
}

int
version_newest(const json_t *m, size_t file)
{
	const json_t *versions = json_object_get(m, "versions"), *v = NULL;
	int newest = 0;
	size_t i;

	json_array_foreach (versions, i, v)
		if (json_integer_value(json_object_get(v, "file")) == (json_int_t)file)
			newest = (int)json_integer_value(json_object_get(v, "n"));
	return newest;
}

/* The pieces of a version, and the JSON that carries its digests. */
static enum err_code
version_pieces(const json_t *m, size_t file, int version, struct pieces *out, const json_t **whole, struct err *e)
{
	const json_t *versions = json_object_get(m, "versions"), *v = NULL;
	const json_t *original = json_array_get(json_object_get(m, "originals"), file);
	struct piece p = {0};
	int64_t at = 0;
	size_t i;

	if (original == NULL)
		return err_set(e, ERR_NOTFOUND, "the record has no file %zu", file);
	if (need_digest(original, "sha256", p.sha256, e) != ERR_OK || json_need_size(original, "size", &p.n, e) != ERR_OK)
		return err_wrap(e, "original %zu", file);
	*whole = original;
	if (pieces_put(out, 0, p, e) != ERR_OK)
		return err_wrap(e, "version");
	json_array_foreach (versions, i, v) {
		if (json_integer_value(json_object_get(v, "file")) != (json_int_t)file ||
		    (version >= 0 && json_integer_value(json_object_get(v, "n")) > version))
			continue;
		p = (struct piece){0};
		if (need_digest(v, "inserted", p.sha256, e) != ERR_OK || json_need_int(v, "at", &at, e) != ERR_OK ||
		    json_need_size(v, "inserted_size", &p.n, e) != ERR_OK ||
		    pieces_insert(out, (uint64_t)at, p, e) != ERR_OK)
			return err_wrap(e, "version %zu", i);
		*whole = v;
	}
	return ERR_OK;
}

struct hashing {
	struct digester *d;
	const struct sink *to;
};

static enum err_code
hashing_write(void *ctx, struct slice s, struct err *e)
{
	struct hashing *h = ctx;

	if (digester_add(h->d, s, e) != ERR_OK)
		return err_wrap(e, "version");
	return sink_write(h->to, s, e);
}

enum err_code
version_write(struct archive *a, const json_t *m, size_t file, int version, const struct sink *to, struct err *e)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256};
	AUTO(pieces) struct pieces pieces = {0};
	AUTO(digester) struct digester *d = NULL;
	struct hashing h = {.to = to};
	struct sink hashed = {hashing_write, &h};
	const json_t *whole = NULL;
	uint8_t want[32];
	struct digest got;
	size_t i;

	if (version_pieces(m, file, version, &pieces, &whole, e) != ERR_OK || need_digest(whole, "sha256", want, e) != ERR_OK ||
	    digester_new(algs, 1, &d, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	h.d = d;
	for (i = 0; i < pieces.n; i++) {
		AUTO(store_object) struct store_object *o = NULL;

		if (store_open_object(a->store, pieces.v[i].sha256, &o, e) != ERR_OK ||
		    source_copy(store_object_source(o), pieces.v[i].off, pieces.v[i].n, &hashed, e) != ERR_OK)
			return err_wrap(e, "record %s", manifest_record(m));
	}
	if (digester_finish(d, &got, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	if (memcmp(got.octets, want, sizeof(want)) != 0)
		return err_set(e, ERR_DAMAGED, "record %s, file %zu: the stored octets no longer have their digest",
		    manifest_record(m), file);
	return ERR_OK;
}

enum err_code
version_fd(struct archive *a, const json_t *m, size_t file, int version, int *out, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct sink to = sink_fd(&fd);

	if (worker_memfd_empty(&fd, e) != ERR_OK || version_write(a, m, file, version, &to, e) != ERR_OK ||
	    worker_memfd_seal(fd, e) != ERR_OK)
		return err_wrap(e, "version");
	*out = fd;
	fd = -1;
	return ERR_OK;
}

enum err_code
version_add(struct archive *a, struct batch *b, json_t *m, size_t file, uint64_t offset, struct slice text,
    const json_t *extended, struct err *e)
{
	AUTO(json) json_t *v = json_object();
	json_t *versions = json_object_get(m, "versions");
	struct store_ref ref;

	if (batch_put_bytes(b, STORE_DATA, manifest_year(m), text, &ref, e) != ERR_OK ||
	    json_set(v, "file", json_integer((json_int_t)file), e) != ERR_OK ||
	    json_set(v, "n", json_integer(version_newest(m, file) + 1), e) != ERR_OK ||
	    json_set(v, "time", json_time(archive_now(a)), e) != ERR_OK ||
	    json_set(v, "at", json_integer((json_int_t)offset), e) != ERR_OK ||
	    json_set(v, "inserted", json_hex(slice_of(ref.sha256, 32)), e) != ERR_OK ||
	    json_set(v, "inserted_size", json_integer((json_int_t)ref.size_bytes), e) != ERR_OK ||
	    json_set(v, "sha256", json_incref(json_object_get(extended, "sha256")), e) != ERR_OK ||
	    json_set(v, "sha512", json_incref(json_object_get(extended, "sha512")), e) != ERR_OK ||
	    json_set(v, "size", json_incref(json_object_get(extended, "size")), e) != ERR_OK ||
	    json_set(v, "level", json_incref(json_object_get(extended, "level")), e) != ERR_OK ||
	    json_push(versions, TAKE(v), e) != ERR_OK)
		return err_wrap(e, "version");
	return ERR_OK;
}

void
record_doc_auto(struct record_doc *d)
{
	size_t i;

	for (i = 0; i < d->n_fds; i++)
		fd_auto(&d->fds[i]);
	free(d->fds);
	free(d->side);
	*d = (struct record_doc){0};
}

static const char *
original_name(const json_t *original)
{
	const char *name = json_string_value(json_object_get(original, "name"));

	return name != NULL ? name : "";
}

/*
 * A file beside the document, as deposited. A large one is passed where it lies, in the segment that holds it alone: a copy
 * would be memory. It is not rehashed then; the signature's own reference to it is checked by whoever judges.
 */
static enum err_code
side_open(struct archive *a, const json_t *m, size_t file, struct caged_file *out, int *fd, struct err *e)
{
	const json_t *o = json_array_get(json_object_get(m, "originals"), file);
	uint8_t sha256[32];
	enum err_code r;

	if (need_digest(o, "sha256", sha256, e) != ERR_OK || json_need_size(o, "size", &out->size_bytes, e) != ERR_OK)
		return err_wrap(e, "original %zu", file);
	out->name = original_name(o);
	r = store_object_fd(a->store, sha256, fd, &out->base_bytes, e);
	if (r == ERR_REFUSED) {
		out->base_bytes = out->size_bytes = 0;
		r = version_fd(a, m, file, 0, fd, e);
	}
	out->fd = r == ERR_OK ? *fd : -1;
	return r == ERR_OK ? ERR_OK : err_wrap(e, "file %s", out->name);
}

enum err_code
record_doc_open(struct archive *a, const json_t *m, size_t file, int version, struct record_doc *out, struct err *e)
{
	AUTO(record_doc) struct record_doc d = {0};
	const json_t *originals = json_object_get(m, "originals"), *o = NULL;
	size_t n = json_array_size(originals), i;
	int fd = -1;

	d.fds = mem_new(n, sizeof(*d.fds));
	d.side = mem_new(n, sizeof(*d.side));
	if (d.fds == NULL || d.side == NULL)
		return err_nomem(e);
	json_array_foreach (originals, i, o) {
		struct caged_file side = {0};

		if (i != file) {
			if (side_open(a, m, i, &side, &fd, e) != ERR_OK)
				return err_wrap(e, "record %s", manifest_record(m));
			d.side[d.doc.n_side++] = side;
		} else {
			if (version_fd(a, m, i, version, &fd, e) != ERR_OK)
				return err_wrap(e, "file %s", original_name(o));
			d.doc.main = (struct caged_file){.name = original_name(o), .fd = fd};
		}
		d.fds[d.n_fds++] = fd;
	}
	d.doc.side = d.side;
	*out = d;
	d = (struct record_doc){0};
	return ERR_OK;
}
