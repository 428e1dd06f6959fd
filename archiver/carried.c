/* SPDX-License-Identifier: MIT */
/* The files that every bundle carries, put into the program as they stand, so that an installed one needs nothing beside it. */
#include "archiver/bundle.h"

#define CARRY(symbol, path) \
	__asm__(".section .rodata\n" \
		".hidden " #symbol "\n.hidden " #symbol "_end\n" \
		".globl " #symbol "\n.globl " #symbol "_end\n" #symbol ":\n" \
		".incbin \"" path "\"\n" #symbol "_end:\n.byte 0\n" \
		".previous\n"); \
	extern const uint8_t symbol[], symbol##_end[]

CARRY(carried_imprint, "tools/imprint.py");
CARRY(carried_check, "tools/check.sh");
CARRY(carried_readme, "tools/README.bundle");

bool
carried_file(size_t i, const char **name, struct slice *text)
{
	static const struct {
		const char *name;
		const uint8_t *from, *to;
	} rows[] = {{"imprint.py", carried_imprint, carried_imprint_end}, {"check.sh", carried_check, carried_check_end},
	    {"README.txt", carried_readme, carried_readme_end}};

	if (i >= sizeof(rows) / sizeof(rows[0]))
		return false;
	*name = rows[i].name;
	*text = slice_of(rows[i].from, (size_t)(rows[i].to - rows[i].from));
	return true;
}
