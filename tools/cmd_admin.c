/* SPDX-License-Identifier: MIT */
/* Verbs that make and look after an archive: init, trust, config. */
#include "tools/tools.h"

#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- init ---- */

/* A configuration of its own for a simulated archive: one spool, the test PKI's port allowed on loopback. */
static enum err_code
write_simulated(struct tool *t, const char *dir, const char *clock, const char *tsas, const char *net, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(mem) char *path = mem_printf("%s/everseal.conf", dir);

	if (path == NULL)
		return err_nomem(e);
	if (tsas[strspn(tsas, ",")] == '\0' && access(path, F_OK) != 0)
		return err_set(e, ERR_USAGE, "init --simulated wants --tsa URL,...: an archive without a time-stamping authority can't stamp");
	if (sys_mkdirs(AT_FDCWD, dir, 0755, e) != ERR_OK)
		return err_wrap(e, "init");
	if (access(path, F_OK) != 0) {
		AUTO(fd) int fd = -1;
		const char *p = tsas;
		unsigned n = 0;

		buf_addf(&text, "# A simulated archive: its time is what the clock file says.\n[archive]\ndir = archive\nclock_file = %s\n\n"
				"[spool desk]\ndir = spool/desk\n\n[trust]\ndir = trust\n\n[net]\nallow_net = %s\n\n"
				"[renewal]\nmargin = 450d\nhash_margin = 730d\nsweep_interval = 365d\nreaction_time = 60d\nmin_token_life = 700d\n\n", clock, net);
		for (; *p != '\0'; p += strspn(p, ",")) {
			size_t k = strcspn(p, ",");

			buf_addf(&text, "[tsa tsa%u]\nurl = %.*s\n\n", ++n, (int)k, p);
			p += k;
		}
		buf_adds(&text, "[profile default]\nversion = 1\ntarget = A\ngrace = 24h\ntsa = ");
		for (unsigned i = 1; i <= n; i++)
			buf_addf(&text, "%stsa%u", i > 1 ? ", " : "", i);
		buf_adds(&text, "\n\n[profile baseline]\nversion = 1\nform = baseline\ntarget = LTA\ngrace = 24h\ntsa = ");
		for (unsigned i = 1; i <= n; i++)
			buf_addf(&text, "%stsa%u", i > 1 ? ", " : "", i);
		buf_adds(&text, "\n");
		if (buf_ok(&text, e) != ERR_OK || sys_create(AT_FDCWD, path, 0644, &fd, e) != ERR_OK || sys_append(fd, buf_slice(&text), e) != ERR_OK)
			return err_wrap(e, "init");
	}
	t->config_made = TAKE(path);
	t->config_path = t->config_made;
	return ERR_OK;
}

static int
verb_init(struct tool *t, int argc, char **argv)
{
	const char *clock = NULL, *dir = NULL, *tsas = "", *net = "127.0.0.1:80";
	const struct option_row rows[] = {{.name = "simulated", .value = &dir}, {.name = "clock", .value = &clock}, {.name = "tsa", .value = &tsas}, {.name = "allow-net", .value = &net}};
	struct archive_seams s;
	struct err e = {0};

	if (tool_options(rows, 4, &argc, argv, &e) != ERR_OK || argc != 1 || (dir != NULL) != (clock != NULL))
		return tool_usage(tool_verb("init"), e.code != ERR_OK ? e.text : dir != NULL ? "--simulated DIR wants --clock FILE" : NULL);
	if (dir != NULL && write_simulated(t, dir, clock, tsas, net, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (tool_config(t, &e) != ERR_OK || sys_mkdirs(AT_FDCWD, t->cfg->trust_dir, 0755, &e) != ERR_OK)
		return tool_fail(t, &e);
	s = tool_seams(t);
	if (archive_create(t->cfg, &s, &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_done(t, json_pack("{s:o, s:o}", "archive", json_text(t->cfg->archive.dir), "configuration", json_text(t->config_path)),
	    "archive %s is made; its log's public key is %s/log.pub: give it to those who will check receipts", t->cfg->archive.dir, t->cfg->archive.dir);
}

/* ---- trust ---- */

static const struct {
	const char *word;
	unsigned bits;
} roles[] = {{"signer", ROLE_SIGNER}, {"tsa", ROLE_TSA}, {"ocsp", ROLE_OCSP}, {"all", ROLE_ALL}};

/* One anchor as JSON; caller owns. */
static enum err_code
anchor_json(const struct anchor *a, json_t **out, struct err *e)
{
	AUTO(anchor_facts) struct anchor_facts f = {0};
	AUTO(json) json_t *words = json_array();
	size_t k;

	if (anchor_describe(a, &f, e) != ERR_OK)
		return e->code;
	for (k = 0; k < 3; k++)
		if ((a->roles & roles[k].bits) != 0 && json_push(words, json_string(roles[k].word), e) != ERR_OK)
			return e->code;
	*out = json_pack("{s:o, s:o, s:O, s:o, s:o, s:b}", "sha256", json_hex(slice_of(a->sha256, 32)), "name", json_text(a->name), "roles", words,
	    "subject", json_text(buf_str(&f.subject)), "not_after", json_time(f.not_after_utc), "ca", (int)f.is_ca);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

static void
trust_line(const json_t *a)
{
	const json_t *w = NULL;
	size_t i;

	printf("%.16s ", json_string_value(json_object_get(a, "sha256")));
	json_array_foreach (json_object_get(a, "roles"), i, w)
		printf(" %s", json_string_value(w));
	printf("  until %.10s  %s  (%s)%s\n", json_string_value(json_object_get(a, "not_after")), json_string_value(json_object_get(a, "subject")),
	    json_string_value(json_object_get(a, "name")), json_is_true(json_object_get(a, "ca")) ? "" : "  no CA");
}

static int
trust_list(struct tool *t)
{
	AUTO(json) json_t *out = json_array();
	struct err e = {0};
	size_t i;

	if (tool_trust(t, &e) != ERR_OK)
		return tool_fail(t, &e);
	for (i = 0; i < anchors_count(t->anchors); i++) {
		json_t *one = NULL;

		if (anchor_json(anchors_at(t->anchors, i), &one, &e) != ERR_OK || json_push(out, one, &e) != ERR_OK)
			return tool_fail(t, &e);
	}
	if (t->json)
		return tool_print(t, out);
	for (i = 0; i < json_array_size(out); i++)
		trust_line(json_array_get(out, i));
	return EXIT_POSITIVE;
}

static enum err_code
role_folder(struct tool *t, const char *role, char **out, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(role, roles[i].word) == 0) {
			*out = roles[i].bits == ROLE_ALL ? mem_dupstr(t->cfg->trust_dir) : mem_printf("%s/%s", t->cfg->trust_dir, role);
			return *out != NULL ? ERR_OK : err_nomem(e);
		}
	return err_set(e, ERR_USAGE, "role \"%s\": signer, tsa, ocsp or all", role);
}

/* The one certificate of a file. */
static enum err_code
one_anchor(const char *file, struct anchors **out, struct err *e)
{
	AUTO(buf) struct buf raw = {0};

	if (sys_read_file(AT_FDCWD, file, (size_t)1 << 20, &raw, e) != ERR_OK || anchors_new(out, e) != ERR_OK ||
	    anchors_add(*out, buf_slice(&raw), ROLE_ALL, TIME_MAX, file, e) != ERR_OK)
		return e->code;
	if (anchors_count(*out) != 1)
		return err_set(e, ERR_USAGE, "%s holds %zu certificates: add them one by one", file, anchors_count(*out));
	return ERR_OK;
}

/* What an operator should know before it counts; neither is wrong by itself. */
static void
warn_of(const struct tool *t, const struct anchor_facts *f, int64_t now)
{
	char end[TIME_TEXT];

	time_text(f->not_after_utc, end);
	if (f->not_after_utc < now)
		fprintf(stderr, "everseal: it ended on %.10s: only what was proved before that can rest on it\n", end);
	if (!f->is_ca && !t->quiet)
		fprintf(stderr, "everseal: it is no CA certificate: what its own key signs is trusted without asking whether it was revoked\n");
}

static enum err_code
trust_add(struct tool *t, const char *role, const char *file, json_t **out, struct err *e)
{
	AUTO(anchors) struct anchors *probe = NULL;
	AUTO(anchor_facts) struct anchor_facts f = {0};
	AUTO(mem) char *folder = NULL;
	AUTO(mem) char *name = NULL;
	AUTO(fd) int dir = -1;
	int64_t now;
	char hex[65];

	if (role_folder(t, role, &folder, e) != ERR_OK || tool_time(t, "now", &now, e) != ERR_OK || one_anchor(file, &probe, e) != ERR_OK ||
	    anchor_describe(anchors_at(probe, 0), &f, e) != ERR_OK)
		return err_wrap(e, "trust add");
	hex_of(slice_of(anchors_at(probe, 0)->sha256, 32), hex);
	name = mem_printf("%.16s.crt", hex);
	if (name == NULL)
		return err_nomem(e);
	/* The certificate alone: a key may stand beside it in the file. */
	if (sys_mkdirs(AT_FDCWD, folder, 0755, e) != ERR_OK || sys_open_dir(AT_FDCWD, folder, &dir, e) != ERR_OK ||
	    sys_write_durably(dir, name, buf_slice(&f.pem), 0644, e) != ERR_OK)
		return err_wrap(e, "trust add");
	warn_of(t, &f, now);
	*out = json_pack("{s:s, s:s, s:o, s:o, s:b}", "sha256", hex, "role", role, "subject", json_text(buf_str(&f.subject)), "not_after",
	    json_time(f.not_after_utc), "ca", (int)f.is_ca);
	if (!t->json)
		tool_line(t, "%s (%s) is trusted as %s", hex, buf_str(&f.subject), role);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

/* One folder of anchors, open, and what was found of the one to be removed. */
struct removal {
	const char *sha256;
	int dir;
	size_t removed;
	char with_others[256]; /* a file that holds it and others */
};

static enum err_code
remove_file(struct removal *r, const char *name, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(anchors) struct anchors *all = NULL;
	AUTO(fd) int gone = -1;
	char hex[65];
	size_t i, n;

	if (sys_read_file(r->dir, name, (size_t)1 << 20, &raw, NULL) != ERR_OK)
		return ERR_OK;
	if (anchors_new(&all, e) != ERR_OK)
		return e->code;
	if (anchors_add(all, buf_slice(&raw), ROLE_ALL, TIME_MAX, name, NULL) != ERR_OK)
		return ERR_OK;
	for (i = 0, n = anchors_count(all); i < n; i++) {
		hex_of(slice_of(anchors_at(all, i)->sha256, 32), hex);
		if (strncasecmp(hex, r->sha256, strlen(r->sha256)) == 0)
			break;
	}
	if (i == n)
		return ERR_OK;
	if (n > 1) {
		snprintf(r->with_others, sizeof(r->with_others), "%s", name);
		return ERR_OK;
	}
	if (sys_mkdirs(r->dir, "removed", 0755, e) != ERR_OK || sys_open_dir(r->dir, "removed", &gone, e) != ERR_OK ||
	    sys_rename(r->dir, name, gone, name, e) != ERR_OK)
		return e->code;
	r->removed++;
	return ERR_OK;
}

static enum err_code
remove_from(struct removal *r, const char *path, struct err *e)
{
	struct dirent **names = NULL;
	enum err_code rc = ERR_OK;
	int n = scandir(path, &names, NULL, alphasort), k;

	for (k = 0; k < n; k++) {
		if (rc == ERR_OK)
			rc = remove_file(r, names[k]->d_name, e);
		free(names[k]);
	}
	free(names);
	return rc;
}

/* A removed anchor stays in the archive's objects; the file that named it goes to removed/. */
static enum err_code
trust_remove(struct tool *t, const char *sha256, json_t **out, struct err *e)
{
	static const char *const subs[] = {"", "signer", "tsa", "ocsp"};
	struct removal r = {.sha256 = sha256};
	size_t i;

	if (strlen(sha256) < 16)
		return err_set(e, ERR_USAGE, "give the anchor's SHA-256, 16 characters of it at least");
	for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		AUTO(mem) char *path = mem_printf("%s/%s", t->cfg->trust_dir, subs[i]);
		AUTO(fd) int dir = -1;

		if (path == NULL)
			return err_nomem(e);
		if (sys_open_dir(AT_FDCWD, path, &dir, NULL) != ERR_OK)
			continue;
		r.dir = dir;
		if (remove_from(&r, path, e) != ERR_OK)
			return err_wrap(e, "trust remove");
	}
	if (r.with_others[0] != '\0')
		return err_set(e, ERR_REFUSED, "%s holds other anchors too: take the certificate out of it by hand", r.with_others);
	if (r.removed == 0)
		return err_set(e, ERR_NOTFOUND, "no anchor begins with %s; trust list shows them", sha256);
	if (!t->json)
		tool_line(t, "%s: %zu file(s) moved to removed/", sha256, r.removed);
	*out = json_pack("{s:s, s:I}", "sha256", sha256, "removed", (json_int_t)r.removed);
	return *out != NULL ? ERR_OK : err_set(e, ERR_USAGE, "a SHA-256 is hexadecimal");
}

/* A service that runs takes the folder as it is now; without one the next writer does. */
static enum err_code
trust_tell(struct tool *t, json_t *out, struct err *e)
{
	AUTO(json) json_t *request = json_pack("{s:s}", "verb", "trust");
	AUTO(json) json_t *answer = NULL;
	struct err why = {0};
	enum err_code r = archive_ask(t->cfg, request, NULL, 0, &answer, &why);

	if (r != ERR_OK && r != ERR_NOTFOUND)
		return err_set(e, r, "the folder is changed, but the service has not taken it: %s", why.text);
	if (!t->json)
		tool_line(t, r == ERR_OK ? "the service has taken it" : "no service runs: the next writer takes it");
	return json_set(out, "service", json_boolean(r == ERR_OK), e);
}

static enum err_code
trust_change(struct tool *t, const char *what, const char *role, const char *arg, json_t **out, struct err *e)
{
	enum err_code r = ERR_OK;

	if (strcmp(what, "add") == 0)
		r = trust_add(t, role, arg, out, e);
	else if (strcmp(what, "remove") == 0)
		r = trust_remove(t, arg, out, e);
	else
		*out = json_object();
	return r == ERR_OK ? trust_tell(t, *out, e) : r;
}

static int
verb_trust(struct tool *t, int argc, char **argv)
{
	const char *role = "all";
	const struct option_row rows[] = {{.name = "role", .value = &role}};
	AUTO(json) json_t *out = NULL;
	struct err e = {0};

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc < 2)
		return tool_usage(tool_verb("trust"), e.code != ERR_OK ? e.text : NULL);
	if (tool_config(t, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (strcmp(argv[1], "list") == 0 && argc == 2)
		return trust_list(t);
	if (strcmp(argv[1], "reload") == 0 ? argc != 2 : argc != 3 || (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "remove") != 0))
		return tool_usage(tool_verb("trust"), NULL);
	if (trust_change(t, argv[1], role, argc == 3 ? argv[2] : NULL, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	return t->json ? tool_print(t, out) : EXIT_POSITIVE;
}

/* ---- config ---- */

/* What `config check` found; a single error that is no line of the file stands alone. */
static int
config_answer(struct tool *t, const struct faults *f, const struct err *e)
{
	AUTO(json) json_t *list = json_array();
	size_t i;

	for (i = 0; i < f->n; i++)
		json_array_append_new(list, json_pack("{s:i, s:o}", "line", (int)f->v[i].line, "text", json_text(f->v[i].text)));
	if (f->n == 0 && e->code != ERR_OK)
		json_array_append_new(list, json_pack("{s:i, s:o}", "line", 0, "text", json_text(e->text)));
	if (e->code != ERR_OK && !t->json)
		fprintf(stderr, "everseal: %s\n", e->text);
	if (e->code == ERR_OK || t->json)
		(void)tool_done(t, json_pack("{s:o, s:O, s:o}", "file", json_text(t->config_path), "faults", list, "remarks", json_text(buf_str(&t->remarks))),
		    "%s: no faults", t->config_path);
	return e->code == ERR_OK ? EXIT_POSITIVE : EXIT_CONFIG;
}

/* Text as it is, or as the member of an answer. */
static int
config_print(struct tool *t, struct buf *text)
{
	struct err e = {0};

	if (buf_ok(text, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (t->json)
		return tool_done(t, json_pack("{s:o, s:o}", "file", json_text(t->config_path), "text", json_text(buf_str(text))), "%s", "");
	return fputs(buf_str(text), stdout) != EOF ? EXIT_POSITIVE : EXIT_IO;
}

/* No fault, since anchors may come later; but who forgot them would wonder at every verdict. */
static void
remark_anchors(struct tool *t)
{
	struct err why = {0};
	unsigned had = 0;
	size_t i;

	if (tool_trust(t, &why) != ERR_OK && why.code != ERR_NOTFOUND) {
		buf_addf(&t->remarks, "%s\n", why.text);
		return;
	}
	for (i = 0; t->anchors != NULL && i < anchors_count(t->anchors); i++)
		had |= anchors_at(t->anchors, i)->roles;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if ((roles[i].bits == ROLE_SIGNER || roles[i].bits == ROLE_TSA) && (had & roles[i].bits) == 0)
			buf_addf(&t->remarks, "trust folder %s: no anchor of role %s yet: nothing can be found valid (everseal trust add)\n", t->cfg->trust_dir,
			    roles[i].word);
}

static int
config_check_verb(struct tool *t)
{
	AUTO(faults) struct faults f = {0};
	struct err e = {0};

	if (t->catalogue != NULL) {
		buf_adds(&t->remarks, "algorithms, against the built-in catalogue:\n");
		catalogue_diff(catalogue_builtin("default"), t->catalogue, &t->remarks);
	}
	remark_anchors(t);
	if (!t->json && t->remarks.n != 0)
		fputs(buf_str(&t->remarks), stderr);
	if (tool_catalogue_check(t, &f, &e) != ERR_OK && e.code == ERR_OK)
		return tool_fail(t, &e);
	return config_answer(t, &f, &e);
}

static int
verb_config(struct tool *t, int argc, char **argv)
{
	AUTO(buf) struct buf text = {0};
	const char *what = argc == 2 ? argv[1] : "";
	bool check = strcmp(what, "check") == 0, show = strcmp(what, "show") == 0;
	struct err e = {0};

	if (!check && !show && strcmp(what, "catalogue") != 0)
		return tool_usage(tool_verb("config"), NULL);
	if (tool_config(t, &e) != ERR_OK)
		return t->config_bad && check ? config_answer(t, &t->faults, &e) : tool_fail(t, &e);
	if (check)
		return config_check_verb(t);
	if (show)
		config_text(t->cfg, &text);
	else
		catalogue_write(t->policy.catalogue, &text);
	return config_print(t, &text);
}

const struct verb verbs_admin[] = {
    {"init", "[--simulated DIR --clock FILE [--tsa URL,...] [--allow-net RULES]]", "make the archive that the configuration names", verb_init},
    {"trust", "list | add FILE [--role signer|tsa|ocsp|all] | remove SHA256 | reload", "trust anchors by role", verb_trust},
    {"config", "check | show | catalogue", "every fault with its line; the configuration in effect; the algorithm catalogue in force as RFC 5698 XML", verb_config},
    {"rebuild", "[--accept-loss GROUP]", "make the index again from the segments alone; --accept-loss: though they end before GROUP", verb_rebuild},
    {"lost", "[--acknowledge ID [--by NAME]]", "what was set aside, and why; --acknowledge: ends its alarm, the octets stay", verb_lost},
    {"upgrade-format", "", "carry a store of format 1 over to format 2; adds, changes nothing", verb_upgrade_format},
    {NULL, NULL, NULL, NULL},
};
