/* SPDX-License-Identifier: MIT */
/* What the depositor gets to see: receipts, reasons, refused files given back. No name of ours replaces an answer to another record. */
#include "archiver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES ((size_t)64 << 20)
#define REMOVE_ROUNDS 256 /* a folder that can't be emptied is left */
#define STEM_OCTETS 200 /* with a record's id and the longest suffix it stays below 255 */

/* The deposit's own name, made safe where a terminal or a web page would trip. */
static void
safe_stem(struct buf *out, const char *name)
{
	const char *p = NULL;

	for (p = name; *p != '\0' && out->n < STEM_OCTETS; p++)
		buf_add8(out, (unsigned char)*p < 0x20 || *p == 0x7f || *p == '/' ? '_' : (unsigned char)*p);
}

static bool
there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is the answer that lies there one to this record? One that nobody can read was torn by a power loss: it is written again. */
static bool
ours(int dir, const char *name, const char *record)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *j = NULL;
	const char *whose = NULL;

	if (sys_read_file(dir, name, ANSWER_BYTES, &text, NULL) != ERR_OK)
		return false;
	if (json_read(buf_slice(&text), NULL, &j, NULL) != ERR_OK)
		return true;
	whose = json_string_value(json_object_get(j, "record"));
	return whose != NULL && strcmp(whose, record) == 0;
}

/* stem: NAME, or NAME.RECORD when an answer (or with it a file) of another record has that name. */
static enum err_code
choose(int dir, const char *name, const char *record, const char *suffix, bool with_file, struct buf *stem, struct err *e)
{
	AUTO(buf) struct buf full = {0};

	safe_stem(stem, name);
	buf_addf(&full, "%s%s", buf_str(stem), suffix);
	if (buf_ok(stem, e) != ERR_OK || buf_ok(&full, e) != ERR_OK)
		return err_wrap(e, "answer");
	if (there(dir, buf_str(&full)) ? !ours(dir, buf_str(&full), record) : with_file && there(dir, buf_str(stem)))
		buf_addf(stem, ".%s", record);
	return buf_ok(stem, e);
}

/* What a crash left of it goes. */
static enum err_code
create_anew(int dir, const char *name, int *fd, struct err *e)
{
	if (sys_create(dir, name, 0644, fd, NULL) == ERR_OK)
		return ERR_OK;
	(void)unlinkat(dir, name, 0);
	return sys_create(dir, name, 0644, fd, e);
}

static enum err_code
write_answer(int dir, const char *stem, const char *suffix, const json_t *j, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(mem) char *final = mem_printf("%s%s", stem, suffix);
	AUTO(mem) char *tmp = mem_printf(".%s%s", stem, suffix);
	AUTO(fd) int fd = -1;

	if (final == NULL || tmp == NULL)
		return err_nomem(e);
	if (json_lines(j, &text, e) != ERR_OK)
		return err_wrap(e, "answer %s", final);
	buf_add8(&text, '\n');
	if (buf_ok(&text, e) != ERR_OK || create_anew(dir, tmp, &fd, e) != ERR_OK || sys_append(fd, buf_slice(&text), e) != ERR_OK ||
	    sys_close(&fd, e) != ERR_OK || sys_rename(dir, tmp, dir, final, e) != ERR_OK)
		return err_wrap(e, "answer %s", final);
	return ERR_OK;
}

enum err_code
spool_answer(int dir, const char *name, const char *record, const char *suffix, const json_t *answer, struct err *e)
{
	AUTO(buf) struct buf stem = {0};

	if (choose(dir, name, record, suffix, false, &stem, e) != ERR_OK)
		return err_wrap(e, "spool");
	return write_answer(dir, buf_str(&stem), suffix, answer, e);
}

enum err_code
spool_give_back(const struct spool *s, const struct entry *en, json_t *reason, struct err *e)
{
	AUTO(mem) char *in_cur = mem_printf("%s.%s", en->record, en->name);
	AUTO(mem) char *meta = mem_printf("%s.%s%s", en->record, en->name, META_SUFFIX);
	AUTO(buf) struct buf stem = {0}, to_meta = {0};

	if (in_cur == NULL || meta == NULL || choose(s->failed, en->name, en->record, ".reason.json", true, &stem, e) != ERR_OK ||
	    json_set(reason, "record", json_text(en->record), e) != ERR_OK)
		return err_wrap(e, "spool");
	buf_addf(&to_meta, "%s%s", buf_str(&stem), META_SUFFIX);
	if (buf_ok(&to_meta, e) != ERR_OK || write_answer(s->failed, buf_str(&stem), ".reason.json", reason, e) != ERR_OK)
		return err_wrap(e, "spool");
	/* The main file first: without its meta file it would be another deposit after a crash; the meta file is found again. */
	if (renameat2(s->cur, in_cur, s->failed, buf_str(&stem), RENAME_NOREPLACE) != 0 && errno != ENOENT)
		return err_errno(e, ERR_IO, errno, "move %s to failed/", en->name);
	(void)renameat(s->cur, meta, s->failed, buf_str(&to_meta));
	return ERR_OK;
}

void
spool_orphan(const struct spool *s, const struct entry *en, bool kept)
{
	AUTO(mem) char *meta = mem_printf("%s.%s%s", en->record, en->name, META_SUFFIX);
	AUTO(mem) char *back = mem_printf("%s%s", en->name, META_SUFFIX);
	AUTO(buf) struct buf stem = {0}, reason = {0};

	if (meta == NULL || back == NULL || choose(s->failed, en->name, en->record, ".reason.json", true, &stem, NULL) != ERR_OK)
		return;
	buf_addf(&reason, "%s.reason.json", buf_str(&stem));
	buf_adds(&stem, META_SUFFIX);
	if (buf_ok(&reason, NULL) != ERR_OK || buf_ok(&stem, NULL) != ERR_OK)
		return;
	if (!kept && ours(s->failed, buf_str(&reason), en->record))
		(void)renameat(s->cur, meta, s->failed, buf_str(&stem));
	else if (kept || renameat2(s->cur, meta, s->new, back, RENAME_NOREPLACE) != 0)
		(void)unlinkat(s->cur, meta, 0);
}

enum err_code
spool_refuse(const struct spool *s, const char *name, const char *record, int64_t now, const struct err *why, bool *moved, struct err *e)
{
	AUTO(buf) struct buf stem = {0}, plain = {0};
	AUTO(json) json_t *reason = json_pack("{s:i, s:b, s:o, s:o, s:o, s:s}", "schema", 1, "refused", 1, "time", json_time(now), "reason",
	    json_text(why->text), "name", json_text(name), "record", record);

	*moved = false;
	if (reason == NULL)
		return err_nomem(e);
	if (choose(s->failed, name, record, ".reason.json", true, &stem, e) != ERR_OK)
		return err_wrap(e, "spool");
	*moved = renameat2(s->new, name, s->failed, buf_str(&stem), RENAME_NOREPLACE) == 0;
	if (*moved)
		return write_answer(s->failed, buf_str(&stem), ".reason.json", reason, e);
	safe_stem(&plain, name);
	buf_adds(&plain, ".reason.json");
	if (buf_ok(&plain, e) != ERR_OK)
		return err_wrap(e, "spool");
	return there(s->failed, buf_str(&plain)) ? ERR_OK : write_answer(s->failed, buf_str(&stem), ".reason.json", reason, e);
}

static void
remove_tree(int dir, const char *name)
{
	AUTO(fd) int sub = -1;
	char **names = NULL;
	bool more = true;
	size_t n = 0, i, rounds;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return;
	sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* A list has LIST_MAX names at most, a folder may have more. */
	for (rounds = 0; sub >= 0 && more && rounds < REMOVE_ROUNDS && list_names(sub, true, &names, &n, &more, NULL) == ERR_OK; rounds++) {
		for (i = 0; i < n; i++)
			remove_tree(sub, names[i]);
		free_names(names, n);
	}
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

void
spool_clear(const struct spool *s, const char *name)
{
	remove_tree(s->cur, name);
}

/*
 * The main file leaves its claimed name by one step, and after the meta file it would be another deposit: so it goes
 * first. A folder is renamed before its content goes: one that dies half removed is no claim any more.
 */
bool
spool_forget(const struct spool *s, const struct entry *en)
{
	AUTO(mem) char *in_cur = mem_printf("%s.%s", en->record, en->name);
	AUTO(mem) char *meta = mem_printf("%s.%s%s", en->record, en->name, META_SUFFIX);
	AUTO(mem) char *gone = mem_printf(".gone.%s", en->record);
	bool folder;

	if (in_cur == NULL || meta == NULL || gone == NULL)
		return false;
	folder = unlinkat(s->cur, in_cur, 0) != 0 && errno != ENOENT;
	if (folder) {
		remove_tree(s->cur, gone);
		if (renameat(s->cur, in_cur, s->cur, gone) != 0 && errno != ENOENT)
			return false;
	}
	(void)unlinkat(s->cur, meta, 0);
	if (folder)
		remove_tree(s->cur, gone);
	return true;
}
