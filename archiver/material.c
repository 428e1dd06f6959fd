/* SPDX-License-Identifier: MIT */
/*
 * Gathering what a verdict wants: ask the cage what is missing, fetch it, ask
 * again until nothing is wanted or nothing more comes. Every answer of use is kept
 * with its source and time, also one that is older than wanted.
 */
#include "archiver/archiver_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 8
#define CACHE_BYTES ((size_t)64 << 20)
#define CACHE_ROWS 4096 /* they are looked for one by one */

/* ---- answers of this process's life, so that one CRL serves a whole batch ---- */

struct cached {
	char *key; /* URL, and the certificate for OCSP */
	struct buf body;
	int64_t got;
};

struct fetch_cache {
	struct cached *v;
	size_t n, cap, bytes;
};

void
fetch_cache_free(struct fetch_cache *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++) {
		free(c->v[i].key);
		buf_release(&c->v[i].body);
	}
	free(c->v);
	free(c);
}

static struct cached *
cache_find(struct archive *a, const char *key)
{
	size_t i;

	for (i = 0; a->cache != NULL && i < a->cache->n; i++)
		if (strcmp(a->cache->v[i].key, key) == 0)
			return &a->cache->v[i];
	return NULL;
}

/* Full: begun anew. A service that runs for years asks for other things every week. */
static void
cache_keep(struct archive *a, const char *key, struct slice body)
{
	struct fetch_cache *c = a->cache;
	struct cached *it = NULL;

	if (body.n > CACHE_BYTES)
		return;
	if (c != NULL && (c->bytes + body.n > CACHE_BYTES || c->n >= CACHE_ROWS)) {
		fetch_cache_free(c);
		c = a->cache = NULL;
	}
	if (c == NULL && (c = a->cache = mem_new(1, sizeof(*c))) == NULL)
		return;
	it = cache_find(a, key);
	if (it == NULL) {
		if (!mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v)))
			return;
		it = &c->v[c->n];
		it->key = mem_dupstr(key);
		if (it->key == NULL)
			return;
		c->n++;
	}
	c->bytes += body.n;
	c->bytes -= it->body.n;
	buf_clear(&it->body);
	buf_addslice(&it->body, body);
	it->got = archive_now(a);
}

/* ---- one request ---- */

static const struct {
	const char *word;
	enum fetch_type type;
	const char *kind;
} types[] = {{"ocsp", FETCH_OCSP, "OCSP"}, {"crl", FETCH_CRL, "CRL"}, {"aia", FETCH_CERT, "AIA"}};

static size_t
type_of(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (word != NULL && strcmp(types[i].word, word) == 0)
			return i;
	return 0;
}

/* The service is its host, port and kind: what fails is a server, not a path, and its CRLs may be there when its OCSP is not. */
static void
service_of(const char *url, const char *kind, char *out, size_t n)
{
	const char *start = strstr(url, "://");
	size_t len;

	start = start != NULL ? start + 3 : url;
	len = strcspn(start, "/?#");
	snprintf(out, n, "%.*s %s", (int)(len < n - 8 ? len : n - 8), start, kind);
}

/* Class words of the cage that mean: this service answered wrongly. */
static enum fetch_class
service_class(const char *class)
{
	if (class == NULL || strcmp(class, "refused") == 0)
		return FETCH_REFUSED;
	if (strcmp(class, "retry") == 0)
		return FETCH_RETRY;
	return FETCH_OK;
}

struct asking {
	struct archive *a;
	struct pile *pile;
	const json_t *want;
	struct gathered *g;
	bool added, fresh;
};

static enum err_code
take_objects(struct asking *q, const json_t *answer, struct slice body, const char *url, struct err *e)
{
	const json_t *o = NULL, *objects = json_object_get(answer, "objects");
	size_t before = pile_count(q->pile), i;

	json_array_foreach (objects, i, o) {
		AUTO(buf) struct buf der = {0};
		const char *b64 = json_string_value(json_object_get(o, "der"));

		if (b64 != NULL && base64_to(slice_str(b64), &der, e) != ERR_OK)
			return err_wrap(e, "answer of %s", url);
		if (pile_add(q->pile, json_string_value(json_object_get(o, "kind")), b64 != NULL ? buf_slice(&der) : body, url,
			archive_now(q->a), e) != ERR_OK)
			return err_wrap(e, "answer of %s", url);
	}
	if (pile_count(q->pile) != before)
		q->added = true;
	return ERR_OK;
}

/* A responder that does not know what its CA issued, and one that does. asked: just now, and not taken from memory. */
static enum err_code
learn(struct asking *q, const char *class, const char *type, const char *why, bool asked, struct err *e)
{
	const char *issuer = json_string_value(json_object_get(q->want, "issuer_sha256"));
	const char *cert = json_string_value(json_object_get(q->want, "cert"));
	bool denies = class != NULL && (strcmp(class, "unknown") == 0 || strcmp(class, "unauthorised") == 0);
	bool knows = class != NULL && (strcmp(class, "good") == 0 || strcmp(class, "revoked") == 0 || strcmp(class, "hold") == 0);
	json_t **said = denies ? &q->g->denied : &q->g->vouched;

	if ((!denies && !(knows && asked && strcmp(type, "ocsp") == 0)) || issuer == NULL)
		return ERR_OK;
	if (*said == NULL && (*said = json_object()) == NULL)
		return err_nomem(e);
	return json_set(*said, issuer, denies ? json_pack("{s:s, s:o}", "cert", cert != NULL ? cert : "", "why", json_text(why != NULL ? why : class)) : json_true(), e);
}

/* What the answer is, as the cage sees it. *used: the want is served. */
static enum err_code
look_at(struct asking *q, const char *type, const char *url, struct slice body, bool tell, struct err *e)
{
	AUTO(json) json_t *answer = NULL;
	const char *class = NULL, *why = NULL, *subject = json_string_value(json_object_get(q->want, "subject"));
	char service[200];
	struct slice packed;

	if (pile_packed(q->pile, &packed, e) != ERR_OK ||
	    caged_answer(q->a->caged, q->want, type, body, packed, archive_now(q->a), &answer, e) != ERR_OK)
		return err_wrap(e, "%s", url);
	class = json_string_value(json_object_get(answer, "class"));
	why = json_string_value(json_object_get(answer, "why"));
	service_of(url, types[type_of(type)].kind, service, sizeof(service));
	if (tell)
		service_told(q->a, service, types[type_of(type)].kind, service_class(class), why != NULL ? why : "bad answer", -1);
	if (learn(q, class, type, why, tell, e) != ERR_OK)
		return err_wrap(e, "%s", url);
	if (class == NULL || (strcmp(class, "good") != 0 && strcmp(class, "revoked") != 0 && strcmp(class, "hold") != 0)) {
		snprintf(q->g->why, sizeof(q->g->why), "%.60s for %.80s: %.120s", types[type_of(type)].kind, subject != NULL ? subject : "?",
		    why != NULL ? why : "bad answer");
		return ERR_OK;
	}
	q->fresh = json_is_true(json_object_get(answer, "fresh"));
	if (!q->fresh)
		snprintf(q->g->why, sizeof(q->g->why), "%.60s for %.80s is older than wanted: %.100s", types[type_of(type)].kind,
		    subject != NULL ? subject : "?", why != NULL ? why : "");
	return take_objects(q, answer, body, url, e);
}

static enum err_code
ask_url(struct asking *q, const json_t *request, struct err *e)
{
	AUTO(fetch_answer) struct fetch_answer got = {0};
	AUTO(buf) struct buf body = {0}, key = {0};
	const char *type = json_string_value(json_object_get(request, "type"));
	const char *url = json_string_value(json_object_get(request, "url"));
	const char *b64 = json_string_value(json_object_get(request, "body"));
	const char *cert = json_string_value(json_object_get(q->want, "cert"));
	struct fetch_request req = {.type = types[type_of(type)].type, .method = json_string_value(json_object_get(request, "method")), .url = url};
	struct cached *old = NULL;
	char service[200];

	if (url == NULL || type == NULL || req.method == NULL)
		return err_set(e, ERR_BUG, "a want without URL");
	buf_addf(&key, "%s %s", url, req.type == FETCH_OCSP && cert != NULL ? cert : "");
	old = cache_find(q->a, buf_str(&key));
	if (old != NULL) {
		if (look_at(q, type, url, buf_slice(&old->body), false, e) != ERR_OK)
			return err_wrap(e, "cache");
		if (q->fresh || old->got == archive_now(q->a))
			return ERR_OK;
	}
	service_of(url, types[type_of(type)].kind, service, sizeof(service));
	if (!service_open(q->a, service, &q->g->retry_utc))
		return ERR_OK;
	if (b64 != NULL && base64_to(slice_str(b64), &body, e) != ERR_OK)
		return err_wrap(e, "want");
	req.body = buf_slice(&body);
	if (fetch(q->a->fetcher, &req, &got, e) != ERR_OK)
		return err_wrap(e, "%s", url);
	if (got.class != FETCH_OK) {
		/* What one URL lacks, or one method, says nothing of the server's others: a GET follows a POST that is not taken. */
		if (got.class != FETCH_ALTERNATE && !(got.class == FETCH_CONFIG && got.http_status / 100 == 4))
			service_told(q->a, service, types[type_of(type)].kind, got.class, got.why, got.retry_after_seconds);
		snprintf(q->g->why, sizeof(q->g->why), "%.60s %.180s", types[type_of(type)].kind, got.why);
		return ERR_OK;
	}
	cache_keep(q->a, buf_str(&key), buf_slice(&got.body));
	return look_at(q, type, url, buf_slice(&got.body), true, e);
}

static enum err_code
serve_want(struct asking *q, struct err *e)
{
	const json_t *request = NULL;
	size_t i;

	bool crl, first;
	int pass;

	q->fresh = false;
	/* OCSP before CRLs, or the other way round where the profile says so. */
	for (pass = 0; pass < 2; pass++) {
		json_array_foreach (json_object_get(q->want, "requests"), i, request) {
			crl = strcmp(json_string_value(json_object_get(request, "type")) != NULL ? json_string_value(json_object_get(request, "type")) : "", "crl") == 0;
			first = crl == q->a->crl_first;
			if (first != (pass == 0))
				continue;
			if (ask_url(q, request, e) != ERR_OK)
				return err_wrap(e, "want");
			if (q->fresh || archive_stopping(q->a))
				return ERR_OK;
		}
	}
	return ERR_OK;
}

/*
 * Revocation data is fetched for chains that reach an anchor only (7: no proxy for strangers). A missing issuer is
 * what may lead to the anchor, so it is asked for first.
 */
static bool
may_fetch(const json_t *want)
{
	const char *kind = json_string_value(json_object_get(want, "kind"));

	return json_is_true(json_object_get(want, "anchored")) || (kind != NULL && strcmp(kind, "issuer") == 0);
}

enum err_code
serve_wants(struct archive *a, const json_t *wants, const char *only, struct pile *pile, struct gathered *g, bool *added, struct err *e)
{
	struct asking q = {.a = a, .pile = pile, .g = g};
	const json_t *want = NULL;
	size_t i;

	*added = false;
	json_array_foreach (wants, i, want) {
		const char *kind = json_string_value(json_object_get(want, "kind"));

		if (kind == NULL || !may_fetch(want) || (only != NULL && strcmp(only, kind) != 0))
			continue;
		q.want = want;
		q.added = false;
		if (serve_want(&q, e) != ERR_OK)
			return err_wrap(e, "gather");
		*added |= q.added;
		if (json_array_size(json_object_get(want, "requests")) == 0 && g->why[0] == '\0')
			snprintf(g->why, sizeof(g->why), "%.100s names no place to ask for %.40s",
			    json_string_value(json_object_get(want, "subject")) != NULL ? json_string_value(json_object_get(want, "subject")) : "a certificate",
			    json_string_value(json_object_get(want, "kind")) != NULL ? json_string_value(json_object_get(want, "kind")) : "it");
	}
	return ERR_OK;
}

void
gathered_auto(struct gathered *g)
{
	json_decref(g->judge);
	json_decref(g->denied);
	json_decref(g->vouched);
	*g = (struct gathered){0};
}

static bool
still_wanted(const json_t *wants)
{
	const json_t *w = NULL;
	size_t i;

	json_array_foreach (wants, i, w) {
		const char *kind = json_string_value(json_object_get(w, "kind"));

		if (kind != NULL && strcmp(kind, "file") != 0)
			return true;
	}
	return false;
}

/* What the rounds ask for: a verdict on a document, or the closure of a token by itself (the material job, design 8). */
struct question {
	const struct caged_doc *doc; /* NULL: of the token */
	struct slice token;
	int64_t since; /* grace of the document's stamps, or what the token's data must be newer than */
};

static enum err_code
ask_cage(struct archive *a, const struct question *q, struct slice material, struct gathered *out, struct err *e)
{
	uint8_t noise[32];
	struct slice seed = slice_of(noise, sizeof(noise));
	const json_t *closure = NULL;
	bool complete;

	json_decref(out->judge);
	out->judge = NULL;
	if (entropy_fill(&a->seams.entropy, noise, sizeof(noise), e) != ERR_OK)
		return err_wrap(e, "seed");
	if (q->doc != NULL) {
		if (caged_judge(a->caged, q->doc, material, archive_now(a), q->since, seed, &out->judge, e) != ERR_OK)
			return err_wrap(e, "judge");
		out->complete = !still_wanted(json_object_get(out->judge, "wants"));
		return ERR_OK;
	}
	if (caged_tsa_material(a->caged, q->token, material, archive_now(a), q->since, seed, &out->judge, e) != ERR_OK)
		return err_wrap(e, "token");
	closure = json_object_get(out->judge, "closure");
	complete = json_is_true(json_object_get(closure, "complete"));
	out->complete = complete && json_is_true(json_object_get(closure, "fresh"));
	out->enough = complete && json_is_true(json_object_get(closure, "enough"));
	return ERR_OK;
}

static enum err_code
rounds(struct archive *a, const struct question *q, bool network, struct pile *pile, struct gathered *out, struct err *e)
{
	struct slice packed;
	bool added = true;
	int round;

	*out = (struct gathered){.retry_utc = TIME_NONE};
	for (round = 0; round < ROUNDS; round++) {
		if (pile_packed(pile, &packed, e) != ERR_OK || ask_cage(a, q, packed, out, e) != ERR_OK)
			return err_wrap(e, "gather");
		if (out->complete || !network || !added || archive_stopping(a))
			return ERR_OK;
		if (serve_wants(a, json_object_get(out->judge, "wants"), NULL, pile, out, &added, e) != ERR_OK)
			return err_wrap(e, "gather");
	}
	return ERR_OK;
}

enum err_code
gather(struct archive *a, const struct caged_doc *doc, struct pile *pile, int64_t grace_seconds, bool network,
    struct gathered *out, struct err *e)
{
	const struct question q = {.doc = doc, .since = grace_seconds};

	return rounds(a, &q, network, pile, out, e);
}

enum err_code
gather_token(struct archive *a, struct slice token, int64_t newer_than, struct pile *pile, struct gathered *out, struct err *e)
{
	const struct question q = {.token = token, .since = newer_than};
	bool before = a->crl_first;
	enum err_code r;

	a->crl_first = true;
	r = rounds(a, &q, true, pile, out, e);
	a->crl_first = before;
	return r;
}
