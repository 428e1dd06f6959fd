/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <stdlib.h>
#include <string.h>

static size_t
slot(const struct idmap *m, const char *value)
{
	uint64_t h = 0xcbf29ce484222325u ^ m->seed;
	const char *p;
	size_t i;

	for (p = value; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	for (i = (size_t)(h ^ (h >> 29)) & (m->cap - 1); m->v[i].value != NULL; i = (i + 1) & (m->cap - 1))
		if (strcmp(m->v[i].value, value) == 0)
			break;
	return i;
}

static enum err_code
grow(struct idmap *m, struct err *e)
{
	struct idmap old = *m;
	size_t i;

	m->cap = old.cap == 0 ? 64 : old.cap * 2;
	if (m->seed == 0)
		m->seed = (uint64_t)(uintptr_t)m * 0x9e3779b97f4a7c15u | 1;
	m->v = mem_new(m->cap, sizeof(*m->v));
	if (m->v == NULL) {
		*m = old;
		return err_nomem(e);
	}
	for (i = 0; i < old.cap; i++)
		if (old.v[i].value != NULL)
			m->v[slot(m, old.v[i].value)] = old.v[i];
	free(old.v);
	return ERR_OK;
}

enum err_code
idmap_add(struct idmap *m, const char *value, xmlNode *node, struct err *e)
{
	size_t i;

	if (m->n * 2 >= m->cap && grow(m, e) != ERR_OK)
		return err_wrap(e, "IDs");
	i = slot(m, value);
	if (m->v[i].value == NULL) {
		m->v[i] = (struct id_entry){value, node, false};
		m->n++;
	} else if (m->v[i].node != node) {
		m->v[i].twice = true;
	}
	return ERR_OK;
}

xmlNode *
idmap_find(const struct idmap *m, const char *value, bool *ambiguous)
{
	size_t i;

	*ambiguous = false;
	if (m->cap == 0)
		return NULL;
	i = slot(m, value);
	if (m->v[i].value == NULL)
		return NULL;
	*ambiguous = m->v[i].twice;
	return m->v[i].node;
}

void
idmap_release(struct idmap *m)
{
	free(m->v);
	*m = (struct idmap){0};
}
