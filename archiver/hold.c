/* SPDX-License-Identifier: MIT */
/*
 * Holds of issuers. A responder that denies certificates of its own CA is
 * broken, or its CA is: then nothing that this CA issued to is completed. One
 * denied certificate proves neither, so an issuer is only watched until a
 * second one is denied, or the same one still is after a day (tsp-ocsp-crl
 * 4.2). A good answer of the responder ends it.
 *
 * Row "hold" <issuer's SHA-256>: { "since", "last": denial, "certs": [SHA-256, the first two], "why", "held": bool }
 */
#include "archiver/steps.h"

#include <string.h>

#define DAY INT64_C(86400)
#define CERTS 2

static enum err_code
load(struct batch *b, const char *issuer, json_t **row, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	enum err_code r = batch_get_row(b, "hold", slice_str(issuer), &text, e);

	if (r != ERR_OK)
		return r;
	return json_read(buf_slice(&text), NULL, row, e);
}

static bool
holds_text(const json_t *list, const char *text)
{
	const json_t *t = NULL;
	size_t i;

	json_array_foreach (list, i, t)
		if (json_is_string(t) && strcmp(json_string_value(t), text) == 0)
			return true;
	return false;
}

static enum err_code
add_cert(json_t *row, const char *cert, struct err *e)
{
	json_t *certs = json_object_get(row, "certs");

	if (!json_is_array(certs)) {
		certs = json_array();
		if (json_set(row, "certs", certs, e) != ERR_OK)
			return err_wrap(e, "issuer hold");
	}
	if (json_array_size(certs) >= CERTS || holds_text(certs, cert))
		return ERR_OK;
	return json_push(certs, json_text(cert), e);
}

static enum err_code
denied(struct walk *w, const char *issuer, const char *cert, const char *why, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	AUTO(buf) struct buf text = {0};
	int64_t since, now = archive_now(w->a);
	enum err_code r = load(w->b, issuer, &row, e);
	struct slice value;

	if (r == ERR_NOTFOUND)
		row = json_object();
	else if (r != ERR_OK)
		return err_wrap(e, "issuer hold");
	since = sig_time(row, "since");
	if (since == TIME_NONE || since > now)
		since = now;
	if (add_cert(row, cert, e) != ERR_OK)
		return err_wrap(e, "issuer hold");
	if (!json_is_true(json_object_get(row, "held")) && (json_array_size(json_object_get(row, "certs")) >= CERTS || now - since >= DAY)) {
		archive_alarm(w->a, "issuer %s is on hold: %s", issuer, why);
		if (json_set(row, "held", json_true(), e) != ERR_OK)
			return err_wrap(e, "issuer hold");
	}
	if (json_set(row, "since", json_time(since), e) != ERR_OK || json_set(row, "last", json_time(now), e) != ERR_OK ||
	    json_set(row, "why", json_text(why), e) != ERR_OK || json_canonical(row, &text, e) != ERR_OK)
		return err_wrap(e, "issuer hold");
	value = buf_slice(&text);
	return batch_row(w->b, "hold", slice_str(issuer), &value, e);
}

static enum err_code
vouched(struct walk *w, const char *issuer, struct err *e)
{
	AUTO(json) json_t *row = NULL;
	enum err_code r = load(w->b, issuer, &row, e);

	if (r == ERR_NOTFOUND)
		return ERR_OK;
	if (r != ERR_OK)
		return err_wrap(e, "issuer hold");
	if (json_is_true(json_object_get(row, "held")))
		log_line(w->a->seams.log, LOG_LEVEL_INFO, "issuer %s: its responder gives good answers, the hold ends", issuer);
	return batch_row(w->b, "hold", slice_str(issuer), NULL, e);
}

enum err_code
hold_denied(struct walk *w, const struct gathered *g, struct err *e)
{
	const json_t *value = NULL;
	const char *key = NULL;

	json_object_foreach ((json_t *)(uintptr_t)g->denied, key, value)
		if (denied(w, key, sig_str(value, "cert"), sig_str(value, "why"), e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* What was denied and what was answered well at the same time counts as denied. */
enum err_code
hold_vouched(struct walk *w, const struct gathered *g, struct err *e)
{
	const json_t *value = NULL;
	const char *key = NULL;

	json_object_foreach ((json_t *)(uintptr_t)g->vouched, key, value)
		if (json_object_get(g->denied, key) == NULL && vouched(w, key, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

enum err_code
hold_of(struct walk *w, const json_t *closure, bool *held, struct err *e)
{
	const json_t *o = NULL;
	size_t i;

	*held = false;
	json_array_foreach (json_object_get(closure, "objects"), i, o) {
		AUTO(json) json_t *row = NULL;
		enum err_code r;

		if (!sig_is(o, "kind", "cert"))
			continue;
		r = load(w->b, sig_str(o, "sha256"), &row, e);
		if (r == ERR_NOTFOUND)
			continue;
		if (r != ERR_OK)
			return err_wrap(e, "issuer hold");
		*held |= json_is_true(json_object_get(row, "held"));
	}
	return ERR_OK;
}
