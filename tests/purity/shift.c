/* SPDX-License-Identifier: MIT */
/* Stands in front of libc (LD_PRELOAD) and moves the wall clock by SHIFT_SECONDS; the monotonic clocks stay. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#undef gettimeofday

static time_t moved; /* read once: a cage has no environment to ask later */

__attribute__((constructor)) static void
set_out(void)
{
	const char *s = getenv("SHIFT_SECONDS");

	moved = s != NULL ? (time_t)strtoll(s, NULL, 10) : 0;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, out);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += moved;
	return r;
}

time_t
time(time_t *out)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *out, void *zone)
{
	struct timespec t = {0};

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	out->tv_sec = t.tv_sec;
	out->tv_usec = t.tv_nsec / 1000;
	return 0;
}
