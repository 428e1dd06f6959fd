/* SPDX-License-Identifier: MIT */
/*
 * Eve holds a good certificate of the CA, and keys of her own making. A signer was revoked and then signed; Eve adds what
 * she can make: stamps, lists, answers and certificates under any name. Nothing of it may help, alone or mutated.
 */
#include "tests/soundness/make.h"

#define T0 NOW

struct den {
	struct who ca, signer, eve, troot, tsa;			     /* honest, but for eve */
	struct who eves_tsa, name_ca, name_troot, name_tsa, eves_responder, name_responder, eves_signer, name_signer; /* hers */
};

#define CERTIFY(...) mini_cert(NULL, (struct spec){.key = "p256", __VA_ARGS__})
#define TSA_EXT {"extendedKeyUsage=critical,timeStamping"}
#define OCSP_EXT {"extendedKeyUsage=OCSPSigning", "noCheck=ignored"}
#define SIGNER_EXT {"keyUsage=critical,nonRepudiation"}

static void
den_up(struct den *d)
{
	int64_t end = T0 + 20 * YEAR;

	d->ca = CERTIFY(.name = "ca", .ca = true, .to = end, .serial = 1);
	d->troot = CERTIFY(.name = "troot", .ca = true, .to = end, .serial = 2);
	d->signer = CERTIFY(.name = "signer", .issuer = &d->ca, .serial = 3, .ext = SIGNER_EXT);
	d->eve = CERTIFY(.name = "eve", .issuer = &d->ca, .serial = 4, .to = end);
	d->tsa = CERTIFY(.name = "tsa", .issuer = &d->troot, .to = end, .serial = 5, .ext = TSA_EXT);
	d->eves_tsa = CERTIFY(.name = "tsa", .issuer = &d->eve, .to = end, .serial = 6, .ext = TSA_EXT);
	d->name_ca = CERTIFY(.name = "ca", .ca = true, .to = end, .serial = 1);
	d->name_troot = CERTIFY(.name = "troot", .ca = true, .to = end, .serial = 2);
	d->name_tsa = CERTIFY(.name = "tsa", .issuer = &d->name_troot, .to = end, .serial = 5, .ext = TSA_EXT);
	d->eves_responder = CERTIFY(.name = "responder", .issuer = &d->eve, .to = end, .serial = 7, .ext = OCSP_EXT);
	d->name_responder = CERTIFY(.name = "responder", .issuer = &d->name_ca, .to = end, .serial = 7, .ext = OCSP_EXT);
	d->eves_signer = CERTIFY(.name = "signer", .issuer = &d->eve, .serial = 3, .ext = SIGNER_EXT);
	d->name_signer = CERTIFY(.name = "signer", .issuer = &d->name_ca, .serial = 3, .ext = SIGNER_EXT);
}

static void
den_down(struct den *d)
{
	struct who *all[] = {&d->ca, &d->signer, &d->eve, &d->troot, &d->tsa, &d->eves_tsa, &d->name_ca, &d->name_troot, &d->name_tsa,
	    &d->eves_responder, &d->name_responder, &d->eves_signer, &d->name_signer};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
}

/* A list in the name of one, by the key of another. */
static void
list_by(struct doc *doc, const struct who *name, const struct who *key, int64_t at)
{
	struct who both = {.x509 = name->x509, .key = key->key};

	doc_crl(doc, &both, at, NULL, 0);
}

static void
answer_by(struct doc *doc, const struct den *d, const struct who *responder, int64_t at)
{
	AUTO(buf) struct buf der = {0};

	ocsp_der(&der, responder, &d->signer, &d->ca, V_OCSP_CERTSTATUS_GOOD, at);
	doc_value(doc, "ocsp", &der);
}

enum forgery { NOTHING, STAMP_BY_EVES_TSA, STAMP_BY_NAMESAKE, STAMP_BY_EVE, LIST_BY_NAMESAKE, LIST_BY_EVE, ANSWER_BY_EVE, ANSWER_BY_EVES_RESPONDER,
	ANSWER_BY_NAMESAKES, OLD_LIST, OLD_ANSWER_OF_CA, STAMP_OF_OTHER_OCTETS, ARCHIVE_OF_OTHER_OCTETS, SIGNED_UNDER_EVE, SIGNED_UNDER_NAMESAKE, ALL,
	EVES_OWN, FORGERIES };
static const char *const NAMES[FORGERIES] = {"revoked before its stamp", "a stamp by a TSA that Eve certified", "a stamp under a root of the same name",
    "a stamp by Eve's own certificate", "a list by a CA of the same name", "a list in the CA's name by Eve's key", "an answer by Eve",
    "an answer by a responder that Eve certified", "an answer by a responder of the namesake", "an older list that knew nothing",
    "an older answer that knew nothing", "an early stamp of other octets", "an early archive stamp of other octets",
    "the signer's name, certified by Eve", "the signer's name, certified by the namesake", "all that Eve can make", "Eve's own signature"};

/* What stands before the honest stamp. */
static void
forge_stamps(struct doc *doc, const struct den *d, enum forgery f)
{
	int64_t early = T0 + DAY;

	if (f == STAMP_BY_EVES_TSA || f == ALL)
		doc_stamp(doc, STAMP_SIGNATURE, &d->eves_tsa, early, false);
	if (f == STAMP_BY_NAMESAKE || f == ALL)
		doc_stamp(doc, STAMP_SIGNATURE, &d->name_tsa, early, false);
	if (f == STAMP_BY_EVE || f == ALL)
		doc_stamp(doc, STAMP_SIGNATURE, &d->eve, early, false);
	if (f == STAMP_OF_OTHER_OCTETS || f == ALL)
		doc_stamp(doc, STAMP_SIGNATURE, &d->tsa, early, true);
}

static void
forge_answers(struct doc *doc, const struct den *d, enum forgery f)
{
	int64_t late = T0 + 6 * DAY + 7200;

	if (f == LIST_BY_NAMESAKE || f == ALL || f == SIGNED_UNDER_NAMESAKE)
		doc_crl(doc, &d->name_ca, late, NULL, 0);
	if (f == STAMP_BY_NAMESAKE || f == ALL)
		doc_crl(doc, &d->name_troot, late, NULL, 0);
	if (f == LIST_BY_EVE || f == ALL)
		list_by(doc, &d->ca, &d->eve, late);
	if (f == SIGNED_UNDER_EVE || f == STAMP_BY_EVES_TSA || f == ALL)
		doc_crl(doc, &d->eve, late, NULL, 0);
	if (f == ANSWER_BY_EVE || f == ALL)
		answer_by(doc, d, &d->eve, late);
	if (f == ANSWER_BY_EVES_RESPONDER || f == ALL)
		answer_by(doc, d, &d->eves_responder, late);
	if (f == ANSWER_BY_NAMESAKES || f == ALL)
		answer_by(doc, d, &d->name_responder, late);
	if (f == OLD_LIST || f == ALL)
		doc_crl(doc, &d->ca, T0 + 2 * DAY, NULL, 0);
	if (f == OLD_ANSWER_OF_CA || f == ALL)
		answer_by(doc, d, &d->ca, T0 + 2 * DAY);
	if (f != NOTHING && f != EVES_OWN) {
		doc_cert(doc, &d->eve);
		doc_cert(doc, &d->name_ca);
		doc_cert(doc, &d->name_troot);
	}
}

void
make_forger(const char *dir)
{
	struct den d;

	den_up(&d);
	make_anchor(dir, "forger", "ca.signer", &d.ca);
	make_anchor(dir, "forger", "troot.tsa", &d.troot);
	for (int f = 0; f < FORGERIES; f++) {
		const struct who *by = f == SIGNED_UNDER_EVE ? &d.eves_signer : f == SIGNED_UNDER_NAMESAKE ? &d.name_signer : f == EVES_OWN ? &d.eve : &d.signer;
		struct doc doc = doc_new((struct doc_spec){.signer = by, .signing_time = T0});
		AUTO(buf) struct buf text = {0};

		forge_stamps(&doc, &d, (enum forgery)f);
		doc_stamp(&doc, STAMP_SIGNATURE, &d.tsa, T0 + 6 * DAY, false);
		doc_crl(&doc, &d.ca, T0 + 6 * DAY + 3600, &d.signer, T0 + 5 * DAY);
		doc_crl(&doc, &d.troot, T0 + 6 * DAY + 3600, NULL, 0);
		forge_answers(&doc, &d, (enum forgery)f);
		if (f == ARCHIVE_OF_OTHER_OCTETS || f == ALL)
			doc_stamp(&doc, STAMP_ARCHIVE, &d.tsa, T0 + DAY, true);
		doc_text(&doc, &text);
		make_row(dir, "forger", (size_t)f, NAMES[f], buf_slice(&text), T0 + 7 * DAY, "default");
		doc_free(&doc);
	}
	den_down(&d);
}
