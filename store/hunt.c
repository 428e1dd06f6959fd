/* SPDX-License-Identifier: MIT */
/* Where groups stand: in the log one behind the other, their twins as the last members that a group appended elsewhere. */
#include "store/recover_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- files --- */

void
seg_files_auto(struct seg_files *f)
{
	free(f->v);
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

enum err_code
seg_files_list(struct store *s, struct seg_files *out, struct err *e)
{
	int fd = openat(s->seg_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_errno(e, ERR_IO, errno, "segments");
	}
	while ((errno = 0, de = readdir(d)) != NULL) {
		if (!mem_grow(&out->v, &out->cap, out->n, sizeof(*out->v)))
			return err_nomem(e);
		if (seg_parse(de->d_name, &out->v[out->n]))
			out->n++;
	}
	if (errno != 0)
		return err_errno(e, ERR_IO, errno, "segments");
	if (out->n != 0)
		qsort(out->v, out->n, sizeof(*out->v), by_id);
	return ERR_OK;
}

const struct seg_id *
seg_files_find(const struct seg_files *f, uint32_t id)
{
	const struct seg_id key = {.id = id};

	return f->n != 0 ? bsearch(&key, f->v, f->n, sizeof(key), by_id) : NULL;
}

void
chain_auto(struct chain *c)
{
	free(c->twins);
}

/* --- one group --- */

/* What stands behind a header of a group of this size. */
static enum err_code
group_content(const struct source *from, uint64_t off, uint64_t size, struct buf *text, struct err *e)
{
	uint64_t head = off + tar_head_bytes(size);
	enum err_code r;

	if (size > GROUP_MAX_BYTES || head + size > from->size_bytes)
		return err_set(e, ERR_NOTFOUND, "no whole group at %" PRIu64, off);
	buf_clear(text);
	text->max_bytes = GROUP_MAX_BYTES;
	r = source_copy(from, head, size, &(struct sink){sink_buf(text).write, text}, e);
	return r == ERR_OK ? r : err_wrap(e, "group at %" PRIu64, off);
}

/* The same, and whole. Once it is read nothing but memory is lacking, so what can't be asked is ERR_NOMEM. */
static enum err_code
whole_content(const struct source *from, uint64_t off, uint64_t size, struct buf *text, struct err *e)
{
	enum err_code r = group_content(from, off, size, text, e);

	return r == ERR_OK ? group_whole(buf_slice(text), e) : r;
}

enum err_code
group_at(int fd, uint64_t off, struct buf *text, uint64_t *n, struct err *e)
{
	struct source from;
	char name[TAR_NAME], again[MEMBER_NAME];
	uint8_t head[TAR_BLOCK];
	struct member m = {.kind = MEMBER_GROUP};
	uint64_t size;
	enum err_code r = source_fd(&fd, &from, e);

	if (r == ERR_OK && off + TAR_BLOCK <= from.size_bytes) /* what can't be read is not what is not there */
		r = sys_pread(fd, head, TAR_BLOCK, off, e);
	if (r != ERR_OK)
		return r;
	if (!tar_read_head(&from, off, name, &size) || sscanf(name, "groups/%20" SCNu64 ".json", &m.group) != 1)
		return err_set(e, ERR_NOTFOUND, "no group at %" PRIu64, off);
	member_name(&m, NULL, again);
	if (strcmp(name, again) != 0)
		return err_set(e, ERR_NOTFOUND, "no group at %" PRIu64, off);
	*n = m.group;
	return whole_content(&from, off, size, text, e);
}

/* Group n, one bit of whose header or text is wrong. More than one bit of a header may make it a header again: all are tried. */
static enum err_code
healed_at(int fd, uint64_t off, uint64_t n, struct buf *text, struct err *e)
{
	const struct member m = {.kind = MEMBER_GROUP, .group = n};
	uint8_t head[TAR_BLOCK];
	struct slice octets = slice_of(head, sizeof(head));
	const struct source one = source_slice(&octets);
	struct source from;
	char name[TAR_NAME], want[MEMBER_NAME];
	uint64_t size;
	size_t bit;
	enum err_code r = source_fd(&fd, &from, e);

	member_name(&m, NULL, want);
	if (r == ERR_OK && off + TAR_BLOCK > from.size_bytes)
		return err_set(e, ERR_NOTFOUND, "no group at %" PRIu64, off);
	if (r == ERR_OK)
		r = sys_pread(fd, head, TAR_BLOCK, off, e);
	if (r != ERR_OK)
		return r;
	if (tar_read_head(&one, 0, name, &size) && strcmp(name, want) == 0) {
		r = group_content(&from, off, size, text, e);
		if (r == ERR_OK)
			r = group_heal(text, e);
		if (r != ERR_NOTFOUND)
			return r;
	}
	for (bit = 0; bit < (size_t)TAR_BLOCK * 8; bit++) {
		head[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = tar_read_head(&one, 0, name, &size) && strcmp(name, want) == 0 ? whole_content(&from, off, size, text, e) : ERR_NOTFOUND;
		if (r != ERR_NOTFOUND)
			return r;
		head[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return err_set(e, ERR_NOTFOUND, "no group at %" PRIu64 " that one bit would make whole", off);
}

/* ERR_NOTFOUND unless the text is the next group of the chain. */
static enum err_code
links(const struct chain *c, struct slice text, uint64_t n, struct group **out, struct err *e)
{
	AUTO(group) struct group *g = NULL;
	uint64_t said = 0;
	uint8_t prev[32];
	enum err_code r = group_link(text, &said, prev, e);

	if (r != ERR_OK)
		return r;
	if (n != c->n + 1 || said != n || memcmp(prev, c->prev, 32) != 0)
		return err_set(e, ERR_NOTFOUND, "group %" PRIu64 " does not link to group %" PRIu64, n, c->n);
	r = group_read(text, &g, e);
	if (r != ERR_OK)
		return r;
	*out = TAKE(g);
	return ERR_OK;
}

/* --- the log --- */

/* Where the first member behind the segment's header is. A header that is spoiled is mended later: it has two blocks. */
static uint64_t
behind_head(int fd, const struct seg_id *id)
{
	const struct member head = {.kind = MEMBER_HEAD};
	struct source from;
	char name[TAR_NAME], want[MEMBER_NAME];
	uint64_t size;

	if (source_fd(&fd, &from, NULL) != ERR_OK || !tar_read_head(&from, 0, name, &size))
		return 2 * TAR_BLOCK;
	member_name(&head, id, want);
	return strcmp(name, want) == 0 ? tar_member_bytes(size) : 2 * TAR_BLOCK;
}

static enum err_code
try_at(const struct chain *c, const struct seg_id *id, uint64_t off, bool heal, struct group **out, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf text = {0};
	AUTO(group) struct group *g = NULL;
	uint64_t n = 0;
	enum err_code r = store_segment_fd(c->s, id, &fd, e);

	if (r == ERR_OK && off == 0)
		off = behind_head(fd, id);
	if (r == ERR_OK) {
		r = heal ? healed_at(fd, off, n = c->n + 1, &text, e) : group_at(fd, off, &text, &n, e);
		if (r == ERR_IO || r == ERR_DAMAGED) /* the twin may serve; else chain_ends refuses */
			r = err_set(e, ERR_NOTFOUND, "group at %" PRIu64 " can't be read", off);
	}
	if (r == ERR_OK)
		r = links(c, buf_slice(&text), n, &g, e);
	if (r != ERR_OK)
		return r;
	if (g->format != 1 && (g->seg != id->id || g->off != off))
		return err_set(e, ERR_NOTFOUND, "group %" PRIu64 " belongs elsewhere", n);
	g->seg = id->id;
	g->off = off;
	*out = TAKE(g);
	return ERR_OK;
}

/* The next group is behind the last one, or the first of a later log segment. */
static enum err_code
in_log(struct chain *c, bool heal, struct group **out, struct err *e)
{
	enum err_code r = ERR_NOTFOUND;
	size_t i;

	for (i = 0; r == ERR_NOTFOUND && i < c->files->n; i++) {
		const struct seg_id *id = &c->files->v[i];

		if (id->kind != STORE_LOG || id->id < c->seg)
			continue;
		r = try_at(c, id, id->id == c->seg ? c->off : 0, heal, out, e);
	}
	return r;
}

enum err_code
hunt_log(struct chain *c, struct group **out, struct err *e)
{
	return in_log(c, false, out, e);
}

enum err_code
hunt_healed(struct chain *c, struct group **out, struct err *e)
{
	return in_log(c, true, out, e);
}

void
chain_step(struct chain *c, const struct group *g)
{
	c->n = g->n;
	memcpy(c->prev, g->ref.sha256, 32);
	c->seg = g->seg;
	c->off = g->off + tar_member_bytes(g->ref.size_bytes);
}

static enum err_code
behind_in(const struct chain *c, const struct seg_id *id, struct behind *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(fd) int fd = -1;
	uint64_t off, size = 0, n = 0, taken = 0;
	enum err_code r = store_segment_fd(c->s, id, &fd, e);

	if (r == ERR_OK)
		r = sys_size(fd, &size, e);
	for (off = id->id == c->seg ? c->off : 0; r == ERR_OK && off + TAR_BLOCK <= size; off += TAR_BLOCK) {
		buf_clear(&text);
		r = group_at(fd, off, &text, &n, e);
		taken += text.n;
		if (taken > size)
			return err_set(e, ERR_DAMAGED, "segment %" PRIu32 " holds groups that overlap behind group %" PRIu64
			    "; nothing was changed", id->id, c->n);
		if (r == ERR_OK && n > c->n && n > out->n)
			*out = (struct behind){.n = n, .off = off, .seg = id->id};
		if (r == ERR_NOTFOUND)
			r = ERR_OK;
	}
	return r == ERR_OK ? r : err_wrap(e, "behind group %" PRIu64 " the log segment %" PRIu32 " can't be looked through, nothing was changed",
	    c->n, id->id);
}

/*
 * After the chain's end no whole group may stand in the log: else the chain was broken by damage, not by a crash. Members
 * lie side by side, so what is read as groups is never more than the file; headers that promise more were put there.
 */
enum err_code
chain_ends(struct chain *c, struct behind *out, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	*out = (struct behind){.n = 0};
	for (i = 0; r == ERR_OK && i < c->files->n; i++)
		if (c->files->v[i].kind == STORE_LOG && c->files->v[i].id >= c->seg)
			r = behind_in(c, &c->files->v[i], out, e);
	return r;
}

/* --- twins --- */

/* A carried twin of format 1 does not say where it stood in the log: behind the one before, or first in a segment that it bears. */
static void
place_in_log(const struct chain *c, struct group *g)
{
	size_t i, k;

	if (g->format != 1)
		return;
	g->seg = c->seg;
	g->off = c->off;
	for (i = 0; i < g->n_members; i++) {
		const struct member *m = &g->members[i];

		for (k = 0; m->kind == MEMBER_HEAD && k < g->n_born; k++)
			if (g->born[k].id == m->seg && g->born[k].kind == STORE_LOG) {
				g->seg = m->seg;
				g->off = m->off + tar_member_bytes(m->ref.size_bytes);
			}
	}
}

static enum err_code
note_twin(struct chain *c, const char *name, uint32_t seg, uint64_t off, struct err *e)
{
	struct twin_place t = {.seg = seg, .off = off};

	if (sscanf(name, "groups/%20" SCNu64 ".json", &t.n) != 1)
		return ERR_OK;
	if (!mem_grow(&c->twins, &c->cap_twins, c->n_twins, sizeof(*c->twins)))
		return err_nomem(e);
	c->twins[c->n_twins++] = t;
	return ERR_OK;
}

/* Member by member; where a header is spoiled, block by block to the next one. */
static enum err_code
note_twins_of(struct chain *c, const struct seg_id *id, uint64_t off, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct source from;
	enum err_code r = store_segment_fd(c->s, id, &fd, e);

	if (r == ERR_OK)
		r = source_fd(&fd, &from, e);
	while (r == ERR_OK && off + TAR_BLOCK <= from.size_bytes) {
		char name[TAR_NAME];
		uint8_t head[TAR_BLOCK];
		uint64_t size = 0, step = TAR_BLOCK;

		c->unread |= sys_pread(fd, head, TAR_BLOCK, off, NULL) != ERR_OK;
		if (tar_read_head(&from, off, name, &size) && size <= from.size_bytes) {
			step = tar_member_bytes(size);
			r = note_twin(c, name, id->id, off, e);
		}
		off += step;
	}
	return r;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct twin_place *)a)->n, y = ((const struct twin_place *)b)->n;

	return x < y ? -1 : x > y;
}

/* All twins behind the committed ends, once: those of all groups to come are among them. At the end of a good log that is nothing. */
static enum err_code
note_twins(struct chain *c, struct err *e)
{
	enum err_code r = ERR_OK;
	size_t i;

	if (c->looked)
		return ERR_OK;
	for (i = 0; r == ERR_OK && i < c->files->n; i++) {
		const struct seg_id *id = &c->files->v[i];
		struct seg_row row = {.end = 0};

		if (id->kind == STORE_LOG)
			continue;
		r = index_segment(&c->s->index, id->id, &row, NULL);
		if (r != ERR_OK && r != ERR_NOTFOUND)
			return err_set(e, r, "segment %" PRIu32, id->id);
		r = note_twins_of(c, id, row.end, e);
	}
	if (c->n_twins != 0)
		qsort(c->twins, c->n_twins, sizeof(*c->twins), by_number);
	c->looked = r == ERR_OK;
	return r;
}

/* The first noted twin of at least this number. */
static size_t
first_from(const struct chain *c, uint64_t n)
{
	size_t lo = 0, hi = c->n_twins;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->twins[mid].n < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum err_code
twin_text(struct chain *c, const struct twin_place *t, struct buf *text, struct err *e)
{
	const struct seg_id *id = seg_files_find(c->files, t->seg);
	AUTO(fd) int fd = -1;
	uint64_t n = 0;
	enum err_code r = store_segment_fd(c->s, id, &fd, e);

	if (r != ERR_OK)
		return r;
	r = group_at(fd, t->off, text, &n, e);
	if (r == ERR_IO || r == ERR_DAMAGED) {
		c->unread = true;
		return err_set(e, ERR_NOTFOUND, "twin of group %" PRIu64 " can't be read", t->n);
	}
	return r;
}

enum err_code
hunt_twin(struct chain *c, struct group **out, struct err *e)
{
	enum err_code r = note_twins(c, e);
	size_t i;

	if (r != ERR_OK)
		return r;
	r = ERR_NOTFOUND;
	for (i = first_from(c, c->n + 1); r == ERR_NOTFOUND && i < c->n_twins && c->twins[i].n == c->n + 1; i++) {
		const struct twin_place *t = &c->twins[i];
		AUTO(buf) struct buf text = {0};
		AUTO(group) struct group *g = NULL;

		r = twin_text(c, t, &text, e);
		if (r == ERR_OK)
			r = links(c, buf_slice(&text), t->n, &g, e);
		if (r == ERR_OK && g->format != 1 && (g->twin_seg != t->seg || g->twin_off != t->off))
			r = ERR_NOTFOUND;
		if (r == ERR_OK) {
			place_in_log(c, g);
			*out = TAKE(g);
		} else if (r == ERR_FORMAT) { /* whole, but no group of ours */
			r = ERR_NOTFOUND;
		}
	}
	return r == ERR_NOTFOUND ? err_set(e, r, "no twin of group %" PRIu64, c->n + 1) : r;
}

enum err_code
hunt_later(struct chain *c, bool *out, struct err *e)
{
	enum err_code r = note_twins(c, e);
	size_t i;

	*out = false;
	for (i = first_from(c, c->n + 2); r == ERR_OK && !*out && i < c->n_twins; i++) {
		AUTO(buf) struct buf text = {0};

		r = twin_text(c, &c->twins[i], &text, e);
		*out = r == ERR_OK;
		if (r == ERR_NOTFOUND)
			r = ERR_OK;
	}
	*out |= c->unread;
	return r;
}

/* --- by the index --- */

static enum err_code
copy_of(struct store *s, const struct member *m, bool heal, struct buf *text, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct seg_row row;
	uint8_t sum[32];
	uint64_t n = 0;
	enum err_code r = index_segment(&s->index, m->seg, &row, e);

	if (r == ERR_OK)
		r = store_segment_fd(s, &row.id, &fd, e);
	if (r == ERR_OK)
		r = heal ? healed_at(fd, m->off, n = m->group, text, e) : group_at(fd, m->off, text, &n, e);
	if (r == ERR_OK)
		r = digest_sha256(buf_slice(text), sum, e);
	if (r == ERR_OK && (n != m->group || memcmp(sum, m->ref.sha256, 32) != 0))
		return err_set(e, ERR_DAMAGED, "group %" PRIu64 " has not its digest", m->group);
	return r;
}

enum err_code
group_text(struct store *s, uint64_t n, struct buf *text, bool *bad_log, bool *bad_twin, struct err *e)
{
	AUTO(buf) struct buf other = {0};
	struct member log, twin;
	struct err why = {0};
	enum err_code r = index_group(&s->index, n, &log, e), rt = index_twin(&s->index, n, &twin, NULL), rl, rh = ERR_NOTFOUND;

	if (r != ERR_OK)
		return r;
	rl = copy_of(s, &log, false, text, &why);
	if (bad_log != NULL)
		*bad_log = rl != ERR_OK;
	if (rt == ERR_OK && (rl != ERR_OK || bad_twin != NULL))
		rt = copy_of(s, &twin, false, rl != ERR_OK ? text : &other, NULL);
	else if (rt == ERR_OK)
		rt = ERR_NOTFOUND; /* not asked for */
	if (bad_twin != NULL)
		*bad_twin = rt != ERR_OK && index_twin(&s->index, n, &twin, NULL) == ERR_OK;
	if (rl == ERR_NOMEM || rt == ERR_NOMEM)
		return err_nomem(e);
	if (rl != ERR_OK && rt != ERR_OK)
		rh = copy_of(s, &log, true, text, NULL);
	if (rh == ERR_NOMEM)
		return err_nomem(e);
	if (rl == ERR_OK || rt == ERR_OK || rh == ERR_OK)
		return ERR_OK;
	return err_set(e, ERR_DAMAGED, "group %" PRIu64 " in log segment %" PRIu32 " offset %" PRIu64 ": %.120s, and no other copy of it is whole",
	    n, log.seg, log.off, why.text);
}
