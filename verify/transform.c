/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <stdlib.h>
#include <string.h>

#define ENVELOPED_URI NS_DS "enveloped-signature"
#define BASE64_URI NS_DS "base64"
#define XPATH_URI "http://www.w3.org/TR/1999/REC-xpath-19991116"

/* Is this error a verdict on the data (then a fault) or trouble of our own (then an error)? */
static enum err_code
as_fault(struct run *r, enum err_code code, const struct err *why, const char *what, struct err *e)
{
	switch (code) {
	case ERR_FORMAT:
	case ERR_REFUSED:
	case ERR_UNSUPPORTED:
		return run_fault(r, REF_TRANSFORM_FAILED, "%s: %.180s", what, why->text);
	case ERR_LIMIT:
		return run_fault(r, REF_LIMIT, "%s: %.180s", what, why->text);
	default:
		return err_set(e, code, "%s: %s", what, why->text);
	}
}

enum err_code
data_marks(struct run *r, struct data *io, struct err *e)
{
	struct docstate *st = state_of(r->d);

	if (numbering_make(io->nodes.doc, io->numbers, e) != ERR_OK)
		return err_wrap(e, "node-set");
	if (io->numbers->count > st->xpath_left)
		return run_fault(r, REF_LIMIT, "XPath needs more than %llu steps", (unsigned long long)st->limits.xpath_steps);
	st->xpath_left -= io->numbers->count;
	return io->nodes.marks != NULL ? ERR_OK : nodes_marks(&io->nodes, io->numbers, &io->nodes.marks, e);
}

/* Octets that a transform reads or makes count as canonical form does: each reference may ask for all of them again. */
static enum err_code
pay(struct run *r, uint64_t octets, struct err *e)
{
	struct docstate *st = state_of(r->d);

	if (octets > st->canonical_left)
		return err_set(e, ERR_LIMIT, "more octets than the cap for the references of one file");
	st->canonical_left -= octets;
	return ERR_OK;
}

static enum err_code
load_file(struct run *r, struct data *io, size_t max, struct err *e)
{
	if (io->kind != DATA_FILE)
		return ERR_OK;
	if (io->file->source.size_bytes <= max && pay(r, io->file->source.size_bytes, e) != ERR_OK)
		return err_wrap(e, "data file");
	if (source_read_all(&io->file->source, max, &io->octets, e) != ERR_OK)
		return err_wrap(e, "data file");
	io->kind = DATA_OCTETS;
	return ERR_OK;
}

static size_t
parse_cap(const struct run *r)
{
	size_t max = state_of(r->d)->limits.xml.max_bytes;

	return max != 0 ? max : (size_t)256 << 20;
}

static enum err_code
need_nodes(struct run *r, struct data *io, struct err *e)
{
	xmlDoc *doc = NULL;
	struct err why = {0};
	enum err_code rc;

	if (io->kind == DATA_NODES)
		return ERR_OK;
	rc = load_file(r, io, parse_cap(r), &why);
	if (rc == ERR_OK)
		rc = pay(r, io->octets.n, &why);
	if (rc == ERR_OK)
		rc = xml_load(buf_slice(&io->octets), &state_of(r->d)->limits.xml, &doc, &why);
	if (rc != ERR_OK)
		return as_fault(r, rc, &why, "data that a transform needs as XML", e);
	buf_release(&io->octets);
	if (io->outside || io->origin.made != OF_NODES)
		io->read = READ_XML;
	io->kind = DATA_NODES;
	io->enveloped = false;
	io->own_doc = doc;
	io->numbers = &io->own_numbers;
	io->nodes = (struct nodes){.doc = doc, .apex = (const xmlNode *)doc, .comments = true};
	return ERR_OK;
}

/* Canonical form into to, or a fault. seen (NULL: nobody asks): which nodes were written. */
static enum err_code
canonical(struct run *r, const struct c14n *how, const struct data *io, struct trace *seen, const struct sink *to, struct err *e)
{
	struct nodes what = io->nodes;
	struct err why = {0};
	enum err_code rc;

	what.trace = seen;
	rc = canonical_write(r->d, how, &what, io->numbers, to, &why);
	return rc == ERR_OK ? ERR_OK : as_fault(r, rc, &why, "canonical form", e);
}

/* The last step: the canonical form goes into the digest. */
static enum err_code
canonical_end(struct run *r, const struct c14n *how, struct data *io, const struct sink *to, struct err *e)
{
	struct trace seen = {.max = state_of(r->d)->ranges_left};
	enum err_code rc = canonical(r, how, io, r->gather != NULL ? &seen : NULL, to, e);

	if (rc == ERR_OK && r->fault == REF_FINE && r->gather != NULL)
		rc = origin_nodes(r, io, &seen, e);
	trace_release(&seen);
	return rc;
}

static enum err_code
nodes_to_octets(struct run *r, const struct c14n *how, struct data *io, struct err *e)
{
	struct trace seen = {.max = state_of(r->d)->ranges_left};
	struct data next = {.outside = io->outside, .read = io->read};
	struct sink to = sink_buf(&next.octets);
	struct err why = {0};
	enum err_code rc = canonical(r, how, io, &seen, &to, e);

	if (rc == ERR_OK)
		rc = buf_ok(&next.octets, e);
	if (rc == ERR_OK && r->fault == REF_FINE) {
		rc = origin_of(r, io, &seen, OF_NODES, &next, &why);
		rc = rc == ERR_OK ? ERR_OK : as_fault(r, rc, &why, "canonical form", e);
	}
	trace_release(&seen);
	data_release(io);
	*io = next;
	return rc;
}

static enum err_code
enveloped(struct run *r, struct data *io, struct err *e)
{
	const xmlNode *own = r->s->node;
	size_t first;

	if (io->enveloped)
		return run_fault(r, REF_TRANSFORM_FAILED, "enveloped-signature twice in one reference");
	/* A canonical form on the way was parsed again: the signature is the node that it became there. */
	if (need_nodes(r, io, e) != ERR_OK || (r->fault == REF_FINE && origin_find(r, io, own, &own, e) != ERR_OK))
		return err_wrap(e, "enveloped-signature");
	if (r->fault != REF_FINE)
		return ERR_OK;
	if (own == NULL)
		return run_fault(r, REF_TRANSFORM_FAILED, "enveloped-signature on data that does not hold this signature (XMLDSig 6.6.4)");
	io->enveloped = true;
	if (io->nodes.hidden != NULL && io->nodes.hidden != own && data_marks(r, io, e) != ERR_OK)
		return err_wrap(e, "enveloped-signature");
	if (r->fault != REF_FINE)
		return ERR_OK;
	if (io->nodes.marks != NULL) {
		first = number_of(own);
		if (marks_drop_range(io->nodes.marks, first, io->numbers->last[first], e) != ERR_OK)
			return err_wrap(e, "enveloped-signature");
	}
	io->nodes.hidden = own;
	return ERR_OK;
}

/* String value of the set: its text nodes in document order. */
static void
node_text(const struct data *io, struct buf *out, struct trace *seen)
{
	const struct nodes *set = &io->nodes;
	const xmlNode *n = nodes_none(set) ? NULL : set->apex;

	while (n != NULL) {
		bool skip = nodes_hide(set, n);
		bool text = n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;

		if (text && n->content != NULL && (set->marks == NULL || marks_has(set->marks, number_of(n)))) {
			buf_adds(out, (const char *)n->content);
			trace_put(seen, number_of(n), number_of(n));
		}
		if (!skip && n->children != NULL && n->type != XML_ENTITY_REF_NODE) {
			n = n->children;
			continue;
		}
		while (n != set->apex && n->next == NULL)
			n = n->parent;
		if (n == set->apex)
			return;
		n = n->next;
	}
}

static enum err_code
from_base64(struct run *r, struct data *io, struct err *e)
{
	struct trace seen = {.max = state_of(r->d)->ranges_left};
	AUTO(buf) struct buf text = {0};
	struct data next = {.outside = io->outside, .read = io->read};
	struct err why = {0};
	enum err_code rc = load_file(r, io, parse_cap(r), &why);

	if (rc == ERR_OK && io->kind == DATA_NODES)
		rc = numbering_make(io->nodes.doc, io->numbers, &why);
	if (rc == ERR_OK && io->kind == DATA_NODES) {
		node_text(io, &text, &seen);
		rc = buf_ok(&text, &why);
		if (rc == ERR_OK)
			rc = trace_ok(&seen, &why);
		if (rc == ERR_OK)
			rc = origin_of(r, io, &seen, OF_TEXT, &next, &why);
	}
	if (rc == ERR_OK)
		rc = pay(r, io->kind == DATA_NODES ? text.n : io->octets.n, &why);
	if (rc == ERR_OK)
		rc = base64_to(io->kind == DATA_NODES ? buf_slice(&text) : buf_slice(&io->octets), &next.octets, &why);
	if (io->kind != DATA_NODES) {
		next.file = io->file; /* all that it says went in */
		next.read = io->read == READ_NOT ? READ_BASE64 : io->read;
		if (io->origin.made == OF_TEXT)
			origin_move(&io->origin, &next.origin);
	}
	trace_release(&seen);
	data_release(io);
	*io = next;
	return rc == ERR_OK ? ERR_OK : as_fault(r, rc, &why, "base64 transform", e);
}

/* Somebody's transform that others do and we don't; what is none of these nobody can do. */
static bool
is_defined(const char *uri)
{
	static const char *const uris[] = {"http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/TR/2001/WD-xptr-20010108",
	    "http://schemas.openxmlformats.org/package/2006/RelationshipTransform"};

	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
		if (strcmp(uri, uris[i]) == 0)
			return true;
	return false;
}

static enum err_code
one_transform(struct run *r, const xmlNode *t, const char *uri, struct data *io, struct err *e)
{
	if (strcmp(uri, ENVELOPED_URI) == 0)
		return enveloped(r, io, e);
	if (strcmp(uri, BASE64_URI) == 0)
		return from_base64(r, io, e);
	if (strcmp(uri, XPATH_URI) == 0 || strcmp(uri, FILTER2_URI) == 0) {
		if (need_nodes(r, io, e) != ERR_OK)
			return err_wrap(e, "transform");
		if (r->fault != REF_FINE)
			return ERR_OK;
		return strcmp(uri, XPATH_URI) == 0 ? xpath_filter(r, t, io, e) : xpath_filter2(r, t, io, e);
	}
	return run_fault(r, is_defined(uri) ? REF_UNSUPPORTED_TRANSFORM : REF_TRANSFORM_FAILED, "transform %.150s is not supported", uri);
}

static enum err_code
write_out(struct run *r, struct data *io, const struct c14n *final, const struct sink *to, struct err *e)
{
	r->nodes = io->kind == DATA_NODES;
	if (io->kind == DATA_NODES)
		return canonical_end(r, final, io, to, e);
	if (r->gather != NULL && origin_octets(r, io, e) != ERR_OK)
		return err_wrap(e, "reference");
	if (io->kind == DATA_FILE)
		return source_copy(&io->file->source, 0, io->file->source.size_bytes, to, e);
	return sink_write(to, buf_slice(&io->octets), e);
}

enum err_code
transforms_write(struct run *r, const xmlNode *transforms, struct data *io, const struct c14n *final, const struct sink *to,
    struct err *e)
{
	const xmlNode *t;
	enum err_code rc = ERR_OK;
	struct c14n how;

	if (xml_count(transforms, NS_DS, "Transform") > state_of(r->d)->limits.transforms)
		return run_fault(r, REF_LIMIT, "more than %zu transforms", state_of(r->d)->limits.transforms);
	for (t = xml_first(transforms, NS_DS, "Transform"); t != NULL; t = xml_next(t, NS_DS, "Transform")) {
		const char *uri = xml_attr(t, "Algorithm");

		if (uri == NULL || *uri == '\0')
			return run_fault(r, REF_TRANSFORM_FAILED, "transform without Algorithm");
		if (!c14n_of(t, &how)) {
			rc = one_transform(r, t, uri, io, e);
		} else {
			rc = need_nodes(r, io, e);
			if (rc == ERR_OK && r->fault == REF_FINE && xml_next(t, NS_DS, "Transform") == NULL)
				return canonical_end(r, &how, io, to, e);
			if (rc == ERR_OK && r->fault == REF_FINE)
				rc = nodes_to_octets(r, &how, io, e);
		}
		if (rc != ERR_OK || r->fault != REF_FINE)
			return rc;
	}
	return write_out(r, io, final, to, e);
}
