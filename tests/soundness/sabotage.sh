#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/soundness/sabotage.sh BUILD [MUTANTS]: the campaign's own control, by hand. A copy of the sources is spoiled in one place at a
# time; the campaign must find each. Its originals must be there (make soundness).
set -eu
build=$1 mutants=${2:-6000}
case $build in /*) ;; *) build=$PWD/$build ;; esac
seeds=$build/soundness/seeds/seeds.tsv
[ -f "$seeds" ] || { echo "sabotage: make soundness first" >&2; exit 1; }
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$w/kept"
mkdir -p "$w/src/build"
cp -a Makefile base store policy verify archiver tests tools "$w/src/"
for d in base store policy verify archiver tests soundness libbase.a libstore.a libpolicy.a libverify.a libarchiver.a; do
	cp -a "$build/$d" "$w/src/build/" # so that only what is spoiled is compiled again
done
missed=0
# Its control, and so that a fault that is there already is not taken for one of ours.
"$build/soundness/run" --seeds "$seeds" --keep "$w/kept" --jobs "$(nproc)" --mutants "$mutants" >"$w/out" || { cat "$w/out"; exit 1; }
spoil() { # what file from to
	cp "$w/src/$2" "$w/was"
	FROM=$3 TO=$4 perl -0pi -e 'my ($f, $t) = ($ENV{FROM}, $ENV{TO}); s/\Q$f\E/$t/' "$w/src/$2"
	if cmp -s "$w/was" "$w/src/$2"; then
		echo "sabotage: $1: no longer to be done ($2)"
		missed=1
		return
	fi
	(cd "$w/src" && make -s BUILD=build build/soundness/run CFLAGS=-w)
	rm -f "$w/kept"/*
	if "$w/src/build/soundness/run" --seeds "$seeds" --keep "$w/kept" --jobs "$(nproc)" --mutants "$mutants" >"$w/out"; then
		echo "sabotage: $1: NOT found in $mutants mutants"
		missed=1
	else
		echo "sabotage: $1: found, $(grep -c '^[0-9]*-[0-9]* ' "$w/out") mutants; $(grep -m 1 '^[0-9]*-[0-9]* ' "$w/out" | cut -c1-160)"
	fi
	cp "$w/was" "$w/src/$2"
	touch "$w/src/$2"
}
# What judge and checker share; rules 1 to 6 alone can find these.
spoil "SignatureValue is not checked" verify/sigvalue.c 'rc == 1 ? TRI_TRUE : TRI_FALSE' 'TRI_TRUE'
spoil "a reference's digest is not compared" verify/reference.c 'digest_eq(&got, &x->digest) ? TRI_TRUE : TRI_FALSE' 'TRI_TRUE'
spoil "a certificate's signature is not checked" verify/pki.c 'if (sig_verify(s, pki_key(c), tbs, sig))' 'if (true)'
# What is the judge's alone: the checker finds these.
spoil "an imprint is not compared" verify/judge_stamp.c 'digest_eq(&d, &t->tok->imprint) ? TRI_TRUE : TRI_FALSE' 'TRI_TRUE'
spoil "a token's content is not compared with its message digest" verify/token_sign.c 'found && !message_digest_holds(t)' 'found && false'
spoil "any certificate may answer for the CA" verify/revoke.c 'a->delegate_ok = a->delegate_by_ca && ' 'a->delegate_ok = true || '
spoil "any certificate may stamp" verify/judge_cert.c 'bool has = (c->eku & EKU_TIMESTAMPING) != 0;' 'bool has = true;'
spoil "a stamp over anything proves the signature" verify/poe.c 'cover_holds(&c.cover, g->s->signature_value)' 'true'
exit $missed
