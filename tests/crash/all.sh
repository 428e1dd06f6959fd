# SPDX-License-Identifier: MIT
# Power loss and failing disks under the real program; changed octets after it (docs/crash.md). Exit 1 if anything failed.
set -u
build=${BUILD:-build}
log=$build/crash.log
{
	(w=$build/crash && . tests/crash/crash.sh)
	FLIP_STATES=${FLIP_STATES:-27500} "$build/tests/t_crash_flip"
	FLIP_SERVICE_STATES=${FLIP_SERVICE_STATES:-600} "$build/tests/t_crash_flip_service"
} 2>&1 | tee "$log"
! grep -q '^\[  FAILED' "$log"
