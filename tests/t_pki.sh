#!/bin/sh
# SPDX-License-Identifier: MIT
# The test PKI judged by other people's tools: openssl, xmlsec1, xmllint, curl.
set -u
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
testpki=$build/testpki
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
# The session's system clock is no judge: every tool is told the virtual time.
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

# --- signatures ---
ids="--id-attr:Id http://www.w3.org/2000/09/xmldsig#:Signature --id-attr:Id http://www.w3.org/2000/09/xmldsig#:Object
--id-attr:Id http://uri.etsi.org/01903/v1.3.2#:SignedProperties --id-attr:Id data
--id-attr:Id http://www.w3.org/2000/09/xmldsig#:SignatureValue --id-attr:Id http://www.w3.org/2000/09/xmldsig#:Manifest"
# shellcheck disable=SC2086 # a list
xmlsec() {
	xmlsec1 --verify --verification-gmt-time "$(date -u -d "@$(now)" '+%Y-%m-%d %H:%M:%S')" --trusted-pem pki/trust/root.pem $ids "$@" >xmlsec.out 2>&1
	cat xmlsec.out
	grep -q '^OK' xmlsec.out
}
signed() {
	out=$1
	shift
	"$testpki" sign pki --out "$out" "$@" && xmlsec "$out"
}
for shape in enveloped enveloping detached sibling parallel counter manifest; do
	for key in rsa ecdsa; do
		ok "xmlsec1: $shape, $key" signed "$shape-$key.xml" --shape $shape --key $key --name "$shape $key"
	done
done
exit $failed
