/* SPDX-License-Identifier: MIT */
/*
 * Landlock by its raw calls: Debian 12's headers stop at ABI 2 and glibc has no
 * wrappers. Numbers and layout are the kernel's, Documentation/userspace-api/landlock.rst.
 */
#include "base/worker_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define RULE_PATH_BENEATH 1
#define NET_BIND_TCP 1ULL
#define NET_CONNECT_TCP 2ULL
#define SCOPE_ALL 3ULL /* abstract Unix sockets and signals outside */

/* Grew with the ABI; the size passed says how much of it is meant. */
struct ruleset {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) path_rule {
	uint64_t allowed;
	int32_t fd;
};

/* Rights on files that an ABI knows; all are taken away. */
static uint64_t
fs_rights(int abi)
{
	static const int bits[] = {13, 14, 15, 15, 16}; /* REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5 */

	return (1ULL << bits[(abi < 5 ? abi : 5) - 1]) - 1;
}

/* What a resolver, TLS and their libraries read. Missing ones are skipped. */
static const char *const net_paths[] = {
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/dev/urandom",
    NULL,
};

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1U);

	return abi > 0 ? (int)abi : 0;
}

static enum err_code
allow_path(int rules, const char *path, struct err *e)
{
	AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_rule r = {.allowed = FS_READ_FILE, .fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ERR_OK;
	if (S_ISDIR(st.st_mode))
		r.allowed |= FS_READ_DIR;
	if (syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &r, 0) != 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "landlock: %s", path);
	return ERR_OK;
}

static enum err_code
allow_paths(int rules, const char *const *paths, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; code == ERR_OK && paths != NULL && paths[i] != NULL; i++)
		code = allow_path(rules, paths[i], e);
	return code;
}

enum err_code
landlock_close(const struct worker_spec *spec, int *abi, struct err *e)
{
	bool net = spec->role == CAGE_NET;
	int v = landlock_abi();
	struct ruleset r = {0};
	AUTO(fd) int rules = -1;

	*abi = 0;
	if (v == 0)
		return ERR_OK;
	r.fs = fs_rights(v);
	r.net = net ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
	r.scoped = SCOPE_ALL;
	rules = (int)syscall(SYS_landlock_create_ruleset, &r, (size_t)(v >= 6 ? 24 : v >= 4 ? 16 : 8), 0U);
	if (rules < 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "landlock");
	if (net && (allow_paths(rules, net_paths, e) != ERR_OK || allow_paths(rules, spec->read_paths, e) != ERR_OK))
		return err_wrap(e, "landlock");
	if (syscall(SYS_landlock_restrict_self, rules, 0U) != 0)
		return err_errno(e, ERR_UNSUPPORTED, errno, "landlock");
	*abi = v;
	return ERR_OK;
}
