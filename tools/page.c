/* SPDX-License-Identifier: MIT */
/* What pages share, the one way for text to get into them, and the calendar of renewals. */
#include "tools/page.h"
#include "base/sys.h"
#include "verify/verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 4   /* reasons a year shows in full */
#define REFS_SHOWN 8
#define EMPTY_MIN 3 /* so many years without work share a row */

static const char css[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c2430;--mute:#5d6877;--line:#d9dee5;--soft:#f3f5f8;--good:#1f7a5c;--good2:#bfe3d5;"
    "--bad:#b3261e;--bad2:#f7d6d3;--wait:#8a5a00;--wait2:#f6e3bd;--a1:#dcebf7;--a2:#a9cfec;--a3:#5b9fd0;--a4:#23689b}"
    "@media screen and (prefers-color-scheme:dark){:root{--bg:#14181e;--fg:#e6e9ee;--mute:#9aa5b3;--line:#333b46;--soft:#1c222a;--good:#5cc79f;"
    "--good2:#1f4a3c;--bad:#ff8a80;--bad2:#5a2320;--wait:#eab85a;--wait2:#4d3a12;--a1:#1d3143;--a2:#24506f;--a3:#2f78a8;--a4:#58aee6}}"
    "*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem 3rem;max-width:70rem;background:var(--bg);color:var(--fg);"
    "font:15px/1.5 system-ui,'DejaVu Sans',sans-serif}h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}"
    "h2{font-size:1.1rem;margin:2.2rem 0 .6rem}p{margin:.4rem 0}.mute{color:var(--mute)}.good{color:var(--good)}.bad{color:var(--bad)}"
    ".wait{color:var(--wait)}.sim{border:2px dashed var(--wait);color:var(--wait);padding:.3rem .8rem;margin:0 0 1.2rem;font-weight:600}"
    ".say{font-size:1.1rem;border-left:4px solid;padding:.3rem 0 .3rem .8rem;margin:1rem 0}.facts{display:grid;grid-template-columns:max-content 1fr;"
    "gap:.15rem 1.2rem;margin:1rem 0}.facts dt{color:var(--mute)}.facts dd{margin:0;overflow-wrap:anywhere}bdi{overflow-wrap:anywhere}"
    "code{font:12px/1.4 'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;"
    "border-bottom:1px solid var(--line)}th{color:var(--mute);font-weight:600}td.d{white-space:nowrap}"
    "svg{display:block;width:100%;height:auto;font:11px system-ui,'DejaVu Sans',sans-serif}svg text{fill:var(--fg);unicode-bidi:isolate}"
    "svg .m{fill:var(--mute)}.key{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;color:var(--mute);font-size:13px;margin:.5rem 0}"
    ".key i{display:inline-block;width:1.6em;height:.8em;margin-right:.4em;border-radius:2px;vertical-align:-.05em}"
    ".cal td,.cal th{text-align:center;padding:.22rem .3rem;border:1px solid var(--line)}.cal td:last-child,.cal th:last-child{text-align:left}"
    ".cal td:last-child{font-size:12.5px;width:40%}.c1{background:var(--a1)}.c2{background:var(--a2)}.c3{background:var(--a3);color:#fff}.c4{background:var(--a4);color:#fff}"
    ".as{background-image:repeating-linear-gradient(45deg,transparent 0 4px,var(--bg) 4px 6px);color:var(--fg)}.as b{background:var(--bg);padding:0 .25em;border-radius:2px}"
    ".cal td.none{text-align:left;width:auto;color:var(--mute);background:var(--soft)}@media screen and (prefers-color-scheme:dark){.c4{color:#0b1116}}"
    "@media print{body{max-width:none;padding:0;font-size:11px}:root{--bg:#fff;--fg:#000;--mute:#444}*{-webkit-print-color-adjust:exact;"
    "print-color-adjust:exact}tr,svg{break-inside:avoid}.wide{overflow:visible}@page{margin:14mm}}";

void
page_put(struct buf *out, const char *markup, ...)
{
	const char *s = NULL;
	va_list ap;

	va_start(ap, markup);
	for (; *markup != '\0'; markup++) {
		if (*markup != '%') {
			buf_add8(out, (unsigned char)*markup);
			continue;
		}
		switch (*++markup) {
		case 's':
			s = va_arg(ap, const char *);
			buf_addxml(out, s != NULL ? s : "-");
			break;
		case 'd':
			buf_addf(out, "%d", va_arg(ap, int));
			break;
		case 'f':
			buf_addf(out, "%.1f", va_arg(ap, double));
			break;
		case '%':
			buf_add8(out, '%');
			break;
		default: /* a fault in the caller's literal: no page rather than a wrong one */
			out->failed = true;
			va_end(ap);
			return;
		}
	}
	va_end(ap);
}

void
page_head(struct buf *out, const char *title, bool simulated)
{
	page_put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
	page_put(out, "<title>%s</title>\n<style>", title);
	buf_adds(out, css);
	page_put(out, "</style>\n</head>\n<body>\n<main>\n");
	if (simulated)
		page_put(out, "<p class=\"sim\" role=\"note\">SIMULATED: the clock of this archive is a file; its dates never were.</p>\n");
}

void
page_tail(struct buf *out)
{
	page_put(out, "</main>\n</body>\n</html>\n");
}

const char *
page_day(int64_t utc, char text[24])
{
	time_text(utc, text);
	if (utc != TIME_NONE && utc != TIME_MAX)
		text[10] = '\0';
	return text;
}

const char *
page_str(const json_t *j, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : otherwise;
}

int
page_int(const json_t *j, const char *key)
{
	return (int)json_integer_value(json_object_get(j, key));
}

void
page_signs(struct buf *out, const json_t *signature, const json_t *document)
{
	AUTO(buf) struct buf words = {0};
	const json_t *r = NULL, *refs = json_object_get(signature, "references");
	size_t i, lines = json_array_size(json_object_get(document, "derivation"));

	report_signature_words(signature, &words);
	if (refs != NULL && words.n != 0)
		page_put(out, "<br><bdi>%s</bdi>\n", buf_str(&words));
	if (lines != 0 && strcmp(page_str(signature, "indication", ""), "TOTAL-PASSED") == 0)
		page_put(out, "<br>proved in %d lines (verify --json shows them)\n", (int)lines);
	json_array_foreach (refs, i, r) {
		const json_t *intact = json_object_get(r, "intact");
		AUTO(buf) struct buf what = {0};

		if (i == REFS_SHOWN) {
			page_put(out, "<br>signs %d more\n", (int)(json_array_size(refs) - i));
			return;
		}
		report_reference_words(signature, r, &what);
		page_put(out, "<br>signs <bdi>%s</bdi>: <span class=\"%s\">%s</span>\n", buf_str(&what), json_is_true(intact) ? "good" : json_is_false(intact) ? "bad" : "wait",
		    json_is_true(intact) ? "intact" : json_is_false(intact) ? "ALTERED" : "not checked");
	}
}

enum err_code
page_write(const char *path, const struct buf *html, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO(mem) char *dir = slash != NULL ? mem_dup(path, (size_t)(slash - path) + 1) : mem_dupstr(".");
	AUTO(fd) int fd = -1;

	if (dir == NULL)
		return err_nomem(e);
	if (buf_ok(html, e) != ERR_OK || sys_open_dir(AT_FDCWD, dir, &fd, e) != ERR_OK ||
	    sys_write_durably(fd, slash != NULL ? slash + 1 : path, buf_slice(html), 0644, e) != ERR_OK)
		return err_wrap(e, "page %s", path);
	return ERR_OK;
}

/* ---- the calendar ---- */

static void
due_now(struct buf *out, const json_t *plan)
{
	const json_t *c = NULL;
	size_t i;

	page_put(out, "<h2>Due now</h2>\n");
	if (json_array_size(json_object_get(plan, "classes")) == 0) {
		page_put(out, "<p class=\"say good\">Nothing is due. Next: %s.</p>\n", page_str(plan, "next", "no day is known"));
		return;
	}
	page_put(out, "<p class=\"say %s\">%d signatures stand on time-stamps that are due for renewal; for %d of them the deadline has lapsed.</p>\n",
	    page_int(plan, "lapsed") != 0 ? "bad" : "wait", page_int(plan, "records"), page_int(plan, "lapsed"));
	page_put(out, "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Renew by<th scope=\"col\">Deadline<th scope=\"col\">Signatures"
		      "<th scope=\"col\">What ends<th scope=\"col\">State</tr></thead>\n<tbody>\n");
	json_array_foreach (json_object_get(plan, "classes"), i, c) {
		bool lapsed = json_is_true(json_object_get(c, "lapsed"));

		page_put(out, "<tr><td class=\"d\">%s<td class=\"d\">%s<td>%d<td><bdi>%s</bdi><td class=\"%s\">%s</tr>\n", page_str(c, "renew_by", "-"),
		    page_str(c, "deadline", "-"), page_int(c, "records"), page_str(c, "why", "-"), lapsed ? "bad" : "wait", lapsed ? "LAPSED" : "due");
	}
	page_put(out, "</tbody>\n</table></div>\n");
}

/* Shades by share of the busiest month, so that a small archive is not all pale. */
static int
shade(int n, int most)
{
	return 1 + (int)((long)(n - 1) * 4 / (most > 0 ? most : 1));
}

static void
month_cell(struct buf *out, const json_t *m, int most)
{
	int n = page_int(m, "renewals"), assumed = page_int(m, "assumed");

	if (n == 0)
		page_put(out, "<td>");
	else
		page_put(out, "<td class=\"c%d%s\" title=\"%d renewals, %d of them by assumed ends\"><b>%d</b>", shade(n, most), assumed == n ? " as" : "", n, assumed, n);
	if (assumed != 0 && assumed != n)
		page_put(out, "<br><small>%d assumed</small>", assumed);
}

static void
reasons(struct buf *out, const json_t *why)
{
	const json_t *w = NULL;
	size_t i, k, shown = 0, left = 0;

	json_array_foreach (why, i, w) {
		for (k = 0; k < i && !json_equal(json_array_get(why, k), w); k++)
			;
		if (k < i)
			continue;
		if (++shown > WHY_MAX)
			left++;
		else
			page_put(out, "<div><bdi>%s</bdi></div>", json_string_value(w));
	}
	if (left != 0)
		page_put(out, "<div class=\"mute\">and %d more reasons</div>", (int)left);
}

static int
busiest(const json_t *calendar, int *total, int *assumed)
{
	const json_t *y = NULL, *m = NULL;
	const char *year = NULL, *month = NULL;
	int most = 0;

	json_object_foreach ((json_t *)calendar, year, y) {
		*total += page_int(y, "renewals");
		*assumed += page_int(y, "assumed");
		json_object_foreach (json_object_get(y, "months"), month, m)
			most = page_int(m, "renewals") > most ? page_int(m, "renewals") : most;
	}
	return most;
}

static const json_t *
year_of(const json_t *calendar, int year)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", year);
	return json_object_get(calendar, key);
}

static void
year_row(struct buf *out, int year, const json_t *y, int most)
{
	const json_t *months = json_object_get(y, "months");
	char key[16];
	int month;

	page_put(out, "<tr><th scope=\"row\">%d", year);
	for (month = 1; month <= 12; month++) {
		snprintf(key, sizeof(key), "%02d", month);
		month_cell(out, json_object_get(months, key), most);
	}
	if (y != NULL)
		page_put(out, "<td>%d<td>", page_int(y, "renewals"));
	else
		page_put(out, "<td><td>");
	reasons(out, json_object_get(y, "why"));
	page_put(out, "</tr>\n");
}

static void
calendar_table(struct buf *out, const json_t *calendar, int first, int years, int most)
{
	static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int i, last;

	page_put(out, "<div class=\"wide\"><table class=\"cal\">\n<caption class=\"mute\">Renewals by the month in which they come up</caption>\n"
		      "<thead><tr><th scope=\"col\">Year");
	for (i = 0; i < 12; i++)
		page_put(out, "<th scope=\"col\">%s", names[i]);
	page_put(out, "<th scope=\"col\">All<th scope=\"col\">What ends</tr></thead>\n<tbody>\n");
	for (i = first; i < first + years; i = last + 1) {
		for (last = i; last < first + years && year_of(calendar, last) == NULL; last++)
			;
		if (last - i < EMPTY_MIN)
			year_row(out, last = i, year_of(calendar, i), most);
		else
			page_put(out, "<tr><th scope=\"row\">%d to %d<td colspan=\"14\" class=\"none\">none known yet</tr>\n", i, --last);
	}
	page_put(out, "</tbody>\n</table></div>\n<p class=\"key\"><span><i class=\"c1\"></i>few</span><span><i class=\"c4\"></i>many</span>"
		      "<span><i class=\"c3 as\"></i>hatched: the end is assumed, none is published</span></p>\n");
}

enum err_code
page_forecast(const struct page_forecast *f, struct buf *out, struct err *e)
{
	const json_t *calendar = json_object_get(f->forecast, "calendar"), *a = NULL;
	const char *time = page_str(f->forecast, "time", "-");
	int total = 0, assumed = 0, most = busiest(calendar, &total, &assumed), years = page_int(f->forecast, "years");
	size_t i;

	page_head(out, "Everseal: renewals to come", f->simulated);
	page_put(out, "<h1>Renewals to come</h1>\n<p class=\"mute\">As of %s, %d years ahead. Catalogue: <bdi>%s</bdi></p>\n", time, years,
	    page_str(f->plan, "catalogue_name", "-"));
	due_now(out, f->plan);
	page_put(out, "<h2>Calendar</h2>\n<p>%d renewals are in sight, %d of them by assumed ends.</p>\n", total, assumed);
	calendar_table(out, calendar, atoi(time), years, most);
	page_put(out, "<h2>What is assumed</h2>\n<ul>\n");
	json_array_foreach (json_object_get(f->forecast, "assumptions"), i, a)
		page_put(out, "<li>%s\n", json_string_value(a));
	page_put(out, "</ul>\n");
	page_tail(out);
	return buf_ok(out, e);
}
