/* SPDX-License-Identifier: MIT */
/* The cage holds, also for root, and where seccomp is alone: what a child tries is refused. */
#include "tests/children.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRY = 1 }; /* the only request; body: name in tries[] */

/* --- in the child ------------------------------------------------------------- */

/* Names that no other run uses; made before the children are forked. */
static char bait[64], must_not[64];

static int
try_open_read(void)
{
	return open("/etc/passwd", O_RDONLY);
}
static int
try_open_dev(void)
{
	return open("/dev/null", O_RDONLY);
}
static int
try_open_write(void)
{
	return open(must_not, O_WRONLY | O_CREAT, 0600);
}
static int
try_open_append(void)
{
	return open("/etc/hosts", O_WRONLY | O_APPEND);
}
static int
try_open_rdwr(void)
{
	return open("/etc/hosts", O_RDWR);
}
static int
try_truncate_on_read(void)
{
	return open("/etc/hosts", O_RDONLY | O_TRUNC);
}
static int
try_tmpfile(void)
{
	return open("/tmp", O_RDWR | O_TMPFILE, 0600);
}
static int
try_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {0};

	return (int)syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}
/* Calls that newer architectures have not: there nothing is to be refused. */
static int
try_creat(void)
{
#ifdef SYS_creat
	return (int)syscall(SYS_creat, must_not, 0600);
#else
	return errno = EPERM, -1;
#endif
}
static int
try_mkdir(void)
{
	return mkdir(must_not, 0700);
}
static int
try_unlink(void)
{
	return unlink(bait);
}
static int
try_rename(void)
{
	return rename(bait, must_not);
}
static int
try_symlink(void)
{
	return symlink("/etc", must_not);
}
static int
try_chmod(void)
{
	return chmod(bait, 0777);
}
static int
try_truncate(void)
{
	return truncate(bait, 0);
}
static int
try_memfd(void)
{
	return memfd_create("x", 0);
}
static int
try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}
static int
try_inet_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int
try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}
/* One that is connected in pairs could be turned to any socket of the machine that has a name. */
static int
try_unix_datagrams(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
}
static int
try_unix_stream_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}
static int
try_sctp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}
static int
try_ping(void)
{
	return socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
}
static int
try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}
static int
try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}
static int
try_bind(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s < 0 ? -1 : bind(s, (struct sockaddr *)&a, sizeof(a));
}
static int
try_listen(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s < 0 ? -1 : listen(s, 1);
}
static int
try_exec(void)
{
	char *none[] = {NULL};

	return execve("/bin/true", none, none);
}
static int
try_execveat(void)
{
	char *none[] = {NULL};

	return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0);
}
static int
try_fork(void)
{
#ifdef SYS_fork
	int pid = (int)syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return pid;
#else
	return errno = EPERM, -1;
#endif
}
static int
try_clone(void)
{
	int pid = (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}
static int
try_kill_parent(void)
{
	return kill(getppid(), 0);
}
static int
try_file_flags(void)
{
	return fcntl(0, F_SETFL, O_NONBLOCK);
}
static int
try_chdir(void)
{
	return chdir("/");
}
static int
try_setuid(void)
{
	return setuid(0);
}
static int
try_run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int
try_more_memory(void)
{
	const struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_AS, &r);
}

/* Refused in: w the worker, n the net child, s the net child where seccomp alone holds. Allowed in the others. */
static const struct try {
	const char *name;
	int (*call)(void);
	const char *refused;
} tries[] = {
    {"open /etc/passwd", try_open_read, "wn"},
    {"open /dev/null", try_open_dev, "wn"},
    {"create a file", try_open_write, "wns"},
    {"append to a file", try_open_append, "wns"},
    {"open to read and write", try_open_rdwr, "wns"},
    {"truncate by open", try_truncate_on_read, "wns"},
    {"file without a name", try_tmpfile, "wns"},
    {"openat2", try_openat2, "wns"},
    {"creat", try_creat, "wns"},
    {"make a folder", try_mkdir, "wns"},
    {"unlink", try_unlink, "wns"},
    {"rename", try_rename, "wns"},
    {"symlink", try_symlink, "wns"},
    {"chmod", try_chmod, "wns"},
    {"truncate", try_truncate, "wns"},
    {"memfd", try_memfd, "wns"},
    {"TCP socket", try_inet, "w"},
    {"raw socket", try_inet_raw, "wns"},
    {"Unix socket", try_unix, "wns"},
    {"Unix datagrams", try_unix_datagrams, "wns"},
    {"Unix stream pair", try_unix_stream_pair, "w"},
    {"SCTP socket", try_sctp, "wns"},
    {"ping socket", try_ping, "wns"},
    {"netlink socket", try_netlink, "wns"},
    {"packet socket", try_packet, "wns"},
    {"bind", try_bind, "wns"},
    {"listen", try_listen, "wns"},
    {"exec", try_exec, "wns"},
    {"execveat", try_execveat, "wns"},
    {"fork", try_fork, "wns"},
    {"clone", try_clone, "wns"},
    {"signal the parent", try_kill_parent, "wns"},
    {"flags of a file that is open elsewhere too", try_file_flags, "w"},
    {"change folder", try_chdir, "wns"},
    {"set user", try_setuid, "wns"},
    {"memory that can run", try_run_memory, "w"},
    {"raise the memory limit", try_more_memory, "wns"},
};
#define TRIES (sizeof(tries) / sizeof(tries[0]))

static enum err_code
handle(void *ctx, uint32_t type, struct slice name, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	(void)ctx;
	(void)type;
	(void)fds;
	(void)nfds;
	for (size_t i = 0; i < TRIES; i++)
		if (slice_is(name, tries[i].name)) {
			int r = tries[i].call(), err = errno;

			buf_addf(reply, "%s", r >= 0 ? "allowed" : err == EPERM || err == EACCES ? "refused" : strerror(err));
			return ERR_OK;
		}
	return err_set(e, ERR_BUG, "no such try");
}

/* --- in the test ----------------------------------------------------------------- */

static struct worker *
start(enum cage_role role)
{
	return child_start((struct worker_spec){.role = role, .handle = handle});
}

/* How many tries went another way than the table says. */
static int
wrong_tries(struct worker *w, char letter)
{
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};
	int wrong = 0;

	for (size_t i = 0; i < TRIES; i++) {
		const char *want = strchr(tries[i].refused, letter) != NULL ? "refused" : "allowed";
		const char *have = "";

		if (worker_call(w, TRY, slice_str(tries[i].name), NULL, 0, 10000, &reply, &e) != ERR_OK)
			have = e.text;
		else
			have = buf_str(&reply);
		if (strcmp(have, want) == 0)
			continue;
		print_error("%s: %s, expected %s\n", tries[i].name, have, want);
		wrong++;
	}
	return wrong;
}

static void
make_bait(void)
{
	int fd = open(bait, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void
bait_is_whole(void)
{
	struct stat st;

	assert_int_equal(stat(bait, &st), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(bait);
	assert_int_not_equal(access(must_not, F_OK), 0);
}

static void
worker_is_caged(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_WORKER);

	(void)state;
	make_bait();
	assert_int_equal(wrong_tries(w, 'w'), 0);
	bait_is_whole();
}

static void
net_is_caged(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_NET);

	(void)state;
	make_bait();
	assert_int_equal(wrong_tries(w, landlock_abi() > 0 ? 'n' : 's'), 0);
	bait_is_whole();
}

/* A kernel without Landlock, played by a filter that says so. */
static int
without_landlock(enum cage_role role, char letter)
{
	struct worker_spec spec = {.name = "test", .role = role, .handle = handle};
	AUTO(worker) struct worker *w = NULL;
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	struct err e = {0};

	if (f == NULL || seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) != 0 ||
	    seccomp_load(f) != 0 || landlock_abi() != 0 || worker_start(&spec, &w, &e) != ERR_OK)
		return 100;
	seccomp_release(f);
	return wrong_tries(w, letter) + (worker_cage(w).landlock_abi != 0 || !worker_cage(w).seccomp);
}

static void
seccomp_alone_holds(void **state)
{
	static const struct {
		enum cage_role role;
		char letter;
	} roles[] = {{CAGE_WORKER, 'w'}, {CAGE_NET, 's'}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int status = -1;
		pid_t pid;

		make_bait();
		pid = fork();
		if (pid == 0)
			_exit(without_landlock(roles[i].role, roles[i].letter));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		bait_is_whole();
	}
}

/* The tries themselves work: without a cage most of them are allowed, so a refusal means something. */
static void
tries_work_without_a_cage(void **state)
{
	static const char *const names[] = {"open /etc/passwd", "open /dev/null", "file without a name", "memfd", "TCP socket",
	    "Unix socket", "Unix datagrams", "netlink socket", "bind", "listen", "exec", "clone", "signal the parent", "change folder"};
	AUTO(worker) struct worker *w = start(CAGE_NONE);
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	assert_false(worker_cage(w).seccomp);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		enum err_code code = worker_call(w, TRY, slice_str(names[i]), NULL, 0, 10000, &reply, &e);

		if (strcmp(names[i], "exec") == 0) /* the child is another program now, which left */
			assert_int_equal(code, ERR_REFUSED);
		else if (code != ERR_OK || strcmp(buf_str(&reply), "allowed") != 0)
			fail_msg("%s: %s", names[i], code != ERR_OK ? e.text : buf_str(&reply));
	}
}

static int
setup(void **state)
{
	(void)state;
	snprintf(bait, sizeof(bait), "/tmp/everseal-bait-%d", (int)getpid());
	snprintf(must_not, sizeof(must_not), "/tmp/everseal-must-not-be-%d", (int)getpid());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(worker_is_caged),
	    cmocka_unit_test(net_is_caged),
	    cmocka_unit_test(seccomp_alone_holds),
	    cmocka_unit_test(tries_work_without_a_cage),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
