/* SPDX-License-Identifier: MIT */
/* When nothing is taken in, and when no stamp is asked for: disk, clock, anchors. The clock and what the kernel says of it are ours. */
#include "tests/kit.h"
#include "archiver/archiver_int.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0 INT64_C(1767225600) /* 2026-01-01 */
#define HOUR INT64_C(3600)
#define YEAR INT64_C(31536000)

struct world {
	struct kit_dir dir;
	struct config *cfg;
	struct anchors *anchors;
	struct vpolicy policy;
	struct archive_seams seams;
	struct archive *a;
	int64_t now, trust;
	enum clock_sync sync;
};

static enum clock_sync
sync_said(void *ctx)
{
	return ((struct world *)ctx)->sync;
}

static int64_t
trust_looked_at(void *ctx)
{
	return ((struct world *)ctx)->trust;
}

static void
world_auto(struct world *w)
{
	archive_close(w->a);
	config_free(w->cfg);
	anchors_free(w->anchors);
	kit_dir_free(&w->dir);
}

static void
world_open(struct world *w)
{
	struct err e = {0};

	archive_close(w->a);
	w->a = NULL;
	OK(archive_open(w->cfg, w->anchors, &w->policy, ARCHIVE_WRITE, &w->seams, &w->a, &e));
}

/* more: further lines of the configuration. w stays where it is. */
static void
world_make(struct world *w, const char *more)
{
	AUTO(mem) char *text = NULL;
	AUTO(faults) struct faults f = {0};
	struct err e = {0};

	*w = (struct world){.dir = kit_dir_new(), .now = T0, .trust = TIME_NONE};
	w->seams = (struct archive_seams){.clock = clock_fixed(&w->now), .entropy = entropy_openssl(), .uncaged = true, .sync = sync_said,
	    .trust_utc = trust_looked_at, .host_ctx = w};
	text = mem_printf("[archive]\ndir = %s/a\n%s\n[tsa one]\nurl = http://127.0.0.1:9/\n[tsa two]\nurl = http://127.0.0.1:9/\n", w->dir.path, more);
	OK(config_parse(slice_str(text), "test.conf", &w->cfg, &f, &e));
	OK(vpolicy_builtin("default", NULL, &w->policy, &e));
	OK(anchors_new(&w->anchors, &e));
	OK(archive_create(w->cfg, &w->seams, &e));
	world_open(w);
}

static enum err_code
deposit(struct world *w, struct err *e)
{
	static int n;
	AUTO(mem) char *text = mem_printf("document %d", ++n);
	AUTO(fd) int fd = -1;
	struct deposit_file file = {"a.txt", -1};
	struct deposit d = {.depositor = "desk", .files = &file, .n_files = 1};
	enum err_code r;

	assert_int_equal(worker_memfd(slice_str(text), &fd, e), ERR_OK);
	file.fd = fd;
	r = archive_deposit(w->a, &d, 1, e);
	if (r == ERR_OK)
		assert_true(json_object_get(d.receipt, "record") != NULL);
	json_decref(d.receipt);
	return r;
}

#define TRUST "[trust]\ndir = trust\n[service]\nmin_free = 0\n"

static void
test_disk(void **state)
{
	AUTO(world) struct world w;
	struct err e = {0};

	(void)state;
	world_make(&w, "[trust]\ndir = trust\n[service]\nmin_free = 1024TiB\n");
	FAILS(ERR_NOSPACE, deposit(&w, &e));
	SAYS("[service] min_free");
}

/* What the kernel denies counts on a machine where it once said yes; else it is the rule that decides. */
static void
test_synchronised(void **state)
{
	static const struct {
		const char *rule;
		enum clock_sync first, then;
		enum err_code want;
	} rows[] = {
	    {"auto", CLOCK_UNSYNCHRONISED, CLOCK_UNSYNCHRONISED, ERR_OK},
	    {"auto", CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, ERR_BUSY},
	    {"auto", CLOCK_SYNCHRONISED, CLOCK_UNKNOWN, ERR_OK},
	    {"auto", CLOCK_UNSYNCHRONISED, CLOCK_SYNCHRONISED, ERR_OK},
	    {"no", CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, ERR_OK},
	    {"yes", CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, ERR_BUSY},
	    {"yes", CLOCK_SYNCHRONISED, CLOCK_UNKNOWN, ERR_BUSY},
	    {"yes", CLOCK_SYNCHRONISED, CLOCK_SYNCHRONISED, ERR_OK},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(world) struct world w;
		AUTO(mem) char *more = mem_printf(TRUST "clock_sync = %s\n", rows[i].rule);
		char why[300] = "";
		struct err e = {0};

		world_make(&w, more);
		w.sync = rows[i].first;
		OK(deposit(&w, &e));
		w.sync = rows[i].then;
		world_open(&w); /* what was seen outlives the process */
		if (deposit(&w, &e) != rows[i].want)
			fail_msg("row %zu: %s", i, e.text);
		if (rows[i].want != ERR_OK)
			SAYS("synchronised");
		assert_false(clock_wrong(w.a, why)); /* stamps and renewal go on */
	}
}

static void
test_clock_behind_the_log(void **state)
{
	AUTO(world) struct world w;
	struct stamp_got got = {0};
	const struct digest imprint = {.alg = DIGEST_SHA512, .n = 64};
	struct err e = {0};

	(void)state;
	world_make(&w, TRUST);
	OK(deposit(&w, &e));
	w.now = T0 - 200;
	OK(deposit(&w, &e)); /* clocks differ by seconds */
	w.now = T0 - HOUR;
	FAILS(ERR_BUSY, deposit(&w, &e));
	SAYS("the log's newest entry is of 2025-12-31T23:56:40Z");
	OK(stamp_get(w.a, config_profile(w.cfg, "default"), &imprint, TIME_NONE, NULL, &got, &e));
	assert_false(got.got);
	assert_non_null(strstr(got.why, "no stamp by a wrong clock"));
	w.now = T0 + HOUR;
	OK(deposit(&w, &e));
	/* The clock was an hour ahead for that one: the operator says so. */
	w.now = T0 + 60;
	FAILS(ERR_BUSY, deposit(&w, &e));
	OK(archive_release(w.a, "clock", &e));
	OK(deposit(&w, &e));
	w.now = T0 - HOUR;
	FAILS(ERR_BUSY, deposit(&w, &e));
}

static void
test_clock_by_tsas(void **state)
{
	AUTO(world) struct world w;
	char why[300] = "";
	struct err e = {0};

	(void)state;
	world_make(&w, TRUST);
	clock_told(w.a, "one", 4000);
	OK(deposit(&w, &e)); /* one may be wrong itself */
	clock_told(w.a, "two", -4000);
	OK(deposit(&w, &e)); /* and so may both */
	clock_told(w.a, "two", 4100);
	FAILS(ERR_BUSY, deposit(&w, &e));
	SAYS("one and two");
	assert_true(clock_wrong(w.a, why));
	w.now += 16 * 60;
	OK(deposit(&w, &e)); /* asked about again */
	clock_told(w.a, "one", 4000);
	clock_told(w.a, "two", 4000);
	FAILS(ERR_BUSY, deposit(&w, &e));
	clock_told(w.a, "two", 0);
	OK(deposit(&w, &e));
}

static void
anchor(struct anchors *to, const char *name, unsigned roles, int64_t end)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	unsigned char *der = NULL;
	struct err e = {0};
	int n;

	assert_non_null(key);
	assert_non_null(x);
	ASN1_TIME_set(X509_getm_notBefore(x), T0 - YEAR);
	ASN1_TIME_set(X509_getm_notAfter(x), end);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	OK(anchors_add(to, slice_of(der, (size_t)n), roles, TIME_MAX, name, &e));
	OPENSSL_free(der);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
test_stale_trust(void **state)
{
	AUTO(world) struct world w;
	struct err e = {0};

	(void)state;
	world_make(&w, "[trust]\ndir = trust\nmax_age = 30d\n[service]\nmin_free = 0\n");
	OK(deposit(&w, &e)); /* not known when */
	w.trust = T0 - 29 * 24 * HOUR;
	OK(deposit(&w, &e));
	w.now += 2 * 24 * HOUR;
	FAILS(ERR_BUSY, deposit(&w, &e));
	SAYS("[trust] max_age");
	w.trust = w.now;
	OK(deposit(&w, &e));
	anchor(w.anchors, "signers", ROLE_SIGNER, T0 + YEAR);
	anchor(w.anchors, "short", ROLE_TSA, T0 + 30 * 24 * HOUR);
	anchor(w.anchors, "long", ROLE_TSA, T0 + 60 * 24 * HOUR);
	world_open(&w);
	w.now = w.trust = T0 + 40 * 24 * HOUR;
	OK(deposit(&w, &e));
	w.now = w.trust = T0 + 61 * 24 * HOUR;
	FAILS(ERR_BUSY, deposit(&w, &e));
	SAYS("the last anchor for TSAs ended at");
}

/* What a clock far ahead put off is not put off until then. */
static void
test_pauses_of_a_wrong_clock(void **state)
{
	AUTO(world) struct world w;
	int64_t retry = TIME_NONE;

	(void)state;
	world_make(&w, TRUST);
	service_told(w.a, "one", "TSA", FETCH_CONFIG, "test", -1);
	assert_false(service_open(w.a, "one", &retry));
	assert_true(retry > w.now && retry <= w.now + 24 * HOUR);
	w.now = T0 + 70 * YEAR;
	service_told(w.a, "one", "TSA", FETCH_CONFIG, "test", -1);
	assert_false(service_open(w.a, "one", &retry));
	w.now = T0;
	assert_true(service_open(w.a, "one", &retry));
}

/* Its time is a file, and is set as one likes. */
static void
test_simulated(void **state)
{
	AUTO(world) struct world w;
	struct err e = {0};

	(void)state;
	world_make(&w, "clock_file = clock\n" TRUST "clock_sync = yes\n");
	w.sync = CLOCK_UNSYNCHRONISED;
	OK(deposit(&w, &e));
	w.now = T0 - YEAR;
	OK(deposit(&w, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_disk),
	    cmocka_unit_test(test_synchronised),
	    cmocka_unit_test(test_clock_behind_the_log),
	    cmocka_unit_test(test_clock_by_tsas),
	    cmocka_unit_test(test_stale_trust),
	    cmocka_unit_test(test_pauses_of_a_wrong_clock),
	    cmocka_unit_test(test_simulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
