/* SPDX-License-Identifier: MIT */
/* Verbs about records: deposit, get, export, list, hold, release. */
#include "tools/tarball.h"
#include "tools/tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 1000

/* ---- deposit ---- */

struct files {
	struct deposit_file v[FILES_MAX];
	char *names[FILES_MAX];
	size_t n;
};

static void
files_auto(struct files *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		int fd = f->v[i].fd;

		fd_auto(&fd);
		free(f->names[i]);
	}
}

static enum err_code
add_file(struct files *f, int dir, const char *name, const char *shown, struct err *e)
{
	int fd = -1;

	if (f->n == FILES_MAX)
		return err_set(e, ERR_REFUSED, "more than %d files in one deposit", FILES_MAX);
	f->names[f->n] = mem_dupstr(shown);
	if (f->names[f->n] == NULL)
		return err_nomem(e);
	if (sys_open_read(dir, name, &fd, e) != ERR_OK) {
		free(f->names[f->n]);
		return err_wrap(e, "%s", shown);
	}
	f->v[f->n] = (struct deposit_file){f->names[f->n], fd};
	f->n++;
	return ERR_OK;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err_code
add_folder(struct files *f, const char *path, const char *prefix, unsigned depth, struct err *e)
{
	struct dirent **names = NULL;
	enum err_code r = ERR_OK;
	int n = scandir(path, &names, NULL, by_name), i;

	if (n < 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	for (i = 0; i < n; i++) {
		AUTO(mem) char *shown = prefix[0] != '\0' ? mem_printf("%s/%s", prefix, names[i]->d_name) : mem_dupstr(names[i]->d_name);
		AUTO(mem) char *full = mem_printf("%s/%s", path, names[i]->d_name);
		struct stat st;

		if (r == ERR_OK && shown != NULL && full != NULL && strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0) {
			if (lstat(full, &st) != 0)
				r = err_errno(e, ERR_IO, errno, "%s", full);
			else if (S_ISDIR(st.st_mode))
				r = depth < 8 ? add_folder(f, full, shown, depth + 1, e) : err_set(e, ERR_REFUSED, "%s: folders deeper than 8", full);
			else
				r = add_file(f, AT_FDCWD, full, shown, e);
		}
		free(names[i]);
	}
	free(names);
	return r;
}

static enum err_code
collect(struct files *f, const char *path, const char *const *with, size_t n_with, struct err *e)
{
	struct stat st;
	size_t i;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (n_with != 0)
			return err_set(e, ERR_REFUSED, "--with goes with a file: %s is a folder", path);
		if (add_folder(f, path, "", 0, e) != ERR_OK)
			return e->code;
		return f->n != 0 ? ERR_OK : err_set(e, ERR_REFUSED, "%s is an empty folder", path);
	}
	if (add_file(f, AT_FDCWD, path, tool_base_name(path), e) != ERR_OK)
		return e->code;
	for (i = 0; i < n_with; i++)
		if (add_file(f, AT_FDCWD, with[i], tool_base_name(with[i]), e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* A running service holds the lock, or the archive is another user's: the same by the service's socket. */
static enum err_code
by_service(struct tool *t, const struct deposit *d, json_t **out, struct err *e)
{
	AUTO(json) json_t *request = json_pack("{s:s, s:s?, s:s?, s:[]}", "verb", "deposit", "depositor", d->depositor, "profile", d->profile, "names");
	int fds[64];
	size_t i;

	if (d->n_files > sizeof(fds) / sizeof(fds[0]))
		return err_set(e, ERR_USAGE, "the service takes 64 files at once; use the spool for more");
	for (i = 0; i < d->n_files; i++) {
		fds[i] = d->files[i].fd;
		if (json_push(json_object_get(request, "names"), json_text(d->files[i].name), e) != ERR_OK)
			return e->code;
	}
	if (d->meta != NULL && json_set(request, "meta", json_deep_copy(d->meta), e) != ERR_OK)
		return e->code;
	if (archive_ask(t->cfg, request, fds, d->n_files, out, e) != ERR_OK && tool_shut_out(t))
		err_wrap(e, "deposit: the archive is another user's, so its running service has to take it");
	return e->code;
}

static int
print_receipt(const json_t *receipt)
{
	AUTO(mem) char *line = json_dumps(receipt, JSON_COMPACT | JSON_SORT_KEYS);

	if (line == NULL || puts(line) == EOF)
		return EXIT_IO;
	if (json_is_true(json_object_get(receipt, "refused")) || json_object_get(receipt, "error") != NULL)
		return EXIT_DATA;
	return EXIT_POSITIVE;
}

/* Deposits of a command line go in groups, as those of a spool do. */
#define GROUP 64

static int
deposit_group(struct tool *t, struct deposit *d, size_t n)
{
	struct err e = {0};
	int code = EXIT_POSITIVE, one;
	size_t i;

	if (t->archive != NULL && archive_deposit(t->archive, d, n, &e) != ERR_OK)
		return tool_fail(t, &e);
	for (i = 0; i < n; i++) {
		if (t->archive == NULL && by_service(t, &d[i], &d[i].receipt, &e) != ERR_OK)
			return tool_fail(t, &e);
		one = print_receipt(d[i].receipt);
		json_decref(d[i].receipt);
		code = one != EXIT_POSITIVE ? one : code;
	}
	return code;
}

static enum err_code
open_or_service(struct tool *t, struct err *e)
{
	enum err_code r;

	if (tool_config(t, e) != ERR_OK)
		return e->code;
	if (tool_shut_out(t))
		return ERR_OK;
	r = tool_open(t, ARCHIVE_WRITE, e);
	return r == ERR_BUSY ? ERR_OK : r;
}

static int
refuse(struct tool *t, const char *path, const struct err *why)
{
	AUTO(json) json_t *reason = json_pack("{s:i, s:b, s:o, s:o}", "schema", 1, "refused", 1, "name", json_text(tool_base_name(path)), "reason", json_text(why->text));

	(void)t;
	return print_receipt(reason);
}

static int
verb_deposit(struct tool *t, int argc, char **argv)
{
	const char *with[FILES_MAX], *profile = NULL, *own_id = NULL, *title = NULL, *depositor = "operator";
	size_t n_with = 0, n = 0;
	const struct option_row rows[] = {{.name = "with", .list = with, .list_n = &n_with, .list_max = FILES_MAX}, {.name = "profile", .value = &profile},
	    {.name = "id", .value = &own_id}, {.name = "title", .value = &title}, {.name = "depositor", .value = &depositor}};
	AUTO(mem) struct files *files = mem_new(GROUP, sizeof(*files));
	AUTO(json) json_t *meta = NULL;
	struct deposit group[GROUP];
	struct err e = {0};
	int code = EXIT_POSITIVE, one, i;
	size_t k;

	if (tool_options(rows, sizeof(rows) / sizeof(rows[0]), &argc, argv, &e) != ERR_OK || argc < 2)
		return tool_usage(tool_verb("deposit"), e.code != ERR_OK ? e.text : "name a file or a folder");
	if ((n_with != 0 || own_id != NULL) && argc != 2)
		return tool_usage(tool_verb("deposit"), "--with and --id go with a single file");
	if (!config_is_name(depositor))
		return tool_usage(tool_verb("deposit"), "--depositor is a name of letters, digits, . _ -");
	if ((own_id != NULL || title != NULL) && (meta = json_pack("{s:s*, s:s*}", "id", own_id, "title", title)) == NULL)
		return tool_usage(tool_verb("deposit"), "--id and --title are UTF-8");
	if (files == NULL || open_or_service(t, &e) != ERR_OK)
		return tool_fail(t, &e);
	for (i = 1; i < argc; i++) {
		struct err why = {0};

		files[n].n = 0;
		if (collect(&files[n], argv[i], with, n_with, &why) != ERR_OK) {
			code = refuse(t, argv[i], &why);
			if (why.code == ERR_NOTFOUND)
				code = EXIT_NOINPUT;
			files_auto(&files[n]);
			continue;
		}
		group[n] = (struct deposit){.depositor = depositor, .profile = profile, .files = files[n].v, .n_files = files[n].n, .meta = meta};
		if (++n == GROUP || i + 1 == argc) {
			one = deposit_group(t, group, n);
			code = one != EXIT_POSITIVE ? one : code;
			for (k = 0; k < n; k++)
				files_auto(&files[k]);
			n = 0;
		}
	}
	if (n != 0) {
		one = deposit_group(t, group, n);
		code = one != EXIT_POSITIVE ? one : code;
		for (k = 0; k < n; k++)
			files_auto(&files[k]);
	}
	return code;
}

/* ---- get ---- */

static int
verb_get(struct tool *t, int argc, char **argv)
{
	const char *dir = NULL, *version = NULL;
	const struct option_row rows[] = {{.name = "o", .value = &dir}, {.name = "version", .value = &version}};
	AUTO(json) json_t *out = NULL;
	struct err e = {0};
	int n = -1; /* the newest */

	if (tool_options(rows, 2, &argc, argv, &e) != ERR_OK || argc != 2 || dir == NULL)
		return tool_usage(tool_verb("get"), e.code != ERR_OK ? e.text : "name a record, and -o DIR");
	if (version != NULL && tool_number("version", version, 0, INT_MAX, &n, &e) != ERR_OK)
		return tool_usage(tool_verb("get"), e.text);
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || archive_get(t->archive, argv[1], n, dir, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_print(t, out);
}

/* -o X.tar: the bundle as one file, to be sent; it unpacks into the folder X. */
static enum err_code
export_tar(struct tool *t, const char *record, const char *path, json_t **out, struct err *e)
{
	AUTO(mem) char *folder = mem_printf("%s.part", path);
	AUTO(mem) char *name = mem_dup(tool_base_name(path), strlen(tool_base_name(path)) - 4);
	enum err_code r;

	if (folder == NULL || name == NULL)
		return err_nomem(e);
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s is there already", path);
	r = archive_export(t->archive, record, folder, out, e);
	if (r == ERR_OK)
		r = tarball_write(folder, name, path, e);
	if (r != ERR_EXISTS)
		tarball_remove(folder);
	return r;
}

static int
verb_export(struct tool *t, int argc, char **argv)
{
	const char *to = NULL;
	const struct option_row rows[] = {{.name = "o", .value = &to}};
	AUTO(json) json_t *out = NULL;
	struct err e = {0};
	size_t n;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 2 || to == NULL)
		return tool_usage(tool_verb("export"), e.code != ERR_OK ? e.text : "name a record, and -o DIR or -o FILE.tar");
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK)
		return tool_fail(t, &e);
	n = strlen(tool_base_name(to));
	if (n > 4 && strcmp(tool_base_name(to) + n - 4, ".tar") == 0) {
		if (export_tar(t, argv[1], to, &out, &e) != ERR_OK)
			return tool_fail(t, &e);
		(void)json_object_del(out, "directory"); /* it was on the way only */
		(void)json_object_set_new(out, "tar", json_text(to));
		return tool_print(t, out);
	}
	if (archive_export(t->archive, argv[1], to, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_print(t, out);
}

/* ---- list ---- */

struct listing {
	struct tool *t;
	json_t *out;
	bool judge, unproven; /* a verdict that passed could not be proved */
	int64_t now;
};

/* The verdict of today: of the signature that fares worst; -1 = none. */
static long
worst(const json_t *sigs)
{
	const json_t *s = NULL;
	long found = -1;
	int rank = -1;
	size_t i;

	json_array_foreach (sigs, i, s) {
		const char *ind = word(s, "indication", "INDETERMINATE");
		int r = strcmp(ind, "TOTAL-FAILED") == 0 ? 2 : strcmp(ind, "TOTAL-PASSED") != 0;

		if (r > rank) {
			rank = r;
			found = (long)i;
		}
	}
	return found;
}

static json_int_t
archive_stamps(const json_t *m)
{
	const json_t *e = NULL;
	json_int_t n = 0;
	size_t i;

	json_array_foreach (json_object_get(m, "evidence"), i, e)
		n += strcmp(word(e, "kind", ""), "A") == 0;
	return n;
}

/* Signatures judged now, or as the manifest last knew them. */
static enum err_code
signatures_now(struct listing *l, const json_t *m, json_t **out, struct err *e)
{
	AUTO(json) json_t *report = NULL;
	const json_t *d = NULL;
	size_t i;

	if (!l->judge || json_array_size(json_object_get(m, "signatures")) == 0) {
		*out = json_deep_copy(json_object_get(m, "signatures"));
		return *out != NULL ? ERR_OK : err_nomem(e);
	}
	if (archive_verify(l->t->archive, word(m, "record", ""), l->now, &report, e) != ERR_OK)
		return e->code;
	*out = json_array();
	json_array_foreach (json_object_get(report, "documents"), i, d) {
		json_array_extend(*out, json_object_get(d, "signatures"));
		l->unproven = l->unproven || json_integer_value(json_object_get(d, "unproven")) > 0;
	}
	return ERR_OK;
}

static enum err_code
list_one(void *ctx, const json_t *m, struct err *e)
{
	struct listing *l = ctx;
	AUTO(json) json_t *sigs = NULL;
	AUTO(json) json_t *deadline = NULL;
	AUTO(json) json_t *row = json_object();
	const json_t *s = NULL, *first = json_array_get(json_object_get(m, "originals"), 0);
	long w;

	if (signatures_now(l, m, &sigs, e) != ERR_OK || archive_deadline(l->t->archive, m, &deadline, e) != ERR_OK)
		return e->code;
	w = worst(sigs);
	s = w >= 0 ? json_array_get(sigs, (size_t)w) : NULL;
	if (json_set(row, "name", json_text(word(m, "spool_name", word(first, "name", "-"))), e) != ERR_OK ||
	    json_set(row, "record", json_text(word(m, "record", "-")), e) != ERR_OK ||
	    json_set(row, "level", json_text(s != NULL ? word(s, "level", "-") : word(first, "form", "data")), e) != ERR_OK ||
	    json_set(row, "archive_timestamps", json_integer(archive_stamps(m)), e) != ERR_OK ||
	    json_set(row, "indication", s != NULL ? json_text(word(s, "indication", "INDETERMINATE")) : json_null(), e) != ERR_OK ||
	    json_set(row, "subindication", s != NULL && word(s, "subindication", "")[0] != '\0' ? json_text(word(s, "subindication", "")) : json_null(), e) != ERR_OK ||
	    json_object_update(row, deadline) != 0)
		return err_wrap(e, "list");
	return json_push(l->out, TAKE(row), e);
}

/* Room for width characters of UTF-8: what is longer is cut, never inside a character. */
static void
cell(const char *text, size_t width)
{
	size_t n = 0, shown = 0;

	for (; text[n] != '\0'; n++)
		if (((unsigned char)text[n] & 0xc0) != 0x80 && shown++ == width)
			break;
	shown = shown < width ? shown : width;
	printf("%.*s%*s", (int)n, text, (int)(width - shown), "");
}

static int
verb_list(struct tool *t, int argc, char **argv)
{
	bool judge = false;
	const struct option_row rows[] = {{.name = "judge", .flag = &judge}};
	AUTO(json) json_t *out = json_array();
	struct listing l = {.t = t, .out = out};
	const json_t *r = NULL;
	struct err e = {0};
	size_t i;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("list"), e.code != ERR_OK ? e.text : NULL);
	l.judge = judge;
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || tool_time(t, "now", &l.now, &e) != ERR_OK || archive_records(t->archive, list_one, &l, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (t->json)
		return tool_print(t, out) != EXIT_POSITIVE ? EXIT_IO : l.unproven ? EXIT_SOFTWARE : EXIT_POSITIVE;
	printf("%-36s  %-28s %-14s %6s  %-14s %-34s %s\n", t->cfg->archive.clock_file != NULL ? "RECORD (SIMULATED)" : "RECORD", "NAME", "LEVEL",
	    "STAMPS", "VERDICT", "", "NEXT DEADLINE");
	json_array_foreach (out, i, r) {
		AUTO(buf) struct buf name = {0};

		buf_addplain(&name, word(r, "name", ""));
		printf("%.36s  ", word(r, "record", ""));
		cell(buf_str(&name), 28);
		printf(" %-14.14s %6lld  %-14s %-34s %s\n", word(r, "level", ""), (long long)json_integer_value(json_object_get(r, "archive_timestamps")),
		    word(r, "indication", "-"), word(r, "subindication", ""),
		    json_is_string(json_object_get(r, "next_deadline")) ? word(r, "next_deadline", "-") : word(r, "waits_for", "-"));
	}
	return l.unproven ? EXIT_SOFTWARE : EXIT_POSITIVE;
}

/* ---- hold, release ---- */

/* By our own hand, or by the service that holds the lock. */
static enum err_code
hold_or_ask(struct tool *t, const char *record, bool on, const char *reason, struct err *e)
{
	AUTO(json) json_t *request = NULL;
	AUTO(json) json_t *answer = NULL;

	if (t->archive != NULL)
		return archive_hold(t->archive, record, on, reason, e);
	request = json_pack("{s:s, s:s, s:b, s:s}", "verb", "hold", "record", record, "on", (int)on, "reason", reason);
	return archive_ask(t->cfg, request, NULL, 0, &answer, e);
}

static int
verb_hold(struct tool *t, int argc, char **argv)
{
	const char *reason = NULL;
	bool off = false;
	const struct option_row rows[] = {{.name = "reason", .value = &reason}, {.name = "release", .flag = &off}};
	struct err e = {0};

	if (tool_options(rows, 2, &argc, argv, &e) != ERR_OK || argc != 2 || reason == NULL)
		return tool_usage(tool_verb("hold"), e.code != ERR_OK ? e.text : "name a record and --reason TEXT");
	if (open_or_service(t, &e) != ERR_OK || hold_or_ask(t, argv[1], !off, reason, &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_done(t, json_pack("{s:o, s:b, s:o}", "record", json_text(argv[1]), "held", (int)!off, "reason", json_text(reason)),
	    off ? "%s is no longer held: %s" : "%s is held: %s", argv[1], reason);
}

static enum err_code
release_or_ask(struct tool *t, const char *what, struct err *e)
{
	AUTO(json) json_t *request = NULL;
	AUTO(json) json_t *answer = NULL;

	if (t->archive != NULL)
		return archive_release(t->archive, what, e);
	request = json_pack("{s:s, s:s}", "verb", "release", "what", what);
	return archive_ask(t->cfg, request, NULL, 0, &answer, e);
}

static int
verb_release(struct tool *t, int argc, char **argv)
{
	struct err e = {0};

	if (tool_options(NULL, 0, &argc, argv, &e) != ERR_OK || argc != 2)
		return tool_usage(tool_verb("release"), e.code != ERR_OK ? e.text : "name a record in quarantine, or an issuer's SHA-256");
	if (open_or_service(t, &e) != ERR_OK || release_or_ask(t, argv[1], &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_done(t, json_pack("{s:o}", "released", json_text(argv[1])), "%s is released; the next run judges it again", argv[1]);
}

const struct verb verbs_record[] = {
    {"deposit", "PATH... [--with FILE]... [--profile NAME] [--id OWN-ID] [--title TEXT] [--depositor NAME]", "take files or folders in; one receipt a line", verb_deposit},
    {"get", "RECORD -o DIR [--version N]", "take files out, rehashed; --version 0: as deposited", verb_get},
    {"list", "[--judge]", "every record: level, archive stamps, verdict, next deadline; --judge: judged now", verb_list},
    {"export", "RECORD -o DIR|FILE.tar", "a bundle that proves without the archive and the network", verb_export},
    {"history", "RECORD [--html FILE]", "every state of a record; --html: its timeline to look at", verb_history},
    {"hold", "RECORD --reason TEXT [--release]", "legal hold on a record", verb_hold},
    {"release", "RECORD|ISSUER|clock", "end a quarantine or an issuer hold; clock: ours is right, the log's newest entry is not", verb_release},
    {NULL, NULL, NULL, NULL},
};
