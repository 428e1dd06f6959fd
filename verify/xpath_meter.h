/* SPDX-License-Identifier: MIT */
/* Steps that an XPath costs beside the nodes it visits: string values, comparisons, unions. Private to verify/. */
#ifndef EVERSEAL_VERIFY_XPATH_METER_H
#define EVERSEAL_VERIFY_XPATH_METER_H

#include "base/bytes.h"

#include <libxml/xpath.h>

/*
 * The same expression with every operator that may take a string value as a call that counts it. False: it is no XPath 1.0
 * expression, is nested too deeply, uses a variable, or there is no memory.
 */
bool xpath_metered(const char *text, struct buf *out);
/* Make a context count: functions of ours, and in place of core functions. Its opLimit is kept to. False: no memory. */
bool xpath_meter(xmlXPathContext *ctx);
bool xpath_replace(xmlXPathContext *ctx, const char *name, xmlXPathFunction function);
/* Counts all string values of the topmost value. False: the limit is reached, the evaluation ends. */
bool xpath_pay_values(xmlXPathParserContextPtr ctxt);

#endif
