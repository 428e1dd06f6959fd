/* SPDX-License-Identifier: MIT */
/*
 * The way of a signature, one arrow a call; each reads one durable state and
 * ends in one group, so a restart repeats at most one arrow.
 *
 *	found ------ T stamp ----------> stamped
 *	stamped ---- provisional data -> waiting (until best signature time + grace)
 *	waiting ---- final data, X ----> completing (draft: objects, X token)
 *	completing - values, A --------> archived
 *	archived --- the stamp's own material in a trailing TimeStampValidationData -> closed, or archived until
 *	             the CAs above the TSA issue newer lists
 *	closed ----- read strictly (sliding_freshness): data newer than the proof of those below, after each stamp
 *	any -------> quarantined (why, what releases it), kept (nothing to do, why)
 *
 * renewal of archived and closed ones: renew.c, when the sweep says so.
 */
#include "archiver/archiver_int.h"
#include "archiver/slow.h"
#include "archiver/steps.h"

#include <stdio.h>
#include <string.h>

#define DAY INT64_C(86400)
#define RETRY_MIN_S 3600
#define RETRY_MAX_S (7 * DAY)
#define ALARM_AFTER_S (30 * DAY)

const char *
sig_str(const json_t *s, const char *key)
{
	const char *v = json_string_value(json_object_get(s, key));

	return v != NULL ? v : "";
}

bool
sig_is(const json_t *s, const char *key, const char *value)
{
	return strcmp(sig_str(s, key), value) == 0;
}

int64_t
sig_time(const json_t *s, const char *key)
{
	int64_t t = TIME_NONE;

	return json_want_time(s, key, &t, NULL) == ERR_OK ? t : TIME_NONE;
}

/* State, due time and the reason for people. due TIME_MAX = waits for nothing. */
enum err_code
sig_go(json_t *s, const char *state, int64_t due, const char *why, struct err *e)
{
	if (json_set(s, "state", json_text(state), e) != ERR_OK ||
	    json_set(s, "due", due == TIME_MAX ? json_null() : json_time(due), e) != ERR_OK ||
	    json_set(s, "reason", json_text(why), e) != ERR_OK)
		return err_wrap(e, "signature");
	return ERR_OK;
}

static enum err_code
try_later(struct archive *a, json_t *s, int64_t retry, const char *why, struct err *e)
{
	int64_t now = archive_now(a), tries = json_integer_value(json_object_get(s, "tries")) + 1, wait = RETRY_MIN_S;
	int64_t since = sig_time(s, "trying_since");

	if (since == TIME_NONE && json_set(s, "trying_since", json_time(now), e) != ERR_OK)
		return err_wrap(e, "signature");
	if (since != TIME_NONE && now - since > ALARM_AFTER_S)
		archive_alarm(a, "a signature waits since %lld days: %s", (long long)((now - since) / DAY), why);
	wait = tries > 5 ? DAY : wait * (1 << (tries - 1));
	if (wait > DAY)
		wait = DAY;
	/* Each try is a manifest: what waits for years is tried once a week. */
	if (since != TIME_NONE && (now - since) / 30 > wait)
		wait = (now - since) / 30 < RETRY_MAX_S ? (now - since) / 30 : RETRY_MAX_S;
	if (retry == TIME_NONE || retry < now + wait)
		retry = now + wait;
	if (json_set(s, "tries", json_integer(tries), e) != ERR_OK)
		return err_wrap(e, "signature");
	return sig_go(s, sig_str(s, "state"), retry, why, e);
}

static void
tries_over(json_t *s)
{
	json_object_del(s, "tries");
	json_object_del(s, "trying_since");
}

/* ---- what the cage said becomes the manifest's state ---- */

/* "unproven": what the checker of derivations did not accept of it (docs/proof.md); absent while there is no such defect. */
static enum err_code
sig_unproven(json_t *s, const json_t *reported, struct err *e)
{
	const json_t *f = NULL;
	size_t i;

	json_object_del(s, "unproven");
	json_array_foreach (json_object_get(reported, "findings"), i, f)
		if (strcmp(sig_str(f, "check"), "ProofChecked") == 0 && strcmp(sig_str(f, "status"), "fail") == 0)
			return json_set(s, "unproven", json_text(sig_str(f, "text")), e);
	return ERR_OK;
}

enum err_code
sig_verdict(json_t *s, const json_t *judge, size_t index, struct err *e)
{
	static const char *const keys[] = {"id", "format", "level", "indication", "subindication", "signs", "best_signature_time", "signed_by"};
	const json_t *r = json_array_get(json_object_get(json_object_get(judge, "report"), "signatures"), index);
	size_t k;

	for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (json_set(s, keys[k], json_deep_copy(json_object_get(r, keys[k]) != NULL ? json_object_get(r, keys[k]) : json_null()), e) != ERR_OK)
			return err_wrap(e, "signature %zu", index);
	if (sig_unproven(s, r, e) != ERR_OK)
		return err_wrap(e, "signature %zu", index);
	return json_set(s, "judged", json_incref(json_object_get(json_object_get(judge, "header"), "validation_time") != NULL
		? json_object_get(json_object_get(judge, "header"), "validation_time") : json_null()), e);
}

static const char *
target_of(const struct conf_profile *p, const char *path, bool counter)
{
	if (strcmp(path, "none") == 0)
		return NULL;
	if (strcmp(path, "stamp") == 0 || counter)
		return "T";
	if (strcmp(path, "continue") == 0)
		return "A";
	return profile_target_name(p->target);
}

enum err_code
signatures_of(struct archive *a, const struct conf_profile *profile, size_t file, const json_t *judge, int64_t now,
    json_t *signatures, struct err *e)
{
	const json_t *flow = NULL, *reported = json_object_get(json_object_get(judge, "report"), "signatures");
	size_t i;

	(void)a;
	json_array_foreach (json_object_get(judge, "signatures"), i, flow) {
		AUTO(json) json_t *s = json_object();
		const json_t *parent = json_object_get(json_array_get(reported, i), "parent");
		const char *path = sig_str(flow, "path"), *target = NULL, *form;
		bool work;

		if (strcmp(path, "stamp") == 0 && !profile->t_without_anchor)
			path = "none";
		target = target_of(profile, path, json_is_integer(parent));
		/* The table's "extended" is a fresh signature: the profile says in which form it goes on. */
		form = strcmp(path, "extended") == 0 ? profile_form_name(profile->form) : path;
		work = target != NULL;

		if (json_set(s, "file", json_integer((json_int_t)file), e) != ERR_OK ||
		    json_set(s, "index", json_integer((json_int_t)i), e) != ERR_OK ||
		    json_set(s, "parent", parent != NULL ? json_incref((json_t *)(uintptr_t)parent) : json_null(), e) != ERR_OK ||
		    sig_verdict(s, judge, i, e) != ERR_OK || json_set(s, "path", json_text(path), e) != ERR_OK ||
		    json_set(s, "row", json_incref(json_object_get(flow, "row")), e) != ERR_OK ||
		    json_set(s, "target", json_text(target), e) != ERR_OK ||
		    json_set(s, "form", json_text(form), e) != ERR_OK ||
		    sig_go(s, work ? "found" : "kept", work ? now : TIME_MAX, sig_str(flow, "reason"), e) != ERR_OK ||
		    json_push(signatures, TAKE(s), e) != ERR_OK)
			return err_wrap(e, "signature %zu", i);
	}
	return ERR_OK;
}

enum err_code
sig_anew(struct walk *w, const json_t *judge, struct err *e)
{
	AUTO(json) json_t *fresh = json_array();

	if (signatures_of(w->a, w->profile, w->file, judge, archive_now(w->a), fresh, e) != ERR_OK)
		return err_wrap(e, "judge again");
	json_object_del(w->s, "unproven");
	if (w->index < json_array_size(fresh) && json_object_update(w->s, json_array_get(fresh, w->index)) != 0)
		return err_nomem(e);
	return ERR_OK;
}

/* ---- arrows ---- */

static enum err_code
extend(struct walk *w, const json_t *add, const char *imprint, struct pile *pile, json_t **out, struct err *e)
{
	AUTO(json) json_t *request = json_object();
	struct slice packed = {0};

	if (json_set(request, "signature", json_incref(json_object_get(w->s, "index")), e) != ERR_OK ||
	    json_set(request, "digest", json_text(digest_row(w->a->cfg->renewal.digest)->name), e) != ERR_OK ||
	    json_set(request, "add", json_deep_copy(add), e) != ERR_OK ||
	    json_set(request, "imprint", json_text(imprint), e) != ERR_OK ||
	    (pile != NULL && pile_packed(pile, &packed, e) != ERR_OK))
		return err_wrap(e, "extend");
	return caged_extend(w->a->caged, &w->doc.doc, request, packed, archive_now(w->a), out, e);
}

enum err_code
add_do(json_t *add, const char *what, const char *key, json_t *value, struct err *e)
{
	AUTO(json) json_t *item = json_object();

	if (json_set(item, "do", json_text(what), e) != ERR_OK || json_set(item, key, value, e) != ERR_OK ||
	    json_push(add, TAKE(item), e) != ERR_OK)
		return err_wrap(e, "property %s", what);
	return ERR_OK;
}

/* The imprint of a new stamp standing after add, and a token for it. out->got false: told why, nothing changed. */
enum err_code
walk_stamp(struct walk *w, const json_t *add, const char *kind, struct pile *pile, int64_t not_before, struct stamp_got *out, struct err *e)
{
	AUTO(json) json_t *answer = NULL;
	struct digest imprint;
	const char *text = NULL;

	if (extend(w, add, kind, pile, &answer, e) != ERR_OK || json_need_str(answer, "imprint", &text, e) != ERR_OK)
		return err_wrap(e, "imprint of %s", kind);
	if (!digest_parse(text, &imprint))
		return err_set(e, ERR_BUG, "imprint \"%.40s\"", text);
	return stamp_get(w->a, w->profile, &imprint, not_before, w->avoid, out, e);
}

/* Insert what add says for good: a version of its own; the verdict is that of the new file. */
enum err_code
walk_insert(struct walk *w, const json_t *add, struct pile *pile, struct err *e)
{
	AUTO(json) json_t *answer = NULL;
	AUTO(buf) struct buf text = {0};
	const char *b64 = NULL;
	int64_t offset = 0;

	if (extend(w, add, NULL, pile, &answer, e) != ERR_OK || json_need_str(answer, "text", &b64, e) != ERR_OK ||
	    json_need_int(answer, "offset", &offset, e) != ERR_OK || base64_to(slice_str(b64), &text, e) != ERR_OK ||
	    version_add(w->a, w->b, w->m, w->file, (uint64_t)offset, buf_slice(&text), answer, e) != ERR_OK)
		return err_wrap(e, "insert");
	if (json_object_get(answer, "judge") != NULL)
		return sig_verdict(w->s, json_object_get(answer, "judge"), w->index, e);
	return ERR_OK;
}

/* Token octets into the batch; evidence row; the TSA certificate's job. */
enum err_code
walk_token(struct walk *w, const char *kind, const json_t *token, struct err *e)
{
	AUTO(buf) struct buf der = {0};
	struct store_ref ref;
	const char *b64 = NULL;
	char hex[65];

	if (json_need_str(token, "token", &b64, e) != ERR_OK || base64_to(slice_str(b64), &der, e) != ERR_OK ||
	    batch_put_bytes(w->b, STORE_SHARED, 0, buf_slice(&der), &ref, e) != ERR_OK)
		return err_wrap(e, "token");
	hex32(ref.sha256, hex);
	if (evidence_add(w->a, w->b, w->m, w->number, kind, token, hex, e) != ERR_OK || tsa_used(w->a, w->b, token, ref.sha256, e) != ERR_OK)
		return err_wrap(e, "token");
	return ERR_OK;
}

static bool
good_stamp(const json_t *judge, size_t index, const char *type, int64_t *time)
{
	const json_t *r = json_array_get(json_object_get(json_object_get(judge, "report"), "signatures"), index), *st = NULL;
	size_t i;

	json_array_foreach (json_object_get(r, "timestamps"), i, st) {
		if (!sig_is(st, "type", type) || !sig_is(st, "indication", "PASSED"))
			continue;
		*time = sig_time(st, "time");
		return true;
	}
	return false;
}

/* found -> stamped. A valid signature time-stamp that is there already serves (design 6). */
static enum err_code
arrow_stamp(struct walk *w, struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(stamp_got) struct stamp_got t = {0};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *add = json_array();
	int64_t time = TIME_NONE;

	if (pile_new(&pile, e) != ERR_OK || gather(w->a, &w->doc.doc, pile, 0, true, &g, e) != ERR_OK)
		return err_wrap(e, "stamp");
	/* An anchor may have come since the deposit. */
	if (sig_is(w->s, "path", "stamp") && sig_anew(w, g.judge, e) != ERR_OK)
		return err_wrap(e, "stamp");
	if (sig_is(w->s, "state", "kept"))
		return ERR_OK;
	if (sig_is(w->s, "path", "continue")) {
		time = archive_now(w->a);
	} else if (!good_stamp(g.judge, w->index, "SIGNATURE", &time)) {
		if (walk_stamp(w, add, "T", NULL, TIME_NONE, &t, e) != ERR_OK)
			return err_wrap(e, "stamp");
		if (!t.got)
			return try_later(w->a, w->s, t.retry_utc, t.why, e);
		if (add_do(add, "T", "token", json_incref(json_object_get(t.token, "token")), e) != ERR_OK ||
		    walk_insert(w, add, NULL, e) != ERR_OK || walk_token(w, "T", t.token, e) != ERR_OK)
			return err_wrap(e, "stamp");
		time = sig_time(t.token, "gen_time");
	}
	tries_over(w->s);
	if (json_set(w->s, "stamped", json_time(time), e) != ERR_OK)
		return err_wrap(e, "stamp");
	if (sig_is(w->s, "target", "T"))
		return sig_go(w->s, "kept", TIME_MAX, json_is_integer(json_object_get(w->s, "parent")) ? "stamped; its master's archive time-stamp covers it" : sig_str(w->s, "reason"), e);
	return sig_go(w->s, "stamped", archive_now(w->a), "provisional material comes next", e);
}

/* The grace period, shortened where a certificate of the closure ends during the wait. */
static int64_t
wait_until(struct walk *w, const json_t *judge, bool *shortened)
{
	const json_t *flow = json_array_get(json_object_get(judge, "signatures"), w->index);
	int64_t due = sig_time(w->s, "stamped") + w->profile->grace_seconds, end = sig_time(json_object_get(flow, "closure"), "earliest_end");
	int64_t signer = sig_time(flow, "signer_not_after");

	if (end == TIME_NONE || (signer != TIME_NONE && signer < end))
		end = signer;
	*shortened = end != TIME_NONE && end - DAY < due;
	if (!*shortened)
		return due;
	return end - DAY > archive_now(w->a) ? end - DAY : archive_now(w->a);
}

/* stamped -> waiting: what there is now is kept at once, since a responder may be gone tomorrow. */
static enum err_code
arrow_provisional(struct walk *w, struct err *e)
{
	AUTO(gathered) struct gathered g = {0};
	AUTO(pile) struct pile *pile = NULL;
	json_t *list = NULL;
	bool shortened = false;
	int64_t due;

	/* The list is the record's: what another signature or file of it collected stays in it. */
	if (pile_new(&pile, e) != ERR_OK || pile_load(w->a, pile, json_object_get(w->m, "material"), e) != ERR_OK ||
	    gather(w->a, &w->doc.doc, pile, 0, true, &g, e) != ERR_OK || pile_put(pile, w->b, &list, e) != ERR_OK ||
	    json_set(w->m, "material", list, e) != ERR_OK ||
	    sig_verdict(w->s, g.judge, w->index, e) != ERR_OK)
		return err_wrap(e, "provisional material");
	due = wait_until(w, g.judge, &shortened);
	if (shortened && json_set(w->s, "provisional", json_true(), e) != ERR_OK)
		return err_wrap(e, "provisional material");
	return sig_go(w->s, "waiting", due, shortened ? "a certificate ends soon: the grace period is shortened" : "the grace period", e);
}

enum err_code
sig_step(struct walk *w, struct err *e)
{
	if (sig_is(w->s, "state", "found"))
		return arrow_stamp(w, e);
	if (sig_is(w->s, "state", "stamped"))
		return arrow_provisional(w, e);
	if (sig_is(w->s, "state", "waiting") || sig_is(w->s, "state", "quarantined"))
		return arrow_complete(w, e);
	if (sig_is(w->s, "state", "completing"))
		return arrow_archive(w, e);
	if (sig_is(w->s, "state", "archived"))
		return json_array_size(json_object_get(w->s, "quorum")) < w->profile->quorum ? arrow_quorum(w, e) : arrow_close(w, e);
	if (sig_is(w->s, "state", "closed") && w->a->policy->sliding_strict)
		return arrow_slide(w, e);
	return sig_go(w->s, sig_str(w->s, "state"), TIME_MAX, sig_str(w->s, "reason"), e);
}

enum err_code
walk_later(struct walk *w, int64_t retry, const char *why, struct err *e)
{
	return try_later(w->a, w->s, retry, why, e);
}

/* ---- one record ---- */

/* Counter-signatures first: after the master's archive stamp they may not change any more. */
static size_t
due_signature(const json_t *m, int64_t now)
{
	size_t i, found = SIZE_MAX;

	for (i = 0; i < manifest_signatures(m); i++) {
		const json_t *s = manifest_signature(m, i);
		int64_t due = sig_time(s, "due");

		if (due == TIME_NONE || due > now)
			continue;
		if (json_is_integer(json_object_get(s, "parent")))
			return i;
		if (found == SIZE_MAX)
			found = i;
	}
	return found;
}

static int64_t
next_due(const json_t *m, const char **why)
{
	int64_t best = TIME_MAX;
	size_t i;

	for (i = 0; i < manifest_signatures(m); i++) {
		int64_t due = sig_time(manifest_signature(m, i), "due");

		if (due != TIME_NONE && due < best) {
			best = due;
			*why = sig_str(manifest_signature(m, i), "reason");
		}
	}
	return best;
}

enum err_code
walk_open(struct archive *a, struct batch *b, json_t *m, size_t number, struct walk *w, struct err *e)
{
	const char *profile = sig_str(json_object_get(m, "profile"), "id");

	*w = (struct walk){.a = a, .b = b, .m = m, .number = number, .s = manifest_signature(m, number)};
	w->file = (size_t)json_integer_value(json_object_get(w->s, "file"));
	w->index = (size_t)json_integer_value(json_object_get(w->s, "index"));
	w->profile = config_profile(a->cfg, profile);
	if (w->profile == NULL)
		return err_set(e, ERR_USAGE, "record %s: its profile \"%s\" is not in the configuration any more", manifest_record(m), profile);
	a->crl_first = w->profile->revocation == REVOCATION_CRL;
	if (record_doc_open(a, m, w->file, -1, &w->doc, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	return ERR_OK;
}

void
walk_auto(struct walk *w)
{
	record_doc_auto(&w->doc);
}

enum err_code
walk_put(struct archive *a, struct batch *b, json_t *m, const json_t *prev, enum leaf_type type, const char *event, bool *again, struct err *e)
{
	const char *why = NULL;
	int64_t due = next_due(m, &why);

	*again = due <= archive_now(a);
	if (news_owe(b, m, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	return manifest_put(a, b, m, prev, type, event, due, why, NULL, NULL, e);
}

/*
 * While this was made others had their turn, and an operator may have changed the record (hold, release): what was made of
 * the manifest of before is thrown away then.
 */
enum err_code
record_join(struct archive *a, const json_t *m, struct batch **draft, struct err *e)
{
	const char *before = json_string_value(json_object_get(json_object_get(m, "previous"), "sha256"));
	bool same = false;

	if (manifest_is_newest(a, manifest_record(m), before, &same, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	return same ? group_join(a, draft, e) : ERR_OK;
}

/* Due no more; "release" tries it again. */
static enum err_code
set_aside(struct walk *w, const char *why, struct err *e)
{
	AUTO(mem) char *text = mem_printf("set aside after %d tries: %s", SLOW_TRIES, why);

	if (text == NULL)
		return err_nomem(e);
	archive_alarm(w->a, "record %s: %s", manifest_record(w->m), text);
	if (json_set(w->s, "tries", json_integer(SLOW_TRIES), e) != ERR_OK)
		return err_wrap(e, "signature");
	return sig_go(w->s, sig_str(w->s, "state"), TIME_MAX, text, e);
}

/* Each such try takes as much as a worker may, and keeps the steps of others waiting. */
static enum err_code
worker_fell_at(struct walk *w, const char *why, struct err *e)
{
	json_int_t fell = json_integer_value(json_object_get(w->s, "fell")) + 1;

	if (json_set(w->s, "fell", json_integer(fell), e) != ERR_OK)
		return err_wrap(e, "signature");
	return fell >= SLOW_TRIES ? set_aside(w, why, e) : try_later(w->a, w->s, TIME_NONE, why, e);
}

/* A step that failed by what it was given: told, tried again tomorrow; the record is not lost and others go on. */
static enum err_code
step_failed(struct walk *w, const struct err *why, struct err *e)
{
	archive_alarm(w->a, "record %s: %s", manifest_record(w->m), why->text);
	if (caged_fell(w->a->caged))
		return worker_fell_at(w, why->text, e);
	if (why->code == ERR_UNSUPPORTED)
		return sig_go(w->s, "kept", TIME_MAX, why->text, e);
	return try_later(w->a, w->s, TIME_NONE, why->text, e);
}

/* A record whose newest manifest can't be read: nothing can be noted in it. It must not hold up the others. */
static enum err_code
step_skipped(struct archive *a, const char *record, const struct err *why, struct err *e)
{
	if (why->code == ERR_NOMEM)
		return err_nomem(e);
	archive_alarm(a, "record %s: %s", record, why->text);
	return json_set(a->skipped, record, json_true(), e);
}

/* How often a process before this one ended in a step of this record. */
static unsigned
step_begins(struct archive *a, const char *record)
{
	AUTO(buf) struct buf n = {0};

	snprintf(a->stepping, sizeof(a->stepping), "%s", record);
	a->step_counted = false;
	a->step_noted = ops_get(a->store, "steps", slice_str(record), &n, NULL) == ERR_OK && n.n == 1;
	return a->step_noted ? n.p[0] : 0;
}

static void
step_ended(struct archive *a)
{
	if (a->step_noted)
		(void)!ops_del(a->store, "steps", slice_str(a->stepping), NULL);
	a->step_noted = false;
	a->stepping[0] = '\0';
}

enum err_code
record_step(struct archive *a, const char *record, bool *again, struct err *e)
{
	AUTO(json) json_t *prev = NULL;
	AUTO(json) json_t *m = NULL;
	AUTO(json) json_t *clean = NULL;
	AUTO(walk) struct walk w = {0};
	AUTO(batch) struct batch *b = NULL;
	struct batch_mark mark = {0};
	struct err why = {0};
	bool opened = false;
	enum err_code r;
	size_t n;

	*again = false;
	if (manifest_load(a, record, &prev, &why) != ERR_OK || manifest_next(a, prev, &m, &why) != ERR_OK)
		return step_skipped(a, record, &why, e);
	if (store_draft_begin(a->store, &b, e) != ERR_OK)
		return err_wrap(e, "step");
	n = due_signature(m, archive_now(a));
	if (n == SIZE_MAX) {
		if (walk_put(a, b, m, prev, LEAF_STEP, "due time corrected", again, e) != ERR_OK)
			return err_wrap(e, "step");
		return record_join(a, m, &b, e);
	}
	clean = json_deep_copy(m);
	/* What can't be opened (a damaged object, a profile that is gone) is this record's trouble. */
	r = walk_open(a, b, m, n, &w, &why);
	opened = r == ERR_OK;
	if (opened && step_begins(a, record) >= SLOW_TRIES) {
		step_ended(a);
		if (set_aside(&w, "the service ended while it was judged", e) != ERR_OK)
			return err_wrap(e, "step");
		opened = false;
	}
	if (opened) {
		r = sig_step(&w, &why);
		step_ended(a);
		if (r == ERR_OK)
			json_object_del(w.s, "fell");
	}
	if (r != ERR_OK) {
		if ((opened && is_our_trouble(r)) || r == ERR_NOMEM || clean == NULL)
			return err_set(e, r, "record %s: %s", record, why.text);
		batch_undo(b, mark);
		json_decref(m);
		m = TAKE(clean);
		w.m = m;
		w.s = manifest_signature(m, n);
		if (step_failed(&w, &why, e) != ERR_OK)
			return err_wrap(e, "step");
	}
	if (walk_put(a, b, m, prev, LEAF_STEP, sig_str(w.s, "state"), again, e) != ERR_OK)
		return err_wrap(e, "step");
	return record_join(a, m, &b, e);
}
