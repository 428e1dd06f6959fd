/* SPDX-License-Identifier: MIT */
/*
 * The entries without a fuzzer:
 *
 *	replay SEEDS MUTATIONS [ENTRY...]	each seed of an entry, then that many mutations of it, always the same ones
 *	replay --list				names, folders of seeds, largest input
 *	replay --on ENTRY FILE...		these inputs, as they are
 *
 * An input that takes longer than TOO_LONG_S counts as broken. What an entry breaks, breaks the program: the last line
 * names the entry, and the octets lie in SEEDS/broken.
 */
#include "tests/fuzz/fuzz.h"

#include "base/sys.h"
#include "base/xml.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOO_LONG_S 30
#define FILE_BYTES ((size_t)16 << 20)

static char broken_path[4096];
static const struct fuzz_entry *entry;
static struct slice under_way;

/* The heap may be in any state: system calls only. */
static void
on_signal(int sig)
{
	static const char text[] = "[  FAILED  ] fuzz ";
	int fd = broken_path[0] != '\0' ? open(broken_path, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;

	if (fd >= 0)
		(void)!write(fd, under_way.p, under_way.n);
	(void)!write(1, text, sizeof(text) - 1);
	(void)!write(1, entry->name, strlen(entry->name));
	(void)!write(1, "\n", 1);
	signal(sig, SIG_DFL);
	raise(sig == SIGALRM ? SIGABRT : sig);
}

/* A copy of exact size, so that a sanitizer sees any reach beyond. */
static void
run(struct slice in)
{
	AUTO(mem) uint8_t *copy = malloc(in.n);

	if (in.n != 0)
		memcpy(copy, in.p, in.n);
	under_way = slice_of(copy, in.n);
	alarm(TOO_LONG_S);
	entry->one(under_way);
	alarm(0);
}

/* xorshift64*: the same row of numbers everywhere. */
static uint64_t
next_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* One to four small wounds: an octet changed, a stretch left out, doubled or moved, the rest cut off. */
static void
mutate(struct slice seed, uint64_t *state, struct buf *out)
{
	static const uint8_t liked[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '<', '>', '"', '{', '0'};
	unsigned wounds = 1 + next_number(state) % 4;

	buf_clear(out);
	buf_addslice(out, seed);
	while (wounds-- > 0 && out->n > 0) {
		AUTO(buf) struct buf was = {0};
		uint64_t r = next_number(state);
		size_t at = next_number(state) % out->n, n = 1 + next_number(state) % 64;

		buf_addslice(&was, buf_slice(out));
		if (n > was.n - at)
			n = was.n - at;
		switch (r % 6) {
		case 0:
			out->p[at] ^= (uint8_t)(1u << (r >> 8) % 8);
			break;
		case 1:
			out->p[at] = liked[(r >> 8) % sizeof(liked)];
			break;
		case 2:
			out->n -= n;
			memmove(out->p + at, was.p + at + n, was.n - at - n);
			break;
		case 3:
			buf_clear(out);
			buf_add(out, was.p, at + n);
			buf_add(out, was.p + at, was.n - at);
			break;
		case 4:
			memmove(out->p + at, was.p + (r >> 8) % (was.n - n + 1), n);
			break;
		default:
			if (r >> 60 == 0)
				out->n = at;
			else
				out->p[at] = (uint8_t)(r >> 8);
		}
	}
}

static void
run_seed(struct slice seed, unsigned mutations, unsigned long *n)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ fuzz_choice(seed);
	AUTO(buf) struct buf other = {0};

	run(seed);
	for (++*n; mutations > 0; mutations--, ++*n) {
		mutate(seed, &state, &other);
		run(buf_slice(&other));
	}
}

static bool
run_folder(const char *seeds, const char *folder, unsigned mutations, unsigned long *n)
{
	AUTO(mem) char *path = mem_printf("%s/%s", seeds, folder);
	struct dirent **names = NULL;
	int found = path != NULL ? scandir(path, &names, NULL, alphasort) : -1, i;
	bool any = false;

	for (i = 0; i < found; i++) {
		AUTO(mem) char *file = mem_printf("%s/%s", path, names[i]->d_name);
		AUTO(buf) struct buf seed = {0};
		struct err e = {0};

		if (names[i]->d_name[0] != '.' && sys_read_file(AT_FDCWD, file, entry->max_bytes, &seed, &e) == ERR_OK) {
			run_seed(buf_slice(&seed), mutations, n);
			any = true;
		}
		free(names[i]);
	}
	free(names);
	return any;
}

/* Words of a list of folders. */
static bool
run_entry(const char *seeds, unsigned mutations)
{
	AUTO(mem) char *folders = mem_dupstr(entry->seeds != NULL ? entry->seeds : entry->name);
	char *save = NULL, *folder;
	unsigned long n = 0;
	bool all = true;

	snprintf(broken_path, sizeof(broken_path), "%s/broken", seeds);
	if (entry->open != NULL && !entry->open())
		all = false;
	for (folder = strtok_r(folders, " ", &save); all && folder != NULL; folder = strtok_r(NULL, " ", &save))
		all = run_folder(seeds, folder, mutations, &n);
	printf("%s fuzz %s\n", all ? "[       OK ]" : "[  FAILED  ]", entry->name);
	fprintf(stderr, "%s: %lu inputs\n", entry->name, n);
	fflush(stdout);
	return all;
}

static int
run_files(int argc, char **argv)
{
	int i, n = 0;

	for (i = 0; i < argc; i++) {
		AUTO(buf) struct buf in = {0};
		struct err e = {0};

		if (sys_read_file(AT_FDCWD, argv[i], FILE_BYTES, &in, &e) == ERR_OK) {
			run(buf_slice(&in));
			n++;
		}
	}
	printf("%s fuzz %s: %d of %d files\n", n == argc ? "[       OK ]" : "[  FAILED  ]", entry->name, n, argc);
	return n == argc ? 0 : 1;
}

static bool
chosen(const char *name, int argc, char **argv)
{
	int i;

	for (i = 3; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 3;
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
	bool ok = true;
	size_t i;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return fuzz_list();
	if (argc < 3)
		return 64;
	if (strcmp(argv[1], "--on") != 0)
		setenv("EVERSEAL_FUZZ", argv[1], 1);
	xml_init();
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_signal);
	if (strcmp(argv[1], "--on") == 0) {
		entry = fuzz_find(argv[2]);
		return entry != NULL && (entry->open == NULL || entry->open()) ? run_files(argc - 3, argv + 3) : 64;
	}
	for (i = 0; (entry = fuzz_at(i)) != NULL; i++)
		if (chosen(entry->name, argc, argv))
			ok = run_entry(argv[1], (unsigned)atoi(argv[2])) && ok;
	return ok ? 0 : 1;
}
