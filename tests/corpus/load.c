/* SPDX-License-Identifier: MIT */
/* Tables and files of the corpus. */
#include "tests/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool
corpus_read(const char *root, const char *path, struct buf *out)
{
	char full[4096], piece[65536];
	AUTO(buf) struct buf raw = {0};
	struct stat st;
	size_t n, len = strlen(path);
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	if (stat(full, &st) != 0 || !S_ISREG(st.st_mode) || (f = fopen(full, "rb")) == NULL)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&raw, piece, n);
	fclose(f);
	if (len > 4 && strcmp(path + len - 4, ".b64") == 0)
		return base64_to(buf_slice(&raw), out, NULL) == ERR_OK;
	buf_addslice(out, buf_slice(&raw));
	return !out->failed;
}

bool
table_read(struct table *t, const char *root, const char *name)
{
	size_t lines = 0, i = 0;

	memset(t, 0, sizeof(*t));
	if (!corpus_read(root, name, &t->text))
		return false;
	char *rest = (char *)t->text.p, *line;
	for (char *p = rest; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	for (char *p = rest; *p != '\n' && *p != '\0'; p++)
		t->n_cols += *p == '\t';
	t->n_cols++;
	t->cells = mem_new((lines + 1) * t->n_cols, sizeof(char *));
	if (t->cells == NULL)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char *part = line;

		for (size_t k = 0; k < t->n_cols; k++)
			t->cells[i * t->n_cols + k] = part == NULL ? (char *)(uintptr_t)"-" : strsep(&part, "\t");
		i++;
	}
	t->n_rows = i;
	return true;
}

void
table_release(struct table *t)
{
	buf_release(&t->text);
	free(t->cells);
}

const char *
cell(const struct table *t, size_t row, const char *column)
{
	for (size_t k = 0; k < t->n_cols; k++)
		if (strcmp(t->cells[k], column) == 0)
			return t->cells[row * t->n_cols + k];
	return "-";
}

/* ---- detached documents ---- */

static bool
grow(struct inputs *in)
{
	size_t cap = in->cap == 0 ? 1024 : in->cap;

	if (in->n < in->cap)
		return true;
	if (in->cap != 0)
		return false;
	in->files = mem_new(cap, sizeof(*in->files));
	in->slices = mem_new(cap, sizeof(*in->slices));
	in->octets = mem_new(cap, sizeof(*in->octets));
	in->names = mem_new(cap, sizeof(*in->names));
	in->digests = mem_new(cap, sizeof(*in->digests));
	in->cap = cap;
	return in->files != NULL && in->slices != NULL && in->octets != NULL && in->names != NULL && in->digests != NULL;
}

static void
settle_file(struct inputs *in, const char *name)
{
	size_t i = in->n++;

	in->names[i] = mem_dupstr(name);
	in->slices[i] = buf_slice(&in->octets[i]);
	in->files[i] = (struct side_file){.name = in->names[i], .has_source = true};
	in->files[i].source = source_slice(&in->slices[i]);
}

/* digest:ALG:BASE64 */
static void
add_digest(struct inputs *in, const char *text)
{
	AUTO(buf) struct buf value = {0};
	const char *colon = strchr(text, ':');
	char name[32];

	if (colon == NULL)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	const struct digest_row *row = digest_by_name(name);
	if (row == NULL || base64_to(slice_str(colon + 1), &value, NULL) != ERR_OK || value.n > DIGEST_MAX || !grow(in))
		return;
	in->digests[in->n] = (struct digest){.alg = row->alg, .n = value.n};
	memcpy(in->digests[in->n].octets, value.p, value.n);
	in->files[in->n] = (struct side_file){.digests = &in->digests[in->n], .n_digests = 1};
	in->n++;
}

/* gen:NAME{1..9}REST="TEXT {i}" */
static void
add_generated(struct inputs *in, const char *rule)
{
	char name[256], rest[256], text[256], full[600];
	unsigned from, to;

	if (sscanf(rule, "%255[^{]{%u..%u}%255[^=]=\"%255[^{]{i}", name, &from, &to, rest, text) != 5)
		return;
	for (unsigned i = from; i <= to && grow(in); i++) {
		buf_addf(&in->octets[in->n], "%s%u", text, i);
		snprintf(full, sizeof(full), "%s%u%s", name, i, rest);
		settle_file(in, full);
	}
}

static void
add_policy(struct inputs *in, const char *root, const char *path)
{
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	if (!corpus_read(root, path, &b) || (in->material == NULL && material_new(&in->material, &e) != ERR_OK) ||
	    material_add(in->material, MAT_POLICY, buf_slice(&b), &e) != ERR_OK)
		in->missing = true;
}

static void
add_file(struct inputs *in, const char *root, char *item)
{
	char *eq = strchr(item, '='), *path = eq == NULL ? item : eq + 1;
	const char *name = eq != NULL ? item : strrchr(item, '/') == NULL ? item : strrchr(item, '/') + 1;

	if (eq != NULL)
		*eq = '\0';
	if (!grow(in) || !corpus_read(root, path, &in->octets[in->n])) {
		in->missing = true;
		return;
	}
	settle_file(in, name);
}

bool
inputs_load(struct inputs *in, const char *root, const char *detached)
{
	AUTO(mem) char *copy = mem_dupstr(detached);
	char *rest = copy, *item;

	memset(in, 0, sizeof(*in));
	if (strcmp(detached, "-") == 0 || strcmp(detached, "?") == 0)
		return true;
	while ((item = strsep(&rest, ";")) != NULL) {
		if (strncmp(item, "er:", 3) == 0)
			in->evidence_record = true;
		else if (strncmp(item, "policy:", 7) == 0)
			add_policy(in, root, item + 7);
		else if (strncmp(item, "digest:", 7) == 0)
			add_digest(in, item + 7);
		else if (strncmp(item, "gen:", 4) == 0)
			add_generated(in, item + 4);
		else
			add_file(in, root, item);
	}
	return !in->missing;
}

void
inputs_release(struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++) {
		buf_release(&in->octets[i]);
		free(in->names[i]);
	}
	free(in->files);
	free(in->slices);
	free(in->octets);
	free(in->names);
	free(in->digests);
	material_free(in->material);
	memset(in, 0, sizeof(*in));
}

struct anchors *
anchors_load(const char *root, const char *list, const char *folder, const char *suffix)
{
	struct anchors *a = NULL;
	AUTO(mem) char *copy = mem_dupstr(list);
	char *rest = copy, *item, path[1024];
	struct err e = {0};

	if (anchors_new(&a, &e) != ERR_OK)
		return NULL;
	if (strcmp(list, "-") == 0)
		return a;
	while ((item = strsep(&rest, ";")) != NULL) {
		AUTO(buf) struct buf b = {0};

		snprintf(path, sizeof(path), "%s%s%s", folder, item, suffix);
		if (corpus_read(root, path, &b) && anchors_add(a, buf_slice(&b), ROLE_ALL, TIME_MAX, item, &e) != ERR_OK)
			fprintf(stderr, "anchor %s: %s\n", path, e.text);
	}
	return a;
}

/* ---- one verification ---- */

static void
write_report(FILE *to, const struct report *r)
{
	AUTO(json) json_t *head = NULL, *one = NULL;
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	if (report_header_json(r, &head, &e) != ERR_OK || report_json(r, &one, &e) != ERR_OK ||
	    json_push(json_object_get(head, "documents"), TAKE(one), &e) != ERR_OK || json_canonical(head, &b, &e) != ERR_OK)
		fprintf(to, "%s\n", e.text);
	else
		fprintf(to, "%s\n", buf_str(&b));
}

struct report *
corpus_verify(struct corpus *c, const char *path, struct slice doc, const struct inputs *in, const struct anchors *a,
    const struct vpolicy *policy, int64_t time_utc)
{
	struct verify_input vi = {.name = path, .doc = doc, .files = in->files, .n_files = in->n, .material = in->material,
	    .anchors = a, .policy = policy, .time_utc = time_utc};
	struct report *r = NULL;
	struct err e = {0};

	if (verify_document(c->v, &vi, &r, &e) != ERR_OK)
		fprintf(stderr, "%s: %s\n", path, e.text);
	if (c->reports != NULL && r != NULL)
		write_report(c->reports, r);
	return r;
}

void
reasons(const struct report_signature *s, char *out, size_t n)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->n_findings && at + 1 < n; i++) {
		const struct finding *f = &s->findings[i];

		if (f->status == FIND_FAIL)
			at += (size_t)snprintf(out + at, n - at, "%s%s: %s", at == 0 ? "" : "; ", f->check, f->text);
	}
	for (char *p = out; *p != '\0'; p++)
		if (*p == '\t' || *p == '\n')
			*p = ' ';
}
