/* SPDX-License-Identifier: MIT */
/* The checker: lines in order, each by its rule over its premises (docs/proof.md 1). */
#include "verify/pki_int.h"
#include "verify/proof/check_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
refuse(struct proof_checker *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(k->why, sizeof(k->why), fmt, ap);
	va_end(ap);
	return false;
}

enum check_level
level_at(const struct proof_checker *k, enum check c, enum check_context ctx, enum cert_position pos)
{
	return k->c->policy->level[c][ctx][pos];
}

/* ---- premises ---- */

const struct proof_line *
next_premise(const struct proof_checker *k)
{
	const struct proof_line *l = line_of(k);

	return k->next < l->n && k->p->rests[l->first + k->next] < k->n ? &k->p->v[k->p->rests[l->first + k->next]] : NULL;
}

bool
premise_is(const struct proof_checker *k, enum proof_kind kind)
{
	const struct proof_line *l = next_premise(k);

	return l != NULL && l->kind == kind;
}

struct fact *
premise(struct proof_checker *k, enum proof_kind kind, const struct proof_line **line)
{
	const struct proof_line *l = next_premise(k);

	if (l == NULL || l->kind != kind) {
		refuse(k, "rests on %s where %s is asked for", l == NULL ? "nothing" : proof_kind_name(l->kind), proof_kind_name(kind));
		return NULL;
	}
	if (line != NULL)
		*line = l;
	k->next++;
	return &k->facts[l - k->p->v];
}

static int64_t
taken_time(struct proof_checker *k, bool about)
{
	const struct proof_line *l = NULL;

	if (!about || premise(k, PROOF_EXISTS, &l) == NULL || l->time > k->c->now_utc)
		return k->c->now_utc;
	return l->time;
}

int64_t
exists_octets(struct proof_checker *k, const uint8_t sha256[32])
{
	const struct proof_line *l = next_premise(k);

	return taken_time(k, l != NULL && l->kind == PROOF_EXISTS && l->place != PLACE_VALUE && memcmp(l->object, sha256, 32) == 0);
}

int64_t
exists_value(struct proof_checker *k, size_t sig)
{
	const struct proof_line *l = next_premise(k);

	return taken_time(k, l != NULL && l->kind == PROOF_EXISTS && l->place == PLACE_VALUE && l->sig == sig);
}

bool
alg_at(struct proof_checker *k, const struct alg_use *use, int64_t t, const char *what)
{
	struct alg_verdict v = {0};
	char text[64];

	catalogue_check(k->c->policy->catalogue, use, t, k->c->policy->after_update_warns, &v);
	if (v.good)
		return true;
	alg_text(use, text, sizeof(text));
	return refuse(k, "%s: %s is not good at the time that it is proven", what, text);
}

bool
same_alg(struct proof_checker *k, const struct alg_use *use)
{
	return alg_same(use, &line_of(k)->alg) || refuse(k, "another algorithm than the line says");
}

bool
same_time(struct proof_checker *k, int64_t t)
{
	return t == line_of(k)->time || refuse(k, "another time than the line says");
}

/* ---- lines ---- */

static bool
rule_input(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	struct proof_line own;

	(void)f;
	return k->n == 0 && proof_input(k->c, &own) && memcmp(own.object, l->object, 32) == 0 && memcmp(own.by, l->by, 32) == 0 &&
	    same_time(k, own.time) && l->n == 0;
}

/* What the line names stands in the document, and can be read: signature, reference, stamp, embedded object; token; certificate. */
static bool
places_exist(struct proof_checker *k, const struct proof_line *l, struct fact *f)
{
	const struct sigdoc *d = k->c->doc;
	bool in_doc = l->kind >= PROOF_REFERENCE && !(l->kind == PROOF_EXISTS && l->place == PLACE_OUTSIDE) && (d != NULL || l->kind != PROOF_STAMP);
	const struct xsig *s = in_doc && d != NULL && l->sig < d->n_sigs ? &d->sigs[l->sig] : NULL;
	bool stamp = l->kind == PROOF_IMPRINT || l->kind == PROOF_STAMP, place = l->kind == PROOF_EXISTS;
	struct err e = {0};
	bool there = !in_doc || s != NULL;

	if (s != NULL && l->kind == PROOF_REFERENCE)
		there = l->at < s->n_refs && (l->entry == PROOF_NO_ENTRY || l->entry < s->refs[l->at].n_entries);
	if (s != NULL && (stamp || (place && (l->place == PLACE_TOKEN || l->place == PLACE_IN_TOKEN))))
		there = l->at < s->n_stamps;
	if (s != NULL && place && (l->place == PLACE_EMBEDDED || l->place == PLACE_IN_RESPONSE))
		there = l->at < s->n_embedded;
	if (s != NULL && place && l->place == PLACE_REF)
		there = l->at < s->n_ref_objects;
	if (there && stamp)
		there = pki_token(k->c->pki, s != NULL ? s->stamps[l->at].token : k->c->octets, &f->token, &e) == ERR_OK &&
		    memcmp(f->token->sha256, l->object, 32) == 0;
	if (there && (l->kind == PROOF_ISSUED || l->kind == PROOF_SIGNED || l->kind == PROOF_SIGNER))
		there = (f->cert = pki_find(k->c->pki, OBJ_CERT, l->object)) != NULL && pki_key_fault(f->cert) == NULL;
	return there || refuse(k, "names what is not there, or can't be relied on: place, token or certificate");
}

bool
proof_take(struct proof_checker *k, const struct proof *p)
{
	static line_rule *const RULES[PROOF_KINDS] = {[PROOF_INPUT] = rule_input, [PROOF_ANCHOR] = rule_anchor,
	    [PROOF_ISSUED] = rule_issued, [PROOF_ANSWERS] = rule_answers, [PROOF_GOOD] = rule_good, [PROOF_REFERENCE] = rule_reference,
	    [PROOF_HOLDS] = rule_holds, [PROOF_SIGNED] = rule_signed, [PROOF_SIGNER] = rule_signer, [PROOF_IMPRINT] = rule_imprint,
	    [PROOF_STAMP] = rule_stamp, [PROOF_EXISTS] = rule_exists, [PROOF_PASSED] = rule_passed};
	struct fact f = {0};
	const char *why;

	k->p = p;
	k->next = 0;
	if (k->n >= p->n || !mem_grow(&k->facts, &k->cap, k->n, sizeof(*k->facts)))
		return refuse(k, "no such line, or no memory");
	const struct proof_line *l = line_of(k);
	if ((why = proof_line_fault(p, k->n)) != NULL)
		return refuse(k, "%s", why);
	if (!places_exist(k, l, &f) || !RULES[l->kind](k, l, &f))
		return false;
	if (pki_bounded(k->c->pki))
		return refuse(k, "too many keys that may have signed: not checked");
	if (k->next != l->n)
		return refuse(k, "a premise that is not asked for");
	k->facts[k->n++] = f;
	return true;
}

void
proof_untake(struct proof_checker *k, size_t n)
{
	if (n < k->n)
		k->n = n;
}

const char *
proof_why(const struct proof_checker *k)
{
	return k->why;
}

enum err_code
proof_checker_new(const struct proof_case *c, struct proof_checker **out, struct err *e)
{
	struct proof_checker *k = mem_new(1, sizeof(*k));

	if (k == NULL)
		return err_nomem(e);
	k->c = c;
	k->peer = strncmp(c->policy->name, "dss", 3) == 0;
	if (!case_objects(c, &k->all)) {
		proof_checker_free(k);
		return err_nomem(e);
	}
	*out = k;
	return ERR_OK;
}

void
proof_checker_free(struct proof_checker *k)
{
	if (k == NULL)
		return;
	pool_release(&k->all);
	free(k->facts);
	free(k);
}

bool
proof_check(const struct proof_case *c, const struct proof *p, size_t *bad, char *why, size_t n)
{
	struct proof_checker *k = NULL;
	struct err e = {0};
	bool ok = proof_checker_new(c, &k, &e) == ERR_OK && p->n > 0;

	*bad = 0;
	if (k == NULL)
		return snprintf(why, n, "%s", "no memory for the checker") < 0;
	while (ok && k->n < p->n)
		ok = proof_take(k, p);
	*bad = k->n;
	if (ok && (*bad = proof_idle(p)) < p->n)
		ok = refuse(k, "a line on which nothing rests");
	(void)snprintf(why, n, "%s", ok ? "" : k->why);
	proof_checker_free(k);
	return ok;
}
