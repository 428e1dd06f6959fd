/* SPDX-License-Identifier: MIT */
/* What more than one key decides: each rule adds its fault at the line of the key that should change. */
#include "policy/config_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
need_section(struct parse *p, enum section s)
{
	if (p->section_line[s] == 0)
		config_fault(p, 0, "section [%s] is missing", config_sections[s].word);
}

static void
check_spools(struct parse *p)
{
	struct config *c = p->c;
	size_t i, k;

	for (i = 0; i < c->n_spools; i++) {
		struct conf_spool *s = &c->spools[i];

		if (s->depositor == NULL && (s->depositor = mem_dupstr(s->name)) == NULL)
			p->nomem = true;
		if (s->profile != NULL && config_profile(c, s->profile) == NULL)
			config_fault(p, s->line, "spool %s: there is no [profile %s]", s->name, s->profile);
		if (s->dir == NULL)
			continue;
		if (c->archive.dir != NULL && strcmp(s->dir, c->archive.dir) == 0)
			config_fault(p, s->line, "spool %s: its folder is the archive's", s->name);
		for (k = 0; k < i; k++)
			if (c->spools[k].dir != NULL && strcmp(c->spools[k].dir, s->dir) == 0)
				config_fault(p, s->line, "spool %s: the folder belongs to spool %s", s->name, c->spools[k].name);
	}
}

/* No list means all of them, in the order of the file. */
static void
all_tsas(struct parse *p, struct conf_profile *f)
{
	size_t i;

	for (i = 0; i < p->c->n_tsas; i++) {
		char *name = mem_dupstr(p->c->tsas[i].name);

		if (name == NULL || !mem_grow(&f->tsa.v, &f->tsa.cap, f->tsa.n, sizeof(*f->tsa.v))) {
			free(name);
			p->nomem = true;
			return;
		}
		f->tsa.v[f->tsa.n++] = name;
	}
}

static void
check_tsa_list(struct parse *p, const struct conf_profile *f)
{
	size_t i, k;

	for (i = 0; i < f->tsa.n; i++) {
		if (config_tsa(p->c, f->tsa.v[i]) == NULL)
			config_fault(p, f->line, "profile %s: there is no [tsa %.64s]", f->name, f->tsa.v[i]);
		for (k = 0; k < i; k++)
			if (strcmp(f->tsa.v[i], f->tsa.v[k]) == 0)
				config_fault(p, f->line, "profile %s: tsa %.64s is listed twice", f->name, f->tsa.v[i]);
	}
	if (f->tsa.n > 0 && f->quorum > f->tsa.n)
		config_fault(p, f->line, "profile %s: a quorum of %u needs as many TSAs, there are %zu", f->name, f->quorum,
		    f->tsa.n);
}

static bool
target_fits(const struct conf_profile *f)
{
	switch (f->target) {
	case TARGET_T:
		return true;
	case TARGET_LT:
	case TARGET_LTA:
		return f->form == FORM_BASELINE;
	default:
		return f->form == FORM_EXTENDED;
	}
}

static void
check_profiles(struct parse *p)
{
	size_t i;

	for (i = 0; i < p->c->n_profiles; i++) {
		struct conf_profile *f = &p->c->profiles[i];

		if (f->target == TARGET_UNSET)
			f->target = f->form == FORM_BASELINE ? TARGET_LTA : TARGET_A;
		if (!target_fits(f))
			config_fault(p, f->line, "profile %s: target %s is none of form %s", f->name, profile_target_name(f->target),
			    profile_form_name(f->form));
		if (f->target == TARGET_X && !f->x_stamp)
			config_fault(p, f->line, "profile %s: target X without x_stamp", f->name);
		if (f->tsa.n == 0)
			all_tsas(p, f);
		check_tsa_list(p, f);
	}
	if (p->c->n_tsas == 0)
		config_fault(p, 0, "no [tsa NAME]: an archive without a time-stamping authority can't stamp");
}

static void
check_tsas(struct parse *p)
{
	size_t i;

	for (i = 0; i < p->c->n_tsas; i++) {
		const struct conf_tsa *t = &p->c->tsas[i];
		bool tls = t->url != NULL && strncmp(t->url, "https://", 8) == 0;

		if ((t->user == NULL) != (t->password == NULL))
			config_fault(p, t->line, "tsa %s: user and password stand together", t->name);
		if (t->user != NULL && t->header_file != NULL)
			config_fault(p, t->line, "tsa %s: either user and password or header_file", t->name);
		if ((t->client_cert == NULL) != (t->client_key == NULL))
			config_fault(p, t->line, "tsa %s: client_cert and client_key stand together", t->name);
		if (t->url != NULL && !tls && (t->client_cert != NULL || t->ca_file != NULL))
			config_fault(p, t->line, "tsa %s: certificates without https are of no use", t->name);
		if (t->url != NULL && !tls && (t->user != NULL || t->header_file != NULL))
			config_fault(p, t->line, "tsa %s: credentials would travel in the clear: https", t->name);
	}
}

static void
check_renewal(struct parse *p)
{
	const struct conf_renewal *r = &p->c->renewal;
	int64_t need = r->sweep_interval_seconds + r->reaction_time_seconds;
	AUTO(buf) struct buf least = {0};

	duration_text(&least, need);
	/* A class can come due the second after a sweep, and somebody must then have time to act. */
	if (r->margin_seconds < need)
		config_fault(p, config_line(p, SEC_RENEWAL, "margin"),
		    "margin is less than sweep_interval + reaction_time (%s)", buf_str(&least));
	if (r->hash_margin_seconds < need)
		config_fault(p, config_line(p, SEC_RENEWAL, "hash_margin"),
		    "hash_margin is less than sweep_interval + reaction_time (%s)", buf_str(&least));
	/* Else each new token would be due for renewal at once. */
	if (r->min_token_life_seconds <= r->margin_seconds)
		config_fault(p, config_line(p, SEC_RENEWAL, "min_token_life"),
		    "min_token_life is not more than margin: a new token would be due at once");
}

static void
check_limits(struct parse *p)
{
	const struct conf_limits *l = &p->c->limits;

	if (l->record_bytes < l->file_bytes)
		config_fault(p, config_line(p, SEC_LIMITS, "record_size"), "record_size is less than file_size");
}

static void
set_control(struct parse *p)
{
	struct config *c = p->c;

	if (c->service.control == NULL && c->archive.dir != NULL &&
	    (c->service.control = mem_printf("%s/control", c->archive.dir)) == NULL)
		p->nomem = true;
	/* sun_path of a Unix socket, with its zero. */
	if (c->service.control != NULL && strlen(c->service.control) > 107)
		config_fault(p, config_line(p, SEC_SERVICE, "control"), "control: a socket's path has at most 107 octets");
}

void
config_check(struct parse *p)
{
	need_section(p, SEC_ARCHIVE);
	need_section(p, SEC_TRUST);
	check_profiles(p);
	check_spools(p);
	check_tsas(p);
	check_renewal(p);
	check_limits(p);
	set_control(p);
}

/* ---- against a catalogue ---- */

static void
check_digest(struct parse *p, const struct catalogue *c, int64_t need_utc, enum digest_alg alg, unsigned line, const char *whose)
{
	struct alg_use use = {.digest = alg, .usage = USE_TIMESTAMPS};
	int64_t end = catalogue_end(c, &use);
	char text[TIME_TEXT];

	if (end >= need_utc)
		return;
	time_text(end, text);
	if (end == TIME_NONE)
		config_fault(p, line, "%s: %s is not in the catalogue", whose, digest_row(alg)->name);
	else
		config_fault(p, line, "%s: %s ends %.10s, sooner than min_token_life from now", whose, digest_row(alg)->name, text);
}

bool
config_check_catalogue(const struct config *cfg, const struct catalogue *c, int64_t now_utc, struct faults *f)
{
	struct parse p = {.f = f, .file = cfg->file};
	int64_t need = now_utc + cfg->renewal.min_token_life_seconds;
	size_t i, before = f->n;
	char whose[96];

	snprintf(f->file, sizeof(f->file), "%s", cfg->file);
	check_digest(&p, c, need, cfg->renewal.digest, 0, "[renewal] digest");
	for (i = 0; i < cfg->n_tsas; i++) {
		snprintf(whose, sizeof(whose), "tsa %s: digest", cfg->tsas[i].name);
		check_digest(&p, c, need, cfg->tsas[i].digest, cfg->tsas[i].line, whose);
	}
	return f->n == before && !p.nomem;
}

/* ---- against this program ---- */

bool
config_check_built(const struct config *cfg, struct faults *f)
{
	struct parse p = {.f = f, .file = cfg->file};
	size_t i, before = f->n;

	snprintf(f->file, sizeof(f->file), "%s", cfg->file);
	for (i = 0; i < cfg->n_profiles; i++)
		if (cfg->profiles[i].trust_roles != ROLE_ALL)
			config_fault(&p, cfg->profiles[i].line,
			    "profile %s: trust_roles is not built yet; the folders signer, tsa and ocsp of [trust] dir do it for the archive", cfg->profiles[i].name);
	for (i = 0; i < cfg->n_tsas; i++)
		if (cfg->tsas[i].digest != cfg->renewal.digest)
			config_fault(&p, cfg->tsas[i].line, "tsa %s: a digest other than that of [renewal] is not built yet", cfg->tsas[i].name);
	if (cfg->verify.signature_policies.n != 0)
		config_fault(&p, 0, "[verify] signature_policies is not built yet; `verify --signature-policy` takes them");
	if (cfg->service.workers > 1)
		config_fault(&p, 0, "[service] workers: more than one is not built yet");
	if (cfg->hook.status != NULL || cfg->hook.mail != NULL)
		config_fault(&p, 0, "[hook] is not built yet; news stand in the spool's done/X.status.json, alarms on stderr");
	return f->n == before && !p.nomem;
}
