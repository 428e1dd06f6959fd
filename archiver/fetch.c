/* SPDX-License-Identifier: MIT */
/* The main side of the net process: requests and answers as frames, and the words for what happened. */
#include "archiver/fetch.h"
#include "archiver/fetch_int.h"

#include "base/sys.h"
#include "base/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetcher {
	const struct config *cfg;
	const char **paths;
	struct worker *worker;
};

const char *
fetch_class_name(enum fetch_class c)
{
	static const char *const names[] = {"ok", "retry", "alternate", "refused", "config", "local"};

	return (unsigned)c < sizeof(names) / sizeof(names[0]) ? names[c] : "local";
}

void
fetch_answer_release(struct fetch_answer *a)
{
	buf_release(&a->body);
}

void
fetch_answer_auto(struct fetch_answer *a)
{
	fetch_answer_release(a);
}

/* What the net process may read: keys, headers and authorities that the configuration names. */
static const char **
read_paths(const struct config *cfg)
{
	const char **v = mem_new(cfg->n_tsas * 4 + 2, sizeof(*v));
	size_t n = 0, i, k;

	if (v == NULL)
		return NULL;
	for (i = 0; i < cfg->n_tsas; i++) {
		const char *of[] = {cfg->tsas[i].ca_file, cfg->tsas[i].client_cert, cfg->tsas[i].client_key, cfg->tsas[i].header_file};

		for (k = 0; k < 4; k++)
			if (of[k] != NULL)
				v[n++] = of[k];
	}
	if (cfg->net.ca_file != NULL)
		v[n++] = cfg->net.ca_file;
	v[n] = NULL;
	return v;
}

enum err_code
fetcher_start(const struct config *cfg, bool uncaged, struct fetcher **out, struct err *e)
{
	AUTO(fetcher) struct fetcher *f = mem_new(1, sizeof(*f));
	struct worker_spec spec = {.name = "net", .role = uncaged ? CAGE_NONE : CAGE_NET, .warm_up = net_warm_up, .handle = net_handle,
	    .ctx = (void *)(uintptr_t)cfg, .limits = {.frame_bytes = (size_t)(cfg->net.crl_bytes > cfg->net.answer_bytes ? cfg->net.crl_bytes : cfg->net.answer_bytes) + 4096, .cpu_s = 600}};

	if (f == NULL)
		return err_nomem(e);
	f->cfg = cfg;
	f->paths = read_paths(cfg);
	if (f->paths == NULL)
		return err_nomem(e);
	spec.read_paths = f->paths;
	if (worker_start(&spec, &f->worker, e) != ERR_OK)
		return err_wrap(e, "net process");
	*out = TAKE(f);
	return ERR_OK;
}

void
fetcher_free(struct fetcher *f)
{
	if (f == NULL)
		return;
	worker_free(f->worker);
	free(f->paths);
	free(f);
}

void
fetcher_auto(struct fetcher **f)
{
	fetcher_free(*f);
}

/* ---- frames: the order of fields is the protocol of these two files ---- */

static void
add_text(struct buf *b, const char *s)
{
	buf_add8(b, s != NULL);
	buf_addvec(b, slice_str(s));
}

static void
encode(struct buf *b, const struct fetch_request *r)
{
	buf_add8(b, r->type);
	buf_add8(b, r->configured);
	add_text(b, r->method);
	add_text(b, r->url);
	add_text(b, r->user);
	add_text(b, r->password);
	add_text(b, r->header_file);
	add_text(b, r->client_cert);
	add_text(b, r->client_key);
	add_text(b, r->ca_file);
	buf_addvec(b, r->body);
}

static void
take_text(struct cur *c, char *to, size_t n)
{
	struct slice s = cur_vec(c);
	size_t k = s.n < n - 1 ? s.n : n - 1;

	if (k != 0)
		memcpy(to, s.p, k);
	to[k] = '\0';
}

enum err_code
fetch_answer_read(struct slice in, struct fetch_answer *a, struct err *e)
{
	struct cur c = cur_from(in);

	a->class = cur_u8(&c);
	a->http_status = (long)cur_be32(&c);
	a->retry_after_seconds = (int64_t)cur_be64(&c);
	take_text(&c, a->why, sizeof(a->why));
	take_text(&c, a->address, sizeof(a->address));
	take_text(&c, a->content_type, sizeof(a->content_type));
	buf_clear(&a->body);
	buf_addslice(&a->body, cur_vec(&c));
	if (cur_end(&c, "net process", e) != ERR_OK)
		return err_wrap(e, "answer");
	return buf_ok(&a->body, e);
}

void
fetcher_on_wait(struct fetcher *f, enum err_code (*wait)(void *ctx, struct worker *w, struct err *e), void *ctx)
{
	worker_on_wait(f->worker, wait, ctx);
}

enum err_code
fetch(struct fetcher *f, const struct fetch_request *req, struct fetch_answer *out, struct err *e)
{
	AUTO(buf) struct buf frame = {0}, reply = {0};
	struct err why = {0};
	enum err_code r;

	encode(&frame, req);
	if (buf_ok(&frame, e) != ERR_OK)
		return err_wrap(e, "fetch");
	*out = (struct fetch_answer){.class = FETCH_LOCAL, .retry_after_seconds = -1};
	r = worker_call(f->worker, req->type, buf_slice(&frame), NULL, 0, net_timeout_ms(f->cfg, req->type) * 2, &reply, &why);
	if (r == ERR_OK)
		return fetch_answer_read(buf_slice(&reply), out, e);
	if (r == ERR_NOMEM || r == ERR_BUG || r == ERR_IO)
		return err_set(e, r, "net process: %s", why.text);
	/* A process that a server managed to bring down is that server's bad answer. */
	out->class = FETCH_RETRY;
	snprintf(out->why, sizeof(out->why), "%.255s", why.text);
	return ERR_OK;
}
