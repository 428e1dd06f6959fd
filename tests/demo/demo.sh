#!/bin/sh
# A simulated archive lives thirty years in a few minutes: a dozen deposits by
# the spool, a test PKI on loopback, steps of a month, a sweep each year.
#	BUILD=build sh tests/demo/demo.sh		DOCUMENTS=DIR adds files of yours
set -eu
build=${BUILD:-build}
years=${YEARS:-30}
demo=$build/demo
everseal=$(pwd)/$build/everseal
testpki=$(pwd)/$build/testpki
say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

[ -x "$testpki" ] && [ ! -d "$demo/pki" ] || "$testpki" stop "$demo/pki" >/dev/null 2>&1 || true
rm -rf "$demo"
mkdir -p "$demo/in"
clock=$(pwd)/$demo/clock
export TESTPKI_POOL="$build/demo-pool"
mkdir -p "$TESTPKI_POOL"
now() { printf '%s\n' "$1" >"$clock.new" && mv "$clock.new" "$clock"; }
now 2026-01-01T00:00:00Z

step "A test PKI of its own (real HTTP, OCSP, CRL, TSA over loopback)"
"$testpki" init "$demo/pki" --clock "$clock" --root-crl-months 1 >/dev/null
"$testpki" serve "$demo/pki" --daemon --ready-file "$demo/pki.ready"
trap '"$testpki" stop "$demo/pki" >/dev/null 2>&1 || true' EXIT
port=$(cat "$demo/pki/port")
say "serving on 127.0.0.1:$port; anchors: $(cd "$demo/pki/trust" && echo *)"

step "A simulated archive"
base=http://127.0.0.1:$port
"$everseal" init --simulated "$demo" --clock "$clock" --tsa "$base/tsa1,$base/tsa2,$base/tsa3" --allow-net "127.0.0.1:$port"
cat >>"$demo/everseal.conf" <<END

# The TSA whose algorithm (RSA PKCS#1) ends by the catalogue on 2029-01-01 comes first here.
[profile rsa-tsa]
version = 1
target = A
grace = 24h
tsa = tsa3, tsa2
END
mkdir -p "$demo/trust"
cp "$demo"/pki/trust/* "$demo/trust/"
export EVERSEAL_CONFIG="$demo/everseal.conf"
"$everseal" config check

step "A dozen deposits by the spool"
spool=$demo/spool/desk
sign() { # name, then options of testpki sign
	out=$1
	shift
	"$testpki" sign "$demo/pki" --name "$out" --out "$demo/in/$out.xml" "$@" >/dev/null
}
put() { for f in "$@"; do cp -r "$f" "$spool/tmp/" && mv "$spool/tmp/$(basename "$f")" "$spool/new/"; done; }
sign contract --shape enveloped --key rsa
sign invoice --shape enveloping --key ecdsa --ca ca2
sign judgment --shape parallel --key pss
sign countersigned --shape counter --key p384
sign policy-bound --shape enveloped --level epes --key brainpool
sign ed25519 --shape sibling --key ed25519
sign latin2 --shape enveloped --key rsa --encoding ISO-8859-2
mkdir -p "$demo/in/detached"
"$testpki" sign "$demo/pki" --name detached --shape detached --key ecdsa --out "$demo/in/detached/signature.xml" >/dev/null
sign tampered --shape enveloped --key ecdsa --tamper
sign revoked --shape enveloped --key ecdsa
sign unknown --shape enveloped --key ecdsa
"$testpki" revoke "$demo/pki" --name revoked --at 2025-12-31T12:00:00Z >/dev/null
"$testpki" forget "$demo/pki" --name unknown >/dev/null
printf '%%PDF-1.4\n%% a plain file without a signature of ours\n%%%%EOF\n' >"$demo/in/plain.pdf"
put "$demo"/in/*.xml "$demo/in/detached" "$demo/in/plain.pdf"
printf '{"profile": "baseline", "title": "An invoice", "id": "INV-2026-1"}\n' >"$spool/new/invoice.xml.meta.json"
printf '{"profile": "rsa-tsa"}\n' >"$spool/new/latin2.xml.meta.json"
"$everseal" run --once
if [ -n "${DOCUMENTS:-}" ]; then # after ours are taken: names may be the same
	for f in "$DOCUMENTS"/*; do put "$f"; done
	"$everseal" run --once
fi
say "receipts in $spool/done: $(cd "$spool/done" && ls | grep -c 'receipt.json$')"

step "$years years, in steps of a month"
start=$(date +%s)
year=2026
last=$((2026 + years))
while [ "$year" -lt "$last" ]; do
	for month in 01 02 03 04 05 06 07 08 09 10 11 12; do
		[ "$year-$month" != 2026-01 ] || { # the first days, so that the grace period shows
			now 2026-01-02T00:10:00Z
			"$everseal" --quiet run --once >/dev/null
			now 2026-01-03T00:20:00Z
			"$everseal" --quiet run --once >/dev/null
			continue
		}
		now "$year-$month-01T00:00:00Z"
		if [ "$year-$month" = 2033-01 ]; then
			say "$year: tsa1 is away for a year"
			"$testpki" misbehave "$demo/pki" --service tsa1 --mode away >/dev/null
		elif [ "$year-$month" = 2034-01 ]; then
			"$testpki" misbehave "$demo/pki" --clear >/dev/null
			say "$year: tsa1 is back"
		fi
		"$everseal" --quiet run --once >>"$demo/run.log" 2>>"$demo/run.err"
	done
	"$everseal" --quiet sweep 2>>"$demo/run.err" >"$demo/sweep.now" || say "$year: the sweep has failures, see $demo/run.err"
	cat "$demo/sweep.now" >>"$demo/sweeps.log"
	if grep -q 'renewed 0, late 0, failed 0' "$demo/sweep.now"; then
		sed -n "s/.*next class due \(.*\)/$year: nothing to renew, next due \1/p" "$demo/sweep.now"
	else
		sed 's/^SIMULATED sweep \([0-9-]*\).*/\1: sweep/' "$demo/sweep.now"
	fi
	year=$((year + 1))
done
now "$last-01-01T00:00:00Z"
"$everseal" --quiet run --once >>"$demo/run.log" 2>>"$demo/run.err"
say "took $(($(date +%s) - start)) s"

step "What became of them (judged now)"
"$everseal" list --judge
say "  trees: kept, no stamp of its own to renew; quarantined: an operator has to look (history says why)"
"$everseal" --json list --judge >"$demo/summary.json"
"$everseal" log verify
first=$(sed -n 's/^ "record": "\([0-9a-f-]*\)".*/\1/p' "$spool/done/contract.xml.receipt.json")
step "Look further (the archive stays in $demo)"
cat <<END
  export EVERSEAL_CONFIG=$demo/everseal.conf
  $build/everseal status
  $build/everseal forecast
  $build/everseal history $first
  $build/everseal get $first -o /tmp/contract
  $build/everseal verify /tmp/contract/contract.xml --trust $demo/trust --at $last-01-01T00:00:00Z
  $build/everseal verify $spool/done/contract.xml.receipt.json --log-key $demo/archive/log.pub
END
