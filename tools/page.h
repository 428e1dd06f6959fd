/* SPDX-License-Identifier: MIT */
/*
 * Pictures for those who would rather look than read: one HTML file each, whole in itself. No script, nothing fetched
 * (a Content-Security-Policy says so too), light and dark, printable, every picture also as a table.
 *
 *	page_record(&r, &html, e)  or  page_forecast(&f, &html, e)
 *	page_write(path, &html, e)
 *
 * Names, titles, subjects and URLs are foreign: they get into a page through page_put alone, which escapes every %s.
 */
#ifndef EVERSEAL_TOOLS_PAGE_H
#define EVERSEAL_TOOLS_PAGE_H

#include "base/json.h"

/* All borrowed. */
struct page_record {
	const json_t *history;	/* archive_history: at least one manifest */
	const json_t *ends;	/* archive_class_ends of the newest */
	const json_t *report;	/* archive_verify at now_utc */
	const json_t *deadline; /* archive_deadline */
	int64_t now_utc;
	bool simulated;
};
/* The timeline of a record, appended to out. */
MUST_USE enum err_code page_record(const struct page_record *r, struct buf *out, struct err *e);

struct page_forecast {
	const json_t *forecast; /* archive_forecast */
	const json_t *plan;	/* archive_sweep_plan */
	bool simulated;
};
/* The calendar of renewals, appended to out. */
MUST_USE enum err_code page_forecast(const struct page_forecast *f, struct buf *out, struct err *e);

/* As sys_write_durably: the file is whole or as it was. */
MUST_USE enum err_code page_write(const char *path, const struct buf *html, struct err *e);

/*
 * Markup with values: %s is escaped for text and for attributes in double quotes (NULL is "-"), %d an int, %f with one
 * decimal, %% itself; nothing else. The markup itself is a literal, never foreign.
 */
void page_put(struct buf *out, const char *markup, ...) PRINTF(2, 3);
void page_head(struct buf *out, const char *title, bool simulated);
void page_tail(struct buf *out);
/* What a signature of a report's document signs, each reference with its outcome, in the words of the text report. */
void page_signs(struct buf *out, const json_t *signature, const json_t *document);
/* "2031-05-01"; "-" not known, "open" no end. */
const char *page_day(int64_t utc, char text[24]);
const char *page_str(const json_t *j, const char *key, const char *otherwise);
int page_int(const json_t *j, const char *key);

/* cmd_history.c: the last state in a row that differs from i in its time alone; what is new about signature k in state i, or "". */
size_t history_run(const json_t *history, size_t i);
const char *history_why(const json_t *history, size_t i, size_t k);
#endif
