/* SPDX-License-Identifier: MIT */
/* The everseal command: options before the verb, the verb table, exit codes. */
#include "tools/tools.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verb *const tables[] = {verbs_verify, verbs_record, verbs_run, verbs_admin, verbs_scrub};

int
exit_of(enum err_code code)
{
	static const int codes[ERR_CODES] = {
	    [ERR_OK] = EXIT_POSITIVE,
	    [ERR_NOMEM] = EXIT_OSERR,
	    [ERR_IO] = EXIT_IO,
	    [ERR_NOSPACE] = EXIT_TRYLATER,
	    [ERR_NOTFOUND] = EXIT_NOINPUT,
	    [ERR_EXISTS] = EXIT_CANTCREAT,
	    [ERR_FORMAT] = EXIT_DATA,
	    [ERR_LIMIT] = EXIT_DATA,
	    [ERR_REFUSED] = EXIT_DATA,
	    [ERR_UNSUPPORTED] = EXIT_DATA,
	    [ERR_REMOTE] = EXIT_TRYLATER,
	    [ERR_BUSY] = EXIT_TRYLATER,
	    [ERR_USAGE] = EXIT_USAGE,
	    [ERR_DAMAGED] = EXIT_NEGATIVE,
	    [ERR_BUG] = EXIT_SOFTWARE,
	};

	return (unsigned)code < ERR_CODES ? codes[code] : EXIT_SOFTWARE;
}

const struct verb *
tool_verb(const char *name)
{
	const struct verb *v = NULL;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (v = tables[i]; v->name != NULL; v++)
			if (strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

static void
help(FILE *to)
{
	const struct verb *v = NULL;
	size_t i;

	fprintf(to, "usage: everseal [-c FILE] [--json] [--quiet] [--uncaged] VERB ...\n\n");
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (v = tables[i]; v->name != NULL; v++)
			fprintf(to, "  %-10s %s\n", v->name, v->help);
	fprintf(to, "\neverseal VERB --help shows a verb's options. The configuration is -c FILE or EVERSEAL_CONFIG.\n"
		    "Exit: 0 positive, 1 negative verdict or damage, 3 indeterminate, 64 usage, 75 try again, else sysexits.\n");
}

int
tool_usage(const struct verb *v, const char *why)
{
	if (why != NULL)
		fprintf(stderr, "everseal: %s\n", why);
	fprintf(stderr, "usage: everseal %s %s\n", v->name, v->usage);
	return EXIT_USAGE;
}

/* Options before the verb; gives the index of the verb, or -1. */
static int
global_options(struct tool *t, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			t->config_path = argv[++i];
		else if (strcmp(argv[i], "--json") == 0)
			t->json = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			t->quiet = true;
		else if (strcmp(argv[i], "--uncaged") == 0)
			t->uncaged = true;
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help(stdout);
			return -1;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("everseal " EVERSEAL_VERSION "\n");
			return -1;
		} else {
			fprintf(stderr, "everseal: unknown option %s\n", argv[i]);
			help(stderr);
			return -2;
		}
	}
	return i < argc ? i : -3;
}

static void
tool_release(struct tool *t)
{
	free(t->config_made);
	archive_close(t->archive);
	anchors_free(t->anchors);
	catalogue_free(t->catalogue);
	buf_release(&t->remarks);
	faults_auto(&t->faults);
	config_free(t->cfg);
}

/* A descriptor that was closed by the caller is held: else the next file or socket has its number, and our words go there. */
static void
hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* writing to it fails, as it should */
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct tool t = {.log = {.fd = 2, .level = LOG_LEVEL_WARN, .name = "everseal"}};
	const struct verb *v = NULL;
	int at, code, i;

	hold_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	/*
	 * A verdict does not depend on the machine's openssl.cnf, which can take algorithms away; the net process reads it
	 * for TLS. What OpenSSL would free at the end goes with the process.
	 */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	t.config_path = getenv("EVERSEAL_CONFIG");
	at = global_options(&t, argc, argv);
	if (at == -1)
		return EXIT_POSITIVE;
	if (at < 0) {
		if (at == -3)
			help(stderr);
		return EXIT_USAGE;
	}
	if (t.quiet)
		t.log.level = LOG_LEVEL_ERROR;
	v = tool_verb(argv[at]);
	if (v == NULL) {
		fprintf(stderr, "everseal: there is no verb \"%s\"; everseal --help lists them\n", argv[at]);
		return EXIT_USAGE;
	}
	for (i = at + 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") != 0)
			continue;
		printf("usage: everseal %s %s\n\n%s\n", v->name, v->usage, v->help);
		return EXIT_POSITIVE;
	}
	code = v->run(&t, argc - at, argv + at);
	tool_release(&t);
	if (fflush(stdout) != 0 && code == EXIT_POSITIVE)
		code = EXIT_IO;
	return code;
}
