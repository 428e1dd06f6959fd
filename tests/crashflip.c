/* SPDX-License-Identifier: MIT */
#include "tests/crashflip.h"

#include "base/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const fault_name[FAULTS] = {"died", "lost without a word", "octets destroyed", "made worse", "kept back",
    "scrub is blind", "damage not seen", "false alarm"};

/* --- all deposits, in one row --- */

static struct deposit {
	int g, i;
	struct buf octets;
	uint8_t sha256[32];
	char key[32];
} deposits[DEPOSITS_MAX];
static int n_deposits;

/* Made once, before any process is forked. */
static void
make_deposits(void)
{
	struct deposit *p;
	int g, i;

	if (n_deposits != 0)
		return;
	for (g = 0; g < GROUPS; g++)
		for (i = 0; i < deposits_of(g); i++) {
			assert_true(n_deposits < DEPOSITS_MAX);
			p = &deposits[n_deposits++];
			p->g = g;
			p->i = i;
			octets_of(g, i, &p->octets);
			row_key(g, i, p->key);
			assert_int_equal(digest_sha256(buf_slice(&p->octets), p->sha256, NULL), ERR_OK);
		}
}

/* --- a state --- */

void
flip_release(struct flipped *x)
{
	int n;

	image_clear(&x->image);
	for (n = 0; n < DEPOSITS_MAX; n++)
		buf_release(&x->keep[n]);
}

/* Index and ops beside the segments: of the last group; older, as only an end that was not clean leaves them; none. */
static void
add_kv(struct flipped *x, const struct heard *h, const char *ack, char word[40])
{
	uint64_t kind = dice(x->seed, 1) % 4;
	int g = GROUPS;
	bool older;
	char path[400];

	snprintf(word, 40, "no index");
	if (kind == 0 || !h->any)
		return;
	if (!h->closed)
		for (g = GROUPS - 1; !h->acked[g]; g--)
			;
	older = kind == 1 && g < GROUPS && image_find(&x->image, "dirty") != NULL;
	if (older)
		g = (int)(dice(x->seed, 2) % (uint64_t)(g + 1));
	snprintf(word, 40, "index of group %d%s", g, older ? ", an older one" : "");
	kv_path(ack, g, path);
	image_load(&x->image, path);
}

/* What of each deposit is on the disk before and after the blow. */
static void
keep_octets(struct flipped *x)
{
	int n, file[DEPOSITS_MAX];
	char path[DEPOSITS_MAX][200] = {""};
	size_t at[DEPOSITS_MAX] = {0}, ignored;

	for (n = 0; n < n_deposits; n++) {
		buf_clear(&x->keep[n]);
		buf_addslice(&x->keep[n], buf_slice(&deposits[n].octets));
		file[n] = image_search(&x->image, buf_slice(&x->keep[n]), &at[n]);
		if (file[n] >= 0)
			memcpy(path[n], x->image.v[file[n]].path, sizeof(path[n]));
	}
	if (x->blow.kind != UNHURT)
		blow_strike(&x->image, &x->blow);
	for (n = 0; n < n_deposits; n++) {
		const struct image_file *f = file[n] >= 0 ? image_find(&x->image, path[n]) : NULL;

		x->sound[n] = file[n] >= 0 && image_search(&x->image, buf_slice(&x->keep[n]), &ignored) >= 0;
		if (x->sound[n])
			continue;
		ignored = x->keep[n].n;
		buf_clear(&x->keep[n]);
		if (f != NULL && at[n] + ignored <= f->octets.n)
			buf_add(&x->keep[n], f->octets.p + at[n], ignored);
	}
}

/* Mostly one octet, as asked for; the rest is rare. */
static enum damage
choose_damage(uint64_t seed)
{
	static const enum damage rare[] = {SECTOR_ZERO, FILE_GONE, FLIP_TWICE, FLIP_TWINS, UNHURT};
	uint64_t k = dice(seed, 3) % 20;

	return k < 5 ? rare[k] : FLIP;
}

bool
flip_make(struct flipped *x, const struct disk *d, const struct heard *h, const char *ack, const char *built, uint64_t seed,
    uint64_t q)
{
	static const char *const variant[VARIANTS] = {"as after a kill", "what was synced", "names without octets",
	    "last write torn", "zeros", "some sectors", "some files", "a sector missing"};
	enum variant v;
	char word[40];

	make_deposits();
	x->number = q;
	x->seed = dice(seed, 100) + q;
	v = (enum variant)(dice(x->seed, 4) % VARIANTS);
	memcpy(x->acked, h->acked, sizeof(x->acked));
	image_clear(&x->image);
	lab_clear(built);
	mkdir(built, 0700);
	disk_build(d, v, (uint32_t)x->seed, built);
	image_load(&x->image, built);
	if (image_find(&x->image, "segments") == NULL)
		return false;
	add_kv(x, h, ack, word);
	x->committed = h->op->op == 'A';
	snprintf(x->disk, sizeof(x->disk), "after %c %.40s, %s, %s", h->op->op, h->op->path, variant[v], word);
	x->blow.kind = choose_damage(x->seed);
	snprintf(x->told, sizeof(x->told), "no damage");
	if (x->blow.kind != UNHURT && !blow_choose(&x->image, x->blow.kind, q, x->seed, &x->blow))
		return false;
	if (x->blow.kind != UNHURT)
		blow_tell(&x->image, &x->blow, x->told);
	keep_octets(x);
	return true;
}

/* --- verbs --- */

/* LOOK: status, list and get of each record, which are asked after every other verb too. */
enum verb { LOOK, RUN, REBUILD, SCRUB, LOG, VERBS };
enum condition { AS_IS, OTHER_BOOT, NO_INDEX };
static const char *const verb_name[VERBS] = {"status and get", "run", "rebuild", "scrub", "log verify"};
const struct flip_try_kind flip_tries[] = {{"status and get", LOOK, AS_IS}, {"run", RUN, AS_IS}, {"rebuild", REBUILD, AS_IS},
    {"scrub", SCRUB, AS_IS}, {"run after another boot", RUN, OTHER_BOOT}, {"run without the index", RUN, NO_INDEX},
    {"status without the index", LOOK, NO_INDEX}};
const int flip_n_tries = sizeof(flip_tries) / sizeof(flip_tries[0]);

/* An error's text ends with its cause. */
static void
end_of(const struct err *e, char out[150])
{
	size_t n = strlen(e->text);

	snprintf(out, 150, "%s", e->text + (n > 115 ? n - 115 : 0));
}

/* What one open of the store said. */
struct answer {
	enum err_code code;
	uint64_t told, mended; /* damages and alarms; what was mended */
	char text[150];
};

/* The alarm lasts: every later status tells it. *mended: what cost nothing, and is told too. */
static uint64_t
alarms(struct store *s, uint64_t *mended)
{
	struct store_status st;

	if (store_status(s, &st, NULL) != ERR_OK)
		return 1;
	*mended = st.lost_mended;
	return st.lost_alarms + st.aside_failed;
}

static void
first_damage(void *ctx, const struct store_damage *d)
{
	struct answer *a = ctx;

	if (a->text[0] == 0)
		snprintf(a->text, sizeof(a->text), "%.40s at %llu: %.80s", d->segment, (unsigned long long)d->offset_bytes, d->what);
}

static void
do_verb(enum verb v, int turn, const char *dir, struct answer *a)
{
	const struct store_seams sm = work_seams();
	const struct store_watch w = {.damage = first_damage, .ctx = a};
	struct store_report rep = {.damaged = 0};
	struct store *s = NULL;
	struct err e = {0};
	bool at_commit;

	*a = (struct answer){.code = ERR_OK};
	if (v == LOOK)
		return;
	if (v == REBUILD)
		a->code = store_rebuild(dir, &sm, &e);
	else
		a->code = store_open(dir, v == RUN ? STORE_WRITE : STORE_READ, &sm, &s, &e);
	if (a->code == ERR_OK && s != NULL)
		a->told = alarms(s, &a->mended);
	if (a->code == ERR_OK && v == RUN)
		a->code = one_group(s, 50 + turn, &at_commit, &e);
	if (a->code == ERR_OK && v == SCRUB)
		a->code = store_scrub(s, true, &w, &rep, &e);
	if (a->code == ERR_OK && v == LOG)
		a->code = store_log_verify(s, &w, &rep, &e);
	if (s != NULL && store_close(s, a->code == ERR_OK ? &e : NULL) != ERR_OK && a->code == ERR_OK)
		a->code = e.code;
	a->told += rep.damaged + rep.alarms;
	if (a->code != ERR_OK)
		end_of(&e, a->text);
}

/* --- what must be true after each --- */

enum class { OUT, DAMAGED, CLOSED, ABSENT };
struct look {
	enum err_code open;
	uint64_t alarms, mended;
	enum class class[DEPOSITS_MAX];
	char text[150];
};

static enum class
look_at(struct store *s, int n)
{
	const struct deposit *p = &deposits[n];
	AUTO(buf) struct buf got = {0};
	AUTO(buf) struct buf row = {0};
	enum err_code r = store_get_row(s, "deposit", slice_str(p->key), &row, NULL);

	if (r == ERR_OK && !slice_eq(buf_slice(&row), slice_of(p->sha256, 32)))
		return ABSENT;
	if (r == ERR_OK)
		r = store_get_bytes(s, p->sha256, 100000, &got, NULL);
	if (r == ERR_OK)
		return slice_eq(buf_slice(&got), buf_slice(&p->octets)) ? OUT : ABSENT;
	return r == ERR_NOTFOUND ? ABSENT : DAMAGED;
}

/* As `list` and `get` of every record. */
static void
look_all(const char *dir, struct look *l)
{
	const struct store_seams sm = work_seams();
	struct store *s = NULL;
	struct err e = {0};
	int n;

	*l = (struct look){.open = store_open(dir, STORE_READ, &sm, &s, &e)};
	end_of(&e, l->text);
	if (l->open == ERR_OK)
		l->alarms = alarms(s, &l->mended);
	for (n = 0; n < n_deposits; n++)
		l->class[n] = l->open == ERR_OK ? look_at(s, n) : CLOSED;
	store_close(s, NULL);
}

static void
fault(struct result *r, enum fault f, int n, const char *why)
{
	char deposit[32] = "";

	if ((r->faults & 1u << f) != 0)
		return;
	r->faults |= 1u << f;
	if (n >= 0)
		snprintf(deposit, sizeof(deposit), "deposit %s ", deposits[n].key);
	snprintf(r->text[f], sizeof(r->text[f]), "after %s: %s%.120s", r->step, deposit, why);
}

static bool
in_folder(const char *dir, struct slice octets, struct image *after)
{
	size_t at;

	if (image_find(after, "segments") == NULL)
		image_load(after, dir);
	return image_search(after, octets, &at) >= 0;
}

/* Keys and FORMAT stand once: an archive without them may refuse, but tells. */
static bool
must_come_out(const struct flipped *x)
{
	const char *t = x->told;

	return x->blow.kind == UNHURT || (x->blow.kind < FLIP_TWICE && strstr(t, "FORMAT") == NULL && strstr(t, "log.") == NULL);
}

static void
check_deposit(const struct flipped *x, const char *dir, const struct look *l, int n, struct image *after, struct result *r)
{
	static const char *const word[] = {"", "is told as damaged", "is behind an archive that does not open", "is not there"};

	if (l->class[n] == OUT)
		return;
	if (l->class[n] == ABSENT && l->alarms == 0)
		fault(r, UNTOLD, n, word[ABSENT]);
	if (x->keep[n].n != 0 && !in_folder(dir, buf_slice(&x->keep[n]), after))
		fault(r, DESTROYED, n, word[l->class[n]]);
	if (x->sound[n] && must_come_out(x))
		fault(r, KEPT_BACK, n, l->open != ERR_OK ? l->text : word[l->class[n]]);
}

/* What lies in lost/ is told by every status. */
static void
check_lost(const char *dir, const struct look *l, struct image *after, struct result *r)
{
	char lost[400];

	snprintf(lost, sizeof(lost), "%s/lost", dir);
	if (access(lost, F_OK) != 0 || l->open != ERR_OK)
		return;
	image_load(after, dir);
	if (image_lost(after, "\"alarm\":true") != 0 && l->alarms == 0)
		fault(r, UNTOLD, -1, "an alarm in lost/ is not told by status");
	if (image_lost(after, "\"kind\":\"mended\"") != 0 && l->mended == 0)
		fault(r, UNTOLD, -1, "what was mended is not told by status");
}

/* What came out by an earlier look comes out by this one. */
static void
check_look(const struct flipped *x, const char *dir, struct seen *seen, struct look *l, struct result *r)
{
	struct image *after = mem_new(1, sizeof(*after)); /* the folder, read when something is missing */
	int n;

	if (after == NULL)
		_exit(7);
	look_all(dir, l);
	check_lost(dir, l, after, r);
	for (n = 0; n < n_deposits; n++) {
		if (x->acked[deposits[n].g])
			check_deposit(x, dir, l, n, after, r);
		if (seen->any && seen->out[n] && l->class[n] != OUT)
			fault(r, WORSE, n, l->open != ERR_OK ? l->text : "came out before");
		seen->out[n] = seen->out[n] || l->class[n] == OUT;
	}
	image_clear(after);
	free(after);
	seen->any = true;
	if (x->blow.kind == UNHURT && (l->open != ERR_OK || l->alarms != 0) && x->acked[0])
		fault(r, FALSE_ALARM, -1, l->open != ERR_OK ? l->text : "an alarm");
}

/* After an operator said that it is known: no octets may go, what came out comes out. */
static void
check_octets(const struct flipped *x, const char *dir, struct seen *seen, struct look *l, struct result *r)
{
	struct result all = *r;
	const unsigned counts = 1u << DIED | 1u << DESTROYED | 1u << WORSE;
	int f;

	all.faults = 0;
	check_look(x, dir, seen, l, &all);
	for (f = 0; f < FAULTS; f++)
		if ((counts & all.faults & ~r->faults & 1u << f) != 0)
			memcpy(r->text[f], all.text[f], sizeof(r->text[f]));
	r->faults |= all.faults & counts;
}

static void
add_step(struct result *r, const char *name)
{
	size_t n = strlen(r->step);

	snprintf(r->step + n, sizeof(r->step) - n, "%s%s", n > 0 ? ", " : "", name);
}

/* At the end somebody who looks at everything must see that something is missing. */
static void
check_scrub(const struct flipped *x, const char *dir, const struct look *l, struct result *r)
{
	struct answer a, b;
	int n, missing = -1;

	for (n = 0; n < n_deposits; n++) {
		if (!x->acked[deposits[n].g])
			continue;
		r->whole += l->class[n] == OUT;
		r->told += l->class[n] == DAMAGED;
		r->closed += l->class[n] == CLOSED;
		if (l->class[n] != OUT)
			missing = n;
	}
	if (missing < 0)
		return;
	do_verb(SCRUB, 0, dir, &a);
	do_verb(LOG, 0, dir, &b);
	if (a.code == ERR_OK && b.code == ERR_OK && a.told + b.told + l->alarms == 0)
		fault(r, BLIND, missing, "does not come out");
}

/* --- an operator's word --- */

static enum err_code
acknowledge_one(void *ctx, const struct store_lost *l, struct err *e)
{
	return store_lost_acknowledge(ctx, l->id, "operator", e);
}

/* Acknowledged: the alarms end, the octets stay. */
static void
check_acknowledge(const struct flipped *x, const char *dir, struct seen *seen, struct result *r)
{
	const struct store_seams sm = work_seams();
	struct store *s = NULL;
	struct err e = {0};
	struct look l;
	enum err_code c = store_open(dir, STORE_READ, &sm, &s, &e);

	add_step(r, "acknowledge");
	if (c == ERR_OK)
		c = store_lost(s, &(struct store_lost_each){acknowledge_one, s}, &e);
	store_close(s, NULL);
	check_octets(x, dir, seen, &l, r);
	if (c != ERR_OK || l.alarms != 0)
		fault(r, FALSE_ALARM, -1, c != ERR_OK ? e.text : "an alarm that does not end");
}

/* Refused because a later group was known: with the operator's word it opens, and all octets are there. */
static void
check_accept(const struct flipped *x, const char *dir, const struct look *was, struct seen *seen, struct result *r)
{
	const struct store_seams sm = work_seams();
	const char *p = strstr(was->text, "--accept-loss ");
	unsigned long group = p != NULL ? strtoul(p + 14, NULL, 10) : 0;
	struct err e = {0};
	struct look l;
	enum err_code c;

	if (group == 0)
		return;
	add_step(r, "rebuild --accept-loss");
	c = store_rebuild_accept(dir, group, &sm, &e);
	check_octets(x, dir, seen, &l, r);
	if (c != ERR_OK || l.open != ERR_OK)
		fault(r, KEPT_BACK, -1, c != ERR_OK ? e.text : l.text);
}

/* A full scrub must see damage of what is no mere copy. */
static void
check_seen(const struct flipped *x, const struct answer *a, struct result *r)
{
	static const char *const copies[] = {" index", " ops", " dirty", " newest", " lock"};
	bool derived = false;
	size_t i;

	for (i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		derived |= strstr(x->told, copies[i]) != NULL;
	if (x->committed && x->blow.kind != UNHURT && !derived && a->code == ERR_OK && a->told + a->mended == 0)
		fault(r, UNSEEN, -1, "all is well");
	if (x->blow.kind == UNHURT && x->acked[0] && (a->code != ERR_OK || a->told != 0))
		fault(r, FALSE_ALARM, -1, a->text);
}

static void
set_condition(const struct flipped *x, enum condition c, const char *dir)
{
	image_write(&x->image, dir, c == NO_INDEX ? "index" : NULL);
	if (c == OTHER_BOOT)
		write_whole(dir, "dirty", slice_str("00000000-0000-4000-8000-000000000000\n"));
}

void
flip_try(const struct flipped *x, int k, const char *dir, const struct seen *before, struct result *r)
{
	struct seen seen = {.any = false};
	struct answer a;
	struct look l;
	int turn;

	if (before != NULL)
		seen = *before;
	set_condition(x, (enum condition)flip_tries[k].condition, dir);
	for (turn = 0; turn < 2; turn++) {
		enum verb v = turn == 0 ? (enum verb)flip_tries[k].verb : (enum verb)(1 + dice(x->seed, 30 + (unsigned)k) % (VERBS - 1));

		add_step(r, turn == 0 ? flip_tries[k].name : verb_name[v]);
		do_verb(v, turn, dir, &a);
		check_look(x, dir, &seen, &l, r);
		if (turn == 0)
			r->first = seen;
		if (turn == 0 && v == SCRUB)
			check_seen(x, &a, r);
	}
	check_scrub(x, dir, &l, r);
	if (l.open == ERR_OK && l.alarms != 0)
		check_acknowledge(x, dir, &seen, r);
	if (l.open != ERR_OK)
		check_accept(x, dir, &l, &seen, r);
}
