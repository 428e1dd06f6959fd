/* SPDX-License-Identifier: MIT */
/* Between bundle_check.c (is the bundle whole?) and bundle.c (what its documents are worth, and what is said). */
#ifndef EVERSEAL_BUNDLE_H
#define EVERSEAL_BUNDLE_H

#include "tools/tools.h"

/* One bundle under way. All but dir and shown is made by bundle_check; owned. */
struct checking {
	int dir;
	const char *shown;
	json_t *faults; /* texts */
	json_t *listed; /* name -> digest */
	json_t *newest; /* the last manifest; NULL when there is none to rely on */
	json_t *log;	/* what is told of the log */
	json_t *material; /* [ { "kind", "path" } ] */
	size_t n_manifests;
	bool key_differs; /* the checkpoint is not signed by the key that was given: neither right nor wrong */
};

void checking_auto(struct checking *c);
/* dir, shown set by the caller. What is wrong with the bundle goes into faults; an error is trouble of our own. */
MUST_USE enum err_code bundle_check(struct checking *c, const char *log_key, struct err *e);
/* An error about the bundle's content becomes a fault of it and ERR_OK; trouble of our own stays an error. */
MUST_USE enum err_code fault_or_error(struct checking *c, const char *what, struct err *e);
const char *member(const json_t *j, const char *key); /* "" when missing */

#endif
