/* SPDX-License-Identifier: MIT */
/*
 * The net process: one HTTP exchange at a time, by the rules of tsp-ocsp-crl 7.
 * URLs come out of deposited certificates: every address is judged when the
 * socket is opened (no gap for rebinding), every redirect again.
 */
#include "archiver/curl_late.h"
#include "archiver/fetch_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/conf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REDIRECTS_MAX 3
#define LOW_SPEED_BYTES 100L
#define LOW_SPEED_S 30L
#define RETRY_AFTER_MAX INT64_C(86400)

static const struct {
	enum fetch_type type;
	const char *sent, *accept;
	const char *good[6]; /* content types that are taken; others only if they are no text */
} types[] = {
    {FETCH_TSP, "application/timestamp-query", "application/timestamp-reply", {"application/timestamp-reply", "application/octet-stream", NULL}},
    {FETCH_OCSP, "application/ocsp-request", "application/ocsp-response", {"application/ocsp-response", "application/octet-stream", NULL}},
    {FETCH_CRL, NULL, "application/pkix-crl, */*", {NULL}},
    {FETCH_CERT, NULL, "application/pkix-cert, application/pkcs7-mime, */*", {NULL}},
};

struct request {
	enum fetch_type type;
	bool configured;
	char *method, *url, *user, *password, *header_file, *client_cert, *client_key, *ca_file;
	struct slice body;
};

struct exchange {
	const struct config *cfg;
	const struct request *req;
	struct buf body;
	uint64_t cap;
	bool too_large, forbidden;
	char refused[80]; /* address that was not connected to */
	char address[64];
	int64_t retry_after;
};

static void
request_auto(struct request *r)
{
	free(r->method);
	free(r->url);
	free(r->user);
	free(r->password);
	free(r->header_file);
	free(r->client_cert);
	free(r->client_key);
	free(r->ca_file);
}

static void
curl_auto(CURL **c)
{
	curl_easy_cleanup(*c);
}

static void
url_auto(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void
headers_auto(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

static void
curltext_auto(char **s)
{
	curl_free(*s);
}

static size_t
row_of(enum fetch_type type)
{
	size_t i;

	for (i = 0; i + 1 < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return i;
	return i;
}

int64_t
net_timeout_ms(const struct config *cfg, enum fetch_type type)
{
	int64_t s = type == FETCH_TSP ? cfg->net.tsa_timeout_seconds
	    : type == FETCH_OCSP      ? cfg->net.ocsp_timeout_seconds
	    : type == FETCH_CRL	      ? cfg->net.crl_timeout_seconds
				      : cfg->net.aia_timeout_seconds;

	return (s > 0 ? s : 60) * 1000;
}

enum err_code
net_warm_up(void *ctx, struct err *e)
{
	/* As OpenSSL would by itself, if main let it: what the system demands of TLS. */
	const unsigned long flags = CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_MISSING_FILE | CONF_MFLAGS_IGNORE_RETURN_CODES;
	CURL *c = NULL;

	(void)ctx;
	(void)CONF_modules_load_file(NULL, NULL, flags);
	if (late_load(&curl_late, e) != ERR_OK)
		return err_wrap(e, "libcurl");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (c = curl_easy_init()) == NULL)
		return err_set(e, ERR_UNSUPPORTED, "libcurl does not start");
	curl_easy_cleanup(c);
	return ERR_OK;
}

/* ---- what comes in ---- */

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;

	if (x->body.n + size * n > x->cap) {
		x->too_large = true;
		return 0;
	}
	buf_add(&x->body, p, size * n);
	return x->body.failed ? 0 : size * n;
}

static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
	static const char name[] = "retry-after:";
	struct exchange *x = ctx;
	char value[64];
	size_t k = size * n;

	if (k <= sizeof(name) || strncasecmp(p, name, sizeof(name) - 1) != 0)
		return size * n;
	p += sizeof(name) - 1;
	k -= sizeof(name) - 1;
	snprintf(value, sizeof(value), "%.*s", (int)(k < 60 ? k : 60), p);
	p = value + strspn(value, " \t");
	/* A date is an instant of the server's clock; without one of ours here it counts as an hour. */
	x->retry_after = *p >= '0' && *p <= '9' ? strtoll(p, NULL, 10) : 3600;
	if (x->retry_after > RETRY_AFTER_MAX)
		x->retry_after = RETRY_AFTER_MAX;
	return size * n;
}

static unsigned
port_of(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
	if (sa->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
	return 0;
}

/* The address as it will be connected to: after every resolution, for every redirect. */
static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct exchange *x = ctx;
	const void *octets = NULL;
	char text[INET6_ADDRSTRLEN] = "?";

	if (to->family == AF_INET)
		octets = &((const struct sockaddr_in *)(const void *)&to->addr)->sin_addr;
	else if (to->family == AF_INET6)
		octets = &((const struct sockaddr_in6 *)(const void *)&to->addr)->sin6_addr;
	if (octets != NULL)
		inet_ntop(to->family, octets, text, sizeof(text));
	if (purpose != CURLSOCKTYPE_IPCXN || octets == NULL || !net_allowed(x->cfg, &to->addr, port_of(&to->addr))) {
		x->forbidden = true;
		snprintf(x->refused, sizeof(x->refused), "%s port %u", text, port_of(&to->addr));
		return CURL_SOCKET_BAD;
	}
	snprintf(x->address, sizeof(x->address), "%.45s:%u", text, port_of(&to->addr));
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- one exchange ---- */

static struct curl_slist *
add_header(struct curl_slist *l, const char *text)
{
	struct curl_slist *grown = curl_slist_append(l, text);

	return grown != NULL ? grown : l;
}

/* A bearer token or the like: the first line of a file that only this process and the operator read. */
static struct curl_slist *
add_file_header(struct curl_slist *l, const char *path)
{
	char line[4096] = "";
	FILE *f = path != NULL ? fopen(path, "re") : NULL;

	if (f == NULL)
		return l;
	if (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		l = add_header(l, line);
	}
	fclose(f);
	return l;
}

static struct curl_slist *
make_headers(const struct request *r, bool own)
{
	size_t row = row_of(r->type);
	char text[200];
	struct curl_slist *l = NULL;

	snprintf(text, sizeof(text), "Accept: %s", types[row].accept);
	l = add_header(l, text);
	l = add_header(l, "Expect:");
	if (types[row].sent != NULL && strcmp(r->method, "POST") == 0) {
		snprintf(text, sizeof(text), "Content-Type: %s", types[row].sent);
		l = add_header(l, text);
	}
	return own ? add_file_header(l, r->header_file) : l;
}

static void
set_limits(CURL *c, struct exchange *x)
{
	const struct conf_net *n = &x->cfg->net;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)((n->connect_timeout_seconds > 0 ? n->connect_timeout_seconds : 10) * 1000));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)net_timeout_ms(x->cfg, x->req->type));
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->cap);
	curl_easy_setopt(c, CURLOPT_PROXY, n->proxy != NULL ? n->proxy : "");
	curl_easy_setopt(c, CURLOPT_USERAGENT, n->user_agent != NULL ? n->user_agent : "everseal");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static void
set_credentials(CURL *c, const struct exchange *x, bool own)
{
	const struct request *r = x->req;
	const char *ca = r->ca_file != NULL && own ? r->ca_file : x->cfg->net.ca_file;

	if (ca != NULL)
		curl_easy_setopt(c, CURLOPT_CAINFO, ca);
	if (!own)
		return;
	if (r->user != NULL) {
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(c, CURLOPT_USERNAME, r->user);
		curl_easy_setopt(c, CURLOPT_PASSWORD, r->password != NULL ? r->password : "");
	}
	if (r->client_cert != NULL) {
		curl_easy_setopt(c, CURLOPT_SSLCERT, r->client_cert);
		curl_easy_setopt(c, CURLOPT_SSLKEY, r->client_key != NULL ? r->client_key : r->client_cert);
	}
}

static void
set_request(CURL *c, struct exchange *x, const char *url, struct curl_slist *headers)
{
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	if (strcmp(x->req->method, "POST") == 0) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)x->req->body.p);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->req->body.n);
	}
}

/* Scheme, no user information. What the connection goes to is judged by on_socket. */
static const char *
url_fault(const char *url)
{
	AUTO(url) CURLU *u = curl_url();
	AUTO(curltext) char *scheme = NULL, *user = NULL;

	if (u == NULL || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return "is no URL";
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return "is neither http nor https";
	if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		return "carries user information";
	return NULL;
}

/* ---- what it means (tsp-ocsp-crl 7.1) ---- */

static enum fetch_class
class_of_status(long status, bool configured)
{
	switch (status) {
	case 408:
	case 425:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return FETCH_RETRY;
	case 401:
	case 403:
	case 407:
		return configured ? FETCH_CONFIG : FETCH_ALTERNATE;
	case 400:
	case 405:
	case 411:
	case 413:
	case 415:
		return FETCH_CONFIG;
	default:
		return status / 100 == 2 ? FETCH_OK : status >= 500 ? FETCH_RETRY : FETCH_ALTERNATE;
	}
}

static enum fetch_class
class_of_curl(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return FETCH_OK;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return FETCH_CONFIG;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return FETCH_ALTERNATE;
	case CURLE_FILESIZE_EXCEEDED:
		return FETCH_REFUSED;
	case CURLE_OUT_OF_MEMORY:
		return FETCH_LOCAL;
	default:
		return FETCH_RETRY;
	}
}

static bool
right_type(enum fetch_type type, const char *content_type)
{
	size_t row = row_of(type), i;

	if (content_type == NULL || content_type[0] == '\0')
		return true;
	for (i = 0; types[row].good[i] != NULL; i++)
		if (strncasecmp(content_type, types[row].good[i], strlen(types[row].good[i])) == 0)
			return true;
	return types[row].good[0] == NULL ? strncasecmp(content_type, "text/html", 9) != 0 : false;
}

struct outcome {
	enum fetch_class class;
	long status;
	char why[256], content_type[96];
};

static void
judge(struct exchange *x, CURL *c, CURLcode code, struct outcome *o)
{
	const char *type = NULL;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &o->status);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	snprintf(o->content_type, sizeof(o->content_type), "%.90s", type != NULL ? type : "");
	o->class = class_of_curl(code);
	if (x->forbidden && code != CURLE_OK) {
		o->class = FETCH_ALTERNATE;
		snprintf(o->why, sizeof(o->why), "%s is not an address that may be connected to; allow_net can permit it", x->refused);
	} else if (x->too_large) {
		o->class = FETCH_REFUSED;
		snprintf(o->why, sizeof(o->why), "the answer is larger than %llu octets", (unsigned long long)x->cap);
	} else if (code != CURLE_OK) {
		snprintf(o->why, sizeof(o->why), "%s", curl_easy_strerror(code));
	} else if ((o->class = class_of_status(o->status, x->req->configured)) != FETCH_OK) {
		snprintf(o->why, sizeof(o->why), "HTTP status %ld", o->status);
	} else if (x->body.n == 0) {
		o->class = FETCH_RETRY;
		snprintf(o->why, sizeof(o->why), "an empty answer");
	} else if (!right_type(x->req->type, type)) {
		o->class = FETCH_ALTERNATE;
		snprintf(o->why, sizeof(o->why), "an answer of type %.80s instead of %.80s", type, types[row_of(x->req->type)].accept);
	}
}

/* Scheme, host and port of both are the same: only then a redirect may see what was meant for the configured service. */
static bool
same_origin(const char *one, const char *other)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	AUTO(url) CURLU *u = curl_url(), *v = curl_url();
	size_t i;

	if (u == NULL || v == NULL || curl_url_set(u, CURLUPART_URL, one, 0) != CURLUE_OK || curl_url_set(v, CURLUPART_URL, other, 0) != CURLUE_OK)
		return false;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		AUTO(curltext) char *a = NULL, *b = NULL;

		if (curl_url_get(u, parts[i], &a, CURLU_DEFAULT_PORT) != CURLUE_OK ||
		    curl_url_get(v, parts[i], &b, CURLU_DEFAULT_PORT) != CURLUE_OK || strcasecmp(a, b) != 0)
			return false;
	}
	return true;
}

/*
 * libcurl puts the credentials of the request into the address that a redirect leads to. They are ours, not the server's, and
 * must not be told; what a server itself writes there is refused by url_fault.
 */
static char *
without_credentials(const char *url, bool ours)
{
	AUTO(url) CURLU *u = curl_url();
	AUTO(curltext) char *clean = NULL;

	if (!ours)
		return mem_dupstr(url);
	if (u == NULL || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_USER, NULL, 0) != CURLUE_OK || curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &clean, 0) != CURLUE_OK)
		return mem_dupstr("http:"); /* no URL: refused without a word of it */
	return mem_dupstr(clean);
}

/* One request without redirects; *next: where a redirect leads, NULL none. */
static void
once(struct exchange *x, const char *url, struct outcome *o, char **next)
{
	AUTO(curl) CURL *c = curl_easy_init();
	bool own = same_origin(url, x->req->url);
	AUTO(headers) struct curl_slist *headers = make_headers(x->req, own);
	const char *to = NULL;
	CURLcode code;

	*next = NULL;
	buf_clear(&x->body);
	x->forbidden = x->too_large = false;
	if (c == NULL) {
		o->class = FETCH_LOCAL;
		snprintf(o->why, sizeof(o->why), "libcurl has no handle");
		return;
	}
	set_limits(c, x);
	set_credentials(c, x, own);
	set_request(c, x, url, headers);
	code = curl_easy_perform(c);
	judge(x, c, code, o);
	if (code == CURLE_OK && o->status / 100 == 3 && curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &to) == CURLE_OK && to != NULL)
		*next = without_credentials(to, x->req->user != NULL);
}

static void
perform(struct exchange *x, struct outcome *o)
{
	AUTO(mem) char *url = mem_dupstr(x->req->url);
	int hops;

	for (hops = 0; url != NULL; hops++) {
		const char *fault = url_fault(url);
		char *next = NULL;

		if (fault != NULL || hops > REDIRECTS_MAX) {
			o->class = FETCH_ALTERNATE;
			snprintf(o->why, sizeof(o->why), "%.120s %s", url, fault != NULL ? fault : "is one redirect too many");
			return;
		}
		once(x, url, o, &next);
		free(url);
		url = next;
	}
}

/* ---- frames ---- */

static char *
take_text(struct cur *c)
{
	bool there = cur_u8(c) != 0;
	struct slice s = cur_vec(c);

	return there && !c->failed ? mem_dup(s.p, s.n) : NULL;
}

static enum err_code
decode(struct slice in, struct request *r, struct err *e)
{
	struct cur c = cur_from(in);

	r->type = cur_u8(&c);
	r->configured = cur_u8(&c) != 0;
	r->method = take_text(&c);
	r->url = take_text(&c);
	r->user = take_text(&c);
	r->password = take_text(&c);
	r->header_file = take_text(&c);
	r->client_cert = take_text(&c);
	r->client_key = take_text(&c);
	r->ca_file = take_text(&c);
	r->body = cur_vec(&c);
	if (cur_end(&c, "fetch", e) != ERR_OK)
		return err_wrap(e, "request");
	return r->method != NULL && r->url != NULL ? ERR_OK : err_set(e, ERR_BUG, "fetch without method or URL");
}

enum err_code
net_handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	AUTO(request) struct request r = {0};
	AUTO(buf) struct buf got = {0};
	struct exchange x = {.cfg = ctx, .req = &r, .retry_after = -1};
	struct outcome o = {.class = FETCH_LOCAL};

	(void)type;
	(void)fds;
	(void)nfds;
	if (decode(body, &r, e) != ERR_OK)
		return err_wrap(e, "net");
	x.cap = r.type == FETCH_CRL ? x.cfg->net.crl_bytes : x.cfg->net.answer_bytes;
	perform(&x, &o);
	got = x.body;
	buf_add8(reply, o.class);
	buf_addbe32(reply, (uint32_t)o.status);
	buf_addbe64(reply, (uint64_t)x.retry_after);
	buf_addvec(reply, slice_str(o.why));
	buf_addvec(reply, slice_str(x.address));
	buf_addvec(reply, slice_str(o.content_type));
	buf_addvec(reply, o.class == FETCH_OK ? buf_slice(&got) : (struct slice){0});
	return buf_ok(reply, e);
}
