/* SPDX-License-Identifier: MIT */
/* The run that the crash tests record: a store, and GROUPS groups of deposits with octets that follow from numbers. */
#ifndef EVERSEAL_TESTS_CRASHWORK_H
#define EVERSEAL_TESTS_CRASHWORK_H

#include "tests/crashdisk.h"

#include "store/store.h"

#define T0 INT64_C(1767225600)
#define GROUPS 14
#define WORK_END "closed\n" /* acknowledged behind the last group when the run closes its store */

/* At T0, with randomness that repeats. */
struct store_seams work_seams(void);
/* Deposit i of group g: its octets; every third group has a large one. */
void octets_of(int g, int i, struct buf *out);
int deposits_of(int g);
/* The key of its row in table "deposit"; the value is its SHA-256. */
void row_key(int g, int i, char out[32]);
/* Group g as one batch; at_commit: it came so far. */
MUST_USE enum err_code one_group(struct store *s, int g, bool *at_commit, struct err *e);

enum work_flags {
	WORK_KEEP_KV = 1, /* index and ops as they are after each group: kv_path */
	WORK_CLOSE = 2,	  /* the store is closed at the end */
};
/*
 * The body of the recorded program. Makes a store and GROUPS groups, tells each on the ack file; closed once on the
 * way. After a failure it does what a caller would: opens again, goes on with the next. Its exit code.
 */
int work(const char *dir, const char *ack, unsigned flags);
/* Folder of the copies made after group g; GROUPS: after the end. */
void kv_path(const char *ack, int g, char out[400]);
/* The same in a program of its own ("--work DIR ACK FLAGS") under the recorder. fail_at 0: no call fails. */
int work_run(const struct lab *l, unsigned flags, bool record, bool nosync, int fail_at, int fail_errno);
/* What the ack file, or one write to it, says. closed may be NULL. */
void work_hear(struct slice acks, bool acked[GROUPS], bool *any, bool *closed);

#endif
