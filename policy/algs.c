/* SPDX-License-Identifier: MIT */
#include "policy/algs.h"

#include <stdio.h>
#include <string.h>

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define DSIG11 "http://www.w3.org/2009/xmldsig11#"
#define MORE01 "http://www.w3.org/2001/04/xmldsig-more#"
#define MORE07 "http://www.w3.org/2007/05/xmldsig-more#"
#define MORE21 "http://www.w3.org/2021/04/xmldsig-more#"
#define PKCS1 "1.2.840.113549.1.1."
#define X962 "1.2.840.10045."
#define NIST_SIG "2.16.840.1.101.3.4.3."
#define BSI_EC "0.4.0.127.0.7.1.1.4.1"

static const char *const key_names[KEY_KINDS] = {
    [KEY_UNKNOWN] = "unknown",
    [KEY_RSA] = "RSA",
    [KEY_RSA_PSS] = "RSASSA-PSS",
    [KEY_DSA] = "DSA",
    [KEY_ECDSA] = "ECDSA",
    [KEY_PLAIN_ECDSA] = "PLAIN-ECDSA",
    [KEY_ED25519] = "Ed25519",
    [KEY_ED448] = "Ed448",
};

/* One row per identifier that means a signature scheme; the first row of a scheme is the one that is written. */
static const struct alg_row {
	enum key_kind key;
	enum digest_alg digest; /* NONE: named elsewhere (a combination), or part of the scheme (Ed25519) */
	const char *oid, *uri;
} rows[] = {
    {KEY_RSA, DIGEST_NONE, PKCS1 "1", NULL},
    {KEY_RSA, DIGEST_MD5, PKCS1 "4", MORE01 "rsa-md5"},
    {KEY_RSA, DIGEST_SHA1, PKCS1 "5", DSIG "rsa-sha1"},
    {KEY_RSA, DIGEST_SHA1, "1.3.14.3.2.29", NULL},
    {KEY_RSA, DIGEST_RIPEMD160, "1.3.36.3.3.1.2", MORE01 "rsa-ripemd160"},
    {KEY_RSA, DIGEST_RIPEMD160, NULL, "http://www.w3.org/2001/04/xmldsig-more/rsa-ripemd160"},
    {KEY_RSA, DIGEST_SHA224, PKCS1 "14", MORE01 "rsa-sha224"},
    {KEY_RSA, DIGEST_SHA256, PKCS1 "11", MORE01 "rsa-sha256"},
    {KEY_RSA, DIGEST_SHA384, PKCS1 "12", MORE01 "rsa-sha384"},
    {KEY_RSA, DIGEST_SHA512, PKCS1 "13", MORE01 "rsa-sha512"},
    {KEY_RSA, DIGEST_SHA3_224, NIST_SIG "13", NULL},
    {KEY_RSA, DIGEST_SHA3_256, NIST_SIG "14", NULL},
    {KEY_RSA, DIGEST_SHA3_384, NIST_SIG "15", NULL},
    {KEY_RSA, DIGEST_SHA3_512, NIST_SIG "16", NULL},
    {KEY_RSA_PSS, DIGEST_NONE, PKCS1 "10", MORE07 "rsa-pss"},
    {KEY_RSA_PSS, DIGEST_SHA1, NULL, MORE07 "sha1-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA224, NULL, MORE07 "sha224-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA256, NULL, MORE07 "sha256-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA384, NULL, MORE07 "sha384-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA512, NULL, MORE07 "sha512-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA3_224, NULL, MORE07 "sha3-224-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA3_256, NULL, MORE07 "sha3-256-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA3_384, NULL, MORE07 "sha3-384-rsa-MGF1"},
    {KEY_RSA_PSS, DIGEST_SHA3_512, NULL, MORE07 "sha3-512-rsa-MGF1"},
    {KEY_DSA, DIGEST_NONE, "1.2.840.10040.4.1", NULL},
    {KEY_DSA, DIGEST_SHA1, "1.2.840.10040.4.3", DSIG "dsa-sha1"},
    {KEY_DSA, DIGEST_SHA224, NIST_SIG "1", NULL},
    {KEY_DSA, DIGEST_SHA256, NIST_SIG "2", DSIG11 "dsa-sha256"},
    {KEY_ECDSA, DIGEST_NONE, X962 "2.1", NULL},
    {KEY_ECDSA, DIGEST_SHA1, X962 "4.1", MORE01 "ecdsa-sha1"},
    {KEY_ECDSA, DIGEST_SHA224, X962 "4.3.1", MORE01 "ecdsa-sha224"},
    {KEY_ECDSA, DIGEST_SHA256, X962 "4.3.2", MORE01 "ecdsa-sha256"},
    {KEY_ECDSA, DIGEST_SHA384, X962 "4.3.3", MORE01 "ecdsa-sha384"},
    {KEY_ECDSA, DIGEST_SHA512, X962 "4.3.4", MORE01 "ecdsa-sha512"},
    {KEY_ECDSA, DIGEST_SHA3_224, NIST_SIG "9", MORE21 "ecdsa-sha3-224"},
    {KEY_ECDSA, DIGEST_SHA3_256, NIST_SIG "10", MORE21 "ecdsa-sha3-256"},
    {KEY_ECDSA, DIGEST_SHA3_384, NIST_SIG "11", MORE21 "ecdsa-sha3-384"},
    {KEY_ECDSA, DIGEST_SHA3_512, NIST_SIG "12", MORE21 "ecdsa-sha3-512"},
    {KEY_ECDSA, DIGEST_RIPEMD160, NULL, MORE07 "ecdsa-ripemd160"},
    {KEY_ECDSA, DIGEST_WHIRLPOOL, NULL, MORE07 "ecdsa-whirlpool"},
    {KEY_PLAIN_ECDSA, DIGEST_NONE, BSI_EC, NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA1, BSI_EC ".1", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA224, BSI_EC ".2", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA256, BSI_EC ".3", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA384, BSI_EC ".4", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA512, BSI_EC ".5", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_RIPEMD160, BSI_EC ".6", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA3_224, BSI_EC ".8", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA3_256, BSI_EC ".9", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA3_384, BSI_EC ".10", NULL},
    {KEY_PLAIN_ECDSA, DIGEST_SHA3_512, BSI_EC ".11", NULL},
    {KEY_ED25519, DIGEST_NONE, "1.3.101.112", MORE21 "eddsa-ed25519"},
    {KEY_ED448, DIGEST_NONE, "1.3.101.113", MORE21 "eddsa-ed448"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const char *
key_kind_name(enum key_kind k)
{
	return (unsigned)k < KEY_KINDS ? key_names[k] : key_names[KEY_UNKNOWN];
}

static bool
from_row(const struct alg_row *r, struct alg_use *out)
{
	*out = (struct alg_use){.is_signature = true, .key = r->key, .digest = r->digest, .mgf = DIGEST_NONE};
	/* The fixed URIs of RFC 9231 2.3.10 use MGF1 with the same digest. */
	if (r->key == KEY_RSA_PSS)
		out->mgf = r->digest;
	return true;
}

static bool
from_digest(const struct digest_row *r, struct alg_use *out)
{
	if (r == NULL)
		return false;
	*out = (struct alg_use){.digest = r->alg};
	return true;
}

bool
alg_by_oid(const char *oid, struct alg_use *out)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].oid != NULL && strcmp(rows[i].oid, oid) == 0)
			return from_row(&rows[i], out);
	return from_digest(digest_by_oid(oid), out);
}

bool
alg_by_uri(const char *uri, struct alg_use *out)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].uri != NULL && strcmp(rows[i].uri, uri) == 0)
			return from_row(&rows[i], out);
	return from_digest(digest_by_uri(uri), out);
}

void
alg_ids(const struct alg_use *use, const char **oid, const char **uri)
{
	const struct digest_row *d;
	size_t i;

	*oid = *uri = NULL;
	if (!use->is_signature) {
		d = digest_row(use->digest);
		*oid = d != NULL ? d->oid : NULL;
		*uri = d != NULL ? d->uri : NULL;
		return;
	}
	for (i = 0; i < ROWS; i++)
		if (rows[i].key == use->key && rows[i].digest == use->digest) {
			*oid = rows[i].oid;
			*uri = rows[i].uri;
			return;
		}
}

static const char *
digest_word(enum digest_alg alg)
{
	const struct digest_row *d = digest_row(alg);

	return d != NULL ? d->name : "unknown digest";
}

void
alg_text(const struct alg_use *use, char *out, size_t n)
{
	char size[16] = "", mgf[32] = "";

	if (!use->is_signature) {
		snprintf(out, n, "%s", digest_word(use->digest));
		return;
	}
	if (use->key == KEY_UNKNOWN || use->key >= KEY_KINDS) {
		snprintf(out, n, "unknown signature algorithm");
		return;
	}
	if (use->key == KEY_ED25519 || use->key == KEY_ED448) {
		snprintf(out, n, "%s", key_names[use->key]);
		return;
	}
	if (use->key_bits != 0)
		snprintf(size, sizeof(size), " %u", use->key_bits);
	if (use->key == KEY_RSA_PSS && use->mgf != DIGEST_NONE && use->mgf != use->digest)
		snprintf(mgf, sizeof(mgf), " (MGF1 %s)", digest_word(use->mgf));
	snprintf(out, n, "%s%s with %s%s", key_names[use->key], size, digest_word(use->digest), mgf);
}
