/* SPDX-License-Identifier: MIT */
/* What a TSA sent, before it is written into anything (tsp-ocsp-crl 3.2, 3.3, 11), and a token's own material. */
#include "archiver/caged_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_BYTES_MAX (1u << 20)
/* Different TSAs' clocks: so far apart a stamp may be from its predecessor and be asked for again. */
#define EARLY_SECONDS_MAX 60

/* What the answer becomes: the first check that fails names it. */
struct finding_out {
	const char *class;
	char why[300];
};

static bool say(struct finding_out *f, const char *class, const char *fmt, ...) PRINTF(3, 4);

/* Always false, so that a check can be written as return say(...). */
static bool
say(struct finding_out *f, const char *class, const char *fmt, ...)
{
	va_list ap;
	f->class = class;
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
	return false;
}

struct received {
	struct token_expect want;
	char policy[80];
	int64_t time_utc;
	struct slice token; /* borrowed from the response */
	const struct token *tok;
	struct token_signer signer;
	struct report *report; /* of verify_token */
	const struct report_stamp *stamp;
	struct pool pool;
};

static void
received_auto(struct received *r)
{
	report_free(r->report);
	pool_release(&r->pool);
}

static enum err_code
expect_read(const json_t *head, struct slice nonce, struct received *r, struct err *e)
{
	const char *imprint, *policy;
	if (json_need_str(head, "imprint", &imprint, e) != ERR_OK ||
	    json_want_str(head, "policy", NULL, &policy, e) != ERR_OK ||
	    json_need_int(head, "time", &r->time_utc, e) != ERR_OK ||
	    json_need_int(head, "sent", &r->want.sent_utc, e) != ERR_OK ||
	    json_need_int(head, "received", &r->want.received_utc, e) != ERR_OK ||
	    json_need_int(head, "tolerance", &r->want.tolerance_seconds, e) != ERR_OK ||
	    json_want_time(head, "not_before", &r->want.not_before_utc, e) != ERR_OK ||
	    json_need_int(head, "min_life", &r->want.min_life_seconds, e) != ERR_OK)
		return err_wrap(e, "token");
	if (!digest_parse(imprint, &r->want.imprint))
		return err_set(e, ERR_USAGE, "imprint %s", imprint);
	if (policy != NULL) {
		snprintf(r->policy, sizeof(r->policy), "%s", policy);
		r->want.policy_oid = r->policy;
	}
	r->want.nonce = nonce;
	return ERR_OK;
}

/* ---- the response ---- */

static bool
rejected(int status, int fail_info, struct finding_out *f)
{
	static const struct {
		int bit;
		const char *class, *name;
	} rows[] = {{0, "config", "badAlg"}, {2, "config", "badRequest"}, {5, "config", "badDataFormat"},
	    {14, "retry", "timeNotAvailable"}, {15, "config", "unacceptedPolicy"}, {16, "config", "unacceptedExtension"},
	    {17, "config", "addInfoNotAvailable"}, {25, "retry", "systemFailure"}};
	if (status == 3)
		return say(f, "retry", "the TSA says: waiting");
	if (status == 4 || status == 5)
		return say(f, "alarm", "the TSA says: revocation %s", status == 4 ? "warning" : "notification");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].bit == fail_info)
			return say(f, rows[i].class, "the TSA rejects: %s", rows[i].name);
	return say(f, "refused", "the TSA rejects, status %d", status);
}

static bool
response_open(struct slice response, struct pki *pki, struct received *r, struct finding_out *f)
{
	struct err why = {0};
	int status = -1, fail_info = -1;
	if (response.n > TOKEN_BYTES_MAX)
		return say(f, "refused", "a response of %zu octets", response.n);
	switch (tsp_response(response, &r->token, &status, &fail_info, &why)) {
	case ERR_OK:
		break;
	case ERR_REMOTE:
		return rejected(status, fail_info, f);
	default:
		return say(f, "refused", "%s", why.text);
	}
	if (pki_token(pki, r->token, &r->tok, &why) != ERR_OK)
		return say(f, "refused", "%s", why.text);
	return true;
}

/* ---- what it says ---- */

/* INTEGER contents as values: leading zeros do not count. */
static bool
same_integer(struct slice a, struct slice b)
{
	while (a.n > 0 && a.p[0] == 0)
		a = slice_of(a.p + 1, a.n - 1);
	while (b.n > 0 && b.p[0] == 0)
		b = slice_of(b.p + 1, b.n - 1);
	return slice_eq(a, b);
}

static bool
says_what_was_asked(const struct received *r, struct finding_out *f)
{
	const struct token *t = r->tok;
	if (!digest_eq(&t->imprint, &r->want.imprint))
		return say(f, "refused", "another imprint than the one that was sent");
	if (!same_integer(t->nonce, r->want.nonce))
		return say(f, "refused", "another nonce than the one that was sent");
	if (r->want.policy_oid != NULL && strcmp(t->policy_oid, r->want.policy_oid) != 0)
		return say(f, "refused", "policy %s, asked was %s", t->policy_oid, r->want.policy_oid);
	if (t->signer_infos != 1)
		return say(f, "refused", "%zu signers", t->signer_infos);
	if (t->unknown_critical)
		return say(f, "refused", "a critical extension that is not known");
	if (t->bad_time_form)
		return say(f, "refused", "genTime is not in the form of RFC 3161");
	if (t->n_certs == 0)
		return say(f, "refused", "no certificate, though one was asked for");
	return true;
}

static bool
time_fits(const struct received *r, struct finding_out *f)
{
	char text[TIME_TEXT];
	int64_t t = r->tok->gen_time, tol = r->want.tolerance_seconds;
	time_text(t, text);
	if (t < r->want.sent_utc - tol || t > r->want.received_utc + tol)
		return say(f, "alarm", "genTime %s is more than %lld s from our clock", text, (long long)tol);
	if (r->want.not_before_utc == TIME_NONE || t >= r->want.not_before_utc)
		return true;
	/* Never a stamp older than its predecessor; RFC 3161 times have whole seconds and clocks differ. */
	bool near = r->want.not_before_utc - t <= EARLY_SECONDS_MAX;
	return say(f, near ? "early" : "alarm", "genTime %s is older than the stamp before", text);
}

/* ---- who signed it ---- */

static bool
signer_fits(const struct received *r, struct finding_out *f)
{
	static const char *const problems[] = {"", "its signer's certificate is not there", "its content was changed",
	    "its signature is wrong", "its structure is wrong"};
	const struct cert *c = r->signer.cert;
	if (r->signer.problem != TOKEN_OK || c == NULL)
		return say(f, "refused", "%s", problems[r->signer.problem]);
	if (!r->signer.ess_match)
		return say(f, "refused", "it does not name its signer's certificate (RFC 5816)");
	if (!c->has_eku || !c->eku_critical || c->eku != EKU_TIMESTAMPING || c->eku_count != 1)
		return say(f, "refused", "the TSA's certificate is not for time-stamping alone (RFC 3161 2.3)");
	if (r->tok->gen_time < c->not_before || r->tok->gen_time > c->not_after)
		return say(f, "refused", "genTime lies outside the TSA certificate's validity");
	return true;
}

static bool
known_revoked(struct received *r, const struct chain *chain, const struct cert **which)
{
	for (size_t i = 0; i + 1 < chain->n; i++) {
		AUTO(mem) struct rev_answer *v = NULL;
		size_t n = 0;
		if (pool_answers(&r->pool, chain->v[i], chain->v[i + 1], &v, &n, NULL) != ERR_OK)
			continue;
		for (size_t k = 0; k < n; k++)
			if (v[k].status == REV_REVOKED && v[k].problem == NULL && v[k].signer != NULL) {
				*which = chain->v[i];
				return true;
			}
	}
	return false;
}

static bool
chain_fits(struct received *r, const struct anchors *anchors, struct finding_out *f)
{
	AUTO(mem) struct chain *chains = NULL;
	const struct cert *revoked = NULL;
	size_t n = 0;
	if (pool_chains(&r->pool, r->signer.cert, anchors, ROLE_TSA, &chains, &n, NULL, NULL) != ERR_OK || n == 0)
		return say(f, "config", "the TSA's certificate leads to no anchor of role tsa");
	for (size_t i = 0; i < n; i++) {
		size_t where = 0;
		if (chain_fault(&chains[i], &where) != PATH_OK)
			continue;
		if (known_revoked(r, &chains[i], &revoked))
			return say(f, "alarm", "revoked: %s", revoked->subject_text);
		return true;
	}
	return say(f, "refused", "no path to an anchor keeps the rules of RFC 5280");
}

/* ---- its life ---- */

static void
class_end(const struct catalogue *c, const struct report_stamp *s, struct deadline *out)
{
	struct class_facts f;
	caged_facts(s, &f);
	deadline_compute(&f, c, TIME_MAX, NULL, out);
}

static bool
life_fits(const struct received *r, const struct deadline *end, struct finding_out *f)
{
	if (end->utc <= r->time_utc)
		return say(f, "refused", "its protection has ended: %s", end->why);
	if (r->want.min_life_seconds > 0 && end->utc - r->want.min_life_seconds < r->time_utc)
		return say(f, "short", "its protection ends soon: %s", end->why);
	return true;
}

/* ---- the answer ---- */

static enum err_code
token_judged(struct caged_state *st, const struct material *material, struct received *r, struct err *e)
{
	struct verify_input in = {.name = "token",
	    .material = material,
	    .anchors = st->setup.anchors,
	    .policy = st->setup.policy,
	    .time_utc = r->time_utc,
	    .want_material = true};
	if (verify_token(st->v, &in, r->token, r->tok->gen_time, &r->report, e) != ERR_OK)
		return err_wrap(e, "token");
	if (r->report->n_sigs != 1 || r->report->sigs[0].n_stamps != 1)
		return err_set(e, ERR_BUG, "a token's report without its stamp");
	r->stamp = &r->report->sigs[0].stamps[0];
	return ERR_OK;
}

static enum err_code
certs_json(const struct token *t, json_t *j, struct err *e)
{
	json_t *list = json_array();
	if (json_set(j, "certs", list, e) != ERR_OK)
		return err_wrap(e, "token");
	for (size_t i = 0; i < t->n_certs; i++)
		if (json_push(list, caged_base64(t->certs[i]->der), e) != ERR_OK)
			return err_wrap(e, "token");
	return ERR_OK;
}

static enum err_code
token_json(const struct received *r, struct pki *pki, int64_t end, json_t *j, struct err *e)
{
	json_t *facts = NULL, *wants = NULL;
	const struct cert *c = r->signer.cert;
	if (json_set(j, "token", caged_base64(r->token), e) != ERR_OK ||
	    json_set(j, "sha256", json_hex(slice_of(r->tok->sha256, 32)), e) != ERR_OK ||
	    json_set(j, "gen_time", json_time(r->tok->gen_time), e) != ERR_OK ||
	    json_set(j, "tsa_sha256", json_hex(slice_of(c->sha256, 32)), e) != ERR_OK ||
	    json_set(j, "tsa_subject", json_text(c->subject_text), e) != ERR_OK ||
	    json_set(j, "tsa_not_after", json_time(c->not_after), e) != ERR_OK ||
	    json_set(j, "deadline", json_time(end), e) != ERR_OK ||
	    caged_facts_json(r->stamp, &facts, e) != ERR_OK || json_set(j, "class_facts", facts, e) != ERR_OK ||
	    caged_wants_json(pki, r->report, slice_of(NULL, 0), &wants, e) != ERR_OK ||
	    json_set(j, "wants", wants, e) != ERR_OK)
		return err_wrap(e, "token");
	return certs_json(r->tok, j, e);
}

static enum err_code
pool_fill(struct received *r, const struct material *m, struct err *e)
{
	enum material_kind kind;
	struct slice der;
	if (pool_add_token(&r->pool, r->tok, e) != ERR_OK)
		return err_wrap(e, "token");
	for (size_t i = 0; material_get(m, i, &kind, &der); i++) {
		const struct cert *c = NULL;
		const struct revocation *v = NULL;
		enum err_code rc = ERR_OK;
		if (kind == MAT_CERT && pki_cert(r->pool.pki, der, &c, NULL) == ERR_OK)
			rc = pool_add_cert(&r->pool, c, e);
		else if (kind == MAT_CRL && pki_crl(r->pool.pki, der, &v, NULL) == ERR_OK)
			rc = pool_add_rev(&r->pool, v, e);
		else if (kind == MAT_OCSP && pki_ocsp(r->pool.pki, der, &v, NULL) == ERR_OK)
			rc = pool_add_rev(&r->pool, v, e);
		if (rc != ERR_OK)
			return err_wrap(e, "material");
	}
	return ERR_OK;
}

/* The checks in the order in which their failures should be told. */
static enum err_code
check(struct caged_state *st, struct received *r, const struct material *material, struct finding_out *f, json_t *j,
    struct err *e)
{
	if (pool_fill(r, material, e) != ERR_OK || pool_token_signer(&r->pool, r->tok, &r->signer, e) != ERR_OK)
		return err_wrap(e, "token");
	if (!says_what_was_asked(r, f) || !signer_fits(r, f))
		return ERR_OK;
	if (token_judged(st, material, r, e) != ERR_OK)
		return err_wrap(e, "token");
	struct deadline end;
	class_end(st->setup.policy->catalogue, r->stamp, &end);
	if (token_json(r, verifier_pki(st->v), end.utc, j, e) != ERR_OK)
		return err_wrap(e, "token");
	if (chain_fits(r, st->setup.anchors, f) && time_fits(r, f) && life_fits(r, &end, f))
		say(f, "good", "%s", "");
	return ERR_OK;
}

enum err_code
caged_token_run(struct caged_state *st, const json_t *head, struct slice response, struct slice nonce,
    const struct material *material, json_t **out, struct err *e)
{
	__attribute__((cleanup(received_auto))) struct received r = {0};
	struct finding_out f = {.class = "refused"};
	AUTO(json) json_t *j = json_object();
	pool_init(&r.pool, verifier_pki(st->v));
	if (expect_read(head, nonce, &r, e) != ERR_OK)
		return err_wrap(e, "token");
	if (response_open(response, r.pool.pki, &r, &f) && check(st, &r, material, &f, j, e) != ERR_OK)
		return err_wrap(e, "token");
	if (json_set(j, "class", json_text(f.class), e) != ERR_OK || json_set(j, "why", json_text(f.why), e) != ERR_OK)
		return err_wrap(e, "token");
	*out = TAKE(j);
	return ERR_OK;
}

enum err_code
caged_tsa_material_run(struct caged_state *st, const json_t *head, struct slice token, struct slice entropy,
    const struct material *material, json_t **out, struct err *e)
{
	AUTO(report) struct report *r = NULL;
	AUTO(json) json_t *j = json_object();
	json_t *closure = NULL, *facts = NULL, *wants = NULL, *objects = json_object();
	struct verify_input in = {.name = "token", .material = material, .anchors = st->setup.anchors,
	    .policy = st->setup.policy, .want_material = true};
	int64_t newer_than;
	if (json_set(j, "objects", objects, e) != ERR_OK || json_need_int(head, "time", &in.time_utc, e) != ERR_OK ||
	    json_want_time(head, "newer_than", &newer_than, e) != ERR_OK ||
	    verify_token(st->v, &in, token, newer_than, &r, e) != ERR_OK)
		return err_wrap(e, "TSA material");
	if (r->n_sigs != 1 || r->sigs[0].n_stamps != 1)
		return err_set(e, ERR_BUG, "a token's report without its stamp");
	const struct report_stamp *s = &r->sigs[0].stamps[0];
	if (caged_closure_json(&s->closure, &closure, e) != ERR_OK || json_set(j, "closure", closure, e) != ERR_OK ||
	    caged_facts_json(s, &facts, e) != ERR_OK || json_set(j, "class", facts, e) != ERR_OK ||
	    caged_wants_json(verifier_pki(st->v), r, entropy, &wants, e) != ERR_OK ||
	    json_set(j, "wants", wants, e) != ERR_OK ||
	    json_set(j, "tsa_sha256", s->tsa_subject != NULL ? json_hex(slice_of(s->tsa_sha256, 32)) : json_null(), e) !=
		ERR_OK ||
	    json_set(j, "tsa_subject", json_text(s->tsa_subject), e) != ERR_OK ||
	    json_set(j, "tsa_not_after", json_time(s->tsa_not_after), e) != ERR_OK ||
	    json_set(j, "gen_time", json_time(s->time_utc), e) != ERR_OK ||
	    caged_objects_json(&s->closure, true, objects, e) != ERR_OK)
		return err_wrap(e, "TSA material");
	*out = TAKE(j);
	return ERR_OK;
}
