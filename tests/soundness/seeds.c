/* SPDX-License-Identifier: MIT */
/* The originals: read from a table, judged once. */
#include "tests/soundness/soundness.h"

#include "base/sys.h"
#include "base/xml.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
read_file(const char *path, struct buf *out)
{
	struct err e = {0};
	size_t n = strlen(path);

	if (sys_read_file(AT_FDCWD, path, 64 << 20, out, &e) != ERR_OK)
		die(path, e.text);
	if (n > 4 && strcmp(path + n - 4, ".b64") == 0) {
		struct buf raw = {0};

		if (base64_to(buf_slice(out), &raw, &e) != ERR_OK)
			die(path, e.text);
		buf_release(out);
		*out = raw;
	}
}

/* Files whose name says ".tsa.", ".signer." or ".ocsp.", or that lie in a folder of such a name, are trusted for that alone. */
static unsigned
role_of(const char *path)
{
	static const struct {
		const char *file, *folder;
		unsigned role;
	} roles[] = {{".tsa.", "/tsa/", ROLE_TSA}, {".signer.", "/signer/", ROLE_SIGNER}, {".ocsp.", "/ocsp/", ROLE_OCSP}};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strstr(path, roles[i].file) != NULL || strstr(path, roles[i].folder) != NULL)
			return roles[i].role;
	return ROLE_ALL;
}

static void
trust_folder(struct anchors *a, const char *folder)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);
	struct err e = {0};

	if (n < 0)
		die(folder, "no folder of anchors");
	for (int i = 0; i < n; i++) {
		AUTO(mem) char *path = must(mem_printf("%s/%s", folder, names[i]->d_name));
		AUTO(buf) struct buf in = {0}, der = {0};
		struct stat st;

		if (names[i]->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			trust_folder(a, path);
		} else if (names[i]->d_name[0] != '.') {
			read_file(path, &in);
			if (pki_pem_to_der(buf_slice(&in), "CERTIFICATE", &der, &e) != ERR_OK ||
			    anchors_add(a, buf_slice(&der), role_of(path), TIME_MAX, names[i]->d_name, &e) != ERR_OK)
				fprintf(stderr, "soundness: %s: %s\n", path, e.text);
		}
		free(names[i]);
	}
	free(names);
}

static struct anchors *
trust(const char *folder)
{
	struct anchors *a = NULL;
	struct err e = {0};

	if (anchors_new(&a, &e) != ERR_OK)
		die(folder, e.text);
	trust_folder(a, folder);
	return a;
}

static void
read_sides(struct sides *s, char *list)
{
	char *one;

	while (list != NULL && strcmp(list, "-") != 0 && (one = strsep(&list, ";")) != NULL && s->n < SIDES_MAX) {
		char *eq = strchr(one, '='), *path = eq != NULL ? eq + 1 : one;
		const char *slash = strrchr(one, '/');

		if (eq != NULL)
			*eq = '\0';
		s->names[s->n] = must(strdup(eq == NULL && slash != NULL ? slash + 1 : one));
		read_file(path, &s->octets[s->n]);
		s->n++;
	}
}

static bool
any_passed(const struct truth *t)
{
	for (size_t i = 0; i < t->n_facts; i++)
		if (t->facts[i].passed)
			return true;
	return false;
}

static void
seed_read(struct seed *s, char *row, const struct catalogue *c)
{
	char *cells[6], *rest = row;
	struct err e = {0};

	for (size_t i = 0; i < 6; i++)
		if ((cells[i] = strsep(&rest, "\t")) == NULL)
			die("table", "a row of fewer than six cells");
	s->name = must(strdup(cells[0]));
	read_file(cells[1], &s->octets);
	read_sides(&s->sides, cells[2]);
	s->trust = must(strdup(cells[3]));
	s->anchors = trust(cells[3]);
	s->policy_name = must(strdup(cells[5]));
	if (!time_parse(cells[4], &s->at) || vpolicy_builtin(cells[5], c, &s->policy, &e) != ERR_OK)
		die(cells[0], "time or policy");
}

/* False: not XML, or refused; there is nothing to mutate. */
static bool
seed_judge(struct seed *s)
{
	AUTO(verifier) struct verifier *v = NULL;
	struct err e = {0};

	if (xml_load(buf_slice(&s->octets), NULL, &s->dom, &e) != ERR_OK || verifier_new(&v, &e) != ERR_OK)
		return false;
	seed_ders(s);
	s->own = material_of(buf_slice(&s->octets));
	judge(v, s, buf_slice(&s->octets), &s->sides, NULL, &s->alone, &s->opinion);
	judge(v, s, buf_slice(&s->octets), &s->sides, s->own, &s->with_own, NULL);
	s->passes = any_passed(&s->alone) || any_passed(&s->with_own);
	return s->alone.validated;
}

static void
table_load(struct seeds *s, const char *table, const char *only)
{
	AUTO(buf) struct buf text = {0};
	char *rest, *row;

	read_file(table, &text);
	rest = (char *)text.p;
	while ((row = strsep(&rest, "\n")) != NULL) {
		struct seed one = {0};

		if (*row == '\0' || *row == '#')
			continue;
		if (only != NULL && strncmp(only, row, strlen(only)) != 0)
			continue;
		seed_read(&one, row, NULL);
		if (!seed_judge(&one)) {
			fprintf(stderr, "soundness: %s: nothing to mutate\n", one.name);
			continue;
		}
		s->v = must(realloc(s->v, (s->n + 1) * sizeof(*s->v)));
		s->v[s->n++] = one;
	}
}

void
seeds_load(struct seeds *s, const char *tables, const char *only)
{
	AUTO(mem) char *copy = must(strdup(tables));
	char *rest = copy, *one;

	memset(s, 0, sizeof(*s));
	while ((one = strsep(&rest, ",")) != NULL)
		table_load(s, one, only);
	if (s->n == 0)
		die(tables, "no row");
}
