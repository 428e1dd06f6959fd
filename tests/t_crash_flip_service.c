/* SPDX-License-Identifier: MIT */
/*
 * As t_crash_flip.c, under the real program: what counts is what it says by exit code. Each state is a disk that a power loss
 * can leave, with one octet of one file of the archive changed; `get` and two other verbs begin on a copy of it.
 *
 * docs/crash.md tells how to repeat one state.
 *
 *	FLIP_SERVICE_STATES=60 FLIP_SEED=1 FLIP_ONLY=<state>
 */
#include "tests/crashbench.h"
#include "tests/crashimage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define STATES 12
#else
#define STATES 60
#endif
#define CONTROL 8
#define BOOT "00000000-0000-4000-8000-000000000000\n"
#define NOT_THERE 66

enum way { GET, RUN, STATUS, REBUILD, SCRUB, BOOT_RUN, NO_INDEX_RUN, NO_INDEX_STATUS, WAYS };
static const char *const way_name[WAYS] = {"get", "run", "status", "rebuild", "scrub", "run after another boot", "run without the index",
    "status without the index"};

struct state {
	uint64_t number, seed;
	struct image home; /* all of it, damaged */
	struct blow blow;
	char told[120], disk[100];
	char record[DOCS][64];	 /* what a receipt names; empty: no receipt */
	struct buf keep[DOCS]; /* octets that must stay in the archive's folder */
	bool sound[DOCS];	 /* they are as given */
};
struct outcome {
	size_t states, tries, whole, told, bad;
	char first[600];
};

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != 0 ? strtoull(s, NULL, 10) : otherwise;
}

static void
state_release(struct state *x)
{
	int i;

	image_clear(&x->home);
	for (i = 0; i < DOCS; i++)
		buf_release(&x->keep[i]);
}

/* --- a state --- */

/* Only the archive's own files may be hurt, and octets are looked for there. */
static void
split(struct image *all, struct image *archive)
{
	size_t i, kept = 0;

	archive->n = 0;
	for (i = 0; i < all->n; i++)
		if (strncmp(all->v[i].path, "archive/", 8) == 0)
			archive->v[archive->n++] = all->v[i];
		else
			all->v[kept++] = all->v[i];
	all->n = kept;
}

static void
join(struct image *all, struct image *archive)
{
	memcpy(&all->v[all->n], archive->v, archive->n * sizeof(archive->v[0]));
	all->n += archive->n;
	archive->n = 0;
}

/* The octets of each document as they are in the archive, before and after the blow. */
static void
hurt(struct state *x, struct image *archive)
{
	char path[DOCS][200] = {""};
	size_t at[DOCS] = {0}, ignored;
	int i, f;

	for (i = 0; i < DOCS; i++) {
		doc_octets(i, &x->keep[i]);
		f = image_search(archive, buf_slice(&x->keep[i]), &at[i]);
		if (f >= 0)
			memcpy(path[i], archive->v[f].path, sizeof(path[i]));
	}
	blow_strike(archive, &x->blow);
	for (i = 0; i < DOCS; i++) {
		const struct image_file *file = image_find(archive, path[i]);
		size_t n = x->keep[i].n;

		x->sound[i] = image_search(archive, buf_slice(&x->keep[i]), &ignored) >= 0;
		if (x->sound[i])
			continue;
		buf_clear(&x->keep[i]);
		if (file != NULL && at[i] + n <= file->octets.n)
			buf_add(&x->keep[i], file->octets.p + at[i], n);
	}
}

/* One octet of one file in turn; for the control of the newest document with a receipt, since objects have no second copy. */
static bool
choose(const struct image *archive, bool control, struct state *x)
{
	AUTO(buf) struct buf octets = {0};
	size_t at;
	int i = DOCS - 1, f;

	if (!control)
		return blow_choose(archive, FLIP, x->number, x->seed, &x->blow);
	while (i >= 0 && x->record[i][0] == 0)
		i--;
	if (i < 0)
		return false;
	doc_octets(i, &octets);
	f = image_search(archive, buf_slice(&octets), &at);
	x->blow = (struct blow){.kind = FLIP, .file = f, .at = at + octets.n / 2, .bit = 1};
	return f >= 0;
}

static bool
state_make(struct state *x, const struct bench *b, const struct disk *d, const struct expect *e, bool control, uint64_t seed,
    uint64_t q)
{
	struct image *archive = mem_new(1, sizeof(*archive));
	enum variant v;
	char kv[400];
	int i;

	assert_non_null(archive);
	state_release(x);
	x->number = q;
	x->seed = dice(seed, 200) + q;
	v = (enum variant)(dice(x->seed, 1) % VARIANTS);
	snprintf(x->disk, sizeof(x->disk), "disk %d", (int)v);
	lab_clear(b->lab.work);
	assert_int_equal(mkdir(b->lab.work, 0700), 0);
	disk_build(d, v, (uint32_t)x->seed, b->lab.work);
	for (i = 0; i < DOCS; i++)
		if (!receipt(b, i, x->record[i]))
			x->record[i][0] = 0;
	image_load(&x->home, b->lab.work);
	bench_kv(b, e->kv, kv);
	if (e->kv >= 0 && dice(x->seed, 2) % 4 != 0)
		image_load(&x->home, kv);
	split(&x->home, archive);
	if (!choose(archive, control, x)) {
		join(&x->home, archive);
		free(archive);
		return false;
	}
	blow_tell(archive, &x->blow, x->told);
	hurt(x, archive);
	join(&x->home, archive);
	free(archive);
	return true;
}

/* --- what the program says --- */

static int
go(const struct bench *b, enum way w)
{
	if (w == RUN || w == BOOT_RUN || w == NO_INDEX_RUN)
		return PROGRAM(b, false, "run", "--once");
	if (w == STATUS || w == NO_INDEX_STATUS)
		return PROGRAM(b, false, "status");
	if (w == REBUILD)
		return PROGRAM(b, false, "rebuild");
	return w == SCRUB ? PROGRAM(b, false, "scrub", "--full") : PROGRAM(b, false, "list");
}

/* The archive's folder, as it is now; image_clear and free it. */
static struct image *
archive_now(const struct bench *b)
{
	struct image *m = mem_new(1, sizeof(*m));
	char dir[300];

	assert_non_null(m);
	snprintf(dir, sizeof(dir), "%s/archive", b->lab.work);
	image_load(m, dir);
	return m;
}

static bool
octets_there(const struct bench *b, struct slice octets)
{
	struct image *m = archive_now(b);
	size_t at;
	bool found = image_search(m, octets, &at) >= 0;

	image_clear(m);
	free(m);
	return found;
}

static bool
alarm_there(const struct bench *b)
{
	struct image *m = archive_now(b);
	bool found = image_lost(m, "\"alarm\":true") != 0;

	image_clear(m);
	free(m);
	return found;
}

/* Keys and FORMAT stand once. */
static bool
must_come_out(const struct state *x)
{
	return strstr(x->told, "FORMAT") == NULL && strstr(x->told, "/log.") == NULL;
}

/* NULL, or what is wrong with document i, which has a receipt. *out: it came out. */
static const char *
judge_one(const struct bench *b, const struct state *x, int i, int status, bool *out)
{
	char to[300];
	int code;

	*out = comes_out(b, i, x->record[i]);
	if (*out)
		return NULL;
	snprintf(to, sizeof(to), "%s/got", b->lab.dir);
	lab_clear(to);
	code = PROGRAM(b, false, "get", x->record[i], "-o", to, "--version", "0");
	if (code == 0)
		return "get gives other octets, exit 0";
	if (code >= 1000)
		return "get is ended by a signal";
	if (code == NOT_THERE && status == 0)
		return "get does not know the record, status ends with 0";
	if (x->keep[i].n != 0 && !octets_there(b, buf_slice(&x->keep[i])))
		return "its octets are no longer in the folder";
	return x->sound[i] && must_come_out(x) ? "its octets are whole, but it does not come out" : NULL;
}

/* After each verb: every receipt is asked for; what came out comes out. */
static const char *
judge_all(const struct bench *b, const struct state *x, bool came[DOCS], size_t *whole, size_t *told)
{
	const char *why = NULL;
	int i, status = PROGRAM(b, false, "status");
	bool out;

	if (status >= 1000)
		return "status is ended by a signal";
	if (status == 0 && alarm_there(b))
		return "there is an alarm in lost/, status ends with 0";
	for (i = 0; i < DOCS && why == NULL; i++) {
		if (x->record[i][0] == 0)
			continue;
		why = judge_one(b, x, i, status, &out);
		if (why == NULL && came[i] && !out)
			why = "it came out before";
		came[i] = came[i] || out;
		*whole += out;
		*told += !out;
	}
	return why;
}

static void
set_out(const struct bench *b, const struct state *x, enum way w)
{
	image_write(&x->home, b->lab.work, w == NO_INDEX_RUN || w == NO_INDEX_STATUS ? "archive/index" : NULL);
	if (w == BOOT_RUN)
		write_whole(b->lab.work, "archive/dirty", slice_str(BOOT));
}

/* One way to begin and a verb behind it. */
static const char *
try_way(const struct bench *b, const struct state *x, enum way w, enum way then, bool came[DOCS], struct outcome *o)
{
	const char *why;
	size_t whole = 0, told = 0;
	int code;

	set_out(b, x, w);
	o->tries++;
	code = go(b, w);
	if (code >= 1000)
		return "the verb is ended by a signal";
	if (getenv("FLIP_ONLY") != NULL)
		print_message("%s, %s: %s ends with %d, %s in lost/\n", x->disk, x->told, way_name[w], code,
		    alarm_there(b) ? "an alarm" : "no alarm");
	if (code == 0 && (w == RUN || w == BOOT_RUN || w == NO_INDEX_RUN) && alarm_there(b))
		return "there is an alarm in lost/, run ends with 0";
	why = judge_all(b, x, came, &whole, &told);
	if (why != NULL || then == WAYS)
		return why;
	if (go(b, then) >= 1000)
		return "the second verb is ended by a signal";
	why = judge_all(b, x, came, &whole, &told);
	o->whole += whole;
	o->told += told;
	if (why == NULL && told != 0 && PROGRAM(b, false, "scrub", "--full") == 0 && PROGRAM(b, false, "status") == 0)
		why = "something does not come out, scrub --full and status end with 0";
	return why;
}

static void
one_state(const struct bench *b, const struct state *x, bool control, struct outcome *o)
{
	static const enum way second[] = {RUN, STATUS, REBUILD, SCRUB};
	bool before[DOCS] = {false};
	int k;

	o->states++;
	for (k = 0; k < 3; k++) {
		enum way w = k == 0 ? GET : control ? BOOT_RUN : (enum way)(1 + (x->number * 2 + (unsigned)k) % (WAYS - 1));
		enum way then = k == 0 ? WAYS : second[dice(x->seed, 40 + (unsigned)k) % 4];
		bool came[DOCS];
		const char *why;

		memcpy(came, before, sizeof(came));
		why = try_way(b, x, w, then, came, o);
		if (k == 0)
			memcpy(before, came, sizeof(before));
		if (why == NULL)
			continue;
		o->bad++;
		print_message("%sFLIP_ONLY=%llu: %s, %s; %s, %s: %s\n", control ? "  as wanted: " : "", (unsigned long long)x->number, x->disk, x->told, way_name[w],
		    then < WAYS ? way_name[then] : "-", why);
	}
}

static void
all_states(const struct bench *b, const struct record *rec, uint64_t states, bool control, struct outcome *o)
{
	uint64_t seed = setting("FLIP_SEED", 1), only = setting("FLIP_ONLY", UINT64_MAX), q = 0;
	struct state *x = mem_new(1, sizeof(*x));
	struct disk *d = disk_new();
	struct expect e = {.kv = -1};
	char given[300];
	size_t i;

	assert_non_null(x);
	snprintf(given, sizeof(given), "%s/given", b->lab.dir);
	disk_load(d, given);
	for (i = 0; i < rec->n; i++) {
		disk_play(d, &rec->v[i], NULL);
		if (rec->v[i].op == 'A')
			bench_hear(&rec->v[i], &e);
		for (; q < states && ((q + 1) * rec->n - 1) / states == i; q++)
			if ((only == UINT64_MAX || q == only) && state_make(x, b, d, &e, control, seed, q))
				one_state(b, x, control, o);
	}
	state_release(x);
	free(x);
	disk_free(d);
}

static void
test_told_by_exit_code(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct outcome o = {0};

	(void)state;
	bench_record(&b, DOCS, 1, true, &rec);
	all_states(&b, &rec, setting("FLIP_SERVICE_STATES", STATES), false, &o);
	print_message("%zu disks with one octet changed, %zu tries: a receipt's record came out %zu times, was told as damaged %zu times\n", o.states,
	    o.tries, o.whole, o.told);
	assert_int_equal(o.bad, 0);
	assert_true(o.states != 0);
}

/* The same program with an alarm that says nothing: what only the alarm tells must be missed. */
static void
test_control_silent_alarm(void **state)
{
	AUTO(bench) struct bench b;
	AUTO(record) struct record rec = {.v = NULL};
	struct outcome o = {0};
	char *slash;

	(void)state;
	bench_record(&b, DOCS, 1, true, &rec);
	slash = strrchr(b.program, '/');
	snprintf(slash, sizeof(b.program) - (size_t)(slash - b.program), "/tests/everseal-silent");
	assert_int_equal(access(b.program, X_OK), 0);
	setenv("EVERSEAL_ALARM_SILENT", "1", 1);
	all_states(&b, &rec, CONTROL, true, &o);
	unsetenv("EVERSEAL_ALARM_SILENT");
	print_message("with the alarm silent %zu of %zu tries are bad\n", o.bad, o.tries);
	assert_true(o.bad != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_by_exit_code),
	    cmocka_unit_test(test_control_silent_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
