/* SPDX-License-Identifier: MIT */
/* What a child may do after its warm-up: system calls and resource limits. docs/cage.md has the table. */
#include "base/worker_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One allowed call; with n arguments to look at. arg value = own pid where it says PID. */
struct rule {
	int call;
	unsigned n;
	struct scmp_arg_cmp arg[3];
};
#define CALL(name) {.call = SCMP_SYS(name)}
#define CALL1(name, a) {.call = SCMP_SYS(name), .n = 1, .arg = {a}}
#define CALL2(name, a, b) {.call = SCMP_SYS(name), .n = 2, .arg = {a, b}}
#define CALL3(name, a, b, c) {.call = SCMP_SYS(name), .n = 3, .arg = {a, b, c}}
#define IS(i, v) {(i), SCMP_CMP_EQ, (scmp_datum_t)(v), 0}
#define BITS(i, mask, v) {(i), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(v)}

/* Octets in and out of descriptors it holds; memory, but none that can be run; time, randomness, its own signals. */
static const struct rule common_calls[] = {
    CALL(read),
    CALL(readv),
    CALL(pread64),
    CALL(preadv),
    CALL(write),
    CALL(writev),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(ftruncate),
    CALL(lseek),
    CALL(fstat),
    /* fstat of glibc 2.36. The path can't be looked at from here. */
    CALL1(newfstatat, IS(3, 0x1000)),
    CALL(close),
    CALL(close_range),
    CALL(fadvise64),
    CALL(recvmsg),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(sendto),
    CALL(poll),
    CALL(ppoll),
    CALL1(fcntl, IS(1, F_GETFD)),
    CALL1(fcntl, IS(1, F_SETFD)),
    CALL1(fcntl, IS(1, F_GETFL)),
    CALL1(fcntl, IS(1, F_DUPFD_CLOEXEC)),
    CALL1(fcntl, IS(1, F_GET_SEALS)),
    CALL(brk),
    CALL1(mmap, BITS(2, PROT_EXEC, 0)),
    CALL1(mprotect, BITS(2, PROT_EXEC, 0)),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(futex),
    CALL(rseq),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(getcpu),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    CALL(times),
    CALL(getrusage),
    CALL(setitimer),
    CALL(restart_syscall),
    CALL(getrandom),
    CALL(sysinfo),
    CALL(uname),
    CALL(getpid),
    CALL(gettid),
    CALL(getppid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL2(prlimit64, IS(0, 0), IS(2, 0)),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(exit),
    CALL(exit_group),
};

/* An open that can't change anything. */
#define CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))
#define SOCK_KIND 0xf

/* TCP and UDP, by name or as what is meant by 0: no SCTP, no ping. */
#define INET_SOCKET(family, kind, protocol)                                                                            \
	CALL3(socket, IS(0, family), BITS(1, SOCK_KIND, kind), IS(2, 0)),                                              \
	    CALL3(socket, IS(0, family), BITS(1, SOCK_KIND, kind), IS(2, protocol))

static const struct rule net_calls[] = {
    INET_SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    INET_SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    INET_SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    INET_SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    /* curl wakes its own threads by one. One of datagrams could be connected anew, to /dev/log for one. */
    CALL2(socketpair, IS(0, AF_UNIX), BITS(1, SOCK_KIND, SOCK_STREAM)),
    CALL1(fcntl, IS(1, F_SETFL)), /* in the worker it would change descriptors that main reads by, too */
    CALL(connect),
    CALL(getsockname),
    CALL(getpeername),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(shutdown),
    CALL(sendmmsg),
    CALL(recvmmsg),
    CALL(select),
    CALL(pselect6),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(eventfd2),
    CALL(pipe2),
    CALL1(ioctl, IS(1, FIONREAD)),
    CALL1(ioctl, IS(1, FIONBIO)),
    CALL1(open, BITS(1, CHANGES, O_RDONLY)),
    CALL1(openat, BITS(2, CHANGES, O_RDONLY)),
    CALL(stat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(access),
    CALL(faccessat),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(mmap),
    CALL(mprotect),
    CALL1(clone, BITS(0, CLONE_THREAD, CLONE_THREAD)),
    CALL(set_robust_list),
    CALL1(prctl, IS(0, PR_SET_NAME)),
};

/* No honest bug ends in one of these. */
static const int deadly_calls[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(mount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(reboot),
    SCMP_SYS(add_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(open_by_handle_at),
};

static int
add_rules(scmp_filter_ctx f, const struct rule *r, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, r[i].call, r[i].n, r[i].arg);
	return rc;
}

static int
fill_filter(scmp_filter_ctx f, enum cage_role role)
{
	const struct scmp_arg_cmp self = IS(0, getpid());
	int rc = add_rules(f, common_calls, sizeof(common_calls) / sizeof(common_calls[0]));

	if (rc == 0 && role == CAGE_NET)
		rc = add_rules(f, net_calls, sizeof(net_calls) / sizeof(net_calls[0]));
	/* abort() */
	if (rc == 0)
		rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
	/* Its flags lie in memory where no filter sees them; glibc falls back to clone on ENOSYS alone. */
	if (rc == 0)
		rc = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	for (size_t i = 0; rc == 0 && i < sizeof(deadly_calls) / sizeof(deadly_calls[0]); i++)
		rc = seccomp_rule_add_array(f, SCMP_ACT_KILL_PROCESS, deadly_calls[i], 0, NULL);
	return rc;
}

/* Everything else fails as for lack of permission, so that a library's optional call does not end the child. */
static enum err_code
seccomp_close(enum cage_role role, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (f == NULL)
		return err_nomem(e);
	rc = fill_filter(f, role);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc != 0)
		return err_errno(e, ERR_UNSUPPORTED, -rc, "seccomp");
	return ERR_OK;
}

static enum err_code
limit(int what, rlim_t value, const char *name, struct err *e)
{
	struct rlimit r = {value, value}, now;

	if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < value)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &r) != 0)
		return err_errno(e, ERR_IO, errno, "limit of %s", name);
	return ERR_OK;
}

/* Address space in use; 0 when it can't be told. */
static size_t
space_in_use(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What the child has mapped by now is not the document's fault, so it does not count. A sanitizer maps terabytes. */
static enum err_code
limit_memory(const struct worker_spec *spec, bool *holds, struct err *e)
{
	size_t used = space_in_use();

	*holds = false;
	if (WORKER_SANITIZED || used == 0 || spec->limits.memory_bytes > SIZE_MAX - used)
		return ERR_OK;
	*holds = true;
	return limit(RLIMIT_AS, used + spec->limits.memory_bytes, "memory", e);
}

/*
 * Root's rights go by calls that any child needs: a firewall's rules by setsockopt, another's page by madvise. The net
 * child of root may still read the listed TLS files of another user.
 */
static enum err_code
drop_capabilities(enum cage_role role, struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[2], kept[2] = {{0}};

	if (syscall(SYS_capget, &head, now) != 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "capabilities");
	if (role == CAGE_NET)
		kept[0].effective = kept[0].permitted = now[0].permitted & 1u << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &head, kept) != 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "capabilities");
	return ERR_OK;
}

enum err_code
cage_close(const struct worker_spec *spec, struct cage_status *out, struct err *e)
{
	*out = (struct cage_status){.role = spec->role};
	if (limit(RLIMIT_CORE, 0, "core", e) != ERR_OK ||
	    limit(RLIMIT_NOFILE, spec->role == CAGE_NET ? 256 : 64, "descriptors", e) != ERR_OK ||
	    limit(RLIMIT_FSIZE, spec->limits.file_bytes, "file size", e) != ERR_OK ||
	    limit_memory(spec, &out->memory_limit, e) != ERR_OK)
		return err_wrap(e, "resource limits");
	if (spec->role == CAGE_NONE)
		return ERR_OK;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "no new privileges");
	out->no_new_privs = true;
	if (drop_capabilities(spec->role, e) != ERR_OK || landlock_close(spec, &out->landlock_abi, e) != ERR_OK ||
	    seccomp_close(spec->role, e) != ERR_OK)
		return err_wrap(e, "rights");
	out->seccomp = true;
	return ERR_OK;
}

struct cage_status
cage_probe(enum cage_role role)
{
	struct cage_status s = {.role = role, .memory_limit = !WORKER_SANITIZED};

	if (role == CAGE_NONE)
		return s;
	s.seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
	s.no_new_privs = true;
	s.landlock_abi = landlock_abi();
	return s;
}

void
cage_text(const struct cage_status *s, char out[CAGE_TEXT])
{
	char landlock[24] = "no";

	if (s->landlock_abi > 0)
		snprintf(landlock, sizeof(landlock), "%d", s->landlock_abi);
	snprintf(out, CAGE_TEXT, "seccomp %s, landlock %s, no new privileges %s, memory limit %s",
	    s->seccomp ? "yes" : "no", landlock, s->no_new_privs ? "yes" : "no", s->memory_limit ? "yes" : "no");
}
