/* SPDX-License-Identifier: MIT */
/*
 * A receipt checked without the archive: the leaf is of this record and this
 * manifest, the path leads from it to the checkpoint's root, the log's key
 * signed the checkpoint, and what the receipt says was kept is what the
 * manifest says. The verdicts in it are of that day and prove nothing.
 */
#include "tools/tools.h"

#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECEIPT_BYTES ((size_t)4 << 20)
#define NAMES_SHOWN 8

struct claim {
	const json_t *receipt;
	const char *record, *salt, *manifest, *text, *leaf, *checkpoint;
	struct tlog_proof proof;
	struct tlog_leaf l;
	uint8_t leaf_hash[TLOG_HASH], manifest_sha256[32];
};

static enum err_code
read_proof(const json_t *log, struct claim *c, struct err *e)
{
	const json_t *path = json_object_get(log, "path"), *h = NULL;
	uint64_t index = 0, size = 0;
	size_t i;

	if (json_need_size(log, "index", &index, e) != ERR_OK || json_need_size(log, "size", &size, e) != ERR_OK)
		return err_wrap(e, "log");
	if (!json_is_array(path) || json_array_size(path) > TLOG_PATH_MAX)
		return err_set(e, ERR_FORMAT, "log: no path of at most %d hashes", TLOG_PATH_MAX);
	c->proof = (struct tlog_proof){.index = index, .size = size, .n = json_array_size(path)};
	json_array_foreach (path, i, h)
		if (json_string_length(h) != 64 || !hex_to(json_string_value(h), 64, c->proof.path[i]))
			return err_set(e, ERR_FORMAT, "log: path entry %zu is no hash", i);
	return ERR_OK;
}

static enum err_code
read_claim(const json_t *receipt, struct claim *c, struct err *e)
{
	json_t *log = NULL, *manifest = NULL;
	uint8_t octets[TLOG_LEAF_OCTETS];
	struct slice leaf = {octets, sizeof(octets)};

	if (json_need_str(receipt, "record", &c->record, e) != ERR_OK || json_need_str(receipt, "salt", &c->salt, e) != ERR_OK ||
	    json_need_obj(receipt, "manifest", &manifest, e) != ERR_OK || json_need_str(manifest, "sha256", &c->manifest, e) != ERR_OK ||
	    json_want_str(manifest, "text", NULL, &c->text, e) != ERR_OK ||
	    json_need_obj(receipt, "log", &log, e) != ERR_OK || json_need_str(log, "leaf", &c->leaf, e) != ERR_OK ||
	    json_need_str(log, "checkpoint", &c->checkpoint, e) != ERR_OK || read_proof(log, c, e) != ERR_OK)
		return err_wrap(e, "receipt");
	c->receipt = receipt;
	if (strlen(c->leaf) != 2 * sizeof(octets) || !hex_to(c->leaf, strlen(c->leaf), octets) || strlen(c->manifest) != 64 ||
	    !hex_to(c->manifest, 64, c->manifest_sha256))
		return err_set(e, ERR_FORMAT, "receipt: leaf or manifest is no hexadecimal text of the right length");
	if (tlog_leaf_decode(leaf, &c->l, e) != ERR_OK || tlog_leaf_hash(leaf, c->leaf_hash, e) != ERR_OK)
		return err_wrap(e, "receipt");
	return ERR_OK;
}

/* SHA-256(salt text, manifest's SHA-256): the event that the leaf carries (docs/log.md). */
static enum err_code
leaf_is_ours(const struct claim *c, struct err *e)
{
	AUTO(buf) struct buf in = {0};
	uint8_t event[32], record[16];
	char hex[33] = "";
	size_t i, n = 0;

	for (i = 0; c->record[i] != '\0' && n < 32; i++)
		if (c->record[i] != '-')
			hex[n++] = c->record[i];
	buf_adds(&in, c->salt);
	buf_add(&in, c->manifest_sha256, 32);
	if (n != 32 || !hex_to(hex, 32, record) || buf_ok(&in, e) != ERR_OK || digest_sha256(buf_slice(&in), event, e) != ERR_OK)
		return err_set(e, ERR_FORMAT, "receipt: \"%.40s\" is no record id", c->record);
	if (memcmp(record, c->l.record, 16) != 0 || memcmp(event, c->l.event, 32) != 0)
		return err_set(e, ERR_DAMAGED, "the leaf is not of this record and manifest");
	return ERR_OK;
}

/* The log proves a digest; the text behind it says which bytes were kept. What the receipt shows must be what it says. */
static enum err_code
text_is_ours(const struct claim *c, struct err *e)
{
	static const char *const keys[] = {"record", "depositor", "spool_name", "own_id", "title", "profile", "originals", "retention_year", "kept"};
	AUTO(json) json_t *m = NULL;
	uint8_t sha256[32];
	size_t i;

	if (c->text == NULL)
		return err_set(e, ERR_REFUSED, "the receipt carries no manifest: what was kept is not proved by it alone");
	if (digest_sha256(slice_str(c->text), sha256, e) != ERR_OK)
		return err_wrap(e, "receipt");
	if (memcmp(sha256, c->manifest_sha256, sizeof(sha256)) != 0)
		return err_set(e, ERR_DAMAGED, "the manifest's text does not have the digest that the log holds");
	if (json_read(slice_str(c->text), NULL, &m, e) != ERR_OK)
		return err_wrap(e, "manifest");
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *said = json_object_get(c->receipt, keys[i]), *proved = json_object_get(m, keys[i]);

		if (said != NULL && !json_equal(said, proved))
			return err_set(e, ERR_DAMAGED, "the receipt's \"%s\" is not what the manifest says", keys[i]);
	}
	return ERR_OK;
}

static enum err_code
check(const struct claim *c, const char *log_key, struct tlog_checkpoint *cp, struct err *e)
{
	AUTO(buf) struct buf key = {0};

	if (sys_read_file(AT_FDCWD, log_key, 65536, &key, e) != ERR_OK)
		return err_wrap(e, "--log-key %s", log_key);
	if (leaf_is_ours(c, e) != ERR_OK)
		return e->code;
	if (tlog_checkpoint_verify(slice_str(c->checkpoint), buf_slice(&key), cp, e) != ERR_OK)
		return err_wrap(e, "--log-key %s", log_key);
	if (cp->size != c->proof.size)
		return err_set(e, ERR_DAMAGED, "the proof is for %llu leaves, the checkpoint for %llu", (unsigned long long)c->proof.size, (unsigned long long)cp->size);
	return tlog_verify_inclusion(c->leaf_hash, &c->proof, cp->root, e);
}

enum err_code
receipt_check(const json_t *receipt, const char *log_key, struct tlog_checkpoint *cp, struct err *e)
{
	struct claim c = {0};

	if (read_claim(receipt, &c, e) != ERR_OK)
		return err_wrap(e, "proof");
	return check(&c, log_key, cp, e);
}

/* Names of what was kept, as far as a line goes. */
static void
kept_text(const struct claim *c, struct buf *out)
{
	const json_t *list = json_object_get(c->receipt, "originals"), *o = NULL;
	const char *kept = json_string_value(json_object_get(c->receipt, "kept"));
	size_t i;

	buf_adds(out, "record ");
	buf_addplain(out, c->record);
	buf_adds(out, ", kept ");
	buf_addplain(out, kept != NULL ? kept : "-");
	buf_adds(out, ":");
	json_array_foreach (list, i, o) {
		const char *name = json_string_value(json_object_get(o, "name")), *sha256 = json_string_value(json_object_get(o, "sha256"));

		if (i == NAMES_SHOWN) {
			buf_addf(out, " and %zu more", json_array_size(list) - i);
			return;
		}
		buf_adds(out, i > 0 ? ", " : " ");
		buf_addplain(out, name != NULL ? name : "-");
		buf_adds(out, " (SHA-256 ");
		buf_addplain(out, sha256 != NULL ? sha256 : "-");
		buf_adds(out, ")");
	}
}

static int
say(struct tool *t, const char *path, const char *indication, const char *why, const struct claim *c, int code)
{
	AUTO(json) json_t *out = json_pack("{s:i, s:o, s:s, s:s?, s:o, s:O*, s:O*}", "schema", 1, "file", json_text(path), "indication", indication, "record",
	    c->record, "why", json_text(why), "kept", json_object_get(c->receipt, "kept"), "originals", json_object_get(c->receipt, "originals"));
	AUTO(buf) struct buf kept = {0}, said = {0};

	if (t->json)
		return tool_print(t, out) == EXIT_POSITIVE ? code : EXIT_IO;
	kept_text(c, &kept);
	buf_addplain(&said, why != NULL ? why : code == EXIT_POSITIVE ? "the signed log of this key holds it" : "");
	printf("%s: %s: %s\n", path, indication, buf_str(&said));
	if (code != EXIT_NEGATIVE)
		printf("  %s\n", buf_str(&kept));
	return code;
}

/* What stands behind a receipt that holds: the log of a later day begins with the one that it is of. */
static enum err_code
later(const char *consistency, const char *log_key, const struct tlog_checkpoint *cp, char *said, size_t n, struct err *e)
{
	struct tlog_checkpoint end;
	enum err_code r = log_proof_check(consistency, log_key, cp, &end, e);

	if (r == ERR_OK)
		snprintf(said, n, "the signed log of this key holds it, and the one of %llu leaves goes on from there", (unsigned long long)end.size);
	return r;
}

int
verify_receipt(struct tool *t, const char *path, const char *log_key, const char *consistency)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *receipt = NULL;
	struct claim c = {0};
	struct tlog_checkpoint cp;
	struct err e = {0};
	char said[160] = "";
	enum err_code r;

	if (sys_read_file(AT_FDCWD, path, RECEIPT_BYTES, &raw, &e) != ERR_OK || json_read(buf_slice(&raw), NULL, &receipt, &e) != ERR_OK ||
	    read_claim(receipt, &c, &e) != ERR_OK) {
		err_wrap(&e, "%s", path);
		return tool_fail(t, &e);
	}
	if (log_key == NULL)
		return say(t, path, "INDETERMINATE", "no --log-key: who signed the checkpoint is not known", &c, EXIT_INDETERMINATE);
	r = check(&c, log_key, &cp, &e);
	if (r == ERR_OK)
		r = text_is_ours(&c, &e);
	if (r == ERR_OK && consistency != NULL)
		r = later(consistency, log_key, &cp, said, sizeof(said), &e);
	if (r == ERR_OK)
		return say(t, path, "TOTAL-PASSED", said[0] != 0 ? said : NULL, &c, EXIT_POSITIVE);
	if (r == ERR_REFUSED)
		return say(t, path, "INDETERMINATE", e.text, &c, EXIT_INDETERMINATE);
	if (r == ERR_DAMAGED || r == ERR_FORMAT)
		return say(t, path, "TOTAL-FAILED", e.text, &c, EXIT_NEGATIVE);
	return tool_fail(t, &e);
}
