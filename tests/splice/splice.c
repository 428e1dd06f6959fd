/* SPDX-License-Identifier: MIT */
/*
 * Every signature of the corpus that may be upgraded gets a
 * TimeStampValidationData and an ArchiveTimeStamp of the test TSA, judged as the
 * row says (its anchors, its first time, policy dss-lenient). The cage compares
 * all earlier outcomes and the octets; the new imprint must come out equal in
 * imprint.py. Where only trust or an algorithm's end forbids it, it is done all
 * the same. Prints what was done and why the rest was not; fails below 100 rows.
 */
#include "tests/flow.h"
#include "tests/kit.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define ROWS_WANTED 100
#define NOW "2026-06-01T00:00:00Z"
#define COLUMNS 28

enum column { C_ROW = 0, C_FILE = 1, C_DETACHED = 2, C_TIME = 6, C_ANCHORS = 27 };

struct row {
	char id[16];
	char file[400], detached[2000], anchors[4000];
	int64_t time_utc;
};

static struct {
	struct kit_dir dir;
	struct pki_client pki;
	struct anchors *tsa_anchors;
	struct vpolicy policy;
	char shared[PATH_MAX], root[PATH_MAX], python[40];
	struct row *v;
	size_t n, cap;
	struct material *tsa; /* what the new TimeStampValidationData holds */
	unsigned rows, done_rows, done, refused, no_xml, missing, none, failed;
} w;

static int
fatal(const char *what, const struct err *e)
{
	fprintf(stderr, "splice: %s: %s\n", what, e != NULL ? e->text : "");
	exit(2);
}

/* ---- the corpus ---- */

static bool
split(char *line, char *cols[COLUMNS])
{
	size_t n = 0;
	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; p != NULL && n < COLUMNS; n++) {
		cols[n] = p;
		p = strchr(p, '\t');
		if (p != NULL)
			*p++ = '\0';
	}
	return n == COLUMNS;
}

/* One row a file and its detached set: the first lenient run (e); anchors of all its lines together. */
static void
read_rows(void)
{
	char path[PATH_MAX + 400];
	char *line = NULL;
	size_t room = 0;
	snprintf(path, sizeof(path), "%s/corpus/dss-verdicts.tsv", w.shared);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		fatal(path, NULL);
	while (getline(&line, &room, f) > 0) {
		char *cols[COLUMNS];
		int64_t when;
		/* Without a time nothing was found there. */
		if (!split(line, cols) || strncmp(cols[C_FILE], "xades/", 6) != 0 ||
		    cols[C_ROW][strlen(cols[C_ROW]) - 1] != 'e' || !time_parse(cols[C_TIME], &when))
			continue;
		struct row *last = w.n > 0 ? &w.v[w.n - 1] : NULL;
		if (last != NULL && strcmp(last->id, cols[C_ROW]) == 0) {
			size_t at = strlen(last->anchors);
			snprintf(last->anchors + at, sizeof(last->anchors) - at, ";%s", cols[C_ANCHORS]);
			continue;
		}
		if (!mem_grow(&w.v, &w.cap, w.n, sizeof(*w.v)))
			fatal("rows", NULL);
		struct row *r = &w.v[w.n++];
		snprintf(r->id, sizeof(r->id), "%s", cols[C_ROW]);
		snprintf(r->file, sizeof(r->file), "%s", cols[C_FILE]);
		snprintf(r->detached, sizeof(r->detached), "%s", cols[C_DETACHED]);
		snprintf(r->anchors, sizeof(r->anchors), "%s", cols[C_ANCHORS]);
		r->time_utc = when;
	}
	free(line);
	fclose(f);
}

static void
add_anchors(const struct row *r, struct anchors *a)
{
	char names[4000];
	struct err e = {0};
	snprintf(names, sizeof(names), "%s", r->anchors);
	char *rest = names, *s = NULL;
	while ((s = strsep(&rest, ";")) != NULL) {
		AUTO(buf) struct buf der = {0};
		char path[PATH_MAX + 400];
		snprintf(path, sizeof(path), "%s/corpus/trust/dss-tops/%s.cer", w.shared, s);
		if (strcmp(s, "-") != 0 && (sys_read_file(AT_FDCWD, path, 65536, &der, &e) != ERR_OK ||
					       anchors_add(a, buf_slice(&der), ROLE_ALL, TIME_MAX, s, &e) != ERR_OK))
			fatal(path, &e);
	}
}

static const char *
base_name(const char *path)
{
	const char *s = strrchr(path, '/');
	return s != NULL ? s + 1 : path;
}

/* Detached files beside the signature, also as files for imprint.py. False: given as a digest or a rule. */
static bool
add_side(struct flow *f, const char *detached)
{
	static char text[2000];
	char line[PATH_MAX + 2600];
	struct err e = {0};
	snprintf(text, sizeof(text), "%s", detached);
	snprintf(line, sizeof(line), "rm -rf '%s/side' && mkdir '%s/side'", w.dir.path, w.dir.path);
	if (system(line) != 0)
		fatal("side", NULL);
	char *rest = text, *s = NULL;
	while ((s = strsep(&rest, ";")) != NULL) {
		char path[PATH_MAX + 700];
		char *eq = strchr(s, '=');
		AUTO(buf) struct buf octets = {0};
		const char *file = eq != NULL && strncmp(s, "digest:", 7) != 0 ? eq + 1 : s;
		bool policy = strncmp(s, "policy:", 7) == 0;
		if (strcmp(s, "-") == 0 || strcmp(s, "?") == 0 || strncmp(s, "er:", 3) == 0)
			continue;
		if (strncmp(s, "digest:", 7) == 0 || strncmp(s, "gen:", 4) == 0)
			return false;
		if (eq != NULL)
			*eq = '\0';
		snprintf(path, sizeof(path), "%s/corpus/%s", w.shared, policy ? s + 7 : file);
		if (policy) {
			if (sys_read_file(AT_FDCWD, path, 16 << 20, &octets, &e) != ERR_OK ||
			    material_add(f->material, MAT_POLICY, buf_slice(&octets), &e) != ERR_OK)
				fatal(path, &e);
			continue;
		}
		if (f->n_side == sizeof(f->side) / sizeof(f->side[0]) || sys_open_read(AT_FDCWD, path, &f->side[f->n_side].fd, &e) != ERR_OK)
			fatal(path, &e);
		f->side[f->n_side++].name = eq != NULL ? s : base_name(file);
		snprintf(line, sizeof(line), "cp '%s' '%s/side/%s'", path, w.dir.path, base_name(eq != NULL ? s : file));
		if (system(line) != 0)
			fatal(path, NULL);
	}
	return true;
}

/* ---- one signature ---- */

/* The second implementation finds the new stamp by its Id and calls its imprint right. */
static bool
second_opinion(const struct flow *f, const char *token_b64)
{
	AUTO(buf) struct buf token = {0};
	struct err e = {0};
	uint8_t sha[32];
	char id[65], line[2 * PATH_MAX];
	if (base64_to(slice_str(token_b64), &token, &e) != ERR_OK || digest_sha256(buf_slice(&token), sha, &e) != ERR_OK ||
	    sys_write_durably(w.dir.fd, "new.xml", buf_slice(&f->file), 0600, &e) != ERR_OK)
		fatal("new file", &e);
	hex_of(slice_of(sha, 16), id);
	snprintf(line, sizeof(line),
	    "cd '%s' && { %s '%s/tools/imprint.py' new.xml --dir side >imprints 2>&1; grep -q ' ARCHIVE .* ok ts-%s$' imprints; }",
	    w.dir.path, w.python, w.root, id);
	if (system(line) == 0)
		return true;
	snprintf(line, sizeof(line), "cd '%s' && { grep 'ts-%s' imprints || tail -1 imprints; } | cut -c1-300", w.dir.path, id);
	(void)!system(line);
	return false;
}

static json_t *
tsa_names(void)
{
	json_t *names = json_array();
	enum material_kind kind;
	struct slice der;
	uint8_t sha[32];
	for (size_t i = 0; material_get(w.tsa, i, &kind, &der); i++)
		if (digest_sha256(der, sha, NULL) == ERR_OK)
			json_array_append_new(names, json_hex(slice_of(sha, 32)));
	return names;
}

/* ERR_OK: it was done and everything holds. ERR_NOTFOUND, ERR_FORMAT: what a stamp covers is not there, or ambiguous. */
static enum err_code
put_stamp(struct flow *f, size_t sig, struct err *e)
{
	AUTO(json) json_t *add = json_array(), *answer = NULL, *token = NULL;
	struct digest imprint;
	int64_t row_time = f->now_utc;
	flow_add(add, "tsvd", tsa_names());
	if (flow_extend(f, sig, add, "A", &answer, e) != ERR_OK)
		return err_wrap(e, "imprint");
	if (!digest_parse(flow_str(answer, "imprint"), &imprint) || !time_parse(NOW, &f->now_utc))
		return err_set(e, ERR_BUG, "imprint");
	enum err_code rc = flow_token(f, "tsa1", &imprint, &token, e);
	f->now_utc = row_time;
	if (rc != ERR_OK)
		return err_wrap(e, "token");
	if (strcmp(flow_str(token, "class"), "good") != 0)
		return err_set(e, ERR_REMOTE, "token: %s", flow_str(token, "why"));
	json_array_append_new(add, json_pack("{s:s, s:O}", "do", "A", "token", json_object_get(token, "token")));
	if (flow_apply(f, sig, add, NULL, e) != ERR_OK)
		return err_wrap(e, "insert");
	return second_opinion(f, flow_str(token, "token")) ? ERR_OK : err_set(e, ERR_DAMAGED, "imprint.py differs");
}

/* ---- one row ---- */

static void
tell(const struct row *r, size_t sig, const char *what, const char *why)
{
	printf("%-10s %s %s #%zu%s%s\n", what, r->id, base_name(r->file), sig, why[0] != '\0' ? ": " : "", why);
}

static void
row_signatures(struct flow *f, const struct row *r)
{
	AUTO(json) json_t *judge = json_incref(f->judge);
	const json_t *list = json_object_get(judge, "signatures");
	bool one = false;
	/* Backwards: a counter-signature is extended before its master's ArchiveTimeStamp covers it. */
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *s = json_array_get(list, i);
		struct err e = {0};
		if (strcmp(flow_str(s, "path"), "none") == 0) {
			w.none++;
			tell(r, i, "none", flow_str(s, "row"));
			continue;
		}
		enum err_code rc = put_stamp(f, i, &e);
		if (rc == ERR_OK) {
			w.done++;
			one = true;
		} else if (rc == ERR_NOTFOUND || rc == ERR_FORMAT) {
			w.missing++;
			tell(r, i, "no data", e.text);
		} else {
			w.failed++;
			tell(r, i, "FAILED", e.text);
		}
	}
	w.done_rows += one;
}

static void
run_row(const struct row *r, struct caged *c)
{
	AUTO(flow) struct flow f = {.pki = &w.pki, .caged = c, .now_utc = r->time_utc};
	struct err e = {0};
	char path[PATH_MAX + 800];
	enum material_kind kind;
	struct slice der;
	if (material_new(&f.material, &e) != ERR_OK)
		fatal("material", &e);
	snprintf(path, sizeof(path), "%s/corpus/%s", w.shared, r->file);
	if (sys_read_file(AT_FDCWD, path, 64 << 20, &f.file, &e) != ERR_OK)
		fatal(path, &e);
	for (size_t i = 0; material_get(w.tsa, i, &kind, &der); i++)
		if (material_add(f.material, kind, der, &e) != ERR_OK)
			fatal("material", &e);
	if (!add_side(&f, r->detached)) {
		w.missing++;
		tell(r, 0, "no data", "given as a digest or a rule");
	} else if (flow_judge(&f, 0, &e) != ERR_OK) {
		w.refused++;
		tell(r, 0, "refused", e.text);
	} else if (json_array_size(json_object_get(f.judge, "signatures")) == 0) {
		w.no_xml++;
		tell(r, 0, "no sig", flow_str(f.judge, "form"));
	} else {
		row_signatures(&f, r);
	}
}

/* ---- the world ---- */

/* The TSA's own closure: its CA, from AIA. */
static void
tsa_known(struct caged *c)
{
	struct flow f = {.pki = &w.pki, .caged = c};
	AUTO(json) json_t *token = NULL;
	struct err e = {0};
	struct digest d;
	if (!time_parse(NOW, &f.now_utc) || material_new(&f.material, &e) != ERR_OK ||
	    digest_once(DIGEST_SHA256, slice_str("x"), &d, &e) != ERR_OK || flow_token(&f, "tsa1", &d, &token, &e) != ERR_OK ||
	    strcmp(flow_str(token, "class"), "good") != 0)
		fatal(flow_str(token, "why"), &e);
	w.tsa = TAKE(f.material);
	flow_release(&f);
}

static void
world_up(void)
{
	struct err e = {0};
	w.dir = kit_dir_new();
	if (kit_shared() == NULL || realpath(kit_shared(), w.shared) == NULL)
		fatal("EVERSEAL_SHARED names no corpus", NULL);
	if (getcwd(w.root, sizeof(w.root)) == NULL || !pki_up(&w.pki, w.dir.path, NOW))
		fatal("test PKI", NULL);
	snprintf(w.python, sizeof(w.python), "%s",
	    system("python3 -c 'import lxml' 2>/dev/null") == 0 ? "python3" : "/usr/bin/python3");
	if (vpolicy_builtin("dss-lenient", NULL, &w.policy, &e) != ERR_OK)
		fatal("policy", &e);
}

int
main(void)
{
	struct err e = {0};
	const char *only = getenv("SPLICE_ROW");
	AUTO(caged) struct caged *c = NULL;
	AUTO(anchors) struct anchors *start = NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	world_up();
	read_rows();
	struct caged_setup setup = {.policy = &w.policy};
	if (anchors_new(&start, &e) != ERR_OK || !pki_anchors(&w.pki, start))
		fatal("anchors", &e);
	setup.anchors = start;
	if (caged_start(&setup, &c, &e) != ERR_OK)
		fatal("cage", &e);
	tsa_known(c);
	for (size_t i = 0; i < w.n; i++) {
		AUTO(anchors) struct anchors *a = NULL;
		if (only != NULL && strcmp(only, w.v[i].id) != 0)
			continue;
		if (anchors_new(&a, &e) != ERR_OK || !pki_anchors(&w.pki, a))
			fatal("anchors", &e);
		add_anchors(&w.v[i], a);
		setup.anchors = a;
		if (caged_restart(c, &setup, &e) != ERR_OK)
			fatal("cage", &e);
		w.rows++;
		run_row(&w.v[i], c);
	}
	printf("splice: %u rows, %u of them spliced (%u signatures); not allowed %u, data missing %u, refused %u, no signature %u, "
	       "FAILED %u\n",
	    w.rows, w.done_rows, w.done, w.none, w.missing, w.refused, w.no_xml, w.failed);
	free(w.v);
	material_free(w.tsa);
	anchors_free(w.tsa_anchors);
	pki_down(&w.pki);
	kit_dir_free(&w.dir);
	return w.failed > 0 || (only == NULL && w.done_rows < ROWS_WANTED) ? 1 : 0;
}
