#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/soundness/campaign.sh BUILD WHAT [WORD]...: docs/soundness.md. WHAT: mutation, differential, sabotage.
set -eu
build=$1 what=$2
shift 2
here=tests/soundness
seeds=$build/soundness/seeds keep=$build/soundness/kept
shared=${EVERSEAL_SHARED:-$(cd ../shared 2>/dev/null && pwd || true)}
if [ ! -f "$seeds/seeds.tsv" ] || [ $here/seeds.sh -nt "$seeds/seeds.tsv" ] || [ "$build/soundness/make" -nt "$seeds/seeds.tsv" ]; then
	echo "soundness: making the originals" >&2
	sh $here/seeds.sh "$build" "$seeds"
fi
tables=$seeds/seeds.tsv
if [ -f "$shared/cases/cases.tsv" ] && [ -f "$shared/corpus/dss-verdicts.tsv" ]; then
	rm -rf "$build/soundness/shared"
	/usr/bin/env python3 -B $here/shared.py "$shared" "$build/soundness/shared" >"$build/soundness/shared.tsv"
	tables=$tables,$build/soundness/shared.tsv
fi
mkdir -p "$keep"
case $what in
mutation)
	"$build/soundness/derivations" --seeds "$seeds/seeds.tsv" --rounds "${DERIVATIONS:-100}"
	exec "$build/soundness/run" --seeds "$tables" --keep "$keep" --jobs "$(nproc)" --mutants 1000000 --seconds 180 "$@"
	;;
differential)
	sample=$(cd "$build" && pwd)/soundness/sample
	rm -rf "$sample"
	mkdir -p "$sample"
	"$build/soundness/run" --seeds "$tables" --keep "$sample" --opinions --sample 1 --seed 0 | grep '^xmlsec'
	"$build/soundness/run" --seeds "$tables" --keep "$sample" --jobs "$(nproc)" --mutants 4000 --sample 4 --seed 1 "$@"
	if ! command -v java >/dev/null || [ ! -f "$shared/oracle/oracle" ]; then
		echo "soundness: no EU DSS here" >&2
		exit 0
	fi
	exec /usr/bin/env python3 -B $here/differential.py "$shared" "$build/soundness/dss" "$sample/sample.tsv"
	;;
sabotage)
	exec sh $here/sabotage.sh "$build" "$@"
	;;
esac
