/* SPDX-License-Identifier: MIT */
/*
 * A folder being filled with files whose digests are listed at its end.
 *
 *	bundle_open(dir) -> bundle_put / bundle_create ... -> bundle_close: SHA256SUMS
 *
 * Names are relative, with '/'; folders are made as needed. Nothing that is there already is replaced. Without its
 * SHA256SUMS a folder is an export that did not end.
 */
#ifndef EVERSEAL_ARCHIVER_BUNDLE_H
#define EVERSEAL_ARCHIVER_BUNDLE_H

#include "base/json.h"

struct bundle {
	int dir;
	json_t *names; /* of the files so far */
};

/* The folder is made, or is empty: else ERR_EXISTS. */
MUST_USE enum err_code bundle_open(const char *dir, struct bundle *out, struct err *e);
void bundle_auto(struct bundle *b);
/* A new file for writing; the descriptor is the caller's, closed before bundle_close. ERR_REFUSED: the name leads outside. */
MUST_USE enum err_code bundle_create(struct bundle *b, const char *name, int *fd, struct err *e);
/* A whole file. */
MUST_USE enum err_code bundle_put(struct bundle *b, const char *name, struct slice octets, struct err *e);
/* Indented, for people to read. */
MUST_USE enum err_code bundle_put_json(struct bundle *b, const char *name, const json_t *j, struct err *e);
/* base64 of DER as one PEM certificate each, one behind the other. */
MUST_USE enum err_code bundle_put_pem(struct bundle *b, const char *name, const json_t *certs, struct err *e);
/* Take a file back. */
MUST_USE enum err_code bundle_remove(struct bundle *b, const char *name, struct err *e);
/* Every file read once more, SHA256SUMS written in the form that sha256sum -c reads. */
MUST_USE enum err_code bundle_close(struct bundle *b, struct err *e);

/* What travels in every bundle, part of the program: text of imprint.py, check.sh, README.txt. False behind the last. */
bool carried_file(size_t i, const char **name, struct slice *text);

#endif
