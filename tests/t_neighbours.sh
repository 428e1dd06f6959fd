#!/bin/sh
# One depositor is not the end of the others: what one gives, and what the
# world answers to it, delays or quarantines nobody else.
set -u
build=${BUILD:-build}
w=$build/tests/neighbours
es=$(pwd)/$build/everseal
pki="$build/testpki"
rm -rf "$w"
mkdir -p "$w/in"
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
clock=$(pwd)/$w/clock
at() { echo "$1" >"$clock.n" && mv "$clock.n" "$clock"; }
at 2026-01-01T00:00:00Z
export TESTPKI_POOL="$build/tests/pool"
mkdir -p "$TESTPKI_POOL"
"$pki" init "$w/pki" --clock "$clock" >/dev/null && "$pki" serve "$w/pki" --daemon --ready-file "$w/ready"
service=
trap '"$pki" stop "$w/pki" >/dev/null 2>&1; [ -z "$service" ] || kill "$service" 2>/dev/null' EXIT
port=$(cat "$w/pki/port")
u=http://127.0.0.1:$port
run() { timeout 120 "$es" --quiet --json run --once >"$w/run" 2>"$w/err"; }
state() { "$es" --json history "$1" | json 'd[-1]["signatures"][0]["state"]'; }
archive() {
	"$es" init --simulated "$w/$1" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "127.0.0.1:$port" >/dev/null
	export EVERSEAL_CONFIG="$w/$1/everseal.conf"
	cp "$w"/pki/trust/* "$w/$1/trust/"
}
signed() { "$pki" sign "$w/pki" --name "$1" --out "$w/in/$1.xml" --shape enveloped --key ecdsa >/dev/null; }
for n in a b c; do signed $n; done

# ---- an issuer is held for two certificates or a day, and until a good answer comes
deposit() { "$es" deposit "$w/in/$1.xml" | json 'd["record"]'; }
holds() { "$es" --json status | json '[h.get("held", False) for h in d["holds"]]'; }
archive h
"$pki" forget "$w/pki" --name a >/dev/null
a1=$(deposit a)
a2=$(deposit a)
run
at 2026-01-02T06:00:00Z
run
is "a certificate that its responder denies: quarantine" "$(state "$a1") $(state "$a2")" "quarantined quarantined"
is "two deposits of one certificate hold no issuer" "$(holds)" "[False]"
b1=$(deposit b)
run
at 2026-01-03T07:00:00Z
"$pki" misbehave "$w/pki" --service crl --mode away >/dev/null
"$pki" misbehave "$w/pki" --service ocsp --mode unknown >/dev/null
"$es" release "$a1" >/dev/null
run
is "denied for more than a day: held" "$(holds)" "[True]"
"$pki" misbehave "$w/pki" --clear >/dev/null
for t in 2026-01-04T08:00:00Z 2026-01-05T09:00:00Z 2026-01-06T10:00:00Z 2026-01-07T11:00:00Z; do at $t; run; done
is "a good answer ends the hold" "$(state "$b1")" archived
is "the one that stays denied stays in quarantine" "$(state "$a1")" quarantined
archive i
"$pki" misbehave "$w/pki" --service ocsp --mode unknown >/dev/null
c1=$(deposit c)
b1=$(deposit b)
run
at 2026-01-08T12:00:00Z
run
is "two certificates denied at once: held" "$(holds)" "[True]"
"$pki" misbehave "$w/pki" --clear >/dev/null
at 2026-01-09T14:00:00Z
run
is "and free again by good answers, without a release" "$(state "$c1") $(state "$b1") $(holds)" "archived archived []"
