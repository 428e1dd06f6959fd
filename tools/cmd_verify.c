/* SPDX-License-Identifier: MIT */
/*
 * verify: any file, no archive, no network. The document is opened here and
 * parsed in a cage; anchors, policy and the little that lies beside are in the
 * child's memory since the fork.
 */
#include "tools/extract.h"

#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WITH_MAX 4096
#define SMALL_BYTES ((uint64_t)1 << 20)
#define POLICY_DOCUMENT_BYTES ((size_t)16 << 20)
#define MATERIAL_BYTES ((size_t)256 << 20)

/* A file beside the document: small ones in memory, large ones behind a descriptor of the request. */
struct beside {
	char *name; /* NULL: nameless */
	struct buf small;
	struct slice small_slice;
	int fd;
	int slot; /* in the request's descriptors, -1 = small */
	struct digest digest;
};

struct verify_job {
	struct anchors *anchors;
	struct vpolicy policy;
	struct catalogue *catalogue;
	struct material *material;
	int64_t time_utc;
	struct beside *with;
	size_t n_with;
	uint64_t cap_bytes;
	struct extract extract; /* shown NULL: not asked for */
	const char *name; /* of the document under way */
	struct verifier *verifier;
};

/* What a worker is asked; the descriptors: the document, those beside it, and the one to write to. */
enum { ASK_VERDICT = 1, ASK_OCTETS };

static void
job_release(struct verify_job *j)
{
	size_t i;

	for (i = 0; i < j->n_with; i++) {
		free(j->with[i].name);
		buf_release(&j->with[i].small);
		fd_auto(&j->with[i].fd);
	}
	free(j->with);
	anchors_free(j->anchors);
	catalogue_free(j->catalogue);
	material_free(j->material);
	verifier_free(j->verifier);
	if (j->extract.shown != NULL)
		extract_release(&j->extract);
}

/* ---- in the cage ---- */

static enum err_code
warm_up(void *ctx, struct err *e)
{
	struct verify_job *j = ctx;

	return verifier_new(&j->verifier, e);
}

static enum err_code
sides(struct verify_job *j, const int *fds, size_t nfds, struct side_file *out, struct err *e)
{
	size_t i;

	for (i = 0; i < j->n_with; i++) {
		struct beside *w = &j->with[i];

		out[i] = (struct side_file){.name = w->name};
		if (w->digest.alg != DIGEST_NONE) {
			out[i].digests = &w->digest;
			out[i].n_digests = 1;
			continue;
		}
		out[i].has_source = true;
		if (w->slot < 0)
			out[i].source = source_slice(&w->small_slice);
		else if ((size_t)w->slot >= nfds || source_fd(&fds[w->slot], &out[i].source, e) != ERR_OK)
			return err_set(e, ERR_BUG, "file %zu has no descriptor", i);
	}
	return ERR_OK;
}

/* out: where the octets of all references go, or NULL. */
static enum err_code
answer(const struct report *r, struct sigdoc *d, const int *out, struct buf *reply, struct err *e)
{
	json_t *header = NULL, *document = NULL;
	AUTO(json) json_t *both = json_object();
	struct sink to = sink_fd(out);

	if (report_header_json(r, &header, e) != ERR_OK || json_set(both, "header", header, e) != ERR_OK ||
	    report_json(r, &document, e) != ERR_OK || json_set(both, "document", document, e) != ERR_OK)
		return err_wrap(e, "report");
	if (out != NULL && d != NULL && report_extract(d, document, EXTRACT_BYTES, &to, e) != ERR_OK)
		return err_wrap(e, "octets");
	return json_canonical(both, reply, e);
}

/* body: the document's name. The answer: header and document of its report. */
static enum err_code
handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	struct verify_job *j = ctx;
	AUTO(mem) struct side_file *files = mem_new(j->n_with, sizeof(*files));
	AUTO(mem) char *name = body.n > 0 ? mem_dup(body.p, body.n) : NULL;
	AUTO(buf) struct buf doc = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(report) struct report *r = NULL;
	struct source s;
	struct verify_input in = {.name = name, .files = files, .n_files = j->n_with, .material = j->material, .anchors = j->anchors,
	    .policy = &j->policy, .time_utc = j->time_utc};

	if (files == NULL || name == NULL || nfds == 0)
		return err_nomem(e);
	if (source_fd(&fds[0], &s, e) != ERR_OK || sides(j, fds, nfds, files, e) != ERR_OK)
		return err_wrap(e, "verify");
	if (source_read_all(&s, (size_t)j->cap_bytes, &doc, e) != ERR_OK)
		return err_wrap(e, "verify");
	in.doc = buf_slice(&doc);
	/* What can't be opened is refused by verify_document, which says why. */
	if (type == ASK_OCTETS && sigdoc_open(in.doc, files, j->n_with, NULL, &d, NULL) == ERR_OK)
		in.parsed = d;
	if (verify_document(j->verifier, &in, &r, e) != ERR_OK)
		return err_wrap(e, "verify");
	return answer(r, d, type == ASK_OCTETS ? &fds[nfds - 1] : NULL, reply, e);
}

/* ---- what lies beside ---- */

static enum err_code
with_digest(const char *text, struct beside *w, struct err *e)
{
	AUTO(buf) struct buf value = {0};
	const char *colon = strchr(text, ':');
	AUTO(mem) char *name = colon != NULL ? mem_dup(text, (size_t)(colon - text)) : NULL;
	const struct digest_row *row = name != NULL ? digest_by_name(name) : NULL;

	if (row == NULL)
		return err_set(e, ERR_USAGE, "--with digest:%.80s: write digest:ALGORITHM:BASE64", text);
	if (base64_to(slice_str(colon + 1), &value, e) != ERR_OK || value.n != row->size)
		return err_set(e, ERR_USAGE, "--with digest:%.80s: %s has %zu octets in base64", text, row->name, row->size);
	w->digest = (struct digest){.alg = row->alg, .n = row->size};
	memcpy(w->digest.octets, value.p, value.n);
	return ERR_OK;
}

static enum err_code
with_file(const char *path, struct beside *w, int *slots, struct err *e)
{
	struct source s;

	if (sys_open_read(AT_FDCWD, path, &w->fd, e) != ERR_OK || source_fd(&w->fd, &s, e) != ERR_OK)
		return err_wrap(e, "--with %s", path);
	if (s.size_bytes > SMALL_BYTES) {
		if (*slots >= WORKER_FDS)
			return err_set(e, ERR_USAGE, "--with: more than %d files above 1 MiB", WORKER_FDS - 1);
		w->slot = (*slots)++;
		return ERR_OK;
	}
	if (source_read_all(&s, (size_t)SMALL_BYTES, &w->small, e) != ERR_OK)
		return err_wrap(e, "--with %s", path);
	w->small_slice = buf_slice(&w->small);
	return sys_close(&w->fd, e);
}

/* [NAME=]PATH, where NAME may be a URL. A path that exists as it stands wins. */
static enum err_code
with_one(const char *text, struct beside *w, int *slots, struct err *e)
{
	const char *eq = strchr(text, '=');
	const char *path = text, *base = NULL;

	/* A URL may hold '=', a path too: the first one that leaves an existing file. */
	while (eq != NULL && strchr(eq + 1, '=') != NULL && access(eq + 1, F_OK) != 0)
		eq = strchr(eq + 1, '=');
	*w = (struct beside){.fd = -1, .slot = -1};
	if (strncmp(text, "digest:", 7) == 0)
		return with_digest(text + 7, w, e);
	if (eq != NULL && access(text, F_OK) != 0) {
		path = eq + 1;
		w->name = mem_dup(text, (size_t)(eq - text));
	} else {
		base = strrchr(path, '/');
		w->name = mem_dupstr(base != NULL ? base + 1 : path);
	}
	if (w->name == NULL)
		return err_nomem(e);
	return with_file(path, w, slots, e);
}

static enum err_code
add_policies(struct verify_job *j, const char *const *paths, size_t n, struct err *e)
{
	size_t i;

	if (material_new(&j->material, e) != ERR_OK)
		return err_wrap(e, "verify");
	for (i = 0; i < n; i++) {
		AUTO(buf) struct buf raw = {0};

		if (sys_read_file(AT_FDCWD, paths[i], POLICY_DOCUMENT_BYTES, &raw, e) != ERR_OK ||
		    material_add(j->material, MAT_POLICY, buf_slice(&raw), e) != ERR_OK)
			return err_wrap(e, "--signature-policy %s", paths[i]);
	}
	return ERR_OK;
}

/* ---- one document ---- */

static enum err_code
ask(struct worker *w, struct verify_job *j, const char *path, struct buf *reply, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf body = {0};
	int fds[WORKER_FDS] = {-1};
	size_t n = 1, i;

	if (sys_open_read(AT_FDCWD, path, &fd, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	fds[0] = fd;
	for (i = 0; i < j->n_with; i++)
		if (j->with[i].slot >= 0)
			fds[n++] = j->with[i].fd;
	if (j->extract.shown != NULL && n == WORKER_FDS)
		return err_set(e, ERR_USAGE, "--extract: with at most %d files above 1 MiB", WORKER_FDS - 2);
	if (j->extract.shown != NULL)
		fds[n++] = j->extract.fd;
	buf_adds(&body, tool_base_name(path));
	if (buf_ok(&body, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	return worker_call(w, j->extract.shown != NULL ? ASK_OCTETS : ASK_VERDICT, buf_slice(&body), fds, n, 120000, reply, e);
}

/* What the cage could not finish is refused, with the reason; it is no verdict. */
static json_t *
unjudged_document(const char *path, const char *status, const char *why)
{
	return json_pack("{s:o, s:s, s:o, s:[], s:[]}", "file", json_text(tool_base_name(path)), "status", status, "error",
	    json_text(why), "signatures", "evidence_records");
}

static bool
too_large(const struct verify_job *j, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (uint64_t)st.st_size > j->cap_bytes;
}

static int
code_of(const json_t *document)
{
	const json_t *s = NULL, *sigs = json_object_get(document, "signatures");
	const char *status = json_string_value(json_object_get(document, "status"));
	int code = json_array_size(sigs) != 0 ? EXIT_POSITIVE : EXIT_INDETERMINATE;
	size_t i;

	if (json_integer_value(json_object_get(document, "unproven")) > 0)
		return EXIT_SOFTWARE;
	if (status != NULL && (strcmp(status, "refused") == 0))
		return EXIT_DATA;
	json_array_foreach (sigs, i, s) {
		const char *ind = json_string_value(json_object_get(s, "indication"));

		if (ind == NULL || strcmp(ind, "TOTAL-FAILED") == 0)
			return EXIT_NEGATIVE;
		if (strcmp(ind, "TOTAL-PASSED") != 0)
			code = EXIT_INDETERMINATE;
	}
	return code;
}

/* Worse of two: our own defect, damage, not there, refusal, indeterminate, positive. */
static int
worse(int a, int b)
{
	static const int order[] = {EXIT_SOFTWARE, EXIT_NEGATIVE, EXIT_NOINPUT, EXIT_DATA, EXIT_INDETERMINATE, EXIT_POSITIVE};
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a != 0 ? a : b;
}

/* The first answer's header is everyone's. */
static enum err_code
take_answer(struct slice reply, json_t **out, json_t **document, struct err *e)
{
	AUTO(json) json_t *both = NULL;

	if (json_read(reply, NULL, &both, e) != ERR_OK)
		return e->code;
	*document = json_incref(json_object_get(both, "document"));
	if (*out == NULL)
		*out = json_deep_copy(json_object_get(both, "header"));
	return ERR_OK;
}

static enum err_code
print_document(const struct tool *t, const json_t *header, const json_t *document, const char *path, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	if (t->json)
		return ERR_OK;
	if (report_text(header, document, path, &text, e) != ERR_OK)
		return e->code;
	return fputs(buf_str(&text), stdout) != EOF ? ERR_OK : err_errno(e, ERR_IO, errno, "stdout");
}

static enum err_code
print_extracted(const struct tool *t, const struct verify_job *j, const json_t *document, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	if (t->json || j->extract.shown == NULL || json_array_size(json_object_get(document, "signatures")) == 0)
		return ERR_OK;
	extract_text(&j->extract, document, &text);
	if (buf_ok(&text, e) != ERR_OK)
		return e->code;
	return fputs(buf_str(&text), stdout) != EOF ? ERR_OK : err_errno(e, ERR_IO, errno, "stdout");
}

static enum err_code
verify_one(struct tool *t, struct worker *w, struct verify_job *j, const char *path, json_t **out, int *code, struct err *e)
{
	AUTO(buf) struct buf reply = {0};
	AUTO(json) json_t *document = NULL;
	struct err why = {0};
	bool large = too_large(j, path);
	enum err_code r = large ? err_set(&why, ERR_LIMIT, "%s is larger than %llu octets", path, (unsigned long long)j->cap_bytes)
				: ask(w, j, path, &reply, &why);

	if (r == ERR_NOTFOUND || r == ERR_IO || r == ERR_NOMEM)
		return err_set(e, r, "%s", why.text);
	if (r != ERR_OK)
		document = unjudged_document(path, large ? "too_large" : "refused", why.text);
	else if (take_answer(buf_slice(&reply), out, &document, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	if (*out == NULL)
		*out = json_pack("{s:i, s:o, s:[]}", "schema", 1, "validation_time", json_time(j->time_utc), "documents");
	*code = worse(*code, code_of(document));
	if (j->extract.shown != NULL && extract_files(&j->extract, document, e) != ERR_OK)
		return e->code;
	if (print_document(t, *out, document, path, e) != ERR_OK || print_extracted(t, j, document, e) != ERR_OK)
		return err_wrap(e, "%s", path);
	return json_push(json_object_get(*out, "documents"), TAKE(document), e);
}

static enum err_code
judge_files(struct tool *t, struct verify_job *j, int n, char **paths, json_t **out, int *code, struct err *e)
{
	AUTO(worker) struct worker *w = NULL;
	struct worker_spec spec = {.name = "verify", .role = t->uncaged ? CAGE_NONE : CAGE_WORKER, .warm_up = warm_up, .handle = handle, .ctx = j};
	int i;

	if (worker_start(&spec, &w, e) != ERR_OK)
		return e->code;
	for (i = 0; i < n; i++) {
		if (verify_one(t, w, j, paths[i], out, code, e) == ERR_OK)
			continue;
		if (e->code != ERR_NOTFOUND || n == 1)
			return e->code;
		*code = worse(*code, tool_fail(t, e)); /* the others are judged all the same */
	}
	return ERR_OK;
}

static int
verify_files(struct tool *t, struct verify_job *j, int n, char **paths)
{
	AUTO(json) json_t *out = NULL;
	struct err e = {0};
	int code = EXIT_POSITIVE;

	if (judge_files(t, j, n, paths, &out, &code, &e) != ERR_OK)
		return tool_fail(t, &e);
	return t->json && tool_print(t, out) != EXIT_POSITIVE ? EXIT_IO : code;
}

static enum err_code
fill_job(struct tool *t, struct verify_job *j, const char *trust, const char *at, const char *policy, struct err *e)
{
	static const char *const names[] = {"default", "dss", "dss-lenient"};
	struct policy_choice c = {.name = policy, .is_file = true};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		c.is_file = c.is_file && strcmp(policy, names[i]) != 0;
	j->cap_bytes = (uint64_t)256 << 20;
	if (tool_anchors(trust, &j->anchors, e) != ERR_OK || tool_time(t, at, &j->time_utc, e) != ERR_OK ||
	    tool_policy(&c, &j->catalogue, &j->policy, NULL, e) != ERR_OK)
		return err_wrap(e, "verify");
	return ERR_OK;
}

/* The job is to be released whatever comes out. */
static enum err_code
open_job(struct tool *t, struct verify_job *j, const struct judge_request *q, struct err *e)
{
	int slots = 1;
	size_t i;

	j->with = mem_new(q->n_with + 1, sizeof(*j->with));
	if (j->with == NULL)
		return err_nomem(e);
	if (fill_job(t, j, q->trust, q->at, q->policy, e) != ERR_OK)
		return e->code;
	for (i = 0; i < q->n_with; i++) {
		j->n_with = i + 1;
		if (with_one(q->with[i], &j->with[i], &slots, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

static enum err_code
add_material(struct verify_job *j, const json_t *list, struct err *e)
{
	const json_t *o = NULL;
	size_t i;

	if (material_new(&j->material, e) != ERR_OK)
		return err_wrap(e, "verify");
	json_array_foreach (list, i, o) {
		AUTO(buf) struct buf raw = {0};
		const char *kind = json_string_value(json_object_get(o, "kind")), *path = json_string_value(json_object_get(o, "path"));
		enum material_kind k = strcmp(kind, "cert") == 0 ? MAT_CERT : strcmp(kind, "crl") == 0 ? MAT_CRL : MAT_OCSP;

		if (sys_read_file(AT_FDCWD, path, MATERIAL_BYTES, &raw, e) != ERR_OK || material_add(j->material, k, buf_slice(&raw), e) != ERR_OK)
			return err_wrap(e, "%s", path);
	}
	return ERR_OK;
}

enum err_code
tool_judge(struct tool *t, const struct judge_request *q, json_t **out, int *code, struct err *e)
{
	AUTO(mem) char *path = mem_dupstr(q->path);
	struct verify_job j = {0};
	enum err_code r;

	if (path == NULL)
		return err_nomem(e);
	r = open_job(t, &j, q, e);
	if (r == ERR_OK)
		r = add_material(&j, q->material, e);
	if (r == ERR_OK)
		r = judge_files(t, &j, 1, &path, out, code, e);
	job_release(&j);
	return r;
}

static bool
ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && strcmp(s + n - k, suffix) == 0;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A record of the archive: with -c, and a name that is no file. */
static int
verify_record(struct tool *t, const char *record, const char *at)
{
	AUTO(json) json_t *out = NULL;
	const json_t *d = NULL;
	struct err e = {0};
	int code = EXIT_POSITIVE;
	int64_t utc;
	size_t i;

	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || tool_time(t, at, &utc, &e) != ERR_OK ||
	    archive_verify(t->archive, record, utc, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (!t->json)
		tool_line(t, "record %s of archive %s", json_string_value(json_object_get(out, "record")), t->cfg->archive.dir);
	json_array_foreach (json_object_get(out, "documents"), i, d) {
		code = worse(code, code_of(d));
		if (print_document(t, out, d, NULL, &e) != ERR_OK)
			return tool_fail(t, &e);
	}
	return t->json && tool_print(t, out) != EXIT_POSITIVE ? EXIT_IO : code;
}

static int
verify_receipts(struct tool *t, int n, char **paths, const char *log_key, const char *consistency)
{
	int code = EXIT_POSITIVE, i;

	for (i = 0; i < n; i++)
		code = worse(code, verify_receipt(t, paths[i], log_key, consistency));
	return code;
}

static int
verb_verify(struct tool *t, int argc, char **argv)
{
	const char *trust = NULL, *at = NULL, *policy = NULL, *log_key = NULL, *extract = NULL, *consistency = NULL;
	const char *with[WITH_MAX], *policies[64];
	size_t n_with = 0, n_policies = 0;
	bool json = false, beside;
	const struct option_row rows[] = {{.name = "trust", .value = &trust}, {.name = "at", .value = &at}, {.name = "policy", .value = &policy},
	    {.name = "log-key", .value = &log_key}, {.name = "extract", .value = &extract}, {.name = "consistency", .value = &consistency},
	    {.name = "with", .list = with, .list_n = &n_with, .list_max = WITH_MAX},
	    {.name = "signature-policy", .list = policies, .list_n = &n_policies, .list_max = 64}, {.name = "json", .flag = &json}};
	struct judge_request q = {.policy = "default"};
	struct verify_job j = {0};
	struct err e = {0};
	int code;

	if (tool_options(rows, sizeof(rows) / sizeof(rows[0]), &argc, argv, &e) != ERR_OK)
		return tool_usage(tool_verb("verify"), e.text);
	t->json = t->json || json;
	if (argc < 2)
		return tool_usage(tool_verb("verify"), "name a file, a receipt, or a record");
	beside = n_with != 0 || n_policies != 0 || extract != NULL;
	if (extract != NULL && argc != 2)
		return tool_usage(tool_verb("verify"), "--extract goes with one file");
	if (ends_with(argv[1], ".receipt.json")) {
		if (trust != NULL || at != NULL || policy != NULL || beside)
			return tool_usage(tool_verb("verify"), "a receipt is checked with --log-key and --consistency alone");
		return verify_receipts(t, argc - 1, argv + 1, log_key, consistency);
	}
	if (consistency != NULL)
		return tool_usage(tool_verb("verify"), "--consistency is for receipts");
	if (trust == NULL && t->config_path != NULL && access(argv[1], F_OK) != 0) {
		if (argc != 2 || policy != NULL || beside || log_key != NULL)
			return tool_usage(tool_verb("verify"), "one record, and --at: its policy and material are the archive's");
		return verify_record(t, argv[1], at);
	}
	if (policy == NULL)
		policy = "default";
	if (argc == 2 && is_bundle(argv[1]))
		return beside ? tool_usage(tool_verb("verify"), "a bundle has with it what it needs: no --with, no --signature-policy; --extract is for one file")
			      : verify_bundle(t, argv[1], trust, at, policy, log_key);
	if (trust == NULL && is_folder(argv[1]))
		return tool_usage(tool_verb("verify"), "a folder without SHA256SUMS is no bundle, or an export that did not end");
	if (trust == NULL)
		return tool_usage(tool_verb("verify"), "--trust DIR is missing (an empty folder trusts nobody)");
	if (log_key != NULL)
		return tool_usage(tool_verb("verify"), "--log-key is for receipts and bundles");
	q = (struct judge_request){.trust = trust, .at = at, .policy = policy, .with = with, .n_with = n_with};
	code = (int)open_job(t, &j, &q, &e);
	if (code == ERR_OK)
		code = (int)add_policies(&j, policies, n_policies, &e);
	if (code == ERR_OK && extract != NULL)
		code = (int)extract_open(extract, &j.extract, &e);
	code = code == ERR_OK ? verify_files(t, &j, argc - 1, argv + 1) : tool_fail(t, &e);
	job_release(&j);
	return code;
}

const struct verb verbs_verify[] = {
    {"verify",
	"FILE... --trust DIR [--at T] [--with [NAME=]PATH | --with digest:ALG:BASE64]... [--signature-policy FILE]\n"
	"                [--policy default|dss|dss-lenient|FILE] [--extract DIR] [--json]\n"
	"       everseal verify X.receipt.json... --log-key FILE [--consistency FILE]\n"
	"       everseal verify BUNDLE [--trust DIR] [--at T] [--log-key FILE]\n"
	"       everseal -c FILE verify RECORD [--at T]",
	"judge signed files, receipts, bundles, records", verb_verify},
    {NULL, NULL, NULL, NULL},
};
