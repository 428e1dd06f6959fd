/* SPDX-License-Identifier: MIT */
/*
 * A signature file opened: its XML, its signatures, their references and
 * XAdES properties, and the octets that each reference, signature value and
 * time-stamp covers. Facts only; judge.c decides what follows.
 *
 *	sigdoc_open -> for each signature: sig_check_references, sig_check_value,
 *	stamp_imprint; levels by sig_level. sigdoc_close frees all.
 */
#ifndef EVERSEAL_VERIFY_XADES_H
#define EVERSEAL_VERIFY_XADES_H

#include "base/bytes.h"
#include "base/digest.h"
#include "base/xml.h"
#include "verify/pki.h"

#include <libxml/tree.h>

#define NS_DS "http://www.w3.org/2000/09/xmldsig#"
#define NS_X111 "http://uri.etsi.org/01903/v1.1.1#"
#define NS_X122 "http://uri.etsi.org/01903/v1.2.2#"
#define NS_X132 "http://uri.etsi.org/01903/v1.3.2#"
#define NS_X141 "http://uri.etsi.org/01903/v1.4.1#"
#define NS_XEN "http://uri.etsi.org/19132/v1.1.1#"

/* A file given beside the document. Content or digests, at least one. Borrowed for the life of the sigdoc. */
struct side_file {
	const char *name; /* as a reference would name it; NULL = nameless */
	bool has_source;
	struct source source;
	const struct digest *digests; /* digest-only data */
	size_t n_digests;
};

enum ref_kind {
	REF_DATA = 0,
	REF_SIGNED_PROPERTIES,
	REF_KEY_INFO,
	REF_SIGNATURE_PROPERTIES,
	REF_MANIFEST,
	REF_OBJECT,
	REF_COUNTERSIGNED
};

/* Why a reference could not be processed; the text for people is in note. */
enum ref_fault {
	REF_FINE = 0,
	REF_NOT_FOUND,
	REF_AMBIGUOUS,		   /* the ID stands at two elements */
	REF_UNSUPPORTED_TRANSFORM, /* XSLT, XPointer ... */
	REF_UNSUPPORTED_DIGEST,
	REF_FORBIDDEN, /* http:, file:, .., absolute */
	REF_LIMIT,
	REF_TRANSFORM_FAILED
};

struct xref {
	xmlNode *node;
	char *id, *uri, *type; /* NULL = absent */
	enum ref_kind kind;
	struct digest digest; /* as written; alg NONE = unknown URI */
	char *digest_uri;
	enum tri found, intact;
	enum ref_fault fault;
	bool name_differs;  /* found by digest or as the only file, not by name */
	bool by_digest_only; /* only a digest of the data was given */
	bool nothing;	    /* intact, but its transforms leave no octet of what it leads to */
	const char *claim;  /* NULL, or which claim of its Type is not true; static. Type is advisory (XMLDSig 1.1 4.4.3.1) */
	xmlNode *target;    /* the node it resolved to, NULL for octets or the document */
	const struct side_file *file; /* the side file, NULL for same-document */
	char *note;
	/*
	 * The first REF_MANIFEST to a manifest: its own references, and whether they are signed: whether the Manifest lies
	 * whole in what the intact references of the signature cover.
	 */
	struct xref *entries;
	size_t n_entries;
	bool entries_signed;
	size_t serial;	    /* in the file: xmldsig.c's own */
	bool only_external; /* of its list the only one that leads out of the file */
};

enum stamp_type { STAMP_ALL_DATA = 0, STAMP_INDIVIDUAL_DATA, STAMP_SIGNATURE, STAMP_SIG_AND_REFS, STAMP_REFS_ONLY, STAMP_ARCHIVE };
const char *stamp_type_name(enum stamp_type t); /* ALL_DATA, INDIVIDUAL_DATA, SIGNATURE, VALIDATION_DATA, REFSONLY, ARCHIVE */

struct xstamp {
	enum stamp_type type;
	xmlNode *node;
	char *id;
	char *c14n; /* URI; NULL = absent */
	bool v2;    /* x141 form of SigAndRefs/RefsOnly */
	bool old_archive; /* x132:ArchiveTimeStamp */
	size_t position;  /* index among the children of UnsignedSignatureProperties; SIZE_MAX for content stamps */
	size_t n_tokens;    /* in the property: each is an xstamp of its own, with the same node and position */
	const xmlNode *token_node; /* its EncapsulatedTimeStamp; NULL = none */
	struct slice token; /* DER of it, base64 undone; empty = none or unreadable */
	char *note;
};

/* One CertID of SigningCertificate(V2). */
struct cert_id {
	struct digest digest;
	char *digest_uri;
	char *issuer_text;	    /* V1 */
	char *serial_text;	    /* V1, decimal */
	struct slice issuer_serial; /* V2, DER, may be empty */
	bool has_uri;
};

enum embedded_kind { EMB_CERT = 1, EMB_CRL, EMB_OCSP };
enum embedded_place { IN_KEY_INFO = 1, IN_CERTIFICATE_VALUES, IN_REVOCATION_VALUES, IN_VALIDATION_DATA, IN_ATTRIBUTE_VALUES };
/* A certificate or revocation object in the signature. position as in xstamp (the property that holds it). */
struct embedded {
	enum embedded_kind kind;
	enum embedded_place place;
	size_t position;
	const xmlNode *node; /* the element that holds its base64 */
	struct slice der;
};

/* CompleteCertificateRefs / CompleteRevocationRefs entry: digest of the object that is meant. */
struct xref_object {
	enum embedded_kind kind;
	size_t position;
	const xmlNode *node; /* the element with DigestMethod and DigestValue */
	struct digest digest;
};

enum xades_version { XADES_NONE = 0, XADES_111, XADES_122, XADES_132 };

struct xsig {
	size_t index;	 /* document order, counter-signatures after their master */
	long parent;	 /* index of the master, -1 */
	bool nested;	 /* inside a signed payload: reported, not counted */
	xmlNode *node, *signed_info, *signature_value, *key_info, *qualifying, *signed_props, *unsigned_props /* UnsignedSignatureProperties */;
	char *id;
	enum xades_version version;
	char *c14n_uri, *method_uri;
	struct alg_use method; /* key_bits 0: the key decides. digest NONE and key UNKNOWN = unknown URI */
	int pss_salt;	       /* octets; -1 not PSS */
	bool is_hmac;
	struct slice value; /* decoded SignatureValue */
	const char *value_note; /* why sig_check_value did not say TRUE, or what is odd about the value though it is; NULL: nothing to say */
	struct xref *refs;
	size_t n_refs;
	const struct xref *props_ref; /* the one to SignedProperties that counts; NULL = none */
	char *signing_time_text;
	int64_t signing_time; /* TIME_NONE */
	bool has_signing_cert_v1, has_signing_cert_v2;
	struct cert_id *cert_ids;
	size_t n_cert_ids;
	bool has_policy, policy_implied;
	char *policy_id;
	struct digest policy_hash;
	char *policy_transforms;      /* URI of the first transform, NULL = none */
	bool policy_doc_spec;	      /* SPDocSpecification: hash of the octets as they are */
	struct slice policy_document; /* SignaturePolicyStore, may be empty */
	struct embedded *embedded;
	size_t n_embedded;
	struct xref_object *ref_objects;
	size_t n_ref_objects;
	const struct xref *master_ref; /* counter-signature: the reference to the whole SignatureValue of its master; NULL = none */
	struct xstamp *stamps; /* document order, content stamps first */
	size_t n_stamps;
	/* What level detection counts (xades.md 6). */
	struct {
		unsigned signing_time, signing_cert, production_place, signer_role, policy, policy_store, data_object_format,
		    cert_refs, rev_refs, attr_refs, cert_values, rev_values, attr_values, validation_data, counter_signatures,
		    evidence_records, archive_old, key_infos;
	} count;
	bool data_object_formats_complete; /* every signed data reference has its one DataObjectFormat with one MimeType */
	bool data_object_formats_valid;	   /* each names a ds:Reference of this signature and says something of it */
	bool ref_transforms_simple;	   /* each reference at most one Transforms */
	bool cert_uri_present;
	bool key_info_signed;
	bool self_closed;   /* <UnsignedProperties/> or <UnsignedSignatureProperties/> that can't be opened */
	bool has_include;   /* a stamp with Include elements */
	bool sealed;	    /* SealingEvidenceRecords */
	bool qualifying_reference; /* QualifyingPropertiesReference: not supported */
	bool target_differs;	   /* QualifyingProperties/@Target is not '#' and this signature's Id */
	bool props_ref_stray; /* format_fault says only that the SignedProperties reference leads elsewhere or stands twice */
	const char *format_fault;  /* NULL, or why this is FORMAT_FAILURE; static text with the clause */
};

struct sigdoc {
	struct slice raw; /* borrowed */
	xmlDoc *dom;
	struct xsig *sigs;
	size_t n_sigs;
	const struct side_file *files;
	size_t n_files;
	bool dossier; /* es:Dossier */
	void *state;  /* ID map, caches; sigdoc.c's own */
};

struct xades_limits {
	struct xml_limits xml;
	size_t references;     /* all signatures together, default 10000 */
	size_t transforms;     /* a reference, default 5 */
	size_t signatures;     /* default 1000 */
	size_t stamps;	       /* default 1000 */
	uint64_t xpath_steps;  /* the whole file, default 50 million node visits; 16 octets of a string value count as one */
	uint64_t canonical_bytes; /* octets that references write and transforms read, the whole file: 0 = 64 times its size, at least 1 GiB, and 4 times the data beside it */
	unsigned hmac_min_bits; /* 0 = max(80, half of the digest); vectors of others ask for less */
	bool loose_pairs;	/* accept r and s of other widths than the order's, and in DER; never in archiving */
};
extern const struct xades_limits xades_limits_default;

/*
 * Parse raw (borrowed until close) and read every signature. ERR_REFUSED (DTD), ERR_LIMIT, ERR_FORMAT (not XML).
 * No ds:Signature: ERR_OK with n_sigs 0. Faults of one signature are in its format_fault.
 */
MUST_USE enum err_code sigdoc_open(struct slice raw, const struct side_file *files, size_t n_files,
    const struct xades_limits *limits, struct sigdoc **out, struct err *e);
void sigdoc_close(struct sigdoc *d);
void sigdoc_auto(struct sigdoc **d);

/* Fill found, intact, fault of every reference (and manifest entry). Each data source is read once per digest run. */
MUST_USE enum err_code sig_check_references(struct sigdoc *d, struct xsig *s, struct err *e);
/*
 * Does s sign anything besides itself? What its references and the entries of its signed Manifests cover lies outside of the
 * signature, or in one of its Objects beside properties and Manifests. UNKNOWN: not as far as it could be checked.
 */
MUST_USE enum err_code sig_signs_data(struct sigdoc *d, struct xsig *s, enum tri *out, struct err *e);
/*
 * xmldsig core: does key verify SignatureValue over the canonical SignedInfo? TRI_UNKNOWN + note when the algorithm is not
 * supported or does not fit the key's kind (then TRI_FALSE). The key is the caller's; KeyInfo is not looked at.
 */
MUST_USE enum err_code sig_check_value(struct sigdoc *d, struct xsig *s, EVP_PKEY *key, enum tri *out, struct err *e);
/* The same for an HMAC key (XML-DSig vectors only). */
MUST_USE enum err_code sig_check_hmac(struct sigdoc *d, struct xsig *s, struct slice key, enum tri *out, struct err *e);

/*
 * The octets that a stamp of this kind covers (xades.md 4), streamed into sink, computed in place in the file.
 * stamp: an existing one, or a described new one: node NULL, position = number of children before it, c14n set.
 * ERR_NOTFOUND when covered data is not at hand, ERR_FORMAT when the recipe can't be followed.
 */
MUST_USE enum err_code stamp_octets(
    struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, const struct sink *sink, struct err *e);
/* Digest of stamp_octets under alg. ERR_UNSUPPORTED for a digest that this OpenSSL has not. */
MUST_USE enum err_code stamp_imprint(struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, enum digest_alg alg,
    struct digest *out, struct err *e);
/*
 * Does the canonical form of data that a stamp covers depend on the stamp's method beyond its spelling? It does where a
 * reference leaves an element uncanonicalised and an element around that has xml: attributes: the inclusive methods take
 * them in, the exclusive ones don't, and readers differ on what is canonicalised first (stamp_imprint_listed).
 */
bool sig_inherits_attributes(const struct xsig *s);
/*
 * A lenient second try: SigAndRefs and RefsOnly in the order that TS 101 903 1.3.2 lists, an ArchiveTimeStamp of 1.3.2 on
 * with its Include elements (xades.md 4, 4.2), without them one over data that inherits attributes: by C14N 1.0 and parsed
 * again before the stamp's method, as EU DSS does. ERR_NOTFOUND: this stamp has no second recipe.
 */
MUST_USE enum err_code stamp_imprint_listed(struct sigdoc *d, struct xsig *s, const struct xstamp *stamp, enum digest_alg alg,
    struct digest *out, struct err *e);

/* What the judge knows of a level beyond the properties that are there. */
struct level_facts {
	bool values_complete;	 /* every certificate that needs revocation data has some in this signature */
	bool t_in_time;		 /* a signature time-stamp is there, and each is from before the signing certificate's end */
	bool signer_in_key_info; /* the signing certificate was identified, and stands in KeyInfo (EN 319 132-1 6.3) */
};
/* Level by xades.md 6; static text from the Names table. */
const char *sig_level(const struct xsig *s, const struct level_facts *f);

/*
 * Is document the signature policy that s names: its octets, what the listed transforms leave of it, or the parts of an
 * ASN.1 policy that ETSI TR 102 272 hashes? UNKNOWN: no usable hash stands there, or the transforms can't be done.
 */
MUST_USE enum err_code sig_policy_hash(
    struct sigdoc *d, struct xsig *s, struct slice document, enum tri *match, struct err *e);

/*
 * In an e-akta: which mandatory part s does not cover, or a profile that leads elsewhere; static text. NULL: nothing is
 * missing, or the file is no e-akta. After sig_check_references: only intact references cover.
 */
const char *sig_dossier_fault(struct sigdoc *d, struct xsig *s);

/* Where a reference leads: path of the element, "/a/b[2]", or the file's name. What of that it covers is cover_reference's answer. Caller frees. */
char *xref_covers(const struct sigdoc *d, const struct xref *r);

/* ---- positions in the raw file, for insertion (design 7) ---- */

struct insertion {
	uint64_t offset;   /* octet in raw where the text goes */
	char *before, *after; /* wrappers to put around the properties when containers are missing; "" else. ASCII */
	const char *encoding; /* of the file: "UTF-8", "UTF-16LE", ... the inserted text must be transcoded to it */
};
/*
 * Where the next unsigned signature property of s goes. ERR_UNSUPPORTED with the reason when nothing may be inserted:
 * self-closed container, scanner and DOM disagree, encoding.
 */
MUST_USE enum err_code sig_insertion(struct sigdoc *d, struct xsig *s, struct insertion *out, struct err *e);
void insertion_release(struct insertion *i);
/* text (ASCII) in the file's encoding. */
MUST_USE enum err_code insertion_encode(const struct insertion *i, const char *ascii, struct buf *out, struct err *e);

#endif
