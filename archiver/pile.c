/* SPDX-License-Identifier: MIT */
/* Octets on their way: fetched or taken from the store, given to a worker packed, put into a batch as shared objects. */
#include "archiver/archiver_int.h"

#include <stdlib.h>
#include <string.h>

struct item {
	enum material_kind kind;
	uint8_t sha256[32];
	struct buf der;
	char *url;
	int64_t got;
	bool stored; /* came from the store */
};

struct pile {
	struct item *v;
	size_t n, cap;
	struct buf packed;
	bool packed_valid;
};

enum err_code
pile_new(struct pile **out, struct err *e)
{
	*out = mem_new(1, sizeof(**out));
	return *out != NULL ? ERR_OK : err_nomem(e);
}

void
pile_auto(struct pile **p)
{
	size_t i;

	if (*p == NULL)
		return;
	for (i = 0; i < (*p)->n; i++) {
		buf_release(&(*p)->v[i].der);
		free((*p)->v[i].url);
	}
	free((*p)->v);
	buf_release(&(*p)->packed);
	free(*p);
	*p = NULL;
}

size_t
pile_count(const struct pile *p)
{
	return p->n;
}

static const struct {
	enum material_kind kind;
	const char *word;
} kinds[] = {{MAT_CERT, "cert"}, {MAT_CRL, "crl"}, {MAT_OCSP, "ocsp"}, {MAT_POLICY, "policy"}};

static enum material_kind
kind_of(const char *word)
{
	size_t i;

	for (i = 0; word != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].word, word) == 0)
			return kinds[i].kind;
	return 0;
}

static const char *
word_of(enum material_kind kind)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].word;
	return "cert";
}

static struct item *
find(struct pile *p, const uint8_t sha256[32])
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (memcmp(p->v[i].sha256, sha256, 32) == 0)
			return &p->v[i];
	return NULL;
}

enum err_code
pile_add(struct pile *p, const char *kind, struct slice der, const char *url, int64_t got_utc, struct err *e)
{
	struct item *it = NULL;
	uint8_t sha256[32];

	if (kind_of(kind) == 0)
		return err_set(e, ERR_BUG, "material of kind \"%s\"", kind != NULL ? kind : "");
	if (digest_sha256(der, sha256, e) != ERR_OK)
		return err_wrap(e, "material");
	if (find(p, sha256) != NULL)
		return ERR_OK;
	if (!mem_grow(&p->v, &p->cap, p->n, sizeof(*p->v)))
		return err_nomem(e);
	it = &p->v[p->n];
	*it = (struct item){.kind = kind_of(kind), .got = got_utc};
	memcpy(it->sha256, sha256, sizeof(sha256));
	buf_addslice(&it->der, der);
	it->url = url != NULL ? mem_dupstr(url) : NULL;
	p->n++;
	p->packed_valid = false;
	return buf_ok(&it->der, e);
}

enum err_code
pile_add_named(struct pile *p, const json_t *answer, const json_t *list, struct err *e)
{
	const json_t *o = NULL, *octets = json_object_get(answer, "objects");
	size_t i;

	json_array_foreach (list, i, o) {
		AUTO(buf) struct buf der = {0};
		const char *b64 = json_string_value(json_object_get(octets, json_string_value(json_object_get(o, "sha256"))));

		if (b64 == NULL)
			continue;
		if (base64_to(slice_str(b64), &der, e) != ERR_OK ||
		    pile_add(p, json_string_value(json_object_get(o, "kind")), buf_slice(&der), NULL, TIME_NONE, e) != ERR_OK)
			return err_wrap(e, "embedded object");
	}
	return ERR_OK;
}

enum err_code
pile_load(struct archive *a, struct pile *p, const json_t *list, struct err *e)
{
	const json_t *o = NULL;
	uint8_t sha256[32];
	size_t i;

	json_array_foreach (list, i, o) {
		AUTO(buf) struct buf der = {0};
		int64_t got = TIME_NONE;

		if (!hex32_to(json_string_value(json_object_get(o, "sha256")), sha256))
			return err_set(e, ERR_DAMAGED, "material list entry %zu names no digest", i);
		if (find(p, sha256) != NULL)
			continue;
		/* Where and when it was got stays with it from manifest to manifest. */
		if (store_get_bytes(a->store, sha256, OBJECT_MAX, &der, e) != ERR_OK || json_want_time(o, "got", &got, e) != ERR_OK ||
		    pile_add(p, json_string_value(json_object_get(o, "kind")), buf_slice(&der),
			json_string_value(json_object_get(o, "url")), got, e) != ERR_OK)
			return err_wrap(e, "material");
		p->v[p->n - 1].stored = true;
	}
	return ERR_OK;
}

enum err_code
pile_packed(struct pile *p, struct slice *out, struct err *e)
{
	AUTO(material) struct material *m = NULL;
	size_t i;

	if (!p->packed_valid) {
		if (material_new(&m, e) != ERR_OK)
			return err_wrap(e, "material");
		for (i = 0; i < p->n; i++)
			if (material_add(m, p->v[i].kind, buf_slice(&p->v[i].der), e) != ERR_OK)
				return err_wrap(e, "material");
		buf_clear(&p->packed);
		if (material_pack(m, &p->packed, e) != ERR_OK)
			return err_wrap(e, "material");
		p->packed_valid = true;
	}
	*out = buf_slice(&p->packed);
	return ERR_OK;
}

enum err_code
pile_put(struct pile *p, struct batch *b, json_t **list, struct err *e)
{
	AUTO(json) json_t *out = json_array();
	size_t i;

	for (i = 0; i < p->n; i++) {
		struct item *it = &p->v[i];
		AUTO(json) json_t *o = json_object();

		if (!it->stored && batch_put_bytes(b, STORE_SHARED, 0, buf_slice(&it->der), NULL, e) != ERR_OK)
			return err_wrap(e, "material");
		if (json_set(o, "kind", json_text(word_of(it->kind)), e) != ERR_OK ||
		    json_set(o, "sha256", json_hex(slice_of(it->sha256, 32)), e) != ERR_OK ||
		    (it->url != NULL && json_set(o, "url", json_text(it->url), e) != ERR_OK) ||
		    (it->got != TIME_NONE && json_set(o, "got", json_time(it->got), e) != ERR_OK) ||
		    json_push(out, TAKE(o), e) != ERR_OK)
			return err_wrap(e, "material");
	}
	*list = TAKE(out);
	return ERR_OK;
}
