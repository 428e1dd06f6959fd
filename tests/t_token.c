/* SPDX-License-Identifier: MIT */
/* Time-stamp tokens put together octet by octet, each off by what its row states; requests and answers by vectors. */
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

static void
put_int(struct buf *b, unsigned v)
{
	uint8_t octet = (uint8_t)v;

	ber_put(b, BER_INTEGER, slice_of(&octet, 1));
}

static void
put_hex(struct buf *b, const char *hex)
{
	uint8_t octets[512];

	assert_true(hex_to(hex, strlen(hex), octets));
	buf_add(b, octets, strlen(hex) / 2);
}

static void
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

static void
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
static void
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

static void
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

static void
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

static void
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
static void
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
static size_t
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

static void
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

static void
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

static void
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

static void
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

static void
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

static void
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

static void
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

/* ---- */

struct house {
	struct pki *p;
	struct pool pool;
	struct who ca, tsa;
};

#define TSA_EXT "extendedKeyUsage=critical,timeStamping"

static void
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

static void
house_auto(struct house *h)
{
	pool_release(&h->pool);
	who_free(&h->ca);
	who_free(&h->tsa);
	pki_free(h->p);
}

static struct token_signer
signer_of(struct house *h, const struct token *t)
{
	struct token_signer s;
	struct err e = {0};

	OK(pool_token_signer(&h->pool, t, &s, &e));
	return s;
}

static bool
openssl_verifies(struct slice der)
{
	const uint8_t *p = der.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);
	bool ok = cms != NULL && CMS_verify(cms, NULL, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1;

	CMS_ContentInfo_free(cms);
	return ok;
}

static void
good_token_facts(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t, *again;
	struct token_signer s;
	struct digest imprint;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){0});
	token_make(&der, (struct token_spec){.tsa = &h.tsa, .nonce = slice_of("\1\2\3\4\5\6\7\x08", 8)});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_int_equal(t->gen_time, NOW);
	assert_int_equal(t->gen_micros, 0);
	assert_string_equal(t->policy_oid, "1.2.3.4");
	OK(digest_once(DIGEST_SHA256, slice_str("doc-1"), &imprint, &e));
	assert_true(digest_eq(&imprint, &t->imprint));
	assert_true(slice_eq(t->nonce, slice_of("\1\2\3\4\5\6\7\x08", 8)));
	assert_int_equal(t->serial.n, 20);
	assert_int_equal(t->n_certs, 1);
	assert_ptr_equal(t->certs[0], h.tsa.cert);
	assert_true(t->signer_infos == 1 && !t->has_ess_v1 && t->has_ess_v2 && !t->was_response && !t->bad_time_form && !t->unknown_critical);
	assert_int_equal(t->accuracy_micros, -1);
	s = signer_of(&h, t);
	assert_int_equal(s.problem, TOKEN_OK);
	assert_ptr_equal(s.cert, h.tsa.cert);
	assert_true(s.ess_match && s.ess_serial_match && s.tsa_name_match && s.ess_digest == DIGEST_SHA256);
	assert_true(s.signed_with.key == KEY_ECDSA && s.signed_with.digest == DIGEST_SHA256 && s.signed_with.key_bits == 256 &&
	    s.signed_with.usage == USE_TIMESTAMPS);
	assert_true(openssl_verifies(buf_slice(&der)));
	OK(pki_token(h.p, buf_slice(&der), &again, &e));
	assert_ptr_equal(t, again);
	OK(pool_add_token(&h.pool, t, &e));
	assert_ptr_equal(pool_find_cert(&h.pool, h.tsa.cert->sha256), h.tsa.cert);
	assert_null(pool_find_cert(&h.pool, h.ca.cert->sha256));
}

static void
signer_rows(void **state)
{
	static const struct {
		const char *name;
		enum flaw flaw;
		enum token_problem want;
		bool ess, serial, unsorted;
	} rows[] = {
	    {"no ESSCertID", NO_ESS, TOKEN_OK, false, true, false},
	    {"version 1", ESS_V1, TOKEN_OK, true, true, false},
	    {"both versions", ESS_BOTH, TOKEN_OK, true, true, false},
	    {"both, version 1 of another", ESS_BOTH_V1_WRONG, TOKEN_OK, false, true, false},
	    {"of another", ESS_WRONG, TOKEN_OK, false, true, false},
	    {"SHA-512", ESS_SHA512, TOKEN_OK, true, true, false},
	    {"issuerSerial", ESS_SERIAL, TOKEN_OK, true, true, false},
	    {"issuerSerial of another", ESS_SERIAL_WRONG, TOKEN_OK, true, false, false},
	    {"key identifier", BY_SKI, TOKEN_OK, true, true, false},
	    {"SID names nobody", BY_OTHER_SERIAL, TOKEN_NO_SIGNER, false, false, false},
	    {"unsorted, signed so", UNSORTED_AS_RECEIVED, TOKEN_OK, true, true, false},
	    {"unsorted, signed sorted", UNSORTED_SIGNED_SORTED, TOKEN_OK, true, true, true},
	    {"two SignerInfos", TWO_SIGNERS, TOKEN_FORMAT, false, false, false},
	    {"no SignerInfo", NO_SIGNERS, TOKEN_FORMAT, false, false, false},
	    {"no signed attributes", NO_ATTRIBUTES, TOKEN_FORMAT, false, false, false},
	    {"messageDigest differs", DIGEST_WRONG, TOKEN_HASH, true, true, false},
	    {"contentType differs", CONTENT_TYPE_WRONG, TOKEN_FORMAT, false, false, false},
	    {"no contentType", NO_CONTENT_TYPE, TOKEN_FORMAT, false, false, false},
	    {"messageDigest twice", DIGEST_TWICE, TOKEN_FORMAT, false, false, false},
	    {"signature differs", SIGNATURE_WRONG, TOKEN_SIGNATURE, true, true, false},
	    {"algorithms protected", PROTECTED, TOKEN_OK, true, true, false},
	    {"other algorithms protected", PROTECTED_WRONG, TOKEN_FORMAT, false, false, false},
	    {"BER, content in pieces", BER_PIECES, TOKEN_OK, true, true, false},
	    {"no certificate", NO_CERTS, TOKEN_NO_SIGNER, false, false, false},
	    {"id-ecPublicKey", RSA_OID, TOKEN_OK, true, true, false},
	    {"suite of another digest", SUITE_DISAGREES, TOKEN_SIGNATURE, true, true, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_signer s;
		struct err e = {0};

		house_fill(&h, (struct spec){0});
		token_make(&der, (struct token_spec){.tsa = &h.tsa, .flaw = rows[i].flaw});
		if (pki_token(h.p, buf_slice(&der), &t, &e) != ERR_OK)
			fail_msg("%s: %s", rows[i].name, e.text);
		s = signer_of(&h, t);
		if (s.problem != rows[i].want || s.ess_match != rows[i].ess || s.ess_serial_match != rows[i].serial ||
		    t->signed_attributes_unsorted != rows[i].unsorted)
			fail_msg("%s: problem %d, ess %d, serial %d, unsorted %d", rows[i].name, s.problem, s.ess_match, s.ess_serial_match, t->signed_attributes_unsorted);
		if (s.problem == TOKEN_OK && s.cert != h.tsa.cert)
			fail_msg("%s: signer", rows[i].name);
		s = signer_of(&h, t); /* remembered */
		if (s.problem != rows[i].want)
			fail_msg("%s: the second time %d", rows[i].name, s.problem);
		if (t->gen_time != NOW)
			fail_msg("%s: genTime", rows[i].name);
	}
}

static void
every_scheme_signs(void **state)
{
	static const struct {
		const char *name, *key, *suite;
		enum digest_alg digest;
		bool pss, shake, openssl;
		enum key_kind want;
	} rows[] = {
	    {"RSA, bare OID", "rsa", "1.2.840.113549.1.1.1", DIGEST_SHA256, false, false, true, KEY_RSA},
	    {"RSA suite", "rsa", "1.2.840.113549.1.1.13", DIGEST_SHA512, false, false, true, KEY_RSA},
	    {"RSA SHA-1", "rsa1024", "1.2.840.113549.1.1.5", DIGEST_SHA1, false, false, true, KEY_RSA},
	    {"PSS", "rsa", NULL, DIGEST_SHA512, true, false, true, KEY_RSA_PSS},
	    {"P-521", "p521", "1.2.840.10045.4.3.4", DIGEST_SHA512, false, false, true, KEY_ECDSA},
	    {"Brainpool", "brainpool", "1.2.840.10045.4.3.3", DIGEST_SHA384, false, false, true, KEY_ECDSA},
	    {"Ed25519", "ed25519", "1.3.101.112", DIGEST_SHA512, false, false, false, KEY_ED25519},
	    {"Ed448", "ed448", "1.3.101.113", DIGEST_SHA512, false, true, false, KEY_ED448},
	    {"PLAIN-ECDSA", "p256", "0.4.0.127.0.7.1.1.4.1.3", DIGEST_SHA256, false, false, false, KEY_PLAIN_ECDSA},
	    {"DSA", "dsa", "2.16.840.1.101.3.4.3.2", DIGEST_SHA256, false, false, true, KEY_DSA},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_signer s;
		struct err e = {0};

		house_fill(&h, (struct spec){.key = rows[i].key});
		token_make(&der, (struct token_spec){.tsa = &h.tsa, .suite = rows[i].suite, .digest = rows[i].digest, .pss = rows[i].pss, .shake = rows[i].shake});
		OK(pki_token(h.p, buf_slice(&der), &t, &e));
		s = signer_of(&h, t);
		if (s.problem != TOKEN_OK || s.signed_with.key != rows[i].want)
			fail_msg("%s: %d", rows[i].name, s.problem);
		if (rows[i].openssl && !openssl_verifies(buf_slice(&der)))
			fail_msg("%s: OpenSSL disagrees", rows[i].name);
	}
}

static void
tst_rows(void **state)
{
	static const struct {
		const char *name;
		struct token_spec s;
		enum err_code want;
		int64_t time;
		uint32_t micros;
		bool bad_form, critical, tsa_name;
		int64_t accuracy;
	} rows[] = {
	    {"fraction", {.time = "20260101000000.5Z"}, ERR_OK, NOW, 500000, false, false, true, -1},
	    {"fraction with zeros", {.time = "20260101000000.50Z"}, ERR_OK, NOW, 500000, true, false, true, -1},
	    {"offset", {.time = "20260101010000+0100"}, ERR_OK, NOW, 0, true, false, true, -1},
	    {"no time", {.time = "gestern"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"version 2", {.version = 2}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"negative nonce", {.extra = "0202ff01"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"accuracy", {.extra = "300a02010180020064810164"}, ERR_OK, NOW, 0, false, false, true, 1100100},
	    {"accuracy out of range", {.extra = "3004800203e8"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	    {"ordering", {.extra = "0101ff"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"tsa = subject", {.extra = "a012a410300e310c300a06035504030c03545341"}, ERR_OK, NOW, 0, false, false, true, -1},
	    {"tsa = alternative name", {.extra = "a00b8209746361612e74657374"}, ERR_OK, NOW, 0, false, false, false, -1},
	    {"tsa = other", {.extra = "a012a410300e310c300a06035504030c03545342"}, ERR_OK, NOW, 0, false, false, false, -1},
	    {"critical extension", {.extra = "a10d300b06032a03040101ff04010a"}, ERR_OK, NOW, 0, false, true, true, -1},
	    {"octets follow", {.extra = "0500"}, ERR_FORMAT, 0, 0, false, false, false, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(house) struct house h = {0};
		AUTO(buf) struct buf der = {0};
		const struct token *t;
		struct token_spec s = rows[i].s;
		struct err e = {0};

		house_fill(&h, (struct spec){0});
		s.tsa = &h.tsa;
		token_make(&der, s);
		if (pki_token(h.p, buf_slice(&der), &t, &e) != rows[i].want)
			fail_msg("%s: %s", rows[i].name, e.text);
		if (rows[i].want != ERR_OK)
			continue;
		if (t->gen_time != rows[i].time || t->gen_micros != rows[i].micros || t->bad_time_form != rows[i].bad_form ||
		    t->unknown_critical != rows[i].critical || t->accuracy_micros != rows[i].accuracy || t->claims_qualified)
			fail_msg("%s: facts (accuracy %lld)", rows[i].name, (long long)t->accuracy_micros);
		if (signer_of(&h, t).problem != TOKEN_OK || signer_of(&h, t).tsa_name_match != rows[i].tsa_name)
			fail_msg("%s: signer", rows[i].name);
	}
}

static void
qualified_and_alternative_name(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0}, statement = {0}, id = {0}, list = {0}, ext = {0}, one = {0}, field = {0}, hex = {0};
	const struct token *t;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){.ext = {TSA_EXT, "subjectAltName=DNS:tsa.test", NULL}});
	ber_put(&field, BER_CTX(2), slice_str("tsa.test"));
	ber_put_buf(&hex, BER_CTXC(0), &field);
	ber_put_oid(&id, "0.4.0.19422.1.1");
	ber_put_buf(&statement, BER_SEQUENCE, &id);
	ber_put_buf(&list, BER_SEQUENCE, &statement);
	ber_put_oid(&ext, "1.3.6.1.5.5.7.1.3");
	ber_put_buf(&ext, BER_OCTET_STRING, &list);
	ber_put_buf(&one, BER_SEQUENCE, &ext);
	ber_put_buf(&hex, BER_CTXC(1), &one);
	buf_clear(&field);
	buf_addhex(&field, buf_slice(&hex));
	token_make(&der, (struct token_spec){.tsa = &h.tsa, .extra = buf_str(&field)});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_true(t->claims_qualified && !t->unknown_critical);
	assert_true(signer_of(&h, t).tsa_name_match);
}

/* Two certificates share issuer and serial number; ESSCertID says which is meant, and only one key verifies. */
static void
the_named_certificate_is_taken(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t;
	struct token_signer s;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){.serial = 5});
	AUTO(who) struct who other = mini_cert(h.p, (struct spec){.name = "Imposter", .issuer = &h.ca, .key = "p256", .serial = 5, .ext = {TSA_EXT, NULL}});
	AUTO(who) struct who same_key = mini_cert(h.p, (struct spec){.name = "Twin", .issuer = &h.ca, .reuse = h.tsa.key, .serial = 5, .ext = {TSA_EXT, NULL}});

	token_make(&der, (struct token_spec){.tsa = &h.tsa, .flaw = NO_CERTS});
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	OK(pool_add_cert(&h.pool, other.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_SIGNATURE && s.cert == other.cert && !s.ess_match);
	OK(pool_add_cert(&h.pool, same_key.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_OK && s.cert == same_key.cert && !s.ess_match);
	OK(pool_add_cert(&h.pool, h.tsa.cert, &e));
	s = signer_of(&h, t);
	assert_true(s.problem == TOKEN_OK && s.cert == h.tsa.cert && s.ess_match);
}

static const struct revocation *
some_crl(struct house *h, long number)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)(NOW + number));
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};

	X509_CRL_set_issuer_name(crl, X509_get_subject_name(h->ca.x509));
	X509_CRL_set1_lastUpdate(crl, when);
	X509_CRL_sign(crl, h->ca.key, EVP_sha256());
	OK(pki_crl(h->p, mini_der(i2d_X509_CRL(crl, &der), &der), &r, &e));
	OPENSSL_free(der);
	ASN1_TIME_free(when);
	X509_CRL_free(crl);
	return r;
}

static const struct revocation *
some_ocsp(struct house *h)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), h->tsa.x509, h->ca.x509);
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)NOW);
	const struct revocation *r;
	unsigned char *der = NULL;
	struct err e = {0};
	OCSP_RESPONSE *resp;

	OCSP_basic_add1_status(b, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, when, NULL);
	OCSP_basic_sign(b, h->ca.x509, h->ca.key, EVP_sha256(), NULL, 0);
	resp = OCSP_response_create(0, b);
	OK(pki_ocsp(h->p, mini_der(i2d_OCSP_RESPONSE(resp, &der), &der), &r, &e));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(resp);
	OCSP_BASICRESP_free(b);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(when);
	return r;
}

static void
embedded_material(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	struct token_spec s = {0};
	const struct token *t;
	struct err e = {0};

	(void)state;
	house_fill(&h, (struct spec){0});
	s.tsa = &h.tsa;
	s.crl = some_crl(&h, 0);
	s.ocsp = some_ocsp(&h);
	s.unsigned_cert = h.ca.cert;
	s.unsigned_crl = some_crl(&h, 1);
	token_make(&der, s);
	OK(pki_token(h.p, buf_slice(&der), &t, &e));
	assert_int_equal(t->n_certs, 2);
	assert_ptr_equal(t->certs[1], h.ca.cert);
	assert_int_equal(t->n_revs, 3);
	assert_ptr_equal(t->revs[0], s.crl);
	assert_ptr_equal(t->revs[1], s.ocsp);
	assert_ptr_equal(t->revs[2], s.unsigned_crl);
	assert_int_equal(signer_of(&h, t).problem, TOKEN_OK);
	OK(pool_add_token(&h.pool, t, &e));
	OK(pool_add_token(&h.pool, t, &e));
	assert_int_equal(h.pool.n_certs, 2);
	assert_int_equal(h.pool.n_revs, 3);
}

static void
token_mutations(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0};
	const struct token *t;
	struct token_signer s;
	struct token_spec spec = {0};
	struct err e = {0};
	size_t i;

	(void)state;
	house_fill(&h, (struct spec){0});
	spec.tsa = &h.tsa;
	spec.crl = some_crl(&h, 0);
	token_make(&der, spec);
	for (i = 0; i < der.n; i++) {
		AUTO(mem) uint8_t *prefix = malloc(i + 1);

		memcpy(prefix, der.p, i);
		if (pki_token(h.p, slice_of(prefix, i), &t, &e) == ERR_OK)
			fail_msg("prefix of %zu", i);
	}
	for (i = 0; i < der.n * 8; i++) {
		AUTO(mem) uint8_t *copy = malloc(der.n);

		memcpy(copy, der.p, der.n);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (pki_token(h.p, slice_of(copy, der.n), &t, &e) != ERR_OK)
			continue;
		s = signer_of(&h, t);
		if (s.problem == TOKEN_OK && t->gen_time != NOW)
			fail_msg("bit %zu flipped, another time", i);
	}
	buf_add8(&der, 0);
	assert_int_equal(pki_token(h.p, buf_slice(&der), &t, &e), ERR_FORMAT);
}

/* ---- requests and answers ---- */

static void
request_vector(void **state)
{
	static const char want[] =
	    "30430201013031300d060960864801650304020105000420bb0e4f49443794d901e8969ff11bd112e34208a0dcdf0e1eedb480cc9b3c7293"
	    "020801020304050607080101ff";
	AUTO(buf) struct buf out = {0}, hex = {0}, with_policy = {0};
	struct slice nonce = slice_of("\1\2\3\4\5\6\7\x08", 8);
	struct digest d;
	struct err e = {0};

	(void)state;
	OK(digest_once(DIGEST_SHA256, slice_str("doc-1"), &d, &e));
	OK(tsp_request(&d, nonce, NULL, &out, &e));
	buf_addhex(&hex, buf_slice(&out));
	assert_string_equal(buf_str(&hex), want);
	assert_int_equal(out.n, 69);
	OK(tsp_request(&d, nonce, "1.2.3.4", &with_policy, &e));
	assert_int_equal(with_policy.n, 74);
	assert_int_equal(tsp_request(&d, nonce, "policy", &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\0\2\3\4\5\6\7\x08", 8), NULL, &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\x80\2\3\4\5\6\7\x08", 8), NULL, &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\1\2\3\4\5\6\7", 7), NULL, &out, &e), ERR_USAGE);
}

static void
rejection_vectors(void **state)
{
	static const struct {
		const char *name, *hex;
		int bit;
	} rows[] = {
	    {"badAlg", "3009300702010203020780", 0},
	    {"badRequest", "3009300702010203020520", 2},
	    {"badDataFormat", "3009300702010203020204", 5},
	    {"timeNotAvailable", "300a30080201020303010002", 14},
	    {"unacceptedPolicy", "300a30080201020303000001", 15},
	    {"unacceptedExtension", "300b3009020102030407000080", 16},
	    {"addInfoNotAvailable", "300b3009020102030406000040", 17},
	    {"systemFailure", "300c300a02010203050600000040", 25},
	};
	uint8_t der[32];
	struct slice token;
	struct err e = {0};
	int status, bit;
	size_t i, n, cut;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = strlen(rows[i].hex) / 2;
		assert_true(hex_to(rows[i].hex, 2 * n, der));
		assert_int_equal(tsp_response(slice_of(der, n), &token, &status, &bit, &e), ERR_REMOTE);
		if (status != 2 || bit != rows[i].bit || strstr(e.text, rows[i].name) == NULL || token.n != 0)
			fail_msg("%s: status %d bit %d %s", rows[i].name, status, bit, e.text);
		for (cut = 0; cut < n; cut++)
			assert_int_equal(tsp_response(slice_of(der, cut), &token, &status, &bit, &e), ERR_FORMAT);
	}
}

static void
responses(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0}, info = {0}, body = {0}, whole = {0};
	const struct token *t, *direct;
	struct slice token;
	struct err e = {0};
	int status, bit, n;

	(void)state;
	house_fill(&h, (struct spec){0});
	token_make(&der, (struct token_spec){.tsa = &h.tsa});
	for (n = 0; n <= 6; n++) {
		buf_clear(&info);
		buf_clear(&body);
		buf_clear(&whole);
		put_int(&info, (unsigned)n);
		ber_put_buf(&body, BER_SEQUENCE, &info);
		buf_addslice(&body, buf_slice(&der));
		ber_put_buf(&whole, BER_SEQUENCE, &body);
		if (n > 1) { /* a token beside a refusal is ignored */
			assert_int_equal(tsp_response(buf_slice(&whole), &token, &status, &bit, &e), ERR_REMOTE);
			assert_int_equal(status, n);
			assert_int_equal(token.n, 0);
			continue;
		}
		OK(tsp_response(buf_slice(&whole), &token, &status, &bit, &e));
		assert_true(status == n && bit == -1 && slice_eq(token, buf_slice(&der)) && token.p > whole.p && token.p < whole.p + whole.n);
	}
	buf_clear(&info);
	buf_clear(&body);
	buf_clear(&whole);
	put_int(&info, 0);
	ber_put_buf(&body, BER_SEQUENCE, &info);
	buf_addslice(&body, buf_slice(&der));
	ber_put_buf(&whole, BER_SEQUENCE, &body);
	/* the whole answer where a token should stand */
	OK(pki_token(h.p, buf_slice(&der), &direct, &e));
	{
		AUTO(pki) struct pki *p = NULL;

		OK(pki_new(&p, &e));
		OK(pki_token(p, buf_slice(&whole), &t, &e));
		assert_true(t->was_response);
		assert_true(slice_eq(t->der, direct->der) && memcmp(t->sha256, direct->sha256, 32) == 0);
		OK(pki_token(p, buf_slice(&whole), &direct, &e));
		assert_ptr_equal(t, direct);
	}
	buf_add8(&whole, 0);
	assert_int_equal(tsp_response(buf_slice(&whole), &token, &status, &bit, &e), ERR_FORMAT);
	assert_int_equal(tsp_response(slice_str("<html>no</html>"), &token, &status, &bit, &e), ERR_FORMAT);
	assert_int_equal(tsp_response(slice_of("\x30\x05\x30\x03\x02\x01\x00", 7), &token, &status, &bit, &e), ERR_FORMAT);
}

/* signingCertificateV2 and IssuerSerial as the specification page spells them. */
static void
ess_vector(void **state)
{
	static const char want[] = "30263024302204201d98562575a137e9016998340a69c452b8af73d8d0b4be1567ba24898504d355";
	AUTO(buf) struct buf attribute = {0}, hex = {0};
	struct cert toy = {.der = slice_str("toy-certificate")};

	(void)state;
	put_ess(&attribute, 2, DIGEST_SHA256, &toy, FLAW_NONE);
	buf_addhex(&hex, slice_of(attribute.p + attribute.n - 40, 40));
	assert_string_equal(buf_str(&hex), want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_token_facts),
	    cmocka_unit_test(signer_rows),
	    cmocka_unit_test(every_scheme_signs),
	    cmocka_unit_test(tst_rows),
	    cmocka_unit_test(qualified_and_alternative_name),
	    cmocka_unit_test(the_named_certificate_is_taken),
	    cmocka_unit_test(embedded_material),
	    cmocka_unit_test(token_mutations),
	    cmocka_unit_test(request_vector),
	    cmocka_unit_test(rejection_vectors),
	    cmocka_unit_test(responses),
	    cmocka_unit_test(ess_vector),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
