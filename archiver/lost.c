/* SPDX-License-Identifier: MIT */
/*
 * What recovery set aside, as alarms that last until an operator has
 * acknowledged them, as entries of the log, and for the verb that shows them.
 */
#include "archiver/archiver_int.h"

#include <inttypes.h>
#include <string.h>

#define TABLE "lost"

/* ---- alarms ---- */

struct telling {
	struct archive *a;
	uint64_t alarms;
};

static enum err_code
tell_one(void *ctx, const struct store_lost *l, struct err *e)
{
	struct telling *t = ctx;

	(void)e;
	t->alarms += l->alarm;
	if (l->alarm)
		archive_alarm(t->a, "LOSS %s: %s; %" PRIu64 " octets are set aside (everseal lost)", l->id, l->why, l->bytes);
	else if (l->kind == STORE_LOST_MENDED && !l->acknowledged)
		archive_alarm(t->a, "MENDED %s: %s (everseal lost)", l->id, l->why);
	return ERR_OK;
}

enum err_code
lost_alarms(struct archive *a, json_t *summary, struct err *e)
{
	struct telling t = {.a = a};
	const struct store_lost_each each = {tell_one, &t};
	struct store_status st;

	if (store_lost(a->store, &each, e) != ERR_OK || store_status(a->store, &st, e) != ERR_OK)
		return err_wrap(e, "what was set aside");
	if (st.aside_failed) {
		archive_alarm(a, "LOSS: what lies behind the last group could not be set aside, so it stays where it is: %s", st.aside_why);
		t.alarms++;
	}
	return json_set(summary, "lost_alarms", json_integer((json_int_t)t.alarms), e);
}

/* ---- the log ---- */

struct noting {
	struct archive *a;
	struct batch *b;
};

/* A loss, or what was given up, is an entry of the log too: its event is the digest of the manifest in lost/. */
static enum err_code
note_one(void *ctx, const struct store_lost *l, struct err *e)
{
	static const uint8_t none[16];
	struct noting *n = ctx;
	AUTO(buf) struct buf have = {0};
	uint8_t event[32];
	char hex[65];
	struct slice value;

	if ((l->kind != STORE_LOST_LOST && l->kind != STORE_LOST_DAMAGED && l->kind != STORE_LOST_ACCEPTED) || l->manifest.n == 0 ||
	    store_get_row(n->a->store, TABLE, slice_str(l->id), &have, NULL) == ERR_OK)
		return ERR_OK;
	if (n->b == NULL && store_batch_begin(n->a->store, &n->b, e) != ERR_OK)
		return e->code;
	if (digest_sha256(l->manifest, event, e) != ERR_OK)
		return e->code;
	hex32(event, hex);
	value = slice_str(hex);
	if (batch_put_bytes(n->b, STORE_SHARED, 0, l->manifest, NULL, e) != ERR_OK ||
	    batch_leaf(n->b, LEAF_LOSS, none, event, archive_now(n->a), NULL, e) != ERR_OK)
		return e->code;
	return batch_row(n->b, TABLE, slice_str(l->id), &value, e);
}

enum err_code
lost_note(struct archive *a, struct err *e)
{
	struct noting n = {.a = a};
	const struct store_lost_each each = {note_one, &n};
	enum err_code r = store_lost(a->store, &each, e);

	if (r == ERR_OK && n.b != NULL)
		r = store_commit(&n.b, NULL, e);
	batch_drop(n.b);
	return r == ERR_OK ? r : err_wrap(e, "what was set aside");
}

/* ---- the verb ---- */

static enum err_code
list_one(void *ctx, const struct store_lost *l, struct err *e)
{
	AUTO(json) json_t *j = NULL;

	if (l->manifest.n == 0 || json_read(l->manifest, NULL, &j, NULL) != ERR_OK)
		j = json_pack("{s:s, s:s, s:s}", "id", l->id, "kind", store_lost_word(l->kind), "why", l->why);
	if (j == NULL || json_set(j, "alarm", json_boolean(l->alarm), e) != ERR_OK ||
	    json_set(j, "acknowledged", json_boolean(l->acknowledged), e) != ERR_OK ||
	    json_set(j, "time", json_time(l->time_utc), e) != ERR_OK || json_set(j, "bytes", json_integer((json_int_t)l->bytes), e) != ERR_OK)
		return err_nomem(e);
	return json_push(ctx, TAKE(j), e);
}

enum err_code
lost_list(struct store *s, json_t **out, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	const struct store_lost_each each = {list_one, list};

	if (list == NULL)
		return err_nomem(e);
	if (store_lost(s, &each, e) != ERR_OK)
		return e->code;
	*out = TAKE(list);
	return ERR_OK;
}
