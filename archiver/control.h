/* SPDX-License-Identifier: MIT */
/* The serving half of the control socket (control.c); the asking half is archive_ask. */
#ifndef EVERSEAL_ARCHIVER_CONTROL_H
#define EVERSEAL_ARCHIVER_CONTROL_H

#include "archiver/archiver_int.h"

/* The archive's lock must be held. A non-blocking listening socket. */
MUST_USE enum err_code control_listen(const struct config *cfg, int *fd, struct err *e);
/* Accept one connection, if there is one, and serve it. An error is the archive's own, not the client's. */
MUST_USE enum err_code control_serve(struct archive *a, int listener, struct err *e);

#endif
