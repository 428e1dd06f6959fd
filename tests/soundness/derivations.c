/* SPDX-License-Identifier: MIT */
/*
 * derivations --seeds TABLE[,TABLE] [--rounds N] [--seed X] [--row PREFIX]
 *
 * The derivation of each original that passes, changed: lines dropped, doubled, moved, altered field by field, given other premises,
 * taken from another document's. The checker must refuse each; what it accepts may say the same or less, on premises that do as well
 * (docs/soundness.md). Exit 1 when it accepted anything else.
 */
#include "tests/soundness/soundness.h"

#include "base/sys.h"
#include "base/xml.h"
#include "verify/derivation.h"
#include "verify/proof/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One original with its derivation. */
struct derived {
	const struct seed *s;
	struct proof p;
};

static void
proof_copy(struct proof *to, const struct proof *from)
{
	memset(to, 0, sizeof(*to));
	to->v = must(malloc((from->n + 64) * sizeof(*to->v)));
	to->rests = must(malloc((from->n_rests + 256) * sizeof(*to->rests)));
	memcpy(to->v, from->v, from->n * sizeof(*to->v));
	memcpy(to->rests, from->rests, from->n_rests * sizeof(*to->rests));
	to->n = from->n;
	to->n_rests = from->n_rests;
	to->cap = from->n + 64;
	to->cap_rests = from->n_rests + 256;
}

static bool
same_words(const struct proof_line *a, const struct proof_line *b)
{
	return a->kind == b->kind && a->place == b->place && a->ctx == b->ctx && a->role == b->role && a->sig == b->sig && a->at == b->at &&
	    a->entry == b->entry && memcmp(a->object, b->object, 32) == 0 && memcmp(a->by, b->by, 32) == 0 && a->time == b->time &&
	    alg_same(&a->alg, &b->alg);
}

/* ---- changes; each keeps to the room that proof_copy left ---- */

struct cut {
	struct rng *r;
	struct proof *p;
	const struct proof *other; /* of another document; may be NULL */
	size_t at;
};

static void
take_line(struct proof *p, size_t at)
{
	memmove(p->v + at, p->v + at + 1, (p->n - at - 1) * sizeof(*p->v));
	p->n--;
}

static void
put_line(struct proof *p, size_t at, const struct proof_line *l)
{
	struct proof_line copy = *l;

	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(*p->v));
	p->v[at] = copy;
	p->n++;
}

/* Premises that stood behind a place follow what moved; by: -1, 0 or 1. */
static void
renumber(struct proof *p, size_t from, int by)
{
	for (size_t i = 0; i < p->n_rests; i++)
		if (p->rests[i] >= from && p->rests[i] != SIZE_MAX)
			p->rests[i] += (size_t)by;
}

static bool
c_drop(struct cut *c)
{
	take_line(c->p, c->at);
	if (rng_one_in(c->r, 2))
		renumber(c->p, c->at + 1, -1);
	return true;
}

static bool
c_double(struct cut *c)
{
	put_line(c->p, c->at, &c->p->v[c->at]);
	if (rng_one_in(c->r, 2))
		renumber(c->p, c->at + 1, 1);
	return true;
}

/* Two lines change places, their numbers too or not. Neighbours that don't rest on each other may: it is the same derivation. */
static bool
c_swap(struct cut *c)
{
	size_t other = rng_below(c->r, c->p->n);
	struct proof_line was = c->p->v[other];

	if (same_words(&was, &c->p->v[c->at]))
		return false;
	c->p->v[other] = c->p->v[c->at];
	c->p->v[c->at] = was;
	return true;
}

static bool
c_field(struct cut *c)
{
	static const int64_t shifts[] = {-1, 1, -86400, 86400, -315360000, 315360000};
	struct proof_line *l = &c->p->v[c->at], was = *l;
	const struct proof_line *like = &c->p->v[rng_below(c->r, c->p->n)];

	switch (rng_below(c->r, 12)) {
	case 0:
		l->kind = (enum proof_kind)rng_below(c->r, PROOF_KINDS + 1);
		break;
	case 1:
		l->place = (enum proof_place)rng_below(c->r, PLACES + 1);
		break;
	case 2:
		l->ctx = (enum check_context)rng_below(c->r, CTX_COUNT + 1);
		break;
	case 3:
		l->role = (unsigned)rng_below(c->r, 8);
		break;
	case 4:
		l->sig = rng_one_in(c->r, 4) ? SIZE_MAX : rng_below(c->r, 4);
		break;
	case 5:
		l->at = rng_one_in(c->r, 4) ? SIZE_MAX : rng_below(c->r, 12);
		break;
	case 6:
		l->entry = rng_one_in(c->r, 2) ? PROOF_NO_ENTRY : rng_below(c->r, 6);
		break;
	case 7:
		l->object[rng_below(c->r, 32)] ^= (uint8_t)(1u << rng_below(c->r, 8));
		break;
	case 8:
		memcpy(rng_one_in(c->r, 2) ? l->object : l->by, rng_one_in(c->r, 2) ? like->object : like->by, 32);
		break;
	case 9:
		l->time = rng_one_in(c->r, 2) ? like->time : l->time == TIME_MAX || l->time == TIME_NONE ? 0 : l->time + shifts[rng_below(c->r, 6)];
		break;
	case 10:
		l->alg = like->alg;
		break;
	default:
		l->alg.digest = (enum digest_alg)rng_below(c->r, 12);
		l->alg.key_bits = rng_one_in(c->r, 2) ? l->alg.key_bits : (unsigned)rng_below(c->r, 8192);
	}
	return !same_words(l, &was);
}

/* A premise more, one fewer, another one. */
static bool
c_premise(struct cut *c)
{
	struct proof_line *l = &c->p->v[c->at];
	size_t i = l->first + rng_below(c->r, l->n), was;

	if (rng_one_in(c->r, 3)) {
		bool more = rng_one_in(c->r, 2);

		if (more ? l->first + l->n >= c->p->n_rests : l->n == 0)
			return false;
		l->n += more ? 1 : (size_t)-1;
		return true;
	}
	if (l->n == 0)
		return false;
	was = c->p->rests[i];
	c->p->rests[i] = rng_one_in(c->r, 8) ? SIZE_MAX : rng_below(c->r, c->p->n);
	return c->p->rests[i] != was;
}

/* Another document's line in the place of this one, or before it; of its kind where there is one. */
static bool
c_exchange(struct cut *c)
{
	const struct proof_line *l = NULL;
	struct proof_line was = c->p->v[c->at], now;

	if (c->other == NULL || c->other->n == 0)
		return false;
	for (size_t tries = 0; tries < 16; tries++) {
		l = &c->other->v[rng_below(c->r, c->other->n)];
		if (l->kind == was.kind)
			break;
	}
	now = *l;
	now.first = was.first;
	now.n = was.n;
	if (rng_one_in(c->r, 5)) {
		put_line(c->p, c->at, &now);
		renumber(c->p, c->at, 1);
		return true;
	}
	c->p->v[c->at] = now;
	return !same_words(&now, &was);
}

static bool
c_whole(struct cut *c)
{
	if (c->other == NULL)
		return false;
	free(c->p->v);
	free(c->p->rests);
	proof_copy(c->p, c->other);
	return true;
}

static const struct {
	const char *name;
	unsigned weight;
	bool (*how)(struct cut *c);
} CUTS[] = {{"drop", 2, c_drop}, {"double", 2, c_double}, {"swap", 2, c_swap}, {"field", 8, c_field}, {"premise", 4, c_premise},
    {"exchange", 4, c_exchange}, {"whole", 1, c_whole}};
#define N_CUTS (sizeof(CUTS) / sizeof(CUTS[0]))

static size_t
some_cut(struct rng *r)
{
	size_t at = rng_below(r, 23);

	for (size_t i = 0;; i++) {
		if (at < CUTS[i].weight)
			return i;
		at -= CUTS[i].weight;
	}
}

/* ---- what an accepted one may be ---- */

/*
 * The same fact, found otherwise: an object stands twice under a stamp, or under two stamps of one time; two answers say the
 * same of a certificate.
 */
static bool
same_fact(const struct proof_line *a, const struct proof_line *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == PROOF_EXISTS)
		return a->time == b->time && memcmp(a->object, b->object, 32) == 0;
	if (a->kind == PROOF_ANSWERS)
		return a->role == b->role && memcmp(a->by, b->by, 32) == 0;
	return same_words(a, b);
}

/* Every line is a fact of the original's. */
static bool
says_no_more(const struct proof *p, const struct proof *of)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t k = 0;

		while (k < of->n && !same_fact(&p->v[i], &of->v[k]))
			k++;
		if (k == of->n)
			return false;
	}
	return true;
}

/* Which field of the line differs, or its premises. */
static void
tell_line(const struct proof *p, const struct proof *of, size_t at)
{
	const struct proof_line *a = &of->v[at], *b = &p->v[at < p->n ? at : 0];

	printf("  was");
	for (size_t i = 0; i < a->n; i++)
		printf(" %zu", of->rests[a->first + i]);
	printf(", is");
	for (size_t i = 0; i < b->n && b->first + i < p->n_rests; i++)
		printf(" %zu", p->rests[b->first + i]);
	printf("; kind %d %d place %d %d ctx %d %d role %u %u sig %zu %zu at %zu %zu entry %zu %zu time %" PRId64 " %" PRId64 " object %d by %d\n", (int)a->kind,
	    (int)b->kind, (int)a->place, (int)b->place, (int)a->ctx, (int)b->ctx, a->role, b->role, a->sig, b->sig, a->at, b->at, a->entry, b->entry,
	    a->time, b->time, memcmp(a->object, b->object, 32) == 0, memcmp(a->by, b->by, 32) == 0);
}

struct figures {
	uint64_t made[N_CUTS], refused[N_CUTS], less[N_CUTS], accepted[N_CUTS];
};

static void
one_round(const struct proof_case *c, const struct derived *d, const struct proof *other, struct rng *r, uint64_t number, struct figures *f)
{
	struct proof p;
	struct cut cut = {.r = r, .p = &p, .other = other, .at = rng_below(r, d->p.n)};
	size_t which = some_cut(r), bad = 0;
	char why[240] = "";

	proof_copy(&p, &d->p);
	if (CUTS[which].how(&cut) && p.n > 0) {
		f->made[which]++;
		if (!proof_check(c, &p, &bad, why, sizeof(why))) {
			f->refused[which]++;
		} else if (says_no_more(&p, &d->p)) {
			f->less[which]++;
		} else {
			f->accepted[which]++;
			printf("%" PRIu64 " %s of %s: accepted, line %zu (%s)\n", number, CUTS[which].name, d->s->name, cut.at, proof_kind_name(d->p.v[cut.at].kind));
			tell_line(&p, &d->p, cut.at);
		}
	}
	free(p.v);
	free(p.rests);
}

/* ---- originals ---- */

struct opened {
	struct side_file files[SIDES_MAX];
	struct slice slices[SIDES_MAX];
	struct sigdoc *d;
	struct proof_case c;
};

static struct report *
open_case(struct verifier *v, const struct seed *s, struct opened *o)
{
	struct report *r = NULL;
	struct err e = {0};

	for (size_t i = 0; i < s->sides.n; i++) {
		o->slices[i] = buf_slice(&s->sides.octets[i]);
		o->files[i] = (struct side_file){.name = s->sides.names[i], .has_source = true, .source = source_slice(&o->slices[i])};
	}
	if (sigdoc_open(buf_slice(&s->octets), o->files, s->sides.n, NULL, &o->d, &e) != ERR_OK)
		die(s->name, e.text);
	struct verify_input in = {.name = "original", .doc = buf_slice(&s->octets), .parsed = o->d, .files = o->files, .n_files = s->sides.n,
	    .anchors = s->anchors, .policy = &s->policy, .time_utc = s->at};
	if (verify_document(v, &in, &r, &e) != ERR_OK)
		die(s->name, e.text);
	o->c = (struct proof_case){.doc = o->d, .octets = in.doc, .pki = verifier_pki(v), .anchors = s->anchors, .policy = &s->policy, .now_utc = s->at};
	return r;
}

static void
rounds_of(const struct derived *all, size_t n, size_t i, uint64_t rounds, uint64_t seed, struct figures *f)
{
	AUTO(verifier) struct verifier *v = NULL;
	struct opened o = {.d = NULL};
	struct report *r;
	struct err e = {0};
	size_t bad;
	char why[240];

	if (verifier_new(&v, &e) != ERR_OK)
		die("verifier", e.text);
	r = open_case(v, all[i].s, &o);
	if (!proof_check(&o.c, &all[i].p, &bad, why, sizeof(why)))
		printf("original %s: refused at line %zu: %s\n", all[i].s->name, bad, why);
	for (uint64_t k = 0; k < rounds; k++) {
		struct rng g = rng_of(seed, i * rounds + k);

		one_round(&o.c, &all[i], n > 1 ? &all[(i + 1 + rng_below(&g, n - 1)) % n].p : NULL, &g, i * rounds + k, f);
	}
	report_free(r);
	sigdoc_close(o.d);
}

static bool
tell(const struct figures *f, size_t n, int64_t ms)
{
	struct {
		uint64_t made, refused, less, accepted;
	} all = {0};

	printf("%-10s %9s %9s %9s %9s\n", "change", "made", "refused", "less", "accepted");
	for (size_t i = 0; i < N_CUTS; i++) {
		printf("%-10s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", CUTS[i].name, f->made[i], f->refused[i], f->less[i], f->accepted[i]);
		all.made += f->made[i];
		all.refused += f->refused[i];
		all.less += f->less[i];
		all.accepted += f->accepted[i];
	}
	printf("derivations: of %zu originals %" PRIu64 " changed, %" PRIu64 " refused, %" PRIu64 " say the same or less, %" PRIu64 " say more, %.0f s\n", n,
	    all.made, all.refused, all.less, all.accepted, (double)ms / 1000);
	return all.accepted == 0;
}

int
main(int argc, char **argv)
{
	const char *table = NULL, *row = NULL;
	uint64_t rounds = 100, seed = 1;
	static struct figures f;
	struct seeds seeds;
	struct derived *all;
	size_t n = 0;

	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--seeds") == 0)
			table = argv[i + 1];
		else if (strcmp(argv[i], "--row") == 0)
			row = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else
			die(argv[i], "not a word of this program");
	if (table == NULL)
		die("arguments", "--seeds TABLE");
	xml_init();
	seeds_load(&seeds, table, row);
	int64_t start = sys_monotonic_ms();
	all = must(calloc(seeds.n, sizeof(*all)));
	for (size_t i = 0; i < seeds.n; i++) {
		AUTO(verifier) struct verifier *v = NULL;
		struct opened o = {.d = NULL};
		struct err e = {0};
		struct report *r;

		if (!seeds.v[i].passes || verifier_new(&v, &e) != ERR_OK)
			continue;
		r = open_case(v, &seeds.v[i], &o);
		if (r->proof.n > 1) {
			all[n].s = &seeds.v[i];
			proof_copy(&all[n++].p, &r->proof);
		}
		report_free(r);
		sigdoc_close(o.d);
	}
	for (size_t i = 0; i < n; i++)
		rounds_of(all, n, i, rounds, seed, &f);
	return tell(&f, n, sys_monotonic_ms() - start) ? 0 : 1;
}
