/* SPDX-License-Identifier: MIT */
#include "tests/pki/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_INSTANT "2026-01-01T00:00:00Z\n"

char *
pki_path(const struct pki *p, const char *fmt, ...)
{
	char *tail = NULL, *path;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&tail, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	path = mem_printf("%s/%s", p->dir, tail);
	free(tail);
	return path;
}

enum err_code
pki_read(const char *path, struct buf *out, struct err *e)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t piece[16384];
	ssize_t n;

	if (fd < 0)
		return err_errno(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    errno, "%s", path);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(out, piece, (size_t)n);
	if (n < 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	return buf_ok(out, e);
}

static enum err_code
write_all(int fd, struct slice data, const char *path, struct err *e)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0)
			return err_errno(e, ERR_IO, errno, "%s", path);
		data.p += n;
		data.n -= (size_t)n;
	}
	return ERR_OK;
}

enum err_code
pki_write(const char *path, struct slice data, struct err *e)
{
	AUTO(mem) char *beside = mem_printf("%s.%ld.new", path, (long)getpid());
	AUTO(fd) int fd = -1;

	if (beside == NULL)
		return err_nomem(e);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "%s", beside);
	if (write_all(fd, data, beside, e) != ERR_OK)
		return e->code;
	if (rename(beside, path) != 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	return ERR_OK;
}

enum err_code
pki_append(const char *path, const char *line, struct err *e)
{
	AUTO(fd)
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	return write_all(fd, slice_str(line), path, e);
}

enum err_code
pki_lock(const struct pki *p, int *fd, struct err *e)
{
	AUTO(mem) char *path = pki_path(p, "lock");

	if (path == NULL)
		return err_nomem(e);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0 || flock(*fd, LOCK_EX) != 0)
		return err_errno(e, ERR_IO, errno, "%s", path);
	return ERR_OK;
}

enum err_code
pki_now(const struct pki *p, int64_t *utc, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	if (pki_read(p->clock, &text, e) != ERR_OK)
		return err_wrap(e, "clock");
	while (text.n > 0 && strchr(" \r\n", text.p[text.n - 1]) != NULL)
		text.p[--text.n] = '\0';
	if (!time_parse(buf_str(&text), utc))
		return err_set(e, ERR_FORMAT, "%s: not an instant: %.40s",
		    p->clock, buf_str(&text));
	return ERR_OK;
}

static enum err_code
make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return err_errno(e, ERR_IO, errno, "%s", path);
	return ERR_OK;
}

static enum err_code
free_port(int *port, struct err *e)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		return err_errno(e, ERR_IO, errno, "no free port");
	*port = ntohs(a.sin_port);
	return ERR_OK;
}

static enum err_code
write_settings(const struct pki *p, struct err *e)
{
	AUTO(mem) char *conf = pki_path(p, "testpki.conf");
	AUTO(mem) char *port = pki_path(p, "port");
	AUTO(buf) struct buf text = {0}, number = {0};

	if (conf == NULL || port == NULL)
		return err_nomem(e);
	buf_addf(&text, "clock %s\nport %d\nroot_months %d\n", p->clock,
	    p->port, p->root_months);
	buf_addf(&number, "%d\n", p->port);
	if (buf_ok(&text, e) != ERR_OK || buf_ok(&number, e) != ERR_OK ||
	    pki_write(port, buf_slice(&number), e) != ERR_OK)
		return e->code;
	return pki_write(conf, buf_slice(&text), e);
}

static enum err_code
read_settings(struct pki *p, struct err *e)
{
	AUTO(mem) char *path = pki_path(p, "testpki.conf");
	AUTO(buf) struct buf text = {0};
	char *save = NULL;

	if (path == NULL)
		return err_nomem(e);
	if (pki_read(path, &text, e) != ERR_OK)
		return err_wrap(e, "no hierarchy in %s", p->dir);
	for (char *l = strtok_r((char *)text.p, "\n", &save); l != NULL;
	     l = strtok_r(NULL, "\n", &save)) {
		if (strncmp(l, "clock ", 6) == 0)
			p->clock = mem_dupstr(l + 6);
		else if (strncmp(l, "port ", 5) == 0)
			p->port = atoi(l + 5);
		else if (strncmp(l, "root_months ", 12) == 0)
			p->root_months = atoi(l + 12);
	}
	if (p->clock == NULL || p->port <= 0 || p->root_months <= 0)
		return err_set(e, ERR_FORMAT,
		    "%s: clock, port or root_months missing", path);
	return ERR_OK;
}

enum err_code
pki_open(const char *dir, struct pki **out, struct err *e)
{
	AUTO(pki) struct pki *p = mem_new(1, sizeof(*p));

	if (p == NULL || (p->dir = realpath(dir, NULL)) == NULL)
		return err_errno(e, ERR_NOTFOUND, errno, "%s", dir);
	if (read_settings(p, e) != ERR_OK)
		return e->code;
	*out = TAKE(p);
	return ERR_OK;
}

void
pki_close(struct pki *p)
{
	if (p == NULL)
		return;
	authorities_free(p->authorities);
	issued_free(p->issued);
	crls_free(p->crls);
	free(p->clock);
	free(p->dir);
	free(p);
}

void
pki_auto(struct pki **p)
{
	pki_close(*p);
}

static enum err_code
make_folders(const struct pki *p, struct err *e)
{
	static const char *const names[] = {"ca", "ee", "trust", "misbehave"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(mem) char *path = pki_path(p, "%s", names[i]);

		if (path == NULL)
			return err_nomem(e);
		if (make_dir(path, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

/* clock: the caller's word; an absolute path in p. The file is written when it
 * is not there. */
static enum err_code
set_clock(struct pki *p, const char *clock, struct err *e)
{
	if (access(clock, F_OK) != 0 &&
	    pki_write(clock, slice_str(FIRST_INSTANT), e) != ERR_OK)
		return e->code;
	free(p->clock);
	p->clock = realpath(clock, NULL);
	return p->clock != NULL ? ERR_OK
				: err_errno(e, ERR_IO, errno, "%s", clock);
}

/* Every anchor and every first generation, and the anchors once more as flat
 * files. */
static enum err_code
make_hierarchy(struct pki *p, struct err *e)
{
	const struct line *l;
	int64_t now;

	if (pki_now(p, &now, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; (l = line_at(i)) != NULL; i++) {
		struct authority *a;
		AUTO(mem) char *path = pki_path(p, "trust/%s.pem", l->name);

		if (path == NULL)
			return err_nomem(e);
		if (authority_now(p, l, now, &a, e) != ERR_OK)
			return e->code;
		if (l->role == ROLE_ROOT && access(path, F_OK) != 0 &&
		    cert_save(path, a->cert, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

/* Nothing of an existing folder changes but the place of the clock. */
static enum err_code
fill(struct pki *p, const char *clock, int port, int root_months, struct err *e)
{
	AUTO(mem) char *conf = pki_path(p, "testpki.conf");

	if (conf == NULL)
		return err_nomem(e);
	if (access(conf, F_OK) == 0) {
		if (read_settings(p, e) != ERR_OK)
			return e->code;
		if (port != 0 && port != p->port)
			return err_set(e, ERR_EXISTS,
			    "%s names port %d in its certificates", p->dir,
			    p->port);
	} else {
		p->root_months = root_months > 0 ? root_months : 6;
		p->port = port;
		if (port == 0 && free_port(&p->port, e) != ERR_OK)
			return e->code;
	}
	if (set_clock(p, clock, e) != ERR_OK || make_folders(p, e) != ERR_OK ||
	    write_settings(p, e) != ERR_OK)
		return e->code;
	return make_hierarchy(p, e);
}

enum err_code
pki_init(const char *dir, const char *clock, int port, int root_months,
    struct err *e)
{
	AUTO(pki) struct pki *p = mem_new(1, sizeof(*p));

	if (p == NULL)
		return err_nomem(e);
	if (make_dir(dir, e) != ERR_OK)
		return e->code;
	if ((p->dir = realpath(dir, NULL)) == NULL)
		return err_errno(e, ERR_IO, errno, "%s", dir);
	return fill(p, clock, port, root_months, e);
}

enum err_code
pki_policy(const struct pki *p, struct buf *out, struct err *e)
{
	(void)p;
	buf_adds(out,
	    "Signature policy of the test PKI.\n"
	    "A signature under this policy binds nobody to anything.\n");
	return buf_ok(out, e);
}
