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
 * takes from all spools: what a group costs does not grow with their number
 * (spool_batch.c).
 *
 * What goes wrong in the store ends the run; what goes wrong in a spool is
 * told, stays where it is, and is tried at the next look.
 */
#include "archiver/slow.h"
#include "archiver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 2000		  /* then a service's steps have their turn */
#define WAIT_MS 200		  /* for a verdict, then new/ is looked at again */
#define LONE_META_S 3600
#define SPOOLS_AT_ONCE ((size_t)16) /* open at once: six descriptors each */

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

/* ---- claiming ---- */

/* Meta files that a crash left alone in cur/, and what it left of answered ones: before anything of this look is under way there. */
static enum err_code
tidy_cur(struct look *l, struct err *e)
{
	char **names = NULL;
	bool more = false;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(l->s->cur, true, &names, &n, &more, e);
	for (i = 0; r == ERR_OK && i < n; i++) {
		AUTO(json) json_t *receipt = NULL;
		struct entry en;
		struct stat st;

		if (names[i][0] == '.')
			spool_clear(l->s, names[i]);
		if (names[i][0] == '.' || !ends_with(names[i], META_SUFFIX))
			continue;
		names[i][strlen(names[i]) - strlen(META_SUFFIX)] = '\0';
		if (fstatat(l->s->cur, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 || !entry_of(names[i], &en))
			continue;
		spool_orphan(l->s, &en, spool_kept(l->a, l->s, en.record, &receipt, NULL) == ERR_OK);
		entry_release(&en);
	}
	free_names(names, n);
	return r;
}

/* What a depositor can do to a name. Anything else (a disk that fails, a full one) is our trouble: the deposit waits. */
bool
is_depositors(int err)
{
	static const int those[] = {EACCES, EPERM, ENAMETOOLONG, ELOOP, ENOTDIR, EISDIR, ENOENT, EXDEV, EBUSY, ENXIO, ENODEV, ETXTBSY};
	size_t i;

	for (i = 0; i < sizeof(those) / sizeof(those[0]); i++)
		if (those[i] == err)
			return true;
	return false;
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
		l->claimed[l->n_claimed++] = TAKE(to);
		return ERR_OK;
	}
	if (errno != ENOENT)
		/* A folder changes its parent: that needs the right to write in it. */
		err_errno(e, is_depositors(errno) ? ERR_REFUSED : ERR_IO, errno, "claim %s%s", name,
		    errno == EACCES ? " (the service may not write in it: chmod -R g+rwX first)" : "");
	if (with_meta)
		(void)renameat2(l->s->cur, to_meta, l->s->new, meta, RENAME_NOREPLACE);
	return e->code;
}

static enum err_code
claim_or_refuse(struct look *l, const char *name, int64_t now, struct err *e)
{
	char record[UUID_TEXT];
	struct err why = {0};
	bool moved = false;

	if (uuid7(now * 1000, &l->a->seams.entropy, record, e) != ERR_OK)
		return err_wrap(e, "claim");
	if (claim_one(l, name, record, &why) == ERR_OK)
		return ERR_OK;
	if (why.code != ERR_REFUSED)
		return err_set(e, why.code, "%s", why.text);
	if (spool_refuse(l->s, name, record, now, &why, &moved, &why) != ERR_OK || !moved)
		archive_alarm(l->a, "spool %s: %s", l->s->cfg->dir, why.text);
	l->refused += moved;
	l->moved += moved;
	return ERR_OK;
}

/* It came after what it speaks of, and would go with the next deposit of that name. */
static void
tell_of_lone_meta(struct look *l, const char *meta, int64_t now)
{
	AUTO(mem) char *name = mem_dupstr(meta);
	struct stat st;

	if (name == NULL || l->a->cfg->archive.clock_file != NULL || fstatat(l->s->new, meta, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    now - st.st_mtime < LONE_META_S)
		return;
	name[strlen(name) - strlen(META_SUFFIX)] = '\0';
	if (fstatat(l->s->new, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		archive_alarm(l->a, "spool %s: new/%s is alone for an hour: it goes with the next %s that comes", l->s->cfg->dir, meta, name);
}

static enum err_code
claim_new(struct look *l, struct err *e)
{
	int64_t now = archive_now(l->a);
	char **names = NULL;
	bool more = false;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(l->s->new, false, &names, &n, &more, e);
	if (r == ERR_OK && (l->claimed = mem_new(n + 1, sizeof(*l->claimed))) == NULL)
		r = err_nomem(e);
	for (i = 0; r == ERR_OK && i < n; i++)
		if (ends_with(names[i], META_SUFFIX))
			tell_of_lone_meta(l, names[i], now);
		else if (!still_written(l->s->new, names[i]))
			r = claim_or_refuse(l, names[i], now, e);
	free_names(names, n);
	return r;
}

/* ---- one look ---- */

static void
at_fault(struct look *l, const struct err *why)
{
	archive_alarm(l->a, "spool of %s: %s", l->s->cfg->depositor, why->text);
	l->at_fault = true;
}

static void
forget_claimed(struct look *l)
{
	if (l->claimed != NULL)
		free_names(l->claimed, l->n_claimed);
	l->claimed = NULL;
	l->n_claimed = 0;
}

/* At the first time what lies in cur/ of before is worked on as well. */
static enum err_code
list_cur(struct look *l, struct err *e)
{
	bool more = false;
	enum err_code r;

	forget_claimed(l);
	r = list_names(l->s->cur, false, &l->claimed, &l->n_claimed, &more, e);
	l->cur_listed = r == ERR_OK && !more;
	return r;
}

static void
claim(struct look *l, struct spool_work *w)
{
	struct err why = {0};

	if (!l->cur_listed)
		spool_work_wait(w); /* what is being answered must not be found again */
	if ((!l->cur_listed && tidy_cur(l, &why) != ERR_OK) || claim_new(l, &why) != ERR_OK || (!l->cur_listed && list_cur(l, &why) != ERR_OK))
		at_fault(l, &why);
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

/*
 * The record ids stand in the names in cur/ alone: a claim that a crash undoes after its group is durable would be kept
 * twice. So all claims of a round are made first, and synced together before a group of theirs is written.
 */
static enum err_code
look_once(struct look *looks, size_t n, struct spool_work *w, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i, k, claims = 0;

	for (i = 0; i < n; i++) {
		if (!looks[i].at_fault)
			claim(&looks[i], w);
		claims += looks[i].n_claimed;
	}
	spool_work_claimed(w, claims);
	for (i = 0; r == ERR_OK && i < n; i++)
		for (k = 0; r == ERR_OK && k < looks[i].n_claimed && !w->claims_wait && !archive_stopping(looks[i].a); k++)
			r = spool_work_add(w, &looks[i], looks[i].claimed[k], e);
	if (r == ERR_OK)
		r = spool_work_keep(w, e);
	spool_work_round_ends(w);
	for (i = 0; i < n; i++)
		forget_claimed(&looks[i]);
	return r;
}

/*
 * Round after round, since whoever got a receipt may have put the next file there while the rest of that batch is answered:
 * waiting for the thread after each round would leave either it or us idle.
 */
static enum err_code
look_at(struct archive *a, struct look *looks, size_t n, struct err *e)
{
	AUTO(spool_work) struct spool_work w = {0};
	int64_t until_ms = sys_monotonic_ms() + LOOK_MS;
	bool more = true;
	uint64_t before;

	if (spool_work_new(a, looks, n, &w, e) != ERR_OK)
		return e->code;
	while (more && !archive_stopping(a)) {
		before = moved(looks, n);
		if (look_once(looks, n, &w, e) != ERR_OK || archive_between(a, e) != ERR_OK)
			return e->code;
		more = w.claims_wait || moved(looks, n) != before || !spool_work_wait_a_moment(&w) || moved(looks, n) != before;
		/* A service has other things to do as well. */
		if (more && !w.claims_wait && a->between != NULL && sys_monotonic_ms() >= until_ms) {
			a->spool_more = true;
			break;
		}
	}
	return ERR_OK;
}

static void
open_look(struct archive *a, const struct conf_spool *cfg, struct spool *s, struct look *l)
{
	struct err why = {0};
	struct stat st;

	*s = (struct spool)SPOOL_NONE;
	*l = (struct look){.a = a, .s = s, .left_ms = SLOW_BUDGET_MS};
	if (spool_open(cfg, s, &why) != ERR_OK)
		at_fault(l, &why);
	else if (fstat(s->root, &st) != 0)
		l->at_fault = true;
	else
		l->device = st.st_dev;
}

static enum err_code
all_spools(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e)
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
		if (r == ERR_NOSPACE || r == ERR_BUSY) {
			archive_alarm(a, "spool: %s", why.text);
			a->intake_waits = true;
		} else if (r != ERR_OK)
			return err_set(e, r, "spool: %s", why.text);
	}
	return ERR_OK;
}

enum err_code
archive_spool(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e)
{
	struct err closed = {0};
	enum err_code r;

	if (a->spooling)
		return ERR_OK;
	a->spool_more = false;
	if (gate_open(a, &closed) != ERR_OK) {
		archive_alarm(a, "%s", closed.text);
		a->intake_waits = true;
		return ERR_OK;
	}
	a->spooling = true;
	a->intake_waits = false;
	do {
		a->spool_more = false;
		a->put_off = 0;
		slow_look(a);
		r = all_spools(a, taken, refused, e);
		a->spool_more |= a->put_off != 0 && slow_fd(a) < 0; /* the next one has its turn */
		/* A service comes back when there is something to do; a single run stays until all is answered. */
		if (r == ERR_OK && a->between == NULL && a->put_off != 0 && !a->spool_more)
			slow_wait(a, WAIT_MS);
	} while (r == ERR_OK && a->between == NULL && a->put_off != 0 && !archive_stopping(a));
	a->spooling = false;
	return r;
}
