#!/bin/sh
# SPDX-License-Identifier: MIT
# The test PKI judged by other people's tools: openssl, xmlsec1, xmllint, curl.
set -u
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
testpki=$build/testpki
judge=$PWD/tests/pki/judge.py
shared=${EVERSEAL_SHARED:-../shared}
case $shared in /*) ;; *) shared=$PWD/$shared ;; esac
TESTPKI_POOL=${TESTPKI_POOL:-$build/tests/pool}
export TESTPKI_POOL
mkdir -p "$TESTPKI_POOL"
dir=$(mktemp -d) || exit 1
cd "$dir" || exit 1
trap '"$testpki" stop pki >/dev/null 2>&1; rm -rf "$dir"' EXIT
failed=0

# ok NAME COMMAND...: passes when the command succeeds; its talk is shown when it does not
ok() {
	name=$1
	shift
	if "$@" >out 2>&1; then
		echo "[       OK ] $name"
	else
		echo "[  FAILED  ] $name"
		failed=1
		tail -n 15 out
	fi
}
not() { ! "$@"; }
skip() { echo "[  SKIPPED ] $1"; }
# lxml comes with the system's python, which need not be the first in the path
python=python3
"$python" -c 'import lxml' 2>/dev/null || python=/usr/bin/python3
# The system clock is no judge: every tool is told the virtual time.
now() { date -u -d "$(cat clock)" +%s; }
at() { echo "$1" >clock; }

"$testpki" init pki --clock clock >/dev/null || { echo "[  FAILED  ] init"; exit 1; }
"$testpki" serve pki --daemon --ready-file ready || { echo "[  FAILED  ] serve"; exit 1; }
url=http://127.0.0.1:$(cat pki/port)

# --- hierarchy ---
reopened() { find pki -name '*.crt' -exec cat {} + | sha256sum >a && "$testpki" init pki --clock clock && find pki -name '*.crt' -exec cat {} + | sha256sum | cmp - a; }
ok "init again changes nothing" reopened
ok "another port is refused" not "$testpki" init pki --clock clock --port 1
ok "certificate of CA 1 has its CRL" sh -c "curl -sf $url/crl/ca1-1.crl | openssl crl -inform DER -noout -CAfile pki/ca/ca1-1.crt -verify"
ok "certificate of CA 2 has its CRL" sh -c "curl -sf $url/crl/ca2-1.crl | openssl crl -inform DER -noout -CAfile pki/ca/ca2-1.crt -verify"
ok "the root has its CRL" sh -c "curl -sf $url/crl/root-1.crl | openssl crl -inform DER -noout -CAfile pki/trust/root.pem -verify"

crl() { curl -sf "$url/crl/$1.crl" -o "$1.crl" && openssl crl -inform DER -in "$1.crl" -out "$1.crl.pem"; }
chain_ee() {
	crl root-1 && crl "$2-1" && cat root-1.crl.pem "$2-1.crl.pem" >crls.pem &&
		openssl verify -attime "$(now)" -crl_check_all -CRLfile crls.pem -CAfile pki/trust/root.pem \
			-untrusted "pki/ca/$2-1.crt" "pki/ee/$1.crt"
}
"$testpki" issue pki --name alice --key ecdsa >/dev/null
"$testpki" issue pki --name bob --key rsa --ca ca2 >/dev/null
ok "chain and CRLs of an end entity of CA 1" chain_ee alice ca1
ok "chain and CRLs of an end entity of CA 2" chain_ee bob ca2
ok "a name is issued once" not "$testpki" issue pki --name alice

# --- OCSP: openssl judges times by the system clock, so the status line and the signature are what counts ---
ocsp() {
	openssl ocsp -issuer pki/ca/ca1-1.crt -cert "pki/ee/$1.crt" -url "$url/ocsp/ca1-1" -CAfile pki/trust/root.pem \
		-verify_other pki/ca/ca1-1.crt -attime "$(now)" >ocsp.out 2>&1
	cat ocsp.out
	grep -q 'Response verify OK' ocsp.out && grep -q "^\(pki/ee/$1.crt: \)\?$2\$" ocsp.out
}
"$testpki" issue pki --name carol >/dev/null
"$testpki" issue pki --name dave --ca ca2 >/dev/null
"$testpki" issue pki --name nobody >/dev/null
"$testpki" revoke pki --name carol --reason keyCompromise
"$testpki" revoke pki --name dave
"$testpki" forget pki --name nobody
ok "OCSP good" ocsp alice good
ok "OCSP revoked" ocsp carol revoked
ok "OCSP unknown for a forgotten one" ocsp nobody unknown
in_time() {
	"$testpki" issue pki --name erin >/dev/null && "$testpki" revoke pki --name erin --at 2026-01-03T10:00:00Z && ocsp erin good &&
		at 2026-01-03T12:00:00Z && ocsp erin revoked && crl ca1-1 && openssl crl -in ca1-1.crl.pem -noout -lastupdate | grep 'Jan  3 10:00:00' &&
		openssl crl -in ca1-1.crl.pem -noout -text | grep 'Revocation Date: Jan  3 10:00:00 2026' && at 2026-01-04T12:00:00Z &&
		crl ca1-1 && openssl crl -in ca1-1.crl.pem -noout -lastupdate | grep 'Jan  4 00:00:00'
}
ok "a revocation of a later day comes on that day" in_time
at 2026-01-01T00:00:00Z
ok "CRL holds the revoked one" sh -c "curl -sf $url/crl/ca2-1.crl | openssl crl -inform DER -noout -text | grep -i \"$(openssl x509 -in pki/ee/dave.crt -noout -serial | cut -d= -f2)\""

# --- time-stamps ---
stamp() {
	echo data >d && openssl ts -query -data d "-${2:-sha256}" -cert -out q.tsq &&
		curl -sf -H 'Content-Type: application/timestamp-query' --data-binary @q.tsq "$url/$1" -o r.tsr
}
stamped() {
	n=${1#tsa}
	stamp "$1" "${2:-sha256}" && openssl ts -verify -in r.tsr -queryfile q.tsq -CAfile "pki/trust/tsaroot$n.pem" \
		-untrusted "pki/ca/tsaca$n-${3:-1}.crt" -attime "$(now)"
}
for t in tsa1 tsa2 tsa3; do
	ok "token of $t" stamped $t
done
ok "token over SHA-512" stamped tsa1 sha512

# a request is answered as the vectors of RFC 3161 rejections say
hex() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { "$python" -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$1"; }
vector=30430201013031300d060960864801650304020105000420bb0e4f49443794d901e8969ff11bd112e34208a0dcdf0e1eedb480cc9b3c7293020801020304050607080101ff
known() {
	unhex $vector >v.tsq && curl -sf --data-binary @v.tsq "$url/tsa1" -o v.tsr && openssl ts -reply -in v.tsr -text >v.txt &&
		grep 'Status: Granted' v.txt && grep 'Nonce: 0x0102030405060708' v.txt
}
ok "known request is granted" known
ok "no request: badDataFormat" sh -c "[ \$(echo x | curl -sf --data-binary @- $url/tsa1 | od -An -v -tx1 | tr -d ' \n') = 3009300702010203020204 ]"
ok "SHA-1: badAlg" sh -c "openssl ts -query -digest 0000000000000000000000000000000000000000 -sha1 | curl -sf --data-binary @- $url/tsa1 | od -An -v -tx1 | tr -d ' \n' | grep -x 3009300702010203020780"
ok "foreign policy: unacceptedPolicy" sh -c "openssl ts -query -data d -sha256 -tspolicy 1.2.3 | curl -sf --data-binary @- $url/tsa1 | od -An -v -tx1 | tr -d ' \n' | grep -x 300a30080201020303000001"
ok "no OCSP request: malformedRequest" sh -c "[ \$(echo x | curl -sf --data-binary @- $url/ocsp/ca1-1 | od -An -v -tx1 | tr -d ' \n') = 30030a0101 ]"

# OCSP by GET (RFC 6960 A.1): base64 in the path, percent-encoded
get() {
	openssl ocsp -issuer pki/ca/ca1-1.crt -cert pki/ee/alice.crt -no_nonce -reqout ocsp.req &&
		text=$(base64 -w0 <ocsp.req | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g') &&
		curl -sf "$url/ocsp/ca1-1/$text" -o get.ocsp && openssl ocsp -respin get.ocsp -noverify -text | grep 'Cert Status: good'
}
ok "OCSP by GET" get
tsa_ocsp() {
	openssl ocsp -issuer pki/ca/tsaca2-1.crt -cert pki/ca/tsa2-1.crt -url "$url/ocsp/tsaca2-1" \
		-CAfile pki/trust/tsaroot2.pem -verify_other pki/ca/tsaca2-1.crt -attime "$(now)" -resp_text >ocsp.out 2>&1
	grep -q 'Response verify OK' ocsp.out && grep 'Responder Id: C = HU' ocsp.out && not grep 'OCSP No Check' ocsp.out
}
ok "the other responder: by name, without nocheck" tsa_ocsp
ok "certificates by AIA" sh -c "curl -sf $url/ca/ca2-1.crt | openssl x509 -inform DER | cmp - pki/ca/ca2-1.crt"
ok "nothing for an unknown authority" not curl -sf "$url/crl/ca9-1.crl"
ok "nothing for one that is not born yet" not curl -sf "$url/ca/ca1-2.crt"

# --- misbehaviour: on, really wrong, and over ---
bad() { "$testpki" misbehave pki --service "$1" --mode "$2" --count "${3:-1}"; }
http() { curl -s -o /dev/null -w '%{http_code}' "$url/$1"; }
wrong_stamp() { bad tsa1 "$1" && not stamped tsa1 && stamped tsa1; }
for mode in wrong-nonce wrong-imprint expired-tsa wrong-ess two-signers rejected-token garbage; do
	ok "tsa1 $mode" wrong_stamp $mode
done
no_nonce() { bad tsa1 no-nonce && stamp tsa1 && openssl ts -reply -in r.tsr -text | grep 'Nonce: unspecified'; }
ok "tsa1 no-nonce" no_nonce
late() { bad tsa1 late && stamp tsa1 && openssl ts -reply -in r.tsr -text | grep 'Time stamp: Jan  1 01:00:00 2026'; }
ok "tsa1 late" late
early() { bad tsa1 early && stamp tsa1 && openssl ts -reply -in r.tsr -text | grep 'Time stamp: Dec 31 23:00:00 2025'; }
ok "tsa1 early" early
no_cert() { bad tsa1 no-cert && stamp tsa1 && openssl ts -reply -in r.tsr -token_out | openssl cms -cmsout -inform DER -print | grep -A1 'certificates:' | grep ABSENT; }
ok "tsa1 no-cert" no_cert
both() { bad tsa1 rejected-token && stamp tsa1 && [ "$(wc -c <r.tsr)" -gt 500 ] && hex <r.tsr | grep '^3082....3003020102'; }
ok "tsa1 rejected-token has a token" both
two() { bad tsa1 two-signers && stamp tsa1 && [ "$(openssl asn1parse -inform DER -in r.tsr | grep -c 'signingCertificateV2')" = 2 ]; }
ok "tsa1 two-signers are two" two
rejects() { bad tsa1 "$1" && stamp tsa1 && [ "$(hex <r.tsr)" = "$2" ]; }
ok "tsa1 badalg" rejects badalg 3009300702010203020780
ok "tsa1 try-later" rejects try-later 300a30080201020303010002
revoked_tsa() {
	bad tsa1 revoked-tsa && stamp tsa1 && openssl ts -reply -in r.tsr -token_out -out r.token &&
		openssl pkcs7 -inform DER -in r.token -print_certs -out tsa.pem && crl tsaca1-1 && crl tsaroot1-1 &&
		cat tsaca1-1.crl.pem tsaroot1-1.crl.pem >crls.pem &&
		not openssl verify -attime "$(now)" -crl_check_all -CRLfile crls.pem -CAfile pki/trust/tsaroot1.pem \
			-untrusted pki/ca/tsaca1-1.crt tsa.pem >revoked.out 2>&1 && grep 'certificate revoked' revoked.out
}
ok "tsa1 revoked-tsa" revoked_tsa
alive() {
	crl tsaca1-1 && crl tsaroot1-1 && cat tsaca1-1.crl.pem tsaroot1-1.crl.pem >crls.pem &&
		openssl verify -attime "$(now)" -crl_check_all -CRLfile crls.pem -CAfile pki/trust/tsaroot1.pem \
			-untrusted pki/ca/tsaca1-1.crt pki/ca/tsa1-1.crt
}
ok "the TSA itself is not revoked by it" alive
foreign() { bad ocsp "$1" && not ocsp alice good && grep -i 'verify fail' ocsp.out && ocsp alice good; }
ok "ocsp unauthorised-responder" foreign unauthorised-responder
ok "ocsp no-eku" foreign no-eku
unknown() { bad ocsp unknown && ocsp alice unknown && ocsp alice good; }
ok "ocsp unknown" unknown
nonce() { bad ocsp "$1" && ocsp alice good; grep -i "$2" ocsp.out; }
ok "ocsp wrong-nonce" nonce wrong-nonce 'nonce verify error'
ok "ocsp no-nonce" nonce no-nonce 'no nonce in response'
later() { bad ocsp try-later && [ "$(curl -sf --data-binary @ocsp.req "$url/ocsp/ca1-1" | hex)" = 30030a0103 ]; }
ok "ocsp try-later" later
stale() {
	bad crl stale-crl 2 && crl ca1-1 && end=$(openssl crl -in ca1-1.crl.pem -noout -nextupdate | cut -d= -f2) &&
		[ "$(date -u -d "$end" +%s)" -lt "$(now)" ] && crl root-1 &&
		end=$(openssl crl -in root-1.crl.pem -noout -nextupdate | cut -d= -f2) && [ "$(date -u -d "$end" +%s)" -lt "$(now)" ]
}
ok "crl stale-crl" stale
old_answer() { bad ocsp stale-ocsp; ocsp alice good; grep 'This Update: Dec 24 00:00:00 2025' ocsp.out; }
ok "ocsp stale-ocsp" old_answer
other() { bad ocsp wrong-cert; not ocsp alice good && grep 'Response verify OK' ocsp.out && grep -i 'no status found' ocsp.out; }
ok "ocsp wrong-cert" other
kind() { bad crl "$1" && curl -sf "$url/crl/ca1-1.crl" | openssl crl -inform DER -noout -text | grep -A2 "$2" | grep -i "$3" && crl ca1-1 && openssl crl -in ca1-1.crl.pem -noout -text >c.txt && not grep -q "$2" c.txt; }
ok "crl delta-crl" kind delta-crl 'X509v3 Delta CRL Indicator: critical' 1
ok "crl indirect-crl" kind indirect-crl 'Issuing Distribution Point: critical' 'Indirect CRL'
ok "crl only-ca-crl" kind only-ca-crl 'Issuing Distribution Point: critical' 'Only CA Certificates'
foreign_crl() { bad crl foreign-crl && curl -sf "$url/crl/ca1-1.crl" | openssl crl -inform DER -noout -CAfile pki/ca/ca1-1.crt -verify 2>&1 | grep 'verify failure'; }
ok "crl foreign-crl" foreign_crl
empty() { bad aia empty && [ "$(curl -sf "$url/ca/ca1-1.crt" | wc -c)" = 0 ]; }
ok "aia empty" empty
wait_a_minute() { bad tsa2 http429 && curl -si --data-binary @q.tsq "$url/tsa2" | tr -d '\r' >h && grep '^HTTP/1.1 429' h && grep '^Retry-After: 60$' h; }
ok "tsa2 http429" wait_a_minute
round() { bad crl redirect -1 && not curl -sL --max-redirs 3 "$url/crl/ca1-1.crl" -o /dev/null && "$testpki" misbehave pki --clear --service crl && crl ca1-1; }
ok "crl redirect" round
code() { bad "$1" "$2" && [ "$(http "$3")" = "$4" ] && [ "$(http "$3")" = 200 ]; }
for row in "http400 400" "http404 404" "http500 500" "away 503"; do
	# shellcheck disable=SC2086 # two words
	set -- $row
	ok "aia $1" code aia "$1" ca/ca1-1.crt "$2"
	ok "crl $1" code crl "$1" crl/ca1-1.crl "$2"
	ok "ocsp $1" code ocsp "$1" ocsp/ca1-1/AA "$2"
	ok "tsa2 $1" code tsa2 "$1" tsa2 "$2"
done
html() { bad tsa1 html && stamp tsa1 && grep -q '<html>' r.tsr; }
ok "tsa1 html" html
cut_off() { bad crl cutoff && curl -s "$url/crl/ca1-1.crl" -o cut.crl; [ $? -eq 18 ]; }
ok "crl cutoff" cut_off
endless() { bad aia endless && curl -s -m 2 "$url/ca/ca1-1.crt" | wc -c >n; [ "$(cat n)" -gt 4000000 ]; }
ok "aia endless" endless
slow() {
	bad ocsp slow && { curl -s -m 3 "$url/ocsp/ca1-1/AA" -o /dev/null & } && sleep 0.5 && crl ca1-1 && stamped tsa2 &&
		{ wait $!; [ $? -eq 28 ]; }
}
ok "ocsp slow, and the others go on" slow
away() {
	bad tsa1 away -1 && [ "$(http tsa1)" = 503 ] && [ "$(http tsa1)" = 503 ] && [ "$(http tsa2)" = 200 ] &&
		"$testpki" misbehave pki --clear --service tsa1 && [ "$(http tsa1)" = 200 ]
}
ok "away until cleared, and only that service" away
ok "a mode that the service has not" not "$testpki" misbehave pki --service crl --mode wrong-nonce

# --- signatures ---
ids="--id-attr:Id http://www.w3.org/2000/09/xmldsig#:Signature --id-attr:Id http://www.w3.org/2000/09/xmldsig#:Object
--id-attr:Id http://uri.etsi.org/01903/v1.3.2#:SignedProperties --id-attr:Id data
--id-attr:Id http://www.w3.org/2000/09/xmldsig#:SignatureValue --id-attr:Id http://www.w3.org/2000/09/xmldsig#:Manifest"
# shellcheck disable=SC2086 # a list
xmlsec() {
	xmlsec1 --verify --store-references --verification-gmt-time "$(date -u -d "@$(now)" '+%Y-%m-%d %H:%M:%S')" \
		--trusted-pem pki/trust/root.pem $ids "$@" >xmlsec.out 2>&1
	cat xmlsec.out
	grep -q '^OK' xmlsec.out
}
sign() {
	o=$1
	shift
	"$testpki" sign pki --out "$o" "$@"
}
signed() { sign "$@" && xmlsec "$1"; }
for shape in enveloped enveloping detached sibling parallel counter manifest; do
	for key in rsa ecdsa; do
		ok "xmlsec1: $shape, $key" signed "$shape-$key.xml" --shape $shape --key $key --name "$shape $key"
	done
	tampered() { sign "bad-$shape.xml" --shape $shape --name "$shape rsa" --tamper && not xmlsec "bad-$shape.xml"; }
	# xmlsec1 reports the entries of a manifest, and does not judge by them
	[ $shape != manifest ] || tampered() { sign bad-manifest.xml --shape manifest --name "manifest rsa" --tamper && xmlsec bad-manifest.xml && grep 'Manifests References (ok/all): 1/2' xmlsec.out; }
	ok "xmlsec1: $shape, tampered" tampered
done
for form in exc exc-comments c14n10 c14n10-comments c14n11 c14n11-comments; do
	for shape in enveloped enveloping sibling; do
		ok "xmlsec1: $form, $shape" signed "$shape-$form.xml" --shape $shape --c14n $form --name forms
	done
done
for t in xpath filter2; do
	ok "xmlsec1: $t" signed $t.xml --transform $t --name forms
done
printf '%%PDF-1.4 nothing much\n' >some.pdf
ok "xmlsec1: base64" signed base64.xml --shape enveloping --transform base64 --in some.pdf --name forms
for enc in ISO-8859-2 UTF-16 UTF-16LE; do
	ok "xmlsec1: $enc" signed "enc-$enc.xml" --encoding $enc --name forms
done
ok "it is ISO-8859-2" grep -q 'encoding="ISO-8859-2"' enc-ISO-8859-2.xml
for d in sha384 sha512; do
	ok "xmlsec1: $d" signed $d.xml --digest $d --sig-digest $d --name "enveloped rsa"
done
ok "xmlsec1: SigningCertificate of the first kind" signed v1.xml --signing-cert v1 --name forms
ok "xmlsec1: certificate alone in KeyInfo" sh -c "'$testpki' sign pki --out alone.xml --no-cert-chain --name forms && [ \$(grep -o '<ds:X509Certificate>' alone.xml | wc -l) = 1 ]"
ok "xmlsec1: EPES" signed epes.xml --level epes --name forms
policy_hash() {
	curl -sf "$url/policy" | openssl dgst -sha256 -binary | base64 >hash
	grep -o '<xades:SigPolicyHash>.*</xades:SigPolicyHash>' epes.xml | grep -F "$(cat hash)"
}
ok "the policy's hash is that of what is served" policy_hash
ok "xmlsec1: with a stamp" signed stamped.xml --level t --name forms --shape enveloping
signed_file() {
	echo '<a xmlns="urn:a"><b>1</b></a>' >in.xml && sign over.xml --in in.xml --shape sibling --name forms && xmlsec over.xml &&
		grep -q '<a xmlns="urn:a"><b>1</b></a>' over.xml
}
ok "a document of one's own" signed_file
second() {
	sign first.xml --shape sibling --name forms && sign outer.xml --in first.xml --name "enveloped rsa" &&
		outer=$(grep -o '<ds:Signature [^>]*Id="[^"]*"' outer.xml | tail -n 1 | sed 's/.*Id="//; s/"//') &&
		xmlsec outer.xml && xmlsec --node-id "$outer" outer.xml
}
ok "a signature over a signed document leaves it whole" second
ok "data beside a detached signature" sh -c "'$testpki' sign pki --out 'de ta.xml' --shape detached --in some.pdf --name forms && grep -q 'URI=\"some.pdf\"' 'de ta.xml' && grep -q application/pdf 'de ta.xml'"
if "$python" -c 'import lxml' 2>/dev/null; then
	values() { "$python" "$judge" "$@"; }
	for key in rsa pss ecdsa p384 p521 brainpool brainpool384 ed25519 rsa4096; do
		one() { sign "key-$key.xml" --key $key --name "key $key" && values "key-$key.xml"; }
		ok "second judge: $key" one
	done
	sha3() { sign sha3.xml --digest sha3-256 --sig-digest sha3-512 --name forms && values sha3.xml; }
	ok "second judge: SHA-3" sha3
	ok "second judge: stamp, parallel, counter" values stamped.xml parallel-rsa.xml counter-ecdsa.xml
	for shape in enveloping detached sibling parallel counter; do
		long() {
			sign "lta-$shape.xml" --shape $shape --level lta --tsa tsa2 --name forms && xmlsec "lta-$shape.xml" &&
				values "lta-$shape.xml" && grep -q 'x141:ArchiveTimeStamp' "lta-$shape.xml"
		}
		ok "second judge: archive time-stamp, $shape" long
	done
	sed 's/<xades:EncapsulatedCRLValue>M/<xades:EncapsulatedCRLValue>N/' lta-sibling.xml >broken-lta.xml
	ok "second judge: says no to an archive time-stamp" not values broken-lta.xml
	ok "values stand in a document of level lt" sh -c "'$testpki' sign pki --out lt.xml --level lt --ca ca2 --name 'l t' && grep -q EncapsulatedCRLValue lt.xml"
	sed 's/\(<ds:SignatureValue[^>]*>\)..../\1AAAA/' key-pss.xml >broken.xml
	ok "second judge: says no" not values broken.xml
else
	skip "second judge: lxml is not there"
fi
schema() {
	for f in *.xml; do
		case $f in in.xml | bad-* | broken*) continue ;; esac
		"$python" -c "
import sys
from lxml import etree
n = 0
for s in etree.parse(sys.argv[1]).iter('{http://www.w3.org/2000/09/xmldsig#}Signature'):
    n += 1
    open('one-%d.sig' % n, 'wb').write(etree.tostring(s, with_tail=False))
" "$f" || return 1
		for s in one-*.sig; do
			XML_CATALOG_FILES=$shared/schemas/catalog.xml xmllint --nonet --noout --schema "$shared/schemas/xades.xsd" "$s" || { echo "$f"; return 1; }
		done
		rm -f one-*.sig
	done
}
if [ -f "$shared/schemas/xades.xsd" ]; then
	ok "schema of every document" schema
elif [ -n "${EVERSEAL_SHARED:-}" ]; then
	skip "schema: none in $shared"
fi

# --- thirty years in one process ---
at 2026-01-01T00:00:00Z
years() {
	for y in 2026 2029 2033 2036 2041 2046 2051 2056; do
		at $y-07-01T00:00:00Z
		for n in 1 2 3; do
			stamp tsa$n && id=$(openssl ts -reply -in r.tsr -text | sed -n "s/.*CN=Test TSA $n G//p") &&
				ca=$(openssl x509 -in "pki/ca/tsa$n-$id.crt" -noout -issuer | sed 's/.* G//') &&
				openssl ts -verify -in r.tsr -queryfile q.tsq -CAfile pki/trust/tsaroot$n.pem \
					-untrusted "pki/ca/tsaca$n-$ca.crt" -attime "$(now)" &&
				crl "tsaca$n-$ca" && crl "tsaroot$n-1" && cat "tsaca$n-$ca.crl.pem" "tsaroot$n-1.crl.pem" >crls.pem &&
				openssl verify -attime "$(now)" -crl_check_all -CRLfile crls.pem -CAfile pki/trust/tsaroot$n.pem \
					-untrusted "pki/ca/tsaca$n-$ca.crt" "pki/ca/tsa$n-$id.crt" || { echo "tsa$n in $y"; return 1; }
		done
		"$testpki" issue pki --name "of $y" && "$testpki" sign pki --name "of $y" --out "of$y.xml" && xmlsec "of$y.xml" || return 1
		ca=$(openssl x509 -in "pki/ee/of $y.crt" -noout -text | sed -n 's,.*/ca/\(ca1-[0-9]*\).crt,\1,p')
		openssl ocsp -issuer "pki/ca/$ca.crt" -cert "pki/ee/of $y.crt" -url "$url/ocsp/$ca" -CAfile pki/trust/root.pem \
			-verify_other "pki/ca/$ca.crt" -attime "$(now)" >ocsp.out 2>&1
		grep -q 'Response verify OK' ocsp.out || { cat ocsp.out; return 1; }
	done
}
ok "thirty years of tokens, CRLs, OCSP and signatures" years
ended() {
	curl -sf --data-binary @ocsp.req "$url/ocsp/ca1-1" | hex >x && [ "$(cat x)" = 30030a0106 ] && not curl -sf "$url/crl/ca1-1.crl" -o /dev/null
}
ok "a CA that has ended answers unauthorized and publishes nothing" ended
clean_end() {
	pid=$(cut -d' ' -f1 pki/serve.pid) && "$testpki" stop pki &&
		for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.3; done
	not kill -0 "$pid" && cat pki/serve.log && not grep -q 'Sanitizer' pki/serve.log
}
ok "the server ends when told, and cleanly" clean_end
at 2026-01-01T00:00:00Z
again() { "$testpki" serve pki --daemon && stamped tsa1 && ocsp carol revoked && chain_ee alice ca1; }
ok "served again from the folder" again
exit $failed
