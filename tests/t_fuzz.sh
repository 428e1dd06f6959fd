#!/bin/sh
# SPDX-License-Identifier: MIT
# Every parser's entry (tests/fuzz/) over seeds of our own making and mutations of them, the same ones each time.
# `make fuzz` is the long way. What breaks an entry is kept in $BUILD/fuzz/seeds/broken.
set -u
build=${BUILD:-build}
for entry in $("$build/fuzz/replay" --list | cut -d ' ' -f 1); do
	"$build/fuzz/replay" "$build/fuzz/seeds" "${FUZZ_MUTATIONS:-25}" "$entry" || cp "$build/fuzz/seeds/broken" "$build/fuzz/broken-$entry" 2>/dev/null
done
