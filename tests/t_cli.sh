#!/bin/sh
# The verbs end to end, and bad input: refused with its reason, kept with its
# verdict, or kept as data; always in bounded time, the archive going on.
set -u
build=${BUILD:-build}
w=$build/tests/cli
es=$(pwd)/$build/everseal
pki=$(pwd)/$build/testpki
"$pki" stop "$w/pki" >/dev/null 2>&1
rm -rf "$w"
mkdir -p "$w/in" "$w/empty"
ok() { printf '[       OK ] %s\n' "$1"; }
bad() { printf '[  FAILED  ] %s\n' "$1"; [ -z "${2:-}" ] || printf '  %s\n' "$2"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "is '$2', not '$3'"; fi; }
has() { case $2 in *"$3"*) ok "$1" ;; *) bad "$1" "'$3' is not in: $(printf %.300s "$2")" ;; esac; }
json() { /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); print($1)" 2>/dev/null || echo "no JSON"; }
clock=$(pwd)/$w/clock
at() { printf '%s\n' "$1" >"$clock.n" && mv "$clock.n" "$clock"; }
at 2026-01-01T00:00:00Z
export TESTPKI_POOL="$build/tests/pool"
mkdir -p "$TESTPKI_POOL"
"$pki" init "$w/pki" --clock "$clock" --root-crl-months 1 >/dev/null || bad "test PKI"
"$pki" serve "$w/pki" --daemon --ready-file "$w/ready" || bad "test PKI serves"
trap '"$pki" stop "$w/pki" >/dev/null 2>&1' EXIT
port=$(cat "$w/pki/port")
u=http://127.0.0.1:$port
sign() { o=$1; shift; "$pki" sign "$w/pki" --name "$o" --out "$w/in/$o.xml" "$@" >/dev/null; }

# ---- verify without an archive
is "no network library is loaded with the program" "$(ldd "$es" | grep -c 'libcurl\|libarchive\|libgnutls')" 0
sign good --shape enveloped --key ecdsa
sign other --shape enveloping --key rsa
sign bent --shape enveloped --key ecdsa --tamper
T=2026-01-01T12:00:00Z
out=$("$es" --json verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient)
is "verify: exit 0 of a passed one" $? 0
is "verify: schema" "$(echo "$out" | json 'd["schema"]')" 1
is "verify: indication" "$(echo "$out" | json 'd["documents"][0]["signatures"][0]["indication"]')" TOTAL-PASSED
is "verify: level" "$(echo "$out" | json 'd["documents"][0]["signatures"][0]["level"]')" XAdES-B-B
is "verify: references intact" "$(echo "$out" | json 'all(r["intact"] for r in d["documents"][0]["signatures"][0]["references"])')" True
out2=$("$es" --json verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient)
is "verify: the same twice" "$out" "$out2"
# A machine's OpenSSL may know no algorithm but those of a module that is not there.
printf 'openssl_conf = i\n[i]\nalg_section = a\n[a]\ndefault_properties = fips=yes\n' >"$w/fips.cnf"
out2=$(OPENSSL_CONF="$w/fips.cnf" "$es" --json verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient)
is "verify: the same whatever openssl.cnf says" "$out" "$out2"
"$es" verify "$w/in/bent.xml" --trust "$w/pki/trust" --at $T >"$w/o" 2>&1
is "verify: exit 1 of a failed one" $? 1
"$es" verify "$w/in/good.xml" --trust "$w/empty" --at $T >"$w/o" 2>&1
is "verify: exit 3 without an anchor" $? 3
has "verify: says which" "$(cat "$w/o")" NO_CERTIFICATE_CHAIN_FOUND
"$es" verify "$w/in/good.xml" "$w/in/bent.xml" --trust "$w/pki/trust" --at $T --json >"$w/o" 2>&1
is "verify: the worst of several" $? 1
"$es" verify "$w/in/none.xml" --trust "$w/pki/trust" >"$w/o" 2>&1
is "verify: exit 66 of a missing file" $? 66
"$es" verify "$w/in/good.xml" >"$w/o" 2>&1
is "verify: exit 64 without --trust" $? 64
"$es" verify "$w/in/good.xml" --trust "$w/empty" --trust "$w/pki/trust" >"$w/o" 2>&1
is "an option twice would be heeded once" "$?$(grep -c 'trust stands twice' "$w/o")" 641
"$es" verify "$w/in/good.xml" --trust "$w/empty" --json=no >"$w/o" 2>&1
is "a flag takes no value" "$?$(grep -c 'json takes no value' "$w/o")" 641
"$es" frobnicate >"$w/o" 2>&1
is "exit 64 of an unknown verb" $? 64

/usr/bin/python3 - "$w/in" <<'END'
import sys
d = sys.argv[1]
b = open(d + "/good.xml", "rb").read()
open(d + "/lines.xml", "wb").write(b.replace(b'URI=""', b'URI="#a&#10;  signature 9 X: TOTAL-PASSED&#10;"', 1))
END
is "verify: an address makes no line of its own" "$("$es" verify "$w/in/lines.xml" --trust "$w/empty" --at $T | grep -c '^  signature')" 1

# ---- what is signed
said() { "$es" verify "$w/in/$1.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient | grep '^  signature'; }
has "verify: the whole document" "$(said good)" ": TOTAL-PASSED: the signature is valid, and nothing of it was altered"
has "verify: the data in it" "$(said other)" ": TOTAL-PASSED: the signature is valid, and nothing of the data in it was altered"
has "verify: proved" "$("$es" verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient)" " lines (--json shows them)"
sign beside --shape sibling --key ecdsa
has "verify: a part, in the first line" "$(said beside)" ": TOTAL-PASSED: the signature is valid, but it signs only a part of what is here: /"
"$es" verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --policy dss-lenient --extract "$w/x/good" >"$w/o"
is "extract: exit" $? 0
is "extract: a file each" "$(ls "$w/x/good" | tr '\n' ' ')" "signature-0-reference-0.xml signature-0-reference-1.xml "
has "extract: says which is which" "$(cat "$w/o")" "octets: reference 0 of signature 0 (TOTAL-PASSED), this document: intact"
/usr/bin/python3 - "$w" <<'END'
import base64, hashlib, re, sys
w = sys.argv[1]
want = re.findall(rb"DigestValue>([^<]+)<", open(w + "/in/good.xml", "rb").read())
have = [hashlib.sha256(open(f"{w}/x/good/signature-0-reference-{i}.xml", "rb").read()).digest() for i in range(2)]
print("[       OK ]" if all(base64.b64encode(h) in [v.strip() for v in want] for h in have) else "[  FAILED  ]", "extract: the octets have the digests that were signed")
END
"$es" verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --extract "$w/x/good" >"$w/o" 2>&1
is "extract: a name that is taken" "$?$(grep -c 'is there already' "$w/o")" 731
mkdir -p "$w/x/link" && ln -s "$(pwd)/$w/x/elsewhere" "$w/x/link/signature-0-reference-1.xml"
"$es" verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --extract "$w/x/link" >"$w/o" 2>&1
is "extract: a link is a name that is taken" $? 73
is "extract: and nothing is written, there or here" "$(ls "$w/x/link")$(ls "$w/x" | tr '\n' ' ')" "signature-0-reference-1.xmlgood link "
"$es" verify "$w/in/bent.xml" --trust "$w/pki/trust" --at $T --extract "$w/x/bent" >"$w/o"
is "extract: the verdict decides the exit code" $? 1
is "extract: what was altered is called so" "$(ls "$w/x/bent" | head -n 1)" signature-0-reference-0-ALTERED.xml
has "extract: and told" "$(cat "$w/o")" "this document: ALTERED"
is "extract: in JSON" "$("$es" --json verify "$w/in/good.xml" --trust "$w/pki/trust" --at $T --extract "$w/x/json" | json '[sorted(r["extracted"]) for r in d["documents"][0]["signatures"][0]["references"]]')" "[['file', 'octets'], ['file', 'octets']]"
"$es" verify "$w/in/good.xml" "$w/in/bent.xml" --trust "$w/empty" --extract "$w/x/two" >"$w/o" 2>&1
is "extract: one file" $? 64
[ ! -e "$w/x/two" ]
is "extract: no folder for nothing" $? 0
printf 'a deed' >"$w/in/deed.Txt"
sign side --shape detached --in "$w/in/deed.Txt"
"$es" verify "$w/in/side.xml" --trust "$w/pki/trust" --at $T --with "$w/in/deed.Txt" --extract "$w/x/side" >"$w/o"
is "extract: a file beside, whole" "$(cat "$w/x/side/signature-0-reference-0.Txt")" "a deed"

# ---- what is no XML is called by its name
refused_as() { # name, words
	out=$("$es" verify "$w/in/$1" --trust "$w/empty" --at $T)
	is "verify $1: refused" $? 65
	has "verify $1: by name" "$out" "$2"
	has "verify $1: what becomes of it" "$out" "as data"
}
printf '%%PDF-1.7\n1 0 obj\n' >"$w/in/a.pdf"
/usr/bin/python3 - "$w/in" <<'END'
import sys, zipfile
d = sys.argv[1]
with zipfile.ZipFile(d + "/a.asice", "w") as z:
    z.writestr("mimetype", "application/vnd.etsi.asic-e+zip")
    z.writestr("META-INF/signatures001.xml", open(d + "/good.xml").read())
zipfile.ZipFile(d + "/plain.zip", "w").writestr("a.txt", "a")
zipfile.ZipFile(d + "/empty.zip", "w").close()
open(d + "/a.p7m", "wb").write(bytes.fromhex("308006092a864886f70d010702"))
END
refused_as a.pdf "this is a PDF document"
refused_as a.asice "this is an ASiC"
refused_as plain.zip "this is a ZIP archive without signatures"
refused_as empty.zip "this is a ZIP archive without signatures"
refused_as a.p7m "this is a CMS signature"
printf 'Dear Sir\n' >"$w/in/letter.txt"
refused_as letter.txt "this is not XML"
: >"$w/in/nothing.xml"
has "verify an empty file" "$("$es" verify "$w/in/nothing.xml" --trust "$w/empty")" "refused: the file is empty"

# ---- an archive
"$es" init --simulated "$w/a" --clock "$clock" --tsa "$u/tsa1,$u/tsa2" --allow-net "127.0.0.1:$port" >/dev/null
cp "$w"/pki/trust/* "$w/a/trust/"
export EVERSEAL_CONFIG="$w/a/everseal.conf"
"$es" init >/dev/null 2>"$w/o"
is "init twice is refused" $? 73
"$es" init --simulated "$w/none" --clock "$clock" >/dev/null 2>"$w/o"
is "init: a simulated archive wants a TSA" $? 64
[ ! -e "$w/none" ]
is "and nothing is made" $? 0
"$es" config check >/dev/null
is "config check" $? 0
{ cat "$w/a/everseal.conf"; printf '[renewal2]\nx = 1\n'; } >"$w/bad.conf"
"$es" -c "$w/bad.conf" config check >/dev/null 2>"$w/o"
is "config check finds a fault" $? 78
has "config fault has its line" "$(cat "$w/o")" "bad.conf:"
spool=$w/a/spool/desk
"$es" deposit "$w/in/good.xml" "$w/in/other.xml" >"$w/receipts"
is "deposit" $? 0
is "deposit: one receipt a line" "$(wc -l <"$w/receipts")" 2
head -n 1 "$w/receipts" >"$w/good.receipt.json"
rec=$(json 'd["record"]' <"$w/good.receipt.json")
is "receipt: how much is signed" "$(json 'd["signatures"][0]["signs"]' <"$w/good.receipt.json")" document
"$es" verify "$w/good.receipt.json" --log-key "$w/a/archive/log.pub" >/dev/null
is "receipt proves" $? 0
"$es" verify "$w/good.receipt.json" >/dev/null
is "receipt without key is indeterminate" $? 3
sed 's/"salt": *"\(.\)/"salt":"f\1/; s/"index":0/"index":1/' "$w/good.receipt.json" >"$w/forged.receipt.json"
"$es" verify "$w/forged.receipt.json" --log-key "$w/a/archive/log.pub" >/dev/null 2>&1
is "forged receipt fails" $? 1
"$es" verify "$w/good.receipt.json" "$w/forged.receipt.json" --log-key "$w/a/archive/log.pub" >"$w/o" 2>&1
is "each of several receipts is checked" $? 1
has "and what was kept is said" "$(cat "$w/o")" "good.xml (SHA-256 "
"$es" verify "$w/good.receipt.json" --log-key "$w/a/archive/log.pub" --trust "$w/empty" >/dev/null 2>&1
is "an option that a receipt would not heed" $? 64
"$es" verify "$rec" --policy dss >/dev/null 2>&1
is "nor a record" $? 64
"$es" verify "$w/in/good.xml" --trust "$w/empty" --log-key "$w/a/archive/log.pub" >/dev/null 2>&1
is "nor a file" $? 64
"$es" --json verify "$w/in/good.xml" "$w/in/none.xml" "$w/in/other.xml" --trust "$w/empty" >"$w/o" 2>/dev/null
is "verify: a file that is not there" $? 66
is "the others are judged all the same" "$(json 'len(d["documents"])' <"$w/o")" 2
has "verify RECORD is for people" "$("$es" verify "$rec")" "signs this document: intact"
has "verify says in words what was found" "$("$es" verify "$w/in/bent.xml" --trust "$w/empty")" "what was signed has been altered"
"$es" get "$rec" -o "$w/out" --version 0 >/dev/null
cmp -s "$w/out/good.xml" "$w/in/good.xml" && ok "get --version 0 gives the deposit" || bad "get --version 0"
"$es" get "$rec" -o "$w/out" >/dev/null 2>&1
is "get does not overwrite" $? 73
"$es" deposit --id A1 "$w/in/good.xml" >"$w/r1"
"$es" deposit --id A1 "$w/in/good.xml" >"$w/r2"
is "same id and bytes: same record" "$(json 'd["record"]' <"$w/r1")" "$(json 'd["record"]' <"$w/r2")"
"$es" deposit --id A1 "$w/in/other.xml" >"$w/r3"
is "same id, other bytes: refused" $? 65
has "and says so" "$(cat "$w/r3")" "other bytes"

# ---- what names files must be given out under
mkdir -p "$w/in/x" "$w/in/none" && cp "$w/in/good.xml" "$w/in/x/"
refusal() { json 'd["refused"], d["reason"]'; }
has "deposit: two files of one name are refused" "$("$es" deposit "$w/in/good.xml" --with "$w/in/x/good.xml" | refusal)" 'True deposit: file name "good.xml" stands beside'
has "deposit: an empty folder is named" "$("$es" deposit "$w/in/none" | refusal)" "in/none is an empty folder"
"$es" deposit --id "$(printf 'a\377')" "$w/in/good.xml" >"$w/o" 2>&1
is "deposit: an id that is not UTF-8 is not dropped" $? 64
"$es" deposit --depositor ../x "$w/in/good.xml" >"$w/o" 2>&1
is "deposit: a depositor is a name" $? 64
"$es" get "$rec" -o "$w/v7" --version 7 >/dev/null 2>"$w/o"
is "get: a version that is not there" $? 66
has "and the newest is told" "$(cat "$w/o")" "the newest is 0"
"$es" get "$rec" -o "$w/v7" --version first >/dev/null 2>&1
is "get: no number" $? 64
[ ! -e "$w/v7" ]
is "get: nothing is made then" $? 0
cp "$w/in/good.xml" "$w/in/Übung.xml"
"$es" deposit "$w/in/Übung.xml" >/dev/null
is "list: columns stand" "$("$es" list | tail -n +2 | /usr/bin/python3 -c 'import sys; print(len({l.index("XAdES-B-B") for l in sys.stdin.read().splitlines()}))')" 1

# ---- trust
root=$w/pki/trust/root.pem
{ openssl genpkey -algorithm ED25519; cat "$root"; } >"$w/in/key-and-root.pem"
{ cat "$root"; head -c 300 "$w/pki/trust/tsaroot1.pem"; } >"$w/in/cut.pem"
cat "$root" "$w/pki/trust/tsaroot1.pem" >"$w/in/two.pem"
"$es" --json trust add "$w/in/key-and-root.pem" --role ocsp >"$w/o"
is "trust add" "$(json 'd["ca"], d["role"]' <"$w/o")" "True ocsp"
is "trust add keeps the certificate alone, no key beside it" "$(grep -c PRIVATE "$w"/a/trust/ocsp/*)" 0
sha=$(json 'd["sha256"]' <"$w/o")
"$es" trust add "$w/in/cut.pem" >/dev/null 2>"$w/o"
is "trust add: a bundle that is cut off is refused" $? 65
has "and says which" "$(cat "$w/o")" "PEM block 2"
"$es" trust add "$w/in/two.pem" >/dev/null 2>"$w/o"
is "trust add: one by one" $? 64
openssl req -x509 -newkey ed25519 -nodes -keyout /dev/null -out "$w/in/leaf.pem" -subj /CN=leaf -addext basicConstraints=CA:FALSE 2>/dev/null
"$es" trust add "$w/in/leaf.pem" --role signer >/dev/null 2>"$w/o"
has "trust add: a leaf is told" "$(cat "$w/o")" "no CA certificate"
has "trust list says whom" "$("$es" trust list)" "CN=leaf  ("
"$es" trust remove "$("$es" --json trust list | json '[a["sha256"] for a in d if not a["ca"]][0]')" >/dev/null
is "trust remove" $? 0
mv "$w/a/trust/root.pem" "$w/root.aside" && cp "$w/in/two.pem" "$w/a/trust/two.pem"
"$es" trust remove "$sha" >/dev/null 2>"$w/o"
is "trust remove: a file with others is left" $? 65
has "and named" "$(cat "$w/o")" "two.pem holds other anchors"
rm "$w/a/trust/two.pem" && mv "$w/root.aside" "$w/a/trust/root.pem"

# ---- what a verdict rests on is in its header: catalogue, overlay, freshness
dssc() { # file, issue date, algorithms
	printf '<SecuritySuitabilityPolicy xmlns="urn:ietf:params:xml:ns:dssc"><PolicyName><Name>house</Name></PolicyName>
<PolicyIssueDate>%s</PolicyIssueDate>%s</SecuritySuitabilityPolicy>' "$2" "$3" >"$w/$1"
}
algorithm() { # OID, end, reason
	printf '<Algorithm><AlgorithmIdentifier><Name>x</Name><ObjectIdentifier>%s</ObjectIdentifier></AlgorithmIdentifier><Evaluation><Validity>%s</Validity></Evaluation>%s</Algorithm>' \
		"$1" "${2:+<End>$2</End>}" "${3:+<Information><Text>$3</Text></Information>}"
}
sha512=2.16.840.1.101.3.4.2.3
dssc earlier.xml 2025-06-01T00:00:00Z "$(algorithm $sha512 2030-01-01)"
dssc soon.xml 2025-06-01T00:00:00Z "$(algorithm $sha512 2027-01-01)"
dssc looser.xml 2025-06-01T00:00:00Z "$(algorithm 1.3.14.3.2.26 2040-01-01)"
dssc reasoned.xml 2025-06-01T00:00:00Z "$(algorithm 1.3.14.3.2.26 2040-01-01 'house rule 7')"
dssc tomorrow.xml 2027-06-01T00:00:00Z "$(algorithm $sha512 '')"
with() { { cat "$w/a/everseal.conf"; printf '[verify]\n%s\n' "$1"; } >"$w/a/with.conf"; }
digest_with() { with "$1"; "$es" --json -c "$w/a/with.conf" verify "$rec" | json 'd["policy_digest"]'; }
is "policy_digest: each of them counts" "$(for k in 'policy = default' 'sliding_freshness = strict' "overlay = $(pwd)/$w/earlier.xml" "overlay = $(pwd)/$w/reasoned.xml"; do digest_with "$k"; done | sort -u | grep -c sha256:)" 4
with "overlay = $(pwd)/$w/earlier.xml"
has "overlay: the catalogue in force says so" "$("$es" --json -c "$w/a/with.conf" status | json 'd["due"]["catalogue_name"]')" "+ house"
fault_with() { # what, key, reason
	with "$2"
	"$es" -c "$w/a/with.conf" config check >/dev/null 2>"$w/o"
	is "$1" $? 78
	has "and why" "$(cat "$w/o")" "$3"
}
fault_with "overlay: a later end without a reason" "overlay = $(pwd)/$w/looser.xml" "needs a reason"
fault_with "overlay: new evidence would end soon" "overlay = $(pwd)/$w/soon.xml" "SHA512 ends 2027-01-01"
"$es" -c "$w/a/with.conf" run --once >/dev/null 2>"$w/o"
is "which does not stop the archive" $? 0
has "but is told" "$(cat "$w/o")" "SHA512 ends 2027-01-01"
fault_with "catalogue: of tomorrow" "catalogue = $(pwd)/$w/tomorrow.xml" "issued in the future"
"$es" config catalogue >"$w/built-in.xml"
is "config catalogue" "$(grep -c '<Algorithm>' "$w/built-in.xml")" "$("$es" --json config catalogue | json 'd["text"].count("<Algorithm>")')"
sed 's|<PolicyIssueDate>[^<]*|<PolicyIssueDate>2024-01-01T00:00:00Z|' "$w/built-in.xml" >"$w/older.xml"
dssc newer.xml 2025-06-01T00:00:00Z "$(algorithm $sha512 '')$(algorithm 2.16.840.1.101.3.4.2.1 '')"
with "catalogue = $(pwd)/$w/newer.xml"
has "catalogue: a new one alone forgets what was" "$("$es" -c "$w/a/with.conf" config check 2>&1)" "removed SHA1: 2012-08-01T00:00:00Z -> -"
with "catalogue = $(pwd)/$w/older.xml $(pwd)/$w/newer.xml"
out=$("$es" -c "$w/a/with.conf" config check 2>&1)
is "catalogues: with the older one it does not" "$(echo "$out" | grep -c 'removed\|SHA1:')" 0
has "and what it dropped ends with it" "$out" "earlier Ed25519: open -> 2025-06-01T00:00:00Z"
fault_with "catalogue: none" "catalogue = $(pwd)/$w/in/good.xml" "no SecuritySuitabilityPolicy"

# ---- the rules in force are kept, once each time they change, and without passwords
leaves() { "$es" --json -c "$w/a/with.conf" status | json 'd["store"]["log_size"]'; }
with 'policy = dss
[tsa paid]
url = https://tsa.example.org/
user = archive
password = s3cret'
n=$(leaves)
"$es" -c "$w/a/with.conf" run --once >/dev/null 2>&1
is "a changed configuration is a leaf" "$(leaves)" $((n + 1))
"$es" -c "$w/a/with.conf" run --once >/dev/null 2>&1
is "the same one is none" "$(leaves)" $((n + 1))
(cd "$w/a" && "$es" -c with.conf run --once >/dev/null 2>&1)
is "nor from another folder" "$(leaves)" $((n + 1))
is "and can be read from the segments" "$(cat "$w"/a/archive/segments/* | LC_ALL=C grep -ac 'https://tsa.example.org/')" 1
is "but no password" "$(cat "$w"/a/archive/segments/* | LC_ALL=C grep -ac s3cret)" 0
"$es" run --once >/dev/null 2>&1

# ---- every verb answers as JSON with its schema
answers() { # verb...
	"$es" --json "$@" >"$w/o" 2>/dev/null
	is "--json $1 ${2:-}" "$(json '{r["schema"] for r in (d if isinstance(d, list) else [d])} == {1}' <"$w/o")" True
}
answers list
answers history "$rec"
answers status
answers trust list
answers config check
answers config show
answers run --once
answers sweep --plan
answers sweep
answers forecast
answers scrub
answers log verify
answers log checkpoint
answers rebuild
answers get "$rec" -o "$w/answer"
answers export "$rec" -o "$w/answer.tar"
answers verify "$rec"
answers verify "$w/good.receipt.json" --log-key "$w/a/archive/log.pub"
answers hold "$rec" --reason "case 6"
answers hold "$rec" --reason "case 6 is over" --release
"$es" --json get nobody -o "$w/answer" 2>"$w/o"
is "--json: an error too" "$(json 'd["schema"], d["error"], d["exit"]' <"$w/o")" "1 usage 64"
{ cat "$w/a/everseal.conf"; printf '[verify]\npolicy = none\n[hook2]\n'; } >"$w/bad.conf"
"$es" --json -c "$w/bad.conf" config check >"$w/o" 2>/dev/null
is "--json config check: faults" "$(json 'len(d["faults"]), d["faults"][0]["line"] > 9' <"$w/o")" "2 True"
"$es" -c "$w/bad.conf" status >/dev/null 2>&1
is "exit 78 of any verb under a faulty configuration" $? 78

# ---- bad input through the spool
drop() { cp -r "$1" "$spool/tmp/x" && mv "$spool/tmp/x" "$spool/new/$2"; }
gen() { /usr/bin/python3 - "$w/in" <<'END'
import sys, os
d = sys.argv[1]
def w(n, b): open(os.path.join(d, n), "wb").write(b)
good = open(os.path.join(d, "good.xml"), "rb").read()
body = good[good.index(b"<", 1):] if good.startswith(b"<?xml") else good
sig = good[good.index(b"<ds:Signature"):good.index(b"</ds:Signature>") + 15]
w("dtd.xml", b'<!DOCTYPE r [<!ELEMENT r ANY>]><r>' + sig + b'</r>')
w("bomb.xml", b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><r>&b;</r>')
w("xxe.xml", b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>')
w("deep.xml", b"<a>" * 5000 + b"</a>" * 5000)
ref = b'<ds:Reference URI=""><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AA==</ds:DigestValue></ds:Reference>'
w("manyrefs.xml", b'<r><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>' + ref * 100000 + b'</ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature></r>')
tr = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
w("manytransforms.xml", b'<r><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>' + ref.replace(b"<ds:DigestMethod", b"<ds:Transforms>" + tr * 1000 + b"</ds:Transforms><ds:DigestMethod") + b'</ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature></r>')
i = good.rindex(b"</")
with open(os.path.join(d, "huge.xml"), "wb") as f:
    f.write(good[:i])
    for _ in range(257): f.write(b"a" * (1 << 20))
    f.write(good[i:])
w("empty.xml", b"")
w("cutoff.xml", good[:len(good) * 2 // 3])
w("text.txt", b"no markup at all\n")
w("unsigned.xml", b"<invoice><total>1</total></invoice>")
w("twice.xml", b'<r>' + body.replace(b'?>', b'?>') .replace(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>", b"") + b'</r>')
i = good.index(b' Id="') + 5
ident = good[i:good.index(b'"', i)]
w("dupid.xml", good.replace(b"</ds:Signature>", b'<ds:Object Id="' + ident + b'"/></ds:Signature>'))
END
}
gen
rm -f "$w/in/twice.xml"
for f in dtd bomb xxe deep manyrefs manytransforms empty cutoff unsigned dupid; do drop "$w/in/$f.xml" "$f.xml"; done
drop "$w/in/text.txt" text.txt
mv "$w/in/huge.xml" "$spool/new/huge.xml"
ln -s /etc/passwd "$spool/new/link.xml"
mkfifo "$spool/new/pipe.xml"
mkdir "$spool/tmp/d" && cp "$w/in/good.xml" "$spool/tmp/d/" && ln -s /etc/passwd "$spool/tmp/d/l" && mv "$spool/tmp/d" "$spool/new/withlink"
cp "$w/in/good.xml" "$spool/new/$(printf 'new\nline.xml')"
cp "$w/in/good.xml" "$spool/new/$(printf 'latin\351.xml')"
cp "$w/in/good.xml" "$spool/new/wrongsum.xml"
echo '{"sha256": "00"}' >"$spool/new/wrongsum.xml.meta.json"
cp "$w/in/good.xml" "$spool/new/badmeta.xml"
echo '{"profil": "x"}' >"$spool/new/badmeta.xml.meta.json"
timeout 120 "$es" --quiet run --once >"$w/o" 2>&1
is "the service goes on through bad input" $? 0
reason() { cat "$spool/failed/$1.reason.json" 2>/dev/null || echo "not refused"; }
refused() { has "refused: $1" "$(reason "$1")" "$2"; }
refused dtd.xml DOCTYPE
refused bomb.xml DOCTYPE
refused xxe.xml DOCTYPE
refused deep.xml dee
refused manyrefs.xml reference
refused manytransforms.xml transform
refused empty.xml empty
refused huge.xml "a signature file of"
rm -f "$spool/failed/huge.xml"
refused link.xml "symbolic link"
refused pipe.xml "device, socket or pipe"
refused withlink "symbolic link"
refused wrongsum.xml SHA-256
refused badmeta.xml profil
is "a name with a newline is refused" "$(ls "$spool/failed" | grep -c 'new_line.xml.reason.json')" 1
is "a name that is not UTF-8 is refused" "$(ls "$spool/failed" | LC_ALL=C grep -ac 'latin.*reason.json')" 1
kept() { cat "$spool/done/$1.receipt.json" 2>/dev/null || echo '{}'; }
is "kept as data: cut off" "$(kept cutoff.xml | json 'd["originals"][0]["form"]')" data
is "kept as data: plain text" "$(kept text.txt | json 'len(d["signatures"])')" 0
is "kept as data: unsigned" "$(kept unsigned.xml | json 'd["originals"][0]["form"]')" xml
is "kept with its verdict: duplicate id" "$(kept dupid.xml | json 'd["signatures"][0]["indication"]')" TOTAL-FAILED
is "and its reason" "$(kept dupid.xml | json 'd["signatures"][0]["subindication"]')" FORMAT_FAILURE
is "nothing stays claimed" "$(ls "$spool/cur" | wc -l)" 0

# ---- the whole way, and looking after it
at 2026-01-03T00:00:00Z
"$es" --quiet run --once >/dev/null 2>&1
at 2026-02-05T00:00:00Z
"$es" --quiet run --once >/dev/null 2>&1
at 2026-02-08T00:00:00Z
"$es" --quiet run --once >/dev/null 2>&1
is "becomes XAdES-A" "$("$es" --json list | json '[r["level"] for r in d if r["record"]=="'"$rec"'"][0]')" XAdES-A
"$es" get "$rec" -o "$w/newest" >/dev/null
"$es" verify "$w/newest/good.xml" --trust "$w/pki/trust" --at 2026-03-01T00:00:00Z >/dev/null
is "what get writes proves with anchors only" $? 0
"$es" verify "$rec" >/dev/null
is "verify RECORD" $? 0
"$es" log verify >/dev/null
is "log verify" $? 0
"$es" scrub --full >/dev/null
is "scrub" $? 0
cp -r "$w/a/archive/index" "$w/index.before"
"$es" rebuild >/dev/null
is "rebuild" $? 0
"$es" history "$rec" >/dev/null
is "history after rebuild" $? 0
"$es" hold "$rec" --reason "case 7" >/dev/null
is "hold" $? 0
"$es" --json hold "$rec" --reason "case 7 is closed" --release >"$w/o"
is "hold --release" "$(json 'd["held"], d["reason"]' <"$w/o")" "False case 7 is closed"
has "history says why" "$("$es" history "$rec")" "hold: case 7"
has "history: why a signature is where it is" "$("$es" history "$rec")" "found: BES, EPES or T with a chain to an anchor"
"$es" hold "$rec" --reason "again" --release >/dev/null 2>"$w/o"
is "hold --release of what is not held" $? 66
"$es" release "$rec" >/dev/null 2>"$w/o"
is "release of what is not in quarantine" $? 66
has "and says so" "$(cat "$w/o")" "is in quarantine"
"$es" release "$(printf '%064d' 1)" >/dev/null 2>"$w/o"
is "release of an issuer that is not held" $? 66
"$es" --json status | json 'd["schema"]' >"$w/o"
is "status" "$(cat "$w/o")" 1
"$es" forecast >/dev/null
is "forecast" $? 0
"$es" sweep --plan >/dev/null
is "sweep --plan" $? 0

# ---- how late a renewal is
late() { # at, what sweep --plan says
	printf '%s\n' "$1" >"$w/late.clock"
	sed "s|^clock_file.*|clock_file = $(pwd)/$w/late.clock|" "$w/a/everseal.conf" >"$w/a/late.conf"
	has "sweep --plan on $1" "$("$es" -c "$w/a/late.conf" sweep --plan)" "$2"
}
late 2030-03-01T00:00:00Z "to renew 0"
late 2030-06-01T00:00:00Z "deadline 2031-07-01: "
late 2030-12-01T00:00:00Z "half the margin is gone"
late 2031-06-10T00:00:00Z "WITHIN A MONTH"
late 2031-06-28T00:00:00Z "WITHIN A WEEK"
late 2031-07-01T00:00:00Z "LAPSED"

"$es" --json export "$rec" -o "$w/bundle.tar" >"$w/o"
is "export as one file" $? 0
is "it names the file, not the folder on the way" "$(json '"directory" in d, d["tar"].endswith("bundle.tar")' <"$w/o")" "False True"
(cd "$w" && tar xf bundle.tar) && [ ! -e "$w/bundle.tar.part" ]
is "tar unpacks it" $? 0
"$es" verify "$w/bundle" --at 2026-03-01T00:00:00Z >/dev/null
is "and it proves" $? 0

# ---- a service holds the lock: verbs ask it
"$es" --quiet run 0<&- 1>&- 2>&- &
service=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -S "$w/a/archive/control" ] && break
	sleep 0.1
done
is "closed descriptors are held, no file of the archive gets their numbers" \
	"$(cd /proc/$service/fd && readlink 0 1 2 | tr '\n' ' ')" "/dev/null /dev/null /dev/null "
"$es" deposit "$w/in/other.xml" >"$w/r4" 2>&1
is "deposit through the service" $? 0
"$es" list >/dev/null
is "readers beside the service" $? 0
is "run --once through the service" "$("$es" --json run --once | json 'd["schema"], "taken" in d')" "1 True"
"$es" rebuild >/dev/null 2>"$w/o"
is "rebuild beside the service" $? 75
has "and says what to do" "$(cat "$w/o")" "stop the service first"
"$es" --json hold "$rec" --reason "case 8" >"$w/o"
is "hold through the service" "$(json 'd["held"]' <"$w/o")" True
"$es" hold "$rec" --reason "case 8 is over" --release >/dev/null
is "and its end" $? 0
kill -TERM $service
wait $service
is "the service stops when asked" $? 0
seg=$(ls "$w"/a/archive/segments/data* | head -n 1)
/usr/bin/python3 -c "
import sys
f=open(sys.argv[1],'r+b'); f.seek(2000); b=f.read(1); f.seek(2000); f.write(bytes([b[0]^1]))" "$seg"
"$es" scrub >/dev/null 2>&1
is "scrub finds an altered octet" $? 1
