/* SPDX-License-Identifier: MIT */
/* One signature by itself: policy, cryptography, acceptance, and the process for basic signatures (EN 319 102-1 5.3). */
#include "verify/judge.h"

#include <stdlib.h>
#include <string.h>

enum check_context
sig_context(const struct jsig *g)
{
	return g->s->parent >= 0 ? CTX_COUNTER : CTX_SIGNATURE;
}

/* ---- validation context: an explicit signature policy (5.2.4) ---- */

static bool
policy_hash_fits(struct judge *j, struct jsig *g, struct slice doc)
{
	struct err e = {0};
	enum tri t = TRI_UNKNOWN;

	if (sig_policy_hash(j->doc, g->s, doc, &t, &e) == ERR_NOMEM)
		judge_broke(j, &e);
	return t == TRI_TRUE;
}

static struct verdict
judge_policy(struct judge *j, struct jsig *g)
{
	static const char CL[] = "EN 319 102-1 5.2.4";
	const struct xsig *s = g->s;
	bool any = s->policy_document.n > 0;

	if (!s->has_policy || s->policy_implied)
		return passed();
	if (any && policy_hash_fits(j, g, s->policy_document))
		return passed();
	for (size_t i = 0; i < material_count(j->in->material); i++) {
		struct material_item it = material_at(j->in->material, i);

		if (it.kind != MAT_POLICY)
			continue;
		any = true;
		if (policy_hash_fits(j, g, it.octets))
			return passed();
	}
	if (any && find_level(j, 1, level_of(j, CHECK_POLICY_HASH_MATCH, sig_context(g), POS_SIGNING), "SignaturePolicyHashMatch", CL,
		       s->policy_id, NULL, "the policy document at hand has another digest"))
		return open_verdict(SUB_POLICY_PROCESSING_ERROR);
	if (!any && find_level(j, 1, level_of(j, CHECK_POLICY_AVAILABLE, sig_context(g), POS_SIGNING), "SignaturePolicyAvailable", CL,
			s->policy_id, "give the policy document", "not at hand"))
		return open_verdict(SUB_SIGNATURE_POLICY_NOT_AVAILABLE);
	return passed();
}

/* ---- cryptographic verification (5.2.7) ---- */

#define CV "EN 319 102-1 5.2.7"

static const char *
ref_name(const struct xref *x)
{
	return x->uri == NULL ? "(no URI)" : x->uri;
}

/* The peer knows the reference to SignedProperties by its target alone, not by what a filter leaves of more. */
static bool
props_behind_a_filter(const struct judge *j, const struct jsig *g)
{
	return j->peer && g->s->props_ref != NULL && g->s->props_ref->target != g->s->signed_props;
}

/* Type is advisory (XMLDSig 1.1 4.4.3.1): a false claim is told. The peer looks only where the claim points, and finds nothing there. */
static bool
claim_fails(struct judge *j, const struct xref *x)
{
	if (x->claim == NULL || x->found != TRI_TRUE)
		return false;
	find_add(j, 1, j->peer ? FIND_FAIL : FIND_WARN, j->peer ? "ReferenceDataExistence" : "ReferenceType",
	    j->peer ? CV : "XMLDSig 1.1 4.4.3.1", ref_name(x), NULL, "%s", x->claim);
	return j->peer;
}

static struct verdict
ref_found(struct judge *j, const struct jsig *g, const struct xref *x)
{
	if (claim_fails(j, x))
		return x->kind == REF_COUNTERSIGNED ? failed(SUB_HASH_FAILURE) : open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
	/* with URI "" it finds the document, with that of an Object it misses what the Type promises */
	if (x->found == TRI_TRUE && !(x == g->s->props_ref && props_behind_a_filter(j, g) && *x->uri != '\0'))
		return passed();
	find_add(j, 1, x->found == TRI_FALSE ? FIND_FAIL : FIND_NOT_CHECKED, "ReferenceDataExistence", CV, ref_name(x), "give the data",
	    "%s", x->note == NULL ? "not found" : x->note);
	return open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
}

static struct verdict
ref_intact(struct judge *j, struct jsig *g, const struct xref *x)
{
	struct verdict v = passed();

	if (x->found != TRI_TRUE)
		return v;
	if (x->name_differs &&
	    find_level(j, 1, level_of(j, CHECK_REFERENCE_NAME_MATCH, sig_context(g), POS_SIGNING), "ReferenceDataNameMatch", CV,
		ref_name(x), NULL, "found by its digest or as the only file, not by its name"))
		v = open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
	if (x->intact == TRI_TRUE)
		return v;
	find_add(j, 1, x->intact == TRI_FALSE ? FIND_FAIL : FIND_NOT_CHECKED, "ReferenceDataIntact", CV, ref_name(x), NULL, "%s",
	    x->note != NULL ? x->note : x->intact == TRI_FALSE ? "its digest differs" : "could not be checked");
	/* the peer calls broken what it can't compute; we say so only of what differs */
	if (x->intact == TRI_FALSE || (j->peer && x->fault != REF_UNSUPPORTED_TRANSFORM))
		return failed(SUB_HASH_FAILURE);
	return open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
}

/* The peer passes over entries whose data it has not, as far as the policy lets it. */
static struct verdict
peer_entries(struct judge *j, struct jsig *g, const struct xref *m)
{
	struct verdict v = passed();
	enum check_level found = level_of(j, CHECK_MANIFEST_ENTRY_FOUND, sig_context(g), POS_SIGNING),
			 intact = level_of(j, CHECK_MANIFEST_ENTRY_INTACT, sig_context(g), POS_SIGNING);

	for (size_t i = 0; i < m->n_entries; i++) {
		const struct xref *x = &m->entries[i];

		if (x->found != TRI_TRUE && find_level(j, 1, found, "ManifestEntryExistence", CV, ref_name(x), "give the data",
						"%s", x->note == NULL ? "not found" : x->note))
			v = open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
		if (x->found == TRI_TRUE && x->intact != TRI_TRUE &&
		    find_level(j, 1, intact, "ManifestEntryObjectIntact", CV, ref_name(x), NULL, "its digest differs"))
			return failed(SUB_HASH_FAILURE);
	}
	return v;
}

/* Entries are references (XMLDSig 1.1 5.1), as long as the Manifest itself is signed whole: one filtered down to its tags lists nothing. */
static struct verdict
manifest_entries(struct judge *j, struct jsig *g, const struct xref *m)
{
	struct verdict v = passed(), t;

	if (!m->entries_signed) {
		find_add(j, 1, FIND_WARN, "ManifestSigned", "XMLDSig 1.1 5.1", ref_name(m), NULL, "the Manifest is not signed whole: nor is what it lists");
		return v;
	}
	if (j->peer)
		return peer_entries(j, g, m);
	for (size_t i = 0; i < m->n_entries; i++) {
		t = ref_found(j, g, &m->entries[i]);
		if (t.ind == IND_PASSED)
			t = ref_intact(j, g, &m->entries[i]);
		if (v.ind == IND_PASSED || t.ind == IND_FAILED)
			v = t;
	}
	return v;
}

/* A signature over its own properties alone signs no data; a counter-signature without its master's value signs something else. */
static struct verdict
signs_something(struct judge *j, struct jsig *g)
{
	enum tri data = TRI_UNKNOWN;
	struct err e = {0};

	if (sig_signs_data(j->doc, g->s, &data, &e) != ERR_OK)
		judge_broke(j, &e);
	if (data != TRI_FALSE)
		return passed(); /* what could not be checked is told of as such */
	g->lacks = "no reference to data";
	find_add(j, 1, FIND_FAIL, "ReferenceDataExistence", CV, g->r->id, NULL, "%s", g->lacks);
	return open_verdict(SUB_SIGNED_DATA_NOT_FOUND);
}

static struct verdict
signs_master(struct judge *j, struct jsig *g)
{
	if (g->s->parent < 0 || g->s->master_ref != NULL)
		return passed();
	/* the peer does not mind other transforms on the way */
	for (size_t i = 0; j->peer && i < g->s->n_refs; i++)
		if (g->s->refs[i].target != NULL && g->s->refs[i].target == j->doc->sigs[g->s->parent].signature_value)
			return passed();
	g->lacks = "no reference to the SignatureValue that it countersigns";
	find_add(j, 1, FIND_FAIL, "CounterSignatureReference", "EN 319 132-1 5.2.7.2", g->r->id, NULL, "%s", g->lacks);
	return failed(SUB_HASH_FAILURE);
}

static struct verdict
refs_verdict(struct judge *j, struct jsig *g)
{
	struct verdict v = passed(), intact = passed(), first = passed();

	for (size_t i = 0; i < g->s->n_refs; i++) {
		struct verdict f = ref_found(j, g, &g->s->refs[i]), t = ref_intact(j, g, &g->s->refs[i]);

		if (v.ind == IND_PASSED)
			v = f;
		if (intact.ind == IND_PASSED || t.ind == IND_FAILED)
			intact = t;
		if (first.ind == IND_PASSED)
			first = f.ind == IND_PASSED ? t : f;
	}
	/* the peer goes from reference to reference, the standard from check to check */
	if (j->peer)
		v = first;
	if (v.ind == IND_PASSED)
		v = signs_something(j, g);
	if (v.ind == IND_PASSED)
		v = intact;
	for (size_t i = 0; i < g->s->n_refs && v.ind == IND_PASSED; i++)
		if (g->s->refs[i].n_entries > 0)
			v = manifest_entries(j, g, &g->s->refs[i]);
	return v.ind == IND_PASSED ? signs_master(j, g) : v;
}

static struct verdict
judge_cv(struct judge *j, struct jsig *g)
{
	struct verdict v = refs_verdict(j, g);

	g->r->value_intact = g->cert == NULL ? value_with_bare_key(j, g) : value_with(j, g, g->cert);
	find_add(j, 1, g->r->value_intact == TRI_TRUE ? FIND_OK : g->r->value_intact == TRI_FALSE ? FIND_FAIL : FIND_NOT_CHECKED,
	    "SignatureIntact", CV, g->r->id, NULL, "%s",
	    g->r->value_intact == TRI_TRUE ? "SignatureValue is right" :
	    g->r->value_intact == TRI_FALSE ? "SignatureValue is wrong" : "SignatureValue could not be checked");
	if (g->r->value_intact == TRI_TRUE && g->s->value_note != NULL)
		find_add(j, 1, FIND_WARN, "SignatureValueForm", CV, g->r->id, NULL, "%s", g->s->value_note);
	if (v.ind != IND_PASSED || g->r->value_intact == TRI_TRUE)
		return v;
	return g->r->value_intact == TRI_FALSE ? failed(SUB_SIG_CRYPTO_FAILURE) : open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
}

/* ---- acceptance without cryptography (5.2.8) ---- */

static struct verdict
judge_sav(struct judge *j, struct jsig *g)
{
	static const char CL[] = "EN 319 102-1 5.2.8";
	const struct xsig *s = g->s;
	struct verdict no = open_verdict(SUB_SIG_CONSTRAINTS_FAILURE);
	const char *gap = NULL;

	if (s->signing_time == TIME_NONE) {
		if (find_level(j, 1, level_of(j, CHECK_SIGNING_TIME_PRESENT, sig_context(g), POS_SIGNING), "SigningTime", CL, g->r->id, NULL,
			"missing"))
			return no;
	} else if (g->cert != NULL && (s->signing_time < g->cert->not_before || s->signing_time > g->cert->not_after) &&
	    find_level(j, 1, level_of(j, CHECK_SIGNING_TIME_IN_CERT_RANGE, sig_context(g), POS_SIGNING), "SigningTimeInCertRange", CL,
		g->r->id, NULL, "the claimed time is outside the certificate's validity"))
		return no;
	if ((s->props_ref == NULL || props_behind_a_filter(j, g)) &&
	    find_level(j, 1, LEVEL_FAIL, "SignedProperties", CL, g->r->id, NULL, "no signed properties"))
		return no;
	/* A dossier's own rules of coverage (xades.md 9); a peer that knows no dossiers passes over them. */
	if (!j->peer && (gap = sig_dossier_fault(j->doc, g->s)) != NULL &&
	    find_level(j, 1, LEVEL_FAIL, "DossierCoverage", "e-akta specification", g->r->id, NULL, "%s", gap))
		return no;
	return passed();
}

/* ---- the process for basic signatures ---- */

static void
digests_used(struct judge *j, struct jsig *g, const struct xref *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct alg_use use = {.digest = v[i].digest.alg, .usage = USE_DATA};

		subject_uses(j, &g->sub, &use);
		if (v[i].entries_signed)
			digests_used(j, g, v[i].entries, v[i].n_entries);
	}
}

static void
own_algorithms(struct judge *j, struct jsig *g)
{
	struct alg_use method = g->s->method;

	if (method.key_bits == 0 && g->cert != NULL) {
		method.key_bits = g->cert->own_key.key_bits;
		method.q_bits = g->cert->own_key.q_bits;
	}
	subject_uses(j, &g->sub, &method);
	digests_used(j, g, g->s->refs, g->s->n_refs);
}

/* A content time-stamp proves that the signature is younger than it (5.3.4 step 4). */
static struct verdict
with_content_stamps(const struct jsig *g, struct verdict x509)
{
	for (size_t i = 0; i < g->n_stamps; i++) {
		const struct jstamp *t = &g->stamps[i];

		if (!is_content_stamp(t) || t->r->basic.ind != IND_PASSED || g->cert == NULL)
			continue;
		if (verdict_is(x509, SUB_REVOKED_NO_POE) && t->tok->gen_time > g->sub.x->at[0].revoked_at)
			return failed(SUB_REVOKED);
		if ((verdict_is(x509, SUB_OUT_OF_BOUNDS_NO_POE) || verdict_is(x509, SUB_OUT_OF_BOUNDS_NOT_REVOKED)) &&
		    t->tok->gen_time > g->cert->not_after)
			return failed(SUB_EXPIRED);
	}
	return x509;
}

static struct verdict
crypto_now(struct judge *j, struct jsig *g)
{
	const struct alg_use *weak = subject_weak(j, &g->sub, j->now);
	char text[64];

	if (weak == NULL)
		return passed();
	alg_text(weak, text, sizeof(text));
	find_add(j, 1, FIND_FAIL, "Cryptographic", "EN 319 102-1 5.2.8", g->r->id, "a proof of existence before its end",
	    "%s is not reliable now", text);
	for (size_t i = 0; i < g->n_stamps; i++)
		if (is_content_stamp(&g->stamps[i]) && g->stamps[i].r->basic.ind == IND_PASSED &&
		    !alg_good(j, weak, g->stamps[i].tok->gen_time))
			return open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE);
	return open_verdict(SUB_CRYPTO_CONSTRAINTS_FAILURE_NO_POE);
}

static bool
is_ambiguous(const struct xref *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].fault == REF_AMBIGUOUS || (v[i].entries_signed && is_ambiguous(v[i].entries, v[i].n_entries)))
			return true;
	return false;
}

static const char *
format_fault(const struct judge *j, const struct jsig *g)
{
	if (g->s->format_fault != NULL && !(j->peer && g->s->props_ref_stray))
		return g->s->format_fault;
	return is_ambiguous(g->s->refs, g->s->n_refs) ? "a reference leads to more than one element (XMLDSig 4.4.3.2)" : NULL;
}

/* What EN 319 102-1 asks for and nobody here looks at. */
static void
tell_unchecked(struct judge *j, const struct jsig *g)
{
	static const char *const ROWS[][3] = {
	    {"StructuralValidation", "EN 319 102-1 5.2.2", "the XML schema"},
	    {"CertificatePolicies", "RFC 5280 6.1.3 (d)", "the policy tree of the chain"},
	    {"SignerRole", "EN 319 102-1 5.2.8", "attribute certificates and signed assertions"},
	    {"Qualification", "TS 119 615", "trusted lists"},
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		find_add(j, 1, FIND_NOT_CHECKED, ROWS[i][0], ROWS[i][1], g->r->id, NULL, "%s", ROWS[i][2]);
}

/* Everything is looked at, so that the report tells all; the verdict is the first failure in the order of 5.3.4. */
void
judge_basic(struct judge *j, struct jsig *g)
{
	struct verdict vci, x509 = passed(), crypto;
	const char *fault = format_fault(j, g);

	find_add(j, 0, FIND_INFO, "BasicSignatureValidation", "EN 319 102-1 5.3", g->r->id, NULL, "%s %s", g->r->format, g->r->id);
	find_add(j, 1, fault == NULL ? FIND_OK : FIND_FAIL, "FormatChecking", "EN 319 102-1 5.2.2", g->r->id, NULL, "%s",
	    fault == NULL ? "as the format demands" : fault);
	judge_signer(j, g);
	vci = judge_policy(j, g);
	own_algorithms(j, g);
	if (g->cert != NULL)
		g->sub.x = judge_cert(j, g->cert, sig_context(g), LINE_SIGNER);
	if (g->sub.x != NULL) {
		find_verdict(j, 1, "X509CertificateValidation", "EN 319 102-1 5.2.6", g->cert->subject_text, g->sub.x->v);
		findings_copy(j, &g->sub.x->f, 1);
		x509 = with_content_stamps(g, g->sub.x->v);
	}
	g->cv = judge_cv(j, g);
	g->sav = judge_sav(j, g);
	crypto = crypto_now(j, g);
	tell_unchecked(j, g);

	/* newer revocation data mends no more than its own lack: what else is wrong comes first */
	bool stale = g->sub.x != NULL && only_stale(g->sub.x);
	struct verdict order[] = {fault == NULL ? passed() : failed(SUB_FORMAT_FAILURE), g->isc, vci, g->cv, stale ? passed() : x509, g->sav,
	    crypto, x509};
	g->r->basic = passed();
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && g->r->basic.ind == IND_PASSED; i++)
		g->r->basic = order[i];
	find_verdict(j, 1, "BasicSignatureValidation", "EN 319 102-1 5.3", g->r->id, g->r->basic);
}
