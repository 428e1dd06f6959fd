/* SPDX-License-Identifier: MIT */
/* Frames and cage: what worker.c, frame.c and cage.c share (docs/worker.md). */
#ifndef EVERSEAL_BASE_WORKER_INT_H
#define EVERSEAL_BASE_WORKER_INT_H

#include "base/worker.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_SANITIZED 1
#else
#define WORKER_SANITIZED 0
#endif

#define FRAME_OWN_TYPES 0x80000000u /* from here on ours */
#define FRAME_READY 0xfffffffeu
#define FRAME_ERROR 0xffffffffu
#define FRAME_HEAD 8
#define NO_DEADLINE INT64_MAX

/* One frame as received. Body and descriptors belong to it until frame_clear. */
struct frame {
	uint32_t type;
	struct buf body;
	int fds[WORKER_FDS];
	size_t nfds;
};
void frame_clear(struct frame *f); /* memory of the body is kept */
void frame_release(struct frame *f);

/*
 * deadline_ms: on sys_monotonic_ms, or NO_DEADLINE. ERR_BUSY: the deadline passed;
 * ERR_NOTFOUND: the other end is gone; ERR_LIMIT: over max_bytes; ERR_FORMAT: not a frame.
 */
MUST_USE enum err_code frame_send(int sock, uint32_t type, struct slice body, const int *fds, size_t nfds,
    int64_t deadline_ms, struct err *e);
/* with_fds: take descriptors; otherwise the kernel drops them. */
MUST_USE enum err_code frame_recv(
    int sock, size_t max_bytes, bool with_fds, int64_t deadline_ms, struct frame *out, struct err *e);

/*
 * Drop the rights of this process for good: no new privileges, resource limits,
 * Landlock where there is one, seccomp last. Call with no other thread running.
 * *out says what holds. ERR_UNSUPPORTED when seccomp can't be had; the process
 * must end then. CAGE_NONE sets the resource limits only.
 */
MUST_USE enum err_code cage_close(const struct worker_spec *spec, struct cage_status *out, struct err *e);
/* Landlock only. ERR_OK with *abi 0 when the kernel has none. */
MUST_USE enum err_code landlock_close(const struct worker_spec *spec, int *abi, struct err *e);
int landlock_abi(void);

#endif
