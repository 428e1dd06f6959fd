/* SPDX-License-Identifier: MIT */
/* ASN.1: certificates, lists, OCSP responses, tokens, and what is asked of them. */
#include "tests/fuzz/fuzz.h"

#include "verify/pki_int.h"
#include "verify/verify.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A pki with what the kit holds: the signer's certificate, its CA's and the TSA's. */
struct box {
	struct pki *pki;
	struct pool pool;
	const struct cert *signer, *ca, *tsa;
};

static void
box_open(struct box *b)
{
	struct err e = {0};

	fuzz_must(pki_new(&b->pki, &e) == ERR_OK);
	pool_init(&b->pool, b->pki);
	fuzz_must(pki_cert(b->pki, fuzz_kit("signer.der"), &b->signer, &e) == ERR_OK && pki_cert(b->pki, fuzz_kit("ca.der"), &b->ca, &e) == ERR_OK &&
	    pki_cert(b->pki, fuzz_kit("tsa.der"), &b->tsa, &e) == ERR_OK);
	fuzz_must(pool_add_cert(&b->pool, b->signer, &e) == ERR_OK && pool_add_cert(&b->pool, b->ca, &e) == ERR_OK);
}

static void
box_close(struct box *b)
{
	pool_release(&b->pool);
	pki_free(b->pki);
	ERR_clear_error();
}

static void
ask_chains(struct box *b, const struct cert *c)
{
	AUTO(mem) struct chain *chains = NULL;
	struct err e = {0};
	struct chain partial;
	size_t n = 0, i, where;

	fuzz_must(pool_chains(&b->pool, c, fuzz_anchors(), ROLE_ALL, &chains, &n, &partial, &e) == ERR_OK);
	for (i = 0; i < n; i++) {
		fuzz_must(chains[i].n >= 1 && chains[i].n <= CHAIN_MAX && chains[i].anchor != NULL && chains[i].v[0] == c);
		if (chain_fault(&chains[i], &where) != PATH_OK)
			fuzz_must(where < chains[i].n);
	}
}

static bool
same_integer(struct slice ours, const ASN1_INTEGER *theirs)
{
	struct slice value = slice_of(ASN1_STRING_get0_data(theirs), (size_t)ASN1_STRING_length(theirs));

	if (ASN1_STRING_type(theirs) == V_ASN1_NEG_INTEGER)
		return true;
	while (ours.n > 1 && ours.p[0] == 0)
		ours = slice_of(ours.p + 1, ours.n - 1);
	return slice_eq(ours, value);
}

/* OpenSSL reads the same certificate; where it does, it must say the same. */
static void
compare_cert(const struct cert *c)
{
	X509 *x = pki_x509(c);

	if (x == NULL)
		return;
	fuzz_must(same_integer(c->serial, X509_get0_serialNumber(x)));
	fuzz_must(c->not_before == asn1_time_utc(X509_get0_notBefore(x)));
	fuzz_must(c->not_after == asn1_time_utc(X509_get0_notAfter(x)));
}

static void
one_cert(struct slice in)
{
	struct box b = {0};
	const struct cert *c = NULL, *again = NULL;
	AUTO(buf) struct buf request = {0};
	struct err e = {0};

	box_open(&b);
	if (pki_cert(b.pki, in, &c, &e) == ERR_OK) {
		fuzz_must(slice_eq(c->der, in) && c->subject_text != NULL);
		fuzz_must(pki_cert(b.pki, in, &again, &e) == ERR_OK && again == c);
		compare_cert(c);
		(void)pki_key(c);
		(void)pki_self_signed(c);
		(void)pki_signed_by(b.pki, c, b.ca);
		(void)pki_signed_by(b.pki, b.signer, c);
		(void)pki_cert_alg(c, b.ca);
		fuzz_must(pki_name_eq(c->subject, c->subject));
		fuzz_must(pool_add_cert(&b.pool, c, &e) == ERR_OK);
		ask_chains(&b, c);
		ask_chains(&b, b.signer);
		fuzz_must(ocsp_request(c, b.ca, DIGEST_SHA1, slice_of("12345678", 8), &request, &e) != ERR_BUG);
	} else {
		fuzz_must(e.code != ERR_BUG);
	}
	box_close(&b);
}

static void
ask_answers(struct box *b, const struct cert *c, const struct cert *issuer)
{
	AUTO(mem) struct rev_answer *answers = NULL;
	size_t n = 0, i;

	fuzz_must(pool_answers(&b->pool, c, issuer, &answers, &n, NULL) == ERR_OK);
	/* What can't be used says nothing good, and what is usable has a signer. */
	for (i = 0; i < n; i++)
		fuzz_must(answers[i].problem != NULL || answers[i].status == REV_NONE || answers[i].signer != NULL);
}

static void
one_revocation(struct slice in, bool crl)
{
	struct box b = {0};
	const struct revocation *r = NULL;
	struct err e = {0};
	enum err_code code;

	box_open(&b);
	code = crl ? pki_crl(b.pki, in, &r, &e) : pki_ocsp(b.pki, in, &r, &e);
	if (code == ERR_OK) {
		fuzz_must(pool_add_rev(&b.pool, r, &e) == ERR_OK);
		ask_answers(&b, b.signer, b.ca);
		ask_answers(&b, b.tsa, b.ca);
		ask_answers(&b, b.ca, b.ca);
		(void)ocsp_nonce(r);
	} else {
		fuzz_must(code != ERR_BUG);
	}
	box_close(&b);
}

static void
one_crl(struct slice in)
{
	one_revocation(in, true);
}

static void
one_ocsp(struct slice in)
{
	one_revocation(in, false);
}

static void
one_token(struct slice in)
{
	struct box b = {0};
	const struct token *t = NULL;
	struct token_signer who;
	struct err e = {0};
	size_t i;

	box_open(&b);
	if (pki_token(b.pki, in, &t, &e) == ERR_OK) {
		fuzz_must(pool_add_token(&b.pool, t, &e) == ERR_OK && pool_token_signer(&b.pool, t, &who, &e) == ERR_OK);
		fuzz_must(who.problem != TOKEN_OK || who.cert != NULL);
		for (i = 0; i < t->n_certs && i < 4; i++)
			ask_answers(&b, t->certs[i], b.ca);
	} else {
		fuzz_must(e.code != ERR_BUG);
	}
	box_close(&b);
}

/* A token judged by itself, as a material job does. */
static void
one_judged_token(struct slice in)
{
	AUTO(verifier) struct verifier *v = NULL;
	AUTO(report) struct report *r = NULL;
	AUTO(json) json_t *j = NULL;
	struct err e = {0};
	struct verify_input vi = {.name = "token", .policy = fuzz_policy(), .anchors = fuzz_anchors(), .time_utc = FUZZ_TIME, .want_material = true};

	fuzz_must(verifier_new(&v, &e) == ERR_OK);
	if (verify_token(v, &vi, in, FUZZ_TIME - 86400, &r, &e) == ERR_OK)
		fuzz_must(report_json(r, &j, &e) == ERR_OK);
	else
		fuzz_must(e.code != ERR_BUG);
}

static void
one_response(struct slice in)
{
	struct slice token = {0};
	int status = 0, fail = 0;
	struct err e = {0};

	if (tsp_response(in, &token, &status, &fail, &e) == ERR_OK)
		fuzz_must(token.p >= in.p && token.p + token.n <= in.p + in.n);
	else
		fuzz_must(e.code != ERR_BUG);
}

/* Every element by the reader of BER, one inside the other, and each as whatever it may be. */
static void
walk_ber(struct slice in, unsigned depth)
{
	struct cur c = cur_from(in);
	struct ber x;

	while (!cur_at_end(&c) && ber_next(&c, &x)) {
		AUTO(buf) struct buf scratch = {0};
		char oid[OID_TEXT];
		struct slice octets;
		unsigned unused = 0;
		uint32_t micros;
		int64_t number;
		bool strict;

		fuzz_must(x.body.p >= in.p && x.body.p + x.body.n <= in.p + in.n && x.whole.n >= x.body.n + 2);
		ber_oid_text(x.body, oid);
		(void)ber_int64(x.body, &number);
		(void)ber_int_bits(x.body);
		(void)ber_bits(x.body, &octets, &unused);
		(void)ber_time(BER_GENERALIZED_TIME, x.body, &micros, &strict);
		(void)ber_time(BER_UTC_TIME, x.body, NULL, NULL);
		(void)ber_octets(&x, BER_OCTET_STRING, &scratch, &octets);
		(void)ber_digest_alg(x.body);
		(void)pki_name_eq(x.whole, in);
		free(pki_name_text(x.whole));
		if ((x.tag & 0x20) != 0 && depth < 64)
			walk_ber(x.body, depth + 1);
	}
}

static void
one_ber(struct slice in)
{
	AUTO(buf) struct buf der = {0};

	walk_ber(in, 0);
	(void)!pki_pem_to_der(in, "CERTIFICATE", &der, NULL);
	(void)sig_scheme_read(in, DIGEST_SHA256);
}

/* What a worker is given beside a document: certificates, lists and responses in one flat form. */
static void
one_material(struct slice in)
{
	struct material *m = NULL, *again = NULL;
	AUTO(buf) struct buf packed = {0}, twice = {0};
	struct err e = {0};

	if (material_unpack(in, &m, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(material_pack(m, &packed, &e) == ERR_OK && material_unpack(buf_slice(&packed), &again, &e) == ERR_OK && material_pack(again, &twice, &e) == ERR_OK);
	fuzz_must(slice_eq(buf_slice(&packed), buf_slice(&twice)));
	material_free(m);
	material_free(again);
}

static void
one_anchors(struct slice in)
{
	struct anchors *a = NULL;
	struct digest d;

	fuzz_must(anchors_new(&a, NULL) == ERR_OK);
	if (anchors_add(a, in, ROLE_TSA, TIME_MAX, "fuzz", NULL) == ERR_OK)
		fuzz_must(anchors_count(a) > 0 && anchors_digest(a, &d, NULL) == ERR_OK);
	anchors_free(a);
}

const struct fuzz_entry fuzz_pki[] = {
    {.name = "cert", .seeds = "cert", .max_bytes = 16384, .one = one_cert},
    {.name = "crl", .seeds = "crl", .max_bytes = 16384, .one = one_crl},
    {.name = "ocsp", .seeds = "ocsp", .max_bytes = 16384, .one = one_ocsp},
    {.name = "token", .seeds = "token", .max_bytes = 32768, .one = one_token},
    {.name = "judged_token", .seeds = "token", .max_bytes = 32768, .one = one_judged_token},
    {.name = "response", .seeds = "response", .max_bytes = 32768, .one = one_response},
    {.name = "ber", .seeds = "cert crl ocsp token", .max_bytes = 16384, .one = one_ber},
    {.name = "material", .seeds = "material", .max_bytes = 65536, .one = one_material},
    {.name = "anchors", .seeds = "anchors cert", .max_bytes = 16384, .one = one_anchors},
    {.name = NULL},
};
