/* SPDX-License-Identifier: MIT */
/*
 * A child process in a cage that answers requests one after the other.
 * docs/worker.md has the frames and what each role may do.
 *
 *	struct worker_spec spec = {.name = "judge", .role = CAGE_WORKER, .handle = judge_handle};
 *	AUTO(worker) struct worker *w = NULL;
 *	if (worker_start(&spec, &w, e) != ERR_OK)
 *		return err_wrap(e, "start");
 *	if (worker_call(w, JUDGE_DOCUMENT, body, &fd, 1, 60000, &reply, e) != ERR_OK)
 *		...                     // a handler's own error, or the child's end; the next call has a new child
 *
 * The child is forked, runs its warm-up, closes the cage, and only then reads its
 * first request. One request is under way at a time. Large inputs travel as
 * descriptors (read-only files, sealed memfds); large outputs go into a memfd
 * that the caller passes.
 */
#ifndef EVERSEAL_BASE_WORKER_H
#define EVERSEAL_BASE_WORKER_H

#include "base/bytes.h"

/* CAGE_NONE only where an operator asked for it by an explicit flag. */
enum cage_role {
	CAGE_WORKER = 0, /* reads the descriptors it was passed; no open, socket, exec, fork */
	CAGE_NET,	 /* sockets to the world; opens listed paths for reading; writes no file, no exec */
	CAGE_NONE
};

/* 0 = the default in brackets. */
struct worker_limits {
	size_t memory_bytes; /* address space on top of what the child has when the cage closes [2 GiB]; not under sanitizers */
	unsigned cpu_s;	     /* processor seconds of one request [120] */
	size_t frame_bytes;  /* one request or reply without its header [64 MiB, hard 1 GiB] */
	size_t file_bytes;   /* size to which a passed memfd or file can be written [1 GiB] */
};
#define WORKER_FDS 16 /* descriptors in one request */

struct worker_spec {
	const char *name; /* stands in error texts; borrowed for the worker's life, as all pointers here */
	enum cage_role role;
	/*
	 * In the child, before the cage closes, after worker_warm_up_base: whatever opens a file or
	 * a library lazily. May be NULL. An error ends the child and comes out of worker_start.
	 */
	enum err_code (*warm_up)(void *ctx, struct err *e);
	/*
	 * In the child, in the cage: one request. fds are closed afterwards. reply is empty at
	 * the start; what it holds on ERR_OK is the answer. An error goes to the caller with
	 * code and text; after ERR_NOMEM and ERR_BUG the child ends, too.
	 */
	enum err_code (*handle)(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds,
	    struct buf *reply, struct err *e);
	void *ctx;
	struct worker_limits limits;
	/* CAGE_NET: files and folders it may read besides the built-in resolver, TLS and library paths. NULL-terminated, or NULL. */
	const char *const *read_paths;
	bool keep_stderr; /* else the child's stderr is /dev/null (kept anyway under sanitizers) */
};

struct worker;
/* After ERR_OK the child is in its cage and waits. ERR_UNSUPPORTED: the kernel has no seccomp filter. */
MUST_USE enum err_code worker_start(const struct worker_spec *spec, struct worker **out, struct err *e);
/* The child is killed and reaped; a request under way is lost. */
void worker_free(struct worker *w);
void worker_auto(struct worker **w);

/*
 * One request, one answer. type: below 0x80000000. ERR_BUG while a request is under way. fds stay the caller's; the child
 * gets copies. timeout_ms: on the monotonic clock, 0 = no limit. reply: replaced on ERR_OK.
 * Codes that the handler returned come back with their text, but ERR_NOMEM as ERR_LIMIT, and ERR_IO, ERR_NOSPACE and
 * ERR_BUG as ERR_REFUSED: from here they would speak of the caller's own disk or fault.
 * ERR_LIMIT also: time, processor time, memory, a frame too large. ERR_REFUSED: the child
 * crashed. In all these cases the next call starts a new child; a child that
 * vanished between two calls is replaced silently.
 */
MUST_USE enum err_code worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds,
    int64_t timeout_ms, struct buf *reply, struct err *e);
/*
 * The halves of worker_call, for a caller with several workers: send, poll
 * worker_fd for reading until worker_deadline_ms, then recv. recv waits as long as the time
 * limit given to send; it also ends a request whose time is over.
 */
MUST_USE enum err_code worker_send(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds,
    int64_t timeout_ms, struct err *e);
MUST_USE enum err_code worker_recv(struct worker *w, struct buf *reply, struct err *e);
/*
 * What worker_call does between its halves: wait may serve others until worker_fd is readable or worker_deadline_ms passed, and
 * gives the request back the time that this took by worker_extend. Its error ends the call: ERR_BUSY leaves the request
 * under way, for worker_recv or worker_drop; any other ends that, too.
 */
void worker_on_wait(struct worker *w, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx);
void worker_extend(struct worker *w, int64_t ms);
/* The request under way is lost, its child killed; the next one has a new child. */
void worker_drop(struct worker *w);
/* Did the last request end its child, by time, memory or a crash? Then what it was about is to blame, or the machine. */
bool worker_fell(const struct worker *w);
bool worker_busy(const struct worker *w);	    /* a request is under way */
int worker_fd(const struct worker *w);		    /* -1 when no child lives */
int64_t worker_deadline_ms(const struct worker *w); /* sys_monotonic_ms scale; INT64_MAX = none */

/*
 * What libraries would read from files at their first use: OpenSSL's configuration and providers, the seed of JSON
 * objects; libxml2 made ready. Runs in each child; calling it in main before the first worker_start makes new
 * children cheaper.
 */
MUST_USE enum err_code worker_warm_up_base(struct err *e);

/* A new memfd: with content, sealed against every change; or empty, for a child to write to. *fd belongs to the caller. */
MUST_USE enum err_code worker_memfd(struct slice content, int *fd, struct err *e);
MUST_USE enum err_code worker_memfd_empty(int *fd, struct err *e);
/* An empty one that the caller has filled, before it is passed: no change from now on, the offset at its start. */
MUST_USE enum err_code worker_memfd_seal(int fd, struct err *e);

/* Which parts of a cage hold. */
struct cage_status {
	enum cage_role role;
	bool seccomp;
	bool no_new_privs;
	int landlock_abi; /* 0 = the kernel has none */
	bool memory_limit;
};
/* Of a running child, as it told when its cage closed. All-zero when none lives. */
struct cage_status worker_cage(const struct worker *w);
/* What this kernel offers to a child of that role; nothing is changed. */
struct cage_status cage_probe(enum cage_role role);
/* "seccomp yes, landlock 7, no new privileges" */
#define CAGE_TEXT 120
void cage_text(const struct cage_status *s, char out[CAGE_TEXT]);

#endif
