/* SPDX-License-Identifier: MIT */
/* The same signature by libxmlsec, in this process: value and references, with the key that the judge found. */
#include "tests/soundness/soundness.h"

#include <stdio.h>
#include <string.h>

#ifdef WITH_XMLSEC
#include <libxml/parser.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

/* What it may read: the files beside the document at hand, by their names, and nothing else. */
static const struct sides *shown;
static char last_error[160];

struct reading {
	struct slice in;
	size_t at;
};

static const struct buf *
shown_as(const char *uri)
{
	for (size_t i = 0; shown != NULL && i < shown->n; i++)
		if (strcmp(shown->names[i], uri) == 0)
			return &shown->octets[i];
	return NULL;
}

static int
io_match(const char *uri)
{
	(void)uri;
	return 1;
}

static void *
io_open(const char *uri)
{
	static struct reading r;
	const struct buf *b = shown_as(uri);

	if (b == NULL)
		return NULL;
	r = (struct reading){buf_slice(b), 0};
	return &r;
}

static int
io_read(void *ctx, char *to, int n)
{
	struct reading *r = ctx;
	size_t k = r->in.n - r->at < (size_t)n ? r->in.n - r->at : (size_t)n;

	memcpy(to, r->in.p + r->at, k);
	r->at += k;
	return (int)k;
}

static int
io_close(void *ctx)
{
	(void)ctx;
	return 0;
}

static void
on_error(const char *file, int line, const char *func, const char *object, const char *subject, int reason, const char *text)
{
	(void)file;
	(void)line;
	(void)func;
	if (last_error[0] == '\0')
		snprintf(last_error, sizeof(last_error), "%s %s %d %s", object != NULL ? object : "", subject != NULL ? subject : "", reason,
		    text != NULL ? text : "");
}

void
xmlsec_start(void)
{
	if (xmlSecInit() < 0 || xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
		die("libxmlsec", "does not start");
	xmlSecErrorsSetCallback(on_error);
	xmlSecIOCleanupCallbacks();
	xmlSecIORegisterCallbacks(io_match, io_open, io_read, io_close);
}

bool
xmlsec_there(void)
{
	return true;
}

static xmlNode *
signature_at(xmlNode *n, size_t *nth)
{
	for (; n != NULL; n = n->next) {
		xmlNode *in;

		if (n->type != XML_ELEMENT_NODE)
			continue;
		if (xmlSecCheckNodeName(n, xmlSecNodeSignature, xmlSecDSigNs) && (*nth)-- == 0)
			return n;
		in = signature_at(n->children, nth);
		if (in != NULL)
			return in;
	}
	return NULL;
}

static enum opinion
ask(xmlDoc *doc, xmlNode *sig, xmlSecKeyPtr key, char *said, size_t n)
{
	xmlSecDSigCtxPtr c = must(xmlSecDSigCtxCreate(NULL));
	enum opinion is = OPINION_NONE;

	(void)doc;
	c->signKey = key;
	last_error[0] = '\0';
	if (xmlSecDSigCtxVerify(c, sig) < 0)
		snprintf(said, n, "%s", last_error);
	else if (c->status == xmlSecDSigStatusSucceeded)
		is = OPINION_RIGHT;
	else if (c->status == xmlSecDSigStatusInvalid) {
		is = OPINION_WRONG;
		snprintf(said, n, "invalid %s", last_error);
	}
	xmlSecDSigCtxDestroy(c);
	return is;
}

enum opinion
xmlsec_opinion(struct slice octets, size_t nth, struct slice cert_der, const struct sides *sides, char *said, size_t n)
{
	static const xmlChar *ids[] = {BAD_CAST "Id", BAD_CAST "ID", BAD_CAST "id", NULL};
	xmlDoc *doc = xmlReadMemory((const char *)octets.p, (int)octets.n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
	xmlNode *sig = doc != NULL ? signature_at(xmlDocGetRootElement(doc), &nth) : NULL;
	enum opinion is = OPINION_NONE;

	said[0] = '\0';
	last_error[0] = '\0';
	shown = sides;
	if (sig != NULL) {
		xmlSecKeyPtr key = xmlSecOpenSSLAppKeyLoadMemory(cert_der.p, (xmlSecSize)cert_der.n, xmlSecKeyDataFormatCertDer, NULL, NULL, NULL);

		xmlSecAddIDs(doc, xmlDocGetRootElement(doc), ids);
		if (key != NULL)
			is = ask(doc, sig, key, said, n);
		else
			snprintf(said, n, "key: %s", last_error);
	}
	xmlFreeDoc(doc);
	shown = NULL;
	return is;
}
#else
void
xmlsec_start(void)
{
}

bool
xmlsec_there(void)
{
	return false;
}

enum opinion
xmlsec_opinion(struct slice octets, size_t nth, struct slice cert_der, const struct sides *sides, char *said, size_t n)
{
	(void)octets;
	(void)nth;
	(void)cert_der;
	(void)sides;
	snprintf(said, n, "not built in");
	return OPINION_NONE;
}
#endif
