/* SPDX-License-Identifier: MIT */
/* verify --extract: the octets that each reference covered, a file each, in a folder that holds none of these names yet. */
#ifndef EVERSEAL_TOOLS_EXTRACT_H
#define EVERSEAL_TOOLS_EXTRACT_H

#include "tools/tools.h"

#define EXTRACT_BYTES ((uint64_t)1 << 30) /* of all references of a document together */

struct extract {
	const char *shown; /* the folder as it was given; NULL: nothing is extracted */
	int dir, fd;	   /* fd: where the worker writes to; it has no name */
};
void extract_release(struct extract *x);
/* The folder is made if it is not there. */
MUST_USE enum err_code extract_open(const char *dir, struct extract *x, struct err *e);
/*
 * What the worker wrote into fd becomes files, as "extracted" of document's references says; afterwards that names the file.
 * ERR_EXISTS: a name is taken, and nothing was written.
 */
MUST_USE enum err_code extract_files(const struct extract *x, const json_t *document, struct err *e);
/* Which file is which reference of which signature, and whether it was intact. */
void extract_text(const struct extract *x, const json_t *document, struct buf *out);

#endif
