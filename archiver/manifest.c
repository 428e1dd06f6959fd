/* SPDX-License-Identifier: MIT */
#include "archiver/archiver_int.h"

#include <string.h>

void
hex32(const uint8_t in[32], char out[65])
{
	hex_of(slice_of(in, 32), out);
}

bool
hex32_to(const char *hex, uint8_t out[32])
{
	return hex != NULL && strlen(hex) == 64 && hex_to(hex, 64, out);
}

enum err_code
uuid_octets(const char *text, uint8_t out[16], struct err *e)
{
	char hex[33];
	size_t i, n = 0;

	for (i = 0; text[i] != '\0' && n < 32; i++)
		if (text[i] != '-')
			hex[n++] = text[i];
	hex[n] = '\0';
	if (n != 32 || text[i] != '\0' || !hex_to(hex, 32, out))
		return err_set(e, ERR_USAGE, "\"%.60s\" is no record id (a UUID)", text);
	return ERR_OK;
}

const char *
manifest_record(const json_t *m)
{
	const char *id = json_string_value(json_object_get(m, "record"));

	return id != NULL ? id : "";
}

int
manifest_year(const json_t *m)
{
	return (int)json_integer_value(json_object_get(m, "retention_year"));
}

size_t
manifest_signatures(const json_t *m)
{
	return json_array_size(json_object_get(m, "signatures"));
}

json_t *
manifest_signature(const json_t *m, size_t i)
{
	return json_array_get(json_object_get(m, "signatures"), i);
}

enum err_code
manifest_load_object(struct archive *a, const uint8_t sha256[32], json_t **out, struct err *e)
{
	AUTO(buf) struct buf raw = {0};

	if (store_get_bytes(a->store, sha256, MANIFEST_MAX, &raw, e) != ERR_OK ||
	    json_read(buf_slice(&raw), NULL, out, e) != ERR_OK)
		return err_wrap(e, "manifest");
	return ERR_OK;
}

static enum err_code
record_row(struct archive *a, const char *record, json_t **out, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	enum err_code r = store_get_row(a->store, "record", slice_str(record), &raw, e);

	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_NOTFOUND, "record %s: there is none of that id", record);
	if (r != ERR_OK || json_read(buf_slice(&raw), NULL, out, e) != ERR_OK)
		return err_wrap(e, "record %s", record);
	return ERR_OK;
}

enum err_code
manifest_is_newest(struct archive *a, const char *record, const char *sha256, bool *yes, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	const char *hex = NULL;

	if (record_row(a, record, &row, e) != ERR_OK || json_need_str(row, "manifest", &hex, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	*yes = sha256 != NULL && strcmp(hex, sha256) == 0;
	return ERR_OK;
}

enum err_code
manifest_load(struct archive *a, const char *record, json_t **out, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	const char *hex = NULL;
	uint8_t sha256[32];

	if (record_row(a, record, &row, e) != ERR_OK || json_need_str(row, "manifest", &hex, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	if (!hex32_to(hex, sha256))
		return err_set(e, ERR_DAMAGED, "record %s: its row names no manifest; rebuild the index", record);
	if (manifest_load_object(a, sha256, out, e) != ERR_OK)
		return err_wrap(e, "record %s", record);
	return ERR_OK;
}

static enum err_code
set_salt(struct archive *a, json_t *m, struct err *e)
{
	uint8_t salt[16];
	char hex[33];

	if (entropy_fill(&a->seams.entropy, salt, sizeof(salt), e) != ERR_OK)
		return err_wrap(e, "salt");
	hex_of(slice_of(salt, sizeof(salt)), hex);
	return json_set(m, "salt", json_text(hex), e);
}

/* Both digests of the canonical text of a manifest, as its successor names it. */
static enum err_code
predecessor(const json_t *prev, json_t **out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *ref = json_object();
	struct digest d;

	if (json_canonical(prev, &text, e) != ERR_OK || digest_once(DIGEST_SHA256, buf_slice(&text), &d, e) != ERR_OK ||
	    json_set(ref, "sha256", json_hex(digest_slice(&d)), e) != ERR_OK ||
	    digest_once(DIGEST_SHA512, buf_slice(&text), &d, e) != ERR_OK ||
	    json_set(ref, "sha512", json_hex(digest_slice(&d)), e) != ERR_OK)
		return err_wrap(e, "predecessor");
	*out = TAKE(ref);
	return ERR_OK;
}

enum err_code
manifest_next(struct archive *a, const json_t *prev, json_t **out, struct err *e)
{
	AUTO(json) json_t *m = json_deep_copy(prev);
	json_t *before = NULL;

	if (m == NULL)
		return err_nomem(e);
	if (predecessor(prev, &before, e) != ERR_OK || json_set(m, "previous", before, e) != ERR_OK ||
	    json_set(m, "seq", json_integer(json_integer_value(json_object_get(prev, "seq")) + 1), e) != ERR_OK ||
	    json_set(m, "time", json_time(archive_now(a)), e) != ERR_OK || set_salt(a, m, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(prev));
	json_object_del(m, "event");
	*out = TAKE(m);
	return ERR_OK;
}

enum err_code
manifest_event(const char *salt, const uint8_t sha256[32], uint8_t out[32], struct err *e)
{
	AUTO(buf) struct buf in = {0};

	buf_adds(&in, salt);
	buf_add(&in, sha256, 32);
	if (buf_ok(&in, e) != ERR_OK)
		return err_wrap(e, "event");
	return digest_sha256(buf_slice(&in), out, e);
}

static void
due_key(struct buf *key, int64_t utc, const char *record)
{
	buf_addbe64(key, (uint64_t)utc);
	buf_adds(key, record);
}

static enum err_code
put_due(struct batch *b, const json_t *m, const json_t *prev, int64_t due_utc, const char *why, struct err *e)
{
	AUTO(buf) struct buf key = {0};
	struct slice value = slice_str(why != NULL ? why : "");
	int64_t old = TIME_NONE;

	if (prev != NULL && json_want_time(prev, "due", &old, e) != ERR_OK)
		return err_wrap(e, "due");
	if (old != TIME_NONE && old != due_utc) {
		due_key(&key, old, manifest_record(m));
		if (batch_row(b, "due", buf_slice(&key), NULL, e) != ERR_OK)
			return err_wrap(e, "due");
		buf_clear(&key);
	}
	if (due_utc == TIME_MAX)
		return ERR_OK;
	due_key(&key, due_utc, manifest_record(m));
	return batch_row(b, "due", buf_slice(&key), &value, e);
}

/* Found by trust.c when the anchors change, without a look at every record. */
static enum err_code
put_unanchored(struct batch *b, const json_t *m, const json_t *prev, struct err *e)
{
	bool waits = trust_may_change(m), before = prev != NULL && trust_may_change(prev);
	struct slice none = slice_str("");

	return waits == before ? ERR_OK : batch_row(b, "unanchored", slice_str(manifest_record(m)), waits ? &none : NULL, e);
}

static const char *
unproven(const json_t *m)
{
	const char *why = NULL;
	size_t i;

	for (i = 0; m != NULL && why == NULL && i < manifest_signatures(m); i++)
		why = json_string_value(json_object_get(manifest_signature(m, i), "unproven"));
	return why;
}

/* Row "unproven" RECORD: why, while a verdict of its newest manifest was refused by the checker: status and every run tell it. */
static enum err_code
put_unproven(struct archive *a, struct batch *b, const json_t *m, const json_t *prev, struct err *e)
{
	const char *why = unproven(m);
	struct slice value = slice_str(why);

	if (why == NULL)
		return unproven(prev) == NULL ? ERR_OK : batch_row(b, "unproven", slice_str(manifest_record(m)), NULL, e);
	archive_alarm(a, "record %s: %s: this is a defect of Everseal; please report it, and release the record once it is mended", manifest_record(m), why);
	return batch_row(b, "unproven", slice_str(manifest_record(m)), &value, e);
}

/* { STATE: signatures } of a record; "data": it has none. */
static enum err_code
states_of(const json_t *m, json_t *out, struct err *e)
{
	size_t i, n = manifest_signatures(m);

	if (n == 0)
		return json_set(out, "data", json_integer(1), e);
	for (i = 0; i < n; i++) {
		const char *state = json_string_value(json_object_get(manifest_signature(m, i), "state"));

		state = state != NULL ? state : "";
		if (json_set(out, state, json_integer(json_integer_value(json_object_get(out, state)) + 1), e) != ERR_OK)
			return err_wrap(e, "states");
	}
	return ERR_OK;
}

static enum err_code
put_record_row(struct batch *b, const json_t *m, const struct store_ref *ref, int64_t due_utc, struct err *e)
{
	AUTO(json) json_t *row = json_object();
	AUTO(json) json_t *states = json_object();
	AUTO(buf) struct buf text = {0};
	struct slice value;

	if (states_of(m, states, e) != ERR_OK || json_set(row, "states", TAKE(states), e) != ERR_OK ||
	    json_set(row, "manifest", json_hex(slice_of(ref->sha256, 32)), e) != ERR_OK ||
	    json_set(row, "depositor", json_incref(json_object_get(m, "depositor")), e) != ERR_OK ||
	    json_set(row, "due", due_utc == TIME_MAX ? json_null() : json_time(due_utc), e) != ERR_OK ||
	    json_canonical(row, &text, e) != ERR_OK)
		return err_wrap(e, "row");
	value = buf_slice(&text);
	return batch_row(b, "record", slice_str(manifest_record(m)), &value, e);
}

enum err_code
manifest_put(struct archive *a, struct batch *b, json_t *m, const json_t *prev, enum leaf_type type, const char *event,
    int64_t due_utc, const char *due_why, struct store_ref *ref, uint64_t *leaf_index, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	struct store_ref put;
	uint8_t record[16], digest[32];
	uint64_t index = 0;
	int64_t time_utc = TIME_NONE;

	if (json_object_get(m, "salt") == NULL && set_salt(a, m, e) != ERR_OK)
		return err_wrap(e, "manifest");
	if (json_set(m, "event", json_text(event), e) != ERR_OK ||
	    json_set(m, "due", due_utc == TIME_MAX ? json_null() : json_time(due_utc), e) != ERR_OK ||
	    json_set(m, "due_why", due_utc == TIME_MAX ? json_null() : json_text(due_why), e) != ERR_OK ||
	    json_want_time(m, "time", &time_utc, e) != ERR_OK ||
	    uuid_octets(manifest_record(m), record, e) != ERR_OK || json_canonical(m, &text, e) != ERR_OK ||
	    batch_put_bytes(b, STORE_DATA, manifest_year(m), buf_slice(&text), &put, e) != ERR_OK ||
	    manifest_event(json_string_value(json_object_get(m, "salt")), put.sha256, digest, e) != ERR_OK ||
	    batch_leaf(b, (uint16_t)type, record, digest, time_utc, &index, e) != ERR_OK ||
	    put_due(b, m, prev, due_utc, due_why, e) != ERR_OK || put_unanchored(b, m, prev, e) != ERR_OK || put_unproven(a, b, m, prev, e) != ERR_OK || put_record_row(b, m, &put, due_utc, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	if (ref != NULL)
		*ref = put;
	if (leaf_index != NULL)
		*leaf_index = index;
	return ERR_OK;
}
