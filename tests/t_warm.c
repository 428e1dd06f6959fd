/* SPDX-License-Identifier: MIT */
/*
 * What loads lazily behind the warm-up loads from memory: each try runs in a fresh child where opening a file or a
 * socket is death, not a refusal that a library may swallow.
 */
#include "base/digest.h"
#include "base/json.h"
#include "base/worker.h"
#include "base/xml.h"
#include "tests/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/xpath.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- in the child ------------------------------------------------------------- */

static bool
try_digests(void)
{
	struct err e = {0};
	struct digest d;
	bool ok = true;

	for (int alg = DIGEST_NONE + 1; alg < DIGEST_ALGS; alg++) {
		enum err_code code = digest_once((enum digest_alg)alg, slice_str("x"), &d, &e);

		ok = ok && (code == ERR_OK || (code == ERR_UNSUPPORTED && alg == DIGEST_WHIRLPOOL));
	}
	return ok;
}

/* A key made, a signature by it, which is right, and wrong for other octets. */
static bool
signs(EVP_PKEY *key, const EVP_MD *md, bool pss)
{
	unsigned char sig[512];
	size_t n = sizeof(sig);
	bool ok = key != NULL;

	for (int step = 0; ok && step < 3; step++) {
		const unsigned char *data = (const unsigned char *)(step < 2 ? "x" : "y");
		EVP_MD_CTX *m = EVP_MD_CTX_new();
		EVP_PKEY_CTX *c = NULL;

		ok = m != NULL && (step == 0 ? EVP_DigestSignInit(m, &c, md, NULL, key) : EVP_DigestVerifyInit(m, &c, md, NULL, key)) == 1;
		if (ok && pss)
			ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1;
		if (ok && step == 0)
			ok = EVP_DigestSign(m, sig, &n, data, 1) == 1;
		else if (ok)
			ok = (EVP_DigestVerify(m, sig, n, data, 1) == 1) == (step == 1);
		EVP_MD_CTX_free(m);
	}
	EVP_PKEY_free(key);
	return ok;
}

static bool
try_rsa(void)
{
	return signs(EVP_RSA_gen(2048), EVP_sha256(), false);
}
static bool
try_pss(void)
{
	return signs(EVP_RSA_gen(2048), EVP_sha512(), true);
}
static bool
try_p256(void)
{
	return signs(EVP_EC_gen("P-256"), EVP_sha256(), false);
}
static bool
try_p384(void)
{
	return signs(EVP_EC_gen("P-384"), EVP_sha3_384(), false);
}
static bool
try_brainpool(void)
{
	return signs(EVP_EC_gen("brainpoolP512r1"), EVP_sha512(), false);
}
static bool
try_ed25519(void)
{
	return signs(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, false);
}
static bool
try_ed448(void)
{
	return signs(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL, false);
}

/* Self-signed with Ed25519, CN "warm \u00e9", basicConstraints; its key is gone. */
static const unsigned char certificate[] = {
    0x30, 0x82, 0x01, 0x17, 0x30, 0x81, 0xca, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x14, 0x69, 0xb1,
    0xcc, 0xf1, 0x94, 0x6d, 0x05, 0x27, 0x70, 0x41, 0x52, 0xbc, 0x85, 0x8f, 0x40, 0xf5, 0x62, 0x53,
    0x5e, 0x44, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06,
    0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x77, 0x61, 0x72, 0x6d, 0x20, 0xc3, 0xa9, 0x30, 0x1e, 0x17,
    0x0d, 0x32, 0x36, 0x31, 0x31, 0x32, 0x31, 0x31, 0x31, 0x30, 0x37, 0x35, 0x36, 0x5a, 0x17, 0x0d,
    0x32, 0x36, 0x31, 0x31, 0x32, 0x32, 0x31, 0x31, 0x30, 0x37, 0x35, 0x36, 0x5a, 0x30, 0x12, 0x31,
    0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x77, 0x61, 0x72, 0x6d, 0x20, 0xc3,
    0xa9, 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x8c, 0xb9, 0x20,
    0x26, 0xa9, 0x0d, 0x3b, 0x68, 0x53, 0x42, 0x05, 0xd7, 0xb3, 0x12, 0x83, 0xa9, 0xb0, 0x6e, 0xd1,
    0xd5, 0x10, 0xcd, 0xb1, 0x10, 0x24, 0x81, 0x85, 0x08, 0x43, 0x70, 0x1e, 0x7d, 0xa3, 0x32, 0x30,
    0x30, 0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01,
    0x01, 0xff, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14, 0x60, 0x1f, 0xe7,
    0x5c, 0x57, 0x6e, 0x8b, 0x67, 0x51, 0x02, 0x43, 0x08, 0xb2, 0x16, 0x95, 0x60, 0x9f, 0xa0, 0xb4,
    0x14, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00, 0xbb, 0x74, 0x11, 0xec, 0xf1,
    0xf7, 0x09, 0x83, 0x26, 0x82, 0x4f, 0xf2, 0xda, 0xda, 0xc0, 0xe2, 0x9f, 0xe6, 0x40, 0x16, 0x3d,
    0x99, 0xa4, 0xb5, 0xe4, 0xff, 0x4b, 0xa2, 0x33, 0xc6, 0xfb, 0xf1, 0x82, 0x02, 0xa6, 0xd5, 0xc6,
    0x16, 0xcf, 0xba, 0x04, 0x4e, 0xad, 0x1c, 0xbf, 0x50, 0xb3, 0xd0, 0xc0, 0x92, 0x12, 0x7d, 0x7c,
    0x8e, 0x52, 0xc1, 0x1a, 0xda, 0xac, 0xad, 0x84, 0x76, 0x8e, 0x0e,
};

/* Decoded, shown, verified: tables of names, extensions, key decoders. */
static bool
try_certificate(void)
{
	const unsigned char *p = certificate;
	X509 *cert = d2i_X509(NULL, &p, (long)sizeof(certificate));
	char *text = cert != NULL ? X509_NAME_oneline(X509_get_subject_name(cert), NULL, 0) : NULL;
	bool ok = text != NULL && X509_check_ca(cert) == 1 && X509_verify(cert, X509_get0_pubkey(cert)) == 1;

	OPENSSL_free(text);
	X509_free(cert);
	return ok;
}

static bool
try_randomness(void)
{
	unsigned char a[8], b[8];

	return RAND_bytes(a, sizeof(a)) == 1 && RAND_priv_bytes(b, sizeof(b)) == 1;
}

static bool
try_errors(void)
{
	char text[128];
	struct err e = {0};

	ERR_error_string_n(ERR_PACK(ERR_LIB_X509, 0, X509_R_CERT_ALREADY_IN_HASH_TABLE), text, sizeof(text));
	return err_errno(&e, ERR_IO, ENOENT, "text") == ERR_IO && strstr(e.text, "No such file") != NULL &&
	    strstr(text, "already in hash table") != NULL;
}

static bool
reads(struct slice raw, const char *want)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	if (xml_load(raw, NULL, &doc, &e) != ERR_OK)
		return false;
	xml_text(xmlDocGetRootElement(doc), &text);
	return strcmp(buf_str(&text), want) == 0;
}

static bool
try_encodings(void)
{
	static const char le[] = "\xff\xfe<\0a\0>\0Q\1<\0/\0a\0>\0", be[] = "\xfe\xff\0<\0a\0>\1Q\0<\0/\0a\0>";

	return reads(slice_of(le, sizeof(le) - 1), "\xc5\x91") && reads(slice_of(be, sizeof(be) - 1), "\xc5\x91") &&
	    reads(slice_str("<?xml version='1.0' encoding='windows-1250'?><a>\xf5</a>"), "\xc5\x91") &&
	    reads(slice_str("<?xml version='1.0' encoding='ISO-8859-16'?><a>\xf5</a>"), "\xc5\x91") &&
	    reads(slice_str("\xef\xbb\xbf<a>\xc5\x91</a>"), "\xc5\x91");
}

static bool
try_xpath(void)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	struct err e = {0};
	xmlXPathContextPtr c = NULL;
	xmlXPathObjectPtr o = NULL;
	bool ok = false;

	if (xml_load(slice_str("<a><b/><b/></a>"), NULL, &doc, &e) == ERR_OK && (c = xmlXPathNewContext(doc)) != NULL) {
		o = xmlXPathEvalExpression((const xmlChar *)"count(//b) = 2 and not(//c)", c);
		ok = o != NULL && o->boolval == 1;
	}
	xmlXPathFreeObject(o);
	xmlXPathFreeContext(c);
	return ok;
}

/* Its hash tables are seeded by the first object. */
static bool
try_json(void)
{
	AUTO(json) json_t *j = json_pack("{s:s}", "a", "b");
	AUTO(buf) struct buf text = {0};
	struct err e = {0};

	return json_canonical(j, &text, &e) == ERR_OK && strcmp(buf_str(&text), "{\"a\":\"b\"}") == 0;
}

/* The control. */
static bool
try_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

static const struct try {
	const char *name;
	bool (*run)(void);
} tries[] = {
    {"digests", try_digests},
    {"RSA", try_rsa},
    {"RSA-PSS", try_pss},
    {"P-256", try_p256},
    {"P-384 with SHA-3", try_p384},
    {"Brainpool", try_brainpool},
    {"Ed25519", try_ed25519},
    {"Ed448", try_ed448},
    {"a certificate", try_certificate},
    {"randomness", try_randomness},
    {"error texts", try_errors},
    {"encodings", try_encodings},
    {"XPath", try_xpath},
    {"JSON", try_json},
};

static bool
open_is_death(void)
{
	static const int calls[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(socket), SCMP_SYS(connect)};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, calls[i], 0);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0;
}

/* 0: it works. 1: it does not. 2: no warm-up. Else the signal that ended it. */
static int
run(bool (*try)(void))
{
	struct err e = {0};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(worker_warm_up_base(&e) != ERR_OK || !open_is_death() ? 2 : !try());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- tests -------------------------------------------------------------------- */

static void
nothing_is_opened(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int how = run(tries[i].run);

		if (how != 0)
			fail_msg("%s: ended with %d", tries[i].name, how);
	}
}

static void
an_open_would_be_seen(void **state)
{
	(void)state;
	assert_int_equal(run(try_open), SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_opened),
	    cmocka_unit_test(an_open_would_be_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
