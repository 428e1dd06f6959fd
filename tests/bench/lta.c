/* SPDX-License-Identifier: MIT */
/*
 * (b) The full verdict of a file that carries its own proof, by a verifier that
 * has seen nothing yet; against SHA-256 of the file, d2i_X509 of every distinct
 * certificate in it and in its chains, and every distinct signature verified
 * once. What is counted is what the run itself does: the linker sends its
 * signature checks by here, the certificates are walked through.
 *
 *	lta TRUST TIME FILE...
 *	lta --repeat product|floor TRUST TIME FILE	twenty times, for callgrind
 */
#include "tests/bench/bench.h"
#include "verify/sigalg.h"
#include "verify/verify.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define SEEN_MAX 200

/* One signature check as it was asked for. prehashed: data is a digest (XML-DSig), else the octets. */
struct asked {
	bool prehashed;
	struct sig_scheme scheme;
	EVP_PKEY *key;
	const EVP_MD *md;
	int padding;
	uint8_t *data, *sig;
	size_t n_data, n_sig;
};

struct lta {
	struct buf file;
	struct anchors *anchors;
	struct vpolicy policy;
	int64_t time_utc;
	struct asked checks[SEEN_MAX];
	size_t n_checks;
	struct slice certs[SEEN_MAX];
	size_t n_certs;
	bool spying;
};

static struct lta *spied;

static void
seen(struct asked c, struct slice data, struct slice sig)
{
	size_t i;

	for (i = 0; i < spied->n_checks; i++)
		if (slice_eq(slice_of(spied->checks[i].sig, spied->checks[i].n_sig), sig) &&
		    slice_eq(slice_of(spied->checks[i].data, spied->checks[i].n_data), data))
			return;
	if (spied->n_checks == SEEN_MAX)
		bench_die("too many signatures", NULL);
	c.data = (uint8_t *)mem_dup(data.p, data.n);
	c.sig = (uint8_t *)mem_dup(sig.p, sig.n);
	c.n_data = data.n;
	c.n_sig = sig.n;
	if (c.data == NULL || c.sig == NULL || EVP_PKEY_up_ref(c.key) != 1)
		bench_die("memory", NULL);
	spied->checks[spied->n_checks++] = c;
}

bool __real_sig_verify(const struct sig_scheme *s, EVP_PKEY *key, struct slice data, struct slice sig);
bool __wrap_sig_verify(const struct sig_scheme *s, EVP_PKEY *key, struct slice data, struct slice sig);
bool
__wrap_sig_verify(const struct sig_scheme *s, EVP_PKEY *key, struct slice data, struct slice sig)
{
	bool right = __real_sig_verify(s, key, data, sig);

	if (right && spied != NULL && spied->spying)
		seen((struct asked){.scheme = *s, .key = key}, data, sig);
	return right;
}

int __real_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn);
int
__wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t n, const unsigned char *h, size_t hn)
{
	struct asked c = {.prehashed = true};

	if (spied != NULL && spied->spying) {
		c.key = EVP_PKEY_CTX_get0_pkey(ctx);
		if (EVP_PKEY_CTX_get_signature_md(ctx, &c.md) != 1)
			bench_die("a check without a digest", NULL);
		c.padding = EVP_PKEY_is_a(c.key, "RSA") ? RSA_PKCS1_PADDING : 0; /* the bench signs no PSS */
		seen(c, slice_of(h, hn), slice_of(sig, n));
	}
	return __real_EVP_PKEY_verify(ctx, sig, n, h, hn);
}

static void
again(const struct asked *c)
{
	EVP_PKEY_CTX *k;
	int ok;

	if (!c->prehashed) {
		if (!__real_sig_verify(&c->scheme, c->key, slice_of(c->data, c->n_data), slice_of(c->sig, c->n_sig)))
			bench_die("a signature that was right is wrong", NULL);
		return;
	}
	k = EVP_PKEY_CTX_new_from_pkey(NULL, c->key, NULL);
	ok = k != NULL && EVP_PKEY_verify_init(k) == 1 && (c->padding == 0 || EVP_PKEY_CTX_set_rsa_padding(k, c->padding) == 1) &&
	    EVP_PKEY_CTX_set_signature_md(k, c->md) == 1 && __real_EVP_PKEY_verify(k, c->sig, c->n_sig, c->data, c->n_data) == 1;
	if (!ok)
		bench_die("a signature that was right is wrong", NULL);
	EVP_PKEY_CTX_free(k);
}

static __attribute__((noinline)) void
floor_of(void *ctx)
{
	struct lta *l = ctx;
	struct digest d;
	struct err e = {0};
	size_t i;

	BENCH_OK(digest_once(DIGEST_SHA256, buf_slice(&l->file), &d, &e));
	for (i = 0; i < l->n_certs; i++) {
		const unsigned char *p = l->certs[i].p;
		X509 *x = d2i_X509(NULL, &p, (long)l->certs[i].n);

		if (x == NULL)
			bench_die("d2i_X509", NULL);
		X509_free(x);
	}
	for (i = 0; i < l->n_checks; i++)
		again(&l->checks[i]);
}

static void
judge(struct lta *l, struct verifier *v, struct report **r)
{
	struct err e = {0};
	struct verify_input in = {.name = "bench.xml", .doc = buf_slice(&l->file), .anchors = l->anchors, .policy = &l->policy,
	    .time_utc = l->time_utc};

	BENCH_OK(verify_document(v, &in, r, &e));
	if (report_overall(*r) != IND_PASSED)
		bench_die("the verdict is not TOTAL-PASSED", NULL);
}

static __attribute__((noinline)) void
product(void *ctx)
{
	AUTO(verifier) struct verifier *v = NULL;
	AUTO(report) struct report *r = NULL;
	struct err e = {0};

	BENCH_OK(verifier_new(&v, &e));
	judge(ctx, v, &r);
	report_free(TAKE(r)); /* it borrows from v */
}

/* ---- what is counted ---- */

static void
count_cert(struct lta *l, struct slice der)
{
	size_t i;

	for (i = 0; i < l->n_certs; i++)
		if (slice_eq(l->certs[i], der))
			return;
	if (l->n_certs == SEEN_MAX)
		bench_die("too many certificates", NULL);
	l->certs[l->n_certs++] = slice_of(mem_dup(der.p, der.n), der.n);
}

static void
count_ocsp(struct lta *l, const struct revocation *r)
{
	size_t i;

	for (i = 0; i < r->n_certs; i++)
		count_cert(l, r->certs[i]->der);
}

static void
count_token(struct lta *l, struct pki *pki, struct slice der)
{
	const struct token *t = NULL;
	struct err e = {0};
	size_t i;

	BENCH_OK(pki_token(pki, der, &t, &e));
	for (i = 0; i < t->n_certs; i++)
		count_cert(l, t->certs[i]->der);
	for (i = 0; i < t->n_revs; i++)
		count_ocsp(l, t->revs[i]);
}

static void
count_sig(struct lta *l, struct pki *pki, const struct xsig *s)
{
	struct err e = {0};
	size_t i;

	for (i = 0; i < s->n_embedded; i++) {
		const struct revocation *r = NULL;

		if (s->embedded[i].kind == EMB_CERT)
			count_cert(l, s->embedded[i].der);
		if (s->embedded[i].kind != EMB_OCSP)
			continue;
		BENCH_OK(pki_ocsp(pki, s->embedded[i].der, &r, &e));
		count_ocsp(l, r);
	}
	for (i = 0; i < s->n_stamps; i++)
		if (s->stamps[i].token.n != 0)
			count_token(l, pki, s->stamps[i].token);
}

static void
count_anchors(struct lta *l, const struct closure *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].role == OBJ_ANCHOR)
			count_cert(l, c->v[i].der);
}

static void
count(struct lta *l)
{
	AUTO(verifier) struct verifier *v = NULL;
	AUTO(report) struct report *r = NULL;
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	size_t i, k;

	BENCH_OK(verifier_new(&v, &e));
	l->spying = true;
	judge(l, v, &r);
	l->spying = false;
	BENCH_OK(sigdoc_open(buf_slice(&l->file), NULL, 0, NULL, &d, &e));
	for (i = 0; i < d->n_sigs; i++)
		count_sig(l, verifier_pki(v), &d->sigs[i]);
	for (i = 0; i < r->n_sigs; i++) {
		count_anchors(l, &r->sigs[i].closure);
		for (k = 0; k < r->sigs[i].n_stamps; k++)
			count_anchors(l, &r->sigs[i].stamps[k].closure);
	}
	report_free(TAKE(r));
}

/* ---- */

static void
load_trust(struct lta *l, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	struct err e = {0};

	BENCH_OK(anchors_new(&l->anchors, &e));
	while (d != NULL && (de = readdir(d)) != NULL) {
		AUTO(buf) struct buf raw = {0};
		char path[1200];

		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		bench_read(path, &raw);
		BENCH_OK(anchors_add(l->anchors, buf_slice(&raw), ROLE_ALL, TIME_MAX, de->d_name, &e));
	}
	if (d == NULL || anchors_count(l->anchors) == 0)
		bench_die("no trust anchors", NULL);
	closedir(d);
}

static void
prepare(struct lta *l, const char *trust, const char *when, const char *path)
{
	struct err e = {0};

	bench_read(path, &l->file);
	load_trust(l, trust);
	if (!time_parse(when, &l->time_utc))
		bench_die(when, NULL);
	BENCH_OK(vpolicy_builtin(getenv("BENCH_POLICY") != NULL ? getenv("BENCH_POLICY") : "default", NULL, &l->policy, &e));
	spied = l;
	count(l);
}

static void
release(struct lta *l)
{
	size_t i;

	for (i = 0; i < l->n_checks; i++) {
		EVP_PKEY_free(l->checks[i].key);
		free(l->checks[i].data);
		free(l->checks[i].sig);
	}
	for (i = 0; i < l->n_certs; i++)
		free((void *)(uintptr_t)l->certs[i].p);
	anchors_free(l->anchors);
	buf_release(&l->file);
	spied = NULL;
}

static void
compare(const char *trust, const char *when, const char *path)
{
	struct lta l = {0};
	struct bench_side s[2] = {{product, &l, 0}, {floor_of, &l, 0}};
	char what[200], made[200];

	prepare(&l, trust, when, path);
	bench_interleaved(s, 2, 20);
	snprintf(what, sizeof(what), "full verdict, cold, %s, %zu octets", strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path, l.file.n);
	snprintf(made, sizeof(made), "%.0f us; SHA-256 + %zu certificates + %zu signatures %.0f us", s[0].ns / 1e3, l.n_certs, l.n_checks,
	    s[1].ns / 1e3);
	bench_row("b", what, s[0].ns / s[1].ns, "<= 1.5", made);
	release(&l);
}

static void
repeat(const char *which, char **argv)
{
	struct lta l = {0};
	int i;

	prepare(&l, argv[0], argv[1], argv[2]);
	for (i = 0; i < 20; i++)
		strcmp(which, "floor") == 0 ? floor_of(&l) : product(&l);
	release(&l);
}

int
main(int argc, char **argv)
{
	int i;

	xml_init();
	if (argc == 6 && strcmp(argv[1], "--repeat") == 0)
		repeat(argv[2], argv + 3);
	else
		for (i = 3; i < argc; i++)
			compare(argv[1], argv[2], argv[i]);
	return 0;
}
