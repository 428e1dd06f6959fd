/* SPDX-License-Identifier: MIT */
/* Between steps.c (the arrows up to waiting), complete.c (C to A and closing) and renew.c: one signature under way. */
#ifndef EVERSEAL_ARCHIVER_STEPS_H
#define EVERSEAL_ARCHIVER_STEPS_H

#include "archiver/archiver_int.h"

struct walk {
	struct archive *a;
	struct batch *b;
	json_t *m; /* the next manifest, being written */
	json_t *s; /* its signature, borrowed from m */
	size_t number, file, index; /* of the signature in the record; its file; its index in that file */
	const struct conf_profile *profile;
	struct record_doc doc; /* newest version */
	const json_t *avoid;   /* names of TSAs not to be asked now */
};
MUST_USE enum err_code walk_open(struct archive *a, struct batch *b, json_t *m, size_t number, struct walk *w, struct err *e);
void walk_auto(struct walk *w);
MUST_USE enum err_code walk_put(struct archive *a, struct batch *b, json_t *m, const json_t *prev, enum leaf_type type,
    const char *event, bool *again, struct err *e);
MUST_USE enum err_code record_join(struct archive *a, const json_t *m, struct batch **draft, struct err *e);
MUST_USE enum err_code walk_stamp(struct walk *w, const json_t *add, const char *kind, struct pile *pile, int64_t not_before,
    struct stamp_got *out, struct err *e);
MUST_USE enum err_code walk_insert(struct walk *w, const json_t *add, struct pile *pile, struct err *e);
MUST_USE enum err_code walk_token(struct walk *w, const char *kind, const json_t *token, struct err *e);
/* An archive stamp stands: state, quorum round, what comes next. */
MUST_USE enum err_code walk_archived(struct walk *w, const json_t *token, bool first, struct err *e);
MUST_USE enum err_code walk_later(struct walk *w, int64_t retry, const char *why, struct err *e);
/* { "do": what, key: value }; value is stolen. */
MUST_USE enum err_code add_do(json_t *add, const char *what, const char *key, json_t *value, struct err *e);

const char *sig_str(const json_t *s, const char *key); /* "" when missing */
bool sig_is(const json_t *s, const char *key, const char *value);
int64_t sig_time(const json_t *s, const char *key); /* TIME_NONE when missing */
MUST_USE enum err_code sig_go(json_t *s, const char *state, int64_t due, const char *why, struct err *e);
MUST_USE enum err_code sig_verdict(json_t *s, const json_t *judge, size_t index, struct err *e);
/* As it would enter the archive now, by this judge: path, target, verdict, state. What was done for it stays. */
MUST_USE enum err_code sig_anew(struct walk *w, const json_t *judge, struct err *e);
/* sig_anew by what the archive holds today; trust.c. */
MUST_USE enum err_code sig_judge_again(struct archive *a, struct batch *b, json_t *m, size_t i, struct err *e);
MUST_USE enum err_code sig_step(struct walk *w, struct err *e);

/* hold.c */
/* A responder denied a certificate and nothing else speaks for it: its issuer is watched or held. */
MUST_USE enum err_code hold_denied(struct walk *w, const struct gathered *g, struct err *e);
/* Responders that gave good answers just now: their issuers are neither any more. */
MUST_USE enum err_code hold_vouched(struct walk *w, const struct gathered *g, struct err *e);
/* Is an issuer in this closure on hold? */
MUST_USE enum err_code hold_of(struct walk *w, const json_t *closure, bool *held, struct err *e);

/* complete.c */
MUST_USE enum err_code arrow_complete(struct walk *w, struct err *e); /* waiting, quarantined -> completing */
MUST_USE enum err_code arrow_archive(struct walk *w, struct err *e);  /* completing -> archived */
MUST_USE enum err_code arrow_quorum(struct walk *w, struct err *e);   /* one more archive stamp, by a TSA not asked yet */
MUST_USE enum err_code arrow_close(struct walk *w, struct err *e);    /* archived -> closed */
/* sliding.c */
MUST_USE enum err_code arrow_slide(struct walk *w, struct err *e); /* closed, under the strict reading of freshness */

#endif
