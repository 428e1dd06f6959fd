# SPDX-License-Identifier: MIT
# The world that tests/crash/flow.py needs, and its three parts.
#	STATES=120 FAILS=48 build=... w=... . tests/crash/crash.sh
. tests/travel/lib.sh
world 2026-01-01T00:00:00Z
sign one --shape enveloped --key ecdsa
sign two --shape enveloping --key ecdsa --ca ca2
printf '%%PDF-1.4\n%% no signature\n%%%%EOF\n' >"$w/in/plain.pdf"
part() { # NAME WHAT COUNT
	if /usr/bin/python3 tests/crash/flow.py "$build" "$w" "$w/pki" "$clock" "$u" "$2" "$3" >"$w/out" 2>&1; then ok "$1"; else bad "$1"; fi
	tail -n 4 "$w/out"
}
part "power loss on the way: nothing that had a receipt is lost, nothing is twice" states "${STATES:-120}"
part "control: without syncs the suite finds a loss" control 21
part "a call that fails on the way" failing "${FAILS:-48}"
