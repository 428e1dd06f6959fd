# SPDX-License-Identifier: MIT
# Decades of sweeps in virtual time. Three archives keep the same documents: one
# renews in time, its twin leaves one sweep window out so that a TSA's
# certificate ends first, the third reads freshness strictly (EN 319 102-1
# 5.6.2.2). What the twin loses is predicted from its plan before the window.
#	YEARS=30 STEP=1 (months) build=... w=... . tests/travel/years.sh
. tests/travel/lib.sh
last=$((2026 + ${YEARS:-30}))
step=${STEP:-1}

profiles() {
	cat <<END

[profile one]
version = 1
grace = 24h
tsa = tsa1, tsa3

[profile two]
version = 1
grace = 24h
tsa = tsa2

[profile three]
version = 1
grace = 24h
tsa = tsa3, tsa1

[profile lta]
version = 1
form = baseline
grace = 24h
tsa = tsa2, tsa1
END
}
world 2026-01-01T00:00:00Z
profiles | archive a "$u/tsa1,$u/tsa2,$u/tsa3"
profiles | archive twin "$u/tsa1,$u/tsa2,$u/tsa3"
{ profiles; printf '\n[verify]\nsliding_freshness = strict\n'; } | archive strict "$u/tsa1,$u/tsa2,$u/tsa3"
all="a twin strict"

sign one --shape enveloped --key rsa
sign two --shape enveloping --key ecdsa --ca ca2
sign counter --shape counter --key p384
sign three --shape parallel --key ed25519
sign lta --shape enveloped --key pss
for a in $all; do
	deposit $a one "$w/in/one.xml"
	deposit $a two "$w/in/two.xml"
	deposit $a two "$w/in/counter.xml"
	deposit $a three "$w/in/three.xml"
	deposit $a lta "$w/in/lta.xml"
done
for t in 2026-01-01T00:10:00Z 2026-01-02T00:20:00Z 2026-01-03T00:40:00Z 2026-01-05T00:50:00Z; do
	at $t
	for a in $all; do run $a; done
done
for a in $all; do
	is "$a: all are archived" "$(names $a 'r["archive_timestamps"] > 0 and r["name"] != "counter.xml"')" "lta.xml one.xml three.xml two.xml"
done
policy_of() { ofj $1 verify "$(ofj $1 list | json 'd[0]["record"]')" | json 'd["policy_digest"]'; }
is "strict: its reports name another policy" "$([ "$(policy_of a)" = "$(policy_of strict)" ]; echo $?)" 1

# tsa2's first certificate ends on 2030-09-30, tsa1's on 2031-06-30: between them the twin comes back.
skip_from=202908 skip_to=203010 bound=2030-12-31T00:00:00Z twin_is=awake predicted=none
predict() {
	twin_is=asleep
	predicted=$(names twin '(r["next_deadline"] or "9999") <= "'$bound'"')
	ofj twin sweep --plan >"$w/plan.before" 2>/dev/null
	in_plan=$(json 'sum(c["records"] for c in d["classes"] if c["deadline"] <= "'$bound'")' <"$w/plan.before")
}
resume() {
	twin_is=back
	lost=$(names twin 'r["indication"] != "TOTAL-PASSED"' --judge)
	is "twin: what is lost is what its deadlines said" "$lost" "$predicted"
	has "twin: something is lost" "$lost" two.xml
	ofj twin sweep --plan >"$w/plan.after" 2>/dev/null
	is "twin: the plan tells as many as lapsed as it told due before" "$(json 'd["lapsed"]' <"$w/plan.after")" "$in_plan"
	ofj twin sweep >"$w/sweep.late" 2>/dev/null
	is "twin: all the late ones are told as late" "$(json 'd["late"]' <"$w/sweep.late")" "$in_plan"
	rec=$(ofj twin list | json '[r["record"] for r in d if r["name"] == "two.xml"][0]')
	is "twin: the stamp itself says that it is late" "$(ofj twin history "$rec" | grep -c '"late": *true')" 1
	is "twin: a late stamp proves nothing about before" "$(names twin 'r["indication"] != "TOTAL-PASSED"' --judge)" "$predicted"
	is "its brother has lost nothing" "$(names a 'r["indication"] != "TOTAL-PASSED"' --judge)" ""
}
year=2026
while [ $year -lt $last ]; do
	m=1
	while [ $m -le 12 ]; do
		ym=$(printf '%d-%02d' $year $m) n=$(printf '%d%02d' $year $m)
		m=$((m + step))
		[ $ym != 2026-01 ] || continue
		at $ym-01T00:00:00Z
		case $ym in # a TSA is away for a year
		2032-01) misbehave --service tsa1 --mode away ;;
		2033-01) misbehave --clear ;;
		esac
		if [ $year = 2028 ] && [ $m -gt 12 ]; then # signed later, under certificates that end later
			sign later --shape enveloped --key ecdsa
			for a in $all; do deposit $a two "$w/in/later.xml"; done
			for d in 02 03 04; do
				at $ym-${d}T06:00:00Z
				for a in $all; do run $a; done
			done
		fi
		[ $twin_is != awake ] || [ $n -lt $skip_from ] || predict
		[ $twin_is != asleep ] || [ $n -lt $skip_to ] || resume
		for a in $all; do
			run $a
			[ $a.$twin_is != twin.asleep ] || continue
			of $a sweep >>"$w/$a.sweeps" 2>>"$w/$a.err" || bad "$a: sweep of $ym" "$(tail -n 2 "$w/$a.sweeps")"
		done
	done
	year=$((year + 1))
done
at $last-01-01T00:00:00Z
for a in $all; do run $a; done
everything="counter.xml later.xml lta.xml one.xml three.xml two.xml"
is "a: every record proves after $((last - 2026)) years" "$(names a 'r["indication"] == "TOTAL-PASSED"' --judge)" "$everything"
is "strict: every record proves after $((last - 2026)) years" "$(names strict 'r["indication"] == "TOTAL-PASSED"' --judge)" "$everything"
is "twin: the lost stay lost, the others prove" "$(names twin 'r["indication"] != "TOTAL-PASSED"' --judge)" "$predicted"
ofj a list --judge >"$w/a.json"
ofj strict list --judge >"$w/strict.json"
json '"archive stamps: " + ", ".join("%s %d" % (r["name"], r["archive_timestamps"]) for r in d)' <"$w/a.json"
for a in $all; do is "$a: log verify" "$(of $a log verify >/dev/null 2>&1; echo $?)" 0; done
