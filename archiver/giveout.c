/* SPDX-License-Identifier: MIT */
/* What leaves the archive: files of a version, and a verdict on them with what the archive holds. */
#include "archiver/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A deposited folder's files keep their paths; each component was checked when it came in, and is again here. */
static enum err_code
open_new(int dir, const char *name, int *fd, struct err *e)
{
	AUTO(mem) char *path = mem_dupstr(name);
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (path == NULL)
		return err_nomem(e);
	if (!sys_stays_below(name))
		return err_set(e, ERR_REFUSED, "file name \"%s\" leads outside the folder", name);
	if (slash != NULL) {
		*slash = '\0';
		if (sys_mkdirs(dir, path, 0777, e) != ERR_OK)
			return err_wrap(e, "%s", name);
	}
	return sys_create(dir, name, 0666, fd, e);
}

enum err_code
archive_get(struct archive *a, const char *record, int version, const char *dir, json_t **out, struct err *e)
{
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *files = json_array();
	AUTO(fd) int folder = -1;
	const json_t *o = NULL;
	int newest = 0;
	size_t i;

	if (archive_manifest(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "get");
	json_array_foreach (json_object_get(m, "originals"), i, o)
		newest = version_newest(m, i) > newest ? version_newest(m, i) : newest;
	if (version > newest)
		return err_set(e, ERR_NOTFOUND, "record %s has no version %d; the newest is %d", manifest_record(m), version, newest);
	if (sys_mkdirs(AT_FDCWD, dir, 0777, e) != ERR_OK ||
	    sys_open_dir(AT_FDCWD, dir, &folder, e) != ERR_OK)
		return err_wrap(e, "get");
	json_array_foreach (json_object_get(m, "originals"), i, o) {
		AUTO(fd) int fd = -1;
		struct sink to = sink_fd(&fd);
		int n = version < 0 ? version_newest(m, i) : version;

		if (open_new(folder, sig_str(o, "name"), &fd, e) != ERR_OK)
			return err_wrap(e, "get %s", manifest_record(m));
		if (version_write(a, m, i, version, &to, e) != ERR_OK) {
			(void)unlinkat(folder, sig_str(o, "name"), 0);
			return err_wrap(e, "get");
		}
		if (sys_close(&fd, e) != ERR_OK ||
		    json_push(files, json_pack("{s:s, s:i}", "name", sig_str(o, "name"), "version", n < version_newest(m, i) ? n : version_newest(m, i)), e) != ERR_OK)
			return err_wrap(e, "get");
	}
	*out = json_pack("{s:s, s:s, s:O}", "record", manifest_record(m), "directory", dir, "files", files);
	return *out != NULL ? ERR_OK : err_nomem(e);
}

static enum err_code
judge_file(struct archive *a, const json_t *m, size_t file, int64_t time_utc, json_t **header, json_t *documents, struct err *e)
{
	AUTO(record_doc) struct record_doc doc = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *answer = NULL;
	struct slice packed;

	if (record_doc_open(a, m, file, -1, &doc, e) != ERR_OK || pile_new(&pile, e) != ERR_OK ||
	    pile_load(a, pile, json_object_get(m, "material"), e) != ERR_OK || tsa_held(a, m, pile, e) != ERR_OK ||
	    pile_packed(pile, &packed, e) != ERR_OK ||
	    caged_judge(a->caged, &doc.doc, packed, time_utc, 0, slice_of("0123456789abcdef0123456789abcdef", 32), &answer, e) != ERR_OK)
		return err_wrap(e, "verify");
	if (json_push(documents, json_incref(json_object_get(answer, "report")), e) != ERR_OK)
		return err_wrap(e, "verify");
	if (*header == NULL)
		*header = json_deep_copy(json_object_get(answer, "header"));
	return ERR_OK;
}

enum err_code
archive_verify(struct archive *a, const char *record, int64_t time_utc, json_t **out, struct err *e)
{
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *documents = json_array();
	AUTO(json) json_t *header = NULL;
	const json_t *o = NULL, *s = NULL;
	size_t i, k;

	if (archive_manifest(a, record, &m, e) != ERR_OK)
		return err_wrap(e, "verify");
	json_array_foreach (json_object_get(m, "originals"), i, o) {
		bool signatures = json_array_size(json_object_get(m, "originals")) == 1;

		json_array_foreach (json_object_get(m, "signatures"), k, s)
			signatures |= (size_t)json_integer_value(json_object_get(s, "file")) == i;
		if (signatures && judge_file(a, m, i, time_utc, &header, documents, e) != ERR_OK)
			return err_wrap(e, "record %s", manifest_record(m));
	}
	if (header == NULL)
		header = json_pack("{s:i, s:o}", "schema", 1, "validation_time", json_time(time_utc));
	if (json_set(header, "record", json_text(manifest_record(m)), e) != ERR_OK || json_set(header, "documents", TAKE(documents), e) != ERR_OK)
		return err_wrap(e, "verify");
	*out = TAKE(header);
	return ERR_OK;
}

/* Holds in force: each was put on once, and is taken off once. */
static long
holds_on(const json_t *holds)
{
	const json_t *h = NULL;
	long n = 0;
	size_t i;

	json_array_foreach (holds, i, h)
		n += json_is_true(json_object_get(h, "on")) ? 1 : -1;
	return n;
}

enum err_code
archive_hold(struct archive *a, const char *record, bool on, const char *reason, struct err *e)
{
	AUTO(batch) struct batch *b = NULL;
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	json_t *holds = NULL;
	bool again = false;

	if (archive_manifest(a, record, &prev, e) != ERR_OK || manifest_next(a, prev, &m, e) != ERR_OK ||
	    store_batch_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "hold");
	holds = json_object_get(m, "holds");
	if (!on && holds_on(holds) <= 0)
		return err_set(e, ERR_NOTFOUND, "hold: record %s is not held", manifest_record(m));
	if (json_push(holds, json_pack("{s:b, s:o, s:o}", "on", (int)on, "time", json_time(archive_now(a)), "reason", json_text(reason)), e) != ERR_OK ||
	    walk_put(a, b, m, prev, LEAF_HOLD, on ? "hold" : "hold released", &again, e) != ERR_OK)
		return err_wrap(e, "hold");
	return store_commit(&b, NULL, e);
}
