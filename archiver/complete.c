/* SPDX-License-Identifier: MIT */
/* From the grace period to the archive time-stamp, and the trailing validation data of the newest stamp. */
#include "archiver/steps.h"

#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)
#define SOUGHT_S (30 * DAY)

/* ---- objects of closures ---- */

static bool
listed(const json_t *list, const char *sha256)
{
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (list, i, o)
		if (strcmp(sha256, sig_str(o, "sha256")) == 0)
			return true;
	return false;
}

/* Add { kind, sha256 } of a closure; missing_only: leave out what stands in the document already. */
static enum err_code
closure_into(json_t *list, const json_t *closure, bool missing_only, struct err *e)
{
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (json_object_get(closure, "objects"), i, o) {
		AUTO(json) json_t *entry = json_object();

		if (listed(list, sig_str(o, "sha256")) || (missing_only && json_is_true(json_object_get(o, "embedded"))))
			continue;
		if (json_set(entry, "kind", json_incref(json_object_get(o, "kind")), e) != ERR_OK ||
		    json_set(entry, "sha256", json_incref(json_object_get(o, "sha256")), e) != ERR_OK ||
		    json_set(entry, "role", json_incref(json_object_get(o, "role")), e) != ERR_OK ||
		    json_push(list, TAKE(entry), e) != ERR_OK)
			return err_wrap(e, "closure");
	}
	return ERR_OK;
}

static bool
complete(const json_t *closure, bool fresh)
{
	return json_is_true(json_object_get(closure, "complete")) && (!fresh || json_is_true(json_object_get(closure, "fresh")));
}

/* Is everything there that the signature, its counter-signatures and their stamps rest on? gap: what is not. */
static bool
ready(struct walk *w, const json_t *judge, const char **gap)
{
	const json_t *flows = json_object_get(judge, "signatures"), *f = NULL, *st = NULL;
	const json_t *reported = json_object_get(json_object_get(judge, "report"), "signatures");
	bool fresh = !json_is_true(json_object_get(w->s, "provisional"));
	size_t i, j;

	json_array_foreach (flows, i, f) {
		const json_t *parent = json_object_get(json_array_get(reported, i), "parent");
		bool mine = i == w->index || (json_is_integer(parent) && (size_t)json_integer_value(parent) == w->index);
		bool newest_wanted = true;

		if (!mine)
			continue;
		if (!complete(json_object_get(f, "closure"), fresh) && i == w->index) {
			*gap = sig_str(json_object_get(f, "closure"), "gap");
			return false;
		}
		json_array_foreach (json_object_get(f, "stamps"), j, st) {
			if (!complete(json_object_get(st, "closure"), fresh && newest_wanted) && i == w->index) {
				*gap = sig_str(json_object_get(st, "closure"), "gap");
				return false;
			}
		}
	}
	return true;
}

static enum err_code
collect(struct walk *w, const json_t *judge, bool stamps, bool missing_only, json_t *list, struct err *e)
{
	const json_t *flows = json_object_get(judge, "signatures"), *f = NULL, *st = NULL;
	const json_t *reported = json_object_get(json_object_get(judge, "report"), "signatures");
	size_t i, j;

	json_array_foreach (flows, i, f) {
		const json_t *parent = json_object_get(json_array_get(reported, i), "parent");

		if (i != w->index && !(json_is_integer(parent) && (size_t)json_integer_value(parent) == w->index))
			continue;
		if (!stamps && closure_into(list, json_object_get(f, "closure"), missing_only, e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
		if (!stamps)
			continue;
		json_array_foreach (json_object_get(f, "stamps"), j, st)
			if (closure_into(list, json_object_get(st, "closure"), missing_only, e) != ERR_OK)
				return err_wrap(e, "signature %zu", i);
	}
	return ERR_OK;
}

/* Just the digests: what caged_extend wants. */
static json_t *
names_of(const json_t *list)
{
	json_t *names = json_array();
	const json_t *o = NULL;
	size_t i;

	json_array_foreach (list, i, o)
		json_array_append(names, json_object_get(o, "sha256"));
	return names;
}

/* ---- waiting -> completing ---- */

/* Not complete: quarantine when the responder denies the certificate, else wait for the services. */
static enum err_code
not_yet(struct walk *w, const struct gathered *g, const char *gap, struct err *e)
{
	char why[400];

	snprintf(why, sizeof(why), "%.180s%s%.180s", g->why[0] != '\0' ? g->why : "", g->why[0] != '\0' && gap[0] != '\0' ? "; " : "", gap);
	/* A quarantine stays: that nobody answers now is no better news. */
	if (json_object_size(g->denied) == 0)
		return walk_later(w, g->retry_utc, why[0] != '\0' ? why : "material is not complete", e);
	if (!sig_is(w->s, "state", "quarantined"))
		archive_alarm(w->a, "record %s is in quarantine: %s", manifest_record(w->m), why);
	if (hold_denied(w, g, e) != ERR_OK)
		return err_wrap(e, "quarantine");
	if (walk_later(w, archive_now(w->a) + DAY, why, e) != ERR_OK)
		return err_wrap(e, "quarantine");
	return json_set(w->s, "state", json_text("quarantined"), e);
}

/* A verdict that no later material cures: kept as it is, said plainly. */
static bool
final_verdict(const json_t *s)
{
	static const char *const subs[] = {"REVOKED_NO_POE", "REVOKED_CA_NO_POE", "NO_CERTIFICATE_CHAIN_FOUND", "CHAIN_CONSTRAINTS_FAILURE",
	    "SIG_CONSTRAINTS_FAILURE", "CRYPTO_CONSTRAINTS_FAILURE", "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "NO_SIGNING_CERTIFICATE_FOUND"};
	size_t i;

	if (sig_is(s, "indication", "TOTAL-FAILED"))
		return true;
	for (i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (sig_is(s, "subindication", subs[i]))
			return true;
	return false;
}

/* The chain may still be found: a missing issuer has an address that did not answer, and not for long yet. */
static bool
issuer_sought(const struct walk *w, const json_t *judge)
{
	const json_t *want = NULL;
	int64_t since = sig_time(w->s, "trying_since");
	size_t i;

	if (!sig_is(w->s, "subindication", "NO_CERTIFICATE_CHAIN_FOUND") || (since != TIME_NONE && archive_now(w->a) - since > SOUGHT_S))
		return false;
	json_array_foreach (json_object_get(judge, "wants"), i, want)
		if (sig_is(want, "kind", "issuer") && !json_is_integer(json_object_get(want, "stamp")) &&
		    (size_t)json_integer_value(json_object_get(want, "signature")) == w->index &&
		    json_array_size(json_object_get(want, "requests")) != 0)
			return true;
	return false;
}

static enum err_code
start_draft(struct walk *w, const json_t *judge, json_t **out, struct err *e)
{
	AUTO(json) json_t *draft = json_object();
	AUTO(json) json_t *own = json_array();
	AUTO(json) json_t *stamps = json_array();
	bool missing = sig_is(w->s, "path", "continue");

	if (collect(w, judge, false, missing, own, e) != ERR_OK || collect(w, judge, true, missing, stamps, e) != ERR_OK ||
	    json_set(draft, "own", TAKE(own), e) != ERR_OK || json_set(draft, "stamps", TAKE(stamps), e) != ERR_OK)
		return err_wrap(e, "draft");
	*out = TAKE(draft);
	return ERR_OK;
}

static bool
extended(const struct walk *w)
{
	return sig_is(w->s, "form", "extended");
}

/* The objects of a draft in the order of the document: signature's own, then stamps'. */
static json_t *
all_names(const json_t *draft)
{
	AUTO(json) json_t *own = names_of(json_object_get(draft, "own"));
	json_t *stamps = names_of(json_object_get(draft, "stamps")), *o = NULL;
	size_t i;

	json_array_foreach (stamps, i, o) {
		size_t k;
		bool twice = false;

		for (k = 0; k < json_array_size(own); k++)
			twice |= json_equal(json_array_get(own, k), o);
		if (!twice)
			json_array_append(own, o);
	}
	json_decref(stamps);
	return TAKE(own);
}

static enum err_code
ask_for_x(struct walk *w, json_t *draft, struct pile *pile, bool *waits, struct err *e)
{
	AUTO(stamp_got) struct stamp_got x = {0};
	AUTO(json) json_t *add = json_array();

	*waits = false;
	if (add_do(add, "refs", "objects", all_names(draft), e) != ERR_OK ||
	    walk_stamp(w, add, "X", pile, sig_time(w->s, "stamped"), &x, e) != ERR_OK)
		return err_wrap(e, "X stamp");
	if (!x.got) {
		*waits = true;
		return walk_later(w, x.retry_utc, x.why, e);
	}
	if (walk_token(w, "X", x.token, e) != ERR_OK)
		return err_wrap(e, "X stamp");
	return json_set(draft, "x", TAKE(x.token), e);
}

static bool
target_has_x(const struct walk *w)
{
	return extended(w) && w->profile->x_stamp && !sig_is(w->s, "target", "C");
}

static bool
stops_before_archive(const struct walk *w)
{
	static const char *const targets[] = {"C", "X", "X-L", "LT"};
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (sig_is(w->s, "target", targets[i]))
			return true;
	return false;
}

/* Level X-L is the values over an X stamp; C and X end before them. */
static bool
values_follow(const struct walk *w)
{
	return !sig_is(w->s, "target", "C") && !sig_is(w->s, "target", "X");
}

enum err_code
arrow_complete(struct walk *w, struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *draft = NULL;
	json_t *list = NULL;
	const char *gap = "";
	bool waits = false, held = false, waits_for_x;
	int64_t x_time;

	/* What was collected provisionally stays usable: a responder may be gone by now. */
	if (pile_new(&pile, e) != ERR_OK || pile_load(w->a, pile, json_object_get(w->m, "material"), e) != ERR_OK ||
	    gather(w->a, &w->doc.doc, pile, w->profile->grace_seconds, true, &g, e) != ERR_OK ||
	    pile_put(pile, w->b, &list, e) != ERR_OK || json_set(w->m, "material", list, e) != ERR_OK ||
	    sig_verdict(w->s, g.judge, w->index, e) != ERR_OK || hold_vouched(w, &g, e) != ERR_OK)
		return err_wrap(e, "final material");
	if (final_verdict(w->s) && !issuer_sought(w, g.judge))
		return sig_go(w->s, "kept", TIME_MAX, sig_str(w->s, "subindication"), e);
	if (!ready(w, g.judge, &gap))
		return not_yet(w, &g, gap, e);
	if (hold_of(w, json_object_get(json_array_get(json_object_get(g.judge, "signatures"), w->index), "closure"), &held, e) != ERR_OK)
		return err_wrap(e, "complete");
	if (held) {
		if (walk_later(w, archive_now(w->a) + DAY, "its issuer is on hold: a good answer of its responder ends that, or release it", e) != ERR_OK)
			return err_wrap(e, "complete");
		return json_set(w->s, "state", json_text("quarantined"), e);
	}
	if (!sig_is(w->s, "indication", "TOTAL-PASSED"))
		return walk_later(w, TIME_NONE, sig_str(w->s, "subindication"), e);
	if (start_draft(w, g.judge, &draft, e) != ERR_OK || pile_add_named(pile, g.judge, json_object_get(draft, "own"), e) != ERR_OK ||
	    pile_add_named(pile, g.judge, json_object_get(draft, "stamps"), e) != ERR_OK)
		return err_wrap(e, "draft");
	if (target_has_x(w) && ask_for_x(w, draft, pile, &waits, e) != ERR_OK)
		return err_wrap(e, "complete");
	if (waits)
		return ERR_OK;
	x_time = sig_time(json_object_get(draft, "x"), "gen_time");
	waits_for_x = x_time != TIME_NONE && stops_before_archive(w) && values_follow(w);
	/* Embedded objects joined the pile after the list was made: the draft must be complete in the store. */
	if (pile_put(pile, w->b, &list, e) != ERR_OK || json_set(w->m, "material", list, e) != ERR_OK ||
	    json_set(w->s, "draft", TAKE(draft), e) != ERR_OK)
		return err_wrap(e, "draft");
	json_object_del(w->s, "tries");
	json_object_del(w->s, "trying_since");
	if (waits_for_x)
		return sig_go(w->s, "completing", x_time + DAY, "the X stamp's own material comes next", e);
	return sig_go(w->s, "completing", archive_now(w->a), "the archive time-stamp comes next", e);
}

/* ---- completing -> archived ---- */

/*
 * The material of the X stamp's TSA joins the values: what the job holds, since what is newer comes with the next stamp;
 * where none will come (target X-L), newer than the X stamp, else *objects stays NULL and why says what is lacking.
 */
static enum err_code
x_material(struct walk *w, const json_t *draft, struct pile *pile, json_t **objects, char why[300], struct err *e)
{
	const json_t *x = json_object_get(draft, "x");
	int64_t newer_than = stops_before_archive(w) ? sig_time(x, "gen_time") : 0;
	enum tsa_holds holds = TSA_LACKING;

	*objects = NULL;
	if (x == NULL)
		return ERR_OK;
	if (tsa_material(w->a, w->b, sig_str(x, "tsa_sha256"), newer_than, pile, objects, &holds, why, e) != ERR_OK)
		return err_wrap(e, "X stamp");
	if (holds == TSA_LACKING && newer_than == 0)
		archive_alarm(w->a, "record %s: the X stamp goes without its own material: %s", manifest_record(w->m), why);
	return ERR_OK;
}

/* What is inserted before the archive stamp, by the form and the target. */
static enum err_code
plan_values(struct walk *w, const json_t *draft, const json_t *x_objects, json_t *add, struct err *e)
{
	const json_t *x = json_object_get(draft, "x");
	AUTO(json) json_t *names = all_names(draft);
	AUTO(json) json_t *extra = names_of(x_objects);
	AUTO(json) json_t *own = names_of(json_object_get(draft, "own"));
	AUTO(json) json_t *stamps = names_of(json_object_get(draft, "stamps"));
	size_t i;

	if (sig_is(w->s, "path", "continue"))
		return json_array_size(names) != 0 ? add_do(add, "tsvd", "objects", TAKE(names), e) : ERR_OK;
	if (!extended(w)) {
		if (add_do(add, "values", "objects", TAKE(own), e) != ERR_OK || add_do(add, "tsvd", "objects", TAKE(stamps), e) != ERR_OK)
			return err_wrap(e, "values");
		return ERR_OK;
	}
	if (add_do(add, "refs", "objects", json_deep_copy(names), e) != ERR_OK)
		return err_wrap(e, "refs");
	if (x != NULL && add_do(add, "X", "token", json_incref(json_object_get(x, "token")), e) != ERR_OK)
		return err_wrap(e, "X stamp");
	if (!values_follow(w))
		return ERR_OK;
	for (i = 0; i < json_array_size(extra); i++) {
		size_t k;
		bool twice = false;

		for (k = 0; k < json_array_size(names); k++)
			twice |= json_equal(json_array_get(names, k), json_array_get(extra, i));
		if (!twice)
			json_array_append(names, json_array_get(extra, i));
	}
	return add_do(add, "values", "objects", TAKE(names), e);
}

static int64_t
newest_time(const struct walk *w, const json_t *draft)
{
	int64_t x = sig_time(json_object_get(draft, "x"), "gen_time"), t = sig_time(w->s, "stamped");

	return x != TIME_NONE && x > t ? x : t;
}

enum err_code
arrow_archive(struct walk *w, struct err *e)
{
	AUTO(stamp_got) struct stamp_got got = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *add = json_array();
	AUTO(json) json_t *x_objects = NULL;
	const json_t *draft = json_object_get(w->s, "draft");
	bool stop = stops_before_archive(w);
	char why[300] = "";

	if (pile_new(&pile, e) != ERR_OK || pile_load(w->a, pile, json_object_get(w->m, "material"), e) != ERR_OK ||
	    x_material(w, draft, pile, &x_objects, why, e) != ERR_OK)
		return err_wrap(e, "archive");
	if (stop && values_follow(w) && json_object_get(draft, "x") != NULL && x_objects == NULL)
		return walk_later(w, TIME_NONE, why, e);
	if (plan_values(w, draft, x_objects, add, e) != ERR_OK)
		return err_wrap(e, "archive");
	if (!stop) {
		if (walk_stamp(w, add, "A", pile, newest_time(w, draft), &got, e) != ERR_OK)
			return err_wrap(e, "archive stamp");
		if (!got.got)
			return walk_later(w, got.retry_utc, got.why, e);
		if (add_do(add, "A", "token", json_incref(json_object_get(got.token, "token")), e) != ERR_OK)
			return err_wrap(e, "archive stamp");
	}
	if (walk_insert(w, add, pile, e) != ERR_OK || (!stop && walk_token(w, "A", got.token, e) != ERR_OK))
		return err_wrap(e, "archive");
	json_object_del(w->s, "draft");
	json_object_del(w->s, "tries");
	json_object_del(w->s, "trying_since");
	if (stop)
		return sig_go(w->s, "kept", TIME_MAX, "the profile's target level", e);
	return walk_archived(w, got.token, true, e);
}

/*
 * A new archive stamp is the newest of its chain. first: of a round; a quorum wants the others of the round at once,
 * each by another TSA and covering the one before (design 9: successive stamps, one chain).
 */
enum err_code
walk_archived(struct walk *w, const json_t *token, bool first, struct err *e)
{
	json_t *round = first ? json_array() : json_incref(json_object_get(w->s, "quorum"));
	int64_t time = sig_time(token, "gen_time");
	bool more;

	if (json_push(round, json_incref(json_object_get(token, "tsa")), e) != ERR_OK || json_set(w->s, "quorum", round, e) != ERR_OK ||
	    json_set(w->s, "newest", json_time(time), e) != ERR_OK ||
	    json_set(w->s, "newest_tsa", json_incref(json_object_get(token, "tsa_sha256")), e) != ERR_OK)
		return err_wrap(e, "archive");
	json_object_del(w->s, "trailing");
	more = json_array_size(round) < w->profile->quorum;
	return sig_go(w->s, "archived", more ? archive_now(w->a) : time + DAY,
	    more ? "the quorum's next archive time-stamp" : "the newest stamp's own material comes next", e);
}

enum err_code
arrow_quorum(struct walk *w, struct err *e)
{
	AUTO(stamp_got) struct stamp_got got = {0};
	AUTO(json) json_t *add = json_array();

	w->avoid = json_object_get(w->s, "quorum");
	if (walk_stamp(w, add, "A", NULL, sig_time(w->s, "newest"), &got, e) != ERR_OK)
		return err_wrap(e, "quorum");
	if (!got.got)
		return walk_later(w, got.retry_utc, got.why, e);
	if (add_do(add, "A", "token", json_incref(json_object_get(got.token, "token")), e) != ERR_OK ||
	    walk_insert(w, add, NULL, e) != ERR_OK || walk_token(w, "A", got.token, e) != ERR_OK ||
	    tsa_covered(w->a, w->b, sig_str(w->s, "newest_tsa"), e) != ERR_OK)
		return err_wrap(e, "quorum");
	return walk_archived(w, got.token, false, e);
}

/* ---- archived -> closed: what is given out proves alone, with anchors only ---- */

/* What of list does not stand in the trailing data yet. */
static json_t *
not_trailing(const json_t *s, const json_t *list)
{
	const json_t *before = json_object_get(s, "trailing"), *o = NULL, *b = NULL;
	json_t *names = json_array();
	size_t i, k;

	json_array_foreach (list, i, o) {
		bool there = false;

		json_array_foreach (before, k, b)
			there |= json_equal(b, json_object_get(o, "sha256"));
		if (!there)
			json_array_append(names, json_object_get(o, "sha256"));
	}
	return names;
}

/*
 * The lists of a TSA's CAs come twice a year. Until each is newer than the stamp, those of today, which were current when it was
 * made, stand behind it; the newer ones follow.
 */
enum err_code
arrow_close(struct walk *w, struct err *e)
{
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *objects = NULL;
	AUTO(json) json_t *names = NULL;
	AUTO(json) json_t *add = json_array();
	enum tsa_holds holds = TSA_LACKING;
	char why[300] = "";

	if (pile_new(&pile, e) != ERR_OK ||
	    tsa_material(w->a, w->b, sig_str(w->s, "newest_tsa"), sig_time(w->s, "newest"), pile, &objects, &holds, why, e) != ERR_OK)
		return err_wrap(e, "close");
	if (holds == TSA_LACKING)
		return walk_later(w, TIME_NONE, why, e);
	names = holds == TSA_ENOUGH && json_object_get(w->s, "trailing") != NULL ? json_array() : not_trailing(w->s, objects);
	if (json_array_size(names) != 0 &&
	    (add_do(add, "tsvd", "objects", TAKE(names), e) != ERR_OK || walk_insert(w, add, pile, e) != ERR_OK))
		return err_wrap(e, "close");
	json_object_del(w->s, "tries");
	json_object_del(w->s, "trying_since");
	if (holds == TSA_ENOUGH) {
		if (json_object_get(w->s, "trailing") == NULL && json_set(w->s, "trailing", names_of(objects), e) != ERR_OK)
			return err_wrap(e, "close");
		return sig_go(w->s, "archived", archive_now(w->a) + 30 * DAY, "newer lists of the TSA's CAs come next", e);
	}
	json_object_del(w->s, "trailing");
	return sig_go(w->s, "closed", w->a->policy->sliding_strict ? archive_now(w->a) : TIME_MAX, "renewal comes by its deadline", e);
}
