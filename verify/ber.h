/* SPDX-License-Identifier: MIT */
/*
 * Reading ASN.1 where it stands: BER with definite or indefinite lengths, one
 * octet tags, nothing copied. Used for certificates, CRLs, OCSP and CMS, whose
 * signed octets must stay as they were received.
 *
 *	struct cur seq, top = cur_from(der);
 *	ber_enter(&top, BER_SEQUENCE, &seq);
 *	ber_take(&seq, BER_INTEGER, &serial);
 *	if (seq.failed || top.failed || !cur_at_end(&top)) ...
 *
 * A failed cursor gives empty elements, so one may read straight down.
 */
#ifndef EVERSEAL_VERIFY_BER_H
#define EVERSEAL_VERIFY_BER_H

#include "base/bytes.h"
#include "base/digest.h"

enum ber_tag {
	BER_BOOLEAN = 0x01,
	BER_INTEGER = 0x02,
	BER_BIT_STRING = 0x03,
	BER_OCTET_STRING = 0x04,
	BER_NULL = 0x05,
	BER_OID = 0x06,
	BER_ENUMERATED = 0x0a,
	BER_UTF8 = 0x0c,
	BER_UTC_TIME = 0x17,
	BER_GENERALIZED_TIME = 0x18,
	BER_SEQUENCE = 0x30,
	BER_SET = 0x31
};
/* Context tags, primitive and constructed. */
#define BER_CTX(n) (0x80 | (n))
#define BER_CTXC(n) (0xa0 | (n))

struct ber {
	uint8_t tag;
	struct slice body;  /* without header and, if indefinite, without the end mark */
	struct slice whole; /* all of it */
};

/* The next element. Indefinite lengths nest at most 16 deep. False and c failed if there is none. */
bool ber_next(struct cur *c, struct ber *out);
/* The next element, which must have this tag. */
bool ber_take(struct cur *c, uint8_t tag, struct ber *out);
/* The same, and a cursor over its body. When it fails, in is a failed cursor. */
bool ber_enter(struct cur *c, uint8_t tag, struct cur *in);
/* True and taken if the next element has this tag; false without moving or failing otherwise. */
bool ber_opt(struct cur *c, uint8_t tag, struct ber *out);
bool ber_at(const struct cur *c, uint8_t tag);
bool cur_at_end(const struct cur *c); /* nothing left and not failed */

/* Dotted text, "" if it is no OID or longer than the array. */
#define OID_TEXT 80
void ber_oid_text(struct slice body, char out[OID_TEXT]);
bool ber_oid_is(struct slice body, const char *dotted);
/* Dotted text to content octets; false if it is no OID. */
bool ber_oid_make(const char *dotted, struct buf *out);

/* INTEGER content without needless leading octets, so that equal numbers are equal octets. */
struct slice ber_int_canonical(struct slice body);
/* False if it does not fit. */
bool ber_int64(struct slice body, int64_t *out);
/* Number of bits, taken as unsigned: RSA moduli without the leading zero octet are met (Estonian cards). 0 for zero. */
unsigned ber_int_bits(struct slice body);
/* BIT STRING content without the unused-bits octet. unused NULL: there must be none. False if malformed. */
bool ber_bits(struct slice body, struct slice *out, unsigned *unused);
/*
 * UTCTime or GeneralizedTime to seconds: seconds may be missing, offsets are applied, a fraction is cut off.
 * TIME_NONE if unreadable. micros may be NULL; strict (RFC 3161 2.4.2: YYYYMMDDhhmmss[.f]Z, fraction without trailing zero) may be NULL.
 */
int64_t ber_time(uint8_t tag, struct slice body, uint32_t *micros, bool *strict);
/* Octets of an OCTET STRING, primitive (borrowed) or constructed (joined into scratch). implicit_tag: 0x04 or a context tag, without the constructed bit. */
bool ber_octets(const struct ber *b, uint8_t implicit_tag, struct buf *scratch, struct slice *out);
/* AlgorithmIdentifier of a digest; DIGEST_NONE if unknown. Parameters must be absent or NULL. */
enum digest_alg ber_digest_alg(struct slice algorithm_body);

/* Writing: header for n octets; element with its content. Failure is the buf's, sticky. */
void ber_put_header(struct buf *b, uint8_t tag, size_t n);
void ber_put(struct buf *b, uint8_t tag, struct slice body);
/* As ber_put; out fails when in had failed. */
void ber_put_buf(struct buf *out, uint8_t tag, const struct buf *in);
void ber_put_oid(struct buf *b, const char *dotted);
void ber_put_digest_alg(struct buf *b, enum digest_alg alg); /* parameters NULL */

#endif
