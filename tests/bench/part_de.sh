# (d) scrub against openssl; (e) a 4 GiB file in and out. $part says which; sourced by bench.sh.
note "($part) scrub, large file"
everseal=$(pwd)/$build/everseal
arch=$dir/arch
rm -rf "$arch"
mkdir -p "$arch"
echo 2026-01-01T00:00:00Z >"$arch/clock"
"$everseal" init --simulated "$arch" --clock "$(pwd)/$arch/clock" --tsa http://127.0.0.1:9/tsa --allow-net 127.0.0.1:9 >/dev/null
cp "$pki"/trust/* "$arch/trust/"
export EVERSEAL_CONFIG="$arch/everseal.conf"
if [ "$part" = d ]; then
	head -c "${SCRUB_BYTES:-402653184}" /dev/urandom >"$dir/large.bin"
	"$everseal" deposit "$dir/large.bin" >/dev/null
	"$dir/measure" 7 -- "$everseal" scrub -- openssl dgst -sha256 "$dir/large.bin" \
		-- "$everseal" scrub --full -- sh -c "openssl dgst -sha256 '$dir/large.bin'; openssl dgst -sha512 '$dir/large.bin'" >"$dir/d.out"
	awk '$3 != 0 { exit 1 }' "$dir/d.out" || { note "scrub or openssl failed"; exit 1; }
	set -- $(cut -d' ' -f1 "$dir/d.out")
	ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
	row d "scrub (SHA-256) against openssl dgst -sha256" "$(ratio "$2" "$1")" ">= 0.9" "processor time $1 ms; openssl $2 ms"
	row d "scrub --full against openssl, both digests" "$(ratio "$4" "$3")" "-" "processor time $3 ms; openssl twice $4 ms"
	rm -f "$dir/large.bin"
else
	truncate -s "${LARGE_BYTES:-4294967296}" "$dir/large.bin"
	BENCH_OUT="$dir/receipt" "$dir/measure" 1 -- "$everseal" deposit "$dir/large.bin" >"$dir/e.out"
	record=$(sed -n 's/.*"record": *"\([^"]*\)".*/\1/p' "$dir/receipt")
	[ -n "$record" ] || { note "the large file has no receipt"; exit 1; }
	rm -rf "$dir/got"
	"$dir/measure" 1 -- "$everseal" get "$record" -o "$dir/got" >>"$dir/e.out"
	cmp "$dir/large.bin" "$dir/got/large.bin" || { note "the large file came back altered"; exit 1; }
	awk '$3 != 0 { exit 1 }' "$dir/e.out" || { note "deposit or get failed"; exit 1; }
	set -- $(cut -d' ' -f2 "$dir/e.out")
	row e "peak memory, a file of $((${LARGE_BYTES:-4294967296} >> 20)) MiB in, MiB" "$((($1 + 1023) / 1024))" "<= 64" "deposit, its workers included"
	row e "peak memory, the same out, MiB" "$((($2 + 1023) / 1024))" "<= 64" "get, rehashed"
	rm -rf "$dir/large.bin" "$dir/got" "$dir/receipt"
fi
unset EVERSEAL_CONFIG
rm -rf "$arch"
