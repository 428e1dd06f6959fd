#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/soundness/seeds.sh BUILD DIR: the originals of the campaigns in DIR, and their table, DIR/seeds.tsv: what the test
# programs' makers write, what the test PKI signs in every shape, by every kind of key, at every level, and what an archive makes of it.
set -eu
build=$1
rm -rf "$2"
mkdir -p "$2/made"
dir=$(cd "$2" && pwd)
case $build in /*) ;; *) build=$PWD/$build ;; esac
everseal=$build/everseal testpki=$build/testpki
TESTPKI_POOL=${TESTPKI_POOL:-$build/tests/pool}
export TESTPKI_POOL
mkdir -p "$TESTPKI_POOL"
unset EVERSEAL_CONFIG
cd "$dir"
"$build/soundness/make" "$dir/made" >seeds.tmp

# ---- by the test PKI ----
clock() { echo "$1" >clock.new && mv clock.new clock; }
trap '"$testpki" stop "$dir/pki" >/dev/null 2>&1 || :' EXIT
trap 'exit 1' INT TERM
clock 2026-01-01T00:00:00Z
"$testpki" init pki --clock clock --root-crl-months 1 >/dev/null
"$testpki" serve pki --daemon --ready-file ready
url=http://127.0.0.1:$(cat pki/port)
mkdir in
row() { # name file beside time policy [trust]
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$dir/${6:-pki/trust}" "$4" "$5" >>seeds.tmp
}
beside() { # of a folder with a signature in it: everything else
	list=
	for f in "$1"/*; do
		case $f in */signature.xml) ;; *) list="$list;$f" ;; esac
	done
	printf '%s' "${list:+${list#;}}"
	[ -n "$list" ] || printf '%s' -
}
sign() { # pki name shape key level and more words
	p=$1 name=$2 shape=$3 key=$4 level=$5
	shift 5
	mkdir -p "in/$name"
	"$testpki" sign "$p" --name "$name" --out "in/$name/signature.xml" --shape "$shape" --key "$key" --level "$level" "$@" >/dev/null
}
soon=2026-01-01T06:00:00Z
n=0
for shape in enveloped enveloping detached sibling parallel counter manifest; do
	for level in bes t lt lta; do
		for key in rsa pss ecdsa p384 brainpool ed25519; do
			n=$((n + 1))
			[ $((n % 2)) -eq 0 ] || continue
			name="$shape-$key-$level"
			sign pki "$name" "$shape" "$key" "$level" --ca ca$((1 + n % 2)) --tsa tsa$((1 + n % 3))
			row "pki $name" "$dir/in/$name/signature.xml" "$(beside "$dir/in/$name")" $soon default
		done
	done
done
more() { name=$1 && shift && sign pki "$name" "$@" && row "pki $name" "$dir/in/$name/signature.xml" "$(beside "$dir/in/$name")" $soon default; }
more c14n11 sibling ecdsa lta --c14n c14n11
more c14n10-comments manifest p384 lt --c14n c14n10-comments
more filter2 enveloped ecdsa lta --transform filter2 --encoding ISO-8859-2
more xpath enveloped p521 lta --transform xpath --c14n c14n10 --digest SHA512 --encoding UTF-16
more base64 enveloping ecdsa lta --transform base64
more v1 parallel brainpool lta --signing-cert v1
more epes enveloped ecdsa lt --level epes
for level in lt lta; do # their signers have ended since
	sign pki "ended-$level" enveloped ecdsa $level --ca ca2
	sign pki "ended-peer-$level" enveloping p384 $level
	row "pki ended $level" "$dir/in/ended-$level/signature.xml" - 2030-06-01T00:00:00Z default
	row "pki ended peer $level" "$dir/in/ended-peer-$level/signature.xml" - 2030-06-01T00:00:00Z dss
done
cat >dossier <<END
<es:Dossier xmlns:es="https://www.microsec.hu/ds/e-szigno30#"><es:DossierProfile Id="P" OBJREF="D"><es:Title>t</es:Title></es:DossierProfile>
<es:Documents Id="D"><es:Document><ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="O">a deed</ds:Object><es:DocumentProfile Id="Q" OBJREF="O"/>
</es:Document></es:Documents></es:Dossier>
END
more dossier enveloped ecdsa lta --in dossier
# The same at a time when all but the newest stamps' TSAs have ended.
for name in enveloped-ecdsa-lt enveloped-p384-lta counter-p384-lta manifest-pss-lta detached-pss-lt sibling-p384-lt parallel-pss-lta; do
	[ -d "in/$name" ] || continue
	for year in 2029 2033 2045; do
		row "pki $name in $year" "$dir/in/$name/signature.xml" "$(beside "$dir/in/$name")" $year-01-01T00:00:00Z default
	done
done
# What must not pass: altered, revoked before it was stamped, ended before it was stamped, by a CA that nobody trusts but of the same names.
sign pki tampered enveloped ecdsa lta --tamper
row "pki tampered" "$dir/in/tampered/signature.xml" - $soon default
sign pki tampered-detached detached ecdsa lta --tamper
row "pki tampered detached" "$dir/in/tampered-detached/signature.xml" "$(beside "$dir/in/tampered-detached")" $soon default
for ca in ca1 ca2; do
	"$testpki" issue pki --name "revoked $ca" --key ecdsa --ca $ca >/dev/null
	"$testpki" revoke pki --name "revoked $ca" --at 2025-12-31T00:00:00Z --reason keyCompromise
	for level in bes t lt lta; do
		mkdir -p "in/revoked-$ca-$level"
		"$testpki" sign pki --name "revoked $ca" --out "in/revoked-$ca-$level/signature.xml" --level $level >/dev/null
		row "pki revoked $ca $level" "$dir/in/revoked-$ca-$level/signature.xml" - $soon default
	done
done
"$testpki" issue pki --name brief --key ecdsa --days 2 >/dev/null
clock 2026-01-05T00:00:00Z
for level in bes t lt lta; do
	mkdir -p "in/brief-$level"
	"$testpki" sign pki --name brief --out "in/brief-$level/signature.xml" --level $level >/dev/null
	row "pki ended before $level" "$dir/in/brief-$level/signature.xml" - 2026-01-05T06:00:00Z default
done
clock 2026-01-01T00:00:00Z
echo 2026-01-01T00:00:00Z >clock2
"$testpki" init rogue --clock clock2 --root-crl-months 1 --port 1 >/dev/null
for level in bes lt lta; do
	sign rogue "rogue-$level" enveloped ecdsa $level
	row "rogue $level" "$dir/in/rogue-$level/signature.xml" - $soon default
done

# ---- by an archive ----
e() { "$everseal" --quiet -c archive/everseal.conf "$@"; }
"$everseal" init --simulated archive --clock "$dir/clock" --tsa "$url/tsa1,$url/tsa2" --allow-net "127.0.0.1:$(cat pki/port)" >/dev/null
cp pki/trust/* archive/trust/
for p in XL:extended:X-L A:extended:A LT:baseline:LT LTA:baseline:LTA; do
	IFS=: read -r name form target <<END
$p
END
	printf '\n[profile %s]\nform = %s\ntarget = %s\n' "$name" "$form" "$target" >>archive/everseal.conf
done
: >records
for name in enveloped-ecdsa-bes detached-pss-bes counter-p384-bes manifest-rsa-bes parallel-brainpool-bes enveloping-ed25519-bes; do
	[ -d "in/$name" ] || sign pki "$name" "${name%%-*}" "$(echo "$name" | cut -d- -f2)" bes
	set -- "in/$name"
	[ "$(ls "in/$name" | wc -l)" -gt 1 ] || set -- "in/$name/signature.xml"
	for p in XL A LT LTA; do
		r=$(e --json deposit "$1" --profile $p --id "$name $p" | sed -n 's/.*"record":"\([0-9a-f-]*\)".*/\1/p')
		echo "$name $p $r" >>records
	done
done
get() { # what there is of each record now, judged at that time
	while read -r name p r; do
		out=out/$1-$name-$p
		e get "$r" -o "$out" >/dev/null
		row "archive $1 $name $p" "$dir/$out/signature.xml" "$(beside "$dir/$out")" "$2" default
	done <records
}
for t in 2026-01-01T01:00:00Z 2026-01-02T02:00:00Z 2026-01-03T04:00:00Z 2026-01-05T06:00:00Z; do
	clock $t
	e run --once >/dev/null || :
done
get first 2026-01-05T07:00:00Z
while read -r name p r; do # the same ten years on, when all but what was stamped in time has ended
	out=out/first-$name-$p
	row "archive later $name $p" "$dir/$out/signature.xml" "$(beside "$dir/$out")" 2030-06-01T00:00:00Z default
done <records
for t in 2026-03-01 2027-06-01 2028-06-01 2029-06-01 2030-05-01 2030-06-01 2030-06-03; do
	clock ${t}T00:00:00Z
	e run --once >/dev/null || :
	e sweep >/dev/null || :
done
get renewed 2030-06-04T00:00:00Z
"$testpki" stop pki >/dev/null
mv seeds.tmp seeds.tsv
