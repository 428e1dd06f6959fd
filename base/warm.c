/* SPDX-License-Identifier: MIT */
/*
 * What libraries read from files when they are first used: glibc's time zone, OpenSSL's configuration and the providers
 * that it names, jansson's seed. All else that loads lazily (algorithms, key decoders, error texts) comes from memory,
 * in a cage too; tests/t_warm.c holds us to it.
 */
#include "base/digest.h"
#include "base/json.h"
#include "base/worker.h"
#include "base/xml.h"

#include <openssl/crypto.h>
#include <time.h>

enum err_code
worker_warm_up_base(struct err *e)
{
	xml_init();
	tzset();
	json_object_seed(0);
	/* Without effect in the program, whose main says that it shall not be read. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
		return err_openssl(e, ERR_UNSUPPORTED, "OpenSSL");
	/* A configuration can leave it without any algorithm. */
	if (digest_evp(DIGEST_SHA256) == NULL)
		return err_openssl(e, ERR_UNSUPPORTED, "this OpenSSL has no SHA-256");
	return ERR_OK;
}
