/* SPDX-License-Identifier: MIT */
/*
 * (c) Depositors at the spool of a running archive, and the floor under them.
 *
 *	load make DIR N BYTES			N files of that size, no two alike
 *	load spools N WINDOW FILES SPOOL...	a process a spool: so many deposits each under way at most, N in all;
 *						prints seconds and the p99 of receipt in ms
 *	load floor DIR OUT			both digests of each file, appended, one sync per 64; prints seconds
 */
#include "tests/bench/bench.h"

#include "base/digest.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYNC_EACH 64
#define POLL_US 2000

static double
seconds(void)
{
	return bench_now(CLOCK_MONOTONIC) / 1e9;
}

static void
make(const char *dir, unsigned n, size_t bytes)
{
	AUTO(buf) struct buf text = {0};
	struct err e = {0};
	uint32_t state = 1;
	unsigned i;
	size_t k;

	for (i = 0; i < n; i++) {
		char path[1200];
		int fd = -1;

		buf_clear(&text);
		buf_addf(&text, "%%PDF-1.4\n%% file %u\n", i);
		for (k = text.n; k + 4 < bytes; k += 4) {
			state = state * 1664525u + 1013904223u;
			buf_addbe32(&text, state);
		}
		snprintf(path, sizeof(path), "%s/%05u.pdf", dir, i);
		BENCH_OK(buf_ok(&text, &e));
		BENCH_OK(sys_create(AT_FDCWD, path, 0644, &fd, &e));
		BENCH_OK(sys_append(fd, buf_slice(&text), &e));
		BENCH_OK(sys_close(&fd, &e));
	}
}

/* ---- depositors ---- */

/* One spool: files first, first + step, ... are linked in, at most window of them unanswered. took: ms to the receipt. */
static void
depositor(const char *spool, const char *files, unsigned first, unsigned step, unsigned n, unsigned window, double *took)
{
	double sent[4096];
	char path[1300], to[1300];
	unsigned next = first, oldest = first;

	while (oldest < n) {
		while (next < n && (next - oldest) / step < window) {
			snprintf(path, sizeof(path), "%s/%05u.pdf", files, next);
			snprintf(to, sizeof(to), "%s/new/%05u.pdf", spool, next);
			sent[(next - first) / step % 4096] = seconds();
			if (link(path, to) != 0)
				bench_die(to, NULL);
			next += step;
		}
		snprintf(path, sizeof(path), "%s/done/%05u.pdf.receipt.json", spool, oldest);
		if (access(path, F_OK) != 0) {
			usleep(POLL_US);
			continue;
		}
		took[oldest] = (seconds() - sent[(oldest - first) / step % 4096]) * 1e3;
		oldest += step;
	}
}

static void
load(unsigned n, unsigned window, const char *files, unsigned spools, char **dirs)
{
	double *took = mmap(NULL, n * sizeof(*took), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start = seconds(), end;
	unsigned i;

	if (took == MAP_FAILED)
		bench_die("memory", NULL);
	for (i = 0; i < spools; i++)
		if (fork() == 0) {
			depositor(dirs[i], files, i, spools, n, window, took);
			_exit(0);
		}
	for (i = 0; i < spools; i++) {
		int status = 1;

		if (wait(&status) < 0 || status != 0)
			bench_die("a depositor", NULL);
	}
	end = seconds();
	qsort(took, n, sizeof(*took), bench_cmp);
	printf("%.4f %.0f\n", end - start, took[(size_t)n * 99 / 100]);
	munmap(took, n * sizeof(*took));
}

/* ---- the floor ---- */

static void
append_one(const char *path, struct digester *d, int out)
{
	AUTO(buf) struct buf raw = {0};
	struct digest both[2];
	struct err e = {0};

	bench_read(path, &raw);
	BENCH_OK(digester_add(d, buf_slice(&raw), &e));
	BENCH_OK(digester_finish(d, both, &e));
	BENCH_OK(sys_append(out, buf_slice(&raw), &e));
	BENCH_OK(sys_append(out, digest_slice(&both[0]), &e));
	BENCH_OK(sys_append(out, digest_slice(&both[1]), &e));
}

static void
floor_of(const char *dir, const char *to)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA512};
	AUTO(digester) struct digester *d = NULL;
	struct err e = {0};
	double start = seconds();
	unsigned i;
	int out = -1;

	unlink(to);
	BENCH_OK(sys_create(AT_FDCWD, to, 0644, &out, &e));
	BENCH_OK(digester_new(algs, 2, &d, &e));
	for (i = 0;; i++) {
		char path[1200];

		snprintf(path, sizeof(path), "%s/%05u.pdf", dir, i);
		if (access(path, F_OK) != 0)
			break;
		append_one(path, d, out);
		if (i % SYNC_EACH == SYNC_EACH - 1)
			BENCH_OK(sys_fdatasync(out, &e));
	}
	BENCH_OK(sys_fdatasync(out, &e));
	printf("%.4f\n", seconds() - start);
	close(out);
	unlink(to);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "make") == 0)
		make(argv[2], (unsigned)atoi(argv[3]), (size_t)atol(argv[4]));
	else if (argc > 5 && strcmp(argv[1], "spools") == 0)
		load((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), argv[4], (unsigned)argc - 5, argv + 5);
	else if (argc == 4 && strcmp(argv[1], "floor") == 0)
		floor_of(argv[2], argv[3]);
	else
		return 64;
	return 0;
}
