/* SPDX-License-Identifier: MIT */
/*
 * LMDB reads its file through a map and believes it: a sector that can't be
 * read is SIGBUS, a false pointer SIGSEGV, a page that is not what it should be
 * an assert. Here each of them ends the call, not the process. After that the
 * environment is only closed.
 *
 * Signals belong to the whole process, so this is the one place of the store
 * with state of its own: which call of this thread they end, and who had them before.
 */
#include "store/store_int.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static const int SIGNALS[2] = {SIGBUS, SIGSEGV};
static struct sigaction before[2];
static __thread sigjmp_buf *armed;

static void
on_fault(int sig)
{
	if (armed != NULL)
		siglongjmp(*armed, 1);
	sigaction(sig, &before[sig != SIGNALS[0]], NULL); /* none of ours: it happens again, to whom it concerns */
}

void
guard_install(void)
{
	struct sigaction ours = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, now;
	size_t i;

	sigemptyset(&ours.sa_mask);
	for (i = 0; i < 2; i++)
		if (sigaction(SIGNALS[i], NULL, &now) == 0 && now.sa_handler != on_fault &&
		    sigaction(SIGNALS[i], &ours, NULL) == 0)
			before[i] = now;
}

void
guard_assert(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	if (armed != NULL)
		siglongjmp(*armed, 1);
}

int
guarded(int (*call)(void *ctx), void *ctx)
{
	sigjmp_buf here;
	int r;

	if (sigsetjmp(here, 0) != 0) {
		armed = NULL;
		return KV_BROKEN;
	}
	armed = &here;
	r = call(ctx);
	armed = NULL;
	return r;
}
