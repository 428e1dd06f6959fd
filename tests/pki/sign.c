/* SPDX-License-Identifier: MIT */
/* One call of `testpki sign`: signers, data, the filled document, what is
 * written. */
#include "tests/pki/sign.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
job_auto(struct job *j)
{
	signer_auto(&j->by);
	signer_auto(&j->by2);
	sig_auto(&j->sig);
	sig_auto(&j->sig2);
	buf_release(&j->data);
	buf_release(&j->text);
}

/* Accents and a comment, so that encodings and canonical forms have something
 * to differ in. */
static const char sample_xml[] =
    "<doc xmlns=\"urn:everseal:test\"><!-- a draft --><title>\xc3\xa1rv\xc3\xadzt\xc5\xb1r\xc5\x91 "
    "t\xc3\xbck\xc3\xb6rf\xc3\xbar\xc3\xb3g\xc3\xa9p</title><amount currency=\"HUF\">1000000</amount></doc>";
static const char sample_text[] = "The amount is 1000000 forints.\n";

static const char *
mime_of(const char *path, bool xml)
{
	static const char *const rows[][2] = {{".pdf", "application/pdf"},
	    {".txt", "text/plain"}, {".xml", "text/xml"},
	    {".png", "image/png"}};
	const char *dot = path != NULL ? strrchr(path, '.') : NULL;

	for (size_t i = 0; dot != NULL && i < sizeof(rows) / sizeof(rows[0]);
	     i++)
		if (strcmp(dot, rows[i][0]) == 0)
			return rows[i][1];
	return xml            ? "text/xml"
	       : path != NULL ? "application/octet-stream"
			      : "text/plain";
}

static xmlDoc *
parse(struct slice text)
{
	xmlDoc *d = xmlReadMemory((const char *)text.p, (int)text.n, "document",
	    NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

	if (d != NULL && d->intSubset != NULL) {
		xmlFreeDoc(d);
		return NULL;
	}
	return d;
}

/* The root element as UTF-8 text without declaration: ready to stand inside
 * something else. */
static bool
as_fragment(struct slice in, struct buf *out)
{
	xmlDoc *d = parse(in);
	xmlBuffer *b = xmlBufferCreate();
	bool ok = d != NULL && b != NULL &&
		  xmlNodeDump(b, d, xmlDocGetRootElement(d), 0, 0) > 0;

	if (ok)
		buf_add(out, xmlBufferContent(b), (size_t)xmlBufferLength(b));
	xmlBufferFree(b);
	xmlFreeDoc(d);
	return ok;
}

static enum err_code
load_data(struct job *j, struct err *e)
{
	bool plain =
	    strcmp(j->w->shape, "detached") == 0 ||
	    (j->w->transform != NULL && strcmp(j->w->transform, "base64") == 0);
	AUTO(buf) struct buf file = {0};

	if (j->w->in != NULL) {
		if (pki_read(j->w->in, &file, e) != ERR_OK)
			return e->code;
		j->data_is_xml =
		    !plain && as_fragment(buf_slice(&file), &j->data);
		if (!j->data_is_xml)
			buf_addslice(&j->data, buf_slice(&file));
	} else {
		j->data_is_xml = !plain;
		buf_adds(&j->data, plain ? sample_text : sample_xml);
	}
	j->mime =
	    j->w->mime != NULL ? j->w->mime : mime_of(j->w->in, j->data_is_xml);
	return buf_ok(&j->data, e);
}

static enum err_code
get_signer(struct job *j, const char *name, const char *key, struct signer *out,
    struct err *e)
{
	AUTO(mem) char *crt = pki_path(j->p, "ee/%s.crt", name);

	if (crt == NULL)
		return err_nomem(e);
	if (access(crt, F_OK) == 0)
		return signer_load(j->p, name, out, e);
	return signer_issue(
	    j->p, name, key != NULL ? key : "ecdsa", j->w->ca, 1095, out, e);
}

static enum err_code
start_sig(struct job *j, struct sig *s, const struct signer *by, struct err *e)
{
	const struct digest_row *d = digest_by_name(j->w->digest);
	const struct digest_row *sd =
	    j->w->sig_digest != NULL ? digest_by_name(j->w->sig_digest) : NULL;
	uint8_t octets[6];
	char hex[13];

	if (d == NULL || (j->w->sig_digest != NULL && sd == NULL))
		return err_set(e, ERR_USAGE, "no such digest: %s",
		    d == NULL ? j->w->digest : j->w->sig_digest);
	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return err_openssl(e, ERR_BUG, "random");
	hex_of(slice_of(octets, sizeof(octets)), hex);
	snprintf(s->id, sizeof(s->id), "S-%s", hex);
	s->pki = j->p;
	s->by = by;
	s->digest = d->alg;
	s->c14n = c14n_by_word(j->w->c14n);
	s->sig_digest = sd != NULL ? digest_evp(sd->alg) : key_digest(by->key);
	s->sig_uri = sig_method(by, s->sig_digest);
	s->v1 = strcmp(j->w->signing_cert, "v1") == 0;
	s->no_chain = j->w->no_chain;
	s->epes = strcmp(j->w->level, "epes") == 0;
	if (s->c14n == NULL || s->sig_uri == NULL)
		return err_set(e, ERR_USAGE,
		    "no such canonical form, or the key has no method with that digest");
	return pki_now(j->p, &s->time_utc, e);
}

static const char *const levels[] = {"bes", "epes", "t", "lt", "lta"};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* What the level asks for beside the signature itself. */
static enum err_code
unsigned_parts(
    struct job *j, struct sig *s, const struct signer *counter, struct err *e)
{
	const struct line *tsa = line_find(j->w->tsa);
	AUTO(buf) struct buf text = {0};

	if (tsa == NULL || tsa->role != ROLE_TSA)
		return err_set(e, ERR_USAGE, "no such TSA: %s", j->w->tsa);
	s->stamped =
	    strcmp(j->w->level, "t") == 0 || strncmp(j->w->level, "lt", 2) == 0;
	s->archived = strcmp(j->w->level, "lta") == 0;
	if (strncmp(j->w->level, "lt", 2) != 0)
		return ERR_OK;
	if (values_text(j->p, s->by, counter, tsa, s->time_utc, &text, e) !=
	    ERR_OK)
		return err_wrap(e, "values");
	s->values = mem_dupstr(buf_str(&text));
	return s->values != NULL ? ERR_OK : err_nomem(e);
}

static enum err_code
start_second(struct job *j, struct err *e)
{
	AUTO(mem)
	char *name = j->w->name2 != NULL ? mem_dupstr(j->w->name2)
					 : mem_printf("%s 2", j->w->name);

	if (name == NULL)
		return err_nomem(e);
	j->two = true;
	if (get_signer(j, name, j->w->key2, &j->by2, e) != ERR_OK)
		return e->code;
	return start_sig(j, &j->sig2, &j->by2, e);
}

/* A letter or digit of the data, found in document order outside of what
 * belongs to a signature. */
static bool
tamper_xml(xmlNode *n)
{
	static const char *const skip[] = {
	    "SignedInfo", "SignatureValue", "KeyInfo", "Manifest"};

	for (; n != NULL; n = n->next) {
		bool ours = xml_is(n, NS_XADES, "QualifyingProperties");

		for (size_t i = 0; i < sizeof(skip) / sizeof(skip[0]); i++)
			ours = ours || xml_is(n, NS_DS, skip[i]);
		if (ours)
			continue;
		if (n->type == XML_TEXT_NODE)
			for (xmlChar *c = n->content; *c != '\0'; c++)
				if (isalnum(*c)) {
					*c = (xmlChar)(strchr("9zZ", *c) != NULL
							   ? *c - 1
							   : *c + 1);
					return true;
				}
		if (tamper_xml(n->children))
			return true;
	}
	return false;
}

static enum err_code
write_data(struct job *j, struct err *e)
{
	AUTO(mem) char *name = job_data_name(j);
	const char *slash = strrchr(j->w->out, '/');
	AUTO(mem)
	char *path = name == NULL ? NULL
		     : slash != NULL
			 ? mem_printf("%.*s/%s", (int)(slash - j->w->out),
			       j->w->out, name)
			 : mem_dupstr(name);

	if (path == NULL)
		return err_nomem(e);
	if (j->w->tamper && j->data.n > 0)
		j->data.p[j->data.n / 2] ^= 1;
	return pki_write(path, buf_slice(&j->data), e);
}

static enum err_code
write_document(struct job *j, xmlDoc *doc, struct err *e)
{
	xmlChar *text = NULL;
	int n = 0;
	enum err_code code;

	xmlDocDumpMemoryEnc(doc, &text, &n, j->w->encoding);
	if (text == NULL || n <= 0)
		return err_set(e, ERR_USAGE,
		    "the document can't be written in %s", j->w->encoding);
	code = pki_write(j->w->out, slice_of(text, (size_t)n), e);
	xmlFree(text);
	return code;
}

static enum err_code
fill_and_write(struct job *j, xmlDoc *doc, struct err *e)
{
	const struct line *tsa = line_find(j->w->tsa);
	struct slice data = buf_slice(&j->data);
	bool apart = strcmp(j->w->shape, "detached") == 0;

	if (sig_fill(doc, &j->sig, data, e) != ERR_OK ||
	    (j->two && sig_fill(doc, &j->sig2, data, e) != ERR_OK) ||
	    sig_stamp(j->p, doc, &j->sig, data, tsa, e) != ERR_OK ||
	    (j->two && sig_stamp(j->p, doc, &j->sig2, data, tsa, e) != ERR_OK))
		return e->code;
	if (j->w->tamper && !apart && !tamper_xml(xmlDocGetRootElement(doc)))
		return err_set(e, ERR_USAGE, "there is nothing to tamper with");
	if (apart && write_data(j, e) != ERR_OK)
		return e->code;
	return write_document(j, doc, e);
}

static enum err_code
prepare(struct job *j, const struct shape *shape, struct err *e)
{
	size_t level = 0;

	while (level < LEVELS && strcmp(levels[level], j->w->level) != 0)
		level++;
	if (level == LEVELS)
		return err_set(e, ERR_USAGE, "no such level: %s", j->w->level);
	if (load_data(j, e) != ERR_OK ||
	    get_signer(j, j->w->name, j->w->key, &j->by, e) != ERR_OK)
		return e->code;
	if (start_sig(j, &j->sig, &j->by, e) != ERR_OK)
		return e->code;
	if (!shape->two)
		return unsigned_parts(j, &j->sig, NULL, e);
	if (start_second(j, e) != ERR_OK ||
	    unsigned_parts(j, &j->sig, shape->counter ? &j->by2 : NULL, e) !=
		ERR_OK)
		return e->code;
	/* a counter-signature is what stands inside: bare */
	return shape->counter ? ERR_OK : unsigned_parts(j, &j->sig2, NULL, e);
}

enum err_code
sign_document(struct pki *p, const struct sign_wish *w, struct err *e)
{
	AUTO(job) struct job j = {.p = p, .w = w};
	xmlDoc *doc;
	enum err_code code;
	const struct shape *shape = shape_find(w->shape);

	if (shape == NULL)
		return err_set(e, ERR_USAGE, "no such shape: %s", w->shape);
	if (prepare(&j, shape, e) != ERR_OK || shape->build(&j, e) != ERR_OK)
		return e->code;
	if ((doc = parse(buf_slice(&j.text))) == NULL)
		return err_set(e, ERR_BUG, "our own text is not well-formed");
	code = fill_and_write(&j, doc, e);
	xmlFreeDoc(doc);
	return code;
}
