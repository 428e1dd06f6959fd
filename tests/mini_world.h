/* SPDX-License-Identifier: MIT */
/*
 * The judge's world in the tests: who signs, certifies, answers and stamps, and
 * one function for each situation of a signature that a verdict is asked of.
 */
#ifndef EVERSEAL_TESTS_MINI_WORLD_H
#define EVERSEAL_TESTS_MINI_WORLD_H

#include "tests/mini_doc.h"
#include "verify/verify.h"

#include <libxml/parser.h>

#define T0 NOW /* when things are signed */

/* root > sub > deep; the CA (an anchor of its own) > signer, responders; two TSA roots. */
struct world {
	struct verifier *v;
	struct anchors *anchors, *only_tsa, *sunset, *signer_itself;
	struct who root, sub, sub_narrow, deep, ca, signer, early, responder, short_responder, stranger;
	struct who troot, tsa, tsa_long, troot2, tsa2, tsa3;
};

static inline void
trust(struct anchors *a, const struct who *w, unsigned roles, int64_t sunset)
{
	AUTO(buf) struct buf der = {0};
	struct err e = {0};

	OK(anchors_add(a, who_der(w, &der), roles, sunset, "test", &e));
}

#define NEVER (T0 + 40 * YEAR)
#define TSA_EXT {"extendedKeyUsage=critical,timeStamping"}

static inline void
world_people(struct world *w)
{
	w->root = mini_cert(NULL, (struct spec){.name = "root", .key = "p256", .ca = true, .to = NEVER, .serial = 1});
	w->sub = mini_cert(NULL, (struct spec){.name = "sub", .key = "p256", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 2});
	/* the same CA, certified once more by its root, but not for the one name that it signs */
	w->sub_narrow = mini_cert(NULL, (struct spec){.name = "sub", .reuse = w->sub.key, .ca = true, .issuer = &w->root, .to = NEVER,
					    .serial = 12, .ext = {"2.5.29.30=critical,DER:3017a1153013a411300f310d300b06035504030c0464656570"}});
	w->deep = mini_cert(NULL, (struct spec){.name = "deep", .key = "p256", .issuer = &w->sub, .from = T0 - 30 * DAY, .to = T0 + YEAR,
				      .serial = 3, .ext = {"keyUsage=critical,nonRepudiation"}});
	w->ca = mini_cert(NULL, (struct spec){.name = "ca", .key = "p256", .ca = true, .from = T0 - 30 * YEAR, .to = NEVER, .serial = 4});
	w->signer = mini_cert(NULL, (struct spec){.name = "signer", .key = "p256", .issuer = &w->ca, .from = T0 - 30 * DAY,
					.to = T0 + YEAR, .serial = 5, .ext = {"keyUsage=critical,nonRepudiation"}});
	w->early = mini_cert(NULL, (struct spec){.name = "early", .key = "p256", .issuer = &w->ca, .from = T0 - 16 * YEAR,
				       .to = T0 + YEAR, .serial = 6, .ext = {"keyUsage=critical,nonRepudiation"}});
	w->responder = mini_cert(NULL, (struct spec){.name = "responder", .key = "p256", .issuer = &w->ca, .to = T0 + 3 * YEAR, .serial = 7,
					   .ext = {"extendedKeyUsage=OCSPSigning", "noCheck=ignored"}});
	w->short_responder = mini_cert(NULL, (struct spec){.name = "short responder", .key = "p256", .issuer = &w->ca,
						 .to = T0 + YEAR, .serial = 8, .ext = {"extendedKeyUsage=OCSPSigning", "noCheck=ignored"}});
	w->stranger = mini_cert(NULL, (struct spec){.name = "stranger", .key = "p256", .issuer = &w->ca, .to = T0 + 3 * YEAR, .serial = 9});
}

static inline void
world_clocks(struct world *w)
{
	int64_t old = T0 - 30 * YEAR;

	w->troot = mini_cert(NULL, (struct spec){.name = "troot", .key = "p256", .ca = true, .from = old, .to = NEVER, .serial = 20});
	w->tsa = mini_cert(NULL, (struct spec){.name = "tsa", .key = "p256", .issuer = &w->troot, .from = T0 - 20 * YEAR, .to = T0 + 2 * YEAR,
				     .serial = 21, .ext = TSA_EXT});
	w->tsa_long = mini_cert(NULL, (struct spec){.name = "tsa long", .key = "p256", .issuer = &w->troot, .from = T0 - 20 * YEAR,
					  .to = T0 + 20 * YEAR, .serial = 22, .ext = TSA_EXT});
	w->troot2 = mini_cert(NULL, (struct spec){.name = "troot2", .key = "p256", .ca = true, .from = old, .to = NEVER, .serial = 23});
	w->tsa2 = mini_cert(NULL, (struct spec){.name = "tsa2", .key = "p256", .issuer = &w->troot2, .to = T0 + 4 * YEAR, .serial = 24,
				      .ext = TSA_EXT});
	w->tsa3 = mini_cert(NULL, (struct spec){.name = "tsa3", .key = "p256", .issuer = &w->troot2, .to = T0 + 20 * YEAR, .serial = 25,
				      .ext = TSA_EXT});
}

static inline int
world_up(void **state)
{
	struct world *w = mem_new(1, sizeof(*w));
	struct err e = {0};

	xmlInitParser();
	world_people(w);
	world_clocks(w);
	OK(verifier_new(&w->v, &e));
	OK(anchors_new(&w->anchors, &e));
	OK(anchors_new(&w->only_tsa, &e));
	OK(anchors_new(&w->sunset, &e));
	OK(anchors_new(&w->signer_itself, &e));
	trust(w->signer_itself, &w->signer, ROLE_SIGNER, TIME_MAX);
	trust(w->anchors, &w->root, ROLE_SIGNER, TIME_MAX);
	trust(w->anchors, &w->ca, ROLE_SIGNER, TIME_MAX);
	trust(w->anchors, &w->troot, ROLE_TSA, TIME_MAX);
	trust(w->anchors, &w->troot2, ROLE_TSA, TIME_MAX);
	trust(w->only_tsa, &w->ca, ROLE_TSA, TIME_MAX);
	trust(w->only_tsa, &w->troot, ROLE_SIGNER, TIME_MAX);
	trust(w->sunset, &w->ca, ROLE_SIGNER, T0 + 100 * DAY);
	trust(w->sunset, &w->troot, ROLE_TSA, TIME_MAX);
	trust(w->sunset, &w->troot2, ROLE_TSA, TIME_MAX);
	*state = w;
	return 0;
}

static inline int
world_down(void **state)
{
	struct world *w = *state;
	struct who *all[] = {&w->root, &w->sub, &w->sub_narrow, &w->deep, &w->ca, &w->signer, &w->early, &w->responder, &w->short_responder,
	    &w->stranger, &w->troot, &w->tsa, &w->tsa_long, &w->troot2, &w->tsa2, &w->tsa3};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
	verifier_free(w->v);
	anchors_free(w->anchors);
	anchors_free(w->only_tsa);
	anchors_free(w->sunset);
	anchors_free(w->signer_itself);
	free(w);
	return 0;
}

/* tests/golden/refusals.tsv: the row, and the words of the rule by which the checker refuses it (docs/proof.md). */
static inline bool
refused_by_the_rule(const char *name, const char *gap)
{
	FILE *f = fopen("tests/golden/refusals.tsv", "r");
	char line[512];
	size_t n = strlen(name);
	bool found = false, same = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, name, n) == 0 && line[n] == '\t';
		same = found && strstr(gap, line + n + 1) != NULL;
	}
	fclose(f);
	if (!same)
		print_error("%s\t%s\n", name, gap);
	return same;
}

/*
 * True if the first signature's verdict is that one; else the report is shown. The document was judged with prove_all: what
 * does not pass has no derivation either, but where the judge alone refuses (docs/proof.md 11, or a habit of the peer).
 */
static inline bool
verdict_is_so(const char *name, const struct report *r, enum indication ind, enum subindication sub, bool alone)
{
	AUTO(json) json_t *header = NULL, *document = NULL;
	AUTO(buf) struct buf text = {0};
	struct verdict v = r->sigs[0].verdict;
	struct err e = {0};

	if (v.ind != IND_PASSED && (r->sigs[0].proof_gap == NULL) != alone) {
		print_error("%s: a derivation %s\n", name, alone ? "is refused too" : "of what does not pass holds");
		return false;
	}
	if (v.ind != IND_PASSED && !alone && !refused_by_the_rule(name, r->sigs[0].proof_gap))
		return false;
	if (v.ind == ind && v.sub == sub)
		return true;
	OK(report_header_json(r, &header, &e));
	OK(report_json(r, &document, &e));
	OK(report_text(header, document, NULL, &text, &e));
	print_error("%s: %s %s, wanted %s %s\n%s\n", name, indication_name(v.ind), subindication_name(v.sub), indication_name(ind),
	    subindication_name(sub), buf_str(&text));
	return false;
}

/* ---- the situations ---- */

static inline struct doc
signed_by(const struct who *signer)
{
	return doc_new((struct doc_spec){.signer = signer, .signing_time = T0});
}

static inline struct doc
plain(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	return d;
}

/* The last list that speaks of the signer. */
static inline struct doc
listed_last(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + YEAR - DAY, NULL, 0);
	return d;
}

/* KeyInfo says something, but holds no certificate; the signer's stands among the values. */
static inline struct doc
certificate_beside_key_info(struct world *w)
{
	static const char NAME[] = "ds:X509Certificate>";
	struct doc d = plain(w);
	char *p = (char *)d.head.p;

	while ((p = memmem(p, (size_t)((char *)d.head.p + d.head.n - p), NAME, sizeof(NAME) - 1)) != NULL)
		p[sizeof(NAME) - 3] = 'x';
	doc_cert(&d, &w->signer);
	return d;
}

/* Turn one character behind mark into another of its kind. */
static inline void
spoil(struct buf *b, const char *mark)
{
	char *at = strstr((char *)b->p, mark);

	assert_non_null(at);
	at += strlen(mark);
	*at = *at == 'b' ? 'c' : 'b';
}

static inline struct doc
data_changed(struct world *w)
{
	struct doc d = plain(w);

	spoil(&d.head, "Id=\"o\">");
	return d;
}

/* The second reference leads nowhere, the first to data that is another. */
static inline struct doc
data_changed_properties_gone(struct world *w)
{
	struct doc d = data_changed(w);
	char *at = strstr((char *)d.head.p, "Id=\"sp\"");

	assert_non_null(at);
	at[4] = 'q';
	return d;
}

/* No signing certificate property any more: the element has another name, and so SignedProperties another digest. */
static inline struct doc
property_renamed(struct world *w)
{
	static const char NAME[] = "x:SigningCertificateV2>";
	struct doc d = plain(w);
	char *p = (char *)d.head.p;

	while ((p = memmem(p, (size_t)((char *)d.head.p + d.head.n - p), NAME, sizeof(NAME) - 1)) != NULL)
		p[sizeof(NAME) - 3] = '9';
	return d;
}

static inline struct doc
value_changed(struct world *w)
{
	struct doc d = plain(w);

	spoil(&d.head, "Id=\"v\">");
	return d;
}

static inline struct doc
properties_changed(struct world *w)
{
	struct doc d = plain(w);
	char *at = strstr((char *)d.head.p, "<x:SigningTime>2");

	assert_non_null(at);
	at[strlen("<x:SigningTime>") + 3] ^= 1;
	return d;
}

static inline struct doc
value_changed_unknown_chain(struct world *w)
{
	struct doc d = signed_by(&w->deep);

	spoil(&d.head, "Id=\"v\">");
	return d;
}

static inline struct doc
revoked_bare(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + 9 * DAY);
	return d;
}

static inline struct doc
stamped(struct world *w, const struct who *signer, const struct who *tsa, int64_t at)
{
	struct doc d = signed_by(signer);

	doc_stamp(&d, STAMP_SIGNATURE, tsa, at, false);
	doc_crl(&d, &w->troot, at + DAY, NULL, 0);
	return d;
}

static inline struct doc
revoked_later(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + 9 * DAY);
	return d;
}

static inline struct doc
revoked_earlier(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + 9 * DAY);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + DAY);
	return d;
}

static inline struct doc
content_after_revocation(struct world *w)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->signer, .signing_time = T0, .content_tsa = &w->tsa, .content_time = T0 + 5 * DAY});

	doc_crl(&d, &w->troot, T0 + 6 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + DAY);
	return d;
}

static inline struct doc
content_after_end(struct world *w)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->signer, .signing_time = T0, .content_tsa = &w->tsa, .content_time = T0 + YEAR + DAY});

	doc_crl(&d, &w->troot, T0 + YEAR + 2 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, T0 + YEAR - DAY, NULL, 0);
	return d;
}

static inline void
answer(struct doc *d, struct world *w, const struct who *responder, int status, int64_t at)
{
	AUTO(buf) struct buf der = {0};

	ocsp_der(&der, responder, &w->signer, &w->ca, status, at);
	doc_value(d, "ocsp", &der);
}

static inline struct doc
ended_with_ocsp(struct world *w, const struct who *responder)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);

	answer(&d, w, responder, V_OCSP_CERTSTATUS_GOOD, T0 + 3 * DAY);
	return d;
}

static inline struct doc
ended_long_responder(struct world *w)
{
	return ended_with_ocsp(w, &w->responder);
}

static inline struct doc
ended_short_responder(struct world *w)
{
	return ended_with_ocsp(w, &w->short_responder);
}

static inline struct doc
ended_short_responder_archived(struct world *w)
{
	struct doc d = ended_with_ocsp(w, &w->short_responder);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

static inline struct doc
ended_archive_broken(struct world *w)
{
	struct doc d = ended_with_ocsp(w, &w->short_responder);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 5 * DAY, true);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

/* The older stamp's imprint is wrong; a newer good one comes after the responder's end and so too late. */
static inline struct doc
older_stamp_broken(struct world *w)
{
	struct doc d = ended_archive_broken(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 500 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 501 * DAY, NULL, 0);
	return d;
}

static inline struct doc
older_stamp_good(struct world *w)
{
	struct doc d = ended_short_responder_archived(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 500 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 501 * DAY, NULL, 0);
	return d;
}

static inline struct doc
deep_chain(struct world *w, bool archive_broken, int64_t ca_revoked)
{
	struct doc d = stamped(w, &w->deep, &w->tsa_long, T0 + DAY);

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + 3 * DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + 3 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, archive_broken);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + 55 * DAY, &w->sub, ca_revoked);
	return d;
}

static inline struct doc
ca_revoked_after_archive(struct world *w)
{
	return deep_chain(w, false, T0 + 50 * DAY);
}

/* Nothing proves that the list of the CA's is older than that. */
static inline struct doc
ca_revoked_archive_broken(struct world *w)
{
	return deep_chain(w, true, T0 + 50 * DAY);
}

static inline struct doc
ca_revoked_before_stamp(struct world *w)
{
	return deep_chain(w, false, T0 - DAY);
}

static inline struct doc
narrow_chain(struct world *w, bool wide_too)
{
	struct doc d = signed_by(&w->deep);

	doc_cert(&d, &w->sub_narrow);
	if (wide_too)
		doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
narrow_chain_only(struct world *w)
{
	return narrow_chain(w, false);
}

static inline struct doc
narrow_and_wide_chain(struct world *w)
{
	return narrow_chain(w, true);
}

static inline struct doc
ca_revoked_bare(struct world *w)
{
	struct doc d = signed_by(&w->deep);

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + 3 * DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + 55 * DAY, &w->sub, T0 + 50 * DAY);
	return d;
}

static inline struct doc
sha1_stamped(struct world *w, int64_t listed, int64_t archive)
{
	int64_t t = T0 - 15 * YEAR; /* 2011 */
	struct doc d = doc_new((struct doc_spec){.signer = &w->early, .signing_time = t, .sha1 = true});

	doc_crl(&d, &w->ca, listed, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa_long, archive, false);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
sha1_in_time(struct world *w)
{
	return sha1_stamped(w, T0 - 15 * YEAR + 9 * DAY, T0 - 15 * YEAR + 10 * DAY);
}

/* The list's seven days were over when the signature was first proven. */
static inline struct doc
sha1_listed_before(struct world *w)
{
	return sha1_stamped(w, T0 - 15 * YEAR + DAY, T0 - 15 * YEAR + 10 * DAY);
}

static inline struct doc
sha1_too_late(struct world *w)
{
	return sha1_stamped(w, T0 - 10 * YEAR - DAY, T0 - 10 * YEAR);
}

static inline struct doc
stamp_before_certificate(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 - 60 * DAY);

	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	return d;
}

static inline struct doc
renewed(struct world *w, bool after_cover)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);
	int64_t one = T0 + 600 * DAY, two = T0 + 1300 * DAY;

	doc_crl(&d, &w->ca, T0 + 3 * DAY, NULL, 0);
	doc_crl(&d, &w->troot, one - DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, one, false);
	if (after_cover)
		doc_crl(&d, &w->troot, one + DAY, NULL, 0);
	doc_crl(&d, &w->troot2, two - DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, two, false);
	doc_crl(&d, &w->troot2, two + DAY, NULL, 0);
	return d;
}

static inline struct doc
renewed_before(struct world *w)
{
	return renewed(w, false);
}

static inline struct doc
renewed_and_after(struct world *w)
{
	return renewed(w, true);
}

static inline struct doc
delta_only(struct world *w)
{
	struct doc d = signed_by(&w->signer);
	AUTO(buf) struct buf der = {0};

	crl_der(&der, &w->ca, T0 + DAY, NULL, 0, "2.5.29.27=critical,DER:020101");
	doc_value(&d, "crl", &der);
	return d;
}

static inline struct doc
crl_after_end(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + YEAR + 10 * DAY, NULL, 0);
	return d;
}

static inline struct doc
answered_by_stranger(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	answer(&d, w, &w->stranger, V_OCSP_CERTSTATUS_GOOD, T0 + DAY);
	return d;
}

static inline struct doc
answered_unknown(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	answer(&d, w, &w->responder, V_OCSP_CERTSTATUS_UNKNOWN, T0 + DAY);
	return d;
}

static inline struct doc
bare(struct world *w)
{
	return signed_by(&w->signer);
}

static inline struct doc
stamped_only(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	return d;
}

static inline struct doc
archived_fully(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa_long, T0 + DAY);

	doc_crl(&d, &w->ca, T0 + 3 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

static inline struct doc
list_stale(struct world *w)
{
	return plain(w); /* one list, of the day after signing, for seven days */
}

static inline struct doc
listed_at(struct world *w, int64_t at)
{
	struct doc d = signed_by(&w->signer);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 38 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, at, NULL, 0);
	return d;
}

static inline struct doc
fresh_for_the_stamp(struct world *w)
{
	return listed_at(w, T0 + 7 * DAY);
}

static inline struct doc
older_than_the_stamp(struct world *w)
{
	return listed_at(w, T0 + 4 * DAY);
}

static inline struct doc
stale_at_the_stamp(struct world *w)
{
	return listed_at(w, T0 - 3 * DAY);
}

static inline struct doc
stale_at_the_stamp_archived(struct world *w)
{
	struct doc d = stale_at_the_stamp(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 6 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 38 * DAY, NULL, 0);
	return d;
}

/* Somebody fetched newer data after the stamp. */
static inline struct doc
stale_at_the_stamp_mended(struct world *w)
{
	struct doc d = stale_at_the_stamp(w);

	doc_crl(&d, &w->ca, T0 + 6 * DAY, NULL, 0);
	return d;
}

#endif
