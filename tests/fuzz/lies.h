/* SPDX-License-Identifier: MIT */
/* Answers of children, in a row: kind (1 octet), length (4), octets. record.c writes them, f_lies.c gives them back. */
#ifndef EVERSEAL_TESTS_LIES_H
#define EVERSEAL_TESTS_LIES_H

#include "base/worker.h"

enum err_code __real_worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms,
    struct buf *reply, struct err *e);
enum err_code __wrap_worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms,
    struct buf *reply, struct err *e);

/* Which child, and what it was asked: a request to the judge is a length and JSON, one to the net process is none. */
static inline uint8_t
lie_kind(uint32_t type, struct slice body)
{
	return (uint8_t)(type & 0x7f) | (body.n > 4 && body.p[4] == '{' ? 0 : 0x80);
}

#endif
