/* SPDX-License-Identifier: MIT */
/*
 * Evidence rows: which class a signature's newest archive stamp belongs to.
 * Deadlines are nowhere stored by record: a class has one, computed from its
 * facts and the catalogue of the day (docs/deadlines.md).
 */
#include "archiver/steps.h"

#include <stdio.h>
#include <string.h>

void
evidence_row_key(struct buf *out, const char *class_hex, const char *record, size_t signature)
{
	buf_addf(out, "%s/%s/%zu", class_hex, record, signature);
}

static enum err_code
put_json(struct batch *b, const char *table, struct slice key, const json_t *value, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	struct slice s;

	if (json_canonical(value, &text, e) != ERR_OK)
		return err_wrap(e, "%s row", table);
	s = buf_slice(&text);
	return batch_row(b, table, key, &s, e);
}

/* The chain's older piece is covered by the new stamp: only the newest one's class is work. */
static enum err_code
replace_row(struct batch *b, const json_t *m, json_t *s, size_t number, const char *class_hex, const json_t *piece, struct err *e)
{
	AUTO(buf) struct buf old = {0}, key = {0};

	if (sig_str(s, "class")[0] != '\0') {
		evidence_row_key(&old, sig_str(s, "class"), manifest_record(m), number);
		if (buf_ok(&old, e) != ERR_OK || batch_row(b, "evidence", buf_slice(&old), NULL, e) != ERR_OK)
			return err_wrap(e, "evidence");
	}
	evidence_row_key(&key, class_hex, manifest_record(m), number);
	if (buf_ok(&key, e) != ERR_OK || put_json(b, "evidence", buf_slice(&key), piece, e) != ERR_OK)
		return err_wrap(e, "evidence");
	return json_set(s, "class", json_text(class_hex), e);
}

enum err_code
evidence_add(struct archive *a, struct batch *b, json_t *m, size_t signature, const char *kind, const json_t *token_answer,
    const char *token_sha256, struct err *e)
{
	AUTO(json) json_t *piece = json_object();
	json_t *list = json_object_get(m, "evidence"), *s = manifest_signature(m, signature);
	const json_t *facts_json = json_object_get(token_answer, "class_facts");
	struct class_facts facts;
	uint8_t key[32];
	char hex[65];
	enum err_code r = ERR_OK;

	(void)a;
	if (class_read(facts_json, &facts, e) != ERR_OK || class_key(&facts, key, e) != ERR_OK)
		return err_wrap(e, "evidence");
	hex32(key, hex);
	if (json_set(piece, "thing", json_sprintf("signature:%zu", signature), e) != ERR_OK ||
	    json_set(piece, "kind", json_text(kind), e) != ERR_OK ||
	    json_set(piece, "seq", json_integer((json_int_t)json_array_size(list) + 1), e) != ERR_OK ||
	    json_set(piece, "class", json_text(hex), e) != ERR_OK || json_set(piece, "token", json_text(token_sha256), e) != ERR_OK ||
	    json_set(piece, "time", json_incref(json_object_get(token_answer, "gen_time")), e) != ERR_OK ||
	    json_set(piece, "tsa", json_incref(json_object_get(token_answer, "tsa_subject")), e) != ERR_OK ||
	    put_json(b, "class", slice_str(hex), facts_json, e) != ERR_OK)
		return err_wrap(e, "evidence");
	if (strcmp(kind, "A") == 0)
		r = replace_row(b, m, s, signature, hex, piece, e);
	if (r != ERR_OK)
		return err_wrap(e, "evidence");
	return json_push(list, TAKE(piece), e);
}

enum err_code
class_deadline(struct archive *a, const char *class_hex, struct deadline *out, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *facts_json = NULL;
	struct class_facts facts;

	if (store_get_row(a->store, "class", slice_str(class_hex), &text, e) != ERR_OK ||
	    json_read(buf_slice(&text), NULL, &facts_json, e) != ERR_OK || class_read(facts_json, &facts, e) != ERR_OK)
		return err_wrap(e, "class %.16s", class_hex);
	deadline_compute(&facts, a->policy->catalogue, TIME_MAX, NULL, out);
	return ERR_OK;
}

enum err_code
archive_class_ends(struct archive *a, const json_t *m, json_t **out, struct err *e)
{
	AUTO(json) json_t *ends = json_object();
	const json_t *piece = NULL;
	size_t i;

	json_array_foreach (json_object_get(m, "evidence"), i, piece) {
		const char *hex = sig_str(piece, "class");
		struct deadline d;

		if (hex[0] == '\0' || json_object_get(ends, hex) != NULL)
			continue;
		if (class_deadline(a, hex, &d, e) != ERR_OK ||
		    json_set(ends, hex, json_pack("{s:o, s:o}", "deadline", json_time(d.utc), "why", json_text(d.why)), e) != ERR_OK)
			return err_wrap(e, "record %s", manifest_record(m));
	}
	*out = TAKE(ends);
	return ERR_OK;
}

/* What a record waits for: the earliest of its signatures' deadlines; what only a tree could cover is said so. */
enum err_code
archive_deadline(struct archive *a, const json_t *m, json_t **out, struct err *e)
{
	int64_t best = TIME_MAX;
	char why[300] = "";
	const char *waits = NULL;
	bool any = false;
	size_t i;

	for (i = 0; i < manifest_signatures(m); i++) {
		const json_t *s = manifest_signature(m, i);
		struct deadline d;

		if (sig_str(s, "class")[0] == '\0')
			continue;
		if (class_deadline(a, sig_str(s, "class"), &d, e) != ERR_OK)
			return err_wrap(e, "record %s", manifest_record(m));
		any = true;
		if (d.utc < best) {
			best = d.utc;
			snprintf(why, sizeof(why), "%s", d.why);
		}
	}
	if (!any) {
		waits = "trees";
		for (i = 0; i < manifest_signatures(m); i++)
			if (sig_str(manifest_signature(m, i), "due")[0] != '\0')
				waits = sig_str(manifest_signature(m, i), "state");
	}
	*out = json_pack("{s:o, s:o, s:o}", "next_deadline", any && best != TIME_MAX ? json_time(best) : json_null(), "why",
	    why[0] != '\0' ? json_text(why) : json_null(), "waits_for", json_text(waits));
	return *out != NULL ? ERR_OK : err_nomem(e);
}
