/* SPDX-License-Identifier: MIT */
#include "policy/lines_int.h"
#include "base/json.h"

#include <string.h>

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *
trim(char *s)
{
	size_t n;

	while (blank(*s))
		s++;
	for (n = strlen(s); n > 0 && blank(s[n - 1]); n--)
		;
	s[n] = '\0';
	return s;
}

static void
cut_comment(char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if (s[i] == '#' && (i == 0 || blank(s[i - 1])))
			s[i] = '\0';
}

static bool
is_utf8(const uint8_t *p, size_t n)
{
	AUTO(json) json_t *j = json_stringn((const char *)p, n);

	return j != NULL;
}

/* One raw line into text. False if it is too long, not UTF-8, or holds control characters. */
static bool
take(struct lines *l, struct line *out)
{
	const uint8_t *start = l->in.p + l->at, *nl = memchr(start, '\n', l->in.n - l->at);
	size_t n = nl != NULL ? (size_t)(nl - start) : l->in.n - l->at, i;

	l->at += n + (nl != NULL);
	out->number = ++l->number;
	out->fault = "line of more than 1024 octets";
	if (n > LINE_MAX_BYTES)
		return false;
	out->fault = "control character";
	for (i = 0; i < n; i++)
		if ((start[i] < 0x20 && start[i] != '\t' && (start[i] != '\r' || i + 1 < n)) || start[i] == 0x7f)
			return false;
	out->fault = "not UTF-8";
	if (!is_utf8(start, n))
		return false;
	memcpy(out->text, start, n);
	out->text[n] = '\0';
	return true;
}

static enum line_kind
section(struct line *out, char *s)
{
	size_t n = strlen(s);
	char *sp;

	if (s[n - 1] != ']') {
		out->fault = "section without ']'";
		return LINE_BAD;
	}
	s[n - 1] = '\0';
	out->key = trim(s + 1);
	sp = out->key + strcspn(out->key, " \t");
	out->value = sp;
	if (*sp != '\0') {
		*sp = '\0';
		out->value = trim(sp + 1);
	}
	if (*out->key == '\0') {
		out->fault = "section without a name";
		return LINE_BAD;
	}
	return LINE_SECTION;
}

static enum line_kind
key_value(struct line *out, char *s)
{
	char *eq = strchr(s, '=');

	if (eq == NULL || eq == s) {
		out->fault = "neither [section] nor key = value";
		return LINE_BAD;
	}
	*eq = '\0';
	out->key = trim(s);
	out->value = trim(eq + 1);
	return LINE_KEY;
}

void
line_next(struct lines *l, struct line *out)
{
	char *s;

	for (;;) {
		out->kind = LINE_END;
		out->key = out->value = NULL;
		out->number = l->number > 0 ? l->number : 1;
		if (l->at >= l->in.n)
			return;
		out->kind = LINE_BAD;
		if (!take(l, out))
			return;
		cut_comment(out->text);
		s = trim(out->text);
		if (*s == '\0')
			continue;
		out->kind = *s == '[' ? section(out, s) : key_value(out, s);
		return;
	}
}

char *
word_next(char **rest)
{
	char *s = *rest + strspn(*rest, " \t,"), *end = s + strcspn(s, " \t,");

	if (*s == '\0')
		return NULL;
	*rest = end;
	if (*end != '\0') {
		*end = '\0';
		*rest = end + 1;
	}
	return s;
}
