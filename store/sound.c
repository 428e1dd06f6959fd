/* SPDX-License-Identifier: MIT */
/*
 * Whether the tables that a handle opens are sound, and a mark for those that
 * turned out not to be: who found it may be a reader, or in the middle of work,
 * and the next one to open makes them anew (docs/log.md 5).
 */
#include "store/index_int.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECK_ALWAYS ((uint64_t)32 << 20) /* an index up to this is looked through whenever it is opened: some 50 ms */
#define CHECK_AFTER_S (24 * 3600)	  /* a larger one once in this time, and after an end that was not clean */
#define NOTE "index/checked"
#define NOTE_MAX 64

static const char *const MARK[] = {[TABLES_INDEX] = "index/damaged", [TABLES_OPS] = "ops/damaged"};

bool
tables_marked(const struct store *s, enum tables which)
{
	return faccessat(s->dir_fd, MARK[which], F_OK, 0) == 0;
}

void
tables_mark(const struct store *s, enum tables which)
{
	int fd = openat(s->dir_fd, MARK[which], O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd >= 0)
		close(fd);
}

void
tables_unmark(const struct store *s, enum tables which)
{
	unlinkat(s->dir_fd, MARK[which], 0);
}

static bool
checked_lately(const struct store *s, int64_t now)
{
	AUTO(buf) struct buf text = {0};
	int64_t t = 0;

	return sys_read_file(s->dir_fd, NOTE, NOTE_MAX, &text, NULL) == ERR_OK && sscanf(buf_str(&text), "%20" SCNd64, &t) == 1 &&
	    t <= now && now - t < CHECK_AFTER_S;
}

static void
note_check(const struct store *s, int64_t now)
{
	AUTO(buf) struct buf text = {0};

	buf_addf(&text, "%" PRId64 "\n", now);
	if (buf_ok(&text, NULL) == ERR_OK)
		(void)!sys_write_durably(s->dir_fd, NOTE, buf_slice(&text), 0640, NULL); /* then it is looked through again */
}

/* After a clean end nothing stands behind the last group that the index knows: LMDB takes the state before for the newest when that is damaged. */
static enum err_code
not_behind(struct store *s, struct err *e)
{
	AUTO(fd) int fd = -1;
	struct index_last last;
	struct seg_row seg;
	uint64_t size = 0;
	enum err_code r = index_last(&s->index, &last, e);

	if (r != ERR_OK || last.group == 0)
		return r;
	r = index_segment(&s->index, last.seg, &seg, e);
	if (r != ERR_OK || store_segment_fd(s, &seg.id, &fd, NULL) != ERR_OK || sys_size(fd, &size, NULL) != ERR_OK)
		return r; /* a damaged log is another matter */
	return size <= seg.end ? ERR_OK : err_set(e, ERR_DAMAGED, "index: the log goes on behind its last group");
}

enum err_code
index_sound(struct store *s, bool clean, struct err *e)
{
	int64_t now = clock_now(&s->clock);
	bool large = index_bytes(&s->index) > CHECK_ALWAYS;
	enum err_code r = clean ? not_behind(s, e) : ERR_OK;
	int tries = 2;

	while (r == ERR_DAMAGED && !s->writer && tries-- > 0) /* or a writer has come meanwhile */
		r = store_quiet(s) ? not_behind(s, e) : ERR_OK;
	if (r == ERR_DAMAGED && !s->writer && !store_quiet(s))
		r = ERR_OK;
	if (r != ERR_OK || (large && clean && checked_lately(s, now)))
		return r;
	r = index_check(&s->index, e);
	if (r == ERR_OK && large)
		note_check(s, now);
	return r;
}

void
store_notes(const struct store *s, struct buf *out)
{
	if (s->found.index_made[0] != 0)
		buf_addf(out, "the index was made anew from the segments: %s\n", s->found.index_made);
	if (s->found.ops_lost)
		buf_adds(out, "the notes of work under way (ops) were damaged and begin anew\n");
}
