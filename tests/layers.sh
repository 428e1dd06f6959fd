#!/bin/sh
# The include rule: a folder includes itself, the folders named here and nothing else of ours.
# archiver and tools use the public headers alone.
set -eu
bad=0
rule() {
	folder=$1 allowed=$2
	for f in "$folder"/*.c "$folder"/*.h; do
		[ -f "$f" ] || continue
		sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f" | while read -r inc; do
			ok=
			case $inc in "$folder"/*) ok=1 ;; esac
			for a in $allowed; do
				case $inc in $a) ok=1 ;; esac
			done
			[ -n "$ok" ] || echo "$f includes $inc"
		done
	done
}
out=$(
	rule base ''
	rule store 'base/*.h'
	rule policy 'base/*.h'
	rule verify 'base/*.h policy/policy.h'
	# the checker shares primitives with the judge and nothing that decides (docs/proof.md)
	rule verify/proof 'base/*.h policy/policy.h verify/verify.h verify/case.h verify/cover.h verify/pki_int.h'
	rule archiver 'base/*.h store/store.h policy/policy.h verify/verify.h'
	rule tools 'base/*.h store/store.h policy/policy.h verify/verify.h archiver/archiver.h'
	rule tests/pki 'base/*.h'
)
if [ -n "$out" ]; then
	echo "$out"
	exit 1
fi
echo "layers: ok"
