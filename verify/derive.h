/* SPDX-License-Identifier: MIT */
/* Private to the judge: derivations of what it found passed. */
#ifndef EVERSEAL_VERIFY_DERIVE_H
#define EVERSEAL_VERIFY_DERIVE_H

#include "verify/judge.h"

/*
 * For every PASSED of the report, time-stamps and signatures, a derivation into report->proof, accepted by a fresh checker.
 * What is not accepted is INDETERMINATE from here on, with the finding ProofChecked, and counted in report->unproven.
 */
void judge_prove(struct judge *j);
/* The same for a token by itself. */
void judge_prove_token(struct judge *j, struct jstamp *t, struct slice token);

#endif
