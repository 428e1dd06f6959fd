/* SPDX-License-Identifier: MIT */
/*
 * One line that remembers the newest acknowledged group, written after each
 * commit and never synced: it costs nothing, and an older copy of the segments
 * beside it, or a log that lost its end, does not pass as all there was.
 */
#include "store/store_int.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "newest"
#define LINE_MAX_OCTETS 400
#define SUM_OCTETS 66 /* a blank, the sum, a newline */

void
newest_write(struct store *s)
{
	AUTO(buf) struct buf b = {0};
	uint8_t sum[32];

	if (s->newest_fd < 0)
		s->newest_fd = openat(s->dir_fd, FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->newest_fd < 0)
		return;
	buf_addf(&b, "%020" PRIu64 " ", s->last.group);
	buf_addhex(&b, slice_of(s->last.sha256, 32));
	buf_addf(&b, " %020" PRIu64 " ", s->last.log_size);
	buf_addhex(&b, slice_of(s->last.root, TLOG_HASH));
	if (buf_ok(&b, NULL) != ERR_OK || digest_sha256(buf_slice(&b), sum, NULL) != ERR_OK)
		return;
	buf_adds(&b, " ");
	buf_addhex(&b, slice_of(sum, 32));
	buf_adds(&b, "\n");
	if (buf_ok(&b, NULL) == ERR_OK)
		(void)!sys_pwrite(s->newest_fd, buf_slice(&b), 0, NULL);
}

enum err_code
newest_read(struct store *s, struct newest *out, struct err *e)
{
	AUTO(buf) struct buf b = {0};
	struct newest n = {.group = 0};
	char sha[65] = "", root[65] = "", hex[65];
	uint8_t sum[32];
	enum err_code r = sys_read_file(s->dir_fd, FILE_NAME, LINE_MAX_OCTETS, &b, e);

	*out = n;
	if (r == ERR_NOTFOUND || r == ERR_LIMIT || (r == ERR_OK && b.n < SUM_OCTETS))
		return ERR_OK;
	if (r == ERR_OK)
		r = digest_sha256(slice_of(b.p, b.n - SUM_OCTETS), sum, e);
	if (r != ERR_OK)
		return r;
	hex_of(slice_of(sum, 32), hex);
	if (memcmp(b.p + b.n - SUM_OCTETS + 1, hex, 64) != 0 ||
	    sscanf(buf_str(&b), "%20" SCNu64 " %64s %20" SCNu64 " %64s", &n.group, sha, &n.log_size, root) != 4 ||
	    !hex_to(sha, 64, n.sha256) || !hex_to(root, 64, n.root))
		return ERR_OK;
	*out = n;
	return ERR_OK;
}

void
newest_forget(struct store *s)
{
	if (s->newest_fd >= 0)
		close(s->newest_fd);
	s->newest_fd = -1;
	unlinkat(s->dir_fd, FILE_NAME, 0);
}
