/* SPDX-License-Identifier: MIT */
/* Main's side of the caged worker: requests packed, descriptors passed, answers read. No foreign octet is parsed here. */
#include "archiver/caged_int.h"

#include "base/sys.h"

#include <poll.h>
#include <stdlib.h>

#define TIMEOUT_MS_DEFAULT 60000
#define CLOCK_TIMES 4
#define DOCUMENT_BYTES_DEFAULT (256ull << 20)
/* Small side files share one descriptor; together at most this much, since it is memory. */
#define BUNDLE_BYTES_MAX (256ull << 20)
/* What a time-stamp covers goes to a file of the caller's: data of any size that is taken in. */
#define OCTETS_BYTES_MAX ((size_t)1 << 42)

#define WORKERS 8 /* a step that waits, deposits by the socket and by spools beside it, one that is left under way */

struct caged_call {
	struct caged *of;
	struct worker *w;
	bool stale; /* forked before the last caged_restart */
};

struct caged {
	struct caged_state *state; /* what the children inherit; stays where it is for the workers' life */
	struct caged_call calls[WORKERS];
	struct caged_call *left; /* by the last question */
	int patience_ms;
	bool fell;
	enum err_code (*wait)(void *ctx, struct worker *w, struct err *e);
	void *wait_ctx;
};

static struct caged_call *
call_of(struct caged *c, const struct worker *w)
{
	size_t i;

	for (i = 0; i + 1 < WORKERS; i++)
		if (c->calls[i].w == w)
			break;
	return &c->calls[i];
}

static enum err_code
on_wait(void *ctx, struct worker *w, struct err *e)
{
	struct caged *c = ctx;
	struct pollfd p = {worker_fd(w), POLLIN, 0};

	if (c->patience_ms == 0)
		return c->wait != NULL ? c->wait(c->wait_ctx, w, e) : ERR_OK;
	if (poll(&p, 1, c->patience_ms) > 0)
		return ERR_OK;
	c->left = call_of(c, w);
	return err_set(e, ERR_BUSY, "worker judge: not done after %d ms", c->patience_ms);
}

static enum err_code
worker_new(struct caged *c, struct caged_call *call, struct err *e)
{
	const struct caged_setup *s = &c->state->setup;
	struct worker_spec spec = {
		.name = "judge",
		.role = s->uncaged ? CAGE_NONE : CAGE_WORKER,
		.handle = caged_handle,
		.ctx = c->state,
		.limits = {.memory_bytes = s->memory_bytes, .frame_bytes = 512u << 20, .file_bytes = OCTETS_BYTES_MAX},
	};
	spec.limits.cpu_s = (unsigned)((s->timeout_ms + 999) / 1000);
	call->of = c;
	call->stale = false;
	if (worker_start(&spec, &call->w, e) != ERR_OK)
		return err_wrap(e, "judge");
	worker_on_wait(call->w, on_wait, c);
	return ERR_OK;
}

static void
setup_take(struct caged_state *st, const struct caged_setup *setup)
{
	st->setup = *setup;
	if (st->setup.timeout_ms == 0)
		st->setup.timeout_ms = TIMEOUT_MS_DEFAULT;
	if (st->setup.max_document_bytes == 0)
		st->setup.max_document_bytes = DOCUMENT_BYTES_DEFAULT;
}

enum err_code
caged_start(const struct caged_setup *setup, struct caged **out, struct err *e)
{
	AUTO(caged) struct caged *c = mem_new(1, sizeof(*c));
	if (c == NULL || (c->state = mem_new(1, sizeof(*c->state))) == NULL)
		return err_nomem(e);
	setup_take(c->state, setup);
	if (worker_new(c, &c->calls[0], e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	*out = TAKE(c);
	return ERR_OK;
}

static void
worker_gone(struct caged_call *call)
{
	worker_free(call->w);
	*call = (struct caged_call){.w = NULL};
}

enum err_code
caged_restart(struct caged *c, const struct caged_setup *setup, struct err *e)
{
	size_t i;

	setup_take(c->state, setup);
	for (i = 0; i < WORKERS; i++) {
		if (c->calls[i].w != NULL && worker_busy(c->calls[i].w))
			c->calls[i].stale = true;
		else
			worker_gone(&c->calls[i]);
	}
	return c->calls[0].w != NULL ? ERR_OK : worker_new(c, &c->calls[0], e);
}

void
caged_on_wait(struct caged *c, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx)
{
	c->wait = wait;
	c->wait_ctx = ctx;
}

void
caged_free(struct caged *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < WORKERS; i++)
		worker_free(c->calls[i].w);
	free(c->state);
	free(c);
}

void
caged_auto(struct caged **c)
{
	caged_free(*c);
}

/* One that does not wait for an answer; a new one where all do. */
static enum err_code
idle_worker(struct caged *c, struct caged_call **out, struct err *e)
{
	struct caged_call *none = NULL;
	struct err why = {0};
	size_t i;

	for (i = 0; i < WORKERS; i++) {
		struct caged_call *call = &c->calls[i];

		if (call->w != NULL && call->stale && !worker_busy(call->w))
			worker_gone(call);
		if (call->w == NULL && none == NULL)
			none = call;
		if (call->w != NULL && !worker_busy(call->w)) {
			*out = call;
			return ERR_OK;
		}
	}
	if (none == NULL)
		return err_set(e, ERR_BUSY, "all workers are at work");
	/* Whatever hinders it, what is asked is not to blame. */
	if (worker_new(c, none, &why) != ERR_OK)
		return err_set(e, why.code == ERR_NOMEM ? ERR_NOMEM : ERR_IO, "can't start again: %s", why.text);
	*out = none;
	return ERR_OK;
}

static enum err_code
read_answer(const struct buf *reply, json_t **out, struct err *e)
{
	struct json_limits limits = {.max_bytes = 512u << 20};

	return json_read(buf_slice(reply), &limits, out, e) == ERR_OK ? ERR_OK : err_wrap(e, "judge's answer");
}

/* What others answered (a TSA, a responder) may bring a worker down as well: that is not the document's doing. */
static bool
of_document(enum caged_request type)
{
	return type == CAGED_JUDGE || type == CAGED_EXTEND || type == CAGED_INVENTORY || type == CAGED_OCTETS;
}

static enum err_code
ask(struct caged *c, enum caged_request type, json_t *head, const struct slice *parts, size_t n_parts, const int *fds,
    size_t n_fds, json_t **out, struct err *e)
{
	AUTO(buf) struct buf text = {0}, body = {0}, reply = {0};
	struct caged_call *call = NULL;
	enum err_code r;

	c->left = NULL;
	if (idle_worker(c, &call, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	if (json_canonical(head, &text, e) != ERR_OK)
		return err_wrap(e, "request");
	buf_addvec(&body, buf_slice(&text));
	for (size_t i = 0; i < n_parts; i++)
		buf_addvec(&body, parts[i]);
	if (buf_ok(&body, e) != ERR_OK)
		return err_wrap(e, "request");
	/* The limit is of processor time, which the child keeps; the clock's is for one that does not. */
	r = worker_call(call->w, type, buf_slice(&body), fds, n_fds, (int64_t)c->state->setup.timeout_ms * CLOCK_TIMES, &reply, e);
	c->fell = r != ERR_OK && worker_fell(call->w) && of_document(type);
	return r == ERR_OK ? read_answer(&reply, out, e) : r;
}

bool
caged_fell(const struct caged *c)
{
	return c->fell;
}

/* ---- left under way ---- */

void
caged_patience(struct caged *c, int ms)
{
	c->patience_ms = ms;
}

struct caged_call *
caged_left(struct caged *c)
{
	return TAKE(c->left);
}

int
caged_call_fd(const struct caged_call *call)
{
	return worker_fd(call->w);
}

bool
caged_call_ready(const struct caged_call *call)
{
	struct pollfd p = {worker_fd(call->w), POLLIN, 0};

	return poll(&p, 1, 0) > 0 || sys_monotonic_ms() >= worker_deadline_ms(call->w);
}

enum err_code
caged_call_end(struct caged_call **pcall, json_t **out, struct err *e)
{
	struct caged_call *call = TAKE(*pcall);
	AUTO(buf) struct buf reply = {0};
	enum err_code r = worker_recv(call->w, &reply, e);

	call->of->fell = r != ERR_OK && worker_fell(call->w);
	return r == ERR_OK ? read_answer(&reply, out, e) : r;
}

void
caged_call_drop(struct caged_call **call)
{
	if (*call == NULL)
		return;
	worker_drop((*call)->w);
	*call = NULL;
}

/* The files of a document, as descriptors to pass. */
struct passed {
	int fds[WORKER_FDS];
	size_t n;
	int bundle; /* memfd of ours, or -1 */
	uint64_t bundle_bytes;
};

static void
passed_auto(struct passed *p)
{
	fd_auto(&p->bundle);
}

/* What the octets must be, when the caller knows. */
static enum err_code
expect_sha256(json_t *row, const struct caged_file *f, struct err *e)
{
	return f->sha256 == NULL ? ERR_OK : json_set(row, "sha256", json_hex(slice_of(f->sha256, 32)), e);
}

static enum err_code
side_size(const struct caged_file *f, uint64_t *size_bytes, struct err *e)
{
	*size_bytes = f->size_bytes;
	return f->size_bytes != 0 ? ERR_OK : sys_size(f->fd, size_bytes, e);
}

/* Appends a side file's octets to the bundle. */
static enum err_code
bundle_add(struct passed *p, const struct caged_file *f, uint64_t size_bytes, struct err *e)
{
	uint8_t piece[65536];
	if (size_bytes > BUNDLE_BYTES_MAX - p->bundle_bytes)
		return err_set(e, ERR_LIMIT, "side files beyond the first %d are larger than %llu octets together",
		    WORKER_FDS - 2, (unsigned long long)BUNDLE_BYTES_MAX);
	for (uint64_t at = 0; at < size_bytes;) {
		size_t n = size_bytes - at < sizeof(piece) ? (size_t)(size_bytes - at) : sizeof(piece);
		if (sys_pread(f->fd, piece, n, f->base_bytes + at, e) != ERR_OK)
			return err_wrap(e, "side file");
		if (sys_pwrite(p->bundle, slice_of(piece, n), p->bundle_bytes + at, e) != ERR_OK)
			return err_wrap(e, "bundle");
		at += n;
	}
	p->bundle_bytes += size_bytes;
	return ERR_OK;
}

/* One side file's row: by its own descriptor while there are some left, else inside the bundle. */
static enum err_code
side_pass(struct passed *p, const struct caged_file *f, bool own, json_t *rows, struct err *e)
{
	uint64_t size_bytes, base = f->base_bytes;
	if (side_size(f, &size_bytes, e) != ERR_OK)
		return err_wrap(e, "%s", f->name);
	if (own) {
		p->fds[p->n++] = f->fd;
	} else {
		base = p->bundle_bytes;
		if (p->bundle < 0 && worker_memfd_empty(&p->bundle, e) != ERR_OK)
			return err_wrap(e, "bundle");
		if (bundle_add(p, f, size_bytes, e) != ERR_OK)
			return err_wrap(e, "%s", f->name);
	}
	json_t *row = json_object();
	if (json_push(rows, row, e) != ERR_OK ||
	    json_set(row, "name", f->name != NULL ? json_text(f->name) : json_null(), e) != ERR_OK ||
	    json_set(row, "own", json_boolean(own), e) != ERR_OK ||
	    json_set(row, "base", json_integer((json_int_t)base), e) != ERR_OK ||
	    json_set(row, "size", json_integer((json_int_t)size_bytes), e) != ERR_OK || expect_sha256(row, f, e) != ERR_OK)
		return err_wrap(e, "side file");
	return ERR_OK;
}

/* The largest go by descriptor: true if fewer than room files are larger (or as large and earlier). */
static bool
own_descriptor(const struct caged_doc *doc, const uint64_t *sizes, size_t i, size_t room)
{
	size_t larger = 0;
	for (size_t j = 0; j < doc->n_side; j++)
		larger += sizes[j] > sizes[i] || (sizes[j] == sizes[i] && j < i);
	return larger < room;
}

/* taken: descriptors of the request that are not the document's. */
static enum err_code
doc_pass(const struct caged_doc *doc, size_t taken, struct passed *p, json_t *head, struct err *e)
{
	size_t most = WORKER_FDS - 1 - taken, room = doc->n_side <= most ? most : most - 1;
	AUTO(mem) uint64_t *sizes = mem_new(doc->n_side + 1, sizeof(*sizes));
	json_t *rows = json_array();
	if (json_set(head, "side", rows, e) != ERR_OK || json_set(head, "name", json_text(doc->main.name), e) != ERR_OK ||
	    expect_sha256(head, &doc->main, e) != ERR_OK)
		return err_wrap(e, "document");
	if (sizes == NULL)
		return err_nomem(e);
	p->fds[p->n++] = doc->main.fd;
	for (size_t i = 0; i < doc->n_side; i++)
		if (side_size(&doc->side[i], &sizes[i], e) != ERR_OK)
			return err_wrap(e, "%s", doc->side[i].name);
	for (size_t i = 0; i < doc->n_side; i++)
		if (side_pass(p, &doc->side[i], own_descriptor(doc, sizes, i, room), rows, e) != ERR_OK)
			return e != NULL ? e->code : ERR_BUG;
	if (p->bundle >= 0 && worker_memfd_seal(p->bundle, e) != ERR_OK)
		return err_wrap(e, "bundle");
	if (p->bundle >= 0)
		p->fds[p->n++] = p->bundle;
	return ERR_OK;
}

static enum err_code
ask_about(struct caged *c, enum caged_request type, const struct caged_doc *doc, json_t *head, const struct slice *parts,
    size_t n_parts, json_t **out, struct err *e)
{
	__attribute__((cleanup(passed_auto))) struct passed p = {.bundle = -1};
	if (doc_pass(doc, 0, &p, head, e) != ERR_OK)
		return e != NULL ? e->code : ERR_BUG;
	return ask(c, type, head, parts, n_parts, p.fds, p.n, out, e);
}

enum err_code
caged_judge(struct caged *c, const struct caged_doc *doc, struct slice material, int64_t time_utc, int64_t grace_seconds,
    struct slice entropy, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "time", json_integer(time_utc), e) != ERR_OK ||
	    json_set(head, "grace", json_integer(grace_seconds), e) != ERR_OK)
		return err_wrap(e, "judge");
	struct slice parts[] = {material, entropy};
	return ask_about(c, CAGED_JUDGE, doc, head, parts, 2, out, e);
}

enum err_code
caged_sniff(struct caged *c, const struct slice *heads, const bool *whole, size_t n, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	AUTO(buf) struct buf all = {0};
	for (size_t i = 0; i < n; i++) {
		buf_add8(&all, whole[i]);
		buf_addvec(&all, heads[i]);
	}
	if (head == NULL)
		return err_nomem(e);
	if (buf_ok(&all, e) != ERR_OK)
		return err_wrap(e, "sniff");
	struct slice parts[] = {slice_of(NULL, 0), buf_slice(&all)};
	return ask(c, CAGED_SNIFF, head, parts, 2, NULL, 0, out, e);
}

enum err_code
caged_answer(struct caged *c, const json_t *want, const char *type, struct slice body, struct slice material,
    int64_t time_utc, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "want", json_deep_copy(want), e) != ERR_OK ||
	    json_set(head, "type", json_text(type), e) != ERR_OK ||
	    json_set(head, "time", json_integer(time_utc), e) != ERR_OK)
		return err_wrap(e, "answer");
	struct slice parts[] = {material, body};
	return ask(c, CAGED_ANSWER, head, parts, 2, NULL, 0, out, e);
}

enum err_code
caged_tsp_request(
    const struct digest *imprint, struct slice nonce, const char *policy_oid, struct buf *out, struct err *e)
{
	return tsp_request(imprint, nonce, policy_oid, out, e);
}

static enum err_code
expect_json(const struct token_expect *want, json_t *head, struct err *e)
{
	char text[DIGEST_TEXT];
	digest_text(&want->imprint, text);
	if (json_set(head, "imprint", json_text(text), e) != ERR_OK ||
	    json_set(head, "policy", json_text(want->policy_oid), e) != ERR_OK ||
	    json_set(head, "sent", json_integer(want->sent_utc), e) != ERR_OK ||
	    json_set(head, "received", json_integer(want->received_utc), e) != ERR_OK ||
	    json_set(head, "tolerance", json_integer(want->tolerance_seconds), e) != ERR_OK ||
	    json_set(head, "not_before", json_time(want->not_before_utc), e) != ERR_OK ||
	    json_set(head, "min_life", json_integer(want->min_life_seconds), e) != ERR_OK)
		return err_wrap(e, "token");
	return ERR_OK;
}

enum err_code
caged_token(struct caged *c, struct slice response, const struct token_expect *want, struct slice material,
    int64_t time_utc, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "time", json_integer(time_utc), e) != ERR_OK || expect_json(want, head, e) != ERR_OK)
		return err_wrap(e, "token");
	struct slice parts[] = {material, response, want->nonce};
	return ask(c, CAGED_TOKEN, head, parts, 3, NULL, 0, out, e);
}

enum err_code
caged_tsa_material(struct caged *c, struct slice token, struct slice material, int64_t time_utc, int64_t newer_than,
    struct slice entropy, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "time", json_integer(time_utc), e) != ERR_OK ||
	    json_set(head, "newer_than", json_time(newer_than), e) != ERR_OK)
		return err_wrap(e, "TSA material");
	struct slice parts[] = {material, token, entropy};
	return ask(c, CAGED_TSA_MATERIAL, head, parts, 3, NULL, 0, out, e);
}

enum err_code
caged_extend(struct caged *c, const struct caged_doc *doc, const json_t *request, struct slice material, int64_t time_utc,
    json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "request", json_deep_copy(request), e) != ERR_OK ||
	    json_set(head, "time", json_integer(time_utc), e) != ERR_OK)
		return err_wrap(e, "extend");
	return ask_about(c, CAGED_EXTEND, doc, head, &material, 1, out, e);
}

enum err_code
caged_inventory(
    struct caged *c, const struct caged_doc *doc, struct slice material, int64_t time_utc, json_t **out, struct err *e)
{
	AUTO(json) json_t *head = json_object();
	if (json_set(head, "time", json_integer(time_utc), e) != ERR_OK)
		return err_wrap(e, "inventory");
	return ask_about(c, CAGED_INVENTORY, doc, head, &material, 1, out, e);
}

enum err_code
caged_octets(
    struct caged *c, const struct caged_doc *doc, size_t signature, size_t stamp, int out_fd, json_t **out, struct err *e)
{
	__attribute__((cleanup(passed_auto))) struct passed p = {.bundle = -1};
	AUTO(json) json_t *head = json_object();
	struct slice none = {0};
	if (json_set(head, "signature", json_integer((json_int_t)signature), e) != ERR_OK ||
	    json_set(head, "stamp", json_integer((json_int_t)stamp), e) != ERR_OK || doc_pass(doc, 1, &p, head, e) != ERR_OK)
		return err_wrap(e, "octets");
	p.fds[p.n++] = out_fd;
	return ask(c, CAGED_OCTETS, head, &none, 1, p.fds, p.n, out, e);
}
