/* SPDX-License-Identifier: MIT */
/*
 * Libraries that few commands need, loaded when they are needed instead of with the program: libcurl brings thirty others
 * along, which every start would map, bind and fork, and which have no business in the memory of a worker that parses.
 *
 *	static struct late zoo = {.soname = "libzoo.so.1"};
 *	#define zoo_open LATE(&zoo, zoo_open)           // of zoo.h's type
 *	if (late_load(&zoo, e) != ERR_OK)               // in a child: before its cage closes
 *		return err_wrap(e, "zoo");
 *	z = zoo_open("x");
 */
#ifndef EVERSEAL_BASE_LATE_H
#define EVERSEAL_BASE_LATE_H

#include "base/err.h"

struct late {
	const char *soname;
	void *handle; /* once loaded, for good */
};
/* ERR_UNSUPPORTED with the loader's reason. Again does no harm. */
MUST_USE enum err_code late_load(struct late *l, struct err *e);
/* Ends the program when the library, or in it the symbol, is not there: late_load is asked first, where there is a way to say so. */
void *late_symbol(struct late *l, const char *name);
#define LATE(library, function) ((__typeof__(&function))late_symbol((library), #function))

#endif
