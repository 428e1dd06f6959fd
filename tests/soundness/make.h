/* SPDX-License-Identifier: MIT */
/* Originals from the makers of the judge's tests: files, folders of anchors, and a row of the table for each, on stdout. */
#ifndef EVERSEAL_TESTS_SOUNDNESS_MAKE_H
#define EVERSEAL_TESTS_SOUNDNESS_MAKE_H

#include "tests/mini_doc.h"

void make_anchor(const char *dir, const char *world, const char *name, const struct who *w);
void make_row(const char *dir, const char *world, size_t number, const char *name, struct slice text, int64_t at, const char *policy);
void make_world(const char *dir);
void make_tree(const char *dir);
void make_forms(const char *dir);
void make_forger(const char *dir);

#endif
