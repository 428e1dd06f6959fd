#!/bin/sh
# A verdict that passed and can't be proved is our defect: INDETERMINATE, exit code 70, an alarm that stays until a sound program judged anew.
set -u
build=${BUILD:-build}
w=$build/tests/unproven-work
es=$(pwd)/$build/everseal
broken=$(pwd)/$build/tests/unproven
pki=$(pwd)/$build/testpki
"$pki" stop "$w/pki" >/dev/null 2>&1
rm -rf "$w"
mkdir -p "$w/in"
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
clock=$(pwd)/$w/clock
at() { printf '%s\n' "$1" >"$clock.n" && mv "$clock.n" "$clock"; }
T=2026-01-01T12:00:00Z
at $T
export TESTPKI_POOL="$build/tests/pool"
mkdir -p "$TESTPKI_POOL"
"$pki" init "$w/pki" --clock "$clock" --root-crl-months 1 >/dev/null || bad "test PKI"
"$pki" serve "$w/pki" --daemon --ready-file "$w/ready" || bad "test PKI serves"
trap '"$pki" stop "$w/pki" >/dev/null 2>&1' EXIT
u=http://127.0.0.1:$(cat "$w/pki/port")
"$pki" sign "$w/pki" --name deed --shape enveloped --key ecdsa --level lt --out "$w/in/deed.xml" >/dev/null

# ---- a file
out=$("$es" verify "$w/in/deed.xml" --trust "$w/pki/trust" --at $T)
is "a sound program: exit" $? 0
has "a sound program: proved" "$out" " lines (--json shows them)"
out=$("$broken" verify "$w/in/deed.xml" --trust "$w/pki/trust" --at $T)
is "not proved: exit" $? 70
has "not proved: it does not count" "$out" ": INDETERMINATE"
has "not proved: who is to blame" "$out" "DEFECT OF EVERSEAL"
has "not proved: why" "$out" "ProofChecked: the checker does not accept the derivation of a PASSED: line 0: the test has it so"
case $out in *TOTAL-PASSED* | *"proved in"* | *"nothing of it was altered"*) bad "not proved: and nothing says otherwise" "$out" ;; *) ok "not proved: and nothing says otherwise" ;; esac
out=$("$broken" --json verify "$w/in/deed.xml" --trust "$w/pki/trust" --at $T)
is "not proved: exit with --json" $? 70
is "not proved: counted" "$(echo "$out" | json 'd["documents"][0]["unproven"] > 0')" True
printf '<a/>' >"$w/in/none.xml"
"$broken" verify "$w/in/none.xml" --trust "$w/pki/trust" --at $T >/dev/null
is "nothing passed: nothing to prove" $? 3
"$broken" verify "$w/in/none.xml" "$w/in/deed.xml" --trust "$w/pki/trust" --at $T >/dev/null
is "the worst of several is our own defect" $? 70

# ---- an archive
"$es" init --simulated "$w/a" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "${u#http://}" >/dev/null
cp "$w"/pki/trust/* "$w/a/trust/"
export EVERSEAL_CONFIG="$w/a/everseal.conf"
rec=$("$broken" deposit "$w/in/deed.xml" 2>/dev/null | json 'd["record"]')
"$broken" verify "$rec" >/dev/null
is "a record: exit" $? 70
"$broken" list --judge >/dev/null
is "list --judge: exit" $? 70
"$es" verify "$rec" >/dev/null
is "a record, by a sound program" $? 0
has "status shows it" "$("$es" status)" "DEFECT OF EVERSEAL, please report it: record $rec"
is "status --json shows it" "$("$es" --json status | json 'd["unproven"][0]["record"]')" "$rec"
out=$("$broken" --json run --once 2>"$w/o")
is "the run's exit code" $? 70
has "the run tells it" "$(cat "$w/o")" "record $rec: a defect of Everseal, please report it"
has "and alarms" "$(echo "$out" | json 'd["alarms"]')" "this is a defect of Everseal"
"$broken" history "$rec" --html "$w/page.html"
has "the page tells it" "$(cat "$w/page.html")" "A defect of Everseal"
at 2026-01-02T12:10:00Z
"$es" --quiet run --once >/dev/null 2>&1
is "it stays until somebody has the record judged anew" $? 70
"$broken" --quiet release "$rec" >/dev/null 2>&1
"$broken" --quiet run --once >/dev/null 2>&1
is "which this program does not better" $? 70
"$es" --quiet release "$rec" >/dev/null 2>&1
is "release: exit" $? 0
"$es" --quiet run --once >/dev/null 2>&1
is "a sound program judged anew: no alarm" $? 0
is "and none in status" "$("$es" --json status | json 'd["unproven"]')" "[]"
