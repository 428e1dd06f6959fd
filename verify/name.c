/* SPDX-License-Identifier: MIT */
/* Names and GeneralNames: comparing as RFC 5280 7.1 asks, and showing. */
#include "verify/pki_int.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509.h>

/* What is folded away by RFC 5280 7.1 (case, white space) or may be coded in two ways (beyond ASCII) does not enter the hash. */
static uint64_t
hash_value(uint64_t h, const struct ber *v)
{
	size_t step = v->tag == 0x1e ? 2 : 1, i; /* BMPString */

	for (i = step - 1; i < v->body.n; i += step) {
		if (step == 2 && v->body.p[i - 1] != 0)
			continue;
		if (v->body.p[i] < 0x80 && isalnum(v->body.p[i]))
			h = (h ^ (uint64_t)tolower(v->body.p[i])) * UINT64_C(0x100000001b3);
	}
	return h;
}

uint64_t
name_hash(struct slice name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	struct cur top = cur_from(name), rdns, rdn, pair;
	struct ber oid, value;
	uint64_t sum;
	size_t i;

	for (ber_enter(&top, BER_SEQUENCE, &rdns); !rdns.failed && !cur_at_end(&rdns);) {
		sum = 0; /* a SET's order may differ */
		for (ber_enter(&rdns, BER_SET, &rdn); !rdn.failed && !cur_at_end(&rdn);) {
			uint64_t one = UINT64_C(0xcbf29ce484222325);

			ber_enter(&rdn, BER_SEQUENCE, &pair);
			ber_take(&pair, BER_OID, &oid);
			if (pair.failed || !ber_next(&pair, &value))
				break;
			for (i = 0; i < oid.body.n; i++)
				one = (one ^ oid.body.p[i]) * UINT64_C(0x100000001b3);
			if (value.tag != 0x1c) /* UniversalString: four octets a character, never met */
				one = hash_value(one, &value);
			sum += one;
		}
		h = (h ^ sum) * UINT64_C(0x100000001b3);
	}
	return h;
}

static X509_NAME *
name_decode(struct slice name)
{
	const uint8_t *p = name.p;
	X509_NAME *n = d2i_X509_NAME(NULL, &p, (long)name.n);

	ERR_clear_error();
	return n;
}

char *
pki_name_text(struct slice name)
{
	X509_NAME *n = name_decode(name);
	BIO *bio = n != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL, *at = NULL;
	long len;

	if (bio != NULL && X509_NAME_print_ex(bio, n, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(bio, &at);
		text = mem_dup(at != NULL ? at : "", len > 0 ? (size_t)len : 0);
	}
	BIO_free(bio);
	X509_NAME_free(n);
	ERR_clear_error();
	if (text == NULL && n == NULL) {
		AUTO(buf) struct buf hex = {0};

		buf_adds(&hex, "#");
		buf_addhex(&hex, name);
		text = mem_dupstr(buf_str(&hex));
	}
	return text;
}

bool
pki_name_eq(struct slice a, struct slice b)
{
	X509_NAME *x, *y;
	bool same;

	if (slice_eq(a, b))
		return true;
	if (name_hash(a) != name_hash(b))
		return false;
	x = name_decode(a);
	y = name_decode(b);
	same = x != NULL && y != NULL && X509_NAME_cmp(x, y) == 0;
	X509_NAME_free(x);
	X509_NAME_free(y);
	ERR_clear_error();
	return same;
}

bool
general_name_in(const struct ber *name, struct slice list)
{
	struct cur c = cur_from(list);
	struct ber one;

	while (!cur_at_end(&c) && ber_next(&c, &one)) {
		if (one.tag != name->tag)
			continue;
		if (slice_eq(one.body, name->body) || (one.tag == BER_CTXC(4) && pki_name_eq(one.body, name->body)))
			return true;
	}
	return false;
}
