/* SPDX-License-Identifier: MIT */
/*
 * The tar headers of the segments. One fixed form (owner 0, mode 0444, time 0),
 * so that a header can be recomputed from name and size and every octet of it
 * compared: what a digest of the content does not cover is covered by that.
 */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* POSIX.1-2008 pax, "ustar Interchange Format". */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_UID = 108,
	AT_GID = 116,
	AT_SIZE = 124,
	AT_MTIME = 136,
	AT_SUM = 148,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_DEVMAJOR = 329,
	AT_DEVMINOR = 337,
};

uint64_t
tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

size_t
tar_head_bytes(uint64_t size)
{
	return size >= TAR_OCTAL_MAX ? 3 * TAR_BLOCK : TAR_BLOCK;
}

uint64_t
tar_member_bytes(uint64_t size)
{
	return tar_head_bytes(size) + size + tar_padding(size);
}

static void
one_head(const char *name, uint64_t size, char type, uint8_t *h)
{
	unsigned sum = 0;
	size_t i;

	memset(h, 0, TAR_BLOCK);
	snprintf((char *)h + AT_NAME, TAR_NAME, "%s", name);
	memcpy(h + AT_MODE, "0000444", 8);
	memcpy(h + AT_UID, "0000000", 8);
	memcpy(h + AT_GID, "0000000", 8);
	snprintf((char *)h + AT_SIZE, 12, "%011" PRIo64, size);
	memcpy(h + AT_MTIME, "00000000000", 12);
	memcpy(h + AT_MAGIC, "ustar\00000", 8);
	memcpy(h + AT_DEVMAJOR, "0000000", 8);
	memcpy(h + AT_DEVMINOR, "0000000", 8);
	h[AT_TYPE] = (uint8_t)type;
	memset(h + AT_SUM, ' ', 8);
	for (i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + AT_SUM, 8, "%06o", sum);
}

void
tar_head(const char *name, uint64_t size, uint8_t out[TAR_HEAD_MAX])
{
	char record[40];
	int n;

	if (size < TAR_OCTAL_MAX) {
		one_head(name, size, '0', out);
		return;
	}
	/* "LEN size=N\n" with LEN counting itself: always two digits here */
	n = snprintf(record, sizeof(record), "NN size=%" PRIu64 "\n", size);
	record[0] = (char)('0' + n / 10);
	record[1] = (char)('0' + n % 10);
	one_head("pax_header", (uint64_t)n, 'x', out);
	memset(out + TAR_BLOCK, 0, TAR_BLOCK);
	memcpy(out + TAR_BLOCK, record, (size_t)n);
	one_head(name, 0, '0', out + (size_t)2 * TAR_BLOCK);
}

static bool
octal(const uint8_t *p, size_t n, uint64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '7')
			return false;
		*out = *out * 8 + (p[i] - '0');
	}
	return true;
}

static bool
read_block(const struct source *from, uint64_t off, uint8_t *to, size_t n)
{
	if (off > from->size_bytes || from->size_bytes - off < n)
		return false;
	return from->read_at(from->ctx, off, to, n, NULL) == ERR_OK;
}

/* "NN size=DIGITS\n" */
static bool
pax_size(const uint8_t *p, uint64_t *out)
{
	size_t i;

	if (memcmp(p + 2, " size=", 6) != 0)
		return false;
	*out = 0;
	for (i = 8; i < 28 && p[i] >= '0' && p[i] <= '9'; i++)
		*out = *out * 10 + (p[i] - '0');
	return i > 8 && p[i] == '\n';
}

bool
tar_read_head(const struct source *from, uint64_t off, char name[TAR_NAME], uint64_t *size)
{
	uint8_t got[TAR_HEAD_MAX], want[TAR_HEAD_MAX];
	const uint8_t *last = got;
	size_t n = TAR_BLOCK;

	if (!read_block(from, off, got, TAR_BLOCK))
		return false;
	if (got[AT_TYPE] == 'x') {
		n = TAR_HEAD_MAX;
		if (!read_block(from, off, got, n) || !pax_size(got + TAR_BLOCK, size))
			return false;
		last = got + (size_t)2 * TAR_BLOCK;
	} else if (!octal(got + AT_SIZE, 11, size)) {
		return false;
	}
	if (last[AT_NAME] == 0 || memchr(last + AT_NAME, 0, TAR_NAME) == NULL || tar_head_bytes(*size) != n)
		return false;
	memcpy(name, last + AT_NAME, TAR_NAME);
	tar_head(name, *size, want);
	return memcmp(got, want, n) == 0;
}
