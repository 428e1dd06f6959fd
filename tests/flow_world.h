/* SPDX-License-Identifier: MIT */
/* The world of a flow: a folder, the test PKI in it, and a caged judge that trusts it. One for all tests of a program. */
#ifndef EVERSEAL_TESTS_FLOW_WORLD_H
#define EVERSEAL_TESTS_FLOW_WORLD_H

#include "tests/flow.h"
#include "tests/kit.h"

#define START "2026-01-01T00:00:00Z"
#define DAY 86400

static struct {
	struct kit_dir dir;
	struct pki_client pki;
	struct anchors *anchors;
	struct vpolicy policy;
	struct caged *caged;
	char root[400]; /* of the repository */
} w;

static inline int
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

static inline int
world_down(void **state)
{
	(void)state;
	caged_free(w.caged);
	pki_down(&w.pki);
	anchors_free(w.anchors);
	kit_dir_free(&w.dir);
	return 0;
}

static inline void
at(struct flow *f, const char *instant)
{
	pki_clock(&w.pki, instant);
	if (!time_parse(instant, &f->now_utc))
		fail();
}

/* testpki sign with these options; data of a detached signature becomes a side file. */
static inline struct flow
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

static inline const char *
said(const struct flow *f, size_t sig, const char *key)
{
	return flow_str(json_array_get(json_object_get(json_object_get(f->judge, "report"), "signatures"), sig), key);
}

static inline void
is_passed(struct flow *f, size_t sig)
{
	if (strcmp(said(f, sig, "indication"), "TOTAL-PASSED") != 0) {
		AUTO(mem) char *text = json_dumps(json_object_get(f->judge, "report"), JSON_INDENT(1));
		fail_msg("%s %s\n%.6000s", said(f, sig, "indication"), said(f, sig, "subindication"), text);
	}
}

/* Text in place of what in the file; counted once. */
static inline void
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

#endif
