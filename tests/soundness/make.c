/* SPDX-License-Identifier: MIT */
/* make DIR: documents made by the test programs' own makers into DIR, their rows to stdout. */
#include "tests/soundness/make.h"

#include "base/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void
put(const char *path, struct slice s)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(s.p, 1, s.n, f) != s.n || fclose(f) != 0) {
		perror(path);
		exit(2);
	}
}

void
make_anchor(const char *dir, const char *world, const char *name, const struct who *w)
{
	AUTO(buf) struct buf der = {0};
	AUTO(mem) char *folder = mem_printf("%s/trust-%s", dir, world), *path = mem_printf("%s/trust-%s/%s.der", dir, world, name);

	if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
		perror(folder);
		exit(2);
	}
	put(path, who_der(w, &der));
}

void
make_row(const char *dir, const char *world, size_t number, const char *name, struct slice text, int64_t at, const char *policy)
{
	AUTO(mem) char *path = mem_printf("%s/%s-%zu.xml", dir, world, number);
	char when[TIME_TEXT];

	put(path, text);
	time_text(at, when);
	printf("%s %zu: %s\t%s\t-\t%s/trust-%s\t%s\t%s\n", world, number, name, path, dir, world, when, policy);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: make DIR\n", stderr);
		return 2;
	}
	xml_init();
	make_world(argv[1]);
	make_tree(argv[1]);
	make_forms(argv[1]);
	make_forger(argv[1]);
	return 0;
}
