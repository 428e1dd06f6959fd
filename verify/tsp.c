/* SPDX-License-Identifier: MIT */
/* What is said to a TSA, and what it answers (RFC 3161 2.4). */
#include "verify/pki_int.h"

#include <ctype.h>
#include <string.h>

enum err_code
tsp_request(const struct digest *imprint, struct slice nonce, const char *policy_oid, struct buf *out, struct err *e)
{
	AUTO(buf) struct buf mi = {0}, body = {0};

	if (nonce.n < 8 || nonce.n > 20 || nonce.p[0] == 0 || nonce.p[0] > 0x7f)
		return err_set(e, ERR_USAGE, "TSP nonce of %zu octets: 8 to 20, positive without a leading zero", nonce.n);
	if (digest_row(imprint->alg) == NULL)
		return err_set(e, ERR_USAGE, "TSP imprint without a known digest algorithm");
	ber_put(&body, BER_INTEGER, slice_of("\1", 1));
	ber_put_digest_alg(&mi, imprint->alg);
	ber_put(&mi, BER_OCTET_STRING, digest_slice(imprint));
	ber_put_buf(&body, BER_SEQUENCE, &mi);
	if (policy_oid != NULL)
		ber_put_oid(&body, policy_oid);
	ber_put(&body, BER_INTEGER, nonce);
	ber_put(&body, BER_BOOLEAN, slice_of("\xff", 1)); /* certReq */
	if (body.failed)
		return err_set(e, ERR_USAGE, "TSP policy %s is no OID", policy_oid != NULL ? policy_oid : "");
	ber_put_buf(out, BER_SEQUENCE, &body);
	return buf_ok(out, e);
}

static const char *
status_word(int64_t status)
{
	static const char *const words[] = {
	    "granted", "grantedWithMods", "rejection", "waiting", "revocationWarning", "revocationNotification"};

	return status >= 0 && status <= 5 ? words[status] : "an unknown status";
}

static const char *
fail_word(int bit)
{
	switch (bit) {
	case 0:
		return ", badAlg";
	case 2:
		return ", badRequest";
	case 5:
		return ", badDataFormat";
	case 14:
		return ", timeNotAvailable";
	case 15:
		return ", unacceptedPolicy";
	case 16:
		return ", unacceptedExtension";
	case 17:
		return ", addInfoNotAvailable";
	case 25:
		return ", systemFailure";
	default:
		return bit < 0 ? "" : ", an unknown reason";
	}
}

/* The first bit that is set; bit 0 is the highest of the first octet. */
static int
first_bit(struct slice octets)
{
	size_t i;

	for (i = 0; i < octets.n * 8 && i < 256; i++)
		if (octets.p[i / 8] >> (7 - i % 8) & 1)
			return (int)i;
	return -1;
}

/* The TSA's own words, as far as they are plain. */
static void
read_text(struct slice strings, char *out, size_t room)
{
	struct cur c = cur_from(strings);
	struct ber text;
	size_t i;

	out[0] = '\0';
	if (!ber_next(&c, &text))
		return;
	for (i = 0; i < text.body.n && i + 1 < room; i++)
		out[i] = (char)(isprint(text.body.p[i]) && text.body.p[i] < 0x80 ? text.body.p[i] : '?');
	out[i] = '\0';
}

static enum err_code
rejected(int64_t status, int fail_info, struct slice strings, struct err *e)
{
	char text[120];

	read_text(strings, text, sizeof(text));
	return err_set(e, ERR_REMOTE, "the TSA answers %s%s%s%s", status_word(status), fail_word(fail_info),
	    text[0] != '\0' ? ": " : "", text);
}

enum err_code
tsp_response(struct slice der, struct slice *token, int *status, int *fail_info, struct err *e)
{
	struct cur top = cur_from(der), resp, info;
	struct ber number, strings, bits, ci;
	struct slice octets;
	unsigned unused;
	int64_t n;

	*token = (struct slice){0};
	*status = *fail_info = -1;
	ber_enter(&top, BER_SEQUENCE, &resp);
	ber_enter(&resp, BER_SEQUENCE, &info);
	if (!ber_take(&info, BER_INTEGER, &number) || !ber_int64(number.body, &n) || n < 0 || n > INT32_MAX)
		return err_set(e, ERR_FORMAT, "not a TimeStampResp");
	ber_opt(&info, BER_SEQUENCE, &strings);
	if (ber_opt(&info, BER_BIT_STRING, &bits) && ber_bits(bits.body, &octets, &unused))
		*fail_info = first_bit(octets);
	ber_opt(&resp, BER_SEQUENCE, &ci);
	if (!cur_at_end(&info) || !cur_at_end(&resp) || !cur_at_end(&top))
		return err_set(e, ERR_FORMAT, "not a TimeStampResp: octets follow");
	*status = (int)n;
	if (n > 1)
		return rejected(n, *fail_info, strings.body, e); /* a token beside it is ignored */
	if (ci.whole.n == 0)
		return err_set(e, ERR_FORMAT, "TimeStampResp says %s and holds no token", status_word(n));
	*token = ci.whole;
	return ERR_OK;
}
