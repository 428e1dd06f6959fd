/* SPDX-License-Identifier: MIT */
/* End entities: DIR/ee/NAME.key, NAME.crt, NAME.txt (kind of key, id of the
 * CA). */
#include "tests/pki/pki.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400

void
signer_auto(struct signer *s)
{
	X509_free(s->cert);
	EVP_PKEY_free(s->key);
}

/* A name is a file name here and a field of the register. */
static enum err_code
check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n == 0 || n >= 60 || strpbrk(name, "/\n\r") != NULL ||
	    name[0] == '.')
		return err_set(e, ERR_USAGE,
		    "a name has 1 to 59 octets, no slash and no line end");
	return ERR_OK;
}

static enum err_code
save(const struct pki *p, const struct signer *s, const char *kind,
    struct err *e)
{
	AUTO(mem) char *key = pki_path(p, "ee/%s.key", s->name);
	AUTO(mem) char *crt = pki_path(p, "ee/%s.crt", s->name);
	AUTO(mem) char *txt = pki_path(p, "ee/%s.txt", s->name);
	AUTO(buf) struct buf note = {0};

	if (key == NULL || crt == NULL || txt == NULL)
		return err_nomem(e);
	buf_addf(&note, "%s %s\n", kind, s->ca->id);
	if (key_save(key, s->key, e) != ERR_OK ||
	    cert_save(crt, s->cert, e) != ERR_OK)
		return e->code;
	return pki_write(txt, buf_slice(&note), e);
}

/* notBefore is the start of the virtual day, so that this day's CRL already
 * speaks about it. */
static enum err_code
make(struct pki *p, struct signer *s, const char *kind, const struct line *l,
    int64_t now, int days, struct err *e)
{
	struct template t = {.cn = s->name, .role = ROLE_EE};

	if (authority_now(p, l, now, &s->ca, e) != ERR_OK)
		return e->code;
	t.from_utc = now - now % DAY;
	t.until_utc = t.from_utc + (int64_t)days * DAY - 1;
	if (t.until_utc > s->ca->until_utc)
		t.until_utc = s->ca->until_utc;
	t.ocsp = strcmp(l->ee_status, "ocsp") == 0;
	t.crl = !t.ocsp;
	s->pss = strcmp(kind, "pss") == 0;
	if (key_make(p, kind, &s->key, e) != ERR_OK)
		return e->code;
	return cert_make(p, &t, s->key, s->ca, &s->cert, e);
}

enum err_code
signer_issue(struct pki *p, const char *name, const char *kind, const char *ca,
    int days, struct signer *out, struct err *e)
{
	AUTO(signer) struct signer s = {0};
	const struct line *l = line_find(ca);
	AUTO(mem) char *crt = pki_path(p, "ee/%s.crt", name);
	AUTO(fd) int lock = -1;
	int64_t now;

	if (crt == NULL)
		return err_nomem(e);
	if (l == NULL || l->ee_status == NULL)
		return err_set(e, ERR_USAGE, "no issuing CA %s", ca);
	if (check_name(name, e) != ERR_OK || pki_now(p, &now, e) != ERR_OK)
		return e->code;
	if (access(crt, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s has a certificate", name);
	snprintf(s.name, sizeof(s.name), "%s", name);
	if (make(p, &s, kind, l, now, days, e) != ERR_OK ||
	    pki_lock(p, &lock, e) != ERR_OK ||
	    issued_add(p, s.cert, s.ca->id, name, e) != ERR_OK ||
	    save(p, &s, kind, e) != ERR_OK)
		return e->code;
	if (out != NULL) {
		*out = s;
		s = (struct signer){0};
	}
	return ERR_OK;
}

enum err_code
signer_load(struct pki *p, const char *name, struct signer *out, struct err *e)
{
	AUTO(signer) struct signer s = {0};
	AUTO(mem) char *key = pki_path(p, "ee/%s.key", name);
	AUTO(mem) char *crt = pki_path(p, "ee/%s.crt", name);
	AUTO(mem) char *txt = pki_path(p, "ee/%s.txt", name);
	AUTO(buf) struct buf note = {0};
	char kind[PKI_NAME], ca[PKI_NAME];
	int64_t now;

	if (key == NULL || crt == NULL || txt == NULL)
		return err_nomem(e);
	if (check_name(name, e) != ERR_OK || pki_now(p, &now, e) != ERR_OK ||
	    pki_read(txt, &note, e) != ERR_OK ||
	    key_load(key, &s.key, e) != ERR_OK ||
	    cert_load(crt, &s.cert, e) != ERR_OK)
		return e->code;
	if (sscanf(buf_str(&note), "%95s %95s", kind, ca) != 2)
		return err_set(e, ERR_FORMAT, "%s", txt);
	if (authority_find(p, ca, now, &s.ca, e) != ERR_OK)
		return e->code;
	s.pss = strcmp(kind, "pss") == 0;
	snprintf(s.name, sizeof(s.name), "%s", name);
	*out = s;
	s = (struct signer){0};
	return ERR_OK;
}
