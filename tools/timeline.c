/* SPDX-License-Identifier: MIT */
/*
 * The timeline of a record: each time-stamp is a bar from its time to the end of its class. A bar that begins before the
 * one above it ends carries the proof on; where none does, the gap is drawn red.
 */
#include "tools/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEFT 24.0
#define RIGHT 976.0
#define LANE 19.0
#define BAR 12.0
#define AHEAD_SECONDS ((int64_t)30 * 365 * 86400) /* the axis goes no further, whatever a certificate promises */

/* A time-stamp of one signature. */
struct stamp {
	const json_t *piece;
	const char *why;   /* what ends it */
	int64_t at, until; /* TIME_MAX: no end published */
	int64_t held;	   /* until when the stamps before it hold; TIME_NONE for the first */
	bool late;
};

struct chain {
	struct stamp *v;
	size_t n, cap;
	int64_t until; /* until when the newest holds; TIME_NONE without a stamp */
	size_t gaps;   /* stamps made after the one before had ended, and a lapsed end */
};

static void
chain_auto(struct chain *c)
{
	free(c->v);
}

struct line {
	const struct page_record *r;
	const json_t *m; /* the newest manifest */
	struct buf *out;
	int64_t from, to;
	double y;
};

static bool
is_gap(const struct stamp *s)
{
	return s->held != TIME_NONE && s->at >= s->held;
}

/* Stamps of one moment stand beside each other: the longest counts. After that only the newest promises anything. */
static enum err_code
chain_of(const struct page_record *r, const json_t *m, size_t signature, struct chain *c, struct err *e)
{
	const json_t *piece = NULL;
	char thing[40];
	size_t i;

	snprintf(thing, sizeof(thing), "signature:%zu", signature);
	*c = (struct chain){.until = TIME_NONE};
	json_array_foreach (json_object_get(m, "evidence"), i, piece) {
		const json_t *end = json_object_get(r->ends, page_str(piece, "class", ""));
		struct stamp s = {.piece = piece, .why = page_str(end, "why", "-"), .late = json_is_true(json_object_get(piece, "late"))};

		if (strcmp(page_str(piece, "thing", ""), thing) != 0)
			continue;
		if (json_want_time(piece, "time", &s.at, e) != ERR_OK || json_want_time(end, "deadline", &s.until, e) != ERR_OK)
			return err_wrap(e, "evidence %zu", i);
		s.held = c->until;
		if (!mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v)))
			return err_nomem(e);
		c->until = c->n != 0 && c->v[c->n - 1].at == s.at && c->until > s.until ? c->until : s.until;
		c->v[c->n++] = s;
		c->gaps += is_gap(&s) || s.late;
	}
	c->gaps += c->n != 0 && c->until <= r->now_utc;
	return ERR_OK;
}

/* ---- drawing ---- */

static double
x_of(const struct line *l, int64_t utc)
{
	if (utc <= l->from)
		return LEFT;
	return utc >= l->to ? RIGHT : LEFT + (double)(utc - l->from) / (double)(l->to - l->from) * (RIGHT - LEFT);
}

static int
year_at(int64_t utc)
{
	char text[TIME_TEXT];

	return atoi(page_day(utc, text));
}

static void
axis(struct line *l, double height)
{
	int year, first = year_at(l->from), years = year_at(l->to) - first, step = years <= 15 ? 1 : years <= 30 ? 2 : years <= 75 ? 5 : 10;
	double now = x_of(l, l->r->now_utc);
	char text[TIME_TEXT];

	page_put(l->out, "<rect x=\"%f\" y=\"22\" width=\"%f\" height=\"%f\" style=\"fill:var(--soft)\"/>\n", now, RIGHT - now, height - 22);
	for (year = first; year <= first + years; year++) {
		double x = x_of(l, time_make(year, 1, 1, 0, 0, 0));

		if (year % step != 0)
			continue;
		page_put(l->out, "<path d=\"M%f 22V%f\" style=\"stroke:var(--line)\"/>", x, height);
		if (x < RIGHT - 20)
			page_put(l->out, "<text class=\"m\" x=\"%f\" y=\"14\">%d</text>\n", x, year);
	}
	page_put(l->out, "<path d=\"M%f 18V%f\" style=\"stroke:var(--fg);stroke-width:1.5;stroke-dasharray:4 3\"><title>today, %s</title></path>\n", now,
	    height, page_day(l->r->now_utc, text));
}

static void
bar(struct line *l, int64_t from, int64_t to, double height, const char *fill, const char *tip)
{
	double x = x_of(l, from), w = x_of(l, to) - x;

	page_put(l->out, "<rect x=\"%f\" y=\"%f\" width=\"%f\" height=\"%f\" rx=\"2\" style=\"fill:%s\"><title>%s</title></rect>\n", x, l->y, w < 2 ? 2.0 : w,
	    height, fill, tip);
}

static const char *
state_colour(const char *state)
{
	if (strcmp(state, "closed") == 0 || strcmp(state, "archived") == 0)
		return "var(--good)";
	return strcmp(state, "quarantined") == 0 ? "var(--bad)" : "var(--wait)";
}

/* A signature's states, one manifest after the other; what is the same stays one piece. */
static enum err_code
states(struct line *l, size_t signature, struct err *e)
{
	const json_t *m = NULL;
	const char *state = NULL;
	int64_t since = l->from, at;
	size_t i;

	json_array_foreach (l->r->history, i, m) {
		const char *next = page_str(json_array_get(json_object_get(m, "signatures"), signature), "state", "kept");

		if (json_want_time(m, "time", &at, e) != ERR_OK)
			return err_wrap(e, "state %zu", i);
		if (state == NULL)
			since = at;
		else if (strcmp(state, next) != 0) {
			bar(l, since, at, 5, state_colour(state), state);
			since = at;
		}
		state = next;
	}
	if (state != NULL)
		bar(l, since, l->r->now_utc, 5, state_colour(state), state);
	l->y += 14;
	return ERR_OK;
}

static const char *
kind_name(const char *kind)
{
	if (strcmp(kind, "T") == 0)
		return "T: on the signature";
	return strcmp(kind, "X") == 0 ? "X: on its proof material" : "A: on the whole archive form";
}

/* The subject's common name is what people know a service by. */
static char *
short_name(const char *subject)
{
	const char *cn = strstr(subject, "CN=");
	const char *from = cn != NULL ? cn + 3 : subject;

	return mem_dup(from, strcspn(from, ","));
}

/* Beside the bar where there is room: right of it, left of it, else inside. */
static void
label(const struct line *l, const struct stamp *s, const char *tsa, const char *end)
{
	double a = x_of(l, is_gap(s) ? s->held : s->at), b = x_of(l, s->until), y = l->y + BAR - 2;
	const char *kind = page_str(s->piece, "kind", "-");

	if (b < 660)
		page_put(l->out, "<text x=\"%f\" y=\"%f\">%s <tspan class=\"m\">%s, until %s</tspan></text>\n", b + 8, y, kind, tsa, end);
	else if (a > 340)
		page_put(l->out, "<text x=\"%f\" y=\"%f\" text-anchor=\"end\">%s <tspan class=\"m\">%s, until %s</tspan></text>\n", a - 9, y, kind, tsa, end);
	else
		page_put(l->out, "<text x=\"%f\" y=\"%f\">%s %s, until %s</text>\n", x_of(l, s->at) + 12, y, kind, tsa, end);
}

static enum err_code
draw_stamp(struct line *l, const struct stamp *s, struct err *e)
{
	AUTO(mem) char *tsa = short_name(page_str(s->piece, "tsa", "-"));
	AUTO(mem) char *tip = NULL;
	bool bad = s->late || is_gap(s);
	char at[TIME_TEXT], until[TIME_TEXT];

	page_day(s->at, at);
	page_day(s->until, until);
	tip = mem_printf("%s, made %s%s, holds until %s: %s", kind_name(page_str(s->piece, "kind", "")), at, bad ? " TOO LATE" : "", until, s->why);
	if (tsa == NULL || tip == NULL)
		return err_nomem(e);
	if (is_gap(s))
		bar(l, s->held, s->at, BAR, "url(#gap)", "gap: nothing held here");
	else if (s->held != TIME_NONE)
		page_put(l->out, "<path d=\"M%f %fv%f\" style=\"stroke:var(--good);stroke-width:1.5\"/>", x_of(l, s->at), l->y - LANE + BAR / 2, LANE);
	bar(l, s->at, s->until, BAR, bad ? "var(--bad2)" : "var(--good2)", tip);
	page_put(l->out, "<circle cx=\"%f\" cy=\"%f\" r=\"4.5\" style=\"fill:%s\"><title>%s</title></circle>\n", x_of(l, s->at), l->y + BAR / 2,
	    bad ? "var(--bad)" : "var(--good)", tip);
	label(l, s, tsa, until);
	l->y += LANE;
	return ERR_OK;
}

/* ---- a signature: its verdict in words, then its lines ---- */

/* The report's document that this signature stands in, and its place there; NULL if none tells of it. */
static const json_t *
document_of(const struct page_record *r, size_t signature, size_t *index)
{
	const json_t *d = NULL;
	size_t i, n;

	json_array_foreach (json_object_get(r->report, "documents"), i, d) {
		n = json_array_size(json_object_get(d, "signatures"));
		if (signature < n) {
			*index = signature;
			return d;
		}
		signature -= n;
	}
	return NULL;
}

/* Judged now; what the report does not tell, as the manifest last knew it. */
static const json_t *
judged(const struct page_record *r, const json_t *m, size_t signature)
{
	size_t index = 0;
	const json_t *d = document_of(r, signature, &index);

	return d != NULL ? json_array_get(json_object_get(d, "signatures"), index) : json_array_get(json_object_get(m, "signatures"), signature);
}

static const char *
verdict_class(const char *indication)
{
	if (strcmp(indication, "TOTAL-PASSED") == 0)
		return "good";
	return strcmp(indication, "TOTAL-FAILED") == 0 ? "bad" : "wait";
}

static enum err_code
draw_signature(struct line *l, size_t i, const struct chain *c, struct err *e)
{
	const json_t *s = json_array_get(json_object_get(l->m, "signatures"), i);
	const char *verdict = page_str(judged(l->r, l->m, i), "indication", "INDETERMINATE");
	size_t k;

	l->y += 18;
	page_put(l->out, "<text x=\"%f\" y=\"%f\" style=\"font-size:13px;font-weight:600\">Signature %d <tspan class=\"m\" style=\"font-weight:400\">%s</tspan> ", LEFT,
	    l->y, (int)i + 1, page_str(json_object_get(s, "signed_by"), "subject", "signer not known"));
	page_put(l->out, "<tspan style=\"fill:var(--%s)\">%s</tspan></text>\n", verdict_class(verdict), verdict);
	l->y += 8;
	if (states(l, i, e) != ERR_OK)
		return e->code;
	for (k = 0; k < c->n; k++)
		if (draw_stamp(l, &c->v[k], e) != ERR_OK)
			return e->code;
	if (c->n == 0) {
		page_put(l->out, "<text class=\"m\" x=\"%f\" y=\"%f\">no time-stamp of this archive</text>\n", LEFT, l->y + 10);
		l->y += LANE;
	} else if (c->until <= l->r->now_utc) {
		bar(l, c->until, l->r->now_utc, BAR, "url(#gap)", "lapsed: nothing holds here");
		l->y += LANE;
	}
	return ERR_OK;
}

/* Versions as ticks, holds as bars from "on" to "off". */
static enum err_code
draw_record(struct line *l, struct err *e)
{
	const json_t *v = NULL, *h = NULL;
	int64_t at, since = TIME_NONE;
	const char *reason = "";
	char tip[64];
	size_t i;

	l->y += 18;
	page_put(l->out, "<text x=\"%f\" y=\"%f\" style=\"font-size:13px;font-weight:600\">Versions and holds</text>\n", LEFT, l->y);
	l->y += 8;
	json_array_foreach (json_object_get(l->m, "versions"), i, v) {
		if (json_want_time(v, "time", &at, e) != ERR_OK)
			return err_wrap(e, "version %zu", i);
		snprintf(tip, sizeof(tip), "version %d", page_int(v, "n"));
		page_put(l->out, "<path d=\"M%f %fv10\" style=\"stroke:var(--a4);stroke-width:2.5\"><title>%s, %s, %s</title></path>\n", x_of(l, at), l->y, tip,
		    page_str(v, "level", "-"), page_str(v, "time", "-"));
	}
	l->y += 14;
	json_array_foreach (json_object_get(l->m, "holds"), i, h) {
		if (json_want_time(h, "time", &at, e) != ERR_OK)
			return err_wrap(e, "hold %zu", i);
		if (since != TIME_NONE && !json_is_true(json_object_get(h, "on"))) {
			bar(l, since, at, 6, "var(--wait)", reason);
			since = TIME_NONE;
		} else if (since == TIME_NONE && json_is_true(json_object_get(h, "on"))) {
			since = at;
			reason = page_str(h, "reason", "-");
		}
	}
	if (since != TIME_NONE)
		bar(l, since, l->to, 6, "var(--wait)", reason);
	l->y += 12;
	return ERR_OK;
}

static enum err_code
picture(struct line *l, const struct chain *chains, size_t n, struct err *e)
{
	double height = 22 + 18 + 8 + 14 + 12 + 6;
	size_t i;

	for (i = 0; i < n; i++)
		height += 18 + 8 + 14 + LANE * (double)(chains[i].n + (chains[i].n == 0 || chains[i].until <= l->r->now_utc));
	page_put(l->out, "<figure style=\"margin:1rem 0\"><div class=\"wide\"><svg viewBox=\"0 0 1000 %f\" style=\"min-width:44rem\" role=\"img\" aria-labelledby=\"pt pd\" xmlns=\"http://www.w3.org/2000/svg\">\n"
			 "<title id=\"pt\">Time-stamps of the record and how long each holds</title>\n<desc id=\"pd\">Years from left to right; a bar per "
			 "time-stamp, from its time to the end of what it rests on. The tables below say the same in words.</desc>\n"
			 "<defs><pattern id=\"gap\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
			 "<rect width=\"3\" height=\"6\" style=\"fill:var(--bad)\"/></pattern></defs>\n", height);
	axis(l, height);
	l->y = 22;
	for (i = 0; i < n; i++)
		if (draw_signature(l, i, &chains[i], e) != ERR_OK)
			return e->code;
	if (draw_record(l, e) != ERR_OK)
		return e->code;
	page_put(l->out, "</svg></div>\n<figcaption class=\"key\"><span><i style=\"background:var(--good2)\"></i>a time-stamp holds</span>"
			 "<span><i style=\"background:var(--good);height:.35em\"></i>archived</span><span><i style=\"background:var(--wait);height:.35em\"></i>in work, or on hold</span>"
			 "<span><i style=\"background:var(--bad)\"></i>gap, late, or quarantined</span><span><i style=\"background:var(--a4);width:.25em\"></i>version</span>"
			 "<span>dashed line: today; grey: to come</span></figcaption></figure>\n");
	return ERR_OK;
}

/* ---- the same in words ---- */

static void
sentence(struct buf *out, size_t i, const struct chain *c, int64_t now)
{
	char from[TIME_TEXT], to[TIME_TEXT];

	if (c->n == 0) {
		page_put(out, "<p class=\"say wait\">Signature %d has no time-stamp of this archive.</p>\n", (int)i + 1);
		return;
	}
	page_day(c->v[0].at, from);
	page_day(c->until, to);
	if (c->gaps == 0)
		page_put(out, "<p class=\"say good\">Signature %d: proof of existence unbroken from %s to %s; each time-stamp was made before the one before it ended.</p>\n",
		    (int)i + 1, from, c->until == TIME_MAX ? "an end not yet published" : to);
	else if (c->until <= now && c->gaps == 1)
		page_put(out, "<p class=\"say bad\">Signature %d: proof of existence is broken: the newest time-stamp ended on %s and none followed.</p>\n", (int)i + 1, to);
	else
		page_put(out, "<p class=\"say bad\">Signature %d: proof of existence is broken in %d place(s): a time-stamp was late, or none followed the one that ended.</p>\n",
		    (int)i + 1, (int)c->gaps);
}

static void
stamp_rows(struct buf *out, size_t i, const struct chain *c)
{
	char at[TIME_TEXT], until[TIME_TEXT], text[40];
	size_t k;

	for (k = 0; k < c->n; k++) {
		const struct stamp *s = &c->v[k];

		page_put(out, "<tr><td>%d<td>%s<td class=\"d\">%s<td><bdi>%s</bdi><td class=\"d\">%s<td><bdi>%s</bdi>", (int)i + 1, page_str(s->piece, "kind", "-"),
		    page_day(s->at, at), page_str(s->piece, "tsa", "-"), page_day(s->until, until), s->why);
		if (s->held == TIME_NONE)
			snprintf(text, sizeof(text), "first");
		else if (s->held == TIME_MAX)
			snprintf(text, sizeof(text), "in time");
		else
			snprintf(text, sizeof(text), "%lld days %s", llabs((long long)(s->held - s->at)) / 86400, is_gap(s) ? "TOO LATE" : "to spare");
		page_put(out, "<td class=\"%s\">%s%s</tr>\n", s->late || is_gap(s) ? "bad" : "good", text, s->late && !is_gap(s) ? ", LATE" : "");
	}
}

/* Octets do not fit an int. */
static const char *
size_text(const json_t *f, char text[32])
{
	snprintf(text, 32, "%lld", (long long)json_integer_value(json_object_get(f, "size")));
	return text;
}

static void
files(struct buf *out, const json_t *m)
{
	const json_t *f = NULL;
	char size[32];
	size_t i;

	page_put(out, "<h2>Files</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">File<th scope=\"col\">Since<th scope=\"col\">Octets<th scope=\"col\">SHA-256</tr></thead>\n<tbody>\n");
	json_array_foreach (json_object_get(m, "originals"), i, f)
		page_put(out, "<tr><td><bdi>%s</bdi>, as deposited (%s)<td class=\"d\">%s<td>%s<td><code>%s</code></tr>\n", page_str(f, "name", "-"), page_str(f, "form", "-"),
		    page_str(m, "kept", "-"), size_text(f, size), page_str(f, "sha256", "-"));
	json_array_foreach (json_object_get(m, "versions"), i, f)
		page_put(out, "<tr><td><bdi>%s</bdi>, version %d (%s)<td class=\"d\">%s<td>%s<td><code>%s</code></tr>\n",
		    page_str(json_array_get(json_object_get(m, "originals"), (size_t)page_int(f, "file")), "name", "-"), page_int(f, "n"), page_str(f, "level", "-"),
		    page_str(f, "time", "-"), size_text(f, size), page_str(f, "sha256", "-"));
	page_put(out, "</tbody>\n</table></div>\n");
}

static void
event_row(struct buf *out, const json_t *history, size_t i, size_t last)
{
	const json_t *h = json_array_get(history, i), *end = json_array_get(history, last);
	size_t k, n = json_array_size(json_object_get(h, "signatures"));

	page_put(out, "<tr><td>%d", page_int(h, "seq"));
	if (last != i)
		page_put(out, " to %d", page_int(end, "seq"));
	page_put(out, "<td class=\"d\">%s", page_str(h, "time", "-"));
	if (last != i)
		page_put(out, " to %s", page_str(end, "time", "-"));
	page_put(out, "<td>%s<td>", page_str(h, "event", "-"));
	for (k = 0; k < n; k++) {
		const char *why = history_why(history, i, k);

		if (why[0] != '\0' && (k == 0 || strcmp(why, history_why(history, i, k - 1)) != 0))
			page_put(out, "<div><bdi>%s</bdi></div>", why);
	}
	page_put(out, "</tr>\n");
}

static void
events(struct buf *out, const json_t *history, const json_t *m)
{
	const json_t *h = NULL;
	size_t i, last;

	page_put(out, "<h2>Events</h2>\n<table>\n<thead><tr><th scope=\"col\">Manifest<th scope=\"col\">Time<th scope=\"col\">Event<th scope=\"col\">Why</tr></thead>\n<tbody>\n");
	for (i = 0; i < json_array_size(history); i = last + 1) {
		last = history_run(history, i);
		event_row(out, history, i, last);
	}
	page_put(out, "</tbody>\n</table>\n");
	if (json_array_size(json_object_get(m, "holds")) == 0)
		return;
	page_put(out, "<h2>Legal holds</h2>\n<ul>\n");
	json_array_foreach (json_object_get(m, "holds"), i, h)
		page_put(out, "<li>%s %s: <bdi>%s</bdi>\n", page_str(h, "time", "-"), json_is_true(json_object_get(h, "on")) ? "on" : "released", page_str(h, "reason", "-"));
	page_put(out, "</ul>\n");
}

static void
heading(struct line *l, const char *name)
{
	const json_t *m = l->m, *d = l->r->deadline;
	char now[TIME_TEXT];
	int64_t next;
	size_t i, index;

	page_put(l->out, "<h1><bdi>%s</bdi></h1>\n<p class=\"mute\">Record <code>%s</code></p>\n<dl class=\"facts\">\n", page_str(m, "title", name), page_str(m, "record", "-"));
	page_put(l->out, "<dt>Name<dd><bdi>%s</bdi>\n<dt>Own id<dd><bdi>%s</bdi>\n<dt>Deposited<dd>%s by <bdi>%s</bdi>, profile <bdi>%s</bdi>\n", name, page_str(m, "own_id", "-"),
	    page_str(m, "kept", "-"), page_str(m, "depositor", "-"), page_str(json_object_get(m, "profile"), "id", "-"));
	for (i = 0; i < json_array_size(json_object_get(m, "signatures")); i++) {
		const json_t *s = judged(l->r, m, i);
		const char *verdict = page_str(s, "indication", "INDETERMINATE"), *sub = page_str(s, "subindication", "");

		page_put(l->out, "<dt>Signature %d<dd><b class=\"%s\">%s</b>%s%s, %s, judged %s\n", (int)i + 1, verdict_class(verdict), verdict, sub[0] != '\0' ? " " : "", sub,
		    page_str(s, "level", "-"), page_day(l->r->now_utc, now));
		page_signs(l->out, s, document_of(l->r, i, &index));
	}
	if (json_want_time(d, "next_deadline", &next, NULL) != ERR_OK || next == TIME_NONE)
		page_put(l->out, "<dt>Next deadline<dd>none yet (%s)\n</dl>\n", page_str(d, "waits_for", "-"));
	else
		page_put(l->out, "<dt>Next deadline<dd>%s%s <bdi>%s</bdi>\n</dl>\n", page_day(next, now), next <= l->r->now_utc ? ", LAPSED:" : ":", page_str(d, "why", "-"));
}

static enum err_code
body(struct line *l, const struct chain *chains, size_t n, struct err *e)
{
	const json_t *d = NULL;
	size_t i;

	json_array_foreach (json_object_get(l->r->report, "documents"), i, d)
		if (json_integer_value(json_object_get(d, "unproven")) > 0)
			page_put(l->out, "<p class=\"say bad\">A defect of Everseal: %d verdict(s) that passed could not be proved, and do not count. "
					 "The document is not to blame; please report it.</p>\n", page_int(d, "unproven"));
	for (i = 0; i < n; i++)
		sentence(l->out, i, &chains[i], l->r->now_utc);
	if (n == 0)
		page_put(l->out, "<p class=\"say wait\">There is no signature in it; it is kept as data.</p>\n");
	if (picture(l, chains, n, e) != ERR_OK)
		return err_wrap(e, "timeline");
	page_put(l->out, "<h2>Time-stamps</h2>\n<p class=\"mute\">T covers the signature, X its references, A everything before it. Ends are by the catalogue in force.</p>\n"
			 "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Signature<th scope=\"col\">Kind<th scope=\"col\">Made<th scope=\"col\">By"
			 "<th scope=\"col\">Holds until<th scope=\"col\">What ends<th scope=\"col\">Made in time</tr></thead>\n<tbody>\n");
	for (i = 0; i < n; i++)
		stamp_rows(l->out, i, &chains[i]);
	page_put(l->out, "</tbody>\n</table></div>\n");
	files(l->out, l->m);
	events(l->out, l->r->history, l->m);
	page_tail(l->out);
	return buf_ok(l->out, e);
}

/* From the year of the deposit to the next deadline, at least a year ahead. */
static enum err_code
extent(struct line *l, const struct chain *chains, size_t n, struct err *e)
{
	int64_t now = l->r->now_utc, kept;
	size_t i;

	if (json_want_time(l->m, "kept", &kept, e) != ERR_OK)
		return err_wrap(e, "timeline");
	l->from = time_make(year_at(kept == TIME_NONE || kept > now ? now : kept), 1, 1, 0, 0, 0);
	l->to = time_add_months(now, 12);
	for (i = 0; i < n; i++)
		if (chains[i].until != TIME_MAX && chains[i].until > l->to)
			l->to = chains[i].until < now + AHEAD_SECONDS ? chains[i].until : now + AHEAD_SECONDS;
	l->to = time_make(year_at(l->to) + 1, 1, 1, 0, 0, 0);
	return ERR_OK;
}

enum err_code
page_record(const struct page_record *r, struct buf *out, struct err *e)
{
	const json_t *m = json_array_get(r->history, json_array_size(r->history) - 1);
	size_t i, n = json_array_size(json_object_get(m, "signatures"));
	AUTO(mem) struct chain *chains = mem_new(n + 1, sizeof(*chains));
	const char *name = page_str(m, "spool_name", page_str(json_array_get(json_object_get(m, "originals"), 0), "name", "-"));
	struct line l = {.r = r, .m = m, .out = out};
	enum err_code code = ERR_OK;

	if (chains == NULL)
		return err_nomem(e);
	for (i = 0; i < n && code == ERR_OK; i++)
		code = chain_of(r, m, i, &chains[i], e);
	if (code == ERR_OK)
		code = extent(&l, chains, n, e);
	if (code == ERR_OK) {
		page_head(out, name, r->simulated);
		heading(&l, name);
		code = body(&l, chains, n, e);
	}
	for (i = 0; i < n; i++)
		chain_auto(&chains[i]);
	return code;
}
