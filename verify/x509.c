/* SPDX-License-Identifier: MIT */
#include "verify/pki_int.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
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

/* What is folded away by RFC 5280 7.1 (case, white space) or may be coded in two ways (beyond ASCII) does not enter the hash. */
static uint64_t
hash_value(uint64_t h, const struct ber *v)
{
	size_t step = v->tag == 0x1e ? 2 : 1, i; /* BMPString */

	for (i = step - 1; i < v->body.n; i += step) {
		if (step == 2 && v->body.p[i - 1] != 0)
			continue;
		if (v->body.p[i] < 0x80 && isalnum(v->body.p[i]))
			h = (h ^ (uint64_t)tolower(v->body.p[i])) * UINT64_C(0x100000001b3);
	}
	return h;
}

uint64_t
name_hash(struct slice name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	struct cur top = cur_from(name), rdns, rdn, pair;
	struct ber oid, value;
	uint64_t sum;
	size_t i;

	for (ber_enter(&top, BER_SEQUENCE, &rdns); !rdns.failed && !cur_at_end(&rdns);) {
		sum = 0; /* a SET's order may differ */
		for (ber_enter(&rdns, BER_SET, &rdn); !rdn.failed && !cur_at_end(&rdn);) {
			uint64_t one = UINT64_C(0xcbf29ce484222325);

			ber_enter(&rdn, BER_SEQUENCE, &pair);
			ber_take(&pair, BER_OID, &oid);
			if (pair.failed || !ber_next(&pair, &value))
				break;
			for (i = 0; i < oid.body.n; i++)
				one = (one ^ oid.body.p[i]) * UINT64_C(0x100000001b3);
			if (value.tag != 0x1c) /* UniversalString: four octets a character, never met */
				one = hash_value(one, &value);
			sum += one;
		}
		h = (h ^ sum) * UINT64_C(0x100000001b3);
	}
	return h;
}

static X509_NAME *
name_decode(struct slice name)
{
	const uint8_t *p = name.p;
	X509_NAME *n = d2i_X509_NAME(NULL, &p, (long)name.n);

	ERR_clear_error();
	return n;
}

char *
name_text(struct slice name)
{
	X509_NAME *n = name_decode(name);
	BIO *bio = n != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL, *at = NULL;
	long len;

	if (bio != NULL && X509_NAME_print_ex(bio, n, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(bio, &at);
		text = mem_dup(at != NULL ? at : "", len > 0 ? (size_t)len : 0);
	}
	BIO_free(bio);
	X509_NAME_free(n);
	ERR_clear_error();
	if (text == NULL && n == NULL) {
		AUTO(buf) struct buf hex = {0};

		buf_adds(&hex, "#");
		buf_addhex(&hex, name);
		text = mem_dupstr(buf_str(&hex));
	}
	return text;
}

bool
pki_name_eq(struct slice a, struct slice b)
{
	X509_NAME *x, *y;
	bool same;

	if (slice_eq(a, b))
		return true;
	if (name_hash(a) != name_hash(b))
		return false;
	x = name_decode(a);
	y = name_decode(b);
	same = x != NULL && y != NULL && X509_NAME_cmp(x, y) == 0;
	X509_NAME_free(x);
	X509_NAME_free(y);
	ERR_clear_error();
	return same;
}

/* ---- extensions ---- */

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

static void
urls_free(struct urls *u)
{
	size_t i;

	for (i = 0; i < u->n; i++)
		free(u->v[i]);
	free(u->v);
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
	return !seq.failed && p->c.private_key_end != TIME_NONE;
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
	if (known == 0 || (known < 0 && x->critical))
		w->p->c.unknown_critical = true;
	return true;
}

/* ---- the certificate ---- */

static bool
read_validity(struct cert *c, struct cur *seq)
{
	struct ber from, to;

	if (!ber_next(seq, &from) || !ber_next(seq, &to) || !cur_at_end(seq))
		return false;
	c->not_before = ber_time(from.tag, from.body, NULL, NULL);
	c->not_after = ber_time(to.tag, to.body, NULL, NULL);
	return c->not_before != TIME_NONE && c->not_after != TIME_NONE;
}

static bool
read_key_info(struct cert_priv *p, struct slice spki, struct err *e)
{
	struct digest d;

	p->spki = spki;
	p->c.own_key = spki_use(spki, &p->key_octets);
	p->c.own_key.usage = USE_CERTIFICATES;
	if (digest_once(DIGEST_SHA1, p->key_octets, &d, e) == ERR_OK)
		memcpy(p->c.key_sha1, d.octets, sizeof(p->c.key_sha1));
	return p->key_octets.p != NULL;
}

static bool
read_extensions(struct cert_priv *p, struct slice body)
{
	struct ext_walk w = {.p = p};
	struct cur outer = cur_from(body);
	struct ber list;
	bool ok = ber_take(&outer, BER_SEQUENCE, &list) && cur_at_end(&outer) && extensions_walk(list.body, cert_extension, &w);

	buf_release(&w.seen);
	return ok;
}

/* The first part that can't be read, or NULL. */
static const char *
read_tbs(struct cert_priv *p, struct slice body, struct slice *inner_alg, struct err *e)
{
	struct cur c = cur_from(body), validity;
	struct ber version, serial, alg, issuer, subject, spki, unique, ext;

	ber_opt(&c, BER_CTXC(0), &version);
	ber_take(&c, BER_INTEGER, &serial);
	ber_take(&c, BER_SEQUENCE, &alg);
	ber_take(&c, BER_SEQUENCE, &issuer);
	if (!ber_enter(&c, BER_SEQUENCE, &validity) || serial.body.n == 0)
		return "serial number, algorithm, issuer or validity";
	if (!read_validity(&p->c, &validity))
		return "validity";
	ber_take(&c, BER_SEQUENCE, &subject);
	if (!ber_take(&c, BER_SEQUENCE, &spki) || !read_key_info(p, spki.whole, e))
		return "subject or public key";
	ber_opt(&c, BER_CTX(1), &unique);
	ber_opt(&c, BER_CTX(2), &unique);
	if (ber_opt(&c, BER_CTXC(3), &ext) && !read_extensions(p, ext.body))
		return "extensions";
	if (!cur_at_end(&c))
		return "what follows the extensions";
	p->c.serial = serial.body;
	p->c.issuer = issuer.whole;
	p->c.subject = subject.whole;
	*inner_alg = alg.whole;
	return NULL;
}

static const char *
read_certificate(struct cert_priv *p, struct err *e)
{
	struct cur top = cur_from(p->c.der), seq;
	struct ber tbs, alg, sig;
	struct slice inner_alg;
	const char *fault;

	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &tbs);
	ber_take(&seq, BER_SEQUENCE, &alg);
	ber_take(&seq, BER_BIT_STRING, &sig);
	if (!cur_at_end(&seq) || !cur_at_end(&top))
		return "outer structure";
	fault = read_tbs(p, tbs.body, &inner_alg, e);
	if (fault != NULL)
		return fault;
	if (!ber_bits(sig.body, &p->signature, NULL))
		return "signature";
	p->tbs = tbs.whole;
	/* RFC 5280 4.1.1.2: both must name the same algorithm; if not, nothing verifies. */
	if (slice_eq(inner_alg, alg.whole))
		p->scheme = sig_scheme_read(alg.body, DIGEST_NONE);
	p->c.signed_with = sig_use(&p->scheme, USE_CERTIFICATES);
	return NULL;
}

static void
cert_free(void *cert)
{
	struct cert_priv *p = cert;

	if (p == NULL)
		return;
	free((void *)p->c.der.p);
	free(p->c.subject_text);
	free(p->c.issuer_text);
	urls_free(&p->c.ocsp_urls);
	urls_free(&p->c.issuer_urls);
	urls_free(&p->c.crl_urls);
	urls_free(&p->c.delta_urls);
	EVP_PKEY_free(p->key);
	X509_free(p->x509);
	free(p);
}

static void
cert_priv_auto(struct cert_priv **p)
{
	cert_free(*p);
}

static enum err_code
read_names(struct cert_priv *p, struct err *e)
{
	p->subject_hash = name_hash(p->c.subject);
	p->issuer_hash = name_hash(p->c.issuer);
	p->c.subject_text = name_text(p->c.subject);
	p->c.issuer_text = name_text(p->c.issuer);
	p->c.self_issued = pki_name_eq(p->c.subject, p->c.issuer);
	return p->c.subject_text != NULL && p->c.issuer_text != NULL ? ERR_OK : err_nomem(e);
}

enum err_code
pki_cert(struct pki *p, struct slice der, const struct cert **out, struct err *e)
{
	AUTO(cert_priv) struct cert_priv *c = NULL;
	uint8_t sha256[32];
	const char *fault;

	*out = NULL;
	if (der.n > CERT_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "certificate of %zu octets, at most %d", der.n, CERT_MAX_BYTES);
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "certificate");
	*out = pki_find(p, OBJ_CERT, sha256);
	if (*out != NULL)
		return ERR_OK;
	c = mem_new(1, sizeof(*c));
	if (c == NULL || (c->c.der.p = (uint8_t *)mem_dup(der.p, der.n)) == NULL)
		return err_nomem(e);
	c->c.der.n = der.n;
	memcpy(c->c.sha256, sha256, 32);
	c->c.path_len = -1;
	c->c.private_key_end = TIME_MAX;
	fault = read_certificate(c, e);
	if (fault != NULL)
		return err_set(e, ERR_FORMAT, "not a certificate: %s", fault);
	if (read_names(c, e) != ERR_OK)
		return err_wrap(e, "certificate");
	c->id = p->next_id++;
	if (pki_keep(p, OBJ_CERT, sha256, c, cert_free, e) != ERR_OK)
		return err_wrap(e, "certificate");
	*out = &TAKE(c)->c;
	cert_priv(*out)->c.self_signed = (*out)->self_issued && pki_signed_by(p, *out, *out);
	return ERR_OK;
}

EVP_PKEY *
pki_key(const struct cert *c)
{
	struct cert_priv *p = cert_priv(c);

	if (!p->key_tried)
		p->key = spki_key(p->spki);
	p->key_tried = true;
	return p->key;
}

X509 *
pki_x509(const struct cert *c)
{
	struct cert_priv *p = cert_priv(c);
	const uint8_t *at = c->der.p;

	if (!p->x509_tried)
		p->x509 = d2i_X509(NULL, &at, (long)c->der.n);
	if (!p->x509_tried && p->x509 != NULL)
		X509_check_purpose(p->x509, -1, 0); /* fills what name constraints look at */
	p->x509_tried = true;
	ERR_clear_error();
	return p->x509;
}

bool
pki_signed_by(struct pki *p, const struct cert *c, const struct cert *issuer)
{
	struct cert_priv *child = cert_priv(c), *parent = cert_priv(issuer);

	if (child->issuer_hash != parent->subject_hash || !pki_name_eq(c->issuer, issuer->subject))
		return false;
	return pki_object_signed_by(p, child->id, &child->scheme, child->tbs, child->signature, issuer);
}

struct alg_use
pki_cert_alg(const struct cert *c, const struct cert *issuer)
{
	struct alg_use use = c->signed_with;

	if (issuer != NULL) {
		use.key_bits = issuer->own_key.key_bits;
		use.q_bits = issuer->own_key.q_bits;
	}
	return use;
}

bool
cert_same_authority(const struct cert *a, const struct cert *b)
{
	if (a == b)
		return true;
	return slice_eq(cert_priv(a)->spki, cert_priv(b)->spki) && cert_priv(a)->subject_hash == cert_priv(b)->subject_hash &&
	    pki_name_eq(a->subject, b->subject);
}

int64_t
asn1_time_utc(const ASN1_TIME *t)
{
	if (t == NULL)
		return TIME_NONE;
	return ber_time(t->type == V_ASN1_UTCTIME ? BER_UTC_TIME : BER_GENERALIZED_TIME,
	    slice_of(t->data, t->length > 0 ? (size_t)t->length : 0), NULL, NULL);
}
