/* SPDX-License-Identifier: MIT */
/* What the caged judge does not judge or does not let in: documents, tokens and answers that are not good. */
#include "tests/flow_world.h"

/* Above the configured size nothing is parsed; what it is, is still told. */
static void
too_large(void **state)
{
	AUTO(flow) struct flow f = signed_by("big", "--shape enveloped --key ecdsa");
	AUTO(caged) struct caged *c = NULL;
	AUTO(json) json_t *add = json_array(), *out = NULL;
	struct caged_setup setup = {.anchors = w.anchors, .policy = &w.policy, .max_document_bytes = 1000};
	struct err e = {0};
	(void)state;
	OK(caged_start(&setup, &c, &e));
	f.caged = c;
	OK(flow_judge(&f, 0, &e));
	assert_string_equal(flow_str(json_object_get(f.judge, "report"), "status"), "too_large");
	assert_string_equal(flow_str(f.judge, "form"), "xml");
	FAILS(ERR_UNSUPPORTED, flow_extend(&f, 0, add, "T", &out, &e));
	setup.max_document_bytes = 0;
	OK(caged_restart(c, &setup, &e));
	OK(flow_judge(&f, 0, &e));
	assert_string_equal(flow_str(f.judge, "form"), "xades");
}

/* Many files by one call; what has to be judged is null. */
static void
sniffed(void **state)
{
	struct slice heads[200];
	bool whole[200];
	AUTO(json) json_t *forms = NULL;
	struct err e = {0};
	(void)state;
	for (size_t i = 0; i < 200; i++) {
		heads[i] = slice_str(i % 4 == 0 ? "%PDF-1.4" : i % 4 == 1 ? "PK\3\4" : i % 4 == 2 ? "<a/>" : "data");
		whole[i] = i >= 100;
	}
	OK(caged_sniff(w.caged, heads, whole, 200, &forms, &e));
	assert_int_equal(json_array_size(forms), 200);
	for (size_t i = 0; i < 200; i++) {
		const char *form = json_string_value(json_array_get(forms, i));
		const char *want = i % 4 == 0 ? "pdf" : i % 4 == 2 || (i % 4 == 1 && !whole[i]) ? NULL : "data";
		if (want == NULL ? form != NULL : form == NULL || strcmp(form, want) != 0)
			fail_msg("file %zu is %s", i, form != NULL ? form : "to be judged");
	}
}

/* Octets that are not those that were hashed get no verdict, be they the document's or a file's beside it. */
static void
changed(void **state)
{
	AUTO(flow) struct flow f = signed_by("changed", "--shape detached --key ecdsa");
	AUTO(json) json_t *out = NULL, *again = NULL;
	struct caged_doc doc;
	struct err e = {0};
	uint8_t noise[32] = {7}, main_sha[32], side_sha[32], other[32] = {1};
	AUTO(buf) struct buf side = {0};
	struct source s;
	(void)state;
	OK(flow_judge(&f, 0, &e));
	AUTO(mem) char *name = mem_dupstr(flow_str(json_array_get(json_object_get(json_array_get(json_object_get(json_object_get(
	    f.judge, "report"), "signatures"), 0), "references"), 0), "uri"));
	f.side[f.n_side++].name = name;
	OK(sys_open_read(w.dir.fd, name, &f.side[0].fd, &e));
	OK(digest_sha256(buf_slice(&f.file), main_sha, &e));
	OK(source_fd(&f.side[0].fd, &s, &e));
	OK(source_read_all(&s, 1 << 20, &side, &e));
	OK(digest_sha256(buf_slice(&side), side_sha, &e));
	OK(flow_doc(&f, &doc, &e));
	doc.main.sha256 = main_sha;
	f.side[0].sha256 = side_sha;
	OK(caged_judge(w.caged, &doc, slice_of(NULL, 0), f.now_utc, 0, slice_of(noise, 32), &out, &e));
	f.side[0].sha256 = other;
	FAILS(ERR_DAMAGED, caged_judge(w.caged, &doc, slice_of(NULL, 0), f.now_utc, 0, slice_of(noise, 32), &again, &e));
	f.side[0].sha256 = side_sha;
	doc.main.sha256 = other;
	FAILS(ERR_DAMAGED, caged_judge(w.caged, &doc, slice_of(NULL, 0), f.now_utc, 0, slice_of(noise, 32), &again, &e));
	close(doc.main.fd);
}

static void
refused(void **state)
{
	AUTO(flow) struct flow closed = signed_by("closed", "--shape enveloping --key ecdsa");
	AUTO(flow) struct flow broken = signed_by("broken", "--shape enveloped --key ecdsa --tamper");
	AUTO(flow) struct flow cut = signed_by("cut", "--shape enveloped --key ecdsa");
	AUTO(json) json_t *add = json_array(), *twice = json_array(), *out = NULL;
	struct err e = {0};
	(void)state;
	replace(&closed, "</xades:SignedProperties>", "</xades:SignedProperties><xades:UnsignedProperties/>");
	FAILS(ERR_UNSUPPORTED, flow_extend(&closed, 0, add, "T", &out, &e));
	OK(flow_judge(&closed, 0, &e));
	assert_string_equal(flow_str(json_array_get(json_object_get(closed.judge, "signatures"), 0), "row"), "closed");
	FAILS(ERR_UNSUPPORTED, flow_extend(&broken, 0, add, "T", &out, &e));
	OK(flow_judge(&broken, 0, &e));
	assert_string_equal(flow_str(json_array_get(json_object_get(broken.judge, "signatures"), 0), "row"), "failed");
	/* A token for something else does not get in. */
	struct digest other;
	OK(digest_once(DIGEST_SHA512, slice_str("other"), &other, &e));
	AUTO(json) json_t *token = NULL;
	OK(flow_token(&cut, "tsa1", &other, &token, &e));
	assert_string_equal(flow_str(token, "class"), "good");
	json_array_append_new(twice, json_pack("{s:s, s:O}", "do", "T", "token", json_object_get(token, "token")));
	FAILS(ERR_REFUSED, flow_apply(&cut, 0, twice, NULL, &e));
	/* Not parseable is data; a DTD is refused; empty is refused. */
	cut.file.n -= 20;
	OK(flow_judge(&cut, 0, &e));
	assert_string_equal(flow_str(cut.judge, "form"), "data");
	assert_string_equal(flow_str(json_object_get(cut.judge, "report"), "status"), "no_signature");
	buf_clear(&cut.file);
	FAILS(ERR_REFUSED, flow_judge(&cut, 0, &e));
	buf_adds(&cut.file, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>");
	FAILS(ERR_REFUSED, flow_judge(&cut, 0, &e));
	buf_clear(&cut.file);
	buf_adds(&cut.file, "%PDF-1.7\nhello");
	OK(flow_judge(&cut, 0, &e));
	assert_string_equal(flow_str(cut.judge, "form"), "pdf");
}

/* ---- tokens and answers that are not good ---- */

static void
bad_tokens(void **state)
{
	static const struct {
		const char *mode, *class;
	} rows[] = {{"wrong-nonce", "refused"}, {"no-nonce", "refused"}, {"wrong-imprint", "refused"}, {"badalg", "config"},
	    {"try-later", "retry"}, {"late", "alarm"}, {"garbage", "refused"}, {"cutoff", ""}, {"html", "refused"},
	    {"expired-tsa", "refused"}};
	struct flow f = {.pki = &w.pki, .caged = w.caged};
	struct err e = {0};
	struct digest d;
	(void)state;
	at(&f, START);
	OK(material_new(&f.material, &e));
	OK(digest_once(DIGEST_SHA256, slice_str("x"), &d, &e));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) json_t *token = NULL;
		assert_true(pki_run(&w.pki, "misbehave pki --service tsa1 --mode %s --count 1", rows[i].mode));
		enum err_code rc = flow_token(&f, "tsa1", &d, &token, &e);
		assert_true(pki_run(&w.pki, "misbehave pki --clear"));
		if (rows[i].class[0] == '\0') {
			assert_int_equal(rc, ERR_REMOTE);
			continue;
		}
		if (rc != ERR_OK || strcmp(flow_str(token, "class"), rows[i].class) != 0)
			fail_msg("%s: %s, %s %s", rows[i].mode, e.text, flow_str(token, "class"), flow_str(token, "why"));
		assert_true(flow_str(token, "why")[0] != '\0');
	}
	flow_release(&f);
}

/* The class that the first revocation want of a fresh signature gets, under a misbehaviour. */
static void
answer_class(const char *name, const char *service, const char *mode, const char *class)
{
	AUTO(flow) struct flow f = signed_by(name, strcmp(service, "crl") == 0 ? "--key ecdsa --ca ca2" : "--key ecdsa --ca ca1");
	struct err e = {0};
	char got_class[32] = "";
	bool got = false;
	size_t i;
	json_t *want;
	OK(flow_judge(&f, 0, &e));
	assert_true(pki_run(&w.pki, "misbehave pki --service %s --mode %s", service, mode));
	json_array_foreach (json_object_get(f.judge, "wants"), i, want)
		if (strcmp(flow_str(want, "kind"), "revocation") == 0 && !json_is_true(json_object_get(want, "ca")))
			OK(flow_fetch(&f, want, &got, got_class, &e));
	assert_true(pki_run(&w.pki, "misbehave pki --clear"));
	if (strcmp(got_class, class) != 0)
		fail_msg("%s %s: class \"%s\", expected %s", service, mode, got_class, class);
}

static void
bad_answers(void **state)
{
	(void)state;
	answer_class("a1", "ocsp", "no-nonce", "good");
	answer_class("a2", "ocsp", "unknown", "unknown");
	answer_class("a3", "ocsp", "unauthorised-responder", "unauthorised");
	answer_class("a4", "ocsp", "no-eku", "unauthorised");
	answer_class("a5", "ocsp", "try-later", "retry");
	answer_class("a7", "ocsp", "html", "refused");
	answer_class("a8", "crl", "stale-crl", "stale");
	answer_class("a9", "crl", "garbage", "refused");
}

static void
revoked(void **state)
{
	AUTO(flow) struct flow f = signed_by("rev", "--key ecdsa --ca ca1");
	struct err e = {0};
	(void)state;
	assert_true(pki_run(&w.pki, "revoke pki --name rev"));
	at(&f, "2026-01-02T00:00:00Z");
	OK(flow_gather(&f, 0, &e));
	const json_t *s = json_array_get(json_object_get(f.judge, "signatures"), 0);
	assert_string_equal(said(&f, 0, "indication"), "INDETERMINATE");
	assert_string_equal(said(&f, 0, "subindication"), "REVOKED_NO_POE");
	assert_string_equal(flow_str(s, "path"), "stamp");
}

/* The job of a TSA certificate: from a bare token to its whole closure. */
static void
tsa_material(void **state)
{
	AUTO(flow) struct flow f = {.pki = &w.pki, .caged = w.caged};
	AUTO(json) json_t *token = NULL, *out = NULL;
	AUTO(buf) struct buf der = {0};
	struct err e = {0};
	struct digest d;
	uint8_t noise[32] = {9};
	(void)state;
	at(&f, START);
	OK(material_new(&f.material, &e));
	OK(digest_once(DIGEST_SHA256, slice_str("x"), &d, &e));
	OK(flow_token(&f, "tsa1", &d, &token, &e));
	assert_string_equal(flow_str(token, "class"), "good");
	OK(base64_to(slice_str(flow_str(token, "token")), &der, &e));
	at(&f, "2026-01-03T00:00:00Z");
	for (int round = 0; round < 6; round++) {
		AUTO(buf) struct buf packed = {0};
		bool got = false;
		json_decref(out);
		out = NULL;
		OK(material_pack(f.material, &packed, &e));
		OK(caged_tsa_material(w.caged, buf_slice(&der), buf_slice(&packed), f.now_utc, f.now_utc - 2 * DAY,
		    slice_of(noise, 32), &out, &e));
		OK(flow_fetch_all(&f, json_object_get(out, "wants"), &got, &e));
		if (!got)
			break;
	}
	const json_t *closure = json_object_get(out, "closure");
	AUTO(mem) char *text = json_dumps(closure, 0);
	if (!json_is_true(json_object_get(closure, "complete")))
		fail_msg("%s", text);
	assert_true(json_is_true(json_object_get(closure, "fresh")));
	/* tsa1, its CA, the anchor, two CRLs */
	assert_true(json_array_size(json_object_get(closure, "objects")) >= 5);
	assert_int_equal(json_object_size(json_object_get(out, "objects")), json_array_size(json_object_get(closure, "objects")));
	assert_string_equal(flow_str(out, "tsa_sha256"), flow_str(token, "tsa_sha256"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(changed),
	    cmocka_unit_test(sniffed),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(bad_tokens),
	    cmocka_unit_test(bad_answers),
	    cmocka_unit_test(revoked),
	    cmocka_unit_test(tsa_material),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, world_up, world_down);
}
