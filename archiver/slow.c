/* SPDX-License-Identifier: MIT */
/*
 * Deposits whose verdict takes long. Each depositor has a little time in each look at the spools (SLOW_BUDGET_MS). A document
 * that is not judged within it goes on in its worker, aside, one at a time and depositors by turns, while everybody else is
 * served; its deposit stays claimed and is met again at the next look, with what was judged of it so far.
 *
 * A worker that ran out of time or died is a try. After two the deposit is refused: whether the document is to blame or the
 * machine was, it must not come back for ever. Tries stand in ops (table "tries" <record>) while one is under way, so that
 * a document that takes the whole service with it is found out as well.
 */
#include "archiver/slow.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 4096
#define LOOKS_UNSEEN 4 /* then its claim has gone */

static struct slow **
find(struct archive *a, const char *record)
{
	struct slow **at;

	for (at = &a->slow; *at != NULL && strcmp((*at)->record, record) != 0; at = &(*at)->next)
		continue;
	return at;
}

static void
free_one(struct slow *s)
{
	caged_call_drop(&s->call);
	json_decref(s->originals);
	json_decref(s->signatures);
	free(s->depositor);
	free(s);
}

static void
remember_tries(struct archive *a, const struct slow *s, unsigned n)
{
	uint8_t octet = (uint8_t)n;

	if (n == 0)
		(void)!ops_del(a->store, "tries", slice_str(s->record), NULL);
	else
		(void)!ops_put(a->store, "tries", slice_str(s->record), slice_of(&octet, 1), NULL);
}

/* Of a process before this one; what was under way then has failed. */
static unsigned
tries_before(struct archive *a, const char *record)
{
	AUTO(buf) struct buf n = {0};

	return ops_get(a->store, "tries", slice_str(record), &n, NULL) == ERR_OK && n.n == 1 ? n.p[0] : 0;
}

struct slow *
slow_of(struct archive *a, const char *record, const char *depositor, bool make)
{
	struct slow **at = find(a, record), *s = *at;
	unsigned before = s == NULL ? tries_before(a, record) : 0;

	if (s == NULL && (make || before != 0) && (s = mem_new(1, sizeof(*s))) != NULL) {
		memcpy(s->record, record, UUID_TEXT);
		s->depositor = mem_dupstr(depositor);
		s->tries = before;
		s->aside = before != 0;
		*at = s;
	}
	if (s != NULL)
		s->look = a->looks;
	return s;
}

void
slow_forget(struct archive *a, const char *record)
{
	struct slow **at = find(a, record), *s = *at;

	if (s == NULL)
		return;
	if (s->tries != 0)
		remember_tries(a, s, 0);
	*at = s->next;
	free_one(s);
}

void
slow_look(struct archive *a)
{
	struct slow **at = &a->slow, *s;
	size_t n = 0;

	a->looks++;
	while ((s = *at) != NULL) {
		if (s->look + LOOKS_UNSEEN >= a->looks && ++n <= KEPT_MAX) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free_one(s);
	}
}

/* Not by its fault: tried again from the start. */
static void
interrupt(struct archive *a, struct slow *s)
{
	if (s->call == NULL)
		return;
	caged_call_drop(&s->call);
	s->tries -= s->tries != 0;
	remember_tries(a, s, s->tries);
}

void
slow_interrupt(struct archive *a)
{
	struct slow *s;

	for (s = a->slow; s != NULL; s = s->next)
		interrupt(a, s);
}

void
slow_free(struct archive *a)
{
	struct slow *s;

	while ((s = a->slow) != NULL) {
		if (a->store != NULL)
			interrupt(a, s);
		a->slow = s->next;
		free_one(s);
	}
}

static const struct slow *
under_way(const struct archive *a)
{
	const struct slow *s;

	for (s = a->slow; s != NULL && s->call == NULL; s = s->next)
		continue;
	return s;
}

int
slow_fd(const struct archive *a)
{
	const struct slow *s = under_way(a);

	return s != NULL ? caged_call_fd(s->call) : -1;
}

bool
slow_ready(const struct archive *a)
{
	const struct slow *s = under_way(a);

	return s != NULL && caged_call_ready(s->call);
}

void
slow_wait(const struct archive *a, int ms)
{
	struct pollfd p = {slow_fd(a), POLLIN, 0};

	(void)poll(&p, 1, ms);
}

/* Nothing goes on aside, and no other depositor waits longer for that. */
static bool
has_turn(const struct archive *a, const struct slow *s)
{
	const struct slow *o;
	bool again = a->slow_last != NULL && s->depositor != NULL && strcmp(a->slow_last, s->depositor) == 0;

	if (under_way(a) != NULL)
		return false;
	for (o = a->slow; o != NULL && again; o = o->next)
		if (o->aside && o->look + 1 >= a->looks && o->depositor != NULL && strcmp(o->depositor, s->depositor) != 0)
			return false;
	return true;
}

bool
slow_waits(struct archive *a, const char *record, const char *depositor)
{
	const struct slow *s = slow_of(a, record, depositor, false);

	if (s == NULL || !s->aside)
		return false;
	return s->call != NULL ? !caged_call_ready(s->call) : s->tries < SLOW_TRIES && !has_turn(a, s);
}

bool
slow_may_begin(struct archive *a, struct slow *s)
{
	if (!s->aside)
		return true;
	if (!has_turn(a, s))
		return false;
	free(a->slow_last);
	a->slow_last = s->depositor != NULL ? mem_dupstr(s->depositor) : NULL;
	s->counted = true;
	remember_tries(a, s, ++s->tries);
	return true;
}

/* It goes on aside if nothing else does; else it begins anew when it has its turn. */
void
slow_left(struct archive *a, struct slow *s, struct caged_call *call)
{
	s->aside = true;
	if (under_way(a) != NULL) {
		caged_call_drop(&call);
		return;
	}
	s->call = call;
	if (!s->counted)
		remember_tries(a, s, ++s->tries);
	s->counted = true;
}

void
slow_judged(struct archive *a, struct slow *s, bool fell)
{
	if (fell && !s->counted)
		s->tries++;
	s->counted = false;
	s->aside |= fell;
	if (!fell && s->tries != 0)
		remember_tries(a, s, s->tries = 0);
}
