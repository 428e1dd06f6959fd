# SPDX-License-Identifier: MIT
# Services that lie, fail, hang or forget (tsp-ocsp-crl 9): what needs them
# waits, the rest goes on, nothing false gets into a file, a run has an end.
. tests/travel/lib.sh
world 2026-01-01T00:00:00Z
archive a "$u/tsa1,$u/tsa2" </dev/null
sed -i 's/^allow_net.*/&\nconnect_timeout = 2s\ntsa_timeout = 3s\nocsp_timeout = 3s\naia_timeout = 3s\ncrl_timeout = 3s/' "$w/a/everseal.conf"
of a config check >/dev/null 2>&1 || bad "configuration"

# ---- a TSA at fault: the next one serves, and no octet of the bad answer gets into the file
day=1
state() { ofj a list | json '[r["'"$2"'"] for r in d if r["name"] == "'"$1"'"][0]'; }
record() { ofj a list | json '[r["record"] for r in d if r["name"] == "'"$1"'"][0]'; }
stamped_by() { ofj a history "$(record "$1")" | grep -o 'Test TSA [0-9]' | sort -u | tr '\n' ' '; }
bounded() { # NAME SECONDS: a run within this time
	s=$(date +%s)
	timeout 120 "$es" --quiet -c "$w/a/everseal.conf" run --once >>"$w/a.log" 2>>"$w/a.err" || bad "$1: the run ends well"
	s=$(($(date +%s) - s))
	[ $s -le "$2" ] && ok "$1: the run ends in time" || bad "$1: the run ends in time" "$s s"
}
tomorrow() {
	day=$((day + 1))
	at "$(date -u -d "2026-01-01 + $day days" +%Y-%m-%dT00:00:00Z)"
}
for mode in ${MODES:-wrong-nonce wrong-imprint expired-tsa revoked-tsa http500 late wrong-ess two-signers rejected-token garbage html empty redirect cutoff slow endless}; do
	tomorrow
	sign $mode --shape enveloped --key ecdsa
	misbehave --service tsa1 --mode $mode
	cp "$w/in/$mode.xml" "$w/a/spool/desk/new/"
	bounded "TSA: $mode" 20
	case $mode in
	revoked-tsa) ;; # its revocation is known by the time its material is there, not by the token
	*) is "TSA: $mode: the next one stamped" "$(stamped_by $mode.xml)" "Test TSA 2 " ;;
	esac
	misbehave --clear
done
tomorrow
misbehave --service tsa1 --mode http500
misbehave --service tsa2 --mode wrong-imprint
sign nobody --shape enveloped --key ecdsa
cp "$w/in/nobody.xml" "$w/a/spool/desk/new/"
bounded "no TSA" 20
is "no TSA: kept all the same" "$(state nobody.xml name)" nobody.xml
is "no TSA: nothing is in the file" "$(stamped_by nobody.xml)" ""
of a get "$(record nobody.xml)" -o "$w/nobody" >/dev/null
cmp -s "$w/nobody/nobody.xml" "$w/in/nobody.xml" && ok "no TSA: the file is as it was" || bad "no TSA: the file is as it was"
misbehave --clear
tomorrow
run a
is "no TSA: stamped when there is one" "$(stamped_by nobody.xml | wc -w)" 3

# ---- revocation services at fault: waits, and is archived when they are well again
tomorrow
sign stale --shape enveloped --key ecdsa --ca ca2
sign forged --shape enveloped --key ecdsa
for f in stale forged; do cp "$w/in/$f.xml" "$w/a/spool/desk/new/"; done
run a
misbehave --service crl --mode stale-crl
misbehave --service ocsp --mode unauthorised-responder
tomorrow
tomorrow
bounded "stale CRL, foreign responder" 20
is "stale CRL: not archived with it" "$(state stale.xml archive_timestamps)" 0
is "unauthorised responder: not archived with it" "$(state forged.xml archive_timestamps)" 0
flow_state() { ofj a history "$(record "$1")" | grep -o '"state": *"[a-z]*"' | tail -n 1 | sed 's/.*"\([a-z]*\)"$/\1/'; }
is "unauthorised responder: in quarantine" "$(flow_state forged.xml)" quarantined
tomorrow
tomorrow
run a
holds() { ofj a status | json 'len([h for h in d["holds"] if h.get("held")])'; }
is "unauthorised responder, repeated: its issuer is on hold" "$(holds)" 1
misbehave --clear
for i in 1 2 3 4 5 6; do tomorrow; run a; done
is "stale CRL: archived when there is a good one" "$(state stale.xml archive_timestamps)" 1
is "hold: a good answer ends it" "$(holds)" 0
is "hold: the first one goes on then" "$(state forged.xml archive_timestamps)" 1
sign brother --shape enveloped --key ecdsa
sign cousin --shape enveloped --key ecdsa --ca ca2
for f in brother cousin; do cp "$w/in/$f.xml" "$w/a/spool/desk/new/"; done
for i in 1 2 3 4 5; do run a; tomorrow; done
is "hold: another of that issuer goes on too" "$(state brother.xml archive_timestamps)" 1
is "hold: another issuer's does" "$(state cousin.xml archive_timestamps)" 1

# ---- "unknown": once is quarantine, a day later a hold; what the service says next does not undo it
sign lost --shape enveloped --key ecdsa
cp "$w/in/lost.xml" "$w/a/spool/desk/new/"
run a
misbehave --service ocsp --mode unknown
tomorrow
tomorrow
run a
is "unknown: in quarantine" "$(flow_state lost.xml)" quarantined
is "unknown: no hold by one answer" "$(holds)" 0
tomorrow
tomorrow
run a
is "unknown, repeated: a hold" "$(holds)" 1
is "unknown: not archived" "$(state lost.xml archive_timestamps)" 0
misbehave --service ocsp --mode http500
tomorrow
tomorrow
run a
is "unknown, then away: still in quarantine" "$(flow_state lost.xml)" quarantined
misbehave --clear
of a release "$(ofj a status | json '[h["key"] for h in d["holds"] if h.get("held")][0]')" >/dev/null || bad "release"
for i in 1 2 3 4; do tomorrow; run a; done
is "unknown, then known and released: archived" "$(state lost.xml archive_timestamps)" 1
is "all prove" "$(names a 'r["indication"] != "TOTAL-PASSED"' --judge)" ""
