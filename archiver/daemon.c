/* SPDX-License-Identifier: MIT */
/* The service: spools by inotify and rescan, steps when due, sweeps at their interval, the control socket. */
#include "archiver/control.h"
#include "archiver/slow.h"
#include "archiver/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WAIT_MAX_MS 60000
#define SERVED_AT_ONCE 16

static int
watch_spools(const struct config *cfg)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	size_t i;

	for (i = 0; fd >= 0 && i < cfg->n_spools; i++) {
		AUTO(mem) char *path = mem_printf("%s/new", cfg->spools[i].dir);
		AUTO(spool) struct spool s = SPOOL_NONE;

		(void)!spool_open(&cfg->spools[i], &s, NULL); /* one that was configured after init has no folders yet */
		if (path != NULL)
			(void)inotify_add_watch(fd, path, IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE);
	}
	return fd;
}

static void
drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		continue;
}

static int
wait_ms(struct archive *a)
{
	int64_t due = TIME_MAX, now = archive_now(a), rescan = a->cfg->service.rescan_seconds;
	int64_t ms = WAIT_MAX_MS;

	if (a->spool_more)
		return 0;
	if (archive_next_due(a, &due, NULL) != ERR_OK)
		due = TIME_MAX;
	if (rescan > 0 && rescan * 1000 < ms)
		ms = rescan * 1000;
	if (due != TIME_MAX && (due - now) < ms / 1000)
		ms = due > now ? (due - now) * 1000 : 1000;
	return (int)ms;
}

static int64_t
last_sweep(struct archive *a)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *row = NULL;
	int64_t t = TIME_NONE;

	if (store_get_row(a->store, "state", slice_str("sweep"), &text, NULL) == ERR_OK && json_read(buf_slice(&text), NULL, &row, NULL) == ERR_OK)
		(void)!json_want_time(row, "time", &t, NULL);
	return t;
}

static enum err_code
sweep_if_due(struct archive *a, struct err *e)
{
	AUTO(json) json_t *report = NULL;
	int64_t last = last_sweep(a);

	/* One that lies ahead was made by a clock that was wrong. */
	if (last != TIME_NONE && last <= archive_now(a) && archive_now(a) - last < a->cfg->renewal.sweep_interval_seconds)
		return ERR_OK;
	return archive_sweep(a, &report, e);
}

static bool
ends_service(enum err_code r)
{
	return r == ERR_NOMEM || r == ERR_IO || r == ERR_BUG;
}

/* The service's log: a line for each look that did something. */
static void
tell(const struct archive *a, uint64_t taken, uint64_t refused, uint64_t steps)
{
	if (taken != 0 || refused != 0 || steps != 0)
		log_line(a->seams.log, LOG_LEVEL_INFO, "taken %" PRIu64 ", refused %" PRIu64 ", steps %" PRIu64, taken, refused, steps);
}

static uint64_t
count(const json_t *summary, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(summary, key));
}

/*
 * Spool, steps, sweep. A full disk is waited out, a fault that is not the store's own is told and met again at the next
 * look; what the store could not write or read ends the service, since only opening it anew says what it holds. Whatever
 * goes wrong with the others, renewal has its turn.
 */
static enum err_code
one_look(struct archive *a, struct err *e)
{
	AUTO(json) json_t *summary = NULL;
	struct err why = {0}, sweep = {0};
	enum err_code r = archive_run_once(a, &summary, &why);

	if (ends_service(r))
		return err_set(e, r, "%s", why.text);
	if (r != ERR_OK)
		archive_alarm(a, "%s", why.text);
	tell(a, count(summary, "taken"), count(summary, "refused"), count(summary, "steps"));
	r = sweep_if_due(a, &sweep);
	if (ends_service(r))
		return err_set(e, r, "%s", sweep.text);
	if (r != ERR_OK)
		archive_alarm(a, "%s", sweep.text);
	return ERR_OK;
}

struct waiting {
	struct archive *a;
	int listener, spools;
};

/* Who waits at the socket or in a spool; a bounded number, and back to work. */
static enum err_code
serve_waiting(void *ctx, struct err *e)
{
	struct waiting *w = ctx;
	struct pollfd p[2] = {{w->listener, POLLIN, 0}, {w->spools, POLLIN, 0}};
	uint64_t taken = 0, refused = 0;
	int i;

	for (i = 0; i < SERVED_AT_ONCE && poll(p, 2, 0) > 0 && (p[0].revents & POLLIN) != 0 && !archive_stopping(w->a); i++)
		if (control_serve(w->a, w->listener, e) != ERR_OK)
			return err_wrap(e, "control socket");
	if (w->a->spooling)
		return ERR_OK;
	if ((p[1].revents & POLLIN) != 0)
		drain(w->spools);
	else if (!w->a->spool_more && !slow_ready(w->a))
		return ERR_OK;
	if (archive_spool(w->a, &taken, &refused, e) != ERR_OK)
		return e->code;
	tell(w->a, taken, refused, 0);
	return ERR_OK;
}

enum err_code
archive_service(struct archive *a, struct err *e)
{
	AUTO(fd) int listener = -1;
	AUTO(fd) int spools = watch_spools(a->cfg);
	struct waiting w = {a, -1, spools};

	if (control_listen(a->cfg, &listener, e) != ERR_OK)
		return err_wrap(e, "service");
	w.listener = a->listener = listener;
	a->spool_events = spools;
	a->between = serve_waiting;
	a->between_ctx = &w;
	log_line(a->seams.log, LOG_LEVEL_INFO, "the service of %s runs: %zu spools, control socket %s", a->cfg->archive.dir, a->cfg->n_spools, a->cfg->service.control);
	while (!archive_stopping(a)) {
		struct pollfd p[3] = {{listener, POLLIN, 0}, {spools, POLLIN, 0}, {-1, POLLIN, 0}};

		if (one_look(a, e) != ERR_OK)
			return err_wrap(e, "service");
		p[2].fd = slow_fd(a);
		if (poll(p, 3, wait_ms(a)) < 0 && errno != EINTR)
			return err_errno(e, ERR_IO, errno, "service");
		if (spools >= 0)
			drain(spools);
		if ((p[0].revents & POLLIN) != 0 && control_serve(a, listener, e) != ERR_OK)
			return err_wrap(e, "service");
	}
	a->between = NULL;
	a->listener = a->spool_events = -1;
	(void)unlink(a->cfg->service.control);
	log_line(a->seams.log, LOG_LEVEL_INFO, "the service has stopped, as it was told to");
	return ERR_OK;
}
