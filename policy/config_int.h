/* SPDX-License-Identifier: MIT */
/* What the configuration's files share: the key table, the state of a parse. */
#ifndef EVERSEAL_POLICY_CONFIG_INT_H
#define EVERSEAL_POLICY_CONFIG_INT_H

#include "policy/policy.h"

enum section {
	SEC_ARCHIVE = 0,
	SEC_SPOOL,
	SEC_PROFILE,
	SEC_TSA,
	SEC_NET,
	SEC_RENEWAL,
	SEC_VERIFY,
	SEC_TRUST,
	SEC_LIMITS,
	SEC_SERVICE,
	SEC_HOOK,
	SEC_COUNT
};

enum value_type {
	V_TEXT = 0,
	V_SECRET, /* as V_TEXT, never printed */
	V_PATH,
	V_URL,
	V_OID,
	V_NAME,
	V_NAMES,
	V_PATHS,
	V_WORD, /* one of words, stored as its index */
	V_BOOL,
	V_DURATION,
	V_SIZE,
	V_COUNT,
	V_DIGEST,
	V_RULES,
	V_ROLES,
	V_POLICY
};

struct key_row {
	enum section section;
	const char *key;
	enum value_type type;
	size_t offset;		  /* in the section's struct */
	const char *def;	  /* default as written in a file; NULL = none */
	bool required;
	const char *const *words; /* V_WORD: NULL-terminated */
	int64_t min, max;	  /* V_COUNT, V_DURATION, V_SIZE */
};
extern const struct key_row config_keys[];
extern const size_t config_n_keys;
#define CONFIG_KEYS_MAX 96

struct section_row {
	const char *word;
	bool named;
	size_t offset; /* of the singleton in struct config */
};
extern const struct section_row config_sections[SEC_COUNT];

/* The struct that a section's keys live in; index counts the named ones. */
void *config_object(struct config *c, enum section s, size_t index);
size_t config_objects(const struct config *c, enum section s);
const char *config_object_name(const struct config *c, enum section s, size_t index); /* "" for a singleton */

/* A target that is not written: the highest level of the form. */
#define TARGET_UNSET ((enum profile_target)-1)

#define WHY_MAX 160
/* Set one value. False: why says what is wrong. nomem: set when memory ran out. */
bool config_set(const struct key_row *k, void *object, const char *file, const char *value, char why[WHY_MAX], bool *nomem);
void config_range_text(const struct key_row *k, struct buf *out); /* "1d .. 10d" */
void config_key_text(const struct key_row *k, const void *object, struct buf *out);
void config_key_free(const struct key_row *k, void *object);

struct parse {
	struct config *c;
	struct faults *f;
	const char *file;
	unsigned section_line[SEC_COUNT];    /* singletons: 0 = not written */
	unsigned key_line[CONFIG_KEYS_MAX];  /* singletons: where a key stands */
	bool nomem;
};
void config_fault(struct parse *p, unsigned line, const char *fmt, ...) PRINTF(3, 4);
/* Line of a singleton's key, else of its section, else 0. */
unsigned config_line(const struct parse *p, enum section s, const char *key);
/* Everything that more than one key decides. */
void config_check(struct parse *p);

void duration_text(struct buf *out, int64_t seconds);
void size_text(struct buf *out, uint64_t bytes);
void net_rule_text(struct buf *out, const struct net_rule *r);

#endif
