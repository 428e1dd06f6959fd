/* SPDX-License-Identifier: MIT */
/*
 * The grammar of configuration and policy files: lines "[word NAME]" and
 * "key = value"; '#' at the start of a line or after white space begins a
 * comment; white space around everything is dropped.
 */
#ifndef EVERSEAL_POLICY_LINES_INT_H
#define EVERSEAL_POLICY_LINES_INT_H

#include "base/bytes.h"

enum line_kind { LINE_END = 0, LINE_SECTION, LINE_KEY, LINE_BAD };

#define LINE_MAX_BYTES 1024

struct line {
	enum line_kind kind;
	unsigned number;   /* from 1 */
	char *key, *value; /* LINE_SECTION: word and NAME ("" if none). Point into text */
	const char *fault; /* LINE_BAD: why, static text */
	char text[LINE_MAX_BYTES + 1];
};

struct lines {
	struct slice in;
	size_t at;
	unsigned number;
};
/* The next line that says something. */
void line_next(struct lines *l, struct line *out);
/* Splits at white space and commas: the next word, NULL at the end. The text is written to. */
char *word_next(char **rest);

#endif
