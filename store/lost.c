/* SPDX-License-Identifier: MIT */
/*
 * Setting aside: what stood where something is about to be cut or written over
 * is copied whole to lost/, synced, and only then is anything changed.
 * docs/format.md 6.
 */
#include "store/recover_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_NAME "lost"
#define MANIFEST "manifest.json"
#define ACKNOWLEDGED "acknowledged.json"
#define MANIFEST_MAX ((size_t)64 << 20)
#define FORMAT_OF_LOST 1

static const char *const WORD[] = {[STORE_LOST_TORN] = "torn", [STORE_LOST_LOST] = "lost", [STORE_LOST_DAMAGED] = "damaged",
    [STORE_LOST_MENDED] = "mended", [STORE_LOST_ACCEPTED] = "accepted"};
#define N_WORDS (sizeof(WORD) / sizeof(WORD[0]))

const char *
store_lost_word(enum store_lost_kind k)
{
	return (size_t)k < N_WORDS ? WORD[k] : "?";
}

static bool
is_alarm(enum store_lost_kind k)
{
	return k == STORE_LOST_LOST || k == STORE_LOST_DAMAGED;
}

void
lost_auto(struct lost *l)
{
	free(l->parts);
	json_decref(l->damage);
	json_decref(l->leaves);
}

enum err_code
lost_add_part(struct lost *l, const struct seg_id *id, uint64_t off, uint64_t size, struct err *e)
{
	if (!mem_grow(&l->parts, &l->cap_parts, l->n_parts, sizeof(*l->parts)))
		return err_nomem(e);
	l->parts[l->n_parts++] = (struct lost_part){*id, off, size};
	return ERR_OK;
}

static enum err_code
push(json_t **list, json_t *value, struct err *e)
{
	if (*list == NULL)
		*list = json_array();
	if (*list != NULL && value != NULL)
		return json_push(*list, value, e);
	json_decref(value);
	return err_nomem(e);
}

enum err_code
lost_add_damage(struct lost *l, const struct seg_id *id, uint64_t off, const char *name, uint64_t group, const char *what,
    struct err *e)
{
	char seg[SEG_NAME];

	seg_name(id, seg);
	return push(&l->damage, json_pack("{s:I, s:s, s:I, s:s, s:o}", "group", (json_int_t)group, "name", name, "offset",
	    (json_int_t)off, "segment", seg, "what", json_text(what)), e);
}

enum err_code
lost_add_leaf(struct lost *l, uint64_t index, struct slice leaf, struct err *e)
{
	struct tlog_leaf d;
	char record[37];
	enum err_code r = tlog_leaf_decode(leaf, &d, e);
	const uint8_t *p = d.record;

	if (r != ERR_OK)
		return r;
	snprintf(record, sizeof(record), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", p[0], p[1], p[2], p[3],
	    p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15]);
	return push(&l->leaves, json_pack("{s:I, s:s, s:I, s:i}", "index", (json_int_t)index, "record", record, "time",
	    (json_int_t)d.time_utc, "type", (int)d.type), e);
}

/* --- writing --- */

static enum err_code
open_part(struct store *s, const struct lost_part *p, int *fd, struct source *from, struct err *e)
{
	enum err_code r = store_segment_fd(s, &p->id, fd, e);

	if (r == ERR_OK)
		r = source_fd(fd, from, e);
	if (r == ERR_OK && (p->off > from->size_bytes || from->size_bytes - p->off < p->size))
		return err_set(e, ERR_BUG, "to be set aside: more than the segment holds");
	return r;
}

static void
part_name(const struct lost_part *p, char out[80])
{
	char seg[SEG_NAME];

	seg_name(&p->id, seg);
	snprintf(out, 80, "%s@%" PRIu64, seg, p->off);
}

static enum err_code
describe_part(struct store *s, const struct lost_part *p, json_t *list, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(digester) struct digester *d = NULL;
	struct source from;
	struct store_ref ref;
	struct sink to;
	char seg[SEG_NAME], name[80];
	enum err_code r = open_part(s, p, &fd, &from, e);

	if (r == ERR_OK)
		r = pair_new(&d, e);
	if (r != ERR_OK)
		return r;
	to = digester_sink(d);
	r = source_copy(&from, p->off, p->size, &to, e);
	if (r == ERR_OK)
		r = pair_finish(d, p->size, &ref, e);
	if (r != ERR_OK)
		return r;
	seg_name(&p->id, seg);
	part_name(p, name);
	return json_push(list, json_pack("{s:s, s:I, s:s, s:o, s:o, s:I}", "file", name, "offset", (json_int_t)p->off, "segment", seg,
	    "sha256", json_hex(slice_of(ref.sha256, 32)), "sha512", json_hex(slice_of(ref.sha512, 64)), "size",
	    (json_int_t)p->size), e);
}

/*
 * The id is a digest of what is said, apart from when: neither the time nor how far the chain goes meanwhile. The same find
 * again is the same find.
 */
static enum err_code
make_manifest(struct store *s, const struct lost *l, char id[40], struct buf *text, struct err *e)
{
	AUTO(json) json_t *parts = json_array();
	AUTO(json) json_t *j = NULL;
	uint8_t sum[32];
	char hex[65];
	size_t i;
	enum err_code r = parts != NULL ? ERR_OK : err_nomem(e);

	for (i = 0; r == ERR_OK && i < l->n_parts; i++)
		r = describe_part(s, &l->parts[i], parts, e);
	if (r != ERR_OK)
		return r;
	j = json_pack("{s:b, s:o, s:i, s:I, s:s, s:o, s:O, s:o}", "alarm", is_alarm(l->kind),
	    "damage", l->damage != NULL ? json_incref(l->damage) : json_array(), "format", FORMAT_OF_LOST, "group",
	    (json_int_t)l->group, "kind", WORD[l->kind], "leaves", l->leaves != NULL ? json_incref(l->leaves) : json_array(),
	    "parts", parts, "why", json_text(l->why));
	if (j == NULL)
		return err_nomem(e);
	r = json_canonical(j, text, e);
	if (r == ERR_OK)
		r = digest_sha256(buf_slice(text), sum, e);
	if (r != ERR_OK)
		return r;
	hex_of(slice_of(sum, 32), hex);
	snprintf(id, 40, "%010" PRIu64 "-%.12s", l->group, hex);
	if (json_set(j, "id", json_text(id), e) != ERR_OK || json_set(j, "after", json_integer((json_int_t)l->after), e) != ERR_OK ||
	    json_set(j, "time", json_integer((json_int_t)clock_now(&s->clock)), e) != ERR_OK)
		return err_nomem(e);
	buf_clear(text);
	r = json_canonical(j, text, e);
	buf_adds(text, "\n");
	return r == ERR_OK ? buf_ok(text, e) : r;
}

static enum err_code
copy_part(struct store *s, int dir, const struct lost_part *p, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(fd) int out = -1;
	struct source from;
	struct sink to;
	char name[80];
	enum err_code r = open_part(s, p, &fd, &from, e);

	if (r != ERR_OK)
		return r;
	part_name(p, name);
	unlinkat(dir, name, 0); /* of a try that did not end */
	r = sys_create(dir, name, 0440, &out, e);
	if (r != ERR_OK)
		return r;
	to = sink_fd(&out);
	r = source_copy(&from, p->off, p->size, &to, e);
	return r == ERR_OK ? sys_fdatasync(out, e) : r;
}

enum err_code
lost_put(struct store *s, struct lost *l, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(fd) int lost = -1;
	AUTO(fd) int dir = -1;
	char id[40] = "", tmp[48];
	size_t i;
	enum err_code r = make_manifest(s, l, id, &text, e);

	if (r == ERR_OK)
		r = sys_mkdirs(s->dir_fd, DIR_NAME, 0750, e);
	if (r == ERR_OK)
		r = sys_open_dir(s->dir_fd, DIR_NAME, &lost, e);
	if (r != ERR_OK)
		return err_wrap(e, "setting aside");
	if (faccessat(lost, id, F_OK, 0) == 0)
		return ERR_OK;
	snprintf(tmp, sizeof(tmp), ".tmp-%s", id);
	r = sys_mkdirs(lost, tmp, 0750, e);
	if (r == ERR_OK)
		r = sys_open_dir(lost, tmp, &dir, e);
	for (i = 0; r == ERR_OK && i < l->n_parts; i++)
		r = copy_part(s, dir, &l->parts[i], e);
	if (r == ERR_OK)
		r = sys_write_durably(dir, MANIFEST, buf_slice(&text), 0440, e); /* syncs the folder, too */
	if (r == ERR_OK)
		r = sys_rename(lost, tmp, lost, id, e);
	if (r == ERR_OK)
		r = sys_fsync_dir(lost, e);
	for (i = 0; r == ERR_OK && i < l->n_parts; i++)
		s->found.aside_bytes += l->parts[i].size;
	return r == ERR_OK ? r : err_wrap(e, "setting aside");
}

/* --- reading --- */

static bool
is_id(const char *name)
{
	size_t i;

	for (i = 0; name[i] != 0; i++)
		if (i == 10 ? name[i] != '-' : strchr("0123456789abcdef", name[i]) == NULL)
			return false;
	return i == 23;
}

static enum err_code
read_manifest(int dir, struct store_lost *out, struct buf *text, struct err *e)
{
	AUTO(json) json_t *j = NULL;
	const json_t *p;
	json_t *parts = NULL;
	const char *kind = "", *why = "";
	size_t i, k;
	enum err_code r = sys_read_file(dir, MANIFEST, MANIFEST_MAX, text, e);

	if (r == ERR_OK)
		r = json_read(buf_slice(text), NULL, &j, e);
	if (r == ERR_OK)
		r = json_need_str(j, "kind", &kind, e);
	if (r == ERR_OK)
		r = json_need_str(j, "why", &why, e);
	if (r == ERR_OK)
		r = json_need_size(j, "after", &out->after, e);
	if (r == ERR_OK)
		r = json_need_size(j, "group", &out->group, e);
	if (r == ERR_OK)
		r = json_need_int(j, "time", &out->time_utc, e);
	if (r == ERR_OK)
		r = json_need_arr(j, "parts", &parts, e);
	for (k = 0; k < N_WORDS && strcmp(kind, WORD[k]) != 0; k++)
		;
	if (r != ERR_OK || k == N_WORDS)
		return r != ERR_OK ? r : err_set(e, ERR_FORMAT, "kind %.20s", kind);
	out->kind = (enum store_lost_kind)k;
	snprintf(out->why, sizeof(out->why), "%s", why);
	out->parts = json_array_size(parts);
	json_array_foreach(parts, i, p)
		out->bytes += (uint64_t)json_integer_value(json_object_get(p, "size"));
	return ERR_OK;
}

/* What can't be read is no reason to be silent. */
static enum err_code
read_one(int lost, const char *id, struct store_lost *out, struct buf *text, struct err *e)
{
	AUTO(fd) int dir = -1;
	struct err why = {0};
	enum err_code r = sys_open_dir(lost, id, &dir, &why);

	*out = (struct store_lost){.time_utc = TIME_NONE};
	if (r == ERR_OK)
		r = read_manifest(dir, out, text, &why);
	if (r == ERR_NOMEM)
		return err_nomem(e);
	if (r != ERR_OK) {
		buf_clear(text);
		*out = (struct store_lost){.kind = STORE_LOST_LOST, .time_utc = TIME_NONE};
		snprintf(out->why, sizeof(out->why), "its manifest can't be read: %.200s", why.text);
	}
	snprintf(out->id, sizeof(out->id), "%s", id);
	out->acknowledged = dir >= 0 && faccessat(dir, ACKNOWLEDGED, F_OK, 0) == 0;
	out->alarm = is_alarm(out->kind) && !out->acknowledged;
	out->manifest = buf_slice(text);
	return ERR_OK;
}

struct ids {
	char (*v)[40];
	size_t n, cap;
};

static void
ids_auto(struct ids *l)
{
	free(l->v);
}

static void
dir_auto(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum err_code
list_ids(int lost, struct ids *out, struct err *e)
{
	int fd = openat(lost, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_errno(e, ERR_IO, errno, DIR_NAME);
	}
	while ((errno = 0, de = readdir(d)) != NULL) {
		if (!is_id(de->d_name))
			continue;
		if (!mem_grow(&out->v, &out->cap, out->n, sizeof(*out->v)))
			return err_nomem(e);
		snprintf(out->v[out->n++], sizeof(*out->v), "%.39s", de->d_name);
	}
	if (errno != 0)
		return err_errno(e, ERR_IO, errno, DIR_NAME);
	if (out->n != 0)
		qsort(out->v, out->n, sizeof(*out->v), by_text);
	return ERR_OK;
}

/* --- damage that was told already --- */

static enum err_code
key_of(const json_t *damage, struct buf *out, struct err *e)
{
	buf_clear(out);
	return json_canonical(damage, out, e);
}

static enum err_code
keep_told(void *ctx, const struct store_lost *l, struct err *e)
{
	AUTO(json) json_t *j = NULL;
	AUTO(buf) struct buf key = {0};
	const json_t *d;
	size_t i;
	enum err_code r = l->kind == STORE_LOST_DAMAGED && l->manifest.n != 0 ? json_read(l->manifest, NULL, &j, e) : ERR_OK;

	if (r == ERR_FORMAT || r == ERR_LIMIT) /* then it is told once more */
		return ERR_OK;
	json_array_foreach(json_object_get(j, "damage"), i, d) {
		if (r == ERR_OK)
			r = key_of(d, &key, e);
		if (r == ERR_OK)
			r = json_set(ctx, buf_str(&key), json_true(), e);
	}
	return r;
}

enum err_code
lost_put_new(struct store *s, struct lost *l, struct err *e)
{
	AUTO(json) json_t *told = json_object();
	AUTO(json) json_t *left = json_array();
	AUTO(buf) struct buf key = {0};
	const struct store_lost_each each = {keep_told, told};
	json_t *d;
	size_t i;
	enum err_code r = told != NULL && left != NULL ? store_lost(s, &each, e) : err_nomem(e);

	l->group = 0;
	json_array_foreach(l->damage, i, d) {
		uint64_t group = (uint64_t)json_integer_value(json_object_get(d, "group"));

		if (r == ERR_OK)
			r = key_of(d, &key, e);
		if (r != ERR_OK || json_object_get(told, buf_str(&key)) != NULL)
			continue;
		r = json_push(left, json_incref(d), e);
		if (l->group == 0 || group < l->group)
			l->group = group;
	}
	if (r != ERR_OK || json_array_size(left) == 0)
		return r;
	json_decref(l->damage);
	l->damage = TAKE(left);
	return lost_put(s, l, e);
}

enum err_code
store_lost(struct store *s, const struct store_lost_each *each, struct err *e)
{
	AUTO(ids) struct ids ids = {.v = NULL};
	AUTO(fd) int lost = -1;
	size_t i;
	enum err_code r = sys_open_dir(s->dir_fd, DIR_NAME, &lost, e);

	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r == ERR_OK)
		r = list_ids(lost, &ids, e);
	for (i = 0; r == ERR_OK && i < ids.n; i++) {
		AUTO(buf) struct buf text = {0};
		struct store_lost l;

		r = read_one(lost, ids.v[i], &l, &text, e);
		if (r == ERR_OK)
			r = each->lost(each->ctx, &l, e);
	}
	return r;
}

enum err_code
store_lost_acknowledge(struct store *s, const char *id, const char *by, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *j = json_pack("{s:o, s:I}", "by", json_text(by), "time", (json_int_t)clock_now(&s->clock));
	AUTO(fd) int lost = -1;
	AUTO(fd) int dir = -1;
	enum err_code r = is_id(id) ? sys_open_dir(s->dir_fd, DIR_NAME, &lost, e) : ERR_NOTFOUND;

	if (r == ERR_OK)
		r = sys_open_dir(lost, id, &dir, e);
	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_NOTFOUND, "nothing of id %.40s was set aside", id);
	if (r != ERR_OK)
		return r;
	if (faccessat(dir, ACKNOWLEDGED, F_OK, 0) == 0)
		return ERR_OK;
	r = j != NULL ? json_canonical(j, &text, e) : err_nomem(e);
	buf_adds(&text, "\n");
	if (r == ERR_OK)
		r = buf_ok(&text, e);
	return r == ERR_OK ? sys_write_durably(dir, ACKNOWLEDGED, buf_slice(&text), 0440, e) : r;
}
