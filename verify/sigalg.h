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
/* The key; NULL if this OpenSSL can't read it. The caller frees. */
EVP_PKEY *spki_key(struct slice spki);
/* Public keys from their parts, NULL when they make none; the caller frees. build: borrowed. curve: dotted OID; point: uncompressed or not. */
EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build);
EVP_PKEY *key_on_curve(const char *curve, struct slice point);
/* May a signature of that kind be verified with key? */
bool key_fits(enum key_kind kind, const EVP_PKEY *key);

#endif
