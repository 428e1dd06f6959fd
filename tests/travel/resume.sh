# SPDX-License-Identifier: MIT
# A sweep that is killed in the middle and run again ends in the same set, and
# asks no TSA again for what was durable.
. tests/travel/lib.sh
world 2026-01-01T00:00:00Z
archive a "$u/tsa1,$u/tsa2" </dev/null
sign same --shape enveloped --key ecdsa
n=1
while [ $n -le 70 ]; do
	cp "$w/in/same.xml" "$w/a/spool/desk/new/same$n.xml"
	n=$((n + 1))
done
for t in 2026-01-01T00:10:00Z 2026-01-02T00:20:00Z 2026-01-03T00:40:00Z 2030-06-01T00:00:00Z; do
	at $t
	run a
done
is "70 records are archived" "$(ofj a list | json 'sum(r["archive_timestamps"] for r in d)')" 70
is "70 are due" "$(ofj a sweep --plan | json 'd["records"]')" 70
asked() { grep -c '/tsa' "$w/pki/access.log"; }
before=$(asked)
"$es" --quiet -c "$w/a/everseal.conf" sweep >"$w/o" 2>&1 &
sweep=$!
i=0
while [ $(($(asked) - before)) -lt 45 ] && [ $i -lt 400 ]; do
	i=$((i + 1))
	sleep 0.05
done
kill -9 $sweep 2>/dev/null
wait $sweep 2>/dev/null
killed=$(asked)
left=$(ofj a sweep --plan | json 'd["records"]')
is "killed: part of it was durable" "$(case $left in 70 | 0) echo no ;; *) echo yes ;; esac)" yes
of a sweep >"$w/o" 2>&1
is "again: done" $? 0
again=$(($(asked) - killed)) # the log is behind by the one request that was in flight
is "again: asks for what was not durable alone" "$([ $again -ge "$left" ] && [ $again -le $((left + 1)) ] && echo yes || echo "$again of $left")" yes
is "again: the same set" "$(ofj a list | json 'sorted(set(r["archive_timestamps"] for r in d))')" "[2]"
is "again: nothing is due" "$(ofj a sweep --plan | json 'd["records"]')" 0
of a log verify >/dev/null 2>&1
is "log verify" $? 0
of a scrub --full >/dev/null 2>&1
is "scrub" $? 0
