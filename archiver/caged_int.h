/* SPDX-License-Identifier: MIT */
/*
 * Between caged.c (main) and caged_*.c (the cage): request types, bodies, and
 * the child's state.
 *
 * A request's body is a JSON object (32 bits of length before it), then raw
 * parts with their lengths: material, and what the type says. The answer is
 * JSON. Descriptors: the document, then its side files; the last may be a bundle
 * of the small ones ("bundle" in the JSON says where each lies).
 */
#ifndef EVERSEAL_ARCHIVER_CAGED_INT_H
#define EVERSEAL_ARCHIVER_CAGED_INT_H

#include "archiver/caged.h"
#include "archiver/upgrade.h"
#include "base/worker.h"

enum caged_request {
	CAGED_JUDGE = 1,    /* parts: material, entropy */
	CAGED_ANSWER,	    /* material, body */
	CAGED_TOKEN,	    /* material, response, nonce */
	CAGED_TSA_MATERIAL, /* material, token, entropy */
	CAGED_EXTEND,	    /* material */
	CAGED_INVENTORY,    /* material */
	CAGED_OCTETS,	    /* none; the last descriptor is written to */
	CAGED_SNIFF	    /* none; for each file: whole (8 bits), first octets */
};

/* The child's memory. setup is what main had when it forked. */
struct caged_state {
	struct caged_setup setup;
	struct verifier *v; /* made in the child, by its first request */
	unsigned calls;	    /* since v was made: its cache is dropped now and then */
};

enum err_code caged_handle(void *ctx, uint32_t type, struct slice body, const int *fds, size_t nfds, struct buf *reply,
    struct err *e);

/* ---- in the cage ---- */

/* A document as it lies behind the descriptors. The sources point into fds, files point into names. */
struct caged_input {
	const char *name;
	struct buf doc;
	bool too_large;
	uint64_t size_bytes;
	struct caged_part {
		int fd;
		uint64_t base, size_bytes;
		const char *sha256; /* hex: of every whole reading, else changed; NULL = not known */
		struct digester *digester;
		uint64_t hashed;
		bool changed;
	} *parts;
	struct side_file *files;
	size_t n_files;
};
enum err_code caged_input_open(const struct caged_state *st, const json_t *head, const int *fds, size_t nfds,
    struct caged_input *out, struct err *e);
void caged_input_release(struct caged_input *in);
void caged_input_auto(struct caged_input *in);

/* doc parsed, with in's files beside it: in's own document, or another version of it. doc must live as long. */
enum err_code caged_sigdoc(
    const struct caged_state *st, const struct caged_input *in, const struct buf *doc, struct sigdoc **out, struct err *e);
/* One verification with that input; want: wants and closures too. parsed: by caged_sigdoc, or NULL. */
enum err_code caged_verify(struct caged_state *st, const struct caged_input *in, struct sigdoc *parsed,
    const struct material *material, int64_t time_utc, int64_t grace_seconds, bool want, struct report **out, struct err *e);
/* The answer of caged_judge for a report that is there. d: what was judged. */
enum err_code caged_judge_json(struct caged_state *st, struct sigdoc *d, const struct report *r, struct slice entropy,
    json_t **out, struct err *e);
enum err_code caged_judge_run(struct caged_state *st, const struct caged_input *in, const struct material *material,
    int64_t time_utc, int64_t grace_seconds, struct slice entropy, json_t **out, struct err *e);

/* caged_json.c: parts of answers. base64 of octets as a JSON string; NULL on no memory. */
json_t *caged_base64(struct slice s);
json_t *caged_digest_json(const struct digest *d);
enum err_code caged_closure_json(const struct closure *c, json_t **out, struct err *e);
/* The protection class of a stamp whose TSA is known; null otherwise. */
void caged_facts(const struct report_stamp *s, struct class_facts *out);
enum err_code caged_facts_json(const struct report_stamp *s, json_t **out, struct err *e);
enum err_code caged_wants_json(struct pki *pki, const struct report *r, struct slice entropy, json_t **out, struct err *e);
/* Raw octets of a closure's certificates and embedded objects, or of all, { sha256: base64 }. */
enum err_code caged_objects_json(const struct closure *c, bool all, json_t *into, struct err *e);

enum err_code caged_answer_run(struct caged_state *st, const json_t *head, struct slice body,
    const struct material *material, json_t **out, struct err *e);
enum err_code caged_token_run(struct caged_state *st, const json_t *head, struct slice response, struct slice nonce,
    const struct material *material, json_t **out, struct err *e);
enum err_code caged_tsa_material_run(struct caged_state *st, const json_t *head, struct slice token, struct slice entropy,
    const struct material *material, json_t **out, struct err *e);
enum err_code caged_extend_run(struct caged_state *st, const struct caged_input *in, const json_t *head,
    const struct material *material, json_t **out, struct err *e);
enum err_code caged_inventory_run(struct caged_state *st, const struct caged_input *in, const struct material *material,
    int64_t time_utc, json_t **out, struct err *e);
enum err_code caged_octets_run(struct caged_state *st, const struct caged_input *in, const json_t *head, int fd, json_t **out,
    struct err *e);

#endif
