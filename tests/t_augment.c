/* SPDX-License-Identifier: MIT */
/*
 * Signatures of the test PKI, step by step from B to A, in both forms, through
 * the caged judge; every produced file is judged by the schemas and by imprint.py too.
 */
#include "tests/flow.h"
#include "tests/kit.h"

#include <fcntl.h>
#include <sys/stat.h>

#define START "2026-01-01T00:00:00Z"
#define DAY 86400

static struct {
	struct kit_dir dir;
	struct pki_client pki;
	struct anchors *anchors;
	struct vpolicy policy;
	struct caged *caged;
	char root[400]; /* of the repository */
	unsigned schema_checked;
} w;

/* ---- the world ---- */

static int
world_up(void **state)
{
	struct err e = {0};
	(void)state;
	w.dir = kit_dir_new();
	if (getcwd(w.root, sizeof(w.root)) == NULL || !pki_up(&w.pki, w.dir.path, START))
		return -1;
	if (anchors_new(&w.anchors, &e) != ERR_OK || !pki_anchors(&w.pki, w.anchors) ||
	    vpolicy_builtin("default", NULL, &w.policy, &e) != ERR_OK)
		return -1;
	struct caged_setup setup = {.anchors = w.anchors, .policy = &w.policy};
	if (caged_start(&setup, &w.caged, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	return 0;
}

static int
world_down(void **state)
{
	(void)state;
	caged_free(w.caged);
	pki_down(&w.pki);
	anchors_free(w.anchors);
	kit_dir_free(&w.dir);
	return 0;
}

static void
at(struct flow *f, const char *instant)
{
	pki_clock(&w.pki, instant);
	if (!time_parse(instant, &f->now_utc))
		fail();
}

/* testpki sign with these options; data of a detached signature becomes a side file. */
static struct flow
signed_by(const char *name, const char *options)
{
	struct flow f = {.pki = &w.pki, .caged = w.caged};
	struct err e = {0};
	char path[200];
	at(&f, START);
	if (!pki_run(&w.pki, "sign pki --name '%s' --out '%s.xml' %s", name, name, options))
		fail_msg("testpki sign %s", options);
	snprintf(path, sizeof(path), "%s.xml", name);
	OK(sys_read_file(w.dir.fd, path, 1 << 20, &f.file, &e));
	OK(material_new(&f.material, &e));
	return f;
}

static const char *
said(const struct flow *f, size_t sig, const char *key)
{
	return flow_str(json_array_get(json_object_get(json_object_get(f->judge, "report"), "signatures"), sig), key);
}

static void
is_passed(struct flow *f, size_t sig)
{
	if (strcmp(said(f, sig, "indication"), "TOTAL-PASSED") != 0) {
		AUTO(mem) char *text = json_dumps(json_object_get(f->judge, "report"), JSON_INDENT(1));
		fail_msg("%s %s\n%.6000s", said(f, sig, "indication"), said(f, sig, "subindication"), text);
	}
}

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
	w.schema_checked++;
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

/* Text in place of what in the file; counted once. */
static void
replace(struct flow *f, const char *what, const char *with)
{
	AUTO(buf) struct buf b = {0};
	const char *at_p = memmem(f->file.p, f->file.n, what, strlen(what));
	assert_non_null(at_p);
	size_t before = (size_t)((const uint8_t *)at_p - f->file.p);
	buf_add(&b, f->file.p, before);
	buf_adds(&b, with);
	buf_add(&b, at_p + strlen(what), f->file.n - before - strlen(what));
	buf_release(&f->file);
	f->file = b;
	b = (struct buf){0};
}

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

/* Counted as skipped where there are no schemas, so that nobody takes silence for agreement. */
static void
schemas_agreed(void **state)
{
	(void)state;
	if (kit_shared() == NULL)
		skip();
	assert_true(w.schema_checked >= 12);
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
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(changed),
	    cmocka_unit_test(sniffed),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(bad_tokens),
	    cmocka_unit_test(bad_answers),
	    cmocka_unit_test(revoked),
	    cmocka_unit_test(tsa_material),
	    cmocka_unit_test(schemas_agreed),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, world_up, world_down);
}
