/* SPDX-License-Identifier: MIT */
/* Extensions: walking any list of them, and those of certificates (RFC 5280 4.2). */
#include "verify/pki_int.h"

#include <stdlib.h>
#include <string.h>

/* A cursor over an extension's value, which must be one SEQUENCE and nothing else. */
static bool
value_sequence(struct slice value, struct cur *seq)
{
	struct cur top = cur_from(value);

	return ber_enter(&top, BER_SEQUENCE, seq) && cur_at_end(&top);
}

bool
extensions_walk(struct slice list, bool (*f)(void *ctx, const struct extension *x), void *ctx)
{
	struct cur c = cur_from(list), seq;
	struct ber oid, critical, value;
	struct extension x;
	size_t n = 0;

	while (!cur_at_end(&c)) {
		if (!ber_enter(&c, BER_SEQUENCE, &seq) || ++n > EXTENSIONS_MAX)
			return false;
		memset(&x, 0, sizeof(x));
		ber_take(&seq, BER_OID, &oid);
		if (ber_opt(&seq, BER_BOOLEAN, &critical))
			x.critical = critical.body.n > 0 && critical.body.p[0] != 0;
		ber_take(&seq, BER_OCTET_STRING, &value);
		if (!cur_at_end(&seq))
			return false;
		ber_oid_text(oid.body, x.oid);
		x.value = value.body;
		if (!f(ctx, &x))
			return false;
	}
	return true;
}

bool
read_aki(struct slice value, struct slice *out)
{
	struct cur seq;
	struct ber id;

	if (!value_sequence(value, &seq))
		return false;
	if (ber_opt(&seq, BER_CTX(0), &id))
		*out = id.body;
	return !seq.failed;
}

static void
urls_add(struct urls *u, struct slice text)
{
	char **more;
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f)
			return;
	if (u->n >= URLS_MAX || text.n == 0)
		return;
	more = realloc(u->v, (u->n + 1) * sizeof(*more));
	if (more == NULL)
		return;
	u->v = more;
	u->v[u->n] = mem_dup(text.p, text.n);
	if (u->v[u->n] != NULL)
		u->n++;
}

static bool
read_aia(struct cert_priv *p, struct slice value)
{
	struct cur seq, one;
	struct ber oid, name;

	if (!value_sequence(value, &seq))
		return false;
	while (!cur_at_end(&seq)) {
		ber_enter(&seq, BER_SEQUENCE, &one);
		ber_take(&one, BER_OID, &oid);
		if (!ber_next(&one, &name))
			return false;
		if (name.tag != BER_CTX(6))
			continue;
		if (ber_oid_is(oid.body, "1.3.6.1.5.5.7.48.1"))
			urls_add(&p->c.ocsp_urls, name.body);
		else if (ber_oid_is(oid.body, "1.3.6.1.5.5.7.48.2"))
			urls_add(&p->c.issuer_urls, name.body);
	}
	return true;
}

/* CRLDistributionPoints (and FreshestCRL): the URIs of the full names. */
static bool
read_points(struct urls *u, struct slice value)
{
	struct cur seq, point, choice, names;
	struct ber dp, full, name;

	if (!value_sequence(value, &seq))
		return false;
	while (!cur_at_end(&seq)) {
		if (!ber_enter(&seq, BER_SEQUENCE, &point))
			return false;
		if (!ber_opt(&point, BER_CTXC(0), &dp))
			continue;
		choice = cur_from(dp.body);
		if (!ber_opt(&choice, BER_CTXC(0), &full))
			continue;
		for (names = cur_from(full.body); !cur_at_end(&names);) {
			if (!ber_next(&names, &name))
				return false;
			if (name.tag == BER_CTX(6))
				urls_add(u, name.body);
		}
	}
	return true;
}

static bool
read_basic_constraints(struct cert_priv *p, struct slice value)
{
	struct cur seq;
	struct ber ca, len;
	int64_t n;

	if (!value_sequence(value, &seq))
		return false;
	if (ber_opt(&seq, BER_BOOLEAN, &ca))
		p->c.is_ca = ca.body.n == 1 && ca.body.p[0] != 0;
	if (ber_opt(&seq, BER_INTEGER, &len)) {
		if (!ber_int64(len.body, &n) || n < 0)
			return false;
		p->c.path_len = n > INT32_MAX ? INT32_MAX : (int)n;
	}
	return cur_at_end(&seq);
}

static bool
read_key_usage(struct cert_priv *p, struct slice value)
{
	struct cur top = cur_from(value);
	struct ber bits;
	struct slice octets;
	unsigned unused;

	if (!ber_take(&top, BER_BIT_STRING, &bits) || !cur_at_end(&top) || !ber_bits(bits.body, &octets, &unused))
		return false;
	p->c.has_key_usage = true;
	p->c.key_usage = octets.n > 0 ? octets.p[0] : 0;
	return true;
}

static bool
read_eku(struct cert_priv *p, const struct extension *x)
{
	static const struct {
		const char *oid;
		unsigned bit;
	} known[] = {{"1.3.6.1.5.5.7.3.8", EKU_TIMESTAMPING}, {"1.3.6.1.5.5.7.3.9", EKU_OCSP_SIGNING}, {"2.5.29.37.0", EKU_ANY}};
	struct cur seq;
	struct ber oid;
	unsigned bit;
	size_t i;

	if (!value_sequence(x->value, &seq))
		return false;
	p->c.has_eku = true;
	p->c.eku_critical = x->critical;
	while (!cur_at_end(&seq)) {
		if (!ber_take(&seq, BER_OID, &oid))
			return false;
		for (bit = EKU_OTHER, i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (ber_oid_is(oid.body, known[i].oid))
				bit = known[i].bit;
		p->c.eku |= bit;
		p->c.eku_count++;
	}
	return true;
}

static bool
read_ski(struct cert_priv *p, struct slice value)
{
	struct cur top = cur_from(value);
	struct ber id;

	if (!ber_take(&top, BER_OCTET_STRING, &id))
		return false;
	p->c.ski = id.body;
	return cur_at_end(&top);
}

static bool
read_private_key_usage(struct cert_priv *p, struct slice value)
{
	struct cur seq;
	struct ber t;

	if (!value_sequence(value, &seq))
		return false;
	ber_opt(&seq, BER_CTX(0), &t);
	if (ber_opt(&seq, BER_CTX(1), &t))
		p->c.private_key_end = ber_time(BER_GENERALIZED_TIME, t.body, NULL, NULL);
	if (!seq.failed && p->c.private_key_end != TIME_NONE)
		return true;
	p->c.private_key_end = TIME_MAX;
	return false;
}

/* ETSI EN 319 412-1 5.2: an extension of its own, value NULL. */
#define OID_VAL_ASSURED "0.4.0.194121.2.1"

/* Extensions that are understood by being named here, and nothing has to be read from them. */
static const char *const tolerated[] = {
    "2.5.29.9", "2.5.29.18", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54",
    "1.3.6.1.5.5.7.1.3", "1.3.6.1.5.5.7.1.11",
};

/* 1 read, 0 malformed, -1 not known. */
static int
read_extension(struct cert_priv *p, const struct extension *x)
{
	size_t i;

	if (strcmp(x->oid, "2.5.29.19") == 0)
		return read_basic_constraints(p, x->value);
	if (strcmp(x->oid, "2.5.29.15") == 0)
		return read_key_usage(p, x->value);
	if (strcmp(x->oid, "2.5.29.37") == 0)
		return read_eku(p, x);
	if (strcmp(x->oid, "2.5.29.14") == 0)
		return read_ski(p, x->value);
	if (strcmp(x->oid, "2.5.29.35") == 0)
		return read_aki(x->value, &p->c.aki);
	if (strcmp(x->oid, "2.5.29.16") == 0)
		return read_private_key_usage(p, x->value);
	if (strcmp(x->oid, "1.3.6.1.5.5.7.1.1") == 0)
		return read_aia(p, x->value);
	if (strcmp(x->oid, "2.5.29.31") == 0) {
		p->crl_dp = x->value;
		return read_points(&p->c.crl_urls, x->value);
	}
	if (strcmp(x->oid, "2.5.29.17") == 0) {
		p->alt_names = x->value;
		return 1;
	}
	if (strcmp(x->oid, "2.5.29.46") == 0)
		return read_points(&p->c.delta_urls, x->value);
	if (strcmp(x->oid, "2.5.29.30") == 0) {
		p->c.has_name_constraints = true;
		p->name_constraints = x->value;
		return 1;
	}
	if (strcmp(x->oid, "1.3.6.1.5.5.7.48.1.5") == 0)
		return p->c.ocsp_nocheck = true;
	if (strcmp(x->oid, "2.5.29.56") == 0)
		return p->c.no_rev_avail = true;
	if (strcmp(x->oid, OID_VAL_ASSURED) == 0)
		return p->c.val_assured = true;
	for (i = 0; i < sizeof(tolerated) / sizeof(tolerated[0]); i++)
		if (strcmp(x->oid, tolerated[i]) == 0)
			return 1;
	return -1;
}

/* What can't be read must not widen what a certificate may do; an unreadable pointer or key identifier is merely not there. */
static bool
limits_use(const char *oid)
{
	return strcmp(oid, "2.5.29.19") == 0 || strcmp(oid, "2.5.29.15") == 0 || strcmp(oid, "2.5.29.37") == 0;
}

struct ext_walk {
	struct cert_priv *p;
	struct buf seen; /* "oid\n" for each, to notice the second of a kind (RFC 5280 4.2) */
};

static bool
cert_extension(void *ctx, const struct extension *x)
{
	struct ext_walk *w = ctx;
	AUTO(mem) char *line = mem_printf("\n%s\n", x->oid);
	int known;

	if (line == NULL)
		return false;
	if (w->seen.n > 0 && strstr(buf_str(&w->seen), line) != NULL)
		w->p->c.unknown_critical = true;
	buf_adds(&w->seen, line);
	known = read_extension(w->p, x);
	if (known <= 0 && (x->critical || (known == 0 && limits_use(x->oid))))
		w->p->c.unknown_critical = true;
	return true;
}

bool
cert_read_extensions(struct cert_priv *p, struct slice body)
{
	struct ext_walk w = {.p = p};
	struct cur outer = cur_from(body);
	struct ber list;
	bool ok = ber_take(&outer, BER_SEQUENCE, &list) && cur_at_end(&outer) && extensions_walk(list.body, cert_extension, &w);

	buf_release(&w.seen);
	return ok;
}
