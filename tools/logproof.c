/* SPDX-License-Identifier: MIT */
/*
 * That one log goes on from another (RFC 9162 2.1.4): what somebody kept, a
 * checkpoint or a receipt, against the log of today; and the same as a file that
 * is checked without the archive. docs/log.md 6.
 */
#include "tools/tools.h"

#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES ((size_t)4 << 20)

static enum err_code
note_check(const char *text, const char *log_key, struct tlog_checkpoint *cp, struct err *e)
{
	AUTO(buf) struct buf key = {0};

	if (sys_read_file(AT_FDCWD, log_key, 65536, &key, e) != ERR_OK)
		return err_wrap(e, "log key %s", log_key);
	return tlog_checkpoint_verify(slice_str(text), buf_slice(&key), cp, e);
}

enum err_code
kept_checkpoint(const char *path, const char *log_key, struct tlog_checkpoint *cp, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *receipt = NULL;
	enum err_code r = sys_read_file(AT_FDCWD, path, FILE_BYTES, &raw, e);

	if (r == ERR_OK && raw.n != 0 && raw.p[0] == '{') {
		r = json_read(buf_slice(&raw), NULL, &receipt, e);
		if (r == ERR_OK)
			r = receipt_check(receipt, log_key, cp, e);
	} else if (r == ERR_OK) {
		r = note_check(buf_str(&raw), log_key, cp, e);
	}
	return r == ERR_OK ? r : err_wrap(e, "%s", path);
}

/* ---- against the archive ---- */

static enum err_code
today(struct store *s, const char *log_key, struct buf *note, struct tlog_checkpoint *cp, struct err *e)
{
	enum err_code r = store_log_checkpoint(s, note, e);

	return r == ERR_OK ? note_check(buf_str(note), log_key, cp, e) : r;
}

static json_t *
since_json(const char *path, const struct tlog_checkpoint *kept, const char *here)
{
	return json_pack("{s:o, s:I, s:o, s:s?, s:b}", "file", json_text(path), "size", (json_int_t)kept->size, "root",
	    json_hex(slice_of(kept->root, TLOG_HASH)), "here", here, "goes_on", 0);
}

/* Both roots are told: who keeps the other one can show that they were signed by one key. */
static enum err_code
compare(struct store *s, const struct tlog_checkpoint *kept, char here[65], struct err *e)
{
	struct tlog_consistency p;
	uint8_t root[TLOG_HASH], all[TLOG_HASH];
	char there[65];
	enum err_code r = store_log_root(s, kept->size, root, e);

	if (r == ERR_OK)
		r = store_log_root(s, store_log_size(s), all, e);
	if (r == ERR_OK)
		r = store_log_consistency(s, kept->size, 0, &p, e);
	if (r != ERR_OK)
		return r;
	hex_of(slice_of(root, TLOG_HASH), here);
	hex_of(slice_of(kept->root, TLOG_HASH), there);
	if (memcmp(root, kept->root, TLOG_HASH) != 0)
		return err_set(e, ERR_DAMAGED, "a fork: of the first %" PRIu64 " leaves the root was %s, and is %s here", kept->size, there, here);
	return tlog_verify_consistency(&p, kept->root, all, e);
}

enum err_code
log_goes_on(struct store *s, const char *path, const struct tlog_checkpoint *kept, json_t **out, struct err *e)
{
	char here[65] = "";
	uint64_t size = store_log_size(s);
	enum err_code r;

	if (kept->size > size)
		r = err_set(e, ERR_DAMAGED, "%s is of %" PRIu64 " leaves, this log has %" PRIu64 ": an older copy of the archive, or its end is lost",
		    path, kept->size, size);
	else
		r = compare(s, kept, here, e);
	*out = since_json(path, kept, here[0] != 0 ? here : NULL);
	if (*out == NULL)
		return err_nomem(e);
	json_object_set_new(*out, "goes_on", json_boolean(r == ERR_OK));
	return r;
}

/* ---- as a file ---- */

static enum err_code
from_which(struct store *s, const char *log_key, const char *from, struct tlog_checkpoint *cp, struct err *e)
{
	char *end = NULL;
	unsigned long long n;

	if (from[0] == '\0' || from[strspn(from, "0123456789")] != '\0')
		return kept_checkpoint(from, log_key, cp, e);
	n = strtoull(from, &end, 10);
	*cp = (struct tlog_checkpoint){.size = n, .time_utc = TIME_NONE};
	return store_log_root(s, n, cp->root, e);
}

static enum err_code
path_json(const struct tlog_consistency *p, json_t **out, struct err *e)
{
	AUTO(json) json_t *path = json_array();
	size_t i;

	for (i = 0; i < p->n; i++)
		if (json_push(path, json_hex(slice_of(p->path[i], TLOG_HASH)), e) != ERR_OK)
			return e->code;
	*out = TAKE(path);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
log_proof(struct store *s, const char *log_key, const char *from, const char *to, json_t **out, struct err *e)
{
	AUTO(buf) struct buf note = {0};
	struct tlog_checkpoint a, b;
	struct tlog_consistency p;
	json_t *path = NULL;
	enum err_code r = from_which(s, log_key, from, &a, e);

	if (r == ERR_OK && to == NULL)
		r = today(s, log_key, &note, &b, e);
	else if (r == ERR_OK && (r = sys_read_file(AT_FDCWD, to, FILE_BYTES, &note, e)) == ERR_OK)
		r = note_check(buf_str(&note), log_key, &b, e);
	if (r == ERR_OK)
		r = store_log_consistency(s, a.size, b.size, &p, e);
	if (r == ERR_OK) /* never a proof that does not hold */
		r = tlog_verify_consistency(&p, a.root, b.root, e);
	if (r == ERR_OK)
		r = path_json(&p, &path, e);
	if (r != ERR_OK)
		return err_wrap(e, "log proof");
	*out = json_pack("{s:i, s:I, s:o, s:I, s:o, s:o}", "schema", 1, "from", (json_int_t)a.size, "from_root", json_hex(slice_of(a.root, TLOG_HASH)),
	    "to", (json_int_t)b.size, "path", path, "checkpoint", json_text(buf_str(&note)));
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* A file of log_proof: from which root by which path to which signed checkpoint. */
struct claim {
	struct tlog_consistency p;
	uint8_t from_root[TLOG_HASH];
	const char *note;
};

static enum err_code
read_proof(const json_t *o, struct claim *c, struct err *e)
{
	const json_t *path = json_object_get(o, "path"), *h = NULL;
	struct tlog_consistency *p = &c->p;
	const char *root = NULL;
	enum err_code r = json_need_size(o, "from", &p->from, e);
	size_t i;

	if (r == ERR_OK)
		r = json_need_size(o, "to", &p->to, e);
	if (r == ERR_OK)
		r = json_need_str(o, "checkpoint", &c->note, e);
	if (r == ERR_OK)
		r = json_need_str(o, "from_root", &root, e);
	if (r != ERR_OK)
		return r;
	if (strlen(root) != 64 || !hex_to(root, 64, c->from_root))
		return err_set(e, ERR_FORMAT, "from_root is no hash");
	if (!json_is_array(path) || json_array_size(path) > TLOG_PATH_MAX + 1)
		return err_set(e, ERR_FORMAT, "no path of at most %d hashes", TLOG_PATH_MAX + 1);
	p->n = json_array_size(path);
	json_array_foreach (path, i, h)
		if (json_string_length(h) != 64 || !hex_to(json_string_value(h), 64, p->path[i]))
			return err_set(e, ERR_FORMAT, "path entry %zu is no hash", i);
	return ERR_OK;
}

/* Does the file prove anything, whomever it is held against? */
static enum err_code
proves(const char *path, const char *log_key, json_t **o, struct claim *c, struct tlog_checkpoint *later, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	enum err_code r = sys_read_file(AT_FDCWD, path, FILE_BYTES, &raw, e);

	if (r == ERR_OK)
		r = json_read(buf_slice(&raw), NULL, o, e);
	if (r == ERR_OK)
		r = read_proof(*o, c, e);
	if (r == ERR_OK)
		r = note_check(c->note, log_key, later, e);
	if (r == ERR_OK && c->p.to != later->size)
		return err_set(e, ERR_FORMAT, "the proof is for %" PRIu64 " leaves, its checkpoint for %" PRIu64, c->p.to, later->size);
	return r == ERR_OK ? tlog_verify_consistency(&c->p, c->from_root, later->root, e) : r;
}

enum err_code
log_proof_check(
    const char *path, const char *log_key, const struct tlog_checkpoint *cp, struct tlog_checkpoint *later, struct err *e)
{
	AUTO(json) json_t *o = NULL;
	struct claim c = {.note = NULL};
	struct err why = {0};
	char a[65], b[65];
	enum err_code r = proves(path, log_key, &o, &c, later, &why);

	if (r == ERR_DAMAGED || r == ERR_FORMAT) /* a bad file is no fork */
		r = ERR_REFUSED;
	if (r != ERR_OK)
		return err_set(e, r, "--consistency %s: it proves nothing: %s", path, why.text);
	if (strcmp(later->origin, cp->origin) != 0 || c.p.from != cp->size)
		return err_set(e, ERR_REFUSED, "--consistency %s: it goes on from %" PRIu64 " leaves of %s, the receipt is of %" PRIu64 " leaves of %s",
		    path, c.p.from, later->origin, cp->size, cp->origin);
	if (memcmp(c.from_root, cp->root, TLOG_HASH) == 0)
		return ERR_OK;
	hex_of(slice_of(cp->root, TLOG_HASH), a);
	hex_of(slice_of(c.from_root, TLOG_HASH), b);
	return err_set(e, ERR_DAMAGED, "a fork: of the first %" PRIu64 " leaves the root is %s in the receipt, and %s in the signed log of %" PRIu64,
	    cp->size, a, b, later->size);
}
