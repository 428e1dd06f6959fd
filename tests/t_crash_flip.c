/* SPDX-License-Identifier: MIT */
/*
 * A crash, and then damage. Disks that a crash can leave (t_crash.c) are built; of each, one octet of one file is
 * changed; each verb that an operator might use first is tried on a copy of that, others follow. Whatever was acknowledged
 * must come out whole, or its loss must be told and its octets must still be in the folder; and no verb may make it worse.
 * docs/crash.md tells how to repeat one state.
 *
 *	FLIP_STATES=500 FLIP_SEED=1 FLIP_JOBS=2 FLIP_ONLY=<state> FLIP_KEEP=<folder>
 */
#include "tests/crashflip.h"
#include "tests/crashsilent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers are slow. */
#if defined(__SANITIZE_ADDRESS__)
#define STATES 100
#else
#define STATES 500
#endif
#define TRY_SECONDS 30
#define LINES 400
#define JOBS_MAX 8

/* --- what was seen, in memory that all processes share --- */

struct line {
	char key[200];
	size_t n;
	unsigned tries;	/* bits: the ways to begin */
	uint64_t state; /* the first one */
	char text[300];
};
struct tally {
	size_t states, flips, tries, bad_states, bad[FAULTS];
	size_t whole, told, closed; /* acknowledged deposits at the end of a try */
	size_t n_lines;
	struct line lines[LINES];
};

static void
count_line(struct tally *t, const char *key, uint64_t state, const char *text, size_t n, unsigned tries)
{
	size_t i;

	for (i = 0; i < t->n_lines; i++)
		if (strcmp(t->lines[i].key, key) == 0)
			break;
	if (i == LINES)
		i--;
	if (i == t->n_lines) {
		struct line *l = &t->lines[t->n_lines++];

		snprintf(l->key, sizeof(l->key), "%s", key);
		snprintf(l->text, sizeof(l->text), "%s", text);
		l->state = state;
	}
	t->lines[i].n += n;
	t->lines[i].tries |= tries;
}

static void *
shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != 0 ? strtoull(s, NULL, 10) : otherwise;
}

/* --- one try: verbs on a copy of one state, in a process of its own --- */

/* Killed, hung or ended by an assertion of a library: what it had found out so far is in *r. */
static void
try_in_child(const struct flipped *x, int k, const char *dir, const struct seen *before, struct result *r)
{
	int st = 0, null;
	pid_t p;

	memset(r, 0, sizeof(*r));
	p = fork();
	assert_true(p >= 0);
	if (p == 0) {
		null = open("/dev/null", O_WRONLY);
		if (null >= 0 && getenv("FLIP_ONLY") == NULL)
			dup2(null, 2);
		alarm(TRY_SECONDS);
		flip_try(x, k, dir, before, r);
		_exit(0);
	}
	assert_int_equal(waitpid(p, &st, 0), p);
	if (WIFSIGNALED(st) || WEXITSTATUS(st) != 0) {
		snprintf(r->text[DIED], sizeof(r->text[DIED]), "%s ends with %s %d", r->step,
		    WIFSIGNALED(st) ? "signal" : "exit", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
		r->faults |= 1u << DIED;
	}
}

static void
note_faults(struct tally *t, const struct flipped *x, int k, const struct result *r)
{
	char key[200];
	int f;

	for (f = 0; f < FAULTS; f++) {
		if ((r->faults & 1u << f) == 0)
			continue;
		t->bad[f]++;
		snprintf(key, sizeof(key), "%s | %.100s", fault_name[f], x->told);
		count_line(t, key, x->number, r->text[f], 1, 1u << k);
		if (getenv("FLIP_ONLY") != NULL)
			print_message("%s: %s\n", key, r->text[f]);
	}
}

static void
all_tries(struct tally *t, const struct flipped *x, const char *dir, struct result *r)
{
	struct seen before = {.any = false};
	unsigned faults = 0;
	int k;

	for (k = 0; k < flip_n_tries; k++) {
		try_in_child(x, k, dir, k == 0 ? NULL : &before, r);
		if (k == 0) /* get: what comes out before anything else is done */
			before = r->first;
		note_faults(t, x, k, r);
		faults |= r->faults;
		t->tries++;
		t->whole += r->whole;
		t->told += r->told;
		t->closed += r->closed;
	}
	t->states++;
	t->flips += x->blow.kind == FLIP;
	t->bad_states += faults != 0;
}

/* --- all states --- */

struct campaign {
	struct lab lab;
	struct record rec;
	uint64_t states, seed, only; /* only: UINT64_MAX for all */
	int jobs;
	struct tally *tally; /* one for each job */
};

static void
one_state(struct campaign *c, const struct disk *d, const struct heard *h, uint64_t q, int job, struct flipped *x, struct result *r)
{
	char built[330], dir[330];

	snprintf(built, sizeof(built), "%s/built.%d", c->lab.dir, job);
	snprintf(dir, sizeof(dir), "%s/try.%d", c->lab.dir, job);
	if (!flip_make(x, d, h, c->lab.ack, built, c->seed, q))
		return;
	if (c->only != UINT64_MAX) {
		print_message("state %llu: %s, %s\n", (unsigned long long)q, x->disk, x->told);
		if (getenv("FLIP_KEEP") != NULL)
			image_write(&x->image, getenv("FLIP_KEEP"), NULL);
	}
	all_tries(&c->tally[job], x, dir, r);
}

/* The states of one process: state q is a disk after call ((q + 1) * calls - 1) / states. */
static void
one_job(struct campaign *c, int job, struct result *r)
{
	struct flipped *x = mem_new(1, sizeof(*x));
	struct disk *d = disk_new();
	struct heard h = {.any = false};
	uint64_t q = 0;
	size_t i;

	assert_non_null(x);
	for (i = 0; i < c->rec.n; i++) {
		disk_play(d, &c->rec.v[i], NULL);
		h.op = &c->rec.v[i];
		if (h.op->op == 'A')
			work_hear(h.op->data, h.acked, &h.any, &h.closed);
		for (; q < c->states && ((q + 1) * c->rec.n - 1) / c->states == i; q++)
			if (q % (uint64_t)c->jobs == (uint64_t)job && (c->only == UINT64_MAX || c->only == q))
				one_state(c, d, &h, q, job, x, r);
	}
	flip_release(x);
	free(x);
	disk_free(d);
}

static void
sum_up(struct campaign *c, struct tally *sum)
{
	int j, f;
	size_t i;

	for (j = 0; j < c->jobs; j++) {
		const struct tally *t = &c->tally[j];

		sum->states += t->states;
		sum->flips += t->flips;
		sum->tries += t->tries;
		sum->bad_states += t->bad_states;
		sum->whole += t->whole;
		sum->told += t->told;
		sum->closed += t->closed;
		for (f = 0; f < FAULTS; f++)
			sum->bad[f] += t->bad[f];
		for (i = 0; i < t->n_lines; i++)
			count_line(sum, t->lines[i].key, t->lines[i].state, t->lines[i].text, t->lines[i].n, t->lines[i].tries);
	}
}

static int
by_count(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->key, y->key);
}

static void
campaign_run(struct campaign *c, struct tally *sum)
{
	struct result *r = shared(sizeof(*r) * JOBS_MAX);
	pid_t p[JOBS_MAX];
	int j, st;

	c->tally = shared(sizeof(*c->tally) * JOBS_MAX);
	for (j = 0; j < c->jobs; j++) {
		p[j] = fork();
		assert_true(p[j] >= 0);
		if (p[j] == 0) {
			one_job(c, j, &r[j]);
			_exit(0);
		}
	}
	for (j = 0; j < c->jobs; j++) {
		assert_int_equal(waitpid(p[j], &st, 0), p[j]);
		assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	}
	sum_up(c, sum);
	qsort(sum->lines, sum->n_lines, sizeof(sum->lines[0]), by_count);
	munmap(c->tally, sizeof(*c->tally) * JOBS_MAX);
	munmap(r, sizeof(*r) * JOBS_MAX);
}

static void
campaign_record(struct campaign *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	lab_make(&c->lab);
	assert_int_equal(work_run(&c->lab, WORK_KEEP_KV | WORK_CLOSE, true, false, 0, 0), 0);
	record_read(&c->rec, c->lab.record);
	c->seed = setting("FLIP_SEED", 1);
	c->only = setting("FLIP_ONLY", UINT64_MAX);
	c->jobs = (int)setting("FLIP_JOBS", cores > 0 && cores < JOBS_MAX ? (uint64_t)cores : 2);
	assert_true(c->jobs >= 1 && c->jobs <= JOBS_MAX);
}

static void
campaign_auto(struct campaign *c)
{
	record_auto(&c->rec);
	lab_auto(&c->lab);
}

static void
print_lines(const struct tally *t, uint64_t states, uint64_t seed)
{
	char first[200];
	size_t i;
	int k;

	for (i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];

		first[0] = 0;
		for (k = 0; k < flip_n_tries; k++)
			if ((l->tries & 1u << k) != 0)
				snprintf(first + strlen(first), sizeof(first) - strlen(first), "%s%s", first[0] != 0 ? ", " : "", flip_tries[k].name);
		print_message("%6zu  %s | first %s\n        FLIP_STATES=%llu FLIP_SEED=%llu FLIP_ONLY=%llu: %s\n", l->n, l->key, first,
		    (unsigned long long)states, (unsigned long long)seed, (unsigned long long)l->state, l->text);
	}
}

/* --- the tests --- */

static void
test_no_loss_without_a_word(void **state)
{
	AUTO(campaign) struct campaign c = {.states = setting("FLIP_STATES", STATES)};
	struct tally *sum = shared(sizeof(*sum));
	size_t bad;

	(void)state;
	campaign_record(&c);
	campaign_run(&c, sum);
	print_message("seed %llu: %zu calls, %zu disks with %zu single octets changed, %zu tries: of the acknowledged deposits %zu came out, "
	    "%zu were told as damaged, %zu stayed behind an archive that told its damage; %zu states are bad\n",
	    (unsigned long long)c.seed, c.rec.n, sum->states, sum->flips, sum->tries, sum->whole, sum->told, sum->closed, sum->bad_states);
	print_lines(sum, c.states, c.seed);
	bad = sum->bad_states;
	munmap(sum, sizeof(*sum));
	assert_int_equal(bad, 0);
}

/* An alarm that says nothing: the suite is worth nothing unless it misses it. */
static void
test_control_silent_alarm(void **state)
{
	AUTO(campaign) struct campaign c = {.states = setting("FLIP_CONTROL", STATES / 5)};
	struct tally *sum = shared(sizeof(*sum));
	size_t bad;

	(void)state;
	campaign_record(&c);
	alarm_silent = true;
	campaign_run(&c, sum);
	alarm_silent = false;
	bad = sum->bad_states;
	print_message("with the alarm silent %zu of %zu states are bad, %zu times a loss without a word\n", bad, sum->states, sum->bad[UNTOLD]);
	munmap(sum, sizeof(*sum));
	assert_true(bad > 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_loss_without_a_word),
	    cmocka_unit_test(test_control_silent_alarm),
	};

	if (argc == 5 && strcmp(argv[1], "--work") == 0)
		return work(argv[2], argv[3], (unsigned)atoi(argv[4]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
