/* SPDX-License-Identifier: MIT */
/* The hash of a signature policy document (EN 319 132-1 5.2.9; validation.md 2.4). */
#include "verify/xades_int.h"

#include <string.h>

static const xmlNode *
transforms_of(const struct xsig *s)
{
	const char *ns = xades_ns(s->version);
	const xmlNode *n = xml_first(s->signed_props, ns, "SignedSignatureProperties");

	n = xml_first(xml_first(n, ns, "SignaturePolicyIdentifier"), ns, "SignaturePolicyId");
	return xml_first(n, NS_DS, "Transforms");
}

static enum err_code
compare(const struct xsig *s, struct slice octets, enum tri *match, struct err *e)
{
	struct digest got;

	if (digest_once(s->policy_hash.alg, octets, &got, e) != ERR_OK)
		return err_wrap(e, "signature policy");
	*match = digest_eq(&got, &s->policy_hash) ? TRI_TRUE : TRI_FALSE;
	return ERR_OK;
}

static enum err_code
transformed(struct sigdoc *d, struct xsig *s, struct slice document, enum tri *match, struct err *e)
{
	struct run r = {.d = d, .s = s};
	AUTO(data) struct data io = {.kind = DATA_OCTETS};
	AUTO(buf) struct buf out = {0};
	struct sink to = sink_buf(&out);
	const struct c14n plain = {0};

	buf_addslice(&io.octets, document);
	if (buf_ok(&io.octets, e) != ERR_OK || transforms_write(&r, transforms_of(s), &io, &plain, &to, e) != ERR_OK ||
	    buf_ok(&out, e) != ERR_OK)
		return err_wrap(e, "signature policy");
	if (r.fault != REF_FINE)
		return ERR_OK; /* not checked: what the transforms leave can't be said */
	return compare(s, buf_slice(&out), match, e);
}

/*
 * A policy in ASN.1 (ETSI TR 102 272): SEQUENCE { signPolicyHashAlg, signPolicyInfo, signPolicyHash OPTIONAL }. Its hash
 * covers the first two as they stand, without the outer tag and length; some took the second one's content alone.
 */
static enum err_code
asn1_policy(const struct xsig *s, struct slice document, enum tri *match, struct err *e)
{
	struct cur c = cur_from(document);
	struct der all, alg, info;

	if (!der_next(&c, &all) || all.tag != 0x30 || c.at != document.n)
		return ERR_OK;
	c = cur_from(all.body);
	if (!der_next(&c, &alg) || alg.tag != 0x30 || !der_next(&c, &info) || info.tag != 0x30)
		return ERR_OK;
	if (compare(s, slice_of(alg.whole.p, alg.whole.n + info.whole.n), match, e) != ERR_OK)
		return err_wrap(e, "ASN.1");
	return *match == TRI_TRUE ? ERR_OK : compare(s, info.body, match, e);
}

enum err_code
sig_policy_hash(struct sigdoc *d, struct xsig *s, struct slice document, enum tri *match, struct err *e)
{
	*match = TRI_UNKNOWN;
	if (s->policy_hash.alg == DIGEST_NONE || s->policy_hash.n == 0 || digest_evp(s->policy_hash.alg) == NULL)
		return ERR_OK;
	if (s->policy_transforms != NULL && !s->policy_doc_spec)
		return transformed(d, s, document, match, e);
	if (compare(s, document, match, e) != ERR_OK)
		return err_wrap(e, "octets");
	if (*match == TRI_TRUE || s->policy_doc_spec)
		return ERR_OK;
	return asn1_policy(s, document, match, e);
}
