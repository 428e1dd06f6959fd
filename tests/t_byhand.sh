#!/bin/sh
# SPDX-License-Identifier: MIT
# A record proved by hand: a simulated archive takes signed documents in, archives and renews them; then other people's
# tools alone judge its segments and its exported bundles, and refuse them when one octet is another.
set -u
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
everseal=$build/everseal testpki=$build/testpki
TESTPKI_POOL=${TESTPKI_POOL:-$build/tests/pool}
export TESTPKI_POOL
mkdir -p "$TESTPKI_POOL"
dir=$(mktemp -d) || exit 1
cd "$dir" || exit 1
trap '"$testpki" stop pki >/dev/null 2>&1; cd /; rm -rf "$dir"' EXIT
unset EVERSEAL_CONFIG
failed=0
ok() { # name, command...
	name=$1
	shift
	if "$@" >out 2>&1; then
		echo "[       OK ] $name"
	else
		echo "[  FAILED  ] $name"
		failed=1
		tail -n 15 out
	fi
}
bad() { # a step that the rest stands on
	echo "[  FAILED  ] $1"
	tail -n 15 out
	exit 1
}
code() { # expected exit code, command...
	want=$1
	shift
	"$@"
	got=$?
	[ "$got" -eq "$want" ] || { echo "exit $got, expected $want" && false; }
}
at() { echo "$1" >clock.new && mv clock.new clock; }
e() { "$everseal" -c archive/everseal.conf "$@"; }

# ---- an archive with some years behind it ----
at 2026-01-01T00:00:00Z
"$testpki" init pki --clock clock --root-crl-months 1 >out 2>&1 || bad "test PKI"
"$testpki" serve pki --daemon --ready-file ready >out 2>&1 || bad "test PKI serves"
url=http://127.0.0.1:$(cat pki/port)
e init --simulated archive --clock "$dir/clock" --tsa "$url/tsa1,$url/tsa2" --allow-net "127.0.0.1:$(cat pki/port)" >out 2>&1 || bad "init"
mkdir -p archive/trust && cp pki/trust/* archive/trust/
sign() { # name, testpki sign options
	out=$1
	shift
	"$testpki" sign pki --name "$out" --out "in/$out.xml" "$@" >out 2>&1 || bad "sign $out"
}
mkdir -p in in/detached
sign enveloped --shape enveloped --key rsa
sign enveloping --shape enveloping --key ecdsa --ca ca2
sign parallel --shape parallel --key rsa --key2 ecdsa
sign counter --shape counter --key p384 --key2 rsa2048
sign sibling --shape sibling --key p521 --c14n c14n11
sign filtered --shape enveloped --key ecdsa --transform filter2 --encoding ISO-8859-2
sign xpath --shape enveloped --key rsa --transform xpath --c14n c14n10 --digest SHA512
sign pss --shape enveloped --key pss
"$testpki" sign pki --name detached --shape detached --key ecdsa --out in/detached/signature.xml >out 2>&1 || bad "sign detached"
e deposit in/*.xml in/detached >receipts 2>out || bad "deposit"
for t in 2026-01-01T01:00:00Z 2026-01-02T02:00:00Z 2026-01-03T04:00:00Z 2026-01-05T06:00:00Z 2026-02-05T00:00:00Z 2026-02-06T01:00:00Z 2026-03-08T00:00:00Z; do
	at $t
	e --quiet run --once >out 2>&1 || bad "run at $t"
done
at 2030-05-01T00:00:00Z
e --quiet run --once >out 2>&1 && e --quiet sweep >out 2>&1 || bad "sweep"
for t in 2030-05-02T01:00:00Z 2030-05-04T00:00:00Z 2030-06-05T00:00:00Z; do
	at $t
	e --quiet run --once >out 2>&1 || bad "run at $t"
done
now=2030-06-05T00:00:00Z
"$testpki" stop pki >out 2>&1 # from here on there is nobody to ask
sed -n 's/.*"name":"\([^"]*\)".*"record":"\([^"]*\)","retention_year.*/\1 \2/p' receipts >pairs
records() { e --json list | tr '{' '\n' | sed -n 's/.*"name":"\([^"]*\)".*"record":"\([0-9a-f-]*\)".*/\1 \2/p'; }
records >records 2>out
ok "nine records" test "$(wc -l <records)" -eq 9
while read -r name record; do
	case $name in signature.* | data*) name=detached.xml ;; esac
	name=${name%.xml}
	echo "$name" >>names
	e export "$record" -o "bundle/$name" >out 2>&1 || bad "export $name"
done <records

# ---- each bundle, by check.sh and offline ----
stamps_of() { grep -c "$2" "bundle/$1/stamps.tsv"; }
twice_archived() { [ "$(stamps_of "$1" '	ARCHIVE	')" -ge 2 ]; }
checked() { # all OK; PSS is beyond xmlsec1, and only that is not run
	sh "bundle/$1/check.sh" >report
	got=$?
	cat report
	[ "$(grep -c 'openssl ts -verify' report)" -eq "$(wc -l <"bundle/$1/stamps.tsv")" ] || return 1
	if [ "$1" = pss ]; then
		[ "$got" -eq 3 ] && [ "$(grep -c '^NOT RUN' report)" -eq 1 ] && grep -q '^NOT RUN  signature 0: xmlsec1' report
	else
		[ "$got" -eq 0 ] && ! grep -q 'NOT RUN' report
	fi
}
for n in $(cat names); do
	ok "$n: archived and renewed" twice_archived "$n"
	ok "$n: sha256sum, openssl, imprint.py, xmlsec1" checked "$n"
	doc=$(cut -f2 "bundle/$n/signatures.tsv" | head -n 1)
	beside=$(cd "bundle/$n/files" && ls | grep -v '\.xml$')
	ok "$n: the document alone, with anchors only" code 0 "$everseal" verify "bundle/$n/files/$doc" --trust pki/trust --at $now ${beside:+--with "bundle/$n/files/$beside"}
	ok "$n: everseal verify, the auditor's anchors" code 0 "$everseal" verify "bundle/$n" --trust pki/trust --at $now --log-key archive/archive/log.pub
done
mkdir -p nobody
ok "the anchors in the bundle suffice, and that is said" sh -c "'$everseal' verify bundle/enveloped --at $now | grep 'anchors of the bundle'"
ok "no anchors: indeterminate" code 3 "$everseal" verify bundle/enveloped --trust nobody --at $now
ok "no anchors: openssl refuses too" code 1 sh bundle/enveloped/check.sh nobody
ok "a folder that is not there is no failed check" code 64 sh bundle/enveloped/check.sh nowhere
openssl genpkey -algorithm ed25519 2>/dev/null | openssl pkey -pubout >other.pub
ok "another log key: indeterminate" code 3 "$everseal" verify bundle/enveloped --at $now --log-key other.pub
ok "DER anchors of the auditor's" sh -c 'mkdir der && for f in pki/trust/*; do openssl x509 -in $f -outform DER -out der/$(basename $f).der; done && sh bundle/enveloped/check.sh der'
ok "what openssl asn1parse reads in a token" sh -c 'openssl asn1parse -inform DER -in bundle/enveloped/tokens/0-0-SIGNATURE.tst | grep id-smime-ct-TSTInfo'

# ---- the store's own files, without Everseal (docs/log.md 7) ----
mkdir store
for t in archive/archive/segments/*.tar; do tar -xf "$t" -C store --skip-old-files 2>>tar.err; done
objects_named() { (cd store && for f in objects/sha256/*; do echo "${f##*/}  $f"; done | sha256sum -c --quiet); }
tables_right() {
	(cd store && for m in segments/*.members; do
		tail -n +2 "$m" | while read -r _ _ _ sha512 name; do echo "$sha512  $name"; done
	done | sha512sum -c --quiet)
}
groups_chained() {
	previous=$(printf '%064d' 0)
	for g in store/groups/*.json; do
		grep -qF "\"previous\":\"$previous\"" "$g" || { echo "$g does not follow" && return 1; }
		previous=$(sha256sum <"$g" | cut -c1-64)
	done
}
in_store() { # whatever the bundle says was kept lies in the segments under its digest
	for f in bundle/*/manifests/*.json bundle/*/original/*; do
		cmp "$f" "store/objects/sha256/$(sha256sum <"$f" | cut -c1-64)" || return 1
	done
}
tokens_in_store() {
	for f in bundle/*/tokens/*.tst; do
		cmp "$f" "store/objects/sha256/$(sha256sum <"$f" | cut -c1-64)" || return 1
	done
}
ok "tar reads every segment" sh -c '! [ -s tar.err ] && [ -d store/groups ]'
ok "sha256sum: each object is named by its digest" objects_named
ok "sha512sum: member tables of sealed segments" tables_right
ok "sha256sum: the chain of groups" groups_chained
ok "manifests and originals lie in the segments" in_store
ok "tokens lie in the segments" tokens_in_store

# ---- altered by one octet ----
flip() { # file, offset: its lowest bit turned over
	octet=$(od -An -tu1 -j "$2" -N1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059 # the format is the octet
	printf "\\$(printf %o $((octet ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
middle() { flip "$1" $(($(wc -c <"$1") / 2)); }
fresh() { rm -rf altered && cp -r bundle/detached altered; }
sums() { (cd altered && rm SHA256SUMS && find . -type f | sed 's|^\./||' | sort | xargs -d '\n' sha256sum >../sums && mv ../sums SHA256SUMS); }
refused() { # by both
	code 1 sh altered/check.sh -1 && code 1 "$everseal" verify altered --trust pki/trust --at $now
}
fresh
ok "the copy as it is passes" sh -c "sh altered/check.sh && '$everseal' verify altered --trust pki/trust --at $now"
for f in files/signature.xml original/signature.xml $(cd bundle/detached && ls -d files/*.txt manifests/0003-* tokens/0-1-*) signatures/0.pem \
	$(cd bundle/detached && ls trust/*.pem | head -n 1) receipt.json proofs.json checkpoint log.pub index.json stamps.tsv signatures.tsv verdict.json \
	imprint.py README.txt SHA256SUMS; do
	fresh
	middle "altered/$f"
	ok "one octet of ${f%%-*[0-9a-f].json}: refused" refused
done
fresh
flip altered/check.sh $(($(grep -bo 'Checks this bundle' altered/check.sh | cut -d: -f1) + 3))
ok "one octet of check.sh: refused" refused
fresh
cp pki/ca/ca1-1.crt altered/trust/one-more.pem
ok "an anchor put in: refused" refused
fresh
sed -i '/README/d' altered/SHA256SUMS
ok "a line taken from SHA256SUMS: refused" refused
fresh
mv altered/verdict.json elsewhere.json
ln -s ../elsewhere.json altered/verdict.json
ok "a symbolic link: refused" refused
fresh
echo "$(sha256sum <clock | cut -c1-64)  ../clock" >>altered/SHA256SUMS
ok "a name that leads outside: refused" refused
fresh
rm altered/receipt.json
ok "a file taken away: refused" refused

# ---- the same by someone who makes SHA256SUMS anew: now the proofs themselves have to refuse it ----
says() { # a FAILED line of check.sh that names what it should
	code 1 sh altered/check.sh >report || { cat report && return 1; }
	grep "^FAILED   .*$1" report || { cat report && return 1; }
}
everseal_refuses() { code 1 "$everseal" verify altered --trust pki/trust --at $now; }
forged() { # what, the line of check.sh (or - where only everseal can tell), which file, offset
	fresh
	flip "$3" "$4"
	sums
	[ "$2" = - ] || ok "forged $1: check.sh says so" says "$2"
	[ "$5" != both ] || ok "forged $1: everseal verify refuses" everseal_refuses
}
half() { echo $(($(wc -c <"$1") / 2)); }
where() { grep -bo "$2" "bundle/detached/$1" | head -n 1 | cut -d: -f1; }
forged "signed data" xmlsec1 altered/files/signature.txt 2 both
forged "signature value" xmlsec1 altered/files/signature.xml $(($(where files/signature.xml '<ds:SignatureValue') + 60)) both
forged "octets" 'openssl ts' altered/tokens/0-1-VALIDATION_DATA.octets 100 -
forged "octets" 'imprint.py' altered/tokens/0-2-ARCHIVE.octets 100 -
forged "token" 'stands in' altered/tokens/0-2-ARCHIVE.tst "$(half bundle/detached/tokens/0-2-ARCHIVE.tst)" -
m=$(ls bundle/detached/manifests/0003-*)
forged "manifest" manifests: "altered/${m#bundle/detached/}" "$(half "$m")" both
forged "checkpoint" checkpoint: altered/checkpoint $(($(where checkpoint '^time ') + 8)) both
forged "receipt" manifests: altered/receipt.json $(($(where receipt.json '"manifest":') + 30)) both
forged "place in the log" - altered/proofs.json $(($(where proofs.json '"path"') + 30)) both
forged "original" files: altered/original/signature.xml 5 both
exit $failed
