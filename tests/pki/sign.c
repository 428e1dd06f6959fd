/* SPDX-License-Identifier: MIT */
/* Shapes: which text surrounds which signatures, and what they refer to. */
#include "tests/pki/sign.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TYPE_OBJECT NS_DS "Object"
#define TYPE_MANIFEST NS_DS "Manifest"
#define TYPE_COUNTER "http://uri.etsi.org/01903#CountersignedSignature"

/* Everything that one call works on. */
struct job {
	struct pki *p;
	const struct sign_wish *w;
	struct signer by, by2;
	struct sig sig, sig2; /* sig2: the second of a pair, or the counter-signature */
	bool two;
	struct buf data; /* what is signed, as given or made up */
	bool data_is_xml;
	const char *mime;
	struct buf text; /* the document with empty values, UTF-8 */
};

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

/* Accents and a comment, so that encodings and canonical forms have something to differ in. */
static const char sample_xml[] =
    "<doc xmlns=\"urn:everseal:test\"><!-- a draft --><title>\xc3\xa1rv\xc3\xadzt\xc5\xb1r\xc5\x91 "
    "t\xc3\xbck\xc3\xb6rf\xc3\xbar\xc3\xb3g\xc3\xa9p</title><amount currency=\"HUF\">1000000</amount></doc>";
static const char sample_text[] = "The amount is 1000000 forints.\n";

static const char *
mime_of(const char *path, bool xml)
{
	static const char *const rows[][2] = {{".pdf", "application/pdf"}, {".txt", "text/plain"}, {".xml", "text/xml"},
	    {".png", "image/png"}};
	const char *dot = path != NULL ? strrchr(path, '.') : NULL;

	for (size_t i = 0; dot != NULL && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(dot, rows[i][0]) == 0)
			return rows[i][1];
	return xml ? "text/xml" : path != NULL ? "application/octet-stream" : "text/plain";
}

static xmlDoc *
parse(struct slice text)
{
	xmlDoc *d = xmlReadMemory((const char *)text.p, (int)text.n, "document", NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

	if (d != NULL && d->intSubset != NULL) {
		xmlFreeDoc(d);
		return NULL;
	}
	return d;
}

/* The root element as UTF-8 text without declaration: ready to stand inside something else. */
static bool
as_fragment(struct slice in, struct buf *out)
{
	xmlDoc *d = parse(in);
	xmlBuffer *b = xmlBufferCreate();
	bool ok = d != NULL && b != NULL && xmlNodeDump(b, d, xmlDocGetRootElement(d), 0, 0) > 0;

	if (ok)
		buf_add(out, xmlBufferContent(b), (size_t)xmlBufferLength(b));
	xmlBufferFree(b);
	xmlFreeDoc(d);
	return ok;
}

static enum err_code
load_data(struct job *j, struct err *e)
{
	bool plain = strcmp(j->w->shape, "detached") == 0 || (j->w->transform != NULL && strcmp(j->w->transform, "base64") == 0);
	AUTO(buf) struct buf file = {0};

	if (j->w->in != NULL) {
		if (pki_read(j->w->in, &file, e) != ERR_OK)
			return e->code;
		j->data_is_xml = !plain && as_fragment(buf_slice(&file), &j->data);
		if (!j->data_is_xml)
			buf_addslice(&j->data, buf_slice(&file));
	} else {
		j->data_is_xml = !plain;
		buf_adds(&j->data, plain ? sample_text : sample_xml);
	}
	j->mime = j->w->mime != NULL ? j->w->mime : mime_of(j->w->in, j->data_is_xml);
	return buf_ok(&j->data, e);
}

static enum err_code
get_signer(struct job *j, const char *name, const char *key, struct signer *out, struct err *e)
{
	AUTO(mem) char *crt = pki_path(j->p, "ee/%s.crt", name);

	if (crt == NULL)
		return err_nomem(e);
	if (access(crt, F_OK) == 0)
		return signer_load(j->p, name, out, e);
	return signer_issue(j->p, name, key != NULL ? key : "ecdsa", j->w->ca, 1095, out, e);
}

static enum err_code
start_sig(struct job *j, struct sig *s, const struct signer *by, struct err *e)
{
	const struct digest_row *d = digest_by_name(j->w->digest);
	const struct digest_row *sd = j->w->sig_digest != NULL ? digest_by_name(j->w->sig_digest) : NULL;
	uint8_t octets[6];
	char hex[13];

	if (d == NULL || (j->w->sig_digest != NULL && sd == NULL))
		return err_set(e, ERR_USAGE, "no such digest: %s", d == NULL ? j->w->digest : j->w->sig_digest);
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
		return err_set(e, ERR_USAGE, "no such canonical form, or the key has no method with that digest");
	return pki_now(j->p, &s->time_utc, e);
}

static void
add_ref(struct sig *s, char *uri, const char *type, enum transform t, const char *mime)
{
	s->refs[s->nrefs++] = (struct sig_ref){uri, type, t, mime};
}

/* A reference by Id keeps comments only as xpointer. */
static char *
uri_of(const struct sig *s, const char *id)
{
	return s->c14n->comments ? mem_printf("#xpointer(id('%s'))", id) : mem_printf("#%s", id);
}

static enum transform
wished(const struct job *j, enum transform otherwise)
{
	static const struct {
		const char *word;
		enum transform t;
	} rows[] = {{"base64", TRANSFORM_BASE64}, {"xpath", TRANSFORM_XPATH}, {"filter2", TRANSFORM_FILTER2},
	    {"enveloped", TRANSFORM_ENVELOPED}, {"none", TRANSFORM_NONE}};

	for (size_t i = 0; j->w->transform != NULL && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].word, j->w->transform) == 0)
			return rows[i].t;
	return otherwise;
}

/* The signature's text goes in front of the root's end tag. */
static enum err_code
enveloped(struct job *j, struct err *e)
{
	struct slice d;
	size_t at;

	if (!j->data_is_xml)
		return err_set(e, ERR_USAGE, "only XML can envelop a signature");
	d = buf_slice(&j->data);
	for (at = d.n - 1; at > 0 && d.p[at] != '<'; at--)
		;
	if (at + 1 >= d.n || d.p[at + 1] != '/')
		return err_set(e, ERR_USAGE, "the root element has no end tag");
	add_ref(&j->sig, mem_dupstr(j->sig.c14n->comments ? "#xpointer(/)" : ""), NULL, wished(j, TRANSFORM_ENVELOPED), j->mime);
	buf_addslice(&j->text, slice_of(d.p, at));
	if (sig_text(&j->sig, &j->text, e) != ERR_OK)
		return e->code;
	buf_addslice(&j->text, slice_of(d.p + at, d.n - at));
	return buf_ok(&j->text, e);
}

static void
add_object(const struct job *j, const char *id, bool base64, struct buf *out)
{
	buf_addf(out, "<ds:Object Id=\"%s\" MimeType=\"%s\"", id, j->mime);
	if (base64) {
		buf_adds(out, " Encoding=\"" NS_DS "base64\">");
		buf_addbase64(out, buf_slice(&j->data));
	} else {
		buf_adds(out, ">");
		buf_addslice(out, buf_slice(&j->data));
	}
	buf_adds(out, "</ds:Object>");
}

static enum err_code
enveloping(struct job *j, struct err *e)
{
	AUTO(buf) struct buf object = {0};
	enum transform t = wished(j, j->data_is_xml ? TRANSFORM_C14N : TRANSFORM_BASE64);
	char id[64];

	snprintf(id, sizeof(id), "%s-o", j->sig.id);
	add_object(j, id, !j->data_is_xml, &object);
	if (buf_ok(&object, e) != ERR_OK)
		return e->code;
	j->sig.objects = mem_dupstr(buf_str(&object));
	add_ref(&j->sig, t == TRANSFORM_BASE64 ? mem_printf("#%s", id) : uri_of(&j->sig, id), TYPE_OBJECT, t, j->mime);
	return sig_text(&j->sig, &j->text, e);
}

/* xs:anyURI: what is not unreserved goes as %XX. */
static char *
uri_escaped(const char *name)
{
	AUTO(buf) struct buf b = {0};

	for (; *name != '\0'; name++)
		if (isalnum((unsigned char)*name) || strchr("-._~", *name) != NULL)
			buf_add8(&b, (unsigned char)*name);
		else
			buf_addf(&b, "%%%02X", (unsigned char)*name);
	return mem_dupstr(buf_str(&b));
}

/* The name of the data file beside the signature: that of --in, else of --out with .txt. */
static char *
data_name(const struct job *j)
{
	const char *path = j->w->in != NULL ? j->w->in : j->w->out;
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(base, '.');

	if (j->w->in != NULL)
		return mem_dupstr(base);
	return mem_printf("%.*s.txt", dot != NULL ? (int)(dot - base) : (int)strlen(base), base);
}

static enum err_code
detached(struct job *j, struct err *e)
{
	AUTO(mem) char *name = data_name(j);

	if (name == NULL)
		return err_nomem(e);
	add_ref(&j->sig, uri_escaped(name), NULL, TRANSFORM_NONE, j->mime);
	return sig_text(&j->sig, &j->text, e);
}

/* Data and signatures side by side below one root: no signature covers another. */
static enum err_code
sibling(struct job *j, struct err *e)
{
	if (!j->data_is_xml)
		return err_set(e, ERR_USAGE, "this shape wants XML");
	add_ref(&j->sig, uri_of(&j->sig, "data-1"), NULL, wished(j, TRANSFORM_C14N), j->mime);
	buf_adds(&j->text, "<bundle xmlns:t=\"urn:everseal:bundle\"><data Id=\"data-1\">");
	buf_addslice(&j->text, buf_slice(&j->data));
	buf_adds(&j->text, "</data>");
	if (sig_text(&j->sig, &j->text, e) != ERR_OK)
		return e->code;
	if (j->two && j->sig.counter == NULL) {
		add_ref(&j->sig2, uri_of(&j->sig2, "data-1"), NULL, wished(j, TRANSFORM_C14N), j->mime);
		if (sig_text(&j->sig2, &j->text, e) != ERR_OK)
			return e->code;
	}
	buf_adds(&j->text, "</bundle>");
	return buf_ok(&j->text, e);
}

static const char *const levels[] = {"bes", "epes", "t", "lt", "lta"};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* What the level asks for beside the signature itself. */
static enum err_code
unsigned_parts(struct job *j, struct sig *s, const struct signer *counter, struct err *e)
{
	const struct line *tsa = line_find(j->w->tsa);
	AUTO(buf) struct buf text = {0};

	if (tsa == NULL || tsa->role != ROLE_TSA)
		return err_set(e, ERR_USAGE, "no such TSA: %s", j->w->tsa);
	s->stamped = strcmp(j->w->level, "t") == 0 || strncmp(j->w->level, "lt", 2) == 0;
	s->archived = strcmp(j->w->level, "lta") == 0;
	if (strncmp(j->w->level, "lt", 2) != 0)
		return ERR_OK;
	if (values_text(j->p, s->by, counter, tsa, s->time_utc, &text, e) != ERR_OK)
		return err_wrap(e, "values");
	s->values = mem_dupstr(buf_str(&text));
	return s->values != NULL ? ERR_OK : err_nomem(e);
}

static enum err_code
start_second(struct job *j, struct err *e)
{
	AUTO(mem) char *name = j->w->name2 != NULL ? mem_dupstr(j->w->name2) : mem_printf("%s 2", j->w->name);

	if (name == NULL)
		return err_nomem(e);
	j->two = true;
	if (get_signer(j, name, j->w->key2, &j->by2, e) != ERR_OK)
		return e->code;
	return start_sig(j, &j->sig2, &j->by2, e);
}

static enum err_code
parallel(struct job *j, struct err *e)
{
	if (unsigned_parts(j, &j->sig2, NULL, e) != ERR_OK)
		return e->code;
	return sibling(j, e);
}

static enum err_code
counter(struct job *j, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	char id[64];

	snprintf(id, sizeof(id), "%s-sv", j->sig.id);
	add_ref(&j->sig2, mem_printf("#%s", id), TYPE_COUNTER, TRANSFORM_C14N, NULL);
	if (sig_text(&j->sig2, &text, e) != ERR_OK)
		return e->code;
	j->sig.counter = mem_dupstr(buf_str(&text));
	return sibling(j, e);
}

static void
manifest_entry(struct buf *b, const struct sig *s, const char *id)
{
	buf_addf(b, "<ds:Reference URI=\"#%s\">", id);
	transforms_text(b, TRANSFORM_C14N, s->c14n);
	buf_addf(b, "<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue/></ds:Reference>", digest_row(s->digest)->uri);
}

/* Two objects, named by a manifest that alone is referenced. */
static enum err_code
manifest(struct job *j, struct err *e)
{
	AUTO(buf) struct buf o = {0};
	char first[64], second[64], id[64];

	snprintf(first, sizeof(first), "%s-o1", j->sig.id);
	snprintf(second, sizeof(second), "%s-o2", j->sig.id);
	snprintf(id, sizeof(id), "%s-m", j->sig.id);
	add_object(j, first, !j->data_is_xml, &o);
	buf_addf(&o, "<ds:Object Id=\"%s\"><note>second entry</note></ds:Object>", second);
	buf_addf(&o, "<ds:Object><ds:Manifest Id=\"%s\">", id);
	manifest_entry(&o, &j->sig, first);
	manifest_entry(&o, &j->sig, second);
	buf_adds(&o, "</ds:Manifest></ds:Object>");
	if (buf_ok(&o, e) != ERR_OK)
		return e->code;
	j->sig.objects = mem_dupstr(buf_str(&o));
	add_ref(&j->sig, mem_printf("#%s", id), TYPE_MANIFEST, TRANSFORM_C14N, "text/xml");
	return sig_text(&j->sig, &j->text, e);
}

static const struct {
	const char *word;
	enum err_code (*build)(struct job *j, struct err *e);
	bool two, counter; /* a second signer; who counter-signs */
	const char *what;
} shapes[] = {
    {"enveloped", enveloped, false, false, "inside the document, reference \"\""},
    {"enveloping", enveloping, false, false, "the document in a ds:Object"},
    {"detached", detached, false, false, "the document is a file beside the signature"},
    {"sibling", sibling, false, false, "document and signature below one root"},
    {"parallel", parallel, true, false, "two signatures beside one document"},
    {"counter", counter, true, true, "as sibling, with a CounterSignature"},
    {"manifest", manifest, false, false, "two objects signed through a ds:Manifest"},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

void
sign_help(void)
{
	printf("shapes:\n");
	for (size_t i = 0; i < SHAPES; i++)
		printf("  %-12s %s\n", shapes[i].word, shapes[i].what);
	printf("canonical forms: exc exc-comments c14n10 c14n10-comments c14n11 c14n11-comments\n"
	       "transforms: enveloped xpath filter2 base64; digests: sha256 sha384 sha512 sha3-256 sha3-384 sha3-512\n");
}

/* A letter or digit of the data, found in document order outside of what belongs to a signature. */
static bool
tamper_xml(xmlNode *n)
{
	static const char *const skip[] = {"SignedInfo", "SignatureValue", "KeyInfo", "Manifest"};

	for (; n != NULL; n = n->next) {
		bool ours = xml_is(n, NS_XADES, "QualifyingProperties");

		for (size_t i = 0; i < sizeof(skip) / sizeof(skip[0]); i++)
			ours = ours || xml_is(n, NS_DS, skip[i]);
		if (ours)
			continue;
		if (n->type == XML_TEXT_NODE)
			for (xmlChar *c = n->content; *c != '\0'; c++)
				if (isalnum(*c)) {
					*c = (xmlChar)(strchr("9zZ", *c) != NULL ? *c - 1 : *c + 1);
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
	AUTO(mem) char *name = data_name(j);
	const char *slash = strrchr(j->w->out, '/');
	AUTO(mem) char *path = name == NULL ? NULL :
	    slash != NULL		    ? mem_printf("%.*s/%s", (int)(slash - j->w->out), j->w->out, name) :
					      mem_dupstr(name);

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
		return err_set(e, ERR_USAGE, "the document can't be written in %s", j->w->encoding);
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

	if (sig_fill(doc, &j->sig, data, e) != ERR_OK || (j->two && sig_fill(doc, &j->sig2, data, e) != ERR_OK) ||
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
prepare(struct job *j, struct err *e)
{
	size_t level = 0;

	while (level < LEVELS && strcmp(levels[level], j->w->level) != 0)
		level++;
	if (level == LEVELS)
		return err_set(e, ERR_USAGE, "no such level: %s", j->w->level);
	if (load_data(j, e) != ERR_OK || get_signer(j, j->w->name, j->w->key, &j->by, e) != ERR_OK)
		return e->code;
	return start_sig(j, &j->sig, &j->by, e);
}

enum err_code
sign_document(struct pki *p, const struct sign_wish *w, struct err *e)
{
	AUTO(job) struct job j = {.p = p, .w = w};
	xmlDoc *doc;
	enum err_code code;
	size_t i = 0;

	while (i < SHAPES && strcmp(shapes[i].word, w->shape) != 0)
		i++;
	if (i == SHAPES)
		return err_set(e, ERR_USAGE, "no such shape: %s", w->shape);
	if (prepare(&j, e) != ERR_OK)
		return e->code;
	if (shapes[i].two && start_second(&j, e) != ERR_OK)
		return e->code;
	if (unsigned_parts(&j, &j.sig, shapes[i].counter ? &j.by2 : NULL, e) != ERR_OK || shapes[i].build(&j, e) != ERR_OK)
		return e->code;
	if ((doc = parse(buf_slice(&j.text))) == NULL)
		return err_set(e, ERR_BUG, "our own text is not well-formed");
	code = fill_and_write(&j, doc, e);
	xmlFreeDoc(doc);
	return code;
}
