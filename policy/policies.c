/* SPDX-License-Identifier: MIT */
#include "policy/policy.h"
#include "policy/lines_int.h"

#include <stdio.h>
#include <string.h>

static const char *const contexts[CTX_COUNT] = {
    [CTX_SIGNATURE] = "signature",
    [CTX_COUNTER] = "counter-signature",
    [CTX_TIMESTAMP] = "timestamp",
    [CTX_REVOCATION] = "revocation",
};
static const char *const positions[POS_COUNT] = {[POS_SIGNING] = "signing", [POS_CA] = "ca"};
static const char *const levels[] = {
    [LEVEL_FAIL] = "fail",
    [LEVEL_WARN] = "warn",
    [LEVEL_INFORM] = "inform",
    [LEVEL_IGNORE] = "ignore",
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/*
 * One letter per context and position: F fail, W warn, I inform, N not run. Order: signature, counter-signature,
 * time-stamp, revocation data; in each the signing certificate, then the CAs above it. dss: validation.md 7.
 * ours differs where EU DSS only reports what RFC 5280 and RFC 6960 demand (validation.md 2.4, 2.6), and where it relies on
 * revocation data that knew nothing of the time of signing.
 */
static const struct check_row {
	const char *name, *dss, *ours;
} checks[CHECK_COUNT] = {
    [CHECK_REVOCATION_DATA_AVAILABLE] = {"revocation-data-available", "FFFFFWFW", "FFFFFWFW"},
    [CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND] = {"acceptable-revocation-data-found", "FWFWFWFW", "FFFFFWFW"},
    [CHECK_KEY_USAGE] = {"key-usage", "WFWFWFWF", "WFWFWFFF"},
    [CHECK_SIGNING_TIME_IN_CERT_RANGE] = {"signing-time-in-cert-range", "FFFFFFFF", "FFFFFFFF"},
    [CHECK_SIGNING_TIME_PRESENT] = {"signing-time-present", "FFFFFFFF", "FFFFFFFF"},
    [CHECK_SIGNING_CERTIFICATE_PRESENT] = {"signing-certificate-present", "WWWWWWWW", "FFFFWWWW"},
    [CHECK_CERT_DIGEST_MATCH] = {"cert-digest-match", "FFFFNNNN", "FFFFFFFF"},
    [CHECK_CERT_DIGEST_ALGORITHM] = {"cert-digest-algorithm", "WWWWNNNN", "FFFFFFFF"},
    [CHECK_ISSUER_SERIAL_MATCH] = {"issuer-serial-match", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_POLICY_AVAILABLE] = {"policy-available", "IIIIIIII", "IIIIIIII"},
    [CHECK_POLICY_HASH_MATCH] = {"policy-hash-match", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_REFERENCE_NAME_MATCH] = {"reference-name-match", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_MANIFEST_ENTRY_INTACT] = {"manifest-entry-intact", "FFFFFFFF", "FFFFFFFF"},
    [CHECK_MANIFEST_ENTRY_FOUND] = {"manifest-entry-found", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_TIMESTAMP_COHERENCE] = {"timestamp-coherence", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_TSA_NAME_MATCH] = {"tsa-name-match", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_TSA_EKU] = {"tsa-eku", "FFFFFFFF", "FFFFFFFF"},
    [CHECK_STRUCTURE] = {"structure", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_REVOCATION_ISSUER_NOT_EXPIRED] = {"revocation-issuer-not-expired", "FWNNNNNN", "FWFWFWFW"},
    [CHECK_UNKNOWN_CRITICAL_EXTENSION] = {"unknown-critical-extension", "WWWWWWWW", "FFFFFFFF"},
    [CHECK_NAME_CONSTRAINTS] = {"name-constraints", "WWWWWWWW", "FFFFFFFF"},
    [CHECK_CRL_NEXT_UPDATE] = {"crl-next-update", "WWWWWWWW", "WWWWWWWW"},
    [CHECK_OCSP_DELEGATE_EKU] = {"ocsp-delegate-eku", "WWWWWWWW", "FFFFFFFF"},
    [CHECK_CA_VALIDITY] = {"ca-validity", "NNNNNNNN", "FFFFFFFF"},
    [CHECK_REVOCATION_FRESHNESS] = {"revocation-freshness", "NNNNNNNN", "FFFFNNNN"},
};

const char *
check_name(enum check c)
{
	return (unsigned)c < CHECK_COUNT ? checks[c].name : "unknown";
}

const char *
check_context_name(enum check_context c)
{
	return (unsigned)c < CTX_COUNT ? contexts[c] : "unknown";
}

const char *
cert_position_name(enum cert_position p)
{
	return (unsigned)p < POS_COUNT ? positions[p] : "unknown";
}

const char *
check_level_name(enum check_level l)
{
	return (unsigned)l < LEVELS ? levels[l] : "unknown";
}

static enum check_level
level_of(char letter)
{
	switch (letter) {
	case 'W':
		return LEVEL_WARN;
	case 'I':
		return LEVEL_INFORM;
	case 'N':
		return LEVEL_IGNORE;
	default:
		return LEVEL_FAIL;
	}
}

static void
set_levels(struct vpolicy *p, bool ours)
{
	int c, x, pos;

	for (c = 0; c < CHECK_COUNT; c++)
		for (x = 0; x < CTX_COUNT; x++)
			for (pos = 0; pos < POS_COUNT; pos++)
				p->level[c][x][pos] =
				    level_of((ours ? checks[c].ours : checks[c].dss)[x * POS_COUNT + pos]);
}

/* Missing or unacceptable revocation data warns, everywhere; nothing else changes. */
static void
set_lenient(struct vpolicy *p)
{
	int x, pos;

	for (x = 0; x < CTX_COUNT; x++)
		for (pos = 0; pos < POS_COUNT; pos++) {
			p->level[CHECK_REVOCATION_DATA_AVAILABLE][x][pos] = LEVEL_WARN;
			p->level[CHECK_ACCEPTABLE_REVOCATION_DATA_FOUND][x][pos] = LEVEL_WARN;
		}
}

void
vpolicy_text(const struct vpolicy *p, struct buf *out)
{
	char d[DIGEST_TEXT];
	int c, x;

	digest_text(catalogue_digest(p->catalogue), d);
	buf_addf(out, "policy %s\ncatalogue %s\nafter_update %s\nsliding_freshness %s\n", p->name, d,
	    p->after_update_warns ? "warn" : "fail", p->sliding_strict ? "strict" : "ignore");
	for (c = 0; c < CHECK_COUNT; c++) {
		buf_adds(out, checks[c].name);
		for (x = 0; x < CTX_COUNT; x++)
			buf_addf(out, " %s=%s/%s", contexts[x], check_level_name(p->level[c][x][POS_SIGNING]),
			    check_level_name(p->level[c][x][POS_CA]));
		buf_adds(out, "\n");
	}
}

static enum err_code
seal(struct vpolicy *p, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	vpolicy_text(p, &text);
	if (buf_ok(&text, e) != ERR_OK)
		return err_wrap(e, "policy %s", p->name);
	return digest_once(DIGEST_SHA256, buf_slice(&text), &p->digest, e);
}

static bool
is_builtin(const char *name)
{
	return strcmp(name, "default") == 0 || strcmp(name, "dss") == 0 || strcmp(name, "dss-lenient") == 0;
}

enum err_code
vpolicy_builtin(const char *name, const struct catalogue *catalogue, struct vpolicy *out, struct err *e)
{
	bool ours = strcmp(name, "default") == 0, lenient = strcmp(name, "dss-lenient") == 0;

	if (!is_builtin(name))
		return err_set(e, ERR_NOTFOUND, "no policy named %.60s; there are default, dss and dss-lenient", name);
	*out = (struct vpolicy){.after_update_warns = true};
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->catalogue = catalogue != NULL ? catalogue : catalogue_builtin(ours ? "default" : "dss");
	set_levels(out, ours);
	if (lenient)
		set_lenient(out);
	return seal(out, e);
}

/* ---- policy files ---- */

static int
find(const char *word, const char *const *table, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(table[i], word) == 0)
			return i;
	return -1;
}

static int
find_check(const char *word)
{
	int i;

	for (i = 0; i < CHECK_COUNT; i++)
		if (strcmp(checks[i].name, word) == 0)
			return i;
	return -1;
}

/* "CHECK [context] [position]" = level. The reason for a refusal, or NULL. */
static const char *
set_check(struct vpolicy *p, char *key, const char *value)
{
	char *rest = key, *word = word_next(&rest);
	int check = word != NULL ? find_check(word) : -1, level = find(value, levels, LEVELS), x, pos;
	int context = -1, position = -1;

	if (check < 0)
		return "unknown check or key";
	while ((word = word_next(&rest)) != NULL) {
		if (context < 0 && position < 0 && (context = find(word, contexts, CTX_COUNT)) >= 0)
			continue;
		if (position >= 0 || (position = find(word, positions, POS_COUNT)) < 0)
			return "after the check: a context, then a position (docs/config.md)";
	}
	if (level < 0)
		return "the level is fail, warn, inform or ignore";
	for (x = 0; x < CTX_COUNT; x++)
		for (pos = 0; pos < POS_COUNT; pos++)
			if ((context < 0 || x == context) && (position < 0 || pos == position))
				p->level[check][x][pos] = (enum check_level)level;
	return NULL;
}

static const char *
set_line(struct vpolicy *p, struct line *l)
{
	if (strcmp(l->key, "name") == 0) {
		if (*l->value == '\0' || strlen(l->value) >= sizeof(p->name))
			return "a name of 1 to 47 octets";
		if (is_builtin(l->value))
			return "the name of a built-in policy: reports would not tell them apart";
		snprintf(p->name, sizeof(p->name), "%s", l->value);
		return NULL;
	}
	if (strcmp(l->key, "after_update") == 0) {
		p->after_update_warns = strcmp(l->value, "warn") == 0;
		return p->after_update_warns || strcmp(l->value, "fail") == 0 ? NULL : "warn or fail";
	}
	if (strcmp(l->key, "sliding_freshness") == 0) {
		p->sliding_strict = strcmp(l->value, "strict") == 0;
		return p->sliding_strict || strcmp(l->value, "ignore") == 0 ? NULL : "strict or ignore";
	}
	if (strcmp(l->key, "base") == 0)
		return "base stands once, first";
	return set_check(p, l->key, l->value);
}

static enum err_code
read_base(struct lines *in, struct line *l, const char *file, struct vpolicy *out, struct err *e)
{
	line_next(in, l);
	if (l->kind != LINE_KEY || strcmp(l->key, "base") != 0)
		return err_set(e, ERR_USAGE, "%s:%u: the first line is base = default, dss or dss-lenient", file, l->number);
	if (vpolicy_builtin(l->value, NULL, out, e) != ERR_OK)
		return err_set(e, ERR_USAGE, "%s:%u: no policy named %.60s; there are default, dss and dss-lenient", file,
		    l->number, l->value);
	snprintf(out->name, sizeof(out->name), "own, from %.30s", l->value);
	return ERR_OK;
}

enum err_code
vpolicy_read(struct slice text, const char *file, struct vpolicy *out, struct err *e)
{
	struct lines in = {.in = text};
	struct line l;
	const char *why;

	if (read_base(&in, &l, file, out, e) != ERR_OK)
		return e != NULL ? e->code : ERR_USAGE;
	for (line_next(&in, &l); l.kind != LINE_END; line_next(&in, &l)) {
		why = l.kind == LINE_KEY ? set_line(out, &l) : l.kind == LINE_BAD ? l.fault : "no sections here";
		if (why != NULL)
			return err_set(e, ERR_USAGE, "%s:%u: %.80s: %s", file, l.number, l.key != NULL ? l.key : "", why);
	}
	return seal(out, e);
}

enum err_code
vpolicy_with(struct vpolicy *p, const struct catalogue *c, bool sliding_strict, struct err *e)
{
	if (c != NULL)
		p->catalogue = c;
	p->sliding_strict |= sliding_strict;
	return seal(p, e);
}
