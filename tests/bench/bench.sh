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
	# RSA chains, where a certificate costs more than a signature: of the test data from outside, when it is there.
	rsa=${EVERSEAL_SHARED:-../shared}/corpus
	if [ -f "$rsa/xades/dss/dss-xades/validation/xades-lta-valid.xml" ]; then
		mkdir -p "$dir/rsa"
		cp "$rsa"/trust/dss-tops/7794955416894fa0* "$rsa"/trust/dss-tops/9b25de420e7bf487* "$dir/rsa/"
		BENCH_POLICY=dss "$dir/lta" "$dir/rsa" 2021-08-13T13:27:00Z "$rsa/xades/dss/dss-xades/validation/xades-lta-valid.xml" >>"$rows"
	fi
	# As a command: what is left when an empty program linked alike is taken away, against the same floor.
	file=$dir/in/lta-rsa2048.xml
	floor=$(awk -F'\t' '$2 ~ /lta-rsa2048/ { n = split($5, w, " "); print w[n - 1] }' "$rows")
	set -- $("$dir/measure" 31 -- "$dir/empty" -- "$build/everseal" verify "$file" --trust "$pki/trust" --at "$at" --json | cut -d' ' -f1,3)
	[ "$4" -eq 0 ] || { note "verify does not pass"; exit 1; }
	row b "the same as a command, less an empty program linked alike" \
		"$(awk -v c="$3" -v e="$1" -v f="$floor" 'BEGIN { printf "%.2f", (c - e) * 1000 / f }')" "<= 1.5" \
		"command $3 ms, empty program $1 ms, floor $floor us"
fi
# Instructions do not depend on who else is at work. Reported only.
instructions() { # program, function that counts, repetitions, arguments
	program=$1 name=$2 times=$3
	shift 3
	valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect="$name" "$dir/$program" "$@" 2>&1 |
		awk -v t="$times" '/Collected/ { printf "%.0f", $4 / (t + 1e-9) / 1000 }'
}
count() { # row, what, program, repetitions, arguments behind --repeat product|floor
	id=$1 what=$2 program=$3 times=$4
	shift 4
	ours=$(instructions "$program" product "$times" --repeat product "$@")
	theirs=$(instructions "$program" floor_of "$times" --repeat floor "$@")
	row "$id" "$what" "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')" - "$ours thousand instructions; floor $theirs thousand"
}
if command -v valgrind >/dev/null 2>&1; then
	! wants a || count a "instructions, core check, rsa2048.xml" core 100 "$dir/in/rsa2048.xml"
	! wants b || count b "instructions, full verdict, lta-rsa2048.xml" lta 20 "$pki/trust" "$at" "$dir/in/lta-rsa2048.xml"
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
