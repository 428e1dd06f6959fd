/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"
#include "verify/xmlpos.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_SIGNATURE_PROPS "<xades:UnsignedSignatureProperties xmlns:xades=\"" NS_X132 "\">"
#define CLOSE_SIGNATURE_PROPS "</xades:UnsignedSignatureProperties>"
#define OPEN_UNSIGNED "<xades:UnsignedProperties xmlns:xades=\"" NS_X132 "\"><xades:UnsignedSignatureProperties>"
#define CLOSE_UNSIGNED "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"

/* Only an empty element can be self-closed: DOM and C14N see no difference between <a/> and <a></a>. */
static size_t
empty_containers(const struct xsig *s, const xmlNode *out[2])
{
	const xmlNode *candidates[] = {xml_first(s->qualifying, xades_ns(s->version), "UnsignedProperties"), s->unsigned_props};
	size_t n = 0, i;

	for (i = 0; i < 2; i++)
		if (candidates[i] != NULL && candidates[i]->children == NULL)
			out[n++] = candidates[i];
	return n;
}

/* One look at the file for all its signatures. */
enum err_code
self_closed_read(struct sigdoc *d, struct err *e)
{
	AUTO(mem) struct xmlpos *at = mem_new(2 * d->n_sigs, sizeof(*at));
	const xmlNode *empty[2];
	size_t n = 0, i, k;

	if (at == NULL && d->n_sigs != 0)
		return err_nomem(e);
	for (i = 0; i < d->n_sigs; i++)
		for (k = empty_containers(&d->sigs[i], empty); k > 0; k--)
			at[n++].node = empty[k - 1];
	if (n == 0)
		return ERR_OK;
	switch (xmlpos_find(d->raw, d->dom, at, n, e)) {
	case ERR_OK:
		break;
	case ERR_UNSUPPORTED:
		return ERR_OK; /* sig_insertion says so again, with the reason */
	default:
		return err_wrap(e, "unsigned properties");
	}
	for (i = 0; i < d->n_sigs; i++)
		for (k = empty_containers(&d->sigs[i], empty); k > 0; k--)
			d->sigs[i].self_closed |= xmlpos_of(at, n, empty[k - 1])->self_closed;
	return ERR_OK;
}

static const char *
refusal(const struct xsig *s)
{
	if (s->version == XADES_NONE || s->qualifying == NULL || s->signed_props == NULL)
		return "the signature has no XAdES properties";
	if (s->version != XADES_132)
		return "the properties are of XAdES 1.1.1 or 1.2.2";
	if (s->sealed)
		return "the signature is sealed by an evidence record";
	if (s->self_closed)
		return "the container of unsigned properties is self-closed";
	return NULL;
}

/* Which element gives the place, and what is put around the properties there. */
static void
choose(const struct xsig *s, struct xmlpos *at, const char **before, const char **after)
{
	const xmlNode *container = xml_first(s->qualifying, NS_X132, "UnsignedProperties");

	*before = *after = "";
	if (s->unsigned_props != NULL) {
		at->node = s->unsigned_props;
	} else if (container != NULL) {
		at->node = container;
		*before = OPEN_SIGNATURE_PROPS;
		*after = CLOSE_SIGNATURE_PROPS;
	} else {
		at->node = s->signed_props;
		*before = OPEN_UNSIGNED;
		*after = CLOSE_UNSIGNED;
	}
}

enum err_code
sig_insertion(struct sigdoc *d, struct xsig *s, struct insertion *out, struct err *e)
{
	const char *why = refusal(s), *before, *after;
	struct xmlpos at = {0};

	*out = (struct insertion){0};
	if (why != NULL)
		return err_set(e, ERR_UNSUPPORTED, "nothing can be inserted: %s", why);
	choose(s, &at, &before, &after);
	if (xmlpos_find(d->raw, d->dom, &at, 1, e) != ERR_OK)
		return err_wrap(e, "nothing can be inserted");
	if (at.node == s->unsigned_props)
		out->offset = at.end; /* behind the last property */
	else if (at.node == s->signed_props)
		out->offset = at.end_end; /* UnsignedProperties follows SignedProperties */
	else
		out->offset = at.start_end; /* UnsignedSignatureProperties comes first in its container */
	if (at.self_closed && at.node != s->signed_props)
		return err_set(e, ERR_UNSUPPORTED, "nothing can be inserted: the container of unsigned properties is self-closed");
	out->encoding = xmlpos_encoding(d->raw, d->dom);
	out->before = mem_dupstr(before);
	out->after = mem_dupstr(after);
	if (out->before == NULL || out->after == NULL) {
		insertion_release(out);
		return err_nomem(e);
	}
	return ERR_OK;
}

void
insertion_release(struct insertion *i)
{
	free(i->before);
	free(i->after);
	*i = (struct insertion){0};
}

enum err_code
insertion_encode(const struct insertion *i, const char *ascii, struct buf *out, struct err *e)
{
	bool wide = strncmp(i->encoding, "UTF-16", 6) == 0, big = strcmp(i->encoding, "UTF-16BE") == 0;
	const char *p;

	for (p = ascii; *p != '\0'; p++) {
		if ((*p & 0x80) != 0)
			return err_set(e, ERR_BUG, "inserted text is not ASCII");
		if (wide && big)
			buf_add8(out, 0);
		buf_add8(out, (unsigned char)*p);
		if (wide && !big)
			buf_add8(out, 0);
	}
	return buf_ok(out, e);
}
