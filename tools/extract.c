/* SPDX-License-Identifier: MIT */
/*
 * The worker, which can open no file, writes all octets into one that has no name (docs/worker.md); what it says of them is
 * held against that file's size. Names are made of numbers, so nothing foreign decides where something is written.
 */
#include "tools/extract.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING_MAX 8
#define NAME_MAX_OCTETS 120

void
extract_release(struct extract *x)
{
	fd_auto(&x->dir);
	fd_auto(&x->fd);
}

enum err_code
extract_open(const char *dir, struct extract *x, struct err *e)
{
	AUTO(mem) char *name = mem_printf(".everseal-extract-%ld", (long)getpid());

	*x = (struct extract){.shown = dir, .dir = -1, .fd = -1};
	if (name == NULL)
		return err_nomem(e);
	if (sys_mkdirs(AT_FDCWD, dir, 0755, e) != ERR_OK || sys_open_dir(AT_FDCWD, dir, &x->dir, e) != ERR_OK ||
	    sys_create(x->dir, name, 0600, &x->fd, e) != ERR_OK || sys_unlink(x->dir, name, e) != ERR_OK)
		return err_wrap(e, "--extract %s", dir);
	return ERR_OK;
}

/* ---- names ---- */

struct ref_place {
	size_t signature, reference;
	bool is_entry;
	size_t entry; /* of the Manifest that the reference leads to */
};

static bool
is(const json_t *r, const char *key, const char *value)
{
	return strcmp(word(r, key, ""), value) == 0;
}

/* Of a file beside the document its own ending, if it is a plain one; XML where elements were hashed. */
static void
ending(const json_t *r, char out[ENDING_MAX + 1])
{
	const char *dot = strrchr(word(r, "covers", ""), '.');
	size_t n = 0;

	snprintf(out, ENDING_MAX + 1, "%s", is(r, "extent", "document") || is(r, "extent", "element") || is(r, "extent", "part") || is(r, "extent", "file_xml") ? "xml" : "octets");
	if (!is(r, "extent", "file") || dot == NULL)
		return;
	while (n <= ENDING_MAX && isalnum((unsigned char)dot[1 + n]) && (unsigned char)dot[1 + n] < 0x80)
		n++;
	if (n > 0 && n <= ENDING_MAX && dot[1 + n] == '\0')
		memcpy(out, dot + 1, n + 1);
}

static void
name_of(const json_t *r, const struct ref_place *p, char out[NAME_MAX_OCTETS])
{
	const json_t *intact = json_object_get(r, "intact");
	char end[ENDING_MAX + 1], entry[40] = "";

	ending(r, end);
	if (p->is_entry)
		snprintf(entry, sizeof(entry), "-entry-%zu", p->entry);
	snprintf(out, NAME_MAX_OCTETS, "signature-%zu-reference-%zu%s%s.%s", p->signature, p->reference, entry,
	    json_is_true(intact)    ? ""
		: json_is_false(intact) ? "-ALTERED"
					: "-not-checked",
	    end);
}

/* ---- all references of a document ---- */

struct visitor {
	enum err_code (*each)(void *ctx, json_t *reference, const struct ref_place *p, struct err *e);
	void *ctx;
};

static enum err_code
visit_list(const struct visitor *v, const json_t *list, struct ref_place p, bool entries, struct err *e)
{
	json_t *r = NULL;
	size_t i;

	json_array_foreach (list, i, r) {
		p.is_entry = entries;
		if (entries)
			p.entry = i;
		else
			p.reference = i;
		if (v->each(v->ctx, r, &p, e) != ERR_OK || (!entries && visit_list(v, json_object_get(r, "entries"), p, true, e) != ERR_OK))
			return e->code;
	}
	return ERR_OK;
}

static enum err_code
visit(const struct visitor *v, const json_t *document, struct err *e)
{
	const json_t *s = NULL;
	size_t i;

	json_array_foreach (json_object_get(document, "signatures"), i, s)
		if (visit_list(v, json_object_get(s, "references"), (struct ref_place){.signature = i}, false, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* ---- writing ---- */

static bool
was_had(const json_t *r)
{
	return json_is_integer(json_object_get(json_object_get(r, "extracted"), "at"));
}

static enum err_code
name_is_free(void *ctx, json_t *r, const struct ref_place *p, struct err *e)
{
	const struct extract *x = ctx;
	char name[NAME_MAX_OCTETS];
	struct stat st;

	name_of(r, p, name);
	if (was_had(r) && fstatat(x->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_EXISTS, "--extract: %s/%s is there already", x->shown, name);
	return ERR_OK;
}

/* sys_create makes a new file and follows no link. */
static enum err_code
write_one(void *ctx, json_t *r, const struct ref_place *p, struct err *e)
{
	const struct extract *x = ctx;
	json_t *extracted = json_object_get(r, "extracted");
	AUTO(fd) int to = -1;
	uint64_t at = 0, octets = 0;
	char name[NAME_MAX_OCTETS];
	struct source from;
	struct sink sink;

	if (!was_had(r))
		return ERR_OK;
	name_of(r, p, name);
	if (json_need_size(extracted, "at", &at, e) != ERR_OK || json_need_size(extracted, "octets", &octets, e) != ERR_OK ||
	    source_fd(&x->fd, &from, e) != ERR_OK)
		return err_wrap(e, "--extract");
	if (at > from.size_bytes || octets > from.size_bytes - at)
		return err_set(e, ERR_REFUSED, "--extract: the worker tells of octets that it did not write");
	sink = sink_fd(&to);
	if (sys_create(x->dir, name, 0644, &to, e) != ERR_OK || source_copy(&from, at, octets, &sink, e) != ERR_OK ||
	    sys_fdatasync(to, e) != ERR_OK || sys_close(&to, e) != ERR_OK || json_set(extracted, "file", json_text(name), e) != ERR_OK)
		return err_wrap(e, "--extract %s/%s", x->shown, name);
	json_object_del(extracted, "at");
	return ERR_OK;
}

enum err_code
extract_files(const struct extract *x, const json_t *document, struct err *e)
{
	struct visitor look = {name_is_free, (void *)(uintptr_t)x}, write = {write_one, (void *)(uintptr_t)x};

	return visit(&look, document, e) == ERR_OK ? visit(&write, document, e) : e->code;
}

/* ---- telling ---- */

struct telling {
	const struct extract *x;
	const json_t *document;
	struct buf *out;
};

static enum err_code
tell_one(void *ctx, json_t *r, const struct ref_place *p, struct err *e)
{
	const struct telling *t = ctx;
	const json_t *s = json_array_get(json_object_get(t->document, "signatures"), p->signature), *intact = json_object_get(r, "intact");
	const json_t *extracted = json_object_get(r, "extracted");

	(void)e;
	if (is(extracted, "file", "") || word(extracted, "file", NULL) == NULL)
		buf_addf(t->out, "    no file");
	else
		buf_addf(t->out, "    %s, %lld octets", word(extracted, "file", ""), (long long)json_integer_value(json_object_get(extracted, "octets")));
	buf_addf(t->out, ": reference %zu of signature %zu (%s)", p->reference, p->signature, word(s, "indication", "?"));
	if (p->is_entry)
		buf_addf(t->out, ", entry %zu of its Manifest", p->entry);
	buf_adds(t->out, ", ");
	report_reference_words(s, r, t->out);
	buf_addf(t->out, ": %s", json_is_true(intact) ? "intact" : json_is_false(intact) ? "ALTERED" : "not checked");
	if (word(extracted, "why", NULL) != NULL) {
		buf_adds(t->out, "; ");
		buf_addplain(t->out, word(extracted, "why", ""));
	}
	buf_adds(t->out, "\n");
	return ERR_OK;
}

void
extract_text(const struct extract *x, const json_t *document, struct buf *out)
{
	struct telling t = {x, document, out};
	struct visitor v = {tell_one, &t};
	struct err e = {0};

	buf_adds(out, "  what was signed, octet by octet, in ");
	buf_addplain(out, x->shown);
	buf_adds(out, ":\n");
	(void)!visit(&v, document, &e);
}
