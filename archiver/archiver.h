/* SPDX-License-Identifier: MIT */
/*
 * The flow: documents come in by the spool or by a verb, are kept, stamped,
 * completed, archived, renewed, and given out again with their proof.
 *
 *	archive_create(cfg, seams)				once ("init")
 *	archive_open(cfg, ARCHIVE_WRITE, seams, &a)		takes the one-writer lock, starts the caged children
 *	  archive_deposit / archive_run_once / archive_sweep ...
 *	archive_close(a)
 *
 * Time comes from seams.clock alone. Long work calls seams.progress. Each step
 * of a record ends in one group of the store, so a restart repeats at most one
 * step. Answers are JSON (docs/verbs.md), new references for the caller.
 * Not thread-safe; one handle a process.
 */
#ifndef EVERSEAL_ARCHIVER_H
#define EVERSEAL_ARCHIVER_H

#include "base/json.h"
#include "base/sys.h"
#include "policy/policy.h"
#include "verify/verify.h"

struct archive;
struct store;

struct archive_seams {
	struct clock clock;
	struct entropy entropy;
	const struct log *log;
	/* May be NULL. total 0 = not known. what: "sweep", "deposit" ... */
	void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
	void *progress_ctx;
	/* The anchors of the trust folder, read anew; the caller's. NULL: they stay as given to archive_open. */
	enum err_code (*anchors)(void *ctx, struct anchors **out, struct err *e);
	/* When somebody last looked after that folder. NULL or TIME_NONE: not known. */
	int64_t (*trust_utc)(void *ctx);
	/* Is the clock kept in step? NULL: not known. */
	enum clock_sync (*sync)(void *ctx);
	void *host_ctx; /* of these three */
	bool uncaged; /* only by the operator's explicit flag */
	/* Checked between steps; true = stop soon, everything durable. May be NULL. */
	bool (*stop)(void *ctx);
	void *stop_ctx;
};

enum archive_mode { ARCHIVE_READ = 1, ARCHIVE_WRITE };

/* Make the archive that cfg names: store, log key, spools, trust folder leaf. ERR_EXISTS: there is one. */
MUST_USE enum err_code archive_create(const struct config *cfg, const struct archive_seams *seams, struct err *e);
/* ERR_BUSY: another writer (the daemon): talk to its control socket. Reading never needs a child process. */
MUST_USE enum err_code archive_open(const struct config *cfg, const struct anchors *anchors, const struct vpolicy *policy,
    enum archive_mode mode, const struct archive_seams *seams, struct archive **out, struct err *e);
/* The history of scrubs, in the archive's folder. care_last: null when there is none; a new reference. */
MUST_USE enum err_code care_note(const char *archive, const json_t *scrub, struct err *e);
MUST_USE enum err_code care_last(const char *archive, json_t **out, struct err *e);
struct store;
/* found: SHA-256 of objects in hex, each with an empty list; the records whose manifests name them are added to it. */
MUST_USE enum err_code care_whose(struct store *s, json_t *found, struct err *e);
/* store_notes of its store. */
void archive_notes(const struct archive *a, struct buf *out);
void archive_close(struct archive *a);
void archive_auto(struct archive **a);

/* ---- depositors ---- */

/* One record: a main file and what lies beside it. Descriptors are borrowed. meta: NAME.meta.json parsed, or NULL. */
struct deposit_file {
	const char *name;
	int fd;
};
struct deposit {
	const char *depositor, *spool_name; /* spool_name: what the answer files are called; NULL = none */
	const char *record;		    /* UUIDv7 given at the claim; NULL = one is made */
	const char *profile;		    /* NULL = the depositor's */
	const struct deposit_file *files;   /* files[0] is the main one unless it is a folder's content */
	size_t n_files;
	const json_t *meta;
	json_t *receipt;    /* out: receipt, or reason with "refused": true; new reference */
	int64_t *left_ms;   /* time that may still be spent on verdicts for this depositor, less what it took; NULL = as much as it takes */
	bool put_off;	    /* out: that did not do; no receipt, the same deposit is to be given again */
};
/*
 * Take deposits in, as one group. Each gets its receipt or its reason; one refused does not touch the others. After
 * ERR_OK receipts are for good. ERR_NOSPACE, ERR_BUSY (clock or anchors are not in order): stop taking
 * work; nothing of this call is kept.
 */
MUST_USE enum err_code archive_deposit(struct archive *a, struct deposit *deposits, size_t n, struct err *e);

/* ---- the service ---- */

/*
 * { "taken": n, "refused": n, "steps": n, "intake_waits": bool  (it is stopped, or the disk has no room for all), "alarms": [text],
 *   "lost_alarms": n, "next": ISO|null, "unproven": [...] }
 */
MUST_USE enum err_code archive_run_once(struct archive *a, json_t **summary, struct err *e);
/* As run_once without the spool: steps that are due, at most max_steps (0 = all). */
MUST_USE enum err_code archive_steps(struct archive *a, uint64_t max_steps, json_t **summary, struct err *e);
/* When something is due next; TIME_MAX nothing. */
MUST_USE enum err_code archive_next_due(struct archive *a, int64_t *utc, struct err *e);

/* ---- renewal ---- */

/* What, why, how many requests: { "time", "classes": [...], "records": n, "requests": n, "lapsed": n } */
MUST_USE enum err_code archive_sweep_plan(struct archive *a, json_t **plan, struct err *e);
/* Renew what is due; resumable: what was done is durable. { ..., "renewed", "failed": [...], "late": n } */
MUST_USE enum err_code archive_sweep(struct archive *a, json_t **report, struct err *e);
/*
 * Years ahead, assumptions named; each year of "calendar" has "months": { "MM": { "renewals", "assumed" } }.
 * what_if NULL or { "catalogue": path, "tsa_ends": {...} }
 */
MUST_USE enum err_code archive_forecast(struct archive *a, int years, const json_t *what_if, json_t **out, struct err *e);

/* ---- auditors ---- */

/* record: UUID, or an unambiguous beginning of at least 8 characters; version -1 = newest, 0 = as deposited. */
MUST_USE enum err_code archive_find(struct archive *a, const char *record, char id[UUID_TEXT], struct err *e);
MUST_USE enum err_code archive_manifest(struct archive *a, const char *record, json_t **out, struct err *e);
/* All manifests, newest last, with verdicts and evidence: what `history` prints. */
MUST_USE enum err_code archive_history(struct archive *a, const char *record, json_t **out, struct err *e);
/* Write the files of a version under their own names into the folder (made if missing; existing names are ERR_EXISTS). Rehashed. */
MUST_USE enum err_code archive_get(struct archive *a, const char *record, int version, const char *dir, json_t **out, struct err *e);
/* Verify a record's newest version at time_utc with what the archive holds; report JSON as docs/report.md. */
MUST_USE enum err_code archive_verify(struct archive *a, const char *record, int64_t time_utc, json_t **out, struct err *e);
/* A bundle that proves by itself: docs/bundle.md. */
MUST_USE enum err_code archive_export(struct archive *a, const char *record, const char *dir, json_t **out, struct err *e);
/* Every record in order of its id: callback gets its newest manifest. */
MUST_USE enum err_code archive_records(struct archive *a,
    enum err_code (*each)(void *ctx, const json_t *manifest, struct err *e), void *ctx, struct err *e);
/* What the next thing is for a record: { "next_deadline": ISO|null, "why", "waits_for" } */
MUST_USE enum err_code archive_deadline(struct archive *a, const json_t *manifest, json_t **out, struct err *e);
/* How long the stamps in a manifest's "evidence" hold, by the catalogue in force: { CLASS: { "deadline": ISO|"open", "why" } } */
MUST_USE enum err_code archive_class_ends(struct archive *a, const json_t *manifest, json_t **out, struct err *e);

/* ---- operators ---- */

MUST_USE enum err_code archive_status(struct archive *a, json_t **out, struct err *e);
/*
 * Records of which a verdict that passed was refused by the checker of derivations (docs/proof.md), a defect of ours, until
 * they are judged anew: [ { "record", "why" } ], the first hundred.
 */
MUST_USE enum err_code archive_unproven(struct archive *a, json_t **out, struct err *e);
/* Legal hold on or off; reason goes into the manifest. */
MUST_USE enum err_code archive_hold(struct archive *a, const char *record, bool on, const char *reason, struct err *e);
/*
 * Take the anchors anew, for a service that runs on: noted in the log, and in force for whatever is judged from now on.
 * Signatures that met no anchor are judged again among the next steps. After an error the old ones are in force.
 */
MUST_USE enum err_code archive_trust(struct archive *a, json_t **out, struct err *e);
/*
 * Release an issuer hold; release a quarantined record, or one whose step failed, for another try now; "clock": our clock is right, though the log's
 * newest entry is of a later time.
 */
MUST_USE enum err_code archive_release(struct archive *a, const char *record_or_issuer, struct err *e);
/* Everything in the store's lost/: manifests (docs/format.md 6), with "acknowledged", "alarm" (not acknowledged), "bytes". */
MUST_USE enum err_code lost_list(struct store *s, json_t **out, struct err *e);
/* The store, for scrub, rebuild and log verbs. */
struct store *archive_store(struct archive *a);

/* ---- the spool and the control socket ---- */

/* Claim, deposit, answer until the spools are empty (inside a service: one look at each); counts are added. */
MUST_USE enum err_code archive_spool(struct archive *a, uint64_t *taken, uint64_t *refused, struct err *e);
/*
 * Run as a service until seams.stop: spool (inotify and rescan), steps when due, control socket. sweep_utc: run a
 * sweep when the configuration's interval has passed.
 */
MUST_USE enum err_code archive_service(struct archive *a, struct err *e);
/* Ask the running service: verb and arguments as JSON, descriptors beside. ERR_NOTFOUND: none is running. */
MUST_USE enum err_code archive_ask(const struct config *cfg, const json_t *request, const int *fds, size_t n_fds,
    json_t **answer, struct err *e);

#endif
