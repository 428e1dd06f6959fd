/* SPDX-License-Identifier: MIT */
/* The table of sections and keys, and how a value of each type is read, printed and freed. */
#include "policy/config_int.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS(n) ((int64_t)(n)*86400)
#define YEARS(n) DAYS((n)*365)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)

static const char *const form_words[] = {"extended", "baseline", NULL};
static const char *const target_words[] = {"T", "C", "X", "X-L", "A", "LT", "LTA", NULL};
static const char *const revocation_words[] = {"ocsp-first", "crl", NULL};
static const char *const freshness_words[] = {"ignore", "strict", NULL};
static const char *const sync_words[] = {"auto", "yes", "no", NULL};
static const char *const er_words[] = {"none", NULL};
static const char *const role_words[] = {"signer", "tsa", "ocsp"}; /* bit order of enum anchor_role */

const struct section_row config_sections[SEC_COUNT] = {
    [SEC_ARCHIVE] = {"archive", false, offsetof(struct config, archive)},
    [SEC_SPOOL] = {"spool", true, 0},
    [SEC_PROFILE] = {"profile", true, 0},
    [SEC_TSA] = {"tsa", true, 0},
    [SEC_NET] = {"net", false, offsetof(struct config, net)},
    [SEC_RENEWAL] = {"renewal", false, offsetof(struct config, renewal)},
    [SEC_VERIFY] = {"verify", false, offsetof(struct config, verify)},
    [SEC_TRUST] = {"trust", false, offsetof(struct config, trust_dir)},
    [SEC_LIMITS] = {"limits", false, offsetof(struct config, limits)},
    [SEC_SERVICE] = {"service", false, offsetof(struct config, service)},
    [SEC_HOOK] = {"hook", false, offsetof(struct config, hook)},
};

#define AT(s, m) offsetof(struct conf_##s, m)
#define COUNT(sec, key, s, m, def, min, max) {sec, key, V_COUNT, AT(s, m), def, false, NULL, min, max}
#define TIME(sec, key, s, m, def, min, max) {sec, key, V_DURATION, AT(s, m), def, false, NULL, min, max}
#define BYTES(sec, key, s, m, def, min, max) {sec, key, V_SIZE, AT(s, m), def, false, NULL, min, max}
#define PLAIN(sec, key, type, s, m, def) {sec, key, type, AT(s, m), def, false, NULL, 0, 0}
#define NEEDED(sec, key, type, offset) {sec, key, type, offset, NULL, true, NULL, 0, 0}
#define WORD(sec, key, s, m, def, words) {sec, key, V_WORD, AT(s, m), def, false, words, 0, 0}
#define NOWHERE ((size_t)-1) /* checked, not stored */

const struct key_row config_keys[] = {
    NEEDED(SEC_ARCHIVE, "dir", V_PATH, AT(archive, dir)),
    PLAIN(SEC_ARCHIVE, "clock_file", V_PATH, archive, clock_file, NULL),
    NEEDED(SEC_SPOOL, "dir", V_PATH, AT(spool, dir)),
    PLAIN(SEC_SPOOL, "depositor", V_NAME, spool, depositor, NULL),
    PLAIN(SEC_SPOOL, "profile", V_NAME, spool, profile, "default"),
    COUNT(SEC_PROFILE, "version", profile, version, "1", 1, 1000000),
    WORD(SEC_PROFILE, "form", profile, form, "extended", form_words),
    WORD(SEC_PROFILE, "target", profile, target, NULL, target_words),
    PLAIN(SEC_PROFILE, "x_stamp", V_BOOL, profile, x_stamp, "yes"),
    TIME(SEC_PROFILE, "grace", profile, grace_seconds, "24h", 0, DAYS(60)),
    WORD(SEC_PROFILE, "revocation", profile, revocation, "ocsp-first", revocation_words),
    PLAIN(SEC_PROFILE, "trust_roles", V_ROLES, profile, trust_roles, "signer tsa ocsp"),
    COUNT(SEC_PROFILE, "retention", profile, retention_years, "0", 0, 1000),
    {SEC_PROFILE, "er", V_WORD, NOWHERE, NULL, false, er_words, 0, 0},
    PLAIN(SEC_PROFILE, "t_without_anchor", V_BOOL, profile, t_without_anchor, "yes"),
    PLAIN(SEC_PROFILE, "tsa", V_NAMES, profile, tsa, NULL),
    COUNT(SEC_PROFILE, "quorum", profile, quorum, "1", 1, 8),
    NEEDED(SEC_TSA, "url", V_URL, AT(tsa, url)),
    PLAIN(SEC_TSA, "policy", V_OID, tsa, policy_oid, NULL),
    PLAIN(SEC_TSA, "user", V_TEXT, tsa, user, NULL),
    PLAIN(SEC_TSA, "password", V_SECRET, tsa, password, NULL),
    PLAIN(SEC_TSA, "header_file", V_PATH, tsa, header_file, NULL),
    PLAIN(SEC_TSA, "client_cert", V_PATH, tsa, client_cert, NULL),
    PLAIN(SEC_TSA, "client_key", V_PATH, tsa, client_key, NULL),
    PLAIN(SEC_TSA, "ca_file", V_PATH, tsa, ca_file, NULL),
    COUNT(SEC_TSA, "budget", tsa, budget_per_day, "0", 0, 10000000),
    PLAIN(SEC_TSA, "digest", V_DIGEST, tsa, digest, "SHA512"),
    PLAIN(SEC_NET, "allow_net", V_RULES, net, allow, NULL),
    PLAIN(SEC_NET, "proxy", V_URL, net, proxy, NULL),
    PLAIN(SEC_NET, "user_agent", V_TEXT, net, user_agent, "Everseal"),
    PLAIN(SEC_NET, "ca_file", V_PATH, net, ca_file, NULL),
    TIME(SEC_NET, "connect_timeout", net, connect_timeout_seconds, "10s", 1, 300),
    TIME(SEC_NET, "tsa_timeout", net, tsa_timeout_seconds, "30s", 1, 3600),
    TIME(SEC_NET, "ocsp_timeout", net, ocsp_timeout_seconds, "15s", 1, 3600),
    TIME(SEC_NET, "aia_timeout", net, aia_timeout_seconds, "30s", 1, 3600),
    TIME(SEC_NET, "crl_timeout", net, crl_timeout_seconds, "10m", 1, 7200),
    BYTES(SEC_NET, "answer_size", net, answer_bytes, "1MiB", 4096, MIB(64)),
    BYTES(SEC_NET, "crl_size", net, crl_bytes, "128MiB", 4096, GIB(1)),
    TIME(SEC_RENEWAL, "margin", renewal, margin_seconds, "180d", 0, YEARS(10)),
    TIME(SEC_RENEWAL, "hash_margin", renewal, hash_margin_seconds, "365d", 0, YEARS(10)),
    TIME(SEC_RENEWAL, "sweep_interval", renewal, sweep_interval_seconds, "1d", 60, YEARS(1)),
    TIME(SEC_RENEWAL, "reaction_time", renewal, reaction_time_seconds, "30d", 0, YEARS(1)),
    TIME(SEC_RENEWAL, "min_token_life", renewal, min_token_life_seconds, "3y", 0, YEARS(20)),
    TIME(SEC_RENEWAL, "material_interval", renewal, material_interval_seconds, "30d", 3600, DAYS(92)),
    PLAIN(SEC_RENEWAL, "digest", V_DIGEST, renewal, digest, "SHA512"),
    PLAIN(SEC_VERIFY, "policy", V_POLICY, verify, policy, "default"),
    PLAIN(SEC_VERIFY, "catalogue", V_PATHS, verify, catalogues, NULL),
    PLAIN(SEC_VERIFY, "overlay", V_PATH, verify, overlay, NULL),
    {SEC_VERIFY, "sliding_freshness", V_WORD, AT(verify, sliding_strict), "ignore", false, freshness_words, 0, 0},
    PLAIN(SEC_VERIFY, "signature_policies", V_PATHS, verify, signature_policies, NULL),
    NEEDED(SEC_TRUST, "dir", V_PATH, 0),
    {SEC_TRUST, "max_age", V_DURATION, offsetof(struct config, trust_max_age_seconds) - offsetof(struct config, trust_dir), "0s", false, NULL,
	0, YEARS(10)},
    BYTES(SEC_LIMITS, "file_size", limits, file_bytes, "64GiB", 1, GIB(1 << 20)),
    BYTES(SEC_LIMITS, "record_size", limits, record_bytes, "256GiB", 1, GIB(1 << 20)),
    COUNT(SEC_LIMITS, "record_files", limits, record_files, "1000", 1, 10000),
    BYTES(SEC_LIMITS, "xml_size", limits, xml_bytes, "256MiB", 1024, GIB(1)),
    COUNT(SEC_LIMITS, "xml_depth", limits, xml_depth, "256", 16, 1024),
    COUNT(SEC_LIMITS, "xml_nodes", limits, xml_nodes, "4000000", 1000, INT_MAX),
    COUNT(SEC_LIMITS, "references", limits, references, "10000", 1, 1000000),
    COUNT(SEC_LIMITS, "transforms", limits, transforms, "5", 1, 100),
    COUNT(SEC_LIMITS, "signatures", limits, signatures, "1000", 1, 100000),
    COUNT(SEC_LIMITS, "stamps", limits, stamps, "1000", 1, 100000),
    TIME(SEC_LIMITS, "worker_time", limits, worker_seconds, "60s", 1, 86400),
    BYTES(SEC_LIMITS, "worker_memory", limits, worker_bytes, "2GiB", MIB(64), GIB(1024)),
    PLAIN(SEC_SERVICE, "control", V_PATH, service, control, NULL),
    COUNT(SEC_SERVICE, "workers", service, workers, "1", 1, 256),
    BYTES(SEC_SERVICE, "min_free", service, min_free_bytes, "1GiB", 0, GIB(1 << 20)),
    TIME(SEC_SERVICE, "rescan", service, rescan_seconds, "60s", 1, 86400),
    WORD(SEC_SERVICE, "clock_sync", service, clock_sync, "auto", sync_words),
    PLAIN(SEC_HOOK, "status", V_TEXT, hook, status, NULL),
    PLAIN(SEC_HOOK, "mail", V_TEXT, hook, mail, NULL),
};
const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX");

const char *
profile_form_name(enum profile_form f)
{
	return form_words[f];
}

const char *
profile_target_name(enum profile_target t)
{
	return target_words[t];
}

/* ---- setting ---- */

struct setter {
	const struct key_row *k;
	void *to;
	const char *file;
	char *why;
	bool nomem;
};

static bool refuse(struct setter *s, const char *fmt, ...) PRINTF(2, 3);
static bool
refuse(struct setter *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, WHY_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static bool
keep(struct setter *s, char **to, char *made)
{
	if (made == NULL) {
		s->nomem = true;
		return refuse(s, "out of memory");
	}
	free(*to);
	*to = made;
	return true;
}

/* Relative paths belong to the folder of the configuration file. */
static char *
join(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || slash == NULL)
		return mem_dupstr(path);
	return mem_printf("%.*s/%s", (int)(slash - file), file, path);
}

bool
config_is_name(const char *v)
{
	size_t n = strlen(v);

	return n > 0 && n <= 64 && v[0] != '.' && v[0] != '-' &&
	    strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static bool
is_url(const char *v)
{
	const char *host = strncmp(v, "http://", 7) == 0 ? v + 7 : strncmp(v, "https://", 8) == 0 ? v + 8 : NULL;

	return host != NULL && (isalnum((unsigned char)host[0]) || host[0] == '[') && strpbrk(v, " \t\"<>\\^`{|}") == NULL &&
	    strchr(host, '@') == NULL;
}

static bool
is_oid(const char *v)
{
	size_t n = strlen(v), i;

	for (i = 0; i < n; i++)
		if (!isdigit((unsigned char)v[i]) && (v[i] != '.' || i == 0 || v[i - 1] == '.'))
			return false;
	return n > 2 && n < 80 && v[0] <= '2' && v[n - 1] != '.' && strchr(v, '.') != NULL;
}

static bool
set_words(struct setter *s, const char *value, bool paths)
{
	struct word_list *l = s->to;
	AUTO(mem) char *copy = mem_dupstr(value);
	char *rest = copy, *w;

	if (copy == NULL)
		return keep(s, &copy, NULL);
	while ((w = strsep(&rest, " \t,")) != NULL) {
		char *made;

		if (*w == '\0')
			continue;
		if (!paths && !config_is_name(w))
			return refuse(s, "'%.40s' is no name (letters, digits, . _ -)", w);
		made = paths ? join(s->file, w) : mem_dupstr(w);
		if (made == NULL || !mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v))) {
			free(made);
			return keep(s, &copy, NULL);
		}
		l->v[l->n++] = made;
	}
	return l->n > 0 || refuse(s, "an empty list");
}

static bool
set_rules(struct setter *s, const char *value)
{
	struct conf_net *net = (struct conf_net *)(void *)((char *)s->to - offsetof(struct conf_net, allow));
	AUTO(mem) char *copy = mem_dupstr(value);
	char *rest = copy, *w;

	if (copy == NULL)
		return keep(s, &copy, NULL);
	while ((w = strsep(&rest, " \t,")) != NULL) {
		if (*w == '\0')
			continue;
		if (!mem_grow(&net->allow, &net->cap_allow, net->n_allow, sizeof(*net->allow)))
			return keep(s, &copy, NULL);
		if (!net_rule_parse(w, &net->allow[net->n_allow]))
			return refuse(s, "'%.60s' is no network and port, such as 10.0.0.0/8:80 or [fd00::/8]:443", w);
		net->n_allow++;
	}
	return net->n_allow > 0 || refuse(s, "an empty list");
}

static bool
set_roles(struct setter *s, const char *value)
{
	AUTO(mem) char *copy = mem_dupstr(value);
	char *rest = copy, *w;
	unsigned roles = 0, i;

	if (copy == NULL)
		return keep(s, &copy, NULL);
	while ((w = strsep(&rest, " \t,")) != NULL) {
		if (*w == '\0')
			continue;
		for (i = 0; i < 3 && strcmp(role_words[i], w) != 0; i++)
			;
		if (i == 3)
			return refuse(s, "'%.40s' is no role; there are signer, tsa, ocsp", w);
		roles |= 1u << i;
	}
	*(unsigned *)s->to = roles;
	return roles != 0 || refuse(s, "an empty list");
}

static bool
set_word(struct setter *s, const char *value)
{
	AUTO(buf) struct buf all = {0};
	int i;

	for (i = 0; s->k->words[i] != NULL; i++) {
		if (strcmp(s->k->words[i], value) == 0) {
			if (s->k->offset == NOWHERE)
				return true;
			if (s->k->words == freshness_words)
				*(bool *)s->to = i != 0;
			else
				*(int *)s->to = i;
			return true;
		}
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", s->k->words[i]);
	}
	return refuse(s, "'%.40s' is none of: %s", value, buf_str(&all));
}

static bool
set_number(struct setter *s, const char *value)
{
	int64_t v = 0;
	uint64_t u = 0;
	char *end;
	bool ok;

	if (s->k->type == V_DURATION) {
		ok = duration_parse(value, &v) || refuse(s, "'%.40s' is no duration, such as 90d or 12h", value);
	} else if (s->k->type == V_SIZE) {
		ok = size_parse(value, &u) || refuse(s, "'%.40s' is no size, such as 64KiB or 1GiB", value);
		v = (int64_t)u;
	} else {
		v = strtoll(value, &end, 10);
		ok = (isdigit((unsigned char)value[0]) && *end == '\0' && strlen(value) < 16) ||
		    refuse(s, "'%.40s' is no number", value);
	}
	if (!ok)
		return false;
	if (v < s->k->min || v > s->k->max) {
		AUTO(buf) struct buf range = {0};

		config_range_text(s->k, &range);
		return refuse(s, "%.40s is outside %s", value, buf_str(&range));
	}
	if (s->k->type == V_COUNT)
		*(unsigned *)s->to = (unsigned)v;
	else
		*(int64_t *)s->to = v; /* sizes are uint64_t of the same width */
	return true;
}

static bool
set_digest(struct setter *s, const char *value)
{
	const struct digest_row *d = digest_by_name(value);

	if (d == NULL)
		return refuse(s, "'%.40s' is no digest, such as SHA512", value);
	if (d->size < 32 || d->alg == DIGEST_WHIRLPOOL)
		return refuse(s, "%s is too weak for new evidence", d->name);
	*(enum digest_alg *)s->to = d->alg;
	return true;
}

static bool
set_bool(struct setter *s, const char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	*(bool *)s->to = yes;
	return yes || strcmp(value, "no") == 0 || refuse(s, "'%.40s' is neither yes nor no", value);
}

static bool
set_policy(struct setter *s, const char *value)
{
	struct conf_verify *v = (struct conf_verify *)(void *)((char *)s->to - offsetof(struct conf_verify, policy));

	v->policy_is_file = strcmp(value, "default") != 0 && strcmp(value, "dss") != 0 && strcmp(value, "dss-lenient") != 0;
	if (v->policy_is_file && strpbrk(value, "/.") == NULL)
		return refuse(s, "'%.40s' is none of default, dss, dss-lenient, and no path of a policy file", value);
	return keep(s, &v->policy, v->policy_is_file ? join(s->file, value) : mem_dupstr(value));
}

static bool
set_text(struct setter *s, const char *value)
{
	switch (s->k->type) {
	case V_NAME:
		if (!config_is_name(value))
			return refuse(s, "'%.40s' is no name (letters, digits, . _ -)", value);
		break;
	case V_URL:
		if (!is_url(value))
			return refuse(s, "'%.60s' is no http or https URL (without user and password)", value);
		break;
	case V_OID:
		if (!is_oid(value))
			return refuse(s, "'%.40s' is no object identifier, such as 1.3.6.1.4.1.99999.1", value);
		break;
	case V_PATH:
		return keep(s, s->to, join(s->file, value));
	default:
		break;
	}
	return keep(s, s->to, mem_dupstr(value));
}

bool
config_set(const struct key_row *k, void *object, const char *file, const char *value, char why[WHY_MAX], bool *nomem)
{
	struct setter s = {.k = k, .to = k->offset == NOWHERE ? NULL : (char *)object + k->offset, .file = file, .why = why};
	bool ok;

	switch (k->type) {
	case V_NAMES:
	case V_PATHS:
		ok = set_words(&s, value, k->type == V_PATHS);
		break;
	case V_RULES:
		ok = set_rules(&s, value);
		break;
	case V_ROLES:
		ok = set_roles(&s, value);
		break;
	case V_WORD:
		ok = set_word(&s, value);
		break;
	case V_BOOL:
		ok = set_bool(&s, value);
		break;
	case V_DURATION:
	case V_SIZE:
	case V_COUNT:
		ok = set_number(&s, value);
		break;
	case V_DIGEST:
		ok = set_digest(&s, value);
		break;
	case V_POLICY:
		ok = set_policy(&s, value);
		break;
	default:
		ok = *value != '\0' ? set_text(&s, value) : refuse(&s, "no value");
		break;
	}
	*nomem |= s.nomem;
	return ok;
}

/* ---- printing and freeing ---- */

static void
number_text(const struct key_row *k, int64_t v, struct buf *out)
{
	if (k->type == V_DURATION)
		duration_text(out, v);
	else if (k->type == V_SIZE)
		size_text(out, (uint64_t)v);
	else
		buf_addf(out, "%lld", (long long)v);
}

void
config_range_text(const struct key_row *k, struct buf *out)
{
	number_text(k, k->min, out);
	buf_adds(out, " .. ");
	number_text(k, k->max, out);
}

static void
list_text(const struct word_list *l, struct buf *out)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		buf_addf(out, "%s%s", i > 0 ? " " : "", l->v[i]);
}

static void
rules_text(const struct conf_net *net, struct buf *out)
{
	size_t i;

	for (i = 0; i < net->n_allow; i++) {
		buf_adds(out, i > 0 ? " " : "");
		net_rule_text(out, &net->allow[i]);
	}
}

static void
roles_text(unsigned roles, struct buf *out)
{
	const char *sep = "";
	unsigned i;

	for (i = 0; i < 3; i++)
		if (roles & (1u << i)) {
			buf_addf(out, "%s%s", sep, role_words[i]);
			sep = " ";
		}
}

static void
value_text(const struct key_row *k, const void *object, struct buf *out)
{
	const void *at = (const char *)object + k->offset;

	switch (k->type) {
	case V_NAMES:
	case V_PATHS:
		list_text(at, out);
		break;
	case V_RULES:
		rules_text(object, out);
		break;
	case V_ROLES:
		roles_text(*(const unsigned *)at, out);
		break;
	case V_WORD:
		buf_adds(out, k->words[k->words == freshness_words ? *(const bool *)at : *(const int *)at]);
		break;
	case V_BOOL:
		buf_adds(out, *(const bool *)at ? "yes" : "no");
		break;
	case V_COUNT:
		buf_addf(out, "%u", *(const unsigned *)at);
		break;
	case V_DURATION:
	case V_SIZE:
		number_text(k, *(const int64_t *)at, out);
		break;
	case V_DIGEST:
		buf_adds(out, digest_row(*(const enum digest_alg *)at)->name);
		break;
	default:
		if (*(char *const *)at != NULL)
			buf_adds(out, *(char *const *)at);
		break;
	}
}

void
config_key_text(const struct key_row *k, const void *object, struct buf *out)
{
	AUTO(buf) struct buf value = {0};

	if (k->offset == NOWHERE)
		return;
	value_text(k, object, &value);
	if (value.n == 0)
		return;
	if (k->type == V_SECRET)
		buf_addf(out, "# %s = (set)\n", k->key);
	else
		buf_addf(out, "%s = %s\n", k->key, buf_str(&value));
}

void
config_key_free(const struct key_row *k, void *object)
{
	void *at = k->offset == NOWHERE ? NULL : (char *)object + k->offset;
	struct word_list *l = at;
	size_t i;

	switch (k->type) {
	case V_NAMES:
	case V_PATHS:
		for (i = 0; i < l->n; i++)
			free(l->v[i]);
		free(l->v);
		break;
	case V_RULES:
		free(((struct conf_net *)object)->allow);
		break;
	case V_TEXT:
	case V_SECRET:
	case V_PATH:
	case V_URL:
	case V_OID:
	case V_NAME:
	case V_POLICY:
		free(*(char **)at);
		break;
	default:
		break;
	}
}
