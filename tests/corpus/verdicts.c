/* SPDX-License-Identifier: MIT */
/* Against dss-verdicts.tsv: recall of the indication, and of the pair with the sub-indication, by class. */
#include "tests/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>

enum { CLASS_PASSED = 0, CLASS_FAILED, CLASS_INDETERMINATE, CLASSES };
static const char *const CLASS_NAMES[CLASSES] = {"TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE"};

struct score {
	size_t all[CLASSES], indication[CLASSES], pair[CLASSES];
	size_t confusion[CLASSES][CLASSES + 1]; /* last: no line of ours */
	size_t level_all, level_same, stamp_all, stamp_same, best_all, best_same;
};

static int
class_of(const char *name)
{
	for (int i = 0; i < CLASSES; i++)
		if (strcmp(name, CLASS_NAMES[i]) == 0)
			return i;
	return -1;
}

static int
class_ours(enum indication i)
{
	return i == IND_PASSED ? CLASS_PASSED : i == IND_FAILED ? CLASS_FAILED : CLASS_INDETERMINATE;
}

/* Same row: the signature with that Id, else the one at that place in document order. */
static const struct report_signature *
ours(const struct report *r, const char *id, size_t index, bool *used)
{
	size_t seen = 0;

	if (r == NULL)
		return NULL;
	for (size_t i = 0; i < r->n_sigs; i++)
		if (!used[i] && r->sigs[i].id != NULL && strcmp(r->sigs[i].id, id) == 0) {
			used[i] = true;
			return &r->sigs[i];
		}
	for (size_t i = 0; i < r->n_sigs; i++) {
		if (r->sigs[i].nested)
			continue;
		if (++seen == index && !used[i] && (strcmp(id, "-") == 0 || r->sigs[i].id == NULL || r->sigs[i].id[0] == '\0')) {
			used[i] = true;
			return &r->sigs[i];
		}
	}
	return NULL;
}

static void
stamps_text(const struct report_signature *s, char *out, size_t n)
{
	char when[TIME_TEXT];
	size_t at = 0;

	snprintf(out, n, "-");
	for (size_t i = 0; i < s->n_stamps && at + 1 < n; i++) {
		const struct report_stamp *t = &s->stamps[i];

		time_text(t->time_utc, when);
		at += (size_t)snprintf(out + at, n - at, "%s%s@%s=%s%s%s", at == 0 ? "" : ";", stamp_type_name(t->type), when,
		    indication_token_name(t->verdict.ind), t->verdict.sub == SUB_NONE ? "" : "/", subindication_name(t->verdict.sub));
	}
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Order of stamps is not compared. */
static void
sort_list(char *list)
{
	char *items[256], out[16384], *rest = list;
	size_t n = 0, at = 0;

	while (n < 256 && (items[n] = strsep(&rest, ";")) != NULL)
		n++;
	qsort(items, n, sizeof(items[0]), by_text);
	out[0] = '\0';
	for (size_t i = 0; i < n && at + 1 < sizeof(out); i++)
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s", i == 0 ? "" : ";", items[i]);
	memcpy(list, out, strlen(out) + 1);
}

static void
difference(struct corpus *c, const struct table *t, size_t row, const struct report_signature *s, const struct report *r)
{
	static char why[8192], stamps[8192];

	if (s != NULL) {
		reasons(s, why, sizeof(why));
		stamps_text(s, stamps, sizeof(stamps));
	} else {
		snprintf(why, sizeof(why), "%s", r == NULL ? "error" : r->error == NULL ? "no line of ours" : r->error);
		stamps[0] = '\0';
	}
	fprintf(c->differences, "verdict\t%s\t%s\t%s\t%s/%s\t%s/%s\t%s\t%s\tpeer %s\tours %s\n", cell(t, row, "row"),
	    cell(t, row, "file"), cell(t, row, "id"), cell(t, row, "indication"), cell(t, row, "subindication"),
	    s == NULL ? "none" : CLASS_NAMES[class_ours(s->verdict.ind)], s == NULL ? "" : subindication_name(s->verdict.sub),
	    cell(t, row, "errors"), why, cell(t, row, "timestamps"), stamps);
}

static void
compare_aside(struct corpus *c, const struct table *t, size_t row, const struct report_signature *s, struct score *k)
{
	static char mine[16384], theirs[16384];
	char best[TIME_TEXT];

	stamps_text(s, mine, sizeof(mine));
	snprintf(theirs, sizeof(theirs), "%s", cell(t, row, "timestamps"));
	sort_list(mine);
	sort_list(theirs);
	if (strcmp(theirs, "-") != 0 || strcmp(mine, "-") != 0) {
		k->stamp_all++;
		k->stamp_same += strcmp(mine, theirs) == 0;
		if (strcmp(mine, theirs) != 0)
			fprintf(c->differences, "stamps\t%s\t%s\t%s\t%s\t%s\n", cell(t, row, "row"), cell(t, row, "file"),
			    cell(t, row, "id"), theirs, mine);
	}
	time_text(s->best_signature_time, best);
	k->best_all++;
	k->best_same += strcmp(best, cell(t, row, "best")) == 0;
}

static void
score_line(struct corpus *c, const struct table *t, size_t row, const struct report *r, bool *used, struct score *k)
{
	int want = class_of(cell(t, row, "indication"));
	const char *sub = cell(t, row, "subindication");
	const struct report_signature *s;

	if (want < 0)
		return;
	s = ours(r, cell(t, row, "id"), (size_t)atoi(cell(t, row, "index")), used);
	int have = s == NULL ? CLASSES : class_ours(s->verdict.ind);
	bool same_sub = s != NULL && strcmp(s->verdict.sub == SUB_NONE ? "-" : subindication_name(s->verdict.sub), sub) == 0;
	k->all[want]++;
	k->confusion[want][have]++;
	k->indication[want] += have == want;
	k->pair[want] += have == want && same_sub;
	if (have != want || !same_sub)
		difference(c, t, row, s, r);
	if (s != NULL)
		compare_aside(c, t, row, s, k);
}

static bool
is_unit(const char *thing)
{
	return strcmp(thing, "signature") == 0 || strcmp(thing, "counter-signature") == 0;
}

/* Lines [from, to) are one run of one file. */
static void
score_run(struct corpus *c, const struct table *t, size_t from, size_t to, struct slice doc, const struct inputs *in,
    struct score *plain, struct score *with_records)
{
	const char *path = cell(t, from, "file"), *policy = cell(t, from, "policy");
	struct anchors *a = anchors_load(c->root, cell(t, from, "anchors"), "trust/dss-tops/", ".cer");
	bool records = in->evidence_record, units = false;
	int64_t at;

	for (size_t i = from; i < to; i++) {
		records = records || strcmp(cell(t, i, "thing"), "evidence-record") == 0;
		units = units || is_unit(cell(t, i, "thing"));
	}
	if (units && time_parse(cell(t, from, "time"), &at)) {
		AUTO(report) struct report *r =
		    corpus_verify(c, path, doc, in, a, strcmp(policy, "-") == 0 ? &c->dss : &c->lenient, at);
		if (r != NULL && c->show != NULL && strcmp(c->show, cell(t, from, "row")) == 0) {
			AUTO(json) json_t *header = NULL, *document = NULL;
			AUTO(buf) struct buf b = {0};
			struct err e = {0};

			if (report_header_json(r, &header, &e) == ERR_OK && report_json(r, &document, &e) == ERR_OK &&
			    report_text(header, document, NULL, &b, &e) == ERR_OK)
				printf("%s\n", buf_str(&b));
		}
		bool *used = mem_new(r == NULL ? 1 : r->n_sigs + 1, sizeof(bool));

		for (size_t i = from; i < to && used != NULL; i++)
			if (is_unit(cell(t, i, "thing")))
				score_line(c, t, i, r, used, records ? with_records : plain);
		free(used);
	}
	anchors_free(a);
}

static double
percent(size_t a, size_t all)
{
	return all == 0 ? 100.0 : 100.0 * (double)a / (double)all;
}

static bool
print_score(const char *title, const struct score *k)
{
	double ind = 0, pair = 0;

	printf("%s\n  %-14s %6s %9s %9s   ours: %s %s %s none\n", title, "peer", "lines", "indic. %", "pair %", "PASSED", "FAILED",
	    "INDET.");
	for (int i = 0; i < CLASSES; i++) {
		ind += percent(k->indication[i], k->all[i]);
		pair += percent(k->pair[i], k->all[i]);
		printf("  %-14s %6zu %9.2f %9.2f         %6zu %6zu %6zu %4zu\n", CLASS_NAMES[i], k->all[i],
		    percent(k->indication[i], k->all[i]), percent(k->pair[i], k->all[i]), k->confusion[i][0], k->confusion[i][1],
		    k->confusion[i][2], k->confusion[i][3]);
	}
	printf("  mean recall: indication %.2f %%, pair %.2f %%; aside: time-stamp verdicts %.2f %% of %zu, best time %.2f %%\n",
	    ind / CLASSES, pair / CLASSES, percent(k->stamp_same, k->stamp_all), k->stamp_all,
	    percent(k->best_same, k->best_all));
	return ind / CLASSES >= 85.0 && pair / CLASSES >= 75.0;
}

bool
run_verdicts(struct corpus *c)
{
	struct table t;
	struct score plain = {0}, records = {0};
	AUTO(buf) struct buf doc = {0};
	struct inputs in = {0};
	const char *file = "", *detached = "";

	if (!table_read(&t, c->root, "dss-verdicts.tsv"))
		return false;
	for (size_t from = 1, to; from < t.n_rows; from = to) {
		const char *path = cell(&t, from, "file");

		for (to = from + 1; to < t.n_rows && strcmp(cell(&t, to, "row"), cell(&t, from, "row")) == 0;)
			to++;
		if (strncmp(path, "xades/", 6) != 0 || (c->only != NULL && strstr(path, c->only) == NULL))
			continue;
		if (strcmp(path, file) != 0) {
			buf_clear(&doc);
			if (!corpus_read(c->root, path, &doc))
				fprintf(stderr, "%s: not there\n", path);
			file = path;
		}
		if (strcmp(detached, cell(&t, from, "detached")) != 0) {
			detached = cell(&t, from, "detached");
			inputs_release(&in);
			if (!inputs_load(&in, c->root, detached))
				fprintf(stderr, "%s: not there\n", detached);
		}
		score_run(c, &t, from, to, buf_slice(&doc), &in, &plain, &records);
	}
	bool ok = print_score("dss-verdicts.tsv, xades/ without evidence records", &plain);
	(void)print_score("dss-verdicts.tsv, xades/ with evidence records (not judged here)", &records);
	inputs_release(&in);
	table_release(&t);
	return ok;
}
