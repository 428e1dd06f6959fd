#!/bin/sh
# SPDX-License-Identifier: MIT
# make interop: BUILD=build EVERSEAL_SHARED=../shared sh tests/interop/run.sh [WORD]
set -eu
# lxml comes with the system's python, which need not be the first in the path
python=python3
"$python" -c 'import lxml' 2>/dev/null || python=/usr/bin/python3
exec "$python" -B tests/interop/interop.py "${BUILD:-build}" "${EVERSEAL_SHARED:-../shared}" "$@"
