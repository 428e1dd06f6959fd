/* SPDX-License-Identifier: MIT */
/*
 * Signature schemes as X.509, CMS, OCSP and CRLs name them, and public keys.
 * Whether an algorithm is any good is the catalogue's business: weak ones are
 * verified like others, and no security level of the library interferes.
 */
#ifndef EVERSEAL_VERIFY_SIGALG_H
#define EVERSEAL_VERIFY_SIGALG_H

#include "base/bytes.h"
#include "base/digest.h"
#include "policy/policy.h"
#include "verify/ber.h"

#include <openssl/evp.h>
#include <openssl/param_build.h>

struct sig_scheme {
	enum key_kind key; /* KEY_UNKNOWN: not known here, nothing verifies */
	enum digest_alg digest, mgf;
	int salt; /* PSS: octets */
};

/*
 * algorithm: body of an AlgorithmIdentifier. digest: the CMS digestAlgorithm, which completes rsaEncryption,
 * id-ecPublicKey and id-dsa and must agree with a suite that names its own; DIGEST_NONE elsewhere.
 */
struct sig_scheme sig_scheme_read(struct slice algorithm, enum digest_alg digest);
/* Is sig right over data? False also for a key of another kind and for what can't be checked. */
bool sig_verify(const struct sig_scheme *s, EVP_PKEY *key, struct slice data, struct slice sig);
/* The use, without the key's size. */
struct alg_use sig_use(const struct sig_scheme *s, enum alg_usage usage);

/* A SubjectPublicKeyInfo, whole. Kind and bits without decoding the key; KEY_UNKNOWN if not known. bits: content of the BIT STRING. */
struct alg_use spki_use(struct slice spki, struct slice *bits);
/* The key, sound; else NULL, and *why (may be NULL) is static text: not readable here, or key_fault. The caller frees. */
EVP_PKEY *spki_key(struct slice spki, const char **why);
/*
 * NULL, or why nobody can rely on this public key, whoever certified it: static text with the clause. RSA: e odd, at least
 * 3; n odd, without small factors. Curves: named ones, a point of their order. Edwards: canonical, not of small order.
 * Whoever makes a key to verify with asks this; spki_key and key_value have asked.
 */
const char *key_fault(EVP_PKEY *key);
/*
 * The curve that a key's parameters name: by its OID, or by explicit numbers (p, a, b, generator, order, cofactor) that are
 * all those of one in our table. False: no named curve.
 */
bool curve_named(const struct ber *params, char oid[OID_TEXT]);
unsigned curve_bits(const char *oid); /* of its order; 0 if it is not in our table */
/* Public keys from their parts, NULL when they make none; the caller frees. They may be unsound. build: borrowed. curve: dotted OID; point: uncompressed or not. */
EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build);
EVP_PKEY *key_on_curve(const char *curve, struct slice point);
/* May a signature of that kind be verified with key? */
bool key_fits(enum key_kind kind, const EVP_PKEY *key);

#endif
