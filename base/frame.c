/* SPDX-License-Identifier: MIT */
/* Frames on a stream socket, with descriptors (docs/worker.md). */
#include "base/sys.h"
#include "base/worker_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)

void
frame_clear(struct frame *f)
{
	for (size_t i = 0; i < f->nfds; i++)
		close(f->fds[i]);
	f->nfds = 0;
	f->type = 0;
	buf_clear(&f->body);
}

void
frame_release(struct frame *f)
{
	frame_clear(f);
	buf_release(&f->body);
}

/* Until sock is ready or the deadline is there. */
static enum err_code
wait_for(int sock, short events, int64_t deadline_ms, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = sock, .events = events};
		int64_t left = deadline_ms == NO_DEADLINE ? -1 : deadline_ms - sys_monotonic_ms();
		int n;

		if (left <= 0 && deadline_ms != NO_DEADLINE)
			return err_set(e, ERR_BUSY, "time is over");
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_errno(e, ERR_IO, errno, "poll");
	}
}

static bool
gone(int err)
{
	return err == EPIPE || err == ECONNRESET || err == ENOTCONN;
}

/* The descriptors of a message as control data. */
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(WORKER_FDS * sizeof(int))];
};

static void
attach(struct msghdr *m, union control *c, const int *fds, size_t nfds)
{
	struct cmsghdr *h;

	memset(c, 0, sizeof(*c));
	m->msg_control = c->room;
	m->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
}

/* Without a deadline the call itself may wait; with one it must not. */
static int
flags_for(int64_t deadline_ms)
{
	return MSG_NOSIGNAL | (deadline_ms == NO_DEADLINE ? 0 : MSG_DONTWAIT);
}

static enum err_code
send_all(int sock, struct msghdr *m, int64_t deadline_ms, struct err *e)
{
	while (m->msg_iovlen > 0) {
		ssize_t n = sendmsg(sock, m, flags_for(deadline_ms));
		size_t left;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (wait_for(sock, POLLOUT, deadline_ms, e) != ERR_OK)
				return err_wrap(e, "send");
			continue;
		}
		if (n < 0)
			return err_errno(e, gone(errno) ? ERR_NOTFOUND : ERR_IO, errno, "send");
		m->msg_control = NULL; /* the descriptors went with the first octet */
		m->msg_controllen = 0;
		for (left = (size_t)n; m->msg_iovlen > 0 && left >= m->msg_iov->iov_len; m->msg_iovlen--)
			left -= (m->msg_iov++)->iov_len;
		if (m->msg_iovlen > 0) {
			m->msg_iov->iov_base = (uint8_t *)m->msg_iov->iov_base + left;
			m->msg_iov->iov_len -= left;
		}
	}
	return ERR_OK;
}

enum err_code
frame_send(int sock, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t deadline_ms, struct err *e)
{
	uint8_t head[FRAME_HEAD];
	struct iovec parts[2] = {{head, sizeof(head)}, {(void *)(uintptr_t)body.p, body.n}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = body.n > 0 ? 2 : 1};
	union control c;

	if (nfds > WORKER_FDS)
		return err_set(e, ERR_BUG, "%zu descriptors in a frame, at most %d", nfds, WORKER_FDS);
	if (body.n > UINT32_MAX)
		return err_set(e, ERR_LIMIT, "a frame of %zu octets", body.n);
	for (int i = 0; i < 4; i++) {
		head[i] = (uint8_t)(type >> (24 - 8 * i));
		head[4 + i] = (uint8_t)(body.n >> (24 - 8 * i));
	}
	if (nfds > 0)
		attach(&m, &c, fds, nfds);
	return send_all(sock, &m, deadline_ms, e);
}

static void
collect(struct msghdr *m, struct frame *f)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (f->nfds < WORKER_FDS)
				f->fds[f->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/* Some octets, at least one. */
static enum err_code
recv_some(int sock, uint8_t *to, size_t *n, bool with_fds, int64_t deadline_ms, struct frame *f, struct err *e)
{
	union control c;

	for (;;) {
		struct iovec part = {to, *n};
		struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t got;

		if (with_fds) {
			m.msg_control = c.room;
			m.msg_controllen = sizeof(c.room);
		}
		got = recvmsg(sock, &m, flags_for(deadline_ms) | MSG_CMSG_CLOEXEC);
		if (got > 0) {
			if (with_fds)
				collect(&m, f);
			*n = (size_t)got;
			return ERR_OK;
		}
		if (got == 0)
			return err_set(e, ERR_NOTFOUND, "the other end is gone");
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(sock, POLLIN, deadline_ms, e) != ERR_OK)
				return err_wrap(e, "receive");
		} else if (errno != EINTR) {
			return err_errno(e, gone(errno) ? ERR_NOTFOUND : ERR_IO, errno, "receive");
		}
	}
}

/*
 * Header and a small body come with one call. Reading beyond the frame is no loss:
 * the other end may not send a second one before it was answered.
 */
enum err_code
frame_recv(int sock, size_t max_bytes, bool with_fds, int64_t deadline_ms, struct frame *out, struct err *e)
{
	uint8_t piece[PIECE];
	size_t have = 0, n, want;
	enum err_code code;
	struct cur c;

	frame_clear(out);
	while (have < FRAME_HEAD) {
		n = sizeof(piece) - have;
		code = recv_some(sock, piece + have, &n, with_fds, deadline_ms, out, e);
		if (code != ERR_OK)
			return code;
		have += n;
	}
	c = cur_from(slice_of(piece, FRAME_HEAD));
	out->type = cur_be32(&c);
	want = cur_be32(&c);
	if (want > max_bytes)
		return err_set(e, ERR_LIMIT, "a frame of %zu octets, at most %zu", want, max_bytes);
	out->body.max_bytes = max_bytes + PIECE;
	buf_add(&out->body, piece + FRAME_HEAD, have - FRAME_HEAD);
	while (out->body.n < want && !out->body.failed) {
		n = want - out->body.n < sizeof(piece) ? want - out->body.n : sizeof(piece);
		code = recv_some(sock, piece, &n, with_fds, deadline_ms, out, e);
		if (code != ERR_OK)
			return code;
		buf_add(&out->body, piece, n);
	}
	if (out->body.n > want)
		return err_set(e, ERR_FORMAT, "octets after the frame");
	return buf_ok(&out->body, e);
}
