/* SPDX-License-Identifier: MIT */
/*
 * What the bench programs share: processor time of this thread, medians of
 * interleaved repetitions, one line a figure for the script that makes the
 * table. Static functions; trouble ends the program with status 2.
 */
#ifndef EVERSEAL_TESTS_BENCH_H
#define EVERSEAL_TESTS_BENCH_H

#include "base/bytes.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_ROUNDS 15
#define BENCH_SIDES 4

static inline void
bench_die(const char *what, const struct err *e)
{
	fprintf(stderr, "bench: %s: %s\n", what, e != NULL ? e->text : "failed");
	exit(2);
}

#define BENCH_OK(call) \
	do { \
		if ((call) != ERR_OK) \
			bench_die(#call, &e); \
	} while (0)

/* Nanoseconds. CPU of this thread: other people's work on the machine does not count. */
static inline double
bench_now(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int
bench_cmp(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static inline double
bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), bench_cmp);
	return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* One thing to time: run does it once. ns: median for one, out. */
struct bench_side {
	void (*run)(void *ctx);
	void *ctx;
	double ns;
};

/* Every round runs each side `times` times, one side after the other: a slow minute of the machine hits all of them. */
static inline void
bench_interleaved(struct bench_side *sides, size_t n, size_t times)
{
	double took[BENCH_SIDES][BENCH_ROUNDS];
	size_t round, i, k;

	for (round = 0; round < BENCH_ROUNDS; round++)
		for (i = 0; i < n && i < BENCH_SIDES; i++) {
			double start = bench_now(CLOCK_THREAD_CPUTIME_ID);

			for (k = 0; k < times; k++)
				sides[i].run(sides[i].ctx);
			took[i][round] = (bench_now(CLOCK_THREAD_CPUTIME_ID) - start) / (double)times;
		}
	for (i = 0; i < n && i < BENCH_SIDES; i++)
		sides[i].ns = bench_median(took[i], BENCH_ROUNDS);
}

/* figure, aim ("<= 4", ">= 0.6", "-" = reported only), what it is made of. */
static inline void
bench_row(const char *id, const char *what, double figure, const char *aim, const char *made_of)
{
	printf("%s\t%s\t%.2f\t%s\t%s\n", id, what, figure, aim, made_of);
	fflush(stdout);
}

static inline void
bench_read(const char *path, struct buf *out)
{
	struct err e = {0};

	BENCH_OK(sys_read_file(AT_FDCWD, path, (size_t)64 << 20, out, &e));
}

#endif
