/* SPDX-License-Identifier: MIT */
/*
 * The mutation campaign (docs/soundness.md).
 *
 *	run --seeds TABLE[,TABLE] --keep DIR [--mutants N] [--seconds S] [--seed X] [--jobs J] [--row PREFIX] [--batch N] [--sample K] [--first N]
 *	run --seeds TABLE[,TABLE] --keep DIR --seed X --number N	one mutant again, told and kept
 *	run --seeds TABLE[,TABLE] --keep DIR --again			what was kept, judged again
 *	run --seeds TABLE[,TABLE] --keep DIR --opinions			what libxmlsec says of each original that passes
 *
 * Exit: 0 no rule was broken, 1 one was, 2 trouble.
 */
#include "tests/soundness/soundness.h"

#include "base/sys.h"
#include "base/xml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS_MAX 48
#define JOBS_MAX 16
#define MUTANT_SECONDS 60

struct count {
	uint64_t made, refused, passed, broken, unproven;
};
/* What one child has counted; shared with the parent, so that a crash loses nothing. */
struct slot {
	uint64_t at; /* the mutant in hand */
	struct count kinds[KINDS_MAX];
	uint64_t unchanged, asked, agreed, could_not, disagreed;
};
struct campaign {
	struct seeds seeds;
	const char *table, *keep, *row;
	uint64_t seed, mutants, seconds, batch, number;
	size_t jobs;
	bool one, again, opinions;
	uint64_t first; /* of the mutants that are made */
	uint64_t sample; /* one in so many of those that pass is kept with a row for another judge; 0 none */
	struct slot *slots;
	uint64_t crashed;
};

/* ---- one mutant ---- */

static void
keep_file(const struct campaign *c, uint64_t number, const char *suffix, struct slice octets)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%" PRIu64 "-%" PRIu64 "%s", c->keep, c->seed, number, suffix);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(octets.p, 1, octets.n, f) != octets.n || fclose(f) != 0)
		die(path, strerror(errno));
}

static void
keep(const struct campaign *c, uint64_t number, const struct seed *of, const struct mutant *m, const char *why)
{
	AUTO(buf) struct buf t = {0};
	char when[TIME_TEXT], suffix[64];

	time_text(of->at, when);
	buf_addf(&t, "why: %s\nrow: %s\ndonor: %s\nbeside: %d\naltered: %d\nkind: %s\nchanges: %s\nat: %s\ntrust: %s\npolicy: %s\n", why, of->name,
	    m->donor != NULL ? m->donor->name : "-", m->beside, m->altered, m->kind, buf_str(&m->changes), when, of->trust, of->policy_name);
	keep_file(c, number, ".xml", buf_slice(&m->doc));
	for (size_t i = 0; i < m->sides.n; i++) {
		snprintf(suffix, sizeof(suffix), ".side%zu", i);
		buf_addf(&t, "side: %s\n", m->sides.names[i]);
		keep_file(c, number, suffix, buf_slice(&m->sides.octets[i]));
	}
	keep_file(c, number, ".txt", buf_slice(&t));
}

/* A row as EU DSS's oracle reads it (tests/soundness/differential.py). */
static void
keep_sample(const struct campaign *c, uint64_t number, const struct seed *of, const struct mutant *m)
{
	AUTO(buf) struct buf row = {0};
	AUTO(mem) char *path = must(mem_printf("%s/sample.tsv", c->keep));
	char when[TIME_TEXT], suffix[64];
	FILE *f = fopen(path, "ab");

	time_text(of->at, when);
	keep_file(c, number, ".xml", buf_slice(&m->doc));
	buf_addf(&row, "%" PRIu64 "-%" PRIu64 "\t%s/%" PRIu64 "-%" PRIu64 ".xml\t%s", c->seed, number, c->keep, c->seed, number, m->sides.n == 0 ? "-" : "");
	for (size_t i = 0; i < m->sides.n; i++) {
		snprintf(suffix, sizeof(suffix), ".side%zu", i);
		keep_file(c, number, suffix, buf_slice(&m->sides.octets[i]));
		buf_addf(&row, "%s%s=%s/%" PRIu64 "-%" PRIu64 "%s", i > 0 ? ";" : "", m->sides.names[i], c->keep, c->seed, number, suffix);
	}
	buf_addf(&row, "\t%s\t%s\t%s\t%s\n", of->trust, when, of->policy_name, m->kind);
	if (f == NULL || fwrite(row.p, 1, row.n, f) != row.n || fclose(f) != 0) /* one write: children don't mix */
		die(path, strerror(errno));
}

/* Which rule is broken, in words; "" for none. True: something passed. */
static bool
judge_mutant(struct verifier *v, const struct seed *of, const struct mutant *m, struct slot *to, struct count *k, char *why, size_t n)
{
	struct second_opinion o = {0};
	struct truth got;
	bool passed = false;
	const char *unproven = NULL;

	judge(v, of, buf_slice(&m->doc), &m->sides, m->beside ? of->own : NULL, &got, &o);
	for (size_t i = 0; i < got.n_facts; i++) {
		passed |= got.facts[i].passed;
		unproven = got.facts[i].unproven ? got.facts[i].gap : unproven;
	}
	truth_broken(v, of, m, &got, why, n);
	if (why[0] == '\0' && unproven != NULL)
		snprintf(why, n, "%s", unproven);
	else if (why[0] == '\0' && o.disagreed[0] != '\0')
		snprintf(why, n, "xmlsec: %.200s", o.disagreed);
	k->refused += !got.validated;
	k->passed += passed;
	k->unproven += unproven != NULL;
	k->broken += why[0] != '\0';
	to->asked += o.asked;
	to->agreed += o.agreed;
	to->could_not += o.could_not;
	to->disagreed += o.disagreed[0] != '\0';
	truth_release(&got);
	return passed;
}

static size_t
kind_index(const char *kind)
{
	for (size_t i = 0; i < mutation_kinds(); i++)
		if (strcmp(mutation_kind(i), kind) == 0)
			return i;
	return 0;
}

/* Most often one of the same makers: what one PKI signed for another document is what a forger would reach for. */
static const struct seed *
some_donor(const struct campaign *c, struct rng *r, const struct seed *of)
{
	const struct seed *d = NULL;

	if (rng_one_in(r, 5))
		return NULL;
	for (size_t tries = rng_one_in(r, 3) ? 1 : 64; tries > 0; tries--) {
		d = &c->seeds.v[rng_below(r, c->seeds.n)];
		if (strcmp(d->trust, of->trust) == 0)
			break;
	}
	return d;
}

static void
one_mutant(struct campaign *c, struct verifier *v, uint64_t number, struct slot *to)
{
	struct rng r = rng_of(c->seed, number);
	const struct seed *of = &c->seeds.v[rng_below(&r, c->seeds.n)];
	const struct seed *donor = some_donor(c, &r, of);
	struct mutant m;
	struct count *k;
	char why[400];
	bool beside = !of->passes || rng_one_in(&r, 2);

	if (!mutate(&r, of, donor, &m)) {
		to->unchanged++;
		mutant_release(&m);
		return;
	}
	m.beside = beside;
	k = &to->kinds[kind_index(m.kind)];
	k->made++;
	if (c->one)
		keep(c, number, of, &m, "asked for");
	if (judge_mutant(v, of, &m, to, k, why, sizeof(why)) && c->sample != 0 && number % c->sample == 0 && !m.beside)
		keep_sample(c, number, of, &m);
	if (why[0] != '\0') {
		printf("%" PRIu64 "-%" PRIu64 " %s of %s: %s [%s]\n", c->seed, number, m.kind, of->name, why, buf_str(&m.changes));
		fflush(stdout);
		if (k->broken <= 20)
			keep(c, number, of, &m, why);
	}
	mutant_release(&m);
}

static void
batch(struct campaign *c, uint64_t from, uint64_t to, struct slot *slot)
{
	AUTO(verifier) struct verifier *v = NULL;
	struct err e = {0};

	if (verifier_new(&v, &e) != ERR_OK)
		die("verifier", e.text);
	for (slot->at = from; slot->at < to; slot->at++) {
		alarm(MUTANT_SECONDS);
		one_mutant(c, v, slot->at, slot);
	}
}

/* ---- children ---- */

struct job {
	pid_t pid;
	uint64_t from, to;
};

static void
job_start(struct campaign *c, struct job *j, struct slot *slot)
{
	slot->at = j->from;
	fflush(stdout);
	j->pid = fork();
	if (j->pid < 0)
		die("fork", strerror(errno));
	if (j->pid == 0) {
		batch(c, j->from, j->to, slot);
		fflush(stdout);
		_exit(0);
	}
}

static void
keep_crashed(struct campaign *c, uint64_t number, int status)
{
	pid_t pid;

	c->crashed++;
	printf("%" PRIu64 "-%" PRIu64 " %s by signal %d\n", c->seed, number, WIFSIGNALED(status) ? "ended" : "left", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		AUTO(verifier) struct verifier *v = NULL;
		struct err e = {0};

		c->one = true;
		if (verifier_new(&v, &e) == ERR_OK)
			one_mutant(c, v, number, &c->slots[JOBS_MAX]);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
run(struct campaign *c)
{
	int64_t until = sys_monotonic_ms() + (int64_t)c->seconds * 1000;
	struct job jobs[JOBS_MAX] = {{0}};
	uint64_t next = c->one ? c->number : c->first, end = c->one ? c->number + 1 : c->first + c->mutants;
	size_t running = 0;

	for (;;) {
		for (size_t i = 0; i < c->jobs && next < end; i++) {
			if (jobs[i].pid != 0 || (c->seconds != 0 && sys_monotonic_ms() > until))
				continue;
			jobs[i] = (struct job){.from = next, .to = end - next < c->batch ? end : next + c->batch};
			next = jobs[i].to;
			job_start(c, &jobs[i], &c->slots[i]);
			running++;
		}
		int status;
		pid_t pid = running > 0 ? wait(&status) : -1;
		if (pid < 0)
			break;
		for (size_t i = 0; i < c->jobs; i++) {
			if (jobs[i].pid != pid)
				continue;
			jobs[i].pid = 0;
			running--;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			keep_crashed(c, c->slots[i].at, status);
			jobs[i].from = c->slots[i].at + 1;
			if (jobs[i].from < jobs[i].to) {
				job_start(c, &jobs[i], &c->slots[i]);
				running++;
			}
		}
	}
}

/* ---- kept ones again ---- */

static char *
line_of(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	if (at == NULL)
		return NULL;
	at += strlen(word);
	return must(strndup(at, strcspn(at, "\n")));
}

static const struct seed *
seed_named(const struct campaign *c, const char *name)
{
	for (size_t i = 0; i < c->seeds.n; i++)
		if (strcmp(c->seeds.v[i].name, name) == 0)
			return &c->seeds.v[i];
	return NULL;
}

static void
read_kept(const char *dir, const char *stem, const char *suffix, struct buf *out)
{
	char path[4096];
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/%s%s", dir, stem, suffix);
	if (sys_read_file(AT_FDCWD, path, 64 << 20, out, &e) != ERR_OK)
		die(path, e.text);
}

static void
one_again(struct campaign *c, struct verifier *v, char *name)
{
	AUTO(buf) struct buf text = {0};
	struct mutant m = {.kind = mutation_kind(0)};
	char why[400];

	name[strlen(name) - 4] = '\0';
	read_kept(c->keep, name, ".txt", &text);
	AUTO(mem) char *row = line_of(buf_str(&text), "\nrow: "), *donor = line_of(buf_str(&text), "\ndonor: ");
	const struct seed *of = seed_named(c, row != NULL ? row : "");
	if (of == NULL)
		return;
	read_kept(c->keep, name, ".xml", &m.doc);
	m.beside = strstr(buf_str(&text), "\nbeside: 1") != NULL;
	m.altered = strstr(buf_str(&text), "\naltered: 1") != NULL;
	m.donor = donor != NULL ? seed_named(c, donor) : NULL;
	for (const char *at = buf_str(&text); (at = strstr(at, "\nside: ")) != NULL; at += 7) {
		char suffix[64];

		snprintf(suffix, sizeof(suffix), ".side%zu", m.sides.n);
		m.sides.names[m.sides.n] = line_of(at, "\nside: ");
		read_kept(c->keep, name, suffix, &m.sides.octets[m.sides.n++]);
	}
	c->slots[0].kinds[0].made++;
	judge_mutant(v, of, &m, &c->slots[0], &c->slots[0].kinds[0], why, sizeof(why));
	printf("%s of %s: %s\n", name, of->name, why[0] != '\0' ? why : "holds");
	mutant_release(&m);
}

static void
run_again(struct campaign *c)
{
	AUTO(verifier) struct verifier *v = NULL;
	struct dirent **names = NULL;
	int n = scandir(c->keep, &names, NULL, alphasort);
	struct err e = {0};

	if (verifier_new(&v, &e) != ERR_OK)
		die("verifier", e.text);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]->d_name);

		if (len > 4 && strcmp(names[i]->d_name + len - 4, ".txt") == 0)
			one_again(c, v, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

/* ---- figures ---- */

static bool
figures(const struct campaign *c, int64_t ms)
{
	struct slot sum = {0};
	struct count all = {0};
	size_t passing = 0;

	for (size_t j = 0; j <= JOBS_MAX; j++) {
		const struct slot *s = &c->slots[j];

		sum.unchanged += s->unchanged;
		sum.asked += s->asked;
		sum.agreed += s->agreed;
		sum.could_not += s->could_not;
		sum.disagreed += s->disagreed;
		for (size_t i = 0; i < mutation_kinds(); i++) {
			sum.kinds[i].made += s->kinds[i].made;
			sum.kinds[i].refused += s->kinds[i].refused;
			sum.kinds[i].passed += s->kinds[i].passed;
			sum.kinds[i].broken += s->kinds[i].broken;
			sum.kinds[i].unproven += s->kinds[i].unproven;
		}
	}
	printf("%-12s %9s %9s %9s %9s %9s\n", "kind", "mutants", "refused", "passed", "unproven", "broken");
	for (size_t i = 0; i < mutation_kinds(); i++) {
		const struct count *k = &sum.kinds[i];

		printf("%-12s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", mutation_kind(i), k->made, k->refused, k->passed,
		    k->unproven, k->broken);
		all.made += k->made;
		all.refused += k->refused;
		all.passed += k->passed;
		all.unproven += k->unproven;
		all.broken += k->broken;
	}
	for (size_t i = 0; i < c->seeds.n; i++)
		passing += c->seeds.v[i].passes;
	printf("soundness: seed %" PRIu64 ", %zu originals (%zu pass), %" PRIu64 " mutants, %" PRIu64 " passed, %" PRIu64 " refused by the checker, "
	       "%" PRIu64 " broke a rule, %" PRIu64 " crashed, %.0f s\n", c->seed, c->seeds.n, passing, all.made, all.passed, all.unproven, all.broken, c->crashed, (double)ms / 1000);
	printf("xmlsec: %" PRIu64 " asked, %" PRIu64 " agreed, %" PRIu64 " could not, %" PRIu64 " disagreed%s\n", sum.asked, sum.agreed, sum.could_not,
	    sum.disagreed, xmlsec_there() ? "" : " (not built in)");
	return all.broken == 0 && c->crashed == 0;
}

/* What libxmlsec says of the originals that pass; its words where it can't or won't. */
static void
opinions(const struct campaign *c)
{
	struct second_opinion sum = {0};

	for (size_t i = 0; i < c->seeds.n; i++) {
		const struct seed *s = &c->seeds.v[i];
		const struct second_opinion *o = &s->opinion;

		if (s->passes && c->sample != 0) {
			struct mutant same = {.doc = s->octets, .sides = s->sides, .kind = must(mem_printf("original %s", s->name))};

			keep_sample(c, i, s, &same);
		}
		sum.asked += o->asked;
		sum.agreed += o->agreed;
		sum.could_not += o->could_not;
		if (o->could_not > 0)
			printf("xmlsec could not: %s: %s\n", s->name, o->why_not);
		if (o->disagreed[0] != '\0')
			printf("xmlsec disagrees: %s: %s\n", s->name, o->disagreed);
	}
	printf("xmlsec of originals: %zu asked, %zu agreed, %zu could not\n", sum.asked, sum.agreed, sum.could_not);
}

/* ---- arguments ---- */

static uint64_t
number_of(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 10);

	if (*s == '\0' || *end != '\0')
		die(s, "not a number");
	return n;
}

static void
arguments(struct campaign *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *w = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
		const struct {
			const char *word;
			uint64_t *to;
		} numbers[] = {{"--mutants", &c->mutants}, {"--seconds", &c->seconds}, {"--seed", &c->seed}, {"--batch", &c->batch}, {"--number", &c->number}, {"--sample", &c->sample}, {"--first", &c->first}};
		bool known = false;

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			if (strcmp(w, numbers[k].word) == 0) {
				*numbers[k].to = number_of(v);
				c->one |= strcmp(w, "--number") == 0;
				known = true;
			}
		if (strcmp(w, "--again") == 0 || strcmp(w, "--opinions") == 0) {
			c->again |= strcmp(w, "--again") == 0;
			c->opinions |= strcmp(w, "--opinions") == 0;
			continue;
		}
		if (strcmp(w, "--seeds") == 0)
			c->table = v;
		else if (strcmp(w, "--keep") == 0)
			c->keep = v;
		else if (strcmp(w, "--row") == 0)
			c->row = v;
		else if (strcmp(w, "--jobs") == 0)
			c->jobs = (size_t)number_of(v);
		else if (!known)
			die(w, "not a word of this program");
		i++;
	}
	if (c->table == NULL || c->keep == NULL || c->jobs < 1 || c->jobs > JOBS_MAX || c->batch < 1)
		die("arguments", "--seeds TABLE[,TABLE] --keep DIR");
}

int
main(int argc, char **argv)
{
	static struct campaign c = {.mutants = 1000, .seed = 1, .batch = 500, .jobs = 2};
	int64_t start;

	arguments(&c, argc, argv);
	xml_init();
	xmlsec_start();
	if (mutation_kinds() > KINDS_MAX)
		die("kinds", "too many");
	c.slots = mmap(NULL, (JOBS_MAX + 1) * sizeof(*c.slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.slots == MAP_FAILED)
		die("mmap", strerror(errno));
	seeds_load(&c.seeds, c.table, c.row);
	start = sys_monotonic_ms();
	if (c.opinions)
		opinions(&c);
	else if (c.again)
		run_again(&c);
	else
		run(&c);
	return figures(&c, sys_monotonic_ms() - start) ? 0 : 1;
}
