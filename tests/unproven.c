/* SPDX-License-Identifier: MIT */
/*
 * A program with a defect: its checker accepts no derivation (the linker sends proof_check here). t_unproven.sh runs it, so
 * that what a defect of ours would do to verdicts, exit codes and alarms is seen before there is one.
 */
#include "verify/verify.h"

#include <stdio.h>

struct proof_case;
bool __wrap_proof_check(const struct proof_case *c, const struct proof *p, size_t *bad, char *why, size_t n);

bool
__wrap_proof_check(const struct proof_case *c, const struct proof *p, size_t *bad, char *why, size_t n)
{
	(void)c;
	(void)p;
	*bad = 0;
	snprintf(why, n, "line 0: the test has it so");
	return false;
}
