/* SPDX-License-Identifier: MIT */
/* Octets as a descriptor, to be passed to a child. */
#include "base/sys.h"
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum err_code
worker_memfd_empty(int *fd, struct err *e)
{
	int f = memfd_create("everseal", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (f < 0)
		return err_errno(e, ERR_IO, errno, "memfd");
	*fd = f;
	return ERR_OK;
}

enum err_code
worker_memfd_seal(int fd, struct err *e)
{
	if (lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		return err_errno(e, ERR_IO, errno, "seal a memfd");
	return ERR_OK;
}

enum err_code
worker_memfd(struct slice content, int *fd, struct err *e)
{
	AUTO(fd) int f = -1;

	if (worker_memfd_empty(&f, e) != ERR_OK || sys_append(f, content, e) != ERR_OK || worker_memfd_seal(f, e) != ERR_OK)
		return err_wrap(e, "memfd of %zu octets", content.n);
	*fd = f;
	f = -1;
	return ERR_OK;
}
