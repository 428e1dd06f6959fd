/* SPDX-License-Identifier: MIT */
/* Between libFuzzer and the entries: FUZZ_ENTRY names the one. */
#include "tests/fuzz/fuzz.h"

#include "base/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct fuzz_entry *entry;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_ENTRY");

	if (*argc == 2 && strcmp((*argv)[1], "--list") == 0)
		exit(fuzz_list());
	entry = name != NULL ? fuzz_find(name) : NULL;
	xml_init();
	if (entry == NULL || (entry->open != NULL && !entry->open())) {
		fprintf(stderr, "FUZZ_ENTRY: no entry \"%s\", or it does not open\n", name != NULL ? name : "");
		exit(2);
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	entry->one(slice_of(p, n));
	return 0;
}
