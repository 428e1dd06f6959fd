/* SPDX-License-Identifier: MIT */
#include "tests/pki/pki.h"

#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define CA_CRL_DAYS 7

/* What this process gave out: equal questions get equal octets, as from a file
 * server. */
struct crl_kept {
	char ca[PKI_NAME];
	int64_t this_update;
	size_t entries;
	struct buf der;
	struct crl_kept *next;
};

void
crls_free(struct crl_kept *list)
{
	while (list != NULL) {
		struct crl_kept *next = list->next;

		buf_release(&list->der);
		free(list);
		list = next;
	}
}

static int64_t
root_period(const struct pki *p, int64_t now, int64_t *next)
{
	int64_t at = time_make(2025, 1, 1, 0, 0, 0);
	int64_t after;

	for (int n = 1; (after = time_add_months(time_make(2025, 1, 1, 0, 0, 0),
			     n * p->root_months)) <= now;
	     n++)
		at = after;
	*next = time_add_months(after, 1);
	return at;
}

/* The newest revocation of this CA that was recorded between the start of the
 * period and now. */
static int64_t
last_recorded(
    const struct issued *all, const char *ca, int64_t from, int64_t now)
{
	int64_t last = from;

	for (; all != NULL; all = all->next)
		if (all->revoked_utc != TIME_NONE &&
		    strcmp(all->issuer, ca) == 0 && all->recorded_utc > last &&
		    all->recorded_utc <= now)
			last = all->recorded_utc;
	return last;
}

static void
times(const struct pki *p, const struct authority *ca, const struct issued *all,
    int64_t now, bool stale, int64_t *from, int64_t *next)
{
	if (ca->line != NULL && ca->line->role == ROLE_ROOT) {
		int64_t start = root_period(p,
		    stale ? time_add_months(now, -p->root_months - 2) : now,
		    next);

		*from = last_recorded(all, ca->id, start, stale ? start : now);
		return;
	}
	*from = now - now % DAY;
	if (stale)
		*from -= (CA_CRL_DAYS + 1) * DAY;
	*from = last_recorded(all, ca->id, *from, stale ? *from : now);
	*next = *from - *from % DAY + CA_CRL_DAYS * DAY;
}

static bool
add_entry(X509_CRL *crl, const struct issued *i)
{
	AUTO(pki_revoked) X509_REVOKED *r = X509_REVOKED_new();
	AUTO(pki_time)
	ASN1_TIME *at = ASN1_TIME_adj(NULL, (time_t)i->revoked_utc, 0, 0);
	AUTO(pki_bn) BIGNUM *n = NULL;
	AUTO(pki_int) ASN1_INTEGER *serial = NULL;

	if (r == NULL || at == NULL || BN_hex2bn(&n, i->serial) == 0 ||
	    (serial = BN_to_ASN1_INTEGER(n, NULL)) == NULL ||
	    X509_REVOKED_set_serialNumber(r, serial) != 1 ||
	    X509_REVOKED_set_revocationDate(r, at) != 1)
		return false;
	if (i->reason > 0) {
		ASN1_ENUMERATED *code = ASN1_ENUMERATED_new();
		bool ok = code != NULL &&
			  ASN1_ENUMERATED_set(code, i->reason) == 1 &&
			  X509_REVOKED_add1_ext_i2d(
			      r, NID_crl_reason, code, 0, 0) == 1;

		ASN1_ENUMERATED_free(code);
		if (!ok)
			return false;
	}
	if (X509_CRL_add0_revoked(crl, r) != 1)
		return false;
	r = NULL;
	return true;
}

/* The number grows with the instant and, in one instant of a clock that stands
 * still, with the entries. */
static bool
add_extensions(
    X509_CRL *crl, const struct authority *ca, int64_t from, size_t count)
{
	AUTO(pki_int) ASN1_INTEGER *number = ASN1_INTEGER_new();
	AUTO(pki_ext) X509_EXTENSION *aki = NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, ca->cert, NULL, NULL, crl, 0);
	aki = X509V3_EXT_nconf_nid(
	    NULL, &ctx, NID_authority_key_identifier, "keyid:always");
	return aki != NULL && X509_CRL_add_ext(crl, aki, -1) == 1 &&
	       number != NULL &&
	       ASN1_INTEGER_set_int64(number, from * 10000 + (int64_t)count) ==
		   1 &&
	       X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
}

static bool
set_times(X509_CRL *crl, int64_t from, int64_t next)
{
	AUTO(pki_time) ASN1_TIME *a = ASN1_TIME_adj(NULL, (time_t)from, 0, 0);
	AUTO(pki_time) ASN1_TIME *b = ASN1_TIME_adj(NULL, (time_t)next, 0, 0);

	return a != NULL && b != NULL &&
	       X509_CRL_set1_lastUpdate(crl, a) == 1 &&
	       X509_CRL_set1_nextUpdate(crl, b) == 1;
}

static size_t
entries(const struct issued *all, const char *ca, int64_t from)
{
	size_t n = 0;

	for (; all != NULL; all = all->next)
		n += all->revoked_utc != TIME_NONE &&
		     strcmp(all->issuer, ca) == 0 && all->recorded_utc <= from;
	return n;
}

/* What makes the list another kind of list, critical as RFC 5280 asks. */
static bool
add_oddity(X509_CRL *crl, enum bad mode)
{
	AUTO(pki_int) ASN1_INTEGER *base = ASN1_INTEGER_new();
	AUTO(pki_ext) X509_EXTENSION *idp = NULL;

	if (mode == BAD_DELTA_CRL)
		return base != NULL && ASN1_INTEGER_set(base, 1) == 1 &&
		       X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0) ==
			   1;
	if (mode != BAD_INDIRECT_CRL && mode != BAD_ONLY_CA_CRL)
		return true;
	idp = X509V3_EXT_nconf_nid(NULL, NULL, NID_issuing_distribution_point,
	    mode == BAD_ONLY_CA_CRL ? "critical,onlyCA:TRUE"
				    : "critical,indirectCRL:TRUE");
	return idp != NULL && X509_CRL_add_ext(crl, idp, -1) == 1;
}

static enum err_code
sign(const struct authority *ca, EVP_PKEY *key, const struct issued *all,
    int64_t from, int64_t next, enum bad mode, struct buf *out, struct err *e)
{
	AUTO(pki_crl) X509_CRL *crl = X509_CRL_new();
	uint8_t *der = NULL;
	int n;

	if (crl == NULL || X509_CRL_set_version(crl, 1) != 1 ||
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) !=
		1 ||
	    !set_times(crl, from, next) ||
	    !add_extensions(crl, ca, from, entries(all, ca->id, from)) ||
	    !add_oddity(crl, mode))
		return err_openssl(e, ERR_BUG, "CRL of %s", ca->id);
	for (; all != NULL; all = all->next)
		if (all->revoked_utc != TIME_NONE &&
		    strcmp(all->issuer, ca->id) == 0 &&
		    all->recorded_utc <= from && !add_entry(crl, all))
			return err_openssl(
			    e, ERR_BUG, "CRL of %s: entry", ca->id);
	X509_CRL_sort(crl);
	if (X509_CRL_sign(crl, key, key_digest(key)) == 0 ||
	    (n = i2d_X509_CRL(crl, &der)) <= 0)
		return err_openssl(e, ERR_BUG, "CRL of %s: signing", ca->id);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

static bool
odd(enum bad mode)
{
	return mode == BAD_DELTA_CRL || mode == BAD_INDIRECT_CRL ||
	       mode == BAD_ONLY_CA_CRL || mode == BAD_FOREIGN_CRL;
}

static enum err_code
sign_odd(struct pki *p, const struct authority *ca, const struct issued *all,
    int64_t from, int64_t next, int64_t now, enum bad mode, struct buf *out,
    struct err *e)
{
	const char *other =
	    ca->line != NULL && strcmp(ca->line->name, "ca2") == 0 ? "ca1"
								   : "ca2";
	struct authority *by;

	if (authority_now(p, line_find(other), now, &by, e) != ERR_OK)
		return e->code;
	return sign(ca, mode == BAD_FOREIGN_CRL ? by->key : ca->key, all, from,
	    next, mode, out, e);
}

enum err_code
crl_make(struct pki *p, struct authority *ca, int64_t now, enum bad mode,
    struct buf *out, struct err *e)
{
	const struct issued *all;
	struct crl_kept *k;
	int64_t from, next;
	size_t n;

	if (issued_all(p, &all, e) != ERR_OK)
		return e->code;
	times(p, ca, all, now, mode == BAD_STALE_CRL, &from, &next);
	if (odd(mode))
		return sign_odd(p, ca, all, from, next, now, mode, out, e);
	n = entries(all, ca->id, from);
	for (k = p->crls; k != NULL; k = k->next)
		if (k->this_update == from && k->entries == n &&
		    strcmp(k->ca, ca->id) == 0)
			break;
	if (k == NULL) {
		if ((k = mem_new(1, sizeof(*k))) == NULL)
			return err_nomem(e);
		snprintf(k->ca, sizeof(k->ca), "%s", ca->id);
		k->this_update = from;
		k->entries = n;
		k->next = p->crls;
		p->crls = k;
		if (sign(ca, ca->key, all, from, next, BAD_NONE, &k->der, e) !=
		    ERR_OK) {
			k->this_update = TIME_NONE;
			return e->code;
		}
	}
	buf_addslice(out, buf_slice(&k->der));
	return buf_ok(out, e);
}
