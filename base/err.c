/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const words[ERR_CODES] = {
    [ERR_OK] = "ok",
    [ERR_NOMEM] = "no_memory",
    [ERR_IO] = "io",
    [ERR_NOSPACE] = "no_space",
    [ERR_NOTFOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_FORMAT] = "format",
    [ERR_LIMIT] = "limit",
    [ERR_REFUSED] = "refused",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_REMOTE] = "remote",
    [ERR_BUSY] = "busy",
    [ERR_USAGE] = "usage",
    [ERR_DAMAGED] = "damaged",
    [ERR_BUG] = "bug",
};

const char *
err_word(enum err_code code)
{
	return (unsigned)code < ERR_CODES ? words[code] : "bug";
}

static void
set_text(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

static void
append(struct err *e, const char *what)
{
	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof(e->text) - n, ": %s", what);
}

enum err_code
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (e != NULL) {
		va_start(ap, fmt);
		set_text(e, code, fmt, ap);
		va_end(ap);
	}
	return code;
}

enum err_code
err_errno(struct err *e, enum err_code code, int errno_value, const char *fmt, ...)
{
	va_list ap;
	char text[128];

	if (errno_value == ENOSPC || errno_value == EDQUOT)
		code = ERR_NOSPACE;
	if (e != NULL) {
		va_start(ap, fmt);
		set_text(e, code, fmt, ap);
		va_end(ap);
		append(e, strerror_r(errno_value, text, sizeof(text)));
	}
	return code;
}

enum err_code
err_openssl(struct err *e, enum err_code code, const char *fmt, ...)
{
	unsigned long last = ERR_peek_last_error();
	char text[200];
	va_list ap;

	if (e != NULL) {
		va_start(ap, fmt);
		set_text(e, code, fmt, ap);
		va_end(ap);
		if (last != 0) {
			ERR_error_string_n(last, text, sizeof(text));
			append(e, text);
		}
	}
	ERR_clear_error();
	return code;
}

enum err_code
err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(e->text)];
	va_list ap;

	if (e == NULL || e->code == ERR_OK)
		return ERR_BUG;
	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	append(e, inner);
	return e->code;
}

enum err_code
err_nomem(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

void *
mem_new(size_t count, size_t size)
{
	return calloc(count != 0 ? count : 1, size != 0 ? size : 1);
}

char *
mem_dup(const void *p, size_t n)
{
	char *copy = n < SIZE_MAX ? malloc(n + 1) : NULL;

	if (copy != NULL) {
		if (n != 0)
			memcpy(copy, p, n);
		copy[n] = '\0';
	}
	return copy;
}

char *
mem_dupstr(const char *s)
{
	return mem_dup(s, strlen(s));
}

char *
mem_printf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		out = NULL;
	va_end(ap);
	return out;
}

int
mem_grow(void *items, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap == 0 ? 8 : *cap;
	void *old = NULL, *grown = NULL;

	if (n < *cap)
		return 1;
	while (want <= n) {
		if (want > SIZE_MAX / 2)
			return 0;
		want *= 2;
	}
	memcpy(&old, items, sizeof(old));
	grown = reallocarray(old, want, size);
	if (grown == NULL)
		return 0;
	memset((char *)grown + *cap * size, 0, (want - *cap) * size);
	memcpy(items, &grown, sizeof(grown));
	*cap = want;
	return 1;
}

void
mem_auto(void *p)
{
	void *mem = NULL;
	int saved = errno;

	memcpy(&mem, p, sizeof(mem));
	free(mem);
	errno = saved;
}

void
fd_auto(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
