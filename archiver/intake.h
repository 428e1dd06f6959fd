/* SPDX-License-Identifier: MIT */
/*
 * A deposit on its way in: intake.c reads and hashes it, intake_judge.c says
 * what its files are, deposit.c keeps it.
 *
 * A small file is read once, into memory: what was read is hashed, looked at
 * and kept, whatever becomes of the file meanwhile. A larger one is hashed,
 * judged against that digest, then copied while it is hashed again.
 */
#ifndef EVERSEAL_ARCHIVER_INTAKE_H
#define EVERSEAL_ARCHIVER_INTAKE_H

#include "archiver/archiver_int.h"
#include "base/form.h"

struct intake_file {
	struct store_ref ref;
	struct buf octets; /* all of it, or nothing */
	bool known;	   /* form is certain by its first octets: no XML, nothing to judge */
	enum form form;
};

struct intake {
	struct deposit *d;
	const struct conf_profile *profile;
	int64_t now_utc; /* one time for a group */
	char record[UUID_TEXT];
	struct intake_file *files; /* d->n_files */
	json_t *manifest;
	const char *own_id;
	struct store_ref manifest_ref;
	uint64_t leaf;
	struct err why; /* what reading or judging it said */
	bool in_batch;
	bool no_room; /* on the disk: not kept, and not refused */
	bool put_off; /* its verdict takes longer than there is time now */
	bool again; /* the same own id and bytes: the receipt of then */
	const struct intake *before; /* those of this call that came before it, n_before */
	size_t n_before;
};

/*
 * Meta file, sizes, both digests, expected digest. room: octets that may still be held in memory, less what this one
 * takes. ERR_NOMEM is our trouble, everything else the deposit's.
 */
MUST_USE enum err_code intake_read(struct archive *a, struct intake *in, size_t *room, struct err *e);
void intake_forget_octets(struct intake *in);
void intake_release(struct intake *in);
/* Foreign descriptors: that one can't be read is ERR_REFUSED. */
MUST_USE enum err_code intake_source(const struct intake *in, size_t file, struct source *out, struct err *e);

/* What the first octets of held files tell, asked of the cage at once for all n deposits. What stays unknown is judged alone. */
void intake_sniff(struct archive *a, struct intake *all, size_t n);
/*
 * Every file: forms, signatures and their states into the manifest. put_off: not all of them yet (slow.h); the deposit is to be
 * given again. No batch may be open when the deposit has no limit of time: others may have their turn meanwhile.
 */
MUST_USE enum err_code intake_judge(struct archive *a, struct intake *in, struct err *e);

#endif
