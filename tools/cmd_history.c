/* SPDX-License-Identifier: MIT */
/* history: every state of a record, as lines or as a page. */
#include "tools/page.h"
#include "tools/tools.h"

#include <string.h>

static enum err_code
history_page(struct tool *t, const json_t *history, const char *path, struct err *e)
{
	const json_t *m = json_array_get(history, json_array_size(history) - 1);
	const char *record = json_string_value(json_object_get(m, "record"));
	AUTO(json) json_t *ends = NULL;
	AUTO(json) json_t *report = NULL;
	AUTO(json) json_t *deadline = NULL;
	AUTO(buf) struct buf html = {0};
	struct page_record r = {.history = history, .simulated = t->cfg->archive.clock_file != NULL};

	if (record == NULL)
		return err_set(e, ERR_DAMAGED, "the newest manifest names no record");
	if (tool_time(t, "now", &r.now_utc, e) != ERR_OK || archive_class_ends(t->archive, m, &ends, e) != ERR_OK ||
	    archive_verify(t->archive, record, r.now_utc, &report, e) != ERR_OK || archive_deadline(t->archive, m, &deadline, e) != ERR_OK)
		return e->code;
	r.ends = ends;
	r.report = report;
	r.deadline = deadline;
	return page_record(&r, &html, e) == ERR_OK ? page_write(path, &html, e) : e->code;
}

static const json_t *
signature_of(const json_t *m, size_t k)
{
	return json_array_get(json_object_get(m, "signatures"), k);
}

/* Another try that changed nothing. */
static bool
same_state(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"level", "indication", "subindication", "state", "reason"};
	size_t n = json_array_size(json_object_get(a, "signatures")), k, i;
	bool same = n == json_array_size(json_object_get(b, "signatures")) && strncmp(word(a, "event", "-"), "hold", 4) != 0 &&
	    strcmp(word(a, "event", "-"), word(b, "event", "-")) == 0;

	for (k = 0; same && k < n; k++)
		for (i = 0; same && i < sizeof(keys) / sizeof(keys[0]); i++)
			same = strcmp(word(signature_of(a, k), keys[i], ""), word(signature_of(b, k), keys[i], "")) == 0;
	return same;
}

size_t
history_run(const json_t *history, size_t i)
{
	while (i + 1 < json_array_size(history) && same_state(json_array_get(history, i), json_array_get(history, i + 1)))
		i++;
	return i;
}

const char *
history_why(const json_t *history, size_t i, size_t k)
{
	const char *why = word(signature_of(json_array_get(history, i), k), "reason", "");

	return i != 0 && strcmp(why, word(signature_of(json_array_get(history, i - 1), k), "reason", "")) == 0 ? "" : why;
}

/* One state: when, what happened, how each signature stood, and why if that is new. */
static void
history_line(struct tool *t, const json_t *history, size_t i)
{
	const json_t *m = json_array_get(history, i), *s = NULL, *holds = json_object_get(m, "holds"), *sigs = json_object_get(m, "signatures");
	const char *event = word(m, "event", "-");
	size_t k;

	if (strncmp(event, "hold", 4) == 0)
		tool_line(t, "%3lld  %s  %s: %s", (long long)json_integer_value(json_object_get(m, "seq")), word(m, "time", "-"), event,
		    word(json_array_get(holds, json_array_size(holds) - 1), "reason", "-"));
	else
		tool_line(t, "%3lld  %s  %s", (long long)json_integer_value(json_object_get(m, "seq")), word(m, "time", "-"), event);
	json_array_foreach (sigs, k, s) {
		const char *why = history_why(history, i, k);

		tool_more("     signature %zu: %s, %s%s%s, %s%s%s", k, word(s, "level", "-"), word(s, "indication", "-"),
		    word(s, "subindication", "")[0] != '\0' ? " " : "", word(s, "subindication", ""), word(s, "state", "-"), why[0] != '\0' ? ": " : "", why);
	}
}

int
verb_history(struct tool *t, int argc, char **argv)
{
	const char *html = NULL;
	const struct option_row rows[] = {{.name = "html", .value = &html}};
	AUTO(json) json_t *out = NULL;
	struct err e = {0};
	size_t i, last;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 2)
		return tool_usage(tool_verb("history"), e.code != ERR_OK ? e.text : "name a record");
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || archive_history(t->archive, argv[1], &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (html != NULL)
		return history_page(t, out, html, &e) == ERR_OK ? EXIT_POSITIVE : tool_fail(t, &e);
	if (t->json)
		return tool_print(t, out);
	for (i = 0; i < json_array_size(out); i = last + 1) {
		last = history_run(out, i);
		history_line(t, out, i);
		if (last != i)
			tool_more("     the same %zu times more, last at %s", last - i, word(json_array_get(out, last), "time", "-"));
	}
	return EXIT_POSITIVE;
}
