/* SPDX-License-Identifier: MIT */
/*
 * What libraries read from files when they are first used: OpenSSL's configuration and the providers that it names,
 * jansson's seed. All else that loads lazily (algorithms, key decoders, error texts) comes from memory,
 * in a cage too; tests/t_warm.c holds us to it.
 */
#include "base/digest.h"
#include "base/json.h"
#include "base/worker.h"
#include "base/xml.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/random.h>

enum err_code
worker_warm_up_base(struct err *e)
{
	size_t seed = 0;

	xml_init();
	/* By itself it would open /dev/urandom. */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_errno(e, ERR_IO, errno, "getrandom");
	json_object_seed(seed | 1);
	/* Without effect in the program, whose main says that it shall not be read. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
		return err_openssl(e, ERR_UNSUPPORTED, "OpenSSL");
	/* A configuration can leave it without any algorithm. */
	if (digest_evp(DIGEST_SHA256) == NULL)
		return err_openssl(e, ERR_UNSUPPORTED, "this OpenSSL has no SHA-256");
	return ERR_OK;
}
