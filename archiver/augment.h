/* SPDX-License-Identifier: MIT */
/*
 * New unsigned properties: their text, their place in the file, and the proof
 * that nothing else changed.
 *
 *	augment_text (augment_xml.c) -> augment_splice -> sigdoc_open on the new file -> augment_recheck
 *
 * Text is ASCII and declares its own prefixes; nothing that stands in the file
 * is read again or written anew.
 */
#ifndef EVERSEAL_ARCHIVER_AUGMENT_H
#define EVERSEAL_ARCHIVER_AUGMENT_H

#include "verify/verify.h"

enum augment_kind {
	ADD_T = 1, /* SignatureTimeStamp */
	ADD_X,	   /* SigAndRefsTimeStampV2, or V1 where the refs are V1 */
	ADD_A,	   /* x141 ArchiveTimeStamp */
	ADD_REFS,  /* CompleteCertificateRefsV2, CompleteRevocationRefs */
	ADD_VALUES, /* CertificateValues, RevocationValues; AnyValidationData where values stand already */
	ADD_TSVD,  /* TimeStampValidationData */
	ADD_ANYVD  /* AnyValidationData */
};
/* "T", "X", "A", "refs", "values", "tsvd", "anyvd"; 0 for anything else. */
enum augment_kind augment_kind_of(const char *name);

/* Octets to refer to or to embed; borrowed. */
struct augment_object {
	enum material_kind kind; /* MAT_CERT, MAT_CRL, MAT_OCSP */
	struct slice der;
};
struct augment_add {
	enum augment_kind kind;
	struct slice token; /* T, X, A: DER of the ContentInfo */
	const struct augment_object *objects; /* the others */
	size_t n_objects;
};

/*
 * What the file holds already, counted as the additions go on: which refs, whether values.
 * augment_have reads it from the signature.
 */
struct augment_have {
	bool refs_v1, refs_v2, rev_refs, values;
	bool inherits; /* sig_inherits_attributes */
};
void augment_have(const struct xsig *s, struct augment_have *out);

/*
 * Append the text of one addition, and note it in have. alg: digest of references. ERR_UNSUPPORTED: refs stand already (they
 * must not be replaced), X without refs; ERR_FORMAT: an object that is not what it claims to be; ERR_USAGE: a stamp
 * without a token, references to no certificate. Values without an object add nothing.
 */
MUST_USE enum err_code augment_text(struct pki *pki, const struct augment_add *add, enum digest_alg alg,
    struct augment_have *have, struct buf *out, struct err *e);

/*
 * Method of a new stamp: exclusive, so that it outlives another envelope around the signature; C14N 1.0 for an archive stamp
 * over data that inherits attributes, where other readers compute another exclusive form.
 */
const char *augment_c14n(enum augment_kind kind, const struct augment_have *have);
/* What a new stamp of that kind would be, standing after n_children unsigned properties. Borrows static text only. */
struct xstamp augment_described(enum augment_kind kind, const struct augment_have *have, size_t n_children);
/* Element children of the UnsignedSignatureProperties; 0 where there is none. */
size_t augment_children(const struct xsig *s);

struct spliced {
	uint64_t offset; /* in the old file */
	struct buf text; /* inserted there, in the file's encoding */
	struct buf file; /* the whole new file */
};
/* text (ASCII, may be "") goes behind the last unsigned property of s, in containers where they are missing. As sig_insertion. */
MUST_USE enum err_code augment_splice(
    struct sigdoc *d, struct xsig *s, const char *text, struct spliced *out, struct err *e);
void spliced_release(struct spliced *s);
void spliced_auto(struct spliced *s);

/*
 * Old and new file, judged alike: every signature of before with its outcome (value, references, stamps), no signature more or
 * less; n_new stamps more at signature at, with right imprints; the old file an ordered subsequence of the new one.
 * ERR_REFUSED names the first difference.
 */
MUST_USE enum err_code augment_recheck(struct slice before, const struct report *was, const struct spliced *sp,
    const struct report *is, size_t at, size_t n_new, struct err *e);

#endif
