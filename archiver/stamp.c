/* SPDX-License-Identifier: MIT */
/* One token: which TSA, the exchange, the checks of a created stamp, fail-over also on bad answers. */
#include "archiver/archiver_int.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define NONCE_OCTETS 16
#define ISSUERS_MAX 64

void
stamp_got_auto(struct stamp_got *s)
{
	json_decref(s->token);
	s->token = NULL;
}

static enum err_code
make_nonce(struct archive *a, uint8_t nonce[NONCE_OCTETS], struct err *e)
{
	if (entropy_fill(&a->seams.entropy, nonce, NONCE_OCTETS, e) != ERR_OK)
		return err_wrap(e, "nonce");
	nonce[0] = (nonce[0] & 0x7f) | 1; /* positive and not zero: an INTEGER of full length */
	return ERR_OK;
}

static enum err_code
exchange(struct archive *a, const struct conf_tsa *tsa, const struct digest *imprint, struct slice nonce,
    struct fetch_answer *answer, struct err *e)
{
	AUTO(buf) struct buf query = {0};
	struct fetch_request req = {.type = FETCH_TSP, .method = "POST", .url = tsa->url, .user = tsa->user,
	    .password = tsa->password, .header_file = tsa->header_file, .client_cert = tsa->client_cert, .client_key = tsa->client_key,
	    .ca_file = tsa->ca_file, .configured = true};

	if (caged_tsp_request(imprint, nonce, tsa->policy_oid, &query, e) != ERR_OK)
		return err_wrap(e, "TSA %s", tsa->name);
	req.body = buf_slice(&query);
	return fetch(a->fetcher, &req, answer, e);
}

static enum fetch_class
class_of(const char *word)
{
	static const struct {
		const char *word;
		enum fetch_class class;
	} rows[] = {{"good", FETCH_OK}, {"early", FETCH_OK}, {"retry", FETCH_RETRY}, {"config", FETCH_CONFIG}, {"short", FETCH_ALTERNATE}};
	size_t i;

	for (i = 0; word != NULL && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].class;
	return FETCH_REFUSED;
}

/* A token may carry the TSA's certificate alone: what stands above it is asked for by AIA, then the token is looked at again. */
static enum err_code
check_token(struct archive *a, struct slice response, const struct token_expect *want, json_t **out, struct err *e)
{
	AUTO(gathered) struct gathered g = {.retry_utc = TIME_NONE};
	struct slice packed;
	bool added = true;
	int round;

	/* They are few; a server that sends another one each time must not fill our memory. */
	if (pile_count(a->tsa_issuers) > ISSUERS_MAX) {
		pile_auto(&a->tsa_issuers);
		if (pile_new(&a->tsa_issuers, e) != ERR_OK)
			return err_wrap(e, "token");
	}
	for (round = 0; round < 4 && added; round++) {
		json_decref(*out);
		*out = NULL;
		if (pile_packed(a->tsa_issuers, &packed, e) != ERR_OK ||
		    caged_token(a->caged, response, want, packed, archive_now(a), out, e) != ERR_OK)
			return err_wrap(e, "token");
		if (json_object_get(*out, "wants") == NULL)
			return ERR_OK;
		if (serve_wants(a, json_object_get(*out, "wants"), "issuer", a->tsa_issuers, &g, &added, e) != ERR_OK)
			return err_wrap(e, "token");
	}
	return ERR_OK;
}

/* One TSA once. out->got, or out->why. ERR_BUSY: its clock is behind what the stamp must follow, ask once more. */
static enum err_code
ask(struct archive *a, const struct conf_tsa *tsa, const struct digest *imprint, int64_t not_before, struct stamp_got *out,
    struct err *e)
{
	AUTO(fetch_answer) struct fetch_answer answer = {0};
	AUTO(json) json_t *checked = NULL;
	struct token_expect want = {.imprint = *imprint, .policy_oid = tsa->policy_oid, .tolerance_seconds = CLOCK_TOLERANCE_S,
	    .not_before_utc = not_before, .min_life_seconds = a->cfg->renewal.min_token_life_seconds};
	uint8_t nonce[NONCE_OCTETS];
	const char *class = NULL, *why = NULL;
	int64_t time = TIME_NONE;

	if (make_nonce(a, nonce, e) != ERR_OK)
		return err_wrap(e, "TSA %s", tsa->name);
	want.nonce = slice_of(nonce, sizeof(nonce));
	want.sent_utc = archive_now(a);
	if (exchange(a, tsa, imprint, want.nonce, &answer, e) != ERR_OK)
		return err_wrap(e, "TSA %s", tsa->name);
	if (answer.class != FETCH_OK) {
		service_told(a, tsa->name, "TSA", answer.class, answer.why, answer.retry_after_seconds);
		snprintf(out->why, sizeof(out->why), "TSA %.60s: %.180s", tsa->name, answer.why);
		return ERR_OK;
	}
	want.received_utc = archive_now(a);
	if (check_token(a, buf_slice(&answer.body), &want, &checked, e) != ERR_OK)
		return err_wrap(e, "TSA %s", tsa->name);
	class = json_string_value(json_object_get(checked, "class"));
	why = json_string_value(json_object_get(checked, "why"));
	if (json_object_get(checked, "gen_time") != NULL && json_want_time(checked, "gen_time", &time, NULL) == ERR_OK && time != TIME_NONE)
		clock_told(a, tsa->name, time - want.received_utc);
	service_told(a, tsa->name, "TSA", class_of(class), why != NULL ? why : "bad answer", -1);
	snprintf(out->why, sizeof(out->why), "TSA %.60s: %.180s", tsa->name, why != NULL ? why : "bad answer");
	if (class != NULL && strcmp(class, "early") == 0)
		return err_set(e, ERR_BUSY, "%s", out->why);
	if (class != NULL && strcmp(class, "alarm") == 0)
		archive_alarm(a, "%s", out->why);
	if (class == NULL || strcmp(class, "good") != 0)
		return ERR_OK;
	out->got = true;
	out->token = TAKE(checked);
	return json_set(out->token, "tsa", json_text(tsa->name), e);
}

static bool
avoided(const json_t *avoid, const char *name)
{
	const json_t *n = NULL;
	size_t i;

	json_array_foreach (avoid, i, n)
		if (strcmp(json_string_value(n), name) == 0)
			return true;
	return false;
}

bool
stamp_possible(struct archive *a, const struct conf_profile *profile, char why[300])
{
	int64_t retry = TIME_NONE;
	size_t i;

	if (clock_wrong(a, why))
		return false;
	for (i = 0; i < profile->tsa.n; i++) {
		const struct conf_tsa *tsa = config_tsa(a->cfg, profile->tsa.v[i]);

		if (tsa != NULL && service_open(a, tsa->name, &retry) && service_budget(a, tsa->name, tsa->budget_per_day, false))
			return true;
	}
	snprintf(why, 300, "every TSA failed before or has used up today's budget (see status)");
	return false;
}

enum err_code
stamp_get(struct archive *a, const struct conf_profile *profile, const struct digest *imprint, int64_t not_before_utc,
    const json_t *avoid, struct stamp_got *out, struct err *e)
{
	char why[300] = "";
	enum err_code r;
	size_t i;

	*out = (struct stamp_got){.retry_utc = TIME_NONE};
	if (clock_wrong(a, why)) {
		snprintf(out->why, sizeof(out->why), "no stamp by a wrong clock: %.225s", why);
		out->retry_utc = archive_now(a) + 300;
		return ERR_OK;
	}
	snprintf(out->why, sizeof(out->why), "no TSA is left to ask");
	for (i = 0; i < profile->tsa.n && !out->got; i++) {
		const struct conf_tsa *tsa = config_tsa(a->cfg, profile->tsa.v[i]);

		if (tsa == NULL || avoided(avoid, tsa->name))
			continue;
		if (!service_open(a, tsa->name, &out->retry_utc)) {
			snprintf(out->why, sizeof(out->why), "TSA %.60s: failed before, is asked again later (see status)", tsa->name);
			continue;
		}
		if (!service_budget(a, tsa->name, tsa->budget_per_day, true)) {
			snprintf(out->why, sizeof(out->why), "TSA %s: today's budget is used up", tsa->name);
			continue;
		}
		r = ask(a, tsa, imprint, not_before_utc, out, e);
		/* Clocks differ by seconds and a token's time has whole ones: ask once more, then treat it as a fault. */
		if (r == ERR_BUSY && a->cfg->archive.clock_file == NULL)
			(void)poll(NULL, 0, 2000);
		if (r == ERR_BUSY)
			r = ask(a, tsa, imprint, not_before_utc, out, e);
		if (r == ERR_BUSY) {
			archive_alarm(a, "%s", out->why);
			continue;
		}
		if (r != ERR_OK)
			return r;
	}
	if (!out->got && out->retry_utc == TIME_NONE)
		out->retry_utc = archive_now(a) + 300;
	return ERR_OK;
}
