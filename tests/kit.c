/* SPDX-License-Identifier: MIT */
#include "tests/kit.h"

#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sanitizer's allocator would end the program where ours is asked what it does without memory. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

void
kit_expect(enum err_code want, enum err_code have, struct err *e, const char *call, const char *file, int line)
{
	if (want != have) {
		print_error("%s:%d: %s: %s, expected %s", file, line, call, err_word(have), err_word(want));
		print_error("%s%s\n", have != ERR_OK ? ": " : "", have != ERR_OK ? e->text : "");
		_fail(file, line);
	}
	if (have != ERR_OK && (e->code != have || e->text[0] == '\0')) {
		print_error("%s:%d: %s: code %s, but the error holds %s \"%s\"\n", file, line, call, err_word(have),
		    err_word(e->code), e->text);
		_fail(file, line);
	}
	if (want == ERR_OK)
		*e = (struct err){0};
}

void
kit_says(const struct err *e, const char *part, const char *file, int line)
{
	if (strstr(e->text, part) != NULL)
		return;
	print_error("%s:%d: \"%s\" does not say \"%s\"\n", file, line, e->text, part);
	_fail(file, line);
}

static void
print_octets(const char *name, struct slice s)
{
	AUTO(buf) struct buf b = {0};

	buf_addhex(&b, slice_of(s.p, s.n < 64 ? s.n : 64));
	print_error("  %s: %zu octets %s%s\n", name, s.n, buf_str(&b), s.n > 64 ? "..." : "");
}

void
kit_same(struct slice a, struct slice b, const char *file, int line)
{
	if (slice_eq(a, b))
		return;
	print_error("%s:%d: octets differ\n", file, line);
	print_octets("first", a);
	print_octets("second", b);
	_fail(file, line);
}

struct kit_dir
kit_dir_new(void)
{
	struct kit_dir d = {.path = "/tmp/everseal-test-XXXXXX", .fd = -1};

	if (mkdtemp(d.path) == NULL || (d.fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		perror("test folder");
		abort();
	}
	return d;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

void
kit_dir_free(struct kit_dir *d)
{
	if (d->fd < 0)
		return;
	close(d->fd);
	d->fd = -1;
	nftw(d->path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

void
kit_dir_auto(struct kit_dir *d)
{
	int err = errno;

	kit_dir_free(d);
	errno = err;
}

static enum err_code
counted_fill(void *ctx, void *to, size_t n, struct err *e)
{
	struct kit_entropy *state = ctx;
	uint8_t block[32];

	for (size_t at = 0; at < n; at += sizeof(block)) {
		size_t left = n - at;

		state->next++;
		if (digest_sha256(slice_of(&state->next, sizeof(state->next)), block, e) != ERR_OK)
			return err_wrap(e, "test randomness");
		memcpy((uint8_t *)to + at, block, left < sizeof(block) ? left : sizeof(block));
	}
	return ERR_OK;
}

struct entropy
kit_entropy(struct kit_entropy *state)
{
	return (struct entropy){.fill = counted_fill, .ctx = state};
}

/* malloc of exactly n octets: a sanitizer's red zone begins right behind. */
static uint8_t *
exact_copy(struct slice in)
{
	uint8_t *p = malloc(in.n != 0 ? in.n : 1);

	if (p == NULL)
		abort();
	if (in.n != 0)
		memcpy(p, in.p, in.n);
	return p;
}

void
kit_each_prefix(struct slice in, kit_spoiled_fn *fn, void *ctx)
{
	char what[48];

	for (size_t n = 0; n < in.n; n++) {
		uint8_t *p = exact_copy(slice_of(in.p, n));

		snprintf(what, sizeof(what), "prefix %zu", n);
		fn(slice_of(p, n), what, ctx);
		free(p);
	}
}

void
kit_each_bit_flip(struct slice in, kit_spoiled_fn *fn, void *ctx)
{
	uint8_t *p = exact_copy(in);
	char what[48];

	for (size_t i = 0; i < in.n; i++)
		for (int bit = 0; bit < 8; bit++) {
			p[i] ^= (uint8_t)(1U << bit);
			snprintf(what, sizeof(what), "bit %d of octet %zu", bit, i);
			fn(slice_of(p, in.n), what, ctx);
			p[i] ^= (uint8_t)(1U << bit);
		}
	free(p);
}

const char *
kit_shared(void)
{
	const char *dir = getenv("EVERSEAL_SHARED");
	struct stat st;

	if (dir == NULL)
		dir = "../shared";
	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) ? dir : NULL;
}
