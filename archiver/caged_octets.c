/* SPDX-License-Identifier: MIT */
/*
 * For a bundle: what other people's tools need to know of a document's
 * signatures and time-stamps, and the octets that a stamp covers.
 */
#include "archiver/caged_int.h"

#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)256 << 10)

/* ---- positions by counting, for tools that know no Id ---- */

static bool
is_element(const xmlNode *n, const char *ns, const char *name)
{
	return n->type == XML_ELEMENT_NODE && n->ns != NULL && strcmp((const char *)n->ns->href, ns) == 0 &&
	    strcmp((const char *)n->name, name) == 0;
}

static bool
is_signature(const xmlNode *n)
{
	return is_element(n, NS_DS, "Signature");
}

/* The properties that imprint.py counts: those of 1.3.2 and 1.4.1. */
static bool
is_stamp(const xmlNode *n)
{
	static const char *const in_132[] = {"SignatureTimeStamp", "SigAndRefsTimeStamp", "RefsOnlyTimeStamp",
	    "ArchiveTimeStamp", "AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"};
	static const char *const in_141[] = {"SigAndRefsTimeStampV2", "RefsOnlyTimeStampV2", "ArchiveTimeStamp"};
	for (size_t i = 0; i < sizeof(in_132) / sizeof(in_132[0]); i++)
		if (is_element(n, NS_X132, in_132[i]))
			return true;
	for (size_t i = 0; i < sizeof(in_141) / sizeof(in_141[0]); i++)
		if (is_element(n, NS_X141, in_141[i]))
			return true;
	return false;
}

/* The node behind n in document order. */
static const xmlNode *
next_node(const xmlNode *n)
{
	if (n->type == XML_ELEMENT_NODE && n->children != NULL)
		return n->children;
	while (n != NULL && n->next == NULL)
		n = n->parent;
	return n != NULL ? n->next : NULL;
}

/* 1 for the first node of that kind in the document; 0 if it is none. */
static size_t
place_of(const xmlDoc *dom, const xmlNode *node, bool (*kind)(const xmlNode *))
{
	size_t n = 0;
	for (const xmlNode *at = dom->children; at != NULL; at = next_node(at)) {
		n += kind(at);
		if (at == node)
			return kind(at) ? n : 0;
	}
	return 0;
}

/* ---- certificates ---- */

/* PEM would do as well; the caller writes it. */
static enum err_code
cert_push(json_t *list, struct slice der, struct err *e)
{
	json_t *text = caged_base64(der), *have = NULL;
	size_t i;
	json_array_foreach (list, i, have) {
		if (text != NULL && json_equal(have, text)) {
			json_decref(text);
			return ERR_OK;
		}
	}
	return json_push(list, text, e);
}

static enum err_code
closure_certs(const struct closure *c, json_t *list, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == MAT_CERT && (c->v[i].role == OBJ_TSA || c->v[i].role == OBJ_CA) &&
		    cert_push(list, c->v[i].der, e) != ERR_OK)
			return err_wrap(e, "chain");
	return ERR_OK;
}

/* Of a stamp without a chain: what the token brings and what lies in the signature, for the tool to choose from. */
static enum err_code
any_certs(const struct xsig *s, const struct token *t, json_t *list, struct err *e)
{
	for (size_t i = 0; t != NULL && i < t->n_certs; i++)
		if (cert_push(list, t->certs[i]->der, e) != ERR_OK)
			return err_wrap(e, "chain");
	for (size_t i = 0; i < s->n_embedded; i++)
		if (s->embedded[i].kind == EMB_CERT && cert_push(list, s->embedded[i].der, e) != ERR_OK)
			return err_wrap(e, "chain");
	return ERR_OK;
}

static json_t *
signer_json(const struct xsig *s, const struct report_signature *r)
{
	uint8_t sha[32];
	if (r->signer_subject == NULL)
		return json_null();
	for (size_t i = 0; i < s->n_embedded; i++)
		if (s->embedded[i].kind == EMB_CERT && digest_sha256(s->embedded[i].der, sha, NULL) == ERR_OK &&
		    memcmp(sha, r->signer_sha256, 32) == 0)
			return caged_base64(s->embedded[i].der);
	for (size_t i = 0; i < r->closure.n; i++)
		if (memcmp(r->closure.v[i].sha256, r->signer_sha256, 32) == 0)
			return caged_base64(r->closure.v[i].der);
	return json_null();
}

/* ---- stamps ---- */

static json_t *
tri_json(enum tri t)
{
	return t == TRI_UNKNOWN ? json_null() : json_boolean(t == TRI_TRUE);
}

/* Which of the tokens of one property. */
static size_t
part_of(const struct xsig *s, size_t k)
{
	size_t n = 0;
	for (size_t i = 0; i < k; i++)
		n += s->stamps[i].node == s->stamps[k].node;
	return n;
}

static enum err_code
token_json(const struct token *t, json_t *j, struct err *e)
{
	const struct digest_row *row = t != NULL ? digest_row(t->imprint.alg) : NULL;
	if (json_set(j, "digest", json_text(row != NULL ? row->name : NULL), e) != ERR_OK ||
	    json_set(j, "imprint", t != NULL ? json_hex(digest_slice(&t->imprint)) : json_null(), e) != ERR_OK ||
	    json_set(j, "policy", json_text(t != NULL ? t->policy_oid : NULL), e) != ERR_OK ||
	    json_set(j, "serial", t != NULL ? json_hex(t->serial) : json_null(), e) != ERR_OK)
		return err_wrap(e, "token");
	return ERR_OK;
}

static enum err_code
stamp_json(struct caged_state *st, const struct sigdoc *d, const struct xsig *s, const struct report_stamp *r, json_t *list,
    struct err *e)
{
	json_t *j = json_object(), *chain = json_array();
	const struct token *t = NULL;
	if (json_push(list, j, e) != ERR_OK || json_set(j, "chain", chain, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	if (r->index >= s->n_stamps)
		return err_set(e, ERR_BUG, "time-stamp %zu of the report is not in the document", r->index);
	const struct xstamp *x = &s->stamps[r->index];
	if (x->token.n > 0 && pki_token(verifier_pki(st->v), x->token, &t, NULL) != ERR_OK)
		t = NULL;
	if (json_set(j, "index", json_integer((json_int_t)r->index), e) != ERR_OK ||
	    json_set(j, "type", json_text(stamp_type_name(x->type)), e) != ERR_OK ||
	    json_set(j, "element", json_integer((json_int_t)place_of(d->dom, x->node, is_stamp)), e) != ERR_OK ||
	    json_set(j, "part", json_integer((json_int_t)part_of(s, r->index)), e) != ERR_OK ||
	    json_set(j, "id", json_text(x->id), e) != ERR_OK || json_set(j, "time", json_time(r->time_utc), e) != ERR_OK ||
	    json_set(j, "imprint_intact", tri_json(r->imprint_intact), e) != ERR_OK ||
	    json_set(j, "indication", json_text(indication_token_name(r->verdict.ind)), e) != ERR_OK ||
	    json_set(j, "tsa_subject", json_text(r->tsa_subject), e) != ERR_OK ||
	    json_set(j, "tsa_sha256", r->tsa_subject != NULL ? json_hex(slice_of(r->tsa_sha256, 32)) : json_null(), e) != ERR_OK ||
	    json_set(j, "token", x->token.n > 0 ? caged_base64(x->token) : json_null(), e) != ERR_OK ||
	    token_json(t, j, e) != ERR_OK || closure_certs(&r->closure, chain, e) != ERR_OK)
		return err_wrap(e, "time-stamp");
	return json_array_size(chain) == 0 ? any_certs(s, t, chain, e) : ERR_OK;
}

/* ---- signatures ---- */

/* What xmlsec1 1.2 can't do; NULL when it can try. */
static const char *
beyond_xmlsec(const struct xsig *s)
{
	if (s->method.key != KEY_RSA && s->method.key != KEY_ECDSA)
		return "its algorithm is neither RSA (PKCS#1) nor ECDSA";
	for (size_t i = 0; i < s->n_refs; i++) {
		if (s->refs[i].digest.alg >= DIGEST_SHA3_224 || s->method.digest >= DIGEST_SHA3_224)
			return "it uses SHA-3";
		if (s->refs[i].name_differs || s->refs[i].uri == NULL)
			return "a reference does not give the name of its file";
	}
	return NULL;
}

/* An element that a reference names by Id: xmlsec1 has to be told which attribute of which element that is. */
static enum err_code
id_json(const xmlNode *n, json_t *list, struct err *e)
{
	static const char *const names[] = {"Id", "ID", "id"};
	AUTO(json) json_t *j = json_object();
	const char *attribute = NULL;
	json_t *have = NULL;
	size_t i;
	for (i = 0; i < 3 && attribute == NULL; i++)
		if (xml_attr(n, names[i]) != NULL)
			attribute = names[i];
	if (attribute == NULL)
		return ERR_OK;
	if (json_set(j, "attribute", json_text(attribute), e) != ERR_OK ||
	    json_set(j, "name", json_text((const char *)n->name), e) != ERR_OK ||
	    json_set(j, "ns", json_text(n->ns != NULL ? (const char *)n->ns->href : NULL), e) != ERR_OK)
		return err_wrap(e, "Id");
	json_array_foreach (list, i, have)
		if (json_equal(have, j))
			return ERR_OK;
	return json_push(list, TAKE(j), e);
}

static enum err_code
signature_json(struct caged_state *st, const struct sigdoc *d, const struct xsig *s, const struct report_signature *r,
    json_t *list, struct err *e)
{
	json_t *j = json_object(), *stamps = json_array(), *ids = json_array();
	if (json_push(list, j, e) != ERR_OK || json_set(j, "stamps", stamps, e) != ERR_OK || json_set(j, "ids", ids, e) != ERR_OK ||
	    json_set(j, "number", json_integer((json_int_t)place_of(d->dom, s->node, is_signature)), e) != ERR_OK ||
	    json_set(j, "id", json_text(s->id), e) != ERR_OK || json_set(j, "method", json_text(s->method_uri), e) != ERR_OK ||
	    json_set(j, "level", json_text(r->level), e) != ERR_OK ||
	    json_set(j, "signer_subject", json_text(r->signer_subject), e) != ERR_OK ||
	    json_set(j, "signer", signer_json(s, r), e) != ERR_OK ||
	    json_set(j, "beyond_xmlsec", json_text(beyond_xmlsec(s)), e) != ERR_OK)
		return err_wrap(e, "signature %zu", s->index);
	for (size_t i = 0; i < s->n_refs; i++)
		if (s->refs[i].target != NULL && s->refs[i].target->type == XML_ELEMENT_NODE &&
		    id_json(s->refs[i].target, ids, e) != ERR_OK)
			return err_wrap(e, "signature %zu", s->index);
	for (size_t i = 0; i < r->n_stamps; i++)
		if (stamp_json(st, d, s, &r->stamps[i], stamps, e) != ERR_OK)
			return err_wrap(e, "signature %zu", s->index);
	return ERR_OK;
}

enum err_code
caged_inventory_run(struct caged_state *st, const struct caged_input *in, const struct material *material, int64_t time_utc,
    json_t **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	AUTO(report) struct report *r = NULL;
	AUTO(json) json_t *j = json_object();
	json_t *list = json_array();
	if (json_set(j, "signatures", list, e) != ERR_OK ||
	    caged_verify(st, in, NULL, material, time_utc, 0, true, &r, e) != ERR_OK)
		return err_wrap(e, "inventory");
	if (r->status == DOC_VALIDATED) {
		if (caged_sigdoc(st, in, &in->doc, &d, e) != ERR_OK)
			return err_wrap(e, "inventory");
		if (d->n_sigs != r->n_sigs)
			return err_set(e, ERR_BUG, "%zu signatures, %zu in the report", d->n_sigs, r->n_sigs);
	}
	for (size_t i = 0; d != NULL && i < d->n_sigs; i++)
		if (sig_check_references(d, &d->sigs[i], e) != ERR_OK ||
		    signature_json(st, d, &d->sigs[i], &r->sigs[i], list, e) != ERR_OK)
			return err_wrap(e, "inventory");
	*out = TAKE(j);
	return ERR_OK;
}

/* ---- octets ---- */

struct octets_out {
	int fd;
	struct buf piece; /* canonical forms come in small pieces */
	struct digester *digester;
	uint64_t n;
};

static void
octets_out_auto(struct octets_out *o)
{
	buf_release(&o->piece);
	digester_free(o->digester);
}

static enum err_code
octets_flush(struct octets_out *o, struct err *e)
{
	struct slice s = buf_slice(&o->piece);
	if (buf_ok(&o->piece, e) != ERR_OK || digester_add(o->digester, s, e) != ERR_OK || sys_append(o->fd, s, e) != ERR_OK)
		return err_wrap(e, "octets");
	o->n += s.n;
	buf_clear(&o->piece);
	return ERR_OK;
}

static enum err_code
octets_write(void *ctx, struct slice s, struct err *e)
{
	struct octets_out *o = ctx;
	buf_addslice(&o->piece, s);
	return o->piece.n >= PIECE_BYTES ? octets_flush(o, e) : ERR_OK;
}

static enum err_code
stamp_find(const json_t *head, struct sigdoc *d, struct xsig **s, const struct xstamp **t, struct err *e)
{
	uint64_t signature, stamp;
	if (json_need_size(head, "signature", &signature, e) != ERR_OK || json_need_size(head, "stamp", &stamp, e) != ERR_OK)
		return err_wrap(e, "octets");
	if (signature >= d->n_sigs || stamp >= d->sigs[signature].n_stamps)
		return err_set(e, ERR_USAGE, "signature %llu has no time-stamp %llu", (unsigned long long)signature,
		    (unsigned long long)stamp);
	*s = &d->sigs[signature];
	*t = &(*s)->stamps[stamp];
	return ERR_OK;
}

enum err_code
caged_octets_run(struct caged_state *st, const struct caged_input *in, const json_t *head, int fd, json_t **out, struct err *e)
{
	AUTO(sigdoc) struct sigdoc *d = NULL;
	__attribute__((cleanup(octets_out_auto))) struct octets_out o = {.fd = fd};
	struct sink to = {octets_write, &o};
	const struct token *t = NULL;
	const struct xstamp *x = NULL;
	struct xsig *s = NULL;
	struct digest got;
	if (caged_sigdoc(st, in, &in->doc, &d, e) != ERR_OK ||
	    stamp_find(head, d, &s, &x, e) != ERR_OK || pki_token(verifier_pki(st->v), x->token, &t, e) != ERR_OK ||
	    digester_new(&t->imprint.alg, 1, &o.digester, e) != ERR_OK || stamp_octets(d, s, x, &to, e) != ERR_OK ||
	    octets_flush(&o, e) != ERR_OK || digester_finish(o.digester, &got, e) != ERR_OK)
		return err_wrap(e, "octets");
	*out = json_pack("{s:I, s:b}", "size", (json_int_t)o.n, "intact", (int)digest_eq(&got, &t->imprint));
	return *out != NULL ? ERR_OK : err_nomem(e);
}
