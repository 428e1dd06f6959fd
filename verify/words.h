/* SPDX-License-Identifier: MIT */
/* Pieces of the text report (report_text.c): foreign text among words of ours, bounded, on its line, and never taken for ours. */
#ifndef EVERSEAL_VERIFY_WORDS_H
#define EVERSEAL_VERIFY_WORDS_H

#include "verify/judge.h"

/* As it stands, plain (buf_addplain), cut behind 500 octets. */
void words_add(struct buf *b, const char *before, const char *foreign, const char *after);
/* In quotation marks, its own made apostrophes, cut behind 200 octets. */
void words_quoted(struct buf *b, const char *before, const char *foreign, const char *after);
/* An Id: what can't stand in a name becomes "?", so that it can't read like a verdict; cut behind 80 octets. */
void words_id(struct buf *b, const char *id);
/* The name of a file in front of a verdict: in quotation marks where it could be taken for more than a name. */
void words_name(struct buf *b, const char *name);

static inline const char *
words_of(const json_t *j, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : otherwise;
}

#endif
