/* SPDX-License-Identifier: MIT */
/* Between fetch.c (main) and net.c (the net process). */
#ifndef EVERSEAL_ARCHIVER_FETCH_INT_H
#define EVERSEAL_ARCHIVER_FETCH_INT_H

#include "archiver/fetch.h"

MUST_USE enum err_code net_warm_up(void *ctx, struct err *e);
/* worker_spec.handle; ctx is the const struct config. */
MUST_USE enum err_code net_handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds,
    struct buf *reply, struct err *e);
/* What net_handle answered, as main reads it: *a is filled in. */
MUST_USE enum err_code fetch_answer_read(struct slice in, struct fetch_answer *a, struct err *e);
int64_t net_timeout_ms(const struct config *cfg, enum fetch_type type);

#endif
