/* SPDX-License-Identifier: MIT */
/* What the files of a deposit are: told and judged in the cage. */
#include "archiver/intake.h"
#include "archiver/slow.h"

#include <stdlib.h>
#include <string.h>

/* ---- by the first octets ---- */

#define SNIFFED_BYTES ((size_t)1024) /* of each file; what takes more to be told is judged */

struct sniffing {
	struct slice *heads;
	bool *whole;
	struct intake_file **files;
	size_t n;
};

static void
sniffing_auto(struct sniffing *s)
{
	free(s->heads);
	free(s->whole);
	free(s->files);
}

static bool
heads_of(struct intake *all, size_t n, struct sniffing *s)
{
	size_t i, k, most = 0;

	for (i = 0; i < n; i++)
		most += all[i].d->n_files;
	s->heads = mem_new(most, sizeof(*s->heads));
	s->whole = mem_new(most, sizeof(*s->whole));
	s->files = mem_new(most, sizeof(struct intake_file *));
	if (s->heads == NULL || s->whole == NULL || s->files == NULL)
		return false;
	for (i = 0; i < n; i++)
		for (k = 0; all[i].files != NULL && all[i].why.code == ERR_OK && k < all[i].d->n_files; k++) {
			struct intake_file *f = &all[i].files[k];

			if (f->octets.n == 0)
				continue;
			s->whole[s->n] = f->octets.n <= SNIFFED_BYTES;
			s->heads[s->n] = slice_of(f->octets.p, s->whole[s->n] ? f->octets.n : SNIFFED_BYTES);
			s->files[s->n++] = f;
		}
	return s->n != 0;
}

/* No answer is no harm: each file is judged alone then, and says itself what is wrong. */
void
intake_sniff(struct archive *a, struct intake *all, size_t n)
{
	__attribute__((cleanup(sniffing_auto))) struct sniffing s = {0};
	AUTO(json) json_t *forms = NULL;
	size_t i;

	if (!heads_of(all, n, &s) || caged_sniff(a->caged, s.heads, s.whole, s.n, &forms, NULL) != ERR_OK)
		return;
	for (i = 0; i < s.n; i++)
		s.files[i]->known = form_by_name(json_string_value(json_array_get(forms, i)), &s.files[i]->form);
}

/* ---- judged ---- */

/*
 * A file too large to be parsed is kept as data, unless it names the namespace of XML signatures: taking that in would
 * promise an upgrade that never comes. Octets are looked at here, nothing is parsed.
 */
static enum err_code
refuse_large_signature(struct archive *a, const struct intake *in, size_t file, const json_t *answer, struct err *e)
{
	const char *status = json_string_value(json_object_get(json_object_get(answer, "report"), "status"));
	const char *form = json_string_value(json_object_get(answer, "form"));
	struct source s;
	bool named = false;

	if (status == NULL || strcmp(status, "too_large") != 0 || form == NULL || strcmp(form, "xml") != 0)
		return ERR_OK;
	if (intake_source(in, file, &s, e) != ERR_OK || form_names_xmldsig(&s, &named, e) != ERR_OK)
		return err_wrap(e, "%s", in->d->files[file].name);
	if (!named)
		return ERR_OK;
	return err_set(e, ERR_LIMIT, "a signature file of %llu octets; at most %llu are parsed ([limits] xml_size)",
	    (unsigned long long)s.size_bytes, (unsigned long long)a->cfg->limits.xml_bytes);
}

/* The depositor may still write to it: a verdict counts for the octets that were hashed, which are those that are kept. */
static struct caged_file
as_hashed(const struct intake *in, size_t file)
{
	return (struct caged_file){.name = in->d->files[file].name, .fd = in->d->files[file].fd, .sha256 = in->files[file].ref.sha256};
}

/* Does one of its references ask for another file? */
static bool
wants_file(const json_t *answer)
{
	const json_t *w = NULL;
	size_t i;

	json_array_foreach (json_object_get(answer, "wants"), i, w) {
		const char *kind = json_string_value(json_object_get(w, "kind"));

		if (kind != NULL && strcmp(kind, "file") == 0)
			return true;
	}
	return false;
}

static enum err_code
ask_cage(struct archive *a, const struct intake *in, const struct caged_doc *doc, json_t **answer, struct err *e)
{
	uint8_t seed[32];

	json_decref(*answer);
	*answer = NULL;
	if (entropy_fill(&a->seams.entropy, seed, sizeof(seed), e) != ERR_OK)
		return err_wrap(e, "judge");
	return caged_judge(a->caged, doc, (struct slice){0}, in->now_utc, in->profile->grace_seconds, slice_of(seed, sizeof(seed)), answer, e);
}

/* More than have a descriptor each are copied for every request: only where the file names others at all. */
static bool
alone_first(const struct intake *in)
{
	return in->d->n_files > WORKER_FDS;
}

static enum err_code
judge_one(struct archive *a, struct intake *in, size_t file, bool with_side, json_t **answer, struct err *e)
{
	AUTO(mem) struct caged_file *side = mem_new(in->d->n_files, sizeof(*side));
	struct caged_doc doc = {.main = as_hashed(in, file)};
	size_t n_side = 0, i;

	if (side == NULL)
		return err_nomem(e);
	for (i = 0; i < in->d->n_files; i++)
		if (i != file)
			side[n_side++] = as_hashed(in, i);
	doc.side = side;
	doc.n_side = with_side ? n_side : 0;
	return ask_cage(a, in, &doc, answer, e);
}

/* ---- not for longer than there is time ---- */

/* Asked, for as long as this depositor may. ERR_BUSY: not now, or not done. */
static enum err_code
ask_in_time(struct archive *a, struct intake *in, struct slow **slow, size_t file, bool with_side, json_t **answer, struct err *e)
{
	int64_t began = sys_monotonic_ms();
	struct caged_call *left;
	enum err_code r;

	if (*in->d->left_ms <= 0 || (*slow != NULL && !slow_may_begin(a, *slow)))
		return err_set(e, ERR_BUSY, "not now");
	caged_patience(a->caged, SLOW_BUDGET_MS);
	r = judge_one(a, in, file, with_side, answer, e);
	caged_patience(a->caged, 0);
	__atomic_store_n(in->d->left_ms, *in->d->left_ms - (sys_monotonic_ms() - began), __ATOMIC_RELAXED);
	left = caged_left(a->caged);
	if (left == NULL)
		return r;
	if (*slow == NULL)
		*slow = slow_of(a, in->record, in->d->depositor, true);
	if (*slow == NULL) {
		caged_call_drop(&left);
		return err_nomem(e);
	}
	slow_left(a, *slow, left);
	return r;
}

/* One question to the cage, or the answer to the one that was left under way. */
static enum err_code
ask_or_take(struct archive *a, struct intake *in, struct slow **slow, size_t file, bool with_side, json_t **answer, struct err *e)
{
	enum err_code r;
	bool fell;

	if (*slow != NULL && (*slow)->call != NULL) {
		if (!caged_call_ready((*slow)->call))
			return err_set(e, ERR_BUSY, "not yet");
		r = caged_call_end(&(*slow)->call, answer, e);
	} else if (in->d->left_ms != NULL) {
		r = ask_in_time(a, in, slow, file, with_side, answer, e);
	} else {
		r = judge_one(a, in, file, with_side, answer, e);
	}
	if (r == ERR_BUSY && in->d->left_ms != NULL)
		return r;
	fell = r != ERR_OK && caged_fell(a->caged);
	if (*slow == NULL && fell)
		*slow = slow_of(a, in->record, in->d->depositor, true);
	if (*slow != NULL)
		slow_judged(a, *slow, fell);
	return r;
}

static bool
given_up(const struct slow *s)
{
	return s != NULL && s->call == NULL && s->tries >= SLOW_TRIES;
}

/*
 * The verdict on a file. ERR_BUSY: put off. A worker that ran out of time or died is tried once more, since the machine may
 * have been to blame; then the deposit is set aside (given_up).
 */
static enum err_code
judge_file(struct archive *a, struct intake *in, struct slow **slow, size_t file, json_t **answer, struct err *e)
{
	bool with_side = !alone_first(in) || (*slow != NULL && (*slow)->with_side), again = true;
	enum err_code r = ERR_OK;

	while (again) {
		struct err why = {0};

		if (given_up(*slow))
			return err_set(e, ERR_REFUSED, "the worker ran out of time or died");
		r = ask_or_take(a, in, slow, file, with_side, answer, &why);
		if (given_up(*slow))
			return err_set(e, ERR_REFUSED, "%s", why.text);
		if (r != ERR_OK)
			err_set(e, r, "%s", why.text);
		again = r == ERR_OK ? !with_side && wants_file(*answer) : r != ERR_BUSY && *slow != NULL && (*slow)->tries != 0;
		with_side |= r == ERR_OK && again;
		if (*slow != NULL)
			(*slow)->with_side = with_side && (again || r == ERR_BUSY);
	}
	return r == ERR_OK ? refuse_large_signature(a, in, file, *answer, e) : r;
}

static enum err_code
note_original(struct intake *in, size_t file, const char *form, const char *note, struct err *e)
{
	json_t *o = json_array_get(json_object_get(in->manifest, "originals"), file);

	if (json_set(o, "form", json_text(form), e) != ERR_OK || (note != NULL && json_set(o, "note", json_text(note), e) != ERR_OK))
		return err_wrap(e, "manifest");
	return ERR_OK;
}

/* r: what judging it came to. Our own trouble is an error; whatever else was wrong makes it data, and *refusal if that is the first. */
static enum err_code
note_verdict(struct archive *a, struct intake *in, size_t i, enum err_code r, const struct err *why, const json_t *answer,
    struct err *refusal, struct err *e)
{
	const char *form = json_string_value(json_object_get(answer, "form"));

	if (r == ERR_REFUSED || r == ERR_LIMIT || r == ERR_BUG) {
		if (refusal->code == ERR_OK)
			err_set(refusal, ERR_REFUSED, "%s: %s", in->d->files[i].name, why->text);
		return note_original(in, i, "data", why->text, e);
	}
	if (r == ERR_FORMAT)
		return note_original(in, i, "data", why->text, e);
	if (r != ERR_OK)
		return err_set(e, r, "%s: %s", in->d->files[i].name, why->text);
	if (note_original(in, i, form != NULL ? form : "data", NULL, e) != ERR_OK)
		return e->code;
	return signatures_of(a, in->profile, i, answer, in->now_utc, json_object_get(in->manifest, "signatures"), e);
}

/* What was judged before speaks of these very files. */
static enum err_code
content_of(const struct intake *in, uint8_t out[32], struct err *e)
{
	AUTO(buf) struct buf all = {0};
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		buf_add(&all, in->files[i].ref.sha256, 32);
		buf_addvec(&all, slice_str(in->d->files[i].name));
	}
	if (buf_ok(&all, e) != ERR_OK)
		return err_wrap(e, "deposit");
	return digest_sha256(buf_slice(&all), out, e);
}

/* From the file on that was put off. */
static enum err_code
go_on(struct intake *in, struct slow *s, size_t *file, struct err *refusal, struct err *e)
{
	uint8_t content[32];

	if (s == NULL || s->originals == NULL)
		return ERR_OK;
	if (content_of(in, content, e) != ERR_OK)
		return e->code;
	if (memcmp(content, s->content, sizeof(content)) != 0) {
		caged_call_drop(&s->call);
		return ERR_OK;
	}
	*file = s->file;
	*refusal = s->refusal;
	if (json_set(in->manifest, "originals", json_deep_copy(s->originals), e) != ERR_OK ||
	    json_set(in->manifest, "signatures", json_deep_copy(s->signatures), e) != ERR_OK)
		return err_wrap(e, "deposit");
	return ERR_OK;
}

static enum err_code
put_off(struct archive *a, struct intake *in, struct slow *s, size_t file, const struct err *refusal, struct err *e)
{
	in->put_off = true;
	a->spool_more |= s == NULL || !slow_waits(a, in->record, in->d->depositor);
	if (s == NULL && file != 0)
		s = slow_of(a, in->record, in->d->depositor, true);
	if (s == NULL)
		return ERR_OK;
	json_decref(s->originals);
	json_decref(s->signatures);
	s->originals = json_incref(json_object_get(in->manifest, "originals"));
	s->signatures = json_incref(json_object_get(in->manifest, "signatures"));
	s->file = file;
	s->refusal = *refusal;
	return content_of(in, s->content, e);
}

/*
 * Every file is looked at. A file that can't be parsed within the limits refuses the deposit, unless a signature
 * of another file stands beside it: then it is that signature's data.
 */
enum err_code
intake_judge(struct archive *a, struct intake *in, struct err *e)
{
	struct slow own = {0}; /* without a limit of time nothing is left under way, and others may look at the spools meanwhile */
	struct slow *slow = in->d->left_ms != NULL ? slow_of(a, in->record, in->d->depositor, false) : &own;
	struct err refusal = {0};
	size_t i = 0;
	enum err_code r;

	if (go_on(in, slow, &i, &refusal, e) != ERR_OK)
		return err_wrap(e, "deposit");
	for (; i < in->d->n_files; i++) {
		AUTO(json) json_t *answer = NULL;
		struct err why = {0};

		if (in->files[i].known) {
			if (note_original(in, i, form_name(in->files[i].form), NULL, e) != ERR_OK)
				return err_wrap(e, "deposit");
			continue;
		}
		r = judge_file(a, in, &slow, i, &answer, &why);
		if (r == ERR_BUSY && in->d->left_ms != NULL)
			return put_off(a, in, slow, i, &refusal, e);
		if (given_up(slow))
			return err_set(e, ERR_REFUSED, "%s: set aside after %d tries: %s", in->d->files[i].name, SLOW_TRIES, why.text);
		if (note_verdict(a, in, i, r, &why, answer, &refusal, e) != ERR_OK)
			return err_wrap(e, "deposit");
	}
	if (refusal.code != ERR_OK && (in->d->n_files == 1 || json_array_size(json_object_get(in->manifest, "signatures")) == 0))
		return err_set(e, ERR_REFUSED, "%s", refusal.text);
	return ERR_OK;
}
