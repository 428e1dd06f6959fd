/* SPDX-License-Identifier: MIT */
/*
 * What the old index still knows, when another one is made. It may be spoiled,
 * and a spoiled LMDB file can end who reads it: a child reads it.
 */
#include "store/recover_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD "index/data.mdb.old"
#define LEAVES_MAX 1000000
#define READ_S 20
#define NO_MEMORY 2 /* exit code of the child */
#define LINE_OCTETS (8 + TLOG_LEAF_OCTETS)

static bool
put(int fd, const void *p, size_t n)
{
	return sys_append(fd, slice_of(p, n), NULL) == ERR_OK;
}

/* The last group, if there is a row of it; of an older program its value has no check behind it. */
static bool
tell_last(MDB_txn *t, int fd)
{
	MDB_dbi meta, groups;
	MDB_val k = {4, (void *)(uintptr_t)"last"}, v, row;

	if (mdb_dbi_open(t, "meta", 0, &meta) != 0 || mdb_dbi_open(t, "groups", 0, &groups) != 0 || mdb_get(t, meta, &k, &v) != 0 ||
	    (v.mv_size != 8 && v.mv_size != 8 + KV_CHECK))
		return false;
	k = (MDB_val){8, v.mv_data};
	return mdb_get(t, groups, &k, &row) == 0 && put(fd, v.mv_data, 8);
}

/* The leaves from `from` on, each with its index. */
static bool
tell(MDB_env *env, const char *path, uint64_t from, int fd)
{
	MDB_txn *t = NULL;
	MDB_cursor *c = NULL;
	MDB_dbi leaves;
	uint8_t first[8];
	struct slice leaf;
	uint64_t check;
	size_t i, n;
	MDB_val k = {8, first}, v;

	if (mdb_env_set_maxdbs(env, INDEX_DBS) != 0 || mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &t) != 0)
		return false;
	if (from == UINT64_MAX)
		return tell_last(t, fd);
	if (mdb_dbi_open(t, "leaves", 0, &leaves) != 0)
		return false;
	for (i = 0; i < 8; i++)
		first[i] = (uint8_t)(from >> (56 - 8 * i));
	if (mdb_cursor_open(t, leaves, &c) != 0 || mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) != 0)
		return true;
	for (n = 0; n < LEAVES_MAX && k.mv_size == 8 && kv_open_row(&k, &v, &leaf, &check) == 0 && leaf.n == TLOG_LEAF_OCTETS; n++) {
		if (!put(fd, k.mv_data, 8) || !put(fd, leaf.p, leaf.n))
			return false;
		if (mdb_cursor_get(c, &k, &v, MDB_NEXT) != 0)
			break;
	}
	return true;
}

static void
in_child(const char *path, uint64_t from, int fd)
{
	static const int ends[] = {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGALRM};
	MDB_env *env = NULL;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		signal(ends[i], SIG_DFL); /* whatever the parent does about them */
	alarm(READ_S); /* pages that lead in a circle */
	_exit(mdb_env_create(&env) != 0 ? NO_MEMORY : tell(env, path, from, fd) ? 0 : 1);
}

/* Nothing is appended unless the child came to its end. */
static enum err_code
ask(struct store *s, uint64_t from, struct buf *out, struct err *e)
{
	AUTO(mem) char *path = mem_printf("%s/" OLD, s->dir);
	AUTO(buf) struct buf got = {0};
	uint8_t piece[4096];
	int p[2], st = 0;
	ssize_t n;
	pid_t child;

	if (path == NULL)
		return err_nomem(e);
	if (access(path, F_OK) != 0)
		return errno == ENOENT ? ERR_OK : err_errno(e, ERR_IO, errno, "%s", OLD);
	if (pipe(p) != 0)
		return err_errno(e, ERR_IO, errno, "pipe");
	child = fork();
	if (child == 0) {
		close(p[0]);
		in_child(path, from, p[1]);
	}
	close(p[1]);
	while (child > 0 && ((n = read(p[0], piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			buf_add(&got, piece, (size_t)n);
	close(p[0]);
	if (child < 0)
		return err_errno(e, ERR_IO, errno, "fork");
	while (waitpid(child, &st, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(st) && WEXITSTATUS(st) == NO_MEMORY)
		return err_nomem(e);
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0)
		return ERR_OK;
	buf_addslice(out, buf_slice(&got));
	return buf_ok(out, e);
}

enum err_code
old_last(struct store *s, uint64_t *group, struct err *e)
{
	AUTO(buf) struct buf got = {0};
	enum err_code r = ask(s, UINT64_MAX, &got, e);
	struct cur c = cur_from(buf_slice(&got));

	*group = r == ERR_OK && got.n == 8 ? cur_be64(&c) : 0;
	return r;
}

enum err_code
old_leaves(struct store *s, uint64_t from, enum err_code (*leaf)(void *, uint64_t, struct slice, struct err *), void *ctx,
    struct err *e)
{
	AUTO(buf) struct buf got = {0};
	enum err_code r = ask(s, from, &got, e);
	struct cur c = cur_from(buf_slice(&got));

	while (r == ERR_OK && got.n - c.at >= LINE_OCTETS) {
		uint64_t index = cur_be64(&c);

		r = leaf(ctx, index, cur_take(&c, TLOG_LEAF_OCTETS), e);
	}
	return r;
}
