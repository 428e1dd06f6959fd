/* SPDX-License-Identifier: MIT */
/*
 * Inside the archiver: the handle, manifests, versions, steps.
 *
 * Tables of the index (rows travel in the groups):
 *	record	<uuid>				{ "manifest": sha256, "depositor", "due": ISO|null, "states": { STATE: n } }
 *	due	<BE64 time><uuid>		reason; one row for each record that waits for a time
 *	ownid	<depositor>\0<own id>		<uuid>
 *	receipt	<uuid>				{ "sha256", "sha512", "leaf" } of its first manifest
 *	class	<class key hex>			FACTS (docs/deadlines.md)
 *	evidence <class key>/<uuid>/<thing>	{ "kind", "seq", "time" }: the newest piece of each chain
 *	tsacert	<sha256 hex of the TSA certificate>	material job: docs/deadlines.md
 *	hold	<issuer sha256 hex>		hold.c
 *	unanchored <uuid>			"": a signature met no anchor, is judged again by other ones
 *	news	<uuid>				depositor: done/X.status.json is still to be written
 *	state	<name>				small facts: last sweep, trust set, configuration
 */
#ifndef EVERSEAL_ARCHIVER_INT_H
#define EVERSEAL_ARCHIVER_INT_H

#include "archiver/archiver.h"
#include "archiver/caged.h"
#include "archiver/fetch.h"
#include "base/worker.h"
#include "store/store.h"

/* Log leaves; numbers stand in segments for ever. */
enum leaf_type {
	LEAF_CREATED = 1,
	LEAF_KEPT = 2,	  /* a deposit */
	LEAF_STEP = 3,	  /* a record went a step further */
	LEAF_RENEWED = 4,
	LEAF_HOLD = 5,
	LEAF_TRUST = 6,	  /* anchors */
	LEAF_CONFIG = 7,
	LEAF_MATERIAL = 8, /* material job of a TSA certificate */
	LEAF_LOSS = 9	   /* what recovery or an operator gave up: digest of its manifest in lost/ */
};

#define MANIFEST_MAX ((size_t)16 << 20)
#define OBJECT_MAX ((size_t)256 << 20)

#define ANCHOR_ENDS 2 /* of signers, of TSAs */

struct pile;

#define ALARMS_TOLD 64

struct archive {
	const struct config *cfg;
	const struct anchors *anchors;
	const struct vpolicy *policy;
	struct archive_seams seams;
	enum archive_mode mode;
	struct store *store;
	struct caged *caged;	 /* ARCHIVE_WRITE */
	struct fetcher *fetcher; /* ARCHIVE_WRITE */
	json_t *alarms; /* of this run */
	struct {
		char *text;
		int64_t utc;
	} told[ALARMS_TOLD]; /* the log's newest lines: what a service meets at every look is written once an hour */
	size_t n_told;
	json_t *skipped; /* records whose step can't even be noted: not tried again in this run */
	struct fetch_cache *cache; /* answers of this process's life */
	struct batch *group; /* of steps and renewals that are done; NULL: nothing to commit */
	/* The service's: whoever waits is answered between two groups of long work, and while a child is waited for. */
	enum err_code (*between)(void *ctx, struct err *e);
	void *between_ctx;
	unsigned within;  /* such calls under way, one within the other */
	int listener, spool_events; /* readable when somebody waits there; -1: there are none */
	bool spooling;	  /* the spools are being looked at */
	bool keeping;	  /* a batch of deposits is open */
	bool spool_more;  /* and were left with something in them, so that others have their turn */
	struct slow *slow; /* deposits whose verdict takes long, in the order in which they were met */
	char *slow_last;   /* depositor whose document was judged aside last */
	char stepping[UUID_TEXT]; /* record whose step is under way; "" none */
	bool step_noted;	  /* in ops (table "steps"): a verdict on it takes long, the process may not live to see it */
	bool step_counted;	  /* this process is */
	bool intake_waits; /* at the last look: it was stopped, or there is no room for all */
	uint64_t looks, put_off; /* at the spools; deposits of the last one that wait for a verdict */
	bool crl_first;		   /* the profile under way wants CRLs before OCSP */
	struct pile *tsa_issuers;  /* CA certificates above the TSAs, by AIA */
	struct anchors *own_anchors; /* read anew since the start; NULL = still those of archive_open */
	int64_t anchor_ends[ANCHOR_ENDS]; /* when the last of them ends; TIME_NONE: there are none */
	char trust_set[65];	   /* digest of the anchors in force */
	char judged_to[UUID_TEXT]; /* how far the judging by them came */
};

static inline int64_t
archive_now(const struct archive *a)
{
	return clock_now(&a->seams.clock);
}
/* Memory, the disk: the next record or deposit would meet it as well. Anything else is the trouble of the one at hand. */
static inline bool
is_our_trouble(enum err_code r)
{
	return r == ERR_NOMEM || r == ERR_IO || r == ERR_NOSPACE;
}
/* A line for the operator, also among the run's alarms. */
void archive_alarm(struct archive *a, const char *fmt, ...) PRINTF(2, 3);
bool archive_stopping(const struct archive *a);

/* ---- await.c ---- */

/* Called where no batch is open. Does nothing without a service. */
MUST_USE enum err_code archive_between(struct archive *a, struct err *e);
/* worker_on_wait: others are served until the worker has answered. ctx: the archive. */
MUST_USE enum err_code archive_await(void *ctx, struct worker *w, struct err *e);
/* The same for the worker that judges: a step that takes long is noted, so that one that ends the process is found out. */
MUST_USE enum err_code archive_await_verdict(void *ctx, struct worker *w, struct err *e);
/* What a record's step or renewal wrote, all of it or nothing, into the group under way. Takes *draft whatever it returns. */
MUST_USE enum err_code group_join(struct archive *a, struct batch **draft, struct err *e);
MUST_USE enum err_code group_commit(struct archive *a, struct err *e);
void group_drop(struct archive *a);

/* ---- manifest.c ---- */

/* Newest manifest of a record. full UUID. ERR_NOTFOUND. */
MUST_USE enum err_code manifest_load(struct archive *a, const char *record, json_t **out, struct err *e);
/* Is it still that manifest? */
MUST_USE enum err_code manifest_is_newest(struct archive *a, const char *record, const char *sha256, bool *yes, struct err *e);
/* Any object as JSON (an older manifest). */
MUST_USE enum err_code manifest_load_object(struct archive *a, const uint8_t sha256[32], json_t **out, struct err *e);
/* Copy for the next state: seq + 1, digests of its predecessor, time, fresh salt, no event yet. */
MUST_USE enum err_code manifest_next(struct archive *a, const json_t *prev, json_t **out, struct err *e);
/*
 * Put it into the batch: object, leaf, record row, due row (old one deleted). due = TIME_MAX: none.
 * ref, leaf_index may be NULL.
 */
MUST_USE enum err_code manifest_put(struct archive *a, struct batch *b, json_t *m, const json_t *prev, enum leaf_type type,
    const char *event, int64_t due_utc, const char *due_why, struct store_ref *ref, uint64_t *leaf_index, struct err *e);
const char *manifest_record(const json_t *m);
/* Number of the segments that a record's objects go to. */
int manifest_year(const json_t *m);
json_t *manifest_signature(const json_t *m, size_t i); /* borrowed */
size_t manifest_signatures(const json_t *m);
/* The event digest of a manifest's leaf: SHA-256(salt text, manifest's SHA-256). */
MUST_USE enum err_code manifest_event(const char *salt, const uint8_t sha256[32], uint8_t out[32], struct err *e);
MUST_USE enum err_code uuid_octets(const char *text, uint8_t out[16], struct err *e);
void hex32(const uint8_t in[32], char out[65]);
bool hex32_to(const char *hex, uint8_t out[32]);

/* ---- names.c ---- */

/* May file i of a deposit have its name, beside those before it? ERR_REFUSED with the rule. */
MUST_USE enum err_code deposit_name(const struct deposit *d, size_t i, struct err *e);

/* ---- version.c: a version = the deposited file with inserted ranges ---- */

/* The newest version of original file `file` as a sealed memfd (or the object itself when nothing was inserted). */
MUST_USE enum err_code version_fd(struct archive *a, const json_t *m, size_t file, int version, int *fd, struct err *e);
/* Stream it; rehashed against the manifest's digest (ERR_DAMAGED). */
MUST_USE enum err_code version_write(
    struct archive *a, const json_t *m, size_t file, int version, const struct sink *to, struct err *e);
/* Add a version to m: text inserted at offset of the newest. Puts the inserted octets into the batch. */
MUST_USE enum err_code version_add(struct archive *a, struct batch *b, json_t *m, size_t file, uint64_t offset,
    struct slice text, const json_t *extended, struct err *e);
/* Newest version number of a file, 0 = as deposited. */
int version_newest(const json_t *m, size_t file);

/* A document of a record with its side files, opened; for the cage. */
struct record_doc {
	struct caged_doc doc;
	struct caged_file *side;
	int *fds;
	size_t n_fds;
};
MUST_USE enum err_code record_doc_open(
    struct archive *a, const json_t *m, size_t file, int version, struct record_doc *out, struct err *e);
void record_doc_auto(struct record_doc *d);

/* ---- stamp.c: one token from a TSA ---- */

struct stamp_got {
	bool got;
	json_t *token;	  /* caged_token's answer */
	int64_t retry_utc; /* when not got: ask again then */
	char why[256];
};
void stamp_got_auto(struct stamp_got *s);
/*
 * Ask the TSAs of the profile in order (skipping those whose circuit is open or whose budget is used up) until one
 * gives a token that passes. not_before: genTime of what it follows. avoid: names of TSAs
 * not to be asked (a quorum wants different ones), or NULL. A failure outside is ERR_OK with got == false.
 */
MUST_USE enum err_code stamp_get(struct archive *a, const struct conf_profile *profile, const struct digest *imprint,
    int64_t not_before_utc, const json_t *avoid, struct stamp_got *out, struct err *e);

/* Is there a TSA to be asked now? Spares the work before a stamp where none is. */
bool stamp_possible(struct archive *a, const struct conf_profile *profile, char why[300]);

/* ---- material.c ---- */

/* Octets that answers and closures named, on their way into the store and into a packed material. */
struct pile;
MUST_USE enum err_code pile_new(struct pile **out, struct err *e);
void pile_auto(struct pile **p);
/* kind "cert"|"crl"|"ocsp"; the same object again is fine. url may be NULL. */
MUST_USE enum err_code pile_add(struct pile *p, const char *kind, struct slice der, const char *url, int64_t got_utc, struct err *e);
/* Objects of list that a judged file or token holds itself, by the octets that came with the cage's answer; the rest of list is skipped. */
MUST_USE enum err_code pile_add_named(struct pile *p, const json_t *answer, const json_t *list, struct err *e);
/* From the store: all objects of a JSON list [{ "kind", "sha256" }]; missing ones are an error. */
MUST_USE enum err_code pile_load(struct archive *a, struct pile *p, const json_t *list, struct err *e);
/* Packed for a worker; borrowed until the next change. */
MUST_USE enum err_code pile_packed(struct pile *p, struct slice *out, struct err *e);
/* Into the batch as shared objects; list: [{ "kind", "sha256", "url", "got" }]. */
MUST_USE enum err_code pile_put(struct pile *p, struct batch *b, json_t **list, struct err *e);
size_t pile_count(const struct pile *p);

struct gathered {
	json_t *judge;	     /* last answer of the cage */
	bool complete;	     /* nothing is wanted any more */
	bool enough;	     /* of a token: only the lists of CAs are older than wanted, and still current */
	json_t *denied;	     /* issuer's SHA-256 -> { "cert", "why" }: its responder did not know a certificate, or was not authorised; NULL none */
	json_t *vouched;     /* issuer's SHA-256 -> true: its responder knew a certificate, asked just now; NULL none */
	char why[300];	     /* what is missing, for the state */
	int64_t retry_utc;   /* TIME_NONE: no service said when */
};
void gathered_auto(struct gathered *g);
/* Judge and fetch (network) until nothing is wanted or nothing more comes. All answers go into the pile. */
MUST_USE enum err_code gather(struct archive *a, const struct caged_doc *doc, struct pile *pile, int64_t grace_seconds,
    bool network, struct gathered *out, struct err *e);
/* The same for a token by itself: data newer than newer_than for its whole closure; CRLs first, since they outlive responders. */
MUST_USE enum err_code gather_token(struct archive *a, struct slice token, int64_t newer_than, struct pile *pile,
    struct gathered *out, struct err *e);
/* Fetch what is wanted, all or one kind ("issuer"), into the pile. *added: something new came. */
MUST_USE enum err_code serve_wants(struct archive *a, const json_t *wants, const char *only, struct pile *pile, struct gathered *g,
    bool *added, struct err *e);
void fetch_cache_free(struct fetch_cache *c);

/* ---- tsajob.c: material per TSA certificate ---- */

/* A stamp was taken: the certificate's row, with this token as its representative. */
MUST_USE enum err_code tsa_used(
    struct archive *a, struct batch *b, const json_t *token_answer, const uint8_t token_sha256[32], struct err *e);
/*
 * The material of a TSA certificate: from its row when that holds it, else fetched now (the row is renewed in the batch).
 * objects: [{ "kind", "sha256" }] of the closure, loaded into the pile, NULL when it is lacking; then why says what.
 */
enum tsa_holds {
	TSA_LACKING = 0,
	TSA_ENOUGH, /* the TSA's own data newer than newer_than, the lists above it still current then */
	TSA_NEWER   /* each datum newer */
};
MUST_USE enum err_code tsa_material(struct archive *a, struct batch *b, const char *tsa_sha256, int64_t newer_than,
    struct pile *pile, json_t **objects, enum tsa_holds *holds, char why[300], struct err *e);
/* What the jobs hold for the TSA certificates under a record's stamps joins the pile; nothing is fetched. */
MUST_USE enum err_code tsa_held(struct archive *a, const json_t *m, struct pile *pile, struct err *e);
/* Have it fetched once more soon: a stamp of this certificate was covered by another. */
MUST_USE enum err_code tsa_covered(struct archive *a, struct batch *b, const char *tsa_sha256, struct err *e);
/* Jobs that are due: after first use, monthly, in the last 30 days. *next: earliest coming one, TIME_MAX none. */
MUST_USE enum err_code tsa_jobs(struct archive *a, uint64_t *ran, uint64_t *failed, int64_t *next, struct err *e);

/* ---- service.c: health of outside services in ops ---- */

/* May this service (host or TSA name) be asked now? *retry_utc when not. */
bool service_open(struct archive *a, const char *name, int64_t *retry_utc);
/* What came of asking. class as fetch.h; refused = a bad answer. retry_after -1 none. */
void service_told(struct archive *a, const char *name, const char *kind, enum fetch_class class, const char *why, int64_t retry_after);
/* The operator acted: TSAs that failed are asked again, whatever pause was set. */
void service_forgive(struct archive *a);
/* True while today's budget lasts; take: counts one. budget 0 = no limit. */
bool service_budget(struct archive *a, const char *name, int64_t budget, bool take);
MUST_USE enum err_code service_list(struct archive *a, json_t **out, struct err *e);

/* ---- gate.c ---- */

#define CLOCK_TOLERANCE_S 300
/* ERR_NOSPACE: the disk; ERR_BUSY: clock or anchors are not in order. The text says what and what to do. */
MUST_USE enum err_code gate_open(struct archive *a, struct err *e);
/* Octets that may still be taken in before [service] min_free is reached. */
uint64_t gate_room(const struct archive *a);
/* { "open", "why", "clock_synchronised": "yes"|"no"|"unknown" } */
json_t *gate_json(struct archive *a);
/* The anchors are others than before. */
void gate_anchors(struct archive *a);
/* No stamp is asked for then. */
bool clock_wrong(struct archive *a, char why[300]);
/* A TSA's token was off_seconds ahead of our clock. */
void clock_told(struct archive *a, const char *tsa, int64_t off_seconds);
MUST_USE enum err_code clock_accept(struct archive *a, struct err *e);

/* ---- steps.c ---- */

/*
 * One arrow for a record that is due; everything durable goes into the group under way. *again: call once more after the
 * commit. A record that somebody else changed meanwhile stays as it is, and due.
 */
MUST_USE enum err_code record_step(struct archive *a, const char *record, bool *again, struct err *e);
/* Signatures of a judged document as they enter a manifest. */
MUST_USE enum err_code signatures_of(struct archive *a, const struct conf_profile *profile, size_t file, const json_t *judge, int64_t now, json_t *signatures,
    struct err *e);
/* A piece of evidence of a new stamp: in the manifest, its class, and for an archive stamp the row that sweeps go by. */
MUST_USE enum err_code evidence_add(struct archive *a, struct batch *b, json_t *m, size_t signature, const char *kind,
    const json_t *token_answer, const char *token_sha256, struct err *e);
/* Deadline of a class by the catalogue in force. */
MUST_USE enum err_code class_deadline(struct archive *a, const char *class_hex, struct deadline *out, struct err *e);
void evidence_row_key(struct buf *out, const char *class_hex, const char *record, size_t signature);
/*
 * One renewal: validation data that came since, then an ArchiveTimeStamp. late: after the deadline; told in the evidence.
 * *renewed false: why; the record is unchanged.
 */
MUST_USE enum err_code record_renew(struct archive *a, const char *record, size_t signature, bool late,
    bool *renewed, char why[300], struct err *e);

/* ---- trust.c ---- */

/* The anchors as an object with a leaf, when they are others than last time. */
MUST_USE enum err_code trust_note(struct archive *a, struct err *e);
/* lost.c: losses as alarms, with their number as "lost_alarms" in summary; as entries of the log. */
MUST_USE enum err_code lost_alarms(struct archive *a, json_t *summary, struct err *e);
MUST_USE enum err_code lost_note(struct archive *a, struct err *e);
/* rules.c: the same for configuration, policy and catalogue. */
MUST_USE enum err_code rules_note(struct archive *a, struct err *e);
/* Records that wait for an anchor are judged by the set in force, some at a time. *more: call again. */
MUST_USE enum err_code trust_judge(struct archive *a, bool *more, struct err *e);
/* A signature of it has met no anchor yet. */
bool trust_may_change(const json_t *m);
/* Other anchors from now on, owned by the archive; the worker gets them too. */
MUST_USE enum err_code archive_anchors(struct archive *a, struct anchors *fresh, struct err *e);

/* The depositor is to hear of this state: into the group that makes it. */
MUST_USE enum err_code news_owe(struct batch *b, const json_t *m, struct err *e);
/* What is owed, to done/X.status.json. */
MUST_USE enum err_code archive_news(struct archive *a, struct err *e);

/* ---- deposit.c ---- */
/* archive_deposit; ready, when not NULL, is asked before the group is written. False: nothing is kept, ERR_BUSY. */
MUST_USE enum err_code deposit_when(
    struct archive *a, struct deposit *deposits, size_t n, bool (*ready)(void *ctx), void *ctx, struct err *e);

/* ---- receipt ---- */

/* Receipt of a committed deposit: its first manifest, leaf, proof, checkpoint (docs/verbs.md). */
MUST_USE enum err_code receipt_make(
    struct archive *a, const json_t *m, const struct store_ref *manifest, uint64_t leaf, json_t **out, struct err *e);
/* Which manifest and leaf a receipt is made of; goes into the deposit's own batch. */
MUST_USE enum err_code receipt_remember(
    struct batch *b, const char *record, const struct store_ref *manifest, uint64_t leaf, struct err *e);
/* Are the originals that it names there, with their digest? One that was not given out yet must not promise what a disk has lost. */
MUST_USE enum err_code receipt_true(struct archive *a, const json_t *receipt, struct err *e);
/* The receipt of a record that is here, with today's checkpoint. ERR_NOTFOUND: no such record. */
MUST_USE enum err_code receipt_again(struct archive *a, const char *record, json_t **out, struct err *e);

#endif
