/* SPDX-License-Identifier: MIT */
/*
 * A store that somebody tampered with, opened by an auditor without its index: whatever stands in the segments, opening,
 * scrub, the log's check and a dump end with an answer, within time and memory.
 */
#include "tests/storebox.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES 120
#define MEMORY_KIB (512 << 10)
#define SECONDS 20

static uint64_t seed = 1;

/* xorshift: the same cases in every run */
static size_t
below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return n != 0 ? (size_t)(seed % n) : 0;
}

/* --- what the auditor does --- */

static enum err_code
nowhere(void *ctx, struct slice s, struct err *e)
{
	(void)ctx;
	(void)s;
	(void)e;
	return ERR_OK;
}

static enum err_code
take_row(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)ctx;
	(void)key;
	(void)value;
	(void)stop;
	(void)e;
	return ERR_OK;
}

static void
leave(int code)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	_exit(used.ru_maxrss > MEMORY_KIB ? 2 : code);
}

static void
audit(struct box *x)
{
	static const char *const names[] = {"document 0", "document 2", "certificate 1"};
	const struct sink to = {nowhere, NULL};
	const struct store_each each = {take_row, NULL};
	struct store_report report;
	struct store_status st;
	struct tlog_proof proof;
	struct err e = {0};

	alarm(SECONDS);
	if (store_open(x->path, STORE_READ, &x->seams, &x->s, &e) != ERR_OK)
		leave(1);
	(void)!store_status(x->s, &st, &e);
	(void)!store_scrub(x->s, true, NULL, &report, &e);
	(void)!store_log_verify(x->s, NULL, &report, &e);
	(void)!store_dump(x->s, &to, &e);
	(void)!store_rows(x->s, "state", slice_of(NULL, 0), slice_of(NULL, 0), &each, &e);
	(void)!store_log_proof(x->s, 0, 0, &proof, &e);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct store_ref ref;

		if (store_hash_octets(slice_str(names[i]), &ref, &e) == ERR_OK)
			(void)!store_get(x->s, ref.sha256, &to, &e);
	}
	store_close(x->s, NULL);
	leave(0);
}

static int
audited(struct box *x, const char *what, size_t i)
{
	int code = ended(child(audit, x));

	if (code != 0 && code != 1)
		fail_msg("%s %zu: ended with %d", what, i, code);
	return code;
}

/* --- the store, and how it is spoiled --- */

static const char *const files[] = {"shared-00000001.tar", "data-2036-00000002.tar", "log-00000003.tar"};

struct pristine {
	struct box x;
	struct buf octets[3];
	struct member before, last; /* groups */
};

static void
pristine_auto(struct pristine *p)
{
	for (size_t i = 0; i < 3; i++)
		buf_release(&p->octets[i]);
	box_auto(&p->x);
}

static void
pristine_make(struct pristine *p)
{
	struct err e = {0};
	int i;

	box_make(&p->x, NULL);
	for (i = 0; i < 3; i++)
		fill(p->x.s, i, 1);
	OK(index_group(&p->x.s->index, 2, &p->before, &e));
	OK(index_group(&p->x.s->index, 3, &p->last, &e));
	for (i = 0; i < 3; i++)
		OK(sys_read_file(p->x.s->seg_fd, files[i], 1 << 20, &p->octets[i], &e));
	OK(store_close(TAKE(p->x.s), &e));
}

/* The segments as given, no index, an end that was clean or not. */
static void
lay_out(struct pristine *p, const struct slice octets[3])
{
	AUTO(fd) int dir = -1, segments = -1;
	struct err e = {0};
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "cd %s && rm -rf index ops lost dirty segments/*", p->x.path);
	assert_int_equal(system(cmd), 0);
	OK(sys_open_dir(AT_FDCWD, p->x.path, &dir, &e));
	OK(sys_open_dir(dir, "segments", &segments, &e));
	for (size_t i = 0; i < 3; i++) {
		AUTO(fd) int fd = -1;

		OK(sys_create(segments, files[i], 0640, &fd, &e));
		OK(sys_append(fd, octets[i], &e));
	}
	if (below(2) == 0)
		write_file(p->x.path, "dirty", "another boot");
}

static void
test_octets_turned(void **state)
{
	AUTO(pristine) struct pristine p = {.x = {.s = NULL}};
	size_t i, k, opened = 0;

	(void)state;
	pristine_make(&p);
	for (i = 0; i < CASES; i++) {
		struct slice octets[3];
		struct buf *hit = &p.octets[i % 3];
		size_t at = below(hit->n), n = below(4) == 0 ? below(2000) : 1;
		AUTO(buf) struct buf kept = {0};

		buf_addslice(&kept, buf_slice(hit));
		for (k = 0; k < n && at + k < hit->n; k++)
			hit->p[at + k] ^= (uint8_t)(1 + below(255));
		for (k = 0; k < 3; k++)
			octets[k] = buf_slice(&p.octets[k]);
		if (below(3) == 0) {
			struct slice *cut = &octets[below(3)];

			cut->n = below(cut->n);
		}
		lay_out(&p, octets);
		opened += audited(&p.x, "turned octets", i) == 0;
		memcpy(hit->p, kept.p, kept.n);
	}
	assert_true(opened > 0 && opened < CASES);
}

/* --- groups that are whole, and lie --- */

static const char *const texts[] = {"", "data-2036-00000002.tar", "shared-00000001.tar", "log-00000003.tar", "data-9999-99999999.tar",
    "shared-4294967295.tar", "log-00000000.tar", "../../etc/passwd", "t:x", "b:", "b:AAAA", "b:!", "segments/x.json",
    "groups/0000000003.json", "objects/sha256/00"};
static const json_int_t numbers[] = {0, 1, -1, 511, 512, 9007199254740991, -9007199254740991, 9007199254740480, 1 << 30};
#define ONE_OF(a) ((a)[below(sizeof(a) / sizeof((a)[0]))])

static void
spoil_list(json_t *list)
{
	size_t n = json_array_size(list);
	json_t *one = n != 0 ? json_array_get(list, below(n)) : NULL;

	switch (below(3)) {
	case 0:
		json_array_clear(list);
		break;
	case 1:
		json_array_remove(list, below(n));
		break;
	default:
		for (n = below(50); one != NULL && n > 0; n--)
			json_array_append_new(list, json_deep_copy(one));
	}
}

/* Goes down a random way and spoils what is at its end. Returns what is to stand there instead, or NULL. */
static json_t *
spoil(json_t *v)
{
	size_t at = below(json_object_size(v)), i = 0;
	const char *key;
	json_t *child_value, *other = NULL;

	if (json_is_integer(v))
		return json_integer(ONE_OF(numbers));
	if (json_is_string(v))
		return below(8) == 0 ? json_null() : json_string(ONE_OF(texts));
	if (json_is_array(v) && json_array_size(v) != 0 && below(3) != 0) {
		at = below(json_array_size(v));
		other = spoil(json_array_get(v, at));
		if (other != NULL)
			json_array_set_new(v, at, other);
		return NULL;
	}
	if (json_is_array(v))
		spoil_list(v);
	json_object_foreach(v, key, child_value) {
		if (i++ != at)
			continue;
		if (below(20) == 0) {
			json_object_del(v, key);
			break;
		}
		other = spoil(child_value);
		if (other != NULL)
			json_object_set_new(v, key, other);
		break;
	}
	return json_is_array(v) || json_is_object(v) ? NULL : json_integer(ONE_OF(numbers));
}

static void
seal_text(const struct buf *body, struct buf *out)
{
	uint8_t sum[32];
	struct err e = {0};

	OK(digest_sha256(buf_slice(body), sum, &e));
	buf_adds(out, "{\"body\":");
	buf_addslice(out, buf_slice(body));
	buf_adds(out, ",\"sha256\":\"");
	buf_addhex(out, slice_of(sum, 32));
	buf_adds(out, "\"}\n");
}

/* The log segment with another last group. */
static void
with_group(const struct pristine *p, struct slice text, struct buf *out)
{
	uint8_t head[TAR_HEAD_MAX], zeros[TAR_BLOCK] = {0};

	buf_add(out, p->octets[2].p, p->last.off);
	tar_head("groups/0000000003.json", text.n, head);
	buf_add(out, head, tar_head_bytes(text.n));
	buf_addslice(out, text);
	buf_add(out, zeros, tar_padding(text.n));
}

static void
audit_group(struct pristine *p, const struct buf *body, const char *what, size_t i, size_t *opened)
{
	AUTO(buf) struct buf text = {0};
	AUTO(buf) struct buf log = {0};

	seal_text(body, &text);
	with_group(p, buf_slice(&text), &log);
	lay_out(p, (struct slice[3]){buf_slice(&p->octets[0]), buf_slice(&p->octets[1]), buf_slice(&log)});
	*opened += audited(&p->x, what, i) == 0;
}

static void
test_lying_groups(void **state)
{
	AUTO(pristine) struct pristine p = {.x = {.s = NULL}};
	static const char *const lists[] = {"born", "leaves", "members", "rows", "sealed"};
	AUTO(json) json_t *group = NULL;
	size_t i, k, opened = 0;
	struct err e = {0};

	(void)state;
	pristine_make(&p);
	OK(json_read(slice_of(p.octets[2].p + p.last.off + 512, p.last.ref.size_bytes), NULL, &group, &e));
	for (i = 0; i < CASES; i++) {
		AUTO(json) json_t *body = json_deep_copy(json_object_get(group, "body"));
		AUTO(buf) struct buf text = {0};

		for (k = below(4) + (i != 0); k > 0; k--)
			json_decref(spoil(below(5) == 0 ? body : json_object_get(body, ONE_OF(lists))));
		OK(json_canonical(body, &text, &e));
		audit_group(&p, &text, "lying group", i, &opened);
	}
	assert_true(opened > 0 && opened < CASES);
}

static json_t *
parsed(const char *text)
{
	struct err e = {0};
	json_t *j = NULL;

	OK(json_read(slice_str(text), NULL, &j, &e));
	return j;
}

/* A group that would have the open cut away what earlier ones hold is refused, and nothing is cut. */
static void
test_groups_that_take_back(void **state)
{
	static const struct {
		const char *list, *text, *why;
	} rows[] = {
	    {"born", "[{\"alone\":false,\"born\":0,\"segment\":\"data-2036-00000002.tar\"}]", "is born again"},
	    {"sealed", "[\"data-2036-00000002.tar\",\"data-2036-00000002.tar\"]", "is sealed already"},
	};
	AUTO(pristine) struct pristine p = {.x = {.s = NULL}};
	AUTO(json) json_t *group = NULL;
	struct err e = {0};

	(void)state;
	pristine_make(&p);
	OK(json_read(slice_of(p.octets[2].p + p.last.off + 512, p.last.ref.size_bytes), NULL, &group, &e));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(json) json_t *body = json_deep_copy(json_object_get(group, "body"));
		AUTO(buf) struct buf text = {0}, whole = {0}, log = {0}, after = {0};
		AUTO(fd) int dir = -1;
		char path[120];

		json_object_del(body, "at"); /* of format 1: no twin that must fit */
		OK(json_set(body, "format", json_integer(1), &e));
		OK(json_set(body, rows[i].list, parsed(rows[i].text), &e));
		OK(json_set(body, "members", json_array(), &e));
		OK(json_canonical(body, &text, &e));
		seal_text(&text, &whole);
		with_group(&p, buf_slice(&whole), &log);
		lay_out(&p, (struct slice[3]){buf_slice(&p.octets[0]), buf_slice(&p.octets[1]), buf_slice(&log)});
		FAILS(ERR_DAMAGED, store_open(p.x.path, STORE_WRITE, &p.x.seams, &p.x.s, &e));
		SAYS(rows[i].why);
		snprintf(path, sizeof(path), "%s/segments", p.x.path);
		OK(sys_open_dir(AT_FDCWD, path, &dir, &e));
		OK(sys_read_file(dir, files[1], 1 << 20, &after, &e));
		SAME(buf_slice(&after), buf_slice(&p.octets[1]));
	}
}

/* Text that takes much more memory than it has octets. */
static void
test_swelling_groups(void **state)
{
	static const char *const units[] = {"{},", "[],", "0,", "\"\",", "[[[[[[[[[[[[[[[[[[[[", "{\"a\":"};
	AUTO(pristine) struct pristine p = {.x = {.s = NULL}};
	size_t i, opened = 0;

	(void)state;
	pristine_make(&p);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		AUTO(buf) struct buf text = {0};

		buf_adds(&text, "{\"born\":[");
		while (text.n < (48u << 20))
			buf_adds(&text, units[i]);
		buf_adds(&text, "0],\"number\":3,\"previous\":\"");
		buf_addhex(&text, slice_of(p.before.ref.sha256, 32));
		buf_adds(&text, "\"}");
		audit_group(&p, &text, "swelling group", i, &opened);
	}
}

/* A thousand headers behind the chain, each of a group of 60 MiB that reaches over all the others. */
static void
test_overlapping_groups(void **state)
{
	AUTO(pristine) struct pristine p = {.x = {.s = NULL}};
	AUTO(buf) struct buf log = {0};
	uint8_t head[TAR_HEAD_MAX];

	(void)state;
	pristine_make(&p);
	buf_addslice(&log, buf_slice(&p.octets[2]));
	for (int i = 0; i < 1000; i++) {
		tar_head("groups/0000000009.json", 60u << 20, head);
		buf_add(&log, head, TAR_BLOCK);
	}
	for (int i = 0; i < 61 << 20; i += TAR_HEAD_MAX) {
		memset(head, 'x', sizeof(head));
		buf_add(&log, head, sizeof(head));
	}
	lay_out(&p, (struct slice[3]){buf_slice(&p.octets[0]), buf_slice(&p.octets[1]), buf_slice(&log)});
	assert_int_equal(audited(&p.x, "overlapping groups", 0), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_octets_turned),
	    cmocka_unit_test(test_lying_groups),
	    cmocka_unit_test(test_groups_that_take_back),
	    cmocka_unit_test(test_swelling_groups),
	    cmocka_unit_test(test_overlapping_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
