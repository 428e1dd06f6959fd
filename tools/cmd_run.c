/* SPDX-License-Identifier: MIT */
/* Verbs of the operator's days: run, sweep, forecast, status. */
#include "tools/page.h"
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

static long long
int_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

/* What recovery set aside stays loud until somebody has acknowledged it. */
static int
loss_or(const json_t *report, int otherwise)
{
	return int_of(report, "lost_alarms") != 0 ? EXIT_NEGATIVE : otherwise;
}

/* ---- run ---- */

/* One round by our own hand, or by the service that holds the lock. */
static enum err_code
run_once(struct tool *t, json_t **summary, struct err *e)
{
	AUTO(json) json_t *request = NULL;
	enum err_code r = tool_open(t, ARCHIVE_WRITE, e);

	if (r == ERR_OK)
		return archive_run_once(t->archive, summary, e);
	if (r != ERR_BUSY)
		return r;
	request = json_pack("{s:s}", "verb", "run");
	return archive_ask(t->cfg, request, NULL, 0, summary, e);
}

static void
print_losses(const json_t *report)
{
	if (int_of(report, "lost_alarms") != 0)
		tool_more("LOSS: %lld finds in lost/ that nobody has acknowledged (everseal lost)", int_of(report, "lost_alarms"));
}

/* The service was told to stop: all is well but for that. */
static int
loss_at_end(struct tool *t)
{
	struct store_status st;
	struct err e = {0};

	if (store_status(archive_store(t->archive), &st, &e) != ERR_OK)
		return tool_fail(t, &e);
	return st.lost_alarms != 0 ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

static int
verb_run(struct tool *t, int argc, char **argv)
{
	bool once = false;
	const struct option_row rows[] = {{.name = "once", .flag = &once}};
	AUTO(json) json_t *summary = NULL;
	struct err e = {0};
	int code;

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("run"), e.code != ERR_OK ? e.text : NULL);
	if (!once && !t->quiet)
		t->log.level = LOG_LEVEL_INFO;
	if (!once)
		return tool_open(t, ARCHIVE_WRITE, &e) == ERR_OK && archive_service(t->archive, &e) == ERR_OK ? loss_at_end(t) : tool_fail(t, &e);
	if (run_once(t, &summary, &e) != ERR_OK)
		return tool_fail(t, &e);
	code = tool_unproven(json_object_get(summary, "unproven")) ? EXIT_SOFTWARE
	    : json_is_true(json_object_get(summary, "intake_waits")) ? EXIT_TRYLATER : EXIT_POSITIVE;
	if (t->json) {
		(void)tool_print(t, summary);
		return loss_or(summary, code);
	}
	tool_line(t, "taken %lld, refused %lld, steps %lld, material jobs %lld (%lld failed), next %s", int_of(summary, "taken"),
	    int_of(summary, "refused"), int_of(summary, "steps"), int_of(summary, "material_jobs"), int_of(summary, "material_jobs_failed"),
	    text_of(summary, "next"));
	print_losses(summary);
	return loss_or(summary, code);
}

/* ---- sweep ---- */

/* How late it is, beyond merely due (docs/deadlines.md). */
static const char *
urgency(const char *alarm)
{
	static const char *const words[][2] = {
	    {"half", " (half the margin is gone)"}, {"month", " WITHIN A MONTH"}, {"week", " WITHIN A WEEK"}, {"lapsed", " LAPSED"}};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], alarm) == 0)
			return words[i][1];
	return "";
}

static void
print_sweep(struct tool *t, const json_t *r, bool plan)
{
	const json_t *c = NULL, *f = NULL;
	size_t i;

	tool_line(t, "sweep %s, catalogue %s", text_of(r, "time"), text_of(r, "catalogue_name"));
	json_array_foreach (json_object_get(r, "classes"), i, c)
		tool_more("%-6s due %.10s, deadline %.10s%s: %lld signatures, %s", text_of(c, "side"), text_of(c, "renew_by"), text_of(c, "deadline"),
		    urgency(text_of(c, "alarm")), int_of(c, "records"), text_of(c, "why"));
	if (plan)
		tool_more("to renew %lld, requests %lld, lapsed %lld, next class due %s", int_of(r, "records"), int_of(r, "requests"), int_of(r, "lapsed"), text_of(r, "next"));
	else
		tool_more("renewed %lld, late %lld, failed %zu, next class due %s", int_of(r, "renewed"), int_of(r, "late"),
		    json_array_size(json_object_get(r, "failed")), text_of(r, "next"));
	json_array_foreach (json_object_get(r, "failed"), i, f)
		tool_more("FAILED %s: %s", text_of(f, "record"), text_of(f, "why"));
}

static enum err_code
sweep(struct tool *t, bool plan, json_t **out, struct err *e)
{
	AUTO(json) json_t *request = NULL;
	enum err_code r = tool_open(t, plan ? ARCHIVE_READ : ARCHIVE_WRITE, e);

	if (r == ERR_OK)
		return plan ? archive_sweep_plan(t->archive, out, e) : archive_sweep(t->archive, out, e);
	if (r != ERR_BUSY)
		return r;
	request = json_pack("{s:s}", "verb", "sweep");
	return archive_ask(t->cfg, request, NULL, 0, out, e);
}

static int
verb_sweep(struct tool *t, int argc, char **argv)
{
	bool plan = false;
	const struct option_row rows[] = {{.name = "plan", .flag = &plan}};
	AUTO(json) json_t *out = NULL;
	struct err e = {0};

	if (tool_options(rows, 1, &argc, argv, &e) != ERR_OK || argc != 1)
		return tool_usage(tool_verb("sweep"), e.code != ERR_OK ? e.text : NULL);
	if (sweep(t, plan, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (t->json)
		(void)tool_print(t, out);
	else
		print_sweep(t, out, plan);
	if (!t->json)
		print_losses(out);
	if (loss_or(out, EXIT_POSITIVE) != EXIT_POSITIVE)
		return EXIT_NEGATIVE;
	if (json_array_size(json_object_get(out, "failed")) != 0 || json_is_true(json_object_get(out, "stopped")))
		return EXIT_TRYLATER;
	return EXIT_POSITIVE;
}

/* ---- forecast ---- */

static enum err_code
forecast_page(struct tool *t, const json_t *forecast, const char *path, struct err *e)
{
	AUTO(json) json_t *plan = NULL;
	AUTO(buf) struct buf html = {0};
	struct page_forecast f = {.forecast = forecast, .simulated = t->cfg->archive.clock_file != NULL};

	if (archive_sweep_plan(t->archive, &plan, e) != ERR_OK)
		return e->code;
	f.plan = plan;
	if (page_forecast(&f, &html, e) != ERR_OK)
		return e->code;
	return page_write(path, &html, e);
}

static int
verb_forecast(struct tool *t, int argc, char **argv)
{
	const char *years = "30", *html = NULL;
	const struct option_row rows[] = {{.name = "years", .value = &years}, {.name = "html", .value = &html}};
	AUTO(json) json_t *out = NULL;
	const json_t *y = NULL, *a = NULL;
	const char *year = NULL;
	struct err e = {0};
	size_t i;
	int ahead = 0;

	if (tool_options(rows, 2, &argc, argv, &e) != ERR_OK || argc != 1 || tool_number("years", years, 1, 200, &ahead, &e) != ERR_OK)
		return tool_usage(tool_verb("forecast"), e.code != ERR_OK ? e.text : NULL);
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || archive_forecast(t->archive, ahead, NULL, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (html != NULL)
		return forecast_page(t, out, html, &e) == ERR_OK ? EXIT_POSITIVE : tool_fail(t, &e);
	if (t->json)
		return tool_print(t, out);
	tool_line(t, "forecast from %s, %s years", text_of(out, "time"), years);
	json_object_foreach (json_object_get(out, "calendar"), year, y) {
		long long n = int_of(y, "renewals"), assumed = int_of(y, "assumed"), k;

		printf("  %s %6lld ", year, n);
		for (k = 0; k < n && k < 50; k++)
			putchar(k < n - assumed ? '#' : '.');
		tool_more("%s", json_string_value(json_array_get(json_object_get(y, "why"), 0)));
	}
	json_array_foreach (json_object_get(out, "assumptions"), i, a)
		tool_more("assumed: %s", json_string_value(a));
	return EXIT_POSITIVE;
}

/* ---- status ---- */

static void
print_intake(const json_t *intake, bool simulated)
{
	tool_more("%s", json_is_true(json_object_get(intake, "open")) ? "intake is open" : text_of(intake, "why"));
	if (!simulated && strcmp(text_of(intake, "clock_synchronised"), "yes") != 0)
		tool_more("clock: %s", strcmp(text_of(intake, "clock_synchronised"), "no") == 0 ? "the kernel says that nobody synchronises it"
												   : "the kernel does not say whether it is synchronised");
}

static void
print_anchors(const json_t *anchors)
{
	long long signer = int_of(anchors, "signer"), tsa = int_of(anchors, "tsa");

	tool_more("anchors: %lld for signers, %lld for TSAs%s", signer, tsa,
	    signer == 0 || tsa == 0 ? ": NOTHING can be found valid without (everseal trust add)" : "");
}

static void
print_store(const json_t *store)
{
	print_losses(store);
	if (int_of(store, "lost_mended") != 0)
		tool_more("MENDED: wrong octets were found and written anew from the other copy, %lld times: look after the disk (everseal lost)",
		    int_of(store, "lost_mended"));
	if (int_of(store, "groups_standing_once") != 0)
		tool_more("store: %lld groups stand once only (everseal upgrade-format)", int_of(store, "groups_standing_once"));
}

static int
verb_status(struct tool *t, int argc, char **argv)
{
	AUTO(json) json_t *out = NULL;
	const json_t *row = NULL, *value = NULL;
	const char *key = NULL;
	struct err e = {0};
	size_t i;

	(void)argv;
	if (argc != 1)
		return tool_usage(tool_verb("status"), NULL);
	if (tool_open(t, ARCHIVE_READ, &e) != ERR_OK || archive_status(t->archive, &out, &e) != ERR_OK)
		return tool_fail(t, &e);
	if (t->json) {
		(void)tool_print(t, out);
		return loss_or(json_object_get(out, "store"), EXIT_POSITIVE);
	}
	tool_line(t, "archive %s at %s", t->cfg->archive.dir, text_of(out, "time"));
	print_store(json_object_get(out, "store"));
	print_intake(json_object_get(out, "intake"), t->cfg->archive.clock_file != NULL);
	print_anchors(json_object_get(out, "anchors"));
	json_array_foreach (json_object_get(out, "unproven"), i, row)
		tool_more("DEFECT OF EVERSEAL, please report it: record %s: %s", text_of(row, "record"), text_of(row, "why"));
	printf("  cage: %s\n  signatures:", text_of(out, "cage"));
	json_object_foreach (json_object_get(out, "signatures"), key, value)
		printf(" %s %lld", key, json_integer_value(value));
	if (int_of(json_object_get(out, "signatures"), "quarantined") != 0)
		printf(" (everseal list: which; history RECORD: why)");
	printf("\n  next step: %s\n  renewal: %lld due, %lld lapsed, next class due %s\n", text_of(out, "next_step"),
	    int_of(json_object_get(out, "due"), "records"), int_of(json_object_get(out, "due"), "lapsed"), text_of(json_object_get(out, "due"), "next"));
	json_array_foreach (json_object_get(out, "tsa_certificates"), i, row)
		tool_more("TSA %s until %.10s: material %s%s%s", text_of(row, "subject"), text_of(row, "not_after"),
		    json_is_true(json_object_get(row, "complete")) ? "held" : "MISSING", json_is_string(json_object_get(row, "why")) ? ": " : "",
		    json_is_string(json_object_get(row, "why")) ? text_of(row, "why") : "");
	json_array_foreach (json_object_get(out, "services"), i, row) {
		if (int_of(row, "failures") == 0)
			tool_more("%s %s: good", text_of(row, "kind"), text_of(row, "name"));
		else
			tool_more("%s %s: FAILING, %s; next try %s", text_of(row, "kind"), text_of(row, "name"), text_of(row, "why"),
			    strcmp(text_of(row, "next"), text_of(out, "time")) > 0 ? text_of(row, "next") : "when it is needed");
	}
	json_array_foreach (json_object_get(out, "holds"), i, row)
		tool_more("issuer %s %s since %s: %s", text_of(row, "key"), json_is_true(json_object_get(row, "held")) ? "ON HOLD" : "watched",
		    text_of(row, "since"), text_of(row, "why"));
	return loss_or(json_object_get(out, "store"), EXIT_POSITIVE);
}

const struct verb verbs_run[] = {
    {"run", "[--once]", "the service; --once: the spool and what is due, then stop", verb_run},
    {"sweep", "[--plan]", "renew what is due; --plan: only say what, why and how many requests", verb_sweep},
    {"forecast", "[--years N] [--html FILE]", "renewals of the coming years, assumptions named; --html: as a calendar to look at", verb_forecast},
    {"status", "", "states, services, what is due", verb_status},
    {NULL, NULL, NULL, NULL},
};
