/* SPDX-License-Identifier: MIT */
/* Requests to a TSA and its answers, by vectors. */
#include "tests/mini_token.h"

static void
request_vector(void **state)
{
	static const char want[] =
	    "30430201013031300d060960864801650304020105000420bb0e4f49443794d901e8969ff11bd112e34208a0dcdf0e1eedb480cc9b3c7293"
	    "020801020304050607080101ff";
	AUTO(buf) struct buf out = {0}, hex = {0}, with_policy = {0};
	struct slice nonce = slice_of("\1\2\3\4\5\6\7\x08", 8);
	struct digest d;
	struct err e = {0};

	(void)state;
	OK(digest_once(DIGEST_SHA256, slice_str("doc-1"), &d, &e));
	OK(tsp_request(&d, nonce, NULL, &out, &e));
	buf_addhex(&hex, buf_slice(&out));
	assert_string_equal(buf_str(&hex), want);
	assert_int_equal(out.n, 69);
	OK(tsp_request(&d, nonce, "1.2.3.4", &with_policy, &e));
	assert_int_equal(with_policy.n, 74);
	assert_int_equal(tsp_request(&d, nonce, "policy", &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\0\2\3\4\5\6\7\x08", 8), NULL, &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\x80\2\3\4\5\6\7\x08", 8), NULL, &out, &e), ERR_USAGE);
	assert_int_equal(tsp_request(&d, slice_of("\1\2\3\4\5\6\7", 7), NULL, &out, &e), ERR_USAGE);
}

static void
rejection_vectors(void **state)
{
	static const struct {
		const char *name, *hex;
		int bit;
	} rows[] = {
	    {"badAlg", "3009300702010203020780", 0},
	    {"badRequest", "3009300702010203020520", 2},
	    {"badDataFormat", "3009300702010203020204", 5},
	    {"timeNotAvailable", "300a30080201020303010002", 14},
	    {"unacceptedPolicy", "300a30080201020303000001", 15},
	    {"unacceptedExtension", "300b3009020102030407000080", 16},
	    {"addInfoNotAvailable", "300b3009020102030406000040", 17},
	    {"systemFailure", "300c300a02010203050600000040", 25},
	};
	uint8_t der[32];
	struct slice token;
	struct err e = {0};
	int status, bit;
	size_t i, n, cut;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = strlen(rows[i].hex) / 2;
		assert_true(hex_to(rows[i].hex, 2 * n, der));
		assert_int_equal(tsp_response(slice_of(der, n), &token, &status, &bit, &e), ERR_REMOTE);
		if (status != 2 || bit != rows[i].bit || strstr(e.text, rows[i].name) == NULL || token.n != 0)
			fail_msg("%s: status %d bit %d %s", rows[i].name, status, bit, e.text);
		for (cut = 0; cut < n; cut++)
			assert_int_equal(tsp_response(slice_of(der, cut), &token, &status, &bit, &e), ERR_FORMAT);
	}
}

static void
responses(void **state)
{
	AUTO(house) struct house h = {0};
	AUTO(buf) struct buf der = {0}, info = {0}, body = {0}, whole = {0};
	const struct token *t, *direct;
	struct slice token;
	struct err e = {0};
	int status, bit, n;

	(void)state;
	house_fill(&h, (struct spec){0});
	token_make(&der, (struct token_spec){.tsa = &h.tsa});
	for (n = 0; n <= 6; n++) {
		buf_clear(&info);
		buf_clear(&body);
		buf_clear(&whole);
		put_int(&info, (unsigned)n);
		ber_put_buf(&body, BER_SEQUENCE, &info);
		buf_addslice(&body, buf_slice(&der));
		ber_put_buf(&whole, BER_SEQUENCE, &body);
		if (n > 1) { /* a token beside a refusal is ignored */
			assert_int_equal(tsp_response(buf_slice(&whole), &token, &status, &bit, &e), ERR_REMOTE);
			assert_int_equal(status, n);
			assert_int_equal(token.n, 0);
			continue;
		}
		OK(tsp_response(buf_slice(&whole), &token, &status, &bit, &e));
		assert_true(status == n && bit == -1 && slice_eq(token, buf_slice(&der)) && token.p > whole.p && token.p < whole.p + whole.n);
	}
	buf_clear(&info);
	buf_clear(&body);
	buf_clear(&whole);
	put_int(&info, 0);
	ber_put_buf(&body, BER_SEQUENCE, &info);
	buf_addslice(&body, buf_slice(&der));
	ber_put_buf(&whole, BER_SEQUENCE, &body);
	/* the whole answer where a token should stand */
	OK(pki_token(h.p, buf_slice(&der), &direct, &e));
	{
		AUTO(pki) struct pki *p = NULL;

		OK(pki_new(&p, &e));
		OK(pki_token(p, buf_slice(&whole), &t, &e));
		assert_true(t->was_response);
		assert_true(slice_eq(t->der, direct->der) && memcmp(t->sha256, direct->sha256, 32) == 0);
		OK(pki_token(p, buf_slice(&whole), &direct, &e));
		assert_ptr_equal(t, direct);
	}
	buf_add8(&whole, 0);
	assert_int_equal(tsp_response(buf_slice(&whole), &token, &status, &bit, &e), ERR_FORMAT);
	assert_int_equal(tsp_response(slice_str("<html>no</html>"), &token, &status, &bit, &e), ERR_FORMAT);
	assert_int_equal(tsp_response(slice_of("\x30\x05\x30\x03\x02\x01\x00", 7), &token, &status, &bit, &e), ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_vector),
	    cmocka_unit_test(rejection_vectors),
	    cmocka_unit_test(responses),
	};

	return cmocka_run_group_tests_name("tsp", tests, NULL, NULL);
}
