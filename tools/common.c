/* SPDX-License-Identifier: MIT */
/* What verbs share: configuration, trust, policy, clock, options, output. */
#include "tools/tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES ((size_t)1 << 20)
#define CATALOGUE_BYTES ((size_t)4 << 20)
#define ANCHOR_BYTES ((size_t)1 << 20)

bool
tool_unproven(const json_t *list)
{
	const json_t *r = NULL;
	size_t i;

	json_array_foreach (list, i, r) {
		AUTO(buf) struct buf why = {0};

		buf_addplain(&why, word(r, "why", "-"));
		fprintf(stderr, "everseal: record %.36s: a defect of Everseal, please report it: %s\n", word(r, "record", "-"), buf_str(&why));
	}
	return json_array_size(list) != 0;
}

int
tool_fail(struct tool *t, const struct err *e)
{
	int code = t->config_bad ? EXIT_CONFIG : exit_of(e->code);
	AUTO(json) json_t *j = t->json ? json_pack("{s:i, s:s, s:o, s:i}", "schema", 1, "error", err_word(e->code), "text", json_text(e->text), "exit", code) : NULL;
	AUTO(mem) char *line = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	AUTO(buf) struct buf plain = {0};

	buf_addplain(&plain, e->text);
	if (line != NULL)
		fprintf(stderr, "%s\n", line);
	else
		fprintf(stderr, "everseal: %s\n", buf_str(&plain));
	return code;
}

/* ---- output ---- */

/* Each object that is an answer names its schema; rows of a list do. */
static void
name_schema(json_t *j)
{
	json_t *row = NULL;
	size_t i;

	if (json_is_object(j) && json_object_get(j, "schema") == NULL)
		(void)json_object_set_new(j, "schema", json_integer(1));
	json_array_foreach (j, i, row)
		if (json_is_object(row) && json_object_get(row, "schema") == NULL)
			(void)json_object_set_new(row, "schema", json_integer(1));
}

int
tool_print(struct tool *t, json_t *j)
{
	AUTO(mem) char *text = NULL;

	name_schema(j);
	text = json_dumps(j, (t->json ? JSON_COMPACT : JSON_INDENT(2)) | JSON_SORT_KEYS);
	if (text == NULL || puts(text) == EOF)
		return EXIT_IO;
	return EXIT_POSITIVE;
}

int
tool_done(struct tool *t, json_t *j, const char *fmt, ...)
{
	AUTO(json) json_t *answer = j;
	AUTO(mem) char *text = NULL;
	va_list ap;
	int n;

	if (t->json)
		return answer != NULL ? tool_print(t, answer) : EXIT_OSERR;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return EXIT_OSERR;
	}
	tool_line(t, "%s", text);
	return EXIT_POSITIVE;
}

static void line(const char *before, const char *fmt, va_list ap) PRINTF(2, 0);
static void
line(const char *before, const char *fmt, va_list ap)
{
	AUTO(mem) char *text = NULL;
	AUTO(buf) struct buf plain = {0};

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return;
	}
	buf_addplain(&plain, text);
	printf("%s%s\n", before, buf_str(&plain));
}

void
tool_line(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(t->cfg != NULL && t->cfg->archive.clock_file != NULL ? "SIMULATED " : "", fmt, ap);
	va_end(ap);
}

void
tool_more(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("  ", fmt, ap);
	va_end(ap);
}

static void
progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (total != 0)
		fprintf(stderr, "\r%s: %llu of %llu ", what, (unsigned long long)done, (unsigned long long)total);
	else
		fprintf(stderr, "\r%s: %llu ", what, (unsigned long long)done);
	if (total != 0 && done == total)
		fputc('\n', stderr);
}

/* ---- the clock: the machine's, or a simulated archive's file ---- */

static int64_t
simulated_now(void *ctx)
{
	struct tool *t = ctx;
	AUTO(buf) struct buf text = {0};
	int64_t utc;

	/* A file that is being replaced reads as before; time never goes back inside one command. */
	if (sys_read_file(AT_FDCWD, t->cfg->archive.clock_file, 256, &text, NULL) == ERR_OK && time_parse(buf_str(&text), &utc) &&
	    utc > t->simulated_utc)
		t->simulated_utc = utc;
	return t->simulated_utc;
}

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static bool
is_stopped(void *ctx)
{
	(void)ctx;
	return stopped != 0;
}

static enum err_code
read_anchors(void *ctx, struct anchors **out, struct err *e)
{
	struct tool *t = ctx;

	return tool_anchors(t->cfg->trust_dir, out, e);
}

/* A file that is added or goes changes its folder; "touch" of the folder says that it was looked at. */
static int64_t
trust_utc(void *ctx)
{
	static const char *const subs[] = {".", "signer", "tsa", "ocsp"};
	const struct tool *t = ctx;
	AUTO(fd) int dir = -1;
	int64_t last = TIME_NONE;
	struct stat st;
	size_t i;

	if (sys_open_dir(AT_FDCWD, t->cfg->trust_dir, &dir, NULL) != ERR_OK)
		return TIME_NONE;
	for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (fstatat(dir, subs[i], &st, 0) == 0 && (last == TIME_NONE || st.st_mtime > last))
			last = st.st_mtime;
	return last;
}

static enum clock_sync
clock_sync(void *ctx)
{
	(void)ctx;
	return sys_clock_sync();
}

struct archive_seams
tool_seams(struct tool *t)
{
	struct archive_seams s = {.clock = clock_real(), .entropy = entropy_openssl(), .log = &t->log, .uncaged = t->uncaged, .stop = is_stopped,
	    .anchors = read_anchors, .trust_utc = trust_utc, .sync = clock_sync, .host_ctx = t};

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (t->cfg != NULL && t->cfg->archive.clock_file != NULL)
		s.clock = (struct clock){simulated_now, t};
	if (isatty(2) && !t->quiet && !t->json)
		s.progress = progress;
	return s;
}

enum err_code
tool_time(struct tool *t, const char *text, int64_t *utc, struct err *e)
{
	struct archive_seams s = tool_seams(t);

	if (text == NULL || strcmp(text, "now") == 0) {
		*utc = clock_now(&s.clock);
		return ERR_OK;
	}
	if (!time_parse(text, utc))
		return err_set(e, ERR_USAGE, "\"%.60s\" is no instant; write 2031-05-01T00:00:00Z, or now", text);
	return ERR_OK;
}

enum err_code
tool_number(const char *option, const char *text, int min, int max, int *out, struct err *e)
{
	char *end = NULL;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < min || v > max)
		return err_set(e, ERR_USAGE, "--%s \"%.40s\": a whole number from %d to %d", option, text, min, max);
	*out = (int)v;
	return ERR_OK;
}

/* ---- trust ---- */

static enum err_code
add_folder(struct anchors *a, int dir, const char *shown, unsigned roles, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de = NULL;
	enum err_code r = ERR_OK;

	if (d == NULL)
		return err_errno(e, ERR_IO, errno, "%s", shown);
	while (r == ERR_OK && (de = readdir(d)) != NULL) {
		AUTO(buf) struct buf raw = {0};
		struct stat st;

		if (de->d_name[0] == '.' || fstatat(dir, de->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
			continue;
		r = sys_read_file(dir, de->d_name, ANCHOR_BYTES, &raw, e);
		if (r == ERR_OK)
			r = anchors_add(a, buf_slice(&raw), roles, TIME_MAX, de->d_name, e);
		if (r != ERR_OK)
			err_wrap(e, "%s/%s", shown, de->d_name);
	}
	closedir(d);
	return r;
}

enum err_code
tool_anchors(const char *dir, struct anchors **out, struct err *e)
{
	static const struct {
		const char *name;
		unsigned role;
	} subs[] = {{"signer", ROLE_SIGNER}, {"tsa", ROLE_TSA}, {"ocsp", ROLE_OCSP}};
	AUTO(anchors) struct anchors *a = NULL;
	AUTO(fd) int fd = -1;
	size_t i;

	if (anchors_new(&a, e) != ERR_OK || sys_open_dir(AT_FDCWD, dir, &fd, e) != ERR_OK || add_folder(a, fd, dir, ROLE_ALL, e) != ERR_OK)
		return err_wrap(e, "trust folder %s", dir);
	for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		AUTO(fd) int sub = -1;
		enum err_code r = sys_open_dir(fd, subs[i].name, &sub, e);

		if (r == ERR_NOTFOUND)
			continue;
		if (r != ERR_OK || add_folder(a, sub, subs[i].name, subs[i].role, e) != ERR_OK)
			return err_wrap(e, "trust folder %s", dir);
	}
	*out = TAKE(a);
	return ERR_OK;
}

/* ---- policy ---- */

static enum err_code
read_catalogue(const char *path, struct catalogue **out, struct buf *remarks, struct err *e)
{
	AUTO(buf) struct buf raw = {0}, said = {0};

	if (sys_read_file(AT_FDCWD, path, CATALOGUE_BYTES, &raw, e) != ERR_OK || catalogue_read(buf_slice(&raw), out, &said, e) != ERR_OK)
		return err_wrap(e, "catalogue %s", path);
	if (remarks != NULL && said.n != 0)
		buf_addf(remarks, "catalogue %s, read as meant:\n%s", path, buf_str(&said));
	return ERR_OK;
}

/* The newest of several, with what it no longer lists (crypto-policy 2.5). NULL if there are none. */
static enum err_code
read_catalogues(const struct word_list *files, struct catalogue **out, struct buf *remarks, struct err *e)
{
	AUTO(mem) struct catalogue **all = mem_new(files->n + 1, sizeof(struct catalogue *));
	enum err_code r = ERR_OK;
	size_t i;

	if (all == NULL)
		return err_nomem(e);
	for (i = 0; r == ERR_OK && i < files->n; i++)
		r = read_catalogue(files->v[i], &all[i], remarks, e);
	if (r == ERR_OK && files->n == 1)
		*out = TAKE(all[0]);
	else if (r == ERR_OK && files->n > 1)
		r = catalogue_effective((const struct catalogue *const *)all, files->n, out, e);
	for (i = 0; i < files->n; i++)
		catalogue_free(all[i]);
	return r;
}

enum err_code
tool_policy(const struct policy_choice *c, struct catalogue **catalogue, struct vpolicy *out, struct buf *remarks, struct err *e)
{
	static const struct word_list none = {0};
	AUTO(catalogue) struct catalogue *base = NULL, *over = NULL;
	AUTO(buf) struct buf text = {0};

	*catalogue = NULL;
	if (read_catalogues(c->catalogues != NULL ? c->catalogues : &none, &base, remarks, e) != ERR_OK)
		return e->code;
	if (!c->is_file && vpolicy_builtin(c->name, base, out, e) != ERR_OK)
		return e->code;
	if (c->is_file && (sys_read_file(AT_FDCWD, c->name, CONFIG_BYTES, &text, e) != ERR_OK || vpolicy_read(buf_slice(&text), c->name, out, e) != ERR_OK))
		return err_wrap(e, "policy %s", c->name);
	if (c->overlay_file == NULL)
		*catalogue = TAKE(base);
	else if (read_catalogue(c->overlay_file, &over, remarks, e) != ERR_OK ||
	    catalogue_overlay(base != NULL ? base : out->catalogue, over, catalogue, e) != ERR_OK)
		return err_wrap(e, "overlay %s", c->overlay_file);
	return vpolicy_with(out, *catalogue, c->sliding_strict, e);
}

/* ---- configuration ---- */

/* The file by itself, then with the files that it names. */
static enum err_code
read_config(struct tool *t, struct slice text, struct err *e)
{
	const struct conf_verify *v = NULL;
	struct policy_choice c;

	if (config_parse(text, t->config_path, &t->cfg, &t->faults, e) != ERR_OK)
		return err_wrap(e, "configuration");
	if (!config_check_built(t->cfg, &t->faults))
		return err_set(e, ERR_USAGE, "configuration: %s: %s", t->config_path, t->faults.n != 0 ? t->faults.v[0].text : "out of memory");
	v = &t->cfg->verify;
	c = (struct policy_choice){v->policy, v->policy_is_file, &v->catalogues, v->overlay, v->sliding_strict};
	if (tool_policy(&c, &t->catalogue, &t->policy, &t->remarks, e) != ERR_OK)
		return err_wrap(e, "configuration %s", t->config_path);
	if (t->cfg->archive.clock_file != NULL) {
		AUTO(buf) struct buf now = {0};

		if (sys_read_file(AT_FDCWD, t->cfg->archive.clock_file, 256, &now, e) != ERR_OK || !time_parse(buf_str(&now), &t->simulated_utc))
			return err_set(e, ERR_USAGE, "clock file %s: it must hold one ISO instant", t->cfg->archive.clock_file);
	}
	return ERR_OK;
}

enum err_code
tool_config(struct tool *t, struct err *e)
{
	AUTO(buf) struct buf text = {0}, told = {0};

	if (t->cfg != NULL)
		return ERR_OK;
	if (t->config_path == NULL)
		return err_set(e, ERR_USAGE, "no configuration: give -c FILE before the verb, or set EVERSEAL_CONFIG");
	if (sys_read_file(AT_FDCWD, t->config_path, CONFIG_BYTES, &text, e) != ERR_OK)
		return err_wrap(e, "configuration %s", t->config_path);
	if (read_config(t, buf_slice(&text), e) == ERR_OK)
		return ERR_OK;
	t->config_bad = true;
	config_auto(&t->cfg);
	faults_text(&t->faults, &told);
	if (t->faults.n > 1 && !t->json)
		fputs(buf_str(&told), stderr);
	return e->code;
}

/* What the catalogue in force means for the evidence to be made: faults of it, or of the configuration. */
enum err_code
tool_catalogue_check(struct tool *t, struct faults *f, struct err *e)
{
	int64_t now;
	char next[TIME_TEXT];

	if (tool_time(t, "now", &now, e) != ERR_OK)
		return e->code;
	if (catalogue_replaces(t->policy.catalogue, NULL, now, false, e) != ERR_OK)
		return e->code;
	if (catalogue_next_update(t->policy.catalogue) != TIME_NONE && catalogue_next_update(t->policy.catalogue) < now) {
		time_text(catalogue_next_update(t->policy.catalogue), next);
		log_line(&t->log, LOG_LEVEL_WARN, "catalogue %s: a newer one was to come by %.10s; this one is used on",
		    catalogue_name(t->policy.catalogue), next);
	}
	if (!config_check_catalogue(t->cfg, t->policy.catalogue, now, f))
		return f->n != 0 ? err_set(e, ERR_USAGE, "configuration: %s: %s", t->config_path, f->v[0].text) : err_nomem(e);
	return ERR_OK;
}

enum err_code
tool_trust(struct tool *t, struct err *e)
{
	return t->anchors != NULL ? ERR_OK : tool_anchors(t->cfg->trust_dir, &t->anchors, e);
}

/* A deposit's files are open together; the soft limit of a shell is 1024. */
static void
more_files(const struct tool *t)
{
	struct rlimit l;
	rlim_t want = (rlim_t)t->cfg->limits.record_files + 1024;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = l.rlim_max == RLIM_INFINITY || l.rlim_max > want ? want : l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* An archive goes on under a catalogue that has faults: renewal must not stop for it. */
static void
warn_of_catalogue(struct tool *t)
{
	AUTO(faults) struct faults f = {0};
	struct err e = {0};

	if (tool_catalogue_check(t, &f, &e) != ERR_OK)
		log_line(&t->log, LOG_LEVEL_WARN, "%s", e.text);
}

bool
tool_shut_out(const struct tool *t)
{
	return faccessat(AT_FDCWD, t->cfg->archive.dir, R_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES;
}

/* --quiet or not: what was mended by itself is said once, and this is the time. */
void
tool_notes(const struct buf *lines)
{
	const char *p = lines->n != 0 ? (const char *)lines->p : "";

	for (; *p != '\0'; p += strcspn(p, "\n") + 1)
		fprintf(stderr, "everseal: %.*s\n", (int)strcspn(p, "\n"), p);
}

enum err_code
tool_open(struct tool *t, enum archive_mode mode, struct err *e)
{
	AUTO(buf) struct buf notes = {0};
	struct archive_seams s;
	struct stat st;

	if (tool_config(t, e) != ERR_OK || tool_trust(t, e) != ERR_OK)
		return e->code;
	if (tool_shut_out(t) && stat(t->cfg->archive.dir, &st) == 0)
		return err_set(e, ERR_REFUSED, "archive %s belongs to the user with id %u, and is closed to this one: run it as that user", t->cfg->archive.dir,
		    (unsigned)st.st_uid);
	if (mode == ARCHIVE_WRITE)
		warn_of_catalogue(t);
	more_files(t);
	s = tool_seams(t);
	if (archive_open(t->cfg, t->anchors, &t->policy, mode, &s, &t->archive, e) != ERR_OK)
		return e->code;
	archive_notes(t->archive, &notes);
	tool_notes(&notes);
	return ERR_OK;
}

/* ---- options ---- */

static enum err_code
set_option(const struct option_row *row, const char *value, struct err *e)
{
	if (row->list == NULL) {
		*row->value = value;
		return ERR_OK;
	}
	if (*row->list_n >= row->list_max)
		return err_set(e, ERR_USAGE, "--%s: more than %zu times", row->name, row->list_max);
	row->list[(*row->list_n)++] = value;
	return ERR_OK;
}

/* seen: a bit for each row that stood already; what was said twice would be heeded once. */
static enum err_code
one_option(const struct option_row *rows, size_t n, int argc, char **argv, int *i, uint64_t *seen, struct err *e)
{
	const char *name = argv[*i] + (strncmp(argv[*i], "--", 2) == 0 ? 2 : 1), *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name), k;

	for (k = 0; k < n && (strlen(rows[k].name) != len || strncmp(rows[k].name, name, len) != 0); k++)
		;
	if (k == n)
		return err_set(e, ERR_USAGE, "unknown option %s", argv[*i]);
	if (rows[k].flag != NULL) {
		*rows[k].flag = true;
		return eq == NULL ? ERR_OK : err_set(e, ERR_USAGE, "--%s takes no value", rows[k].name);
	}
	if (rows[k].list == NULL && (*seen & (UINT64_C(1) << k)) != 0)
		return err_set(e, ERR_USAGE, "--%s stands twice", rows[k].name);
	*seen |= UINT64_C(1) << k;
	if (eq != NULL)
		return set_option(&rows[k], eq + 1, e);
	if (*i + 1 >= argc)
		return err_set(e, ERR_USAGE, "%s wants a value", argv[*i]);
	return set_option(&rows[k], argv[++*i], e);
}

enum err_code
tool_options(const struct option_row *rows, size_t n, int *argc, char **argv, struct err *e)
{
	uint64_t seen = 0;
	bool end = false;
	int i, rest = 1;

	for (i = 1; i < *argc; i++) {
		if (!end && strcmp(argv[i], "--") == 0) {
			end = true;
		} else if (!end && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (one_option(rows, n, *argc, argv, &i, &seen, e) != ERR_OK)
				return e->code;
		} else {
			argv[rest++] = argv[i];
		}
	}
	*argc = rest;
	return ERR_OK;
}

const char *
tool_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}
