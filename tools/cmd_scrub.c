/* SPDX-License-Identifier: MIT */
/* Verbs that look after what is kept: scrub and log. They need the store alone: no trust, no cage. */
#include "tools/tools.h"

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct watching {
	struct tool *t;
	json_t *damage;
	bool terminal;
};

static void
on_damage(void *ctx, const struct store_damage *d)
{
	struct watching *w = ctx;

	if (!w->t->json)
		printf("DAMAGED %s at %llu %s: %s\n", d->segment, (unsigned long long)d->offset_bytes, d->name, d->what);
	json_array_append_new(w->damage, json_pack("{s:s, s:I, s:o, s:o}", "segment", d->segment, "offset", (json_int_t)d->offset_bytes, "member",
	    json_text(d->name), "what", json_text(d->what)));
}

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct watching *w = ctx;

	if (w->terminal && total != 0)
		fprintf(stderr, "\rscrub: %llu of %llu MiB ", (unsigned long long)(done >> 20), (unsigned long long)(total >> 20));
}

/* since: what `log verify --since` found, or NULL. */
static int
say_report(struct tool *t, const char *verb, const struct store_report *r, json_t *damage, json_t *since)
{
	AUTO(json) json_t *out = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:I, s:O*}", "verb", verb, "groups", (json_int_t)r->groups, "leaves", (json_int_t)r->leaves,
	    "segments", (json_int_t)r->segments, "members", (json_int_t)r->members, "bytes", (json_int_t)r->bytes, "damaged", (json_int_t)r->damaged, "damage", damage,
	    "alarms", (json_int_t)r->alarms, "since", since);

	if (t->json)
		(void)tool_print(t, out);
	else if (strcmp(verb, "log verify") == 0)
		tool_line(t, "%s: %llu groups, %llu leaves, %llu octets; %llu damaged", verb, (unsigned long long)r->groups, (unsigned long long)r->leaves,
		    (unsigned long long)r->bytes, (unsigned long long)r->damaged);
	else
		tool_line(t, "%s: %llu members of %llu segments, %llu octets; %llu damaged", verb, (unsigned long long)r->members,
		    (unsigned long long)r->segments, (unsigned long long)r->bytes, (unsigned long long)r->damaged);
	return r->damaged + r->alarms != 0 ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

/* These need the store alone: no trust, no cage. */
static enum err_code
open_store(struct tool *t, struct store **out, struct err *e)
{
	AUTO(buf) struct buf notes = {0};
	struct archive_seams s;
	struct store_seams ss;

	if (tool_config(t, e) != ERR_OK)
		return e->code;
	s = tool_seams(t);
	ss = (struct store_seams){.clock = s.clock, .entropy = s.entropy};
	if (store_open(t->cfg->archive.dir, STORE_READ, &ss, out, e) != ERR_OK)
		return e->code;
	store_notes(*out, &notes);
	tool_notes(&notes);
	return ERR_OK;
}

/* A row's key that names a record, as text in it. */
static void
record_in(const char *name, json_t *records)
{
	char id[UUID_TEXT];
	size_t n = strlen(name), i;

	for (i = 0; i + UUID_TEXT - 1 <= n; i++) {
		memcpy(id, name + i, UUID_TEXT - 1);
		id[UUID_TEXT - 1] = '\0';
		if (uuid7_is(id))
			json_array_append_new(records, json_text(id));
	}
}

/* "records" of each damage: an object's are those whose manifests name it, a row's the one in its key. */
static enum err_code
whose(struct store *s, json_t *damage, json_t *all, struct err *e)
{
	static const char object[] = "objects/sha256/";
	AUTO(json) json_t *found = json_object();
	json_t *d = NULL, *r = NULL, *records = NULL;
	size_t i, k;

	json_array_foreach (damage, i, d)
		if (strncmp(word(d, "member", ""), object, strlen(object)) == 0)
			json_object_set_new(found, word(d, "member", "") + strlen(object), json_array());
	if (care_whose(s, found, e) != ERR_OK)
		return e->code;
	json_array_foreach (damage, i, d) {
		const char *member = word(d, "member", "");

		records = strncmp(member, object, strlen(object)) == 0 ? json_incref(json_object_get(found, member + strlen(object))) : json_array();
		if (strncmp(member, "index/", 6) == 0)
			record_in(member, records);
		json_array_foreach (records, k, r)
			json_object_set_new(all, json_string_value(r), json_true());
		json_object_set_new(d, "records", records);
	}
	return ERR_OK;
}

static enum err_code
note_scrub(struct tool *t, bool full, const struct store_report *r, const json_t *concerned, struct err *e)
{
	AUTO(json) json_t *line = NULL;
	int64_t now;

	if (tool_time(t, "now", &now, e) != ERR_OK)
		return e->code;
	line = json_pack("{s:i, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "time", json_time(now), "full", (int)full, "segments", (json_int_t)r->segments,
	    "members", (json_int_t)r->members, "bytes", (json_int_t)r->bytes, "damaged", (json_int_t)r->damaged, "alarms", (json_int_t)r->alarms, "records",
	    json_integer((json_int_t)json_object_size(concerned)));
	return line != NULL ? care_note(t->cfg->archive.dir, line, e) : err_nomem(e);
}

static int
verb_scrub(struct tool *t, int argc, char **argv)
{
	bool full = false;
	const struct option_row rows[] = {{.name = "full", .flag = &full}};
	AUTO(json) json_t *damage = json_array();
	AUTO(json) json_t *concerned = json_object();
	AUTO(store) struct store *s = NULL;
	struct watching w = {t, damage, isatty(2) != 0 && !t->quiet};
	struct store_watch watch = {on_damage, on_progress, &w};
	struct store_report r;
	struct err e = {0};
	const char *record = NULL;
	json_t *yes = NULL;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("scrub"), e.code != ERR_OK ? e.text : NULL);
	if (open_store(t, &s, &e) != ERR_OK || store_scrub(s, full, &watch, &r, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (whose(s, damage, concerned, &e) != ERR_OK) /* the damage is told all the same */
		fprintf(stderr, "everseal: whose records these are could not be found out: %s\n", e.text);
	if (!t->json)
		json_object_foreach (concerned, record, yes)
			printf("CONCERNS record %s\n", record);
	if (note_scrub(t, full, &r, concerned, &e) != ERR_OK)
		fprintf(stderr, "everseal: the history of scrubs could not be written: %s\n", e.text);
	return say_report(t, full ? "scrub --full" : "scrub", &r, damage, NULL);
}

static int
log_checkpoint(struct tool *t, struct store *s)
{
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	if (store_log_checkpoint(s, &text, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (t->json)
		return tool_done(t, json_pack("{s:o}", "checkpoint", json_text(buf_str(&text))), "%s", "");
	return fputs(buf_str(&text), stdout) != EOF ? EXIT_POSITIVE : EXIT_IO;
}

/* A kept checkpoint that is of another key says nothing of this log; any other fault is one of the log or of the file. */
static int
log_verify(struct tool *t, struct store *s, const char *log_key, const char *since)
{
	AUTO(json) json_t *damage = json_array();
	AUTO(json) json_t *told = NULL;
	struct watching w = {t, damage, false};
	struct store_watch watch = {on_damage, NULL, &w};
	struct tlog_checkpoint kept;
	struct store_report r;
	struct err e = {0};
	enum err_code goes_on = ERR_OK;
	int code;

	if ((since != NULL && kept_checkpoint(since, log_key, &kept, &e) != ERR_OK) || store_log_verify(s, &watch, &r, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (since != NULL)
		goes_on = log_goes_on(s, since, &kept, &told, &e);
	if (goes_on != ERR_OK && goes_on != ERR_DAMAGED)
		return tool_fail(t, &e);
	code = say_report(t, "log verify", &r, damage, told);
	if (goes_on != ERR_OK)
		fprintf(stderr, "everseal: %s\n", e.text);
	else if (since != NULL && !t->json)
		tool_more("it goes on from %s, %llu leaves", since, (unsigned long long)kept.size);
	return goes_on == ERR_OK ? code : EXIT_NEGATIVE;
}

static int
log_prove(struct tool *t, struct store *s, const char *log_key, const char *from, const char *to)
{
	AUTO(json) json_t *out = NULL;
	struct err e = {0};

	if (log_proof(s, log_key, from, to, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	return tool_print(t, out);
}

static int
verb_log(struct tool *t, int argc, char **argv)
{
	const char *since = NULL, *from = NULL, *to = NULL, *what;
	const struct option_row rows[] = {{.name = "since", .value = &since}, {.name = "from", .value = &from}, {.name = "to", .value = &to}};
	AUTO(store) struct store *s = NULL;
	AUTO(mem) char *log_key = NULL;
	struct err e = {0};
	bool verify, proof;

	if (tool_options(rows, 3, &argc, argv, &e) != ERR_OK || argc != 2)
		return tool_usage(tool_verb("log"), e.code != ERR_OK ? e.text : NULL);
	what = argv[1];
	verify = strcmp(what, "verify") == 0;
	proof = strcmp(what, "proof") == 0;
	if ((!verify && !proof && strcmp(what, "checkpoint") != 0) || (since != NULL && !verify) || (from != NULL) != proof || (to != NULL && !proof))
		return tool_usage(tool_verb("log"), NULL);
	if (open_store(t, &s, &e) != ERR_OK)
		return tool_fail(t, &e);
	log_key = mem_printf("%s/log.pub", t->cfg->archive.dir);
	if (log_key == NULL) {
		(void)err_nomem(&e);
		return tool_fail(t, &e);
	}
	if (verify)
		return log_verify(t, s, log_key, since);
	return proof ? log_prove(t, s, log_key, from, to) : log_checkpoint(t, s);
}

const struct verb verbs_scrub[] = {
    {"scrub", "[--full]", "look at everything that is kept; --full: both digests", verb_scrub},
    {"log", "verify [--since FILE] | checkpoint | proof --from FILE|N [--to FILE]",
	"the whole log against its groups and checkpoint, and against a checkpoint or receipt that somebody kept", verb_log},
    {NULL, NULL, NULL, NULL},
};
