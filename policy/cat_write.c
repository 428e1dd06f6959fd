/* SPDX-License-Identifier: MIT */
#include "policy/catalogue_int.h"

#include <string.h>

static const struct {
	unsigned bit;
	const char *path;
} usages[] = {
    {CU_SIGN, ""},
    {CU_SIGN_CERTIFICATES, "/sign_certificates"},
    {CU_SIGN_OCSP, "/sign_ocsp"},
    {CU_SIGN_TIMESTAMPS, "/sign_timestamps"},
    {CU_VALIDATE, "/validate_data"},
    {CU_VALIDATE_CERTIFICATES, "/validate_data/validate_certificates"},
    {CU_VALIDATE_OCSP, "/validate_data/validate_ocsp"},
    {CU_VALIDATE_TIMESTAMPS, "/validate_data/validate_timestamps"},
    {CU_FOREIGN, "/other"},
};

static void
element(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "<%s>", name);
	buf_addxml(out, text);
	buf_addf(out, "</%s>", name);
}

/* xs:date. What lies inside a day moves to its start for an End, to the next day's for a Start: never looser than it was. */
static void
date(struct buf *out, const char *name, int64_t utc)
{
	char t[TIME_TEXT];

	time_text(utc, t);
	buf_addf(out, "<%s>%.10sZ</%s>", name, t, name);
}

static void
write_sizes(const struct cat_row *r, struct buf *out)
{
	static const char *const names[] = {"moduluslength", "plength", "qlength"};
	unsigned i;

	for (i = 0; i < SIZE_COUNT; i++) {
		if (r->size[i].min == 0 && r->size[i].max == 0)
			continue;
		buf_addf(out, "<Parameter name=\"%s\">", names[i]);
		if (r->size[i].min != 0)
			buf_addf(out, "<Min>%u</Min>", r->size[i].min);
		if (r->size[i].max != 0)
			buf_addf(out, "<Max>%u</Max>", r->size[i].max);
		buf_adds(out, "</Parameter>");
	}
	if (r->never)
		buf_adds(out, "<Parameter name=\"unmeasured\"/>");
}

static void
write_details(const struct cat_row *r, struct buf *out)
{
	unsigned i;

	if (r->usages == 0 && r->recommendation == 0)
		return;
	buf_adds(out, "<e:MoreDetails>");
	for (i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
		if (r->usages & usages[i].bit)
			buf_addf(out, "<e:AlgorithmUsage>http://uri.etsi.org/19322/sign_data%s</e:AlgorithmUsage>",
			    usages[i].path);
	if (r->recommendation != 0)
		buf_addf(out, "<e:Recommendation>%c</e:Recommendation>", r->recommendation);
	buf_adds(out, "</e:MoreDetails>");
}

static void
write_evaluation(const struct cat_row *r, struct buf *out)
{
	buf_adds(out, "  <Evaluation>");
	write_sizes(r, out);
	buf_adds(out, "<Validity>");
	if (r->start_utc != TIME_NONE)
		date(out, "Start", r->start_utc + 86399);
	if (r->end_utc != TIME_MAX)
		date(out, "End", r->end_utc);
	buf_adds(out, "</Validity>");
	write_details(r, out);
	buf_adds(out, "</Evaluation>\n");
}

static void
write_identifier(const struct cat_row *r, struct buf *out)
{
	struct alg_use use = {.is_signature = r->kind != CAT_DIGEST, .key = r->key, .digest = r->digest};
	const char *oid = r->id, *uri = NULL;
	char name[80];

	if (r->kind != CAT_OTHER)
		alg_ids(&use, &oid, &uri);
	else if (oid[strspn(oid, "0123456789.")] != '\0') {
		uri = oid; /* carried by its URI */
		oid = NULL;
	}
	if (r->kind == CAT_OTHER)
		buf_adds(out, "  <AlgorithmIdentifier><Name>other</Name>");
	else if (r->kind == CAT_KEY)
		buf_addf(out, "  <AlgorithmIdentifier><Name>%s</Name>", key_kind_name(r->key));
	else {
		alg_text(&use, name, sizeof(name));
		buf_addf(out, "  <AlgorithmIdentifier><Name>%s</Name>", name);
	}
	if (oid != NULL)
		element(out, "ObjectIdentifier", oid);
	if (uri != NULL)
		element(out, "URI", uri);
	buf_adds(out, "</AlgorithmIdentifier>\n");
}

static void
write_algorithm(const struct catalogue *c, size_t first, struct buf *out)
{
	const char *note = NULL;
	size_t i;

	buf_adds(out, " <Algorithm>\n");
	write_identifier(&c->rows[first], out);
	for (i = first; i < c->n; i++)
		if (cat_same(&c->rows[i], &c->rows[first])) {
			write_evaluation(&c->rows[i], out);
			if (note == NULL)
				note = c->rows[i].note;
		}
	if (note != NULL) {
		buf_adds(out, "  <Information>");
		element(out, "Text", note);
		buf_adds(out, "</Information>\n");
	}
	buf_adds(out, " </Algorithm>\n");
}

void
catalogue_write(const struct catalogue *c, struct buf *out)
{
	char issued[TIME_TEXT], next[TIME_TEXT];
	size_t i;

	time_text(c->issued_utc, issued);
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SecuritySuitabilityPolicy xmlns=\"urn:ietf:params:xml:ns:dssc\""
		      " xmlns:e=\"http://uri.etsi.org/19322/v1.1.1#\">\n <PolicyName>");
	element(out, "Name", c->name);
	buf_addf(out, "</PolicyName>\n <Publisher><Name>Everseal</Name></Publisher>\n <PolicyIssueDate>%s</PolicyIssueDate>\n", issued);
	if (c->next_update_utc != TIME_NONE) {
		time_text(c->next_update_utc, next);
		buf_addf(out, " <NextUpdate>%s</NextUpdate>\n", next);
	}
	for (i = 0; i < c->n; i++)
		if (cat_find(c, &c->rows[i]) == &c->rows[i])
			write_algorithm(c, i, out);
	buf_adds(out, "</SecuritySuitabilityPolicy>\n");
}
