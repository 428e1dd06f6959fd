/* SPDX-License-Identifier: MIT */
/* The real program with an archive and a spool of its own: one run after another is recorded, what it says is read. */
#ifndef EVERSEAL_TESTS_CRASHBENCH_H
#define EVERSEAL_TESTS_CRASHBENCH_H

#include "tests/crashdisk.h"

#define DOCS 5
#define MANY 110 /* more than the least of a group: a second one is kept while the first is answered */
#define SPOOL "spool/desk"

struct bench {
	struct lab lab;
	int docs, each; /* given in all; every each-th is taken out again and looked for in the list */
	char program[400], conf[300], out[300];
};
void bench_auto(struct bench *b);
void doc_name(int i, char out[40]);
void doc_octets(int i, struct buf *out);
/* The program's exit code, or 1000 and more when a signal ended it; its standard output goes to b->out. */
int program(const struct bench *b, bool recorded, const char *const *verb);
#define PROGRAM(b, recorded, ...) program((b), (recorded), (const char *const[]){__VA_ARGS__, NULL})
/*
 * Makes the bench and records `run --once` over docs deposits: one, then two by two; more than DOCS: all in one run.
 * The folder as it was before is copied to "given". kv: index and ops are copied after each run (bench_kv), an 'A' op
 * "kv N" tells when.
 */
void bench_record(struct bench *b, int docs, int each, bool kv, struct record *rec);
void bench_kv(const struct bench *b, int n, char out[400]);

struct expect {
	bool given[MANY]; /* certainly in the spool */
	bool done[MANY];  /* the program said so */
	int kv;	     /* the newest copy of index and ops; -1: none */
};
/* What an 'A' op says. */
void bench_hear(const struct op *o, struct expect *x);
/* The record that the receipt of document i names. False: there is none. */
bool receipt(const struct bench *b, int i, char record[64]);
/* The record comes out as it was given. */
bool comes_out(const struct bench *b, int i, const char *record);
/* How often `list` knows that name; -1: it fails. */
int records_named(const struct bench *b, const char *name);

#endif
