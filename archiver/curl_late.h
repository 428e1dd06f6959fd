/* SPDX-License-Identifier: MIT */
/* libcurl, for the net process alone (base/late.h). Include it instead of curl/curl.h. */
#ifndef EVERSEAL_ARCHIVER_CURL_LATE_H
#define EVERSEAL_ARCHIVER_CURL_LATE_H

#include "base/late.h"

#include <curl/curl.h>

extern struct late curl_late;

#define curl_global_init LATE(&curl_late, curl_global_init)
#define curl_easy_init LATE(&curl_late, curl_easy_init)
#define curl_easy_cleanup LATE(&curl_late, curl_easy_cleanup)
#define curl_easy_perform LATE(&curl_late, curl_easy_perform)
#define curl_easy_strerror LATE(&curl_late, curl_easy_strerror)
#define curl_free LATE(&curl_late, curl_free)
#define curl_slist_append LATE(&curl_late, curl_slist_append)
#define curl_slist_free_all LATE(&curl_late, curl_slist_free_all)
#define curl_url LATE(&curl_late, curl_url)
#define curl_url_cleanup LATE(&curl_late, curl_url_cleanup)
#define curl_url_get LATE(&curl_late, curl_url_get)
#define curl_url_set LATE(&curl_late, curl_url_set)
/* curl_easy_setopt and curl_easy_getinfo are macros of its header, which check the value's type and then call a function: curl_late.c has it. */

#endif
