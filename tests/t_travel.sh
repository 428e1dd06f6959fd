#!/bin/sh
# SPDX-License-Identifier: MIT
# Travelling in time, the short way; `make travel` goes the long one.
set -u
build=${BUILD:-build}
(w=$build/tests/services && . tests/travel/services.sh)
(w=$build/tests/resume && . tests/travel/resume.sh)
(w=$build/tests/years YEARS=6 STEP=3 && . tests/travel/years.sh)
