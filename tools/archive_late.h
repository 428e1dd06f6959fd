/* SPDX-License-Identifier: MIT */
/* libarchive, for bundles in one file alone (base/late.h). Include it, in one file, instead of archive.h. */
#ifndef EVERSEAL_TOOLS_ARCHIVE_LATE_H
#define EVERSEAL_TOOLS_ARCHIVE_LATE_H

#include "base/late.h"

#include <archive.h>
#include <archive_entry.h>

static struct late archive_late = {.soname = "libarchive.so.13"};

#define archive_write_new LATE(&archive_late, archive_write_new)
#define archive_write_free LATE(&archive_late, archive_write_free)
#define archive_write_set_format_pax_restricted LATE(&archive_late, archive_write_set_format_pax_restricted)
#define archive_write_open_fd LATE(&archive_late, archive_write_open_fd)
#define archive_write_header LATE(&archive_late, archive_write_header)
#define archive_write_data LATE(&archive_late, archive_write_data)
#define archive_write_close LATE(&archive_late, archive_write_close)
#define archive_errno LATE(&archive_late, archive_errno)
#define archive_error_string LATE(&archive_late, archive_error_string)
#define archive_entry_new LATE(&archive_late, archive_entry_new)
#define archive_entry_free LATE(&archive_late, archive_entry_free)
#define archive_entry_set_pathname LATE(&archive_late, archive_entry_set_pathname)
#define archive_entry_set_filetype LATE(&archive_late, archive_entry_set_filetype)
#define archive_entry_set_perm LATE(&archive_late, archive_entry_set_perm)
#define archive_entry_set_mtime LATE(&archive_late, archive_entry_set_mtime)
#define archive_entry_set_size LATE(&archive_late, archive_entry_set_size)

#endif
