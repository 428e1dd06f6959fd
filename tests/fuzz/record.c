/* SPDX-License-Identifier: MIT */
/*
 * Stands in front of worker_call in build/fuzz/recorder, which is everseal otherwise: what its children answer is written
 * down in the file that EVERSEAL_RECORD names, as f_lies.c reads it.
 */
#include "base/worker.h"
#include "tests/fuzz/lies.h"

#include <stdio.h>
#include <stdlib.h>

enum err_code
__wrap_worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms, struct buf *reply,
    struct err *e)
{
	enum err_code code = __real_worker_call(w, type, body, fds, nfds, timeout_ms, reply, e);
	const char *path = getenv("EVERSEAL_RECORD");
	FILE *f = code == ERR_OK && path != NULL ? fopen(path, "ae") : NULL;
	AUTO(buf) struct buf one = {0};

	if (f == NULL)
		return code;
	buf_add8(&one, lie_kind(type, body));
	buf_addvec(&one, buf_slice(reply));
	(void)!fwrite(one.p, 1, one.n, f);
	fclose(f);
	return code;
}
