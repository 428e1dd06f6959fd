#!/bin/sh
# The bench: documents by the test PKI, each ratio in one run, a table at the end
# (docs/bench.md). Timed, so no part of check. Figures are medians of interleaved
# repetitions; processor time where that is what counts.
#	make bench			everything
#	ONLY="a b" make bench		some of it: a b c d e
#	STRICT=1 make bench		a missed aim is a failure
set -eu
build=${BUILD:-build}
dir=$build/bench
only=${ONLY:-a b c d e}
pki=$dir/pki
rows=$dir/rows.tsv
at=2026-01-01T00:00:10Z

wants() { case " $only " in *" $1 "*) true ;; *) false ;; esac; }
note() { printf 'bench: %s\n' "$*" >&2; }
row() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$rows"; } # id, what, figure, aim, made of

rm -rf "$pki" "$rows" "$dir/in"
mkdir -p "$dir/in" "$dir/pool"
: >"$rows"
export TESTPKI_POOL="$dir/pool"
"$build/testpki" init "$pki" --clock "$dir/clock" >/dev/null
sign() { "$build/testpki" sign "$pki" "$@" >/dev/null; }

if wants a; then
	note "(a) core check"
	sign --name core --shape enveloped --key rsa2048 --out "$dir/in/rsa2048.xml"
	sign --name core2 --shape enveloped --key ecdsa --out "$dir/in/p256.xml"
	"$dir/core" "$dir/in/rsa2048.xml" "$dir/in/p256.xml" >>"$rows"
fi
if wants b; then
	note "(b) full verdict"
	for k in rsa2048 ecdsa; do
		sign --name "lta-$k" --shape enveloped --key "$k" --level lta --out "$dir/in/lta-$k.xml"
	done
	"$dir/lta" "$pki/trust" "$at" "$dir"/in/lta-*.xml >>"$rows"
fi
! wants c || . tests/bench/part_c.sh
for part in d e; do
	! wants $part || . tests/bench/part_de.sh
done

# ---- the table ----
printf '\n     %-62s %10s %10s\n' "" figure aim
awk -F'\t' '
function met(f, aim, a) { split(aim, a, " "); return a[1] == "<=" ? f + 0 <= a[2] + 0 : f + 0 >= a[2] + 0 }
{
	state = "   "
	if ($4 != "-") { total++; if (met($3, $4)) ok++; else { state = " ! "; missed++ } }
	printf "(%s)%s%-62s %10s %10s\n      %s\n", $1, state, $2, $3, $4, $5
}
END { printf "\n%d aims, %d reached, %d missed\n", total, ok, missed; exit missed > 0 ? 1 : 0 }' "$rows" && exit 0
[ -z "${STRICT:-}" ]
