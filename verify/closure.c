/* SPDX-License-Identifier: MIT */
/*
 * Closures and wants: every certificate and revocation object that a signature
 * or a time-stamp rests on, responders and CRL issuers included, and what is
 * missing or too old among them (validation.md 2.8, tsp-ocsp-crl.md 8).
 */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

struct builder {
	struct judge *j;
	struct jsig *g; /* NULL: a token by itself */
	struct closure *c;
	size_t cap;
	enum line line;
	size_t signature, stamp;
	bool for_stamp;
	int64_t newer_than;
};

void
closure_release(struct closure *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].subject);
	free(c->v);
	free(c->gap);
	memset(c, 0, sizeof(*c));
}

/* ---- where it stands in the file ---- */

static size_t
token_place(const struct jsig *g, const uint8_t sha256[32])
{
	size_t at = SIZE_MAX;

	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct token *t = g->stamps[i].tok;
		bool in = false;

		for (size_t k = 0; t != NULL && k < t->n_certs; k++)
			in = in || memcmp(t->certs[k]->sha256, sha256, 32) == 0;
		for (size_t k = 0; t != NULL && k < t->n_revs; k++)
			in = in || memcmp(t->revs[k]->sha256, sha256, 32) == 0;
		if (in && g->stamps[i].xs->position < at)
			at = g->stamps[i].xs->position;
	}
	return at;
}

static size_t
place_of(const struct jsig *g, const struct closure_object *o)
{
	size_t at = token_place(g, o->sha256);

	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->s->embedded[i].place != IN_KEY_INFO && slice_eq(g->s->embedded[i].der, o->der) &&
		    g->s->embedded[i].position < at)
			at = g->s->embedded[i].position;
	return at;
}

static bool
in_document(const struct judge *j, const struct closure_object *o)
{
	if (o->kind == MAT_CERT) {
		for (size_t i = 0; i < j->n_doc_certs; i++)
			if (memcmp(j->pool.certs[i]->sha256, o->sha256, 32) == 0)
				return true;
		return false;
	}
	for (size_t i = 0; i < j->n_doc_revs; i++)
		if (memcmp(j->pool.revs[i]->sha256, o->sha256, 32) == 0)
			return true;
	return false;
}

static struct closure_object *
object_add(struct builder *b, enum material_kind kind, enum object_role role, const uint8_t sha256[32], struct slice der)
{
	if (!mem_grow(&b->c->v, &b->cap, b->c->n, sizeof(*b->c->v))) {
		judge_nomem(b->j);
		return NULL;
	}
	struct closure_object *o = &b->c->v[b->c->n++];
	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->role = role;
	o->der = der;
	memcpy(o->sha256, sha256, 32);
	o->not_after = TIME_MAX;
	o->this_update = o->next_update = o->produced_at = TIME_NONE;
	o->embedded = in_document(b->j, o);
	o->embedded_before = b->g == NULL ? SIZE_MAX : place_of(b->g, o);
	return o;
}

static bool
has_object(const struct builder *b, const uint8_t sha256[32])
{
	for (size_t i = 0; i < b->c->n; i++)
		if (memcmp(b->c->v[i].sha256, sha256, 32) == 0)
			return true;
	return false;
}

/* False if it is there already. */
static bool
cert_add(struct builder *b, const struct cert *c, enum object_role role)
{
	if (has_object(b, c->sha256))
		return false;
	struct closure_object *o = object_add(b, MAT_CERT, role, c->sha256, c->der);
	if (o == NULL)
		return false;
	o->not_after = c->not_after;
	o->subject = mem_dupstr(c->subject_text);
	if (o->subject == NULL)
		judge_nomem(b->j);
	return true;
}

static void
answer_add(struct builder *b, const struct rev_answer *a)
{
	struct closure_object *o;

	if (has_object(b, a->object->sha256))
		return;
	o = object_add(b, a->object->kind == REV_CRL ? MAT_CRL : MAT_OCSP, OBJ_REVOCATION, a->object->sha256, a->object->der);
	if (o == NULL)
		return;
	o->this_update = a->this_update;
	o->next_update = a->next_update;
	o->produced_at = a->produced_at;
}

/* ---- wants ---- */

static void
gap(struct builder *b, const char *what, const struct cert *c)
{
	b->c->complete = false;
	if (b->c->gap == NULL && (b->c->gap = mem_printf("%s %s", what, c->subject_text)) == NULL)
		judge_nomem(b->j);
}

static bool
same_want(const struct want *a, const struct want *w)
{
	return a->kind == w->kind && memcmp(a->cert_sha256, w->cert_sha256, 32) == 0 && a->signature == w->signature &&
	    a->for_stamp == w->for_stamp && a->stamp == w->stamp && (a->name == NULL || strcmp(a->name, w->name) == 0);
}

static void
want_push(struct judge *j, const struct want *w)
{
	struct report *r = j->report;

	for (size_t i = 0; i < r->n_wants; i++)
		if (same_want(&r->wants[i], w)) {
			if (w->newer_than > r->wants[i].newer_than)
				r->wants[i].newer_than = w->newer_than;
			free(w->name);
			return;
		}
	if (!mem_grow(&r->wants, &j->cap_wants, r->n_wants, sizeof(*r->wants))) {
		free(w->name);
		judge_nomem(j);
		return;
	}
	r->wants[r->n_wants++] = *w;
}

static void
want_add(struct builder *b, enum want_kind kind, const struct cert *c, const struct cert *issuer, bool anchored, int64_t newer)
{
	struct want w = {.kind = kind, .signature = b->signature, .for_stamp = b->for_stamp, .stamp = b->stamp,
	    .anchored = anchored, .is_ca = c->is_ca, .newer_than = newer, .ocsp = &c->ocsp_urls, .crl = &c->crl_urls,
	    .issuers = &c->issuer_urls, .cert_der = c->der};

	memcpy(w.cert_sha256, c->sha256, 32);
	if (issuer != NULL) {
		memcpy(w.issuer_sha256, issuer->sha256, 32);
		w.issuer_der = issuer->der;
	}
	want_push(b->j, &w);
}

/* ---- one certificate's revocation data ---- */

struct need {
	bool leaf; /* the signing certificate itself, of a signature or of a token */
	int64_t newer_than;
};

static bool
still_current(const struct rev_answer *a, const struct need *n)
{
	return !n->leaf && a->next_update != TIME_NONE && a->next_update > n->newer_than;
}

/*
 * New enough to be embedded for good (validation.md 2.8)? The signing certificate's
 * data is newer than what it signed, for a signature by the grace period; above it
 * a CRL of a CA comes twice a year, so nextUpdate after the reference is enough.
 * The material of a token by itself has no such excuse: all of it is newer.
 */
static bool
new_enough(const struct builder *b, const struct rev_answer *a, const struct need *n)
{
	if (a->this_update >= n->newer_than)
		return true;
	return b->g != NULL && still_current(a, n);
}

static bool
answer_embedded(const struct judge *j, const struct rev_answer *a)
{
	for (size_t i = 0; i < j->n_doc_revs; i++)
		if (j->pool.revs[i] == a->object)
			return true;
	return false;
}

/* Of the CA's own and its delegates' (namesake: of another key of its name) the one that is new and in the file already, else the newest. */
static const struct rev_answer *
choose_of(struct builder *b, struct answers *a, const struct need *n, bool namesake)
{
	const struct rev_answer *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct rev_answer *r = &a->v[i];
		int rank;

		if (answer_namesake(r) != namesake || answer_fault(b->j, a, i, b->line) != NULL || r->this_update > b->j->now)
			continue;
		/* Nothing covers a token's own material for years: what the CA signed itself outlives its responder. */
		rank = (new_enough(b, r, n) ? 4 : 0) + (b->g == NULL && r->signer_is_issuer ? 2 : 0) + (answer_embedded(b->j, r) ? 1 : 0);
		/* among stale ones the newest counts, embedded or not */
		if (best == NULL || (rank >= 4 && rank > best_rank)) {
			best = r;
			best_rank = rank;
		}
	}
	return best;
}

static const struct rev_answer *
choose(struct builder *b, struct answers *a, const struct need *n)
{
	const struct rev_answer *own = choose_of(b, a, n, false);

	return own != NULL ? own : choose_of(b, a, n, true);
}

static void walk(struct builder *b, const struct cert *c, enum object_role role, unsigned depth);

static void
revocation_of(struct builder *b, const struct cert *c, const struct cert *issuer, const struct need *n, bool anchored, unsigned depth)
{
	const struct rev_answer *r = choose(b, judge_answers(b->j, c, issuer), n);

	if (r == NULL || (r->this_update < n->newer_than && !still_current(r, n)))
		b->c->enough = false;
	if (r == NULL || !new_enough(b, r, n)) {
		b->c->fresh = false;
		want_add(b, WANT_REVOCATION, c, issuer, anchored, n->newer_than);
	}
	if (r == NULL) {
		gap(b, "no revocation data for", c);
		return;
	}
	answer_add(b, r);
	if (r->signer != issuer)
		walk(b, r->signer, r->object->kind == REV_CRL ? OBJ_CRL_ISSUER : OBJ_RESPONDER, depth + 1);
}

static const struct chain *
chain_of(const struct xcv *x)
{
	if (x->chain != NULL)
		return x->chain;
	return x->n_chains > 0 ? &x->chains[0] : &x->partial;
}

static enum object_role
role_at(const struct chain *ch, size_t i, enum object_role role)
{
	if (ch->anchor != NULL && i + 1 == ch->n)
		return OBJ_ANCHOR;
	return i == 0 ? role : OBJ_CA;
}

static void
chain_into(struct builder *b, const struct chain *ch, enum object_role role, unsigned depth)
{
	bool anchored = ch->anchor != NULL;

	for (size_t i = 0; i < ch->n; i++) {
		const struct cert *c = ch->v[i];

		if (!cert_add(b, c, role_at(ch, i, role)))
			continue;
		if (i + 1 == ch->n) {
			if (!anchored)
				gap(b, pki_self_signed(c) ? "not trusted:" : "no issuer for", c);
			if (!anchored && !pki_self_signed(c))
				want_add(b, WANT_ISSUER, c, NULL, false, TIME_NONE);
			continue;
		}
		struct need n = {.leaf = i == 0 && (role == OBJ_SIGNER || role == OBJ_TSA), .newer_than = b->newer_than};
		if (i == 0 && role == OBJ_SIGNER)
			n.newer_than += b->j->in->grace_seconds;
		if (needs_revocation(c, i == 0 && (role == OBJ_RESPONDER || role == OBJ_CRL_ISSUER)))
			revocation_of(b, c, ch->v[i + 1], &n, anchored, depth);
	}
}

#define ISSUER_DEPTH 8 /* a responder's responder's ...: more is a circle */

static void
walk(struct builder *b, const struct cert *c, enum object_role role, unsigned depth)
{
	enum check_context ctx = role == OBJ_SIGNER ? CTX_SIGNATURE : role == OBJ_TSA ? CTX_TIMESTAMP : CTX_REVOCATION;

	if (depth > ISSUER_DEPTH || has_object(b, c->sha256))
		return;
	struct xcv *x = judge_cert(b->j, c, ctx, b->line);
	if (x != NULL)
		chain_into(b, chain_of(x), role, depth);
}

static void
build(struct builder *b, const struct cert *c, enum object_role role)
{
	struct findings *f = b->j->f;

	b->j->f = NULL; /* said already */
	b->c->complete = b->c->fresh = b->c->enough = true;
	if (c == NULL) {
		b->c->complete = false;
		b->c->gap = mem_dupstr("signing certificate not found");
	} else {
		walk(b, c, role, 0);
	}
	if (!b->c->complete)
		b->c->fresh = b->c->enough = false;
	b->j->f = f;
}

/* ---- signature and stamps ---- */

static int64_t
stamped_time(const struct jsig *g)
{
	int64_t best = TIME_NONE;

	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct jstamp *t = &g->stamps[i];

		if (t->tok == NULL || t->xs->type != STAMP_SIGNATURE || t->cv.ind != IND_PASSED || t->sub.x == NULL ||
		    t->sub.x->n_chains == 0)
			continue;
		if (best == TIME_NONE || t->tok->gen_time < best)
			best = t->tok->gen_time;
	}
	return best;
}

static void
want_files(struct judge *j, struct jsig *g)
{
	for (size_t i = 0; i < g->s->n_refs; i++) {
		const struct xref *x = &g->s->refs[i];
		struct want w = {.kind = WANT_FILE, .signature = g->s->index, .newer_than = TIME_NONE};

		if (x->found == TRI_TRUE || x->fault != REF_NOT_FOUND || x->uri == NULL || x->uri[0] == '#' || x->uri[0] == '\0')
			continue;
		w.name = mem_dupstr(x->uri);
		if (w.name == NULL)
			judge_nomem(j);
		else
			want_push(j, &w);
	}
}

/* For the protection class (crypto-policy.md 6.5). */
static void
class_facts(struct judge *j, struct jstamp *t)
{
	struct report_stamp *r = t->r;
	const struct chain *ch = t->sub.x == NULL ? NULL : chain_of(t->sub.x);
	AUTO(buf) struct buf b = {0};
	struct err e = {0};
	int64_t weakest = TIME_MAX;

	r->ca_not_after = TIME_MAX;
	for (size_t i = 0; ch != NULL && i < ch->n; i++) {
		buf_add(&b, ch->v[i]->sha256, 32);
		if (i + 1 == ch->n)
			break;
		struct alg_use use = cert_alg(ch->v[i], ch->v[i + 1]);
		int64_t end = catalogue_end(j->pol->catalogue, &use);
		if (i == 0 || end < weakest) {
			weakest = end;
			r->weakest_ca_alg = use;
		}
		if (i == 0 || ch->v[i]->not_after >= r->ca_not_after)
			continue;
		r->ca_not_after = ch->v[i]->not_after;
		free(r->ca_subject);
		r->ca_subject = mem_dupstr(ch->v[i]->subject_text);
	}
	if (buf_ok(&b, &e) != ERR_OK || digest_sha256(buf_slice(&b), r->chain_digest, &e) != ERR_OK)
		judge_broke(j, &e);
}

static void
stamp_closure_in(struct judge *j, struct jsig *g, struct jstamp *t, size_t signature, int64_t newer_than)
{
	struct builder b = {.j = j, .g = g, .c = &t->r->closure, .line = LINE_TSA, .signature = signature,
	    .stamp = t->r->index, .for_stamp = true, .newer_than = newer_than};

	class_facts(j, t);
	build(&b, t->signer.cert, OBJ_TSA);
}

void
stamp_closure(struct judge *j, struct jstamp *t, size_t signature, int64_t newer_than)
{
	stamp_closure_in(j, NULL, t, signature, newer_than);
}

/* ---- the strict reading of freshness (EN 319 102-1 5.6.2.2.4) ---- */

/*
 * Of the data at or after a time the one that was proven first, of equals one in the file: what its issuer's data must be
 * newer than comes soonest then.
 */
static const struct rev_answer *
first_proven(struct builder *b, struct answers *a, int64_t since)
{
	const struct rev_answer *best = NULL;
	const char *why;
	int64_t poe = TIME_MAX;

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct rev_answer *r = &a->v[i];
		int64_t at = poe_lowest(b->j, &b->g->poe, r->object->sha256);
		bool sooner = at < poe || (at == poe && answer_embedded(b->j, r) && !answer_embedded(b->j, best));

		if (r->status != REV_GOOD || r->this_update < since || !sooner || !answer_accepted(b->j, a, i, b->line, &why))
			continue;
		best = r;
		poe = at;
	}
	return best;
}

/*
 * Stale data slides the control time back to its own thisUpdate, and what stands below must have been proven by then. So
 * upwards: the end's data are at or after the proof of what it signed, each issuer's at or after the proof of the data
 * below. What no stamp covers yet ends the walk: its issuer's turn comes with the next one.
 */
static void
slide_needs(struct builder *b, const struct subject *s)
{
	const struct chain *ch = s->x != NULL ? s->x->chain : NULL;
	int64_t now = b->j->now, since = poe_lowest(b->j, &b->g->poe, s->key);

	for (size_t i = 0; ch != NULL && i + 1 < ch->n && since < now; i++) {
		const struct cert *c = ch->v[i], *issuer = ch->v[i + 1];

		if (!needs_revocation(c, false))
			continue;
		const struct rev_answer *r = first_proven(b, judge_answers(b->j, c, issuer), since);
		if (r == NULL && c->not_after < now)
			return; /* nobody speaks of it any more */
		if (r == NULL) {
			gap(b, "newer revocation data for", c);
			want_add(b, WANT_REVOCATION, c, issuer, true, since);
			return;
		}
		if (!answer_embedded(b->j, r)) {
			answer_add(b, r);
			if (r->signer != issuer)
				walk(b, r->signer, r->object->kind == REV_CRL ? OBJ_CRL_ISSUER : OBJ_RESPONDER, 1);
		}
		since = poe_lowest(b->j, &b->g->poe, r->object->sha256);
	}
}

static void
judge_sliding(struct judge *j, struct jsig *g)
{
	struct builder b = {.j = j, .g = g, .c = &g->r->sliding, .line = LINE_SIGNER, .signature = g->s->index, .newer_than = TIME_NONE};
	struct findings *f = j->f;

	j->f = NULL;
	b.c->complete = true;
	slide_needs(&b, &g->sub);
	b.line = LINE_TSA;
	b.for_stamp = true;
	for (size_t i = 0; i < g->n_stamps; i++) {
		b.stamp = i;
		if (g->stamps[i].tok != NULL)
			slide_needs(&b, &g->stamps[i].sub);
	}
	j->f = f;
}

void
judge_closure(struct judge *j, struct jsig *g)
{
	int64_t at = g->r->stamped_time = stamped_time(g);
	struct builder b = {.j = j, .g = g, .c = &g->r->closure, .line = LINE_SIGNER, .signature = g->s->index,
	    .newer_than = at == TIME_NONE ? j->now : at};

	build(&b, g->cert, OBJ_SIGNER);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (g->stamps[i].tok != NULL)
			stamp_closure_in(j, g, &g->stamps[i], g->s->index, g->stamps[i].tok->gen_time);
	if (j->pol->sliding_strict)
		judge_sliding(j, g);
	want_files(j, g);
}

/* ---- level detection: are the values complete? (xades.md 6) ---- */

/* In g's own properties, tokens or counter-signatures: what its master or a neighbour holds is not its level. */
static bool
holds(const struct judge *j, const struct jsig *g, const struct revocation *r)
{
	for (size_t i = 0; i < g->s->n_embedded; i++)
		if (g->embedded[i].rev == r)
			return true;
	for (size_t i = 0; i < g->n_stamps; i++)
		for (size_t k = 0; g->stamps[i].tok != NULL && k < g->stamps[i].tok->n_revs; k++)
			if (memcmp(g->stamps[i].tok->revs[k]->sha256, r->sha256, 32) == 0)
				return true;
	for (size_t i = g->s->index + 1; g->s->count.counter_signatures > 0 && i < j->n_sigs; i++)
		if (j->sigs[i].s->parent == (long)g->s->index && holds(j, &j->sigs[i], r))
			return true;
	return false;
}

static bool
chain_has_values(struct judge *j, const struct jsig *g, const struct xcv *x, bool *all_self_signed)
{
	const struct chain *ch = chain_of(x);

	for (size_t i = 0; i < ch->n; i++) {
		bool found = false;

		if ((ch->anchor != NULL && i + 1 == ch->n) || !needs_revocation(ch->v[i], true))
			continue;
		*all_self_signed = false;
		if (i + 1 == ch->n)
			return false;
		const struct answers *a = judge_answers(j, ch->v[i], ch->v[i + 1]);
		for (size_t k = 0; a != NULL && k < a->n && !found; k++)
			found = a->v[k].status != REV_NONE && holds(j, g, a->v[k].object);
		if (!found)
			return false;
	}
	return true;
}

static const struct jstamp *
last_archive(const struct jsig *g)
{
	const struct jstamp *last = NULL;

	for (size_t i = 0; i < g->n_stamps; i++)
		if (g->stamps[i].xs->type == STAMP_ARCHIVE)
			last = &g->stamps[i];
	return last;
}

bool
values_complete(struct judge *j, struct jsig *g)
{
	const struct jstamp *last = last_archive(g);
	bool self = true;

	/* the last property may hold several tokens */
	if (g->sub.x != NULL && !chain_has_values(j, g, g->sub.x, &self))
		return false;
	for (size_t i = 0; i < g->n_stamps; i++)
		if ((last == NULL || g->stamps[i].xs->node != last->xs->node) && g->stamps[i].sub.x != NULL && !chain_has_values(j, g, g->stamps[i].sub.x, &self))
			return false;
	return !self || g->s->count.cert_values > 0 || g->s->count.validation_data > 0;
}
