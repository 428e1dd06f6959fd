/* SPDX-License-Identifier: MIT */
/*
 * The derivation of a PASSED, and its checker (docs/proof.md has the rules).
 *
 * proof_check computes each line again from the octets, the material and the policy of the case. It believes nothing that
 * a derivation says, and searches for nothing; the same case and derivation give the same answer.
 */
#ifndef EVERSEAL_VERIFY_PROOF_H
#define EVERSEAL_VERIFY_PROOF_H

#include "verify/case.h"

/*
 * A checker takes lines one by one; what it took may be cut again. For whoever makes a derivation, and for proof_check.
 * proof_take: does line n of p hold, the lines before it taken already? False: why() says what does not.
 */
struct proof_checker;
MUST_USE enum err_code proof_checker_new(const struct proof_case *c, struct proof_checker **out, struct err *e);
void proof_checker_free(struct proof_checker *k);
bool proof_take(struct proof_checker *k, const struct proof *p);
void proof_untake(struct proof_checker *k, size_t n);
const char *proof_why(const struct proof_checker *k);
/* The whole: a fresh checker, every line in order, none idle. False: *bad is the line, why (size n) says what does not hold. */
bool proof_check(const struct proof_case *c, const struct proof *p, size_t *bad, char *why, size_t n);

#endif
