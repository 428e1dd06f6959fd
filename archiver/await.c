/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a child (a verdict, a TSA) while depositors wait for us: they are served meanwhile. For that no batch may be
 * open, so what is written between two waits is a draft, and the group that steps and renewals make together is closed
 * before others have their turn.
 */
#include "archiver/slow.h"

#include <poll.h>

#define LOOK_MS 500  /* whoever asks us to stop is heard that soon */
#define NESTED_MAX 4 /* a step waits, a deposit by the socket, another one ... each has a worker and a stack of its own */

enum err_code
group_join(struct archive *a, struct batch **draft, struct err *e)
{
	if (a->group == NULL && store_batch_begin(a->store, &a->group, e) != ERR_OK)
		return err_wrap(e, "group");
	return batch_join(a->group, draft, e);
}

enum err_code
group_commit(struct archive *a, struct err *e)
{
	return a->group != NULL ? store_commit(&a->group, NULL, e) : ERR_OK;
}

void
group_drop(struct archive *a)
{
	batch_drop(TAKE(a->group));
}

enum err_code
archive_between(struct archive *a, struct err *e)
{
	enum err_code r;

	if (a->between == NULL || a->within >= NESTED_MAX)
		return ERR_OK;
	a->within++;
	r = a->between(a->between_ctx, e);
	a->within--;
	return r;
}

/* Somebody waits at the socket or in a spool, or the spools were left with something in them. */
static bool
others_wait(const struct archive *a, const struct worker *w, int ms)
{
	struct pollfd p[4] = {{worker_fd(w), POLLIN, 0}, {a->listener, POLLIN, 0}, {a->spooling ? -1 : a->spool_events, POLLIN, 0},
	    {a->spooling ? -1 : slow_fd(a), POLLIN, 0}};
	bool more = a->spool_more && !a->spooling;

	if (poll(p, 4, more ? 0 : ms) <= 0)
		return more;
	return p[0].revents == 0;
}

enum err_code
archive_await(void *ctx, struct worker *w, struct err *e)
{
	struct archive *a = ctx;
	struct pollfd answer = {worker_fd(w), POLLIN, 0};

	while (a->between != NULL && !a->keeping && a->within < NESTED_MAX && !archive_stopping(a) && poll(&answer, 1, 0) == 0) {
		int64_t now = sys_monotonic_ms(), left = worker_deadline_ms(w) - now;

		if (left <= 0)
			return ERR_OK;
		if (!others_wait(a, w, left < LOOK_MS ? (int)left : LOOK_MS))
			continue;
		if (group_commit(a, e) != ERR_OK || archive_between(a, e) != ERR_OK)
			return err_wrap(e, "while a child works");
		worker_extend(w, sys_monotonic_ms() - now);
	}
	return ERR_OK;
}
