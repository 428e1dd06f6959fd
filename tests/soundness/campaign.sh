#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/soundness/campaign.sh BUILD [--mutants N] [--seed X] [--seconds S] [--row PREFIX] ...: docs/soundness.md
set -eu
build=$1
shift
seeds=$build/soundness/seeds keep=$build/soundness/kept
if [ ! -f "$seeds/seeds.tsv" ] || [ tests/soundness/seeds.sh -nt "$seeds/seeds.tsv" ] || [ "$build/soundness/make" -nt "$seeds/seeds.tsv" ]; then
	echo "soundness: making the originals" >&2
	sh tests/soundness/seeds.sh "$build" "$seeds"
fi
mkdir -p "$keep"
exec "$build/soundness/run" --seeds "$seeds/seeds.tsv" --keep "$keep" --jobs "$(nproc)" --mutants 1000000 --seconds 240 "$@"
