/* SPDX-License-Identifier: MIT */
/*
 * The register: DIR/issued (serial, issuer, from, until, name), DIR/revoked
 * (serial, issuer, effective, recorded, reason), DIR/forgotten (serial,
 * issuer). The files are only ever appended to.
 */
#include "tests/pki/pki.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const reasons[] = {"unspecified", "keyCompromise",
    "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
    "certificateHold"};

void
issued_free(struct issued *list)
{
	while (list != NULL) {
		struct issued *next = list->next;

		free(list);
		list = next;
	}
}

static enum err_code
append(const struct pki *p, const char *file, const struct buf *line,
    struct err *e)
{
	AUTO(mem) char *path = pki_path(p, "%s", file);

	if (path == NULL)
		return err_nomem(e);
	if (buf_ok(line, e) != ERR_OK)
		return e->code;
	return pki_append(path, buf_str(line), e);
}

static int64_t
utc_of(const ASN1_TIME *t)
{
	struct tm m;

	if (ASN1_TIME_to_tm(t, &m) != 1)
		return TIME_NONE;
	return time_make(m.tm_year + 1900, m.tm_mon + 1, m.tm_mday, m.tm_hour,
	    m.tm_min, m.tm_sec);
}

enum err_code
issued_add(struct pki *p, const X509 *cert, const char *issuer,
    const char *name, struct err *e)
{
	AUTO(buf) struct buf line = {0};
	char serial[PKI_NAME];

	serial_text(X509_get0_serialNumber(cert), serial);
	buf_addf(&line, "%s %s %" PRId64 " %" PRId64 " %s\n", serial, issuer,
	    utc_of(X509_get0_notBefore(cert)), utc_of(X509_get0_notAfter(cert)),
	    name);
	return append(p, "issued", &line, e);
}

static struct issued *
find(struct issued *list, const char *issuer, const char *serial)
{
	for (; list != NULL; list = list->next)
		if (strcmp(list->serial, serial) == 0 &&
		    strcmp(list->issuer, issuer) == 0)
			return list;
	return NULL;
}

static enum err_code
read_issued(struct issued **list, const char *line, struct err *e)
{
	struct issued *i = mem_new(1, sizeof(*i));
	int n = 0;

	if (i == NULL)
		return err_nomem(e);
	if (sscanf(line, "%95s %95s %" SCNd64 " %" SCNd64 " %n", i->serial,
		i->issuer, &i->from_utc, &i->until_utc, &n) != 4) {
		free(i);
		return err_set(e, ERR_FORMAT, "register: %.80s", line);
	}
	snprintf(i->name, sizeof(i->name), "%s", line + n);
	i->revoked_utc = TIME_NONE;
	i->next = *list;
	*list = i;
	return ERR_OK;
}

static enum err_code
read_revoked(struct issued **list, const char *line, struct err *e)
{
	char serial[PKI_NAME], issuer[PKI_NAME];
	int64_t at, recorded;
	int reason;
	struct issued *i;

	if (sscanf(line, "%95s %95s %" SCNd64 " %" SCNd64 " %d", serial, issuer,
		&at, &recorded, &reason) != 5 ||
	    (i = find(*list, issuer, serial)) == NULL)
		return err_set(e, ERR_FORMAT, "revocation: %.80s", line);
	i->revoked_utc = at;
	i->recorded_utc = recorded;
	i->reason = reason;
	return ERR_OK;
}

static enum err_code
read_forgotten(struct issued **list, const char *line, struct err *e)
{
	char serial[PKI_NAME], issuer[PKI_NAME];
	struct issued *i;

	if (sscanf(line, "%95s %95s", serial, issuer) != 2 ||
	    (i = find(*list, issuer, serial)) == NULL)
		return err_set(e, ERR_FORMAT, "forgotten: %.80s", line);
	i->forgotten = true;
	return ERR_OK;
}

static enum err_code
read_lines(const struct pki *p, const char *file, struct issued **list,
    enum err_code (*each)(struct issued **, const char *, struct err *),
    struct err *e)
{
	AUTO(mem) char *path = pki_path(p, "%s", file);
	AUTO(buf) struct buf text = {0};
	char *save = NULL;
	struct stat st;

	if (path == NULL)
		return err_nomem(e);
	if (stat(path, &st) != 0 && errno == ENOENT)
		return ERR_OK;
	if (pki_read(path, &text, e) != ERR_OK)
		return e->code;
	if (text.n == 0)
		return ERR_OK;
	for (char *l = strtok_r((char *)text.p, "\n", &save); l != NULL;
	     l = strtok_r(NULL, "\n", &save))
		if (each(list, l, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

enum err_code
issued_all(struct pki *p, const struct issued **out, struct err *e)
{
	struct issued *list = NULL;

	if (read_lines(p, "issued", &list, read_issued, e) != ERR_OK ||
	    read_lines(p, "revoked", &list, read_revoked, e) != ERR_OK ||
	    read_lines(p, "forgotten", &list, read_forgotten, e) != ERR_OK) {
		issued_free(list);
		return e->code;
	}
	issued_free(p->issued);
	*out = p->issued = list;
	return ERR_OK;
}

enum err_code
issued_find(struct pki *p, const char *issuer, const char *serial,
    const struct issued **out, struct err *e)
{
	const struct issued *all;

	if (issued_all(p, &all, e) != ERR_OK)
		return e->code;
	*out = find(p->issued, issuer, serial);
	return ERR_OK;
}

enum err_code
issued_by_name(
    struct pki *p, const char *name, const struct issued **out, struct err *e)
{
	const struct issued *i;

	if (issued_all(p, &i, e) != ERR_OK)
		return e->code;
	while (i != NULL && strcmp(i->name, name) != 0)
		i = i->next;
	*out = i;
	return i != NULL
		   ? ERR_OK
		   : err_set(e, ERR_NOTFOUND, "nothing was issued to %s", name);
}

static int
reason_code(const char *reason)
{
	for (int i = 0; i < (int)(sizeof(reasons) / sizeof(reasons[0])); i++)
		if (strcasecmp(reasons[i], reason) == 0)
			return i;
	return -2;
}

enum err_code
issued_revoke(struct pki *p, const struct issued *i, int64_t at,
    int64_t recorded, const char *reason, struct err *e)
{
	AUTO(buf) struct buf line = {0};
	int code = reason != NULL ? reason_code(reason) : -1;

	if (code == -2)
		return err_set(e, ERR_USAGE, "no such reason: %s", reason);
	buf_addf(&line, "%s %s %" PRId64 " %" PRId64 " %d\n", i->serial,
	    i->issuer, at, recorded, code);
	return append(p, "revoked", &line, e);
}

enum err_code
issued_forget(struct pki *p, const struct issued *i, struct err *e)
{
	AUTO(buf) struct buf line = {0};

	buf_addf(&line, "%s %s\n", i->serial, i->issuer);
	return append(p, "forgotten", &line, e);
}
