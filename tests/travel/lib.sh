# SPDX-License-Identifier: MIT
# For the travel scripts: one test PKI, archives that live by its clock.
# Wants: build, w (the folder of this script, emptied here).
es=$(pwd)/$build/everseal
pki=$(pwd)/$build/testpki
fails=0
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { fails=$((fails + 1)); printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
at() { printf '%s\n' "$1" >"$clock.n" && mv "$clock.n" "$clock"; }

# Starts the PKI at the instant given.
world() {
	"$pki" stop "$w/pki" >/dev/null 2>&1
	rm -rf "$w"
	mkdir -p "$w/in"
	clock=$(pwd)/$w/clock
	at "$1"
	export TESTPKI_POOL="$build/tests/pool"
	mkdir -p "$TESTPKI_POOL"
	"$pki" init "$w/pki" --clock "$clock" --root-crl-months 1 >/dev/null || bad "test PKI"
	"$pki" serve "$w/pki" --daemon --ready-file "$w/ready" || bad "test PKI serves"
	trap '"$pki" stop "$w/pki" >/dev/null 2>&1' EXIT
	u=http://127.0.0.1:$(cat "$w/pki/port")
}
# sign NAME OPTIONS: $w/in/NAME.xml
sign() { o=$1; shift; "$pki" sign "$w/pki" --name "$o" --out "$w/in/$o.xml" "$@" >/dev/null || bad "sign $o"; }
misbehave() { "$pki" misbehave "$w/pki" "$@" >/dev/null || bad "misbehave $*"; }

# archive NAME TSAS: $w/NAME with its configuration; further lines from stdin
archive() {
	"$es" init --simulated "$w/$1" --clock "$clock" --tsa "$2" --allow-net "127.0.0.1:$(cat "$w/pki/port")" >/dev/null 2>&1 || bad "init $1"
	cp "$w"/pki/trust/* "$w/$1/trust/"
	cat >>"$w/$1/everseal.conf"
	"$es" -c "$w/$1/everseal.conf" config check >/dev/null 2>"$w/o" || bad "configuration of $1" "$(cat "$w/o")"
}
# of NAME VERB...
of() { a=$1; shift; "$es" --quiet -c "$w/$a/everseal.conf" "$@"; }
ofj() { a=$1; shift; "$es" --quiet --json -c "$w/$a/everseal.conf" "$@"; }
# deposit NAME PROFILE FILE...
deposit() {
	a=$1 p=$2
	shift 2
	of "$a" deposit --profile "$p" "$@" >>"$w/$a.receipts" || bad "deposit into $a"
}
run() { of "$1" run --once >>"$w/$1.log" 2>>"$w/$1.err"; }
# names NAME CONDITION-ON-r: of records, sorted
names() { ofj "$1" list ${3:-} | json '" ".join(sorted(r["name"] for r in d if '"$2"'))'; }
