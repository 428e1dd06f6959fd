/* SPDX-License-Identifier: MIT */
/*
 * HTTP by a child process of its own (role net): main opens no socket to the
 * world. Only addresses that the configuration allows are connected to,
 * checked at connect time; redirects are followed by us, each target checked.
 */
#ifndef EVERSEAL_ARCHIVER_FETCH_H
#define EVERSEAL_ARCHIVER_FETCH_H

#include "base/bytes.h"
#include "policy/policy.h"

/* Error classes of tsp-ocsp-crl 7.1: what happens next. */
enum fetch_class {
	FETCH_OK = 0,
	FETCH_RETRY,	 /* transient: back off */
	FETCH_ALTERNATE, /* next URL or service now */
	FETCH_REFUSED,	 /* a bad answer: do not use, count */
	FETCH_CONFIG,	 /* stop using the service until the operator acts */
	FETCH_LOCAL	 /* our own trouble: nothing lost, stop */
};
const char *fetch_class_name(enum fetch_class c); /* "ok", "retry" ... */

enum fetch_type { FETCH_TSP = 1, FETCH_OCSP, FETCH_CRL, FETCH_CERT };

struct fetch_request {
	enum fetch_type type;
	const char *method, *url; /* GET or POST, http or https */
	struct slice body;
	/* Credentials of a configured service; NULL = none. */
	const char *user, *password, *header_file, *client_cert, *client_key, *ca_file;
	bool configured; /* the URL stands in the configuration: a refused log-in is the operator's to mend. Its address needs allow_net like any other */
};

struct fetch_answer {
	enum fetch_class class;
	long http_status;     /* 0: none came */
	char why[256];	      /* for people */
	char address[64];     /* that answered */
	char content_type[96];
	int64_t retry_after_seconds; /* -1 none; capped at a day */
	struct buf body;      /* complete, within the cap of its type */
};
void fetch_answer_release(struct fetch_answer *a);
void fetch_answer_auto(struct fetch_answer *a);

struct fetcher;
/* Forks the net process. cfg is borrowed; uncaged only by explicit flag. */
MUST_USE enum err_code fetcher_start(const struct config *cfg, bool uncaged, struct fetcher **out, struct err *e);
/* One exchange; ERR_OK with a class for whatever happened outside, an error only for our own trouble. */
MUST_USE enum err_code fetch(struct fetcher *f, const struct fetch_request *req, struct fetch_answer *out, struct err *e);
/* While an exchange is waited for, wait may serve others (worker_on_wait). */
struct worker;
void fetcher_on_wait(struct fetcher *f, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx);
void fetcher_free(struct fetcher *f);
void fetcher_auto(struct fetcher **f);

#endif
