/* SPDX-License-Identifier: MIT */
/* What depositors, clients of the socket and strangers hand to the command: deposits, requests, receipts, bundles. */
#include "tests/fuzz/fuzz.h"

#include "archiver/control.h"
#include "base/worker.h"
#include "tools/bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- an archive of nothing but such deposits ---- */

static struct archive *archive;
static struct config *config;
static int listener = -1, deed = -1;

static bool
open_archive(void)
{
	static const int64_t now = FUZZ_TIME;
	struct archive_seams seams = {.clock = clock_fixed(&now), .entropy = entropy_openssl(), .uncaged = true};
	AUTO(buf) struct buf text = {0};
	AUTO(mem) char *file = NULL;
	AUTO(faults) struct faults f = {0};
	struct err e = {0};

	if (archive != NULL)
		return true;
	if (fuzz_scratch() == NULL || (file = mem_printf("%s/everseal.conf", fuzz_scratch())) == NULL)
		return false;
	buf_adds(&text, "[archive]\ndir = a\n[trust]\ndir = t\n[spool s]\ndir = s\n[tsa t]\nurl = http://127.0.0.1:9/\n[profile default]\nversion = 1\ntsa = t\n"
	    "[profile other]\nversion = 2\nretention = 10\ntsa = t\n[service]\nmin_free = 1MiB\n");
	if (config_parse(buf_slice(&text), file, &config, &f, &e) != ERR_OK || archive_create(config, &seams, &e) != ERR_OK ||
	    archive_open(config, fuzz_anchors(), fuzz_policy(), ARCHIVE_WRITE, &seams, &archive, &e) != ERR_OK || control_listen(config, &listener, &e) != ERR_OK ||
	    worker_memfd(slice_str("a deed"), &deed, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	return true;
}

/* First line the file's name, the rest its meta file. There is a receipt or a reason, whatever they are. */
static void
one_deposit(struct slice in)
{
	const uint8_t *line_end = in.n != 0 ? memchr(in.p, '\n', in.n) : NULL;
	AUTO(mem) char *name = mem_dup(in.p, line_end != NULL ? (size_t)(line_end - in.p) : in.n);
	AUTO(json) json_t *meta = NULL;
	struct deposit_file file = {name, deed};
	struct deposit d = {.depositor = "fuzz", .files = &file, .n_files = 1};
	struct err e = {0};
	bool refused;

	if (line_end != NULL && json_read(slice_of(line_end + 1, in.n - (size_t)(line_end - in.p) - 1), NULL, &meta, &e) != ERR_OK)
		return;
	d.meta = meta;
	fuzz_must(archive_deposit(archive, &d, 1, &e) == ERR_OK && d.receipt != NULL);
	refused = json_is_true(json_object_get(d.receipt, "refused"));
	fuzz_must(json_is_string(json_object_get(d.receipt, refused ? "reason" : "receipt")));
	json_decref(d.receipt);
}

/* A client of the control socket says this and goes. */
static void
one_control(struct slice in)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err e = {0};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", config->service.control);
	fuzz_must(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	fuzz_must(write(fd, in.p, in.n) == (ssize_t)in.n && shutdown(fd, SHUT_WR) == 0);
	fuzz_must(control_serve(archive, listener, &e) == ERR_OK);
}

/* ---- receipts and bundles ---- */

static FILE *nowhere;

static bool
open_quiet(void)
{
	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "we");
	return nowhere != NULL && fuzz_scratch() != NULL;
}

static void
put_file(const char *path, struct slice octets)
{
	FILE *f = fopen(path, "we");

	fuzz_must(f != NULL && fwrite(octets.p, 1, octets.n, f) == octets.n && fclose(f) == 0);
}

/* Nothing but the receipt itself, or the same said in other white space, passes. */
static void
one_receipt(struct slice in)
{
	struct tool t = {.log = {.fd = -1}, .json = true, .quiet = true};
	AUTO(json) json_t *given = NULL;
	AUTO(json) json_t *ours = NULL;
	AUTO(mem) char *path = mem_printf("%s/receipt.json", fuzz_scratch());
	FILE *out = stdout, *err = stderr;
	int code;

	put_file(path, in);
	stdout = stderr = nowhere;
	code = verify_receipt(&t, path, fuzz_path("log.pub"), NULL);
	stdout = out;
	stderr = err;
	if (code != EXIT_POSITIVE)
		return;
	fuzz_must(json_read(in, NULL, &given, NULL) == ERR_OK && json_read(fuzz_kit("receipt.json"), NULL, &ours, NULL) == ERR_OK);
	fuzz_must(json_equal(json_object_get(json_object_get(given, "manifest"), "sha256"), json_object_get(json_object_get(ours, "manifest"), "sha256")));
	fuzz_must(json_equal(json_object_get(given, "originals"), json_object_get(ours, "originals")) || json_object_get(given, "originals") == NULL);
}

static const char *const members[] = {"SHA256SUMS", "proofs.json", "receipt.json", "checkpoint", "log.pub", "index.json", "newest-manifest"};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* The kit's bundle, copied; kit/bundle/newest-manifest is a file with the name of one. */
static bool
open_bundle(void)
{
	AUTO(mem) char *command = NULL;

	if (!open_quiet())
		return false;
	command = mem_printf("cp -r '%s' '%s/bundle'", fuzz_path("bundle"), fuzz_scratch());
	return command != NULL && system(command) == 0;
}

/* First octet: which file of the bundle holds the rest. Another content is a fault of it. */
static void
one_bundle(struct slice in)
{
	unsigned which = fuzz_first(&in) % MEMBERS;
	struct slice newest = fuzz_kit("newest-manifest");
	AUTO(mem) char *dir = mem_printf("%s/bundle", fuzz_scratch());
	AUTO(mem) char *name = which + 1 < MEMBERS ? mem_dupstr(members[which]) : mem_dup(newest.p, newest.n);
	AUTO(mem) char *kit = mem_printf("bundle/%s", name);
	AUTO(mem) char *path = mem_printf("%s/%s", dir, name);
	AUTO(buf) struct buf was = {0};
	struct checking c = {.dir = -1, .shown = dir};
	struct err e = {0};
	enum err_code code;

	fuzz_must(sys_read_file(AT_FDCWD, fuzz_path(kit), 1 << 20, &was, &e) == ERR_OK);
	put_file(path, in);
	code = bundle_check(&c, NULL, &e);
	put_file(path, buf_slice(&was));
	fuzz_must(code == ERR_OK || code == ERR_FORMAT || code == ERR_DAMAGED || code == ERR_LIMIT || code == ERR_REFUSED || code == ERR_NOTFOUND || code == ERR_USAGE);
	if (code == ERR_OK && which != 0 && !slice_eq(buf_slice(&was), in))
		fuzz_must(json_array_size(c.faults) != 0);
	checking_auto(&c);
}

const struct fuzz_entry fuzz_verb[] = {
    {.name = "deposit", .max_bytes = 8192, .open = open_archive, .one = one_deposit},
    {.name = "control", .max_bytes = 8192, .open = open_archive, .one = one_control},
    {.name = "receipt", .max_bytes = 65536, .open = open_quiet, .one = one_receipt},
    {.name = "bundle", .max_bytes = 65536, .open = open_bundle, .one = one_bundle},
    {.name = NULL},
};
