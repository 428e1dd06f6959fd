/* SPDX-License-Identifier: MIT */
#include "tests/pki/pki.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>

void
serial_text(const ASN1_INTEGER *serial, char out[PKI_NAME])
{
	AUTO(pki_bn) BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	uint8_t octets[40] = {0};
	int size = n != NULL && BN_num_bytes(n) <= (int)sizeof(octets)
		       ? BN_bn2bin(n, octets)
		       : 0;

	hex_of(slice_of(octets, (size_t)size), out);
}

/* Nine octets: xs:integer of libxml2's schema checker ends at 24 digits, and
 * XAdES writes serials in decimal. */
static bool
set_serial(X509 *cert)
{
	uint8_t octets[9];
	AUTO(pki_bn) BIGNUM *n = NULL;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] = (uint8_t)((octets[0] & 0x3f) | 0x40);
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	return n != NULL &&
	       BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
}

static bool
set_name(X509 *cert, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(cert);
	static const char *const fixed[][2] = {
	    {"C", "HU"}, {"O", "Everseal Test PKI"}};

	for (size_t i = 0; i < 2; i++)
		if (X509_NAME_add_entry_by_txt(name, fixed[i][0], MBSTRING_UTF8,
			(const uint8_t *)fixed[i][1], -1, -1, 0) != 1)
			return false;
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		   (const uint8_t *)cn, -1, -1, 0) == 1;
}

static bool
add_ext(X509 *cert, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	AUTO(pki_ext) X509_EXTENSION *ext = NULL;

	X509V3_set_ctx(&ctx, (X509 *)(issuer != NULL ? issuer : cert), cert,
	    NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	return ext != NULL && X509_add_ext(cert, ext, -1) == 1;
}

static bool
add_role(X509 *cert, const X509 *issuer, enum role role)
{
	static const struct {
		const char *constraints, *usage, *extended;
	} rows[] = {
	    [ROLE_ROOT] = {"critical,CA:TRUE", "critical,keyCertSign,cRLSign",
		NULL},
	    [ROLE_CA] = {"critical,CA:TRUE,pathlen:0",
		"critical,keyCertSign,cRLSign", NULL},
	    [ROLE_TSA] = {"critical,CA:FALSE", "critical,digitalSignature",
		"critical,timeStamping"},
	    [ROLE_OCSP] = {"critical,CA:FALSE", "critical,digitalSignature",
		"OCSPSigning"},
	    [ROLE_OCSP_NO_EKU] = {"critical,CA:FALSE",
		"critical,digitalSignature", NULL},
	    [ROLE_EE] = {"critical,CA:FALSE", "critical,nonRepudiation", NULL},
	};

	if (!add_ext(
		cert, issuer, NID_basic_constraints, rows[role].constraints) ||
	    !add_ext(cert, issuer, NID_key_usage, rows[role].usage))
		return false;
	return rows[role].extended == NULL ||
	       add_ext(cert, issuer, NID_ext_key_usage, rows[role].extended);
}

/* Where status and issuer can be had. Self-signed ones name nothing. */
static bool
add_urls(const struct pki *p, X509 *cert, const struct authority *issuer,
    const struct template *t)
{
	char text[512];

	snprintf(text, sizeof(text),
	    "caIssuers;URI:http://127.0.0.1:%d/ca/%s.crt", p->port, issuer->id);
	if (t->ocsp)
		snprintf(text, sizeof(text),
		    "OCSP;URI:http://127.0.0.1:%d/ocsp/%s,caIssuers;URI:http://127.0.0.1:%d/ca/%s.crt",
		    p->port, issuer->id, p->port, issuer->id);
	if (!add_ext(cert, issuer->cert, NID_info_access, text))
		return false;
	snprintf(text, sizeof(text), "URI:http://127.0.0.1:%d/crl/%s.crl",
	    p->port, issuer->id);
	return !t->crl ||
	       add_ext(cert, issuer->cert, NID_crl_distribution_points, text);
}

static bool
add_extensions(const struct pki *p, X509 *cert, const struct authority *issuer,
    const struct template *t)
{
	const X509 *above = issuer != NULL ? issuer->cert : NULL;

	if (!add_role(cert, above, t->role) ||
	    !add_ext(cert, above, NID_subject_key_identifier, "hash"))
		return false;
	if (t->nocheck &&
	    !add_ext(cert, above, NID_id_pkix_OCSP_noCheck, "ignored"))
		return false;
	if (issuer == NULL)
		return true;
	return add_ext(
		   cert, above, NID_authority_key_identifier, "keyid:always") &&
	       add_urls(p, cert, issuer, t);
}

static bool
set_times(X509 *cert, const struct template *t)
{
	return ASN1_TIME_adj(X509_getm_notBefore(cert), (time_t)t->from_utc, 0,
		   0) != NULL &&
	       ASN1_TIME_adj(X509_getm_notAfter(cert), (time_t)t->until_utc, 0,
		   0) != NULL;
}

enum err_code
cert_make(const struct pki *p, const struct template *t, EVP_PKEY *key,
    const struct authority *issuer, X509 **out, struct err *e)
{
	AUTO(pki_x509) X509 *cert = X509_new();
	EVP_PKEY *by = issuer != NULL ? issuer->key : key;

	if (cert == NULL)
		return err_nomem(e);
	if (X509_set_version(cert, 2) != 1 || !set_serial(cert) ||
	    !set_name(cert, t->cn) || !set_times(cert, t) ||
	    X509_set_pubkey(cert, key) != 1 ||
	    X509_set_issuer_name(cert,
		X509_get_subject_name(issuer != NULL ? issuer->cert : cert)) !=
		1 ||
	    !add_extensions(p, cert, issuer, t))
		return err_openssl(e, ERR_BUG, "certificate of %s", t->cn);
	if (X509_sign(cert, by, key_digest(by)) == 0)
		return err_openssl(
		    e, ERR_BUG, "signing the certificate of %s", t->cn);
	*out = TAKE(cert);
	return ERR_OK;
}

enum err_code
cert_load(const char *path, X509 **out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(pki_bio) BIO *bio = NULL;

	if (pki_read(path, &text, e) != ERR_OK)
		return e->code;
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	if (bio == NULL ||
	    (*out = PEM_read_bio_X509(bio, NULL, NULL, NULL)) == NULL)
		return err_openssl(
		    e, ERR_FORMAT, "%s: not a certificate", path);
	return ERR_OK;
}

enum err_code
cert_save(const char *path, const X509 *cert, struct err *e)
{
	AUTO(pki_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
		return err_openssl(e, ERR_BUG, "%s: certificate", path);
	n = BIO_get_mem_data(bio, &p);
	return pki_write(path, slice_of(p, (size_t)n), e);
}

enum err_code
cert_der(const X509 *cert, struct buf *out, struct err *e)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n <= 0)
		return err_openssl(e, ERR_BUG, "certificate encoding");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_ok(out, e);
}

void
der_put(struct buf *b, uint8_t tag, struct slice body)
{
	uint8_t size[sizeof(size_t)];
	int n = 0;

	buf_add8(b, tag);
	if (body.n < 0x80) {
		buf_add8(b, (unsigned)body.n);
	} else {
		for (size_t left = body.n; left > 0; left >>= 8)
			size[n++] = (uint8_t)left;
		buf_add8(b, 0x80u | (unsigned)n);
		while (n > 0)
			buf_add8(b, size[--n]);
	}
	buf_addslice(b, body);
}
