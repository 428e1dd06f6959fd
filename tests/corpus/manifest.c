/* SPDX-License-Identifier: MIT */
/* Against manifest.tsv, kind xades: cryptography, count, level, imprints, and the few verdicts asserted. */
#include "tests/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>

/* The closed list: what this build can't check, and says so. */
enum cannot { CAN = 0, CANNOT_XSLT, CANNOT_DTD, CANNOT_ALGORITHM, CANNOT_HTTP, CANNOT_RECORD, CANNOT_UNSAFE, CANNOTS };
static const char *const CANNOT_NAMES[CANNOTS] = {"-", "XSLT", "DTD", "algorithm not in OpenSSL 3.0",
    "external http reference without a file", "evidence record", "wrapping protection switched off"};

struct tally {
	size_t rows, agree, differ, caution, cannot[CANNOTS], asserted;
};

struct check_row {
	struct corpus *c;
	const struct table *t;
	size_t row;
	const struct report *r;
	size_t faults;
	struct tally *tally;
};

static void
fault(struct check_row *k, const char *what, const char *want, const char *have)
{
	static char why[8192];

	why[0] = '\0';
	if (k->r != NULL && k->r->n_sigs > 0)
		reasons(&k->r->sigs[0], why, sizeof(why));
	k->faults++;
	fprintf(k->c->differences, "manifest\t%zu\t%s\t%s\t%s\t%s\t%s\n", k->row, cell(k->t, k->row, "path"), what, want, have,
	    k->r != NULL && k->r->error != NULL ? k->r->error : why);
}

static size_t
counted(const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_sigs; i++)
		n += !r->sigs[i].nested;
	return n;
}

/* SignatureValue and all references: true, false, or not checked. Manifest entries don't count. */
static enum tri
crypto_of(const struct report_signature *s)
{
	enum tri v = s->value_intact;

	for (size_t i = 0; i < s->n_refs; i++) {
		if (s->refs[i].found == TRI_FALSE || s->refs[i].intact == TRI_FALSE)
			return TRI_FALSE;
		if (s->refs[i].intact == TRI_UNKNOWN && v == TRI_TRUE)
			v = TRI_UNKNOWN;
	}
	/* What can't be resolved unambiguously is not valid, whatever its digest. */
	if (s->basic.ind == IND_FAILED && s->basic.sub == SUB_FORMAT_FAILURE)
		return TRI_FALSE;
	return v;
}

static const char *
tri_text(enum tri t)
{
	return t == TRI_TRUE ? "true" : t == TRI_FALSE ? "false" : "not checked";
}

static void
check_count(struct check_row *k)
{
	const char *want = cell(k->t, k->row, "signatures");
	char have[32];
	size_t n = counted(k->r);

	/* where an exception is expected there is no result to count in */
	if (want[0] < '0' || want[0] > '9' || strcmp(cell(k->t, k->row, "expected_indication"), "ERROR") == 0)
		return;
	k->tally->asserted++;
	snprintf(have, sizeof(have), "%zu", n);
	if (strcmp(want, "1+") == 0 ? n < 1 : strcmp(want, have) != 0)
		fault(k, "signatures", want, have);
}

static void
check_crypto_one(struct check_row *k, size_t i, const char *want)
{
	size_t seen = 0;

	if (strcmp(want, "true") != 0 && strcmp(want, "false") != 0)
		return;
	for (size_t s = 0; s < k->r->n_sigs; s++) {
		if (k->r->sigs[s].nested || (i != SIZE_MAX && seen++ != i))
			continue;
		k->tally->asserted++;
		enum tri have = crypto_of(&k->r->sigs[s]);
		if (strcmp(want, "true") == 0 ? have != TRI_TRUE : have == TRI_TRUE)
			fault(k, "crypto_valid", want, tri_text(have));
	}
}

static void
check_crypto(struct check_row *k)
{
	AUTO(mem) char *copy = mem_dupstr(cell(k->t, k->row, "crypto_valid"));
	char *rest = copy, *item;
	size_t i = 0;

	while ((item = strsep(&rest, ";")) != NULL) {
		if (strncmp(item, "er:", 3) == 0)
			k->tally->cannot[CANNOT_RECORD]++;
		else if (strncmp(item, "all:", 4) == 0)
			check_crypto_one(k, SIZE_MAX, item + 4);
		else
			check_crypto_one(k, i++, item);
	}
}

/* Our name of a level from the manifest's (the table of level names). */
static bool
level_same(const char *theirs, const char *mine, bool forms_only)
{
	static const char *const ROWS[][2] = {{"XML-NOT-ETSI", "XML-DSig"}, {"XAdES-XL", "XAdES-X-L"}, {"XAdES-C", "XAdES-X-Long"},
	    {"XAdES-BASELINE-B", "XAdES-B-B"}, {"XAdES-BASELINE-T", "XAdES-B-T"}, {"XAdES-BASELINE-LT", "XAdES-B-LT"},
	    {"XAdES-BASELINE-LTA", "XAdES-B-LTA"}};

	if (strcmp(theirs, mine) == 0)
		return true;
	/* one project names forms only: BES, T, C ... whatever the baseline level within */
	if (forms_only && strncmp(mine, "XAdES-B-", 8) == 0)
		return strcmp(theirs, "XAdES-BES") == 0 ? strcmp(mine + 8, "B") == 0 : strcmp(theirs + 6, mine + 8) == 0;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		if (strcmp(theirs, ROWS[i][0]) == 0 && strcmp(mine, ROWS[i][1]) == 0)
			return true;
	return false;
}

static void
check_level(struct check_row *k)
{
	AUTO(mem) char *copy = mem_dupstr(cell(k->t, k->row, "level"));
	char *rest = copy, *item;
	size_t at = 0;

	while ((item = strsep(&rest, ";")) != NULL) {
		while (at < k->r->n_sigs && k->r->sigs[at].nested)
			at++;
		if (strcmp(item, "?") != 0 && strcmp(item, "-") != 0 && at < k->r->n_sigs) {
			k->tally->asserted++;
			bool forms_only = strncmp(cell(k->t, k->row, "path"), "xades/xades4j/", 14) == 0;
			if (!level_same(item, k->r->sigs[at].level, forms_only))
				fault(k, "level", item, k->r->sigs[at].level);
		}
		at++;
	}
}

static bool
stamp_good(const struct report_stamp *t)
{
	return t->imprint_intact == TRI_TRUE && !(t->basic.ind == IND_FAILED && t->basic.sub == SUB_SIG_CRYPTO_FAILURE) &&
	    !(t->basic.ind == IND_FAILED && t->basic.sub == SUB_HASH_FAILURE);
}

static void
check_all_stamps(struct check_row *k, bool want)
{
	for (size_t s = 0; s < k->r->n_sigs; s++)
		for (size_t i = 0; i < k->r->sigs[s].n_stamps; i++) {
			const struct report_stamp *t = &k->r->sigs[s].stamps[i];

			k->tally->asserted++;
			if (stamp_good(t) != want)
				fault(k, "timestamps", want ? "all:true" : "all:false", stamp_type_name(t->type));
		}
}

/* Each entry names a type and an outcome: some stamp of that type must have it. */
static void
check_stamps(struct check_row *k)
{
	AUTO(mem) char *copy = mem_dupstr(cell(k->t, k->row, "timestamps"));
	char *rest = copy, *item;

	if (strncmp(copy, "all:", 4) == 0) {
		check_all_stamps(k, strcmp(copy + 4, "true") == 0);
		return;
	}
	while ((item = strsep(&rest, ";")) != NULL) {
		char *colon = strchr(item, ':');
		bool found = false;

		if (colon == NULL || colon[1] == '?' || strncmp(item, "ER_", 3) == 0)
			continue;
		*colon = '\0';
		for (size_t s = 0; s < k->r->n_sigs && !found; s++)
			for (size_t i = 0; i < k->r->sigs[s].n_stamps && !found; i++) {
				const struct report_stamp *t = &k->r->sigs[s].stamps[i];

				found = strcmp(stamp_type_name(t->type), item) == 0 && stamp_good(t) == (strcmp(colon + 1, "true") == 0);
			}
		k->tally->asserted++;
		if (!found)
			fault(k, "timestamps", item, colon + 1);
	}
}

/* Where an evidence record has an indication, it is the record's. */
static bool
is_record_row(const struct check_row *k)
{
	return k->r->evidence_records > 0 || strstr(cell(k->t, k->row, "detached_files"), "er:") != NULL;
}

static void
check_indication(struct check_row *k)
{
	const char *want = cell(k->t, k->row, "expected_indication"), *sub = cell(k->t, k->row, "expected_subindication");
	enum indication have = report_overall(k->r);

	if (strcmp(want, "ERROR") == 0) {
		k->tally->asserted++;
		if (have == IND_PASSED)
			fault(k, "expected_indication", want, indication_name(have));
		return;
	}
	bool found = strcmp(want, "-") == 0 && strcmp(sub, "-") == 0;
	if (found)
		return;
	if (is_record_row(k)) {
		k->tally->cannot[CANNOT_RECORD]++;
		return;
	}
	k->tally->asserted++;
	for (size_t i = 0; i < k->r->n_sigs && !found; i++) {
		const struct verdict *v = &k->r->sigs[i].verdict;
		const char *name = v->ind == IND_PASSED ? "TOTAL_PASSED" : v->ind == IND_FAILED ? "TOTAL_FAILED" : "INDETERMINATE";

		found = (strcmp(want, "-") == 0 || strcmp(want, name) == 0) &&
		    (strcmp(sub, "-") == 0 || strcmp(sub, subindication_name(v->sub)) == 0);
	}
	if (!found)
		fault(k, "expected_indication", sub, k->r->n_sigs == 0 ? "none" : subindication_name(k->r->sigs[0].verdict.sub));
}

static enum cannot
cannot_text(const char *t)
{
	if (t == NULL)
		return CAN;
	if (strstr(t, "XSLT") != NULL)
		return CANNOT_XSLT;
	if (strstr(t, "DOCTYPE") != NULL || strstr(t, "DTD") != NULL)
		return CANNOT_DTD;
	if (strstr(t, "http") != NULL)
		return CANNOT_HTTP;
	return CAN;
}

static enum cannot
cannot_check(const struct check_row *k)
{
	if (strstr(cell(k->t, k->row, "note"), "protection switched off") != NULL)
		return CANNOT_UNSAFE;
	if (k->r->error != NULL && cannot_text(k->r->error) == CANNOT_DTD)
		return CANNOT_DTD;
	for (size_t s = 0; s < k->r->n_sigs; s++)
		for (size_t i = 0; i < k->r->sigs[s].n_refs; i++)
			if (k->r->sigs[s].refs[i].intact != TRI_TRUE && cannot_text(k->r->sigs[s].refs[i].note) != CAN)
				return cannot_text(k->r->sigs[s].refs[i].note);
	return CAN;
}

static void
check_row(struct corpus *c, const struct table *t, size_t row, struct tally *tally)
{
	struct check_row k = {.c = c, .t = t, .row = row, .tally = tally};
	const char *path = cell(t, row, "path");
	AUTO(buf) struct buf doc = {0};
	struct inputs in;
	struct anchors *a = anchors_load(c->root, cell(t, row, "trust_anchor"), "", "");
	int64_t at = time_make(2026, 11, 21, 0, 0, 0);

	(void)inputs_load(&in, c->root, cell(t, row, "detached_files"));
	if (a == NULL || !corpus_read(c->root, path, &doc)) {
		fprintf(stderr, "%s: not there\n", path);
		tally->differ++;
	} else {
		AUTO(report) struct report *r = corpus_verify(c, path, buf_slice(&doc), &in, a, &c->dss, at);

		k.r = r;
		tally->rows++;
		if (r == NULL) {
			tally->differ++;
		} else {
			check_count(&k);
			check_crypto(&k);
			check_level(&k);
			check_stamps(&k);
			check_indication(&k);
			enum cannot why = k.faults > 0 ? cannot_check(&k) : CAN;
			if (k.faults == 0)
				tally->agree++;
			else if (strstr(cell(t, row, "note"), "Caution") != NULL)
				tally->caution++;
			else if (why != CAN)
				tally->cannot[why]++;
			else
				tally->differ++;
		}
	}
	inputs_release(&in);
	anchors_free(a);
}

bool
run_manifest(struct corpus *c)
{
	struct table t;
	struct tally tally = {0};

	if (!table_read(&t, c->root, "manifest.tsv"))
		return false;
	for (size_t i = 1; i < t.n_rows; i++)
		if (strcmp(cell(&t, i, "kind"), "xades") == 0 && (c->only == NULL || strstr(cell(&t, i, "path"), c->only) != NULL))
			check_row(c, &t, i, &tally);
	printf("manifest.tsv, xades: %zu rows, %zu outcomes asserted; %zu rows agree, %zu differ, %zu under a caution\n", tally.rows,
	    tally.asserted, tally.agree, tally.differ, tally.caution);
	for (int i = 1; i < CANNOTS; i++)
		if (tally.cannot[i] > 0)
			printf("  cannot: %zu %s\n", tally.cannot[i], CANNOT_NAMES[i]);
	table_release(&t);
	return tally.differ == 0;
}
