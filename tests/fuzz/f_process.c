/* SPDX-License-Identifier: MIT */
/* What passes between processes and comes from the net: frames, requests to the cage, answers of services, HTTP. */
#include "tests/fuzz/fuzz.h"

#include "archiver/caged_int.h"
#include "archiver/fetch_int.h"
#include "base/sys.h"
#include "base/worker_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- frames, as both ends read them ---- */

static void
one_frame(struct slice in)
{
	struct frame f = {.nfds = 0};
	struct err e = {0};
	int pair[2];
	enum err_code code;

	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fuzz_must(write(pair[0], in.p, in.n) == (ssize_t)in.n && close(pair[0]) == 0);
	do {
		code = frame_recv(pair[1], 4096, true, sys_monotonic_ms() + 1000, &f, &e);
		fuzz_must(code != ERR_OK || f.body.n <= 4096);
	} while (code == ERR_OK);
	fuzz_must(code == ERR_NOTFOUND || code == ERR_LIMIT || code == ERR_FORMAT);
	frame_release(&f);
	close(pair[1]);
}

/* ---- a child that was taken over: it answers with these octets, whatever was asked ---- */

static enum err_code
taken_over(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	(void)ctx, (void)type, (void)fds, (void)nfds, (void)reply, (void)e;
	if (write(3, body.p, body.n) != (ssize_t)body.n)
		_exit(1);
	_exit(0);
}

static void
one_worker(struct slice in)
{
	static const struct worker_spec spec = {.name = "fuzz", .role = CAGE_NONE, .handle = taken_over, .limits = {.frame_bytes = 65536}};
	AUTO(worker) struct worker *w = NULL;
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	enum err_code code;

	fuzz_must(worker_start(&spec, &w, &e) == ERR_OK);
	code = worker_call(w, 7, in, NULL, 0, 5000, &reply, &e);
	fuzz_must(code != ERR_OK || (in.n >= FRAME_HEAD && slice_eq(buf_slice(&reply), slice_of(in.p + FRAME_HEAD, in.n - FRAME_HEAD))));
}

/* ---- the cage ---- */

static struct caged_state state;
static int document_fd = -1, out_fd = -1;

static bool
open_cage(void)
{
	struct err e = {0};

	state.setup = (struct caged_setup){.anchors = fuzz_anchors(), .policy = fuzz_policy(), .max_document_bytes = 1 << 20, .timeout_ms = 60000};
	return worker_memfd_empty(&out_fd, &e) == ERR_OK && worker_memfd(fuzz_kit("document.xml"), &document_fd, &e) == ERR_OK;
}

/* What the worker is asked is our own, so a bug in it is one; what it answers is JSON in canonical form. */
static enum err_code
ask_cage(enum caged_request type, struct slice body, int fd)
{
	AUTO(buf) struct buf reply = {0}, again = {0};
	AUTO(json) json_t *j = NULL;
	int fds[] = {fd, out_fd};
	struct err e = {0};
	enum err_code code = caged_handle(&state, type, body, fds, fd < 0 ? 0 : type == CAGED_OCTETS ? 2 : 1, &reply, &e);

	if (code == ERR_OK) {
		fuzz_must(json_read(buf_slice(&reply), NULL, &j, &e) == ERR_OK && json_canonical(j, &again, &e) == ERR_OK);
		fuzz_must(slice_eq(buf_slice(&reply), buf_slice(&again)));
	}
	verifier_free(state.v);
	state.v = NULL;
	ERR_clear_error();
	(void)!ftruncate(out_fd, 0);
	return code;
}

/* A whole request as it comes out of a frame: first octet its type. */
static void
one_request(struct slice in)
{
	unsigned type = fuzz_first(&in);

	(void)ask_cage(type, in, type == CAGED_ANSWER || type == CAGED_TOKEN || type == CAGED_TSA_MATERIAL ? -1 : document_fd);
}

static void
request_of(struct buf *out, const char *head, const struct slice *parts, size_t n)
{
	size_t i;

	buf_addvec(out, slice_str(head));
	for (i = 0; i < n; i++)
		buf_addvec(out, parts[i]);
}

/* A document in the cage, asked all that is asked of one. */
static void
one_cage(struct slice in)
{
	static const char extend[] = "{\"name\":\"x\",\"side\":[],\"time\":1780000000,\"request\":{\"signature\":0,\"digest\":\"SHA512\",\"add\":%s,\"imprint\":%s}}";
	const struct slice none[] = {{0}, {(const uint8_t *)"01234567890123456789012345678901", 32}};
	AUTO(buf) struct buf head = {0}, body = {0}, token = {0};
	AUTO(fd) int fd = -1;

	if (in.n == 0)
		return;
	fuzz_must(worker_memfd(in, &fd, NULL) == ERR_OK);
	request_of(&body, "{\"name\":\"x\",\"side\":[],\"time\":1780000000,\"grace\":86400}", none, 2);
	fuzz_must(ask_cage(CAGED_JUDGE, buf_slice(&body), fd) != ERR_BUG);
	buf_clear(&body);
	request_of(&body, "{\"name\":\"x\",\"side\":[],\"time\":1780000000}", none, 1);
	fuzz_must(ask_cage(CAGED_INVENTORY, buf_slice(&body), fd) != ERR_BUG);
	buf_clear(&body);
	request_of(&body, "{\"name\":\"x\",\"side\":[],\"signature\":0,\"stamp\":0}", none, 1);
	fuzz_must(ask_cage(CAGED_OCTETS, buf_slice(&body), fd) != ERR_BUG);
	buf_clear(&body);
	buf_addf(&head, extend, "[]", "\"A\"");
	request_of(&body, buf_str(&head), none, 1);
	fuzz_must(ask_cage(CAGED_EXTEND, buf_slice(&body), fd) != ERR_BUG);
	/* The kit's token is not over this document: whatever is built with it, the check of the result says no. */
	buf_clear(&body);
	buf_clear(&head);
	buf_adds(&token, "[{\"do\":\"A\",\"token\":\"");
	buf_addbase64(&token, fuzz_kit("token.der"));
	buf_adds(&token, "\"}]");
	buf_addf(&head, extend, buf_str(&token), "null");
	request_of(&body, buf_str(&head), none, 1);
	fuzz_must(ask_cage(CAGED_EXTEND, buf_slice(&body), fd) != ERR_OK);
}

/* An answer of a responder, a list, a certificate: first octet which. */
static void
one_answer(struct slice in)
{
	static const char *const types[] = {"ocsp", "crl", "aia"};
	const char *type = types[fuzz_first(&in) % 3];
	const struct slice parts[] = {{0}, in};
	AUTO(buf) struct buf head = {0}, body = {0};

	/* 2026-01-05T08:00:00Z: just after the seeds' answers */
	buf_addf(&head, "{\"time\":1767600000,\"type\":\"%s\",\"want\":{\"newer_than\":\"2026-01-01T00:00:00Z\",\"cert_der\":\"", type);
	buf_addbase64(&head, fuzz_kit("signer.der"));
	buf_adds(&head, "\",\"issuer_der\":\"");
	buf_addbase64(&head, fuzz_kit("ca.der"));
	buf_adds(&head, "\"}}");
	request_of(&body, buf_str(&head), parts, 2);
	fuzz_must(ask_cage(CAGED_ANSWER, buf_slice(&body), -1) != ERR_BUG);
}

/* A TimeStampResp that a TSA sent, then the same octets as a stored token. */
static void
one_stamp(struct slice in)
{
	const struct slice parts[] = {{0}, in, {(const uint8_t *)"12345678", 8}}, stored[] = {{0}, in, {0}};
	AUTO(buf) struct buf body = {0};

	request_of(&body, "{\"time\":1780000000,\"imprint\":\"sha256:0101010101010101010101010101010101010101010101010101010101010101\",\"policy\":null,"
	    "\"sent\":1779999999,\"received\":1780000000,\"tolerance\":60,\"not_before\":null,\"min_life\":0}", parts, 3);
	fuzz_must(ask_cage(CAGED_TOKEN, buf_slice(&body), -1) != ERR_BUG);
	buf_clear(&body);
	request_of(&body, "{\"time\":1780000000,\"newer_than\":\"2026-02-01T00:00:00Z\"}", stored, 3);
	fuzz_must(ask_cage(CAGED_TSA_MATERIAL, buf_slice(&body), -1) != ERR_BUG);
}

#define PASSWORD "open sesame"

/* ---- HTTP: first line the address that is asked, the rest what comes back, to it and to every redirect ---- */

static struct server {
	int fd;
	unsigned port;
	pthread_mutex_t lock;
	struct slice answer;
	struct config *cfg;
} server = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static void *
serve(void *ctx)
{
	struct timeval wait = {1, 0};
	char piece[4096];

	(void)ctx;
	for (;;) {
		int fd = accept(server.fd, NULL, NULL);

		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		(void)!recv(fd, piece, sizeof(piece), 0);
		pthread_mutex_lock(&server.lock);
		(void)!send(fd, server.answer.p, server.answer.n, MSG_NOSIGNAL);
		pthread_mutex_unlock(&server.lock);
		shutdown(fd, SHUT_WR);
		(void)!recv(fd, piece, sizeof(piece), 0);
		close(fd);
	}
	return NULL;
}

static bool
open_http(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	AUTO(buf) struct buf text = {0};
	AUTO(faults) struct faults f = {0};
	struct err e = {0};
	pthread_t t;

	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(server.fd, 8) != 0 || getsockname(server.fd, (struct sockaddr *)&a, &n) != 0)
		return false;
	/* By a proxy, so that no name is looked up: whatever the address, it is this server that answers. */
	buf_addf(&text, "[archive]\ndir = a\n[trust]\ndir = t\n[spool s]\ndir = s\n[tsa t]\nurl = http://127.0.0.1/\n[profile default]\nversion = 1\ntsa = t\n"
	    "[net]\nallow_net = 127.0.0.1:%u\nproxy = http://127.0.0.1:%u\nconnect_timeout = 2s\ntsa_timeout = 2s\nocsp_timeout = 2s\naia_timeout = 2s\n"
	    "crl_timeout = 2s\nanswer_size = 4KiB\ncrl_size = 8KiB\n", ntohs(a.sin_port), ntohs(a.sin_port));
	if (config_parse(buf_slice(&text), "everseal.conf", &server.cfg, &f, &e) != ERR_OK || net_warm_up(NULL, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	return pthread_create(&t, NULL, serve, NULL) == 0 && pthread_detach(t) == 0;
}

static void
add_text(struct buf *b, const char *s)
{
	buf_add8(b, s != NULL);
	buf_addvec(b, slice_str(s));
}

static void
one_http(struct slice in)
{
	const uint8_t *line_end = in.n != 0 ? memchr(in.p, '\n', in.n) : NULL;
	size_t n = line_end != NULL ? (size_t)(line_end - in.p) : 0;
	AUTO(mem) char *url = mem_dup(in.p, n);
	AUTO(buf) struct buf request = {0}, reply = {0};
	AUTO(fetch_answer) struct fetch_answer a = {.class = FETCH_LOCAL};
	enum fetch_type type = FETCH_TSP + fuzz_choice(in) % 4;
	struct err e = {0};
	int i;

	pthread_mutex_lock(&server.lock);
	server.answer = line_end != NULL ? slice_of(line_end + 1, in.n - n - 1) : in;
	pthread_mutex_unlock(&server.lock);
	buf_add8(&request, type);
	buf_add8(&request, 1);
	add_text(&request, type == FETCH_TSP ? "POST" : "GET");
	add_text(&request, url);
	add_text(&request, "someone");
	add_text(&request, PASSWORD);
	for (i = 0; i < 4; i++)
		add_text(&request, NULL);
	buf_addvec(&request, slice_str("body"));
	fuzz_must(net_handle(server.cfg, 0, buf_slice(&request), NULL, 0, &reply, &e) == ERR_OK);
	fuzz_must(fetch_answer_read(buf_slice(&reply), &a, &e) == ERR_OK);
	fuzz_must(a.class <= FETCH_LOCAL && a.body.n <= server.cfg->net.crl_bytes);
	/* Nothing tells the password that did not come from the other side. */
	fuzz_must(strstr(a.why, PASSWORD) == NULL || memmem(in.p, in.n, PASSWORD, strlen(PASSWORD)) != NULL);
	fuzz_must(a.class != FETCH_OK || (a.http_status / 100 == 2 && a.body.n != 0));
	pthread_mutex_lock(&server.lock);
	server.answer = (struct slice){0};
	pthread_mutex_unlock(&server.lock);
	ERR_clear_error();
}

/* Frames of the net process: main's request as that reads it, its answer as main does. */
static void
one_fetch(struct slice in)
{
	AUTO(fetch_answer) struct fetch_answer a = {.class = FETCH_LOCAL};
	struct err e = {0};

	if (fetch_answer_read(in, &a, &e) == ERR_OK)
		fuzz_must(strlen(a.why) < sizeof(a.why) && strlen(a.address) < sizeof(a.address) && fetch_class_name(a.class) != NULL);
}

const struct fuzz_entry fuzz_process[] = {
    {.name = "frame", .max_bytes = 8192, .one = one_frame},
    {.name = "worker", .seeds = "frame", .max_bytes = 8192, .one = one_worker},
    {.name = "request", .max_bytes = 65536, .open = open_cage, .one = one_request},
    {.name = "cage", .seeds = "xml", .max_bytes = 65536, .open = open_cage, .one = one_cage},
    {.name = "answer", .max_bytes = 32768, .open = open_cage, .one = one_answer},
    {.name = "stamp", .seeds = "response token", .max_bytes = 32768, .open = open_cage, .one = one_stamp},
    {.name = "http", .max_bytes = 12288, .open = open_http, .one = one_http},
    {.name = "fetch", .max_bytes = 8192, .one = one_fetch},
    {.name = NULL},
};
