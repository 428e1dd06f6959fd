/* SPDX-License-Identifier: MIT */
#include "base/worker.h"
#include "base/sys.h"
#include "base/worker_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* A warm-up that takes longer hangs. */
#define START_MS 60000
#define HARD_FRAME ((size_t)1 << 30)
#define SOCK_FD 3
/* A buffer that grew beyond it is given back after the request: one large answer must not stay in memory for years. */
#define KEEP_BYTES ((size_t)1 << 20)

struct worker {
	struct worker_spec spec; /* limits filled in */
	pid_t pid;		 /* 0 = no child */
	int fd;			 /* -1 = no child */
	bool busy;
	uint32_t type;	     /* of the request under way */
	int64_t deadline_ms; /* of it */
	int64_t timeout_ms;
	struct cage_status cage;
	struct frame in;
	bool fell; /* the last request ended the child */
	enum err_code (*wait)(void *ctx, struct worker *w, struct err *e);
	void *wait_ctx;
};

/* --- child ---------------------------------------------------------------- */

/*
 * The parent's handlers would set the parent's flags in our copy. The
 * terminal's and the service manager's signals go to every process, but it is the
 * parent who decides when a request is dropped. XFSZ ignored makes a write fail instead.
 */
static void
reset_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Leaves 0, 1, 2 and the socket as SOCK_FD. */
static bool
only_descriptors(int sock, bool keep_stderr)
{
	int up = fcntl(sock, F_DUPFD_CLOEXEC, SOCK_FD + 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (up < 0 || null < 0)
		return false;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || (!keep_stderr && dup2(null, 2) < 0))
		return false;
	return dup3(up, SOCK_FD, O_CLOEXEC) == SOCK_FD && close_range(SOCK_FD + 1, ~0U, 0) == 0;
}

/*
 * Memory that the parent shares with files (its index) is no business of a child's, and the lock file of LMDB is mapped
 * for writing.
 */
static enum err_code
no_shared_maps(struct err *e)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char *line = NULL, *rights;
	size_t room = 0;

	if (f == NULL)
		return err_errno(e, ERR_UNSUPPORTED, errno, "/proc/self/maps");
	/* "from-to rw-s ...". There are hundreds of lines and scanning one takes longer than the kernel to write it. */
	while (getline(&line, &room, f) > 0)
		if ((rights = strchr(line, ' ')) != NULL && strnlen(rights, 5) == 5 && rights[4] == 's' &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2)
			munmap((void *)from, to - from);
	free(line);
	fclose(f);
	return ERR_OK;
}

/* Loads the name service's modules and reads its files. Its answer does not matter. */
static void
warm_up_names(void)
{
	struct addrinfo *list = NULL;

	if (getaddrinfo("localhost", "80", NULL, &list) == 0)
		freeaddrinfo(list);
}

/*
 * A worker makes no keys and no nonces; OpenSSL blinds the points of some curves, a generator for which takes all its
 * ciphers' tables, unless it is built on a digest.
 */
static void
light_randomness(void)
{
	(void)RAND_set_DRBG_type(NULL, "HASH-DRBG", NULL, NULL, "SHA256");
	ERR_clear_error();
}

static enum err_code
prepare(const struct worker_spec *spec, struct cage_status *cage, struct err *e)
{
	if (no_shared_maps(e) != ERR_OK)
		return err_wrap(e, "shared memory");
	if (worker_warm_up_base(e) != ERR_OK)
		return err_wrap(e, "warm-up");
	if (spec->role == CAGE_NET)
		warm_up_names();
	else
		light_randomness();
	if (spec->warm_up != NULL && spec->warm_up(spec->ctx, e) != ERR_OK)
		return err_wrap(e, "warm-up");
	if (cage_close(spec, cage, e) != ERR_OK)
		return err_wrap(e, "cage");
	return ERR_OK;
}

static enum err_code
tell_error(const struct err *why, struct err *e)
{
	AUTO(buf) struct buf b = {0};

	buf_addbe32(&b, (uint32_t)(why->code == ERR_OK ? ERR_BUG : why->code));
	buf_adds(&b, why->text);
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "error");
	return frame_send(SOCK_FD, FRAME_ERROR, buf_slice(&b), NULL, 0, NO_DEADLINE, e);
}

static enum err_code
tell_ready(const struct cage_status *cage, struct err *e)
{
	AUTO(buf) struct buf b = {0};

	buf_add8(&b, (unsigned)cage->role);
	buf_add8(&b, cage->seccomp);
	buf_add8(&b, cage->no_new_privs);
	buf_add8(&b, cage->memory_limit);
	buf_addbe32(&b, (uint32_t)cage->landlock_abi);
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "ready");
	return frame_send(SOCK_FD, FRAME_READY, buf_slice(&b), NULL, 0, NO_DEADLINE, e);
}

/* Processor time of this request: SIGPROF ends the process. A child that was taken over could undo it; the parent's clock holds then. */
static void
set_cpu_timer(unsigned seconds)
{
	struct itimerval t = {.it_value = {.tv_sec = seconds}};

	setitimer(ITIMER_PROF, &t, NULL);
}

static void
shrink(struct buf *b)
{
	if (b->cap > KEEP_BYTES)
		buf_release(b);
}

/* False when the child should end. */
static bool
serve_one(const struct worker_spec *spec, struct frame *in, struct buf *reply)
{
	struct err err = {0}, ignored = {0};
	enum err_code code;
	uint32_t type;

	if (frame_recv(SOCK_FD, spec->limits.frame_bytes, true, NO_DEADLINE, in, &err) != ERR_OK)
		return false;
	type = in->type;
	buf_clear(reply);
	reply->max_bytes = spec->limits.frame_bytes;
	set_cpu_timer(spec->limits.cpu_s);
	code = spec->handle(spec->ctx, in->type, buf_slice(&in->body), in->fds, in->nfds, reply, &err);
	if (code == ERR_OK)
		code = buf_ok(reply, &err);
	set_cpu_timer(0);
	frame_clear(in);
	shrink(&in->body);
	if (code != ERR_OK) {
		err.code = code;
		return tell_error(&err, &ignored) == ERR_OK && code != ERR_NOMEM && code != ERR_BUG;
	}
	code = frame_send(SOCK_FD, type, buf_slice(reply), NULL, 0, NO_DEADLINE, &err);
	shrink(reply);
	return code == ERR_OK;
}

/* Leaves by _exit alone: the parent's buffers and exit handlers are not ours to run. */
static void __attribute__((noreturn))
child(const struct worker_spec *spec, int sock, pid_t parent)
{
	struct cage_status cage = {0};
	struct err err = {0}, ignored = {0};
	struct frame in = {0};
	struct buf reply = {0};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	reset_signals();
	if (!only_descriptors(sock, spec->keep_stderr || WORKER_SANITIZED))
		_exit(2);
	if (prepare(spec, &cage, &err) != ERR_OK) {
		(void)!tell_error(&err, &ignored);
		_exit(3);
	}
	if (tell_ready(&cage, &err) != ERR_OK)
		_exit(4);
	while (serve_one(spec, &in, &reply))
		;
	_exit(0);
}

/* --- parent ---------------------------------------------------------------- */

/* Kill what is left and say how it ended. */
static int
reap(struct worker *w)
{
	int status = 0;

	if (w->pid <= 0)
		return 0;
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(w->fd);
	w->pid = 0;
	w->fd = -1;
	w->busy = false;
	w->cage = (struct cage_status){0};
	return status;
}

/* A dying child closes its socket a moment before it can be waited for. False: it lives on without one. */
static bool
is_dying(const struct worker *w)
{
	siginfo_t info;

	for (int i = 0; i < 200; i++) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
			return true;
		poll(NULL, 0, 5);
	}
	return false;
}

static enum err_code
say_end(struct worker *w, struct err *e)
{
	const char *name = w->spec.name;
	bool died = is_dying(w);
	int status = reap(w), sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (!died)
		return err_set(e, ERR_REFUSED, "worker %s: closed its socket", name);
	if (sig == SIGPROF || sig == SIGXCPU)
		return err_set(e, ERR_LIMIT, "worker %s: processor time limit %u s passed", name, w->spec.limits.cpu_s);
	if (sig == SIGKILL)
		return err_set(e, ERR_LIMIT, "worker %s: killed, perhaps out of memory", name);
	if (sig == SIGSYS)
		return err_set(e, ERR_REFUSED, "worker %s: killed for a call that its cage forbids", name);
	if (sig != 0)
		return err_set(e, ERR_REFUSED, "worker %s: died of signal %d (%s)", name, sig, strsignal(sig));
	return err_set(e, ERR_REFUSED, "worker %s: left with status %d", name, WEXITSTATUS(status));
}

/* Text from a child: printable or '?'. */
static void
copy_text(struct slice s, char *to, size_t size)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : (char)s.p[i];
	to[n] = '\0';
}

static enum err_code
take_error(struct worker *w, struct err *e)
{
	struct cur c = cur_from(buf_slice(&w->in.body));
	uint32_t code = cur_be32(&c);
	char text[sizeof(e->text)];

	copy_text(cur_rest(&c), text, sizeof(text));
	if (code == ERR_OK || code >= ERR_CODES) {
		reap(w);
		return err_set(e, ERR_REFUSED, "worker %s: an unknown error code", w->spec.name);
	}
	w->fell = code == ERR_NOMEM;
	if (code == ERR_NOMEM || code == ERR_BUG)
		reap(w);
	/* What a child says of its own descriptors must not sound like the caller's disk or fault. */
	if (code == ERR_IO || code == ERR_NOSPACE || code == ERR_BUG)
		return err_set(e, ERR_REFUSED, "worker %s: %s: %s", w->spec.name, err_word((enum err_code)code), text);
	if (code == ERR_NOMEM)
		return err_set(e, ERR_LIMIT, "worker %s: memory limit %zu MiB: %s", w->spec.name,
		    w->spec.limits.memory_bytes >> 20, text);
	return err_set(e, (enum err_code)code, "%s", text);
}

/* What a failed receive means; the child is gone afterwards. */
static enum err_code
receive_failed(struct worker *w, enum err_code code, const struct err *why, struct err *e)
{
	int64_t ms = w->timeout_ms;

	w->fell = true;
	if (code == ERR_NOTFOUND)
		return say_end(w, e);
	reap(w);
	if (code == ERR_BUSY && ms % 1000 == 0)
		return err_set(e, ERR_LIMIT, "worker %s: time limit %lld s passed", w->spec.name, (long long)ms / 1000);
	if (code == ERR_BUSY)
		return err_set(e, ERR_LIMIT, "worker %s: time limit %lld ms passed", w->spec.name, (long long)ms);
	if (code == ERR_FORMAT)
		code = ERR_REFUSED; /* the child's fault, not the document's */
	return err_set(e, code, "worker %s: %s", w->spec.name, why->text);
}

static enum err_code
take_ready(struct worker *w, struct err *e)
{
	struct err why = {0};
	enum err_code code = frame_recv(w->fd, w->spec.limits.frame_bytes, false, w->deadline_ms, &w->in, &why);
	struct cur c = cur_from(buf_slice(&w->in.body));

	if (code != ERR_OK)
		return receive_failed(w, code, &why, e);
	if (w->in.type == FRAME_ERROR) {
		code = take_error(w, e);
		reap(w);
		return code;
	}
	w->cage.role = (enum cage_role)cur_u8(&c);
	w->cage.seccomp = cur_u8(&c) == 1;
	w->cage.no_new_privs = cur_u8(&c) == 1;
	w->cage.memory_limit = cur_u8(&c) == 1;
	w->cage.landlock_abi = (int)cur_be32(&c);
	if (w->in.type != FRAME_READY || cur_end(&c, "ready", &why) != ERR_OK) {
		reap(w);
		return err_set(e, ERR_BUG, "worker %s: not ready", w->spec.name);
	}
	return ERR_OK;
}

static enum err_code
spawn(struct worker *w, struct err *e)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_errno(e, ERR_IO, errno, "worker %s: socket pair", w->spec.name);
	w->pid = fork();
	if (w->pid == 0)
		child(&w->spec, pair[1], parent);
	close(pair[1]);
	if (w->pid < 0) {
		int err = errno;

		w->pid = 0;
		close(pair[0]);
		return err_errno(e, err == ENOMEM ? ERR_NOMEM : ERR_IO, err, "worker %s: fork", w->spec.name);
	}
	w->fd = pair[0];
	w->timeout_ms = START_MS;
	w->deadline_ms = sys_monotonic_ms() + START_MS;
	return take_ready(w, e);
}

static void
fill_limits(struct worker_limits *l)
{
	if (l->memory_bytes == 0)
		l->memory_bytes = (size_t)2 << 30;
	if (l->cpu_s == 0)
		l->cpu_s = 120;
	if (l->frame_bytes == 0)
		l->frame_bytes = (size_t)64 << 20;
	if (l->frame_bytes > HARD_FRAME)
		l->frame_bytes = HARD_FRAME;
	if (l->file_bytes == 0)
		l->file_bytes = (size_t)1 << 30;
}

enum err_code
worker_start(const struct worker_spec *spec, struct worker **out, struct err *e)
{
	AUTO(worker) struct worker *w = mem_new(1, sizeof(*w));
	enum err_code code;

	if (w == NULL)
		return err_nomem(e);
	w->spec = *spec;
	w->fd = -1;
	if (w->spec.name == NULL)
		w->spec.name = "child";
	fill_limits(&w->spec.limits);
	code = spawn(w, e);
	if (code != ERR_OK)
		return code;
	*out = TAKE(w);
	return ERR_OK;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	reap(w);
	frame_release(&w->in);
	free(w);
}

void
worker_auto(struct worker **w)
{
	int err = errno;

	worker_free(*w);
	errno = err;
}

/* Once with the child that lives, if one does; if that one turns out to be gone, once with a new one. */
static enum err_code
send_request(struct worker *w, struct slice body, const int *fds, size_t nfds, struct err *e)
{
	struct err why = {0};
	enum err_code code = ERR_NOTFOUND;

	if (w->pid > 0)
		code = frame_send(w->fd, w->type, body, fds, nfds, w->deadline_ms, &why);
	if (code == ERR_NOTFOUND) {
		int64_t timeout_ms = w->timeout_ms;

		reap(w);
		code = spawn(w, &why);
		/* Whatever hinders it, the request is not to blame. */
		if (code != ERR_OK)
			return err_set(e, code == ERR_NOMEM ? ERR_NOMEM : ERR_IO, "can't start again: %s", why.text);
		w->timeout_ms = timeout_ms;
		w->deadline_ms = timeout_ms > 0 ? sys_monotonic_ms() + timeout_ms : NO_DEADLINE;
		code = frame_send(w->fd, w->type, body, fds, nfds, w->deadline_ms, &why);
	}
	return code == ERR_OK ? ERR_OK : receive_failed(w, code, &why, e);
}

enum err_code
worker_send(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms,
    struct err *e)
{
	enum err_code code;

	if (w->busy)
		return err_set(e, ERR_BUG, "worker %s: a request is under way", w->spec.name);
	if (type >= FRAME_OWN_TYPES || nfds > WORKER_FDS)
		return err_set(e, ERR_BUG, "worker %s: type %#x with %zu descriptors", w->spec.name, type, nfds);
	if (body.n > w->spec.limits.frame_bytes)
		return err_set(e, ERR_LIMIT, "worker %s: a frame of %zu octets, at most %zu", w->spec.name, body.n,
		    w->spec.limits.frame_bytes);
	w->type = type;
	w->fell = false;
	w->timeout_ms = timeout_ms;
	w->deadline_ms = timeout_ms > 0 ? sys_monotonic_ms() + timeout_ms : NO_DEADLINE;
	code = send_request(w, body, fds, nfds, e);
	w->busy = code == ERR_OK;
	return code;
}

enum err_code
worker_recv(struct worker *w, struct buf *reply, struct err *e)
{
	struct err why = {0};
	enum err_code code;

	if (!w->busy)
		return err_set(e, ERR_BUG, "worker %s: no request is under way", w->spec.name);
	code = frame_recv(w->fd, w->spec.limits.frame_bytes, false, w->deadline_ms, &w->in, &why);
	if (code != ERR_OK)
		return receive_failed(w, code, &why, e);
	w->busy = false;
	if (w->in.type == FRAME_ERROR)
		return take_error(w, e);
	if (w->in.type != w->type) {
		reap(w);
		return err_set(e, ERR_REFUSED, "worker %s: an answer of type %#x to %#x", w->spec.name, w->in.type, w->type);
	}
	buf_clear(reply);
	buf_addslice(reply, buf_slice(&w->in.body));
	shrink(&w->in.body);
	return buf_ok(reply, e);
}

enum err_code
worker_call(struct worker *w, uint32_t type, struct slice body, const int *fds, size_t nfds, int64_t timeout_ms,
    struct buf *reply, struct err *e)
{
	enum err_code code = worker_send(w, type, body, fds, nfds, timeout_ms, e);

	if (code == ERR_OK && w->wait != NULL) {
		code = w->wait(w->wait_ctx, w, e);
		if (code != ERR_OK && code != ERR_BUSY)
			worker_drop(w);
	}
	return code == ERR_OK ? worker_recv(w, reply, e) : code;
}

void
worker_on_wait(struct worker *w, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx)
{
	w->wait = wait;
	w->wait_ctx = ctx;
}

void
worker_extend(struct worker *w, int64_t ms)
{
	if (w->busy && w->deadline_ms != NO_DEADLINE)
		w->deadline_ms += ms;
}

void
worker_drop(struct worker *w)
{
	if (w->busy)
		reap(w);
}

bool
worker_fell(const struct worker *w)
{
	return w->fell;
}

bool
worker_busy(const struct worker *w)
{
	return w->busy;
}

int
worker_fd(const struct worker *w)
{
	return w->fd;
}

int64_t
worker_deadline_ms(const struct worker *w)
{
	return w->busy ? w->deadline_ms : NO_DEADLINE;
}

struct cage_status
worker_cage(const struct worker *w)
{
	return w->cage;
}
