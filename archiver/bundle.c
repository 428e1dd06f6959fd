/* SPDX-License-Identifier: MIT */
#include "archiver/bundle.h"

#include "base/digest.h"
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM_LINE 64

static enum err_code
is_empty(int dir, const char *shown, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de = NULL;
	bool empty = true;

	if (d == NULL)
		return err_errno(e, ERR_IO, errno, "%s", shown);
	while (empty && (de = readdir(d)) != NULL)
		empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	closedir(d);
	return empty ? ERR_OK : err_set(e, ERR_EXISTS, "%s is not empty", shown);
}

enum err_code
bundle_open(const char *dir, struct bundle *out, struct err *e)
{
	AUTO(bundle) struct bundle b = {.dir = -1, .names = json_array()};

	if (b.names == NULL)
		return err_nomem(e);
	if (sys_mkdirs(AT_FDCWD, dir, 0777, e) != ERR_OK || sys_open_dir(AT_FDCWD, dir, &b.dir, e) != ERR_OK ||
	    is_empty(b.dir, dir, e) != ERR_OK)
		return err_wrap(e, "bundle");
	*out = b;
	b = (struct bundle){.dir = -1};
	return ERR_OK;
}

void
bundle_auto(struct bundle *b)
{
	fd_auto(&b->dir);
	json_decref(b->names);
}

enum err_code
bundle_create(struct bundle *b, const char *name, int *fd, struct err *e)
{
	AUTO(mem) char *path = mem_dupstr(name);
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (path == NULL)
		return err_nomem(e);
	/* Deposited names were looked at when they came in; here once more, since this writes outside the archive. */
	if (!sys_stays_below(name))
		return err_set(e, ERR_REFUSED, "file name \"%s\" leads outside the folder", name);
	if (slash != NULL) {
		*slash = '\0';
		if (sys_mkdirs(b->dir, path, 0777, e) != ERR_OK)
			return err_wrap(e, "%s", name);
	}
	if (sys_create(b->dir, name, 0666, fd, e) != ERR_OK)
		return err_wrap(e, "bundle");
	return json_push(b->names, json_text(name), e);
}

enum err_code
bundle_put(struct bundle *b, const char *name, struct slice octets, struct err *e)
{
	AUTO(fd) int fd = -1;

	if (bundle_create(b, name, &fd, e) != ERR_OK || sys_append(fd, octets, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return sys_close(&fd, e);
}

enum err_code
bundle_put_json(struct bundle *b, const char *name, const json_t *j, struct err *e)
{
	AUTO(mem) char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
	AUTO(buf) struct buf out = {0};

	if (text == NULL)
		return err_nomem(e);
	buf_addf(&out, "%s\n", text);
	if (buf_ok(&out, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return bundle_put(b, name, buf_slice(&out), e);
}

enum err_code
bundle_put_pem(struct bundle *b, const char *name, const json_t *certs, struct err *e)
{
	AUTO(buf) struct buf out = {0};
	const json_t *cert = NULL;
	size_t i, at;

	json_array_foreach (certs, i, cert) {
		size_t n = json_string_length(cert);

		buf_adds(&out, "-----BEGIN CERTIFICATE-----\n");
		for (at = 0; at < n; at += PEM_LINE) {
			buf_add(&out, json_string_value(cert) + at, n - at < PEM_LINE ? n - at : PEM_LINE);
			buf_adds(&out, "\n");
		}
		buf_adds(&out, "-----END CERTIFICATE-----\n");
	}
	if (buf_ok(&out, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return bundle_put(b, name, buf_slice(&out), e);
}

enum err_code
bundle_remove(struct bundle *b, const char *name, struct err *e)
{
	const json_t *have = NULL;
	size_t i;

	json_array_foreach (b->names, i, have) {
		if (strcmp(json_string_value(have), name) == 0) {
			json_array_remove(b->names, i);
			return sys_unlink(b->dir, name, e);
		}
	}
	return err_set(e, ERR_BUG, "%s is not in the bundle", name);
}

static enum err_code
sum_line(const struct bundle *b, const char *name, struct buf *out, struct err *e)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256};
	AUTO(digester) struct digester *d = NULL;
	AUTO(fd) int fd = -1;
	struct source s;
	struct sink to;
	struct digest got;

	if (sys_open_read(b->dir, name, &fd, e) != ERR_OK || source_fd(&fd, &s, e) != ERR_OK || digester_new(algs, 1, &d, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	to = digester_sink(d);
	if (source_copy(&s, 0, s.size_bytes, &to, e) != ERR_OK || digester_finish(d, &got, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	buf_addhex(out, digest_slice(&got));
	buf_addf(out, "  %s\n", name);
	return ERR_OK;
}

enum err_code
bundle_close(struct bundle *b, struct err *e)
{
	AUTO(buf) struct buf out = {0};
	const json_t *name = NULL;
	size_t i;

	json_array_foreach (b->names, i, name)
		if (sum_line(b, json_string_value(name), &out, e) != ERR_OK)
			return err_wrap(e, "SHA256SUMS");
	if (buf_ok(&out, e) != ERR_OK || bundle_put(b, "SHA256SUMS", buf_slice(&out), e) != ERR_OK)
		return err_wrap(e, "SHA256SUMS");
	return sys_close(&b->dir, e);
}
