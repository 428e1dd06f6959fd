/* SPDX-License-Identifier: MIT */
/* Signature files: opened and asked everything, judged, and made longer. */
#include "tests/fuzz/fuzz.h"

#include "archiver/augment.h"
#include "base/form.h"
#include "archiver/upgrade.h"
#include "base/sys.h"
#include "base/xml.h"
#include "verify/verify.h"
#include "verify/xades_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What lies beside every document: a name that seeds refer to, and one that is known by its digest alone. */
static struct slice beside_octets = {(const uint8_t *)"a deed", 6};

static size_t
beside(struct side_file out[2])
{
	static struct digest known;

	if (known.alg == DIGEST_NONE)
		fuzz_must(digest_once(DIGEST_SHA256, slice_str("another deed"), &known, NULL) == ERR_OK);
	out[0] = (struct side_file){.name = "data.bin", .has_source = true, .source = source_slice(&beside_octets)};
	out[1] = (struct side_file){.digests = &known, .n_digests = 1};
	return 2;
}

/* ---- sigdoc ---- */

static void
ask_stamps(struct sigdoc *d, struct xsig *s)
{
	struct digest imprint;
	struct err e = {0};
	size_t i;

	for (i = 0; i < s->n_stamps && i < 8; i++) {
		fuzz_must(stamp_imprint(d, s, &s->stamps[i], DIGEST_SHA256, &imprint, &e) != ERR_BUG);
		fuzz_must(stamp_imprint_listed(d, s, &s->stamps[i], DIGEST_SHA256, &imprint, &e) != ERR_BUG);
	}
}

static void
ask_keys(struct pki *p, struct sigdoc *d, struct xsig *s)
{
	const struct cert *c;
	struct err e = {0};
	enum tri yes;
	size_t i;

	for (i = 0; i < s->n_embedded && i < 8; i++) {
		if (s->embedded[i].kind != EMB_CERT || pki_cert(p, s->embedded[i].der, &c, NULL) != ERR_OK || pki_key(c) == NULL)
			continue;
		fuzz_must(sig_check_value(d, s, pki_key(c), &yes, &e) != ERR_BUG);
	}
}

/* Runs ascend and never touch; what lies in a cover whole lies in every larger one; what is left out is counted to the end. */
static void
check_cover(const struct sigdoc *d, const struct cover *c, const struct cover *all)
{
	const xmlNode *root = xmlDocGetRootElement(d->dom);
	struct cover_gap gap;
	size_t i;

	for (i = 0; i < c->n; i++) {
		fuzz_must(c->v[i].first <= c->v[i].last && (i == 0 || c->v[i - 1].last + 1 < c->v[i].first));
		fuzz_must(c->v[i].last <= state_of(d)->numbers.last[0]);
	}
	fuzz_must((cover_gaps(c, root, NULL, 0, &gap, 1) == 0 && cover_holds_beside(c)) == cover_holds_document(c, NULL, 0) || c->n == 0);
	fuzz_must(!cover_holds_document(c, NULL, 0) || all == NULL || cover_holds_document(all, NULL, 0));
}

static void
ask_covers(struct sigdoc *d, struct xsig *s)
{
	struct cover all;
	struct err e = {0};
	enum tri data;
	size_t i;

	fuzz_must(sig_signs_data(d, s, &data, &e) != ERR_BUG);
	if (cover_signature(d, s, &all, &e) != ERR_OK)
		return;
	check_cover(d, &all, NULL);
	for (i = 0; i < s->n_refs && i < 8; i++) {
		struct covered c;

		fuzz_must(cover_reference(d, s, &s->refs[i], &c, &e) == ERR_OK);
		check_cover(d, &c.cover, c.intact == TRI_TRUE ? &all : NULL);
	}
}

static void
one_sigdoc(struct slice in)
{
	const struct level_facts all = {true, true, true};
	struct side_file files[2];
	struct pki *p = NULL;
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	enum tri match;
	size_t i;

	if (sigdoc_open(in, files, beside(files), NULL, &d, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	fuzz_must(pki_new(&p, &e) == ERR_OK);
	for (i = 0; i < d->n_sigs && i < 8; i++) {
		struct xsig *s = &d->sigs[i];
		AUTO(mem) char *covers = NULL;

		fuzz_must(sig_check_references(d, s, &e) != ERR_BUG);
		if (s->n_refs != 0)
			covers = xref_covers(d, &s->refs[0]);
		ask_keys(p, d, s);
		ask_stamps(d, s);
		ask_covers(d, s);
		fuzz_must(sig_level(s, &all) != NULL);
		(void)sig_dossier_fault(d, s);
		fuzz_must(sig_policy_hash(d, s, s->policy_document.n != 0 ? s->policy_document : beside_octets, &match, &e) != ERR_BUG);
	}
	pki_free(p);
}

/* ---- insertion ---- */

#define MARK "<everseal:mark xmlns:everseal=\"urn:everseal\"/>"

static xmlNode *
only_mark(xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc), *n;
	xmlNode *found = NULL;

	for (n = root; n != NULL; n = xml_walk(root, n)) {
		if (!xml_is(n, "urn:everseal", "mark"))
			continue;
		fuzz_must(found == NULL);
		found = (xmlNode *)(uintptr_t)n;
	}
	fuzz_must(found != NULL);
	return found;
}

/* The mark out again, and the containers that came with it: how many octets of `before` opening tags there were. */
static void
take_out(xmlNode *mark, unsigned containers)
{
	xmlNode *parent = mark->parent;

	xmlUnlinkNode(mark);
	xmlFreeNode(mark);
	for (; containers > 0; containers--) {
		xmlNode *up = parent->parent;

		fuzz_must(parent->children == NULL);
		xmlUnlinkNode(parent);
		xmlFreeNode(parent);
		parent = up;
	}
}

static void
whole_form(xmlDoc *doc, struct buf *out)
{
	const struct c14n how = {.comments = true};
	const struct nodes what = {.doc = doc, .apex = (const xmlNode *)doc, .comments = true};
	struct numbering numbers = {0};
	struct sink to = sink_buf(out);

	if (c14n_write(&how, &what, &numbers, &to, NULL) != ERR_OK)
		buf_clear(out);
	numbering_release(&numbers);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The same signatures, and one child more in the unsigned properties of this one. */
static void
check_signatures(const struct sigdoc *d, const struct sigdoc *later, size_t at)
{
	size_t i;

	fuzz_must(later->n_sigs == d->n_sigs);
	for (i = 0; i < d->n_sigs; i++) {
		const struct xsig *a = &d->sigs[i], *b = &later->sigs[i];

		fuzz_must(a->n_refs == b->n_refs && a->n_stamps == b->n_stamps && a->n_embedded == b->n_embedded && a->version == b->version);
		fuzz_must(same_text(a->id, b->id) && same_text(a->format_fault, b->format_fault));
		fuzz_must(i == at ? augment_children(b) == augment_children(a) + 1 : augment_children(b) == augment_children(a));
	}
}

/* The old file is what is left when the insertion is taken out, as octets and as a tree. */
static void
check_insertion(struct sigdoc *d, size_t at, const struct spliced *sp)
{
	AUTO(sigdoc) struct sigdoc *later = NULL;
	AUTO(buf) struct buf was = {0}, is = {0};
	struct slice file = buf_slice(&sp->file);
	unsigned containers = 0;
	struct err e = {0};
	xmlNode *mark;

	fuzz_must(sp->offset <= d->raw.n && file.n == d->raw.n + sp->text.n);
	fuzz_must(memcmp(file.p, d->raw.p, sp->offset) == 0);
	fuzz_must(memcmp(file.p + sp->offset + sp->text.n, d->raw.p + sp->offset, d->raw.n - sp->offset) == 0);
	if (sigdoc_open(file, d->files, d->n_files, NULL, &later, &e) == ERR_LIMIT)
		return;
	fuzz_must(later != NULL);
	mark = only_mark(later->dom);
	fuzz_must(mark->parent == later->sigs[at].unsigned_props && is_within(mark, later->sigs[at].node));
	check_signatures(d, later, at);
	if (d->sigs[at].unsigned_props == NULL)
		containers = xml_first(d->sigs[at].qualifying, NS_X132, "UnsignedProperties") == NULL ? 2 : 1;
	take_out(mark, containers);
	whole_form(d->dom, &was);
	whole_form(later->dom, &is);
	fuzz_must(slice_eq(buf_slice(&was), buf_slice(&is)));
}

static void
one_insertion(struct slice in)
{
	struct side_file files[2];
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(spliced) struct spliced sp = {0};
	struct err e = {0};
	size_t at;

	if (memmem(in.p, in.n, "everseal", 8) != NULL || sigdoc_open(in, files, beside(files), NULL, &d, &e) != ERR_OK || d->n_sigs == 0)
		return;
	at = fuzz_choice(in) % d->n_sigs;
	if (d->sigs[at].nested || augment_splice(d, &d->sigs[at], MARK, &sp, &e) != ERR_OK)
		return;
	check_insertion(d, at, &sp);
}

/* ---- verify: the whole judgement, with the anchors or with none, with wants or without, now or when all has ended ---- */

#define YEARS (INT64_C(12) * 365 * 86400)

static const struct anchors *
none(void)
{
	static struct anchors *empty;

	if (empty == NULL)
		fuzz_must(anchors_new(&empty, NULL) == ERR_OK);
	return empty;
}

static void judge(struct slice in, unsigned how, struct buf *told);

/* What was really signed, by the digest of its SignedInfo. The keys are gone, so nothing else may ever pass. */
static uint8_t (*genuine)[32];
static size_t n_genuine, cap_genuine;

static void
signed_info_digest(struct sigdoc *d, const struct xsig *s, uint8_t out[32])
{
	const struct c14n how = {.mode = C14N_EXC};
	AUTO(buf) struct buf octets = {0};
	struct sink to = sink_buf(&octets);
	struct err e = {0};

	fuzz_must(node_write(d, s->signed_info, &how, NULL, &to, &e) == ERR_OK && digest_sha256(buf_slice(&octets), out, &e) == ERR_OK);
}

static void
check_genuine(struct sigdoc *d, const struct xsig *s)
{
	uint8_t sha256[32];
	size_t i;

	signed_info_digest(d, s, sha256);
	for (i = 0; i < n_genuine && memcmp(genuine[i], sha256, sizeof(sha256)) != 0; i++)
		;
	fuzz_must(i < n_genuine);
}

/* Ends behind a document that passes: without one the entry could not fail. */
static bool
open_verify(void)
{
	AUTO(buf) struct buf told = {0};
	struct dirent **names = NULL;
	int n = scandir(fuzz_path("../xml"), &names, NULL, alphasort);

	while (n-- > 0) {
		AUTO(buf) struct buf doc = {0};
		AUTO(sigdoc) struct sigdoc *d = NULL;
		AUTO(mem) char *name = mem_printf("../xml/%s", names[n]->d_name);
		size_t i;

		free(names[n]);
		if (sys_read_file(AT_FDCWD, fuzz_path(name), 1 << 20, &doc, NULL) != ERR_OK || sigdoc_open(buf_slice(&doc), NULL, 0, NULL, &d, NULL) != ERR_OK)
			continue;
		for (i = 0; i < d->n_sigs; i++) {
			fuzz_must(mem_grow(&genuine, &cap_genuine, n_genuine, sizeof(*genuine)));
			signed_info_digest(d, &d->sigs[i], genuine[n_genuine++]);
		}
	}
	free(names);
	judge(fuzz_kit("archived.xml"), 0, &told);
	return memmem(told.p, told.n, "TOTAL-PASSED", 12) != NULL;
}

static void
judge(struct slice in, unsigned how, struct buf *told)
{
	struct side_file files[2];
	AUTO(verifier) struct verifier *v = NULL;
	AUTO(report) struct report *r = NULL;
	AUTO(json) json_t *j = NULL;
	AUTO(json) json_t *header = NULL;
	AUTO(mem) struct upgrade_facts *facts = NULL;
	AUTO(sigdoc) struct sigdoc *d = NULL;
	struct err e = {0};
	struct upgrade up;
	size_t i;
	struct verify_input vi = {.name = "fuzz", .doc = in, .files = files, .n_files = beside(files), .policy = fuzz_policy(),
	    .anchors = (how & 1) != 0 ? none() : fuzz_anchors(), .time_utc = FUZZ_TIME + ((how & 4) != 0 ? YEARS : 0), .want_material = (how & 2) == 0, .grace_seconds = 86400};

	fuzz_must(verifier_new(&v, &e) == ERR_OK && verify_document(v, &vi, &r, &e) == ERR_OK);
	fuzz_must(report_json(r, &j, &e) == ERR_OK && json_canonical(j, told, &e) == ERR_OK);
	fuzz_must(report_header_json(r, &header, &e) == ERR_OK && report_text(header, j, NULL, told, &e) == ERR_OK);
	fuzz_must(r->status == DOC_VALIDATED || report_overall(r) != IND_PASSED);
	/* With no anchor nothing passes. */
	for (i = 0; i < r->n_sigs && vi.anchors == none(); i++)
		fuzz_must(r->sigs[i].verdict.ind != IND_PASSED);
	if (r->status != DOC_VALIDATED || sigdoc_open(in, files, 2, NULL, &d, &e) != ERR_OK)
		return;
	for (i = 0; i < r->n_sigs; i++)
		if (r->sigs[i].verdict.ind == IND_PASSED)
			check_genuine(d, &d->sigs[i]);
	facts = mem_new(d->n_sigs + 1, sizeof(*facts));
	if (facts == NULL || upgrade_facts_of(d, r, facts, &e) != ERR_OK) {
		fuzz_must(e.code != ERR_BUG);
		return;
	}
	for (i = 0; i < d->n_sigs; i++) {
		upgradable(&facts[i], &up);
		fuzz_must(up.row != NULL && up.reason != NULL);
	}
}

/* The same octets give the same report. */
static void
one_verify(struct slice in)
{
	AUTO(buf) struct buf told = {0}, again = {0};
	unsigned how = fuzz_choice(in) & 7;

	judge(in, how, &told);
	if (fuzz_choice(in) % 16 != 0)
		return;
	judge(in, how, &again);
	fuzz_must(slice_eq(buf_slice(&told), buf_slice(&again)));
}

static void
one_form(struct slice in)
{
	fuzz_must(form_name(form_sniff(in)) != NULL);
}

const struct fuzz_entry fuzz_signature[] = {
    {.name = "sigdoc", .seeds = "xml", .max_bytes = 131072, .one = one_sigdoc},
    {.name = "insertion", .seeds = "xml", .max_bytes = 65536, .one = one_insertion},
    {.name = "verify", .seeds = "xml", .max_bytes = 131072, .open = open_verify, .one = one_verify},
    {.name = "form", .seeds = "xml form", .max_bytes = 65536, .one = one_form},
    {.name = NULL},
};
