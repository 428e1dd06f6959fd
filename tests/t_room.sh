#!/bin/sh
# A disk that runs full: what fits is taken, the rest waits, nothing is lost, and what is there can be read. On a small
# file system of its own, which takes the right to mount one.
set -u
build=${BUILD:-build}
if [ "${1:-}" != inside ]; then
	unshare -rm true 2>/dev/null || { printf '[  SKIPPED ] no file system of its own can be mounted here\n'; exit 0; }
	exec unshare -rm sh "$0" inside
fi
w=$build/tests/room
es=$(pwd)/$build/everseal
rm -rf "$w"
mkdir -p "$w/in" "$w/disk"
mount -t tmpfs -o size=24m none "$w/disk" || { printf '[  SKIPPED ] tmpfs\n'; exit 0; }
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
echo 2026-01-01T00:00:00Z >"$w/clock"
d=$w/disk
"$es" init --simulated "$d/a" --clock "$(pwd)/$w/clock" --tsa "http://127.0.0.1:9/none" --allow-net "127.0.0.1:9" >/dev/null
spool=$(pwd)/$w/spool
mkdir -p "$spool/new" "$spool/tmp"
sed -i "s|^dir = spool.*|dir = $spool|" "$d/a/everseal.conf"
printf '\n[service]\nmin_free = 4MiB\n' >>"$d/a/everseal.conf"
export EVERSEAL_CONFIG="$d/a/everseal.conf"
run() { timeout 120 "$es" --quiet --json run --once >"$w/run" 2>"$w/err"; }
give() { head -c "$2" /dev/urandom >"$spool/tmp/x" && mv "$spool/tmp/x" "$spool/new/$1"; }
count() { ls "$spool/done" | grep -c 'receipt.json$'; }

# ---- a batch larger than what is free
for i in 1 2 3 4 5 6; do give "f$i" 4000000; done
run
is "a batch larger than the room: try again" $? 75
n=$(count)
[ "$n" -gt 0 ] && [ "$n" -lt 6 ] && ok "what fits is taken ($n of 6)" || bad "what fits is taken" "$n"
is "none is refused" "$(ls "$spool/failed" | wc -l)" 0
is "the rest waits" "$(ls "$spool/cur" "$spool/new" | grep -c 'f[1-6]$')" $((6 - n))
has "and is told of" "$(cat "$w/run")" "not room for all"
"$es" scrub >/dev/null
is "the archive is whole" $? 0
mount -o remount,size=64m "$w/disk"
run
is "with more room the rest is taken" "$? $(count)" "0 6"

# ---- the same where nothing warns before: the disk itself is full
sed -i 's/^min_free = .*/min_free = 0/' "$d/a/everseal.conf"
used=$(df -k "$w/disk" | awk 'END { print $3 }')
mount -o remount,size=$((used + 9000))k "$w/disk"
for i in 1 2 3 4 5 6; do give "g$i" 3000000; done
run
is "a disk without reserve: try again" $? 75
n=$(count)
[ "$n" -gt 6 ] && [ "$n" -lt 12 ] && ok "what fits is taken ($((n - 6)) of 6)" || bad "what fits is taken" "$n"
is "none is refused" "$(ls "$spool/failed" | wc -l)" 0

# ---- what is there can be read
rec=$(json 'd["record"]' <"$spool/done/f1.receipt.json")
dd if=/dev/zero of="$w/disk/fill" bs=4k >/dev/null 2>&1
is "nothing is free" "$(df -k "$w/disk" | awk 'END { print $4 }')" 0
give h 1000
run
is "a full disk: try again" $? 75
for verb in "list" "status" "history $rec" "log verify"; do
	"$es" $verb >/dev/null 2>"$w/o"
	is "read on a full disk: $verb" "$? $(cat "$w/o")" "0 "
done
"$es" get "$rec" -o "$w/got" >/dev/null
is "read on a full disk: get" "$? $(find "$w/got" -type f -size 4000000c | wc -l)" "0 1"
"$es" verify "$rec" >/dev/null 2>&1
[ $? -ne 74 ] && [ $? -ne 75 ] && ok "read on a full disk: verify" || bad "read on a full disk: verify"
rm "$w/disk/fill"
mount -o remount,size=64m "$w/disk"
run
is "with room again all is taken" "$? $(count)" "0 13"
"$es" scrub >/dev/null
is "and the archive is whole" $? 0

# ---- what a crash left in cur/
mkdir -p "$spool/cur/.gone.01940000-0000-7000-8000-000000000001/sub" && (cd "$spool/cur/.gone.01940000-0000-7000-8000-000000000001" && seq 1 5000 | xargs touch && echo x >sub/y)
: >"$spool/cur/.q01940000-0000-7000-8000-000000000002"
run
is "left-overs of answered claims go" "$? $(ls -A "$spool/cur" | wc -l)" "0 0"
