#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/fuzz/corpus.sh BUILD: the entries over others' data, each file once and as it is. Part of `make corpus`.
set -u
replay=$1/fuzz/replay
export EVERSEAL_FUZZ="$1/fuzz/seeds"
c=${EVERSEAL_SHARED:-../shared}/corpus
[ -d "$c" ] || { echo "there is no $c: EVERSEAL_SHARED names it" >&2; exit 1; }
bad=0
over() { # "entries" folder...
	entries=$1
	shift
	for e in $entries; do
		find "$@" -type f -print0 | sort -z | xargs -0 "$replay" --on "$e" || bad=1
	done
}
over "xml c14n sigdoc insertion verify cage form" "$c/xades" "$c/xmldsig" "$c/xml-hostile" "$c/ddoc" "$c/tsl" "$c/er-xml" "$c/xaip"
over "crl answer ber" "$c/crl"
over "cert anchors ber" "$c/trust"
over "ber token form" "$c/er-asn1" "$c/asic"
over catalogue "$c/crypto-catalogue"
exit $bad
