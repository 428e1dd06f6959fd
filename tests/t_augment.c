/* SPDX-License-Identifier: MIT */
/*
 * Signatures of the test PKI, step by step from B to A, in both forms, through
 * the caged judge; every produced file is judged by the schemas and by imprint.py too.
 */
#include "tests/flow_world.h"

static unsigned schema_checked;

/* ---- other people's tools ---- */

static const char *
python(void)
{
	return system("python3 -c 'import lxml' 2>/dev/null") == 0 ? "python3" : "/usr/bin/python3";
}

static void
put_file(const struct flow *f, const char *name)
{
	struct err e = {0};
	OK(sys_write_durably(w.dir.fd, name, buf_slice(&f->file), 0600, &e));
}

/* imprint.py finds n time-stamps and calls each right. */
static void
imprints_right(const struct flow *f, int n)
{
	char line[1600];
	put_file(f, "now.xml");
	snprintf(line, sizeof(line),
	    "cd '%s' && rm -rf side && mkdir side && cp *.txt *.bin side 2>/dev/null; "
	    "%s '%s/tools/imprint.py' now.xml --dir side >imprints && test $(grep -c ' ok ' imprints) -eq %d",
	    w.dir.path, python(), w.root, n);
	if (system(line) != 0) {
		snprintf(line, sizeof(line), "cat '%s/imprints'", w.dir.path);
		(void)!system(line);
		fail_msg("imprint.py does not find %d right time-stamps", n);
	}
}

/* Every ds:Signature of the file by itself against the schemas. */
static void
schema_valid(const struct flow *f)
{
	static const char cut[] =
	    "import sys; from lxml import etree\n"
	    "t = etree.parse(sys.argv[1]); n = 0\n"
	    "for s in t.iter('{http://www.w3.org/2000/09/xmldsig#}Signature'):\n"
	    "    n += 1; open('%s/sig%d.xml' % (sys.argv[2], n), 'wb').write(etree.tostring(s, with_tail=False))\n";
	struct err e = {0};
	char line[2600];
	if (kit_shared() == NULL)
		return;
	put_file(f, "now.xml");
	OK(sys_write_durably(w.dir.fd, "cut.py", slice_str(cut), 0600, &e));
	snprintf(line, sizeof(line),
	    "shared=$(cd '%s/schemas' && pwd) && cd '%s' && rm -rf cut && mkdir cut && %s cut.py now.xml cut && for f in cut/*; do "
	    "XML_CATALOG_FILES=$shared/catalog.xml xmllint --nonet --noout --huge --schema $shared/xades.xsd $f >schema.log 2>&1 || exit 1; "
	    "done",
	    kit_shared(), w.dir.path, python());
	if (system(line) != 0) {
		snprintf(line, sizeof(line), "tail -3 '%s/schema.log' | cut -c1-600 >&2", w.dir.path);
		(void)!system(line);
		fail_msg("the schemas refuse it");
	}
	schema_checked++;
}

/* ---- steps ---- */

static void
step_t(struct flow *f, size_t sig, const char *tsa, const char *level)
{
	AUTO(json) json_t *add = json_array();
	struct err e = {0};
	char now[40];
	OK(flow_stamp(f, sig, add, "T", tsa, &e));
	OK(flow_apply(f, sig, add, now, &e));
	assert_string_equal(now, level);
}

static void
gathered(struct flow *f, size_t sig, const char *instant)
{
	struct err e = {0};
	at(f, instant);
	OK(flow_gather(f, DAY, &e));
	is_passed(f, sig);
}

/* The closures of a signature and, where also is one, of another with it. */
static json_t *
both(const struct flow *f, size_t sig, long also)
{
	json_t *names = flow_objects(f, sig, true, true, false);
	AUTO(json) json_t *more = also >= 0 ? flow_objects(f, (size_t)also, true, true, false) : NULL;
	json_array_extend(names, more);
	return names;
}

/*
 * From T on: refs; X over them; values; A. Each by itself, so that every level is seen. also: a counter-signature whose material
 * goes in with its master's, -1 none.
 */
static void
extended_rest(struct flow *f, size_t sig, long also)
{
	AUTO(json) json_t *refs = json_array(), *x = json_array(), *values = json_array(), *a = json_array();
	struct err e = {0};
	char level[40];
	flow_add(refs, "refs", both(f, sig, also));
	OK(flow_apply(f, sig, refs, level, &e));
	assert_string_equal(level, "XAdES-C");
	OK(flow_stamp(f, sig, x, "X", "tsa2", &e));
	OK(flow_apply(f, sig, x, level, &e));
	assert_string_equal(level, "XAdES-X");
	OK(flow_gather(f, 0, &e));
	flow_add(values, "values", both(f, sig, also));
	OK(flow_apply(f, sig, values, level, &e));
	assert_string_equal(level, "XAdES-X-L");
	OK(flow_stamp(f, sig, a, "A", "tsa1", &e));
	OK(flow_apply(f, sig, a, level, &e));
	assert_string_equal(level, "XAdES-A");
}

/* TimeStampValidationData for the newest stamps, then the next ArchiveTimeStamp. */
static void
renew(struct flow *f, size_t sig, const char *tsa, const char *level)
{
	AUTO(json) json_t *add = json_array();
	struct err e = {0};
	char now[40];
	OK(flow_gather(f, 0, &e));
	flow_add(add, "tsvd", flow_objects(f, sig, false, true, true));
	OK(flow_stamp(f, sig, add, "A", tsa, &e));
	OK(flow_apply(f, sig, add, now, &e));
	assert_string_equal(now, level);
}

/* ---- tests ---- */

static void
extended_form(void **state)
{
	AUTO(flow) struct flow f = signed_by("ext", "--shape enveloped --key ecdsa");
	AUTO(buf) struct buf deposit = {0};
	struct err e = {0};
	(void)state;
	buf_addslice(&deposit, buf_slice(&f.file));
	OK(flow_gather(&f, 0, &e));
	const json_t *s = json_array_get(json_object_get(f.judge, "signatures"), 0);
	assert_string_equal(flow_str(f.judge, "form"), "xades");
	assert_string_equal(flow_str(s, "path"), "extended");
	assert_true(json_is_true(json_object_get(s, "stamp_needed")));
	step_t(&f, 0, "tsa1", "XAdES-B-T");
	gathered(&f, 0, "2026-01-03T00:00:00Z");
	extended_rest(&f, 0, -1);
	imprints_right(&f, 3);
	schema_valid(&f);
	at(&f, "2027-03-01T00:00:00Z");
	renew(&f, 0, "tsa2", "XAdES-A");
	imprints_right(&f, 4);
	schema_valid(&f);
	OK(flow_gather(&f, 0, &e));
	is_passed(&f, 0);
	s = json_array_get(json_object_get(f.judge, "signatures"), 0);
	assert_string_equal(flow_str(s, "path"), "continue");
	assert_false(json_is_true(json_object_get(s, "stamp_needed")));
}

static void
baseline_form(void **state)
{
	AUTO(flow) struct flow f = signed_by("base", "--shape enveloping --key p384 --ca ca2");
	AUTO(json) json_t *lt = json_array(), *lta = json_array();
	struct err e = {0};
	char level[40];
	(void)state;
	step_t(&f, 0, "tsa2", "XAdES-B-T");
	gathered(&f, 0, "2026-01-09T00:00:00Z");
	flow_add(lt, "values", flow_objects(&f, 0, true, false, false));
	flow_add(lt, "tsvd", flow_objects(&f, 0, false, true, false));
	OK(flow_apply(&f, 0, lt, level, &e));
	assert_string_equal(level, "XAdES-B-LT");
	OK(flow_stamp(&f, 0, lta, "A", "tsa1", &e));
	OK(flow_apply(&f, 0, lta, level, &e));
	assert_string_equal(level, "XAdES-B-LTA");
	at(&f, "2028-01-01T00:00:00Z");
	renew(&f, 0, "tsa2", "XAdES-B-LTA");
	at(&f, "2029-01-01T00:00:00Z");
	renew(&f, 0, "tsa1", "XAdES-B-LTA");
	imprints_right(&f, 4);
	schema_valid(&f);
	OK(flow_gather(&f, 0, &e));
	is_passed(&f, 0);
}

/* In one call, as the pipeline does it, for files in other encodings and with other canonical forms. */
static void
in_one_go(void **state)
{
	static const char *const options[] = {"--shape enveloped --key ecdsa --encoding UTF-16",
	    "--shape enveloped --key ed25519 --encoding ISO-8859-2 --c14n c14n10", "--shape enveloping --key rsa2048 --c14n c14n11",
	    "--shape sibling --key brainpool --signing-cert v1", "--shape enveloped --key pss --transform filter2 --level epes",
	    "--shape manifest --key ecdsa", "--shape enveloped --key p521 --transform xpath --encoding windows-1250"};
	char name[20];
	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		snprintf(name, sizeof(name), "go%zu", i);
		AUTO(flow) struct flow f = signed_by(name, options[i]);
		print_message("%s\n", options[i]);
		step_t(&f, 0, "tsa1", "XAdES-B-T");
		gathered(&f, 0, "2026-01-03T00:00:00Z");
		extended_rest(&f, 0, -1);
		imprints_right(&f, 3);
		schema_valid(&f);
	}
}

static void
detached(void **state)
{
	AUTO(flow) struct flow f = signed_by("det", "--shape detached --key ecdsa");
	struct err e = {0};
	(void)state;
	/* The data stands beside the signature; its name is whatever the reference says. */
	OK(flow_judge(&f, 0, &e));
	const json_t *ref = json_array_get(
	    json_object_get(json_array_get(json_object_get(json_object_get(f.judge, "report"), "signatures"), 0), "references"), 0);
	const char *uri = flow_str(ref, "uri");
	assert_string_equal(flow_str(json_array_get(json_object_get(f.judge, "signatures"), 0), "row"), "indeterminate");
	AUTO(mem) char *name = mem_dupstr(uri);
	/* More files than one request carries descriptors; the one that counts is small and comes in the shared one. */
	OK(sys_write_durably(w.dir.fd, "large.dat", slice_str(START START START START START START START START START), 0600, &e));
	for (f.n_side = 0; f.n_side < 20; f.n_side++) {
		f.side[f.n_side].name = f.n_side == 7 ? name : "large.dat";
		OK(sys_open_read(w.dir.fd, f.side[f.n_side].name, &f.side[f.n_side].fd, &e));
	}
	step_t(&f, 0, "tsa1", "XAdES-B-T");
	gathered(&f, 0, "2026-01-03T00:00:00Z");
	extended_rest(&f, 0, -1);
	schema_valid(&f);
}

/* Two signatures: each goes its own way if neither covers the other; counter-signatures before their master. */
static void
several(void **state)
{
	AUTO(flow) struct flow p = signed_by("par", "--shape parallel --key ecdsa");
	AUTO(flow) struct flow c = signed_by("cnt", "--shape counter --key ecdsa");
	AUTO(json) json_t *late = json_array();
	struct err e = {0};
	(void)state;
	OK(flow_judge(&p, 0, &e));
	assert_int_equal(json_array_size(json_object_get(p.judge, "signatures")), 2);
	for (size_t i = 0; i < 2; i++) {
		at(&p, START);
		step_t(&p, i, "tsa1", "XAdES-B-T");
		gathered(&p, i, "2026-01-03T00:00:00Z");
		extended_rest(&p, i, -1);
	}
	imprints_right(&p, 6);
	schema_valid(&p);
	at(&c, START);
	step_t(&c, 1, "tsa1", "XAdES-B-T");
	step_t(&c, 0, "tsa2", "XAdES-B-T");
	gathered(&c, 0, "2026-01-03T00:00:00Z");
	extended_rest(&c, 0, 1);
	imprints_right(&c, 4);
	schema_valid(&c);
	OK(flow_judge(&c, 0, &e));
	const json_t *s = json_array_get(json_object_get(c.judge, "signatures"), 1);
	assert_string_equal(flow_str(s, "row"), "counter-signature");
	FAILS(ERR_UNSUPPORTED, flow_stamp(&c, 1, late, "A", "tsa1", &e));
}

/* The chain is not in the file: before anything is fetched it is on its way all the same; a stranger's is not. */
static void
chain_elsewhere(void **state)
{
	AUTO(flow) struct flow f = signed_by("short", "--shape enveloped --key ecdsa --no-cert-chain");
	AUTO(caged) struct caged *c = NULL;
	AUTO(anchors) struct anchors *none = NULL;
	struct err e = {0};
	(void)state;
	OK(flow_judge(&f, 0, &e));
	assert_string_equal(flow_str(json_array_get(json_object_get(f.judge, "signatures"), 0), "path"), "extended");
	step_t(&f, 0, "tsa1", "XAdES-B-T");
	gathered(&f, 0, "2026-01-03T00:00:00Z");
	extended_rest(&f, 0, -1);
	schema_valid(&f);
	OK(anchors_new(&none, &e));
	struct caged_setup setup = {.anchors = none, .policy = &w.policy};
	OK(caged_start(&setup, &c, &e));
	f.caged = c;
	OK(flow_gather(&f, 0, &e));
	const json_t *s = json_array_get(json_object_get(f.judge, "signatures"), 0);
	assert_string_equal(flow_str(s, "path"), "stamp");
	assert_string_equal(flow_str(s, "row"), "indeterminate");
}

/* A signature over a signature: only the outer one may grow, and a trial to grow the inner one is noticed. */
static void
covered(void **state)
{
	AUTO(flow) struct flow inner = signed_by("inner", "--shape enveloped --key ecdsa --transform xpath");
	AUTO(flow) struct flow f = signed_by("outer", "--shape enveloped --key ecdsa --in inner.xml");
	AUTO(json) json_t *add = json_array();
	struct err e = {0};
	(void)state;
	OK(flow_gather(&f, 0, &e));
	const json_t *sigs = json_object_get(f.judge, "signatures");
	assert_int_equal(json_array_size(sigs), 2);
	size_t in = json_is_integer(json_object_get(json_array_get(sigs, 0), "covered_by")) ? 0 : 1;
	assert_string_equal(flow_str(json_array_get(sigs, in), "row"), "covered");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(sigs, in), "covered_by")), 1 - in);
	assert_string_equal(flow_str(json_array_get(sigs, 1 - in), "path"), "extended");
	OK(flow_stamp(&f, in, add, "T", "tsa1", &e));
	FAILS(ERR_REFUSED, flow_apply(&f, in, add, NULL, &e));
	step_t(&f, 1 - in, "tsa1", "XAdES-B-T");
	gathered(&f, 1 - in, "2026-01-03T00:00:00Z");
	is_passed(&f, in);
	extended_rest(&f, 1 - in, -1);
	imprints_right(&f, 3);
}

/* Prefixes of ours rebound around the signature, comments and PIs between properties, and a new envelope around all. */
static void
surroundings(void **state)
{
	static const char rebound[] = "<ds:data xmlns:ds='urn:a' xmlns:xades='urn:b' xmlns:xades141='urn:c' xmlns='urn:d'>text</ds:data>";
	struct err e = {0};
	(void)state;
	OK(sys_write_durably(w.dir.fd, "rebound.xml", slice_str(rebound), 0600, &e));
	AUTO(flow) struct flow f = signed_by("reb", "--shape enveloped --key ecdsa --in rebound.xml");
	AUTO(flow) struct flow moved = signed_by("moved", "--shape enveloping --key ecdsa --c14n exc");
	step_t(&f, 0, "tsa1", "XAdES-B-T");
	replace(&f, "</xades:SignatureTimeStamp>", "</xades:SignatureTimeStamp><!-- c --> <?p i?>\n");
	gathered(&f, 0, "2026-01-03T00:00:00Z");
	extended_rest(&f, 0, -1);
	imprints_right(&f, 3);
	schema_valid(&f);
	at(&moved, START);
	step_t(&moved, 0, "tsa1", "XAdES-B-T");
	gathered(&moved, 0, "2026-01-03T00:00:00Z");
	extended_rest(&moved, 0, -1);
	AUTO(buf) struct buf b = {0};
	const char *root = memmem(moved.file.p, moved.file.n, "<ds:Signature", 13);
	assert_non_null(root);
	buf_adds(&b, "<e xmlns='urn:e' xmlns:z='urn:z' xmlns:xades='urn:other' xml:lang='hu'>");
	buf_adds(&b, root);
	buf_adds(&b, "</e>");
	buf_release(&moved.file);
	moved.file = b;
	b = (struct buf){0};
	OK(flow_judge(&moved, 0, &e));
	is_passed(&moved, 0);
	imprints_right(&moved, 3);
}

/* Where references of version 1 stand, the stamp over them is of version 1 and they are not written again. */
static void
version_one(void **state)
{
	static const char refs[] =
	    "<xades:CompleteCertificateRefs xmlns:xades='" NS_X132 "' xmlns:ds='" NS_DS "'><xades:CertRefs><xades:Cert><xades:CertDigest>"
	    "<ds:DigestMethod Algorithm='http://www.w3.org/2001/04/xmlenc#sha256'/><ds:DigestValue>AA==</ds:DigestValue>"
	    "</xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1"
	    "</ds:X509SerialNumber></xades:IssuerSerial></xades:Cert></xades:CertRefs></xades:CompleteCertificateRefs>";
	AUTO(flow) struct flow f = signed_by("v1", "--shape enveloped --key ecdsa");
	AUTO(json) json_t *x = json_array(), *again = json_array();
	AUTO(buf) struct buf text = {0};
	struct err e = {0};
	(void)state;
	FAILS(ERR_UNSUPPORTED, flow_stamp(&f, 0, x, "X", "tsa1", &e));
	SAYS("there are none");
	step_t(&f, 0, "tsa1", "XAdES-B-T");
	buf_adds(&text, "</xades:SignatureTimeStamp>");
	buf_adds(&text, refs);
	replace(&f, "</xades:SignatureTimeStamp>", buf_str(&text));
	gathered(&f, 0, "2026-01-03T00:00:00Z");
	assert_string_equal(flow_str(json_array_get(json_object_get(f.judge, "signatures"), 0), "path"), "continue");
	flow_add(again, "refs", flow_objects(&f, 0, true, true, false));
	FAILS(ERR_UNSUPPORTED, flow_apply(&f, 0, again, NULL, &e));
	OK(flow_stamp(&f, 0, x, "X", "tsa1", &e));
	OK(flow_apply(&f, 0, x, NULL, &e));
	assert_non_null(memmem(f.file.p, f.file.n, "<xades:SigAndRefsTimeStamp ", 27));
	imprints_right(&f, 2);
	schema_valid(&f);
}

/* Counted as skipped where there are no schemas, so that nobody takes silence for agreement. */
static void
schemas_agreed(void **state)
{
	(void)state;
	if (kit_shared() == NULL)
		skip();
	assert_true(schema_checked >= 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(extended_form),
	    cmocka_unit_test(baseline_form),
	    cmocka_unit_test(in_one_go),
	    cmocka_unit_test(detached),
	    cmocka_unit_test(several),
	    cmocka_unit_test(chain_elsewhere),
	    cmocka_unit_test(covered),
	    cmocka_unit_test(surroundings),
	    cmocka_unit_test(version_one),
	    cmocka_unit_test(schemas_agreed),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, world_up, world_down);
}
