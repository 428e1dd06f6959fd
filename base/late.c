/* SPDX-License-Identifier: MIT */
#include "base/late.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool
load(struct late *l)
{
	if (l->handle == NULL)
		l->handle = dlopen(l->soname, RTLD_LAZY | RTLD_LOCAL);
	return l->handle != NULL;
}

enum err_code
late_load(struct late *l, struct err *e)
{
	return load(l) ? ERR_OK : err_set(e, ERR_UNSUPPORTED, "%s", dlerror());
}

void *
late_symbol(struct late *l, const char *name)
{
	void *symbol = load(l) ? dlsym(l->handle, name) : NULL;

	if (symbol == NULL) {
		fprintf(stderr, "everseal: %s\n", dlerror());
		abort();
	}
	return symbol;
}
