/* SPDX-License-Identifier: MIT */
/* What the files of a deposit are: told and judged in the cage. */
#include "archiver/intake.h"

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
		for (k = 0; all[i].why.code == ERR_OK && k < all[i].d->n_files; k++) {
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

static enum err_code
judge_one(struct archive *a, struct intake *in, size_t file, json_t **answer, struct err *e)
{
	AUTO(mem) struct caged_file *side = mem_new(in->d->n_files, sizeof(*side));
	struct caged_doc doc = {.main = as_hashed(in, file)};
	/* More than have a descriptor each are copied for every request: only where the file names others at all. */
	bool alone = in->d->n_files > WORKER_FDS;
	size_t n_side = 0, i;

	if (side == NULL)
		return err_nomem(e);
	for (i = 0; i < in->d->n_files; i++)
		if (i != file)
			side[n_side++] = as_hashed(in, i);
	doc.side = side;
	doc.n_side = alone ? 0 : n_side;
	if (ask_cage(a, in, &doc, answer, e) != ERR_OK)
		return e->code;
	if (alone && wants_file(*answer)) {
		doc.n_side = n_side;
		if (ask_cage(a, in, &doc, answer, e) != ERR_OK)
			return e->code;
	}
	return refuse_large_signature(a, in, file, *answer, e);
}

static enum err_code
note_original(struct intake *in, size_t file, const char *form, const char *note, struct err *e)
{
	json_t *o = json_array_get(json_object_get(in->manifest, "originals"), file);

	if (json_set(o, "form", json_text(form), e) != ERR_OK || (note != NULL && json_set(o, "note", json_text(note), e) != ERR_OK))
		return err_wrap(e, "manifest");
	return ERR_OK;
}

/*
 * Every file is looked at. A file that can't be parsed within the limits refuses the deposit, unless a signature
 * of another file stands beside it: then it is that signature's data.
 */
enum err_code
intake_judge(struct archive *a, struct intake *in, struct err *e)
{
	json_t *sigs = json_object_get(in->manifest, "signatures");
	struct err refusal = {0};
	size_t i;

	for (i = 0; i < in->d->n_files; i++) {
		AUTO(json) json_t *answer = NULL;
		struct err why = {0};
		enum err_code r;

		if (in->files[i].known) {
			if (note_original(in, i, form_name(in->files[i].form), NULL, e) != ERR_OK)
				return err_wrap(e, "deposit");
			continue;
		}
		r = judge_one(a, in, i, &answer, &why);
		if (r == ERR_REFUSED || r == ERR_LIMIT || r == ERR_BUG) {
			if (refusal.code == ERR_OK)
				err_set(&refusal, ERR_REFUSED, "%s: %s", in->d->files[i].name, why.text);
			r = note_original(in, i, "data", why.text, e);
		} else if (r == ERR_FORMAT) {
			r = note_original(in, i, "data", why.text, e);
		} else if (r != ERR_OK) {
			return err_set(e, r, "%s: %s", in->d->files[i].name, why.text);
		} else {
			const char *form = json_string_value(json_object_get(answer, "form"));

			r = note_original(in, i, form != NULL ? form : "data", NULL, e);
			if (r == ERR_OK)
				r = signatures_of(a, in->profile, i, answer, in->now_utc, sigs, e);
		}
		if (r != ERR_OK)
			return err_wrap(e, "deposit");
	}
	if (refusal.code != ERR_OK && (in->d->n_files == 1 || json_array_size(sigs) == 0))
		return err_set(e, ERR_REFUSED, "%s", refusal.text);
	return ERR_OK;
}
