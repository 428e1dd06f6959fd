/* SPDX-License-Identifier: MIT */
/* Verbs for bad days: rebuild, lost, upgrade-format. They need the store alone. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum err_code
seams_of(struct tool *t, struct store_seams *out, struct err *e)
{
	struct archive_seams s;

	if (tool_config(t, e) != ERR_OK)
		return e->code;
	s = tool_seams(t);
	*out = (struct store_seams){.clock = s.clock, .entropy = s.entropy};
	return ERR_OK;
}

static enum err_code
open_it(struct tool *t, enum store_open_flags flags, struct store **out, struct err *e)
{
	struct store_seams ss;

	if (seams_of(t, &ss, e) != ERR_OK)
		return e->code;
	return store_open(t->cfg->archive.dir, flags, &ss, out, e);
}

static long long
num(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

/* ---- what was set aside ---- */

static const char *
leaf_word(long long type)
{
	static const char *const words[] = {"?", "created", "kept", "step", "renewed", "hold", "trust", "rules", "material", "loss"};

	return type > 0 && type < (long long)(sizeof(words) / sizeof(words[0])) ? words[type] : "?";
}

static void
print_lost(const struct tool *t, const json_t *l)
{
	const json_t *row = NULL;
	size_t i;

	tool_line(t, "%s %s%s, %s: %s", word(l, "id", "?"), word(l, "kind", "?"),
	    json_is_true(json_object_get(l, "alarm")) ? " ALARM" : json_is_true(json_object_get(l, "acknowledged")) ? " (acknowledged)" : "",
	    word(l, "time", "-"), word(l, "why", "?"));
	json_array_foreach (json_object_get(l, "parts"), i, row)
		tool_more("%lld octets of %s at %lld: lost/%s/%s", num(row, "size"), word(row, "segment", "?"), num(row, "offset"), word(l, "id", "?"),
		    word(row, "file", "?"));
	json_array_foreach (json_object_get(l, "damage"), i, row)
		tool_more("%s at %lld %s: %s", word(row, "segment", "?"), num(row, "offset"), word(row, "name", ""), word(row, "what", "?"));
	json_array_foreach (json_object_get(l, "leaves"), i, row)
		tool_more("log entry %lld (%s) of record %s: a receipt that names this entry no longer holds", num(row, "index"),
		    leaf_word(num(row, "type")), word(row, "record", "?"));
}

/* Exit code by what nobody has acknowledged. */
static int
say_lost(struct tool *t, const char *verb, json_t *list, const char *good)
{
	AUTO(json) json_t *out = json_pack("{s:s, s:O}", "verb", verb, "lost", list);
	const json_t *l = NULL;
	bool alarm = false;
	size_t i;

	json_array_foreach (list, i, l)
		alarm |= json_is_true(json_object_get(l, "alarm"));
	if (t->json)
		(void)tool_print(t, out);
	if (!t->json && good != NULL)
		tool_line(t, "%s", good);
	json_array_foreach (list, i, l)
		if (!t->json)
			print_lost(t, l);
	return alarm ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

int
verb_lost(struct tool *t, int argc, char **argv)
{
	const char *acknowledge = NULL, *by = getenv("USER");
	const struct option_row rows[] = {{.name = "acknowledge", .value = &acknowledge}, {.name = "by", .value = &by}};
	AUTO(store) struct store *s = NULL;
	AUTO(json) json_t *list = NULL;
	struct err e = {0};

	if (tool_options(rows, 2, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("lost"), e.code != ERR_OK ? e.text : NULL);
	if (open_it(t, STORE_READ, &s, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (acknowledge != NULL && store_lost_acknowledge(s, acknowledge, by != NULL ? by : "operator", &e) != ERR_OK)
		return tool_fail(t, &e);
	if (lost_list(s, &list, &e) != ERR_OK)
		return tool_fail(t, &e);
	return say_lost(t, "lost", list, json_array_size(list) == 0 ? "nothing was set aside" : NULL);
}

/* ---- rebuild ---- */

static enum err_code
rebuild(struct tool *t, uint64_t accept, struct err *e)
{
	struct store_seams ss;
	enum err_code r = seams_of(t, &ss, e);

	if (r == ERR_OK)
		r = store_rebuild_accept(t->cfg->archive.dir, accept, &ss, e);
	return r == ERR_BUSY ? err_wrap(e, "stop the service first") : r;
}

/* What was given up is an entry of the log at once, when the archive can be opened whole; else with the next writer. */
static void
note_in_log(struct tool *t)
{
	struct err e = {0};

	if (tool_open(t, ARCHIVE_WRITE, &e) != ERR_OK)
		fprintf(stderr, "everseal: the loss is not in the log yet, the next writer notes it: %s\n", e.text);
	archive_close(t->archive);
	t->archive = NULL;
}

/* Digits alone, at least 1; one that does not fit is none. */
static bool
group_number(const char *text, uint64_t *out)
{
	char *end = NULL;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0;
}

int
verb_rebuild(struct tool *t, int argc, char **argv)
{
	const char *accept = NULL;
	const struct option_row rows[] = {{.name = "accept-loss", .value = &accept}};
	AUTO(store) struct store *s = NULL;
	AUTO(json) json_t *list = NULL;
	struct err e = {0};
	uint64_t group = 0;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("rebuild"), e.code != ERR_OK ? e.text : NULL);
	if (accept != NULL && !group_number(accept, &group))
		return tool_usage(tool_verb("rebuild"), "--accept-loss wants the number of a group");
	if (rebuild(t, group, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (group != 0)
		note_in_log(t);
	if (open_it(t, STORE_READ, &s, &e) != ERR_OK || lost_list(s, &list, &e) != ERR_OK)
		return tool_fail(t, &e);
	return say_lost(t, "rebuild", list, "the index is made again from the segments");
}

/* ---- upgrade-format ---- */

int
verb_upgrade_format(struct tool *t, int argc, char **argv)
{
	AUTO(store) struct store *s = NULL;
	struct err e = {0};
	uint64_t carried = 0;

	(void)argv;
	if (argc != 1)
		return tool_usage(tool_verb("upgrade-format"), NULL);
	if (open_it(t, STORE_WRITE, &s, &e) != ERR_OK || store_upgrade(s, &carried, &e) != ERR_OK ||
	    store_close(TAKE(s), &e) != ERR_OK) {
		if (e.code == ERR_BUSY)
			err_wrap(&e, "stop the service first");
		return tool_fail(t, &e);
	}
	return tool_done(t, json_pack("{s:s, s:i, s:I}", "verb", "upgrade-format", "format", STORE_FORMAT_VERSION, "carried", (json_int_t)carried),
	    "the store is of format %d; %llu groups got their second copy", STORE_FORMAT_VERSION, (unsigned long long)carried);
}
