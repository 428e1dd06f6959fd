/* SPDX-License-Identifier: MIT */
/*
 * The spool of one depositor, with the habits of a maildir:
 *
 *	tmp/ the depositor writes here, then renames into new/
 *	new/X (+ X.meta.json)   claimed by a rename to cur/<record id>.X
 *	done/X.receipt.json     kept, for good; the original may be deleted
 *	failed/X + X.reason.json
 *
 * The record id is made at the claim and stands in the name in cur/. So after
 * a crash the question "was it kept?" is answered by the store, and nothing
 * is kept twice. Receipts are written after the group is durable, all of a
 * batch are synced by one call, and only then the claimed files go.
 *
 * What goes wrong in the store ends the run; what goes wrong in a spool is
 * told, stays where it is, and is tried at the next look.
 */
#include "archiver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_DEPOSITS ((size_t)256)
#define BATCH_BYTES ((uint64_t)256 << 20)
#define BATCH_FILES ((size_t)512) /* open at once, before the next deposit is read */

/* One look at one spool. */
struct look {
	struct archive *a;
	const struct spool *s;
	uint64_t taken, refused;
	uint64_t moved; /* names that left new/ or cur/: nothing moved, nothing more to do now */
};

void
spool_auto(struct spool *s)
{
	fd_auto(&s->root);
	fd_auto(&s->new);
	fd_auto(&s->cur);
	fd_auto(&s->done);
	fd_auto(&s->failed);
}

/* cur/ is ours alone. No link is followed: the depositor may rename what lies in the spool's folder. */
static enum err_code
open_part(int root, const char *name, int *fd, struct err *e)
{
	if (mkdirat(root, name, strcmp(name, "cur") == 0 ? 0700 : 0770) != 0 && errno != EEXIST)
		return err_errno(e, ERR_IO, errno, "make %s", name);
	*fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *fd >= 0 ? ERR_OK : err_errno(e, ERR_IO, errno, "open %s", name);
}

enum err_code
spool_open(const struct conf_spool *cfg, struct spool *s, struct err *e)
{
	AUTO(fd) int tmp = -1;

	s->cfg = cfg;
	if (sys_mkdirs(AT_FDCWD, cfg->dir, 0770, e) != ERR_OK || sys_open_dir(AT_FDCWD, cfg->dir, &s->root, e) != ERR_OK ||
	    open_part(s->root, "tmp", &tmp, e) != ERR_OK || open_part(s->root, "new", &s->new, e) != ERR_OK ||
	    open_part(s->root, "cur", &s->cur, e) != ERR_OK || open_part(s->root, "done", &s->done, e) != ERR_OK ||
	    open_part(s->root, "failed", &s->failed, e) != ERR_OK)
		return err_wrap(e, "spool %s", cfg->dir);
	return ERR_OK;
}

/* ---- was it kept? ---- */

/*
 * A claim of before a crash whose record is in the store: only its receipt is missing. ERR_NOTFOUND: not kept.
 * ERR_REFUSED: another depositor's record; the name in cur/ is not one that we made. Anything else: can't be told now,
 * and to keep it again would overwrite what is there.
 */
static enum err_code
kept_already(struct archive *a, const struct spool *s, const char *record, json_t **receipt, struct err *e)
{
	const char *depositor = NULL;
	enum err_code r = receipt_again(a, record, receipt, e);

	if (r != ERR_OK)
		return r;
	depositor = json_string_value(json_object_get(*receipt, "depositor"));
	if (depositor != NULL && strcmp(depositor, s->cfg->depositor) == 0)
		return ERR_OK;
	json_decref(*receipt);
	*receipt = NULL;
	return err_set(e, ERR_REFUSED, "the claim's id is not this spool's");
}

/* ---- claiming ---- */

/* Meta files that a crash left alone in cur/. */
static enum err_code
tidy_cur(struct look *l, struct err *e)
{
	char **names = NULL;
	bool more = false;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(l->s->cur, false, &names, &n, &more, e);
	for (i = 0; r == ERR_OK && i < n; i++) {
		AUTO(json) json_t *receipt = NULL;
		struct entry en;
		struct stat st;

		if (!ends_with(names[i], META_SUFFIX))
			continue;
		names[i][strlen(names[i]) - strlen(META_SUFFIX)] = '\0';
		if (fstatat(l->s->cur, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 || !entry_of(names[i], &en))
			continue;
		spool_orphan(l->s, &en, kept_already(l->a, l->s, en.record, &receipt, NULL) == ERR_OK);
		entry_release(&en);
	}
	free_names(names, n);
	return r;
}

static enum err_code
claim_one(struct look *l, const char *name, const char *record, struct err *e)
{
	AUTO(mem) char *meta = mem_printf("%s%s", name, META_SUFFIX);
	AUTO(mem) char *to = mem_printf("%s.%s", record, name);
	AUTO(mem) char *to_meta = mem_printf("%s.%s%s", record, name, META_SUFFIX);
	bool with_meta;

	if (meta == NULL || to == NULL || to_meta == NULL)
		return err_nomem(e);
	if (strlen(to_meta) > 255)
		return err_set(e, ERR_REFUSED, "the name is too long by %zu octets", strlen(to_meta) - 255);
	/* The meta file first: a claim is complete when its main file has moved; alone it is given back (tidy_cur). */
	with_meta = renameat(l->s->new, meta, l->s->cur, to_meta) == 0;
	if (renameat(l->s->new, name, l->s->cur, to) == 0) {
		l->moved++;
		return ERR_OK;
	}
	if (errno != ENOENT)
		err_errno(e, ERR_REFUSED, errno, "claim %s", name);
	if (with_meta)
		(void)renameat2(l->s->cur, to_meta, l->s->new, meta, RENAME_NOREPLACE);
	return e->code;
}

static enum err_code
claim_or_refuse(struct look *l, const char *name, struct err *e)
{
	char record[UUID_TEXT];
	struct err why = {0};
	bool moved = false;

	if (uuid7(archive_now(l->a) * 1000, &l->a->seams.entropy, record, e) != ERR_OK)
		return err_wrap(e, "claim");
	if (claim_one(l, name, record, &why) == ERR_OK)
		return ERR_OK;
	if (why.code != ERR_REFUSED)
		return err_set(e, why.code, "%s", why.text);
	if (spool_refuse(l->s, name, record, archive_now(l->a), &why, &moved, &why) != ERR_OK || !moved)
		archive_alarm(l->a, "spool %s: %s", l->s->cfg->dir, why.text);
	l->refused += moved;
	l->moved += moved;
	return ERR_OK;
}

static enum err_code
claim_new(struct look *l, struct err *e)
{
	char **names = NULL;
	uint64_t before = l->moved;
	bool more = false;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(l->s->new, false, &names, &n, &more, e);
	for (i = 0; r == ERR_OK && i < n; i++)
		if (!ends_with(names[i], META_SUFFIX) && !still_written(l->s->new, names[i]))
			r = claim_or_refuse(l, names[i], e);
	free_names(names, n);
	/* The claims' names outlive a power loss before any record is kept under them: else a file were back in new/, and kept twice. */
	if (r == ERR_OK && l->moved != before)
		r = sys_fsync_dir(l->s->cur, e) == ERR_OK ? sys_fsync_dir(l->s->new, e) : e->code;
	return r;
}

/* ---- one batch ---- */

struct batch_of {
	struct entry *entries;
	size_t n, files;
	uint64_t bytes;
	json_t **answers;
	struct deposit *deposits;
	size_t *of; /* deposit -> entry */
	size_t n_deposits;
};

static void
batch_of_auto(struct batch_of *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		entry_release(&b->entries[i]);
		json_decref(b->answers[i]);
	}
	free(b->entries);
	free(b->answers);
	free(b->deposits);
	free(b->of);
}

static enum err_code
batch_of_new(struct batch_of *b, struct err *e)
{
	b->entries = mem_new(BATCH_DEPOSITS, sizeof(*b->entries));
	b->answers = mem_new(BATCH_DEPOSITS, sizeof(*b->answers));
	b->deposits = mem_new(BATCH_DEPOSITS, sizeof(*b->deposits));
	b->of = mem_new(BATCH_DEPOSITS, sizeof(*b->of));
	return b->entries != NULL && b->answers != NULL && b->deposits != NULL && b->of != NULL ? ERR_OK : err_nomem(e);
}

static void
batch_of_clear(struct batch_of *b)
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

static json_t *
refusal(struct look *l, const struct entry *en)
{
	return json_pack("{s:i, s:b, s:o, s:o, s:o}", "schema", 1, "refused", 1, "time", json_time(archive_now(l->a)), "reason",
	    json_text(en->why.text), "name", json_text(en->name));
}

/* Kept before, refused at the door, our own trouble (stays for the next look), or to be deposited. */
static void
sort_out(struct look *l, struct batch_of *b, size_t i)
{
	struct entry *en = &b->entries[i];
	struct err why = {0};
	enum err_code r = kept_already(l->a, l->s, en->record, &b->answers[i], &why);

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
	    .profile = l->s->cfg->profile, .files = en->files, .n_files = en->n_files, .meta = en->meta};
}

/* False: the answer could not be written; the claim stays, so that it is at the next look. */
static bool
answer_one(struct look *l, struct entry *en, json_t *answer)
{
	struct err why = {0};
	bool refused = json_is_true(json_object_get(answer, "refused"));
	const char *record = json_string_value(json_object_get(answer, "record"));
	enum err_code r = refused ? spool_give_back(l->s, en, answer, &why)
				  : spool_answer(l->s->done, en->name, record != NULL ? record : en->record, ".receipt.json", answer, &why);

	if (r != ERR_OK) {
		archive_alarm(l->a, "spool %s: %s", l->s->cfg->dir, why.text);
		return false;
	}
	l->refused += refused;
	l->moved += refused;
	l->taken += !refused;
	return true;
}

static void
answer_all(struct look *l, struct batch_of *b)
{
	bool told[BATCH_DEPOSITS] = {false};
	size_t i;

	for (i = 0; i < b->n; i++)
		told[i] = b->answers[i] != NULL && answer_one(l, &b->entries[i], b->answers[i]) &&
		    !json_is_true(json_object_get(b->answers[i], "refused"));
	/* One sync for all receipts; the claimed files go only when the receipts can't get lost any more. */
	if (syncfs(l->s->root) != 0) {
		archive_alarm(l->a, "spool %s can't be synced: its claimed files stay", l->s->cfg->dir);
		return;
	}
	for (i = 0; i < b->n; i++) {
		if (!told[i])
			continue;
		if (spool_forget(l->s, &b->entries[i]))
			l->moved++;
		else
			archive_alarm(l->a, "spool %s: %s is kept, but can't be removed from cur/", l->s->cfg->dir, b->entries[i].name);
	}
}

static enum err_code
process(struct look *l, struct batch_of *b, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; i < b->n; i++)
		sort_out(l, b, i);
	if (b->n_deposits != 0)
		r = archive_deposit(l->a, b->deposits, b->n_deposits, e);
	for (i = 0; i < b->n_deposits; i++)
		b->answers[b->of[i]] = b->deposits[i].receipt;
	if (r == ERR_OK)
		answer_all(l, b);
	batch_of_clear(b);
	return r;
}

/* The record ids stand in these names alone: a claim that a crash undoes after its group is durable would be kept twice. */
static bool
claims_durable(struct look *l)
{
	struct err why = {0};

	if (sys_fsync_dir(l->s->cur, &why) == ERR_OK && sys_fsync_dir(l->s->new, &why) == ERR_OK)
		return true;
	archive_alarm(l->a, "spool %s: the claimed files wait: %s", l->s->cfg->dir, why.text);
	return false;
}

static enum err_code
work_cur(struct look *l, struct err *e)
{
	AUTO(batch_of) struct batch_of b = {0};
	char **names = NULL;
	bool more = false;
	enum err_code r = batch_of_new(&b, e);
	size_t n = 0, i;

	if (r == ERR_OK)
		r = list_names(l->s->cur, false, &names, &n, &more, e);
	if (n != 0 && !claims_durable(l)) {
		free_names(names, n);
		return r;
	}
	for (i = 0; r == ERR_OK && i < n; i++) {
		struct entry *en = &b.entries[b.n];

		if (!ends_with(names[i], META_SUFFIX) && entry_of(names[i], en)) {
			entry_read(l->s, &l->a->cfg->limits, names[i], en);
			b.bytes += en->bytes;
			b.files += en->n_files;
			b.n++;
		}
		if (b.n != 0 && (b.n == BATCH_DEPOSITS || b.bytes >= BATCH_BYTES || b.files >= BATCH_FILES || i + 1 == n || archive_stopping(l->a))) {
			r = process(l, &b, e);
			if (l->a->seams.progress != NULL)
				l->a->seams.progress(l->a->seams.progress_ctx, "deposit", i + 1, n);
		}
		if (archive_stopping(l->a))
			break;
	}
	free_names(names, n);
	return r;
}

/* *store: the fault is the archive's own, not the spool's. */
static enum err_code
look_at(struct look *l, bool *store, struct err *e)
{
	uint64_t before;

	*store = false;
	do {
		before = l->moved;
		if (tidy_cur(l, e) != ERR_OK || claim_new(l, e) != ERR_OK)
			return e->code;
		*store = true;
		if (work_cur(l, e) != ERR_OK)
			return e->code;
		*store = false;
	} while (l->moved != before && !archive_stopping(l->a));
	return ERR_OK;
}

enum err_code
archive_spool(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e)
{
	size_t i, n = a->cfg->n_spools;

	for (i = 0; i < n && !archive_stopping(a); i++) {
		AUTO(spool) struct spool s = SPOOL_NONE;
		struct look l = {.a = a, .s = &s};
		struct err why = {0};
		bool store = false;
		enum err_code r = spool_open(&a->cfg->spools[i], &s, &why);

		if (r == ERR_OK)
			r = look_at(&l, &store, &why);
		*taken += l.taken;
		*refused += l.refused;
		if (r == ERR_OK)
			continue;
		if (store && r != ERR_NOSPACE)
			return err_set(e, r, "spool of %s: %s", a->cfg->spools[i].depositor, why.text);
		archive_alarm(a, "spool of %s: %s", a->cfg->spools[i].depositor, why.text);
		if (r == ERR_NOSPACE)
			break;
	}
	return ERR_OK;
}
