#!/bin/sh
# Pages to look at: whole in themselves, well-formed enough to read, and nothing foreign in them unescaped.
set -u
build=${BUILD:-build}
w=$build/tests/pages
es=$(pwd)/$build/everseal
pki=$(pwd)/$build/testpki
"$pki" stop "$w/pki" >/dev/null 2>&1
rm -rf "$w"
mkdir -p "$w/in"
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
in_page() { if grep -qF -- "$3" "$2"; then ok "$1"; else bad "$1" "'$3' is not in $2"; fi; }
not_in_page() { if grep -qiE -- "$3" "$2"; then bad "$1" "$(grep -oiE -- "$3" "$2" | head -n 1)"; else ok "$1"; fi; }
record() { printf '%s' "$1" | sed -n 's/.*"record":"\([0-9a-f-]*\)".*/\1/p' | head -n 1; }
# Every tag closed that must be, attributes only in double quotes, no tag that is not ours; the text as a reader gets it on stdout.
parse() {
	/usr/bin/python3 - "$1" <<'PY'
import sys
from html.parser import HTMLParser
ours = set("html head meta title style body main h1 h2 p dl dt dd bdi b code ul li div table caption thead tbody tr th td small br"
           " figure figcaption svg desc defs pattern rect path circle text tspan span i".split())
loose = set("meta br td th tr li dt dd".split())
class P(HTMLParser):
    stack, text, wrong = [], [], []
    def handle_starttag(self, tag, attrs):
        if tag not in ours:
            self.wrong.append(tag)
        for k, v in attrs:
            if k.startswith("on") or k in ("src", "href"):
                self.wrong.append(k)
        if tag not in loose:
            self.stack.append(tag)
    def handle_startendtag(self, tag, attrs):
        if tag not in ours:
            self.wrong.append(tag)
    def handle_endtag(self, tag):
        if tag in loose:
            return
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append("/" + tag)
    def handle_data(self, data):
        self.text.append(data)
p = P(convert_charrefs=True)
p.feed(open(sys.argv[1], encoding="ascii").read())
p.close()
print("".join(p.text))
sys.exit(1 if p.wrong or p.stack else 0)
PY
}
whole() { # name, page
	if parse "$2" >"$w/text"; then ok "$1: only our tags, closed"; else bad "$1: only our tags, closed"; fi
	not_in_page "$1: no script, no outside resource" "$2" '<script|<link|<img|<iframe|@import|[^-]url\((.?http|//)| on[a-z]+="'
	in_page "$1: says SIMULATED" "$2" "SIMULATED"
	in_page "$1: forbids loading" "$2" "default-src 'none'"
}

clock=$(pwd)/$w/clock
at() { printf '%s\n' "$1" >"$clock.n" && mv "$clock.n" "$clock"; }
at 2026-01-01T00:00:00Z
export TESTPKI_POOL="$build/tests/pool"
mkdir -p "$TESTPKI_POOL"
"$pki" init "$w/pki" --clock "$clock" --root-crl-months 1 >/dev/null || bad "test PKI"
"$pki" serve "$w/pki" --daemon --ready-file "$w/ready" || bad "test PKI serves"
trap '"$pki" stop "$w/pki" >/dev/null 2>&1' EXIT
u=http://127.0.0.1:$(cat "$w/pki/port")
"$es" init --simulated "$w/a" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "${u#http://}" >/dev/null
cp "$w"/pki/trust/* "$w/a/trust/"
export EVERSEAL_CONFIG="$w/a/everseal.conf"

# ---- hostile names and titles
title='<script>alert("1")</script>&amp;'\''"><svg onload=x>'
evil='a<img src=x onerror=y>&"'\''.xml'
"$pki" sign "$w/pki" --name contract --shape enveloped --key ecdsa --out "$w/in/contract.xml" >/dev/null
cp "$w/in/contract.xml" "$w/in/$evil"
id=$(record "$("$es" deposit "$w/in/$evil" --title "$title")")
plain=$(record "$(printf 'no signature' >"$w/in/plain.txt" && "$es" deposit "$w/in/plain.txt")")
"$es" hold "$id" --reason '</title><script>h()</script>' >/dev/null
"$es" history "$id" --html "$w/early.html"
is "history --html: exit" $? 0
whole "hostile names" "$w/early.html"
in_page "hostile names: the title escaped" "$w/early.html" '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;'
if grep -qF -- "$title" "$w/text" && grep -qF -- "$evil" "$w/text"; then ok "hostile names: read as they were given"; else bad "hostile names: read as they were given"; fi
in_page "hostile names: the hold's reason escaped" "$w/early.html" '&lt;/title&gt;&lt;script&gt;h()'
"$es" history "$plain" --html "$w/plain.html"
is "history --html: a record without a signature" $? 0
whole "no signature" "$w/plain.html"

# ---- a record that is renewed in time, then too late
for t in 2026-01-02T00:10:00Z 2026-01-03T00:20:00Z 2026-02-01T00:00:00Z; do at $t; "$es" --quiet run --once >/dev/null 2>&1; done
"$es" history "$id" --html "$w/good.html"
whole "in time" "$w/good.html"
in_page "in time: unbroken" "$w/good.html" "proof of existence unbroken"
in_page "events: why the signature was where it was" "$w/good.html" "<td>waiting<td><div><bdi>the grace period</bdi></div>"
is "in time: a mark for each time-stamp" "$(grep -c '<circle' "$w/good.html")" "$("$es" --json history "$id" | /usr/bin/python3 -c 'import json,sys; print(len(json.load(sys.stdin)[-1]["evidence"]))')"
not_in_page "in time: no gap" "$w/good.html" 'fill:url\(#gap\)'
in_page "in time: says that all is signed" "$w/good.html" "the signature is valid, and nothing of it was altered"
in_page "in time: and each reference" "$w/good.html" "<br>signs <bdi>its own properties</bdi>: <span class=\"good\">intact</span>"
in_page "in time: and that it is proved" "$w/good.html" " lines (verify --json shows them)"
"$es" forecast --html "$w/calendar.html"
is "forecast --html: exit" $? 0
whole "calendar" "$w/calendar.html"
in_page "calendar: nothing due" "$w/calendar.html" "Nothing is due"
is "calendar: months add up to the year" "$("$es" --json forecast | /usr/bin/python3 -c 'import json,sys; print(all(sum(m[k] for m in y["months"].values()) == y[k] for y in json.load(sys.stdin)["calendar"].values() for k in ("renewals", "assumed")))')" True

at 2034-01-01T00:00:00Z
"$es" history "$id" --html "$w/lapsed.html"
whole "lapsed" "$w/lapsed.html"
in_page "lapsed: said" "$w/lapsed.html" "proof of existence is broken"
in_page "lapsed: the deadline too" "$w/lapsed.html" ", LAPSED:"
in_page "lapsed: drawn" "$w/lapsed.html" 'fill:url(#gap)'
"$es" forecast --html "$w/due.html"
in_page "calendar: lapsed on top" "$w/due.html" ">LAPSED</tr>"
whole "calendar of what is lapsed" "$w/due.html"
"$es" --quiet sweep >/dev/null 2>&1
"$es" history "$id" --html "$w/late.html"
whole "renewed too late" "$w/late.html"
in_page "renewed too late: the row says so" "$w/late.html" "TOO LATE</tr>"
in_page "renewed too late: the gap stays drawn" "$w/late.html" "gap: nothing held here"
"$es" history "$id" --html "$w/none/x.html" >/dev/null 2>"$w/o"
if [ $? -ne 0 ] && grep -q 'x.html' "$w/o"; then ok "a folder that is not there is told"; else bad "a folder that is not there is told"; fi
