/* SPDX-License-Identifier: MIT */
/*
 * Every parser behind one door: an entry takes any octets and must neither
 * crash, hang, leak nor break what it promises (fuzz_must).
 *
 *	fuzz_find(name) -> open() once -> one(octets) as often as you like
 *
 * libFuzzer calls them in `make fuzz` (libfuzzer.c), a driver of our own in
 * `make check` (replay.c). EVERSEAL_FUZZ names the folder that seeds.sh
 * made: a folder of seeds for each entry, and kit/ with what the entries need beside their octets.
 */
#ifndef EVERSEAL_TESTS_FUZZ_H
#define EVERSEAL_TESTS_FUZZ_H

#include "base/bytes.h"
#include "policy/policy.h"

struct fuzz_entry {
	const char *name;
	const char *seeds; /* folders of seeds; NULL = the one of its name */
	size_t max_bytes;
	bool (*open)(void); /* may be NULL */
	void (*one)(struct slice in);
};
extern const struct fuzz_entry fuzz_xml[], fuzz_signature[], fuzz_pki[], fuzz_text[], fuzz_store[], fuzz_process[], fuzz_verb[], fuzz_lies[];
/* Walking all of them; NULL behind the last. */
const struct fuzz_entry *fuzz_at(size_t i);
const struct fuzz_entry *fuzz_find(const char *name);
int fuzz_list(void); /* a line each: name, largest input, folders of seeds; 0 */

/* What must hold whatever the octets are. Ends the program, so that the fuzzer keeps the input. */
#define fuzz_must(holds) ((holds) ? (void)0 : fuzz_broken(#holds, __FILE__, __LINE__))
void __attribute__((noreturn)) fuzz_broken(const char *what, const char *file, int line);

/* A file of kit/. The program ends when it is not there: seeds.sh did not do its work. */
struct slice fuzz_kit(const char *name);
const char *fuzz_path(const char *name); /* of it; static until the next call */
const char *fuzz_scratch(void); /* a folder of this process's own, removed at its end; NULL if it can't be made */
const struct anchors *fuzz_anchors(void);
const struct vpolicy *fuzz_policy(void);
#define FUZZ_TIME INT64_C(1780000000) /* 2026-05-28: the seeds' documents are archived by then */

/* A number that follows from the octets, to choose what to look at. */
uint32_t fuzz_choice(struct slice in);
/* The first octet, which is taken away; 0 if there is none. */
unsigned fuzz_first(struct slice *in);

#endif
