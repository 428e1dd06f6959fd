/* SPDX-License-Identifier: MIT */
/* Reading the outside corpus: lines of its manifest, files, the data files of a line. */
#ifndef EVERSEAL_TESTS_CORPUS_H
#define EVERSEAL_TESTS_CORPUS_H

#include "tests/kit.h"
#include "verify/xades.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { C_PATH, C_KIND, C_SOURCE, C_DETACHED, C_ANCHOR, C_SIGNATURES, C_LEVEL, C_CRYPTO, C_STAMPS, C_INDICATION, C_SUB, C_NOTE, C_COLUMNS };

struct corpus_row {
	char line[16384];
	char *c[C_COLUMNS];
};

static inline bool
corpus_read(const char *path, struct buf *out)
{
	char full[4096], piece[65536];
	FILE *f;
	size_t n;
	struct stat st;

	snprintf(full, sizeof(full), "%s/corpus/%s", kit_shared(), path);
	if (stat(full, &st) != 0 || !S_ISREG(st.st_mode) || (f = fopen(full, "rb")) == NULL)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	fclose(f);
	return !out->failed;
}

/* The next line of that kind; false at the end. */
static inline bool
corpus_next(FILE *manifest, const char *kind, struct corpus_row *r)
{
	while (fgets(r->line, sizeof(r->line), manifest) != NULL) {
		char *p = r->line;
		size_t i;

		p[strcspn(p, "\n")] = '\0';
		for (i = 0; i < C_COLUMNS; i++)
			r->c[i] = p != NULL ? strsep(&p, "\t") : (char *)"";
		if (strcmp(r->c[C_KIND], kind) == 0)
			return true;
	}
	return false;
}

#define CORPUS_FILES 16
struct corpus_files {
	struct side_file v[CORPUS_FILES];
	struct buf octets[CORPUS_FILES];
	struct slice slices[CORPUS_FILES];
	char names[CORPUS_FILES][512];
	struct digest digests[CORPUS_FILES];
	size_t n;
	bool missing; /* a data file of the line is not in the corpus, or the line names a rule instead */
};

/* digest:ALG:BASE64 */
static inline void
corpus_digest(struct corpus_files *f, const char *text)
{
	const char *colon = strchr(text, ':');
	char name[32];
	AUTO(buf) struct buf value = {0};
	struct digest *d = &f->digests[f->n];
	const struct digest_row *row;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(name))
		return;
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = '\0';
	row = digest_by_name(name);
	if (row == NULL || base64_to(slice_str(colon + 1), &value, NULL) != ERR_OK || value.n > DIGEST_MAX)
		return;
	d->alg = row->alg;
	d->n = value.n;
	memcpy(d->octets, value.p, value.n);
	f->v[f->n] = (struct side_file){.digests = d, .n_digests = 1};
	f->n++;
}

/* Fill the data files of a line. beside: names relative to the document's folder (XML-DSig); else the last part of the path. */
static inline void
corpus_files_load(struct corpus_files *f, const struct corpus_row *r, bool beside)
{
	AUTO(mem) char *copy = mem_dupstr(r->c[C_DETACHED]);
	char *rest = copy, *item;
	size_t folder = (size_t)(strrchr(r->c[C_PATH], '/') + 1 - r->c[C_PATH]);

	memset(f, 0, sizeof(*f));
	while (strcmp(copy, "-") != 0 && strcmp(copy, "?") != 0 && (item = strsep(&rest, ";")) != NULL && f->n < CORPUS_FILES) {
		char *eq = strchr(item, '='), *path = eq != NULL ? eq + 1 : item, *name = item;

		if (strncmp(item, "policy:", 7) == 0 || strncmp(item, "er:", 3) == 0)
			continue;
		if (strncmp(item, "digest:", 7) == 0) {
			corpus_digest(f, item + 7);
			continue;
		}
		if (eq != NULL)
			*eq = '\0';
		else if (beside && strncmp(item, r->c[C_PATH], folder) == 0)
			name = item + folder;
		else if (strrchr(item, '/') != NULL)
			name = strrchr(item, '/') + 1;
		if (strncmp(item, "gen:", 4) == 0 || !corpus_read(path, &f->octets[f->n])) {
			f->missing = true;
			continue;
		}
		snprintf(f->names[f->n], sizeof(f->names[0]), "%s", name);
		f->slices[f->n] = buf_slice(&f->octets[f->n]);
		f->v[f->n].name = f->names[f->n];
		f->v[f->n].has_source = true;
		f->v[f->n].source = source_slice(&f->slices[f->n]);
		f->n++;
	}
}

static inline void
corpus_files_free(struct corpus_files *f)
{
	size_t i;

	for (i = 0; i < CORPUS_FILES; i++)
		buf_release(&f->octets[i]);
}

#endif
