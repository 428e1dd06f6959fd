/* SPDX-License-Identifier: MIT */
/* Birth, opening and closing of a store. */
#include "store/recover_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SMALL_FILE 4096
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define DIRTY "dirty"
#define INDEX_DATA "index/data.mdb"
#define INDEX_ASIDE "index/data.mdb.old"
#define LOCK_TRIES 10
#define LOCK_WAIT_US 20000

enum err_code
store_bad(struct store *s, enum err_code code, struct err *e)
{
	if (!s->bad)
		snprintf(s->why_bad, sizeof(s->why_bad), "%.199s", e != NULL ? e->text : "a write failed");
	s->bad = true;
	if (e != NULL)
		e->code = code;
	return code;
}

enum err_code
store_may_write(struct store *s, struct err *e)
{
	if (!s->writer)
		return err_set(e, ERR_USAGE, "the store is open for reading");
	if (s->bad)
		return err_set(e, ERR_IO, "the store must be opened again after: %s", s->why_bad);
	return ERR_OK;
}

enum err_code
store_segment_fd(struct store *s, const struct seg_id *id, int *fd, struct err *e)
{
	char name[SEG_NAME];
	enum err_code r;

	seg_name(id, name);
	r = sys_open_read(s->seg_fd, name, fd, e);
	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_DAMAGED, "segment %s is missing", name);
	return r;
}

/* --- create --- */

/* Never a new key over what another one signed. */
static enum err_code
no_segments(int dir, struct err *e)
{
	int fd = openat(dir, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;
	struct seg_id id;
	bool found = false;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT ? ERR_OK : err_errno(e, ERR_IO, errno, "segments");
	}
	while (!found && (de = readdir(d)) != NULL)
		found = seg_parse(de->d_name, &id);
	closedir(d);
	return found ? err_set(e, ERR_EXISTS, "there are segments of a store that has lost its FORMAT") : ERR_OK;
}

enum err_code
store_create(const char *dir, const struct store_options *o, const struct store_seams *seams, struct err *e)
{
	const struct store_options none = {0};
	const struct entropy random = seams->entropy.fill != NULL ? seams->entropy : entropy_openssl();
	AUTO(buf) struct buf text = {0};
	AUTO(fd) int fd = -1;
	enum err_code r = sys_mkdirs(AT_FDCWD, dir, 0750, e);

	if (r == ERR_OK)
		r = sys_open_dir(AT_FDCWD, dir, &fd, e);
	if (r != ERR_OK)
		return err_wrap(e, "store %s", dir);
	if (faccessat(fd, "FORMAT", F_OK, 0) == 0)
		return err_set(e, ERR_EXISTS, "%s holds a store already", dir);
	r = no_segments(fd, e);
	if (r == ERR_OK)
		r = format_text(o != NULL ? o : &none, STORE_FORMAT_VERSION, &random, &text, e);
	if (r == ERR_OK)
		r = sys_mkdirs(fd, "segments", 0750, e);
	if (r == ERR_OK)
		r = log_key_make(fd, &random, e);
	if (r == ERR_OK)
		r = sys_write_durably(fd, "lock", slice_of(NULL, 0), 0640, e);
	if (r == ERR_OK) /* last: without it there is no store */
		r = sys_write_durably(fd, "FORMAT", buf_slice(&text), 0644, e);
	return r == ERR_OK ? ERR_OK : err_wrap(e, "store %s", dir);
}

/* --- open --- */

/*
 * DIRTY holds the boot id while a writer is at work. There: the last end was not clean. Of another boot: the machine
 * went down, and what LMDB had not synced may be garbage, so both environments are made anew. MAKING: the index is being
 * made, and no reader may take what there is of it for all that is kept; the end before that was clean.
 */
#define MAKING "making the index\n"
struct marks {
	bool dirty, other_boot, making;
	char boot[64];
};

static void
read_marks(struct store *s, struct marks *m)
{
	AUTO(buf) struct buf was = {0};
	AUTO(fd) int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, m->boot, sizeof(m->boot) - 1) : 0;

	m->boot[n > 0 ? n : 0] = 0;
	m->dirty = sys_read_file(s->dir_fd, DIRTY, SMALL_FILE, &was, NULL) != ERR_NOTFOUND;
	m->making = m->dirty && strcmp(buf_str(&was), MAKING) == 0;
	m->other_boot = m->dirty && !m->making && (n <= 0 || strcmp(buf_str(&was), m->boot) != 0);
}

static enum err_code
set_mark(struct store *s, const char *text, struct err *e)
{
	return sys_write_durably(s->dir_fd, DIRTY, slice_str(text), 0640, e);
}

static bool
has_index(const struct store *s)
{
	return faccessat(s->dir_fd, INDEX_DATA, F_OK, 0) == 0;
}

void
store_wipe(struct store *s, const char *env)
{
	static const char *const file[] = {"data.mdb", "lock.mdb"};
	char path[64];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", env, file[i]);
		if (unlinkat(s->dir_fd, path, 0) != 0)
			continue; /* not there: as it should be */
	}
}

bool
store_quiet(struct store *s)
{
	struct marks m = {.dirty = false};

	read_marks(s, &m);
	return !m.dirty;
}

static enum err_code
open_index(struct store *s, struct err *e)
{
	AUTO(mem) char *path = mem_printf("%s/index", s->dir);
	enum err_code r;

	if (path == NULL)
		return err_nomem(e);
	r = index_open(path, !s->writer, &s->index, e);
	s->index_open = r == ERR_OK;
	if (r != ERR_NOTFOUND)
		return r;
	return store_quiet(s) ? err_set(e, ERR_DAMAGED, "index: not all tables are there")
			      : err_set(e, ERR_BUSY, "the index is being made");
}

/* ERR_DAMAGED: it is closed again, and only making it anew helps. */
static enum err_code
open_sound_index(struct store *s, bool clean, struct err *e)
{
	enum err_code r = open_index(s, e);

	if (r == ERR_OK)
		r = index_sound(s, clean, e);
	if (r != ERR_OK && s->index_open) {
		index_close(&s->index);
		s->index_open = false;
	}
	return r;
}

static enum err_code
lock_and_load(struct store *s, struct err *e)
{
	enum err_code r;
	int tries = 0;

	/* a backup has none */
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->lock_fd < 0)
		return err_errno(e, ERR_IO, errno, "lock");
	/* a reader that looks whether somebody writes has it for a moment */
	while ((r = sys_lock(s->lock_fd, e)) == ERR_BUSY && tries++ < LOCK_TRIES)
		usleep(LOCK_WAIT_US);
	if (r != ERR_OK)
		return err_wrap(e, "another writer holds the store");
	return s->mender ? ERR_OK : log_key_load(s->dir_fd, &s->log_seed, e);
}

static enum err_code
bring_up(struct store *s, struct recover_how *how, struct err *e)
{
	enum err_code r = newest_read(s, &how->newest, e);

	if (r == ERR_OK && how->newest.group > how->known)
		how->known = how->newest.group;
	if (r == ERR_OK)
		r = recover(s, how, e);
	return r == ERR_OK ? index_edge(&s->index, s->last.log_size, &s->edge, e) : r;
}

/* The old index is kept until the new one is whole: over a damaged log it is all there is. */
static void
clear_index(struct store *s, const struct marks *m)
{
	if (m->other_boot)
		store_wipe(s, "ops");
	if (!m->making && has_index(s))
		(void)!renameat(s->dir_fd, INDEX_DATA, s->dir_fd, INDEX_ASIDE);
	store_wipe(s, "index");
}

static void
bring_back_index(struct store *s, const struct marks *m)
{
	if (s->index_open)
		index_close(&s->index);
	s->index_open = false;
	if (renameat(s->dir_fd, INDEX_ASIDE, s->dir_fd, INDEX_DATA) != 0)
		return; /* there was none: the next open begins again */
	if (m->other_boot)
		return; /* it says so still */
	if (m->dirty && !m->making)
		(void)!set_mark(s, m->boot, NULL);
	else
		(void)!sys_unlink(s->dir_fd, DIRTY, NULL);
}

/* The index from the segments alone. */
static enum err_code
make_index(struct store *s, const struct marks *m, uint64_t accept_loss, struct err *e)
{
	struct recover_how how = {.clean = !m->dirty || m->making, .anew = true, .accept_loss = accept_loss};
	enum err_code r = m->other_boot || m->making ? ERR_OK : set_mark(s, MAKING, e);

	if (r != ERR_OK)
		return r;
	clear_index(s, m);
	r = m->other_boot ? ERR_OK : old_last(s, &how.known, e);
	if (r == ERR_OK)
		r = open_index(s, e);
	if (r == ERR_OK)
		r = bring_up(s, &how, e);
	if (r != ERR_OK) {
		bring_back_index(s, m);
		return r;
	}
	if (accept_loss != 0) {
		newest_forget(s);
		newest_write(s);
	}
	unlinkat(s->dir_fd, INDEX_ASIDE, 0);
	tables_unmark(s, TABLES_INDEX);
	return set_mark(s, m->boot, e);
}

static void
say_made(struct store *s, const char *why)
{
	snprintf(s->found.index_made, sizeof(s->found.index_made), "%.*s", (int)sizeof(s->found.index_made) - 1, why);
}

static enum err_code
open_writer(struct store *s, bool anew, uint64_t accept_loss, struct err *e)
{
	struct marks m = {.dirty = false};
	struct err why = {0};
	struct recover_how how = {.clean = false};
	enum err_code r = lock_and_load(s, e);

	if (r != ERR_OK)
		return r;
	read_marks(s, &m);
	s->found.recovered = m.dirty;
	if (tables_marked(s, TABLES_INDEX))
		say_made(s, "it was found damaged");
	else if (!has_index(s))
		say_made(s, "there was none");
	if (anew || m.other_boot || m.making || s->found.index_made[0] != 0)
		return make_index(s, &m, accept_loss, e);
	r = open_sound_index(s, !m.dirty, &why);
	if (r != ERR_OK && r != ERR_NOMEM) { /* not a good one */
		say_made(s, why.text);
		return make_index(s, &m, accept_loss, e);
	}
	if (r != ERR_OK)
		return err_set(e, r, "%s", why.text);
	if (!m.dirty)
		r = set_mark(s, m.boot, e);
	how.clean = !m.dirty;
	how.same_boot = m.dirty;
	return r == ERR_OK ? bring_up(s, &how, e) : r;
}

static enum err_code open_store(const char *dir, unsigned flags, bool anew, uint64_t accept_loss, const struct store_seams *seams,
    struct store **out, struct err *e);
/* For a reader: brought up, but no group is written. */
#define MEND_ONLY 4u

static enum err_code
recover_first(struct store *s, const char *why, struct err *e)
{
	const struct store_seams seams = {.clock = s->clock};
	struct store *w = NULL;
	enum err_code r = open_store(s->dir, STORE_WRITE | MEND_ONLY, false, 0, &seams, &w, e);

	if (r != ERR_OK)
		return err_wrap(e, "%s; the store must be opened for writing once", why);
	s->found = w->found;
	return store_close(w, e);
}

/* True when nobody writes. */
static bool
unlocked(struct store *s)
{
	AUTO(fd) int fd = openat(s->dir_fd, "lock", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static enum err_code
open_reader(struct store *s, struct err *e)
{
	struct marks m = {.dirty = false};
	struct err why = {0};
	enum err_code r = ERR_OK;

	read_marks(s, &m);
	if (!has_index(s) || m.other_boot || m.making || (m.dirty && unlocked(s)) || tables_marked(s, TABLES_INDEX))
		r = recover_first(s, "the store was left by a crash", e);
	if (r != ERR_OK)
		return r;
	r = open_sound_index(s, store_quiet(s), &why);
	if (r != ERR_DAMAGED)
		return r == ERR_OK ? r : err_set(e, r, "%s", why.text);
	tables_mark(s, TABLES_INDEX);
	r = recover_first(s, why.text, e);
	return r == ERR_OK ? open_sound_index(s, store_quiet(s), e) : r;
}

static void
release(struct store *s)
{
	while (s->n_segs != 0)
		seg_drop(s, s->segs[0], false);
	free(s->segs);
	if (s->index_open && s->index.kv.broken)
		tables_mark(s, TABLES_INDEX);
	if (s->ops_open && s->ops.broken)
		tables_mark(s, TABLES_OPS);
	if (s->index_open)
		index_close(&s->index);
	if (s->ops_open)
		kv_close(&s->ops);
	log_key_release(s->log_seed);
	if (s->seg_fd >= 0)
		close(s->seg_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->newest_fd >= 0)
		close(s->newest_fd);
	free((void *)(uintptr_t)s->o.origin);
	free(s->dir);
	free(s);
}

/* anew: whatever the index is like. */
static enum err_code
open_store(const char *dir, unsigned flags, bool anew, uint64_t accept_loss, const struct store_seams *seams, struct store **out,
    struct err *e)
{
	struct store *s = mem_new(1, sizeof(*s));
	enum err_code r;

	if (s == NULL)
		return err_nomem(e);
	s->dir_fd = s->seg_fd = s->lock_fd = s->newest_fd = -1;
	s->writer = (flags & STORE_WRITE) != 0;
	s->mender = (flags & MEND_ONLY) != 0;
	s->clock = seams->clock;
	s->dir = realpath(dir, NULL); /* LMDB opens by path, perhaps later */
	s->last.time_utc = TIME_NONE;
	if (s->dir != NULL)
		r = sys_open_dir(AT_FDCWD, s->dir, &s->dir_fd, e);
	else
		r = errno == ENOENT ? err_set(e, ERR_NOTFOUND, "no archive there (init makes one)") : err_errno(e, ERR_IO, errno, "open");
	if (r == ERR_OK)
		r = format_read(s, e);
	if (r == ERR_OK)
		r = sys_open_dir(s->dir_fd, "segments", &s->seg_fd, e);
	if (r == ERR_OK)
		r = s->writer ? open_writer(s, anew, accept_loss, e) : open_reader(s, e);
	if (r != ERR_OK) {
		err_wrap(e, "store %s", dir);
		release(s);
		return r;
	}
	*out = s;
	return ERR_OK;
}

enum err_code
store_open(const char *dir, enum store_open_flags flags, const struct store_seams *seams, struct store **out, struct err *e)
{
	return open_store(dir, flags & (STORE_READ | STORE_WRITE), false, 0, seams, out, e);
}

/* --- close --- */

static enum err_code
end_clean(struct store *s, struct err *e)
{
	int x;

	if (s->index.kv.broken) /* not clean: the next one makes it anew */
		return err_set(e, ERR_DAMAGED, "the index is damaged; the next start makes it anew from the segments");
	x = mdb_env_sync(s->index.kv.env, 1);
	if (x == 0 && s->ops_open && !s->ops.broken)
		x = mdb_env_sync(s->ops.env, 1);
	if (x != 0)
		return kv_err(e, x, "index sync");
	if (sys_unlink(s->dir_fd, DIRTY, e) != ERR_OK)
		return err_wrap(e, "clean end");
	return sys_fsync_dir(s->dir_fd, e);
}

enum err_code
store_close(struct store *s, struct err *e)
{
	enum err_code r = ERR_OK;

	if (s == NULL)
		return ERR_OK;
	if (s->batch != NULL) {
		if (!s->bad)
			store_rollback(s);
		s->batch->s = NULL;
	}
	if (s->writer && !s->bad)
		r = end_clean(s, e);
	else if (s->bad)
		r = err_set(e, ERR_IO, "closed after: %s", s->why_bad);
	release(s);
	return r;
}

void
store_auto(struct store **s)
{
	int saved = errno;

	store_close(*s, NULL);
	errno = saved;
}

enum err_code
store_rebuild(const char *dir, const struct store_seams *seams, struct err *e)
{
	return store_rebuild_accept(dir, 0, seams, e);
}

enum err_code
store_rebuild_accept(const char *dir, uint64_t group, const struct store_seams *seams, struct err *e)
{
	struct store *s = NULL;
	enum err_code r = open_store(dir, STORE_WRITE, true, group, seams, &s, e);

	return r == ERR_OK ? store_close(s, e) : err_wrap(e, "rebuild");
}

enum err_code
store_dump(struct store *s, const struct sink *to, struct err *e)
{
	return index_dump(&s->index, to, e);
}

/* --- status --- */

static enum err_code
count_segments(struct store *s, struct store_status *out, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	size_t i, n = 0;
	enum err_code r = index_segments(&s->index, &rows, &n, e);

	for (i = 0; r == ERR_OK && i < n; i++) {
		out->sealed += rows[i].sealed;
		out->bytes += rows[i].end;
	}
	out->segments = n;
	return r;
}

static enum err_code
count_lost(void *ctx, const struct store_lost *l, struct err *e)
{
	struct store_status *out = ctx;

	(void)e;
	out->lost_all++;
	out->lost_alarms += l->alarm;
	out->lost_mended += l->kind == STORE_LOST_MENDED && !l->acknowledged;
	return ERR_OK;
}

enum err_code
store_status(struct store *s, struct store_status *out, struct err *e)
{
	const struct store_lost_each each = {count_lost, out};
	struct index_last last;
	uint64_t twins = 0;
	struct statvfs fs;
	enum err_code r = index_last(&s->index, &last, e);

	*out = s->found;
	snprintf(out->origin, sizeof(out->origin), "%s", s->o.origin);
	if (r == ERR_OK)
		r = index_count(&s->index, DB_OBJECTS, &out->objects, e);
	if (r == ERR_OK)
		r = count_segments(s, out, e);
	if (r == ERR_OK)
		r = index_count(&s->index, DB_TWINS, &twins, e);
	if (r == ERR_OK)
		r = store_lost(s, &each, e);
	if (r != ERR_OK)
		return r;
	out->no_twin = last.group - twins;
	out->groups = last.group;
	out->log_size = last.log_size;
	out->last_group_utc = last.time_utc;
	if (fstatvfs(s->dir_fd, &fs) == 0)
		out->disk_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return ERR_OK;
}
