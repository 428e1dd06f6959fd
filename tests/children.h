/* SPDX-License-Identifier: MIT */
/* Workers of tests: how they are started, and what more than one of them does on request. */
#ifndef EVERSEAL_TESTS_CHILDREN_H
#define EVERSEAL_TESTS_CHILDREN_H

#include "base/worker_int.h"
#include "base/xml.h"
#include "tests/kit.h"

#include <stdlib.h>
#include <string.h>

static inline struct worker *
child_start(struct worker_spec spec)
{
	struct worker *w = NULL;
	struct err e = {0};

	spec.name = "test";
	OK(worker_start(&spec, &w, &e));
	return w;
}

/* --- in the child ------------------------------------------------------------- */

static inline size_t
number(struct slice s)
{
	char text[24] = "";

	memcpy(text, s.p, s.n < sizeof(text) - 1 ? s.n : sizeof(text) - 1);
	return strtoul(text, NULL, 10);
}

/* xml_load of body; replies its text. */
static inline enum err_code
child_parse(struct slice body, struct buf *reply, struct err *e)
{
	AUTO(xml_doc) xmlDocPtr doc = NULL;

	if (xml_load(body, NULL, &doc, e) != ERR_OK)
		return err_wrap(e, "document");
	xml_text(xmlDocGetRootElement(doc), reply);
	return ERR_OK;
}

#endif
