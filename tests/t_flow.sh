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

# ---- a spool whose file system fails, one call after the other: the neighbour's deposits are kept all the same
told=0
late=
failing_run() {
	ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 LD_PRELOAD=$(pwd)/$build/tests/recorder.so RECORD_DIR=$(pwd)/$spool FAIL_AT=$1 \
		timeout 60 "$es" --uncaged --quiet --json run --once >"$w/run" 2>"$w/err"
}
for n in $(seq 1 12); do
	put "sick$n" "$n"
	printf '%s' "$n" >"$w/a/spool/other/tmp/x" && mv "$w/a/spool/other/tmp/x" "$w/a/spool/other/new/well$n"
	failing_run "$n" || late="$late run$n"
	grep -q "the claimed files wait" "$w/run" && told=$((told + 1))
	[ -f "$w/a/spool/other/done/well$n.receipt.json" ] || late="$late well$n"
	run # what waits is answered: the next call that fails is counted from the same state
done
is "whatever fails in one spool, the other's receipts come" "$late" ""
is "a spool that can't be synced is told of" "$([ $told -gt 0 ] && echo yes)" yes
is "none of it is refused for that" "$(ls "$spool/failed" | grep -c '^sick.*reason')" 0
is "and what was given there is answered once it can be" "$(ls "$spool/done" "$spool/failed" | grep -c '^sick[0-9]*\.\(receipt\|reason\)\.json$')" 12
hold() { "$es" hold "$(json 'd["record"]' <"$1.receipt.json")" --reason "$2" >/dev/null; }
again=
synced=
for n in $(seq 1 26); do
	hold "$spool/done/sick1" "$n"
	hold "$w/a/spool/other/done/well1" "$n"
	failing_run "$n"
	grep -q "/desk: sync" "$w/run" && synced=no
	rm -f "$w/a/spool/other/done/well1.status.json" "$spool/done/sick1.status.json"
	run
	[ -f "$spool/done/sick1.status.json" ] && again="$again sick"
	[ -f "$w/a/spool/other/done/well1.status.json" ] && again="$again well$n"
done
is "news: a spool that can't be synced is told of" "$synced" no
has "they are told again" "$again" sick
is "the neighbour's are not" "$(echo "$again" | grep -o 'well[0-9]*')" ""

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
is "another depositor's record gives no receipt" "$(ls "$w/a/spool/other/done" | grep -c -v "^well")" 0

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

# ---- one record's trouble is not the others'
"$build/testpki" stop "$w/pki" >/dev/null 2>&1
export TESTPKI_POOL="$build/tests/pool"
mkdir -p "$TESTPKI_POOL"
"$build/testpki" init "$w/pki" --clock "$clock" >/dev/null && "$build/testpki" serve "$w/pki" --daemon --ready-file "$w/ready"
service=
trap '"$build/testpki" stop "$w/pki" >/dev/null 2>&1; [ -z "$service" ] || kill "$service" 2>/dev/null' EXIT
u=http://127.0.0.1:$(cat "$w/pki/port")
for n in one two three url1 url2; do "$build/testpki" sign "$w/pki" --name $n --out "$w/in/$n.xml" --shape enveloped --key ecdsa >/dev/null; done
"$es" init --simulated "$w/b" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "127.0.0.1:$(cat "$w/pki/port")" >/dev/null
export EVERSEAL_CONFIG="$w/b/everseal.conf"
cp "$EVERSEAL_CONFIG" "$w/b/more.conf"
printf '\n[profile gone]\nversion = 1\ntarget = A\ngrace = 24h\ntsa = tsa1\n' >>"$w/b/more.conf"
"$es" -c "$w/b/more.conf" deposit --profile gone "$w/in/one.xml" | json 'd["record"]' >"$w/gone"
"$es" deposit "$w/in/two.xml" | json 'd["record"]' >"$w/stays"
cp "$w"/pki/trust/* "$w/b/trust/"
run
is "a profile that is gone, and other anchors: the run ends well" $? 0
state() { "$es" --json history "$1" | json 'd[-1]["signatures"][0]["state"]'; }
echo 2026-01-01T02:00:00Z >"$clock"
run
is "the others go on" "$(state "$(cat "$w/stays")")" waiting
has "and it is said" "$(cat "$w/run")" "not in the configuration"
(echo 2026-01-03T00:00:00Z >"$clock"; timeout 60 "$es" -c "$w/b/more.conf" --quiet run --once >/dev/null 2>&1)
"$es" -c "$w/b/more.conf" --json history "$(cat "$w/gone")" >"$w/h"
is "with its profile back it goes on, too" "$(json 'd[-1]["signatures"][0]["state"] in ("stamped", "waiting", "completing", "archived")' <"$w/h")" True

# ---- news are owed until they are written
desk=$w/b/spool/desk
news() { json 'd["event"]' <"$desk/done/four.xml.status.json"; }
cp "$w/in/three.xml" "$desk/new/four.xml"
mkdir -p "$desk/done/.four.xml.status.json"
run
is "news that can't be written: the run ends well" $? 0
has "and it is said" "$(cat "$w/run")" "news of record"
rmdir "$desk/done/.four.xml.status.json"
run
is "they come when they can be written" "$(news)" waiting
"$es" hold "$(json 'd["record"]' <"$desk/done/four.xml.receipt.json")" --reason test >/dev/null
is "a process that ends before it tells" "$(news)" waiting
run
is "leaves that to the next one" "$(news)" hold
rm "$desk/done/four.xml.status.json"
run
is "what was told is not told again" "$(ls "$desk/done" | grep -c four.xml.status.json)" 0

# ---- a receipt that can't be made again holds up nobody
printf '{"id":"twice"}' >"$desk/new/five.xml.meta.json" && cp "$w/in/three.xml" "$desk/new/five.xml"
run
cp -a "$w/b" "$w/d"
export EVERSEAL_CONFIG="$w/d/everseal.conf"
/usr/bin/python3 - "$(json 'd["record"]' <"$desk/done/five.xml.receipt.json")" "$w/d/archive/segments"/* <<'END' || bad "no first manifest found"
import re, sys
for path in sys.argv[2:]:
    old = open(path, "rb").read()
    new = re.sub(b'("record":"%s"[^{}]*"seq":)1,' % sys.argv[1].encode(), rb"\g<1>7,", old)
    if new != old:
        open(path, "wb").write(new)
        sys.exit(0)
sys.exit(1)
END
rec=$("$es" deposit "$w/in/one.xml" | json 'd["record"]')
printf '{"id":"twice"}' >"$w/d/spool/desk/new/six.xml.meta.json" && cp "$w/in/three.xml" "$w/d/spool/desk/new/six.xml"
run
is "the same again, whose first manifest is damaged: the run ends well" $? 0
has "and it is said" "$(cat "$w/run")" "receipt of record"
is "the steps go on" "$(state "$rec")" waiting
is "and the file stays claimed" "$(ls "$w/d/spool/desk/cur" | grep -c 'six.xml$')" 1
export EVERSEAL_CONFIG="$w/b/everseal.conf"

# ---- an operator's "try again now"
for n in 1 2; do "$build/testpki" misbehave "$w/pki" --service tsa$n --mode http500 >/dev/null; done
rec=$("$es" deposit "$w/in/two.xml" | json 'd["record"]')
run
is "without a TSA a signature waits" "$(state "$rec")" found
"$build/testpki" misbehave "$w/pki" --clear >/dev/null
echo 2026-01-03T00:01:00Z >"$clock"
run
is "and is not tried at once" "$(state "$rec")" found
"$es" release "$rec" >/dev/null
run
is "unless the operator says so" "$(state "$rec")" waiting

# ---- more files than descriptors, and a signature over one of them
mkdir "$w/in/det"
"$build/testpki" sign "$w/pki" --name det --out "$w/in/det/det.xml" --shape detached --key ecdsa >/dev/null
for i in $(seq 1 30); do echo "<r>$i</r>" >"$w/in/det/other$i.xml"; done
"$es" deposit "$w/in/det" >"$w/o"
is "a folder of many files: its signature finds its data" "$(json '[s["subindication"] for s in d["signatures"]] == ["CERTIFICATE_CHAIN_GENERAL_FAILURE"]' <"$w/o")" True
rm "$w/in/det/$(ls "$w/in/det" | grep -v '\.xml$' | head -n 1)"
"$es" deposit "$w/in/det" >"$w/o"
is "and is told when it is not there" "$(json '[s["subindication"] for s in d["signatures"]]' <"$w/o")" "['SIGNED_DATA_NOT_FOUND']"

# ---- a responder that takes no POST is asked by GET
rec=$("$es" deposit "$w/in/two.xml" | json 'd["record"]')
run
echo 2026-01-05T00:00:00Z >"$clock"
"$build/testpki" misbehave "$w/pki" --service ocsp --mode http400 --count 1 >/dev/null
run
is "HTTP 400 to the POST: the GET behind it serves" "$(state "$rec")" archived
is "and the responder is not held to be down" "$("$es" --json status | json '[s["failures"] for s in d["services"] if s["kind"] == "OCSP"]')" "[0]"
"$build/testpki" misbehave "$w/pki" --clear >/dev/null

# ---- a TSA's URL that was wrong
cp "$w/b/everseal.conf" "$w/right.conf"
sed -i 's|/tsa\([12]\)$|/none\1|' "$w/b/everseal.conf"
rec=$("$es" deposit "$w/in/url1.xml" | json 'd["record"]')
run
is "a URL that is wrong: a signature waits" "$(state "$rec")" found
has "and status says why" "$("$es" status)" "FAILING, HTTP status 404"
cp "$w/right.conf" "$w/b/everseal.conf"
other=$("$es" deposit "$w/in/url2.xml" | json 'd["record"]')
run
is "set right, it is asked at once" "$(state "$other")" waiting
"$es" release "$rec" >/dev/null
run
is "and again for who waits, if the operator says so" "$(state "$rec")" waiting

# ---- a service takes anchors while it runs
echo 2026-01-01T00:00:00Z >"$clock"
"$es" init --simulated "$w/t" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "127.0.0.1:$(cat "$w/pki/port")" >/dev/null
export EVERSEAL_CONFIG="$w/t/everseal.conf"
timeout 120 "$es" --quiet run 2>"$w/err" &
service=$!
for i in $(seq 1 50); do [ -S "$w/t/archive/control" ] && break; sleep 0.1; done
rec=$("$es" deposit "$w/in/three.xml" | json 'd["record"]')
has "status: nothing can be valid without anchors" "$("$es" status)" "anchors: 0 for signers, 0 for TSAs: NOTHING"
"$es" config check >/dev/null 2>"$w/o"
is "config check: that is no fault" $? 0
has "config check: but remarked" "$(cat "$w/o")" "no anchor of role tsa yet"
is "no anchor, no chain" "$("$es" --json history "$rec" | json 'd[0]["signatures"][0]["subindication"]')" NO_CERTIFICATE_CHAIN_FOUND
until_state() { for i in $(seq 1 100); do [ "$(state "$rec")" = "$1" ] && break; sleep 0.1; done; state "$rec"; }
echo 2026-01-01T00:30:00Z >"$clock"
echo none >"$w/t/trust/broken.crt"
"$es" trust reload >/dev/null 2>"$w/o"
is "a folder that can't be read is refused" $? 65
has "and the service keeps what it has" "$(cat "$w/o")" "the anchors stay as they were"
rm "$w/t/trust/broken.crt"
n=0
for f in "$w"/pki/trust/*; do "$es" trust add "$f" >"$w/o" || bad "trust add"; n=$((n + 1)); done
has "trust add: the service has taken it" "$(cat "$w/o")" "the service has taken it"
is "each is in the log" "$("$es" --json status | json 'd["store"]["log_size"] >= '$((n + 2)))" True
echo 2026-01-02T01:00:00Z >"$clock"
"$es" release "$rec" >/dev/null 2>&1
"$es" trust reload >/dev/null
is "and the signature goes on" "$(until_state waiting)" waiting
hex=$("$es" --json trust list | json 'd[0]["sha256"]')
"$es" --json trust remove "$hex" | json 'd["service"]' >"$w/o"
is "trust remove is taken too" "$(cat "$w/o")" True
kill -TERM $service
wait $service
service=
is "without a service the folder is changed all the same" "$("$es" --json trust reload | json 'd["service"]')" False
export EVERSEAL_CONFIG="$w/b/everseal.conf"

# ---- the control socket and its neighbours
timeout 120 "$es" --quiet run 2>/dev/null &
service=$!
for i in $(seq 1 50); do [ -S "$w/b/archive/control" ] && break; sleep 0.1; done
/usr/bin/python3 - "$w/b/archive/control" "$w/in/three.xml" >"$w/ask" <<'END'
import array, json, os, socket, struct, sys, time
path, doc = sys.argv[1:]
def send(fd, request, hold=False):
    s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(path)
    b = json.dumps(request).encode() if not isinstance(request, bytes) else request
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    s.sendmsg([struct.pack(">I", len(b)) + b], anc)
    return s
def answer(s):
    try:
        n = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0]
        return json.loads(s.recv(n, socket.MSG_WAITALL))
    except Exception as x: return {"gone": repr(x)}
deposit = {"verb": "deposit", "names": ["a.xml"]}
slow = socket.socket(socket.AF_UNIX); slow.connect(path); slow.send(b"\0")
t = time.time()
r = answer(send(os.open(doc, os.O_RDONLY), deposit))
print("slow", "record" in r, time.time() - t < 12)
w = os.open(doc + ".w", os.O_WRONLY | os.O_CREAT); os.write(w, b"x" * 50)
print("write-only", answer(send(w, deposit)).get("reason"))
rd, wr = os.pipe()
print("pipe", answer(send(rd, deposit)).get("reason"))
print("folder", answer(send(os.open("/", os.O_RDONLY), deposit)).get("reason"))
print("path", answer(send(os.open(doc, os.O_PATH), deposit)).get("reason"))
f = os.open(doc, os.O_RDONLY)
for what, q in (("no-names", {"verb": "deposit"}), ("names-text", {"verb": "deposit", "names": "x"}), ("name-number", {"verb": "deposit", "names": [7]}),
    ("meta-list", {"verb": "deposit", "names": ["a"], "meta": []}), ("profile", {"verb": "deposit", "names": ["a"], "profile": "\ud7ff" * 300}),
    ("array", []), ("not-json", b"{"), ("not-utf8", b'{"verb": "\xff"}'), ("hold", {"verb": "hold", "record": "zzzzzzzzz", "on": 1}),
    ("hold-nothing", {"verb": "hold"}), ("release", {"verb": "release"}), ("big-year", {"verb": "deposit", "names": ["a"], "meta": {"retention_years": 1 << 62}})):
    r = answer(send(f, q)); print(what, sorted(r)[0])
print("after", "record" in answer(send(f, deposit)))
END
# A depositor who writes to the file while it is taken in: the verdict is of the octets that are kept, or there is none.
/usr/bin/python3 - "$w/b/archive/control" "$w/in/three.xml" "$w/turning.xml" >"$w/turning" <<'END'
import array, hashlib, json, os, socket, struct, sys, threading
path, doc, turning = sys.argv[1:]
good = open(doc, "rb").read()
at = good.index(b">1000000<") + 1
bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
open(turning, "wb").write(good)
digest = {hashlib.sha256(good).hexdigest(): False, hashlib.sha256(bad).hexdigest(): True}
f = os.open(turning, os.O_RDWR)
go = True
def turn():
    while go:
        os.pwrite(f, bad[at:at + 1], at); os.pwrite(f, good[at:at + 1], at)
t = threading.Thread(target=turn); t.start()
kept = wrong = refused = other = 0
for i in range(150):
    s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(path)
    b = json.dumps({"verb": "deposit", "names": ["t.xml"]}).encode()
    s.sendmsg([struct.pack(">I", len(b)) + b], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [os.open(turning, os.O_RDONLY)]))])
    r = json.loads(s.recv(struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0], socket.MSG_WAITALL))
    if "record" in r:
        kept += 1
        failed = [x["indication"] for x in r["signatures"]] == ["TOTAL-FAILED"]
        wrong += digest[r["originals"][0]["sha256"]] != failed
    elif "changed while it was read" in r.get("reason", ""): refused += 1
    else: other += 1; print(r)
go = False; t.join()
print("wrong", wrong, "other", other, "kept", kept > 0, "refused", refused > 0)
END
has "a file that changes while it is read gets no verdict of other octets" "$(cat "$w/turning")" "wrong 0 other 0 kept True refused True"
said() { has "control: $1" "$(cat "$w/ask")" "$2"; }
said "a slow client holds up nobody for long" "slow True True"
said "a descriptor for writing is refused" "write-only a.xml: can't be read"
said "a pipe is refused" "pipe a.xml: is not a regular file"
said "a folder is refused" "folder a.xml: is not a regular file"
said "a bare path is refused" "path a.xml: can't be read"
said "the service outlives them all" "after True"
is "control: every request is answered" "$(grep -c gone "$w/ask")" 0
"$es" hold 00000000 --reason none >/dev/null 2>&1
is "a refusal by the service is the verb's exit code" $? 66
kill -TERM $service
wait $service
is "the service ends well" $? 0
service=

# ---- a service's log, and depositors to whom the archive's folder is closed
m=$(mktemp -d)
cp "$es" "$w/in/three.xml" "$m/"
"$es" init --simulated "$m/d" --clock "$clock" --tsa "$u/tsa1" --allow-net "127.0.0.1:$(cat "$w/pki/port")" >/dev/null
printf '\n[service]\ncontrol = %s/control\nrescan = 1s\n' "$m" >>"$m/d/everseal.conf"
cp "$clock" "$m/clock" && sed -i "s|^clock_file.*|clock_file = $m/clock|" "$m/d/everseal.conf"
# Root: as a user without rights. Who is that already closes the folder for a moment, which the service has open.
stranger() {
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$m" "$m/d" && setpriv --reuid 65534 --regid 65534 --clear-groups "$m/everseal" -c "$m/d/everseal.conf" "$@"
	else
		chmod 0 "$m/d/archive"
		"$m/everseal" -c "$m/d/everseal.conf" "$@"
		set -- $?
		chmod 750 "$m/d/archive"
		return "$1"
	fi
}
stranger deposit "$m/three.xml" >/dev/null 2>"$w/o"
is "the archive is closed, no service runs" $? 66
has "and that is said" "$(cat "$w/o")" "its running service has to take it"
stranger list >/dev/null 2>"$w/o"
is "a reader is told" $? 65
has "whose the archive is" "$(cat "$w/o")" "belongs to the user with id"
timeout 120 "$es" -c "$m/d/everseal.conf" run 2>"$m/log" &
service=$!
for i in $(seq 1 50); do [ -S "$m/control" ] && break; sleep 0.1; done
stranger deposit "$m/three.xml" >"$w/o" 2>&1
is "the service takes their deposit by its socket" $? 0
whose="operator 66"
[ "$(id -u)" -ne 0 ] || whose="uid:65534 65"
is "as theirs" "$(json 'd["depositor"]' <"$w/o")" "${whose% *}"
stranger hold 00000000 --reason none >/dev/null 2>&1
is "and nothing else of others" $? "${whose#* }"
cp "$m/three.xml" "$m/d/spool/desk/tmp/" && mv "$m/d/spool/desk/tmp/three.xml" "$m/d/spool/desk/new/"
for i in $(seq 1 50); do [ -e "$m/d/spool/desk/done/three.xml.receipt.json" ] && break; sleep 0.1; done
mkdir "$m/elsewhere" && mv "$m/d/spool/desk/new" "$m/elsewhere/" && : >"$m/d/spool/desk/new"
sleep 4
kill -TERM $service
wait $service
service=
has "log: the service runs" "$(cat "$m/log")" "info: the service of $m/d/archive runs: 1 spools, control socket $m/control"
has "log: what was taken" "$(cat "$m/log")" "info: taken 1, refused 0"
is "log: what is met at every look is told once" "$(grep -c 'warning: spool of desk: ' "$m/log")" 1
has "log: its end" "$(tail -n 1 "$m/log")" "the service has stopped"
rm -rf "$m"

# ---- a slow TSA does not keep depositors waiting
/usr/bin/python3 - "$w" "$u/tsa1" <<'END' &
import http.server, os, sys, threading, time, urllib.request
w, to = sys.argv[1:]
class Slow(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open(w + "/slow.asked", "a").write("x")
        time.sleep(2)
        q = urllib.request.Request(to, self.rfile.read(int(self.headers["Content-Length"])), {"Content-Type": "application/timestamp-query"})
        b = urllib.request.urlopen(q).read()
        self.send_response(200); self.send_header("Content-Type", "application/timestamp-reply"); self.send_header("Content-Length", str(len(b))); self.end_headers()
        self.wfile.write(b)
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Slow)
open(w + "/slow.n", "w").write(str(s.server_port)); os.rename(w + "/slow.n", w + "/slow.port")
threading.Timer(90, s.shutdown).start()
s.serve_forever()
END
slow=$!
while [ ! -e "$w/slow.port" ]; do sleep 0.1; done
echo 2026-01-01T00:00:00Z >"$clock"
"$es" init --simulated "$w/s" --clock "$clock" --tsa "http://127.0.0.1:$(cat "$w/slow.port")/" --allow-net "127.0.0.1:$(cat "$w/slow.port"), 127.0.0.1:$(cat "$w/pki/port")" >/dev/null
export EVERSEAL_CONFIG="$w/s/everseal.conf"
cp "$w"/pki/trust/* "$w/s/trust/"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cp "$w/in/one.xml" "$w/s/spool/desk/new/$i.xml"; done
timeout 120 "$es" --quiet run 2>/dev/null &
service=$!
while [ ! -e "$w/slow.asked" ]; do sleep 0.1; done
t=$(date +%s)
timeout 60 "$es" deposit "$w/in/two.xml" >/dev/null
is "a deposit by the socket while stamps are waited for" $? 0
t=$(($(date +%s) - t))
[ $t -le 12 ] && ok "is answered soon" || bad "is answered soon" "after $t s"
cp "$w/in/three.xml" "$w/s/spool/desk/new/late.xml"
t=$(date +%s)
for i in $(seq 1 300); do [ -e "$w/s/spool/desk/done/late.xml.receipt.json" ] && break; sleep 0.1; done
t=$(($(date +%s) - t))
[ $t -le 12 ] && ok "and one by the spool, too" || bad "and one by the spool, too" "after $t s"
"$es" sweep >/dev/null 2>&1
is "what would do the same work twice is told to wait" $? 75
kill -TERM $service
wait $service
is "the service ends well out of its steps" $? 0
service=
kill $slow

# ---- what a service sends us on to does not get the service's password
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=first -addext subjectAltName=IP:127.0.0.1,DNS:localhost \
	-days 2 -keyout "$w/tls.key" -out "$w/tls.pem" 2>/dev/null
/usr/bin/python3 - "$w" <<'END' &
import http.server, ssl, sys, threading
w = sys.argv[1]
class There(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        with open(w + "/there", "a") as f: f.write("%s %s %s\n" % (self.server.server_port == second.server_port, self.headers.get("Authorization"), self.headers.get("X-Key")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server is first:
            self.send_response(307); self.send_header("Location", "http://127.0.0.1:%d/" % second.server_port)
        else:
            self.send_response(503)
        self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
first = http.server.HTTPServer(("127.0.0.1", 0), There)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); tls.load_cert_chain(w + "/tls.pem", w + "/tls.key")
first.socket = tls.wrap_socket(first.socket, server_side=True)
second = http.server.HTTPServer(("127.0.0.1", 0), There)
threading.Thread(target=second.serve_forever, daemon=True).start()
open(w + "/ports.n", "w").write("%d %d" % (first.server_port, second.server_port))
import os; os.rename(w + "/ports.n", w + "/ports")
threading.Timer(60, first.shutdown).start()
first.serve_forever()
END
there=$!
while [ ! -e "$w/ports" ]; do sleep 0.1; done
read -r p1 p2 <"$w/ports"
echo "X-Key: secret" >"$w/header"
echo 2026-01-01T00:00:00Z >"$clock"
"$es" init --simulated "$w/c" --clock "$clock" --tsa "https://127.0.0.1:$p1/,https://localhost:$p1/" --allow-net "127.0.0.1:$p1, 127.0.0.1:$p2" >/dev/null
export EVERSEAL_CONFIG="$w/c/everseal.conf"
sed -i "s|^url = .*127.*|&\nuser = u\npassword = p|; s|^url = .*local.*|&\nheader_file = $(pwd)/$w/header|; s|^url = .*|&\nca_file = $(pwd)/$w/tls.pem|" "$EVERSEAL_CONFIG"
cp "$w"/pki/trust/* "$w/c/trust/"
"$es" deposit "$w/in/three.xml" >/dev/null
run
kill $there
has "the service gets its password" "$(cat "$w/there" 2>&1)" "False Basic dTpw None"
has "or its header" "$(cat "$w/there" 2>&1)" "False None secret"
is "what it sends us on to gets neither" "$(grep '^True' "$w/there" | sort -u)" "True None None"

# ---- the machine's clock, and two TSAs that say it is wrong
date -u +%Y-%m-%dT%H:%M:%SZ >"$w/clock2"
"$build/testpki" init "$w/pki2" --clock "$(pwd)/$w/clock2" >/dev/null && "$build/testpki" serve "$w/pki2" --daemon --ready-file "$w/ready2"
"$build/testpki" sign "$w/pki2" --name real --out "$w/in/real.xml" --shape enveloped --key ecdsa >/dev/null
p=$(cat "$w/pki2/port")
mkdir -p "$w/r" && printf '[archive]\ndir = archive\n[trust]\ndir = ../pki2/trust\n[net]\nallow_net = 127.0.0.1:%s\n[spool desk]\ndir = desk\n[service]\nmin_free = 0\n' "$p" >"$w/r/everseal.conf"
for n in 1 2; do printf '[tsa tsa%s]\nurl = http://127.0.0.1:%s/tsa%s\n' $n "$p" $n; done >>"$w/r/everseal.conf"
export EVERSEAL_CONFIG="$w/r/everseal.conf"
"$es" init >/dev/null
mkdir -p "$w/r/desk/new"
echo '{}' >"$w/r/desk/new/young.meta.json"
echo '{}' >"$w/r/desk/new/late.meta.json" && touch -d '2 hours ago' "$w/r/desk/new/late.meta.json"
run
has "a meta file that came too late is told of" "$(cat "$w/run")" "new/late.meta.json is alone for an hour"
is "one that waits for its deposit is not" "$(grep -c young "$w/run")" 0
rm "$w"/r/desk/new/*
"$es" deposit "$w/in/real.xml" >/dev/null
is "a real clock: intake is open" $? 0
date -u -d '2 hours' +%Y-%m-%dT%H:%M:%SZ >"$w/clock2"
run
has "each TSA's time is told" "$(cat "$w/run")" "from our clock"
has "status: intake is stopped" "$("$es" status)" "by tsa1 and tsa2 it is 7"
"$es" deposit "$w/in/real.xml" >/dev/null 2>"$w/o"
is "a deposit is to be tried again" $? 75
has "and is told what to do" "$(cat "$w/o")" "s behind: set it"
mkdir -p "$w/r/desk/new" && cp "$w/in/real.xml" "$w/r/desk/new/"
run
is "the spool waits untouched" "$(ls "$w/r/desk/new")" real.xml
"$build/testpki" stop "$w/pki2" >/dev/null 2>&1

# ---- keys that nothing would heed are refused
cp "$w/a/everseal.conf" "$w/keys.conf"
fault() {
	{ cat "$w/keys.conf"; printf "$1"; } >"$w/fault.conf"
	"$es" -c "$w/fault.conf" config check >/dev/null 2>"$w/o"
	is "config: $2 is a fault" $? 78
	has "config: and says so" "$(cat "$w/o")" "not built yet"
}
fault '\n[hook]\nstatus = /bin/true\n' hook
fault '\n[service]\nworkers = 2\n' workers
fault '\n[verify]\nsignature_policies = /x\n' signature_policies
fault '\n[profile p]\ntrust_roles = signer\n' trust_roles
fault '\n[tsa other]\nurl = http://127.0.0.1/\ndigest = SHA256\n' "another digest"

# ---- history: tries that changed nothing are one line
export EVERSEAL_CONFIG="$w/a/everseal.conf"
waits=$("$es" deposit "$w/in/three.xml" | json 'd["record"]')
for day in 01 02 03 04; do
	echo "2029-05-${day}T00:00:00Z" >"$clock"
	run
done
said=$("$es" history "$waits")
has "history: why it waits" "$said" "found: TSA tsa1: "
has "history: it still does" "$said" "times more, last at 2029-05-04"
is "history: lines of it" "$(printf '%s\n' "$said" | grep -c 'found: TSA tsa1')" 1
has "status: where to look" "$("$es" status)" "TSA tsa1: FAILING"

# ---- a receipt proves what it says was kept
cp "$spool/done/again.receipt.json" "$w/r.receipt.json"
"$es" verify "$w/r.receipt.json" --log-key "$w/a/archive/log.pub" >/dev/null
is "receipt: proves" $? 0
twist() {
	/usr/bin/python3 -c "import json,sys; d=json.load(open(sys.argv[1])); $1; json.dump(d, open(sys.argv[2],'w'))" "$w/r.receipt.json" "$w/twisted.receipt.json"
	"$es" verify "$w/twisted.receipt.json" --log-key "$w/a/archive/log.pub" >/dev/null 2>&1
	is "receipt: $2" $? "$3"
}
twist 'd["originals"][0]["sha256"] = "0" * 64' "another file's digest fails" 1
twist 'd["own_id"] = "x"' "another id fails" 1
twist 'd["manifest"]["text"] = d["manifest"]["text"].replace("again", "other")' "another manifest fails" 1
twist 'del d["manifest"]["text"]' "without the manifest it is indeterminate" 3
