/* SPDX-License-Identifier: MIT */
/* The cage's side: requests unpacked, documents read from their descriptors, the rest given to who knows. */
#include "archiver/caged_int.h"
#include "base/form.h"
#include "base/sys.h"

#include <stdlib.h>

/* A verifier keeps all it ever decoded; after so many requests it starts anew. */
#define CALLS_A_VERIFIER 400

static enum err_code
verifier_ready(struct caged_state *st, struct err *e)
{
	if (st->v != NULL && st->calls++ < CALLS_A_VERIFIER)
		return ERR_OK;
	verifier_free(st->v);
	st->v = NULL;
	st->calls = 0;
	return verifier_new(&st->v, e);
}

/* A file of somebody who may still write to it: judged are the octets that were read, so these have the digest. */
static bool
is_expected(const struct digest *got, const char *hex)
{
	uint8_t want[32];
	return strlen(hex) == 64 && hex_to(hex, 64, want) && memcmp(got->octets, want, sizeof(want)) == 0;
}

static enum err_code
changed(const char *name, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s changed while it was read: deposit it again", name != NULL ? name : "a file");
}

/* Files are read from the first octet to the last, each time. */
static enum err_code
part_hash(struct caged_part *p, uint64_t off, struct slice s, struct err *e)
{
	static const enum digest_alg alg = DIGEST_SHA256;
	struct digest got;
	if (off == 0) {
		digester_free(p->digester);
		p->digester = NULL;
		p->hashed = 0;
		if (digester_new(&alg, 1, &p->digester, e) != ERR_OK)
			return err_wrap(e, "side file");
	}
	if (off != p->hashed)
		return err_set(e, ERR_BUG, "side file read out of order");
	if (digester_add(p->digester, s, e) != ERR_OK)
		return err_wrap(e, "side file");
	p->hashed += s.n;
	if (p->hashed != p->size_bytes)
		return ERR_OK;
	if (digester_finish(p->digester, &got, e) != ERR_OK)
		return err_wrap(e, "side file");
	if (is_expected(&got, p->sha256))
		return ERR_OK;
	p->changed = true;
	return changed(NULL, e);
}

static enum err_code
part_read(void *ctx, uint64_t off, void *to, size_t n, struct err *e)
{
	struct caged_part *p = ctx;
	if (n > p->size_bytes || off > p->size_bytes - n)
		return err_set(e, ERR_BUG, "side file read past its end");
	if (sys_pread(p->fd, to, n, p->base + off, e) != ERR_OK)
		return err_wrap(e, "side file");
	return p->sha256 != NULL ? part_hash(p, off, slice_of(to, n), e) : ERR_OK;
}

/* fds: 0 the document, then one for each row with "own", then the bundle if a row has not. */
static enum err_code
side_open(const json_t *row, const int *fds, size_t nfds, size_t *next, struct caged_part *part, struct side_file *f,
    struct err *e)
{
	bool own;
	if (json_want_str(row, "name", NULL, &f->name, e) != ERR_OK || json_need_bool(row, "own", &own, e) != ERR_OK ||
	    json_need_size(row, "base", &part->base, e) != ERR_OK ||
	    json_need_size(row, "size", &part->size_bytes, e) != ERR_OK ||
	    json_want_str(row, "sha256", NULL, &part->sha256, e) != ERR_OK)
		return err_wrap(e, "side file");
	size_t at = own ? (*next)++ : nfds - 1;
	if (at == 0 || at >= nfds)
		return err_set(e, ERR_BUG, "side file without a descriptor");
	part->fd = fds[at];
	f->has_source = true;
	f->source = (struct source){.read_at = part_read, .ctx = part, .size_bytes = part->size_bytes};
	return ERR_OK;
}

/* Of one that is too large only the head is read, to tell what it is. */
static enum err_code
document_read(const struct source *s, const json_t *head, struct caged_input *out, struct err *e)
{
	struct sink to = sink_buf(&out->doc);
	const char *sha256;
	struct digest got;
	enum err_code rc = source_copy(s, 0, out->too_large ? 4096 : s->size_bytes, &to, e);
	if (json_want_str(head, "sha256", NULL, &sha256, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	if (sha256 != NULL && rc == ERR_IO)
		return changed(out->name, e);
	if (rc != ERR_OK || sha256 == NULL || out->too_large)
		return rc;
	if (digest_once(DIGEST_SHA256, buf_slice(&out->doc), &got, e) != ERR_OK)
		return err_wrap(e, "digest");
	return is_expected(&got, sha256) ? ERR_OK : changed(out->name, e);
}

enum err_code
caged_input_open(const struct caged_state *st, const json_t *head, const int *fds, size_t nfds, struct caged_input *out,
    struct err *e)
{
	struct source s;
	json_t *side;
	size_t next = 1;
	if (nfds == 0)
		return err_set(e, ERR_BUG, "no document");
	if (json_need_str(head, "name", &out->name, e) != ERR_OK || json_need_arr(head, "side", &side, e) != ERR_OK ||
	    source_fd(&fds[0], &s, e) != ERR_OK)
		return err_wrap(e, "document");
	out->size_bytes = s.size_bytes;
	out->too_large = s.size_bytes > st->setup.max_document_bytes;
	if (document_read(&s, head, out, e) != ERR_OK)
		return err_wrap(e, "document");
	size_t n = json_array_size(side);
	out->parts = mem_new(n + 1, sizeof(*out->parts));
	out->files = mem_new(n + 1, sizeof(*out->files));
	if (out->parts == NULL || out->files == NULL)
		return err_nomem(e);
	for (out->n_files = 0; out->n_files < n; out->n_files++) {
		size_t i = out->n_files;
		if (side_open(json_array_get(side, i), fds, nfds, &next, &out->parts[i], &out->files[i], e) != ERR_OK)
			return e != NULL ? e->code : ERR_BUG;
	}
	return buf_ok(&out->doc, e);
}

void
caged_input_release(struct caged_input *in)
{
	buf_release(&in->doc);
	for (size_t i = 0; i < in->n_files; i++)
		digester_free(in->parts[i].digester);
	free(in->parts);
	free(in->files);
	*in = (struct caged_input){0};
}

void
caged_input_auto(struct caged_input *in)
{
	caged_input_release(in);
}

static const struct xades_limits *
limits_of(const struct caged_state *st)
{
	return st->setup.limits.references != 0 ? &st->setup.limits : NULL;
}

enum err_code
caged_sigdoc(
    const struct caged_state *st, const struct caged_input *in, const struct buf *doc, struct sigdoc **out, struct err *e)
{
	return sigdoc_open(buf_slice(doc), in->files, in->n_files, limits_of(st), out, e);
}

enum err_code
caged_verify(struct caged_state *st, const struct caged_input *in, struct sigdoc *parsed, const struct material *material,
    int64_t time_utc, int64_t grace_seconds, bool want, struct report **out, struct err *e)
{
	struct verify_input vi = {
		.name = in->name,
		.doc = buf_slice(&in->doc),
		.parsed = parsed,
		.files = in->files,
		.n_files = in->n_files,
		.material = material,
		.anchors = st->setup.anchors,
		.policy = st->setup.policy,
		.time_utc = time_utc,
		.limits = limits_of(st),
		.grace_seconds = grace_seconds,
		.want_material = want,
	};
	return verify_document(st->v, &vi, out, e);
}

/* ---- requests ---- */

struct request {
	json_t *head;
	struct slice parts[3]; /* material first */
	struct material *material;
};

static void
request_auto(struct request *q)
{
	json_decref(q->head);
	material_free(q->material);
}

static enum err_code
request_open(struct slice body, size_t n_parts, struct request *q, struct err *e)
{
	struct cur c = cur_from(body);
	struct json_limits limits = {.max_bytes = 512u << 20};
	struct slice head = cur_vec(&c);
	for (size_t i = 0; i < n_parts; i++)
		q->parts[i] = cur_vec(&c);
	if (cur_end(&c, "request", e) != ERR_OK || json_read(head, &limits, &q->head, e) != ERR_OK)
		return err_wrap(e, "request");
	if (q->parts[0].n != 0 && material_unpack(q->parts[0], &q->material, e) != ERR_OK)
		return err_wrap(e, "material");
	return ERR_OK;
}

static enum err_code
judge(struct caged_state *st, const struct request *q, const int *fds, size_t nfds, json_t **out, struct err *e)
{
	AUTO(caged_input) struct caged_input in = {0};
	int64_t time_utc, grace;
	if (json_need_int(q->head, "time", &time_utc, e) != ERR_OK ||
	    json_need_int(q->head, "grace", &grace, e) != ERR_OK ||
	    caged_input_open(st, q->head, fds, nfds, &in, e) != ERR_OK)
		return err_wrap(e, "judge");
	enum err_code rc = caged_judge_run(st, &in, q->material, time_utc, grace, q->parts[1], out, e);
	/* Whatever the verdict is then: it is of other octets. */
	for (size_t i = 0; i < in.n_files; i++)
		if (in.parts[i].changed)
			return changed(in.files[i].name, e);
	return rc;
}

static enum err_code
extend(struct caged_state *st, const struct request *q, const int *fds, size_t nfds, json_t **out, struct err *e)
{
	AUTO(caged_input) struct caged_input in = {0};
	if (caged_input_open(st, q->head, fds, nfds, &in, e) != ERR_OK)
		return err_wrap(e, "extend");
	if (in.too_large)
		return err_set(e, ERR_UNSUPPORTED, "the document is larger than %llu octets",
		    (unsigned long long)st->setup.max_document_bytes);
	return caged_extend_run(st, &in, q->head, q->material, out, e);
}

static enum err_code
inventory(struct caged_state *st, const struct request *q, const int *fds, size_t nfds, json_t **out, struct err *e)
{
	AUTO(caged_input) struct caged_input in = {0};
	int64_t time_utc;
	if (json_need_int(q->head, "time", &time_utc, e) != ERR_OK || caged_input_open(st, q->head, fds, nfds, &in, e) != ERR_OK)
		return err_wrap(e, "inventory");
	if (in.too_large)
		return err_set(e, ERR_UNSUPPORTED, "the document is larger than %llu octets",
		    (unsigned long long)st->setup.max_document_bytes);
	return caged_inventory_run(st, &in, q->material, time_utc, out, e);
}

/* The last descriptor is not the document's. */
static enum err_code
octets(struct caged_state *st, const struct request *q, const int *fds, size_t nfds, json_t **out, struct err *e)
{
	AUTO(caged_input) struct caged_input in = {0};
	if (nfds < 2)
		return err_set(e, ERR_BUG, "octets: nothing to write to");
	if (caged_input_open(st, q->head, fds, nfds - 1, &in, e) != ERR_OK)
		return err_wrap(e, "octets");
	if (in.too_large)
		return err_set(e, ERR_UNSUPPORTED, "the document is larger than %llu octets",
		    (unsigned long long)st->setup.max_document_bytes);
	return caged_octets_run(st, &in, q->head, fds[nfds - 1], out, e);
}

static enum err_code
sniff(const struct request *q, json_t **out, struct err *e)
{
	AUTO(json) json_t *forms = json_array();
	struct cur c = cur_from(q->parts[1]);
	while (!c.failed && c.at < c.in.n) {
		bool whole = cur_u8(&c) != 0;
		struct slice head = cur_vec(&c);
		enum form form;
		bool sure = form_of_head(head, whole, &form) && form != FORM_XML;
		if (json_push(forms, sure ? json_text(form_name(form)) : json_null(), e) != ERR_OK)
			return err_wrap(e, "sniff");
	}
	if (cur_end(&c, "files", e) != ERR_OK)
		return err_wrap(e, "sniff");
	*out = TAKE(forms);
	return ERR_OK;
}

static size_t
parts_of(uint32_t type)
{
	switch (type) {
	case CAGED_TOKEN:
	case CAGED_TSA_MATERIAL:
		return 3;
	case CAGED_EXTEND:
	case CAGED_INVENTORY:
	case CAGED_OCTETS:
		return 1;
	default:
		return 2;
	}
}

static enum err_code
dispatch(struct caged_state *st, uint32_t type, const struct request *q, const int *fds, size_t nfds, json_t **out,
    struct err *e)
{
	switch (type) {
	case CAGED_JUDGE:
		return judge(st, q, fds, nfds, out, e);
	case CAGED_EXTEND:
		return extend(st, q, fds, nfds, out, e);
	case CAGED_INVENTORY:
		return inventory(st, q, fds, nfds, out, e);
	case CAGED_OCTETS:
		return octets(st, q, fds, nfds, out, e);
	case CAGED_ANSWER:
		return caged_answer_run(st, q->head, q->parts[1], q->material, out, e);
	case CAGED_TOKEN:
		return caged_token_run(st, q->head, q->parts[1], q->parts[2], q->material, out, e);
	case CAGED_SNIFF:
		return sniff(q, out, e);
	case CAGED_TSA_MATERIAL:
		return caged_tsa_material_run(st, q->head, q->parts[1], q->parts[2], q->material, out, e);
	}
	return err_set(e, ERR_BUG, "request %u is unknown", type);
}

enum err_code
caged_handle(
    void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply, struct err *e)
{
	struct caged_state *st = ctx;
	__attribute__((cleanup(request_auto))) struct request q = {0};
	AUTO(json) json_t *answer = NULL;
	if (verifier_ready(st, e) != ERR_OK || request_open(body, parts_of(type), &q, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	if (dispatch(st, type, &q, fds, nfds, &answer, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	return json_canonical(answer, reply, e) == ERR_OK ? ERR_OK : err_wrap(e, "judge's answer");
}
