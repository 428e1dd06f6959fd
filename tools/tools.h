/* SPDX-License-Identifier: MIT */
/*
 * The command: shared options, exit codes, what verbs have in common.
 * stdout is the result, stderr the talk. docs/verbs.md lists every verb.
 */
#ifndef EVERSEAL_TOOLS_H
#define EVERSEAL_TOOLS_H

#include "archiver/archiver.h"
#include "store/store.h"

enum exit_code {
	EXIT_POSITIVE = 0,
	EXIT_NEGATIVE = 1,	/* TOTAL-FAILED, damage, a proof that does not hold */
	EXIT_INDETERMINATE = 3, /* none failed, but not all passed */
	EXIT_USAGE = 64,
	EXIT_DATA = 65,	   /* the input is refused */
	EXIT_NOINPUT = 66, /* not there */
	EXIT_SOFTWARE = 70, /* a defect of ours: a verdict that passed could not be proved (docs/proof.md), ERR_BUG */
	EXIT_OSERR = 71,
	EXIT_CANTCREAT = 73,
	EXIT_IO = 74,
	EXIT_TRYLATER = 75,
	EXIT_CONFIG = 78
};
int exit_of(enum err_code code);

/* What the options before the verb said, and what was made of the configuration. */
struct tool {
	const char *config_path; /* -c, EVERSEAL_CONFIG, or NULL */
	char *config_made;	 /* by init --simulated: config_path then points to it; owned */
	bool json, uncaged, quiet;
	struct log log;
	struct config *cfg;
	struct anchors *anchors;
	bool config_bad;	     /* it has faults: exit code 78, whatever the verb */
	struct faults faults;
	struct catalogue *catalogue; /* owned, or NULL */
	struct buf remarks;	     /* what was tolerated in catalogue files */
	struct vpolicy policy;
	struct archive *archive;
	int64_t simulated_utc; /* last reading of the clock file */
};

struct store;

struct verb {
	const char *name, *usage, *help;
	int (*run)(struct tool *t, int argc, char **argv); /* argv[0] is the verb; an exit code */
};
struct store;
extern const struct verb verbs_verify[], verbs_record[], verbs_admin[], verbs_scrub[], verbs_run[]; /* each ends with a NULL name */

int verb_history(struct tool *t, int argc, char **argv); /* cmd_history.c; a row of verbs_record */
/* cmd_care.c; rows of verbs_admin */
int verb_rebuild(struct tool *t, int argc, char **argv);
int verb_lost(struct tool *t, int argc, char **argv);
int verb_upgrade_format(struct tool *t, int argc, char **argv);

/* Text of a member; otherwise if it is no text. */
static inline const char *
word(const json_t *j, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : otherwise;
}

/* Print the error and give its exit code. */
int tool_fail(struct tool *t, const struct err *e);
int tool_usage(const struct verb *v, const char *why);
/* Records that archive_unproven tells of, as lines on stderr; true if there are any: the verb's exit code is EXIT_SOFTWARE. */
bool tool_unproven(const json_t *list);
/* The row of a verb, for its usage line. */
const struct verb *tool_verb(const char *name);

/* Configuration with every fault told; policy, catalogue; anchors of the trust folder. */
MUST_USE enum err_code tool_config(struct tool *t, struct err *e);
/* The archive's folder is closed to this user; its service may still take a deposit. */
bool tool_shut_out(const struct tool *t);
/* Is the catalogue in force good for new evidence? Faults of digests go to f; the error's text names the first. */
MUST_USE enum err_code tool_catalogue_check(struct tool *t, struct faults *f, struct err *e);
MUST_USE enum err_code tool_trust(struct tool *t, struct err *e);
/* tool_config, tool_trust, then the archive. */
void tool_notes(const struct buf *lines);
MUST_USE enum err_code tool_open(struct tool *t, enum archive_mode mode, struct err *e);
struct archive_seams tool_seams(struct tool *t);
/* Certificates of a folder: directly in it for every role, in signer/ tsa/ ocsp/ for that one. */
MUST_USE enum err_code tool_anchors(const char *dir, struct anchors **out, struct err *e);
struct policy_choice {
	const char *name; /* or a file */
	bool is_file;
	const struct word_list *catalogues; /* files; NULL or empty: the policy's own */
	const char *overlay_file;	    /* NULL: none */
	bool sliding_strict;
};
/* *catalogue is owned by the caller, NULL = the built-in one serves. What was tolerated in the files goes to remarks, if not NULL. */
MUST_USE enum err_code tool_policy(
    const struct policy_choice *c, struct catalogue **catalogue, struct vpolicy *out, struct buf *remarks, struct err *e);
/* "now", an ISO instant. */
MUST_USE enum err_code tool_time(struct tool *t, const char *text, int64_t *utc, struct err *e);

/* A whole number of an option. */
MUST_USE enum err_code tool_number(const char *option, const char *text, int min, int max, int *out, struct err *e);

/* A JSON answer on stdout: one canonical line with --json, indented otherwise. Objects without a schema get theirs. */
int tool_print(struct tool *t, json_t *j);
/* A verb that did what it was told: j (taken) with --json, else one line. */
int tool_done(struct tool *t, json_t *j, const char *fmt, ...) PRINTF(3, 4);
/* A line on stdout, with SIMULATED in front where it applies; one below it. Foreign text in them stays on its line. */
void tool_line(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);
void tool_more(const char *fmt, ...) PRINTF(1, 2);
/* What stands behind the last slash; points into path. */
const char *tool_base_name(const char *path);

/* Options of a verb: "--name VALUE", "--name=VALUE", "--flag". */
struct option_row {
	const char *name; /* without the dashes */
	const char **value; /* set to the value; NULL for a flag */
	bool *flag;
	const char **list; /* with value: appended here, at most list_max */
	size_t *list_n, list_max;
};
/* Rest: argv without the options. ERR_USAGE names the unknown one. */
MUST_USE enum err_code tool_options(const struct option_row *rows, size_t n, int *argc, char **argv, struct err *e);

/*
 * receipt.c: the log's proof in a receipt, offline. log_key NULL: indeterminate. consistency (may be NULL): a file of
 * `log proof` that must go on from the receipt's checkpoint.
 */
int verify_receipt(struct tool *t, const char *path, const char *log_key, const char *consistency);
/*
 * The same for whatever has a receipt's "record", "salt", "manifest" and "log". ERR_OK: it holds. ERR_REFUSED: the
 * checkpoint is not signed by this key; ERR_DAMAGED, ERR_FORMAT: it does not hold. cp is written on ERR_OK.
 */
MUST_USE enum err_code receipt_check(const json_t *receipt, const char *log_key, struct tlog_checkpoint *cp, struct err *e);

/* logproof.c: that one log goes on from another. */
/*
 * A checkpoint that somebody kept: a signed note, or a receipt, which must hold. ERR_REFUSED: of another key; ERR_DAMAGED,
 * ERR_FORMAT: false, or neither of the two.
 */
MUST_USE enum err_code kept_checkpoint(const char *path, const char *log_key, struct tlog_checkpoint *cp, struct err *e);
/*
 * The log of the archive against a kept checkpoint. *out: what JSON says of it. ERR_DAMAGED: it does not go on from it; the
 * text shows both roots.
 */
MUST_USE enum err_code log_goes_on(struct store *s, const char *path, const struct tlog_checkpoint *kept, json_t **out, struct err *e);
/* The proof from a checkpoint (a file, or its size in decimal) to another (NULL: today's) as JSON. */
MUST_USE enum err_code log_proof(struct store *s, const char *log_key, const char *from, const char *to, json_t **out, struct err *e);
/* A file that log_proof made, offline. ERR_DAMAGED: it proves that its log does not go on from cp; ERR_REFUSED: it proves nothing of cp. */
MUST_USE enum err_code log_proof_check(
    const char *path, const char *log_key, const struct tlog_checkpoint *cp, struct tlog_checkpoint *later, struct err *e);

/* bundle.c: an exported bundle, without archive and network. trust, at, log_key NULL: the bundle's anchors, now, the bundle's key. */
int verify_bundle(struct tool *t, const char *dir, const char *trust, const char *at, const char *policy, const char *log_key);
bool is_bundle(const char *path);

/* cmd_verify.c: what `verify FILE` does, for one file. */
struct judge_request {
	const char *trust, *at, *policy, *path;
	const char *const *with; /* [NAME=]PATH */
	size_t n_with;
	const json_t *material; /* NULL, or [ { "kind": "cert"|"crl"|"ocsp", "path" } ]: known beside the document */
};
/* Text goes to stdout unless --json. *out: the first request makes it, later ones add their document. *code gets worse only. */
MUST_USE enum err_code tool_judge(struct tool *t, const struct judge_request *q, json_t **out, int *code, struct err *e);

#endif
