/* SPDX-License-Identifier: MIT */
/*
 * The rules in force: configuration, verification policy, algorithm catalogue. Each set that is new becomes objects with
 * a leaf, so that a restored archive knows by what it judged and renewed at any time, and the digests in the headers of
 * its reports stand for something. Passwords are no part of the text of a configuration.
 */
#include "archiver/archiver_int.h"

#include <string.h>

/* Relative paths as the file has them: the same configuration, whatever folder it was named from. */
static void
kept_config(const struct config *cfg, struct buf *out)
{
	AUTO(buf) struct buf text = {0};
	const char *slash = strrchr(cfg->file, '/'), *p;
	size_t folder = slash != NULL ? (size_t)(slash - cfg->file) + 1 : 0;

	config_text(cfg, &text);
	for (p = buf_str(&text); *p != '\0'; p++) {
		buf_add8(out, (unsigned char)*p);
		if (*p == ' ' && folder != 0 && strncmp(p + 1, cfg->file, folder) == 0)
			p += folder;
	}
	out->failed |= text.failed;
}

static enum err_code
set_digest(json_t *set, const char *key, const struct buf *text, struct err *e)
{
	uint8_t sha256[32];

	if (buf_ok(text, e) != ERR_OK || digest_sha256(buf_slice(text), sha256, e) != ERR_OK)
		return e->code;
	return json_set(set, key, json_hex(slice_of(sha256, 32)), e);
}

static enum err_code
keep_rules(struct archive *a, const struct buf *const *texts, size_t n, const uint8_t event[32], const char *hex, struct err *e)
{
	static const uint8_t none[16];
	AUTO(batch) struct batch *b = NULL;
	struct slice value = slice_str(hex);
	size_t i;

	if (store_batch_begin(a->store, &b, e) != ERR_OK)
		return e->code;
	for (i = 0; i < n; i++)
		if (batch_put_bytes(b, STORE_SHARED, 0, buf_slice(texts[i]), NULL, e) != ERR_OK)
			return e->code;
	if (batch_leaf(b, LEAF_CONFIG, none, event, archive_now(a), NULL, e) != ERR_OK ||
	    batch_row(b, "state", slice_str("rules"), &value, e) != ERR_OK)
		return e->code;
	return store_commit(&b, NULL, e);
}

enum err_code
rules_note(struct archive *a, struct err *e)
{
	AUTO(buf) struct buf config = {0}, policy = {0}, catalogue = {0}, set_text = {0}, have = {0};
	const struct buf *const texts[] = {&config, &policy, &catalogue, &set_text};
	AUTO(json) json_t *set = json_object();
	uint8_t event[32];
	char hex[65];

	kept_config(a->cfg, &config);
	vpolicy_text(a->policy, &policy);
	catalogue_write(a->policy->catalogue, &catalogue);
	if (set_digest(set, "configuration", &config, e) != ERR_OK || set_digest(set, "policy", &policy, e) != ERR_OK ||
	    set_digest(set, "catalogue", &catalogue, e) != ERR_OK || json_canonical(set, &set_text, e) != ERR_OK ||
	    digest_sha256(buf_slice(&set_text), event, e) != ERR_OK)
		return err_wrap(e, "rules");
	hex32(event, hex);
	if (store_get_row(a->store, "state", slice_str("rules"), &have, NULL) == ERR_OK && strcmp(buf_str(&have), hex) == 0)
		return ERR_OK;
	if (keep_rules(a, texts, sizeof(texts) / sizeof(texts[0]), event, hex, e) != ERR_OK)
		return err_wrap(e, "rules");
	service_forgive(a); /* a URL may be right now */
	return ERR_OK;
}
