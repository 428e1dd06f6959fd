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
 * batch are synced by one call, and only then the claimed files go. A batch
 * takes from all spools: what a group costs does not grow with their number.
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

#define SPOOLS_AT_ONCE ((size_t)16) /* open at once: six descriptors each */

/* One look at one spool. */
struct look {
	struct archive *a;
	struct spool *s;
	dev_t device;
	bool at_fault; /* told already; not looked at again this time */
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
		/* A folder changes its parent: that needs the right to write in it. */
		err_errno(e, ERR_REFUSED, errno, "claim %s%s", name, errno == EACCES ? " (the service may not write in it)" : "");
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
	bool more = false;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(l->s->new, false, &names, &n, &more, e);
	for (i = 0; r == ERR_OK && i < n; i++)
		if (!ends_with(names[i], META_SUFFIX) && !still_written(l->s->new, names[i]))
			r = claim_or_refuse(l, names[i], e);
	free_names(names, n);
	return r;
}

/* ---- one batch ---- */

struct batch_of {
	struct entry *entries;
	struct look **looks; /* entry -> where it comes from */
	size_t n, files;
	uint64_t bytes, done;
	json_t **answers;
	struct deposit *deposits;
	size_t *of; /* deposit -> entry */
	size_t n_deposits;
	dev_t durable[SPOOLS_AT_ONCE]; /* file systems on which the claims of this look are durable */
	size_t n_durable;
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
	free(b->looks);
	free(b->answers);
	free(b->deposits);
	free(b->of);
}

static enum err_code
batch_of_new(struct batch_of *b, struct err *e)
{
	b->entries = mem_new(BATCH_DEPOSITS, sizeof(*b->entries));
	b->looks = mem_new(BATCH_DEPOSITS, sizeof(*b->looks));
	b->answers = mem_new(BATCH_DEPOSITS, sizeof(*b->answers));
	b->deposits = mem_new(BATCH_DEPOSITS, sizeof(*b->deposits));
	b->of = mem_new(BATCH_DEPOSITS, sizeof(*b->of));
	return b->entries != NULL && b->looks != NULL && b->answers != NULL && b->deposits != NULL && b->of != NULL ? ERR_OK :
														    err_nomem(e);
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
sort_out(struct batch_of *b, size_t i)
{
	struct look *l = b->looks[i];
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

/* One sync for all receipts of a file system; false: theirs may get lost. An earlier entry's answer is taken over. */
static bool
sync_answers(const struct batch_of *b, const bool *synced, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (b->looks[k]->device == b->looks[i]->device)
			return synced[k];
	if (syncfs(b->looks[i]->s->root) == 0)
		return true;
	archive_alarm(b->looks[i]->a, "spool %s can't be synced: its claimed files stay", b->looks[i]->s->cfg->dir);
	return false;
}

static void
answer_all(struct batch_of *b)
{
	bool told[BATCH_DEPOSITS] = {false}, synced[BATCH_DEPOSITS] = {false};
	size_t i;

	for (i = 0; i < b->n; i++)
		told[i] = b->answers[i] != NULL && answer_one(b->looks[i], &b->entries[i], b->answers[i]) &&
		    !json_is_true(json_object_get(b->answers[i], "refused"));
	/* The claimed files go only when the receipts can't get lost any more. */
	for (i = 0; i < b->n; i++)
		synced[i] = sync_answers(b, synced, i);
	for (i = 0; i < b->n; i++) {
		struct look *l = b->looks[i];

		if (!told[i] || !synced[i])
			continue;
		if (spool_forget(l->s, &b->entries[i]))
			l->moved++;
		else
			archive_alarm(l->a, "spool %s: %s is kept, but can't be removed from cur/", l->s->cfg->dir, b->entries[i].name);
	}
}

static enum err_code
process(struct archive *a, struct batch_of *b, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; i < b->n; i++)
		sort_out(b, i);
	if (b->n_deposits != 0)
		r = archive_deposit(a, b->deposits, b->n_deposits, e);
	for (i = 0; i < b->n_deposits; i++)
		b->answers[b->of[i]] = b->deposits[i].receipt;
	if (r == ERR_OK && b->n != 0)
		answer_all(b);
	b->done += b->n;
	if (a->seams.progress != NULL && b->n != 0)
		a->seams.progress(a->seams.progress_ctx, "deposit", b->done, 0);
	batch_of_clear(b);
	return r;
}

/* ---- one look ---- */

static void
at_fault(struct look *l, const struct err *why)
{
	archive_alarm(l->a, "spool of %s: %s", l->s->cfg->depositor, why->text);
	l->at_fault = true;
}

/*
 * The record ids stand in the names in cur/ alone: a claim that a crash undoes after its group is durable would be kept
 * twice. All claims of a look are made before the first is asked for here, so one sync a file system does for all.
 */
static bool
claims_durable(const struct look *l, struct batch_of *b)
{
	size_t i;

	for (i = 0; i < b->n_durable; i++)
		if (b->durable[i] == l->device)
			return true;
	if (syncfs(l->s->root) == 0) {
		b->durable[b->n_durable++] = l->device;
		return true;
	}
	archive_alarm(l->a, "spool %s can't be synced: the claimed files wait", l->s->cfg->dir);
	return false;
}

/* Claims into the batch; a full one is processed. An error is the archive's own, not the spool's. */
static enum err_code
work_cur(struct look *l, struct batch_of *b, struct err *e)
{
	char **names = NULL;
	struct err why = {0};
	bool more = false;
	enum err_code r = ERR_OK;
	size_t n = 0, todo, i;

	if (list_names(l->s->cur, false, &names, &n, &more, &why) != ERR_OK)
		at_fault(l, &why);
	todo = n != 0 && claims_durable(l, b) ? n : 0;
	for (i = 0; r == ERR_OK && i < todo && !archive_stopping(l->a); i++) {
		struct entry *en = &b->entries[b->n];

		if (ends_with(names[i], META_SUFFIX) || !entry_of(names[i], en))
			continue;
		entry_read(l->s, &l->a->cfg->limits, names[i], en);
		b->bytes += en->bytes;
		b->files += en->n_files;
		b->looks[b->n++] = l;
		if (b->n == BATCH_DEPOSITS || b->bytes >= BATCH_BYTES || b->files >= BATCH_FILES)
			r = process(l->a, b, e);
	}
	free_names(names, n);
	return r;
}

static uint64_t
moved(const struct look *looks, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += looks[i].moved;
	return sum;
}

static enum err_code
look_at(struct archive *a, struct look *looks, size_t n, struct err *e)
{
	AUTO(batch_of) struct batch_of b = {0};
	struct err why = {0};
	uint64_t before;
	size_t i;

	if (batch_of_new(&b, e) != ERR_OK)
		return e->code;
	do {
		before = moved(looks, n);
		for (i = 0; i < n; i++)
			if (!looks[i].at_fault && (tidy_cur(&looks[i], &why) != ERR_OK || claim_new(&looks[i], &why) != ERR_OK))
				at_fault(&looks[i], &why);
		b.n_durable = 0;
		for (i = 0; i < n; i++)
			if (!looks[i].at_fault && work_cur(&looks[i], &b, e) != ERR_OK)
				return e->code;
		if (process(a, &b, e) != ERR_OK)
			return e->code;
	} while (moved(looks, n) != before && !archive_stopping(a));
	return ERR_OK;
}

static void
open_look(struct archive *a, const struct conf_spool *cfg, struct spool *s, struct look *l)
{
	struct err why = {0};
	struct stat st;

	*s = (struct spool)SPOOL_NONE;
	*l = (struct look){.a = a, .s = s};
	if (spool_open(cfg, s, &why) != ERR_OK)
		at_fault(l, &why);
	else if (fstat(s->root, &st) != 0)
		l->at_fault = true;
	else
		l->device = st.st_dev;
}

enum err_code
archive_spool(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e)
{
	size_t from, i, n = a->cfg->n_spools;
	enum err_code r = ERR_OK;

	for (from = 0; r == ERR_OK && from < n && !archive_stopping(a); from += SPOOLS_AT_ONCE) {
		struct spool spools[SPOOLS_AT_ONCE];
		struct look looks[SPOOLS_AT_ONCE];
		size_t k = n - from < SPOOLS_AT_ONCE ? n - from : SPOOLS_AT_ONCE;
		struct err why = {0};

		for (i = 0; i < k; i++)
			open_look(a, &a->cfg->spools[from + i], &spools[i], &looks[i]);
		r = look_at(a, looks, k, &why);
		for (i = 0; i < k; i++) {
			*taken += looks[i].taken;
			*refused += looks[i].refused;
			spool_auto(&spools[i]);
		}
		if (r == ERR_NOSPACE)
			archive_alarm(a, "spool: %s", why.text);
		else if (r != ERR_OK)
			return err_set(e, r, "spool: %s", why.text);
	}
	return ERR_OK;
}
