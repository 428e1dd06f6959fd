/* SPDX-License-Identifier: MIT */
/*
 * A forest of CAs for the judge's tests: two roots, one of them cross-certified, names and keys that meet where they
 * should not; and one function for each situation of a chain that a verdict is asked of.
 */
#ifndef EVERSEAL_TESTS_MINI_TREE_H
#define EVERSEAL_TESTS_MINI_TREE_H

#include "tests/mini_world.h"

#define RESPONDER {"extendedKeyUsage=OCSPSigning", "noCheck=ignored"}
#define SIGNER {"keyUsage=critical,nonRepudiation"}
#define CRITICAL "1.3.6.1.4.1.99999.5=critical,DER:0500"
#define OLD (T0 - 15 * YEAR) /* 2011: SHA-1 could still be relied on */

/* root > sub > leaf, root2 > cross (sub's key), root2 > twin (sub's name). */
struct tree {
	struct verifier *v;
	struct who root, root2, sub, cross, twin, rekeyed, no_ca, leaf, under_no_ca, responder, odd_responder;
	struct who troot, tsa, tsa_late, tsa_ended, tsa_short, no_tsa;
	struct who silent, under_silent, bare_root, under_bare, pointed, owner, encipherer, sha1_responder;
	struct who oroot, osub, osub_sha1, oleaf, oleaf_sha1, oleaf_good;
};

#define CERT(...) mini_cert(NULL, (struct spec){.key = "p256", __VA_ARGS__})

static inline void
tree_old(struct tree *w)
{
	int64_t from = OLD - 10 * YEAR;

	w->oroot = CERT(.name = "oroot", .ca = true, .from = from, .to = NEVER, .serial = 40);
	w->osub = CERT(.name = "osub", .ca = true, .issuer = &w->oroot, .from = from, .to = NEVER, .serial = 41);
	w->osub_sha1 = CERT(.name = "osub sha1", .ca = true, .issuer = &w->oroot, .digest = "SHA1", .from = from, .to = NEVER, .serial = 42);
	w->oleaf = CERT(.name = "oleaf", .issuer = &w->osub_sha1, .from = OLD - DAY, .to = NEVER, .serial = 43, .ext = SIGNER);
	w->oleaf_good = CERT(.name = "oleaf good", .issuer = &w->osub, .from = OLD - DAY, .to = NEVER, .serial = 45, .ext = SIGNER);
	w->oleaf_sha1 = CERT(.name = "oleaf sha1", .issuer = &w->osub, .digest = "SHA1", .from = OLD - DAY, .to = NEVER, .serial = 44, .ext = SIGNER);
}

/* A CA that promises never to revoke, a root without key usage, a signer with a distribution point, one who answers for itself. */
static inline void
tree_odd(struct tree *w)
{
	w->silent = CERT(.name = "silent", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 30, .ext = {"2.5.29.56=DER:0500"});
	w->under_silent = CERT(.name = "under silent", .issuer = &w->silent, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 31, .ext = SIGNER);
	w->bare_root = CERT(.name = "bare root", .to = NEVER, .serial = 32, .ext = {"basicConstraints=CA:TRUE"});
	w->under_bare = CERT(.name = "under bare", .issuer = &w->bare_root, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 33, .ext = SIGNER);
	w->pointed = CERT(.name = "pointed", .issuer = &w->sub, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 34,
	    .ext = {"keyUsage=critical,nonRepudiation", "crlDistributionPoints=URI:http://x/a.crl"});
	w->encipherer = CERT(.name = "encipherer", .issuer = &w->sub, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 36,
	    .ext = {"keyUsage=critical,keyEncipherment"});
	w->sha1_responder = CERT(.name = "sha1 responder", .issuer = &w->sub, .digest = "SHA1", .to = NEVER, .serial = 37, .ext = RESPONDER);
	/* the leaf's name and key, certified once more, as a responder */
	w->owner = CERT(.name = "leaf", .reuse = w->leaf.key, .issuer = &w->sub, .to = NEVER, .serial = 35, .ext = RESPONDER);
}

static inline int
tree_up(void **state)
{
	struct tree *w = mem_new(1, sizeof(*w));
	struct err e = {0};

	xmlInitParser();
	OK(verifier_new(&w->v, &e));
	w->root = CERT(.name = "root", .ca = true, .to = NEVER, .serial = 1);
	w->root2 = CERT(.name = "root2", .ca = true, .to = NEVER, .serial = 2);
	w->sub = CERT(.name = "sub", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 3);
	w->cross = CERT(.name = "sub", .reuse = w->sub.key, .ca = true, .issuer = &w->root2, .to = NEVER, .serial = 4);
	w->twin = CERT(.name = "sub", .ca = true, .issuer = &w->root2, .to = NEVER, .serial = 5);
	w->rekeyed = CERT(.name = "sub", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 6);
	w->no_ca = CERT(.name = "no ca", .issuer = &w->root, .to = NEVER, .serial = 7, .ext = {CRITICAL});
	w->leaf = CERT(.name = "leaf", .issuer = &w->sub, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 8, .ext = SIGNER);
	w->under_no_ca = CERT(.name = "under", .issuer = &w->no_ca, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 9, .ext = SIGNER);
	w->responder = CERT(.name = "responder", .issuer = &w->root2, .to = NEVER, .serial = 10, .ext = RESPONDER);
	w->odd_responder = CERT(.name = "odd", .issuer = &w->sub, .to = NEVER, .serial = 11,
	    .ext = {"extendedKeyUsage=OCSPSigning", "noCheck=ignored", CRITICAL});
	w->troot = CERT(.name = "troot", .ca = true, .from = OLD - 10 * YEAR, .to = NEVER, .serial = 20);
	w->tsa = CERT(.name = "tsa", .issuer = &w->troot, .from = OLD - YEAR, .to = T0 + 20 * YEAR, .serial = 21, .ext = TSA_EXT);
	w->tsa_late = CERT(.name = "tsa late", .issuer = &w->troot, .from = T0 + 2 * DAY, .to = T0 + 20 * YEAR, .serial = 22, .ext = TSA_EXT);
	w->tsa_ended = CERT(.name = "tsa ended", .issuer = &w->troot, .to = T0, .serial = 23, .ext = TSA_EXT);
	w->tsa_short = CERT(.name = "tsa short", .issuer = &w->troot, .to = T0 + YEAR, .serial = 25, .ext = TSA_EXT);
	w->no_tsa = CERT(.name = "no tsa", .issuer = &w->troot, .to = T0 + 20 * YEAR, .serial = 24);
	tree_old(w);
	tree_odd(w);
	*state = w;
	return 0;
}

static inline int
tree_down(void **state)
{
	struct tree *w = *state;
	struct who *all[] = {&w->root, &w->root2, &w->sub, &w->cross, &w->twin, &w->rekeyed, &w->no_ca, &w->leaf, &w->under_no_ca, &w->responder,
	    &w->odd_responder, &w->troot, &w->tsa, &w->tsa_late, &w->tsa_ended, &w->tsa_short, &w->no_tsa, &w->oroot, &w->osub, &w->osub_sha1, &w->oleaf,
	    &w->oleaf_sha1, &w->oleaf_good, &w->silent, &w->under_silent, &w->bare_root, &w->under_bare, &w->pointed, &w->owner, &w->encipherer,
	    &w->sha1_responder};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
	verifier_free(w->v);
	free(w);
	return 0;
}

/* ---- what is made ---- */

/* A list with one entry and its reason. */
static inline void
list(struct doc *d, const struct who *issuer, int64_t at, const struct who *revoked, int64_t when, int reason)
{
	AUTO(buf) struct buf der = {0}, made = {0};
	const unsigned char *p;
	ASN1_ENUMERATED *en = ASN1_ENUMERATED_new();
	unsigned char *out = NULL;

	crl_der(&der, issuer, at, revoked, when, NULL);
	p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	assert_int_equal(ASN1_ENUMERATED_set(en, reason), 1);
	assert_int_equal(X509_REVOKED_add1_ext_i2d(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0), NID_crl_reason, en, 0, 0), 1);
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	int n = i2d_X509_CRL(crl, &out);
	buf_add(&made, out, (size_t)n);
	doc_value(d, "crl", &made);
	OPENSSL_free(out);
	X509_CRL_free(crl);
	ASN1_ENUMERATED_free(en);
}

static inline void
lists(struct doc *d, const struct who *a, const struct who *b, int64_t at)
{
	doc_crl(d, a, at, NULL, 0);
	doc_crl(d, b, at, NULL, 0);
}

static inline struct doc
under(const struct who *leaf, const struct who *ca)
{
	struct doc d = signed_by(leaf);

	doc_cert(&d, ca);
	return d;
}

static inline struct doc
no_ca_with_critical(struct tree *w)
{
	struct doc d = under(&w->under_no_ca, &w->no_ca);

	lists(&d, &w->no_ca, &w->root, T0 + DAY);
	return d;
}

static inline struct doc
no_ca_archived(struct tree *w)
{
	struct doc d = no_ca_with_critical(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 2 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 3 * DAY, NULL, 0);
	return d;
}

static inline struct doc
stamped_by(struct tree *w, const struct who *tsa, int64_t at)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, tsa, at, false);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->troot, T0 + 5 * DAY, NULL, 0);
	return d;
}

static inline struct doc
stamped_by_no_tsa(struct tree *w)
{
	struct doc d = stamped_by(w, &w->no_tsa, T0 + DAY);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 6 * DAY, false);
	return d;
}

static inline struct doc
stamped_well(struct tree *w)
{
	return stamped_by(w, &w->tsa, T0 + DAY);
}

static inline struct doc
stamped_by_a_later_tsa(struct tree *w)
{
	return stamped_by(w, &w->tsa_late, T0 + DAY);
}

/* The stamp claims a time after its certificate's end; an archive stamp claims to be older than that. */
static inline struct doc
stamped_by_an_ended_tsa(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa_ended, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->troot, T0 - DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 - DAY / 2, false);
	doc_crl(&d, &w->troot, T0 + 5 * DAY, NULL, 0);
	return d;
}

/* Data for one chain of the two, whichever is tried first; and the signer's certificate has ended. */
static inline struct doc
two_chains(struct tree *w, const struct who *with_data)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_cert(&d, &w->cross);
	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	lists(&d, &w->sub, with_data, T0 + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + 2 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	return d;
}

static inline struct doc
two_chains_first(struct tree *w)
{
	return two_chains(w, &w->root);
}

static inline struct doc
two_chains_second(struct tree *w)
{
	return two_chains(w, &w->root2);
}

static inline struct doc
listed_by(struct tree *w, const struct who *ca)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_cert(&d, ca);
	doc_crl(&d, ca, T0 + DAY, NULL, 0);
	lists(&d, &w->root, &w->root2, T0 + DAY);
	return d;
}

static inline struct doc
listed_by_twin(struct tree *w)
{
	return listed_by(w, &w->twin);
}

/* Without data, and the twin's certificate in the file. */
static inline struct doc
twin_beside(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_cert(&d, &w->twin);
	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	return d;
}

static inline struct doc
listed_by_new_key(struct tree *w)
{
	return listed_by(w, &w->rekeyed);
}

static inline struct doc
answered_by(struct tree *w, const struct who *responder)
{
	struct doc d = under(&w->leaf, &w->sub);
	AUTO(buf) struct buf der = {0};

	ocsp_der(&der, responder, &w->leaf, &w->sub, V_OCSP_CERTSTATUS_GOOD, T0 + DAY);
	doc_value(&d, "ocsp", &der);
	doc_crl(&d, &w->root, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
answered_by_root2(struct tree *w)
{
	return answered_by(w, &w->root2);
}

static inline struct doc
answered_by_responder(struct tree *w)
{
	return answered_by(w, &w->responder);
}

static inline struct doc
answered_by_odd(struct tree *w)
{
	return answered_by(w, &w->odd_responder);
}

static inline struct doc
answered_by_itself(struct tree *w)
{
	return answered_by(w, &w->owner);
}

static inline struct doc
answered_under_sha1(struct tree *w)
{
	return answered_by(w, &w->sha1_responder);
}

/* Many lists of one second, and one of them revokes. */
static inline struct doc
listed_in_one_second(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	for (int i = 0; i < 8; i++)
		lists(&d, &w->sub, &w->root, T0 + DAY);
	doc_crl(&d, &w->sub, T0 + DAY, &w->leaf, T0);
	return d;
}

static inline struct doc
by_a_key_for_ciphers(struct tree *w)
{
	struct doc d = under(&w->encipherer, &w->sub);

	lists(&d, &w->sub, &w->root, T0 + DAY);
	return d;
}

static inline struct doc
under_a_silent_ca(struct tree *w)
{
	struct doc d = under(&w->under_silent, &w->silent);

	doc_crl(&d, &w->silent, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
under_a_bare_root(struct tree *w)
{
	struct doc d = signed_by(&w->under_bare);

	doc_crl(&d, &w->bare_root, T0 + DAY, NULL, 0);
	return d;
}

/* A list with an issuingDistributionPoint. */
static inline struct doc
pointed_list(struct tree *w, const char *point)
{
	struct doc d = under(&w->pointed, &w->sub);
	AUTO(buf) struct buf der = {0};

	crl_der(&der, &w->sub, T0 + DAY, NULL, 0, point);
	doc_value(&d, "crl", &der);
	doc_crl(&d, &w->root, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
list_of_its_point(struct tree *w)
{
	return pointed_list(w, "2.5.29.28=critical,DER:3014a012a010860e687474703a2f2f782f612e63726c");
}

static inline struct doc
list_of_another_point(struct tree *w)
{
	return pointed_list(w, "2.5.29.28=critical,DER:3014a012a010860e687474703a2f2f782f622e63726c");
}

static inline struct doc
list_for_users(struct tree *w)
{
	return pointed_list(w, "2.5.29.28=critical,DER:30038101ff");
}

static inline struct doc
ca_compromised(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + 2 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, T0 + 50 * DAY, 2);
	return d;
}

/* The same without the archive stamp: what the CA's key listed may have been written yesterday. */
static inline struct doc
ca_compromised_bare(struct tree *w)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_crl(&d, &w->sub, T0 + 2 * DAY, NULL, 0);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, T0 + 50 * DAY, 2);
	return d;
}

static inline struct doc
both_revoked(struct tree *w, int64_t signer, int64_t ca, int64_t content)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->leaf, .signing_time = T0, .content_tsa = content != 0 ? &w->tsa : NULL, .content_time = content});

	doc_cert(&d, &w->sub);
	if (content == 0)
		doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + 5 * DAY, false);
	list(&d, &w->sub, T0 + 40 * DAY, &w->leaf, signer, 4);
	list(&d, &w->root, T0 + 60 * DAY, &w->sub, ca, 4);
	doc_crl(&d, &w->troot, T0 + 60 * DAY, NULL, 0);
	return d;
}

static inline struct doc
both_revoked_later(struct tree *w)
{
	return both_revoked(w, T0 + 20 * DAY, T0 + 50 * DAY, 0);
}

static inline struct doc
both_revoked_signer_before(struct tree *w)
{
	return both_revoked(w, T0 + 2 * DAY, T0 + 50 * DAY, 0);
}

static inline struct doc
both_revoked_content_between(struct tree *w)
{
	return both_revoked(w, T0 + 20 * DAY, T0 + 50 * DAY, T0 + 25 * DAY);
}

/* That it was revoked later makes no certificate better that nobody should have relied on any more. */
static inline struct doc
sha1_certificate_revoked_later(struct tree *w)
{
	struct doc d = under(&w->oleaf_sha1, &w->osub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	doc_crl(&d, &w->osub, T0 + 40 * DAY, &w->oleaf_sha1, T0 + 30 * DAY);
	doc_crl(&d, &w->oroot, T0 + 2 * DAY, NULL, 0);
	return d;
}

/* Revoked before the archive stamp, which covers a list from before that; only a later list tells. Its CA is certified with SHA-1. */
static inline struct doc
revocation_told_late(struct tree *w)
{
	struct doc d = doc_new((struct doc_spec){.signer = &w->oleaf, .signing_time = OLD});

	doc_cert(&d, &w->osub_sha1);
	lists(&d, &w->osub_sha1, &w->oroot, OLD + DAY);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, OLD + 5 * DAY, false);
	doc_crl(&d, &w->osub_sha1, OLD + 40 * DAY, &w->oleaf, OLD + 2 * DAY);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

/* Two certificates below the anchor, stamped and archived; again: the CA's list once more, newer than the archive stamp. */
static inline struct doc
archived(struct tree *w, bool again)
{
	struct doc d = under(&w->leaf, &w->sub);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa_short, T0 + DAY, false);
	lists(&d, &w->sub, &w->root, T0 + 3 * DAY);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 6 * DAY, NULL, 0);
	if (again)
		doc_crl(&d, &w->root, T0 + 6 * DAY, NULL, 0);
	return d;
}

static inline struct doc
archived_once(struct tree *w)
{
	return archived(w, false);
}

static inline struct doc
archived_and_again(struct tree *w)
{
	return archived(w, true);
}

#endif
