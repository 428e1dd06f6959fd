/* SPDX-License-Identifier: MIT */
/*
 * Verdicts: each row is one signature in one situation, at one time, with the
 * exact indication and sub-indication (EN 319 102-1; the matrix of cases that a
 * verifier must get right). The last tests: wants, closures, the report's octets.
 */
#include "tests/mini_doc.h"
#include "verify/verify.h"

#include <libxml/parser.h>

#define T0 NOW /* when things are signed */

/* root > sub > deep; the CA (an anchor of its own) > signer, responders; two TSA roots. */
struct world {
	struct verifier *v;
	struct anchors *anchors, *only_tsa, *sunset;
	struct who root, sub, deep, ca, signer, early, responder, short_responder, stranger;
	struct who troot, tsa, tsa_long, troot2, tsa2, tsa3;
};

static void
trust(struct anchors *a, const struct who *w, unsigned roles, int64_t sunset)
{
	AUTO(buf) struct buf der = {0};
	struct err e = {0};

	OK(anchors_add(a, who_der(w, &der), roles, sunset, "test", &e));
}

#define NEVER (T0 + 40 * YEAR)
#define TSA_EXT {"extendedKeyUsage=critical,timeStamping"}

static void
world_people(struct world *w)
{
	w->root = mini_cert(NULL, (struct spec){.name = "root", .key = "p256", .ca = true, .to = NEVER, .serial = 1});
	w->sub = mini_cert(NULL, (struct spec){.name = "sub", .key = "p256", .ca = true, .issuer = &w->root, .to = NEVER, .serial = 2});
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

static void
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

static int
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

static int
world_down(void **state)
{
	struct world *w = *state;
	struct who *all[] = {&w->root, &w->sub, &w->deep, &w->ca, &w->signer, &w->early, &w->responder, &w->short_responder,
	    &w->stranger, &w->troot, &w->tsa, &w->tsa_long, &w->troot2, &w->tsa2, &w->tsa3};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
	verifier_free(w->v);
	anchors_free(w->anchors);
	anchors_free(w->only_tsa);
	anchors_free(w->sunset);
	free(w);
	return 0;
}

/* ---- the situations ---- */

static struct doc
signed_by(const struct who *signer)
{
	return doc_new((struct doc_spec){.signer = signer, .signing_time = T0});
}

static struct doc
plain(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	return d;
}

/* Turn one character behind mark into another of its kind. */
static void
spoil(struct buf *b, const char *mark)
{
	char *at = strstr((char *)b->p, mark);

	assert_non_null(at);
	at += strlen(mark);
	*at = *at == 'b' ? 'c' : 'b';
}

static struct doc
data_changed(struct world *w)
{
	struct doc d = plain(w);

	spoil(&d.head, "Id=\"o\">");
	return d;
}

static struct doc
value_changed(struct world *w)
{
	struct doc d = plain(w);

	spoil(&d.head, "Id=\"v\">");
	return d;
}

static struct doc
properties_changed(struct world *w)
{
	struct doc d = plain(w);
	char *at = strstr((char *)d.head.p, "<x:SigningTime>2");

	assert_non_null(at);
	at[strlen("<x:SigningTime>") + 3] ^= 1;
	return d;
}

static struct doc
value_changed_unknown_chain(struct world *w)
{
	struct doc d = signed_by(&w->deep);

	spoil(&d.head, "Id=\"v\">");
	return d;
}

static struct doc
revoked_bare(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + 9 * DAY);
	return d;
}

static struct doc
stamped(struct world *w, const struct who *signer, const struct who *tsa, int64_t at)
{
	struct doc d = signed_by(signer);

	doc_stamp(&d, STAMP_SIGNATURE, tsa, at, false);
	doc_crl(&d, &w->troot, at + DAY, NULL, 0);
	return d;
}

static struct doc
revoked_later(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + 9 * DAY);
	return d;
}

static struct doc
revoked_earlier(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + 9 * DAY);

	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + DAY);
	return d;
}

static struct doc
content_after_revocation(struct world *w)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->signer, .signing_time = T0, .content_tsa = &w->tsa, .content_time = T0 + 5 * DAY});

	doc_crl(&d, &w->troot, T0 + 6 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, T0 + 10 * DAY, &w->signer, T0 + DAY);
	return d;
}

static struct doc
content_after_end(struct world *w)
{
	struct doc d = doc_new((struct doc_spec){
	    .signer = &w->signer, .signing_time = T0, .content_tsa = &w->tsa, .content_time = T0 + YEAR + DAY});

	doc_crl(&d, &w->troot, T0 + YEAR + 2 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	return d;
}

static void
answer(struct doc *d, struct world *w, const struct who *responder, int status, int64_t at)
{
	AUTO(buf) struct buf der = {0};

	ocsp_der(&der, responder, &w->signer, &w->ca, status, at);
	doc_value(d, "ocsp", &der);
}

static struct doc
ended_with_ocsp(struct world *w, const struct who *responder)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 + DAY);

	answer(&d, w, responder, V_OCSP_CERTSTATUS_GOOD, T0 + 3 * DAY);
	return d;
}

static struct doc
ended_long_responder(struct world *w)
{
	return ended_with_ocsp(w, &w->responder);
}

static struct doc
ended_short_responder(struct world *w)
{
	return ended_with_ocsp(w, &w->short_responder);
}

static struct doc
ended_short_responder_archived(struct world *w)
{
	struct doc d = ended_with_ocsp(w, &w->short_responder);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

static struct doc
ended_archive_broken(struct world *w)
{
	struct doc d = ended_with_ocsp(w, &w->short_responder);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa2, T0 + 5 * DAY, true);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

/* The older stamp's imprint is wrong; a newer good one comes after the responder's end and so too late. */
static struct doc
older_stamp_broken(struct world *w)
{
	struct doc d = ended_archive_broken(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 500 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 501 * DAY, NULL, 0);
	return d;
}

static struct doc
older_stamp_good(struct world *w)
{
	struct doc d = ended_short_responder_archived(w);

	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 500 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 501 * DAY, NULL, 0);
	return d;
}

static struct doc
deep_chain(struct world *w, bool archived, int64_t ca_revoked)
{
	struct doc d = stamped(w, &w->deep, &w->tsa_long, T0 + DAY);

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + 3 * DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + 3 * DAY, NULL, 0);
	if (archived) {
		doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, false);
		doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	}
	doc_crl(&d, &w->root, T0 + 55 * DAY, &w->sub, ca_revoked);
	return d;
}

static struct doc
ca_revoked_after_archive(struct world *w)
{
	return deep_chain(w, true, T0 + 50 * DAY);
}

static struct doc
ca_revoked_before_stamp(struct world *w)
{
	return deep_chain(w, true, T0 - DAY);
}

static struct doc
ca_revoked_bare(struct world *w)
{
	struct doc d = signed_by(&w->deep);

	doc_cert(&d, &w->sub);
	doc_crl(&d, &w->sub, T0 + 3 * DAY, NULL, 0);
	doc_crl(&d, &w->root, T0 + 55 * DAY, &w->sub, T0 + 50 * DAY);
	return d;
}

static struct doc
sha1_stamped(struct world *w, int64_t archive)
{
	int64_t t = T0 - 15 * YEAR; /* 2011 */
	struct doc d = doc_new((struct doc_spec){.signer = &w->early, .signing_time = t, .sha1 = true});

	doc_crl(&d, &w->ca, t + DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa_long, archive, false);
	doc_crl(&d, &w->troot, T0 + DAY, NULL, 0);
	return d;
}

static struct doc
sha1_in_time(struct world *w)
{
	return sha1_stamped(w, T0 - 15 * YEAR + 10 * DAY);
}

static struct doc
sha1_too_late(struct world *w)
{
	return sha1_stamped(w, T0 - 10 * YEAR);
}

static struct doc
stamp_before_certificate(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa, T0 - 60 * DAY);

	doc_crl(&d, &w->ca, T0 + DAY, NULL, 0);
	return d;
}

static struct doc
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

static struct doc
renewed_before(struct world *w)
{
	return renewed(w, false);
}

static struct doc
renewed_and_after(struct world *w)
{
	return renewed(w, true);
}

static struct doc
delta_only(struct world *w)
{
	struct doc d = signed_by(&w->signer);
	AUTO(buf) struct buf der = {0};

	crl_der(&der, &w->ca, T0 + DAY, NULL, 0, "2.5.29.27=critical,DER:020101");
	doc_value(&d, "crl", &der);
	return d;
}

static struct doc
crl_after_end(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_crl(&d, &w->ca, T0 + YEAR + 10 * DAY, NULL, 0);
	return d;
}

static struct doc
answered_by_stranger(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	answer(&d, w, &w->stranger, V_OCSP_CERTSTATUS_GOOD, T0 + DAY);
	return d;
}

static struct doc
answered_unknown(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	answer(&d, w, &w->responder, V_OCSP_CERTSTATUS_UNKNOWN, T0 + DAY);
	return d;
}

static struct doc
bare(struct world *w)
{
	return signed_by(&w->signer);
}

static struct doc
stamped_only(struct world *w)
{
	struct doc d = signed_by(&w->signer);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + DAY, false);
	return d;
}

static struct doc
archived_fully(struct world *w)
{
	struct doc d = stamped(w, &w->signer, &w->tsa_long, T0 + DAY);

	doc_crl(&d, &w->ca, T0 + 3 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 6 * DAY, NULL, 0);
	return d;
}

static struct doc
list_stale(struct world *w)
{
	return plain(w); /* one list, of the day after signing, for seven days */
}

static struct doc
listed_at(struct world *w, int64_t at)
{
	struct doc d = signed_by(&w->signer);

	doc_stamp(&d, STAMP_SIGNATURE, &w->tsa, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot, T0 + 38 * DAY, NULL, 0);
	doc_crl(&d, &w->ca, at, NULL, 0);
	return d;
}

static struct doc
fresh_for_the_stamp(struct world *w)
{
	return listed_at(w, T0 + 7 * DAY);
}

static struct doc
older_than_the_stamp(struct world *w)
{
	return listed_at(w, T0 + 4 * DAY);
}

/* ---- rows ---- */

struct row {
	const char *name;
	struct doc (*make)(struct world *w);
	int64_t at;
	enum indication ind;
	enum subindication sub;
	bool strict, sunset, swapped, freshness;
};
static const struct row ROWS[] = {
    {"valid, inside the validity", plain, T0 + 2 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"the last second of the validity", plain, T0 + YEAR, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"one second later", plain, T0 + YEAR + 1, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, 0, 0, 0, 0},
    {"data changed", data_changed, T0 + 2 * DAY, IND_FAILED, SUB_HASH_FAILURE, 0, 0, 0, 0},
    {"SignatureValue changed", value_changed, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, 0, 0, 0, 0},
    {"SignedProperties changed", properties_changed, T0 + 2 * DAY, IND_FAILED, SUB_HASH_FAILURE, 0, 0, 0, 0},
    {"wrong value, unknown chain: still failed", value_changed_unknown_chain, T0 + 2 * DAY, IND_FAILED, SUB_SIG_CRYPTO_FAILURE, 0, 0, 0, 0},
    {"no revocation data", bare, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0, 0, 0, 0},
    {"revoked yesterday, no stamp", revoked_bare, T0 + 10 * DAY, IND_INDETERMINATE, SUB_REVOKED_NO_POE, 0, 0, 0, 0},
    {"revoked after the stamp", revoked_later, T0 + 11 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"revoked before the stamp", revoked_earlier, T0 + 11 * DAY, IND_INDETERMINATE, SUB_REVOKED_NO_POE, 0, 0, 0, 0},
    {"content stamp after the revocation", content_after_revocation, T0 + 11 * DAY, IND_FAILED, SUB_REVOKED, 0, 0, 0, 0},
    {"content stamp after the end", content_after_end, T0 + YEAR + 3 * DAY, IND_FAILED, SUB_EXPIRED, 0, 0, 0, 0},
    {"ended, stamped, responder lives", ended_long_responder, T0 + YEAR + 9 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"ended, stamped, responder ended too", ended_short_responder, T0 + YEAR + 9 * DAY, IND_INDETERMINATE,
	SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, 0, 0, 0, 0},
    {"the same under an archive stamp in time", ended_short_responder_archived, T0 + YEAR + 9 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"the archive stamp's imprint broken", ended_archive_broken, T0 + YEAR + 9 * DAY, IND_INDETERMINATE,
	SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, 0, 0, 0, 0},
    {"newest good, older broken: no proof between", older_stamp_broken, T0 + 3 * YEAR, IND_INDETERMINATE, SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE,
	0, 0, 0, 0},
    {"newest good, older good", older_stamp_good, T0 + 3 * YEAR, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"ended, never stamped", plain, T0 + YEAR + 9 * DAY, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, 0, 0, 0, 0},
    {"every TSA ended, renewal missed", ended_short_responder_archived, T0 + 5 * YEAR, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NO_POE, 0, 0, 0, 0},
    {"CA revoked after the archive stamp", ca_revoked_after_archive, T0 + 60 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"CA revoked, nothing stamped", ca_revoked_bare, T0 + 60 * DAY, IND_INDETERMINATE, SUB_REVOKED_CA_NO_POE, 0, 0, 0, 0},
    {"CA revoked before it signed the list", ca_revoked_before_stamp, T0 + 60 * DAY, IND_INDETERMINATE,
	SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0, 0, 0, 0},
    {"SHA-1, archived before its end", sha1_in_time, T0 + 2 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"SHA-1, archived after its end", sha1_too_late, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, 0, 0, 0, 0},
    {"stamped before the certificate began", stamp_before_certificate, T0 + 2 * DAY, IND_FAILED, SUB_NOT_YET_VALID, 0, 0, 0, 0},
    {"renewed, TSA data before each cover: ignore", renewed_before, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"renewed, TSA data before each cover: strict", renewed_before, T0 + 1400 * DAY, IND_INDETERMINATE, SUB_OUT_OF_BOUNDS_NOT_REVOKED, 1, 0, 0, 0},
    {"renewed, once more after: ignore", renewed_and_after, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"renewed, once more after: strict", renewed_and_after, T0 + 1400 * DAY, IND_PASSED, SUB_NONE, 1, 0, 0, 0},
    {"a delta CRL alone", delta_only, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0, 0, 0, 0},
    {"a CRL that forgot ended certificates", crl_after_end, T0 + YEAR + 20 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0,
	0, 0, 0},
    {"OCSP by one who was not delegated", answered_by_stranger, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0, 0, 0, 0},
    {"OCSP unknown is not good", answered_unknown, T0 + 2 * DAY, IND_INDETERMINATE, SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, 0, 0, 0, 0},
    {"anchor past its sunset, archived before", archived_fully, T0 + 200 * DAY, IND_PASSED, SUB_NONE, 0, 1, 0, 0},
    {"anchor past its sunset, no stamp", plain, T0 + 200 * DAY, IND_INDETERMINATE, SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE, 0, 1, 0, 0},
    {"stale list, freshness asked for", list_stale, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, 0, 0, 0, 1},
    {"stale list, not asked for", list_stale, T0 + 40 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 0},
    {"stale now, but newer than the stamp and grace", fresh_for_the_stamp, T0 + 40 * DAY, IND_PASSED, SUB_NONE, 0, 0, 0, 1},
    {"stale now, older than the stamp", older_than_the_stamp, T0 + 40 * DAY, IND_INDETERMINATE, SUB_TRY_LATER, 0, 0, 0, 1},
    {"signer's anchor trusted for TSAs only", plain, T0 + 2 * DAY, IND_INDETERMINATE, SUB_NO_CERTIFICATE_CHAIN_FOUND, 0, 0, 1, 0},
};

static struct report *
judge_doc(struct world *w, const struct doc *d, const struct row *r, const struct material *m, bool wants)
{
	AUTO(buf) struct buf text = {0};
	struct vpolicy policy;
	struct report *report = NULL;
	struct err e = {0};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	policy.sliding_strict = r->strict;
	for (int x = 0; r->freshness && x < CTX_COUNT; x++)
		policy.level[CHECK_REVOCATION_FRESHNESS][x][POS_SIGNING] = LEVEL_FAIL;
	doc_text(d, &text);
	struct verify_input in = {.name = "row", .doc = buf_slice(&text), .policy = &policy, .time_utc = r->at, .material = m,
	    .anchors = r->swapped ? w->only_tsa : r->sunset ? w->sunset : w->anchors, .grace_seconds = DAY, .want_material = wants};
	OK(verify_document(w->v, &in, &report, &e));
	assert_int_equal(report->status, DOC_VALIDATED);
	assert_int_equal(report->n_sigs, 1);
	return report;
}

static void
matrix(void **state)
{
	struct world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		AUTO(doc) struct doc d = ROWS[i].make(w);
		AUTO(report) struct report *r = judge_doc(w, &d, &ROWS[i], NULL, false);
		struct verdict v = r->sigs[0].verdict;
		AUTO(buf) struct buf text = {0};
		struct err e = {0};

		if (v.ind == ROWS[i].ind && v.sub == ROWS[i].sub)
			continue;
		OK(report_text(r, &text, &e));
		print_error("%s: %s %s, wanted %s %s\n%s\n", ROWS[i].name, indication_name(v.ind), subindication_name(v.sub),
		    indication_name(ROWS[i].ind), subindication_name(ROWS[i].sub), buf_str(&text));
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* The finding says that the CRL was recognised and not used. */
static void
delta_is_named(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 2 * DAY};
	AUTO(doc) struct doc d = delta_only(w);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);
	bool said = false;

	for (size_t i = 0; i < r->sigs[0].n_findings; i++)
		said = said || strcasestr(r->sigs[0].findings[i].text, "unsupported") != NULL;
	assert_true(said);
}

static void
wrong_order_warns(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 20 * DAY};
	AUTO(doc) struct doc d = stamped(w, &w->signer, &w->tsa_long, T0 + 10 * DAY);
	bool said = false;

	doc_crl(&d, &w->ca, T0 + 12 * DAY, NULL, 0);
	doc_stamp(&d, STAMP_ARCHIVE, &w->tsa3, T0 + 5 * DAY, false);
	doc_crl(&d, &w->troot2, T0 + 12 * DAY, NULL, 0);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);
	for (size_t i = 0; i < r->sigs[0].n_findings; i++)
		said = said || (strstr(r->sigs[0].findings[i].text, "TIMESTAMP_ORDER") != NULL && r->sigs[0].findings[i].status == FIND_WARN);
	assert_true(said);
	assert_int_equal(r->sigs[0].verdict.ind, IND_PASSED);
}

static void
best_time_is_the_oldest_stamp(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 1400 * DAY};
	AUTO(doc) struct doc d = renewed_and_after(w);
	AUTO(report) struct report *r = judge_doc(w, &d, &row, NULL, false);

	assert_true(r->sigs[0].best_signature_time == T0 + DAY);
	assert_int_equal(r->sigs[0].n_stamps, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(r->sigs[0].stamps[i].verdict.ind, IND_PASSED);
		assert_true(r->sigs[0].stamps[i].gives_poe);
	}
	assert_int_equal(r->sigs[0].stamps[0].basic.sub, SUB_OUT_OF_BOUNDS_NOT_REVOKED);
	assert_true(r->sigs[0].stamps[0].tsa_not_after == T0 + 2 * YEAR);
}

/* ---- wants and closures ---- */

static const struct want *
want_for(const struct report *r, const struct who *w, bool stamp)
{
	AUTO(buf) struct buf der = {0};
	uint8_t key[32];
	struct err e = {0};

	OK(digest_sha256(who_der(w, &der), key, &e));
	for (size_t i = 0; i < r->n_wants; i++)
		if (r->wants[i].kind == WANT_REVOCATION && r->wants[i].for_stamp == stamp && memcmp(r->wants[i].cert_sha256, key, 32) == 0)
			return &r->wants[i];
	return NULL;
}

static void
add_crl(struct material *m, const struct who *issuer, int64_t at)
{
	AUTO(buf) struct buf der = {0};
	struct err e = {0};

	crl_der(&der, issuer, at, NULL, 0, NULL);
	OK(material_add(m, MAT_CRL, buf_slice(&der), &e));
}

static void
wants_until_complete(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 5 * DAY};
	AUTO(doc) struct doc d = stamped_only(w);
	AUTO(material) struct material *m = NULL;
	struct err e = {0};

	OK(material_new(&m, &e));
	AUTO(report) struct report *first = judge_doc(w, &d, &row, m, true);
	const struct want *signer = want_for(first, &w->signer, false), *tsa = want_for(first, &w->tsa, true);
	assert_non_null(signer);
	assert_non_null(tsa);
	assert_true(first->sigs[0].stamped_time == T0 + DAY);
	assert_true(signer->newer_than == T0 + 2 * DAY); /* the stamp and a day of grace */
	assert_true(tsa->newer_than == T0 + DAY);
	assert_true(signer->anchored && tsa->anchored);
	assert_false(first->sigs[0].closure.complete);
	assert_non_null(first->sigs[0].closure.gap);

	add_crl(m, &w->ca, T0 + 36 * 3600); /* inside the grace period: provisional */
	add_crl(m, &w->troot, T0 + 2 * DAY);
	AUTO(report) struct report *second = judge_doc(w, &d, &row, m, true);
	assert_true(second->sigs[0].closure.complete);
	assert_false(second->sigs[0].closure.fresh);
	assert_non_null(want_for(second, &w->signer, false));
	assert_true(second->sigs[0].stamps[0].closure.fresh);
	assert_int_equal(second->sigs[0].verdict.ind, IND_PASSED);

	add_crl(m, &w->ca, T0 + 3 * DAY);
	AUTO(report) struct report *third = judge_doc(w, &d, &row, m, true);
	assert_true(third->sigs[0].closure.fresh);
	assert_int_equal(third->n_wants, 0);
	assert_false(third->sigs[0].closure.v[0].embedded && third->sigs[0].closure.n < 3);
}

/* ---- the report's octets ---- */

static void
json_octets(const struct report *r, struct buf *out)
{
	AUTO(json) json_t *j = NULL;
	struct err e = {0};

	OK(report_json(r, &j, &e));
	OK(json_canonical(j, out, &e));
}

static void
same_input_same_octets(void **state)
{
	struct world *w = *state;
	struct row row = {.at = T0 + 1400 * DAY};
	AUTO(doc) struct doc d = renewed_and_after(w);
	AUTO(material) struct material *m = NULL, *n = NULL;
	AUTO(buf) struct buf a = {0}, b = {0}, packed = {0};
	struct err e = {0};

	OK(material_new(&m, &e));
	add_crl(m, &w->ca, T0 + 3 * DAY);
	add_crl(m, &w->troot, T0 + 4 * DAY);
	OK(material_pack(m, &packed, &e));
	OK(material_unpack(buf_slice(&packed), &n, &e));
	AUTO(report) struct report *first = judge_doc(w, &d, &row, m, true);
	json_octets(first, &a);
	AUTO(report) struct report *second = judge_doc(w, &d, &row, n, true);
	json_octets(second, &b);
	assert_true(a.n > 0 && slice_eq(buf_slice(&a), buf_slice(&b)));
	assert_true(digest_eq(&first->material, &second->material));
}

static void
refused_and_unsigned(void **state)
{
	struct world *w = *state;
	struct vpolicy policy;
	struct err e = {0};
	static const struct {
		const char *text;
		enum doc_status status;
	} DOCS[] = {{"<!DOCTYPE a><a/>", DOC_REFUSED}, {"<a><b></a>", DOC_REFUSED}, {"<a/>", DOC_NO_SIGNATURE}, {"", DOC_REFUSED}};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	for (size_t i = 0; i < sizeof(DOCS) / sizeof(DOCS[0]); i++) {
		struct verify_input in = {.name = "row", .doc = slice_str(DOCS[i].text), .policy = &policy, .time_utc = T0, .anchors = w->anchors};
		AUTO(report) struct report *r = NULL;

		OK(verify_document(w->v, &in, &r, &e));
		assert_int_equal(r->status, DOCS[i].status);
		assert_int_equal(report_overall(r), IND_INDETERMINATE);
		assert_true((r->error != NULL) == (DOCS[i].status == DOC_REFUSED));
	}
}

/* ---- a token by itself ---- */

static void
token_alone(void **state)
{
	struct world *w = *state;
	AUTO(material) struct material *m = NULL;
	AUTO(buf) struct buf token = {0};
	struct vpolicy policy;
	struct digest d;
	struct err e = {0};

	OK(vpolicy_builtin("default", NULL, &policy, &e));
	OK(digest_once(DIGEST_SHA256, slice_str("x"), &d, &e));
	token_der(&token, &w->tsa, &d, T0);
	OK(material_new(&m, &e));
	add_crl(m, &w->troot, T0 + 2 * DAY);
	struct verify_input in = {.policy = &policy, .time_utc = T0 + 9 * DAY, .anchors = w->anchors, .material = m, .want_material = true};
	AUTO(report) struct report *r = NULL;
	OK(verify_token(w->v, &in, buf_slice(&token), T0 + DAY, &r, &e));
	assert_int_equal(r->sigs[0].stamps[0].verdict.ind, IND_PASSED);
	assert_int_equal(r->sigs[0].stamps[0].imprint_intact, TRI_UNKNOWN);
	assert_true(r->sigs[0].stamps[0].closure.fresh);
	assert_int_equal(r->n_wants, 0);
	AUTO(report) struct report *later = NULL;
	OK(verify_token(w->v, &in, buf_slice(&token), T0 + 3 * DAY, &later, &e));
	assert_false(later->sigs[0].stamps[0].closure.fresh);
	assert_true(want_for(later, &w->tsa, true)->newer_than == T0 + 3 * DAY);
	AUTO(report) struct report *none = NULL;
	assert_int_equal(verify_token(w->v, &in, slice_str("no token"), T0, &none, &e), ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matrix),
	    cmocka_unit_test(delta_is_named),
	    cmocka_unit_test(wrong_order_warns),
	    cmocka_unit_test(best_time_is_the_oldest_stamp),
	    cmocka_unit_test(wants_until_complete),
	    cmocka_unit_test(same_input_same_octets),
	    cmocka_unit_test(refused_and_unsigned),
	    cmocka_unit_test(token_alone),
	};

	return cmocka_run_group_tests(tests, world_up, world_down);
}
