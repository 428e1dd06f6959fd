/* SPDX-License-Identifier: MIT */
/* What has to be known of a document's octets before libxml2 sees them: encoding, attributes of each tag. */
#include "base/xml_int.h"

#include <string.h>
#include <strings.h>

#define DECLARATION_MAX 512

enum bom { BOM_NONE, BOM_UTF8, BOM_UTF16LE, BOM_UTF16BE };

static enum bom
bom_of(struct slice raw)
{
	if (raw.n >= 3 && memcmp(raw.p, "\xef\xbb\xbf", 3) == 0)
		return BOM_UTF8;
	if (raw.n >= 2 && memcmp(raw.p, "\xff\xfe", 2) == 0)
		return BOM_UTF16LE;
	if (raw.n >= 2 && memcmp(raw.p, "\xfe\xff", 2) == 0)
		return BOM_UTF16BE;
	return BOM_NONE;
}

/* Characters below U+0100 read through one function in all encodings; others give 0xff. */
struct units {
	struct slice raw;
	size_t n;    /* how many units */
	size_t base; /* octets of the byte order mark */
	int width;   /* octets a unit */
	int low, high;
};

static struct units
units_of(struct slice raw)
{
	enum bom bom = bom_of(raw);
	struct units u = {.raw = raw, .width = 1};

	u.base = bom == BOM_NONE ? 0 : bom == BOM_UTF8 ? 3 : 2;
	if (bom == BOM_UTF16LE || bom == BOM_UTF16BE) {
		u.width = 2;
		u.low = bom == BOM_UTF16BE;
		u.high = !u.low;
	}
	u.n = (raw.n - u.base) / (size_t)u.width;
	return u;
}

static inline unsigned char
unit(const struct units *u, size_t i)
{
	const uint8_t *p = u->raw.p + u->base + i * (size_t)u->width;

	if (u->width == 1)
		return *p;
	return p[u->high] == 0 ? p[u->low] : 0xff;
}

static bool
unit_is(const struct units *u, size_t at, const char *s)
{
	size_t n = strlen(s);

	if (at > u->n || n > u->n - at)
		return false;
	for (size_t i = 0; i < n; i++)
		if (unit(u, at + i) != (unsigned char)s[i])
			return false;
	return true;
}

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Position of s at or after at; the end when it is not there. */
static size_t
unit_find(const struct units *u, size_t at, const char *s)
{
	if (u->width == 1 && at < u->n) {
		const uint8_t *from = u->raw.p + u->base;
		const uint8_t *hit = memmem(from + at, u->n - at, s, strlen(s));

		return hit != NULL ? (size_t)(hit - from) : u->n;
	}
	while (at < u->n && !unit_is(u, at, s))
		at++;
	return at < u->n ? at : u->n;
}

/* The declared encoding, or "" when there is none. */
static enum err_code
declared(const struct units *u, char *out, size_t size, struct err *e)
{
	size_t end = unit_find(u, 0, "?>"), at, n = 0;
	unsigned char quote;

	out[0] = '\0';
	if (!unit_is(u, 0, "<?xml") || u->n < 6 || !is_blank(unit(u, 5)))
		return ERR_OK;
	/* The parser would look further than we do. */
	if (end > DECLARATION_MAX)
		return err_set(e, ERR_REFUSED, "encoding: an XML declaration of more than %d characters", DECLARATION_MAX);
	at = unit_find(u, 0, "encoding");
	while (at < end && unit(u, at) != '"' && unit(u, at) != '\'')
		at++;
	if (at >= end)
		return ERR_OK;
	quote = unit(u, at++);
	while (at < end && unit(u, at) != quote && n + 1 < size)
		out[n++] = (char)unit(u, at++);
	out[n] = '\0';
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e)
			*p = '?';
	return ERR_OK;
}

/* "UTF8" is in no registry, but Java's name for it, and other readers take it. */
static bool
is_utf8(const char *name)
{
	return strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0;
}

/* The list is closed: what else there is (UTF-7, EBCDIC, stateful sets) hides markup from every other reader. */
static enum err_code
check_encoding(const struct units *u, struct encoding *out, struct err *e)
{
	enum bom bom = bom_of(u->raw);
	const char *name = out->name;
	bool fits;

	if (bom == BOM_NONE && u->raw.n >= 2 && (u->raw.p[0] == 0 || u->raw.p[1] == 0))
		return err_set(e, ERR_REFUSED, "encoding: UTF-16 or UTF-32 without a byte order mark");
	if (u->raw.n >= 4 && bom == BOM_UTF16LE && u->raw.p[2] == 0 && u->raw.p[3] == 0)
		return err_set(e, ERR_REFUSED, "encoding: UTF-32");
	out->set = NULL;
	if (declared(u, out->name, sizeof(out->name), e) != ERR_OK)
		return e->code;
	if (name[0] == '\0')
		return ERR_OK;
	if (bom == BOM_NONE)
		out->set = charset_find(name);
	fits = bom == BOM_NONE	      ? is_utf8(name) || out->set != NULL
	       : bom == BOM_UTF8      ? is_utf8(name)
	       : bom == BOM_UTF16LE   ? strcasecmp(name, "UTF-16") == 0 || strcasecmp(name, "UTF-16LE") == 0
				      : strcasecmp(name, "UTF-16") == 0 || strcasecmp(name, "UTF-16BE") == 0;
	if (!fits)
		return err_set(e, ERR_REFUSED, "encoding: %s%s", name,
		    bom == BOM_NONE ? " is not in the list" : " contradicts the byte order mark");
	return ERR_OK;
}

/*
 * The end of one start tag whose '<' is at *at. libxml2 compares each attribute with all before it
 * while still reading the tag, so their number has to be known earlier. A '<' inside a tag ends
 * the matter: no well-formed document has one, and the two readers would part there.
 */
static enum err_code
scan_tag(const struct units *u, size_t *at, const struct xml_limits *max, struct err *e)
{
	size_t attrs = 0, i;
	unsigned char quote = 0;

	for (i = *at + 1; i < u->n; i++) {
		unsigned char c = unit(u, i);

		if (c == '<')
			return err_set(e, ERR_FORMAT, "not well-formed: '<' inside a tag, at character %zu", i);
		if (quote != 0) {
			quote = c == quote ? 0 : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
			if (++attrs > max->max_attrs)
				return err_set(e, ERR_LIMIT, "an element has more than %zu attributes", max->max_attrs);
		} else if (c == '>') {
			break;
		}
	}
	*at = i;
	return ERR_OK;
}

static enum err_code
scan_tags(const struct units *u, const struct xml_limits *max, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t at = unit_find(u, 0, "<"); code == ERR_OK && at < u->n; at = unit_find(u, at, "<")) {
		if (unit_is(u, at, "<!--"))
			at = unit_find(u, at + 4, "-->");
		else if (unit_is(u, at, "<![CDATA["))
			at = unit_find(u, at + 9, "]]>");
		else if (unit_is(u, at, "<?"))
			at = unit_find(u, at + 2, "?>");
		else if (unit_is(u, at, "<!"))
			return ERR_OK; /* a DOCTYPE, which the parser refuses, or nothing well-formed */
		else
			code = scan_tag(u, &at, max, e);
	}
	return code;
}

/* libxml2 takes a zero character behind the root element for the end: what follows would be in the file and not in the document. */
static enum err_code
check_characters(const struct units *u, struct err *e)
{
	size_t i = 0;

	if (u->width == 2 && (u->raw.n - u->base) % 2 != 0)
		return err_set(e, ERR_FORMAT, "not well-formed: half a character at the end");
	if (u->width == 1) {
		const uint8_t *hit = memchr(u->raw.p, 0, u->raw.n);

		i = hit != NULL ? (size_t)(hit - u->raw.p) - u->base : u->n;
	} else {
		while (i < u->n && unit(u, i) != 0)
			i++;
	}
	return i == u->n ? ERR_OK : err_set(e, ERR_FORMAT, "not well-formed: a zero character, at character %zu", i);
}

enum err_code
xml_check_raw(struct slice raw, const struct xml_limits *max, struct encoding *out, struct err *e)
{
	struct units u = units_of(raw);
	enum err_code code = check_encoding(&u, out, e);

	if (code == ERR_OK)
		code = check_characters(&u, e);
	return code == ERR_OK ? scan_tags(&u, max, e) : code;
}
