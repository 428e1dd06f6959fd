/* SPDX-License-Identifier: MIT */
/*
 * An exported bundle checked without archive and network (docs/bundle.md):
 * digests of all files, the chain of manifests, each manifest's place in the
 * log, both versions of each document, the material. bundle.c judges then.
 */
#include "tools/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUMS_BYTES ((size_t)16 << 20)
#define JSON_BYTES ((size_t)16 << 20)
#define DEPTH_MAX 16
#define TOLD_MAX 100
#define PIECE_BYTES ((size_t)64 << 10)

void
checking_auto(struct checking *c)
{
	fd_auto(&c->dir);
	json_decref(c->faults);
	json_decref(c->listed);
	json_decref(c->newest);
	json_decref(c->log);
	json_decref(c->material);
}

static void fault(struct checking *c, const char *fmt, ...) PRINTF(2, 3);

static void
fault(struct checking *c, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (json_array_size(c->faults) < TOLD_MAX)
		json_array_append_new(c->faults, json_text(text != NULL ? text : "no memory"));
	free(text);
}

enum err_code
fault_or_error(struct checking *c, const char *what, struct err *e)
{
	switch (e->code) {
	case ERR_NOMEM:
	case ERR_BUG:
	case ERR_IO:
		return err_wrap(e, "%s", what);
	default:
		fault(c, "%s: %s", what, e->text);
		e->code = ERR_OK;
		return ERR_OK;
	}
}

const char *
member(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "";
}

/* ---- SHA256SUMS ---- */

static enum err_code
hash_file(int dir, const char *name, const enum digest_alg *algs, size_t n, struct digest *out, uint64_t *size, struct err *e)
{
	AUTO(digester) struct digester *d = NULL;
	AUTO(fd) int fd = -1;
	struct source s;
	struct sink to;

	if (sys_open_read(dir, name, &fd, e) != ERR_OK || source_fd(&fd, &s, e) != ERR_OK || digester_new(algs, n, &d, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	to = digester_sink(d);
	if (source_copy(&s, 0, s.size_bytes, &to, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	*size = s.size_bytes;
	return digester_finish(d, out, e);
}

static enum err_code
check_sum(struct checking *c, const char *name, const char *hex, struct err *e)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256};
	char got_hex[DIGEST_HEX];
	struct digest got;
	uint64_t size;

	if (hash_file(c->dir, name, algs, 1, &got, &size, e) != ERR_OK)
		return fault_or_error(c, "SHA256SUMS", e);
	hex_of(digest_slice(&got), got_hex);
	if (strcmp(hex, got_hex) != 0)
		fault(c, "%s has another digest than SHA256SUMS says", name);
	return ERR_OK;
}

/* A line of sha256sum: 64 hexadecimal digits, two spaces (or space and asterisk), the name. */
static enum err_code
sum_line(struct checking *c, char *line, struct err *e)
{
	AUTO(json) json_t *name = NULL;
	uint8_t raw[32];
	size_t n = strlen(line);

	if (n < 67 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*') || !hex_to(line, 64, raw)) {
		fault(c, "SHA256SUMS: \"%.80s\" is no line of it", line);
		return ERR_OK;
	}
	line[64] = '\0';
	name = json_string(line + 66);
	if (name == NULL) {
		fault(c, "SHA256SUMS: \"%.80s\" is not UTF-8, as every name in a bundle is", line + 66);
		return ERR_OK;
	}
	if (!sys_stays_below(line + 66)) {
		fault(c, "SHA256SUMS: \"%.80s\" leads outside the bundle", line + 66);
		return ERR_OK;
	}
	if (json_object_get(c->listed, line + 66) != NULL)
		fault(c, "SHA256SUMS names %s twice", line + 66);
	if (json_set(c->listed, line + 66, json_text(line), e) != ERR_OK)
		return err_wrap(e, "SHA256SUMS");
	return check_sum(c, line + 66, line, e);
}

static enum err_code
check_sums(struct checking *c, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	char *line = NULL, *end = NULL;

	if (sys_read_file(c->dir, "SHA256SUMS", SUMS_BYTES, &text, e) != ERR_OK)
		return fault_or_error(c, "SHA256SUMS", e);
	if (text.n == 0 || memchr(text.p, '\0', text.n) != NULL || text.p[text.n - 1] != '\n') {
		fault(c, "SHA256SUMS is cut off");
		return ERR_OK;
	}
	for (line = (char *)text.p; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		if (sum_line(c, line, e) != ERR_OK)
			return err_wrap(e, "bundle");
	}
	return ERR_OK;
}

/* ---- nothing was added: an anchor too many would be trusted ---- */

static enum err_code check_folder(struct checking *c, int dir, const char *prefix, unsigned depth, struct err *e);

static enum err_code
check_entry(struct checking *c, int dir, const char *prefix, const char *entry, unsigned depth, struct err *e)
{
	AUTO(mem) char *name = mem_printf("%s%s", prefix, entry);
	AUTO(mem) char *inner = mem_printf("%s%s/", prefix, entry);
	struct stat st;

	if (name == NULL || inner == NULL)
		return err_nomem(e);
	if (fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(e, ERR_IO, errno, "%s", name);
	if (S_ISDIR(st.st_mode)) {
		AUTO(fd) int sub = -1;

		if (depth == DEPTH_MAX || sys_open_dir(dir, entry, &sub, e) != ERR_OK) {
			fault(c, "%s can't be looked into", name);
			return ERR_OK;
		}
		return check_folder(c, sub, inner, depth + 1, e);
	}
	if (strcmp(name, "SHA256SUMS") != 0 && json_object_get(c->listed, name) == NULL)
		fault(c, "%s is not listed in SHA256SUMS", name);
	return ERR_OK;
}

static enum err_code
check_folder(struct checking *c, int dir, const char *prefix, unsigned depth, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de = NULL;
	enum err_code r = ERR_OK;

	if (d == NULL)
		return err_errno(e, ERR_IO, errno, "%s", prefix);
	while (r == ERR_OK && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = check_entry(c, dir, prefix, de->d_name, depth, e);
	closedir(d);
	return r;
}

/* ---- manifests, receipt, log ---- */

static enum err_code
read_json(struct checking *c, const char *name, struct buf *raw, json_t **out, struct err *e)
{
	if (sys_read_file(c->dir, name, JSON_BYTES, raw, e) != ERR_OK || json_read(buf_slice(raw), NULL, out, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return ERR_OK;
}

static void
hex_once(enum digest_alg alg, struct slice in, char out[DIGEST_HEX])
{
	struct digest d;

	out[0] = '\0';
	if (digest_once(alg, in, &d, NULL) == ERR_OK)
		hex_of(digest_slice(&d), out);
}

/* What receipt_check reads, made of a row of proofs.json. */
static json_t *
as_receipt(const json_t *row, const json_t *m, const char *sha256, const char *checkpoint)
{
	json_t *log = json_deep_copy(row);

	json_object_set_new(log, "checkpoint", json_text(checkpoint));
	return json_pack("{s:O, s:O, s:{s:s}, s:o}", "record", json_object_get(m, "record"), "salt", json_object_get(m, "salt"), "manifest",
	    "sha256", sha256, "log", log);
}

static enum err_code
tell_log(struct checking *c, const struct tlog_checkpoint *cp, struct err *e)
{
	if (json_object_get(c->log, "size") != NULL)
		return ERR_OK;
	if (json_set(c->log, "origin", json_text(cp->origin), e) != ERR_OK || json_set(c->log, "size", json_integer((json_int_t)cp->size), e) != ERR_OK ||
	    json_set(c->log, "time", json_time(cp->time_utc), e) != ERR_OK)
		return err_wrap(e, "log");
	return ERR_OK;
}

static enum err_code
check_proof(struct checking *c, const json_t *receipt, const char *what, const char *log_key, struct err *e)
{
	struct tlog_checkpoint cp;
	enum err_code r = receipt != NULL ? receipt_check(receipt, log_key, &cp, e) : err_set(e, ERR_FORMAT, "record or salt is missing");

	if (r == ERR_OK)
		return tell_log(c, &cp, e);
	if (r == ERR_REFUSED) {
		c->key_differs = true;
		return ERR_OK;
	}
	return fault_or_error(c, what, e);
}

static enum err_code
check_link(struct checking *c, const json_t *m, const char *name, const char *sha256, const char *sha512, struct err *e)
{
	const json_t *previous = json_object_get(m, "previous");

	if (c->newest == NULL && json_is_object(previous))
		fault(c, "%s names a predecessor that is not here", name);
	if (c->newest == NULL)
		return ERR_OK;
	if (strcmp(member(previous, "sha256"), sha256) != 0 || strcmp(member(previous, "sha512"), sha512) != 0)
		fault(c, "%s does not follow the manifest before it", name);
	if (strcmp(member(m, "record"), member(c->newest, "record")) != 0 || !json_equal(json_object_get(m, "originals"), json_object_get(c->newest, "originals")))
		fault(c, "%s is of another record, or of other files", name);
	(void)e;
	return ERR_OK;
}

struct link {
	char sha256[DIGEST_HEX], sha512[DIGEST_HEX]; /* of the manifest before */
};

static enum err_code
check_manifest(struct checking *c, const json_t *row, struct link *before, const char *checkpoint, const char *log_key, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *proof = NULL;
	const char *name = member(row, "manifest");
	char sha256[DIGEST_HEX];

	if (json_object_get(c->listed, name) == NULL) {
		fault(c, "proofs.json: \"%.80s\" is no file of the bundle", name);
		return ERR_OK;
	}
	if (read_json(c, name, &raw, &m, e) != ERR_OK)
		return fault_or_error(c, "manifests", e);
	hex_once(DIGEST_SHA256, buf_slice(&raw), sha256);
	if (strstr(name, sha256) == NULL || strcmp(member(row, "sha256"), sha256) != 0)
		fault(c, "%s is not named by its digest", name);
	if (check_link(c, m, name, before->sha256, before->sha512, e) != ERR_OK)
		return err_wrap(e, "manifests");
	proof = as_receipt(row, m, sha256, checkpoint);
	if (check_proof(c, proof, name, log_key, e) != ERR_OK)
		return err_wrap(e, "manifests");
	memcpy(before->sha256, sha256, sizeof(sha256));
	hex_once(DIGEST_SHA512, buf_slice(&raw), before->sha512);
	json_decref(c->newest);
	c->newest = TAKE(m);
	c->n_manifests++;
	return ERR_OK;
}

static enum err_code
check_manifests(struct checking *c, const char *checkpoint, const char *log_key, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *proofs = NULL;
	struct link before = {"", ""};
	const json_t *row = NULL;
	size_t i, files = 0;
	const char *name = NULL;
	json_t *value = NULL;

	if (read_json(c, "proofs.json", &raw, &proofs, e) != ERR_OK)
		return fault_or_error(c, "manifests", e);
	json_array_foreach (proofs, i, row)
		if (check_manifest(c, row, &before, checkpoint, log_key, e) != ERR_OK)
			return err_wrap(e, "bundle");
	json_object_foreach (c->listed, name, value)
		files += strncmp(name, "manifests/", 10) == 0;
	if (files != c->n_manifests || files == 0)
		fault(c, "%zu manifests, %zu of them with a place in the log", files, c->n_manifests);
	return ERR_OK;
}

/* The receipt's own proof, and that it is of this record: its manifest is the first here. */
static enum err_code
check_receipt(struct checking *c, const char *checkpoint, const char *log_key, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *receipt = NULL;
	AUTO(mem) char *first = NULL;

	if (read_json(c, "receipt.json", &raw, &receipt, e) != ERR_OK)
		return fault_or_error(c, "receipt", e);
	first = mem_printf("manifests/0001-%s.json", member(json_object_get(receipt, "manifest"), "sha256"));
	if (first == NULL)
		return err_nomem(e);
	if (json_object_get(c->listed, first) == NULL)
		fault(c, "receipt.json is of a manifest that is not the first one here");
	if (strcmp(member(json_object_get(receipt, "log"), "checkpoint"), checkpoint) != 0)
		fault(c, "receipt.json carries another checkpoint");
	if (c->newest != NULL && !json_equal(json_object_get(receipt, "originals"), json_object_get(c->newest, "originals")))
		fault(c, "receipt.json names other files than the manifests");
	return check_proof(c, receipt, "receipt.json", log_key, e);
}

static enum err_code
check_log(struct checking *c, const char *log_key, struct err *e)
{
	AUTO(buf) struct buf checkpoint = {0};
	AUTO(mem) char *own = mem_printf("%s/log.pub", c->shown);

	if (own == NULL)
		return err_nomem(e);
	if (json_set(c->log, "key", json_text(log_key != NULL ? log_key : "bundle"), e) != ERR_OK)
		return err_wrap(e, "log");
	if (sys_read_file(c->dir, "checkpoint", JSON_BYTES, &checkpoint, e) != ERR_OK)
		return fault_or_error(c, "log", e);
	if (check_manifests(c, buf_str(&checkpoint), log_key != NULL ? log_key : own, e) != ERR_OK ||
	    check_receipt(c, buf_str(&checkpoint), log_key != NULL ? log_key : own, e) != ERR_OK)
		return err_wrap(e, "bundle");
	if (log_key == NULL && c->key_differs)
		fault(c, "log.pub is not the key that signed the checkpoint");
	return ERR_OK;
}

/* ---- documents ---- */

static enum err_code
check_digests(struct checking *c, const char *name, const json_t *want, struct err *e)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA512};
	struct digest got[2];
	char sha256[DIGEST_HEX], sha512[DIGEST_HEX];
	uint64_t size;

	if (hash_file(c->dir, name, algs, 2, got, &size, e) != ERR_OK)
		return fault_or_error(c, "documents", e);
	hex_of(digest_slice(&got[0]), sha256);
	hex_of(digest_slice(&got[1]), sha512);
	if (strcmp(member(want, "sha256"), sha256) != 0 || strcmp(member(want, "sha512"), sha512) != 0 ||
	    json_integer_value(json_object_get(want, "size")) != (json_int_t)size)
		fault(c, "%s is not what the newest manifest says", name);
	return ERR_OK;
}

/* Is every octet of a in b, in the same order? The earliest place for each decides it. */
static enum err_code
is_subsequence(const struct source *a, const struct source *b, bool *yes, struct err *e)
{
	AUTO(mem) uint8_t *pa = mem_new(PIECE_BYTES, 1);
	AUTO(mem) uint8_t *pb = mem_new(PIECE_BYTES, 1);
	uint64_t at = 0, off = 0;
	size_t na = 0, ia = 0;

	if (pa == NULL || pb == NULL)
		return err_nomem(e);
	while (off < b->size_bytes) {
		size_t n = b->size_bytes - off < PIECE_BYTES ? (size_t)(b->size_bytes - off) : PIECE_BYTES;

		if (b->read_at(b->ctx, off, pb, n, e) != ERR_OK)
			return err_wrap(e, "document");
		for (size_t ib = 0; ib < n; ib++) {
			if (ia == na && at < a->size_bytes) {
				na = a->size_bytes - at < PIECE_BYTES ? (size_t)(a->size_bytes - at) : PIECE_BYTES;
				ia = 0;
				if (a->read_at(a->ctx, at, pa, na, e) != ERR_OK)
					return err_wrap(e, "document");
				at += na;
			}
			ia += ia < na && pa[ia] == pb[ib];
		}
		off += n;
	}
	*yes = ia == na && at == a->size_bytes;
	return ERR_OK;
}

static enum err_code
check_inserted(struct checking *c, const char *original, const char *newest, struct err *e)
{
	AUTO(fd) int a = -1, b = -1;
	struct source sa, sb;
	bool yes = false;

	if (sys_open_read(c->dir, original, &a, e) != ERR_OK || sys_open_read(c->dir, newest, &b, e) != ERR_OK || source_fd(&a, &sa, e) != ERR_OK ||
	    source_fd(&b, &sb, e) != ERR_OK || is_subsequence(&sa, &sb, &yes, e) != ERR_OK)
		return fault_or_error(c, "documents", e);
	if (!yes)
		fault(c, "%s is not %s with something inserted", newest, original);
	return ERR_OK;
}

/* The row that carries the digests of a file's newest version. */
static const json_t *
newest_of(const json_t *m, size_t file)
{
	const json_t *v = NULL, *found = json_array_get(json_object_get(m, "originals"), file);
	size_t i;

	json_array_foreach (json_object_get(m, "versions"), i, v)
		if (json_integer_value(json_object_get(v, "file")) == (json_int_t)file)
			found = v;
	return found;
}

static enum err_code
check_documents(struct checking *c, struct err *e)
{
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (json_object_get(c->newest, "originals"), i, o) {
		AUTO(mem) char *original = mem_printf("original/%s", member(o, "name"));
		AUTO(mem) char *newest = mem_printf("files/%s", member(o, "name"));

		if (original == NULL || newest == NULL)
			return err_nomem(e);
		if (json_object_get(c->listed, original) == NULL || json_object_get(c->listed, newest) == NULL) {
			fault(c, "%s is missing", newest);
			continue;
		}
		if (check_digests(c, original, o, e) != ERR_OK || check_digests(c, newest, newest_of(c->newest, i), e) != ERR_OK ||
		    check_inserted(c, original, newest, e) != ERR_OK)
			return err_wrap(e, "bundle");
	}
	return ERR_OK;
}

/* Certificates and revocation data that the newest manifest names by their digests. */
static enum err_code
check_material(struct checking *c, struct err *e)
{
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (json_object_get(c->newest, "material"), i, o) {
		AUTO(mem) char *name = mem_printf("material/%s.%s", member(o, "sha256"), member(o, "kind"));
		AUTO(mem) char *path = name != NULL ? mem_printf("%s/%s", c->shown, name) : NULL;

		if (path == NULL)
			return err_nomem(e);
		if (strcmp(member(c->listed, name), member(o, "sha256")) != 0)
			fault(c, "%s is missing, or not what its name says", name);
		else if (json_push(c->material, json_pack("{s:s, s:s}", "kind", member(o, "kind"), "path", path), e) != ERR_OK)
			return err_wrap(e, "bundle");
	}
	return ERR_OK;
}

enum err_code
bundle_check(struct checking *c, const char *log_key, struct err *e)
{
	c->faults = json_array();
	c->listed = json_object();
	c->log = json_object();
	c->material = json_array();
	if (sys_open_dir(AT_FDCWD, c->shown, &c->dir, e) != ERR_OK || check_sums(c, e) != ERR_OK || check_folder(c, c->dir, "", 0, e) != ERR_OK ||
	    check_log(c, log_key, e) != ERR_OK)
		return err_wrap(e, "bundle %s", c->shown);
	if (c->newest == NULL)
		return ERR_OK;
	return check_documents(c, e) == ERR_OK ? check_material(c, e) : e->code;
}
