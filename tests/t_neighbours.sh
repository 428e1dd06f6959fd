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

# ---- three slow TSAs do not delay a receipt: it is there before the first of them has answered
/usr/bin/python3 - "$w" <<'END' &
import http.server, os, sys, threading, time
w = sys.argv[1]
class Slow(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        open(w + "/slow.asked", "a").write(self.path + "\n")
        for i in range(600):
            if os.path.exists(w + "/slow.go"): break
            time.sleep(0.1)
        open(w + "/slow.answered", "a").write(self.path + "\n")
        self.send_response(503); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
open(w + "/slow.n", "w").write(str(s.server_port)); os.rename(w + "/slow.n", w + "/slow.port")
threading.Timer(120, s.shutdown).start()
s.serve_forever()
END
slow=$!
until_there() { for i in $(seq 1 1200); do [ -e "$1" ] && return; sleep 0.1; done; return 1; }
until_there "$w/slow.port"
s=http://127.0.0.1:$(cat "$w/slow.port")
at 2026-01-01T00:00:00Z
"$es" init --simulated "$w/s" --clock "$clock" --tsa "$s/1,$s/2,$s/3" --allow-net "127.0.0.1:$(cat "$w/slow.port"), 127.0.0.1:$port" >/dev/null
printf '\n[spool other]\ndir = spool/other\n' >>"$w/s/everseal.conf"
export EVERSEAL_CONFIG="$w/s/everseal.conf"
cp "$w"/pki/trust/* "$w/s/trust/"
for i in 1 2 3; do cp "$w/in/b.xml" "$w/s/spool/desk/new/$i.xml"; done
timeout 300 "$es" --quiet run 2>"$w/log" &
service=$!
until_there "$w/slow.asked"
mkdir -p "$w/s/spool/other/new" "$w/s/spool/other/tmp"
cp "$w/in/c.xml" "$w/s/spool/other/tmp/late.xml" && mv "$w/s/spool/other/tmp/late.xml" "$w/s/spool/other/new/"
until_there "$w/s/spool/other/done/late.xml.receipt.json"
is "a receipt by the spool while a TSA is waited for" "$(ls "$w/s/spool/other/done" 2>/dev/null | grep -c receipt) $(cat "$w/slow.answered" 2>/dev/null | wc -l)" "1 0"
rec=$(timeout 60 "$es" deposit "$w/in/a.xml" | json 'd["record"]')
is "a deposit by the socket as well" "$([ ${#rec} -eq 36 ] && echo yes) $(cat "$w/slow.answered" 2>/dev/null | wc -l)" "yes 0"
timeout 60 "$es" hold "$(json 'd["record"]' <"$w/s/spool/desk/done/1.xml.receipt.json")" --reason test >/dev/null
is "and an operator's hold of the very record" "$? $(cat "$w/slow.answered" 2>/dev/null | wc -l)" "0 0"
timeout 60 "$es" trust add "$w"/pki/trust/*.pem --role signer >/dev/null 2>&1
: >"$w/slow.go"
kill -TERM $service
wait $service
is "the service ends well" $? 0
service=
kill $slow 2>/dev/null
is "what was changed meanwhile was not undone" "$("$es" --json history "$(json 'd["record"]' <"$w/s/spool/desk/done/1.xml.receipt.json")" | json 'len(d[-1]["holds"])')" 1
"$es" scrub >/dev/null
is "and the archive is whole" $? 0

# ---- documents that take long hold up nobody, and are set aside after two tries
heavy() {
	/usr/bin/python3 - "$1" <<'END'
import os, sys
ds = "http://www.w3.org/2000/09/xmldsig#"
ref = '<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>'
d = "<d>" + "".join('<e a="%d" b="%d"><f c="1"/>x</e>' % (i, i) for i in range(60000))
d += '<ds:Signature xmlns:ds="%s"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>' % ds
d += ref * 300 + '</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></d>'
open(sys.argv[1] + ".tmp", "w").write(d); os.rename(sys.argv[1] + ".tmp", sys.argv[1])
END
}
heavy "$w/in/heavy.xml"
at 2026-01-01T00:00:00Z
archive l
printf '\n[spool other]\ndir = spool/other\n[limits]\nworker_time = 1s\n' >>"$w/l/everseal.conf"
desk=$w/l/spool/desk other=$w/l/spool/other
mkdir -p "$other/new" "$other/tmp"
answers() { ls "$1/done" "$1/failed" 2>/dev/null | grep -c '\.re[ac][a-z]*\.json$'; }
give() { cp "$1" "$2/tmp/x" && mv "$2/tmp/x" "$2/new/$3"; }
for i in 1 2 3 4 5; do give "$w/in/heavy.xml" "$desk" "heavy$i.xml"; done
timeout 300 "$es" --quiet run 2>"$w/log" &
service=$!
for i in $(seq 1 300); do [ -z "$(ls "$desk/new")" ] && break; sleep 0.1; done
give "$w/in/c.xml" "$other" c.xml
until_there "$other/done/c.xml.receipt.json"
is "a receipt while another spool's documents take long" "$(ls "$other/done" 2>/dev/null | grep -c receipt)" 1
[ "$(answers "$desk")" -lt 5 ] && ok "it did not wait for their answers" || bad "it did not wait for their answers"
rec=$(timeout 60 "$es" deposit "$w/in/a.xml" | json 'd["record"]')
[ ${#rec} -eq 36 ] && [ "$(answers "$desk")" -lt 5 ] && ok "nor did a deposit by the socket" || bad "nor did a deposit by the socket" "$rec, $(answers "$desk") answers"
timeout 60 "$es" deposit "$w/in/heavy.xml" >/dev/null 2>"$w/o"
is "by the socket they are refused" $? 65
give "$w/in/b.xml" "$desk" light.xml
for i in $(seq 1 900); do [ "$(answers "$desk")" -ge 6 ] && break; sleep 0.1; done
is "all are answered in the end" "$(answers "$desk")" 6
has "set aside after two tries" "$(cat "$desk/failed/heavy1.xml.reason.json" 2>&1)" "set aside after 2 tries: worker judge: processor time limit 1 s passed"
is "their octets are given back" "$(cmp "$w/in/heavy.xml" "$desk/failed/heavy5.xml" && ls "$desk/failed" | grep -c '^heavy[0-9].xml$')" 5
is "the same depositor's other document is kept" "$(ls "$desk/done" | grep -c '^light.xml.receipt')" 1
kill -TERM $service
wait $service
is "the service ends well" $? 0
service=
is "nothing stays claimed" "$(ls -A "$desk/cur" "$other/cur" | grep -c xml)" 0

# ---- also in a single run, and across restarts of a service that such a document ends
give "$w/in/heavy.xml" "$desk" once.xml
give "$w/in/c.xml" "$other" once.xml
run
is "a single run answers all of it" "$? $(ls "$desk/failed" | grep -c '^once.xml.reason') $(ls "$other/done" | grep -c '^once.xml.receipt')" "0 1 1"
sed -i 's/^worker_time = .*/worker_time = 1h/' "$w/l/everseal.conf"
give "$w/in/heavy.xml" "$desk" killer.xml
for n in 1 2; do
	give "$w/in/b.xml" "$desk" "witness$n.xml"
	timeout 300 "$es" --quiet run 2>"$w/log" &
	service=$!
	until_there "$desk/done/witness$n.xml.receipt.json"
	is "a service that is killed at it, $n" "$(ls "$desk/failed" | grep -c killer)" 0
	kill -KILL "$(cat "/proc/$service/task/$service/children" | cut -d' ' -f1)" 2>/dev/null
	wait $service
	service=
done
run
has "is not by the same document again" "$(cat "$desk/failed/killer.xml.reason.json" 2>&1)" "set aside after 2 tries"
"$es" scrub >/dev/null
is "and the archive is whole" $? 0

# ---- a record whose steps take too long is not stepped again and again
/usr/bin/python3 -c "
import sys
open(sys.argv[1], 'w').write('<big>' + ''.join('<e a=\"%d\">text</e>' % i for i in range(700000)) + '</big>')" "$w/in/big"
"$pki" sign "$w/pki" --name a --in "$w/in/big" --out "$w/in/big.xml" --shape enveloped --key ecdsa >/dev/null
archive g
rec=$("$es" deposit "$w/in/big.xml" | json 'd["record"]')
printf '\n[limits]\nworker_time = 1s\n' >>"$w/g/everseal.conf"
due() { "$es" --json history "$rec" | json '(d[-1]["signatures"][0]["due"] is None, d[-1]["signatures"][0]["state"], d[-1]["signatures"][0]["reason"][:24])'; }
run
is "a step that runs out of time is tried again" "$(due | cut -c 1-16)" "(False, 'found',"
at 2026-01-01T06:00:00Z
run
is "and after two tries set aside" "$(due)" "(True, 'found', 'set aside after 2 tries:')"
sed -i 's/^worker_time = .*/worker_time = 1h/' "$w/g/everseal.conf"
at 2026-02-01T00:00:00Z
run
is "for good" "$(due)" "(True, 'found', 'set aside after 2 tries:')"
"$es" release "$rec" >/dev/null
run
case $(due) in *found*) bad "until it is released" "$(due)" ;; *) ok "until it is released" ;; esac
