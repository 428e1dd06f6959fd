/* SPDX-License-Identifier: MIT */
/* The same file by libxmlsec: parsed, IDs told, one signature verified with a key that is there already. */
#ifndef EVERSEAL_TESTS_BENCH_XMLSEC_H
#define EVERSEAL_TESTS_BENCH_XMLSEC_H

#include "tests/bench/bench.h"

#include <libxml/parser.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>

struct theirs {
	struct slice file;
	xmlSecKeyPtr key;
};

static void
theirs_product(void *ctx)
{
	static const xmlChar *ids[] = {BAD_CAST "Id", NULL};
	struct theirs *t = ctx;
	xmlDocPtr doc = xmlReadMemory((const char *)t->file.p, (int)t->file.n, NULL, NULL, XML_PARSE_NONET);
	xmlNodePtr sig = doc != NULL ? xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs) : NULL;
	xmlSecDSigCtxPtr c = xmlSecDSigCtxCreate(NULL);

	if (sig == NULL || c == NULL)
		bench_die("libxmlsec", NULL);
	xmlSecAddIDs(doc, xmlDocGetRootElement(doc), ids);
	c->signKey = xmlSecKeyDuplicate(t->key);
	if (xmlSecDSigCtxVerify(c, sig) < 0 || c->status != xmlSecDSigStatusSucceeded)
		bench_die("libxmlsec does not find it right", NULL);
	xmlSecDSigCtxDestroy(c);
	xmlFreeDoc(doc);
}

static void
theirs_start(void)
{
	if (xmlSecInit() < 0 || xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
		bench_die("xmlSecInit", NULL);
}

static void
theirs_prepare(struct theirs *t, struct slice file, EVP_PKEY *key)
{
	t->file = file;
	t->key = xmlSecKeyCreate();
	if (t->key == NULL || EVP_PKEY_up_ref(key) != 1 || xmlSecKeySetValue(t->key, xmlSecOpenSSLEvpKeyAdopt(key)) < 0)
		bench_die("a key for libxmlsec", NULL);
}

#endif
