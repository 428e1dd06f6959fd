/* SPDX-License-Identifier: MIT */
/*
 * Opening after whatever happened: which groups count, what is mended, what is
 * set aside, what is refused (docs/format.md 4). Nothing that stands in a
 * segment is cut or written over before it was set aside whole.
 */
#include "store/recover_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_HEAD_OCTETS 1024 /* of the header member of a segment */
#define LOOK_BACK 16 /* groups whose objects are read again after an unclean end, at most */

struct walk {
	struct store *s;
	const struct recover_how *how;
	struct seg_files files;
	struct chain chain;
	uint64_t first_new; /* the first group that the index did not know; 0 = none */
	uint32_t *mend;	    /* segments in which something must be written anew */
	size_t n_mend, cap_mend;
	bool log_begun;	   /* the log holds more than zeros behind the end */
	struct behind behind;
	bool forked;	   /* newest names a group of the chain that is another one */
};

static void
walk_auto(struct walk *w)
{
	seg_files_auto(&w->files);
	chain_auto(&w->chain);
	free(w->mend);
}

static enum err_code
must_mend(struct walk *w, uint32_t seg, struct err *e)
{
	size_t i;

	for (i = 0; i < w->n_mend; i++)
		if (w->mend[i] == seg)
			return ERR_OK;
	if (!mem_grow(&w->mend, &w->cap_mend, w->n_mend, sizeof(*w->mend)))
		return err_nomem(e);
	w->mend[w->n_mend++] = seg;
	return ERR_OK;
}

/* --- octets --- */

/* Octets of a segment file behind the committed ones. */
static enum err_code
tail_of(struct walk *w, const struct seg_id *id, uint64_t *from, uint64_t *size, bool *any, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct seg_row row = {.end = 0};
	enum err_code r = index_segment(&w->s->index, id->id, &row, NULL);

	if (r != ERR_OK && r != ERR_NOTFOUND)
		return err_set(e, r, "segment %" PRIu32, id->id);
	*from = row.end;
	r = store_segment_fd(w->s, id, &fd, e);
	if (r == ERR_OK)
		r = sys_size(fd, size, e);
	if (r == ERR_OK)
		r = anything(fd, *from, *size, any, e);
	return r;
}

/* Does the log hold octets that are written in its own turn, after all else was synced? */
static enum err_code
look_at_log(struct walk *w, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	w->log_begun = false;
	for (i = 0; r == ERR_OK && i < w->files.n; i++) {
		const struct seg_id *id = &w->files.v[i];
		AUTO(fd) int fd = -1;
		uint64_t from = 0, size = 0;
		bool any = false, seal = false;

		if (id->kind != STORE_LOG)
			continue;
		r = tail_of(w, id, &from, &size, &any, e);
		if (r != ERR_OK || !any)
			continue;
		r = store_segment_fd(w->s, id, &fd, e);
		if (r == ERR_OK && from == 0) /* just born: its header goes before */
			r = anything(fd, LOG_HEAD_OCTETS, size, &any, e);
		else if (r == ERR_OK)
			r = only_seal(w->s, id, fd, from, size, &seal, e);
		w->log_begun |= any && !seal;
	}
	return r;
}

/* --- groups --- */

/* What a group names, read whole. Bad objects go to l as damage (NULL: only counted), what can be computed to be mended. */
static enum err_code
read_members(struct walk *w, const struct group *g, struct lost *l, size_t *bad, struct err *e)
{
	AUTO(checker) struct checker *c = NULL;
	enum err_code r = checker_new(true, &c, e);
	size_t i;

	*bad = 0;
	for (i = 0; r == ERR_OK && i < g->n_members; i++) {
		const struct member *m = &g->members[i];
		const struct seg_id *id = seg_files_find(&w->files, m->seg);
		char name[MEMBER_NAME];
		struct err why = {0};
		enum err_code x = id != NULL ? checker_segment(c, w->s, id, &why) : err_set(&why, ERR_DAMAGED, "its segment is missing");

		if (x == ERR_OK)
			x = checker_member(c, m, &why);
		if (x == ERR_NOMEM)
			return err_nomem(e);
		if (x == ERR_OK || id == NULL) {
			*bad += x != ERR_OK && m->kind == MEMBER_OBJECT;
			continue; /* a segment that is missing is told once, by short_segments */
		}
		r = must_mend(w, m->seg, e);
		if (m->kind != MEMBER_OBJECT || checker_content(c, m, &why) == ERR_OK)
			continue;
		(*bad)++;
		member_name(m, id, name);
		if (r == ERR_OK && l != NULL)
			r = lost_add_damage(l, id, m->off, name, g->n, why.text, e);
	}
	return r;
}

/* A group whose log copy is not there, some of its objects neither: was it committed? */
static enum err_code
was_committed(struct walk *w, const struct group *g, bool *out, struct err *e)
{
	const struct seg_id *id = seg_files_find(&w->files, g->seg);
	AUTO(fd) int fd = -1;
	uint64_t size = 0;
	enum err_code r;

	*out = w->how->known >= g->n;
	if (*out || id == NULL)
		return ERR_OK;
	r = store_segment_fd(w->s, id, &fd, e);
	if (r == ERR_OK)
		r = sys_size(fd, &size, e);
	return r == ERR_OK ? anything(fd, g->off, size, out, e) : r;
}

static enum err_code
take(struct walk *w, const struct group *g, bool from_log, struct err *e)
{
	enum err_code r = index_apply(&w->s->index, g, e);

	if (r == ERR_OK && !from_log)
		r = must_mend(w, g->seg, e);
	if (r != ERR_OK)
		return r;
	chain_step(&w->chain, g);
	if (w->first_new == 0)
		w->first_new = g->n;
	w->s->found.replayed++;
	return ERR_OK;
}

/* One step along the chain. ERR_NOTFOUND: this was the last one. */
static enum err_code
next_group(struct walk *w, struct err *e)
{
	AUTO(group) struct group *g = NULL;
	bool committed = false, from_log = true;
	size_t bad = 0;
	enum err_code r = hunt_log(&w->chain, &g, e);

	if (r == ERR_NOTFOUND) {
		from_log = false;
		r = hunt_twin(&w->chain, &g, e);
		if (r == ERR_NOTFOUND)
			r = hunt_healed(&w->chain, &g, e);
		if (r != ERR_OK)
			return r;
		r = read_members(w, g, NULL, &bad, e);
		if (r == ERR_OK && bad != 0)
			r = was_committed(w, g, &committed, e);
		if (r == ERR_OK && bad != 0 && !committed)
			return err_set(e, ERR_NOTFOUND, "group %" PRIu64 " was never written to the log", g->n);
	}
	return r == ERR_OK ? take(w, g, from_log, e) : r;
}

/* The last group that the index knows must be there, in either copy. */
static enum err_code
check_last(struct walk *w, const struct index_last *last, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	bool bad_log = false;
	enum err_code r = group_text(w->s, last->group, &text, &bad_log, NULL, e);

	if (r == ERR_DAMAGED || r == ERR_NOTFOUND)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 " in log segment %" PRIu32 " offset %" PRIu64
		    " is missing or has not its digest; nothing was changed", last->group, last->seg, last->off);
	if (r == ERR_OK && bad_log)
		r = must_mend(w, last->seg, e);
	w->chain.n = last->group;
	memcpy(w->chain.prev, last->sha256, 32);
	w->chain.seg = last->seg;
	w->chain.off = last->off + tar_member_bytes(last->size);
	return r;
}

/* --- what is known to have been --- */

/* Leaves that the old index knew and the chain has not, or has others in their place. */
struct given_up {
	struct walk *w;
	struct lost *lost;
};

static enum err_code
list_leaf(void *ctx, uint64_t index, struct slice leaf, struct err *e)
{
	struct given_up *g = ctx;
	uint8_t now[TLOG_LEAF_OCTETS];
	enum err_code r = index_leaf(&g->w->s->index, index, now, e);

	if (r == ERR_OK && memcmp(now, leaf.p, sizeof(now)) == 0)
		return ERR_OK;
	return r == ERR_OK || r == ERR_NOTFOUND ? lost_add_leaf(g->lost, index, leaf, e) : r;
}

static uint64_t
latest_known(const struct walk *w)
{
	return w->behind.n > w->how->known ? w->behind.n : w->how->known;
}

static enum err_code
compare_known(struct walk *w, struct err *e)
{
	const struct recover_how *how = w->how;
	uint64_t known = latest_known(w);
	struct member m;
	enum err_code r = ERR_OK;

	if (how->newest.group != 0 && how->newest.group <= w->chain.n) {
		r = index_group(&w->s->index, how->newest.group, &m, e);
		w->forked = r == ERR_OK && memcmp(m.ref.sha256, how->newest.sha256, 32) != 0;
	}
	if (r != ERR_OK || (!w->forked && known <= w->chain.n))
		return r;
	if (how->accept_loss == known)
		return ERR_OK;
	if (how->accept_loss != 0)
		return err_set(e, ERR_DAMAGED, "the latest known group is %" PRIu64 ", not %" PRIu64 "; nothing was changed", known,
		    how->accept_loss);
	if (w->forked)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 " in the segments is not the one that was acknowledged here; nothing was changed "
		    "(rebuild --accept-loss %" PRIu64 " goes on with what is there)", how->newest.group, known);
	if (w->behind.n != 0)
		return err_set(e, ERR_DAMAGED, "the log is broken behind group %" PRIu64 ": segment %" PRIu32 " still holds group %" PRIu64
		    " at offset %" PRIu64 "; nothing was changed (rebuild --accept-loss %" PRIu64 " gives up what is behind)", w->chain.n,
		    w->behind.seg, w->behind.n, w->behind.off, known);
	return err_set(e, ERR_DAMAGED, "group %" PRIu64 " was acknowledged, but the segments end with group %" PRIu64 "; nothing was changed "
	    "(rebuild --accept-loss %" PRIu64 " gives up what is behind)", known, w->chain.n, known);
}

/* --- tails --- */

/*
 * Is it proven that nothing behind the end was acknowledged? By the index of this very boot, which is changed before
 * anything is acknowledged; or by the log, which was not begun, where a group has two copies.
 */
static enum err_code
never_acknowledged(struct walk *w, bool *out, struct err *e)
{
	bool later = false;
	enum err_code r;

	*out = w->how->same_boot && w->first_new == 0;
	if (*out || w->s->found.format < 2 || w->log_begun)
		return ERR_OK;
	r = hunt_later(&w->chain, &later, e);
	*out = r == ERR_OK && !later;
	return r;
}

static enum err_code
find_tails(struct walk *w, struct lost *l, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < w->files.n; i++) {
		uint64_t from = 0, size = 0;
		bool any = false;

		r = tail_of(w, &w->files.v[i], &from, &size, &any, e);
		if (r == ERR_OK && any)
			r = lost_add_part(l, &w->files.v[i], from, size - from, e);
	}
	return r;
}

static void
say_why(const struct walk *w, bool never, struct lost *l)
{
	l->after = w->chain.n;
	l->group = w->chain.n + 1;
	if (w->forked) {
		char was[65], now[65] = "another";
		struct member m;

		hex_of(slice_of(w->how->newest.sha256, 32), was);
		if (index_group(&w->s->index, w->how->newest.group, &m, NULL) == ERR_OK)
			hex_of(slice_of(m.ref.sha256, 32), now);
		l->kind = STORE_LOST_ACCEPTED;
		l->group = w->how->newest.group;
		snprintf(l->why, sizeof(l->why), "group %" PRIu64 " was %s when it was acknowledged here and is %s; given up by rebuild "
		    "--accept-loss", l->group, was, now);
	} else if (latest_known(w) > w->chain.n) {
		l->kind = STORE_LOST_ACCEPTED;
		snprintf(l->why, sizeof(l->why), "group %" PRIu64 " was known, the segments end with group %" PRIu64
		    "; given up by rebuild --accept-loss", latest_known(w), w->chain.n);
	} else if (never) {
		l->kind = STORE_LOST_TORN;
		snprintf(l->why, sizeof(l->why), "the writing of group %" PRIu64 " did not end; %s, so nothing in it was acknowledged", l->group,
		    w->how->same_boot && w->first_new == 0 ? "the index of the same boot does not have it" : "its log was not begun");
	} else {
		l->kind = STORE_LOST_LOST;
		snprintf(l->why, sizeof(l->why), "octets behind group %" PRIu64 " belong to no group; they may have been acknowledged", l->after);
	}
}

static enum err_code
tails_aside(struct walk *w, struct err *e)
{
	AUTO(lost) struct lost l = {.parts = NULL};
	struct given_up g = {w, &l};
	bool never = false;
	enum err_code r = find_tails(w, &l, e);

	if (r == ERR_OK && l.n_parts != 0)
		r = never_acknowledged(w, &never, e);
	if (r != ERR_OK)
		return r;
	say_why(w, never, &l);
	if (l.kind == STORE_LOST_ACCEPTED)
		r = old_leaves(w->s, w->forked ? 0 : w->s->last.log_size, list_leaf, &g, e);
	if (r == ERR_OK && (l.n_parts != 0 || l.kind == STORE_LOST_ACCEPTED))
		r = lost_put(w->s, &l, e);
	return r;
}

/* --- cutting, once all is aside --- */

static enum err_code
cut_file(struct walk *w, const struct seg_id *id, const struct seg_row *row, struct err *e)
{
	AUTO(fd) int fd = -1;
	char name[SEG_NAME];
	uint64_t size = 0;
	enum err_code r;

	seg_name(id, name);
	if (row == NULL)
		return sys_unlink(w->s->seg_fd, name, e);
	fd = openat(w->s->seg_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "segment %s", name);
	r = sys_size(fd, &size, e);
	if (r == ERR_OK && size > row->end) {
		r = sys_truncate(fd, row->end, e);
		size = row->end;
	}
	/* a shorter one is damage, which was told; nothing is appended behind it */
	return r != ERR_OK || row->sealed || size < row->end ? r : seg_reopen(w->s, row, e);
}

/* When the tails could not be set aside nothing is cut: segments that end where they must go on, the others are left alone. */
static enum err_code
reopen_whole(struct walk *w, const struct seg_id *id, const struct seg_row *row, struct err *e)
{
	AUTO(fd) int fd = -1;
	uint64_t size = 0;
	enum err_code r;

	if (row == NULL || row->sealed)
		return ERR_OK;
	r = store_segment_fd(w->s, id, &fd, e);
	if (r == ERR_OK)
		r = sys_size(fd, &size, e);
	return r == ERR_OK && size == row->end ? seg_reopen(w->s, row, e) : r;
}

static enum err_code
cut_all(struct walk *w, bool aside, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	size_t i, k = 0, n = 0;
	enum err_code r = index_segments(&w->s->index, &rows, &n, e);

	for (i = 0; r == ERR_OK && i < w->files.n; i++) {
		const struct seg_row *row;

		while (k < n && rows[k].id.id < w->files.v[i].id)
			k++;
		row = k < n && rows[k].id.id == w->files.v[i].id ? &rows[k] : NULL;
		r = aside ? cut_file(w, &w->files.v[i], row, e) : reopen_whole(w, &w->files.v[i], row, e);
	}
	w->s->next_seg = n != 0 ? rows[n - 1].id.id + 1 : 1;
	if (w->files.n != 0 && w->files.v[w->files.n - 1].id >= w->s->next_seg)
		w->s->next_seg = w->files.v[w->files.n - 1].id + 1;
	return r;
}

/* --- damage of what counts --- */

/* The header member of a segment: it says which group bore it. */
static enum err_code
head_of(const struct walk *w, uint32_t seg, struct member *out, struct err *e)
{
	enum err_code r = index_member(&w->s->index, seg, 0, out, e);

	if (r == ERR_NOTFOUND)
		*out = (struct member){.group = 0};
	return r == ERR_NOTFOUND ? ERR_OK : r;
}

/* Segments that are shorter than they must be: l NULL: to be mended, as far as that goes; else what is still short is told. */
static enum err_code
short_segments(struct walk *w, struct lost *l, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	size_t i, n = 0;
	enum err_code r = index_segments(&w->s->index, &rows, &n, e);

	for (i = 0; r == ERR_OK && i < n; i++) {
		const struct seg_id *id = seg_files_find(&w->files, rows[i].id.id);
		AUTO(fd) int fd = -1;
		struct member head = {.group = 0};
		uint64_t size = 0;

		if (id != NULL && (r = store_segment_fd(w->s, id, &fd, e)) == ERR_OK)
			r = sys_size(fd, &size, e);
		if (r == ERR_OK && size < rows[i].end && l == NULL)
			r = must_mend(w, rows[i].id.id, e);
		else if (r == ERR_OK && size < rows[i].end)
			r = head_of(w, rows[i].id.id, &head, e);
		if (r == ERR_OK && size < rows[i].end && l != NULL)
			r = lost_add_damage(l, &rows[i].id, size, "", head.group, id != NULL ? "the segment is cut off" : "the segment is missing", e);
	}
	return r;
}

/* The objects of the last new groups: a disk that told a sync too early shows here. */
static enum err_code
recent_groups(struct walk *w, struct lost *l, struct err *e)
{
	uint64_t from = w->first_new, n;
	enum err_code r = ERR_OK;

	if (from == 0 || (w->how->clean && !w->how->anew))
		return ERR_OK;
	if (w->chain.n - from >= LOOK_BACK)
		from = w->chain.n - LOOK_BACK + 1;
	for (n = from; r == ERR_OK && n <= w->chain.n; n++) {
		AUTO(buf) struct buf text = {0};
		AUTO(group) struct group *g = NULL;
		bool bad_log = false, bad_twin = false;
		size_t bad;

		r = group_text(w->s, n, &text, &bad_log, &bad_twin, e);
		if (r == ERR_OK)
			r = group_read(buf_slice(&text), &g, e);
		if (r == ERR_OK)
			r = read_members(w, g, l, &bad, e);
		if (r == ERR_OK && bad_twin && g->twin_seg != 0)
			r = must_mend(w, g->twin_seg, e);
	}
	return r;
}

/* --- all of it --- */

/* A group that was found may stand in the page cache only: before it counts it must be on the disk. */
static enum err_code
sync_found(struct walk *w, struct err *e)
{
	enum err_code r = w->first_new != 0 ? sys_fsync_dir(w->s->seg_fd, e) : ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && w->first_new != 0 && i < w->files.n; i++) {
		AUTO(fd) int fd = -1;

		r = store_segment_fd(w->s, &w->files.v[i], &fd, e);
		if (r == ERR_OK)
			r = sys_fdatasync(fd, e);
	}
	return r;
}

static enum err_code
follow(struct walk *w, struct err *e)
{
	struct index_last last;
	enum err_code r = index_last(&w->s->index, &last, e);

	w->chain = (struct chain){.s = w->s, .files = &w->files};
	if (r == ERR_OK)
		r = seg_files_list(w->s, &w->files, e);
	if (r == ERR_OK && last.group != 0)
		r = check_last(w, &last, e);
	while (r == ERR_OK)
		r = next_group(w, e);
	if (r == ERR_NOTFOUND)
		r = chain_ends(&w->chain, &w->behind, e);
	if (r == ERR_OK)
		r = compare_known(w, e);
	return r == ERR_OK ? index_last(&w->s->index, &w->s->last, e) : r;
}

/* First what can be, then what is left is told. */
static enum err_code
mend_and_tell(struct walk *w, struct err *e)
{
	AUTO(lost) struct lost l = {.kind = STORE_LOST_DAMAGED, .after = w->chain.n};
	enum err_code r = recent_groups(w, &l, e);

	if (r == ERR_OK)
		r = short_segments(w, NULL, e);
	if (r == ERR_OK && (w->n_mend != 0 || w->how->anew))
		r = mend_segments(w->s, w->how->anew ? NULL : w->mend, w->n_mend, e);
	seg_files_auto(&w->files); /* a segment may have been made again */
	w->files = (struct seg_files){.v = NULL};
	if (r == ERR_OK)
		r = seg_files_list(w->s, &w->files, e);
	if (r == ERR_OK)
		r = short_segments(w, &l, e);
	snprintf(l.why, sizeof(l.why), "octets of groups that count are bad or missing");
	return r == ERR_OK && l.damage != NULL ? lost_put_new(w->s, &l, e) : r;
}

enum err_code
recover(struct store *s, const struct recover_how *how, struct err *e)
{
	AUTO(walk) struct walk w = {.s = s, .how = how};
	struct err why = {0};
	enum err_code r = follow(&w, e), aside;

	if (r == ERR_OK)
		r = sync_found(&w, e);
	if (r == ERR_OK)
		r = mend_and_tell(&w, e);
	if (r == ERR_OK)
		r = look_at_log(&w, e);
	if (r != ERR_OK)
		return r;
	aside = tails_aside(&w, &why);
	if (aside == ERR_NOMEM || (aside != ERR_OK && how->accept_loss != 0))
		return err_set(e, aside, "%s", why.text);
	if (aside != ERR_OK) {
		s->found.aside_failed = true;
		snprintf(s->found.aside_why, sizeof(s->found.aside_why), "%.199s", why.text);
	}
	return cut_all(&w, aside == ERR_OK, e);
}
