#!/bin/sh
# The flow under bad luck and bad neighbours: crashes between two renames,
# depositors who change their spool while it is read, local users who tie up
# the control socket. Whatever they do, nothing is lost and the rest goes on.
set -u
build=${BUILD:-build}
w=$build/tests/flow
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
"$es" init --simulated "$w/a" --clock "$clock" --tsa "http://127.0.0.1:9/none" --allow-net "127.0.0.1:9" >/dev/null
cat >>"$w/a/everseal.conf" <<END

[spool other]
dir = spool/other
END
export EVERSEAL_CONFIG="$w/a/everseal.conf"
spool=$w/a/spool/desk
run() { timeout 60 "$es" --quiet --json run --once >"$w/run" 2>"$w/err"; }
put() { printf '%s' "$2" >"$spool/tmp/x" && mv "$spool/tmp/x" "$spool/new/$1"; }
receipt() { cat "$spool/done/$1.receipt.json" 2>/dev/null || echo '{}'; }
records() { "$es" --json list | json 'len(d)'; }

# ---- folders
mkdir -p "$spool/tmp/d/.git" && echo one >"$spool/tmp/d/a.txt" && echo two >"$spool/tmp/d/.hidden" && echo three >"$spool/tmp/d/.git/x"
mv "$spool/tmp/d" "$spool/new/folder"
run
is "a folder with hidden files ends" $? 0
is "hidden files are kept, too" "$(receipt folder | json 'sorted(o["name"] for o in d["originals"])')" "['.git/x', '.hidden', 'a.txt']"
is "and nothing stays claimed" "$(ls -A "$spool/cur" | wc -l)" 0
mkdir "$spool/tmp/many" && (cd "$spool/tmp/many" && for i in $(seq 1 300); do echo $i >f$i; done)
mv "$spool/tmp/many" "$spool/new/many1"
mkdir "$spool/tmp/many" && (cd "$spool/tmp/many" && for i in $(seq 1 900); do echo $i >f$i; done)
mv "$spool/tmp/many" "$spool/new/many2"
(ulimit -S -n 1024; run)
is "folders of many files at once" $? 0
is "300 files" "$(receipt many1 | json 'len(d["originals"])')" 300
is "900 files" "$(receipt many2 | json 'len(d["originals"])')" 900

# ---- names that are taken
put same "one"
run
first=$(receipt same | json 'd["record"]')
put same "two"
run
is "a receipt is not overwritten by another record's" "$(receipt same | json 'd["record"]')" "$first"
is "the second lies beside it" "$(ls "$spool/done" | grep -c '^same\..*receipt.json')" 2
put gone ""
run
is "refused" "$(ls "$spool/failed" | grep -c '^gone$')" 1
echo mark >"$spool/failed/gone"
put gone ""
run
is "what was refused before is not deleted" "$(cat "$spool/failed/gone")" mark
is "the second refused one lies beside it" "$(ls "$spool/failed" | grep -c '^gone')" 4

# ---- crashes between two renames
id=01940000-0000-7000-8000-00000000000
echo '{"sha256": "00"}' >"$spool/cur/${id}1.half.meta.json"
put half "half"
run
has "a meta file that was claimed alone is heeded" "$(cat "$spool/failed/half.reason.json" 2>&1)" "SHA-256"
n=$(records)
put again "again"
run
rec=$(receipt again | json 'd["record"]')
echo again >"$spool/cur/$rec.again" && echo '{"id": "x"}' >"$spool/cur/$rec.again.meta.json"
rm "$spool/done/again.receipt.json"
run
is "a claim whose record is kept gets its receipt" "$(receipt again | json 'd["record"]')" "$rec"
is "and is not kept twice" "$(records)" $((n + 1))
echo '{"id": "x"}' >"$spool/cur/$rec.again.meta.json"
run
is "a meta file left by an answered claim goes" "$(ls -A "$spool/cur" "$spool/new" | grep -c meta)" 0
mkdir -p "$w/a/spool/other/cur" && echo again >"$w/a/spool/other/cur/$rec.stolen"
run
is "another depositor's record gives no receipt" "$(ls "$w/a/spool/other/done" | wc -l)" 0

# ---- a spool that can't be written to
mkdir "$spool/done/blocked.receipt.json" "$spool/done/.blocked.receipt.json"
put blocked "b"
run
is "an answer's name taken by a folder: the run ends well" $? 0
rmdir "$spool/done/.blocked.receipt.json"
run
is "and the receipt comes" "$(ls "$spool/done" | grep -c '^blocked\.0.*receipt.json')" 1
mv "$spool/new" "$spool/new.away" && mkdir "$w/elsewhere" && echo keep >"$w/elsewhere/f" && ln -s "$(pwd)/$w/elsewhere" "$spool/new"
mkdir -p "$w/a/spool/other/new" && echo other >"$w/a/spool/other/new/o"
run
is "new/ as a symbolic link: the run ends well" $? 0
is "nothing is taken from where it leads" "$(cat "$w/elsewhere/f" 2>&1)" keep
is "and the other depositor is served" "$(ls "$w/a/spool/other/done" | grep -c '^o.receipt.json')" 1
rm "$spool/new" && mv "$spool/new.away" "$spool/new"

# ---- files that are still being written
/usr/bin/python3 - "$spool/new/slow" "$w" <<'END' &
import sys, time
f = open(sys.argv[1], "w"); f.write("half"); f.flush()
open(sys.argv[2] + "/started", "w").close()
time.sleep(4)
f.write(" whole"); f.close()
END
while [ ! -e "$w/started" ]; do sleep 0.1; done
run
is "a file open for writing is left alone" "$(cat "$spool/new/slow")" half
wait
run
is "until it is closed" "$(receipt slow | json 'd["originals"][0]["size"]')" 10

# ---- own ids
echo '{"id": "same"}' >"$spool/new/i1.meta.json" && put i1 "the same"
echo '{"id": "same"}' >"$spool/new/i2.meta.json" && put i2 "the same"
run
is "same id and bytes in one run: one record" "$(receipt i1 | json 'd["record"]')" "$(receipt i2 | json 'd["record"]')"
echo '{"retention_years": "ten"}' >"$spool/new/years.meta.json" && put years "y"
run
has "a meta key of the wrong type is refused" "$(cat "$spool/failed/years.reason.json" 2>&1)" retention_years

# ---- limits of the configuration
{ cat "$w/a/everseal.conf"; printf '\n[limits]\nfile_size = 1KiB\nrecord_size = 2KiB\nrecord_files = 3\n'; } >"$w/a/small.conf"
head -c 2000 /dev/zero >"$spool/new/big"
mkdir "$spool/tmp/four" && for i in 1 2 3 4; do echo $i >"$spool/tmp/four/$i"; done && mv "$spool/tmp/four" "$spool/new/four"
mkdir "$spool/tmp/sum" && for i in 1 2 3; do head -c 900 /dev/zero >"$spool/tmp/sum/$i"; done && mv "$spool/tmp/sum" "$spool/new/sum"
timeout 60 "$es" -c "$w/a/small.conf" --quiet run --once >/dev/null 2>&1
has "file_size" "$(cat "$spool/failed/big.reason.json" 2>&1)" file_size
has "record_files" "$(cat "$spool/failed/four.reason.json" 2>&1)" "more than 3 files"
has "record_size" "$(cat "$spool/failed/sum.reason.json" 2>&1)" record_size
