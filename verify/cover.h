/* SPDX-License-Identifier: MIT */
/*
 * Coverage is what was hashed. Digesting a reference, an entry of a Manifest
 * or the imprint of a time-stamp yields a cover: the nodes of the signature
 * file and the whole data files whose octets went into that digest. "Signed",
 * "proven to exist" and the words of a report follow from covers alone; Types,
 * Ids and lists in the file never add to one.
 *
 *	cover_reference, cover_imprint -> is it intact, and over what?
 *	cover_join -> several covers as one; cover_holds ... -> questions
 *
 * A cover is written down by what writes the canonical form, node by node. It
 * is never larger than what was hashed; where the way from nodes to octets can't
 * be followed back (data parsed from base64, a canonical form that doesn't parse
 * back node by node), it is smaller, and rest is set.
 *
 * In a cover: an element (its tags, and the namespaces in its scope as the
 * method renders them), each attribute by itself, text, processing instructions.
 * Comments are never in one and never missed: most methods drop them, so they
 * are nobody's signed data. Attributes that a method inherits from outside of
 * the set (xml:lang ...) are not in either.
 *
 * Everything is borrowed from the sigdoc and lives as long as it does.
 */
#ifndef EVERSEAL_VERIFY_COVER_H
#define EVERSEAL_VERIFY_COVER_H

#include "verify/c14n.h"
#include "verify/xades.h"

/*
 * How octets that are not the signature file's own (of a data file, or those that base64 in a text stands for) came into a
 * digest. Whoever reads them leaves something out: white space in base64; comments, the XML declaration, the encoding, quotes
 * and white space in tags.
 */
enum reading { READ_NOT = 0 /* they went in as they are */, READ_BASE64, READ_XML };

/* All-zero covers nothing. */
struct cover {
	const struct sigdoc *doc;
	const struct cover_range *v; /* ascending, neither overlapping nor touching; an element's attributes are numbered right behind it */
	size_t n;
	const struct side_file *const *files; /* hashed whole: their octets as they are */
	size_t n_files;
	uint64_t octets; /* that were hashed */
	bool outside;	 /* something of the data files was hashed, be it a part of one */
	bool rest;	 /* octets were hashed for which no node and no file stands */
	enum reading read; /* the most of all that was hashed; of nodes: of what their text encodes */
	bool content;	 /* all that a data file says was hashed, not its octets: it was read first */
};

/* Does node (element, attribute, text, PI of doc->dom) lie whole inside: itself, its attributes, all below, comments apart? A comment: false. */
bool cover_holds(const struct cover *c, const xmlNode *node);
/* Is anything of it in: itself, an attribute, something below? */
bool cover_touches(const struct cover *c, const xmlNode *node);
/* Its own tags and name, whatever of its attributes and below it. */
bool cover_holds_tags(const struct cover *c, const xmlNode *element);
/* Is all text below node in? True of an element without text. What a base64 transform takes of an element is its text alone. */
bool cover_holds_text(const struct cover *c, const xmlNode *node);
bool cover_holds_file(const struct cover *c, const struct side_file *f);
/* The numbers of node, its attributes and all below it, comments at its end apart. For callers that keep many nodes in order. */
struct cover_range cover_span(const struct sigdoc *d, const xmlNode *node);
/* Nothing at all: no node, nothing of a file. rest may be set all the same. */
bool cover_is_empty(const struct cover *c);
/* Is anything in that lies outside of every node of but[]? What is in a data file does. */
bool cover_beyond(const struct cover *c, const xmlNode *const *but, size_t n_but);
/* All processing instructions beside the document element? A stylesheet there changes what a reader sees. True without any. */
bool cover_holds_beside(const struct cover *c);
/*
 * The whole document, what stands beside its element too, but for the subtrees but[] (a signature that is enveloped leaves
 * itself out, and others may stand beside it). n_but 0: all of it.
 */
bool cover_holds_document(const struct cover *c, const xmlNode *const *but, size_t n_but);

/* What is left out, in document order: node is not in, or something below it is not. */
struct cover_gap {
	const xmlNode *node;
	bool whole;   /* nothing below it is in */
	size_t nodes; /* how many of its nodes are out, comments not counted */
};
/*
 * The gaps below within (NULL: the document), the highest node of each first, subtrees but[] passed over: the first max into
 * out, the count of all in the return value.
 */
size_t cover_gaps(const struct cover *c, const xmlNode *within, const xmlNode *const *but, size_t n_but, struct cover_gap *out,
    size_t max);

/*
 * All that any of them holds, in the memory of d. n 0: nothing. ERR_LIMIT: more than the cap of d allows, ERR_NOMEM: the
 * caller knows of no cover then; what rests on it is "not checked".
 */
MUST_USE enum err_code cover_join(struct sigdoc *d, const struct cover *const *v, size_t n, struct cover *out, struct err *e);

/* What was found by digesting afresh. */
struct covered {
	/*
	 * TRUE: the digest was computed, its cover is known, and it equals the one that stands there. FALSE: computed, and it
	 * differs. UNKNOWN: anything else; note says why.
	 */
	enum tri intact;
	struct cover cover; /* of what was hashed, whether it is intact or not; empty when UNKNOWN */
	enum digest_alg alg; /* by which; whether it can be relied on is the caller's question */
	bool second;	    /* cover_imprint: only by the second recipe (docs/imprint.md) */
	const char *note;   /* NULL, or for people; lives as long as d */
};

/*
 * A reference of SignedInfo or an entry of a Manifest: dereferenced, transformed and digested as it stands in the file. x is
 * one of s->refs or of their entries. A pure function of d's octets and files; the work is done once and remembered.
 * ERR_OK with UNKNOWN is the rule where it can't be done; an error is trouble of our own (memory).
 */
MUST_USE enum err_code cover_reference(
    struct sigdoc *d, struct xsig *s, const struct xref *x, struct covered *out, struct err *e);
/* The imprint of stamp t of s, against the one that the token promises. Of t only what stands in the file counts. */
MUST_USE enum err_code cover_imprint(struct sigdoc *d, struct xsig *s, const struct xstamp *t, const struct digest *promised,
    struct covered *out, struct err *e);

/*
 * All that s signs: the union of its intact references, and of the intact entries of each Manifest that lies whole in that
 * union. An entry that leads to another Manifest signs it, not what it lists. Whether anybody signed SignedInfo is another
 * question.
 */
MUST_USE enum err_code cover_signature(struct sigdoc *d, struct xsig *s, struct cover *out, struct err *e);

/* The octets that x's digest is made of, the same that cover_reference hashed. ERR_NOTFOUND, ERR_FORMAT: they can't be had. */
MUST_USE enum err_code cover_octets(struct sigdoc *d, struct xsig *s, const struct xref *x, const struct sink *to, struct err *e);

/* Path of a node for people: "/a/b[2]", "/a/@b"; long ones are cut in front. The caller frees it; NULL: no memory. */
char *node_path(const struct sigdoc *d, const xmlNode *node);

#endif
