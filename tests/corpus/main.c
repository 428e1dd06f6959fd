/* SPDX-License-Identifier: MIT */
/*
 * run [--only PART] [--show ROW] [--manifest] [--verdicts] [--reports FILE] [--years-on N]: the outside corpus in one
 * process. --reports writes every report, --years-on moves the wall clock first:
 * two such runs must give the same octets. --show prints the reports of one row of dss-verdicts.tsv. Data: EVERSEAL_SHARED, else ../shared. Differences, one a line with
 * the reason, go to build/corpus/differences.tsv (or --out FILE).
 */
#include "tests/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool
begin(struct corpus *c, const char *out)
{
	struct err e = {0};

	xml_init();
	c->differences = fopen(out, "w");
	if (c->differences == NULL) {
		perror(out);
		return false;
	}
	if (verifier_new(&c->v, &e) != ERR_OK || vpolicy_builtin("dss", NULL, &c->dss, &e) != ERR_OK ||
	    vpolicy_builtin("dss-lenient", NULL, &c->lenient, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct corpus c = {0};
	const char *shared = getenv("EVERSEAL_SHARED"), *out = "build/corpus/differences.tsv";
	char root[2048], now[TIME_TEXT];
	bool manifest = true, verdicts = true, ok = true;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--manifest") == 0)
			verdicts = false;
		else if (strcmp(argv[i], "--verdicts") == 0)
			manifest = false;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			c.only = argv[++i];
		else if (strcmp(argv[i], "--show") == 0 && i + 1 < argc)
			c.show = argv[++i];
		else if (strcmp(argv[i], "--reports") == 0 && i + 1 < argc)
			c.reports = fopen(argv[++i], "w");
		else if (strcmp(argv[i], "--years-on") == 0 && i + 1 < argc)
			clock_move(atoi(argv[++i]));
		else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc)
			out = argv[++i];
	}
	snprintf(root, sizeof(root), "%s/corpus", shared == NULL ? "../shared" : shared);
	c.root = root;
	if (!begin(&c, out))
		return 70;
	time_text((int64_t)time(NULL), now);
	printf("wall clock %s\n", now);
	if (manifest)
		ok = run_manifest(&c) && ok;
	if (verdicts)
		ok = run_verdicts(&c) && ok;
	fclose(c.differences);
	if (c.reports != NULL && fclose(c.reports) != 0)
		ok = false;
	verifier_free(c.v);
	printf("corpus: %s\n", ok ? "as demanded" : "BELOW what is demanded");
	return ok ? 0 : 1;
}
