# SPDX-License-Identifier: MIT
# The long way: thirty years, month by month. Exit 1 if anything failed.
set -u
build=${BUILD:-build}
log=$build/travel.log
{
	(w=$build/travel/years YEARS=${YEARS:-30} STEP=${STEP:-1} && . tests/travel/years.sh)
} 2>&1 | tee "$log"
! grep -q '^\[  FAILED' "$log"
