/* SPDX-License-Identifier: MIT */
/*
 * (a) The core check: file in memory, certificate decoded, to "every reference
 * and the value are right"; against SHA-256 of the file and one key operation.
 *
 *	core FILE...
 *	core --repeat product|floor FILE	a hundred times, for callgrind
 *
 * libxmlsec stands beside us in the same rounds where its headers are.
 */
#include "tests/bench/bench.h"
#include "verify/xades.h"

#include <openssl/evp.h>
#ifdef WITH_XMLSEC
#include "tests/bench/xmlsec.h"
#endif

struct core {
	struct buf file;
	struct pki *pki;
	EVP_PKEY *key;
	struct alg_use method;
	struct slice value; /* as EVP_PKEY_verify takes it */
	struct buf value_der;
	struct digest h; /* of the canonical SignedInfo */
};

static bool spying;
static struct core *spied;

/* The linker sends every call here: what the product asks is what the floor asks again. */
int __real_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn);
int
__wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn)
{
	if (spying) {
		buf_clear(&spied->value_der);
		buf_add(&spied->value_der, sig, n);
		spied->h.n = hn;
		memcpy(spied->h.octets, h, hn);
	}
	return __real_EVP_PKEY_verify(ctx, sig, n, h, hn);
}

static __attribute__((noinline)) void
product(void *ctx)
{
	struct core *c = ctx;
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	enum tri right = TRI_UNKNOWN;
	size_t i;

	BENCH_OK(sigdoc_open(buf_slice(&c->file), NULL, 0, NULL, &d, &e));
	if (d->n_sigs == 0)
		bench_die("no signature", NULL);
	BENCH_OK(sig_check_references(d, &d->sigs[0], &e));
	for (i = 0; i < d->sigs[0].n_refs; i++)
		if (d->sigs[0].refs[i].intact != TRI_TRUE)
			bench_die("a reference is not intact", NULL);
	BENCH_OK(sig_check_value(d, &d->sigs[0], c->key, &right, &e));
	if (right != TRI_TRUE)
		bench_die("the value is not right", NULL);
}

static void
one_key_operation(struct core *c)
{
	EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_from_pkey(NULL, c->key, NULL);

	if (k == NULL || EVP_PKEY_verify_init(k) != 1 ||
	    (c->method.key == KEY_RSA && EVP_PKEY_CTX_set_rsa_padding(k, RSA_PKCS1_PADDING) != 1) ||
	    EVP_PKEY_CTX_set_signature_md(k, digest_evp(c->method.digest)) != 1 ||
	    __real_EVP_PKEY_verify(k, c->value_der.p, c->value_der.n, c->h.octets, c->h.n) != 1)
		bench_die("the key operation", NULL);
	EVP_PKEY_CTX_free(k);
}

static __attribute__((noinline)) void
floor_of(void *ctx)
{
	struct core *c = ctx;
	struct digest d;
	struct err e = {0};

	BENCH_OK(digest_once(DIGEST_SHA256, buf_slice(&c->file), &d, &e));
	one_key_operation(c);
}

static void
prepare(struct core *c, const char *path)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	const struct cert *cert = NULL;
	struct err e = {0};
	size_t i;

	bench_read(path, &c->file);
	BENCH_OK(pki_new(&c->pki, &e));
	BENCH_OK(sigdoc_open(buf_slice(&c->file), NULL, 0, NULL, &d, &e));
	if (d->n_sigs == 0)
		bench_die(path, NULL);
	c->method = d->sigs[0].method;
	for (i = 0; i < d->sigs[0].n_embedded && cert == NULL; i++)
		if (d->sigs[0].embedded[i].kind == EMB_CERT)
			BENCH_OK(pki_cert(c->pki, d->sigs[0].embedded[i].der, &cert, &e));
	c->key = cert != NULL ? pki_key(cert) : NULL;
	if (c->key == NULL)
		bench_die("no key", NULL);
	spied = c;
	spying = true;
	product(c);
	spying = false;
}

static void
release(struct core *c)
{
	buf_release(&c->file);
	buf_release(&c->value_der);
	pki_free(c->pki);
}

static void
compare(const char *path)
{
	struct core c = {0};
	struct bench_side s[3] = {{product, &c, 0}, {floor_of, &c, 0}};
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	char what[200], made[200];
	size_t n = 2;

	prepare(&c, path);
#ifdef WITH_XMLSEC
	struct theirs t = {0};
	theirs_prepare(&t, buf_slice(&c.file), c.key);
	s[n++] = (struct bench_side){theirs_product, &t, 0};
#endif
	bench_interleaved(s, n, 200);
	snprintf(what, sizeof(what), "core check, %s, %zu octets", name, c.file.n);
	snprintf(made, sizeof(made), "%.1f us; SHA-256 + one key operation %.1f us", s[0].ns / 1e3, s[1].ns / 1e3);
	bench_row("a", what, s[0].ns / s[1].ns, "<= 4", made);
#ifdef WITH_XMLSEC
	snprintf(what, sizeof(what), "the same by libxmlsec %s", XMLSEC_VERSION);
	snprintf(made, sizeof(made), "%.1f us", s[2].ns / 1e3);
	bench_row("a", what, s[2].ns / s[1].ns, "-", made);
	xmlSecKeyDestroy(t.key);
#endif
	release(&c);
}

/* For callgrind, which counts between the toggles: the named function a hundred times. */
static void
repeat(const char *which, const char *path)
{
	struct core c = {0};
	int i;

	prepare(&c, path);
	for (i = 0; i < 100; i++)
		strcmp(which, "floor") == 0 ? floor_of(&c) : product(&c);
	release(&c);
}

int
main(int argc, char **argv)
{
	int i;

	xml_init();
#ifdef WITH_XMLSEC
	theirs_start();
#endif
	if (argc == 4 && strcmp(argv[1], "--repeat") == 0) {
		repeat(argv[2], argv[3]);
		return 0;
	}
	for (i = 1; i < argc; i++)
		compare(argv[i]);
	return 0;
}
