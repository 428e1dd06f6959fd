/* SPDX-License-Identifier: MIT */
/*
 * The control socket of the one writer (docs/control.md): one request, one
 * answer, then the connection ends. A request is a frame of 4 octets length
 * (big endian) and JSON, its descriptors beside the first octet. Who asks is
 * what the kernel says: root and the service's own user may everything,
 * others may deposit, as depositor "uid:N".
 */
#include "archiver/steps.h"
#include "archiver/control.h"

#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_MAX ((size_t)16 << 20)
#define FDS_MAX 64
#define CLIENT_MS 5000 /* a whole request; while it comes, nothing else is done */
#define ANSWER_S 10

static enum err_code
address(const struct config *cfg, struct sockaddr_un *sa, struct err *e)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(cfg->service.control) >= sizeof(sa->sun_path))
		return err_set(e, ERR_USAGE, "control socket: the path %s is longer than %zu octets", cfg->service.control, sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, cfg->service.control, strlen(cfg->service.control));
	return ERR_OK;
}

/* ---- frames ---- */

static enum err_code
send_all(int fd, struct slice s, const int *fds, size_t n_fds, struct err *e)
{
	union {
		char octets[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control = {0};

	while (s.n != 0) {
		struct iovec iov = {(void *)(uintptr_t)s.p, s.n};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t r;

		if (n_fds != 0) {
			struct cmsghdr *c = NULL;

			msg.msg_control = control.octets;
			msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
			c = CMSG_FIRSTHDR(&msg);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
			memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
		}
		r = sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, ERR_REMOTE, errno, "control socket");
		n_fds = 0;
		s.p += r;
		s.n -= (size_t)r;
	}
	return ERR_OK;
}

static enum err_code
send_json(int fd, const json_t *j, const int *fds, size_t n_fds, struct err *e)
{
	AUTO(mem) char *text = json_dumps(j, JSON_COMPACT);
	AUTO(buf) struct buf frame = {0};

	if (text == NULL)
		return err_nomem(e);
	buf_addvec(&frame, slice_str(text));
	if (buf_ok(&frame, e) != ERR_OK)
		return err_wrap(e, "control socket");
	return send_all(fd, buf_slice(&frame), fds, n_fds, e);
}

struct received {
	struct buf body;
	int fds[FDS_MAX];
	size_t n_fds;
};

static void
received_auto(struct received *r)
{
	size_t i;

	buf_release(&r->body);
	for (i = 0; i < r->n_fds; i++)
		fd_auto(&r->fds[i]);
}

static void
take_fds(struct msghdr *msg, struct received *out)
{
	struct cmsghdr *c = NULL;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0, i;

		for (i = 0; i < n; i++) {
			int got = -1;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (out->n_fds < FDS_MAX)
				out->fds[out->n_fds++] = got;
			else
				close(got);
		}
	}
}

/* deadline_ms on the monotonic clock; -1 none. */
static enum err_code
recv_some(int fd, void *to, size_t n, int64_t deadline_ms, struct received *out, ssize_t *got, struct err *e)
{
	union {
		char octets[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {to, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof(control.octets)};
	struct pollfd p = {fd, POLLIN, 0};
	int64_t left = deadline_ms < 0 ? -1 : deadline_ms - sys_monotonic_ms();

	if ((deadline_ms >= 0 && left <= 0) || poll(&p, 1, (int)left) <= 0)
		return err_set(e, ERR_REMOTE, "control socket: no answer in time");
	*got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (*got < 0 && errno == EINTR)
		*got = 0;
	else if (*got < 0)
		return err_errno(e, ERR_REMOTE, errno, "control socket");
	else if (*got == 0)
		return err_set(e, ERR_REMOTE, "control socket: closed by the other side");
	take_fds(&msg, out);
	return ERR_OK;
}

static enum err_code
recv_frame(int fd, int64_t deadline_ms, struct received *out, struct err *e)
{
	uint8_t head[4], piece[16384];
	size_t have = 0, want = 0;
	ssize_t got = 0;

	while (have < sizeof(head)) {
		if (recv_some(fd, head + have, sizeof(head) - have, deadline_ms, out, &got, e) != ERR_OK)
			return err_wrap(e, "frame");
		have += (size_t)got;
	}
	want = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (want > FRAME_MAX)
		return err_set(e, ERR_LIMIT, "control socket: a frame of %zu octets", want);
	while (out->body.n < want) {
		size_t left = want - out->body.n;

		if (recv_some(fd, piece, left < sizeof(piece) ? left : sizeof(piece), deadline_ms, out, &got, e) != ERR_OK)
			return err_wrap(e, "frame");
		buf_add(&out->body, piece, (size_t)got);
	}
	return buf_ok(&out->body, e);
}

/* ---- the asking side ---- */

/* The service's refusal is ours: a verb by the socket ends as the same verb in process. */
static enum err_code
answer_fault(const json_t *answer, struct err *e)
{
	const char *word = json_string_value(json_object_get(answer, "error"));
	int code;

	if (word == NULL)
		return ERR_OK;
	for (code = ERR_OK + 1; code < ERR_CODES; code++)
		if (strcmp(err_word((enum err_code)code), word) == 0)
			return err_set(e, (enum err_code)code, "service: %s", sig_str(answer, "text"));
	return err_set(e, ERR_REMOTE, "service: %s", sig_str(answer, "text"));
}

enum err_code
archive_ask(const struct config *cfg, const json_t *request, const int *fds, size_t n_fds, json_t **answer, struct err *e)
{
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO(received) struct received r = {0};
	struct sockaddr_un sa;

	if (n_fds > FDS_MAX)
		return err_set(e, ERR_USAGE, "%zu files at once; at most %d go over the control socket", n_fds, FDS_MAX);
	if (fd < 0 || address(cfg, &sa, e) != ERR_OK)
		return err_errno(e, ERR_IO, errno, "control socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return err_errno(e, errno == ENOENT || errno == ECONNREFUSED ? ERR_NOTFOUND : ERR_REFUSED, errno, "control socket %s", cfg->service.control);
	if (send_json(fd, request, fds, n_fds, e) != ERR_OK || recv_frame(fd, -1, &r, e) != ERR_OK ||
	    json_read(buf_slice(&r.body), NULL, answer, e) != ERR_OK)
		return err_wrap(e, "service");
	if (answer_fault(*answer, e) == ERR_OK)
		return ERR_OK;
	json_decref(*answer);
	*answer = NULL;
	return err_wrap(e, "control socket");
}

/* ---- the serving side ---- */

enum err_code
control_listen(const struct config *cfg, int *out, struct err *e)
{
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;

	if (fd < 0)
		return err_errno(e, ERR_IO, errno, "control socket");
	if (address(cfg, &sa, e) != ERR_OK)
		return err_wrap(e, "service");
	/* The archive's lock is held: a socket file that is there is of a service that died. */
	(void)unlink(cfg->service.control);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || chmod(cfg->service.control, 0666) != 0 || listen(fd, 16) != 0)
		return err_errno(e, ERR_IO, errno, "control socket %s", cfg->service.control);
	*out = fd;
	fd = -1;
	return ERR_OK;
}

struct peer {
	struct archive *a;
	bool operator;
	char depositor[32];
	const json_t *request;
	const struct received *r;
};

/* A file system that its user serves lets a read wait for ever, and the service with it. */
static enum err_code
check_served(const struct peer *p, struct err *e)
{
	struct statfs fs;
	size_t i;

	for (i = 0; i < p->r->n_fds && !p->operator; i++)
		if (fstatfs(p->r->fds[i], &fs) != 0 || fs.f_type == FUSE_SUPER_MAGIC)
			return err_set(e, ERR_REFUSED, "file %zu lies on a file system that a user serves; copy it first", i);
	return ERR_OK;
}

static enum err_code
do_deposit(const struct peer *p, json_t **answer, struct err *e)
{
	AUTO(mem) struct deposit_file *files = mem_new(p->r->n_fds, sizeof(*files));
	const json_t *names = json_object_get(p->request, "names"), *name = NULL;
	const char *depositor = sig_str(p->request, "depositor");
	struct deposit d = {.profile = json_string_value(json_object_get(p->request, "profile")), .meta = json_object_get(p->request, "meta")};
	size_t i;

	if (files == NULL)
		return err_nomem(e);
	if (json_array_size(names) != p->r->n_fds || p->r->n_fds == 0)
		return err_set(e, ERR_USAGE, "deposit: %zu names for %zu files", json_array_size(names), p->r->n_fds);
	if (check_served(p, e) != ERR_OK)
		return err_wrap(e, "deposit");
	json_array_foreach (names, i, name)
		files[i] = (struct deposit_file){json_string_value(name) != NULL ? json_string_value(name) : "", p->r->fds[i]};
	d.depositor = p->operator && depositor[0] != '\0' ? depositor : p->depositor;
	d.files = files;
	d.n_files = p->r->n_fds;
	if (archive_deposit(p->a, &d, 1, e) != ERR_OK)
		return err_wrap(e, "deposit");
	*answer = d.receipt;
	return ERR_OK;
}

/* Asked between two groups of the same work: twice at once would do things twice. */
static enum err_code
not_now(const struct peer *p, struct err *e)
{
	return p->a->within ? err_set(e, ERR_BUSY, "the service is at its steps or a sweep: try again later, or see status") : ERR_OK;
}

static enum err_code
do_sweep(const struct peer *p, json_t **answer, struct err *e)
{
	if (not_now(p, e) != ERR_OK)
		return e->code;
	return archive_sweep(p->a, answer, e);
}

static enum err_code
do_run(const struct peer *p, json_t **answer, struct err *e)
{
	if (not_now(p, e) != ERR_OK)
		return e->code;
	return archive_run_once(p->a, answer, e);
}

static enum err_code
do_hold(const struct peer *p, json_t **answer, struct err *e)
{
	*answer = json_object();
	return archive_hold(p->a, sig_str(p->request, "record"), json_is_true(json_object_get(p->request, "on")), sig_str(p->request, "reason"), e);
}

static enum err_code
do_release(const struct peer *p, json_t **answer, struct err *e)
{
	*answer = json_object();
	return archive_release(p->a, sig_str(p->request, "what"), e);
}

static enum err_code
do_trust(const struct peer *p, json_t **answer, struct err *e)
{
	return archive_trust(p->a, answer, e);
}

static const struct {
	const char *verb;
	bool anybody;
	enum err_code (*run)(const struct peer *p, json_t **answer, struct err *e);
} verbs[] = {
    {"deposit", true, do_deposit},
    {"sweep", false, do_sweep},
    {"run", false, do_run},
    {"hold", false, do_hold},
    {"release", false, do_release},
    {"trust", false, do_trust},
};

static enum err_code
dispatch(const struct peer *p, json_t **answer, struct err *e)
{
	const char *verb = sig_str(p->request, "verb");
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].verb, verb) != 0)
			continue;
		if (!verbs[i].anybody && !p->operator)
			return err_set(e, ERR_REFUSED, "%s is for the operator: root or the user that the service runs as", verb);
		return verbs[i].run(p, answer, e);
	}
	return err_set(e, ERR_USAGE, "the service knows no verb \"%.40s\"", verb);
}

/* A connection is served whole before the next: one writer. A fault of the archive itself comes back, the client's are its own. */
enum err_code
control_serve(struct archive *a, int listener, struct err *e)
{
	AUTO(fd) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	AUTO(received) struct received r = {0};
	AUTO(json) json_t *request = NULL;
	AUTO(json) json_t *answer = NULL;
	struct ucred who = {0};
	socklen_t n = sizeof(who);
	struct peer p = {.a = a, .r = &r};
	struct timeval wait = {ANSWER_S, 0};
	struct err why = {0};
	enum err_code code;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return ERR_OK;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	p.operator= who.uid == 0 || who.uid == geteuid();
	snprintf(p.depositor, sizeof(p.depositor), "uid:%u", (unsigned)who.uid);
	code = recv_frame(fd, sys_monotonic_ms() + CLIENT_MS, &r, &why);
	if (code == ERR_OK)
		code = json_read(buf_slice(&r.body), NULL, &request, &why);
	p.request = request;
	if (code == ERR_OK)
		code = dispatch(&p, &answer, &why);
	if (code != ERR_OK) {
		json_decref(answer);
		answer = json_pack("{s:s, s:o}", "error", err_word(code), "text", json_text(why.text));
	}
	(void)!send_json(fd, answer, NULL, 0, NULL);
	return code == ERR_IO ? err_set(e, code, "%s", why.text) : ERR_OK;
}
