/* SPDX-License-Identifier: MIT */
#include "verify/xades_int.h"

#include <string.h>

const char *
stamp_type_name(enum stamp_type t)
{
	static const char *const names[] = {[STAMP_ALL_DATA] = "ALL_DATA",
	    [STAMP_INDIVIDUAL_DATA] = "INDIVIDUAL_DATA",
	    [STAMP_SIGNATURE] = "SIGNATURE",
	    [STAMP_SIG_AND_REFS] = "VALIDATION_DATA",
	    [STAMP_REFS_ONLY] = "REFSONLY",
	    [STAMP_ARCHIVE] = "ARCHIVE"};

	return names[t];
}

/* The kinds of property that hold a token; x141 names count in every container. */
static const struct stamp_row {
	const char *name;
	enum stamp_type type;
	bool is_signed, x141;
} rows[] = {
    {"AllDataObjectsTimeStamp", STAMP_ALL_DATA, true, false},
    {"IndividualDataObjectsTimeStamp", STAMP_INDIVIDUAL_DATA, true, false},
    {"SignatureTimeStamp", STAMP_SIGNATURE, false, false},
    {"SigAndRefsTimeStamp", STAMP_SIG_AND_REFS, false, false},
    {"SigAndRefsTimeStampV2", STAMP_SIG_AND_REFS, false, true},
    {"RefsOnlyTimeStamp", STAMP_REFS_ONLY, false, false},
    {"RefsOnlyTimeStampV2", STAMP_REFS_ONLY, false, true},
    {"ArchiveTimeStamp", STAMP_ARCHIVE, false, false},
    {"ArchiveTimeStamp", STAMP_ARCHIVE, false, true},
    {"ArchiveTimeStampV2", STAMP_ARCHIVE, false, true}, /* drafts of TS 101 903 1.4.1 */
};

static const struct stamp_row *
row_of(const xmlNode *p, const char *ns, bool is_signed)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].is_signed == is_signed && xml_is(p, rows[i].x141 ? NS_X141 : ns, rows[i].name))
			return &rows[i];
	return NULL;
}

/* Children stand in the container's namespace; files that mix versions, as old e-akta do, have them in another. */
static const char *
children_ns(const struct xsig *s, const xmlNode *p)
{
	enum xades_version v;

	if (xml_first(p, xades_ns(s->version), "EncapsulatedTimeStamp") != NULL)
		return xades_ns(s->version);
	for (v = XADES_132; v > XADES_NONE; v--)
		if (xml_first(p, xades_ns(v), "EncapsulatedTimeStamp") != NULL)
			return xades_ns(v);
	return xades_ns(s->version);
}

/* Strings and flags that all tokens of one property share. */
static enum err_code
property_read(struct sigdoc *d, struct xsig *s, xmlNode *p, const struct stamp_row *row, size_t position, struct xstamp *t,
    struct err *e)
{
	const char *c14n = xml_attr(xml_first(p, NS_DS, "CanonicalizationMethod"), "Algorithm"), *id = xml_attr(p, "Id");
	const char *ns = children_ns(s, p);

	t->type = row->type;
	t->node = p;
	t->v2 = row->x141 && row->type != STAMP_ARCHIVE;
	t->old_archive = row->type == STAMP_ARCHIVE && !row->x141;
	t->position = position;
	t->n_tokens = xml_count(p, ns, "EncapsulatedTimeStamp");
	t->id = id != NULL ? arena_dup(&state_of(d)->arena, id) : NULL;
	t->c14n = c14n != NULL ? arena_dup(&state_of(d)->arena, c14n) : NULL;
	if (xml_first(p, ns, "Include") != NULL)
		s->has_include = true;
	if (t->old_archive)
		s->count.archive_old++;
	if ((id != NULL && t->id == NULL) || (c14n != NULL && t->c14n == NULL))
		return err_nomem(e);
	if (t->n_tokens == 0)
		t->note = arena_dup(&state_of(d)->arena,
		    xml_first(p, ns, "XMLTimeStamp") != NULL ? "XMLTimeStamp is not supported" : "no token");
	return ERR_OK;
}

/* One xstamp for each token: several in one property cover the same octets and are judged one by one. */
static enum err_code
stamp_read(struct sigdoc *d, struct xsig *s, xmlNode *p, const struct stamp_row *row, size_t position, struct err *e)
{
	const char *ns = children_ns(s, p);
	struct xstamp first = {0}, *t;
	const xmlNode *token;

	if (property_read(d, s, p, row, position, &first, e) != ERR_OK)
		return err_wrap(e, "%s", row->name);
	if (first.n_tokens == 0)
		s->stamps[s->n_stamps++] = first;
	for (token = xml_first(p, ns, "EncapsulatedTimeStamp"); token != NULL; token = xml_next(token, ns, "EncapsulatedTimeStamp")) {
		t = &s->stamps[s->n_stamps];
		*t = first;
		t->token_node = token;
		if (base64_read(d, token, &t->token, e) != ERR_OK)
			return err_wrap(e, "%s", row->name);
		if (t->token.n == 0)
			t->note = arena_dup(&state_of(d)->arena, "the token is not base64");
		s->n_stamps++;
	}
	return ERR_OK;
}

static enum err_code
list_read(struct sigdoc *d, struct xsig *s, const xmlNode *parent, bool is_signed, struct err *e)
{
	const char *ns = xades_ns(s->version);
	const struct stamp_row *row;
	size_t at = 0;
	xmlNode *p;

	for (p = xml_first(parent, NULL, NULL); p != NULL; p = xml_next(p, NULL, NULL), at++) {
		row = row_of(p, ns, is_signed);
		if (row != NULL && stamp_read(d, s, p, row, is_signed ? SIZE_MAX : at, e) != ERR_OK)
			return err_wrap(e, "time-stamp");
	}
	return ERR_OK;
}

/* How many xstamps a list gives. */
static size_t
list_count(const struct xsig *s, const xmlNode *parent, bool is_signed)
{
	const xmlNode *p;
	size_t n = 0, tokens;

	for (p = xml_first(parent, NULL, NULL); p != NULL; p = xml_next(p, NULL, NULL)) {
		if (row_of(p, xades_ns(s->version), is_signed) == NULL)
			continue;
		tokens = xml_count(p, children_ns(s, p), "EncapsulatedTimeStamp");
		n += tokens != 0 ? tokens : 1;
	}
	return n;
}

enum err_code
stamps_read(struct sigdoc *d, struct xsig *s, const xmlNode *signed_data, struct err *e)
{
	size_t count = list_count(s, signed_data, true) + list_count(s, s->unsigned_props, false);

	if (count > state_of(d)->limits.stamps)
		return err_set(e, ERR_LIMIT, "more than %zu time-stamps", state_of(d)->limits.stamps);
	s->stamps = arena_new(&state_of(d)->arena, (count + 1) * sizeof(*s->stamps));
	if (s->stamps == NULL)
		return err_nomem(e);
	if (list_read(d, s, signed_data, true, e) != ERR_OK || list_read(d, s, s->unsigned_props, false, e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	return ERR_OK;
}
