/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err_code
run_fault(struct run *r, enum ref_fault fault, const char *fmt, ...)
{
	va_list ap;

	r->fault = fault;
	va_start(ap, fmt);
	vsnprintf(r->note, sizeof(r->note), fmt, ap);
	va_end(ap);
	return ERR_OK;
}

void
data_release(struct data *d)
{
	buf_release(&d->octets);
	origin_release(&d->origin);
	marks_free(d->nodes.marks);
	if (d->own_doc != NULL) {
		numbering_release(&d->own_numbers);
		xmlFreeDoc(d->own_doc);
	}
	*d = (struct data){0};
}

void
data_auto(struct data *d)
{
	data_release(d);
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p;

	p = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
	return p != NULL ? (int)(p - digits) : -1;
}

/* In place; a % without two digits stays as it is. False if it would hide a zero octet. */
static bool
percent_decode(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		int hi = *s == '%' ? hex_digit(s[1]) : -1, lo = hi >= 0 ? hex_digit(s[2]) : -1;

		if (lo < 0) {
			*to++ = *s;
			continue;
		}
		if (hi == 0 && lo == 0)
			return false;
		*to++ = (char)(hi * 16 + lo);
		s += 2;
	}
	*to = '\0';
	return true;
}

/* xpointer(id('x')) or xpointer(id("x")): the name, cut out in place; NULL when it has another form. */
static char *
xpointer_id(char *p)
{
	size_t n;

	if (strncmp(p, "xpointer(id(", 12) != 0)
		return NULL;
	p += 12;
	n = strlen(p);
	if (n < 4 || (p[0] != '\'' && p[0] != '"') || p[n - 3] != p[0] || strcmp(p + n - 2, "))") != 0)
		return NULL;
	p[n - 3] = '\0';
	return strpbrk(p + 1, "'\"") == NULL ? p + 1 : NULL;
}

static enum err_code
by_id(struct run *r, const char *id, struct data *out)
{
	bool ambiguous;
	xmlNode *n = idmap_find(&state_of(r->d)->ids, id, &ambiguous);

	if (ambiguous)
		return run_fault(r, REF_AMBIGUOUS, "the ID \"%.100s\" stands at more than one element", id);
	if (n == NULL)
		return run_fault(r, REF_NOT_FOUND, "no element with the ID \"%.100s\"", id);
	out->nodes.apex = n;
	return ERR_OK;
}

enum err_code
deref_local(struct run *r, const char *uri, struct data *out, struct err *e)
{
	AUTO(mem) char *copy = mem_dupstr(uri);
	char *id;
	enum err_code rc;

	if (copy == NULL)
		return err_nomem(e);
	out->kind = DATA_NODES;
	out->numbers = &state_of(r->d)->numbers;
	out->nodes = (struct nodes){.doc = r->d->dom, .apex = (const xmlNode *)r->d->dom};
	if (*uri == '\0')
		return ERR_OK;
	if (strcmp(uri, "#xpointer(/)") == 0) {
		out->nodes.comments = true;
		return ERR_OK;
	}
	if (strncmp(copy + 1, "xpointer(", 9) == 0) {
		id = xpointer_id(copy + 1);
		out->nodes.comments = true;
		if (id == NULL)
			return run_fault(r, REF_UNSUPPORTED_TRANSFORM, "XPointer \"%.100s\" (XMLDSig 4.4.3.2 knows two forms)", uri);
		return by_id(r, id, out);
	}
	rc = by_id(r, copy + 1, out);
	if (rc != ERR_OK || r->fault != REF_NOT_FOUND || strchr(copy, '%') == NULL || !percent_decode(copy))
		return rc;
	r->fault = REF_FINE;
	return by_id(r, copy + 1, out);
}

/* ---- data beside the document ---- */

/* Octets of a side file whose digests are not known yet, under every algorithm that a reference names. */
static enum err_code
file_digests(struct sigdoc *d, size_t i, struct err *e)
{
	struct docstate *st = state_of(d);
	struct file_digests *f = &st->files[i];
	AUTO(digester) struct digester *dg = NULL;
	enum digest_alg algs[DIGEST_ALGS];
	struct digest got[DIGEST_ALGS];
	struct sink sink;
	size_t n = 0, k;

	for (k = 1; k < DIGEST_ALGS; k++)
		if ((st->digest_set >> k & 1) != 0 && digest_evp((enum digest_alg)k) != NULL)
			algs[n++] = (enum digest_alg)k;
	f->done = true;
	if (n == 0)
		return ERR_OK;
	if (digester_new(algs, n, &dg, e) != ERR_OK)
		return err_wrap(e, "data file");
	sink = digester_sink(dg);
	if (source_copy(&d->files[i].source, 0, d->files[i].source.size_bytes, &sink, e) != ERR_OK ||
	    digester_finish(dg, got, e) != ERR_OK)
		return err_wrap(e, "data file");
	for (k = 0; k < n; k++)
		f->v[algs[k]] = got[k];
	return ERR_OK;
}

enum err_code
side_digest(struct sigdoc *d, size_t i, enum digest_alg alg, struct digest *out, struct err *e)
{
	const struct side_file *f = &d->files[i];
	struct file_digests *have = &state_of(d)->files[i];
	size_t k;

	*out = (struct digest){0};
	if (f->has_source) {
		if (!have->done && file_digests(d, i, e) != ERR_OK)
			return err_wrap(e, "%s", f->name != NULL ? f->name : "(nameless)");
		*out = have->v[alg];
		return ERR_OK;
	}
	for (k = 0; k < f->n_digests; k++)
		if (f->digests[k].alg == alg)
			*out = f->digests[k];
	return ERR_OK;
}

static bool
same_decoded(const char *uri, const char *name, bool *out)
{
	AUTO(mem) char *a = NULL;
	AUTO(mem) char *b = NULL;

	*out = false;
	if (strchr(uri, '%') == NULL && strchr(name, '%') == NULL)
		return true; /* compared as they are already */
	a = mem_dupstr(uri);
	b = mem_dupstr(name);
	if (a == NULL || b == NULL)
		return false;
	*out = percent_decode(a) && (strcmp(a, name) == 0 || (percent_decode(b) && strcmp(a, b) == 0));
	return true;
}

const struct side_file *
side_by_name(const struct sigdoc *d, const char *uri)
{
	size_t i;
	bool same;

	for (i = 0; i < d->n_files; i++)
		if (d->files[i].name != NULL && strcmp(d->files[i].name, uri) == 0)
			return &d->files[i];
	for (i = 0; i < d->n_files; i++)
		if (d->files[i].name != NULL && same_decoded(uri, d->files[i].name, &same) && same)
			return &d->files[i];
	return NULL;
}

/* A scheme other than a Windows drive's, a rooted path, or a step upwards: never followed (xades.md 1.3). */
bool
uri_forbidden(const char *uri)
{
	AUTO(mem) char *s = mem_dupstr(uri);
	const char *p;

	if (s == NULL || !percent_decode(s) || s[0] == '/' || s[0] == '\\')
		return true;
	p = s + strcspn(s, ":/?#");
	if (*p == ':' && p != s)
		return true;
	for (p = strstr(s, ".."); p != NULL; p = strstr(p + 1, ".."))
		if ((p == s || p[-1] == '/' || p[-1] == '\\') && (p[2] == '\0' || p[2] == '/' || p[2] == '\\'))
			return true;
	return false;
}
