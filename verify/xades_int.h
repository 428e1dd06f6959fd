/* SPDX-License-Identifier: MIT */
/*
 * What the files behind xades.h share. Private to this folder.
 *
 * Everything that a sigdoc hands out as char * or slice lives in its arena and
 * goes with it; nothing of it is freed alone.
 */
#ifndef EVERSEAL_VERIFY_XADES_INT_H
#define EVERSEAL_VERIFY_XADES_INT_H

#include "base/bytes.h"
#include "verify/c14n.h"
#include "verify/cover.h"
#include "verify/xades.h"

#include "base/xml.h"

#define FILTER2_URI "http://www.w3.org/2002/06/xmldsig-filter2"

/* ---- arena ---- */

struct arena {
	struct arena_block {
		struct arena_block *next;
	} *blocks;
	uint8_t *at;
	size_t left;
};
void *arena_new(struct arena *a, size_t n); /* zeroed; NULL on no memory */
char *arena_dup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct slice arena_slice(struct arena *a, struct slice s); /* p NULL with n > 0 never happens: empty on no memory */
void arena_release(struct arena *a);

/* ---- IDs: attributes named Id, ID, id in any namespace (xades.md 1.4) ---- */

struct idmap {
	uint64_t seed; /* not known outside: a file can't be made of names that all hash alike */
	struct id_entry {
		const char *value; /* borrowed from the tree */
		xmlNode *node;
		bool twice; /* at another element too */
	} *v;
	size_t n, cap;
};
MUST_USE enum err_code idmap_add(struct idmap *m, const char *value, xmlNode *node, struct err *e);
/* NULL: no such ID. *ambiguous: it stands at two elements; the node is the first of them then. */
xmlNode *idmap_find(const struct idmap *m, const char *value, bool *ambiguous);
void idmap_release(struct idmap *m);

/* ---- the state of a sigdoc ---- */

struct file_digests {
	bool done;
	struct digest v[DIGEST_ALGS];
};

/* What digesting a reference gave: made once, by cover_reference alone, and a pure function of the file and the files beside it. */
struct ref_proof {
	enum tri found, intact;
	enum ref_fault fault;
	bool name_differs, by_digest_only, nothing;
	const struct side_file *file;
	const char *note;
	struct cover cover;
};

/* The same of an imprint: one for each property, algorithm and recipe, however many tokens promise it. */
struct imprint_proof {
	const xmlNode *stamp;
	enum digest_alg alg;
	bool second;
	enum err_code code;
	char *why; /* code is not ERR_OK */
	struct digest digest;
	struct cover cover;
};

struct docstate {
	struct arena arena;
	struct idmap ids;
	struct numbering numbers; /* of dom, from the beginning */
	struct xades_limits limits;
	uint64_t xpath_left, canonical_left;
	uint64_t path_steps; /* siblings counted for the paths in reports */
	struct file_digests *files; /* [n_files] */
	unsigned digest_set;	    /* bit for each algorithm that any reference names */
	EVP_MD_CTX *md;		    /* reused for every digest */
	size_t ranges_left;	    /* of all covers */
	struct ref_proof **proofs; /* by serial number of the reference */
	size_t n_proofs, cap_proofs;
	struct imprint_proof *imprints;
	size_t n_imprints, cap_imprints;
	struct sig_covers {
		bool refs_known, all_known;
		enum tri has_data; /* in the signature itself; UNKNOWN: nobody asked */
		struct cover refs, all; /* of its intact references; with the entries that they sign */
	} *unions; /* [n_sigs] */
};
static inline struct docstate *
state_of(const struct sigdoc *d)
{
	return d->state;
}

/* ---- what passes between dereferencing, transforms and digest ---- */

/*
 * Where octets on the way come from. Canonical form of nodes of the signature file, or the text of some decoded: which ones, by
 * number. A file, whole: file of struct data. Or it can't be said any more.
 */
enum made_of { OF_UNKNOWN = 0, OF_NODES, OF_TEXT };
struct origin {
	enum made_of made;
	struct trace from;
	const xmlNode *top; /* OF_NODES: all of from stand in its subtree */
	/* OF_NODES, parsed again: the number there of node first + i; 0 = none. Made on first need. */
	uint32_t *to;
	size_t first, n_to;
	bool tried;
};

enum data_kind { DATA_OCTETS = 0, DATA_FILE, DATA_NODES };
struct data {
	enum data_kind kind;
	struct buf octets;
	const struct side_file *file; /* the data are all of it, or all that it says: read */
	enum reading read;	      /* of what is not the signature file's own */
	bool outside;		      /* they come from a file, be they a part of it */
	struct nodes nodes;
	bool enveloped; /* enveloped-signature was applied: once is allowed */
	xmlDoc *own_doc;	   /* parsed on the way */
	struct numbering own_numbers;
	struct numbering *numbers; /* of nodes.doc */
	struct origin origin;	   /* of octets, and of own_doc */
};
void data_release(struct data *d);
void data_auto(struct data *d);

#define COVER_RANGES ((size_t)3 << 20) /* 24 MiB; a thousand signatures that each leave a thousand out */

/* What goes into one digest, for a cover. */
struct gather {
	struct trace nodes;
	const struct side_file **files;
	size_t n_files, cap_files;
	bool outside, rest, content;
	enum reading read;
};
/* What the intact references in SignedInfo of s cover, entries of manifests apart. */
MUST_USE enum err_code refs_cover(struct sigdoc *d, struct xsig *s, struct cover *out, struct err *e);
void gather_begin(const struct sigdoc *d, struct gather *g);
MUST_USE enum err_code gather_file(struct gather *g, const struct side_file *f, struct err *e);
void gather_release(struct gather *g);
/* The cover in the arena of d. g is used up. */
MUST_USE enum err_code gather_seal(struct sigdoc *d, struct gather *g, uint64_t octets, struct cover *out, struct err *e);

/* A fault is a verdict on the reference, told beside the error code; note is for people. */
struct run {
	struct sigdoc *d;
	struct xsig *s;
	enum ref_fault fault;
	bool filtered; /* an XPath chose what stays */
	bool nodes;    /* the transforms left nodes, which were canonicalised by final */
	struct gather *gather; /* NULL: nobody asks what goes in */
	uint64_t octets;       /* that were digested */
	char note[240];
};
/* Sets fault and note. Returns ERR_OK: a verdict is no error. */
enum err_code run_fault(struct run *r, enum ref_fault fault, const char *fmt, ...) PRINTF(3, 4);

/* A same-document URI ("", #...) to nodes; run->fault says why not. Other URIs are not handled here. */
MUST_USE enum err_code deref_local(struct run *r, const char *uri, struct data *out, struct err *e);
static inline bool
uri_is_local(const char *uri)
{
	return uri != NULL && (*uri == '\0' || *uri == '#');
}
/* Digest of a side file's octets; alg NONE in *out when only other digests of it are known. Read once, whatever the algorithms. */
MUST_USE enum err_code side_digest(struct sigdoc *d, size_t i, enum digest_alg alg, struct digest *out, struct err *e);
/* The file that the URI names, percent-decoded if need be; NULL if none. */
const struct side_file *side_by_name(const struct sigdoc *d, const char *uri);
bool uri_forbidden(const char *uri);
/*
 * Apply ds:Transforms (may be NULL) and write the octets. A result that is nodes is canonicalised by final (xades.md 1.3, 4).
 * io is used up. r->fault is set instead of an error when a transform is refused or fails.
 */
MUST_USE enum err_code transforms_write(struct run *r, const xmlNode *transforms, struct data *io, const struct c14n *final,
    const struct sink *to, struct err *e);
/* P(ref) of xades.md 4: dereference, transform, write; final for nodes. x->target and x->file as sig_check_references left them. */
MUST_USE enum err_code ref_write(
    struct run *r, const struct xref *x, const struct c14n *final, const struct sink *to, struct err *e);
/* XPath 1.0 filter and XPath Filter 2.0. */
MUST_USE enum err_code xpath_filter(struct run *r, const xmlNode *transform, struct data *io, struct err *e);
MUST_USE enum err_code xpath_filter2(struct run *r, const xmlNode *transform, struct data *io, struct err *e);
/* io's nodes as marks, owned by io from then on; costs a step for each node of the document. */
MUST_USE enum err_code data_marks(struct run *r, struct data *io, struct err *e);
/* ---- origin.c: from what is hashed back to the nodes of the signature file ---- */

/* The nodes seen of io are hashed: into r->gather. */
MUST_USE enum err_code origin_nodes(struct run *r, struct data *io, const struct trace *seen, struct err *e);
/* io's octets, or its whole file, are. */
MUST_USE enum err_code origin_octets(struct run *r, const struct data *io, struct err *e);
/* io's nodes seen become the octets of next, whose origin and file are filled in. made: OF_NODES or OF_TEXT. */
MUST_USE enum err_code origin_of(struct run *r, struct data *io, const struct trace *seen, enum made_of made, struct data *next,
    struct err *e);
/* What node of the signature file became in io's document; NULL: nothing, or it can't be said. */
MUST_USE enum err_code origin_find(struct run *r, struct data *io, const xmlNode *node, const xmlNode **out, struct err *e);
void origin_move(struct origin *from, struct origin *to);
void origin_release(struct origin *o);

/* c14n_write under the cap on all that is written for this file. */
MUST_USE enum err_code canonical_write(struct sigdoc *d, const struct c14n *how, const struct nodes *what,
    struct numbering *numbers, const struct sink *to, struct err *e);

/* ---- reading ---- */

/* Where the qualifying properties of s stand, and their version. */
void container_read(struct xsig *s);
/* NULL, or which claim of its Type is not true; static text. After xades_read. */
const char *ref_false_claim(const struct sigdoc *d, const struct xsig *s, const struct xref *x);
/* ds:SignedInfo's references into s->refs; their kind depends on the version. */
MUST_USE enum err_code refs_read(struct sigdoc *d, struct xsig *s, struct err *e);
MUST_USE enum err_code method_read(struct sigdoc *d, struct xsig *s, struct err *e);
/* Digest method and value children into *out; alg NONE when unknown, *uri the written name (NULL = absent). */
MUST_USE enum err_code digest_read(
    struct sigdoc *d, const xmlNode *parent, struct digest *out, char **uri, struct err *e);
/* Qualifying properties: all else that xsig holds beyond XML-DSig. */
MUST_USE enum err_code xades_read(struct sigdoc *d, struct xsig *s, struct err *e);
MUST_USE enum err_code stamps_read(struct sigdoc *d, struct xsig *s, const xmlNode *signed_data, struct err *e);
/* Fill self_closed of every signature, once all are read. */
MUST_USE enum err_code self_closed_read(struct sigdoc *d, struct err *e);
/* Trimmed text of a node in the arena; NULL node gives NULL. ERR_LIMIT above 64 KiB. */
MUST_USE enum err_code text_read(struct sigdoc *d, const xmlNode *node, char **out, struct err *e);
/* Base64 content in the arena; empty when it can't be decoded. */
MUST_USE enum err_code base64_read(struct sigdoc *d, const xmlNode *node, struct slice *out, struct err *e);
/* The first fault wins; text is static. */
void format_fault(struct xsig *s, const char *text);
const char *xades_ns(enum xades_version v);
/* An element with that name in a XAdES namespace of any version; node may be NULL. */
bool is_xades(const xmlNode *node, const char *local);
/* Is a inside b's subtree, b itself included? */
bool is_within(const xmlNode *a, const xmlNode *b);

/* C14N(node), in its place, into to; noted in g unless that is NULL. */
MUST_USE enum err_code node_write(struct sigdoc *d, const xmlNode *node, const struct c14n *how, struct gather *g,
    const struct sink *to, struct err *e);

#endif
