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
mkdir -p "$w/src" "$w/kept"
cp -r Makefile base store policy verify archiver tests tools "$w/src/"
mkdir -p "$w/src/build"
missed=0
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
spoil "an imprint is never compared" verify/judge_stamp.c 'digest_eq(&d, &t->tok->imprint) ? TRI_TRUE : TRI_FALSE' 'TRI_TRUE'
spoil "a token's content is not compared with its message digest" verify/token_sign.c 'found && !message_digest_holds(t)' 'found && false'
spoil "any certificate may answer for the CA" verify/revoke.c 'a->delegate_ok = a->delegate_by_ca && ' 'a->delegate_ok = true || '
spoil "a signature in a certificate is not checked" verify/pki.c 'sig_verify(s, pki_key(c), tbs, sig)' 'true'
spoil "SignatureValue is not checked" verify/sigvalue.c 'rc == 1 ? TRI_TRUE : TRI_FALSE' 'TRI_TRUE'
spoil "any certificate may stamp" verify/judge_cert.c 'bool has = (c->eku & EKU_TIMESTAMPING) != 0;' 'bool has = true;'
spoil "entries of a Manifest are not compared" verify/judge_sig.c 'x->found == TRI_TRUE && x->intact != TRI_TRUE &&' 'false &&'
exit $missed
