/* SPDX-License-Identifier: MIT */
/* The cage itself, shared by worker.c and cage.c. */
#ifndef EVERSEAL_BASE_CAGE_INT_H
#define EVERSEAL_BASE_CAGE_INT_H

#include "base/worker.h"

/*
 * Drop the rights of this process for good: no new privileges, resource limits,
 * Landlock where there is one, seccomp last. Call with no other thread running. *out says what holds.
 * ERR_UNSUPPORTED when seccomp can't be had; the process must end then.
 */
MUST_USE enum err_code cage_close(const struct worker_spec *spec, struct cage_status *out, struct err *e);

#endif
