/* SPDX-License-Identifier: MIT */
/* Shapes: which text surrounds which signatures, and what they refer to. */
#include "tests/pki/sign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_OBJECT NS_DS "Object"
#define TYPE_MANIFEST NS_DS "Manifest"
#define TYPE_COUNTER "http://uri.etsi.org/01903#CountersignedSignature"

static void
add_ref(struct sig *s, char *uri, const char *type, enum transform t,
    const char *mime)
{
	s->refs[s->nrefs++] = (struct sig_ref){uri, type, t, mime};
}

/* A reference by Id keeps comments only as xpointer. */
static char *
uri_of(const struct sig *s, const char *id)
{
	return s->c14n->comments ? mem_printf("#xpointer(id('%s'))", id)
				 : mem_printf("#%s", id);
}

static enum transform
wished(const struct job *j, enum transform otherwise)
{
	static const struct {
		const char *word;
		enum transform t;
	} rows[] = {{"base64", TRANSFORM_BASE64}, {"xpath", TRANSFORM_XPATH},
	    {"filter2", TRANSFORM_FILTER2}, {"enveloped", TRANSFORM_ENVELOPED},
	    {"none", TRANSFORM_NONE}};

	for (size_t i = 0;
	     j->w->transform != NULL && i < sizeof(rows) / sizeof(rows[0]); i++)
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
		return err_set(
		    e, ERR_USAGE, "only XML can envelop a signature");
	d = buf_slice(&j->data);
	for (at = d.n - 1; at > 0 && d.p[at] != '<'; at--)
		;
	if (at + 1 >= d.n || d.p[at + 1] != '/')
		return err_set(e, ERR_USAGE, "the root element has no end tag");
	add_ref(&j->sig,
	    mem_dupstr(j->sig.c14n->comments ? "#xpointer(/)" : ""), NULL,
	    wished(j, TRANSFORM_ENVELOPED), j->mime);
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
	enum transform t =
	    wished(j, j->data_is_xml ? TRANSFORM_C14N : TRANSFORM_BASE64);
	char id[64];

	snprintf(id, sizeof(id), "%s-o", j->sig.id);
	add_object(j, id, !j->data_is_xml, &object);
	if (buf_ok(&object, e) != ERR_OK)
		return e->code;
	j->sig.objects = mem_dupstr(buf_str(&object));
	add_ref(&j->sig,
	    t == TRANSFORM_BASE64 ? mem_printf("#%s", id) : uri_of(&j->sig, id),
	    TYPE_OBJECT, t, j->mime);
	return sig_text(&j->sig, &j->text, e);
}

/* xs:anyURI: what is not unreserved goes as %XX. */
static char *
uri_escaped(const char *name)
{
	AUTO(buf) struct buf b = {0};

	for (; *name != '\0'; name++)
		if (isalnum((unsigned char)*name) ||
		    strchr("-._~", *name) != NULL)
			buf_add8(&b, (unsigned char)*name);
		else
			buf_addf(&b, "%%%02X", (unsigned char)*name);
	return mem_dupstr(buf_str(&b));
}

/* The name of the data file beside the signature: that of --in, else of --out
 * with .txt. */
char *
job_data_name(const struct job *j)
{
	const char *path = j->w->in != NULL ? j->w->in : j->w->out;
	const char *base =
	    strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(base, '.');

	if (j->w->in != NULL)
		return mem_dupstr(base);
	return mem_printf("%.*s.txt",
	    dot != NULL ? (int)(dot - base) : (int)strlen(base), base);
}

static enum err_code
detached(struct job *j, struct err *e)
{
	AUTO(mem) char *name = job_data_name(j);

	if (name == NULL)
		return err_nomem(e);
	add_ref(&j->sig, uri_escaped(name), NULL, TRANSFORM_NONE, j->mime);
	return sig_text(&j->sig, &j->text, e);
}

/* Data and signatures side by side below one root: no signature covers another.
 */
static enum err_code
sibling(struct job *j, struct err *e)
{
	if (!j->data_is_xml)
		return err_set(e, ERR_USAGE, "this shape wants XML");
	add_ref(&j->sig, uri_of(&j->sig, "data-1"), NULL,
	    wished(j, TRANSFORM_C14N), j->mime);
	buf_adds(&j->text,
	    "<bundle xmlns:t=\"urn:everseal:bundle\"><data Id=\"data-1\">");
	buf_addslice(&j->text, buf_slice(&j->data));
	buf_adds(&j->text, "</data>");
	if (sig_text(&j->sig, &j->text, e) != ERR_OK)
		return e->code;
	if (j->two && j->sig.counter == NULL) {
		add_ref(&j->sig2, uri_of(&j->sig2, "data-1"), NULL,
		    wished(j, TRANSFORM_C14N), j->mime);
		if (sig_text(&j->sig2, &j->text, e) != ERR_OK)
			return e->code;
	}
	buf_adds(&j->text, "</bundle>");
	return buf_ok(&j->text, e);
}

static enum err_code
counter(struct job *j, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	char id[64];

	snprintf(id, sizeof(id), "%s-sv", j->sig.id);
	add_ref(&j->sig2, mem_printf("#%s", id), TYPE_COUNTER, TRANSFORM_C14N,
	    NULL);
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
	buf_addf(b,
	    "<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue/></ds:Reference>",
	    digest_row(s->digest)->uri);
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
	buf_addf(&o,
	    "<ds:Object Id=\"%s\"><note>second entry</note></ds:Object>",
	    second);
	buf_addf(&o, "<ds:Object><ds:Manifest Id=\"%s\">", id);
	manifest_entry(&o, &j->sig, first);
	manifest_entry(&o, &j->sig, second);
	buf_adds(&o, "</ds:Manifest></ds:Object>");
	if (buf_ok(&o, e) != ERR_OK)
		return e->code;
	j->sig.objects = mem_dupstr(buf_str(&o));
	add_ref(&j->sig, mem_printf("#%s", id), TYPE_MANIFEST, TRANSFORM_C14N,
	    "text/xml");
	return sig_text(&j->sig, &j->text, e);
}

static const struct shape shapes[] = {
    {"enveloped", enveloped, false, false,
	"inside the document, reference \"\""},
    {"enveloping", enveloping, false, false, "the document in a ds:Object"},
    {"detached", detached, false, false,
	"the document is a file beside the signature"},
    {"sibling", sibling, false, false, "document and signature below one root"},
    {"parallel", sibling, true, false, "two signatures beside one document"},
    {"counter", counter, true, true, "as sibling, with a CounterSignature"},
    {"manifest", manifest, false, false,
	"two objects signed through a ds:Manifest"},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

const struct shape *
shape_find(const char *word)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (strcmp(shapes[i].word, word) == 0)
			return &shapes[i];
	return NULL;
}

void
sign_help(void)
{
	printf("shapes:\n");
	for (size_t i = 0; i < SHAPES; i++)
		printf("  %-12s %s\n", shapes[i].word, shapes[i].what);
	printf(
	    "canonical forms: exc exc-comments c14n10 c14n10-comments c14n11 c14n11-comments\n"
	    "transforms: enveloped xpath filter2 base64; digests: sha256 sha384 sha512 sha3-256 sha3-384 sha3-512\n");
}
