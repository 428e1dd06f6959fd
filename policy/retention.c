/* SPDX-License-Identifier: MIT */
#include "policy/deadline.h"

#include <stdlib.h>

#define YEAR_9999 253370764800LL /* the year that means for ever in a segment's name */

static int
day_of_month(int64_t utc)
{
	char text[TIME_TEXT];

	time_text(utc, text);
	return atoi(text + 8);
}

int64_t
retention_end(const struct retention *r)
{
	int64_t end;

	if (r->years == 0)
		return TIME_MAX;
	end = r->years < 9999 ? time_add_months(r->from_utc, (int)r->years * 12) : TIME_MAX;
	if (end >= YEAR_9999)
		return TIME_MAX;
	/* 29 February in a common year was cut to the 28th: the next day, so that no year is short of a day. */
	return day_of_month(end) != day_of_month(r->from_utc) ? end + 86400 : end;
}

bool
retention_may_go(const struct retention *r, int64_t t_utc)
{
	return r->holds == 0 && t_utc >= retention_end(r) && r->years != 0;
}

unsigned
retention_segment_year(const struct retention *r)
{
	int64_t end = retention_end(r);
	char text[TIME_TEXT];

	if (end == TIME_MAX)
		return 9999;
	time_text(end, text);
	return (unsigned)atoi(text);
}
