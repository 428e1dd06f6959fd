/* SPDX-License-Identifier: MIT */
/* Between xmlraw.c (octets) and xml.c (parser). */
#ifndef EVERSEAL_BASE_XML_INT_H
#define EVERSEAL_BASE_XML_INT_H

#include "base/xml.h"

/* max: all fields filled in. ERR_REFUSED the encoding, ERR_LIMIT attributes of an element, ERR_FORMAT '<' inside a tag. */
MUST_USE enum err_code xml_check_raw(struct slice raw, const struct xml_limits *max, struct err *e);

#endif
