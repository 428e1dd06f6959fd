/* SPDX-License-Identifier: MIT */
/* A child in its cage: some calls end it, no capability and no memory of others is left, and what the warm-up promises is there. */
#include "base/digest.h"
#include "tests/children.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum request {
	PARSE = 1,
	READ_PATH, /* body: path */
	CONNECT, /* body: port */
	RESOLVE, /* body: name */
	THREAD,
	DIE,	   /* body: name in deaths[] */
	WHO,	   /* replies its process id */
	PEEK, /* reads six octets at the address in ctx */
};

/* --- in the child ------------------------------------------------------------- */

static long
call_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0);
}
static long
call_read_other(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static long
call_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}
static long
call_unshare(void)
{
	return syscall(SYS_unshare, 0);
}
#ifdef __x86_64__
/* getpid by the numbers of another architecture */
static long
call_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}
static long
call_i386(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r;
}
#endif

static const struct death {
	const char *name;
	long (*call)(void);
} deaths[] = {
    {"ptrace", call_ptrace},
    {"read another's memory", call_read_other},
    {"io_uring", call_io_uring},
    {"unshare", call_unshare},
#ifdef __x86_64__
    {"x32", call_x32},
    {"i386", call_i386},
#endif
};
#define DEATHS (sizeof(deaths) / sizeof(deaths[0]))

static enum err_code
child_die(struct slice name, struct buf *reply, struct err *e)
{
	for (size_t i = 0; i < DEATHS; i++)
		if (slice_is(name, deaths[i].name)) {
			buf_addf(reply, "lives: %ld", deaths[i].call());
			return ERR_OK;
		}
	return err_set(e, ERR_UNSUPPORTED, "no such death");
}

static enum err_code
child_read_path(struct slice path, struct buf *reply, struct err *e)
{
	AUTO(mem) char *name = mem_dup(path.p, path.n);
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno == EACCES || errno == EPERM ? ERR_REFUSED : ERR_IO, errno, "%s", name);
	buf_adds(reply, "opened");
	close(fd);
	return ERR_OK;
}

static enum err_code
child_connect(size_t port, struct buf *reply, struct err *e)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	AUTO(fd) int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[6] = "";

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) != 0 || recv(s, text, 5, MSG_WAITALL) != 5)
		return err_errno(e, ERR_REMOTE, errno, "connect");
	buf_adds(reply, text);
	return ERR_OK;
}

static enum err_code
child_resolve(struct slice name, struct buf *reply, struct err *e)
{
	AUTO(mem) char *host = mem_dup(name.p, name.n);
	struct addrinfo *list = NULL;
	int r = getaddrinfo(host, "80", NULL, &list);

	if (r != 0)
		return err_set(e, ERR_REMOTE, "%s", gai_strerror(r));
	freeaddrinfo(list);
	buf_adds(reply, "resolved");
	return ERR_OK;
}

static void *
in_thread(void *arg)
{
	return arg;
}

static enum err_code
child_thread(struct buf *reply, struct err *e)
{
	pthread_t t;
	void *back = NULL;
	int r = pthread_create(&t, NULL, in_thread, reply);

	if (r != 0)
		return err_errno(e, ERR_REFUSED, r, "thread");
	pthread_join(t, &back);
	buf_adds(reply, back == reply ? "ran" : "lost");
	return ERR_OK;
}

static enum err_code
handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	(void)fds;
	(void)nfds;
	switch ((enum request)type) {
	case PARSE:
		return child_parse(body, reply, e);
	case READ_PATH:
		return child_read_path(body, reply, e);
	case CONNECT:
		return child_connect(number(body), reply, e);
	case RESOLVE:
		return child_resolve(body, reply, e);
	case THREAD:
		return child_thread(reply, e);
	case DIE:
		return child_die(body, reply, e);
	case WHO:
		buf_addf(reply, "%d", (int)getpid());
		return ERR_OK;
	case PEEK:
		buf_add(reply, ctx, 6);
		return ERR_OK;
	default:
		return err_set(e, ERR_BUG, "no such request");
	}
}

/* --- in the test ----------------------------------------------------------------- */

static struct worker *
start(enum cage_role role, const char *const *paths)
{
	return child_start((struct worker_spec){.role = role, .handle = handle, .read_paths = paths});
}

static void
deadly_calls_kill(void **state)
{
	static const enum cage_role roles[] = {CAGE_WORKER, CAGE_NET};
	AUTO(buf) struct buf reply = {0};

	(void)state;
	for (size_t r = 0; r < 2; r++) {
		AUTO(worker) struct worker *w = start(roles[r], NULL);

		for (size_t i = 0; i < DEATHS; i++) {
			struct err e = {0};
			enum err_code code = worker_call(w, DIE, slice_str(deaths[i].name), NULL, 0, 10000, &reply, &e);

			if (code != ERR_REFUSED || strstr(e.text, "forbids") == NULL)
				fail_msg("%s: %s", deaths[i].name, code == ERR_OK ? buf_str(&reply) : e.text);
		}
	}
}

/* The line of /proc/PID/status that starts so, as a hexadecimal number. */
static unsigned long long
capabilities(const char *pid, const char *line)
{
	AUTO(mem) char *path = mem_printf("/proc/%s/status", pid);
	FILE *f = fopen(path, "re");
	unsigned long long v = ~0ULL;
	char text[200];

	assert_non_null(f);
	while (fgets(text, sizeof(text), f) != NULL)
		if (strncmp(text, line, strlen(line)) == 0)
			v = strtoull(text + strlen(line), NULL, 16);
	fclose(f);
	return v;
}

/* A child of root is no root: some calls that any child needs do more for one who may administer the network. */
static void
capabilities_are_gone(void **state)
{
	static const struct {
		enum cage_role role;
		unsigned long long kept; /* CAP_DAC_READ_SEARCH: TLS keys of another user, where a path rule lets it read them */
	} rows[] = {{CAGE_WORKER, 0}, {CAGE_NET, 1ULL << 2}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO(worker) struct worker *w = start(rows[i].role, NULL);
		AUTO(buf) struct buf pid = {0};
		struct err e = {0};

		OK(worker_call(w, WHO, slice_str(""), NULL, 0, 10000, &pid, &e));
		assert_true((capabilities(buf_str(&pid), "CapPrm:") & ~rows[i].kept) == 0);
		assert_true((capabilities(buf_str(&pid), "CapEff:") & ~rows[i].kept) == 0);
		assert_true(capabilities(buf_str(&pid), "CapInh:") == 0);
	}
}

/* An index that main has mapped, for one: a child could read it, and write to its lock file's pages. */
static void
no_shared_memory(void **state)
{
	AUTO(worker) struct worker *w = NULL;
	AUTO(buf) struct buf reply = {0};
	AUTO(fd) int fd = -1;
	struct err e = {0};
	struct worker_spec spec = {.name = "test", .handle = handle};

	(void)state;
	OK(worker_memfd(slice_str("secret"), &fd, &e));
	spec.ctx = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(spec.ctx, MAP_FAILED);
	OK(worker_start(&spec, &w, &e));
	/* nothing is there, or what the child has put there itself since */
	if (worker_call(w, PEEK, slice_str(""), NULL, 0, 10000, &reply, &e) == ERR_OK)
		assert_string_not_equal(buf_str(&reply), "secret");
	else
		assert_int_equal(e.code, ERR_REFUSED);
	assert_memory_equal(spec.ctx, "secret", 6);
	munmap(spec.ctx, 4096);
}

static void
status_is_told(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_WORKER, NULL);
	struct cage_status s = worker_cage(w), probe = cage_probe(CAGE_WORKER);
	char text[CAGE_TEXT];

	(void)state;
	assert_true(s.seccomp && s.no_new_privs);
	assert_int_equal(s.landlock_abi, landlock_abi());
	assert_int_equal(s.memory_limit, !WORKER_SANITIZED);
	assert_int_equal(probe.landlock_abi, s.landlock_abi);
	assert_true(probe.seccomp);
	cage_text(&s, text);
	assert_non_null(strstr(text, "seccomp yes"));
}

static void
encodings_in_the_cage(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_WORKER, NULL);
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	for (int set = 0; set < 2; set++)
		for (int i = set == 0 ? 1 : 0; i <= (set == 0 ? 16 : 8); i++) {
			AUTO(buf) struct buf xml = {0};
			char name[24];

			if (set == 0 && i == 12)
				continue; /* never issued */
			snprintf(name, sizeof(name), set == 0 ? "ISO-8859-%d" : "windows-125%d", i);
			buf_addf(&xml, "<?xml version='1.0' encoding='%s'?><a>\xa0</a>", name);
			kit_expect(ERR_OK, worker_call(w, PARSE, buf_slice(&xml), NULL, 0, 10000, &reply, &e), &e, name,
			    __FILE__, __LINE__);
			assert_string_equal(buf_str(&reply), "\xc2\xa0"); /* the same place in all of them */
		}
}

static enum err_code
handle_crypto(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct digest d;
	bool ok = key != NULL;

	(void)ctx;
	(void)type;
	(void)fds;
	(void)nfds;
	for (int alg = DIGEST_NONE + 1; ok && alg < DIGEST_ALGS; alg++) {
		enum err_code code = digest_once((enum digest_alg)alg, body, &d, e);

		ok = code == ERR_OK || (code == ERR_UNSUPPORTED && alg == DIGEST_WHIRLPOOL);
	}
	EVP_PKEY_free(key);
	buf_adds(reply, ok ? "ok" : "not ok");
	return ERR_OK;
}

static void
cryptography_in_the_cage(void **state)
{
	struct worker_spec spec = {.name = "crypto", .handle = handle_crypto};
	AUTO(worker) struct worker *w = NULL;
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	OK(worker_start(&spec, &w, &e));
	OK(worker_call(w, 1, slice_str("x"), NULL, 0, 10000, &reply, &e));
	assert_string_equal(buf_str(&reply), "ok");
}

static void
net_reads_what_is_listed(void **state)
{
	AUTO(kit_dir) struct kit_dir dir = kit_dir_new();
	AUTO(buf) struct buf reply = {0};
	AUTO(mem) char *in = mem_printf("%s/in/ca.pem", dir.path), *out = mem_printf("%s/out.pem", dir.path);
	AUTO(mem) char *folder = mem_printf("%s/in", dir.path);
	const char *paths[] = {folder, "/nonexistent/folder", NULL};
	AUTO(worker) struct worker *w = NULL;
	AUTO(fd) int fd = -1;
	struct err e = {0};

	(void)state;
	OK(sys_mkdirs(dir.fd, "in", 0700, &e));
	OK(sys_open_dir(dir.fd, "in", &fd, &e));
	OK(sys_write_durably(fd, "ca.pem", slice_str("x"), 0600, &e));
	OK(sys_write_durably(dir.fd, "out.pem", slice_str("x"), 0600, &e));
	w = start(CAGE_NET, paths);
	OK(worker_call(w, READ_PATH, slice_str(in), NULL, 0, 10000, &reply, &e));
	if (landlock_abi() > 0) {
		FAILS(ERR_REFUSED, worker_call(w, READ_PATH, slice_str(out), NULL, 0, 10000, &reply, &e));
		FAILS(ERR_REFUSED, worker_call(w, READ_PATH, slice_str("/proc/self/environ"), NULL, 0, 10000, &reply, &e));
	}
	if (access("/etc/resolv.conf", R_OK) == 0)
		OK(worker_call(w, READ_PATH, slice_str("/etc/resolv.conf"), NULL, 0, 10000, &reply, &e));
	OK(worker_call(w, READ_PATH, slice_str("/etc/ssl/openssl.cnf"), NULL, 0, 10000, &reply, &e));
}

static int
listen_on_loopback(in_port_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 1), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return s;
}

static void
net_connects_resolves_and_has_threads(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_NET, NULL);
	AUTO(buf) struct buf reply = {0};
	AUTO(fd) int server = -1;
	AUTO(fd) int peer = -1;
	struct addrinfo *found = NULL;
	struct err e = {0};
	in_port_t port = 0;
	char text[8];

	(void)state;
	server = listen_on_loopback(&port);
	snprintf(text, sizeof(text), "%u", port);
	OK(worker_send(w, CONNECT, slice_str(text), NULL, 0, 10000, &e));
	peer = accept(server, NULL, NULL);
	assert_int_equal(send(peer, "howdy", 5, 0), 5);
	OK(worker_recv(w, &reply, &e));
	assert_string_equal(buf_str(&reply), "howdy");
	/* A system without /etc/hosts may not know the name; then there is nothing to compare with. */
	if (getaddrinfo("localhost", NULL, NULL, &found) == 0) {
		freeaddrinfo(found);
		OK(worker_call(w, RESOLVE, slice_str("localhost"), NULL, 0, 10000, &reply, &e));
	} else {
		print_message("localhost is unknown here: resolving is not tried\n");
	}
	OK(worker_call(w, THREAD, slice_str(""), NULL, 0, 10000, &reply, &e));
	assert_string_equal(buf_str(&reply), "ran");
}

static void
worker_has_no_threads(void **state)
{
	AUTO(worker) struct worker *w = start(CAGE_WORKER, NULL);
	AUTO(buf) struct buf reply = {0};
	struct err e = {0};

	(void)state;
	FAILS(ERR_REFUSED, worker_call(w, THREAD, slice_str(""), NULL, 0, 10000, &reply, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(deadly_calls_kill),
	    cmocka_unit_test(capabilities_are_gone),
	    cmocka_unit_test(no_shared_memory),
	    cmocka_unit_test(status_is_told),
	    cmocka_unit_test(encodings_in_the_cage),
	    cmocka_unit_test(cryptography_in_the_cage),
	    cmocka_unit_test(net_reads_what_is_listed),
	    cmocka_unit_test(net_connects_resolves_and_has_threads),
	    cmocka_unit_test(worker_has_no_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
