# SPDX-License-Identifier: MIT
# Power loss and failing disks under the real program. Exit 1 if anything failed.
set -u
build=${BUILD:-build}
log=$build/crash.log
{
	(w=$build/crash && . tests/crash/crash.sh)
} 2>&1 | tee "$log"
! grep -q '^\[  FAILED' "$log"
