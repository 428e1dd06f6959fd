#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/fuzz/run.sh FUZZER DIR SECONDS [ENTRY...]: each entry for so long, one core. What it found that covers more
# is kept in DIR/corpus/ENTRY for the next run, what breaks in DIR/found. EVERSEAL_SHARED lends its documents as seeds.
set -u
fuzzer=$1 dir=$2 seconds=$3
shift 3
export EVERSEAL_FUZZ=$dir/seeds
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:handle_abort=1:${ASAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1
mkdir -p "$dir/found"

# lent ENTRY-KIND: folders of others' data that suit these seeds
lent() {
	shared=${EVERSEAL_SHARED:-../shared}
	[ -d "$shared/corpus" ] || return 0
	case $1 in
	xml) find "$shared/corpus/xades" "$shared/corpus/xmldsig" "$shared/corpus/xml-hostile" -type f -name '*.xml' -size -100k ;;
	crl) find "$shared/corpus/crl" -type f -size -32k ;;
	catalogue) find "$shared/corpus/crypto-catalogue" -type f -size -130k ;;
	esac
}
printf '%-12s %10s %7s %8s %7s  %s\n' entry runs exec/s edges corpus outcome
"$fuzzer" --list | while read -r entry max seeds; do
	[ $# -eq 0 ] || case " $* " in *" $entry "*) ;; *) continue ;; esac
	mkdir -p "$dir/corpus/$entry" "$dir/lent/$entry"
	folders=
	for s in $seeds; do
		folders="$folders $dir/seeds/$s"
		lent "$s" | while read -r f; do cp -n "$f" "$dir/lent/$entry/$(echo "$f" | sha256sum | cut -c 1-16)"; done
	done
	log=$dir/found/$entry.log
	# shellcheck disable=SC2086 # a list
	FUZZ_ENTRY=$entry nice -n 10 "$fuzzer" -max_total_time="$seconds" -max_len="$max" -timeout=20 -rss_limit_mb=1500 -print_final_stats=1 \
		-artifact_prefix="$dir/found/$entry-" -close_fd_mask=1 "$dir/corpus/$entry" $folders "$dir/lent/$entry" >"$log" 2>&1
	code=$?
	stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	[ "$code" -eq 0 ] && outcome=ok || outcome="BROKEN, see $log"
	printf '%-12s %10s %7s %8s %7s  %s\n' "$entry" "$(stat number_of_executed_units)" "$(stat average_exec_per_sec)" "$edges" \
		"$(find "$dir/corpus/$entry" -type f | wc -l)" "$outcome"
	[ "$code" -eq 0 ] || touch "$dir/found/broken"
done
[ ! -e "$dir/found/broken" ] || { rm -f "$dir/found/broken"; exit 1; }
