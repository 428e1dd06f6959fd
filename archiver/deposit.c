/* SPDX-License-Identifier: MIT */
/*
 * Taking in: hash, look at the meta file, judge in the cage, put everything
 * into one group, and only then say so.
 */
#include "archiver/intake.h"
#include "archiver/slow.h"

#include <pthread.h>
#include <string.h>

#define AROUND_BYTES ((uint64_t)64 << 10) /* manifest, log, index: of a small deposit more than itself */
#define CHUNK ((size_t)32)	      /* deposits that are read while the ones before them are kept */
#define CHUNK_BYTES ((size_t)8 << 20) /* of small files, in memory meanwhile */

/* ---- the manifest ---- */

static enum err_code
originals(const struct intake *in, json_t *list, struct err *e)
{
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		AUTO(json) json_t *o = json_object();

		if (json_set(o, "name", json_text(in->d->files[i].name), e) != ERR_OK ||
		    json_set(o, "size", json_integer((json_int_t)in->files[i].ref.size_bytes), e) != ERR_OK ||
		    json_set(o, "sha256", json_hex(slice_of(in->files[i].ref.sha256, 32)), e) != ERR_OK ||
		    json_set(o, "sha512", json_hex(slice_of(in->files[i].ref.sha512, 64)), e) != ERR_OK ||
		    json_push(list, TAKE(o), e) != ERR_OK)
			return err_wrap(e, "manifest");
	}
	return ERR_OK;
}

/* The profile's years at least; a depositor may ask for more. */
static unsigned
retention_year(const struct intake *in)
{
	int64_t asked = json_integer_value(json_object_get(in->d->meta, "retention_years"));
	struct retention r = {.from_utc = in->now_utc, .years = in->profile->retention_years};

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
start_manifest(struct intake *in, struct err *e)
{
	AUTO(json) json_t *m = json_object();
	AUTO(json) json_t *files = json_array();
	AUTO(json) json_t *profile = json_object();
	const json_t *meta = in->d->meta;

	if (originals(in, files, e) != ERR_OK || json_set(profile, "id", json_text(in->profile->name), e) != ERR_OK ||
	    json_set(profile, "version", json_integer(in->profile->version), e) != ERR_OK ||
	    json_set(m, "schema", json_integer(1), e) != ERR_OK || json_set(m, "record", json_text(in->record), e) != ERR_OK ||
	    json_set(m, "seq", json_integer(1), e) != ERR_OK || json_set(m, "previous", json_null(), e) != ERR_OK ||
	    json_set(m, "time", json_time(in->now_utc), e) != ERR_OK ||
	    json_set(m, "kept", json_time(in->now_utc), e) != ERR_OK ||
	    json_set(m, "depositor", json_text(in->d->depositor), e) != ERR_OK ||
	    json_set(m, "spool_name", json_text(in->d->spool_name), e) != ERR_OK ||
	    json_set(m, "own_id", json_text(in->own_id), e) != ERR_OK ||
	    json_set(m, "title", meta_text(meta, "title"), e) != ERR_OK ||
	    json_set(m, "media_type", meta_text(meta, "media_type"), e) != ERR_OK ||
	    json_set(m, "comment", meta_text(meta, "comment"), e) != ERR_OK ||
	    json_set(m, "profile", TAKE(profile), e) != ERR_OK ||
	    json_set(m, "retention_year", json_integer((json_int_t)retention_year(in)), e) != ERR_OK ||
	    json_set(m, "holds", json_array(), e) != ERR_OK || json_set(m, "originals", TAKE(files), e) != ERR_OK ||
	    json_set(m, "signatures", json_array(), e) != ERR_OK || json_set(m, "versions", json_array(), e) != ERR_OK ||
	    json_set(m, "material", json_array(), e) != ERR_OK || json_set(m, "evidence", json_array(), e) != ERR_OK)
		return err_wrap(e, "manifest");
	in->manifest = TAKE(m);
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

		hex32(in->files[i].ref.sha256, hex);
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
	r = b != NULL ? batch_get_row(b, "ownid", buf_slice(&key), &found, e) : store_get_row(a->store, "ownid", buf_slice(&key), &found, e);
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
put_file(struct batch *b, const struct intake *in, size_t i, struct err *e)
{
	const struct intake_file *f = &in->files[i];
	int year = manifest_year(in->manifest);
	struct source s;

	if (f->octets.n != 0)
		return batch_put_hashed(b, STORE_DATA, year, buf_slice(&f->octets), &f->ref, e);
	if (intake_source(in, i, &s, e) != ERR_OK)
		return e->code;
	return batch_put(b, STORE_DATA, year, &s, &f->ref, NULL, e);
}

static enum err_code
put_files(struct batch *b, const struct intake *in, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; i < in->d->n_files && r == ERR_OK; i++) {
		r = put_file(b, in, i, e);
		if (r == ERR_DAMAGED)
			return err_set(e, r, "%s changed while it was read: deposit it again", in->d->files[i].name);
		if (r != ERR_OK)
			return err_wrap(e, "%s", in->d->files[i].name);
	}
	return r;
}

/* When the first step is due: at once if there is one to take. */
static int64_t
first_due(const struct intake *in)
{
	size_t i;

	for (i = 0; i < manifest_signatures(in->manifest); i++) {
		const char *state = json_string_value(json_object_get(manifest_signature(in->manifest, i), "state"));

		if (state != NULL && strcmp(state, "found") == 0)
			return in->now_utc;
	}
	return TIME_MAX;
}

/* The verdict, before anything is written: one that is here already needs none. */
static enum err_code
judge_one(struct archive *a, struct intake *in, struct err *e)
{
	if (look_for_own_id(a, NULL, in, e) != ERR_OK)
		return e->code;
	if (in->again)
		return ERR_OK;
	if (in->d->record != NULL)
		memcpy(in->record, in->d->record, UUID_TEXT);
	else if (uuid7(in->now_utc * 1000, &a->seams.entropy, in->record, e) != ERR_OK)
		return err_wrap(e, "record id");
	if (start_manifest(in, e) != ERR_OK)
		return e->code;
	return intake_judge(a, in, e);
}

static enum err_code
keep_one(struct archive *a, struct batch *b, struct intake *in, struct err *e)
{
	if (in->why.code != ERR_OK)
		return err_set(e, in->why.code, "%s", in->why.text);
	if (!in->again && look_for_own_id(a, b, in, e) != ERR_OK)
		return e->code;
	if (in->again)
		return ERR_OK;
	if (put_files(b, in, e) != ERR_OK || put_own_id(b, in, e) != ERR_OK ||
	    manifest_put(a, b, in->manifest, NULL, LEAF_KEPT, "kept", first_due(in), "stamp", &in->manifest_ref, &in->leaf, e) !=
		ERR_OK ||
	    receipt_remember(b, in->record, &in->manifest_ref, in->leaf, e) != ERR_OK)
		return e->code;
	in->in_batch = true;
	return ERR_OK;
}

/* Names and texts may hold octets that are no UTF-8: json_text makes them visible instead of failing. */
static json_t *
reason_of(const struct intake *in, const struct err *why)
{
	const char *name = in->d->spool_name != NULL ? in->d->spool_name : in->d->n_files > 0 ? in->d->files[0].name : NULL;

	return json_pack("{s:i, s:b, s:o, s:o, s:o}", "schema", 1, "refused", 1, "time", json_time(in->now_utc), "reason", json_text(why->text), "name",
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

/*
 * A receipt that can't be made now (its record is damaged) keeps back neither the others' nor the steps of a run; the claim
 * stays, and is met again. Who gave one file by a verb (alone) is told.
 */
static enum err_code
hand_out_all(struct archive *a, struct intake *all, size_t n, bool alone, struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct err why = {0};
		enum err_code r = hand_out(a, &all[i], &why);

		if (r != ERR_OK && (is_our_trouble(r) || alone))
			return err_set(e, r, "receipt: %s", why.text);
		if (r != ERR_OK)
			archive_alarm(a, "receipt of record %s: %s", all[i].record, why.text);
	}
	return ERR_OK;
}

/* One that is refused leaves nothing in the batch, and is given back with the reason; only our own trouble ends it. */
static enum err_code
keep_or_refuse(struct archive *a, struct batch *b, struct intake *in, struct err *e)
{
	struct batch_mark mark = batch_mark(b);
	struct err why = {0};
	enum err_code r;

	if (in->put_off) {
		in->d->put_off = true;
		return ERR_OK;
	}
	r = keep_one(a, b, in, &why);
	if (r == ERR_OK)
		return ERR_OK;
	batch_undo(b, mark);
	in->in_batch = false;
	if (is_our_trouble(r))
		return err_set(e, r, "%s", why.text);
	in->d->receipt = reason_of(in, &why);
	return ERR_OK;
}

/* A chunk that is read ahead by a thread: it sees the configuration and its own deposits, nothing else. */
struct ahead {
	struct archive *a;
	struct intake *all;
	size_t n;
	bool started;
	pthread_t thread;
};

static void *
read_chunk(void *ctx)
{
	struct ahead *r = ctx;
	size_t room = CHUNK_BYTES, i;

	for (i = 0; i < r->n; i++) {
		struct intake *in = &r->all[i];

		/* What can't be judged now any more need not be read. */
		if (in->d->left_ms != NULL && __atomic_load_n(in->d->left_ms, __ATOMIC_RELAXED) <= 0)
			in->put_off = true;
		else
			(void)!intake_read(r->a, in, &room, &in->why);
	}
	return NULL;
}

static void
ahead_start(struct ahead *r, struct intake *all, size_t n)
{
	r->all = all;
	r->n = n < CHUNK ? n : CHUNK;
	if (r->n == 0)
		return;
	r->started = pthread_create(&r->thread, NULL, read_chunk, r) == 0;
	if (!r->started)
		read_chunk(r);
}

static void
ahead_wait(struct ahead *r)
{
	if (r->started)
		pthread_join(r->thread, NULL);
	r->started = false;
}

/* What it takes at most: its octets once more for what is around them, and the rows. */
static uint64_t
room_for(const struct intake *in)
{
	uint64_t sum = AROUND_BYTES;
	size_t i;

	for (i = 0; in->files != NULL && i < in->d->n_files; i++)
		sum += in->files[i].ref.size_bytes + in->files[i].ref.size_bytes / 16 + 2048;
	return sum;
}

/* Of a batch that is larger than what is free, what fits is kept; the rest waits. */
static bool
fits(struct intake *in, uint64_t *room)
{
	uint64_t need = room_for(in);

	in->no_room = in->why.code == ERR_OK && !in->again && !in->put_off && need > *room;
	if (!in->no_room && *room != UINT64_MAX)
		*room -= need < *room ? need : *room;
	return !in->no_room;
}

static enum err_code
keep_chunk(struct archive *a, struct batch **b, struct intake *all, size_t n, uint64_t *room, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	intake_sniff(a, all, n);
	for (i = 0; i < n; i++) {
		struct err why = {0};

		if (!all[i].put_off && all[i].why.code == ERR_OK && judge_one(a, &all[i], &why) != ERR_OK)
			all[i].why = why;
	}
	if (*b == NULL)
		r = store_batch_begin(a->store, b, e);
	a->keeping = r == ERR_OK;
	for (i = 0; i < n && r == ERR_OK; i++)
		if (fits(&all[i], room))
			r = keep_or_refuse(a, *b, &all[i], e);
	for (i = 0; i < n; i++)
		intake_forget_octets(&all[i]);
	return r;
}

static enum err_code
keep_all(struct archive *a, struct batch **b, struct intake *all, size_t n, struct err *e)
{
	struct ahead next = {.a = a, .all = all, .n = n < CHUNK ? n : CHUNK};
	uint64_t room = gate_room(a);
	enum err_code r = ERR_OK;
	size_t i, k;

	read_chunk(&next);
	for (i = 0; i < n && r == ERR_OK; i += k) {
		ahead_wait(&next);
		k = next.n;
		ahead_start(&next, all + i + k, n - i - k);
		r = keep_chunk(a, b, all + i, k, &room, e);
	}
	ahead_wait(&next);
	return r;
}

static enum err_code
say_no_room(struct archive *a, const struct intake *all, size_t n, bool alone, struct err *e)
{
	size_t i, waiting = 0;

	for (i = 0; i < n; i++)
		waiting += all[i].no_room;
	if (waiting == 0)
		return ERR_OK;
	a->intake_waits = true;
	if (alone)
		return err_set(e, ERR_NOSPACE, "deposit: it does not fit into what %s has free above [service] min_free", a->cfg->archive.dir);
	archive_alarm(a, "%s has not room for all that was deposited above [service] min_free: %zu wait", a->cfg->archive.dir, waiting);
	return ERR_OK;
}

static enum err_code
deposit_all(struct archive *a, struct intake *all, size_t n, bool (*ready)(void *ctx), void *ctx, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;

	if (gate_open(a, e) != ERR_OK)
		return err_wrap(e, "deposit");
	if (keep_all(a, &b, all, n, e) != ERR_OK)
		return e->code;
	if (ready != NULL && !ready(ctx))
		return err_set(e, ERR_BUSY, "deposit: not yet");
	if (store_commit(&b, NULL, e) != ERR_OK)
		return err_wrap(e, "deposit");
	if (hand_out_all(a, all, n, n == 1 && ready == NULL, e) != ERR_OK)
		return err_wrap(e, "deposit");
	return say_no_room(a, all, n, ready == NULL, e);
}

enum err_code
deposit_when(struct archive *a, struct deposit *deposits, size_t n, bool (*ready)(void *ctx), void *ctx, struct err *e)
{
	AUTO(mem) struct intake *all = mem_new(n, sizeof(*all));
	struct err local = {0};
	int64_t now = archive_now(a);
	enum err_code r;
	size_t i;

	if (all == NULL)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		all[i] = (struct intake){.d = &deposits[i], .now_utc = now, .before = all, .n_before = i};
	r = deposit_all(a, all, n, ready, ctx, &local);
	a->keeping = false;
	for (i = 0; i < n; i++) {
		if (r == ERR_OK && !all[i].put_off)
			slow_forget(a, all[i].record);
		intake_release(&all[i]);
	}
	return r == ERR_OK ? ERR_OK : err_set(e, r, "%s", local.text);
}

enum err_code
archive_deposit(struct archive *a, struct deposit *deposits, size_t n, struct err *e)
{
	return deposit_when(a, deposits, n, NULL, NULL, e);
}
