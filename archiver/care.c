/* SPDX-License-Identifier: MIT */
/*
 * What a scrub found: whose records the damage concerns, and the history of it,
 * one line of JSON each in the archive's folder (`scrubs.jsonl`). It is no
 * evidence; a line that can't be read is passed over.
 */
#include "archiver/archiver_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY "scrubs.jsonl"
#define HISTORY_BYTES ((size_t)1 << 20) /* more is begun anew, the old one kept beside as .1 */
#define MANIFEST_BYTES ((size_t)16 << 20)
#define HEX 64

enum err_code
care_note(const char *archive, const json_t *scrub, struct err *e)
{
	AUTO(fd) int dir = -1;
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf line = {0};
	struct stat st;
	enum err_code r = sys_open_dir(AT_FDCWD, archive, &dir, e);

	buf_adds(&line, "\n"); /* the line before may have been cut off */
	if (r == ERR_OK)
		r = json_canonical(scrub, &line, e);
	buf_adds(&line, "\n");
	if (r == ERR_OK)
		r = buf_ok(&line, e);
	if (r != ERR_OK)
		return r;
	if (fstatat(dir, HISTORY, &st, AT_SYMLINK_NOFOLLOW) == 0 && (size_t)st.st_size > HISTORY_BYTES)
		r = sys_rename(dir, HISTORY, dir, HISTORY ".1", e);
	if (r != ERR_OK)
		return r;
	fd = openat(dir, HISTORY, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "%s", HISTORY);
	r = sys_append(fd, buf_slice(&line), e);
	return r == ERR_OK ? sys_fdatasync(fd, e) : r;
}

enum err_code
care_last(const char *archive, json_t **out, struct err *e)
{
	AUTO(fd) int dir = -1;
	AUTO(buf) struct buf text = {0};
	enum err_code r = sys_open_dir(AT_FDCWD, archive, &dir, e);
	size_t end;

	*out = json_null();
	if (r == ERR_OK)
		r = sys_read_file(dir, HISTORY, 4 * HISTORY_BYTES, &text, e);
	if (r == ERR_NOTFOUND)
		return ERR_OK;
	for (end = text.n; r == ERR_OK && end > 0; end--) {
		size_t from = end;

		while (from > 0 && text.p[from - 1] != '\n')
			from--;
		if (from != end && json_read(slice_of(text.p + from, end - from), NULL, out, NULL) == ERR_OK)
			return ERR_OK;
		*out = json_null();
		end = from + (from == 0);
	}
	return r;
}

/* ---- whose ---- */

struct whose {
	struct store *s;
	json_t *found; /* SHA-256 of damaged objects: a list of records */
};

static void
concern(struct whose *w, const char *sha256, const char *record)
{
	json_t *list = json_object_get(w->found, sha256), *r = NULL;
	size_t i;

	if (list == NULL)
		return;
	json_array_foreach (list, i, r)
		if (strcmp(json_string_value(r), record) == 0)
			return;
	json_array_append_new(list, json_text(record));
}

/* Every digest that the manifest names, as far as it is one of the damaged. */
static void
read_names(struct whose *w, const char *text, const char *record)
{
	static const char digits[] = "0123456789abcdef";

	while (*text != '\0') {
		size_t n = strspn(text, digits);
		char hex[HEX + 1];

		if (n == HEX) {
			memcpy(hex, text, HEX);
			hex[HEX] = '\0';
			concern(w, hex, record);
		}
		text += n + (text[n] != '\0');
	}
}

static enum err_code
one_record(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	struct whose *w = ctx;
	AUTO(json) json_t *row = NULL;
	char record[UUID_TEXT + 8] = "", hex[HEX + 1] = "";
	const char *named;

	(void)stop, (void)e;
	if (key.n >= sizeof(record) || json_read(value, NULL, &row, NULL) != ERR_OK)
		return ERR_OK;
	memcpy(record, key.p, key.n);
	named = json_string_value(json_object_get(row, "manifest"));
	while (named != NULL && strlen(named) == HEX) { /* backwards; the chain ends where it can't be read */
		AUTO(buf) struct buf text = {0};
		AUTO(json) json_t *m = NULL;
		uint8_t sha256[32];

		memmove(hex, named, sizeof(hex));
		concern(w, hex, record);
		named = NULL;
		if (!hex_to(hex, HEX, sha256) || store_get_bytes(w->s, sha256, MANIFEST_BYTES, &text, NULL) != ERR_OK ||
		    json_read(buf_slice(&text), NULL, &m, NULL) != ERR_OK)
			break;
		read_names(w, buf_str(&text), record);
		named = json_string_value(json_object_get(json_object_get(m, "previous"), "sha256"));
		if (named != NULL && strlen(named) == HEX) {
			memcpy(hex, named, sizeof(hex));
			named = hex;
		}
	}
	return ERR_OK;
}

enum err_code
care_whose(struct store *s, json_t *found, struct err *e)
{
	struct whose w = {s, found};
	const struct store_each each = {one_record, &w};

	return json_object_size(found) != 0 ? store_rows(s, "record", (struct slice){0}, (struct slice){0}, &each, e) : ERR_OK;
}
