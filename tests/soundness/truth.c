/* SPDX-License-Identifier: MIT */
/* The rules that a mutant's verdict must keep (docs/soundness.md). */
#include "tests/soundness/soundness.h"

#include "base/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What was signed and stamped: two judgements of the original know it. Where these don't explain a verdict, more are asked:
 * original and donor, each with the certificates and answers of both beside it, and each without some of its unsigned
 * properties, which anybody may take away.
 */
struct known {
	struct truth v[600];
	size_t n, own; /* own: how many are to be released */
	struct verifier *verifier;
	const struct seed *of, *donor;
	bool all;
};

static void
known_of(struct known *k, struct verifier *v, const struct seed *of, const struct seed *donor)
{
	k->n = k->own = 0;
	k->all = false;
	k->verifier = v;
	k->of = of;
	k->donor = donor;
	k->v[k->n++] = of->alone;
	k->v[k->n++] = of->with_own;
	k->own = k->n;
}

static void
known_add(struct known *k, struct slice doc, const struct sides *sides, const struct material *beside)
{
	if (k->n < sizeof(k->v) / sizeof(k->v[0]))
		judge(k->verifier, k->of, doc, sides, beside, &k->v[k->n++], NULL);
}

#define PROPERTIES_MAX 64

static size_t
unsigned_properties(xmlDoc *doc, xmlNode *out[PROPERTIES_MAX])
{
	xmlNode *top = xmlDocGetRootElement(doc);
	size_t n = 0;

	for (xmlNode *at = top; at != NULL; at = xml_walk(top, at))
		if (strcmp((const char *)at->name, "UnsignedSignatureProperties") == 0)
			for (xmlNode *in = xmlFirstElementChild(at); in != NULL && n < PROPERTIES_MAX; in = xmlNextElementSibling(in))
				out[n++] = in;
	return n;
}

/* The document without those of its unsigned properties whose bit is not set. */
static void
known_without(struct known *k, const struct seed *s, uint64_t left, const struct material *beside)
{
	xmlDoc *doc = must(xmlCopyDoc(s->dom, 1));
	xmlNode *v[PROPERTIES_MAX];
	xmlChar *text = NULL;
	int len = 0;

	for (size_t i = unsigned_properties(doc, v); i-- > 0;)
		if ((left >> i & 1) == 0) {
			xmlUnlinkNode(v[i]);
			xmlFreeNode(v[i]);
		}
	xmlDocDumpMemory(doc, &text, &len);
	known_add(k, slice_of(text, (size_t)len), &s->sides, beside);
	xmlFree(text);
	xmlFreeDoc(doc);
}

/* Every choice of up to eight properties; of more: each prefix, each one alone missing, and none. */
static void
known_choices(struct known *k, const struct seed *s, const struct material *beside)
{
	xmlNode *v[PROPERTIES_MAX];
	size_t n = unsigned_properties(s->dom, v);

	known_add(k, buf_slice(&s->octets), &s->sides, beside);
	for (uint64_t left = 0; n <= 8 && left + 1 < UINT64_C(1) << n; left++)
		known_without(k, s, left, beside);
	for (size_t i = 0; n > 8 && i < n; i++) {
		known_without(k, s, (UINT64_C(1) << i) - 1, beside);
		known_without(k, s, ~(UINT64_C(1) << i), beside);
	}
}

static void
known_more(struct known *k)
{
	struct material *all = NULL;
	struct err e = {0};

	if (k->all)
		return;
	k->all = true;
	if (material_new(&all, &e) != ERR_OK)
		die("material", e.text);
	material_join(all, k->of->own);
	if (k->donor != NULL)
		material_join(all, k->donor->own);
	known_choices(k, k->of, all);
	if (k->donor != NULL && k->donor != k->of)
		known_choices(k, k->donor, all);
	material_free(all);
}

static void
known_release(struct known *k)
{
	while (k->n > k->own)
		truth_release(&k->v[--k->n]);
}

/* ---- signatures ---- */

enum same { SAME_NOTHING = 0, SAME_OCTETS, SAME_SIGNER, SAME_VALUE, SAME_TIME, SAME_PASSED, SAME_COVERED, SAME_BEST, SAME_DATA };

static enum same
same_as(const struct fact *f, const struct fact *was)
{
	if (!f->known || !was->known || memcmp(f->octets, was->octets, 32) != 0)
		return SAME_NOTHING;
	if (memcmp(f->signer, was->signer, 32) != 0)
		return SAME_OCTETS;
	if (memcmp(f->value, was->value, 32) != 0)
		return SAME_SIGNER;
	if ((f->claimed != was->claimed && !was->altered) || f->n_refs != was->n_refs)
		return SAME_VALUE;
	if (!was->passed)
		return was->altered ? SAME_DATA : SAME_TIME; /* what was altered may be put back: the octets are those that were signed */
	if (memcmp(f->covered, was->covered, 32) != 0)
		return SAME_PASSED;
	if (f->best < was->best)
		return SAME_COVERED;
	if (!pieces_within(&f->claimed_whole, &was->made_over))
		return SAME_BEST;
	return SAME_DATA;
}

static enum same
most_alike(const struct known *k, const struct fact *f)
{
	enum same most = SAME_NOTHING;

	for (size_t i = 0; i < k->n; i++)
		for (size_t j = 0; j < k->v[i].n_facts; j++) {
			enum same s = same_as(f, &k->v[i].facts[j]);

			most = s > most ? s : most;
		}
	return most;
}

static const char *const BROKEN[] = {
    [SAME_NOTHING] = "passes over octets that nobody signed",
    [SAME_OCTETS] = "passes for another signer",
    [SAME_SIGNER] = "passes with another value",
    [SAME_VALUE] = "passes with another claimed time",
    [SAME_TIME] = "passes, and no original does",
    [SAME_PASSED] = "covers other octets",
    [SAME_COVERED] = "passes with an earlier best signature time than any original",
    [SAME_BEST] = "is said to sign whole what it was not made over",
};

/* ---- stamps ---- */

static bool
stamped(const struct known *k, const struct stamp_fact *s)
{
	for (size_t i = 0; i < k->n; i++)
		for (size_t j = 0; j < k->v[i].n_stamps; j++)
			if (k->v[i].stamps[j].time == s->time && memcmp(k->v[i].stamps[j].what, s->what, 32) == 0)
				return true;
	return false;
}

static bool
stamp_broken(struct known *k, const struct stamp_fact *s, char *why, size_t n)
{
	char when[TIME_TEXT];

	if (stamped(k, s))
		return false;
	known_more(k);
	if (stamped(k, s))
		return false;
	time_text(s->time, when);
	snprintf(why, n, "a stamp of %s passes that no original has", when);
	return true;
}

void
truth_broken(struct verifier *v, const struct seed *of, const struct mutant *m, const struct truth *got, char *why, size_t n)
{
	struct known *k = must(malloc(sizeof(*k)));

	why[0] = '\0';
	known_of(k, v, of, m->donor);
	for (size_t i = 0; i < got->n_facts && why[0] == '\0'; i++) {
		const struct fact *f = &got->facts[i];
		enum same is;

		if (!f->passed)
			continue;
		if (m->altered && got->n_facts == 1 && of->alone.n_facts == 1)
			snprintf(why, n, "signed data was altered, and it passes");
		is = most_alike(k, f);
		if (is != SAME_DATA) {
			known_more(k);
			is = most_alike(k, f);
		}
		if (is != SAME_DATA && why[0] == '\0')
			snprintf(why, n, "signature %zu %s", i, BROKEN[is]);
	}
	for (size_t i = 0; i < got->n_stamps && why[0] == '\0'; i++)
		stamp_broken(k, &got->stamps[i], why, n);
	known_release(k);
	free(k);
}
