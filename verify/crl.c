/* SPDX-License-Identifier: MIT */
/*
 * CRLs. OpenSSL needs ten times a CRL's size to hold it; the largest have 100
 * MB. So entries stay where they stand and an index of serial numbers, 16
 * octets each, is built once.
 */
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

#define CRL_MAX_BYTES (256u << 20)

static int
entry_cmp(const void *a, const void *b, void *base)
{
	const struct crl_entry *x = a, *y = b;
	const uint8_t *octets = base;
	int d;

	if (x->serial_n != y->serial_n)
		return x->serial_n < y->serial_n ? -1 : 1;
	d = memcmp(octets + x->serial_at, octets + y->serial_at, x->serial_n);
	if (d != 0)
		return d;
	return x->serial_at < y->serial_at ? -1 : x->serial_at > y->serial_at;
}

static void
sort_entries(struct rev_priv *r)
{
	size_t i;

	for (i = 1; i < r->r.n_entries; i++)
		if (entry_cmp(&r->entries[i - 1], &r->entries[i], (void *)r->r.der.p) > 0)
			break;
	if (i < r->r.n_entries)
		qsort_r(r->entries, r->r.n_entries, sizeof(*r->entries), entry_cmp, (void *)r->r.der.p);
}

/* certificateIssuer (2.5.29.29) makes a CRL indirect whatever it says of itself. */
static bool
names_other_issuer(struct slice extensions)
{
	static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1d, 0x1d};

	return extensions.n >= sizeof(oid) && memmem(extensions.p, extensions.n, oid, sizeof(oid)) != NULL;
}

/* The next of the list. extensions: what follows its date, empty if nothing does. */
static bool
read_entry(const struct rev_priv *r, struct cur *c, struct crl_entry *out, struct slice *extensions)
{
	struct slice canonical, rest;
	struct ber serial, when;
	struct cur seq;

	ber_enter(c, BER_SEQUENCE, &seq);
	if (!ber_take(&seq, BER_INTEGER, &serial) || serial.body.n == 0)
		return false;
	canonical = ber_int_canonical(serial.body);
	rest = slice_of(seq.in.p + seq.at, seq.in.n - seq.at);
	if (!ber_next(&seq, &when))
		return false;
	*extensions = slice_of(seq.in.p + seq.at, seq.in.n - seq.at);
	*out = (struct crl_entry){
	    .serial_at = (uint32_t)(canonical.p - r->r.der.p),
	    .serial_n = (uint32_t)canonical.n,
	    .rest_at = (uint32_t)(rest.p - r->r.der.p),
	    .rest_n = (uint32_t)rest.n,
	};
	return true;
}

static bool
read_entries(struct rev_priv *r, struct slice list)
{
	struct cur c = cur_from(list);
	struct slice extensions;
	size_t cap = 0;

	r->listed = list;
	while (!cur_at_end(&c)) {
		if (!mem_grow(&r->entries, &cap, r->r.n_entries, sizeof(*r->entries)) ||
		    !read_entry(r, &c, &r->entries[r->r.n_entries], &extensions))
			return false;
		if (extensions.n > 0 && names_other_issuer(extensions))
			r->r.indirect = true;
		r->r.n_entries++;
	}
	sort_entries(r);
	return true;
}

/* Has a DistributionPointName a full name that is a URI? */
static bool
names_uri(struct slice point)
{
	struct cur c = cur_from(point), names;
	struct ber name;

	for (ber_enter(&c, BER_CTXC(0), &names); !names.failed && !cur_at_end(&names);)
		if (ber_next(&names, &name) && name.tag == BER_CTX(6))
			return true;
	return false;
}

/* IssuingDistributionPoint, RFC 5280 5.2.5. */
static bool
read_idp(struct rev_priv *r, struct slice value)
{
	struct cur top = cur_from(value), seq;
	struct ber f;

	if (!ber_enter(&top, BER_SEQUENCE, &seq) || !cur_at_end(&top))
		return false;
	if (ber_opt(&seq, BER_CTXC(0), &f))
		r->idp_point = f.body;
	r->r.idp_uri = names_uri(r->idp_point);
	if (ber_opt(&seq, BER_CTX(1), &f))
		r->r.only_user = f.body.n == 1 && f.body.p[0] != 0;
	if (ber_opt(&seq, BER_CTX(2), &f))
		r->r.only_ca = f.body.n == 1 && f.body.p[0] != 0;
	if (ber_opt(&seq, BER_CTX(3), &f))
		r->r.partial = true;
	if (ber_opt(&seq, BER_CTX(4), &f) && f.body.n == 1 && f.body.p[0] != 0)
		r->r.indirect = true;
	if (ber_opt(&seq, BER_CTX(5), &f) && f.body.n == 1 && f.body.p[0] != 0)
		r->r.partial = r->r.only_attribute = true;
	return cur_at_end(&seq);
}

static bool
crl_extension(void *ctx, const struct extension *x)
{
	struct rev_priv *r = ctx;
	struct cur c = cur_from(x->value);
	struct ber v;

	if (strcmp(x->oid, "2.5.29.28") == 0) {
		r->r.bad_idp = !read_idp(r, x->value) || r->r.bad_idp;
		r->r.idp_critical = x->critical;
	} else if (strcmp(x->oid, "2.5.29.27") == 0) {
		r->r.delta = true;
	} else if (strcmp(x->oid, "2.5.29.20") == 0) {
		if (ber_take(&c, BER_INTEGER, &v))
			r->r.crl_number = v.body;
	} else if (strcmp(x->oid, "2.5.29.35") == 0) {
		read_aki(x->value, &r->aki);
	} else if (strcmp(x->oid, "2.5.29.60") == 0) {
		/* ISO 9594-8: GeneralizedTime; a UTCTime met there says nothing */
		if (ber_take(&c, BER_GENERALIZED_TIME, &v))
			r->r.expired_certs_on_crl = ber_time(v.tag, v.body, NULL, NULL);
	} else if (x->critical && strcmp(x->oid, "2.5.29.46") != 0 && strcmp(x->oid, "2.5.29.18") != 0) {
		r->r.unknown_critical = true;
	}
	return true;
}

static bool
read_crl_extensions(struct rev_priv *r, struct slice body)
{
	struct cur c = cur_from(body);
	struct ber list;

	return ber_take(&c, BER_SEQUENCE, &list) && cur_at_end(&c) && extensions_walk(list.body, crl_extension, r);
}

static bool
at_time(const struct cur *c)
{
	return ber_at(c, BER_UTC_TIME) || ber_at(c, BER_GENERALIZED_TIME);
}

/* The first part that can't be read, or NULL. */
static const char *
read_tbs(struct rev_priv *r, struct slice body, struct slice *inner_alg)
{
	struct cur c = cur_from(body);
	struct ber version, alg, issuer, when, list, ext;

	ber_opt(&c, BER_INTEGER, &version); /* absent: v1 */
	ber_take(&c, BER_SEQUENCE, &alg);
	if (!ber_take(&c, BER_SEQUENCE, &issuer) || !at_time(&c) || !ber_next(&c, &when))
		return "algorithm, issuer or thisUpdate";
	r->r.issuer = issuer.whole;
	r->issuer_hash = name_hash(issuer.whole);
	r->r.this_update = r->r.produced_at = ber_time(when.tag, when.body, NULL, NULL);
	if (r->r.this_update == TIME_NONE)
		return "thisUpdate";
	if (at_time(&c)) {
		ber_next(&c, &when);
		r->r.next_update = ber_time(when.tag, when.body, NULL, NULL);
	}
	if (ber_opt(&c, BER_SEQUENCE, &list) && !read_entries(r, list.body))
		return "revoked certificates";
	if (ber_opt(&c, BER_CTXC(0), &ext) && !read_crl_extensions(r, ext.body))
		return "extensions";
	*inner_alg = alg.whole;
	return cur_at_end(&c) ? NULL : "what follows the entries";
}

static const char *
read_crl(struct rev_priv *r)
{
	struct cur top = cur_from(r->r.der), seq;
	struct ber tbs, alg, sig;
	struct slice inner_alg;
	const char *fault;

	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &tbs);
	ber_take(&seq, BER_SEQUENCE, &alg);
	ber_take(&seq, BER_BIT_STRING, &sig);
	if (!cur_at_end(&seq) || !cur_at_end(&top) || !ber_bits(sig.body, &r->signature, NULL))
		return "outer structure";
	fault = read_tbs(r, tbs.body, &inner_alg);
	if (fault != NULL)
		return fault;
	r->tbs = tbs.whole;
	/* RFC 5280 5.1.1.2: both must name the same algorithm; if not, nothing verifies. */
	if (slice_eq(inner_alg, alg.whole))
		r->scheme = sig_scheme_read(alg.body, DIGEST_NONE);
	return NULL;
}

void
rev_free(void *rev)
{
	struct rev_priv *r = rev;

	if (r == NULL)
		return;
	free((void *)r->r.der.p);
	free(r->r.certs);
	free(r->entries);
	free(r->joined);
	free(r);
}

static void
rev_priv_auto(struct rev_priv **r)
{
	rev_free(*r);
}

enum err_code
pki_crl(struct pki *p, struct slice der, const struct revocation **out, struct err *e)
{
	AUTO(rev_priv) struct rev_priv *r = NULL;
	uint8_t sha256[32];
	const char *fault;

	*out = NULL;
	if (der.n > CRL_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "CRL of %zu octets, at most %u", der.n, CRL_MAX_BYTES);
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "CRL");
	*out = pki_find(p, OBJ_CRL, sha256);
	if (*out != NULL)
		return ERR_OK;
	r = mem_new(1, sizeof(*r));
	if (r == NULL || (r->r.der.p = (uint8_t *)mem_dup(der.p, der.n)) == NULL)
		return err_nomem(e);
	r->r.kind = REV_CRL;
	r->r.der.n = der.n;
	r->r.next_update = r->r.expired_certs_on_crl = TIME_NONE;
	memcpy(r->r.sha256, sha256, 32);
	fault = read_crl(r);
	if (fault != NULL)
		return err_set(e, ERR_FORMAT, "not a CRL: %s", fault);
	r->id = p->next_id++;
	if (pki_keep(p, OBJ_CRL, sha256, r, rev_free, e) != ERR_OK)
		return err_wrap(e, "CRL");
	*out = &TAKE(r)->r;
	return ERR_OK;
}

/* ---- one serial number ---- */

static int
serial_cmp(const struct rev_priv *r, const struct crl_entry *entry, struct slice serial)
{
	if (entry->serial_n != serial.n)
		return entry->serial_n < serial.n ? -1 : 1;
	return memcmp(r->r.der.p + entry->serial_at, serial.p, serial.n);
}

struct entry_facts {
	int reason;
	bool unknown_critical;
};

static bool
entry_extension(void *ctx, const struct extension *x)
{
	struct entry_facts *f = ctx;
	struct cur c = cur_from(x->value);
	struct ber v;
	int64_t n;

	if (strcmp(x->oid, "2.5.29.21") == 0) {
		if (ber_take(&c, BER_ENUMERATED, &v) && ber_int64(v.body, &n) && n >= 0 && n <= 10)
			f->reason = (int)n;
	} else if (x->critical && strcmp(x->oid, "2.5.29.24") != 0 && strcmp(x->oid, "2.5.29.29") != 0) {
		f->unknown_critical = true;
	}
	return true;
}

void
crl_entry_read(const struct rev_priv *r, const struct crl_entry *entry, struct rev_answer *out)
{
	struct cur c = cur_from(slice_of(r->r.der.p + entry->rest_at, entry->rest_n));
	struct entry_facts f = {.reason = -1};
	struct ber when, list;

	ber_next(&c, &when);
	out->revoked_at = ber_time(when.tag, when.body, NULL, NULL);
	if (ber_opt(&c, BER_SEQUENCE, &list) && !extensions_walk(list.body, entry_extension, &f))
		f.unknown_critical = true;
	out->reason = f.reason;
	out->status = f.reason == 6 && !f.unknown_critical ? REV_HOLD : REV_REVOKED;
	if (out->revoked_at == TIME_NONE || !cur_at_end(&c)) {
		out->status = REV_NONE;
		out->problem = "CRL entry can't be read (RFC 5280 5.1.2.6)";
	} else if (f.reason == 8) {
		out->status = REV_NONE;
		out->problem = "removeFromCRL stands in a complete CRL (RFC 5280 5.3.1)";
	}
}

/* Graver: an entry that can't be read, then revoked before held, then the earlier date. */
static bool
graver(const struct rev_answer *a, const struct rev_answer *b)
{
	if ((a->problem != NULL) != (b->problem != NULL))
		return a->problem != NULL;
	if (a->status != b->status)
		return a->status == REV_REVOKED;
	return a->revoked_at < b->revoked_at;
}

const struct crl_entry *
crl_find(const struct rev_priv *r, struct slice serial)
{
	size_t low = 0, high = r->r.n_entries, mid;
	const struct crl_entry *best = NULL;
	struct rev_answer worst = {0}, one;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (serial_cmp(r, &r->entries[mid], serial) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < r->r.n_entries && serial_cmp(r, &r->entries[low], serial) == 0; low++) {
		one = (struct rev_answer){0};
		crl_entry_read(r, &r->entries[low], &one);
		if (best == NULL || graver(&one, &worst)) {
			best = &r->entries[low];
			worst = one;
		}
	}
	return best;
}

/* ---- an indirect CRL: an entry's issuer is the last that certificateIssuer named, at first the CRL's own (RFC 5280 5.3.3) ---- */

static bool
entry_issuer(void *ctx, const struct extension *x)
{
	struct slice *names = ctx;
	struct cur c = cur_from(x->value);
	struct ber list;

	if (strcmp(x->oid, "2.5.29.29") == 0)
		*names = ber_take(&c, BER_SEQUENCE, &list) ? list.body : (struct slice){0};
	return true;
}

bool
crl_find_indirect(const struct rev_priv *r, const struct cert *c, struct crl_entry *out)
{
	struct ber wanted = {.tag = BER_CTXC(4), .body = c->issuer}, list;
	struct cur at = cur_from(r->listed), ext;
	struct slice serial = ber_int_canonical(c->serial), extensions, names;
	struct rev_answer worst = {0}, one;
	bool own = pki_name_eq(r->r.issuer, c->issuer), found = false;
	struct crl_entry entry;

	while (!cur_at_end(&at) && read_entry(r, &at, &entry, &extensions)) {
		names = (struct slice){0};
		ext = cur_from(extensions);
		if (extensions.n > 0 && ber_take(&ext, BER_SEQUENCE, &list))
			extensions_walk(list.body, entry_issuer, &names);
		if (names.p != NULL)
			own = general_name_in(&wanted, names);
		if (!own || serial_cmp(r, &entry, serial) != 0)
			continue;
		one = (struct rev_answer){0};
		crl_entry_read(r, &entry, &one);
		if (!found || graver(&one, &worst)) {
			*out = entry;
			worst = one;
		}
		found = true;
	}
	return found;
}
