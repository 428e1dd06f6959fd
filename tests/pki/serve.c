/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side, on loopback: a thread for each connection, so that a slow
 * answer holds up nobody else, and one lock around the hierarchy.
 */
#include "tests/pki/pki.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX 65536
#define ENDLESS_PIECE 65536

struct server {
	struct pki *p;
	pthread_mutex_t lock;
};

struct request {
	struct buf body;
};

struct answer {
	struct buf body;
	const char *type;
	unsigned status;
	const char *service; /* whose misbehaviour applies */
	enum bad mode;
};

static enum err_code
answer_tsa(struct pki *p, const char *name, struct slice body, int64_t now,
    struct answer *a, struct err *e)
{
	const struct line *l = line_find(name);

	if (l == NULL || l->role != ROLE_TSA)
		return err_set(e, ERR_NOTFOUND, "no TSA %.40s", name);
	a->service = l->name;
	a->mode = bad_take(p, a->service);
	a->type = "application/timestamp-reply";
	return tsa_answer(p, l, body, now, a->mode, &a->body, e);
}

/* POST, or GET with the request in base64 behind the responder's path (RFC 6960
 * A.1). */
static enum err_code
answer_ocsp(struct pki *p, const char *rest, struct slice body, int64_t now,
    struct answer *a, struct err *e)
{
	AUTO(buf) struct buf request = {0};
	const char *text = strchr(rest, '/');

	if (body.n > 0)
		buf_addslice(&request, body);
	else if (text == NULL ||
		 base64_to(slice_str(text + 1), &request, NULL) != ERR_OK)
		buf_clear(&request);
	a->service = "ocsp";
	a->mode = bad_take(p, a->service);
	a->type = "application/ocsp-response";
	return ocsp_answer(p, buf_slice(&request), now, a->mode, &a->body, e);
}

/* "ca1-1.crl" -> the authority; it must not have ended: nobody publishes for a
 * CA that is gone. */
static enum err_code
named(struct pki *p, const char *file, const char *ending, int64_t now,
    struct authority **out, struct err *e)
{
	char id[PKI_NAME];
	size_t n = strlen(file), tail = strlen(ending);

	if (n <= tail || n - tail >= sizeof(id) ||
	    strcmp(file + n - tail, ending) != 0)
		return err_set(e, ERR_NOTFOUND, "no file %.60s", file);
	snprintf(id, sizeof(id), "%.*s", (int)(n - tail), file);
	return authority_find(p, id, now, out, e);
}

static enum err_code
answer_crl(struct pki *p, const char *file, int64_t now, struct answer *a,
    struct err *e)
{
	struct authority *ca;

	if (named(p, file, ".crl", now, &ca, e) != ERR_OK)
		return e->code;
	if (ca->until_utc < now ||
	    (ca->line != NULL && ca->line->role == ROLE_TSA))
		return err_set(e, ERR_NOTFOUND, "%s publishes no CRL", ca->id);
	a->service = "crl";
	a->mode = bad_take(p, a->service);
	a->type = "application/pkix-crl";
	return crl_make(p, ca, now, a->mode, &a->body, e);
}

static enum err_code
answer_cert(struct pki *p, const char *file, int64_t now, struct answer *a,
    struct err *e)
{
	struct authority *ca;

	if (named(p, file, ".crt", now, &ca, e) != ERR_OK)
		return e->code;
	a->service = "aia";
	a->mode = bad_take(p, a->service);
	a->type = "application/pkix-cert";
	return cert_der(ca->cert, &a->body, e);
}

static enum err_code
answer_policy(struct pki *p, struct answer *a, struct err *e)
{
	a->service = "aia";
	a->type = "text/plain";
	return pki_policy(p, &a->body, e);
}

static enum err_code
route(struct pki *p, const char *url, struct slice body, struct answer *a,
    struct err *e)
{
	int64_t now;

	if (pki_now(p, &now, e) != ERR_OK)
		return e->code;
	if (strncmp(url, "/ocsp/", 6) == 0)
		return answer_ocsp(p, url + 6, body, now, a, e);
	if (strncmp(url, "/crl/", 5) == 0)
		return answer_crl(p, url + 5, now, a, e);
	if (strncmp(url, "/ca/", 4) == 0)
		return answer_cert(p, url + 4, now, a, e);
	if (strcmp(url, "/policy") == 0)
		return answer_policy(p, a, e);
	return answer_tsa(p, url + 1, body, now, a, e);
}

static void
page(struct answer *a, unsigned status, const char *text)
{
	buf_clear(&a->body);
	buf_addf(&a->body,
	    "<!DOCTYPE html><html><body><h1>%s</h1></body></html>\n", text);
	a->type = "text/html";
	a->status = status;
}

/* What misbehaves below the protocol. */
static void
spoil(struct answer *a)
{
	static const struct {
		enum bad mode;
		unsigned status;
		const char *text;
	} rows[] = {{BAD_HTTP400, 400, "Bad Request"},
	    {BAD_HTTP404, 404, "Not Found"},
	    {BAD_HTTP429, 429, "Too Many Requests"},
	    {BAD_REDIRECT, 302, "Found"},
	    {BAD_HTTP500, 500, "Internal Server Error"},
	    {BAD_AWAY, 503, "Service Unavailable"}, {BAD_HTML, 200, "Welcome"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (a->mode == rows[i].mode)
			page(a, rows[i].status, rows[i].text);
	if (a->mode == BAD_EMPTY)
		buf_clear(&a->body);
	/* the last octet lies in the signature or, in a short rejection, in the
	 * status */
	if (a->mode == BAD_GARBAGE && a->body.n > 0)
		a->body.p[a->body.n - 1] ^= 1;
}

static void
log_line(const struct pki *p, const char *method, const char *url,
    const struct answer *a)
{
	AUTO(mem) char *path = pki_path(p, "access.log");
	AUTO(buf) struct buf line = {0};
	char at[TIME_TEXT] = "-";
	int64_t now;

	if (pki_now(p, &now, NULL) == ERR_OK)
		time_text(now, at);
	buf_addf(&line, "%s %s %.120s %u %zu %s\n", at, method, url, a->status,
	    a->body.n, bad_word(a->mode));
	if (path == NULL || pki_append(path, buf_str(&line), NULL) != ERR_OK)
		fprintf(stderr, "testpki: access.log can't be written\n");
}

static void
make_answer(struct server *s, const char *method, const char *url,
    struct slice body, struct answer *a)
{
	struct err e = {0};

	pthread_mutex_lock(&s->lock);
	a->status = 200;
	if (route(s->p, url, body, a, &e) != ERR_OK) {
		page(a, e.code == ERR_NOTFOUND ? 404 : 500, e.text);
		fprintf(stderr, "testpki: %s %s: %s\n", method, url, e.text);
	}
	spoil(a);
	log_line(s->p, method, url, a);
	pthread_mutex_unlock(&s->lock);
}

struct drip {
	struct buf body;
	enum bad mode;
};

static void
drip_free(void *ctx)
{
	struct drip *d = ctx;

	buf_release(&d->body);
	free(d);
}

static ssize_t
drip_read(void *ctx, uint64_t pos, char *to, size_t max)
{
	struct drip *d = ctx;
	size_t left = pos < d->body.n ? d->body.n - (size_t)pos : 0;

	if (d->mode == BAD_ENDLESS) {
		memset(to, 0x30, max < ENDLESS_PIECE ? max : ENDLESS_PIECE);
		return (ssize_t)(max < ENDLESS_PIECE ? max : ENDLESS_PIECE);
	}
	if (d->mode == BAD_SLOW) {
		sleep(1);
		memcpy(to, d->body.p + pos, 1);
		return 1;
	}
	if (pos >= d->body.n / 2)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	left = d->body.n / 2 - (size_t)pos;
	left = left < max ? left : max;
	memcpy(to, d->body.p + pos, left);
	return (ssize_t)left;
}

static struct MHD_Response *
response_of(struct answer *a)
{
	struct drip *d;

	if (a->mode != BAD_ENDLESS && a->mode != BAD_SLOW &&
	    a->mode != BAD_CUTOFF)
		return MHD_create_response_from_buffer(
		    a->body.n, a->body.p, MHD_RESPMEM_MUST_COPY);
	if ((d = mem_new(1, sizeof(*d))) == NULL)
		return NULL;
	d->mode = a->mode;
	d->body = a->body;
	a->body = (struct buf){0};
	return MHD_create_response_from_callback(
	    d->mode == BAD_ENDLESS ? MHD_SIZE_UNKNOWN : d->body.n,
	    ENDLESS_PIECE, drip_read, d, drip_free);
}

static enum MHD_Result
reply(struct MHD_Connection *c, const char *url, struct answer *a)
{
	struct MHD_Response *r = response_of(a);
	enum MHD_Result ok = MHD_NO;

	if (r != NULL) {
		MHD_add_response_header(r, "Content-Type", a->type);
		if (a->mode == BAD_HTTP429)
			MHD_add_response_header(r, "Retry-After", "60");
		if (a->mode == BAD_REDIRECT)
			MHD_add_response_header(r, "Location", url);
		ok = MHD_queue_response(c, a->status, r);
		MHD_destroy_response(r);
	}
	buf_release(&a->body);
	return ok;
}

static enum MHD_Result
handle(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state)
{
	struct request *r = *state;
	struct answer a = {.type = "text/plain"};

	(void)version;
	if (r == NULL) {
		*state = r = mem_new(1, sizeof(*r));
		if (r != NULL)
			r->body.max_bytes = REQUEST_MAX;
		return r != NULL ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		buf_add(&r->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	make_answer(ctx, method, url, buf_slice(&r->body), &a);
	return reply(c, url, &a);
}

static void
done(void *ctx, struct MHD_Connection *c, void **state,
    enum MHD_RequestTerminationCode why)
{
	struct request *r = *state;

	(void)ctx;
	(void)c;
	(void)why;
	if (r != NULL)
		buf_release(&r->body);
	free(r);
}

static enum err_code
write_ready(const struct pki *p, const char *ready, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(mem) char *pid = pki_path(p, "serve.pid");

	if (pid == NULL)
		return err_nomem(e);
	buf_addf(&text, "%ld %d\n", (long)getpid(), p->port);
	if (pki_write(pid, buf_slice(&text), e) != ERR_OK)
		return e->code;
	return ready != NULL ? pki_write(ready, buf_slice(&text), e) : ERR_OK;
}

/* told: descriptor that gets one octet when requests are taken; -1: none. */
static enum err_code
run(struct server *s, const char *ready, int told, struct err *e)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)s->p->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct MHD_Daemon *d;
	sigset_t stop;
	int got;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	d = MHD_start_daemon(
	    MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	    (uint16_t)s->p->port, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR,
	    (struct sockaddr *)&at, MHD_OPTION_NOTIFY_COMPLETED, done, NULL,
	    MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
	if (d == NULL)
		return err_set(
		    e, ERR_BUSY, "port %d can't be served", s->p->port);
	if (write_ready(s->p, ready, e) == ERR_OK) {
		if (told >= 0 && write(told, "r", 1) != 1)
			fprintf(
			    stderr, "testpki: nobody waits for the start\n");
		if (told >= 0)
			close(told);
		sigwait(&stop, &got);
	}
	MHD_stop_daemon(d);
	return ERR_OK;
}

/* The parent leaves when the child takes requests, or with its failure. */
static enum err_code
detach(const struct pki *p, int *told, struct err *e)
{
	AUTO(mem) char *log = pki_path(p, "serve.log");
	int ends[2], fd;
	char octet;
	pid_t child;

	if (log == NULL || pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
		return err_set(e, ERR_IO, "the server can't be detached");
	if (child > 0) {
		close(ends[1]);
		_exit(read(ends[0], &octet, 1) == 1 ? 0 : 75);
	}
	close(ends[0]);
	setsid();
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
	}
	if ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		dup2(fd, 0);
		close(fd);
	}
	*told = ends[1];
	return ERR_OK;
}

enum err_code
serve(struct pki *p, const char *ready, bool daemonise, struct err *e)
{
	struct server s = {.p = p, .lock = PTHREAD_MUTEX_INITIALIZER};
	int told = -1;

	if (daemonise && detach(p, &told, e) != ERR_OK)
		return e->code;
	return run(&s, ready, told, e);
}
