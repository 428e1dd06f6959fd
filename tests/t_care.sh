#!/bin/sh
# What an archive finds out about itself: a log that was rolled back or forked,
# tables that rotted, octets that are not what they were; and what it says of that.
set -u
build=${BUILD:-build}
w=$build/tests/care
es=$(pwd)/$build/everseal
rm -rf "$w"
mkdir -p "$w/in"
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
clock=$(pwd)/$w/clock
echo 2026-01-01T00:00:00Z >"$clock"
"$es" init --simulated "$w/a" --clock "$clock" --tsa http://127.0.0.1:9/tsa --allow-net 127.0.0.1:9 >/dev/null 2>&1
export EVERSEAL_CONFIG="$w/a/everseal.conf"
keep() { echo "letter $1" >"$w/in/$1.txt"; "$es" --json deposit "$w/in/$1.txt"; } # prints its receipt
record() { json 'd["record"]' <"$1"; }

keep one >"$w/one.receipt.json"
is "a deposit" $? 0
"$es" log checkpoint >"$w/first"
keep two >/dev/null
cp -r "$w/a/archive" "$w/older"
keep three >"$w/three.receipt.json"
"$es" log checkpoint >"$w/third"
key=$w/a/archive/log.pub

# ---- the log goes on from what somebody kept
"$es" log verify --since "$w/first" >"$w/o" 2>&1
is "log verify --since a checkpoint" $? 0
has "it says so" "$(cat "$w/o")" "it goes on from"
"$es" log verify --since "$w/one.receipt.json" >/dev/null 2>&1
is "log verify --since a receipt" $? 0
is "and in JSON" "$("$es" --json log verify --since "$w/third" | json 'd["since"]["goes_on"], d["since"]["here"] == d["since"]["root"]')" "True True"
sed 's/^time .*/time 1/' "$w/first" >"$w/forged"
"$es" log verify --since "$w/forged" >"$w/o" 2>&1
is "a checkpoint that the key did not sign" "$?$(grep -c 'signature is false' "$w/o")" 11
"$es" log verify --since "$w/none" >/dev/null 2>&1
is "a checkpoint that is not there" $? 66
"$es" log proof >/dev/null 2>&1
is "log proof wants --from" $? 64

# ---- the same without the archive
"$es" --json log proof --from "$w/one.receipt.json" >"$w/proof"
is "log proof" $? 0
is "by its size it is the same" "$("$es" --json log proof --from "$(sed -n 2p "$w/first")")" "$(cat "$w/proof")"
(
	unset EVERSEAL_CONFIG
	"$es" verify "$w/one.receipt.json" --log-key "$key" --consistency "$w/proof" >"$w/o" 2>&1
	is "a receipt, and the log of today goes on from it" $? 0
	has "it says so" "$(cat "$w/o")" "goes on from there"
	"$es" verify "$w/three.receipt.json" --log-key "$key" --consistency "$w/proof" >"$w/o" 2>&1
	is "a proof about another size proves nothing" $? 3
	sed 's/\("path":\["\)[0-9a-f]\{4\}/\10000/' "$w/proof" >"$w/bent"
	"$es" verify "$w/one.receipt.json" --log-key "$key" --consistency "$w/bent" >"$w/o" 2>&1
	is "a bent proof is no fork" $? 3
	echo '{}' >"$w/bent"
	"$es" verify "$w/one.receipt.json" --log-key "$key" --consistency "$w/bent" >"$w/o" 2>&1
	is "no proof at all is none either" $? 3
	"$es" verify "$w/in/one.txt" --trust "$w/in" --consistency "$w/proof" >"$w/o" 2>&1
	is "--consistency is for receipts" $? 64
)

# ---- a fork: an older copy of the archive goes on by itself, under the same key
mv "$w/a/archive" "$w/newer"
cp -r "$w/older" "$w/a/archive"
rm -rf "$w/a/archive/index" "$w/a/archive/ops" "$w/a/archive/newest"
keep four >"$w/four.receipt.json"
"$es" log verify >/dev/null 2>&1
is "the fork is whole in itself" $? 0
"$es" log verify --since "$w/three.receipt.json" >"$w/o" 2>&1
is "a receipt of the other branch" "$?$(grep -c 'a fork: .*root was [0-9a-f]\{64\}, and is [0-9a-f]\{64\} here' "$w/o")" 11
"$es" --json log proof --from "$(sed -n 2p "$w/third")" >"$w/proof"
keep five >/dev/null
"$es" --json log proof --from "$(sed -n 2p "$w/third")" >"$w/proof.5"
for p in proof proof.5; do
	"$es" verify "$w/three.receipt.json" --log-key "$key" --consistency "$w/$p" >"$w/o" 2>&1
	is "the receipt of a fork fails, $p" "$?$(grep -c 'TOTAL-FAILED: a fork: .*root is [0-9a-f]\{64\} in the receipt, and [0-9a-f]\{64\}' "$w/o")" 11
done
rm -rf "$w/a/archive"
cp -r "$w/older" "$w/a/archive"
"$es" log verify --since "$w/third" >"$w/o" 2>&1
is "an older copy" "$?$(grep -c 'an older copy of the archive' "$w/o")" 11
rm -rf "$w/a/archive"
mv "$w/newer" "$w/a/archive"

# ---- tables that rotted
index=$w/a/archive/index/data.mdb
want=$("$es" list)
rot() { # file, octets to keep: the rest becomes garbage
	/usr/bin/python3 -c 'import sys
f = open(sys.argv[1], "r+b"); n = f.seek(0, 2)
f.seek(int(sys.argv[2])); f.write(b"\xa5" * (n - int(sys.argv[2])))' "$1" "$2"
}
for at in 100 8192 12288; do
	rot "$index" $at
	out=$("$es" list 2>"$w/o")
	is "list over a rotten index, $at" "$?$out" "0$want"
	has "it says that the index was made anew" "$(cat "$w/o")" "made anew from the segments"
	"$es" list >/dev/null 2>"$w/o"
	is "once" "$(cat "$w/o")" ""
done
: >"$index"
out=$("$es" list 2>"$w/o")
is "list over an empty index" "$?$out" "0$want"

# ---- scrub: what it finds, whose it is, and that it is remembered
is "never scrubbed" "$("$es" --json status 2>/dev/null | json 'd["last_scrub"]')" None
"$es" scrub >"$w/o" 2>&1
is "scrub of a whole archive" $? 0
is "status remembers it" "$("$es" --json status 2>/dev/null | json 'd["last_scrub"]["damaged"], d["last_scrub"]["full"]')" "0 False"
sha=$(sha256sum "$w/in/two.txt" | cut -d' ' -f1)
is "scrub leaves nothing behind" "$(ls -d "$w/a/archive/scrub" 2>/dev/null)" ""
/usr/bin/python3 - "$w"/a/archive/segments/data-*.tar <<'END'
import sys
for name in sys.argv[1:]:
    f = open(name, "r+b"); b = f.read(); at = b.find(b"letter two")
    if at >= 0:
        f.seek(at); f.write(b"l")
        f.seek(at); f.write(b"L")
END
"$es" --json scrub >"$w/o" 2>/dev/null
is "scrub of an altered octet" $? 1
is "it names member and record" "$(json '[(x["member"], len(x["records"])) for x in d["damage"]]' <"$w/o")" "[('objects/sha256/$sha', 1)]"
"$es" scrub >"$w/o" 2>&1
is "in words too" "$(grep -c '^CONCERNS record ' "$w/o")" 1
is "status remembers that" "$("$es" --json status 2>/dev/null | json 'd["last_scrub"]["damaged"], d["last_scrub"]["records"]')" "1 1"
printf '{"cut off' >>"$w/a/archive/scrubs.jsonl"
is "a line that was cut off is passed over" "$("$es" --json status 2>/dev/null | json 'd["last_scrub"]["damaged"]')" 1
"$es" scrub --full >/dev/null 2>&1
is "and the next one stands behind it" "$("$es" --json status 2>/dev/null | json 'd["last_scrub"]["full"]')" True
