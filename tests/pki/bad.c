/* SPDX-License-Identifier: MIT */
/* Misbehaviour: DIR/misbehave/SERVICE holds a mode and how many requests it
 * still meets. */
#include "tests/pki/pki.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TSA = 1, OCSP = 2, CRL = 4, AIA = 8, ALL = 15 };

static const struct {
	const char *word;
	int where;
	const char *what;
} modes[BAD_MODES] = {
    [BAD_NONE] = {"none", 0, ""},
    [BAD_WRONG_NONCE] = {"wrong-nonce", TSA | OCSP,
	"answers with another nonce"},
    [BAD_NO_NONCE] = {"no-nonce", TSA | OCSP, "leaves the nonce out"},
    [BAD_WRONG_IMPRINT] = {"wrong-imprint", TSA, "stamps another digest"},
    [BAD_EXPIRED_TSA] = {"expired-tsa", TSA,
	"signs with a certificate that has ended"},
    [BAD_REVOKED_TSA] = {"revoked-tsa", TSA,
	"signs with a revoked certificate"},
    [BAD_LATE] = {"late", TSA, "genTime an hour ahead"},
    [BAD_EARLY] = {"early", TSA, "genTime an hour behind"},
    [BAD_NO_CERT] = {"no-cert", TSA, "leaves its certificate out"},
    [BAD_WRONG_ESS] = {"wrong-ess", TSA,
	"signingCertificateV2 names its CA's certificate"},
    [BAD_TWO_SIGNERS] = {"two-signers", TSA, "a token with two SignerInfos"},
    [BAD_REJECTED_TOKEN] = {"rejected-token", TSA,
	"status rejection, and a token all the same"},
    [BAD_ALG] = {"badalg", TSA, "rejects: badAlg"},
    [BAD_STALE_CRL] = {"stale-crl", CRL, "gives the list that has ended"},
    [BAD_DELTA_CRL] = {"delta-crl", CRL, "a delta in the list's place"},
    [BAD_INDIRECT_CRL] = {"indirect-crl", CRL, "says that it is indirect"},
    [BAD_ONLY_CA_CRL] = {"only-ca-crl", CRL, "says that it is for CAs alone"},
    [BAD_FOREIGN_CRL] = {"foreign-crl", CRL, "signs with another CA's key"},
    [BAD_STALE_OCSP] = {"stale-ocsp", OCSP, "an answer of eight days ago"},
    [BAD_WRONG_CERT] = {"wrong-cert", OCSP,
	"an answer about another certificate"},
    [BAD_UNAUTHORISED] = {"unauthorised-responder", OCSP,
	"answers by the delegate of another CA"},
    [BAD_NO_EKU] = {"no-eku", OCSP,
	"answers by a certificate without id-kp-OCSPSigning"},
    [BAD_UNKNOWN] = {"unknown", OCSP, "says unknown"},
    [BAD_TRY_LATER] = {"try-later", TSA | OCSP,
	"status tryLater, or rejection timeNotAvailable"},
    [BAD_HTTP400] = {"http400", ALL, "HTTP 400"},
    [BAD_HTTP404] = {"http404", ALL, "HTTP 404"},
    [BAD_HTTP429] = {"http429", ALL, "HTTP 429, Retry-After: 60"},
    [BAD_HTTP500] = {"http500", ALL, "HTTP 500"},
    [BAD_AWAY] = {"away", ALL, "HTTP 503 for everything"},
    [BAD_SLOW] = {"slow", ALL, "the body octet by octet, one a second"},
    [BAD_CUTOFF] = {"cutoff", ALL, "closes in the middle of the body"},
    [BAD_ENDLESS] = {"endless", ALL, "a body that does not end"},
    [BAD_HTML] = {"html", ALL, "HTTP 200 with a web page"},
    [BAD_EMPTY] = {"empty", ALL, "HTTP 200 and nothing"},
    [BAD_REDIRECT] = {"redirect", ALL, "HTTP 302 to the same address"},
    [BAD_GARBAGE] = {"garbage", ALL,
	"the right type, one octet of the body changed"},
};

static const struct {
	const char *name;
	int kind;
} services[] = {{"tsa1", TSA}, {"tsa2", TSA}, {"tsa3", TSA}, {"ocsp", OCSP},
    {"crl", CRL}, {"aia", AIA}};
#define SERVICES (sizeof(services) / sizeof(services[0]))

const char *
bad_word(enum bad mode)
{
	return modes[mode].word;
}

static enum bad
mode_of(const char *word)
{
	for (enum bad m = BAD_NONE + 1; m < BAD_MODES; m++)
		if (strcmp(modes[m].word, word) == 0)
			return m;
	return BAD_NONE;
}

static int
kind_of(const char *service)
{
	for (size_t i = 0; i < SERVICES; i++)
		if (strcmp(services[i].name, service) == 0)
			return services[i].kind;
	return 0;
}

static enum err_code
store(const char *path, enum bad mode, int count, struct err *e)
{
	AUTO(buf) struct buf text = {0};

	buf_addf(&text, "%s %d\n", modes[mode].word, count);
	if (buf_ok(&text, e) != ERR_OK)
		return e->code;
	return pki_write(path, buf_slice(&text), e);
}

enum bad
bad_take(const struct pki *p, const char *service)
{
	AUTO(mem) char *path = pki_path(p, "misbehave/%s", service);
	AUTO(buf) struct buf text = {0};
	char word[PKI_NAME];
	struct err e;
	enum bad mode;
	int count;

	if (path == NULL || access(path, F_OK) != 0 ||
	    pki_read(path, &text, &e) != ERR_OK ||
	    sscanf(buf_str(&text), "%95s %d", word, &count) != 2)
		return BAD_NONE;
	mode = mode_of(word);
	if (count == 1)
		unlink(path);
	else if (count > 1 && store(path, mode, count - 1, &e) != ERR_OK)
		fprintf(stderr, "testpki: %s\n", e.text);
	return mode;
}

enum err_code
bad_set(const struct pki *p, const char *service, const char *word, int count,
    struct err *e)
{
	enum bad mode = mode_of(word);
	int kind = kind_of(service);
	AUTO(mem) char *path = pki_path(p, "misbehave/%s", service);

	if (path == NULL)
		return err_nomem(e);
	if (kind == 0)
		return err_set(e, ERR_USAGE, "no such service: %s", service);
	if (mode == BAD_NONE || (modes[mode].where & kind) == 0)
		return err_set(
		    e, ERR_USAGE, "%s has no mode %s", service, word);
	return store(path, mode, count, e);
}

enum err_code
bad_clear(const struct pki *p, const char *service, struct err *e)
{
	for (size_t i = 0; i < SERVICES; i++) {
		AUTO(mem)
		char *path = pki_path(p, "misbehave/%s", services[i].name);

		if (path == NULL)
			return err_nomem(e);
		if (service != NULL && strcmp(service, services[i].name) != 0)
			continue;
		if (unlink(path) != 0 && errno != ENOENT)
			return err_errno(e, ERR_IO, errno, "%s", path);
	}
	return ERR_OK;
}

static const char *
where_word(int where)
{
	return where == ALL            ? "all"
	       : where == (TSA | OCSP) ? "tsa, ocsp"
	       : where == TSA          ? "tsa"
	       : where == OCSP         ? "ocsp"
				       : "crl";
}

void
bad_list(void)
{
	for (enum bad m = BAD_NONE + 1; m < BAD_MODES; m++)
		printf("  %-24s %-10s %s\n", modes[m].word,
		    where_word(modes[m].where), modes[m].what);
}
