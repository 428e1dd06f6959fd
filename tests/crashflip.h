/* SPDX-License-Identifier: MIT */
/* One damaged disk, the verbs tried on it, and what must be true after each. */
#ifndef EVERSEAL_TESTS_CRASHFLIP_H
#define EVERSEAL_TESTS_CRASHFLIP_H

#include "tests/crashimage.h"
#include "tests/crashwork.h"

#define DEPOSITS_MAX 64

/* What was acknowledged when the disk was left as it is. */
struct heard {
	bool acked[GROUPS], any, closed;
	const struct op *op; /* the last call before */
};

struct flipped {
	uint64_t number, seed;
	struct image image; /* damaged */
	struct blow blow;
	bool acked[GROUPS];
	bool committed; /* nothing on it is behind the last group, and none of it is missing */
	char disk[120]; /* in words: what the crash left, which index */
	char told[120]; /* what was struck */
	/* Octets of each deposit that must stay in the folder: as given if they are there, else as damaged; none: n = 0. */
	struct buf keep[DEPOSITS_MAX];
	bool sound[DEPOSITS_MAX]; /* they are as given */
};
/* State number q after the calls played into d; built: a folder to work in. False: nothing to damage. */
bool flip_make(struct flipped *x, const struct disk *d, const struct heard *h, const char *ack, const char *built, uint64_t seed,
    uint64_t q);
void flip_release(struct flipped *x);

enum fault {
	DIED,	     /* a verb ended by a signal, or hung */
	UNTOLD,	     /* an acknowledged deposit is not there, and nothing says so */
	DESTROYED,   /* its octets are no longer in the folder */
	WORSE,	     /* it came out before a verb, not after */
	KEPT_BACK,   /* one place is damaged, the deposit's octets are whole, but it does not come out */
	BLIND,	     /* something does not come out, and scrub --full, log verify and status call all well */
	UNSEEN,	     /* scrub --full as first verb and status call all well on a damaged archive */
	FALSE_ALARM, /* a mere crash is told as damage */
	FAULTS
};
extern const char *const fault_name[FAULTS];

struct seen {
	bool any;
	bool out[DEPOSITS_MAX];
};
struct result {
	unsigned faults; /* bits */
	char text[FAULTS][300];
	char step[120];	   /* what is being done */
	struct seen first; /* after the first verb */
	size_t whole, told, closed;
};
struct flip_try_kind {
	const char *name;
	int verb, condition;
};
extern const struct flip_try_kind flip_tries[];
extern const int flip_n_tries;
/* The k-th way to begin; the first one is `get`, before: what came out by it. Written to *r as it goes. */
void flip_try(const struct flipped *x, int k, const char *dir, const struct seen *before, struct result *r);

#endif
