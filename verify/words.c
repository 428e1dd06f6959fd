/* SPDX-License-Identifier: MIT */
/* What a report says in sentences, from its JSON alone: for the text report, for pages, for whoever has kept one. */
#include "verify/words.h"

#include <string.h>

#define PLAIN_MAX 500
#define QUOTED_MAX 200
#define ID_MAX 80
#define PATH_MAX_SHOWN 160
#define PARTS_SHOWN 2
#define GAPS_SHOWN 2

/* ---- foreign text ---- */

/* The longest beginning of whole characters with at most max octets. */
static size_t
cut(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* quote: a mark of its own becomes another, so that it can't end what it stands in. */
static void
add_cut(struct buf *b, const char *foreign, size_t max, bool quote)
{
	AUTO(buf) struct buf head = {0};
	size_t n = cut(foreign, max), i;

	buf_add(&head, foreign, n);
	for (i = 0; quote && i < head.n; i++)
		if (head.p[i] == '"')
			head.p[i] = '\'';
	buf_addplain(b, buf_str(&head));
	if (foreign[n] != '\0')
		buf_adds(b, "...");
}

void
words_add(struct buf *b, const char *before, const char *foreign, const char *after)
{
	buf_adds(b, before);
	add_cut(b, foreign, PLAIN_MAX, false);
	buf_adds(b, after);
}

void
words_quoted(struct buf *b, const char *before, const char *foreign, const char *after)
{
	buf_addf(b, "%s\"", before);
	add_cut(b, foreign, QUOTED_MAX, true);
	buf_addf(b, "\"%s", after);
}

void
words_id(struct buf *b, const char *id)
{
	size_t i, n = cut(id, ID_MAX);

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)id[i];
		bool name = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';

		buf_add8(b, name ? c : '?');
	}
	if (id[n] != '\0')
		buf_adds(b, "...");
}

void
words_name(struct buf *b, const char *name)
{
	if (strstr(name, ": ") != NULL || strchr(name, '"') != NULL)
		words_quoted(b, "", name, "");
	else
		add_cut(b, name, PLAIN_MAX, false);
}

/* A path says most at its end. */
static void
add_path(struct buf *b, const char *path)
{
	size_t n = strlen(path), skip = n > PATH_MAX_SHOWN ? n - PATH_MAX_SHOWN : 0;

	while (((unsigned char)path[skip] & 0xc0) == 0x80)
		skip++;
	if (skip != 0)
		buf_adds(b, "...");
	buf_addplain(b, path + skip);
}

/* ---- a reference ---- */

static bool
is(const json_t *j, const char *key, const char *value)
{
	return strcmp(words_of(j, key, ""), value) == 0;
}

static void
add_place(struct buf *b, const json_t *r)
{
	if (is(r, "stands", "root") || is(r, "covers", "/"))
		buf_adds(b, "this document");
	else
		add_path(b, words_of(r, "covers", "?"));
}

static void
add_gaps(struct buf *b, const json_t *r)
{
	const json_t *list = json_object_get(r, "left_out"), *count = json_object_get(r, "left_out_count"), *path = NULL;
	size_t i, shown = 0;

	if (!json_is_integer(count) || json_array_size(list) == 0) {
		buf_adds(b, "a part of ");
		add_place(b, r);
		return;
	}
	buf_adds(b, "all of ");
	add_place(b, r);
	buf_adds(b, " but ");
	json_array_foreach (list, i, path)
		if (i < GAPS_SHOWN) {
			buf_adds(b, shown++ != 0 ? ", " : "");
			add_path(b, json_string_value(path) != NULL ? json_string_value(path) : "?");
		}
	if ((json_int_t)shown < json_integer_value(count))
		buf_addf(b, " and %lld more", (long long)(json_integer_value(count) - (json_int_t)shown));
}

/* What it leads to, where it is not known what was hashed. */
static void
add_lead(struct buf *b, const json_t *r)
{
	const char *uri = words_of(r, "uri", NULL);

	if (uri == NULL)
		buf_adds(b, "data without an address");
	else if (*uri == '\0')
		buf_adds(b, "something of this document");
	else
		words_quoted(b, "what is called ", uri, "");
}

/* A file, or an element's text, and how much of it; false: extent is none of these. */
static bool
add_octets(struct buf *b, const json_t *r, const char *extent)
{
	static const struct {
		const char *extent, *before, *after;
	} WORDS[] = {
	    {"file", "the file ", ""},
	    {"file_part", "a part of the file ", ""},
	    {"file_xml", "the XML content of the file ", ", not its octets, comments and encoding"},
	    {"file_decoded", "what the file ", " encodes, not its octets"},
	    {"text", "the text of ", ""},
	    {"text_read", "the content of what is encoded in ", ", not its octets and comments"},
	    {"nothing", "nothing of ", ""},
	};
	size_t i;

	for (i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]) && strcmp(WORDS[i].extent, extent) != 0; i++)
		;
	if (i == sizeof(WORDS) / sizeof(WORDS[0]))
		return false;
	buf_adds(b, WORDS[i].before);
	if (strncmp(extent, "file", 4) == 0)
		words_quoted(b, "", words_of(r, "covers", ""), "");
	else if (is(r, "stands", "beside"))
		words_quoted(b, "the file ", words_of(r, "covers", ""), "");
	else
		add_place(b, r);
	buf_adds(b, WORDS[i].after);
	return true;
}

void
report_reference_words(const json_t *signature, const json_t *r, struct buf *b)
{
	const char *extent = words_of(r, "extent", NULL);
	bool whole = extent != NULL && strcmp(extent, "element") == 0;

	if (extent == NULL) {
		add_lead(b, r);
	} else if (whole && is(r, "kind", "signed_properties")) {
		buf_adds(b, "its own properties");
	} else if (whole && is(r, "kind", "key_info")) {
		buf_adds(b, "its own KeyInfo");
	} else if (whole && is(r, "kind", "countersigned") && json_is_integer(json_object_get(signature, "parent"))) {
		buf_addf(b, "the value of signature %lld", (long long)json_integer_value(json_object_get(signature, "parent")));
	} else if (whole || strcmp(extent, "document") == 0) {
		add_place(b, r);
	} else if (strcmp(extent, "part") == 0) {
		add_gaps(b, r);
	} else if (!add_octets(b, r, extent)) {
		buf_adds(b, "something of ");
		add_place(b, r);
	}
}

/* ---- a signature ---- */

/* What a verdict means to somebody who has not read EN 319 102-1. */
static const char *
in_words(const char *indication, const char *sub)
{
	static const struct {
		enum subindication sub;
		const char *words;
	} WORDS[] = {
	    {SUB_FORMAT_FAILURE, "it is not built as the format demands"},
	    {SUB_HASH_FAILURE, "what was signed has been altered"},
	    {SUB_SIG_CRYPTO_FAILURE, "the signature value is not of this content and this key"},
	    {SUB_REVOKED, "the certificate was revoked before the signature existed"},
	    {SUB_EXPIRED, "the certificate had ended before the signature existed"},
	    {SUB_NOT_YET_VALID, "the signature is older than its certificate"},
	    {SUB_SIG_CONSTRAINTS_FAILURE, "the signature breaks a rule of the policy"},
	    {SUB_CHAIN_CONSTRAINTS_FAILURE, "the certificates break a rule"},
	    {SUB_CERTIFICATE_CHAIN_GENERAL_FAILURE, "the certificates could not all be checked"},
	    {SUB_CRYPTO_CONSTRAINTS_FAILURE, "an algorithm was no longer reliable when it was used"},
	    {SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE, "an algorithm is not reliable now, and nothing proves the signature older"},
	    {SUB_NO_SIGNING_CERTIFICATE_FOUND, "the signer's certificate is not at hand"},
	    {SUB_NO_CERTIFICATE_CHAIN_FOUND, "no way leads from the signer's certificate to a trusted one"},
	    {SUB_NO_CERTIFICATE_CHAIN_FOUND_NO_POE, "the trusted certificate is no longer trusted, and nothing proves the signature older"},
	    {SUB_REVOKED_NO_POE, "the certificate is revoked, and nothing proves the signature older"},
	    {SUB_REVOKED_CA_NO_POE, "a certificate authority is revoked, and nothing proves the signature older"},
	    {SUB_OUT_OF_BOUNDS_NO_POE, "the certificate has ended, and nothing proves the signature older"},
	    {SUB_OUT_OF_BOUNDS_NOT_REVOKED, "the certificate has ended unrevoked, and nothing proves the signature older"},
	    {SUB_REVOCATION_OUT_OF_BOUNDS_NO_POE, "who answered about revocation is no longer valid, and nothing proves the answer older"},
	    {SUB_NO_POE, "nothing proves when the signature existed"},
	    {SUB_TRY_LATER, "newer revocation data has to be waited for"},
	    {SUB_SIGNED_DATA_NOT_FOUND, "what was signed is not at hand (--with)"},
	};

	if (strcmp(indication, indication_name(IND_PASSED)) == 0)
		return "the signature is valid";
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (strcmp(subindication_name(WORDS[i].sub), sub) == 0)
			return WORDS[i].words;
	return NULL;
}

/* Does it sign data? Its own properties and the list of a Manifest are none. */
static bool
is_data(const json_t *r)
{
	return !is(r, "kind", "signed_properties") && !is(r, "kind", "key_info") && json_array_size(json_object_get(r, "entries")) == 0;
}

/* The first parts; how many there are in all. */
static size_t
add_parts(struct buf *b, const json_t *signature, const json_t *refs, size_t n)
{
	const json_t *r = NULL;
	size_t i;

	json_array_foreach (refs, i, r) {
		n = add_parts(b, signature, json_object_get(r, "entries"), n);
		if (!is_data(r) || n++ >= PARTS_SHOWN)
			continue;
		buf_adds(b, n > 1 ? "; " : "");
		report_reference_words(signature, r, b);
		if (is(r, "stands", "object"))
			buf_adds(b, " (inside an Object of a signature, not at the document's root)");
		else if (is(r, "stands", "inside"))
			buf_adds(b, " (not the document's root)");
	}
	return n;
}

/* What is to be said where not all is signed. */
static void
add_limits(struct buf *b, const json_t *s)
{
	size_t n;

	if (!is(s, "signs", "part")) {
		buf_adds(b, "it signs no data, only its own properties");
		return;
	}
	buf_adds(b, "it signs only a part of what is here: ");
	n = add_parts(b, s, json_object_get(s, "references"), 0);
	if (n > PARTS_SHOWN)
		buf_addf(b, "; and %zu more", n - PARTS_SHOWN);
}

static size_t
count_files(const json_t *refs)
{
	const json_t *r = NULL;
	size_t i, n = 0;

	json_array_foreach (refs, i, r)
		n += is(r, "extent", "file") + count_files(json_object_get(r, "entries"));
	return n;
}

static void
add_valid(struct buf *b, const json_t *s)
{
	buf_adds(b, "the signature is valid");
	if (is(s, "signs", "document"))
		buf_adds(b, ", and nothing of it was altered");
	else if (is(s, "signs", "objects"))
		buf_adds(b, ", and nothing of the data in it was altered");
	else if (is(s, "signs", "files"))
		buf_adds(b, count_files(json_object_get(s, "references")) == 1 ? ", and the file that it signs is unaltered" : ", and the files that it signs are unaltered");
	else if (is(s, "signs", "signature"))
		buf_adds(b, ", and signs another signature");
	else
		buf_adds(b, "; what it signs is not known");
}

void
report_signature_words(const json_t *s, struct buf *b)
{
	const char *words = in_words(words_of(s, "indication", ""), words_of(s, "subindication", ""));
	bool passed = is(s, "indication", indication_name(IND_PASSED)), limited = is(s, "signs", "part") || is(s, "signs", "nothing");

	if (passed && !limited)
		add_valid(b, s);
	else if (words != NULL)
		buf_adds(b, words);
	if (!limited)
		return;
	buf_adds(b, passed ? ", but " : words != NULL ? "; " : "");
	add_limits(b, s);
}
