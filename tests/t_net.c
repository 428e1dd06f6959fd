/* SPDX-License-Identifier: MIT */
/*
 * The net process against servers that answer well, badly, slowly or without
 * end (tsp-ocsp-crl 7): addresses, redirects, caps, classes, TLS with a
 * client certificate. Everything runs in the cage of the role.
 */
#include "archiver/fetch.h"
#include "base/sys.h"
#include "tests/kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the servers: one child each, one connection at a time --- */

struct server {
	pid_t pid;
	unsigned port;
};

struct world {
	struct kit_dir dir;
	struct server open, first, shut, tls; /* first leads to open; shut: runs, but no rule allows its port */
	struct config *cfg;
	struct fetcher *net;
};

static void
server_end(struct server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static int
listen_at(unsigned *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

/* Fixed answers: path, then what goes out as it is. %u = the port of another server. */
static const struct {
	const char *path, *answer;
} fixed[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 5\r\n\r\nhello"},
    {"/octets", "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\nhello"},
    {"/html", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"},
    {"/empty", "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 0\r\n\r\n"},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 100\r\n\r\nhello"},
    {"/chunkcut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
    {"/head", "HTTP/1.1 200 O"},
    {"/large", "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 99999999\r\n\r\nhello"},
    {"/seconds", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"},
    {"/days", "HTTP/1.1 429 Busy\r\nRetry-After: 9999999\r\nContent-Length: 0\r\n\r\n"},
    {"/date", "HTTP/1.1 429 Busy\r\nRetry-After: Fri, 31 Dec 2038 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n"},
    {"/minus", "HTTP/1.1 429 Busy\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n"},
    {"/to-ok", "HTTP/1.1 302 There\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"},
    {"/to-echo", "HTTP/1.1 307 There\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n"},
    {"/to-echo-301", "HTTP/1.1 301 There\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n"},
    {"/to-who", "HTTP/1.1 302 There\r\nLocation: /who\r\nContent-Length: 0\r\n\r\n"},
    {"/to-other", "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:%u/who\r\nContent-Length: 0\r\n\r\n"},
    {"/loop", "HTTP/1.1 302 There\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"},
    {"/to-file", "HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"},
    {"/to-gopher", "HTTP/1.1 302 There\r\nLocation: gopher://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n"},
    {"/to-user", "HTTP/1.1 302 There\r\nLocation: http://me:secret@127.0.0.1/ok\r\nContent-Length: 0\r\n\r\n"},
    {"/to-shut", "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:%u/ok\r\nContent-Length: 0\r\n\r\n"},
    {"/to-inside", "HTTP/1.1 302 There\r\nLocation: http://[::ffff:127.0.0.1]:%u/ok\r\nContent-Length: 0\r\n\r\n"},
};

static void
drip(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 500\r\n\r\n");
	for (int i = 0; i < 60; i++) {
		say(fd, "x");
		usleep(500000);
	}
}

static void
endless(int fd)
{
	static const char many[4096] = "x";

	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n\r\n");
	while (write(fd, many, sizeof(many)) > 0)
		continue;
}

static void
endless_headers(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 1000000; i++)
		if (write(fd, "X-Header: and so on\r\n", 21) <= 0)
			return;
}

/* Method, then the body as it came. */
static void
echo(int fd, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n");
	char out[600];

	snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: %zu\r\n\r\n%.4s %.300s",
	    5 + strlen(body + 4), request, body + 4);
	say(fd, out);
}

static void
answer(int fd, unsigned another)
{
	char request[4096] = "", path[200] = "", out[600];
	size_t i, n = 0;
	int status = 0;

	while (n < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL) {
		ssize_t k = read(fd, request + n, sizeof(request) - 1 - n);

		if (k <= 0)
			return;
		n += (size_t)k;
		request[n] = 0;
	}
	if (strncmp(request, "POST", 4) == 0 && strcmp(strstr(request, "\r\n\r\n"), "\r\n\r\n") == 0 && n < sizeof(request) - 1)
		(void)!read(fd, request + n, sizeof(request) - 1 - n);
	if (sscanf(request, "%*s %199s", path) != 1)
		return;
	if (sscanf(path, "/status/%d", &status) == 1) {
		snprintf(out, sizeof(out), "HTTP/1.1 %d So\r\nContent-Length: 0\r\n\r\n", status);
		say(fd, out);
	}
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (strcmp(path, fixed[i].path) != 0)
			continue;
		const char *port = strstr(fixed[i].answer, "%u");

		if (port != NULL)
			snprintf(out, sizeof(out), "%.*s%u%s", (int)(port - fixed[i].answer), fixed[i].answer, another, port + 2);
		say(fd, port != NULL ? out : fixed[i].answer);
	}
	if (strcmp(path, "/who") == 0)
		say(fd, strstr(request, "Authorization:") != NULL || strstr(request, "X-Token:") != NULL
			? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nknown"
			: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunknown");
	if (strcmp(path, "/echo") == 0)
		echo(fd, request);
	else if (strcmp(path, "/drip") == 0)
		drip(fd);
	else if (strcmp(path, "/endless") == 0)
		endless(fd);
	else if (strcmp(path, "/headers") == 0)
		endless_headers(fd);
	else if (strcmp(path, "/silent") == 0)
		sleep(30);
}

static struct server
serve(unsigned another)
{
	struct server s = {0};
	int fd = listen_at(&s.port), one;

	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
		signal(SIGPIPE, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		while ((one = accept(fd, NULL, NULL)) >= 0) {
			if (fork() == 0) { /* what drips must not hold up the next */
				alarm(40);
				answer(one, another);
				_exit(0);
			}
			close(one);
		}
		_exit(0);
	}
	close(fd);
	return s;
}

/* HTTPS that asks for a certificate of our CA, and takes nobody without. */
static struct server
serve_tls(const char *dir)
{
	struct server s = {0};
	int fd = listen_at(&s.port), one;

	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid != 0) {
		close(fd);
		return s;
	}
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (chdir(dir) != 0 || SSL_CTX_use_certificate_file(ctx, "server.pem", SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, "server.key", SSL_FILETYPE_PEM) != 1 || SSL_CTX_load_verify_file(ctx, "ca.pem") != 1)
		_exit(1);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION); /* so that a configuration can ask for more */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	while ((one = accept(fd, NULL, NULL)) >= 0) {
		char request[2048];
		SSL *ssl = SSL_new(ctx);

		SSL_set_fd(ssl, one);
		if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0)
			(void)!SSL_write(ssl, fixed[0].answer, (int)strlen(fixed[0].answer));
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(one);
	}
	_exit(0);
}

/* --- the world --- */

static void
certificates(const char *dir)
{
	char cmd[1600];

	snprintf(cmd, sizeof(cmd),
	    "cd %s && new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -x509 -days 30' && "
	    "$new -keyout ca.key -out ca.pem -subj '/CN=CA' && $new -keyout other.key -out other.pem -subj '/CN=Other CA' && "
	    "$new -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem -subj '/CN=server' -addext subjectAltName=IP:127.0.0.1 && "
	    "$new -CA ca.pem -CAkey ca.key -keyout client.key -out client.pem -subj '/CN=client' && "
	    "$new -CA other.pem -CAkey other.key -keyout stranger.key -out stranger.pem -subj '/CN=stranger'", dir);
	char all[1700];

	snprintf(all, sizeof(all), "( %s ) >/dev/null 2>&1", cmd);
	assert_int_equal(system(all), 0);
}

static void
world_make(struct world *w)
{
	AUTO(faults) struct faults f = {0};
	AUTO(buf) struct buf text = {0};
	struct err e = {0};
	char token[200];
	const char *d;

	w->dir = kit_dir_new();
	d = w->dir.path;
	certificates(d);
	snprintf(token, sizeof(token), "echo 'X-Token: 42' >%s/token", d);
	assert_int_equal(system(token), 0);
	w->shut = serve(0);
	w->open = serve(w->shut.port);
	w->first = serve(w->open.port);
	w->tls = serve_tls(d);
	buf_addf(&text, "[archive]\ndir = %s/a\n[trust]\ndir = %s\n[spool s]\ndir = %s/s\n[net]\nallow_net = 127.0.0.1:%u 127.0.0.1:%u 127.0.0.1:%u\n"
			"connect_timeout = 2s\ntsa_timeout = 2s\nocsp_timeout = 2s\naia_timeout = 2s\ncrl_timeout = 2s\nanswer_size = 64KiB\n",
	    d, d, d, w->open.port, w->first.port, w->tls.port);
	buf_addf(&text, "[tsa a]\nurl = https://127.0.0.1:%u/ok\nclient_cert = %s/client.pem\nclient_key = %s/client.key\nca_file = %s/ca.pem\n",
	    w->tls.port, d, d, d);
	buf_addf(&text, "[tsa c]\nurl = https://127.0.0.1:1/ok\nheader_file = %s/token\n[tsa b]\nurl = https://127.0.0.1:%u/ok\nclient_cert = %s/stranger.pem\nclient_key = %s/stranger.key\nca_file = %s/other.pem\n",
	    d, w->tls.port, d, d, d);
	if (config_parse(buf_slice(&text), "t.conf", &w->cfg, &f, &e) != ERR_OK)
		fail_msg("%s", e.text);
	OK(fetcher_start(w->cfg, false, &w->net, &e));
}

static void
world_auto(struct world *w)
{
	fetcher_free(w->net);
	config_free(w->cfg);
	server_end(&w->open);
	server_end(&w->first);
	server_end(&w->shut);
	server_end(&w->tls);
	kit_dir_free(&w->dir);
}

static enum fetch_class
get(struct world *w, enum fetch_type type, const char *url, struct fetch_answer *a)
{
	struct fetch_request r = {.type = type, .method = "GET", .url = url};
	struct err e = {0};

	fetch_answer_release(a);
	OK(fetch(w->net, &r, a, &e));
	return a->class;
}

static enum fetch_class
at(struct world *w, const char *path, struct fetch_answer *a)
{
	char url[300];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", w->open.port, path);
	return get(w, FETCH_TSP, url, a);
}

#define CLASS(want, have) assert_string_equal(fetch_class_name(want), fetch_class_name(have))

/* --- addresses --- */

static void
test_forbidden_addresses(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1/", "http://127.0.0.1:%u/ok", "http://127.1:%u/ok", "http://0x7f000001:%u/ok",
	    "http://2130706433:%u/ok", "http://localhost:%u/ok", "http://0.0.0.0:%u/ok", "http://[::1]:%u/ok", "http://[::ffff:127.0.0.1]:%u/ok",
	    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.0.1/", "http://169.254.169.254/", "http://[fe80::1]/", "http://[fd00::1]/",
	    "http://224.0.0.1/", "http://100.64.0.1/", "http://192.0.2.1:8080/", "http://[64:ff9b::7f00:1]/"};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	size_t i;

	(void)state;
	world_make(&w);
	CLASS(FETCH_OK, at(&w, "/ok", &a));
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *port = strstr(urls[i], "%u");
		char url[300];

		if (port != NULL)
			snprintf(url, sizeof(url), "%.*s%u%s", (int)(port - urls[i]), urls[i], w.shut.port, port + 2);
		else
			snprintf(url, sizeof(url), "%s", urls[i]);
		if (get(&w, FETCH_CRL, url, &a) == FETCH_OK || a.body.n != 0)
			fail_msg("%s was fetched", url);
		if (strstr(a.why, "may be connected to") == NULL && strncmp(url, "http://[", 8) != 0 && strstr(url, "localhost") == NULL)
			fail_msg("%s: %s", url, a.why);
		CLASS(FETCH_ALTERNATE, a.class == FETCH_RETRY ? FETCH_ALTERNATE : a.class);
	}
}

static void
test_forbidden_urls(void **state)
{
	static const char *const urls[] = {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/x", "ldap://127.0.0.1/x", "dict://127.0.0.1/x",
	    "http://me:secret@127.0.0.1/ok", "http://me@127.0.0.1/ok", "", "ok", "http://", "javascript:1"};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	size_t i;

	(void)state;
	world_make(&w);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		CLASS(FETCH_ALTERNATE, get(&w, FETCH_CERT, urls[i], &a));
		assert_int_equal(a.body.n, 0);
	}
}

static void
test_redirects(void **state)
{
	static const char *const bad[] = {"/loop", "/to-file", "/to-gopher", "/to-user", "/to-shut", "/to-inside"};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	struct err e = {0};
	char url[100];
	size_t i;

	(void)state;
	world_make(&w);
	CLASS(FETCH_OK, at(&w, "/to-ok", &a));
	SAME(buf_slice(&a.body), slice_str("hello"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (at(&w, bad[i], &a) != FETCH_ALTERNATE || a.body.n != 0)
			fail_msg("%s: %s, %s", bad[i], fetch_class_name(a.class), a.why);
	}
	for (i = 0; i < 2; i++) { /* a POST stays one */
		struct fetch_request r = {.type = FETCH_TSP, .method = "POST", .url = url, .body = slice_str("query")};

		snprintf(url, sizeof(url), "http://127.0.0.1:%u/to-echo%s", w.open.port, i == 0 ? "" : "-301");
		fetch_answer_release(&a);
		OK(fetch(w.net, &r, &a, &e));
		CLASS(FETCH_OK, a.class);
		SAME(buf_slice(&a.body), slice_str("POST query"));
	}
}

/* Credentials are for the service that the configuration names, not for whom it redirects to. */
static void
test_credentials_stay(void **state)
{
	static const struct {
		const char *path, *want;
	} rows[] = {{"/who", "known"}, {"/to-who", "known"}, {"/to-other", "unknown"}};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	struct err e = {0};
	char url[100], file[200];
	size_t i, k;

	(void)state;
	world_make(&w);
	snprintf(file, sizeof(file), "%s/token", w.dir.path);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (k = 0; k < 2; k++) {
			struct fetch_request r = {.type = FETCH_CRL, .method = "GET", .url = url, .configured = true,
			    .user = k == 0 ? "me" : NULL, .password = k == 0 ? "secret" : NULL, .header_file = k == 1 ? file : NULL};

			snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", w.first.port, rows[i].path);
			fetch_answer_release(&a);
			OK(fetch(w.net, &r, &a, &e));
			if (a.class != FETCH_OK)
				fail_msg("%s: %s: %s", url, fetch_class_name(a.class), a.why);
			SAME(buf_slice(&a.body), slice_str(rows[i].want));
		}
	}
}

/* --- what a server does --- */

static void
test_classes(void **state)
{
	static const struct {
		const char *path;
		enum fetch_class want;
	} rows[] = {{"/status/408", FETCH_RETRY}, {"/status/425", FETCH_RETRY}, {"/status/429", FETCH_RETRY}, {"/status/500", FETCH_RETRY},
	    {"/status/502", FETCH_RETRY}, {"/status/503", FETCH_RETRY}, {"/status/504", FETCH_RETRY}, {"/status/404", FETCH_ALTERNATE},
	    {"/status/410", FETCH_ALTERNATE}, {"/status/403", FETCH_ALTERNATE}, {"/status/401", FETCH_ALTERNATE}, {"/status/400", FETCH_CONFIG},
	    {"/status/405", FETCH_CONFIG}, {"/status/413", FETCH_CONFIG}, {"/status/415", FETCH_CONFIG}, {"/html", FETCH_ALTERNATE},
	    {"/empty", FETCH_RETRY}, {"/cut", FETCH_RETRY}, {"/head", FETCH_RETRY}, {"/nothing", FETCH_RETRY}, {"/large", FETCH_REFUSED},
	    {"/endless", FETCH_REFUSED}, {"/octets", FETCH_OK}};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	size_t i;

	(void)state;
	world_make(&w);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (at(&w, rows[i].path, &a) != rows[i].want || (rows[i].want != FETCH_OK && a.body.n != 0))
			fail_msg("%s: %s, not %s: %s", rows[i].path, fetch_class_name(a.class), fetch_class_name(rows[i].want), a.why);
	assert_true(at(&w, "/chunkcut", &a) != FETCH_OK && a.body.n == 0);
	CLASS(FETCH_OK, at(&w, "/ok", &a)); /* after all that, it goes on */
}

static void
test_retry_after(void **state)
{
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};

	(void)state;
	world_make(&w);
	CLASS(FETCH_RETRY, at(&w, "/seconds", &a));
	assert_int_equal(a.retry_after_seconds, 120);
	CLASS(FETCH_RETRY, at(&w, "/days", &a));
	assert_int_equal(a.retry_after_seconds, 86400);
	CLASS(FETCH_RETRY, at(&w, "/date", &a));
	assert_true(a.retry_after_seconds > 0 && a.retry_after_seconds <= 86400);
	CLASS(FETCH_RETRY, at(&w, "/minus", &a));
	assert_true(a.retry_after_seconds >= -1 && a.retry_after_seconds <= 86400);
	CLASS(FETCH_OK, at(&w, "/ok", &a));
	assert_int_equal(a.retry_after_seconds, -1);
}

static void
test_slow(void **state)
{
	static const char *const paths[] = {"/drip", "/silent", "/headers"};
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	size_t i;

	(void)state;
	world_make(&w);
	for (i = 0; i < 3; i++) {
		int64_t began = sys_monotonic_ms();

		if (at(&w, paths[i], &a) == FETCH_OK)
			fail_msg("%s was taken", paths[i]);
		if (sys_monotonic_ms() - began > 6000)
			fail_msg("%s took %lld ms", paths[i], (long long)(sys_monotonic_ms() - began));
		CLASS(FETCH_OK, at(&w, "/ok", &a));
	}
}

/* --- TLS --- */

static enum fetch_class
tls(struct world *w, const char *cert, const char *ca, struct fetch_answer *a)
{
	char url[100], c[200], k[200], f[200];
	struct fetch_request r = {.type = FETCH_TSP, .method = "POST", .url = url, .body = slice_str("query"), .configured = true};
	struct err e = {0};

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/ok", w->tls.port);
	snprintf(c, sizeof(c), "%s/%s.pem", w->dir.path, cert != NULL ? cert : "");
	snprintf(k, sizeof(k), "%s/%s.key", w->dir.path, cert != NULL ? cert : "");
	snprintf(f, sizeof(f), "%s/%s.pem", w->dir.path, ca);
	if (cert != NULL) {
		r.client_cert = c;
		r.client_key = k;
	}
	r.ca_file = f;
	fetch_answer_release(a);
	OK(fetch(w->net, &r, a, &e));
	return a->class;
}

static void
test_client_certificate(void **state)
{
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};

	(void)state;
	world_make(&w);
	CLASS(FETCH_OK, tls(&w, "client", "ca", &a));
	SAME(buf_slice(&a.body), slice_str("hello"));
	assert_true(tls(&w, NULL, "ca", &a) != FETCH_OK && a.body.n == 0);
	assert_true(tls(&w, "stranger", "ca", &a) != FETCH_OK && a.body.n == 0);
	CLASS(FETCH_CONFIG, tls(&w, "client", "other", &a)); /* the server is not who it should be: nobody goes on quietly */
	CLASS(FETCH_OK, tls(&w, "client", "ca", &a));
}

/* It demands a protocol that the server has not. Main itself reads no configuration, as the program's does not. */
static void
test_openssl_configuration(void **state)
{
	AUTO(mem) char *path = NULL;
	AUTO(fetch_answer) struct fetch_answer a = {0};
	AUTO(world) struct world w = {0};
	struct err e = {0};

	(void)state;
	world_make(&w);
	path = mem_printf("%s/openssl.cnf", w.dir.path);
	OK(sys_write_durably(w.dir.fd, "openssl.cnf",
	    slice_str("openssl_conf = i\n[i]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\nMinProtocol = TLSv1.3\n"), 0600, &e));
	for (int strict = 1; strict >= 0; strict--) {
		fetcher_free(w.net);
		w.net = NULL;
		if (strict)
			setenv("OPENSSL_CONF", path, 1);
		OK(fetcher_start(w.cfg, false, &w.net, &e));
		unsetenv("OPENSSL_CONF");
		assert_true((tls(&w, "client", "ca", &a) == FETCH_OK) == !strict);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forbidden_addresses),
	    cmocka_unit_test(test_forbidden_urls),
	    cmocka_unit_test(test_redirects),
	    cmocka_unit_test(test_credentials_stay),
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_retry_after),
	    cmocka_unit_test(test_slow),
	    cmocka_unit_test(test_client_certificate),
	    cmocka_unit_test(test_openssl_configuration),
	};

	signal(SIGPIPE, SIG_IGN);
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
