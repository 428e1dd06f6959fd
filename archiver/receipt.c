/* SPDX-License-Identifier: MIT */
/*
 * The receipt: what was kept, and that the log holds it. It permits the
 * depositor to delete the original, so it is made after the group is durable.
 */
#include "archiver/archiver_int.h"

#include <string.h>

enum err_code
receipt_remember(struct batch *b, const char *record, const struct store_ref *manifest, uint64_t leaf, struct err *e)
{
	AUTO(json) json_t *row = json_object();
	AUTO(buf) struct buf text = {0};
	struct slice value;

	if (json_set(row, "sha256", json_hex(slice_of(manifest->sha256, 32)), e) != ERR_OK ||
	    json_set(row, "sha512", json_hex(slice_of(manifest->sha512, 64)), e) != ERR_OK ||
	    json_set(row, "leaf", json_integer((json_int_t)leaf), e) != ERR_OK || json_canonical(row, &text, e) != ERR_OK)
		return err_wrap(e, "receipt");
	value = buf_slice(&text);
	return batch_row(b, "receipt", slice_str(record), &value, e);
}

static enum err_code
proof_json(struct archive *a, uint64_t leaf, json_t *out, struct err *e)
{
	AUTO(buf) struct buf checkpoint = {0};
	AUTO(json) json_t *path = json_array();
	struct tlog_proof proof;
	struct tlog_leaf l;
	uint8_t octets[TLOG_LEAF_OCTETS];
	size_t i;

	if (store_log_checkpoint(a->store, &checkpoint, e) != ERR_OK || store_log_leaf(a->store, leaf, &l, e) != ERR_OK ||
	    store_log_proof(a->store, leaf, 0, &proof, e) != ERR_OK)
		return err_wrap(e, "log proof");
	tlog_leaf_encode(&l, octets);
	for (i = 0; i < proof.n; i++)
		if (json_push(path, json_hex(slice_of(proof.path[i], TLOG_HASH)), e) != ERR_OK)
			return err_wrap(e, "log proof");
	if (json_set(out, "leaf", json_hex(slice_of(octets, sizeof(octets))), e) != ERR_OK ||
	    json_set(out, "index", json_integer((json_int_t)proof.index), e) != ERR_OK ||
	    json_set(out, "size", json_integer((json_int_t)proof.size), e) != ERR_OK ||
	    json_set(out, "path", TAKE(path), e) != ERR_OK ||
	    json_set(out, "checkpoint", json_text_n(buf_slice(&checkpoint)), e) != ERR_OK)
		return err_wrap(e, "log proof");
	return ERR_OK;
}

/* What the record will become and by when, for people who wait. */
static enum err_code
to_come(const json_t *m, json_t *out, struct err *e)
{
	const char *due = json_string_value(json_object_get(m, "due"));
	size_t i;

	for (i = 0; i < manifest_signatures(m); i++) {
		const json_t *s = manifest_signature(m, i);
		const char *target = json_string_value(json_object_get(s, "target"));

		if (target != NULL && json_object_get(out, "level") == NULL &&
		    json_set(out, "level", json_text(target), e) != ERR_OK)
			return err_wrap(e, "receipt");
	}
	return json_set(out, "next_step", json_text(due), e);
}

static enum err_code
verdicts(const json_t *m, json_t *out, struct err *e)
{
	static const char *const keys[] = {"file", "index", "level", "form", "state", "reason", "indication", "subindication", "signs"};
	size_t i, k;

	for (i = 0; i < manifest_signatures(m); i++) {
		AUTO(json) json_t *v = json_object();

		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			json_t *value = json_object_get(manifest_signature(m, i), keys[k]);

			if (value != NULL && json_set(v, keys[k], json_incref(value), e) != ERR_OK)
				return err_wrap(e, "receipt");
		}
		if (json_push(out, TAKE(v), e) != ERR_OK)
			return err_wrap(e, "receipt");
	}
	return ERR_OK;
}

enum err_code
receipt_make(struct archive *a, const json_t *m, const struct store_ref *manifest, uint64_t leaf, json_t **out, struct err *e)
{
	/* What a reader takes for proved must stand in the manifest's text as well: tools/receipt.c compares these. */
	static const char *const copied[] = {"record", "depositor", "spool_name", "own_id", "title", "profile", "originals", "retention_year", "salt"};
	AUTO(json) json_t *r = json_object();
	AUTO(json) json_t *log = json_object();
	AUTO(json) json_t *come = json_object();
	AUTO(json) json_t *sigs = json_array();
	AUTO(json) json_t *ref = json_object();
	AUTO(buf) struct buf text = {0};
	size_t i;

	for (i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (json_set(r, copied[i], json_incref(json_object_get(m, copied[i])), e) != ERR_OK)
			return err_wrap(e, "receipt");
	if (json_set(ref, "sha256", json_hex(slice_of(manifest->sha256, 32)), e) != ERR_OK ||
	    json_set(ref, "sha512", json_hex(slice_of(manifest->sha512, 64)), e) != ERR_OK || json_canonical(m, &text, e) != ERR_OK ||
	    json_set(ref, "text", json_text_n(buf_slice(&text)), e) != ERR_OK || proof_json(a, leaf, log, e) != ERR_OK || verdicts(m, sigs, e) != ERR_OK || to_come(m, come, e) != ERR_OK ||
	    json_set(r, "schema", json_integer(1), e) != ERR_OK || json_set(r, "receipt", json_text("everseal"), e) != ERR_OK ||
	    json_set(r, "kept", json_incref(json_object_get(m, "kept")), e) != ERR_OK ||
	    json_set(r, "simulated", json_boolean((a->cfg->archive.clock_file != NULL)), e) != ERR_OK ||
	    json_set(r, "manifest", TAKE(ref), e) != ERR_OK || json_set(r, "log", TAKE(log), e) != ERR_OK ||
	    json_set(r, "signatures", TAKE(sigs), e) != ERR_OK || json_set(r, "to_come", TAKE(come), e) != ERR_OK)
		return err_wrap(e, "receipt");
	*out = TAKE(r);
	return ERR_OK;
}

static enum err_code
nowhere(void *ctx, struct slice s, struct err *e)
{
	(void)ctx;
	(void)s;
	(void)e;
	return ERR_OK;
}

enum err_code
receipt_true(struct archive *a, const json_t *receipt, struct err *e)
{
	const struct sink sink = {nowhere, NULL};
	const json_t *o = NULL;
	uint8_t sha256[32];
	size_t i;

	json_array_foreach (json_object_get(receipt, "originals"), i, o) {
		const char *hex = json_string_value(json_object_get(o, "sha256"));

		if (hex == NULL || !hex32_to(hex, sha256))
			return err_set(e, ERR_DAMAGED, "receipt: an original without a digest");
		if (store_get(a->store, sha256, &sink, e) != ERR_OK)
			return e->code == ERR_NOTFOUND ? err_set(e, ERR_DAMAGED, "an original of the record is not there") : err_wrap(e, "original");
	}
	return ERR_OK;
}

enum err_code
receipt_again(struct archive *a, const char *record, json_t **out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *row = NULL;
	AUTO(json) json_t *m = NULL;
	const char *sha256 = NULL, *sha512 = NULL;
	struct store_ref ref = {0};
	int64_t leaf = 0;
	enum err_code r = store_get_row(a->store, "receipt", slice_str(record), &text, e);

	if (r != ERR_OK)
		return r;
	if (json_read(buf_slice(&text), NULL, &row, e) != ERR_OK || json_need_str(row, "sha256", &sha256, e) != ERR_OK ||
	    json_need_str(row, "sha512", &sha512, e) != ERR_OK || json_need_int(row, "leaf", &leaf, e) != ERR_OK)
		return err_wrap(e, "receipt of %s", record);
	if (!hex32_to(sha256, ref.sha256) || strlen(sha512) != 128 || !hex_to(sha512, 128, ref.sha512))
		return err_set(e, ERR_DAMAGED, "receipt of %s: its row is damaged; rebuild the index", record);
	if (manifest_load_object(a, ref.sha256, &m, e) != ERR_OK)
		return err_wrap(e, "receipt of %s", record);
	return receipt_make(a, m, &ref, (uint64_t)leaf, out, e);
}
