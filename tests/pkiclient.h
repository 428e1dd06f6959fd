/* SPDX-License-Identifier: MIT */
/*
 * The test PKI as tests use it: started in a folder, its clock written, its
 * services asked over HTTP. Static functions, since each test program is one file.
 */
#ifndef EVERSEAL_TESTS_PKICLIENT_H
#define EVERSEAL_TESTS_PKICLIENT_H

#include "base/bytes.h"
#include "base/sys.h"
#include "policy/policy.h"
#include "verify/verify.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pki_client {
	char program[512]; /* testpki */
	char dir[256];	   /* holds pki/ and clock */
	int port;
	CURL *curl;
};

/* A command line; false when it fails, with its words told. */
static inline bool
pki_run(const struct pki_client *p, const char *fmt, ...)
{
	char args[1500], line[2400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd '%s' && '%s' %s >>log 2>&1", p->dir, p->program, args);
	if (system(line) == 0)
		return true;
	fprintf(stderr, "testpki %s\n", args);
	return false;
}

static inline void
pki_clock(const struct pki_client *p, const char *instant)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/clock", p->dir);
	FILE *f = fopen(path, "w");
	if (f == NULL || fprintf(f, "%s\n", instant) < 0 || fclose(f) != 0)
		abort();
}

/* The program stands beside the folder of the test programs. */
static inline bool
pki_up(struct pki_client *p, const char *dir, const char *instant)
{
	char self[400], path[400], pool[500];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return false;
	self[n] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(self, '/') = '\0';
	snprintf(p->program, sizeof(p->program), "%s/testpki", self);
	/* Without ASan's slower twin if there is none. */
	snprintf(pool, sizeof(pool), "%s/tests/pool", self);
	setenv("TESTPKI_POOL", pool, 0);
	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	pki_clock(p, instant);
	if (system("command -v true >/dev/null") != 0 || !pki_run(p, "init pki --clock clock") ||
	    !pki_run(p, "serve pki --daemon --ready-file ready"))
		return false;
	snprintf(path, sizeof(path), "%s/pki/port", dir);
	FILE *f = fopen(path, "r");
	bool ok = f != NULL && fscanf(f, "%d", &p->port) == 1;
	if (f != NULL)
		fclose(f);
	p->curl = curl_easy_init();
	return ok && p->curl != NULL;
}

static inline void
pki_down(struct pki_client *p)
{
	(void)pki_run(p, "stop pki");
	curl_easy_cleanup(p->curl);
}

static inline size_t
pki_taken(char *data, size_t size, size_t n, void *to)
{
	buf_add(to, data, size * n);
	return size * n;
}

/* HTTP status; 0 when none came. body empty: GET. */
static inline long
pki_fetch(struct pki_client *p, const char *url, const char *type, struct slice body, struct buf *out)
{
	struct curl_slist *headers = curl_slist_append(NULL, type);
	long status = 0;
	buf_clear(out);
	curl_easy_reset(p->curl);
	curl_easy_setopt(p->curl, CURLOPT_URL, url);
	curl_easy_setopt(p->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, pki_taken);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, out);
	if (body.n > 0) {
		curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
		curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, body.p);
	}
	if (curl_easy_perform(p->curl) == CURLE_OK)
		curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	return status;
}

/* Every anchor of the folder's trust/, in all roles. */
static inline bool
pki_anchors(const struct pki_client *p, struct anchors *a)
{
	char path[300];
	struct err e = {0};
	snprintf(path, sizeof(path), "%s/pki/trust", p->dir);
	DIR *d = opendir(path);
	size_t n = 0;
	for (struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
		AUTO(buf) struct buf pem = {0};
		if (f->d_name[0] != '.' && sys_read_file(dirfd(d), f->d_name, 65536, &pem, &e) == ERR_OK &&
		    anchors_add(a, buf_slice(&pem), ROLE_ALL, TIME_MAX, f->d_name, &e) == ERR_OK)
			n++;
	}
	if (d != NULL)
		closedir(d);
	return n > 0;
}

#endif
