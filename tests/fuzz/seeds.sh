#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/fuzz/seeds.sh BUILD DIR: seeds of our own making for every entry, in DIR/ENTRY, and DIR/kit, what entries need
# beside their octets. An archive in small: documents signed by the test PKI are taken in, archived and exported.
set -eu
build=$1
rm -rf "$2"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $build in /*) ;; *) build=$PWD/$build ;; esac
here=$PWD/tests/fuzz
example=$PWD/everseal.conf.example
everseal=$build/everseal testpki=$build/testpki
TESTPKI_POOL=${TESTPKI_POOL:-$build/tests/pool}
export TESTPKI_POOL
mkdir -p "$TESTPKI_POOL"
unset EVERSEAL_CONFIG
w=$(mktemp -d)
cd "$w"
trap '"$testpki" stop pki >/dev/null 2>&1 || :; cd /; rm -rf "$w"' EXIT
trap 'exit 1' INT TERM
e() { "$everseal" --quiet -c archive/everseal.conf "$@"; }
folder() { for f in "$@"; do mkdir -p "$dir/$f"; done; }

# ---- documents, then what an archive makes of them ----
echo 2026-01-01T00:00:00Z >clock
"$testpki" init pki --clock clock --root-crl-months 1 >/dev/null
"$testpki" serve pki --daemon --ready-file ready
url=http://127.0.0.1:$(cat pki/port)
e init --simulated archive --clock "$w/clock" --tsa "$url/tsa1,$url/tsa2" --allow-net "127.0.0.1:$(cat pki/port)" >/dev/null
cp pki/trust/* archive/trust/
mkdir in
sign() { out=$1 && shift && "$testpki" sign pki --name "$out" --out "in/$out.xml" "$@" >/dev/null; }
sign enveloped --shape enveloped --key ecdsa
sign enveloping --shape enveloping --key ed25519 --ca ca2 --level epes
sign counter --shape counter --key p384 --key2 ecdsa
sign parallel --shape parallel --key brainpool --key2 p521 --signing-cert v1
sign sibling --shape sibling --key ecdsa --c14n c14n11
sign manifest --shape manifest --key ecdsa --c14n c14n10-comments
sign filtered --shape enveloped --key ecdsa --transform filter2 --encoding ISO-8859-2
sign xpath --shape enveloped --key ecdsa --transform xpath --c14n c14n10 --digest SHA512 --encoding UTF-16
sign base64 --shape enveloping --key ecdsa --transform base64
sign lta --shape enveloped --key ecdsa --level lta
cat >dossier <<END
<es:Dossier xmlns:es="https://www.microsec.hu/ds/e-szigno30#"><es:DossierProfile Id="P" OBJREF="D"><es:Title>t</es:Title></es:DossierProfile>
<es:Documents Id="D"><es:Document><ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="O">a deed</ds:Object><es:DocumentProfile Id="Q" OBJREF="O"/>
</es:Document></es:Documents></es:Dossier>
END
sign dossier --shape enveloped --key ecdsa --in dossier
e deposit in/enveloped.xml in/enveloping.xml in/counter.xml >receipts
for t in 2026-01-01T01:00:00Z 2026-01-02T02:00:00Z 2026-01-03T04:00:00Z 2026-01-05T06:00:00Z; do
	echo $t >clock.new && mv clock.new clock
	e run --once >/dev/null
done
for r in $(e --json list | tr '{' '\n' | sed -n 's/.*"record":"\([0-9a-f-]*\)".*/\1/p'); do
	e export "$r" -o "bundle/$r" >/dev/null
done
one=$(ls bundle | head -n 1)

# ---- one record's way once more, with what the children say ----
echo 2026-01-01T00:00:00Z >clock.new && mv clock.new clock
e2() { "$build/fuzz/recorder" --quiet -c single/everseal.conf "$@" >/dev/null; }
"$everseal" init --simulated single --clock "$w/clock" --tsa "$url/tsa1,$url/tsa2" --allow-net "127.0.0.1:$(cat pki/port)" >/dev/null
cp pki/trust/* single/trust/
export EVERSEAL_RECORD="$w/answers-0"
e2 deposit in/enveloped.xml
n=0
for t in 2026-01-01T01:00:00Z 2026-01-02T02:00:00Z 2026-01-05T04:00:00Z 2026-02-10T00:00:00Z; do
	echo $t >clock.new && mv clock.new clock
	n=$((n + 1))
	EVERSEAL_RECORD=$w/answers-$n e2 run --once
done
echo 2030-05-01T00:00:00Z >clock.new && mv clock.new clock
EVERSEAL_RECORD=$w/answers-5 e2 sweep
unset EVERSEAL_RECORD

# ---- kit ----
folder kit
rm -rf "$dir/kit/trust" "$dir/kit/bundle"
cp -r pki/trust "$dir/kit/trust"
cp -r "bundle/$one" "$dir/kit/bundle"
openssl x509 -in pki/ee/enveloped.crt -outform DER -out "$dir/kit/signer.der"
openssl x509 -in pki/ca/ca1-1.crt -outform DER -out "$dir/kit/ca.der"
tsa=$(find pki -name 'tsa1-1.crt' | head -n 1)
openssl x509 -in "$tsa" -outform DER -out "$dir/kit/tsa.der"
cp "bundle/$one/log.pub" "bundle/$one/checkpoint" "bundle/$one/receipt.json" "$dir/kit/"
cp in/lta.xml "$dir/kit/document.xml"
cp in/enveloped.xml "$dir/kit/signed.xml"
cp bundle/*/files/enveloped.xml "$dir/kit/archived.xml"
cp answers-* "$dir/kit/"
rm -rf "$dir/kit/store"
mkdir -p "$dir/kit/store"
(cd single/archive && cp -r FORMAT log.key log.pub segments "$dir/kit/store/")
cp "$(ls "bundle/$one"/tokens/*.tst | head -n 1)" "$dir/kit/token.der"
(cd "bundle/$one" && ls manifests/* | tail -n 1 | tr -d '\n') >"$dir/kit/newest-manifest"

# ---- XML ----
folder xml form
cp in/*.xml "$dir/xml/"
for r in bundle/*; do for f in "$r"/files/*.xml; do cp "$f" "$dir/xml/archived-$(basename "$f")"; done; done
printf '<a xmlns="urn:a" xmlns:p="urn:p" p:x="&#9;1"><p:b xml:lang="hu"><![CDATA[<x>]]></p:b><!-- c --><?pi d?>\r\n<c/></a>\n' >"$dir/xml/small"
printf '<?xml version="1.0" encoding="windows-1250"?><a b="\351"><\364/></a>' >"$dir/xml/small-1250"
printf '\377\376<\0a\0>\0<\0b\0/\0>\0<\0/\0a\0>\0' >"$dir/xml/small-16"
printf '%%PDF-1.7\n1 0 obj<<>>endobj\n' >"$dir/form/pdf"
printf 'PK\003\004\012\0\0\0\0\0\0\0\0\0\0\0\0\0\037\0\0\0\037\0\0\0\010\0\0\0mimetypeapplication/vnd.etsi.asic-e+zip' >"$dir/form/asic"
folder xpath
printf '%b' '\003not(ancestor-or-self::ds:Signature)' >"$dir/xpath/1"
printf '%b' '\003count(ancestor-or-self::ds:Signature | here()/ancestor::ds:Signature[1]) > count(ancestor-or-self::ds:Signature)' >"$dir/xpath/2"
printf '%b' '\000//p:x[@Id="i1"] | id("i2 O")' >"$dir/xpath/3"
printf '%b' '\001/descendant::ds:Signature[position()=last()]' >"$dir/xpath/4"
printf '%b' '\002//*[contains(string(.), "4") and number(@n) = 3]/@*' >"$dir/xpath/5"
printf '%b' '\003substring-before(translate(normalize-space(name()), "abc", "ABC"), ":") or starts-with(local-name(), "z") and not(sum(//z) mod 4)' >"$dir/xpath/6"

# ---- ASN.1 ----
folder cert crl ocsp token response material anchors
for k in cert crl ocsp; do
	for f in bundle/*/material/*.$k; do cp "$f" "$dir/$k/"; done
done
n=0
for f in bundle/*/tokens/*.tst; do n=$((n + 1)) && cp "$f" "$dir/token/$n"; done
for f in pki/ca/*.crt pki/ee/*.crt; do openssl x509 -in "$f" -outform DER -out "$dir/cert/$(basename "$f" .crt)"; done
cp pki/trust/*.pem pki/ca/ca1-1.crt "$dir/anchors/"
echo 2026-05-28T20:26:40Z >clock.new && mv clock.new clock # FUZZ_TIME
# SHA-256 of 32 octets 01, nonce "12345678", certReq: what the entry says that it asked for
printf '\060\103\002\001\001\060\061\060\015\006\011\140\206\110\001\145\003\004\002\001\005\000\004\040' >query
printf '%032d' 0 | tr 0 '\001' >>query
printf '\002\01012345678\001\001\377' >>query
for t in tsa1 tsa2 tsa3; do
	curl -sf -H 'Content-Type: application/timestamp-query' --data-binary @query "$url/$t" -o "$dir/response/$t"
done
"$testpki" misbehave pki --service tsa1 --mode badalg
curl -sf -H 'Content-Type: application/timestamp-query' --data-binary @query "$url/tsa1" -o "$dir/response/refused"
"$testpki" stop pki >/dev/null

# ---- text ----
folder config policy catalogue class words json receipt
cp "$example" "$dir/config/example"
cp archive/everseal.conf "$dir/config/simulated"
printf 'base = default\nrevocation-data-available signature signing = warn\nkey-usage = inform\n' >"$dir/policy/1"
printf 'base = dss-lenient\ntsa-eku = ignore\n' >"$dir/policy/2"
cp "bundle/$one/receipt.json" "$dir/receipt/"
cp "bundle/$one/index.json" "bundle/$one/proofs.json" "bundle/$one/verdict.json" "$dir/json/"
for f in "bundle/$one"/manifests/*; do cp "$f" "$dir/json/"; done
printf '2026-01-01T00:00:00.5+02:00' >"$dir/words/time"
printf '[fd00::/8]:443' >"$dir/words/rule"
printf 'sha256:0101010101010101010101010101010101010101010101010101010101010101' >"$dir/words/digest"
printf '90d' >"$dir/words/duration"
printf '2TiB' >"$dir/words/size"
printf 'AAEC\n Aw==' >"$dir/words/base64"

# ---- the store ----
folder group tar checkpoint proof
for t in archive/archive/segments/*.tar; do
	head -c 4096 "$t" >"$dir/tar/$(basename "$t")"
	mkdir -p store && tar -xf "$t" -C store --skip-old-files 2>/dev/null || :
done
n=0
for f in store/groups/*; do n=$((n + 1)) && [ $n -gt 8 ] || cp "$f" "$dir/group/whole-$n"; done
cp "bundle/$one/checkpoint" "$dir/checkpoint/1"
cp "bundle/$one/log.pub" "$dir/checkpoint/key"

# ---- what needs octets to be counted ----
/usr/bin/env python3 -B "$here/seeds.py" "$dir"
