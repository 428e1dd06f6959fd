/* SPDX-License-Identifier: MIT */
/* One mutant: a few changes to the tree, to a DER object, to the octets, or to what lies beside. */
#include "tests/soundness/mutate.h"

#include <stdlib.h>
#include <string.h>

/* ---- shared ---- */

bool
is_any(const xmlNode *n)
{
	(void)n;
	return true;
}

const char *
name_of(const xmlNode *n)
{
	return n->type == XML_ELEMENT_NODE ? (const char *)n->name : "?";
}

xmlNode *
pick(struct making *m, xmlDoc *doc, picker *is, bool root)
{
	xmlNode *top = xmlDocGetRootElement(doc), *chosen = NULL;
	size_t n = 0;

	for (xmlNode *at = top; at != NULL; at = xml_walk(top, at))
		if ((root || at != top) && is(at) && rng_one_in(m->r, ++n))
			chosen = at;
	return chosen;
}

void
said(struct making *m, const char *what, const xmlNode *n)
{
	const char *id = n != NULL && n->type == XML_ELEMENT_NODE ? xml_attr(n, "Id") : NULL;

	buf_addf(&m->out->changes, "%s %s%s%s;", what, n != NULL ? name_of(n) : "", id != NULL ? "#" : "", id != NULL ? id : "");
}

xmlNode *
copy_of(struct making *m, xmlNode *n)
{
	return must(xmlDocCopyNode(n, m->doc, 1));
}

xmlNode *
element(xmlNode *parent, const char *ns, const char *name)
{
	xmlNode *n = must(xmlNewChild(parent, NULL, BAD_CAST name, NULL));
	xmlNs *in = xmlSearchNsByHref(n->doc, n, BAD_CAST ns);

	if (in == NULL)
		in = xmlNewNs(n, BAD_CAST ns, BAD_CAST "mu");
	xmlSetNs(n, in);
	return n;
}

void
put_before(xmlNode *at, xmlNode *n)
{
	if (at->parent == NULL || at->parent->type != XML_ELEMENT_NODE)
		xmlAddChild(at, n);
	else
		xmlAddPrevSibling(at, n);
}

bool
is_below(const xmlNode *n, const xmlNode *apex)
{
	for (; n != NULL; n = n->parent)
		if (n == apex)
			return true;
	return false;
}

static const char *const FIXED[] = {"", "#", "#xpointer(/)", "http://www.w3.org/2000/09/xmldsig#Object", "http://www.w3.org/2000/09/xmldsig#Manifest",
    "http://uri.etsi.org/01903#SignedProperties", "http://uri.etsi.org/01903#CountersignedSignature",
    "http://uri.etsi.org/01903/v1.1.1#SignedProperties", "http://uri.etsi.org/01903/v1.2.2#SignedProperties", "urn:x",
    "http://uri.etsi.org/01903/v1.2.2#DER", "http://uri.etsi.org/01903/v1.2.2#BER", "true"};

xmlChar *
some_value(struct making *m, const char *attribute)
{
	xmlDoc *from = m->donor != NULL && rng_one_in(m->r, 3) ? m->donor->dom : m->doc;
	const xmlNode *top = xmlDocGetRootElement(from);
	const char *chosen = NULL, *id = NULL;
	size_t n = 0, ids = 0;

	if (rng_one_in(m->r, 4))
		return xmlStrdup(BAD_CAST FIXED[rng_below(m->r, sizeof(FIXED) / sizeof(FIXED[0]))]);
	for (const xmlNode *at = top; at != NULL; at = xml_walk(top, at)) {
		const char *v = xml_attr(at, attribute), *i = xml_attr(at, "Id");

		if (v != NULL && rng_one_in(m->r, ++n))
			chosen = v;
		if (i != NULL && rng_one_in(m->r, ++ids))
			id = i;
	}
	if (id != NULL && strcasecmp(attribute, "URI") == 0 && rng_one_in(m->r, 2)) {
		xmlChar *made = xmlStrdup(BAD_CAST(rng_one_in(m->r, 4) ? "#xpointer(id('" : "#"));

		made = xmlStrcat(made, BAD_CAST id);
		return made[1] == 'x' && made[2] == 'p' && made[10] == 'i' ? xmlStrcat(made, BAD_CAST "'))") : made;
	}
	return xmlStrdup(BAD_CAST(chosen != NULL ? chosen : "x"));
}

static const char *const DER_NAMES[] = {"X509Certificate", "EncapsulatedX509Certificate", "EncapsulatedCRLValue", "EncapsulatedOCSPValue",
    "EncapsulatedTimeStamp", "X509CRL", "EncapsulatedPKIData"};

bool
holds_der(const xmlNode *n)
{
	for (size_t i = 0; i < sizeof(DER_NAMES) / sizeof(DER_NAMES[0]); i++)
		if (strcmp((const char *)n->name, DER_NAMES[i]) == 0)
			return true;
	return false;
}

void
set_base64(xmlNode *n, struct slice octets)
{
	AUTO(buf) struct buf b = {0};

	buf_addbase64(&b, octets);
	xmlNodeSetContent(n, BAD_CAST buf_str(&b));
}

xmlNode *
led_to(xmlDoc *doc, const xmlChar *uri)
{
	const char *s = (const char *)uri;
	char id[256];
	xmlNode *top = xmlDocGetRootElement(doc);

	if (s == NULL || s[0] != '#')
		return NULL;
	snprintf(id, sizeof(id), "%s", strncmp(s, "#xpointer(id('", 14) == 0 ? s + 14 : s + 1);
	id[strcspn(id, "'")] = '\0';
	for (xmlNode *at = top; at != NULL; at = xml_walk(top, at)) {
		const char *v = xml_attr(at, "Id");

		if (v != NULL && strcmp(v, id) == 0)
			return at;
	}
	return NULL;
}

/* ---- one mutant ---- */

#define DERS_MAX 64

void
seed_ders(struct seed *s)
{
	xmlNode *top = xmlDocGetRootElement(s->dom);

	s->ders = must(calloc(DERS_MAX, sizeof(*s->ders)));
	for (xmlNode *at = top; at != NULL && s->n_ders < DERS_MAX; at = xml_walk(top, at)) {
		struct buf b = {0};
		struct err e = {0};

		if (holds_der(at) && xml_base64(at, &b, &e) == ERR_OK && b.n > 0)
			s->ders[s->n_ders++] = buf_slice(&b); /* for good */
		else
			buf_release(&b);
	}
}

static const struct change_row *const TABLES[] = {CHANGES_TREE, CHANGES_SIGNATURE, CHANGES_OCTETS};
enum tables { CHANGED_TREES = 0, CHANGED_TEXTS = 2, TABLES_END = 3 };

/* Row i of the tables from first to before last. */
static const struct change_row *
row_at(size_t i, size_t first, size_t last)
{
	for (; first < last; first++)
		for (const struct change_row *r = TABLES[first]; r->kind != NULL; r++)
			if (i-- == 0)
				return r;
	return NULL;
}

size_t
mutation_kinds(void)
{
	size_t n = 0;

	while (row_at(n, 0, TABLES_END) != NULL)
		n++;
	return n;
}

const char *
mutation_kind(size_t i)
{
	return row_at(i, 0, TABLES_END)->kind;
}

static const struct change_row *
some_row(struct rng *r, enum tables of)
{
	size_t last = of == CHANGED_TREES ? CHANGED_TEXTS : TABLES_END, total = 0, at;
	const struct change_row *row;

	for (size_t i = 0; (row = row_at(i, of, last)) != NULL; i++)
		total += row->weight;
	at = rng_below(r, total);
	for (size_t i = 0;; i++) {
		row = row_at(i, of, last);
		if (at < row->weight)
			return row;
		at -= row->weight;
	}
}

static const char *const ENCODINGS[] = {"UTF-8", "UTF-16", "ISO-8859-1", "US-ASCII", "UTF-16LE", "windows-1250"};

/* Tree first, then text; of twenty mutants one has its text changed. */
static bool
change(struct making *m)
{
	size_t want = rng_one_in(m->r, 3) ? 2 + rng_below(m->r, 3) : 1, done = 0;
	bool text_too = rng_one_in(m->r, 20), text_alone = text_too && !rng_one_in(m->r, 4);
	xmlChar *text = NULL;
	int n = 0;

	for (size_t tries = 0; !text_alone && tries < 40 && done < want; tries++) {
		const struct change_row *row = some_row(m->r, CHANGED_TREES);

		if (!row->how(m))
			continue;
		m->out->kind = m->out->kind == NULL ? row->kind : m->out->kind;
		done++;
	}
	if (rng_one_in(m->r, 40))
		xmlDocDumpMemoryEnc(m->doc, &text, &n, ENCODINGS[rng_below(m->r, sizeof(ENCODINGS) / sizeof(ENCODINGS[0]))]);
	else
		xmlDocDumpMemory(m->doc, &text, &n);
	buf_add(&m->out->doc, text, (size_t)n);
	xmlFree(text);
	for (size_t tries = 0; text_too && tries < 8; tries++) {
		const struct change_row *row = some_row(m->r, CHANGED_TEXTS);

		if (!row->how(m))
			continue;
		m->out->kind = m->out->kind == NULL ? row->kind : m->out->kind;
		done++;
		break;
	}
	m->out->altered &= done == 1;
	return done > 0;
}

bool
mutate(struct rng *r, const struct seed *of, const struct seed *donor, struct mutant *out)
{
	struct slice ders[2 * DERS_MAX];
	struct making m = {.r = r, .of = of, .donor = donor, .out = out, .ders = ders};
	bool done;

	memset(out, 0, sizeof(*out));
	m.doc = must(xmlCopyDoc(of->dom, 1));
	out->donor = donor;
	sides_copy(&out->sides, &of->sides);
	memcpy(ders, of->ders, of->n_ders * sizeof(*ders));
	m.n_ders = of->n_ders;
	if (donor != NULL)
		memcpy(ders + m.n_ders, donor->ders, donor->n_ders * sizeof(*ders));
	m.n_ders += donor != NULL ? donor->n_ders : 0;
	done = change(&m);
	xmlFreeDoc(m.doc);
	return done;
}

void
mutant_release(struct mutant *m)
{
	buf_release(&m->doc);
	buf_release(&m->changes);
	sides_release(&m->sides);
	memset(m, 0, sizeof(*m));
}
