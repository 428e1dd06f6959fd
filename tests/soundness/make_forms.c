/* SPDX-License-Identifier: MIT */
/*
 * Forms that no other maker here writes: XAdES 1.1.1 and 1.2.2 with their lists, and the C, X, X-L and A types of 1.3.2
 * one upon the other, so that an X stamp of either type stands over references.
 */
#include "tests/soundness/make.h"

#include "base/xml.h"

#include <string.h>

#define T0 NOW

struct form {
	const char *name, *ns, *type; /* of the SignedProperties reference */
	const struct who *signer, *ca;
	struct buf head, props, tail;
	size_t n_props;
};

static void
add_old_properties(struct form *f, struct buf *b)
{
	AUTO(buf) struct buf cert = {0};
	AUTO(mem) char *issuer = NULL;
	char when[TIME_TEXT];

	time_text(T0, when);
	issuer = X509_NAME_oneline(X509_get_issuer_name(f->signer->x509), NULL, 0);
	buf_addf(b, "<x:SignedProperties xmlns:x=\"%s\" Id=\"sp\"><x:SignedSignatureProperties><x:SigningTime>%s</x:SigningTime><x:SigningCertificate>"
		    "<x:Cert><x:CertDigest>", f->ns, when);
	add_digest_value(b, DIGEST_SHA256, who_der(f->signer, &cert), " " DS);
	buf_addf(b, "</x:CertDigest><x:IssuerSerial><ds:X509IssuerName " DS ">%s%s</ds:X509IssuerName><ds:X509SerialNumber " DS ">%ld"
		    "</ds:X509SerialNumber></x:IssuerSerial></x:Cert></x:SigningCertificate><x:SignaturePolicyIdentifier><x:SignaturePolicyImplied>"
		    "</x:SignaturePolicyImplied></x:SignaturePolicyIdentifier></x:SignedSignatureProperties></x:SignedProperties>",
	    strncmp(issuer, "/CN=", 4) == 0 ? "CN=" : "", issuer + 4, ASN1_INTEGER_get(X509_get0_serialNumber(f->signer->x509)));
}

static void
sign(struct form *f)
{
	AUTO(buf) struct buf sp = {0}, si = {0}, sig = {0}, cert = {0};
	AUTO(mem) char *props = mem_printf("Type=\"%s\" URI=\"#sp\"", f->type);

	add_old_properties(f, &sp);
	buf_adds(&si, "<ds:SignedInfo " DS "><ds:CanonicalizationMethod Algorithm=\"" EXC "\"></ds:CanonicalizationMethod>"
		      "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"></ds:SignatureMethod>");
	add_reference(&si, "URI=\"#o\"", NULL, DIGEST_SHA256, slice_str(DOC_OBJECT));
	add_reference(&si, props, NULL, DIGEST_SHA256, buf_slice(&sp));
	buf_adds(&si, "</ds:SignedInfo>");
	sign_octets(f->signer, "SHA256", buf_slice(&si), &sig);
	ecdsa_plain(&sig);
	buf_addf(&f->head, "<ds:Signature " DS " Id=\"s\">%s<ds:SignatureValue Id=\"v\">", buf_str(&si));
	buf_addbase64(&f->head, buf_slice(&sig));
	buf_adds(&f->head, "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
	buf_addbase64(&f->head, who_der(f->signer, &cert));
	buf_addf(&f->head, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>" DOC_OBJECT "<ds:Object><x:QualifyingProperties xmlns:x=\"%s\" " X141
			   " Target=\"#s\">%s", f->ns, buf_str(&sp));
	buf_adds(&f->tail, "</x:QualifyingProperties></ds:Object></ds:Signature>");
}

static void
text_of(const struct form *f, struct buf *out)
{
	buf_addslice(out, buf_slice(&f->head));
	if (f->props.n > 0)
		buf_addf(out, "<x:UnsignedProperties><x:UnsignedSignatureProperties>%s</x:UnsignedSignatureProperties></x:UnsignedProperties>", buf_str(&f->props));
	buf_addslice(out, buf_slice(&f->tail));
}

static void
form_release(struct form *f)
{
	buf_release(&f->head);
	buf_release(&f->props);
	buf_release(&f->tail);
}

/* A stamp with what it lists; its imprint is that of the place where it stands. */
static void
stamp(struct form *f, const char *name, const char *list, const struct who *tsa, int64_t at)
{
	AUTO(buf) struct buf text = {0}, token = {0};
	AUTO(sigdoc) struct sigdoc *d = NULL;
	size_t before = f->props.n;
	struct digest imprint;
	struct err e = {0};

	for (int round = 0; round < 2; round++) {
		f->props.n = before;
		if (before > 0)
			f->props.p[before] = '\0';
		buf_addf(&f->props, "<%s Id=\"t%zu\">%s", name, f->n_props, list);
		if (strcmp(f->ns, NS_X111) != 0)
			buf_adds(&f->props, "<ds:CanonicalizationMethod Algorithm=\"" EXC "\"></ds:CanonicalizationMethod>");
		buf_adds(&f->props, "<x:EncapsulatedTimeStamp>");
		if (round == 0)
			buf_adds(&f->props, "AA==");
		else
			buf_addbase64(&f->props, buf_slice(&token));
		buf_addf(&f->props, "</x:EncapsulatedTimeStamp></%s>", name);
		if (round == 1)
			break;
		text_of(f, &text);
		OK(sigdoc_open(buf_slice(&text), NULL, 0, NULL, &d, &e));
		OK(sig_check_references(d, &d->sigs[0], &e));
		OK(stamp_imprint(d, &d->sigs[0], &d->sigs[0].stamps[d->sigs[0].n_stamps - 1], DIGEST_SHA256, &imprint, &e));
		token_der(&token, tsa, &imprint, at);
	}
	f->n_props++;
}

static void
certificate_values(struct form *f, const struct who *a, const struct who *b)
{
	AUTO(buf) struct buf one = {0}, two = {0};

	buf_adds(&f->props, "<x:CertificateValues Id=\"cv\"><x:EncapsulatedX509Certificate>");
	buf_addbase64(&f->props, who_der(a, &one));
	buf_adds(&f->props, "</x:EncapsulatedX509Certificate><x:EncapsulatedX509Certificate>");
	buf_addbase64(&f->props, who_der(b, &two));
	buf_adds(&f->props, "</x:EncapsulatedX509Certificate></x:CertificateValues>");
	f->n_props++;
}

static void
revocation_values(struct form *f, const struct buf *a, const struct buf *b)
{
	buf_adds(&f->props, "<x:RevocationValues Id=\"rv\"><x:CRLValues><x:EncapsulatedCRLValue>");
	buf_addbase64(&f->props, buf_slice(a));
	buf_adds(&f->props, "</x:EncapsulatedCRLValue><x:EncapsulatedCRLValue>");
	buf_addbase64(&f->props, buf_slice(b));
	buf_adds(&f->props, "</x:EncapsulatedCRLValue></x:CRLValues></x:RevocationValues>");
	f->n_props++;
}

static void
references(struct form *f, const struct buf *crl, int64_t crl_time)
{
	AUTO(buf) struct buf ca = {0};
	AUTO(mem) char *name = X509_NAME_oneline(X509_get_subject_name(f->ca->x509), NULL, 0);
	char when[TIME_TEXT];

	time_text(crl_time, when);
	buf_adds(&f->props, "<x:CompleteCertificateRefs Id=\"cr\"><x:CertRefs><x:Cert><x:CertDigest>");
	add_digest_value(&f->props, DIGEST_SHA256, who_der(f->ca, &ca), "");
	buf_addf(&f->props, "</x:CertDigest><x:IssuerSerial><ds:X509IssuerName>CN=%s</ds:X509IssuerName><ds:X509SerialNumber>%ld</ds:X509SerialNumber>"
			    "</x:IssuerSerial></x:Cert></x:CertRefs></x:CompleteCertificateRefs><x:CompleteRevocationRefs Id=\"rr\"><x:CRLRefs><x:CRLRef>"
			    "<x:DigestAlgAndValue>", name + 4, ASN1_INTEGER_get(X509_get0_serialNumber(f->ca->x509)));
	add_digest_value(&f->props, DIGEST_SHA256, buf_slice(crl), "");
	buf_addf(&f->props, "</x:DigestAlgAndValue><x:CRLIdentifier><x:Issuer>CN=%s</x:Issuer><x:IssueTime>%s</x:IssueTime></x:CRLIdentifier></x:CRLRef>"
			    "</x:CRLRefs></x:CompleteRevocationRefs>", name + 4, when);
	f->n_props += 2;
}

/* ---- the world they live in ---- */

struct people {
	struct who ca, signer, brief, troot, tsa, tsa2;
};

#define CERTIFY(...) mini_cert(NULL, (struct spec){.key = "p256", __VA_ARGS__})

static void
people_up(struct people *p)
{
	static const char *const tsa_ext = "extendedKeyUsage=critical,timeStamping", *const use = "keyUsage=critical,nonRepudiation";

	p->ca = CERTIFY(.name = "forms ca", .ca = true, .from = T0 - YEAR, .to = T0 + 40 * YEAR, .serial = 1);
	p->signer = CERTIFY(.name = "forms signer", .issuer = &p->ca, .from = T0 - 30 * DAY, .to = T0 + YEAR, .serial = 2, .ext = {use});
	p->brief = CERTIFY(.name = "forms brief", .issuer = &p->ca, .from = T0 - 30 * DAY, .to = T0 + 4 * DAY, .serial = 3, .ext = {use});
	p->troot = CERTIFY(.name = "forms troot", .ca = true, .from = T0 - YEAR, .to = T0 + 40 * YEAR, .serial = 4);
	p->tsa = CERTIFY(.name = "forms tsa", .issuer = &p->troot, .from = T0 - YEAR, .to = T0 + 2 * YEAR, .serial = 5, .ext = {tsa_ext});
	p->tsa2 = CERTIFY(.name = "forms tsa2", .issuer = &p->troot, .from = T0 - YEAR, .to = T0 + 20 * YEAR, .serial = 6, .ext = {tsa_ext});
}

static void
people_down(struct people *p)
{
	struct who *all[] = {&p->ca, &p->signer, &p->brief, &p->troot, &p->tsa, &p->tsa2};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		who_free(all[i]);
}

/* What a form is made of, in this order. */
enum part { SIGNATURE_STAMP = 1, REFS = 2, X_ONE = 4, X_TWO = 8, VALUES = 16, ARCHIVE = 32, ARCHIVE_141 = 64, LISTED = 128, REVOKED = 256, BRIEF = 512,
	STAMP_AFTER = 1024 /* the signer's end or revocation */ };
static const struct {
	const char *name;
	unsigned version; /* 111, 122, 132 */
	unsigned parts;
	int64_t at; /* days after T0 */
} FORMS[] = {
    {"1.1.1 with a stamp", 111, SIGNATURE_STAMP | VALUES | LISTED, 3},
    {"1.1.1, ended", 111, SIGNATURE_STAMP | VALUES | LISTED, 500},
    {"1.1.1, revoked before the stamp", 111, SIGNATURE_STAMP | VALUES | LISTED | REVOKED | STAMP_AFTER, 7},
    {"1.1.1 with refs and an X stamp", 111, SIGNATURE_STAMP | REFS | X_ONE | VALUES | LISTED, 3},
    {"1.1.1, archived", 111, SIGNATURE_STAMP | REFS | VALUES | ARCHIVE | LISTED, 500},
    {"1.2.2 with a stamp", 122, SIGNATURE_STAMP | VALUES | LISTED, 3},
    {"1.2.2 with a stamp that lists nothing", 122, SIGNATURE_STAMP | VALUES, 3},
    {"1.2.2, revoked before the stamp", 122, SIGNATURE_STAMP | VALUES | LISTED | REVOKED | STAMP_AFTER, 7},
    {"1.2.2, ended before the stamp", 122, SIGNATURE_STAMP | VALUES | LISTED | BRIEF | STAMP_AFTER, 7},
    {"1.2.2 with refs and both X stamps", 122, SIGNATURE_STAMP | REFS | X_ONE | X_TWO | VALUES | LISTED, 3},
    {"1.2.2, archived", 122, SIGNATURE_STAMP | REFS | VALUES | ARCHIVE | LISTED, 500},
    {"C", 132, SIGNATURE_STAMP | REFS, 3},
    {"X type 1", 132, SIGNATURE_STAMP | REFS | X_ONE, 3},
    {"X type 2", 132, SIGNATURE_STAMP | REFS | X_TWO, 3},
    {"X-L type 1", 132, SIGNATURE_STAMP | REFS | X_ONE | VALUES, 3},
    {"X-L type 1, ended", 132, SIGNATURE_STAMP | REFS | X_ONE | VALUES, 500},
    {"X-L type 2", 132, SIGNATURE_STAMP | REFS | X_TWO | VALUES, 3},
    {"X-L, revoked before the stamps", 132, SIGNATURE_STAMP | REFS | X_ONE | X_TWO | VALUES | REVOKED | STAMP_AFTER, 7},
    {"A of 1.3.2", 132, SIGNATURE_STAMP | REFS | X_ONE | VALUES | ARCHIVE, 500},
    {"A of 1.4.1", 132, SIGNATURE_STAMP | REFS | X_TWO | VALUES | ARCHIVE_141, 800},
    {"A over the signature alone", 132, VALUES | ARCHIVE_141, 500},
    {"A, ended before any stamp", 132, SIGNATURE_STAMP | REFS | VALUES | ARCHIVE_141 | BRIEF | STAMP_AFTER, 500},
};

/* What each stamp lists, where the form lists. */
static const char *
listing(unsigned version, unsigned parts, const char *const ids, char *out, size_t n)
{
	char copy[64], *rest = copy, *id;

	out[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", ids);
	while ((parts & LISTED) != 0 && (id = strsep(&rest, " ")) != NULL)
		if (version == 111)
			snprintf(out + strlen(out), n - strlen(out), "<x:HashDataInfo uri=\"#%s\"><x:Transforms><ds:Transform Algorithm=\"" EXC
								      "\"></ds:Transform></x:Transforms></x:HashDataInfo>", id);
		else
			snprintf(out + strlen(out), n - strlen(out), "<x:Include URI=\"#%s\"></x:Include>", id);
	return out;
}

static void
one_form(const char *dir, const struct people *p, size_t i)
{
	unsigned v = FORMS[i].version, parts = FORMS[i].parts;
	struct form f = {.ns = v == 111 ? NS_X111 : v == 122 ? NS_X122 : NS_X132, .type = v == 111 ? NS_X111 "SignedProperties" :
	    v == 122 ? NS_X122 "SignedProperties" : "http://uri.etsi.org/01903#SignedProperties",
	    .signer = (parts & BRIEF) != 0 ? &p->brief : &p->signer, .ca = &p->ca};
	int64_t stamped = T0 + ((parts & STAMP_AFTER) != 0 ? 6 * DAY : DAY), listed = stamped + 3600;
	AUTO(buf) struct buf crl = {0}, tcrl = {0}, text = {0};
	char list[2048];

	crl_der(&crl, &p->ca, listed, (parts & REVOKED) != 0 ? f.signer : NULL, T0 + 5 * DAY, NULL);
	crl_der(&tcrl, &p->troot, listed, NULL, 0, NULL);
	sign(&f);
	if ((parts & SIGNATURE_STAMP) != 0)
		stamp(&f, "x:SignatureTimeStamp", listing(v, parts, "v", list, sizeof(list)), &p->tsa, stamped);
	if ((parts & REFS) != 0)
		references(&f, &crl, listed);
	if ((parts & X_ONE) != 0)
		stamp(&f, "x:SigAndRefsTimeStamp", listing(v, parts, "v t0 cr rr", list, sizeof(list)), &p->tsa2, listed + 3600);
	if ((parts & X_TWO) != 0)
		stamp(&f, "x:RefsOnlyTimeStamp", listing(v, parts, "cr rr", list, sizeof(list)), &p->tsa2, listed + 3600);
	if ((parts & VALUES) != 0) {
		certificate_values(&f, &p->ca, &p->troot);
		revocation_values(&f, &crl, &tcrl);
	}
	if ((parts & (ARCHIVE | ARCHIVE_141)) != 0)
		stamp(&f, (parts & ARCHIVE) != 0 ? "x:ArchiveTimeStamp" : "y:ArchiveTimeStamp", listing(v, parts, "v t0 cr rr cv rv o sp", list, sizeof(list)),
		    &p->tsa2, listed + 7200);
	text_of(&f, &text);
	make_row(dir, "forms", i, FORMS[i].name, buf_slice(&text), T0 + FORMS[i].at * DAY, "default");
	form_release(&f);
}

void
make_forms(const char *dir)
{
	struct people p;

	people_up(&p);
	make_anchor(dir, "forms", "ca.signer", &p.ca);
	make_anchor(dir, "forms", "troot.tsa", &p.troot);
	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++)
		one_form(dir, &p, i);
	people_down(&p);
}
