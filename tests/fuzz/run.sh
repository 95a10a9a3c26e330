#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs each for some seconds, beginning with its seeds and everything
# that ever made it fail (corpus/TARGET/). Exit code 1 when one crashes, hangs or leaks.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]
#
# A finding is kept in BUILD/findings/; once repaired, move it to corpus/TARGET/ as a regression.
set -euo pipefail

seconds=${1:-5}
shift || true
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${ABACUS_FUZZ_BUILD:-$root/build-fuzz}

if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" "$root" -Dfuzz=true >/dev/null
fi
ninja -C "$build" fuzz >/dev/null || { ninja -C "$build" fuzz; exit 1; }

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for path in "$root"/tests/fuzz/fuzz_*.c; do
        name=$(basename "$path" .c)
        targets+=("${name#fuzz_}")
    done
fi

# libFuzzer writes what it discovers into the first folder; the seeds are only read. No call may
# take 5 s or the process 512 MiB: a parser that can be made to do that is a finding.
run_one() {
    local name=$1 grown="$build/corpus/$1"
    local findings="$build/findings/$1-" log="$build/findings/$1.log"
    mkdir -p "$grown" "$build/findings"
    if "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=5 \
        -max_len=4096 -print_final_stats=1 -artifact_prefix="$findings" \
        "$grown" "$root/tests/fuzz/corpus/$name" >"$log" 2>&1; then
        printf '%-16s %9s runs, no finding\n' "$name" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        tail -n 40 "$log"
        printf '%-16s FAILED: the input is in %s*, the whole log in %s\n' "$name" "$findings" "$log"
        return 1
    fi
}

# The freed memory that the sanitizer holds back would count as the parser's.
export ASAN_OPTIONS=quarantine_size_mb=16
export -f run_one
export root build seconds
printf '%s\0' "${targets[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'run_one {}' || exit 1
