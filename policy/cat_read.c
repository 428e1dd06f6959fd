/* SPDX-License-Identifier: MIT */
/* RFC 5698 XML with the usages of TS 119 322. What the published file gets wrong is read as meant, and remarked. */
#include "policy/catalogue_int.h"
#include "base/xml.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DSSC "urn:ietf:params:xml:ns:dssc"
#define E19322 "http://uri.etsi.org/19322/v1.1.1#"
#define USAGE_BASE "http://uri.etsi.org/19322/"
#define TEXT_MAX 2000
#define IDS_MAX 16
#define FILE_MAX_BYTES (4u << 20)

enum remark {
	REMARK_DATETIME = 0,
	REMARK_NO_VALIDITY,
	REMARK_BY_URI,
	REMARK_OID_URI,
	REMARK_DETAILS_NS,
	REMARK_EMPTY_URI,
	REMARK_PARAMETER,
	REMARK_USAGE,
	REMARKS
};
static const char *const remark_texts[REMARKS] = {
    [REMARK_DATETIME] = "Start or End with a time of day where the schema has a date: read as that instant",
    [REMARK_NO_VALIDITY] = "Evaluation without Validity: read as an empty one",
    [REMARK_BY_URI] = "unknown ObjectIdentifier: the algorithm is taken from its URI",
    [REMARK_OID_URI] = "ObjectIdentifier and URI mean different algorithms: the URI counts",
    [REMARK_DETAILS_NS] = "MoreDetails in the namespace of RFC 5698: read as that of TS 119 322",
    [REMARK_EMPTY_URI] = "empty URI ignored",
    [REMARK_PARAMETER] = "parameter that can't be measured: its evaluation never applies",
    [REMARK_USAGE] = "unknown usage: its evaluation serves no use here",
};

struct reader {
	struct cat_maker m;
	struct {
		unsigned count;
		long line;
		char what[48];
	} remarks[REMARKS];
	const char *algorithm; /* Name of the one being read */
};

static void
reader_auto(struct reader *r)
{
	cat_maker_auto(&r->m);
}

static void
remark(struct reader *r, enum remark what, const xmlNode *at)
{
	if (r->remarks[what].count++ > 0)
		return;
	r->remarks[what].line = xmlGetLineNo(at);
	snprintf(r->remarks[what].what, sizeof(r->remarks[what].what), "%s", r->algorithm != NULL ? r->algorithm : "header");
}

static void
tell_remarks(const struct reader *r, struct buf *out)
{
	int i;

	for (i = 0; i < REMARKS && out != NULL; i++)
		if (r->remarks[i].count > 0)
			buf_addf(out, "line %ld, %s: %s (%u times)\n", r->remarks[i].line, r->remarks[i].what, remark_texts[i],
			    r->remarks[i].count);
}

/* ---- leaves ---- */

static enum err_code
bad(const xmlNode *at, struct err *e, const char *what)
{
	return err_set(e, ERR_FORMAT, "catalogue, line %ld: %s", xmlGetLineNo(at), what);
}

static enum err_code
read_int(const xmlNode *n, unsigned *out, struct err *e)
{
	AUTO(mem) char *text = NULL;
	char *end;
	long v;

	if (xml_text_dup(n, 16, &text, e) != ERR_OK)
		return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(n));
	v = strtol(text, &end, 10);
	if (end == text || *end != '\0' || v < 0 || v > INT_MAX)
		return bad(n, e, "no size");
	*out = (unsigned)v;
	return ERR_OK;
}

static enum err_code
read_time(struct reader *r, const xmlNode *n, bool date, int64_t *out, struct err *e)
{
	AUTO(mem) char *text = NULL;

	if (xml_text_dup(n, 64, &text, e) != ERR_OK)
		return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(n));
	if (!time_parse(text, out))
		return bad(n, e, "no date");
	if (date && strchr(text, 'T') != NULL)
		remark(r, REMARK_DATETIME, n);
	return ERR_OK;
}

/* ---- AlgorithmIdentifier ---- */

struct ids {
	struct cat_row rows[IDS_MAX]; /* kind, key and digest of each algorithm meant */
	size_t n;
	char *other; /* first identifier that this build does not know */
};

static void
ids_auto(struct ids *i)
{
	free(i->other);
}

static struct cat_row
row_of(const struct alg_use *u)
{
	struct cat_row r = {.kind = CAT_SUITE, .key = u->key, .digest = u->digest};

	if (!u->is_signature)
		r.kind = CAT_DIGEST;
	else if (u->digest == DIGEST_NONE || u->key == KEY_RSA_PSS) {
		/* PSS has one OID whatever the digest, so it is always combined (crypto-policy 2.1). */
		r.kind = CAT_KEY;
		r.digest = DIGEST_NONE;
	}
	return r;
}

static bool
ids_have(const struct ids *ids, const struct cat_row *r)
{
	size_t i;

	for (i = 0; i < ids->n; i++)
		if (cat_same(&ids->rows[i], r))
			return true;
	return false;
}

static enum err_code
ids_add(struct ids *ids, const struct cat_row *r, const xmlNode *at, struct err *e)
{
	if (ids_have(ids, r))
		return ERR_OK;
	if (ids->n == IDS_MAX)
		return bad(at, e, "more than 16 algorithms under one identifier");
	ids->rows[ids->n++] = *r;
	return ERR_OK;
}

typedef bool lookup_fn(const char *id, struct alg_use *out);

/* All identifiers of one element name. Unknown ones are counted; the first is kept if nothing is there yet. */
static enum err_code
read_ids(struct reader *r, const xmlNode *parent, const char *name, lookup_fn *lookup, struct ids *ids, size_t *unknown,
    struct err *e)
{
	const xmlNode *n;
	struct alg_use use;

	for (n = xml_first(parent, DSSC, name); n != NULL; n = xml_next(n, DSSC, name)) {
		AUTO(mem) char *text = NULL;
		struct cat_row row;

		if (xml_text_dup(n, 256, &text, e) != ERR_OK)
			return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(n));
		if (*text == '\0') {
			remark(r, REMARK_EMPTY_URI, n);
			continue;
		}
		if (!lookup(text, &use)) {
			(*unknown)++;
			if (ids->other == NULL)
				ids->other = TAKE(text);
			continue;
		}
		row = row_of(&use);
		if (ids_add(ids, &row, n, e) != ERR_OK)
			return e != NULL ? e->code : ERR_FORMAT;
	}
	return ERR_OK;
}

/* The OIDs' algorithms are those of the URIs, as far as there are any. */
static void
compare_ids(struct reader *r, const struct ids *by_oid, struct ids *by_uri, size_t unknown, const xmlNode *at)
{
	size_t i;

	if (by_uri->n == 0)
		return;
	if (unknown > 0)
		remark(r, REMARK_BY_URI, at);
	for (i = 0; i < by_oid->n; i++)
		if (!ids_have(by_uri, &by_oid->rows[i])) {
			remark(r, REMARK_OID_URI, at);
			return;
		}
}

static enum err_code
read_identifier(struct reader *r, const xmlNode *alg, struct ids *out, struct err *e)
{
	AUTO(ids) struct ids by_oid = {0}, by_uri = {0};
	xmlNodePtr id = NULL;
	size_t unknown_oid = 0, unknown_uri = 0;

	if (xml_only(alg, DSSC, "AlgorithmIdentifier", &id, e) != ERR_OK ||
	    read_ids(r, id, "ObjectIdentifier", alg_by_oid, &by_oid, &unknown_oid, e) != ERR_OK ||
	    read_ids(r, id, "URI", alg_by_uri, &by_uri, &unknown_uri, e) != ERR_OK)
		return err_wrap(e, "algorithm identifier");
	compare_ids(r, &by_oid, &by_uri, unknown_oid, id);
	memcpy(out->rows, by_uri.n > 0 ? by_uri.rows : by_oid.rows, sizeof(out->rows));
	out->n = by_uri.n > 0 ? by_uri.n : by_oid.n;
	if (out->n > 0)
		return ERR_OK;
	out->other = by_oid.other != NULL ? TAKE(by_oid.other) : TAKE(by_uri.other);
	if (out->other == NULL)
		return bad(id, e, "algorithm without an identifier");
	out->rows[0] = (struct cat_row){.kind = CAT_OTHER, .id = out->other};
	out->n = 1;
	return ERR_OK;
}

/* ---- Evaluation ---- */

static enum err_code
read_parameter(struct reader *r, const xmlNode *p, struct cat_row *row, struct err *e)
{
	static const char *const names[SIZE_COUNT] = {"moduluslength", "plength", "qlength"};
	const char *name = xml_attr(p, "name");
	const xmlNode *n;
	int i;

	for (i = 0; i < SIZE_COUNT && (name == NULL || strcmp(names[i], name) != 0); i++)
		;
	if (i == SIZE_COUNT) {
		row->never = true;
		remark(r, REMARK_PARAMETER, p);
		return ERR_OK;
	}
	for (n = xml_first(p, NULL, NULL); n != NULL; n = xml_next(n, NULL, NULL)) {
		if (xml_is(n, DSSC, "Min")) {
			if (read_int(n, &row->size[i].min, e) != ERR_OK)
				return e != NULL ? e->code : ERR_FORMAT;
		} else if (xml_is(n, DSSC, "Max")) {
			if (read_int(n, &row->size[i].max, e) != ERR_OK)
				return e != NULL ? e->code : ERR_FORMAT;
		} else {
			row->never = true;
			remark(r, REMARK_PARAMETER, n);
		}
	}
	return ERR_OK;
}

static enum err_code
read_validity(struct reader *r, const xmlNode *evaluation, struct cat_row *row, struct err *e)
{
	const xmlNode *v = xml_first(evaluation, DSSC, "Validity"), *n;

	row->start_utc = TIME_NONE;
	row->end_utc = TIME_MAX;
	if (v == NULL) {
		remark(r, REMARK_NO_VALIDITY, evaluation);
		return ERR_OK;
	}
	if (xml_next(v, DSSC, "Validity") != NULL)
		return bad(v, e, "two Validity elements");
	n = xml_first(v, DSSC, "Start");
	if (n != NULL && read_time(r, n, true, &row->start_utc, e) != ERR_OK)
		return err_wrap(e, "Start");
	n = xml_first(v, DSSC, "End");
	if (n != NULL && read_time(r, n, true, &row->end_utc, e) != ERR_OK)
		return err_wrap(e, "End");
	return ERR_OK;
}

static unsigned
usage_bit(const char *uri)
{
	static const struct {
		const char *path;
		unsigned bit;
	} paths[] = {
	    {"sign_data", CU_SIGN},
	    {"sign_data/sign_certificates", CU_SIGN_CERTIFICATES},
	    {"sign_data/sign_ocsp", CU_SIGN_OCSP},
	    {"sign_data/sign_timestamps", CU_SIGN_TIMESTAMPS},
	    {"sign_data/validate_data", CU_VALIDATE},
	    {"sign_data/validate_data/validate_certificates", CU_VALIDATE_CERTIFICATES},
	    {"sign_data/validate_data/validate_ocsp", CU_VALIDATE_OCSP},
	    {"sign_data/validate_data/validate_timestamps", CU_VALIDATE_TIMESTAMPS},
	};
	size_t i, n = strlen(USAGE_BASE);

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]) && strncmp(uri, USAGE_BASE, n) == 0; i++)
		if (strcmp(uri + n, paths[i].path) == 0)
			return paths[i].bit;
	return CU_FOREIGN;
}

static enum err_code
read_details(struct reader *r, const xmlNode *evaluation, struct cat_row *row, struct err *e)
{
	const char *ns = E19322;
	const xmlNode *d = xml_first(evaluation, ns, "MoreDetails"), *n;

	if (d == NULL) {
		ns = DSSC;
		d = xml_first(evaluation, ns, "MoreDetails");
		if (d == NULL)
			return ERR_OK;
		remark(r, REMARK_DETAILS_NS, d);
	}
	for (n = xml_first(d, ns, NULL); n != NULL; n = xml_next(n, NULL, NULL)) {
		AUTO(mem) char *text = NULL;
		bool usage = xml_is(n, ns, "AlgorithmUsage");

		if (!usage && !xml_is(n, ns, "Recommendation"))
			continue;
		if (xml_text_dup(n, 256, &text, e) != ERR_OK)
			return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(n));
		if (usage) {
			row->usages |= usage_bit(text);
			if (usage_bit(text) == CU_FOREIGN)
				remark(r, REMARK_USAGE, n);
		} else if (strcmp(text, "R") == 0 || strcmp(text, "L") == 0) {
			row->recommendation = text[0];
		}
	}
	return ERR_OK;
}

static enum err_code
read_evaluation(struct reader *r, const xmlNode *ev, const struct ids *ids, const char *note, struct err *e)
{
	struct cat_row row = {.note = note}, each;
	const xmlNode *p;
	size_t i;

	for (p = xml_first(ev, DSSC, "Parameter"); p != NULL; p = xml_next(p, DSSC, "Parameter"))
		if (read_parameter(r, p, &row, e) != ERR_OK)
			return err_wrap(e, "Parameter");
	if (read_validity(r, ev, &row, e) != ERR_OK || read_details(r, ev, &row, e) != ERR_OK)
		return err_wrap(e, "Evaluation");
	for (i = 0; i < ids->n; i++) {
		each = row;
		each.kind = ids->rows[i].kind;
		each.key = ids->rows[i].key;
		each.digest = ids->rows[i].digest;
		each.id = ids->rows[i].id;
		cat_add(&r->m, &each);
	}
	return ERR_OK;
}

/* First text that says something. */
static enum err_code
read_note(const xmlNode *alg, char **out, struct err *e)
{
	const xmlNode *info = xml_first(alg, DSSC, "Information"), *n;

	for (n = info != NULL ? xml_first(info, DSSC, "Text") : NULL; n != NULL; n = xml_next(n, DSSC, "Text")) {
		AUTO(mem) char *text = NULL;

		if (xml_text_dup(n, TEXT_MAX, &text, e) != ERR_OK)
			return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(n));
		if (*text == '\0')
			continue;
		*out = TAKE(text);
		return ERR_OK;
	}
	return ERR_OK;
}

static enum err_code
read_name(const xmlNode *parent, const char *element, char **out, struct err *e)
{
	xmlNodePtr outer = NULL, name = NULL;

	if (xml_only(parent, DSSC, element, &outer, e) != ERR_OK || xml_only(outer, DSSC, "Name", &name, e) != ERR_OK)
		return err_wrap(e, "%s", element);
	return xml_text_dup(name, TEXT_MAX, out, e);
}

static enum err_code
read_algorithm(struct reader *r, const xmlNode *alg, struct err *e)
{
	AUTO(mem) char *name = NULL, *note = NULL;
	AUTO(ids) struct ids ids = {0};
	const xmlNode *ev;
	enum err_code rc;
	size_t n = 0;

	if (read_name(alg, "AlgorithmIdentifier", &name, e) != ERR_OK)
		return err_wrap(e, "catalogue, line %ld", xmlGetLineNo(alg));
	r->algorithm = name;
	rc = read_identifier(r, alg, &ids, e);
	if (rc == ERR_OK)
		rc = read_note(alg, &note, e);
	for (ev = xml_first(alg, DSSC, "Evaluation"); rc == ERR_OK && ev != NULL; ev = xml_next(ev, DSSC, "Evaluation")) {
		rc = ++n > CAT_SPANS_MAX ? bad(ev, e, "more than 64 evaluations of one algorithm")
					 : read_evaluation(r, ev, &ids, note, e);
	}
	r->algorithm = NULL;
	if (rc == ERR_OK && n == 0)
		rc = bad(alg, e, "algorithm without an evaluation");
	return rc;
}

/* ---- the file ---- */

static enum err_code
read_header(struct reader *r, const xmlNode *root, char **name, int64_t *issued, int64_t *next, struct err *e)
{
	xmlNodePtr n = NULL;

	if (!xml_is(root, DSSC, "SecuritySuitabilityPolicy"))
		return err_set(e, ERR_FORMAT, "no SecuritySuitabilityPolicy (RFC 5698)");
	if (read_name(root, "PolicyName", name, e) != ERR_OK || xml_only(root, DSSC, "PolicyIssueDate", &n, e) != ERR_OK ||
	    read_time(r, n, false, issued, e) != ERR_OK)
		return err_wrap(e, "catalogue");
	*next = TIME_NONE;
	n = xml_first(root, DSSC, "NextUpdate");
	return n != NULL ? read_time(r, n, false, next, e) : ERR_OK;
}

static void
header_uris(struct reader *r, const xmlNode *root)
{
	static const char *const where[] = {"PolicyName", "Publisher"};
	const xmlNode *n;
	int i;

	for (i = 0; i < 2; i++) {
		n = xml_first(root, DSSC, where[i]);
		n = n != NULL ? xml_first(n, DSSC, "URI") : NULL;
		if (n != NULL && n->children == NULL)
			remark(r, REMARK_EMPTY_URI, n);
	}
}

enum err_code
catalogue_read(struct slice xml, struct catalogue **out, struct buf *remarks, struct err *e)
{
	static const struct xml_limits limits = {.max_bytes = FILE_MAX_BYTES, .max_depth = 64, .max_nodes = 200000};
	AUTO(xml_doc) xmlDocPtr doc = NULL;
	AUTO(reader) struct reader r = {0};
	AUTO(mem) char *name = NULL;
	const xmlNode *root, *n;
	struct digest digest;
	int64_t issued, next;

	if (xml_load(xml, &limits, &doc, e) != ERR_OK || digest_once(DIGEST_SHA256, xml, &digest, e) != ERR_OK)
		return err_wrap(e, "catalogue");
	root = xmlDocGetRootElement(doc);
	if (read_header(&r, root, &name, &issued, &next, e) != ERR_OK)
		return e != NULL ? e->code : ERR_FORMAT;
	header_uris(&r, root);
	for (n = xml_first(root, DSSC, "Algorithm"); n != NULL; n = xml_next(n, DSSC, "Algorithm"))
		if (read_algorithm(&r, n, e) != ERR_OK)
			return err_wrap(e, "catalogue %.60s", name);
	if (r.m.n == 0 && !r.m.failed)
		return err_set(e, ERR_FORMAT, "catalogue %.60s: no algorithm", name);
	tell_remarks(&r, remarks);
	return cat_finish(&r.m, name, issued, next, &digest, out, e);
}
