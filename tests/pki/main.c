/* SPDX-License-Identifier: MIT */
/* testpki: the verbs. docs/testpki.md is their manual. */
#include "tests/pki/pki.h"
#include "tests/pki/sign.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_MAX 32

/* Options of one call: --name value, or a flag with value NULL. */
struct args {
	const char *dir;
	const char *names[OPTIONS_MAX];
	const char *values[OPTIONS_MAX];
	size_t n;
};

struct verb {
	const char *name;
	const char *options; /* " name:" takes a value, " name" is a flag */
	enum err_code (*run)(const struct args *a, struct err *e);
	const char *help;
};

static const char *
opt(const struct args *a, const char *name, const char *otherwise)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->names[i], name) == 0)
			return a->values[i] != NULL ? a->values[i] : "";
	return otherwise;
}

static enum err_code
need(const struct args *a, const char *name, const char **out, struct err *e)
{
	*out = opt(a, name, NULL);
	return *out != NULL ? ERR_OK
			    : err_set(e, ERR_USAGE, "--%s is missing", name);
}

static enum err_code
verb_anchors(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	const struct line *l;

	if (pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; (l = line_at(i)) != NULL; i++)
		if (l->role == ROLE_ROOT)
			printf("%s/trust/%s.pem\n", p->dir, l->name);
	return ERR_OK;
}

static enum err_code
verb_init(const struct args *a, struct err *e)
{
	const char *clock;

	if (need(a, "clock", &clock, e) != ERR_OK ||
	    pki_init(a->dir, clock, atoi(opt(a, "port", "0")),
		atoi(opt(a, "root-crl-months", "0")), e) != ERR_OK)
		return e->code;
	return verb_anchors(a, e);
}

static enum err_code
verb_serve(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;

	if (pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	return serve(
	    p, opt(a, "ready-file", NULL), opt(a, "daemon", NULL) != NULL, e);
}

static enum err_code
verb_stop(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	AUTO(mem) char *path = NULL;
	AUTO(buf) struct buf text = {0};

	if (pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	if ((path = pki_path(p, "serve.pid")) == NULL)
		return err_nomem(e);
	if (pki_read(path, &text, e) != ERR_OK)
		return err_wrap(e, "nothing is served");
	unlink(path);
	if (atol(buf_str(&text)) <= 1 ||
	    kill((pid_t)atol(buf_str(&text)), SIGTERM) != 0)
		return err_set(e, ERR_NOTFOUND, "process %ld is gone",
		    atol(buf_str(&text)));
	return ERR_OK;
}

static enum err_code
verb_issue(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	AUTO(signer) struct signer s = {0};
	const char *name, *out = opt(a, "out", NULL);

	if (need(a, "name", &name, e) != ERR_OK ||
	    pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	if (signer_issue(p, name, opt(a, "key", "ecdsa"), opt(a, "ca", "ca1"),
		atoi(opt(a, "days", "1095")), &s, e) != ERR_OK)
		return e->code;
	if (out != NULL && cert_save(out, s.cert, e) != ERR_OK)
		return e->code;
	printf("%s/ee/%s.crt\n", p->dir, name);
	return ERR_OK;
}

static enum err_code
verb_revoke(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	const struct issued *i;
	const char *name, *at = opt(a, "at", NULL);
	int64_t now, when;

	if (need(a, "name", &name, e) != ERR_OK ||
	    pki_open(a->dir, &p, e) != ERR_OK ||
	    pki_now(p, &now, e) != ERR_OK ||
	    issued_by_name(p, name, &i, e) != ERR_OK)
		return e->code;
	when = now;
	if (at != NULL && !time_parse(at, &when))
		return err_set(e, ERR_USAGE, "not an instant: %s", at);
	/* announced in advance: known from then on */
	return issued_revoke(
	    p, i, when, when > now ? when : now, opt(a, "reason", NULL), e);
}

static enum err_code
verb_forget(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	const struct issued *i;
	const char *name;

	if (need(a, "name", &name, e) != ERR_OK ||
	    pki_open(a->dir, &p, e) != ERR_OK ||
	    issued_by_name(p, name, &i, e) != ERR_OK)
		return e->code;
	return issued_forget(p, i, e);
}

static enum err_code
verb_misbehave(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	const char *service, *mode;

	if (pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	if (opt(a, "clear", NULL) != NULL)
		return bad_clear(p, opt(a, "service", NULL), e);
	if (need(a, "service", &service, e) != ERR_OK ||
	    need(a, "mode", &mode, e) != ERR_OK)
		return e->code;
	return bad_set(p, service, mode, atoi(opt(a, "count", "-1")), e);
}

static enum err_code
verb_sign(const struct args *a, struct err *e)
{
	AUTO(pki) struct pki *p = NULL;
	struct sign_wish w = {
	    .shape = opt(a, "shape", "enveloped"),
	    .level = opt(a, "level", "bes"),
	    .key = opt(a, "key", NULL),
	    .name = opt(a, "name", NULL),
	    .ca = opt(a, "ca", "ca1"),
	    .in = opt(a, "in", NULL),
	    .out = opt(a, "out", NULL),
	    .c14n = opt(a, "c14n", "exc"),
	    .digest = opt(a, "digest", "sha256"),
	    .sig_digest = opt(a, "sig-digest", NULL),
	    .transform = opt(a, "transform", NULL),
	    .encoding = opt(a, "encoding", "UTF-8"),
	    .signing_cert = opt(a, "signing-cert", "v2"),
	    .mime = opt(a, "mime", NULL),
	    .tsa = opt(a, "tsa", "tsa1"),
	    .name2 = opt(a, "name2", NULL),
	    .key2 = opt(a, "key2", NULL),
	    .no_chain = opt(a, "no-cert-chain", NULL) != NULL,
	    .tamper = opt(a, "tamper", NULL) != NULL,
	};

	if (strcmp(opt(a, "xades", "132"), "132") != 0)
		return err_set(e, ERR_USAGE, "--xades: 132 alone is made");
	if (w.out == NULL || w.name == NULL)
		return err_set(e, ERR_USAGE, "--name and --out are needed");
	if (pki_open(a->dir, &p, e) != ERR_OK)
		return e->code;
	return sign_document(p, &w, e);
}

static const struct verb verbs[] = {
    {"init", " clock: port: root-crl-months: ", verb_init,
	"--clock FILE [--port P] [--root-crl-months N]   make or reopen a hierarchy; prints the anchors"},
    {"serve", " ready-file: daemon ", verb_serve,
	"[--ready-file F] [--daemon]   OCSP, CRLs, certificates and TSAs over HTTP"},
    {"stop", " ", verb_stop, "  end what serve --daemon began"},
    {"anchors", " ", verb_anchors, "  print the anchor files"},
    {"issue", " name: key: ca: days: out: ", verb_issue,
	"--name CN [--key KIND] [--ca ca1|ca2] [--days N] [--out CERT.pem]   a signer's certificate"},
    {"revoke", " name: at: reason: ", verb_revoke,
	"--name CN [--at INSTANT] [--reason WORD]"},
    {"forget", " name: ", verb_forget,
	"--name CN   OCSP answers unknown for it"},
    {"misbehave", " service: mode: count: clear ", verb_misbehave,
	"--service S --mode M [--count N] | --clear [--service S]"},
    {"sign",
	" shape: level: key: name: ca: in: out: c14n: digest: sig-digest: transform: xades: encoding: signing-cert: mime: tsa: "
	"name2: key2: no-cert-chain tamper ",
	verb_sign,
	"--name CN --out FILE [--shape S] [--level bes|epes|t|lt|lta] [--key KIND] [--in FILE] ...   docs/testpki.md"},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int
help(void)
{
	printf("usage: testpki VERB DIR [OPTION]...\n\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("testpki %s DIR %s\n", verbs[i].name, verbs[i].help);
	printf(
	    "\nkinds of key: rsa pss rsa4096 rsa2048 ecdsa p384 p521 brainpool brainpool384 ed25519\n");
	sign_help();
	printf("services: tsa1 tsa2 tsa3 ocsp crl aia; modes:\n");
	bad_list();
	return 0;
}

static enum err_code
add_option(
    struct args *a, const struct verb *v, char **argv, int *i, struct err *e)
{
	char wanted[64];
	const char *name = argv[*i] + 2;

	if (strncmp(argv[*i], "--", 2) != 0 || strlen(name) > 40)
		return err_set(e, ERR_USAGE, "not an option: %s", argv[*i]);
	if (a->n == OPTIONS_MAX)
		return err_set(e, ERR_USAGE, "too many options");
	a->names[a->n] = name;
	snprintf(wanted, sizeof(wanted), " %s ", name);
	if (strstr(v->options, wanted) != NULL) {
		a->n++;
		return ERR_OK;
	}
	snprintf(wanted, sizeof(wanted), " %s: ", name);
	if (strstr(v->options, wanted) == NULL)
		return err_set(
		    e, ERR_USAGE, "%s has no option --%s", v->name, name);
	if (argv[*i + 1] == NULL)
		return err_set(e, ERR_USAGE, "--%s wants a value", name);
	a->values[a->n++] = argv[++*i];
	return ERR_OK;
}

static enum err_code
run(int argc, char **argv, struct err *e)
{
	struct args a = {0};
	const struct verb *v = NULL;

	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, argv[1]) == 0)
			v = &verbs[i];
	if (v == NULL)
		return err_set(e, ERR_USAGE, "no such verb: %s", argv[1]);
	if (argc < 3)
		return err_set(
		    e, ERR_USAGE, "testpki %s DIR %s", v->name, v->help);
	a.dir = argv[2];
	for (int i = 3; i < argc; i++)
		if (add_option(&a, v, argv, &i, e) != ERR_OK)
			return e->code;
	return v->run(&a, e);
}

int
main(int argc, char **argv)
{
	struct err e = {0};

	if (argc < 2 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help();
	if (run(argc, argv, &e) == ERR_OK)
		return 0;
	fprintf(stderr, "testpki: %s\n", e.text);
	return e.code == ERR_USAGE ? 64 : e.code == ERR_BUSY ? 75 : 1;
}
