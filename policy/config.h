/* SPDX-License-Identifier: MIT */
/*
 * What the operator configured: one commented file of sections (docs/config.md,
 * everseal.conf.example), read whole, all its faults told at once.
 *
 *	AUTO(config) struct config *cfg = NULL;
 *	AUTO(faults) struct faults f = {0};
 *	if (config_parse(text, "/etc/everseal.conf", &cfg, &f, e) != ERR_OK) {
 *		faults_text(&f, &out);		// one line each: file:line: reason
 *		return err_wrap(e, "configuration");
 *	}
 *
 * Included by policy.h. Paths that are relative in the file are relative to its folder and come out joined with it.
 * Texts that are not configured are NULL; lists may be empty; durations are seconds.
 */
#ifndef EVERSEAL_POLICY_CONFIG_H
#define EVERSEAL_POLICY_CONFIG_H

#include "base/bytes.h"
#include "base/digest.h"

struct sockaddr;

struct word_list {
	char **v;
	size_t n, cap;
};

enum profile_form { FORM_EXTENDED = 0, FORM_BASELINE };
enum profile_target { TARGET_T = 0, TARGET_C, TARGET_X, TARGET_XL, TARGET_A, TARGET_LT, TARGET_LTA };
enum revocation_order { REVOCATION_OCSP_FIRST = 0, REVOCATION_CRL };
const char *profile_form_name(enum profile_form f);	/* "extended" */
const char *profile_target_name(enum profile_target t); /* "X-L" */

struct conf_archive {
	char *dir;
	char *clock_file; /* not NULL: a simulated archive; the file holds one ISO instant */
};

struct conf_spool {
	char *name, *dir;
	char *depositor; /* never NULL: the section's name by default */
	char *profile;	 /* never NULL, exists */
	unsigned line;
};

struct conf_profile {
	char *name;
	unsigned version, line;
	enum profile_form form;
	enum profile_target target;
	bool x_stamp;		/* extended: an X type 1 stamp before the values */
	int64_t grace_seconds;	/* final revocation data has thisUpdate >= best signature time + this */
	enum revocation_order revocation;
	unsigned trust_roles;	/* bits of enum anchor_role: whose anchors count for records of this profile */
	unsigned retention_years; /* 0 = for ever */
	bool t_without_anchor;	/* a signature whose chain meets no anchor gets one T stamp all the same */
	struct word_list tsa;	/* names in order of preference, never empty once parsed, all exist */
	unsigned quorum;	/* successive archive stamps of different TSAs, 1..tsa.n */
};

struct conf_tsa {
	char *name, *url;
	char *policy_oid;
	char *user, *password;
	char *header_file; /* one HTTP header line, such as a bearer token */
	char *client_cert, *client_key, *ca_file;
	unsigned budget_per_day; /* 0 = no limit */
	enum digest_alg digest;	 /* of the imprint */
	unsigned line;
};

struct net_rule {
	int family;	  /* AF_INET, AF_INET6 */
	uint8_t addr[16]; /* network order */
	unsigned prefix;
	unsigned port; /* 0 = any */
};

struct conf_net {
	struct net_rule *allow;
	size_t n_allow, cap_allow;
	char *proxy, *user_agent, *ca_file;
	int64_t connect_timeout_seconds, tsa_timeout_seconds, ocsp_timeout_seconds, aia_timeout_seconds, crl_timeout_seconds;
	uint64_t answer_bytes, crl_bytes; /* largest answer: TSA, OCSP, certificates; a CRL */
};

struct conf_renewal {
	int64_t margin_seconds, hash_margin_seconds;
	int64_t sweep_interval_seconds, reaction_time_seconds;
	int64_t min_token_life_seconds; /* a token whose class ends sooner is refused if another TSA offers more */
	int64_t material_interval_seconds;
	enum digest_alg digest; /* of archive stamps */
};

struct conf_verify {
	char *policy;	 /* "default", "dss", "dss-lenient", or a policy file when policy_is_file */
	bool policy_is_file;
	struct word_list catalogues; /* RFC 5698 files, the newest counts; empty = the built-in one of the policy */
	char *overlay;	 /* the operator's own lines over it, NULL = none */
	bool sliding_strict;
	struct word_list signature_policies; /* files that signatures refer to by digest */
};

struct conf_limits {
	uint64_t file_bytes, record_bytes; /* one file, one record */
	uint64_t xml_bytes;		   /* a larger document is kept as data */
	unsigned record_files, xml_depth, xml_nodes, references, transforms, signatures, stamps;
	int64_t worker_seconds;
	uint64_t worker_bytes;
};

/* Is intake for a clock that the kernel calls synchronised only? AUTO: on machines where it was called so before. */
enum sync_rule { SYNC_AUTO = 0, SYNC_YES, SYNC_NO };

struct conf_service {
	char *control;	/* socket; never NULL: "control" in the archive's folder by default */
	unsigned workers;
	uint64_t min_free_bytes; /* intake stops below it, renewal goes on */
	int64_t rescan_seconds;	 /* the spools, besides inotify */
	enum sync_rule clock_sync;
};

struct conf_hook {
	char *status; /* command run on news of a record */
	char *mail;   /* address for alarms; kept for later */
};

struct config {
	char *file;
	struct conf_archive archive;
	struct conf_spool *spools;
	size_t n_spools;
	struct conf_profile *profiles; /* "default" is always there */
	size_t n_profiles;
	struct conf_tsa *tsas;
	size_t n_tsas;
	struct conf_net net;
	struct conf_renewal renewal;
	struct conf_verify verify;
	char *trust_dir;
	int64_t trust_max_age_seconds; /* intake stops when the folder was not looked after for longer; 0 = no limit */
	struct conf_limits limits;
	struct conf_service service;
	struct conf_hook hook;
	size_t cap_spools, cap_profiles, cap_tsas;
};

struct fault {
	unsigned line; /* 0 = the file as a whole */
	char text[240];
};
struct faults {
	struct fault *v; /* in order of lines */
	size_t n, cap;
	char file[256];
};
#define FAULTS_MAX 200 /* the rest is only counted in the last one */
/* "file:line: reason" lines. Ask buf_ok. */
void faults_text(const struct faults *f, struct buf *out);
void faults_auto(struct faults *f);

/*
 * Parse and check. file: its path, for messages and relative paths. ERR_OK: *out is whole and every relation holds.
 * ERR_USAGE: f holds every fault; the text names the first. At most 1 MiB (ERR_LIMIT). Nothing named in it is opened.
 */
MUST_USE enum err_code config_parse(
    struct slice text, const char *file, struct config **out, struct faults *f, struct err *e);
void config_free(struct config *c);
void config_auto(struct config **c);
/* The configuration in effect, defaults filled in, in the file's own grammar; passwords are left out. Ask buf_ok. */
void config_text(const struct config *c, struct buf *out);

const struct conf_profile *config_profile(const struct config *c, const char *name); /* NULL if unknown */
const struct conf_tsa *config_tsa(const struct config *c, const char *name);	      /* NULL if unknown */

/*
 * May a connection go to this address and port? Without a rule: public unicast addresses on ports 80 and 443. A rule of
 * allow_net lets its own addresses and port in, whatever they are. sa: AF_INET or AF_INET6; its own port is not read.
 * IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) only ever pass by an IPv6 rule.
 */
bool net_allowed(const struct config *c, const struct sockaddr *sa, unsigned port);
/* "10.0.0.0/8:80", "127.0.0.1:8080", "[fd00::/8]:443", port "*" = any. False if it is no such rule. */
bool net_rule_parse(const char *text, struct net_rule *out);

/*
 * Keys whose place is kept but which this release does nothing with: set to more than their default they are faults, so
 * that nobody relies on them. False: f holds them.
 */
bool config_check_built(const struct config *cfg, struct faults *f);

/* What names spools, profiles, TSAs, depositors: 1..64 of letters, digits, . _ -; neither . nor - first. */
bool config_is_name(const char *text);
/* "90s", "15m", "12h", "90d", "6w", "3y" (365 days); at most 200 years. */
bool duration_parse(const char *text, int64_t *seconds);
/* "4096", "64KiB", "1GiB", "2TiB". */
bool size_parse(const char *text, uint64_t *bytes);

#endif
