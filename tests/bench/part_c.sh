# (c) Durable deposits by eight depositors at the running service; sourced by bench.sh.
# Nothing is removed between the rounds: for minutes ext4 passes over each inode freed just now before it gives a new one,
# which takes longer than all else that a receipt costs.
note "(c) deposits"
everseal=$(pwd)/$build/everseal
rm -rf "$dir"/c.*
files=$dir/files
count=${DEPOSITS:-2000}
size=${DEPOSIT_BYTES:-20000}
rounds=${DEPOSIT_ROUNDS:-3}
new_archive() { # $1: an archive with eight spools; what is kept here is not signed, so no TSA is asked
	arch=$dir/c.arch.$1
	mkdir -p "$arch"
	echo 2026-01-01T00:00:00Z >"$arch/clock"
	"$everseal" init --simulated "$arch" --clock "$(pwd)/$arch/clock" --tsa http://127.0.0.1:9/tsa --allow-net 127.0.0.1:9 >/dev/null
	cp "$pki"/trust/* "$arch/trust/"
	spools=
	for i in 1 2 3 4 5 6 7 8; do
		printf '\n[spool d%s]\ndir = spool/d%s\n' $i $i >>"$arch/everseal.conf"
		for sub in tmp new cur done failed; do mkdir -p "$arch/spool/d$i/$sub"; done
		spools="$spools $arch/spool/d$i"
	done
}
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
rm -rf "$files"
mkdir -p "$files"
"$dir/load" make "$files" "$count" "$size"
: >"$dir/took.ours"
: >"$dir/took.floor"
: >"$dir/took.restic"
k=0
while [ $k -lt "$rounds" ]; do
	k=$((k + 1))
	new_archive $k
	"$everseal" -c "$arch/everseal.conf" run >"$dir/run.log" 2>&1 &
	daemon=$!
	sleep 1
	"$dir/load" spools "$count" "${WINDOW:-32}" "$files" $spools >>"$dir/took.ours" || { kill $daemon; cat "$dir/run.log"; exit 1; }
	kill $daemon
	wait $daemon || true
	"$dir/load" floor "$files" "$dir/c.floor.out" >>"$dir/took.floor"
	if command -v restic >/dev/null 2>&1; then
		export RESTIC_PASSWORD=bench RESTIC_CACHE_DIR="$dir/c.cache.$k"
		restic -q -r "$dir/c.restic.$k" init >/dev/null
		s=$(date +%s%N)
		restic -q -r "$dir/c.restic.$k" backup "$files" >/dev/null
		e=$(date +%s%N)
		awk -v t=$((e - s)) 'BEGIN { printf "%.4f\n", t / 1e9 }' >>"$dir/took.restic"
	fi
done
ours=$(cut -d' ' -f1 "$dir/took.ours" | middle)
p99=$(cut -d' ' -f2 "$dir/took.ours" | middle)
floor=$(middle <"$dir/took.floor")
per() { awk -v n="$count" -v t="$1" 'BEGIN { printf "%.0f", n / t }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
row c "durable deposits a second, 8 depositors, $count files of $size octets" "$(ratio "$floor" "$ours")" ">= 0.6" \
	"$(per "$ours")/s; two digests + append + one sync per 64: $(per "$floor")/s"
row c "p99 of the receipt, ms" "$p99" "<= 1000" "${WINDOW:-32} deposits under way at each depositor"
if [ -s "$dir/took.restic" ]; then
	restic=$(middle <"$dir/took.restic")
	row c "the same against restic backup" "$(ratio "$restic" "$ours")" ">= 3" "restic $(per "$restic") files/s"
else
	note "restic is not installed: left out"
fi
# Bulk: everything lies in the spools before the archive starts, which has run before: its birth is nobody's deposit.
if command -v strace >/dev/null 2>&1; then
	new_archive bulk
	"$everseal" -c "$arch/everseal.conf" run --once >/dev/null 2>&1
	i=0
	for f in "$files"/*.pdf; do
		[ $i -lt 1000 ] || break
		ln "$f" "$arch/spool/d$((i % 8 + 1))/new/"
		i=$((i + 1))
	done
	strace -f -c -e trace=fsync,fdatasync,syncfs,sync,msync,sync_file_range -o "$dir/syncs" "$everseal" -c "$arch/everseal.conf" run --once >/dev/null 2>&1
	syncs=$(awk '$NF ~ /sync/ { n += $4 } END { print n + 0 }' "$dir/syncs")
	kept=$(find "$arch"/spool/*/done -name '*.receipt.json' | wc -l)
	[ "$kept" -eq $i ] || { note "bulk: $kept receipts of $i"; exit 1; }
	row c "syncs per 1,000 deposits in bulk" "$(awk -v s="$syncs" -v n=$i 'BEGIN { printf "%.1f", s * 1000 / n }')" "<= 20" \
		"$syncs syncs for $i deposits, 8 spools, opening and closing included"
fi
rm -rf "$files" "$dir"/c.*
