/* SPDX-License-Identifier: MIT */
/* Deposits whose verdict takes long: how far they came, what goes on aside, how often it failed (slow.c). */
#ifndef EVERSEAL_ARCHIVER_SLOW_H
#define EVERSEAL_ARCHIVER_SLOW_H

#include "archiver/archiver_int.h"

#define SLOW_BUDGET_MS 500 /* of a depositor in one look */
#define SLOW_TRIES 2

struct slow {
	struct slow *next;
	char record[UUID_TEXT];
	char *depositor;
	uint64_t look;		/* that saw its claim last */
	uint8_t content[32];	/* of the files that the rest speaks of */
	json_t *originals, *signatures; /* of the manifest, so far; NULL: nothing is judged yet */
	size_t file;		/* the next one */
	bool with_side;		/* it is judged with the files beside it */
	struct err refusal;	/* of one before it */
	struct caged_call *call; /* its question, under way aside */
	bool aside, counted;	/* judged aside only; the try under way is counted */
	unsigned tries;
};

/* That of a claim, which was seen; made if need be, or if a process before this one failed with it. NULL: there is none, or no memory. */
struct slow *slow_of(struct archive *a, const char *record, const char *depositor, bool make);
/* Its deposit is answered. */
void slow_forget(struct archive *a, const char *record);
/* A look begins: what was not seen for some has gone. */
void slow_look(struct archive *a);
/* What is under way is dropped and will begin anew: other anchors, or the end of the process. */
void slow_interrupt(struct archive *a);
void slow_free(struct archive *a);

/* The worker that works aside; -1 none. */
int slow_fd(const struct archive *a);
bool slow_ready(const struct archive *a);
void slow_wait(const struct archive *a, int ms);

/* Nothing can be done for this claim now. */
bool slow_waits(struct archive *a, const char *record, const char *depositor);
/* May its next file be asked about? Then the answer is told by slow_judged, or the question left by slow_left. */
bool slow_may_begin(struct archive *a, struct slow *s);
void slow_left(struct archive *a, struct slow *s, struct caged_call *call);
void slow_judged(struct archive *a, struct slow *s, bool fell);

#endif
