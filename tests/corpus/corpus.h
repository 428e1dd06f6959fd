/* SPDX-License-Identifier: MIT */
/*
 * The outside corpus, run by `make corpus`: its tables, its files, and the two
 * comparisons (manifest.tsv: what the projects assert; dss-verdicts.tsv: what
 * EU DSS says with the same anchors, time and policy).
 */
#ifndef EVERSEAL_TESTS_CORPUS_CORPUS_H
#define EVERSEAL_TESTS_CORPUS_CORPUS_H

#include "base/sys.h"
#include "verify/verify.h"

#include <stdio.h>

/* ---- tables ---- */
struct table {
	struct buf text; /* cells point into it */
	char **cells;
	size_t n_rows, n_cols;
};
bool table_read(struct table *t, const char *root, const char *name);
void table_release(struct table *t);
/* "-" for a column that is not there. */
const char *cell(const struct table *t, size_t row, const char *column);

/* ---- inputs ---- */
struct inputs {
	struct side_file *files;
	struct slice *slices;
	struct buf *octets;
	char **names;
	struct digest *digests;
	size_t n, cap;
	struct material *material;
	bool evidence_record; /* one was given beside the file */
	bool missing;
};
bool corpus_read(const char *root, const char *path, struct buf *out); /* ".b64" is decoded */
bool inputs_load(struct inputs *in, const char *root, const char *detached);
void inputs_release(struct inputs *in);
/* list: names separated by ';', each folder/NAMEsuffix; "-" = none. */
struct anchors *anchors_load(const char *root, const char *list, const char *folder, const char *suffix);

struct corpus {
	const char *root; /* .../corpus */
	struct verifier *v;
	struct vpolicy dss, lenient;
	FILE *differences;
	const char *only; /* part of a path, or NULL */
	FILE *reports;	  /* every report as one JSON line, or NULL */
	const char *show; /* a row whose report is printed, or NULL */
};
struct report *corpus_verify(struct corpus *c, const char *path, struct slice doc, const struct inputs *in,
    const struct anchors *a, const struct vpolicy *policy, int64_t time_utc);
/* "a; b; c": the failing findings of a signature, for a reader of differences. */
void reasons(const struct report_signature *s, char *out, size_t n);

/* ---- clock.c ---- */
void clock_move(int years); /* the wall clock of this process, from now on */

/* False: what the task demands is not reached. */
bool run_verdicts(struct corpus *c);
bool run_manifest(struct corpus *c);

#endif
