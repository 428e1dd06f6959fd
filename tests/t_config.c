/* SPDX-License-Identifier: MIT */
#include "tests/catalogues.h"
#include "policy/config_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "/etc/everseal/everseal.conf"
#define BASE "[archive]\ndir = /a\n[trust]\ndir = /t\n[tsa one]\nurl = https://tsa.example.org/\n"

static struct config *
parse(const char *text)
{
	AUTO(faults) struct faults f = {0};
	AUTO(buf) struct buf told = {0};
	struct config *c = NULL;
	struct err e = {0};

	if (config_parse(slice_str(text), FILE_NAME, &c, &f, &e) != ERR_OK) {
		faults_text(&f, &told);
		fail_msg("%s\n%s", e.text, buf_str(&told));
	}
	assert_int_equal(f.n, 0);
	return c;
}

static void
test_defaults(void **state)
{
	AUTO(config) struct config *c = parse(BASE "[spool court]\ndir = in/court\n");
	const struct conf_profile *f = config_profile(c, "default");

	(void)state;
	assert_string_equal(c->archive.dir, "/a");
	assert_null(c->archive.clock_file);
	assert_string_equal(c->service.control, "/a/control");
	assert_string_equal(c->spools[0].dir, "/etc/everseal/in/court");
	assert_string_equal(c->spools[0].depositor, "court");
	assert_string_equal(c->spools[0].profile, "default");
	assert_non_null(f);
	assert_int_equal(f->target, TARGET_A);
	assert_true(f->x_stamp && f->t_without_anchor);
	assert_int_equal(f->grace_seconds, 86400);
	assert_int_equal(f->trust_roles, ROLE_ALL);
	assert_int_equal(f->tsa.n, 1);
	assert_string_equal(f->tsa.v[0], "one");
	assert_int_equal(c->renewal.margin_seconds, 180 * 86400);
	assert_int_equal(c->renewal.digest, DIGEST_SHA512);
	assert_int_equal(c->net.crl_timeout_seconds, 600);
	assert_int_equal(c->limits.xml_bytes, 256u << 20);
	assert_string_equal(c->verify.policy, "default");
	assert_false(c->verify.policy_is_file || c->verify.sliding_strict);
	assert_null(config_tsa(c, "two"));
}

static void
test_values(void **state)
{
	static const char text[] = "# a comment\r\n" BASE
	    "[profile  strict] # another\n version=7\nform = baseline\ntarget = LT\nx_stamp = no\ngrace = 90m\nrevocation = crl\n"
	    "trust_roles = signer, tsa\nretention = 30\ner = none\nt_without_anchor = no\ntsa = two one\nquorum = 2\n"
	    "[tsa two]\nurl = https://u/#x\nuser = me\npassword = p # q\ndigest = sha3-256\nbudget = 12\npolicy = 1.2.3\n"
	    "[net]\nallow_net = 10.0.0.0/8:80 [fd00::/8]:*\nproxy = http://p:1/\n"
	    "[verify]\npolicy = my.policy\nsliding_freshness = strict\nsignature_policies = a.der /b.der\n"
	    "[limits]\nfile_size = 1GiB\n[service]\ncontrol = /run/c\n[hook]\nstatus = /bin/x --a b\n";
	AUTO(config) struct config *c = parse(text);
	const struct conf_profile *f = config_profile(c, "strict");
	const struct conf_tsa *t = config_tsa(c, "two");

	(void)state;
	assert_int_equal(f->version, 7);
	assert_int_equal(f->form, FORM_BASELINE);
	assert_int_equal(f->target, TARGET_LT);
	assert_false(f->x_stamp || f->t_without_anchor);
	assert_int_equal(f->grace_seconds, 5400);
	assert_int_equal(f->revocation, REVOCATION_CRL);
	assert_int_equal(f->trust_roles, ROLE_SIGNER | ROLE_TSA);
	assert_int_equal(f->retention_years, 30);
	assert_string_equal(f->tsa.v[0], "two");
	assert_int_equal(f->quorum, 2);
	assert_string_equal(t->url, "https://u/#x"); /* no blank before '#': no comment */
	assert_string_equal(t->password, "p");
	assert_int_equal(t->digest, DIGEST_SHA3_256);
	assert_int_equal(t->budget_per_day, 12);
	assert_int_equal(c->net.n_allow, 2);
	assert_true(c->verify.policy_is_file && c->verify.sliding_strict);
	assert_string_equal(c->verify.policy, "/etc/everseal/my.policy");
	assert_string_equal(c->verify.signature_policies.v[0], "/etc/everseal/a.der");
	assert_string_equal(c->verify.signature_policies.v[1], "/b.der");
	assert_string_equal(c->hook.status, "/bin/x --a b");
}

/* Each kind of fault: the text, the line, the words. Line 6 is the last of BASE. */
static const struct {
	const char *name, *text;
	unsigned line;
	const char *words;
} fault_rows[] = {
    {"unknown section", BASE "[nets]\n", 7, "unknown section [nets]"},
    {"unknown key", BASE "[net]\nport = 1\n", 8, "unknown key 'port' in [net]"},
    {"key before a section", "dir = /a\n" BASE, 1, "before the first [section]"},
    {"no key and no section", BASE "hello\n", 7, "neither [section] nor key = value"},
    {"section not closed", BASE "[net\n", 7, "without ']'"},
    {"section without a word", BASE "[ ]\n", 7, "without a name"},
    {"carriage return inside a line", BASE "[net]\nproxy = http://a/\rx\n", 8, "control character"},
    {"not UTF-8", BASE "[net]\nuser_agent = \351\n", 8, "not UTF-8"},
    {"control character", BASE "[net]\nproxy = \001\n", 8, "control character"},
    {"section twice", BASE "[trust]\ndir = /x\n", 7, "[trust] stands twice, first in line 3"},
    {"named section twice", BASE "[tsa one]\nurl = http://x/\n", 7, "[tsa one] stands twice"},
    {"key twice", BASE "[net]\nproxy = http://a/\nproxy = http://a/\n", 9, "'proxy' stands twice, first in line 8"},
    {"name missing", BASE "[spool]\ndir = /s\n", 7, "needs a name"},
    {"name not a name", BASE "[spool a/b]\ndir = /s\n", 7, "needs a name"},
    {"name not wanted", BASE "[net x]\n", 7, "takes no name"},
    {"required key", BASE "[spool a]\n", 7, "[spool a] needs 'dir'"},
    {"required section", "[archive]\ndir = /a\n[tsa one]\nurl = http://x/\n", 0, "[trust] is missing"},
    {"empty value", BASE "[archive]\n[hook]\nstatus =\n", 9, "status: no value"},
    {"bad word", BASE "[profile p]\nform = best\n", 8, "form: 'best' is none of: extended, baseline"},
    {"reserved word", BASE "[profile p]\ner = der\n", 8, "er: 'der' is none of: none"},
    {"bad yes or no", BASE "[profile p]\nx_stamp = true\n", 8, "neither yes nor no"},
    {"bad duration", BASE "[profile p]\ngrace = 3 days\n", 8, "no duration"},
    {"duration without a unit", BASE "[profile p]\ngrace = 3\n", 8, "no duration"},
    {"duration out of range", BASE "[profile p]\ngrace = 61d\n", 8, "61d is outside 0s .. 60d"},
    {"bad size", BASE "[limits]\nfile_size = 1GB\n", 8, "no size"},
    {"size out of range", BASE "[limits]\nxml_size = 2GiB\n", 8, "2GiB is outside 1KiB .. 1GiB"},
    {"bad number", BASE "[service]\nworkers = two\n", 8, "no number"},
    {"negative number", BASE "[service]\nworkers = -1\n", 8, "no number"},
    {"number out of range", BASE "[service]\nworkers = 0\n", 8, "outside 1 .. 256"},
    {"bad digest", BASE "[renewal]\ndigest = crc32\n", 8, "no digest"},
    {"weak digest", BASE "[renewal]\ndigest = SHA1\n", 8, "too weak"},
    {"bad URL", BASE "[tsa b]\nurl = tsa.example.org\n", 8, "no http or https URL"},
    {"password in a URL", BASE "[tsa b]\nurl = https://a:b@c/\n", 8, "no http or https URL"},
    {"bad OID", BASE "[tsa b]\nurl = http://x/\npolicy = 1..2\n", 9, "no object identifier"},
    {"bad network", BASE "[net]\nallow_net = 10.0.0.0/8\n", 8, "no network and port"},
    {"bits behind the prefix", BASE "[net]\nallow_net = 10.1.0.0/8:80\n", 8, "no network and port"},
    {"bad role", BASE "[profile p]\ntrust_roles = all\n", 8, "'all' is no role"},
    {"empty list", BASE "[profile p]\ntsa = ,\n", 8, "empty list"},
    {"bad policy", BASE "[verify]\npolicy = strict\n", 8, "none of default, dss, dss-lenient"},
    {"profile missing", BASE "[spool a]\ndir = /s\nprofile = x\n", 7, "there is no [profile x]"},
    {"TSA missing", BASE "[profile p]\ntsa = one two\n", 7, "there is no [tsa two]"},
    {"TSA listed twice", BASE "[profile p]\ntsa = one one\n", 7, "listed twice"},
    {"no TSA at all", "[archive]\ndir = /a\n[trust]\ndir = /t\n", 0, "no [tsa NAME]"},
    {"quorum", BASE "[profile p]\nquorum = 2\n", 7, "quorum of 2"},
    {"target of the other form", BASE "[profile p]\nform = baseline\ntarget = X-L\n", 7, "target X-L is none of form baseline"},
    {"LTA of the extended form", BASE "[profile p]\ntarget = LTA\n", 7, "target LTA is none of form extended"},
    {"X without its stamp", BASE "[profile p]\ntarget = X\nx_stamp = no\n", 7, "target X without x_stamp"},
    {"spools in one folder", BASE "[spool a]\ndir = /s\n[spool b]\ndir = /s\n", 9, "belongs to spool a"},
    {"spool in the archive", BASE "[spool a]\ndir = /a\n", 7, "is the archive's"},
    {"user without password", BASE "[tsa b]\nurl = https://x/\nuser = u\n", 7, "stand together"},
    {"certificate without key", BASE "[tsa b]\nurl = https://x/\nclient_cert = c\n", 7, "stand together"},
    {"two kinds of credentials", BASE "[tsa b]\nurl = https://x/\nuser = u\npassword = p\nheader_file = h\n", 7, "either"},
    {"credentials in the clear", BASE "[tsa b]\nurl = http://x/\nuser = u\npassword = p\n", 7, "in the clear"},
    {"certificates without TLS", BASE "[tsa b]\nurl = http://x/\nca_file = f\n", 7, "without https"},
    {"margin", BASE "[renewal]\nreaction_time = 30d\nmargin = 30d\n", 9, "margin is less than sweep_interval + reaction_time (31d)"},
    {"margin of the hash side", BASE "[renewal]\nhash_margin = 1d\n", 8, "hash_margin is less than"},
    {"token life", BASE "[renewal]\nmin_token_life = 180d\n", 8, "due at once"},
    {"record and file size", BASE "[limits]\nrecord_size = 1GiB\n", 8, "less than file_size"},
    {"path of a socket", BASE "[service]\ncontrol = /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 8, "107 octets"},
};

static void
test_faults(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(fault_rows) / sizeof(fault_rows[0]); i++) {
		AUTO(faults) struct faults f = {0};
		AUTO(buf) struct buf told = {0};
		struct config *c = NULL;
		struct err e = {0};

		if (config_parse(slice_str(fault_rows[i].text), FILE_NAME, &c, &f, &e) != ERR_USAGE)
			fail_msg("%s: taken", fault_rows[i].name);
		assert_null(c);
		faults_text(&f, &told);
		for (k = 0; k < f.n; k++)
			if (f.v[k].line == fault_rows[i].line && strstr(f.v[k].text, fault_rows[i].words) != NULL)
				break;
		if (k == f.n)
			fail_msg("%s: want line %u '%s', have\n%s", fault_rows[i].name, fault_rows[i].line, fault_rows[i].words,
			    buf_str(&told));
	}
}

/* All at once, in order of lines, each with the file's name. */
static void
test_all_faults(void **state)
{
	AUTO(faults) struct faults f = {0};
	AUTO(buf) struct buf told = {0};
	struct config *c = NULL;
	struct err e = {0};

	(void)state;
	FAILS(ERR_USAGE, config_parse(slice_str("[archive]\n[net]\nport = 1\ncrl_timeout = 1\n[tsa a]\nurl = http://x/\nbudget = x\n"), "e.conf", &c, &f, &e));
	faults_text(&f, &told);
	assert_string_equal(buf_str(&told),
	    "e.conf: section [trust] is missing\n"
	    "e.conf:1: [archive] needs 'dir'\n"
	    "e.conf:3: unknown key 'port' in [net]\n"
	    "e.conf:4: crl_timeout: '1' is no duration, such as 90d or 12h\n"
	    "e.conf:7: budget: 'x' is no number\n");
	SAYS("5 faults");
}

static void
test_fault_cap(void **state)
{
	AUTO(faults) struct faults f = {0};
	AUTO(buf) struct buf text = {0};
	struct config *c = NULL;
	struct err e = {0};
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		buf_adds(&text, "nonsense\n");
	FAILS(ERR_USAGE, config_parse(buf_slice(&text), "e.conf", &c, &f, &e));
	assert_int_equal(f.n, FAULTS_MAX);
	buf_clear(&text);
	for (i = 0; i < (1 << 20); i++)
		buf_adds(&text, "\n");
	FAILS(ERR_USAGE, config_parse(buf_slice(&text), "e.conf", &c, &f, &e));
	buf_adds(&text, "\n");
	FAILS(ERR_LIMIT, config_parse(buf_slice(&text), "e.conf", &c, &f, &e));
}

/* What is printed says the same when it is read again; no password in it. */
static void
test_text(void **state)
{
	AUTO(config) struct config *c = parse(BASE "[spool court]\ndir = s\n[tsa two]\nurl = https://u/\nuser = me\npassword = secret\n"
						   "[net]\nallow_net = 10.0.0.0/8:80 [fd00::/8]:* 127.0.0.1:8080\n"
						   "[renewal]\nmargin = 45d\n");
	AUTO(config) struct config *again = NULL;
	AUTO(buf) struct buf text = {0}, second = {0};
	char *user;

	(void)state;
	config_text(c, &text);
	assert_null(strstr(buf_str(&text), "secret"));
	assert_non_null(strstr(buf_str(&text), "allow_net = 10.0.0.0/8:80 [fd00::/8]:* 127.0.0.1/32:8080\n"));
	assert_non_null(strstr(buf_str(&text), "margin = 45d\n"));
	assert_non_null(strstr(buf_str(&text), "[spool court]\ndir = /etc/everseal/s\ndepositor = court\n"));
	user = strstr((char *)text.p, "user = me");
	assert_non_null(user);
	*user = '#'; /* half a credential is a fault */
	again = parse(buf_str(&text));
	*user = 'u';
	again->tsas[1].user = strdup("me");
	again->tsas[1].password = strdup("other");
	config_text(again, &second);
	assert_string_equal(buf_str(&second), buf_str(&text));
}

/* The example is right as it stands, and names every section and key. */
static void
test_example(void **state)
{
	AUTO(config) struct config *c = NULL;
	AUTO(buf) struct buf text = {0};
	FILE *f = fopen("everseal.conf.example", "rb");
	size_t i;
	int ch;

	(void)state;
	assert_non_null(f);
	while ((ch = getc(f)) != EOF)
		buf_add8(&text, (unsigned)ch);
	fclose(f);
	c = parse(buf_str(&text));
	assert_int_equal(c->n_tsas, 2);
	assert_int_equal(c->limits.worker_seconds, 60);
	for (i = 0; i < config_n_keys; i++) {
		AUTO(buf) struct buf word = {0};

		buf_addf(&word, "%s = ", config_keys[i].key);
		if (strstr(buf_str(&text), buf_str(&word)) == NULL)
			fail_msg("the example does not name %s", config_keys[i].key);
	}
}

static const struct {
	const char *addr;
	unsigned port;
	bool open, ruled;
} net_rows[] = {
    {"8.8.8.8", 80, true, true},
    {"8.8.8.8", 443, true, true},
    {"8.8.8.8", 8080, false, false},
    {"8.8.8.8", 22, false, false},
    {"127.0.0.1", 80, false, false},
    {"127.0.0.1", 8080, false, true},
    {"127.0.0.2", 8080, false, false},
    {"0.0.0.0", 80, false, false},
    {"0.1.2.3", 80, false, false},
    {"10.1.2.3", 80, false, true},
    {"10.1.2.3", 443, false, false},
    {"11.0.0.0", 80, true, true},
    {"9.255.255.255", 80, true, true},
    {"100.64.0.1", 80, false, false},
    {"100.128.0.1", 80, true, true},
    {"169.254.169.254", 80, false, false},
    {"172.15.255.255", 80, true, true},
    {"172.16.0.1", 80, false, false},
    {"172.31.255.255", 80, false, false},
    {"172.32.0.0", 80, true, true},
    {"192.168.1.1", 80, false, false},
    {"192.0.2.1", 80, false, false},
    {"198.18.0.1", 80, false, false},
    {"224.0.0.1", 80, false, false},
    {"255.255.255.255", 80, false, false},
    {"2606:4700::1", 443, true, true},
    {"2606:4700::1", 8443, false, false},
    {"::1", 80, false, false},
    {"::", 80, false, false},
    {"::ffff:8.8.8.8", 80, false, false},
    {"::ffff:10.1.2.3", 80, false, false},
    {"64:ff9b::808:808", 80, false, false},
    {"2002:a01:203::1", 80, false, false},
    {"2001:0:1::1", 80, false, false},
    {"2001:db8::1", 80, false, false},
    {"2001:4860:4860::8888", 80, true, true},
    {"fe80::1", 80, false, false},
    {"fd00::1", 80, false, true},
    {"fd00::1", 9999, false, true},
    {"fc00::1", 80, false, false},
    {"ff02::1", 80, false, false},
};

static void
test_net(void **state)
{
	AUTO(config) struct config *plain = parse(BASE);
	AUTO(config) struct config *ruled = parse(BASE "[net]\nallow_net = 10.0.0.0/8:80, 127.0.0.1:8080 [fd00::/8]:*\n");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(net_rows) / sizeof(net_rows[0]); i++) {
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
		bool six = strchr(net_rows[i].addr, ':') != NULL;
		const struct sockaddr *sa = six ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;

		assert_int_equal(six ? inet_pton(AF_INET6, net_rows[i].addr, &v6.sin6_addr)
				     : inet_pton(AF_INET, net_rows[i].addr, &v4.sin_addr), 1);
		if (net_allowed(plain, sa, net_rows[i].port) != net_rows[i].open)
			fail_msg("%s port %u without a rule", net_rows[i].addr, net_rows[i].port);
		if (net_allowed(ruled, sa, net_rows[i].port) != net_rows[i].ruled)
			fail_msg("%s port %u with rules", net_rows[i].addr, net_rows[i].port);
	}
}

static void
test_net_other_family(void **state)
{
	AUTO(config) struct config *c = parse(BASE "[net]\nallow_net = 0.0.0.0/0:* [::/0]:*\n");
	struct sockaddr sa = {.sa_family = AF_UNIX};
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

	(void)state;
	assert_false(net_allowed(c, &sa, 80));
	assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
	assert_true(net_allowed(c, (const struct sockaddr *)&mapped, 1)); /* an IPv6 rule says so */
}

static const struct {
	const char *text;
	int64_t seconds; /* -1: refused */
} duration_rows[] = {
    {"0s", 0}, {"90s", 90}, {"15m", 900}, {"12h", 43200}, {"90d", 7776000}, {"6w", 3628800}, {"3y", 94608000}, {"200y", 6307200000},
    {"201y", -1}, {"", -1}, {"d", -1}, {"1", -1}, {"-1d", -1}, {"1.5d", -1}, {"1d ", -1}, {"1D", -1}, {"99999999999999999999s", -1},
};

static void
test_durations(void **state)
{
	uint64_t bytes;
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(duration_rows) / sizeof(duration_rows[0]); i++) {
		bool ok = duration_parse(duration_rows[i].text, &v);

		if (ok != (duration_rows[i].seconds >= 0) || (ok && v != duration_rows[i].seconds))
			fail_msg("'%s'", duration_rows[i].text);
	}
	assert_true(size_parse("4096", &bytes) && bytes == 4096);
	assert_true(size_parse("2TiB", &bytes) && bytes == 2ULL << 40);
	assert_false(size_parse("99999999TiB", &bytes));
	assert_false(size_parse("1KB", &bytes));
}

/* New evidence is made with these digests: they must outlast it. */
static void
test_catalogue(void **state)
{
	AUTO(config) struct config *c = parse(BASE "[tsa two]\nurl = http://x/\ndigest = SHA3-512\n[renewal]\ndigest = SHA256\n");
	AUTO(faults) struct faults f = {0};
	AUTO(catalogue) struct catalogue *over = NULL, *soon = NULL;
	AUTO(buf) struct buf told = {0};
	struct err e = {0};

	(void)state;
	assert_true(config_check_catalogue(c, catalogue_builtin("default"), time_make(2026, 1, 1, 0, 0, 0), &f));
	OK(catalogue_read(slice_str(HEAD ISSUE("2025-01-01") ALG(SHA256_OID, EVAL("", END("2028-12-30"), "")) TAIL), &over, NULL, &e));
	OK(catalogue_overlay(catalogue_builtin("default"), over, &soon, &e));
	assert_false(config_check_catalogue(c, soon, time_make(2026, 1, 1, 0, 0, 0), &f));
	assert_false(config_check_catalogue(c, over, time_make(2025, 1, 1, 0, 0, 0), &f));
	faults_text(&f, &told);
	assert_string_equal(buf_str(&told),
	    FILE_NAME ": [renewal] digest: SHA256 ends 2028-12-30, sooner than min_token_life from now\n"
	    FILE_NAME ":5: tsa one: digest: SHA512 is not in the catalogue\n"
	    FILE_NAME ":7: tsa two: digest: SHA3-512 is not in the catalogue\n");
}

static void
spoiled(struct slice in, const char *what, void *ctx)
{
	AUTO(faults) struct faults f = {0};
	AUTO(config) struct config *c = NULL;
	struct err e = {0};
	enum err_code rc = config_parse(in, "e.conf", &c, &f, &e);

	(void)ctx;
	if (rc != ERR_OK && rc != ERR_USAGE)
		fail_msg("%s: %s", what, err_word(rc));
	assert_true((rc == ERR_OK) == (f.n == 0) && (rc == ERR_OK) == (c != NULL));
}

static void
test_spoiled(void **state)
{
	static const char text[] = BASE "[spool a]\ndir = /s\n[net]\nallow_net = 10.0.0.0/8:80\n[profile p]\ntsa = one\n";

	(void)state;
	kit_each_prefix(slice_str(text), spoiled, NULL);
	kit_each_bit_flip(slice_str(text), spoiled, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_all_faults),
	    cmocka_unit_test(test_fault_cap),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_example),
	    cmocka_unit_test(test_net),
	    cmocka_unit_test(test_net_other_family),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_catalogue),
	    cmocka_unit_test(test_spoiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
