/* SPDX-License-Identifier: MIT */
/*
 * Run commands in turns and tell what each took.
 *
 *	measure ROUNDS -- CMD ARG... [-- CMD ARG...]...
 *
 * A line a command: median processor time in ms (user and system, children included), largest peak memory in KiB, exit
 * status of the last round. Output of the commands is thrown away, or the last one's is left in $BENCH_OUT.
 */
#include "tests/bench/bench.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMANDS 6
#define ROUNDS_MAX 101

struct told {
	char **argv;
	double ms[ROUNDS_MAX];
	long peak_kib;
	int status;
};

static void
silent(void)
{
	const char *keep = getenv("BENCH_OUT");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = keep != NULL ? open(keep, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : null;

	if (null < 0 || out < 0 || dup2(out, 1) < 0 || (getenv("BENCH_TALK") == NULL && dup2(null, 2) < 0))
		_exit(126);
}

/* A process between, so that RUSAGE_CHILDREN is this command's alone. */
static void
once(struct told *t, unsigned round)
{
	int p[2];
	struct rusage u = {0};
	pid_t pid;

	if (pipe(p) != 0 || (pid = fork()) < 0)
		bench_die("fork", NULL);
	if (pid == 0) {
		pid_t command = fork();

		if (command == 0) {
			silent();
			execvp(t->argv[0], t->argv);
			_exit(127);
		}
		if (command < 0 || waitpid(command, &t->status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &u) != 0 ||
		    write(p[1], &u, sizeof(u)) != sizeof(u))
			_exit(126);
		_exit(WIFEXITED(t->status) ? WEXITSTATUS(t->status) : 125);
	}
	close(p[1]);
	if (read(p[0], &u, sizeof(u)) != sizeof(u) || waitpid(pid, &t->status, 0) < 0)
		bench_die(t->argv[0], NULL);
	close(p[0]);
	t->status = WEXITSTATUS(t->status);
	t->ms[round] = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	if (u.ru_maxrss > t->peak_kib)
		t->peak_kib = u.ru_maxrss;
}

int
main(int argc, char **argv)
{
	struct told told[COMMANDS] = {0};
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 0, n = 0, round, i;
	int k;

	for (k = 2; k < argc; k++)
		if (strcmp(argv[k], "--") == 0) {
			argv[k] = NULL;
			if (k + 1 < argc && n < COMMANDS)
				told[n++].argv = argv + k + 1;
		}
	if (rounds == 0 || rounds > ROUNDS_MAX || n == 0)
		return 64;
	for (round = 0; round < rounds; round++)
		for (i = 0; i < n; i++)
			once(&told[i], round);
	for (i = 0; i < n; i++)
		printf("%.2f %ld %d\n", bench_median(told[i].ms, rounds), told[i].peak_kib, told[i].status);
	return 0;
}
