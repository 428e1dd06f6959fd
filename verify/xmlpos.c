/* SPDX-License-Identifier: MIT */
#include "verify/xmlpos.h"

#include "base/xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_OCTETS 8192

struct scan {
	struct slice raw;
	unsigned width; /* octets a unit */
	bool big;	/* UTF-16BE */
	bool utf8;
	size_t units, at, base; /* base: octets of the byte order mark */
	const xmlNode *root, *next, *open;
	struct xmlpos *want;
	size_t n_want;
};

const char *
xmlpos_encoding(struct slice raw, const xmlDoc *dom)
{
	const char *name = (const char *)dom->encoding;

	if (raw.n >= 3 && memcmp(raw.p, "\xef\xbb\xbf", 3) == 0)
		return "UTF-8";
	if (raw.n >= 2 && memcmp(raw.p, "\xff\xfe", 2) == 0)
		return "UTF-16LE";
	if (raw.n >= 2 && memcmp(raw.p, "\xfe\xff", 2) == 0)
		return "UTF-16BE";
	if (name == NULL || strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0)
		return "UTF-8";
	return name; /* xml_load lets nothing pass but single octets that hold ASCII */
}

/* The unit there; 0 behind the end (no XML text holds one). */
static unsigned
unit(const struct scan *s, size_t i)
{
	const uint8_t *p = s->raw.p + s->base + i * s->width;

	if (i >= s->units)
		return 0;
	if (s->width == 1)
		return p[0];
	return s->big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint64_t
offset(const struct scan *s, size_t i)
{
	return s->base + (uint64_t)i * s->width;
}

static bool
looking_at(const struct scan *s, const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0'; i++)
		if (unit(s, s->at + i) != (unsigned char)text[i])
			return false;
	return true;
}

/* Behind the next occurrence of text. */
static bool
skip_past(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	for (; s->at < s->units; s->at++) {
		if (!looking_at(s, text))
			continue;
		s->at += n;
		return true;
	}
	return false;
}

static bool
is_space(unsigned c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t
put_utf8(unsigned c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A tag's name as UTF-8; in a single-octet encoding each octet above ASCII becomes one 0xff. Moves behind it. */
static bool
read_name(struct scan *s, char *out, size_t cap)
{
	size_t n = 0;

	for (; s->at < s->units; s->at++) {
		unsigned c = unit(s, s->at), low;

		if (is_space(c) || c == '>' || c == '/')
			break;
		if (n + 5 > cap)
			return false;
		if (s->width == 1) {
			out[n++] = c < 0x80 || s->utf8 ? (char)c : '\xff';
			continue;
		}
		low = unit(s, s->at + 1);
		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			s->at++;
		}
		n += put_utf8(c, out + n);
	}
	out[n] = '\0';
	return n > 0;
}

/* Does the raw name (0xff = any one character above ASCII) mean this text? Moves *raw behind it. */
static bool
matches(const char **raw, const char *text)
{
	const char *r = *raw;

	while (*text != '\0') {
		if (*r == '\xff') {
			if ((*text & 0x80) == 0)
				return false;
			do
				text++;
			while ((*text & 0xc0) == 0x80);
			r++;
		} else if (*r++ != *text++) {
			return false;
		}
	}
	*raw = r;
	return true;
}

static bool
is_name_of(const char *raw, const xmlNode *n)
{
	if (n->ns != NULL && n->ns->prefix != NULL && *n->ns->prefix != '\0') {
		if (!matches(&raw, (const char *)n->ns->prefix) || *raw++ != ':')
			return false;
	}
	return matches(&raw, (const char *)n->name) && *raw == '\0';
}

/* Behind the tag's '>'; true in *slash when '/' stood before it. */
static bool
skip_attributes(struct scan *s, bool *slash)
{
	unsigned quote = 0, c;

	*slash = false;
	for (; s->at < s->units; s->at++) {
		c = unit(s, s->at);
		if (quote != 0) {
			if (c == quote)
				quote = 0;
			continue;
		}
		if (c == '>') {
			s->at++;
			return true;
		}
		*slash = c == '/';
		if (c == '"' || c == '\'')
			quote = c;
	}
	return false;
}

static int
by_node(const void *a, const void *b)
{
	const xmlNode *x = ((const struct xmlpos *)a)->node, *y = ((const struct xmlpos *)b)->node;

	return x < y ? -1 : x > y;
}

struct xmlpos *
xmlpos_of(struct xmlpos *want, size_t n, const xmlNode *node)
{
	const struct xmlpos key = {.node = node};

	return n != 0 ? bsearch(&key, want, n, sizeof(key), by_node) : NULL;
}

static bool
start_tag(struct scan *s)
{
	const xmlNode *n = s->next;
	char name[NAME_MAX_OCTETS];
	uint64_t from = offset(s, s->at);
	struct xmlpos *w;
	bool slash;

	s->at++;
	if (n == NULL || !read_name(s, name, sizeof(name)) || !is_name_of(name, n))
		return false;
	if (s->open != NULL ? n->parent != s->open : n != s->root)
		return false;
	if (!skip_attributes(s, &slash))
		return false;
	w = xmlpos_of(s->want, s->n_want, n);
	if (w != NULL) {
		w->start = from;
		w->start_end = w->end = w->end_end = offset(s, s->at);
		w->self_closed = slash;
	}
	if (!slash)
		s->open = n;
	s->next = xml_walk(s->root, n);
	return true;
}

static bool
end_tag(struct scan *s)
{
	uint64_t from = offset(s, s->at);
	char name[NAME_MAX_OCTETS];
	struct xmlpos *w;
	bool slash;

	s->at += 2;
	if (s->open == NULL || !read_name(s, name, sizeof(name)) || !is_name_of(name, s->open) || !skip_attributes(s, &slash))
		return false;
	w = xmlpos_of(s->want, s->n_want, s->open);
	if (w != NULL) {
		w->end = from;
		w->end_end = offset(s, s->at);
	}
	s->open = s->open == s->root ? NULL : s->open->parent;
	return true;
}

/* One thing that begins with '<'. */
static bool
markup(struct scan *s)
{
	if (looking_at(s, "<!--"))
		return s->at += 4, skip_past(s, "-->");
	if (looking_at(s, "<![CDATA["))
		return s->at += 9, skip_past(s, "]]>");
	if (looking_at(s, "<?"))
		return s->at += 2, skip_past(s, "?>");
	if (looking_at(s, "<!"))
		return false; /* a DOCTYPE: the loader has refused it */
	return looking_at(s, "</") ? end_tag(s) : start_tag(s);
}

static void
next_tag(struct scan *s)
{
	const uint8_t *p;

	if (s->width == 1) {
		p = s->at < s->units ? memchr(s->raw.p + s->base + s->at, '<', s->units - s->at) : NULL;
		s->at = p != NULL ? (size_t)(p - s->raw.p) - s->base : s->units;
		return;
	}
	while (s->at < s->units && unit(s, s->at) != '<')
		s->at++;
}

enum err_code
xmlpos_find(struct slice raw, const xmlDoc *dom, struct xmlpos *want, size_t n, struct err *e)
{
	const char *encoding = xmlpos_encoding(raw, dom);
	struct scan s = {.raw = raw, .width = 1, .want = want, .n_want = n};

	if (n > 1)
		qsort(want, n, sizeof(*want), by_node);
	s.utf8 = strcmp(encoding, "UTF-8") == 0;
	s.big = strcmp(encoding, "UTF-16BE") == 0;
	if (strncmp(encoding, "UTF-16", 6) == 0) {
		s.width = 2;
		s.base = 2;
	} else if (raw.n >= 3 && memcmp(raw.p, "\xef\xbb\xbf", 3) == 0) {
		s.base = 3;
	}
	s.units = (raw.n - s.base) / s.width;
	s.root = s.next = xmlDocGetRootElement(dom);
	for (next_tag(&s); s.at < s.units; next_tag(&s))
		if (!markup(&s))
			return err_set(e, ERR_UNSUPPORTED, "scanner and parser disagree near octet %llu", (unsigned long long)offset(&s, s.at));
	if (s.next != NULL || s.open != NULL)
		return err_set(e, ERR_UNSUPPORTED, "scanner and parser disagree on the number of elements");
	return ERR_OK;
}
