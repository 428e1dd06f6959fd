/* SPDX-License-Identifier: MIT */
#include "policy/config_int.h"
#include "policy/lines_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX_BYTES (1u << 20)
#define NAMED_MAX 1000

/* ---- faults ---- */

void
config_fault(struct parse *p, unsigned line, const char *fmt, ...)
{
	struct faults *f = p->f;
	struct fault *v;
	va_list ap;

	if (f->n >= FAULTS_MAX) {
		snprintf(f->v[f->n - 1].text, sizeof(f->v[0].text), "more faults than are shown");
		return;
	}
	if (!mem_grow(&f->v, &f->cap, f->n, sizeof(*f->v))) {
		p->nomem = true;
		return;
	}
	v = &f->v[f->n++];
	v->line = line;
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

/* Stable, so that faults of one line keep their order. */
static void
faults_sort(struct faults *f)
{
	size_t i, k;

	for (i = 1; i < f->n; i++) {
		struct fault v = f->v[i];

		for (k = i; k > 0 && f->v[k - 1].line > v.line; k--)
			f->v[k] = f->v[k - 1];
		f->v[k] = v;
	}
}

static void
fault_text(const struct faults *f, const struct fault *v, struct buf *out)
{
	buf_addf(out, "%s:", f->file);
	if (v->line != 0)
		buf_addf(out, "%u:", v->line);
	buf_addf(out, " %s", v->text);
}

void
faults_text(const struct faults *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		fault_text(f, &f->v[i], out);
		buf_adds(out, "\n");
	}
}

void
faults_auto(struct faults *f)
{
	free(f->v);
	*f = (struct faults){0};
}

/* ---- objects ---- */

void *
config_object(struct config *c, enum section s, size_t index)
{
	switch (s) {
	case SEC_SPOOL:
		return &c->spools[index];
	case SEC_PROFILE:
		return &c->profiles[index];
	case SEC_TSA:
		return &c->tsas[index];
	default:
		return (char *)c + config_sections[s].offset;
	}
}

size_t
config_objects(const struct config *c, enum section s)
{
	switch (s) {
	case SEC_SPOOL:
		return c->n_spools;
	case SEC_PROFILE:
		return c->n_profiles;
	case SEC_TSA:
		return c->n_tsas;
	default:
		return 1;
	}
}

const char *
config_object_name(const struct config *c, enum section s, size_t index)
{
	switch (s) {
	case SEC_SPOOL:
		return c->spools[index].name;
	case SEC_PROFILE:
		return c->profiles[index].name;
	case SEC_TSA:
		return c->tsas[index].name;
	default:
		return "";
	}
}

static void
set_defaults(struct parse *p, enum section s, void *object)
{
	char why[WHY_MAX];
	size_t i;

	for (i = 0; i < config_n_keys; i++)
		if (config_keys[i].section == s && config_keys[i].def != NULL &&
		    !config_set(&config_keys[i], object, p->file, config_keys[i].def, why, &p->nomem))
			config_fault(p, 0, "default of %s: %s", config_keys[i].key, why);
}

/* A new named object with its defaults; NULL on no memory. */
static void *
new_object(struct parse *p, enum section s, const char *name, unsigned line)
{
	struct config *c = p->c;
	char *copy = mem_dupstr(name);
	bool room = copy != NULL;
	void *made;

	if (s == SEC_SPOOL && room && (room = mem_grow(&c->spools, &c->cap_spools, c->n_spools, sizeof(*c->spools))))
		c->spools[c->n_spools++] = (struct conf_spool){.name = copy, .line = line};
	if (s == SEC_PROFILE && room && (room = mem_grow(&c->profiles, &c->cap_profiles, c->n_profiles, sizeof(*c->profiles))))
		c->profiles[c->n_profiles++] = (struct conf_profile){.name = copy, .line = line, .target = TARGET_UNSET};
	if (s == SEC_TSA && room && (room = mem_grow(&c->tsas, &c->cap_tsas, c->n_tsas, sizeof(*c->tsas))))
		c->tsas[c->n_tsas++] = (struct conf_tsa){.name = copy, .line = line};
	if (!room) {
		free(copy);
		p->nomem = true;
		return NULL;
	}
	made = config_object(c, s, config_objects(c, s) - 1);
	set_defaults(p, s, made);
	return made;
}

/* ---- reading ---- */

struct at { /* the section being read */
	bool known;
	enum section section;
	size_t index;
	unsigned line;
	unsigned seen[CONFIG_KEYS_MAX]; /* line of each key; 0 = not yet */
};

static void
check_required(struct parse *p, const struct at *a)
{
	size_t i;

	for (i = 0; a->known && i < config_n_keys; i++)
		if (config_keys[i].section == a->section && config_keys[i].required && a->seen[i] == 0)
			config_fault(p, a->line, "[%s%s%s] needs '%s'", config_sections[a->section].word,
			    config_sections[a->section].named ? " " : "", config_object_name(p->c, a->section, a->index),
			    config_keys[i].key);
}

/* Enter a named section. False after a fault. */
static bool
enter_named(struct parse *p, struct at *a, const char *name)
{
	size_t i, n = config_objects(p->c, a->section);

	if (!config_is_name(name)) {
		config_fault(p, a->line, "[%s NAME] needs a name of letters, digits, . _ -", config_sections[a->section].word);
		return false;
	}
	for (i = 0; i < n; i++)
		if (strcmp(config_object_name(p->c, a->section, i), name) == 0) {
			config_fault(p, a->line, "[%s %s] stands twice", config_sections[a->section].word, name);
			return false;
		}
	if (n >= NAMED_MAX) {
		config_fault(p, a->line, "more than %d sections [%s]", NAMED_MAX, config_sections[a->section].word);
		return false;
	}
	a->index = n;
	return new_object(p, a->section, name, a->line) != NULL;
}

static bool
enter_single(struct parse *p, struct at *a, const char *name)
{
	if (*name != '\0') {
		config_fault(p, a->line, "[%s] takes no name", config_sections[a->section].word);
		return false;
	}
	if (p->section_line[a->section] != 0) {
		config_fault(p, a->line, "[%s] stands twice, first in line %u", config_sections[a->section].word,
		    p->section_line[a->section]);
		return false;
	}
	p->section_line[a->section] = a->line;
	return true;
}

static void
enter(struct parse *p, struct at *a, const struct line *l)
{
	int s;

	check_required(p, a);
	*a = (struct at){.line = l->number};
	for (s = 0; s < SEC_COUNT && strcmp(config_sections[s].word, l->key) != 0; s++)
		;
	if (s == SEC_COUNT) {
		config_fault(p, l->number, "unknown section [%.40s]", l->key);
		return;
	}
	a->section = (enum section)s;
	a->known = config_sections[s].named ? enter_named(p, a, l->value) : enter_single(p, a, l->value);
}

static void
read_key(struct parse *p, struct at *a, const struct line *l)
{
	char why[WHY_MAX] = "";
	size_t i;

	if (a->line == 0) {
		config_fault(p, l->number, "'%.40s' stands before the first [section]", l->key);
		return;
	}
	if (!a->known)
		return; /* the section's fault was told */
	for (i = 0; i < config_n_keys; i++)
		if (config_keys[i].section == a->section && strcmp(config_keys[i].key, l->key) == 0)
			break;
	if (i == config_n_keys) {
		config_fault(p, l->number, "unknown key '%.40s' in [%s]", l->key, config_sections[a->section].word);
		return;
	}
	if (a->seen[i] != 0) {
		config_fault(p, l->number, "'%s' stands twice, first in line %u", l->key, a->seen[i]);
		return;
	}
	a->seen[i] = l->number;
	if (!config_sections[a->section].named)
		p->key_line[i] = l->number;
	if (!config_set(&config_keys[i], config_object(p->c, a->section, a->index), p->file, l->value, why, &p->nomem))
		config_fault(p, l->number, "%s: %s", l->key, why);
}

static void
read_lines(struct parse *p, struct slice text)
{
	struct lines in = {.in = text};
	struct at a = {0};
	struct line l;

	for (line_next(&in, &l); l.kind != LINE_END && !p->nomem; line_next(&in, &l)) {
		if (l.kind == LINE_SECTION)
			enter(p, &a, &l);
		else if (l.kind == LINE_KEY)
			read_key(p, &a, &l);
		else
			config_fault(p, l.number, "%s", l.fault);
	}
	check_required(p, &a);
}

unsigned
config_line(const struct parse *p, enum section s, const char *key)
{
	size_t i;

	for (i = 0; i < config_n_keys; i++)
		if (config_keys[i].section == s && strcmp(config_keys[i].key, key) == 0 && p->key_line[i] != 0)
			return p->key_line[i];
	return p->section_line[s];
}

static void
single_defaults(struct parse *p)
{
	int s;

	for (s = 0; s < SEC_COUNT; s++)
		if (!config_sections[s].named)
			set_defaults(p, (enum section)s, config_object(p->c, (enum section)s, 0));
}

enum err_code
config_parse(struct slice text, const char *file, struct config **out, struct faults *f, struct err *e)
{
	AUTO(config) struct config *c = mem_new(1, sizeof(*c));
	AUTO(buf) struct buf first = {0};
	struct parse p = {.c = c, .f = f, .file = file};

	if (text.n > CONFIG_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "%s: more than 1 MiB", file);
	if (c == NULL || (c->file = mem_dupstr(file)) == NULL)
		return err_nomem(e);
	faults_auto(f);
	snprintf(f->file, sizeof(f->file), "%s", file);
	single_defaults(&p);
	read_lines(&p, text);
	if (!p.nomem && config_profile(c, "default") == NULL)
		new_object(&p, SEC_PROFILE, "default", 0);
	if (!p.nomem)
		config_check(&p);
	if (p.nomem)
		return err_nomem(e);
	if (f->n > 0) {
		faults_sort(f);
		fault_text(f, &f->v[0], &first);
		if (f->n > 1)
			buf_addf(&first, " (%zu faults)", f->n);
		return err_set(e, ERR_USAGE, "%s", buf_str(&first));
	}
	*out = TAKE(c);
	return ERR_OK;
}

/* ---- the rest ---- */

static void
free_section(struct config *c, enum section s)
{
	size_t i, k;

	for (k = 0; k < config_objects(c, s); k++)
		for (i = 0; i < config_n_keys; i++)
			if (config_keys[i].section == s)
				config_key_free(&config_keys[i], config_object(c, s, k));
}

void
config_free(struct config *c)
{
	size_t i;
	int s;

	if (c == NULL)
		return;
	for (s = 0; s < SEC_COUNT; s++)
		free_section(c, (enum section)s);
	for (i = 0; i < c->n_spools; i++)
		free(c->spools[i].name);
	for (i = 0; i < c->n_profiles; i++)
		free(c->profiles[i].name);
	for (i = 0; i < c->n_tsas; i++)
		free(c->tsas[i].name);
	free(c->spools);
	free(c->profiles);
	free(c->tsas);
	free(c->file);
	free(c);
}

void
config_auto(struct config **c)
{
	config_free(*c);
	*c = NULL;
}

void
config_text(const struct config *c, struct buf *out)
{
	size_t i, k;
	int s;

	for (s = 0; s < SEC_COUNT; s++)
		for (k = 0; k < config_objects(c, (enum section)s); k++) {
			const char *name = config_object_name(c, (enum section)s, k);

			buf_addf(out, "%s[%s%s%s]\n", s > 0 ? "\n" : "", config_sections[s].word, *name != '\0' ? " " : "", name);
			for (i = 0; i < config_n_keys; i++)
				if (config_keys[i].section == (enum section)s)
					config_key_text(&config_keys[i], config_object((struct config *)c, (enum section)s, k), out);
		}
}

const struct conf_profile *
config_profile(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_profiles; i++)
		if (strcmp(c->profiles[i].name, name) == 0)
			return &c->profiles[i];
	return NULL;
}

const struct conf_tsa *
config_tsa(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_tsas; i++)
		if (strcmp(c->tsas[i].name, name) == 0)
			return &c->tsas[i];
	return NULL;
}
