/* SPDX-License-Identifier: MIT */
#include "verify/derivation.h"
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

static const char *const KINDS[PROOF_KINDS] = {
    [PROOF_NOTHING] = "nothing",
    [PROOF_INPUT] = "input",
    [PROOF_ANCHOR] = "anchor",
    [PROOF_ISSUED] = "issued",
    [PROOF_ANSWERS] = "answers",
    [PROOF_GOOD] = "good",
    [PROOF_REFERENCE] = "reference",
    [PROOF_HOLDS] = "holds",
    [PROOF_SIGNED] = "signed",
    [PROOF_SIGNER] = "signer",
    [PROOF_IMPRINT] = "imprint",
    [PROOF_STAMP] = "stamp",
    [PROOF_EXISTS] = "exists",
    [PROOF_PASSED] = "passed",
};
static const char *const PLACE_NAMES[PLACES] = {
    [PLACE_NOWHERE] = "nowhere",
    [PLACE_VALUE] = "signature-value",
    [PLACE_TOKEN] = "token",
    [PLACE_EMBEDDED] = "embedded",
    [PLACE_IN_RESPONSE] = "in-ocsp-response",
    [PLACE_IN_TOKEN] = "in-token",
    [PLACE_REF] = "reference",
    [PLACE_SIGNER] = "signing-certificate",
    [PLACE_OUTSIDE] = "outside",
};

const char *
proof_kind_name(enum proof_kind k)
{
	return (unsigned)k < PROOF_KINDS ? KINDS[k] : "unknown";
}

const char *
proof_place_name(enum proof_place p)
{
	return (unsigned)p < PLACES ? PLACE_NAMES[p] : "unknown";
}

bool
proof_add(struct proof *p, const struct proof_line *line)
{
	if (p->n >= PROOF_LINES_MAX || !mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v)))
		return false;
	p->v[p->n] = *line;
	p->v[p->n].first = p->n_rests;
	p->v[p->n++].n = 0;
	return true;
}

bool
proof_rest(struct proof *p, size_t line)
{
	if (p->n == 0 || p->n_rests >= PROOF_RESTS_MAX || !mem_grow(&p->rests, &p->cap_rests, p->n_rests, sizeof(*p->rests)))
		return false;
	p->rests[p->n_rests++] = line;
	p->v[p->n - 1].n++;
	return true;
}

void
proof_cut(struct proof *p, size_t n)
{
	if (n >= p->n)
		return;
	p->n_rests = p->v[n].first;
	p->n = n;
}

void
proof_release(struct proof *p)
{
	free(p->v);
	free(p->rests);
	memset(p, 0, sizeof(*p));
}

bool
alg_same(const struct alg_use *a, const struct alg_use *b)
{
	return a->is_signature == b->is_signature && a->key == b->key && a->key_bits == b->key_bits && a->q_bits == b->q_bits &&
	    a->digest == b->digest && a->mgf == b->mgf && a->usage == b->usage;
}

/* ---- form ---- */

/* What each kind uses; the rest of a line must say nothing, so that no line says more than is checked. */
enum { OBJECT = 1, BY = 2, TIME = 4, ALG = 8, SIG = 16, AT = 32, ENTRY = 64, ROLE = 128, CTX = 256, PLACE = 512 };

static bool
says_no_more(const struct proof_line *l)
{
	static const unsigned USES[PROOF_KINDS] = {[PROOF_INPUT] = OBJECT | BY | TIME, [PROOF_ANCHOR] = OBJECT,
	    [PROOF_ISSUED] = OBJECT | TIME | ALG, [PROOF_ANSWERS] = OBJECT | BY | TIME | ALG | ROLE,
	    [PROOF_GOOD] = OBJECT | TIME | CTX | ROLE, [PROOF_REFERENCE] = SIG | AT | ENTRY | ALG, [PROOF_HOLDS] = SIG,
	    [PROOF_SIGNED] = SIG | OBJECT | ALG, [PROOF_SIGNER] = SIG | OBJECT | ALG, [PROOF_IMPRINT] = SIG | AT | OBJECT | ALG,
	    [PROOF_STAMP] = SIG | AT | OBJECT | TIME | ALG, [PROOF_EXISTS] = PLACE | SIG | AT | OBJECT | TIME, [PROOF_PASSED] = SIG | TIME};
	static const struct alg_use none = {0};
	static const uint8_t zero[32] = {0};
	unsigned says = (l->place != PLACE_NOWHERE ? PLACE : 0) | (l->ctx != 0 ? CTX : 0) | (l->role != 0 ? ROLE : 0) |
	    (l->sig != 0 ? SIG : 0) | (l->at != 0 ? AT : 0) | (l->entry != PROOF_NO_ENTRY ? ENTRY : 0) | (l->time != 0 ? TIME : 0) |
	    (memcmp(l->object, zero, 32) != 0 ? OBJECT : 0) | (memcmp(l->by, zero, 32) != 0 ? BY : 0) | (alg_same(&l->alg, &none) ? 0 : ALG);
	unsigned uses = USES[l->kind];

	if (l->kind == PROOF_EXISTS && (l->place == PLACE_VALUE || l->place == PLACE_SIGNER))
		uses &= ~(unsigned)(AT | (l->place == PLACE_VALUE ? OBJECT : 0));
	if (l->kind == PROOF_EXISTS && l->place == PLACE_OUTSIDE)
		uses &= ~(unsigned)(AT | SIG);
	if (l->kind == PROOF_SIGNER && l->n == 0)
		uses &= ~(unsigned)ALG;
	return (says & ~uses) == 0;
}

const char *
proof_line_fault(const struct proof *p, size_t i)
{
	const struct proof_line *l = &p->v[i];

	if ((unsigned)l->kind >= PROOF_KINDS || l->kind == PROOF_NOTHING || (l->kind == PROOF_INPUT) != (i == 0))
		return "a line of no kind, or input elsewhere than first";
	if (l->first > p->n_rests || l->n > p->n_rests - l->first)
		return "premises that are not there";
	for (size_t r = 0; r < l->n; r++)
		if (p->rests[l->first + r] >= i)
			return "rests on a line that is not earlier";
	if (!says_no_more(l))
		return "a field that this kind of line has not";
	for (size_t k = 0; k < i && (l->kind == PROOF_PASSED || l->kind == PROOF_STAMP); k++)
		if (p->v[k].kind == l->kind && p->v[k].sig == l->sig && p->v[k].at == l->at)
			return "concluded twice";
	return NULL;
}

size_t
proof_idle(const struct proof *p)
{
	uint8_t *used = mem_new(p->n + 1, 1);
	size_t i = 0;

	for (size_t l = 0; used != NULL && l < p->n; l++)
		for (size_t r = 0; r < p->v[l].n; r++)
			used[p->rests[p->v[l].first + r]] = 1;
	while (used != NULL && i < p->n &&
	    (used[i] != 0 || p->v[i].kind == PROOF_INPUT || p->v[i].kind == PROOF_PASSED || p->v[i].kind == PROOF_STAMP))
		i++;
	free(used);
	return i; /* without memory the first line is idle: not accepted */
}

/* ---- JSON ---- */

static bool
put(json_t *o, const char *key, json_t *value)
{
	return value != NULL && json_object_set_new(o, key, value) == 0;
}

static json_t *
hex_json(const uint8_t digest[32])
{
	char text[65];

	hex_of(slice_of(digest, 32), text);
	return json_string(text);
}

static json_t *
time_json(int64_t t)
{
	char text[TIME_TEXT];

	time_text(t, text);
	return json_string(text);
}

static bool
put_places(json_t *o, const struct proof_line *l)
{
	static const char *const AT_NAMES[PROOF_KINDS] = {
	    [PROOF_REFERENCE] = "reference", [PROOF_IMPRINT] = "timestamp", [PROOF_STAMP] = "timestamp", [PROOF_EXISTS] = "at"};
	bool sig = l->kind >= PROOF_REFERENCE && !(l->kind == PROOF_EXISTS && l->place == PLACE_OUTSIDE);

	return (!sig || put(o, "signature", json_integer((json_int_t)l->sig))) &&
	    (!sig || AT_NAMES[l->kind] == NULL || put(o, AT_NAMES[l->kind], json_integer((json_int_t)l->at))) &&
	    (l->kind != PROOF_REFERENCE || l->entry == PROOF_NO_ENTRY || put(o, "entry", json_integer((json_int_t)l->entry))) &&
	    (l->kind != PROOF_EXISTS || put(o, "place", json_string(proof_place_name(l->place))));
}

static bool
put_fields(json_t *o, const struct proof_line *l)
{
	static const uint8_t none[32] = {0};
	bool timed = l->kind == PROOF_INPUT || l->kind == PROOF_ISSUED || l->kind == PROOF_ANSWERS || l->kind == PROOF_GOOD ||
	    l->kind == PROOF_STAMP || l->kind == PROOF_EXISTS || l->kind == PROOF_PASSED;
	char alg[64];

	if (memcmp(l->object, none, 32) != 0 && !put(o, "object", hex_json(l->object)))
		return false;
	if (memcmp(l->by, none, 32) != 0 && !put(o, l->kind == PROOF_INPUT ? "rules" : "about", hex_json(l->by)))
		return false;
	if (timed && !put(o, "time", time_json(l->time)))
		return false;
	if (l->kind == PROOF_GOOD &&
	    (!put(o, "use", json_string(check_context_name(l->ctx))) || !put(o, "role", json_string(l->role == ROLE_TSA ? "tsa" : "signer"))))
		return false;
	if (l->alg.digest == DIGEST_NONE && l->alg.key == KEY_UNKNOWN)
		return true;
	alg_text(&l->alg, alg, sizeof(alg));
	return put(o, "algorithm", json_string(alg));
}

static json_t *
line_json(const struct proof *p, size_t i)
{
	const struct proof_line *l = &p->v[i];
	json_t *o = json_object(), *rests = json_array();
	bool ok = o != NULL && rests != NULL;

	for (size_t r = 0; ok && r < l->n; r++)
		ok = json_array_append_new(rests, json_integer((json_int_t)p->rests[l->first + r])) == 0;
	ok = ok && put(o, "n", json_integer((json_int_t)i)) && put(o, "kind", json_string(proof_kind_name(l->kind))) &&
	    put_places(o, l) && put_fields(o, l) && json_object_set(o, "rests", rests) == 0;
	json_decref(rests);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

enum err_code
derivation_json(const struct proof *p, json_t **out, struct err *e)
{
	json_t *a = json_array();
	bool ok = a != NULL;

	for (size_t i = 0; ok && i < p->n; i++)
		ok = json_array_append_new(a, line_json(p, i)) == 0;
	if (!ok) {
		json_decref(a);
		return err_nomem(e);
	}
	*out = a;
	return ERR_OK;
}
