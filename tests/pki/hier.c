/* SPDX-License-Identifier: MIT */
/* Lines, generations and responders: who exists when. */
#include "tests/pki/pki.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define YEARS(n) (12 * (n))
/* A responder's key lives half a year and its certificate eleven months, as
 * with large issuers. */
#define RESPONDER_PERIOD 6
#define RESPONDER_LIFE 11

/*
 * Roots outlive everything. A CA stops issuing while what it issued can still
 * end before it; a TSA takes a new key while its certificate has half its life
 * left, so that a token is good for years. The offsets keep the renewals of
 * the three TSAs apart.
 */
static const struct line lines[] = {
    {"root", "Test Root", NULL, ROLE_ROOT, "p384", 0, YEARS(40), YEARS(40),
	false, false, false, false, NULL},
    {"ca1", "Test Issuing CA 1", "root", ROLE_CA, "p384", 0, YEARS(14),
	YEARS(20), false, true, true, true, "ocsp"},
    {"ca2", "Test Issuing CA 2", "root", ROLE_CA, "p384", 0, YEARS(16),
	YEARS(24), false, true, false, false, "crl"},
    {"tsaroot1", "Test TSA Root 1", NULL, ROLE_ROOT, "p384", 0, YEARS(40),
	YEARS(40), false, false, false, false, NULL},
    {"tsaca1", "Test TSA CA 1", "tsaroot1", ROLE_CA, "p384", 0, YEARS(9),
	YEARS(16), false, true, false, false, NULL},
    {"tsa1", "Test TSA 1", "tsaca1", ROLE_TSA, "ecdsa", 0, YEARS(3), YEARS(6),
	false, true, false, false, NULL},
    {"tsaroot2", "Test TSA Root 2", NULL, ROLE_ROOT, "p384", 0, YEARS(40),
	YEARS(40), false, false, false, false, NULL},
    {"tsaca2", "Test TSA CA 2", "tsaroot2", ROLE_CA, "p384", 0, YEARS(10),
	YEARS(18), false, true, true, false, NULL},
    {"tsa2", "Test TSA 2", "tsaca2", ROLE_TSA, "p384", 3, 30, YEARS(5), true,
	true, false, false, NULL},
    {"tsaroot3", "Test TSA Root 3", NULL, ROLE_ROOT, "p384", 0, YEARS(40),
	YEARS(40), false, false, false, false, NULL},
    {"tsaca3", "Test TSA CA 3", "tsaroot3", ROLE_CA, "p384", 0, YEARS(10),
	YEARS(20), false, true, false, false, NULL},
    {"tsa3", "Test TSA 3", "tsaca3", ROLE_TSA, "rsa4096", 0, YEARS(6), YEARS(8),
	false, true, false, false, NULL},
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static int64_t
schedule_start(void)
{
	return time_make(2025, 7, 1, 0, 0, 0);
}

const struct line *
line_find(const char *name)
{
	for (size_t i = 0; i < LINES; i++)
		if (strcmp(lines[i].name, name) == 0)
			return &lines[i];
	return NULL;
}

const struct line *
line_at(size_t i)
{
	return i < LINES ? &lines[i] : NULL;
}

static void
authority_release(struct authority *a)
{
	if (a == NULL)
		return;
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	free(a);
}

static void
authority_auto(struct authority **a)
{
	authority_release(*a);
}

void
authorities_free(struct authority *list)
{
	while (list != NULL) {
		struct authority *next = list->next;

		authority_release(list);
		list = next;
	}
}

static struct authority *
loaded(const struct pki *p, const char *id)
{
	for (struct authority *a = p->authorities; a != NULL; a = a->next)
		if (strcmp(a->id, id) == 0)
			return a;
	return NULL;
}

/* The register comes before the files: a certificate in the folder is always a
 * known one. */
static enum err_code
make_files(struct pki *p, const struct template *t, const char *key_kind,
    struct authority *a, const char *key_path, const char *cert_path,
    struct err *e)
{
	if (key_make(p, key_kind, &a->key, e) != ERR_OK ||
	    cert_make(p, t, a->key, a->issuer, &a->cert, e) != ERR_OK ||
	    issued_add(p, a->cert, a->issuer != NULL ? a->issuer->id : a->id,
		a->id, e) != ERR_OK ||
	    key_save(key_path, a->key, e) != ERR_OK)
		return e->code;
	return cert_save(cert_path, a->cert, e);
}

static enum err_code
load_or_make(struct pki *p, const struct template *t, const char *key_kind,
    struct authority *a, struct err *e)
{
	AUTO(mem) char *key_path = pki_path(p, "ca/%s.key", a->id);
	AUTO(mem) char *cert_path = pki_path(p, "ca/%s.crt", a->id);
	AUTO(fd) int lock = -1;

	if (key_path == NULL || cert_path == NULL)
		return err_nomem(e);
	if (access(cert_path, F_OK) != 0 && pki_lock(p, &lock, e) != ERR_OK)
		return e->code;
	if (access(cert_path, F_OK) != 0)
		return make_files(p, t, key_kind, a, key_path, cert_path, e);
	if (key_load(key_path, &a->key, e) != ERR_OK)
		return e->code;
	return cert_load(cert_path, &a->cert, e);
}

/* What a kept certificate says wins over the template. */
static bool
read_times(struct authority *a)
{
	struct tm from, until;

	if (ASN1_TIME_to_tm(X509_get0_notBefore(a->cert), &from) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(a->cert), &until) != 1)
		return false;
	a->from_utc = time_make(from.tm_year + 1900, from.tm_mon + 1,
	    from.tm_mday, from.tm_hour, from.tm_min, from.tm_sec);
	a->until_utc = time_make(until.tm_year + 1900, until.tm_mon + 1,
	    until.tm_mday, until.tm_hour, until.tm_min, until.tm_sec);
	return true;
}

enum err_code
authority_variant(struct pki *p, const char *id, struct authority *issuer,
    const struct template *t, const char *key_kind, struct authority **out,
    struct err *e)
{
	AUTO(authority) struct authority *a = NULL;

	if ((*out = loaded(p, id)) != NULL)
		return ERR_OK;
	if ((a = mem_new(1, sizeof(*a))) == NULL)
		return err_nomem(e);
	snprintf(a->id, sizeof(a->id), "%s", id);
	a->issuer = issuer;
	if (load_or_make(p, t, key_kind, a, e) != ERR_OK)
		return err_wrap(e, "%s", id);
	if (!read_times(a))
		return err_openssl(e, ERR_FORMAT, "%s: validity", id);
	a->next = p->authorities;
	p->authorities = a;
	*out = TAKE(a);
	return ERR_OK;
}

static int64_t
generation_start(const struct line *l, int gen)
{
	return time_add_months(
	    schedule_start(), l->first_month + (gen - 1) * l->period_months);
}

static enum err_code
generation(struct pki *p, const struct line *l, int gen, struct authority **out,
    struct err *e)
{
	char id[PKI_NAME], cn[PKI_NAME];
	int64_t from = generation_start(l, gen);
	struct template t = {cn, l->role, from,
	    time_add_months(from, l->life_months) - 1, l->ocsp, l->crl, false};
	struct authority *issuer = NULL;

	snprintf(id, sizeof(id), "%s-%d", l->name, gen);
	snprintf(cn, sizeof(cn), "%s G%d", l->cn, gen);
	if (l->issuer != NULL &&
	    authority_now(p, line_find(l->issuer), from, &issuer, e) != ERR_OK)
		return e->code;
	if (issuer != NULL && t.until_utc > issuer->until_utc)
		t.until_utc = issuer->until_utc;
	if (authority_variant(p, id, issuer, &t, l->key, out, e) != ERR_OK)
		return e->code;
	(*out)->line = l;
	return ERR_OK;
}

enum err_code
authority_now(struct pki *p, const struct line *l, int64_t now,
    struct authority **out, struct err *e)
{
	int gen = 1;

	/* a line that begins after its issuer is asked for in its first months:
	 * the first generation stands in */
	while (generation_start(l, gen + 1) <= now && gen < 1000)
		gen++;
	return generation(p, l, gen, out, e);
}

static enum err_code
find_responder(struct pki *p, const char *id, const char *tail, int64_t now,
    struct authority **out, struct err *e)
{
	char ca_id[PKI_NAME];
	struct authority *ca;

	snprintf(ca_id, sizeof(ca_id), "%.*s", (int)(tail - id), id);
	if (authority_find(p, ca_id, now, &ca, e) != ERR_OK)
		return e->code;
	if (authority_responder(p, ca, now, out, e) != ERR_OK)
		return e->code;
	*out = loaded(p, id);
	return *out != NULL ? ERR_OK
			    : err_set(e, ERR_NOTFOUND, "no responder %s", id);
}

enum err_code
authority_find(struct pki *p, const char *id, int64_t now,
    struct authority **out, struct err *e)
{
	const char *tail = strstr(id, "-ocsp-");
	const char *dash = strrchr(id, '-');
	char name[PKI_NAME];
	const struct line *l;
	int gen;

	if (tail != NULL)
		return find_responder(p, id, tail, now, out, e);
	if (dash == NULL || (size_t)(dash - id) >= sizeof(name))
		return err_set(e, ERR_NOTFOUND, "no authority %.60s", id);
	snprintf(name, sizeof(name), "%.*s", (int)(dash - id), id);
	gen = atoi(dash + 1);
	if ((l = line_find(name)) == NULL || gen < 1 || gen > 1000 ||
	    (gen > 1 && generation_start(l, gen) > now))
		return err_set(e, ERR_NOTFOUND, "no authority %.60s", id);
	return generation(p, l, gen, out, e);
}

enum err_code
authority_responder(struct pki *p, struct authority *ca, int64_t now,
    struct authority **out, struct err *e)
{
	char id[PKI_NAME + 16], cn[PKI_NAME + 32];
	int n = 1;
	int64_t from = ca->from_utc;
	struct template t = {.cn = cn, .role = ROLE_OCSP};

	if (ca->line == NULL || !ca->line->has_responder)
		return err_set(e, ERR_NOTFOUND, "%s has no responder", ca->id);
	for (int64_t next; (next = time_add_months(
				ca->from_utc, n * RESPONDER_PERIOD)) <= now;
	     n++)
		from = next;
	snprintf(id, sizeof(id), "%s-ocsp-%d", ca->id, n);
	snprintf(cn, sizeof(cn), "%s OCSP Responder %s", ca->line->cn, id);
	t.from_utc = from;
	t.until_utc = time_add_months(from, RESPONDER_LIFE) - 1;
	if (t.until_utc > ca->until_utc)
		t.until_utc = ca->until_utc;
	t.nocheck = ca->line->nocheck;
	t.crl = !t.nocheck;
	if (strlen(id) >= PKI_NAME)
		return err_set(e, ERR_LIMIT, "id %s", id);
	return authority_variant(p, id, ca, &t, "ecdsa", out, e);
}
