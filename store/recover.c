/* SPDX-License-Identifier: MIT */
/*
 * Opening after whatever happened. A group counts iff it is whole, links to the
 * one before and all its digests hold; every segment is cut behind its last
 * committed octet. Only the end of the log may be torn: a broken group with
 * whole ones behind it is damage, and then nothing is changed.
 */
#include "store/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)
#define LOOK_BACK 16 /* groups whose members are read again after an unclean end, at most */

struct place_of {
	uint32_t seg;
	uint64_t off, next;
};
struct walk {
	struct store *s;
	struct seg_id *files; /* all segment files, by id */
	size_t n_files, cap_files;
	struct place_of *found; /* groups behind the index's last, in order */
	size_t n_found, cap_found;
	uint64_t n; /* number of the last group that counts so far */
	uint8_t prev[32];
	uint32_t seg; /* where the next one is looked for */
	uint64_t off;
};

static void
walk_auto(struct walk *w)
{
	free(w->files);
	free(w->found);
}

static int
by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct seg_id *)a)->id, y = ((const struct seg_id *)b)->id;

	return x < y ? -1 : x > y;
}

static void
dir_auto(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static enum err_code
list_files(struct walk *w, struct err *e)
{
	int fd = openat(w->s->seg_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_errno(e, ERR_IO, errno, "segments");
	}
	while ((errno = 0, de = readdir(d)) != NULL) {
		if (!mem_grow(&w->files, &w->cap_files, w->n_files, sizeof(*w->files)))
			return err_nomem(e);
		if (seg_parse(de->d_name, &w->files[w->n_files]))
			w->n_files++;
	}
	if (errno != 0)
		return err_errno(e, ERR_IO, errno, "segments");
	if (w->n_files != 0)
		qsort(w->files, w->n_files, sizeof(*w->files), by_id);
	return ERR_OK;
}

static const struct seg_id *
file_of(const struct walk *w, uint32_t id)
{
	const struct seg_id key = {.id = id};

	return w->n_files != 0 ? bsearch(&key, w->files, w->n_files, sizeof(key), by_id) : NULL;
}

enum err_code
group_at(int fd, uint64_t off, struct buf *text, uint64_t *n, struct err *e)
{
	struct source from;
	char name[TAR_NAME], again[MEMBER_NAME];
	struct member m = {.kind = MEMBER_GROUP};
	uint64_t size, head;
	enum err_code r = source_fd(&fd, &from, e);

	if (r != ERR_OK)
		return r;
	if (!tar_read_head(&from, off, name, &size) || sscanf(name, "groups/%20" SCNu64 ".json", &m.group) != 1)
		return err_set(e, ERR_NOTFOUND, "no group at %" PRIu64, off);
	member_name(&m, NULL, again);
	head = off + tar_head_bytes(size);
	if (strcmp(name, again) != 0 || size > GROUP_MAX_BYTES || head + size > from.size_bytes)
		return err_set(e, ERR_NOTFOUND, "no whole group at %" PRIu64, off);
	buf_clear(text);
	text->max_bytes = GROUP_MAX_BYTES;
	r = source_copy(&from, head, size, &(struct sink){sink_buf(text).write, text}, e);
	if (r != ERR_OK)
		return r;
	if (!group_whole(buf_slice(text)))
		return err_set(e, ERR_NOTFOUND, "no whole group at %" PRIu64, off);
	*n = m.group;
	return ERR_OK;
}

/* --- checking members --- */

static enum err_code
check_members(struct walk *w, const struct group *g, struct err *e)
{
	AUTO(checker) struct checker *c = NULL;
	enum err_code r = checker_new(true, &c, e);
	size_t i;

	for (i = 0; r == ERR_OK && i < g->n_members; i++) {
		const struct member *m = &g->members[i];
		const struct seg_id *id = file_of(w, m->seg);

		if (id == NULL)
			return err_set(e, ERR_DAMAGED, "segment %" PRIu32 " is missing", m->seg);
		r = checker_segment(c, w->s, id, e);
		if (r == ERR_OK)
			r = checker_member(c, m, e);
		if (r != ERR_OK)
			return err_wrap(e, "segment %" PRIu32 " offset %" PRIu64, m->seg, m->off);
	}
	return r;
}

/* --- following the chain --- */

/* Where the first member behind the segment's header is; 0 when there is no header. */
static uint64_t
behind_head(int fd, const struct seg_id *id)
{
	const struct member head = {.kind = MEMBER_HEAD};
	struct source from;
	char name[TAR_NAME], want[MEMBER_NAME];
	uint64_t size;

	if (source_fd(&fd, &from, NULL) != ERR_OK || !tar_read_head(&from, 0, name, &size))
		return 0;
	member_name(&head, id, want);
	return strcmp(name, want) == 0 ? tar_member_bytes(size) : 0;
}

/* Is the next group of the chain at this place? ERR_NOTFOUND if not. */
static enum err_code
try_at(struct walk *w, const struct seg_id *id, uint64_t off, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf text = {0};
	uint64_t n = 0, said = 0;
	uint8_t prev[32], sum[32];
	enum err_code r = store_segment_fd(w->s, id, &fd, e);

	if (r == ERR_OK && off == 0)
		off = behind_head(fd, id);
	if (r == ERR_OK && off == 0)
		return err_set(e, ERR_NOTFOUND, "no header");
	if (r == ERR_OK)
		r = group_at(fd, off, &text, &n, e);
	if (r != ERR_OK)
		return r;
	if (!group_link(buf_slice(&text), &said, prev) || n != w->n + 1 || said != n || memcmp(prev, w->prev, 32) != 0)
		return err_set(e, ERR_NOTFOUND, "group %" PRIu64 " does not link to group %" PRIu64, n, w->n);
	r = digest_sha256(buf_slice(&text), sum, e);
	if (r != ERR_OK)
		return r;
	if (!mem_grow(&w->found, &w->cap_found, w->n_found, sizeof(*w->found)))
		return err_nomem(e);
	w->seg = id->id;
	w->off = off + tar_member_bytes(text.n);
	w->found[w->n_found++] = (struct place_of){id->id, off, w->off};
	w->n = n;
	memcpy(w->prev, sum, 32);
	return ERR_OK;
}

/* The next group is behind the last one, or the first of a later log segment. */
static enum err_code
find_next(struct walk *w, struct err *e)
{
	enum err_code r = ERR_NOTFOUND;
	size_t i;

	for (i = 0; r == ERR_NOTFOUND && i < w->n_files; i++) {
		const struct seg_id *id = &w->files[i];

		if (id->kind != STORE_LOG || id->id < w->seg)
			continue;
		r = try_at(w, id, id->id == w->seg ? w->off : 0, e);
	}
	return r;
}

/*
 * After the chain's end no whole group may stand anywhere: else the chain was broken by damage, not by a crash. Members
 * lie side by side, so what is read as groups is never more than the file; headers that promise more were put there.
 */
static enum err_code
nothing_behind(struct walk *w, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	size_t i;

	for (i = 0; i < w->n_files; i++) {
		const struct seg_id *id = &w->files[i];
		AUTO(fd) int fd = -1;
		uint64_t off, size = 0, n = 0, taken = 0;
		enum err_code r;

		if (id->kind != STORE_LOG || id->id < w->seg)
			continue;
		r = store_segment_fd(w->s, id, &fd, e);
		if (r == ERR_OK)
			r = sys_size(fd, &size, e);
		if (r != ERR_OK)
			return r;
		for (off = id->id == w->seg ? w->off : 0; off + TAR_BLOCK <= size; off += TAR_BLOCK) {
			buf_clear(&text);
			r = group_at(fd, off, &text, &n, NULL);
			taken += text.n;
			if (taken > size)
				return err_set(e, ERR_DAMAGED, "segment %" PRIu32 " holds groups that overlap behind group %" PRIu64
				    "; nothing was changed", id->id, w->n);
			if (r == ERR_OK && n > w->n)
				return err_set(e, ERR_DAMAGED, "the log is broken behind group %" PRIu64 ": segment %" PRIu32
				    " still holds group %" PRIu64 " at offset %" PRIu64 "; nothing was changed",
				    w->n, id->id, n, off);
		}
	}
	return ERR_OK;
}

static enum err_code
load(struct walk *w, const struct place_of *at, struct group **out, struct buf *text, struct err *e)
{
	AUTO(fd) int fd = -1;
	uint64_t n = 0;
	enum err_code r = store_segment_fd(w->s, file_of(w, at->seg), &fd, e);

	if (r == ERR_OK)
		r = group_at(fd, at->off, text, &n, e);
	if (r == ERR_OK)
		r = group_read(buf_slice(text), out, e);
	if (r != ERR_OK)
		return r;
	(*out)->seg = at->seg;
	(*out)->off = at->off;
	return ERR_OK;
}

/* Who lost what must be known: the text of a group that is not counted is kept. */
static enum err_code
set_aside(struct walk *w, uint64_t n, struct slice text, struct err *e)
{
	AUTO(fd) int dir = -1;
	char name[48];
	enum err_code r = sys_mkdirs(w->s->dir_fd, "lost", 0750, e);

	snprintf(name, sizeof(name), "group-%010" PRIu64 ".json", n);
	if (r == ERR_OK)
		r = sys_open_dir(w->s->dir_fd, "lost", &dir, e);
	if (r == ERR_OK)
		r = sys_write_durably(dir, name, text, 0640, e);
	if (r == ERR_OK)
		w->s->found.refused_groups++;
	return r;
}

/* From the end back to the first group whose members are all there. */
static enum err_code
refuse_torn(struct walk *w, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t looked = 0;

	while (r == ERR_OK && w->n_found > 0 && looked++ < LOOK_BACK) {
		AUTO(buf) struct buf text = {0};
		AUTO(group) struct group *g = NULL;
		struct err why;

		r = load(w, &w->found[w->n_found - 1], &g, &text, e);
		if (r != ERR_OK)
			return r;
		r = check_members(w, g, &why);
		if (r == ERR_OK)
			return ERR_OK;
		if (r != ERR_DAMAGED && r != ERR_NOTFOUND)
			return err_set(e, r, "group %" PRIu64 ": %.300s", g->n, why.text);
		r = set_aside(w, g->n, buf_slice(&text), e);
		w->n_found--;
	}
	return r;
}

static enum err_code
apply_found(struct walk *w, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < w->n_found; i++) {
		AUTO(buf) struct buf text = {0};
		AUTO(group) struct group *g = NULL;

		r = load(w, &w->found[i], &g, &text, e);
		if (r == ERR_OK)
			r = index_apply(&w->s->index, g, e);
	}
	w->s->found.replayed = w->n_found;
	return r;
}

/* --- cutting --- */

static enum err_code
cut_file(struct walk *w, const struct seg_id *id, const struct seg_row *row, struct err *e)
{
	AUTO(fd) int fd = -1;
	char name[SEG_NAME];
	uint64_t size = 0;
	enum err_code r;

	seg_name(id, name);
	fd = openat(w->s->seg_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "segment %s", name);
	r = sys_size(fd, &size, e);
	if (r != ERR_OK)
		return r;
	if (row == NULL) {
		w->s->found.cut_bytes += size;
		return sys_unlink(w->s->seg_fd, name, e);
	}
	if (size > row->end) {
		w->s->found.cut_bytes += size - row->end;
		return sys_truncate(fd, row->end, e);
	}
	/* a shorter one is damage, which scrub tells; nothing is appended behind it */
	return row->sealed || size < row->end ? ERR_OK : seg_reopen(w->s, row, e);
}

static enum err_code
cut_all(struct walk *w, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	size_t i, k = 0, n = 0;
	enum err_code r = index_segments(&w->s->index, &rows, &n, e);

	for (i = 0; r == ERR_OK && i < w->n_files; i++) {
		while (k < n && rows[k].id.id < w->files[i].id)
			k++;
		r = cut_file(w, &w->files[i], k < n && rows[k].id.id == w->files[i].id ? &rows[k] : NULL, e);
		if (r == ERR_OK && k < n && rows[k].id.id == w->files[i].id && !rows[k].sealed &&
		    seg_find(w->s, rows[k].id.id) == NULL)
			r = cut_file(w, &w->files[i], &rows[k], e); /* cut just now: open it */
	}
	w->s->next_seg = n != 0 ? rows[n - 1].id.id + 1 : 1;
	return r;
}

/* The group that the index calls the last one must be there and be that. */
static enum err_code
check_last(struct walk *w, const struct index_last *last, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf text = {0};
	const struct seg_id *id = file_of(w, last->seg);
	uint8_t sum[32] = {0};
	uint64_t n = 0;

	if (id == NULL || store_segment_fd(w->s, id, &fd, e) != ERR_OK ||
	    group_at(fd, last->off, &text, &n, e) != ERR_OK || digest_sha256(buf_slice(&text), sum, e) != ERR_OK ||
	    memcmp(sum, last->sha256, 32) != 0)
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 " in log segment %" PRIu32 " offset %" PRIu64
		    " is missing or has not its digest; nothing was changed", last->group, last->seg, last->off);
	w->n = last->group;
	memcpy(w->prev, last->sha256, 32);
	w->seg = last->seg;
	w->off = last->off + tar_member_bytes(text.n);
	return ERR_OK;
}

enum err_code
recover(struct store *s, bool clean, struct err *e)
{
	AUTO(walk) struct walk w = {.s = s};
	struct index_last last;
	enum err_code r = index_last(&s->index, &last, e);

	if (r == ERR_OK)
		r = list_files(&w, e);
	if (r == ERR_OK && last.group != 0)
		r = check_last(&w, &last, e);
	while (r == ERR_OK)
		r = find_next(&w, e);
	if (r == ERR_NOTFOUND)
		r = nothing_behind(&w, e);
	if (r == ERR_OK && !clean)
		r = refuse_torn(&w, e);
	if (r == ERR_OK)
		r = apply_found(&w, e);
	if (r == ERR_OK)
		r = cut_all(&w, e);
	return r;
}
