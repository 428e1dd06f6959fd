/* SPDX-License-Identifier: MIT */
/* Calendar arithmetic of our own: no locale, no time zone file, any year, the same everywhere. */
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

/* What four digits of a year can say. */
#define YEAR_0 INT64_C(-62167219200)
#define YEAR_10000 INT64_C(253402300800)

/* Days since 1970-01-01 of a proleptic Gregorian date; month may run outside 1..12. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, yoe, doy;

	year += (month > 0 ? month - 1 : month - 12) / 12;
	month = ((month - 1) % 12 + 12) % 12 + 1;
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	yoe = year - era * 400;
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era, doe, yoe, doy, mp;

	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

int64_t
time_make(int year, int month, int day, int hour, int minute, int second)
{
	return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int
days_in_month(int year, int month)
{
	return (int)(days_of(year, month + 1, 1) - days_of(year, month, 1));
}

int64_t
time_add_months(int64_t utc, int months)
{
	int64_t days = floor_div(utc, 86400), rest = utc - days * 86400;
	int year, month, day, last;

	date_of(days, &year, &month, &day);
	month += months;
	year += (int)floor_div(month - 1, 12);
	month = (int)(month - 1 - floor_div(month - 1, 12) * 12) + 1;
	last = days_in_month(year, month);
	return days_of(year, month, day < last ? day : last) * 86400 + rest;
}

void
time_text(int64_t utc, char out[TIME_TEXT])
{
	int64_t days, s;
	int year, month, day;

	if (utc == TIME_MAX || utc < YEAR_0 || utc >= YEAR_10000) {
		snprintf(out, TIME_TEXT, "%s", utc == TIME_MAX ? "open" : "-");
		return;
	}
	days = floor_div(utc, 86400);
	s = utc - days * 86400;
	date_of(days, &year, &month, &day);
	snprintf(out, TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000u, (unsigned)month % 100u,
	    (unsigned)day % 100u, (unsigned)(s / 3600) % 100u, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

/* n digits at *p, within [lo, hi]; -1 if not. Moves *p on success. */
static int
digits(const char **p, int n, int lo, int hi)
{
	int i, v = 0;

	for (i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return -1;
		v = v * 10 + (*p)[i] - '0';
	}
	if (v < lo || v > hi)
		return -1;
	*p += n;
	return v;
}

static bool
parse_clock(const char **p, int64_t *s)
{
	int h = digits(p, 2, 0, 24), m, sec;

	if (h < 0 || *(*p)++ != ':' || (m = digits(p, 2, 0, 59)) < 0 || *(*p)++ != ':' ||
	    (sec = digits(p, 2, 0, 60)) < 0 || (h == 24 && (m != 0 || sec != 0)))
		return false;
	*s += h * 3600 + m * 60 + sec;
	if (**p == '.') {
		++*p;
		if (digits(p, 1, 0, 9) < 0)
			return false;
		while (digits(p, 1, 0, 9) >= 0)
			continue;
	}
	return true;
}

static bool
parse_offset(const char **p, int64_t *s)
{
	int sign, h, m;

	if (**p == 'Z') {
		++*p;
		return true;
	}
	if (**p != '+' && **p != '-')
		return true;
	sign = *(*p)++ == '+' ? 1 : -1;
	if ((h = digits(p, 2, 0, 14)) < 0 || *(*p)++ != ':' || (m = digits(p, 2, 0, 59)) < 0)
		return false;
	*s -= sign * (h * 3600 + m * 60);
	return true;
}

bool
time_parse(const char *text, int64_t *utc)
{
	const char *p = text + strspn(text, " \t\r\n");
	int year, month, day;
	int64_t s;

	if ((year = digits(&p, 4, 0, 9999)) < 0 || *p++ != '-' || (month = digits(&p, 2, 1, 12)) < 0 || *p++ != '-' ||
	    (day = digits(&p, 2, 1, 31)) < 0 || day > days_in_month(year, month))
		return false;
	s = days_of(year, month, day) * 86400;
	if (*p == 'T') {
		p++;
		if (!parse_clock(&p, &s))
			return false;
	}
	if (!parse_offset(&p, &s))
		return false;
	if (p[strspn(p, " \t\r\n")] != '\0')
		return false;
	*utc = s;
	return true;
}
