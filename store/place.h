/* SPDX-License-Identifier: MIT */
/*
 * A place keeps immutable objects by name: replicas of groups and sealed
 * segments. A directory now; an object store with retention locks later.
 * Contract and names: docs/place.md.
 */
#ifndef EVERSEAL_STORE_PLACE_H
#define EVERSEAL_STORE_PLACE_H

#include "base/bytes.h"

#define PLACE_NAME_MAX 200 /* segments of [A-Za-z0-9._-] joined by '/'; none empty, "." or ".." */

struct place_each {
	enum err_code (*item)(void *ctx, const char *name, uint64_t size_bytes, bool *stop, struct err *e);
	void *ctx;
};

/* One kind of place. Every function may give ERR_REMOTE (try later), ERR_IO, ERR_NOSPACE. */
struct place_ops {
	const char *kind;
	/*
	 * Durable on ERR_OK; before that no other call sees anything under the name. ERR_EXISTS: the name is taken; it is
	 * never overwritten (the caller compares if it must know).
	 */
	enum err_code (*put)(void *ctx, const char *name, const struct source *from, struct err *e);
	/* [off, off + n) of an object into the sink. ERR_NOTFOUND; ERR_USAGE when the range leaves the object. */
	enum err_code (*get_range)(void *ctx, const char *name, uint64_t off, uint64_t n, const struct sink *to, struct err *e);
	/* Names that start with prefix, in octet order; nothing half-written. */
	enum err_code (*list)(void *ctx, const char *prefix, const struct place_each *each, struct err *e);
	/* ERR_NOTFOUND when it was not there; ERR_REFUSED while a retention lock holds it. Durable on ERR_OK. */
	enum err_code (*remove)(void *ctx, const char *name, struct err *e);
	void (*close)(void *ctx);
};

struct place {
	const struct place_ops *ops;
	void *ctx;
};

/* A directory that is there already. place_close when done. */
MUST_USE enum err_code place_dir_open(const char *path, struct place *out, struct err *e);
void place_close(struct place *p);
void place_auto(struct place *p); /* AUTO(place) struct place p = {0}; */
/* True for a name that a place must take. */
bool place_name_ok(const char *name);

#endif
