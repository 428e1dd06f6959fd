/* SPDX-License-Identifier: MIT */
/* Clock, randomness, files, log. */
#include "base/late.h"
#include "base/sys.h"
#include "tests/kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void
expect_file(int dir, const char *name, const char *want)
{
	AUTO(buf) struct buf b = {0};
	struct err e = {0};

	OK(sys_read_file(dir, name, 1 << 20, &b, &e));
	SAME(buf_slice(&b), slice_str(want));
}

static size_t
names_in(const struct kit_dir *d)
{
	DIR *dir = opendir(d->path);
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *x = readdir(dir); x != NULL; x = readdir(dir))
		n += strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0;
	closedir(dir);
	return n;
}

/* --- clock and randomness ---------------------------------------------------- */

static void
clocks(void **state)
{
	int64_t utc = 42;
	struct clock fixed = clock_fixed(&utc), real = clock_real();
	int64_t before = sys_monotonic_ms();

	(void)state;
	assert_true(clock_now(&fixed) == 42);
	utc = time_make(2056, 1, 1, 0, 0, 0);
	assert_true(clock_now(&fixed) == utc);
	assert_true(clock_now(&real) > time_make(2025, 1, 1, 0, 0, 0));
	assert_true(sys_monotonic_ms() >= before);
}

static void
uuids(void **state)
{
	struct kit_entropy seed = {0}, same = {0};
	struct entropy r = kit_entropy(&seed), again = kit_entropy(&same), real = entropy_openssl();
	char a[UUID_TEXT], b[UUID_TEXT], c[UUID_TEXT];
	struct err e = {0};

	(void)state;
	/* The time of RFC 9562's example A.6. */
	OK(uuid7(0x017F22E279B0, &r, a, &e));
	assert_memory_equal(a, "017f22e2-79b0-7", 15);
	assert_true(uuid7_is(a));
	OK(uuid7(0x017F22E279B0, &r, b, &e));
	assert_string_not_equal(a, b);
	OK(uuid7(0x017F22E279B1, &r, c, &e));
	assert_true(strcmp(a, c) < 0 && strcmp(b, c) < 0);
	OK(uuid7(0x017F22E279B0, &again, c, &e));
	assert_string_equal(a, c);
	for (int i = 0; i < 1000; i++) {
		OK(uuid7(i, &real, a, &e));
		assert_true(uuid7_is(a));
	}
	FAILS(ERR_BUG, uuid7(-1, &r, a, &e));
	FAILS(ERR_BUG, uuid7((int64_t)1 << 48, &r, a, &e));
}

static void
uuid_forms(void **state)
{
	static const char *const bad[] = {"", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
	    "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
	    "017F22E2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4+dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "../f22e2-79b0-7cc3-98c4-dc0c0c07398f"};

	(void)state;
	assert_true(uuid7_is("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (uuid7_is(bad[i]))
			fail_msg("%s", bad[i]);
}

static enum err_code
broken_fill(void *ctx, void *to, size_t n, struct err *e)
{
	(void)ctx;
	(void)to;
	return err_set(e, ERR_IO, "no randomness for %zu", n);
}

static void
no_randomness_no_uuid(void **state)
{
	const struct entropy r = {.fill = broken_fill};
	char a[UUID_TEXT];
	struct err e = {0};

	(void)state;
	FAILS(ERR_IO, uuid7(1, &r, a, &e));
	SAYS("UUID: no randomness for 10");
}

/* --- files ------------------------------------------------------------------ */

static void
durable_write(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	struct err e = {0};
	struct stat st;

	(void)state;
	OK(sys_write_durably(d.fd, "f", slice_str("one"), 0640, &e));
	expect_file(d.fd, "f", "one");
	OK(sys_write_durably(d.fd, "f", slice_str(""), 0600, &e));
	expect_file(d.fd, "f", "");
	assert_int_equal(fstatat(d.fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(names_in(&d), 1);
	FAILS(ERR_BUG, sys_write_durably(d.fd, "a/b", slice_str("x"), 0600, &e));
}

/* A crash left the temporary file; a link in its place is not followed either. */
static void
left_over_is_replaced(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	struct err e = {0};

	(void)state;
	OK(sys_write_durably(d.fd, "victim", slice_str("untouched"), 0600, &e));
	assert_int_equal(symlinkat("victim", d.fd, ".f.tmp"), 0);
	OK(sys_write_durably(d.fd, "f", slice_str("new"), 0600, &e));
	expect_file(d.fd, "f", "new");
	expect_file(d.fd, "victim", "untouched");
	assert_int_equal(names_in(&d), 2);
}

static void
failed_write_keeps_the_old(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	struct rlimit saved, small;
	enum err_code code;
	struct err e = {0};
	void (*handler)(int);

	(void)state;
	OK(sys_write_durably(d.fd, "f", slice_str("old"), 0600, &e));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	small = (struct rlimit){4, saved.rlim_max};
	handler = signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	code = sys_write_durably(d.fd, "f", slice_str("newer"), 0600, &e);
	setrlimit(RLIMIT_FSIZE, &saved);
	signal(SIGXFSZ, handler);
	FAILS(ERR_IO, code);
	expect_file(d.fd, "f", "old");
	assert_int_equal(names_in(&d), 1);
}

static void
full_disk_is_told(void **state)
{
	AUTO(fd) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e = {0};

	(void)state;
	assert_true(full >= 0);
	FAILS(ERR_NOSPACE, sys_append(full, slice_str("x"), &e));
	FAILS(ERR_NOSPACE, sys_pwrite(full, slice_str("x"), 0, &e));
	FAILS(ERR_IO, sys_append(-1, slice_str("x"), &e));
	FAILS(ERR_IO, sys_fdatasync(-1, &e));
	FAILS(ERR_IO, sys_fsync_dir(-1, &e));
	FAILS(ERR_IO, sys_truncate(-1, 0, &e));
}

static void
only_regular_files_are_read(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(buf) struct buf b = {0};
	struct err e = {0};
	int fd = -1;

	(void)state;
	OK(sys_write_durably(d.fd, "f", slice_str("0123456789"), 0600, &e));
	assert_int_equal(symlinkat("f", d.fd, "link"), 0);
	assert_int_equal(mkfifoat(d.fd, "pipe", 0600), 0);
	OK(sys_mkdirs(d.fd, "folder", 0700, &e));
	FAILS(ERR_REFUSED, sys_open_read(d.fd, "link", &fd, &e));
	FAILS(ERR_REFUSED, sys_open_read(d.fd, "pipe", &fd, &e));
	FAILS(ERR_REFUSED, sys_open_read(d.fd, "folder", &fd, &e));
	FAILS(ERR_REFUSED, sys_open_read(AT_FDCWD, "/dev/null", &fd, &e));
	FAILS(ERR_NOTFOUND, sys_open_read(d.fd, "absent", &fd, &e));
	FAILS(ERR_NOTFOUND, sys_open_read(d.fd, "f/absent", &fd, &e));
	assert_int_equal(fd, -1);
	FAILS(ERR_REFUSED, sys_open_dir(d.fd, "f", &fd, &e));
	FAILS(ERR_NOTFOUND, sys_open_dir(d.fd, "absent", &fd, &e));
	FAILS(ERR_LIMIT, sys_read_file(d.fd, "f", 9, &b, &e));
	OK(sys_read_file(d.fd, "f", 10, &b, &e));
	FAILS(ERR_NOTFOUND, sys_read_file(d.fd, "absent", 9, &b, &e));
	assert_int_equal(b.n, 10);
}

static void
reads_and_writes_at_offsets(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(fd) int fd = -1;
	char text[8] = "";
	uint64_t size = 0;
	struct err e = {0};

	(void)state;
	OK(sys_create(d.fd, "f", 0600, &fd, &e));
	FAILS(ERR_EXISTS, sys_create(d.fd, "f", 0600, &(int){0}, &e));
	OK(sys_append(fd, slice_str("0123"), &e));
	OK(sys_append(fd, slice_str("4567"), &e));
	OK(sys_pwrite(fd, slice_str("xy"), 6, &e));
	OK(sys_pread(fd, text, 4, 4, &e));
	assert_string_equal(text, "45xy");
	FAILS(ERR_DAMAGED, sys_pread(fd, text, 4, 5, &e));
	SAYS("ends at 8, 1 octets early");
	OK(sys_truncate(fd, 5, &e));
	OK(sys_fdatasync(fd, &e));
	OK(sys_size(fd, &size, &e));
	assert_int_equal(size, 5);
	OK(sys_close(&fd, &e));
	assert_int_equal(fd, -1);
	OK(sys_close(&fd, &e));
	expect_file(d.fd, "f", "01234");
}

static void
names_move(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	struct err e = {0};

	(void)state;
	OK(sys_write_durably(d.fd, "a", slice_str("a"), 0600, &e));
	OK(sys_write_durably(d.fd, "b", slice_str("b"), 0600, &e));
	FAILS(ERR_EXISTS, sys_rename_new(d.fd, "a", d.fd, "b", &e));
	expect_file(d.fd, "b", "b");
	OK(sys_rename(d.fd, "a", d.fd, "b", &e));
	expect_file(d.fd, "b", "a");
	FAILS(ERR_NOTFOUND, sys_rename(d.fd, "a", d.fd, "b", &e));
	OK(sys_rename_new(d.fd, "b", d.fd, "a", &e));
	OK(sys_unlink(d.fd, "a", &e));
	FAILS(ERR_NOTFOUND, sys_unlink(d.fd, "a", &e));
	OK(sys_sync_dir(d.fd, ".", &e));
	FAILS(ERR_NOTFOUND, sys_sync_dir(d.fd, "absent", &e));
}

static void
folders_are_made(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(mem) char *absolute = mem_printf("%s/x//y/z/", d.path);
	struct err e = {0};
	struct stat st;

	(void)state;
	OK(sys_mkdirs(d.fd, "one", 0700, &e));
	OK(sys_mkdirs(d.fd, "one/two/three/", 0700, &e));
	OK(sys_mkdirs(d.fd, "one/two/three", 0700, &e));
	OK(sys_mkdirs(AT_FDCWD, absolute, 0700, &e));
	assert_int_equal(fstatat(d.fd, "one/two/three", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fstatat(d.fd, "x/y/z", &st, 0), 0);
	OK(sys_mkdirs(AT_FDCWD, "/", 0700, &e));
	OK(sys_write_durably(d.fd, "file", slice_str(""), 0600, &e));
	FAILS(ERR_EXISTS, sys_mkdirs(d.fd, "file", 0700, &e));
	FAILS(ERR_EXISTS, sys_mkdirs(d.fd, "file/in", 0700, &e));
}

static void
one_lock(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(fd) int second = -1;
	int first = -1;
	struct err e = {0};

	(void)state;
	OK(sys_write_durably(d.fd, "lock", slice_str(""), 0600, &e));
	OK(sys_open_read(d.fd, "lock", &first, &e));
	OK(sys_open_read(d.fd, "lock", &second, &e));
	OK(sys_lock(first, &e));
	FAILS(ERR_BUSY, sys_lock(second, &e));
	OK(sys_close(&first, &e));
	OK(sys_lock(second, &e));
}

/* --- log ------------------------------------------------------------------------ */

static void
log_lines(void **state)
{
	AUTO(kit_dir) struct kit_dir d = kit_dir_new();
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf b = {0};
	struct log l = {.level = LOG_LEVEL_INFO, .name = "t"};
	struct err e = {0};

	(void)state;
	OK(sys_create(d.fd, "log", 0600, &fd, &e));
	l.fd = fd;
	log_line(&l, LOG_LEVEL_ERROR, "bad %d", 1);
	log_line(&l, LOG_LEVEL_DEBUG, "hidden");
	log_line(&l, LOG_LEVEL_INFO, "forged\nt: error: line\x1b[2J");
	l.name = NULL;
	log_line(&l, LOG_LEVEL_WARN, "no name");
	log_line(NULL, LOG_LEVEL_ERROR, "nowhere");
	expect_file(d.fd, "log", "t: error: bad 1\nt: info: forged?t: error: line?[2J\nwarning: no name\n");
	OK(sys_truncate(fd, 0, &e));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 5000; i++)
		buf_add8(&b, 'x');
	log_line(&l, LOG_LEVEL_ERROR, "%s", buf_str(&b));
	buf_clear(&b);
	OK(sys_read_file(d.fd, "log", 1 << 20, &b, &e));
	assert_int_equal(b.n, 2048);
	assert_int_equal(b.p[2047], '\n');
}

static void
paths_stay_below(void **state)
{
	static const char *const below[] = {"a", "a/b", "..a", "a..", "...", "a/.b/c", ".hidden"};
	static const char *const outside[] = {"", "/", "/a", ".", "..", "a/", "a//b", "./a", "../a", "a/..", "a/../b", "a/.", "a/./b"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		assert_true(sys_stays_below(below[i]));
	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_false(sys_stays_below(outside[i]));
}

/* A library is loaded when it is called, and its absence told by name. */
static void
libraries_come_late(void **state)
{
	struct late there = {.soname = "libm.so.6"}, missing = {.soname = "libnone-such.so.9"};
	struct err e = {0};

	(void)state;
	assert_null(there.handle);
	assert_true(LATE(&there, floor)(2.5) == 2.0);
	assert_non_null(there.handle);
	OK(late_load(&there, &e));
	FAILS(ERR_UNSUPPORTED, late_load(&missing, &e));
	SAYS("libnone-such.so.9");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(libraries_come_late),
	    cmocka_unit_test(clocks),
	    cmocka_unit_test(uuids),
	    cmocka_unit_test(uuid_forms),
	    cmocka_unit_test(no_randomness_no_uuid),
	    cmocka_unit_test(durable_write),
	    cmocka_unit_test(left_over_is_replaced),
	    cmocka_unit_test(failed_write_keeps_the_old),
	    cmocka_unit_test(full_disk_is_told),
	    cmocka_unit_test(only_regular_files_are_read),
	    cmocka_unit_test(reads_and_writes_at_offsets),
	    cmocka_unit_test(names_move),
	    cmocka_unit_test(folders_are_made),
	    cmocka_unit_test(paths_stay_below),
	    cmocka_unit_test(one_lock),
	    cmocka_unit_test(log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
