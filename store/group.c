/* SPDX-License-Identifier: MIT */
/*
 * A group as JSON and back. Written by hand in RFC 8785 order; the closing
 * digest tells a torn text from a whole one before anything else is believed.
 */
#include "store/store_int.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRONT "{\"body\":"
#define MIDDLE ",\"sha256\":\""
#define BACK "\"}\n"
#define TEXT_ROW "t:"
#define BASE64_ROW "b:"

/* --- names of segments and members --- */

static const char *const KIND_WORD[] = {[STORE_DATA] = "data", [STORE_SHARED] = "shared", [STORE_LOG] = "log"};

void
seg_name(const struct seg_id *s, char out[SEG_NAME])
{
	if (s->kind == STORE_DATA)
		snprintf(out, SEG_NAME, "data-%04u-%08" PRIu32 ".tar", s->year, s->id);
	else
		snprintf(out, SEG_NAME, "%s-%08" PRIu32 ".tar", KIND_WORD[s->kind], s->id);
}

bool
seg_parse(const char *name, struct seg_id *out)
{
	struct seg_id s = {0};
	char again[SEG_NAME];
	unsigned year = 0;

	if (sscanf(name, "data-%4u-%10" SCNu32 ".tar", &year, &s.id) == 2)
		s.kind = STORE_DATA;
	else if (sscanf(name, "shared-%10" SCNu32 ".tar", &s.id) == 1)
		s.kind = STORE_SHARED;
	else if (sscanf(name, "log-%10" SCNu32 ".tar", &s.id) == 1)
		s.kind = STORE_LOG;
	else
		return false;
	s.year = (uint16_t)year;
	seg_name(&s, again);
	*out = s;
	return s.id != 0 && strcmp(name, again) == 0;
}

int
seg_rank(enum store_kind kind, int year)
{
	return kind == STORE_DATA ? year : 100000;
}

void
member_name(const struct member *m, const struct seg_id *s, char out[MEMBER_NAME])
{
	char hex[65], seg[SEG_NAME];

	if (m->kind == MEMBER_OBJECT) {
		hex_of(slice_of(m->ref.sha256, 32), hex);
		snprintf(out, MEMBER_NAME, "objects/sha256/%s", hex);
		return;
	}
	if (m->kind == MEMBER_GROUP) {
		snprintf(out, MEMBER_NAME, "groups/%010" PRIu64 ".json", m->group);
		return;
	}
	seg_name(s, seg);
	snprintf(out, MEMBER_NAME, "segments/%.*s.%s", (int)strlen(seg) - 4, seg,
	    m->kind == MEMBER_HEAD ? "json" : "members");
}

void
group_free(struct group *g)
{
	if (g == NULL)
		return;
	free(g->members);
	free(g->born);
	free(g->sealed);
	free(g->leaves);
	free(g->rows);
	buf_release(&g->arena);
	buf_release(&g->checkpoint);
}

void
group_auto(struct group **g)
{
	group_free(*g);
	free(*g);
}

/* --- writing --- */

static void
add_hex(struct buf *b, const char *key, const uint8_t *p, size_t n)
{
	buf_addf(b, "\"%s\":\"", key);
	buf_addhex(b, slice_of(p, n));
	buf_adds(b, "\"");
}

static void
add_escaped(struct buf *b, struct slice s)
{
	size_t i, from = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\' && s.p[i] != '\n')
			continue;
		buf_add(b, s.p + from, i - from);
		buf_adds(b, s.p[i] == '"' ? "\\\"" : s.p[i] == '\n' ? "\\n" : "\\\\");
		from = i + 1;
	}
	buf_add(b, s.p + from, s.n - from);
}

/* Printable ASCII stays readable; anything else is base64. One form for each value, so that text is equal when values are. */
static void
add_octets(struct buf *b, struct slice s)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] >= 0x20 && s.p[i] <= 0x7e; i++)
		;
	buf_adds(b, i == s.n ? "\"" TEXT_ROW : "\"" BASE64_ROW);
	if (i == s.n)
		add_escaped(b, s);
	else
		buf_addbase64(b, s);
	buf_adds(b, "\"");
}

static enum err_code
write_members(const struct group *g, seg_lookup look, void *ctx, struct buf *b, struct err *e)
{
	char name[MEMBER_NAME], seg[SEG_NAME];
	struct seg_id id = {0};
	size_t i;

	buf_adds(b, ",\"members\":[");
	for (i = 0; i < g->n_members; i++) {
		const struct member *m = &g->members[i];

		if (id.id != m->seg && !look(ctx, m->seg, &id))
			return err_set(e, ERR_BUG, "group names segment %" PRIu32 ", which is not known", m->seg);
		member_name(m, &id, name);
		seg_name(&id, seg);
		buf_addf(b, "%s{\"name\":\"%s\",\"offset\":%" PRIu64 ",\"segment\":\"%s\",", i != 0 ? "," : "", name,
		    m->off, seg);
		add_hex(b, "sha256", m->ref.sha256, 32);
		buf_adds(b, ",");
		add_hex(b, "sha512", m->ref.sha512, 64);
		buf_addf(b, ",\"size\":%" PRIu64 "}", m->ref.size_bytes);
	}
	buf_adds(b, "]");
	return buf_ok(b, e);
}

static void
write_rows(const struct group *g, struct buf *b)
{
	size_t i;

	buf_adds(b, ",\"rows\":[");
	for (i = 0; i < g->n_rows; i++) {
		const struct row *r = &g->rows[i];
		const char *table = (const char *)g->arena.p + r->at;
		size_t skip = strlen(table) + 1;

		buf_addf(b, "%s[\"%s\",", i != 0 ? "," : "", table);
		add_octets(b, slice_of(g->arena.p + r->at + skip, r->key_n - skip));
		buf_adds(b, ",");
		if (r->del)
			buf_adds(b, "null");
		else
			add_octets(b, slice_of(g->arena.p + r->at + r->key_n, r->value_n));
		buf_adds(b, "]");
	}
	buf_adds(b, "]");
}

/* Where both copies stand: one that is found alone says where the other one must be. */
static enum err_code
write_at(const struct group *g, seg_lookup look, void *ctx, struct buf *b, struct err *e)
{
	struct seg_id log = {0}, twin = {0};
	char log_name[SEG_NAME], twin_name[SEG_NAME];

	buf_adds(b, "{");
	if (g->format == 1)
		return ERR_OK;
	if (!look(ctx, g->seg, &log) || !look(ctx, g->twin_seg, &twin))
		return err_set(e, ERR_BUG, "group %" PRIu64 " stands in a segment that is not known", g->n);
	seg_name(&log, log_name);
	seg_name(&twin, twin_name);
	buf_addf(b, "\"at\":[{\"offset\":%" PRIu64 ",\"segment\":\"%s\"},{\"offset\":%" PRIu64 ",\"segment\":\"%s\"}],", g->off,
	    log_name, g->twin_off, twin_name);
	return ERR_OK;
}

static void
write_born(const struct group *g, struct buf *b)
{
	char seg[SEG_NAME];
	size_t i;

	buf_adds(b, "\"born\":[");
	for (i = 0; i < g->n_born; i++) {
		seg_name(&g->born[i], seg);
		buf_addf(b, "%s{\"alone\":%s,\"born\":%" PRId64 ",\"segment\":\"%s\"}", i != 0 ? "," : "",
		    g->born[i].alone ? "true" : "false", g->born[i].born_utc, seg);
	}
	buf_adds(b, "],\"checkpoint\":\"");
	add_escaped(b, buf_slice(&g->checkpoint));
	buf_addf(b, "\",\"format\":%d,\"leaves\":[", g->format);
	for (i = 0; i < g->n_leaves; i++) {
		buf_adds(b, i != 0 ? ",\"" : "\"");
		buf_addhex(b, slice_of(g->leaves[i], TLOG_LEAF_OCTETS));
		buf_adds(b, "\"");
	}
	buf_addf(b, "],\"log_size\":%" PRIu64, g->log_size);
}

static enum err_code
write_tail(const struct group *g, seg_lookup look, void *ctx, struct buf *b, struct err *e)
{
	struct seg_id id = {0};
	char seg[SEG_NAME];
	size_t i;

	buf_addf(b, ",\"number\":%" PRIu64 ",", g->n);
	add_hex(b, "previous", g->prev, 32);
	buf_adds(b, ",");
	add_hex(b, "root", g->root, TLOG_HASH);
	write_rows(g, b);
	buf_adds(b, ",\"sealed\":[");
	for (i = 0; i < g->n_sealed; i++) {
		if (!look(ctx, g->sealed[i], &id))
			return err_set(e, ERR_BUG, "group seals segment %" PRIu32 ", which is not known", g->sealed[i]);
		seg_name(&id, seg);
		buf_addf(b, "%s\"%s\"", i != 0 ? "," : "", seg);
	}
	buf_addf(b, "],\"time\":%" PRId64 "}", g->time_utc);
	return buf_ok(b, e);
}

enum err_code
group_write(const struct group *g, seg_lookup look, void *ctx, struct buf *out, struct err *e)
{
	enum err_code r;
	uint8_t sum[32];
	size_t front = strlen(FRONT);

	out->max_bytes = GROUP_MAX_BYTES;
	buf_adds(out, FRONT);
	r = write_at(g, look, ctx, out, e);
	if (r == ERR_OK) {
		write_born(g, out);
		r = write_members(g, look, ctx, out, e);
	}
	if (r == ERR_OK)
		r = write_tail(g, look, ctx, out, e);
	if (r == ERR_OK)
		r = digest_sha256(slice_of(out->p + front, out->n - front), sum, e);
	if (r != ERR_OK)
		return r;
	buf_adds(out, MIDDLE);
	buf_addhex(out, slice_of(sum, 32));
	buf_adds(out, BACK);
	return buf_ok(out, e);
}

/* --- reading --- */

enum err_code
group_whole(struct slice t, struct err *e)
{
	size_t front = strlen(FRONT), close = strlen(MIDDLE) + 64 + strlen(BACK);
	uint8_t sum[32];
	char hex[65];
	const uint8_t *m;
	enum err_code r;

	if (t.n < front + close || memcmp(t.p, FRONT, front) != 0)
		return err_set(e, ERR_NOTFOUND, "not a group");
	m = t.p + t.n - close;
	if (memcmp(m, MIDDLE, strlen(MIDDLE)) != 0 || memcmp(t.p + t.n - strlen(BACK), BACK, strlen(BACK)) != 0)
		return err_set(e, ERR_NOTFOUND, "not a group");
	r = digest_sha256(slice_of(t.p + front, t.n - front - close), sum, e);
	if (r != ERR_OK)
		return r;
	hex_of(slice_of(sum, 32), hex); /* one form: the same digest in other letters is another text */
	return memcmp(m + strlen(MIDDLE), hex, 64) == 0 ? ERR_OK : err_set(e, ERR_NOTFOUND, "not a whole group");
}

/* Quotes inside strings are escaped, so the key with its quotes stands once only. */
enum err_code
group_link(struct slice t, uint64_t *n, uint8_t prev[32], struct err *e)
{
	static const char key[] = ",\"number\":", next[] = ",\"previous\":\"";
	const uint8_t *p, *end = t.p + t.n;
	enum err_code r = group_whole(t, e);

	if (r != ERR_OK)
		return r;
	*n = 0;
	p = memmem(t.p, t.n, key, strlen(key));
	if (p == NULL)
		return err_set(e, ERR_NOTFOUND, "a group without a number");
	for (p += strlen(key); p < end && *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	if ((size_t)(end - p) < strlen(next) + 64 || memcmp(p, next, strlen(next)) != 0 ||
	    !hex_to((const char *)p + strlen(next), 64, prev))
		return err_set(e, ERR_NOTFOUND, "a group without the digest of the one before");
	return ERR_OK;
}

static enum err_code
need_hex(const json_t *o, const char *key, uint8_t *to, size_t n, struct err *e)
{
	const char *s;
	enum err_code r = json_need_str(o, key, &s, e);

	if (r != ERR_OK)
		return r;
	if (strlen(s) != 2 * n || !hex_to(s, 2 * n, to))
		return err_set(e, ERR_FORMAT, "%s: not %zu octets in hex", key, n);
	return ERR_OK;
}

static enum err_code
need_seg(const json_t *o, const char *key, struct seg_id *id, struct err *e)
{
	const char *s;
	enum err_code r = json_need_str(o, key, &s, e);

	if (r == ERR_OK && !seg_parse(s, id))
		return err_set(e, ERR_FORMAT, "%s: not the name of a segment", key);
	return r;
}

static enum err_code
read_member(const json_t *o, uint64_t group, struct member *m, struct err *e)
{
	struct seg_id id = {0};
	const char *name = "";
	char again[MEMBER_NAME];
	enum err_code r = need_seg(o, "segment", &id, e);

	*m = (struct member){.group = group};
	if (r == ERR_OK)
		r = json_need_str(o, "name", &name, e);
	if (r == ERR_OK)
		r = json_need_size(o, "offset", &m->off, e);
	if (r == ERR_OK)
		r = json_need_size(o, "size", &m->ref.size_bytes, e);
	if (r == ERR_OK)
		r = need_hex(o, "sha256", m->ref.sha256, 32, e);
	if (r == ERR_OK)
		r = need_hex(o, "sha512", m->ref.sha512, 64, e);
	if (r != ERR_OK)
		return r;
	m->seg = id.id;
	if (sscanf(name, "groups/%20" SCNu64, &m->group) == 1)
		m->kind = MEMBER_GROUP; /* a twin written again */
	else if (strncmp(name, "segments/", 9) == 0)
		m->kind = strstr(name, ".members") != NULL ? MEMBER_TABLE : MEMBER_HEAD;
	member_name(m, &id, again);
	if (strcmp(name, again) != 0 || (m->kind == MEMBER_GROUP && id.kind == STORE_LOG))
		return err_set(e, ERR_FORMAT, "member name %.100s, want %s", name, again);
	return ERR_OK;
}

static enum err_code
read_octets(const char *s, struct buf *arena, struct err *e)
{
	if (strncmp(s, TEXT_ROW, 2) == 0) {
		buf_adds(arena, s + 2);
		return buf_ok(arena, e);
	}
	if (strncmp(s, BASE64_ROW, 2) != 0)
		return err_set(e, ERR_FORMAT, "row value of unknown form");
	return base64_to(slice_str(s + 2), arena, e);
}

static enum err_code
read_row(const json_t *a, struct group *g, struct err *e)
{
	const char *table = json_string_value(json_array_get(a, 0));
	const char *key = json_string_value(json_array_get(a, 1));
	const json_t *v = json_array_get(a, 2);
	struct row r = {.at = g->arena.n, .del = json_is_null(v)};
	AUTO(buf) struct buf octets = {0};
	enum err_code k;

	if (json_array_size(a) != 3 || table == NULL || key == NULL || (!r.del && !json_is_string(v)))
		return err_set(e, ERR_FORMAT, "row is not [table, key, value]");
	k = read_octets(key, &octets, e);
	if (k == ERR_OK)
		k = kv_row_key(table, buf_slice(&octets), false, &g->arena, e);
	if (k == ERR_USAGE)
		return err_set(e, ERR_FORMAT, "row with a key that none can have");
	r.key_n = (uint32_t)(g->arena.n - r.at);
	if (k == ERR_OK && !r.del)
		k = read_octets(json_string_value(v), &g->arena, e);
	r.value_n = (uint32_t)(g->arena.n - r.at - r.key_n);
	if (k == ERR_OK && !mem_grow(&g->rows, &g->cap_rows, g->n_rows, sizeof(*g->rows)))
		return err_nomem(e);
	if (k == ERR_OK)
		g->rows[g->n_rows++] = r;
	return k;
}

static enum err_code
read_leaf(const json_t *v, struct group *g, struct err *e)
{
	const char *s = json_string_value(v);

	if (!mem_grow(&g->leaves, &g->cap_leaves, g->n_leaves, sizeof(*g->leaves)))
		return err_nomem(e);
	if (s == NULL || strlen(s) != (size_t)2 * TLOG_LEAF_OCTETS ||
	    !hex_to(s, (size_t)2 * TLOG_LEAF_OCTETS, g->leaves[g->n_leaves]))
		return err_set(e, ERR_FORMAT, "leaf is not %d octets in hex", TLOG_LEAF_OCTETS);
	g->n_leaves++;
	return ERR_OK;
}

static enum err_code
read_one_member(const json_t *v, struct group *g, struct err *e)
{
	enum err_code r;

	if (!mem_grow(&g->members, &g->cap_members, g->n_members, sizeof(*g->members)))
		return err_nomem(e);
	r = read_member(v, g->n, &g->members[g->n_members], e);
	if (r == ERR_OK)
		g->n_members++;
	return r;
}

static enum err_code
read_born(const json_t *v, struct group *g, struct err *e)
{
	struct seg_id id = {0};
	enum err_code r = need_seg(v, "segment", &id, e);

	if (r == ERR_OK)
		r = json_need_bool(v, "alone", &id.alone, e);
	if (r == ERR_OK)
		r = json_need_int(v, "born", &id.born_utc, e);
	if (r == ERR_OK && !mem_grow(&g->born, &g->cap_born, g->n_born, sizeof(*g->born)))
		return err_nomem(e);
	if (r == ERR_OK)
		g->born[g->n_born++] = id;
	return r;
}

static enum err_code
read_sealed(const json_t *v, struct group *g, struct err *e)
{
	struct seg_id id = {0};

	if (!json_is_string(v) || !seg_parse(json_string_value(v), &id))
		return err_set(e, ERR_FORMAT, "not the name of a segment");
	if (!mem_grow(&g->sealed, &g->cap_sealed, g->n_sealed, sizeof(*g->sealed)))
		return err_nomem(e);
	g->sealed[g->n_sealed++] = id.id;
	return ERR_OK;
}

static enum err_code
read_list(const json_t *o, const char *key, enum err_code (*one)(const json_t *, struct group *, struct err *),
    struct group *g, struct err *e)
{
	json_t *list = NULL, *v;
	size_t i;
	enum err_code r = json_need_arr(o, key, &list, e);

	if (r != ERR_OK)
		return r;
	json_array_foreach(list, i, v) {
		r = one(v, g, e);
		if (r != ERR_OK)
			return err_wrap(e, "%s %zu", key, i);
	}
	return ERR_OK;
}

static enum err_code
read_place(const json_t *o, bool log, uint32_t *seg, uint64_t *off, struct err *e)
{
	struct seg_id id = {0};
	enum err_code r = need_seg(o, "segment", &id, e);

	if (r == ERR_OK)
		r = json_need_size(o, "offset", off, e);
	if (r == ERR_OK && (id.kind == STORE_LOG) != log)
		return err_set(e, ERR_FORMAT, "at: a copy in a segment of the wrong kind");
	*seg = id.id;
	return r;
}

static enum err_code
read_at(const json_t *o, struct group *g, struct err *e)
{
	json_t *at = NULL;
	enum err_code r;

	if (g->format == 1)
		return ERR_OK;
	r = json_need_arr(o, "at", &at, e);
	if (r == ERR_OK && json_array_size(at) != 2)
		return err_set(e, ERR_FORMAT, "at: not two places");
	if (r == ERR_OK)
		r = read_place(json_array_get(at, 0), true, &g->seg, &g->off, e);
	return r == ERR_OK ? read_place(json_array_get(at, 1), false, &g->twin_seg, &g->twin_off, e) : r;
}

static enum err_code
read_scalars(const json_t *o, struct group *g, struct err *e)
{
	static const char *const keys[] = {"at", "born", "checkpoint", "format", "leaves", "log_size", "members", "number", "previous",
	    "root", "rows", "sealed", "time", NULL};
	const char *checkpoint = "";
	int64_t format = 0;
	enum err_code r = json_need_int(o, "format", &format, e);

	if (r == ERR_OK && (format < 1 || format > STORE_FORMAT_VERSION))
		return err_set(e, ERR_UNSUPPORTED, "group of format %" PRId64, format);
	g->format = (int)format;
	if (r == ERR_OK)
		r = json_only_keys(o, format == 1 ? keys + 1 : keys, e);
	if (r == ERR_OK)
		r = read_at(o, g, e);
	if (r == ERR_OK)
		r = json_need_size(o, "number", &g->n, e);
	if (r == ERR_OK)
		r = json_need_size(o, "log_size", &g->log_size, e);
	if (r == ERR_OK)
		r = json_need_int(o, "time", &g->time_utc, e);
	if (r == ERR_OK)
		r = need_hex(o, "previous", g->prev, 32, e);
	if (r == ERR_OK)
		r = need_hex(o, "root", g->root, TLOG_HASH, e);
	if (r == ERR_OK)
		r = json_need_str(o, "checkpoint", &checkpoint, e);
	if (r != ERR_OK)
		return r;
	buf_adds(&g->checkpoint, checkpoint);
	return buf_ok(&g->checkpoint, e);
}

enum err_code
group_read(struct slice text, struct group **out, struct err *e)
{
	AUTO(json) json_t *j = NULL;
	AUTO(group) struct group *g = mem_new(1, sizeof(*g));
	const struct json_limits limits = {.max_bytes = GROUP_MAX_BYTES, .max_values = GROUP_MAX_VALUES};
	json_t *o = NULL;
	enum err_code r;

	if (g == NULL)
		return err_nomem(e);
	r = group_whole(text, e);
	if (r != ERR_OK)
		return r == ERR_NOTFOUND ? err_set(e, ERR_FORMAT, "group text is not whole") : r;
	r = json_read(text, &limits, &j, e);
	if (r == ERR_OK)
		r = json_need_obj(j, "body", &o, e);
	if (r == ERR_OK)
		r = read_scalars(o, g, e);
	if (r == ERR_OK)
		r = read_list(o, "born", read_born, g, e);
	if (r == ERR_OK)
		r = read_list(o, "sealed", read_sealed, g, e);
	if (r == ERR_OK)
		r = read_list(o, "members", read_one_member, g, e);
	if (r == ERR_OK)
		r = read_list(o, "leaves", read_leaf, g, e);
	if (r == ERR_OK)
		r = read_list(o, "rows", read_row, g, e);
	if (r == ERR_OK)
		r = store_hash_octets(text, &g->ref, e);
	if (r != ERR_OK)
		return err_wrap(e, "group");
	*out = TAKE(g);
	return ERR_OK;
}
