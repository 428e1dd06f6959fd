/* SPDX-License-Identifier: MIT */
/*
 * One batch from the spools: kept as one group, then answered. Two threads wait
 * for the disk meanwhile: one syncs the claims while what they name is read and
 * hashed, and is waited for before the group is written; one writes the answers
 * of a batch whose group is durable while the next one is kept. They touch the
 * claims, entries and spool folders given to them: no store, no archive, no alarms.
 */
#include "archiver/slow.h"
#include "archiver/spool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * What lies there is kept in two groups at least: depositors who wait for receipts get the first half's while the second
 * is kept. Below that a group's syncs would cost more than this saves.
 */
#define BATCH_LEAST ((size_t)96)
#define BATCH_BYTES ((uint64_t)256 << 20)
#define MOMENT_NS 2000000
#define BATCH_FILES ((size_t)512) /* open at once, before the next deposit is read */

static void
batch_clear(struct spool_batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		entry_release(&b->entries[i]);
		json_decref(b->answers[i]);
		b->answers[i] = NULL;
	}
	b->n = b->files = b->n_deposits = 0;
	b->bytes = 0;
}

static enum err_code
batch_new(struct spool_batch *b, struct err *e)
{
	b->entries = mem_new(SPOOL_BATCH, sizeof(*b->entries));
	b->looks = mem_new(SPOOL_BATCH, sizeof(*b->looks));
	b->answers = mem_new(SPOOL_BATCH, sizeof(*b->answers));
	b->deposits = mem_new(SPOOL_BATCH, sizeof(*b->deposits));
	b->of = mem_new(SPOOL_BATCH, sizeof(*b->of));
	if (b->entries == NULL || b->looks == NULL || b->answers == NULL || b->deposits == NULL || b->of == NULL)
		return err_nomem(e);
	return ERR_OK;
}

static void
batch_free(struct spool_batch *b)
{
	batch_clear(b);
	free(b->entries);
	free(b->looks);
	free(b->answers);
	free(b->deposits);
	free(b->of);
}

enum err_code
spool_work_new(struct archive *a, struct look *looks, size_t n_looks, struct spool_work *w, struct err *e)
{
	w->a = a;
	w->looks = looks;
	w->n_looks = n_looks;
	w->in = &w->two[0];
	w->out = &w->two[1];
	return batch_new(w->in, e) == ERR_OK ? batch_new(w->out, e) : e->code;
}

void
spool_work_auto(struct spool_work *w)
{
	spool_work_round_ends(w);
	spool_work_wait(w);
	batch_free(&w->two[0]);
	batch_free(&w->two[1]);
}

/* ---- was it kept? ---- */

/*
 * A claim of before a crash whose record is in the store: only its receipt is missing. ERR_NOTFOUND: not kept.
 * ERR_REFUSED: another depositor's record; the name in cur/ is not one that we made. Anything else: can't be told now,
 * and to keep it again would overwrite what is there.
 */
enum err_code
spool_kept(struct archive *a, const struct spool *s, const char *record, json_t **receipt, struct err *e)
{
	const char *depositor = NULL;
	enum err_code r = receipt_again(a, record, receipt, e);

	if (r != ERR_OK)
		return r;
	depositor = json_string_value(json_object_get(*receipt, "depositor"));
	r = depositor == NULL || strcmp(depositor, s->cfg->depositor) != 0 ? ERR_REFUSED : receipt_true(a, *receipt, e);
	if (r == ERR_OK)
		return ERR_OK;
	json_decref(*receipt);
	*receipt = NULL;
	return r != ERR_REFUSED ? r : err_set(e, ERR_REFUSED, "the claim's id is not this spool's");
}

/* ---- claims: a thread ---- */

/* One sync for all of a file system. */
static bool
sync_one(const struct look *looks, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (looks[k].device == looks[i].device && looks[k].synced)
			return true;
	return syncfs(looks[i].s->root) == 0;
}

static void *
sync_claims(void *ctx)
{
	struct spool_work *w = ctx;
	size_t i;

	for (i = 0; i < w->n_looks; i++)
		w->looks[i].synced = w->looks[i].n_claimed != 0 && sync_one(w->looks, i);
	return NULL;
}

void
spool_work_claimed(struct spool_work *w, size_t claims)
{
	size_t half = (claims + 1) / 2;

	w->most = half < BATCH_LEAST ? BATCH_LEAST : half > SPOOL_BATCH ? SPOOL_BATCH : half;
	w->claims_wait = false;
	if (claims == 0)
		return;
	w->syncing = pthread_create(&w->syncer, NULL, sync_claims, w) == 0;
	if (!w->syncing)
		sync_claims(w);
}

void
spool_work_round_ends(struct spool_work *w)
{
	size_t i;

	if (w->syncing)
		pthread_join(w->syncer, NULL);
	w->syncing = false;
	if (w->claims_wait)
		return; /* told */
	for (i = 0; i < w->n_looks; i++) {
		struct look *l = &w->looks[i];

		if (l->n_claimed == 0 || l->synced)
			continue;
		archive_alarm(w->a, "spool %s can't be synced: the claimed files wait", l->s->cfg->dir);
		w->claims_wait = l->at_fault = true;
	}
	/* The others' are found again by the next round, without those that hold them up. */
	for (i = 0; i < w->n_looks && w->claims_wait; i++)
		w->looks[i].cur_listed = false;
}

/* ---- keeping ---- */

static json_t *
refusal(struct look *l, const struct entry *en)
{
	return json_pack("{s:i, s:b, s:o, s:o, s:o}", "schema", 1, "refused", 1, "time", json_time(archive_now(l->a)), "reason",
	    json_text(en->why.text), "name", json_text(en->name));
}

/* Kept before, refused at the door, our own trouble (stays for the next look), or to be deposited. */
static void
sort_out(struct spool_batch *b, size_t i)
{
	struct look *l = b->looks[i];
	struct entry *en = &b->entries[i];
	struct err why = {0};
	enum err_code r = spool_kept(l->a, l->s, en->record, &b->answers[i], &why);

	if (r == ERR_OK)
		return;
	if (r == ERR_REFUSED)
		en->why = why;
	if ((r != ERR_NOTFOUND && r != ERR_REFUSED) || en->why.code == ERR_IO || en->why.code == ERR_NOMEM) {
		archive_alarm(l->a, "spool %s: %s waits: %s", l->s->cfg->dir, en->name, r != ERR_NOTFOUND ? why.text : en->why.text);
		return;
	}
	if (en->why.code != ERR_OK) {
		b->answers[i] = refusal(l, en);
		return;
	}
	b->of[b->n_deposits] = i;
	b->deposits[b->n_deposits++] = (struct deposit){.depositor = l->s->cfg->depositor, .spool_name = en->name, .record = en->record,
	    .profile = l->s->cfg->profile, .files = en->files, .n_files = en->n_files, .meta = en->meta,
	    .left_ms = &l->left_ms};
}

static bool
claims_durable(void *ctx)
{
	struct spool_work *w = ctx;

	spool_work_round_ends(w);
	return !w->claims_wait;
}

/* A group that the disk has no room for is not there at all: a smaller one may be. */
static enum err_code
deposit_what_fits(struct spool_work *w, struct spool_batch *b, struct err *e)
{
	size_t n = b->n_deposits, i;
	struct err why = {0};
	enum err_code r;

	while ((r = deposit_when(w->a, b->deposits, n, claims_durable, w, &why)) == ERR_NOSPACE && n > 1 && gate_open(w->a, NULL) == ERR_OK) {
		for (i = 0; i < n; i++) {
			json_decref(b->deposits[i].receipt);
			b->deposits[i].receipt = NULL;
		}
		w->a->intake_waits = true;
		n /= 2;
		archive_alarm(w->a, "spool: %s: %zu deposits are tried without the others", why.text, n);
	}
	return r == ERR_OK ? ERR_OK : err_set(e, r, "%s", why.text);
}

static enum err_code
keep(struct spool_work *w, struct spool_batch *b, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; i < b->n; i++)
		sort_out(b, i);
	if (b->n_deposits != 0)
		r = deposit_what_fits(w, b, e);
	if (r == ERR_BUSY && w->claims_wait)
		r = ERR_OK; /* told; they lie in cur/ for the next round or look */
	for (i = 0; i < b->n_deposits; i++) {
		b->answers[b->of[i]] = b->deposits[i].receipt;
		w->a->put_off += b->deposits[i].put_off;
	}
	for (i = 0; i < b->n; i++)
		entry_close(&b->entries[i]);
	return r;
}

/* ---- answering: the thread ---- */

static bool
is_refused(const struct spool_batch *b, size_t i)
{
	return json_is_true(json_object_get(b->answers[i], "refused"));
}

/* When the answer can't be written the claim stays, so that it is at the next look. */
static void
answer_one(struct spool_batch *b, size_t i)
{
	const struct spool *s = b->looks[i]->s;
	struct entry *en = &b->entries[i];
	json_t *answer = b->answers[i];
	const char *record = json_string_value(json_object_get(answer, "record"));
	enum err_code r;

	en->why = (struct err){0};
	if (answer == NULL)
		return;
	if (is_refused(b, i))
		r = spool_give_back(s, en, answer, &en->why);
	else
		r = spool_answer(s->done, en->name, record != NULL ? record : en->record, ".receipt.json", answer, &en->why);
	en->answered = r == ERR_OK;
}

/* One sync for all receipts of a file system; false: theirs may get lost. An earlier entry's answer is taken over. */
static bool
sync_answers(struct spool_batch *b, const bool *synced, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (b->looks[k]->device == b->looks[i]->device)
			return synced[k];
	if (syncfs(b->looks[i]->s->root) == 0)
		return true;
	(void)err_set(&b->entries[i].why, ERR_IO, "can't be synced: its claimed files stay");
	return false;
}

static void *
answer_all(void *ctx)
{
	struct spool_batch *b = ctx;
	bool synced[SPOOL_BATCH] = {false};
	size_t i;

	for (i = 0; i < b->n; i++)
		answer_one(b, i);
	/* The claimed files go only when the receipts can't get lost any more. */
	for (i = 0; i < b->n; i++)
		synced[i] = sync_answers(b, synced, i);
	for (i = 0; i < b->n; i++) {
		struct entry *en = &b->entries[i];

		if (!en->answered || is_refused(b, i) || !synced[i])
			continue;
		en->gone = spool_forget(b->looks[i]->s, en);
		if (!en->gone)
			(void)err_set(&en->why, ERR_IO, "%s is kept, but can't be removed from cur/", en->name);
	}
	return NULL;
}

/* ---- from one batch to the next ---- */

void
spool_work_wait(struct spool_work *w)
{
	struct spool_batch *b = w->out;
	size_t i;

	if (w->answering)
		pthread_join(w->answerer, NULL);
	w->answering = false;
	for (i = 0; i < b->n; i++) {
		const struct entry *en = &b->entries[i];
		struct look *l = b->looks[i];

		l->taken += en->answered && !is_refused(b, i);
		l->refused += en->answered && is_refused(b, i);
		l->moved += en->gone || (en->answered && is_refused(b, i));
		if (en->why.code != ERR_OK)
			archive_alarm(w->a, "spool %s: %s", l->s->cfg->dir, en->why.text);
	}
	batch_clear(b);
}

bool
spool_work_wait_a_moment(struct spool_work *w)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += MOMENT_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (w->answering && pthread_clockjoin_np(w->answerer, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	w->answering = false;
	spool_work_wait(w);
	return true;
}

enum err_code
spool_work_keep(struct spool_work *w, struct err *e)
{
	struct spool_batch *b = w->in;
	enum err_code r;

	if (b->n == 0)
		return ERR_OK;
	r = keep(w, b, e);
	spool_work_wait(w);
	if (r != ERR_OK) {
		batch_clear(b);
		return r;
	}
	w->done += b->n;
	if (w->a->seams.progress != NULL)
		w->a->seams.progress(w->a->seams.progress_ctx, "deposit", w->done, 0);
	w->in = w->out;
	w->out = b;
	w->answering = pthread_create(&w->answerer, NULL, answer_all, b) == 0;
	if (!w->answering)
		answer_all(b);
	return ERR_OK;
}

enum err_code
spool_work_add(struct spool_work *w, struct look *l, const char *in_cur, struct err *e)
{
	struct spool_batch *b = w->in;
	struct entry *en = &b->entries[b->n];

	if (ends_with(in_cur, META_SUFFIX) || !entry_of(in_cur, en))
		return ERR_OK;
	if (l->left_ms <= 0 || slow_waits(l->a, en->record, l->s->cfg->depositor)) {
		l->a->put_off++;
		l->a->spool_more |= l->left_ms <= 0;
		entry_release(en);
		return ERR_OK;
	}
	entry_read(l->s, &l->a->cfg->limits, in_cur, en);
	b->bytes += en->bytes;
	b->files += en->n_files;
	b->looks[b->n++] = l;
	if (b->n < w->most && b->bytes < BATCH_BYTES && b->files < BATCH_FILES)
		return ERR_OK;
	return spool_work_keep(w, e);
}
