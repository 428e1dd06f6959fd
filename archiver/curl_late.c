/* SPDX-License-Identifier: MIT */
#include "archiver/curl_late.h"

#include <stdarg.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo

struct late curl_late = {.soname = "libcurl.so.4"};

/* A value is a long, a pointer or a curl_off_t: one word where addresses have 64 bits, and passed alike. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "option values of one size");

CURLcode
curl_easy_setopt(CURL *c, CURLoption option, ...)
{
	va_list ap;
	void *value;

	va_start(ap, option);
	value = va_arg(ap, void *);
	va_end(ap);
	return LATE(&curl_late, curl_easy_setopt)(c, option, value);
}

CURLcode
curl_easy_getinfo(CURL *c, CURLINFO info, ...)
{
	va_list ap;
	void *value;

	va_start(ap, info);
	value = va_arg(ap, void *);
	va_end(ap);
	return LATE(&curl_late, curl_easy_getinfo)(c, info, value);
}
