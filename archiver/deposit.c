/* SPDX-License-Identifier: MIT */
/*
 * Taking in: hash, look at the meta file, judge in the cage, put everything
 * into one group, and only then say so.
 */
#include "archiver/archiver_int.h"
#include "archiver/form.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One deposit on its way. */
struct intake {
	struct deposit *d;
	const struct conf_profile *profile;
	char record[UUID_TEXT];
	struct store_ref *refs;
	json_t *manifest;
	const char *own_id;
	struct store_ref manifest_ref;
	uint64_t leaf;
	bool in_batch;
	bool again; /* the same own id and bytes: the receipt of then */
	const struct intake *before; /* those of this call that came before it, n_before */
	size_t n_before;
};

static void
intake_release(struct intake *i)
{
	free(i->refs);
	json_decref(i->manifest);
}

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
	hex32(in->refs[0].sha256, got);
	if (want != NULL && strcasecmp(want, got) != 0)
		return err_set(e, ERR_REFUSED, "the file's SHA-256 is %s, the meta file expects %.64s: deposit it again, whole", got, want);
	if (json_want_str(in->d->meta, "sha512", NULL, &want, e) != ERR_OK)
		return err_wrap(e, "meta file");
	hex_of(slice_of(in->refs[0].sha512, 64), got);
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

static enum err_code
foreign_source(const struct deposit_file *f, struct source *out, struct err *e)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED, "is not a regular file");
	*out = (struct source){foreign_read, (void *)(uintptr_t)&f->fd, (uint64_t)st.st_size};
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
		if (foreign_source(&in->d->files[i], &s, e) != ERR_OK)
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
hash_files(struct archive *a, struct intake *in, struct err *e)
{
	struct source s;
	size_t i;

	if (check_sizes(a, in, e) != ERR_OK)
		return e->code;
	in->refs = mem_new(in->d->n_files, sizeof(*in->refs));
	if (in->refs == NULL)
		return err_nomem(e);
	for (i = 0; i < in->d->n_files; i++)
		if (foreign_source(&in->d->files[i], &s, e) != ERR_OK || store_hash(&s, &in->refs[i], e) != ERR_OK)
			return err_wrap(e, "%s", in->d->files[i].name);
	return ERR_OK;
}

/* ---- the manifest ---- */

static enum err_code
originals(const struct intake *in, json_t *list, struct err *e)
{
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		AUTO(json) json_t *o = json_object();

		if (json_set(o, "name", json_text(in->d->files[i].name), e) != ERR_OK ||
		    json_set(o, "size", json_integer((json_int_t)in->refs[i].size_bytes), e) != ERR_OK ||
		    json_set(o, "sha256", json_hex(slice_of(in->refs[i].sha256, 32)), e) != ERR_OK ||
		    json_set(o, "sha512", json_hex(slice_of(in->refs[i].sha512, 64)), e) != ERR_OK ||
		    json_push(list, TAKE(o), e) != ERR_OK)
			return err_wrap(e, "manifest");
	}
	return ERR_OK;
}

/* The profile's years at least; a depositor may ask for more. */
static unsigned
retention_year(struct archive *a, const struct intake *in)
{
	int64_t asked = json_integer_value(json_object_get(in->d->meta, "retention_years"));
	struct retention r = {.from_utc = archive_now(a), .years = in->profile->retention_years};

	if (r.years != 0 && asked > (int64_t)r.years)
		r.years = asked < 9000 ? (unsigned)asked : 0;
	return retention_segment_year(&r);
}

static json_t *
meta_text(const json_t *meta, const char *key)
{
	return json_text(json_string_value(json_object_get(meta, key)));
}

static enum err_code
start_manifest(struct archive *a, struct intake *in, struct err *e)
{
	AUTO(json) json_t *m = json_object();
	AUTO(json) json_t *files = json_array();
	AUTO(json) json_t *profile = json_object();
	const json_t *meta = in->d->meta;

	if (originals(in, files, e) != ERR_OK || json_set(profile, "id", json_text(in->profile->name), e) != ERR_OK ||
	    json_set(profile, "version", json_integer(in->profile->version), e) != ERR_OK ||
	    json_set(m, "schema", json_integer(1), e) != ERR_OK || json_set(m, "record", json_text(in->record), e) != ERR_OK ||
	    json_set(m, "seq", json_integer(1), e) != ERR_OK || json_set(m, "previous", json_null(), e) != ERR_OK ||
	    json_set(m, "time", json_time(archive_now(a)), e) != ERR_OK ||
	    json_set(m, "kept", json_time(archive_now(a)), e) != ERR_OK ||
	    json_set(m, "depositor", json_text(in->d->depositor), e) != ERR_OK ||
	    json_set(m, "spool_name", json_text(in->d->spool_name), e) != ERR_OK ||
	    json_set(m, "own_id", json_text(in->own_id), e) != ERR_OK ||
	    json_set(m, "title", meta_text(meta, "title"), e) != ERR_OK ||
	    json_set(m, "media_type", meta_text(meta, "media_type"), e) != ERR_OK ||
	    json_set(m, "comment", meta_text(meta, "comment"), e) != ERR_OK ||
	    json_set(m, "profile", TAKE(profile), e) != ERR_OK ||
	    json_set(m, "retention_year", json_integer((json_int_t)retention_year(a, in)), e) != ERR_OK ||
	    json_set(m, "holds", json_array(), e) != ERR_OK || json_set(m, "originals", TAKE(files), e) != ERR_OK ||
	    json_set(m, "signatures", json_array(), e) != ERR_OK || json_set(m, "versions", json_array(), e) != ERR_OK ||
	    json_set(m, "material", json_array(), e) != ERR_OK || json_set(m, "evidence", json_array(), e) != ERR_OK)
		return err_wrap(e, "manifest");
	in->manifest = TAKE(m);
	return ERR_OK;
}

/*
 * A file too large to be parsed is kept as data, unless it names the namespace of XML signatures: taking that in would
 * promise an upgrade that never comes. Octets are looked at here, nothing is parsed.
 */
static enum err_code
refuse_large_signature(struct archive *a, const struct deposit_file *f, const json_t *answer, struct err *e)
{
	const char *status = json_string_value(json_object_get(json_object_get(answer, "report"), "status"));
	const char *form = json_string_value(json_object_get(answer, "form"));
	struct source s;
	bool named = false;

	if (status == NULL || strcmp(status, "too_large") != 0 || form == NULL || strcmp(form, "xml") != 0)
		return ERR_OK;
	if (foreign_source(f, &s, e) != ERR_OK || form_names_xmldsig(&s, &named, e) != ERR_OK)
		return err_wrap(e, "%s", f->name);
	if (!named)
		return ERR_OK;
	return err_set(e, ERR_LIMIT, "a signature file of %llu octets; at most %llu are parsed ([limits] xml_size)",
	    (unsigned long long)s.size_bytes, (unsigned long long)a->cfg->limits.xml_bytes);
}

/* The depositor may still write to it: a verdict counts for the octets that were hashed, which are those that are kept. */
static struct caged_file
as_hashed(const struct intake *in, size_t file)
{
	return (struct caged_file){.name = in->d->files[file].name, .fd = in->d->files[file].fd, .sha256 = in->refs[file].sha256};
}

static enum err_code
judge_one(struct archive *a, struct intake *in, size_t file, json_t **answer, struct err *e)
{
	AUTO(mem) struct caged_file *side = mem_new(in->d->n_files, sizeof(*side));
	struct caged_doc doc = {.main = as_hashed(in, file)};
	uint8_t seed[32];
	size_t i;

	if (side == NULL)
		return err_nomem(e);
	for (i = 0; i < in->d->n_files; i++)
		if (i != file)
			side[doc.n_side++] = as_hashed(in, i);
	doc.side = side;
	if (entropy_fill(&a->seams.entropy, seed, sizeof(seed), e) != ERR_OK)
		return err_wrap(e, "judge");
	if (caged_judge(a->caged, &doc, (struct slice){0}, archive_now(a), in->profile->grace_seconds, slice_of(seed, sizeof(seed)),
	    answer, e) != ERR_OK)
		return e->code;
	return refuse_large_signature(a, &in->d->files[file], *answer, e);
}

static enum err_code
note_original(struct intake *in, size_t file, const char *form, const char *note, struct err *e)
{
	json_t *o = json_array_get(json_object_get(in->manifest, "originals"), file);

	if (json_set(o, "form", json_text(form), e) != ERR_OK || (note != NULL && json_set(o, "note", json_text(note), e) != ERR_OK))
		return err_wrap(e, "manifest");
	return ERR_OK;
}

/*
 * Every file is looked at. A file that can't be parsed within the limits refuses the deposit, unless a signature
 * of another file stands beside it: then it is that signature's data.
 */
static enum err_code
judge_files(struct archive *a, struct intake *in, struct err *e)
{
	json_t *sigs = json_object_get(in->manifest, "signatures");
	struct err refusal = {0};
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		AUTO(json) json_t *answer = NULL;
		struct err why = {0};
		enum err_code r = judge_one(a, in, i, &answer, &why);

		if (r == ERR_REFUSED || r == ERR_LIMIT || r == ERR_BUG) {
			if (refusal.code == ERR_OK)
				err_set(&refusal, ERR_REFUSED, "%s: %s", in->d->files[i].name, why.text);
			r = note_original(in, i, "data", why.text, e);
		} else if (r == ERR_FORMAT) {
			r = note_original(in, i, "data", why.text, e);
		} else if (r != ERR_OK) {
			return err_set(e, r, "%s: %s", in->d->files[i].name, why.text);
		} else {
			const char *form = json_string_value(json_object_get(answer, "form"));

			r = note_original(in, i, form != NULL ? form : "data", NULL, e);
			if (r == ERR_OK)
				r = signatures_of(a, in->profile, i, answer, archive_now(a), sigs, e);
		}
		if (r != ERR_OK)
			return err_wrap(e, "deposit");
	}
	if (refusal.code != ERR_OK && (in->d->n_files == 1 || json_array_size(sigs) == 0))
		return err_set(e, ERR_REFUSED, "%s", refusal.text);
	return ERR_OK;
}

/* ---- the same again ---- */

static void
own_key(const struct intake *in, struct buf *key)
{
	buf_adds(key, in->d->depositor);
	buf_add8(key, 0);
	buf_adds(key, in->own_id);
}

static bool
same_files(const struct intake *in, const json_t *m)
{
	const json_t *list = json_object_get(m, "originals"), *o = NULL;
	char hex[65];
	size_t i;

	if (json_array_size(list) != in->d->n_files)
		return false;
	json_array_foreach (list, i, o) {
		const char *have = json_string_value(json_object_get(o, "sha256"));

		hex32(in->refs[i].sha256, hex);
		if (have == NULL || strcmp(have, hex) != 0)
			return false;
	}
	return true;
}

/* The same id earlier in this very group, whose manifest can't be loaded yet. */
static const struct intake *
earlier(const struct intake *in, const char *record)
{
	size_t i;

	for (i = 0; i < in->n_before; i++)
		if (in->before[i].in_batch && strcmp(in->before[i].record, record) == 0)
			return &in->before[i];
	return NULL;
}

static enum err_code
same_as(struct archive *a, const struct intake *in, const char *record, bool *same, struct err *e)
{
	const struct intake *twin = earlier(in, record);
	AUTO(json) json_t *m = NULL;

	if (twin == NULL && manifest_load(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "own id");
	*same = same_files(in, twin != NULL ? twin->manifest : m);
	return ERR_OK;
}

/* Own id known with the same bytes: in->again. ERR_REFUSED: with others. */
static enum err_code
look_for_own_id(struct archive *a, struct batch *b, struct intake *in, struct err *e)
{
	AUTO(buf) struct buf key = {0}, found = {0};
	bool same = false;
	enum err_code r;

	if (in->own_id == NULL)
		return ERR_OK;
	own_key(in, &key);
	r = batch_get_row(b, "ownid", buf_slice(&key), &found, e);
	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r != ERR_OK)
		return err_wrap(e, "own id");
	if (same_as(a, in, buf_str(&found), &same, e) != ERR_OK)
		return e->code;
	if (!same)
		return err_set(e, ERR_REFUSED, "id \"%s\" is taken by record %s with other bytes", in->own_id, buf_str(&found));
	memcpy(in->record, buf_str(&found), UUID_TEXT - 1);
	in->again = true;
	return ERR_OK;
}

static enum err_code
put_own_id(struct batch *b, const struct intake *in, struct err *e)
{
	AUTO(buf) struct buf key = {0};
	struct slice value = slice_str(in->record);

	if (in->own_id == NULL)
		return ERR_OK;
	own_key(in, &key);
	if (buf_ok(&key, e) != ERR_OK)
		return err_wrap(e, "own id");
	return batch_row(b, "ownid", buf_slice(&key), &value, e);
}

static enum err_code
put_files(struct batch *b, const struct intake *in, struct err *e)
{
	struct source s;
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; i < in->d->n_files && r == ERR_OK; i++) {
		r = foreign_source(&in->d->files[i], &s, e);
		if (r == ERR_OK)
			r = batch_put(b, STORE_DATA, manifest_year(in->manifest), &s, &in->refs[i], NULL, e);
		if (r == ERR_DAMAGED)
			return err_set(e, r, "%s changed while it was read: deposit it again", in->d->files[i].name);
		if (r != ERR_OK)
			return err_wrap(e, "%s", in->d->files[i].name);
	}
	return r;
}

/* When the first step is due: at once if there is one to take. */
static int64_t
first_due(struct archive *a, const json_t *m)
{
	size_t i;

	for (i = 0; i < manifest_signatures(m); i++) {
		const char *state = json_string_value(json_object_get(manifest_signature(m, i), "state"));

		if (state != NULL && strcmp(state, "found") == 0)
			return archive_now(a);
	}
	return TIME_MAX;
}

static enum err_code
intake_one(struct archive *a, struct batch *b, struct intake *in, struct err *e)
{
	if (in->d->n_files == 0 || in->d->n_files > a->cfg->limits.record_files)
		return err_set(e, ERR_REFUSED, "%zu files in one deposit; 1 to %u are accepted", in->d->n_files, a->cfg->limits.record_files);
	if (read_meta(a, in, e) != ERR_OK || hash_files(a, in, e) != ERR_OK || expected_digest(in, e) != ERR_OK ||
	    look_for_own_id(a, b, in, e) != ERR_OK)
		return e->code;
	if (in->again)
		return ERR_OK;
	if (in->d->record != NULL)
		memcpy(in->record, in->d->record, UUID_TEXT);
	else if (uuid7(archive_now(a) * 1000, &a->seams.entropy, in->record, e) != ERR_OK)
		return err_wrap(e, "record id");
	if (start_manifest(a, in, e) != ERR_OK || judge_files(a, in, e) != ERR_OK || put_files(b, in, e) != ERR_OK ||
	    put_own_id(b, in, e) != ERR_OK ||
	    manifest_put(a, b, in->manifest, NULL, LEAF_KEPT, "kept", first_due(a, in->manifest), "stamp", &in->manifest_ref,
		&in->leaf, e) != ERR_OK ||
	    receipt_remember(b, in->record, &in->manifest_ref, in->leaf, e) != ERR_OK)
		return e->code;
	in->in_batch = true;
	return ERR_OK;
}

/* Names and texts may hold octets that are no UTF-8: json_text makes them visible instead of failing. */
static json_t *
reason_of(const struct intake *in, const struct err *why, int64_t now)
{
	const char *name = in->d->spool_name != NULL ? in->d->spool_name : in->d->n_files > 0 ? in->d->files[0].name : NULL;

	return json_pack("{s:i, s:b, s:o, s:o, s:o}", "schema", 1, "refused", 1, "time", json_time(now), "reason", json_text(why->text), "name",
	    json_text(name));
}

static enum err_code
hand_out(struct archive *a, struct intake *in, struct err *e)
{
	if (in->again)
		return receipt_again(a, in->record, &in->d->receipt, e);
	if (!in->in_batch)
		return ERR_OK;
	return receipt_make(a, in->manifest, &in->manifest_ref, in->leaf, &in->d->receipt, e);
}

/* Our own trouble, which the next deposit would meet as well. Anything else is this deposit's: it is given back with the reason. */
static bool
is_local(enum err_code r)
{
	return r == ERR_NOMEM || r == ERR_IO || r == ERR_NOSPACE;
}

/* A receipt that can't be made now (its record is damaged) must not keep the others' back; the claim stays, and is met again. */
static enum err_code
hand_out_all(struct archive *a, struct intake *all, size_t n, struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct err why = {0};
		enum err_code r = hand_out(a, &all[i], &why);

		if (r != ERR_OK && (is_local(r) || n == 1))
			return err_set(e, r, "receipt: %s", why.text);
		if (r != ERR_OK)
			archive_alarm(a, "receipt of record %s: %s", all[i].record, why.text);
	}
	return ERR_OK;
}

static enum err_code
deposit_all(struct archive *a, struct intake *all, size_t n, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	struct batch_mark mark;
	enum err_code r;
	size_t i;

	if (store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "deposit");
	for (i = 0; i < n; i++) {
		struct err why = {0};

		mark = batch_mark(b);
		r = intake_one(a, b, &all[i], &why);
		if (r == ERR_OK)
			continue;
		batch_undo(b, mark);
		all[i].in_batch = false;
		if (is_local(r))
			return err_set(e, r, "%s", why.text);
		all[i].d->receipt = reason_of(&all[i], &why, archive_now(a));
	}
	if (store_commit(&b, NULL, e) != ERR_OK)
		return err_wrap(e, "deposit");
	return hand_out_all(a, all, n, e);
}

enum err_code
archive_deposit(struct archive *a, struct deposit *deposits, size_t n, struct err *e)
{
	AUTO(mem) struct intake *all = mem_new(n, sizeof(*all));
	struct err local = {0};
	enum err_code r;
	size_t i;

	if (all == NULL)
		return err_nomem(e);
	for (i = 0; i < n; i++) {
		all[i].d = &deposits[i];
		all[i].before = all;
		all[i].n_before = i;
	}
	r = deposit_all(a, all, n, &local);
	for (i = 0; i < n; i++)
		intake_release(&all[i]);
	return r == ERR_OK ? ERR_OK : err_set(e, r, "%s", local.text);
}
