/* SPDX-License-Identifier: MIT */
/* Requests and answers; time, memory and crashes end a request and never the caller. */
#include "base/sys.h"
#include "tests/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum request {
	ECHO = 1,
	FAIL,	    /* body: code */
	SPIN,	    /* for ever */
	SLEEP,	    /* for ever */
	CRASH,
	ABORT,
	LEAVE,
	ALLOCATE, /* without end */
	BIG_REPLY, /* body: how many octets, as text */
	SUM_FDS, /* text of every descriptor passed */
	FILL_FD, /* writes into the one passed; body: how many octets */
	LIST_FDS, /* which are open */
	PARSE,	    /* xml_load of body; replies its text */
	PID,
	ROGUE_TYPE, /* answers with another type */
	ROGUE_SIZE, /* claims a frame above the cap */
	ROGUE_TAIL, /* octets behind the frame */
	ROGUE_CODE, /* an error code that is none */
};

/* --- in the child ------------------------------------------------------------- */

static enum err_code
child_sum_fds(const int *fds, size_t n, struct buf *reply, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct source s;
		void *map;

		if (source_fd(&fds[i], &s, e) != ERR_OK || source_read_all(&s, 1 << 20, reply, e) != ERR_OK)
			return err_wrap(e, "descriptor %zu", i);
		map = mmap(NULL, s.size_bytes, PROT_READ, MAP_PRIVATE, fds[i], 0);
		if (map == MAP_FAILED)
			return err_errno(e, ERR_IO, errno, "map");
		munmap(map, s.size_bytes);
	}
	return ERR_OK;
}

static enum err_code
child_fill_fd(int fd, size_t n, struct err *e)
{
	static const uint8_t octets[65536];
	enum err_code code = ERR_OK;

	for (size_t at = 0; code == ERR_OK && at < n; at += sizeof(octets))
		code = sys_pwrite(fd, slice_of(octets, sizeof(octets)), at, e);
	return code;
}

static enum err_code
child_allocate(struct err *e)
{
	for (;;) {
		char *p = malloc(1 << 20);

		if (p == NULL)
			return err_nomem(e);
		memset(p, 1, 1 << 20);
	}
}

static enum err_code
child_rogue(uint32_t type, struct err *e)
{
	static const uint8_t huge[8] = {0, 0, 0, ROGUE_SIZE, 0x7f, 0xff, 0xff, 0xff};
	static const uint8_t tail[12] = {0, 0, 0, ROGUE_TAIL, 0, 0, 0, 1, 'a', 'b', 'c', 'd'};

	if (type == ROGUE_TYPE)
		return frame_send(3, ECHO, slice_str("x"), NULL, 0, NO_DEADLINE, e);
	if (type == ROGUE_CODE)
		return frame_send(3, FRAME_ERROR, slice_of("\xff\xff\xff\xff" "x", 5), NULL, 0, NO_DEADLINE, e);
	return sys_append(3, type == ROGUE_SIZE ? slice_of(huge, 8) : slice_of(tail, 12), e);
}

static enum err_code
handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	(void)ctx;
	switch ((enum request)type) {
	case ECHO:
		buf_addslice(reply, body);
		return ERR_OK;
	case FAIL:
		return err_set(e, (enum err_code)number(body), "as asked\nwith a line end");
	case SPIN:
		for (volatile unsigned i = 0;; i = i + 1)
			;
	case SLEEP:
		for (;;)
			poll(NULL, 0, 1000);
	case CRASH:
		raise(SIGSEGV);
		return ERR_OK;
	case ABORT:
		abort();
	case LEAVE:
		_exit(7);
	case ALLOCATE:
		return child_allocate(e);
	case BIG_REPLY:
		for (size_t n = number(body); n > 0; n--)
			buf_add8(reply, 'x');
		return ERR_OK;
	case SUM_FDS:
		return child_sum_fds(fds, nfds, reply, e);
	case FILL_FD:
		return nfds == 1 ? child_fill_fd(fds[0], number(body), e) : err_set(e, ERR_BUG, "one descriptor");
	case LIST_FDS:
		for (int fd = 0; fd < 64; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				buf_addf(reply, "%d ", fd);
		return ERR_OK;
	case PARSE:
		return child_parse(body, reply, e);
	case PID:
		buf_addf(reply, "%d", (int)getpid());
		return ERR_OK;
	default:
		(void)!child_rogue(type, e);
		pause();
		for (;;)
			poll(NULL, 0, 1000);
	}
}

/* --- in the test ----------------------------------------------------------------- */

static struct worker *
start(struct worker_limits limits)
{
	return child_start((struct worker_spec){.handle = handle, .limits = limits});
}

/* The worker is usable: what every test ends with. */
static void
still_answers(struct worker *w)
{
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	OK(worker_call(w, ECHO, slice_str("hello"), NULL, 0, 10000, &reply, &e));
	assert_string_equal(buf_str(&reply), "hello");
}

static void
echoes(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf big = {0}, reply = {0};
	struct err e = {0};

	(void)state;
	for (size_t n = 65520; n < 65560; n++) { /* around the size of one piece */
		buf_clear(&big);
		for (size_t i = 0; i < n; i++)
			buf_add8(&big, (unsigned)(i * 7 + n));
		OK(worker_call(w, ECHO, buf_slice(&big), NULL, 0, 10000, &reply, &e));
		SAME(buf_slice(&reply), buf_slice(&big));
	}
	buf_clear(&big);
	for (size_t i = 0; i < 1000000; i++)
		buf_addbe64(&big, i);
	OK(worker_call(w, ECHO, buf_slice(&big), NULL, 0, 10000, &reply, &e));
	SAME(buf_slice(&reply), buf_slice(&big));
	OK(worker_call(w, ECHO, slice_str(""), NULL, 0, 0, &reply, &e));
	assert_int_equal(reply.n, 0);
}

static void
errors_come_back(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	for (int code = ERR_NOMEM; code < ERR_CODES; code++) {
		bool ours = code == ERR_IO || code == ERR_NOSPACE || code == ERR_BUG; /* would speak of the caller */
		char text[8];

		snprintf(text, sizeof(text), "%d", code);
		kit_expect(code == ERR_NOMEM ? ERR_LIMIT : ours ? ERR_REFUSED : (enum err_code)code,
		    worker_call(w, FAIL, slice_str(text), NULL, 0, 10000, &reply, &e), &e, text, __FILE__, __LINE__);
		SAYS(code == ERR_NOMEM ? "memory limit 2048 MiB: as asked?with a line end" : "as asked?with a line end");
		SAYS(ours ? err_word((enum err_code)code) : "");
	}
	still_answers(w);
}

static void
only_its_descriptors(void **state)
{
	AUTO(fd) int other = open("/dev/null", O_RDONLY);
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	assert_true(other > 2);
	for (int i = 0; i < 3; i++) {
		OK(worker_call(w, LIST_FDS, slice_str(""), NULL, 0, 10000, &reply, &e));
		assert_string_equal(buf_str(&reply), "0 1 2 3 ");
		/* Passed ones are closed after each request, also after one that fails. */
		OK(worker_call(w, ECHO, slice_str(""), &other, 1, 10000, &reply, &e));
		FAILS(ERR_BUSY, worker_call(w, FAIL, slice_str("11"), &other, 1, 10000, &reply, &e));
	}
}

static void
descriptors_are_readable(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(kit_dir) struct kit_dir dir = kit_dir_new();
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	int fds[WORKER_FDS + 1];

	(void)state;
	OK(sys_write_durably(dir.fd, "f", slice_str("file "), 0600, &e));
	OK(sys_open_read(dir.fd, "f", &fds[0], &e));
	for (int i = 1; i <= WORKER_FDS; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d ", i);
		OK(worker_memfd(slice_str(text), &fds[i], &e));
	}
	OK(worker_call(w, SUM_FDS, slice_str(""), fds, WORKER_FDS, 10000, &reply, &e));
	assert_string_equal(buf_str(&reply), "file 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 ");
	FAILS(ERR_BUG, worker_call(w, SUM_FDS, slice_str(""), fds, WORKER_FDS + 1, 10000, &reply, &e));
	for (int i = 0; i <= WORKER_FDS; i++)
		close(fds[i]);
	still_answers(w);
}

static void
sealed_means_sealed(void **state)
{
	AUTO(fd) int fd = -1;
	struct err e = {0};

	(void)state;
	OK(worker_memfd(slice_str("content"), &fd, &e));
	assert_true(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	assert_true(ftruncate(fd, 3) < 0 && errno == EPERM);
	assert_true(ftruncate(fd, 30) < 0 && errno == EPERM);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

static void
results_fit_into_a_memfd(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){.file_bytes = 1 << 20});
	AUTO(buf) struct buf reply = {0};
	AUTO(fd) int fd = -1;
	struct err e = {0};
	uint64_t size = 0;

	(void)state;
	OK(worker_memfd_empty(&fd, &e));
	OK(worker_call(w, FILL_FD, slice_str("1048576"), &fd, 1, 10000, &reply, &e));
	OK(sys_size(fd, &size, &e));
	assert_int_equal(size, 1048576);
	FAILS(ERR_REFUSED, worker_call(w, FILL_FD, slice_str("1048577"), &fd, 1, 10000, &reply, &e));
	SAYS("File too large");
	still_answers(w);
}

/* --- limits --- */

static void
time_limit(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	int64_t begin = sys_monotonic_ms();

	(void)state;
	FAILS(ERR_LIMIT, worker_call(w, SLEEP, slice_str(""), NULL, 0, 300, &reply, &e));
	assert_string_equal(e.text, "worker test: time limit 300 ms passed");
	FAILS(ERR_LIMIT, worker_call(w, SPIN, slice_str(""), NULL, 0, 1000, &reply, &e));
	assert_string_equal(e.text, "worker test: time limit 1 s passed");
	assert_in_range(sys_monotonic_ms() - begin, 1300, 5000);
	assert_int_equal(worker_fd(w), -1);
	still_answers(w);
}

static void
processor_limit(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){.cpu_s = 1});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	FAILS(ERR_LIMIT, worker_call(w, SPIN, slice_str(""), NULL, 0, 60000, &reply, &e));
	assert_string_equal(e.text, "worker test: processor time limit 1 s passed");
	still_answers(w);
}

/* A sanitizer's shadow memory knows no limit; docs/worker.md says so. */
static void
meets_the_memory_limit(enum request type, struct slice body)
{
	AUTO(worker) struct worker *w = NULL;
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	if (WORKER_SANITIZED)
		return;
	w = start((struct worker_limits){.memory_bytes = (size_t)64 << 20});
	FAILS(ERR_LIMIT, worker_call(w, type, body, NULL, 0, 20000, &reply, &e));
	SAYS("memory limit 64 MiB");
	still_answers(w);
}

static void
memory_limit(void **state)
{
	(void)state;
	meets_the_memory_limit(ALLOCATE, slice_str(""));
}

static void
parser_meets_the_memory_limit(void **state)
{
	AUTO(buf) struct buf xml = {0};

	(void)state;
	buf_adds(&xml, "<a>");
	for (int i = 0; i < 2000000; i++)
		buf_adds(&xml, "<b/>");
	buf_adds(&xml, "</a>");
	meets_the_memory_limit(PARSE, buf_slice(&xml));
}

static void
crashes(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	FAILS(ERR_REFUSED, worker_call(w, CRASH, slice_str(""), NULL, 0, 10000, &reply, &e));
	assert_string_equal(e.text, "worker test: died of signal 11 (Segmentation fault)");
	still_answers(w);
	FAILS(ERR_REFUSED, worker_call(w, ABORT, slice_str(""), NULL, 0, 10000, &reply, &e));
	SAYS("worker test: ");
	still_answers(w);
	FAILS(ERR_REFUSED, worker_call(w, LEAVE, slice_str(""), NULL, 0, 10000, &reply, &e));
	assert_string_equal(e.text, "worker test: left with status 7");
	still_answers(w);
}

static void
frame_limit(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){.frame_bytes = 1000});
	AUTO(buf) struct buf reply = {0};
	AUTO(mem) char *body = mem_new(1, 1001);
	struct err e = {0};

	(void)state;
	OK(worker_call(w, ECHO, slice_of(body, 1000), NULL, 0, 10000, &reply, &e));
	assert_int_equal(reply.n, 1000);
	FAILS(ERR_LIMIT, worker_call(w, ECHO, slice_of(body, 1001), NULL, 0, 10000, &reply, &e));
	SAYS("a frame of 1001 octets, at most 1000");
	OK(worker_call(w, BIG_REPLY, slice_str("1000"), NULL, 0, 10000, &reply, &e));
	FAILS(ERR_LIMIT, worker_call(w, BIG_REPLY, slice_str("1001"), NULL, 0, 10000, &reply, &e));
	still_answers(w);
}

/* A child that was taken over writes to the socket what it likes. */
static void
rogue_children(void **state)
{
	static const struct {
		enum request type;
		enum err_code code;
		const char *says;
	} rows[] = {
	    {ROGUE_TYPE, ERR_REFUSED, "an answer of type"},
	    {ROGUE_SIZE, ERR_LIMIT, "a frame of 2147483647 octets"},
	    {ROGUE_TAIL, ERR_REFUSED, "octets after the frame"},
	    {ROGUE_CODE, ERR_REFUSED, "an unknown error code"},
	};
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FAILS(rows[i].code, worker_call(w, rows[i].type, slice_str(""), NULL, 0, 10000, &reply, &e));
		SAYS(rows[i].says);
		assert_int_equal(worker_fd(w), -1);
		still_answers(w);
	}
}

static void
idle_death_goes_unnoticed(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	OK(worker_call(w, PID, slice_str(""), NULL, 0, 10000, &reply, &e));
	assert_int_equal(kill((pid_t)number(buf_slice(&reply)), SIGKILL), 0);
	poll(&(struct pollfd){.fd = worker_fd(w), .events = POLLIN}, 1, 5000);
	still_answers(w);
}

/* A descriptor for the interrupt key and the service manager's stop: the request under way is finished. */
static void
stop_signals_are_the_parents(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	pid_t pid;

	(void)state;
	OK(worker_call(w, PID, slice_str(""), NULL, 0, 10000, &reply, &e));
	pid = (pid_t)number(buf_slice(&reply));
	kill(pid, SIGINT);
	kill(pid, SIGTERM);
	kill(pid, SIGHUP);
	OK(worker_call(w, PID, slice_str(""), NULL, 0, 10000, &reply, &e));
	assert_int_equal(number(buf_slice(&reply)), pid);
}

static void
several_at_once(void **state)
{
	AUTO(worker) struct worker *a = start((struct worker_limits){0}), *b = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	struct pollfd p;

	(void)state;
	OK(worker_send(a, SLEEP, slice_str(""), NULL, 0, 400, &e));
	OK(worker_send(b, ECHO, slice_str("b"), NULL, 0, 10000, &e));
	assert_true(worker_busy(a) && worker_busy(b));
	FAILS(ERR_BUG, worker_send(b, ECHO, slice_str("c"), NULL, 0, 10000, &e));
	p = (struct pollfd){.fd = worker_fd(b), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 5000), 1);
	OK(worker_recv(b, &reply, &e));
	assert_string_equal(buf_str(&reply), "b");
	FAILS(ERR_BUG, worker_recv(b, &reply, &e));
	assert_in_range(worker_deadline_ms(a) - sys_monotonic_ms() + 1000, 0, 1400);
	assert_true(worker_deadline_ms(b) == INT64_MAX);
	FAILS(ERR_LIMIT, worker_recv(a, &reply, &e));
	still_answers(a);
}

/* A parent that dies takes its children along: nobody would keep their clock. */
static void
children_die_with_their_parent(void **state)
{
	AUTO(buf) struct buf reply = {0};
	int pipe_fds[2];
	pid_t parent, child = 0;
	bool gone = false;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	parent = fork();
	if (parent == 0) {
		struct worker_spec spec = {.name = "orphan", .handle = handle};
		struct worker *w = NULL;
		struct err e = {0};

		if (worker_start(&spec, &w, &e) == ERR_OK &&
		    worker_call(w, PID, slice_str(""), NULL, 0, 10000, &reply, &e) == ERR_OK)
			(void)!write(pipe_fds[1], buf_str(&reply), reply.n + 1);
		if (w != NULL && worker_send(w, SPIN, slice_str(""), NULL, 0, 0, &e) == ERR_OK)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	char text[16] = "";
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	child = (pid_t)strtol(text, NULL, 10);
	waitpid(parent, NULL, 0);
	for (int i = 0; i < 200 && !gone; i++) {
		gone = kill(child, 0) != 0 && errno == ESRCH;
		if (!gone) {
			char path[32], stat_text[128] = "";
			AUTO(fd) int fd = -1;

			/* Nobody may be there to reap it: a zombie is dead enough. */
			snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
			fd = open(path, O_RDONLY);
			gone = fd < 0 || (read(fd, stat_text, sizeof(stat_text) - 1) > 0 && strstr(stat_text, ") Z ") != NULL);
			poll(NULL, 0, 10);
		}
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_true(gone);
}

static enum err_code
failing_warm_up(void *ctx, struct err *e)
{
	return err_set(e, ERR_USAGE, "%s", (const char *)ctx);
}

static void
warm_up_may_fail(void **state)
{
	char why[] = "no such file";
	struct worker_spec spec = {.name = "cold", .handle = handle, .warm_up = failing_warm_up, .ctx = why};
	struct worker *w = NULL;
	struct err e = {0};

	(void)state;
	FAILS(ERR_USAGE, worker_start(&spec, &w, &e));
	assert_string_equal(e.text, "warm-up: no such file");
	assert_null(w);
}

static void
many_requests(void **state)
{
	AUTO(worker) struct worker *w = start((struct worker_limits){0});
	AUTO(buf) struct buf reply = {0};
	AUTO(fd) int fd = -1;
	struct err e = {0};

	(void)state;
	OK(worker_memfd(slice_str("x"), &fd, &e));
	for (int i = 0; i < 5000; i++)
		OK(worker_call(w, SUM_FDS, slice_str("x"), &fd, 1, 10000, &reply, &e));
	assert_string_equal(buf_str(&reply), "x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(echoes),
	    cmocka_unit_test(errors_come_back),
	    cmocka_unit_test(only_its_descriptors),
	    cmocka_unit_test(descriptors_are_readable),
	    cmocka_unit_test(sealed_means_sealed),
	    cmocka_unit_test(results_fit_into_a_memfd),
	    cmocka_unit_test(time_limit),
	    cmocka_unit_test(processor_limit),
	    cmocka_unit_test(memory_limit),
	    cmocka_unit_test(parser_meets_the_memory_limit),
	    cmocka_unit_test(crashes),
	    cmocka_unit_test(frame_limit),
	    cmocka_unit_test(rogue_children),
	    cmocka_unit_test(idle_death_goes_unnoticed),
	    cmocka_unit_test(stop_signals_are_the_parents),
	    cmocka_unit_test(several_at_once),
	    cmocka_unit_test(children_die_with_their_parent),
	    cmocka_unit_test(warm_up_may_fail),
	    cmocka_unit_test(many_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
