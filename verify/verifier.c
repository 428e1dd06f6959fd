/* SPDX-License-Identifier: MIT */
/* A verifier: decoded certificates and made signature checks, kept from one document to the next. */
#include "verify/judge.h"

#include <stdlib.h>

enum err_code
verifier_new(struct verifier **out, struct err *e)
{
	AUTO(verifier) struct verifier *v = mem_new(1, sizeof(*v));

	if (v == NULL)
		return err_nomem(e);
	if (pki_new(&v->pki, e) != ERR_OK)
		return err_wrap(e, "verifier");
	*out = TAKE(v);
	return ERR_OK;
}

void
verifier_free(struct verifier *v)
{
	if (v == NULL)
		return;
	pki_free(v->pki);
	free(v);
}

void
verifier_auto(struct verifier **v)
{
	verifier_free(*v);
}

struct pki *
verifier_pki(struct verifier *v)
{
	return v->pki;
}
