/* SPDX-License-Identifier: MIT */
/* An exported bundle judged without archive and network (docs/bundle.md): whole or not, then its documents. */
#include "tools/bundle.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the verdict on the documents ---- */

static void
texts_auto(json_t **names)
{
	json_decref(*names);
}

static enum err_code
judge_one(struct tool *t, struct checking *c, size_t file, struct judge_request *q, json_t **out, int *code, struct err *e)
{
	const json_t *originals = json_object_get(c->newest, "originals"), *o = NULL;
	AUTO(mem) const char **with = mem_new(json_array_size(originals) + 1, sizeof(*with));
	AUTO(mem) char *path = mem_printf("%s/files/%s", c->shown, member(json_array_get(originals, file), "name"));
	__attribute__((cleanup(texts_auto))) json_t *names = json_array();
	size_t i, n = 0;

	if (with == NULL || path == NULL || names == NULL)
		return err_nomem(e);
	/* What lies beside is as it was signed: the deposited version. */
	json_array_foreach (originals, i, o) {
		AUTO(mem) char *text = mem_printf("%s=%s/original/%s", member(o, "name"), c->shown, member(o, "name"));

		if (i == file)
			continue;
		if (text == NULL || json_push(names, json_text(text), e) != ERR_OK)
			return err_nomem(e);
		with[n++] = json_string_value(json_array_get(names, json_array_size(names) - 1));
	}
	q->path = path;
	q->with = with;
	q->n_with = n;
	q->material = c->material;
	return tool_judge(t, q, out, code, e);
}

static bool
is_signed(const json_t *m, size_t file)
{
	const json_t *s = NULL;
	size_t i;

	json_array_foreach (json_object_get(m, "signatures"), i, s)
		if (json_integer_value(json_object_get(s, "file")) == (json_int_t)file)
			return true;
	return false;
}

static enum err_code
judge_all(struct tool *t, struct checking *c, struct judge_request *q, json_t **out, int *code, struct err *e)
{
	size_t i, n = json_array_size(json_object_get(c->newest, "originals")), signed_files = 0;

	for (i = 0; i < n; i++) {
		if (!is_signed(c->newest, i))
			continue;
		signed_files++;
		if (judge_one(t, c, i, q, out, code, e) != ERR_OK)
			return fault_or_error(c, "documents", e);
	}
	if (signed_files == 0) /* kept as data: whole, but nothing here says who and when */
		*code = EXIT_INDETERMINATE;
	return ERR_OK;
}

/* ---- what is said ---- */

static json_t *
bundle_json(const struct checking *c, const char *trust)
{
	return json_pack("{s:s, s:o, s:b, s:O, s:I, s:I, s:O, s:s}", "directory", c->shown, "record", json_text(json_string_value(json_object_get(c->newest, "record"))),
	    "whole", (int)(json_array_size(c->faults) == 0), "faults", c->faults, "files", (json_int_t)json_object_size(c->listed), "manifests",
	    (json_int_t)c->n_manifests, "log", c->log, "trust", trust != NULL ? trust : "bundle");
}

/* Faults from number `from` on; how many there are. */
static size_t
say_faults(const struct checking *c, size_t from)
{
	size_t n = json_array_size(c->faults);

	for (; from < n; from++)
		printf("%s: DAMAGED: %s\n", c->shown, json_string_value(json_array_get(c->faults, from)));
	return n;
}

static void
say_bundle(const struct checking *c, const char *trust, const char *log_key)
{
	if (json_array_size(c->faults) == 0)
		printf("%s: whole: %zu files, %zu manifests of record %s\n", c->shown, json_object_size(c->listed), c->n_manifests, member(c->newest, "record"));
	if (c->key_differs && log_key != NULL)
		printf("%s: log: INDETERMINATE: the checkpoint is not signed by %s\n", c->shown, log_key);
	else if (json_object_get(c->log, "size") != NULL)
		printf("%s: log %s of %lld leaves holds every manifest, says %s\n", c->shown, member(c->log, "origin"),
		    (long long)json_integer_value(json_object_get(c->log, "size")), log_key != NULL ? log_key : "the bundle's own key: compare it with yours (--log-key)");
	printf("%s: judged with %s\n", c->shown, trust != NULL ? trust : "the anchors of the bundle, which are the archive's word: --trust DIR takes yours");
}

bool
is_bundle(const char *path)
{
	AUTO(mem) char *sums = mem_printf("%s/SHA256SUMS", path);
	struct stat st;

	return sums != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(sums, F_OK) == 0;
}

int
verify_bundle(struct tool *t, const char *dir, const char *trust, const char *at, const char *policy, const char *log_key)
{
	__attribute__((cleanup(checking_auto))) struct checking c = {.dir = -1, .shown = dir};
	AUTO(mem) char *own = mem_printf("%s/trust", dir);
	AUTO(json) json_t *out = NULL;
	struct judge_request q = {.trust = trust != NULL ? trust : own, .at = at, .policy = policy};
	struct err e = {0};
	int code = EXIT_POSITIVE;
	size_t said = 0;

	if (own == NULL)
		return err_nomem(&e) != ERR_OK ? tool_fail(t, &e) : EXIT_OSERR;
	if (bundle_check(&c, log_key, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (!t->json) {
		said = say_faults(&c, 0);
		say_bundle(&c, trust, log_key);
	}
	if (c.newest != NULL && judge_all(t, &c, &q, &out, &code, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (!t->json)
		(void)say_faults(&c, said);
	if (out == NULL)
		out = json_pack("{s:i, s:[]}", "schema", 1, "documents");
	if (json_set(out, "bundle", bundle_json(&c, trust), &e) != ERR_OK)
		return tool_fail(t, &e);
	if (c.key_differs && log_key != NULL && code == EXIT_POSITIVE)
		code = EXIT_INDETERMINATE;
	if (json_array_size(c.faults) != 0)
		code = EXIT_NEGATIVE;
	return t->json && tool_print(t, out) != EXIT_POSITIVE ? EXIT_IO : code;
}
