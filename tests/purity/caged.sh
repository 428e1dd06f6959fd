#!/bin/sh
# SPDX-License-Identifier: MIT
# The program itself, in its cage: every signed file of the outside corpus is
# judged twice, twenty years apart on the wall clock; the reports are equal octet
# by octet. The control: without --at the two differ, so the clock did move.
#	BUILD=build EVERSEAL_SHARED=DIR sh tests/purity/caged.sh
set -u
build=${BUILD:-build}
shared=${EVERSEAL_SHARED:-../shared}
w=$build/purity
so=$(pwd)/$build/tests/shift.so
rm -rf "$w"
mkdir -p "$w/trust"
fails=0
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { fails=1; printf '[  FAILED  ] %s\n' "$1"; }
[ -d "$shared/corpus/xades" ] || { bad "no corpus in $shared"; exit 1; }
find "$shared/corpus/xades" -type f -size -4096k \( -name '*.xml' -o -name '*.xades' -o -name '*.p7x' \) | LC_ALL=C sort >"$w/files"
# Every anchor of the corpus, so that chains, time-stamps and past validation are walked to their ends.
find "$shared/corpus/trust" -type f \( -name '*.cer' -o -name '*.crt' \) | LC_ALL=C sort | while IFS= read -r f; do
	openssl x509 -in "$f" -noout 2>/dev/null && cp "$f" "$w/trust/$(echo "$f" | cksum | cut -d' ' -f1).crt"
done
judge() { # SECONDS OUT
	SHIFT_SECONDS=$1 LD_PRELOAD=$so LD_LIBRARY_PATH= xargs -d '\n' -n 200 "$build/everseal" --json verify --trust "$w/trust" --at 2026-01-01T00:00:00Z --policy dss-lenient <"$w/files" >"$2" 2>"$2.err"
}
judge 0 "$w/now"
judge 631139040 "$w/later"
n=$(grep -o '"evidence_records"' "$w/now" | wc -l)
[ "$n" -eq "$(wc -l <"$w/files")" ] && ok "$n reports, each in the cage" || bad "$n reports of $(wc -l <"$w/files") files"
cmp "$w/now" "$w/later" && ok "equal octets, twenty years apart" || bad "reports differ"
grep -q TOTAL-PASSED "$w/now" && ok "$(grep -o '"indication": *"TOTAL-PASSED"' "$w/now" | wc -l) signatures pass" || bad "nothing passes: the anchors are missing"
first=$(head -n 1 "$w/files")
for s in 0 631139040; do
	SHIFT_SECONDS=$s LD_PRELOAD=$so "$build/everseal" --json verify "$first" --trust "$w/trust" 2>/dev/null | grep -o '"validation_time": *"[^"]*"' | head -n 1
done | sort -u | wc -l >"$w/times"
[ "$(cat "$w/times")" -eq 2 ] && ok "control: without --at the clock is asked, and it moved" || bad "control: the clock did not move"
exit $fails
