/* SPDX-License-Identifier: MIT */
#include "tests/storebox.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void
box_auto(struct box *x)
{
	if (x->s != NULL)
		store_close(x->s, NULL);
	kit_dir_free(&x->dir);
}

void
box_make(struct box *x, const struct store_options *o)
{
	struct err e = {0};

	x->dir = kit_dir_new();
	snprintf(x->path, sizeof(x->path), "%s/store", x->dir.path);
	x->now = T0;
	x->seams = (struct store_seams){.clock = clock_fixed(&x->now)};
	OK(store_create(x->path, o, &x->seams, &e));
	OK(store_open(x->path, STORE_WRITE, &x->seams, &x->s, &e));
}

void
box_again(struct box *x, enum store_open_flags flags)
{
	struct err e = {0};

	if (x->s != NULL)
		OK(store_close(TAKE(x->s), &e));
	OK(store_open(x->path, flags, &x->seams, &x->s, &e));
}

struct store_ref
put_text(struct batch *b, enum store_kind kind, int year, const char *text)
{
	struct store_ref ref = {.size_bytes = 0};
	struct err e = {0};

	OK(batch_put_bytes(b, kind, year, slice_str(text), &ref, &e));
	return ref;
}

/* n deposits in one group: an original, a certificate, a leaf, two rows each. */
void
fill(struct store *s, int first, int n)
{
	struct batch *b = NULL;
	struct err e = {0};
	char text[80];
	int i;

	OK(store_batch_begin(s, &b, &e));
	for (i = first; i < first + n; i++) {
		uint8_t record[16] = {0};
		struct slice v;
		struct store_ref ref;
		uint64_t at = 0;

		snprintf(text, sizeof(text), "certificate %d", i);
		ref = put_text(b, STORE_SHARED, 0, text);
		snprintf(text, sizeof(text), "document %d", i);
		ref = put_text(b, STORE_DATA, 2036, text);
		record[0] = (uint8_t)i;
		OK(batch_leaf(b, 1, record, ref.sha256, T0 + i, &at, &e));
		assert_int_equal(at, store_log_size(s) + (uint64_t)(i - first));
		v = slice_of(ref.sha256, 32);
		OK(batch_row(b, "record", slice_str(text), &v, &e));
		v = slice_str("plain \"text\" \\ here");
		OK(batch_row(b, "ownid", slice_of(&i, sizeof(i)), &v, &e));
	}
	OK(store_commit(&b, NULL, &e));
}

void
has_text(struct store *s, const char *text)
{
	AUTO(buf) struct buf got = {0};
	struct store_ref ref;
	struct err e = {0};

	OK(store_hash_octets(slice_str(text), &ref, &e));
	OK(store_get_bytes(s, ref.sha256, 1000, &got, &e));
	SAME(buf_slice(&got), slice_str(text));
}

void
has_not(struct store *s, const char *text)
{
	AUTO(buf) struct buf got = {0};
	struct store_ref ref;
	struct err e = {0};

	OK(store_hash_octets(slice_str(text), &ref, &e));
	FAILS(ERR_NOTFOUND, store_get_bytes(s, ref.sha256, 1000, &got, &e));
}

uint64_t
scrubbed(struct store *s)
{
	struct store_report rep;
	struct err e = {0};

	OK(store_scrub(s, true, NULL, &rep, &e));
	return rep.damaged;
}

uint64_t
log_damage(struct store *s)
{
	struct store_report rep;
	struct err e = {0};

	OK(store_log_verify(s, NULL, &rep, &e));
	return rep.damaged;
}

uint64_t
disk_bytes(struct box *x)
{
	struct store_status st;
	struct err e = {0};

	OK(store_status(x->s, &st, &e));
	return st.bytes;
}

void
write_file(const char *dir, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void
flip(const char *path, size_t at, uint8_t bit)
{
	int fd = open(path, O_RDWR);
	uint8_t c = 0;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
	c ^= bit;
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

/* Runs fn in a child; its asserts end it with a code. */
pid_t
child(void (*fn)(struct box *), struct box *x)
{
	pid_t p = fork();

	assert_true(p >= 0);
	if (p == 0) {
		fn(x);
		_exit(0);
	}
	return p;
}

int
ended(pid_t p)
{
	int st = 0;

	assert_int_equal(waitpid(p, &st, 0), p);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + st;
}

