#!/bin/sh
# Runs every test program and script, then prints one closing line:
# "N passed, N failed, N skipped". Exit 1 if anything failed.
# A script prints cmocka-like lines: "[       OK ] name", "[  FAILED  ] name", "[  SKIPPED ] name".
set -u
build=$1
out=$build/tests/log
mkdir -p "$out"
passed=0 failed=0 skipped=0
count() { grep -c "$1" "$2" || true; }
listed() { grep "^\[  $1 \] [^0-9]" "$log" | grep -v ' test(s), listed below:$' | sort -u | wc -l; }
# LEAVE_OUT: names of tests that are not run; SCRIPTS: which scripts, all unless set.
for t in "$build"/tests/t_* ${SCRIPTS-tests/t_*.sh}; do
	case $t in *.o | *.d) continue ;; esac
	[ -f "$t" ] || continue
	name=$(basename "$t")
	case " ${LEAVE_OUT:-} " in *" $name "*) continue ;; esac
	case $t in *.sh) ;; *) [ -f "tests/$name.c" ] || continue ;; esac # its source has gone
	log=$out/$name.log
	case $t in
	*.sh) BUILD=$build sh "$t" >"$log" 2>&1 ;;
	*) BUILD=$build "$t" >"$log" 2>&1 ;;
	esac
	code=$?
	p=$(count '^\[       OK \]' "$log") f=$(count '^\[  FAILED  \] [^0-9]' "$log") s=$(count '^\[  SKIPPED \] [^0-9]' "$log")
	# cmocka lists each failed test twice: as it runs and below a heading, which in newer ones bears the group's name
	case $t in *.sh) ;; *) f=$(listed 'FAILED ') s=$(listed 'SKIPPED') ;; esac
	[ "$code" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '%-24s %4d passed %3d failed %3d skipped\n' "$name" "$p" "$f" "$s"
	[ "$f" -eq 0 ] || { grep -v '^\[ RUN\|^\[       OK' "$log" | tail -n 40; }
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] || exit 1
[ "$skipped" -eq 0 ] || [ -z "${CI:-}" ] || { echo "a skipped test fails CI"; exit 1; }
