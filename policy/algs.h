/* SPDX-License-Identifier: MIT */
/* Names of algorithms and uses of them: what a catalogue is asked about. Included by policy.h. */
#ifndef EVERSEAL_POLICY_ALGS_H
#define EVERSEAL_POLICY_ALGS_H

#include "base/bytes.h"
#include "base/digest.h"

enum key_kind {
	KEY_UNKNOWN = 0,
	KEY_RSA,     /* PKCS#1 v1.5 */
	KEY_RSA_PSS, /* the scheme, whatever the key's own OID */
	KEY_DSA,
	KEY_ECDSA,
	KEY_PLAIN_ECDSA,
	KEY_ED25519,
	KEY_ED448,
	KEY_KINDS
};
const char *key_kind_name(enum key_kind k); /* "RSA", "RSASSA-PSS", "ECDSA", "Ed25519" ... */

enum alg_usage { USE_DATA = 0, USE_CERTIFICATES, USE_OCSP, USE_TIMESTAMPS };

/* One use of cryptography, as found. key == KEY_UNKNOWN with is_signature = a scheme that this build does not know. */
struct alg_use {
	bool is_signature; /* false: the digest alone */
	enum key_kind key;
	unsigned key_bits;	 /* RSA modulus, EC order, DSA p: real bit length */
	unsigned q_bits;	 /* DSA q */
	enum digest_alg digest;	 /* DIGEST_NONE with Ed25519/Ed448 */
	enum digest_alg mgf;	 /* PSS: MGF1 digest; DIGEST_NONE = the same as digest */
	enum alg_usage usage;
};

/*
 * Identifier to use (crypto-policy 7.2): kind, key, digest; sizes 0, usage USE_DATA. False if this build does not know it.
 * A key alone (rsaEncryption, id-ecPublicKey, RSASSA-PSS) leaves the digest DIGEST_NONE: it is named elsewhere.
 */
bool alg_by_oid(const char *oid, struct alg_use *out);
bool alg_by_uri(const char *uri, struct alg_use *out);
/* The identifiers of a use, static text; NULL where none is defined. */
void alg_ids(const struct alg_use *use, const char **oid, const char **uri);

/* "RSA 2048 with SHA256"; out at least 64 octets. */
void alg_text(const struct alg_use *use, char *out, size_t n);

#endif
