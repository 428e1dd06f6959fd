/* SPDX-License-Identifier: MIT */
/* The FORMAT file: what a store is, closed by a digest; and the way from format 1 to format 2 (docs/format.md 1, 7). */
#include "store/recover_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_BYTES (UINT64_C(1) << 30)
#define LARGE_BYTES (UINT64_C(64) << 20)
#define SEGMENT_AGE_S (24 * 3600)
#define SMALL_FILE 4096
#define CARRY_GROUPS 500
#define CARRY_BYTES ((size_t)16 << 20)

/* It stands in JSON, in checkpoints and in FORMAT as it is. */
static bool
is_origin(const char *name)
{
	return name[0] != 0 && strlen(name) <= 120 && strpbrk(name, " \t\r\n+\"\\") == NULL;
}

static enum err_code
close_format(struct buf *text, struct err *e)
{
	uint8_t sum[32];
	enum err_code r = buf_ok(text, e);

	if (r == ERR_OK)
		r = digest_sha256(buf_slice(text), sum, e);
	if (r != ERR_OK)
		return r;
	buf_adds(text, "sha256 ");
	buf_addhex(text, slice_of(sum, 32));
	buf_adds(text, "\n");
	return buf_ok(text, e);
}

enum err_code
format_text(const struct store_options *o, int version, const struct entropy *random, struct buf *out, struct err *e)
{
	uint8_t id[8] = {0};
	char hex[17];
	enum err_code r = ERR_OK;

	if (o->origin != NULL && !is_origin(o->origin))
		return err_set(e, ERR_USAGE, "log origin \"%.130s\"", o->origin);
	if (o->origin == NULL)
		r = entropy_fill(random, id, sizeof(id), e);
	if (r != ERR_OK)
		return r;
	hex_of(slice_of(id, sizeof(id)), hex);
	buf_addf(out, "everseal-store %d\norigin %s%s\n", version, o->origin != NULL ? o->origin : "everseal/",
	    o->origin != NULL ? "" : hex);
	buf_addf(out, "segment_bytes %" PRIu64 "\nlarge_bytes %" PRIu64 "\nsegment_age_s %" PRId64 "\n",
	    o->segment_bytes != 0 ? o->segment_bytes : SEGMENT_BYTES, o->large_bytes != 0 ? o->large_bytes : LARGE_BYTES,
	    o->segment_age_s != 0 ? o->segment_age_s : SEGMENT_AGE_S);
	return close_format(out, e);
}

/* The last line is a digest of all before. */
static bool
format_closes(struct slice text)
{
	static const char key[] = "sha256 ";
	size_t line = strlen(key) + 64 + 1;
	const char *p = (const char *)text.p + text.n - line;
	uint8_t sum[32];
	char hex[65];

	if (text.n <= line || digest_sha256(slice_of(text.p, text.n - line), sum, NULL) != ERR_OK)
		return false;
	hex_of(slice_of(sum, 32), hex); /* lower case: one text for each digest */
	return memcmp(p, key, strlen(key)) == 0 && p[line - 1] == '\n' && memcmp(p + strlen(key), hex, 64) == 0;
}

enum err_code
format_read(struct store *s, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	char origin[128] = "";
	int version = 0;
	enum err_code r = sys_read_file(s->dir_fd, "FORMAT", SMALL_FILE, &text, e);

	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_NOTFOUND, "no archive there (no FORMAT; init makes one)");
	if (r != ERR_OK)
		return r;
	if (sscanf(buf_str(&text), "everseal-store %9d", &version) != 1)
		return err_set(e, ERR_FORMAT, "FORMAT is not that of a store");
	if (version < 1 || version > STORE_FORMAT_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "store of format %d, this program knows %d", version, STORE_FORMAT_VERSION);
	if (sscanf(buf_str(&text), "everseal-store %*d\norigin %127s\nsegment_bytes %20" SCNu64 "\nlarge_bytes %20" SCNu64
		"\nsegment_age_s %20" SCNd64 "\n", origin, &s->o.segment_bytes, &s->o.large_bytes, &s->o.segment_age_s) != 4 || !is_origin(origin))
		return err_set(e, ERR_FORMAT, "FORMAT is not whole");
	if (version > 1 && !format_closes(buf_slice(&text)))
		return err_set(e, ERR_DAMAGED, "FORMAT has not its digest");
	s->o.origin = mem_dupstr(origin);
	s->found.format = version;
	return s->o.origin != NULL ? ERR_OK : err_nomem(e);
}

/* --- format 1 to format 2 --- */

/* From now on groups are of format 2; a program that knows only format 1 refuses. */
static enum err_code
become_2(struct store *s, struct err *e)
{
	const struct entropy none = {.fill = NULL};
	AUTO(buf) struct buf text = {0};
	enum err_code r = format_text(&s->o, STORE_FORMAT_VERSION, &none, &text, e);

	if (r == ERR_OK)
		r = sys_write_durably(s->dir_fd, "FORMAT", buf_slice(&text), 0644, e);
	if (r == ERR_OK)
		s->found.format = STORE_FORMAT_VERSION;
	return r;
}

/* The next groups from *n on that stand once only become members of one new group. */
static enum err_code
carry_some(struct store *s, uint64_t *n, uint64_t last, uint64_t *carried, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	size_t bytes = 0, k = 0;
	enum err_code r = store_batch_begin(s, &b, e);

	for (; r == ERR_OK && *n <= last && k < CARRY_GROUPS && bytes < CARRY_BYTES; ++*n) {
		AUTO(buf) struct buf text = {0};
		struct member m;

		if (index_twin(&s->index, *n, &m, NULL) == ERR_OK)
			continue;
		r = group_text(s, *n, &text, NULL, NULL, e);
		if (r == ERR_OK)
			r = batch_put_twin(b, *n, buf_slice(&text), e);
		bytes += text.n;
		k++;
	}
	if (r == ERR_OK)
		r = store_commit(&b, NULL, e);
	*carried += r == ERR_OK ? k : 0;
	return r;
}

enum err_code
store_upgrade(struct store *s, uint64_t *carried, struct err *e)
{
	uint64_t n = 1, last = s->last.group;
	enum err_code r = store_may_write(s, e);

	*carried = 0;
	if (r == ERR_OK && s->found.format < STORE_FORMAT_VERSION)
		r = become_2(s, e);
	while (r == ERR_OK && n <= last)
		r = carry_some(s, &n, last, carried, e);
	return r == ERR_OK ? r : err_wrap(e, "upgrade");
}
