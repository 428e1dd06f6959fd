/* SPDX-License-Identifier: MIT */
/*
 * The spool of one depositor, with the habits of a maildir:
 *
 *	tmp/ the depositor writes here, then renames into new/
 *	new/X (+ X.meta.json)   claimed by a rename to cur/<record id>.X
 *	done/X.receipt.json     kept, for good; the original may be deleted
 *	failed/X + X.reason.json
 *
 * The record id is made at the claim and stands in the name in cur/. So after
 * a crash the question "was it kept?" is answered by the store, and nothing
 * is kept twice. Receipts are written after the group is durable, all of a
 * batch are synced by one call, and only then the claimed files go.
 */
#include "archiver/archiver_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_DEPOSITS 256
#define BATCH_BYTES ((uint64_t)256 << 20)
#define META_BYTES ((size_t)64 << 10)
#define ENTRIES_MAX 4096
/* A file without a complete name is left alone: hidden, or a writer's working name. */
#define META_SUFFIX ".meta.json"

struct entry {
	char record[UUID_TEXT];
	char *name; /* as the depositor called it */
	struct deposit_file *files;
	int *fds;
	char **names;
	size_t n_files;
	uint64_t bytes;
	json_t *meta;
	struct err why; /* refused before it came to the archive */
	bool folder;
};

struct spool {
	const struct conf_spool *cfg;
	int root, new, cur, done, failed;
};

static void
entry_release(struct entry *en)
{
	size_t i;

	for (i = 0; i < en->n_files; i++) {
		fd_auto(&en->fds[i]);
		free(en->names[i]);
	}
	free(en->fds);
	free(en->names);
	free(en->files);
	free(en->name);
	json_decref(en->meta);
}

static void
spool_auto(struct spool *s)
{
	fd_auto(&s->root);
	fd_auto(&s->new);
	fd_auto(&s->cur);
	fd_auto(&s->done);
	fd_auto(&s->failed);
}

static enum err_code
spool_open(const struct conf_spool *cfg, struct spool *s, struct err *e)
{
	s->cfg = cfg;
	if (sys_open_dir(AT_FDCWD, cfg->dir, &s->root, e) != ERR_OK || sys_open_dir(s->root, "new", &s->new, e) != ERR_OK ||
	    sys_open_dir(s->root, "cur", &s->cur, e) != ERR_OK || sys_open_dir(s->root, "done", &s->done, e) != ERR_OK ||
	    sys_open_dir(s->root, "failed", &s->failed, e) != ERR_OK)
		return err_wrap(e, "spool %s", cfg->dir);
	return ERR_OK;
}

static bool
ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && strcmp(s + n - k, suffix) == 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder, sorted, hidden ones left out, at most ENTRIES_MAX. */
static enum err_code
list_names(int dir, char ***out, size_t *n, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de = NULL;
	char **v = NULL;
	size_t cap = 0;

	*n = 0;
	if (d == NULL)
		return err_errno(e, ERR_IO, errno, "list");
	while ((de = readdir(d)) != NULL && *n < ENTRIES_MAX) {
		if (de->d_name[0] == '.')
			continue;
		if (!mem_grow(&v, &cap, *n, sizeof(*v)) || (v[*n] = mem_dupstr(de->d_name)) == NULL)
			break;
		++*n;
	}
	closedir(d);
	if (*n > 1)
		qsort(v, *n, sizeof(*v), by_name);
	*out = v;
	return ERR_OK;
}

static void
free_names(char **v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

/* ---- reading a claimed entry ---- */

static enum err_code
add_file(struct entry *en, int dir, const char *name, const char *shown, struct err *e)
{
	size_t k = en->n_files;
	int fd = -1;
	uint64_t size = 0;

	if (k + 1 > 1000)
		return err_set(e, ERR_REFUSED, "more than 1000 files in one deposit");
	if (sys_open_read(dir, name, &fd, e) != ERR_OK)
		return err_wrap(e, "%s", shown);
	en->fds = reallocarray(en->fds, k + 1, sizeof(*en->fds));
	en->names = reallocarray(en->names, k + 1, sizeof(*en->names));
	if (en->fds == NULL || en->names == NULL)
		return err_nomem(e);
	en->fds[k] = fd;
	en->names[k] = mem_dupstr(shown);
	en->n_files = k + 1;
	if (en->names[k] == NULL || sys_size(fd, &size, e) != ERR_OK)
		return err_wrap(e, "%s", shown);
	en->bytes += size;
	return ERR_OK;
}

static enum err_code add_folder(struct entry *en, int dir, const char *prefix, unsigned depth, struct err *e);

static enum err_code
add_name(struct entry *en, int dir, const char *name, const char *prefix, unsigned depth, struct err *e)
{
	AUTO(mem) char *shown = prefix[0] != '\0' ? mem_printf("%s/%s", prefix, name) : mem_dupstr(name);
	AUTO(fd) int sub = -1;
	struct stat st;

	if (shown == NULL)
		return err_nomem(e);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(e, ERR_IO, errno, "%s", shown);
	if (S_ISREG(st.st_mode))
		return add_file(en, dir, name, shown, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_REFUSED, "%s is a %s; only files and folders are accepted", shown,
		    S_ISLNK(st.st_mode) ? "symbolic link" : "device, socket or pipe");
	if (depth >= 8)
		return err_set(e, ERR_REFUSED, "%s: folders deeper than 8", shown);
	if (sys_open_dir(dir, name, &sub, e) != ERR_OK)
		return err_wrap(e, "%s", shown);
	return add_folder(en, sub, shown, depth + 1, e);
}

static enum err_code
add_folder(struct entry *en, int dir, const char *prefix, unsigned depth, struct err *e)
{
	char **names = NULL;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(dir, &names, &n, e);
	for (i = 0; r == ERR_OK && i < n; i++)
		r = add_name(en, dir, names[i], prefix, depth, e);
	free_names(names, n);
	return r;
}

static enum err_code
read_entry(struct spool *s, const char *in_cur, struct entry *en, struct err *e)
{
	AUTO(mem) char *meta_name = mem_printf("%s%s", in_cur, META_SUFFIX);
	AUTO(buf) struct buf meta = {0};
	AUTO(fd) int sub = -1;
	struct stat st;
	enum err_code r;
	size_t i;

	if (meta_name == NULL)
		return err_nomem(e);
	r = sys_read_file(s->cur, meta_name, META_BYTES, &meta, e);
	if (r == ERR_OK && (r = json_read(buf_slice(&meta), NULL, &en->meta, e)) != ERR_OK)
		return err_set(e, ERR_REFUSED, "meta file: %s", e->text);
	if (r != ERR_OK && r != ERR_NOTFOUND)
		return err_wrap(e, "meta file");
	if (fstatat(s->cur, in_cur, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_errno(e, ERR_IO, errno, "%s", en->name);
	en->folder = S_ISDIR(st.st_mode);
	if (!en->folder) {
		if (!S_ISREG(st.st_mode))
			return err_set(e, ERR_REFUSED, "%s is a %s; only files and folders are accepted", en->name,
			    S_ISLNK(st.st_mode) ? "symbolic link" : "device, socket or pipe");
		r = add_file(en, s->cur, in_cur, en->name, e);
	} else {
		if (sys_open_dir(s->cur, in_cur, &sub, e) != ERR_OK)
			return err_wrap(e, "%s", en->name);
		r = add_folder(en, sub, "", 0, e);
	}
	if (r != ERR_OK)
		return r;
	en->files = mem_new(en->n_files, sizeof(*en->files));
	if (en->files == NULL)
		return err_nomem(e);
	for (i = 0; i < en->n_files; i++)
		en->files[i] = (struct deposit_file){en->names[i], en->fds[i]};
	return ERR_OK;
}

/* ---- answers ---- */

/* The name of an answer file: the deposit's own, made safe where a terminal or a web page would trip. */
static void
answer_name(struct buf *out, const char *name, const char *suffix)
{
	const char *p = NULL;

	for (p = name; *p != '\0' && out->n < 200; p++)
		buf_add8(out, (unsigned char)*p < 0x20 || *p == 0x7f || *p == '/' ? '_' : (unsigned char)*p);
	buf_adds(out, suffix);
}

static enum err_code
write_answer(int dir, const char *name, const char *suffix, const json_t *j, struct err *e)
{
	AUTO(mem) char *text = json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS);
	AUTO(buf) struct buf final = {0}, tmp = {0};
	AUTO(fd) int fd = -1;

	answer_name(&final, name, suffix);
	buf_addf(&tmp, ".%s", buf_str(&final));
	if (text == NULL || buf_ok(&tmp, e) != ERR_OK)
		return err_nomem(e);
	(void)unlinkat(dir, buf_str(&tmp), 0);
	if (sys_create(dir, buf_str(&tmp), 0644, &fd, e) != ERR_OK || sys_append(fd, slice_str(text), e) != ERR_OK ||
	    sys_append(fd, slice_str("\n"), e) != ERR_OK || sys_close(&fd, e) != ERR_OK ||
	    sys_rename(dir, buf_str(&tmp), dir, buf_str(&final), e) != ERR_OK)
		return err_wrap(e, "answer %s", buf_str(&final));
	return ERR_OK;
}

static void
remove_tree(int dir, const char *name)
{
	AUTO(fd) int sub = -1;
	char **names = NULL;
	size_t n = 0, i;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return;
	if (sys_open_dir(dir, name, &sub, NULL) != ERR_OK)
		return;
	if (list_names(sub, &names, &n, NULL) == ERR_OK)
		for (i = 0; i < n; i++)
			remove_tree(sub, names[i]);
	free_names(names, n);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

static void
forget_claim(struct spool *s, const struct entry *en)
{
	AUTO(mem) char *in_cur = mem_printf("%s.%s", en->record, en->name);
	AUTO(mem) char *meta = mem_printf("%s.%s%s", en->record, en->name, META_SUFFIX);

	if (in_cur == NULL || meta == NULL)
		return;
	remove_tree(s->cur, in_cur);
	(void)unlinkat(s->cur, meta, 0);
}

/* Refused: the depositor gets the file back in failed/, with the reason. */
static enum err_code
give_back(struct spool *s, const struct entry *en, const json_t *reason, struct err *e)
{
	AUTO(mem) char *in_cur = mem_printf("%s.%s", en->record, en->name);
	AUTO(mem) char *meta = mem_printf("%s.%s%s", en->record, en->name, META_SUFFIX);
	AUTO(buf) struct buf to = {0}, to_meta = {0};

	answer_name(&to, en->name, "");
	answer_name(&to_meta, en->name, META_SUFFIX);
	if (in_cur == NULL || meta == NULL || buf_ok(&to, e) != ERR_OK || buf_ok(&to_meta, e) != ERR_OK)
		return err_nomem(e);
	if (write_answer(s->failed, en->name, ".reason.json", reason, e) != ERR_OK)
		return err_wrap(e, "spool");
	remove_tree(s->failed, buf_str(&to));
	if (renameat(s->cur, in_cur, s->failed, buf_str(&to)) != 0 && errno != ENOENT)
		return err_errno(e, ERR_IO, errno, "move %s to failed/", en->name);
	(void)renameat(s->cur, meta, s->failed, buf_str(&to_meta));
	return ERR_OK;
}

/* ---- claiming ---- */

static enum err_code
claim_one(struct archive *a, struct spool *s, const char *name, struct err *e)
{
	AUTO(mem) char *meta = mem_printf("%s%s", name, META_SUFFIX);
	AUTO(mem) char *to = NULL, *to_meta = NULL;
	char record[UUID_TEXT];

	if (uuid7(archive_now(a) * 1000, &a->seams.entropy, record, e) != ERR_OK)
		return err_wrap(e, "claim");
	to = mem_printf("%s.%s", record, name);
	to_meta = mem_printf("%s.%s%s", record, name, META_SUFFIX);
	if (meta == NULL || to == NULL || to_meta == NULL)
		return err_nomem(e);
	if (strlen(to_meta) > 255)
		return err_set(e, ERR_REFUSED, "the name is too long by %zu octets", strlen(to_meta) - 255);
	/* The meta file first: a claim is complete when its main file has moved. */
	(void)renameat(s->new, meta, s->cur, to_meta);
	if (renameat(s->new, name, s->cur, to) != 0 && errno != ENOENT)
		return err_errno(e, ERR_IO, errno, "claim %s", name);
	return ERR_OK;
}

static enum err_code
refuse_unclaimed(struct archive *a, struct spool *s, const char *name, const struct err *why, struct err *e)
{
	AUTO(buf) struct buf to = {0};
	AUTO(json) json_t *reason = NULL;
	char time[TIME_TEXT];

	time_text(archive_now(a), time);
	answer_name(&to, name, "");
	reason = json_pack("{s:i, s:b, s:s, s:o}", "schema", 1, "refused", 1, "time", time, "reason", json_text(why->text));
	if (reason == NULL || buf_ok(&to, e) != ERR_OK)
		return err_nomem(e);
	if (write_answer(s->failed, buf_str(&to), ".reason.json", reason, e) != ERR_OK)
		return err_wrap(e, "spool");
	if (renameat(s->new, name, s->failed, buf_str(&to)) != 0 && errno != ENOENT)
		return err_errno(e, ERR_IO, errno, "move %s", name);
	return ERR_OK;
}

static enum err_code
claim_new(struct archive *a, struct spool *s, uint64_t *refused, struct err *e)
{
	char **names = NULL;
	enum err_code r;
	size_t n = 0, i;

	r = list_names(s->new, &names, &n, e);
	for (i = 0; r == ERR_OK && i < n; i++) {
		struct err why = {0};

		if (ends_with(names[i], META_SUFFIX))
			continue;
		r = claim_one(a, s, names[i], &why);
		if (r == ERR_REFUSED) {
			++*refused;
			r = refuse_unclaimed(a, s, names[i], &why, e);
		} else if (r != ERR_OK) {
			err_set(e, r, "%s", why.text);
		}
	}
	free_names(names, n);
	return r;
}

/* ---- one batch ---- */

/* A claim of before a crash whose record is in the store: only its receipt is missing. */
static bool
kept_already(struct archive *a, const char *record, json_t **receipt)
{
	return receipt_again(a, record, receipt, NULL) == ERR_OK;
}

static enum err_code
answer_one(struct spool *s, struct entry *en, const json_t *answer, uint64_t *taken, uint64_t *refused, struct err *e)
{
	if (json_is_true(json_object_get(answer, "refused"))) {
		++*refused;
		return give_back(s, en, answer, e);
	}
	++*taken;
	return write_answer(s->done, en->name, ".receipt.json", answer, e);
}

static enum err_code
process(struct archive *a, struct spool *s, struct entry *entries, size_t n, uint64_t *taken, uint64_t *refused, struct err *e)
{
	AUTO(mem) struct deposit *deposits = mem_new(n, sizeof(*deposits));
	AUTO(mem) json_t **answers = mem_new(n, sizeof(*answers));
	AUTO(mem) size_t *of = mem_new(n, sizeof(*of));
	char now[TIME_TEXT];
	enum err_code r = ERR_OK;
	size_t i, k = 0;

	if (deposits == NULL || answers == NULL || of == NULL)
		return err_nomem(e);
	time_text(archive_now(a), now);
	for (i = 0; i < n; i++) {
		struct entry *en = &entries[i];

		if (kept_already(a, en->record, &answers[i]))
			continue;
		if (en->why.code != ERR_OK) {
			answers[i] = json_pack("{s:i, s:b, s:s, s:o, s:o}", "schema", 1, "refused", 1, "time", now, "reason",
			    json_text(en->why.text), "name", json_text(en->name));
			continue;
		}
		of[k] = i;
		deposits[k++] = (struct deposit){.depositor = s->cfg->depositor, .spool_name = en->name, .record = en->record,
		    .profile = s->cfg->profile, .files = en->files, .n_files = en->n_files, .meta = en->meta};
	}
	if (k != 0)
		r = archive_deposit(a, deposits, k, e);
	for (i = 0; i < k; i++)
		answers[of[i]] = deposits[i].receipt;
	for (i = 0; r == ERR_OK && i < n; i++)
		r = answers[i] != NULL ? answer_one(s, &entries[i], answers[i], taken, refused, e) : err_nomem(e);
	/* One sync for all receipts; the claimed files go only when the receipts can't get lost any more. */
	if (r == ERR_OK && syncfs(s->root) != 0)
		r = err_errno(e, ERR_IO, errno, "sync %s", s->cfg->dir);
	for (i = 0; i < n; i++) {
		if (r == ERR_OK)
			forget_claim(s, &entries[i]);
		json_decref(answers[i]);
	}
	return r;
}

static bool
entry_of(const char *in_cur, struct entry *en)
{
	*en = (struct entry){0};
	if (strlen(in_cur) <= UUID_TEXT || in_cur[UUID_TEXT - 1] != '.')
		return false;
	memcpy(en->record, in_cur, UUID_TEXT - 1);
	if (!uuid7_is(en->record))
		return false;
	en->name = mem_dupstr(in_cur + UUID_TEXT);
	return en->name != NULL;
}

static enum err_code
work_cur(struct archive *a, struct spool *s, uint64_t *taken, uint64_t *refused, struct err *e)
{
	AUTO(mem) struct entry *entries = mem_new(BATCH_DEPOSITS, sizeof(*entries));
	char **names = NULL;
	uint64_t bytes = 0;
	enum err_code r;
	size_t n = 0, k = 0, i, j;

	if (entries == NULL)
		return err_nomem(e);
	r = list_names(s->cur, &names, &n, e);
	for (i = 0; r == ERR_OK && i < n; i++) {
		bool meta = ends_with(names[i], META_SUFFIX);

		if (!meta && entry_of(names[i], &entries[k])) {
			if (read_entry(s, names[i], &entries[k], &entries[k].why) == ERR_OK)
				entries[k].why = (struct err){0};
			bytes += entries[k++].bytes;
		}
		if (k != 0 && (k == BATCH_DEPOSITS || bytes >= BATCH_BYTES || i + 1 == n || archive_stopping(a))) {
			r = process(a, s, entries, k, taken, refused, e);
			for (j = 0; j < k; j++)
				entry_release(&entries[j]);
			if (a->seams.progress != NULL)
				a->seams.progress(a->seams.progress_ctx, "deposit", i + 1, n);
			k = 0;
			bytes = 0;
		}
		if (archive_stopping(a))
			break;
	}
	for (j = 0; j < k; j++)
		entry_release(&entries[j]);
	free_names(names, n);
	return r;
}

enum err_code
archive_spool(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e)
{
	size_t i, n = a->cfg->n_spools;

	for (i = 0; i < n; i++) {
		AUTO(spool) struct spool s = {.root = -1, .new = -1, .cur = -1, .done = -1, .failed = -1};
		uint64_t before = 0;

		if (spool_open((&a->cfg->spools[i]), &s, e) != ERR_OK)
			return err_wrap(e, "depositor %s", (&a->cfg->spools[i])->depositor);
		do {
			before = *taken + *refused;
			if (claim_new(a, &s, refused, e) != ERR_OK || work_cur(a, &s, taken, refused, e) != ERR_OK)
				return err_wrap(e, "spool %s", s.cfg->dir);
		} while (*taken + *refused != before && !archive_stopping(a));
	}
	return ERR_OK;
}

/* ---- news ---- */

static enum err_code
status_of(struct archive *a, const json_t *m, json_t **out, struct err *e)
{
	static const char *const keys[] = {"record", "time", "own_id", "title", "event", "due"};
	static const char *const sig_keys[] = {"file", "index", "level", "state", "reason", "indication", "subindication", "due"};
	AUTO(json) json_t *status = json_object();
	AUTO(json) json_t *sigs = json_array();
	AUTO(json) json_t *deadline = NULL;
	size_t i, k;

	for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (json_set(status, keys[k], json_deep_copy(json_object_get(m, keys[k])), e) != ERR_OK)
			return err_wrap(e, "status");
	for (i = 0; i < manifest_signatures(m); i++) {
		AUTO(json) json_t *s = json_object();

		for (k = 0; k < sizeof(sig_keys) / sizeof(sig_keys[0]); k++)
			(void)json_object_set(s, sig_keys[k], json_object_get(manifest_signature(m, i), sig_keys[k]));
		if (json_push(sigs, TAKE(s), e) != ERR_OK)
			return err_wrap(e, "status");
	}
	if (archive_deadline(a, m, &deadline, e) != ERR_OK || json_object_update(status, deadline) != 0 ||
	    json_set(status, "schema", json_integer(1), e) != ERR_OK || json_set(status, "signatures", TAKE(sigs), e) != ERR_OK)
		return err_wrap(e, "status");
	*out = TAKE(status);
	return ERR_OK;
}

static enum err_code
tell(struct archive *a, const char *record, struct err *e)
{
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *status = NULL;
	const char *name = NULL, *depositor = NULL;
	size_t i;

	if (manifest_load(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "news");
	name = json_string_value(json_object_get(m, "spool_name"));
	depositor = json_string_value(json_object_get(m, "depositor"));
	if (name == NULL || depositor == NULL)
		return ERR_OK;
	if (status_of(a, m, &status, e) != ERR_OK)
		return err_wrap(e, "news");
	for (i = 0; i < a->cfg->n_spools; i++) {
		AUTO(spool) struct spool s = {.root = -1, .new = -1, .cur = -1, .done = -1, .failed = -1};

		if (strcmp(a->cfg->spools[i].depositor, depositor) != 0)
			continue;
		if (spool_open(&a->cfg->spools[i], &s, e) != ERR_OK || write_answer(s.done, name, ".status.json", status, e) != ERR_OK)
			return err_wrap(e, "news");
		break;
	}
	return ERR_OK;
}

enum err_code
archive_news(struct archive *a, struct err *e)
{
	const char *record = NULL;
	json_t *value = NULL;

	json_object_foreach (a->news, record, value)
		if (tell(a, record, e) != ERR_OK)
			return err_wrap(e, "record %s", record);
	json_object_clear(a->news);
	return ERR_OK;
}
