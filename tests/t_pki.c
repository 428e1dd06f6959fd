/* SPDX-License-Identifier: MIT */
/* Certificates and chains: what is read, who signed what, which ways lead to an anchor. */
#include "tests/mini_ca.h"

#include <stdio.h>

static struct pki *
fresh(void)
{
	struct err e = {0};
	struct pki *p = NULL;

	OK(pki_new(&p, &e));
	return p;
}

/* ---- certificates ---- */

static void
certificate_facts(void **state)
{
	AUTO(pki) struct pki *p = fresh();
	AUTO(who) struct who root = mini_cert(p, (struct spec){.name = "Root", .ca = true, .ext = {NULL}});
	AUTO(who) struct who tsa = mini_cert(p, (struct spec){.name = "TSA", .issuer = &root, .key = "p256", .serial = 0x80, .ext = {
	    "extendedKeyUsage=critical,timeStamping", "keyUsage=critical,digitalSignature,nonRepudiation",
	    "authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:http://i.test/ca.crt,OCSP;URI:http://o2.test/",
	    "crlDistributionPoints=URI:http://c.test/1.crl,URI:http://c.test/2.crl", "noCheck=ignored",
	    "1.3.6.1.4.1.99999.1=DER:0500", NULL}});
	const struct cert *c = tsa.cert;
	AUTO(mem) char *issuer = pki_name_text(c->issuer);

	(void)state;
	assert_string_equal(c->subject_text, "CN=TSA");
	assert_string_equal(issuer, "CN=Root");
	assert_int_equal(c->not_before, NOW - YEAR);
	assert_int_equal(c->not_after, NOW + YEAR);
	assert_true(slice_eq(c->serial, slice_of("\0\x80", 2)));
	assert_true(c->has_eku && c->eku_critical && c->eku == EKU_TIMESTAMPING && c->eku_count == 1);
	assert_true(c->has_key_usage);
	assert_int_equal(c->key_usage, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
	assert_int_equal(c->ocsp_urls.n, 2);
	assert_string_equal(c->ocsp_urls.v[1], "http://o2.test/");
	assert_int_equal(c->issuer_urls.n, 1);
	assert_int_equal(c->crl_urls.n, 2);
	assert_true(c->ocsp_nocheck && !c->unknown_critical && !c->is_ca && c->path_len == -1 && !c->self_issued);
	assert_true(slice_eq(c->aki, root.cert->ski));
	assert_int_equal(c->own_key.key, KEY_ECDSA);
	assert_int_equal(c->own_key.key_bits, 256);
	assert_int_equal(c->signed_with.key, KEY_RSA);
	assert_int_equal(c->signed_with.digest, DIGEST_SHA256);
	assert_int_equal(c->signed_with.key_bits, 0);
	assert_int_equal(pki_cert_alg(c, root.cert).key_bits, 2048);
	assert_true(pki_self_signed(root.cert) && root.cert->is_ca);
	assert_int_equal(EVP_PKEY_eq(pki_key(c), tsa.key), 1);
	assert_int_equal(X509_cmp(pki_x509(c), tsa.x509), 0);
}

static void
each_is_decoded_once_and_whole(void **state)
{
	AUTO(pki) struct pki *p = fresh();
	AUTO(who) struct who root = mini_cert(p, (struct spec){.name = "Root", .ca = true, .ext = {NULL}});
	AUTO(buf) struct buf longer = {0};
	const struct cert *again, *c;
	struct err e = {0};

	(void)state;
	OK(pki_cert(p, root.cert->der, &again, &e));
	assert_ptr_equal(again, root.cert);
	buf_addslice(&longer, root.cert->der);
	buf_add8(&longer, 0);
	assert_int_equal(pki_cert(p, buf_slice(&longer), &c, &e), ERR_FORMAT);
	assert_null(c);
	assert_int_equal(pki_cert(p, (struct slice){0}, &c, &e), ERR_FORMAT);
}

static void
unknown_critical_extensions(void **state)
{
	static const struct {
		const char *ext;
		bool want;
	} rows[] = {
	    {"1.3.6.1.4.1.99999.1=critical,DER:0500", true},
	    {"1.3.6.1.4.1.99999.1=DER:0500", false},
	    {"1.3.6.1.5.5.7.1.3=critical,DER:3000", false}, /* qcStatements */
	    {"2.5.29.19=critical,DER:0500", true},	    /* basicConstraints that can't be read */
	    {"2.5.29.37=DER:0500", true},		    /* and extKeyUsage, critical or not */
	    {"1.3.6.1.5.5.7.1.1=DER:0500", false},	    /* an unreadable pointer is merely not there */
	    {"2.5.29.16=DER:0500", false},
	    {"2.5.29.31=critical,DER:0500", true},
	    {"2.5.29.14=DER:040102", true},		    /* a second subjectKeyIdentifier */
	    {"0.4.0.194121.2.1=DER:0500", false},
	};
	AUTO(pki) struct pki *p = fresh();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(who) struct who w = mini_cert(p, (struct spec){.name = "X", .key = "p256", .ext = {rows[i].ext, NULL}});

		if (w.cert->unknown_critical != rows[i].want)
			fail_msg("%s", rows[i].ext);
	}
}

static void
every_scheme_verifies(void **state)
{
	static const struct {
		const char *key, *digest;
		bool pss;
		enum key_kind kind;
		enum digest_alg alg;
		unsigned bits;
	} rows[] = {
	    {"rsa", "SHA256", false, KEY_RSA, DIGEST_SHA256, 2048},
	    {"rsa1024", "SHA1", false, KEY_RSA, DIGEST_SHA1, 1024},
	    {"rsa1024", "MD5", false, KEY_RSA, DIGEST_MD5, 1024},
	    {"rsa", "SHA3-384", false, KEY_RSA, DIGEST_SHA3_384, 2048},
	    {"rsa", "SHA512", true, KEY_RSA_PSS, DIGEST_SHA512, 2048},
	    {"rsa", "SHA1", true, KEY_RSA_PSS, DIGEST_SHA1, 2048},
	    {"rsapss", "SHA256", true, KEY_RSA_PSS, DIGEST_SHA256, 2048},
	    {"p256", "SHA256", false, KEY_ECDSA, DIGEST_SHA256, 256},
	    {"p521", "SHA512", false, KEY_ECDSA, DIGEST_SHA512, 521},
	    {"brainpool", "SHA384", false, KEY_ECDSA, DIGEST_SHA384, 384},
	    {"ed25519", NULL, false, KEY_ED25519, DIGEST_NONE, 256},
	    {"ed448", NULL, false, KEY_ED448, DIGEST_NONE, 456},
	    {"dsa", "SHA256", false, KEY_DSA, DIGEST_SHA256, 1024},
	};
	AUTO(pki) struct pki *p = fresh();
	AUTO(who) struct who other = mini_cert(p, (struct spec){.name = "CA", .key = "p256", .ca = true, .ext = {NULL}});
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(who) struct who ca = mini_cert(p, (struct spec){.name = "CA", .key = rows[i].key, .digest = rows[i].digest, .pss = rows[i].pss, .ca = true, .ext = {NULL}});
		AUTO(who) struct who w = mini_cert(p, (struct spec){.name = "leaf", .issuer = &ca, .key = "p256", .digest = rows[i].digest, .pss = rows[i].pss, .ext = {NULL}});
		struct alg_use use = pki_cert_alg(w.cert, ca.cert);

		if (!pki_signed_by(p, w.cert, ca.cert) || !pki_signed_by(p, w.cert, ca.cert) || !pki_self_signed(ca.cert) ||
		    pki_signed_by(p, w.cert, other.cert) || pki_signed_by(p, w.cert, w.cert))
			fail_msg("row %zu: who signed", i);
		if (use.key != rows[i].kind || use.digest != rows[i].alg || use.key_bits != rows[i].bits ||
		    (rows[i].pss && use.mgf != rows[i].alg) || EVP_PKEY_eq(pki_key(ca.cert), ca.key) != 1)
			fail_msg("row %zu: algorithm", i);
	}
}

static void
names_compare_folded(void **state)
{
	static const struct {
		const char *a, *b;
		int type_b;
		bool same;
	} rows[] = {
	    {"Some CA", "SOME  ca", V_ASN1_PRINTABLESTRING, true},
	    {"Some CA", " Some CA ", V_ASN1_UTF8STRING, true},
	    {"Some CA", "Some CA", V_ASN1_BMPSTRING, true},
	    {"Some CA", "SomeCA", V_ASN1_UTF8STRING, false},
	    {"Some CA", "Some CB", V_ASN1_UTF8STRING, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		X509_NAME *a = X509_NAME_new(), *b = X509_NAME_new();
		unsigned char *da = NULL, *db = NULL, wide[64];
		const char *text = rows[i].b;
		int n = (int)strlen(text), j;
		struct slice sa, sb;

		for (j = 0; j < n; j++) {
			wide[2 * j] = 0;
			wide[2 * j + 1] = (unsigned char)text[j];
		}
		assert_int_equal(X509_NAME_add_entry_by_txt(a, "CN", V_ASN1_UTF8STRING, (const unsigned char *)rows[i].a, -1, -1, 0), 1);
		assert_int_equal(rows[i].type_b == V_ASN1_BMPSTRING ?
			X509_NAME_add_entry_by_txt(b, "CN", rows[i].type_b, wide, 2 * n, -1, 0) :
			X509_NAME_add_entry_by_txt(b, "CN", rows[i].type_b, (const unsigned char *)text, n, -1, 0), 1);
		sa = mini_der(i2d_X509_NAME(a, &da), &da);
		sb = mini_der(i2d_X509_NAME(b, &db), &db);
		if (pki_name_eq(sa, sb) != rows[i].same || (rows[i].same && name_hash(sa) != name_hash(sb)))
			fail_msg("%s | %s", rows[i].a, rows[i].b);
		OPENSSL_free(da);
		OPENSSL_free(db);
		X509_NAME_free(a);
		X509_NAME_free(b);
	}
}

static void
mutations_are_refused_or_harmless(void **state)
{
	AUTO(pki) struct pki *p = fresh();
	AUTO(who) struct who ca = mini_cert(p, (struct spec){.name = "CA", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who w = mini_cert(p, (struct spec){.name = "leaf", .issuer = &ca, .key = "p256", .ext = {
	    "crlDistributionPoints=URI:http://c.test/1.crl", "extendedKeyUsage=critical,timeStamping", NULL}});
	AUTO(mem) uint8_t *copy = NULL;
	const struct cert *c;
	struct err e = {0};
	size_t n = w.cert->der.n, i;

	(void)state;
	for (i = 0; i < n; i++) {
		AUTO(mem) uint8_t *prefix = malloc(i + 1);

		memcpy(prefix, w.cert->der.p, i);
		assert_int_equal(pki_cert(p, slice_of(prefix, i), &c, &e), ERR_FORMAT);
	}
	for (i = 0; i < n * 8; i++) {
		free(copy);
		copy = malloc(n);
		memcpy(copy, w.cert->der.p, n);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (pki_cert(p, slice_of(copy, n), &c, &e) == ERR_OK && pki_signed_by(p, c, ca.cert))
			fail_msg("bit %zu flipped, still signed", i);
	}
}

static void
pem_and_base64(void **state)
{
	AUTO(pki) struct pki *p = fresh();
	AUTO(who) struct who ca = mini_cert(p, (struct spec){.name = "CA", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(buf) struct buf text = {0}, out = {0};
	struct err e = {0};

	(void)state;
	buf_adds(&text, "Bag Attributes\n-----BEGIN CERTIFICATE-----\n");
	buf_addbase64(&text, ca.cert->der);
	buf_adds(&text, "\n-----END CERTIFICATE-----\n");
	OK(pki_pem_to_der(buf_slice(&text), "CERTIFICATE", &out, &e));
	assert_true(slice_eq(buf_slice(&out), ca.cert->der));
	buf_clear(&out);
	assert_int_equal(pki_pem_to_der(buf_slice(&text), "X509 CRL", &out, &e), ERR_FORMAT);
	buf_clear(&out);
	buf_clear(&text);
	buf_addbase64(&text, ca.cert->der);
	OK(pki_pem_to_der(buf_slice(&text), "CERTIFICATE", &out, &e));
	buf_clear(&out);
	OK(pki_pem_to_der(ca.cert->der, "CERTIFICATE", &out, &e));
	assert_true(slice_eq(buf_slice(&out), ca.cert->der));
	buf_clear(&out);
	assert_int_equal(pki_pem_to_der(slice_str("<html>"), "CERTIFICATE", &out, &e), ERR_FORMAT);
	assert_int_equal(pki_pem_to_der(slice_str(""), "CERTIFICATE", &out, &e), ERR_FORMAT);
}

/* ---- chains ---- */

struct world {
	struct pki *p;
	struct pool pool;
	struct anchors *anchors;
};

static struct world
world_new(void)
{
	struct world w = {.p = fresh()};
	struct err e = {0};

	pool_init(&w.pool, w.p);
	OK(anchors_new(&w.anchors, &e));
	return w;
}

static void
world_auto(struct world *w)
{
	pool_release(&w->pool);
	anchors_free(w->anchors);
	pki_free(w->p);
}

static void
add(struct world *w, const struct who *who)
{
	struct err e = {0};

	OK(pool_add_cert(&w->pool, who->cert, &e));
}

static void
trust(struct world *w, const struct who *who, unsigned roles, int64_t sunset)
{
	struct err e = {0};

	OK(anchors_add(w->anchors, who->cert->der, roles, sunset, "test", &e));
}

/* "leaf<CA<Root" for each chain, '*' after the anchor, joined by blanks. */
static const char *
chains(struct world *w, const struct cert *target, unsigned roles, char *out, size_t room)
{
	AUTO(mem) struct chain *found = NULL;
	struct err e = {0};
	struct chain partial;
	size_t n, i, j, used = 0;

	OK(pool_chains(&w->pool, target, w->anchors, roles, &found, &n, &partial, &e));
	out[0] = '\0';
	for (i = 0; i < n; i++) {
		for (j = 0; j < found[i].n; j++)
			used += (size_t)snprintf(out + used, room - used, "%s%s", j > 0 ? "<" : i > 0 ? " " : "", found[i].v[j]->subject_text + 3);
		assert_non_null(found[i].anchor);
		used += (size_t)snprintf(out + used, room - used, "*");
	}
	if (n == 0)
		for (j = 0; j < partial.n; j++)
			used += (size_t)snprintf(out + used, room - used, "%s%s", j > 0 ? "<" : "", partial.v[j]->subject_text + 3);
	return out;
}

static void
chains_simple(void **state)
{
	AUTO(world) struct world w = world_new();
	AUTO(who) struct who root = mini_cert(w.p, (struct spec){.name = "Root", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who ca = mini_cert(w.p, (struct spec){.name = "CA", .issuer = &root, .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who leaf = mini_cert(w.p, (struct spec){.name = "leaf", .issuer = &ca, .key = "p256", .ext = {NULL}});
	char text[400];

	(void)state;
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf");
	add(&w, &ca);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<CA");
	trust(&w, &root, ROLE_TSA, TIME_MAX);
	pool_release(&w.pool);
	add(&w, &ca);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<CA<Root");
	assert_string_equal(chains(&w, leaf.cert, ROLE_TSA, text, sizeof(text)), "leaf<CA<Root*");
	assert_string_equal(chains(&w, root.cert, ROLE_TSA, text, sizeof(text)), "Root*");
}

static void
chains_anchor_kinds(void **state)
{
	AUTO(world) struct world w = world_new();
	AUTO(who) struct who root = mini_cert(w.p, (struct spec){.name = "Root", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who ca = mini_cert(w.p, (struct spec){.name = "CA", .issuer = &root, .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who leaf = mini_cert(w.p, (struct spec){.name = "leaf", .issuer = &ca, .key = "p256", .ext = {NULL}});
	char text[400];

	(void)state;
	/* an intermediate CA that is trusted ends the chain; with a sunset the way above it is told too */
	trust(&w, &ca, ROLE_SIGNER, TIME_MAX);
	trust(&w, &root, ROLE_SIGNER, TIME_MAX);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<CA*");
	pool_release(&w.pool);
	trust(&w, &ca, ROLE_SIGNER, NOW);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<CA* leaf<CA<Root*");
	pool_release(&w.pool);
	trust(&w, &leaf, ROLE_SIGNER, TIME_MAX);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf*");
}

static void
chains_cross_and_rekeyed(void **state)
{
	AUTO(world) struct world w = world_new();
	AUTO(who) struct who one = mini_cert(w.p, (struct spec){.name = "One", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who two = mini_cert(w.p, (struct spec){.name = "Two", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who one_by_two = mini_cert(w.p, (struct spec){.name = "One", .issuer = &two, .reuse = one.key, .ca = true, .ext = {NULL}});
	AUTO(who) struct who two_by_one = mini_cert(w.p, (struct spec){.name = "Two", .issuer = &one, .reuse = two.key, .ca = true, .ext = {NULL}});
	AUTO(who) struct who one_new = mini_cert(w.p, (struct spec){.name = "One", .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who leaf = mini_cert(w.p, (struct spec){.name = "leaf", .issuer = &one, .key = "p256", .ext = {NULL}});
	char text[400];

	(void)state;
	add(&w, &one_new); /* same name, other key: never in a chain */
	add(&w, &one_by_two);
	add(&w, &two_by_one); /* the loop One < Two < One is cut */
	trust(&w, &one, ROLE_SIGNER, TIME_MAX);
	trust(&w, &two, ROLE_SIGNER, TIME_MAX);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<One* leaf<One<Two*");
	/* the same whatever the order in which they came */
	pool_release(&w.pool);
	add(&w, &two_by_one);
	add(&w, &one_by_two);
	add(&w, &one_by_two);
	add(&w, &one_new);
	assert_int_equal(w.pool.n_certs, 3);
	assert_string_equal(chains(&w, leaf.cert, ROLE_SIGNER, text, sizeof(text)), "leaf<One* leaf<One<Two*");
}

static void
chains_are_bounded(void **state)
{
	AUTO(world) struct world w = world_new();
	struct who line[14] = {{0}};
	char name[14][8], text[400];
	size_t i;

	(void)state;
	for (i = 0; i < 14; i++) {
		snprintf(name[i], sizeof(name[i]), "c%zu", i);
		line[i] = mini_cert(w.p, (struct spec){.name = name[i], .issuer = i > 0 ? &line[i - 1] : NULL, .key = "p256", .ca = true, .ext = {NULL}});
		add(&w, &line[i]);
	}
	trust(&w, &line[0], ROLE_SIGNER, TIME_MAX);
	assert_string_equal(chains(&w, line[9].cert, ROLE_SIGNER, text, sizeof(text)), "c9<c8<c7<c6<c5<c4<c3<c2<c1<c0*");
	assert_string_equal(chains(&w, line[10].cert, ROLE_SIGNER, text, sizeof(text)), "c10<c9<c8<c7<c6<c5<c4<c3<c2<c1");
	for (i = 0; i < 14; i++)
		who_free(&line[i]);
}

static void
path_rules(void **state)
{
	static const struct {
		const char *name, *ca_ext[4], *leaf_ext[3];
		enum path_fault want;
		size_t where;
	} rows[] = {
	    {"good", {"basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=keyCertSign", NULL}, {NULL}, PATH_OK, 0},
	    {"no CA", {"keyUsage=keyCertSign", NULL}, {NULL}, PATH_NOT_CA, 1},
	    {"CA false", {"basicConstraints=critical,CA:FALSE", NULL}, {NULL}, PATH_NOT_CA, 1},
	    {"no keyCertSign", {"basicConstraints=CA:TRUE", "keyUsage=cRLSign", NULL}, {NULL}, PATH_KEY_USAGE, 1},
	    {"no key usage at all", {"basicConstraints=CA:TRUE", NULL}, {NULL}, PATH_OK, 0},
	    {"critical in the CA", {"basicConstraints=CA:TRUE", "1.3.6.1.4.1.99999.1=critical,DER:0500", NULL}, {NULL}, PATH_CRITICAL, 1},
	    {"critical in the leaf", {"basicConstraints=CA:TRUE", NULL}, {"1.3.6.1.4.1.99999.1=critical,DER:0500", NULL}, PATH_CRITICAL, 0},
	    {"name allowed", {"basicConstraints=CA:TRUE", "nameConstraints=critical,permitted;DNS:a.test", NULL}, {"subjectAltName=DNS:x.a.test", NULL}, PATH_OK, 0},
	    {"name not allowed", {"basicConstraints=CA:TRUE", "nameConstraints=critical,permitted;DNS:a.test", NULL}, {"subjectAltName=DNS:x.b.test", NULL}, PATH_NAME_CONSTRAINTS, 1},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(world) struct world w = world_new();
		AUTO(who) struct who root = mini_cert(w.p, (struct spec){.name = "Root", .key = "p256", .ca = true, .ext = {NULL}});
		struct spec s = {.name = "CA", .issuer = &root, .key = "p256"};
		struct spec l = {.name = "leaf", .key = "p256"};
		AUTO(mem) struct chain *found = NULL;
		struct err e = {0};
		enum path_fault f;
		size_t n, where = 0;

		for (j = 0; rows[i].ca_ext[j] != NULL; j++)
			s.ext[j] = rows[i].ca_ext[j];
		for (j = 0; rows[i].leaf_ext[j] != NULL; j++)
			l.ext[j] = rows[i].leaf_ext[j];
		AUTO(who) struct who ca = mini_cert(w.p, s);
		l.issuer = &ca;
		AUTO(who) struct who leaf = mini_cert(w.p, l);
		add(&w, &ca);
		trust(&w, &root, ROLE_ALL, TIME_MAX);
		OK(pool_chains(&w.pool, leaf.cert, w.anchors, ROLE_SIGNER, &found, &n, NULL, &e));
		assert_int_equal(n, 1);
		f = chain_fault(&found[0], &where);
		if (f != rows[i].want || (f != PATH_OK && where != rows[i].where))
			fail_msg("%s: %d at %zu", rows[i].name, f, where);
	}
}

/* An anchor's certificate bounds what stands below it like any other's (RFC 5937). A version 1 root can't say that it is a CA. */
static void
path_rules_of_anchors(void **state)
{
	static const struct {
		const char *name, *ext[3], *leaf_ext[2];
		bool v1, sub_only;
		unsigned want;
	} rows[] = {
	    {"good", {"basicConstraints=CA:TRUE,pathlen:1", "keyUsage=keyCertSign"}, {NULL}, false, false, PATH_OK},
	    {"version 1", {NULL}, {NULL}, true, false, PATH_OK},
	    {"version 1, not signed by itself", {NULL}, {NULL}, true, true, PATH_NOT_CA},
	    {"end entity", {"keyUsage=digitalSignature"}, {NULL}, false, false, PATH_NOT_CA | PATH_KEY_USAGE},
	    {"no basicConstraints", {"keyUsage=keyCertSign"}, {NULL}, false, false, PATH_NOT_CA},
	    {"path length", {"basicConstraints=CA:TRUE,pathlen:0"}, {NULL}, false, false, PATH_LENGTH},
	    {"key usage", {"basicConstraints=CA:TRUE", "keyUsage=cRLSign"}, {NULL}, false, false, PATH_KEY_USAGE},
	    {"names", {"basicConstraints=CA:TRUE", "nameConstraints=critical,permitted;DNS:a.test"}, {"subjectAltName=DNS:x.b.test"}, false, false,
		PATH_NAME_CONSTRAINTS},
	    {"critical", {"basicConstraints=CA:TRUE", "1.3.6.1.4.1.99999.1=critical,DER:0500"}, {NULL}, false, false, PATH_CRITICAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(world) struct world w = world_new();
		AUTO(who) struct who top = mini_cert(w.p, (struct spec){.name = "Top", .key = "p256", .ca = true});
		AUTO(who) struct who root = mini_cert(w.p, (struct spec){.name = "Root", .key = "p256", .v1 = rows[i].v1,
							       .issuer = rows[i].sub_only ? &top : NULL, .ext = {rows[i].ext[0], rows[i].ext[1]}});
		AUTO(who) struct who ca = mini_cert(w.p, (struct spec){.name = "CA", .issuer = &root, .key = "p256", .ca = true});
		AUTO(who) struct who leaf = mini_cert(w.p, (struct spec){.name = "leaf", .issuer = &ca, .key = "p256", .ext = {rows[i].leaf_ext[0]}});
		AUTO(mem) struct chain *found = NULL;
		struct err e = {0};
		unsigned f;
		size_t n;

		add(&w, &ca);
		trust(&w, &root, ROLE_ALL, TIME_MAX);
		OK(pool_chains(&w.pool, leaf.cert, w.anchors, ROLE_SIGNER, &found, &n, NULL, &e));
		assert_int_equal(n, 1);
		f = chain_faults(&found[0], 2);
		if (f != rows[i].want)
			fail_msg("%s: %u, wanted %u", rows[i].name, f, rows[i].want);
	}
}

/* pathLen counts what stands between, without self-issued ones. */
static void
path_length(void **state)
{
	AUTO(world) struct world w = world_new();
	AUTO(who) struct who root = mini_cert(w.p, (struct spec){.name = "Root", .key = "p256", .ext = {"basicConstraints=CA:TRUE,pathlen:2", NULL}});
	AUTO(who) struct who a = mini_cert(w.p, (struct spec){.name = "A", .issuer = &root, .key = "p256", .ext = {"basicConstraints=CA:TRUE,pathlen:0", NULL}});
	AUTO(who) struct who a_new = mini_cert(w.p, (struct spec){.name = "A", .issuer = &a, .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who b = mini_cert(w.p, (struct spec){.name = "B", .issuer = &a, .key = "p256", .ca = true, .ext = {NULL}});
	AUTO(who) struct who fine = mini_cert(w.p, (struct spec){.name = "fine", .issuer = &a_new, .key = "p256", .ext = {NULL}});
	AUTO(who) struct who deep = mini_cert(w.p, (struct spec){.name = "deep", .issuer = &b, .key = "p256", .ext = {NULL}});
	struct err e = {0};
	size_t n, where = 0;

	(void)state;
	add(&w, &a);
	add(&w, &a_new);
	add(&w, &b);
	trust(&w, &root, ROLE_ALL, TIME_MAX);
	{
		AUTO(mem) struct chain *found = NULL;

		OK(pool_chains(&w.pool, fine.cert, w.anchors, ROLE_SIGNER, &found, &n, NULL, &e));
		assert_int_equal(n, 1);
		assert_int_equal(found[0].n, 4);
		assert_int_equal(chain_fault(&found[0], &where), PATH_OK);
	}
	{
		AUTO(mem) struct chain *found = NULL;

		OK(pool_chains(&w.pool, deep.cert, w.anchors, ROLE_SIGNER, &found, &n, NULL, &e));
		assert_int_equal(n, 1);
		assert_int_equal(chain_fault(&found[0], &where), PATH_LENGTH);
		assert_int_equal(where, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(certificate_facts),
	    cmocka_unit_test(each_is_decoded_once_and_whole),
	    cmocka_unit_test(unknown_critical_extensions),
	    cmocka_unit_test(every_scheme_verifies),
	    cmocka_unit_test(names_compare_folded),
	    cmocka_unit_test(mutations_are_refused_or_harmless),
	    cmocka_unit_test(pem_and_base64),
	    cmocka_unit_test(chains_simple),
	    cmocka_unit_test(chains_anchor_kinds),
	    cmocka_unit_test(chains_cross_and_rekeyed),
	    cmocka_unit_test(chains_are_bounded),
	    cmocka_unit_test(path_rules),
	    cmocka_unit_test(path_rules_of_anchors),
	    cmocka_unit_test(path_length),
	};

	return cmocka_run_group_tests_name("pki", tests, NULL, NULL);
}
