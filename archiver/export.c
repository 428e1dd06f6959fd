/* SPDX-License-Identifier: MIT */
/*
 * A record as a bundle that proves without the archive and without a network
 * (docs/bundle.md). Documents are parsed in the cage only; here octets are
 * written and what the cage told is put into tables.
 */
#include "archiver/archiver_int.h"
#include "archiver/bundle.h"
#include "archiver/steps.h"

#include <string.h>
#include <unistd.h>

/* Leaves are looked for from the manifest's own time on; a clock that was set back makes this a walk over all. */
#define LEAF_SEARCH_S ((int64_t)7 * 86400)

struct export {
	struct archive *a;
	struct bundle b;
	json_t *m;     /* newest manifest */
	json_t *index; /* index.json */
	json_t *sigs;  /* in it; borrowed */
	struct buf signatures, stamps; /* the tables of check.sh */
	size_t n_stamps, n_files;
};

static void
export_auto(struct export *x)
{
	bundle_auto(&x->b);
	json_decref(x->m);
	json_decref(x->index);
	buf_release(&x->signatures);
	buf_release(&x->stamps);
}

/* ---- files ---- */

static enum err_code
put_version(struct export *x, const char *folder, size_t file, int version, struct err *e)
{
	const json_t *o = json_array_get(json_object_get(x->m, "originals"), file);
	AUTO(mem) char *name = mem_printf("%s/%s", folder, sig_str(o, "name"));
	AUTO(fd) int fd = -1;
	struct sink to = sink_fd(&fd);

	if (name == NULL)
		return err_nomem(e);
	if (bundle_create(&x->b, name, &fd, e) != ERR_OK || version_write(x->a, x->m, file, version, &to, e) != ERR_OK)
		return err_wrap(e, "%s", name);
	return sys_close(&fd, e);
}

static enum err_code
put_files(struct export *x, struct err *e)
{
	x->n_files = json_array_size(json_object_get(x->m, "originals"));
	for (size_t i = 0; i < x->n_files; i++)
		if (put_version(x, "files", i, version_newest(x->m, i), e) != ERR_OK || put_version(x, "original", i, 0, e) != ERR_OK)
			return err_wrap(e, "export");
	return ERR_OK;
}

/* ---- manifests and their leaves ---- */

static enum err_code
leaf_time(struct archive *a, uint64_t at, int64_t *utc, struct err *e)
{
	struct tlog_leaf l;

	if (store_log_leaf(a->store, at, &l, e) != ERR_OK)
		return err_wrap(e, "log");
	*utc = l.time_utc;
	return ERR_OK;
}

/* The first leaf that is not older. */
static enum err_code
first_leaf(struct archive *a, int64_t utc, uint64_t size, uint64_t *at, struct err *e)
{
	uint64_t lo = 0, hi = size;
	int64_t got = 0;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (leaf_time(a, mid, &got, e) != ERR_OK)
			return err_wrap(e, "log");
		if (got < utc)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return ERR_OK;
}

static enum err_code
walk_leaves(struct archive *a, uint64_t from, uint64_t size, int64_t until, const uint8_t record[16], const uint8_t event[32],
    uint64_t *at, struct err *e)
{
	struct tlog_leaf l;

	for (*at = from; *at < size; ++*at) {
		if (store_log_leaf(a->store, *at, &l, e) != ERR_OK)
			return err_wrap(e, "log");
		if (memcmp(l.record, record, 16) == 0 && memcmp(l.event, event, 32) == 0)
			return ERR_OK;
		if (l.time_utc > until)
			break;
	}
	return ERR_NOTFOUND;
}

static enum err_code
find_leaf(struct archive *a, const json_t *m, const uint8_t sha256[32], uint64_t size, uint64_t *at, struct err *e)
{
	uint8_t record[16], event[32];
	int64_t utc = sig_time(m, "time");
	enum err_code r;

	if (uuid_octets(manifest_record(m), record, e) != ERR_OK || manifest_event(sig_str(m, "salt"), sha256, event, e) != ERR_OK ||
	    first_leaf(a, utc, size, at, e) != ERR_OK)
		return err_wrap(e, "record %s", manifest_record(m));
	r = walk_leaves(a, *at, size, utc + LEAF_SEARCH_S, record, event, at, e);
	if (r == ERR_NOTFOUND)
		r = walk_leaves(a, 0, size, TIME_MAX, record, event, at, e);
	if (r == ERR_NOTFOUND)
		return err_set(e, ERR_DAMAGED, "record %s: the log has no leaf for a manifest", manifest_record(m));
	return r;
}

static enum err_code
proof_json(struct archive *a, const json_t *m, const uint8_t sha256[32], uint64_t size, json_t *row, struct err *e)
{
	json_t *path = json_array();
	uint8_t octets[TLOG_LEAF_OCTETS];
	struct tlog_proof proof;
	struct tlog_leaf l;
	uint64_t at = 0;

	if (json_set(row, "path", path, e) != ERR_OK || find_leaf(a, m, sha256, size, &at, e) != ERR_OK ||
	    store_log_leaf(a->store, at, &l, e) != ERR_OK || store_log_proof(a->store, at, size, &proof, e) != ERR_OK)
		return err_wrap(e, "log proof");
	tlog_leaf_encode(&l, octets);
	for (size_t i = 0; i < proof.n; i++)
		if (json_push(path, json_hex(slice_of(proof.path[i], TLOG_HASH)), e) != ERR_OK)
			return err_wrap(e, "log proof");
	if (json_set(row, "leaf", json_hex(slice_of(octets, sizeof(octets))), e) != ERR_OK ||
	    json_set(row, "index", json_integer((json_int_t)at), e) != ERR_OK ||
	    json_set(row, "size", json_integer((json_int_t)size), e) != ERR_OK)
		return err_wrap(e, "log proof");
	return ERR_OK;
}

/* One manifest by the digest that its successor, or the record's row, gives it. *before: its predecessor's, false without. */
static enum err_code
put_manifest(struct export *x, uint8_t sha256[32], uint64_t size, json_t *proofs, bool *before, struct err *e)
{
	AUTO(buf) struct buf raw = {0};
	AUTO(json) json_t *m = NULL;
	AUTO(mem) char *name = NULL;
	json_t *row = json_object();
	char hex[65];

	hex32(sha256, hex);
	if (json_array_insert_new(proofs, 0, row) != 0)
		return err_nomem(e);
	if (store_get_bytes(x->a->store, sha256, MANIFEST_MAX, &raw, e) != ERR_OK || json_read(buf_slice(&raw), NULL, &m, e) != ERR_OK)
		return err_wrap(e, "manifest %s", hex);
	name = mem_printf("manifests/%04lld-%s.json", (long long)json_integer_value(json_object_get(m, "seq")), hex);
	if (name == NULL)
		return err_nomem(e);
	if (bundle_put(&x->b, name, buf_slice(&raw), e) != ERR_OK || json_set(row, "manifest", json_text(name), e) != ERR_OK ||
	    json_set(row, "sha256", json_text(hex), e) != ERR_OK || proof_json(x->a, m, sha256, size, row, e) != ERR_OK)
		return err_wrap(e, "manifest");
	*before = hex32_to(json_string_value(json_object_get(json_object_get(m, "previous"), "sha256")), sha256);
	return ERR_OK;
}

static enum err_code
put_manifests(struct export *x, uint64_t size, struct err *e)
{
	AUTO(json) json_t *proofs = json_array();
	AUTO(buf) struct buf text = {0};
	uint8_t sha256[32];
	bool more = true;

	if (json_canonical(x->m, &text, e) != ERR_OK || digest_sha256(buf_slice(&text), sha256, e) != ERR_OK)
		return err_wrap(e, "manifests");
	while (more)
		if (put_manifest(x, sha256, size, proofs, &more, e) != ERR_OK)
			return err_wrap(e, "manifests");
	return bundle_put_json(&x->b, "proofs.json", proofs, e);
}

/* The receipt's checkpoint is the one that all proofs of the bundle lead to. */
static enum err_code
put_log(struct export *x, struct err *e)
{
	AUTO(buf) struct buf text = {0}, pub = {0};
	AUTO(json) json_t *receipt = NULL;
	json_t *log = NULL;
	const char *checkpoint = NULL;
	uint64_t size = 0;

	if (receipt_again(x->a, manifest_record(x->m), &receipt, e) != ERR_OK || json_canonical(receipt, &text, e) != ERR_OK ||
	    json_need_obj(receipt, "log", &log, e) != ERR_OK || json_need_str(log, "checkpoint", &checkpoint, e) != ERR_OK ||
	    json_need_size(log, "size", &size, e) != ERR_OK || store_log_pub(x->a->store, &pub, e) != ERR_OK)
		return err_wrap(e, "receipt");
	if (bundle_put(&x->b, "receipt.json", buf_slice(&text), e) != ERR_OK ||
	    bundle_put(&x->b, "checkpoint", slice_str(checkpoint), e) != ERR_OK ||
	    bundle_put(&x->b, "log.pub", buf_slice(&pub), e) != ERR_OK)
		return err_wrap(e, "receipt");
	return put_manifests(x, size, e);
}

/* ---- anchors ---- */

static enum err_code
put_anchor(struct export *x, const struct anchor *a, const char *folder, json_t *list, struct err *e)
{
	AUTO(buf) struct buf text = {0};
	AUTO(json) json_t *certs = json_array();
	AUTO(mem) char *name = NULL;
	char hex[65];

	hex32(a->sha256, hex);
	name = mem_printf("trust/%s%.16s.pem", folder, hex);
	buf_addbase64(&text, a->der);
	if (name == NULL || buf_ok(&text, e) != ERR_OK)
		return err_nomem(e);
	if (json_push(certs, json_text(buf_str(&text)), e) != ERR_OK || bundle_put_pem(&x->b, name, certs, e) != ERR_OK)
		return err_wrap(e, "anchor");
	return json_push(list, json_pack("{s:s, s:s, s:o}", "file", name, "sha256", hex, "name", json_text(a->name)), e);
}

static enum err_code
put_trust(struct export *x, struct err *e)
{
	static const struct {
		unsigned role;
		const char *folder;
	} rows[] = {{ROLE_SIGNER, "signer/"}, {ROLE_TSA, "tsa/"}, {ROLE_OCSP, "ocsp/"}};
	json_t *list = json_array();

	if (json_set(x->index, "trust", list, e) != ERR_OK || sys_mkdirs(x->b.dir, "trust", 0777, e) != ERR_OK)
		return err_wrap(e, "trust");
	for (size_t i = 0; i < anchors_count(x->a->anchors); i++) {
		const struct anchor *a = anchors_at(x->a->anchors, i);

		if ((a->roles & ROLE_ALL) == ROLE_ALL) {
			if (put_anchor(x, a, "", list, e) != ERR_OK)
				return err_wrap(e, "trust");
			continue;
		}
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			if ((a->roles & rows[k].role) != 0 && put_anchor(x, a, rows[k].folder, list, e) != ERR_OK)
				return err_wrap(e, "trust");
	}
	return ERR_OK;
}

/* ---- what was fetched for the record and is not all embedded: a revoked or unknown signer's, say ---- */

static enum err_code
put_material(struct export *x, struct err *e)
{
	const json_t *o = NULL;
	uint8_t sha256[32];
	size_t i;

	json_array_foreach (json_object_get(x->m, "material"), i, o) {
		AUTO(mem) char *name = mem_printf("material/%s.%s", sig_str(o, "sha256"), sig_str(o, "kind"));
		AUTO(buf) struct buf raw = {0};

		if (name == NULL)
			return err_nomem(e);
		if (!hex32_to(sig_str(o, "sha256"), sha256))
			return err_set(e, ERR_DAMAGED, "record %s: material %zu has no digest", manifest_record(x->m), i);
		if (store_get_bytes(x->a->store, sha256, OBJECT_MAX, &raw, e) != ERR_OK || bundle_put(&x->b, name, buf_slice(&raw), e) != ERR_OK)
			return err_wrap(e, "%s", name);
	}
	return ERR_OK;
}

/* ---- stamps ---- */

/* An open document of the record, and which of its signatures is under way. */
struct document {
	struct record_doc doc;
	size_t file;
	const char *name; /* of the file */
	size_t sig, index; /* in the record, in the document */
};

static void
document_auto(struct document *d)
{
	record_doc_auto(&d->doc);
}

/* Octets that can't be made (covered data is only known by digest, a recipe nobody follows) are told, not hidden. */
static enum err_code
put_octets(struct export *x, struct document *d, json_t *stamp, const char *base, struct err *e)
{
	AUTO(mem) char *name = mem_printf("tokens/%s.octets", base);
	AUTO(json) json_t *answer = NULL;
	AUTO(fd) int fd = -1;
	struct err why = {0};
	enum err_code r;

	if (name == NULL)
		return err_nomem(e);
	if (bundle_create(&x->b, name, &fd, e) != ERR_OK)
		return err_wrap(e, "octets");
	r = caged_octets(x->a->caged, &d->doc.doc, d->index, (size_t)json_integer_value(json_object_get(stamp, "index")), fd, &answer, &why);
	if (sys_close(&fd, e) != ERR_OK)
		return err_wrap(e, "octets");
	if (r == ERR_OK) {
		x->n_stamps++;
		return json_set(stamp, "octets", json_text(name), e);
	}
	if (r != ERR_NOTFOUND && r != ERR_FORMAT && r != ERR_UNSUPPORTED)
		return err_set(e, r, "%s: %s", name, why.text);
	if (bundle_remove(&x->b, name, e) != ERR_OK || json_set(stamp, "octets", json_null(), e) != ERR_OK)
		return err_wrap(e, "octets");
	return json_set(stamp, "octets_missing", json_text(why.text), e);
}

static enum err_code
stamp_row(struct export *x, const struct document *d, const json_t *stamp, const char *base, struct err *e)
{
	int64_t utc = sig_time(stamp, "time");

	buf_addf(&x->stamps, "%s\t%s\t%lld\t%lld\t%s\t%s\t%s\n", base, d->name, (long long)json_integer_value(json_object_get(stamp, "element")),
	    (long long)(utc != TIME_NONE ? utc : 0), sig_str(stamp, "type"), sig_str(stamp, "time")[0] != '\0' ? sig_str(stamp, "time") : "-",
	    json_is_string(json_object_get(stamp, "octets")) ? "octets" : "-");
	return buf_ok(&x->stamps, e);
}

static enum err_code
put_stamp(struct export *x, struct document *d, size_t n, json_t *stamp, struct err *e)
{
	AUTO(mem) char *base = mem_printf("%zu-%zu-%s", d->sig, n, sig_str(stamp, "type"));
	AUTO(mem) char *token = base != NULL ? mem_printf("tokens/%s.tst", base) : NULL;
	AUTO(mem) char *chain = base != NULL ? mem_printf("tokens/%s.pem", base) : NULL;
	AUTO(buf) struct buf der = {0};

	if (chain == NULL || token == NULL)
		return err_nomem(e);
	if (base64_to(slice_str(sig_str(stamp, "token")), &der, e) != ERR_OK || bundle_put(&x->b, token, buf_slice(&der), e) != ERR_OK ||
	    bundle_put_pem(&x->b, chain, json_object_get(stamp, "chain"), e) != ERR_OK || put_octets(x, d, stamp, base, e) != ERR_OK ||
	    stamp_row(x, d, stamp, base, e) != ERR_OK)
		return err_wrap(e, "time-stamp %s", base);
	if (json_set(stamp, "token", json_text(token), e) != ERR_OK || json_set(stamp, "chain", json_text(chain), e) != ERR_OK)
		return err_wrap(e, "time-stamp %s", base);
	return ERR_OK;
}

/* ---- signatures ---- */

/* As xmlsec1 wants to be told: --id-attr:ATTRIBUTE NAMESPACE:NAME. */
static void
id_options(const json_t *ids, struct buf *out)
{
	const json_t *id = NULL;
	size_t i;

	json_array_foreach (ids, i, id)
		buf_addf(out, "%s--id-attr:%s %s%s%s", i > 0 ? " " : "", sig_str(id, "attribute"), sig_str(id, "ns"),
		    sig_str(id, "ns")[0] != '\0' ? ":" : "", sig_str(id, "name"));
	if (json_array_size(ids) == 0)
		buf_adds(out, "-");
}

static enum err_code
signature_row(struct export *x, const struct document *d, const json_t *s, struct err *e)
{
	const char *beyond = sig_str(s, "beyond_xmlsec");

	if (!json_is_string(json_object_get(s, "signer")))
		beyond = "its signing certificate is not known";
	buf_addf(&x->signatures, "%zu\t%s\t%lld\t", d->sig, d->name, (long long)json_integer_value(json_object_get(s, "number")));
	id_options(json_object_get(s, "ids"), &x->signatures);
	buf_addf(&x->signatures, "\t%s\n", beyond[0] != '\0' ? beyond : "-");
	return buf_ok(&x->signatures, e);
}

static enum err_code
put_signature(struct export *x, struct document *d, json_t *s, struct err *e)
{
	AUTO(mem) char *name = mem_printf("signatures/%zu.pem", d->sig);
	AUTO(json) json_t *certs = json_array();
	json_t *signer = json_object_get(s, "signer"), *stamp = NULL;
	size_t i;

	if (name == NULL)
		return err_nomem(e);
	if (signature_row(x, d, s, e) != ERR_OK)
		return err_wrap(e, "signature %zu", d->sig);
	if (json_is_string(signer) &&
	    (json_push(certs, json_incref(signer), e) != ERR_OK || bundle_put_pem(&x->b, name, certs, e) != ERR_OK ||
		json_set(s, "signer", json_text(name), e) != ERR_OK))
		return err_wrap(e, "signature %zu", d->sig);
	json_array_foreach (json_object_get(s, "stamps"), i, stamp)
		if (json_is_string(json_object_get(stamp, "token")) && put_stamp(x, d, i, stamp, e) != ERR_OK)
			return err_wrap(e, "signature %zu", d->sig);
	if (json_set(s, "signature", json_integer((json_int_t)d->sig), e) != ERR_OK || json_set(s, "file", json_text(d->name), e) != ERR_OK ||
	    json_set(s, "index", json_integer((json_int_t)d->index), e) != ERR_OK)
		return err_wrap(e, "signature %zu", d->sig);
	return json_push(x->sigs, json_incref(s), e);
}

static bool
has_signatures(const json_t *m, size_t file)
{
	const json_t *s = NULL;
	size_t i;

	json_array_foreach (json_object_get(m, "signatures"), i, s)
		if ((size_t)json_integer_value(json_object_get(s, "file")) == file)
			return true;
	return false;
}

static enum err_code
put_document(struct export *x, size_t file, struct err *e)
{
	__attribute__((cleanup(document_auto))) struct document d = {.file = file};
	AUTO(pile) struct pile *pile = NULL;
	AUTO(json) json_t *answer = NULL;
	json_t *s = NULL;
	struct slice packed;

	d.name = sig_str(json_array_get(json_object_get(x->m, "originals"), file), "name");
	if (record_doc_open(x->a, x->m, file, -1, &d.doc, e) != ERR_OK || pile_new(&pile, e) != ERR_OK ||
	    pile_load(x->a, pile, json_object_get(x->m, "material"), e) != ERR_OK || pile_packed(pile, &packed, e) != ERR_OK ||
	    caged_inventory(x->a->caged, &d.doc.doc, packed, archive_now(x->a), &answer, e) != ERR_OK)
		return err_wrap(e, "%s", d.name);
	json_array_foreach (json_object_get(answer, "signatures"), d.index, s) {
		d.sig = json_array_size(x->sigs);
		if (put_signature(x, &d, s, e) != ERR_OK)
			return err_wrap(e, "%s", d.name);
	}
	return ERR_OK;
}

static enum err_code
put_documents(struct export *x, struct err *e)
{
	for (size_t i = 0; i < x->n_files; i++)
		if (has_signatures(x->m, i) && put_document(x, i, e) != ERR_OK)
			return err_wrap(e, "export");
	if (bundle_put(&x->b, "stamps.tsv", buf_slice(&x->stamps), e) != ERR_OK ||
	    bundle_put(&x->b, "signatures.tsv", buf_slice(&x->signatures), e) != ERR_OK)
		return err_wrap(e, "export");
	return ERR_OK;
}

/* ---- the whole ---- */

static enum err_code
put_carried(struct export *x, struct err *e)
{
	const char *name = NULL;
	struct slice text;

	for (size_t i = 0; carried_file(i, &name, &text); i++)
		if (bundle_put(&x->b, name, text, e) != ERR_OK)
			return err_wrap(e, "export");
	return ERR_OK;
}

/* What the archive itself said on that day; the rest of the bundle is there so that nobody has to believe it. */
static enum err_code
put_verdict(struct export *x, struct err *e)
{
	AUTO(json) json_t *verdict = NULL;

	if (archive_verify(x->a, manifest_record(x->m), archive_now(x->a), &verdict, e) != ERR_OK)
		return err_wrap(e, "verdict");
	return bundle_put_json(&x->b, "verdict.json", verdict, e);
}

static enum err_code
export_open(struct archive *a, const char *record, const char *dir, struct export *x, struct err *e)
{
	x->a = a;
	x->sigs = json_array();
	x->index = json_pack("{s:i, s:s, s:o, s:b, s:s, s:o}", "schema", 1, "bundle", "everseal", "made", json_time(archive_now(a)), "simulated",
	    (int)(a->cfg->archive.clock_file != NULL), "program", "everseal " EVERSEAL_VERSION, "signatures", x->sigs);
	if (x->index == NULL)
		return err_nomem(e);
	if (archive_manifest(a, record, &x->m, e) != ERR_OK || bundle_open(dir, &x->b, e) != ERR_OK ||
	    json_set(x->index, "record", json_text(manifest_record(x->m)), e) != ERR_OK)
		return err_wrap(e, "export");
	return ERR_OK;
}

enum err_code
archive_export(struct archive *a, const char *record, const char *dir, json_t **out, struct err *e)
{
	__attribute__((cleanup(export_auto))) struct export x = {.b = {.dir = -1}};

	if (export_open(a, record, dir, &x, e) != ERR_OK || put_carried(&x, e) != ERR_OK || put_files(&x, e) != ERR_OK ||
	    put_log(&x, e) != ERR_OK || put_trust(&x, e) != ERR_OK || put_material(&x, e) != ERR_OK || put_documents(&x, e) != ERR_OK ||
	    put_verdict(&x, e) != ERR_OK || bundle_put_json(&x.b, "index.json", x.index, e) != ERR_OK || bundle_close(&x.b, e) != ERR_OK)
		return err_wrap(e, "record %s", record);
	*out = json_pack("{s:s, s:s, s:I, s:I, s:I}", "record", manifest_record(x.m), "directory", dir, "files", (json_int_t)x.n_files, "signatures",
	    (json_int_t)json_array_size(x.sigs), "timestamps", (json_int_t)x.n_stamps);
	return *out != NULL ? ERR_OK : err_nomem(e);
}
