/* SPDX-License-Identifier: MIT */
/*
 * JSON over jansson: read with caps, write in one canonical form, fetch members
 * with errors that name them.
 *
 *	AUTO(json) json_t *j = NULL;
 *	const char *id;
 *	if (json_read(raw, NULL, &j, e) != ERR_OK || json_need_str(j, "id", &id, e) != ERR_OK)
 *		return err_wrap(e, "manifest");
 *
 * Values handed out by the getters are borrowed from the tree.
 */
#ifndef EVERSEAL_BASE_JSON_H
#define EVERSEAL_BASE_JSON_H

#include "base/bytes.h"

#include <jansson.h>

/* 0 = the default in brackets. */
struct json_limits {
	size_t max_bytes; /* [64 MiB] */
	size_t max_depth; /* nested arrays and objects [64] */
	size_t max_values; /* by commas and opening brackets: each takes up to 250 octets of memory [4,000,000] */
	bool reals;	  /* let numbers with a fraction or exponent in [no: ERR_FORMAT] */
};

/*
 * Parse UTF-8. Any top-level value; nothing but white space may follow.
 * ERR_FORMAT (line and column; duplicate keys, invalid UTF-8, an escaped zero,
 * integers beyond 64 bits), ERR_LIMIT, ERR_NOMEM. *out: json_decref, or AUTO(json).
 */
MUST_USE enum err_code json_read(struct slice raw, const struct json_limits *limits, json_t **out, struct err *e);
void json_auto(json_t **j);

/*
 * Append the RFC 8785 form: no white space, keys sorted, shortest escapes. Our
 * restriction makes it independent of number formatting and of key collation:
 * ERR_USAGE for a real, an integer beyond +-(2^53 - 1), a key that is not ASCII.
 */
MUST_USE enum err_code json_canonical(const json_t *j, struct buf *out, struct err *e);
/* The same for people: a line for each member, indented by one space a level. */
MUST_USE enum err_code json_lines(const json_t *j, struct buf *out, struct err *e);

/*
 * Members of an object. need: ERR_FORMAT naming the key when it is missing or of
 * another type. want: missing or null gives the default and ERR_OK; another type
 * is ERR_FORMAT. An integer beyond +-(2^53 - 1) is ERR_FORMAT, too.
 */
MUST_USE enum err_code json_need_str(const json_t *obj, const char *key, const char **out, struct err *e);
MUST_USE enum err_code json_need_int(const json_t *obj, const char *key, int64_t *out, struct err *e);
MUST_USE enum err_code json_need_size(const json_t *obj, const char *key, uint64_t *out, struct err *e); /* int >= 0 */
MUST_USE enum err_code json_need_bool(const json_t *obj, const char *key, bool *out, struct err *e);
MUST_USE enum err_code json_need_obj(const json_t *obj, const char *key, json_t **out, struct err *e);
MUST_USE enum err_code json_need_arr(const json_t *obj, const char *key, json_t **out, struct err *e);
MUST_USE enum err_code json_want_str(
    const json_t *obj, const char *key, const char *dflt, const char **out, struct err *e);
MUST_USE enum err_code json_want_int(const json_t *obj, const char *key, int64_t dflt, int64_t *out, struct err *e);
MUST_USE enum err_code json_want_bool(const json_t *obj, const char *key, bool dflt, bool *out, struct err *e);
/* A time as ISO text (time_text); null or missing gives TIME_NONE, "open" TIME_MAX. */
MUST_USE enum err_code json_want_time(const json_t *obj, const char *key, int64_t *out, struct err *e);
/* ERR_FORMAT naming the first key of obj that is not in the NULL-terminated list. */
MUST_USE enum err_code json_only_keys(const json_t *obj, const char *const *keys, struct err *e);

/*
 * Building. These never fail by themselves: out of memory or invalid UTF-8 leaves
 * the member out, and json_set returns ERR_NOMEM. json_set steals value (NULL too);
 * strings that are not UTF-8 must be cleaned before (json_text does it: foreign
 * octets become U+FFFD).
 */
MUST_USE enum err_code json_set(json_t *obj, const char *key, json_t *value, struct err *e);
MUST_USE enum err_code json_push(json_t *arr, json_t *value, struct err *e); /* steals value */
json_t *json_text(const char *s);	 /* NULL gives json_null */
json_t *json_text_n(struct slice s);
json_t *json_time(int64_t utc); /* TIME_NONE gives json_null */
json_t *json_hex(struct slice s);

#endif
