/* SPDX-License-Identifier: MIT */
/* Time-stamp tokens put together octet by octet, each off by what its spec states, and the CA and TSA they come from. */
#ifndef EVERSEAL_TESTS_MINI_TOKEN_H
#define EVERSEAL_TESTS_MINI_TOKEN_H

#include "tests/mini_ca.h"

#define SIGNED_DATA "1.2.840.113549.1.7.2"
#define TST_INFO "1.2.840.113549.1.9.16.1.4"

enum flaw {
	FLAW_NONE = 0,
	NO_ESS,
	ESS_V1,
	ESS_BOTH,
	ESS_BOTH_V1_WRONG,
	ESS_WRONG,
	ESS_SHA512,
	ESS_SERIAL,
	ESS_SERIAL_WRONG,
	BY_SKI,
	BY_OTHER_SERIAL,
	UNSORTED_AS_RECEIVED,
	UNSORTED_SIGNED_SORTED,
	TWO_SIGNERS,
	NO_SIGNERS,
	NO_ATTRIBUTES,
	DIGEST_WRONG,
	CONTENT_TYPE_WRONG,
	NO_CONTENT_TYPE,
	DIGEST_TWICE,
	SIGNATURE_WRONG,
	PROTECTED,
	PROTECTED_WRONG,
	BER_PIECES,
	NO_CERTS,
	RSA_OID, /* rsaEncryption or id-ecPublicKey instead of the suite */
	SUITE_DISAGREES
};

struct token_spec {
	const struct who *tsa;
	enum flaw flaw;
	enum digest_alg digest;
	bool pss, shake;
	const char *suite; /* OID of the signature algorithm */
	const char *time;
	int version;
	struct slice nonce;
	const char *extra; /* hex of what stands between serial+time and the end, instead of the nonce */
	const struct revocation *crl, *ocsp;
	const struct cert *unsigned_cert;
	const struct revocation *unsigned_crl;
};

static inline void
put_int(struct buf *b, unsigned v)
{
	uint8_t octet = (uint8_t)v;

	ber_put(b, BER_INTEGER, slice_of(&octet, 1));
}

static inline void
put_hex(struct buf *b, const char *hex)
{
	uint8_t octets[512];

	assert_true(hex_to(hex, strlen(hex), octets));
	buf_add(b, octets, strlen(hex) / 2);
}

static inline void
put_tst(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf body = {0}, imprint = {0};
	struct digest d;
	struct err e = {0};

	OK(digest_once(DIGEST_SHA256, slice_str("doc-1"), &d, &e));
	put_int(&body, s->version != 0 ? (unsigned)s->version : 1);
	ber_put_oid(&body, "1.2.3.4");
	ber_put_digest_alg(&imprint, DIGEST_SHA256);
	ber_put(&imprint, BER_OCTET_STRING, digest_slice(&d));
	ber_put_buf(&body, BER_SEQUENCE, &imprint);
	ber_put(&body, BER_INTEGER, slice_of("\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14", 20));
	ber_put(&body, BER_GENERALIZED_TIME, slice_str(s->time != NULL ? s->time : "20260101000000Z"));
	if (s->nonce.n > 0)
		ber_put(&body, BER_INTEGER, s->nonce);
	if (s->extra != NULL)
		put_hex(&body, s->extra);
	ber_put_buf(out, BER_SEQUENCE, &body);
}

static inline void
put_attribute(struct buf *out, const char *oid, const struct buf *value, int times)
{
	AUTO(buf) struct buf seq = {0}, set = {0};

	ber_put_oid(&seq, oid);
	while (times-- > 0)
		buf_addslice(&set, buf_slice(value));
	ber_put_buf(&seq, BER_SET, &set);
	ber_put_buf(out, BER_SEQUENCE, &seq);
}

/* SigningCertificate(V2) with one entry. */
static inline void
put_ess(struct buf *out, int version, enum digest_alg alg, const struct cert *c, enum flaw flaw)
{
	AUTO(buf) struct buf entry = {0}, one = {0}, list = {0}, value = {0};
	AUTO(buf) struct buf names = {0}, name = {0}, serial = {0};
	struct digest d;
	struct err e = {0};

	OK(digest_once(alg, c->der, &d, &e));
	if (flaw == ESS_WRONG || (flaw == ESS_BOTH_V1_WRONG && version == 1))
		d.octets[0] ^= 1;
	if (version == 2 && alg != DIGEST_SHA256)
		ber_put_digest_alg(&entry, alg);
	ber_put(&entry, BER_OCTET_STRING, digest_slice(&d));
	if (flaw == ESS_SERIAL || flaw == ESS_SERIAL_WRONG) {
		ber_put(&name, BER_CTXC(4), c->issuer);
		ber_put_buf(&names, BER_SEQUENCE, &name);
		buf_addslice(&serial, buf_slice(&names));
		if (flaw == ESS_SERIAL)
			ber_put(&serial, BER_INTEGER, c->serial);
		else
			put_int(&serial, 1);
		ber_put_buf(&entry, BER_SEQUENCE, &serial);
	}
	ber_put_buf(&one, BER_SEQUENCE, &entry);
	ber_put_buf(&list, BER_SEQUENCE, &one);
	ber_put_buf(&value, BER_SEQUENCE, &list);
	put_attribute(out, version == 1 ? "1.2.840.113549.1.9.16.2.12" : "1.2.840.113549.1.9.16.2.47", &value, 1);
}

static inline void
put_sig_alg(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf seq = {0};
	const char *oid = s->suite;

	if (s->pss) {
		AUTO(buf) struct buf params = {0}, alg = {0}, mgf = {0}, inner = {0}, salt = {0};

		ber_put_digest_alg(&alg, s->digest);
		ber_put_buf(&params, BER_CTXC(0), &alg);
		ber_put_oid(&mgf, "1.2.840.113549.1.1.8");
		ber_put_digest_alg(&mgf, s->digest);
		ber_put_buf(&inner, BER_SEQUENCE, &mgf);
		ber_put_buf(&params, BER_CTXC(1), &inner);
		put_int(&salt, (unsigned)digest_row(s->digest)->size);
		ber_put_buf(&params, BER_CTXC(2), &salt);
		ber_put_oid(&seq, "1.2.840.113549.1.1.10");
		ber_put_buf(&seq, BER_SEQUENCE, &params);
	} else {
		ber_put_oid(&seq, oid);
	}
	ber_put_buf(out, BER_SEQUENCE, &seq);
}

static inline void
put_digest_id(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf seq = {0};

	if (s->shake) {
		ber_put_oid(&seq, "2.16.840.1.101.3.4.2.12");
		ber_put_buf(out, BER_SEQUENCE, &seq);
	} else {
		ber_put_digest_alg(out, s->digest);
	}
}

static inline void
put_message_digest(struct buf *out, const struct token_spec *s, struct slice content)
{
	uint8_t octets[64];
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(md, s->shake ? EVP_shake256() : EVP_get_digestbyname(digest_row(s->digest)->evp), NULL), 1);
	EVP_DigestUpdate(md, content.p, content.n);
	if (s->shake)
		EVP_DigestFinalXOF(md, octets, n = 64);
	else
		EVP_DigestFinal_ex(md, octets, &n);
	EVP_MD_CTX_free(md);
	if (s->flaw == DIGEST_WRONG)
		octets[3] ^= 4;
	ber_put(out, BER_OCTET_STRING, slice_of(octets, n));
}

/* In an order that DER accepts when sorted, contentType last (out of order) when not. */
static inline void
put_attributes(struct buf *out, const struct token_spec *s, struct slice content, bool sorted)
{
	AUTO(buf) struct buf type = {0}, digest = {0}, protect = {0}, body = {0};
	const struct cert *c = s->tsa->cert;

	ber_put_oid(&type, s->flaw == CONTENT_TYPE_WRONG ? "1.2.840.113549.1.7.1" : TST_INFO);
	put_message_digest(&digest, s, content);
	if (sorted && s->flaw != NO_CONTENT_TYPE)
		put_attribute(out, "1.2.840.113549.1.9.3", &type, 1);
	put_attribute(out, "1.2.840.113549.1.9.4", &digest, 1);
	if (s->flaw == DIGEST_TWICE)
		put_attribute(out, "1.2.840.113549.1.9.4", &digest, 1);
	if (s->flaw == PROTECTED || s->flaw == PROTECTED_WRONG) {
		AUTO(buf) struct buf alg = {0};
		struct token_spec other = *s;

		if (s->flaw == PROTECTED_WRONG)
			other.digest = DIGEST_SHA512;
		put_digest_id(&body, &other);
		put_sig_alg(&alg, s);
		{
			struct cur in = cur_from(buf_slice(&alg));
			struct ber seq;

			assert_true(ber_next(&in, &seq));
			ber_put(&body, BER_CTXC(1), seq.body);
		}
		ber_put_buf(&protect, BER_SEQUENCE, &body);
		put_attribute(out, "1.2.840.113549.1.9.52", &protect, 1);
	}
	if (s->flaw == ESS_V1 || s->flaw == ESS_BOTH || s->flaw == ESS_BOTH_V1_WRONG)
		put_ess(out, 1, DIGEST_SHA1, c, s->flaw);
	if (s->flaw != NO_ESS && s->flaw != ESS_V1)
		put_ess(out, 2, s->flaw == ESS_SHA512 ? DIGEST_SHA512 : DIGEST_SHA256, c, s->flaw);
	if (!sorted)
		put_attribute(out, "1.2.840.113549.1.9.3", &type, 1);
}

/* DER to r || s for a curve of 256 bits. */
static inline size_t
to_plain(uint8_t *sig, size_t n)
{
	const uint8_t *p = sig;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)n);
	uint8_t plain[64];

	assert_non_null(pair);
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), plain, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), plain + 32, 32);
	memcpy(sig, plain, sizeof(plain));
	ECDSA_SIG_free(pair);
	return sizeof(plain);
}

static inline void
put_signature(struct buf *out, const struct token_spec *s, struct slice attributes)
{
	EVP_PKEY *key = s->tsa->key;
	EVP_MD_CTX *md = mini_signer(key, s->shake ? NULL : digest_row(s->digest)->evp, s->pss);
	AUTO(buf) struct buf data = {0};
	uint8_t sig[1024];
	size_t n = sizeof(sig);

	ber_put(&data, BER_SET, attributes);
	assert_int_equal(EVP_DigestSign(md, sig, &n, data.p, data.n), 1);
	EVP_MD_CTX_free(md);
	if (s->suite != NULL && strncmp(s->suite, "0.4.0.127", 9) == 0)
		n = to_plain(sig, n);
	if (s->flaw == SIGNATURE_WRONG)
		sig[n - 1] ^= 1;
	ber_put(out, BER_OCTET_STRING, slice_of(sig, n));
}

static inline void
put_sid(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf sid = {0};
	const struct cert *c = s->tsa->cert;

	if (s->flaw == BY_SKI) {
		ber_put(out, BER_CTX(0), c->ski);
		return;
	}
	buf_addslice(&sid, c->issuer);
	if (s->flaw == BY_OTHER_SERIAL)
		put_int(&sid, 3);
	else
		ber_put(&sid, BER_INTEGER, c->serial);
	ber_put_buf(out, BER_SEQUENCE, &sid);
}

static inline void
put_unsigned(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf certs = {0}, one = {0}, crls = {0}, part = {0}, values = {0}, set = {0};

	if (s->unsigned_cert == NULL)
		return;
	ber_put(&certs, BER_SEQUENCE, s->unsigned_cert->der);
	put_attribute(&set, "1.2.840.113549.1.9.16.2.23", &certs, 1);
	put_attribute(&set, "1.2.3.4.5", &certs, 1);
	buf_clear(&certs);
	ber_put(&one, BER_SEQUENCE, s->unsigned_crl->der);
	ber_put_buf(&crls, BER_CTXC(0), &one);
	ber_put_buf(&values, BER_SEQUENCE, &crls);
	buf_addslice(&part, buf_slice(&values));
	put_attribute(&set, "1.2.840.113549.1.9.16.2.24", &part, 1);
	ber_put_buf(out, BER_CTXC(1), &set);
}

static inline void
put_signer_info(struct buf *out, const struct token_spec *s, struct slice content)
{
	AUTO(buf) struct buf si = {0}, attributes = {0}, sorted = {0};
	bool unsorted = s->flaw == UNSORTED_AS_RECEIVED || s->flaw == UNSORTED_SIGNED_SORTED;

	put_int(&si, s->flaw == BY_SKI ? 3 : 1);
	put_sid(&si, s);
	put_digest_id(&si, s);
	put_attributes(&attributes, s, content, !unsorted);
	put_attributes(&sorted, s, content, true);
	if (s->flaw != NO_ATTRIBUTES)
		ber_put_buf(&si, BER_CTXC(0), &attributes);
	put_sig_alg(&si, s);
	put_signature(&si, s, s->flaw == UNSORTED_SIGNED_SORTED ? buf_slice(&sorted) : buf_slice(&attributes));
	put_unsigned(&si, s);
	ber_put_buf(out, BER_SEQUENCE, &si);
}

static inline void
put_content(struct buf *out, const struct token_spec *s, struct slice content)
{
	AUTO(buf) struct buf seq = {0}, octets = {0};

	ber_put_oid(&seq, TST_INFO);
	if (s->flaw == BER_PIECES) {
		buf_add(&octets, "\xa0\x80\x24\x80", 4);
		ber_put(&octets, BER_OCTET_STRING, slice_of(content.p, 10));
		ber_put(&octets, BER_OCTET_STRING, slice_of(content.p + 10, content.n - 10));
		buf_add(&octets, "\0\0\0\0", 4);
		buf_addslice(&seq, buf_slice(&octets));
	} else {
		ber_put(&octets, BER_OCTET_STRING, content);
		ber_put_buf(&seq, BER_CTXC(0), &octets);
	}
	ber_put_buf(out, BER_SEQUENCE, &seq);
}

static inline void
put_revocation(struct buf *out, const struct token_spec *s)
{
	AUTO(buf) struct buf list = {0}, other = {0};

	if (s->crl != NULL)
		buf_addslice(&list, s->crl->der);
	if (s->ocsp != NULL) {
		ber_put_oid(&other, "1.3.6.1.5.5.7.16.2");
		buf_addslice(&other, s->ocsp->der);
		ber_put_buf(&list, BER_CTXC(1), &other);
	}
	if (list.n > 0)
		ber_put_buf(out, BER_CTXC(1), &list);
}

static inline void
token_make(struct buf *out, struct token_spec s)
{
	AUTO(buf) struct buf tst = {0}, sd = {0}, algs = {0}, infos = {0}, outer = {0}, whole = {0};

	if (s.digest == DIGEST_NONE)
		s.digest = DIGEST_SHA256;
	if (s.suite == NULL)
		s.suite = s.flaw == RSA_OID ? "1.2.840.10045.2.1" : s.flaw == SUITE_DISAGREES ? "1.2.840.10045.4.3.4" : "1.2.840.10045.4.3.2";
	put_tst(&tst, &s);
	put_int(&sd, 3);
	put_digest_id(&algs, &s);
	ber_put_buf(&sd, BER_SET, &algs);
	put_content(&sd, &s, buf_slice(&tst));
	if (s.flaw != NO_CERTS)
		ber_put(&sd, BER_CTXC(0), s.tsa->cert->der);
	put_revocation(&sd, &s);
	if (s.flaw != NO_SIGNERS)
		put_signer_info(&infos, &s, buf_slice(&tst));
	if (s.flaw == TWO_SIGNERS)
		put_signer_info(&infos, &s, buf_slice(&tst));
	ber_put_buf(&sd, BER_SET, &infos);
	ber_put_buf(&outer, BER_SEQUENCE, &sd);
	ber_put_oid(&whole, SIGNED_DATA);
	if (s.flaw == BER_PIECES) {
		buf_add(&whole, "\xa0\x80", 2);
		buf_addslice(&whole, buf_slice(&outer));
		buf_add(&whole, "\0\0", 2);
		buf_add(out, "\x30\x80", 2);
		buf_addslice(out, buf_slice(&whole));
		buf_add(out, "\0\0", 2);
	} else {
		ber_put_buf(&whole, BER_CTXC(0), &outer);
		ber_put_buf(out, BER_SEQUENCE, &whole);
	}
	assert_false(out->failed);
}

struct house {
	struct pki *p;
	struct pool pool;
	struct who ca, tsa;
};

#define TSA_EXT "extendedKeyUsage=critical,timeStamping"

static inline void
house_fill(struct house *h, struct spec tsa)
{
	struct err e = {0};

	OK(pki_new(&h->p, &e));
	pool_init(&h->pool, h->p);
	h->ca = mini_cert(h->p, (struct spec){.name = "CA", .key = "p256", .ca = true, .ext = {NULL}});
	tsa.issuer = &h->ca;
	if (tsa.name == NULL)
		tsa.name = "TSA";
	if (tsa.key == NULL)
		tsa.key = "p256";
	tsa.ext[0] = TSA_EXT;
	h->tsa = mini_cert(h->p, tsa);
}

static inline void
house_auto(struct house *h)
{
	pool_release(&h->pool);
	who_free(&h->ca);
	who_free(&h->tsa);
	pki_free(h->p);
}

#endif
