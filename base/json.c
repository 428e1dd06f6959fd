/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Every integer within it is the same number to every JSON reader (RFC 8785 3.2.2.3, I-JSON). */
#define SAFE_INT 9007199254740991LL

/* What jansson would make of it, known before it starts: it recurses by nesting, and takes some 250 octets for a "{},". */
struct shape {
	size_t depth, values;
	bool real; /* a number with a fraction or an exponent */
};

static struct shape
shape_of(struct slice raw)
{
	struct shape s = {.values = 1};
	size_t depth = 0;
	bool quoted = false, digit = false;

	for (size_t i = 0; i < raw.n; i++) {
		uint8_t c = raw.p[i];

		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
			continue;
		}
		s.real |= digit && (c == '.' || c == 'e' || c == 'E');
		digit = c >= '0' && c <= '9';
		quoted = c == '"';
		s.values += c == ',' || c == '[' || c == '{';
		if (c == '[' || c == '{')
			s.depth = ++depth > s.depth ? depth : s.depth;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return s;
}

static size_t
cap(size_t asked, size_t dflt)
{
	return asked != 0 ? asked : dflt;
}

enum err_code
json_read(struct slice raw, const struct json_limits *limits, json_t **out, struct err *e)
{
	const struct json_limits l = limits != NULL ? *limits : (struct json_limits){0};
	size_t max_bytes = cap(l.max_bytes, (size_t)64 << 20), max_depth = cap(l.max_depth, 64);
	size_t max_values = cap(l.max_values, 4000000);
	struct shape shape;
	json_error_t why;
	json_t *j;

	if (raw.n > max_bytes)
		return err_set(e, ERR_LIMIT, "JSON: %zu octets, at most %zu", raw.n, max_bytes);
	shape = shape_of(raw);
	if (shape.depth > max_depth)
		return err_set(e, ERR_LIMIT, "JSON: nested deeper than %zu", max_depth);
	if (shape.values > max_values)
		return err_set(e, ERR_LIMIT, "JSON: more than %zu values", max_values);
	j = json_loadb(raw.n != 0 ? (const char *)raw.p : "", raw.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	/* jansson tells of some failed allocations only, but has a code for everything else */
	if (j == NULL && (json_error_code(&why) == json_error_out_of_memory || json_error_code(&why) == json_error_unknown))
		return err_nomem(e);
	if (j == NULL)
		return err_set(e, ERR_FORMAT, "JSON: line %d column %d: %s", why.line, why.column, why.text);
	if (!l.reals && shape.real) {
		json_decref(j);
		return err_set(e, ERR_FORMAT, "JSON: a number that is not an integer");
	}
	*out = j;
	return ERR_OK;
}

void
json_auto(json_t **j)
{
	json_decref(*j);
}

/* --- canonical form ------------------------------------------------------ */

/* RFC 8785 3.2.2.2: the short escapes, other controls as \u00xx in lower case, all else as it is. */
static void
add_escaped(struct buf *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *hit = c != 0 ? strchr(from, c) : NULL;
	char two[2] = {'\\', hit != NULL ? to[hit - from] : 0};

	if (hit != NULL)
		buf_add(out, two, sizeof(two));
	else
		buf_addf(out, "\\u%04x", c);
}

static void
add_string(struct buf *out, const char *s, size_t n)
{
	size_t start = 0;

	buf_add8(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, s + start, i - start);
		add_escaped(out, c);
		start = i + 1;
	}
	buf_add(out, s + start, n - start);
	buf_add8(out, '"');
}

struct entry {
	const char *key;
	const json_t *value;
};

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static enum err_code
sorted(const json_t *j, struct entry **out, struct err *e)
{
	size_t n = 0;
	struct entry *all = mem_new(json_object_size(j) + 1, sizeof(*all));
	json_t *obj = (json_t *)(uintptr_t)j, *value;
	const char *key;

	if (all == NULL)
		return err_nomem(e);
	json_object_foreach(obj, key, value)
	{
		for (const char *p = key; *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80) {
				free(all);
				return err_set(e, ERR_USAGE, "JSON: a key that is not ASCII");
			}
		all[n++] = (struct entry){key, value};
	}
	qsort(all, n, sizeof(*all), by_key);
	*out = all;
	return ERR_OK;
}

/* Where the text goes; with lines each member has one of its own, indented by its depth. */
struct writer {
	struct buf *out;
	bool lines;
	size_t depth;
};

static void
new_line(const struct writer *w)
{
	if (!w->lines)
		return;
	buf_add8(w->out, '\n');
	for (size_t i = 0; i < w->depth; i++)
		buf_add8(w->out, ' ');
}

static enum err_code write_value(const json_t *j, struct writer *w, struct err *e);

static enum err_code
write_object(const json_t *j, struct writer *w, struct err *e)
{
	AUTO(mem) struct entry *all = NULL;
	enum err_code code = sorted(j, &all, e);
	size_t n = json_object_size(j);

	buf_add8(w->out, '{');
	w->depth++;
	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		if (i > 0)
			buf_add8(w->out, ',');
		new_line(w);
		add_string(w->out, all[i].key, strlen(all[i].key));
		buf_adds(w->out, w->lines ? ": " : ":");
		code = write_value(all[i].value, w, e);
	}
	w->depth--;
	if (n > 0)
		new_line(w);
	buf_add8(w->out, '}');
	return code;
}

static enum err_code
write_array(const json_t *j, struct writer *w, struct err *e)
{
	enum err_code code = ERR_OK;
	size_t n = json_array_size(j);

	buf_add8(w->out, '[');
	w->depth++;
	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		if (i > 0)
			buf_add8(w->out, ',');
		new_line(w);
		code = write_value(json_array_get(j, i), w, e);
	}
	w->depth--;
	if (n > 0)
		new_line(w);
	buf_add8(w->out, ']');
	return code;
}

static enum err_code
write_int(json_int_t v, struct buf *out, struct err *e)
{
	if (v > SAFE_INT || v < -SAFE_INT)
		return err_set(e, ERR_USAGE, "JSON: the integer %" PRId64 " is beyond 2^53 - 1", (int64_t)v);
	buf_addf(out, "%" PRId64, (int64_t)v);
	return ERR_OK;
}

static enum err_code
write_value(const json_t *j, struct writer *w, struct err *e)
{
	struct buf *out = w->out;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return write_object(j, w, e);
	case JSON_ARRAY:
		return write_array(j, w, e);
	case JSON_STRING:
		add_string(out, json_string_value(j), json_string_length(j));
		return ERR_OK;
	case JSON_INTEGER:
		return write_int(json_integer_value(j), out, e);
	case JSON_REAL:
		return err_set(e, ERR_USAGE, "JSON: a number that is not an integer");
	case JSON_TRUE:
		buf_adds(out, "true");
		return ERR_OK;
	case JSON_FALSE:
		buf_adds(out, "false");
		return ERR_OK;
	default:
		buf_adds(out, "null");
		return ERR_OK;
	}
}

static enum err_code
write_all(const json_t *j, bool lines, struct buf *out, struct err *e)
{
	struct writer w = {.out = out, .lines = lines};
	enum err_code code = j != NULL ? write_value(j, &w, e) : err_set(e, ERR_BUG, "JSON: nothing to write");

	return code != ERR_OK ? code : buf_ok(out, e);
}

enum err_code
json_canonical(const json_t *j, struct buf *out, struct err *e)
{
	return write_all(j, false, out, e);
}

enum err_code
json_lines(const json_t *j, struct buf *out, struct err *e)
{
	return write_all(j, true, out, e);
}

/* --- reading members ----------------------------------------------------- */

/* The member, checked for its type; NULL with ERR_OK when it is missing (or null) and may be. */
static enum err_code
member(const json_t *obj, const char *key, json_type type, const char *what, bool needed, json_t **out, struct err *e)
{
	json_t *v = json_object_get(obj, key);

	*out = NULL;
	if (!json_is_object(obj))
		return err_set(e, ERR_FORMAT, "JSON: an object with \"%s\" is needed here", key);
	if (!needed && (v == NULL || json_is_null(v)))
		return ERR_OK;
	if (v == NULL)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is missing", key);
	if (type == JSON_TRUE ? !json_is_boolean(v) : json_typeof(v) != type)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is not %s", key, what);
	*out = v;
	return ERR_OK;
}

static enum err_code
get_str(const json_t *obj, const char *key, bool needed, const char *dflt, const char **out, struct err *e)
{
	json_t *v;
	enum err_code code = member(obj, key, JSON_STRING, "a text", needed, &v, e);

	if (code == ERR_OK)
		*out = v != NULL ? json_string_value(v) : dflt;
	return code;
}

static enum err_code
get_int(const json_t *obj, const char *key, bool needed, int64_t dflt, int64_t *out, struct err *e)
{
	json_t *v;
	enum err_code code = member(obj, key, JSON_INTEGER, "an integer", needed, &v, e);

	if (code != ERR_OK)
		return code;
	if (v != NULL && (json_integer_value(v) > SAFE_INT || json_integer_value(v) < -SAFE_INT))
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is beyond 2^53 - 1", key);
	*out = v != NULL ? json_integer_value(v) : dflt;
	return ERR_OK;
}

static enum err_code
get_bool(const json_t *obj, const char *key, bool needed, bool dflt, bool *out, struct err *e)
{
	json_t *v;
	enum err_code code = member(obj, key, JSON_TRUE, "true or false", needed, &v, e);

	if (code == ERR_OK)
		*out = v != NULL ? json_is_true(v) : dflt;
	return code;
}

enum err_code
json_need_str(const json_t *obj, const char *key, const char **out, struct err *e)
{
	return get_str(obj, key, true, NULL, out, e);
}

enum err_code
json_need_int(const json_t *obj, const char *key, int64_t *out, struct err *e)
{
	return get_int(obj, key, true, 0, out, e);
}

enum err_code
json_need_size(const json_t *obj, const char *key, uint64_t *out, struct err *e)
{
	int64_t n = 0;
	enum err_code code = json_need_int(obj, key, &n, e);

	if (code != ERR_OK)
		return code;
	if (n < 0)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is negative", key);
	*out = (uint64_t)n;
	return ERR_OK;
}

enum err_code
json_need_bool(const json_t *obj, const char *key, bool *out, struct err *e)
{
	return get_bool(obj, key, true, false, out, e);
}

enum err_code
json_need_obj(const json_t *obj, const char *key, json_t **out, struct err *e)
{
	return member(obj, key, JSON_OBJECT, "an object", true, out, e);
}

enum err_code
json_need_arr(const json_t *obj, const char *key, json_t **out, struct err *e)
{
	return member(obj, key, JSON_ARRAY, "an array", true, out, e);
}

enum err_code
json_want_str(const json_t *obj, const char *key, const char *dflt, const char **out, struct err *e)
{
	return get_str(obj, key, false, dflt, out, e);
}

enum err_code
json_want_int(const json_t *obj, const char *key, int64_t dflt, int64_t *out, struct err *e)
{
	return get_int(obj, key, false, dflt, out, e);
}

enum err_code
json_want_bool(const json_t *obj, const char *key, bool dflt, bool *out, struct err *e)
{
	return get_bool(obj, key, false, dflt, out, e);
}

enum err_code
json_want_time(const json_t *obj, const char *key, int64_t *out, struct err *e)
{
	const char *text = NULL;
	enum err_code code = json_want_str(obj, key, NULL, &text, e);

	if (code != ERR_OK)
		return code;
	if (text == NULL)
		*out = TIME_NONE;
	else if (strcmp(text, "open") == 0)
		*out = TIME_MAX;
	else if (!time_parse(text, out))
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is not a time", key);
	return ERR_OK;
}

enum err_code
json_only_keys(const json_t *obj, const char *const *keys, struct err *e)
{
	json_t *o = (json_t *)(uintptr_t)obj, *value;
	const char *key;

	json_object_foreach(o, key, value)
	{
		size_t i = 0;

		while (keys[i] != NULL && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i] == NULL)
			return err_set(e, ERR_FORMAT, "JSON: \"%s\" is not known here", key);
	}
	return ERR_OK;
}

/* --- building ------------------------------------------------------------ */

enum err_code
json_set(json_t *obj, const char *key, json_t *value, struct err *e)
{
	if (value == NULL || json_object_set_new(obj, key, value) != 0)
		return err_nomem(e);
	return ERR_OK;
}

enum err_code
json_push(json_t *arr, json_t *value, struct err *e)
{
	if (value == NULL || json_array_append_new(arr, value) != 0)
		return err_nomem(e);
	return ERR_OK;
}

/* How many octets from the start are text as they stand. */
static size_t
clean_n(struct slice s)
{
	uint32_t point;
	size_t i = 0, n;

	while (i < s.n && s.p[i] != 0) {
		n = s.p[i] < 0x80 ? 1 : utf8_next(slice_of(s.p + i, s.n - i), &point);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

json_t *
json_text_n(struct slice s)
{
	AUTO(buf) struct buf b = {0};
	size_t i = clean_n(s);

	if (i == s.n)
		return json_stringn_nocheck(s.n != 0 ? (const char *)s.p : "", s.n);
	buf_add(&b, s.p, i);
	while (i < s.n) {
		uint32_t point;
		size_t n = utf8_next(slice_of(s.p + i, s.n - i), &point);

		if (n == 0 || point == 0)
			buf_adds(&b, "\xef\xbf\xbd");
		else
			buf_add(&b, s.p + i, n);
		i += n != 0 ? n : 1;
	}
	return b.failed ? NULL : json_stringn(buf_str(&b), b.n);
}

json_t *
json_text(const char *s)
{
	return s != NULL ? json_text_n(slice_str(s)) : json_null();
}

json_t *
json_time(int64_t utc)
{
	char text[TIME_TEXT];

	if (utc == TIME_NONE)
		return json_null();
	time_text(utc, text);
	return json_stringn_nocheck(text, strlen(text));
}

json_t *
json_hex(struct slice s)
{
	AUTO(buf) struct buf b = {0};

	buf_addhex(&b, s);
	return b.failed ? NULL : json_stringn_nocheck(buf_str(&b), b.n);
}
