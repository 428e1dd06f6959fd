/* SPDX-License-Identifier: MIT */
/*
 * The XML-DSig vectors of the outside corpus (kind xmldsig) through the core
 * check. The core takes its key from the caller: here the keys that a line
 * names, and those that the document carries. Every line that asserts success
 * must verify, but for a closed list of reasons, which are counted.
 */
#include "tests/corpus.h"

#include "base/xml.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define NS_DSIG11 "http://www.w3.org/2009/xmldsig11#"

struct keys {
	EVP_PKEY *v[64];
	size_t n;
	struct buf hmac;
};

static void
keys_add(struct keys *k, EVP_PKEY *key)
{
	if (key != NULL && k->n < sizeof(k->v) / sizeof(k->v[0]))
		k->v[k->n++] = key;
	else
		EVP_PKEY_free(key);
}

static void
keys_free(struct keys *k)
{
	while (k->n > 0)
		EVP_PKEY_free(k->v[--k->n]);
	buf_release(&k->hmac);
}

static void
add_cert(struct keys *k, struct slice der)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);

	if (x != NULL)
		keys_add(k, X509_get_pubkey(x));
	X509_free(x);
}

static void
add_file(struct keys *k, const char *path)
{
	AUTO(buf) struct buf b = {0};
	BIO *bio;

	if (!corpus_read(path, &b))
		return;
	if (strstr(path, "hmackey") != NULL) {
		buf_clear(&k->hmac);
		buf_addslice(&k->hmac, buf_slice(&b));
	} else if (strstr(path, ".pem") != NULL) {
		bio = BIO_new_mem_buf(b.p, (int)b.n);
		keys_add(k, PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL));
		BIO_free(bio);
	} else {
		add_cert(k, buf_slice(&b));
	}
}

/* Every word of the note's options that is a path of the corpus. */
static void
add_options(struct keys *k, const char *note)
{
	AUTO(mem) char *copy = mem_dupstr(note);
	char *word, *save = NULL;

	for (word = strtok_r(copy, " ();|", &save); word != NULL; word = strtok_r(NULL, " ();|", &save))
		if (strncmp(word, "xmldsig/", 8) == 0)
			add_file(k, word);
}

static BIGNUM *
number(const xmlNode *parent, const char *name)
{
	AUTO(buf) struct buf b = {0};
	const xmlNode *n = xml_first(parent, NS_DS, name);

	return n != NULL && xml_base64(n, &b, NULL) == ERR_OK ? BN_bin2bn(b.p, (int)b.n, NULL) : NULL;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* RSAKeyValue and DSAKeyValue: names of the children, names of the parameters. */
static void
add_numbers(struct keys *k, const xmlNode *v, const char *type, const char *const (*names)[2], size_t count)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn[4] = {NULL};
	size_t i;

	for (i = 0; i < count; i++) {
		bn[i] = number(v, names[i][0]);
		if (bn[i] != NULL)
			OSSL_PARAM_BLD_push_BN(bld, names[i][1], bn[i]);
	}
	keys_add(k, from_params(type, bld));
	OSSL_PARAM_BLD_free(bld);
	for (i = 0; i < count; i++)
		BN_free(bn[i]);
}

static void
add_ec(struct keys *k, const xmlNode *v)
{
	const char *uri = xml_attr(xml_first(v, NS_DSIG11, "NamedCurve"), "URI");
	const xmlNode *point = xml_first(v, NS_DSIG11, "PublicKey");
	AUTO(buf) struct buf b = {0};
	OSSL_PARAM_BLD *bld;
	ASN1_OBJECT *oid;

	if (uri == NULL || strncmp(uri, "urn:oid:", 8) != 0 || point == NULL || xml_base64(point, &b, NULL) != ERR_OK)
		return;
	oid = OBJ_txt2obj(uri + 8, 1);
	bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(OBJ_obj2nid(oid)), 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, b.p, b.n);
	keys_add(k, from_params("EC", bld));
	OSSL_PARAM_BLD_free(bld);
	ASN1_OBJECT_free(oid);
}

/* KeyName "TestKeyName-rsa-4096" means keys/rsa/rsa-4096-pubkey.pem. */
static void
add_named(struct keys *k, const xmlNode *n)
{
	static const char *const folders[] = {"rsa", "ec", "dsa", "eddsa"};
	AUTO(mem) char *name = NULL;
	char path[256];
	size_t i;

	if (xml_text_dup(n, 100, &name, NULL) != ERR_OK || strncmp(name, "TestKeyName-", 12) != 0)
		return;
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "xmldsig/xmlsec/keys/%s/%s-pubkey.pem", folders[i], name + 12);
		add_file(k, path);
	}
}

static void
add_document(struct keys *k, const struct sigdoc *d)
{
	static const char *const rsa[][2] = {{"Modulus", OSSL_PKEY_PARAM_RSA_N}, {"Exponent", OSSL_PKEY_PARAM_RSA_E}};
	static const char *const dsa[][2] = {{"P", OSSL_PKEY_PARAM_FFC_P},
	    {"Q", OSSL_PKEY_PARAM_FFC_Q},
	    {"G", OSSL_PKEY_PARAM_FFC_G},
	    {"Y", OSSL_PKEY_PARAM_PUB_KEY}};
	const xmlNode *root = xmlDocGetRootElement(d->dom), *n;

	for (n = root; n != NULL; n = xml_walk(root, n)) {
		AUTO(buf) struct buf b = {0};
		const unsigned char *p;

		if (xml_is(n, NS_DS, "KeyName"))
			add_named(k, n);
		else if (xml_is(n, NS_DS, "RSAKeyValue"))
			add_numbers(k, n, "RSA", rsa, 2);
		else if (xml_is(n, NS_DS, "DSAKeyValue"))
			add_numbers(k, n, "DSA", dsa, 4);
		else if (xml_is(n, NS_DSIG11, "ECKeyValue"))
			add_ec(k, n);
		else if (xml_is(n, NS_DS, "X509Certificate") && xml_base64(n, &b, NULL) == ERR_OK)
			add_cert(k, buf_slice(&b));
		else if (xml_is(n, NS_DSIG11, "DEREncodedKeyValue") && xml_base64(n, &b, NULL) == ERR_OK) {
			p = b.p;
			keys_add(k, d2i_PUBKEY(NULL, &p, (long)b.n));
		}
	}
}

enum outcome { O_FALSE, O_TRUE, O_CANNOT };

/* The closed list of what may make a vector undecidable; NULL = none applies. */
static const char *
cannot(const struct xref *x)
{
	switch (x->fault) {
	case REF_UNSUPPORTED_TRANSFORM:
		return strstr(x->note, "xslt") != NULL		   ? "XSLT" :
		    strstr(x->note, "RelationshipTransform") != NULL ? "OOXML relationship transform" :
								       NULL;
	case REF_UNSUPPORTED_DIGEST:
		return "digest not in this OpenSSL";
	case REF_FORBIDDEN:
		return "external reference without a file";
	default:
		return NULL;
	}
}

static enum outcome
references(struct sigdoc *d, struct xsig *s, const char **why)
{
	struct err e = {0};
	enum outcome out = O_TRUE;
	size_t i;

	OK(sig_check_references(d, s, &e));
	for (i = 0; i < s->n_refs; i++) {
		if (s->refs[i].intact == TRI_TRUE)
			continue;
		*why = cannot(&s->refs[i]);
		if (*why == NULL) {
			*why = s->refs[i].note != NULL ? s->refs[i].note : "digest differs";
			return O_FALSE;
		}
		out = O_CANNOT;
	}
	return out;
}

static enum outcome
value(struct sigdoc *d, struct xsig *s, struct keys *k, const char **why)
{
	struct err e = {0};
	enum tri t;
	size_t i;

	if (s->is_hmac) {
		OK(sig_check_hmac(d, s, buf_slice(&k->hmac), &t, &e));
		*why = s->value_note != NULL ? s->value_note : "HMAC differs";
		return t == TRI_TRUE ? O_TRUE : O_FALSE;
	}
	if (s->method.key == KEY_UNKNOWN) {
		*why = "signature algorithm not in this OpenSSL";
		return O_CANNOT;
	}
	*why = "no key verifies it";
	for (i = 0; i < k->n; i++) {
		OK(sig_check_value(d, s, k->v[i], &t, &e));
		if (t == TRI_TRUE)
			return O_TRUE;
		if (t == TRI_FALSE && s->value_note != NULL && strstr(s->value_note, "another kind") == NULL)
			*why = s->value_note;
	}
	return O_FALSE;
}

static enum outcome
judge(const struct corpus_row *r, const char **why)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct corpus_files files;
	struct keys keys = {0};
	struct err e = {0};
	enum outcome refs = O_FALSE, val = O_FALSE;
	struct xades_limits limits = xades_limits_default;
	static char text[512];
	size_t i;

	limits.transforms = 10; /* some vectors chain six */
	/* Lines that are asserted under a loosened rule get the same one from us. */
	limits.hmac_min_bits = strstr(r->c[C_NOTE], "hmac-min-out-len") != NULL ? 40 : 64;
	limits.loose_pairs = strstr(r->c[C_NOTE], "asn1-signatures-hack") != NULL || strstr(r->c[C_PATH], "java-bug") != NULL ||
	    strstr(r->c[C_PATH], "_padded") != NULL;
	if (!corpus_read(r->c[C_PATH], &raw)) {
		*why = "file missing";
		return O_FALSE;
	}
	corpus_files_load(&files, r, true);
	switch (sigdoc_open(buf_slice(&raw), files.v, files.n, &limits, &d, &e)) {
	case ERR_OK:
		break;
	case ERR_REFUSED:
		*why = "DTD";
		corpus_files_free(&files);
		return O_CANNOT;
	default:
		snprintf(text, sizeof(text), "%s", e.text);
		*why = text;
		corpus_files_free(&files);
		return O_FALSE;
	}
	add_options(&keys, r->c[C_NOTE]);
	add_document(&keys, d);
	for (i = 0; i < files.n; i++) /* RetrievalMethod, which the core does not follow */
		add_cert(&keys, files.slices[i]);
	if (d->n_sigs >= 1) {
		const char *value_why = NULL;

		refs = references(d, &d->sigs[0], why);
		val = value(d, &d->sigs[0], &keys, &value_why);
		if (refs == O_TRUE || (refs == O_CANNOT && val == O_FALSE))
			*why = value_why;
		snprintf(text, sizeof(text), "%s", *why);
		*why = text;
	}
	keys_free(&keys);
	sigdoc_close(TAKE(d));
	corpus_files_free(&files);
	return refs == O_FALSE || val == O_FALSE ? O_FALSE : refs == O_CANNOT || val == O_CANNOT ? O_CANNOT : O_TRUE;
}

struct tally {
	const char *name;
	unsigned n;
};

static void
count(struct tally *v, size_t cap, const char *name)
{
	size_t i;

	for (i = 0; i < cap && v[i].name != NULL && strcmp(v[i].name, name) != 0; i++)
		;
	if (i == cap)
		return;
	if (v[i].name == NULL)
		v[i].name = mem_dupstr(name);
	v[i].n++;
}

static void
corpus_vectors(void **state)
{
	struct corpus_row *row = mem_new(1, sizeof(*row));
	struct tally reasons[16] = {{0}};
	unsigned agree = 0, differ = 0, cannot_say = 0, open = 0;
	char path[4096];
	FILE *f;
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/corpus/manifest.tsv", kit_shared() != NULL ? kit_shared() : "");
	f = fopen(path, "r");
	if (f == NULL) {
		free(row);
		skip();
	}
	while (corpus_next(f, "xmldsig", row)) {
		const char *why = "";
		enum outcome o = judge(row, &why);
		bool asserted = strcmp(row->c[C_CRYPTO], "true") == 0 || strcmp(row->c[C_CRYPTO], "false") == 0;

		if (o == O_CANNOT) {
			cannot_say++;
			count(reasons, 16, why);
		} else if (!asserted) {
			open++; /* the failure may lie in the key or its certificate, which the core does not judge */
		} else if ((o == O_TRUE) == (strcmp(row->c[C_CRYPTO], "true") == 0)) {
			agree++;
		} else {
			differ++;
			printf("differs: %s: %s\n", row->c[C_PATH], why);
		}
	}
	fclose(f);
	free(row);
	printf("xmldsig: %u agree, %u differ, %u cannot, %u assert nothing of the core\n", agree, differ, cannot_say, open);
	for (i = 0; i < 16 && reasons[i].name != NULL; i++) {
		printf("  cannot: %u %s\n", reasons[i].n, reasons[i].name);
		free((void *)(uintptr_t)reasons[i].name);
	}
	assert_int_equal(differ, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_vectors)};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
