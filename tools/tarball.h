/* SPDX-License-Identifier: MIT */
/* A folder as one file. Apart from tools.h, since libarchive has a struct archive of its own. */
#ifndef EVERSEAL_TOOLS_TARBALL_H
#define EVERSEAL_TOOLS_TARBALL_H

#include "base/err.h"

/*
 * Write folder dir as a pax tar: members NAME/..., in octet order, mode 0644 and 0755, no owner, time 0: the same folder
 * gives the same octets. Regular files and folders only. ERR_EXISTS: path is taken. What was begun is removed on failure.
 */
MUST_USE enum err_code tarball_write(const char *dir, const char *name, const char *path, struct err *e);
/* The folder and all in it. */
void tarball_remove(const char *dir);

#endif
