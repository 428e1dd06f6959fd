/* SPDX-License-Identifier: MIT */
/* Reading a deposit: the meta file, names and sizes, both digests. */
#include "archiver/intake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HELD_BYTES ((size_t)256 << 10) /* a file up to this is read once */

static const char *const meta_keys[] = {"profile", "id", "sha256", "sha512", "retention_years", "title", "media_type", "comment", NULL};

static enum err_code
read_meta(struct archive *a, struct intake *in, struct err *e)
{
	const json_t *meta = in->d->meta;
	const char *profile = in->d->profile, *text = NULL;
	int64_t years = 0;

	if (meta != NULL && !json_is_object(meta))
		return err_set(e, ERR_REFUSED, "the meta file is not a JSON object");
	if (meta != NULL && (json_only_keys(meta, meta_keys, e) != ERR_OK ||
				json_want_str(meta, "profile", profile, &profile, e) != ERR_OK ||
				json_want_str(meta, "id", NULL, &in->own_id, e) != ERR_OK))
		return err_wrap(e, "meta file");
	if (in->own_id != NULL && (in->own_id[0] == '\0' || strlen(in->own_id) > 200))
		return err_set(e, ERR_REFUSED, "meta file: \"id\" has %zu octets; 1 to 200 are accepted", strlen(in->own_id));
	if (meta != NULL && (json_want_int(meta, "retention_years", 0, &years, e) != ERR_OK ||
				json_want_str(meta, "title", NULL, &text, e) != ERR_OK ||
				json_want_str(meta, "media_type", NULL, &text, e) != ERR_OK ||
				json_want_str(meta, "comment", NULL, &text, e) != ERR_OK))
		return err_wrap(e, "meta file");
	in->profile = config_profile(a->cfg, profile != NULL ? profile : "default");
	return in->profile != NULL ? ERR_OK : err_set(e, ERR_REFUSED, "meta file: there is no profile \"%.60s\"", profile);
}

static enum err_code
expected_digest(struct intake *in, struct err *e)
{
	const char *want = NULL;
	char got[129];

	if (in->d->meta == NULL)
		return ERR_OK;
	if (json_want_str(in->d->meta, "sha256", NULL, &want, e) != ERR_OK)
		return err_wrap(e, "meta file");
	hex32(in->files[0].ref.sha256, got);
	if (want != NULL && strcasecmp(want, got) != 0)
		return err_set(e, ERR_REFUSED, "the file's SHA-256 is %s, the meta file expects %.64s: deposit it again, whole", got, want);
	if (json_want_str(in->d->meta, "sha512", NULL, &want, e) != ERR_OK)
		return err_wrap(e, "meta file");
	hex_of(slice_of(in->files[0].ref.sha512, 64), got);
	if (want != NULL && strcasecmp(want, got) != 0)
		return err_set(e, ERR_REFUSED, "the file's SHA-512 is not the one that the meta file expects: deposit it again, whole");
	return ERR_OK;
}

/*
 * A descriptor that came from outside: a folder, a pipe, one opened for writing only, a file whose server is gone. That
 * it can't be read is the deposit's fault and must not look like one of the store.
 */
static enum err_code
foreign_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	struct source s;
	struct err why = {0};

	if (source_fd(ctx, &s, &why) != ERR_OK || s.read_at(s.ctx, off, to, n, &why) != ERR_OK)
		return err_set(e, ERR_REFUSED, "can't be read: %s", why.text);
	return ERR_OK;
}

enum err_code
intake_source(const struct intake *in, size_t file, struct source *out, struct err *e)
{
	const int *fd = &in->d->files[file].fd;
	struct stat st;

	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED, "is not a regular file");
	*out = (struct source){foreign_read, (void *)(uintptr_t)fd, (uint64_t)st.st_size};
	return ERR_OK;
}

/* Sizes before contents: a sparse file of petabytes is refused at once. */
static enum err_code
check_sizes(struct archive *a, const struct intake *in, struct err *e)
{
	const struct conf_limits *l = &a->cfg->limits;
	uint64_t all = 0;
	struct source s;
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		const char *name = in->d->files[i].name;

		if (deposit_name(in->d, i, e) != ERR_OK)
			return err_wrap(e, "deposit");
		if (intake_source(in, i, &s, e) != ERR_OK)
			return err_wrap(e, "%s", name);
		if (s.size_bytes == 0)
			return err_set(e, ERR_REFUSED, "%s is empty", name);
		if (s.size_bytes > l->file_bytes)
			return err_set(e, ERR_REFUSED, "%s has %llu octets; [limits] file_size is %llu", name, (unsigned long long)s.size_bytes, (unsigned long long)l->file_bytes);
		all += s.size_bytes;
		if (all > l->record_bytes)
			return err_set(e, ERR_REFUSED, "the files have more than %llu octets together ([limits] record_size)", (unsigned long long)l->record_bytes);
	}
	return ERR_OK;
}

static enum err_code
hash_file(struct intake *in, size_t i, size_t *room, struct err *e)
{
	struct intake_file *f = &in->files[i];
	struct source s;

	if (intake_source(in, i, &s, e) != ERR_OK)
		return e->code;
	if (s.size_bytes > HELD_BYTES || s.size_bytes > *room)
		return store_hash(&s, &f->ref, e);
	if (source_read_all(&s, HELD_BYTES, &f->octets, e) != ERR_OK)
		return e->code;
	*room -= f->octets.n;
	return store_hash_octets(buf_slice(&f->octets), &f->ref, e);
}

static enum err_code
hash_files(struct archive *a, struct intake *in, size_t *room, struct err *e)
{
	size_t i;

	if (check_sizes(a, in, e) != ERR_OK)
		return e->code;
	in->files = mem_new(in->d->n_files, sizeof(*in->files));
	if (in->files == NULL)
		return err_nomem(e);
	for (i = 0; i < in->d->n_files; i++)
		if (hash_file(in, i, room, e) != ERR_OK)
			return err_wrap(e, "%s", in->d->files[i].name);
	return ERR_OK;
}

enum err_code
intake_read(struct archive *a, struct intake *in, size_t *room, struct err *e)
{
	if (in->d->n_files == 0 || in->d->n_files > a->cfg->limits.record_files)
		return err_set(e, ERR_REFUSED, "%zu files in one deposit; 1 to %u are accepted", in->d->n_files, a->cfg->limits.record_files);
	if (read_meta(a, in, e) != ERR_OK || hash_files(a, in, room, e) != ERR_OK)
		return e->code;
	return expected_digest(in, e);
}

void
intake_forget_octets(struct intake *in)
{
	size_t i;

	for (i = 0; in->files != NULL && i < in->d->n_files; i++)
		buf_release(&in->files[i].octets);
}

void
intake_release(struct intake *in)
{
	intake_forget_octets(in);
	free(in->files);
	json_decref(in->manifest);
}
