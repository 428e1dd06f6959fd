/* SPDX-License-Identifier: MIT */
/* Changes to the text as it is, and to what lies beside it. */
#include "tests/soundness/mutate.h"

#include <stdlib.h>
#include <string.h>

static bool
o_octet(struct making *m)
{
	struct buf *b = &m->out->doc;
	size_t at = rng_below(m->r, b->n);

	if (b->n == 0)
		return false;
	buf_addf(&m->out->changes, "octet %zu;", at);
	b->p[at] = rng_one_in(m->r, 2) ? (uint8_t)(b->p[at] ^ (1u << rng_below(m->r, 8))) : (uint8_t)rng_below(m->r, 256);
	return true;
}

static bool
o_range(struct making *m)
{
	struct buf *b = &m->out->doc;
	size_t at = rng_below(m->r, b->n), n = 1 + rng_below(m->r, 64), to = rng_below(m->r, b->n);
	AUTO(buf) struct buf piece = {0};

	if (b->n == 0)
		return false;
	n = n > b->n - at ? b->n - at : n;
	buf_add(&piece, b->p + at, n);
	buf_addf(&m->out->changes, "range %zu+%zu;", at, n);
	if (rng_one_in(m->r, 2)) { /* gone, or once more elsewhere */
		memmove(b->p + at, b->p + at + n, b->n - at - n);
		b->n -= n;
	} else {
		buf_add(b, piece.p, n);
		memmove(b->p + to + n, b->p + to, b->n - n - to);
		memcpy(b->p + to, piece.p, n);
	}
	return true;
}

/* A document type with an entity, an attribute of type ID, a default value: nothing of it may count. */
static bool
o_doctype(struct making *m)
{
	static const char *const types[] = {"<!DOCTYPE x [<!ENTITY e \"1\">]>", "<!DOCTYPE x [<!ATTLIST amount currency ID #IMPLIED>]>",
	    "<!DOCTYPE x [<!ATTLIST amount Id CDATA \"x\">]>", "<!DOCTYPE x SYSTEM \"x\">"};
	const char *type = types[rng_below(m->r, 4)], *open = (const char *)memmem(m->out->doc.p, m->out->doc.n, "?>", 2);
	AUTO(buf) struct buf all = {0};
	size_t at = open != NULL ? (size_t)(open + 2 - (const char *)m->out->doc.p) : 0;

	buf_add(&all, m->out->doc.p, at);
	buf_adds(&all, type);
	buf_add(&all, m->out->doc.p + at, m->out->doc.n - at);
	buf_clear(&m->out->doc);
	buf_addslice(&m->out->doc, buf_slice(&all));
	buf_addf(&m->out->changes, "%s;", type);
	return true;
}

static bool
o_beside(struct making *m)
{
	struct sides *s = &m->out->sides;
	size_t i = rng_below(m->r, s->n);
	struct buf *b = &s->octets[i];

	if (s->n == 0)
		return false;
	buf_addf(&m->out->changes, "beside %s;", s->names[i]);
	if (rng_one_in(m->r, 4) && s->n > 1) {
		char *was = s->names[i];
		size_t other = (i + 1) % s->n;

		s->names[i] = s->names[other];
		s->names[other] = was;
	} else if (b->n > 0) {
		b->p[rng_below(m->r, b->n)] ^= 1;
		m->out->altered = true;
	} else {
		buf_adds(b, "x");
		m->out->altered = true;
	}
	return true;
}

const struct change_row CHANGES_OCTETS[] = {
    {"octet", 2, o_octet},
    {"range", 2, o_range},
    {"doctype", 1, o_doctype},
    {"beside", 3, o_beside},
    {NULL, 0, NULL},
};
