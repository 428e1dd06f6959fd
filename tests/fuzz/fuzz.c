/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "base/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fuzz_entry *const tables[] = {fuzz_xml, fuzz_signature, fuzz_pki, fuzz_text, fuzz_store, fuzz_process, fuzz_verb, fuzz_lies};

const struct fuzz_entry *
fuzz_at(size_t i)
{
	size_t t, k;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (k = 0; tables[t][k].name != NULL; k++)
			if (i-- == 0)
				return &tables[t][k];
	return NULL;
}

const struct fuzz_entry *
fuzz_find(const char *name)
{
	const struct fuzz_entry *f;
	size_t i;

	for (i = 0; (f = fuzz_at(i)) != NULL && strcmp(f->name, name) != 0; i++)
		;
	return f;
}

int
fuzz_list(void)
{
	const struct fuzz_entry *f;
	size_t i;

	for (i = 0; (f = fuzz_at(i)) != NULL; i++)
		printf("%s %zu %s\n", f->name, f->max_bytes, f->seeds != NULL ? f->seeds : f->name);
	return 0;
}

void
fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

const char *
fuzz_path(const char *name)
{
	static char path[4096];
	const char *dir = getenv("EVERSEAL_FUZZ");

	snprintf(path, sizeof(path), "%s/kit/%s", dir != NULL ? dir : "build/fuzz/seeds", name);
	return path;
}

/* What is read here lives as long as the program. */
struct slice
fuzz_kit(const char *name)
{
	static struct {
		char name[64];
		struct buf octets;
	} held[16];
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(held) / sizeof(held[0]) && held[i].name[0] != '\0'; i++)
		if (strcmp(held[i].name, name) == 0)
			return buf_slice(&held[i].octets);
	fuzz_must(i < sizeof(held) / sizeof(held[0]) && strlen(name) < sizeof(held[0].name));
	if (sys_read_file(AT_FDCWD, fuzz_path(name), 1 << 20, &held[i].octets, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		exit(2);
	}
	memcpy(held[i].name, name, strlen(name) + 1);
	return buf_slice(&held[i].octets);
}

static char scratch[64];

static void
scratch_remove(void)
{
	AUTO(mem) char *command = mem_printf("rm -rf '%s'", scratch);

	(void)!system(command);
}

const char *
fuzz_scratch(void)
{
	if (scratch[0] == '\0') {
		snprintf(scratch, sizeof(scratch), "%s", "/tmp/everseal-fuzz-XXXXXX");
		if (mkdtemp(scratch) == NULL || atexit(scratch_remove) != 0)
			return NULL;
	}
	return scratch;
}

const struct anchors *
fuzz_anchors(void)
{
	static struct anchors *all;
	const struct dirent *de;
	struct err e = {0};
	DIR *d;

	if (all != NULL)
		return all;
	d = opendir(fuzz_path("trust"));
	fuzz_must(d != NULL && anchors_new(&all, &e) == ERR_OK);
	while ((de = readdir(d)) != NULL) {
		AUTO(buf) struct buf pem = {0};

		if (de->d_name[0] == '.')
			continue;
		fuzz_must(sys_read_file(dirfd(d), de->d_name, 1 << 20, &pem, &e) == ERR_OK);
		fuzz_must(anchors_add(all, buf_slice(&pem), ROLE_ALL, TIME_MAX, de->d_name, &e) == ERR_OK);
	}
	closedir(d);
	return all;
}

const struct vpolicy *
fuzz_policy(void)
{
	static struct vpolicy policy;
	struct err e = {0};

	if (policy.catalogue == NULL)
		fuzz_must(vpolicy_builtin("default", NULL, &policy, &e) == ERR_OK);
	return &policy;
}

uint32_t
fuzz_choice(struct slice in)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < in.n; i++)
		h = (h ^ in.p[i]) * 16777619u;
	return h ^ h >> 15;
}

unsigned
fuzz_first(struct slice *in)
{
	unsigned first = in->n != 0 ? in->p[0] : 0;

	if (in->n != 0)
		*in = slice_of(in->p + 1, in->n - 1);
	return first;
}
