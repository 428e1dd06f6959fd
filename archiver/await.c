/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a child (a verdict, a TSA) while depositors wait for us: they are served meanwhile. For that no batch may be
 * open, so what is written between two waits is a draft, and the group that steps and renewals make together is closed
 * before others have their turn.
 */
#include "archiver/slow.h"

#include <poll.h>

#define LOOK_MS 500  /* whoever asks us to stop is heard that soon */
#define LONG_MS 2000 /* a verdict; then it is noted whose */
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

static enum err_code
serve_others(struct archive *a, struct worker *w, struct err *e)
{
	int64_t began = sys_monotonic_ms();

	if (group_commit(a, e) != ERR_OK || archive_between(a, e) != ERR_OK)
		return err_wrap(e, "while a child works");
	worker_extend(w, sys_monotonic_ms() - began);
	return ERR_OK;
}

/* One more process that may end in this step. */
static void
note_step(struct archive *a)
{
	AUTO(buf) struct buf n = {0};
	uint8_t tries = 1;

	if (ops_get(a->store, "steps", slice_str(a->stepping), &n, NULL) == ERR_OK && n.n == 1 && n.p[0] < UINT8_MAX)
		tries = (uint8_t)(n.p[0] + 1);
	(void)!ops_put(a->store, "steps", slice_str(a->stepping), slice_of(&tries, 1), NULL);
	a->step_noted = a->step_counted = true;
}

/* Until there is an answer, or nothing to do meanwhile. */
static enum err_code
await(struct archive *a, struct worker *w, bool note, struct err *e)
{
	struct pollfd answer = {worker_fd(w), POLLIN, 0};
	int64_t note_at = sys_monotonic_ms() + LONG_MS;

	while (poll(&answer, 1, 0) == 0) {
		bool serve = a->between != NULL && !a->keeping && a->within < NESTED_MAX && !archive_stopping(a);
		int64_t now = sys_monotonic_ms(), left = worker_deadline_ms(w) - now;
		int ms = left < LOOK_MS ? (int)left : LOOK_MS;

		if (note && now >= note_at) {
			note_step(a);
			note = false;
		}
		if (left <= 0 || (!serve && !note))
			break;
		if (!serve)
			(void)poll(&answer, 1, ms);
		else if (others_wait(a, w, ms) && serve_others(a, w, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

enum err_code
archive_await(void *ctx, struct worker *w, struct err *e)
{
	return await(ctx, w, false, e);
}

enum err_code
archive_await_verdict(void *ctx, struct worker *w, struct err *e)
{
	struct archive *a = ctx;

	return await(a, w, a->stepping[0] != '\0' && a->within == 0 && !a->step_counted, e);
}
