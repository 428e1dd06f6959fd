/* SPDX-License-Identifier: MIT */
/* Text: JSON, configuration, policies, catalogues, times and numbers. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* The canonical form is read again as the same value and written as the same octets. */
static void
one_json(struct slice in)
{
	static const struct json_limits with_reals = {.reals = true};
	AUTO(json) json_t *j = NULL;
	AUTO(json) json_t *real = NULL;
	AUTO(json) json_t *again = NULL;
	AUTO(buf) struct buf first = {0}, second = {0};
	struct err e = {0};

	(void)!json_read(in, &with_reals, &real, NULL);
	if (json_read(in, NULL, &j, &e) != ERR_OK || json_canonical(j, &first, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(json_read(buf_slice(&first), NULL, &again, &e) == ERR_OK && json_equal(j, again) == 1);
	fuzz_must(json_canonical(again, &second, &e) == ERR_OK && slice_eq(buf_slice(&first), buf_slice(&second)));
}

/* What is in effect, written out, is read again as the same. */
static void
one_config(struct slice in)
{
	AUTO(config) struct config *c = NULL;
	AUTO(config) struct config *other = NULL;
	AUTO(faults) struct faults f = {0}, none = {0};
	AUTO(buf) struct buf told = {0}, text = {0}, again = {0};
	struct err e = {0};

	if (config_parse(in, "/etc/everseal.conf", &c, &f, &e) != ERR_OK) {
		faults_text(&f, &told);
		fuzz_must(e.code != ERR_BUG && c == NULL && (f.n != 0 || e.code == ERR_LIMIT));
		return;
	}
	fuzz_must(f.n == 0);
	(void)config_check_built(c, &none);
	config_text(c, &text);
	fuzz_must(!text.failed);
	fuzz_must(config_parse(buf_slice(&text), "/etc/everseal.conf", &other, &f, &e) == ERR_OK);
	config_text(other, &again);
	fuzz_must(slice_eq(buf_slice(&text), buf_slice(&again)));
}

static void
one_policy(struct slice in)
{
	struct vpolicy p = {.catalogue = NULL};
	struct err e = {0};

	if (vpolicy_read(in, "policy", &p, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(p.catalogue != NULL && p.digest.alg == DIGEST_SHA256);
}

static void
use_all(const struct catalogue *c)
{
	struct alg_use use = {.digest = DIGEST_SHA256, .key = KEY_RSA, .key_bits = 2048};
	struct alg_verdict v;

	for (use.usage = 0; (unsigned)use.usage < 8; use.usage++) {
		catalogue_check(c, &use, FUZZ_TIME, true, &v);
		(void)catalogue_end(c, &use);
	}
}

/* Written for other programs and read again; *text is what it says then. */
static void
rewritten(const struct catalogue *c, struct catalogue **out, struct buf *text)
{
	AUTO(buf) struct buf xml = {0};
	struct err e = {0};

	catalogue_write(c, &xml);
	fuzz_must(!xml.failed && catalogue_read(buf_slice(&xml), out, NULL, &e) == ERR_OK);
	catalogue_text(*out, text);
}

/* Times of day are lost in writing, once; then every copy is the same catalogue. */
static void
one_catalogue(struct slice in)
{
	AUTO(catalogue) struct catalogue *c = NULL;
	AUTO(catalogue) struct catalogue *second = NULL;
	AUTO(catalogue) struct catalogue *third = NULL;
	AUTO(catalogue) struct catalogue *over = NULL;
	AUTO(catalogue) struct catalogue *effective = NULL;
	AUTO(buf) struct buf remarks = {0}, text = {0}, again = {0}, diff = {0};
	const struct catalogue *ours = catalogue_builtin("default");
	struct err e = {0};

	if (catalogue_read(in, &c, &remarks, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	use_all(c);
	rewritten(c, &second, &text);
	rewritten(second, &third, &again);
	fuzz_must(slice_eq(buf_slice(&text), buf_slice(&again)));
	catalogue_diff(ours, c, &diff);
	if (catalogue_overlay(ours, c, &over, &e) == ERR_OK)
		use_all(over);
	(void)!catalogue_replaces(c, ours, FUZZ_TIME, false, &e);
	if (catalogue_effective((const struct catalogue *const[]){ours, c}, 2, &effective, &e) == ERR_OK)
		use_all(effective);
}

/* The facts of a protection class, as manifests, index rows and a worker's answers carry them. */
static void
one_class(struct slice in)
{
	AUTO(json) json_t *j = NULL;
	AUTO(json) json_t *again = NULL;
	struct class_facts f, g;
	struct deadline d;
	uint8_t one[32], two[32];
	struct err e = {0};

	if (json_read(in, NULL, &j, &e) != ERR_OK || class_read(j, &f, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	deadline_compute(&f, catalogue_builtin("default"), TIME_MAX, NULL, &d);
	fuzz_must(d.utc <= d.token_utc && d.utc <= d.hash_utc);
	fuzz_must(class_json(&f, &again, &e) == ERR_OK && class_read(again, &g, &e) == ERR_OK);
	fuzz_must(class_key(&f, one, &e) == ERR_OK && class_key(&g, two, &e) == ERR_OK && memcmp(one, two, sizeof(one)) == 0);
}

/* Small things that stand in files, manifests, URLs and requests: each reads the whole input. */
static void
one_words(struct slice in)
{
	AUTO(mem) char *text = mem_dup(in.p, in.n);
	AUTO(buf) struct buf octets = {0}, base64 = {0}, xml = {0};
	struct net_rule rule;
	struct digest d;
	char shown[TIME_TEXT];
	int64_t t, other;
	uint64_t n;

	if (time_parse(text, &t)) {
		time_text(t, shown);
		fuzz_must(time_parse(shown, &other) && other == t);
	}
	(void)duration_parse(text, &t);
	(void)size_parse(text, &n);
	(void)net_rule_parse(text, &rule);
	(void)digest_parse(text, &d);
	buf_addxml(&xml, text);
	if (base64_to(in, &octets, NULL) == ERR_OK) {
		AUTO(buf) struct buf back = {0};

		buf_addbase64(&base64, buf_slice(&octets));
		fuzz_must(base64_to(buf_slice(&base64), &back, NULL) == ERR_OK && slice_eq(buf_slice(&back), buf_slice(&octets)));
	}
}

const struct fuzz_entry fuzz_text[] = {
    {.name = "json", .seeds = "json class receipt", .max_bytes = 65536, .one = one_json},
    {.name = "config", .max_bytes = 16384, .one = one_config},
    {.name = "policy", .max_bytes = 8192, .one = one_policy},
    {.name = "catalogue", .max_bytes = 131072, .one = one_catalogue},
    {.name = "class", .max_bytes = 8192, .one = one_class},
    {.name = "words", .max_bytes = 512, .one = one_words},
    {.name = NULL},
};
