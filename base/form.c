/* SPDX-License-Identifier: MIT */
#include "base/form.h"

#include <string.h>

static const char *const names[] = {"data", "xades", "xmldsig", "asic", "e-akta", "xml", "pdf", "cms"};

const char *
form_name(enum form f)
{
	return f <= FORM_CMS ? names[f] : "data";
}

bool
form_by_name(const char *name, enum form *out)
{
	for (size_t i = 0; name != NULL && i <= FORM_CMS; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum form)i;
			return true;
		}
	return false;
}

static bool
begins(struct slice s, const void *p, size_t n)
{
	return s.n >= n && memcmp(s.p, p, n) == 0;
}

static bool
contains(struct slice s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* ---- XML ---- */

/* The first octets that are no white space, in UTF-8, a single-byte encoding, or UTF-16 of either order. */
static bool
is_xml(struct slice s)
{
	size_t step = 1, at = 0;
	if (begins(s, "\xef\xbb\xbf", 3)) {
		at = 3;
	} else if (begins(s, "\xff\xfe", 2) || begins(s, "\xfe\xff", 2)) {
		step = 2;
		at = s.p[0] == 0xfe ? 3 : 2;
	} else if (begins(s, "<\0", 2) || begins(s, "\0<", 2)) {
		return true;
	}
	while (at < s.n && strchr(" \t\r\n", s.p[at]) != NULL && s.p[at] != 0)
		at += step;
	return at < s.n && s.p[at] == '<';
}

/* ---- ZIP ---- */

static unsigned
le16(const uint8_t *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static size_t
le32(const uint8_t *p)
{
	return le16(p) | (size_t)le16(p + 2) << 16;
}

/* A member that says what the container is (EN 319 162-1): first, stored, named mimetype. */
static bool
asic_mimetype(struct slice s)
{
	if (s.n < 38 || le16(s.p + 8) != 0 || le16(s.p + 26) != 8 || memcmp(s.p + 30, "mimetype", 8) != 0)
		return false;
	size_t at = 38u + le16(s.p + 28), n = le32(s.p + 22);
	if (at > s.n || n > s.n - at)
		return false;
	struct slice type = slice_of(s.p + at, n);
	return contains(type, "application/vnd.etsi.asic-") || contains(type, "application/vnd.oasis.opendocument");
}

/* Signature, time-stamp or evidence member in META-INF, by the central directory. */
static bool
asic_member(struct slice name)
{
	return begins(name, "META-INF/", 9) &&
	    (contains(name, "signature") || contains(name, "timestamp") || contains(name, "evidencerecord"));
}

/* Offset of the end record: it is last, behind it at most a comment of 64 KiB. */
static bool
end_record(struct slice s, size_t *at)
{
	if (s.n < 22)
		return false;
	size_t lowest = s.n > 22 + 65535 ? s.n - 22 - 65535 : 0;
	for (size_t i = s.n - 22 + 1; i-- > lowest;)
		if (memcmp(s.p + i, "PK\5\6", 4) == 0) {
			*at = i;
			return true;
		}
	return false;
}

static bool
asic_directory(struct slice s)
{
	size_t end;
	if (!end_record(s, &end))
		return false;
	size_t at = le32(s.p + end + 16);
	for (unsigned n = le16(s.p + end + 10); n > 0; n--) {
		if (at > s.n || s.n - at < 46 || memcmp(s.p + at, "PK\1\2", 4) != 0)
			return false;
		size_t name = le16(s.p + at + 28), rest = (size_t)le16(s.p + at + 30) + le16(s.p + at + 32);
		if (name > s.n - at - 46)
			return false;
		if (asic_member(slice_of(s.p + at + 46, name)))
			return true;
		at += 46 + name + rest;
	}
	return false;
}

/* ---- CMS ---- */

static bool
is_cms(struct slice s)
{
	static const uint8_t signed_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
	if (begins(s, "-----BEGIN PKCS7-----", 21) || begins(s, "-----BEGIN CMS-----", 19))
		return true;
	if (s.n < 2 || s.p[0] != 0x30)
		return false;
	/* Short form, indefinite (0x80), or 1..4 octets of length. */
	size_t skip = 2 + (s.p[1] > 0x80 ? (size_t)(s.p[1] & 0x7f) : 0);
	return skip <= 6 && s.n > skip && begins(slice_of(s.p + skip, s.n - skip), signed_data, sizeof(signed_data));
}

bool
form_is_zip(struct slice head)
{
	return begins(head, "PK\3\4", 4) || begins(head, "PK\5\6", 4);
}

enum form
form_sniff(struct slice s)
{
	struct slice head = slice_of(s.p, s.n < 1024 ? s.n : 1024);
	if (begins(s, "PK\3\4", 4))
		return asic_mimetype(s) || asic_directory(s) ? FORM_ASIC : FORM_DATA;
	/* Readers accept the mark within the first kilobyte. */
	if (head.n >= 5 && contains(head, "%PDF-"))
		return FORM_PDF;
	if (is_cms(s))
		return FORM_CMS;
	return is_xml(s) ? FORM_XML : FORM_DATA;
}

/* A ZIP names its kind by its last octets; white space may go on. */
bool
form_of_head(struct slice head, bool whole, enum form *out)
{
	size_t i = 0;
	*out = form_sniff(head);
	if (whole || (*out != FORM_DATA && *out != FORM_ASIC))
		return true;
	while (i < head.n && memchr(" \t\r\n\0\xef\xbb\xbf\xff\xfe", head.p[i], 10) != NULL)
		i++;
	return i < head.n && !begins(head, "PK\3\4", 4);
}

/* ---- without parsing ---- */

#define XMLDSIG "http://www.w3.org/2000/09/xmldsig#"

struct looking {
	uint8_t tail[sizeof(XMLDSIG) - 2]; /* end of the piece before: the name may lie across two */
	size_t n;
	bool found;
};

static enum err_code
look_for_name(void *ctx, struct slice s, struct err *e)
{
	struct looking *l = ctx;
	AUTO(buf) struct buf both = {0};
	size_t keep;
	buf_add(&both, l->tail, l->n);
	buf_addslice(&both, s);
	if (buf_ok(&both, e) != ERR_OK)
		return err_wrap(e, "look");
	l->found |= contains(buf_slice(&both), XMLDSIG);
	keep = both.n < sizeof(l->tail) ? both.n : sizeof(l->tail);
	memcpy(l->tail, both.p + both.n - keep, keep);
	l->n = keep;
	return ERR_OK;
}

enum err_code
form_names_xmldsig(const struct source *s, bool *found, struct err *e)
{
	struct looking l = {.n = 0};
	struct sink to = {look_for_name, &l};
	enum err_code rc = source_copy(s, 0, s->size_bytes, &to, e);
	*found = l.found;
	return rc;
}
