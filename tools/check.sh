#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks this bundle with other people's tools alone: sha256sum, openssl, xmlsec1, and imprint.py (python3 with lxml).
#	sh check.sh			with the anchors that lie in trust/ (the archive's choice)
#	sh check.sh ANCHORS		with certificates of yours: a folder of PEM or DER files
#	sh check.sh -1 [ANCHORS]	stops at the first failure
# A line for each check: OK, FAILED, or NOT RUN with the reason. Ends with 1 if anything failed, with 3 if nothing failed
# but something could not be run, with 0 if all was checked and all was right.
LC_ALL=C
export LC_ALL
stop=
[ "${1:-}" != -1 ] || { stop=1 && shift; }
anchors=${1:-}
[ -z "$anchors" ] || [ -d "$anchors" ] || { # a slip is no failed check
	printf '%s is no folder\nusage: sh check.sh [-1] [ANCHORS]   ANCHORS: a folder of certificates, PEM or DER\n' "$anchors" >&2
	exit 64
}
case $anchors in '' | /*) ;; *) anchors=$(pwd)/$anchors ;; esac
cd "$(dirname "$0")" || exit 1
anchors=${anchors:-$(pwd)/trust}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/failed"
: >"$tmp/skipped"
ok() { printf 'OK       %s\n' "$1"; }
failed() { printf 'FAILED   %s\n' "$1" && echo x >>"$tmp/failed"; }
skipped() { printf 'NOT RUN  %s: %s\n' "$1" "$2" && echo x >>"$tmp/skipped"; }
judged() { # what was its outcome
	name=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then ok "$name"; else
		failed "$name"
		sed 's/^/         | /' "$tmp/out" | tail -n 4
		[ -z "$stop" ] || exit 1
	fi
}
tab=$(printf '\t')
python=
for p in "${PYTHON:-python3}" /usr/bin/python3; do
	"$p" -c 'import lxml' 2>/dev/null && python=$p && break
done
# "key":"value" in canonical JSON: no white space, no escapes in hexadecimal text.
member() { sed -n "s/.*\"$1\":{\"sha256\":\"\([0-9a-f]*\)\".*/\1/p" "$2"; }

# ---- every file is as it was listed, and nothing was added ----
all_listed() {
	find . -type f ! -path ./SHA256SUMS | sed 's|^\./||' | sort >"$tmp/there"
	sed 's/^[0-9a-f]*  //' SHA256SUMS | sort >"$tmp/listed"
	diff "$tmp/listed" "$tmp/there"
}
judged "SHA256SUMS: every file has its digest" sha256sum -c --quiet --strict SHA256SUMS
judged "SHA256SUMS: no file is missing, none is added" all_listed

# ---- the record's manifests: each named by its digest, each naming the one before; the receipt names the first ----
chain() {
	before=
	for m in manifests/*.json; do
		sum=$(sha256sum <"$m")
		sum=${sum%% *}
		case $m in *"-$sum.json") ;; *) echo "$m has digest $sum" && return 1 ;; esac
		[ "$(member previous "$m")" = "$before" ] || { echo "$m names another predecessor" && return 1; }
		[ -n "$before" ] || first=$sum
		before=$sum
		newest=$m
	done
	[ "$(member manifest receipt.json)" = "$first" ] || { echo "the receipt is of another manifest" && return 1; }
}
# Files of both versions stand in the newest manifest with their digests.
files_named() {
	for m in manifests/*.json; do newest=$m; done
	find original files -type f | while IFS= read -r f; do
		sum=$(sha256sum <"$f")
		grep -qF "\"sha256\":\"${sum%% *}\"" "$newest" || { echo "$f is not in $newest" && exit 1; }
	done
}
judged "manifests: digests, links, receipt" chain
judged "files: their digests stand in the newest manifest" files_named

# ---- the log's checkpoint is signed (Ed25519) by log.pub: text up to the empty line; key id of four octets, then the signature ----
checkpoint() {
	sed '/^$/,$d' checkpoint >"$tmp/note"
	sed -n '/^$/,$p' checkpoint | sed -n 's/^[^ ]* [^ ]* \([A-Za-z0-9+/=]*\)$/\1/p' | head -n 1 | openssl base64 -d -A | tail -c +5 >"$tmp/sig"
	openssl pkeyutl -verify -rawin -pubin -inkey log.pub -in "$tmp/note" -sigfile "$tmp/sig"
}
in_receipt() { # the receipt carries the same checkpoint, as one JSON text
	awk '{ printf "%s\\n", $0 }' checkpoint >"$tmp/line"
	grep -qF -f "$tmp/line" receipt.json
}
judged "checkpoint: signed by log.pub" checkpoint
judged "checkpoint: the receipt's" in_receipt

# ---- time-stamps: the token covers these octets, and these octets are what the signature's property covers ----
for f in "$anchors"/* "$anchors"/tsa/*; do
	[ -f "$f" ] && openssl x509 -in "$f" -outform PEM 2>/dev/null
done >"$tmp/anchors.pem"
stamp() { # base attime
	openssl ts -verify -partial_chain -attime "$2" -data "tokens/$1.octets" -in "tokens/$1.tst" -token_in \
		-CAfile "$tmp/anchors.pem" -untrusted "tokens/$1.pem"
}
# Base64 without white space; zeros go too, for UTF-16.
token_of() { # base file
	openssl base64 -A -in "tokens/$1.tst" -out "$tmp/token" && tr -d ' \t\r\n\000' <"files/$2" | grep -qF -f "$tmp/token"
}
imprint() { # base file element
	"$python" imprint.py "files/$2" --dir files --stamp "$3" -o "$tmp/octets" && cmp "$tmp/octets" "tokens/$1.octets"
}
while IFS=$tab read -r base file element attime type time octets; do
	judged "$base: the token stands in files/$file" token_of "$base" "$file"
	if [ "$octets" != octets ]; then
		skipped "$base" "its octets are not at hand (index.json says why)"
		continue
	fi
	judged "$base: openssl ts -verify at $time" stamp "$base" "$attime"
	if [ -z "$python" ]; then
		skipped "$base: imprint.py" "no python3 with lxml"
	elif [ "$element" = 0 ]; then
		skipped "$base: imprint.py" "$type of an older XAdES"
	else
		judged "$base: imprint.py makes the same octets of files/$file" imprint "$base" "$file" "$element"
	fi
done <stamps.tsv

# ---- signatures, RSA and ECDSA ----
# Only the signing certificate's key may be used; whether that certificate counts is a question of chain and time.
signature() { # signature file number id-options
	(cd files && xmlsec1 --verify --enabled-key-data key-name --pubkey-cert-pem "../signatures/$1.pem" $4 \
		--node-xpath "(//*[local-name()='Signature' and namespace-uri()='http://www.w3.org/2000/09/xmldsig#'])[$3]" "$2")
}
while IFS=$tab read -r number file place ids beyond; do
	[ "$ids" != - ] || ids=
	if [ "$beyond" != - ]; then
		skipped "signature $number: xmlsec1" "$beyond"
	elif ! command -v xmlsec1 >/dev/null; then
		skipped "signature $number: xmlsec1" "it is not installed"
	else
		judged "signature $number of files/$file: xmlsec1" signature "$number" "$file" "$place" "$ids"
	fi
done <signatures.tsv

if [ -s "$tmp/failed" ]; then
	echo "FAILED: $(wc -l <"$tmp/failed") checks"
	exit 1
fi
if [ -s "$tmp/skipped" ]; then
	echo "nothing failed; NOT RUN: $(wc -l <"$tmp/skipped") checks"
	exit 3
fi
echo "all checks are OK"
