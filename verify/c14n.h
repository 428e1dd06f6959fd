/* SPDX-License-Identifier: MIT */
/*
 * Canonical form of a part of a tree, written in place into a sink. Private to
 * this folder.
 *
 * Two ways lead there. A subtree of which only whole subtrees are left out (all
 * that signatures in the wild ask for) goes through a writer of our own, one
 * pass, no node-set. Anything else, and xml:base under C14N 1.1, goes through
 * libxml2 with a visibility callback over marks.
 */
#ifndef EVERSEAL_VERIFY_C14N_H
#define EVERSEAL_VERIFY_C14N_H

#include "base/bytes.h"

#include <libxml/tree.h>

#define C14N_10_URI "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define C14N_EXC_URI "http://www.w3.org/2001/10/xml-exc-c14n#"

enum c14n_mode { C14N_10 = 0, C14N_11, C14N_EXC };

/* All-zero is Canonical XML 1.0 without comments, the default everywhere (xades.md 1.6). */
struct c14n {
	enum c14n_mode mode;
	bool comments;
	const char *prefixes; /* InclusiveNamespaces/@PrefixList of the exclusive method, NULL = none; borrowed */
};

/* False: not one of the six. prefixes is left NULL. */
bool c14n_by_uri(const char *uri, struct c14n *out);
/*
 * Method of an element with @Algorithm (CanonicalizationMethod, Transform), its PrefixList included (borrowed from the tree).
 * NULL node, absent or empty Algorithm: the default. False: unknown method.
 */
bool c14n_of(const xmlNode *node, struct c14n *out);

/* A PrefixList cut into words; "" is the default namespace. All-zero at first; text is freed by the caller, also on error. */
#define PREFIXES_MAX 64
struct prefixes {
	char *text;
	const char *v[PREFIXES_MAX];
	size_t n;
};
MUST_USE enum err_code prefixes_cut(const struct c14n *how, struct prefixes *out, struct err *e);

/* Numbers of nodes in document order (numbering, below): first to last, both in. */
struct cover_range {
	uint32_t first, last;
};

/*
 * Which nodes were written, noted while they are: runs of their numbers, ascending within one canonical form. A comment is
 * passed over: it neither ends a run nor begins one (cover.h). Trouble is sticky: code says so at the end.
 */
struct trace {
	struct cover_range *v; /* freed by trace_release */
	size_t n, cap;
	size_t max; /* runs; more is ERR_LIMIT */
	enum err_code code;
};
void trace_run(struct trace *t, size_t first, size_t last); /* a new run */
static inline void
trace_put(struct trace *t, size_t first, size_t last)
{
	if (t->n != 0 && t->v[t->n - 1].last + 1 == first)
		t->v[t->n - 1].last = (uint32_t)last;
	else
		trace_run(t, first, last);
}
static inline void
trace_pass(struct trace *t, size_t number)
{
	if (t->n != 0 && t->v[t->n - 1].last + 1 == number)
		t->v[t->n - 1].last = (uint32_t)number;
}
MUST_USE enum err_code trace_ok(const struct trace *t, struct err *e);
void trace_release(struct trace *t);

/* Order numbers of a tree, kept in _private of its nodes: document 0, then elements, their attributes, their children. */
struct numbering {
	xmlDoc *doc;
	size_t count;
	uint32_t *last; /* [count]: last number of the subtree */
	uint8_t *comments; /* a bit for each: is it a comment? NULL = there are none */
};
MUST_USE enum err_code numbering_make(xmlDoc *doc, struct numbering *out, struct err *e);
void numbering_release(struct numbering *n);
static inline bool
number_is_comment(const struct numbering *n, size_t number)
{
	return n->comments != NULL && ((n->comments[number >> 3] >> (number & 7)) & 1) != 0;
}
/* The next node in document order, attributes apart, within root's subtree; NULL behind the last. */
const xmlNode *node_after(const xmlNode *root, const xmlNode *n);
static inline size_t
number_of(const xmlNode *node)
{
	return (size_t)(uintptr_t)node->_private;
}

/*
 * An arbitrary node-set: a bit for each number. Namespace nodes follow their element unless ns_explicit;
 * then those hidden are listed by element and declaration.
 */
struct marks {
	const struct numbering *numbering;
	uint8_t *bits;
	uint8_t *bare; /* elements that lost a namespace node in their scope; NULL = none */
	bool ns_explicit;
	struct ns_pair {
		const xmlNode *element;
		const xmlNs *ns;
	} *ns; /* open addressing, power of two; the pairs that are IN the set */
	size_t n_ns, cap_ns;
};
MUST_USE enum err_code marks_new(const struct numbering *n, struct marks **out, struct err *e);
void marks_free(struct marks *m);
static inline bool
marks_has(const struct marks *m, size_t number)
{
	return (m->bits[number >> 3] >> (number & 7)) & 1;
}
static inline void
marks_put(struct marks *m, size_t number, bool in)
{
	if (in)
		m->bits[number >> 3] |= (uint8_t)(1u << (number & 7));
	else
		m->bits[number >> 3] &= (uint8_t) ~(1u << (number & 7));
}
void marks_put_range(struct marks *m, size_t first, size_t last, bool in);
MUST_USE enum err_code marks_put_ns(struct marks *m, const xmlNode *element, const xmlNs *ns, struct err *e);
bool marks_has_ns(const struct marks *m, const xmlNode *element, const xmlNs *ns);
/* A namespace node in scope of element is not in the set: its names may mean something else, so no trace has it. */
MUST_USE enum err_code marks_put_bare(struct marks *m, const xmlNode *element, struct err *e);
/* The nodes of the set, bare elements and their attributes apart. */
void marks_trace(const struct marks *m, const xmlDoc *doc, struct trace *to);

/* Take out [first, last] with the namespace nodes of its elements. */
MUST_USE enum err_code marks_drop_range(struct marks *m, size_t first, size_t last, struct err *e);
/* Take out what is not in keep; a namespace node stays with its element. */
MUST_USE enum err_code marks_intersect(struct marks *m, const struct marks *keep, struct err *e);

/* What is canonicalised. All pointers borrowed. */
struct nodes {
	xmlDoc *doc;
	const xmlNode *apex;   /* an element, or the document itself */
	bool comments;	       /* comments belong to the set */
	const xmlNode *hidden; /* this subtree is left out (enveloped-signature); NULL = none */
	bool hide_signatures;  /* every ds:Signature subtree is left out */
	struct marks *marks;   /* not NULL: exactly these; the four above are folded in */
	struct trace *trace;   /* not NULL: what is written is noted there */
};

/*
 * Write. ERR_FORMAT: a relative namespace name or an entity node, for which no canonical form exists (xades.md 1.1).
 * numbers: used when the slow way or a trace is needed, and made on demand; all-zero at first, belongs to the caller.
 */
MUST_USE enum err_code c14n_write(const struct c14n *how, const struct nodes *what, struct numbering *numbers,
    const struct sink *to, struct err *e);
/* The slow way always. */
MUST_USE enum err_code c14n_write_slow(const struct c14n *how, const struct nodes *what, struct numbering *numbers,
    const struct sink *to, struct err *e);
/* what's subtree with the hidden parts left out, as marks. */
/* Is n left out with all below? Is the whole set, since its apex stands inside of what is? Every writer asks this. */
bool nodes_hide(const struct nodes *what, const xmlNode *n);
bool nodes_none(const struct nodes *what);
MUST_USE enum err_code nodes_marks(const struct nodes *what, struct numbering *numbers, struct marks **out, struct err *e);
/* An element with that name in the XML-DSig namespace. */
bool is_ds(const xmlNode *node, const char *local);

#endif
