/* SPDX-License-Identifier: MIT */
/*
 * Making XAdES 1.3.2 documents. The whole text is written with empty digests,
 * parsed, and filled in place in the order in which the values depend on each
 * other: manifest entries, references, signature value, then what is unsigned.
 */
#ifndef EVERSEAL_TESTS_PKI_SIGN_H
#define EVERSEAL_TESTS_PKI_SIGN_H

#include "tests/pki/pki.h"

#include <libxml/tree.h>

#define NS_DS "http://www.w3.org/2000/09/xmldsig#"
#define NS_XADES "http://uri.etsi.org/01903/v1.3.2#"
#define NS_X141 "http://uri.etsi.org/01903/v1.4.1#"

/* Words of the command line; NULL where nothing was said. */
struct sign_wish {
	const char *shape, *level, *key, *name, *ca, *in, *out, *c14n, *digest,
	    *sig_digest, *transform, *encoding, *signing_cert, *mime, *tsa,
	    *name2, *key2;
	bool no_chain, tamper;
};

/*
 * Writes out (and for a detached signature the data beside it). A signer of
 * that name is used, or issued when there is none. Nothing is written on
 * failure.
 */
MUST_USE enum err_code sign_document(
    struct pki *p, const struct sign_wish *w, struct err *e);
void sign_help(void);

/* ---- sigtext.c: the text of one signature ---- */

struct c14n_row {
	const char *word, *uri;
	int mode; /* of libxml2 */
	bool comments;
};
const struct c14n_row *c14n_by_word(const char *word);
const struct c14n_row *c14n_by_uri(const char *uri);

enum transform {
	TRANSFORM_C14N,
	TRANSFORM_NONE,
	TRANSFORM_ENVELOPED,
	TRANSFORM_XPATH,
	TRANSFORM_FILTER2,
	TRANSFORM_BASE64
};

struct sig_ref {
	char *uri;        /* attribute value, not escaped */
	const char *type; /* NULL: none */
	enum transform transform;
	const char *mime; /* NULL: no DataObjectFormat */
};

#define SIG_REFS 4
struct sig {
	char id[32];
	const struct signer *by;
	const struct c14n_row *c14n;
	enum digest_alg digest;
	const EVP_MD *sig_digest; /* NULL for EdDSA */
	const char *sig_uri;
	int64_t time_utc;
	bool v1, no_chain, epes, stamped, archived;
	const struct pki *pki;
	struct sig_ref refs[SIG_REFS];
	size_t nrefs;
	char *objects; /* ds:Object elements in front of the properties; may be
			  NULL */
	char *values;  /* CertificateValues and RevocationValues; may be NULL */
	char *counter; /* text of a whole ds:Signature to embed as
			  CounterSignature; may be NULL */
};
void sig_auto(struct sig *s);
void transforms_text(
    struct buf *b, enum transform t, const struct c14n_row *c14n);
MUST_USE enum err_code sig_text(
    const struct sig *s, struct buf *out, struct err *e);
/* The identifier for key and digest; NULL if there is none. md NULL: EdDSA. */
const char *sig_method(const struct signer *by, const EVP_MD *md);

/* ---- shape.c ---- */

/* Everything that one call works on. */
struct job {
	struct pki *p;
	const struct sign_wish *w;
	struct signer by, by2;
	struct sig sig,
	    sig2; /* sig2: the second of a pair, or the counter-signature */
	bool two;
	struct buf data; /* what is signed, as given or made up */
	bool data_is_xml;
	const char *mime;
	struct buf text; /* the document with empty values, UTF-8 */
};

struct shape {
	const char *word;
	enum err_code (*build)(struct job *j,
	    struct err
		*e);       /* fills text from data and the started signatures */
	bool two, counter; /* a second signer; who counter-signs */
	const char *what;
};
const struct shape *shape_find(const char *word); /* NULL if there is none */
/* The name of the file beside a detached signature; NULL on no memory. The
 * caller frees. */
char *job_data_name(const struct job *j);

/* ---- values.c ---- */

/* Certificates and revocation data, as of now, of the signer, a counter-signer
 * (or NULL) and the TSA's present certificate. */
MUST_USE enum err_code values_text(struct pki *p, const struct signer *s,
    const struct signer *second, const struct line *tsa, int64_t now,
    struct buf *out, struct err *e);

/* ---- sigfill.c: values, computed in place ---- */

/* Digests and signature value. data: what a reference to another file means. */
MUST_USE enum err_code sig_fill(
    xmlDoc *doc, const struct sig *s, struct slice data, struct err *e);
/* Then the stamps, when all that they cover is filled, counter-signatures too.
 */
MUST_USE enum err_code sig_stamp(struct pki *p, xmlDoc *doc,
    const struct sig *s, struct slice data, const struct line *tsa,
    struct err *e);
bool xml_is(const xmlNode *n, const char *ns, const char *name);
/* The element with this Id; NULL if none. */
xmlNode *xml_by_id(xmlNode *from, const char *id);

#endif
