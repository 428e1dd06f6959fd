/* SPDX-License-Identifier: MIT */
/*
 * The alarm of a store, made silent: linked with --wrap in front of the store's own, so that the crash tests can show
 * that they would miss it. A program with EVERSEAL_ALARM_SILENT in its environment says nothing of what was lost.
 */
#include "tests/crashsilent.h"

#include <stdlib.h>

bool alarm_silent;

__attribute__((constructor)) static void
ask(void)
{
	alarm_silent = getenv("EVERSEAL_ALARM_SILENT") != NULL;
}

enum err_code __real_store_status(struct store *s, struct store_status *out, struct err *e);
enum err_code __wrap_store_status(struct store *s, struct store_status *out, struct err *e);
enum err_code
__wrap_store_status(struct store *s, struct store_status *out, struct err *e)
{
	enum err_code r = __real_store_status(s, out, e);

	if (alarm_silent && r == ERR_OK) {
		out->lost_alarms = out->lost_mended = out->lost_all = 0;
		out->aside_failed = false;
	}
	return r;
}

enum err_code __real_store_lost(struct store *s, const struct store_lost_each *each, struct err *e);
enum err_code __wrap_store_lost(struct store *s, const struct store_lost_each *each, struct err *e);
enum err_code
__wrap_store_lost(struct store *s, const struct store_lost_each *each, struct err *e)
{
	return alarm_silent ? ERR_OK : __real_store_lost(s, each, e);
}
