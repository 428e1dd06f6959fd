/* SPDX-License-Identifier: MIT */
/* One SingleResponse of an OCSP response, read (RFC 6960 4.2.1). */
#include "verify/pki_int.h"

#include <string.h>

bool
single_read(struct slice body, struct single *s)
{
	struct cur c = cur_from(body), id, in;
	struct ber alg, name, key, serial, when, next, ext;

	memset(s, 0, sizeof(*s));
	ber_enter(&c, BER_SEQUENCE, &id);
	ber_take(&id, BER_SEQUENCE, &alg);
	ber_take(&id, BER_OCTET_STRING, &name);
	ber_take(&id, BER_OCTET_STRING, &key);
	if (!ber_take(&id, BER_INTEGER, &serial) || !ber_next(&c, &s->status) || !ber_take(&c, BER_GENERALIZED_TIME, &when))
		return false;
	s->alg = ber_digest_alg(alg.body);
	s->name_hash = name.body;
	s->key_hash = key.body;
	s->serial = ber_int_canonical(serial.body);
	s->this_update = ber_time(when.tag, when.body, NULL, NULL);
	s->next_update = TIME_NONE;
	if (ber_opt(&c, BER_CTXC(0), &next)) {
		in = cur_from(next.body);
		if (!ber_take(&in, BER_GENERALIZED_TIME, &when))
			return false;
		s->next_update = ber_time(when.tag, when.body, NULL, NULL);
	}
	if (ber_opt(&c, BER_CTXC(1), &ext)) {
		in = cur_from(ext.body);
		if (!ber_take(&in, BER_SEQUENCE, &ext))
			return false;
		s->extensions = ext.body;
	}
	return cur_at_end(&c) && s->this_update != TIME_NONE;
}

struct single_facts {
	struct rev_answer *a;
	const struct cert *c;
	bool unknown_critical;
};

/* CertHash ::= SEQUENCE { hashAlgorithm, certificateHash } (1.3.36.8.3.13, Common PKI). */
static void
read_cert_hash(struct single_facts *f, struct slice value)
{
	struct cur top = cur_from(value), seq;
	struct ber alg, hash;
	struct digest d;

	f->a->cert_hash_present = true;
	ber_enter(&top, BER_SEQUENCE, &seq);
	ber_take(&seq, BER_SEQUENCE, &alg);
	ber_take(&seq, BER_OCTET_STRING, &hash);
	f->a->cert_hash_match = cur_at_end(&seq) && digest_once(ber_digest_alg(alg.body), f->c->der, &d, NULL) == ERR_OK &&
	    slice_eq(digest_slice(&d), hash.body);
}

static bool
single_extension(void *ctx, const struct extension *x)
{
	struct single_facts *f = ctx;
	struct cur c = cur_from(x->value);
	struct ber v;

	if (strcmp(x->oid, "1.3.6.1.5.5.7.48.1.6") == 0) {
		if (ber_take(&c, BER_GENERALIZED_TIME, &v))
			f->a->archive_cutoff = ber_time(v.tag, v.body, NULL, NULL);
	} else if (strcmp(x->oid, "1.3.36.8.3.13") == 0) {
		read_cert_hash(f, x->value);
	} else if (x->critical && strcmp(x->oid, "1.3.6.1.5.5.7.48.1.3") != 0 && strcmp(x->oid, "1.3.6.1.5.5.7.48.1.2") != 0) {
		/* crlRef changes nothing; a nonce is met here, critical too, instead of in the response's extensions */
		f->unknown_critical = true;
	}
	return true;
}

bool
single_extensions(const struct single *s, const struct cert *c, struct rev_answer *a)
{
	struct single_facts f = {.a = a, .c = c};

	return extensions_walk(s->extensions, single_extension, &f) && !f.unknown_critical;
}

static bool
extended_revoke(void *ctx, const struct extension *x)
{
	if (strcmp(x->oid, "1.3.6.1.5.5.7.48.1.9") == 0)
		*(bool *)ctx = true;
	return true;
}

/* Is the response extension "extended revoke" (RFC 6960 4.4.8) there? */
static bool
has_extended_revoke(const struct rev_priv *r)
{
	struct cur c = cur_from(r->tbs), seq, ext;
	struct ber b;
	bool found = false;

	ber_enter(&c, BER_SEQUENCE, &seq);
	while (!cur_at_end(&seq) && ber_next(&seq, &b)) {
		if (b.tag != BER_CTXC(1))
			continue;
		/* ResponderID byName bears the same tag; its content is a Name, in which no extension can be read */
		ext = cur_from(b.body);
		if (ber_take(&ext, BER_SEQUENCE, &b))
			extensions_walk(b.body, extended_revoke, &found);
	}
	return found;
}

void
single_status(const struct rev_priv *r, const struct single *s, struct rev_answer *a)
{
	const struct ber *status = &s->status;
	struct cur c = cur_from(status->body), in;
	struct ber when, reason;
	int64_t n;

	if (status->tag == BER_CTX(0)) {
		a->status = REV_GOOD;
		return;
	}
	if (status->tag == BER_CTX(2) || status->tag == BER_CTXC(2)) {
		a->status = REV_UNKNOWN;
		return;
	}
	if (status->tag != BER_CTXC(1) || !ber_take(&c, BER_GENERALIZED_TIME, &when)) {
		a->problem = "certStatus can't be read (RFC 6960 4.2.1)";
		return;
	}
	a->revoked_at = ber_time(when.tag, when.body, NULL, NULL);
	if (ber_opt(&c, BER_CTXC(0), &reason)) {
		in = cur_from(reason.body);
		if (ber_take(&in, BER_ENUMERATED, &reason) && ber_int64(reason.body, &n) && n >= 0 && n <= 10)
			a->reason = (int)n;
	}
	if (a->revoked_at == TIME_NONE || !cur_at_end(&c)) {
		a->problem = "revocation time can't be read (RFC 6960 4.2.1)";
		return;
	}
	/* RFC 6960 2.2: 1970-01-01 and certificateHold, under the extension, mean that it was never issued. */
	a->never_issued = a->revoked_at == 0 && a->reason == 6 && has_extended_revoke(r);
	a->status = a->reason == 6 && !a->never_issued ? REV_HOLD : REV_REVOKED;
}
