/* SPDX-License-Identifier: MIT */
/* Reading everything again: members, what is between them, and the log's tree. */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scrub {
	struct store *s;
	const struct store_watch *w;
	struct store_report *report;
	const struct seg_row *seg;
	struct checker *check;
	uint64_t next; /* where the next member must be */
	uint64_t total;
};

static void
say(const struct scrub *k, uint64_t off, const char *name, const char *what)
{
	struct store_damage d = {.offset_bytes = off};

	if (k->w == NULL || k->w->damage == NULL)
		return;
	if (k->seg != NULL)
		seg_name(&k->seg->id, d.segment);
	snprintf(d.name, sizeof(d.name), "%s", name);
	snprintf(d.what, sizeof(d.what), "%s", what);
	k->w->damage(k->w->ctx, &d);
}

static void
tell(struct scrub *k, uint64_t off, const char *name, const char *what)
{
	k->report->damaged++;
	say(k, off, name, what);
}

static void
progress(struct scrub *k, uint64_t bytes)
{
	k->report->bytes += bytes;
	if (k->w != NULL && k->w->progress != NULL)
		k->w->progress(k->w->ctx, k->report->bytes, k->total);
}

/* The sealed table must be that of the members before it. */
static enum err_code
check_table(struct scrub *k, const struct member *m, struct err *e)
{
	AUTO(digester) struct digester *d = NULL;
	struct store_ref got;
	struct sink to;
	enum err_code r = pair_new(&d, e);

	if (r != ERR_OK)
		return r;
	to = digester_sink(d);
	r = seg_table(&k->s->index, &k->seg->id, NULL, m->off, &to, e);
	if (r == ERR_OK)
		r = pair_finish(d, m->ref.size_bytes, &got, e);
	if (r == ERR_OK && !ref_eq(&got, &m->ref))
		tell(k, m->off, "", "the member table is not that of the members");
	return r;
}

static enum err_code
scrub_member(void *ctx, const struct member *m, struct err *e)
{
	struct scrub *k = ctx;
	char name[MEMBER_NAME];
	struct err why = {0};
	enum err_code r = checker_member(k->check, m, &why);

	if (r == ERR_DAMAGED)
		r = checker_again(k->check, m, &why);
	member_name(m, &k->seg->id, name);
	if (m->off != k->next)
		tell(k, k->next, "", "octets that belong to no member");
	k->next = m->off + tar_member_bytes(m->ref.size_bytes);
	k->report->members++;
	if (r == ERR_NOMEM)
		return err_set(e, r, "%s", why.text);
	if (r != ERR_OK) /* a sector that can't be read is damage like any other */
		tell(k, m->off, name, why.text);
	progress(k, tar_member_bytes(m->ref.size_bytes));
	return r == ERR_OK && m->kind == MEMBER_TABLE ? check_table(k, m, e) : ERR_OK;
}

static void
check_end(struct scrub *k)
{
	static const uint8_t zeros[TAR_END_OCTETS];
	uint64_t size = checker_bytes(k->check);
	struct err why = {0};

	if (size < k->seg->end) {
		tell(k, size, "", "the segment is cut off");
		return;
	}
	if (!k->seg->sealed) {
		if (k->next < k->seg->end)
			tell(k, k->next, "", "the index knows no member there");
		if (k->s->writer && k->s->batch == NULL && size > k->next)
			tell(k, k->next, "", "octets behind the last committed ones");
		return;
	}
	if (k->next + TAR_END_OCTETS != size)
		tell(k, k->next, "", "the segment does not end where it was sealed");
	else if (checker_octets(k->check, k->next, slice_of(zeros, sizeof(zeros)), "the end mark is not zero", &why) != ERR_OK)
		tell(k, k->next, "", why.text);
}

static enum err_code
scrub_segment(struct scrub *k, struct err *e)
{
	const struct member_each each = {scrub_member, k};
	struct err why = {0};
	enum err_code r;

	k->report->segments++;
	if (checker_segment(k->check, k->s, &k->seg->id, &why) != ERR_OK) {
		tell(k, 0, "", why.text);
		progress(k, k->seg->end);
		return ERR_OK;
	}
	k->next = 0;
	r = index_members(&k->s->index, k->seg->id.id, &each, e);
	if (r == ERR_OK)
		check_end(k);
	return r;
}

/* --- what is no segment --- */

static void
tell_row(void *ctx, const char *name, const char *what)
{
	tell(ctx, 0, name, what);
}

static enum err_code
nothing(void *ctx, struct slice key, struct slice value, bool *stop, struct err *e)
{
	(void)ctx, (void)key, (void)value, (void)e;
	*stop = true;
	return ERR_OK;
}

static enum err_code
tell_lost(void *ctx, const struct store_lost *l, struct err *e)
{
	struct scrub *k = ctx;
	char name[MEMBER_NAME], what[200];

	(void)e;
	if (!l->alarm || l->acknowledged)
		return ERR_OK;
	snprintf(name, sizeof(name), "lost/%s", l->id);
	snprintf(what, sizeof(what), "%s: %.150s", store_lost_word(l->kind), l->why);
	k->report->alarms++; /* what it is about may be among the damage already */
	say(k, 0, name, what);
	return ERR_OK;
}

/* The notes of work under way, both halves of the log's key, what recovery set aside, and the index row by row. */
static enum err_code
scrub_rest(struct scrub *k, struct err *e)
{
	const struct store_each each = {nothing, NULL};
	const struct store_lost_each finds = {tell_lost, k};
	const struct index_tell rows = {tell_row, k};
	struct err why = {0};
	uint8_t *seed = NULL;
	enum err_code r;

	k->seg = NULL;
	if (ops_rows(k->s, "scrub", slice_of(NULL, 0), slice_of(NULL, 0), &each, &why) != ERR_OK || k->s->found.ops_lost)
		tell(k, 0, "ops", "the notes of work under way can't be read; a writer begins them anew");
	if (log_key_load(k->s->dir_fd, &seed, &why) != ERR_OK)
		tell(k, 0, "log.key", why.text);
	log_key_release(seed);
	r = store_lost(k->s, &finds, e);
	if (r == ERR_OK && index_compare(k->s, &rows, &why) != ERR_OK) {
		if (why.code == ERR_NOMEM || why.code == ERR_NOSPACE || why.code == ERR_BUSY || why.code == ERR_IO)
			return err_set(e, why.code, "%s", why.text);
		tell(k, 0, "index", why.text);
	}
	return r;
}

enum err_code
store_scrub(struct store *s, bool full, const struct store_watch *w, struct store_report *out, struct err *e)
{
	AUTO(mem) struct seg_row *rows = NULL;
	AUTO(checker) struct checker *c = NULL;
	struct scrub k = {.s = s, .w = w, .report = out};
	size_t i, n = 0;
	enum err_code r = checker_new(full, &c, e);

	*out = (struct store_report){.groups = 0};
	if (r == ERR_OK)
		r = index_check(&s->index, e);
	if (r == ERR_OK)
		r = index_segments(&s->index, &rows, &n, e);
	k.check = c;
	for (i = 0; r == ERR_OK && i < n; i++)
		k.total += rows[i].end;
	for (i = 0; r == ERR_OK && i < n; i++) {
		k.seg = &rows[i];
		r = scrub_segment(&k, e);
	}
	return r == ERR_OK ? scrub_rest(&k, e) : r;
}

/* --- the log --- */

struct audit {
	struct scrub k;
	struct tlog_edge edge;
	uint8_t prev[32];
	struct buf pub;
	uint64_t n;
};

static void
complain(struct audit *a, const char *what)
{
	char text[160];

	snprintf(text, sizeof(text), "group %" PRIu64 ": %.120s", a->n, what);
	tell(&a->k, 0, "", text);
}

static enum err_code
load_group(struct audit *a, struct group **out, struct err *e)
{
	AUTO(fd) int fd = -1;
	AUTO(buf) struct buf text = {0};
	struct member m;
	struct seg_row seg;
	uint64_t n = 0;
	enum err_code r = index_group(&a->k.s->index, a->n, &m, e);

	if (r == ERR_OK)
		r = index_segment(&a->k.s->index, m.seg, &seg, e);
	if (r == ERR_OK)
		r = store_segment_fd(a->k.s, &seg.id, &fd, e);
	if (r == ERR_OK)
		r = group_at(fd, m.off, &text, &n, e);
	if (r == ERR_OK)
		r = group_read(buf_slice(&text), out, e);
	if (r == ERR_OK && (n != a->n || (*out)->n != n || !ref_eq(&(*out)->ref, &m.ref)))
		return err_set(e, ERR_DAMAGED, "not the group that the index knows there");
	a->k.report->bytes += text.n;
	return r;
}

static enum err_code
audit_leaves(struct audit *a, const struct group *g, struct err *e)
{
	uint8_t h[TLOG_HASH], indexed[TLOG_LEAF_OCTETS];
	enum err_code r = ERR_OK;
	size_t i;

	for (i = 0; r == ERR_OK && i < g->n_leaves; i++) {
		if (index_leaf(&a->k.s->index, a->edge.size, indexed, NULL) != ERR_OK ||
		    memcmp(indexed, g->leaves[i], sizeof(indexed)) != 0)
			complain(a, "a leaf in the index is not that of the group");
		r = tlog_leaf_hash(slice_of(g->leaves[i], TLOG_LEAF_OCTETS), h, e);
		if (r == ERR_OK)
			r = tlog_append(&a->edge, h, NULL, e);
	}
	a->k.report->leaves += g->n_leaves;
	return r;
}

static void
audit_members(struct audit *a, const struct group *g)
{
	struct member m;
	size_t i;

	for (i = 0; i < g->n_members; i++)
		if (index_member(&a->k.s->index, g->members[i].seg, g->members[i].off, &m, NULL) != ERR_OK ||
		    m.kind != g->members[i].kind || m.group != g->members[i].group || !ref_eq(&m.ref, &g->members[i].ref))
			complain(a, "a member in the index is not that of the group");
}

static enum err_code
audit_checkpoint(struct audit *a, const struct group *g, struct err *e)
{
	struct tlog_checkpoint cp;
	struct err why = {0};
	uint8_t root[TLOG_HASH];
	enum err_code r = tlog_root(&a->edge, root, e);

	if (r != ERR_OK)
		return r;
	if (a->edge.size != g->log_size || memcmp(root, g->root, TLOG_HASH) != 0)
		complain(a, "its root is not that of the leaves");
	if (tlog_checkpoint_verify(buf_slice(&g->checkpoint), buf_slice(&a->pub), &cp, &why) != ERR_OK)
		complain(a, why.text);
	else if (cp.size != g->log_size || memcmp(cp.root, g->root, TLOG_HASH) != 0 ||
	    strcmp(cp.origin, a->k.s->o.origin) != 0)
		complain(a, "its checkpoint is of another tree");
	return ERR_OK;
}

static enum err_code
audit_group(struct audit *a, bool *stop, struct err *e)
{
	AUTO(group) struct group *g = NULL;
	struct err why = {0};
	enum err_code r = load_group(a, &g, &why);

	a->k.report->groups++;
	if (r == ERR_NOMEM)
		return err_set(e, r, "%s", why.text);
	if (r != ERR_OK) { /* what comes after can't be judged without its leaves */
		complain(a, why.text);
		*stop = true;
		return ERR_OK;
	}
	if (memcmp(g->prev, a->prev, 32) != 0)
		complain(a, "it does not link to the group before");
	memcpy(a->prev, g->ref.sha256, 32);
	audit_members(a, g);
	r = audit_leaves(a, g, e);
	return r == ERR_OK ? audit_checkpoint(a, g, e) : r;
}

/* The nodes of the index give the same root as the groups' leaves. */
static enum err_code
audit_index(struct audit *a, struct err *e)
{
	struct tlog_edge indexed;
	enum err_code r = index_edge(&a->k.s->index, a->edge.size, &indexed, NULL);

	(void)e;
	if (r != ERR_OK || indexed.n != a->edge.n || memcmp(indexed.peak, a->edge.peak, a->edge.n * TLOG_HASH) != 0)
		complain(a, "the tree in the index is not that of the groups");
	return ERR_OK;
}

enum err_code
store_log_verify(struct store *s, const struct store_watch *w, struct store_report *out, struct err *e)
{
	struct audit a = {.k = {.s = s, .w = w, .report = out}};
	struct index_last last;
	bool stop = false;
	enum err_code r = index_last(&s->index, &last, e);

	*out = (struct store_report){.groups = 0};
	if (r == ERR_OK)
		r = store_log_pub(s, &a.pub, e);
	for (a.n = 1; r == ERR_OK && !stop && a.n <= last.group; a.n++)
		r = audit_group(&a, &stop, e);
	if (r == ERR_OK && !stop)
		r = audit_index(&a, e);
	buf_release(&a.pub);
	return r;
}
