/* SPDX-License-Identifier: MIT */
/* Protection classes: their key, and their JSON form (docs/deadlines.md). */
#include "policy/deadline.h"

#include <stdio.h>
#include <string.h>

static void
key_of_alg(struct buf *b, const struct alg_use *u)
{
	buf_addf(b, "%s %u %u %d %d\n", key_kind_name(u->key), u->key_bits, u->q_bits, (int)u->digest, (int)u->mgf);
}

enum err_code
class_key(const struct class_facts *f, uint8_t out[32], struct err *e)
{
	const struct digest_row *d = digest_row(f->imprint);
	AUTO(buf) struct buf b = {0};

	buf_adds(&b, "protection class\n");
	buf_add(&b, f->tsa_sha256, 32);
	buf_add(&b, f->chain_sha256, 32);
	buf_addf(&b, "%s\n", d != NULL ? d->name : "unknown");
	key_of_alg(&b, &f->token);
	if (buf_ok(&b, e) != ERR_OK)
		return err_wrap(e, "protection class");
	return digest_sha256(buf_slice(&b), out, e);
}

/* ---- writing ---- */

static json_t *
digest_json(enum digest_alg alg)
{
	const struct digest_row *d = digest_row(alg);

	return d != NULL ? json_string(d->name) : json_null();
}

static json_t *
hex_json(const uint8_t sha256[32])
{
	char hex[65];

	hex_of(slice_of(sha256, 32), hex);
	return json_string(hex);
}

static json_t *
time_json(int64_t utc)
{
	char text[TIME_TEXT];

	time_text(utc, text);
	return json_string(text);
}

static enum err_code
alg_json(const struct alg_use *u, json_t **out, struct err *e)
{
	AUTO(json) json_t *j = json_object();

	if (json_set(j, "key", json_string(key_kind_name(u->key)), e) != ERR_OK ||
	    json_set(j, "bits", json_integer(u->key_bits), e) != ERR_OK ||
	    json_set(j, "q", json_integer(u->q_bits), e) != ERR_OK ||
	    json_set(j, "digest", digest_json(u->digest), e) != ERR_OK || json_set(j, "mgf", digest_json(u->mgf), e) != ERR_OK)
		return err_wrap(e, "algorithm");
	*out = TAKE(j);
	return ERR_OK;
}

static enum err_code
set_algs(json_t *j, const struct class_facts *f, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	json_t *one = NULL;
	size_t i;

	if (alg_json(&f->token, &one, e) != ERR_OK || json_set(j, "token", one, e) != ERR_OK)
		return err_wrap(e, "token");
	for (i = 0; i < f->n_cert_algs; i++)
		if (alg_json(&f->cert_algs[i], &one, e) != ERR_OK || json_push(list, one, e) != ERR_OK)
			return err_wrap(e, "cert_algs");
	return json_set(j, "cert_algs", TAKE(list), e);
}

static enum err_code
set_cas(json_t *j, const struct class_facts *f, struct err *e)
{
	AUTO(json) json_t *list = json_array();
	size_t i;

	for (i = 0; i < f->n_cas; i++) {
		AUTO(json) json_t *ca = json_object();

		if (json_set(ca, "subject", json_text(f->cas[i].subject), e) != ERR_OK ||
		    json_set(ca, "not_after", time_json(f->cas[i].not_after_utc), e) != ERR_OK ||
		    json_push(list, TAKE(ca), e) != ERR_OK)
			return err_wrap(e, "cas");
	}
	return json_set(j, "cas", TAKE(list), e);
}

enum err_code
class_json(const struct class_facts *f, json_t **out, struct err *e)
{
	AUTO(json) json_t *j = json_object(), *tsa = json_object();

	if (json_set(tsa, "sha256", hex_json(f->tsa_sha256), e) != ERR_OK ||
	    json_set(tsa, "subject", json_text(f->tsa_subject), e) != ERR_OK ||
	    json_set(tsa, "not_after", time_json(f->tsa_not_after_utc), e) != ERR_OK ||
	    json_set(j, "tsa", TAKE(tsa), e) != ERR_OK || json_set(j, "chain", hex_json(f->chain_sha256), e) != ERR_OK ||
	    set_cas(j, f, e) != ERR_OK || json_set(j, "anchor_sunset", time_json(f->anchor_sunset_utc), e) != ERR_OK ||
	    json_set(j, "service_end", time_json(f->service_end_utc), e) != ERR_OK || set_algs(j, f, e) != ERR_OK ||
	    json_set(j, "imprint", digest_json(f->imprint), e) != ERR_OK || json_set(j, "ess", digest_json(f->ess), e) != ERR_OK)
		return err_wrap(e, "protection class");
	*out = TAKE(j);
	return ERR_OK;
}

/* ---- reading ---- */

static enum err_code
read_digest(const json_t *j, const char *key, bool may_lack, enum digest_alg *out, struct err *e)
{
	const struct digest_row *d;
	const char *name;

	if (json_want_str(j, key, NULL, &name, e) != ERR_OK)
		return err_wrap(e, "digest");
	*out = DIGEST_NONE;
	if (name == NULL)
		return may_lack ? ERR_OK : err_set(e, ERR_FORMAT, "'%s' is missing", key);
	d = digest_by_name(name);
	if (d == NULL)
		return err_set(e, ERR_FORMAT, "'%s': no digest named %.40s", key, name);
	*out = d->alg;
	return ERR_OK;
}

static enum err_code
read_hex(const json_t *j, const char *key, uint8_t out[32], struct err *e)
{
	const char *hex;

	if (json_need_str(j, key, &hex, e) != ERR_OK)
		return err_wrap(e, "digest");
	if (strlen(hex) != 64 || !hex_to(hex, 64, out))
		return err_set(e, ERR_FORMAT, "'%s' is no SHA-256", key);
	return ERR_OK;
}

/* dflt TIME_NONE: the member must be there. */
static enum err_code
read_time(const json_t *j, const char *key, int64_t dflt, int64_t *out, struct err *e)
{
	if (json_want_time(j, key, out, e) != ERR_OK)
		return err_wrap(e, "time");
	if (*out == TIME_NONE)
		*out = dflt;
	return *out != TIME_NONE ? ERR_OK : err_set(e, ERR_FORMAT, "'%s' is missing", key);
}

static enum err_code
read_subject(const json_t *j, char out[CLASS_NAME_MAX], struct err *e)
{
	const char *s;
	size_t n;

	if (json_need_str(j, "subject", &s, e) != ERR_OK)
		return err_wrap(e, "name");
	n = strlen(s);
	if (n >= CLASS_NAME_MAX) /* never in the middle of a UTF-8 character */
		for (n = CLASS_NAME_MAX - 1; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
	memcpy(out, s, n);
	out[n] = '\0';
	return ERR_OK;
}

static enum err_code
read_bits(const json_t *j, const char *key, unsigned *out, struct err *e)
{
	int64_t v;

	if (json_want_int(j, key, 0, &v, e) != ERR_OK)
		return err_wrap(e, "size");
	if (v < 0 || v > 1000000)
		return err_set(e, ERR_FORMAT, "'%s' is no key size", key);
	*out = (unsigned)v;
	return ERR_OK;
}

static enum err_code
read_alg(const json_t *j, struct alg_use *out, struct err *e)
{
	const char *name;
	int k;

	*out = (struct alg_use){.is_signature = true};
	if (json_need_str(j, "key", &name, e) != ERR_OK || read_bits(j, "bits", &out->key_bits, e) != ERR_OK ||
	    read_bits(j, "q", &out->q_bits, e) != ERR_OK || read_digest(j, "digest", true, &out->digest, e) != ERR_OK ||
	    read_digest(j, "mgf", true, &out->mgf, e) != ERR_OK)
		return err_wrap(e, "algorithm");
	for (k = KEY_UNKNOWN; k < KEY_KINDS; k++)
		if (strcmp(key_kind_name((enum key_kind)k), name) == 0) {
			out->key = (enum key_kind)k;
			return ERR_OK;
		}
	return err_set(e, ERR_FORMAT, "no key named %.40s", name);
}

static enum err_code
read_algs(const json_t *j, struct class_facts *f, struct err *e)
{
	json_t *token, *list, *one;
	size_t i;

	if (json_need_obj(j, "token", &token, e) != ERR_OK || read_alg(token, &f->token, e) != ERR_OK ||
	    json_need_arr(j, "cert_algs", &list, e) != ERR_OK)
		return err_wrap(e, "token");
	f->n_cert_algs = json_array_size(list);
	if (f->n_cert_algs > CLASS_CAS_MAX)
		return err_set(e, ERR_LIMIT, "cert_algs: more than %d", CLASS_CAS_MAX);
	json_array_foreach (list, i, one)
		if (read_alg(one, &f->cert_algs[i], e) != ERR_OK)
			return err_wrap(e, "cert_algs");
	return ERR_OK;
}

static enum err_code
read_cas(const json_t *j, struct class_facts *f, struct err *e)
{
	json_t *list, *one;
	size_t i;

	if (json_need_arr(j, "cas", &list, e) != ERR_OK)
		return err_wrap(e, "cas");
	f->n_cas = json_array_size(list);
	if (f->n_cas > CLASS_CAS_MAX)
		return err_set(e, ERR_LIMIT, "cas: more than %d", CLASS_CAS_MAX);
	json_array_foreach (list, i, one)
		if (read_subject(one, f->cas[i].subject, e) != ERR_OK ||
		    read_time(one, "not_after", TIME_NONE, &f->cas[i].not_after_utc, e) != ERR_OK)
			return err_wrap(e, "cas");
	return ERR_OK;
}

enum err_code
class_read(const json_t *j, struct class_facts *out, struct err *e)
{
	json_t *tsa;

	*out = (struct class_facts){0};
	if (json_need_obj(j, "tsa", &tsa, e) != ERR_OK || read_hex(tsa, "sha256", out->tsa_sha256, e) != ERR_OK ||
	    read_subject(tsa, out->tsa_subject, e) != ERR_OK ||
	    read_time(tsa, "not_after", TIME_NONE, &out->tsa_not_after_utc, e) != ERR_OK ||
	    read_hex(j, "chain", out->chain_sha256, e) != ERR_OK || read_cas(j, out, e) != ERR_OK ||
	    read_time(j, "anchor_sunset", TIME_MAX, &out->anchor_sunset_utc, e) != ERR_OK ||
	    read_time(j, "service_end", TIME_MAX, &out->service_end_utc, e) != ERR_OK || read_algs(j, out, e) != ERR_OK ||
	    read_digest(j, "imprint", false, &out->imprint, e) != ERR_OK || read_digest(j, "ess", true, &out->ess, e) != ERR_OK)
		return err_wrap(e, "protection class");
	return ERR_OK;
}
